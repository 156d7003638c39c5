"""Emission and flux maps and dots of SIF on the Explore page: what the screen paints is what the cube and the archive hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from data.cube import Cube, Grid, Variable
from data.home import cubes_dir
from data.importing import import_paths
from tests.browser.dashboard_server import served

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

MOLE = 1 / (12.011 * 86400)  # g C m-2 a day in mol m-2 s-1
COLOUR = """([lon, lat]) => { const e = window.carbonweather.current, d = e.main.image.data, f = e.shown.frame
  const c = Math.floor((lon - f.x0) / (f.x1 - f.x0) * f.w), r = Math.floor((lat - f.y0) / (f.y1 - f.y0) * f.h)
  const v = d.image[0][r * f.w + c]
  return "#" + [v & 255, v >> 8 & 255, v >> 16 & 255].map(x => x.toString(16).padStart(2, "0")).join("") }"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Emissions from 1e-4 to 10 g C m-2 a day eastwards with a sea of zeros in the south, a flux on both sides of zero, SIF."""
    folder = tmp_path_factory.mktemp("layers")
    home = folder / "home"
    grid = Grid(-180.0, -90.0, 2.0, 2.0, 180, 90)
    lon, lat = np.meshgrid(grid.lon, grid.lat)
    emission = np.where(lat > -30, 10 ** (-4 + 5 * (lon + 180) / 360), 0.0) * MOLE
    cube = Cube.create(
        cubes_dir(home) / "fluxes",
        name="fluxes",
        title="Fluxes of the tests",
        grid=grid,
        variables=[
            Variable("emission", "mol m-2 s-1", "fossil emission", "float32"),
            Variable("uptake", "mol m-2 s-1", "land uptake", "float32"),
        ],
        attrs={"simulated": 1},
    )
    for month in ("2023-05-01", "2023-06-01"):
        uptake = np.sin(np.radians(lon)) * MOLE
        cube.write(np.datetime64(month, "ns"), {"emission": emission.astype("f4"), "uptake": uptake.astype("f4")})
    cube.seal()
    (folder / "sif.csv").write_text(
        "Daily_SIF_,latitude,longitude,datetime\n"
        + "".join(f"{0.1 * k:.1f},{2 * k},{20 + 2 * k},06/1{k}/23 12:00\n" for k in range(8))
    )
    assert [record.status for record in import_paths([folder / "sif.csv"], home=home)] == ["imported"]
    with served(home, "--no-demo") as url:
        yield url


def open_map(page: Page, url: str) -> dict[str, Any]:
    page.goto(url)
    page.wait_for_function(
        "window.carbonweather?.current?.shown?.main && window.carbonweather.current.reported", timeout=60_000
    )
    page.wait_for_timeout(800)
    return page.evaluate(
        "() => { const {low, high, log, units, palette} = window.carbonweather.current.spec; return {low, high, log, units, palette} }"
    )


def test_emissions_over_powers_of_ten(page: Page, address: str) -> None:
    spec = open_map(page, address + "?cube=fluxes&var=emission&layers=")
    assert spec["log"] and spec["units"] == "gC m-2 day-1"
    assert spec["low"] < 1e-3 and 5 <= spec["high"] <= 20
    position = np.log(0.1 / spec["low"]) / np.log(spec["high"] / spec["low"])  # 0.1 is at 36 E
    colour = page.evaluate(COLOUR, [36, 20])
    expected = int(position * len(spec["palette"]))
    assert colour in spec["palette"][expected - 6 : expected + 7]
    assert page.evaluate(COLOUR, [36, -60]) == "#e4ebf0"  # nothing is emitted there
    linear = open_map(page, address + "?cube=fluxes&var=emission&layers=&scale=linear")
    assert not linear["log"]


def test_fluxes_on_both_sides_of_zero(page: Page, address: str) -> None:
    spec = open_map(page, address + "?cube=fluxes&var=uptake&layers=")
    assert spec["low"] == -spec["high"] and 0.9 < spec["high"] < 1.2
    middle = spec["palette"].index(page.evaluate(COLOUR, [1, 20]))
    assert abs(middle - len(spec["palette"]) / 2) < 12


def test_dots_of_sif_in_their_own_colours(page: Page, address: str) -> None:
    open_map(page, address + "?cube=fluxes&var=uptake&time=2023-06&layers=sif&at=30,10,60")
    page.wait_for_function("window.carbonweather.current.shown.sif?.count === 8", timeout=60_000)
    page.wait_for_timeout(300)
    assert "dots: SIF, 0.0 (light) to 0.7 W m-2 sr-1 um-1" in page.evaluate(
        "window.carbonweather.current.main.fig.title.text"
    )
    dots = page.evaluate(
        """() => { const e = window.carbonweather.current, {codes} = e.shown.sif, image = e.main.points.data.image[0], seen = []
             for (let i = 0; i < codes.length; i++) if (codes[i] === codes[i]) seen.push([codes[i], image[i] >>> 24])
             return seen }"""
    )
    assert {round(value, 1) for value, _ in dots} == {round(0.1 * k, 1) for k in range(8)}
    assert all(alpha == 255 for _, alpha in dots)
    page.evaluate("window.carbonweather.current.setStep(0)")
    page.get_by_text("There are no soundings with SIF of May 2023").wait_for(timeout=30_000)
