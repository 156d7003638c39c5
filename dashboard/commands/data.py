"""`carbonweather data`: what there is to fetch, fetching it, and importing, indexing and verifying what lies on
disk.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from data.importing import ImportRecord

_FETCHING = {"list": "list_command", "fetch": "fetch_command"}
"""Verbs of `dashboard.commands.data_fetch`, loaded when they are used."""

_SHOWN_FILES = 40
"""More files than this are shown as one line for each reader and outcome."""


class DataGroup(click.Group):
    """Adds the verbs that deal with the catalogue, without loading them for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_FETCHING, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _FETCHING:
            found: click.Command = getattr(import_module("dashboard.commands.data_fetch"), _FETCHING[cmd_name])
            return found
        return super().get_command(ctx, cmd_name)


@click.group("data", cls=DataGroup)
def command() -> None:
    """List, fetch, import, index and verify data sets."""


_home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder; default CARBONWEATHER_HOME or the user's.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line and nothing else.")


def _root(home: Path | None) -> Path:
    from data.home import home as default_home

    return (home or default_home()).expanduser().resolve()


@command.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_home_option
@_json_option
@click.option("--progress", is_flag=True, help="With --json: also a line with done, total and label before each file.")
@click.pass_context
def import_command(
    ctx: click.Context, paths: tuple[Path, ...], home: Path | None, as_json: bool, progress: bool
) -> None:
    """Import files, zarr stores and folders of them; the format of each is recognised.

    What had been imported before stays as it is. The exit code is 1 if any file could not be imported.
    """
    from data.importing import import_paths

    root = _root(home)
    if as_json:
        records = import_paths(paths, home=root, progress=_print_progress if progress else None)
        for record in records:
            click.echo(json.dumps(_plain(record)))
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        parts = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
        with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)
            records = import_paths(
                paths,
                home=root,
                progress=lambda done, total, label: bar.update(
                    task, completed=done, total=total, description=label[:60]
                ),
            )
        _show(records, root)
    if any(record.status == "failed" for record in records):
        ctx.exit(1)


def _print_progress(done: int, total: int, label: str) -> None:
    click.echo(json.dumps({"done": done, "total": total, "label": label}))


def _plain(record: ImportRecord) -> dict[str, Any]:
    facts = dict(vars(record))
    return facts | {moment: None if facts[moment] is None else str(facts[moment])[:19] for moment in ("start", "end")}


def _show(records: list[ImportRecord], root: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD)
    for heading, align in (
        ("File", "left"),
        ("Read as", "left"),
        ("Count", "right"),
        ("From", "left"),
        ("To", "left"),
        ("Outcome", "left"),
    ):
        table.add_column(heading, justify=align, overflow="fold")  # type: ignore[arg-type]
    for cells in _rows(records):
        table.add_row(*map(escape, cells))
    if table.row_count:
        console.print(table)
    for record in records:
        if record.status == "failed":
            console.print(escape(record.message), soft_wrap=True)
    counts = {
        status: sum(record.status == status for record in records) for status in ("imported", "unchanged", "failed")
    }
    console.print(
        (
            f"{counts['imported']} imported, {counts['unchanged']} unchanged, {counts['failed']} failed; kept "
            f"in {escape(str(root))}."
        ),
        soft_wrap=True,
    )


def _rows(records: list[ImportRecord]) -> Sequence[tuple[str, ...]]:
    """One row a file; for many files one for each reader and outcome. Failures are listed by `_show` beside the
    table.
    """
    good = [record for record in records if record.status != "failed"]
    if len(good) <= _SHOWN_FILES:
        return [
            (
                Path(record.path).name,
                record.reader or "",
                f"{record.count:,}",
                _day(record.start),
                _day(record.end),
                record.status,
            )
            for record in good
        ]
    groups: dict[tuple[str, str], list[ImportRecord]] = {}
    for record in good:
        groups.setdefault((record.reader or "", record.status), []).append(record)
    rows = []
    for (reader, status), members in sorted(groups.items()):
        starts = [record.start for record in members if record.start is not None]
        ends = [record.end for record in members if record.end is not None]
        first, last = (min(starts) if starts else None), (max(ends) if ends else None)
        total = f"{sum(record.count for record in members):,}"
        rows.append((f"{len(members)} files", reader, total, _day(first), _day(last), status))
    return rows


def _day(moment: object) -> str:
    return "" if moment is None else str(moment)[:10]


@command.command("index")
@_home_option
def index_command(home: Path | None) -> None:
    """Make the indices of soundings, sites and tables again from the files on disk."""
    from data.verifying import rebuild_indices

    counts = rebuild_indices(_root(home))
    click.echo(
        "Indexed "
        + (", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing: the data folder is empty")
        + "."
    )


@command.command("verify")
@_home_option
@_json_option
@click.pass_context
def verify_command(ctx: click.Context, home: Path | None, as_json: bool) -> None:
    """Read everything in the data folder and say what is missing, damaged, foreign or twice; gaps in time are notes.

    The exit code is 1 if there are problems.
    """
    from data.verifying import verify

    found = notes = 0
    for finding in verify(_root(home)):
        found, notes = found + finding.problem, notes + (not finding.problem)
        if as_json:
            click.echo(json.dumps(vars(finding)))
        else:
            click.echo(f"{'problem' if finding.problem else 'note'}: {finding.text}")
    if not as_json:
        click.echo(
            f"{found or 'No'} problem{'' if found == 1 else 's'}, {notes or 'no'} note{'' if notes == 1 else 's'}."
        )
    if found:
        ctx.exit(1)
