"""Requests for points in tables (CSV, parquet) and netCDF files, brought to the same columns, whose names say their units.

A table has `latitude`, `longitude`, a height and a time, and may have an identifier and what was observed. netCDF files may
use ObsPack's names (`time`, `latitude`, `longitude`, `altitude`, `intake_height`, `obspack_id`, `value`,
`CT_sampling_strategy`), with units in attributes.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.sampling.errors import SamplingError
from analysis.sampling.requests import ABOVE_GROUND, ABOVE_SEA, PRESSURE
from data.errors import FileProblem
from data.readers.opening import reading

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

LARGEST_TABLE_BYTES = 4 * 2**30
"""A larger table of requests is a mistake: ten million lines fit in."""

ID = ("id", "obspack_id", "sample_id", "site", "site_code", "station", "name")
LAT, LON = ("latitude", "lat"), ("longitude", "lon", "long")
TIME = ("time", "datetime", "time_utc", "date")
BEGIN, END, WINDOW = ("time_start", "start_time"), ("time_end", "end_time"), ("window_hours",)
OBSERVED = ("co2_ppm", "obs_ppm", "observed_ppm")
UNCERTAINTY = ("co2_uncertainty_ppm", "obs_uncertainty_ppm", "observed_uncertainty_ppm")
HEIGHTS: dict[str, tuple[int, float]] = {
    "height_above_ground_m": (ABOVE_GROUND, 1.0),
    "height_above_ground_km": (ABOVE_GROUND, 1000.0),
    "intake_height_m": (ABOVE_GROUND, 1.0),
    "altitude_m": (ABOVE_SEA, 1.0),
    "altitude_km": (ABOVE_SEA, 1000.0),
    "pressure_hpa": (PRESSURE, 1.0),
    "pressure_pa": (PRESSURE, 0.01),
}
"""Column -> what it is, and what it is multiplied by."""

UNITLESS = ("height", "altitude", "pressure", "intake_height", "height_above_ground", "elevation", "alt", "level")
"""Names that do not say their unit: refused in tables, given one by their attributes in netCDF."""

STRATEGY_HOURS = {1: 4.0, 2: 1.0, 3: 1.5, 4: 0.0}
"""ObsPack's CT_sampling_strategy: mean over so many hours around `time`; 4 is the moment."""

_NETCDF_HEIGHTS = {
    "altitude": "altitude",
    "intake_height": "intake_height",
    "height_above_ground": "height_above_ground",
    "pressure": "pressure",
}
_KNOWN = {*ID, *LAT, *LON, *TIME, *BEGIN, *END, *WINDOW, *OBSERVED, *UNCERTAINTY, *HEIGHTS}
_EXPECTED = f"a table of points: latitude, longitude, time (or time_start and time_end) and one of {', '.join(HEIGHTS)}"


def named(columns: Iterable[str], names: tuple[str, ...]) -> str | None:
    """The first of some names that is there."""
    there = set(columns)
    return next((name for name in names if name in there), None)


def is_point_table(columns: Iterable[str]) -> bool:
    """True if a table with these columns (lower case) asks for points."""
    there = list(columns)
    return bool(named(there, LAT) and named(there, LON) and (named(there, tuple(HEIGHTS)) or named(there, UNITLESS)))


def read_table(path: Path) -> pd.DataFrame:
    """A CSV (gzip too) or parquet file with lower-case column names; texts as they are written.

    Raises
    ------
    SamplingError : too large, no rows. FileProblem : unreadable.
    """
    import pandas as pd

    size = path.stat().st_size if path.exists() else 0
    if size > LARGEST_TABLE_BYTES:
        raise SamplingError(
            f"{path}: expected a table of at most {LARGEST_TABLE_BYTES / 2**30:g} GiB, found {size / 2**30:.0f}; split it, or "
            "thin the requests."
        )
    try:
        with reading(path, _EXPECTED):
            if path.suffix.lower() in (".parquet", ".pq"):
                frame = pd.read_parquet(path)
            else:
                options: dict[str, Any] = {
                    "encoding": "utf-8-sig",
                    "skipinitialspace": True,
                    "skiprows": _remarks(path),
                }
                texts = {name: str for name in _text_columns(path, options)}
                frame = pd.read_csv(path, dtype=texts, **options)
    except FileProblem as problem:  # the reader's remedy is for downloaded files
        raise FileProblem(path, expected=_EXPECTED, found=problem.found, remedy="correct it or name another") from None
    frame.columns = [str(name).strip().strip('"').lower() for name in frame.columns]
    if frame.empty:
        raise SamplingError(f"{path}: expected {_EXPECTED}, found a header without rows; add requests.")
    return frame


def _remarks(path: Path) -> int:
    """Lines before the header that begin with #."""
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rt", errors="replace") if zipped else open(path, encoding="utf-8", errors="replace") as lines:
        return sum(1 for _ in itertools.takewhile(lambda line: line.lstrip("\ufeff").startswith("#"), lines))


