"""Everything that is neither map, sounding nor site series: tables, region masks, zonal sections, and grids with
levels.

Each imported file is kept as a netCDF file of the canonical dataset that its reader returned, with an index beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.canonical import Product
from data.errors import StoreProblem
from data.sources import Source, holds, known_as
from data.storage import AppendResult, ManifestFolder, unique_name

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


_LAYOUT = 1
_NOTE = "carbonweather_source"


class TableStore:
    """Datasets by collection in a folder or at an fsspec URL; nothing is created before the first append."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.folder = ManifestFolder(path, what="table store", layout=_LAYOUT)

    @property
    def version(self) -> int:
        """Grows with every change; 0 for an empty store."""
        return int(self.folder.manifest()["version"])

    def holds(self, name: str, digest: str) -> Source | None:
        """What is known of the file of this name and digest, or None."""
        whole = {file: kept for file, kept in self.folder.manifest()["files"].items() if not kept["part"]}
        return holds(whole, name, digest)

    def append(self, product: Product, *, part: bool = False) -> AppendResult:
        """Store a product; the same file again changes nothing, a changed file of the same name replaces the old one.

        Large lazy datasets are written block by block.

        Parameters
        ----------
        part : the rest of the file is kept elsewhere, so that `holds` must not answer for all of it.

        Raises
        ------
        StoreProblem : cannot be written as netCDF, no room.
        """
        with self.folder.change() as change:
            files = dict(change.manifest["files"])
            source, stored = known_as(files, Source.of(product), product.path.parent.name)
            variables = sorted(str(name) for name in product.dataset.data_vars)
            if (
                stored is not None
                and source.digest
                and files[stored]["digest"] == source.digest
                and files[stored]["variables"] == variables
            ):
                return AppendResult(0, product.count)
            if stored is not None:
                del files[stored]
            entry = {**source.to_json(), "variables": variables, "part": part}
            name = f"{product.collection}/{unique_name('table', '.nc')}"
            dataset = _writable(product, entry)
            contents: list[str] = []
            size = change.write(name, lambda path: contents.append(_write(dataset, path, product)))
            change.commit({"files": {**files, name: {**entry, "size": size, "content": contents[0]}}})
        return AppendResult(product.count, 0)

    def list(self) -> pd.DataFrame:
        """One row for each stored file: collection, source_file, kind, title, count, start, end, variables, reader,
        simulated.
        """
        import pandas as pd

        columns = [
            "collection",
            "source_file",
            "kind",
            "title",
            "count",
            "start",
            "end",
            "variables",
            "reader",
            "simulated",
        ]
        rows = [
            {**kept, "source_file": kept["name"], "variables": ", ".join(kept["variables"])}
            for kept in self.folder.manifest()["files"].values()
        ]
        frame = pd.DataFrame(rows, columns=columns).sort_values(["collection", "source_file"], ignore_index=True)
        for moment in ("start", "end"):
            frame[moment] = pd.to_datetime(frame[moment]).astype("datetime64[ns]")
        return frame

    def open(self, collection: str, source_file: str | None = None) -> xr.Dataset:
        """A collection as one dataset, lazily: rows one after another for tables, else merged by coordinates.

        Parameters
        ----------
        source_file : only what came from this file.

        Raises
        ------
        StoreProblem : no such collection or file, damaged, or its files do not fit together (then name one).
        """
        import xarray as xr

        entries = sorted(
            (kept["name"], name, kept["kind"])
            for name, kept in self.folder.manifest()["files"].items()
            if kept["collection"] == collection and source_file in (None, kept["name"])
        )
        if not entries:
            has = (
                ", ".join(sorted({kept["collection"] for kept in self.folder.manifest()["files"].values()}))
                or "nothing"
            )
            wanted = collection if source_file is None else f"{collection} from {source_file}"
            raise StoreProblem(
                f"table store {self.folder.root}: expected one of its collections ({has}), found "
                f"{wanted}; import it first."
            )
        datasets = [self._open(name) for _, name, _ in entries]
        if len(datasets) == 1:
            return datasets[0]
        try:
            if entries[0][2] == "table":
                return xr.concat(
                    datasets,
                    dim="row",
                    data_vars="all",
                    coords="all",
                    join="outer",
                    compat="override",
                    combine_attrs="drop_conflicts",
                )
            return xr.merge(datasets, join="outer", compat="no_conflicts", combine_attrs="drop_conflicts")
        except ValueError as error:
            sources = ", ".join(source for source, _, _ in entries)
            raise StoreProblem(
                f"table store {self.folder.root}: expected files of {collection} that fit together, "
                "found that they do not "
                f"({str(error).splitlines()[0][:120]}); open one of {sources} by its name."
            ) from error

    def _open(self, name: str) -> xr.Dataset:
        import xarray as xr

        try:
            if self.folder.local:
                dataset = xr.open_dataset(self.folder.path(name), engine="netcdf4", chunks={})
            else:
                dataset = xr.open_dataset(
                    self.folder.fs.open(self.folder.path(name), "rb"), engine="h5netcdf", chunks={}
                )
        except (OSError, ValueError) as error:
            raise StoreProblem(
                f"{self.folder.path(name)}: expected a readable netCDF file, found damage ({error}); import it again."
            ) from error
        dataset.attrs.pop(_NOTE, None)
        return dataset

    def rebuild(self) -> int:
        """Make the manifest again from the files on disk; returns the number of files."""
        with self.folder.change(fresh=True) as change:
            files: dict[str, Any] = {}
            for name in self.folder.names():
                entry = self._note(name)
                if entry is not None:
                    size = int(self.folder.fs.size(self.folder.path(name)))
                    files[name] = {**entry, "size": size, "content": self._content(name)}
            change.commit({"files": files})
        return len(files)

    def _content(self, name: str) -> str:
        """SHA-256 of a stored file."""
        with self.folder.fs.open(self.folder.path(name), "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _note(self, name: str) -> dict[str, Any] | None:
        import h5netcdf

        try:
            with self.folder.fs.open(self.folder.path(name), "rb") as stream, h5netcdf.File(stream, "r") as file:
                return dict(json.loads(file.attrs[_NOTE]))
        except (OSError, KeyError, ValueError):
            return None

    def problems(self) -> Iterator[str]:
        """One sentence for each thing that is wrong: missing, damaged or foreign files. Reads everything."""
        files = self.folder.manifest()["files"]
        for name, kept in files.items():
            path = self.folder.path(name)
            remedy = f"delete it, run `carbonweather data index` and import {kept['name']} again"
            if not self.folder.fs.exists(path):
                yield f"{path}: expected the content of {kept['name']}, found no file; {remedy}."
                continue
            if (size := int(self.folder.fs.size(path))) != kept["size"]:
                yield f"{path}: expected {kept['size']} bytes, found {size}; {remedy}."
                continue
            if self._content(name) != kept["content"]:
                yield f"{path}: expected the bytes that were written, found others; {remedy}."
        for name in self.folder.names():
            if name not in files:
                yield (
                    f"{self.folder.path(name)}: expected only files that the manifest names, found this "
                    "one; run `carbonweather data index` or delete it."
                )


def _writable(product: Product, entry: dict[str, Any]) -> xr.Dataset:
    """The dataset with what netCDF can hold: texts as texts, plain attributes, compression and checksums."""
    dataset = product.dataset.copy(deep=False)
    dataset.attrs = {**{key: _attribute(value) for key, value in dataset.attrs.items()}, _NOTE: json.dumps(entry)}
    for name in list(dataset.variables):
        item = dataset[name]
        attrs = {
            key: _attribute(value)
            for key, value in item.attrs.items()
            if key not in ("_FillValue", "scale_factor", "add_offset")
        }
        if item.dtype.kind in "OSU":
            item = item.astype(str).astype(object)
            item.encoding = {}
        elif item.dtype.kind == "b":
            item = item.astype("int8")
            item.encoding = {}
        else:
            keep = ("chunksizes",) if item.dtype.kind in "fiu" and item.ndim else ()
            item.encoding = {key: value for key, value in item.encoding.items() if key in keep}
            if item.ndim and item.dtype.kind in "fiu":
                item.encoding |= {"zlib": True, "complevel": 1, "shuffle": True}
            if item.dtype.kind == "M":
                item.encoding = {"units": "nanoseconds since 1970-01-01", "dtype": "int64"}
        item.attrs = {
            key: value for key, value in attrs.items() if not (item.dtype.kind == "M" and key in ("units", "calendar"))
        }
        dataset[name] = item
    dataset.encoding = {}
    return dataset


def _attribute(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, (str, int, float)) or hasattr(value, "dtype") else str(value)


def _write(dataset: xr.Dataset, path: Path, product: Product) -> str:
    """Write the netCDF file; returns the SHA-256 of its bytes."""
    try:
        dataset.to_netcdf(path, engine="netcdf4", format="NETCDF4")
    except (ValueError, TypeError) as error:
        raise StoreProblem(
            f"{product.path}: expected values that netCDF can hold, found others "
            f"({str(error).splitlines()[0][:150]}); convert the file."
        ) from error
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
