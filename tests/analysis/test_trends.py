"""Trend, season and growth rate: known curves, the error's honesty, and NOAA's own published figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import AnalysisError, SeriesTooShort
from analysis.statistics.trends import (
    LONG_TERM_YEARS,
    SHORT_TERM_YEARS,
    decimal_year,
    fit_series,
    growth_rate,
    harmonic_terms,
)


def months(first: str, count: int) -> np.ndarray:
    return (np.datetime64(first, "M") + np.arange(count)).astype("datetime64[D]") + 14


def cycle(years: np.ndarray) -> np.ndarray:
    """Peak-to-trough exactly 6.0, maximum at the end of April."""
    return 3.0 * np.cos(2 * np.pi * (years - 0.325))


def test_decimal_year_of_known_times():
    times = np.array(["2015-01-01", "2016-07-02", "2021-12-31T12", "NaT", "1958-01-01"], dtype="datetime64[ns]")
    expected = [2015.0, 2016.5, 2022 - 0.5 / 365, np.nan, 1958.0]
    assert decimal_year(times) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("count", [24, 84])
def test_line_and_cycle_are_recovered_exactly(count: int):
    times = months("2015-01", count)
    years = decimal_year(times)
    fit = fit_series(times, 400 + 2.3 * (years - 2015) + cycle(years))
    assert fit.growth_ppm_per_year == pytest.approx(2.3, abs=1e-9)
    assert fit.growth_standard_error == pytest.approx(0, abs=1e-6)
    assert fit.trend == pytest.approx(400 + 2.3 * (years - 2015), abs=1e-6)
    assert fit.seasonal == pytest.approx(cycle(years), abs=1e-6)
    assert fit.residual == pytest.approx(np.zeros(count), abs=1e-6)
    assert fit.amplitude == pytest.approx(6.0, abs=1e-3)
    assert fit.month_of_maximum == 4
    assert fit.growth_by_year == pytest.approx(dict.fromkeys(range(2015, 2015 + count // 12), 2.3), abs=1e-6)
    assert fit.n == count


def test_growth_that_speeds_up_is_followed_year_by_year():
    times = months("2010-01", 120)
    years = decimal_year(times)
    fit = fit_series(times, 390 + 2.0 * (years - 2010) + 0.05 * (years - 2010) ** 2 + cycle(years))
    rates = {year: 2.0 + 0.05 * (2 * (year - 2010) + 1) for year in range(2010, 2020)}
    assert fit.growth_by_year == pytest.approx(rates, abs=1e-6)
    assert fit.method.startswith("quadratic")


@pytest.mark.parametrize("period", [SHORT_TERM_YEARS, LONG_TERM_YEARS])
def test_filters_pass_half_at_their_period(period: float):
    times = np.datetime64("1990-01-01") + np.arange(0, 365 * 30, 7)
    wave = np.sin(2 * np.pi * (decimal_year(times) - 1990) / period)
    fit = fit_series(times, 400 + wave, harmonics=0)
    kept = fit.trend if period == LONG_TERM_YEARS else fit.fitted
    inner = slice(200, -200)
    assert np.ptp(kept[inner]) / np.ptp(wave[inner]) == pytest.approx(0.5, abs=0.02)


def test_interannual_swing_goes_to_the_trend_and_a_bad_month_to_the_residual():
    times = months("2000-01", 240)
    years = decimal_year(times)
    swing = np.sin(2 * np.pi * years / 6)
    values = 370 + 2 * (years - 2000) + swing + cycle(years)
    values[100] += 5
    fit = fit_series(times, values)
    inner = np.r_[24:88, 112:216]
    assert fit.trend[inner] == pytest.approx((370 + 2 * (years - 2000) + swing)[inner], abs=0.12)
    assert fit.residual[100] > 1.5  # the short-term filter follows a third of a single bad month, the trend a tenth
    assert abs(fit.trend[100] - (370 + 2 * (years - 2000) + swing)[100]) < 0.5


@given(st.data())
def test_adding_a_line_changes_growth_and_nothing_else(data: st.DataObject):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    times = months("2009-06", data.draw(st.integers(24, 150)))
    years = decimal_year(times)
    values = 400 + rng.normal(0, 1, times.size) + cycle(years)
    values[rng.random(times.size) < data.draw(st.sampled_from([0.0, 0.2]))] = np.nan
    level, slope = data.draw(st.floats(-50, 50)), data.draw(st.floats(-5, 5))
    plain, tilted = fit_series(times, values), fit_series(times, values + level + slope * (years - 2015))
    assert tilted.growth_ppm_per_year == pytest.approx(plain.growth_ppm_per_year + slope, abs=1e-7)
    assert tilted.growth_standard_error == pytest.approx(plain.growth_standard_error, abs=1e-7)
    assert tilted.amplitude == pytest.approx(plain.amplitude, abs=1e-7)
    assert tilted.residual == pytest.approx(plain.residual, abs=1e-7, nan_ok=True)
    assert tilted.growth_by_year == pytest.approx(
        {year: rate + slope for year, rate in plain.growth_by_year.items()}, abs=1e-6
    )


@given(st.integers(0, 2**32 - 1))
def test_order_does_not_matter_and_missing_is_absent(seed: int):
    rng = np.random.default_rng(seed)
    times = np.datetime64("2014-09-06") + np.sort(rng.integers(0, 2500, 150))
    values = 400 + rng.normal(0, 1, times.size)
    values[rng.random(times.size) < 0.3] = np.nan
    fit = fit_series(times, values)
    order = rng.permutation(times.size)
    shuffled, kept = (
        fit_series(times[order], values[order]),
        fit_series(times[~np.isnan(values)], values[~np.isnan(values)]),
    )
    assert (fit.times == np.sort(times)).all()
    for other in (shuffled, kept):
        assert other.growth_ppm_per_year == pytest.approx(fit.growth_ppm_per_year, abs=1e-9)
        assert other.growth_standard_error == pytest.approx(fit.growth_standard_error, abs=1e-9)
    finite = ~np.isnan(fit.values)
    assert fit.n == finite.sum()
    assert fit.trend[finite] == pytest.approx(kept.trend, abs=1e-9)
    assert (fit.trend + fit.seasonal + fit.residual)[finite] == pytest.approx(fit.values[finite], abs=1e-9)
    assert np.isnan(fit.residual[~finite]).all()


@pytest.mark.parametrize("phi", [0.0, 0.7])
def test_standard_error_is_the_real_scatter_of_slopes(phi: float):
    """400 series of red noise: the scatter of their slopes is what the standard error says, unlike the textbook's."""
    rng = np.random.default_rng(5)
    number = np.arange(84)
    years = 2015 + (number + 0.5) / 12
    slopes, errors, naive = [], [], []
    for _ in range(400):
        shocks = rng.normal(0, 1, 184)
        noise = np.zeros(184)
        for i in range(1, 184):
            noise[i] = phi * noise[i - 1] + shocks[i]
        slope, error = growth_rate(number, years, noise[100:], harmonics=2)
        slopes.append(slope)
        errors.append(error)
        naive.append(noise[100:].std() / np.sqrt(84) / years.std())
    assert np.mean(errors) == pytest.approx(np.std(slopes), rel=0.15)
    assert 0.87 <= np.mean(np.abs(slopes) < 1.96 * np.array(errors)) <= 0.98
    if phi:
        assert np.mean(naive) < 0.6 * np.std(slopes)


