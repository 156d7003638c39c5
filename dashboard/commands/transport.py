"""`carbonweather transport`: carry CO2 through weather as a configuration file says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

_EXPECTED = "the settings of a transport run (YAML, one a line)"
_WORDS = ("synthetic", "simulated", "none")
_TOP = ("title", "seed")


@click.command("transport")
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--preview", is_flag=True, help="Check everything, say what it would cost, and start nothing.")
@click.option("--again", is_flag=True, help="Compute it even if there is an identical run.")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder; default CARBONWEATHER_HOME or the user's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.pass_context
def command(
    ctx: click.Context, config: Path, preview: bool, again: bool, detach: bool, home: Path | None, as_json: bool
) -> None:
    """Carry CO2 from surface fluxes through weather: mole fractions, columns and samples.

    CONFIG is a YAML file, see docs/running-transport.md; paths in it begin at its folder. Everything in it is checked before
    anything is written. Ctrl-C ends the following, not the run: `carbonweather runs` shows, pauses and resumes it.
    """
    from analysis.jobs import start, validate
    from analysis.jobs.transport import JOB
    from analysis.simulation.cost import check_room
    from analysis.simulation.plan import plan_of
    from dashboard.commands.runs_shown import plain_cost, print_json, show_cost, show_end
    from data.home import home as default_home
    from data.home import runs_dir
    from data.runs import RunStore

    root = (home or default_home()).expanduser().resolve()
    title, seed, given = read_transport(config)
    settings = validate(JOB, given)
    if preview:
        cost = JOB.preview(settings, root)
        print_json({"kind": JOB.name, "settings": settings, "cost": plain_cost(cost)}) if as_json else show_cost(cost)
        check_room(plan_of(settings, root), root)
        return
    run = start(root, JOB.name, settings, title=title, seed=seed, reuse=not again)
    if run.state == "done" and not as_json:
        click.echo(f"An identical run is done: {run.id}. `--again` computes it once more.")
    show_end(ctx, RunStore(runs_dir(root)), run, detach=detach, as_json=as_json)


def read_transport(path: Path) -> tuple[str, int, dict[str, Any]]:
    """Title, seed and settings of a configuration, paths made whole.

    Raises
    ------
    FileProblem, ConfigurationProblem : not readable, not YAML, the configuration of another kind of run.
    """
    import yaml

    from dashboard.run_configuration import LARGEST_BYTES, plain_yaml, read_configuration
    from data.errors import FileProblem

    def problem(found: str, remedy: str) -> FileProblem:
        return FileProblem(path, expected=_EXPECTED, found=found, remedy=remedy)

    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise problem(f"more than {LARGEST_BYTES // 1000} kB", "name another file")
        text = path.read_text(encoding="utf-8")
        facts = plain_yaml(text)
    except UnicodeDecodeError:
        raise problem("bytes that are no text", "name another file") from None
    except OSError as error:
        raise problem((error.strerror or "an error").lower(), "correct its name") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise problem(f"text that is not YAML{where}", "correct it") from None
    if not isinstance(facts, Mapping) or not all(isinstance(name, str) for name in facts):
        raise problem("nothing" if facts is None else "no names with values", "see docs/running-transport.md")
    if "kind" in facts:
        whole = read_configuration(text, path.name)
        if whole.kind != "transport":
            raise problem(f"the configuration of a {whole.kind[:40]} run", "start that with `carbonweather runs start`")
        return whole.title, whole.seed, _whole(whole.settings, path.parent)
    settings = {name: value for name, value in facts.items() if name not in _TOP}
    output = settings.pop("output", None)
    if output is not None:
        if not isinstance(output, Mapping) or not all(isinstance(name, str) for name in output):
            raise problem("an output that is no names with values", "write `levels: daily` and the like below it")
        settings |= {f"output_{name}": value for name, value in output.items()}
    seed = facts.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise problem(f"the seed {str(seed)[:40]!r}", "give a whole number of 0 or more")
    title = facts.get("title")
    return "" if title is None else str(title)[:200], seed, _whole(settings, path.parent)


def _whole(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Paths that exist beside the configuration become whole ones; others are left for the data folder."""

    def place(value: Any) -> Any:
        if isinstance(value, str) and value not in _WORDS and "://" not in value and value.strip():
            beside = (folder / Path(value).expanduser()).resolve()
            if beside.exists() or any(sign in value for sign in "*?["):
                return str(beside)
        if isinstance(value, Mapping) and isinstance(value.get("path"), str):
            return {**value, "path": place(value["path"])}
        return value

    found = dict(settings)
    for name in ("weather", "continue_from"):
        if name in found:
            found[name] = place(found[name])
    for name in ("fluxes", "samples"):
        if isinstance(found.get(name), str):
            found[name] = [found[name]]
        if isinstance(found.get(name), list):
            found[name] = [place(value) for value in found[name]]
    return found