def _text_columns(path: Path, options: dict[str, Any]) -> list[str]:
    """Columns that pandas is not to guess the type of; SamplingError where it would have to rename one of two."""
    import pandas as pd

    first = pd.read_csv(path, nrows=1, header=None, dtype=str, **options)
    header = [str(name) for name in first.iloc[0]]
    plain = [name.strip().strip('"').lower() for name in header]
    twice = next((name for name in plain if name in _KNOWN and plain.count(name) > 1), None)
    if twice is not None:
        raise SamplingError(f"{path}: expected columns of different names, found {twice!r} twice; rename one of them.")
    return [name for name, known in zip(header, plain, strict=True) if known in {*ID, *TIME, *BEGIN, *END}]


def read_points_netcdf(path: Path) -> pd.DataFrame:
    """A netCDF file of points as such a table: heights get the unit of their attribute, CO2 becomes ppm.

    Raises
    ------
    SamplingError : no position, variables that are not on one dimension, heights whose unit is not stated or unknown.
    FileProblem : unreadable, or values that cannot be CO2.
    """
    import pandas as pd
    import xarray as xr

    from data.readers.times import decode_times
    from data.readers.units import to_ppm

    with reading(path, _EXPECTED), xr.open_dataset(path, decode_times=False, decode_timedelta=False) as source:
        dataset = source.load()
    dataset = dataset.rename({name: str(name).lower() for name in dataset.variables if str(name) != str(name).lower()})
    names = [str(name) for name in dataset.variables]
    lat = named(names, LAT)
    if lat is None or named(names, LON) is None or dataset[lat].ndim != 1:
        raise SamplingError(
            f"{path}: expected {_EXPECTED}, found {', '.join(names[:8]) or 'nothing'}; give each point a latitude and longitude."
        )
    dim = dataset[lat].dims[0]
    columns: dict[str, Any] = {}
    for name in names:
        variable = dataset[name]
        if variable.dims[:1] != (dim,) or variable.ndim > 2:
            continue
        if name in ID:
            columns[name] = _texts(variable)
        elif variable.ndim > 1:
            continue
        elif name in (*TIME, *BEGIN, *END):
            with reading(path, _EXPECTED):
                times = decode_times(variable, None)
            if times is None:
                raise SamplingError(
                    f"{path}: expected {name} with units such as 'seconds since 1970-01-01', found "
                    f"{variable.attrs.get('units', 'none')!r}; add them."
                )
            columns[name] = times
        elif name in _NETCDF_HEIGHTS:
            columns[_with_unit(path, name, variable)] = variable.to_numpy().astype(np.float64)
        elif name == "value":
            columns["co2_ppm"] = to_ppm(variable.to_numpy().astype(np.float64), variable.attrs.get("units"), path, name)
            factor = np.nanmedian(columns["co2_ppm"]) / np.nanmedian(variable.to_numpy().astype(np.float64))
            spread = next((other for other in ("value_unc", "value_std_dev") if other in names), None)
            if spread is not None and dataset[spread].dims == (dim,):
                columns["co2_uncertainty_ppm"] = dataset[spread].to_numpy().astype(np.float64) * factor
        elif name in ("ct_sampling_strategy", "sampling_strategy"):
            codes = variable.to_numpy()
            columns["window_hours"] = [STRATEGY_HOURS.get(int(code), 0.0) if code == code else 0.0 for code in codes]
        elif name in (*LAT, *LON, *HEIGHTS, *WINDOW, *OBSERVED, *UNCERTAINTY):
            columns[name] = variable.to_numpy().astype(np.float64)
    frame = pd.DataFrame(columns)
    if frame.empty:
        raise SamplingError(f"{path}: expected {_EXPECTED}, found no points; choose another file.")
    numbers = frame.select_dtypes("number").columns
    frame[numbers] = frame[numbers].where(frame[numbers].abs() < 1e20)  # ObsPack's -1e34
    return frame


def _texts(variable: xr.DataArray) -> np.ndarray:
    values = variable.to_numpy()
    if values.dtype.kind == "S" and values.ndim == 2:
        values = np.ascontiguousarray(values).view(f"S{values.shape[1]}").ravel()
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "replace")
    return values.astype(str)


def _with_unit(path: Path, name: str, variable: xr.DataArray) -> str:
    unit = str(variable.attrs.get("units", "")).strip().lower()
    known = {"m": "m", "meter": "m", "meters": "m", "metres": "m", "masl": "m", "magl": "m", "m above sea level": "m"}
    known |= {"km": "km", "hpa": "hpa", "mbar": "hpa", "mb": "hpa", "millibar": "hpa", "pa": "pa"}
    suffix = known.get(unit)
    target = f"{'height_above_ground' if name == 'intake_height' else name}_{suffix}"
    if target not in HEIGHTS:
        raise SamplingError(
            f"{path}: expected {name} in {'hPa or Pa' if name == 'pressure' else 'm or km'}, found units "
            f"{variable.attrs.get('units', 'none')!r}; correct the attribute `units`."
        )
    return target


def not_a_table(path: Path, found: str) -> FileProblem:
    """What is said of files that ask for nothing."""
    return FileProblem(
        path,
        expected="requests for samples: points (latitude, longitude, time and a height) or soundings with kernels",
        found=found,
        remedy="see docs/sampling.md for the columns",
    )
