"""Means, spreads and standard errors of cells: pandas and SciPy as oracles, values by hand, any division into parts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binned_statistic_2d

from analysis.errors import AnalysisError
from analysis.gridding.cells import cell_numbers, global_grid
from analysis.gridding.maps import layer_values, layers, on_grid, periods_in_order
from analysis.gridding.overpasses import WEIGHTS, OverpassSums, add_cells, add_overpasses, cell_sums, overpass_sums
from analysis.gridding.statistics import PPM_ERROR_FLOOR, cell_mean, error_floor, spread, standard_error

FLOOR = 0.3


def random_soundings(seed: int, count: int, cells: int = 200, days: int = 9) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "period": random.integers(0, 2, count).astype(np.int32),
            "cell": random.integers(-1, cells, count).astype(np.int32),
            "day": random.integers(17_000, 17_000 + days, count).astype(np.int32),
            "value": (400 + random.normal(0, 1, count)).astype(np.float32).astype(float),
            "error": random.uniform(0.1, 2, count),
        }
    )
    frame.loc[::97, "value"] = np.nan
    return frame


def sums_of(frame: pd.DataFrame, floor: float = FLOOR) -> OverpassSums:
    columns = [frame[name].to_numpy() for name in ("period", "cell", "day", "value", "error")]
    return overpass_sums(*columns, error_floor=floor)


def oracle(frame: pd.DataFrame, weights: str) -> pd.DataFrame:
    """The same by pandas, from the definitions."""
    frame = frame[(frame["cell"] >= 0) & frame["value"].notna()].copy()
    frame["error"] = frame["error"].clip(lower=FLOOR)
    frame["w"] = 1 / frame["error"] ** 2
    frame["wx"], frame["v"] = frame["w"] * frame["value"], frame["error"] ** 2
    day = frame.groupby(["period", "cell", "day"])
    passes = pd.DataFrame({"n": day.size(), "v": day["v"].mean(), "x": day["wx"].sum() / day["w"].sum()})
    if weights == "soundings":
        passes["x"] = day["value"].mean()
    passes["W"] = {"overpasses": 1.0, "inverse variance": 1 / passes["v"], "soundings": passes["n"]}[weights]
    passes["Wx"] = passes["W"] * passes["x"]
    cell = passes.groupby(["period", "cell"])
    total = cell["W"].sum()
    mean = cell["Wx"].sum() / total
    passes["residual2"] = (passes["W"] * (passes["x"] - mean.reindex(passes.index.droplevel("day")).to_numpy())) ** 2
    passes["stated"] = passes["W"] ** 2 * passes["v"]
    cell, k = passes.groupby(["period", "cell"]), passes.groupby(["period", "cell"]).size()
    scatter = np.sqrt(k / (k - 1) * cell["residual2"].sum()) / total
    stated = np.sqrt(cell["stated"].sum()) / total
    soundings = frame.groupby(["period", "cell"])["value"]
    return pd.DataFrame(
        {
            "mean": mean,
            "std": soundings.std(),
            "stderr": np.maximum(np.fmax(scatter, stated), FLOOR),
            "n": soundings.size(),
            "k": k,
        }
    )


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("parts", [1, 7])
def test_cells_are_what_pandas_makes_of_them(weights, parts: int):
    frame = random_soundings(1, 20_000)
    pieces = [sums_of(frame.iloc[rows]) for rows in np.array_split(np.arange(len(frame)), parts)]
    sums = cell_sums(add_overpasses(pieces), weights)
    expected = oracle(frame, weights)
    assert list(zip(sums.period, sums.cell, strict=True)) == list(expected.index)
    np.testing.assert_allclose(cell_mean(sums), expected["mean"], rtol=1e-12)
    np.testing.assert_allclose(spread(sums), expected["std"], rtol=1e-9)
    np.testing.assert_allclose(standard_error(sums, FLOOR), expected["stderr"], rtol=1e-7)
    np.testing.assert_array_equal(sums.count, expected["n"])
    np.testing.assert_array_equal(sums.overpasses, expected["k"])


@pytest.mark.parametrize("weights", WEIGHTS)
def test_months_add_up(weights):
    """Parts that share no overpass give the same as all of them at once."""
    whole = sums_of(random_soundings(2, 20_000))
    day = whole.day - whole.day.min()
    parts = [cell_sums(whole.select((low <= day) & (day < high)), weights) for low, high in ((0, 2), (2, 3), (3, 9))]
    together, once = add_cells(parts), cell_sums(whole, weights)
    for field in dataclasses.fields(once):
        np.testing.assert_allclose(getattr(together, field.name), getattr(once, field.name), rtol=1e-8, atol=1e-9)


def test_equal_weights_are_a_plain_binned_mean():
    """SciPy's binned statistics on the globe, with soundings as samples."""
    random = np.random.default_rng(3)
    lon, lat = random.uniform(-180, 180, 50_000), np.degrees(np.arcsin(random.uniform(-1, 1, 50_000)))
    value = 400 + random.normal(0, 2, lon.size)
    grid = global_grid(5)
    zeros = np.zeros(lon.size, dtype=np.int32)
    sums = cell_sums(overpass_sums(zeros, cell_numbers(grid, lon, lat), zeros, value, None), "soundings")
    edges = [np.linspace(-90, 90, 37), np.linspace(-180, 180, 73)]
    for statistic, found in (("mean", cell_mean(sums)), ("count", sums.count), ("min", sums.low), ("max", sums.high)):
        expected = binned_statistic_2d(lat, lon, value, statistic, bins=edges).statistic
        if statistic == "count":
            expected[expected == 0] = np.nan
        np.testing.assert_allclose(on_grid(grid, sums.cell, found), expected.astype(np.float32), rtol=1e-6)


