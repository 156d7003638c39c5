"""Whole steps in made-up weather: uniform tracers, mass, replay, superposition, members, threads, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.grids import GRAVITY, Box, Grid, Levels, ecmwf_levels, refined, uniform
from analysis.transport.boundary_layer import exchange, typical
from analysis.transport.errors import TransportError
from analysis.transport.fluxes import MassFluxes, air_mass, closed, horizontal_convergence
from analysis.transport.mixing import Convection, Diffusion
from analysis.transport.step import LEAST_LEFT, State, Transport, steps_needed
from analysis.transport.stream import horizontal, overturning
from analysis.transport.team import Team
from tests.analysis.transport.known_flows import weather

HOURS = 3.0
SURFACE = 98_000.0


def mixing(grid: Grid, levels: Levels, team: Team, hour: float) -> list:
    """Diffusion of an afternoon over a made-up continent, and deep convection in the tropics."""
    surface = np.full(grid.shape, SURFACE)
    land = (np.sin(np.radians(2 * grid.lon)) > 0) * np.ones(grid.shape)
    diffusion = Diffusion(exchange(grid, levels, surface, typical(grid, land, 200, hour % 24)), team)
    upward = np.zeros((levels.count + 1, *grid.shape))
    top = int(np.searchsorted(-levels.edge_pressure(np.array(SURFACE)), -25_000.0))
    tropics = np.abs(grid.lat) < 25
    upward[1:top, tropics] = 0.01 * grid.area[tropics] * np.sin(np.linspace(0.3, np.pi - 0.3, top - 1))[:, None, None]
    return [diffusion, Convection.from_mass_flux(upward, np.zeros((levels.count, *grid.shape)), team)]


def run(grid: Grid, levels: Levels, mixing_ratio: np.ndarray, dtype: type, hours: float, *, threads: int = 2) -> State:
    """Carry tracers through made-up weather with mixing."""
    start = air_mass(grid, levels, np.full(grid.shape, SURFACE))
    with Team(threads) as team:
        transport = Transport(grid, levels, team=team)
        state = State.of(mixing_ratio, start, dtype)
        for hour in np.arange(HOURS / 2, hours, HOURS):
            processes = mixing(grid, levels, team, hour)
            transport.step(state, weather(grid, levels, hour), HOURS * 3600, processes, longest=HOURS * 3600)
    return state


@pytest.mark.parametrize(
    "grid", [uniform("6x4"), refined(Box(60, 150, -12, 54), 3, (9, 6))], ids=["uniform", "refined"]
)
@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_a_uniform_tracer_stays_uniform_for_ten_days(grid: Grid, dtype: type, limit: float) -> None:
    levels = ecmwf_levels(25)
    state = run(grid, levels, np.full((25, *grid.shape, 1), 7.0), dtype, 240.0)
    assert np.abs(state.mixing_ratio() / 7.0 - 1).max() < limit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mass_superposition_and_members(dtype: type) -> None:
    grid, levels = refined(Box(60, 150, -12, 54), 2, (6, 4)), ecmwf_levels(25)
    field = np.random.default_rng(0).normal(size=(25, *grid.shape, 4))
    field[..., 3] = field[..., 0] + 3 * field[..., 1]
    state = run(grid, levels, field, dtype, 9.0)
    start = State.of(field, air_mass(grid, levels, np.full(grid.shape, SURFACE)), dtype)
    scale = np.abs(start.tracer_mass).sum(axis=(0, 1, 2), dtype=np.float64)
    # float32 keeps what it is given; that differs from the float64 field by rounding.
    limit = 1e-13 if dtype == np.float64 else 1e-7
    assert (np.abs(state.total() - start.total()) / scale).max() < limit
    ratio = state.mixing_ratio()
    both = ratio[..., 0] + 3 * ratio[..., 1]
    assert np.abs(ratio[..., 3] - both).max() < (1e-13 if dtype == np.float64 else 2e-6) * np.abs(both).max()
    alone = run(grid, levels, field[..., 2:3], dtype, 9.0, threads=1)
    assert np.array_equal(alone.tracer_mass[..., 0], state.tracer_mass[..., 2])
    assert np.array_equal(alone.air_mass, state.air_mass)


def test_air_mass_is_replayed() -> None:
    grid, levels = uniform("3x2"), ecmwf_levels(34)
    start = air_mass(grid, levels, np.full(grid.shape, SURFACE))
    fluxes = weather(grid, levels, 1.5)
    state = State.of(np.zeros((*start.shape, 1)), start)
    with Team(2) as team:
        Transport(grid, levels, team=team).step(state, fluxes, 10_800.0)
    assert fluxes.replay_error(start, state.air_mass, 10_800.0) < 1e-12
    surface = state.air_mass.sum(axis=0) / grid.area * GRAVITY + levels.a_pa[-1]
    assert np.abs(surface - SURFACE).max() > 100
    # Layers are still those of the hybrid levels at the new surface pressure.
    np.testing.assert_allclose(state.air_mass, air_mass(grid, levels, surface), rtol=1e-12)
    assert state.air_mass.sum() == pytest.approx(start.sum(), rel=1e-14)


def test_synthetic_winds_close_exactly() -> None:
    grid = refined()
    rng = np.random.default_rng(0)
    table = rng.normal(size=(grid.shape[0] + 1, grid.shape[1]))
    x, y = horizontal(grid, lambda lat, lon: table)
    assert np.abs(horizontal_convergence(x, y)).max() < 1e-14
    y, z = overturning(grid, rng.normal(size=(26, grid.shape[0] + 1)))
    assert np.abs(y[:, :-1] - y[:, 1:] + z[:-1] - z[1:]).max() < 1e-14
    assert not z[0].any() and not z[-1].any() and not y[:, 0].any()


def test_winds_have_the_strength_and_direction_of_their_stream_function() -> None:
    grid = uniform("1x1")
    radius = 6_371_007.2
    x, y = horizontal(grid, lambda lat, lon: -10.0 * radius * np.sin(lat) + 5.0 * radius * np.cos(lat) * np.sin(lon))
    east = x / (radius * np.radians(grid.lat_widths)[:, None])
    row, column = grid.locate(np.array([45.0]), np.array([90.0]))
    assert east[row[0], column[0]] == pytest.approx(10 * np.cos(np.pi / 4) + 5 * np.sin(np.pi / 4), rel=0.02)
    row, column = grid.locate(np.array([0.5]), np.array([0.0]))
    north = y[row[0], column[0]] / (radius * np.radians(1) * np.cos(np.radians(grid.lat_edges[row[0]])))
    assert north == pytest.approx(5.0, rel=0.02)


@st.composite
def any_case(draw: st.DrawFn) -> tuple[Grid, Levels, MassFluxes, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    widths = [rng.uniform(0.3, 1, draw(st.integers(5, 14))) for _ in range(2)]
    lon_edges = draw(st.floats(-180, 0)) + 360 * np.concatenate([[0], np.cumsum(widths[0])]) / widths[0].sum()
    lat_edges = -90 + 180 * np.concatenate([[0], np.cumsum(widths[1])]) / widths[1].sum()
    lon_edges[-1], lat_edges[-1] = lon_edges[0] + 360, 90
    grid = Grid(lon_edges, lat_edges)
    b = np.concatenate([[1], np.sort(rng.uniform(0.05, 0.95, 5))[::-1], [0]])
    levels = Levels(np.concatenate([np.zeros(6), [100.0]]), b)
    start = air_mass(grid, levels, rng.uniform(80_000, 100_000, grid.shape))
    least = start.min()
    x = rng.normal(size=start.shape) * least / 10_000
    y = rng.normal(size=(6, grid.shape[0] + 1, grid.shape[1])) * least / 10_000
    y[:, 0] = y[:, -1] = 0
    return grid, levels, closed(x, y, levels), start


@given(any_case())
@settings(max_examples=25)
def test_any_winds_on_any_grid(case: tuple[Grid, Levels, MassFluxes, np.ndarray]) -> None:
    grid, levels, fluxes, start = case
    field = np.random.default_rng(1).uniform(0, 1, (*start.shape, 2))
    field[..., 1] = 1.0
    seconds = 3600.0
    for dtype, kept, same in ((np.float64, 1e-13, 1e-12), (np.float32, 1e-6, 1e-5)):
        state = State.of(field, start, dtype)
        before = state.total()
        with Team(1) as team:
            Transport(grid, levels, team=team).step(state, fluxes, seconds)
        np.testing.assert_allclose(state.total(), before, rtol=kept)
        np.testing.assert_allclose(state.mixing_ratio()[..., 1], 1.0, rtol=same)
        assert fluxes.replay_error(start, state.air_mass, seconds) < 1e-12
        assert np.isfinite(state.tracer_mass).all()


def test_steps_are_as_long_as_the_air_allows() -> None:
    grid, levels = uniform("6x4"), ecmwf_levels(25)
    start = air_mass(grid, levels, np.full(grid.shape, SURFACE))
    fluxes = weather(grid, levels, 1.5)
    few = steps_needed(fluxes, start, 3600.0)
    many = steps_needed(fluxes, start, 86_400.0)
    assert few == 1 and 1 < many <= 24
    state = State.of(np.zeros((*start.shape, 0)), start)
    with Team(1) as team:
        transport = Transport(grid, levels, team=team)
        for direction in "xyz":
            transport.sweep(direction, state, fluxes, 43_200.0 / many)
            assert (state.air_mass > 0.99 * LEAST_LEFT * start).all()
        assert transport.step(state, weather(grid, levels, 1.5), 7200.0) == 2
        assert transport.step(state, weather(grid, levels, 1.5), 7200.0, longest=1800.0) == 4


def refuse(match: str, make) -> None:
    with pytest.raises(TransportError, match=match) as refused:
        make()
    assert str(refused.value).endswith(".")


def test_bad_input_is_refused_before_anything_changes() -> None:
    grid, levels = uniform("6x4"), ecmwf_levels(25)
    fluxes = weather(grid, levels, 1.0)
    start = air_mass(grid, levels, np.full(grid.shape, SURFACE))
    broken = fluxes.x.copy()
    broken[3, 4, 5] = np.nan
    leaky = fluxes.y.copy()
    leaky[0, 0, 0] = 1.0
    refuse("1 of .* NaN", lambda: MassFluxes(broken, fluxes.y, fluxes.z))
    refuse("poles", lambda: MassFluxes(fluxes.x, leaky, fluxes.z))
    refuse("shape", lambda: MassFluxes(fluxes.x, fluxes.y[:, :-1], fluxes.z))
    refuse("levels", lambda: closed(fluxes.x[:20], fluxes.y[:20], levels))
    refuse("unit", lambda: air_mass(grid, levels, np.full(grid.shape, 980.0)))
    refuse("NaN", lambda: air_mass(grid, levels, np.full(grid.shape, np.nan)))
    refuse("lat, lon", lambda: air_mass(grid, levels, np.full((3, 3), SURFACE)))
    refuse("positive", lambda: State.of(np.zeros((*start.shape, 1)), np.zeros_like(start)))
    refuse("float32 or float64", lambda: State(np.zeros((*start.shape, 1), np.int64), start))
    refuse("dimensions", lambda: State(np.zeros(start.shape), start))
    refuse("scheme", lambda: Transport(grid, levels, "upwind"))
    state = State.of(np.ones((*start.shape, 1)), start)
    before, air = state.tracer_mass.copy(), state.air_mass.copy()
    with Team(1) as team:
        transport = Transport(grid, levels, team=team)
        refuse("too long", lambda: transport.step(state, fluxes, 86_400.0, steps=1))
        strong = MassFluxes(fluxes.x * 3600, fluxes.y * 3600, fluxes.z * 3600)
        refuse("unit", lambda: transport.step(state, strong, 3600.0))
        other = weather(uniform("3x2"), levels, 1.0)
        refuse("cells", lambda: transport.step(state, other, 3600.0))
    assert np.array_equal(before, state.tracer_mass) and np.array_equal(air, state.air_mass)
