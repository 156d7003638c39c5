"""Compiled kernels that draw the simulated world: cubic B-spline surfaces through coarse nodes, coasts, and plumes.

A surface is its node values, padded by `PAD` on every side, and evaluated as a uniform cubic B-spline (smooth, never
beyond the nodes' range). All kernels release the GIL and use no fast-math, so threads may share the work and every
machine gets the same numbers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from analysis.world.plumes import REACH_KM

PAD = 2
KM_PER_DEGREE = 111.195
_NEAR_CELLS = 4.0
_DENSE_CELLS = 1.5
"""Cells nearer to a source than this are averaged over 9 x 9 points, then 3 x 3 up to `_NEAR_CELLS`, else taken at
their centre.
"""


def padded(nodes: np.ndarray) -> np.ndarray:
    """(nlat, nlon) node values with two more nodes on every side: repeated towards the poles, wrapped in longitude."""
    rows = np.concatenate([nodes[:1], nodes[:1], nodes, nodes[-1:], nodes[-1:]])
    return np.ascontiguousarray(np.concatenate([rows[:, -PAD:], rows, rows[:, :PAD]], axis=1), dtype=np.float64)


@njit(nogil=True, cache=True)
def _spline_weights(position: float, weights: np.ndarray) -> int:
    """Fills the four weights of a uniform cubic B-spline; returns the padded index of the first of its nodes."""
    first = int(np.floor(position))
    t = position - first
    s = 1.0 - t
    weights[0] = s * s * s / 6.0
    weights[1] = (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0
    weights[2] = (3.0 * s * s * s - 6.0 * s * s + 4.0) / 6.0
    weights[3] = t * t * t / 6.0
    return first - 1 + PAD


@njit(nogil=True, cache=True)
def _column_weights(nodes: int, nlon: int) -> tuple[np.ndarray, np.ndarray]:
    first = np.empty(nlon, np.int32)
    weights = np.empty((nlon, 4))
    for j in range(nlon):
        first[j] = _spline_weights((j + 0.5) * nodes / nlon - 0.5, weights[j])
    return first, weights


@njit(nogil=True, cache=True)
def _mix_rows(surface: np.ndarray, position: float, row: np.ndarray) -> None:
    weights = np.empty(4)
    first = _spline_weights(position, weights)
    for k in range(row.size):
        total = 0.0
        for q in range(4):
            total += weights[q] * surface[first + q, k]
        row[k] = total


@njit(nogil=True, cache=True)
def _plume_at(source: np.ndarray, lat: float, lon: float) -> float:
    """Enhancement at a point, ppm; `source` is a row of `analysis.world.plumes.plumes`."""
    turn = (lon - source[1] + 540.0) % 360.0 - 180.0
    east = turn * source[6] * KM_PER_DEGREE
    north = (lat - source[0]) * KM_PER_DEGREE
    squared = east * east + north * north
    if squared >= REACH_KM * REACH_KM:
        return 0.0
    soft = np.sqrt(squared + source[3] * source[3])
    lopsided = source[4] * source[4] + source[5] * source[5]
    lean = 1.0 + (source[4] * east + source[5] * north) / soft
    fade = 1.0 - squared / (REACH_KM * REACH_KM)
    return source[2] / soft * lean * lean / (1.0 + 0.5 * lopsided) * fade * fade


@njit(nogil=True, cache=True)
def _plume_in_cell(source: np.ndarray, lat: float, lon: float, dlat: float, dlon: float) -> float:
    """Mean enhancement over a cell, ppm."""
    turn = (lon - source[1] + 540.0) % 360.0 - 180.0
    away = max(abs(turn) / dlon, abs(lat - source[0]) / dlat)
    points = 1
    if away < _DENSE_CELLS:
        points = 9
    elif away < _NEAR_CELLS:
        points = 3
    total = 0.0
    for i in range(points):
        for j in range(points):
            at_lat = lat + ((i + 0.5) / points - 0.5) * dlat
            at_lon = lon + ((j + 0.5) / points - 0.5) * dlon
            total += _plume_at(source, at_lat, at_lon)
    return total / (points * points)


@njit(nogil=True, cache=True)
def draw_rows(background, contrast, cover, plumes, nlat, top, out):
    """Draw rows `top`, `top` + 1, ... of a global map of `nlat` rows into `out`.

    Parameters
    ----------
    background, contrast : padded surfaces, ppm.
    cover : padded surface of land cover, 0 over sea and about 1 over land.
    plumes : (n, 7) table of `analysis.world.plumes.plumes`, ascending latitude.
    out : (rows, nlon) float32.
    """
    rows, nlon = out.shape
    dlat = 180.0 / nlat
    dlon = 360.0 / nlon
    wide = background.shape[1] - 2 * PAD
    fine = cover.shape[1] - 2 * PAD
    first, weights = _column_weights(wide, nlon)
    fine_first, fine_weights = _column_weights(fine, nlon)
    a = np.empty(background.shape[1])
    b = np.empty(background.shape[1])
    c = np.empty(cover.shape[1])
    for i in range(rows):
        part = (top + i + 0.5) / nlat
        _mix_rows(background, part * (background.shape[0] - 2 * PAD) - 0.5, a)
        _mix_rows(contrast, part * (contrast.shape[0] - 2 * PAD) - 0.5, b)
        _mix_rows(cover, part * (cover.shape[0] - 2 * PAD) - 0.5, c)
        for j in range(nlon):
            k = first[j]
            w = weights[j]
            m = fine_first[j]
            v = fine_weights[j]
            sea = w[0] * a[k] + w[1] * a[k + 1] + w[2] * a[k + 2] + w[3] * a[k + 3]
            more = w[0] * b[k] + w[1] * b[k + 1] + w[2] * b[k + 2] + w[3] * b[k + 3]
            land = v[0] * c[m] + v[1] * c[m + 1] + v[2] * c[m + 2] + v[3] * c[m + 3]
            out[i, j] = sea + land * more
        lat = part * 180.0 - 90.0
        reach = REACH_KM / KM_PER_DEGREE
        for s in range(plumes.shape[0]):
            away = lat - plumes[s, 0]
            if abs(away) >= reach:
                continue
            half = np.sqrt(reach * reach - away * away) / plumes[s, 6]
            west = int(np.floor((plumes[s, 1] - half + 180.0) / dlon))
            east = int(np.ceil((plumes[s, 1] + half + 180.0) / dlon))
            for column in range(west, min(east, west + nlon - 1) + 1):
                j = column % nlon
                out[i, j] += _plume_in_cell(plumes[s], lat, (j + 0.5) * dlon - 180.0, dlat, dlon)


@njit(nogil=True, cache=True)
def pack_rows(values, scale, offset, out):
    """int16 codes of values: round((value - offset) / scale), same shape."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            out[i, j] = np.int16(np.round((values[i, j] - offset) / scale))


