"""Small transport runs: a few hundred cells, days not years, with a pack or flux files where a test needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analysis.grids import Grid, ecmwf_levels, uniform
from analysis.jobs import validate
from analysis.jobs.transport import JOB
from analysis.weather import Weather, synthetic_weather

GRID = uniform("30x20")
LEVELS = ecmwf_levels(25)
START, END = np.datetime64("2022-01-30"), np.datetime64("2022-02-02")


def pack(path: Path, grid: Grid = GRID, start: np.datetime64 = START, end: np.datetime64 = END) -> Weather:
    """Made-up weather of three days on 12 x 9 cells."""
    return synthetic_weather(path, grid, LEVELS, start, end)


def flux_file(path: Path, *, sign: float = 1.0, units: str = "mol m-2 s-1", year: int = 2022) -> Path:
    """Monthly fluxes of one year on 10 x 10 degrees, in CarbonTracker's names: uptake by land, emissions in the north."""
    lat, lon = np.arange(-85.0, 90, 10), np.arange(-175.0, 180, 10)
    months = np.arange(f"{year}-01", f"{year + 1}-01", dtype="datetime64[M]")
    middle = (
        months.astype("datetime64[s]") + ((months + 1).astype("datetime64[s]") - months.astype("datetime64[s]")) // 2
    )
    north = np.broadcast_to(np.clip(lat, 0, None)[None, :, None] / 90, (12, lat.size, lon.size))
    season = np.cos(2 * np.pi * (np.arange(12) - 6) / 12)[:, None, None]
    fields = {
        "bio_flux_opt": -2e-8 * (1 + season) * np.ones_like(north),
        "ocn_flux_opt": -1e-8 * np.ones_like(north),
        "fossil_flux_imp": sign * 1e-7 * north,
        "fire_flux_imp": 1e-8 * np.ones_like(north),
    }
    dims = ("time", "latitude", "longitude")
    data = {name: (dims, values, {"units": units}) for name, values in fields.items()}
    coords = {
        "time": middle.astype("datetime64[ns]"),
        "latitude": ("latitude", lat, {"units": "degrees_north"}),
        "longitude": ("longitude", lon, {"units": "degrees_east"}),
    }
    xr.Dataset(data, coords).to_netcdf(path)
    return path


def settings(**given: Any) -> dict[str, Any]:
    """Complete settings; without levels in the output unless asked for."""
    return validate(JOB, {"output_levels": "none", "output_columns": "none", "show": False, **given})