def test_by_hand():
    """Two days over one cell: 100 soundings of 400 +- 0.5 on one, one of 404 +- 1 on the other."""
    day = np.array([1] * 100 + [2], dtype=np.int32)
    value, error = np.array([400.0] * 100 + [404.0]), np.array([0.5] * 100 + [1.0])
    zeros = np.zeros(101, dtype=np.int32)
    overpasses = overpass_sums(zeros, zeros, day, value, error)
    means = {weights: float(cell_mean(cell_sums(overpasses, weights))[0]) for weights in WEIGHTS}
    assert means["overpasses"] == pytest.approx(402)
    assert means["inverse variance"] == pytest.approx((4 * 400 + 404) / 5)
    assert means["soundings"] == pytest.approx((100 * 400 + 404) / 101)
    sums = cell_sums(overpasses)
    assert standard_error(sums)[0] == pytest.approx(np.std([400, 404], ddof=1) / np.sqrt(2))
    assert (sums.count[0], sums.overpasses[0]) == (101, 2)


def test_an_overpass_is_one_sample_however_many_soundings_it_has():
    """The stated error of one overpass does not shrink with its soundings; that of several days does."""
    error = np.full(200, 0.6)
    zeros = np.zeros(200, dtype=np.int32)
    one = cell_sums(overpass_sums(zeros, zeros, zeros, np.full(200, 400.0), error))
    assert standard_error(one)[0] == pytest.approx(0.6)
    days = (np.arange(200) % 4).astype(np.int32)
    four = cell_sums(overpass_sums(zeros, zeros, days, np.full(200, 400.0), error))
    assert standard_error(four)[0] == pytest.approx(0.3)
    assert standard_error(four, 0.4)[0] == 0.4


def test_what_is_not_known_is_not_claimed():
    """One overpass without a stated error has no standard error, not even the floor; one sounding has no spread."""
    zeros = np.zeros(1, dtype=np.int32)
    for error in (None, np.array([np.nan]), np.array([0.0]), np.array([-999999.0]), np.array([np.inf])):
        sums = cell_sums(overpass_sums(zeros, zeros, zeros, np.array([400.0]), error))
        assert np.isnan(standard_error(sums, 0.3)[0])
        assert np.isnan(spread(sums)[0])
        assert cell_mean(sums)[0] == 400
    with pytest.raises(AnalysisError, match="found 1 without; choose weights by overpass"):
        cell_sums(overpass_sums(zeros, zeros, zeros, np.array([400.0]), None), "inverse variance")


def test_an_overpass_that_states_some_errors_counts_all_its_soundings_the_same():
    zeros = np.zeros(2, dtype=np.int32)
    sums = cell_sums(overpass_sums(zeros, zeros, zeros, np.array([400.0, 402.0]), np.array([0.1, np.nan])))
    assert cell_mean(sums)[0] == 401


