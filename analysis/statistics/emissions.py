"""Daily emissions by country and sector: sums, means, changes on the year before, year to date, shares.

Made for tables such as Carbon Monitor's (Liu et al. 2020, doi 10.1038/s41597-020-00708-7). A sum is only known where all
of its parts are, a mean only where all of its days are, and a day is compared with the same calendar day of the year
before: 29 February has none, so a leap year is never ahead by a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analysis.errors import AnalysisError

WORLD = "WORLD"
REST = "ROW"
_EU27 = (
    *("Austria", "Belgium", "Bulgaria", "Croatia", "Cyprus", "Czechia", "Czech Republic", "Denmark", "Estonia"),
    *("Finland", "France", "Germany", "Greece", "Hungary", "Ireland", "Italy", "Latvia", "Lithuania", "Luxembourg"),
    *("Malta", "Netherlands", "Poland", "Portugal", "Romania", "Slovakia", "Slovenia", "Spain", "Sweden"),
)
MEMBERS = {"EU27": _EU27, "EU27 & UK": (*_EU27, "United Kingdom", "UK", "EU27")}
"""Groups of Carbon Monitor's table and their members under every name that its releases use; `WORLD` holds all."""


class NoEmissions(AnalysisError):
    """A table without emissions that could be shown, or a country or sector that it does not have."""


