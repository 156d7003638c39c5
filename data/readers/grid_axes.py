"""Find latitude, longitude, level and time in a gridded file, whatever they are called and however the dimensions are
ordered.

Evidence is taken in the order in which it deserves trust: CF attributes, names, then shape and values (monotonic and
inside the range of latitudes or longitudes), and where there are no coordinates at all the size of a global grid.
Source: CF conventions 1.11, 4.1-4.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from data.canonical import canonical_grid
from data.errors import FileProblem
from data.readers.periods import Period, period_of
from data.readers.times import decode_times, is_time

Axis = Literal["lat", "lon", "lev", "time"]

_NAMES: dict[Axis, re.Pattern[str]] = {
    "lat": re.compile(
        r"(?i)^(?:nav_?)?lat(?:itudes?|s)?(?:_?\d+|_?cent(?:er|re)s?|_?bins?)?$|^(?:grid_?)?y(?:_?coords?|dim|c)?$"
    ),
    "lon": re.compile(
        r"(?i)^(?:nav_?)?lon(?:gitudes?|s|g)?(?:_?\d+|_?cent(?:er|re)s?|_?bins?)?$|^(?:grid_?)?x(?:_?coords?|dim|c)?$"
    ),
    "lev": re.compile(
        r"(?i)^(?:p?lev(?:els?|s)?|isobaric.*|pressure(?:_levels?)?|hybrid|height|altitude|depth|z|plevel|model_level(?:_number)?)$"
    ),
    "time": re.compile(r"(?i)^(?:valid_)?time$|^t$|^dates?$|^months?$|^years?$|^days?$|^(?:date)?times?$"),
}
_LAT_UNITS = re.compile(r"(?i)^degrees?_?\s?n(?:orth)?$")
_LON_UNITS = re.compile(r"(?i)^degrees?_?\s?e(?:ast)?$")
_PRESSURE_UNITS = {"hpa", "pa", "mb", "mbar", "millibar", "millibars"}


def axis_by_attributes(attrs: Mapping[str, object]) -> Axis | None:
    """The axis that CF attributes declare, if any."""
    units = str(attrs.get("units", "")).strip()
    declared = str(attrs.get("axis", "")).upper()
    standard = str(attrs.get("standard_name", "")).lower()
    if _LAT_UNITS.match(units) or standard == "latitude":
        return "lat"
    if _LON_UNITS.match(units) or standard == "longitude":
        return "lon"
    if is_time(attrs) or standard == "time" or declared == "T":
        return "time"
    if declared == "Z" or str(attrs.get("positive", "")).lower() in ("up", "down"):
        return "lev"
    return {"Y": "lat", "X": "lon"}.get(declared)  # type: ignore[return-value]


def axis_by_name(name: str) -> Axis | None:
    """The axis that a variable or dimension of this name usually is."""
    last = name.rsplit("/", 1)[-1]
    return next((axis for axis, pattern in _NAMES.items() if pattern.match(last)), None)


def is_global_shape(rows: int, columns: int) -> bool:
    """True if cells of a whole-globe grid: columns == 2 rows with cells that divide a degree or are a whole number of
    them.
    """
    if rows < 18 or columns != 2 * rows:
        return False
    cells_per_degree = rows / 180
    return any(
        abs(value - round(value)) < 1e-9
        for value in (cells_per_degree, 1 / cells_per_degree, 2 / cells_per_degree, 4 / cells_per_degree)
    )


def locate(dataset: xr.Dataset, path: Path, *, expected: str) -> tuple[xr.Dataset, list[str]]:
    """Rename the dimensions of a gridded dataset to ``lat``, ``lon``, ``lev``, ``time`` and give them one-dimensional
    coordinates.

    Returns the dataset (only variables on lat and lon, undecoded times) and notes on what had to be assumed.

    Raises
    ------
    FileProblem : no pair of latitude and longitude; points instead of a grid; latitudes out of order; irregular
        two-dimensional axes.
    """
    notes: list[str] = []
    found = _one_dimensional(dataset)
    if "lat" not in found or "lon" not in found:
        found |= _two_dimensional(dataset, path, expected=expected)
    if "lat" not in found or "lon" not in found:
        found |= _by_values(dataset, found)
    if "lat" not in found or "lon" not in found:
        found |= _by_shape(dataset, notes)
    if "lat" not in found or "lon" not in found:
        raise FileProblem(
            path,
            expected=expected,
            found="no latitude and longitude",
            remedy="add one-dimensional coordinates `lat` and `lon` in degrees",
        )
    if found["lat"][0] == found["lon"][0]:
        raise FileProblem(
            path,
            expected=expected,
            found="single points (latitude and longitude share a dimension)",
            remedy="grid them first, or import them as soundings",
        )
    for dim in dataset.dims:
        axis = axis_by_name(str(dim))
        if axis in ("lev", "time") and axis not in found and all(dim != known[0] for known in found.values()):
            found[axis] = (str(dim), None)
    return _renamed(dataset, found, path, expected), notes


_Found = dict[Axis, tuple[str, xr.DataArray | None]]
"""Axis -> dimension name and the coordinate's values, where there are any."""


