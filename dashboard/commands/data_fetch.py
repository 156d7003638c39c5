"""`carbonweather data list` and `carbonweather data fetch`: the catalogue on the screen, and its files on the disk."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dashboard.commands.data_options import home_option, print_progress, root_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.catalog import Entry
    from data.fetch import FetchedFile, Plan
    from data.fetching.partial import Progress


@click.command("list")
@click.argument("name", required=False)
@click.option("--search", "words", default="", metavar="TEXT", help="Only entries that hold all these words.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object for one entry, an array otherwise.")
def list_command(name: str | None, words: str, as_json: bool) -> None:
    """Show the data sets that this program knows; all facts of one if NAME is given."""
    from data.catalog import entry, search

    if name:
        found = entry(name)
        click.echo(json.dumps(_plain(found), indent=2)) if as_json else _show_entry(found)
        return
    entries = search(words)
    if as_json:
        click.echo(json.dumps([_plain(each) for each in entries], indent=2))
    elif entries:
        _show_table(entries)
    else:
        click.echo(f"No data set has all of these words: {words}.")


def _plain(found: Entry) -> dict[str, Any]:
    """An entry as JSON can say it; fields that its access method does not use are left out."""
    facts = json.loads(json.dumps(asdict(found), default=str))
    facts["access"] = {key: value for key, value in facts["access"].items() if value not in (None, [], False)}
    return facts


def _show_table(entries: list[Entry]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Name", style="bold", overflow="fold")
    for heading in ("Title", "Coverage", "Access", "Licence"):
        table.add_column(heading, overflow="fold")
    for each in entries:
        table.add_row(each.name, each.title, str(each.coverage), str(each.access), each.licence or "not known")
    console = Console(soft_wrap=False, highlight=False)
    console.print(table)
    count = f"{len(entries)} data set{'s' if len(entries) != 1 else ''}"
    console.print(f"{count}. `carbonweather data list NAME` tells all about one.")


def _show_entry(found: Entry) -> None:
    from data.catalog import cite

    access = found.access
    facts = {
        "Name": found.name,
        "Provider": found.provider,
        "Version": found.version,
        "DOI": f"https://doi.org/{found.doi}" if found.doi else None,
        "Licence": found.licence,
        "Coverage": str(found.coverage),
        "Resolution": found.resolution,
        "Size": found.size,
        "Variables": ", ".join(found.variables),
        "Unit": found.unit,
        "Access": str(access) + (f": {access.instructions}" if access.instructions else ""),
        "Reader": found.reader or "none yet",
        "Homepage": found.homepage,
        "Note": found.note,
    }
    click.echo(found.title)
    for heading, fact in facts.items():
        if heading != "Note" or fact:
            click.echo(f"  {heading + ':':12}{fact or 'not known'}")
    click.echo("Cite as")
    click.echo(f"  {cite([found.name])}")


@click.command("fetch")
@click.argument("name")
@click.option("--start", metavar="DAY", help="First day: 2020-06-15, 2020-06 or 2020.")
@click.option("--end", metavar="DAY", help="Last day, included.")
@click.option("--bbox", metavar="W,S,E,N", help="Box in degrees, for example -82,37,-78,43.")
@click.option("--to", "destination", type=click.Path(path_type=Path), help="Folder; else the data folder's downloads.")
@click.option("--yes", is_flag=True, help="Do not ask before a large download.")
@click.option("--dry-run", is_flag=True, help="Only ask the provider what there is.")
@click.option("--import", "then_import", is_flag=True, help="Import what came, and what had come before.")
@home_option
@click.option("--json", "as_json", is_flag=True, help="JSON lines: the plan, progress, one a file; asks nothing.")
def fetch_command(
    name: str,
    start: str | None,
    end: str | None,
    bbox: str | None,
    destination: Path | None,
    yes: bool,
    dry_run: bool,
    then_import: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Fetch the files of data set NAME, resuming what broke off and checking what came."""
    from data.fetch import carry_out, plan
    from data.home import downloads_dir

    root = root_of(home)
    destination = destination or downloads_dir(root) / name.strip().lower()
    if as_json:
        _fetch_for_machines(name, start, end, bbox, destination, dry_run, root if then_import else None)
        return
    with ExitStack() as stack:
        made = plan(name, start=start, end=end, bbox=bbox, destination=destination, progress=_Screen(stack).report)
        click.echo(_summary(made))
        if dry_run:
            return
        if not yes and _is_large(made):
            click.confirm("Fetch them?", abort=True)
        results = carry_out(made)
    if then_import and any(each.status != "failed" for each in results):
        from dashboard.commands.data import import_and_show

        import_and_show([made.folder], root)
        then_import = made.wanted.entry.reader is not None
    _show_results(made, results, imported=then_import)


