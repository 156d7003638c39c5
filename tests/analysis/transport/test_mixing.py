"""Diffusion and convection against dense matrices; what they keep, whatever the strength."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.grids import GRAVITY, Grid, ecmwf_levels, uniform
from analysis.transport.boundary_layer import (
    BoundaryLayer,
    diffusivity,
    exchange,
    layer_heights,
    sun_elevation,
    typical,
)
from analysis.transport.errors import TransportError
from analysis.transport.fluxes import air_mass
from analysis.transport.mixing import Convection, Diffusion
from analysis.transport.step import State
from analysis.transport.team import Team

GRID = Grid(np.linspace(-180, 180, 7), np.linspace(-90, 90, 6))
LEVELS = ecmwf_levels(25)
SHAPE = (25, 5, 6)
AIR = air_mass(GRID, LEVELS, np.full(GRID.shape, 98_000.0))


def tracers(count: int = 3) -> np.ndarray:
    """Random mixing ratios between 0 and 1; the first tracer is uniform."""
    field = np.random.default_rng(0).uniform(0, 1, (*SHAPE, count))
    field[..., 0] = 1.0
    return field


def draughts(strength: float, seed: int, team: Team) -> Convection:
    """Updraughts from some layers to higher ones and downdraughts back, in most columns, kg s-1."""
    rng = np.random.default_rng(seed)
    fields = np.zeros((4, *SHAPE))
    amount = strength * AIR[0] * rng.uniform(0, 1, GRID.shape) * (rng.uniform(size=GRID.shape) < 0.8)
    entering, leaving = rng.uniform(0, 1, (2, *SHAPE))
    entering[6:], leaving[:6], leaving[18:] = 0, 0, 0
    fields[0] = amount * entering / entering.sum(axis=0)
    fields[1] = amount * leaving / leaving.sum(axis=0)
    fields[2, 10] = fields[3, 1] = 0.3 * amount
    return Convection(*fields, team)


def column_sums(state: State) -> np.ndarray:
    return state.tracer_mass.sum(axis=0, dtype=np.float64)


@given(st.floats(-12, 3), st.integers(0, 99), st.sampled_from([1, 2, 40]))
@settings(max_examples=30)
def test_diffusion_keeps_mass_uniformity_and_sign(power: float, seed: int, count: int) -> None:
    """Exchange of 1e-12 to 1000 of the lowest layer's air a second, over half an hour."""
    rng = np.random.default_rng(seed)
    between = AIR[0] * 10.0 ** rng.uniform(power - 3, power, (24, *GRID.shape))
    state = State.of(tracers(count), AIR, np.float64)
    before = column_sums(state)
    with Team(1) as team:
        Diffusion(between, team)(state, 1800.0)
    after = state.mixing_ratio()
    np.testing.assert_allclose(column_sums(state), before, rtol=1e-13)
    np.testing.assert_allclose(after[..., 0], 1.0, rtol=1e-13)
    assert after.min() >= 0 and after.max() <= 1 + 1e-13


def test_ordinary_diffusion_keeps_the_column_to_1e_14() -> None:
    surface = np.full(GRID.shape, 98_000.0)
    between = exchange(GRID, LEVELS, surface, typical(GRID, np.ones(GRID.shape), 200, 12.0))
    state = State.of(tracers(), AIR, np.float64)
    before = column_sums(state)
    with Team(2) as team:
        Diffusion(between, team)(state, 1800.0)
    np.testing.assert_allclose(column_sums(state), before, rtol=1e-14)
    np.testing.assert_allclose(state.mixing_ratio()[..., 0], 1.0, rtol=1e-14)
    for row, column in ((0, 0), (2, 3)):
        matrix = np.diag(AIR[:, row, column])
        for level in range(24):
            amount = between[level, row, column] * 1800.0
            matrix[level : level + 2, level : level + 2] += amount * np.array([[1, -1], [-1, 1]])
        expected = np.linalg.solve(matrix, tracers()[:, row, column] * AIR[:, row, column, None])
        np.testing.assert_allclose(state.mixing_ratio()[:, row, column], expected, rtol=1e-12)


