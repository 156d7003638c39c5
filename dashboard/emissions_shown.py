"""What an `EmissionsState` shows of a table of daily emissions, as arrays and words: no widget, no figure, all in one call.

`picture` takes milliseconds and is called in a thread; whatever a figure needs is in what it returns.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from analysis.statistics.emissions import (
    REST,
    WORLD,
    DailyEmissions,
    YearToDate,
    is_group,
    monthly_mean,
    newest_year_to_date,
    percent,
    running_mean,
    shares,
    values_year_before,
    without_parts,
    year_to_date,
    year_to_date_change,
)
from dashboard.emissions_data import EmissionTable
from dashboard.emissions_state import EmissionsState
from dashboard.linked import milliseconds
from dashboard.wording import MONTHS

LABELS = {WORLD: "World", REST: "Rest of the world"}
COUNTRY_COLOURS = {
    "China": "#d1495b",
    "United States": "#2e86c1",
    "EU27 & UK": "#e0a100",
    "EU27": "#e0a100",
    "India": "#2a9d6f",
    WORLD: "#8d99a6",
    "Russia": "#9467bd",
    "Japan": "#e377c2",
}
SPARE_COLOURS = (
    "#17a2b8",
    "#bc6c25",
    "#7f9c3a",
    "#5c6bc0",
    "#ff7f50",
    "#b07aa1",
    "#4f9d9d",
    "#a08c5b",
    "#c05780",
    "#6b7f8c",
)
SECTOR_COLOURS = {
    "Power": "#5b8ff9",
    "Industry": "#e8826a",
    "Ground Transport": "#e6c35c",
    "Residential": "#b48ad6",
    "International Aviation": "#5fc8a8",
    "Domestic Aviation": "#86d3f0",
}
"""In the order of the stack, from below; others follow."""
NEWEST, BEFORE, OLDER = "#0f8a9d", "#e09f1f", "#9aa7b2"
"""Lines of the newest year, the year before, and all others."""
LONGEST_TITLE = 30
"""Characters of names in a figure's title; more would be cut off."""
LEAP_YEAR = np.datetime64("2000-01-01")


@dataclass(frozen=True)
class Curve:
    """A line: one country's emissions and their change on the year before, in the units that the state asks for."""

    name: str
    colour: str
    times: np.ndarray
    values: np.ndarray
    change: np.ndarray


@dataclass(frozen=True)
class YearCurve:
    """A calendar year of the sum of what is chosen, on the days of a leap year; `age` 0 is the newest year."""

    year: int
    age: int
    times: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Stack:
    """Sectors upon one another: times (n,), values by sector, and the outline of each layer (NaN between pieces)."""

    times: np.ndarray
    values: dict[str, np.ndarray]
    colours: dict[str, str]
    outlines: dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Rank:
    """A country's newest year to date; `place` counts from 1, None for the world and groups. `link` opens its map."""

    country: str
    place: int | None
    to_date: YearToDate
    link: str


@dataclass(frozen=True)
class Tile:
    """A number that stands out: what it is, the number, what to compare it with."""

    name: str
    number: str
    note: str


@dataclass(frozen=True)
class Picture:
    """Everything on the page."""

    curves: list[Curve]
    years: list[YearCurve]
    stack: Stack
    ranks: list[Rank]
    tiles: list[Tile]
    what: str
    start: float
    end: float


def label(country: str) -> str:
    """The name to read."""
    return LABELS.get(country, country)


def picture(table: EmissionTable, state: EmissionsState) -> Picture:
    """What a state shows of a table.

    Raises
    ------
    NoEmissions : a country or sector that the table does not have.
    """
    daily, sectors = table.daily, state.sectors or None
    days = daily.days
    colours = country_colours(state.countries)
    curves = []
    for country in state.countries:
        values = daily.total([country], sectors)
        times, shown = over_time(days, values, state.show)
        changes = change_over_time(days, values, state.show)
        curves.append(Curve(country, colours[country], times, shown, changes[state.change == "percent"]))
    together = daily.total(state.countries, sectors) if state.countries else np.full(len(days), np.nan)
    parts = daily.by_sector(state.countries, in_stack_order(daily.sectors, sectors)) if state.countries else {}
    start, end = time_span(days, state.period)
    return Picture(
        curves=curves,
        years=year_curves(days, together, state.show),
        stack=stacked(days, parts, state.show, share=state.stack == "share"),
        ranks=ranking(daily, sectors, by=state.change),
        tiles=tiles(table, together, parts),
        what=chosen_text(state),
        start=start,
        end=end,
    )


# ---------------------------------------------------------------------------------------------------------- over time
def over_time(days: np.ndarray, values: np.ndarray, show: str) -> tuple[np.ndarray, np.ndarray]:
    """Times in milliseconds (a month stands at its middle) and values: daily, 7-day mean, monthly mean or cumulative."""
    if show == "month":
        months, means = monthly_mean(days, values)
        return milliseconds(months.astype("datetime64[D]") + 14), means
    if show == "week":
        values = running_mean(values)
    elif show == "year":
        values = year_to_date(days, values)
    return milliseconds(days), np.asarray(values, dtype=np.float64)


