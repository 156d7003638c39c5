"""Make horizontal air-mass fluxes agree with the change of surface pressure.

Winds of an analysis do not: their column convergence misses the pressure tendency by tens of hPa a day. The smallest
correction that mends it is the gradient of a potential, found by one sparse solve on the sphere (a "pressure fixer"), and
is shared by the layers in proportion to their share of surface pressure, as the hybrid levels share the tendency.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from analysis.grids import GRAVITY, Grid, Levels
from analysis.grids.horizontal import EARTH_RADIUS_M
from analysis.transport.fluxes import horizontal_convergence

DAY_S = 86_400.0


class Closure:
    """The Poisson problem of one grid; factorised when it is first needed.

    Parameters
    ----------
    grid : global grid.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        lat, edges = np.radians(grid.lat), np.radians(grid.lat_edges)
        widths, heights = np.radians(grid.lon_widths), np.radians(grid.lat_widths)
        between_lon = (widths + np.roll(widths, 1)) / 2  # western neighbour's centre to the own
        between_lat = np.diff(lat)
        self._x = heights[:, None] / (np.cos(lat)[:, None] * between_lon)
        """(lat, lon) length of the western face over the distance of the centres beside it."""
        self._y = np.zeros((len(edges), len(widths)))
        self._y[1:-1] = (np.cos(edges[1:-1]) / between_lat)[:, None] * widths
        """(lat + 1, lon) the same for the southern face; nothing passes the poles."""

    @cached_property
    def _factor(self) -> Any:
        from scipy.sparse import coo_matrix
        from scipy.sparse.linalg import splu

        ny, nx = self.grid.shape
        number = np.arange(ny * nx).reshape(ny, nx)
        west, south = np.roll(number, 1, axis=1), number[:-1]
        pairs = [(number.ravel(), west.ravel(), self._x.ravel())]
        pairs.append((number[1:].ravel(), south.ravel(), self._y[1:-1].ravel()))
        rows = np.concatenate([part for here, there, _ in pairs for part in (here, there, here, there)])
        columns = np.concatenate([part for here, there, _ in pairs for part in (here, there, there, here)])
        values = np.concatenate([part for _, _, weight in pairs for part in (weight, weight, -weight, -weight)])
        matrix = coo_matrix((values, (rows, columns)), shape=(ny * nx, ny * nx)).tocsc()
        return splu(matrix[1:, 1:])  # the potential of the first cell is zero

    def correction(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fluxes whose column convergence is `wanted`.

        Parameters
        ----------
        wanted : (lat, lon) kg s-1 that each column shall gain; its sum is taken off in proportion to area.

        Returns
        -------
        x (lat, lon), y (lat + 1, lon) : kg s-1 through western and southern faces.
        """
        wanted = wanted - wanted.sum() * self.grid.area / self.grid.area.sum()
        potential = np.concatenate([[0.0], self._factor.solve(wanted.ravel()[1:])]).reshape(wanted.shape)
        y = np.zeros_like(self._y)
        # eastward and northward flow up the potential: what comes in less what goes out is then its Laplacian
        y[1:-1] = self._y[1:-1] * (potential[1:] - potential[:-1])
        return self._x * (potential - np.roll(potential, 1, axis=1)), y

    def close(
        self,
        levels: Levels,
        x: np.ndarray,
        y: np.ndarray,
        pressure_start: np.ndarray,
        pressure_end: np.ndarray,
        seconds: float,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Correct fluxes so that they carry one dry surface pressure to another.

        Parameters
        ----------
        x, y : (lev, lat, lon), (lev, lat + 1, lon) kg s-1.
        pressure_start, pressure_end : (lat, lon) Pa; the end is shifted so that the Earth keeps its dry air.

        Returns
        -------
        x, y as float32, the surface pressure (lat, lon) that they lead to (Pa, float64: exactly theirs, rounding
        included), and the root-mean-square of what had to be mended (hPa a day).
        """
        area = self.grid.area
        tendency = (pressure_end - pressure_start) * area / (GRAVITY * seconds)
        tendency = tendency - tendency.sum() * area / area.sum()
        missing = tendency - horizontal_convergence(x, y).sum(axis=0)
        residual = missing / area * GRAVITY * DAY_S / 100.0
        dx, dy = self.correction(missing)
        share = levels.b_share[:, None, None]
        x32, y32 = (x + share * dx).astype(np.float32), (y + share * dy).astype(np.float32)
        gain = horizontal_convergence(x32.astype(np.float64), y32.astype(np.float64)).sum(axis=0)
        end = pressure_start + gain * GRAVITY * seconds / area
        return x32, y32, end, float(np.sqrt(np.average(residual**2, weights=area)))


def edge_lengths(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Lengths in m of western faces (lat, 1) and of southern faces (lat + 1, lon); zero at the poles."""
    south = EARTH_RADIUS_M * np.cos(np.radians(grid.lat_edges))[:, None] * np.radians(grid.lon_widths)
    south[0] = south[-1] = 0.0
    return EARTH_RADIUS_M * np.radians(grid.lat_widths)[:, None], south
