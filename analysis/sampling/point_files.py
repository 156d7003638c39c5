"""From a table of points to checked requests: times, spans, heights; and times for lists of stations that have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.sampling.errors import SamplingError
from analysis.sampling.point_tables import (
    BEGIN,
    END,
    HEIGHTS,
    ID,
    LAT,
    LON,
    OBSERVED,
    TIME,
    UNCERTAINTY,
    UNITLESS,
    WINDOW,
    named,
)
from analysis.sampling.requests import ABOVE_GROUND, ABOVE_SEA, PRESSURE, PointRequests
from data.readers.units import to_ppm

if TYPE_CHECKING:
    import pandas as pd

MOST_REQUESTS = 20_000_000
"""More than this are refused: their samples alone would fill a disk."""

LONGEST_WINDOW_HOURS = 8784.0
"""A year."""

LONGEST_ID = 256
"""ObsPack's have 200 characters."""

_ORDER = {"ground": (ABOVE_GROUND, PRESSURE, ABOVE_SEA), "sea": (PRESSURE, ABOVE_SEA, ABOVE_GROUND)}


@dataclass(frozen=True)
class Times:
    """When stations without times are sampled.

    Attributes
    ----------
    start, end : of the run.
    local_hours : mean of these hours of local solar time (UTC + longitude / 15), each day.
    every_hours : at the run's start and so often after it.
    """

    start: np.datetime64
    end: np.datetime64
    local_hours: tuple[float, float] | None = None
    every_hours: float | None = None


def points(frame: pd.DataFrame, source: str, times: Times, heights: str = "ground") -> PointRequests:
    """Requests of a table (see `point_tables`).

    Parameters
    ----------
    frame : columns with lower-case names.
    source : file, for messages.
    times : for stations without times.
    heights : which height counts where a row has several: "ground" prefers heights above ground, "sea" altitudes.

    Raises
    ------
    SamplingError : columns that are missing or do not say their unit, values that are no numbers, times that are none,
        nothing left. FileProblem : observed values that cannot be CO2 in ppm.
    """
    import pandas as pd

    _check_columns(frame, source)
    names = list(frame.columns)
    lat, lon = (_numbers(frame, str(named(names, choice)), source) for choice in (LAT, LON))
    height, reference = _heights(frame, source, heights)
    span = _spans(frame, source)
    place = np.isfinite(lat) & np.isfinite(lon) & np.isfinite(height)
    usable = place if span is None else place & ~np.isnat(span[0]) & ~np.isnat(span[1])
    notes = []
    if not usable.any():
        what = "place and height" if span is None else "place, height and time"
        raise SamplingError(
            f"{source}: expected points with {what}, found none in {len(frame)} rows; fill in their columns."
        )
    if not usable.all():
        notes.append(
            f"{int((~usable).sum())} of {len(frame)} rows of {source} lack place, height or time and are left out."
        )
    observed, uncertainty = (_observed(frame, choice, source) for choice in (OBSERVED, UNCERTAINTY))
    id_name = named(names, ID)
    texts = frame[id_name].astype(str) if id_name else frame.index.astype(str)
    longest = int(pd.Series(texts).str.len().max())
    if longest > LONGEST_ID:
        raise SamplingError(
            f"{source}: expected identifiers of at most {LONGEST_ID} characters, found one of {longest}; cut it."
        )
    id = np.char.encode(np.asarray(texts, dtype=np.str_), "utf-8")
    kept = np.flatnonzero(usable)
    if span is None:
        kept, begin, end = _made_times(kept, lon, source, times)
    else:
        begin, end = span[0][kept], span[1][kept]
    if len(kept) > MOST_REQUESTS:
        raise SamplingError(f"{source}: expected at most {MOST_REQUESTS:,} requests, found {len(kept):,}; thin them.")
    try:
        return PointRequests(
            id=id[kept],
            begin=begin,
            end=end,
            lat=lat[kept],
            lon=lon[kept],
            height=height[kept],
            reference=reference[kept],
            observed=observed[kept],
            uncertainty=uncertainty[kept],
            notes=tuple(notes),
        )
    except SamplingError as problem:
        raise SamplingError(f"{source}: {problem}") from None


def _check_columns(frame: pd.DataFrame, source: str) -> None:
    names = list(frame.columns)
    listed = ", ".join(map(str, names[:10]))
    for choice in (LAT, LON):
        if named(names, choice) is None:
            raise SamplingError(
                f"{source}: expected a column {choice[0]!r} in degrees, found {listed}; add or rename it."
            )
    if named(names, tuple(HEIGHTS)) is None:
        unclear = named(names, UNITLESS)
        found = f"{unclear!r}, which does not say its unit" if unclear else listed
        raise SamplingError(
            f"{source}: expected one of the columns {', '.join(HEIGHTS)}, found {found}; rename it to say what it is."
        )


def _numbers(frame: pd.DataFrame, name: str, source: str) -> np.ndarray:
    """A column as float64; NaN only where it is empty."""
    import pandas as pd

    column = frame[name]
    values = pd.to_numeric(column, errors="coerce")
    bad = values.isna() & column.notna() & (column.astype(str).str.strip() != "")
    if bad.any():
        row = int(np.argmax(bad))
        raise SamplingError(
            f"{source}: expected numbers in column {name!r}, found {str(column.iloc[row])[:40]!r} in row {row + 1}; correct it."
        )
    return values.to_numpy(dtype=np.float64)