@njit(nogil=True, cache=True)
def _surface_at(surface, lat, lon, w, v):
    nlat = surface.shape[0] - 2 * PAD
    nlon = surface.shape[1] - 2 * PAD
    y = _spline_weights(min(max((lat + 90.0) / 180.0, 0.0), 1.0) * nlat - 0.5, w)
    x = _spline_weights(((lon + 180.0) % 360.0) / 360.0 * nlon - 0.5, v)
    total = 0.0
    for q in range(4):
        total += w[q] * (
            v[0] * surface[y + q, x]
            + v[1] * surface[y + q, x + 1]
            + v[2] * surface[y + q, x + 2]
            + v[3] * surface[y + q, x + 3]
        )
    return total


@njit(nogil=True, cache=True)
def sample_points(backgrounds, contrasts, cover, plume_tables, waves, part, lat, lon, out):
    """XCO2 at points within one month, ppm.

    Parameters
    ----------
    backgrounds, contrasts : (3, ...) padded surfaces of the month before, the month, the month after.
    cover : padded surface of land cover.
    plume_tables : (3, n, 7) of the same months.
    waves : (n, 5) the weather within a month: zonal wave number, meridional wave number (per degree), cycles a month
        (whole numbers), phase, ppm.
    part : (points,) part of the month, 0..1.
    lat, lon : (points,) degrees.
    out : (points,) float64.
    """
    w = np.empty(4)
    v = np.empty(4)
    reach = REACH_KM / KM_PER_DEGREE
    for p in range(out.size):
        # A parabola from edge to edge of the month whose mean is the month's map: continuous in time, and true to maps.
        bulge = 6.0 * part[p] * (1.0 - part[p])
        before = 0.5 * (1.0 - part[p]) - 0.25 * bulge
        after = 0.5 * part[p] - 0.25 * bulge
        shares = (before, 1.0 - before - after, after)
        land = _surface_at(cover, lat[p], lon[p], w, v)
        total = 0.0
        for month in range(3):
            here = _surface_at(backgrounds[month], lat[p], lon[p], w, v)
            here += land * _surface_at(contrasts[month], lat[p], lon[p], w, v)
            latitudes = plume_tables[month, :, 0]
            for s in range(np.searchsorted(latitudes, lat[p] - reach), np.searchsorted(latitudes, lat[p] + reach)):
                here += _plume_at(plume_tables[month, s], lat[p], lon[p])
            total += shares[month] * here
        envelope = np.cos(np.deg2rad(lat[p])) ** 2
        for k in range(waves.shape[0]):
            angle = (
                np.deg2rad(waves[k, 0] * lon[p])
                + np.deg2rad(waves[k, 1] * lat[p])
                - 2 * np.pi * waves[k, 2] * part[p]
                + waves[k, 3]
            )
            total += envelope * waves[k, 4] * np.cos(angle)
        out[p] = total
