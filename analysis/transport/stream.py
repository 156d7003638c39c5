"""Exactly non-divergent mass fluxes from stream functions.

The flux through a face is the difference of a stream function between the ends of that face, so what flows into a cell
flows out of it to the last bit, whatever the function and the grid.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.grids import Grid


def corners(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Latitude (lat + 1, 1) and longitude (1, lon) of the cells' south-western corners, radians."""
    return np.radians(grid.lat_edges)[:, None], np.radians(grid.lon_edges[:-1])[None, :]


def horizontal(grid: Grid, stream: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal fluxes of a rotational flow: u = -dpsi/dy, v = dpsi/dx.

    Parameters
    ----------
    stream : of latitude and longitude in radians; its unit divided by m gives that of the flow (m2 s-1 for winds,
        kg s-1 where multiplied by air mass per area). At the poles its mean over longitude is taken.

    Returns
    -------
    x (lat, lon), y (lat + 1, lon) : flow through western and southern faces, in the stream function's unit.
    """
    values = np.array(np.broadcast_to(stream(*corners(grid)), (grid.shape[0] + 1, grid.shape[1])), dtype=np.float64)
    values[0], values[-1] = values[0].mean(), values[-1].mean()
    y = np.roll(values, -1, axis=1) - values
    y[0] = y[-1] = 0.0
    return values[:-1] - values[1:], y


def overturning(grid: Grid, stream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fluxes of a zonally uniform overturning (a Hadley cell), shared by longitude in proportion to width.

    Parameters
    ----------
    stream : (lev + 1, lat + 1) kg s-1 at level edges and latitude edges: northward mass flux below the edge; zero at
        the surface, the top and the poles.

    Returns
    -------
    y (lev, lat + 1, lon), z (lev + 1, lat, lon) : kg s-1, without divergence.
    """
    stream = np.array(stream, dtype=np.float64)
    stream[0] = stream[-1] = 0.0
    stream[:, 0] = stream[:, -1] = 0.0
    share = grid.lon_widths / 360.0
    y = np.diff(stream, axis=0)[..., None] * share
    z = -np.diff(stream, axis=1)[..., None] * share
    return y, z
