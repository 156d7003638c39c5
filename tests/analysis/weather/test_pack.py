"""Weather packs: what is written replays, and what does not replay, has gaps or is damaged is refused in a sentence."""

import json
import shutil

import numpy as np
import pytest

from analysis.grids import ecmwf_levels, uniform
from analysis.transport.fluxes import air_mass, closed, horizontal_convergence
from analysis.transport.step import State, Transport
from analysis.weather import Weather, WeatherProblem, synthetic_weather, write_pack
from analysis.weather.closing import Closure
from analysis.weather.pack import RawInterval
from analysis.weather.synthetic import fluxes_at

GRID, LEVELS = uniform("6x4"), ecmwf_levels(25)
START = np.datetime64("2019-03-01T00:00:00")


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    path = tmp_path_factory.mktemp("weather") / "pack"
    return synthetic_weather(path, GRID, LEVELS, START, START + np.timedelta64(2, "D"))


def still(grid, levels, count=3, pressure=98_000.0):
    nz, (ny, nx) = levels.count, grid.shape
    surface = np.full(grid.shape, pressure)
    x, y = np.zeros((nz, ny, nx), np.float32), np.zeros((nz, ny + 1, nx), np.float32)
    hours = np.timedelta64(6, "h")
    return surface, [RawInterval(START + number * hours, 21_600.0, x, y, surface) for number in range(count)]


def test_a_pack_says_what_it_is_and_replays(pack):
    assert len(pack) == 8
    assert pack.simulated and "simulated" in pack.source
    assert pack.attrs["replay_error"] < 1e-12
    assert abs(pack.attrs["dry_mass_drift"]) < 1e-13
    assert pack.grid.same(GRID)
    assert max(pack.check(number) for number in range(len(pack))) < 1e-12
    interval = pack.interval(3)
    assert interval.start == START + np.timedelta64(18, "h") and interval.seconds == 21_600
    before = air_mass(GRID, LEVELS, interval.surface_pressure)
    after = air_mass(GRID, LEVELS, pack.surface_pressure(4))
    np.testing.assert_allclose(interval.fluxes.replay(before, interval.seconds), after, rtol=1e-12)


def test_dry_mass_is_that_of_the_atmosphere(pack):
    assert pack.dry_mass_kg == pytest.approx(5.1352e18, rel=0.005)  # Trenberth and Smith 2005


def test_the_same_times_give_the_same_weather(pack, tmp_path):
    again = synthetic_weather(tmp_path / "again", GRID, LEVELS, START, START + np.timedelta64(2, "D"))
    for number in range(len(pack)):
        np.testing.assert_array_equal(again.interval(number).fluxes.x, pack.interval(number).fluxes.x)


def test_intervals_are_found_by_their_edges(pack):
    day = np.timedelta64(1, "D")
    assert list(pack.covering(START + day, START + 2 * day)) == [4, 5, 6, 7]
    for start, end in (
        (START - day, START),
        (START, START + np.timedelta64(3, "h")),
        (START, START),
        (START + day, START + 9 * day),
    ):
        with pytest.raises(WeatherProblem, match="begins and ends with its intervals"):
            pack.covering(start, end)
    with pytest.raises(WeatherProblem, match="number 8 is not one"):
        pack.interval(8)


def test_winds_of_the_synthetic_weather_are_those_of_the_earth():
    january, july = (fluxes_at(GRID, LEVELS, np.datetime64(f"2018-{month}-15")) for month in ("01", "07"))
    mass = LEVELS.layer_mass(np.array(98_325.0))
    metres = np.radians(GRID.lat_widths) * 6.371e6
    jets = [x.mean(axis=-1) / (mass[:, None] * metres) for x, _ in (january, july)]
    north, south = GRID.lat > 20, GRID.lat < -20
    assert 30 < jets[0][:, north].max() < 50 and 30 < jets[1][:, south].max() < 50, "winter jets"
    assert jets[0][:, north].max() > jets[1][:, north].max() + 10, "stronger in winter"
    equator = np.argmin(np.abs(GRID.lat_edges))
    low = slice(0, 8)
    across = [y[low, equator].sum() for _, y in (january, july)]
    assert across[0] < -5e10 and across[1] > 5e10, "the Hadley cell crosses the equator from summer to winter aloft"
    for x, y in (january, july):
        assert np.abs(horizontal_convergence(x, y).sum(axis=0)).max() < 1e-6 * np.abs(x).max(), "no column gains air"


