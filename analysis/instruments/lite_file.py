"""Write simulated soundings as an OCO-2 Lite file (netCDF-4, collection 11.2r): the names, groups, types, units and
fills of the real one.

Layout: OCO-2 v11.2 / OCO-3 v11 Data User's Guide (NASA GES DISC, 2025). Only the attributes tell it from a real file:
`title` begins with "Simulated", `simulated` is 1. Quantities of the retrieval that the simulation has no use for
(albedos, band ratios, profile heights) are drawn from plausible ranges, so that programs which read them find numbers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.instruments.lite_quantities import group_quantities
from analysis.instruments.oco2 import FOOTPRINT_BIAS_LAND, FOOTPRINT_BIAS_SEA, FOOTPRINT_KM, Soundings, observe_day
from analysis.instruments.orbit import offset
from analysis.instruments.scale import x2007_from_x2019
from analysis.world import ATTRS, World

FILL = -999999.0
_BUILD = "B11210Ar"
_STAMP = "000000000000"
"""Real files have their time of creation here."""


@dataclass(frozen=True)
class Quantity:
    """A variable of the file: values with its first dimension `sounding_id`, further dimensions, and attributes."""

    values: np.ndarray
    units: str
    long_name: str
    dims: tuple[str, ...] = ()


def file_name(day: np.datetime64) -> str:
    """Name of a day's file, in the provider's pattern."""
    text = str(np.asarray(day, dtype="datetime64[D]"))
    return f"oco2_LtCO2_{text[2:4]}{text[5:7]}{text[8:10]}_{_BUILD}_{_STAMP}s.nc4"


def write_lite(folder: str | os.PathLike[str], day: np.datetime64, world: World, *, every: int = 1) -> Path:
    """Observe a day and write its Lite file, whole or not at all.

    Parameters
    ----------
    folder : where the file goes; made if absent. An older file of the same day is replaced.
    day, world, every : see `observe_day`.

    Returns
    -------
    Path of the file, named as the provider names it.

    Raises
    ------
    ValueError : a day outside the years of the world, or one without any sounding.
    OSError : no room or no permission.
    """
    soundings = observe_day(world, day, every=every)
    if not len(soundings):
        raise ValueError(f"no sounding was made on {day}; take more frames.")
    target = Path(folder) / file_name(day)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        _write(part, soundings, world)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _write(path: Path, soundings: Soundings, world: World) -> None:
    import netCDF4

    count = len(soundings)
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts(_attributes(world))
        for name, size in (
            ("sounding_id", count),
            ("levels", 20),
            ("vertices", 4),
            ("bands", 3),
            ("epoch_dimension", 7),
            ("footprints", 8),
        ):
            file.createDimension(name, size)
        for name, size, kind in (
            ("levels", 20, "i2"),
            ("bands", 3, "u1"),
            ("vertices", 4, "u1"),
            ("epoch_dimension", 7, "u2"),
        ):
            file.createVariable(name, kind, (name,))[:] = np.arange(1, size + 1)
        for name, quantity in _root(soundings).items():
            _put(file, name, quantity, count)
        file.createDimension("source_files", 1)
        file.createVariable("source_files", str, ("source_files",))[:] = np.array(["simulated"], dtype=object)
        for group, quantities in group_quantities(soundings).items():
            within = file.createGroup(group)
            for name, (values, units, long_name) in quantities.items():
                _put(within, name, Quantity(values, units, long_name), count)


def _put(group: Any, name: str, quantity: Quantity, count: int) -> None:
    values = quantity.values
    fills = {"f": FILL, "i": {1: -127, 2: -9999, 4: -999999, 8: -999999}.get(values.dtype.itemsize, -1), "u": 0}
    noise = (
        values.dtype == np.float32 and values.ndim == 1
    )  # random digits: zlib would take most of the time and gain little
    variable = group.createVariable(
        name,
        values.dtype,
        ("sounding_id", *quantity.dims),
        zlib=not noise,
        complevel=1,
        chunksizes=(min(count, 20_000), *values.shape[1:]),
        fill_value=fills[values.dtype.kind],
    )
    variable.setncatts(
        {
            "units": quantity.units,
            "long_name": quantity.long_name,
            "missing_value": variable.dtype.type(fills[values.dtype.kind]),
        }
    )
    variable[:] = values


def _root(soundings: Soundings) -> dict[str, Quantity]:
    ms = soundings.time.astype("datetime64[ms]")
    retrieved, prior = soundings.xco2, (soundings.profiles.prior * soundings.profiles.weight).sum(axis=1)
    corner_lat, corner_lon = _corners(soundings)
    flag = soundings.bad.astype(np.int8)
    profiles = soundings.profiles

    def single(values: np.ndarray, units: str, long_name: str, *dims: str) -> Quantity:
        return Quantity(np.ascontiguousarray(values, dtype=np.float32), units, long_name, dims)

    return {
        "sounding_id": Quantity(soundings.sounding_id, "YYYYMMDDhhmmssmf", "OCO2 Sounding ID"),
        "time": Quantity(ms.astype(np.int64) / 1000.0, "seconds since 1970-01-01 00:00:00", "time"),
        "date": Quantity(_calendar(ms), "none", "Observation date and time matching sounding_id", ("epoch_dimension",)),
        "latitude": single(soundings.lat, "degrees_north", "latitude"),
        "longitude": single(soundings.lon, "degrees_east", "longitude"),
        "vertex_latitude": single(corner_lat, "degrees_north", "latitude of the corners", "vertices"),
        "vertex_longitude": single(corner_lon, "degrees_east", "longitude of the corners", "vertices"),
        "solar_zenith_angle": single(soundings.sun_zenith, "degrees", "solar zenith angle"),
        "sensor_zenith_angle": single(soundings.view_zenith, "degrees", "sensor zenith angle"),
        "xco2": single(x2007_from_x2019(retrieved), "ppm", "Bias-corrected XCO2 on X2007 scale"),
        "xco2_x2019": single(retrieved, "ppm", "Bias-corrected XCO2 on X2019 scale"),
        "xco2_uncertainty": single(soundings.uncertainty, "ppm", "XCO2_Posterior_Error"),
        "xco2_apriori": single(x2007_from_x2019(prior), "ppm", "A priori XCO2 Value"),
        "xco2_quality_flag": Quantity(flag, "none", "XCO2 quality flag: 0 good, 1 bad"),
        "xco2_qf_bitflag": Quantity(flag.astype(np.uint64) << np.uint64(20), "none", "XCO2 quality bits"),
        "xco2_qf_simple_bitflag": Quantity(flag.astype(np.uint8) << 3, "none", "XCO2 simple quality bits"),
        "co2_profile_apriori": single(x2007_from_x2019(profiles.prior), "ppm", "CO2 Apriori Profile", "levels"),
        "xco2_averaging_kernel": single(profiles.kernel, "none", "XCO2 Column Averaging Kernel", "levels"),
        "pressure_levels": single(profiles.pressure, "hPa", "Pressure_Levels", "levels"),
        "pressure_weight": single(profiles.weight, "none", "Pressure Weighting Function", "levels"),
        "file_index": Quantity(np.ones(len(soundings), np.uint8), "none", "L2 File Index"),
    }


def _calendar(ms: np.ndarray) -> np.ndarray:
    """(n, 7) int16: year, month, day, hour, minute, second, millisecond."""
    day = ms.astype("datetime64[D]")
    month, year = day.astype("datetime64[M]"), day.astype("datetime64[Y]")
    left = (ms - day).astype(np.int64)
    return np.stack(
        [
            year.astype(np.int64) + 1970,
            (month - year).astype(np.int64) + 1,
            (day - month).astype(np.int64) + 1,
            left // 3_600_000,
            left // 60_000 % 60,
            left // 1000 % 60,
            left % 1000,
        ],
        axis=1,
    ).astype(np.int16)


def _corners(soundings: Soundings) -> tuple[np.ndarray, np.ndarray]:
    """(n, 4) latitudes and longitudes of the corners, in order round the footprint."""
    across, along = 0.5 * np.array([-1, 1, 1, -1]) * FOOTPRINT_KM[0], 0.5 * np.array([-1, -1, 1, 1]) * FOOTPRINT_KM[1]
    return offset(
        soundings.lat[:, None], soundings.lon[:, None], soundings.heading[:, None], along[None, :], across[None, :]
    )


def _attributes(world: World) -> dict[str, Any]:
    def listed(biases: tuple[float, ...]) -> str:
        return "Footprint biases in xco2_raw [ppm] for footprints 1-8: " + ", ".join(f"{bias:.2f}" for bias in biases)

    return {
        **{key: value for key, value in ATTRS.items() if key != "title"},
        "title": "Simulated OCO-2 L2FP Lite Output",
        "Platform": "OCO-2",
        "Sensor": "OCO-2",
        "Conventions": "CF-1.7",
        "BuildId": "B11.2.10",
        "CollectionLabel": f"Lite_{_BUILD}_simulated",
        "gesdisc_collection": "11.2r",
        "seed": np.int32(world.seed),
        "simulated": np.int32(1),
        "Footprint_bias_land": listed(FOOTPRINT_BIAS_LAND),
        "Footprint_bias_oceanGL": listed(FOOTPRINT_BIAS_SEA),
    }
