"""From a regular longitude-latitude grid to the pixels of a screen, without moving anything by more than half a pixel.

Both projections of the map page (plate carree and Web Mercator) keep meridians vertical and parallels horizontal, so
the way from cells to pixels is the product of one map for columns and one for rows. A pixel wider than a cell takes
the area-weighted mean of the cells in it (parts of cells count by their part); a narrower one takes the cell at its
centre. Cells without data do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True)
class Axis:
    """Which cells make up each pixel along one axis: pixel p is the cells `cells[start[p]:start[p + 1]]` with these
    weights.

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

    def padded(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(most, pixels) places and weights, `most` being the largest number of cells of a pixel; weight 0 where
        there are fewer.

        Parameters
        ----------
        places : (n,) number to use instead of each of `cells`.
        """
        counts = np.diff(self.start)
        number = np.arange(len(self.cells)) - np.repeat(self.start[:-1], counts)
        pixel = np.repeat(np.arange(len(counts)), counts)
        cells = np.zeros((max(int(counts.max(initial=0)), 1), len(counts)), dtype=np.int64)
        weights = np.zeros(cells.shape)
        cells[number, pixel] = places
        weights[number, pixel] = self.weights
        return cells, weights

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


def latitude_axis(
    lat_edges: np.ndarray, lat_centres: np.ndarray, south: float, dlat: float, nlat: int, level: int
) -> Axis:
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
    """The coarsest pyramid level whose cells are no larger than the pixels, for each pixel size (degrees, like
    `cell`)."""
    with np.errstate(divide="ignore"):
        level = np.floor(np.log2(np.maximum(pixel_sizes, 1e-300) / cell * (1 + 1e-9)))
    return np.clip(level, 0, levels - 1).astype(np.int64)


def _axis(edges: np.ndarray, count: int, size: int, turn: float, centres: np.ndarray, given: bool) -> Axis:
    centres = centres if given else 0.5 * (edges[:-1] + edges[1:])
    return Axis(*_overlaps(np.ascontiguousarray(edges), np.ascontiguousarray(centres), count, size, turn))


@njit(nogil=True, cache=True)
def _overlaps(edges, centres, count, size, turn):
    """Cells under each pixel.

    edges, centres: pixels' edges and centres in units of the grid's cells; count: cells of the grid; size: its cells
    in a cell of the level; turn: cells in a whole turn, 0 where the axis does not come round.
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
    """One cell for each pixel. source: (n, m); rows: (height,), columns: (width,) cell numbers, -1 outside; out:
    (height, width)."""
    for i in range(rows.shape[0]):
        r = rows[i]
        for j in range(columns.shape[0]):
            c = columns[j]
            out[i, j] = source[r, c] if r >= 0 and c >= 0 else missing


@njit(nogil=True, cache=True)
def average(source, row_start, row_cells, row_weights, col_cells, col_weights, missing, complete, out):
    """Weighted mean of each pixel's cells: first over the rows of a pixel, then along the row.

    source: (n, m); row_*: an `Axis` whose cells count from the corner of `source`; col_*: (most, width) as
    `Axis.padded` gives them; complete: no cell of `source` is missing; out: (height, width). Means of codes are
    rounded to the nearest, halves to even.
    """
    height, width = out.shape
    most = col_cells.shape[0]
    packed = missing == missing
    column_total, column_weight = np.empty(source.shape[1]), np.empty(source.shape[1])
    total, weight = np.empty(width), np.zeros(width)
    if complete:
        for k in range(most):
            for j in range(width):
                weight[j] += col_weights[k, j]
    for i in range(height):
        column_total[:] = 0.0
        column_weight[:] = 0.0
        down = 0.0
        for k in range(row_start[i], row_start[i + 1]):
            cells, part = source[row_cells[k]], row_weights[k]
            down += part
            if complete:
                for c in range(cells.size):
                    column_total[c] += part * cells[c]
            else:
                for c in range(cells.size):
                    value = cells[c]
                    there = value != missing and value == value
                    column_total[c] += part * value if there else 0.0
                    column_weight[c] += part if there else 0.0
        total[:] = 0.0
        if complete:
            for k in range(most):
                for j in range(width):
                    total[j] += col_weights[k, j] * column_total[col_cells[k, j]]
        else:
            weight[:] = 0.0
            down = 1.0
            for k in range(most):
                for j in range(width):
                    total[j] += col_weights[k, j] * column_total[col_cells[k, j]]
                    weight[j] += col_weights[k, j] * column_weight[col_cells[k, j]]
        for j in range(width):
            whole = down * weight[j]
            if whole > 0.0:
                mean = total[j] / whole
                out[i, j] = np.rint(mean) if packed else mean
            else:
                out[i, j] = missing


@njit(nogil=True, cache=True)
def is_complete(cells, missing):
    """True if none of the (n, m) cells is missing."""
    for i in range(cells.shape[0]):
        gaps = 0
        for j in range(cells.shape[1]):
            gaps += cells[i, j] == missing or cells[i, j] != cells[i, j]
        if gaps:
            return False
    return True


@njit(nogil=True, cache=True)
def unpack(codes, scale, offset, out):
    """Values of packed codes: out = offset + scale * codes, NaN for -32768. codes: (n,) int16; out: (n,) float32."""
    for i in range(codes.size):
        out[i] = offset + scale * codes[i] if codes[i] != -32768 else np.nan
