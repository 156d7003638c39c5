"""Flows with known answers: Lauritzen et al. 2012 (doi 10.5194/gmd-5-887-2012), solid-body rotation, DCMIP 2012 tests 1-1
and 1-2 (Kent et al. 2014, doi 10.1002/qj.2208), and made-up weather. Used by the tests and by the benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.grids import EARTH_RADIUS_M, GRAVITY, Grid, Levels
from analysis.transport.fluxes import MassFluxes, closed
from analysis.transport.step import State, Transport
from analysis.transport.stream import horizontal, overturning
from analysis.transport.team import Team

Stream = Callable[[np.ndarray, np.ndarray], np.ndarray]

PERIOD = 5.0
"""Of the flows on the unit sphere."""


def deformation(time: float) -> Stream:
    """Case 4 of Nair and Lauritzen 2010, non-divergent, with background rotation, on the unit sphere; returns at 5."""
    turn = 2 * np.pi * time / PERIOD

    def stream(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        swirl = 10 / PERIOD * np.sin(lon - turn) ** 2 * np.cos(lat) ** 2 * np.cos(np.pi * time / PERIOD)
        return swirl - 2 * np.pi / PERIOD * np.sin(lat)

    return stream


def rotation(time: float, degrees: float = 90.0) -> Stream:
    """Solid body, once round in 5, the axis tilted by `degrees` (90: over both poles)."""
    tilt = np.radians(degrees)
    return lambda lat, lon: (
        -2 * np.pi / PERIOD * (np.sin(lat) * np.cos(tilt) - np.cos(lon) * np.cos(lat) * np.sin(tilt))
    )


def shapes(grid: Grid, parts: int = 4, lat: float = 0.0, lon: tuple[float, float] = (150.0, 210.0)) -> np.ndarray:
    """(lat, lon, 3) cell means of Gaussian hills, cosine bells (on 0.1) and slotted cylinders (on 0.1) of Lauritzen et
    al., at two centres in degrees, from `parts` x `parts` points a cell."""
    found = np.zeros((*grid.shape, 3))
    for a in range(parts):
        sines = np.sin(np.radians(grid.lat_edges))
        y = np.arcsin(sines[:-1] + (a + 0.5) / parts * np.diff(sines))[:, None]
        for b in range(parts):
            x = np.radians(grid.lon_edges[:-1] + (b + 0.5) / parts * grid.lon_widths)[None]
            found += _shapes_at(y, x, np.radians(lat), np.radians(lon)) / parts**2
    return found


def _shapes_at(lat: np.ndarray, lon: np.ndarray, south: float, centres: np.ndarray) -> np.ndarray:
    hills, bells, cylinders = np.zeros((3, len(lat), lon.shape[1]))
    bells += 0.1
    cylinders += 0.1
    for number, centre in enumerate(centres):
        cosine = np.sin(south) * np.sin(lat) + np.cos(south) * np.cos(lat) * np.cos(lon - centre)
        hills += 0.95 * np.exp(-5.0 * 2.0 * (1.0 - cosine))
        away = np.arccos(np.clip(cosine, -1, 1)) / 0.5
        bells += np.where(away < 1, 0.45 * (1 + np.cos(np.pi * away)), 0.0)
        aside = np.abs((lon - centre + np.pi) % (2 * np.pi) - np.pi) >= 0.5 / 6
        open_end = lat - south < -5 / 24 if number == 0 else lat - south > 5 / 24
        cylinders[(away <= 1) & (aside | open_end)] = 1.0
    return np.stack([hills, bells, cylinders], axis=-1)


def l2(field: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Normalised l2 error over all but the last axis."""
    axes = tuple(range(truth.ndim - 1))
    weight = weight[..., None]
    return np.sqrt((weight * (field - truth) ** 2).sum(axis=axes) / (weight * truth**2).sum(axis=axes))


@dataclass(frozen=True)
class Outcome:
    """What a flow did: l2 errors, mixing ratios, relative change of tracer sums, largest relative change of air."""

    l2: np.ndarray
    field: np.ndarray
    mass_change: np.ndarray
    air_change: float


