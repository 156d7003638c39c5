"""Where the soundings of an archive lie: their number in every cell of a coarse grid, by instrument and month.

Counted once: a month whose files have not changed (files never change, they are only replaced) comes from a small file
beside the archive, so that the map of an archive of any size opens at once and an import costs the months it touches.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.errors import StoreProblem

if TYPE_CHECKING:
    import duckdb

    from data.soundings import SoundingArchive
    from data.storage import ManifestFolder

CELL_DEGREES = 1.0
NLON, NLAT = 360, 180
_FORMAT = 1
Month = tuple[str, int]
"""Instrument, months since January 1970."""


@dataclass(frozen=True)
class Density:
    """Soundings by instrument, month and cell.

    Attributes
    ----------
    months : (instrument, month) -> cells (n,) int32 (row * 360 + column; row 0 is the southernmost, column 0 begins at
        180 W) and counts (n,) int64.
    version : of the archive when it was counted.
    """

    months: dict[Month, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    version: int = 0

    def grid(self, instrument: str | None = None, year: int | None = None) -> np.ndarray:
        """(180, 360) int64 soundings in each cell of one degree, row 0 the southernmost; of all where not restricted."""
        total = np.zeros(NLAT * NLON, dtype=np.int64)
        for (name, month), (cells, counts) in self.months.items():
            if instrument in (None, name) and year in (None, 1970 + month // 12):
                total[cells] += counts
        return total.reshape(NLAT, NLON)


def density(
    archive: SoundingArchive, kept: Path | None = None, progress: Callable[[int, int, str], None] | None = None
) -> Density:
    """Count the soundings of an archive.

    Parameters
    ----------
    kept : file in which the counts are kept for the next time; one that is damaged or of another version of this program
        is replaced, and one that cannot be written does no harm.
    progress : called with (months counted, months, what is being counted).

    Raises
    ------
    StoreProblem : a file of the archive is missing or damaged.
    """
    version, contents = archive.version, archive.contents
    files: dict[Month, list[str]] = {}
    for file in contents.files.values():
        files.setdefault((file.partition.instrument, file.partition.month), []).append(file.name)
    known = _read(kept) if kept is not None else {}
    marks = {month: _mark(names) for month, names in files.items()}
    counted = {month: known[month][1:] for month in files if month in known and known[month][0] == marks[month]}
    missing = sorted(set(files) - set(counted))
    if missing:
        counted |= _count(archive.folder, {month: files[month] for month in missing}, progress)
    found = Density(dict(sorted(counted.items())), version)
    if kept is not None and (missing or known.keys() != files.keys()):
        _write(kept, found, marks)
    return found


def _count(
    folder: ManifestFolder, files: dict[Month, list[str]], progress: Callable[[int, int, str], None] | None
) -> dict[Month, tuple[np.ndarray, np.ndarray]]:
    import duckdb

    from data.soundings.query import connect

    found: dict[Month, tuple[np.ndarray, np.ndarray]] = {}
    with connect() as database:
        if not folder.local:
            database.register_filesystem(folder.fs)
        for number, (month, names) in enumerate(files.items()):
            if progress is not None:
                progress(number, len(files), f"{month[0]}, {np.datetime64(month[1], 'M')}")
            try:
                found[month] = _cells(database, [folder.address(name) for name in names])
            except duckdb.Error as error:
                raise StoreProblem(
                    f"sounding archive {folder.root}: the soundings of {month[0]} in {np.datetime64(month[1], 'M')} cannot "
                    f"be counted ({str(error).splitlines()[0][:150]}); check it with `carbonweather data verify`."
                ) from None
    return found


def _cells(database: duckdb.DuckDBPyConnection, paths: list[str]) -> tuple[np.ndarray, np.ndarray]:
    columns = database.execute(
        f"""
        SELECT (least(greatest(floor(geometry.y + 90), 0), {NLAT - 1}) * {NLON}
                + (floor(geometry.x + 180)::INTEGER % {NLON} + {NLON}) % {NLON})::INTEGER AS cell, count(*) AS n
        FROM read_parquet(?, hive_partitioning = false, union_by_name = true)
        WHERE isfinite(geometry.x) AND isfinite(geometry.y)
        GROUP BY cell ORDER BY cell""",
        [paths],
    ).fetchnumpy()
    return np.asarray(columns["cell"], dtype=np.int32), np.asarray(columns["n"], dtype=np.int64)


def _mark(names: list[str]) -> str:
    return hashlib.blake2b("\n".join(sorted(names)).encode(), digest_size=12).hexdigest()


def _read(path: Path) -> dict[Month, tuple[str, np.ndarray, np.ndarray]]:
    """(instrument, month) -> mark of its files, cells, counts; empty where there is nothing usable."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            if int(kept["format"]) != _FORMAT:
                return {}
            ends = np.cumsum(kept["lengths"])
            starts = ends - kept["lengths"]
            cells, counts = kept["cells"], kept["counts"]
            facts = zip(kept["instruments"], kept["numbers"], kept["marks"], starts, ends, strict=True)
            return {
                (str(name), int(month)): (str(mark), cells[start:end], counts[start:end])
                for name, month, mark, start, end in facts
                if end <= cells.size and cells[start:end].max(initial=0) < NLAT * NLON
            }
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}


def _write(path: Path, found: Density, marks: dict[Month, str]) -> None:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    months = list(found.months)
    empty = np.empty(0, dtype=np.int64)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as stream:
            np.savez_compressed(
                stream,
                format=np.int64(_FORMAT),
                instruments=np.array([name for name, _ in months], dtype=str),
                numbers=np.array([number for _, number in months], dtype=np.int64),
                marks=np.array([marks[month] for month in months], dtype=str),
                lengths=np.array([found.months[month][0].size for month in months], dtype=np.int64),
                cells=np.concatenate([empty, *(found.months[month][0] for month in months)]).astype(np.int32),
                counts=np.concatenate([empty, *(found.months[month][1] for month in months)]),
            )
        os.replace(part, path)
    except OSError:  # a read-only or full folder: it is counted again the next time
        with contextlib.suppress(OSError):
            part.unlink()
