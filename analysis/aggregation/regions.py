"""Where to aggregate: named regions, boxes and drawn polygons; which soundings and which cells belong to them.

A sounding belongs to a region if its centre lies in it or on its outline. A grid cell belongs to it if the cell's
centre does (`data.cube.region`, as on the map), and weighs its exact area.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import AnalysisError
from data.cube import Grid

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

WORLD = "World and latitude bands/World"
DRAWN = "drawn region"


@dataclass(frozen=True)
class Region:
    """A region that travels lightly between processes.

    Attributes
    ----------
    name : for people and columns.
    key : of a region of `data.geography` ("Countries/China"), "" for another one.
    wkb : outline of another one as well-known binary: longitudes of any turn, latitudes, degrees.
    """

    name: str
    key: str = ""
    wkb: bytes = b""

    @property
    def geometry(self) -> BaseGeometry:
        """As shapely knows it."""
        return _geometry(self.key, self.wkb)


@lru_cache(maxsize=512)
def _geometry(key: str, wkb: bytes) -> BaseGeometry:
    import shapely

    geometry = _known()[key] if key else shapely.from_wkb(wkb)
    shapely.prepare(geometry)
    return geometry


@lru_cache(maxsize=1)
def _known() -> dict[str, BaseGeometry]:
    from data.geography import regions

    return {f"{group}/{title}": outline for group, named in regions().items() for title, outline in named.items()}


def named_region(name: str) -> Region:
    """A region of `data.geography` by its group and name ("Countries/China"), or by its name alone.

    Raises
    ------
    AnalysisError : there is none of that name; the sentence names the nearest.
    """
    import difflib

    known = _known()
    key = name if name in known else next((full for full in known if full.partition("/")[2] == name), "")
    if not key:
        titles = [full.partition("/")[2] for full in known]
        near = difflib.get_close_matches(name.rpartition("/")[2][:100], titles, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else "choose one of the list."
        raise AnalysisError(f"expected a named region such as Countries/China, found {name[:100]!r}; {hint}")
    return Region(key.partition("/")[2], key)


def box_region(box: Sequence[float]) -> Region:
    """A box west, south, east, north in degrees as a region; `west > east` runs across the dateline.

    Raises
    ------
    StoreProblem : not a box.
    AnalysisError : a box without an area.
    """
    import shapely

    from data.soundings.query import boxes_of

    parts = boxes_of(box)
    west, south, north = parts[0][0], max(parts[0][1], -90.0), min(parts[0][3], 90.0)
    width = sum(part[2] - part[0] for part in parts)
    if width <= 0 or north <= south:
        raise AnalysisError(f"expected a box with an area, found {tuple(box)}; make it larger.")
    edges = [f"{edge:g}" for edge in box]
    name = f"box {edges[0]} to {edges[2]} E, {edges[1]} to {edges[3]} N"
    return Region(name, wkb=shapely.box(west, south, west + width, north).wkb)


def drawn_region(corners: Sequence[Sequence[float]]) -> Region:
    """A polygon of (lon, lat) corners in degrees; crossed outlines are untangled.

    Raises
    ------
    AnalysisError : fewer than three corners, or corners that are no places.
    StoreProblem : no area.
    """
    import shapely

    from data.cube.region import polygons

    places = [tuple(float(part) for part in corner) for corner in corners]
    good = all(
        len(place) == 2 and all(map(math.isfinite, place)) and abs(place[0]) <= 540 and abs(place[1]) <= 90
        for place in places
    )
    if len(places) < 3 or not good:
        raise AnalysisError(
            "expected a polygon of three or more corners (longitude, latitude), found "
            f"{str(list(corners))[:80]}; correct it."
        )
    return Region(DRAWN, wkb=polygons(shapely.Polygon(places)).wkb)


def within_box(region: Region, box: Sequence[float]) -> Region:
    """The part of a region that lies in a box; AnalysisError where none does."""
    import shapely

    from data.geography.dateline import polygons_of
    from data.soundings.query import boxes_of

    area = shapely.union_all([shapely.box(*part) for part in boxes_of(box)])
    turns = [shapely.transform(area, lambda xy, turn=turn: xy + [360.0 * turn, 0.0]) for turn in (-1, 0, 1)]
    common = polygons_of(shapely.intersection(region.geometry, shapely.union_all(turns)))
    if common.is_empty:
        raise AnalysisError(
            f"expected a region that lies in the box {tuple(box)}, found {region.name} outside; change one."
        )
    return Region(f"{region.name} (in the box)", wkb=common.wkb)


def reading_box(regions: Sequence[Region], margin: float) -> tuple[float, float, float, float] | None:
    """A box round all regions and a margin of degrees, to read no more than is needed; None where it is nearly the
    globe.
    """
    bounds = np.array([region.geometry.bounds for region in regions])
    west, south = bounds[:, 0].min() - margin, max(bounds[:, 1].min() - margin, -90.0)
    east, north = bounds[:, 2].max() + margin, min(bounds[:, 3].max() + margin, 90.0)
    if east - west >= 300.0 and north - south >= 120.0:
        return None
    if east - west >= 360.0:
        west, east = -180.0, 180.0
    return float(west), float(south), float(east), float(north)


def soundings_within(regions: Sequence[Region], lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which soundings lie in which region; one may lie in several.

    Parameters
    ----------
    lon, lat : (n,) degrees, longitudes within -180..180.

    Returns
    -------
    place (m,) of the sounding, region (m,) its place in `regions`, int32; ascending by region, then place.
    """
    import shapely

    places, numbers = [], []
    for number, region in enumerate(regions):
        west, south, east, north = region.geometry.bounds
        within = np.zeros(lon.shape, dtype=bool)
        for turn in range(math.ceil((west - 180.0) / 360.0), math.floor((east + 180.0) / 360.0) + 1):
            near = (lon >= west - 360.0 * turn) & (lon <= east - 360.0 * turn) & (lat >= south) & (lat <= north)
            candidates = np.flatnonzero(near & ~within)
            inside = shapely.intersects_xy(region.geometry, lon[candidates] + 360.0 * turn, lat[candidates])
            within[candidates[inside]] = True
        found = np.flatnonzero(within)
        places.append(found)
        numbers.append(np.full(found.size, number, dtype=np.int32))
    return np.concatenate(places), np.concatenate(numbers)


def cells_within(region: Region, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (row * nlon + column) of a region's cells, ascending, and their areas in km2."""
    from data.cube.region import region_windows

    cells, areas = [], []
    for window in region_windows(grid, region.geometry, 0):
        rows, columns = np.nonzero(window.weights)
        cells.append((window.row + rows) * grid.nlon + window.column + columns)
        areas.append(window.weights[rows, columns].astype(np.float64))
    found = np.concatenate(cells) if cells else np.empty(0, dtype=np.int64)
    weights = np.concatenate(areas) if areas else np.empty(0)
    order = np.argsort(found, kind="stable")
    return found[order].astype(np.int32), weights[order]