def _one_dimensional(dataset: xr.Dataset) -> _Found:
    found: _Found = {}
    candidates = [array for array in dataset.variables.items() if array[1].ndim == 1 and array[1].dtype.kind in "iuf"]
    for judge in (lambda name, var: axis_by_attributes(var.attrs), lambda name, var: axis_by_name(str(name))):
        # a dimension's own coordinate before other variables along it
        for name, var in sorted(candidates, key=lambda item: item[0] != item[1].dims[0]):
            axis = judge(name, var)
            dim = str(var.dims[0])
            if (
                axis is not None
                and axis not in found
                and (axis in ("lat", "lon") or all(dim != taken[0] for taken in found.values()))
            ):
                found[axis] = (dim, dataset[name].reset_coords(drop=True))
    return found


def _two_dimensional(dataset: xr.Dataset, path: Path, *, expected: str) -> _Found:
    arrays: dict[Axis, xr.DataArray] = {}
    for name, var in dataset.variables.items():
        axis = axis_by_attributes(var.attrs) or axis_by_name(str(name))
        if axis in ("lat", "lon") and var.ndim == 2:
            arrays[axis] = dataset[name].reset_coords(drop=True)
    if set(arrays) != {"lat", "lon"}:
        return {}
    found: _Found = {}
    for axis, array in arrays.items():
        lines = [array.isel({dim: [0, -1]}).transpose(dim, ...).to_numpy() for dim in array.dims]
        along = [
            bool(np.allclose(pair[0], pair[1], atol=1e-4, equal_nan=True)) for pair in lines
        ]  # equal lines: does not vary along dim
        if along.count(True) != 1:
            raise FileProblem(
                path, expected=expected, found="a curvilinear grid", remedy="regrid it to latitude and longitude first"
            )
        dim = array.dims[1 - along.index(True)]
        found[axis] = (str(dim), array.isel({array.dims[along.index(True)]: 0}))
    return found


def _by_values(dataset: xr.Dataset, known: _Found) -> _Found:
    """Unlabelled one-dimensional variables that look like degrees: monotonic, in range, longitudes the longer ones."""
    taken = {dim for dim, _ in known.values()}
    rows: list[tuple[int, str, xr.DataArray]] = []
    for name, var in dataset.variables.items():
        if var.ndim != 1 or var.dtype.kind not in "iuf" or var.size < 4 or var.dims[0] in taken:
            continue
        values = np.asarray(var.values, dtype=np.float64)
        steps = np.diff(values)
        if (
            np.isfinite(values).all()
            and (steps > 0).all() | (steps < 0).all()
            and values.min() >= -360
            and values.max() <= 720
        ):
            rows.append((var.size, str(var.dims[0]), dataset[name].reset_coords(drop=True)))
    found: _Found = {}
    dims_2d = [set(map(str, var.dims)) for var in dataset.variables.values() if var.ndim >= 2]
    rows.sort(key=lambda row: (np.ptp(row[2].values), row[0]))
    for _, dim, array in rows:
        if "lat" in known or "lat" in found or float(np.abs(array).max()) > 90.001:
            continue
        if any(dim in dims for dims in dims_2d):
            found["lat"] = (dim, array)
    for _, dim, array in reversed(rows):
        partner = found.get("lat") or known.get("lat")
        if "lon" not in known and partner and dim != partner[0] and any({dim, partner[0]} <= dims for dims in dims_2d):
            found["lon"] = (dim, array)
            break
    return found


def _by_shape(dataset: xr.Dataset, notes: list[str]) -> _Found:
    """A whole-globe grid without coordinates: 3600 x 7200 and the like, in either order of dimensions, first row
    north.
    """
    for var in sorted(dataset.variables.values(), key=lambda var: -var.size):
        for first, second in zip(var.dims[:-1], var.dims[1:], strict=True):
            for row_dim, column_dim in ((first, second), (second, first)):
                rows, columns = dataset.sizes[row_dim], dataset.sizes[column_dim]
                if is_global_shape(rows, columns):
                    step = 180.0 / rows
                    lat = 90.0 - step * (np.arange(rows) + 0.5)
                    lon = -180.0 + step * (np.arange(columns) + 0.5)
                    notes.append(
                        f"no coordinates: taken as a whole-globe grid of {step:g} degrees, first row in the north"
                    )
                    return {
                        "lat": (str(row_dim), xr.DataArray(lat, dims=str(row_dim))),
                        "lon": (str(column_dim), xr.DataArray(lon, dims=str(column_dim))),
                    }
    return {}


