"""How `carbonweather runs` shows runs: tables, a bar that follows one, and the same facts as JSON has them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dashboard.run_words import duration_text, number_text, rate_text, setting_text, size_text

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.jobs import Cost, Job
    from data.runs import Row, Run, RunStore

_LOOK_SECONDS = 0.25
_SETTLE_SECONDS = 5.0
"""A run that was asked to stop does so within a second, if the step that it is at is short."""
_PARTS = {"settings": "Setting", "scores": "Score", "inputs": "Input", "versions": "Version"}


def plain(run: Run) -> dict[str, Any]:
    """A run as JSON has it."""
    return {
        "id": run.id,
        "kind": run.kind,
        "title": run.title,
        "state": run.state,
        "error": run.error,
        "interrupted": run.interrupted,
        "settings": run.settings,
        "seed": run.seed,
        "inputs": [asdict(each) for each in run.inputs],
        "versions": run.versions,
        "created": _iso(run.created),
        "started": _iso(run.started),
        "ended": _iso(run.ended),
        "progress": {name: finite(value) for name, value in asdict(run.progress).items()},
        "scores": {name: finite(value) for name, value in run.scores.items()},
        "results": [asdict(each) | {"path": str(each.path)} for each in run.results],
        "folder": str(run.folder),
        "fingerprint": run.fingerprint,
    }


def plain_job(job: Job) -> dict[str, Any]:
    """A kind of run as JSON has it."""
    return {"kind": job.name, "title": job.title, "summary": job.summary, "schema": job.schema}


def plain_cost(cost: Cost) -> dict[str, Any]:
    """A cost as JSON has it."""
    return {name: finite(value) for name, value in asdict(cost).items()}


def finite(value: Any) -> Any:
    """The value, or None for a number that JSON cannot say."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def show_list(runs: Sequence[Run], root: Path) -> None:
    """A table of runs."""
    if not runs:
        click.echo(f"No such run in {root}; `carbonweather runs start` shows what can be started.")
        return
    console, table = _table("Run", "Title", "State", "Done", "Started", "Took")
    for run in runs:
        done = f"{run.progress.fraction:.0%}" if run.progress.total else ""
        _row(table, run.id, run.title, run.state, done, _local(run.started), duration_text(_took(run)))
    console.print(table)
    for run in runs:
        if run.error:
            click.echo(f"{run.id}: {run.error}", err=True)


def show_run(run: Run, lines: int) -> None:
    """All about one run, with the end of its log."""
    progress = run.progress
    speed = rate_text(progress.rate_per_s, progress.unit) if run.state == "running" else ""
    left = duration_text(progress.remaining_s) if run.state == "running" else ""
    facts = {
        "State": run.state,
        "Error": run.error,
        "Progress": f"{progress.label} {progress.fraction:.0%}".strip() if progress.total else "",
        "Speed": speed + (f", {left} left" if left else ""),
        "Created": _local(run.created),
        "Took": duration_text(_took(run)),
        "Folder": str(run.folder),
    }
    click.echo(f"{run.id}  {run.title}".rstrip())
    for heading, fact in facts.items():
        if fact:
            click.echo(f"  {heading + ':':10}{fact}")
    _show_part(
        "Settings", {"seed": str(run.seed)} | {name: setting_text(value) for name, value in run.settings.items()}
    )
    _show_part("Inputs", {each.name: f"sha256 {each.digest[:12]}  {each.path}" for each in run.inputs})
    _show_part("Scores", {name: number_text(value) for name, value in run.scores.items()})
    _show_part("Results", {each.name: f"{each.path}" + (f"  {each.link}" if each.link else "") for each in run.results})
    tail = run.log_tail(lines)
    if tail:
        click.echo("Log")
        click.echo("\n".join(f"  {line}" for line in tail.splitlines()))


def show_jobs(jobs: Sequence[Job]) -> None:
    """The kinds of run."""
    for job in jobs:
        click.echo(f"{job.name}: {job.title}")
        click.echo(f"  {job.summary}")
    click.echo("`carbonweather runs start KIND --preview` shows the settings of one and what it costs.")


