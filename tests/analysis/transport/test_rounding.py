"""Dithered rounding: even in space and time, and nothing but the air decides on it."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.grids import ecmwf_levels, uniform
from analysis.transport.fluxes import air_mass
from analysis.transport.rounding import IN_TIME, dither, first_turn
from analysis.transport.step import State, Transport
from analysis.transport.team import Team
from tests.analysis.transport.known_flows import weather

EPS = np.finfo(np.float32).eps


def test_dither_is_half_a_unit_either_way_and_even_in_space_and_time() -> None:
    series = np.array([dither(25, number * IN_TIME, np.dtype(np.float32)) for number in range(200)]) / EPS
    assert series.min() >= -0.5 and series.max() <= 0.5
    np.testing.assert_allclose(np.quantile(series, [0.1, 0.5, 0.9]), [-0.4, 0.0, 0.4], atol=0.01)
    # a hundred draws would leave means of 0.03
    assert np.abs(series[:, :25].mean(axis=1)).max() < 0.1
    assert np.abs(series.mean(axis=0)).max() < 0.01
    assert not dither(25, 0.3, np.dtype(np.float64)).any()


def test_adding_a_third_of_a_unit_many_times_arrives() -> None:
    """Rounding to the nearest would not move at all."""
    value, step = np.float32(1.0), np.float32(0.3 * EPS)
    for number in range(1000):
        value = value + (step + value * dither(1, number * IN_TIME, np.dtype(np.float32))[0])
    assert value.dtype == np.float32
    assert float(value) - 1 == pytest.approx(300 * EPS, rel=0.02)


def test_a_state_goes_on_from_its_arrays_alone() -> None:
    grid, levels = uniform("12x10"), ecmwf_levels(25)
    winds = [weather(grid, levels, hour) for hour in (1.5, 4.5)]
    start = air_mass(grid, levels, np.full(grid.shape, 98_000.0))
    field = np.random.default_rng(0).normal(size=(*start.shape, 2))
    with Team(2) as team:
        transport = Transport(grid, levels, team=team)
        through = State.of(field, start)
        transport.step(through, winds[0], 10_800.0)
        stopped = State(through.tracer_mass.copy(), through.air_mass.copy())
        transport.step(through, winds[1], 10_800.0)
        transport.step(stopped, winds[1], 10_800.0)
    assert np.array_equal(through.tracer_mass, stopped.tracer_mass)
    turns = {first_turn(air, wind.x) for air in (start, through.air_mass) for wind in winds}
    assert len(turns) == 4 and all(0 <= turn < 1 for turn in turns)
