"""Mole fractions of CO2 on levels: a store that keeps them in small chunks and reads no more than is asked for.

Each imported file becomes one netCDF file (float32, chunks of one step, all levels, 30 x 40 cells), and a manifest says
which variables and times lie in which, so that a collection of hundreds of files is opened without touching one. Files
of one collection share grid and levels; a step may have its parts in several (CarbonTracker gives the total with its
pressure in one file, the components in another). Mole fractions are rounded to 2^-10 ppm, far below what any model
means by them, humidity to 10 and everything else to 15 bits, which makes the files less than half as large. Lies on a local disk or at
any fsspec URL; changes are all or nothing (`data.storage`).
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.canonical import Product
from data.cube.grid import Grid
from data.errors import FileProblem, StoreProblem
from data.source_store import NOTE, SourceStore, netcdf_note
from data.sources import Source, known_as
from data.storage import AppendResult, ManifestFolder, unique_name

if TYPE_CHECKING:
    import h5py
    import pandas as pd
    import xarray as xr

COMPONENTS = ("co2", "co2_bg", "co2_bio", "co2_ocean", "co2_fossil", "co2_fire")
"""Mole fractions that a volume may have, the total first."""

_GEOMETRY = ("pressure_edge", "height_edge")
_KEPT = (*COMPONENTS, *_GEOMETRY, "temperature", "specific_humidity", "orography")
_LAYOUT = 1
_CHUNK = (30, 40)
_OPEN_FILES = 12
_FACTS = (
    "title",
    "instrument",
    "version",
    "scale",
    "catalog",
    "simulated",
    "source",
    "citation",
    "licence",
    "license",
    "run",
)


class VolumeStore(SourceStore):
    """Volumes by collection in a folder or at an fsspec URL; nothing is created before the first append."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path, what="store of volumes", layout=_LAYOUT)

    def collections(self) -> dict[str, str]:
        """Title of each collection by name, in order of name."""
        entries = self.folder.manifest()["files"].values()
        return {entry["collection"]: entry["title"] for entry in sorted(entries, key=lambda kept: kept["collection"])}

    def append(self, product: Product) -> AppendResult:
        """Store a volume; the same file again changes nothing, a changed file of the same name replaces the old one.

        Written step by step, so that memory holds one step whatever the file's size.

        Raises
        ------
        FileProblem : not a volume, an irregular grid.
        StoreProblem : another grid or number of levels than the collection has, no room.
        """
        grid = _grid_of(product)
        levels = int(product.dataset.sizes["lev"])
        with self.folder.change() as change:
            files = dict(change.manifest["files"])
            source, stored = known_as(files, Source.of(product), product.path.parent.name)
            if stored is not None and source.digest and files[stored]["digest"] == source.digest:
                return AppendResult(0, product.count)
            if stored is not None:
                del files[stored]
            self._check_fit(files, product, grid, levels)
            entry = {
                **source.to_json(),
                "variables": [name for name in _KEPT if name in product.dataset],
                "times": product.dataset["time"].to_numpy().astype("datetime64[ns]").astype(np.int64).tolist(),
                "grid": vars(grid),
                "levels": levels,
                "attrs": {key: _plain(value) for key, value in product.dataset.attrs.items() if key in _FACTS},
                "note": str(product.dataset.attrs.get("note", "")),
            }
            name = f"{product.collection}/{unique_name('levels', '.nc')}"
            written = change.write(name, lambda path: _write(path, product, entry))
            change.commit({"files": {**files, name: {**entry, **written._asdict()}}})
        return AppendResult(product.count, 0)

    def _check_fit(self, files: Mapping[str, Any], product: Product, grid: Grid, levels: int) -> None:
        for kept in files.values():
            if kept["collection"] != product.collection:
                continue
            known = Grid(**kept["grid"])
            if known != grid or kept["levels"] != levels:
                raise StoreProblem(
                    f"{product.path}: expected the grid of {product.collection} ({_words(known, kept['levels'])}), found "
                    f"{_words(grid, levels)}; keep it in another data folder, or delete what is there first."
                )

    def list(self) -> pd.DataFrame:
        """One row for each stored file: collection, source_file, title, count, start, end, variables, reader,
        simulated, size.
        """
        import pandas as pd

        columns = ["collection", "source_file", "title", "count", "start", "end", "variables", "reader", "simulated"]
        rows = [
            {**kept, "source_file": kept["name"], "variables": ", ".join(kept["variables"])}
            for kept in self.folder.manifest()["files"].values()
        ]
        frame = pd.DataFrame(rows, columns=[*columns, "size"])
        frame = frame.sort_values(["collection", "source_file"], ignore_index=True)
        for moment in ("start", "end"):
            frame[moment] = pd.to_datetime(frame[moment]).astype("datetime64[ns]")
        return frame

    def open(self, collection: str) -> Volume:
        """A collection as it is now. Looks at the manifest alone.

        Raises
        ------
        StoreProblem : no such collection.
        """
        files = {
            name: kept for name, kept in self.folder.manifest()["files"].items() if kept["collection"] == collection
        }
        if not files:
            has = ", ".join(self.collections()) or "nothing"
            raise StoreProblem(
                f"store of volumes {self.folder.root}: expected one of its collections ({has}), found {collection}; "
                "import it first."
            )
        return Volume(self.folder, collection, files)

    def _note(self, name: str) -> dict[str, Any] | None:
        return netcdf_note(self.folder, name)


