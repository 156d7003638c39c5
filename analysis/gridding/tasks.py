"""The kinds of task of which gridding consists: summing a piece of the archive, and making a period's maps of the sums.

What a task hands on lies in files that all workers see, so that it neither travels through the scheduler nor passes
through the process that runs the job. The pieces of a period that is not too large are summed where its maps are made, and
nothing is handed on.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis.gridding.cells import cell_numbers
from analysis.gridding.maps import layer_values
from analysis.gridding.overpasses import (
    CellSums,
    OverpassSums,
    Weights,
    add_cells,
    add_overpasses,
    cell_sums,
    overpass_sums,
    solar_days,
)
from analysis.gridding.periods import Every, period_numbers
from analysis.gridding.reading import read_piece
from analysis.gridding.selection import Piece, Selection
from data.cube import EncodedMap, Grid, Variable, encode_cells
from data.runs.files import write_whole

_BAND_ROWS = 65_536
"""So many soundings (a quarter as many overpasses of cells, of 84 bytes) are brought together at a time."""


@dataclass(frozen=True)
class PieceWork:
    """A piece of the archive to be summed onto a grid.

    Attributes
    ----------
    source : number of the source that the piece belongs to.
    error : column of the stated errors, "" for none; floor : the smallest that is believed.
    folder : where the sums go.
    """

    source: int
    piece: Piece
    selection: Selection
    error: str
    floor: float
    every: Every
    grid: Grid
    folder: str

    @property
    def name(self) -> str:
        """Different for all pieces of a run."""
        return f"{self.source}-{self.piece.name}"


class Passed(NamedTuple):
    """How many soundings of a piece or period passed the choice, had their stated error raised to the floor, state no error,
    and have a value.
    """

    soundings: int = 0
    raised: int = 0
    without_error: int = 0
    summed: int = 0

    def plus(self, other: Passed) -> Passed:
        """Both together."""
        return Passed(*(one + two for one, two in zip(self, other, strict=True)))


@dataclass(frozen=True)
class PieceSums:
    """What came of a piece.

    Attributes
    ----------
    files : period -> file with its `OverpassSums`, for each period of which soundings passed.
    """

    files: Mapping[int, str]
    passed: Passed


@dataclass(frozen=True)
class PeriodWork:
    """One period to be made into maps.

    Attributes
    ----------
    rows : how many soundings it is about.
    floor : the smallest standard error of a sounding that is believed.
    months : of each month that the period has a part in, in order: files of `OverpassSums`, or pieces that belong to this
        period alone.
    folder : where the files of the maps go.
    """

    key: str
    folder: str
    rows: int
    grid: Grid
    variables: tuple[Variable, ...]
    weights: Weights
    floor: float
    months: Sequence[Sequence[str | PieceWork]]


@dataclass(frozen=True)
class PeriodMaps:
    """What came of a period.

    Attributes
    ----------
    maps : what a cube keeps, by variable; none where no sounding passed.
    passed : of the pieces that were summed here.
    """

    maps: Mapping[str, EncodedMap]
    passed: Passed


@dataclass(frozen=True)
class MapWork:
    """The values of one period to be made into maps.

    Attributes
    ----------
    file : npz with `cells` (n,) numbers and `values` (variables, n), in a folder that all workers see: values do not
        travel with the task.
    """

    key: str
    grid: Grid
    variables: tuple[Variable, ...]
    file: str


def sum_piece(work: PieceWork) -> PieceSums:
    """Read a piece, sum its soundings by overpass, and put the sums of each period into a file."""
    sums, passed = _summed(work)
    if sums is None:
        return PieceSums({}, passed)
    numbers, starts = np.unique(sums.period, return_index=True)  # ascending by period
    files = {}
    for number, start, end in zip(numbers.tolist(), starts, [*starts[1:], len(sums)], strict=True):
        path = Path(work.folder) / f"{work.name}.{number}.pickle"
        write_whole(path, pickle.dumps(sums.select(slice(start, end)), protocol=pickle.HIGHEST_PROTOCOL))
        files[number] = str(path)
    return PieceSums(files, passed)


def _summed(work: PieceWork) -> tuple[OverpassSums | None, Passed]:
    parts, passed = [], Passed()
    for found in read_piece(work.piece, work.selection, work.error):
        cell = cell_numbers(work.grid, found.lon, found.lat)
        inside = cell >= 0
        stated = inside & (found.error > 0) & np.isfinite(found.error)
        sums = overpass_sums(
            period_numbers(found.times, work.piece.month, work.every),
            cell,
            solar_days(found.times, found.lon),
            found.value,
            found.error,
            error_floor=work.floor,
        )
        if len(sums):
            parts.append(sums)
        passed = passed.plus(
            Passed(
                int(np.count_nonzero(inside)),
                int(np.count_nonzero(found.error[stated] < work.floor)),
                int(np.count_nonzero(inside & ~stated)),
                int(sums.count.sum()),
            )
        )
    return (add_overpasses(parts) if parts else None), passed


def map_period(work: PeriodWork) -> PeriodMaps:
    """Bring the sums of a period together and make of them what a cube keeps of its maps."""
    cells, values, passed = _period_values(work)
    if not cells.size:
        return PeriodMaps({}, passed)
    maps = encode_cells(
        cells, values, work.grid, work.variables, keep=lambda made: made.kept_in(Path(work.folder), work.key)
    )
    return PeriodMaps(maps, passed)


def _period_values(work: PeriodWork) -> tuple[np.ndarray, np.ndarray, Passed]:
    """Cells (n,), layers (variables, n), and what passed of the pieces that were summed here.

    Months are added one by one: an overpass that midnight UTC at the end of a month cuts in two counts in both. A month is
    brought together band by band of the grid, each of which fits into a core's cache.
    """
    passed = Passed()
    cells = work.grid.nlat * work.grid.nlon
    edges = np.linspace(0, cells, max(work.rows // _BAND_ROWS, 1) + 1).astype(np.int64)
    bands: list[list[CellSums]] = [[] for _ in edges[1:]]
    made: list[tuple[np.ndarray, np.ndarray]] = []
    for number, entries in enumerate(work.months, start=1):
        parts: list[OverpassSums] = []
        for entry in entries:
            sums, here = _sums_of(entry)
            passed = passed.plus(here)
            if sums is not None:
                parts.append(sums)
        for held, pieces in zip(bands, _by_band(parts, edges), strict=True):
            if pieces:
                held[:] = [add_cells([*held, cell_sums(add_overpasses(pieces), work.weights)])]
            if number == len(work.months):
                made += [(total.cell, layer_values(total, work.floor)) for total in held]
                held.clear()
    if not made:
        return np.empty(0, np.int32), np.empty((len(work.variables), 0), np.float32), passed
    return np.concatenate([found for found, _ in made]), np.concatenate([found for _, found in made], axis=1), passed


def _sums_of(entry: str | PieceWork) -> tuple[OverpassSums | None, Passed]:
    return (pickle.loads(Path(entry).read_bytes()), Passed()) if isinstance(entry, str) else _summed(entry)


def _by_band(parts: Sequence[OverpassSums], edges: np.ndarray) -> Iterator[list[OverpassSums]]:
    """Of each band from one number of a cell to the next, what the parts of one period have in it."""
    borders = [np.searchsorted(part.cell, edges).tolist() for part in parts]
    for band in range(edges.size - 1):
        slices = [slice(*border[band : band + 2]) for border in borders]
        yield [part.select(rows) for part, rows in zip(parts, slices, strict=True) if rows.start < rows.stop]


def make_maps_of(work: MapWork) -> dict[str, EncodedMap]:
    """Make of a period's values what a cube keeps of their maps, by variable."""
    with np.load(work.file) as kept:
        return encode_cells(kept["cells"], kept["values"], work.grid, work.variables)
