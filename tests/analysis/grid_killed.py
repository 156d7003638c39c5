"""Computes a gridding run in a process of its own and kills itself at a chosen moment; for tests of resuming.

python -m tests.analysis.grid_killed HOME RUN SCHEDULER MOMENT
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from analysis.gridding import publishing, selection
from analysis.jobs import JobContext, execute, maps
from analysis.jobs.checkpoint import Checkpoint

PIECE_ROWS = 700
MOMENTS = {
    "summing": (Checkpoint, "note", 3),
    "between sums and maps": (maps.CubeOfRun, "__init__", 1),
    "writing a step": (publishing.HiddenCube, "write", 2),
    "putting series together": (maps.CubeOfRun, "_spread", 1),
    "after the cube appeared": (JobContext, "add_result", 1),
}
"""What kills it: the call of this number."""


def main(home: str, run: str, scheduler: str, moment: str) -> None:
    selection.PIECE_ROWS = selection.TOGETHER_ROWS = PIECE_ROWS
    where, name, number = MOMENTS[moment]
    before: Callable[..., Any] = getattr(where, name)
    calls = 0

    def deadly(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return before(*args, **options)

    setattr(where, name, deadly)
    execute(home, run, scheduler=scheduler)


if __name__ == "__main__":
    main(*sys.argv[1:])