def change_over_time(days: np.ndarray, values: np.ndarray, show: str) -> tuple[np.ndarray, np.ndarray]:
    """Change on the year before of what `over_time` gives, in Mt (a day, or in all) and in per cent."""
    if show == "year":
        return year_to_date_change(days, values)
    if show == "month":
        _, now = monthly_mean(days, values)
        before = np.full(len(now), np.nan)
        before[12:] = now[:-12]
    else:
        now = running_mean(values) if show == "week" else values
        before = values_year_before(days, now)
    change = now - before
    return change, percent(change, before)


def year_curves(days: np.ndarray, values: np.ndarray, show: str) -> list[YearCurve]:
    """Each year of a series by its calendar days, oldest first."""
    times, shown = over_time(days, values, show)
    moments = times.astype("int64").astype("datetime64[ms]").astype("datetime64[D]")
    year, month = moments.astype("datetime64[Y]"), moments.astype("datetime64[M]")
    within = (month - year.astype("datetime64[M]")).astype(int)
    leap = (LEAP_YEAR.astype("datetime64[M]") + within).astype("datetime64[D]") + (
        moments - month.astype("datetime64[D]")
    )
    known = sorted(set(year[np.isfinite(shown)].tolist()))
    curves = []
    for age, when in enumerate(reversed(known)):
        part = year == np.datetime64(when, "Y")
        curves.append(YearCurve(when.year, age, milliseconds(leap[part]), shown[part]))
    return curves[::-1]


def stacked(days: np.ndarray, parts: dict[str, np.ndarray], show: str, *, share: bool) -> Stack:
    """Sectors as layers; sectors without any number are left out."""
    parts = {name: values for name, values in parts.items() if np.isfinite(values).any()}
    if not parts:
        return Stack(np.zeros(0), {}, {}, {})
    series = {name: over_time(days, values, show) for name, values in parts.items()}
    times = next(iter(series.values()))[0]
    values = {name: values for name, (_, values) in series.items()}
    if share:
        values = shares(values)
    edge = np.zeros(len(times))
    known = np.isfinite(np.sum(list(values.values()), axis=0))
    outlines = {}
    for name, height in values.items():
        outlines[name] = _outline(times, edge, edge + height, known)
        edge = edge + height
    spare = iter(SPARE_COLOURS)
    colours = {name: SECTOR_COLOURS.get(name) or next(spare, "#888888") for name in values}
    return Stack(times, values, colours, outlines)


