"""Import files of any supported kind into the user's data folder: find them, read them, put each where its kind
belongs.

Soundings go to the archive (`data.soundings`), maps to cubes (`data.importing.cubes`), site series to `data.sites`,
mole fractions on levels to `data.volumes`, everything else to `data.tables`. One bad file never stops the rest, and
whatever happens no store is left half-written. Memory is bounded: soundings are written in batches by a second thread while the next files are read,
maps one step at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from data.canonical import Product
from data.errors import DataError, FileProblem
from data.home import sites_dir, soundings_dir, tables_dir, volumes_dir
from data.importing.record import ImportRecord, failed, record_of, unexpected
from data.importing.walk import files_below, files_to_import, is_zarr

if TYPE_CHECKING:
    from data.soundings.table import SoundingTable

Progress = Callable[[int, int, str], None]

_BATCH_BYTES = 160 * 2**20
_BATCH_GRANULES = 400


def import_paths(
    paths: Iterable[str | os.PathLike[str]], *, home: Path, progress: Progress | None = None
) -> list[ImportRecord]:
    """Import files and folders.

    Parameters
    ----------
    paths : files, zarr folders, and folders to search.
    home : the data folder (`data.home.home()`).
    progress : called with (files done, files, what is being done).

    Returns
    -------
    One record for each file, in the order of `files_to_import`. Problems are records too: nothing is raised for them.
    """
    return _Import(home, progress).run(list(paths))


class _Import:
    """One import under way: stores, records so far, soundings that wait to be written."""

    def __init__(self, home: Path, progress: Progress | None) -> None:
        from data.importing.cubes import CubeImport
        from data.sites import SiteStore
        from data.soundings import SoundingArchive
        from data.tables import TableStore
        from data.volumes import VolumeStore

        self.archive = SoundingArchive(soundings_dir(home))
        self.sites = SiteStore(sites_dir(home))
        self.tables = TableStore(tables_dir(home))
        self.volumes = VolumeStore(volumes_dir(home))
        self.cubes = CubeImport(home)
        self.progress = progress
        self.records: dict[Path, ImportRecord] = {}
        self.batch: list[tuple[ImportRecord, SoundingTable]] = []
        self.done = 0
        self.total = 0

    def run(self, paths: list[str | os.PathLike[str]]) -> list[ImportRecord]:
        items = files_to_import(paths)
        self.total = len(items)
        with ThreadPoolExecutor(1, thread_name_prefix="import-write") as writer:
            writing: Future[None] | None = None
            for item in items:
                self._say(item.name)
                self._attempt(item, self._one)
                if self._batch_is_full():
                    writing = self._hand_over(writer, writing)
            for pending in (self._hand_over(writer, writing), None):
                if pending is not None:
                    pending.result()
        for path, outcome in self.cubes.finish(lambda label: self._say(label)):
            self._settle(path, outcome)
        self._say("done")
        empty = [
            Path(path)
            for path in paths
            if Path(path).is_dir() and not is_zarr(Path(path)) and not any(files_below(Path(path)))
        ]
        for folder in empty:
            problem = FileProblem(
                folder, expected="data files", found="a folder without any", remedy="name another folder"
            )
            self.records[folder] = failed(folder, str(problem))
        return [self.records[item] for item in [*items, *empty]]

    def _say(self, label: str) -> None:
        self.done = len(self.records)
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total, label)

    def _attempt(self, path: Path, work: Callable[[Path], None]) -> None:
        """Do it; whatever goes wrong becomes this file's record."""
        try:
            work(path)
        except DataError as problem:
            self.records[path] = failed(path, str(problem), self.records.get(path))
        except Exception as error:  # a reader's own fault must not stop the others
            self.records[path] = unexpected(path, error, self.records.get(path))

    def _one(self, path: Path) -> None:
        from data.readers import read
        from data.soundings.granule import file_digest
        from data.soundings.table import to_table

        digest = file_digest(path)
        if self._known(path, digest):
            return
        product = read(path)
        self.records[path] = record = record_of(product, path)
        if product.kind == "soundings":
            table = to_table(product)
            if table.unusable:
                record = replace(
                    record, message=f"{table.unusable} without time, position or a number of their own left out"
                )
            self.batch.append((record, table))
        elif product.kind == "grid":
            levels, flat = _by_levels(product)
            if levels is not None:
                self.tables.append(levels, part=flat is not None)
            if flat is None:
                self.records[path] = replace(
                    record, message=f"kept in {product.collection}, a table of fields on levels"
                )
            else:
                self.cubes.add(flat, path, digest, record)
        else:
            stores = {"sites": self.sites.append, "volume": self.volumes.append}
            result = stores.get(product.kind, self.tables.append)(product)
            status: Literal["imported", "unchanged"] = "imported" if result.added else "unchanged"
            note = f"; {result.unusable} without time or value left out" if result.unusable else ""
            self.records[path] = replace(record, status=status, message=f"kept in {product.collection}{note}")

    def _known(self, path: Path, digest: str) -> bool:
        """Recognise a file that was imported before, without reading it."""
        granule = self.archive.holds(path.name, digest)
        if granule is not None:
            start: np.datetime64 | None = np.datetime64(granule.start, "ns")
            end: np.datetime64 | None = np.datetime64(granule.end, "ns")
            facts = (granule.reader, "soundings", granule.soundings)
            self.records[path] = ImportRecord(str(path), *facts, start, end, "unchanged", "imported before")
            return True
        for store in (self.cubes, self.sites, self.tables, self.volumes):
            source = store.holds(path.name, digest)
            if source is not None:
                start, end = (
                    None if moment is None else np.datetime64(moment, "ns") for moment in (source.start, source.end)
                )
                facts = (source.reader, source.kind, source.count)
                self.records[path] = ImportRecord(str(path), *facts, start, end, "unchanged", "imported before")
                return True
        return False

    def _batch_is_full(self) -> bool:
        return len(self.batch) >= _BATCH_GRANULES or sum(table.table.nbytes for _, table in self.batch) >= _BATCH_BYTES

    def _hand_over(self, writer: ThreadPoolExecutor, writing: Future[None] | None) -> Future[None] | None:
        """Let the other thread write the batch once it has written the one before; so at most two are in memory."""
        if writing is not None:
            writing.result()
        batch, self.batch = self.batch, []
        return writer.submit(self._write, batch) if batch else None

    def _write(self, batch: list[tuple[ImportRecord, SoundingTable]]) -> None:
        try:
            results = self.archive.append_all([table for _, table in batch])
        except DataError as problem:
            for record, _ in batch:
                self.records[Path(record.path)] = failed(Path(record.path), str(problem), record)
            return
        except Exception as error:  # the archive's own fault must not lose the records
            for record, _ in batch:
                self.records[Path(record.path)] = unexpected(Path(record.path), error, record)
            return
        for (record, table), result in zip(batch, results, strict=True):
            status: Literal["imported", "unchanged"] = "imported" if result.added else "unchanged"
            parts = [f"{result.added} soundings of {table.granule.instrument} added"]
            parts += [f"{result.already_there} already there"] if result.already_there else []
            parts += [record.message] if record.message else []
            self.records[Path(record.path)] = replace(record, status=status, message=", ".join(parts))

    def _settle(self, path: Path, outcome: ImportRecord | Exception) -> None:
        if isinstance(outcome, ImportRecord):
            self.records[path] = outcome
        elif isinstance(outcome, DataError):
            self.records[path] = failed(path, str(outcome), self.records.get(path))
        else:
            self.records[path] = unexpected(path, outcome, self.records.get(path))


def _by_levels(product: Product) -> tuple[Product | None, Product | None]:
    """A gridded product's fields on levels, which are kept as a table, and its maps, which go to a cube."""
    dataset = product.dataset
    maps = [
        name
        for name, item in dataset.data_vars.items()
        if set(item.dims) == {"time", "lat", "lon"} and item.dtype.kind in "fiub"
    ]
    rest = [name for name in dataset.data_vars if name not in maps]
    if not rest or not any("lat" in dataset[name].dims for name in rest):
        return None, replace(product, dataset=dataset[maps])
    levels = replace(product, dataset=dataset[rest].assign_attrs(dataset.attrs))
    return levels, replace(product, dataset=dataset[maps].assign_attrs(dataset.attrs)) if maps else None