def test_strong_diffusion_mixes_the_column_well() -> None:
    state = State.of(tracers(), AIR, np.float64)
    mean = column_sums(state) / AIR.sum(axis=0)[..., None]
    with Team(1) as team:
        Diffusion(np.full((24, *GRID.shape), 1e6 * AIR[0].max()), team)(state, 1800.0)
    np.testing.assert_allclose(state.mixing_ratio(), np.broadcast_to(mean, (*SHAPE, 3)), rtol=1e-6)


@given(st.floats(-8, 0), st.integers(0, 99))
@settings(max_examples=25)
def test_convection_keeps_mass_uniformity_and_sign(power: float, seed: int) -> None:
    state = State.of(tracers(), AIR, np.float64)
    before = column_sums(state)
    with Team(2) as team:
        draughts(10.0**power, seed, team)(state, 1800.0)
    after = state.mixing_ratio()
    np.testing.assert_allclose(column_sums(state), before, rtol=1e-13)
    np.testing.assert_allclose(after[..., 0], 1.0, rtol=1e-12)
    assert after.min() >= 0 and after.max() <= 1 + 1e-12


def test_ordinary_convection_keeps_the_column_to_1e_14_and_solves_its_equations() -> None:
    """Explicit budget of the implicit solution: gains from draughts and from sinking air, layer by layer."""
    state, seconds = State.of(tracers(), AIR, np.float64), 1800.0
    before = column_sums(state)
    with Team(1) as team:
        convection = draughts(1e-4, 5, team)
        convection(state, seconds)
    np.testing.assert_allclose(column_sums(state), before, rtol=1e-14)
    np.testing.assert_allclose(state.mixing_ratio()[..., 0], 1.0, rtol=1e-14)
    row, column = np.argwhere(convection.entrain_up.sum(axis=0) > 0)[0]
    q = state.mixing_ratio()[:, row, column]
    entrain, detrain, entrain_down, detrain_down = (
        getattr(convection, name)[:, row, column]
        for name in ("entrain_up", "detrain_up", "entrain_down", "detrain_down")
    )
    up, down = np.zeros((26, 3)), np.zeros((26, 3))  # tracer through lower edges
    rising, sinking = np.zeros(26), np.zeros(26)
    gain = np.zeros_like(q)
    for level in range(25):
        total = rising[level] + entrain[level]
        ratio = (up[level] + entrain[level] * q[level]) / total if total else 0.0 * q[level]
        rising[level + 1] = rising[level] + entrain[level] - detrain[level]
        up[level + 1] = rising[level + 1] * ratio
        gain[level] += detrain[level] * ratio - entrain[level] * q[level]
    for level in range(24, -1, -1):
        total = sinking[level + 1] + entrain_down[level]
        ratio = (down[level + 1] + entrain_down[level] * q[level]) / total if total else 0.0 * q[level]
        sinking[level] = sinking[level + 1] + entrain_down[level] - detrain_down[level]
        down[level] = sinking[level] * ratio
        gain[level] += detrain_down[level] * ratio - entrain_down[level] * q[level]
    for level in range(1, 25):
        back = rising[level] - sinking[level]
        moved = back * (q[level] if back > 0 else q[level - 1])
        gain[level - 1] += moved
        gain[level] -= moved
    air = AIR[:, row, column, None]
    np.testing.assert_allclose(q * air, tracers()[:, row, column] * air + seconds * gain, rtol=1e-11)


def test_lasting_convection_mixes_what_it_reaches_and_nothing_else() -> None:
    state = State.of(tracers(), AIR, np.float64)
    untouched = state.tracer_mass[18:].copy()
    with Team(1) as team:
        draughts(1.0, 3, team)(state, 1e7)
    spread = state.mixing_ratio()[:17].std(axis=0)
    touched = draughts(1.0, 3, Team(1)).entrain_up.sum(axis=0) > 0
    assert spread[touched].max() < 2e-3 and (spread[~touched][:, 1:] > 0.1).all()
    np.testing.assert_allclose(state.tracer_mass[18:], untouched, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 7])
def test_mixing_does_not_depend_on_other_tracers_or_threads(count: int) -> None:
    field = tracers(60)
    alone = np.ascontiguousarray(field[..., 5 : 5 + count])
    many, few = State.of(field, AIR, np.float32), State.of(alone, AIR, np.float32)
    between = np.full((24, *GRID.shape), 1e-4 * AIR[0].mean())
    for state, threads in ((many, 2), (few, 1)):
        with Team(threads) as team:
            Diffusion(between, team)(state, 1800.0)
            draughts(1e-4, 5, team)(state, 1800.0)
    assert np.array_equal(many.tracer_mass[..., 5 : 5 + count], few.tracer_mass)


