"""From a regular longitude-latitude grid to the pixels of a screen, without moving anything by more than half a pixel.

Both projections of the map page (plate carree and Web Mercator) keep meridians vertical and parallels horizontal, so the way from
cells to pixels is the product of one map for columns and one for rows. A pixel wider than a cell takes the area-weighted mean of
the cells in it (parts of cells count by their part); a narrower one takes the cell at its centre. Cells without data do not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

from data.errors import StoreProblem

MERCATOR_RADIUS_M = 6378137.0
"""Radius that Web Mercator's metres are defined with."""


@dataclass(frozen=True)
class View:
    """What a screen shows.

    Attributes
    ----------
    x0, x1, y0, y1 : edges of the picture: degrees for "lonlat", Web Mercator metres for "mercator". x may run beyond +-180 degrees.
    width, height : pixels.
    projection : "lonlat" or "mercator".
    """

    x0: float
    x1: float
    y0: float
    y1: float
    width: int
    height: int
    projection: Literal["lonlat", "mercator"] = "lonlat"

    def __post_init__(self) -> None:
        if self.projection not in ("lonlat", "mercator"):
            raise StoreProblem(f"expected the projection 'lonlat' or 'mercator', found {self.projection!r}; choose one of the two.")
        if not all(math.isfinite(edge) for edge in (self.x0, self.x1, self.y0, self.y1)) or self.x0 >= self.x1 or self.y0 >= self.y1:
            raise StoreProblem(f"expected a view with x0 < x1 and y0 < y1, found x {self.x0}..{self.x1}, y {self.y0}..{self.y1}; reset the map.")
        if not (1 <= self.width <= 16384 and 1 <= self.height <= 16384):
            raise StoreProblem(f"expected a picture of 1 to 16384 pixels a side, found {self.width} x {self.height}; choose a smaller one.")

    def lon_edges(self) -> np.ndarray:
        """(width + 1,) longitudes of the pixels' edges, degrees, ascending, not wrapped."""
        x = np.linspace(self.x0, self.x1, self.width + 1)
        return x if self.projection == "lonlat" else np.degrees(x / MERCATOR_RADIUS_M)

    def lat_edges(self) -> np.ndarray:
        """(height + 1,) latitudes of the pixels' edges, degrees, ascending; row 0 is the southernmost."""
        return self._latitude(np.linspace(self.y0, self.y1, self.height + 1))

    def lon_centres(self) -> np.ndarray:
        """(width,) longitudes at the pixels' centres, degrees, not wrapped."""
        edges = self.lon_edges()
        return 0.5 * (edges[:-1] + edges[1:])

    def lat_centres(self) -> np.ndarray:
        """(height,) latitudes at the pixels' centres on the screen, degrees."""
        y = np.linspace(self.y0, self.y1, self.height + 1)
        return self._latitude(0.5 * (y[:-1] + y[1:]))

    def _latitude(self, y: np.ndarray) -> np.ndarray:
        if self.projection == "lonlat":
            return y
        return np.degrees(2 * np.arctan(np.exp(np.clip(y / MERCATOR_RADIUS_M, -50, 50))) - math.pi / 2)


@dataclass(frozen=True)
class Axis:
    """Which cells make up each pixel along one axis: pixel p is the cells `cells[start[p]:start[p + 1]]` with these weights.

    Attributes
    ----------
    start : (pixels + 1,) int64.
    cells : (n,) int64 cell numbers; none for pixels outside the grid.
    weights : (n,) float64, > 0.
    """

    start: np.ndarray
    cells: np.ndarray
    weights: np.ndarray

    @property
    def single(self) -> bool:
        """True if no pixel has more than one cell."""
        return bool((np.diff(self.start) <= 1).all())

    def part(self, first: int, last: int) -> Axis:
        """The pixels first..last - 1 alone."""
        a, b = int(self.start[first]), int(self.start[last])
        return Axis(self.start[first : last + 1] - a, self.cells[a:b], self.weights[a:b])


def longitude_axis(lon_edges: np.ndarray, west: float, dlon: float, nlon: int, level: int) -> Axis:
    """Cells of a pyramid level for columns of pixels.

    Parameters
    ----------
    lon_edges : (width + 1,) degrees, ascending; any turn.
    west, dlon, nlon : the grid's western edge, cell size and number of columns (of level 0).
    level : pyramid level.
    """
    size = 1 << level
    turn = 360.0 / dlon
    if abs(turn - nlon) < 1e-3:
        turn = float(nlon)  # keeps the seam of a global grid free of a sliver without cells
    return _axis((lon_edges - west) / dlon, nlon, size, turn, np.zeros(1), False)


def latitude_axis(lat_edges: np.ndarray, lat_centres: np.ndarray, south: float, dlat: float, nlat: int, level: int) -> Axis:
    """Cells of a pyramid level for rows of pixels; weights are the differences of the sines of latitude (areas).

    Parameters
    ----------
    lat_edges, lat_centres : (height + 1,) and (height,) degrees, ascending.
    south, dlat, nlat : the grid's southern edge, cell size and number of rows (of level 0).
    level : pyramid level.
    """
    size = 1 << level
    axis = _axis((lat_edges - south) / dlat, nlat, size, 0.0, (lat_centres - south) / dlat, True)
    pixel = np.repeat(np.arange(len(lat_centres)), np.diff(axis.start))
    lower = np.maximum(south + dlat * axis.cells * size, lat_edges[pixel])
    upper = np.minimum(south + dlat * np.minimum((axis.cells + 1) * size, nlat), lat_edges[pixel + 1])
    sines = np.sin(np.radians(np.clip(np.stack([lower, upper]), -90, 90)))
    several = np.repeat(np.diff(axis.start) > 1, np.diff(axis.start))
    return Axis(axis.start, axis.cells, np.where(several, np.maximum(sines[1] - sines[0], 1e-300), 1.0))


