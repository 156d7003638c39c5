"""OCO-2 and OCO-3 Lite files (XCO2 and SIF), and what shares their layout: ACOS/GOSAT Lite, TanSat, GES DISC subsets.

Layout: OCO-2 v11.2 / OCO-3 v11 Data User's Guide (NASA GES DISC, 2025): root arrays along ``sounding_id`` with profiles
from space to surface, and groups ``Retrieval`` and ``Sounding``. Everything but position, time and XCO2 may be absent.

The column is ``xco2`` as the file calls it, with its WMO scale as attribute; where the same file also has
``xco2_x2019`` this is kept under that name. The two are never mixed.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.arrays import Arrays, Attributes, arrays
from data.readers.opening import pack
from data.readers.periods import slug
from data.readers.points import Column, soundings, times_from_ids
from data.readers.probe import Probe
from data.readers.simulated import SIMULATED_CATALOG, is_simulated
from data.readers.times import decode_times
from data.readers.units import ppm_factor, to_ppm

_XCO2_FILE = "an XCO2 Lite file: netCDF-4 with time, latitude, longitude and xco2 of each sounding"
_SIF_FILE = "an OCO-2 or OCO-3 SIF Lite file: netCDF-4 with Latitude, Longitude and SIF_740nm of each sounding"
_LAT, _LON = (
    ("latitude", "lat", "Latitude", "Geolocation/latitude"),
    ("longitude", "lon", "Longitude", "Geolocation/longitude"),
)
_NAMES = {"OCO-2": "oco2", "OCO-3": "oco3", "GOSAT": "acos-gosat", "TanSat": "tansat"}
_CATALOG = {"OCO-2": "oco2-lite", "OCO-3": "oco3-lite", "GOSAT": "acos-gosat-lite", "TanSat": "tansat-xco2"}

_PROFILES = {
    "averaging_kernel": (("xco2_averaging_kernel", "averaging_kernel"), "1", "column averaging kernel"),
    "pressure_weight": (("pressure_weight", "pressure_weights"), "1", "weight of each level in the column"),
    "co2_prior": (("co2_profile_apriori",), "ppm", "prior CO2 profile"),
    "pressure": (("pressure_levels",), "hPa", "pressure of each level"),
}
"""Canonical name -> names in files, unit, meaning."""

_QUANTITIES = {
    "xco2_raw": (("Retrieval/xco2_raw", "xco2_raw"), "ppm", "XCO2 before bias correction"),
    "surface_pressure": (("Retrieval/psurf", "surface_pressure"), "hPa", "retrieved surface pressure"),
    "aod_total": (("Retrieval/aod_total", "aod"), "1", "total aerosol optical depth"),
    "airmass": (("Sounding/airmass", "airmass"), "1", "air mass factor"),
    "altitude": (("Sounding/altitude", "altitude"), "m", "surface altitude"),
    "land_fraction": (("Sounding/land_fraction", "land_fraction"), "%", "land in the footprint"),
    "solar_zenith_angle": (("solar_zenith_angle",), "degrees", "solar zenith angle"),
    "sensor_zenith_angle": (("sensor_zenith_angle",), "degrees", "sensor zenith angle"),
}
_SIF_QUANTITIES = {
    "sif_740nm": ("SIF_740nm", "Science/SIF_740nm"),
    "sif_740nm_uncertainty": ("SIF_Uncertainty_740nm", "Science/SIF_Uncertainty_740nm"),
    "daily_sif_740nm": ("Daily_SIF_740nm", "Science/Daily_SIF_740nm"),
    "daily_sif_757nm": ("Daily_SIF_757nm", "Science/Daily_SIF_757nm"),
    "daily_sif_771nm": ("Daily_SIF_771nm", "Science/Daily_SIF_771nm"),
    "sif_757nm": ("Science/SIF_757nm", "SIF_757nm"),
    "sif_771nm": ("Science/SIF_771nm", "SIF_771nm"),
}
_SIF_UNIT = "W m-2 sr-1 um-1"
_SIF_MODES = {0: 0, 1: 1, 2: 2, 3: 4, 4: 3}
"""SIF Lite numbers area mapping 3 and transition 4, XCO2 Lite and we the other way round."""


# ------------------------------------------------------------------------------------------------------- recognition
def _is_xco2(probe: Probe) -> bool:
    if _named_xco2(probe):
        return True
    if probe.container not in ("hdf5", "netcdf3"):
        return False
    column = probe.variables.get("xco2") or probe.variables.get("xco2_x2019")
    lat = next((probe.variables[name] for name in _LAT[:2] if name in probe.variables), None)
    placed = lat is not None and any(name in probe.variables for name in _LON[:2])
    return column is not None and placed and lat is not None and len(column.shape) == 1 and column.shape == lat.shape


def _named_xco2(probe: Probe) -> bool:
    named = re.match(r"(?i)(oco[23]|acos)_LtCO2_", probe.name)
    return named is not None and not probe.name.lower().endswith((".csv", ".txt"))


def _is_sif(probe: Probe) -> bool:
    if re.match(r"(?i)oco[23]_LtSIF_", probe.name):
        return True
    if _named_xco2(probe):  # to look at its hundred variables takes a tenth of the time that reading it takes
        return False
    if probe.container != "hdf5":
        return False
    named = any(name in probe.variables for names in _SIF_QUANTITIES.values() for name in names)
    return named and any(name in probe.variables for name in _LAT)


# ------------------------------------------------------------------------------------------------------------- facts
def _instrument(path: Path, attrs: Attributes) -> str:
    """Instrument from the attributes that name one, then from the file name, then from the title."""
    stated = [
        str(attrs.get(key, "")) for key in ("Platform", "platform", "Sensor", "sensor", "instrument", "satellite")
    ]
    for text in (*stated, path.name, str(attrs.get("title", ""))):
        for pattern, name in (
            (r"oco-?3", "OCO-3"),
            (r"oco-?2", "OCO-2"),
            (r"tansat", "TanSat"),
            (r"gosat|acos_", "GOSAT"),
        ):
            if re.search(pattern, text, re.IGNORECASE):
                return name
    return "unknown"


def _version(path: Path, attrs: Attributes, instrument: str) -> str:
    """Collection as NASA names it ("11.2r"): from the attribute, the subsetter's history, or the build."""
    stated = re.search(r"\d+(?:\.\d+)?r", str(attrs.get("gesdisc_collection", "")))
    subset = re.search(r"Lite_(?:FP|SIF)[._](\d+(?:\.\d+)?r)", str(attrs.get("history", "")))
    if stated or subset:
        return stated.group() if stated else subset.group(1)  # type: ignore[union-attr]
    for text in (path.name, *(str(attrs.get(key, "")) for key in ("input_file", "CollectionLabel", "BuildId"))):
        build = re.search(r"(?:^|_)B(\d{4,5})(?!\d)|(?:^|_)B(\d{1,2})\.(\d)", text)  # B11210Ar, B9213A, B11.2.10
        if build:
            digits = build.group(1) or f"{build.group(2)}{build.group(3)}00"
            major, minor = int(digits[:-3]), digits[-3]
            # OCO-2 build 10.2 and ACOS build 9.2 are published as collections 10r and 9r
            whole = minor == "0" or (instrument == "OCO-2" and major == 10) or major < 10
            return f"{major}r" if whole else f"{major}.{minor}r"
    return str(attrs.get("product_version", attrs.get("version", "unknown")))


