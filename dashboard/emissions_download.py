"""The table behind the Emissions page as CSV, made from nothing but its address, citing whose numbers they are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from analysis.statistics.emissions import running_mean, values_year_before, year_to_date, year_to_date_change
from dashboard.emissions_data import EmissionTable, emission_table, example_table
from dashboard.emissions_shown import change_over_time, day_text, in_stack_order
from dashboard.emissions_state import EmissionsState, asks_for_example
from dashboard.provenance import Provenance, one_line, safe_filename
from data.errors import DataError

COLUMNS = (
    "mean_7_days",
    "year_before",
    "change_percent",
    "change_7_days_percent",
    "since_1_january",
    "since_1_january_change",
    "since_1_january_change_percent",
)
_COMPUTES = re.compile(r"^[=+\-@\t\r]")
"""How a cell begins that a spreadsheet would take for a formula."""


class NoDownload(DataError):
    """There are no daily emissions that could be downloaded."""


def emissions_csv(root: Path, query: str) -> tuple[bytes, str]:
    """The file and its name: a row for each day and chosen country, from the first day to the newest.

    Columns: day, country, each chosen sector and their total (Mt CO2 a day), the mean of 7 days, the same day of the year
    before, changes in per cent, and the sum since 1 January with its change. Empty cells are unknown.

    Parameters
    ----------
    root : data folder.
    query : the page's address after '?'.

    Raises
    ------
    NoDownload : no daily emissions in the data folder.
    """
    try:
        table = emission_table(root) or (example_table() if asks_for_example(query) else None)
    except AnalysisError as error:
        raise NoDownload(str(error)) from error
    if table is None:
        raise NoDownload("There are no daily emissions in the data folder; import Carbon Monitor's table first.")
    state = EmissionsState()
    state.apply_query(query, table.daily)
    state.example = table.is_example
    sectors = in_stack_order(table.daily.sectors, state.sectors or None)
    lines = [f"# {line}" for line in _head(table, state, sectors)]
    lines.append(",".join(["day", "country", *(_cell(name) for name in sectors), "total", *COLUMNS]))
    for country in state.countries:
        lines += _rows(table, country, sectors)
    name = safe_filename("emissions", *state.countries[:3], str(table.newest), suffix=".csv")
    return ("\n".join(lines) + "\n").encode("utf-8"), name


def _head(table: EmissionTable, state: EmissionsState, sectors: list[str]) -> list[str]:
    """Provenance, one entry a line."""
    what = Provenance(
        title=f"Daily fossil CO2 emissions to {day_text(table.newest)}",
        dataset=f"{table.title} ({', '.join(table.files)})" if table.files else table.title,
        source=table.source,
        citation=table.citation,
        licence=table.licence,
        simulated=table.simulated,
        settings={"countries": state.countries, "sectors": sectors},
        address="?" + state.to_query(),
    )
    return [
        *(f"{key}: {text}" for key, text in what.entries().items()),
        "units: Mt CO2 a day; since_1_january and its change in Mt CO2; changes are on the same calendar days of the year "
        "before, 29 February has none",
    ]


def _rows(table: EmissionTable, country: str, sectors: list[str]) -> list[str]:
    daily = table.daily
    days = daily.days
    parts = [daily.total([country], [sector]) for sector in sectors]
    total = daily.total([country], sectors)
    change, change_percent = year_to_date_change(days, total)
    columns = [
        *parts,
        total,
        running_mean(total),
        values_year_before(days, total),
        change_over_time(days, total, "day")[1],
        change_over_time(days, total, "week")[1],
        year_to_date(days, total),
        change,
        change_percent,
    ]
    known = np.isfinite(np.stack(parts)).any(axis=0)
    name = _cell(country)
    return [
        ",".join([str(days[row]), name, *(_number(column[row]) for column in columns)]) for row in np.flatnonzero(known)
    ]


def _cell(text: str) -> str:
    """A text as CSV has it; nothing that a spreadsheet would compute."""
    text = one_line(text, 100)
    text = f"'{text}" if _COMPUTES.match(text) else text
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",#]', text) else text


def _number(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else ""
