"""Every path of a cube run once, so that the first user of a server does not wait for compilers and imports."""

from __future__ import annotations

import tempfile

import numpy as np

from data.cube.grid import Grid, Variable
from data.cube.product import Cube
from data.cube.view import View


def warm_up() -> None:
    """Write and read a tiny cube in a temporary folder. About 15 s after an installation, 1 s later; call it in a
    thread."""
    import shapely

    box = shapely.box(-20, -20, 30, 30)
    grid = Grid(-180, -90, 0.8, 0.4, 450, 450)
    values = np.zeros((450, 450), dtype=np.float32)
    values[0, 0] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        for variable in (Variable("packed", "1", "", "int16", 0.01), Variable("plain", "1", "", "float32")):
            cube = Cube.create(f"{folder}/{variable.name}", name="warm-up", title="", grid=grid, variables=[variable])
            cube.write("2000-01-01", {variable.name: values})
            for level in (1, 0):
                cube.region_series(variable.name, box, level=level)
            cube.seal()
            for view in (View(-180, 180, -90, 90, 64, 32), View(0, 10, 0, 10, 64, 64)):
                cube.window(variable.name, 0, view)
            cube.series(variable.name, 0, 0)
            cube.region_series(variable.name, box)
            cube.limits(variable.name)
            cube.zonal(variable.name)
