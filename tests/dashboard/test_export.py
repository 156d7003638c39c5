"""Exported files, opened again with independent readers: netCDF4, rasterio, pandas, csv, Pillow."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from analysis.statistics.trends import decimal_year, fit_series
from dashboard.export import ExportProblem, map_geotiff, map_netcdf, series_csv, series_netcdf
from dashboard.mercator import mercator_y
from dashboard.picture import drawable, map_png
from dashboard.provenance import Provenance, one_line, safe_filename
from data.errors import DataError

REAL_DATA = Provenance(
    title="XCO2, July 2019",
    dataset="A product 1.2",
    source="doi:10.1234/5678",
    citation="Doe, J.: A product, J. Data, 1, 2025",
    licence="CC BY 4.0",
    settings={"variable": "xco2", "limits": [400, 415], "at": np.float64(10.5)},
    address="?cube=a&time=2019-07",
)
SIMULATED = replace(REAL_DATA, simulated=True)
HOSTILE = (
    "Two\nlines, \"quotes\"; =cmd|'/C calc'!A0,=1+1\t@SUM(A1) # hash $x^2$ 二氧化碳 이산화탄소 \u202eevil \x00"
    + "long " * 500
)


def world(n_lat: int = 36, n_lon: int = 72) -> xr.DataArray:
    """Values that tell their own cell: latitude * 1000 + longitude; one gap."""
    lat, lon = (np.arange(n_lat) + 0.5) * 180 / n_lat - 90, (np.arange(n_lon) + 0.5) * 360 / n_lon - 180
    values = (lat[:, None] * 1000 + lon).astype(np.float32)
    values[3, 4] = np.nan
    return xr.DataArray(
        values,
        dims=("lat", "lon"),
        coords={"lat": lat, "lon": lon, "time": np.datetime64("2019-07-16T12:00", "ns")},
        name="xco2",
        attrs={"units": "ppm", "long_name": "column-averaged CO2", "scale": "X2019"},
    )


def open_netcdf(content: bytes) -> netCDF4.Dataset:
    return netCDF4.Dataset("memory.nc", memory=content)


# -- maps as data ------------------------------------------------------------------------------------------------------


def test_netcdf_is_cf_and_carries_its_citation(tmp_path: Path):
    field = world()
    content = map_netcdf(field, REAL_DATA)
    with open_netcdf(content) as file:
        assert file.Conventions == "CF-1.11"
        assert file.references == REAL_DATA.citation
        assert file.license == "CC BY 4.0"
        assert file.source == REAL_DATA.source
        assert file.simulated == 0
        assert json.loads(file.settings) == {"variable": "xco2", "limits": [400, 415], "at": 10.5}
        assert file.view_address == REAL_DATA.address
        assert file.history.startswith(REAL_DATA.created)
        variable = file["xco2"]
        assert variable.dimensions == ("lat", "lon")
        assert (variable.units, variable.getncattr("scale")) == ("ppm", "X2019")
        assert variable.standard_name == "dry_atmosphere_mole_fraction_of_carbon_dioxide"
        assert file["lat"].bounds == "lat_bnds" and file["lon"].bounds == "lon_bnds"
        assert file["lat_bnds"][0].tolist() == [-90.0, -85.0]
        assert file["lon_bnds"][-1].tolist() == [175.0, 180.0]
        assert np.ma.is_masked(variable[3, 4]) or np.isnan(variable[3, 4])
    path = tmp_path / "map.nc"
    path.write_bytes(content)
    with xr.open_dataset(path) as again:
        np.testing.assert_array_equal(again["xco2"], field)
        assert again["time"].to_numpy() == np.datetime64("2019-07-16T12:00")


def test_netcdf_of_several_times_and_descending_latitude():
    field = xr.concat([world(), world() + 1], dim="time").assign_coords(
        time=pd.to_datetime(["2019-07-16", "2019-08-16"])
    )
    content = map_netcdf(field.isel(lat=slice(None, None, -1)), REAL_DATA)
    with open_netcdf(content) as file:
        assert file["xco2"].shape == (2, 36, 72)
        assert (np.diff(file["lat"][:]) > 0).all()
        assert netCDF4.num2date(file["time"][1], file["time"].units).strftime("%Y-%m-%d") == "2019-08-16"
        assert float(file["xco2"][1, 0, 0]) == pytest.approx(float(field[1, 0, 0]))


def test_geotiff_puts_every_value_where_it_belongs():
    field = world()
    with rasterio.MemoryFile(map_geotiff(field, REAL_DATA)) as memory, memory.open() as file:
        assert file.crs.to_epsg() == 4326
        assert file.bounds == (-180, -90, 180, 90)
        assert file.transform.e < 0  # north up
        assert np.isnan(file.nodata)
        assert file.dtypes == ("float32",)
        for lat, lon in ((87.5, -177.5), (-87.5, 177.5), (42.5, 7.5), (0.1, -0.1)):
            expected = float(field.sel(lat=lat, lon=lon, method="nearest"))
            assert next(file.sample([(lon, lat)]))[0] == expected
        assert not file.dataset_mask()[36 - 1 - 3, 4]
        tags = file.tags()
        assert tags["CITATION"] == REAL_DATA.citation
        assert REAL_DATA.citation in tags["TIFFTAG_COPYRIGHT"]
        assert tags["SCALE"] == "X2019" and tags["SIMULATED"] == "0" and tags["TIME"] == "2019-07-16T12:00:00"
        assert file.units == ("ppm",) and file.descriptions == ("column-averaged CO2",)


def test_part_of_the_world_across_the_dateline():
    lon = np.arange(170.5, 190, 1.0)
    field = xr.DataArray(np.random.rand(5, 20), dims=("lat", "lon"), coords={"lat": np.arange(5) + 0.5, "lon": lon})
    with rasterio.MemoryFile(map_geotiff(field, REAL_DATA)) as memory, memory.open() as file:
        assert file.bounds == (170, 0, 190, 5)
    with open_netcdf(map_netcdf(field, REAL_DATA)) as file:
        assert file["value"].shape == (5, 20)


def test_files_that_cannot_be_are_refused_in_a_sentence():
    uneven = world().assign_coords(lat=np.linspace(-9, 9, 36) ** 2 * np.sign(np.linspace(-9, 9, 36)))
    with pytest.raises(ExportProblem, match="evenly spaced latitudes"):
        map_geotiff(uneven, REAL_DATA)
    with pytest.raises(ExportProblem, match="choose one time step"):
        map_geotiff(world().expand_dims("time"), REAL_DATA)
    with pytest.raises(DataError, match="dimensions lat and lon"):
        map_netcdf(world()[0], REAL_DATA)
    with pytest.raises(ExportProblem, match="dimensions lat and lon"):
        map_netcdf(world()[:0], REAL_DATA)


# -- series ------------------------------------------------------------------------------------------------------------


def series() -> tuple[np.ndarray, np.ndarray]:
    times = (np.datetime64("2015-01", "M") + np.arange(84)).astype("datetime64[D]") + 14
    years = decimal_year(times)
    values = 400 + 2.3 * (years - 2015) + 3 * np.cos(2 * np.pi * years) + np.random.default_rng(0).normal(0, 0.2, 84)
    values[5] = np.nan
    return times, values


def test_csv_is_read_by_pandas():
    times, values = series()
    fit = fit_series(times, values)
    content = series_csv(times, values, REAL_DATA, fit=fit, columns={"std": np.full(84, 0.5)})
    table = pd.read_csv(io.BytesIO(content), comment="#", parse_dates=["time"])
    assert list(table.columns) == ["time", "xco2", "std", "fitted", "trend", "seasonal", "residual"]
    assert (table["time"].to_numpy().astype("datetime64[D]") == times).all()
    assert table["xco2"].to_numpy() == pytest.approx(values, abs=1e-3, nan_ok=True)
    assert (table["trend"] + table["seasonal"]).to_numpy() == pytest.approx(table["fitted"].to_numpy(), abs=1e-3)
    text = content.decode()
    assert "# citation: Doe, J.: A product, J. Data, 1, 2025" in text
    assert f"# growth: {fit.growth_ppm_per_year:.3f} ± " in text
    assert "2017: 2." in text and "maximum in month" in text


def test_csv_sorts_by_time_and_keeps_hours():
    times = np.array(["2020-01-02T06:30", "2020-01-01T00:00", "NaT"], dtype="datetime64[ns]")
    content = series_csv(times, np.array([2.0, 1.0, 9.0]), REAL_DATA, columns={"n": np.array([20, 10, 90])})
    table = pd.read_csv(io.BytesIO(content), comment="#")
    assert table["time"].tolist() == ["2020-01-01T00:00:00", "2020-01-02T06:30:00"]
    assert table["xco2"].tolist() == [1.0, 2.0] and table["n"].tolist() == [10, 20]


def test_small_numbers_survive():
    content = series_csv(np.array(["2020-01-01"], dtype="M8[D]"), np.array([-1.2345678e-8]), REAL_DATA, name="flux")
    assert pd.read_csv(io.BytesIO(content), comment="#")["flux"][0] == pytest.approx(-1.2345678e-8, rel=1e-6)


@given(st.text(max_size=200), st.text(max_size=50))
def test_no_text_breaks_the_csv_or_starts_a_formula(title: str, name: str):
    content = series_csv(
        np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"),
        np.array([1.0, 2.0]),
        replace(REAL_DATA, title=title, citation=HOSTILE + title),
        name=name,
    )
    table = pd.read_csv(io.BytesIO(content), comment="#")
    assert table.shape == (2, 2)
    assert table.iloc[:, 1].tolist() == [1.0, 2.0]
    for row in csv.reader(io.StringIO(content.decode("utf-8"))):
        assert not any(cell.lstrip().startswith(("=", "@", "+")) for cell in row)


def test_series_netcdf():
    times, values = series()
    fit = fit_series(times, values)
    with open_netcdf(series_netcdf(times[::-1], values[::-1], SIMULATED, fit=fit)) as file:
        assert file["xco2"][:].filled(np.nan) == pytest.approx(values, nan_ok=True)
        assert np.asarray(file["trend"][:]) == pytest.approx(fit.trend)
        assert file.growth_rate == fit.growth_ppm_per_year
        assert file.simulated == 1 and file["xco2"].simulated == 1
        assert file.title.startswith("SIMULATED: ")


# -- every file --------------------------------------------------------------------------------------------------------


def picture(provenance: Provenance) -> bytes:
    return map_png(np.zeros((40, 80)), (-180, 180, -90, 90), provenance, palette="viridis", limits=(0, 1), units="ppm")


def test_simulated_is_said_in_every_file():
    times, values = series()
    with open_netcdf(map_netcdf(world(), SIMULATED)) as file:
        assert file.title == "SIMULATED: XCO2, July 2019"
        assert file.simulated == 1 and file["xco2"].simulated == 1
        assert "SIMULATED" in file["xco2"].comment
    with rasterio.MemoryFile(map_geotiff(world(), SIMULATED)) as memory, memory.open() as file:
        assert file.tags()["SIMULATED"] == "1"
        assert file.tags()["TIFFTAG_IMAGEDESCRIPTION"].startswith("SIMULATED: ")
    assert series_csv(times, values, SIMULATED).decode().startswith("# title: SIMULATED: ")
    chunks = Image.open(io.BytesIO(picture(SIMULATED))).text
    assert chunks["Title"].startswith("SIMULATED: ") and chunks["Simulated"] == "1"
    assert "SIMULATED" in chunks["Comment"]


def test_hostile_texts_in_every_file():
    times, values = series()
    hostile = replace(
        REAL_DATA, title=HOSTILE, dataset=HOSTILE, citation=HOSTILE, settings={"region": "poly:" + "1,2;" * 9000}
    )
    with open_netcdf(map_netcdf(world().rename("=evil name"), hostile)) as file:
        assert "二氧化碳 이산화탄소" in file.title and "\n" not in file.title
        assert "evil_name" in file.variables
    with rasterio.MemoryFile(map_geotiff(world(), hostile)) as memory, memory.open() as file:
        assert "二氧化碳 이산화탄소" in file.tags()["CITATION"]
    assert pd.read_csv(io.BytesIO(series_csv(times, values, hostile)), comment="#").shape == (84, 2)
    image = Image.open(io.BytesIO(picture(hostile)))
    assert "二氧化碳 이산화탄소" in image.text["Title"]
    assert len(image.text["Settings"]) <= 4000


def test_provenance_says_when_and_by_what():
    now = pd.Timestamp.now(tz="UTC")
    entries = Provenance(title="a").entries()
    assert abs(pd.Timestamp(entries["created"]) - now) < pd.Timedelta(minutes=1)
    assert entries["program"].startswith("Carbon Weather ")
    assert set(entries) == {"title", "created", "program"}


@given(st.text(max_size=300))
def test_one_line_is_one_printable_encodable_line(text: str):
    line = one_line(text, 50)
    assert len(line) <= 50
    assert line == line.strip() and "\n" not in line and "\r" not in line and "\x00" not in line
    assert line.encode("utf-8").decode("utf-8") == line
    assert one_line(line, 50) == line


def test_file_names_by_example():
    assert safe_filename("gosat-l3", "xco2", "2019-07", suffix=".nc") == "gosat-l3_xco2_2019-07.nc"
    assert safe_filename("../../etc/passwd", suffix=".png") == "etc-passwd.png"
    assert safe_filename("Countries/Côte d'Ivoire", suffix=".csv") == "Countries-Côte-d-Ivoire.csv"
    assert safe_filename("二氧化碳", "서울", suffix=".csv") == "二氧化碳_서울.csv"
    assert safe_filename("", "  ", suffix=".nc") == "carbonweather.nc"
    assert safe_filename("CON", suffix=".nc") == "carbonweather_CON.nc"


@given(st.lists(st.text(max_size=120), max_size=4))
def test_file_names_are_safe(parts: list[str]):
    name = safe_filename(*parts, suffix=".tif")
    assert name.endswith(".tif") and 5 <= len(name.encode("utf-8")) <= 150
    assert not set(name) & set('/\\:*?"<>|\n\r\t\x00 ')
    assert not name.startswith((".", "-")) and ".." not in name


# -- the map as a picture ----------------------------------------------------------------------------------------------


def find(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(n, 2) rows and columns of the pixels of exactly this colour."""
    return np.argwhere((image == colour).all(axis=-1))


