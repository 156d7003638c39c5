"""The kinds of run that there are, and the forms of their settings with what this data folder offers to choose from.

Loading a kind imports what computes it; every function here belongs in a thread.
"""

from __future__ import annotations

import logging
import threading
from functools import cache
from typing import TYPE_CHECKING

from dashboard.run_fields import Choice, Field, fields_of

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.jobs import Job
    from dashboard.library import Library

log = logging.getLogger(__name__)

_EARLIER = 50
"""Earlier runs that are offered."""

_LOADING = threading.Lock()
"""Two threads that first import the same libraries can trip over half-made modules."""


def kinds() -> dict[str, Job]:
    """All kinds that can be loaded, by name."""
    with _LOADING:
        return _kinds()


@cache
def _kinds() -> dict[str, Job]:
    from analysis.jobs.registry import job, known

    found = {}
    for name in known():
        try:
            found[name] = job(name)
        except (ImportError, AttributeError):  # a kind of another package, which must not take the page with it
            log.exception("the kind of run '%s' cannot be loaded", name)
    return found


def form_of(kind: str, library: Library) -> tuple[Field, ...]:
    """The fields of a kind; none where this installation does not know it."""
    job = kinds().get(kind)
    return () if job is None else fields_of(job.schema, offered(library))


def offered(library: Library) -> dict[str, tuple[Choice, ...]]:
    """What there is to choose from, by the names that `x-choices-from` uses."""
    from dashboard.regions import region_names

    instruments = library.archive.instruments()
    variables = dict.fromkeys(variable for each in instruments for variable in each.variables)
    units = {variable: unit for each in instruments for variable, unit in each.units.items()}
    return {
        "instruments": tuple(
            Choice(each.name, _said_simulated(each.name) if each.simulated else each.name) for each in instruments
        ),
        "variables": tuple(
            Choice(name, f"{name} ({units[name]})" if units.get(name) not in (None, "", "1") else name)
            for name in variables
        ),
        "weather": weather_packs(library.root),
        "transports": earlier_transports(library.root),
        "cubes": tuple(Choice(name, cube.title or name) for name, cube in library.cubes().items()),
        "regions": tuple(
            Choice(f"{group}/{name}", f"{name} ({group})") for group, names in region_names().items() for name in names
        ),
    }


def _said_simulated(name: str) -> str:
    return name if "simulated" in name.lower() else f"{name} (simulated)"


def weather_packs(root: Path) -> tuple[Choice, ...]:
    """Made-up winds, and the packs of a data folder by their places in it."""
    from data.home import weather_dir

    packs = sorted(path.parent for path in weather_dir(root).glob("[!.]*/zarr.json"))
    found = [Choice(pack.relative_to(root).as_posix(), pack.name) for pack in packs]
    return (Choice("synthetic", "made-up winds"), *found)


def earlier_transports(root: Path) -> tuple[Choice, ...]:
    """Finished transport runs that another may go on from, newest first."""
    from data.home import runs_dir
    from data.runs import RunStore

    runs = [run for run in RunStore(runs_dir(root)).list() if run.kind == "transport" and run.state == "done"]
    return tuple(Choice(run.id, run.title or run.id) for run in runs[:_EARLIER])
