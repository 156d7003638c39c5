"""Profiles, gradient, variation and the stability zone, with answers known from formulas."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.vertical import (
    Profiles,
    TimeStatistics,
    VerticalAxis,
    column_mean,
    level_middles,
    on_axis,
    stability_margin,
    stable_zone,
    vertical_gradient,
)

EDGES_HPA = np.array([1000.0, 900.0, 700.0, 400.0, 150.0, 0.0])
SCALE_M = 7500.0


def heights(pressure: np.ndarray) -> np.ndarray:
    """An isothermal atmosphere whose ground lies at sea level; its top boundary at 60 km."""
    return np.where(pressure > 0, -SCALE_M * np.log(np.maximum(pressure, 1e-9) / 1000.0), 60_000.0)


def test_the_middle_of_a_level_halves_its_mass_at_the_right_height():
    pressure, height = level_middles(EDGES_HPA, heights(EDGES_HPA))
    np.testing.assert_allclose(pressure, [950.0, 800.0, 550.0, 275.0, 75.0])
    np.testing.assert_allclose(height[:4], heights(pressure[:4]))  # exact in an isothermal atmosphere
    assert height[4] == pytest.approx(heights(np.array(150.0)) + 7000.0 * np.log(2.0))


def test_column_mean_counts_each_level_by_its_dry_air():
    values = np.array([420.0, 415.0, 410.0, 408.0, 404.0])
    weights = np.array([100.0, 200.0, 300.0, 250.0, 150.0])
    assert column_mean(values, EDGES_HPA) == pytest.approx(float(values @ weights / 1000.0))
    humidity = np.array([0.02, 0.01, 0.0, 0.0, 0.0])
    dry = weights * (1 - humidity)
    assert column_mean(values, EDGES_HPA, humidity) == pytest.approx(float(values @ dry / dry.sum()))
    values[0] = np.nan
    assert column_mean(values, EDGES_HPA) == pytest.approx(float(values[1:] @ weights[1:] / 900.0))
    assert np.isnan(column_mean(np.full(5, np.nan), EDGES_HPA))


@given(st.floats(350.0, 450.0))
def test_a_uniform_atmosphere_stays_uniform(value):
    values = np.full((5, 3), value)
    pressure = np.repeat(EDGES_HPA[:, None], 3, axis=1)
    assert column_mean(values, pressure) == pytest.approx(value)
    for axis in (VerticalAxis.of("km", 10.0, 20), VerticalAxis.of("hPa", 200.0, 20)):
        found = on_axis(values, pressure, heights(pressure), axis)
        good = np.isfinite(found.values)
        assert good[1:-2].all() and np.allclose(found.values[good], value)


def test_linear_profiles_are_met_exactly_between_the_levels():
    _, middle = level_middles(EDGES_HPA, heights(EDGES_HPA))
    values = 420.0 - 0.7 * middle / 1000.0
    axis = VerticalAxis("km", np.array([0.1, 1.0, 3.0, 7.0, 12.0, 18.9, 25.0]))
    found = on_axis(values, EDGES_HPA, heights(EDGES_HPA), axis)
    np.testing.assert_allclose(found.values[1:6], 420.0 - 0.7 * axis.values[1:6])
    assert found.values[0] == values[0]  # below the middle of the lowest level its value holds
    assert np.isnan(found.values[6])  # above the middle of the uppermost one there is none
    np.testing.assert_array_equal(found.height_km[:6], axis.values[:6])


def test_on_pressures_values_are_linear_in_their_logarithm():
    middle, _ = level_middles(EDGES_HPA, heights(EDGES_HPA))
    values = 420.0 + 3.0 * np.log(middle / 1000.0)
    axis = VerticalAxis("hPa", np.array([990.0, 850.0, 500.0, 200.0, 80.0, 20.0]))
    found = on_axis(values, EDGES_HPA, heights(EDGES_HPA), axis)
    np.testing.assert_allclose(found.values[1:5], 420.0 + 3.0 * np.log(axis.values[1:5] / 1000.0))
    np.testing.assert_allclose(found.height_km[:3], heights(axis.values[:3]) / 1000.0, rtol=1e-6)
    assert np.isnan(found.values[5])


def test_nothing_is_filled_in_below_a_mountain():
    edges = EDGES_HPA * 0.6
    height = heights(edges)  # the ground is at 3.83 km
    axis = VerticalAxis("km", np.array([1.0, 3.8, 3.9, 6.0]))
    found = on_axis(np.full(5, 410.0), edges, height, axis)
    assert np.isnan(found.values[:2]).all() and (found.values[2:] == 410.0).all()
    pressures = VerticalAxis("hPa", np.array([900.0, 610.0, 590.0, 300.0]))
    assert np.isfinite(on_axis(np.full(5, 410.0), edges, height, pressures).values).tolist() == [
        False,
        False,
        True,
        True,
    ]


def test_axes_check_themselves():
    assert VerticalAxis.of("km", 30.0, 60).values[[0, -1]].tolist() == [0.25, 29.75]
    assert (np.diff(np.log(VerticalAxis.of("hPa", 10.0).values)) < 0).all()
    for kind, values in (
        ("km", [1.0]),
        ("km", [2.0, 1.0]),
        ("hPa", [1.0, 2.0]),
        ("hPa", [1.0, 0.0]),
        ("m", [1.0, 2.0]),
    ):
        with pytest.raises(ValueError, match="upward"):
            VerticalAxis(kind, np.array(values))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------- gradient
def test_the_gradient_of_a_parabola_at_uneven_steps_is_exact():
    height = np.array([0.0, 0.3, 1.0, 2.5, 3.0, 6.0])
    values = 400.0 + 2.0 * height - 0.5 * height**2
    gradient = vertical_gradient(values, height)
    np.testing.assert_allclose(gradient[1:-1], 2.0 - height[1:-1])
    assert gradient[0] == pytest.approx((values[1] - values[0]) / 0.3)
    assert gradient[-1] == pytest.approx((values[-1] - values[-2]) / 3.0)


def test_the_gradient_beside_gaps_is_one_sided_and_alone_there_is_none():
    values = np.array([np.nan, 400.0, 402.0, np.nan, 410.0, np.nan])
    gradient = vertical_gradient(values, np.arange(6.0))
    np.testing.assert_array_equal(gradient, [np.nan, 2.0, 2.0, np.nan, np.nan, np.nan])


# ------------------------------------------------------------------------------------------------------------ variation
def statistics_of(series: np.ndarray, years: np.ndarray, height: np.ndarray) -> TimeStatistics:
    running = TimeStatistics(series.shape[1:])
    heights_km = np.broadcast_to(height[:, None], series.shape[1:])
    for values, year in zip(series, years, strict=True):
        running.add(Profiles(values, heights_km), float(year))
    return running


def test_running_statistics_are_those_of_numpy():
    rng = np.random.default_rng(5)
    series = 400.0 + rng.normal(size=(24, 6, 5)) + 0.3 * np.arange(24)[:, None, None]
    series[:, 0, 0] = np.nan
    series[3:9, 2, 1] = np.nan
    years, height = 2010 + np.arange(24) / 12, np.array([0.5, 1.0, 2.0, 4.0, 5.0, 9.0])
    running = statistics_of(series, years - 2010, height)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        np.testing.assert_allclose(running.mean[1:], np.nanmean(series, axis=0)[1:])
        slopes = np.abs(np.stack([vertical_gradient(values, height) for values in series]))
        np.testing.assert_allclose(running.mean_gradient[1:], np.nanmean(slopes, axis=0)[1:])
    squares, freedom = running.squares(detrended=False)
    np.testing.assert_allclose((squares / np.maximum(freedom, 1))[1:], np.nanvar(series[:, 1:], axis=0, ddof=1))
    squares, freedom = running.squares(detrended=True)
    one = series[:, 4, 3]
    left = one - np.polyval(np.polyfit(years, one, 1), years)
    assert squares[4, 3] == pytest.approx((left**2).sum(), rel=1e-6) and freedom[4, 3] == 22
    assert np.isnan(running.mean[0, 0]) and freedom[0, 0] == 0 and squares[0, 0] == 0


def test_a_steady_growth_has_no_variation_once_its_trend_is_gone():
    years = np.arange(12) / 12
    series = 410.0 + 2.4 * years[:, None, None] + np.zeros((12, 2, 1))
    running = statistics_of(series, years, np.array([1.0, 2.0]))
    squares, freedom = running.squares(detrended=True)
    assert np.sqrt(squares / freedom).max() < 1e-6
    squares, freedom = running.squares(detrended=False)
    np.testing.assert_allclose(np.sqrt(squares / freedom), np.std(2.4 * years, ddof=1))


# ----------------------------------------------------------------------------------------------------------------- zone
def test_the_margin_is_the_nearer_of_both_limits():
    margin = stability_margin(
        np.array([0.0, 0.25, 0.5, 1.0, np.nan]),
        np.array([0.0, 0.1, 0.2, 0.0, 0.0]),
        gradient_limit=0.5,
        variation_limit=1.0,
    )
    np.testing.assert_allclose(margin, [1.0, 0.5, 0.0, -1.0, np.nan])
    with pytest.raises(ValueError, match="positive"):
        stability_margin(np.zeros(1), np.zeros(1), gradient_limit=0.0, variation_limit=1.0)


def test_the_ends_of_the_zone_lie_where_the_margin_crosses_zero():
    axis = VerticalAxis("km", np.arange(0.0, 13.0))
    margin = 1.0 - np.abs(axis.values - 7.0) / 3.0  # zero at 4 and 10 km
    zone = stable_zone(margin, axis, axis.values)
    assert (zone.bottom, zone.top, zone.depth_km, zone.others) == pytest.approx((4.0, 10.0, 6.0, 0))
    shifted = 1.0 - np.abs(axis.values - 7.0) / 2.5  # at 4.5 and 9.5, between places
    zone = stable_zone(shifted, axis, axis.values)
    assert (zone.bottom, zone.top) == pytest.approx((4.5, 9.5))


def test_the_thickest_range_is_the_zone_and_others_are_counted():
    axis = VerticalAxis("km", np.arange(0.0, 20.0))
    margin = np.full(20, -1.0)
    margin[2:5], margin[8:15] = 1.0, 1.0
    zone = stable_zone(margin, axis, axis.values)
    assert (zone.bottom, zone.top, zone.others, zone.first, zone.last) == pytest.approx((7.5, 14.5, 1, 8, 14))
    assert stable_zone(np.full(20, -1.0), axis, axis.values) is None
    assert stable_zone(np.full(20, np.nan), axis, axis.values) is None
    whole = stable_zone(np.ones(20), axis, axis.values)
    assert (whole.bottom, whole.top) == (0.0, 19.0)
    assert stable_zone(margin, axis, axis.values, least_depth_km=8.0) is None


def test_a_zone_on_pressures_has_its_thickness_in_km():
    axis = VerticalAxis("hPa", np.array([1000.0, 800.0, 600.0, 400.0, 200.0, 100.0]))
    height = heights(axis.values) / 1000.0
    zone = stable_zone(np.array([-1.0, -1.0, 1.0, 1.0, 1.0, -1.0]), axis, height)
    assert zone.bottom == pytest.approx(np.sqrt(800.0 * 600.0)) and zone.top == pytest.approx(np.sqrt(200.0 * 100.0))
    assert zone.depth_km == pytest.approx(7.5 * np.log(zone.bottom / zone.top), rel=1e-6)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=40))
def test_any_margin_gives_a_zone_within_the_axis_or_none(values):
    axis = VerticalAxis("km", np.arange(float(len(values))))
    zone = stable_zone(np.array(values), axis, axis.values, least_depth_km=0.5)
    if zone is not None:
        assert 0.0 <= zone.bottom <= zone.top <= len(values) - 1 and zone.depth_km >= 0.5
