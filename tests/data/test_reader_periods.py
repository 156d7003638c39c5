"""Dates in file names and time axes in all the spellings that providers use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from data.readers.periods import day, month, name_without_period, period_of, slug, stem_of, year
from data.readers.times import decode_times, is_time


@pytest.mark.parametrize(
    ("name", "start", "end", "series"),
    [
        ("XCO2_201501.nc", "2015-01-01", "2015-02-01", "xco2"),
        ("XCO2_2015_1.nc", "2015-01-01", "2015-02-01", "xco2"),
        ("xco2_2015_12.tif", "2015-12-01", "2016-01-01", "xco2"),
        ("XCO2201502.nc", "2015-02-01", "2015-03-01", "xco2"),
        ("2015-01.nc", "2015-01-01", "2015-02-01", ""),
        ("a.2016.02.nc4", "2016-02-01", "2016-03-01", "a"),
        ("xco2_0.05deg_201501.nc", "2015-01-01", "2015-02-01", "xco2-0.05deg"),
        ("CO2_20201231.nc", "2020-12-31", "2021-01-01", "co2"),
        ("CO2_2020-02-29.nc", "2020-02-29", "2020-03-01", "co2"),
        ("x_2015-2021.nc", "2015-01-01", "2022-01-01", "x"),
        ("x_201501-202112.nc", "2015-01-01", "2022-01-01", "x"),
        ("x_20150101_20150131.nc", "2015-01-01", "2015-02-01", "x"),
        ("MOD13C2.A2015032.061.nc", "2015-02-01", "2015-02-02", "mod13c2.a-.061"),
        ("oco2_GEOS_L3CO2_month_201501_B10206Ar.nc4", "2015-01-01", "2015-02-01", "oco2-geos-l3co2-month-b10206ar"),
        ("GRACED_y2021_m03.nc", "2021-03-01", "2021-04-01", "graced"),
        ("Jan2016.nc", "2016-01-01", "2016-02-01", ""),
        ("2016sep.nc", "2016-09-01", "2016-10-01", ""),
        ("xco2_1x1_2015.nc", "2015-01-01", "2016-01-01", "xco2-1x1"),
        ("xco2_v2_2015_01.nc", "2015-01-01", "2015-02-01", "xco2-v2"),
        ("gpw_v4_population_count_rev11_2020_1_deg.asc", "2020-01-01", "2021-01-01", None),
        ("co2_05_2015.nc", "2015-05-01", "2015-06-01", "co2"),
    ],
)
def test_periods_in_names(name, start, end, series):
    period = period_of(Path(name))
    assert (str(period.start)[:10], str(period.end)[:10]) == (start, end)
    if series is not None:
        assert name_without_period(Path(name)) == series


@pytest.mark.parametrize(
    "name", ["map.nc", "CT2022.flux1x1.nc", "x_20150231.nc", "grid_3600x7200.nc", "oco2.nc", "a_v2019.1.nc"]
)
def test_names_without_a_date(name):
    assert period_of(Path(name)) is None


def test_a_folder_named_by_year_counts_only_for_files_named_by_month():
    assert period_of(Path("2015/3.nc")).start == np.datetime64("2015-03-01")
    assert period_of(Path("2015/map.nc")) is None
    assert period_of(Path("2015/13.nc")) is None


@given(st.dates(np.datetime64("1900-01-01").item(), np.datetime64("2099-12-31").item()))
def test_any_day_is_found_again(date):
    text = date.isoformat()
    for spelling in (text, text.replace("-", ""), text.replace("-", "_"), text.replace("-", ".")):
        period = period_of(Path(f"XCO2_{spelling}.nc"))
        assert period == day(np.datetime64(text))
        assert period.seconds == 86400


def test_middles_and_months():
    assert month(np.datetime64("2015-02-10")).middle == np.datetime64("2015-02-15")
    assert year(2013).middle == np.datetime64("2013-07-02T12:00")
    months = year(2016).months
    assert months.size == 12
    assert months[1] == np.datetime64("2016-02-15T12:00")


def test_stems_and_slugs():
    assert stem_of("odiac2023_1km.tif.gz") == "odiac2023_1km"
    assert slug("CT-NRT.v2023-4 fluxes!") == "ct-nrt.v2023-4-fluxes"


# --------------------------------------------------------------------------------------------------------- time axes
def axis(values, **attrs):
    return xr.DataArray(np.asarray(values), dims="time", attrs=attrs)


@pytest.mark.parametrize(
    ("values", "attrs", "expected"),
    [
        ([0, 31], {"units": "days since 2015-01-01"}, ["2015-01-01", "2015-02-01"]),
        ([1946760], {"units": "hours since 1800-01-01 00:00:0.0"}, ["2022-02-01"]),
        ([0.5], {"units": "days since 2000-01-01 00:00:00 UTC"}, ["2000-01-01T12"]),
        ([0, 13], {"units": "months since 2014-12-01"}, ["2014-12-16T12", "2016-01-16T12"]),
        ([59], {"units": "days since 2016-01-01", "calendar": "noleap"}, ["2016-03-01"]),
        ([59], {"units": "days since 2015-01-01", "calendar": "360_day"}, ["2015-02-28"]),
        ([201501, 201502], {}, ["2015-01-16T12", "2015-02-15"]),
        ([20150131], {"units": "YYYYMMDD"}, ["2015-01-31"]),
        ([2015, 2016], {}, ["2015-07-02T12", "2016-07-02"]),
        ([2015.5], {}, ["2015-07-02T12"]),
    ],
)
def test_time_axes(values, attrs, expected):
    times = decode_times(axis(values, **attrs), None)
    assert times.dtype == "datetime64[ns]"
    np.testing.assert_array_equal(times, np.array(expected, dtype="datetime64[ns]"))


def test_step_numbers_take_their_dates_from_the_period():
    np.testing.assert_array_equal(decode_times(axis(np.arange(12)), year(2015)), year(2015).months)
    np.testing.assert_array_equal(
        decode_times(axis([0]), month(np.datetime64("2015-04"))), [np.datetime64("2015-04-16")]
    )
    daily = decode_times(axis(np.arange(28)), month(np.datetime64("2015-02")))
    assert daily[-1] == np.datetime64("2015-02-28T12")
    assert decode_times(axis(np.arange(5)), year(2015)) is None
    assert decode_times(axis([1, 2]), None) is None
    assert decode_times(axis([np.nan]), year(2015)) is None
    assert decode_times(axis([20151399]), None) is None


def test_what_is_a_time_unit():
    assert is_time({"units": "Hours since 1900-01-01"})
    assert not is_time({"units": "days"})
    assert not is_time({})
