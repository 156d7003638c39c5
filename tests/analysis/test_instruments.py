"""Simulated instruments: geometry and errors like the real ones', files in the real layouts that our readers read back."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from analysis.instruments import observe_day, observe_site, write_lite, write_tccon
from analysis.instruments.lite_file import file_name
from analysis.instruments.oco2 import FOOTPRINT_BIAS_LAND, REMAINING_BIAS, Soundings, sounding_ids
from analysis.instruments.orbit import PERIOD_S, day_track, offset
from analysis.instruments.retrieval import LEVELS, make_profiles, smoothed, weights
from analysis.instruments.scale import x2007_from_x2019
from analysis.instruments.sun import sun_angles
from analysis.instruments.walk import ornstein_uhlenbeck
from analysis.world import World
from data.readers import read

DAY = np.datetime64("2019-07-05")
WORLD = World(nlat=18, nlon=36)


@pytest.fixture(scope="module")
def day() -> Soundings:
    return observe_day(WORLD, DAY)


@pytest.fixture(scope="module")
def lite(tmp_path_factory) -> Path:
    return write_lite(tmp_path_factory.mktemp("lite"), DAY, WORLD, every=24)


# --------------------------------------------------------------------------- orbit and sun


def test_orbit_repeats_after_sixteen_days_and_crosses_at_noon_and_a_half():
    one, later = day_track(DAY), day_track(DAY + 16)
    np.testing.assert_allclose(one.lat, later.lat, atol=1e-6)
    np.testing.assert_allclose(np.exp(1j * np.deg2rad(one.lon)), np.exp(1j * np.deg2rad(later.lon)), atol=1e-6)
    np.testing.assert_array_equal(one.path, later.path)
    assert (later.orbit - one.orbit == 233).all() and abs(PERIOD_S / 60 - 98.88) < 0.01
    near = np.abs(one.lat) < 0.05
    hours = (one.time - one.time.astype("datetime64[D]")) / np.timedelta64(1, "h") + one.lon / 15
    np.testing.assert_allclose(hours[near] % 24, 13.6, atol=0.02)


def test_orbit_covers_the_latitudes_and_moves_as_fast_as_the_real_one():
    track = day_track(np.datetime64("2015-01-30"))
    assert track.orbit.max() == 3098 and len(np.unique(track.orbit)) in (15, 16)
    assert track.lat.max() == pytest.approx(81.8, abs=0.1) and track.lat.min() == pytest.approx(-81.8, abs=0.1)
    same = np.flatnonzero(np.diff(track.orbit) == 0)[1000:5000]
    north = np.diff(track.lat)[same] * 111.195
    east = ((np.diff(track.lon)[same] + 180) % 360 - 180) * 111.195 * np.cos(np.deg2rad(track.lat[same]))
    speed = np.hypot(north, east) * 3
    assert speed.min() > 6.4 and speed.max() < 7.1, "km/s; 2.25 km a frame"
    course = np.rad2deg(np.arctan2(east, north))
    np.testing.assert_allclose(course, track.heading[same], atol=1.0)


@pytest.mark.parametrize(
    ("when", "lat", "lon", "zenith", "azimuth"),
    [
        ("2020-06-21T12:02", 51.48, 0.0, 28.04, 180.0),  # noon at Greenwich at midsummer: 51.48 - 23.44
        ("2020-12-21T11:58", -23.44, 0.0, 0.0, None),  # overhead on the southern tropic
        ("2020-03-20T06:07", 0.0, 0.0, 90.0, 90.0),  # sunrise in the east at the equinox
    ],
)
def test_sun(when, lat, lon, zenith, azimuth):
    at, direction = sun_angles(np.array([when], "datetime64[ns]"), np.array([lat]), np.array([lon]))
    assert at[0] == pytest.approx(zenith, abs=0.3)
    assert azimuth is None or direction[0] == pytest.approx(azimuth, abs=1.5)


def test_offset_is_to_the_right_of_the_flight():
    lat, lon = offset(np.array([60.0]), np.array([179.99]), np.array([0.0]), np.array([0.0]), np.array([11.1195]))
    assert lat[0] == pytest.approx(60.0) and lon[0] == pytest.approx(179.99 + 0.2 - 360.0, abs=1e-6)
    lat, lon = offset(np.array([0.0]), np.array([0.0]), np.array([90.0]), np.array([11.1195]), np.array([0.0]))
    assert lon[0] == pytest.approx(0.1) and lat[0] == pytest.approx(0.0, abs=1e-9)


# --------------------------------------------------------------------------- soundings


def test_a_day_has_as_many_soundings_as_a_real_one(day):
    assert 110_000 < len(day) < 220_000 and 60_000 < (~day.bad).sum() < 130_000
    assert (np.diff(day.time.astype(np.int64)) >= 0).all()
    assert (day.time.astype("datetime64[D]") == DAY).all()
    assert len(np.unique(day.sounding_id)) == len(day)
    assert set(np.unique(day.footprint)) == set(range(1, 9))
    assert day.sun_zenith.max() <= 80.0 and np.abs(day.lat).max() < 82.0 and np.abs(day.lon).max() <= 180.0


def test_sea_is_seen_in_glint_only(day):
    sea = ~day.land
    assert 0.2 < sea.mean() < 0.8
    assert (day.mode[sea & (day.mode == 0)].size / sea.sum()) < 0.05  # coasts alone
    assert 0.1 < (day.mode == 0).mean() < 0.6


def test_swath_is_ten_kilometres_wide(day):
    _, first = np.unique(day.time, return_index=True)
    first = first[:-1]
    whole = first[
        (day.footprint[first] == 1) & (np.diff(np.append(first, len(day))) == 8) & (np.abs(day.lat[first]) < 60)
    ]
    north = (day.lat[whole + 7] - day.lat[whole]) * 111.195
    east = ((day.lon[whole + 7] - day.lon[whole] + 180) % 360 - 180) * 111.195 * np.cos(np.deg2rad(day.lat[whole]))
    np.testing.assert_allclose(np.hypot(north, east), 7 * 1.29, rtol=0.01)


def test_errors_of_good_soundings_are_small_and_shared_by_neighbours(day):
    error = day.xco2 - day.truth
    good = ~day.bad
    assert abs(error[good].mean()) < 0.1 and 0.4 < error[good].std() < 0.9
    assert error[day.bad].std() > 2.0 * error[good].std()
    land = good & day.land
    _, frame = np.unique(day.time[land], return_inverse=True)
    sums, counts = np.bincount(frame, error[land]), np.bincount(frame)
    full = counts >= 4
    frame_spread = (sums[full] / counts[full]).std()
    assert frame_spread > 1.5 * error[land].std() / np.sqrt(counts[full].mean()), (
        "means of a frame do not shrink like independent noise"
    )


def test_footprint_biases_are_in_the_raw_column_and_remain_in_part(day):
    good = ~day.bad & day.land
    raw = np.array([(day.xco2_raw - day.xco2)[good & (day.footprint == number)].mean() for number in range(1, 9)])
    expected = (1 - REMAINING_BIAS) * np.array(FOOTPRINT_BIAS_LAND)
    np.testing.assert_allclose(raw - raw.mean(), expected - expected.mean(), atol=0.03)


def test_a_day_is_always_the_same_and_another_day_is_not():
    one, again = observe_day(WORLD, DAY, every=48), observe_day(WORLD, DAY, every=48)
    np.testing.assert_array_equal(one.xco2, again.xco2)
    other = observe_day(WORLD, DAY + 1, every=48)
    assert len(other) != len(one) or not np.array_equal(other.lat, one.lat)
    assert set(one.columns()) >= {"time", "lat", "lon", "xco2", "truth"} and len(one.columns()["lat"]) == len(one)


def test_days_outside_the_world_are_refused():
    with pytest.raises(ValueError, match="2000-01 to 2035-12"):
        observe_day(WORLD, np.datetime64("2036-01-01"), every=48)


def test_sounding_id():
    ids = sounding_ids(
        np.array(["2019-07-05T01:02:03.667", "2014-12-31T23:59:59.999"], "datetime64[ns]"), np.array([8, 1])
    )
    assert ids.tolist() == [2019070501020368, 2014123123595991] and ids.dtype == np.uint64


# --------------------------------------------------------------------------- retrieval


def test_weights_sum_to_one_and_kernels_are_near_one_below():
    lat = np.linspace(-70, 70, 9)
    profiles = make_profiles(np.full(9, DAY, "datetime64[ns]"), lat, np.full(9, 1000.0), np.full(9, 40.0), lat > 0)
    assert weights().sum() == pytest.approx(1.0) and profiles.weight.shape == (9, LEVELS)
    assert (profiles.kernel[:, -8:] > 0.9).all() and (profiles.kernel[:, -8:] < 1.1).all()
    assert (profiles.kernel[:, 0] < 0.5).all()
    assert (np.diff(profiles.pressure, axis=1) > 0).all(), "space to surface"
    assert (profiles.prior > 380).all() and (profiles.prior < 430).all()


def test_a_perfect_prior_is_not_changed_and_a_surplus_is_seen_almost_whole():
    profiles = make_profiles(
        np.array([DAY], "datetime64[ns]"), np.array([40.0]), np.array([1000.0]), np.array([30.0]), np.array([True])
    )
    prior = float((profiles.prior[0].astype(float) * profiles.weight[0]).sum())
    assert smoothed(np.array([prior]), profiles)[0] == pytest.approx(prior, abs=1e-3)
    assert smoothed(np.array([prior + 2.0]), profiles)[0] - prior == pytest.approx(2.0, rel=0.05)


def test_scales():
    assert x2007_from_x2019(np.array([400.0]))[0] == pytest.approx(399.826, abs=1e-3)


def test_walk_has_variance_one_and_its_correlation():
    keep = np.full(200_000, 0.9)
    values = ornstein_uhlenbeck(keep, np.random.default_rng(1).standard_normal(keep.size))
    assert values.std() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(values[:-1], values[1:])[0, 1] == pytest.approx(0.9, abs=0.01)
    assert ornstein_uhlenbeck(np.empty(0), np.empty(0)).size == 0


# --------------------------------------------------------------------------- Lite file

ROOT = {
    "xco2_apriori", "vertex_latitude", "file_index", "vertices", "xco2_qf_simple_bitflag", "vertex_longitude", "pressure_levels",
    "xco2", "source_files", "time", "pressure_weight", "solar_zenith_angle", "longitude", "xco2_x2019", "xco2_qf_bitflag", "latitude",
    "sensor_zenith_angle", "levels", "xco2_quality_flag", "sounding_id", "xco2_averaging_kernel", "bands", "date", "xco2_uncertainty",
    "co2_profile_apriori", "epoch_dimension",
}  # fmt: skip
RETRIEVAL = {
    "xco2_raw", "psurf", "psurf_apriori", "dp", "dpfrac", "dp_sco2", "windspeed", "windspeed_apriori", "t700", "fs",
    "tcwv", "tcwv_uncertainty", "tcwv_apriori", "s31", "s32", "co2_grad_del", "dws", "logDWS", "offset_o2a_rel",
    "aod_dust", "aod_bc", "aod_oc", "aod_seasalt", "aod_sulfate", "aod_strataer", "aod_water", "aod_ice",
    "aod_fine", "aod_total", "ice_height", "water_height", "dust_height", "h2o_scale", "deltaT", "albedo_o2a",
    "albedo_wco2", "albedo_sco2", "albedo_slope_o2a", "albedo_slope_wco2", "albedo_slope_sco2", "rms_rel_o2a",
    "rms_rel_wco2", "rms_rel_sco2", "surface_type", "snow_flag", "SigmaB", "diverging_steps", "iterations",
}  # fmt: skip
SOUNDING = {
    "altitude", "footprint", "land_fraction", "land_water_indicator", "operation_mode", "orbit", "path", "airmass",
    "glint_angle", "sensor_azimuth_angle", "solar_azimuth_angle", "snr_o2a", "snr_wco2", "snr_sco2", "l1b_type",
}  # fmt: skip


def test_lite_file_has_the_real_names_groups_and_types(lite):
    assert lite.name == file_name(DAY) == "oco2_LtCO2_190705_B11210Ar_000000000000s.nc4"
    with netCDF4.Dataset(lite) as file:
        assert set(file.variables) == ROOT
        assert set(file.groups) == {"Retrieval", "Sounding", "Preprocessors", "Meteorology", "Auxiliary"}
        assert set(file["Retrieval"].variables) >= RETRIEVAL and set(file["Sounding"].variables) >= SOUNDING
        assert {"co2_ratio", "h2o_ratio", "dp_abp"} <= set(file["Preprocessors"].variables)
        assert {"windspeed_u_met", "psurf_apriori_o2a", "psurf_apriori_wco2"} <= set(file["Meteorology"].variables)
        kinds = {
            name: file[name].dtype.str[1:]
            for name in ("time", "xco2", "xco2_quality_flag", "xco2_qf_bitflag", "date", "sounding_id")
        }
        assert kinds == {
            "time": "f8",
            "xco2": "f4",
            "xco2_quality_flag": "i1",
            "xco2_qf_bitflag": "u8",
            "date": "i2",
            "sounding_id": "u8",
        }
        assert (
            file["xco2_averaging_kernel"].dimensions == ("sounding_id", "levels")
            and file.dimensions["levels"].size == 20
        )
        assert file["vertex_latitude"].shape[1] == 4 and file["date"].shape[1] == 7
        assert file["xco2"]._FillValue == np.float32(-999999.0)
        assert file.simulated == 1 and file.title.startswith("Simulated") and "no observation" in file.source


def test_lite_file_is_like_the_real_subset(lite, real):
    """Types, units and dimensions of every variable that a real file of NASA has too."""
    sample = sorted((real / "satellite" / "oco2_lite_v10_ohio").glob("*.nc4"))[0]
    with netCDF4.Dataset(sample) as theirs, netCDF4.Dataset(lite) as ours:
        shared = set(theirs.variables) & set(ours.variables)
        assert shared >= {
            "sounding_id",
            "time",
            "date",
            "latitude",
            "longitude",
            "xco2",
            "xco2_uncertainty",
            "co2_profile_apriori",
        }
        for name in shared - {"levels", "epoch_dimension"}:
            assert ours[name].dtype == theirs[name].dtype, name
            assert ours[name].dimensions == theirs[name].dimensions, name
            assert ours[name].units == theirs[name].units, name


def test_lite_file_is_consistent(lite):
    with xr.open_dataset(lite, decode_times=False) as file:
        date = file["date"].to_numpy()
        stamp = np.datetime64("1970-01-01") + np.round(file["time"].to_numpy() * 1000).astype("timedelta64[ms]")
        assert (date[:, 0] == 2019).all() and (date[:, 5] == stamp.astype("datetime64[s]").astype(np.int64) % 60).all()
        corners = file["vertex_latitude"].to_numpy()
        assert (corners.min(axis=1) < file["latitude"].to_numpy()).all() and (
            corners.max(axis=1) > file["latitude"].to_numpy()
        ).all()
        prior = (file["co2_profile_apriori"] * file["pressure_weight"]).sum("levels")
        np.testing.assert_allclose(prior, file["xco2_apriori"], atol=0.02)
        assert 0.1 < float((file["xco2_x2019"] - file["xco2"]).mean()) < 0.25


def test_lite_file_reads_back(lite):
    product = read(lite)
    soundings = observe_day(WORLD, DAY, every=24)
    assert product.kind == "soundings" and product.count == len(soundings) and product.reader.startswith("oco")
    data = product.dataset
    assert data.attrs["simulated"] == 1 and "simulated" in data.attrs["instrument"].lower()
    assert {"averaging_kernel", "pressure_weight", "co2_prior", "pressure", "mode", "surface_type", "footprint"} <= set(
        data
    )
    np.testing.assert_array_equal(data["sounding_id"], soundings.sounding_id.astype(np.int64))
    np.testing.assert_array_equal(data["quality_flag"], soundings.bad)
    np.testing.assert_allclose(data["lat"], soundings.lat, atol=1e-4)
    np.testing.assert_allclose(data["xco2_x2019"], soundings.xco2, atol=1e-3)
    np.testing.assert_allclose(data["averaging_kernel"], soundings.profiles.kernel, atol=1e-6)
    np.testing.assert_array_equal(data["mode"], soundings.mode)
    np.testing.assert_array_equal(data["surface_type"], soundings.land)
    assert (np.abs(data["time"].to_numpy() - soundings.time) < np.timedelta64(1, "ms")).all()


def test_a_day_without_soundings_writes_nothing(tmp_path):
    one_frame = 10**6
    dark = next(DAY + shift for shift in range(60) if not len(observe_day(WORLD, DAY + shift, every=one_frame)))
    with pytest.raises(ValueError, match="no sounding"):
        write_lite(tmp_path, dark, WORLD, every=one_frame)
    assert not any(tmp_path.iterdir())


# --------------------------------------------------------------------------- TCCON


@pytest.fixture(scope="module")
def lamont():
    return observe_site(WORLD, "oc", np.datetime64("2018-01-01"), np.datetime64("2019-01-01"), minutes=60)


def test_site_measures_by_day_on_some_days(lamont):
    days = np.unique(lamont.time.astype("datetime64[D]"))
    assert 80 < len(days) < 220 and 700 < len(lamont) < 3000
    assert lamont.sun_zenith.max() < 80.0 and lamont.name == "lamont01" and lamont.lat == pytest.approx(36.604)
    error = lamont.xco2 - lamont.truth
    assert 0.3 < error.std() < 0.8 and abs(error.mean()) < 1.0


def test_site_series_do_not_depend_on_the_period_asked(lamont):
    part = observe_site(WORLD, "oc", np.datetime64("2018-06-01"), np.datetime64("2018-07-01"), minutes=60)
    inside = (lamont.time >= part.time[0]) & (lamont.time <= part.time[-1])
    np.testing.assert_array_equal(lamont.time[inside], part.time)
    np.testing.assert_allclose(lamont.truth[inside], part.truth)


def test_sites_start_and_end_when_the_real_ones_do():
    start, end = np.datetime64("2014-01-01"), np.datetime64("2016-01-01")
    manaus = observe_site(WORLD, "ma", start, end, minutes=120)
    assert manaus.time.min() >= np.datetime64("2014-10-01") and manaus.time.max() < np.datetime64("2015-07-01")
    assert len(observe_site(WORLD, "if", start, end)) == 0


def test_unknown_site_and_interval_are_refused(tmp_path):
    with pytest.raises(KeyError, match="no TCCON site"):
        observe_site(WORLD, "zz", DAY, DAY + 1)
    with pytest.raises(ValueError, match="at least 1 minute"):
        observe_site(WORLD, "oc", DAY, DAY + 1, minutes=0)
    with pytest.raises(ValueError, match="no measurement"):
        write_tccon(tmp_path, observe_site(WORLD, "if", DAY, DAY + 1))


def test_tccon_file_reads_back(lamont, tmp_path):
    path = write_tccon(tmp_path, lamont)
    assert path.name.startswith("oc2018") and path.name.endswith(".public.qc.nc")
    product = read(path)
    data = product.dataset
    assert product.kind == "sites" and product.count == len(lamont) and data.attrs["simulated"] == 1
    assert set(np.unique(data["site"])) == {"lamont01"}
    np.testing.assert_allclose(data["xco2"], lamont.xco2 * 0.99989, atol=2e-3)
    np.testing.assert_allclose(data["lat"], lamont.lat, atol=1e-4)
    assert (np.abs(data["time"].to_numpy() - lamont.time) < np.timedelta64(1, "ms")).all()


def test_tccon_file_is_like_the_real_one(lamont, tmp_path, real):
    sample = next((real / "tccon" / "ggg2020_netcdf").glob("*.public.qc.nc"))
    with netCDF4.Dataset(sample) as theirs, netCDF4.Dataset(write_tccon(tmp_path, lamont)) as ours:
        assert set(ours.variables) <= set(theirs.variables) | {"xluft"}
        for name in ours.variables:
            assert ours[name].dtype == theirs[name].dtype, name
            assert ours[name].dimensions == theirs[name].dimensions, name
            if "units" in ours[name].ncattrs():
                assert ours[name].units == theirs[name].units, name
        weight = ours["integration_operator"][0]
        assert float(weight.sum()) == pytest.approx(1.0, abs=0.02)
        assert ours.simulated == 1 and ours.title.startswith("Simulated")