def _scale(name: str, attrs: Attributes, instrument: str) -> str:
    """WMO scale of a column: from its name, its attributes, else X2007, the only one that ACOS had until v11."""
    if name.endswith("_x2019"):
        return "X2019"
    for key in ("wmo_or_analogous_scale", "long_name", "comment", "description"):
        found = re.search(r"X(2007|2019)", str(attrs.get(key, "")))
        if found:
            return found.group()
    return "X2007" if instrument in ("OCO-2", "OCO-3", "GOSAT") else "unknown"


def _labelled(dataset: xr.Dataset, collection: str, instrument: str, attrs: Attributes) -> tuple[str, str]:
    """Collection and instrument; simulated soundings never share either with real ones."""
    dataset.attrs["simulated"] = is_simulated(attrs)
    if dataset.attrs["simulated"]:
        return f"simulated-{collection}", f"{instrument} (simulated)"
    return collection, instrument


# ------------------------------------------------------------------------------------------------------------ arrays
def _along(file: Arrays, name: str, count: int, dim: str) -> np.ndarray:
    """Values (count, levels) of a two-dimensional array stored either way round."""
    values = file.numbers(name)
    if values.ndim == 1:  # the same profile for all soundings
        return np.broadcast_to(values, (count, values.size)).copy()
    if values.shape[0] != count or (values.shape[1] == count and dim and file.dims(name)[1] == dim):
        values = np.ascontiguousarray(values.T)
    return values