def test_from_geos_mass_flux_the_draughts_close() -> None:
    upward = np.zeros((26, *GRID.shape))
    upward[1:12] = np.sin(np.linspace(0.2, 3.0, 11))[:, None, None] * 1e-4 * AIR[0]
    with Team(1) as team:
        convection = Convection.from_mass_flux(upward, np.zeros(SHAPE), team)
    np.testing.assert_allclose(
        np.cumsum(convection.entrain_up - convection.detrain_up, axis=0), upward[1:], atol=1e-12 * upward.max()
    )


def test_boundary_layer_heights_and_diffusivity_by_hand() -> None:
    surface = np.full(GRID.shape, 101_325.0)
    edges, middles = layer_heights(LEVELS, surface, np.full(SHAPE, 250.0))
    pressure = LEVELS.edge_pressure(np.array(101_325.0))
    expected = 287.05 * 250 / GRAVITY * np.log(101_325 / pressure[5])
    assert edges[5, 0, 0] == pytest.approx(expected)
    assert (np.diff(edges, axis=0) > 0).all() and ((middles > edges[:-1]) & (middles < edges[1:])).all()
    neutral = BoundaryLayer(np.array([[1000.0]]), np.array([[0.3]]), np.array([[0.0]]))
    found = diffusivity(np.array([[[50.0]], [[500.0]], [[1500.0]]]), neutral)[:, 0, 0]
    np.testing.assert_allclose(found, [0.3 * 0.4 * 50 * 0.95**2, 0.3 * 0.4 * 500 * 0.5**2, 0.1])
    warm, cold = (
        diffusivity(np.array([[[200.0]]]), BoundaryLayer(np.array([[1000.0]]), np.array([[0.3]]), np.array([[heat]])))
        for heat in (300.0, -50.0)
    )
    assert cold < diffusivity(np.array([[[200.0]]]), neutral) < warm


def test_typical_boundary_layers_breathe_with_sun_and_season() -> None:
    grid = uniform("6x4")
    land = np.ones(grid.shape)
    row, column = (int(index[0]) for index in grid.locate(np.array([45.0]), np.array([0.5])))
    noon, night = typical(grid, land, 180, 13.0), typical(grid, land, 180, 1.0)
    winter = typical(grid, land, 15, 13.0)
    assert noon.height_m[row, column] > 1500 > 1.5 * winter.height_m[row, column] > 700
    assert night.height_m[row, column] == 150 and night.heat_flux[row, column] < 0 < noon.heat_flux[row, column]
    sea = typical(grid, 0 * land, 180, 13.0)
    assert (sea.height_m == 700).all()
    assert sun_elevation(grid, 355, 12)[-1].max() == 0 and sun_elevation(grid, 172, 0)[-1].min() > 0


def test_bad_mixing_is_refused_in_a_sentence() -> None:
    team = Team(1)
    good = np.zeros(SHAPE)
    falling = good.copy()
    falling[3] = 1.0
    cases = [
        (lambda: Diffusion(np.full((24, 5, 6), -1.0), team), "at least zero"),
        (lambda: Diffusion(np.full((24, 5, 6), np.nan), team), "finite"),
        (lambda: Diffusion(np.zeros((23, 5, 6)), team)(State.of(tracers(), AIR), 1.0), "levels"),
        (lambda: Convection(good, falling, good, good, team), "close"),
        (lambda: Convection(falling, good, good, good, team), "close"),
        (lambda: Convection(good - 1, good, good, good, team), "at least zero"),
        (lambda: Convection(good, good[:3], good, good, team), "one shape"),
        (lambda: BoundaryLayer(np.array([[1.5]]), np.array([[0.3]]), np.array([[5000.0]])), "heat_flux"),
        (lambda: BoundaryLayer(np.array([[np.nan]]), np.array([[0.3]]), np.array([[0.0]])), "NaN"),
    ]
    for make, word in cases:
        with pytest.raises(TransportError, match=word) as refused:
            make()
        assert str(refused.value).endswith(".")