def levels_for(pixel_sizes: np.ndarray, cell: float, levels: int) -> np.ndarray:
    """The coarsest pyramid level whose cells are no larger than the pixels, for each pixel size (degrees, like `cell`)."""
    with np.errstate(divide="ignore"):
        level = np.floor(np.log2(np.maximum(pixel_sizes, 1e-300) / cell * (1 + 1e-9)))
    return np.clip(level, 0, levels - 1).astype(np.int64)


def _axis(edges: np.ndarray, count: int, size: int, turn: float, centres: np.ndarray, given: bool) -> Axis:
    centres = centres if given else 0.5 * (edges[:-1] + edges[1:])
    return Axis(*_overlaps(np.ascontiguousarray(edges), np.ascontiguousarray(centres), count, size, turn))


@njit(nogil=True, cache=True)
def _overlaps(edges, centres, count, size, turn):
    """Cells under each pixel.

    edges, centres: pixels' edges and centres in units of the grid's cells; count: cells of the grid; size: its cells in a cell of
    the level; turn: cells in a whole turn, 0 where the axis does not come round.
    """
    pixels = centres.shape[0]
    start = np.zeros(pixels + 1, dtype=np.int64)
    cells = np.empty(4 * pixels + 16, dtype=np.int64)
    weights = np.empty(4 * pixels + 16, dtype=np.float64)
    used = 0
    for p in range(pixels):
        low, high = edges[p], edges[p + 1]
        if turn > 0.0 and high - low > turn:
            low, high = 0.0, turn
        if high - low <= size * (1.0 + 1e-9):
            position = centres[p]
            if turn > 0.0:
                position -= turn * np.floor(position / turn)
                if position >= turn:
                    position = 0.0
            if 0.0 <= position < count:
                if used == cells.shape[0]:
                    cells, weights = _longer(cells), _longer(weights)
                cells[used] = np.int64(position) // size
                weights[used] = 1.0
                used += 1
        else:
            centre = centres[p]
            if turn > 0.0:
                centre -= turn * np.floor(centre / turn)
            if (centre < 0.0 or centre >= count) and high - low < count:
                start[p + 1] = used  # more than half of the pixel lies outside the grid
                continue
            first_turn = np.int64(np.floor(low / turn)) if turn > 0.0 else 0
            last_turn = np.int64(np.floor(high / turn)) if turn > 0.0 else 0
            for lap in range(first_turn, last_turn + 1):
                shift = lap * turn
                a, b = max(low - shift, 0.0), min(high - shift, np.float64(count))
                if b <= a:
                    continue
                for cell in range(np.int64(a) // size, np.int64(np.ceil(b / size))):
                    overlap = min(b, np.float64(min((cell + 1) * size, count))) - max(a, np.float64(cell * size))
                    if overlap > 1e-9:
                        if used == cells.shape[0]:
                            cells, weights = _longer(cells), _longer(weights)
                        cells[used] = cell
                        weights[used] = overlap
                        used += 1
        start[p + 1] = used
    return start, cells[:used].copy(), weights[:used].copy()


@njit(nogil=True, cache=True)
def _longer(array):
    out = np.empty(2 * array.shape[0], dtype=array.dtype)
    out[: array.shape[0]] = array
    return out


@njit(nogil=True, cache=True)
def gather(source, rows, columns, missing, out):
    """One cell for each pixel. source: (n, m); rows: (height,), columns: (width,) cell numbers, -1 outside; out: (height, width)."""
    for i in range(rows.shape[0]):
        r = rows[i]
        for j in range(columns.shape[0]):
            c = columns[j]
            out[i, j] = source[r, c] if r >= 0 and c >= 0 else missing


@njit(nogil=True, cache=True)
def average(source, row_start, row_cells, row_weights, col_start, col_cells, col_weights, missing, out):
    """Weighted mean of each pixel's cells: first along a row of cells, then over the rows of a pixel.

    source: (n, m); row_*, col_*: an `Axis` whose cells count from the corner of `source`; out: (height, width). Means of codes are
    rounded to the nearest, halves to even.
    """
    height, width = out.shape
    packed = missing == missing
    total, weight = np.empty(width), np.empty(width)
    row_total, row_weight = np.empty(width), np.empty(width)
    held = -1
    for i in range(height):
        total[:] = 0.0
        weight[:] = 0.0
        for k in range(row_start[i], row_start[i + 1]):
            r = row_cells[k]
            if r != held:  # neighbouring pixels often share a row of cells
                for j in range(width):
                    s, w = 0.0, 0.0
                    for q in range(col_start[j], col_start[j + 1]):
                        value = source[r, col_cells[q]]
                        if value != missing and value == value:
                            s += col_weights[q] * value
                            w += col_weights[q]
                    row_total[j] = s
                    row_weight[j] = w
                held = r
            part = row_weights[k]
            for j in range(width):
                total[j] += part * row_total[j]
                weight[j] += part * row_weight[j]
        for j in range(width):
            if weight[j] > 0.0:
                mean = total[j] / weight[j]
                out[i, j] = np.rint(mean) if packed else mean
            else:
                out[i, j] = missing
