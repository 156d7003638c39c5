"""Months of overpasses in, periods of cells out, and what a map of a period shows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from analysis.gridding.overpasses import CellSums
from analysis.gridding.periods import Every, ends_with
from analysis.gridding.statistics import cell_mean, spread, standard_error
from data.cube import Grid, Variable

STANDARD_NAMES = {"xco2": "column-average dry-air mole fraction of CO2"}


class Sums(Protocol):
    """Sums by period that can be taken apart and added: `CellSums`, `ValueCounts`."""

    @property
    def period(self) -> np.ndarray:
        """(n,) int32 number of each row's period."""

    def __len__(self) -> int:
        """Rows."""

    def select(self, rows: Any, /) -> Self:
        """Some rows."""


Part = TypeVar("Part")


def periods_in_order(
    parts: Iterable[tuple[int, Part]],
    month_sums: Callable[[list[Part]], Mapping[str, Sums]],
    add: Mapping[str, Callable[[list[Any]], Any]],
    *,
    every: Every,
    last_month: int,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and sums of each period, as soon as no more can come; only a month and unfinished periods are in memory.

    An overpass that midnight UTC at the end of a month cuts in two counts in both months.

    Parameters
    ----------
    parts : (month, what came of a piece of it) in order of months, counted from January 1970.
    month_sums : brings the parts of a month together: name -> sums.
    add : name -> how sums of several months are added.
    last_month : the last month that will come.
    """
    waiting: dict[int, dict[str, Any]] = {}
    for month, entries in itertools.groupby(parts, key=lambda part: part[0]):
        for name, sums in month_sums([part for _, part in entries]).items():
            for number in np.unique(sums.period).tolist():
                fresh, known = sums.select(sums.period == number), waiting.setdefault(number, {})
                known[name] = add[name]([known[name], fresh]) if name in known else fresh
        for number in sorted(waiting):
            if ends_with(month, number, every, last_month):
                yield number, waiting.pop(number)
    yield from sorted(waiting.items())


def layers(variable: str, units: str, long_name: str) -> list[Variable]:
    """The variables of a gridded cube: mean (under the variable's own name), spread, standard error, counts."""
    what = STANDARD_NAMES.get(variable.removesuffix("_x2019"), long_name or variable)
    return [
        Variable(variable, units, f"mean {what}", "float32"),
        Variable(f"{variable}_spread", units, f"standard deviation of the soundings of {what}", "float32"),
        Variable(f"{variable}_stderr", units, f"standard error of the mean {what}", "float32"),
        Variable("n_soundings", "1", f"number of soundings of {what}", "float32"),
        Variable("n_days", "1", "number of overpasses (local days with soundings)", "float32"),
    ]


def layer_values(sums: CellSums, floor: float) -> np.ndarray:
    """(layers, cells) float32 of each of `layers`, in that order."""
    found = [cell_mean(sums), spread(sums), standard_error(sums, floor), sums.count, sums.overpasses]
    return np.stack([values.astype(np.float32) for values in found])


def on_grid(grid: Grid, cells: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(nlat, nlon) float32 map with the values of some cells, NaN elsewhere."""
    out = np.full(grid.nlat * grid.nlon, np.nan, dtype=np.float32)
    out[cells] = values
    return out.reshape(grid.nlat, grid.nlon)
