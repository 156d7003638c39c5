"""The part of an import that needs no store: recognise files, read soundings, and make them ready for the archive.

It is nearly all the work where files hold soundings, and runs in this process or in several (`data.importing.workers`).
What is no soundings is only recognised here and read by the importer itself.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data.errors import DataError
from data.importing.record import ImportRecord, failed, record_of, unforeseen
from data.soundings.staging import Staged

if TYPE_CHECKING:
    from data.soundings.table import SoundingTable

GROUP_BYTES = 224 * 2**20
GROUP_FILES = 400
"""Files are read in groups of so many bytes or files: four days of OCO-2, one full file of the archive."""

_BATCH_BYTES = 256 * 2**20
"""Soundings in memory before they are written, whatever the size of the files was; sorting takes as much again."""


@dataclass(frozen=True)
class Prepared:
    """What was found out about one file.

    Attributes
    ----------
    status : "soundings" (they come with the next `Staged`), "seen" (a file of the same content was imported before),
        "other" (not soundings, or nothing that is known: read it), "failed".
    record : for soundings and failures.
    log : traceback of a fault of the program.
    """

    path: Path
    digest: str
    status: Literal["soundings", "seen", "other", "failed"]
    record: ImportRecord | None = None
    log: str = ""


@dataclass(frozen=True)
class NotStaged:
    """The soundings read since the last `Staged` were lost: with a reason, or else to be read once more."""

    error: Exception | None


Event = Path | Prepared | Staged | NotStaged
"""A path says that this file is being read now."""


def grouped(files: Iterable[Path]) -> list[list[Path]]:
    """Files in their order, cut into groups that are read at one go."""
    groups: list[list[Path]] = []
    room = 0
    for path in files:
        size = size_of(path)
        if not groups or size > room or len(groups[-1]) >= GROUP_FILES:
            groups.append([])
            room = GROUP_BYTES
        groups[-1].append(path)
        room -= size
    return groups


def size_of(path: Path) -> int:
    """Bytes of a file; 0 for folders and what cannot be looked at."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def prepare(files: Iterable[Path], seen: frozenset[str], place: Path) -> Iterator[Event]:
    """Look at files in turn; their soundings are written to the folder `place`.

    Parameters
    ----------
    files : in the order in which they are imported.
    seen : digests of files in the archive, which are not read again.
    place : `SoundingArchive.staging()`.
    """
    from data.soundings.granule import file_digest

    waiting: list[SoundingTable] = []
    for path in files:
        yield path
        digest = file_digest(path)
        if digest in seen:
            yield Prepared(path, digest, "seen")
            continue
        prepared, table = _read(path, digest)
        yield prepared
        if table is not None:
            waiting.append(table)
            if sum(each.table.nbytes for each in waiting) >= _BATCH_BYTES:
                yield from stage_all(waiting, place)
                waiting = []
    yield from stage_all(waiting, place)


def stage_all(tables: list[SoundingTable], place: Path) -> Iterator[Staged | NotStaged]:
    """Write soundings to files; that they could not be written is an event too."""
    from data.soundings.staging import stage

    try:
        yield from stage(tables, place)
    except OSError as error:
        yield NotStaged(error)
    except Exception as error:  # the archive's own fault must not lose the records
        yield NotStaged(RuntimeError("".join(traceback.format_exception(error)).strip().splitlines()[-1]))


def _read(path: Path, digest: str) -> tuple[Prepared, SoundingTable | None]:
    from data.readers import find_reader
    from data.readers.probe import Probe
    from data.soundings.table import to_table

    record = None
    try:
        reader = find_reader(Probe.of(path))
        if reader is None or reader.kind != "soundings":
            return Prepared(path, digest, "other"), None
        product = reader.read(path)
        record = record_of(product, path)
        table = to_table(product, digest)
    except DataError as problem:
        return Prepared(path, digest, "failed", failed(path, str(problem), record)), None
    except Exception as error:  # a reader's own fault must not stop the others
        return Prepared(path, digest, "failed", unforeseen(path, error, record), traceback.format_exc()), None
    return Prepared(path, digest, "soundings", with_remark(record, table)), table


def with_remark(record: ImportRecord, table: SoundingTable) -> ImportRecord:
    """The record, which says how many soundings cannot be kept."""
    left_out = f"{table.unusable} without time, position or a number of their own left out"
    return replace(record, message=left_out) if table.unusable else record
