"""Area-weighted statistics: the sphere's own area, hand-computed means, and repetition as the oracle for weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.statistics.area import (
    EARTH_RADIUS_KM,
    cell_areas,
    histogram,
    robust_limits,
    weighted_moments,
    weighted_quantiles,
    zonal_mean,
)
from data.cube import Grid

EARTH_KM2 = 510_065_622  # of the WGS84 ellipsoid


def centres(first: float, last: float, n: int) -> np.ndarray:
    step = (last - first) / n
    return first + step * (np.arange(n) + 0.5)


@pytest.mark.parametrize("size", [1.0, 2.5, 30.0])
def test_cells_of_the_globe_add_up_to_the_earth(size: float):
    areas = cell_areas(centres(-90, 90, int(180 / size)), centres(-180, 180, int(360 / size)))
    assert areas.shape == (int(180 / size), int(360 / size))
    assert areas.sum() == pytest.approx(EARTH_KM2, rel=1e-6)


def test_areas_by_hand_and_as_the_cube_has_them():
    areas = cell_areas(np.array([0.5, 1.5]), np.array([10.5, 11.5]))
    assert areas[0, 0] == pytest.approx(EARTH_RADIUS_KM**2 * np.radians(1) * np.sin(np.radians(1)))
    assert areas[0, 0] > areas[1, 0]
    grid = Grid(west=-180, south=-90, dlon=5, dlat=4, nlon=72, nlat=45)
    assert cell_areas(grid.lat, grid.lon)[:, 0] == pytest.approx(grid.row_areas())


def test_poles_with_half_cells():
    """Grids with centres on the poles (GEOS, CarbonTracker) have half-high polar cells, not cells beyond the pole."""
    areas = cell_areas(np.linspace(-90, 90, 91), centres(-180, 180, 120))
    assert areas.sum() == pytest.approx(EARTH_KM2, rel=1e-6)
    assert areas[0, 0] < areas[1, 0] / 3


def test_zonal_mean_ignores_gaps():
    values = np.array([[1.0, 3.0, np.nan], [np.nan, np.nan, np.nan], [4.0, 4.0, 4.0]])
    assert zonal_mean(values) == pytest.approx([2.0, np.nan, 4.0], nan_ok=True)
    assert zonal_mean(np.stack([values, values + 1])).shape == (2, 3)
    assert zonal_mean(np.full((2, 1000), 400.01, dtype=np.float32)) == pytest.approx([400.01] * 2, abs=1e-4)


def test_moments_by_hand():
    moments = weighted_moments(np.array([[400.0, 410.0], [np.nan, 420.0]]), np.array([[1.0, 2.0], [5.0, 1.0]]))
    assert moments.mean == pytest.approx(410.0)
    assert moments.std == pytest.approx(np.sqrt(50.0))
    assert moments.weight == 4.0


def test_moments_of_nothing():
    moments = weighted_moments(np.full((2, 2), np.nan), np.ones((2, 1)))
    assert np.isnan(moments.mean) and np.isnan(moments.std) and moments.weight == 0.0


def test_masked_arrays_and_broadcast_weights():
    values = np.ma.masked_array([[1.0, 999.0], [3.0, 5.0]], mask=[[False, True], [False, False]])
    assert weighted_moments(values, np.array([[2.0], [1.0]])).mean == pytest.approx(2.5)
    codes = np.ma.masked_array(np.array([100, -32768, 300], dtype=np.int16), mask=[False, True, False])
    assert weighted_moments(codes, np.ones(3)).mean == pytest.approx(200)


@given(
    hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(350, 450)),
    st.data(),
    st.floats(0, 1),
)
def test_integer_weights_are_repetition(values: np.ndarray, data: st.DataObject, q: float):
    weights = data.draw(
        hnp.arrays(np.int64, values.size, elements=st.integers(0, 5)).filter(lambda array: array.sum() > 0)
    )
    repeated = np.repeat(values, weights)
    moments = weighted_moments(values, weights)
    assert moments.mean == pytest.approx(repeated.mean(), abs=1e-9)
    assert moments.std == pytest.approx(repeated.std(), abs=1e-6)
    assert weighted_quantiles(values, weights, [q])[0] == np.quantile(repeated, q, method="inverted_cdf")


def test_quantiles_of_nothing_are_missing():
    assert np.isnan(weighted_quantiles(np.array([np.nan]), np.ones(1), [0.1, 0.9])).all()


def test_robust_limits():
    lat, lon = centres(-90, 90, 90), centres(-180, 180, 180)
    areas = cell_areas(lat, lon)
    values = 400 + 10 * np.sin(np.radians(lat))[:, None] + np.zeros(180)  # uniform in area from 390 to 410
    values[45, :5] = 1e6
    assert robust_limits(values, areas) == pytest.approx((390.4, 409.6), abs=0.1)
    assert robust_limits(np.full((3, 3), np.nan), np.ones((3, 3))) == (0.0, 1.0)
    low, high = robust_limits(np.full((3, 3), 400.0), np.ones((3, 3)))
    assert low < 400 < high < 400.01
    assert robust_limits(np.array([1.0, 2.0, 3.0]), np.ones(3)) == (1.0, 3.0)


def test_robust_limits_of_large_fields_use_a_part():
    values = np.random.default_rng(2).normal(400, 2, (1500, 1500))
    assert robust_limits(values, np.ones((1500, 1))) == pytest.approx((400 - 2 * 2.054, 400 + 2 * 2.054), abs=0.05)


def test_histogram_keeps_all_area():
    values = np.array([[399.0, 400.0, 401.0], [404.0, 405.0, np.nan]])
    weights = np.array([[1.0], [3.0]])
    result = histogram(values, weights, bins=2, limits=(400.0, 404.0))
    assert result.edges.tolist() == [400.0, 402.0, 404.0]
    assert result.area.tolist() == [2.0, 3.0]
    assert (result.below, result.above) == (1.0, 3.0)


@given(hnp.arrays(np.float32, (7, 5), elements=st.floats(-1e3, 1e3, width=32)), st.integers(1, 40))
def test_histogram_total_is_the_area(values: np.ndarray, bins: int):
    weights = np.linspace(1, 2, 7)[:, None]
    result = histogram(values, weights, bins=bins, limits=(-10.0, 10.0))
    assert result.area.sum() + result.below + result.above == pytest.approx(weights.sum() * 5)


@pytest.mark.parametrize(("bins", "limits"), [(0, (0.0, 1.0)), (5, (1.0, 1.0)), (5, (2.0, 1.0)), (5, (np.nan, 1.0))])
def test_histogram_refuses_impossible_bins(bins: int, limits: tuple[float, float]):
    with pytest.raises(ValueError, match="rising limits"):
        histogram(np.ones(3), np.ones(3), bins=bins, limits=limits)
