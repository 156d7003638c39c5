"""Decoder of TopoJSON, the format of the vendored outlines: polygons that share the arcs between them.

Sharing is what makes one small file serve all layers: an arc used by two countries is a border, an arc used by one is
a coastline. Format: https://github.com/topojson/topojson-specification (quantised, delta-encoded arcs; a negative
index ~i is arc i reversed).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

Ring = list[int]
"""Arc indices that follow each other into one closed line."""


@dataclass(frozen=True)
class Shape:
    """One geometry of a topology: its name ("" where the file gives none) and its polygons, each a list of rings, the
    outer one first.
    """

    name: str
    polygons: list[list[Ring]]


@dataclass(frozen=True)
class Topology:
    """Decoded arcs, (n, 2) longitude and latitude in degrees, and the objects made of them."""

    arcs: list[np.ndarray]
    objects: dict[str, list[Shape]]

    @classmethod
    def read(cls, path: Path) -> Topology:
        """Read a quantised TopoJSON file whose objects are collections of polygons."""
        document = json.loads(path.read_text(encoding="utf-8"))
        scale = np.array(document["transform"]["scale"])
        origin = np.array(document["transform"]["translate"])
        # One cumulative sum over all arcs instead of thousands of small ones; each arc starts anew from its first point.
        lengths = np.array([len(arc) for arc in document["arcs"]])
        numbers = chain.from_iterable(chain.from_iterable(document["arcs"]))
        deltas = np.fromiter(numbers, dtype=np.int64, count=2 * int(lengths.sum())).reshape(-1, 2)
        total = np.cumsum(deltas, axis=0)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        before = total[starts] - deltas[starts]
        points = (total - np.repeat(before, lengths, axis=0)) * scale + origin
        arcs = np.split(points, starts[1:])
        return cls(arcs, {name: _shapes(collection) for name, collection in document["objects"].items()})

    def line(self, ring: Ring) -> np.ndarray:
        """(n, 2) closed line of a ring; longitudes may jump by 360 where it crosses the dateline."""
        parts = [self.arcs[index] if index >= 0 else self.arcs[~index][::-1] for index in ring]
        return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])

    def arc_uses(self, name: str) -> Counter[int]:
        """How many rings of an object use each arc, in either direction."""
        return Counter(
            index if index >= 0 else ~index
            for shape in self.objects[name]
            for rings in shape.polygons
            for ring in rings
            for index in ring
        )


def _shapes(collection: dict) -> list[Shape]:
    shapes = []
    for geometry in collection["geometries"]:
        polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        shapes.append(Shape(geometry.get("properties", {}).get("name", ""), polygons))
    return shapes
