"""Series of pixels and regions from a cube of 84 months at 0.05 degrees, against xarray and dask on a plain zarr.

The plain zarr has the same packing and map chunks, as `to_zarr` would write it. The region is a box of 36 x 62 degrees in
East Asia (720 x 1240 cells); "blob" is an outline of 400 corners in it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import shapely

from data.cube import Cube
from tests.benchmarks import Figure, median_of
from tests.benchmarks.demo_like import FULL, QUICK, write_apart

WEST, SOUTH, EAST, NORTH = 80.0, 15.0, 142.0, 51.0


def run(quick: bool) -> dict[str, Figure]:
    """Keys: series_ms, region_first_ms, region_exact_ms, each with naive_..., and region_blob_ms, region_asia_ms, region_world_ms."""
    size, runs = (QUICK, 3) if quick else (FULL, 15)
    angle = np.linspace(0, 2 * np.pi, 400)
    radius = 1 + 0.1 * np.sin(9 * angle)
    blob = shapely.Polygon(np.stack([111 + 28 * radius * np.cos(angle), 33 + 16 * radius * np.sin(angle)], axis=1))
    box = shapely.box(WEST, SOUTH, EAST, NORTH)
    asia = shapely.box(25, -10, 180, 80).difference(shapely.Point(100, 0).buffer(5))
    world = shapely.box(-180, -90, 180, 90)
    with tempfile.TemporaryDirectory(prefix="carbonweather-bench-") as temporary:
        folder = Path(temporary)
        write_apart(folder / "cube", size)
        cube = Cube.open(folder / "cube")
        plain = _plain_zarr(cube, folder / "plain.zarr")
        rng = np.random.default_rng(1)

        def pixel() -> tuple[float, float]:
            return float(rng.uniform(WEST, EAST)), float(rng.uniform(SOUTH, NORTH))

        def region(polygon: shapely.Polygon, level: int) -> None:
            """On a cube that remembers nothing."""
            Cube.open(folder / "cube").region_series("xco2", polygon, level=level)

        coarse = min(3, cube.levels - 1)
        return {
            "series_ms": median_of(lambda: cube.series("xco2", *pixel()), 4 * runs, warm_up=1),
            "naive_series_ms": median_of(lambda: _naive_series(plain, *pixel()), runs, warm_up=1),
            "region_first_ms": median_of(lambda: region(box, coarse), runs, warm_up=1),
            "region_exact_ms": median_of(lambda: region(box, 0), runs, warm_up=1),
            "naive_region_exact_ms": median_of(lambda: _naive_region(plain), max(runs // 3, 1), warm_up=1),
            "region_blob_ms": median_of(lambda: region(blob, 0), runs, warm_up=1),
            "region_asia_ms": median_of(lambda: region(asia, 0), max(runs // 5, 1), warm_up=1),
            "region_world_ms": median_of(lambda: region(world, 0), runs, warm_up=1),
        }


def _plain_zarr(cube: Cube, path: Path) -> Path:
    """The chunks that hold the region, of a zarr of the cube's whole size."""
    import zarr

    variable, grid = cube.variables["xco2"], cube.grid
    chunk = min(600, grid.nlat // 2)
    group = zarr.create_group(path)
    array = group.create_array(
        "xco2",
        shape=(len(cube.times), *grid.shape()),
        chunks=(1, chunk, chunk),
        dtype="int16",
        fill_value=int(variable.missing),
        attributes={"scale_factor": variable.scale, "add_offset": variable.offset, "_FillValue": int(variable.missing)},
        dimension_names=("time", "lat", "lon"),
    )
    for name, values in (("lat", grid.lat), ("lon", grid.lon)):
        group.create_array(name, data=values, dimension_names=(name,))
    top, bottom = (int((edge + 90) / grid.dlat) for edge in (SOUTH, NORTH))
    left, right = (int((edge + 180) / grid.dlon) for edge in (WEST, EAST))
    rows = slice(top // chunk * chunk, min(grid.nlat, -(-bottom // chunk) * chunk))
    columns = slice(left // chunk * chunk, min(grid.nlon, -(-right // chunk) * chunk))
    for step, time in enumerate(cube.times):
        values = cube.values("xco2", time, rows, columns).astype(np.float64)
        array[step, rows, columns] = np.rint((values - variable.offset) / variable.scale).astype(np.int16)
    return path


def _naive_series(plain: Path, lon: float, lat: float) -> np.ndarray:
    import xarray as xr

    dataset = xr.open_zarr(plain, consolidated=False)
    return dataset.xco2.sel(lat=lat, lon=lon, method="nearest").to_numpy()


def _naive_region(plain: Path) -> np.ndarray:
    import xarray as xr

    part = xr.open_zarr(plain, consolidated=False).xco2.sel(lat=slice(SOUTH, NORTH), lon=slice(WEST, EAST))
    return part.weighted(np.cos(np.radians(part.lat))).mean(("lat", "lon")).to_numpy()