def _renamed(dataset: xr.Dataset, found: _Found, path: Path, expected: str) -> xr.Dataset:
    dims = {axis: dim for axis, (dim, _) in found.items()}
    kept = {
        name: var.variable
        for name, var in dataset.data_vars.items()
        if {dims["lat"], dims["lon"]} <= set(map(str, var.dims))
        and (axis_by_attributes(var.attrs) or axis_by_name(str(name))) not in ("lat", "lon")
    }
    out = xr.Dataset(kept, attrs=dataset.attrs)
    extra = [dim for dim in out.dims if dim not in dims.values() and out.sizes[dim] == 1]
    out = out.isel(dict.fromkeys(extra, 0))
    out = out.rename({dim: axis for axis, dim in dims.items() if dim in out.dims and dim != axis})
    for axis, (_, values) in found.items():
        if axis not in out.dims:
            continue
        data = np.arange(out.sizes[axis]) if values is None else values.to_numpy()
        if axis in ("lat", "lon"):
            data = regular_degrees(np.asarray(data, dtype=np.float64))
        out = out.assign_coords({axis: (axis, data, {} if values is None else values.attrs)})
    lat = out["lat"].to_numpy()
    steps = np.diff(lat)
    if not (
        np.isfinite(lat).all()
        and np.isfinite(out["lon"]).all()
        and ((steps > 0).all() or (steps < 0).all())
        and np.abs(lat).max() <= 90.001
    ):
        raise FileProblem(
            path,
            expected=expected,
            found="latitudes that are not a rising or falling series within -90..90",
            remedy="repair its coordinates",
        )
    return out


def regular_degrees(values: np.ndarray) -> np.ndarray:
    """Remove float32 rounding from evenly spaced degrees ("-179.97500610" -> -179.975); other spacings are returned as
    they are.
    """
    if values.size < 3 or not np.isfinite(values).all():
        return values
    step = (values[-1] - values[0]) / (values.size - 1)
    per_degree = 1.0 / abs(step) if step else 0.0
    for multiple in (1, 2, 4, 7, 8, 16):  # cells that divide a degree, or a few degrees
        if abs(per_degree * multiple - round(per_degree * multiple)) < 1e-3 and round(per_degree * multiple):
            step = np.sign(step) * multiple / round(per_degree * multiple)
            break
    first = values[0]
    half_steps = first / step * 2
    if abs(half_steps - round(half_steps)) < 2e-3:
        first = round(half_steps) * step / 2
    even = first + step * np.arange(values.size)
    return even if np.abs(even - values).max() < 2e-3 * abs(step) else values


def with_time(dataset: xr.Dataset, path: Path, *, expected: str, fallback: Period | None = None) -> xr.Dataset:
    """Give a located dataset decoded times.

    Times inside the file count first; then the file's attributes (time_coverage_start and _end); then the period in its
    name; then `fallback`. A map without a time axis gets one step, the middle of its period.

    Raises
    ------
    FileProblem : there is nothing that says when.
    """
    period = _period_of_attributes(dataset) or period_of(path) or fallback
    if "time" in dataset.dims:
        times = decode_times(dataset["time"], period)
        if times is None:
            raise FileProblem(
                path,
                expected=expected,
                found=f"{dataset.sizes['time']} time steps without dates",
                remedy="add a time coordinate ('days since 2015-01-01'), or put the years in the file's name",
            )
        return dataset.assign_coords(time=("time", times))
    if period is None:
        raise FileProblem(
            path,
            expected=expected,
            found="a map without a date",
            remedy="put its month in the file's name (201501), or add a time coordinate",
        )
    return dataset.expand_dims(time=[period.middle])


def _period_of_attributes(dataset: xr.Dataset) -> Period | None:
    for first, last in (("time_coverage_start", "time_coverage_end"), ("RangeBeginningDate", "RangeEndingDate")):
        try:
            start = np.datetime64(str(dataset.attrs[first])[:10], "ns")
            end = np.datetime64(str(dataset.attrs[last])[:10], "D")
        except (KeyError, ValueError):
            continue
        if (end + 1).astype("datetime64[ns]") > start:
            return Period(start, (end + 1).astype("datetime64[ns]"))
    return None


def to_grid(dataset: xr.Dataset, *, extra: tuple[str, ...] = ()) -> xr.Dataset:
    """Canonical order, without the variables that have dimensions other than time, lev, lat, lon and `extra`."""
    allowed = {"time", "lev", "lat", "lon", *extra}
    odd = [name for name, var in dataset.data_vars.items() if not set(map(str, var.dims)) <= allowed]
    return canonical_grid(dataset.drop_vars(odd))
