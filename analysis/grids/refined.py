"""One grid that is fine where it matters: small cells over a box, stretched smoothly to large ones elsewhere.

This is what stands in for nested grids: no interface, no second clock, and exchange between fine and coarse in both
directions, because it is one grid (docs/decisions/refined-grid.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.grids.horizontal import Grid, GridError

LARGEST_RATIO = 1.15
"""Widths of neighbouring cells differ by no more than this factor: the order of the scheme survives it."""


@dataclass(frozen=True)
class Box:
    """A longitude-latitude box in degrees. East of less than west means a box across the date line.

    Raises
    ------
    GridError : corners that are not finite, latitudes that do not rise within -90..90, or no width.
    """

    west: float
    east: float
    south: float
    north: float

    def __post_init__(self) -> None:
        corners = (self.west, self.east, self.south, self.north)
        if not all(np.isfinite(corner) for corner in corners):
            raise GridError(f"A box needs four finite corners in degrees, found {corners}.")
        if not -90 <= self.south < self.north <= 90:
            raise GridError(
                f"A box's latitudes must rise within -90..90, found south {self.south:g}, north {self.north:g}."
            )
        if self.west == self.east:
            raise GridError(f"A box needs a width, found west and east both at {self.west:g} degrees.")
        if not (-360 <= self.west <= 360 and -360 <= self.east <= 360) or self.east - self.west > 360:
            raise GridError(
                f"A box's longitudes must lie within -360..360 and span at most 360 degrees, found {self.west:g} to "
                f"{self.east:g}."
            )

    @property
    def width(self) -> float:
        """Degrees of longitude, 0 < width <= 360; across the date line where east is less than west."""
        return self.east - self.west if self.east > self.west else self.east - self.west + 360.0


ASIA = Box(60, 150, -12, 55)
"""CarbonTracker-Asia's region of interest."""


def refined(box: Box = ASIA, fine: float = 1.0, coarse: tuple[float, float] = (3.0, 2.0), name: str = "") -> Grid:
    """A grid with cells of `fine` degrees in `box`, stretched to `coarse` (longitude, latitude) degrees elsewhere.

    Neighbours' widths differ by at most a factor of 1.15. The grid starts at the meridian opposite the box's middle,
    so a box across the date line is like any other.

    Raises
    ------
    GridError : the box's sides are no multiples of `fine`, `fine` is larger than `coarse`, or the rest of the Earth
        has no room for the stretching.
    """
    if not 0.05 <= fine <= min(coarse) or max(coarse) > 30:
        raise GridError(
            f"A refined grid needs 0.05 <= fine <= coarse <= 30 degrees, found fine {fine:g}, coarse {coarse}."
        )
    columns, rows = box.width / fine, (box.north - box.south) / fine
    if abs(columns - round(columns)) > 1e-6 or abs(rows - round(rows)) > 1e-6:
        raise GridError(
            f"The box {box.west:g}..{box.east:g} E, {box.south:g}..{box.north:g} N is no whole number of {fine:g}-degree "
            "cells in each direction; move its edges."
        )
    inside = np.full(round(columns), fine)
    around = 360.0 - box.width
    if around < 1e-9:
        widths = inside
    else:
        half = _stretched(around / 2, fine, coarse[0])
        widths = np.concatenate([half[::-1], inside, half])
    start = box.west - around / 2
    while start > 180:
        start -= 360.0
    while start < -360:
        start += 360.0
    lon_edges = start + np.concatenate([[0.0], np.cumsum(widths)])
    lon_edges[-1] = lon_edges[0] + 360.0
    below = _stretched(box.south + 90.0, fine, coarse[1])[::-1]
    above = _stretched(90.0 - box.north, fine, coarse[1])
    lat_edges = -90.0 + np.concatenate([[0.0], np.cumsum(np.concatenate([below, np.full(round(rows), fine), above]))])
    lat_edges[-1] = 90.0
    label = name or f"refined {box.west:g}-{box.east:g}E {box.south:g}-{box.north:g}N {fine:g}"
    return Grid(lon_edges, lat_edges, label)


def _stretched(length: float, fine: float, coarse: float) -> np.ndarray:
    """Widths of cells that fill `length` degrees, growing from about `fine` by less than `LARGEST_RATIO` each to about
    `coarse`.

    The number of cells comes first, then the ratio that makes them fit: growing cells, then equal ones.
    """
    if length < 1e-9:
        return np.empty(0)
    if length < fine:
        raise GridError(
            f"Between the box and the end of the grid are {length:g} degrees, less than a cell of {fine:g}; move the "
            "box's edge to the pole or the opposite meridian, or away from it."
        )
    for cells in range(1, int(length / fine) + 2):
        if _length(LARGEST_RATIO - 1e-6, cells, fine, coarse) >= length - 1e-12:
            break
    low, high = 1.0 / LARGEST_RATIO + 1e-6, LARGEST_RATIO - 1e-6
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _length(middle, cells, fine, coarse) < length else (low, middle)
    widths = _widths(high, cells, fine, coarse)
    return widths * (length / widths.sum())


def _widths(ratio: float, cells: int, fine: float, coarse: float) -> np.ndarray:
    return np.minimum(fine * ratio ** np.arange(1, cells + 1), coarse)


def _length(ratio: float, cells: int, fine: float, coarse: float) -> float:
    return float(_widths(ratio, cells, fine, coarse).sum())
