"""Presentation stills: projections against PROJ and cartopy, every pixel's cell, and what is written on the picture."""

from __future__ import annotations

import io
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dashboard.projection import MapProjection
from dashboard.provenance import Provenance
from dashboard.still import cube_still, still_png
from data.cube import Cube, Grid, Variable

NAMES = ("Robinson", "EqualEarth", "Mollweide", "PlateCarree", "Mercator")
FULL = (-180.0, 180.0, -90.0, 90.0)
RED = (0xB3, 0x26, 0x1E)
MEASURED = Provenance(
    title="XCO₂, July 2019", dataset="A product", citation="Doe (2025)", created="2025-01-01T00:00:00Z"
)
SIMULATED = Provenance(title="XCO₂, July 2019", simulated=True, created="2025-01-01T00:00:00Z")


def axes(step: float) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(-90 + step / 2, 90, step), np.arange(-180 + step / 2, 180, step)


def world(step: float = 2.0) -> xr.DataArray:
    lat, lon = axes(step)
    values = 410 + 3 * np.sin(np.radians(lat))[:, None] + np.cos(np.radians(lon))[None]
    return xr.DataArray(values, dims=("lat", "lon"), coords={"lat": lat, "lon": lon}, attrs={"units": "ppm"})


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def count(content: bytes, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(opened(content).convert("RGB")) == colour).all(axis=-1).sum())


