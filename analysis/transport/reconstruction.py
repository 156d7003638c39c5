"""How a tracer varies inside cells: weights of the neighbours in the values at both edges of a cell.

PPM (Colella and Woodward 1984, doi 10.1016/0021-9991(84)90143-8) interpolates face values from the means of four
cells; on cells of unequal width and measure the weights come from the condition that every cubic is reproduced
exactly, which contains their equation 1.6 without its limiter. Slopes (Russell and Lerner 1981) fit a line to three
cells. Both are linear in the tracer, so all is known before the run: one table an axis, shared by all tracers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.grids import Grid, Levels

WINDOW = 5
"""Cells that decide what happens in one cell: itself and two on each side (fewer on one side next to an end)."""

LEFT, RIGHT, MEAN = 0, 1, 2
"""Edge of a cell towards smaller and larger indices (west and east, south and north, down and up); and its mean."""

MOST_STRETCH = 1.5
"""Where widths of neighbours differ by more, cells have a line instead of a parabola: unlimited PPM then amplifies noise
(ECMWF's 25 and 34 layers double in thickness at both ends; measured growth 2.7 % a step at a Courant number of 0.1)."""

ROW = 8
"""Length of a table's rows: the window, and zeros up to what one vector instruction takes."""

PPM, SLOPES, PPM_MONOTONE = "ppm", "slopes", "ppm_mono"
SCHEMES = (PPM, SLOPES, PPM_MONOTONE)

SURFACE_STEP_PA = 500.0
LOWEST_SURFACE_PA = 40_000.0
SURFACE_BINS = 141
"""Tables in the vertical are made for surface pressures 400, 405 ... 1100 hPa: thickness ratios between two of them
differ by less than a thousandth, and any table keeps uniform tracers uniform and cubics nearly exact."""

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(8)


def edge_table(
    edges: np.ndarray, scheme: str, *, periodic: bool, measure: Callable[[np.ndarray], np.ndarray] = np.ones_like
) -> np.ndarray:
    """Weights of the window's cell means in the values at both edges of each cell.

    Parameters
    ----------
    edges : (n + 1,) rising or falling coordinate of the faces.
    scheme : one of `SCHEMES`; the monotone variant limits what the PPM table gives.
    periodic : the last cell is followed by the first.
    measure : density of mass along the coordinate (cosine of latitude along a meridian).

    Returns
    -------
    (n, 3, 8) float64: [cell, LEFT, RIGHT or MEAN, window]; the window starts two cells before the cell, at the ends of a
    line that is not periodic as near as it can.
    """
    n = len(edges) - 1
    if periodic:
        span = edges[-1] - edges[0]
        edges = np.concatenate([edges[-4:-1] - span, edges, edges[1:4] + span])
        table = edge_table(edges, scheme, periodic=False, measure=measure)
        return np.ascontiguousarray(table[3 : 3 + n])
    if n < WINDOW:
        raise ValueError(f"expected at least {WINDOW} cells along an axis, found {n}.")
    table = np.zeros((n, 3, ROW))
    faces = [_face_weights(edges, face, measure) for face in range(n + 1)]
    with_line = np.full(n, True) if scheme == SLOPES else _stretched(edges)
    for cell in range(n):
        window = min(max(cell - 2, 0), n - WINDOW)
        table[cell, MEAN, cell - window] = 1.0
        if with_line[cell]:
            start = min(max(cell - 1, 0), n - 3)
            table[cell, LEFT, start - window : start - window + 3] = _line(edges, cell, start, measure, LEFT)
            table[cell, RIGHT, start - window : start - window + 3] = _line(edges, cell, start, measure, RIGHT)
        else:
            for side in (LEFT, RIGHT):
                start, weights = faces[cell + side]
                table[cell, side, start - window : start - window + 4] = weights
    return table


def longitude_table(grid: Grid, scheme: str) -> np.ndarray:
    """(1, n_lon, 3, 8) weights along parallels."""
    return edge_table(grid.lon_edges, scheme, periodic=True)[None]


def latitude_table(grid: Grid, scheme: str) -> np.ndarray:
    """(1, n_lat, 3, 8) weights along meridians: polynomials in latitude, means weighted by its cosine; one-sided next to
    the poles."""
    return edge_table(np.radians(grid.lat_edges), scheme, periodic=False, measure=np.cos)[None]


def level_table(levels: Levels, scheme: str) -> np.ndarray:
    """(bins, n_lev, 3, 8) weights in the vertical, polynomials in pressure, for each of the surface pressures of
    `surface_bin`."""
    surfaces = LOWEST_SURFACE_PA + SURFACE_STEP_PA * np.arange(SURFACE_BINS)
    edges = levels.edge_pressure(surfaces)
    return np.stack([edge_table(edges[:, bin_], scheme, periodic=False) for bin_ in range(SURFACE_BINS)])


def surface_bin(surface_pressure_pa: np.ndarray) -> np.ndarray:
    """Which table of `level_table` belongs to surface pressures in Pa, same shape, int64."""
    bins = np.rint((np.asarray(surface_pressure_pa) - LOWEST_SURFACE_PA) / SURFACE_STEP_PA)
    return np.clip(bins, 0, SURFACE_BINS - 1).astype(np.int64)


def _stretched(edges: np.ndarray) -> np.ndarray:
    """(n,) cells with a neighbour that is more than `MOST_STRETCH` times as wide or narrow."""
    ratio = np.abs(np.log(np.diff(edges)[1:] / np.diff(edges)[:-1])) > np.log(MOST_STRETCH)
    return np.concatenate([[False], ratio]) | np.concatenate([ratio, [False]])


def _moments(edges: np.ndarray, centre: float, scale: float, order: int, measure: Callable) -> np.ndarray:
    """(cells, order) means of 1, x, x^2 ... with x = (coordinate - centre) / scale over each cell of `edges`."""
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    nodes = middle[:, None] + half[:, None] * _NODES
    weights = _NODE_WEIGHTS * measure(nodes)
    powers = ((nodes - centre) / scale)[..., None] ** np.arange(order)
    return (weights[..., None] * powers).sum(axis=1) / weights.sum(axis=1)[:, None]


def _face_weights(edges: np.ndarray, face: int, measure: Callable) -> tuple[int, np.ndarray]:
    """First cell and weights of the four cells that give the value at a face, exact for cubics."""
    start = min(max(face - 2, 0), len(edges) - 1 - 4)
    stencil = edges[start : start + 5]
    means = _moments(stencil, edges[face], abs(stencil[-1] - stencil[0]) / 4, 4, measure)
    return start, np.linalg.solve(means.T, np.array([1.0, 0.0, 0.0, 0.0]))


def _line(edges: np.ndarray, cell: int, start: int, measure: Callable, side: int) -> np.ndarray:
    """Weights of three cells in the edge value of the line through the cell's mean, with the slope across the cell of
    the parabola that has all three means."""
    stencil = edges[start : start + 4]
    scale = abs(stencil[-1] - stencil[0]) / 3
    means = _moments(stencil, edges[cell], scale, 3, measure)
    right = (edges[cell + 1] - edges[cell]) / scale
    rise = np.linalg.solve(means.T, np.array([0.0, right, right**2]))  # parabola: value at right edge - at left edge
    weights = (rise / 2) * (1 if side == RIGHT else -1)
    weights[cell - start] += 1.0
    return weights
