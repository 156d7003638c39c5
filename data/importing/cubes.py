"""Maps from files into cubes: the files of one collection become one cube on the union of their aligned grids.

First every file is looked at (grid, times, variables), then the cube is made and the maps are written step by step in
order of time, so memory holds a few maps whatever the files' sizes. A later import of a larger area or of more
variables builds the cube anew beside the old one and puts it in its place. Stores of which only a small part is
occupied (snapshot areas on a global grid) are cut to that part. What was imported is remembered in `sources.json`
within the cube's folder.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.canonical import Product
from data.cube.grid import Grid, Variable
from data.errors import DataError, FileProblem, StoreProblem
from data.home import cubes_dir
from data.importing.occupied import box_around, written_parts
from data.sources import Source, holds

if TYPE_CHECKING:
    import xarray as xr

    from data.cube import Cube
    from data.importing.record import ImportRecord

SOURCES = "sources.json"
_BUILDING = ".building"
_LARGE_GRID = 4_000_000
"""Cells from which on it is worth looking which part of a store is occupied."""

_KEPT_BYTES = 128 * 2**20
_PARTS_BYTES = 400 * 2**20
_STEP_BYTES = 256 * 2**20
"""Maps of one step are written together up to this size, else variable by variable."""

_PPM_RANGE = (250.0, 650.0)
_ALIGNED = 0.02
"""Grids fit together if their cells are displaced by less than this part of a cell."""


@dataclass(frozen=True)
class GridFile:
    """A gridded file as far as it must be known before its maps are written.

    Attributes
    ----------
    grid : of the part of the file that goes into the cube.
    cut : rows and columns of that part; None for the whole.
    parts : rows and columns within that part outside of which a sparse store holds nothing; None for everywhere.
    """

    path: Path
    source: Source
    record: ImportRecord
    grid: Grid
    variables: dict[str, Variable]
    times: np.ndarray
    attrs: dict[str, Any]
    cut: tuple[slice, slice] | None
    parts: list[tuple[slice, slice]] | None


class CubeImport:
    """Collects gridded files, then writes their cubes.

    Parameters
    ----------
    home : the data folder.
    """

    def __init__(self, home: Path) -> None:
        self.folder = cubes_dir(home)
        self.building = home / _BUILDING
        self._files: dict[str, list[GridFile]] = {}
        self._open: OrderedDict[Path, Product] = OrderedDict()
        self._parts: OrderedDict[tuple[Path, str, int, int, int], np.ndarray] = OrderedDict()
        self._ledgers: dict[str, dict[str, dict[str, Any]]] | None = None

    def holds(self, name: str, digest: str) -> Source | None:
        """What is known of the file of this name and digest, or None."""
        if self._ledgers is None:
            self._ledgers = {path.parent.name: read_ledger(path.parent) for path in self.folder.glob(f"*/{SOURCES}")}
        found = (holds(ledger, name, digest) for ledger in self._ledgers.values())
        return next((source for source in found if source is not None), None)

    def add(self, product: Product, path: Path, digest: str, record: ImportRecord) -> None:
        """Look at a file's grid, times and variables; its maps are written by `finish`.

        Raises
        ------
        FileProblem : a grid that is not regular, no time, no map.
        """
        expected = "maps on a regular latitude-longitude grid"
        dataset = product.dataset
        if not dataset.data_vars or not dataset.sizes.get("time"):
            raise FileProblem(
                path, expected=expected, found="no map with a time", remedy="check the file's time and variables"
            )
        try:
            grid = Grid.from_centres(_whole_cells(dataset["lat"].to_numpy()), dataset["lon"].to_numpy())
        except StoreProblem as problem:
            raise FileProblem(
                path, expected=expected, found=f"another grid ({str(problem).rstrip('.')})", remedy="regrid it first"
            ) from None
        parts = written_parts(product) if grid.nlon * grid.nlat > _LARGE_GRID else None
        cut = None
        if parts is not None:
            rows, columns = cut = box_around(parts)
            parts = [(_shifted(part[0], rows.start), _shifted(part[1], columns.start)) for part in parts]
            dataset = dataset.isel(lat=rows, lon=columns)
            grid = replace(
                grid,
                west=round(grid.west + columns.start * grid.dlon, 9),
                south=round(grid.south + rows.start * grid.dlat, 9),
                nlon=columns.stop - columns.start,
                nlat=rows.stop - rows.start,
            )
        variables = {str(name): packing(dataset[name], parts) for name in dataset.data_vars}
        times = dataset["time"].to_numpy().astype("datetime64[ns]")
        source = replace(Source.of(product), digest=digest)
        self._files.setdefault(product.collection, []).append(
            GridFile(path, source, record, grid, variables, times, dict(dataset.attrs), cut, parts)
        )
        self._keep(path, product)

    def finish(self, say: Callable[[str], None]) -> Iterator[tuple[Path, ImportRecord | Exception]]:
        """Write the cubes of all files added; yields for each file its record, or what went wrong with it."""
        from filelock import FileLock

        if not self._files:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".import.lock"):
            self._recover()
            for collection, files in sorted(self._files.items()):
                try:
                    yield from self._one_cube(collection, files, say)
                except DataError as problem:
                    yield from ((file.path, problem) for file in files)
                except Exception as error:  # the boundary of an import: reported with each file of the collection
                    yield from ((file.path, error) for file in files)
        self._files.clear()
        self._open.clear()
        self._parts.clear()

    def _one_cube(
        self, collection: str, files: list[GridFile], say: Callable[[str], None]
    ) -> Iterator[tuple[Path, ImportRecord | Exception]]:
        files, outcomes = self._that_fit(collection, files)
        yield from outcomes
        if not files:
            return
        cube = self._cube_for(collection, files)
        by_time: dict[int, list[GridFile]] = {}
        for file in files:
            for time in file.times.astype(np.int64).tolist():
                by_time.setdefault(time, []).append(file)
        bad: dict[Path, Exception] = {}
        for number, (time, sharing) in enumerate(sorted(by_time.items())):
            say(f"{collection}: map {number + 1} of {len(by_time)}")
            self._write_step(cube, time, [file for file in sharing if file.path not in bad], bad)
        say(f"{collection}: series")
        cube.seal()
        self._note(collection, [file for file in files if file.path not in bad])
        for file in files:
            if file.path in bad:
                yield file.path, bad[file.path]
            else:
                steps = f"{file.times.size} time steps" if file.times.size > 1 else "one time step"
                yield file.path, replace(file.record, message=f"{steps} in the cube {collection}")

    def _that_fit(
        self, collection: str, files: list[GridFile]
    ) -> tuple[list[GridFile], list[tuple[Path, ImportRecord | Exception]]]:
        """The files whose grids align with the cube (or with the first file), and the problems of the others."""
        existing = self._existing(collection)
        union = existing.grid if existing is not None else files[0].grid
        fitting, problems = [], []
        for file in files:
            try:
                union = union_of(union, file.grid)
                fitting.append(file)
            except StoreProblem as problem:
                found = str(problem).rstrip(".")
                other = FileProblem(
                    file.path,
                    expected=f"a grid aligned with the cube {collection}",
                    found=found,
                    remedy="regrid it first",
                )
                problems.append((file.path, other))
        return fitting, problems  # type: ignore[return-value]

    def _existing(self, collection: str) -> Cube | None:
        from data.cube import Cube

        return Cube.open(self.folder / collection) if (self.folder / collection / "manifest.json").exists() else None

    def _cube_for(self, collection: str, files: list[GridFile]) -> Cube:
        """The cube that can take these files: the one there is, a new one, or the old one's content on a larger
        grid.
        """
        from data.cube import Cube

        existing = self._existing(collection)
        grid = existing.grid if existing is not None else files[0].grid
        variables = existing.variables if existing is not None else {}
        for file in files:
            grid = union_of(grid, file.grid)
            for name, variable in file.variables.items():
                kept = variables.setdefault(name, variable)
                if kept.units != variable.units:
                    raise StoreProblem(
                        f"cube {collection}: expected {name} in {kept.units or 'no unit'}, found "
                        f"{variable.units or 'no unit'} "
                        f"in {file.path.name}; convert the file or delete the cube."
                    )
        if existing is not None and grid == existing.grid and variables.keys() == existing.variables.keys():
            return existing
        attrs = {key: value for key, value in files[0].attrs.items() if key not in ("title", "source_file", "note")}
        title = str(files[0].attrs.get("title", collection))
        if existing is None:
            return Cube.create(
                self.folder / collection, name=collection, title=title, grid=grid, variables=variables, attrs=attrs
            )
        return self._rebuilt(existing, grid, variables)

    def _rebuilt(self, old: Cube, grid: Grid, variables: dict[str, Variable]) -> Cube:
        """The old cube's maps on another grid and with more variables, in its place.

        Numbers of maps and versions go on from the old cube's, so that who has it open notices and never mixes them.
        """
        from data.cube import Cube
        from data.cube.manifest import FILE, Manifest

        place = self.building / f"{old.name}.{uuid.uuid4().hex[:8]}"
        try:
            Cube.create(place, name=old.name, title=old.title, grid=grid, variables=variables, attrs=old.attrs)
            before = Manifest.from_bytes((Path(old.path) / FILE).read_bytes(), old.path)
            fresh = Manifest.from_bytes((place / FILE).read_bytes(), str(place))
            renumbered = replace(fresh, version=before.version + 1, next_number=before.next_number)
            _replace_file(place / FILE, renumbered.to_bytes())
            new = Cube.open(place)
            for step, time in enumerate(old.times):
                for name in before.steps[int(time.astype(np.int64))]:
                    new.write(time, {name: _placed(old.read(name, step).to_numpy(), old.grid, grid)})
            ledger = Path(old.path) / SOURCES
            if ledger.exists():
                shutil.copy2(ledger, place / SOURCES)
            aside = place.with_name(f"{place.name}.old")
            os.rename(old.path, aside)
            os.rename(place, old.path)
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise StoreProblem(
                f"cube {old.name}: expected to make it larger, found {error.strerror or error}; free "
                "some space. The cube is as it was before."
            ) from error
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        shutil.rmtree(self.building, ignore_errors=True)
        return Cube.open(old.path)

    def _recover(self) -> None:
        """Undo what an import that was killed left behind; only under the lock."""
        for left in sorted(self.building.glob("*.old")) if self.building.is_dir() else ():
            target = self.folder / left.name.rsplit(".", 2)[0]
            if not target.exists():
                os.rename(left, target)
        shutil.rmtree(self.building, ignore_errors=True)

    def _write_step(self, cube: Cube, time: int, files: list[GridFile], bad: dict[Path, Exception]) -> None:
        """Write one time's maps; a file that cannot be read or does not fit is noted in `bad`."""
        moment = np.datetime64(time, "ns")
        maps: dict[str, np.ndarray] = {}
        names = dict.fromkeys(name for file in files for name in file.variables)
        together = len(names) * cube.grid.nlat * cube.grid.nlon * 4 <= _STEP_BYTES
        for name in names:
            holding = [file for file in files if name in file.variables and file.path not in bad]
            values = self._assembled(cube, name, moment, holding, bad)
            if values is not None:
                maps[name] = values
            if maps and not together:
                self._put(cube, moment, maps, files, bad)
                maps = {}
        if maps:
            self._put(cube, moment, maps, files, bad)

    def _put(
        self,
        cube: Cube,
        moment: np.datetime64,
        maps: dict[str, np.ndarray],
        files: list[GridFile],
        bad: dict[Path, Exception],
    ) -> None:
        try:
            cube.write(moment, maps)
        except StoreProblem as problem:
            for file in files:
                bad.setdefault(file.path, problem)

    def _assembled(
        self, cube: Cube, name: str, moment: np.datetime64, files: list[GridFile], bad: dict[Path, Exception]
    ) -> np.ndarray | None:
        """(nlat, nlon) float32 of one variable: what the cube has where no file reaches, then each file's values."""
        values: np.ndarray | None = None
        for file in files:
            try:
                found = self._map(file, name, moment)
            except DataError as problem:
                bad[file.path] = problem
                continue
            except Exception as error:  # a lazy file may fail in any way while it is read
                found_text = f"an unforeseen {type(error).__name__}: {(str(error).splitlines() or [''])[0][:120]}"
                bad[file.path] = FileProblem(
                    file.path, expected="readable maps", found=found_text, remedy="check the file"
                )
                bad[file.path].__cause__ = error
                continue
            if values is None and file.grid == cube.grid and len(files) == 1:
                return found
            if values is None:
                values = self._before(cube, name, moment)
            rows, columns = _window(file.grid, cube.grid)
            target = values[rows, columns]
            np.copyto(target, found, where=np.isfinite(found))
        return values

    def _before(self, cube: Cube, name: str, moment: np.datetime64) -> np.ndarray:
        step = np.flatnonzero(cube.times == moment)
        if step.size:
            return np.array(cube.read(name, int(step[0])).to_numpy(), dtype=np.float32)
        return np.full((cube.grid.nlat, cube.grid.nlon), np.nan, dtype=np.float32)

    def _map(self, file: GridFile, name: str, moment: np.datetime64) -> np.ndarray:
        """(nlat, nlon) float32 of one file, NaN where missing."""
        array = self._dataset(file)[name].transpose("time", "lat", "lon")
        step = int(np.flatnonzero(file.times == moment)[0])
        if file.parts is None:
            return _finite(array.isel(time=step).to_numpy())
        values = np.full((file.grid.nlat, file.grid.nlon), np.nan, dtype=np.float32)
        for rows, columns in file.parts:
            values[rows, columns] = self._part(file.path, array, step, rows, columns)
        return values

    def _part(self, path: Path, array: xr.DataArray, step: int, rows: slice, columns: slice) -> np.ndarray:
        """One step of one part of a sparse store; the steps that share its chunks are kept for their turn."""
        ends = np.cumsum(array.chunksizes.get("time", (array.sizes["time"],)))
        block = int(np.searchsorted(ends, step, side="right"))
        start = int(ends[block - 1]) if block else 0
        key = path, str(array.name), block, rows.start, columns.start
        if key not in self._parts:
            chunk = array.isel(time=slice(start, int(ends[block])), lat=rows, lon=columns)
            self._parts[key] = _finite(chunk.to_numpy())
            while sum(kept.nbytes for kept in self._parts.values()) > _PARTS_BYTES and len(self._parts) > 1:
                self._parts.popitem(last=False)
        return self._parts[key][step - start]

    def _dataset(self, file: GridFile) -> xr.Dataset:
        from data.readers import read

        if file.path not in self._open:
            self._keep(file.path, read(file.path))
        self._open.move_to_end(file.path)
        dataset = self._open[file.path].dataset
        return dataset if file.cut is None else dataset.isel(lat=file.cut[0], lon=file.cut[1])

    def _keep(self, path: Path, product: Product) -> None:
        """Keep the products used last open: a few large lazy ones, or many small ones."""
        self._open[path] = product
        while len(self._open) > 1 and sum(_weight(kept) for kept in self._open.values()) > _KEPT_BYTES:
            self._open.popitem(last=False)

    def _note(self, collection: str, files: list[GridFile]) -> None:
        """Remember which files are in the cube."""
        folder = self.folder / collection
        ledger = read_ledger(folder)
        for file in files:
            ledger[str(file.path)] = file.source.to_json()
        _replace_file(folder / SOURCES, json.dumps(ledger, indent=0).encode())
        if self._ledgers is not None:
            self._ledgers[collection] = ledger


