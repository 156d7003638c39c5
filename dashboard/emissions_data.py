"""Daily emissions of a data folder: what `carbonweather data import` keeps of Carbon Monitor's table, read once for all sessions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from analysis.statistics.emissions import DailyEmissions
from data.catalog import entry
from data.errors import DataError
from data.home import tables_dir
from data.tables import TableStore

CATALOG = "carbon-monitor"
COLLECTION = "carbon-monitor"
_COLUMNS = ("time", "country", "sector", "co2_mt_per_day")
_KEPT = 2

_lock = threading.Lock()
_tables: OrderedDict[tuple[str, int], EmissionTable] = OrderedDict()


@dataclass(frozen=True)
class EmissionTable:
    """Daily emissions and whose they are.

    Attributes
    ----------
    daily : the numbers.
    title, source, citation, licence : as the catalogue has them.
    files : the imported files it is made of, the newest last.
    simulated : True if they are not from measurements or statistics.
    """

    daily: DailyEmissions
    title: str
    source: str
    citation: str
    licence: str
    files: tuple[str, ...]
    simulated: bool

    @property
    def is_example(self) -> bool:
        """True for the simulated example, which no file stands behind."""
        return not self.files

    @property
    def newest(self) -> np.datetime64:
        """Last day with any number."""
        known = np.isfinite(self.daily.values).any(axis=(1, 2))
        return self.daily.days[np.flatnonzero(known)[-1]]

    @property
    def gaps(self) -> list[tuple[np.datetime64, np.datetime64]]:
        """First and last day of each stretch without any number."""
        missing = ~np.isfinite(self.daily.values).any(axis=(1, 2))
        edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(np.int8)))
        return [(self.daily.days[start], self.daily.days[stop - 1]) for start, stop in edges.reshape(-1, 2)]


def table_version(root: Path) -> int:
    """Grows with every import of a table; costs one look at a file's date."""
    return TableStore(tables_dir(root)).version


def has_emissions(root: Path) -> bool:
    """True if daily emissions have been imported; reads no more than the list of tables."""
    files = TableStore(tables_dir(root)).folder.manifest()["files"]
    return any(kept["collection"] == COLLECTION for kept in files.values())


def is_read(root: Path) -> bool:
    """True if `emission_table` would answer at once."""
    with _lock:
        return (str(root), table_version(root)) in _tables


def emission_table(root: Path) -> EmissionTable | None:
    """The daily emissions of a data folder; None where none have been imported.

    Where files overlap, the one that reaches furthest is the newest release and holds.

    Raises
    ------
    DataError, AnalysisError : the tables there are cannot be read.
    """
    store = TableStore(tables_dir(root))
    key = (str(root), store.version)
    with _lock:
        if key in _tables:
            _tables.move_to_end(key)
            return _tables[key]
    listed = store.list()
    listed = listed[listed["collection"] == COLLECTION].sort_values(["end", "source_file"], na_position="first")
    if listed.empty:
        return None
    files = tuple(str(name) for name in listed["source_file"])
    parts: list[list[np.ndarray]] = [[] for _ in _COLUMNS]
    for name in files:
        rows = store.open(COLLECTION, name)
        for part, column in zip(parts, _COLUMNS, strict=True):
            part.append(rows[column].to_numpy())
    time, country, sector, value = (np.concatenate(part) for part in parts)
    table = _described(
        DailyEmissions.from_rows(time, country, sector, value), files, simulated=bool(listed["simulated"].any())
    )
    with _lock:
        _tables[key] = table
        while len(_tables) > _KEPT:
            _tables.popitem(last=False)
    return table


@lru_cache(maxsize=1)
def example_table() -> EmissionTable:
    """Emissions of the simulated world, to try the page with where there are no data."""
    from analysis.world.daily_emissions import simulated_emissions

    return EmissionTable(
        daily=simulated_emissions(),
        title="Simulated daily emissions: cities and power plants of the simulated world",
        source="Carbon Weather, simulated world",
        citation="Simulated with Carbon Weather; not statistics of any country.",
        licence="",
        files=(),
        simulated=True,
    )


def _described(daily: DailyEmissions, files: tuple[str, ...], *, simulated: bool) -> EmissionTable:
    known = entry(CATALOG)
    return EmissionTable(
        daily=daily,
        title=known.title,
        source=f"{known.provider}, {known.homepage}",
        citation=known.citation,
        licence=known.licence or "",
        files=files,
        simulated=simulated,
    )


__all__ = [
    "CATALOG",
    "AnalysisError",
    "DataError",
    "EmissionTable",
    "emission_table",
    "example_table",
    "has_emissions",
    "is_read",
    "table_version",
]
