"""`carbonweather demo`: build the simulated demo in the data folder, with its size said before anything is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from analysis.demo import DemoStatus


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
def command(small: bool, home: Path | None, yes: bool, as_json: bool) -> None:
    """Build the simulated demo: monthly XCO2 at 0.05°, soundings and ground sites. Interrupted, it goes on where it
    was.
    """
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
