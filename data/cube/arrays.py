"""A cube as labelled arrays: one map for exports, the whole of it lazily for notebooks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from data.cube.chunks import ChunkStore
from data.cube.grid import Grid, Variable
from data.cube.manifest import Manifest
from data.cube.pyramid import map_layout
from data.cube.time_layout import map_path
from data.errors import StoreProblem

if TYPE_CHECKING:
    import xarray as xr

    from data.cube.product import Cube


def read_map(
    chunks: ChunkStore,
    manifest: Manifest,
    variable: Variable,
    time: int,
    bounds: tuple[float, float, float, float] | None,
    level: int,
) -> xr.DataArray:
    """(lat, lon) values of one map; see `Cube.read`."""
    import xarray as xr

    grid = manifest.grid
    rows, runs = _selection(grid, bounds, level)
    slot = manifest.steps[time].get(variable.name)
    height = map_layout(grid, variable, level, 1).chunk[1]
    starts = [rows.start, *range((rows.start // height + 1) * height, rows.stop, height), rows.stop]

    def band(band_rows: tuple[int, int]) -> np.ndarray:
        parts = [_codes(chunks, grid, variable, slot, level, slice(*band_rows), columns) for columns, _ in runs]
        return variable.decode(np.concatenate(parts, axis=1))

    values = np.concatenate(list(chunks.views.map(band, pairwise(starts))))
    lat_edges, edges = grid.lat_edges(level), grid.lon_edges(level)
    longitudes = [(0.5 * (edges[:-1] + edges[1:]))[columns] + turn for columns, turn in runs]
    return xr.DataArray(
        values,
        dims=("lat", "lon"),
        coords={
            "time": np.datetime64(time, "ns"),
            "lat": ("lat", (0.5 * (lat_edges[:-1] + lat_edges[1:]))[rows], _LATITUDE),
            "lon": ("lon", np.concatenate(longitudes), _LONGITUDE),
        },
        name=variable.name,
        attrs={"units": variable.units, "long_name": variable.long_name},
    )


def map_part(
    chunks: ChunkStore, manifest: Manifest, variable: Variable, time: int, rows: slice, columns: slice
) -> np.ndarray:
    """(rows, columns) values of a map at level 0."""
    return variable.decode(
        _codes(chunks, manifest.grid, variable, manifest.steps[time].get(variable.name), 0, rows, columns)
    )


def lazy_dataset(cube: Cube, variables: list[Variable]) -> xr.Dataset:
    """The cube as dask arrays (time, lat, lon), one chunk for each chunk of a map."""
    import dask.array as da
    import xarray as xr

    times = cube.times
    rows, columns = cube.grid.shape()
    arrays = {}
    for variable in variables:
        _, height, width = map_layout(cube.grid, variable, 0, 1).chunk
        down, across = _cuts(rows, height), _cuts(columns, width)

        def part(block_info=None, name=variable.name):
            (step, _), (top, bottom), (left, right) = block_info[None]["array-location"]
            return cube.values(name, times[step], slice(top, bottom), slice(left, right))[None]

        if times.size:
            array = da.map_blocks(
                part, dtype=np.float32, chunks=((1,) * len(times), down, across), meta=np.empty((0, 0, 0), np.float32)
            )
        else:
            array = da.empty((0, rows, columns), dtype=np.float32)
        arrays[variable.name] = (
            ("time", "lat", "lon"),
            array,
            {"units": variable.units, "long_name": variable.long_name},
        )
    coords = {"time": cube.times, "lat": ("lat", cube.grid.lat, _LATITUDE), "lon": ("lon", cube.grid.lon, _LONGITUDE)}
    return xr.Dataset(arrays, coords=coords, attrs={"title": cube.title, **cube.attrs})


_LATITUDE = {"standard_name": "latitude", "units": "degrees_north"}
_LONGITUDE = {"standard_name": "longitude", "units": "degrees_east"}


def _cuts(size: int, chunk: int) -> tuple[int, ...]:
    return tuple(min(chunk, size - first) for first in range(0, size, chunk))


def _codes(
    chunks: ChunkStore, grid: Grid, variable: Variable, slot: int | None, level: int, rows: slice, columns: slice
) -> np.ndarray:
    if slot is None:
        return np.full((rows.stop - rows.start, columns.stop - columns.start), variable.missing, dtype=variable.dtype)
    return chunks.tile(map_path(variable.name, level, slot), map_layout(grid, variable, level, 1), rows, columns)


def _selection(
    grid: Grid, bounds: tuple[float, float, float, float] | None, level: int
) -> tuple[slice, list[tuple[slice, float]]]:
    """Rows, and runs of columns with the degrees to add to their longitudes, whose centres lie in bounds."""
    count = grid.shape(level)
    if bounds is None:
        return slice(0, count[0]), [(slice(0, count[1]), 0.0)]
    west, south, east, north = bounds
    if not np.isfinite(bounds).all() or south > north:
        raise StoreProblem(
            f"expected bounds as west, south, east, north in degrees with south <= north, found {bounds}; correct them."
        )
    if west > east:
        east += 360.0
    lat_edges, lon_edges = grid.lat_edges(level), grid.lon_edges(level)
    lat, lon = 0.5 * (lat_edges[:-1] + lat_edges[1:]), 0.5 * (lon_edges[:-1] + lon_edges[1:])
    rows = np.flatnonzero((lat >= south) & (lat <= north))
    runs: list[tuple[slice, float]] = []
    for turn in range(int(np.floor((west - lon[-1]) / 360)), int(np.ceil((east - lon[0]) / 360)) + 1):
        inside = np.flatnonzero((lon + 360 * turn >= west) & (lon + 360 * turn <= east))
        if inside.size:
            runs.append((slice(int(inside[0]), int(inside[-1]) + 1), 360.0 * turn))
    if not rows.size or not runs:
        raise StoreProblem(
            f"expected bounds that hold at least one cell, found none within {bounds}; choose a larger area."
        )
    return slice(int(rows[0]), int(rows[-1]) + 1), runs
