"""Is everything in the data folder there and intact, what is missing in time, and what looks wrong or is there twice?
And the indices made again from what lies on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from data.errors import DataError, StoreProblem
from data.home import cubes_dir, sites_dir, soundings_place, tables_dir, volumes_dir

if TYPE_CHECKING:
    from data.holdings import Holding, Listing
    from data.plausibility import Oddity
    from data.soundings import SoundingArchive
    from data.source_store import SourceStore

Sort = Literal["damage", "unchecked", "gap", "outlier", "duplicate"]
Progress = Callable[[int, int, str], None]

_STORES = ("soundings", "sites", "table", "volume")
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Finding:
    """Something that `verify` noticed.

    Attributes
    ----------
    problem : it needs an action; else a note (a gap in time is no fault of ours).
    text : one sentence.
    sort : "damage" (missing, damaged or foreign files, wrong checksums), "unchecked" (no sum to check by), "gap", "outlier" or "duplicate".
    item : key of the holding it is about (`data.holdings`), "" where it concerns a whole store.
    """

    problem: bool
    text: str
    sort: Sort = "damage"
    item: str = ""


def verify(home: Path, only: str | None = None, progress: Progress | None = None) -> Iterator[Finding]:
    """Check checksums of everything in the data folder, then gaps in time, outliers and duplicates.

    Parameters
    ----------
    only : key or name of one holding; checksums are then those of its store, everything else is its own.
    progress : called with (steps done, steps, what is being looked at).

    Raises
    ------
    StoreProblem : there is no holding `only`. What is wrong with the data is a finding, never an exception.
    """
    from data.holdings import holdings

    listing = holdings(home)
    chosen = [listing.find(only)] if only else [item for item in listing if item.kind != "download"]
    kinds: set[str] = {item.kind for item in chosen} if only else set(_STORES)
    steps = _Steps(progress, _files_of_soundings(home) if "soundings" in kinds else 0, chosen)
    if only is None:
        yield from _unreadable_cubes(home, listing)
    yield from _stores(home, kinds, steps)
    if only is None:
        yield from _same_files(listing)
    for item in chosen:
        steps.say(item.title)
        try:
            yield from _one(home, item)
        except DataError as problem:
            if any(
                item.key == there.key for there in holdings(home)
            ):  # else it was removed meanwhile, which is no damage
                yield Finding(True, str(problem), "damage", item.key)
    steps.done()


class _Steps:
    """Where a verification is: one step a file of soundings, one a store, one a holding."""

    def __init__(self, progress: Progress | None, files: int, chosen: list[Holding]) -> None:
        self._progress = progress
        self._total = files + len(_STORES) + len(chosen)
        self._count = 0

    def say(self, label: str) -> None:
        if self._progress is not None:
            self._progress(min(self._count, self._total), self._total, label)
        self._count += 1

    def done(self) -> None:
        if self._progress is not None:
            self._progress(self._total, self._total, "done")


def _files_of_soundings(home: Path) -> int:
    from data.soundings import SoundingArchive

    try:
        return len(SoundingArchive(soundings_place(home)).folder.manifest()["files"])
    except StoreProblem:
        return 0


def _stores(home: Path, kinds: set[str], steps: _Steps) -> Iterator[Finding]:
    """Checksums and missing or foreign files of everything but cubes."""
    from data.sites import SiteStore
    from data.soundings import SoundingArchive
    from data.tables import TableStore
    from data.volumes import VolumeStore

    archive = SoundingArchive(soundings_place(home))
    stores: dict[str, tuple[str, SoundingArchive | SourceStore]] = {
        "soundings": ("soundings", archive),
        "sites": ("ground sites", SiteStore(sites_dir(home))),
        "table": ("tables", TableStore(tables_dir(home))),
        "volume": ("fields on levels", VolumeStore(volumes_dir(home))),
    }
    for kind, (words, store) in stores.items():
        if kind not in kinds:
            continue
        steps.say(f"checksums of {words}")
        try:
            found = (
                store.problems(each=lambda name: steps.say(f"checksums of {name}"))
                if isinstance(store, SoundingArchive)
                else store.problems()
            )
            yield from (Finding(True, text) for text in found)
            if count := store.without_sum():
                yield Finding(
                    False,
                    f"{words}: no sum kept of {count} file{'s' if count != 1 else ''}, which an earlier version wrote, so "
                    "that not every byte could be checked; `carbonweather data index` takes the sums as they are now.",
                    "unchecked",
                )
        except StoreProblem as problem:
            yield Finding(True, str(problem))


def _unreadable_cubes(home: Path, listing: Listing) -> Iterator[Finding]:
    """Folders among the cubes that are no cube, which therefore are no holding."""
    from data.cube import Cube

    known = {item.name for item in listing if item.kind == "cube"}
    folder = cubes_dir(home)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.name.startswith(".") and path.name not in known:
            try:
                Cube.open(path)
            except StoreProblem as problem:
                yield Finding(True, str(problem), "damage", f"cube:{path.name}")


def _one(home: Path, item: Holding) -> Iterator[Finding]:
    from data import plausibility

    if item.kind == "cube":
        yield from _cube(cubes_dir(home) / item.name, item.key)
    elif item.kind == "soundings":
        from data.soundings import SoundingArchive

        archive = SoundingArchive(soundings_place(home))
        collection = item.name.removeprefix(f"{item.instrument}/")
        yield from _missing_days(archive, item)
        yield from _findings(plausibility.soundings(archive, item.instrument, collection), item.key)
    elif item.kind == "sites":
        from data.sites import SiteStore

        network, _, collection = item.name.partition("/")
        yield from _findings(plausibility.sites(SiteStore(sites_dir(home)), network, collection), item.key)
    elif item.kind == "table":
        from data.tables import TableStore

        yield from _findings(plausibility.table(TableStore(tables_dir(home)), item.name), item.key)


def _findings(oddities: Iterator[Oddity], key: str) -> Iterator[Finding]:
    for oddity in oddities:
        yield Finding(oddity.problem, oddity.text, oddity.sort, key)


def _cube(path: Path, key: str) -> Iterator[Finding]:
    from data import plausibility
    from data.cube import Cube
    from data.cube.check import damage

    damaged = False
    for text in damage(path):
        damaged = True
        yield Finding(True, text, "damage", key)
    cube = Cube.open(path)
    yield from (Finding(False, f"cube {cube.name}: {gap}", "gap", key) for gap in time_gaps(cube.times))
    if not damaged:
        yield from _findings(plausibility.cube(cube), key)


def _missing_days(archive: SoundingArchive, item: Holding) -> Iterator[Finding]:
    """Days of a collection's period without any sounding, and the longest run of them."""
    contents = archive.contents
    keys = {
        str(key)
        for key, granule in contents.granules.items()
        if f"{granule.instrument}/{granule.collection}" == item.name
    }
    found = {int(day) for file in contents.files.values() for key in keys & file.days.keys() for day in file.days[key]}
    if not found:
        return
    present = np.array(sorted(found), dtype="datetime64[D]")
    span = int((present[-1] - present[0]) / _DAY) + 1
    if present.size < span:
        steps = np.diff(present).astype(np.int64)
        longest = int(np.argmax(steps))
        yield Finding(
            False,
            f"{item.name}: soundings on {present.size} of the {span} days from {present[0]} to {present[-1]}; the longest "
            f"gap, {steps[longest] - 1} days, begins after {present[longest]}.",
            "gap",
            item.key,
        )


