"""Mole fraction files in CarbonTracker's layouts, with values that tests know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

LEVELS = 5
LAT = np.arange(-80.0, 81, 20)
LON = np.arange(-165.0, 180, 30)
EDGES_PA = np.linspace(1e5, 0, LEVELS + 1)
EDGES_M = np.array([0.0, 2000, 4200, 7200, 11800, 30000])
PARTS = {"bg": 0.9, "bio": -0.02, "ff": 0.1, "fires": 0.01, "ocean": 0.01}


def co2(times: int = 2) -> np.ndarray:
    """(time, level, lat, lon): 400 at the ground, one more on each level, ten more at each time, a tenth each row."""
    lat = 0.1 * np.arange(LAT.size)[None, None, :, None]
    field = 400.0 + np.arange(LEVELS)[None, :, None, None] + 10.0 * np.arange(times)[:, None, None, None] + lat
    return field + np.zeros((times, LEVELS, LAT.size, LON.size))


def level_file(
    path: Path,
    *,
    parts: dict[str, float] | None = None,
    units: str = "micromol mol-1",
    scale: float = 1.0,
    downward: bool = False,
    geometry: bool = True,
    middles: bool = False,
    times: tuple[float, ...] = (7305.0625, 7305.1875),
    lon: np.ndarray = LON,
    attrs: dict[str, object] | None = None,
    drop: tuple[str, ...] = (),
) -> xr.Dataset:
    """Write one.

    Parameters
    ----------
    parts : shares of the total by component; None for a file with `co2`.
    downward : levels from the top.
    geometry : pressure and height at the boundaries; `middles`: at the middle of the levels instead.
    drop : variables to leave out.
    """
    dims = ("time", "level", "latitude", "longitude")
    total = co2(len(times))[..., : lon.size] * scale
    shares = {"co2": 1.0} if parts is None else parts
    fields = {name: (dims, share * total, {"units": units}) for name, share in shares.items()}
    for name, values, unit in (("pressure", EDGES_PA, "Pa"), ("gph", EDGES_M, "m")):
        along = 0.5 * (values[1:] + values[:-1]) if middles else values
        full = np.broadcast_to(along[None, :, None, None], (len(times), along.size, LAT.size, lon.size))
        if geometry:
            fields[name] = (("time", "level" if middles else "boundary", *dims[2:]), full, {"units": unit})
    fields["orography"] = (dims[2:], np.zeros((LAT.size, lon.size)), {"units": "m"})
    coords = {
        "time": ("time", list(times), {"units": "days since 2000-01-01"}),
        "level": np.arange(1, LEVELS + 1),
        "boundary": np.arange(1, LEVELS + 2),
        "latitude": LAT,
        "longitude": lon,
    }
    dataset = xr.Dataset(fields, coords, attrs or {}).drop_vars(list(drop))
    if downward:
        dataset = dataset.isel(level=slice(None, None, -1), boundary=slice(None, None, -1))
    dataset.to_netcdf(path)
    return dataset
