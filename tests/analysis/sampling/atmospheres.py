"""Small atmospheres to sample: known fields on coarse grids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.grids import Grid, Levels, ecmwf_levels, uniform
from analysis.sampling import ColumnRequests, PointRequests
from analysis.simulation.sampler import Snapshot
from analysis.transport.fluxes import air_mass
from analysis.transport.step import State

GRID = uniform("30x20")
LEVELS = ecmwf_levels(25)
START = np.datetime64("2015-01-31T00:00:00", "s")


def snapshot(
    field: Callable[..., np.ndarray] | float = 0.0,
    *,
    hours: float = 0.0,
    grid: Grid = GRID,
    levels: Levels = LEVELS,
    surface_pa: float | np.ndarray = 98_500.0,
    dtype: type = np.float64,
) -> Snapshot:
    """The state at some hours after START; `field(lev, lat, lon)` gives (lev, lat, lon, tracer) ppm of middles of layers."""
    surface = np.broadcast_to(np.asarray(surface_pa, dtype=float), grid.shape).copy()
    air = air_mass(grid, levels, surface)
    if callable(field):
        layer = np.arange(levels.count)[:, None, None]
        values = np.broadcast_to(
            field(layer, grid.lat[:, None], grid.lon), (*air.shape, np.shape(field(0, 0.0, 0.0))[-1])
        )
    else:
        values = np.full((*air.shape, 1), field)
    time = START + np.timedelta64(round(hours * 3600), "s")
    return Snapshot(time, grid, levels, State.of(values, air, dtype), surface)


def moment(hours: float | np.ndarray) -> np.ndarray:
    """(n,) times of hours after START."""
    return START.astype("datetime64[ms]") + (np.atleast_1d(hours) * 3_600_000).round().astype("timedelta64[ms]")


def point(
    hours: object = 0.0,
    lat: object = 0.0,
    lon: object = 0.0,
    height: object = 10.0,
    reference: object = 0,
    end: object = None,
) -> PointRequests:
    """Requests for points, arrays or single ones."""
    begin, lat, lon, height, reference = np.broadcast_arrays(*map(np.atleast_1d, (hours, lat, lon, height, reference)))
    stop = begin if end is None else np.broadcast_to(np.atleast_1d(end), begin.shape)
    return PointRequests(
        id=np.array([f"p{k}".encode() for k in range(begin.size)]),
        begin=moment(begin),
        end=moment(stop),
        lat=lat.astype(float),
        lon=lon.astype(float),
        height=height.astype(float),
        reference=reference.astype(np.int8),
        observed=np.full(begin.size, 401.0),
        uncertainty=np.full(begin.size, 1.0),
    )


def column(
    weight: np.ndarray,
    kernel: np.ndarray,
    prior: np.ndarray,
    *,
    hours: object = 0.0,
    lat: object = 0.0,
    lon: object = 0.0,
) -> ColumnRequests:
    """Soundings with their profiles (n, level)."""
    count = len(weight)
    begin, lat, lon = (np.broadcast_to(np.atleast_1d(value), (count,)).astype(float) for value in (hours, lat, lon))
    return ColumnRequests.of(
        id=np.array([f"s{k}".encode() for k in range(count)]),
        begin=moment(begin),
        end=moment(begin),
        lat=lat,
        lon=lon,
        observed=np.full(count, 400.0),
        uncertainty=np.ones(count),
        weight=weight,
        kernel=kernel,
        prior=prior,
    )


def kept(sampler: object) -> np.ndarray:
    """(n, tracer + extra) values in the order of the requests."""
    finished = sampler.finished  # type: ignore[attr-defined]
    return finished.values(np.argsort(finished.rows(), kind="stable"))
