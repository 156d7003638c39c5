"""Meteorology: one set of names and units from four providers, with values of the real files."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
import xarray as xr

from data.readers.meteorology import READERS
from data.readers.probe import Probe


def read(path):
    return next(reader for reader in READERS if reader.recognises(Probe.of(path))).read(path)


# ----------------------------------------------------------------------------------------------------------- real files
@pytest.mark.parametrize(
    ("file", "ours", "levels", "low", "high"),
    [
        ("air_2022_day5.nc", "temperature", 17, 180, 320),
        ("hgt_2022_day5.nc", "geopotential_height", 17, -400, 33000),
        ("omega_2022_day5.nc", "omega", 12, -1, 1),
        ("shum_2022_day5.nc", "specific_humidity", 8, 0, 0.04),
        ("uwnd_2022_day5.nc", "u_wind", 17, -90, 120),
        ("vwnd_2022_day5.nc", "v_wind", 17, -90, 120),
    ],
)
def test_real_ncep_daily(real, file, ours, levels, low, high):
    path = real / "meteorology" / "ncep_r1_daily_20220101_05" / file
    product = read(path)
    field = product.dataset[ours]
    assert product.collection == "ncep-r1-daily"
    assert field.shape == (5, levels, 73, 144) and field.dims == ("time", "lev", "lat", "lon")
    assert low <= float(field.min()) and float(field.max()) <= high
    assert float(product.dataset["lev"][0]) == 1000.0 and product.dataset["lev"].attrs["units"] == "hPa"
    with netCDF4.Dataset(path) as raw:
        name = file.split("_")[0]
        value = raw[name][2, 3, 10, 100]  # 65 N, 110 W
        assert float(field[2, 3].sel(lat=65.0, lon=-110.0)) == pytest.approx(float(value), rel=1e-6)


def test_real_ncep_monthly_units(real):
    folder = real / "meteorology" / "ncep_r1_monthly_202201_02"
    air = read(folder / "air_202201_mon_mean.nc")
    assert air.collection == "ncep-r1-monthly"
    with netCDF4.Dataset(folder / "air_202201_mon_mean.nc") as raw:
        assert raw["air"].units == "degC"
        expected = float(raw["air"][0, 0, 36, 0]) + 273.15
    assert float(air.dataset["temperature"][0, 0].sel(lat=0.0, lon=0.0)) == pytest.approx(expected, abs=1e-3)
    pressure = read(folder / "pressfc_202201_mon_mean.nc").dataset["surface_pressure"]
    assert pressure.dims == ("time", "lat", "lon") and 9.5e4 < float(pressure.mean()) < 9.8e4


def test_real_era_interim_climatology(real):
    product = read(real / "meteorology" / "era_interim_clim" / "eraint_uvz.nc")
    grid = product.dataset
    assert grid["time"].dt.month.values.tolist() == [1, 7]
    assert "climatology" in grid.attrs["note"]
    assert 5000 < float(grid["geopotential_height"].sel(lev=500).mean()) < 5900
    jet = grid["u_wind"].sel(lev=200)[0].mean("lon")
    assert 20 < float(jet.sel(lat=slice(20, 40)).max()) < 60
    assert float(grid["lat"][0]) == -90.0 and float(grid["lat_bnds"][0, 0]) == -90.0


# -------------------------------------------------------------------------------------------------------------- layouts
def geos_file(path, fields, *, edges=()):
    lat = np.concatenate([[-89.0], np.arange(-86.0, 87, 4), [89.0]])
    coords = {
        "time": ("time", [30.0, 90.0], {"units": "minutes since 2019-07-01 00:00:00.0"}),
        "lev": ("lev", np.arange(1.0, 4)),
        "ilev": ("ilev", np.arange(1.0, 5)),
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", np.arange(-180.0, 180, 5), {"units": "degrees_east"}),
    }
    shapes = {2: ("time", "lat", "lon"), 3: ("time", "lev", "lat", "lon")}
    sizes = {"time": 2, "lev": 3, "ilev": 4, "lat": 46, "lon": 72}
    data = {}
    for name, (value, rank, units) in fields.items():
        dims = ("time", "ilev", "lat", "lon") if name in edges else shapes[rank]
        data[name] = (dims, np.full([sizes[dim] for dim in dims], value, np.float32), {"units": units})
    xr.Dataset(data, coords).to_netcdf(path)
    return path


def test_geos_chem_files(tmp_path):
    a1 = read(
        geos_file(
            tmp_path / "MERRA2.20190701.A1.4x5.nc4",
            {"PBLH": (800, 2, "m"), "USTAR": (0.3, 2, "m s-1"), "HFLUX": (50, 2, "W m-2")},
        )
    )
    assert a1.collection == "merra2-a1-4x5"
    assert sorted(a1.dataset.data_vars) == ["boundary_layer_height", "friction_velocity", "sensible_heat_flux"]
    assert a1.span[0] == np.datetime64("2019-07-01T00:30", "ns")
    np.testing.assert_allclose(a1.dataset["lat_bnds"][[0, 1, -1]], [[-90, -88], [-88, -84], [88, 90]])
    a3 = read(
        geos_file(tmp_path / "MERRA2.20190701.A3mstE.4x5.nc4", {"CMFMC": (0.01, 3, "kg m-2 s-1")}, edges=("CMFMC",))
    )
    assert a3.dataset["convective_mass_flux"].dims == ("time", "ilev", "lat", "lon")
    i3 = read(
        geos_file(
            tmp_path / "MERRA2.20190701.I3.4x5.nc4", {"PS": (985, 2, "hPa"), "T": (250, 3, "K"), "QV": (1, 3, "g kg-1")}
        )
    )
    assert float(i3.dataset["surface_pressure"].max()) == pytest.approx(98500)
    assert float(i3.dataset["specific_humidity"].max()) == pytest.approx(1e-3)
    assert i3.dataset["temperature"].dims == ("time", "lev", "lat", "lon")


def test_pressure_in_hpa_under_a_wrong_unit(tmp_path):
    path = geos_file(
        tmp_path / "GEOSFP.20190701.I3.4x5.nc", {"PS": (985, 2, "Pa"), "QV": (1e-3, 3, "kg kg-1"), "T": (250, 3, "K")}
    )
    assert float(read(path).dataset["surface_pressure"].max()) == pytest.approx(98500)


def test_era5_store_with_a_million_hours(tmp_path):
    """The ARCO layout: hours of 1900-2050 of which the last years are not there yet, opened without reading them."""
    import zarr

    path = tmp_path / "era5.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    hours, level, lat, lon = (
        1_323_648,
        np.array([500, 850]),
        np.linspace(90, -90, 37, dtype="f4"),
        np.arange(0, 360, 5, dtype="f4"),
    )
    for name, shape in {
        "temperature": (hours, 2, 37, 72),
        "surface_pressure": (hours, 37, 72),
        "geopotential": (hours, 2, 37, 72),
    }.items():
        field = group.create_array(name, shape=shape, chunks=(1, *shape[1:]), dtype="f4", fill_value=np.nan)
        field.attrs["_ARRAY_DIMENSIONS"] = ["time", *(["level"] if len(shape) == 4 else []), "latitude", "longitude"]
        field[5] = np.broadcast_to(lat[:, None] + 250.0, shape[1:])
    for name, values in {"time": np.arange(hours), "level": level, "latitude": lat, "longitude": lon}.items():
        axis = group.create_array(name, shape=values.shape, dtype=values.dtype)
        axis[:] = values
        axis.attrs["_ARRAY_DIMENSIONS"] = [name]
    group["time"].attrs["units"] = "hours since 1900-01-01"
    group.attrs["valid_time_stop"] = "2023-12-31"
    product = read(path)
    grid = product.dataset
    assert sorted(grid.data_vars) == ["surface_pressure", "temperature"]
    assert product.collection == "era5-hourly"
    assert product.span[1] == np.datetime64("2023-12-31T23", "ns")
    assert (float(grid["lon"][0]), float(grid["lat"][18])) == (-180.0, 0.0)  # the equator is not taken for a fill value
    np.testing.assert_allclose(
        grid["temperature"].isel(time=5, lev=1, lon=7).to_numpy(), 250.0 + np.linspace(-90, 90, 37), rtol=1e-6
    )


def test_era5_netcdf(tmp_path):
    path = tmp_path / "era5_20200101.nc"
    shape = (2, 2, 19, 36)
    dims = ("valid_time", "pressure_level", "latitude", "longitude")
    fields = {
        "u": (dims, np.full(shape, 5.0), {"units": "m s**-1", "long_name": "U component of wind"}),
        "z": (dims, np.full(shape, 9806.65), {"units": "m**2 s**-2", "long_name": "Geopotential"}),
    }
    coords = {
        "valid_time": ("valid_time", [0, 3600], {"units": "seconds since 2020-01-01"}),
        "pressure_level": ("pressure_level", [1000.0, 500.0], {"units": "hPa"}),
        "latitude": np.linspace(90, -90, 19),
        "longitude": np.arange(0.0, 360, 10),
    }
    xr.Dataset(fields, coords).to_netcdf(path)
    product = read(path)
    assert product.collection == "era5-hourly"
    np.testing.assert_allclose(product.dataset["geopotential_height"], 1000.0)
    assert product.dataset["lev"].values.tolist() == [1000.0, 500.0]
