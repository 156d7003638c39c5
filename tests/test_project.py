"""The project's own promises: a lock without addresses, conda and pip in step, layers, one version, clean texts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

CHECKOUT = Path(__file__).resolve().parents[1]

CONDA_NAMES = {
    "dask": "dask",  # conda's dask brings distributed
    "duckdb": "python-duckdb",
    "matplotlib": "matplotlib-base",
    "playwright": "playwright-python",
}
"""Name on the Python index -> name on conda-forge, where they differ."""


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def requirements(project: dict) -> dict[str, Requirement]:
    wanted = [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["test"]]
    return {canonicalize_name(requirement.name): requirement for requirement in wanted}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every text file that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True).stdout
    paths = [CHECKOUT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


def locked_versions() -> dict[str, Version]:
    text = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, flags=re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in pins}


def test_lock_holds_versions_and_hashes_and_no_address():
    pin = re.compile(r"[A-Za-z0-9._-]+==[^\s;]+( ; [^\\]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    strange = [line for line in lines if not pin.fullmatch(line) and not digest.fullmatch(line)]
    assert strange == []
    pinned = [index for index, line in enumerate(lines) if pin.fullmatch(line)]
    assert len(pinned) > 100
    assert all(digest.fullmatch(lines[index + 1]) for index in pinned)


def test_lock_satisfies_every_requirement(requirements):
    locked = locked_versions()
    wrong = {
        name: str(locked.get(name))
        for name, requirement in requirements.items()
        if name not in locked or not requirement.specifier.contains(locked[name], prereleases=True)
    }
    assert wrong == {}, "run 'make lock'"


def test_conda_environment_says_the_same_as_pyproject(project, requirements):
    environment = yaml.safe_load((CHECKOUT / "environment.yml").read_text(encoding="utf-8"))
    conda = {}
    *packages, from_index = environment["dependencies"]
    for line in [*packages, *from_index["pip"]]:
        name, bounds = re.fullmatch(r"([a-z0-9.-]+)(.*)", line).groups()
        assert name not in conda, f"{name} is listed twice"
        conda[name] = SpecifierSet(bounds)
    assert conda.pop("python") == SpecifierSet(project["requires-python"])
    assert conda.pop("pip") == SpecifierSet("")
    assert conda == {CONDA_NAMES.get(name, name): wanted.specifier for name, wanted in requirements.items()}


def test_imports_go_from_dashboard_to_analysis_to_data():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout


def test_no_text_names_a_machine_or_a_registry(tracked):
    hosts = ("pypi|pythonhosted|npmjs|anaconda|conda|jsdelivr|unpkg|debian|crates", "org|com|io|net")
    forbidden = re.compile(rf"/(?:work|opt|root)/[a-z.]|\b(?:{hosts[0]})\.(?:{hosts[1]})\b")
    found = {
        str(path.relative_to(CHECKOUT)): match.group()
        for path in tracked
        if (match := forbidden.search(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert found == {}


def test_no_absolute_home_path_in_text(tracked):
    home = str(Path.home())
    mentions = [
        path for path in tracked if len(home) > 5 and home in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert mentions == []


def test_version_is_the_same_everywhere(project):
    shown = subprocess.run(
        [sys.executable, "-m", "dashboard", "--version"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout
    assert shown.strip() == f"carbonweather {project['version']}"
    newest = re.search(r"^## (\S+)", (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert newest and newest.group(1) == project["version"]
    assert f"version {project['version']}" in (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_readme_names_the_two_commands_and_says_what_is_simulated():
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    for phrase in ("make serve", "make test", "http://localhost:5006", "simulated", "docs/images/explore.png"):
        assert phrase in readme


def test_every_data_file_of_the_packages_is_installed(tracked):
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = ["*.py", *settings["package-data"]["*"]]
    shipped = [path for path in tracked if path.relative_to(CHECKOUT).parts[0] in ("analysis", "dashboard", "data")]
    assert [path for path in shipped if not any(path.match(pattern) for pattern in patterns)] == []


def test_links_between_pages_lead_somewhere(tracked):
    broken = []
    for page in (path for path in tracked if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(CHECKOUT)} -> {target}")
    assert broken == []


def test_every_decision_is_in_the_index():
    folder = CHECKOUT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [
        page.name for page in folder.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index
    ] == []


def test_pre_commit_needs_no_network():
    hooks = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repo["repo"] for repo in hooks["repos"]} == {"local"}
    assert {hook["language"] for repo in hooks["repos"] for hook in repo["hooks"]} == {"system"}
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-config"], cwd=CHECKOUT, check=True)


@pytest.mark.parametrize("package", ["analysis", "dashboard", "data"])
def test_importing_a_package_loads_no_library(package):
    script = f"import json, sys; import {package}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    heavy = {"numpy", "xarray", "pandas", "numba", "panel", "bokeh", "matplotlib", "dask"}
    assert heavy.isdisjoint(json.loads(done.stdout))


FIXTURE_USER = """
def test_real_files(real):
    assert real.is_dir()

def test_browser(chromium_path):
    assert chromium_path.is_file()

def test_data_folder(home):
    from data.home import home as data_folder
    assert data_folder() == home.resolve()
"""


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 passed, 2 errors"), ("", "1 passed, 2 skipped")])
def test_what_is_missing_fails_in_ci_and_is_skipped_elsewhere(tmp_path, ci, outcome):
    (tmp_path / "test_fixture_user.py").write_text(FIXTURE_USER, encoding="utf-8")
    (tmp_path / "no_browser.py").write_text("import tests.browser.chromium as c; c._candidates = lambda: iter(())\n")
    environment = {
        **{key: value for key, value in os.environ.items() if key != "CARBONWEATHER_CHROMIUM"},
        "CI": ci,
        "CARBONWEATHER_REAL": str(tmp_path / "absent"),
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(tmp_path)]),
        "PYTEST_ADDOPTS": "",
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no_browser",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            ".",
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout.splitlines()[-1], done.stdout
    assert done.returncode == (1 if ci else 0)
