"""Sampling a transport run: seconds a sounding and a station's hour for all tracers, beside the same operator in NumPy.

A day of hourly steps on CarbonTracker's 3x2 degrees and 34 levels in random air. A sounding is looked at before and after
its moment, and both looks are in its time; so is finding its cells. `numpy_` gathers the same columns and multiplies with
operators made beforehand by the same formula.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil

from analysis.grids import ecmwf_levels, uniform
from analysis.sampling import ColumnRequests, ColumnSamples, PointRequests, PointSamples, write_samples
from analysis.sampling.in_time import TimedSamples
from analysis.simulation.sampler import Snapshot
from analysis.transport.fluxes import air_mass
from analysis.transport.step import State
from tests.benchmarks import Figure

START = np.datetime64("2015-01-31T00:00:00", "ms")
LEVELS = 20


def run(quick: bool) -> dict[str, Figure]:
    """Keys, for N in 48, 150: column_us_N numpy_column_us_N column_bilinear_us_N station_us_N; write_us_150 (a sample
    written as netCDF), year_requests_mb (memory of a year of 5,000 soundings a day before the run), year_requests_s.
    """
    grid, levels = (uniform("6x4"), ecmwf_levels(25)) if quick else (uniform("3x2"), ecmwf_levels(34))
    count = 500 if quick else 5000
    air = air_mass(grid, levels, np.full(grid.shape, 98_500.0))
    figures: dict[str, Figure] = {}
    for tracers in (48,) if quick else (48, 150):
        mass = np.random.default_rng(0).normal(size=(*air.shape, tracers)).astype(np.float32)
        mass *= air[..., None].astype(np.float32)
        state = State(mass, air)
        surface = np.full(grid.shape, 98_500.0)

        def day(sampler: TimedSamples, state: State = state, surface: np.ndarray = surface) -> float:
            start = perf_counter()
            for hour in range(25):
                time = START.astype("datetime64[s]") + np.timedelta64(hour, "h")
                sampler.take(Snapshot(time, grid, levels, state, surface))
            return perf_counter() - start

        day(ColumnSamples(soundings(10)))  # compiled before it is timed
        day(PointSamples(stations(2)))
        asked, hourly = soundings(count), stations(count // 24)
        some = asked.rows(np.arange(0, count, 5))
        for name, work, samples in (
            ("column", lambda: day(ColumnSamples(asked)), count),  # noqa: B023
            ("numpy_column", lambda: in_numpy(some, state), len(some)),  # noqa: B023
            ("column_bilinear", lambda: day(ColumnSamples(asked, horizontal="bilinear")), count),  # noqa: B023
            ("station", lambda: day(PointSamples(hourly)), len(hourly)),  # noqa: B023
        ):
            figures[f"{name}_us_{tracers}"] = _us(work, samples)
    sampler = ColumnSamples(asked)
    day(sampler)
    names = [f"t{number}" for number in range(tracers)]
    with tempfile.TemporaryDirectory(prefix="carbonweather-bench-") as folder:
        figures[f"write_us_{tracers}"] = _us(
            lambda: write_samples(Path(folder) / "s.nc", sampler, names, background=names, simulated=True), count
        )
    memory = psutil.Process()
    before = memory.memory_info().rss
    start = perf_counter()
    year = soundings(count * (10 if quick else 365))
    figures["year_requests_s"] = Figure(perf_counter() - start, "s")
    figures["year_requests_mb"] = Figure(max(memory.memory_info().rss - before, 0) / 1e6, "MB")
    assert len(year) == count * (10 if quick else 365)
    return figures


def _us(work: Callable[[], object], count: int) -> Figure:
    """Microseconds for each of `count`, the best of three."""
    elapsed = []
    for _ in range(3):
        start = perf_counter()
        work()
        elapsed.append(perf_counter() - start)
    return Figure(min(elapsed) / count * 1e6, "us", 3)


def soundings(count: int) -> ColumnRequests:
    """A day of soundings all over the Earth, in time order, made 5,000 at a time as from files."""
    from analysis.sampling.profiles import Profiles
    from analysis.sampling.requests import joined

    random = np.random.default_rng(1)
    times = np.sort(random.integers(0, 86_400_000, count))
    store, parts = Profiles(LEVELS), []
    for first in range(0, count, 5000):
        n = min(5000, count - first)
        moments = START + times[first : first + n].astype("timedelta64[ms]")
        parts.append(
            ColumnRequests.of(
                id=np.arange(first, first + n).astype("S20"),
                begin=moments,
                end=moments,
                lat=np.degrees(np.arcsin(random.uniform(-1, 1, n))),
                lon=random.uniform(-180, 180, n),
                observed=np.full(n, 400.0),
                uncertainty=np.ones(n),
                weight=np.full((n, LEVELS), 1 / LEVELS),
                kernel=np.tile(np.linspace(0.3, 1.1, LEVELS), (n, 1)),
                prior=np.full((n, LEVELS), 400.0),
                profiles=store,
            )
        )
    return joined(parts).sorted()


def stations(count: int) -> PointRequests:
    """Hourly samples of stations through a day."""
    random = np.random.default_rng(2)
    lat, lon = random.uniform(-80, 80, count), random.uniform(-180, 180, count)
    moments = np.repeat(START + np.arange(24) * np.timedelta64(1, "h"), count)
    return PointRequests(
        id=np.tile(np.arange(count).astype("S8"), 24),
        begin=moments,
        end=moments,
        lat=np.tile(lat, 24),
        lon=np.tile(lon, 24),
        height=np.full(24 * count, 30.0),
        reference=np.zeros(24 * count, dtype=np.int8),
        observed=np.full(24 * count, np.nan),
        uncertainty=np.full(24 * count, np.nan),
    )


def in_numpy(requests: ColumnRequests, state: State) -> np.ndarray:
    """The same operator on one state, twice for each sounding: shares in common by broadcasting, columns by indexing."""
    edges, kernel = requests.profiles.operators(requests.profile)
    grid = uniform("3x2") if state.air_mass.shape[2] == 120 else uniform("6x4")
    seen = np.zeros((len(requests), state.tracer_mass.shape[-1]))
    for first in range(0, len(requests), 100):
        block = slice(first, first + 100)
        for _ in range(2):
            rows, columns = grid.locate(requests.lat[block], requests.lon[block])
            air = state.air_mass[:, rows, columns].T[:, ::-1]
            below = np.cumsum(air, axis=1) / air.sum(axis=1, keepdims=True)
            above = np.concatenate([np.zeros((len(air), 1)), below[:, :-1]], axis=1)
            common = np.minimum(below[:, :, None], edges[block, None, 1:]) - np.maximum(
                above[:, :, None], edges[block, None, :-1]
            )
            factor = (np.maximum(common, 0.0) @ kernel[block, :, None])[:, :, 0] / air
            mass = state.tracer_mass[::-1, rows, columns]
            seen[block] = np.einsum("nl,lnt->nt", factor, mass)
    return seen
