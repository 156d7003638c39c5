"""Whose data a cube is: its own words first, then the catalogue's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dashboard.about import describe
from dashboard.attribution import attribution
from data.catalog import entry
from data.cube import Cube, Grid, Variable


def cube(path: Path, **attrs: Any) -> Cube:
    grid = Grid(west=-180.0, south=-90.0, dlon=10.0, dlat=10.0, nlon=36, nlat=18)
    return Cube.create(
        path / "cube",
        name="cube",
        title="A cube",
        grid=grid,
        variables=[Variable("xco2", "ppm", "XCO2", "int16", 0.01, 400.0)],
        attrs=attrs,
    )


def test_the_catalogue_speaks_for_an_imported_cube(tmp_path: Path) -> None:
    known = entry("gosat-l3")
    found = attribution(cube(tmp_path, catalog="gosat-l3"))
    assert found.citation == known.citation
    assert found.licence == (known.licence or "")
    assert known.provider in found.source


def test_what_the_cube_says_itself_goes_first(tmp_path: Path) -> None:
    found = attribution(cube(tmp_path, catalog="gosat-l3", citation="Me, 2026", licence="mine"))
    assert (found.citation, found.licence) == ("Me, 2026", "mine")


@pytest.mark.parametrize("catalog", ["", "none", "no such data set"])
def test_an_unknown_data_set_is_cited_as_nothing(tmp_path: Path, catalog: str) -> None:
    assert attribution(cube(tmp_path, catalog=catalog)).citation == ""


def test_a_simulated_cube_says_so_and_cites_the_demo(tmp_path: Path) -> None:
    made = cube(tmp_path, simulated=1)
    import numpy as np

    made.write(np.datetime64("2020-01-16"), {"xco2": np.full((18, 36), 410.0, dtype=np.float32)})
    text = describe(made)
    assert "Simulated data" in text
    assert entry("demo").citation in text
