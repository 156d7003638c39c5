"""`carbonweather transport`: one file says it all, and what is wrong with it is said before anything is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analysis.jobs import validate
from analysis.jobs.transport import JOB
from dashboard.cli import main
from dashboard.commands.transport import read_transport
from tests.analysis.simulation.small_runs import flux_file, pack

CONFIG = """\
title: Three small days
weather: pack
fluxes: [CT-small.flux1x1.2022.nc]
components: [background, fossil]
output:
  levels: none
  columns: daily
show: false
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    pack(folder / "pack")
    flux_file(folder / "CT-small.flux1x1.2022.nc")
    (folder / "run.yaml").write_text(CONFIG)
    return folder


def call(*words: object) -> Result:
    return CliRunner().invoke(main, ["transport", *map(str, words)])


def test_from_a_file_to_results(folder, home):
    shown = call(folder / "run.yaml", "--preview")
    assert shown.exit_code == 0, shown.output
    assert "2 tracers on 12 x 9 cells and 25 levels through 3 days in about 72 steps." in shown.output
    assert "memory" in shown.output and not (home / "runs").exists()
    cost = json.loads(call(folder / "run.yaml", "--preview", "--json").output)
    assert cost["settings"]["weather"] == str(folder / "pack") and cost["settings"]["output_columns"] == "daily"
    assert cost["cost"]["seconds"] > 0

    made = call(folder / "run.yaml", "--json")
    assert made.exit_code == 0, made.output
    run = json.loads(made.output)
    assert (run["state"], run["title"]) == ("done", "Three small days")
    assert run["scores"]["mass_closure_ppm"] < 1e-5 and run["scores"]["steps"] == 72
    again = call(folder / "run.yaml")
    assert again.exit_code == 0 and "An identical run is done" in again.output

    whole = home / "runs" / run["id"] / "run.yaml"  # its own record starts it as well
    assert json.loads(call(whole, "--json").output)["id"] == run["id"]
    listed = CliRunner().invoke(main, ["runs", "list", "--kind", "transport", "--json"])
    assert [each["id"] for each in json.loads(listed.output)] == [run["id"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "found nothing; see docs/running-transport.md"),
        ("- a\n- b\n", "found no names with values"),
        ("weather: [", "found text that is not YAML (line 1)"),
        ("a: &x [1]\nb: *x\n", "found text that is not YAML"),
        ("output: daily\n", "found an output that is no names with values"),
        ("output:\n  level: daily\n", "found 'output_level'"),
        ("seed: -1\n", "found the seed '-1'"),
        ("kind: grid\nsettings: {}\n", "found the configuration of a grid run"),
        ("weather: nowhere\n", "weather: expected a file or folder that is there, found none at"),
        ("wether: pack\n", "found 'wether'; leave it out or correct its name"),
        ("weather: synthetic\n", "start: expected a day"),
        ("!!python/object/apply:os.system ['true']\n", "found text that is not YAML"),
        ("x: " + "y" * 300_000, "found more than 200 kB"),
    ],
)
def test_files_that_say_something_else(tmp_path, home, text, words):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    result = call(path)
    assert result.exit_code == 1 and words in result.output, result.output
    assert result.output.count("\n") == 1 and not (home / "runs").exists()


def test_files_that_cannot_be_read(tmp_path, home):
    assert "found no such file" in call(tmp_path / "none.yaml").output
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "found bytes that are no text" in call(tmp_path / "binary.yaml").output


def test_paths_begin_at_the_file(folder, tmp_path):
    (folder / "all.yaml").write_text(
        "weather: pack\nfluxes: CT-small.flux1x1.2022.nc\nsamples:\n- path: 'obs/*.nc'\n  kernel: none\n"
        "continue_from: 20200101-000000-transport-abcd\n"
    )
    title, seed, settings = read_transport(folder / "all.yaml")
    assert (title, seed) == ("", 0)
    assert settings["weather"] == str(folder / "pack")
    assert settings["fluxes"] == [str(folder / "CT-small.flux1x1.2022.nc")]
    assert settings["samples"] == [{"path": str(folder / "obs" / "*.nc"), "kernel": "none"}]
    assert settings["continue_from"] == "20200101-000000-transport-abcd"


def test_the_example_of_the_documentation_is_valid(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "running-transport.md").read_text(encoding="utf-8")
    example = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    (tmp_path / "run.yaml").write_text(example, encoding="utf-8")
    title, _, settings = read_transport(tmp_path / "run.yaml")
    filled = validate(JOB, settings)
    assert title.startswith("The first week") and filled["output_grid"] == ["model", "1x1"]
    assert set(settings) <= set(JOB.schema["properties"])
    described = set(re.findall(r"`([a-z_]+)`", page)) | set(re.findall(r"^\s*([a-z_]+):", example, re.MULTILINE))
    assert {name.removeprefix("output_") for name in JOB.schema["properties"]} <= described
