"""The archive of satellite soundings: GeoParquet files by instrument, year and month, and the questions asked of them.

A granule (one file of a provider) is stored once: the same file again changes nothing, a changed file of the same
name takes the place of the old one, and of a sounding that several granules hold (a subset beside the full file, a
new version of the product) the best one is kept, whatever the order in which they came. Every change is all or
nothing (`data.storage`). Appending small granules joins them into files of some 500,000 soundings, because each file
costs a query about a millisecond.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.canonical import Product
from data.errors import StoreProblem
from data.soundings.contents import Contents, DataFile, rebuilt
from data.soundings.granule import Granule
from data.soundings.merge import Merge
from data.soundings.query import Moment, Question, ask, boxes_of, connect, nanoseconds
from data.soundings.staging import Staged, staging
from data.soundings.table import SoundingTable, read_rows, to_table
from data.storage import AppendResult, ManifestFolder, Written

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_LAYOUT = 1
_READ_AGAIN = 3


@dataclass(frozen=True)
class InstrumentSummary:
    """An instrument in the archive: number of soundings, first and last time, names and units of what it measures."""

    name: str
    count: int
    start: np.datetime64
    end: np.datetime64
    variables: tuple[str, ...]
    units: dict[str, str]
    simulated: bool


class SoundingArchive:
    """Soundings in a folder or at an fsspec URL; nothing is created before the first append.

    Safe to use from several threads and processes; readers never wait for writers. Can be sent to other processes.

    Parameters
    ----------
    path : local folder, or an fsspec URL ("s3://bucket/soundings").
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.folder = ManifestFolder(path, what="sounding archive", layout=_LAYOUT)
        self._guard = threading.Lock()
        self._parsed: tuple[dict[str, Any], Contents] | None = None
        self._database: duckdb.DuckDBPyConnection | None = None

    def __reduce__(self) -> tuple[type[SoundingArchive], tuple[str]]:
        return SoundingArchive, (self.folder.address(""),)

    @property
    def path(self) -> str:
        """Folder or URL."""
        return self.folder.address("")

    @property
    def version(self) -> int:
        """Grows with every change; 0 for an empty archive. Costs one look at the manifest's date."""
        return int(self.folder.manifest()["version"])

    @property
    def contents(self) -> Contents:
        """Files, granules and columns as of now."""
        manifest = self.folder.manifest()
        with self._guard:
            if self._parsed is None or self._parsed[0] is not manifest:
                self._parsed = manifest, Contents.of(manifest)
            return self._parsed[1]

    def holds(self, name: str, digest: str) -> Granule | None:
        """The granule of this file name and digest (`data.soundings.table.file_digest`), or None."""
        return self.contents.by_file.get((name, digest)) if digest else None

    def append(self, product: Product) -> AppendResult:
        """Store a product's soundings; see `append_all`."""
        return self.append_all([to_table(product)])[0]

    def append_all(self, tables: Sequence[SoundingTable]) -> list[AppendResult]:
        """Store several granules in one change: faster than one by one, and files come out larger.

        Raises
        ------
        StoreProblem : no room, no permission, archive damaged; then nothing was changed.
        """
        with self.folder.change() as change:
            merge = Merge(change)
            results = [merge.add(table) for table in tables]
            merge.finish()
        return results

    def staging(self) -> AbstractContextManager[Path]:
        """A folder where files are made ready for this archive (`data.soundings.staging`), gone at the end."""
        return staging(self.folder)

    def append_staged(self, staged: Staged) -> list[AppendResult]:
        """Store granules that lie ready in files (`data.soundings.staging.stage`); one result each. Takes milliseconds
        where no stored granule has soundings of these, else as long as `append_all`.

        Raises
        ------
        StoreProblem : no room, no permission, archive damaged; then nothing was changed.
        """
        with self.folder.change() as change:
            merge = Merge(change)
            results = merge.adopt(staged)
            merge.finish()
        return results

    def remove(self, instrument: str, collection: str | None = None) -> int:
        """Take the soundings of an instrument out, or those of one of its collections; returns how many these were.

        All or nothing, like every change. Soundings of other collections that had given way to these are not there
        either until their files are imported again (`problems` names them).

        Raises
        ------
        StoreProblem : there are none, or the archive cannot be written; then nothing was changed.
        """
        with self.folder.change() as change:
            merge = Merge(change)
            keys = [
                key
                for key, granule in merge.granules.items()
                if granule.instrument == instrument and collection in (None, granule.collection)
            ]
            if not keys:
                wanted = instrument if collection is None else f"{collection} of {instrument}"
                has = ", ".join(sorted({granule.instrument for granule in merge.granules.values()})) or "nothing"
                raise StoreProblem(
                    f"sounding archive {self.folder.root}: expected soundings to remove, found none of {wanted}; "
                    f"it holds {has}."
                )
            count = merge.remove(keys)
            merge.finish()
        return count

    def instruments(self) -> list[InstrumentSummary]:
        """What is in the archive, by instrument; no data file is opened."""
        contents = self.contents
        by_name: dict[str, list[DataFile]] = {}
        for file in contents.files.values():
            by_name.setdefault(file.partition.instrument, []).append(file)
        summaries = []
        for name, files in sorted(by_name.items()):
            units = {
                column: facts["units"]
                for schema in sorted({file.partition.schema for file in files})
                for column, facts in contents.schemas[schema].items()
            }
            summaries.append(
                InstrumentSummary(
                    name=name,
                    count=sum(file.rows for file in files),
                    start=np.datetime64(min(file.start for file in files), "ns"),
                    end=np.datetime64(max(file.end for file in files), "ns"),
                    variables=tuple(units),
                    units=units,
                    simulated=any(
                        granule.simulated for granule in contents.granules.values() if granule.instrument == name
                    ),
                )
            )
        return summaries

    def coverage(self) -> pd.DataFrame:
        """Soundings by instrument and day: columns instrument, day (datetime64), count. No data file is opened."""
        import pandas as pd

        counts: dict[tuple[str, int], int] = {}
        for file in self.contents.files.values():
            for days in file.days.values():
                for day, count in days.items():
                    key = file.partition.instrument, int(day)
                    counts[key] = counts.get(key, 0) + count
        ordered = sorted(counts.items())
        return pd.DataFrame(
            {
                "instrument": pd.Series([key[0] for key, _ in ordered], dtype="object"),
                "day": np.array([key[1] for key, _ in ordered], dtype="datetime64[D]").astype("datetime64[ns]"),
                "count": np.array([count for _, count in ordered], dtype=np.int64),
            }
        )

    def query(
        self,
        *,
        instrument: str | Sequence[str] | None = None,
        bbox: Sequence[float] | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        good_only: bool = True,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Soundings in order of time; `instrument` is a categorical column.

        Parameters
        ----------
        instrument : one name or several; None for all.
        bbox : west, south, east, north in degrees, edges included; `west > east` crosses the dateline.
        start, end : start <= time < end, UTC.
        good_only : leave out soundings flagged as bad; those of products without a flag stay.
        columns : among time, lat, lon, instrument, source_file, collection, version, scale, simulated and the
            variables; None for time,
            lat, lon, instrument and every variable of one number a sounding (kernels and profiles only by name).
            Products that have none of the quantities named are left out.
        limit : at most so many, the earliest.

        Raises
        ------
        StoreProblem : unknown instrument or column, senseless box or time, or a damaged archive.
        """
        import duckdb

        if limit is not None and limit < 0:
            raise StoreProblem(f"expected a limit of 0 or more soundings, found {limit}; correct it.")
        question = Question(
            instruments=None
            if instrument is None
            else (instrument,)
            if isinstance(instrument, str)
            else tuple(instrument),
            boxes=None if bbox is None else boxes_of(bbox),
            start=nanoseconds(start, "start"),
            end=nanoseconds(end, "end"),
            good_only=good_only,
            columns=None if columns is None else tuple(columns),
            limit=limit,
        )
        for attempt in range(_READ_AGAIN):
            contents = self.contents
            try:
                return ask(self._connection(), self.folder, contents, question)
            except duckdb.Error as error:
                if attempt + 1 == _READ_AGAIN or self.contents is contents:  # not a file that a writer just replaced
                    reason = str(error).splitlines()[0][:200]
                    raise StoreProblem(
                        f"sounding archive {self.folder.root}: a query failed ({reason}); check it "
                        "with `carbonweather data verify`."
                    ) from error
        raise AssertionError("the loop above returns or raises")

    def _connection(self) -> duckdb.DuckDBPyConnection:
        with self._guard:
            if self._database is None:
                self._database = connect()
                if not self.folder.local:
                    from data.soundings.elsewhere import ArchiveFiles

                    files = ArchiveFiles(self.folder.fs, self.folder.root, weakref.WeakMethod(self._size_of))
                    self._database.register_filesystem(files)
            return self._database

    def _size_of(self, name: str) -> int | None:
        parsed = self._parsed
        file = parsed[1].files.get(name) if parsed is not None else None
        return None if file is None else file.size

    def rebuild(self) -> int:
        """Make the manifest again from the Parquet files on disk; returns the number of soundings.

        Raises
        ------
        StoreProblem : cannot be written. Files that cannot be read are left out.
        """
        with self.folder.change(fresh=True) as change:
            notes = {
                name: found
                for name in self.folder.names()
                if name.endswith(".parquet") and (found := self._notes(name)) is not None
            }
            contents = rebuilt(notes)
            change.commit(contents.to_manifest())
            self.folder.remove(set(notes) - set(contents.files))
        return sum(file.rows for file in contents.files.values())

    def _notes(self, name: str) -> tuple[dict[str, Any], Written] | None:
        import json

        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self.folder.fs.open(self.folder.path(name), "rb") as stream:
                metadata = pq.read_metadata(stream).metadata or {}
                notes = json.loads(metadata[b"carbonweather"])
                notes["file"]["name"] = name
            del notes["file"]["name"]
            return notes, Written(int(self.folder.fs.size(self.folder.path(name))), self.folder.content(name))
        except (OSError, KeyError, ValueError, pa.ArrowException):
            return None

    def without_sum(self) -> int:
        """Files whose sum is not kept (an earlier version wrote them): damage outside of their pages may hide in them."""
        return sum(not file.content for file in self.contents.files.values())

    def problems(self, *, each: Callable[[str], None] | None = None) -> Iterator[str]:
        """One sentence for each thing that is wrong: missing, damaged or foreign files, soundings stored twice. Reads
        everything; `each` is called with the name of every file before it is read.
        """
        import pyarrow as pa

        contents = self.contents
        for name, file in contents.files.items():
            if each is not None:
                each(name)
            path = self.folder.path(name)
            if not self.folder.fs.exists(path):
                yield (
                    f"{path}: expected {file.rows} soundings, found no file; import their granules again "
                    "after `carbonweather data index`."
                )
                continue
            if (size := int(self.folder.fs.size(path))) != file.size:
                yield (
                    f"{path}: expected {file.size} bytes, found {size}; run `carbonweather data index` and "
                    "import the granules again."
                )
                continue
            if file.content and self.folder.content(name) != file.content:
                yield (
                    f"{path}: expected the bytes that were written, found others; delete it, then `carbonweather data "
                    "index` and import its granules again."
                )
                continue
            try:
                table = read_rows(self.folder, name, verify=True)
            except (OSError, pa.ArrowException) as error:
                yield (
                    f"{path}: expected intact pages, found damage ({str(error).splitlines()[0][:120]}); "
                    "delete it, then `carbonweather data index` and import again."
                )
                continue
            if table.num_rows != file.rows:
                yield f"{path}: expected {file.rows} soundings, found {table.num_rows}; run `carbonweather data index`."
            pairs = table.group_by(["granule", "sounding_id"]).aggregate([]).num_rows
            if pairs != table.num_rows:
                yield (
                    f"{path}: expected each sounding once, found {table.num_rows - pairs} twice; delete "
                    "it, then `carbonweather data index` and import again."
                )
        for name in self.folder.names():
            if name not in contents.files:
                yield (
                    f"{self.folder.path(name)}: expected only files that the manifest names, found this "
                    "one; `carbonweather data index` takes it in or the next import removes it."
                )
        for key, count in contents.kept().items():
            granule = contents.granules[key]
            if not granule.digest:
                yield (
                    f"{granule.name} of {granule.instrument}: expected {granule.soundings} soundings, "
                    f"found {count}; import it again."
                )