def _outline(times: np.ndarray, low: np.ndarray, high: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edge of the area between two lines, piece by piece where both are known."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8))).reshape(-1, 2)
    x: list[np.ndarray] = []
    y: list[np.ndarray] = []
    for start, stop in edges:
        if x:
            x.append(np.array([np.nan]))
            y.append(np.array([np.nan]))
        x += [times[start:stop], times[start:stop][::-1]]
        y += [low[start:stop], high[start:stop][::-1]]
    return (np.concatenate(x), np.concatenate(y)) if x else (np.zeros(0), np.zeros(0))


def time_span(days: np.ndarray, period: str) -> tuple[float, float]:
    """Milliseconds of the time axes' ends."""
    end = days[-1] + 1
    start = days[0] if period == "all" else max(days[0], end - round(365.25 * int(period)))
    edge = max(1, int((end - start).astype(int)) // 100)
    return float(milliseconds(start - edge)), float(milliseconds(end + edge))


# ------------------------------------------------------------------------------------------------------------- choices
def country_colours(countries: Sequence[str]) -> dict[str, str]:
    """A colour for each: large emitters have their own, the others take what is left in order."""
    spare = iter(SPARE_COLOURS)
    taken: set[str] = set()
    colours = {}
    for country in countries:
        colour = COUNTRY_COLOURS.get(country)
        if colour is None or colour in taken:
            colour = next(spare, "#888888")
        taken.add(colour)
        colours[country] = colour
    return colours


def in_stack_order(sectors: Sequence[str], chosen: Sequence[str] | None) -> list[str]:
    """Sectors from the bottom of the stack to its top."""
    order = list(SECTOR_COLOURS)
    names = [name for name in sectors if chosen is None or name in chosen]
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def chosen_text(state: EmissionsState) -> str:
    """'China + India' or 'China, Power': what the sums on the page are of."""
    names = [label(name) for name in without_parts(state.countries)]
    text = " + ".join(names)
    if len(text) > LONGEST_TITLE:
        text = f"{names[0]} + {len(names) - 1} others"
    return f"{text}, {' + '.join(state.sectors)}" if state.sectors and text else text


def overlap_text(countries: Sequence[str]) -> str:
    """Who is counted once in the sums though chosen twice; '' where nobody is."""
    kept = without_parts(countries)
    inside = [label(name) for name in dict.fromkeys(countries) if name not in kept]
    if not inside:
        return ""
    group = label(WORLD) if WORLD in kept else label(next(name for name in kept if is_group(name)))
    verb = "is" if len(inside) == 1 else "are"
    return f"{' and '.join(inside)} {verb} part of {group} and counted once in sums."


def ranking(daily: DailyEmissions, sectors: Sequence[str] | None, *, by: str) -> list[Rank]:
    """The world and groups first, then countries by the change of their newest year to date, the largest rise first."""
    found = []
    for country in daily.countries:
        to_date = newest_year_to_date(daily.days, daily.total([country], sectors))
        if to_date is not None:
            found.append((country, to_date))

    def size(item: tuple[str, YearToDate]) -> tuple[bool, float]:
        number = item[1].percent if by == "percent" else item[1].change
        return not np.isfinite(number), -number if np.isfinite(number) else 0.0

    groups = sorted((item for item in found if is_group(item[0])), key=lambda item: (item[0] != WORLD, -item[1].total))
    places = sorted((item for item in found if not is_group(item[0])), key=size)
    ranks = [Rank(country, None, to_date, explore_link(country)) for country, to_date in groups]
    return ranks + [
        Rank(country, place, to_date, explore_link(country)) for place, (country, to_date) in enumerate(places, start=1)
    ]


def explore_link(country: str) -> str:
    """Address of the map of a country; '' for groups that are no region of the map."""
    from dashboard.regions import named_region

    region = "World and latitude bands/World" if country == WORLD else f"Countries/{country}"
    geometry = named_region(region)
    if geometry is None:
        return ""
    west, south, east, north = geometry.bounds
    address = f"./?region={quote(region, safe='/')}"
    if east - west > 180:
        return address
    span = min(360.0, max(1.4 * (east - west), 2.6 * (north - south), 6.0))
    return f"{address}&at={(west + east) / 2:.2f},{(south + north) / 2:.2f},{span:.2f}"


# --------------------------------------------------------------------------------------------------------------- words
def day_text(day: np.datetime64) -> str:
    """'31 July 2024'."""
    year, month, number = str(day.astype("datetime64[D]")).split("-")
    return f"{int(number)} {MONTHS[int(month) - 1]} {year}"


def mass_text(mt: float) -> str:
    """Mt of CO2 in words: '12.3 Gt', '1.23 Gt', '456 Mt', '7.89 Mt', '0.045 Mt'."""
    if not np.isfinite(mt):
        return "–"
    size = abs(mt)
    if size >= 999.5:
        return f"{mt / 1000:.{1 if size >= 9995 else 2}f} Gt"
    return f"{mt:.{0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.9995 else 3}f} Mt"


def percent_text(value: float) -> str:
    """'+1.2 %' with a real minus sign; '–' where there is none."""
    return "–" if not np.isfinite(value) else f"{value:+.1f} %".replace("-", "−")


def change_text(mt: float) -> str:
    """'+142 Mt' with a real minus sign."""
    return "–" if not np.isfinite(mt) else ("+" if mt >= 0 else "") + mass_text(mt).replace("-", "−")


def tiles(table: EmissionTable, together: np.ndarray, parts: dict[str, np.ndarray]) -> list[Tile]:
    """Newest day, last week, year to date, and the sectors' shares of it."""
    days = table.daily.days
    gaps = [f"{day_text(first)} to {day_text(last)}" for first, last in table.gaps]
    missing = f"; nothing from {' and from '.join(gaps[:2])}{' and more' if len(gaps) > 2 else ''}" if gaps else ""
    found = [Tile("Newest day", day_text(table.newest), f"first: {day_text(days[0])}{missing}")]
    known = np.flatnonzero(np.isfinite(together))
    if known.size == 0:
        return found
    last = int(known[-1])
    week, (_, in_percent) = running_mean(together), change_over_time(days, together, "week")
    found.append(
        Tile(
            f"7 days to {day_text(days[last])}",
            f"{mass_text(week[last])} CO₂ a day",
            f"{percent_text(in_percent[last])} on the same days of the year before",
        )
    )
    to_date = newest_year_to_date(days, together)
    if to_date is not None:
        lost = (
            ", 29 February left out"
            if isleap(to_date.year) and to_date.last.astype("datetime64[M]").astype(int) % 12
            else ""
        )
        lost += f", {to_date.missing} days cannot be compared" if to_date.missing else ""
        found.append(
            Tile(
                f"1 January to {day_text(to_date.last)}",
                f"{mass_text(to_date.total)} CO₂",
                f"{percent_text(to_date.percent)} ({change_text(to_date.change)}) on the same {to_date.days} days of "
                f"{to_date.year - 1}{lost}",
            )
        )
    year = days.astype("datetime64[Y]") == days[last].astype("datetime64[Y]")
    sums = {name: float(np.nansum(values[year])) for name, values in parts.items()}
    whole = sum(sums.values())
    if whole > 0 and len(sums) > 1:
        ranked = sorted(sums.items(), key=lambda item: -item[1])
        rest = ", ".join(f"{name.lower()} {100 * value / whole:.0f} %" for name, value in ranked[1:4])
        found.append(Tile("Largest sector this year", f"{ranked[0][0]} {100 * ranked[0][1] / whole:.0f} %", rest))
    return found
