"""Daily emissions: sums by hand, leap days, gaps, and what Carbon Monitor's own table says of itself."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import AnalysisError
from analysis.statistics.emissions import (
    DailyEmissions,
    annual_totals,
    by_year,
    is_group,
    monthly_mean,
    newest_year_to_date,
    running_mean,
    shares,
    values_year_before,
    without_parts,
    year_before,
    year_to_date,
    year_to_date_change,
)


def days(first: str, last: str) -> np.ndarray:
    return np.arange(np.datetime64(first), np.datetime64(last) + 1)


def table(rows: list[tuple[str, str, str, float]]) -> DailyEmissions:
    time, country, sector, value = zip(*rows, strict=True)
    return DailyEmissions.from_rows(
        np.array(time, dtype="datetime64[ns]"), np.array(country), np.array(sector), np.array(value)
    )


SMALL = table(
    [
        ("2024-01-01", "China", "Power", 10.0),
        ("2024-01-01", "China", "Industry", 5.0),
        ("2024-01-01", "Germany", "Power", 1.0),
        ("2024-01-01", "EU27 & UK", "Power", 3.0),
        ("2024-01-01", "WORLD", "Power", 20.0),
        ("2024-01-01", "WORLD", "Industry", 9.0),
        ("2024-01-03", "China", "Power", 12.0),
        ("2024-01-03", "WORLD", "Power", 22.0),
        ("2024-01-03", "WORLD", "Industry", 8.0),
    ]
)


# --------------------------------------------------------------------------------------------------------------- sums
def test_a_sum_is_known_where_all_of_its_parts_are():
    assert SMALL.days.tolist() == [dt.date(2024, 1, day) for day in (1, 2, 3)]
    assert SMALL.total(["China"])[0] == 15.0
    assert np.isnan(SMALL.total(["China"])[1:]).all()  # nothing on the 2nd, no industry on the 3rd
    assert SMALL.total(["China"], ["Power"])[[0, 2]].tolist() == [10.0, 12.0]
    assert SMALL.total(["Germany"])[0] == 1.0  # never had industry: that counts as none
    assert np.isnan(SMALL.total([])).all() and np.isnan(SMALL.total(["China"], [])).all()


def test_what_is_part_of_another_country_is_counted_once():
    assert without_parts(["Germany", "EU27 & UK", "China", "China"]) == ("EU27 & UK", "China")
    assert without_parts(["China", "WORLD"]) == ("WORLD",)
    assert without_parts(["United Kingdom", "EU27"]) == ("United Kingdom", "EU27")
    assert SMALL.total(["Germany", "EU27 & UK"], ["Power"])[0] == 3.0
    assert SMALL.total(["WORLD", "China"])[0] == 29.0
    assert [is_group(name) for name in ("WORLD", "ROW", "EU27", "Japan")] == [True, True, True, False]


def test_the_last_of_rows_that_say_the_same_thing_holds():
    twice = table([("2024-01-01", "China", "Power", 1.0), ("2024-01-01", "China", "Power", 2.0)])
    assert twice.total(["China"]).tolist() == [2.0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_table_without_numbers_is_a_sentence(value):
    with pytest.raises(AnalysisError, match="found no row with a day and a number"):
        table([("2024-01-01", "China", "Power", value)])


def test_unknown_names_are_a_sentence():
    with pytest.raises(AnalysisError, match=r"expected a country of the table \(China, .*found 'Atlantis'"):
        SMALL.total(["Atlantis"])
    with pytest.raises(AnalysisError, match="expected a sector of the table"):
        SMALL.total(["China"], ["Magic"])


def test_shapes_and_days_are_checked():
    with pytest.raises(ValueError, match="shape"):
        DailyEmissions(days("2024-01-01", "2024-01-02"), ("China",), ("Power",), np.zeros((1, 1, 1)))
    with pytest.raises(ValueError, match="consecutive"):
        DailyEmissions(
            np.array(["2024-01-01", "2024-01-03"], "datetime64[D]"), ("China",), ("Power",), np.zeros((2, 1, 1))
        )


# --------------------------------------------------------------------------------------------------------------- means
def test_running_mean_looks_back_over_whole_weeks_only():
    values = np.arange(10.0)
    mean = running_mean(values)
    assert np.isnan(mean[:6]).all() and mean[6:].tolist() == [3.0, 4.0, 5.0, 6.0]
    values[2] = np.nan
    assert np.isnan(running_mean(values)[:9]).all() and running_mean(values)[9] == 6.0
    assert np.isnan(running_mean(np.ones(3))).all()
    weekly = np.tile([1.0, 1, 1, 1, 1, 5, 5], 8)
    assert np.ptp(running_mean(weekly)[6:]) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="at least one day"):
        running_mean(values, 0)


def test_monthly_mean_needs_every_day():
    when = days("2024-01-01", "2024-03-30")
    values = np.where(when < np.datetime64("2024-02-01"), 2.0, 3.0)
    months, means = monthly_mean(when, values)
    assert months.astype(str).tolist() == ["2024-01", "2024-02", "2024-03"]
    assert means[:2].tolist() == [2.0, 3.0] and np.isnan(means[2])  # 31 March is missing
    assert len(monthly_mean(when[:0], values[:0])[0]) == 0


def test_year_to_date_stops_at_the_first_missing_day():
    when = days("2022-12-31", "2023-01-04")
    assert year_to_date(when, np.array([9.0, 1, 2, np.nan, 4])).tolist()[1:3] == [1.0, 3.0]
    assert np.isnan(year_to_date(when, np.array([9.0, 1, 2, np.nan, 4]))[[0, 3, 4]]).all()


# --------------------------------------------------------------------------------------------------- the year before
def test_the_same_day_of_the_year_before_around_leap_days():
    when = np.array(["2024-02-28", "2024-02-29", "2024-03-01", "2025-02-28", "2025-03-01"], "datetime64[D]")
    expected = ["2023-02-28", "NaT", "2023-03-01", "2024-02-28", "2024-03-01"]
    assert year_before(when).astype(str).tolist() == expected


@given(st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31)))
def test_the_year_before_agrees_with_the_calendar(day: dt.date):
    found = year_before(np.array([day], "datetime64[D]"))[0]
    try:
        expected = day.replace(year=day.year - 1)
    except ValueError:
        assert np.isnat(found) and (day.month, day.day) == (2, 29)
    else:
        assert found.astype(dt.date) == expected


def test_steady_emissions_do_not_change_in_a_leap_year():
    when = days("2023-01-01", "2025-12-31")
    change, in_percent = year_to_date_change(when, np.full(len(when), 4.0))
    assert np.isnan(change[:365]).all()
    assert np.abs(change[365:]).max() == 0 and np.abs(in_percent[365:]).max() == 0
    newest = newest_year_to_date(when[: 365 + 200], np.full(565, 4.0))
    assert newest is not None
    assert (newest.days, newest.missing, newest.change, newest.percent) == (199, 0, 0.0, 0.0)


def test_year_to_date_change_by_hand():
    when = days("2023-01-01", "2024-01-04")
    values = np.full(len(when), 10.0)
    values[-4:] = [11.0, 12.0, np.nan, 8.0]
    change, in_percent = year_to_date_change(when, values)
    assert change[-4:].tolist() == [1.0, 3.0, 3.0, 1.0]  # the missing day changes nothing
    assert in_percent[-4:] == pytest.approx([10.0, 15.0, 15.0, 100 / 30])
    newest = newest_year_to_date(when, values)
    assert newest is not None and str(newest.last) == "2024-01-04"
    assert (newest.year, newest.total, newest.before, newest.days, newest.missing) == (2024, 31.0, 30.0, 3, 1)
    assert values_year_before(when, values)[-1] == 10.0


def test_what_cannot_be_compared():
    when = days("2024-03-01", "2024-03-05")
    assert newest_year_to_date(when, np.ones(5)) is None
    assert newest_year_to_date(when, np.full(5, np.nan)) is None
    assert np.isnan(year_to_date_change(when, np.ones(5))[1]).all()
    zero = days("2023-01-01", "2024-01-01")
    newest = newest_year_to_date(zero, np.where(zero < np.datetime64("2024-01-01"), 0.0, 1.0))
    assert newest is not None and newest.change == 1.0 and np.isnan(newest.percent)  # no percentage of nothing


# ---------------------------------------------------------------------------------------------------- years and shares
def test_annual_totals_say_whether_the_year_is_whole():
    when = days("2023-01-01", "2024-02-29")
    first, second = annual_totals(when, np.ones(len(when)))
    assert (first.year, first.total, first.days, first.complete) == (2023, 365.0, 365, True)
    assert (second.year, second.total, second.days, second.complete) == (2024, 60.0, 60, False)


def test_years_stand_on_the_same_calendar_days():
    when = days("2023-01-01", "2024-12-31")
    years = by_year(when, (when - when[0]).astype(float))
    assert sorted(years) == [2023, 2024]
    assert np.isnan(years[2023][59]) and years[2024][59] == 365 + 59  # 29 February
    assert years[2023][365] == 364 and years[2024][365] == 365 + 365


def test_shares_sum_to_a_hundred():
    parts = shares({"a": np.array([1.0, np.nan, 0.0]), "b": np.array([3.0, 1.0, 0.0])})
    assert parts["a"][0] == 25.0 and parts["b"][0] == 75.0
    assert np.isnan(parts["a"][1:]).all() and np.isnan(parts["b"][1:]).all()


# ----------------------------------------------------------------------------------------------------------- real file
@pytest.fixture(scope="module")
def carbon_monitor(real: Path) -> DailyEmissions:
    from data.readers.emission_tables import read_carbon_monitor

    rows = read_carbon_monitor(real / "emissions" / "carbon_monitor_daily" / "carbon_monitor_global.csv").dataset
    return DailyEmissions.from_rows(
        *(rows[name].to_numpy() for name in ("time", "country", "sector", "co2_mt_per_day"))
    )


def test_the_real_world_is_the_sum_of_its_parts(carbon_monitor: DailyEmissions):
    everyone = [name for name in carbon_monitor.countries if name != "WORLD"]
    parts, world = carbon_monitor.total(everyone), carbon_monitor.total(["WORLD"])
    known = np.isfinite(world)
    assert known.sum() == 425
    assert parts[known] == pytest.approx(world[known], abs=1e-3)


def test_real_changes_on_the_year_before(carbon_monitor: DailyEmissions):
    import pandas as pd

    when, china = carbon_monitor.days, carbon_monitor.total(["China"])
    newest = newest_year_to_date(when, china)
    assert newest is not None and str(newest.last) == "2024-07-31"
    assert (newest.days, newest.missing) == (212, 0)  # 213 days less 29 February
    by_hand = pd.Series(china, index=pd.to_datetime(when))
    this, last = by_hand["2024-01-01":"2024-07-31"], by_hand["2023-01-01":"2023-07-31"]
    this = this.drop(pd.Timestamp("2024-02-29"))
    assert newest.change == pytest.approx(this.sum() - last.sum(), rel=1e-12)
    assert year_to_date_change(when, china)[0][-1] == pytest.approx(newest.change, rel=1e-12)
    assert np.isnan(running_mean(china)[365:371]).all()  # the file has nothing from August to December 2023
    assert np.isfinite(running_mean(china)[371])


# ------------------------------------------------------------------------------------------------------ simulated world
def test_the_simulated_world_emits_what_its_cities_and_plants_do():
    from analysis.world.daily_emissions import simulated_emissions
    from data import geography

    first = simulated_emissions(first=np.datetime64("2018-01-01"), last=np.datetime64("2018-12-31"))
    tables = geography.cities(), geography.power_plants()
    assert first.total(["WORLD"]).sum() == pytest.approx(sum(t["co2_mt_per_year"].sum() for t in tables), rel=0.03)
    everyone = [name for name in first.countries if name != "WORLD"]
    np.testing.assert_allclose(first.total(everyone), first.total(["WORLD"]), rtol=1e-12)
    plants = tables[1].groupby("country")["co2_mt_per_year"].sum()
    assert first.total(["India"], ["Power"]).sum() == pytest.approx(plants["India"], rel=0.06)
    home = first.total(["China"], ["Residential"])
    assert home[:31].mean() > 1.8 * home[180:211].mean()  # winter
    again = simulated_emissions(first=np.datetime64("2018-01-01"), last=np.datetime64("2018-12-31"))
    np.testing.assert_array_equal(first.values, again.values)