# -- projections -------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*does not handle elliptical globes")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("centre", [0.0, 150.0])
def test_positions_agree_with_cartopy(name: str, centre: float):
    import cartopy.crs as ccrs

    globe = ccrs.Globe(ellipse="sphere", semimajor_axis=6371007.2, semiminor_axis=6371007.2)
    oracle = getattr(ccrs, name)(central_longitude=centre, globe=globe)
    lat, lon = (part.ravel() for part in np.meshgrid(np.linspace(-80, 80, 33), centre + np.linspace(-179, 179, 45)))
    expected = oracle.transform_points(ccrs.PlateCarree(globe=globe), lon, lat)
    chart = MapProjection(name, centre - 180, centre + 180, -90, 90)
    x, y = chart.forward(lon, lat)
    metres = np.radians(6371007.2) if name == "PlateCarree" and np.abs(expected[:, 0]).max() < 400 else 1.0
    assert x == pytest.approx(expected[:, 0] * metres, abs=1.0)
    assert y == pytest.approx(expected[:, 1] * metres, abs=1.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("centre", [0.0, 120.0])
def test_every_pixel_shows_the_cell_under_it(name: str, centre: float):
    """Fields that hold their own latitude and longitude, against PROJ's inverse at the pixels' centres."""
    from pyproj import Proj

    codes = {
        "Robinson": "robin",
        "EqualEarth": "eqearth",
        "Mollweide": "moll",
        "PlateCarree": "eqc",
        "Mercator": "merc",
    }
    chart = MapProjection(name, centre - 180, centre + 180, -90, 90)
    lat, lon = axes(0.5)
    width, height = 400, 200
    x0, x1, y0, y1 = chart.extent()
    x, y = np.meshgrid(
        x0 + (np.arange(width) + 0.5) * (x1 - x0) / width, y1 - (np.arange(height) + 0.5) * (y1 - y0) / height
    )
    true_lon, true_lat = Proj(proj=codes[name], R=6371007.2, lon_0=centre)(x, y, inverse=True)
    seen_lat = chart.draw(np.repeat(lat[:, None], lon.size, axis=1), lat, lon, width, height)
    cosine = chart.draw(np.repeat(np.cos(np.radians(lon))[None], lat.size, axis=0), lat, lon, width, height)
    sine = chart.draw(np.repeat(np.sin(np.radians(lon))[None], lat.size, axis=0), lat, lon, width, height)
    true_lat, true_lon = (np.where(np.isfinite(part), part, np.nan) for part in (true_lat, true_lon))
    inside = (np.abs(true_lat) < 80) & (np.hypot(cosine, sine) > 0.99)
    inside &= np.isfinite(np.roll(true_lat, 1, axis=1) + np.roll(true_lat, -1, axis=1))  # not cut by the edge
    assert inside.mean() > 0.6
    assert np.abs(seen_lat - true_lat)[inside].max() < 1.0  # the mean of four cells of half a degree
    off = np.degrees(np.arctan2(sine, cosine)) - true_lon
    assert np.abs((off + 180) % 360 - 180)[inside].max() < 2.5
    beyond = ~np.isfinite(true_lat)
    assert np.isnan(seen_lat[beyond]).sum() >= 0.97 * beyond.sum()


@pytest.mark.parametrize("name", ["EqualEarth", "Mollweide"])
def test_equal_area_projections_give_each_band_its_share(name: str):
    lat, lon = axes(1.0)
    bands = np.repeat(np.floor((lat + 90) / 30)[:, None], lon.size, axis=1)
    seen = MapProjection(name, *FULL).draw(bands, lat, lon, 800, 400)
    seen = np.round(seen[np.isfinite(seen)])
    for band in range(6):
        south, north = np.radians(-90 + 30 * band), np.radians(-60 + 30 * band)
        assert (seen == band).mean() == pytest.approx((np.sin(north) - np.sin(south)) / 2, abs=0.005)


def test_missing_cells_stay_missing_and_part_seen_pixels_do_not():
    lat, lon = axes(10.0)
    values = np.ones((lat.size, lon.size))
    values[:, 18:] = np.nan
    seen = MapProjection("PlateCarree", *FULL).draw(values, lat, lon, 360, 180)
    assert (seen[:, :180] == 1).all() and np.isnan(seen[:, 180:]).all()


@given(st.sampled_from(NAMES), st.floats(-180, 180), st.integers(0, 2**32 - 1))
def test_lines_are_cut_not_smeared(name: str, centre: float, seed: int):
    """Short steps on the globe stay short on the map, wherever its edge is."""
    rng = np.random.default_rng(seed)
    lon = (np.cumsum(rng.uniform(-3, 3, 200)) + rng.uniform(-180, 180) + 180) % 360 - 180
    lat = np.clip(np.cumsum(rng.uniform(-1, 1, 200)), -70, 70)
    chart = MapProjection(name, centre - 180, centre + 180, -90, 90)
    x0, x1, y0, y1 = chart.extent()
    for piece in chart.place([np.column_stack([lon, lat])]):
        assert np.abs(np.diff(piece, axis=0)).max() < 0.05 * (x1 - x0)
        assert x0 - 1 <= piece[:, 0].min() and piece[:, 0].max() <= x1 + 1
        assert y0 - 1 <= piece[:, 1].min() and piece[:, 1].max() <= y1 + 1


def test_lines_outside_a_part_of_the_globe_are_left_out():
    asia = MapProjection("Mercator", 60, 150, -12, 55)
    atlantic = np.array([[-40.0, 0.0], [-30.0, 10.0]])
    equator = np.column_stack([np.arange(0.0, 180.0), np.zeros(180)])
    pieces = asia.place([atlantic, equator])
    assert len(pieces) == 1 and len(pieces[0]) == 91
    assert asia.place([equator], smallest=1e9) == []
    assert asia.place([]) == []


def test_impossible_projections_are_refused():
    with pytest.raises(ValueError, match="'Peters'"):
        MapProjection("Peters", *FULL)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rectangle"):
        MapProjection("Robinson", 10, 5, -90, 90)
    with pytest.raises(ValueError, match="rectangle"):
        MapProjection("Mercator", -180, 180, 85, 90)


# -- pictures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_still_in_every_projection(name: str):
    content = still_png(world(), MEASURED, limits=(406, 414), projection=name, width=640, height=360, dpi=200)
    image = opened(content)
    assert image.size == (640, 360)
    assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert image.text["Title"] == "XCO₂, July 2019"
    assert image.text["Citation"] == "Doe (2025)" and image.text["Simulated"] == "0"
    colours = len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0))
    assert colours > 200


def test_simulated_stills_are_marked_in_red():
    options = {"limits": (406, 414), "width": 640, "height": 360}
    assert count(still_png(world(), SIMULATED, **options), RED) > 400
    assert count(still_png(world(), MEASURED, **options), RED) == 0
    assert opened(still_png(world(), SIMULATED, **options)).text["Title"].startswith("SIMULATED: ")


def test_values_have_the_colours_of_the_bar():
    """Half the world at each limit: both end colours cover half of the map, nothing in between but the bar."""
    field = world().copy(data=np.repeat(np.where(np.arange(90) < 45, 400.0, 420.0)[:, None], 180, axis=1))
    content = still_png(field, MEASURED, limits=(400, 420), palette="cividis", coastlines=False, width=800, height=450)
    low, high = count(content, (0x00, 0x20, 0x4C)), count(content, (0xFF, 0xE9, 0x45))
    assert low == pytest.approx(high, rel=0.1)
    assert low + high > 0.3 * 800 * 450


def test_missing_data_show_land_and_sea():
    content = still_png(world() * np.nan, MEASURED, limits=(0, 1), coastlines=False, width=800, height=450)
    land, sea = count(content, (0xD5, 0xD9, 0xDC)), count(content, (0xEC, 0xF0, 0xF3))
    assert 0.25 < land / (land + sea) < 0.4


