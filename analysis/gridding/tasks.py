"""The kinds of task of which gridding consists: summing a piece of the archive, and making a period's maps of the sums.

What a task hands on lies in files that all workers see, so that it neither travels through the scheduler nor passes
through the process that runs the job.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.gridding.cells import cell_numbers
from analysis.gridding.maps import layer_values
from analysis.gridding.overpasses import (
    CellSums,
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


@dataclass(frozen=True)
class PieceSums:
    """What came of a piece.

    Attributes
    ----------
    files : period -> file with its `OverpassSums`, for each period of which soundings passed.
    soundings : that passed; raised : whose stated error was raised to the floor; without_error : that state none.
    summed : those of them that have a value.
    """

    files: Mapping[int, str]
    soundings: int
    raised: int
    without_error: int
    summed: int


@dataclass(frozen=True)
class PeriodWork:
    """The sums of one period to be made into maps.

    Attributes
    ----------
    months : files of `OverpassSums` of each month that the period has a part in, in order.
    floor : the smallest standard error of a sounding that is believed.
    """

    key: str
    grid: Grid
    variables: tuple[Variable, ...]
    weights: Weights
    floor: float
    months: Sequence[Sequence[str]]


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
    """Read a piece and sum its soundings by overpass."""
    parts, soundings, raised, without = [], 0, 0, 0
    for found in read_piece(work.piece, work.selection, work.error):
        cell = cell_numbers(work.grid, found.lon, found.lat)
        inside = cell >= 0
        stated = inside & (found.error > 0) & np.isfinite(found.error)
        soundings += int(np.count_nonzero(inside))
        raised += int(np.count_nonzero(found.error[stated] < work.floor))
        without += int(np.count_nonzero(inside & ~stated))
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
    if not parts:
        return PieceSums({}, soundings, raised, without, 0)
    sums = add_overpasses(parts)
    numbers, starts = np.unique(sums.period, return_index=True)  # ascending by period
    files = {}
    for number, start, end in zip(numbers.tolist(), starts, [*starts[1:], len(sums)], strict=True):
        path = Path(work.folder) / f"{work.name}.{number}.pickle"
        write_whole(path, pickle.dumps(sums.select(slice(start, end)), protocol=pickle.HIGHEST_PROTOCOL))
        files[number] = str(path)
    return PieceSums(files, soundings, raised, without, int(sums.count.sum()))


def map_period(work: PeriodWork) -> dict[str, EncodedMap]:
    """Bring the sums of a period together and make of them what a cube keeps of its maps, by variable.

    Months are added one by one: an overpass that midnight UTC at the end of a month cuts in two counts in both.
    """
    total: CellSums | None = None
    for files in work.months:
        parts = [pickle.loads(Path(file).read_bytes()) for file in files]
        month = cell_sums(add_overpasses(parts), work.weights)
        total = month if total is None else add_cells([total, month])
    assert total is not None, "a period has sums"
    return _encoded(total.cell, layer_values(total, work.floor), work)


def make_maps_of(work: MapWork) -> dict[str, EncodedMap]:
    """Make of a period's values what a cube keeps of their maps, by variable."""
    with np.load(work.file) as kept:
        return _encoded(kept["cells"], kept["values"], work)


def _encoded(cells: np.ndarray, values: Any, work: PeriodWork | MapWork) -> dict[str, EncodedMap]:
    return {
        variable.name: encode_cells(cells, row, work.grid, variable)
        for variable, row in zip(work.variables, values, strict=True)
    }
