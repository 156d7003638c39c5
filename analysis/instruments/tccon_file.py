"""Write a simulated site series as a GGG2020 public netCDF file: the names, dimensions, types and units of the real
one.

Layout: TCCON GGG2020 data description (doi 10.14291/TCCON.GGG2020). Only the attributes tell it from a real file:
`title` begins with "Simulated", `simulated` is 1. Gases other than CO2 are left out.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from analysis.instruments.tccon import LEVELS, SiteSeries
from analysis.world import ATTRS

_X2007_OVER_X2019 = 0.99989
"""GGG2020's `xco2` over its `xco2_x2019`: another calibration factor and another share of oxygen."""


def file_name(series: SiteSeries) -> str:
    """XXYYYYMMDD_YYYYMMDD.public.qc.nc, of the first and last day."""
    first, last = (str(moment.astype("datetime64[D]")).replace("-", "") for moment in (series.time[0], series.time[-1]))
    return f"{series.id}{first}_{last}.public.qc.nc"


def write_tccon(folder: str | os.PathLike[str], series: SiteSeries) -> Path:
    """Write one site's file, whole or not at all, and return its path.

    Raises
    ------
    ValueError : a series without measurements.
    OSError : no room or no permission.
    """
    if not len(series):
        raise ValueError(f"the site {series.name} has no measurement in this period; choose another one.")
    target = Path(folder) / file_name(series)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        _write(part, series)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _write(path: Path, series: SiteSeries) -> None:
    import netCDF4

    count = len(series)
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts(_attributes(series))
        for name, size in (("time", count), ("prior_altitude", LEVELS), ("ak_altitude", LEVELS)):
            file.createDimension(name, size)
        for name, (values, dims, attributes) in _variables(series).items():
            values = np.ascontiguousarray(values)
            fill = np.nan if values.dtype.kind == "f" else None
            variable = file.createVariable(
                name, values.dtype, dims, zlib=True, complevel=1, shuffle=True, fill_value=fill
            )
            variable.setncatts({"long_name": name.replace("_", " "), **attributes})
            variable[:] = values


def _attributes(series: SiteSeries) -> dict[str, Any]:
    return {
        **{key: value for key, value in ATTRS.items() if key not in ("title", "source")},
        "title": "Simulated TCCON column-average dry-air mole fractions",
        "source": f"{ATTRS['source']}; layout of products retrieved with GGG2020",
        "long_name": series.name,
        "short_location": series.long_name,
        "location": series.long_name,
        "file_format_version": "2020.B",
        "data_revision": "simulated",
        "simulated": np.int32(1),
    }


def _variables(series: SiteSeries) -> dict[str, tuple[np.ndarray, tuple[str, ...], dict[str, Any]]]:
    count = len(series)
    single, per_prior, per_kernel = ("time",), ("time", "prior_altitude"), ("time", "ak_altitude")
    day = series.time.astype("datetime64[D]")
    year = day.astype("datetime64[Y]")
    hours = (series.time - day) / np.timedelta64(1, "h")
    column = "column_average_dry_atmosphere_mole_fraction_of_carbon_dioxide"

    def same(value: float) -> np.ndarray:
        return np.full(count, value, np.float32)

    def f4(values: np.ndarray) -> np.ndarray:
        return np.asarray(values, dtype=np.float32)

    weight = _operator(series)
    x2007 = {"units": "ppm", "standard_name": column, "wmo_or_analogous_scale": "WMO CO2 X2007"}
    x2019 = {"units": "ppm", "standard_name": column, "wmo_or_analogous_scale": "WMO CO2 X2019"}
    wet = {"units": "ppm", "standard_name": "wet_atmosphere_mole_fraction_of_carbon_dioxide"}
    seconds = {"units": "seconds since 1970-01-01", "calendar": "gregorian", "standard_name": "time"}
    return {
        "time": (series.time.astype(np.int64) / 1e9, single, seconds),
        "prior_altitude": (series.heights_km, ("prior_altitude",), {"units": "km", "standard_name": "altitude"}),
        "ak_altitude": (series.heights_km, ("ak_altitude",), {"units": "km", "standard_name": "altitude"}),
        "ak_pressure": (series.pressure_hpa[0], ("ak_altitude",), {"units": "hPa", "standard_name": "air_pressure"}),
        "ak_xco2": (series.kernel, per_kernel, {"units": "1", "ancillary_variables": "extrapolation_flags_ak_xco2"}),
        "extrapolation_flags_ak_xco2": (
            np.zeros(count, np.int8),
            single,
            {"flag_values": np.array([-2, -1, 0, 1, 2], np.int8)},
        ),
        "year": ((year.astype(np.int64) + 1970).astype(np.int16), single, {"units": "years"}),
        "day": (((day - year).astype(np.int64) + 1).astype(np.int16), single, {"units": "days"}),
        "hour": (f4(hours), single, {"units": "hours"}),
        "lat": (same(series.lat), single, {"units": "degrees_north", "standard_name": "latitude"}),
        "long": (same(series.lon), single, {"units": "degrees_east", "standard_name": "longitude"}),
        "zobs": (same(series.altitude_m / 1000.0), single, {"units": "km", "standard_name": "altitude"}),
        "zmin": (same(series.altitude_m / 1000.0), single, {"units": "km"}),
        "solzen": (f4(series.sun_zenith), single, {"units": "degrees", "standard_name": "solar_zenith_angle"}),
        "azim": (f4(series.sun_azimuth), single, {"units": "degrees", "standard_name": "solar_azimuth_angle"}),
        "pout": (f4(series.pressure_hpa[:, 0]), single, {"units": "hPa"}),
        "xluft": (same(1.0), single, {"units": "1"}),
        "xco2": (f4(series.xco2 * _X2007_OVER_X2019), single, x2007),
        "xco2_error": (f4(series.error), single, {"units": "ppm"}),
        "xco2_x2019": (f4(series.xco2), single, x2019),
        "xco2_error_x2019": (f4(series.error), single, {"units": "ppm"}),
        "prior_pressure": (
            series.pressure_hpa / np.float32(1013.25),
            per_prior,
            {"units": "atm", "standard_name": "air_pressure"},
        ),
        "prior_h2o": (np.zeros((count, LEVELS), np.float32), per_prior, {"units": "1"}),
        "prior_co2": (series.prior_profile, per_prior, wet),
        "prior_xco2": (f4(series.prior * _X2007_OVER_X2019), single, x2007),
        "prior_xco2_x2019": (f4(series.prior), single, x2019),
        "integration_operator": (weight, per_prior, {"units": "1"}),
        "integration_operator_x2019": (weight, per_prior, {"units": "1"}),
    }


def _operator(series: SiteSeries) -> np.ndarray:
    """(n, levels) float32 weights by pressure thickness; they sum to one."""
    pressure = series.pressure_hpa[0].astype(np.float64)
    edges = np.concatenate([[pressure[0]], 0.5 * (pressure[1:] + pressure[:-1]), [0.0]])
    share = -np.diff(edges) / pressure[0]
    return np.broadcast_to(share.astype(np.float32), (len(series), LEVELS))
