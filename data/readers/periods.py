"""The period that a file stands for, read from its name: many maps carry no time inside ("XCO2_201501.nc",
"gridcar.2013").

Names are searched for a day, a range, a month or a year in the spellings that providers use; digits that belong to
"CO2", to a resolution ("0.05deg") or to a product version are not dates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_YEAR = r"((?:19|20)\d{2})"
_MONTH = r"(0[1-9]|1[0-2])"
_DAY = r"(0[1-9]|[12]\d|3[01])"
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = rf"({'|'.join(_MONTH_NAMES)})[a-z]*"
_NOT_DATES = re.compile(
    r"(?i)x?co2|sif|\d+(?:[.p]\d+)?[-_]?(?:deg(?:rees?)?|km|x\d+(?:\.\d+)?)(?![a-z])|(?<![a-z])v\d+(?:\.\d+)*"
)
_SUFFIXES = re.compile(r"(?i)(?:\.(?:nc4?|cdf|h5|hdf5?|he5|zarr|tiff?|gz|csv|txt|asc|mat|json|rds|jpe?g))+$")


@dataclass(frozen=True)
class Period:
    """From `start` (included) to `end` (excluded), datetime64[ns]."""

    start: np.datetime64
    end: np.datetime64

    @property
    def middle(self) -> np.datetime64:
        """The time step of a map that stands for this period."""
        return self.start + (self.end - self.start) // 2

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float((self.end - self.start) / np.timedelta64(1, "s"))

    @property
    def months(self) -> np.ndarray:
        """(n,) middles of the calendar months in it."""
        first = self.start.astype("datetime64[M]")
        count = int((self.end - np.timedelta64(1, "ns")).astype("datetime64[M]") - first) + 1
        return np.array([month(first + k).middle for k in range(count)])


def day(date: np.datetime64, days: int = 1) -> Period:
    """`days` days from a date on."""
    start = date.astype("datetime64[D]")
    return Period(start.astype("datetime64[ns]"), (start + days).astype("datetime64[ns]"))


def month(date: np.datetime64) -> Period:
    """The calendar month that holds a date."""
    start = date.astype("datetime64[M]")
    return Period(start.astype("datetime64[ns]"), (start + 1).astype("datetime64[ns]"))


def year(number: int) -> Period:
    """A calendar year."""
    return Period(np.datetime64(f"{number:04d}-01-01", "ns"), np.datetime64(f"{number + 1:04d}-01-01", "ns"))


def _days(first: str, last: str) -> Period:
    return Period(np.datetime64(first, "ns"), (np.datetime64(last, "D") + 1).astype("datetime64[ns]"))


def _months(first: str, last: str) -> Period:
    return Period(np.datetime64(first, "ns"), month(np.datetime64(last)).end)


_PATTERNS = (
    (
        rf"(?<!\d){_YEAR}{_MONTH}{_DAY}[-_]+{_YEAR}{_MONTH}{_DAY}(?!\d)",
        lambda g: _days(f"{g[0]}-{g[1]}-{g[2]}", f"{g[3]}-{g[4]}-{g[5]}"),
    ),
    (rf"(?<!\d){_YEAR}{_MONTH}[-_]+{_YEAR}{_MONTH}(?!\d)", lambda g: _months(f"{g[0]}-{g[1]}", f"{g[2]}-{g[3]}")),
    (rf"(?<!\d){_YEAR}([-_.]?){_MONTH}\2{_DAY}(?!\d)", lambda g: day(np.datetime64(f"{g[0]}-{g[2]}-{g[3]}"))),
    (rf"(?<!\d)[yY]{_YEAR}[-_]?[mM]{_MONTH}(?!\d)", lambda g: month(np.datetime64(f"{g[0]}-{g[1]}"))),
    (
        rf"(?<!\d){_YEAR}(00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])(?!\d)",
        lambda g: day(np.datetime64(f"{g[0]}-01-01") + int(g[1]) - 1),
    ),
    (rf"(?<!\d){_YEAR}[-_.]?{_MONTH}(?!\d)", lambda g: month(np.datetime64(f"{g[0]}-{g[1]}"))),
    (rf"(?<!\d){_YEAR}[-_.]([1-9])(?!\d)", lambda g: month(np.datetime64(f"{g[0]}-0{g[1]}"))),
    (rf"(?<![\dA-Za-z.]){_MONTH}[-_.]{_YEAR}(?!\d)", lambda g: month(np.datetime64(f"{g[1]}-{g[0]}"))),
    (
        rf"(?i)(?<![a-z]){_NAMED}[-_. ]?{_YEAR}(?!\d)",
        lambda g: month(np.datetime64(f"{g[1]}-{_MONTH_NAMES.index(g[0].lower()) + 1:02d}")),
    ),
    (
        rf"(?i)(?<!\d){_YEAR}[-_. ]?{_NAMED}",
        lambda g: month(np.datetime64(f"{g[0]}-{_MONTH_NAMES.index(g[1].lower()) + 1:02d}")),
    ),
    (rf"(?<![\dA-Za-z]){_YEAR}[-_]+{_YEAR}(?!\d)", lambda g: Period(year(int(g[0])).start, year(int(g[1])).end)),
    (rf"(?<![\dA-Za-z]){_YEAR}(?!\d)", lambda g: year(int(g[0]))),
)


def stem_of(name: str) -> str:
    """File name without its data suffixes ("a.tif.gz" -> "a")."""
    return _SUFFIXES.sub("", name)


def _blank(match: re.Match[str]) -> str:
    return "~" * len(match.group())


def _search(stem: str) -> tuple[Period, tuple[int, int]] | None:
    cleaned = _NOT_DATES.sub(_blank, stem)
    for pattern, make in _PATTERNS:
        for match in re.finditer(pattern, cleaned):
            try:
                period = make(match.groups())
            except ValueError:  # 31 February
                continue
            if period.end > period.start:
                return period, match.span()
    return None


def period_of(path: Path) -> Period | None:
    """The period in a file name ("XCO2_2015_1.nc", "x.20150114.nc4"), also in "2015/01.nc"; None if there is none."""
    stem = stem_of(path.name)
    found = _search(stem)
    if found is None and re.fullmatch(r"(?:19|20)\d{2}", path.parent.name) and re.fullmatch(r"0?[1-9]|1[0-2]", stem):
        found = _search(f"{path.parent.name}-{int(stem):02d}")
    return found[0] if found else None


def name_without_period(path: Path) -> str:
    """File name without suffix and date, as lower-case slug: equal for all files of a series."""
    stem = stem_of(path.name)
    found = _search(stem)
    if found is not None:
        stem = stem[: found[1][0]] + "-" + stem[found[1][1] :]
    return slug(re.sub(r"\d{8,}", "-", stem))  # stamps of when a file was made


def slug(text: str) -> str:
    """Lower-case words, digits and dots joined by hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