@pytest.mark.parametrize("dtype, limit", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_uniform_tracers_stay_uniform_in_a_pack(pack, dtype, limit):
    transport = Transport(GRID, LEVELS)
    first = pack.interval(0)
    state = State.of(np.ones((*transport.shape, 2)), air_mass(GRID, LEVELS, first.surface_pressure), dtype)
    for number in range(len(pack)):
        interval = pack.interval(number)
        transport.step(state, interval.fluxes, interval.seconds)
    assert np.abs(state.mixing_ratio() - 1).max() < limit


def test_closure_mends_any_column():
    rng = np.random.default_rng(5)
    closure = Closure(GRID)
    wanted = rng.normal(size=GRID.shape) * GRID.area
    x, y = closure.correction(wanted)
    balanced = wanted - wanted.sum() * GRID.area / GRID.area.sum()
    np.testing.assert_allclose(horizontal_convergence(x, y), balanced, atol=1e-9 * np.abs(balanced).max())
    assert not y[0].any() and not y[-1].any()
    shape = (LEVELS.count, *GRID.shape)
    wild = rng.normal(scale=1e8, size=shape), rng.normal(scale=1e8, size=(shape[0], shape[1] + 1, shape[2]))
    wild[1][:, [0, -1]] = 0
    before = 98_000 + 500 * rng.normal(size=GRID.shape)
    after = before + 100 * rng.normal(size=GRID.shape)
    x32, y32, end, residual = closure.close(LEVELS, *wild, before, after, 21_600.0)
    shift = np.average(after - before, weights=GRID.area)
    np.testing.assert_allclose(end, after - shift, atol=0.05)
    assert residual > 1
    fluxes = closed(x32.astype(float), y32.astype(float), LEVELS)
    assert fluxes.replay_error(air_mass(GRID, LEVELS, before), air_mass(GRID, LEVELS, end), 21_600.0) < 1e-10
    assert air_mass(GRID, LEVELS, end).sum() == pytest.approx(air_mass(GRID, LEVELS, before).sum(), rel=1e-13)


def test_what_does_not_replay_is_not_written(tmp_path):
    surface, intervals = still(GRID, LEVELS)
    wrong = [*intervals[:1], RawInterval(intervals[1].start, 21_600.0, intervals[1].x, intervals[1].y, surface + 1.0)]
    with pytest.raises(WeatherProblem, match="miss the next air mass"):
        write_pack(tmp_path / "pack", GRID, LEVELS, surface, wrong, source="test", simulated=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda raw: raw[:0], "There is no weather"),
        (lambda raw: [raw[0], raw[2]], "The weather has a gap"),
        (lambda raw: [_with(raw[0], x=np.full_like(raw[0].x, np.nan))], "with NaN"),
        (lambda raw: [_with(raw[0], x=raw[0].x[:-1])], "x of shape"),
        (lambda raw: [_with(raw[0], seconds=0.0)], "is no weather"),
        (lambda raw: [_with(raw[0], fields={"rain": raw[0].pressure_end})], "'rain' is not a field"),
        (
            lambda raw: [_with(raw[0], fields={"friction_velocity": raw[0].pressure_end[:3]})],
            "friction_velocity .* has shape",
        ),
        (lambda raw: [_with(raw[0], fields={"friction_velocity": raw[0].pressure_end}), raw[1]], "lack fields"),
    ],
)
def test_bad_intervals_are_named_and_leave_nothing(tmp_path, change, message):
    surface, intervals = still(GRID, LEVELS)
    with pytest.raises(WeatherProblem, match=message):
        write_pack(tmp_path / "pack", GRID, LEVELS, surface, change(intervals), source="test", simulated=True)
    assert list(tmp_path.iterdir()) == []


def _with(raw, **changes):
    facts = {name: getattr(raw, name) for name in ("start", "seconds", "x", "y", "pressure_end", "residual", "fields")}
    return RawInterval(**facts | changes)


def test_surface_pressure_in_hpa_is_refused(tmp_path):
    _, intervals = still(GRID, LEVELS)
    from analysis.transport.errors import TransportError

    with pytest.raises(TransportError, match=r"40000\.\.110000 Pa"):
        write_pack(
            tmp_path / "pack", GRID, LEVELS, np.full(GRID.shape, 983.0), intervals, source="test", simulated=True
        )
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_pack_is_refused_when_it_is_opened(pack, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(pack.path, copy)
    chunk = copy / "x" / "c" / "0" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    chunk.write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(WeatherProblem, match=r"make the pack again|damaged"):
        Weather(copy)
    shutil.rmtree(copy)
    shutil.copytree(pack.path, copy)
    import zarr

    group = zarr.open_group(copy, mode="r+")
    group["surface_pressure"][1] = np.asarray(group["surface_pressure"][1]) + 0.5
    with pytest.raises(WeatherProblem, match="miss the next air mass by"):
        Weather(copy)


@pytest.mark.parametrize("make", ["nothing", "folder", "file", "store", "layout", "attributes"])
def test_what_is_no_pack_is_refused(pack, tmp_path, make):
    import zarr

    path = tmp_path / "it"
    if make == "folder":
        path.mkdir()
    elif make == "file":
        path.write_text("no pack")
    elif make == "store":
        zarr.open_group(path, mode="w")
    elif make in ("layout", "attributes"):
        shutil.copytree(pack.path, path)
        facts = json.loads((path / "zarr.json").read_text())
        if make == "layout":
            facts["attributes"]["layout"] = 99
        else:
            del facts["attributes"]["levels"]
        (path / "zarr.json").write_text(json.dumps(facts))
    with pytest.raises(WeatherProblem) as raised:
        Weather(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_a_pack_replaces_a_pack_but_nothing_else(pack, tmp_path):
    surface, intervals = still(GRID, LEVELS, count=1)
    other = tmp_path / "mine"
    other.mkdir()
    (other / "precious.txt").write_text("keep")
    with pytest.raises(WeatherProblem, match="something else"):
        write_pack(other, GRID, LEVELS, surface, intervals, source="test", simulated=True)
    assert (other / "precious.txt").read_text() == "keep"
    copy = tmp_path / "copy"
    shutil.copytree(pack.path, copy)
    assert len(write_pack(copy, GRID, LEVELS, surface, intervals, source="test", simulated=True)) == 1


@pytest.mark.parametrize("hours, end", [(0.2, "2019-03-02"), (7, "2019-03-02"), (6, "2019-02-01"), (6, "2019-03-01")])
def test_impossible_times_of_synthetic_weather(tmp_path, hours, end):
    with pytest.raises(WeatherProblem):
        synthetic_weather(tmp_path / "pack", GRID, LEVELS, START, np.datetime64(end), hours=hours)
    assert list(tmp_path.iterdir()) == []
