"""Tables made of TCCON data: GGG2014 spectra around the OCO-2 overpass, monthly means, OCO-2 kriged at TCCON sites, and
pairs of OCO-2 soundings with TCCON (MATLAB).

Which WMO scale the monthly means follow is not said in their files. GGG2014 and OCO-2 version 8 know only X2007.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.columns import header, places, read_csv, rows
from data.readers.opening import pack, reading
from data.readers.periods import month, stem_of
from data.readers.points import times_from_ids
from data.readers.probe import Probe
from data.readers.units import to_ppm

if TYPE_CHECKING:
    import pandas as pd

_OVERPASS = "TCCON GGG2014 at the overpass hour: csv with tccon_xco2, tccon_datetime, tccon_latitude, tccon_longitude"
_KRIGED = "OCO-2 kriged at a TCCON site: csv with longitude, latitude, oco2_frk_xco2, oco2_frk_sd, date"
_MONTHLY = "monthly TCCON means: csv with time, XCO2, site, lat, lon"
_PAIRS = "OCO-2 and TCCON pairs: MATLAB array of 48 columns"

_UNITS = {"lat": "degrees_north", "lon": "degrees_east", "xco2": "ppm", "xco2_uncertainty": "ppm", "xco2_cams": "ppm"}

_PAIR_COLUMNS = {
    0: ("xco2_standard", "ppm", "OCO-2 level 2 standard"),
    1: ("xco2_tccon", "ppm", "TCCON"),
    2: ("xco2_basic", "ppm", "BASIC retrieval"),
    7: ("xco2_static", "ppm", "BASIC retrieval with static aerosol"),
    41: ("xco2", "ppm", "OCO-2 Lite, bias-corrected"),
    4: ("l2_flag", "1", "outcome of the level 2 standard retrieval"),
    9: ("aod_basic", "1", "aerosol optical depth, BASIC"),
    10: ("aod_standard", "1", "aerosol optical depth, level 2 standard"),
    14: ("cloud_flag", "1", "cloud flag"),
}
"""Position in the array -> name, unit, meaning, for the columns that concern CO2."""

_PAIR_SITES = {
    1: ("xianghe01", 39.75, 116.96),
    2: ("saga01", 33.241, 130.2882),
    3: ("hefei01", 31.90, 117.17),
    4: ("tsukuba02", 36.0513, 140.1215),
    5: ("rikubetsu01", 43.4567, 143.7661),
}


def _has(*names: str):
    def recognises(probe: Probe) -> bool:
        return bool(probe.lines) and set(names) <= set(header(probe.lines[0]))

    return recognises


def _numbers(values: pd.Series) -> np.ndarray:
    import pandas as pd

    out = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan).copy()
    out[out < -990.0] = np.nan
    return out


def _times(values: pd.Series) -> np.ndarray:
    import pandas as pd

    return pd.to_datetime(values.astype(str), errors="coerce", format="mixed").to_numpy().astype("datetime64[ns]")


def _observations(columns: Mapping[str, Any], path: Path, expected: str) -> tuple[xr.Dataset, str]:
    """Rows with a time and a value of ``xco2``, by site and time, each once; and what to say about the others."""
    dataset = rows(columns, "observation", _UNITS)
    good = np.isfinite(dataset["xco2"].to_numpy()) & ~np.isnat(dataset["time"].to_numpy())
    if not good.any():
        raise FileProblem(path, expected=expected, found="no row with a time and a value", remedy="download it again")
    dataset = dataset.isel(observation=np.flatnonzero(good))
    frame = dataset.to_dataframe()
    first = ~frame.duplicated(["site", "time", "xco2"]).to_numpy()
    order = np.lexsort((frame["time"].to_numpy(), frame["site"].to_numpy().astype(np.str_)))
    dataset = dataset.isel(observation=order[first[order]])
    lost = int((~good).sum() + (~first).sum())
    return dataset, f"{lost} rows without time or value, or repeated, left out" if lost else ""


def _site_of(path: Path) -> str:
    """ "tsukuba02" from "tsukuba02_tccon.csv"."""
    return stem_of(path.name).split("_")[0].lower()


def read_overpass(path: Path) -> Product:
    """Single GGG2014 retrievals with their precision, at the instrument's own position."""
    names = ("tccon_xco2", "tccon_datetime", "tccon_latitude", "tccon_longitude")
    frame = read_csv(path, expected=_OVERPASS, required=names)
    frame = places(frame, "tccon_latitude", "tccon_longitude", path, expected=_OVERPASS)
    error = _numbers(frame["tccon_error"]) if "tccon_error" in frame else np.full(len(frame), np.nan)
    columns = {
        "time": _times(frame["tccon_datetime"]),
        "site": np.full(len(frame), _site_of(path)),
        "lat": frame["tccon_latitude"],
        "lon": frame["tccon_longitude"],
        "xco2": to_ppm(_numbers(frame["tccon_xco2"]), None, path, "tccon_xco2"),
        "xco2_uncertainty": error,
    }
    dataset, note = _observations(columns, path, _OVERPASS)
    return pack(
        "sites",
        dataset,
        reader="tccon_ggg2014",
        collection="tccon-ggg2014",
        path=path,
        title=f"TCCON XCO2 at {_site_of(path)}, GGG2014, overpass hour",
        instrument="TCCON",
        version="GGG2014",
        scale="X2007",
        catalog="tccon-ggg2014",
        network="TCCON",
        note=note,
    )


