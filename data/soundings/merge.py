"""What appending granules means for the archive's files: which soundings stay, which go, and what is written anew.

The result does not depend on the order in which granules come, because of a sounding that two granules hold the one
of the higher rank (`Granule.rank`) is kept, always.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from data.soundings import files as making
from data.soundings.contents import Contents, DataFile, Partition
from data.soundings.granule import Granule, granule_key
from data.soundings.overlap import NEEDED, shared
from data.soundings.staging import Staged, StagedFile
from data.soundings.table import SoundingTable, read_rows, write_parquet
from data.storage import AppendResult, Change

if TYPE_CHECKING:
    import pyarrow as pa

_SMALL_FILES = 4
"""So many files that are not half full are joined; each sounding is rewritten once or twice on its way into a full one."""


class Merge:
    """One append: which rows stay, which go, and the files that follow from it."""

    def __init__(self, change: Change) -> None:
        self.change = change
        self.contents = Contents.of(change.manifest)
        self.granules = dict(self.contents.granules)
        self.kept = self.contents.kept()
        self.incoming: dict[int, SoundingTable] = {}
        self.dropped: dict[int, np.ndarray | None] = {}
        """Granule -> numbers of its stored soundings that go, None for all."""
        self._staged: tuple[StagedFile, ...] = ()
        self._numbers: dict[str, pa.Table] = {}
        self._touched = False

    def add(self, new: SoundingTable) -> AppendResult:
        """Take in one granule against everything stored and everything added before."""
        new = self._named(new)
        granule = new.granule
        known = self.granules.get(granule.key)
        if known is not None:
            if (known.digest, known.schema, known.soundings) == (granule.digest, granule.schema, granule.soundings):
                return AppendResult(0, granule.soundings, new.unusable)
            self._forget(known)
        keep = np.ones(new.table.num_rows, dtype=bool)
        for other in list(self.granules.values()):
            if other.key != granule.key and other.meets(granule) and new.table.num_rows:
                mine, theirs = shared(new.table, self._stored(other), other)
                if other.rank > granule.rank:
                    keep[mine] = False
                elif theirs.size:
                    self._drop(other.key, theirs)
        self.granules[granule.key] = granule
        self.incoming[granule.key] = new if keep.all() else replace(new, table=new.table.filter(keep))
        self._touched = True
        added = int(np.count_nonzero(keep))
        return AppendResult(added, granule.soundings - added, new.unusable)

    def adopt(self, staged: Staged) -> list[AppendResult]:
        """Take in granules that lie in files of their own: these become files of the archive as they are, unless
        something that is stored has to give way, or they have to.
        """
        if any(self._concerns(new.granule, staged) for new in staged.granules):
            return [self.add(new) for new in staged.tables()]
        self.granules |= {new.granule.key: new.granule for new in staged.granules}
        for schema, columns in staged.columns.items():
            self.contents.schemas.setdefault(schema, columns)
        self._staged = staged.files
        self._touched = True
        return [AppendResult(new.granule.soundings, 0, new.unusable) for new in staged.granules]

    def _concerns(self, granule: Granule, staged: Staged) -> bool:
        """True if a granule is stored already or has soundings of one that is."""
        if granule.key in self.granules:
            return True
        others = [other for other in self.granules.values() if other.meets(granule)]
        rows = staged.rows(granule, NEEDED) if others else None
        return rows is not None and any(shared(rows, self._stored(other), other)[0].size for other in others)

    def _named(self, new: SoundingTable) -> SoundingTable:
        """Under its file name, or with its folder's where another file of that name covers other days ("2015/01.nc",
        "2016/01.nc").
        """
        import pyarrow as pa

        known = self.granules.get(new.granule.key)
        if known is None or known.digest == new.granule.digest or known.meets(new.granule) or not new.folder:
            return new
        name = f"{new.folder}/{new.granule.name}"
        key = granule_key(new.granule.instrument, new.granule.collection, name)
        place = new.table.schema.get_field_index("granule")
        column = pa.repeat(pa.scalar(key, pa.int64()), new.table.num_rows)
        return replace(
            new,
            granule=replace(new.granule, name=name, key=key),
            table=new.table.set_column(place, new.table.schema.field(place), column),
        )

    def _forget(self, known: Granule) -> None:
        """Drop a granule that has changed. Others that had given way to it are no longer complete: they count as new
        next time.
        """
        self.incoming.pop(known.key, None)
        if known.key in self.contents.granules:
            self.dropped[known.key] = None
        for other in list(self.granules.values()):
            if other.key != known.key and other.meets(known) and self._rows(other.key) < other.soundings:
                self.granules[other.key] = replace(other, digest="")

    def remove(self, keys: Iterable[int]) -> int:
        """Take granules out; returns how many of their soundings were stored. Files that hold nothing else are not
        opened.

        Granules that had given way to one of these are no longer complete: they count as new at their next import.
        """
        gone = {key: self.granules.pop(key) for key in keys}
        self._touched |= bool(gone)
        self.dropped.update(dict.fromkeys(gone))
        for key, granule in self.granules.items():
            if self._rows(key) < granule.soundings and any(granule.meets(other) for other in gone.values()):
                self.granules[key] = replace(granule, digest="")
        for name, file in list(self.contents.files.items()):
            if all(int(key) in gone for key in file.days):
                del self.contents.files[name]
        return sum(self.kept[key] for key in gone)

    def _rows(self, key: int) -> int:
        if key in self.incoming:
            return self.incoming[key].table.num_rows
        gone = self.dropped.get(key, np.empty(0))
        return 0 if gone is None else self.kept.get(key, 0) - gone.size

    def _stored(self, granule: Granule) -> pa.Table:
        """Number, time and place of the soundings that a granule has now."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if granule.key in self.incoming:
            return self.incoming[granule.key].table
        parts = []
        for file in self.contents.files.values():
            if str(granule.key) in file.days:
                if file.name not in self._numbers:
                    self._numbers[file.name] = read_rows(self.change.folder, file.name, NEEDED)
                part = self._numbers[file.name]
                part = part.filter(pc.equal(part["granule"], granule.key))
                parts.append(part.filter(self._staying(part)))
        if not parts:
            return pa.table({"sounding_id": pa.array([], pa.int64())})
        return pa.concat_tables(parts)

    def _staying(self, table: pa.Table) -> np.ndarray:
        """(n,) True for rows that are not dropped."""
        granules = table["granule"].to_numpy()
        numbers = table["sounding_id"].to_numpy()
        stay = np.ones(table.num_rows, dtype=bool)
        for key, gone in self.dropped.items():
            of_it = granules == key
            stay &= ~of_it if gone is None else ~(of_it & np.isin(numbers, gone))
        return stay

    def _drop(self, key: int, numbers: np.ndarray) -> None:
        if key in self.incoming:
            held = self.incoming[key]
            stay = ~np.isin(held.table["sounding_id"].to_numpy(), numbers)
            self.incoming[key] = replace(held, table=held.table.filter(stay))
            return
        gone = self.dropped.get(key, np.empty(0, dtype=np.int64))
        if gone is not None:
            self.dropped[key] = np.union1d(gone, numbers)

    def finish(self) -> None:
        """Write what changed, month by month, and commit."""
        if not self._touched:
            return
        files = dict(self.contents.files)
        affected = {name for name, file in files.items() if any(int(key) in self.dropped for key in file.days)}
        for new in self.incoming.values():
            self.contents.with_column_facts(new.granule.schema, new.table.schema)
        arriving = making.by_partition(self.incoming.values())
        for partition in sorted({files[name].partition for name in affected} | set(arriving)):
            self._write_partition(partition, arriving.pop(partition, []), affected, files)
        for staged in self._staged:
            small = len(self._small(staged.file.partition, files)) + 1
            if small >= _SMALL_FILES and staged.file.rows < making.FILE_ROWS // 2:
                self._write_partition(staged.file.partition, [staged.rows()], set(), files)
            else:
                self.change.take(staged.file.name, staged.path)
                files[staged.file.name] = staged.file
        self.change.commit(Contents(files, self.granules, self.contents.schemas).to_manifest())

    @staticmethod
    def _small(partition: Partition, files: dict[str, DataFile]) -> list[DataFile]:
        """Files of a partition that are not half full."""
        return [file for file in files.values() if file.partition == partition and file.rows < making.FILE_ROWS // 2]

    def _write_partition(
        self, partition: Partition, tables: list[pa.Table], affected: set[str], files: dict[str, DataFile]
    ) -> None:
        sources = [file for name, file in files.items() if name in affected and file.partition == partition]
        small = [file for file in self._small(partition, files) if file.name not in affected]
        if tables and len(small) + 1 >= _SMALL_FILES:
            sources += small
        order = tables[0].schema.names if tables else None
        for file in sources:
            rows = read_rows(self.change.folder, file.name)
            rows = rows.filter(self._staying(rows)).replace_schema_metadata(None)
            tables = [*tables, rows.select(order) if order else rows]
            del files[file.name]
        columns = self.contents.schemas[partition.schema]
        for file, piece in making.in_files(partition, tables, [file.name for file in sources]):
            notes = making.notes(file, self.granules, columns)
            written = self.change.write(
                file.name,
                lambda path, piece=piece, notes=notes: write_parquet(piece, path, notes),  # type: ignore[misc]
            )
            files[file.name] = replace(file, **written._asdict())
