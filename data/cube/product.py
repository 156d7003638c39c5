"""The cube as its users see it. Which layout answers a request is its own business.

A cube is a folder: maps in `maps/<variable>/<level>` (Zarr v3, one shard a step, each level half the last), the time
layout in `time/<variable>/<block>` (all times of a few cells side by side), statistics of the maps' rows in `rows/`,
and `manifest.json`, which says what of this exists. Sizes and times that led to this layout: docs/decisions/cube-
layout.md.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from data.cube.grid import Grid, Variable, check_name
from data.cube.manifest import FILE, Manifest, plain_attrs
from data.cube.region import RegionSeries
from data.cube.view import View
from data.errors import StoreProblem
from data.places import file_system, is_failure, is_local, is_url, reason

if TYPE_CHECKING:
    import xarray as xr
    from fsspec import AbstractFileSystem
    from shapely.geometry.base import BaseGeometry

    from data.cube.rows import RowFile
    from data.cube.time_layout import Spread

T = TypeVar("T")
_log = logging.getLogger(__name__)

_REGIONS_KEPT = 64
"""Exact region series that are remembered: most visitors look at the same countries."""


class Cube:
    """One gridded product. Make one with `Cube.create` or `Cube.open`; all methods may be called from several
    threads."""

    def __init__(self, path: str | os.PathLike[str], *, cache_bytes: int = 256_000_000) -> None:
        from zict import LRU

        from data.cube.store import Store

        self._store = Store(path, cache_bytes)
        self._results: dict[tuple[str, str], tuple[int, Any]] = {}
        self._regions: LRU[tuple[object, ...], RegionSeries] = LRU(_REGIONS_KEPT, {})

    def __reduce__(self):
        return (Cube.open, (self.path,))

    def __repr__(self) -> str:
        names, grid = ", ".join(self.variables), self.grid
        return f"<Cube {self.name}: {names}; {grid.nlat} x {grid.nlon} cells, {len(self.times)} steps>"

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
        path : a folder that does not exist or is empty, local or at an fsspec URL.
        name : short name, fit to be a folder's name.
        title : for people.
        grid, variables : what it will hold.
        attrs : provenance (texts, numbers, lists); `simulated` = 1 for the simulated world.

        Raises
        ------
        StoreProblem : an unfit name; no variables, or two of one name; other files in the folder; a folder that
            cannot be made.
        """
        from data.cube.shards import WriteFailure, write_file

        check_name(name, "cube")
        chosen = list(variables.values()) if isinstance(variables, Mapping) else list(variables)
        names = [variable.name for variable in chosen]
        if not chosen or len(set(names)) < len(chosen):
            raise StoreProblem(
                f"cube {name}: expected one or more variables of different names, found {names}; correct the list."
            )
        manifest = Manifest(name, str(title), plain_attrs(attrs or {}), grid, dict(zip(names, chosen, strict=True)))
        try:
            fs, root = file_system(path)
            there = _entries(fs, root)
            if any(entry != ".lock" and not entry.endswith(".part") for entry in there):
                found = "a cube" if FILE in there else "other files"
                raise StoreProblem(
                    f"cube {name}: expected a new folder at {path}, found {found} there; choose another or delete it."
                )
            write_file(f"{root}/{FILE}", manifest.to_bytes(), fs)
        except Exception as error:
            if not isinstance(error, (WriteFailure, ValueError, ImportError)) and not is_failure(error):
                raise
            raise StoreProblem(
                f"cube {name}: the folder {path} cannot be made ({reason(error)}); choose another place or free some "
                "space."
            ) from None
        return cls.open(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, cache_bytes: int = 256_000_000) -> Cube:
        """Open a cube in a local folder or at an fsspec URL; StoreProblem where there is none."""
        return cls(path, cache_bytes=cache_bytes)

    def refresh(self) -> bool:
        """See what other processes have written since; True if anything."""
        return self._store.refresh()

    # ------------------------------------------------------------ what it is

    @property
    def path(self) -> str:
        """Folder or URL."""
        return self._store.path

    @property
    def name(self) -> str:
        """Short name."""
        return self._store.manifest.name

    @property
    def title(self) -> str:
        """Name for people."""
        return self._store.manifest.title

    @property
    def attrs(self) -> dict[str, Any]:
        """Provenance; a copy."""
        return dict(self._store.manifest.attrs)

    @property
    def grid(self) -> Grid:
        """The grid of level 0."""
        return self._store.manifest.grid

    @property
    def variables(self) -> dict[str, Variable]:
        """By name; a copy."""
        return dict(self._store.manifest.variables)

    @property
    def levels(self) -> int:
        """Levels of the map pyramid, 1 for small grids."""
        return self.grid.levels

    @property
    def times(self) -> np.ndarray:
        """(steps,) datetime64[ns] of the complete steps, ascending; read-only."""
        return self._store.manifest.times

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._store.manifest.version

    def _variable(self, name: str) -> Variable:
        known = self._store.manifest.variables
        if name not in known:
            raise StoreProblem(
                f"cube {self.name}: expected one of the variables {', '.join(known)}, found {name!r}; "
                "choose one of them."
            )
        return known[name]

    def _time(self, step: int) -> int:
        times = self.times
        if not -len(times) <= step < len(times):
            raise StoreProblem(
                f"cube {self.name}: expected one of its {len(times)} steps, found step {step}; choose another."
            )
        return int(times[step].astype(np.int64))

    def _level(self, level: int) -> int:
        if not 0 <= level < self.levels:
            raise StoreProblem(
                f"cube {self.name}: expected a pyramid level from 0 to {self.levels - 1}, found {level}; "
                "choose one of them."
            )
        return level

    # --------------------------------------------------------------- writing

    def write(self, time: Any, maps: Mapping[str, Any]) -> None:
        """Append one step, or replace it: at once, or not at all. Steps may come in any order of time.

        Parameters
        ----------
        time : anything that NumPy takes for a datetime64, UTC.
        maps : variable -> (nlat, nlon) values, row 0 southernmost, NaN where missing; or int16 codes for an int16
            variable; or what `encode_map` made of them elsewhere. Variables that are not named keep what the step had
            (nothing, if it is new).

        Raises
        ------
        StoreProblem : wrong shape, units or type; values that do not fit; disk full; a cube that cannot be written.
        """
        self.write_steps([(time, maps)])

    def write_steps(self, steps: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
        """As `write`, for several steps at once, all of them or none: much quicker where steps are many and small.

        Parameters
        ----------
        steps : (time, maps), each time once.

        Raises
        ------
        StoreProblem : as `write`; a time that is named twice.
        """
        from data.cube.writing import write_steps

        chosen: dict[int, dict[Variable, Any]] = {}
        for time, maps in steps:
            moment = _nanoseconds(time, self.name)
            if moment in chosen:
                raise StoreProblem(f"cube {self.name}: expected each time once, found {time} twice; name it once.")
            if not maps:
                raise StoreProblem(f"cube {self.name}: expected maps of one or more variables, found none; name them.")
            chosen[moment] = {self._variable(name): values for name, values in maps.items()}
        if not chosen:
            return
        first, *_, last = (str(np.datetime64(moment, "ns").astype("datetime64[s]")) for moment in (*chosen, *chosen))
        store = self._store
        with store.exclusive(f"step {first}" if len(chosen) == 1 else f"steps {first} to {last}"):
            store.publish(write_steps(store.chunks, store.manifest, chosen))

    def seal(self, progress: Callable[[float], None] | None = None, spread: Spread | None = None) -> None:
        """Put all steps that are not yet there into the time layout.

        Parameters
        ----------
        progress : called with the part done, 0..1.
        spread : does the work in other processes that see the cube; threads of this one by default.

        Raises
        ------
        StoreProblem : disk full, a cube that cannot be written, a damaged map.
        """
        from data.cube.time_layout import seal

        store = self._store
        with store.exclusive("the time layout"):
            sealed = seal(store.path, store.chunks, store.manifest, progress or (lambda part: None), spread)
            if sealed is not None:
                store.publish(sealed)

    # --------------------------------------------------------------- reading

    def window(self, variable: str, step: int, view: View) -> np.ndarray:
        """What a screen shows of one map.

        Each row of pixels is drawn from the coarsest pyramid level whose cells are no larger than its pixels: their
        area-weighted mean where a pixel is larger than the cells, else the cell at its centre. Longitude goes round:
        a place is drawn at every turn that the view shows.

        Parameters
        ----------
        variable, step : which map; negative steps count from the end.
        view : the part of the world, and the pixels.

        Returns
        -------
        (height, width) packed values (see `decode`), row 0 southernmost; missing outside the grid and where no cell
        has data.
        """
        from data.cube.window import draw

        kind, time = self._variable(variable), self._time(step)
        return self._store.attempt(
            lambda manifest: draw(self._store.chunks, manifest.grid, kind, manifest.steps[time].get(variable), view)
        )

    def decode(self, variable: str, codes: np.ndarray) -> np.ndarray:
        """Values of packed codes: float32, NaN where missing, same shape."""
        return self._variable(variable).decode(codes)

    def series(self, variable: str, lon: float, lat: float) -> np.ndarray:
        """(steps,) float32 values of the cell at a position, NaN where missing and everywhere outside the grid."""
        from data.cube.time_layout import cell_series

        kind = self._variable(variable)
        if not (np.isfinite(lon) and np.isfinite(lat)):
            raise StoreProblem(
                f"cube {self.name}: expected a finite position, found longitude {lon}, latitude {lat}; "
                "choose a point on the map."
            )
        row, column = self.grid.row(float(lat)), self.grid.column(float(lon))
        if row is None or column is None:
            return np.full(len(self.times), np.nan, dtype=np.float32)
        codes = self._store.attempt(lambda manifest: cell_series(self._store.chunks, manifest, kind, row, column))
        return kind.decode(codes)

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
        region : shapely Polygon or MultiPolygon in degrees; longitudes of any turn (170..190 crosses the dateline);
            crossed outlines are untangled. Without any cell's centre in it, it stands for the cell that holds its
            centroid.
        level : 0 for the exact mean over the grid's cells; a coarser pyramid level for an estimate; None lets the store
            choose one that takes about 50 ms.
        progress : called with the part done, 0..1.
        cancelled : asked now and then; once True, RegionCancelled is raised.
        """
        from data.cube.region_sums import region_series

        kind = self._variable(variable)
        if level is not None:
            self._level(level)
        key = (self.version, variable, level, region.wkb if hasattr(region, "wkb") else None)
        kept = self._regions.get(key) if level == 0 else None
        if kept is None:
            rows = self._rows(variable)
            kept = self._store.attempt(
                lambda manifest: region_series(
                    self._store.chunks, rows, manifest, kind, region, level, progress=progress, cancelled=cancelled
                )
            )
            if level == 0:
                self._regions[key] = kept
        return kept

    def zonal(self, variable: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Exact zonal means of all steps.

        Returns
        -------
        times (steps,), latitudes (nlat,), values (steps, nlat) float32 with NaN where a row is empty.
        """
        self._variable(variable)

        def work(manifest: Manifest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            values = self._rows(variable).means(manifest.slots(variable)).astype(np.float32)
            return manifest.times, manifest.grid.lat, values

        return self._remember("zonal", variable, lambda: self._store.attempt(work))

    def limits(self, variable: str) -> tuple[float, float]:
        """The values below which 2 % and 98 % of the area lies over all times, from the coarsest maps.

        (0.0, 1.0) without any data.
        """
        from data.cube.window import robust_limits

        kind = self._variable(variable)
        return self._remember(
            "limits",
            variable,
            lambda: self._store.attempt(lambda manifest: robust_limits(self._store.chunks, manifest, kind)),
        )

    def read(
        self, variable: str, step: int, *, bounds: tuple[float, float, float, float] | None = None, level: int = 0
    ) -> xr.DataArray:
        """One map, or the part of it whose cells' centres lie in bounds, as values for exports and notebooks.

        Parameters
        ----------
        bounds : west, south, east, north in degrees; west > east runs across the dateline.
        level : pyramid level.

        Returns
        -------
        (lat, lon) float32, NaN where missing, with the scalar coordinate `time`; longitudes ascend and may run beyond
        180.
        """
        from data.cube.arrays import read_map

        kind, time = self._variable(variable), self._time(step)
        self._level(level)
        return self._store.attempt(lambda manifest: read_map(self._store.chunks, manifest, kind, time, bounds, level))

    def to_xarray(self, variable: str | None = None) -> xr.Dataset:
        """The whole cube, or one variable of it, lazily (dask; a chunk is a step's map chunk) with CF attributes."""
        from data.cube.arrays import lazy_dataset

        names = [variable] if variable is not None else list(self.variables)
        return lazy_dataset(self, [self._variable(name) for name in names])

    def values(self, variable: str, time: np.datetime64, rows: slice, columns: slice) -> np.ndarray:
        """(rows, columns) float32 part of the map at one of `times`, level 0: what `to_xarray` reads for a chunk."""
        from data.cube.arrays import map_part

        kind, moment = self._variable(variable), int(time.astype("datetime64[ns]").astype(np.int64))
        if moment not in self._store.manifest.steps:
            raise StoreProblem(f"cube {self.name}: expected one of its times, found {time}; choose another.")
        return self._store.attempt(lambda manifest: map_part(self._store.chunks, manifest, kind, moment, rows, columns))

    def _rows(self, variable: str) -> RowFile:
        from data.cube.rows import RowFile

        return RowFile(self._store.chunks.fs, self._store.chunks.root, variable, self.grid.nlat)

    def _remember(self, what: str, variable: str, compute: Callable[[], T]) -> T:
        version = self.version
        kept = self._results.get((what, variable))
        if kept is None or kept[0] != version:
            kept = self._results[what, variable] = version, compute()
        return kept[1]


def list_cubes(folder: str | os.PathLike[str]) -> list[Cube]:
    """All cubes directly in a folder, by name. One that cannot be opened is left out, with a warning in the log."""
    found = []
    for path in _cube_folders(os.fspath(folder)):
        try:
            found.append(Cube.open(path))
        except StoreProblem as problem:
            _log.warning("%s", problem)
    return sorted(found, key=lambda cube: cube.name)


def _cube_folders(place: str) -> list[str]:
    """Folders with a manifest; none where an URL cannot be looked at, with a warning in the log."""
    if not is_url(place):
        root = Path(place)
        return [str(entry) for entry in sorted(root.iterdir()) if (entry / FILE).is_file()] if root.is_dir() else []
    try:
        fs, root_there = file_system(place)
        return [f"{place.rstrip('/')}/{path.split('/')[-2]}" for path in sorted(fs.glob(f"{root_there}/*/{FILE}"))]
    except Exception as error:
        if not isinstance(error, (ValueError, ImportError)) and not is_failure(error):
            raise
        _log.warning(
            "cubes at %s: cannot be listed (%s); check the address, the network and permissions.", place, reason(error)
        )
        return []


def _entries(fs: AbstractFileSystem, root: str) -> set[str]:
    """Names in a folder that is to become a cube; a local one is made."""
    if is_local(fs):
        os.makedirs(root, exist_ok=True)
        return set(os.listdir(root))
    try:
        return {path.rstrip("/").split("/")[-1] for path in fs.ls(root, detail=False) if path.rstrip("/") != root}
    except FileNotFoundError:
        return set()


def _nanoseconds(time: Any, name: str) -> int:
    if getattr(time, "tzinfo", None) is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    try:
        moment = np.datetime64(time, "ns")
        year = np.datetime64(time).astype("datetime64[Y]")
    except (ValueError, TypeError, OverflowError) as error:
        raise StoreProblem(
            f"cube {name}: expected a time, found {time!r} ({error}); give a datetime64 or an ISO date."
        ) from None
    if np.isnat(moment) or moment.astype("datetime64[Y]") != year:
        raise StoreProblem(f"cube {name}: expected a time from 1678 to 2261, found {time!r}; correct it.")
    return int(moment.astype(np.int64))