def test_short_and_gappy_series_get_a_line_not_a_filter():
    times = months("2015-01", 84)
    years = decimal_year(times)
    values = 400 + 2.3 * (years - 2015) + cycle(years)
    values[30:40] = np.nan
    fit = fit_series(times, values)
    assert fit.method.startswith("line, 2 yearly harmonics")
    assert np.polyfit(years, fit.trend, 1)[0] == pytest.approx(fit.growth_ppm_per_year)
    assert fit.growth_ppm_per_year == pytest.approx(2.3)
    assert sorted(fit.growth_by_year) == [2015, 2016, 2019, 2020, 2021]  # New Year 2018 fell into the gap
    assert np.isfinite(fit.fitted[30:40]).all() and np.isnan(fit.residual[30:40]).all()


def test_polar_night_is_not_extrapolated():
    """A cell seen from April to September only: season fitted with fewer terms, told for those months alone."""
    times = months("2015-01", 84)
    years = decimal_year(times)
    calendar = times.astype("datetime64[M]").astype(int) % 12 + 1
    values = np.where((calendar >= 4) & (calendar <= 9), 400 + 2.3 * (years - 2015) + cycle(years), np.nan)
    fit = fit_series(times, values)
    assert fit.growth_ppm_per_year == pytest.approx(2.3)
    assert fit.month_of_maximum == 4
    assert 5.0 < fit.amplitude < 6.01


