"""Write files in the layout of OCO-2/3 Lite version 11 (root and groups), for the tests of what reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

LEVELS = 20
FILL = -999999.0


def lite_arrays(count: int, *, start: str = "2020-07-04T04:30:00", seed: int = 1) -> dict[str, np.ndarray]:
    """Plausible soundings, eight a third of a second; names as in the file, groups with a slash."""
    random = np.random.default_rng(seed)
    frame, footprint = np.arange(count) // 8, np.arange(count) % 8 + 1
    time = np.datetime64(start, "ms") + (frame * 300).astype("timedelta64[ms]")
    text = [stamp.replace("-", "").replace("T", "").replace(":", "") for stamp in time.astype(str)]
    ids = np.array([int(t[:14] + t[15] + str(f)) for t, f in zip(text, footprint, strict=True)], dtype=np.uint64)
    edges = np.linspace(0.1, 1000.0, LEVELS)
    weight = np.full(LEVELS, 1 / (LEVELS - 1))
    weight[[0, -1]] /= 2
    seconds = (time - np.datetime64("1970-01-01", "ms")) / np.timedelta64(1, "s")
    cuts = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14), (15, 18))
    parts = np.array([[int(t[a:b]) for a, b in cuts] for t in text], dtype=np.int16)
    xco2 = (410 + random.normal(0, 1, count)).astype(np.float32)
    return {
        "sounding_id": ids,
        "time": seconds,
        "date": parts.reshape(count, 7),
        "latitude": (-10 + 0.02 * frame).astype(np.float32),
        "longitude": (100 + 0.01 * footprint).astype(np.float32),
        "solar_zenith_angle": np.full(count, 30, np.float32),
        "sensor_zenith_angle": np.full(count, 1, np.float32),
        "xco2": xco2,
        "xco2_x2019": xco2 + np.float32(0.3),
        "xco2_uncertainty": np.full(count, 0.5, np.float32),
        "xco2_apriori": np.full(count, 409, np.float32),
        "xco2_quality_flag": (np.arange(count) % 3 == 2).astype(np.int8),
        "co2_profile_apriori": np.tile(np.linspace(400, 412, LEVELS, dtype=np.float32), (count, 1)),
        "xco2_averaging_kernel": np.tile(np.linspace(0.2, 1.0, LEVELS, dtype=np.float32), (count, 1)),
        "pressure_levels": np.tile(edges.astype(np.float32), (count, 1)),
        "pressure_weight": np.tile(weight.astype(np.float32), (count, 1)),
        "Retrieval/xco2_raw": xco2 - np.float32(2),
        "Retrieval/psurf": np.full(count, 1000, np.float32),
        "Retrieval/aod_total": np.full(count, 0.1, np.float32),
        "Retrieval/surface_type": (np.arange(count) % 2).astype(np.int8),
        "Sounding/altitude": np.full(count, 120, np.float32),
        "Sounding/land_fraction": np.where(np.arange(count) % 2, 100, 0).astype(np.float32),
        "Sounding/footprint": footprint.astype(np.int8),
        "Sounding/operation_mode": (np.arange(count) % 5).astype(np.int8),
        "Sounding/airmass": np.full(count, 2.2, np.float32),
    }


UNITS = {
    "sounding_id": "YYYYMMDDhhmmssmf",
    "time": "seconds since 1970-01-01 00:00:00",
    "latitude": "degrees_north",
    "longitude": "degrees_east",
    **dict.fromkeys(("xco2", "xco2_x2019", "xco2_uncertainty", "xco2_apriori", "co2_profile_apriori"), "ppm"),
    "pressure_levels": "hPa",
    "Retrieval/xco2_raw": "ppm",
    "Retrieval/psurf": "hPa",
}
V11 = {
    "Platform": "OCO-2",
    "Sensor": "OCO-2",
    "title": "OCO-2 L2FP Lite Output",
    "BuildId": "B11.2.10",
    "gesdisc_collection": "11.2r",
    "identifier_product_doi": "10.5067/70K2B2W8MNGY",
}
NAME = "oco2_LtCO2_200704_B11210Ar_240820000231s.nc4"


def write_lite(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    name: str = NAME,
    attrs: dict[str, Any] = V11,
    units: dict[str, str] = UNITS,
) -> Path:
    """Write `arrays` (any subset, other dtypes, transposed profiles) as a Lite file; returns its path."""
    path = folder / name
    count = arrays["latitude"].shape[0]
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(attrs)
        file.createDimension("sounding_id", count)
        file.createDimension("levels", LEVELS)
        file.createDimension("epoch_dimension", 7)
        for full, values in arrays.items():
            group = file.createGroup(full.split("/")[0]) if "/" in full else file
            if values.ndim == 2:
                other = "epoch_dimension" if full == "date" else "levels"
                dims = ("sounding_id", other) if values.shape[0] == count else (other, "sounding_id")
            else:
                dims = ("sounding_id",)
            fill = FILL if values.dtype.kind == "f" else None
            variable = group.createVariable(full.split("/")[-1], values.dtype, dims, fill_value=fill, zlib=True)
            variable.set_auto_maskandscale(False)
            variable[:] = values
            if full in units:
                variable.units = units[full]
    return path
