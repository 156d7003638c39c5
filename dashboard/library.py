"""What the dashboard can show: the cubes, soundings and sites of one data folder, opened once and shared by all sessions.

Nothing here belongs to a session. Listing is cheap (manifests only) and repeated at most once a second, so that months of a cube
that is still being built appear by themselves.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dashboard.state import CubeChoice, is_monthly, is_yearly, time_label
from dashboard.units import ShownCube
from data.cube import Cube
from data.errors import DataError
from data.home import cubes_dir, sites_dir, soundings_place

if TYPE_CHECKING:
    from data.sites import SiteStore
    from data.soundings import SoundingArchive

LISTING_SECONDS = 1.0
"""How long a listing of the data folder is believed; a new month shows after this at the latest."""


class Library:
    """The data folder as the dashboard sees it.

    Parameters
    ----------
    root : the data folder (`data.home.home()` by default layout: cubes/, soundings/, sites/).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._cubes: dict[str, Cube] = {}
        self._listed = -np.inf
        self._archive: SoundingArchive | None = None
        self._sites: SiteStore | None = None

    def cubes(self) -> dict[str, Cube]:
        """Cubes with at least one step, by name; fresh to within `LISTING_SECONDS`."""
        with self._lock:
            if time.monotonic() - self._listed >= LISTING_SECONDS:
                self._relist()
                self._listed = time.monotonic()
            return dict(self._cubes)

    def _relist(self) -> None:
        folder = cubes_dir(self.root)
        found: dict[str, Cube] = {}
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith(".") or not path.is_dir():
                continue
            try:
                cube = self._cubes.get(path.name)
                if cube is None:
                    cube = ShownCube.open(path)
                else:
                    cube.refresh()
            except DataError:
                continue  # being created, or damaged: `carbonweather data verify` names it
            if len(cube.times):
                found[path.name] = cube
        self._cubes = found

    def cube(self, name: str) -> Cube | None:
        """One cube, or None if there is none of that name."""
        return self.cubes().get(name)

    def choices(self) -> dict[str, CubeChoice]:
        """What addresses are checked against; finest global cube first."""
        ranked = sorted(self.cubes().items(), key=lambda item: _rank(item[1]))
        return {name: cube_choice(name, cube) for name, cube in ranked}

    @property
    def archive(self) -> SoundingArchive:
        """The sounding archive (perhaps empty)."""
        from data.soundings import SoundingArchive

        with self._lock:
            if self._archive is None:
                self._archive = SoundingArchive(soundings_place(self.root))
            return self._archive

    @property
    def sites(self) -> SiteStore:
        """Series of ground sites (perhaps none)."""
        from data.sites import SiteStore

        with self._lock:
            if self._sites is None:
                self._sites = SiteStore(sites_dir(self.root))
            return self._sites


def _rank(cube: Cube) -> tuple[bool, float, str]:
    grid = cube.grid
    return not grid.wraps or len(cube.times) < 2, -float(grid.nlat * len(cube.times)), cube.name


def cube_choice(name: str, cube: Cube) -> CubeChoice:
    """The facts of a cube that addresses are checked against."""
    grid = cube.grid
    return CubeChoice(
        name=name,
        variables=tuple(sorted(cube.variables, key=lambda variable: (variable != "xco2", variable))),
        times=time_labels(cube),
        west=grid.west,
        east=grid.west + grid.nlon * grid.dlon,
        south=grid.south,
        north=grid.south + grid.nlat * grid.dlat,
    )


def time_labels(cube: Cube) -> tuple[str, ...]:
    """Label of each step, in order."""
    times = cube.times
    if is_yearly(times):
        return tuple(str(moment.astype("datetime64[Y]")) for moment in times)
    monthly = is_monthly(times)
    return tuple(time_label(moment, monthly=monthly) for moment in times)
