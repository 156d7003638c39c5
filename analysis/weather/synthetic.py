"""Weather of any year from analytic stream functions: jets, Hadley and Ferrel cells, waves that move, seasons.

It is exactly non-divergent layer by layer but for the overturning, so surface pressure stays what it is, and it costs
nothing to obtain. It has the strengths of the real circulation (sources in the constants below) and none of its memory:
a test bed and the stage of the simulated world, not a reconstruction of any day.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

import numpy as np

from analysis.grids import GRAVITY, Grid, Levels
from analysis.grids.horizontal import EARTH_RADIUS_M
from analysis.transport.stream import corners, overturning
from analysis.weather.closing import Closure
from analysis.weather.pack import RawInterval, Weather, WeatherProblem, moments, to_second, write_pack

SURFACE_PRESSURE_PA = 98_325.0
"""Dry air at the surface, global mean (Trenberth and Smith 2005, doi 10.1175/JCLI-3299.1: 5.1352e18 kg)."""

JET_MS = {"winter": 40.0, "summer": 18.0}
"""Zonal mean wind in the core of the subtropical jet near 200 hPa (Peixoto and Oort 1992, Physics of Climate, fig. 7.15)."""
TRADES_MS = 6.0
HADLEY_KG_S = {"annual": 0.7e11, "seasonal": 1.5e11}
"""Overturning: two cells on average and the one across the equator of the solstices (Peixoto and Oort 1992, fig. 7.19)."""
FERREL_KG_S = 0.25e11

WAVES = (
    # zonal wave number, core latitude, width in degrees, strength of the meridional wind in m/s, phase speed in m/s, phase
    (1, 66.0, 16.0, 6.0, 0.0, 0.3),
    (2, 62.0, 16.0, 7.0, 0.5, 1.9),
    (3, 58.0, 15.0, 8.0, 2.0, 4.1),
    (4, 55.0, 14.0, 8.0, 5.0, 5.6),
    (5, 46.0, 14.0, 7.0, 7.0, 0.8),
    (6, 45.0, 13.0, 8.0, 9.0, 2.7),
    (7, 48.0, 12.0, 7.0, 11.0, 5.2),
    (9, 36.0, 11.0, 5.0, 13.0, 3.3),
    (2, 20.0, 14.0, 2.0, 1.0, 2.2),
    (3, 16.0, 13.0, 2.0, -3.0, 0.1),
    (4, 12.0, 12.0, 3.0, -6.0, 1.1),
    (7, 8.0, 10.0, 2.5, -8.0, 4.6),
)
"""Planetary, synoptic and tropical waves of each hemisphere. Over a year they make an rms meridional wind at 500 hPa of 2.8 m/s at
the equator, 5 at 30 degrees, 9 at 45, 7.5 at 60; NCEP R1 had 4.3, 7, 10 and 12 on 1 to 5 January 2022. With them fossil CO2
crosses the equator as fast as it does in the real atmosphere (docs/transport.md); with half of the tropical ones the hemispheres
took twice as long."""

LIFTING_PA_S = 0.1
"""Vertical motion at 500 hPa of a wave with 8 m/s: some 90 hPa a day, as in reanalyses (0.09-0.10 Pa/s rms over all waves)."""
TROPICAL_LIFTING = 1.6
"""Waves within 30 degrees of the equator lift so much more for their winds: 0.05 Pa/s rms there, 0.07 in NCEP R1."""

YEAR_S = 365.2425 * 86_400.0


def synthetic_weather(
    path: str | os.PathLike[str],
    grid: Grid,
    levels: Levels,
    start: np.datetime64,
    end: np.datetime64,
    *,
    hours: float = 6.0,
    progress: Callable[[int], None] | None = None,
) -> Weather:
    """Write a pack of invented weather.

    Parameters
    ----------
    path : new folder.
    start, end : UTC; any years.
    hours : length of an interval in which the winds stand still, 1 to 24.
    progress : called with the number of intervals that are written.

    Raises
    ------
    WeatherProblem : no time, or intervals that do not fill it.
    """
    if not 1 <= hours <= 24:
        raise WeatherProblem(f"Intervals of weather are 1 to 24 hours long, not {hours:g}.")
    step = np.timedelta64(round(hours * 3600), "s")
    first, last = to_second(start), to_second(end)
    if not first < last or (last - first) % step:
        raise WeatherProblem(
            f"From {start} to {end} is no whole number of {hours:g}-hour intervals; change one of them."
        )
    pressure = np.full(grid.shape, SURFACE_PRESSURE_PA)

    def intervals() -> Iterator[RawInterval]:
        now, closure = pressure, Closure(grid)
        for moment in moments(first, last, step):
            x, y = fluxes_at(grid, levels, moment + step // 2)
            seconds = float(step / np.timedelta64(1, "s"))
            # nothing to mend but the rounding to float32, which would add up to some Pa a year at the poles
            x32, y32, now, residual = closure.close(levels, x, y, now, pressure, seconds)
            yield RawInterval(moment, seconds, x32, y32, now, residual)

    return write_pack(
        path,
        grid,
        levels,
        pressure,
        intervals(),
        source="simulated winds from stream functions",
        simulated=True,
        progress=progress,
    )


def fluxes_at(grid: Grid, levels: Levels, moment: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
    """Mass fluxes (lev, lat, lon) and (lev, lat + 1, lon) in kg s-1 through western and southern faces at a moment."""
    seconds = float((to_second(moment) - to_second("2000-01-01")) / np.timedelta64(1, "s"))
    # 1 in the middle of the northern winter, -1 half a year later
    winter = float(np.cos(2 * np.pi * (seconds / YEAR_S - 15.0 / 365.2425)))
    lat, lon = corners(grid)
    layer_mass = levels.layer_mass(np.array(SURFACE_PRESSURE_PA))
    edges = levels.edge_pressure(np.array(SURFACE_PRESSURE_PA))
    middle = np.sqrt(np.maximum(edges[1:], 1.0) * edges[:-1]) / 100.0
    psi = (_zonal(lat, middle, winter) + _waves(lat, lon, middle, winter, seconds)) * layer_mass[:, None, None]
    psi[:, 0], psi[:, -1] = psi[:, 0].mean(axis=-1, keepdims=True), psi[:, -1].mean(axis=-1, keepdims=True)
    x = psi[:, :-1] - psi[:, 1:]
    y = np.roll(psi, -1, axis=-1) - psi
    over, _ = overturning(grid, _overturning(np.degrees(lat[:, 0]), edges / 100.0, winter))
    y = y + over
    y[:, 0] = y[:, -1] = 0.0
    lifting = _lifting(grid, edges / 100.0, winter, seconds)
    return x + lifting[:-1] - lifting[1:], y


def _zonal(lat: np.ndarray, pressure_hpa: np.ndarray, winter: float) -> np.ndarray:
    """(lev, lat + 1, 1) stream function in m2 s-1 of the zonal mean wind: u = -dpsi/dy, integrated from the south pole.

    The wind is three shapes of latitude, each with its own profile of pressure.
    """
    strong, weak = JET_MS["winter"], JET_MS["summer"]
    north, south = ((strong + weak) / 2 + sign * winter * (strong - weak) / 2 for sign in (1, -1))
    fine = np.linspace(-np.pi / 2, np.pi / 2, 1441)
    degrees = np.degrees(fine)
    height = np.exp(-0.5 * (np.log(np.maximum(pressure_hpa, 1.0) / 200.0) / 0.9) ** 2)
    subtropical = north * _bell(degrees, 35 - 4 * winter, 12) + south * _bell(degrees, -35 - 4 * winter, 12)
    # polar night jet in the stratosphere, trades and surface westerlies below
    above = 1.0 / (1.0 + (pressure_hpa / 40.0) ** 2)
    polar = 35.0 * (max(winter, 0.0) * _bell(degrees, 62, 10) + max(-winter, 0.0) * _bell(degrees, -60, 10))
    below = np.clip((pressure_hpa - 500.0) / 500.0, 0.0, 1.0)
    surface = 6.0 * (_bell(degrees, 45, 10) + 1.3 * _bell(degrees, -50, 10))
    surface -= TRADES_MS * (_bell(degrees, 15, 8) + _bell(degrees, -15, 8))
    psi = np.zeros((len(pressure_hpa), lat.shape[0]))
    for profile, shape in ((height, subtropical), (above, polar), (below, surface)):
        wind = shape * np.cos(fine) ** 0.5
        integral = np.concatenate([[0.0], np.cumsum((wind[1:] + wind[:-1]) / 2 * np.diff(fine))])
        psi -= EARTH_RADIUS_M * profile[:, None] * np.interp(lat[:, 0], fine, integral)
    return psi[:, :, None]


def _waves(lat: np.ndarray, lon: np.ndarray, pressure_hpa: np.ndarray, winter: float, seconds: float) -> np.ndarray:
    """(lev, lat + 1, lon) stream function in m2 s-1 of waves that travel east or west, stronger in winter and near 300 hPa.

    A wave's sine is taken apart into the sine and cosine of its longitude: one product for all levels and latitudes.
    """
    degrees = np.degrees(lat[:, 0])[None, :]
    pressure = pressure_hpa[:, None]
    height = 0.45 + 0.9 * np.exp(-0.5 * (np.log(np.maximum(pressure, 1.0) / 300.0) / 0.8) ** 2)
    numbers = sorted({wave[0] for wave in WAVES})
    parts = np.zeros((len(pressure_hpa), degrees.size, 2, len(numbers)))
    for number, core, width, speed, phase_speed, phase in WAVES:
        for side in (1.0, -1.0):
            season = 1.0 + (0.35 if core > 30 else 0.1) * side * winter
            radius = EARTH_RADIUS_M * np.cos(np.radians(core))
            strength = speed * season * height * radius / number * _bell(degrees, side * core, width)
            start = -number * phase_speed / radius * seconds + phase + (2.0 if side < 0 else 0.0)
            # troughs tilt westward with height and lean with latitude, so that they carry air across the jets
            lean = 0.5 * side * (degrees - side * core) / width + 0.4 * np.log(np.maximum(pressure, 50.0) / 500.0)
            column = numbers.index(number)
            parts[:, :, 0, column] += strength * np.cos(start + lean)
            parts[:, :, 1, column] += strength * np.sin(start + lean)
    angle = np.array(numbers)[:, None] * lon[:1]
    along = np.concatenate([np.sin(angle), np.cos(angle)])
    parts *= np.cos(lat[:, 0])[None, :, None, None]
    return parts.reshape(len(pressure_hpa), degrees.size, -1) @ along


def _lifting(grid: Grid, edges_hpa: np.ndarray, winter: float, seconds: float) -> np.ndarray:
    """(lev + 1, lat, lon) kg s-1 of air that flows eastward below each edge, back and forth with the waves' lows and highs."""
    depth = np.clip((edges_hpa[0] - edges_hpa) / (edges_hpa[0] - 150.0), 0.0, 1.0)
    vertical = np.sin(np.pi * depth)[:, None, None]
    lon, rows = np.radians(grid.lon_edges[:-1])[None, :], grid.lat[:, None]
    along = np.zeros(grid.shape)
    for number, core, width, speed, phase_speed, phase in WAVES:
        if number < 3:
            continue
        radius = EARTH_RADIUS_M * np.cos(np.radians(core))
        for side in (1.0, -1.0):
            season = 1.0 + (0.35 if core > 30 else 0.1) * side * winter
            angle = number * lon - number * phase_speed / radius * seconds + phase + (2.0 if side < 0 else 0.0)
            lifting = LIFTING_PA_S * (TROPICAL_LIFTING if core < 30 else 1.0)
            per_metre = lifting * speed / 8.0 * season / GRAVITY * radius / number
            along = along + per_metre * _bell(rows, side * core, width) * np.cos(angle)
    metres = EARTH_RADIUS_M * np.radians(grid.lat_widths)[:, None]
    return vertical * (along * metres * np.cos(np.radians(rows)))[None]


def _overturning(lat_deg: np.ndarray, edges_hpa: np.ndarray, winter: float) -> np.ndarray:
    """(lev + 1, lat + 1) kg s-1 of air that flows northward below each edge."""
    surface, top = edges_hpa[0], 120.0
    depth = np.clip((surface - edges_hpa) / (surface - top), 0.0, 1.0)
    vertical = np.sin(np.pi * depth) ** 1.0
    along = -HADLEY_KG_S["annual"] * math.sqrt(math.e) * (lat_deg / 14.0) * np.exp(-0.5 * (lat_deg / 14.0) ** 2)
    along = along - HADLEY_KG_S["seasonal"] * winter * np.exp(-0.5 * ((lat_deg + 3.0 * winter) / 13.0) ** 2)
    along = along + FERREL_KG_S * (_bell(lat_deg, 47, 8) - _bell(lat_deg, -47, 8))
    along = along * np.cos(np.radians(lat_deg)) ** 2
    return vertical[:, None] * along[None, :]


def _bell(x: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((x - centre) / width) ** 2)
