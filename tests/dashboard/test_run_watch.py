"""The list of runs: what it says of each state, and that many visitors cost one reading."""

from __future__ import annotations

import json
from pathlib import Path

from dashboard.run_watch import RunWatch
from data.home import runs_dir
from data.runs import RunStore
from tests.dashboard.run_examples import done, queued, running


def test_an_empty_data_folder_has_no_runs(home: Path) -> None:
    assert json.loads(RunWatch(home).read().listing) == {"loaded": True, "rows": []}
    assert not runs_dir(home).exists()


def test_each_state_says_what_people_want_to_know(home: Path) -> None:
    waiting = queued(home)
    finished = done(home, title="First")
    working = running(home)
    rows = {row["id"]: row for row in RunWatch(home).read().rows}
    assert rows[waiting.id]["state"] == "queued"
    assert rows[waiting.id]["resumable"]
    assert rows[finished.id]["title"] == "First"
    assert (rows[finished.id]["state"], rows[finished.id]["progress"]) == ("done", "")
    row = rows[working.configuration.id]
    assert row["title"].startswith("Pages of ")
    assert (row["state"], row["fraction"], row["progress"]) == ("running", 0.25, "Drawing: 3 of 12 months")
    assert (row["left"], row["speed"]) == ("6 s", "1.5 months/s")
    working.end("failed", "months: expected some, found none; bring some.")
    row = RunWatch(home).read().row(working.configuration.id) or {}
    assert (row["state"], row["left"], row["error"]) == ("failed", "", "months: expected some, found none; bring some.")


def test_what_was_asked_of_a_run_is_seen_by_everybody(home: Path) -> None:
    working = running(home)
    RunStore(runs_dir(home)).get(working.configuration.id).request_cancel()
    assert (RunWatch(home).read().row(working.configuration.id) or {})["note"] == "Cancelling"


def test_progress_leaves_the_listing_as_it_is(home: Path) -> None:
    from data.runs import Progress

    working, watch = running(home), RunWatch(home)
    first = watch.read(now=True)
    working.progress(Progress(9, 12, "Drawing", "months", 1.5, 2.0))
    second = watch.read(now=True)
    assert second.listing is first.listing
    assert json.loads(second.live)["rows"][0]["fraction"] == 0.75
    done(home)
    assert watch.read(now=True).listing != first.listing


def test_visitors_share_a_reading(home: Path) -> None:
    watch = RunWatch(home)
    first = watch.read()
    queued(home)
    assert watch.read() is first
    assert len(watch.read(now=True).rows) == 1


def test_a_damaged_run_does_not_hide_the_others(home: Path) -> None:
    broken, good = done(home), done(home)
    (broken.folder / "run.yaml").write_text("{")
    rows = {row["id"]: row for row in RunWatch(home).read().rows}
    assert rows[broken.id]["state"] == "failed"
    assert "configuration of a run" in rows[broken.id]["error"]
    assert rows[good.id]["state"] == "done"
