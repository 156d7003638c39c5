"""GOSAT TANSO-FTS SWIR products of NIES: level 2 soundings, level 3 monthly maps, and a stack of such maps.

Layouts: NIES GOSAT Product Description (SWIR L2 CO2 V02, L3 global CO2 distribution V03), HDF5 with groups ``Data``,
``scanAttribute``, ``Attribute``, ``Global``; a missing value is named by the attribute ``invalidValue``. The level 2
retrieval has 15 layers of equal pressure thickness between top and surface, the top one first.

Which WMO scale the retrievals follow is not said in the files: the scale is "unknown".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product, canonical_grid
from data.errors import FileProblem
from data.readers import Reader
from data.readers.arrays import Arrays, arrays
from data.readers.opening import open_dataset, pack
from data.readers.periods import month, slug
from data.readers.points import Column, soundings
from data.readers.probe import Probe
from data.readers.times import decode_times
from data.readers.units import ppm_factor

_L2_FILE = "a GOSAT SWIR level 2 CO2 file: HDF5 with Data/mixingRatio/XCO2 and Data/geolocation"
_L3_FILE = (
    "a GOSAT SWIR level 3 CO2 file: HDF5 with Data/mixingRatio, Data/latticeInformation and Data/geolocation maps"
)
_STACK_FILE = "a stack of GOSAT SWIR level 3 maps: netCDF with xco2_interp and xco2_cell_mean on time, lat, lon"

_XCO2 = "Data/mixingRatio/XCO2"
_NOISES = ("XCO2RetrievalNoise", "XCO2InterferenceError", "XCO2SmoothingError")
_L2_QUANTITIES = {
    "land_fraction": ("Data/geolocation/landFraction", "%", "land in the footprint"),
    "altitude": ("Data/geolocation/height", "m", "surface altitude"),
    "airmass": ("Data/geolocation/airMass", "1", "air mass factor"),
    "solar_zenith_angle": ("Data/geolocation/solarZenith", "degrees", "solar zenith angle"),
    "sensor_zenith_angle": ("Data/geolocation/satelliteZenith", "degrees", "sensor zenith angle"),
    "surface_pressure": ("Data/auxiliaryParameter/surfacePressure", "hPa", "retrieved surface pressure"),
}
_L3_MAPS = {
    "xco2": ("Data/mixingRatio/XCO2BiasCorrected", "kriged map of bias-corrected XCO2"),
    "xco2_uncertainty": ("Data/mixingRatio/XCO2BiasCorrectedStandardError", "kriging standard error"),
    "xco2_cell_mean": ("Data/latticeInformation/XCO2BiasCorrectedAverage", "mean of the soundings in the cell"),
    "xco2_cell_median": ("Data/latticeInformation/XCO2BiasCorrectedMedian", "median of the soundings in the cell"),
    "xco2_cell_std": (
        "Data/latticeInformation/XCO2BiasCorrectedStandardDeviation",
        "standard deviation of the soundings in the cell",
    ),
    "n_soundings": ("Data/latticeInformation/numObservationPoints", "soundings in the cell"),
}
"""Canonical name -> place in the file, meaning."""

_STACK_NAMES = {"xco2_interp": "xco2", "xco2_interp_stderr": "xco2_uncertainty"}


# ------------------------------------------------------------------------------------------------------- recognition
def _is_l2(probe: Probe) -> bool:
    if re.match(r"(?i)GOSATTFTS\d{8}_02C0", probe.name):
        return True
    return probe.container == "hdf5" and probe.has(_XCO2, "scanAttribute/time")


def _is_l3(probe: Probe) -> bool:
    if re.match(r"(?i)GOSATTFTS\d{16}_03C0", probe.name):
        return True
    return probe.container == "hdf5" and probe.has(_XCO2, "Data/latticeInformation/numObservationPoints")


def _is_stack(probe: Probe) -> bool:
    return probe.container in ("hdf5", "netcdf3") and probe.has("xco2_interp", "xco2_cell_mean")


# ----------------------------------------------------------------------------------------------------------- level 2
def _version(file: Arrays, path: Path) -> str:
    """Product version as NIES writes it ("V02.80"), from the metadata or the file name ("...V0280...")."""
    for name in ("Global/metadata/productVersion", "Attribute/usedLevel2Info/version"):
        if name in file:
            found = re.search(r"V\d+\.\d+", str(file.texts(name).reshape(-1)[0]))
            if found:
                return found.group()
    named = re.search(r"V(\d\d)(\d\d)", path.name)
    return f"V{named.group(1)}.{named.group(2)}" if named else "unknown"


def _utc(texts: np.ndarray) -> np.ndarray:
    """(n,) datetime64[ns] from "2018-11-01 00:32:15.574"; NaT where it is no date."""
    import pandas as pd

    return pd.to_datetime(pd.Series(texts), errors="coerce", format="ISO8601").to_numpy().astype("datetime64[ns]")


def read_l2(path: Path) -> Product:
    """One day of level 2 soundings with kernel, prior and weights of the 15 layers."""
    with arrays(path, _L2_FILE) as file:
        needed = {"lat": "Data/geolocation/latitude", "lon": "Data/geolocation/longitude", "time": "scanAttribute/time"}
        for name in (_XCO2, *needed.values()):
            if name not in file:
                raise FileProblem(path, expected=_L2_FILE, found=f"no {name}", remedy="download it again")
        values = file.numbers(_XCO2).reshape(-1)
        factor = ppm_factor(values, file.attributes(_XCO2).get("unit"), path, _XCO2)
        screening = file.find("Data/retrievalQuality/totalPostScreeningResult")
        dataset = soundings(
            path,
            expected=_L2_FILE,
            time=_utc(file.texts(needed["time"])),
            lat=file.numbers(needed["lat"]),
            lon=file.numbers(needed["lon"]),
            quality=(file.raw(screening) != 0).astype(np.int8) if screening else None,
            columns=_l2_columns(file, values * factor, factor),
            main="xco2",
        )
        version = _version(file, path)
    return pack(
        "soundings",
        dataset,
        reader="gosat_l2",
        collection=f"gosat-l2-{slug(version)}",
        path=path,
        title=f"GOSAT SWIR XCO2 soundings, NIES {version}",
        instrument="GOSAT",
        version=version,
        catalog="gosat-l2",
        note=str(dataset.attrs.get("note", "")),
    )


def _l2_columns(file: Arrays, xco2: np.ndarray, factor: float) -> dict[str, Column]:
    count = xco2.size
    columns: dict[str, Column] = {
        "xco2": (xco2, {"units": "ppm", "standard_name": "dry_atmosphere_mole_fraction_of_carbon_dioxide"})
    }
    parts = [file.numbers(f"Data/mixingRatio/{name}") for name in _NOISES if f"Data/mixingRatio/{name}" in file]
    total = np.sqrt(np.sum(np.square(parts), axis=0)) if parts else np.full(count, np.nan, np.float32)
    meaning = "root of the summed squares of retrieval noise, interference and smoothing error"
    columns["xco2_uncertainty"] = (total * factor, {"units": "ppm", "long_name": meaning})
    if "scanAttribute/referenceData/XCO2" in file:
        columns["xco2_prior"] = (file.numbers("scanAttribute/referenceData/XCO2") * factor, {"units": "ppm"})
    for ours, (name, unit, long_name) in _L2_QUANTITIES.items():
        if name in file and file.shape(name) == (count,):
            columns[ours] = (file.numbers(name), {"units": unit, "long_name": long_name})
    if "land_fraction" in columns:
        percent = columns["land_fraction"][0]
        with np.errstate(invalid="ignore"):  # NIES takes 60 % and more as land
            surface = np.select([percent >= 60, percent == 0], [1, 0], -1).astype(np.int8)
        columns["surface_type"] = (surface, {"long_name": "ocean land unknown"})
    glint = file.find("scanAttribute/sensor/sunglintModeFlag", "Data/geolocation/sunglintFlag")
    if glint:
        columns["mode"] = (_mode(file, glint), {"long_name": "0 nadir, 1 glint, 2 target, -1 unknown"})
    return columns | _layers(file, count)


def _mode(file: Arrays, glint: str) -> np.ndarray:
    """Glint where the sensor looked for it; pointed at a place ("SPOD") is target, the grid pattern ("OB1D") nadir."""
    flags = file.codes(glint)
    name = "scanAttribute/sensor/observationMode"
    pointed = np.char.startswith(file.texts(name), "SP") if name in file else np.zeros(flags.shape, dtype=bool)
    return np.where(flags == 1, 1, np.where(flags == 0, np.where(pointed, 2, 0), -1)).astype(np.int8)


def _layers(file: Arrays, count: int) -> dict[str, Column]:
    """Kernel, prior, weights and pressure (count, 15), the top of the atmosphere first as in the file."""
    found: dict[str, Column] = {}
    for ours, name, attrs in (
        ("averaging_kernel", "Data/retrievalQuality/columnAveragingKernel", {"units": "1"}),
        ("co2_prior", "scanAttribute/referenceData/CO2Profile", {"units": "ppm"}),
    ):
        if name in file and file.shape(name)[:1] == (count,):
            found[ours] = (file.numbers(name), attrs)
    name = "scanAttribute/referenceData/dryAirPartialColumn"
    if name in file and file.shape(name)[:1] == (count,):
        dry = file.numbers(name).astype(np.float64)
        weight = dry / dry.sum(axis=1, keepdims=True)
        found["pressure_weight"] = (weight.astype(np.float32), {"units": "1", "long_name": "dry air of each layer"})
    name = "Data/auxiliaryParameter/surfacePressure"
    if found and name in file:
        layers = next(iter(found.values()))[0].shape[1]
        middle = (np.arange(layers) + 0.5) / layers
        pressure = file.numbers(name)[:, None] * middle.astype(np.float32)
        found["pressure"] = (pressure, {"units": "hPa", "long_name": "middle of layers of equal pressure thickness"})
    return found


# ----------------------------------------------------------------------------------------------------------- level 3
def read_l3(path: Path) -> Product:
    """One month on 2.5 degrees: kriged map with its error; mean, median, spread and number of soundings in cells."""
    with arrays(path, _L3_FILE) as file:
        for name in ("Data/geolocation/latitude", "Data/geolocation/longitude", _L3_MAPS["xco2"][0]):
            if name not in file:
                raise FileProblem(path, expected=_L3_FILE, found=f"no {name}", remedy="download it again")
        lat, lon = _axes(file, path)
        maps = {}
        for ours, (name, meaning) in _L3_MAPS.items():
            if name not in file:
                continue
            values = file.numbers(name).astype(np.float32)
            unit = "1" if ours == "n_soundings" else "ppm"
            if unit == "ppm" and np.isfinite(values).any():
                sample = values if ours in ("xco2", "xco2_cell_mean", "xco2_cell_median") else np.empty(0)
                values = values * np.float32(ppm_factor(sample, file.attributes(name).get("unit"), path, name))
            maps[ours] = (("time", "lat", "lon"), values[None], {"units": unit, "long_name": meaning})
        if not any(np.isfinite(maps[name][1]).any() for name in maps if name != "n_soundings"):
            raise FileProblem(path, expected=_L3_FILE, found="a map without values", remedy="choose another month")
        version, when = _version(file, path), _l3_month(file, path)
    dataset = canonical_grid(xr.Dataset(maps, coords={"time": [when], "lat": lat, "lon": lon}))
    return _pack_maps(dataset, path, version, "gosat_l3")


def _axes(file: Arrays, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(nlat,), (nlon,) centres from two-dimensional positions, whichever way round they are stored."""
    lat, lon = file.numbers("Data/geolocation/latitude"), file.numbers("Data/geolocation/longitude")
    if lat.ndim == 1 and lon.ndim == 1:
        return lat, lon
    rows = np.nanmean(lat, axis=1), np.nanmean(lon, axis=0)
    if (
        lat.ndim == 2
        and np.allclose(lat, rows[0][:, None], equal_nan=True)
        and np.allclose(lon, rows[1], equal_nan=True)
    ):
        return rows
    raise FileProblem(
        path, expected=_L3_FILE, found="latitudes and longitudes that are no regular grid", remedy="download it again"
    )


