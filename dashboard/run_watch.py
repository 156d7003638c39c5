"""Looking at the runs of a data folder for all visitors at once: one reading serves everybody who asks at about the same time.

Only plain facts are kept, no session's objects; every function reads the disk and belongs in a thread.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dashboard.run_words import ACTIVE, STATES, count_text, duration_text, iso_text, rate_text
from data.home import runs_dir
from data.runs import NoSuchRun, Run, RunStore
from data.runs.run import REQUEST, hidden

FRESH_SECONDS = 0.5
"""A reading younger than this is shown as it is."""
REST_FACTOR = 4.0
"""The disk rests this many times as long as the last reading took, so that thousands of runs do not keep a core busy."""
ASKED = {"cancel": "Cancelling", "pause": "Pausing"}
"""What is said of a run between the wish and its fulfilment."""


@dataclass(frozen=True)
class Reading:
    """All runs at one moment, newest first.

    Attributes
    ----------
    rows : what the list shows of each; see `row`.
    listing : JSON of all rows as the browser takes them; changes only when a run comes, goes or changes its state.
    live : JSON of the rows that change by themselves, with the server's clock.
    """

    rows: tuple[dict[str, Any], ...]
    listing: str
    live: str

    def row(self, run_id: str) -> dict[str, Any] | None:
        """The row of one run."""
        return next((row for row in self.rows if row["id"] == run_id), None)


NOTHING = Reading((), json.dumps({"loaded": False, "rows": []}), "{}")
"""Before the first reading."""


class RunWatch:
    """The runs of one data folder.

    Parameters
    ----------
    home : the data folder.
    """

    def __init__(self, home: Path) -> None:
        self.store = RunStore(runs_dir(home))
        self._lock = threading.Lock()
        self._reading = NOTHING
        self._until = 0.0
        self._titles: dict[str, str] = {}

    def learn(self, titles: Mapping[str, str]) -> None:
        """Remember what the kinds of run call themselves; until then, and where a kind is not known here, its name stands for it."""
        self._titles = dict(titles)

    def read(self, *, now: bool = False) -> Reading:
        """The runs as they are, or as they were a moment ago unless asked for `now`."""
        asked = time.monotonic()
        with self._lock:
            if not now and asked < self._until:
                return self._reading
            began = time.monotonic()
            rows = [row(run, self._titles) for run in self.store.list()]
            took = time.monotonic() - began
            self._reading = _reading(rows, self._reading)
            self._until = time.monotonic() + max(FRESH_SECONDS, REST_FACTOR * took)
            return self._reading

    def get(self, run_id: str) -> Run | None:
        """One run as it is now, None if there is none."""
        try:
            return self.store.get(run_id)
        except NoSuchRun:
            return None


def _reading(rows: list[dict[str, Any]], last: Reading) -> Reading:
    steady = [_steady(each) for each in rows]
    listing = json.dumps({"loaded": True, "rows": steady}, ensure_ascii=False)
    clock = datetime.now(UTC).timestamp()
    live = json.dumps({"clock": clock, "rows": [each for each in rows if each["state"] in ACTIVE]}, ensure_ascii=False)
    return Reading(tuple(rows), last.listing if listing == last.listing else listing, live)


def _steady(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what changes while a run is at work; the live rows bring that."""
    if row["state"] not in ACTIVE:
        return row
    return row | {"fraction": None, "progress": "", "left": "", "speed": "", "note": ""}


def row(run: Run, titles: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the list shows of a run.

    Parameters
    ----------
    run : as it is now.
    titles : of the kinds of run.

    Returns
    -------
    id, title, kind, kind_title, state, note ("Pausing"), created, started, ended (ISO, UTC), fraction (0..1 or None), progress ("12 of
    300 tiles"), left ("3 min"), speed ("4 tiles/s"), error, resumable.
    """
    kind_title = (titles or {}).get(run.kind) or run.kind.replace("_", " ").capitalize()
    facts: dict[str, Any] = {
        "id": run.id,
        "title": run.title or f"{kind_title} of {run.created:%d %b %Y %H:%M} UTC",
        "kind": run.kind,
        "kind_title": kind_title,
        "state": run.state if run.state in STATES else "failed",
        "note": "",
        "created": iso_text(run.created),
        "started": iso_text(run.started),
        "ended": iso_text(run.ended),
        "fraction": None,
        "progress": "",
        "left": "",
        "speed": "",
        "error": run.error,
        "resumable": run.resumable,
    }
    if run.state == "done":
        return facts
    progress = run.progress
    if progress.total:
        unit = f" {progress.unit}" if progress.unit else ""
        counted = f"{count_text(progress.done)} of {count_text(progress.total)}{unit}"
        facts["fraction"] = round(progress.fraction, 4)
        facts["progress"] = f"{progress.label}: {counted}" if progress.label else counted
    elif run.state == "running":
        facts["progress"] = progress.label or "Starting"
    if run.state == "queued":
        facts["progress"] = "Waiting for its turn"
    elif run.state == "running":
        facts["left"] = duration_text(progress.remaining_s)
        facts["speed"] = rate_text(progress.rate_per_s, progress.unit)
    if run.state in ACTIVE:
        facts["note"] = ASKED.get(_asked(run), "")
    return facts


def _asked(run: Run) -> str:
    try:
        return (hidden(run.root, run.id) / REQUEST).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
