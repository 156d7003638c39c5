"""Outlines of countries and land (TopoJSON as in the package world-atlas, from Natural Earth, public domain) as a table
of names and boxes.

The shapes themselves are drawn from `data.geography`; a file of the user's own is listed with what it names and where
that lies.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from data.canonical import Product
from data.errors import FileProblem
from data.geography.topology import Topology
from data.readers import Reader
from data.readers.columns import rows
from data.readers.opening import pack, reading
from data.readers.periods import slug, stem_of
from data.readers.probe import Probe

_TOPOLOGY_FILE = "a TopoJSON file of polygons in degrees, such as world-atlas' countries-110m.json"


def _recognises(probe: Probe) -> bool:
    return (
        probe.container == "text"
        and bool(probe.lines)
        and re.match(r'\s*\{\s*"type"\s*:\s*"Topology"', probe.lines[0]) is not None
    )


def read_topology(path: Path) -> Product:
    """Shapes as table: `layer`, `name`, `polygons` (how many) and the box `west, south, east, north` in degrees.

    A box whose west lies east of its east crosses the dateline (Fiji, Russia).
    """
    with reading(path, _TOPOLOGY_FILE):
        topology = Topology.read(path)
        found = []
        for layer, shapes in topology.objects.items():
            for number, shape in enumerate(shapes, start=1):
                lines = [topology.line(polygon[0]) for polygon in shape.polygons]
                latitudes = np.concatenate([line[:, 1] for line in lines])
                west, east = longitude_range([part for line in lines for part in _intervals(line[:, 0])])
                name = shape.name or f"{layer} {number}"
                found.append((layer, name, len(lines), west, float(latitudes.min()), east, float(latitudes.max())))
    if not found:
        raise FileProblem(path, expected=_TOPOLOGY_FILE, found="no shapes", remedy="download it again")
    names = ("layer", "name", "polygons", "west", "south", "east", "north")
    columns = {name: np.array(values) for name, values in zip(names, zip(*found, strict=True), strict=True)}
    degrees = {"west": "degrees_east", "east": "degrees_east", "south": "degrees_north", "north": "degrees_north"}
    return pack(
        "table",
        rows(columns, "row", degrees),
        reader="boundaries",
        collection=f"boundaries-{slug(stem_of(path.name))}",
        path=path,
        title=f"Natural Earth outlines, {stem_of(path.name)}",
        instrument="Natural Earth",
        catalog="natural-earth",
        licence="public domain",
    )


def _intervals(lon: np.ndarray) -> list[tuple[float, float]]:
    """What a closed line covers, as intervals within -180..180; it may jump by 360 degrees at the dateline."""
    unrolled = np.unwrap(lon, period=360.0)
    west, east = float(unrolled.min()), float(unrolled.max())
    if east - west >= 360.0:
        return [(-180.0, 180.0)]
    start = (west + 180.0) % 360.0 - 180.0
    end = start + east - west
    return [(start, end)] if end <= 180.0 else [(start, 180.0), (-180.0, end - 360.0)]


def longitude_range(intervals: list[tuple[float, float]]) -> tuple[float, float]:
    """West and east edge of the shortest arc of the circle that holds all intervals; west > east where it crosses the
    dateline.

    Parameters
    ----------
    intervals : (west, east) of each part, degrees within -180..180, west <= east.
    """
    ordered = sorted(intervals)
    gaps = []  # (width, where the gap begins, where it ends)
    reach = ordered[0][1]
    for west, east in ordered[1:]:
        if west > reach:
            gaps.append((west - reach, reach, west))
        reach = max(reach, east)
    outer = (ordered[0][0] + 360.0 - reach, reach, ordered[0][0])
    _, east, west = max([outer, *gaps])
    return float(west), float(east)


READERS = [Reader("boundaries", "table", _TOPOLOGY_FILE, _recognises, read_topology)]
