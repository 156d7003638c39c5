"""Cubes for tests, small enough to be made in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.cube import Cube, Grid, Variable

XCO2 = Variable("xco2", "ppm", "column-averaged CO2", "int16", 0.01, 400.0)
FLUX = Variable("flux", "mol m-2 s-1", "surface flux", "float32")
SMALL = Grid(-180.0, -90.0, 5.0, 5.0, 72, 36)


def months(count: int, first: str = "2015-01") -> np.ndarray:
    """(count,) first days of months."""
    return (np.datetime64(first, "M") + np.arange(count)).astype("datetime64[ns]")


def maps(grid: Grid, count: int, *, seed: int = 0, gaps: float = 0.1) -> np.ndarray:
    """(count, nlat, nlon) float64 random values on the 0.01 raster around 400, some of them NaN."""
    rng = np.random.default_rng(seed)
    values = 400 + np.round(rng.normal(0, 5, (count, *grid.shape())), 2)
    values[rng.random(values.shape) < gaps] = np.nan
    return values


def make_cube(
    path: Path,
    values: np.ndarray,
    *,
    grid: Grid = SMALL,
    variable: Variable = XCO2,
    seal: Sequence[int] = (),
    **attrs: str,
) -> Cube:
    """A cube of monthly maps, sealed after each of the given numbers of steps."""
    cube = Cube.create(
        path, name="example", title="An example", grid=grid, variables=[variable], attrs={"simulated": 1, **attrs}
    )
    for step, (time, field) in enumerate(zip(months(len(values)), values, strict=True), start=1):
        cube.write(time, {variable.name: field})
        if step in seal:
            cube.seal()
    return cube
