"""Fluxes over time: what a run emits is what the fields say, whatever its steps; days, nights and repeated years."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.grids import Box, ecmwf_levels, refined, uniform
from analysis.surface_fluxes import FluxInventory, FluxProblem, FluxSeries
from analysis.surface_fluxes.diurnal import gross_uptake, mean_over
from analysis.surface_fluxes.inventory import in_year
from analysis.surface_fluxes.series import DAY_S
from analysis.transport.fluxes import air_mass
from analysis.transport.sources import DRY_AIR_MOLAR_MASS, with_diurnal_cycle
from analysis.transport.step import State

GRID = uniform("30x30")
MONTHS = np.arange("2015-01", "2016-02", dtype="datetime64[M]").astype("datetime64[s]")


def months(*names: str, seed: int = 0, **options) -> FluxInventory:
    """A year of months with random fluxes; emissions are positive, every seventh of them zero."""
    rng = np.random.default_rng(seed)
    fluxes = {}
    for name in names or ("biosphere", "ocean", "fossil", "fire"):
        values = rng.normal(size=(12, *GRID.shape)) * 1e-7
        if name in ("fossil", "fire"):
            values = np.abs(values)
            values[rng.random(values.shape) < 1 / 7] = 0
        fluxes[name] = values
    return FluxInventory.of(GRID, MONTHS, fluxes, source="simulated months", simulated=True, **options)


def moment(text: str) -> np.datetime64:
    return np.datetime64(text, "s")


def test_constant_within_an_interval_and_exact_over_any_time():
    inventory = months()
    series = inventory.components["ocean"][0]
    np.testing.assert_array_equal(inventory.at(moment("2015-03-01"))["ocean"], series.values(2))
    np.testing.assert_array_equal(inventory.at(moment("2015-03-31T23:59:59"))["ocean"], series.values(2))
    mean = inventory.mean(moment("2015-03-31"), 3 * DAY_S)["ocean"]
    np.testing.assert_allclose(mean, (series.values(2) + 2 * series.values(3)) / 3, rtol=1e-13)


@pytest.mark.parametrize("repeat", [None, 2015])
def test_smooth_in_time_keeps_the_means_of_the_months_exactly(repeat):
    inventory = months(smooth=True, repeat_year=repeat)
    for number in range(12):
        length = (MONTHS[number + 1] - MONTHS[number]) / np.timedelta64(1, "s")
        steps = np.arange(0, length, 7 * 3600.0)  # steps that fit neither the days nor the months
        total = {name: np.zeros(GRID.shape) for name in inventory.components}
        for since in steps:
            seconds = min(7 * 3600.0, length - since)
            for name, mean in inventory.mean(MONTHS[number] + np.timedelta64(int(since), "s"), seconds).items():
                total[name] += mean * seconds
        for name, sums in total.items():
            expected = inventory.components[name][0].values(number)
            np.testing.assert_allclose(sums / length, expected, rtol=1e-12, atol=1e-20)


def test_smooth_is_continuous_and_does_not_make_emissions_negative():
    inventory = months(smooth=True)
    second = np.timedelta64(1, "s")
    days = MONTHS[0] + np.arange(365) * np.timedelta64(1, "D")
    for name in ("fossil", "fire"):
        assert min(inventory.at(day)[name].min() for day in days) >= -1e-22
    for edge in MONTHS[1:-1]:
        before, after = inventory.at(edge - second), inventory.at(edge)
        stepped = np.abs(replace(inventory, smooth=False).at(edge - second)["ocean"] - after["ocean"]).max()
        for name in before:
            assert np.abs(after[name] - before[name]).max() < 1e-11
        assert stepped > 1e-8
    year = replace(inventory, repeat_year=2015)
    assert np.abs(year.at(moment("2015-12-31T23:59:59"))["fire"] - year.at(moment("2016-01-01"))["fire"]).max() < 1e-11


@given(st.floats(0, 364 * DAY_S), st.floats(1, 20 * DAY_S), st.booleans(), st.integers(2, 6))
def test_parts_of_a_time_add_up(since, seconds, smooth, parts):
    inventory = months("biosphere", smooth=smooth, repeat_year=2015)
    start = MONTHS[0].astype("datetime64[ns]") + np.timedelta64(round(since * 1e9), "ns")
    whole = inventory.mean(start, seconds)["biosphere"]
    step = seconds / parts
    pieces = [
        inventory.mean(start + np.timedelta64(round(k * step * 1e9), "ns"), step)["biosphere"] for k in range(parts)
    ]
    np.testing.assert_allclose(sum(pieces) / parts, whole, rtol=1e-6, atol=1e-15)


def test_sources_emit_what_the_months_hold_whatever_the_step():
    inventory = months(smooth=True)
    sources = inventory.sources({"fossil": 0, "fire": 2, "ocean": 2})
    air = air_mass(GRID, ecmwf_levels(25), np.full(GRID.shape, 98_000.0))
    state = State.of(np.zeros((*air.shape, 3)), air, np.float64)
    step = 5 * 3600.0 + 1800.0
    start, steps = moment("2015-01-10"), 700
    for number in range(steps):
        middle = start + np.timedelta64(int((number + 0.5) * step), "s")
        for process in sources(middle, step):
            process(state, step)
    mean = inventory.mean(start, steps * step)
    moles = {name: float((values * GRID.area).sum()) * steps * step for name, values in mean.items()}
    expected = np.array([moles["fossil"], 0.0, moles["fire"] + moles["ocean"]]) * DRY_AIR_MOLAR_MASS * 1e6
    np.testing.assert_allclose(state.total(), expected, rtol=1e-12)


def test_two_series_of_a_component_add_up():
    inventory = months("fossil")
    one = inventory.components["fossil"][0]
    both = FluxInventory(GRID, {"fossil": [one, one]})
    np.testing.assert_array_equal(both.at(moment("2015-05-05"))["fossil"], 2 * one.values(4))
    assert both.annual_totals()["fossil"] == pytest.approx(2 * inventory.annual_totals()["fossil"])


def test_totals_are_those_of_the_calendar_year():
    area = GRID.area.sum()
    flux = np.stack([np.full(GRID.shape, value) for value in (1e-8, 3e-8)])
    edges = np.array(["2015-01-01", "2016-01-01", "2017-01-01"], dtype="datetime64[s]")
    inventory = FluxInventory.of(GRID, edges, {"fossil": flux}, source="two years", simulated=True)
    per_day = area * DAY_S * 12.011e-15
    assert inventory.annual_totals(2015)["fossil"] == pytest.approx(1e-8 * 365 * per_day)
    assert inventory.annual_totals(2016)["fossil"] == pytest.approx(3e-8 * 366 * per_day)
    rate = (1e-8 * 365 + 3e-8 * 366) / 731 * 365.2425 * per_day
    assert inventory.annual_totals()["fossil"] == pytest.approx(rate)
    assert replace(inventory, repeat_year=2015).annual_totals(2030)["fossil"] == pytest.approx(1e-8 * 365 * per_day)
    with pytest.raises(FluxProblem, match="2017 needs all of it"):
        inventory.annual_totals(2017)


@pytest.mark.parametrize(
    "asked, year, found",
    [
        ("2031-07-04T12:30", 2015, "2015-07-04T12:30"),
        ("2016-02-29T06:00", 2015, "2015-02-28T06:00"),
        ("2016-02-29T06:00", 2020, "2020-02-29T06:00"),
        ("1999-12-31T23:59:59", 2015, "2015-12-31T23:59:59"),
    ],
)
def test_days_of_a_repeated_year(asked, year, found):
    assert in_year(moment(asked), year) == moment(found)


def test_a_repeated_year_says_so_and_needs_the_whole_year():
    inventory = months("fire", repeat_year=2015)
    np.testing.assert_allclose(
        inventory.mean(moment("2022-12-31T12:00"), DAY_S)["fire"],
        (inventory.components["fire"][0].values(11) + inventory.components["fire"][0].values(0)) / 2,
        rtol=1e-14,
    )
    assert "2015 in every year" in inventory.label and "simulated" in inventory.label
    inventory.check(moment("1990-01-01"), moment("2050-01-01"))
    with pytest.raises(FluxProblem, match=r"no fire flux from 2016-01-01.*to repeat it"):
        months("fire", repeat_year=2016)


# -- days and nights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1.0, 3.0, 7.0])
def test_the_diurnal_cycle_keeps_the_days_to_rounding(hours):
    inventory = months("biosphere", diurnal=True)
    plain = replace(inventory, diurnal=False)
    for start in ("2015-01-20", "2015-06-21", "2015-09-30"):
        total, since = np.zeros(GRID.shape), 0.0
        while since < DAY_S:
            seconds = min(hours * 3600, DAY_S - since)
            total += seconds * inventory.mean(moment(start) + np.timedelta64(int(since), "s"), seconds)["biosphere"]
            since += seconds
        expected = plain.mean(moment(start), DAY_S)["biosphere"]
        np.testing.assert_allclose(total / DAY_S, expected, rtol=1e-11, atol=1e-20)
        over = inventory.mean(moment(start) - np.timedelta64(12, "h"), 3 * DAY_S)["biosphere"]
        assert np.isfinite(over).all()


def test_uptake_by_day_respiration_at_night_nothing_in_the_polar_night():
    grid = uniform("10x10")
    net = np.full(grid.shape, -1e-6)
    uptake = gross_uptake(net, np.zeros(grid.shape))
    np.testing.assert_allclose(uptake, 2e-6)
    noon = mean_over(grid, net, uptake, moment("2015-12-21T11:30"), 3600.0)
    greenwich, dateline = int(np.argmin(np.abs(grid.lon))), 0
    equator = int(np.argmin(np.abs(grid.lat)))
    assert noon[equator, greenwich] < -4e-6  # light is pi times its daily mean at noon on the equator
    assert noon[equator, dateline] == pytest.approx(1e-6)  # at night what is taken up by day is respired in half
    np.testing.assert_array_equal(noon[-2:], net[-2:])  # north of 70 N the sun does not rise
    assert np.ptp(noon[0]) < 1e-6 < np.ptp(noon[equator])  # and at the south pole it does not set


def test_the_exact_means_agree_with_the_cycle_at_moments():
    grid = uniform("10x10")
    rng = np.random.default_rng(1)
    net, uptake = rng.normal(size=grid.shape), rng.uniform(0, 3, grid.shape)
    for start in ("2016-03-01T00:00", "2016-06-30T17:20", "2016-12-31T23:30"):
        day = int((moment(start).astype("datetime64[D]") - np.datetime64("2016-01-01")).astype(int)) + 1
        hour = float((moment(start) - moment(start).astype("datetime64[D]")) / np.timedelta64(1, "h"))
        at = with_diurnal_cycle(grid, net, uptake, day, hour)
        # the cycle at moments takes its daily mean from 144 angles: good to 1e-3 of the uptake at noon
        np.testing.assert_allclose(mean_over(grid, net, uptake, moment(start), 1.0), at, rtol=2e-3, atol=0.01)


def test_a_dormant_season_takes_nothing_up():
    winter, summer = np.full(GRID.shape, 1e-7), np.full(GRID.shape, -5e-7)
    np.testing.assert_array_equal(gross_uptake(winter, winter), 0.0)
    np.testing.assert_allclose(gross_uptake(summer, winter), 1.2e-6)
    np.testing.assert_allclose(gross_uptake(summer, summer), 1e-6)


def test_fluxes_that_have_days_and_nights_get_no_second_cycle():
    edges = moment("2015-01-01") + np.arange(9) * np.timedelta64(3, "h")
    flux = {"biosphere": np.zeros((8, *GRID.shape))}
    with pytest.raises(FluxProblem, match="every 3 hours and have a diurnal cycle already"):
        FluxInventory.of(GRID, edges, flux, source="3-hourly", simulated=True, diurnal=True)
    with pytest.raises(FluxProblem, match="no biosphere"):
        months("ocean", diurnal=True)
    daily = moment("2015-01-01") + np.arange(9) * np.timedelta64(24, "h")
    assert FluxInventory.of(GRID, daily, flux, source="daily", simulated=True, diurnal=True).diurnal


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_times_without_fluxes_are_named_before_the_run():
    whole = months("ocean").components["ocean"][0]
    parts = np.array([0, 1, 3, 4])
    holes = FluxSeries(whole.starts[parts], whole.ends[parts], lambda n: whole.values(int(parts[n])), "holes")
    inventory = FluxInventory(GRID, {"ocean": [holes]})
    inventory.check(moment("2015-01-01"), moment("2015-03-01"))
    with pytest.raises(FluxProblem, match="no ocean flux from 2015-03-01T00:00:00 to 2015-04-01T00:00:00"):
        inventory.check(moment("2015-02-01"), moment("2015-05-01"))
    with pytest.raises(FluxProblem, match="no ocean flux from 2014-12-31"):
        inventory.check(moment("2014-12-31"), moment("2015-02-01"))
    for start, seconds in (("2015-02-27", 4 * DAY_S), ("2015-03-10", 0.0), ("2015-05-31T23:00", 7200.0)):
        with pytest.raises(FluxProblem, match="there is no flux from"):
            inventory.mean(moment(start), seconds)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: FluxInventory(GRID, {}), "no surface fluxes"),
        (lambda: FluxInventory(GRID, {"ocean": []}), "no surface fluxes"),
        (lambda: FluxInventory(GRID, {"volcano": months("fire").components["fire"]}), "'volcano'"),
        (lambda: months("fire").sources({"ocean": 0}), "no fluxes of ocean"),
        (lambda: FluxSeries(MONTHS[:0], MONTHS[:0], lambda n: GRID.area), "at least one interval"),
        (lambda: FluxSeries(MONTHS[1:], MONTHS[:-1], lambda n: GRID.area), "no length"),
        (lambda: FluxSeries(MONTHS[[0, 0]], MONTHS[[1, 2]], lambda n: GRID.area), "given twice"),
        (lambda: FluxSeries(MONTHS[[1, 0]], MONTHS[[2, 1]], lambda n: GRID.area), "out of order"),
        (
            lambda: FluxInventory.of(GRID, MONTHS, {"fossil": -np.ones((12, *GRID.shape))}, source="x", simulated=True),
            "check the sign",
        ),
        (
            lambda: FluxInventory.of(GRID, MONTHS, {"fossil": np.ones((12, 3, 3))}, source="x", simulated=True),
            "has shape",
        ),
        (
            lambda: FluxSeries(MONTHS[:1], MONTHS[1:2], lambda n: np.full(GRID.shape, np.inf), "bad").values(0),
            "NaN or infinite",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(make, message):
    with pytest.raises(FluxProblem, match=message) as refused:
        make()
    assert str(refused.value).endswith(".")


def test_only_some_components_and_any_grid():
    grid = refined(Box(90, 130, 10, 50), 10.0, (20.0, 20.0))
    flux = {"fossil": np.full((12, *grid.shape), 1e-8), "biosphere": np.full((12, *grid.shape), -1e-8)}
    inventory = FluxInventory.of(grid, MONTHS, flux, source="even", simulated=True, diurnal=True)
    fossil = inventory.only(["fossil"])
    assert list(fossil.at(moment("2015-02-02"))) == ["fossil"] and not fossil.diurnal
    (process,) = inventory.sources({"fossil": 4})(moment("2015-02-02"), 600.0)
    assert list(process.tracers) == [4]
