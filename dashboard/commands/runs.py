"""`carbonweather runs`: start, watch, stop, compare and hand on long computations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from data.runs import Run, RunStore


@click.group("runs")
def command() -> None:
    """Start, watch, stop, compare and export long computations.

    A RUN is named by its id, or by any part of it that no other run has.
    """


_home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder; default CARBONWEATHER_HOME or the user's.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
_scheduler_option = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Dask scheduler (tcp://host:8786); default CARBONWEATHER_SCHEDULER, else processes on this machine.",
)
_workers_option = click.option(
    "--workers", type=click.IntRange(1, 1024), help="Processes on this machine; default as many as fit."
)
_detach_option = click.option("--detach", is_flag=True, help="Do not wait for the end.")


def _root(home: Path | None) -> Path:
    from data.home import home as default_home

    return (home or default_home()).expanduser().resolve()


def _store(home: Path | None) -> RunStore:
    from data.home import runs_dir
    from data.runs import RunStore

    return RunStore(runs_dir(_root(home)))


def _find(store: RunStore, name: str) -> Run:
    """The run with this id or part of an id."""
    from data.runs import NoSuchRun

    if not name.strip():
        raise NoSuchRun("run: expected a name, found an empty one; see `carbonweather runs list`.")
    found = [run for run in store.list() if name in run.id]
    exact = [run for run in found if run.id == name]
    if len(found) > 1 and not exact:
        raise NoSuchRun(
            f"run {name[:80]}: expected a part of one id, found {len(found)} runs that have it; give more of it."
        )
    return (exact or found)[0] if found else store.get(name)


@command.command("list")
@click.option(
    "--state",
    type=click.Choice(["queued", "running", "paused", "done", "failed", "cancelled"]),
    help="Only those in this state.",
)
@click.option("--kind", help="Only those of this kind.")
@_home_option
@_json_option
def list_command(state: str | None, kind: str | None, home: Path | None, as_json: bool) -> None:
    """Show all runs, newest first."""
    from dashboard.commands.runs_shown import plain, print_json, show_list

    store = _store(home)
    runs = [run for run in store.list() if (state is None or run.state == state) and (kind is None or run.kind == kind)]
    if as_json:
        print_json([plain(run) for run in runs])
    else:
        show_list(runs, store.root)


@command.command("show")
@click.argument("run")
@click.option(
    "--log", "lines", type=click.IntRange(0), default=10, show_default=True, help="How many lines of the log's end."
)
@click.option("--watch", is_flag=True, help="Follow it until it ends.")
@_home_option
@_json_option
@click.pass_context
def show_command(ctx: click.Context, run: str, lines: int, watch: bool, home: Path | None, as_json: bool) -> None:
    """Show all about one run."""
    from dashboard.commands.runs_shown import follow, plain, print_json, show_run

    store = _store(home)
    found = _find(store, run)
    if watch:
        found = follow(store, found, quiet=as_json)
    if as_json:
        print_json(plain(found) | {"log": found.log_tail(lines)})
    else:
        show_run(found, lines)
    if watch and found.state == "failed":
        ctx.exit(1)


@command.command("start")
@click.argument("kind", required=False)
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A setting; the value is read as YAML.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="YAML file with kind, title, seed and settings, or the run.yaml of another run; --set wins over it.",
)
@click.option("--title", default="", help="For people.")
@click.option("--seed", type=click.IntRange(0), help="For random numbers; default 0.")
@click.option("--again", is_flag=True, help="Compute it even if there is an identical run.")
@click.option("--preview", is_flag=True, help="Say what it would cost, and start nothing.")
@_scheduler_option
@_workers_option
@_detach_option
@_home_option
@_json_option
@click.pass_context
def start_command(
    ctx: click.Context,
    kind: str | None,
    given: tuple[str, ...],
    config: Path | None,
    title: str,
    seed: int | None,
    again: bool,
    preview: bool,
    scheduler: str | None,
    workers: int | None,
    detach: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Start a run of KIND and follow it; Ctrl-C ends the following, not the run.

    Without KIND: show the kinds. `--preview` also shows the settings of a kind.
    """
    from analysis.jobs import job, jobs, start
    from dashboard.commands.runs_shown import (
        plain_cost,
        plain_job,
        print_json,
        show_cost,
        show_end,
        show_jobs,
        show_settings,
    )

    settings: dict[str, Any] = {}
    if config is not None:
        configuration = _read_configuration(config)
        if kind not in (None, configuration.kind):
            raise click.UsageError(f"{config} is the configuration of a {configuration.kind} run, not of {kind}.")
        kind, settings = configuration.kind, dict(configuration.settings)
        title, seed = title or configuration.title, configuration.seed if seed is None else seed
    if kind is None:
        print_json([plain_job(each) for each in jobs()]) if as_json else show_jobs(jobs())
        return
    settings |= _given(given)
    root = _root(home)
    if preview:
        from analysis.jobs import validate

        made = job(kind)
        if not as_json:
            show_settings(made, settings)
        filled = validate(made, settings)
        cost = made.preview(filled, root)
        print_json({"kind": kind, "settings": filled, "cost": plain_cost(cost)}) if as_json else show_cost(cost)
        return
    run = start(
        root, kind, settings, title=title, scheduler=scheduler, workers=workers, seed=seed or 0, reuse=not again
    )
    if run.state == "done" and not as_json:
        click.echo(f"An identical run is done: {run.id}. `--again` computes it once more.")
    show_end(ctx, _store(home), run, detach=detach, as_json=as_json)


