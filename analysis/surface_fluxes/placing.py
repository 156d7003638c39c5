"""The grid that a map's cells lie on, completed to the whole Earth: where a regional map says nothing there is no flux."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.grids import Grid, GridError

TOUCHING = 1e-4
"""Degrees by which edges of neighbouring cells may differ: single precision of longitudes."""
_FILLING = 4
"""Cells that fill a gap, so that a map of a few cells makes a grid, too."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a map's rows and columns lie in a grid of the Earth.

    Attributes
    ----------
    grid : global.
    rows, columns : numbers of the map's latitudes and longitudes in it.
    """

    grid: Grid
    rows: np.ndarray
    columns: np.ndarray

    @property
    def whole(self) -> bool:
        """True if the map covers the Earth."""
        return (len(self.rows), len(self.columns)) == self.grid.shape

    def place(self, values: np.ndarray) -> np.ndarray:
        """(map's lat, lon) -> (lat, lon) of the grid, float64, zero elsewhere; NaN (no flux is given) becomes zero."""
        known = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
        if self.whole:
            return known
        placed = np.zeros(self.grid.shape)
        placed[np.ix_(self.rows, self.columns)] = known
        return placed


def placed(lat_bounds: np.ndarray, lon_bounds: np.ndarray, name: str = "") -> Placement:
    """Complete the cells of a map.

    Parameters
    ----------
    lat_bounds, lon_bounds : (n, 2) degrees, rising, as canonical grids have them; gaps are filled, in longitude around the
        Earth.

    Raises
    ------
    GridError : cells that overlap.
    """
    lat_edges, rows = _completed(lat_bounds, -90.0, 90.0)
    west = float(lon_bounds[0, 0])
    lon_edges, columns = _completed(lon_bounds, west, west + 360.0)
    return Placement(Grid(lon_edges, lat_edges, name), rows, columns)


def _completed(bounds: np.ndarray, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
    edges, numbers = [start], []
    for low, high in np.asarray(bounds, dtype=np.float64):
        if low < edges[-1] - TOUCHING or high > stop + TOUCHING or high <= low:
            raise GridError(
                f"Cells of the map overlap or leave the Earth at {low:g} to {high:g} degrees; repair its coordinates."
            )
        if low > edges[-1] + TOUCHING:
            edges.extend(np.linspace(edges[-1], low, _FILLING + 1)[1:])
        numbers.append(len(edges) - 1)
        edges.append(high)
    if edges[-1] < stop - TOUCHING:
        edges.extend(np.linspace(edges[-1], stop, _FILLING + 1)[1:])
    edges[-1] = stop
    return np.array(edges), np.array(numbers)
