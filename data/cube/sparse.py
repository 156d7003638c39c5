"""Encoding maps of which only some cells have data (soundings on a fine grid) without ever making a whole map.

The files are those that `writing.encode_map` makes of the whole map, bit for bit, but memory grows with the cells that
have data, and so does all work but compressing. Which cells lie where is found out once for all maps that have data in the
same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit

from data.cube.grid import Grid, Variable
from data.cube.pyramid import RowStatistics, map_layout, pack
from data.cube.shards import ShardLayout, build_shard, encode_chunk
from data.cube.writing import EncodedMap
from data.errors import StoreProblem


def encode_cells(
    cells: np.ndarray,
    values: np.ndarray,
    grid: Grid,
    variables: Sequence[Variable],
    keep: Callable[[EncodedMap], EncodedMap] = lambda made: made,
) -> dict[str, EncodedMap]:
    """Pack the values of some cells, build the pyramids and compress them, on one thread; see `encode_map`.

    Parameters
    ----------
    cells : (n,) numbers row * nlon + column, ascending, each once.
    values : (variables, n); NaN for no data.
    keep : what becomes of each map (`EncodedMap.kept_in`); called on another thread, so that it may wait for the disk while
        the next map is made.

    Returns
    -------
    By the variables' names.

    Raises
    ------
    StoreProblem : cells outside the grid or not ascending; values that do not fit.
    """
    cells = np.asarray(cells, dtype=np.int64)
    values = np.asarray(values)
    names = ", ".join(variable.name for variable in variables)
    if values.shape != (len(variables), cells.size) or (np.diff(cells) <= 0).any():
        raise StoreProblem(
            f"{names}: expected one value of each for each of ascending cells, found values of shape {values.shape} for "
            f"{cells.size} cells; sort them."
        )
    if cells.size and not 0 <= cells[0] <= cells[-1] < grid.nlat * grid.nlon:
        raise StoreProblem(
            f"{names}: expected cells 0 to {grid.nlat * grid.nlon - 1}, found {cells[0]} to {cells[-1]}; use the cube's grid."
        )
    with ThreadPoolExecutor(1) as pool:  # off the main thread, where Blosc compresses on one thread and always the same
        return pool.submit(_encode, cells, values, grid, variables, keep).result()


def _encode(
    cells: np.ndarray,
    values: np.ndarray,
    grid: Grid,
    variables: Sequence[Variable],
    keep: Callable[[EncodedMap], EncodedMap],
) -> dict[str, EncodedMap]:
    made: dict[str, Future[EncodedMap]] = {}
    places: dict[bytes, _Places] = {}
    with ThreadPoolExecutor(1) as pool, ThreadPoolExecutor(max(len(variables), 1)) as keepers:
        for variable, row in zip(variables, values, strict=True):
            codes = pack(row[np.newaxis], variable, pool)[0]
            kept = codes != variable.missing if variable.dtype == "int16" else np.isfinite(codes)
            layouts = [map_layout(grid, variable, level, 1) for level in range(grid.levels)]
            key = kept.tobytes()
            if key not in places:
                places[key] = _Places.of(cells[kept], layouts, grid)
            encoded = _encoded(codes[kept], places[key], layouts, grid, variable)
            made[variable.name] = keepers.submit(keep, encoded)
    return {name: future.result() for name, future in made.items()}


@dataclass(frozen=True)
class _Level:
    """Where the cells of one level that have data lie; they are in the order of rows, then columns.

    Attributes
    ----------
    parents : (cells of the next finer level,) number of the cell that each belongs to; empty at level 0.
    weights : (cells,) areas with data.
    order : (cells,) the cells chunk by chunk.
    inside : (cells,) where each of those lies in its chunk.
    edges : (chunks + 1,) where each chunk begins in `order`.
    """

    parents: np.ndarray
    weights: np.ndarray
    order: np.ndarray
    inside: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True)
class _Places:
    """Where the cells with data lie on all levels, finest first, and in which `rows` (n,) of the finest."""

    rows: np.ndarray
    levels: tuple[_Level, ...]

    @classmethod
    def of(cls, cells: np.ndarray, layouts: Sequence[ShardLayout], grid: Grid) -> _Places:
        first, columns = (part.astype(np.int32) for part in np.divmod(cells, grid.nlon))
        rows, parents, weights = first, np.empty(0, np.int32), grid.row_areas()[first]
        levels: list[_Level] = []
        for layout in layouts:
            if levels:
                parents, rows, columns = _halved(rows, columns)
                weights = _sums(parents, weights, rows.size)
            levels.append(_Level(parents, weights, *_by_chunk(rows, columns, *layout.chunk[1:], *layout.grid[1:])))
        return cls(first, tuple(levels))


def _encoded(
    codes: np.ndarray, places: _Places, layouts: Sequence[ShardLayout], grid: Grid, variable: Variable
) -> EncodedMap:
    first = _row_sums(places.rows, codes, grid.nlat)
    statistics = RowStatistics(first[0], variable.offset + variable.scale * first[1], variable.scale**2 * first[2])
    totals = places.levels[0].weights * codes
    shards = []
    for number, (level, layout) in enumerate(zip(places.levels, layouts, strict=True)):
        if number:
            totals = _sums(level.parents, totals, level.weights.size)
            means = totals / level.weights
            codes = (np.rint(means) if variable.dtype == "int16" else means).astype(variable.dtype)
        shards.append(build_shard(list(_chunks(codes, level, layout, variable))))
    return EncodedMap(grid, variable, tuple(shards), statistics)


def _chunks(codes: np.ndarray, level: _Level, layout: ShardLayout, variable: Variable) -> Iterator[bytes | None]:
    """Encoded chunks of a level in C order; None for those without data."""
    _, height, width = layout.chunk
    chunk = np.full(height * width, variable.missing, dtype=variable.dtype)
    for start, end in pairwise(level.edges.tolist()):
        if start == end:
            yield None
            continue
        inside = level.inside[start:end]
        chunk[inside] = codes[level.order[start:end]]
        yield encode_chunk(chunk, end - start)
        chunk[inside] = variable.missing  # cheaper than a new one, and stays in the cache


@njit(nogil=True, cache=True)
def _halved(rows, columns):
    """rows, columns: (n,) of cells, ascending. Returns the number (n,) of the coarser cell that each belongs to, and those
    cells' rows and columns (m,).
    """
    count = rows.size
    parents = np.empty(count, np.int32)
    up, across = np.empty(count, np.int32), np.empty(count, np.int32)
    found = -1
    start = 0
    while start < count:
        row = rows[start] >> 1
        middle = start
        while middle < count and rows[middle] == 2 * row:
            middle += 1
        end = middle
        while end < count and rows[end] == 2 * row + 1:
            end += 1
        lower, upper = start, middle
        while lower < middle or upper < end:
            if upper == end or (lower < middle and columns[lower] >> 1 <= columns[upper] >> 1):
                cell = lower
                lower += 1
            else:
                cell = upper
                upper += 1
            column = columns[cell] >> 1
            if found < 0 or up[found] != row or across[found] != column:
                found += 1
                up[found], across[found] = row, column
            parents[cell] = found
        start = end
    return parents, up[: found + 1].copy(), across[: found + 1].copy()


@njit(nogil=True, cache=True)
def _by_chunk(rows, columns, height, width, down, across):
    """rows, columns: (n,) of cells; chunks of height x width cells, down x across of them. Returns order (n,), inside (n,)
    and edges (chunks + 1,) as in `_Level`.
    """
    edges = np.zeros(down * across + 1, np.int64)
    for k in range(rows.size):
        edges[rows[k] // height * across + columns[k] // width + 1] += 1
    for chunk in range(down * across):
        edges[chunk + 1] += edges[chunk]
    order, inside = np.empty(rows.size, np.int32), np.empty(rows.size, np.int32)
    filled = edges[:-1].copy()
    for k in range(rows.size):
        chunk = rows[k] // height * across + columns[k] // width
        order[filled[chunk]] = k
        inside[filled[chunk]] = (rows[k] % height) * width + columns[k] % width
        filled[chunk] += 1
    return order, inside, edges


@njit(nogil=True, cache=True)
def _sums(parents, values, count):
    """values: (n,), added up in their order to (count,) sums by parent."""
    out = np.zeros(count)
    for k in range(values.size):
        out[parents[k]] += values[k]
    return out


@njit(nogil=True, cache=True)
def _row_sums(rows, codes, count):
    """As `pyramid._row_sums`: (3, count) number, mean, squared deviations of each row's codes."""
    out = np.zeros((3, count))
    out[1] = np.nan
    start = 0
    while start < rows.size:
        end = start
        first = np.float64(codes[start])
        total, squares = 0.0, 0.0
        while end < rows.size and rows[end] == rows[start]:
            deviation = codes[end] - first
            total += deviation
            squares += deviation * deviation
            end += 1
        number = end - start
        out[0, rows[start]] = number
        out[1, rows[start]] = first + total / number
        out[2, rows[start]] = max(squares - total * total / number, 0.0)
        start = end
    return out
