"""Text tables: read them with pandas, check their columns, and turn them into canonical rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from data.canonical import wrap_longitude
from data.errors import FileProblem
from data.readers.opening import reading

if TYPE_CHECKING:
    import pandas as pd


def header(line: str) -> list[str]:
    """Column names of a comma-separated header line, lower case, without quotes."""
    return [name.strip().strip('"').lower() for name in line.lstrip("\ufeff").split(",")]


def read_csv(path: Path, *, expected: str, required: tuple[str, ...], **options: Any) -> pd.DataFrame:
    """Read a comma-separated file (gzip too) with lower-case column names.

    Raises
    ------
    FileProblem : unreadable, a required column is absent, or no rows.
    """
    import pandas as pd

    with reading(path, expected):
        frame = pd.read_csv(path, encoding="utf-8-sig", skipinitialspace=True, **options)
    frame.columns = [str(name).strip().lower() for name in frame.columns]
    absent = [name for name in required if name not in frame.columns]
    if absent:
        raise FileProblem(path, expected=expected, found=f"no column {absent[0]!r}", remedy="download it again")
    if frame.empty:
        raise FileProblem(path, expected=expected, found="a header without rows", remedy="download it again")
    return frame


def rows(columns: Mapping[str, Any] | pd.DataFrame, dim: str, units: Mapping[str, str] | None = None) -> xr.Dataset:
    """Columns of equal length as variables on `dim`: texts as str, times as datetime64[ns], whole numbers and floats
    as they are.
    """
    import pandas as pd

    variables = {}
    for name, values in columns.items():
        series = pd.Series(values).reset_index(drop=True)
        if pd.api.types.is_datetime64_any_dtype(series.dtype):
            data = series.to_numpy().astype("datetime64[ns]")
        elif pd.api.types.is_numeric_dtype(series.dtype):
            data = series.to_numpy()
        else:
            data = series.fillna("").astype(str).str.strip().to_numpy(dtype=np.str_)
        attrs = {"units": units[str(name)]} if units and str(name) in units else {}
        variables[name] = (dim, data, attrs)
    return xr.Dataset(variables)


def places(frame: pd.DataFrame, lat: str, lon: str, path: Path, *, expected: str) -> pd.DataFrame:
    """Rows with a usable position: numeric, latitude within -90..90, longitudes brought to -180..180. FileProblem
    where none is left.
    """
    import pandas as pd

    out = frame.assign(**{name: pd.to_numeric(frame[name], errors="coerce") for name in (lat, lon)})
    out = out[out[lat].abs().le(90) & out[lon].between(-360, 360)].reset_index(drop=True)
    if out.empty:
        raise FileProblem(
            path, expected=expected, found="no row with latitude and longitude in degrees", remedy="check its columns"
        )
    out[lon] = np.where(out[lon].between(-180, 180), out[lon], wrap_longitude(out[lon].to_numpy(dtype=float)))
    return out


def number_lines(path: Path, *, expected: str) -> list[list[str]]:
    """Fields of the lines that begin with a digit or sign, split at commas or spaces; comments and headers left out."""
    with reading(path, expected):
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    return [
        re.split(r"[,\s]+", line.strip().rstrip(",")) for line in text.splitlines() if re.match(r"^\s*[-+]?\d", line)
    ]
