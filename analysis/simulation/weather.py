"""Where the weather of a run comes from: a pack, or made-up winds that are worked out while the run goes on.

Made-up winds do not diverge, so surface pressure stays what it is and every interval stands on its own: nothing need be
written down, and a run can begin at any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from analysis.grids import Grid, Levels
from analysis.transport.fluxes import air_mass, closed
from analysis.weather.pack import Interval, WeatherProblem, to_second
from analysis.weather.synthetic import SURFACE_PRESSURE_PA, fluxes_at

MADE_UP_HOURS = 6
"""Made-up winds stand still for so long."""


class WeatherSource(Protocol):
    """What a run asks of weather; `analysis.weather.Weather` is one."""

    @property
    def grid(self) -> Grid: ...
    @property
    def levels(self) -> Levels: ...
    @property
    def time_edges(self) -> np.ndarray: ...
    @property
    def source(self) -> str: ...
    @property
    def simulated(self) -> bool: ...
    def interval(self, number: int) -> Interval: ...
    def covering(self, start: np.datetime64, end: np.datetime64) -> range: ...
    def check(self, number: int) -> float: ...


class MadeUpWeather:
    """Simulated winds of any time, without a pack.

    Parameters
    ----------
    grid, levels : any.
    start, end : UTC, whole days apart.

    Raises
    ------
    WeatherProblem : no time between them.
    """

    source = "simulated winds from stream functions"
    simulated = True

    def __init__(self, grid: Grid, levels: Levels, start: np.datetime64, end: np.datetime64) -> None:
        self.grid, self.levels = grid, levels
        first, last, step = to_second(start), to_second(end), np.timedelta64(MADE_UP_HOURS * 3600, "s")
        if not first < last or (last - first) % step:
            raise WeatherProblem(
                f"From {start} to {end} is no whole number of {MADE_UP_HOURS}-hour intervals; change one of them."
            )
        self.time_edges = np.arange(first, last + step, step)
        self._pressure = np.full(grid.shape, SURFACE_PRESSURE_PA)

    def __len__(self) -> int:
        return len(self.time_edges) - 1

    def interval(self, number: int) -> Interval:
        """The winds of one interval, those of its middle.

        Raises
        ------
        WeatherProblem : no such interval.
        """
        if not 0 <= number < len(self):
            raise WeatherProblem(f"There are {len(self)} intervals of weather; number {number} is not one of them.")
        start = self.time_edges[number]
        fluxes = closed(
            *fluxes_at(self.grid, self.levels, start + np.timedelta64(MADE_UP_HOURS * 1800, "s")), self.levels
        )
        return Interval(start, MADE_UP_HOURS * 3600.0, fluxes, self._pressure, {})

    def covering(self, start: np.datetime64, end: np.datetime64) -> range:
        """Numbers of the intervals from start to end.

        Raises
        ------
        WeatherProblem : outside, or within an interval.
        """
        wanted = np.array([to_second(start), to_second(end)])
        first, last = (int(number) for number in np.searchsorted(self.time_edges, wanted))
        if not np.isin(wanted, self.time_edges).all() or first >= last:
            raise WeatherProblem(
                f"The weather from {self.time_edges[0]} to {self.time_edges[-1]} has no {start} to {end}."
            )
        return range(first, last)

    def check(self, number: int) -> float:
        """Replay one interval: the largest part by which a cell's air changes, which should not at all."""
        interval = self.interval(number)
        mass = air_mass(self.grid, self.levels, interval.surface_pressure)
        return interval.fluxes.replay_error(mass, mass, interval.seconds)


def ahead(weather: WeatherSource, numbers: range) -> Iterator[Interval]:
    """Intervals one after the other, the next one being read or worked out while this one is used."""
    with ThreadPoolExecutor(1, "weather") as pool:
        waiting = pool.submit(weather.interval, numbers[0]) if numbers else None
        for number in numbers:
            assert waiting is not None
            interval = waiting.result()
            waiting = pool.submit(weather.interval, number + 1) if number + 1 in numbers else None
            yield interval
