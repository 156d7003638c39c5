"""Sums over soundings that can be taken apart and put together: by overpass first, then by cell and period.

Soundings of one overpass share their errors (a correlation length of 10 to 20 km, Baker et al. 2022,
https://doi.org/10.5194/gmd-15-649-2022) and the weather of the day, so an overpass, not a sounding, is a sample. An
overpass of a cell is all its soundings of one local solar day: satellites measure in sunshine, so a local day never
cuts one in two, as midnight UTC would over the Pacific.

`OverpassSums` are made from soundings, file by file, and added where files share an overpass; `CellSums` are made from
the overpasses of a month with one of three weights, and added over months. Means and squared deviations are carried
(Welford; Chan, Golub & LeVeque 1983), never sums of squares, so 400 ppm in front of a spread of 0.1 costs no digits.
Additions are done in the order given: the same parts in the same order give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, Self, get_args

import numpy as np
from numba import njit

from analysis.errors import AnalysisError
from analysis.gridding.periods import DAY_NS

Weights = Literal["overpasses", "inverse variance", "soundings"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
"""How much an overpass counts in the mean of its cell: as one; by its stated variance; by the number of its soundings."""

_NS_PER_DEGREE = DAY_NS // 360


@dataclass(frozen=True)
class _Columns:
    """Arrays of one length."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All rows of all parts."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def select(self, rows: np.ndarray | slice) -> Self:
        """Some rows."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class OverpassSums(_Columns):
    """What the soundings of each overpass of each cell amount to, ascending by period, cell and day; all (n,).

    Attributes
    ----------
    period : int32 number of the period (`periods`).
    cell : int32 number of the cell, or of whatever else soundings are grouped by.
    day : int32 local solar day, counted from 1970.
    count : int64 soundings; with_error : int64 those with a stated error.
    mean, squares : their mean and sum of squared deviations from it.
    weight, weighted : sum of 1/error^2, and the mean with these weights, of those with a stated error.
    variance : sum of error^2.
    low, high : smallest and largest value.
    """

    period: np.ndarray
    cell: np.ndarray
    day: np.ndarray
    count: np.ndarray
    with_error: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    weight: np.ndarray
    weighted: np.ndarray
    variance: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class CellSums(_Columns):
    """What the overpasses of each cell in a period amount to, ascending by period and cell; all (n,).

    Attributes
    ----------
    period, cell : as in `OverpassSums`.
    count, plain, squares, low, high : number, mean, sum of squared deviations and range of the soundings.
    overpasses : int64 how many; with_error : those with a stated variance.
    weight, mean : sum of the overpasses' weights W, and their weighted mean m.
    weight2, lean, scatter : sums of W^2, W^2 (x - m) and W^2 (x - m)^2 over the overpasses' means x.
    stated : sum of W^2 times the stated variance.
    """

    period: np.ndarray
    cell: np.ndarray
    count: np.ndarray
    plain: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray
    overpasses: np.ndarray
    with_error: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    weight2: np.ndarray
    lean: np.ndarray
    scatter: np.ndarray
    stated: np.ndarray


def solar_days(times: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """(n,) int32 local mean solar day, counted from 1970, of (n,) times in ns since 1970 and longitudes in degrees."""
    return ((times + (lon * _NS_PER_DEGREE).astype(np.int64)) // DAY_NS).astype(np.int32)


def overpass_sums(
    period: np.ndarray,
    cell: np.ndarray,
    day: np.ndarray,
    value: np.ndarray,
    error: np.ndarray | None,
    *,
    error_floor: float = 0.0,
) -> OverpassSums:
    """Group soundings by period, cell and day. Those in no cell (-1) or without a finite value are left out.

    Parameters
    ----------
    period, cell, day, value : (n,).
    error : (n,) stated standard errors; NaN, zero or less is not stated. None: none is.
    error_floor : smaller errors are taken as this, so that no sounding is believed beyond reason.
    """
    keep = (cell >= 0) & np.isfinite(value)
    if not keep.all():
        period, cell, day, value = period[keep], cell[keep], day[keep], value[keep]
        error = None if error is None else error[keep]
    value = np.asarray(value, dtype=np.float64)
    error = np.full(value.size, np.nan) if error is None else np.asarray(error, dtype=np.float64)
    order = _order(period, cell, day)
    return OverpassSums(*_group(order, period, cell, day, value, error, float(error_floor)))


def add_overpasses(parts: Sequence[OverpassSums]) -> OverpassSums:
    """The sums of all soundings of all parts; an overpass in several of them becomes one."""
    if len(parts) == 1:
        return parts[0]
    whole = OverpassSums.joined(parts)
    order = _order(whole.period, whole.cell, whole.day)
    return whole.select(_add_overpasses(order, *(getattr(whole, field.name) for field in fields(whole))))


def cell_sums(overpasses: OverpassSums, weights: Weights = "overpasses") -> CellSums:
    """Bring the overpasses of each cell and period together.

    Parameters
    ----------
    weights : "overpasses" (W = 1), "inverse variance" (W = 1 / the mean stated variance of the overpass's soundings:
        their errors are taken as fully correlated), "soundings" (W = their number).

    Within an overpass soundings are weighted by 1/error^2 where all state an error, else equally; with weights
    "soundings" always equally.

    Raises
    ------
    AnalysisError : weights by variance, and soundings that state none.
    """
    if weights == "inverse variance":
        without = int((overpasses.count - overpasses.with_error).sum())
        if without:
            raise AnalysisError(
                f"expected soundings that state their error for weights by inverse variance, found {without} without; choose "
                "weights by overpass."
            )
    return CellSums(
        *_by_cell(
            WEIGHTS.index(weights),
            *(getattr(overpasses, field.name) for field in fields(overpasses)),
        )
    )


def add_cells(parts: Sequence[CellSums]) -> CellSums:
    """The sums of all parts, which share no overpass; a cell and period in several of them becomes one."""
    if len(parts) == 1:
        return parts[0]
    whole = CellSums.joined(parts)
    order = np.lexsort((whole.cell, whole.period))
    return whole.select(_add_cells(order, *(getattr(whole, field.name) for field in fields(whole))))


def _order(period: np.ndarray, cell: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Rows by period, cell and day, rows of one overpass as they come."""
    if not len(cell):
        return np.empty(0, dtype=np.int64)
    first, days = int(period.min()), int(day.max()) - int(day.min()) + 1
    cells = int(cell.max()) + 1
    if (int(period.max()) - first + 1) * cells * days >= 2**62:
        return np.lexsort((day, cell, period))
    key = ((period.astype(np.int64) - first) * cells + cell) * days + (day - int(day.min()))
    return np.argsort(key, kind="stable")


