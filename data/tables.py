"""Everything that is neither map, sounding nor site series: tables, region masks, zonal sections, and grids with
levels.

Each imported file is kept as a netCDF file of the canonical dataset that its reader returned, with an index beside it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.canonical import Product
from data.errors import StoreProblem
from data.source_store import NOTE, SourceStore, netcdf_note
from data.sources import Source, known_as
from data.storage import AppendResult, unique_name

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


_LAYOUT = 1


class TableStore(SourceStore):
    """Datasets by collection in a folder or at an fsspec URL; nothing is created before the first append."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path, what="table store", layout=_LAYOUT)

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
            written = change.write(name, lambda path: _write(dataset, path, product))
            change.commit({"files": {**files, name: {**entry, **written._asdict()}}})
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
        dataset.attrs.pop(NOTE, None)
        return dataset

    def _note(self, name: str) -> dict[str, Any] | None:
        return netcdf_note(self.folder, name)


def _writable(product: Product, entry: dict[str, Any]) -> xr.Dataset:
    """The dataset with what netCDF can hold: texts as texts, plain attributes, compression and checksums."""
    dataset = product.dataset.copy(deep=False)
    dataset.attrs = {**{key: _attribute(value) for key, value in dataset.attrs.items()}, NOTE: json.dumps(entry)}
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


def _write(dataset: xr.Dataset, path: Path, product: Product) -> None:
    """Write the netCDF file."""
    try:
        dataset.to_netcdf(path, engine="netcdf4", format="NETCDF4")
    except (ValueError, TypeError) as error:
        raise StoreProblem(
            f"{product.path}: expected values that netCDF can hold, found others "
            f"({str(error).splitlines()[0][:150]}); convert the file."
        ) from error
