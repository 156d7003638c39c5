"""Options and lines that the verbs of `carbonweather data` share."""

from __future__ import annotations

import json
from pathlib import Path

import click

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder; default CARBONWEATHER_HOME or the user's.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line and nothing else.")
progress_option = click.option(
    "--progress", is_flag=True, help="With --json: also a line with done, total and label before each file."
)


def root_of(home: Path | None) -> Path:
    """The data folder that an option names, else the user's."""
    from data.home import home as default_home

    return (home or default_home()).expanduser().resolve()


def print_progress(done: int, total: int, label: str) -> None:
    """One JSON line that says how far a command is."""
    click.echo(json.dumps({"done": done, "total": total, "label": label}))
