"""Two runs side by side: what they were set to, what came out, where they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dashboard.run_detail import setting_words
from dashboard.run_fields import Field
from dashboard.run_words import number_text
from data.runs import Run

ABSENT = "—"


def comparison(
    runs: tuple[Run, Run],
    rows: tuple[dict[str, Any], dict[str, Any]],
    fields: tuple[Sequence[Field], Sequence[Field]],
) -> dict[str, Any]:
    """What the page shows of two runs.

    Parameters
    ----------
    runs : as they are now.
    rows : what `run_watch.row` says of each.
    fields : of the job of each.
    """
    first, second = runs
    kinds = {run.kind for run in runs}
    unfinished = [row["title"] for run, row in zip(runs, rows, strict=True) if run.state != "done"]
    notes = ["These runs are of different kinds; few settings mean the same in both."] if len(kinds) > 1 else []
    if unfinished:
        notes.append(f"Not finished: {' and '.join(unfinished)}; scores may still change.")
    elif first.fingerprint and first.fingerprint == second.fingerprint:
        notes.append("Same settings, inputs and seed.")
    return {
        "mode": "compare",
        "query": f"compare={first.id},{second.id}",
        "runs": [{key: row[key] for key in ("id", "title", "kind_title", "state", "started", "created")} for row in rows],
        "note": " ".join(notes),
        "settings": _settings(runs, fields),
        "scores": _scores(first.scores, second.scores),
        "origin": _origin(first, second),
    }  # fmt: skip


def _settings(runs: tuple[Run, Run], fields: tuple[Sequence[Field], Sequence[Field]]) -> list[dict[str, Any]]:
    known = {each.name: each for each in (*fields[1], *fields[0])}
    order = [each.name for each in fields[0]] + [each.name for each in fields[1]]
    names = dict.fromkeys(
        [name for name in order if any(name in run.settings for run in runs)]
        + [name for run in runs for name in run.settings]
    )
    rows = []
    for name in names:
        each = known.get(name)
        values = [run.settings.get(name, _MISSING) for run in runs]
        unit = f" ({each.unit})" if each and each.unit else ""
        rows.append(
            {
                "title": f"{each.title}{unit}" if each else name,
                "values": [ABSENT if value is _MISSING else setting_words(each, value) for value in values],
                "different": not _same(*values),
                "difference": _change(*values),
            }
        )
    return rows


_MISSING: Any = object()


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, float) and isinstance(second, float) and math.isnan(first) and math.isnan(second):
        return True
    return (type(first) is not bool and type(second) is not bool and first == second) or first is second


def _scores(first: dict[str, float], second: dict[str, float]) -> list[dict[str, Any]]:
    rows = []
    for name in dict.fromkeys([*first, *second]):
        values = [scores.get(name, _MISSING) for scores in (first, second)]
        rows.append(
            {
                "title": name.replace("_", " "),
                "values": [ABSENT if value is _MISSING else number_text(value) for value in values],
                "different": not _same(*values),
                "difference": _change(*values),
            }
        )
    return rows


def _change(first: Any, second: Any) -> str:
    """Second minus first, with the change in percent where that means something; '' where they are no numbers or the same."""
    plain = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (first, second))
    if not plain or not (math.isfinite(first) and math.isfinite(second)) or first == second:
        return ""
    change = second - first
    sign = "+" if change > 0 else "−"
    share = f" ({sign}{abs(change / first) * 100:.3g} %)" if first and abs(change / first) < 1000 else ""
    return f"{sign}{number_text(abs(change))}{share}"


def _origin(first: Run, second: Run) -> list[dict[str, Any]]:
    inputs = [{each.name: each.digest for each in run.inputs} for run in (first, second)]
    names = dict.fromkeys([*inputs[0], *inputs[1]])
    facts = [(f"Input: {name}", inputs[0].get(name, "")[:16], inputs[1].get(name, "")[:16]) for name in names]
    facts += [
        (f"Version of {name}", first.versions.get(name, ""), second.versions.get(name, ""))
        for name in dict.fromkeys([*first.versions, *second.versions])
    ]
    facts.append(("Seed", str(first.seed), str(second.seed)))
    return [
        {"title": title, "values": [one or ABSENT, two or ABSENT], "different": one != two, "difference": ""}
        for title, one, two in facts
    ]
