"""Emission, flux and SIF maps as cubes: every layout becomes maps with their own unit, place, time and citation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

from dashboard.attribution import attribution
from data.cube import Cube
from data.home import cubes_dir
from data.importing import import_paths


def cube_of(home: Path, path: Path) -> Cube:
    """Import one file; it must become exactly one cube."""
    records = import_paths([path], home=home)
    assert [record.status for record in records] == ["imported"], [record.message for record in records]
    (folder,) = [folder for folder in cubes_dir(home).iterdir() if (folder / "manifest.json").exists()]
    return Cube.open(folder)


def total_pg_a_year(cube: Cube, variable: str, step: int = 0) -> float:
    """Area integral of a flux in mol m-2 s-1 as Pg C a year."""
    values = np.nan_to_num(cube.read(variable, step).to_numpy())
    area_m2 = cube.grid.row_areas()[:, None] * 1e6
    return float((values * area_m2).sum() * 12.011 * 365 * 86400 / 1e15)


# --------------------------------------------------------------------------------------------------------- real files
def test_real_cdiac(home, real):
    cube = cube_of(home, real / "emissions" / "cdiac_gridcar_1deg" / "gridcar.2013")
    assert cube.variables["fossil_emission"].units == "Tg yr-1"
    assert cube.variables["fossil_flux_imp"].units == "mol m-2 s-1"
    assert total_pg_a_year(cube, "fossil_flux_imp") == pytest.approx(9.2336, rel=1e-3)
    assert "Andres" in attribution(cube).citation


def test_real_carbontracker_cites_its_own_release(home, real):
    cube = cube_of(home, real / "carbontracker" / "flux1x1" / "CT2015.flux1x1.2014-mean.nc")
    assert total_pg_a_year(cube, "bio_flux_opt") == pytest.approx(-4.40, abs=0.02)
    assert total_pg_a_year(cube, "fossil_flux_imp") == pytest.approx(9.81, abs=0.02)
    known = attribution(cube)
    assert "CT2015" in known.citation and "CT2022" not in known.citation + known.source


# ------------------------------------------------------------------------------------------------------------- layouts
def tansat_like(path: Path) -> Path:
    """A year of fluxes on GEOS-Chem's 4 x 5 degree grid, whose polar cells are half as high; values tell their place."""
    lat = np.concatenate([[-89.0], np.arange(-86.0, 87.0, 4.0), [89.0]]).astype("f4")
    lon = np.arange(-180.0, 180.0, 5.0).astype("f4")
    month = np.arange(12)[:, None, None]
    flux = (month + lat[:, None] / 100 + lon / 10_000).astype("f4")
    time = np.arange("2017-05", "2018-05", dtype="datetime64[M]").astype("datetime64[ns]")
    xr.Dataset(
        {"posterior_flux": (("time", "lat", "lon"), flux, {"units": "gC/m2/day", "long_name": "posterior net flux"})},
        {"time": time, "lat": lat, "lon": lon},
    ).to_netcdf(path)
    return path


def test_tansat_flux_with_half_cells_at_the_poles(home, tmp_path):
    cube = cube_of(home, tansat_like(tmp_path / "TanSat_flux_201705_201804.nc"))
    assert (cube.grid.nlat, cube.grid.nlon, len(cube.times)) == (46, 72, 12)
    assert cube.variables["posterior_flux"].units == "gC/m2/day"
    assert cube.grid.lat[[0, 1, -1]].tolist() == [-90.0, -86.0, 90.0]
    assert float(cube.grid.row_areas().sum() * 72) == pytest.approx(5.1007e8, rel=1e-4)  # the sphere, once
    assert cube.series("posterior_flux", 100.0, 38.0)[3] == pytest.approx(3 + 0.38 + 0.01)
    assert cube.series("posterior_flux", 100.0, 89.9)[0] == pytest.approx(0.89 + 0.01)
    assert "TanSat" in attribution(cube).citation


def test_other_irregular_latitudes_are_still_refused(home, tmp_path):
    lat, lon = np.array([-89.0, -86.0, -80.0, -78.0, -74.0, -70.0]), np.arange(-180.0, 180.0, 5.0)
    path = tmp_path / "odd_flux_2017.nc"
    flux = (("lat", "lon"), np.zeros((6, 72), "f4"), {"units": "gC/m2/day"})
    xr.Dataset({"flux": flux}, {"lat": lat, "lon": lon}).to_netcdf(path)
    (record,) = import_paths([path], home=home)
    assert record.status == "failed" and "regular latitude-longitude grid" in record.message


def test_graced_sectors_and_totals_share_a_cube(home, tmp_path):
    lat, lon = 89.5 - np.arange(180.0), -179.5 + np.arange(360.0)
    for name, value in (("total", 7.2), ("1_Power", 3.6)):
        emission = np.zeros((2, 180, 360), "f4")
        emission[:, 54, 310] = value
        xr.Dataset(
            {"emission": (("nday", "latitude", "longitude"), emission, {"units": "kgC/h"})},
            {"latitude": lat, "longitude": lon, "nday": np.array(["2019-06-01", "2019-06-02"], "datetime64[ns]")},
        ).to_netcdf(tmp_path / f"CarbonMonitor_{name}_y2019_m06.nc")
    assert all(record.status == "imported" for record in import_paths([tmp_path], home=home))
    cube = Cube.open(cubes_dir(home) / "graced")
    assert sorted(cube.variables) == ["fossil_flux_imp", "power_flux_imp"] and len(cube.times) == 2
    assert total_pg_a_year(cube, "power_flux_imp", 1) == pytest.approx(3.6 * 24 * 365 / 1e12, rel=1e-3)
    assert total_pg_a_year(cube, "fossil_flux_imp", 1) == pytest.approx(7.2 * 24 * 365 / 1e12, rel=1e-3)


def test_odiac_geotiff(home, tmp_path):
    values = np.zeros((180, 360), "f4")
    values[54, 310] = 1000.0
    path = tmp_path / "odiac2023_1km_excl_intl_1907.tif"
    profile = {"driver": "GTiff", "height": 180, "width": 360, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(path, "w", **profile, transform=rasterio.transform.from_origin(-180, 90, 1, 1)) as file:
        file.write(values, 1)
    cube = cube_of(home, path)
    assert cube.variables["fossil_emission"].units == "t month-1"
    assert cube.series("fossil_emission", 130.5, 35.5)[0] == 1000.0
    assert total_pg_a_year(cube, "fossil_flux_imp") == pytest.approx(1000e6 / 1e15 * 365 / 31, rel=1e-3)
    assert "ODIAC2023" in attribution(cube).citation


def test_gridded_sif_keeps_its_unit(home, tmp_path):
    lat, lon = -89.5 + np.arange(180.0), -179.5 + np.arange(360.0)
    sif = (
        ("time", "lat", "lon"),
        np.full((1, 180, 360), 0.6, "f4"),
        {"units": "W m-2 sr-1 um-1", "long_name": "daily mean SIF at 740 nm"},
    )
    path = tmp_path / "oco2_sif_monthly_201907.nc"
    time = np.array(["2019-07-16"], "datetime64[ns]")
    xr.Dataset({"sif_740nm": sif}, {"time": time, "lat": lat, "lon": lon}).to_netcdf(path)
    cube = cube_of(home, path)
    assert cube.variables["sif_740nm"].units == "W m-2 sr-1 um-1"
    assert cube.series("sif_740nm", 10.5, 50.5)[0] == pytest.approx(0.6)
