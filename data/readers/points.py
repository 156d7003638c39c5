"""Point measurements in canonical form: what every reader of soundings does after it has its arrays.

Rows without time or place are dropped, longitudes brought to -180..180, repeated rows dropped, identifiers made unique,
and whatever a user should know about that is said in the attribute ``note``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from data.canonical import wrap_longitude
from data.errors import FileProblem

Column = tuple[np.ndarray, Mapping[str, object]]
"""Values of one variable and its attributes."""

_EARLIEST, _LATEST = np.datetime64("1950-01-01", "ns"), np.datetime64("2100-01-01", "ns")


def soundings(
    path: Path,
    *,
    expected: str,
    time: np.ndarray,
    lat: np.ndarray,
    lon: np.ndarray,
    columns: Mapping[str, Column],
    main: str,
    ids: np.ndarray | None = None,
    quality: np.ndarray | None = None,
    notes: Sequence[str] = (),
) -> xr.Dataset:
    """A dataset on ``sounding``, with ``level`` for two-dimensional columns.

    Parameters
    ----------
    path, expected : file and what a good one holds, for errors.
    time : (n,) datetime64, UTC.
    lat, lon : (n,) degrees; longitudes in any range.
    columns : name -> (values, attributes); values (n,) or (n, levels).
    main : the column without which a row is of no use; a file where it is missing everywhere is refused.
    ids : (n,) identifiers; made from the times where there are none.
    quality : (n,) 0 good, 1 bad, -1 not supplied (the default).
    notes : what is to be said in the attribute ``note`` beside what is found here.

    Raises
    ------
    FileProblem : no soundings, none with time and place, none with a value of `main`.
    """
    said = list(notes)
    count = len(time)
    remedy = "choose another day or area"
    if count == 0:
        raise FileProblem(path, expected=expected, found="no soundings", remedy=remedy)
    time = time.astype("datetime64[ns]")
    lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        keep = (np.abs(lat) <= 90.0) & (np.abs(lon) <= 360.0) & (time >= _EARLIEST) & (time < _LATEST)
    if not keep.any():
        raise FileProblem(
            path, expected=expected, found="no soundings with time, latitude and longitude", remedy="download it again"
        )
    if not keep.all():
        said.append(f"{count - int(keep.sum())} soundings without time or place left out")
    if not np.isfinite(np.asarray(columns[main][0], dtype=np.float64)[keep]).any():
        raise FileProblem(path, expected=expected, found=f"no soundings with a value of {main}", remedy=remedy)
    numbered = ids_from_times(time) if ids is None else np.asarray(ids, dtype=np.int64)
    if ids is None and (numbered % 1000 == 0).all():
        numbered //= 1000  # whole seconds: room for the ranks of many in one second
    repeated = _repeated(numbered, time, lat, lon) if ids is not None else _repeated(time, lat, lon, columns[main][0])
    if (repeated & keep).any():
        said.append(f"{int((repeated & keep).sum())} repeated soundings left out")
        keep &= ~repeated
    flags = np.full(count, -1, dtype=np.int8) if quality is None else np.asarray(quality, dtype=np.int8)
    if (flags[keep] == 1).all():
        said.append(f"all {int(keep.sum())} soundings are flagged bad")

    lon = np.where(lon == 180.0, -180.0, np.where(np.abs(lon) <= 180.0, lon, wrap_longitude(lon)))
    variables: dict[str, Any] = {
        "time": ("sounding", time[keep], {"standard_name": "time"}),
        "lat": ("sounding", lat[keep], {"standard_name": "latitude", "units": "degrees_north"}),
        "lon": ("sounding", lon[keep], {"standard_name": "longitude", "units": "degrees_east"}),
        "sounding_id": ("sounding", unique_ids(numbered[keep])),
        "quality_flag": (
            "sounding",
            flags[keep],
            {"flag_values": [0, 1, -1], "flag_meanings": "good bad not_supplied"},
        ),
    }
    for name, (values, attrs) in columns.items():
        dims = ("sounding", "level") if np.ndim(values) == 2 else ("sounding",)
        variables[name] = (dims, values if keep.all() else values[keep], dict(attrs))
    return xr.Dataset(variables, attrs={"note": "; ".join(said)} if said else {})


def ids_from_times(time: np.ndarray) -> np.ndarray:
    """(n,) int64 YYYYMMDDhhmmssmmm from (n,) datetime64; 0 where the time is missing."""
    time = time.astype("datetime64[ms]")
    missing = np.isnat(time)
    time = np.where(missing, np.datetime64(0, "ms"), time)
    day = time.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    year = month.astype("datetime64[Y]")
    date = (year.astype(np.int64) + 1970) * 10000 + ((month - year).astype(np.int64) + 1) * 100
    date += (day - month).astype(np.int64) + 1
    ms = (time - day).astype(np.int64)
    clock = ms // 3_600_000 * 10000 + ms // 60_000 % 60 * 100 + ms // 1000 % 60
    return np.where(missing, 0, (date * 1_000_000 + clock) * 1000 + ms % 1000)


def times_from_ids(ids: np.ndarray) -> np.ndarray:
    """(n,) datetime64[ns] from OCO sounding identifiers YYYYMMDDhhmmss(m)(f); NaT where they are no dates.

    The 15th digit counts tenths of a second, the 16th is the footprint; identifiers of 14 digits have neither.
    """
    ids = np.asarray(ids, dtype=np.int64)
    tenths = np.where(ids >= 10**15, ids // 10 % 10, 0)
    digits = np.where(ids >= 10**15, ids // 100, ids)
    year, month, day = digits // 10**10, digits // 10**8 % 100, digits // 10**6 % 100
    hour, minute, second = digits // 10**4 % 100, digits // 100 % 100, digits % 100
    good = (year > 1900) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (hour < 24)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    ms = ((hour * 60 + minute) * 60 + second) * 1000 + tenths * 100
    out = months.astype("datetime64[D]") + np.where(good, day - 1, 0).astype("timedelta64[D]")
    stamp = out.astype("datetime64[ns]") + np.where(good, ms, 0).astype("timedelta64[ms]")
    return np.where(good, stamp, np.datetime64("NaT", "ns"))


def unique_ids(ids: np.ndarray) -> np.ndarray:
    """Identifiers as they are where all differ; else each with its rank among equals as further digits."""
    ids = np.asarray(ids, dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    ranked = ids[order]
    starts = np.r_[True, ranked[1:] != ranked[:-1]]
    if starts.all():
        return ids
    rank = np.arange(ids.size) - np.flatnonzero(starts)[np.cumsum(starts) - 1]
    places = 10 ** len(str(int(rank.max())))
    if int(ids.max()) > np.iinfo(np.int64).max // places - 1:  # no room for more digits: number the rows
        return np.arange(ids.size, dtype=np.int64)
    out = np.empty_like(ids)
    out[order] = ranked * places + rank
    return out


def _repeated(*keys: np.ndarray) -> np.ndarray:
    """True for each row that equals an earlier one in all keys."""
    first = np.sort(keys[0])
    if not (first[1:] == first[:-1]).any():
        return np.zeros(first.size, dtype=bool)
    import pandas as pd

    return pd.DataFrame({str(k): key for k, key in enumerate(keys)}).duplicated().to_numpy()
