"""The latitude-time picture: every step in its column, gaps left empty, rows averaged by area."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.linked import MAX_COLUMNS, MAX_ROWS, hovmoller


def test_months_with_a_gap_leave_an_empty_column() -> None:
    times = np.array(["2018-01", "2018-02", "2018-04"], dtype="datetime64[M]").astype("datetime64[ns]")
    lat = np.array([-45.0, 0.0, 45.0])
    picture = hovmoller(times, lat, np.arange(9.0).reshape(3, 3), south=-90, north=90)
    assert picture.columns == [0, 1, 3]
    assert picture.values.shape == (3, 4)
    assert np.isnan(picture.values[:, 2]).all()
    np.testing.assert_array_equal(picture.values[:, 3], [6, 7, 8])
    assert picture.start_ms == np.datetime64("2018-01-01", "ms").astype(int)
    assert picture.end_ms == np.datetime64("2018-05-01", "ms").astype(int)


def test_six_hourly_steps_have_equal_columns() -> None:
    times = np.arange("2006-01-01T06", "2006-01-03T00", 6, dtype="datetime64[h]").astype("datetime64[ns]")
    picture = hovmoller(times, np.array([0.0, 1.0]), np.ones((len(times), 2)), south=-0.5, north=1.5)
    assert picture.columns == list(range(len(times)))
    assert picture.end_ms - picture.start_ms == pytest.approx(len(times) * 6 * 3_600_000)


def test_irregular_moments_never_make_more_columns_than_a_screen_has() -> None:
    times = np.array(["2020-03-01T00:00", "2020-03-01T00:01", "2022-10-01T00:00"], dtype="datetime64[ns]")
    picture = hovmoller(times, np.array([0.0, 1.0]), np.ones((3, 2)), south=-0.5, north=1.5)
    assert picture.values.shape[1] <= MAX_COLUMNS + 1


def test_a_single_map_is_one_column() -> None:
    picture = hovmoller(
        np.array(["2020-01-16"], dtype="datetime64[ns]"), np.array([0.0, 1.0]), np.ones((1, 2)), south=-0.5, north=1.5
    )
    assert picture.values.shape == (2, 1)
    assert picture.end_ms > picture.start_ms


def test_many_rows_are_averaged_with_the_cosine_of_latitude_and_without_the_missing() -> None:
    lat = np.arange(-89.975, 90, 0.05)
    values = np.tile(lat, (1, 1)).astype(float)
    values[0, :20] = np.nan
    picture = hovmoller(np.array(["2020-01-01"], dtype="datetime64[ns]"), lat, values, south=-90, north=90)
    assert picture.values.shape == (MAX_ROWS, 1)
    assert np.isnan(picture.values[0, 0])
    rows = lat[20:40]
    assert picture.values[1, 0] == pytest.approx(np.average(rows, weights=np.cos(np.radians(rows))), abs=1e-3)
    away_from_poles = np.abs(picture.lat) < 60  # near them the cosine changes within a row
    np.testing.assert_allclose(picture.values[away_from_poles, 0], picture.lat[away_from_poles], atol=0.01)


def test_rows_that_do_not_divide_evenly_stay_in_place() -> None:
    lat = np.linspace(-59.93, 79.93, 979)
    picture = hovmoller(np.array(["2020-01-01"], dtype="datetime64[ns]"), lat, lat[None, :], south=-60.0, north=80.0)
    height = (picture.top - picture.south) / picture.values.shape[0]
    centres = picture.south + (np.arange(picture.values.shape[0]) + 0.5) * height
    np.testing.assert_allclose(picture.values[:-1, 0], centres[:-1], atol=0.1)
