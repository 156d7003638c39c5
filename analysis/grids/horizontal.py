"""Global rectilinear latitude-longitude grids: edges, centres, exact areas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.errors import AnalysisError

EARTH_RADIUS_M = 6_371_007.2
"""Radius of the sphere with the Earth's surface area (authalic radius of WGS84); the cubes use the same."""

UNIFORM = ("6x4", "3x2", "2x2.5", "1x1")
"""Names of the grids that `uniform` knows: CarbonTracker's 6x4, 3x2 and 1x1 (longitude x latitude) and GEOS-Chem's
2x2.5 (latitude x longitude)."""


class GridError(AnalysisError):
    """A grid that does not cover the Earth once, or fields that do not lie on the grid they are said to lie on."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid of lat x lon cells that covers the whole Earth once.

    Attributes
    ----------
    lon_edges : (n_lon + 1,) degrees east, rising, spanning exactly 360; the first one may be anywhere in -360..180.
    lat_edges : (n_lat + 1,) degrees north, rising from -90 to 90.
    name : what to call it in titles and file names.

    Raises
    ------
    GridError : edges that do not rise, have gaps or do not cover the Earth once; fewer than 5 cells along an axis (the
        advection scheme looks at five).
    """

    lon_edges: np.ndarray
    lat_edges: np.ndarray
    name: str = ""

    def __post_init__(self) -> None:
        for name in ("lon_edges", "lat_edges"):
            edges = np.array(getattr(self, name), dtype=np.float64)
            if edges.ndim != 1 or len(edges) < 6:
                raise GridError(f"{name} must be a list of at least 6 edges (5 cells), found shape {edges.shape}.")
            if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
                raise GridError(
                    f"{name} must rise from west to east and south to north without gaps or NaN; sort them, or drop "
                    "the cells that are given twice."
                )
            edges.setflags(write=False)
            object.__setattr__(self, name, edges)
        if abs(self.lat_edges[0] + 90) > 1e-9 or abs(self.lat_edges[-1] - 90) > 1e-9:
            south, north = self.lat_edges[[0, -1]]
            raise GridError(f"lat_edges must run from -90 to 90 degrees, found {south:g} to {north:g}.")
        span = self.lon_edges[-1] - self.lon_edges[0]
        if abs(span - 360) > 1e-9:
            raise GridError(f"lon_edges must span 360 degrees, found {span:g}.")
        if not -360 <= self.lon_edges[0] <= 180:
            raise GridError(f"lon_edges must start between -360 and 180 degrees, found {self.lon_edges[0]:g}.")

    @property
    def shape(self) -> tuple[int, int]:
        """(n_lat, n_lon)."""
        return len(self.lat_edges) - 1, len(self.lon_edges) - 1

    @cached_property
    def lat(self) -> np.ndarray:
        """(n_lat,) cell centres, degrees north."""
        return _frozen((self.lat_edges[1:] + self.lat_edges[:-1]) / 2)

    @cached_property
    def lon(self) -> np.ndarray:
        """(n_lon,) cell centres, degrees east; rising, so beyond 180 where the grid does not start at -180."""
        return _frozen((self.lon_edges[1:] + self.lon_edges[:-1]) / 2)

    @cached_property
    def area(self) -> np.ndarray:
        """(n_lat, n_lon) m2, exact on the sphere: R^2 dlon (sin north - sin south)."""
        sines = np.sin(np.radians(self.lat_edges))
        sines[0], sines[-1] = -1.0, 1.0
        return _frozen(EARTH_RADIUS_M**2 * np.outer(np.diff(sines), np.radians(np.diff(self.lon_edges))))

    @cached_property
    def lon_widths(self) -> np.ndarray:
        """(n_lon,) degrees."""
        return _frozen(np.diff(self.lon_edges))

    @cached_property
    def lat_widths(self) -> np.ndarray:
        """(n_lat,) degrees."""
        return _frozen(np.diff(self.lat_edges))

    def locate(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the cells that hold points (degrees; any turn of longitude); the north pole is in the last
        row.

        Raises
        ------
        GridError : a latitude outside -90..90, or NaN.
        """
        lat, lon = np.broadcast_arrays(np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64))
        if not (np.abs(lat) <= 90).all() or not np.isfinite(lon).all():
            raise GridError("Points need latitudes within -90..90 and finite longitudes; check units and order.")
        turned = self.lon_edges[0] + (lon - self.lon_edges[0]) % 360.0
        rows = np.clip(np.searchsorted(self.lat_edges, lat, side="right") - 1, 0, self.shape[0] - 1)
        columns = np.clip(np.searchsorted(self.lon_edges, turned, side="right") - 1, 0, self.shape[1] - 1)
        return rows, columns

    def same(self, other: Grid) -> bool:
        """True if both have the same cells in the same order (edges within 1e-9 degrees)."""
        return self.shape == other.shape and all(
            np.allclose(getattr(self, name), getattr(other, name), rtol=0, atol=1e-9)
            for name in ("lon_edges", "lat_edges")
        )


def uniform(name: str) -> Grid:
    """A well-known global grid by name: "6x4", "3x2", "1x1" (CarbonTracker: degrees of longitude x latitude, edges at
    180 W and the poles) or "2x2.5" (GEOS-Chem: latitude x longitude, cells centred on 180 W, half cells at the poles).

    Any other "LONxLAT" in degrees that divides 360 and 180 makes a grid of CarbonTracker's kind.

    Raises
    ------
    GridError : a name that is none of these.
    """
    if name == "2x2.5":
        lat_edges = np.concatenate([[-90.0], np.arange(-89.0, 90.0, 2.0), [90.0]])
        return Grid(-181.25 + 2.5 * np.arange(145), lat_edges, name)
    try:
        dlon, dlat = (float(part) for part in name.split("x"))
        columns, rows = round(360 / dlon), round(180 / dlat)
    except (ValueError, ZeroDivisionError, OverflowError):
        columns = rows = 0
    if columns < 5 or rows < 5 or abs(columns * dlon - 360) > 1e-6 or abs(rows * dlat - 180) > 1e-6:
        raise GridError(
            f"There is no uniform grid {name!r}; use one of {', '.join(UNIFORM)}, or LONxLAT in degrees that divide 360 "
            "and 180 into at least five."
        )
    return Grid(np.linspace(-180, 180, columns + 1), np.linspace(-90, 90, rows + 1), name)


def _frozen(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values
