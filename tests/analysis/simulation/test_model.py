"""The parts of the model together: what goes in is what is there afterwards, and whoever looks sees every step."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.grids import Box, refined
from analysis.simulation.model import Column, Model, day_and_hour, land_share
from analysis.simulation.sampler import Snapshot
from analysis.simulation.sources import Ledger, carbon_pg
from analysis.simulation.weather import MadeUpWeather, ahead
from analysis.transport.boundary_layer import exchange, typical
from analysis.transport.errors import TransportError
from analysis.transport.sources import SurfaceSources
from analysis.weather import WeatherProblem
from tests.analysis.simulation.small_runs import END, GRID, LEVELS, START, pack

ACROSS = refined(Box(150, -170, -20, 20), 10.0, (30.0, 20.0))


class Watching:
    """Keeps the times that it is shown."""

    def __init__(self) -> None:
        self.times: list[np.datetime64] = []
        self.air: list[float] = []

    def take(self, snapshot: Snapshot) -> None:
        self.times.append(snapshot.time)
        self.air.append(float((snapshot.surface_pressure * snapshot.grid.area).sum()))


@pytest.mark.parametrize("grid", [GRID, ACROSS], ids=["uniform", "refined across the date line"])
@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 1e-11), (np.float32, 1e-4)])
def test_uniform_stays_uniform_through_winds_and_mixing(grid, dtype, limit):
    weather = MadeUpWeather(grid, LEVELS, START, END)
    with (model := Model(grid, LEVELS, dtype=dtype)).team:
        first = weather.interval(0)
        state = model.state(np.array([10.0, -3.0]), first.surface_pressure)
        for interval in ahead(weather, weather.covering(START, START + np.timedelta64(1, "D"))):
            model.advance(state, interval)
        assert np.abs(state.mixing_ratio() - [10.0, -3.0]).max() < limit


def test_what_is_emitted_is_what_is_there(tmp_path):
    weather = pack(tmp_path / "pack")
    flux = np.zeros((2, *GRID.shape))
    flux[0, 6] = 1e-7
    flux[1] = -2e-8

    def sources(moment: np.datetime64, seconds: float) -> list[SurfaceSources]:
        return [SurfaceSources(GRID, flux, [2, 0])]

    with (model := Model(GRID, LEVELS, dtype=np.float64)).team:
        state = model.state(np.array([0.0, 1.0, 2.0]), weather.surface_pressure(0))
        before, ledger = state.total(), Ledger(sources, 3)
        for number in weather.covering(START, END):
            model.advance(state, weather.interval(number), ledger)
    seconds = 3 * 86_400.0
    pg = np.array([(flux[1] * GRID.area).sum(), 0.0, (flux[0] * GRID.area).sum()]) * seconds * 12.011e-15
    assert carbon_pg(ledger.emitted) == pytest.approx(pg, rel=1e-12)
    assert state.total() - before == pytest.approx(ledger.emitted, abs=1e-9 * np.abs(ledger.emitted).max())
    lifted = state.mixing_ratio()[3, ..., 2].max()
    assert lifted > 2.001  # mixing has taken some of it up


def test_samplers_are_shown_the_end_of_every_step():
    weather = MadeUpWeather(GRID, LEVELS, START, END)
    with (model := Model(GRID, LEVELS)).team:
        interval = weather.interval(3)
        state, watching = model.state(np.zeros(1), interval.surface_pressure), Watching()
        steps = model.advance(state, interval, samplers=[watching], longest=1000.0)
    assert steps == 22 == len(watching.times)  # six hours in steps of at most 1000 s
    assert watching.times[-1] == interval.start + np.timedelta64(6, "h")
    assert (np.diff(watching.times) > np.timedelta64(980, "s")).all()
    assert watching.air == pytest.approx([watching.air[0]] * 22, rel=1e-12)


def test_a_state_of_other_air_is_refused(tmp_path):
    weather = MadeUpWeather(GRID, LEVELS, START, END)
    with (model := Model(GRID, LEVELS)).team:
        state = model.state(np.zeros(1), weather.interval(0).surface_pressure + 10.0)
        before = state.air_mass.copy()
        with pytest.raises(TransportError, match="differs from that of the weather at 2022-01-30"):
            model.advance(state, weather.interval(0))
        assert (state.air_mass == before).all()


def test_weather_without_a_pack_is_that_of_a_pack(tmp_path):
    made, kept = MadeUpWeather(GRID, LEVELS, START, END), pack(tmp_path / "pack")
    assert (made.time_edges == kept.time_edges).all()
    for number in (0, 5):
        scale = np.abs(kept.interval(number).fluxes.x).max()
        assert np.abs(made.interval(number).fluxes.x - kept.interval(number).fluxes.x).max() < 1e-6 * scale
    assert max(made.check(number) for number in range(len(made))) < 1e-12
    with pytest.raises(WeatherProblem, match="has no 2022-01-30 to 2022-03-01"):
        made.covering(START, np.datetime64("2022-03-01"))


def test_exchange_is_that_of_the_boundary_layer():
    pressure = np.linspace(60_000, 101_000, GRID.shape[0] * GRID.shape[1]).reshape(GRID.shape)
    for hour in (0.0, 6.5, 15.0):
        layer = typical(GRID, land_share(GRID), 180.0, hour)
        expected = exchange(GRID, LEVELS, pressure, layer)
        assert np.allclose(Column.of(GRID, LEVELS, pressure).exchange(layer), expected, rtol=1e-12)


def test_days_and_hours_and_land():
    assert day_and_hour(np.datetime64("2020-12-31T18:00:00")) == (366.0, 18.0)
    share = land_share(GRID)
    assert 0.25 < np.average(share, weights=GRID.area) < 0.33
    pacific, sahara = share[GRID.locate(np.array([0.0, 20.0]), np.array([-135.0, 15.0]))]
    assert pacific == 0.0 and sahara > 0.8


def test_only_known_precisions():
    with pytest.raises(TransportError, match="float32 or float64"):
        Model(GRID, LEVELS, dtype=np.float16)
