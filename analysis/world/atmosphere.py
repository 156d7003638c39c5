"""The simulated world with height: CO2 on 25 levels of a 3 x 2 degree grid, by component, as CarbonTracker's files have it.

The pressure-weighted column of each cell is the world's large-scale XCO2 of that month (`analysis.world.climate`; no
cities, no coasts), so maps and profiles agree. Its vertical structure is closed formulas of what is commonly known: the
seasonal cycle weakens and comes later with height; the contrast between the hemispheres and the excess over sources live
near the ground; air above the tropopause is as old as stratospheric air is (up to five years; Waugh & Hall 2002, Rev.
Geophys. 40, 1010), so it lags behind the growth. Mountains, temperature and surface pressure are simple shapes. No
observation, no transport model: everything made here carries ``simulated = 1``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analysis.world.climate import (
    ENHANCED,
    FIRST_YEAR,
    NODE_LAT,
    NODE_LON,
    Climate,
    Patch,
    global_mean,
    month_number,
    season,
)
from analysis.world.maps import ATTRS

LEVELS = 25
DLON, DLAT = 3.0, 2.0
LAT = np.arange(-90.0 + DLAT / 2, 90.0, DLAT)
LON = np.arange(-180.0 + DLON / 2, 180.0, DLON)

BACKGROUND_PPM = 369.0
"""CO2 at the beginning of 2000, which CarbonTracker's component "bg" carries on."""

_ETA = np.array(
    [1.0, 0.994, 0.98, 0.955, 0.92, 0.87, 0.81, 0.74, 0.665, 0.59, 0.515, 0.445, 0.38]
    + [0.32, 0.268, 0.222, 0.182, 0.147, 0.117, 0.09, 0.066, 0.045, 0.027, 0.0135, 0.005, 0.0]
)
"""Level boundaries as parts of the surface pressure near the ground, of 1013.25 hPa aloft."""

_MOUNTAINS = (
    Patch(33, 88, 5, 11, 4600.0),
    Patch(40, -110, 8, 8, 1900.0),
    Patch(-20, -67, 14, 3.5, 3000.0),
    Patch(73, -40, 8, 13, 2500.0),
    Patch(8, 38, 6, 5, 1500.0),
    Patch(-28, 26, 6, 7, 1100.0),
    Patch(33, 50, 5, 7, 1300.0),
    Patch(45, 90, 6, 12, 1100.0),
    Patch(46, 10, 2.5, 5, 900.0),
)
_SHARES = {"co2_fossil": 1.9, "co2_ocean": -0.55, "co2_fire": 0.4}
"""What each kind of flux adds for each ppm that stays in the air; the land biosphere takes the rest."""

_BURNING = (Patch(-6, 22, 7, 12, 2.2, 0.6), Patch(-10, -58, 6, 9, 1.4, 0.72), Patch(15, 101, 6, 7, 1.2, 0.24))