def carry_round(
    grid: Grid,
    flow: Callable[[float], Stream],
    steps: int,
    *,
    scheme: str = "ppm",
    initial: np.ndarray | None = None,
    dtype: type = np.float64,
    team: Team | None = None,
) -> Outcome:
    """Carry `shapes` once through a flow on the unit sphere that brings everything back."""
    initial = shapes(grid) if initial is None else initial
    area = grid.area / EARTH_RADIUS_M**2
    seconds = PERIOD / steps
    with team or Team(1) as workers:
        transport = Transport(grid, None, scheme, workers)
        state = State.of(initial[None], area[None], dtype)
        before = state.total()
        for step in range(steps):
            x, y = horizontal(grid, flow((step + 0.5) * seconds))
            transport.step(state, MassFluxes(x[None], y[None], np.zeros((2, *grid.shape))), seconds)
    field = state.mixing_ratio()[0]
    return Outcome(
        l2(field, initial, area), field, state.total() / before - 1, float(np.abs(state.air_mass / area - 1).max())
    )


# DCMIP 2012, tests of 3-D advection: an isothermal atmosphere between the surface and 12 km.

TOP_M, ISOTHERMAL_K, SURFACE_PA, GAS = 12_000.0, 300.0, 100_000.0, 287.0
SCALE_M = GAS * ISOTHERMAL_K / GRAVITY


def dcmip_levels(count: int) -> Levels:
    """`count` layers of equal height between the surface and 12 km."""
    pressure = SURFACE_PA * np.exp(-np.linspace(0, TOP_M, count + 1) / SCALE_M)
    b = (pressure - pressure[-1]) / (SURFACE_PA - pressure[-1])
    return Levels(pressure - b * SURFACE_PA, b, f"DCMIP {count}")


def heights(levels: Levels) -> np.ndarray:
    """(lev,) m of layers' middles."""
    edges = -SCALE_M * np.log(levels.edge_pressure(np.array(SURFACE_PA)) / SURFACE_PA)
    return (edges[1:] + edges[:-1]) / 2


