"""Downloads made from an address alone, opened again with other people's readers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dashboard.downloads import KINDS, DownloadProblem, produce
from dashboard.library import Library
from data.errors import DataError
from tests.browser.dashboard_server import GROWTH_PPM, MONTHS, known_value, make_cubes


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    home = tmp_path_factory.mktemp("downloads")
    make_cubes(home)
    return Library(home)


def test_the_netcdf_holds_the_cells_on_screen(library: Library) -> None:
    file = produce("map.nc", "cube=known&time=2019-03&at=100,30,40", library)
    assert file.filename == "known_xco2_2019-03.nc"
    with xr.open_dataset(io.BytesIO(file.body), engine="h5netcdf") as dataset:
        lon, lat = np.meshgrid(dataset["lon"], dataset["lat"])
        assert dataset["lon"].min() >= 80
        assert dataset["lon"].max() <= 120
        np.testing.assert_allclose(dataset["xco2"].squeeze(), known_value(2, lon, lat), atol=0.0051)
        assert "SIMULATED" in dataset.attrs["title"]
        assert dataset.attrs["references"] == "Test field, made by the tests."
        assert "cube=known" in dataset.attrs["view_address"]


def test_the_difference_is_what_is_saved_where_one_is_shown(library: Library) -> None:
    query = "cube=known&time=2020-03&compare=difference&with_time=2019-03"
    file = produce("map.nc", query, library)
    with xr.open_dataset(io.BytesIO(file.body), engine="h5netcdf") as dataset:
        np.testing.assert_allclose(dataset["xco2"].squeeze(), GROWTH_PPM, atol=0.011)
        assert "minus" in dataset.attrs["title"]


def test_the_geotiff_is_north_up_and_in_place(library: Library) -> None:
    import rasterio

    file = produce("map.tif", "cube=places&var=lat&at=10,20,30", library)
    with rasterio.MemoryFile(file.body) as memory, memory.open() as dataset:
        assert dataset.crs.to_epsg() == 4326
        value = next(dataset.sample([(10.5, 20.5)]))[0]
        assert value == pytest.approx(20.5)
        assert dataset.read(1)[0, 0] > dataset.read(1)[-1, 0]


@pytest.mark.parametrize("kind", ["map.png", "still.png"])
@pytest.mark.parametrize(
    "extra",
    ["", "&proj=mercator&at=100,30,60", "&compare=swipe&with_time=2019-01", "&region=Countries/China&shown=401,405"],
)
def test_pictures_open_and_carry_their_provenance(library: Library, kind: str, extra: str) -> None:
    from PIL import Image

    file = produce(kind, "cube=known&time=2020-07" + extra, library)
    with Image.open(io.BytesIO(file.body)) as picture:
        picture.load()
        assert picture.width >= 1200
        assert "SIMULATED" in " ".join(str(text) for text in picture.info.values())
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 60
    assert file.media_type == "image/png"


def test_the_cells_series_comes_with_its_fit(library: Library) -> None:
    file = produce("series.csv", "cube=known&point=116.4,39.9", library)
    table = pd.read_csv(io.BytesIO(file.body), comment="#", parse_dates=["time"])
    assert len(table) == len(MONTHS)
    np.testing.assert_allclose(
        table["xco2"], [known_value(k, np.float64(116.5), np.float64(39.5)) for k in range(len(MONTHS))], atol=0.0051
    )
    assert {"fitted", "trend", "seasonal", "residual"} <= set(table.columns)
    growth = next(line for line in file.body.decode().splitlines() if line.startswith("# growth:"))
    assert float(growth.split()[2]) == pytest.approx(GROWTH_PPM, abs=0.02)


def test_a_regions_series_is_area_weighted(library: Library) -> None:
    file = produce("series.csv", "cube=known&region=poly:10,20;50,20;50,40;10,40", library)
    table = pd.read_csv(io.BytesIO(file.body), comment="#")
    lon, lat = np.meshgrid(np.arange(10.5, 50), np.arange(20.5, 40))
    weights = np.sin(np.radians(lat + 0.5)) - np.sin(np.radians(lat - 0.5))
    assert table["xco2_mean"][0] == pytest.approx(np.average(known_value(0, lon, lat), weights=weights), abs=0.004)
    assert (table["coverage"] == 1.0).all()


@pytest.mark.parametrize(
    ("kind", "query", "said"),
    [
        ("series.csv", "cube=known", "click the map or choose a region"),
        ("map.exe", "cube=known", "There is no download"),
        ("map.nc", "cube=known&at=0,89.99,0.05", "choose a larger area"),
    ],
)
def test_what_cannot_be_downloaded_is_said(library: Library, kind: str, query: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        produce(kind, query, library)


def test_an_empty_data_folder_has_nothing_to_download(tmp_path: Path) -> None:
    for kind in KINDS:
        with pytest.raises(DownloadProblem, match="no data set"):
            produce(kind, "", Library(tmp_path))