def read_kriged(path: Path) -> Product:
    """Daily XCO2 of OCO-2 version 8 by fixed rank kriging, at the 1 degree cell of a TCCON site."""
    frame = read_csv(path, expected=_KRIGED, required=("longitude", "latitude", "oco2_frk_xco2", "oco2_frk_sd", "date"))
    frame = places(frame, "latitude", "longitude", path, expected=_KRIGED)
    columns = {
        "time": _times(frame["date"]),
        "site": np.full(len(frame), _site_of(path)),
        "lat": frame["latitude"],
        "lon": frame["longitude"],
        "xco2": to_ppm(_numbers(frame["oco2_frk_xco2"]), None, path, "oco2_frk_xco2"),
        "xco2_uncertainty": _numbers(frame["oco2_frk_sd"]),
    }
    dataset, note = _observations(columns, path, _KRIGED)
    return pack(
        "sites",
        dataset,
        reader="oco2_kriged_sites",
        collection="oco2-v8r-kriged-sites",
        path=path,
        title=f"OCO-2 XCO2 kriged at {_site_of(path)}, version 8r",
        instrument="OCO-2",
        version="8r",
        scale="X2007",
        catalog="oco2-lite",
        network="OCO-2 kriged",
        note=note,
    )


def read_monthly(path: Path) -> Product:
    """Monthly means of the early afternoon, each at the middle of its month; with CAMS's XCO2 where given."""
    frame = read_csv(path, expected=_MONTHLY, required=("time", "xco2", "site", "lat", "lon"))
    frame = places(frame, "lat", "lon", path, expected=_MONTHLY)
    times = _times(frame["time"])
    columns = {
        "time": np.array([month(t).middle if not np.isnat(t) else t for t in times], dtype="datetime64[ns]"),
        "site": frame["site"].astype(str),
        "lat": frame["lat"],
        "lon": frame["lon"],
        "xco2": to_ppm(_numbers(frame["xco2"]), None, path, "XCO2"),
        "xco2_uncertainty": np.full(len(frame), np.nan),
    }
    modelled = "cams" in frame
    if modelled:
        columns["xco2_cams"] = to_ppm(_numbers(frame["cams"]), None, path, "cams")
    dataset, note = _observations(columns, path, _MONTHLY)
    return pack(
        "sites",
        dataset,
        reader="tccon_monthly",
        collection="tccon-monthly-cams" if modelled else "tccon-monthly",
        path=path,
        title="TCCON XCO2, monthly means of the early afternoon" + (", with the CAMS inversion" if modelled else ""),
        instrument="TCCON",
        catalog="tccon-ggg2020",
        network="TCCON monthly",
        period="month",
        note=note,
    )


def read_pairs(path: Path) -> Product:
    """OCO-2 soundings beside TCCON as a table; position is that of the site, the files have none of the soundings."""
    import scipy.io

    with reading(path, _PAIRS):
        try:
            content = scipy.io.loadmat(path)
        except (NotImplementedError, scipy.io.matlab.MatReadError) as error:
            raise ValueError(str(error) or "unreadable MATLAB file") from error
    arrays = [value for value in content.values() if isinstance(value, np.ndarray) and value.ndim == 2]
    data = next((value for value in arrays if value.shape[1] == 48 and value.dtype.kind in "fiu"), None)
    if data is None:
        found = ", ".join(f"{value.shape[0]} x {value.shape[1]}" for value in arrays) or "no arrays"
        raise FileProblem(path, expected=_PAIRS, found=found, remedy="name a file of 48 columns")
    if data.shape[0] == 0:
        raise FileProblem(path, expected=_PAIRS, found="no soundings", remedy="choose another file")
    data = data.astype(np.float64)
    ids = np.where(np.isfinite(data[:, 5]), data[:, 5], 0).astype(np.int64)
    time = times_from_ids(ids)
    keep = ~np.isnat(time)
    if not keep.any():
        raise FileProblem(
            path, expected=_PAIRS, found="no sounding identifiers in column 6", remedy="check its columns"
        )
    codes = np.where(np.isfinite(data[:, 46]), data[:, 46], 0).astype(int)
    places_of = [_PAIR_SITES.get(code, (f"site {code}", np.nan, np.nan)) for code in codes]
    columns: dict[str, Any] = {
        "time": time[keep],
        "site": np.array([place[0] for place in places_of])[keep],
        "lat": np.array([place[1] for place in places_of])[keep],
        "lon": np.array([place[2] for place in places_of])[keep],
        "sounding_id": ids[keep],
    }
    units = dict(_UNITS)
    for position, (name, unit, _) in _PAIR_COLUMNS.items():
        values = data[keep, position]
        columns[name] = to_ppm(values, None, path, name) if unit == "ppm" else values
        units[name] = unit
    dataset = rows(columns, "row", units)
    for name, _, meaning in _PAIR_COLUMNS.values():
        dataset[name].attrs["long_name"] = meaning
    return pack(
        "table",
        dataset,
        reader="oco2_tccon_pairs",
        collection="oco2-tccon-pairs",
        path=path,
        title="OCO-2 soundings paired with TCCON at five sites in Asia",
        instrument="OCO-2",
        catalog="oco2-lite",
    )


def _is_monthly(probe: Probe) -> bool:
    names = header(probe.lines[0]) if probe.lines else []
    tccon = bool(re.search(r"(?i)tccon", probe.name)) or "cams" in names
    return tccon and {"time", "xco2", "site", "lat", "lon"} <= set(names)


READERS = [
    Reader("tccon_ggg2014", "sites", _OVERPASS, _has("tccon_xco2", "tccon_datetime"), read_overpass),
    Reader("oco2_kriged_sites", "sites", _KRIGED, _has("oco2_frk_xco2", "oco2_frk_sd", "date"), read_kriged),
    Reader("tccon_monthly", "sites", _MONTHLY, _is_monthly, read_monthly),
    Reader("oco2_tccon_pairs", "table", _PAIRS, lambda probe: probe.container == "mat5", read_pairs),
]
