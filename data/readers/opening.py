"""Open data files so that whatever goes wrong becomes one sentence, and pack what was read as a `Product`.

Small files are read whole and closed (a file that disappears later does no harm); large ones stay lazy dask arrays
whose blocks follow the file's own chunks.
"""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from data.canonical import Kind, Product
from data.errors import FileProblem

LAZY_BYTES = 128 * 2**20
"""Files with more decoded data than this stay lazy; one month at 0.05 degrees in float32 (99 MiB) is read whole."""

_LARGE_CHUNK_BYTES = 16 * 2**20
"""Chunks from this size on are read one by one; smaller ones are joined to dask blocks of 128 MiB."""


@contextmanager
def reading(path: Path, expected: str) -> Iterator[None]:
    """Turn any failure to read `path` inside the block into a FileProblem that says what was expected."""
    try:
        yield
    except FileProblem:
        raise
    except (
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OverflowError,
        zlib.error,
    ) as error:
        if not path.exists():
            raise FileProblem(
                path,
                expected=expected,
                found="a file that vanished while it was read",
                remedy="import it again from a place that stays",
            ) from error
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileProblem(
            path,
            expected=expected,
            found=f"content that cannot be read ({first_line[:120]})",
            remedy="download it again",
        ) from error


def open_dataset(
    path: Path,
    *,
    expected: str,
    group: str | None = None,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    dask: bool = True,
) -> xr.Dataset:
    """Open netCDF, HDF5 or zarr with fill values and packing decoded but times left as numbers.

    Parameters
    ----------
    path : file, or zarr folder.
    expected : what a good file holds, for the error.
    group : HDF5 or zarr group, default the root.
    only : keep these variables where present, with their coordinates (a store of hundreds of variables opens faster).
    without : do not even look at these.
    dask : large arrays as dask arrays (which can be computed with); False leaves them as xarray's own lazy arrays,
        which open a store of
        millions of chunks at once, can be cut and reordered, and load when calculated with.

    Raises
    ------
    FileProblem : vanished, truncated, damaged.
    """
    with reading(path, expected), warnings.catch_warnings():
        warnings.simplefilter("ignore", xr.SerializationWarning)  # contradictory fill values: nothing a user could do
        options: dict[str, Any] = {
            "decode_times": False,
            "decode_timedelta": False,
            "group": group,
            "drop_variables": list(without),
        }
        options |= {"engine": "zarr", "consolidated": False} if path.is_dir() else {"engine": "netcdf4"}
        dataset = xr.open_dataset(path, **options)
        unwanted = [name for name, var in dataset.variables.items() if var.dtype.kind in "OSU" and var.ndim > 0]
        if only is not None:
            unwanted += [name for name in dataset.data_vars if name not in only and name not in unwanted]
        dataset = _with_zero_coordinates(dataset.drop_vars(unwanted))
        if dataset.nbytes <= LAZY_BYTES:
            loaded = dataset.load()
            dataset.close()
            return loaded
        if not dask:
            return dataset
        dataset.close()
        chunks: Any = {} if max(map(_stored_chunk_bytes, dataset.data_vars.values())) >= _LARGE_CHUNK_BYTES else "auto"
        options["drop_variables"] += unwanted
        return _with_zero_coordinates(xr.open_dataset(path, chunks=chunks, **options))


def _with_zero_coordinates(dataset: xr.Dataset) -> xr.Dataset:
    """Give back the zeros of coordinates: with zarr's fill value 0 the equator would be missing."""
    zeroed = [name for name, var in dataset.variables.items() if var.ndim == 1 and var.encoding.get("_FillValue") == 0]
    return dataset.assign({name: dataset[name].fillna(0) for name in zeroed})


def _stored_chunk_bytes(array: xr.DataArray) -> int:
    """Bytes of one chunk as the file keeps it; 0 where it keeps the array in one piece (then blocks are ours to
    choose).
    """
    stored = array.encoding.get("preferred_chunks")
    return math.prod(stored.values()) * array.dtype.itemsize if stored else 0


def pack(
    kind: Kind,
    dataset: xr.Dataset,
    *,
    reader: str,
    collection: str,
    path: Path,
    title: str,
    instrument: str,
    catalog: str,
    version: str = "unknown",
    scale: str = "unknown",
    **more: str | int | float,
) -> Product:
    """A Product whose dataset carries the canonical attributes and nothing else but `more` (notes, licence, period)."""
    simulated = int(dataset.attrs.get("simulated", 0) or 0)
    attrs: Mapping[str, str | int | float] = {
        "title": title,
        "instrument": instrument,
        "version": version,
        "scale": scale,
        "catalog": catalog,
        "source_file": path.name,
        "simulated": simulated,
    }
    clean = dataset.copy(deep=False)
    clean.attrs = {**attrs, **{key: value for key, value in more.items() if value != ""}}
    return Product(kind, clean, reader, collection, path)


def sample_values(array: xr.DataArray, *, wanted: int = 200) -> np.ndarray:
    """Some finite values of a possibly huge array, to judge its units: small blocks spread over its extent, read until
    enough are found.

    Returns (n,) float64; fewer than `wanted` only where few blocks hold data (a sparse store may give none).
    """
    found: list[np.ndarray] = []
    for place in np.roll(np.linspace(0.0, 1.0, 13), 6):
        block = {dim: _block(size, float(place)) for dim, size in array.sizes.items()}
        values = np.asarray(array.isel(block).to_numpy(), dtype=np.float64).ravel()
        found.append(values[np.isfinite(values)])
        if sum(part.size for part in found) >= wanted:
            break
    if not any(part.size for part in found) and array.chunks is None:
        everything = np.asarray(array.to_numpy(), dtype=np.float64).ravel()  # in memory: a few occupied cells are found
        found.append(everything[np.isfinite(everything)][:wanted])
    return np.concatenate(found)


def _block(size: int, place: float, length: int = 48) -> slice:
    start = round(place * max(size - length, 0))
    return slice(start, start + length)
