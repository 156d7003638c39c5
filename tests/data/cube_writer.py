"""A process that writes to a cube until it is killed: `python -m tests.data.cube_writer FOLDER FIRST COUNT [seal]`.

The map of step n is the constant 300 + n between two rows without data, so that readers know what each cell must hold.
"""

from __future__ import annotations

import sys

import numpy as np

from data.cube import Cube, Grid
from tests.data.cube_examples import months

GRID = Grid(-180.0, -90.0, 0.45, 0.45, 800, 400)


def constant(step: int) -> np.ndarray:
    """(400, 800) float32."""
    field = np.full(GRID.shape(), 300 + step, dtype=np.float32)
    field[[0, -1]] = np.nan
    return field


def main(folder: str, first: int, count: int, seal: bool) -> None:
    cube = Cube.open(folder)
    times = months(first + count)
    for step in range(first, first + count):
        cube.write(times[step], {"xco2": constant(step)})
        if seal:
            cube.seal()
        if step == first:
            print("ready", flush=True)  # compiled and imported: what comes now takes its true time
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), "seal" in sys.argv[4:])