@command.command("resume")
@click.argument("run")
@_scheduler_option
@_workers_option
@_detach_option
@_home_option
@_json_option
@click.pass_context
def resume_command(
    ctx: click.Context,
    run: str,
    scheduler: str | None,
    workers: int | None,
    detach: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Take a run up from its last checkpoint: one that was paused or cancelled, that failed, or that was killed."""
    from analysis.jobs import resume
    from dashboard.commands.runs_shown import show_end

    store = _store(home)
    found = resume(_root(home), _find(store, run).id, scheduler=scheduler, workers=workers)
    show_end(ctx, store, found, detach=detach, as_json=as_json)


@command.command("pause")
@click.argument("run")
@_home_option
@_json_option
def pause_command(run: str, home: Path | None, as_json: bool) -> None:
    """Stop a run so that it can go on later; what it has computed is kept."""
    _ask(run, home, as_json, "pause")


@command.command("cancel")
@click.argument("run")
@_home_option
@_json_option
def cancel_command(run: str, home: Path | None, as_json: bool) -> None:
    """Stop a run that is not wanted any more."""
    _ask(run, home, as_json, "cancel")


def _ask(name: str, home: Path | None, as_json: bool, what: str) -> None:
    from dashboard.commands.runs_shown import plain, print_json, settled

    store = _store(home)
    run = _find(store, name)
    run.request_cancel() if what == "cancel" else run.request_pause()
    run = settled(store, run)
    if as_json:
        print_json(plain(run))
    elif run.alive:
        click.echo(f"{run.id} was asked to {what}; it does so after the step that it is at.")
    else:
        click.echo(f"{run.id} is {run.state}.")


@command.command("delete")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--with-results", is_flag=True, help="Also remove the maps and fields that they put into the data folder."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_home_option
@_json_option
def delete_command(runs: tuple[str, ...], with_results: bool, yes: bool, home: Path | None, as_json: bool) -> None:
    """Remove runs with the results in their folders, logs and checkpoints; what they put into the data folder stays, unless
    `--with-results`.
    """
    from dashboard.commands.runs_shown import print_json
    from data.removing import made_by, remove_run

    store, root = _store(home), _root(home)
    doomed = [_find(store, name) for name in runs]
    if not yes and not as_json:
        for run in doomed:
            click.echo(f"  {run.id}  {run.state}  {run.title}".rstrip())
            for item in made_by(root, run.id):
                fate = "removed, too" if with_results else "stays; --with-results removes it, too"
                click.echo(f"    {item.key}  {item.title}, {item.amount} ({fate})")
        click.confirm(f"Delete {'these runs' if len(doomed) > 1 else 'this run'} with all results?", abort=True)
    removed = [item.key for run in doomed for item in remove_run(root, run.id, with_results=with_results)]
    if as_json:
        print_json({"deleted": [run.id for run in doomed], "removed": removed})
    else:
        also = f" and {', '.join(removed)}" if removed else ""
        click.echo(f"Deleted {len(doomed)} run{'s' if len(doomed) > 1 else ''}{also}.")


@command.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@click.option("--all", "everything", is_flag=True, help="Also what is the same.")
@_home_option
@_json_option
def compare_command(runs: tuple[str, ...], everything: bool, home: Path | None, as_json: bool) -> None:
    """Show settings, scores, inputs and versions of runs side by side."""
    from dashboard.commands.runs_shown import finite, print_json, show_comparison
    from data.runs import compare

    if len(runs) < 2:
        raise click.UsageError("compare needs two runs or more.")
    store = _store(home)
    found = [_find(store, name) for name in runs]
    rows = compare(found)
    if as_json:
        facts = [
            {"part": row.part, "name": row.name, "values": [finite(value) for value in row.values], "same": row.same}
            for row in rows
        ]
        print_json({"runs": [run.id for run in found], "rows": facts})
    else:
        show_comparison(found, rows if everything else [row for row in rows if row.part == "scores" or not row.same])


@command.command("export")
@click.argument("run")
@click.argument("target", required=False, type=click.Path(path_type=Path))
@_home_option
@_json_option
def export_command(run: str, target: Path | None, home: Path | None, as_json: bool) -> None:
    """Write a finished run to one zip file: configuration, log, scores and results. TARGET is a file or folder."""
    from dashboard.commands.runs_shown import print_json
    from data.runs import export

    found = _find(_store(home), run)
    place = target or Path.cwd()
    written = export(found, place / f"{found.id}.zip" if place.is_dir() else place)
    size = written.stat().st_size
    if as_json:
        print_json({"run": found.id, "path": str(written), "bytes": size})
    else:
        from rich.filesize import decimal

        click.echo(f"{written} ({decimal(size)})")


def _read_configuration(path: Path) -> Any:
    from dashboard.run_configuration import read_configuration
    from data.errors import FileProblem

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(
            path,
            expected="the configuration of a run (YAML)",
            found=(error.strerror or "an error").lower() if isinstance(error, OSError) else "bytes that are no text",
            remedy="choose another file",
        ) from None
    return read_configuration(text, path.name)


def _given(given: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    settings = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"--set needs NAME=VALUE, found {each!r}.")
        try:
            settings[name.strip()] = yaml.load(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError:
            raise click.UsageError(f"--set {name}: the value is not YAML: {text!r}.") from None
    return settings
