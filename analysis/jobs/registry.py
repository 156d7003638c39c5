"""The kinds of run that there are. Their modules are imported when they are needed."""

from __future__ import annotations

import os
from importlib import import_module

from analysis.jobs.errors import NoSuchJob
from analysis.jobs.job import Job

JOBS = {
    "grid": "analysis.jobs.grid",
    "aggregate": "analysis.jobs.aggregate",
    "transport": "analysis.jobs.transport",
}
"""Name -> module, which has a `Job` called JOB."""

WORKERS_NEED = {
    "grid": ("analysis.gridding.ready",),
    "aggregate": ("analysis.gridding.ready", "analysis.jobs.aggregate"),
}
"""Name -> what workers import before their first task, of kinds that always compute on workers."""

MORE = "CARBONWEATHER_JOBS"
"""Environment variable that adds kinds of other packages: "name=module", several separated by commas."""


def known() -> dict[str, str]:
    """Name -> module of all kinds."""
    more = os.environ.get(MORE, "").split(",")
    return JOBS | {name.strip(): module.strip() for name, _, module in (each.partition("=") for each in more) if module}


def job(name: str) -> Job:
    """The kind of run of that name.

    Raises
    ------
    NoSuchJob : there is none.
    """
    modules = known()
    if name not in modules:
        raise NoSuchJob(
            f"kind of run: expected one of {', '.join(sorted(modules))}, found {name!r}; choose one of them."
        )
    found: Job = import_module(modules[name]).JOB
    return found


def jobs() -> list[Job]:
    """All kinds, in the order in which they are registered."""
    return [job(name) for name in known()]
