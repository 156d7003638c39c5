"""Coastlines, borders, land and countries from Natural Earth 4.1 (public domain), at 1:110m and 1:50m.

Source: natural_earth/CREDITS.txt. All coordinates are longitude and latitude in degrees, cut at the dateline, so that
a line never runs across the map and a polygon never wraps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from shapely.geometry import MultiPolygon, Polygon

from data.geography.dateline import NEAR_POLE, cut_line, flat_polygon
from data.geography.topology import Shape, Topology

Resolution = Literal["110m", "50m"]

FOLDER = Path(__file__).parent / "natural_earth"

FULL_NAMES = {
    "Antigua and Barb.": "Antigua and Barbuda",
    "Ashmore and Cartier Is.": "Ashmore and Cartier Islands",
    "Bosnia and Herz.": "Bosnia and Herzegovina",
    "Br. Indian Ocean Ter.": "British Indian Ocean Territory",
    "British Virgin Is.": "British Virgin Islands",
    "Cayman Is.": "Cayman Islands",
    "Central African Rep.": "Central African Republic",
    "Congo": "Republic of the Congo",
    "Cook Is.": "Cook Islands",
    "Dem. Rep. Congo": "Democratic Republic of the Congo",
    "Dominican Rep.": "Dominican Republic",
    "Eq. Guinea": "Equatorial Guinea",
    "Faeroe Is.": "Faroe Islands",
    "Falkland Is.": "Falkland Islands",
    "Fr. Polynesia": "French Polynesia",
    "Fr. S. Antarctic Lands": "French Southern Lands",
    "Heard I. and McDonald Is.": "Heard and McDonald Islands",
    "Indian Ocean Ter.": "Australian Indian Ocean Territories",
    "Macedonia": "North Macedonia",
    "Marshall Is.": "Marshall Islands",
    "N. Cyprus": "Northern Cyprus",
    "N. Mariana Is.": "Northern Mariana Islands",
    "Pitcairn Is.": "Pitcairn Islands",
    "S. Geo. and the Is.": "South Georgia and South Sandwich Islands",
    "S. Sudan": "South Sudan",
    "Solomon Is.": "Solomon Islands",
    "St-Barthélemy": "Saint Barthélemy",
    "St-Martin": "Saint Martin",
    "St. Kitts and Nevis": "Saint Kitts and Nevis",
    "St. Pierre and Miquelon": "Saint Pierre and Miquelon",
    "St. Vin. and Gren.": "Saint Vincent and the Grenadines",
    "Turks and Caicos Is.": "Turks and Caicos Islands",
    "U.S. Virgin Is.": "United States Virgin Islands",
    "United States of America": "United States",
    "W. Sahara": "Western Sahara",
    "Wallis and Futuna Is.": "Wallis and Futuna",
    "eSwatini": "Eswatini",
}
"""Natural Earth's map labels that are abbreviated or changed since, written out."""


@functools.cache
def topology(resolution: Resolution) -> Topology:
    """The vendored file of a resolution; ValueError for one that is not there."""
    if resolution not in get_args(Resolution):
        raise ValueError(f"outlines come at {' and '.join(get_args(Resolution))}, not at {resolution!r}.")
    return Topology.read(FOLDER / f"countries-{resolution}.json")


@functools.cache
def coastlines(resolution: Resolution = "110m") -> list[np.ndarray]:
    """Lines between land and water, each (n, 2) longitude and latitude in degrees with n >= 2, cut at the dateline."""
    return _lines(resolution, lambda uses: uses == 1)


@functools.cache
def borders(resolution: Resolution = "110m") -> list[np.ndarray]:
    """Lines between two countries, each (n, 2) longitude and latitude in degrees."""
    return _lines(resolution, lambda uses: uses > 1)


def _lines(resolution: Resolution, wanted: Callable[[int], bool]) -> list[np.ndarray]:
    source = topology(resolution)
    arcs = (source.arcs[index] for index, uses in sorted(source.arc_uses("countries").items()) if wanted(uses))
    return [piece for arc in arcs if np.abs(arc[:, 1]).min() < NEAR_POLE for piece in cut_line(arc)]


@functools.cache
def land_polygons(resolution: Resolution = "110m") -> list[Polygon]:
    """All land as valid polygons inside -180..180, the largest first. Inland seas (the Caspian) are water, lakes are
    land.
    """
    source = topology(resolution)
    land = [polygon for shape in source.objects["land"] for polygon in _geometry(source, shape).geoms]
    return sorted(land, key=lambda polygon: -polygon.area)


@functools.cache
def countries(resolution: Resolution = "50m") -> dict[str, MultiPolygon]:
    """Country or territory -> its valid polygons inside -180..180, sorted by name. Boundaries are de facto, as
    Natural Earth draws them.
    """
    source = topology(resolution)
    named = {FULL_NAMES.get(shape.name, shape.name): _geometry(source, shape) for shape in source.objects["countries"]}
    return dict(sorted(named.items()))


def _geometry(source: Topology, shape: Shape) -> MultiPolygon:
    pieces = [flat_polygon([source.line(ring) for ring in rings]) for rings in shape.polygons]
    return MultiPolygon([polygon for piece in pieces for polygon in piece.geoms])