def test_map_pixels_are_kept_one_to_one():
    """A field of one bright pixel on a dark map: one pixel in the picture, at its place; missing is grey."""
    values = np.zeros((300, 600))
    values[200, 100] = 1.0  # row 0 is south
    values[:50] = np.nan
    content = map_png(
        values, (-180, 180, -90, 90), REAL_DATA, palette="viridis", limits=(0, 1), units="ppm", coastlines=False
    )
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    expected = np.full((300, 600, 3), (0x44, 0x01, 0x54), dtype=np.uint8)
    expected[-50:] = (0xE6, 0xEB, 0xEF)
    expected[300 - 1 - 200, 100] = (0xFD, 0xE7, 0x24)
    inside = (slice(3, -3), slice(3, -3))  # less the frame
    np.testing.assert_array_equal(pixels[66:366, 62:662][inside], expected[inside])


def test_points_lie_above_the_map_and_outlines_above_both():
    values, points = np.zeros((300, 600)), np.full((300, 600), np.nan)
    points[100:110, 100:110] = 1.0
    square = np.array([[-60.0, -30.0], [60.0, -30.0], [60.0, 30.0], [-60.0, 30.0], [-60.0, -30.0]])
    content = map_png(
        values,
        (-180, 180, -90, 90),
        REAL_DATA,
        palette="cividis",
        limits=(0, 1),
        units="ppm",
        coastlines=False,
        points=points,
        outlines=[square],
    )
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))[66:366, 62:662]
    assert len(find(pixels, (0xFF, 0xE9, 0x45))) == 100
    red = find(pixels, (0xFF, 0x3D, 0x6E))
    assert red[:, 0].min() == pytest.approx(100, abs=2) and red[:, 0].max() == pytest.approx(200, abs=2)
    assert red[:, 1].min() == pytest.approx(200, abs=2) and red[:, 1].max() == pytest.approx(400, abs=2)


