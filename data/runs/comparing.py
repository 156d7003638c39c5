"""What differs between runs: settings, inputs, versions and scores side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from data.runs.run import Run


@dataclass(frozen=True)
class Row:
    """One thing of several runs.

    Attributes
    ----------
    part : "settings", "scores", "inputs" or "versions".
    name : of the setting (nested ones with a dot), score, input or library.
    values : one a run; None where it has none. Inputs are given by the start of their hash.
    same : all are equal.
    """

    part: Literal["settings", "scores", "inputs", "versions"]
    name: str
    values: tuple[Any, ...]
    same: bool


def compare(runs: Sequence[Run]) -> list[Row]:
    """All settings, scores, inputs and versions of these runs, a row each, in this order; the seed is a setting."""
    parts: tuple[tuple[Literal["settings", "scores", "inputs", "versions"], list[dict[str, Any]]], ...] = (
        ("settings", [{"seed": run.seed} | dict(_flat(run.settings)) for run in runs]),
        ("scores", [dict(run.scores) for run in runs]),
        ("inputs", [{each.name: each.digest[:12] for each in run.inputs} for run in runs]),
        ("versions", [run.versions for run in runs]),
    )
    rows = []
    for part, facts in parts:
        for name in dict.fromkeys(name for each in facts for name in each):
            values = tuple(each.get(name) for each in facts)
            rows.append(Row(part, name, values, all(_equal(value, values[0]) for value in values)))
    return rows


def _flat(settings: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))  # nan is like nan
