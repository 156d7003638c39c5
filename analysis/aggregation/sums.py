"""What one piece of the archive gives to an aggregate, and how pieces come together period by period.

Soundings are grouped by region and UTC day, by grid cell and local solar day (as in gridding), or by both. Medians and
percentiles come from counted values. The standard error of a region's mean of soundings takes the days as samples: it
is an upper bound for large regions, whose days are seen in many independent places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from analysis.aggregation.area_means import area_mean, by_day_group
from analysis.aggregation.regions import Region, soundings_within
from analysis.aggregation.value_counts import ValueCounts, add_counts, quantiles, value_counts
from analysis.gridding.cells import cell_numbers
from analysis.gridding.maps import Sums, periods_in_order
from analysis.gridding.overpasses import (
    CellSums,
    OverpassSums,
    Weights,
    add_cells,
    add_overpasses,
    cell_sums,
    overpass_sums,
    solar_days,
)
from analysis.gridding.periods import DAY_NS, Every, period_numbers
from analysis.gridding.reading import read_piece
from analysis.gridding.selection import Piece, Selection
from analysis.gridding.statistics import spread, standard_error
from data.cube import Grid

Of = Literal["soundings", "grid cells"]
OF: tuple[Of, ...] = get_args(Of)


@dataclass(frozen=True)
class Question:
    """What is asked of every piece.

    Attributes
    ----------
    error, floor : column of the standard errors ("" for none), and the smallest that is believed.
    regions : for series and tables; empty for none.
    grid : cells for maps and area-weighted means.
    of : regions' statistics are of their soundings or of their grid cells.
    maps : statistics of each cell are wanted too.
    shares : quantiles wanted, 0..1 each.
    """

    selection: Selection
    every: Every
    error: str
    floor: float
    regions: tuple[Region, ...]
    grid: Grid
    of: Of
    maps: bool
    shares: tuple[float, ...]

    @property
    def by_region(self) -> bool:
        """Soundings are grouped by region."""
        return bool(self.regions) and self.of == "soundings"

    @property
    def by_cell(self) -> bool:
        """Soundings are grouped by cell."""
        return self.maps or (bool(self.regions) and self.of == "grid cells")

    @property
    def cell_weights(self) -> Weights:
        """How overpasses make the mean of a cell."""
        return "overpasses" if self.of == "grid cells" else "soundings"


@dataclass(frozen=True)
class PieceSums:
    """What a piece gives; None for what is not asked."""

    regions: OverpassSums | None
    region_values: ValueCounts | None
    cells: OverpassSums | None
    cell_values: ValueCounts | None


def piece_sums(piece: Piece, question: Question) -> PieceSums:
    """Read and group the soundings of a piece."""
    found: dict[str, list[Any]] = {"regions": [], "region_values": [], "cells": [], "cell_values": []}
    for soundings in read_piece(piece, question.selection, question.error):
        periods = period_numbers(soundings.times, piece.month, question.every)
        if question.by_region:
            place, region = soundings_within(question.regions, soundings.lon, soundings.lat)
            days = (soundings.times[place] // DAY_NS).astype(np.int32)
            groups = periods[place], region, days, soundings.value[place], soundings.error[place]
            found["regions"].append(overpass_sums(*groups, error_floor=question.floor))
            if question.shares:
                found["region_values"].append(value_counts(groups[0], region, groups[3]))
        if question.by_cell:
            cell = cell_numbers(question.grid, soundings.lon, soundings.lat)
            days = solar_days(soundings.times, soundings.lon)
            found["cells"].append(
                overpass_sums(periods, cell, days, soundings.value, soundings.error, error_floor=question.floor)
            )
            if question.shares and question.maps:
                found["cell_values"].append(value_counts(periods, cell, soundings.value))
    return PieceSums(
        regions=add_overpasses(found["regions"]) if found["regions"] else None,
        region_values=add_counts(found["region_values"]) if found["region_values"] else None,
        cells=add_overpasses(found["cells"]) if found["cells"] else None,
        cell_values=add_counts(found["cell_values"]) if found["cell_values"] else None,
    )


def aggregated_periods(
    parts: Iterable[tuple[int, PieceSums]], question: Question, last_month: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and sums of each period: "regions", "region_values", "cells", "groups" (cells by group of days),
    "cell_values", as far as asked and present.
    """

    def month_sums(parts: list[PieceSums]) -> dict[str, Sums]:
        found: dict[str, Sums] = {}
        if held := [part.regions for part in parts if part.regions is not None]:
            found["regions"] = cell_sums(add_overpasses(held), "soundings")
        if held := [part.cells for part in parts if part.cells is not None]:
            cells = add_overpasses(held)
            if question.maps:
                found["cells"] = cell_sums(cells, question.cell_weights)
            if question.regions and question.of == "grid cells":
                found["groups"] = cell_sums(by_day_group(cells), "overpasses")
        for name in ("region_values", "cell_values"):
            if counted := [getattr(part, name) for part in parts if getattr(part, name) is not None]:
                found[name] = add_counts(counted)
        return found

    return periods_in_order(parts, month_sums, _ADD, every=question.every, last_month=last_month)


