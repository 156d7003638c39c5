"""A run thought through before it starts: weather opened and checked, fluxes read, grids made. Nothing is written.

Whatever can be known to be wrong is said here, in one sentence that names the setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.grids import Box, Grid, GridError, Levels, ecmwf_levels, refined, uniform
from analysis.simulation import settings as choices
from analysis.simulation.layout import BACKGROUND, SHORT, Target
from analysis.simulation.sources import Emissions, read_emissions, simulated_emissions
from analysis.simulation.start import Start, earlier_state, uniform_start
from analysis.simulation.weather import MadeUpWeather, WeatherSource
from analysis.transport.fluxes import air_mass
from analysis.transport.step import steps_needed
from analysis.weather import Weather, WeatherProblem
from analysis.weather.pack import to_second
from data.home import cubes_dir, weather_dir

CHECKED_INTERVALS = 24
"""Intervals of weather, evenly spread, that are replayed before a run; each is looked at again when its turn comes."""

LARGEST_REGION_DEGREES = 180.0


class PlanProblem(AnalysisError):
    """A transport run that cannot be: which setting, what was expected, what was found."""


def wrong(setting: str, expected: str, found: object, remedy: str = "change it") -> PlanProblem:
    """The sentence for a setting."""
    return PlanProblem(f"settings of transport: {setting}: expected {expected}, found {found}; {remedy}.")


@dataclass(frozen=True, eq=False)
class Plan:
    """What a run will do.

    Attributes
    ----------
    settings : complete.
    weather, numbers : and which of its intervals.
    start, end : UTC.
    tracers : names in order.
    emissions : None for none.
    initial : state at the start.
    targets : grids of the results.
    samples : entries for `analysis.sampling.samplers_from`, with whole paths.
    """

    settings: Mapping[str, Any]
    weather: WeatherSource
    numbers: range
    start: np.datetime64
    end: np.datetime64
    tracers: tuple[str, ...]
    emissions: Emissions | None
    initial: Start
    targets: tuple[Target, ...]
    samples: tuple[dict[str, Any], ...]

    @property
    def grid(self) -> Grid:
        """Of the weather."""
        return self.weather.grid

    @property
    def levels(self) -> Levels:
        """Of the weather."""
        return self.weather.levels

    @property
    def days(self) -> float:
        """Length of the run."""
        return float((self.end - self.start) / np.timedelta64(86_400, "s"))

    @property
    def simulated(self) -> bool:
        """True if the weather or the fluxes are invented."""
        return self.weather.simulated or self.initial.simulated or bool(self.emissions and self.emissions.simulated)


def plan_of(settings: Mapping[str, Any], home: Path) -> Plan:
    """Think a run through.

    Parameters
    ----------
    settings : complete and valid (`analysis.jobs.validate`).
    home : the data folder, where paths that are not absolute begin.

    Raises
    ------
    AnalysisError, DataError : what is wrong, in one sentence.
    """
    tracers = tuple(name for name in SHORT if name in settings["components"])
    weather = _weather(settings, home)
    start, end = _span(settings, weather)
    numbers = weather.covering(start, end)
    _check_weather(weather, numbers)
    emissions = _emissions(settings, home, weather, tracers, start, end)
    return Plan(
        settings=settings,
        weather=weather,
        numbers=numbers,
        start=start,
        end=end,
        tracers=tracers,
        emissions=emissions,
        initial=_initial(settings, home, weather, numbers, tracers),
        targets=_targets(settings, weather.grid),
        samples=sample_entries(settings, home),
    )


def grid_of(settings: Mapping[str, Any]) -> Grid:
    """The grid of made-up weather.

    Raises
    ------
    PlanProblem : a region that cannot be refined.
    """
    if settings["grid"] != choices.REFINED:
        return uniform(settings["grid"])
    west, south, east, north = settings["region"]
    try:
        box = Box(west, east, south, north)
        if box.width > LARGEST_REGION_DEGREES:
            across = " (west is greater than east, so it runs across the date line)" if west > east else ""
            raise wrong(
                "region",
                f"west, south, east, north of at most {LARGEST_REGION_DEGREES:g} degrees of longitude",
                f"{west:g}, {south:g}, {east:g}, {north:g}: {box.width:g} degrees wide{across}",
                "exchange west and east, or take the 1x1 grid for so large a region",
            )
        return refined(box, settings["cell"], name=choices.REFINED)
    except GridError as error:
        raise wrong("region", "a box that can be refined", f"that it cannot be ({str(error).rstrip('.')})") from None


def placed(home: Path, path: str, setting: str) -> Path:
    """A file or folder named in the settings.

    Raises
    ------
    PlanProblem : nothing is there.
    """
    place = Path(path).expanduser()
    place = place if place.is_absolute() else home / place
    if not place.exists():
        raise wrong(setting, "a file or folder that is there", f"none at {place}", "correct the path")
    return place


def pack_place(home: Path, named: str) -> str:
    """Where a pack lies: an address, a path, or the name of one in the data folder.

    Raises
    ------
    PlanProblem : nothing is there.
    """
    if "://" in named:
        return named
    own = weather_dir(home) / named
    return str(own if (own / "zarr.json").is_file() else placed(home, named, "weather"))


def flux_file(home: Path, named: str) -> Path:
    """A file or folder of fluxes, or a gridded product of the data folder by its name.

    Raises
    ------
    PlanProblem : nothing is there.
    """
    product = cubes_dir(home) / named
    return product if (product / "manifest.json").is_file() else placed(home, named, "fluxes")


def sample_entries(settings: Mapping[str, Any], home: Path) -> tuple[dict[str, Any], ...]:
    """Files of places and times with their options; paths and patterns that are not absolute begin in the data folder.

    Raises
    ------
    PlanProblem : an entry without a path.
    """
    found = []
    for entry in settings["samples"]:
        options = {"path": entry} if isinstance(entry, str) else dict(entry)
        path = options.get("path")
        if not isinstance(path, str) or not path.strip():
            raise wrong("samples", "files, or mappings with a path", str(entry)[:100], "give each a path")
        found.append(options | {"path": str(home / Path(path).expanduser())})
    return tuple(found)


def _weather(settings: Mapping[str, Any], home: Path) -> WeatherSource:
    named = settings["weather"]
    if named != choices.SYNTHETIC:
        return Weather(pack_place(home, named))
    for name in ("start", "end"):
        if settings[name] is None:
            raise wrong(name, "a day, since made-up weather has no beginning and end", "none", "give one")
    start, end = _days(settings)
    if not start < end:
        raise wrong("end", f"a day not before the first ({settings['start']})", settings["end"])
    return MadeUpWeather(grid_of(settings), ecmwf_levels(settings["levels"]), start, end)


def _days(settings: Mapping[str, Any]) -> tuple[np.datetime64, np.datetime64]:
    """Beginning of the first day, end of the last."""
    return to_second(settings["start"]), to_second(settings["end"]) + np.timedelta64(86_400, "s")


def _span(settings: Mapping[str, Any], weather: WeatherSource) -> tuple[np.datetime64, np.datetime64]:
    edges = weather.time_edges
    start = edges[0] if settings["start"] is None else to_second(settings["start"])
    end = edges[-1] if settings["end"] is None else to_second(settings["end"]) + np.timedelta64(86_400, "s")
    if not start < end:
        raise wrong("end", f"a day not before the first ({str(start)[:10]})", settings["end"])
    steps = np.diff(edges)
    if not (steps > np.timedelta64(0, "s")).all():
        raise WeatherProblem(f"The weather's times do not rise ({edges[0]} to {edges[-1]}); make the pack again.")
    return start, end


def _check_weather(weather: WeatherSource, numbers: range) -> None:
    """Replay some of the intervals, and make sure that the winds can be taken in steps."""
    some = sorted({numbers[int(place)] for place in np.linspace(0, len(numbers) - 1, CHECKED_INTERVALS)})
    if isinstance(weather, MadeUpWeather):
        some = some[:1]
    for number in some:
        weather.check(number)
    first = weather.interval(numbers[0])
    steps_needed(first.fluxes, air_mass(weather.grid, weather.levels, first.surface_pressure), first.seconds)


def _emissions(
    settings: Mapping[str, Any],
    home: Path,
    weather: WeatherSource,
    tracers: Sequence[str],
    start: np.datetime64,
    end: np.datetime64,
) -> Emissions | None:
    wanted = [name for name in tracers if name != BACKGROUND]
    named = list(dict.fromkeys(settings["fluxes"]))
    words = {choices.SIMULATED, choices.NONE} & set(named)
    if words and len(named) > 1:
        raise wrong("fluxes", f"files, or '{sorted(words)[0]}' alone", ", ".join(named)[:100])
    if not named or choices.NONE in words or not wanted:
        return None
    options = {
        "smooth": settings["smooth"],
        "diurnal": settings["diurnal_cycle"] and "biosphere" in wanted,
        "repeat_year": settings["repeat_year"],
    }
    if choices.SIMULATED in words:
        return simulated_emissions(weather.grid, wanted, start, end, **options)
    paths = [flux_file(home, path) for path in named]
    return read_emissions(paths, weather.grid, wanted, start, end, variables=settings["flux_variables"], **options)


def _initial(
    settings: Mapping[str, Any], home: Path, weather: WeatherSource, numbers: range, tracers: Sequence[str]
) -> Start:
    dtype = np.float32 if settings["precision"] == "float32" else np.float64
    mass = air_mass(weather.grid, weather.levels, weather.interval(numbers[0]).surface_pressure)
    named = settings["continue_from"].strip()
    if named:
        return earlier_state(named, home, weather, tracers, mass, dtype)
    unknown = [name for name in settings["initial"] if name not in tracers]
    given = {name: settings["initial"][name] for name in settings["initial"] if name in tracers}
    if unknown and settings["initial"] != {BACKGROUND: 400}:
        raise wrong("initial", f"ppm of {', '.join(tracers)}", ", ".join(unknown), "leave it out or add the component")
    return uniform_start(given, tracers, mass, dtype)


def _targets(settings: Mapping[str, Any], grid: Grid) -> tuple[Target, ...]:
    own = Target(grid, grid)
    named = list(settings["output_grid"]) or [choices.MODEL_GRID, *([] if own.regular else ["3x2", "1x1"])]
    found: list[Target] = []
    for name in named:
        target = own if name == choices.MODEL_GRID else Target(grid, uniform(name))
        if not any(target.grid.same(other.grid) for other in found):
            found.append(target)
    return tuple(found)
