"""AIRS mid-tropospheric CO2 as distributed with the R package FRK: one R data frame, one row a sounding.

Columns year, month, day, lon, lat, co2avgret and co2std (ppm), AIRS level 2 version 5. The day is all that is known of
the time, so soundings stand at its noon (UTC).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.opening import pack, reading
from data.readers.points import Column, soundings
from data.readers.probe import Probe
from data.readers.units import to_ppm

if TYPE_CHECKING:
    import pandas as pd

_FILE = "an R data frame of AIRS CO2: columns year, month, day, lon, lat, co2avgret, co2std"
_NEEDED = ("year", "month", "day", "lon", "lat", "co2avgret")


def _is_airs(probe: Probe) -> bool:
    named = probe.name.lower().endswith((".rda", ".rdata"))
    return named and (probe.container in ("rdata", "gzip", "bzip2", "xz") or "airs" in probe.name.lower())


def _frame(path: Path) -> pd.DataFrame:
    import pandas as pd
    import rdata

    with reading(path, _FILE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rdata warns of R attributes that do not matter here
        try:
            content = rdata.read_rda(path)
        except NotImplementedError as error:
            raise ValueError(str(error)) from error
    for value in content.values():
        if isinstance(value, pd.DataFrame) and set(_NEEDED) <= set(value.columns):
            return value
    found = ", ".join(f"{name} ({type(value).__name__})" for name, value in content.items()) or "nothing"
    raise FileProblem(path, expected=_FILE, found=found, remedy="name a file with that data frame")


def read_airs(path: Path) -> Product:
    """Soundings with ``co2_midtroposphere`` and its standard error in ppm."""
    frame = _frame(path)

    def numbers(name: str) -> np.ndarray:
        return frame[name].to_numpy(dtype=np.float64, na_value=np.nan).copy()

    year, month, day = (numbers(name) for name in ("year", "month", "day"))
    with np.errstate(invalid="ignore"):
        dated = (year > 1950) & (year < 2100) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = np.where(dated, (year - 1970) * 12 + month - 1, 0).astype(np.int64).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(dated, day - 1, 0).astype("timedelta64[D]")
    noon = np.where(dated, days.astype("datetime64[ns]") + np.timedelta64(12, "h"), np.datetime64("NaT", "ns"))
    co2 = numbers("co2avgret")
    co2[co2 < 0] = np.nan
    columns: dict[str, Column] = {
        "co2_midtroposphere": (
            to_ppm(co2, None, path, "co2avgret"),
            {"units": "ppm", "long_name": "CO2 mole fraction of the middle troposphere"},
        )
    }
    if "co2std" in frame:
        error = numbers("co2std")
        error[error < 0] = np.nan
        columns["co2_midtroposphere_uncertainty"] = (error, {"units": "ppm", "long_name": "standard error"})
    dataset = soundings(
        path,
        expected=_FILE,
        time=noon,
        lat=numbers("lat"),
        lon=numbers("lon"),
        columns=columns,
        main="co2_midtroposphere",
    )
    return pack(
        "soundings",
        dataset,
        reader="airs",
        collection="airs-midtroposphere",
        path=path,
        title="AIRS mid-tropospheric CO2 soundings",
        instrument="AIRS",
        version="5",
        catalog="airs-midtrop",
        note=str(dataset.attrs.get("note", "")),
    )


READERS = [Reader("airs", "soundings", _FILE, _is_airs, read_airs)]