def _clock(file: Arrays, ids: np.ndarray | None, count: int, *names: str) -> np.ndarray:
    """(count,) times from an axis with CF units, else from each sounding's calendar date, else from identifiers."""
    name = file.find(*names)
    if name is not None and file.shape(name) == (count,):
        stated = {key: file.attributes(name).get(key) for key in ("units", "calendar") if key in file.attributes(name)}
        times = decode_times(xr.DataArray(file.numbers(name), dims="n", attrs=stated), None)
        if times is not None:
            return times
    if "date" in file and file.shape("date") == (count, 7):
        parts = np.nan_to_num(file.numbers("date"))
        ms = ((parts[:, 3] * 60 + parts[:, 4]) * 60 + parts[:, 5]) * 1000 + parts[:, 6]
        months = ((parts[:, 0] - 1970) * 12 + parts[:, 1] - 1).astype(np.int64).astype("datetime64[M]")
        days = months.astype("datetime64[D]") + (parts[:, 2] - 1).astype("timedelta64[D]")
        times = days.astype("datetime64[ns]") + ms.astype("timedelta64[ms]")
        return np.where(parts[:, 0] > 1900, times, np.datetime64("NaT", "ns"))
    return times_from_ids(ids) if ids is not None else np.full(count, np.datetime64("NaT", "ns"))


def _surface(file: Arrays) -> np.ndarray | None:
    """0 ocean, 1 land, -1 unknown, from whichever of three ways the file says it."""
    if name := file.find("Retrieval/surface_type", "surface_type"):
        return file.codes(name, {0: 0, 1: 1})
    if name := file.find("Sounding/land_water_indicator", "land_water_indicator"):
        return file.codes(name, {0: 1, 1: 0, 2: 0})  # 3 is a mixture
    if name := file.find("Sounding/land_fraction", "land_fraction"):
        percent = file.numbers(name)
        with np.errstate(invalid="ignore"):
            return np.select([percent >= 60, percent <= 20], [1, 0], -1).astype(np.int8)
    return None


# ----------------------------------------------------------------------------------------------------------- reading
def read_xco2(path: Path) -> Product:
    """One Lite file as soundings; see `data.canonical` for the variables."""
    with arrays(path, _XCO2_FILE) as file:
        named = file.find("xco2", "xco2_x2019")
        lat, lon = file.find(*_LAT[:2]), file.find(*_LON[:2])
        if named is None or lat is None or lon is None:
            absent = next(
                word for word, name in (("xco2", named), ("latitude", lat), ("longitude", lon)) if name is None
            )
            raise FileProblem(path, expected=_XCO2_FILE, found=f"no variable {absent!r}", remedy="download it again")
        instrument = _instrument(path, file.attrs)
        count = int(np.prod(file.shape(named)))
        dim = file.dims(named)[0] if count and len(file.shape(named)) == 1 else ""
        ids = _identifiers(file, "sounding_id", count)
        columns = _xco2_columns(file, path, named, count, dim)
        digits = ids is not None and instrument in ("OCO-2", "OCO-3") and bool((ids >= 10**15).all())
        if "footprint" not in columns and digits:
            columns["footprint"] = ((np.asarray(ids) % 10).astype(np.int8), {"long_name": "footprint across the swath"})
        dataset = soundings(
            path,
            expected=_XCO2_FILE,
            time=_clock(file, ids, count, "time", "Time"),
            lat=file.numbers(lat).reshape(-1),
            lon=file.numbers(lon).reshape(-1),
            ids=ids,
            quality=file.codes("xco2_quality_flag", {0: 0, 1: 1}) if "xco2_quality_flag" in file else None,
            columns=columns,
            main="xco2",
        )
        version = _version(path, file.attrs, instrument)
        scale = _scale(named, file.attributes(named), instrument)
        short = _NAMES.get(instrument, "xco2")
        collection = f"{short}-lite-v{slug(version)}" if version != "unknown" else f"{short}-lite"
        collection += "-x2019" if named.endswith("_x2019") else ""
        collection += "-binned" if "bins" in file.attrs else ""
        collection, labelled = _labelled(dataset, collection, instrument, file.attrs)
        return pack(
            "soundings",
            dataset,
            reader="oco_lite",
            collection=collection,
            path=path,
            title=f"{labelled} XCO2 soundings, Lite {version}",
            instrument=labelled,
            version=version,
            scale=scale,
            catalog=SIMULATED_CATALOG if dataset.attrs["simulated"] else _CATALOG.get(instrument, "unknown"),
            note=str(dataset.attrs.get("note", "")),
            source_title=str(file.attrs.get("title", "")),
            doi=str(file.attrs.get("identifier_product_doi", "")),
        )


