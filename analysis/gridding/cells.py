"""Cells of a regular grid round the globe, and which of them a sounding lies in.

A cell holds its southern and western edge; the northern edge of the last row (the pole) belongs to it. Longitudes of
any turn are the same place. The edges are those of the decimal numbers: the sounding at 10.05 lies in the cell that
begins at 10.05, although neither 10.05 nor 0.05 is a binary number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from analysis.errors import AnalysisError
from data.cube import Grid

FINEST_DEGREES = 0.01
_DIVIDES = 1e-9
"""A number of cells is whole if it is off by less than this part of itself."""

_ON_EDGE = 1e-9
"""Part of a cell by which the division of doubles may miss an edge; less than a tenth of a millimetre."""


def global_grid(resolution: float) -> Grid:
    """The grid of square cells round the globe, from 180 W and 90 S.

    Parameters
    ----------
    resolution : degrees; must divide 180 (and with that 360).

    Raises
    ------
    AnalysisError : not a number, finer than 0.01 degree, or it does not divide 180.
    """
    rows = 180.0 / resolution if math.isfinite(resolution) and resolution >= FINEST_DEGREES else 0.5
    if round(rows) < 1 or abs(rows - round(rows)) > _DIVIDES * rows:
        raise AnalysisError(
            f"expected a resolution that divides 180 degrees and is at least {FINEST_DEGREES:g} degrees (0.05, 0.1, 0.25, "
            f"0.5, 1, 2.5), found {resolution:g}; choose another."
        )
    count = round(rows)
    return Grid(west=-180.0, south=-90.0, dlon=180.0 / count, dlat=180.0 / count, nlon=2 * count, nlat=count)


def cut_to_box(grid: Grid, box: Sequence[float]) -> Grid:
    """The part of a global grid that a box touches, in whole cells.

    Parameters
    ----------
    box : west, south, east, north in degrees; `west > east` runs across the dateline, where the part's longitudes
        run on beyond 180.

    Raises
    ------
    StoreProblem : not a box (`data.soundings.query.boxes_of`).
    """
    from data.soundings.query import boxes_of

    parts = boxes_of(box)
    west, south, north = parts[0][0], max(parts[0][1], -90.0), min(parts[0][3], 90.0)
    width = sum(part[2] - part[0] for part in parts)
    if south > 90.0 or north < -90.0:
        raise AnalysisError(f"expected a box with latitudes within -90..90, found {tuple(box)}; correct it.")
    bottom = min(_cell_from((south + 90.0) / grid.dlat), grid.nlat - 1)
    top = min(max(_cell_up_to((north + 90.0) / grid.dlat), bottom + 1), grid.nlat)
    left = min(_cell_from((west + 180.0) / grid.dlon), grid.nlon - 1)
    right = max(_cell_up_to((west + width + 180.0) / grid.dlon), left + 1)
    if right - left >= grid.nlon:
        left, right = 0, grid.nlon
    return Grid(
        west=round(-180.0 + left * grid.dlon, 9),
        south=round(-90.0 + bottom * grid.dlat, 9),
        dlon=grid.dlon,
        dlat=grid.dlat,
        nlon=right - left,
        nlat=top - bottom,
    )


def _cell_from(position: float) -> int:
    return math.floor(position + _ON_EDGE)


def _cell_up_to(position: float) -> int:
    return math.ceil(position - _ON_EDGE)


def cell_numbers(grid: Grid, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """(n,) int32 number of the cell (row * nlon + column) of each place, -1 outside the grid or where not finite.

    Parameters
    ----------
    grid : made by `global_grid` or `cut_to_box`.
    lon, lat : (n,) degrees.
    """
    rows = round(180.0 / grid.dlat)
    return _cell_numbers(
        np.ascontiguousarray(lon, dtype=np.float64),
        np.ascontiguousarray(lat, dtype=np.float64),
        rows,
        round((grid.south + 90.0) / grid.dlat),
        round((grid.west + 180.0) / grid.dlon),
        grid.nlat,
        grid.nlon,
    )


@njit(nogil=True, cache=True)
def _cell_numbers(lon, lat, rows, bottom, left, nlat, nlon):
    """lon, lat: (n,) degrees; rows: of the globe; bottom, left: first row and column of the part."""
    columns = 2 * rows
    per_degree = rows / 180.0
    out = np.full(lon.size, -1, dtype=np.int32)
    for i in range(lon.size):
        x, y = lon[i], lat[i]
        if not (-90.0 <= y <= 90.0) or not (np.abs(x) <= 1e6):
            continue
        row = int(np.floor((y + 90.0) * per_degree + 1e-9))
        row = min(row, rows - 1) - bottom
        turned = x - 360.0 * np.floor((x + 180.0) / 360.0)
        column = int(np.floor((turned + 180.0) * per_degree + 1e-9))
        column = (column - left) % columns
        if 0 <= row < nlat and column < nlon:
            out[i] = row * nlon + column
    return out
