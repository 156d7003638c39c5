"""Soundings made ready outside of the archive: sorted, described and written as the files that they will be.

This is nearly all the work of an append and needs nothing of the archive, so several processes can do it at once; what
is left is to see that no other granule has the same soundings, to move the files into place and to name them in the
manifest (`SoundingArchive.append_staged`). Staged files lie in a hidden folder of the archive, which no reader sees and
which the next import removes where a program was killed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.soundings.contents import DataFile
from data.soundings.files import by_partition, in_files, notes
from data.soundings.granule import Granule
from data.soundings.overlap import shared
from data.soundings.table import SoundingTable, describe_columns, write_parquet
from data.storage import secured

if TYPE_CHECKING:
    import pyarrow as pa

    from data.storage import ManifestFolder

_FOLDER = ".staging"
_ABANDONED_SECONDS = 60.0
"""A staging folder without a living owner is removed once it is so old: its owner may be about to take its lock."""


@dataclass(frozen=True)
class StagedFile:
    """A file of the archive that is not there yet: what the manifest will say of it, and where it lies."""

    file: DataFile
    path: str

    def rows(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Its soundings."""
        import pyarrow.parquet as pq

        return pq.read_table(self.path, columns=None if columns is None else list(columns)).replace_schema_metadata(
            None
        )


@dataclass(frozen=True)
class Staged:
    """Granules that have no sounding in common, as files.

    Attributes
    ----------
    granules : as in `SoundingTable`, but without rows.
    columns : schema -> its columns (`describe_columns`).
    files : what holds their soundings.
    """

    granules: tuple[SoundingTable, ...]
    columns: dict[str, dict[str, dict[str, Any]]]
    files: tuple[StagedFile, ...]

    def rows(self, granule: Granule, columns: Sequence[str] | None = None) -> pa.Table | None:
        """The soundings of one granule, read back; None where it has none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        parts = [staged.rows(columns) for staged in self.files if str(granule.key) in staged.file.days]
        parts = [part.filter(pc.equal(part["granule"], granule.key)) for part in parts]
        return pa.concat_tables(parts) if parts else None

    def tables(self) -> Iterator[SoundingTable]:
        """The granules with their rows, read back."""
        for new in self.granules:
            rows = self.rows(new.granule)
            yield new if rows is None else replace(new, table=rows)


def stage(tables: Sequence[SoundingTable], place: Path) -> Iterator[Staged]:
    """Write granules to files in `place`, each set of granules without common soundings for itself, in their order.

    Raises
    ------
    OSError : no room, no permission.
    """
    for chosen in _apart(tables):
        granules = {new.granule.key: new.granule for new in chosen}
        columns = {new.granule.schema: describe_columns(new.table.schema) for new in chosen}
        emptied = tuple(replace(new, table=new.table.schema.empty_table()) for new in chosen)
        files = []
        for partition, rows in sorted(by_partition(chosen).items()):
            for file, piece in in_files(partition, rows):
                path = place / f".{uuid.uuid4().hex}.parquet"  # hidden: not swept up with what was left behind
                write_parquet(piece, path, notes(file, granules, columns[partition.schema]))
                files.append(StagedFile(replace(file, **secured(path)._asdict()), str(path)))
        yield Staged(emptied, columns, tuple(files))


def _apart(tables: Iterable[SoundingTable]) -> Iterator[list[SoundingTable]]:
    """Runs of granules of which no two have a name or a sounding in common."""
    run: list[SoundingTable] = []
    for new in tables:
        if any(_alike(new, other) for other in run):
            yield run
            run = []
        run.append(new)
    if run:
        yield run


def _alike(new: SoundingTable, other: SoundingTable) -> bool:
    if new.granule.key == other.granule.key:
        return True
    if not new.granule.meets(other.granule) or not new.table.num_rows or not other.table.num_rows:
        return False
    return shared(new.table, other.table, other.granule)[0].size > 0


@contextmanager
def staging(folder: ManifestFolder) -> Iterator[Path]:
    """A local folder for staged files, removed with all that is in it at the end.

    It lies within a local archive, so that files only have to be renamed, and elsewhere for one at an URL or where the
    archive's own folder cannot be written (what is appended then fails with the reason).
    """
    try:
        base = Path(folder.path(_FOLDER)) if folder.local else None
        if base is not None:
            _clear(base)
            base.mkdir(parents=True, exist_ok=True)
    except OSError:
        base = None
    if base is None:
        with tempfile.TemporaryDirectory(prefix="carbonweather-staging-") as elsewhere:
            yield Path(elsewhere)
        return
    from filelock import FileLock

    own = base / uuid.uuid4().hex
    lock = FileLock(own.with_suffix(".lock"))
    try:
        with lock:
            own.mkdir()
            yield own
    finally:
        _remove(own)
        for empty in (base, base.parent):
            try:
                os.rmdir(empty)
            except OSError:  # others are at work, or there are soundings now
                break


def _clear(base: Path) -> None:
    """Remove what programs that were killed have left."""
    from filelock import FileLock, Timeout

    for lock in base.glob("*.lock") if base.is_dir() else ():
        try:
            if time.time() - lock.stat().st_mtime < _ABANDONED_SECONDS:
                continue
            with FileLock(lock, timeout=0):
                _remove(lock.with_suffix(""))
        except (Timeout, OSError):  # in use, or removed by another program meanwhile
            continue


def _remove(own: Path) -> None:
    shutil.rmtree(own, ignore_errors=True)
    own.with_suffix(".lock").unlink(missing_ok=True)