def _l3_month(file: Arrays, path: Path) -> np.datetime64:
    """Middle of the month that the map stands for."""
    names = ("Attribute/metadata/year", "Attribute/metadata/month")
    if all(name in file for name in names):
        year, number = (int(file.raw(name).reshape(-1)[0]) for name in names)
        if 1900 < year < 2200 and 1 <= number <= 12:
            return month(np.datetime64(f"{year:04d}-{number:02d}")).middle
    named = re.match(r"(?i)GOSATTFTS((?:19|20)\d\d)(0[1-9]|1[0-2])", path.name)  # first and last day follow each other
    if named is None:
        raise FileProblem(
            path,
            expected=_L3_FILE,
            found="no month, neither inside nor in the file name",
            remedy="restore its file name",
        )
    return month(np.datetime64(f"{named.group(1)}-{named.group(2)}")).middle


def read_stack(path: Path) -> Product:
    """Many months of level 3 in one netCDF, with the names of `read_l3`; each month at its middle."""
    source = open_dataset(path, expected=_STACK_FILE)
    found = {
        str(name): _STACK_NAMES.get(str(name), str(name))
        for name in source.data_vars
        if set(source[name].dims) == {"time", "lat", "lon"}
    }
    if not {"xco2", "xco2_cell_mean"} <= set(found.values()) or "time" not in source:
        raise FileProblem(path, expected=_STACK_FILE, found="no xco2_interp on time, lat, lon", remedy="make it again")
    times = decode_times(source["time"], None)
    if times is None or times.size == 0:
        raise FileProblem(
            path, expected=_STACK_FILE, found="no times", remedy="give `time` units such as days since 2009-06-01"
        )
    dataset = source[list(found)].rename(found).astype(np.float32).assign_coords(time=[month(t).middle for t in times])
    for name in found.values():
        values = dataset[name]
        attrs = source[next(key for key, ours in found.items() if ours == name)].attrs
        unit = "1" if name == "n_soundings" else "ppm"
        if unit == "ppm":
            sample = values.isel(time=0).to_numpy() if name in ("xco2", "xco2_cell_mean") else np.empty(0)
            dataset[name] = values * np.float32(ppm_factor(sample, attrs.get("units"), path, name))
        dataset[name].attrs = {"units": unit, "long_name": str(attrs.get("long_name", name))}
    stated = re.search(r"V\d+\.\d+", str(source.attrs.get("title", "")))
    return _pack_maps(canonical_grid(dataset), path, stated.group() if stated else "unknown", "gosat_l3_stack")


def _pack_maps(dataset: xr.Dataset, path: Path, version: str, reader: str) -> Product:
    return pack(
        "grid",
        dataset,
        reader=reader,
        collection=f"gosat-l3-{slug(version)}",
        path=path,
        title=f"GOSAT SWIR level 3 XCO2, NIES {version}",
        instrument="GOSAT",
        version=version,
        catalog="gosat-l3",
        period="month",
    )


READERS = [
    Reader("gosat_l2", "soundings", _L2_FILE, _is_l2, read_l2),
    Reader("gosat_l3", "grid", _L3_FILE, _is_l3, read_l3),
    Reader("gosat_l3_stack", "grid", _STACK_FILE, _is_stack, read_stack),
]
