"""A cube as large and as rough as the demo's, written by a process of its own so that its time and memory can be measured.

`python -m tests.benchmarks.demo_like FOLDER [quick]` prints one JSON object. The field is cheap to make but not cheap to
store: growth, season and waves, and correlated noise of 0.4 and 0.1 degrees that is another one every month.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numba import njit

from data.cube import Cube, Grid, Variable

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Size:
    """Cell size in degrees and number of months."""

    cell: float
    months: int

    @property
    def grid(self) -> Grid:
        """The global grid."""
        rows = round(180 / self.cell)
        return Grid(-180.0, -90.0, 180 / rows, 180 / rows, 2 * rows, rows)


FULL, QUICK = Size(0.05, 84), Size(0.25, 24)


@njit(nogil=True, cache=True)
def _month(number, base, season, noise, fine, out):
    wave = np.float32(np.sin(2 * np.pi * number / 12))
    columns = out.shape[1]
    for i in range(out.shape[0]):
        for j in range(columns):
            moved = noise[i, (j + 97 * number) % columns] + fine[i, (j + 811 * number) % columns]
            out[i, j] = base[i, j] + np.float32(0.2) * number + wave * season[i, j] + moved


class Fields:
    """Months of the field: `fields[number]` is (nlat, nlon) float32 ppm, in an array that the next one reuses."""

    def __init__(self, size: Size) -> None:
        from scipy.ndimage import gaussian_filter

        grid = size.grid
        rng = np.random.default_rng(0)
        lat, lon = np.radians(grid.lat)[:, None], np.radians(grid.lon)[None]
        waves = [a * np.sin(k * lon + 3 * np.sin(7 * lat)) * np.cos(0.7 * k * lat) for k, a in ((40, 0.3), (97, 0.1))]
        self._base = (402 + 2 * np.sin(lat) + 0.5 * np.sin(3 * lon + 5 * lat) + sum(waves)).astype(np.float32)
        self._season = (3 * np.sin(1.3 * lat) * np.cos(2 * lon)).astype(np.float32)
        noise = []
        for width, deviation in ((0.4, 0.2), (0.1, 0.01)):
            white = rng.standard_normal(grid.shape(), dtype=np.float32)
            smooth = gaussian_filter(white, width / size.cell, mode="wrap")
            noise.append(smooth * np.float32(deviation / smooth.std()))
        self._noise, self._fine = noise
        self._out = np.empty(grid.shape(), dtype=np.float32)

    def __getitem__(self, number: int) -> np.ndarray:
        _month(number, self._base, self._season, self._noise, self._fine, self._out)
        return self._out


def write(folder: Path, size: Size) -> dict[str, float]:
    """Make the cube, both layouts; seconds for everything and of it for making data, and this process's peak of memory."""
    variable = Variable("xco2", "ppm", "column-averaged CO2", "int16", 0.02, 400.0)
    start = perf_counter()
    fields = Fields(size)
    cube = Cube.create(
        folder, name="bench", title="Benchmark", grid=size.grid, variables=[variable], attrs={"simulated": 1}
    )
    making = perf_counter() - start
    for number in range(size.months):
        before = perf_counter()
        field = fields[number]
        making += perf_counter() - before
        cube.write(np.datetime64("2015-01", "M") + number, {"xco2": field})
    mapped = perf_counter() - start
    cube.seal()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"write_s": perf_counter() - start, "making_s": making, "maps_s": mapped, "peak_mb": peak}


def write_apart(folder: Path, size: Size) -> dict[str, float]:
    """As `write`, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.demo_like", str(folder), *(["quick"] if size == QUICK else [])]
    result = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    return json.loads(result.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(write(Path(sys.argv[1]), QUICK if "quick" in sys.argv[2:] else FULL)))
