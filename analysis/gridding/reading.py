"""The wanted soundings of a piece of the archive, as plain arrays: only the columns and row groups that are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.gridding.selection import Piece, Selection
from data.places import is_local

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    Boxes = tuple[tuple[float, float, float, float], ...]


class ArchiveChanged(AnalysisError):
    """A file that the run was planned with is gone or cannot be read."""


_ROWS_AT_ONCE = 32_768
"""A file is read and grouped a row group of the archive at a time, each column of which fits into a core's cache: memory is what
cores share. Grouping takes a tenth less time than with four times as many, and no longer beside another worker.
"""


@dataclass(frozen=True)
class Soundings:
    """Soundings of one part of a piece; all (n,).

    Attributes
    ----------
    times : int64 ns since 1970.
    lon, lat : float64 degrees.
    value : float64; error : float64 stated standard errors, NaN where there is none.
    """

    times: np.ndarray
    lon: np.ndarray
    lat: np.ndarray
    value: np.ndarray
    error: np.ndarray

    def __len__(self) -> int:
        return self.times.size

    def select(self, keep: np.ndarray) -> Soundings:
        """Some of them, by mask or index."""
        return Soundings(*(values[keep] for values in vars(self).values()))


def read_piece(piece: Piece, selection: Selection, error: str = "") -> Iterator[Soundings]:
    """The soundings that pass, in the order in which they are stored, a part of a file at a time.

    Parameters
    ----------
    error : column of the standard errors, "" for none.

    Raises
    ------
    ArchiveChanged : a file is gone or damaged.
    """
    import pyarrow as pa

    from data.soundings import SoundingArchive
    from data.soundings.query import boxes_of

    folder = SoundingArchive(piece.archive).folder
    boxes = None if selection.box is None else boxes_of(selection.box)
    for name in piece.files:
        try:
            for table in _rows(folder, name, _columns(piece, selection, error), boxes):
                found = _passing(table, piece, selection, error, boxes)
                if len(found):
                    yield found
        except FileNotFoundError:
            raise ArchiveChanged(
                f"sounding archive {piece.archive}: expected the file {name}, found it gone (an import has changed the archive "
                "since this run was planned); start the run anew."
            ) from None
        except (OSError, pa.ArrowException) as problem:
            raise ArchiveChanged(
                f"sounding archive {piece.archive}: expected a readable file {name}, found damage "
                f"({(str(problem).splitlines() or [''])[0][:120]}); check the archive with `carbonweather data verify`."
            ) from None


def _columns(piece: Piece, selection: Selection, error: str) -> list[str]:
    names = ["time", "geometry", "quality_flag", selection.variable]
    names += [error] if error in piece.columns else []
    names += ["granule"] if piece.granules is not None else []
    names += ["mode"] if selection.modes and "mode" in piece.columns else []
    names += ["surface_type"] if selection.surfaces and "surface_type" in piece.columns else []
    return list(dict.fromkeys(names))


def _rows(folder: Any, name: str, columns: list[str], boxes: Boxes | None) -> Iterator[pa.Table]:
    """Rows of a file, some at a time, without row groups that lie outside the boxes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ahead = not is_local(folder.fs)  # from a disk it only costs threads
    with folder.fs.open(folder.path(name), "rb") as stream, pq.ParquetFile(stream, pre_buffer=ahead) as parquet:
        groups = [
            number for number in range(parquet.num_row_groups) if boxes is None or _may_touch(parquet, number, boxes)
        ]
        for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=groups, columns=columns, use_threads=False):
            yield pa.Table.from_batches([batch])


def _may_touch(parquet: pq.ParquetFile, number: int, boxes: Boxes) -> bool:
    group = parquet.metadata.row_group(number)
    edges: dict[str, tuple[float, float]] = {}
    for index in range(group.num_columns):
        column = group.column(index)
        if column.path_in_schema in ("geometry.x", "geometry.y"):
            if column.statistics is None or not column.statistics.has_min_max:
                return True
            edges[column.path_in_schema] = column.statistics.min, column.statistics.max
    (left, right), (bottom, top) = edges["geometry.x"], edges["geometry.y"]
    return any(
        west <= right and east >= left and south <= top and north >= bottom for west, south, east, north in boxes
    )


def _passing(table: pa.Table, piece: Piece, selection: Selection, error: str, boxes: Boxes | None) -> Soundings:
    from data.soundings.table import numbers_of, positions, times_of

    times, (lon, lat) = times_of(table), positions(table)
    value = _number(table, selection.variable)
    keep = np.isfinite(value)
    if selection.start is not None:
        keep &= times >= selection.start
    if selection.end is not None:
        keep &= times < selection.end
    if selection.quality != "all":
        flags = numbers_of(table["quality_flag"])
        keep &= (flags != 1) if selection.quality == "good" else (flags == 0)
    for name, accepted in (("mode", selection.modes), ("surface_type", selection.surfaces)):
        if accepted:
            codes = numbers_of(table[name]) if name in table.schema.names else np.full(times.shape, -1)
            keep &= np.isin(codes, accepted)
    if piece.granules is not None:
        keep &= np.isin(numbers_of(table["granule"]), list(piece.granules))
    if boxes is not None:
        inside = np.zeros(times.shape, dtype=bool)
        for west, south, east, north in boxes:
            inside |= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        keep &= inside
    stated = _number(table, error) if error in table.schema.names else np.full(times.shape, np.nan)
    found = Soundings(times, lon, lat, value, stated)
    return found if keep.all() else found.select(keep)


def _number(table: pa.Table, name: str) -> np.ndarray:
    from data.soundings.table import numbers_of

    return numbers_of(table[name]).astype(np.float64)
