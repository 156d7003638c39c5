"""A small kind of run for tests, with ways to go wrong, and what its processes need to find it.

`CARBONWEATHER_JOBS=example=tests.analysis.run_examples` makes it known; the checkout must be on PYTHONPATH.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.jobs import Cost, Job, JobContext
from data.runs import RunInput

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
        "reads": {"title": "Input", "description": "A file.", "type": ["string", "null"], "default": None},
    },
}


def run(context: JobContext) -> None:
    settings = context.settings
    items = [
        {"number": number, "seed": context.seed, "folder": str(context.checkpoint_folder), **settings}
        for number in range(settings["items"])
    ]
    total, lines = np.zeros(1000), []
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
    return np.random.default_rng([item["seed"], item["number"]]).normal(size=1000)


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
