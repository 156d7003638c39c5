"""The simulated world: right in size, smooth, consistent between maps and points, and the same everywhere."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.world import ATTRS, World
from analysis.world.climate import global_mean, month_number, wind
from analysis.world.maps import _cover
from analysis.world.plumes import KG_PER_M2_PER_PPM, SECONDS_PER_YEAR, emission_factor, plumes, sources
from analysis.world.render import _plume_at, _plume_in_cell, draw_rows

COARSE = World(nlat=180, nlon=360)
LAT = np.arange(-89.5, 90.0)
WEIGHT = np.cos(np.deg2rad(LAT))[:, None] / np.cos(np.deg2rad(LAT)).sum() / 360.0


def month(text: str) -> np.datetime64:
    return np.datetime64(text, "M")


def year_of_maps(world: World, year: int) -> np.ndarray:
    return np.stack([world.xco2(month(f"{year}-01") + k) for k in range(12)])


@pytest.fixture(scope="module")
def maps_2018() -> np.ndarray:
    return year_of_maps(COARSE, 2018)


def test_annual_global_mean_follows_the_growth(maps_2018):
    assert (maps_2018.mean(axis=0) * WEIGHT).sum() == pytest.approx(float(global_mean(2018.5)), abs=0.4)
    assert float(global_mean(2015.5)) == pytest.approx(399.4)
    assert float(global_mean(2021.5)) == pytest.approx(414.2, abs=0.3)
    growth = np.diff(global_mean(np.arange(2015.0, 2022.1)))
    assert growth[:2].min() > growth[2], "El Niño years grow faster than the year after"
    assert growth.mean() == pytest.approx(2.46, abs=0.1)


def test_season_is_large_and_early_in_the_north_small_in_the_south(maps_2018):
    zonal = maps_2018.mean(axis=2)
    trend = 2.4 * np.arange(12) / 12
    cycle = zonal - trend[:, None]
    swing = np.ptp(cycle, axis=0)
    north, tropics, south = (
        swing[(LAT > 45) & (LAT < 65)].mean(),
        swing[np.abs(LAT) < 10].mean(),
        swing[(LAT < -30)].mean(),
    )
    assert 6.5 < north < 11.0 and 1.0 < tropics < 3.5 and south < 1.6
    at_55 = cycle[:, np.argmin(np.abs(LAT - 55))]
    assert at_55.argmax() in (3, 4) and at_55.argmin() in (6, 7, 8)


def test_north_has_more_than_south_and_industry_more_than_ocean(maps_2018):
    mean = maps_2018.mean(axis=0)
    assert 2.0 < mean[LAT > 30].mean() - mean[LAT < -30].mean() < 4.0
    china, pacific = mean[90 + 30 : 90 + 40, 180 + 110 : 180 + 120].mean(), mean[90 + 30 : 90 + 40, 0:40].mean()
    # 2.7 PgC a year over 3e6 km2 in a column that is blown across them at 10 m/s: half a ppm
    assert 0.3 < china - pacific < 2.0


def test_land_takes_up_in_summer():
    sea_minus_land = []
    for name in ("2018-02", "2018-07"):
        values = COARSE.xco2(month(name))
        siberia, pacific = (
            values[90 + 55 : 90 + 60, 180 + 90 : 180 + 130].mean(),
            values[90 + 55 : 90 + 60, 0:30].mean(),
        )
        sea_minus_land.append(pacific - siberia)
    winter, summer = sea_minus_land
    assert summer > 1.0 and summer - winter > 1.0 and abs(winter) < 0.6


def test_no_cliff_at_coasts_and_none_at_the_dateline():
    world = World(nlat=720, nlon=1440)
    values = world.xco2(month("2019-07")).astype(float)
    far = np.ones(values.shape, bool)
    for row in sources().itertuples():
        i, j = int((row.lat + 90) * 4), int((row.lon + 180) * 4)
        far[max(0, i - 3) : i + 4, np.arange(j - 3, j + 4) % 1440] = False
    across = np.abs(np.roll(values, -1, axis=1) - values)
    assert across[far].max() < 0.45, (
        "no step of more than half a ppm between quarter-degree neighbours away from sources"
    )
    assert across[:, -1].max() < 2.0 * across[:, 360].max() + 0.1


@pytest.mark.parametrize("name", ["2015-01", "2020-04", "2021-12"])
def test_codes_are_the_map_packed(name):
    values, codes = COARSE.xco2(month(name)), COARSE.codes(month(name), scale=0.01, offset=400.0)
    assert codes.dtype == np.int16
    np.testing.assert_allclose(400.0 + 0.01 * codes, values, atol=0.0051)


def test_threads_do_not_change_the_numbers():
    one = World(nlat=300, nlon=64, threads=1).xco2(month("2017-05"))
    np.testing.assert_array_equal(one, World(nlat=300, nlon=64, threads=3).xco2(month("2017-05")))


def test_deterministic_and_different_for_another_seed():
    codes = World(nlat=90, nlon=180).codes(month("2016-06"), scale=0.01, offset=400.0)
    again = World(nlat=90, nlon=180).codes(month("2016-06"), scale=0.01, offset=400.0)
    assert hashlib.sha256(codes.tobytes()).digest() == hashlib.sha256(again.tobytes()).digest()
    other = World(1, nlat=90, nlon=180).codes(month("2016-06"), scale=0.01, offset=400.0)
    assert 0.05 < (0.01 * (codes - other)).std() < 0.6


def test_weather_moves_from_month_to_month():
    lots = COARSE.xco2(month("2018-01")) - COARSE.xco2(month("2018-02"))
    here = lots[90 + 45 : 90 + 55] - lots[90 + 45 : 90 + 55].mean(axis=1, keepdims=True)
    assert 0.1 < here.std() < 1.0


@pytest.mark.parametrize("name", ["1999-12", "2036-01", "NaT"])
def test_months_outside_are_refused(name):
    with pytest.raises(ValueError, match="2000-01 to 2035-12"):
        COARSE.xco2(np.datetime64(name))
    assert month_number(month("2000-01")) == 0 and month_number(month("2035-12")) == 431


def test_too_small_a_map_is_refused():
    with pytest.raises(ValueError, match="at least 2 rows"):
        World(nlat=1, nlon=4)


def test_first_and_last_months_exist():
    world = World(nlat=18, nlon=36)
    for name in ("2000-01", "2035-12"):
        assert np.isfinite(world.xco2(month(name))).all()
        assert np.isfinite(world.sample(np.datetime64(name) + np.timedelta64(0, "D"), 10.0, 20.0))


# --------------------------------------------------------------------------- points


@settings(deadline=None, max_examples=25)
@given(lat=st.floats(-90.0, 90.0), lon=st.floats(-180.0, 180.0), turns=st.integers(-2, 2), day=st.integers(0, 2556))
def test_samples_are_finite_plausible_and_know_no_turns(lat, lon, turns, day):
    when = np.datetime64("2015-01-01") + day
    value = COARSE.sample(when, lat, lon)
    assert 388.0 < value < 430.0
    assert COARSE.sample(when, lat, lon + 360.0 * turns) == pytest.approx(value, abs=1e-6)


def test_samples_at_cell_centres_average_to_the_map():
    stamp = month("2018-07")
    world = World(nlat=180, nlon=360)
    values = world.xco2(stamp)
    random = np.random.default_rng(3)
    rows, columns = random.integers(5, 175, 60), random.integers(0, 360, 60)
    lat, lon = rows - 89.5, columns - 179.5
    near = np.array(
        [
            np.min(np.maximum(np.abs(sources()["lat"] - a), np.abs(sources()["lon"] - b)))
            for a, b in zip(lat, lon, strict=True)
        ]
    )
    start, length = stamp.astype("datetime64[ns]"), np.timedelta64(31, "D").astype("timedelta64[ns]")
    times = start + (np.arange(200) + 0.5) / 200 * length
    mean = world.sample(times[:, None], lat[None], lon[None]).mean(axis=0)
    far = near > 5.0
    assert far.sum() > 30
    np.testing.assert_allclose(mean[far], values[rows, columns][far], atol=2e-3)


def test_samples_are_continuous_over_the_end_of_a_month():
    edge = np.datetime64("2019-08-01T00:00:00", "ns")
    lat, lon = np.linspace(-80, 80, 33), np.linspace(-180, 170, 33)
    second = np.timedelta64(1, "s")
    np.testing.assert_allclose(COARSE.sample(edge - second, lat, lon), COARSE.sample(edge, lat, lon), atol=1e-3)


def test_samples_vary_within_the_month_but_little():
    days = np.datetime64("2019-03-01") + np.arange(31)
    spread = COARSE.sample(days[:, None], np.array([[45.0, 0.0, -45.0]]), 30.0).std(axis=0)
    assert (spread > 0.05).all() and (spread < 1.5).all()


def test_sampling_many_points_keeps_their_shape():
    out = COARSE.sample(np.datetime64("2020-01-15"), np.zeros((3, 1)), np.arange(4.0))
    assert out.shape == (3, 4)
    assert COARSE.sample(np.array([], "datetime64[ns]"), [], []).shape == (0,)


# --------------------------------------------------------------------------- sources


def enhancement(megatonnes: float, cell: float) -> float:
    """Mean ppm over one cell centred on a source of that size at 5 m/s wind without direction."""
    strength = megatonnes * 1e9 / SECONDS_PER_YEAR / (2 * np.pi * 5.0 * KG_PER_M2_PER_PPM) / 1000.0
    source = np.array([0.0, 0.0, strength, 0.5, 0.0, 0.0, 1.0])
    points = 5
    offsets = ((np.arange(points) + 0.5) / points - 0.5) * cell
    return float(
        np.mean([_plume_in_cell(source, a, b, cell / points, cell / points) for a in offsets for b in offsets])
    )


@pytest.mark.parametrize(
    ("megatonnes", "cell", "ppm"), [(20, 0.05, 0.73), (35, 0.05, 1.27), (20, 0.25, 0.15), (20, 1.0, 0.04)]
)
def test_plumes_have_the_size_of_the_mass_balance(megatonnes, cell, ppm):
    assert enhancement(megatonnes, cell) == pytest.approx(ppm, rel=0.15)


def test_a_large_plant_shows_in_a_fine_map():
    """One row of the 0.05° map through Bełchatów, with all sources and with none."""
    number = month_number(month("2018-01"))
    background, contrast, table = World()._layers(number)
    plant = sources().query("name == 'Bełchatów'").iloc[0]
    row, column = int((plant.lat + 90) * 20), int((plant.lon + 180) * 20)
    with_sources, without = np.empty((1, 7200), np.float32), np.empty((1, 7200), np.float32)
    draw_rows(background, contrast, _cover(), table, 3600, row, with_sources)
    draw_rows(background, contrast, _cover(), np.zeros((0, 7)), 3600, row, without)
    extra = (with_sources - without)[0]
    assert 0.3 < extra[column] < 1.5 and abs(extra[column - 40 : column + 40].argmax() - 40) <= 1
    assert extra[0] == 0.0


def test_downwind_has_more_than_upwind():
    table = plumes(month_number(month("2018-01")))
    index = int(sources().index[sources()["name"] == "Bełchatów"][0])
    lat, lon, *_ = table[index]
    east, _ = wind(0.5, np.array([lat]), np.array([lon]))
    assert east[0] > 0.0, "westerlies over Poland"
    assert _plume_at(table[index], lat, lon + 0.5) > 2.0 * _plume_at(table[index], lat, lon - 0.5)


def test_plumes_cross_the_dateline():
    source = np.array([0.0, 179.9, 1.0, 1.0, 0.0, 0.0, 1.0])
    assert _plume_at(source, 0.0, -179.9) == pytest.approx(_plume_at(source, 0.0, 179.7))


def test_sources_are_named_and_their_emissions_move():
    table = sources()
    assert 130 <= len(table) <= 220 and set(table["kind"]) == {"city", "power plant"}
    assert table["lat"].is_monotonic_increasing
    spring_2019, spring_2020 = (
        emission_factor(month_number(month(name)), np.array([45.0])) for name in ("2019-04", "2020-04")
    )
    assert spring_2020 < spring_2019 * 0.95
    january, july = (emission_factor(month_number(month(name)), np.array([45.0])) for name in ("2018-01", "2018-07"))
    assert january > july


# --------------------------------------------------------------------------- uncertainty and labels


def test_uncertainty_grows_in_polar_night_and_under_clouds():
    january, july = COARSE.xco2_std(month("2018-01")), COARSE.xco2_std(month("2018-07"))
    assert january.min() > 0.3 and january.max() < 3.5
    assert january[LAT > 65].mean() > 2.0 * january[np.abs(LAT - 22) < 5].mean()
    assert july[LAT < -65].mean() > 1.5 * january[LAT < -65].mean()
    assert january[90 - 4, 180 - 62] > january[90 + 23, 180 + 10] + 0.3


def test_everything_is_labelled_simulated():
    assert COARSE.attrs["simulated"] == 1 and COARSE.attrs["title"].startswith("Simulated")
    assert "simulated" in repr(COARSE) and "no observation" in ATTRS["source"]
    with pytest.raises(ValueError, match="xco2 and xco2_std"):
        COARSE.codes(month("2018-01"), scale=1.0, offset=0.0, quantity="ch4")  # type: ignore[arg-type]


def test_grid_matches_the_maps():
    grid = COARSE.grid
    assert (grid.nlat, grid.nlon) == COARSE.xco2(month("2018-01")).shape and grid.wraps
    assert grid.lat[0] == pytest.approx(-89.5) and grid.lon[0] == pytest.approx(-179.5)
