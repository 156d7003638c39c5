"""`carbonweather demo`: build the simulated demo in the data folder, with its size said before anything is written; or make
the nature run of its world again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from analysis.demo import DemoStatus
    from analysis.world.nature import Progress as NatureProgress


@click.command()
@click.option("--small", is_flag=True, help="24 months instead of 84.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder; default CARBONWEATHER_HOME or the user's.",
)
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line: done, total, label; at the end the whole status."
)
@click.option(
    "--rebuild-nature",
    "nature",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Instead, carry the fluxes of the simulated world through 22 years of made-up weather again, in this folder.",
)
@click.option("--months", type=click.IntRange(min=1), help="With --rebuild-nature: stop after so many more months.")
def command(small: bool, home: Path | None, yes: bool, as_json: bool, nature: Path | None, months: int | None) -> None:
    """Build the simulated demo: monthly XCO2 at 0.05°, soundings and ground sites. Interrupted, it goes on where it
    was.
    """
    if nature is not None:
        if small or home is not None:
            raise click.UsageError("--rebuild-nature makes no demo; leave --small and --home out.")
        _rebuild_nature(nature.expanduser().resolve(), months, yes, as_json)
        return
    if months is not None:
        raise click.UsageError("--months belongs to --rebuild-nature.")
    from analysis.demo import build_demo, demo_size, demo_status
    from data.home import home as default_home

    root = (home or default_home()).expanduser().resolve()
    before = demo_status(root, small=small)
    if before.done and (small or before.months_total >= 84):
        _end(before, root, as_json)
        return
    size = demo_size(small)
    if not as_json:
        click.echo(
            f"The demo takes at most {size / 1e9:.1f} GB in {root} ({before.months_ready} of {before.months_total} months are there)."
        )
    if not yes and not as_json:
        click.confirm("Build it?", default=True, abort=True)
    if as_json:
        status = build_demo(root, small=small, progress=_print_line)
    else:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        parts = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*parts) as bar:
            task = bar.add_task("maps", total=None)

            def show(status: DemoStatus) -> None:
                bar.update(task, description=status.label, completed=status.steps_done, total=status.steps_total)

            status = build_demo(root, small=small, progress=show)
    _end(status, root, as_json)


def _rebuild_nature(folder: Path, months: int | None, yes: bool, as_json: bool) -> None:
    from analysis.world.nature import MINUTES, NatureRun, rebuild, size_bytes

    run = NatureRun()
    ready = sum((folder / f"{month}.npz").exists() for month in run.months())
    total = len(run.months())
    if not as_json:
        click.echo(
            f"The nature run takes {size_bytes(run) / 1e9:.1f} GB in {folder} and, all of it, about {MINUTES} minutes on two "
            f"cores ({ready} of {total} months are there)."
        )
        if not yes and ready < total:
            click.confirm("Run it?", default=True, abort=True)
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()) as bar:
            task = bar.add_task("nature run", total=total, completed=ready)

            def show(now: NatureProgress) -> None:
                left = "" if now.seconds_left != now.seconds_left else f", {now.seconds_left / 60:.0f} minutes left"
                bar.update(task, description=f"{now.month}{left}", completed=now.done)

            product = rebuild(folder, run, months=months, progress=show)
    else:
        product = rebuild(folder, run, months=months, progress=_print_month)
    if as_json:
        click.echo(json.dumps({"status": "done" if product else "stopped", "product": str(product or "")}))
    elif product:
        click.echo(
            f"{product} is done ({product.stat().st_size / 1e6:.1f} MB). The world uses it from analysis/world/."
        )
    else:
        click.echo("Some months are still to be run: the same command goes on with them.")


def _print_month(now: NatureProgress) -> None:
    click.echo(json.dumps({"done": now.done, "total": now.total, "label": now.month}))


def _print_line(status: DemoStatus) -> None:
    click.echo(
        json.dumps(
            {
                "done": status.steps_done,
                "total": status.steps_total,
                "label": status.label,
                "months_ready": status.months_ready,
            }
        )
    )


def _end(status: DemoStatus, root: Path, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps(
                {
                    "status": "done" if status.done else "stopped",
                    "done": status.steps_done,
                    "total": status.steps_total,
                    "label": status.label,
                    "months_ready": status.months_ready,
                    "home": str(root),
                }
            )
        )
    else:
        click.echo(f"The demo is in {root}: {status.months_ready} months. See it with: carbonweather serve")
