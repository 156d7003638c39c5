"""`carbonweather data holdings|remove|cite`: what is in the data folder, taking one thing out of it, how to cite it.

`receive` is what the Data page runs for a file that was dropped on it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dashboard.commands.data_options import home_option, json_option, print_progress, root_of

if TYPE_CHECKING:
    from data.catalog import Entry
    from data.holdings import Holding, Listing


@click.command("holdings")
@click.argument("name", required=False)
@home_option
@json_option
def holdings_command(name: str | None, home: Path | None, as_json: bool) -> None:
    """Show what is in the data folder with size, count and period; all facts of one thing if NAME is given."""
    from data.holdings import holdings, to_json

    listing = holdings(root_of(home))
    items = [listing.find(name)] if name else list(listing)
    for problem in listing.problems:
        click.echo(f"problem: {problem}", err=True)
    if as_json:
        for item in items:
            click.echo(json.dumps(to_json(item)))
    elif name:
        _show_one(items[0])
    elif items:
        _show_all(listing)
    else:
        click.echo("The data folder is empty; `carbonweather data fetch` and `carbonweather data import` fill it.")


def _show_all(listing: Listing) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from data.holdings import size_words

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Name", style="bold", overflow="fold")
    for heading, justify in (("Holds", "right"), ("Size", "right"), ("Period", "left")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for item in listing:
        table.add_row(*map(escape, (item.key, item.amount, size_words(item.size), _period(item))))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{len(listing)} in all, {size_words(listing.size)}.")


def _period(item: Holding) -> str:
    days = [str(moment)[:10] for moment in (item.start, item.end) if moment is not None]
    return " to ".join(dict.fromkeys(days))


def _show_one(item: Holding) -> None:
    from data.citing import citation
    from data.holdings import KIND_WORDS, size_words

    west, south, east, north = item.box or (None,) * 4
    facts = {
        "Kind": KIND_WORDS[item.kind],
        "Holds": item.amount,
        "Size": size_words(item.size),
        "Period": _period(item),
        "Place": "" if item.box is None else f"{west:.4g}..{east:.4g} E, {south:.4g}..{north:.4g} N",
        "Variables": ", ".join(item.variables),
        "Version": item.version,
        "Simulated": "yes: not a measurement" if item.simulated else "",
        "Catalogue": item.catalog,
        "Made from": ", ".join(item.sources[:8])
        + (f" and {len(item.sources) - 8} more" if len(item.sources) > 8 else ""),
    }
    click.echo(f"{item.title}\n  {'Name:':12}{item.key}")
    for heading, fact in facts.items():
        if fact:
            click.echo(f"  {heading + ':':12}{fact}")
    click.echo(f"Cite as\n  {citation(item)}")


@click.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@home_option
@json_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_command(names: tuple[str, ...], home: Path | None, as_json: bool, yes: bool) -> None:
    """Remove soundings, maps, sites, tables or downloaded files from the data folder; `holdings` names them.

    Each is removed whole or, where that fails, not at all. Files that it was imported from are not touched.
    """
    from data.holdings import holdings, size_words, to_json
    from data.removing import consequence, remove

    root = root_of(home)
    listing = holdings(root)
    for item in [listing.find(name) for name in names]:
        if not yes:
            click.confirm(f"{consequence(item)} Remove it?", abort=True, err=True)
        gone = remove(root, item.key)
        if as_json:
            click.echo(json.dumps({"removed": to_json(gone)}))
        else:
            click.echo(f"Removed {gone.key}: {gone.amount}, {size_words(gone.size)}.")


@click.command("cite")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@home_option
@click.option("--bibtex", "as_bibtex", is_flag=True, help="BibTeX instead of paragraphs.")
def cite_command(names: tuple[str, ...], home: Path | None, as_bibtex: bool) -> None:
    """How to cite data sets of the catalogue or things in the data folder; everything in the folder without a NAME."""
    from data.catalog import load
    from data.citing import bibtex, how_to_cite
    from data.errors import StoreProblem
    from data.holdings import holdings

    listing = holdings(root_of(home))
    chosen: list[Holding | Entry] = []
    for name in names:
        known: Any = load().entries.get(name.strip().lower())
        try:
            chosen.append(known or listing.find(name))
        except StoreProblem:
            chosen.append(load().entry(name))  # its error names the nearest data sets
    if not names:
        chosen += list(listing)
    text = bibtex(chosen) if as_bibtex else how_to_cite(chosen)
    click.echo(text or "The data folder is empty: there is nothing to cite.")


@click.command("receive", hidden=True)
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@click.pass_context
def receive_command(ctx: click.Context, path: Path, home: Path | None) -> None:
    """Import one file that was handed over through the browser, with bounded memory, and delete it; JSON lines."""
    from data.errors import DataError
    from data.importing import import_paths
    from data.uploads import Staged, bound_memory, limit_bytes, prepared

    staged = Staged(path.parent, path)
    bound_memory()
    failed = False
    try:
        records = import_paths(prepared(staged, limit_bytes()), home=root_of(home), progress=print_progress)
        for record in records:
            message = record.message.replace(f"{staged.folder / 'unpacked'}/", "").replace(f"{staged.folder}/", "")
            name = record.path.replace(f"{staged.folder / 'unpacked'}/", "").replace(f"{staged.folder}/", "")
            failed |= record.status == "failed"
            facts = {"name": name, "status": record.status, "message": message}
            click.echo(json.dumps({**facts, "kind": record.kind, "count": record.count}))
    except DataError as problem:
        failed = True
        message = str(problem).replace(f"{staged.folder}/", "")
        click.echo(json.dumps({"name": path.name, "status": "failed", "message": message}))
    except MemoryError:
        failed = True
        words = (
            f"{path.name}: expected a file that fits into memory, found one that does not; import it in smaller parts."
        )
        click.echo(json.dumps({"name": path.name, "status": "failed", "message": words}))
    finally:
        staged.discard()
    if failed:
        ctx.exit(1)
