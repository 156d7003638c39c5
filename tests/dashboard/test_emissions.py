"""The Emissions page without a browser: addresses, what they show, words, the file, and what happens to bad tables."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.emissions import DailyEmissions
from dashboard.downloads import produce
from dashboard.emissions_data import EmissionTable, emission_table
from dashboard.emissions_page import EmissionsPage
from dashboard.emissions_shown import (
    change_text,
    country_colours,
    day_text,
    explore_link,
    mass_text,
    overlap_text,
    percent_text,
    picture,
)
from dashboard.emissions_state import CHANGES, MOST_COUNTRIES, PERIODS, SHOWN, STACKS, EmissionsState, usual_countries
from dashboard.emissions_words import ranking_html, tiles_html
from dashboard.library import Library
from data.errors import DataError
from data.importing import import_paths

SECTORS = ("Power", "Industry")


def daily(first: str = "2022-01-01", last: str = "2024-07-31") -> DailyEmissions:
    """China 10 and rising 5 % a year, India 4 and falling, the world ten times China; industry is a quarter of power."""
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    year = days.astype("datetime64[Y]").astype(int) - 52
    growth = {"China": 10 * 1.05**year, "India": 4 * 0.9**year, "WORLD": 100 * 1.05**year, "Iran": 1.0 + 0 * year}
    names = tuple(sorted(growth))
    values = np.stack([np.stack([0.25 * growth[name], growth[name]], axis=1) for name in names], axis=1)
    return DailyEmissions(days, names, ("Industry", "Power"), values)


def table(what: DailyEmissions | None = None) -> EmissionTable:
    return EmissionTable(what or daily(), "Test table", "Tests", "Tests (2024).", "open", ("test.csv",), False)


def state(query: str = "", what: DailyEmissions | None = None) -> EmissionsState:
    made = EmissionsState()
    made.apply_query(query, what or daily())
    return made


def csv_file(path: Path, rows: list[str], unit: str = "MtCO2 per day") -> Path:
    path.write_text(f"country,date,sector,{unit}\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------------------- address
def test_an_address_says_everything_and_is_read_back():
    made = state("countries=India.China&sectors=Power&show=month&change=amount&stack=share&period=1")
    assert (made.countries, made.sectors, made.show) == (["India", "China"], ["Power"], "month")
    assert (made.change, made.stack, made.period) == ("amount", "share", "1")
    again = state(made.to_query())
    assert again.to_query() == made.to_query()
    assert "sectors" not in state().to_query()  # all sectors need no word


def test_what_an_address_names_wrongly_is_said_and_left_out():
    made = EmissionsState()
    repairs = made.apply_query("countries=Atlantis.China&sectors=Magic&show=hour&period=9", daily())
    assert made.countries == ["China"] and made.sectors == [] and made.show == "week" and made.period == "all"
    assert len(repairs) == 4 and "Atlantis" in repairs[0] and "Magic" in repairs[1] and "hour" in repairs[2]
    assert made.apply_query("x" * 9000, daily()) == ["The address was too long and has been ignored."]
    assert made.countries == ["China", "India"]  # the usual ones that the table has


@given(st.text(max_size=300))
def test_no_address_breaks_the_page(text: str):
    made = state(text)
    assert 1 <= len(made.countries) <= MOST_COUNTRIES
    assert picture(table(), made).curves


def test_names_with_dots_survive_the_address():
    days = np.array(["2024-01-01"], "datetime64[D]")
    dotted = DailyEmissions(days, ("St. Lucia", "U.S."), ("Power",), np.ones((1, 2, 1)))
    assert state(state("countries=U~S~.St~ Lucia", dotted).to_query(), dotted).countries == ["U.S.", "St. Lucia"]


def test_without_large_emitters_the_first_countries_are_shown():
    days = np.array(["2024-01-01"], "datetime64[D]")
    assert usual_countries(DailyEmissions(days, ("Andorra", "Belize"), ("Power",), np.ones((1, 2, 1)))) == [
        "Andorra",
        "Belize",
    ]


# ---------------------------------------------------------------------------------------------------------- what shows
@pytest.mark.parametrize("show", SHOWN)
@pytest.mark.parametrize("change", CHANGES)
def test_changes_on_the_year_before_are_those_that_were_put_in(show: str, change: str):
    shown = picture(table(), state(f"countries=China&show={show}&change={change}"))
    values = shown.curves[0].change
    newest = values[np.isfinite(values)][-1]
    if change == "percent":
        assert newest == pytest.approx(5.0, rel=1e-9)
    else:
        rise = 10 * 1.25 * (1.05**2 - 1.05)
        assert newest == pytest.approx(rise * (212 if show == "year" else 1), rel=1e-9)


def test_a_7_day_mean_of_the_new_year_is_not_compared_with_less():
    shown = picture(table(), state("countries=China&show=week"))
    assert np.isnan(shown.curves[0].change[: 365 + 6]).all()


def test_years_stand_upon_the_same_days():
    shown = picture(table(), state("countries=China&show=day"))
    assert [(curve.year, curve.age) for curve in shown.years] == [(2022, 2), (2023, 1), (2024, 0)]
    first_days = {float(curve.times[0]) for curve in shown.years}
    assert first_days == {np.datetime64("2000-01-01", "ms").astype(float)}
    leap_day = np.datetime64("2000-02-29", "ms").astype(float)
    assert [leap_day in curve.times for curve in shown.years] == [False, False, True]


def test_the_stack_is_the_sum_and_breaks_at_gaps():
    what = daily()
    what.values[100:110] = np.nan
    shown = picture(table(what), state("countries=China&show=day", what)).stack
    assert list(shown.values) == ["Power", "Industry"]
    x, y = shown.outlines["Industry"]
    assert np.isnan(x).sum() == 1 and np.nanmax(y) == pytest.approx(np.nanmax(shown.values["Power"]) * 1.25)
    share = picture(table(what), state("countries=China&show=day&stack=share", what)).stack
    assert np.nanmax(share.outlines["Industry"][1]) == pytest.approx(100.0)
    assert np.nanmin(share.values["Power"]) == pytest.approx(80.0)


def test_periods_reach_back_from_the_newest_day():
    whole, year = (picture(table(), state(f"period={period}")) for period in ("all", "1"))
    newest = np.datetime64("2024-08-01", "ms").astype(float)
    assert 0 < year.end - newest <= whole.end - newest < 12 * 86_400_000
    assert (year.end - year.start) / 86_400_000 == pytest.approx(365.25, abs=10)
    assert whole.start < year.start
    assert set(PERIODS) == {"1", "3", "all"} and set(STACKS) == {"amount", "share"}


def test_ranking_by_per_cent_and_by_amount():
    by_percent = picture(table(), state()).ranks
    assert [(rank.country, rank.place) for rank in by_percent] == [
        ("WORLD", None),
        ("China", 1),
        ("Iran", 2),
        ("India", 3),
    ]
    assert by_percent[1].to_date.percent == pytest.approx(5.0)
    html = ranking_html(by_percent, "percent")
    assert "−10.0<" in html and "+5.0<" in html and "Change, %" in html and "./?region=Countries/China" in html
    assert "1 January to 31 July 2024" in html
    by_amount = picture(table(), state("change=amount")).ranks
    assert "+139<" in ranking_html(by_amount, "amount") and "2,922<" in ranking_html(by_amount, "amount")
    assert "could be compared" in ranking_html([], "percent")


def test_links_open_the_map_at_the_country():
    assert explore_link("WORLD") == "./?region=World%20and%20latitude%20bands/World"
    assert explore_link("EU27 & UK") == "" == explore_link("poly:0,0;1,1")
    assert explore_link("Japan").startswith("./?region=Countries/Japan&at=13")
    assert "at=" not in explore_link("Russia")  # it crosses the dateline


def test_tiles_say_the_newest_day_and_the_change():
    newest, week, to_date, sector = picture(table(), state("countries=China")).tiles
    assert newest.number == "31 July 2024"
    assert week.number == "13.8 Mt CO₂ a day" and week.note.startswith("+5.0 %")
    assert "+5.0 %" in to_date.note and "212 days of 2023, 29 February left out" in to_date.note
    assert sector.number == "Power 80 %"
    gappy = daily()
    gappy.values[31:59] = np.nan
    assert "nothing from 1 February 2022 to 28 February 2022" in picture(table(gappy), state("", gappy)).tiles[0].note


def test_words():
    assert [mass_text(value) for value in (12345.6, 1234.5, 456.4, 45.64, 4.564, 0.0456, np.nan)] == [
        "12.3 Gt",
        "1.23 Gt",
        "456 Mt",
        "45.6 Mt",
        "4.56 Mt",
        "0.046 Mt",
        "–",
    ]
    assert (percent_text(-1.25), percent_text(np.nan), change_text(-3.2), change_text(3.2)) == (
        "−1.2 %",
        "–",
        "−3.20 Mt",
        "+3.20 Mt",
    )
    assert day_text(np.datetime64("2024-02-29")) == "29 February 2024"
    assert overlap_text(["China"]) == ""
    assert overlap_text(["Germany", "EU27 & UK"]) == "Germany is part of EU27 & UK and counted once in sums."
    assert overlap_text(["WORLD", "China", "India"]) == "China and India are part of World and counted once in sums."
    assert len(set(country_colours([f"Country {k}" for k in range(MOST_COUNTRIES)]).values())) == MOST_COUNTRIES
    assert len(set(country_colours(["EU27", "EU27 & UK", "China"]).values())) == 3


def test_text_from_a_file_is_text():
    what = daily()
    hostile = DailyEmissions(what.days, ("<script>x</script>", *what.countries[1:]), what.sectors, what.values)
    shown = picture(table(hostile), state("", hostile))
    assert "<script>" not in ranking_html(shown.ranks, "percent") + tiles_html(shown.tiles, simulated=False)


# ------------------------------------------------------------------------------------------------------ the data folder
def test_an_empty_folder_says_how_to_get_the_data(home: Path):
    view = EmissionsPage(Library(home))
    view.main()
    view.poll()
    assert view.empty.visible and not view.filled and view.address.reloads == 0
    assert "carbonweather data fetch carbon-monitor" in view.empty.object
    with pytest.raises(DataError, match="import Carbon Monitor"):
        produce("emissions.csv", "", Library(home))


def test_the_page_fills_when_a_table_is_imported_and_follows_a_newer_one(home: Path, tmp_path: Path):
    view = EmissionsPage(Library(home), "countries=India&show=day")
    view.main()
    view.poll()
    import_paths(
        [csv_file(tmp_path / "old.csv", ["India,01/01/2024,Power,2.0", "India,02/01/2024,Power,2.5"])], home=home
    )
    view.poll()
    assert view.address.reloads == 1  # a page without figures starts anew
    view = EmissionsPage(Library(home), "countries=India&show=day")
    view.main()
    view.poll()
    assert view.filled and not view.empty.visible and view.address.reloads == 0
    assert view.views.lines.data["ys"][0].tolist() == [2.0, 2.5]
    assert view.address.query.startswith("countries=India&show=day")
    import_paths(
        [csv_file(tmp_path / "a_newer.csv", ["India,02/01/2024,Power,3.0", "India,03/01/2024,Power,4.0"])], home=home
    )
    view.poll()
    assert view.views.lines.data["ys"][0].tolist() == [2.0, 3.0, 4.0]  # the release that reaches further holds
    assert "3 January 2024" in view.tiles.object


def test_controls_and_back_button(home: Path, tmp_path: Path):
    rows = [
        f"{country},0{day}/01/2024,{sector},1.0"
        for country in ("India", "Japan")
        for day in (1, 2)
        for sector in SECTORS
    ]
    import_paths([csv_file(tmp_path / "carbon.csv", rows)], home=home)
    view = EmissionsPage(Library(home))
    view.main()
    view.poll()
    before = view.address.query
    view.controls.countries.value = ["Japan"]
    view.controls.sectors.value = ["Industry"]
    view.controls.show.value = "day"
    assert view.state.countries == ["Japan"] and "sectors=Industry" in view.address.query
    assert view.views.lines.data["ys"][0].tolist() == [1.0, 1.0]
    view.controls.sectors.value = []
    assert view.controls.sectors.value == ["Industry"]  # the last one stays
    view.controls.countries.value = []
    assert view.views.lines.data["ys"] == [] and view.picture is not None
    view.address.query = before
    assert view.state.countries == ["India"] and view.controls.sectors.value == list(SECTORS)


def test_the_file_is_complete_and_cites(home: Path, tmp_path: Path, real: Path):
    import_paths([real / "emissions" / "carbon_monitor_daily" / "carbon_monitor_global.csv"], home=home)
    made = produce("emissions.csv", "countries=China.EU27%20%26%20UK&sectors=Power.Industry", Library(home))
    text = made.body.decode()
    assert made.media_type == "text/csv" and made.filename == "emissions_China_EU27-UK_2024-07-31.csv"
    assert "doi:10.1038/s41597-020-00708-7" in text and "# units: Mt CO2 a day" in text
    frame = pd.read_csv(io.StringIO(text), comment="#", parse_dates=["day"])
    assert len(frame) == 850 and list(frame)[:5] == ["day", "country", "Power", "Industry", "total"]
    np.testing.assert_allclose(frame["Power"] + frame["Industry"], frame["total"], rtol=1e-5)
    table = emission_table(home)
    assert table is not None
    china = frame[frame["country"] == "China"]
    total = table.daily.total(["China"], ["Power", "Industry"])
    np.testing.assert_allclose(china["total"], total[np.isfinite(total)], rtol=1e-5)
    leap = china[china["day"] == "2024-02-29"].iloc[0]
    assert np.isnan(leap["change_percent"]) and np.isfinite(leap["since_1_january_change_percent"])


def test_names_that_a_spreadsheet_would_compute_are_quoted(home: Path, tmp_path: Path):
    import_paths([csv_file(tmp_path / "carbon.csv", ["=1+1,01/01/2024,@Power,1.0"])], home=home)
    body = produce("emissions.csv", "", Library(home)).body.decode()
    rows = [line for line in body.splitlines() if not line.startswith("#")]
    assert rows[0].startswith("day,country,'@Power") and rows[1].startswith("2024-01-01,'=1+1,1,1")


def test_the_example_is_simulated_everywhere_and_gives_way_to_data(home: Path, tmp_path: Path):
    view = EmissionsPage(Library(home), "example=simulated&show=month")
    view.main()
    view.poll()
    assert view.table is not None and view.table.is_example and "example=simulated" in view.address.query
    assert "simulated" in view.tiles.object and "simulated example" in view.notice.object
    assert "not statistics" in view.controls.widgets[-1].object
    text = produce("emissions.csv", view.address.query, Library(home)).body.decode()
    assert "SIMULATED" in text and "example=simulated" in text
    import_paths([csv_file(tmp_path / "carbon.csv", ["India,01/01/2024,Power,2.0"])], home=home)
    view.poll()
    assert "example" not in view.address.query and "simulated" not in view.tiles.object
    assert "simulated" not in view.notice.object
    assert "SIMULATED" not in produce("emissions.csv", "example=simulated", Library(home)).body.decode()