def _identifiers(file: Arrays, name: str, count: int) -> np.ndarray | None:
    """(count,) int64 identifiers, from integers, floats or digits as text."""
    if name not in file or file.shape(name) != (count,):
        return None
    raw = file.raw(name)
    if raw.dtype.kind in "iu":
        return raw.astype(np.int64)
    if raw.dtype.kind == "f":
        return np.where(np.isfinite(raw) & (raw > 0), raw, 0).astype(np.int64)
    digits = file.texts(name)
    return digits.astype(np.int64) if count and np.char.isdigit(digits).all() else None


def _xco2_columns(file: Arrays, path: Path, named: str, count: int, dim: str) -> dict[str, Column]:
    """Everything on soundings beside time, place and quality."""
    values = file.numbers(named).reshape(-1)
    units = file.attributes(named).get("units")
    factor = ppm_factor(values, units, path, named)
    columns: dict[str, Column] = {
        "xco2": (
            to_ppm(values, units, path, named),
            {"units": "ppm", "standard_name": "dry_atmosphere_mole_fraction_of_carbon_dioxide"},
        )
    }
    uncertainty = file.find("xco2_uncertainty", "xco2_uncertainty_x2019", "uncertainty")
    stated = file.numbers(uncertainty).reshape(-1) * factor if uncertainty else np.full(count, np.nan, np.float32)
    columns["xco2_uncertainty"] = (stated, {"units": "ppm"})
    for name, ours in (("xco2_apriori", "xco2_prior"), ("xco2_x2019", "xco2_x2019")):
        if name in file and name != named and file.shape(name) == (count,):
            theirs = file.attributes(name).get("units")
            columns[ours] = (to_ppm(file.numbers(name), theirs, path, name), {"units": "ppm"})
    if "xco2_x2019" in columns:
        columns["xco2_x2019"][1]["scale"] = "X2019"  # type: ignore[index]
    for ours, (names, unit, meaning) in _QUANTITIES.items():
        found = file.find(*names)
        if found and file.shape(found) == (count,):
            columns[ours] = (file.numbers(found), {"units": unit, "long_name": meaning})
    surface = _surface(file)
    for ours, codes, meanings in (
        ("surface_type", surface, "ocean land unknown"),
        (
            "mode",
            _codes(file, "Sounding/operation_mode", "operation_mode"),
            "0 nadir, 1 glint, 2 target, 3 transition, 4 area",
        ),
        ("footprint", _codes(file, "Sounding/footprint", "footprint"), "footprint across the swath"),
    ):
        if codes is not None and codes.shape == (count,):
            columns[ours] = (codes, {"long_name": meanings})
    if "mode" in columns:
        codes = columns["mode"][0]
        columns["mode"] = (np.where(codes <= 4, codes, -1).astype(np.int8), columns["mode"][1])
    return columns | _profiles(file, path, count, dim)


def _codes(file: Arrays, *names: str) -> np.ndarray | None:
    name = file.find(*names)
    return None if name is None else file.codes(name)


