"""Statistics of several instruments and regions over time, as series and tables that others can read and cite."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.gridding.periods import Every, period_edges, period_middle

if TYPE_CHECKING:
    import xarray as xr

DESCRIPTIONS = {
    "mean": "mean",
    "standard_error": "standard error of the mean",
    "median": "median",
    "spread": "standard deviation",
    "min": "smallest",
    "max": "largest",
    "soundings": "number of soundings",
    "days": "number of days (UTC) with soundings",
    "cells": "number of grid cells with soundings",
    "coverage": "part of the region's area whose cells have soundings",
}
UNITLESS = ("soundings", "days", "cells", "coverage")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def percentile_name(percent: float) -> str:
    """Column of a percentile: p05, p50, p97.5."""
    return f"p{percent:04.1f}" if percent % 1 else f"p{percent:02.0f}"


def describe(statistic: str) -> str:
    """What a column holds, in words."""
    return DESCRIPTIONS.get(statistic) or f"{float(statistic[1:]):g}th percentile"


@dataclass(frozen=True)
class Aggregate:
    """Statistics by period, region and instrument.

    Attributes
    ----------
    variable, units : what they are of.
    every, periods : kind and numbers of the periods, ascending.
    span : first moment of the first and of the one after the last sounding's day, for the period "whole".
    regions, instruments : names.
    values : statistic -> (periods, regions, instruments) float64, NaN where there is nothing.
    attrs : provenance (`analysis.gridding.provenance`).
    """

    variable: str
    units: str
    every: Every
    periods: tuple[int, ...]
    span: tuple[np.datetime64, np.datetime64]
    regions: tuple[str, ...]
    instruments: tuple[str, ...]
    values: Mapping[str, np.ndarray]
    attrs: Mapping[str, Any]

    @property
    def times(self) -> np.ndarray:
        """(periods,) datetime64[ns] middles."""
        return np.array([period_middle(number, self.every, self.span) for number in self.periods], "datetime64[ns]")

    def unit_of(self, statistic: str) -> str:
        """Unit of a statistic."""
        return "1" if statistic in UNITLESS else self.units

    def to_dataset(self) -> xr.Dataset:
        """CF dataset with dims time, region, instrument; `time_bnds` are the periods' edges."""
        import xarray as xr

        edges = np.array([period_edges(number, self.every, self.span) for number in self.periods], "datetime64[ns]")
        dataset = xr.Dataset(
            {
                f"{self.variable}_{name}" if name not in UNITLESS else name: (
                    ("time", "region", "instrument"),
                    values,
                    {
                        "units": self.unit_of(name),
                        "long_name": f"{describe(name)} of {self.variable}"
                        if name not in UNITLESS
                        else f"{describe(name)} ({self.variable})",
                        "simulated": np.int8(self.attrs.get("simulated", 0)),
                    },
                )
                for name, values in self.values.items()
            },
            coords={
                "time": ("time", self.times, {"standard_name": "time", "axis": "T", "bounds": "time_bnds"}),
                "region": ("region", np.array(self.regions, dtype=object)),
                "instrument": ("instrument", np.array(self.instruments, dtype=object)),
            },
            attrs={"Conventions": "CF-1.11", **self.attrs},
        )
        dataset["time_bnds"] = (("time", "bnds"), edges)
        return dataset

    def write_netcdf(self, path: Path) -> None:
        """The dataset as netCDF-4."""
        days = {"units": "days since 1970-01-01", "calendar": "standard", "dtype": "float64", "_FillValue": None}
        dataset = self.to_dataset()
        encoding: dict[str, dict[str, Any]] = {
            str(name): {"zlib": True, "complevel": 4, "_FillValue": np.nan} for name in dataset.data_vars
        }
        dataset.to_netcdf(path, engine="h5netcdf", encoding={**encoding, "time": days, "time_bnds": days})

    def series_csv(self) -> str:
        """CSV with a row for each period, region and instrument that has soundings: ISO time (middle of the period), region,
        instrument, then the statistics.
        """
        rows = [
            [stamp, *self._row(place, r, i)]
            for place, stamp in enumerate(_iso(self.times))
            for r, i in self._pairs(place)
        ]
        return self._text(
            "time is the middle of each period, UTC", ["time", "region", "instrument", *self.values], rows
        )

    def table_csv(self) -> str:
        """CSV of a single period ("whole"): a row for each region and instrument that has soundings."""
        first, last = self.span[0], self.span[1] - np.timedelta64(1, "ns")
        days = [str(moment.astype("datetime64[D]")) for moment in (first, last)]
        rows = [[*self._row(0, r, i), *days] for r, i in self._pairs(0)]
        return self._text("", ["region", "instrument", *self.values, "first_day", "last_day"], rows)

    def _pairs(self, place: int) -> Iterator[tuple[int, int]]:
        """Regions and instruments with soundings."""
        seen = self.values["soundings"][place] > 0
        return ((r, i) for r in range(len(self.regions)) for i in range(len(self.instruments)) if seen[r, i])

    def _row(self, place: int, r: int, i: int) -> list[str]:
        return [
            self.regions[r],
            self.instruments[i],
            *(_number(values[place, r, i]) for values in self.values.values()),
        ]

    def _text(self, note: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Comment lines and CSV; `pandas.read_csv(file, comment="#")` reads it, no cell makes a spreadsheet compute."""
        keys = ("title", "comment", "method", "source", "citation", "licence", "scale", "settings", "run", "created")
        heads = [f"{key}: {_one_line(self.attrs[key])}" for key in keys if self.attrs.get(key)]
        heads += [
            f"{name}: {describe(name)}{'' if name in UNITLESS else f' of {self.variable}, {self.units}'}"
            for name in self.values
        ]
        heads += [note] if note else []
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([[_safe(cell) if not _is_number(cell) else cell for cell in row] for row in rows])
        return "".join(f"# {line}\n" for line in heads) + stream.getvalue()


def _iso(times: np.ndarray) -> list[str]:
    return [f"{moment}Z" for moment in times.astype("datetime64[s]").astype(str)]


def _number(value: float) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.7g}"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _safe(cell: str) -> str:
    cell = _one_line(cell).replace("#", "no.")
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
