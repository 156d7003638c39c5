"""Lines and polygons on the sphere, cut where the flat map ends: at the dateline and around the poles.

The vendored outlines are closed on the sphere, so the ring of eastern Siberia steps from 180° to -180° and
Antarctica's ring never comes back to its start on a flat map. Each line is first unrolled (longitudes made
continuous), then cut into the pieces that lie in -180..180.
"""

from __future__ import annotations

import itertools

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

HALF_TURN = 180.0
FULL_TURN = 360.0
NEAR_POLE = 89.9
"""A ring that stays poleward of this latitude is an artefact of flat files: their lower edge at the pole."""


def unroll(line: np.ndarray) -> np.ndarray:
    """(n, 2) line with continuous longitudes: steps of more than half a turn are taken the short way round, from the
    first point on.
    """
    steps = np.diff(line[:, 0])
    turns = np.concatenate([[0.0], np.cumsum(-FULL_TURN * np.round(steps / FULL_TURN))])
    out = line.astype(np.float64, copy=True)
    out[:, 0] += turns
    return out


def cut_line(line: np.ndarray) -> list[np.ndarray]:
    """Pieces of a line, (n, 2) each with n >= 2, inside -180..180; stretches that run along the dateline itself are
    left out.
    """
    west, east = line[:, 0].min(), line[:, 0].max()
    if west > -HALF_TURN and east < HALF_TURN and east - west < HALF_TURN:
        return [line]
    flat = unroll(line)
    points = _with_crossings(flat)
    middle = 0.5 * (points[1:, 0] + points[:-1, 0])
    world = np.floor((middle + HALF_TURN) / FULL_TURN)
    on_edge = (points[1:, 0] == points[:-1, 0]) & (np.mod(points[1:, 0] - HALF_TURN, FULL_TURN) == 0.0)
    world[on_edge] = np.nan
    breaks = np.flatnonzero(~(world[1:] == world[:-1])) + 1
    pieces = []
    for segment in np.split(np.arange(world.size), breaks):
        if np.isnan(world[segment[0]]):
            continue
        piece = points[segment[0] : segment[-1] + 2].copy()
        piece[:, 0] -= FULL_TURN * world[segment[0]]
        pieces.append(piece)
    return pieces


def _with_crossings(flat: np.ndarray) -> np.ndarray:
    """An unrolled line with a point added wherever it crosses ±180 (or any odd half turn)."""
    out = [flat[:1]]
    for start, end in itertools.pairwise(flat):
        low, high = sorted((start[0], end[0]))
        edges = (
            np.arange(np.floor((low + HALF_TURN) / FULL_TURN), np.ceil((high + HALF_TURN) / FULL_TURN) + 1) * FULL_TURN
            - HALF_TURN
        )
        edges = edges[(edges > low) & (edges < high)]
        if edges.size:
            if end[0] < start[0]:
                edges = edges[::-1]
            latitude = start[1] + (edges - start[0]) / (end[0] - start[0]) * (end[1] - start[1])
            out.append(np.stack([edges, latitude], axis=1))
        out.append(end[None])
    return np.concatenate(out)


def flat_polygon(rings: list[np.ndarray]) -> MultiPolygon:
    """The polygon bounded by closed lines on the sphere (the outer one first) as valid pieces inside -180..180,
    -90..90.

    A ring that goes round a pole is closed along that pole.
    """
    unrolled = [unroll(ring) for ring in rings]
    unrolled = [ring for ring in unrolled if np.abs(ring[:, 1]).min() < NEAR_POLE]
    outer, holes = unrolled[0], unrolled[1:]
    if abs(outer[-1, 0] - outer[0, 0]) > HALF_TURN:
        pole = np.sign(outer[:, 1].mean()) * 90.0
        outer = _closed_at_pole(outer, pole)
    middle = 0.5 * (outer[:, 0].min() + outer[:, 0].max())
    holes = [hole + [FULL_TURN * np.round((middle - hole[:, 0].mean()) / FULL_TURN), 0.0] for hole in holes]
    polygon = shapely.make_valid(Polygon(outer, holes))
    first = int(np.floor((outer[:, 0].min() + HALF_TURN) / FULL_TURN))
    last = int(np.ceil((outer[:, 0].max() + HALF_TURN) / FULL_TURN))
    if last - first <= 1:
        return polygons_of(shapely.transform(polygon, lambda xy: xy - [FULL_TURN * first, 0.0]))
    pieces = []
    for world in range(first, last):
        west = FULL_TURN * world - HALF_TURN
        piece = shapely.intersection(polygon, shapely.box(west, -90.0, west + FULL_TURN, 90.0))
        pieces.append(shapely.transform(piece, lambda xy, shift=FULL_TURN * world: xy - [shift, 0.0]))
    return polygons_of(shapely.union_all(pieces))


def _closed_at_pole(ring: np.ndarray, pole: float) -> np.ndarray:
    """A ring that winds once round the globe, rotated to start at the dateline and closed along the pole."""
    points = _with_crossings(ring)
    edge = np.flatnonzero(np.mod(points[:-1, 0] - HALF_TURN, FULL_TURN) == 0.0)
    start = edge[0] if edge.size else 0
    turn = points[-1, 0] - points[0, 0]
    rotated = np.concatenate([points[start:-1], points[: start + 1] + [turn, 0.0]])
    shift = FULL_TURN * np.floor((min(rotated[0, 0], rotated[-1, 0]) + HALF_TURN) / FULL_TURN)
    rotated[:, 0] -= shift
    return np.concatenate([rotated, [[rotated[-1, 0], pole], [rotated[0, 0], pole], rotated[0]]])


def polygons_of(geometry: BaseGeometry) -> MultiPolygon:
    """The polygons of any geometry; lines and points that a repair left over are dropped."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return MultiPolygon([part for part in parts if isinstance(part, Polygon) and part.area > 0.0])
