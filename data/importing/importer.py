"""Import files of any supported kind into the user's data folder: find them, read them, put each where its kind
belongs.

Soundings go to the archive (`data.soundings`), maps to cubes (`data.importing.cubes`), site series to `data.sites`,
mole fractions on levels to `data.volumes`, everything else to `data.tables`. One bad file never stops the rest, and
whatever happens no store is left half-written. Memory is bounded: soundings are written in batches, by several
processes where there is much to read (`data.importing.workers`), maps one step at a time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from data.canonical import Product
from data.errors import DataError, FileProblem
from data.home import sites_dir, soundings_place, tables_dir, volumes_dir
from data.importing.record import ImportRecord, failed, record_of, unexpected
from data.importing.walk import files_below, files_to_import, is_zarr

if TYPE_CHECKING:
    from data.importing.preparing import Event, NotStaged, Prepared
    from data.soundings.staging import Staged

_log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]

_WORTH_WORKERS = 64 * 2**20
"""Below so many bytes of files an import is over before other processes are up."""


def import_paths(
    paths: Iterable[str | os.PathLike[str]],
    *,
    home: Path,
    progress: Progress | None = None,
    workers: int | None = None,
) -> list[ImportRecord]:
    """Import files and folders.

    Parameters
    ----------
    paths : files, zarr folders, and folders to search.
    home : the data folder (`data.home.home()`).
    progress : called with (files done, files, what is being done).
    workers : processes that read soundings; None for what the machine has, where there is enough to read.

    Returns
    -------
    One record for each file, in the order of `files_to_import`. Problems are records too: nothing is raised for them.
    """
    return _Import(home, progress).run(list(paths), workers)


class _Import:
    """One import under way: stores, records so far, soundings that wait to be written."""

    def __init__(self, home: Path, progress: Progress | None) -> None:
        from data.importing.cubes import CubeImport
        from data.sites import SiteStore
        from data.soundings import SoundingArchive
        from data.tables import TableStore
        from data.volumes import VolumeStore

        self.archive = SoundingArchive(soundings_place(home))
        self.sites = SiteStore(sites_dir(home))
        self.tables = TableStore(tables_dir(home))
        self.volumes = VolumeStore(volumes_dir(home))
        self.cubes = CubeImport(home)
        self.progress = progress
        self.records: dict[Path, ImportRecord] = {}
        self.waiting: list[Path] = []
        """Files that were read and whose soundings come next."""
        self.done = 0
        self.total = 0

    def run(self, paths: list[str | os.PathLike[str]], workers: int | None) -> list[ImportRecord]:
        from data.importing.preparing import grouped, prepare, size_of
        from data.importing.workers import Workers, worker_count

        items = files_to_import(paths)
        self.total = len(items)
        if workers is None:
            workers = worker_count() if sum(map(size_of, items)) >= _WORTH_WORKERS else 1
        with self.archive.staging() if items else nullcontext(Path()) as self.place:
            groups = grouped(items)
            workers = min(workers, len(groups))
            if workers > 1:
                with Workers(workers, self._seen(), self.place) as pool:
                    self._take_all(pool.prepare(groups))
            else:
                self._take_all(prepare(items, self._seen(), self.place))
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

    def _seen(self) -> frozenset[str]:
        """Digests of the files in the archive."""
        try:
            return frozenset(granule.digest for granule in self.archive.contents.granules.values()) - {""}
        except DataError:  # a damaged archive: said of each file that would go there
            return frozenset()

    def _take_all(self, events: Iterable[Event]) -> None:
        from data.importing.preparing import Prepared
        from data.soundings.staging import Staged

        for event in events:
            if isinstance(event, Path):
                self._say(event.name)
            elif isinstance(event, Prepared):
                self._take(event)
            elif isinstance(event, Staged):
                self._store(event)
            else:
                self._lose(event)

    def _take(self, found: Prepared) -> None:
        if found.log:
            _log.error("%s could not be imported\n%s", found.path, found.log)
        if found.record is not None:
            self.records[found.path] = found.record
        if found.status == "soundings":
            self.waiting.append(found.path)
        elif found.status in ("seen", "other"):
            self._attempt(found.path, lambda path: self._one(path, found.digest))

    def _store(self, staged: Staged) -> None:
        """Let the archive take soundings in that are ready."""
        count = len(staged.granules)
        paths, self.waiting = self.waiting[:count], self.waiting[count:]
        try:
            results = self.archive.append_staged(staged)
        except DataError as problem:
            for path in paths:
                self.records[path] = failed(path, str(problem), self.records[path])
            return
        except Exception as error:  # the archive's own fault must not lose the records
            for path in paths:
                self.records[path] = unexpected(path, error, self.records[path])
            return
        for path, new, result in zip(paths, staged.granules, results, strict=True):
            record = self.records[path]
            status: Literal["imported", "unchanged"] = "imported" if result.added else "unchanged"
            parts = [f"{result.added} soundings of {new.granule.instrument} added"]
            parts += [f"{result.already_there} already there"] if result.already_there else []
            parts += [record.message] if record.message else []
            self.records[path] = replace(record, status=status, message=", ".join(parts))

    def _lose(self, event: NotStaged) -> None:
        """Soundings that could not be written; without an error they will be read once more."""
        paths, self.waiting = self.waiting, []
        for path in paths:
            if isinstance(event.error, OSError):
                self.records[path] = failed(path, self.archive.folder.no_write(event.error), self.records[path])
            elif event.error is not None:
                self.records[path] = unexpected(path, event.error, self.records[path])
            else:
                del self.records[path]

    def _one(self, path: Path, digest: str) -> None:
        from data.importing.preparing import stage_all, with_remark
        from data.readers import read
        from data.soundings.table import to_table

        if self._known(path, digest):
            return
        product = read(path)
        self.records[path] = record = record_of(product, path)
        if product.kind == "soundings":
            table = to_table(product, digest)
            self.records[path] = with_remark(record, table)
            others, self.waiting = self.waiting, [path]
            self._take_all(stage_all([table], self.place))
            self.waiting = others
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
