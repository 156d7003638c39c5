"""The part of a sparse zarr store that holds anything: snapshot areas on a global grid fill a few of its thousands of
chunks.

Chunks that were never written are known from the store's listing, so 20 GB of nothing need not be read to find 8 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from data.canonical import Product, wrap_longitude

if TYPE_CHECKING:
    import zarr

_SPARSE = 0.5
"""Part of the grid up to which it is worth reading chunk by chunk."""


def written_parts(product: Product) -> list[tuple[slice, slice]] | None:
    """Rows and columns of the canonical grid for each place where a zarr store has a chunk, at any time, of any
    variable.

    Returns None for what is not a zarr store, and where chunks cover most of the grid.
    """
    if not product.path.is_dir():
        return None
    found = set().union(*_parts_of_arrays(product))
    covered = sum((bottom - top) * (right - left) for top, bottom, left, right in found)
    if not found or covered > _SPARSE * product.dataset.sizes["lat"] * product.dataset.sizes["lon"]:
        return None
    return [(slice(top, bottom), slice(left, right)) for top, bottom, left, right in sorted(found)]


def box_around(parts: list[tuple[slice, slice]]) -> tuple[slice, slice]:
    """The smallest rows and columns that hold all parts."""
    rows = slice(min(part[0].start for part in parts), max(part[0].stop for part in parts))
    return rows, slice(min(part[1].start for part in parts), max(part[1].stop for part in parts))


def _parts_of_arrays(product: Product) -> Iterator[set[tuple[int, int, int, int]]]:
    """For each stored array on latitude and longitude, first and last row and column of the chunks that were
    written.
    """
    import zarr

    group = zarr.open_group(product.path, mode="r")
    arrays = dict(group.arrays())
    for name, array in arrays.items():
        axes = _axes(array)
        if array.ndim < 2 or not all(
            canonical in axes and axes[canonical][1] in arrays for canonical in ("lat", "lon")
        ):
            continue
        folder = product.path / name
        files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        size = array.shards or array.chunks
        counts = [-(-extent // step) for extent, step in zip(array.shape, size, strict=True)]
        (row_axis, _), (column_axis, _) = axes["lat"], axes["lon"]
        written = {
            (index[row_axis], index[column_axis])
            for index in np.ndindex(*counts)
            if array.metadata.encode_chunk_key(index) in files
        }
        extents = {}
        for canonical, (axis, stored_name) in axes.items():
            stored = np.asarray(arrays[stored_name][:], dtype=np.float64)
            extents[canonical] = _extents(stored, size[axis], product.dataset[canonical].to_numpy(), canonical)
        yield {(*extents["lat"][row], *extents["lon"][column]) for row, column in written}


def _extents(stored: np.ndarray, size: int, known: np.ndarray, canonical: str) -> list[tuple[int, int]]:
    """Where each chunk of `size` stored coordinates lies on the canonical axis, which may be turned round."""
    stored = wrap_longitude(stored) if canonical == "lon" else stored
    extents = []
    for start in range(0, stored.size, size):
        degrees = stored[start : start + size]
        near = np.flatnonzero((known >= degrees.min() - 1e-4) & (known <= degrees.max() + 1e-4))
        extents.append((int(near[0]), int(near[-1]) + 1))
    return extents


def _axes(array: zarr.Array) -> dict[str, tuple[int, str]]:
    """Canonical name -> axis and stored name of an array's latitude and longitude."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    found: dict[str, tuple[int, str]] = {}
    for axis, dim in enumerate(map(str, names)):  # type: ignore[arg-type]
        for canonical in ("lat", "lon"):
            if dim.lower().startswith(canonical):
                found[canonical] = axis, dim
    return found