def test_only_two_calendar_months_leave_no_season():
    times = months("2000-01", 144)
    years = decimal_year(times)
    calendar = times.astype("datetime64[M]").astype(int) % 12 + 1
    fit = fit_series(times, np.where(calendar <= 2, 370 + 2.0 * (years - 2000), np.nan))
    assert fit.growth_ppm_per_year == pytest.approx(2.0)
    assert np.isnan(fit.amplitude) and fit.month_of_maximum is None
    assert "no seasonal cycle" in fit.method


def test_values_before_the_first_and_after_the_last_are_not_invented():
    times = months("2014-01", 108)
    years = decimal_year(times)
    values = np.where((years > 2015) & (years < 2022), 400 + 2 * (years - 2015), np.nan)
    fit = fit_series(times, values)
    assert np.isnan(fit.fitted[:12]).all() and np.isnan(fit.trend[-12:]).all()
    assert np.isfinite(fit.fitted[12:-12]).all()


@pytest.mark.parametrize(
    ("times", "values", "found"),
    [
        (months("2018-01", 11), np.full(11, 400.0), "values in 11 months over 0.8 years"),
        (months("2018-01", 17), np.full(17, 400.0), "values in 17 months over 1.3 years"),
        (months("2018-01", 84), np.full(84, np.nan), "no values at all"),
        (months("2018-01", 0), np.zeros(0), "no values at all"),
        (np.full(30, np.datetime64("NaT")), np.full(30, 400.0), "no values at all"),
        (np.datetime64("2018-01-01") + np.arange(300), np.full(300, 400.0), "values in 10 months"),
    ],
)
def test_too_short_series_say_so(times: np.ndarray, values: np.ndarray, found: str):
    with pytest.raises(SeriesTooShort, match=found) as caught:
        fit_series(times, values)
    assert isinstance(caught.value, AnalysisError)
    assert str(caught.value).startswith("expected values in at least 12 months over at least 1.5 years")


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="same length"):
        fit_series(months("2018-01", 30), np.zeros(29))
    with pytest.raises(ValueError, match="harmonics"):
        fit_series(months("2018-01", 30), np.zeros(30), harmonics=-1)


def test_constant_series():
    fit = fit_series(months("2015-01", 84), np.full(84, 400.0))
    assert fit.growth_ppm_per_year == pytest.approx(0, abs=1e-9)
    assert fit.growth_standard_error == pytest.approx(0, abs=1e-9)
    assert fit.amplitude == pytest.approx(0, abs=1e-9)


def test_harmonic_terms_are_orthogonal_over_a_year():
    terms = harmonic_terms(np.arange(12) / 12, 2)
    assert terms.shape == (12, 4)
    assert terms.T @ terms == pytest.approx(6 * np.eye(4), abs=1e-12)


def noaa_global(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, pd.DataFrame]:
    """Times, monthly means and seasonally adjusted means of NOAA's global average, and its annual increases."""
    rows = [line.split(",") for line in (folder / "co2-mm-gl.csv").read_text().split()[1:] if line[0].isdigit()]
    times = np.array([row[0] for row in rows], dtype="datetime64[M]").astype("datetime64[D]") + 14
    increase = pd.read_csv(folder / "co2-gr-gl.csv", index_col="Year")
    return times, np.array([float(row[2]) for row in rows]), np.array([float(row[4]) for row in rows]), increase