@dataclass(frozen=True)
class DailyEmissions:
    """Emissions of each day, country and sector.

    Attributes
    ----------
    days : (n,) datetime64[D], every day from the first to the last.
    countries, sectors : names, in alphabetical order.
    values : (n, countries, sectors) Mt CO2 a day, NaN where the table has nothing.
    """

    days: np.ndarray
    countries: tuple[str, ...]
    sectors: tuple[str, ...]
    values: np.ndarray

    def __post_init__(self) -> None:
        shape = (len(self.days), len(self.countries), len(self.sectors))
        if self.values.shape != shape:
            raise ValueError(f"expected values of shape {shape}, found {self.values.shape}.")
        if len(self.days) > 1 and not (np.diff(self.days) == np.timedelta64(1, "D")).all():
            raise ValueError("expected consecutive days.")

    @classmethod
    def from_rows(
        cls, time: np.ndarray, country: np.ndarray, sector: np.ndarray, mt_per_day: np.ndarray
    ) -> DailyEmissions:
        """From a table with one row for each day, country and sector; of rows that say the same thing the last one holds.

        Parameters
        ----------
        time : (n,) datetime64.
        country, sector : (n,) names.
        mt_per_day : (n,) Mt CO2 a day.

        Raises
        ------
        NoEmissions : no row has a day, names and a finite number.
        """
        import pandas as pd

        values = np.asarray(mt_per_day, dtype=np.float64)
        day = np.asarray(time).astype("datetime64[D]")
        country, sector = np.asarray(country, dtype=object), np.asarray(sector, dtype=object)
        good = np.isfinite(values) & ~np.isnat(day) & (country != "") & (sector != "")
        if not good.any():
            raise NoEmissions("expected daily emissions by country and sector, found no row with a day and a number.")
        which, countries = pd.factorize(country[good], sort=True)
        kind, sectors = pd.factorize(sector[good], sort=True)
        first, last = day[good].min(), day[good].max()
        days = np.arange(first, last + 1)
        cube = np.full((len(days), len(countries), len(sectors)), np.nan)
        cube[(day[good] - first).astype(int), which, kind] = values[good]
        return cls(days, tuple(map(str, countries)), tuple(map(str, sectors)), cube)

    def total(self, countries: Sequence[str], sectors: Sequence[str] | None = None) -> np.ndarray:
        """(n,) Mt CO2 a day of these countries and sectors (None: all); NaN where a part of the sum is missing.

        A sector that a country never has (no aviation in a landlocked state) counts as none. What is part of another
        country asked for (Germany of EU27 & UK) is counted once.
        """
        chosen = self.values[:, self._countries(without_parts(countries))][:, :, self._sectors(sectors)]
        if chosen.shape[1] * chosen.shape[2] == 0:
            return np.full(len(self.days), np.nan)
        flat = chosen.reshape(len(self.days), -1)
        flat = flat[:, ~np.isnan(flat).all(axis=0)]
        return flat.sum(axis=1) if flat.shape[1] else np.full(len(self.days), np.nan)

    def by_sector(self, countries: Sequence[str], sectors: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Each sector's total over these countries, as in `total`."""
        names = self.sectors if sectors is None else tuple(sectors)
        return {name: self.total(countries, [name]) for name in names}

    def _countries(self, names: Sequence[str]) -> list[int]:
        return [_position(self.countries, name, "country") for name in names]

    def _sectors(self, names: Sequence[str] | None) -> list[int]:
        return [_position(self.sectors, name, "sector") for name in (self.sectors if names is None else names)]


def _position(names: tuple[str, ...], name: str, what: str) -> int:
    if name not in names:
        raise NoEmissions(f"expected a {what} of the table ({', '.join(names)}), found {name!r}; choose one of these.")
    return names.index(name)


def without_parts(countries: Sequence[str]) -> tuple[str, ...]:
    """The countries without those that another one of them contains, so that nothing is counted twice."""
    chosen = tuple(dict.fromkeys(countries))
    if WORLD in chosen:
        return (WORLD,)
    parts = {member for group in chosen for member in MEMBERS.get(group, ())}
    return tuple(name for name in chosen if name not in parts)


def is_group(country: str) -> bool:
    """True for the world, the rest of the world and groups of countries."""
    return country in (WORLD, REST, *MEMBERS)


# ------------------------------------------------------------------------------------------------------- over time
def running_mean(values: np.ndarray, days: int = 7) -> np.ndarray:
    """(n,) mean of each day and the `days - 1` before it; NaN unless all of them are known.

    Seven days hold each weekday once, so the week's own rhythm is gone; looking back, the newest day has a mean too.
    """
    values = np.asarray(values, dtype=np.float64)
    out = np.full(values.shape, np.nan)
    if days < 1:
        raise ValueError(f"expected at least one day, found {days}.")
    if len(values) >= days:
        out[days - 1 :] = np.lib.stride_tricks.sliding_window_view(values, days).mean(axis=1)
    return out


def monthly_mean(days: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Months and their mean daily emissions; NaN for a month of which a day is missing.

    A mean a day, not a sum, so that months of 28 to 31 days can be compared.

    Returns
    -------
    (m,) datetime64[M], every month from the first to the last; (m,) values.
    """
    month = np.asarray(days).astype("datetime64[M]")
    months = np.arange(month[0], month[-1] + 1) if len(month) else month
    which = (month - months[0]).astype(int) if len(month) else month.astype(int)
    good = np.isfinite(values)
    known = np.bincount(which[good], minlength=len(months))
    total = np.bincount(which[good], weights=np.asarray(values)[good], minlength=len(months))
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int)
    return months, np.where(known == length, total / np.maximum(length, 1), np.nan)


def year_to_date(days: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) sum from 1 January to each day; NaN from the first missing day of a year on, so also without a 1 January."""
    out = np.full(len(days), np.nan)
    for part in _years(days):
        if days[part.start] == days[part.start].astype("datetime64[Y]"):
            out[part] = np.cumsum(np.asarray(values, dtype=np.float64)[part])
    return out


def year_before(days: np.ndarray) -> np.ndarray:
    """(n,) datetime64[D] of the same calendar day of the year before; NaT for 29 February."""
    days = np.asarray(days).astype("datetime64[D]")
    month = days.astype("datetime64[M]")
    earlier = (month - 12).astype("datetime64[D]") + (days - month.astype("datetime64[D]"))
    return np.where(earlier.astype("datetime64[M]") == month - 12, earlier, np.datetime64("NaT"))


def values_year_before(days: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) value of the same calendar day of the year before; NaN for 29 February and where there is none."""
    earlier = year_before(days)
    known = ~np.isnat(earlier) & (earlier >= days[0]) if len(days) else np.zeros(0, dtype=bool)
    out = np.full(len(days), np.nan)
    out[known] = np.asarray(values, dtype=np.float64)[(earlier[known] - days[0]).astype(int)]
    return out


def percent(change: np.ndarray | float, base: np.ndarray | float) -> np.ndarray:
    """`change` in percent of `base`; NaN where the base is not above zero."""
    base = np.asarray(base, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(base > 0, 100.0 * np.asarray(change) / base, np.nan))


def year_to_date_change(days: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of the sum since 1 January on the year before, over the calendar days that both years have.

    Returns
    -------
    (n,) change in Mt and (n,) in percent; NaN before the first day of a year that can be compared.
    """
    before = values_year_before(days, values)
    both = np.isfinite(before) & np.isfinite(values)
    now, then = np.where(both, values, 0.0), np.where(both, before, 0.0)
    change, base = np.full(len(days), np.nan), np.full(len(days), np.nan)
    for part in _years(days):
        seen = np.cumsum(both[part]) > 0
        change[part] = np.where(seen, np.cumsum(now[part]) - np.cumsum(then[part]), np.nan)
        base[part] = np.where(seen, np.cumsum(then[part]), np.nan)
    return change, percent(change, base)


@dataclass(frozen=True)
class YearToDate:
    """The newest year up to its last day, against the same calendar days of the year before.

    Attributes
    ----------
    year, last : calendar year and last day with a value.
    total, before : Mt CO2 over the days compared, in this year and in the one before.
    change, percent : total - before, and in percent of `before`.
    days : number of days compared.
    missing : days from 1 January to `last` (29 February apart) that cannot be compared.
    """

    year: int
    last: np.datetime64
    total: float
    before: float
    days: int
    missing: int

    @property
    def change(self) -> float:
        """Mt CO2 more than in the year before."""
        return self.total - self.before

    @property
    def percent(self) -> float:
        """Change in percent; NaN where the year before has nothing."""
        return float(percent(self.change, self.before))


def newest_year_to_date(days: np.ndarray, values: np.ndarray) -> YearToDate | None:
    """How the newest year goes; None where no day of it can be compared with the year before."""
    known = np.flatnonzero(np.isfinite(values))
    if known.size == 0:
        return None
    last = days[known[-1]]
    start = max(int((last.astype("datetime64[Y]").astype("datetime64[D]") - days[0]).astype(int)), 0)
    part = slice(start, known[-1] + 1)
    now, then = np.asarray(values)[part], values_year_before(days, values)[part]
    both = np.isfinite(now) & np.isfinite(then)
    if not both.any():
        return None
    new_year = last.astype("datetime64[Y]").astype("datetime64[D]")
    calendar = np.arange(new_year, last + 1)
    expected = int((~np.isnat(year_before(calendar))).sum())
    count = int(both.sum())
    return YearToDate(
        year=int(str(last.astype("datetime64[Y]"))),
        last=last,
        total=float(now[both].sum()),
        before=float(then[both].sum()),
        days=count,
        missing=expected - count,
    )


@dataclass(frozen=True)
class AnnualTotal:
    """A calendar year's sum in Mt CO2 over the `days` that have a value; `complete` where all have."""

    year: int
    total: float
    days: int
    complete: bool


def annual_totals(days: np.ndarray, values: np.ndarray) -> list[AnnualTotal]:
    """Sum of each calendar year that has any value, in order."""
    totals = []
    for part in _years(days):
        known = np.isfinite(np.asarray(values)[part])
        if known.any():
            year = days[part.start].astype("datetime64[Y]")
            length = int(((year + 1).astype("datetime64[D]") - year.astype("datetime64[D]")).astype(int))
            total = float(np.asarray(values)[part][known].sum())
            totals.append(AnnualTotal(int(str(year)), total, int(known.sum()), int(known.sum()) == length))
    return totals


def shares(parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each part in percent of the sum of all, NaN where a part is missing or the sum is not above zero."""
    whole = np.sum(list(parts.values()), axis=0)
    return {name: percent(part, whole) for name, part in parts.items()}


def by_year(days: np.ndarray, values: np.ndarray) -> dict[int, np.ndarray]:
    """(366,) values of each year that has any, by day of a leap year, so that the same calendar days stand together."""
    years = {}
    for part in _years(days):
        if np.isfinite(np.asarray(values)[part]).any():
            year = days[part.start].astype("datetime64[Y]")
            row = np.full(366, np.nan)
            row[_leap_day(days[part])] = np.asarray(values)[part]
            years[int(str(year))] = row
    return years


def _leap_day(days: np.ndarray) -> np.ndarray:
    """Position of each day within a leap year, 0..365."""
    month = days.astype("datetime64[M]")
    number = month.astype(int) % 12
    within = (days - month.astype("datetime64[D]")).astype(int)
    first = (np.arange("2000-01", "2001-01", dtype="datetime64[M]").astype("datetime64[D]")).astype(int)
    return (first - first[0])[number] + within


def _years(days: np.ndarray) -> list[slice]:
    """The part of each calendar year."""
    if not len(days):
        return []
    year = np.asarray(days).astype("datetime64[Y]")
    edges = [0, *(np.flatnonzero(year[1:] != year[:-1]) + 1).tolist(), len(days)]
    return [slice(start, stop) for start, stop in pairwise(edges)]
