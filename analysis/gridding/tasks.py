"""The two kinds of task of which gridding consists: summing a piece of the archive, and making a map of values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.gridding.cells import cell_numbers
from analysis.gridding.overpasses import OverpassSums, add_overpasses, overpass_sums, solar_days
from analysis.gridding.periods import Every, period_numbers
from analysis.gridding.reading import read_piece
from analysis.gridding.selection import Piece, Selection
from data.cube import EncodedMap, Grid, Variable, encode_cells


@dataclass(frozen=True)
class PieceWork:
    """A piece of the archive to be summed onto a grid.

    Attributes
    ----------
    source : number of the source that the piece belongs to.
    error : column of the stated errors, "" for none; floor : the smallest that is believed.
    """

    source: int
    piece: Piece
    selection: Selection
    error: str
    floor: float
    every: Every
    grid: Grid


@dataclass(frozen=True)
class PieceSums:
    """What came of a piece.

    Attributes
    ----------
    sums : None where no sounding passed.
    soundings : that passed; raised : whose stated error was raised to the floor; without_error : that state none.
    """

    sums: OverpassSums | None
    soundings: int
    raised: int
    without_error: int


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
    return PieceSums(add_overpasses(parts) if parts else None, soundings, raised, without)


def make_maps_of(work: MapWork) -> dict[str, EncodedMap]:
    """Make of a period's values what a cube keeps of their maps, by variable."""
    with np.load(work.file) as kept:
        cells, values = kept["cells"], kept["values"]
    return {
        variable.name: encode_cells(cells, row, work.grid, variable)
        for variable, row in zip(work.variables, values, strict=True)
    }
