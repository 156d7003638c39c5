"""Colours that suit the quantity: diverging for fluxes, logarithmic for emissions, even for everything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dashboard.downloads import OnScreen
from dashboard.library import Library
from dashboard.natural import natural
from dashboard.picture import rgba
from dashboard.shown import log_limits
from dashboard.state import is_yearly
from data.cube import Cube, Grid, Variable
from data.home import cubes_dir
from data.importing import import_paths

GRID = Grid(-180.0, -90.0, 5.0, 5.0, 72, 36)


def cube_of(home: Path, values: np.ndarray, *, units: str = "1", name: str = "quantity", long_name: str = "") -> Cube:
    cube = Cube.create(
        cubes_dir(home) / "c",
        name="c",
        title="C",
        grid=GRID,
        variables=[Variable(name, units, long_name or name, "float32")],
    )
    cube.write(np.datetime64("2020-01-01", "ns"), {name: values.astype(np.float32)})
    cube.seal()
    return cube


def test_values_on_both_sides_of_zero_diverge(home: Path) -> None:
    found = natural(cube_of(home, np.random.default_rng(1).normal(0, 1, (36, 72))), "quantity")
    assert found.diverging and not found.log
    page = OnScreen(Library(home), "")
    low, high = page.colour_limits()
    assert page.palette_name == "RdBu_r" and low == -high
    assert OnScreen(Library(home), "colours=viridis").palette_name == "viridis"


def test_noise_about_zero_and_sif_do_not(home: Path) -> None:
    values = np.abs(np.random.default_rng(1).normal(1, 0.5, (36, 72))) - 0.05
    assert not natural(cube_of(home, values), "quantity").diverging


def test_sif_is_even(home: Path) -> None:
    values = np.random.default_rng(1).normal(0.2, 0.4, (36, 72))
    found = natural(cube_of(home, values, name="sif_740nm", units="W m-2 sr-1 um-1"), "sif_740nm")
    assert found.palette == "viridis" and not found.log


def test_emissions_over_powers_of_ten_are_logarithmic(home: Path) -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random((36, 72)) < 0.3, 10 ** rng.normal(-2, 1.2, (36, 72)), 0.0)
    found = natural(cube_of(home, values, units="gC m-2 day-1"), "quantity")
    assert found.log and found.palette == "inferno" and 0 < found.low < found.high
    page = OnScreen(Library(home), "")
    low, high = page.colour_limits()
    assert page.log and low == pytest.approx(high * 1e-5, rel=0.5) and high > np.quantile(values, 0.99)
    assert not OnScreen(Library(home), "scale=linear").log
    assert not OnScreen(Library(home), "limits=-1,1").log
    assert not OnScreen(Library(home), "compare=difference").log


def test_columns_and_even_quantities_stay_linear(home: Path) -> None:
    values = 400 + np.random.default_rng(1).normal(0, 2, (36, 72))
    assert natural(cube_of(home, values, units="ppm"), "quantity").palette == "viridis"
    assert not OnScreen(Library(home), "").log
    assert OnScreen(Library(home), "scale=log").log  # who asks for it gets it


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.0, 5.0), (5e-6, 5.0)),
        ((0.0123, 4.56), (0.01, 5.0)),
        ((3.0, 4.0), (0.4, 4.0)),
        ((0.0, 0.0), (0.1, 1.0)),
        ((float("nan"), 1.0), (0.1, 1.0)),
    ],
)
def test_limits_of_a_logarithmic_scale(given: tuple[float, float], expected: tuple[float, float]) -> None:
    assert log_limits(*given) == pytest.approx(expected)


def test_a_logarithmic_picture_leaves_zero_out() -> None:
    colours = ["#000000", "#800000", "#ff0000"]
    picture = rgba(np.array([[0.0, -1.0, np.nan, 0.001, 0.02, 0.5, 99.0]]), colours, (0.001, 1.0), log=True)[0]
    assert picture[:3, 3].tolist() == [0, 0, 0] and picture[3:, 0].tolist() == [0, 128, 255, 255]


def test_years_are_called_years(home: Path, real: Path) -> None:
    import_paths([real / "emissions" / "cdiac_gridcar_1deg"], home=home)
    (choice,) = Library(home).choices().values()
    assert choice.times == ("2005", "2013")
    page = OnScreen(Library(home), "time=2013&var=fossil_flux_imp")
    assert page.log and page.cube is not None and page.cube.variables["fossil_flux_imp"].units == "gC m-2 day-1"
    assert not is_yearly(np.array(["2013-07-02T12:00"], dtype="datetime64[ns]"))  # one map may be of a day
    assert not is_yearly(np.array(["2012-07-02", "2013-01-02"], dtype="datetime64[ns]"))
