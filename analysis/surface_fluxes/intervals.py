"""The time that each field of a flux file stands for.

Bounds in the file count first, then (for a file of one map) the period in its attributes or name. Where neither is given,
the spacing of the times tells: a calendar year, month or day that holds the time; for other spacings (3-hourly, weekly) a
time on a whole multiple of the step is a beginning, another one the middle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from analysis.surface_fluxes.errors import FluxProblem
from analysis.surface_fluxes.series import DAY_S, to_unit

_BOUNDS = re.compile(r"(?:time|date)_?(?:bnds|bounds)")
Span = tuple[np.datetime64, np.datetime64]


def stated_spans(path: Path, times: np.ndarray, attrs: Mapping[str, object]) -> list[Span | None]:
    """What a file itself says about the spans of its times, None for each of which it says nothing.

    Parameters
    ----------
    times : (n,) datetime64 as the reader gives them.
    attrs : of the reader's dataset ("period": "2001-2015 mean").
    """
    bounds = _bounds_in(path, len(times))
    if bounds is not None:
        holding = [_holding(time, (row[0], row[1])) for time, row in zip(times, bounds, strict=True)]
        if all(span is not None for span in holding):
            return holding
    if len(times) == 1:
        return [_holding(times[0], _period(path, str(attrs.get("period", "")))) or _around(path, times[0])]
    return [None] * len(times)


def spans(times: np.ndarray, stated: list[Span | None], source: str) -> tuple[np.ndarray, np.ndarray]:
    """Beginnings and ends (n,), datetime64[s], of fields at rising times.

    Raises
    ------
    FluxProblem : one time of which nothing says what it stands for, or times that come twice.
    """
    twice = np.flatnonzero(np.diff(times) <= np.timedelta64(0, "s"))
    if len(twice):
        raise FluxProblem(
            f"{source}: fluxes of {str(times[twice[0]])[:19]} are given twice; leave out one of the files that hold them."
        )
    if all(span is not None for span in stated):
        starts, ends = (np.array([span[k] for span in stated if span], dtype="datetime64[s]") for k in (0, 1))
        over = np.flatnonzero(starts[1:] < ends[:-1])
        if not len(over):
            return starts, ends
        if (starts[over] != starts[over + 1]).any() or (ends[over] != ends[over + 1]).any():
            first = over[0]
            raise FluxProblem(
                f"{source}: fluxes of {starts[first]} to {ends[first]} and of {starts[first + 1]} to {ends[first + 1]} are "
                "given, one over the other; leave one of the files out."
            )
    if len(times) < 2:
        raise FluxProblem(
            f"{source}: expected the period that the map stands for, found only the time {str(times[0])[:19]}; put its year "
            "or month in the file's name (201501), or give time bounds (for a product of the data folder: the file itself)."
        )
    step = float(np.median(np.diff(times) / np.timedelta64(1, "s")))
    for unit, low, high in (("Y", 300, 400), ("M", 27, 32), ("D", 0.99, 1.01)):
        if low * DAY_S <= step <= high * DAY_S:
            first = times.astype(f"datetime64[{unit}]")
            starts, ends = (edges.astype("datetime64[s]") for edges in (first, first + 1))
            if (starts[1:] >= ends[:-1]).all():
                return starts, ends
    length = np.timedelta64(round(step), "s")
    since_midnight = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "s")
    if step < DAY_S:
        centred = np.abs(np.remainder(since_midnight / step, 1.0) - 0.5) < 0.25
    else:
        centred = since_midnight > 3600.0
    starts = (times - length // 2 if centred.mean() > 0.5 else times).astype("datetime64[s]")
    ends = np.minimum(starts + length, np.append(starts[1:], starts[-1] + length))
    slack = np.abs((starts[1:] - ends[:-1]) / np.timedelta64(1, "s")) < 0.01 * step
    ends[:-1] = np.where(slack, starts[1:], ends[:-1])  # minutes lost to rounding of decimal days
    return starts, ends


def _period(path: Path, words: str) -> Span | None:
    from data.readers.periods import period_of

    years = re.search(r"\b((?:19|20)\d\d)\s*(?:-|to)\s*((?:19|20)\d\d)\b", words)
    if years:
        return to_unit(years[1], "Y"), to_unit(years[2], "Y") + 1
    # CarbonTracker's "flux1x1.2014": the year is no part of the resolution
    found = period_of(path.with_name(re.sub(r"\d+x\d+\.(?=(?:19|20)\d\d)", "-", path.name)))
    return None if found is None else (found.start, found.end)


def _around(path: Path, time: np.datetime64) -> Span | None:
    """The year, month or day whose middle a raster's time is: rasters have no time inside, so their readers give that of the
    period in a name of their own kind (ODIAC's "_1907.tif").
    """
    if not re.search(r"(?i)\.tiff?(?:\.gz)?$", path.name):
        return None
    for unit in "YMD":
        first = to_unit(time, unit)
        start, end = to_unit(first, "s"), to_unit(first + 1, "s")
        if time == start + (end - start) // 2:
            return start, end
    return None


def _holding(time: np.datetime64, span: Span | None) -> Span | None:
    """The span in seconds, if it holds the time (its end included) and has a length."""
    if span is None:
        return None
    start, end = (to_unit(edge, "s") for edge in span)
    return (start, end) if start < end and start <= time <= end else None


def _bounds_in(path: Path, count: int) -> np.ndarray | None:
    """(count, 2) datetime64[ns] from time_bnds, time_bounds, date_bounds; None where there are none of that length."""
    from data.readers.opening import open_dataset
    from data.readers.probe import Probe
    from data.readers.times import decode_times, is_time

    if (path / "manifest.json").is_file():  # a product of the data folder has times only
        return None
    probe = Probe.of(path)
    if probe.container not in ("hdf5", "netcdf3", "zarr"):
        return None
    named = [name for name, var in probe.variables.items() if _BOUNDS.fullmatch(name) and var.shape == (count, 2)]
    if not named:
        return None
    axis = open_dataset(path, expected="time bounds", only=named)
    bounds = axis[named[0]]
    attrs = bounds.attrs if is_time(bounds.attrs) else axis[bounds.dims[0]].attrs if bounds.dims[0] in axis else {}
    columns = [decode_times(bounds[:, k].assign_attrs(attrs), None) for k in (0, 1)] if is_time(attrs) else []
    if len(columns) != 2 or any(column is None for column in columns):
        return None
    found = np.stack([np.asarray(column) for column in columns], axis=1)
    return found if (np.diff(found[:, 0]) > np.timedelta64(0, "s")).all() else None
