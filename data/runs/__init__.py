"""Runs: folders in which long computations keep their configuration, log, progress, checkpoints, scores and results.

A run is one execution with its inputs, settings and results. While it is unfinished its folder is hidden
(`.ID.work`); when everything is written and synced the folder gets its name `ID` in one step. So a folder that can be
seen is complete, whatever was killed and when.
"""

from __future__ import annotations

from data.runs.comparing import Row, compare
from data.runs.exporting import export
from data.runs.record import NoSuchRun, Progress, Result, RunBusy, RunInput, State
from data.runs.run import Run
from data.runs.store import RunStore
from data.runs.working import WorkingRun

__all__ = [
    "NoSuchRun",
    "Progress",
    "Result",
    "Row",
    "Run",
    "RunBusy",
    "RunInput",
    "RunStore",
    "State",
    "WorkingRun",
    "compare",
    "export",
]
