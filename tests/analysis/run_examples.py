"""A small kind of run for tests, with ways to go wrong, and what its processes need to find it.

`CARBONWEATHER_JOBS=example=tests.analysis.run_examples` makes it known; the checkout must be on PYTHONPATH.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.jobs import Cost, Job, JobContext
from data.runs import Run, RunInput, RunStore
from data.runs import owner as ownership

CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"CARBONWEATHER_JOBS": "example=tests.analysis.run_examples", "PYTHONPATH": str(CHECKOUT)}

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {"title": "Items", "description": "How many.", "type": "integer", "minimum": 1, "maximum": 10_000},
        "seconds": {
            "title": "Time of each",
            "description": "Sleep.",
            "type": "number",
            "minimum": 0,
            "default": 0,
            "x-unit": "s",
        },
        "mode": {
            "title": "Mode",
            "description": "How one item goes wrong, and which folder it uses for it.",
            "enum": ["well", "raise", "explain", "kill", "kill once", "full", "memory"],
            "default": "well",
        },
        "width": {"title": "Width", "description": "Numbers of each.", "type": "integer", "default": 1000},
        "reads": {"title": "Input", "description": "A file.", "type": ["string", "null"], "default": None},
    },
}


def run(context: JobContext) -> None:
    settings = context.settings
    items = [
        {"number": number, "seed": context.seed, "folder": str(context.checkpoint_folder), **settings}
        for number in range(settings["items"])
    ]
    total, lines = np.zeros(settings["width"]), []
    for item, values in context.map(
        compute, items, key=lambda item: f"item {item['number']}", label="Drawing", unit="items"
    ):
        total += values
        lines.append(f"{item['number']},{values.sum()!r}\n")
    np.save(context.folder / "total.npy", total)
    (context.folder / "table.csv").write_text("".join(lines))
    context.scores["mean"] = float(total.mean())
    context.add_result("Total", "total.npy", "map")
    context.add_result("Table", "table.csv", "table", "./?cube=none")


def compute(item: dict[str, Any]) -> np.ndarray:
    time.sleep(item["seconds"])
    if item["number"] == item["items"] // 2 and item["mode"] != "well":
        _go_wrong(item["mode"], Path(item["folder"]))
    return np.random.default_rng([item["seed"], item["number"]]).normal(size=item["width"])


def _go_wrong(mode: str, folder: Path) -> None:
    if mode == "raise":
        raise ZeroDivisionError("a mistake in the job")
    if mode == "explain":
        raise AnalysisError("item: expected one thing, found another; change it.")
    if mode == "full":
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))
    if mode == "memory":
        np.ones(10**13)
    mark = folder / "killed"
    if mode == "kill" or not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def inputs(settings: dict[str, Any], home: Path) -> list[RunInput]:
    return [RunInput.of(Path(settings["reads"]))] if settings["reads"] else []


JOB = Job(
    name="example",
    title="Example",
    summary="Draws numbers.",
    schema=SCHEMA,
    run=run,
    preview=lambda settings, home: Cost(1, 1_000_000, 1000, "A second."),
    inputs=inputs,
)


def expected(folder: Path, items: int, *, seed: int = 0, width: int = 1000) -> dict[str, bytes]:
    """The result files of such a run, computed here without Dask, checkpoints or processes: name -> content."""
    draws = [np.random.default_rng([seed, number]).normal(size=width) for number in range(items)]
    total = np.zeros(width)
    for values in draws:
        total += values
    np.save(folder / "expected.npy", total)
    table = "".join(f"{number},{values.sum()!r}\n" for number, values in enumerate(draws))
    return {"total.npy": (folder / "expected.npy").read_bytes(), "table.csv": table.encode()}


def made(run: Run) -> dict[str, bytes]:
    """The result files of a run: name -> content."""
    return {path.name: path.read_bytes() for path in run.results_folder.iterdir()}


def followed(store: RunStore, run: Run, until: Callable[[Run], bool] = lambda run: False, seconds: float = 120) -> Run:
    """The run when it has ended, or when `until` holds."""
    last = time.monotonic() + seconds
    run = store.get(run.id)
    while run.alive and not until(run):
        assert time.monotonic() < last, f"{run} did not end: {run.log_tail()}"
        time.sleep(0.01)
        run = store.get(run.id)
    return run


def process_of(run: Run) -> int:
    """The number of the process that computes a run."""
    owner = ownership.read(run.folder)
    assert owner is not None
    return owner.pid
