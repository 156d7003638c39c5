"""Finished and unfinished runs made in milliseconds: the folders that a job would leave, without computing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data.home import runs_dir
from data.runs import Progress, Result, Run, RunInput, RunStore, WorkingRun

SERIES = """# title: simulated by a test
time,instrument,mean,std,count
2020-01-15,oco2,400.0,0.5,10
2020-02-15,oco2,401.0,0.5,11
2020-01-15,oco3,400.5,0.4,20
2020-02-15,oco3,,,0
"""


def queued(home: Path, kind: str = "pages", *, title: str = "", settings: dict[str, Any] | None = None) -> Run:
    """A run that waits for somebody to compute it."""
    return RunStore(runs_dir(home)).create(
        kind, settings or {}, title=title, inputs=[RunInput("archive", "/somewhere", "ab" * 32)], reuse=False
    )


def done(
    home: Path,
    kind: str = "pages",
    *,
    title: str = "",
    settings: dict[str, Any] | None = None,
    scores: dict[str, float] | None = None,
    files: dict[str, str] | None = None,
) -> Run:
    """A finished run with a series, a text and a link."""
    working = WorkingRun.take(runs_dir(home), queued(home, kind, title=title, settings=settings).id)
    working.start()
    working.log("Drawing.")
    for name, text in (files or {"series.csv": SERIES, "notes.txt": "Simulated.\n"}).items():
        (working.results / name).write_text(text, encoding="utf-8")
    working.scores(scores or {"mean_xco2": 400.5})
    results = [
        Result(name, working.results / name, "series" if name.endswith(".csv") else "text", "./?cube=known")
        for name in (files or {"series.csv": "", "notes.txt": ""})
    ]
    return working.finish(results)


def running(home: Path, *, title: str = "", done: float = 3, total: float = 12) -> WorkingRun:
    """A run in the hands of this process."""
    working = WorkingRun.take(runs_dir(home), queued(home, title=title).id)
    working.start()
    working.progress(Progress(done, total, "Drawing", "months", 1.5, (total - done) / 1.5))
    return working
