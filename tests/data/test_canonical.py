"""Canonical objects: grids come out in one order whatever order they came in, and nothing changes the caller's data."""

from __future__ import annotations

from pathlib import Path

import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from data.canonical import COUNT_DIMENSION, Product, canonical_grid, cell_bounds, wrap_longitude


def product(kind, dataset):
    return Product(kind, dataset, "test", "test-v1", Path("file.nc"))


def test_count_is_that_of_the_kind():
    for kind, dim in COUNT_DIMENSION.items():
        assert product(kind, xr.Dataset({"x": (dim, np.zeros(7))})).count == 7
        assert product(kind, xr.Dataset({"x": ("other", np.zeros(7))})).count == 0


def test_span_ignores_missing_times():
    times = np.array(["NaT", "2015-03-01", "2014-09-06T12:00", "NaT"], dtype="datetime64[s]")
    span = product("soundings", xr.Dataset({"time": ("sounding", times)})).span
    assert span == (np.datetime64("2014-09-06T12:00", "ns"), np.datetime64("2015-03-01", "ns"))


@pytest.mark.parametrize("dataset", [xr.Dataset(), xr.Dataset({"time": ("t", np.empty(0, "datetime64[ns]"))})])
def test_no_time_has_no_span(dataset):
    assert product("table", dataset).span == (None, None)
    nothing = xr.Dataset({"time": ("t", np.array(["NaT"], "datetime64[ns]"))})
    assert product("table", nothing).span == (None, None)


# ------------------------------------------------------------------------------------------------------- longitudes
@given(st.lists(st.floats(-720, 720), min_size=1, max_size=50))
def test_wrapped_longitudes_are_the_same_meridians_inside_the_range(lon):
    lon = np.array(lon)
    out = wrap_longitude(lon)
    assert ((out >= -180) & (out < 180)).all()
    turns = (lon - out) / 360
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)


def test_wrapping_keeps_float32_and_the_dateline():
    np.testing.assert_array_equal(
        wrap_longitude(np.array([180, 540, -180, 0, 359.5, -180 - 1e-14])), [-180, -180, -180, 0, -0.5, -180]
    )
    assert wrap_longitude(np.float32([200.0])).dtype == np.float32


# ------------------------------------------------------------------------------------------------------------ bounds
@given(
    start=st.floats(-170, 100),
    steps=st.lists(st.floats(0.01, 2.0), min_size=1, max_size=40),
)
def test_cells_hold_their_centres_and_touch(start, steps):
    centres = start + np.cumsum(steps)
    bounds = cell_bounds(centres)
    assert bounds.shape == (centres.size, 2)
    assert (bounds[:, 0] < centres).all() and (centres < bounds[:, 1]).all()
    np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])


def test_bounds_of_a_regular_grid_and_of_one_cell():
    np.testing.assert_allclose(
        cell_bounds(np.array([-87.5, -85.0, -82.5])), [[-88.75, -86.25], [-86.25, -83.75], [-83.75, -81.25]]
    )
    np.testing.assert_array_equal(cell_bounds(np.array([10.0])), [[9.5, 10.5]])
    np.testing.assert_array_equal(
        cell_bounds(np.array([-90.0, -89.0, 89.0, 90.0]), limit=(-90, 90))[[0, -1]], [[-90, -89.5], [89.5, 90]]
    )


# -------------------------------------------------------------------------------------------------------------- grid
def field(lat, lon, times):
    """A field whose value says where and when it belongs."""
    lat, lon, times = np.asarray(lat, float), np.asarray(lon, float), np.asarray(times, "datetime64[ns]")
    month = times.astype("datetime64[M]").astype(int)
    values = month[:, None, None] * 1e6 + np.round(lat, 3)[:, None] * 1e3 + np.round(wrap_longitude(lon), 3)
    return xr.Dataset({"xco2": (("time", "lat", "lon"), values)}, coords={"time": times, "lat": lat, "lon": lon})