@njit(nogil=True, cache=True)
def _group(order, period, cell, day, value, error, floor):
    """order, period, ...: (soundings,). Returns the columns of OverpassSums."""
    groups = 0
    for k in range(order.size):
        i = order[k]
        if k == 0 or period[i] != period[order[k - 1]] or cell[i] != cell[order[k - 1]] or day[i] != day[order[k - 1]]:
            groups += 1
    periods, cells, days = np.empty(groups, np.int32), np.empty(groups, np.int32), np.empty(groups, np.int32)
    count, stated = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    sums = np.zeros((7, groups))
    mean, squares, weight, weighted = sums[0], sums[1], sums[2], sums[3]
    variance, low, high = sums[4], sums[5], sums[6]
    g = -1
    for k in range(order.size):
        i = order[k]
        x = value[i]
        if k == 0 or period[i] != periods[g] or cell[i] != cells[g] or day[i] != days[g]:
            g += 1
            periods[g], cells[g], days[g] = period[i], cell[i], day[i]
            low[g] = high[g] = x
        count[g] += 1
        step = x - mean[g]
        mean[g] += step / count[g]
        squares[g] += step * (x - mean[g])
        low[g], high[g] = min(low[g], x), max(high[g], x)
        if error[i] > 0.0 and error[i] < np.inf:
            s = max(error[i], floor)
            w = 1.0 / (s * s)
            stated[g] += 1
            variance[g] += s * s
            weight[g] += w
            weighted[g] += (w / weight[g]) * (x - weighted[g])
    return periods, cells, days, count, stated, mean, squares, weight, weighted, variance, low, high


