"""Is everything in the data folder there and intact, and what is missing in time? And the indices made again from
what lies on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import StoreProblem
from data.home import cubes_dir, sites_dir, soundings_dir, tables_dir

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Finding:
    """Something that `verify` noticed: a problem that needs an action, or else a note (a gap in time is no fault of
    ours).
    """

    problem: bool
    text: str


def verify(home: Path) -> Iterator[Finding]:
    """Read everything in the data folder: missing, damaged and foreign files, duplicates; then gaps in time, as
    notes.
    """
    from data.sites import SiteStore
    from data.soundings import SoundingArchive
    from data.tables import TableStore

    archive = SoundingArchive(soundings_dir(home))
    for store in (archive, SiteStore(sites_dir(home)), TableStore(tables_dir(home))):
        try:
            for text in store.problems():
                yield Finding(True, text)
        except StoreProblem as problem:
            yield Finding(True, str(problem))
    yield from _cubes(home)
    try:
        coverage = archive.coverage()
    except StoreProblem:
        return  # said above
    for instrument, days in coverage.groupby("instrument")["day"]:
        present = np.unique(days.to_numpy().astype("datetime64[D]"))
        span = int((present[-1] - present[0]) / _DAY) + 1
        if present.size < span:
            text = f"{instrument}: soundings on {present.size} of the {span} days from {present[0]} to {present[-1]}"
            yield Finding(False, text)


def _cubes(home: Path) -> Iterator[Finding]:
    from data.cube import Cube
    from data.cube.check import damage

    folder = cubes_dir(home)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_dir() or path.name.startswith("."):
            continue
        try:
            for text in damage(path):
                yield Finding(True, text)
            cube = Cube.open(path)
        except StoreProblem as problem:
            yield Finding(True, str(problem))
            continue
        yield from (Finding(False, f"cube {cube.name}: {gap}") for gap in time_gaps(cube.times))


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
    """Make the manifests of soundings, sites and tables again from their files; returns how many each holds.

    Stores that do not exist are left alone. What files lost is found by `verify` and healed by importing again.

    Raises
    ------
    StoreProblem : a store cannot be written.
    """
    from data.sites import SiteStore
    from data.soundings import SoundingArchive
    from data.tables import TableStore

    counts: dict[str, int] = {}
    if soundings_dir(home).is_dir():
        counts["soundings"] = SoundingArchive(soundings_dir(home)).rebuild()
    if sites_dir(home).is_dir():
        counts["files of sites"] = SiteStore(sites_dir(home)).rebuild()
    if tables_dir(home).is_dir():
        counts["tables"] = TableStore(tables_dir(home)).rebuild()
    return counts
