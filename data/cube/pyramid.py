"""From one map to all levels of its pyramid, and the statistics of its rows.

Each cell of a coarser level is the area-weighted mean of the grid's cells in it that hold data (exact areas,
proportional to the difference of the sines of a row's edges), however many levels lie between: sums are carried up,
not means. Means of packed variables are rounded to the nearest code, halves to even.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit

from data.cube.grid import Grid, Variable
from data.cube.shards import ShardLayout
from data.errors import StoreProblem

CHUNK = 600
"""Largest side of a map chunk: 720 kB, decoded in 0.6 ms; a screen needs at most about two dozen."""


@dataclass(frozen=True)
class RowStatistics:
    """What the cells of each row amount to; every array is (rows,).

    Attributes
    ----------
    count : cells with data.
    mean : their mean, NaN where none.
    squares : sum of their squared deviations from it.
    """

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray


def map_layout(grid: Grid, variable: Variable, level: int, slots: int) -> ShardLayout:
    """Chunks and shards of one level's maps: a shard for each slot."""
    rows, columns = grid.shape(level)
    down, across = -(-rows // CHUNK), -(-columns // CHUNK)
    chunk = (1, -(-rows // down), -(-columns // across))
    return ShardLayout((slots, rows, columns), (1, chunk[1] * down, chunk[2] * across), chunk, variable.dtype)


def check_map(values: Any, grid: Grid, variable: Variable) -> np.ndarray:
    """A plain two-dimensional array on the grid; StoreProblem for wrong shapes, coordinates, units or types."""
    units = getattr(values, "attrs", {}).get("units")
    if units is not None and units != variable.units:
        raise StoreProblem(
            f"variable {variable.name}: expected units {variable.units!r}, found {units!r}; convert the map first."
        )
    for name, wanted in (("lat", grid.lat), ("lon", grid.lon)):
        if hasattr(values, "coords") and name in values.coords:
            found = np.asarray(values.coords[name], dtype=np.float64)
            if found.shape != wanted.shape or np.abs(found - wanted).max() > 0.1 * min(grid.dlat, grid.dlon):
                raise StoreProblem(
                    f"variable {variable.name}: expected the cube's {name} coordinate, found another; put "
                    "the map on the cube's grid first."
                )
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    array = np.asarray(values)
    if array.shape != grid.shape():
        raise StoreProblem(
            f"variable {variable.name}: expected a map of {grid.nlat} rows and {grid.nlon} columns, found "
            f"shape {array.shape}; row 0 is the southernmost."
        )
    if array.dtype.kind not in "fiu":
        raise StoreProblem(f"variable {variable.name}: expected numbers, found {array.dtype}; convert the map first.")
    if variable.dtype == "int16" and array.dtype == np.int16:
        return array
    return (
        array
        if array.dtype in (np.float32, np.float64)
        else array.astype(np.float64 if array.dtype.itemsize > 2 else np.float32)
    )


def pack(array: np.ndarray, variable: Variable, executor: Executor) -> np.ndarray:
    """Codes (int16) or values (float32) of a checked map; StoreProblem where values do not fit."""
    if array.dtype == np.int16:
        return np.ascontiguousarray(array)
    packed = np.empty(array.shape, dtype=variable.dtype)
    bands = _bands(array.shape[0])
    if variable.dtype == "int16":
        results = list(
            executor.map(lambda band: _quantise(array[band], variable.scale, variable.offset, packed[band]), bands)
        )
    else:
        results = list(executor.map(lambda band: _copy_finite(array[band], packed[band]), bands))
    bad = sum(result[0] for result in results)
    if bad:
        low, high = min(result[1] for result in results), max(result[2] for result in results)
        remedy = (
            "storage as float32 would hold them"
            if variable.dtype == "int16" and np.isfinite([low, high]).all()
            else "mark missing cells with NaN"
        )
        raise StoreProblem(
            f"variable {variable.name}: expected values within {variable.low:g}..{variable.high:g} "
            f"{variable.units}, found {bad} outside, from {low:g} to {high:g}; {remedy}."
        )
    return packed


def build_pyramid(codes: np.ndarray, grid: Grid, variable: Variable, executor: Executor) -> list[np.ndarray]:
    """All levels of a packed map, finest first, packed alike."""
    levels = [codes]
    if grid.levels == 1:
        return levels
    total, weight = np.empty(grid.shape(1)), np.empty(grid.shape(1))
    areas = grid.row_areas()
    list(
        executor.map(
            lambda band: _halve_codes(codes, variable.missing, areas, band.start, band.stop, total, weight),
            _bands(grid.shape(1)[0]),
        )
    )
    for level in range(1, grid.levels):
        if level > 1:
            total, weight = _halve_sums(total), _halve_sums(weight)
        means = np.empty(total.shape, dtype=variable.dtype)
        list(
            executor.map(
                lambda band, t=total, w=weight, m=means: _means(t[band], w[band], variable.missing, m[band]),
                _bands(total.shape[0]),
            )
        )
        levels.append(means)
    return levels


def row_statistics(codes: np.ndarray, variable: Variable, executor: Executor) -> RowStatistics:
    """Count, mean and squared deviations of each row of a packed map, in the variable's units."""
    sums = np.empty((3, codes.shape[0]))
    list(executor.map(lambda band: _row_sums(codes[band], variable.missing, sums[:, band]), _bands(codes.shape[0])))
    return RowStatistics(sums[0], variable.offset + variable.scale * sums[1], variable.scale**2 * sums[2])


def _bands(rows: int, count: int = 2) -> list[slice]:
    edges = np.linspace(0, rows, count + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


@njit(nogil=True, cache=True)
def _quantise(values, scale, offset, codes):
    """values, codes: (rows, columns). Returns the number of values that do not fit, and their range."""
    bad, low, high = 0, np.inf, -np.inf
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            value = values[i, j]
            if value != value:
                codes[i, j] = -32768
                continue
            code = np.rint((value - offset) / scale)
            if code < -32767.0 or code > 32767.0:
                bad += 1
                low, high = min(low, value), max(high, value)
            else:
                codes[i, j] = np.int16(code)
    return bad, low, high


@njit(nogil=True, cache=True)
def _copy_finite(values, out):
    bad, low, high = 0, np.inf, -np.inf
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            value = values[i, j]
            kept = np.float32(value)
            out[i, j] = kept
            if np.isinf(kept):
                bad += 1
                low, high = min(low, value), max(high, value)
    return bad, low, high


@njit(nogil=True, cache=True)
def _halve_codes(codes, missing, areas, first, last, total, weight):
    """Weighted sums over blocks of 2 x 2 cells. codes: (n, m); total, weight: (ceil(n/2), ceil(m/2)), rows
    first..last are filled."""
    rows, columns = codes.shape
    for i in range(first, last):
        total[i] = 0.0
        weight[i] = 0.0
        for r in range(2 * i, min(2 * i + 2, rows)):
            area = areas[r]
            for c in range(columns):
                value = codes[r, c]
                if value != missing and value == value:
                    total[i, c >> 1] += area * value
                    weight[i, c >> 1] += area


@njit(nogil=True, cache=True)
def _halve_sums(sums):
    rows, columns = sums.shape
    out = np.zeros(((rows + 1) // 2, (columns + 1) // 2))
    for r in range(rows):
        for c in range(columns):
            out[r >> 1, c >> 1] += sums[r, c]
    return out


@njit(nogil=True, cache=True)
def _means(total, weight, missing, out):
    packed = missing == missing
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            if weight[i, j] > 0.0:
                mean = total[i, j] / weight[i, j]
                out[i, j] = np.rint(mean) if packed else mean
            else:
                out[i, j] = missing


@njit(nogil=True, cache=True)
def _row_sums(codes, missing, out):
    """out: (3, rows): count, mean, sum of squared deviations, of codes; sums are taken about the row's first value."""
    for i in range(codes.shape[0]):
        count, first, total, squares = 0, 0.0, 0.0, 0.0
        for j in range(codes.shape[1]):
            value = codes[i, j]
            if value != missing and value == value:
                if count == 0:
                    first = np.float64(value)
                deviation = value - first
                count += 1
                total += deviation
                squares += deviation * deviation
        out[0, i] = count
        out[1, i] = first + total / count if count else np.nan
        out[2, i] = max(squares - total * total / count, 0.0) if count else 0.0
