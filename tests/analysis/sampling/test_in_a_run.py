"""Samples taken while the model runs agree with what is cut out of whole states afterwards."""

import numpy as np
import pytest

from analysis.grids import ecmwf_levels, uniform
from analysis.sampling import ColumnSamples, PointSamples
from analysis.simulation.model import Model
from analysis.transport.boundary_layer import layer_heights
from analysis.transport.team import Team
from analysis.weather import Weather, synthetic_weather
from tests.analysis.sampling.atmospheres import column, kept, point

GRID, LEVELS = uniform("30x20"), ecmwf_levels(25)
START = np.datetime64("2015-01-31")


class Whole:
    """Keeps every state."""

    def __init__(self) -> None:
        self.times, self.states, self.air = [], [], []

    def take(self, snapshot) -> None:
        self.times.append(snapshot.time)
        self.states.append(snapshot.state.mixing_ratio())
        self.air.append(snapshot.state.air_mass.copy())

    def at(self, time: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """States and air on both sides of a moment, by their shares."""
        after = int(np.searchsorted(np.array(self.times), time, side="left"))
        after = max(after, 1)
        before, step = self.times[after - 1], self.times[after] - self.times[after - 1]
        part = float((time - before) / step)
        return np.array([after - 1, after]), np.array([1 - part, part])


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    path = tmp_path_factory.mktemp("weather") / "pack"
    synthetic_weather(path, GRID, LEVELS, START, START + np.timedelta64(1, "D"), hours=6)
    weather = Weather(path)
    random = np.random.default_rng(4)
    hours = np.sort(random.uniform(0, 24, 25))
    lat, lon = random.uniform(-90, 90, 25), random.uniform(-180, 180, 25)
    weight = random.uniform(0.1, 1, (25, 20))
    weight /= weight.sum(axis=1, keepdims=True)
    soundings = column(weight, np.ones((25, 20)), np.full((25, 20), 400.0), hours=hours, lat=lat, lon=lon)
    stations = point(hours=hours, lat=lat, lon=lon, height=0.0)
    whole, columns, points = Whole(), ColumnSamples(soundings), PointSamples(stations)
    with Team(1) as team:
        model = Model(GRID, LEVELS, team=team, dtype=np.float64)
        first = weather.interval(0)
        state = model.state(random.uniform(0, 10, (25, *GRID.shape, 2)), first.surface_pressure)
        for sampler in (whole, columns, points):
            sampler.take(model.snapshot(first.start, state))
        for number in range(len(weather)):
            model.advance(state, weather.interval(number), samplers=(whole, columns, points))  # type: ignore[arg-type]
    return whole, columns, points


def test_columns_with_a_kernel_of_one_are_the_models_columns(ran):
    whole, columns, _ = ran
    rows, cols = GRID.locate(columns.requests.lat, columns.requests.lon)
    values = kept(columns)
    assert len(values) == 25
    for number, time in enumerate(columns.requests.begin):
        expected = 0.0
        for at, part in zip(*whole.at(time), strict=True):
            air = whole.air[at][:, rows[number], cols[number]]
            expected += part * (whole.states[at][:, rows[number], cols[number]] * air[:, None]).sum(axis=0) / air.sum()
        assert values[number, :2] == pytest.approx(expected, abs=1e-5)
    assert values[:, 0].std() > 0.05


def test_stations_at_the_ground_are_the_lowest_layer(ran):
    whole, _, points = ran
    assert layer_heights(LEVELS, np.array(95_000.0))[1][0] > 0
    rows, cols = GRID.locate(points.requests.lat, points.requests.lon)
    values = kept(points)
    for number, time in enumerate(points.requests.begin):
        at, part = whole.at(time)
        expected = sum(p * whole.states[k][0, rows[number], cols[number]] for k, p in zip(at, part, strict=True))
        assert values[number, :2] == pytest.approx(expected, abs=1e-9)
    assert (values[:, 3] == 1).all()
