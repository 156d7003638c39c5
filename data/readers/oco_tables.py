"""Soundings that others have put into tables: OCO-3 binned by day, OCO-3 cities (CO2, Los Angeles, SIF), pairs of OCO-2
and OCO-3, and OCO-2 level 3 text with one line a cell and day.

Column names are those of the source files; times are UTC. Where a table gives no uncertainty it is NaN, where it gives
no quality flag it is -1. Which WMO scale applies is not said in such tables: unknown, except where only one existed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.columns import header, places, read_csv, rows
from data.readers.oco_maps import READERS as MAPS
from data.readers.opening import pack
from data.readers.points import Column, soundings
from data.readers.probe import Probe
from data.readers.units import to_ppm

if TYPE_CHECKING:
    import pandas as pd

_BINNED = "OCO-3 XCO2 binned by day: csv with lat_bin, lon_bin, latitude, longitude, co2, time"
_CITY = "OCO-3 XCO2 at cities: csv with datetime, xco2, latitude, longitude, city, country"
_SIF = "OCO-3 SIF with the nearest city: csv with Daily_SIF_, latitude, longitude, datetime"
_PAIRS = "pairs of OCO-2 and OCO-3 XCO2: csv with time, lat, lon, oco2, oco3"
_TEXT = "OCO-2 level 3 cells as text: tab-separated with longitude, latitude, time (YYYYMMDDHHMMSS) and xco2"

_XCO2_ATTRS = {"units": "ppm", "standard_name": "dry_atmosphere_mole_fraction_of_carbon_dioxide"}
_FILL = -9990.0
"""Numbers below are fill values (-9999, -999999)."""


def _has(*names: str) -> Callable[[Probe], bool]:
    """True for comma-separated tables that have all these columns."""

    def recognises(probe: Probe) -> bool:
        lines = probe.lines
        return bool(lines) and set(names) <= set(header(lines[0]))

    return recognises


def _is_text(probe: Probe) -> bool:
    first = probe.lines[0].lower() if probe.lines else ""
    return "\t" in first and "xco2" in first and "yyyymmddhhmmss" in first


def numbers(values: pd.Series) -> np.ndarray:
    """(n,) float64; whatever is no number, and fill values, become NaN."""
    import pandas as pd

    out = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan).copy()
    out[out < _FILL] = np.nan
    return out


def _dates(values: pd.Series, layout: str) -> np.ndarray:
    """(n,) datetime64[ns] in `layout`, else in any way that pandas understands; NaT for the rest."""
    import pandas as pd

    texts = values.astype(str).str.strip()
    found = pd.to_datetime(texts, format=layout, errors="coerce")
    if found.isna().any():
        found = found.fillna(pd.to_datetime(texts.where(found.isna()), format="mixed", errors="coerce"))
    return found.to_numpy().astype("datetime64[ns]")


def _words(values: pd.Series) -> np.ndarray:
    """(n,) texts; b'...' as Python prints bytes is undone."""
    texts = values.fillna("").astype(str).str.strip()
    return texts.str.replace(r"^b'(.*?)'?$", r"\1", regex=True).to_numpy(dtype=np.str_)


def _column(values: np.ndarray, units: object, path: Path, name: str) -> dict[str, Column]:
    """XCO2 in ppm beside its unknown uncertainty."""
    nothing = np.full(values.shape, np.nan, np.float32)
    xco2 = to_ppm(values, units, path, name)
    return {"xco2": (xco2, dict(_XCO2_ATTRS)), "xco2_uncertainty": (nothing, {"units": "ppm"})}


# ------------------------------------------------------------------------------------------------------------ tables
def read_binned(path: Path) -> Product:
    """Daily means of OCO-3 Lite soundings in cells of 0.1 degree, at their mean position and time."""
    frame = read_csv(path, expected=_BINNED, required=("latitude", "longitude", "co2", "time"))
    seconds = numbers(frame["time"])
    time = np.where(np.isfinite(seconds), np.nan_to_num(seconds) * 1e6, np.iinfo(np.int64).min)
    dataset = soundings(
        path,
        expected=_BINNED,
        time=time.astype(np.int64).astype("datetime64[us]"),
        lat=numbers(frame["latitude"]),
        lon=numbers(frame["longitude"]),
        columns=_column(numbers(frame["co2"]), None, path, "co2"),
        main="xco2",
    )
    return _pack(dataset, path, "oco3_binned", "oco3-lite-binned-0.1deg", "OCO-3 XCO2, daily means in 0.1 degree cells")


def read_city(path: Path) -> Product:
    """OCO-3 XCO2 at city targets: one value a snapshot area, or single soundings of one city."""
    frame = read_csv(path, expected=_CITY, required=("datetime", "xco2", "latitude", "longitude"))
    columns = _column(numbers(frame["xco2"]), None, path, "xco2")
    targets = "target_name" in frame
    if targets:
        columns["mode"] = (np.full(len(frame), 4, np.int8), {"long_name": "4 snapshot area"})
        columns["target"] = (_words(frame["target_name"]), {"long_name": "name of the target"})
    for name in ("city", "country"):
        if name in frame:
            columns[name] = (_words(frame[name]), {"long_name": name})
    dataset = soundings(
        path,
        expected=_CITY,
        time=_dates(frame["datetime"], "%m/%d/%y %H:%M"),
        lat=numbers(frame["latitude"]),
        lon=numbers(frame["longitude"]),
        columns=columns,
        main="xco2",
    )
    if targets:
        return _pack(dataset, path, "oco3_cities", "oco3-city-targets", "OCO-3 XCO2 of snapshot areas at cities")
    return _pack(dataset, path, "oco3_cities", "oco3-city-soundings", "OCO-3 XCO2 soundings at a city")


def read_city_sif(path: Path) -> Product:
    """OCO-3 daily SIF at 740 nm (the column name is cut to ten letters) with the nearest city."""
    frame = read_csv(path, expected=_SIF, required=("daily_sif_", "latitude", "longitude", "datetime"))
    unit = {"units": "W m-2 sr-1 um-1", "long_name": "daily mean solar-induced fluorescence at 740 nm"}
    columns: dict[str, Column] = {"daily_sif_740nm": (numbers(frame["daily_sif_"]), unit)}
    if "measuremen" in frame:
        codes = frame["measuremen"].astype(str).str.strip().map({"ND": 0, "GL": 1, "TG": 2, "XS": 3, "AM": 4})
        mode = codes.fillna(-1).to_numpy(dtype=np.int8)
        columns["mode"] = (mode, {"long_name": "0 nadir, 1 glint, 2 target, 3 transition, 4 area"})
    for ours, name in (("city", "city"), ("country", "country"), ("target", "sequence_n")):
        if name in frame:
            columns[ours] = (_words(frame[name]), {"long_name": ours})
    dataset = soundings(
        path,
        expected=_SIF,
        time=_dates(frame["datetime"], "%m/%d/%y %H:%M"),
        lat=numbers(frame["latitude"]),
        lon=numbers(frame["longitude"]),
        columns=columns,
        main="daily_sif_740nm",
    )
    title = "OCO-3 solar-induced fluorescence with the nearest city"
    return _pack(dataset, path, "oco3_city_sif", "oco3-sif-cities", title, catalog="oco3-sif-lite")


def read_pairs(path: Path) -> Product:
    """Same-day OCO-2 and OCO-3 XCO2 in the same cell, as a table: two instruments in a row are no sounding."""
    frame = read_csv(path, expected=_PAIRS, required=("time", "lat", "lon", "oco2", "oco3"))
    frame = places(frame, "lat", "lon", path, expected=_PAIRS)
    columns = {"time": _dates(frame["time"], "%Y-%m-%d"), "lat": frame["lat"], "lon": frame["lon"]}
    for name in ("oco2", "oco3"):
        columns[f"xco2_{name}"] = to_ppm(numbers(frame[name]), None, path, name)
    units = {"lat": "degrees_north", "lon": "degrees_east", "xco2_oco2": "ppm", "xco2_oco3": "ppm"}
    dataset = rows(columns, "row", units)
    dataset = dataset.isel(row=np.flatnonzero(~np.isnat(dataset["time"].to_numpy())))
    if dataset.sizes["row"] == 0:
        raise FileProblem(path, expected=_PAIRS, found="no row with a date", remedy="write dates as YYYY-MM-DD")
    return pack(
        "table",
        dataset,
        reader="oco2_oco3_pairs",
        collection="oco2-oco3-pairs-0.1deg",
        path=path,
        title="Same-day OCO-2 and OCO-3 XCO2 in 0.1 degree cells",
        instrument="OCO-2 and OCO-3",
        catalog="oco3-lite",
    )


def read_text(path: Path) -> Product:
    """OCO-2 standard (not bias-corrected) cells of 0.25 degree, one line a cell and day; mole fractions to ppm."""
    frame = read_csv(path, expected=_TEXT, required=("longitude", "latitude"), sep="\t", dtype=str)
    names = [str(name) for name in frame]
    xco2 = next((name for name in names if name.startswith("xco2")), None)
    time = next((name for name in names if name.startswith("time") and "bnds" not in name), None)
    if time is None or xco2 is None:
        absent = "xco2" if xco2 is None else "time"
        raise FileProblem(path, expected=_TEXT, found=f"no column {absent!r}", remedy="download it again")
    values = numbers(frame[xco2])
    columns = _column(values, "mol/mol" if "mole" in xco2 else None, path, xco2)
    for name in names:
        relative = re.match(r"fluorescence_offset_relative_(\d+)nm", name)
        if relative:
            meaning = {"units": "1", "long_name": f"fluorescence relative to the continuum at {relative.group(1)} nm"}
            columns[f"sif_{relative.group(1)}nm_relative"] = (numbers(frame[name]), meaning)
    dataset = soundings(
        path,
        expected=_TEXT,
        time=_dates(frame[time], "%Y%m%d%H%M%S"),
        lat=numbers(frame["latitude"]),
        lon=numbers(frame["longitude"]),
        columns=columns,
        main="xco2",
    )
    found = re.search(r"(?i)Stdv(\d+)", path.name)
    version = f"{found.group(1)}r" if found else "unknown"
    collection = f"oco2-l3-0.25deg-v{version}" if found else "oco2-l3-0.25deg"
    title = "OCO-2 standard XCO2 (not bias-corrected), daily 0.25 degree cells"
    # version 10 and earlier know no scale but X2007
    scale = "X2007" if found and int(found.group(1)) <= 10 else "unknown"
    return _pack(dataset, path, "oco2_l3_text", collection, title, catalog="oco2-lite", version=version, scale=scale)


def _pack(
    dataset: xr.Dataset,
    path: Path,
    reader: str,
    collection: str,
    title: str,
    *,
    catalog: str = "oco3-lite",
    version: str = "unknown",
    scale: str = "unknown",
) -> Product:
    return pack(
        "soundings",
        dataset,
        reader=reader,
        collection=collection,
        path=path,
        title=title,
        instrument="OCO-2" if reader.startswith("oco2") else "OCO-3",
        catalog=catalog,
        version=version,
        scale=scale,
        note=str(dataset.attrs.get("note", "")),
    )


READERS = [
    Reader("oco3_binned", "soundings", _BINNED, _has("lat_bin", "lon_bin", "co2", "time"), read_binned),
    Reader("oco3_cities", "soundings", _CITY, _has("datetime", "xco2", "latitude", "longitude"), read_city),
    Reader("oco3_city_sif", "soundings", _SIF, _has("daily_sif_", "latitude", "longitude"), read_city_sif),
    Reader("oco2_oco3_pairs", "table", _PAIRS, _has("oco2", "oco3", "lat", "lon", "time"), read_pairs),
    Reader("oco2_l3_text", "soundings", _TEXT, _is_text, read_text),
    *MAPS,
]
