"""Named regions for regional means: the world and its latitude bands, continents, countries.

A country belongs to the continent in continents.csv (the usual seven; islands to the nearest). Countries on two
continents are split, because a regional mean would otherwise mix climates: Russia along 60° E, about the line of the
Urals, and the overseas parts of France and the Netherlands, which Natural Earth counts as the same country. The
United States' Hawaii stays with North America, Spain's Canary Islands with Europe.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import shapely
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from data.geography.dateline import polygons_of
from data.geography.outlines import countries

CONTINENTS = Path(__file__).parent / "continents.csv"

BANDS = {
    "World": (-90.0, 90.0),
    "Northern hemisphere": (0.0, 90.0),
    "Southern hemisphere": (-90.0, 0.0),
    "Arctic and boreal 60-90° N": (60.0, 90.0),
    "Northern mid-latitudes 30-60° N": (30.0, 60.0),
    "Tropics 30° S-30° N": (-30.0, 30.0),
    "Southern mid-latitudes 60-30° S": (-60.0, -30.0),
    "Antarctic 90-60° S": (-90.0, -60.0),
}
"""Latitude bands: name -> southern and northern edge in degrees."""

ELSEWHERE = {
    "Russia": {"Asia": [(60.0, 40.0, 180.0, 90.0), (-180.0, 40.0, -160.0, 90.0)]},
    "France": {
        "South America": [(-56.0, 0.0, -50.0, 8.0)],
        "North America": [(-64.0, 12.0, -60.0, 19.0)],
        "Africa": [(40.0, -25.0, 60.0, -10.0)],
    },
    "Netherlands": {"North America": [(-70.0, 11.0, -62.0, 19.0)]},
}
"""Parts of a country that lie on another continent than the country: boxes west, south, east, north in degrees."""


@functools.cache
def regions() -> dict[str, dict[str, BaseGeometry]]:
    """Group -> name -> polygon or multipolygon in longitude and latitude, cut at the dateline.

    Groups: "World and latitude bands", "Continents", "Countries" (Natural Earth 1:50m, territories included, sorted
    by name).
    """
    bands: dict[str, BaseGeometry] = {
        name: shapely.box(-180.0, south, 180.0, north) for name, (south, north) in BANDS.items()
    }
    return {"World and latitude bands": bands, "Continents": dict(continents()), "Countries": dict(countries())}


@functools.cache
def continents() -> dict[str, MultiPolygon]:
    """Continent -> its land, sorted by name."""
    with CONTINENTS.open(encoding="utf-8", newline="") as rows:
        home = {row["country"]: row["continent"] for row in csv.DictReader(rows)}
    members: dict[str, list[BaseGeometry]] = {name: [] for name in sorted(set(home.values()))}
    for country, outline in countries().items():
        rest: BaseGeometry = outline
        for continent, boxes in ELSEWHERE.get(country, {}).items():
            area = shapely.union_all([shapely.box(*edges) for edges in boxes])
            members[continent].append(shapely.intersection(outline, area))
            rest = shapely.difference(rest, area)
        members[home[country]].append(rest)
    return {name: polygons_of(shapely.union_all(parts)) for name, parts in members.items()}
