"""Georeferenced rasters (GeoTIFF, gzipped too; ESRI ASCII grids) through rasterio, in windows: a 1 km global map is
never loaded whole.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from data.canonical import canonical_grid
from data.errors import FileProblem
from data.readers.grid_axes import is_global_shape, regular_degrees
from data.readers.opening import LAZY_BYTES, reading
from data.readers.periods import Period

_ROWS_PER_BLOCK = 512


def open_raster(path: Path, name: str, period: Period, *, expected: str) -> xr.Dataset:
    """The first band of a raster in longitude and latitude, as canonical grid of one variable (time 1, lat, lon), NaN
    where it has no data.

    Lazy (dask, blocks of rows) where large. Undeclared negative fill values below -1e30 or equal to -9999 count as
    missing too.

    Raises
    ------
    FileProblem : unreadable, rotated, or not in geographic coordinates.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    source = f"/vsigzip/{path}" if path.suffix == ".gz" else str(path)
    with reading(path, expected), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # answered below
        with rasterio.open(source) as raster:
            rows, columns, nodata = raster.height, raster.width, raster.nodata
            lat, lon, note = _coordinates(raster, path, expected)
            large = rows * columns * 4 > LAZY_BYTES
            data = _lazy(source, path, (rows, columns), nodata, expected) if large else _masked(raster.read(1), nodata)
    coords = {"time": [period.middle], "lat": lat, "lon": lon}
    array = xr.DataArray(data[np.newaxis], dims=("time", "lat", "lon"), coords=coords, name=name)
    return canonical_grid(array.to_dataset().assign_attrs({"note": note} if note else {}))


def _coordinates(raster: Any, path: Path, expected: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Latitudes and longitudes of cell centres, and a note on what had to be assumed."""
    transform, rows, columns = raster.transform, raster.height, raster.width
    if (raster.crs is not None and not raster.crs.is_geographic) or transform.b or transform.d:
        remedy = "warp it to longitude and latitude (EPSG:4326)"
        raise FileProblem(path, expected=expected, found="a map projection", remedy=remedy)
    note = ""
    if transform.is_identity and is_global_shape(rows, columns):
        step = 180.0 / rows
        lon, lat = -180.0 + step * (np.arange(columns) + 0.5), 90.0 - step * (np.arange(rows) + 0.5)
        note = f"no georeference: taken as a whole-globe grid of {step:g} degrees, first row in the north"
    else:
        lon = transform.c + transform.a * (np.arange(columns) + 0.5)
        lat = transform.f + transform.e * (np.arange(rows) + 0.5)
    if (transform.is_identity and not note) or np.abs(lat).max() > 90.001 or np.abs(lon).max() > 540:
        remedy = "add its georeference (EPSG:4326)"
        raise FileProblem(path, expected=expected, found="coordinates that are not degrees", remedy=remedy)
    return regular_degrees(lat), regular_degrees(lon), note


def _masked(values: np.ndarray, nodata: float | None) -> np.ndarray:
    out = values.astype(np.float32)
    missing = (out == -9999) | (out < -1e30)
    if nodata is not None and np.isfinite(nodata):
        missing |= values == np.array(nodata).astype(values.dtype)
    out[missing] = np.nan
    return out


def _lazy(source: str, path: Path, shape: tuple[int, int], nodata: float | None, expected: str) -> Any:
    """Blocks of whole rows; each opens the file for itself, so that any thread or process can compute it."""
    import dask.array as da

    def block(block_info: dict[Any, Any] | None = None) -> np.ndarray:
        import rasterio
        from rasterio.windows import Window

        location = (block_info or {})[None]["array-location"]
        (top, bottom), (left, right) = location
        with reading(path, expected), rasterio.open(source) as raster:
            return _masked(raster.read(1, window=Window(left, top, right - left, bottom - top)), nodata)

    rows, columns = shape
    heights = tuple(min(_ROWS_PER_BLOCK, rows - top) for top in range(0, rows, _ROWS_PER_BLOCK))
    return da.map_blocks(block, chunks=(heights, (columns,)), dtype=np.float32, meta=np.empty((0, 0), dtype=np.float32))
