"""A finished run as one file, to hand on: configuration, log, scores and results."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from data.errors import StoreProblem
from data.runs.files import PART, explained
from data.runs.record import RunBusy
from data.runs.run import Run


def export(run: Run, target: Path) -> Path:
    """Write a finished run to the zip file `target`, which appears when it is complete. Cubes that the run put in the
    data folder are named in its `results.json`, not contained.

    Raises
    ------
    RunBusy : the run is not done.
    StoreProblem : `target` exists, or cannot be written.
    """
    if run.state != "done":
        raise RunBusy(
            f"run {run.id}: expected one that is done, found that it is {run.state}; export it when it is done."
        )
    if target.exists():
        raise StoreProblem(f"{target}: expected a new file, found that there is one; choose another name.")
    hidden = target.with_name(f".{target.name}{PART}")
    with explained(target.parent):
        try:
            with zipfile.ZipFile(hidden, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(path for path in run.folder.rglob("*") if path.is_file()):
                    archive.write(path, f"{run.id}/{path.relative_to(run.folder).as_posix()}")
            with open(hidden, "rb+") as stream:
                os.fsync(stream.fileno())
            os.replace(hidden, target)
        finally:
            hidden.unlink(missing_ok=True)
    return target