@dataclass(frozen=True)
class Columns:
    """Some columns of one step; row 0 is the southernmost, level 0 the lowest.

    Attributes
    ----------
    values : (lev, lat, lon) float32 ppm, NaN where missing.
    pressure_hpa, height_m : (edge, lat, lon) float32 at the boundaries of the levels.
    humidity : (lev, lat, lon) float32 kg kg-1; None where the data have none.
    """

    values: np.ndarray
    pressure_hpa: np.ndarray
    height_m: np.ndarray
    humidity: np.ndarray | None


class Volume:
    """One collection of mole fractions on levels, as it was when opened; made by `VolumeStore.open`.

    Attributes
    ----------
    name, title : of the collection.
    attrs : simulated, catalog, citation and so on, as the first file gives them.
    times : (n,) datetime64[ns], ascending.
    grid : longitude-latitude cells.
    levels : number of levels.
    components : names of the mole fractions that it has (`COMPONENTS`).
    note : how pressure or height were derived, "" where the files give both.
    key : changes whenever the collection's content does.
    """

    def __init__(self, folder: ManifestFolder, name: str, files: Mapping[str, Mapping[str, Any]]) -> None:
        self._folder = folder
        self._files = _OpenFiles(folder)
        self.name = name
        ordered = sorted(files.items(), key=lambda item: (item[1]["start"] or "", item[1]["name"]))
        first = ordered[0][1]
        self.title = str(first["title"])
        self.attrs: dict[str, Any] = dict(first["attrs"])
        self.grid = Grid(**first["grid"])
        self.levels = int(first["levels"])
        self.note = "; ".join(dict.fromkeys(kept["note"] for _, kept in ordered if kept["note"]))
        self.key = hashlib.sha256("".join(sorted(files)).encode()).hexdigest()[:16]
        self._places: dict[str, dict[int, tuple[str, int]]] = {}
        for file, kept in ordered:
            for variable in kept["variables"]:
                places = self._places.setdefault(variable, {})
                for position, time in enumerate(kept["times"]):
                    places.setdefault(time, (file, position))
        self.components = tuple(component for component in COMPONENTS if component in self._places)
        moments = sorted({time for component in self.components for time in self._places[component]})
        self.times = np.array(moments, dtype="datetime64[ns]")

    @property
    def simulated(self) -> bool:
        """True for anything that is no observation and no inversion of observations."""
        return bool(self.attrs.get("simulated", 0))

    def steps_with(self, component: str) -> np.ndarray:
        """Indices of the steps that have this component and the pressure of its levels."""
        have = self._places.get(component, {})
        geometry = self._places.get("pressure_edge", {})
        moments = self.times.astype(np.int64).tolist()
        return np.array([n for n, time in enumerate(moments) if time in have and time in geometry], dtype=int)

    def columns(self, step: int, component: str, rows: slice = slice(None), columns: slice = slice(None)) -> Columns:
        """Mole fractions of a rectangle of cells with the geometry of its levels.

        Raises
        ------
        StoreProblem : the step lacks the component, or pressure and height; a damaged file.
        """
        time = int(self.times[step].astype(np.int64))
        moment = str(self.times[step])[:16]
        if time not in self._places.get(component, {}):
            raise StoreProblem(
                f"{self.title}: expected {component} at {moment}, found none; choose another time or component."
            )
        if time not in self._places.get("pressure_edge", {}):
            raise StoreProblem(
                f"{self.title}: expected the pressure of the levels at {moment}, found only mole fractions; import the "
                "file with the total (molefrac_glb3x2) of the same day as well."
            )
        part = (slice(None), rows, columns)
        return Columns(
            values=self._read(component, time, part),
            pressure_hpa=self._read("pressure_edge", time, part),
            height_m=self._read("height_edge", time, part),
            humidity=self._read("specific_humidity", time, part)
            if time in self._places.get("specific_humidity", {})
            else None,
        )

    def _read(self, variable: str, time: int, part: tuple[slice, slice, slice]) -> np.ndarray:
        file, position = self._places[variable][time]
        try:
            return np.asarray(self._files.open(file)[variable][(position, *part)], dtype=np.float32)
        except (OSError, KeyError, ValueError) as error:
            raise StoreProblem(
                f"{self._folder.path(file)}: expected readable {variable}, found damage "
                f"({(str(error).splitlines() or [''])[0][:100]}); run `carbonweather data verify` and import it again."
            ) from error


