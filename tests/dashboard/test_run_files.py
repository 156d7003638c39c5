"""Downloads of runs: the files of the run are sent, and nothing else on the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dashboard.run_configuration import read_configuration
from dashboard.run_files import Sendable, find
from data.errors import DataError
from data.runs import Run
from tests.dashboard.run_examples import SERIES, done, queued


@pytest.fixture
def run(home: Path) -> Run:
    return done(home, title="A title", settings={"months": 3})


def text_of(found: Sendable) -> str:
    if found.stream is None:
        return found.text.decode()
    with found.stream as stream:
        return stream.read().decode()


def test_results_configuration_and_log_are_sent(home: Path, run: Run) -> None:
    found = find(home, run.id, "file/results/series.csv")
    assert (found.filename, found.size) == (f"{run.id}_series.csv", len(SERIES))
    assert text_of(found) == SERIES
    assert "Drawing." in text_of(find(home, run.id, "log.txt"))
    given = read_configuration(text_of(find(home, run.id, "configuration.yaml")))
    assert (given.kind, given.title, given.settings) == ("pages", "A title", {"months": 3})


def test_an_unfinished_run_has_a_log_and_a_configuration(home: Path) -> None:
    waiting = queued(home)
    assert find(home, waiting.id, "configuration.yaml").size > 0
    with pytest.raises(DataError, match="expected a result file"):
        find(home, waiting.id, "log.txt")


@pytest.mark.parametrize(
    "path",
    [
        "../../../etc/passwd",
        "results/../../../../etc/passwd",
        "/etc/passwd",
        "results/../run.yaml",
        "run.yaml",
        "state.json",
        "results",
        "results/gone.csv",
        "results/series.csv/..",
        "",
        ".",
        "results/\0",
        "~/.bashrc",
        "x" * 5000,
    ],
)
def test_no_other_file_is_sent(home: Path, run: Run, path: str) -> None:
    with pytest.raises(DataError):
        find(home, run.id, f"file/{path}")


@pytest.mark.parametrize("run_id", ["", "..", "../..", "/", "20260101-000000-pages-0000", "."])
def test_no_other_folder_is_a_run(home: Path, run: Run, run_id: str) -> None:
    with pytest.raises(DataError):
        find(home, run_id, "configuration.yaml")


def test_a_link_out_of_the_folder_is_not_followed(home: Path, run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for name, target in (("series.csv", secret), ("notes.txt", "/dev/zero")):
        (run.results_folder / name).unlink()
        (run.results_folder / name).symlink_to(target)
        with pytest.raises(DataError):
            find(home, run.id, f"file/results/{name}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_does_not_make_the_server_wait(home: Path, run: Run) -> None:
    (run.results_folder / "series.csv").unlink()
    os.mkfifo(run.results_folder / "series.csv")
    with pytest.raises(DataError):
        find(home, run.id, "file/results/series.csv")
