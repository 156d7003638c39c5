"""Maps whose layout nobody told us: whatever the order, names and units, the same map comes out, or one sentence."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.errors import FileProblem
from data.readers import find_reader, read
from data.readers.gridded import READERS, read_grid
from data.readers.probe import Probe

ROWS, COLUMNS = 36, 72
LAT = -87.5 + 5.0 * np.arange(ROWS)
LON = -177.5 + 5.0 * np.arange(COLUMNS)


def truth(rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """(rows, columns) ppm, south first, from 180 W; no two cells are equal, so any mix-up shows."""
    return (380.0 + np.arange(rows)[:, None] + np.arange(columns)[None, :] * (0.9 / columns)).astype(np.float32)


def dataset(*, dims=("lat", "lon"), name="XCO2", units="ppm", names=("lat", "lon"), scale=1.0) -> xr.Dataset:
    field = xr.DataArray(
        truth() * scale, dims=("lat", "lon"), coords={"lat": LAT, "lon": LON}, name=name, attrs={"units": units}
    )
    return field.transpose(*dims).rename(dict(zip(("lat", "lon"), names, strict=True))).to_dataset()


def saved(ds: xr.Dataset, folder: Path, name: str = "XCO2_201501.nc") -> Path:
    path = folder / name
    ds.to_netcdf(path)
    return path


def check(product, *, tolerance=1e-3):
    grid = product.dataset
    assert (product.kind, product.reader) == ("grid", "gridded")
    assert grid["xco2"].dims == ("time", "lat", "lon")
    assert grid["xco2"].attrs["units"] == "ppm"
    np.testing.assert_allclose(grid["lat"], LAT)
    np.testing.assert_allclose(grid["lon"], LON)
    np.testing.assert_allclose(grid["xco2"][-1], truth(), atol=tolerance)


# ------------------------------------------------------------------------------------------------- any layout, one map
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    order=st.permutations(["time", "lat", "lon"]),
    with_time=st.booleans(),
    north_first=st.booleans(),
    from_greenwich=st.booleans(),
    unit=st.sampled_from(
        [("ppm", 1.0), ("1e-6", 1.0), ("mol mol-1", 1e-6), ("1", 1e-6), ("", 1.0), ("", 1e-6), ("ppb", 1e3)]
    ),
    names=st.sampled_from(
        [("lat", "lon"), ("latitude", "longitude"), ("y", "x"), ("nav_lat", "nav_lon"), ("Lats", "Lons")]
    ),
    variable=st.sampled_from(["XCO2", "xco2", "CO2", "Band1", "prediction", "xco2_pred"]),
)
def test_every_layout_gives_the_same_map(
    tmp_path_factory, order, with_time, north_first, from_greenwich, unit, names, variable
):
    text, scale = unit
    ds = dataset(name=variable, units=text, scale=scale)
    if with_time:
        ds = ds.expand_dims(time=[np.datetime64("2015-01-16")])
    if north_first:
        ds = ds.isel(lat=slice(None, None, -1))
    if from_greenwich:
        ds = ds.assign_coords(lon=ds["lon"] % 360).sortby("lon")
    ds = ds.transpose(*[dim for dim in order if dim in ds.dims]).rename(lat=names[0], lon=names[1])
    product = read(saved(ds, tmp_path_factory.mktemp("layout")))
    check(product)
    assert str(product.span[0])[:7] == "2015-01"


def test_uneven_attributes_beat_misleading_names(tmp_path):
    ds = dataset().rename(lat="x", lon="y")  # swapped names, honest attributes
    ds["x"].attrs["units"] = "degrees_north"
    ds["y"].attrs["units"] = "degrees_east"
    check(read(saved(ds, tmp_path)))


def test_coordinates_known_only_by_their_values(tmp_path):
    path = tmp_path / "XCO2_2015_1.nc"
    with h5py.File(path, "w") as file:  # no names, no attributes, no dimension scales
        file["a"] = LON % 360
        file["b"] = LAT[::-1]
        file["field"] = np.roll(truth(), COLUMNS // 2, axis=1)[::-1].T
    with h5py.File(path, "r+") as file:
        file["a"][:] = np.sort(LON % 360)
    check(read(path))


def test_two_dimensional_coordinates(tmp_path):
    lon, lat = np.meshgrid(LON, LAT[::-1])
    ds = xr.Dataset(
        {
            "XCO2": (("row", "column"), truth()[::-1]),
            "Latitude": (("row", "column"), lat),
            "Longitude": (("row", "column"), lon),
        }
    )
    check(read(saved(ds, tmp_path)))


def test_curvilinear_grids_are_refused(tmp_path):
    lon, lat = np.meshgrid(LON, LAT)
    ds = xr.Dataset(
        {"XCO2": (("r", "c"), truth()), "lat": (("r", "c"), lat + lon / 100), "lon": (("r", "c"), lon + lat / 10)}
    )
    with pytest.raises(FileProblem, match="curvilinear"):
        read(saved(ds, tmp_path))


@pytest.mark.parametrize("transposed", [False, True])
def test_no_coordinates_at_all_at_a_twentieth_of_a_degree(tmp_path, transposed):
    rows, columns = 3600, 7200
    values = np.broadcast_to((380.0 + 40.0 * np.arange(rows) / rows).astype(np.float32)[::-1, None], (rows, columns))
    path = tmp_path / "XCO2_201507.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "data", data=values.T if transposed else values, chunks=(900, 900), compression="gzip", compression_opts=1
        )
    product = read(path)
    grid = product.dataset
    assert grid.sizes["lat"] == 3600 and grid.sizes["lon"] == 7200
    assert float(grid["lat"][0]) == -89.975 and float(grid["lon"][0]) == -179.975
    column = grid["xco2"].isel(time=0, lon=7000).to_numpy()
    np.testing.assert_allclose(column, 380.0 + 40.0 * np.arange(rows) / rows, atol=1e-3)
    assert "first row in the north" in grid.attrs["note"]
    assert grid.attrs["catalog"] == "xco2-0p05"
    assert grid["time"].to_numpy()[0] == np.datetime64("2015-07-16T12")


def test_rounded_coordinates_become_exact(tmp_path):
    lat = (-89.975 + 0.05 * np.arange(3600)).astype(np.float32)
    ds = xr.Dataset(
        {"xco2": (("lat", "lon"), np.full((3600, 4), 400.0, np.float32))},
        {"lat": lat, "lon": np.float32([0.025, 0.075, 0.125, 0.175])},
    )
    grid = read(saved(ds, tmp_path)).dataset
    np.testing.assert_allclose(np.diff(grid["lat"]), 0.05, atol=1e-9)
    np.testing.assert_allclose(grid["lat_bnds"][[0, -1]], [[-90, -89.95], [89.95, 90]], atol=1e-9)


def test_polar_half_cells_keep_their_edges(tmp_path):
    lat = np.concatenate([[-89.5], np.arange(-88, 89, 2.0), [89.5]])
    ds = xr.Dataset(
        {"xco2": (("lat", "lon"), np.full((91, 144), 400.0))}, {"lat": lat, "lon": np.arange(-180, 180, 2.5)}
    )
    bounds = read(saved(ds, tmp_path)).dataset["lat_bnds"].to_numpy()
    np.testing.assert_allclose(bounds[[0, 1, -1]], [[-90, -89], [-89, -87], [89, 90]])


def test_packed_values_fill_values_and_undeclared_fills(tmp_path):
    field = truth()
    field[3, 5], field[4, 6], field[5, 7], field[6, 8] = np.nan, -999.0, 0.0, 1e20
    ds = dataset()
    ds["XCO2"] = (("lat", "lon"), field)
    grid = read(saved(ds, tmp_path)).dataset
    assert int(grid["xco2"].isnull().sum()) == 4
    assert np.isnan(grid["xco2"].to_numpy()[0, [3, 4, 5, 6], [5, 6, 7, 8]]).all()
    packed = tmp_path / "packed_201501.nc"
    ds.where(ds > 100).where(ds < 1e3).to_netcdf(
        packed, encoding={"XCO2": {"dtype": "int16", "scale_factor": 0.01, "add_offset": 400.0, "_FillValue": -32768}}
    )
    np.testing.assert_allclose(read(packed).dataset["xco2"], grid["xco2"], atol=0.006)


def test_duplicated_and_unsorted_times(tmp_path):
    times = np.array(["2015-03-01", "2015-01-01", "2015-03-01"], dtype="datetime64[ns]")
    ds = dataset().expand_dims(time=times).copy(deep=True)
    ds["XCO2"][0] += 7.0
    grid = read(saved(ds, tmp_path, "series.nc")).dataset
    np.testing.assert_array_equal(grid["time"], np.array(["2015-01-01", "2015-03-01"], dtype="datetime64[ns]"))
    np.testing.assert_allclose(grid["xco2"][1], truth(), atol=1e-3)  # the later of the two stays


def test_months_without_dates_come_from_the_name(tmp_path):
    ds = xr.concat([dataset()] * 12, "band")
    grid = read(saved(ds.rename(band="time"), tmp_path, "XCO2_2016.nc")).dataset
    assert grid.sizes["time"] == 12 and str(grid["time"].to_numpy()[1])[:10] == "2016-02-15"
    with pytest.raises(FileProblem, match="12 time steps without dates"):
        read(saved(ds.rename(band="time"), tmp_path, "series.nc"))


def test_uncertainties_priors_and_counts(tmp_path):
    ds = dataset(units="1", scale=1e-6)
    ds["XCO2PREC"] = ds["XCO2"] * 0 + 0.5e-6
    ds["xco2_stddev"] = ds["XCO2"] * 0 + 1.5e-6
    ds["xco2_apriori"] = ds["XCO2"] - 2e-6
    ds["xco2_nobs"] = (ds["XCO2"] * 0 + 3).astype(np.int32)
    for name in ("XCO2PREC", "xco2_stddev", "xco2_apriori"):
        ds[name].attrs["units"] = "1"
    grid = read(saved(ds, tmp_path, "oco2_GEOS_L3CO2_month_201501_B10206Ar.nc4")).dataset
    np.testing.assert_allclose(grid["xco2_uncertainty"], 0.5, atol=1e-6)
    np.testing.assert_allclose(grid["xco2_std"], 1.5, atol=1e-6)
    np.testing.assert_allclose(grid["xco2_prior"][0], truth() - 2.0, atol=1e-3)
    np.testing.assert_array_equal(grid["xco2_nobs"], 3)
    assert grid.attrs["catalog"] == "oco2-geos-l3"


def test_co2_on_levels_stays_a_profile(tmp_path):
    ds = dataset(name="co2", units="mol mol-1", scale=1e-6).expand_dims(level=[1000.0, 500.0])
    grid = read(saved(ds, tmp_path, "cams_201501.nc")).dataset
    assert grid["co2"].dims == ("time", "lev", "lat", "lon")
    np.testing.assert_allclose(grid["co2"][0, 1], truth(), atol=1e-3)
    assert "xco2" not in grid


def test_other_quantities_keep_name_and_unit_and_need_no_date(tmp_path):
    ds = dataset(name="roughness", units="m", scale=0.01)
    product = read(saved(ds, tmp_path, "roughness.nc"))
    assert product.dataset["roughness"].attrs["units"] == "m"
    assert product.dataset.attrs["static"] == 1
    flux = dataset(name="co2_flux", units="kg m-2 s-1", scale=1e-12)
    assert "xco2" not in read(saved(flux, tmp_path, "flux_201501.nc")).dataset


def test_fields_in_a_group_with_axes_in_the_root(tmp_path):
    path = tmp_path / "L3_201501.h5"
    with h5py.File(path, "w") as file:
        file["lat"], file["lon"] = LAT, LON
        file["data/xco2"] = truth()
        for name, dim in (("lat", 0), ("lon", 1)):
            file[name].make_scale(name)
            file["data/xco2"].dims[dim].attach_scale(file[name])
        file.attrs["title"] = "A level-3 product"
    product = read(path)
    check(product)
    assert product.dataset.attrs["title"] == "A level-3 product"
    assert "group 'data'" in product.dataset.attrs["note"]


def test_geotiff(tmp_path):
    import rasterio

    path = tmp_path / "XCO2_201501.tif"
    transform = rasterio.transform.from_origin(-180.0, 90.0, 5.0, 5.0)
    profile = {
        "driver": "GTiff",
        "height": ROWS,
        "width": COLUMNS,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:4326",
        "nodata": -9999.0,
    }
    values = truth()[::-1].copy()
    values[0, 0] = -9999.0
    with rasterio.open(path, "w", transform=transform, **profile) as file:
        file.write(values, 1)
    grid = read(path).dataset
    assert np.isnan(grid["xco2"][0, -1, 0])
    np.testing.assert_allclose(grid["xco2"][0, :-1], truth()[:-1], atol=1e-3)
    bare = tmp_path / "bare_201501.tif"
    with rasterio.open(bare, "w", **{**profile, "crs": None}) as file:
        file.write(values, 1)
    assumed = read(bare).dataset
    np.testing.assert_allclose(assumed["xco2"][0, :-1], truth()[:-1], atol=1e-3)
    assert "no georeference" in assumed.attrs["note"]
    moved = tmp_path / "utm_201501.tif"
    with rasterio.open(moved, "w", transform=transform, **{**profile, "crs": "EPSG:32650"}) as file:
        file.write(values, 1)
    with pytest.raises(FileProblem, match="map projection"):
        read(moved)


# ------------------------------------------------------------------------------------------------------ large and lazy
def dense_zarr(path: Path, zarr_format: int) -> Path:
    """A global 0.05-degree monthly store of 100 GB when dense, of which one chunk is written."""
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    shape = (966, 3600, 7200)
    named = {"dimension_names": ("time", "lat", "lon")} if zarr_format == 3 else {}
    field = group.create_array("xco2", shape=shape, chunks=(1, 600, 600), dtype="float32", fill_value=np.nan, **named)
    field.attrs.update(units="ppm")
    field[0, :600, :600] = 400.0
    axes = {"time": np.arange(966), "lat": 89.975 - 0.05 * np.arange(3600), "lon": -179.975 + 0.05 * np.arange(7200)}
    for name, values in axes.items():
        array = group.create_array(
            name, shape=values.shape, dtype=values.dtype, **({"dimension_names": (name,)} if named else {})
        )
        array[:] = values
        array.attrs.update(
            units="months since 1940-01-01" if name == "time" else "degrees_north" if name == "lat" else "degrees_east"
        )
    if not named:
        for name, dims in (("xco2", ["time", "lat", "lon"]), ("time", ["time"]), ("lat", ["lat"]), ("lon", ["lon"])):
            group[name].attrs["_ARRAY_DIMENSIONS"] = dims
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_hundred_gigabytes_stay_on_disk(tmp_path, zarr_format):
    product = read(dense_zarr(tmp_path / "big.zarr", zarr_format))
    field = product.dataset["xco2"]
    assert field.nbytes > 100e9 and field.chunks is not None
    assert product.count == 966
    assert float(field[0, -1, 0]) == 400.0  # north-west corner, computed alone
    assert np.isnan(float(field[-1, 0, 0]))
    assert product.dataset["time"].to_numpy()[0] == np.datetime64("1940-01-16T12")


# ------------------------------------------------------------------------------------------------------------ bad input
def test_wrong_units(tmp_path):
    for units, scale, words in (
        ("K", 0.7, "units"),
        ("ppm", 0.01, "median"),
        ("mol mol-1", 1.0, "median"),
        ("kg m-2", 0.015, "units"),
    ):
        with pytest.raises(FileProblem, match=words):
            read(saved(dataset(units=units, scale=scale), tmp_path))


def test_a_unit_that_the_values_contradict_is_noted(tmp_path):
    product = read(saved(dataset(name="tcco2", units="kg m**-2"), tmp_path))
    check(product)
    assert "kg m**-2" in product.dataset.attrs["note"]


def test_nothing_but_fill_values(tmp_path):
    with pytest.raises(FileProblem, match="missing values"):
        read(saved(dataset() * np.nan, tmp_path))


def test_no_date(tmp_path):
    with pytest.raises(FileProblem, match=r"without a date.*201501"):
        read(saved(dataset(), tmp_path, "map.nc"))


def test_points_are_no_grid(tmp_path):
    ds = xr.Dataset(
        {
            "XCO2": (("p", "q"), np.full((20, 20), 400.0)),
            "lat": ("p", np.linspace(0, 9, 20)),
            "lon": ("p", np.linspace(0, 9, 20)),
        }
    )
    with pytest.raises(FileProblem, match="points"):
        read_grid(saved(ds, tmp_path))


def test_no_latitude(tmp_path):
    with pytest.raises(FileProblem, match="no latitude and longitude"):
        read(saved(xr.Dataset({"a": (("p", "q"), np.zeros((20, 30)))}), tmp_path))


def test_scrambled_latitudes(tmp_path):
    ds = dataset().isel(lat=np.random.default_rng(1).permutation(ROWS))
    with pytest.raises(FileProblem, match="rising or falling"):
        read(saved(ds, tmp_path))


@pytest.mark.parametrize("format_", ["NETCDF4", "NETCDF3_64BIT"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_files_fail_in_one_sentence(tmp_path, format_, share):
    path = tmp_path / "XCO2_201501.nc"
    dataset().to_netcdf(path, format=format_)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FileProblem) as caught:
        read(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_empty_missing_and_folders(tmp_path):
    empty = tmp_path / "empty_201501.nc"
    empty.touch()
    for path, words in ((empty, "empty"), (tmp_path / "none.nc", "no such file"), (tmp_path, "folder")):
        with pytest.raises(FileProblem, match=words):
            read(path)


def test_a_file_that_vanishes_between_the_look_and_the_reading(tmp_path):
    path = saved(dataset(), tmp_path)
    reader = find_reader(Probe.of(path))
    path.unlink()
    with pytest.raises(FileProblem):
        reader.read(path)


def test_small_files_survive_their_deletion(tmp_path):
    path = saved(dataset(), tmp_path)
    product = read(path)
    path.unlink()
    check(product)


def test_the_generic_reader_comes_last():
    from data.readers import readers

    names = [reader.name for reader in readers()]
    assert names[-1] == READERS[0].name
    assert len(set(names)) == len(names)


# ----------------------------------------------------------------------------------------------------------- real files
def test_real_column_co2_with_a_wrong_unit(real):
    product = read(real / "column_co2_fields" / "SMALL_total_column_co2.nc")
    field = product.dataset["xco2"]
    assert field.sizes == {"time": 31, "lat": 161, "lon": 320}
    assert product.span == (np.datetime64("2006-01-01T06", "ns"), np.datetime64("2006-01-08T18", "ns"))
    assert float(field.mean()) == pytest.approx(385.8, abs=0.05)
    assert 374 < float(field.min()) < float(field.max()) < 402.5
    assert "kg m**-2" in product.dataset.attrs["note"]
    with xr.open_dataset(real / "column_co2_fields" / "SMALL_total_column_co2.nc") as raw:
        here = raw["tcco2"].sel(latitude=45.0, longitude=270.0)
        np.testing.assert_allclose(field.sel(lat=45.0, lon=-90.0), here, atol=1e-3)


def test_names_of_a_series_share_one_collection(tmp_path):
    ds = dataset()
    found = {
        read(saved(ds, tmp_path, f"XCO2_{y}{m:02d}.nc")).collection
        for y, m in itertools.product((2015, 2016), (1, 7, 12))
    }
    assert found == {"xco2-5deg"}
