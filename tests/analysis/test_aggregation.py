"""Regions, percentiles and area means: NumPy, shapely and values by hand as oracles."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.aggregation.area_means import DAY_GROUPS, area_mean, by_day_group
from analysis.aggregation.regions import (
    box_region,
    cells_within,
    drawn_region,
    named_region,
    reading_box,
    soundings_within,
    within_box,
)
from analysis.aggregation.results import Aggregate, percentile_name
from analysis.aggregation.value_counts import add_counts, quantiles, rounded, value_counts
from analysis.errors import AnalysisError
from analysis.gridding.cells import global_grid
from analysis.gridding.overpasses import cell_sums, overpass_sums
from data.errors import StoreProblem


def globe(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.uniform(-180, 180, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))


# ---------------------------------------------------------------- percentiles


@given(
    hnp.arrays(np.float32, st.integers(0, 50), elements=st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False))
)
def test_rounding_keeps_eighteen_digits_and_the_order(values: np.ndarray):
    found = rounded(values)
    assert (np.abs(found.astype(float) - values) <= np.abs(values.astype(float)) * 2.0**-18 + 1e-45).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    np.testing.assert_array_equal(rounded(found), found)


def test_a_thousandth_of_a_ppm():
    values = np.random.default_rng(1).uniform(300, 500, 100_000)
    assert np.abs(rounded(values) - values).max() < 0.001
    assert np.unique(rounded(values)).size < 150_000


@pytest.mark.parametrize("parts", [1, 6])
def test_quantiles_are_those_of_numpy(parts: int):
    random = np.random.default_rng(2)
    period, group = random.integers(0, 3, 9000).astype(np.int32), random.integers(-1, 4, 9000).astype(np.int32)
    value = 400 + random.normal(0, 2, 9000)
    value[::50] = np.nan
    cut = np.array_split(np.arange(9000), parts)
    counts = add_counts([value_counts(period[rows], group[rows], value[rows]) for rows in cut])
    shares = (0.0, 0.05, 0.5, 0.9, 1.0)
    found = zip(*quantiles(counts, shares), strict=True)
    kept = 0
    for one, other, values in found:
        of_it = rounded(value[(period == one) & (group == other) & np.isfinite(value)])
        np.testing.assert_array_equal(values, np.quantile(of_it, shares, method="inverted_cdf"))
        kept += of_it.size
    assert kept == np.count_nonzero((group >= 0) & np.isfinite(value))


def test_no_values_have_no_quantiles():
    none = np.empty(0, dtype=np.int32)
    assert quantiles(value_counts(none, none, np.empty(0)), (0.5,))[2].shape == (0, 1)


# -------------------------------------------------------------------- regions


def test_soundings_of_regions_are_those_that_shapely_covers():
    lon, lat = globe(20_000)
    regions = [named_region(name) for name in ("Countries/China", "Russia", "Continents/Asia")]
    place, number = soundings_within(regions, lon, lat)
    for k, region in enumerate(regions):
        expected = np.flatnonzero(shapely.covers(region.geometry, shapely.points(lon, lat)))
        np.testing.assert_array_equal(place[number == k], expected)
    assert np.count_nonzero(number == 2) > np.count_nonzero(number == 0) > 100


def test_the_world_holds_every_sounding_also_on_its_edges():
    lon = np.array([-180.0, 180.0, 0.0, 0.0, 12.3])
    lat = np.array([0.0, 0.0, 90.0, -90.0, 45.6])
    assert soundings_within([named_region("World")], lon, lat)[0].tolist() == [0, 1, 2, 3, 4]


def test_regions_across_the_dateline():
    lon, lat = np.array([175.0, -175.0, 165.0, -165.0, 179.999]), np.zeros(5)
    for region in (box_region((170, -10, -170, 10)), drawn_region([(170, -10), (190, -10), (190, 10), (170, 10)])):
        assert soundings_within([region], lon, lat)[0].tolist() == [0, 1, 4]
        cells, areas = cells_within(region, global_grid(1))
        assert cells.size == 400
        assert set((cells % 360).tolist()) == {*range(350, 360), *range(10)}
        assert areas.sum() == pytest.approx(box_area(20, -10, 10), rel=1e-6)
    both = soundings_within([named_region("Fiji")], np.array([178.0, -179.9, 0.0]), np.array([-18.0, -16.5, 0.0]))
    assert set(both[0].tolist()) <= {0, 1}


def box_area(width: float, south: float, north: float) -> float:
    return 6371.0072**2 * np.radians(width) * (np.sin(np.radians(north)) - np.sin(np.radians(south)))


def test_the_world_s_cells_are_all_cells():
    cells, areas = cells_within(named_region("World"), global_grid(2.5))
    np.testing.assert_array_equal(cells, np.arange(72 * 144))
    assert areas.sum() == pytest.approx(4 * np.pi * 6371.0072**2, rel=1e-6)


def test_regions_within_a_box():
    part = within_box(named_region("China"), (100, 20, 110, 30))
    assert part.geometry.bounds[0] >= 100 and part.geometry.area < named_region("China").geometry.area
    with pytest.raises(AnalysisError, match="found China outside"):
        within_box(named_region("China"), (-10, 0, 0, 10))
    pacific = within_box(box_region((170, -5, -170, 5)), (175, -10, -175, 10))
    assert pacific.geometry.area == pytest.approx(100)


def test_only_what_is_needed_is_read():
    west, south, east, north = reading_box([named_region("China")], 1.0)
    assert 70 < west < 75 and 130 < east < 137 and 15 < south < 20 and 52 < north < 56
    assert reading_box([named_region("World"), named_region("China")], 1.0) is None
    assert reading_box([box_region((170, 0, -170, 10))], 0.0) == (170, 0, 190, 10)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: named_region("Chna"), "did you mean China"),
        (lambda: named_region("x" * 10_000), "choose one of the list"),
        (lambda: drawn_region([(0, 0), (1, 1)]), "three or more corners"),
        (lambda: drawn_region([(0, 0), (1, 1), (0, 95)]), "three or more corners"),
        (lambda: drawn_region([(0, 0), (1, float("nan")), (0, 5)]), "three or more corners"),
        (lambda: drawn_region([(0, 0), (1, 1), (2, 2)]), "with an area"),
        (lambda: box_region((10, 5, 10, 6)), "a box with an area"),
        (lambda: box_region((10, 6, 20, 5)), "expected a box"),
    ],
)
def test_what_is_no_region_is_told(make, words: str):
    with pytest.raises((AnalysisError, StoreProblem), match=words):
        make()


# ----------------------------------------------------------------- area means


def groups_of(cell, day, value):
    zeros = np.zeros(len(cell), dtype=np.int32)
    columns = zeros, np.array(cell, dtype=np.int32), np.array(day, dtype=np.int32), np.array(value, dtype=float)
    return cell_sums(by_day_group(overpass_sums(*columns, None)))


def test_cells_weigh_their_areas_and_days_count_once():
    """Cell 0 (area 3): 100 soundings of 400 on day 0, one of 402 on day 1. Cell 1 (area 1): 410."""
    sums = groups_of([0] * 101 + [1], [0] * 100 + [1, 0], [400.0] * 100 + [402.0, 410.0])
    found = area_mean(sums, np.array([0, 1, 2]), np.array([3.0, 1.0, 4.0]), shares=(0.5, 1.0))
    assert found.mean == pytest.approx((3 * 401 + 410) / 4)
    assert (found.cells, found.soundings, found.coverage) == (2, 102, 0.5)
    assert (found.low, found.high) == (401, 410)
    assert found.spread == pytest.approx(np.sqrt(3 * 1 / 4 * 3 / 4 / 3 * 81), rel=1e-6)
    assert found.quantiles.tolist() == [401, 410]
    one, two = 402.0, (3 * 400 + 410) / 4  # without day 0 (cell 1 goes with it), without day 1
    assert found.standard_error == pytest.approx(np.sqrt(0.5 * 2 * ((one - two) / 2) ** 2))
    assert area_mean(sums, np.array([0, 1]), np.ones(2), floor=50.0).standard_error == 50.0


def test_with_one_cell_and_few_days_the_jackknife_is_the_usual_standard_error():
    random = np.random.default_rng(3)
    days = np.arange(12).repeat(20)
    means = random.normal(400, 1, 12)
    sums = groups_of(np.zeros(240), days, means.repeat(20))
    found = area_mean(sums, np.array([0]), np.ones(1))
    assert found.standard_error == pytest.approx(means.std(ddof=1) / np.sqrt(12), rel=1e-9)


def test_the_standard_error_is_right_on_average():
    """400 months of 31 days: weather of the day is shared by all cells. The scatter of the means is known."""
    random = np.random.default_rng(4)
    cells, days = np.meshgrid(np.arange(30), np.arange(31))
    errors, means = [], []
    for _ in range(400):
        weather = random.normal(0, 1, 31)
        value = 400 + weather[days] + random.normal(0, 0.3, days.shape)
        found = area_mean(groups_of(cells.ravel(), days.ravel(), value.ravel()), np.arange(30), np.ones(30))
        errors.append(found.standard_error)
        means.append(found.mean)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(means), rel=0.15)


def test_a_region_without_soundings_has_nothing():
    found = area_mean(groups_of([5], [0], [400.0]), np.array([1, 2]), np.ones(2), shares=(0.5,), floor=0.3)
    assert np.isnan([found.mean, found.standard_error, found.spread, found.low, found.quantiles[0]]).all()
    assert (found.cells, found.soundings, found.coverage) == (0, 0, 0.0)
    assert np.isnan(area_mean(groups_of([1], [0], [400.0]), np.array([1]), np.ones(1), floor=0.3).standard_error)
    empty = area_mean(groups_of([1], [0], [400.0]), np.empty(0, dtype=int), np.empty(0))
    assert np.isnan(empty.mean)


def test_days_are_dealt_out_to_groups():
    sums = groups_of([3] * 40, np.arange(40), np.arange(40.0))
    assert (sums.cell == 3 * DAY_GROUPS + np.arange(DAY_GROUPS)).all()
    assert sums.overpasses.sum() == 40


# ------------------------------------------------------------------- results


@pytest.fixture
def made() -> Aggregate:
    values = {
        "mean": np.array([[[400.5, np.nan]], [[401.25, 399.0]]]),
        "soundings": np.array([[[3.0, 0.0]], [[1.0, 2.0]]]),
    }
    attrs = {
        "title": "SIMULATED: x",
        "citation": "Doe,\n2020",
        "comment": "not a measurement",
        "simulated": 1,
        "scale": "X2019",
    }
    span = np.datetime64("2018-11-01", "ns"), np.datetime64("2019-01-01", "ns")
    return Aggregate("xco2", "ppm", "month", (586, 587), span, ("=HYPERLINK(1)",), ("OCO-2", "#GOSAT"), values, attrs)


def test_series_as_csv(made: Aggregate):
    text = made.series_csv()
    assert "# citation: Doe, 2020\n" in text and "# mean: mean of xco2, ppm\n" in text and "# scale: X2019\n" in text
    frame = pd.read_csv(io.StringIO(text), comment="#")
    assert frame.columns.tolist() == ["time", "region", "instrument", "mean", "soundings"]
    assert frame["time"].tolist() == ["2018-11-16T00:00:00Z", "2018-12-16T12:00:00Z", "2018-12-16T12:00:00Z"]
    assert frame["mean"].tolist() == [400.5, 401.25, 399.0]
    assert not frame["region"].str.startswith("=").any()  # nothing that a spreadsheet computes
    assert frame["instrument"].nunique() == 2


def test_series_as_netcdf(made: Aggregate, tmp_path):
    made.write_netcdf(tmp_path / "series.nc")
    with xr.open_dataset(tmp_path / "series.nc") as dataset:
        assert dataset["xco2_mean"].dims == ("time", "region", "instrument")
        assert dataset["xco2_mean"].attrs["units"] == "ppm"
        assert dataset["soundings"].attrs["units"] == "1"
        assert dataset.attrs["citation"] == "Doe,\n2020"
        assert dataset.attrs["simulated"] == 1
        assert dataset["time_bnds"].to_numpy().tolist()[0] == [
            np.datetime64(day, "ns").astype(int) for day in ("2018-11-01", "2018-12-01")
        ]
        np.testing.assert_array_equal(dataset["xco2_mean"], made.values["mean"])


def test_names_of_percentiles():
    assert [percentile_name(percent) for percent in (0, 5, 50, 97.5, 2.5, 100)] == [
        "p00",
        "p05",
        "p50",
        "p97.5",
        "p02.5",
        "p100",
    ]
