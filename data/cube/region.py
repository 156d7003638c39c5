"""Regions: which cells of a grid belong to a polygon and with what weight, and the series that comes of them.

At level 0 a cell belongs to a region if its centre lies in it, and weighs its exact area. On coarser levels, where an
estimate is wanted at once, a cell weighs the area of its sixteen (4 x 4) parts whose centres lie in the region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data.cube.grid import Grid
from data.errors import DataError, StoreProblem

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


class RegionCancelled(DataError):
    """The caller's `cancelled` said that nobody waits for the region any more."""


@dataclass(frozen=True)
class RegionSeries:
    """A region's mean at every step.

    Attributes
    ----------
    times : (n,) datetime64[ns].
    mean : (n,) float64 area-weighted mean over the cells with data, NaN where none has.
    std : (n,) float64 area-weighted standard deviation among these cells.
    area_km2 : area of the region's cells within the grid.
    coverage : (n,) float64, part of this area that has data, 0..1.
    """

    times: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    area_km2: float
    coverage: np.ndarray


@dataclass(frozen=True)
class Window:
    """Weights of a rectangle of cells.

    Attributes
    ----------
    row, column : its first row and column on the level.
    weights : (rows, columns) float32 km2, zero outside the region.
    """

    row: int
    column: int
    weights: np.ndarray


def polygons(region: BaseGeometry) -> BaseGeometry:
    """The region as a valid Polygon or MultiPolygon (crossed outlines are untangled); StoreProblem where it has no
    area."""
    import shapely

    if not isinstance(region, (shapely.Polygon, shapely.MultiPolygon)):
        raise StoreProblem(
            f"expected a polygon as region, found {getattr(region, 'geom_type', type(region).__name__)}; draw an area."
        )
    if region.is_empty:
        raise StoreProblem("expected a region with an area, found an empty one; draw an area.")
    coordinates = shapely.get_coordinates(region)
    if not np.isfinite(coordinates).all():
        raise StoreProblem("expected finite corners of a region, found NaN or infinite ones; draw it again.")
    if np.ptp(coordinates[:, 0]) > 3600:
        raise StoreProblem(
            f"expected a region within a few turns of longitude, found {np.ptp(coordinates[:, 0]):g} "
            "degrees; draw it again."
        )
    if not region.is_valid:
        region = shapely.make_valid(region)
    parts = [
        piece
        for part in shapely.get_parts(region)
        for piece in shapely.get_parts(part)
        if piece.geom_type == "Polygon" and piece.area > 0
    ]
    if not parts:
        raise StoreProblem("expected a region with an area, found a line or a point; draw an area.")
    return shapely.MultiPolygon(parts) if len(parts) > 1 else parts[0]


def region_windows(grid: Grid, region: BaseGeometry, level: int) -> list[Window]:
    """The cells of a region on a pyramid level. A region too small to hold a cell's centre is the cell that holds its
    centroid.

    Longitudes of the region may be written in any turn, so a region across the dateline simply runs on (170..190).
    """
    region = polygons(region)
    fine = max(level - 2, 0)
    size = 1 << (level - fine)
    rows, columns = grid.shape(fine)
    step_lon, step_lat = grid.dlon * (1 << fine), grid.dlat * (1 << fine)
    areas = grid.row_areas(fine)
    windows: list[Window] = []
    west, south, east, north = region.bounds
    bottom = max(0, int((south - grid.south) / step_lat) // size * size)
    top = min(rows, -(-(int((north - grid.south) / step_lat) + 1) // size) * size)
    taken = np.zeros((0, 0), dtype=bool)
    for turn in range(
        int(np.floor((grid.west - east) / 360)), int(np.ceil((grid.west + grid.nlon * grid.dlon - west) / 360)) + 1
    ):
        left = max(0, int((west + 360 * turn - grid.west) / step_lon) // size * size)
        right = min(columns, -(-(int((east + 360 * turn - grid.west) / step_lon) + 1) // size) * size)
        if left >= right or bottom >= top:
            continue
        mask = _centres_within(
            region,
            grid.west + left * step_lon - 360 * turn,
            grid.south + bottom * step_lat,
            step_lon,
            step_lat,
            (top - bottom, right - left),
        )
        if not mask.any():
            continue
        if not taken.size:
            taken = np.zeros((top - bottom, columns), dtype=bool)
        mask &= ~taken[:, left:right]
        taken[:, left:right] |= mask
        windows.append(
            Window(bottom // size, left // size, _blocks(mask * areas[bottom:top, None].astype(np.float32), size))
        )
    if not windows:
        centroid = region.centroid
        row, column = grid.row(centroid.y), grid.column(centroid.x)
        if row is not None and column is not None:
            row, column = row >> level, column >> level
            windows.append(Window(row, column, grid.row_areas(level)[row : row + 1, None].astype(np.float32)))
    return windows


def _centres_within(
    region: BaseGeometry, west: float, south: float, dlon: float, dlat: float, shape: tuple[int, int]
) -> np.ndarray:
    from rasterio.features import rasterize
    from rasterio.transform import Affine

    return rasterize(
        [(region, 1)], out_shape=shape, transform=Affine(dlon, 0, west, 0, dlat, south), dtype="uint8"
    ).astype(bool)


def _blocks(values: np.ndarray, size: int) -> np.ndarray:
    if size == 1:
        return values
    rows, columns = values.shape
    padded = np.pad(values, ((0, -rows % size), (0, -columns % size)))
    return padded.reshape(padded.shape[0] // size, size, padded.shape[1] // size, size).sum(axis=(1, 3))