def _heights(frame: pd.DataFrame, source: str, heights: str) -> tuple[np.ndarray, np.ndarray]:
    """The first height of each row that is given, in the order that `heights` says."""
    height = np.full(len(frame), np.nan)
    reference = np.zeros(len(frame), dtype=np.int8)
    for wanted in _ORDER[heights]:
        for name, (kind, factor) in HEIGHTS.items():
            if kind == wanted and name in frame:
                values = _numbers(frame, name, source) * factor
                fresh = np.isnan(height) & np.isfinite(values)
                height[fresh], reference[fresh] = values[fresh], kind
    return height, reference


def _observed(frame: pd.DataFrame, choice: tuple[str, ...], source: str) -> np.ndarray:
    name = named(frame.columns, choice)
    if name is None:
        return np.full(len(frame), np.nan)
    values = _numbers(frame, name, source)
    return np.asarray(to_ppm(values, "ppm", source, name)) if choice is OBSERVED else values


def _spans(frame: pd.DataFrame, source: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Begin and end of each row (NaT where empty); None where the table has no times."""
    names = list(frame.columns)
    begin, end = named(names, BEGIN), named(names, END)
    if begin and end:
        return _times(frame, begin, source), _times(frame, end, source)
    if begin or end:
        raise SamplingError(
            f"{source}: expected time_start and time_end together, found only {begin or end!r}; add the other."
        )
    time = named(names, TIME)
    if time is None:
        return None
    middle = _times(frame, time, source)
    window = named(names, WINDOW)
    if window is None:
        return middle, middle
    hours = np.nan_to_num(_numbers(frame, window, source))
    wrong = ~((hours >= 0) & (hours <= LONGEST_WINDOW_HOURS))
    if wrong.any():
        raise SamplingError(
            f"{source}: expected window_hours within 0..{LONGEST_WINDOW_HOURS:g}, found {hours[wrong][0]:g}; correct it."
        )
    half = (hours * 1_800_000).round().astype("timedelta64[ms]")
    return middle - half, middle + half


def _times(frame: pd.DataFrame, name: str, source: str) -> np.ndarray:
    """(n,) datetime64[ms] UTC of a column of dates or ISO texts."""
    import pandas as pd

    column = frame[name]
    if pd.api.types.is_numeric_dtype(column.dtype) and column.notna().any():
        raise SamplingError(
            f"{source}: expected times like 2015-01-31T07:36:43 in column {name!r}, found the number {column.dropna().iloc[0]}; "
            "write them as text, in UTC."
        )
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        parsed = pd.to_datetime(column, utc=True)
    else:
        texts = column.astype("string").str.strip()
        texts = texts.where(texts.str.len() > 0)
        parsed = pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601")
        bad = parsed.isna() & texts.notna()
        bad |= texts.str.fullmatch(r"[-+]?\d{1,7}(\.\d*)?|\d{9,}(\.\d*)?").fillna(False).astype(bool)
        if bad.any():
            row = int(np.argmax(bad))
            raise SamplingError(
                f"{source}: expected times like 2015-01-31T07:36:43 in column {name!r}, found {texts.iloc[row][:40]!r} in row "
                f"{row + 1}; write year, month and day first, in UTC."
            )
    return parsed.dt.tz_localize(None).to_numpy().astype("datetime64[ms]")


def _made_times(
    rows: np.ndarray, lon: np.ndarray, source: str, times: Times
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows repeated for each time of a run, and the spans."""
    run = np.array([times.start, times.end], dtype="datetime64[ms]")
    start, end = run[0], run[1]
    if times.local_hours is not None:
        first, last = times.local_hours
        first_day, last_day = run.astype("datetime64[D]")
        days = np.arange(first_day - 1, last_day + 2)
        east = (lon[rows] + 180.0) % 360.0 - 180.0
        offset = ((np.array([[first], [last]]) - east / 15.0) * 3_600_000).round().astype("timedelta64[ms]")
        begin, stop = (days.astype("datetime64[ms]")[:, None] + shift for shift in offset)
        inside = (begin >= start) & (stop <= end)
        numbers = np.broadcast_to(rows, begin.shape)[inside]
        if not numbers.size:
            raise SamplingError(
                f"{source}: no day of the run holds the local hours {first:g} to {last:g}; make the run longer, or change them."
            )
        return numbers, begin[inside], stop[inside]
    if times.every_hours is not None:
        step = np.timedelta64(max(round(times.every_hours * 3_600_000), 1), "ms")
        count = int((end - start) / step) + 1
        if count * len(rows) > MOST_REQUESTS:
            raise SamplingError(
                f"{source}: {len(rows)} stations every {times.every_hours:g} hours make {count * len(rows):,} requests, more "
                f"than {MOST_REQUESTS:,}; sample less often."
            )
        moments = np.repeat(start + np.arange(count) * step, len(rows))
        return np.tile(rows, count), moments, moments
    raise SamplingError(
        f"{source}: expected a column 'time' (or time_start and time_end), found none; add it, or say when these stations are "
        "sampled with `local_hours: [12, 16]` or `every_hours: 1`."
    )