def test_a_part_of_the_globe_fills_the_picture():
    asia = world(0.5).sel(lat=slice(-12, 55), lon=slice(60, 150))
    content = still_png(asia, MEASURED, limits=(406, 414), projection="Mercator", borders=True, width=800, height=450)
    pixels = np.asarray(opened(content).convert("RGB"))
    filled = (pixels[180:250, 300:500] != 255).any(axis=-1)
    assert filled.all()


def test_central_longitude_moves_the_world_round():
    lon = axes(2.0)[1]
    field = world().copy(data=np.repeat(np.where(np.abs(lon) < 90, 400.0, 420.0)[None], 90, axis=0))
    options = {"limits": (400, 420), "palette": "cividis", "coastlines": False, "width": 800, "height": 450}
    for centre, colour in ((0.0, (0x00, 0x20, 0x4C)), (180.0, (0xFF, 0xE9, 0x45))):
        pixels = np.asarray(opened(still_png(field, MEASURED, central_longitude=centre, **options)).convert("RGB"))
        assert (pixels[180:230, 350:395] == colour).all(axis=-1).mean() > 0.9  # less the graticule


def test_threads_draw_the_same_picture():
    def draw(_: int) -> bytes:
        return still_png(world(), SIMULATED, limits=(406, 414), width=480, height=270)

    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(draw, range(6)))
    assert len(set(pictures)) == 1


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("a still opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert still_png(world(), MEASURED, limits=(406, 414), borders=True, width=480, height=270)


@pytest.mark.filterwarnings("error::UserWarning")
def test_titles_in_any_script_of_any_length():
    title = "二氧化碳柱浓度 이산화탄소 CO₂ $10^{-6}$ 🙂\n=cmd()" * 20
    provenance = Provenance(title=title, dataset=title, citation=title, simulated=True)
    assert opened(still_png(world(), provenance, limits=(406, 414), width=480, height=270)).size == (480, 270)


def test_impossible_stills_are_refused():
    with pytest.raises(ValueError, match="dims"):
        still_png(world()[0], MEASURED, limits=(0, 1))
    with pytest.raises(ValueError, match="limits"):
        still_png(world(), MEASURED, limits=(1, 1))
    with pytest.raises(ValueError, match="320 x 200"):
        still_png(world(), MEASURED, limits=(0, 1), width=100)


# -- from cubes and real files -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    grid = Grid(west=-180, south=-90, dlon=0.25, dlat=0.25, nlon=1440, nlat=720)
    variable = Variable("xco2", "ppm", "column-averaged CO2", "int16", scale=0.01, offset=400)
    folder = tmp_path_factory.mktemp("cubes") / "quarter"
    made = Cube.create(folder, name="quarter", title="Quarter degree", grid=grid, variables=[variable])
    made.write(np.datetime64("2019-07-16"), {"xco2": world(0.25).to_numpy().astype(np.float32)})
    return made


def test_a_cube_is_read_at_the_level_that_the_picture_needs(cube: Cube, monkeypatch: pytest.MonkeyPatch):
    levels: list[int] = []
    read = Cube.read

    def watched(self: Cube, *args: object, level: int = 0, **options: object) -> xr.DataArray:
        levels.append(level)
        return read(self, *args, level=level, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Cube, "read", watched)
    picture = cube_still(cube, "xco2", 0, MEASURED, width=480, height=270)
    assert opened(picture).size == (480, 270)
    cube_still(cube, "xco2", 0, MEASURED, bounds=(60, -12, 150, 55), projection="EqualEarth", width=480, height=270)
    cube_still(cube, "xco2", 0, MEASURED, bounds=(150, -60, -150, 60), projection="Mercator", width=480, height=270)
    assert levels == [1, 0, 0]


def test_gosat_map(real: Path):
    """Monthly GOSAT L3: ocean gaps show the sea, the map has the colours of its limits."""
    with xr.open_dataset(real / "satellite" / "derived" / "gosat_l3_swir_xco2_v0305_stack.nc") as stack:
        field = stack["xco2_interp"].sel(time="2018-04").squeeze("time", drop=True).sortby("lat").load()
    content = still_png(field, MEASURED, limits=(404, 413), units="ppm", label="XCO₂", width=960, height=540)
    assert opened(content).size == (960, 540)
    assert count(content, (0xEC, 0xF0, 0xF3)) > 20_000
    assert count(content, (0xFD, 0xE7, 0x24)) > 1_000