def _profiles(file: Arrays, path: Path, count: int, dim: str) -> dict[str, Column]:
    """Kernel, weights, prior and pressure (count, level), all turned so that the top of the atmosphere comes first."""
    found: dict[str, Column] = {}
    for ours, (names, unit, meaning) in _PROFILES.items():
        name = file.find(*names)
        if name is None or count == 0 or len(file.shape(name)) > 2:
            continue
        values = _along(file, name, count, dim)
        stated = str(file.attributes(name).get("units", ""))
        if unit == "ppm":
            values = to_ppm(values, stated, path, name)
        elif unit == "hPa" and stated.strip().lower() in ("pa", "pascal"):
            values = values * 0.01
        found[ours] = (values, {"units": unit, "long_name": meaning})
    if "pressure" in found:
        pressure = found["pressure"][0]
        with np.errstate(invalid="ignore"):
            upside_down = bool(np.nansum(pressure[:, 0] - pressure[:, -1]) > 0)
        if upside_down:
            found = {name: (np.ascontiguousarray(values[:, ::-1]), attrs) for name, (values, attrs) in found.items()}
    return found


def read_sif(path: Path) -> Product:
    """One SIF Lite file as soundings with ``sif_740nm`` and its fellows in W m-2 sr-1 um-1."""
    with arrays(path, _SIF_FILE) as file:
        lat, lon = file.find("Latitude", *_LAT), file.find("Longitude", *_LON)
        found = {ours: name for ours, names in _SIF_QUANTITIES.items() if (name := file.find(*names))}
        main = next(
            (name for name in ("sif_740nm", "daily_sif_740nm", "sif_757nm", "daily_sif_757nm") if name in found), None
        )
        if lat is None or lon is None or main is None:
            absent = "SIF_740nm" if main is None else "Latitude" if lat is None else "Longitude"
            raise FileProblem(path, expected=_SIF_FILE, found=f"no variable {absent!r}", remedy="download it again")
        instrument = _instrument(path, file.attrs)
        count = int(np.prod(file.shape(found[main])))
        ids = _identifiers(file, "Metadata/SoundingId", count)
        columns: dict[str, Column] = {
            ours: (file.numbers(name), {"units": str(file.attributes(name).get("units") or _SIF_UNIT)})
            for ours, name in found.items()
            if file.shape(name) == (count,)
        }
        if name := file.find("SZA"):
            columns["solar_zenith_angle"] = (file.numbers(name), {"units": "degrees"})
        if name := file.find("Metadata/MeasurementMode"):
            meaning = "0 nadir, 1 glint, 2 target, 3 transition, 4 area"
            columns["mode"] = (file.codes(name, _SIF_MODES), {"long_name": meaning})
        if name := file.find("Metadata/FootprintId"):
            columns["footprint"] = (file.codes(name), {"long_name": "footprint across the swath"})
        if name := file.find("Cloud/cloud_flag_abp"):
            columns["cloud_flag"] = (
                file.codes(name, {0: 0, 1: 1}),
                {"long_name": "0 clear, 1 cloudy, -1 not classified"},
            )
        dataset = soundings(
            path,
            expected=_SIF_FILE,
            time=_clock(file, ids, count, "Delta_Time", "Geolocation/time_tai93", "time"),
            lat=file.numbers(lat),
            lon=file.numbers(lon),
            ids=ids,
            quality=file.codes("Quality_Flag", {0: 0, 1: 0, 2: 1}) if "Quality_Flag" in file else None,
            columns=columns,
            main=main,
        )
        version = _version(path, file.attrs, instrument)
        short = _NAMES.get(instrument, "oco")
        collection, labelled = _labelled(dataset, f"{short}-sif-lite-v{slug(version)}", instrument, file.attrs)
        return pack(
            "soundings",
            dataset,
            reader="oco_sif_lite",
            collection=collection,
            path=path,
            title=f"{labelled} solar-induced fluorescence, Lite {version}",
            instrument=labelled,
            version=version,
            catalog=SIMULATED_CATALOG if dataset.attrs["simulated"] else f"{short}-sif-lite",
            note=str(dataset.attrs.get("note", "")),
            source_title=str(file.attrs.get("title", "")),
        )


READERS = [
    Reader("oco_sif_lite", "soundings", _SIF_FILE, _is_sif, read_sif),
    Reader("oco_lite", "soundings", _XCO2_FILE, _is_xco2, read_xco2),
]
