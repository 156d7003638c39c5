"""Map projections for stills, and fields drawn in them pixel by pixel.

All five are pseudocylindrical: latitude depends on y alone, and along a parallel x grows evenly with longitude. So
each pixel's position comes from its row's latitude and scale, and a field of any size is drawn by looking up the cell
under each pixel, with four samples a pixel, without meshes or interpolation. The formulas are PROJ's; nothing is
downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

ProjectionName = Literal["Robinson", "EqualEarth", "Mollweide", "PlateCarree", "Mercator"]

_PROJ_NAMES = {
    "Robinson": "robin",
    "EqualEarth": "eqearth",
    "Mollweide": "moll",
    "PlateCarree": "eqc",
    "Mercator": "merc",
}
_RADIUS_M = 6371007.2
_MERCATOR_LIMIT = 82.0
"""Latitude at which a Mercator still ends: beyond, little is seen but scale."""

SAMPLES = 2
"""Samples a pixel and direction."""

_STRIP_ROWS = 200


@dataclass(frozen=True)
class MapProjection:
    """A projection of a rectangle of longitudes and latitudes.

    Attributes
    ----------
    name : "Robinson", "EqualEarth" (equal area), "Mollweide" (equal area), "PlateCarree" or "Mercator".
    west, east, south, north : the rectangle, degrees, west < east <= west + 360; Mercator cuts it at 82 degrees. Its
        middle meridian is the map's.
    """

    name: ProjectionName
    west: float
    east: float
    south: float
    north: float

    def __post_init__(self) -> None:
        if self.name not in get_args(ProjectionName):
            raise ValueError(f"expected a projection among {', '.join(get_args(ProjectionName))}, found {self.name!r}.")
        if self.name == "Mercator":
            object.__setattr__(self, "south", max(self.south, -_MERCATOR_LIMIT))
            object.__setattr__(self, "north", min(self.north, _MERCATOR_LIMIT))
        if not (self.west < self.east <= self.west + 360 + 1e-6 and -90 <= self.south < self.north <= 90):
            raise ValueError(f"expected a rectangle of longitudes and latitudes, found {self}.")

    @property
    def centre(self) -> float:
        """Longitude of the straight middle meridian, degrees."""
        return (self.west + self.east) / 2

    @property
    def rectangular(self) -> bool:
        """True where meridians are parallel."""
        return self.name in ("PlateCarree", "Mercator")

    @cached_property
    def _proj(self) -> Any:
        from pyproj import Proj

        return Proj(proj=_PROJ_NAMES[self.name], R=_RADIUS_M, lon_0=0)

    def forward(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y in metres of positions in degrees; longitudes on any turn, not wrapped."""
        lat = np.clip(np.asarray(lat, dtype=np.float64), self.south, self.north)
        scale, y = self._proj(np.full_like(lat, 90.0), lat)
        return np.asarray(scale) / 90.0 * (np.asarray(lon) - self.centre), np.asarray(y)

    def outline(self) -> np.ndarray:
        """(n, 2) x and y in metres of the rectangle's edge, closed."""
        lat = np.linspace(self.south, self.north, 361)
        lon = np.concatenate([np.full_like(lat, self.east), np.full_like(lat, self.west), [self.east]])
        return np.column_stack(self.forward(lon, np.concatenate([lat, lat[::-1], lat[:1]])))

    def extent(self) -> tuple[float, float, float, float]:
        """x0, x1, y0, y1 in metres of the box around the outline."""
        (x0, y0), (x1, y1) = self.outline().min(axis=0), self.outline().max(axis=0)
        return float(x0), float(x1), float(y0), float(y1)

    def place(self, lines: Sequence[np.ndarray], *, smallest: float = 0.0) -> list[np.ndarray]:
        """Lines (n, 2) in degrees as lines in metres, cut where they leave the rectangle; those of less than
        `smallest` metres across are left out."""
        if not lines:
            return []
        lon, lat = np.concatenate(lines).astype(np.float64).T
        lon = (lon - self.west) % 360.0 + self.west
        inside = (lon <= self.east + 1e-9) & (lat >= self.south - 1e-9) & (lat <= self.north + 1e-9)
        starts = np.cumsum([len(line) for line in lines])[:-1]
        jumps = np.flatnonzero((np.abs(np.diff(lon)) > 180) | (np.diff(inside.astype(np.int8)) != 0)) + 1
        places = np.column_stack(self.forward(lon, lat))
        breaks = np.union1d(starts, jumps)
        first = np.concatenate([[0], breaks])
        kept = np.split(places, breaks)
        return [
            piece
            for piece, start in zip(kept, first, strict=True)
            if len(piece) > 1 and inside[start] and np.ptp(piece, axis=0).max() >= smallest
        ]

    def draw(self, values: np.ndarray, lat: np.ndarray, lon: np.ndarray, width: int, height: int) -> np.ndarray:
        """A field as seen through the projection.

        Parameters
        ----------
        values : (n_lat, n_lon) on evenly spaced ascending cell centres, NaN where missing.
        lat, lon : centres in degrees.
        width, height : pixels of the box `extent`.

        Returns
        -------
        (height, width) float32, row 0 = north: the mean of the samples in each pixel that have a value; NaN outside.
        """
        x0, x1, y0, y1 = self.extent()
        rows, columns = height * SAMPLES, width * SAMPLES
        y = y1 + (np.arange(rows) + 0.5) * (y0 - y1) / rows
        x = x0 + (np.arange(columns) + 0.5) * (x1 - x0) / columns
        row_lat = np.interp(y, *self._latitude_table())
        scale = self.forward(np.full(rows, self.centre + 90.0), row_lat)[0] / 90.0
        dlat, dlon = (lat[-1] - lat[0]) / max(lat.size - 1, 1) or 1.0, (lon[-1] - lon[0]) / max(lon.size - 1, 1) or 1.0
        row = np.floor((row_lat - (lat[0] - dlat / 2)) / dlat + 1e-9).astype(np.int64)
        row[(row == lat.size) & (row_lat <= lat[-1] + dlat / 2 + 1e-6)] = lat.size - 1
        on_grid = (row >= 0) & (row < lat.size)
        wraps = abs(lon.size * dlon - 360.0) < 1e-3 * dlon
        half = (self.east - self.west) / 2
        picture = np.full((height, width), np.nan, dtype=np.float32)
        for first in range(0, height, _STRIP_ROWS):
            strip = slice(first * SAMPLES, min(first + _STRIP_ROWS, height) * SAMPLES)
            turn = x[None, :] / scale[strip, None]
            column = np.floor((turn + (self.centre - (lon[0] - dlon / 2))) / dlon).astype(np.int64)
            if wraps:
                column %= lon.size
            good = (np.abs(turn) <= half) & (column >= 0) & (column < lon.size) & on_grid[strip, None]
            index = np.where(good, row[strip, None] * lon.size + column, 0)
            samples = np.where(good, values.reshape(-1)[index], np.nan)
            picture[first : first + _STRIP_ROWS] = _mean_of_blocks(samples)
        return picture

    def _latitude_table(self) -> tuple[np.ndarray, np.ndarray]:
        """y in metres, ascending, and its latitude, fine enough for a thousandth of a pixel."""
        lat = np.linspace(self.south, self.north, 20001)
        return self.forward(np.full_like(lat, self.centre), lat)[1], lat


def _mean_of_blocks(samples: np.ndarray) -> np.ndarray:
    """Mean of blocks of SAMPLES x SAMPLES, ignoring NaN."""
    total = np.zeros((samples.shape[0] // SAMPLES, samples.shape[1] // SAMPLES), dtype=np.float32)
    count = np.zeros(total.shape, dtype=np.float32)
    for row in range(SAMPLES):
        for column in range(SAMPLES):
            part = samples[row::SAMPLES, column::SAMPLES]
            seen = part == part  # not NaN
            total += np.where(seen, part, 0)
            count += seen
    return np.divide(total, count, out=np.full(count.shape, np.nan, dtype=np.float32), where=count > 0)
