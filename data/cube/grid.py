"""What a cube's numbers mean: the grid they lie on, the variables and their packing, and the levels of the map pyramid.

Cells of pyramid level k are blocks of 2^k x 2^k cells of the grid. Where the number of cells is odd, the last block
reaches beyond the grid's edge; it then stands for its part within the grid, so that every position stays exact.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from data.errors import StoreProblem

EARTH_RADIUS_KM = 6371.0072
"""Radius of the sphere with the Earth's surface area (authalic radius of WGS84)."""

MISSING = np.int16(-32768)
"""The packed value of a cell without data."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str, what: str) -> str:
    """The name if it can be a folder's name on every system; StoreProblem otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith("."):
        raise StoreProblem(
            f"{name!r} cannot be the name of a {what}; use up to 100 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit."
        )
    return name


@dataclass(frozen=True)
class Grid:
    """A regular longitude-latitude grid.

    Attributes
    ----------
    west, south : outer edges of the first column and the first row, degrees.
    dlon, dlat : size of a cell, degrees, positive.
    nlon, nlat : number of columns and rows; row 0 is the southernmost.
    """

    west: float
    south: float
    dlon: float
    dlat: float
    nlon: int
    nlat: int

    def __post_init__(self) -> None:
        numbers = (self.west, self.south, self.dlon, self.dlat)
        if (
            not all(math.isfinite(number) for number in numbers)
            or min(self.dlon, self.dlat) <= 0
            or min(self.nlon, self.nlat) < 1
        ):
            raise StoreProblem(
                f"expected a grid with finite edges, positive cell sizes and at least one cell, found "
                f"{self}; check its coordinates."
            )
        if self.nlon * self.dlon > 360 + 1e-6 * self.dlon * self.nlon:
            raise StoreProblem(
                f"expected at most 360 degrees of longitude, found {self.nlon * self.dlon:g}; drop the "
                "repeated columns."
            )
        if self.south < -90 - self.dlat or self.south + self.nlat * self.dlat > 90 + self.dlat:
            raise StoreProblem(
                f"expected latitudes within -90..90, found "
                f"{self.south:g}..{self.south + self.nlat * self.dlat:g}; check the latitude coordinate."
            )

    @property
    def wraps(self) -> bool:
        """True if the grid goes all the way round."""
        return abs(self.nlon * self.dlon - 360) < 1e-3 * self.dlon

    @property
    def lon(self) -> np.ndarray:
        """(nlon,) longitudes of the cells' centres, degrees, ascending."""
        return self.west + self.dlon * (np.arange(self.nlon) + 0.5)

    @property
    def lat(self) -> np.ndarray:
        """(nlat,) latitudes of the cells' centres, degrees, ascending."""
        return self.south + self.dlat * (np.arange(self.nlat) + 0.5)

    @classmethod
    def from_centres(cls, lat: np.ndarray, lon: np.ndarray) -> Grid:
        """The grid with these cell centres (ascending, at least two each); StoreProblem where they are not regular."""
        south, dlat, nlat = _regular(lat, "latitudes")
        west, dlon, nlon = _regular(lon, "longitudes")
        if abs(nlon * dlon - 360) < 1e-2 * dlon:
            centre = west + nlon * dlon / 2
            dlon = 360 / nlon
            west = round(centre - 180, 9)
        return cls(west=west, south=south, dlon=dlon, dlat=dlat, nlon=nlon, nlat=nlat)

    @property
    def levels(self) -> int:
        """Levels of the map pyramid: halved while the smaller side keeps at least 200 cells."""
        count = 1
        while min(self.shape(count)) >= 200:
            count += 1
        return count

    def shape(self, level: int = 0) -> tuple[int, int]:
        """(rows, columns) of a pyramid level."""
        size = 1 << level
        return -(-self.nlat // size), -(-self.nlon // size)

    def lat_edges(self, level: int = 0) -> np.ndarray:
        """(rows + 1,) edges of a level's rows, degrees; the last one is the grid's edge."""
        return self.south + self.dlat * np.minimum(np.arange(self.shape(level)[0] + 1) * (1 << level), self.nlat)

    def lon_edges(self, level: int = 0) -> np.ndarray:
        """(columns + 1,) edges of a level's columns, degrees; the last one is the grid's edge."""
        return self.west + self.dlon * np.minimum(np.arange(self.shape(level)[1] + 1) * (1 << level), self.nlon)

    def row_areas(self, level: int = 0) -> np.ndarray:
        """(rows,) area of one whole cell in each row, km2: R^2 dlon (sin(north) - sin(south))."""
        sines = np.sin(np.radians(np.clip(self.lat_edges(level), -90, 90)))
        return EARTH_RADIUS_KM**2 * math.radians(self.dlon * (1 << level)) * np.diff(sines)

    def column(self, lon: float) -> int | None:
        """Column of the cell that holds a longitude (any turn), None outside the grid."""
        position = ((lon - self.west) % 360.0) / self.dlon
        if position >= self.nlon and self.wraps:
            position = 0.0 if position - self.nlon > 0.5 else self.nlon - 0.5
        return int(position) if position < self.nlon else None

    def row(self, lat: float) -> int | None:
        """Row of the cell that holds a latitude, None outside the grid; the northern edge belongs to the last row."""
        position = (lat - self.south) / self.dlat
        if not 0 <= position <= self.nlat:
            return None
        return min(int(position), self.nlat - 1)


def _regular(centres: np.ndarray, what: str) -> tuple[float, float, int]:
    values = np.asarray(centres, dtype=np.float64)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        raise StoreProblem(
            f"expected at least two finite {what} to make a grid, found {values.size} values of shape "
            f"{values.shape}; check the coordinate."
        )
    step = (values[-1] - values[0]) / (values.size - 1)
    if step <= 0 or np.abs(np.diff(values) - step).max() > 0.02 * step:
        found = "descending" if step <= 0 else f"steps between {np.diff(values).min():g} and {np.diff(values).max():g}"
        raise StoreProblem(f"expected evenly spaced ascending {what}, found {found}; regrid the data or sort it first.")
    neat = float(f"{step:.4g}")
    if abs(neat - step) * values.size < 0.02 * step:
        step = neat  # coordinates kept as float32 give 0.0500003 for 0.05
    middle = (values[0] + values[-1]) / 2
    return round(middle - step * values.size / 2, 6), float(step), int(values.size)


@dataclass(frozen=True)
class Variable:
    """One quantity of a cube and how it is packed: value = offset + scale * code.

    Attributes
    ----------
    name, units, long_name : as in netCDF.
    dtype : "int16" (codes -32767..32767, -32768 is missing) or "float32" (values as they are, NaN is missing).
    scale, offset : only for int16.
    """

    name: str
    units: str
    long_name: str
    dtype: Literal["int16", "float32"]
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        check_name(self.name, "variable")
        if self.dtype not in ("int16", "float32"):
            raise StoreProblem(
                f"variable {self.name}: expected storage as int16 or float32, found {self.dtype!r}; choose "
                "one of the two."
            )
        if not (math.isfinite(self.scale) and math.isfinite(self.offset) and self.scale > 0):
            raise StoreProblem(
                f"variable {self.name}: expected a positive finite scale and a finite offset, found "
                f"{self.scale!r} and {self.offset!r}; correct them."
            )

    @property
    def missing(self) -> np.int16 | np.float32:
        """What a cell without data holds."""
        return MISSING if self.dtype == "int16" else np.float32(np.nan)

    @property
    def low(self) -> float:
        """Smallest value that can be packed."""
        return self.offset - 32767 * self.scale if self.dtype == "int16" else float(np.finfo(np.float32).min)

    @property
    def high(self) -> float:
        """Largest value that can be packed."""
        return self.offset + 32767 * self.scale if self.dtype == "int16" else float(np.finfo(np.float32).max)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Values of packed codes, float32, NaN where missing; same shape."""
        codes = np.asarray(codes)
        if self.dtype == "float32":
            return codes.astype(np.float32, copy=False)
        from data.cube.resample import unpack

        codes = np.ascontiguousarray(codes, dtype=np.int16)
        values = np.empty(codes.shape, dtype=np.float32)
        unpack(codes.reshape(-1), float(self.scale), float(self.offset), values.reshape(-1))
        return values