def _same_files(listing: Listing) -> Iterator[Finding]:
    """Files that several holdings of one kind were made from."""
    seen: dict[tuple[str, str], str] = {}
    shared: dict[tuple[str, str], list[str]] = {}
    for item in listing:
        if item.kind in ("cube", "download"):
            continue  # a file with several grids belongs to several cubes
        for name in item.sources:
            first = seen.setdefault((item.kind, name), item.key)
            if first != item.key:
                shared.setdefault((first, item.key), []).append(name)
    for (first, second), names in shared.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield Finding(False, f"{first} and {second}: both hold files named {names[0]}{more}.", "duplicate", second)


def time_gaps(times: np.ndarray) -> list[str]:
    """Where a series of times has holes: steps of more than 1.8 times the usual one ("no map between 2014-11 and
    2015-02").
    """
    steps = np.diff(times)
    if steps.size < 3:
        return []
    usual = np.median(steps.astype(np.int64))
    unit = "M" if usual > 20 * 86_400e9 else "D" if usual > 0.9 * 86_400e9 else "h"
    holes = np.flatnonzero(steps.astype(np.int64) > 1.8 * usual)
    return [
        f"no map between {times[hole].astype(f'datetime64[{unit}]')} and {times[hole + 1].astype(f'datetime64[{unit}]')}"
        for hole in holes
    ]


def rebuild_indices(home: Path) -> dict[str, int]:
    """Make the manifests of soundings, sites, tables and volumes again from their files; returns how many each holds.

    Stores that do not exist are left alone. What files lost is found by `verify` and healed by importing again.

    Raises
    ------
    StoreProblem : a store cannot be written.
    """
    from data.sites import SiteStore
    from data.soundings import SoundingArchive
    from data.tables import TableStore
    from data.volumes import VolumeStore

    counts: dict[str, int] = {}
    archive = SoundingArchive(soundings_place(home))
    if archive.folder.names():
        counts["soundings"] = archive.rebuild()
    if sites_dir(home).is_dir():
        counts["files of sites"] = SiteStore(sites_dir(home)).rebuild()
    if tables_dir(home).is_dir():
        counts["tables"] = TableStore(tables_dir(home)).rebuild()
    if volumes_dir(home).is_dir():
        counts["volumes"] = VolumeStore(volumes_dir(home)).rebuild()
    return counts
