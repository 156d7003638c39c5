"""CO2 at the surface: station tables (ObsPack, WDCGG, and a model at the same stations), ObsPack netCDF files, NOAA
trend tables.

Sources: GLOBALVIEWplus ObsPack (NOAA GML and contributors, doi 10.25925), WDCGG (WMO/JMA), NOAA GML trends
(gml.noaa.gov/ccgg/trends). Stations keep the name or code that the file uses; networks are "ObsPack", "WDCGG" or the
model's name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data.canonical import Product, wrap_longitude
from data.errors import FileProblem
from data.readers import Reader
from data.readers.columns import header, number_lines, places, read_csv, rows
from data.readers.opening import open_dataset, pack, reading
from data.readers.periods import slug
from data.readers.probe import Probe
from data.readers.times import decode_times
from data.readers.units import to_ppm

if TYPE_CHECKING:
    import pandas as pd

_WIDE_FILE = "a table of stations with columns lon, lat, file and one column a month (2000-01-15)"
_LIST_FILE = "a list of stations with columns sitecode, lon, lat, file, records"
_LONG_FILE = "a station table with columns time, co2, site, lat, lon"
_TRENDS_FILE = "a NOAA trends table (co2-mm-mlo, co2-mm-gl, co2-annmean-gl or co2-gr-gl)"
_OBSPACK_FILE = "an ObsPack file: netCDF with time, value (mol mol-1), latitude, longitude, altitude on dimension obs"
_MONTH_COLUMN = re.compile(r"^(?:19|20)\d{2}-(?:0[1-9]|1[0-2])(?:-\d{2})?$")
_TREND_NAME = re.compile(r"(?i)^co2[-_](mm|annmean|gr)[-_](mlo|gl)\.(?:csv|txt)$")
_SITE_UNITS = {"lat": "degrees_north", "lon": "degrees_east", "altitude_m": "m", "co2": "ppm", "co2_uncertainty": "ppm"}


def _first_header(probe: Probe) -> list[str]:
    return header(probe.lines[0]) if probe.lines else []


def _recognises_wide(probe: Probe) -> bool:
    if probe.container not in ("text", "gzip"):
        return False
    columns = _first_header(probe)
    return {"lon", "lat", "file"} <= set(columns) and sum(bool(_MONTH_COLUMN.match(name)) for name in columns) >= 12


def read_wide_stations(path: Path) -> Product:
    """Monthly CO2 at stations, one row a station and one column a month, as sites (observation); empty months are left
    out.

    Stations that share a name ("Pacific Ocean") are told apart by the name of their source file.
    """
    import pandas as pd

    frame = read_csv(
        path, expected=_WIDE_FILE, required=("lon", "lat", "file"), na_values=["NaN", "-999.99", "-999.990", "-9999"]
    )
    with reading(path, _WIDE_FILE):
        months = [name for name in frame.columns if _MONTH_COLUMN.match(name)]
        everything = frame.copy().assign(site=_site_names(frame))
        frame = places(everything, "lat", "lon", path, expected=_WIDE_FILE)
        moving = sorted(set(everything["site"]) - set(frame["site"]))
        long = frame.melt(id_vars=["site", "lat", "lon"], value_vars=months, var_name="time", value_name="co2").dropna(
            subset=["co2"]
        )
        if long.empty:
            raise FileProblem(path, expected=_WIDE_FILE, found="no value in any month", remedy="download it again")
        long["time"] = pd.to_datetime(long["time"]).astype("datetime64[ns]")
        network, model = _network(path, frame)
        notes = ["values of a model at the stations, not measurements"] if model else []
        notes += [f"left out for want of a fixed position: {', '.join(moving)}"] if moving else []
        return _sites(
            path,
            long,
            reader="monthly_stations",
            collection=f"{slug(network)}-monthly-stations",
            network=network,
            title=f"Monthly CO2 at {frame['site'].nunique()} stations, {network}",
            note="; ".join(notes),
        )


def _site_names(frame: pd.DataFrame) -> pd.Series:
    column = next(name for name in ("sitecode", "sitename", "site", frame.columns[0]) if name in frame.columns)
    names = frame[column].astype(str).str.strip()
    stems = frame["file"].astype(str).str.replace(r"\.\w+$", "", regex=True)
    return names.where(~names.duplicated(keep=False), names + " (" + stems + ")")


def _network(path: Path, frame: pd.DataFrame) -> tuple[str, bool]:
    name = path.name.lower()
    if "model" in name:
        return "CarbonTracker Europe model", True
    if "wdcgg" in name or frame["file"].astype(str).str.endswith(".dat").all():
        return "WDCGG", False
    return "ObsPack", False


def _recognises_list(probe: Probe) -> bool:
    return probe.container == "text" and {"sitecode", "lon", "lat", "file", "records"} <= set(_first_header(probe))


def read_station_list(path: Path) -> Product:
    """The list of stations as table: number, site code, position (NaN for ships), file, records, months, flag."""
    frame = read_csv(path, expected=_LIST_FILE, required=("sitecode", "lon", "lat", "file"))
    frame = frame.rename(columns={"sitecode": "site", "monthes": "months"})
    with reading(path, _LIST_FILE):
        frame[["lat", "lon"]] = frame[["lat", "lon"]].where(frame[["lat", "lon"]].abs().le(360))
    return pack(
        "table",
        rows(frame, "row", _SITE_UNITS),
        reader="station_list",
        collection="obspack-station-list",
        path=path,
        title="ObsPack stations",
        instrument="ObsPack",
        catalog="obspack",
    )


def _recognises_long(probe: Probe) -> bool:
    return probe.container in ("text", "gzip") and {"time", "co2", "site", "lat", "lon"} <= set(_first_header(probe))


def read_long_stations(path: Path) -> Product:
    """CO2 at stations, one row a month and station, as sites (observation)."""
    import pandas as pd

    frame = read_csv(
        path,
        expected=_LONG_FILE,
        required=("time", "co2", "site", "lat", "lon"),
        na_values=["-999.99", "-999.999", "-9999"],
    )
    with reading(path, _LONG_FILE):
        frame = places(frame, "lat", "lon", path, expected=_LONG_FILE)
        frame["time"] = (
            pd.to_datetime(frame["time"], errors="coerce", utc=True).dt.tz_localize(None).astype("datetime64[ns]")
        )
        frame["co2"] = pd.to_numeric(frame["co2"], errors="coerce")
        frame = frame.dropna(subset=["time", "co2"])
        frame = frame[frame["co2"] > 0].drop_duplicates(["site", "time"], keep="last")
        if frame.empty:
            raise FileProblem(path, expected=_LONG_FILE, found="no row with time and co2", remedy="download it again")
        return _sites(
            path,
            frame,
            reader="station_series",
            collection="wdcgg-monthly-asia" if "wdcgg" in path.name.lower() else "station-series",
            network="WDCGG" if "wdcgg" in path.name.lower() else "stations",
            title="Monthly CO2 at " + ", ".join(sorted(frame["site"].astype(str).unique())[:6]),
        )


def _sites(
    path: Path, frame: pd.DataFrame, *, reader: str, collection: str, network: str, title: str, note: str = ""
) -> Product:
    frame = frame.sort_values(["site", "time"])
    frame = frame.assign(co2=to_ppm(frame["co2"].to_numpy(dtype=float), "", path, "co2"))
    dataset = rows(frame[["time", "site", "lat", "lon", "co2"]], "observation", _SITE_UNITS)
    return pack(
        "sites",
        dataset,
        reader=reader,
        collection=collection,
        path=path,
        title=title,
        instrument=network,
        network=network,
        catalog="obspack",
        note=note,
    )


def _recognises_obspack(probe: Probe) -> bool:
    return probe.has("time", "value", "latitude", "longitude") and len(probe.variables["value"].shape) == 1


def read_obspack(path: Path) -> Product:
    """One ObsPack data set as sites: `co2` (ppm), its uncertainty, position and altitude of each sample; rejected
    samples left out.

    A sample is rejected where the first character of `qcflag` is not "." (ObsPack's three-character flag).
    `representative` holds `obs_flag` where the file has it: 1 for samples that stand for a large volume of well-mixed
    air.
    """
    dataset = open_dataset(path, expected=_OBSPACK_FILE)
    with reading(path, _OBSPACK_FILE):
        attrs = dataset.attrs
        species = str(attrs.get("dataset_parameter", "co2")).lower()
        if species != "co2":
            raise FileProblem(
                path, expected=_OBSPACK_FILE, found=f"a file of {species}", remedy="take the CO2 file of the same site"
            )
        times = decode_times(dataset["time"], None)
        if times is None or times.size == 0:
            raise FileProblem(path, expected=_OBSPACK_FILE, found="no samples with times", remedy="download it again")
        value = dataset["value"]
        co2 = np.asarray(to_ppm(value.to_numpy().astype(float), value.attrs.get("units", "mol mol-1"), path, "value"))
        good = np.isfinite(co2) & (co2 > 0) & _accepted(path, times.size)
        if not good.any():
            raise FileProblem(
                path, expected=_OBSPACK_FILE, found="every sample flagged or missing", remedy="leave it out"
            )
        site = str(attrs.get("site_code", path.stem.split("_")[1] if "_" in path.stem else path.stem)).upper()
        columns: dict[str, np.ndarray] = {
            "time": times,
            "site": np.full(times.size, site),
            "lat": dataset["latitude"].to_numpy().astype(float),
            "lon": wrap_longitude(dataset["longitude"].to_numpy().astype(float)),
            "co2": co2,
        }
        spread = next((name for name in ("value_unc", "value_std_dev") if name in dataset), None)
        if spread is not None:
            columns["co2_uncertainty"] = dataset[spread].to_numpy().astype(float) * (
                np.nanmedian(co2[good]) / _median(value, good)
            )
        if "altitude" in dataset:
            columns["altitude_m"] = dataset["altitude"].to_numpy().astype(float)
        if "obs_flag" in dataset:
            columns["representative"] = np.nan_to_num(dataset["obs_flag"].to_numpy(), nan=0).astype(np.int8)
        table = rows({name: values[good] for name, values in columns.items()}, "observation", _SITE_UNITS).sortby(
            "time"
        )
        return pack(
            "sites",
            table,
            reader="obspack",
            collection="obspack-" + slug(str(attrs.get("dataset_name", path.stem))),
            path=path,
            title=str(attrs.get("dataset_description", f"ObsPack {path.stem}"))[:120],
            instrument="ObsPack",
            network="ObsPack",
            version=str(attrs.get("obspack_name", "unknown")),
            scale=_scale(str(attrs.get("dataset_calibration_scale", ""))),
            catalog="obspack",
        )


def _median(value: xr.DataArray, good: np.ndarray) -> float:
    return float(np.nanmedian(value.to_numpy().astype(float)[good]))


def _scale(text: str) -> str:
    match = re.search(r"X20(?:07|19)", text)
    return match.group() if match else "unknown"


def _accepted(path: Path, count: int) -> np.ndarray:
    """(count,) True where the sample is not rejected; all where the file has no qcflag."""
    import netCDF4

    with netCDF4.Dataset(path) as file:
        if "qcflag" not in file.variables:
            return np.ones(count, dtype=bool)
        flags = file["qcflag"]
        flags.set_auto_mask(False)
        flags.set_auto_chartostring(False)
        text = np.asarray(flags[:])
    if text.dtype == "S1" and text.ndim == 2:
        return text[:, 0] == b"."
    return np.array([str(flag).startswith(".") for flag in text.ravel()])


_TREND_COLUMNS: dict[tuple[str, int], tuple[str, ...]] = {
    ("annmean", 2): ("mean", "uncertainty"),
    ("annmean", 1): ("mean",),
    ("gr", 2): ("growth_rate", "uncertainty"),
    ("gr", 1): ("growth_rate",),
    ("mm-gl", 4): ("average", "average_uncertainty", "trend", "trend_uncertainty"),
    ("mm-gl", 2): ("average", "trend"),
    ("mm-mlo", 5): ("average", "deseasonalised", "days", "standard_deviation", "uncertainty"),
    ("mm-mlo", 4): ("average", "interpolated", "trend", "days"),
}
"""(kind, number of fields after the date) -> columns. Fields are counted: headers of copies name fewer columns than
their rows have.
"""


def _recognises_trends(probe: Probe) -> bool:
    return probe.container == "text" and bool(_TREND_NAME.match(probe.name))


def read_trends(path: Path) -> Product:
    """NOAA's published means and growth rates as table; NOAA's signs for "missing" (-9.99, -0.99, -99.99, -1 days)
    become NaN.

    `time` is the middle of the month or year. Values in ppm, growth rates in ppm a year.
    """
    import pandas as pd

    match = _TREND_NAME.match(path.name)
    kind, place = (match.group(1).lower(), match.group(2).lower()) if match else ("annmean", "gl")
    with reading(path, _TRENDS_FILE):
        lines = number_lines(path, expected=_TRENDS_FILE)
        if not lines:
            raise FileProblem(path, expected=_TRENDS_FILE, found="no rows", remedy="download it again")
        lines = [line for line in lines if len(line) == len(lines[0])]
        monthly = kind == "mm"
        if monthly and re.fullmatch(r"\d{4}-\d{2}(?:-\d{2})?", lines[0][0]):
            dates, skip = [line[0][:7] for line in lines], 2
        elif monthly:
            dates, skip = [f"{int(line[0]):04d}-{int(line[1]):02d}" for line in lines], 3
        else:
            dates, skip = [f"{int(float(line[0])):04d}" for line in lines], 1
        names = _TREND_COLUMNS.get((f"mm-{place}" if monthly else kind, len(lines[0]) - skip))
        if names is None:
            raise FileProblem(
                path, expected=_TRENDS_FILE, found=f"rows of {len(lines[0])} fields", remedy="download it again"
            )
        values = np.array([[float(field) for field in line[skip:]] for line in lines])
    values[np.isin(values, (-9.99, -0.99, -99.99, -999.99)) | (values == -1.0)] = np.nan
    unit = "M" if monthly else "Y"
    start = np.array(dates, dtype=f"datetime64[{unit}]")
    first, after = start.astype("datetime64[ns]"), (start + 1).astype("datetime64[ns]")
    units = {name: "ppm yr-1" if kind == "gr" else "ppm" for name in names} | {"days": "1"}
    frame = pd.DataFrame({"time": first + (after - first) // 2, **{name: values[:, k] for k, name in enumerate(names)}})
    where = "Mauna Loa" if place == "mlo" else "global"
    what = {"mm": "monthly mean CO2", "annmean": "annual mean CO2", "gr": "annual CO2 growth rate"}[kind]
    return pack(
        "table",
        rows(frame, "row", units),
        reader="noaa_trends",
        collection=f"noaa-trends-{kind}-{place}",
        path=path,
        title=f"NOAA GML {what}, {where}",
        instrument="NOAA GML",
        scale="X2019",
        catalog="noaa-trends",
    )


READERS = [
    Reader("monthly_stations", "sites", _WIDE_FILE, _recognises_wide, read_wide_stations),
    Reader("station_list", "table", _LIST_FILE, _recognises_list, read_station_list),
    Reader("station_series", "sites", _LONG_FILE, _recognises_long, read_long_stations),
    Reader("obspack", "sites", _OBSPACK_FILE, _recognises_obspack, read_obspack),
    Reader("noaa_trends", "table", _TRENDS_FILE, _recognises_trends, read_trends),
]
