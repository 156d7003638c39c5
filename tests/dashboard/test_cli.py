"""The command line as a user meets it: help that loads nothing, errors of one sentence, a clean stop."""

from __future__ import annotations

import json
import subprocess
import sys
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from analysis.errors import SeriesTooShort
from dashboard.cli import VERBS, main
from data.errors import FileProblem, StoreProblem

SENTENCE = "broken.h5: expected an HDF5 file, found an empty file; download it again."


@pytest.fixture
def verb(monkeypatch):
    """Add a verb 'trial' that does what the test says."""

    def add(action):
        module = ModuleType("dashboard.commands.trial")
        module.command = click.Command("trial", callback=action)
        monkeypatch.setitem(VERBS, "trial", "A verb for this test.")
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return add


def fail_with_a_sentence():
    raise FileProblem("broken.h5", expected="an HDF5 file", found="an empty file", remedy="download it again")


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_shows_every_verb_with_its_line(option):
    result = CliRunner().invoke(main, [option])
    assert result.exit_code == 0
    shown = " ".join(result.output.split())
    for name, line in VERBS.items():
        assert f"{name} {line}" in shown


def test_help_loads_no_verb_and_no_scientific_library():
    script = (
        "import json, sys; from dashboard.cli import main; main(['--help'], standalone_mode=False);"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "click" in loaded
    unwanted = ("numpy", "xarray", "pandas", "panel", "bokeh", "numba", "dashboard.commands.")
    assert [name for name in loaded if name.startswith(unwanted)] == []


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help_of_its_own(name):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: main {name}")


def test_unknown_verb_is_a_usage_error():
    result = CliRunner().invoke(main, ["serv"])
    assert result.exit_code == 2
    assert "No such command 'serv'" in result.stderr


def test_data_error_is_one_sentence_on_stderr(verb):
    verb(fail_with_a_sentence)
    result = CliRunner().invoke(main, ["trial"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"Error: {SENTENCE}\n"


@pytest.mark.parametrize("family", [StoreProblem, SeriesTooShort])
def test_errors_of_each_package_are_sentences(verb, family):
    def fail():
        raise family("Only one month was found; give at least 24.")

    verb(fail)
    result = CliRunner().invoke(main, ["trial"])
    assert (result.exit_code, result.stderr) == (1, "Error: Only one month was found; give at least 24.\n")


def test_debug_lets_the_traceback_through(verb):
    verb(fail_with_a_sentence)
    result = CliRunner().invoke(main, ["--debug", "trial"])
    assert isinstance(result.exception, FileProblem)
    assert str(result.exception) == SENTENCE


def test_interrupt_ends_without_a_traceback(verb):
    verb(interrupt)
    result = CliRunner().invoke(main, ["trial"])
    assert result.exit_code == 130
    assert result.stderr == "Stopped.\n"