def simulated_volume(first: np.datetime64, months: int, *, seed: int = 0) -> xr.Dataset:
    """Monthly means in the layout of CarbonTracker's files, ready to be written.

    Parameters
    ----------
    first : first month.
    months : how many.
    seed : of the world.

    Returns
    -------
    Dims time, level (25, upward), boundary (26), latitude (90), longitude (120): ``bg, bio, ocean, ff, fires``
    (micromol mol-1), ``pressure`` (Pa), ``gph`` (m), ``specific_humidity``, ``orography`` (m).

    Raises
    ------
    ValueError : a month outside 2000-2035.
    """
    stamps = first.astype("datetime64[M]") + np.arange(months)
    numbers = [month_number(stamp) for stamp in stamps]
    ground = orography()
    pressure, middle = _pressure(ground)
    temperature = _temperature(middle)
    humidity = _humidity(middle)
    height = _heights(pressure, temperature, humidity, ground)
    climate = Climate(seed)
    fields = [_components(climate, number, pressure, middle, height) for number in numbers]
    dims = ("time", "level", "latitude", "longitude")
    edges = ("time", "boundary", "latitude", "longitude")
    mole = {"units": "micromol mol-1", "long_name": "mole fraction of carbon dioxide in dry air"}
    names = {"bg": "co2_bg", "bio": "co2_bio", "ocean": "co2_ocean", "ff": "co2_fossil", "fires": "co2_fire"}
    data: dict[str, Any] = {
        short: (dims, np.stack([field[name] for field in fields]).astype(np.float32), mole)
        for short, name in names.items()
    }

    def steady(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values.astype(np.float32), (months, *values.shape))

    data |= {
        "pressure": (edges, steady(pressure * 100.0), {"units": "Pa", "long_name": "pressure at level boundaries"}),
        "gph": (edges, steady(height), {"units": "m", "long_name": "geopotential height of level boundaries"}),
        "specific_humidity": (dims, steady(humidity), {"units": "kg kg-1"}),
        "orography": (("latitude", "longitude"), ground.astype(np.float32), {"units": "m"}),
    }
    start = stamps.astype("datetime64[ns]").astype(np.int64)
    end = (stamps + 1).astype("datetime64[ns]").astype(np.int64)
    coords = {
        "time": ("time", ((start + end) // 2).astype("datetime64[ns]")),
        "level": ("level", np.arange(1, LEVELS + 1), {"positive": "up"}),
        "boundary": ("boundary", np.arange(1, LEVELS + 2)),
        "latitude": ("latitude", LAT, {"units": "degrees_north"}),
        "longitude": ("longitude", LON, {"units": "degrees_east"}),
    }
    attrs = {
        **ATTRS,
        "title": "Simulated CO2 by height, 3 x 2 degrees monthly (demo)",
        "collection": "demo",
        "model": "Simulated world",
        "scale": "X2019",
        "seed": seed,
    }
    return xr.Dataset(data, coords, attrs)


def write_simulated_volume(folder: Path, first: np.datetime64, months: int, *, seed: int = 0) -> Path:
    """The same as a netCDF file; returns its path."""
    dataset = simulated_volume(first, months, seed=seed)
    path = folder / f"simulated.molefrac_components_glb3x2_{first.astype('datetime64[M]')}.nc"
    dataset.to_netcdf(path, engine="h5netcdf", encoding={"time": {"units": "days since 2000-01-01", "dtype": "f8"}})
    return path


def orography() -> np.ndarray:
    """(lat, lon) m, a few smooth mountains and Antarctica."""
    nodes = sum(_on_cells(patch) for patch in _MOUNTAINS)
    antarctica = 2600.0 / (1.0 + np.exp((LAT + 74.0) / 2.5))
    return np.asarray(nodes + antarctica[:, None])


def _on_cells(patch: Patch) -> np.ndarray:
    turn = (LON - patch.lon + 180.0) % 360.0 - 180.0
    north = np.exp(-0.5 * ((LAT - patch.lat) / patch.lat_width) ** 2)
    return patch.ppm * north[:, None] * np.exp(-0.5 * (turn / patch.lon_width) ** 2)[None, :]


def _pressure(ground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(edge, lat, lon) and (lev, lat, lon) hPa of hybrid levels that follow the ground below and pressure aloft."""
    surface = 1013.25 * np.exp(-ground / 8000.0)
    follows = np.clip((_ETA - 0.12) / 0.88, 0.0, 1.0) ** 1.3
    pressure = (1013.25 * (_ETA - follows))[:, None, None] + follows[:, None, None] * surface
    return pressure, 0.5 * (pressure[1:] + pressure[:-1])


def tropopause_hpa(lat: np.ndarray) -> np.ndarray:
    """Pressure of the tropopause: 100 hPa in the tropics, 270 hPa near the poles."""
    return 100.0 + 170.0 * (1.0 - np.exp(-((np.abs(lat) / 38.0) ** 4)))


def _temperature(middle: np.ndarray) -> np.ndarray:
    warm = 300.0 - 48.0 * np.sin(np.radians(LAT)) ** 2
    lapse = warm[None, :, None] * (middle / 1013.25) ** 0.19
    cold = warm * (tropopause_hpa(LAT) / 1013.25) ** 0.19
    return np.maximum(lapse, cold[None, :, None])


def _humidity(middle: np.ndarray) -> np.ndarray:
    moist = 0.016 * np.exp(-((LAT / 32.0) ** 2)) + 0.001
    return moist[None, :, None] * (middle / 1013.25) ** 3


def _heights(pressure: np.ndarray, temperature: np.ndarray, humidity: np.ndarray, ground: np.ndarray) -> np.ndarray:
    from data.readers.level_geometry import GAS_CONSTANT, GRAVITY

    below, above = pressure[:-1], np.maximum(pressure[1:], 0.3)
    thickness = GAS_CONSTANT / GRAVITY * temperature * (1.0 + 0.608 * humidity) * np.log(below / above)
    return np.concatenate([ground[None], ground + np.cumsum(thickness, axis=0)])


def _components(
    climate: Climate, number: int, pressure: np.ndarray, middle: np.ndarray, height: np.ndarray
) -> dict[str, np.ndarray]:
    """(lev, lat, lon) ppm of each component in one month."""
    from analysis.statistics.vertical import column_mean

    year = FIRST_YEAR + (number + 0.5) / 12.0
    above_ground = 0.5 * (height[1:] + height[:-1]) - height[0]
    km = above_ground / 1000.0
    tropopause = tropopause_hpa(LAT)[None, :, None]
    depth = np.log(np.maximum(tropopause / middle, 1.0))  # above the tropopause
    oldest = (3.6 + 1.4 * np.sin(np.radians(LAT)) ** 2)[None, :, None]
    age = oldest * (1.0 - np.exp(-depth / 1.1))
    air = 1.0 / (1.0 + (tropopause / middle) ** 6)  # 1 in the troposphere, 0 above
    grown = global_mean(year - age) - BACKGROUND_PPM
    parts = {name: share * grown for name, share in _SHARES.items()}
    parts["co2_bg"] = np.full_like(grown, BACKGROUND_PPM)

    low = np.exp(-km / 1.6) * air
    south_north = (1.6 * np.tanh(LAT / 24.0))[None, :, None] * np.exp(-km / 7.0) * air
    parts["co2_fossil"] = (
        parts["co2_fossil"] + south_north + 2.2 * low * sum(_on_cells(patch) for patch in ENHANCED if patch.ppm > 0)
    )
    parts["co2_ocean"] = parts["co2_ocean"] - (0.3 * np.exp(-(((LAT + 50) / 14) ** 2)))[None, :, None] * np.exp(-km / 4)
    phase = (number % 12 + 0.5) / 12.0
    fires = sum(_on_cells(patch) * max(0.0, np.cos(2 * np.pi * (phase - patch.peak))) for patch in _BURNING)
    parts["co2_fire"] = parts["co2_fire"] + low * fires

    later = 0.16 * (1.0 - np.exp(-km / 9.0))  # up to two months late
    swing = np.empty_like(km)
    for level in range(LEVELS):
        swing[level] = season(phase - later[level], np.broadcast_to(LAT[:, None], later[level].shape))
    swing *= (0.45 + 1.0 * np.exp(-km / 3.0)) * (0.08 + 0.92 * air)
    land = 2.4 * low * _coarse(climate.contrast(number) * _vegetated())
    rest = (1.0 - sum(_SHARES.values())) * grown + swing + land

    total = rest + sum(parts.values())
    missing = _coarse(climate.background(number)) - column_mean(total, pressure)
    shape = (0.25 + 0.75 * air) * (0.6 + 0.8 * np.exp(-km / 4.0))
    parts["co2_bio"] = rest + missing * shape / column_mean(shape, pressure)
    return parts


def _vegetated() -> np.ndarray:
    """(node lat, node lon) part of the area that is land, smooth."""
    from scipy.ndimage import gaussian_filter

    from data.geography import land_mask

    fine = land_mask(180, 360).astype(float).reshape(NODE_LAT.size, 2, NODE_LON.size, 2).mean(axis=(1, 3))
    return gaussian_filter(fine, 1.0, mode=("nearest", "wrap"))


def _coarse(nodes: np.ndarray) -> np.ndarray:
    """A field on the climate's nodes (2 degrees) at this grid's cells."""
    wrapped = np.concatenate([nodes[:, -1:], nodes, nodes[:, :1]], axis=1)
    lon = np.concatenate([[NODE_LON[0] - 2.0], NODE_LON, [NODE_LON[-1] + 2.0]])
    return np.stack([np.interp(LON, lon, row) for row in wrapped])  # the latitudes are the same
