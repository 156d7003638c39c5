"""How a tracer varies inside cells: weights of the neighbours in the values at both edges of a cell.

PPM (Colella and Woodward 1984, doi 10.1016/0021-9991(84)90143-8) interpolates face values from the means of four
cells; the weights come from the condition that every cubic is reproduced exactly, on cells of any width and measure
(their equation 1.6 without its limiter). Where widths change, a part of each value comes from three cells only, for
stability. Slopes (Russell and Lerner 1981) fit a line to three cells. Both are linear in the tracer, so all is known before the
run: one table an axis, shared by all tracers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.grids import Grid, Levels

WINDOW = 5
"""Cells that decide what happens in one cell: itself and two on each side (fewer on one side next to an end)."""

LEFT, RIGHT, MEAN = 0, 1, 2
"""Edge of a cell towards smaller and larger indices (west and east, south and north, down and up); and its mean."""

DAMPING = 3.0
"""Where widths change, edge values are this much times the logarithm of the neighbours' ratio (at most wholly) those of the
cell's own parabola through three means, instead of the value shared with the neighbour. Shared values hardly damp at small
Courant numbers, so on cells that grow they feed waves: without it noise grows by up to 3.7 % a sweep on ECMWF's 25 layers
and by a per mille on layers that grow by 6 % each, and in forty days of real winds. With a factor of 3 no eigenvalue of a
sweep exceeds one, whatever the Courant number, for ratios from 1 to 2 (tests/analysis/transport/test_stability.py); 2 is
not quite enough, and the error of DCMIP 1-2 hardly notices."""

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
    edges : (..., n + 1) rising or falling coordinate of the faces; one table for each leading index.
    scheme : one of `SCHEMES`; the monotone variant limits what the PPM table gives.
    periodic : the last cell is followed by the first.
    measure : density of mass along the coordinate (cosine of latitude along a meridian).

    Returns
    -------
    (..., n, 3, 8) float64: [cell, LEFT, RIGHT or MEAN, window]; the window starts two cells before the cell, at the ends
    of a line that is not periodic as near as it can.
    """
    edges = np.asarray(edges, dtype=np.float64)
    n = edges.shape[-1] - 1
    if periodic:
        span = edges[..., -1:] - edges[..., :1]
        around = np.concatenate([edges[..., -4:-1] - span, edges, edges[..., 1:4] + span], axis=-1)
        table = edge_table(around, scheme, periodic=False, measure=measure)
        return np.ascontiguousarray(table[..., 3 : 3 + n, :, :])
    if n < WINDOW:
        raise ValueError(f"expected at least {WINDOW} cells along an axis, found {n}.")
    lead, edges = edges.shape[:-1], edges.reshape(-1, n + 1)
    cells = np.arange(n)
    windows = np.clip(cells - 2, 0, n - WINDOW)
    three = np.clip(cells - 1, 0, n - 3)
    table = np.zeros((len(edges), n, 3, ROW))
    table[:, cells, MEAN, cells - windows] = 1.0
    for side in (LEFT, RIGHT):
        if scheme == SLOPES:
            rise = _polynomial_weights(edges, three, 3, cells + 1, measure)
            rise -= _polynomial_weights(edges, three, 3, cells, measure)
            _place(table, side, three - windows, rise * (0.5 if side == RIGHT else -0.5))
            table[:, cells, side, cells - windows] += 1.0
            continue
        four = np.clip(cells + side - 2, 0, n - 4)
        damping = _damping(edges)[..., None]
        shared = _polynomial_weights(edges, four, 4, cells + side, measure)
        _place(table, side, four - windows, (1 - damping) * shared)
        own = _polynomial_weights(edges, three, 3, cells + side, measure)
        _place(table, side, three - windows, damping * own)
    return table.reshape(*lead, n, 3, ROW)


def longitude_table(grid: Grid, scheme: str) -> np.ndarray:
    """(1, n_lon, 3, 8) weights along parallels."""
    return edge_table(grid.lon_edges, scheme, periodic=True)[None]


def latitude_table(grid: Grid, scheme: str) -> np.ndarray:
    """(1, n_lat, 3, 8) weights along meridians: polynomials in latitude, means weighted by its cosine; one-sided next to
    the poles. The cells at the poles are uniform: parabolas extrapolated from one side triple rounding noise where winds
    cross a pole, and carry a bell over it no better."""
    table = edge_table(np.radians(grid.lat_edges), scheme, periodic=False, measure=np.cos)[None]
    for pole in (0, -1):
        table[:, pole, LEFT] = table[:, pole, RIGHT] = table[:, pole, MEAN]
    return table


def level_table(levels: Levels, scheme: str) -> np.ndarray:
    """(bins, n_lev, 3, 8) weights in the vertical, polynomials in pressure, for each of the surface pressures of
    `surface_bin`."""
    surfaces = LOWEST_SURFACE_PA + SURFACE_STEP_PA * np.arange(SURFACE_BINS)
    return edge_table(levels.edge_pressure(surfaces).T, scheme, periodic=False)


def surface_bin(surface_pressure_pa: np.ndarray) -> np.ndarray:
    """Which table of `level_table` belongs to surface pressures in Pa, same shape, int64."""
    bins = np.rint((np.asarray(surface_pressure_pa) - LOWEST_SURFACE_PA) / SURFACE_STEP_PA)
    return np.clip(bins, 0, SURFACE_BINS - 1).astype(np.int64)


def _damping(edges: np.ndarray) -> np.ndarray:
    """(lines, n) share of its own parabola in a cell's edge values: `DAMPING` times the larger change of width beside
    it."""
    width = np.abs(np.diff(edges, axis=-1))
    change = np.abs(np.log(width[:, 1:] / width[:, :-1]))
    change = np.where(change < 1e-9, 0.0, change)
    none = np.zeros((len(edges), 1))
    return np.minimum(1.0, DAMPING * np.maximum(np.append(none, change, axis=1), np.append(change, none, axis=1)))


def _polynomial_weights(
    edges: np.ndarray, first: np.ndarray, count: int, face: np.ndarray, measure: Callable
) -> np.ndarray:
    """(lines, n, count) weights of `count` cells from `first` (n,) on in the value at `face` (n,) of the polynomial that
    has all their means."""
    stencil = edges[:, first[:, None] + np.arange(count + 1)]
    centre = edges[:, face][..., None, None]
    scale = np.abs(stencil[..., -1] - stencil[..., 0])[..., None, None] / count
    middle, half = (stencil[..., 1:] + stencil[..., :-1]) / 2, np.diff(stencil, axis=-1) / 2
    nodes = middle[..., None] + half[..., None] * _NODES
    density = _NODE_WEIGHTS * measure(nodes)
    powers = ((nodes - centre) / scale)[..., None] ** np.arange(count)
    means = (density[..., None] * powers).sum(axis=-2) / density.sum(axis=-1)[..., None]
    at_face = np.zeros((*means.shape[:-2], count, 1))
    at_face[..., 0, 0] = 1.0
    return np.linalg.solve(np.swapaxes(means, -1, -2), at_face)[..., 0]


def _place(table: np.ndarray, side: int, offset: np.ndarray, weights: np.ndarray) -> None:
    """Add weights (lines, n, count) to a side's rows, each from its own `offset` (n,) in the window on."""
    cells = np.arange(table.shape[1])
    for number in range(weights.shape[-1]):
        table[:, cells, side, offset + number] += weights[..., number]
