"""Which cells of a grid a place is sampled from: the one it lies in, or the four whose centres surround it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from analysis.grids import Grid
from analysis.sampling.errors import SamplingError

Horizontal = Literal["cell", "bilinear"]
METHODS: tuple[Horizontal, ...] = ("cell", "bilinear")


def corners(grid: Grid, lat: np.ndarray, lon: np.ndarray, method: Horizontal) -> tuple[np.ndarray, np.ndarray]:
    """Cells and their shares.

    Parameters
    ----------
    lat, lon : (n,) degrees; longitudes in any turn.
    method : "cell", or "bilinear" between centres: across the date line, and beyond the last row's centres across the
        pole to the meridian opposite.

    Returns
    -------
    cells : (n, 1 or 4) int64, row * n_lon + column.
    shares : the same shape; each row sums to one.

    Raises
    ------
    SamplingError : another method. GridError : a latitude outside -90..90, or NaN.
    """
    if method not in METHODS:
        raise SamplingError(f"Places can be sampled by {' or '.join(METHODS)}, not by {method!r}; choose one of them.")
    lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    row, column = grid.locate(lat, lon)  # refuses what is no place
    rows, columns = grid.shape
    if method == "cell":
        return (row * columns + column).astype(np.int64)[:, None], np.ones((lat.size, 1))
    centres = np.concatenate([[-180.0 - grid.lat[0]], grid.lat, [180.0 - grid.lat[-1]]])  # rows beyond the poles
    below = np.clip(np.searchsorted(centres, lat, side="right") - 1, 0, rows)
    north = (lat - centres[below]) / (centres[below + 1] - centres[below])
    cells, shares = [], []
    for line, share in ((below, 1.0 - north), (below + 1, north)):
        beyond = (line == 0) | (line == rows + 1)
        west, east, part = _between(grid, lon + 180.0 * beyond)
        start = np.clip(line - 1, 0, rows - 1) * columns
        cells += [start + west, start + east]
        shares += [share * (1.0 - part), share * part]
    return np.stack(cells, axis=1).astype(np.int64), np.stack(shares, axis=1)


def _between(grid: Grid, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns whose centres lie west and east of longitudes, and how far towards the eastern one they are (0..1)."""
    turned = (lon - grid.lon[0]) % 360.0
    centres = np.append(grid.lon - grid.lon[0], 360.0)
    west = np.clip(np.searchsorted(centres, turned, side="right") - 1, 0, grid.shape[1] - 1)
    part = (turned - centres[west]) / (centres[west + 1] - centres[west])
    return west, (west + 1) % grid.shape[1], part