def whole_time(known: dict[str, Any], sums: dict[str, Any]) -> dict[str, Any]:
    """The regions' sums of one more period added to those of all before it, as one period."""
    fresh = {
        name: replace(sums[name], period=np.zeros_like(sums[name].period))
        for name in ("regions", "region_values", "groups")
        if name in sums
    }
    return known | {name: _ADD[name]([known[name], each]) if name in known else each for name, each in fresh.items()}


_ADD: dict[str, Any] = {
    "regions": add_cells,
    "cells": add_cells,
    "groups": add_cells,
    "region_values": add_counts,
    "cell_values": add_counts,
}
Members = tuple[np.ndarray, np.ndarray]
"""Cells of a region and their areas (`regions.cells_within`)."""


def region_rows(sums: dict[str, Any], question: Question, members: Sequence[Members]) -> dict[str, np.ndarray]:
    """Statistic -> (regions,) of one period: mean, standard_error, spread, min, max, soundings, days or cells and
    coverage, and `q0`, `q1`, ... for the quantiles.

    Parameters
    ----------
    members : of each region, where statistics are of grid cells.
    """
    return _of_cells(sums, question, members) if question.of == "grid cells" else _of_soundings(sums, question)


def _of_soundings(sums: dict[str, Any], question: Question) -> dict[str, np.ndarray]:
    names = ["mean", "standard_error", "spread", "min", "max", "soundings", "days"]
    names += [f"q{place}" for place in range(len(question.shares))]
    rows = {name: np.full(len(question.regions), np.nan) for name in names}
    rows["soundings"][:], rows["days"][:] = 0, 0
    found: CellSums | None = sums.get("regions")
    if found is not None:
        at = found.cell
        rows["mean"][at], rows["spread"][at] = found.mean, spread(found)
        rows["standard_error"][at] = standard_error(found, question.floor)
        rows["min"][at], rows["max"][at] = found.low, found.high
        rows["soundings"][at], rows["days"][at] = found.count, found.overpasses
    if question.shares and "region_values" in sums:
        _, at, values = quantiles(sums["region_values"], question.shares)
        for place in range(len(question.shares)):
            rows[f"q{place}"][at] = values[:, place]
    return rows


def _of_cells(sums: dict[str, Any], question: Question, members: Sequence[Members]) -> dict[str, np.ndarray]:
    groups: CellSums | None = sums.get("groups")
    if groups is None:
        none = np.empty(0, dtype=np.int32)
        groups = cell_sums(overpass_sums(none, none, none, np.empty(0), None))
    found = [area_mean(groups, cells, areas, shares=question.shares, floor=question.floor) for cells, areas in members]
    return {
        "mean": np.array([each.mean for each in found]),
        "standard_error": np.array([each.standard_error for each in found]),
        "spread": np.array([each.spread for each in found]),
        "min": np.array([each.low for each in found]),
        "max": np.array([each.high for each in found]),
        "soundings": np.array([float(each.soundings) for each in found]),
        "cells": np.array([float(each.cells) for each in found]),
        "coverage": np.array([each.coverage for each in found]),
        **{f"q{place}": np.array([each.quantiles[place] for each in found]) for place in range(len(question.shares))},
    }