def read_ledger(folder: Path) -> dict[str, dict[str, Any]]:
    """Path -> `Source` as JSON of the files that a cube was made from; empty where that is not known."""
    try:
        return dict(json.loads((folder / SOURCES).read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def union_of(one: Grid, other: Grid) -> Grid:
    """The smallest grid that holds both, `one`'s cells kept.

    Raises
    ------
    StoreProblem : other cell sizes, or cells that are displaced against each other.
    """
    if one == other:
        return one
    for this, that, count in (
        (one.dlon, other.dlon, max(one.nlon, other.nlon)),
        (one.dlat, other.dlat, max(one.nlat, other.nlat)),
    ):
        if abs(this - that) * count > _ALIGNED * this:
            raise StoreProblem(
                f"cells of {other.dlon:g} x {other.dlat:g} degrees instead of {one.dlon:g} x {one.dlat:g}."
            )
    right, up = (other.west - one.west) / one.dlon, (other.south - one.south) / one.dlat
    if abs(right - round(right)) > _ALIGNED or abs(up - round(up)) > _ALIGNED:
        raise StoreProblem(f"cells displaced by {right % 1:.2f} of their width and {up % 1:.2f} of their height.")
    first, last = min(0, round(right)), max(one.nlon, round(right) + other.nlon)
    bottom, top = min(0, round(up)), max(one.nlat, round(up) + other.nlat)
    if (first, last, bottom, top) == (0, one.nlon, 0, one.nlat):
        return one
    return replace(
        one,
        west=round(one.west + first * one.dlon, 9),
        south=round(one.south + bottom * one.dlat, 9),
        nlon=last - first,
        nlat=top - bottom,
    )


def _whole_cells(lat: np.ndarray) -> np.ndarray:
    """Latitudes whose polar half cells (-89, -86, -82, ... as in GEOS-Chem) are centred on the pole.

    Cells of a cube may reach beyond a pole; the part that does has no area, so nothing counts twice.
    """
    steps = np.diff(lat)
    if lat.size < 5 or np.ptp(steps[1:-1]) > _ALIGNED * steps[1]:
        return lat
    even = lat.copy()
    for end, inner, sign in ((0, 1, -1.0), (-1, -2, 1.0)):
        half = abs(abs(lat[end] - lat[inner]) - 0.75 * steps[1]) < _ALIGNED * steps[1]
        if half and abs(lat[inner] + sign * steps[1] - sign * 90.0) < _ALIGNED * steps[1]:
            even[end] = sign * 90.0
    return even


def _window(part: Grid, whole: Grid) -> tuple[slice, slice]:
    """Rows and columns of a grid that another one, aligned and within it, covers."""
    column, row = round((part.west - whole.west) / whole.dlon), round((part.south - whole.south) / whole.dlat)
    return slice(row, row + part.nlat), slice(column, column + part.nlon)


def _placed(values: np.ndarray, part: Grid, whole: Grid) -> np.ndarray:
    placed = np.full((whole.nlat, whole.nlon), np.nan, dtype=np.float32)
    placed[_window(part, whole)] = values
    return placed


def _replace_file(path: Path, content: bytes) -> None:
    from data.cube.shards import WriteFailure, write_file

    try:
        write_file(str(path), content)
    except WriteFailure as failure:
        raise StoreProblem(
            f"{path}: expected to write it, found {failure.reason}; free some space or check permissions."
        ) from None


def _shifted(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)


def _finite(values: np.ndarray) -> np.ndarray:
    """Single precision, with infinities as missing."""
    values = values.astype(np.float32)
    values[np.isinf(values)] = np.nan
    return values


def packing(array: xr.DataArray, parts: list[tuple[slice, slice]] | None = None) -> Variable:
    """How a variable is stored: mole fractions in ppm as int16 of 0.01 ppm (72..728 ppm), everything else as float32.

    `parts` says where a sparse store holds anything at all.
    """
    name, units = str(array.name), str(array.attrs.get("units", ""))
    long_name = str(array.attrs.get("long_name", name))
    if units == "ppm":
        sample = _sample(array, parts)
        if sample.size and _PPM_RANGE[0] <= sample.min() and sample.max() <= _PPM_RANGE[1]:
            return Variable(name, units, long_name, "int16", 0.01, 400.0)
    return Variable(name, units, long_name, "float32", 1.0, 0.0)


def _sample(array: xr.DataArray, parts: list[tuple[slice, slice]] | None) -> np.ndarray:
    from data.readers.opening import sample_values

    for rows, columns in parts or ():
        values = array.isel(lat=rows, lon=columns).to_numpy()
        finite = values[np.isfinite(values)]
        if finite.size:
            return finite
    return sample_values(array)


def _weight(product: Product) -> int:
    """Bytes that a kept product costs: those in memory, and something for an open file."""
    return 2**20 + sum(item.nbytes for item in product.dataset.variables.values() if item.chunks is None)