def show_settings(job: Job, given: dict[str, Any]) -> None:
    """The settings of a kind: what was given, else the default."""
    click.echo(f"{job.name}: {job.title}")
    console, table = _table("Setting", "Value", "Unit", "Meaning")
    required = job.schema.get("required", [])
    for name, facts in job.schema.get("properties", {}).items():
        missing = name in required and name not in given and "default" not in facts
        value = "(needed)" if missing else setting_text(given.get(name, facts.get("default")))
        choices = ", ".join(setting_text(each) for each in facts.get("enum", []))
        meaning = f"{facts.get('description', '')} One of: {choices}." if choices else facts.get("description", "")
        _row(table, name, value, facts.get("x-unit", ""), meaning)
    console.print(table)


def show_cost(cost: Cost) -> None:
    """What a run would cost."""
    click.echo(cost.sentence)
    parts = [
        duration_text(cost.seconds),
        f"{size_text(cost.memory_bytes)} of memory",
        f"{size_text(cost.disk_bytes)} on disk",
    ]
    click.echo(f"Cost: about {', '.join(part for part in parts if part)}.")


def show_comparison(runs: Sequence[Run], rows: Sequence[Row]) -> None:
    """Runs side by side."""
    if not rows:
        click.echo("These runs do not differ.")
        return
    console, table = _table("", "", *(run.id for run in runs))
    for row in rows:
        values = [
            number_text(value) if row.part == "scores" and value is not None else setting_text(value)
            for value in row.values
        ]
        _row(table, _PARTS[row.part], row.name, *values)
    console.print(table)


def follow(store: RunStore, run: Run, *, quiet: bool) -> Run:
    """Wait for the end of a run, with a bar on the screen unless `quiet`; the run as it is then."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    parts = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[rest]}"),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*parts, console=Console(stderr=True, quiet=quiet), transient=True) as bar:
            task = bar.add_task(run.state, total=None, rest="")
            while run.alive:
                found = run.progress
                said = [f"{found.fraction:.0%}" if found.total else "", rate_text(found.rate_per_s, found.unit)]
                left = duration_text(found.remaining_s)
                rest = ", ".join(filter(None, [*said, f"{left} left" if left else ""]))
                label = found.label if run.state == "running" and found.label else run.state
                bar.update(task, description=label[:40], total=found.total or None, completed=found.done, rest=rest)
                time.sleep(_LOOK_SECONDS)
                run = store.get(run.id)
    except KeyboardInterrupt:
        click.echo(f"{run.id} goes on; `carbonweather runs cancel {run.id}` would end it.", err=True)
        raise
    return run


def show_end(ctx: click.Context, store: RunStore, run: Run, *, detach: bool, as_json: bool) -> None:
    """Follow a run that was started, and say how it ended; exit code 1 if it failed."""
    if not detach:
        run = follow(store, run, quiet=as_json)
    if as_json:
        print_json(plain(run))
    elif detach:
        click.echo(f"{run.id} is {run.state}. `carbonweather runs show {run.id} --watch` follows it.")
    else:
        show_run(run, lines=0)
    if run.state == "failed":
        ctx.exit(1)


def print_json(content: Any) -> None:
    """One JSON value on standard output."""
    click.echo(json.dumps(content, allow_nan=False))


def settled(store: RunStore, run: Run) -> Run:
    """The run once nobody is at it, or after some seconds."""
    until = time.monotonic() + _SETTLE_SECONDS
    run = store.get(run.id)
    while run.alive and time.monotonic() < until:
        time.sleep(0.1)
        run = store.get(run.id)
    return run


def _show_part(heading: str, facts: dict[str, str]) -> None:
    if facts:
        click.echo(heading)
        for name, fact in facts.items():
            click.echo(f"  {name}: {fact}")


def _table(*headings: str) -> tuple[Console, Any]:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == 0)
    return Console(highlight=False), table


def _row(table: Any, *cells: str) -> None:
    from rich.markup import escape

    table.add_row(*(escape(cell) for cell in cells))


def _took(run: Run) -> float | None:
    if run.started is None:
        return None
    end = run.ended or (datetime.now(run.started.tzinfo) if run.alive else None)
    return None if end is None else max(0.0, (end - run.started).total_seconds())


def _local(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
