"""What the Emissions page shows, as an address and back. Reading an address never fails: repairs are said in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote, urlencode

import param

from analysis.statistics.emissions import DailyEmissions, is_group
from dashboard.query import read_query

SHOWN = {"day": "Daily", "week": "Mean of 7 days", "month": "Monthly mean", "year": "Sum since 1 January"}
CHANGES = {"percent": "Per cent", "amount": "Mt CO₂"}
STACKS = {"amount": "Mt CO₂", "share": "Share, %"}
PERIODS = {"1": "Last 12 months", "3": "Last 3 years", "all": "All"}
USUAL = ("China", "United States", "EU27 & UK", "EU27", "India")
"""Shown where the address names no country, as far as the table has them."""
MOST_COUNTRIES = 10
"""More lines can no longer be told apart."""
EXAMPLE = "simulated"


class EmissionsState(param.Parameterized):
    """What is on screen. One instance a session."""

    countries = param.List(default=[], doc="Countries and groups, in the order in which they were chosen.")
    sectors = param.List(default=[], doc="Sectors that are summed; empty for all.")
    show = param.Selector(default="week", objects=list(SHOWN), doc="How days are put together.")
    change = param.Selector(default="percent", objects=list(CHANGES), doc="Unit of changes on the year before.")
    stack = param.Selector(default="amount", objects=list(STACKS), doc="Unit of the stacked sectors.")
    period = param.Selector(default="all", objects=list(PERIODS), doc="How far back the time axes reach, years.")

    example = param.Boolean(default=False, doc="The simulated example is shown, for want of data.")

    def to_query(self) -> str:
        """The address of this view without '?'; sectors only where they are not all."""
        items = [("countries", ".".join(_dotless(name) for name in self.countries))]
        if self.sectors:
            items.append(("sectors", ".".join(_dotless(name) for name in self.sectors)))
        items += [(name, getattr(self, name)) for name in ("show", "change", "stack", "period")]
        if self.example:
            items.append(("example", EXAMPLE))
        return urlencode([(key, value) for key, value in items if value], quote_via=quote)

    def apply_query(self, query: str, table: DailyEmissions) -> list[str]:
        """Take over an address.

        Parameters
        ----------
        query : what follows '?', any text.
        table : what there is to choose from.

        Returns
        -------
        One sentence for each thing that had to be repaired.
        """
        repairs: list[str] = []
        given = dict(read_query(query, repairs))
        values: dict[str, object] = {}
        countries = _known(given.get("countries", ""), table.countries, "country", repairs)[:MOST_COUNTRIES]
        values["countries"] = countries or usual_countries(table)
        sectors = _known(given.get("sectors", ""), table.sectors, "sector", repairs)
        values["sectors"] = [] if len(sectors) == len(table.sectors) else sectors
        for name, choices in (("show", SHOWN), ("change", CHANGES), ("stack", STACKS), ("period", PERIODS)):
            asked = given.get(name, "")
            if asked and asked not in choices:
                repairs.append(f"'{asked[:40]}' is not a choice for '{name}'; showing '{self.param[name].default}'.")
                asked = ""
            values[name] = asked or self.param[name].default
        self.param.update(**values)
        return repairs


def asks_for_example(query: str) -> bool:
    """True if an address names the simulated example."""
    given = read_query(query, [])
    return ("example", EXAMPLE) in given


def usual_countries(table: DailyEmissions) -> list[str]:
    """The large emitters that everyone looks at first; of a table without them the first few countries."""
    usual = [name for name in USUAL if name in table.countries]
    others = [name for name in table.countries if not is_group(name)]
    return usual or others[:4] or list(table.countries[:4])


def _dotless(name: str) -> str:
    return name.replace(".", "~")


def _known(text: str, names: Sequence[str], what: str, repairs: list[str]) -> list[str]:
    """Those of the names in an address that exist, each once; the first unknown one is said."""
    asked = [part for part in text.split(".") if part]
    by_text: Callable[[str], str | None] = {_dotless(name): name for name in names}.get
    found = [name for part in asked if (name := by_text(part)) is not None]
    unknown = next((part for part in asked if by_text(part) is None), None)
    if unknown is not None:
        repairs.append(f"There is no {what} '{unknown[:40]}' in the table; it was left out.")
    return list(dict.fromkeys(found))
