"""Time axes as providers write them: CF units on any calendar, "months since", plain YYYYMM numbers, decimal years, or
nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import xarray as xr

from data.readers.periods import Period, month, year

_SINCE = re.compile(
    r"(?i)^\s*(seconds?|secs?|s|minutes?|mins?|hours?|hrs?|h|days?|d|months?|years?)\s+since\s+(-?\d{1,4}-\d{1,2}-\d{1,2}|\d{4}-\d{1,2}|\d{4})"
)


def is_time(attrs: Mapping[str, object]) -> bool:
    """True if the units are those of a time axis ("hours since 1800-01-01")."""
    return bool(_SINCE.match(str(attrs.get("units", ""))))


def decode_times(axis: xr.DataArray, period: Period | None) -> np.ndarray | None:
    """Times of an axis.

    Parameters
    ----------
    axis : (n,) numbers with whatever attributes the file gives them.
    period : what the file's name or attributes say, for axes that only count steps.

    Returns
    -------
    (n,) datetime64[ns], or None if nothing tells what the numbers mean.
    """
    if axis.dtype.kind == "M":
        return axis.to_numpy().astype("datetime64[ns]")
    match = _SINCE.match(str(axis.attrs.get("units", "")))
    if match:
        unit = match.group(1).lower()
        if unit.startswith(("month", "year")):
            return _calendar_steps(axis.to_numpy(), unit, match.group(2))
        return _cf(axis)
    return _numbers(np.asarray(axis.to_numpy(), dtype=np.float64), period)


def _cf(axis: xr.DataArray) -> np.ndarray:
    decoded = xr.conventions.decode_cf_variable("time", axis.variable, mask_and_scale=False).to_numpy()
    if decoded.dtype.kind == "M":
        return decoded.astype("datetime64[ns]")
    # other calendars: the same date, and 28 February for the 29th and 30th that a 360-day year has
    texts = [t.replace(day=28).isoformat() if t.month == 2 and t.day > 28 else t.isoformat() for t in decoded]
    return np.array(texts, dtype="datetime64[ns]")


def _calendar_steps(values: np.ndarray, unit: str, origin: str) -> np.ndarray:
    first = np.datetime64("-".join(part.zfill(2) for part in origin.split("-")), "M")
    months = np.floor(np.asarray(values, dtype=np.float64) * (12 if unit.startswith("year") else 1)).astype(int)
    return np.array([month(first + int(step)).middle for step in months], dtype="datetime64[ns]")


def _numbers(values: np.ndarray, period: Period | None) -> np.ndarray | None:
    """YYYYMMDD, YYYYMM, decimal years, years; else as many steps as the period has months."""
    if values.size == 0 or not np.isfinite(values).all():
        return None
    whole = bool((values == np.round(values)).all())
    try:
        if whole and values.min() >= 19000101 and values.max() <= 21001231:
            return np.array(
                [np.datetime64(f"{int(v) // 10000}-{int(v) // 100 % 100:02d}-{int(v) % 100:02d}", "ns") for v in values]
            )
        if whole and values.min() >= 190001 and values.max() <= 210012:
            return np.array([month(np.datetime64(f"{int(v) // 100}-{int(v) % 100:02d}")).middle for v in values])
    except ValueError:
        return None
    if values.min() >= 1900 and values.max() < 2101:
        if whole:
            return np.array([year(int(v)).middle for v in values])
        return np.array([year(int(v)).start + (year(int(v)).end - year(int(v)).start) * float(v % 1) for v in values])
    if period is None:
        return None
    if values.size == 1:
        return np.array([period.middle])
    if values.size == period.months.size:
        return period.months
    days = (period.end - period.start) / np.timedelta64(1, "D")
    if values.size == days:
        return period.start + np.arange(values.size) * np.timedelta64(1, "D") + np.timedelta64(12, "h")
    return None