def deforming_3d(grid: Grid, levels: Levels, time: float) -> MassFluxes:
    """DCMIP 1-1 at `time` s of its 12 days."""
    tau = 12 * 86400.0
    radius, top = EARTH_RADIUS_M, levels.edge_pressure(np.array(SURFACE_PA))[-1]
    edges = levels.edge_pressure(np.array(SURFACE_PA))
    turn = 2 * np.pi * time / tau

    def stream(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        swirl = 10 * radius**2 / tau * np.sin(lon - turn) ** 2 * np.cos(lat) ** 2 * np.cos(np.pi * time / tau)
        return swirl - 2 * np.pi * radius**2 / tau * np.sin(lat)

    x, y = horizontal(grid, stream)
    mass = -np.diff(edges)[:, None, None] / GRAVITY
    x, y = x * mass, y * mass
    reach = 0.2 * top
    shape = (
        1 + np.exp((top - SURFACE_PA) / reach) - np.exp((edges - SURFACE_PA) / reach) - np.exp((top - edges) / reach)
    )
    shape[0] = shape[-1] = 0.0
    lat = np.radians(grid.lat_edges)
    width = np.diff(lat / 2 + np.sin(2 * lat) / 4)  # integral of cos^2
    strength = radius**2 / GRAVITY * 23_000 * np.pi / tau * np.cos(2 * turn / 2)
    potential = strength * shape[:, None, None] * width[:, None] * np.cos(np.radians(grid.lon_edges[:-1]) - turn)
    return MassFluxes(x + potential[:-1] - potential[1:], y, np.roll(potential, -1, axis=-1) - potential)


def bells_3d(grid: Grid, levels: Levels) -> np.ndarray:
    """(lev, lat, lon) tracer q1 of DCMIP 1-1 at cell centres."""
    z = heights(levels)[:, None, None]
    lat, lon = np.radians(grid.lat)[:, None], np.radians(grid.lon)[None] % (2 * np.pi)
    found = np.zeros((levels.count, *grid.shape))
    for centre in (5 * np.pi / 6, 7 * np.pi / 6):
        away = np.arccos(np.clip(np.cos(lat) * np.cos(lon - centre), -1, 1)) / 0.5
        distance = np.minimum(1.0, away**2 + ((z - 5000.0) / 1000.0) ** 2)
        found += 0.5 * (1 + np.cos(np.pi * distance))
    return found


def hadley(grid: Grid, levels: Levels, time: float) -> MassFluxes:
    """DCMIP 1-2 at `time` s of its day."""
    day, cells, upward, speed = 86400.0, 5, 0.15, 40.0
    density = SURFACE_PA / (GAS * ISOTHERMAL_K)
    edges = levels.edge_pressure(np.array(SURFACE_PA))
    z = -SCALE_M * np.log(edges / SURFACE_PA)
    lat = np.radians(grid.lat_edges)
    across = np.cos(lat) ** 2 * np.sin(cells * lat)
    strength = -2 * np.pi * EARTH_RADIUS_M**2 * upward * density / cells * np.cos(np.pi * time / day)
    y, vertical = overturning(grid, strength * np.outer(np.sin(np.pi * z / TOP_M), across))
    x, _ = horizontal(grid, lambda lat, lon: -speed * EARTH_RADIUS_M * np.sin(lat) + 0 * lon)
    return MassFluxes(x * (-np.diff(edges) / GRAVITY)[:, None, None], y, vertical)


def layer_3d(grid: Grid, levels: Levels) -> np.ndarray:
    """(lev, lat, lon) the layer of tracer between 2 and 5 km of DCMIP 1-2."""
    z = heights(levels)
    profile = np.where(np.abs(z - 3500) < 1500, 0.5 * (1 + np.cos(2 * np.pi * (z - 3500) / 3000)), 0.0)
    return np.broadcast_to(profile[:, None, None], (levels.count, *grid.shape)).copy()


def carry_3d(
    grid: Grid,
    levels: Levels,
    flow: Callable[[Grid, Levels, float], MassFluxes],
    tracer: np.ndarray,
    duration: float,
    steps: int,
    *,
    scheme: str = "ppm",
    team: Team | None = None,
) -> Outcome:
    """Carry one tracer through a three-dimensional flow that brings it back."""
    air = levels.layer_mass(np.full(grid.shape, SURFACE_PA)) * grid.area
    initial = tracer[..., None]
    with team or Team(1) as workers:
        transport = Transport(grid, levels, scheme, workers)
        state = State.of(initial, air, np.float64)
        before = state.total()
        seconds = duration / steps
        for step in range(steps):
            transport.step(state, flow(grid, levels, (step + 0.5) * seconds), seconds, longest=seconds)
    field = state.mixing_ratio()
    return Outcome(
        l2(field, initial, air), field, state.total() / before - 1, float(np.abs(state.air_mass / air - 1).max())
    )


def weather(grid: Grid, levels: Levels, hour: float, *, divergence: float = 3e-6) -> MassFluxes:
    """Made-up weather with jets, moving waves and a breathing surface pressure: fluxes for the hours around `hour`.

    Winds reach some 50 m/s aloft; `divergence` s-1 (signs alternate, so nothing drifts away) moves surface pressure by
    hundreds of Pa within hours.
    """
    mass = levels.layer_mass(np.full(grid.shape, 98_000.0)).mean(axis=(1, 2))
    days = hour / 24

    def stream(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        jet = -15.0 * np.sin(lat) - 4.0 * np.sin(3 * lat)
        waves = 6.0 * np.cos(lat) ** 3 * np.sin(lat) * np.sin(5 * lon - 2 * days) + 4.0 * np.cos(lat) * np.cos(
            lon - 0.3 * days
        )
        return EARTH_RADIUS_M * (jet + waves)

    x, y = horizontal(grid, stream)
    aloft = (0.3 + 1.4 * np.linspace(0, 1, levels.count) ** 0.5) * mass
    x, y = x * aloft[:, None, None], y * aloft[:, None, None]
    lat, lon = np.radians(grid.lat)[:, None], np.radians(grid.lon)[None]
    # Gradient of a potential whose sign turns over every twelve hours.
    potential = np.cos(lat) ** 2 * np.sin(2 * lon + days) * np.sin(2 * lat) * np.cos(np.pi * hour / 12)
    strength = divergence * EARTH_RADIUS_M**2 / 6
    east = np.diff(potential, axis=1, prepend=potential[:, -1:]) / np.radians(grid.lon_widths) / np.cos(lat)
    north = np.zeros((grid.shape[0] + 1, grid.shape[1]))
    spacing = np.radians(np.diff(grid.lat))[:, None]
    north[1:-1] = np.diff(potential, axis=0) / spacing * np.cos(np.radians(grid.lat_edges[1:-1]))[:, None]
    x = (
        x
        + strength
        * (east * np.radians(grid.lat_widths)[:, None])
        * mass[:, None, None]
        * np.cos(np.pi * np.linspace(0, 1, levels.count))[:, None, None]
    )
    y = (
        y
        + strength
        * (north * np.radians(grid.lon_widths))
        * mass[:, None, None]
        * np.cos(np.pi * np.linspace(0, 0.8, levels.count))[:, None, None]
    )
    return closed(x, y, levels)
