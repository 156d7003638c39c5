"""One run as the page shows it: settings, scores, results with links and downloads, where everything came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dashboard.run_fields import Field, plain_text
from dashboard.run_words import iso_text, number_text, setting_text, size_text
from data.runs import Result, Run

OTHERS = 40
"""Runs offered for a comparison."""
LOG_LINES = 200
KINDS_OF_RESULT = {
    "cube": "maps",
    "map": "map",
    "series": "series",
    "table": "table",
    "figure": "figure",
    "text": "text",
}


def settings_rows(run: Run, fields: Sequence[Field]) -> list[dict[str, Any]]:
    """Title, value, explanation of each setting; `changed` where it is not the default. Settings without a field come last."""
    known = {each.name: each for each in fields}
    rows = []
    for name in [
        *[name for name in known if name in run.settings],
        *[name for name in run.settings if name not in known],
    ]:
        each, value = known.get(name), run.settings[name]
        rows.append(
            {
                "title": _titled(each) if each else name,
                "value": setting_words(each, value),
                "description": each.description if each else "",
                "changed": each is not None and "default" in each.schema and value != each.default,
            }
        )
    return rows


def _titled(each: Field) -> str:
    return f"{each.title} ({each.unit})" if each.unit else each.title


def setting_words(each: Field | None, value: Any) -> str:
    """A value with the names that the form gives its choices."""
    labels = {choice.value: choice.label for choice in each.choices} if each else {}
    if isinstance(value, list) and labels:
        return ", ".join(labels.get(plain_text(part), plain_text(part)) for part in value) or "—"
    return labels.get(plain_text(value), "") or setting_text(value)


def score_rows(run: Run) -> list[tuple[str, str]]:
    """Name and value of each score."""
    return [(name.replace("_", " "), number_text(value)) for name, value in run.scores.items()]


def result_rows(run: Run, results: Sequence[Result]) -> list[dict[str, Any]]:
    """Name, kind, size, link that opens it and address of the file, of each result."""
    return [
        {
            "name": result.name,
            "kind": KINDS_OF_RESULT.get(result.kind, result.kind),
            "size": size_text(_size(result.path)),
            "link": link(result.link),
            "file": file_address(run, result),
            "picture": result.kind == "figure" and result.path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"),
        }
        for result in results
    ]


def link(address: str) -> str:
    """A result's dashboard address; '' for anything that leads elsewhere (a run folder may come from another machine)."""
    return address if address.startswith(("./", "?")) and "\\" not in address and "//" not in address else ""


def file_address(run: Run, result: Result) -> str:
    """Where the result's file is downloaded; '' for folders and for what lies outside the run."""
    try:
        inside = result.path.relative_to(run.folder)
    except ValueError:
        return ""
    return f"./data/runs/{quote(run.id)}/file/{quote(inside.as_posix())}" if result.path.is_file() else ""


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def origin_rows(run: Run) -> list[tuple[str, str]]:
    """Inputs with their hashes, versions, seed, fingerprint."""
    rows = [(f"Input: {each.name}", f"{each.path}\nSHA-256 {each.digest}") for each in run.inputs]
    rows += [(f"Version of {name}", version) for name, version in run.versions.items()]
    rows += [("Seed", str(run.seed)), ("Fingerprint of settings and inputs", run.fingerprint)]
    return [(name, text) for name, text in rows if text]


def detail(
    run: Run, row: dict[str, Any], fields: Sequence[Field], others: Sequence[dict[str, Any]], results: Sequence[Result]
) -> dict[str, Any]:
    """All that the page shows of a run beside its live state, which the list's row brings.

    Parameters
    ----------
    run : as it is now.
    row : what `run_watch.row` says of it.
    fields : of its job; empty where this installation does not know the job.
    others : rows of runs that it may be compared with.
    results : of the run.
    """
    return {
        "mode": "run",
        "query": f"run={run.id}",
        **{key: row[key] for key in ("id", "title", "kind", "kind_title", "state", "note", "error", "created", "started", "ended")},
        **{key: row[key] for key in ("fraction", "progress", "left", "speed", "resumable")},
        "settings": settings_rows(run, fields),
        "scores": score_rows(run),
        "results": result_rows(run, results),
        "origin": origin_rows(run),
        "others": [
            [other["id"], f"{other['title']} ({iso_text(other['created'])[:10]})"] for other in others if other["id"] != run.id
        ][:OTHERS],
        "log_file": f"./data/runs/{quote(run.id)}/log.txt",
        "tables": [],
        "plot": None,
    }  # fmt: skip
