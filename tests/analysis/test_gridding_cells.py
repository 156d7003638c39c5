"""Where and when a sounding belongs: edges, dateline, poles, boxes, calendar."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.errors import AnalysisError
from analysis.gridding.cells import cell_numbers, cut_to_box, global_grid
from analysis.gridding.overpasses import solar_days
from analysis.gridding.periods import (
    EVERY,
    ends_with,
    month_period,
    period_edges,
    period_label,
    period_middle,
    period_numbers,
)
from data.errors import StoreProblem


@pytest.mark.parametrize("resolution", [0.01, 0.05, 0.1, 0.25, 0.3, 0.5, 1, 2.5, 30, 90])
def test_a_sounding_on_an_edge_belongs_to_the_cell_that_begins_there(resolution: float):
    """For the decimal numbers, not for what doubles make of sums of 0.05."""
    grid = global_grid(resolution)
    rows, columns = np.arange(grid.nlat), np.arange(grid.nlon)
    lat = np.array([float(f"{-90 + resolution * k:.10g}") for k in rows])
    lon = np.array([float(f"{-180 + resolution * k:.10g}") for k in columns])
    np.testing.assert_array_equal(cell_numbers(grid, np.zeros(rows.size), lat) // grid.nlon, rows)
    np.testing.assert_array_equal(cell_numbers(grid, lon, np.zeros(columns.size)) % grid.nlon, columns)
    inside = cell_numbers(grid, lon + 0.4 * resolution, np.full(columns.size, 0.4 * resolution))
    np.testing.assert_array_equal(inside % grid.nlon, columns)


def test_dateline_and_poles():
    grid = global_grid(1)
    lon = np.array([180.0, -180.0, 540.0, 179.999999, -180.000001, 0.0, 0.0, 0.0])
    lat = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 90.0, -90.0, 89.9999])
    rows, columns = np.divmod(cell_numbers(grid, lon, lat), grid.nlon)
    assert columns.tolist() == [0, 0, 0, 359, 359, 180, 180, 180]
    assert rows.tolist() == [90, 90, 90, 90, 90, 179, 0, 179]
    nowhere = cell_numbers(grid, np.array([np.nan, 0.0, np.inf, 1e9]), np.array([0.0, 90.001, 0.0, 0.0]))
    assert nowhere.tolist() == [-1] * 4


@example(179.99999999999997, 0.0, 0.05)
@given(st.floats(-180, 180, exclude_max=True), st.floats(-90, 90), st.sampled_from([0.05, 0.5, 1, 2.5]))
def test_a_cell_holds_its_soundings(lon: float, lat: float, resolution: float):
    grid = global_grid(resolution)
    row, column = divmod(int(cell_numbers(grid, np.array([lon]), np.array([lat]))[0]), grid.nlon)
    south, west = -90 + row * resolution, -180 + column * resolution
    slack = 1e-8
    assert south - slack <= lat <= south + resolution + slack
    assert (lon - west + slack) % 360 <= resolution + 2 * slack, "a hair west of the date line is on it"


@pytest.mark.parametrize("resolution", [0.07, 0.009, 0.0, -1.0, 360.0, float("nan"), float("inf")])
def test_resolutions_that_do_not_divide_the_globe_are_told(resolution: float):
    with pytest.raises(AnalysisError, match="expected a resolution that divides 180 degrees"):
        global_grid(resolution)


def test_a_box_is_widened_to_whole_cells():
    grid = cut_to_box(global_grid(1), (10.5, -5.5, 12, 3))
    assert (grid.west, grid.south, grid.nlon, grid.nlat) == (10, -6, 2, 9)
    assert (cut_to_box(global_grid(0.05), (10.05, 0.15, 10.1, 0.2)).nlon, grid.dlon) == (1, 1)
    point = cut_to_box(global_grid(1), (10, 5, 10, 5))
    assert (point.west, point.south, point.nlon, point.nlat) == (10, 5, 1, 1)
    pole = cut_to_box(global_grid(1), (0, 90, 1, 90))
    assert (pole.south, pole.nlat) == (89, 1)
    assert cut_to_box(global_grid(1), (-180, -90, 180, 90)) == global_grid(1)


def test_a_box_across_the_dateline():
    whole, part = global_grid(1), cut_to_box(global_grid(1), (170, -10, -170, 10))
    assert (part.west, part.nlon, part.nlat) == (170, 20, 20)
    lon, lat = np.array([170.0, 179.5, -179.5, -170.1, -170.0, 169.9]), np.zeros(6)
    cells = cell_numbers(part, lon, lat)
    assert cells.tolist() == [200, 209, 210, 219, -1, -1]
    rows, columns = np.divmod(cells[:4], part.nlon)
    np.testing.assert_array_equal((part.west + columns + 180) % 360, cell_numbers(whole, lon[:4], lat[:4]) % 360)
    assert (rows == 10).all()


@pytest.mark.parametrize("box", [(0, 10, 10, 0), (0, 0, 10), (float("nan"), 0, 1, 1), "box"])
def test_what_is_no_box_is_told(box):
    with pytest.raises(StoreProblem, match="expected a box"):
        cut_to_box(global_grid(1), box)


def test_periods_are_those_of_the_calendar():
    days = pd.date_range("2015-12-25", "2020-03-05", freq="7h")
    for month, times in days.groupby(days.to_period("M")).items():
        number = (month.year - 1970) * 12 + month.month - 1
        stamps = times.as_unit("ns").asi8
        for every, frequency in (("day", "D"), ("week", "W-SUN"), ("month", "M"), ("season", "Q-NOV"), ("year", "Y")):
            found = period_numbers(stamps, number, every)
            for code in np.unique(found):
                start, end = period_edges(int(code), every)
                expected = times[found == code].to_period(frequency).unique()
                assert len(expected) == 1
                assert start == np.datetime64(expected[0].start_time)
                assert end == np.datetime64((expected[0] + 1).start_time)


def test_labels_and_middles():
    month = (2018 - 1970) * 12 + 10
    assert [period_label(month_period(month, every), every) for every in ("month", "season", "year", "whole")] == [
        "2018-11",
        "2018 SON",
        "2018",
        "whole",
    ]
    december = (2018 - 1970) * 12 + 11
    assert period_label(month_period(december, "season"), "season") == "2019 DJF"
    times = np.array(["2018-12-31T23:00"], dtype="datetime64[ns]").astype(np.int64)
    assert period_label(int(period_numbers(times, december, "week")[0]), "week") == "2019-W01"
    assert period_label(int(period_numbers(times, december, "day")[0]), "day") == "2018-12-31"
    assert period_middle(month, "month") == np.datetime64("2018-11-16T00")
    span = np.datetime64("2018-01-01"), np.datetime64("2018-01-03")
    assert period_middle(0, "whole", span) == np.datetime64("2018-01-02")


def test_a_period_ends_with_the_last_month_that_may_add_to_it():
    november, december = (2018 - 1970) * 12 + 10, (2018 - 1970) * 12 + 11
    for every in EVERY:
        if every in ("day", "week"):
            continue
        number = month_period(november, every)
        assert ends_with(november, number, every, december) == (every in ("month", "season"))
        assert ends_with(november, number, every, november)
    week = int(period_numbers(np.array(["2018-11-30"], "datetime64[ns]").astype(np.int64), november, "week")[0])
    assert not ends_with(november, week, "week", december)  # 26 November to 2 December


def test_an_overpass_of_the_pacific_is_one_local_day():
    """13:36 local at 156 W is midnight UTC."""
    times = np.array(["2018-07-31T23:59:30", "2018-08-01T00:00:30"], "datetime64[ns]").astype(np.int64)
    west = solar_days(times, np.array([-156.0, -156.0]))
    assert west[0] == west[1] == np.datetime64("2018-07-31", "D").astype(int)
    assert np.diff(solar_days(times, np.zeros(2)))[0] == 1
