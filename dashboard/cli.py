"""The command line `carbonweather`: one group whose verbs live in `dashboard/commands/`, each loaded when it is used.

So `--help` and `--version` answer at once, and a verb pays only for the libraries that it needs itself.
"""

from __future__ import annotations

from importlib import import_module

import click

VERBS = {
    "serve": "Open the dashboard in the browser (builds the demo on the first start).",
    "demo": "Build the simulated demo in the data folder.",
    "data": "List, fetch, import, verify, cite and remove data sets.",
    "transport": "Carry CO2 from surface fluxes through weather (a run).",
    "weather": "Make the weather packs that transport runs use, and show what one holds.",
    "runs": "Start, watch, stop, compare and export long computations.",
    "bench": "Measure the speed figures of this program on this machine.",
}
"""Verb -> one line for `--help`; the verb NAME is the click command `command` of `dashboard.commands.NAME`."""


class LazyGroup(click.Group):
    """Imports a verb's module when the verb is called; shows an error raised on purpose as its one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = import_module(f"dashboard.commands.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"dashboard.commands.{cmd_name}.command is {type(command).__name__}, not a click command.")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> object:
        from analysis.errors import AnalysisError
        from data.errors import DataError

        try:
            return super().invoke(ctx)
        except (DataError, AnalysisError) as error:
            if ctx.params["debug"]:
                raise
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            ctx.exit(130)  # what a shell reports for a program ended by Ctrl-C


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="carbonweather", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def main(debug: bool) -> None:
    """Global CO2 from satellites in one fast, linked dashboard.

    Data is kept in the user's data folder; CARBONWEATHER_HOME names another one.
    """