@given(
    rows=st.integers(2, 12),
    columns=st.integers(2, 24),
    west=st.floats(-180, 359).map(lambda x: round(x, 2)),
    flip=st.booleans(),
    order=st.permutations(["time", "lat", "lon"]),
    times=st.lists(st.integers(0, 600), min_size=1, max_size=5, unique=True),
)
def test_any_order_becomes_the_same_grid(rows, columns, west, flip, order, times):
    lat = np.linspace(-80, 80, rows)
    lon = west + np.arange(columns) * (360 / columns)
    given_grid = field(lat[::-1] if flip else lat, lon, np.array(times, "datetime64[M]")).transpose(*order)
    before = given_grid.copy(deep=True)
    grid = canonical_grid(given_grid)
    assert grid["xco2"].dims == ("time", "lat", "lon")
    assert (np.diff(grid["lat"]) > 0).all() and (np.diff(grid["lon"]) > 0).all()
    assert (np.diff(grid["time"]) > np.timedelta64(0)).all()
    assert grid["lon"].min() >= -180 and grid["lon"].max() < 180
    expected = field(grid["lat"], grid["lon"], grid["time"])
    np.testing.assert_allclose(grid["xco2"], expected["xco2"], atol=0.02)
    widths = (grid["lon_bnds"][:, 1] - grid["lon_bnds"][:, 0]).to_numpy()
    np.testing.assert_allclose(widths, 360 / columns, atol=1e-4)
    xr.testing.assert_identical(given_grid, before)


def test_a_repeated_meridian_is_dropped_once():
    grid = canonical_grid(field([-1, 1], [0, 90, 180, 270, 360], ["2015-01"]))
    np.testing.assert_array_equal(grid["lon"], [-180, -90, 0, 90])


def test_a_region_across_the_dateline_keeps_narrow_cells():
    grid = canonical_grid(field([0, 1], np.arange(170, 191, 2.5), ["2015-01"]))
    np.testing.assert_allclose(grid["lon_bnds"][:, 1] - grid["lon_bnds"][:, 0], 2.5)
    pair = canonical_grid(field([0, 1], [179.5, 180.5], ["2015-01"]))
    np.testing.assert_allclose(pair["lon_bnds"], [[-180, -179], [179, 180]])


def test_duplicated_times_keep_the_last_and_missing_times_go():
    grid = xr.Dataset(
        {"x": (("time", "lat", "lon"), np.arange(5.0).reshape(5, 1, 1))},
        coords={
            "time": np.array(["2015-02", "2015-01", "NaT", "2015-02", "2015-01"], "datetime64[ns]"),
            "lat": [0.0],
            "lon": [0.0],
        },
    )
    out = canonical_grid(grid)
    np.testing.assert_array_equal(out["x"].squeeze(), [4.0, 3.0])
    np.testing.assert_array_equal(out["time"], np.array(["2015-01", "2015-02"], "datetime64[ns]"))


def test_shuffled_latitudes_are_sorted_and_levels_stay_between():
    grid = xr.Dataset(
        {"x": (("lon", "lev", "lat"), np.arange(6.0).reshape(2, 1, 3))},
        coords={"lat": [10.0, -10.0, 0.0], "lon": [5.0, 6.0], "lev": [1.0]},
    )
    out = canonical_grid(grid)
    assert out["x"].dims == ("lev", "lat", "lon")
    np.testing.assert_array_equal(out["x"][0, :, 0], [1.0, 2.0, 0.0])


def test_lazy_fields_stay_lazy():
    lazy = dask.array.full((3, 4, 2), 400.0, chunks=(1, 2, 2))
    grid = xr.Dataset(
        {"x": (("lon", "lat", "time"), lazy)}, coords={"lon": [350.0, 0.0, 10.0], "lat": [3.0, 2.0, 1.0, 0.0]}
    )
    out = canonical_grid(grid.assign_coords(time=np.array(["2015-02", "2015-01"], "datetime64[ns]")))
    assert out["x"].chunks is not None
    assert out["x"].dims == ("time", "lat", "lon")
    assert float(out["x"].mean()) == 400.0
