"""The simulated world with height: CO2 on 25 levels of a 3 x 2 degree grid, by component, as CarbonTracker's files have it.

The components are those of the nature run (`analysis.world.nature_product`): fluxes of public totals, carried by the transport
engine, whose levels here follow simple mountains. What the world's large-scale XCO2 of that month has beyond the run (the
seed's weather texture; see `analysis.world.climate`) is added to the land biosphere, so that maps and profiles agree. Mountains,
temperature, humidity and surface pressure are simple shapes. No observation: everything made here carries ``simulated = 1``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analysis.grids import ecmwf_levels
from analysis.world.climate import NODE_LON, Climate, Patch, month_number, tropopause_hpa
from analysis.world.maps import ATTRS

LEVELS = 25
DLON, DLAT = 3.0, 2.0
LAT = np.arange(-90.0 + DLAT / 2, 90.0, DLAT)
LON = np.arange(-180.0 + DLON / 2, 180.0, DLON)

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
_COMPONENTS = {
    "bg": "background",
    "bio": "biosphere",
    "ocean": "ocean",
    "ff": "fossil",
    "fires": "fire",
}
"""CarbonTracker's names -> the run's."""


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
    fields = [_components(climate, number, pressure, height) for number in numbers]
    dims = ("time", "level", "latitude", "longitude")
    edges = ("time", "boundary", "latitude", "longitude")
    mole = {"units": "micromol mol-1", "long_name": "mole fraction of carbon dioxide in dry air"}
    data: dict[str, Any] = {
        short: (dims, np.stack([field[name] for field in fields]).astype(np.float32), mole)
        for short, name in _COMPONENTS.items()
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
        "model": "Simulated world: nature run of the transport engine in made-up weather",
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
    """(edge, lat, lon) and (lev, lat, lon) hPa of the run's levels over the ground."""
    pressure = ecmwf_levels(LEVELS).edge_pressure(101_325.0 * np.exp(-ground / 8000.0)) / 100.0
    return pressure, 0.5 * (pressure[1:] + pressure[:-1])


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


def _components(climate: Climate, number: int, pressure: np.ndarray, height: np.ndarray) -> dict[str, np.ndarray]:
    """Component -> (lev, lat, lon) ppm in one month."""
    from analysis.statistics.vertical import column_mean
    from analysis.world.nature_product import nature_product

    parts = nature_product().components(number)
    missing = _at_cells(climate.background(number)) - column_mean(np.sum(list(parts.values()), axis=0), pressure)
    above_ground = 0.5 * (height[1:] + height[:-1]) - height[0]
    shape = np.exp(-above_ground / 4000.0)
    parts["biosphere"] = parts["biosphere"] + missing * shape / column_mean(shape, pressure)
    return parts


def _at_cells(nodes: np.ndarray) -> np.ndarray:
    """A field on the climate's nodes (2 degrees) at this grid's cells."""
    wrapped = np.concatenate([nodes[:, -1:], nodes, nodes[:, :1]], axis=1)
    lon = np.concatenate([[NODE_LON[0] - 2.0], NODE_LON, [NODE_LON[-1] + 2.0]])
    return np.stack([np.interp(LON, lon, row) for row in wrapped])  # the latitudes are the same
