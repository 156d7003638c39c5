"""A cube that is built out of sight and appears in the data folder at once, whole, under a name that is free."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.cube import Cube, EncodedMap, Grid, Spread, Variable
from data.cube.grid import check_name
from data.errors import StoreProblem
from data.home import cubes_dir
from data.runs.files import sync_folder

FEW_STEPS = 24
"""Series of so few maps are read from the maps in a few hundredths of a second: a time layout would not pay."""
_AT_ONCE, _BYTES_AT_ONCE = 8, 32_000_000
"""So many steps are written into the cube together, or so many as keep no more than this in memory."""
_LONGEST_NAME = 80
_MOST_NAMES = 1000


def cube_name(*parts: object) -> str:
    """A cube's name made of words: lower-case letters, digits, dots and dashes ("oco-2-xco2-month-0.05deg")."""
    words = [re.sub(r"[^a-z0-9.]+", "-", str(part).lower()).strip("-.") for part in parts]
    return re.sub(r"\.\.+", ".", "-".join(filter(None, words)))[:_LONGEST_NAME].strip("-.") or "cube"


class HiddenCube:
    """A cube under construction. What an earlier attempt left in its folder is thrown away.

    Parameters
    ----------
    folder : where it is built; on the data folder's disk.
    name, title, grid, variables, attrs : as in `Cube.create`; `attrs["run"]` tells whose it is.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        title: str,
        grid: Grid,
        variables: Sequence[Variable],
        attrs: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self.run = str(attrs["run"])
        self.name = check_name(name, "cube")
        shutil.rmtree(folder, ignore_errors=True)
        self.cube = Cube.create(folder, name=name, title=title, grid=grid, variables=variables, attrs=attrs)
        self._waiting: list[tuple[Any, Mapping[str, EncodedMap]]] = []
        self._waiting_bytes = 0

    def write(self, time: Any, maps: Mapping[str, EncodedMap]) -> None:
        """One step, sooner or later; see `Cube.write_steps`."""
        self._waiting.append((time, maps))
        self._waiting_bytes += sum(made.bytes_in_memory for made in maps.values())
        if len(self._waiting) >= _AT_ONCE or self._waiting_bytes >= _BYTES_AT_ONCE:
            self._write_waiting()

    def _write_waiting(self) -> None:
        self.cube.write_steps(self._waiting)
        self._waiting, self._waiting_bytes = [], 0

    def publish(
        self, home: Path, progress: Callable[[float], None] | None = None, spread: Spread | None = None
    ) -> Path:
        """Move the cube to the data folder's cubes, sealed if it is long; a number is added to a name that is taken.

        Parameters
        ----------
        progress, spread : of sealing, see `Cube.seal`.

        Returns
        -------
        The cube's folder; its name is the cube's.

        Raises
        ------
        StoreProblem : no room, no permission.
        """
        self._write_waiting()
        if len(self.cube.times) > FEW_STEPS:
            self.cube.seal(progress, spread)
        place = free_name(home, self.name)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.name != self.name:
                _rename(self.folder, place.name)
            _sync_folders(self.folder)
            try:
                os.rename(self.folder, place)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                beside = place.with_name(f".{place.name}.{self.run}.part")  # cubes are on another disk
                shutil.rmtree(beside, ignore_errors=True)
                shutil.copytree(self.folder, beside)
                _sync_folders(beside)
                os.rename(beside, place)
            sync_folder(place.parent)
        except OSError as error:
            raise StoreProblem(
                f"cube {self.name}: expected to put it into {place.parent}, found {error.strerror or error}; free some space or "
                "check permissions."
            ) from error
        return place


def published(home: Path, name: str, run: str) -> Path | None:
    """The cube of this name (or one with a number added) that an earlier attempt of the run has put there."""
    for place in _places(home, name):
        if not place.exists():
            return None
        try:
            if Cube.open(place).attrs.get("run") == run:
                return place
        except StoreProblem:
            continue  # something else of that name
    return None


def free_name(home: Path, name: str) -> Path:
    """Where a new cube goes: the first of NAME, NAME-2, ... that is not there."""
    for place in _places(home, name):
        if not place.exists():
            return place
    raise StoreProblem(f"cube {name}: expected a free name, found {_MOST_NAMES} cubes called so; delete some.")


def _places(home: Path, name: str) -> list[Path]:
    folder = cubes_dir(home)
    return [folder / name, *(folder / f"{name}-{number}" for number in range(2, _MOST_NAMES))]


def _sync_folders(folder: Path) -> None:
    """Files were synced when they were written; this makes sure of their names."""
    for path, _, _ in os.walk(folder):
        sync_folder(Path(path))


def _rename(folder: Path, name: str) -> None:
    """Give a cube another name in its own manifest."""
    from dataclasses import replace

    from data.cube.manifest import FILE, Manifest
    from data.cube.shards import write_file

    manifest = Manifest.from_bytes((folder / FILE).read_bytes(), str(folder))
    write_file(str(folder / FILE), replace(manifest, name=name).to_bytes())
