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

from dashboard.commands.data_options import home_option, json_option, print_progress, progress_option, root_of

if TYPE_CHECKING:
    from data.importing import ImportRecord

_ELSEWHERE = {
    "list": ("data_fetch", "list_command"),
    "fetch": ("data_fetch", "fetch_command"),
    "holdings": ("data_holdings", "holdings_command"),
    "remove": ("data_holdings", "remove_command"),
    "cite": ("data_holdings", "cite_command"),
    "receive": ("data_holdings", "receive_command"),
}
"""Verb -> module of `dashboard.commands` and its command there, loaded when they are used."""

_SHOWN_FILES = 40
"""More files than this are shown as one line for each reader and outcome."""


class DataGroup(click.Group):
    """Adds the verbs of other modules, without loading them for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_ELSEWHERE, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _ELSEWHERE:
            module, name = _ELSEWHERE[cmd_name]
            found: click.Command = getattr(import_module(f"dashboard.commands.{module}"), name)
            return found
        return super().get_command(ctx, cmd_name)


@click.group("data", cls=DataGroup)
def command() -> None:
    """List, fetch, import, verify, cite and remove data sets."""


@command.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@home_option
@json_option
@progress_option
@click.pass_context
def import_command(
    ctx: click.Context, paths: tuple[Path, ...], home: Path | None, as_json: bool, progress: bool
) -> None:
    """Import files, zarr stores and folders of them; the format of each is recognised.

    What had been imported before stays as it is. The exit code is 1 if any file could not be imported.
    """
    from data.importing import import_paths

    root = root_of(home)
    if as_json:
        records = import_paths(paths, home=root, progress=print_progress if progress else None)
        for record in records:
            click.echo(json.dumps(_plain(record)))
    else:
        records = import_and_show(paths, root)
    if any(record.status == "failed" for record in records):
        ctx.exit(1)


def import_and_show(paths: Sequence[Path], root: Path) -> list[ImportRecord]:
    """Import with a progress bar, then a table of what became of each file."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from data.importing import import_paths

    parts = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        records = import_paths(
            paths,
            home=root,
            progress=lambda done, total, label: bar.update(task, completed=done, total=total, description=label[:60]),
        )
    _show(records, root)
    return records


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
@home_option
def index_command(home: Path | None) -> None:
    """Make the indices of soundings, sites and tables again from the files on disk."""
    from data.verifying import rebuild_indices

    counts = rebuild_indices(root_of(home))
    click.echo(
        "Indexed "
        + (", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing: the data folder is empty")
        + "."
    )


@command.command("verify")
@click.argument("name", required=False)
@home_option
@json_option
@progress_option
@click.pass_context
def verify_command(ctx: click.Context, name: str | None, home: Path | None, as_json: bool, progress: bool) -> None:
    """Read everything in the data folder (or what is kept like NAME) and say what is missing, damaged, foreign or twice;
    gaps in time and outliers are notes.

    The exit code is 1 if there are problems.
    """
    from data.verifying import verify

    found = notes = 0
    for finding in verify(root_of(home), name, print_progress if as_json and progress else None):
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