class _OpenFiles:
    """The files read last, kept open: at an object store each opening costs several requests."""

    def __init__(self, folder: ManifestFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: OrderedDict[str, h5py.File] = OrderedDict()

    def open(self, name: str) -> h5py.File:
        import h5py

        with self._lock:
            file = self._open.get(name)
            if file is None:
                path = self._folder.path(name)
                file = h5py.File(path if self._folder.local else self._folder.fs.open(path, "rb"), "r")
                self._open[name] = file
            self._open.move_to_end(name)
            while len(self._open) > _OPEN_FILES:
                self._open.popitem(last=False)  # closed once nobody reads from it any more
            return file


def _grid_of(product: Product) -> Grid:
    dataset = product.dataset
    if not any(name in dataset and "lev" in dataset[name].dims for name in COMPONENTS) or not dataset.sizes.get("time"):
        raise FileProblem(
            product.path, expected="co2 on levels at some time", found="none", remedy="check the file's variables"
        )
    try:
        return Grid.from_centres(dataset["lat"].to_numpy(), dataset["lon"].to_numpy())
    except StoreProblem as problem:
        raise FileProblem(
            product.path,
            expected="levels on a regular longitude-latitude grid",
            found=f"another grid ({str(problem).rstrip('.')})",
            remedy="regrid it first",
        ) from None


def _words(grid: Grid, levels: int) -> str:
    return f"{grid.nlon} x {grid.nlat} cells of {grid.dlon:g} x {grid.dlat:g} degrees on {levels} levels"


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value if isinstance(value, (str, int, float)) else str(value)


def _write(path: Path, product: Product, entry: dict[str, Any]) -> None:
    """One netCDF-4 file after the CF conventions, step by step."""
    import h5netcdf

    dataset = product.dataset
    names = [name for name in _KEPT if name in dataset]
    sizes = {dim: int(dataset.sizes[dim]) for dim in ("time", "lev", "edge", "lat", "lon") if dim in dataset.sizes}
    with h5netcdf.File(path, "w") as file:
        file.dimensions = sizes
        file.attrs["Conventions"] = "CF-1.11"
        for key, value in entry["attrs"].items():
            file.attrs[key] = value
        file.attrs[NOTE] = json.dumps(entry)
        coordinates = {
            "time": (np.array(entry["times"], dtype=np.int64), "nanoseconds since 1970-01-01"),
            "lev": (np.arange(1, sizes["lev"] + 1), "1"),
            "lat": (dataset["lat"].to_numpy(), "degrees_north"),
            "lon": (dataset["lon"].to_numpy(), "degrees_east"),
        }
        for name, (values, units) in coordinates.items():
            file.create_variable(name, (name,), data=values).attrs["units"] = units
        targets = {name: _variable(file, dataset[name], sizes) for name in names}
        for name in names:
            if "time" not in dataset[name].dims:
                targets[name][...] = _rounded(name, dataset[name].to_numpy())
        for step in range(sizes["time"]):
            moment = dataset[[name for name in names if "time" in dataset[name].dims]].isel(time=step).compute()
            for name in map(str, moment.data_vars):
                dims = [dim for dim in ("lev", "edge", "lat", "lon") if dim in moment[name].dims]
                targets[name][step] = _rounded(name, moment[name].transpose(*dims).to_numpy())


def _variable(file: Any, array: xr.DataArray, sizes: Mapping[str, int]) -> Any:
    dims = tuple(dim for dim in ("time", "lev", "edge", "lat", "lon") if dim in array.dims)
    limits = {"time": 1, "lat": _CHUNK[0], "lon": _CHUNK[1]}
    chunks = tuple(min(sizes[dim], limits.get(dim, sizes[dim])) for dim in dims)
    options = {"compression": "gzip", "compression_opts": 3, "shuffle": True, "fletcher32": True}
    made = file.create_variable(
        str(array.name), dims, dtype=np.dtype("f4"), fillvalue=np.float32(np.nan), chunks=chunks, **options
    )
    for key in ("units", "long_name"):
        if key in array.attrs:
            made.attrs[key] = str(array.attrs[key])
    return made


def _rounded(name: str, values: np.ndarray) -> np.ndarray:
    """float32 without the bits that carry nothing."""
    values = np.asarray(values, dtype=np.float32)
    if name in COMPONENTS:
        return np.round(values * np.float32(1024.0)) / np.float32(1024.0)
    dropped = 24 - (10 if name == "specific_humidity" else 15)
    bits = np.ascontiguousarray(values).view(np.uint32)
    kept = (bits + np.uint32(1 << (dropped - 1))) & np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    return np.where(np.isfinite(values), kept.view(np.float32), np.float32(np.nan))


__all__ = ["COMPONENTS", "Columns", "Volume", "VolumeStore"]
