"""Day and night in a biosphere flux of which only daily, weekly or monthly means are known.

Respiration goes on all day, uptake follows the sun, as where monthly fluxes are made hourly (Olsen and Randerson 2004, doi
10.1029/2003JD003968). How much the gross uptake is has to be estimated where only the net flux is known: `UPTAKE_RATIO`
times what the net flux lies below its largest value of the year's intervals, or below zero where that is negative. So the
interval with the largest release takes nothing up, and in a growing season half of what is taken up is respired again:
an assumption of the right order, not a model of photosynthesis. Forests without seasons get too small a cycle.
"""

from __future__ import annotations

import numpy as np

from analysis.grids import Grid
from analysis.surface_fluxes.series import to_unit
from analysis.transport.sources import with_diurnal_cycle

UPTAKE_RATIO = 2.0
"""Gross uptake over what the net flux lies below that of the dormant season."""

POLAR_NIGHT = 1e-3
"""Daily mean of the sine of the sun's elevation below which the flux stays as it is, as in `with_diurnal_cycle`."""


def gross_uptake(net: np.ndarray, year: np.ndarray) -> np.ndarray:
    """(lat, lon) gross uptake >= 0, in the unit of the fluxes.

    Parameters
    ----------
    net : (lat, lon) net flux now, upward positive.
    year : (lat, lon) the largest net flux of the year's intervals.
    """
    return np.maximum(UPTAKE_RATIO * (np.maximum(year, 0.0) - net), 0.0)


def at_moment(grid: Grid, net: np.ndarray, uptake: np.ndarray, moment: np.datetime64) -> np.ndarray:
    """(lat, lon) flux at a moment (UTC) for the mean `net` and gross uptake `uptake` of its day."""
    day, hour = _day_and_hour(moment)
    return with_diurnal_cycle(grid, net, uptake, day, hour)


def mean_over(grid: Grid, net: np.ndarray, uptake: np.ndarray, start: np.datetime64, seconds: float) -> np.ndarray:
    """(lat, lon) exact mean over part of one UTC day; the parts of a day add up to `net` to rounding."""
    day, hour = _day_and_hour(start)
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day + 10.0) / 365.25)
    lat = np.radians(grid.lat)[:, None]
    level, swing = np.sin(lat) * np.sin(declination), np.cos(lat) * np.cos(declination)
    sunset = np.arccos(np.clip(-level / np.maximum(swing, 1e-12), -1.0, 1.0))
    daily = 2 * (level * sunset + swing * np.sin(sunset))  # integral of the positive part over a turn

    def integral(angle: np.ndarray) -> np.ndarray:
        """Of the sun's elevation above the horizon, from midnight at hour angle -pi; any number of turns on."""
        turns = np.floor((angle + np.pi) / (2 * np.pi))
        lit = np.clip(angle - 2 * np.pi * turns, -sunset, sunset)
        return np.asarray(turns * daily + level * (lit + sunset) + swing * (np.sin(lit) + np.sin(sunset)))

    first = np.radians(grid.lon + 15.0 * (hour - 12.0))[None, :]
    width = seconds / 86_400.0 * 2 * np.pi
    light = (integral(first + width) - integral(first)) / width
    mean = daily / (2 * np.pi)
    shape = np.divide(light, mean, out=np.ones_like(light), where=np.broadcast_to(mean > POLAR_NIGHT, light.shape))
    return np.asarray(net + uptake * (1.0 - shape))


def _day_and_hour(moment: np.datetime64) -> tuple[int, float]:
    day = to_unit(moment, "D")
    number = int((day - to_unit(day, "Y").astype("datetime64[D]")) / np.timedelta64(1, "D")) + 1
    return number, float((moment - day) / np.timedelta64(1, "h"))
