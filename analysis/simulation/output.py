"""Results of a run as files: netCDF by day or month, or one zarr store, each period as soon as it is over.

A file is there whole or not at all. Periods of a netCDF file that is not complete are kept beside it one by one, so that
memory holds a single period and a killed run goes on where it was: writing a period again gives the same bytes.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from analysis.grids import Levels
from analysis.simulation.checkpoint import read_arrays, write_arrays
from analysis.simulation.fields import Every, Period
from analysis.simulation.layout import Quantity, Target, file_attributes
from data.runs.files import PART, sync_folder

Format = Literal["netcdf", "zarr"]
Values = Callable[[Period, Levels, Target, Sequence[str]], dict[str, np.ndarray]]

EPOCH = np.datetime64("2000-01-01", "s")
"""Times are days since then, as in CarbonTracker's files."""


@dataclass(frozen=True, eq=False)
class Series:
    """Everything of one kind on one grid.

    Attributes
    ----------
    folder : where the files go.
    stem : what their names begin with.
    edges : (n + 1,) of the periods.
    every : decides how many periods go into a file: those of a day (3-hourly) or of a month.
    target, levels, tracers : grid, levels and names of tracers in order.
    quantities, values : what there is, and how it is made from a period.
    attrs : of the files.
    format : of the files.
    """

    folder: Path
    stem: str
    edges: np.ndarray
    every: Every
    target: Target
    levels: Levels
    tracers: Sequence[str]
    quantities: Mapping[str, Quantity]
    values: Values
    attrs: Mapping[str, object]
    format: Format = "netcdf"

    @property
    def spool(self) -> Path:
        """Where the periods of a file that is not complete lie."""
        return self.folder / f".{self.stem}.periods"

    def put(self, period: Period) -> None:
        """Write a period, and the file that it completes."""
        values = self.values(period, self.levels, self.target, self.tracers)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.format == "zarr":
            self._into_store(period, values)
            return
        self.spool.mkdir(exist_ok=True)
        write_arrays(self.spool / f"{period.number}.npz", values)
        first, last = self._file_of(period.number)
        if period.number == last:
            self._write_file(range(first, last + 1))

    def tidy(self, finished: int) -> None:
        """Forget the kept periods of complete files, once a checkpoint says that so many periods are over."""
        for path in self.spool.glob("*.npz") if self.spool.is_dir() else ():
            number = int(path.stem)
            if number < finished and self._file_of(number)[1] < finished:
                path.unlink()
        if self.spool.is_dir() and not any(self.spool.iterdir()):
            self.spool.rmdir()

    def files(self) -> list[Path]:
        """What is complete, in order of time."""
        if self.format == "zarr":
            return [self._store] if self._store.exists() else []
        return sorted(self.folder.glob(f"{self.stem}_*.nc"))

    def read(self) -> Iterator[tuple[np.datetime64, dict[str, np.ndarray]]]:
        """What was written, one period after the other: the middle of its time, and values (lat, lon) or (lev, lat, lon)
        by name.
        """
        import xarray as xr

        number = 0
        for path in self.files():
            options: dict[str, Any] = {"engine": "zarr", "consolidated": False} if self.format == "zarr" else {}
            with xr.open_dataset(path, **({"engine": "h5netcdf"} | options), decode_times=False) as dataset:
                for position in range(dataset.sizes["time"]):
                    values = {name: dataset[name][position].to_numpy() for name in self.quantities}
                    middle = self.edges[number] + (self.edges[number + 1] - self.edges[number]) // 2
                    yield middle, values
                    number += 1

    def _label(self, number: int) -> str:
        unit = "D" if self.every == "3-hourly" else "M"
        return str(self.edges[number].astype(f"datetime64[{unit}]"))

    def _file_of(self, number: int) -> tuple[int, int]:
        """First and last period of the file that holds one."""
        unit = "D" if self.every == "3-hourly" else "M"
        labels = self.edges[:-1].astype(f"datetime64[{unit}]")
        inside = np.flatnonzero(labels == labels[number])
        return int(inside[0]), int(inside[-1])

    def _times(self, numbers: range) -> np.ndarray:
        """Days since 2000 of the periods' middles."""
        edges = (self.edges[numbers.start : numbers.stop + 1] - EPOCH) / np.timedelta64(1, "s") / 86_400.0
        return (edges[1:] + edges[:-1]) / 2

    def _coordinates(self, numbers: range) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        dims = {dim for quantity in self.quantities.values() for dim in quantity.dims}
        time = {
            "units": f"days since {str(EPOCH)[:10]}",
            "calendar": "standard",
            "long_name": "middle of the mean's time",
        }
        found: dict[str, tuple[np.ndarray, dict[str, str]]] = {
            "time": (self._times(numbers), time),
            "latitude": (self.target.latitude, {"units": "degrees_north", "standard_name": "latitude"}),
            "longitude": (self.target.longitude, {"units": "degrees_east", "standard_name": "longitude"}),
        }
        if "level" in dims:
            found["level"] = (
                np.arange(1, self.levels.count + 1),
                {"positive": "up", "long_name": "layer, 1 at the ground"},
            )
            found["boundary"] = (
                np.arange(1, self.levels.count + 2),
                {"long_name": "boundary of layers, 1 at the ground"},
            )
        return found

    def _write_file(self, numbers: range) -> None:
        """One netCDF file of the kept periods, one period in memory at a time."""
        import h5netcdf

        ending = "_daily" if self.every == "daily" else ""
        path = self.folder / f"{self.stem}_{self._label(numbers[0])}{ending}.nc"
        hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PART}")
        coordinates = self._coordinates(numbers)
        with h5netcdf.File(hidden, "w") as file:
            file.dimensions = {name: len(values) for name, (values, _) in coordinates.items()}
            file.attrs.update(file_attributes(self.attrs, self.target))
            for name, (values, attrs) in coordinates.items():
                file.create_variable(name, (name,), data=values).attrs.update(attrs)
            made = {name: self._variable(file, name, quantity) for name, quantity in self.quantities.items()}
            for position, number in enumerate(numbers):
                for name, values in read_arrays(self.spool / f"{number}.npz").items():
                    made[name][position] = values
        with open(hidden, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(hidden, path)
        sync_folder(self.folder)

    def _variable(self, file: Any, name: str, quantity: Quantity) -> Any:
        dims = ("time", *quantity.dims)
        chunks = tuple(1 if dim == "time" else file.dimensions[dim].size for dim in dims)
        options = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
        made = file.create_variable(name, dims, dtype=np.dtype("f4"), chunks=chunks, **options)
        made.attrs.update(_attributes(quantity))
        return made

    @property
    def _store(self) -> Path:
        return self.folder / f"{self.stem}.zarr"

    def _into_store(self, period: Period, values: Mapping[str, np.ndarray]) -> None:
        import zarr

        if not self._store.exists():
            self._make_store()
        group: Any = zarr.open_group(self._store, mode="r+")
        for name, found in values.items():
            group[name][period.number] = found

    def _make_store(self) -> None:
        """All times at once, without values: each period then fills its own chunks."""
        import zarr

        hidden = self._store.with_name(f".{self._store.name}{PART}")
        shutil.rmtree(hidden, ignore_errors=True)
        count = len(self.edges) - 1
        coordinates = self._coordinates(range(count))
        sizes = {name: len(values) for name, (values, _) in coordinates.items()}
        group: Any = zarr.open_group(hidden, mode="w", zarr_format=3)
        attrs = file_attributes(self.attrs, self.target)
        group.attrs.update({key: np.asarray(value).tolist() for key, value in attrs.items()})
        for name, (found, facts) in coordinates.items():
            made = group.create_array(
                name, shape=found.shape, dtype=found.dtype, dimension_names=(name,), attributes=facts
            )
            made[:] = found
        for name, quantity in self.quantities.items():
            dims = ("time", *quantity.dims)
            shape = tuple(sizes[dim] for dim in dims)
            group.create_array(
                name,
                shape=shape,
                chunks=(1, *shape[1:]),
                dtype="f4",
                fill_value=np.nan,
                dimension_names=dims,
                attributes=_attributes(quantity),
            )
        os.replace(hidden, self._store)


def _attributes(quantity: Quantity) -> dict[str, str]:
    return {"units": quantity.units, "long_name": quantity.long_name, "cell_methods": "time: mean"}


def linked(source: Path, target: Path) -> None:
    """Give a file or folder a second name, without a second copy where the disk can do that."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for each in sorted(source.iterdir()):
            linked(each, target / each.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
