"""The cube on a real product: twelve years of monthly GOSAT Level 3 maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray as xr

from data.cube import Cube, Grid, Variable, View


@pytest.fixture(scope="module")
def gosat(real: Path) -> xr.Dataset:
    dataset = xr.open_dataset(real / "satellite" / "derived" / "gosat_l3_swir_xco2_v0305_stack.nc").load()
    return dataset.sortby("lat").sortby("lon")


@pytest.fixture(scope="module")
def cube(gosat: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Cube:
    """Written with gaps in time, newest first, sealed half-way."""
    grid = Grid.from_centres(gosat.lat.to_numpy(), gosat.lon.to_numpy())
    variables = [
        Variable("xco2", "ppm", "XCO2, mean of the cell's soundings", "int16", 0.01, 400.0),
        Variable("xco2_std", "ppm", "their standard deviation", "float32"),
    ]
    folder = tmp_path_factory.mktemp("gosat") / "gosat-l3"
    cube = Cube.create(folder, name="gosat-l3", title="GOSAT L3", grid=grid, variables=variables)
    for number, time in enumerate(gosat.time.to_numpy()[::-1]):
        month = gosat.sel(time=time)
        cube.write(time, {"xco2": month.xco2_cell_mean.to_numpy(), "xco2_std": month.xco2_cell_std.to_numpy()})
        if number == 70:
            cube.seal()
    return cube


def test_all_of_it_is_there(cube: Cube, gosat: xr.Dataset):
    assert cube.grid == Grid(-180.0, -90.0, 2.5, 2.5, 144, 72)
    np.testing.assert_array_equal(cube.times, gosat.time.to_numpy().astype("datetime64[ns]"))
    dataset = cube.to_xarray()
    np.testing.assert_allclose(dataset.xco2, gosat.xco2_cell_mean, atol=0.00503)
    np.testing.assert_array_equal(dataset.xco2_std, gosat.xco2_cell_std.astype("f4"))


@pytest.mark.parametrize(("lon", "lat"), [(139.7, 35.7), (-97.5, 36.6), (133.0, -12.4), (0.0, 0.0)])
def test_series_of_cells(cube: Cube, gosat: xr.Dataset, lon: float, lat: float):
    expected = gosat.xco2_cell_mean.isel(lat=int((lat + 90) // 2.5), lon=int((lon + 180) // 2.5))
    np.testing.assert_allclose(cube.series("xco2", lon, lat), expected, atol=0.00503)


def test_regional_means_and_growth(cube: Cube, gosat: xr.Dataset):
    edges = np.sin(np.radians(np.linspace(-90, 90, 73)))
    areas = xr.DataArray(np.diff(edges), coords={"lat": gosat.lat})
    part = gosat.xco2_cell_mean.where((abs(gosat.lat - 35) < 20) & (gosat.lon > 70) & (gosat.lon < 140), drop=True)
    expected = part.weighted(areas).mean(("lat", "lon"))
    found = cube.region_series("xco2", shapely.box(70, 15, 140, 55))
    np.testing.assert_allclose(found.mean, expected, atol=0.002)
    years = (found.times - found.times[0]).astype("timedelta64[D]").astype(float) / 365.25
    growth = np.polyfit(years, found.mean, 1)[0]
    assert 2.2 < growth < 2.6  # ppm a year, as NOAA's global growth of 2010-2021
    assert found.coverage.min() > 0.05 and found.coverage.max() < 0.9
    np.testing.assert_allclose(cube.zonal("xco2")[2], gosat.xco2_cell_mean.mean("lon"), atol=0.00503)


def test_limits_and_picture(cube: Cube, gosat: xr.Dataset):
    low, high = cube.limits("xco2")
    assert 380 < low < 390 and 410 < high < 420
    picture = cube.decode("xco2", cube.window("xco2", 100, View(-180, 180, -90, 90, 720, 360)))
    month = gosat.xco2_cell_mean.isel(time=100).to_numpy()
    np.testing.assert_allclose(picture, np.kron(month, np.ones((5, 5))), atol=0.00503)
