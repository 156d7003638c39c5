"""Fluxes are shown in g C m-2 a day wherever a page asks a cube; nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapely import box

from dashboard.library import Library
from dashboard.units import FLUX_UNITS, ShownCube, ShownUnits, shown_units
from data.cube import Cube, Grid, Variable, View
from data.home import cubes_dir
from data.importing import import_paths

PER_MOLE_A_SECOND = 12.011 * 86400


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("mol m-2 s-1", PER_MOLE_A_SECOND),
        ("mol/m2/s", PER_MOLE_A_SECOND),
        ("umol m-2 s-1", PER_MOLE_A_SECOND * 1e-6),
        ("µmol CO2 m-2 s-1", PER_MOLE_A_SECOND * 1e-6),
        ("gC/m2/day", 1.0),
        ("g C m^-2 d^-1", 1.0),
        ("kgC m-2 s-1", 86.4e6),
        ("kg C m-2 yr-1", 1000 / 365.25),
        ("gC/m^2/month", 12 / 365.25),
    ],
)
def test_carbon_fluxes_in_one_unit(units: str, factor: float) -> None:
    shown = shown_units(units)
    assert shown.units == FLUX_UNITS and shown.factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("units", "what"),
    [
        ("ppm", "flux"),
        ("kg m-2 s-1", "flux"),
        ("kg CO2 m-2 s-1", "flux"),
        ("Tg yr-1", "fossil emission"),
        ("mol m-2 s-1", "photon flux"),
        ("umol m-2 s-1", "photosynthetically active radiation"),
        ("mol m-2 s-1", "methane emission"),
        ("mol m-2 s-1", "xco2"),
        ("mol m-2", "column flux"),
        ("", "flux"),
    ],
)
def test_everything_else_stays(units: str, what: str) -> None:
    assert shown_units(units, what) == ShownUnits(units, 1.0)


@pytest.fixture
def cubes(home: Path) -> tuple[Cube, Cube]:
    """The same cube as it is and as it is shown: a float32 and an int16 flux, and a column."""
    grid = Grid(-180.0, -90.0, 5.0, 5.0, 72, 36)
    variables = [
        Variable("bio_flux", "mol m-2 s-1", "land flux", "float32"),
        Variable("packed_flux", "mol m-2 s-1", "land flux, packed", "int16", 1e-10, 0.0),
        Variable("xco2", "ppm", "XCO2", "int16", 0.01, 400.0),
    ]
    cube = Cube.create(cubes_dir(home) / "c", name="c", title="Fluxes", grid=grid, variables=variables)
    rng = np.random.default_rng(1)
    for month in ("2020-01-01", "2020-02-01"):
        flux = rng.normal(0, 1e-7, (36, 72)).astype(np.float32)
        cube.write(np.datetime64(month, "ns"), {"bio_flux": flux, "packed_flux": flux, "xco2": 400 + flux * 1e7})
    cube.seal()
    shown = Library(home).cube("c")
    assert isinstance(shown, ShownCube)
    return cube, shown


@pytest.mark.parametrize("name", ["bio_flux", "packed_flux", "xco2"])
def test_every_way_to_ask_gives_the_same_unit(cubes: tuple[Cube, Cube], name: str) -> None:
    raw, shown = cubes
    factor = 1.0 if name == "xco2" else PER_MOLE_A_SECOND
    assert shown.variables[name].units == ("ppm" if name == "xco2" else FLUX_UNITS)
    view = View(x0=-180, x1=180, y0=-90, y1=90, width=144, height=72, projection="lonlat")
    expected = raw.decode(name, raw.window(name, 0, view)) * factor
    np.testing.assert_allclose(shown.decode(name, shown.window(name, 0, view)), expected, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(shown.series(name, 12, 34), raw.series(name, 12, 34) * factor, rtol=1e-6)
    np.testing.assert_allclose(shown.limits(name), np.array(raw.limits(name)) * factor, rtol=1e-9)
    np.testing.assert_allclose(shown.zonal(name)[2], raw.zonal(name)[2] * factor, rtol=1e-5)
    area = box(0, 0, 40, 40)
    for level in (0, None):
        ours, theirs = shown.region_series(name, area, level=level), raw.region_series(name, area, level=level)
        np.testing.assert_allclose(ours.mean, theirs.mean * factor, rtol=1e-9)
        np.testing.assert_allclose(ours.std, theirs.std * factor, rtol=1e-9)
    np.testing.assert_allclose(
        shown.region_series(name, area).mean, raw.region_series(name, area).mean * factor
    )  # kept
    field = shown.read(name, 1, bounds=(0, 0, 40, 40))
    assert field.attrs["units"] == shown.variables[name].units
    np.testing.assert_allclose(field, raw.read(name, 1, bounds=(0, 0, 40, 40)) * factor, rtol=1e-6)


def test_real_land_takes_up_grams_a_day(home: Path, real: Path) -> None:
    import_paths([real / "carbontracker" / "flux1x1" / "CT2016.flux1x1.longterm.nc"], home=home)
    (cube,) = Library(home).cubes().values()
    low, high = cube.limits("bio_flux_opt")
    assert -0.5 < low < 0 < high < 0.5
    assert cube.variables["fossil_flux_imp"].units == FLUX_UNITS