def _fetch_for_machines(
    name: str,
    start: str | None,
    end: str | None,
    bbox: str | None,
    destination: Path,
    dry_run: bool,
    home: Path | None,
) -> None:
    """Fetch with JSON lines: {"plan": ...}, {"done", "total", "label"}, {"name", "status", "message"} a file; `home`: import
    there."""
    from data.fetch import carry_out, plan

    lines = _Lines()
    made = plan(name, start=start, end=end, bbox=bbox, destination=destination, progress=lines.report)
    lines.total = made.count
    facts = {"files": made.count, "bytes": made.total, "folder": str(made.folder), "text": _summary(made)}
    click.echo(json.dumps({"plan": facts}))
    if dry_run:
        return
    results = carry_out(made)
    for each in results:
        words = {"fetched": f"fetched, {_size(each.size)}", "present": "was there already"}.get(
            each.status, each.message
        )
        click.echo(json.dumps({"name": each.path.name, "status": each.status, "message": words}))
    good = [each for each in results if each.status != "failed"]
    if home is not None and good:
        from data.importing import import_paths

        for record in import_paths([made.folder], home=home, progress=print_progress):
            facts = {"name": Path(record.path).name, "status": record.status, "message": record.message}
            click.echo(json.dumps({**facts, "kind": record.kind, "count": record.count}))
    if len(good) < len(results):
        raise SystemExit(1)


class _Lines:
    """Progress of a fetch as JSON lines, a few a second: files that are done and the part of the one that comes."""

    _SECONDS = 0.25

    def __init__(self) -> None:
        self.total = 1
        self._names: dict[str, int] = {}
        self._last = 0.0

    def report(self, progress: Progress) -> None:
        """To hand to `data.fetch.plan`."""
        number = self._names.setdefault(progress.name, len(self._names))
        if time.monotonic() - self._last < self._SECONDS and not progress.message:
            return
        self._last = time.monotonic()
        part = min(1.0, progress.received / progress.total) if progress.total else 0.0
        size = _size(progress.received) + (f" of {_size(progress.total)}" if progress.total else "")
        label = f"{progress.name}, {progress.message or size}"
        click.echo(json.dumps({"done": min(number + part, self.total), "total": self.total, "label": label}))


_LARGE_BYTES = 1_000_000_000
_LARGE_COUNT = 100


def _is_large(made: Plan) -> bool:
    return (made.total or 0) > _LARGE_BYTES or made.count > _LARGE_COUNT


def _summary(made: Plan) -> str:
    entry, total = made.wanted.entry, made.total
    size = f", {_size(total)}" if total is not None else f" (all of it: {entry.size})" if entry.size else ""
    files = f"{made.count} file{'s' if made.count != 1 else ''}"
    words = f"{entry.title}: {files}{size}, to {made.folder}."
    if made.wanted.bbox and not made.uses_box:
        words += "\nThis provider serves whole files, so the box is not applied."
    return words


def _size(count: int) -> str:
    from rich.filesize import decimal

    return decimal(count)


class _Screen:
    """Progress bars, one a file, that appear with the first bytes and go with `stack`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

    @property
    def report(self) -> Callable[[Progress], None]:
        """To hand to `data.fetch.plan`."""
        return self._report

    def _report(self, progress: Progress) -> None:
        from rich import progress as rich_progress
        from rich.console import Console

        if self._bars is None:
            columns = (
                rich_progress.TextColumn("{task.description}"),
                rich_progress.BarColumn(),
                rich_progress.DownloadColumn(),
                rich_progress.TransferSpeedColumn(),
                rich_progress.TimeRemainingColumn(),
            )
            bars = rich_progress.Progress(*columns, console=Console(stderr=True), transient=True)
            self._bars = self._stack.enter_context(bars)
        if progress.name not in self._tasks:
            for finished in self._tasks.values():
                self._bars.remove_task(finished)
            self._tasks = {progress.name: self._bars.add_task(progress.name, total=progress.total)}
        total = {} if progress.total is None else {"total": progress.total}
        self._bars.update(self._tasks[progress.name], completed=progress.received, **total)
        if progress.message:
            self._bars.console.print(f"{progress.name}: {progress.message}", markup=False, highlight=False)


def _show_results(made: Plan, results: list[FetchedFile], *, imported: bool) -> None:
    """What came, what was there, what failed; ends with code 1 if any failed."""
    by = {status: [each for each in results if each.status == status] for status in ("fetched", "present", "failed")}
    for each in by["fetched"]:
        checked = f", {each.checksum.partition(':')[0]} sum right" if each.checksum else ""
        click.echo(f"  {each.path} ({_size(each.size)}{checked})")
    if by["present"]:
        click.echo(f"  {len(by['present'])} already there")
    for each in by["failed"]:
        click.echo(f"  failed: {each.message}", err=True)
    if by["fetched"] or by["present"]:
        entry = made.wanted.entry
        if entry.reader and not imported:
            click.echo(f"Import them with `carbonweather data import {made.folder}`.")
        click.echo(f"Cite as: {entry.citation}")
    if by["failed"]:
        raise SystemExit(1)
