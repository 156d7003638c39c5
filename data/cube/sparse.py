"""Encoding a map of which only some cells have data (soundings on a fine grid) without ever making the whole map.

The files are those that `writing.encode_map` makes of the whole map, bit for bit, but memory grows with the cells that
have data, and so does all work but compressing: with 250,000 cells of a 0.05 degree grid it takes half the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import njit

from data.cube.grid import Grid, Variable
from data.cube.pyramid import RowStatistics, map_layout, pack
from data.cube.shards import ShardLayout, build_shard, encode_chunk
from data.cube.writing import EncodedMap
from data.errors import StoreProblem


def encode_cells(cells: np.ndarray, values: np.ndarray, grid: Grid, variable: Variable) -> EncodedMap:
    """Pack the values of some cells, build the pyramid and compress it, on one thread; see `encode_map`.

    Parameters
    ----------
    cells : (n,) numbers row * nlon + column, ascending, each once.
    values : (n,); NaN for no data.

    Raises
    ------
    StoreProblem : cells outside the grid or not ascending; values that do not fit.
    """
    cells = np.asarray(cells, dtype=np.int64)
    values = np.asarray(values)
    if values.shape != cells.shape or (np.diff(cells) <= 0).any():
        raise StoreProblem(
            f"variable {variable.name}: expected one value for each of ascending cells, found {values.size} values for "
            f"{cells.size} cells; sort them."
        )
    if cells.size and not 0 <= cells[0] <= cells[-1] < grid.nlat * grid.nlon:
        raise StoreProblem(
            f"variable {variable.name}: expected cells 0 to {grid.nlat * grid.nlon - 1}, found {cells[0]} to {cells[-1]}; use "
            "the cube's grid."
        )
    with ThreadPoolExecutor(1) as pool:  # off the main thread, where Blosc compresses on one thread and always the same
        codes = pack(values[np.newaxis], variable, pool)[0]
        kept = codes != variable.missing if variable.dtype == "int16" else np.isfinite(codes)
        return pool.submit(_encoded, cells[kept], codes[kept], grid, variable).result()


def _encoded(cells: np.ndarray, codes: np.ndarray, grid: Grid, variable: Variable) -> EncodedMap:
    rows, columns = np.divmod(cells, grid.nlon)
    first = _row_sums(rows, codes, grid.nlat)
    statistics = RowStatistics(first[0], variable.offset + variable.scale * first[1], variable.scale**2 * first[2])
    areas = grid.row_areas()[rows]
    totals, weights = areas * codes, areas
    shards = []
    for level in range(grid.levels):
        if level:
            rows, columns, totals, weights = _halved(rows >> 1, columns >> 1, totals, weights, grid.shape(level)[1])
            means = totals / weights
            codes = (np.rint(means) if variable.dtype == "int16" else means).astype(variable.dtype)
        layout = map_layout(grid, variable, level, 1)
        shards.append(build_shard(list(_chunks(rows, columns, codes, layout, variable))))
    return EncodedMap(grid, variable, tuple(shards), statistics)


def _halved(
    rows: np.ndarray, columns: np.ndarray, totals: np.ndarray, weights: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sums over cells that became one, in the order of the finer map's rows and columns."""
    places = rows * width + columns
    order = np.argsort(places, kind="stable")
    found, sums = _sums(places[order], totals[order], weights[order])
    return found // width, found % width, sums[0], sums[1]


def _chunks(
    rows: np.ndarray, columns: np.ndarray, codes: np.ndarray, layout: ShardLayout, variable: Variable
) -> Iterator[bytes | None]:
    """Encoded chunks of a level in C order; None for those without data."""
    _, height, width = layout.chunk
    _, down, across = layout.grid
    numbers = rows // height * across + columns // width
    order = np.argsort(numbers, kind="stable")
    edges = np.searchsorted(numbers[order], np.arange(down * across + 1))
    inside = (rows % height) * width + columns % width
    for start, end in pairwise(edges):
        if start == end:
            yield None
            continue
        part = np.full(height * width, variable.missing, dtype=variable.dtype)
        part[inside[order[start:end]]] = codes[order[start:end]]
        yield encode_chunk(part, int(end - start))


@njit(nogil=True, cache=True)
def _sums(places, totals, weights):
    """places: (n,) ascending; sums of the rows of one place, one after the other. Returns places (m,), sums (2, m)."""
    count = 0
    for k in range(places.size):
        if k == 0 or places[k] != places[k - 1]:
            count += 1
    found, sums = np.empty(count, np.int64), np.zeros((2, count))
    place = -1
    for k in range(places.size):
        if k == 0 or places[k] != places[k - 1]:
            place += 1
            found[place] = places[k]
        sums[0, place] += totals[k]
        sums[1, place] += weights[k]
    return found, sums


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