def test_errors_below_the_floor_are_raised_to_it():
    zeros = np.zeros(2, dtype=np.int32)
    value, error = np.array([400.0, 402.0]), np.array([1e-9, 0.3])
    assert cell_mean(cell_sums(overpass_sums(zeros, zeros, zeros, value, error, error_floor=0.3)))[0] == pytest.approx(
        401
    )
    assert (error_floor("ppm", None), error_floor("W m-2 sr-1 um-1", None), error_floor("ppm", 0.0)) == (
        PPM_ERROR_FLOOR,
        0.0,
        0.0,
    )


def test_no_digits_are_lost_in_front_of_a_small_spread():
    """A spread of 1e-5 about 1e6: sums of squares would have none left."""
    value = 1e6 + 1e-5 * np.array([-1.0, 0.0, 1.0] * 1000)
    zeros = np.zeros(3000, dtype=np.int32)
    parts = [overpass_sums(zeros[:1000], zeros[:1000], zeros[:1000], value[k::3], None) for k in range(3)]
    found = spread(cell_sums(add_overpasses(parts)))[0]
    assert found == pytest.approx(np.std(value - 1e6, ddof=1), rel=1e-4)


def test_nothing_gives_nothing():
    none = np.empty(0, dtype=np.int32)
    sums = cell_sums(add_overpasses([overpass_sums(none, none, none, np.empty(0), None)] * 2))
    assert len(sums) == 0
    assert all(values.size == 0 for values in layer_values(sums, 0.3))
    outside = np.array([-1], dtype=np.int32)
    assert len(overpass_sums(outside, outside, outside, np.array([400.0]), None)) == 0


@given(st.lists(st.integers(0, 199), min_size=0, max_size=6), st.integers(0, 2**32 - 1), st.sampled_from(WEIGHTS))
def test_any_cut_gives_the_same_counts_and_nearly_the_same_means(cuts: list[int], seed: int, weights):
    frame = random_soundings(seed, 200, cells=5, days=3)
    pieces = [sums_of(frame.iloc[rows]) for rows in np.split(np.arange(200), sorted(cuts))]
    found, once = cell_sums(add_overpasses(pieces), weights), cell_sums(sums_of(frame), weights)
    np.testing.assert_array_equal(found.count, once.count)
    np.testing.assert_array_equal(found.overpasses, once.overpasses)
    np.testing.assert_array_equal(found.low, once.low)
    np.testing.assert_allclose(found.mean, once.mean, rtol=1e-12)
    np.testing.assert_allclose(standard_error(found, FLOOR), standard_error(once, FLOOR), rtol=1e-6)


def test_the_same_parts_give_the_same_bits():
    frame = random_soundings(5, 5000)
    pieces = [sums_of(frame.iloc[rows]) for rows in np.array_split(np.arange(5000), 4)]
    before = [part.mean.copy() for part in pieces]
    first, second = (cell_sums(add_overpasses(pieces)) for _ in range(2))
    for field in dataclasses.fields(first):
        assert getattr(first, field.name).tobytes() == getattr(second, field.name).tobytes()
    assert all(
        np.array_equal(part.mean, kept) for part, kept in zip(pieces, before, strict=True)
    )  # parts stay as they were


def test_periods_come_when_they_are_whole():
    months = [586, 587, 588]  # November 2018 to January 2019
    parts = []
    for month in months:
        for piece in range(2):
            frame = random_soundings(month + piece, 500, cells=20)
            frame["period"] = (month + 1) // 3
            parts.append((month, sums_of(frame)))
    asked = []

    def told():
        for month, sums in parts:
            asked.append(month)
            yield month, sums

    found = []

    def month_sums(parts):
        return {"cells": cell_sums(add_overpasses(parts))}

    for number, sums in periods_in_order(told(), month_sums, {"cells": add_cells}, every="season", last_month=588):
        found.append((number, asked[-1], int(sums["cells"].count.sum())))
    counts = [int(sums.count.sum()) for _, sums in parts]
    assert found == [(195, 587, sum(counts[:2])), (196, 588, sum(counts[2:]))]


def test_what_a_map_shows():
    names = [variable.name for variable in layers("xco2", "ppm", "")]
    assert names == ["xco2", "xco2_spread", "xco2_stderr", "n_soundings", "n_days"]
    assert "dry-air mole fraction" in layers("xco2", "ppm", "")[0].long_name
    assert layers("sif_740nm", "W", "SIF")[2].long_name == "standard error of the mean SIF"