def test_colours_can_be_given_ready_and_small_maps_are_enlarged():
    colours = np.zeros((3, 4, 4), dtype=np.uint8)
    colours[0, 0] = (10, 200, 30, 255)
    image = Image.open(io.BytesIO(map_png(colours, (0, 4, 0, 3), REAL_DATA, palette="magma", limits=(0, 1), units="")))
    assert image.width >= 480
    found = find(np.asarray(image.convert("RGB")), (10, 200, 30))
    assert len(found) > 0.9 * 120 * 120
    assert found[:, 1].max() < image.width / 2 and found[:, 0].max() - found[:, 0].min() <= 120


@pytest.mark.parametrize("turns", [0, 1, -2])
def test_coastlines_on_every_turn_of_the_globe(turns: int):
    """The same coast whichever turn is shown: only the map, not the labels, is compared."""

    def drawn(k: int) -> np.ndarray:
        extent = (100 + 360 * k, 160 + 360 * k, -50, 10)
        content = map_png(np.zeros((300, 300)), extent, REAL_DATA, palette="viridis", limits=(0, 1), units="ppm")
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)

    first, other = drawn(0), drawn(turns)
    assert (first[70:360, 70:360] != (0x44, 0x01, 0x54)).any(axis=-1).sum() > 500
    assert np.abs(first - other)[70:360, 70:360].max() <= 2


