"""A kind of run for tests of the Runs page: every kind of field, a pace that can be chosen, and results of every kind.

`CARBONWEATHER_JOBS=pages=tests.dashboard.run_kind_for_pages` makes it known; the checkout must be on PYTHONPATH.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import AnalysisError
from analysis.jobs import Cost, Job, JobContext

CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"CARBONWEATHER_JOBS": "pages=tests.dashboard.run_kind_for_pages", "PYTHONPATH": str(CHECKOUT)}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "months": {
            "type": "integer",
            "title": "Months",
            "description": "How many months are drawn, one item each.",
            "minimum": 2,
            "maximum": 600,
            "default": 6,
            "x-unit": "months",
        },
        "pace": {
            "type": "number",
            "title": "Time of each",
            "description": "How long each month takes.",
            "minimum": 0,
            "maximum": 60,
            "default": 0.0,
            "x-unit": "s",
        },
        "busy": {
            "type": "boolean",
            "title": "Keep a core busy",
            "description": "Compute instead of sleeping.",
            "default": False,
        },
        "instruments": {
            "type": "array",
            "title": "Instruments",
            "description": "One line each.",
            "items": {"type": "string", "enum": ["oco2", "oco3", "gosat"]},
            "minItems": 1,
            "uniqueItems": True,
            "default": ["oco2", "oco3"],
        },
        "step": {
            "type": "string",
            "title": "Time step",
            "description": "Of the series.",
            "enum": ["day", "month"],
            "default": "month",
        },
        "start": {
            "type": "string",
            "format": "date",
            "title": "First day",
            "description": "Where the series begins.",
            "default": "2020-01-01",
        },
        "box": {
            "type": ["array", "null"],
            "title": "Box",
            "description": "Part of the globe; empty for all of it.",
            "items": {"type": "number"},
            "minItems": 4,
            "maxItems": 4,
            "default": None,
        },
        "region": {
            "type": ["string", "null"],
            "title": "Region",
            "description": "A country or another named region.",
            "x-choices-from": "regions",
            "default": None,
        },
        "fail": {"type": "boolean", "title": "Fail", "description": "End with an error.", "default": False},
    },
}


def preview(settings: dict[str, Any], home: Path) -> Cost:
    seconds = settings["months"] * settings["pace"]
    return Cost(seconds, 200_000_000, settings["months"] * 1000, f"{settings['months']} months: about {seconds:.0f} s.")


def draw(item: dict[str, Any]) -> list[float]:
    until = time.monotonic() + item["pace"]
    if item["busy"]:
        while time.monotonic() < until:
            np.sort(np.random.default_rng(1).random(20_000))
    else:
        time.sleep(item["pace"])
    draws = np.random.default_rng([item["seed"], item["number"]])
    return [400.0 + 0.2 * item["number"] + float(draws.normal(0.0, 0.3)) for _ in range(item["lines"])]


def run(context: JobContext) -> None:
    settings = context.settings
    names = settings["instruments"]
    items = [
        {"number": n, "seed": context.seed, "pace": settings["pace"], "busy": settings["busy"], "lines": len(names)}
        for n in range(settings["months"])
    ]
    first, rows = np.datetime64(settings["start"], "M"), []
    for item, values in context.map(draw, items, key=lambda item: f"{item['number']}", label="Drawing", unit="months"):
        month = np.datetime_as_string(first + item["number"])
        rows += [
            {"time": f"{month}-15", "instrument": name, "mean": value, "std": 0.3, "count": 1000 + item["number"]}
            for name, value in zip(names, values, strict=True)
        ]
    if settings["fail"]:
        raise AnalysisError("months: expected them to be drawn, found that this run was asked to fail; ask otherwise.")
    frame = pd.DataFrame(rows)
    frame.to_csv(context.folder / "series.csv", index=False)
    means = frame.groupby("instrument", as_index=False)["mean"].mean()
    means.to_csv(context.folder / "means.csv", index=False)
    (context.folder / "notes.txt").write_text("Simulated by a test.\n", encoding="utf-8")
    context.scores["mean_xco2"] = float(frame["mean"].mean())
    context.scores["months"] = float(settings["months"])
    context.add_result("Monthly mean XCO2", "series.csv", "series", "./?cube=known")
    context.add_result("Mean by instrument", "means.csv", "table")
    context.add_result("Notes", "notes.txt", "text")


JOB = Job(
    name="pages",
    title="Test series",
    summary="Draws a series of simulated monthly means; for trying the Runs page.",
    schema=SCHEMA,
    run=run,
    preview=preview,
)