def test_annual_increases_agree_with_noaa(real: Path):
    """1980-2024 from the whole record: every year within two of NOAA's uncertainties, together well within one."""
    times, values, adjusted, increase = noaa_global(real / "surface" / "noaa_trends")
    fit = fit_series(times, values)
    ours = pd.Series(fit.growth_by_year).loc[1980:2024]
    published = increase.loc[1980:2024]
    assert len(ours) == 45
    deviation = (ours - published["Annual Increase"]) / published["Uncertainty"]
    assert np.sqrt((deviation**2).mean()) < 0.5
    assert deviation.abs().max() < 2
    assert np.sqrt(np.mean((fit.values - fit.seasonal - adjusted) ** 2)) < 0.25
    assert fit.month_of_maximum == 4 and 4.0 < fit.amplitude < 5.0


def test_seven_years_alone_give_noaa_growth(real: Path):
    """2015-2021, as long as a cube: mean growth within its standard error, inner years within NOAA's uncertainties."""
    times, values, _, increase = noaa_global(real / "surface" / "noaa_trends")
    period = (times >= np.datetime64("2015-01")) & (times < np.datetime64("2022-01"))
    fit = fit_series(times[period], values[period])
    published = increase.loc[2015:2021]
    assert sorted(fit.growth_by_year) == list(range(2015, 2022))
    deviation = pd.Series(fit.growth_by_year) - published["Annual Increase"]
    assert (deviation.abs() < published["Uncertainty"]).loc[2016:2020].all()
    assert deviation.abs().max() < 0.2  # the two ends lie outside the data
    assert abs(fit.growth_ppm_per_year - published["Annual Increase"].mean()) < fit.growth_standard_error
    assert 0.02 < fit.growth_standard_error < 0.2


def test_dense_gappy_tccon_record(real: Path):
    """Park Falls, 22,000 retrievals on the days with overpasses: growth as NOAA's global mean of those years."""
    table = pd.read_csv(
        real / "tccon" / "ggg2014_overpass_csv" / "parkfalls01_tccon.csv", parse_dates=["tccon_datetime"]
    )
    fit = fit_series(table["tccon_datetime"].to_numpy(), table["tccon_xco2"].to_numpy())
    assert fit.n == len(table) == fit.times.size
    increase = pd.read_csv(real / "surface" / "noaa_trends" / "co2-gr-gl.csv", index_col="Year")["Annual Increase"]
    expected = increase.loc[2005:2016].mean()
    assert abs(fit.growth_ppm_per_year - expected) < 0.1
    assert 7 < fit.amplitude < 12  # boreal forest: about 9 ppm
    assert fit.month_of_maximum in (3, 4, 5)
    assert np.nanstd(fit.residual) < 1.5


@pytest.mark.parametrize(("name", "rmse", "first", "last"), [("Hefei", 0.98, 2016, 2024), ("Burgos", 0.67, 2017, 2023)])
def test_monthly_tccon_sites_in_asia(real: Path, name: str, rmse: float, first: int, last: int):
    """The curve is nearer than line + 2 harmonics predict left-out years (0.98, 0.67 ppm); growth is the global one."""
    table = pd.read_csv(real / "tccon" / "monthly_asia" / f"TCCON_{name}_12-14h_monthly.csv", parse_dates=["time"])
    fit = fit_series(table["time"].to_numpy(), table["XCO2"].to_numpy())
    assert np.sqrt(np.nanmean(fit.residual**2)) < rmse
    increase = pd.read_csv(real / "surface" / "noaa_trends" / "co2-gr-gl.csv", index_col="Year")["Annual Increase"]
    assert abs(fit.growth_ppm_per_year - increase.loc[first:last].mean()) < 3 * fit.growth_standard_error
