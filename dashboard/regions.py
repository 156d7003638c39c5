"""Regions as the page knows them: named ones from `data.geography` and polygons drawn on the map."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dashboard.state import polygon_vertices

OUTLINE_TOLERANCE_DEG = 0.05
"""Outlines are simplified to this before they travel to the browser; areas are always computed from the full geometry."""


@lru_cache(maxsize=64)
def named_region(region: str) -> Any:
    """Shapely geometry of 'Countries/China' or 'poly:lon,lat;...'; None if there is no such region."""
    from shapely import Polygon, make_valid

    vertices = polygon_vertices(region)
    if vertices is not None:
        polygon = make_valid(Polygon(vertices))
        return None if polygon.is_empty or polygon.area == 0 else polygon
    from data.geography import regions

    group, _, name = region.partition("/")
    return regions().get(group, {}).get(name)


def region_exists(region: str) -> bool:
    """True if an address may name this region."""
    return named_region(region) is not None


def region_names() -> dict[str, list[str]]:
    """Names of the regions by group."""
    from data.geography import regions

    return {group: sorted(named) if group == "Countries" else list(named) for group, named in regions().items()}


def region_title(region: str) -> str:
    """What to call a region in a title."""
    return "drawn region" if region.startswith("poly:") else region.partition("/")[2]


@lru_cache(maxsize=16)
def region_rings(region: str) -> list[list[list[float]]]:
    """Outer rings as [lon, lat] lists, simplified, for drawing."""
    geometry = named_region(region) if region else None
    if geometry is None:
        return []
    outline = geometry.simplify(OUTLINE_TOLERANCE_DEG)
    parts = [part for part in getattr(outline, "geoms", [outline]) if part.geom_type == "Polygon"]
    parts = sorted(parts, key=lambda part: part.area, reverse=True)[:200]
    return [[[round(lon, 3), round(lat, 3)] for lon, lat, *_ in part.exterior.coords] for part in parts]