@njit(nogil=True, cache=True)
def _add_overpasses(order, period, cell, day, count, stated, mean, squares, weight, weighted, variance, low, high):
    """Adds rows of one overpass into the first of them, in place; returns the rows that are whole then."""
    kept = np.empty(order.size, np.int64)
    groups = 0
    for k in range(order.size):
        i = order[k]
        if groups:
            g = kept[groups - 1]
            if period[i] == period[g] and cell[i] == cell[g] and day[i] == day[g]:
                total = count[g] + count[i]
                step = mean[i] - mean[g]
                squares[g] += squares[i] + step * step * (count[g] * (count[i] / total))
                mean[g] += step * (count[i] / total)
                count[g] = total
                if weight[i] > 0.0:
                    weight[g] += weight[i]
                    weighted[g] += (weight[i] / weight[g]) * (weighted[i] - weighted[g])
                    variance[g] += variance[i]
                    stated[g] += stated[i]
                low[g], high[g] = min(low[g], low[i]), max(high[g], high[i])
                continue
        kept[groups] = i
        groups += 1
    return kept[:groups]


@njit(nogil=True, cache=True)
def _by_cell(kind, period, cell, day, count, stated, mean, squares, weight, weighted, variance, low, high):
    """kind: place in WEIGHTS; columns of OverpassSums in, of CellSums out."""
    groups = 0
    for i in range(cell.size):
        if i == 0 or period[i] != period[i - 1] or cell[i] != cell[i - 1]:
            groups += 1
    periods, cells = np.empty(groups, np.int32), np.empty(groups, np.int32)
    n, passes, known = np.zeros(groups, np.int64), np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    sums = np.zeros((10, groups))
    plain, spread, least, most, total = sums[0], sums[1], sums[2], sums[3], sums[4]
    m, total2, lean, scatter, error = sums[5], sums[6], sums[7], sums[8], sums[9]
    g = -1
    for i in range(cell.size):
        if i == 0 or period[i] != period[i - 1] or cell[i] != cell[i - 1]:
            g += 1
            periods[g], cells[g] = period[i], cell[i]
            least[g], most[g] = low[i], high[i]
        both = n[g] + count[i]
        step = mean[i] - plain[g]
        spread[g] += squares[i] + step * step * (n[g] * (count[i] / both))
        plain[g] += step * (count[i] / both)
        n[g] = both
        least[g], most[g] = min(least[g], low[i]), max(most[g], high[i])
        v = variance[i] / stated[i] if stated[i] > 0 else np.nan
        x = weighted[i] if kind < 2 and stated[i] == count[i] else mean[i]
        w = 1.0 if kind == 0 else (1.0 / v if kind == 1 else float(count[i]))
        passes[g] += 1
        total[g] += w
        shift = (w / total[g]) * (x - m[g])
        scatter[g] += shift * (shift * total2[g] - 2.0 * lean[g])
        lean[g] -= shift * total2[g]
        m[g] += shift
        total2[g] += w * w
        lean[g] += w * w * (x - m[g])
        scatter[g] += w * w * (x - m[g]) ** 2
        if stated[i] > 0:
            known[g] += 1
            error[g] += w * w * v
    return periods, cells, n, plain, spread, least, most, passes, known, total, m, total2, lean, scatter, error


@njit(nogil=True, cache=True)
def _add_cells(
    order, period, cell, n, plain, spread, least, most, passes, known, total, m, total2, lean, scatter, error
):
    """Adds rows of one cell and period into the first of them, in place; returns the rows that are whole then."""
    kept = np.empty(order.size, np.int64)
    groups = 0
    for k in range(order.size):
        i = order[k]
        if groups:
            g = kept[groups - 1]
            if period[i] == period[g] and cell[i] == cell[g]:
                both = n[g] + n[i]
                step = plain[i] - plain[g]
                spread[g] += spread[i] + step * step * (n[g] * (n[i] / both))
                plain[g] += step * (n[i] / both)
                n[g] = both
                least[g], most[g] = min(least[g], least[i]), max(most[g], most[i])
                passes[g] += passes[i]
                known[g] += known[i]
                sum_w = total[g] + total[i]
                to_g = (m[i] - m[g]) * (total[i] / sum_w)
                to_i = (m[g] - m[i]) * (total[g] / sum_w)
                scatter[g] += to_g * (to_g * total2[g] - 2.0 * lean[g])
                scatter[g] += scatter[i] + to_i * (to_i * total2[i] - 2.0 * lean[i])
                lean[g] += lean[i] - to_g * total2[g] - to_i * total2[i]
                m[g] += to_g
                total[g] = sum_w
                total2[g] += total2[i]
                error[g] += error[i]
                continue
        kept[groups] = i
        groups += 1
    return kept[:groups]
