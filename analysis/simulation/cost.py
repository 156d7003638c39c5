"""What a run costs, from its size: time, memory and room, compared with what this machine has."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from analysis.simulation import settings as choices
from analysis.simulation.fields import periods
from analysis.simulation.layout import BACKGROUND
from analysis.simulation.plan import Plan
from analysis.simulation.weather import MadeUpWeather
from analysis.transport.fluxes import air_mass
from analysis.transport.step import steps_needed
from analysis.transport.team import available_cores

SECONDS_A_CELL = 1.6e-7
SECONDS_A_TRACER = 3.0e-8
"""Of one core, for a cell in a step: what does not depend on the number of tracers (air, mixing), and each tracer."""
SECONDS_OF_WIND_A_CELL = 6.0e-7
"""To work out made-up winds for a cell and interval; they are worked out while the model goes on."""
SECONDS_A_VALUE = {"netcdf": 6e-8, "zarr": 3e-8}
"""To average, compress and write a number."""
SECONDS_A_MEAN = 8e-9
"""To add a number on levels to its mean."""
BYTES_A_VALUE = 1.3
"""On disk, compressed."""
PERIODS_A_FILE = {"3-hourly": 8, "daily": 31, "monthly": 1}
STARTING_SECONDS = 8.0
BASE_BYTES = 450_000_000
"""The program with its libraries."""

_SPARE_DISK = 500_000_000


class TooLarge(AnalysisError):
    """The run needs more than the machine has."""


@dataclass(frozen=True)
class RunCost:
    """Seconds of the clock, bytes of memory and disk, and the steps and intervals that they come from."""

    seconds: float
    memory_bytes: int
    disk_bytes: int
    steps: int


def cost_of(plan: Plan) -> RunCost:
    """What a run takes on this machine, from stated rates and the first interval's number of steps."""
    cells = plan.levels.count * math.prod(plan.grid.shape)
    tracers = len(plan.tracers)
    size = 4 if plan.settings["precision"] == "float32" else 8
    first = plan.weather.interval(plan.numbers[0])
    mass = air_mass(plan.grid, plan.levels, first.surface_pressure)
    wind = steps_needed(first.fluxes, mass, first.seconds)
    an_interval = max(wind, math.ceil(first.seconds / float(plan.settings["longest_step"]) - 1e-9))
    steps = an_interval * len(plan.numbers)
    stepping = steps * cells * (SECONDS_A_CELL + SECONDS_A_TRACER * tracers * size / 4) / min(available_cores(), 8)
    winds = len(plan.numbers) * cells * SECONDS_OF_WIND_A_CELL if isinstance(plan.weather, MadeUpWeather) else 0.0
    values, waiting = values_written(plan)
    writing = values * SECONDS_A_VALUE[plan.settings["output_format"]]
    averaged = steps * cells * tracers * SECONDS_A_MEAN if plan.settings["output_levels"] != choices.NONE else 0.0
    seconds = STARTING_SECONDS + stepping + winds / 2 + writing + averaged
    means = cells * tracers * 28 if plan.settings["output_levels"] != choices.NONE else 0
    largest = max(plan.levels.count * math.prod(target.grid.shape) for target in plan.targets)
    records = largest * (tracers * 3 + 6) * 8 if means else 0
    memory = BASE_BYTES + cells * (tracers * size * 2.2 + 8 * 30) + means + records
    shown = 2.0 if plan.settings["show"] else 1.0
    disk = values * BYTES_A_VALUE * shown + 4 * waiting + 3 * cells * (tracers * size + 8) + 2 * means
    return RunCost(seconds, int(memory), int(disk), steps)


def values_written(plan: Plan) -> tuple[float, float]:
    """How many numbers go into files, and how many of them may wait for the file that they complete."""
    tracers = len(plan.tracers)
    total = 1 if BACKGROUND in plan.tracers else 0
    planes = sum(math.prod(target.grid.shape) for target in plan.targets)
    values = waiting = 0.0
    for what in ("levels", "columns"):
        every = plan.settings[f"output_{what}"]
        if every == choices.NONE:
            continue
        count = len(periods(plan.start, plan.end, every)) - 1
        layers = plan.levels.count * (tracers + total + 2) if what == "levels" else tracers + 2 * total
        values += count * layers * planes
        if plan.settings["output_format"] == "netcdf":
            waiting += 2 * min(count, PERIODS_A_FILE[every]) * layers * planes
    return values, waiting


def check_room(plan: Plan, home: Path) -> None:
    """Make sure that there is memory and disk for a run.

    Raises
    ------
    TooLarge : too little.
    """
    import psutil

    cost = cost_of(plan)
    memory = psutil.virtual_memory().available
    if cost.memory_bytes > memory:
        raise TooLarge(
            f"memory: expected {_gb(cost.memory_bytes)} for this run, found {_gb(memory)} free; choose a coarser grid, fewer "
            "components or float32, or end other programs."
        )
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    disk = shutil.disk_usage(place).free
    if cost.disk_bytes + _SPARE_DISK > disk:
        raise TooLarge(
            f"{place}: expected room for {_gb(cost.disk_bytes)} of results, found {_gb(disk)} free; write less often (daily, "
            "monthly), leave levels out, or free some space."
        )


def _gb(size: float) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{np.ceil(size / 1e6):.0f} MB"
