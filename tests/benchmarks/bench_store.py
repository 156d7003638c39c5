"""The cube store: writing 84 months at 0.05 degrees, and reading pixels and maps, against one netCDF file a month.

The netCDF files are uncompressed, the best case for reading one pixel of each.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from data.cube import Cube, View
from tests.benchmarks import Figure, median_of
from tests.benchmarks.demo_like import FULL, QUICK, write_apart


def run(quick: bool) -> dict[str, Figure]:
    """Keys: write_s, peak_mb, disk_gb, series_ms, netcdf_series_ms, window_ms, window_warm_ms, map_read_ms, netcdf_map_read_ms."""
    size, runs = (QUICK, 5) if quick else (FULL, 25)
    with tempfile.TemporaryDirectory(prefix="carbonweather-bench-") as temporary:
        folder = Path(temporary)
        written = write_apart(folder / "cube", size)
        disk = sum(path.stat().st_size for path in (folder / "cube").rglob("*") if path.is_file())
        cube = Cube.open(folder / "cube")
        files = _netcdf_copies(cube, folder)
        rng = np.random.default_rng(1)
        steps = len(cube.times)

        def pixel() -> tuple[float, float]:
            return float(rng.uniform(-180, 180)), float(rng.uniform(-90, 90))

        walk = [
            View(x - span, x + span, y - span / 2, y + span / 2, 1400, 700)
            for span in (180, 60, 45, 15, 2)
            for x, y in [(rng.uniform(-120, 120), rng.uniform(-40, 40)) for _ in range(5)]
        ]
        fresh = iter(np.tile(np.arange(len(walk)), 3).tolist())

        def cold_window() -> None:
            number = next(fresh)
            cube.window("xco2", int(rng.integers(steps)), walk[number])

        return {
            "write_s": Figure(written["write_s"], "s"),
            "peak_mb": Figure(written["peak_mb"], "MB"),
            "disk_gb": Figure(disk / 1e9, "GB"),
            "series_ms": median_of(lambda: cube.series("xco2", *pixel()), 4 * runs, warm_up=1),
            "netcdf_series_ms": median_of(lambda: _netcdf_series(files, *pixel()), runs, warm_up=1),
            "window_ms": median_of(cold_window, len(walk), warm_up=2),
            "window_warm_ms": median_of(lambda: cube.window("xco2", 0, walk[0]), runs, warm_up=1),
            "map_read_ms": median_of(lambda: cube.read("xco2", int(rng.integers(steps))), runs, warm_up=1),
            "netcdf_map_read_ms": median_of(lambda: _netcdf_map(files[int(rng.integers(steps))]), runs, warm_up=1),
        }


def _netcdf_copies(cube: Cube, folder: Path) -> list[Path]:
    import netCDF4

    variable = cube.variables["xco2"]
    files = []
    for step, time in enumerate(cube.times.astype("datetime64[M]")):
        path = folder / f"xco2_{time}.nc"
        with netCDF4.Dataset(path, "w") as file:
            for name, values in (("lat", cube.grid.lat), ("lon", cube.grid.lon)):
                file.createDimension(name, len(values))
                file.createVariable(name, "f8", (name,))[:] = values
            kept = file.createVariable("xco2", "i2", ("lat", "lon"), fill_value=np.int16(variable.missing))
            kept.scale_factor, kept.add_offset = variable.scale, variable.offset
            kept[:] = cube.read("xco2", step).to_numpy()
        files.append(path)
    return files


def _netcdf_series(files: list[Path], lon: float, lat: float) -> np.ndarray:
    import netCDF4

    found = []
    for path in files:
        with netCDF4.Dataset(path) as file:
            cell = 180 / file.dimensions["lat"].size
            found.append(file["xco2"][int((lat + 90) / cell), int((lon + 180) / cell)])
    return np.array(found)


def _netcdf_map(path: Path) -> np.ndarray:
    import netCDF4

    with netCDF4.Dataset(path) as file:
        return file["xco2"][:]