def test_mercator_outlines_fit_mercator_pixels():
    """Steep Point (26.15 S, 113.2 E), the westernmost of Australia, is where Web Mercator puts it."""
    y0, y1 = mercator_y(np.array([-45.0, -8.0]))
    x0, x1 = np.radians([110.0, 156.0]) * 6378137.0
    content = map_png(
        np.zeros((480, 600)),
        (x0, x1, y0, y1),
        REAL_DATA,
        palette="viridis",
        limits=(0, 1),
        units="ppm",
        projection="mercator",
    )
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))[66 : 66 + 480, 62 : 62 + 600]
    inked = (pixels[4:-4, 4:-4] != (0x44, 0x01, 0x54)).any(axis=-1)
    row = round(480 * float((y1 - mercator_y(np.array(-26.15))) / (y1 - y0))) - 4
    west = np.flatnonzero(inked[row - 8 : row + 8].any(axis=0)).min() + 4
    assert west == pytest.approx((113.2 - 110) / 46 * 600, abs=5)


def test_impossible_pictures_are_refused():
    for values, extent, limits in (
        (np.zeros((0, 5)), (0, 1, 0, 1), (0, 1)),
        (np.zeros((5, 5)), (1, 0, 0, 1), (0, 1)),
        (np.zeros((5, 5)), (0, 1, 0, 1), (1, 1)),
    ):
        with pytest.raises(ValueError, match="rising edges"):
            map_png(values, extent, REAL_DATA, palette="viridis", limits=limits, units="ppm")


@pytest.mark.filterwarnings("error::UserWarning")
def test_no_empty_boxes():
    """Matplotlib warns of every glyph that it lacks: emoji are left out, CO₂ and its dots and degrees are there."""
    assert drawable("XCO₂ 12°N ± · … 🙂\U000f0000") == "XCO₂ 12°N ± · … "
    assert picture(replace(REAL_DATA, title="XCO₂ 🙂 二氧化碳", citation="한국 🌍 \U000f0000")).startswith(b"\x89PNG")
