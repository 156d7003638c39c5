"""Gridded products: one store with a map pyramid for the screen and a time layout for series.

A cube is a folder. Its maps lie in `maps/<variable>/<level>` (Zarr v3, one shard a step, each level half the last), its time layout
in `time/<variable>/<block>` (all times of a few cells side by side), the statistics of the maps' rows in `rows/`, and `manifest.json`
says what of this exists. Files are written first and the manifest is replaced last, whole, so a crash at any moment leaves the former
state, and adding or replacing a step never touches another. Which layout answers a request is the store's business.

Sizes and times that led to this layout: docs/decisions/cube-layout.md.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from data.cube_chunks import ChunkStore
from data.cube_grid import Grid, Variable, check_name
from data.cube_manifest import FILE, Block, Manifest, plain_attrs
from data.cube_region import RegionCancelled, RegionSeries
from data.cube_rows import RowFile
from data.errors import StoreProblem
from data.resample import View
from data.shards import ShardDamage, write_file

if TYPE_CHECKING:
    import xarray as xr
    from shapely.geometry.base import BaseGeometry

__all__ = ["Cube", "Grid", "RegionCancelled", "RegionSeries", "Variable", "View", "list_cubes"]

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Cube:
    """One gridded product. Make one with `Cube.create` or `Cube.open`; all methods may be called from several threads."""

    def __init__(self, path: str | os.PathLike[str], *, cache_bytes: int) -> None:
        from fsspec.core import url_to_fs

        self._path = os.fspath(path)
        fs, root = url_to_fs(self._path)
        self._local = "file" in fs.protocol if isinstance(fs.protocol, (tuple, list)) else fs.protocol == "file"
        self._chunks = ChunkStore(fs, root.rstrip("/"), cache_bytes)
        self._writing = threading.RLock()
        self._stamp: object = None
        self._results: dict[Any, Any] = {}
        self._manifest = self._read_manifest()

    def __reduce__(self):
        return (Cube.open, (self._path,))

    def __repr__(self) -> str:
        return f"<Cube {self.name}: {', '.join(self.variables)}; {self.grid.nlat} x {self.grid.nlon} cells, {len(self.times)} steps>"

    # ---------------------------------------------------------------- opening

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        name: str,
        title: str,
        grid: Grid,
        variables: Sequence[Variable] | Mapping[str, Variable],
        attrs: Mapping[str, Any] | None = None,
    ) -> Cube:
        """Make an empty cube in a new folder.

        Parameters
        ----------
        path : a local folder that does not exist or is empty.
        name : short name, fit to be a folder's name.
        title : for people.
        grid, variables : what it will hold.
        attrs : provenance (texts, numbers, lists); `simulated` = 1 for the simulated world.

        Raises
        ------
        StoreProblem : an unfit name, no variables or two of one name, something else in the folder, a folder that cannot be written.
        """
        check_name(name, "cube")
        chosen = list(variables.values()) if isinstance(variables, Mapping) else list(variables)
        if not chosen or len({variable.name for variable in chosen}) < len(chosen):
            raise StoreProblem(f"cube {name}: expected one or more variables of different names, found {[variable.name for variable in chosen]}; correct the list.")
        folder = Path(os.fspath(path))
        manifest = Manifest(name, str(title), plain_attrs(attrs or {}), grid, {variable.name: variable for variable in chosen})
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(entry.name != ".lock" and not entry.name.endswith(".part") for entry in folder.iterdir()):
                found = "a cube" if (folder / FILE).exists() else "other files"
                raise StoreProblem(f"cube {name}: expected a new folder at {folder}, found {found} there; choose another name or delete it.")
            write_file(str(folder / FILE), manifest.to_bytes())
        except OSError as error:
            raise StoreProblem(f"cube {name}: the folder {folder} cannot be made ({error.strerror or error}); choose another place or free some space.") from None
        return cls.open(folder)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, cache_bytes: int = 256_000_000) -> Cube:
        """Open a cube in a local folder or at an fsspec URL (then read-only); StoreProblem where there is none."""
        return cls(path, cache_bytes=cache_bytes)

    def refresh(self) -> bool:
        """Read the manifest again if another process changed it; True if it did."""
        stamp = self._current_stamp()
        if stamp is not None and stamp == self._stamp:
            return False
        manifest = self._read_manifest()
        if manifest.version == self._manifest.version:
            return False
        self._manifest = manifest
        return True

    def _current_stamp(self) -> object:
        if not self._local:
            return None
        try:
            status = os.stat(f"{self._chunks.root}/{FILE}")
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read_manifest(self) -> Manifest:
        stamp = self._current_stamp()
        try:
            content = self._chunks.fs.cat_file(f"{self._chunks.root}/{FILE}")
        except FileNotFoundError:
            raise StoreProblem(f"cube {self._path}: expected a folder with {FILE}, found none; check the path or build the cube.") from None
        except OSError as error:
            raise StoreProblem(f"cube {self._path}: its {FILE} cannot be read ({error.strerror or error}); check the disk and permissions.") from None
        manifest = Manifest.from_bytes(content, self._path)
        self._stamp = stamp
        return manifest

    # ------------------------------------------------------------ what it is

    @property
    def path(self) -> str:
        """Folder or URL."""
        return self._path

    @property
    def name(self) -> str:
        """Short name."""
        return self._manifest.name

    @property
    def title(self) -> str:
        """Name for people."""
        return self._manifest.title

    @property
    def attrs(self) -> dict[str, Any]:
        """Provenance; a copy."""
        return dict(self._manifest.attrs)

    @property
    def grid(self) -> Grid:
        """The grid of level 0."""
        return self._manifest.grid

    @property
    def variables(self) -> dict[str, Variable]:
        """By name; a copy."""
        return dict(self._manifest.variables)

    @property
    def levels(self) -> int:
        """Levels of the map pyramid, 1 for small grids."""
        return self._manifest.grid.levels

    @property
    def times(self) -> np.ndarray:
        """(steps,) datetime64[ns] of the complete steps, ascending; read-only."""
        return self._manifest.times

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._manifest.version

    def _variable(self, name: str) -> Variable:
        found = self._manifest.variables.get(name)
        if found is None:
            raise StoreProblem(f"cube {self.name}: expected one of the variables {', '.join(self._manifest.variables)}, found {name!r}; choose one of them.")
        return found

    def _time(self, step: int) -> np.datetime64:
        count = len(self._manifest.times)
        if not -count <= step < count:
            raise StoreProblem(f"cube {self.name}: expected a step from 0 to {count - 1}, found {step}; choose one of its {count} steps.")
        return self._manifest.times[step]

    # --------------------------------------------------------------- writing

    def write(self, time: Any, maps: Mapping[str, Any]) -> None:
        """Append one step, or replace it: at once, or not at all. Steps may come in any order of time.

        Parameters
        ----------
        time : anything that NumPy takes for a datetime64, UTC.
        maps : variable -> (nlat, nlon) values, row 0 southernmost, NaN where missing; or int16 codes for an int16 variable. Variables
            that are not named keep what the step had (nothing, if it is new).

        Raises
        ------
        StoreProblem : wrong shape, units, type; values that do not fit; disk full; a cube that cannot be written.
        """
        from data.cube_write import write_step

        moment = _nanoseconds(time, self.name)
        if not maps:
            raise StoreProblem(f"cube {self.name}: expected maps of one or more variables, found none; name them.")
        checked = {self._variable(name): values for name, values in maps.items()}
        with self._exclusive(f"step {np.datetime64(moment, 'ns')}") as folder:
            self._publish(write_step(self._chunks, folder, self._manifest, moment, checked), folder)

    def seal(self, progress: Callable[[float], None] | None = None) -> None:
        """Put all steps that are not yet there into the time layout.

        Parameters
        ----------
        progress : called with the part done, 0..1.
        """
        from data.cube_time import plan, write_block

        with self._exclusive("the time layout") as folder:
            manifest = self._manifest
            keep, new = plan(manifest)
            if not new:
                return
            total = sum(len(block.slots) for block in new)
            done = 0
            for block in new:

                def report(part: float, before: int = done, size: int = len(block.slots)) -> None:
                    if progress is not None:
                        progress((before + part * size) / total)

                write_block(self._chunks, folder, manifest, block, report)
                done += len(block.slots)
            blocks: tuple[Block, ...] = (*keep, *new)
            self._publish(manifest.with_blocks(blocks, max(block.number for block in new) + 1), folder)

    def _publish(self, manifest: Manifest, folder: str) -> None:
        write_file(os.path.join(folder, FILE), manifest.to_bytes())
        self._manifest = manifest
        self._stamp = self._current_stamp()

    @contextmanager
    def _exclusive(self, what: str) -> Iterator[str]:
        """The folder, while no other thread or process writes; leftovers of writers that died are gone."""
        from filelock import FileLock

        from data.cube_write import clean

        if not self._local:
            raise StoreProblem(f"cube {self.name}: expected a local folder to write {what}, found {self._path}; copy the cube first.")
        folder = self._chunks.root
        try:
            with self._writing, FileLock(os.path.join(folder, ".lock")):
                self.refresh()
                clean(folder, self._manifest)
                try:
                    yield folder
                except BaseException:
                    clean(folder, self._manifest)
                    raise
        except OSError as error:
            raise StoreProblem(
                f"cube {self.name}: {what} could not be written to {folder} ({error.strerror or error}); free some space or check permissions. The cube is as it was before."
            ) from None
        except ShardDamage as damage:
            raise self._damaged(damage) from None

    # --------------------------------------------------------------- reading

    def _attempt(self, work: Callable[[Manifest], T]) -> T:
        """Read; once more with a fresh manifest where a file is gone, for another process may have replaced it."""
        try:
            return work(self._manifest)
        except ShardDamage as damage:
            if not self.refresh():
                raise self._damaged(damage) from None
        try:
            return work(self._manifest)
        except ShardDamage as damage:
            raise self._damaged(damage) from None

    def _damaged(self, damage: ShardDamage) -> StoreProblem:
        parts = damage.path.removeprefix(self._chunks.root).strip("/").split("/")
        where = "/".join(parts)
        if parts[0] == "maps":
            slot = int(parts[-1].split(".")[1])
            time = next((t for t, slots in self._manifest.steps.items() if slots.get(parts[1]) == slot), None)
            where = f"step {np.datetime64(time, 'ns').astype('datetime64[s]')} of {parts[1]} ({where})" if time is not None else where
        elif parts[0] == "time":
            block = next((b for b in self._manifest.blocks if str(b.number) == parts[2]), None)
            times = [t for t, slots in self._manifest.steps.items() if block is not None and slots.get(parts[1]) in block.slots]
            if times:
                span = [np.datetime64(t, "ns").astype("datetime64[s]") for t in (times[0], times[-1])]
                where = f"steps {span[0]} to {span[1]} of {parts[1]} ({where})"
        return StoreProblem(f"cube {self.name}: expected readable data for {where}, found {damage.reason}; import or build these steps again.")

    def window(self, variable: str, step: int, view: View) -> np.ndarray:
        """What a screen shows of one map.

        Each row of pixels is drawn from the coarsest pyramid level whose cells are no larger than its pixels: their area-weighted
        mean where a pixel is larger than the cells, else the cell at its centre.

        Parameters
        ----------
        variable, step : which map; negative steps count from the end.
        view : the part of the world, and the pixels.

        Returns
        -------
        (height, width) packed values (see `decode`), row 0 southernmost; missing outside the grid and where no cell has data.
        """
        from data.cube_window import draw

        kind, time = self._variable(variable), int(self._time(step).astype(np.int64))
        return self._attempt(lambda manifest: draw(self._chunks, manifest.grid, kind, manifest.steps[time].get(variable), view))

    def decode(self, variable: str, codes: np.ndarray) -> np.ndarray:
        """Values of packed codes: float32, NaN where missing, same shape."""
        return self._variable(variable).decode(codes)

    def series(self, variable: str, lon: float, lat: float) -> np.ndarray:
        """(steps,) float32 values of the cell at a position, NaN where missing and outside the grid."""
        from data.cube_time import cell_series

        kind = self._variable(variable)
        if not (np.isfinite(lon) and np.isfinite(lat)):
            raise StoreProblem(f"cube {self.name}: expected a finite position, found longitude {lon} and latitude {lat}; choose a point on the map.")
        row, column = self.grid.row(float(lat)), self.grid.column(float(lon))
        if row is None or column is None:
            return np.full(len(self.times), np.nan, dtype=np.float32)
        return kind.decode(self._attempt(lambda manifest: cell_series(self._chunks, manifest, kind, row, column)))

    def region_series(
        self,
        variable: str,
        region: BaseGeometry,
        *,
        level: int | None = 0,
        progress: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> RegionSeries:
        """Area-weighted mean and spread over a region at every step.

        Parameters
        ----------
        region : shapely Polygon or MultiPolygon in degrees; longitudes of any turn; crossed outlines are untangled. Without any cell's
            centre in it, it stands for the cell that holds its centroid.
        level : 0 for the exact mean over the grid's cells; a coarser pyramid level for an estimate; None lets the store choose one that
            takes about 50 ms.
        progress : called with the part done, 0..1.
        cancelled : asked now and then; once True, RegionCancelled is raised.
        """
        from data.cube_region import region_series

        kind = self._variable(variable)
        if level is not None and not 0 <= level < self.levels:
            raise StoreProblem(f"cube {self.name}: expected a pyramid level from 0 to {self.levels - 1}, found {level}; choose one of them.")
        return self._attempt(
            lambda manifest: region_series(self._chunks, self._rows(variable), manifest, kind, region, level, progress=progress, cancelled=cancelled)
        )

    def zonal(self, variable: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Zonal means of all steps, exact: times (steps,), latitudes (nlat,), values (steps, nlat) float32 with NaN where a row is empty."""
        self._variable(variable)

        def work(manifest: Manifest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            values = self._rows(variable).means(manifest.slots(variable)).astype(np.float32)
            return manifest.times, manifest.grid.lat, values

        return self._remember("zonal", variable, lambda: self._attempt(work))

    def limits(self, variable: str) -> tuple[float, float]:
        """The values below which 2 % and 98 % of the area lies over all times, from the coarsest maps; (0.0, 1.0) without any data."""
        from data.cube_window import robust_limits

        kind = self._variable(variable)
        return self._remember("limits", variable, lambda: self._attempt(lambda manifest: robust_limits(self._chunks, manifest, kind)))

    def read(self, variable: str, step: int, *, bounds: tuple[float, float, float, float] | None = None, level: int = 0) -> xr.DataArray:
        """One map, or the part of it whose cells' centres lie in bounds, as values for exports and notebooks.

        Parameters
        ----------
        bounds : west, south, east, north in degrees; west > east runs across the dateline.
        level : pyramid level.

        Returns
        -------
        (lat, lon) float32, NaN where missing, with the scalar coordinate `time`; longitudes ascend and may run beyond 180.
        """
        from data.cube_arrays import read_map

        kind, time = self._variable(variable), int(self._time(step).astype(np.int64))
        if not 0 <= level < self.levels:
            raise StoreProblem(f"cube {self.name}: expected a pyramid level from 0 to {self.levels - 1}, found {level}; choose one of them.")
        return self._attempt(lambda manifest: read_map(self._chunks, manifest, kind, time, bounds, level))

    def to_xarray(self, variable: str | None = None) -> xr.Dataset:
        """The whole cube, or one variable of it, lazily (dask; a chunk is a step's map chunk) with CF attributes."""
        from data.cube_arrays import lazy_dataset

        names = [variable] if variable is not None else list(self._manifest.variables)
        return lazy_dataset(self, [self._variable(name) for name in names])

    def _map_part(self, variable: str, time: int, rows: slice, columns: slice) -> np.ndarray:
        """Values (rows, columns) of a map at level 0, read by this thread: a chunk of `to_xarray`."""
        from data.cube_arrays import map_part

        return self._attempt(lambda manifest: map_part(self._chunks, manifest, self._variable(variable), time, rows, columns))

    def _rows(self, variable: str) -> RowFile:
        return RowFile(self._chunks.fs, self._chunks.root, variable, self.grid.nlat)

    def _remember(self, what: str, variable: str, compute: Callable[[], T]) -> T:
        key, version = (what, variable), self.version
        kept = self._results.get(key)
        if kept is None or kept[0] != version:
            kept = self._results[key] = version, compute()
        return kept[1]


def list_cubes(folder: str | os.PathLike[str]) -> list[Cube]:
    """All cubes directly in a folder, by name. One that cannot be opened is left out, with a warning in the log."""
    found = []
    root = Path(os.fspath(folder))
    for entry in sorted(root.iterdir()) if root.is_dir() else []:
        if (entry / FILE).is_file():
            try:
                found.append(Cube.open(entry))
            except StoreProblem as problem:
                _log.warning("%s", problem)
    return sorted(found, key=lambda cube: cube.name)


def _nanoseconds(time: Any, name: str) -> int:
    try:
        moment = np.datetime64(time, "ns")
    except (ValueError, TypeError, OverflowError) as error:
        raise StoreProblem(f"cube {name}: expected a time, found {time!r} ({error}); give a datetime64 or an ISO date.") from None
    if np.isnat(moment) or np.datetime64(moment, "Y") != np.datetime64(time, "Y"):
        raise StoreProblem(f"cube {name}: expected a time from 1678 to 2261, found {time!r}; correct it.")
    return int(moment.astype(np.int64))
