"""OCO tables and maps: known rows, odd rows, maps whose layout changes, and a grid too large to hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from data.errors import FileProblem
from data.readers import read

BINNED = "lat_bin,lon_bin,latitude,longitude,co2,time"
CITY = "target_name,xco2,latitude,longitude,datetime,tag,location_1,city_country,country,city"
TEXT = "longitude\tlongitude_bnds\tlatitude\ttime..YYYYMMDDHHMMSS.\ttime_bnds..YYYYMMDDHHMMSS.\txco2..Moles.Mole...1.."


def problem(path) -> str:
    with pytest.raises(FileProblem) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: expected ") and "\n" not in text
    return text


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


# ------------------------------------------------------------------------------------------------------------ tables
def test_binned_days(tmp_path):
    path = write(
        tmp_path / "day.csv", BINNED, "1.0,2.0,1.01,358.5,410.5,1565129983.25", ",,,,,", "1,2,1,2,-9999,1565129984"
    )
    product = read(path)
    data = product.dataset
    assert (product.kind, product.reader, product.collection) == ("soundings", "oco3_binned", "oco3-lite-binned-0.1deg")
    assert product.count == 2 and data.attrs["note"] == "1 soundings without time or place left out"
    assert data["time"][0] == np.datetime64("2019-08-06T22:19:43.250", "ns")
    assert (float(data["lon"][0]), float(data["xco2"][0])) == (-1.5, 410.5) and np.isnan(data["xco2"][1])
    assert data["xco2_uncertainty"].isnull().all() and (data["quality_flag"] == -1).all()
    assert data.attrs["scale"] == "unknown" and data.attrs["instrument"] == "OCO-3"


def test_city_targets_and_soundings(tmp_path):
    path = write(
        tmp_path / "c.csv",
        CITY,
        "b'fossil_Abu_Dhabi_UAE',411.95,24.1,54.2,12/2/19 9:28,b'fossil,x,x,UAE,Abu_Dhabi",
        "b'fossil_Zibo_China',428.6,37.4,117.2,2025-02-16 04:22,b'fossil,x,x,China,Zibo",
    )
    data = read(path).dataset
    assert data["target"].to_numpy().tolist() == ["fossil_Abu_Dhabi_UAE", "fossil_Zibo_China"]
    assert data["time"].to_numpy().astype("datetime64[m]").astype(str).tolist() == [
        "2019-12-02T09:28",
        "2025-02-16T04:22",
    ]
    assert (data["mode"] == 4).all() and read(path).collection == "oco3-city-targets"
    path = write(
        tmp_path / "la.csv",
        "datetime,xco2,latitude,longitude,city,country",
        "2/24/20 19:59,413.3,37.1,-121.3,Los Angeles,USA",
    )
    assert read(path).collection == "oco3-city-soundings" and "mode" not in read(path).dataset


def test_city_sif(tmp_path):
    path = write(
        tmp_path / "s.csv",
        "Daily_SIF_,latitude,longitude,datetime,measuremen,sequence_n,country,city",
        "0.43,-7.4,112.3,2/25/20 7:06,AM,UNKNOWN,Indonesia,Mojokerto",
        "-0.1,-7.4,112.4,2/25/20 7:06,XX,UNKNOWN,Indonesia,Mojokerto",
    )
    product = read(path)
    assert product.collection == "oco3-sif-cities" and "xco2" not in product.dataset
    np.testing.assert_array_equal(product.dataset["daily_sif_740nm"], [0.43, -0.1])
    np.testing.assert_array_equal(product.dataset["mode"], [4, -1])
    assert product.dataset["daily_sif_740nm"].attrs["units"] == "W m-2 sr-1 um-1"


def test_pairs_are_a_table(tmp_path):
    path = write(
        tmp_path / "p.csv", ",time,lat,lon,oco2,oco3", "0,2019-08-11,27.9,270,408.1,408.6", "1,no,27.9,106,408.1,408.6"
    )
    product = read(path)
    assert (product.kind, product.count) == ("table", 1)
    assert float(product.dataset["xco2_oco2"][0]) == 408.1 and float(product.dataset["lon"][0]) == -90
    assert "found no row with a date" in problem(
        write(tmp_path / "q.csv", ",time,lat,lon,oco2,oco3", "1,no,27.9,106,408.1,408.6")
    )


def test_level_3_text_in_mole_fraction(tmp_path):
    name = tmp_path / "OCO2L2Stdv10_L3_20150801_000000_20150831_235959.txt"
    product = read(write(name, TEXT, "-74.5\t-74.7:-74.4\t-28.5\t20150811120000\tx\t0.000388817"))
    assert (product.collection, product.dataset.attrs["scale"]) == ("oco2-l3-0.25deg-v10r", "X2007")
    assert float(product.dataset["xco2"][0]) == pytest.approx(388.817)
    assert product.dataset["time"][0] == np.datetime64("2015-08-11T12", "ns")
    assert "with a median of 388.8" in problem(write(name, TEXT, "-74.5\tx\t-28.5\t20150811120000\tx\t388.8"))
    assert "found no column 'time'" in problem(
        write(name, TEXT.replace("time..", "when.."), "-74.5\tx\t-28.5\tx\tx\t4e-4")
    )


@pytest.mark.parametrize(("lines", "found"), [
    ([BINNED], "found a header without rows"),
    ([BINNED, "1,2,3,4,1800,1565129983"], "found no units with a median of 1800"),
    ([BINNED, "1,2,3,4,cloudy,1565129983"], "found no soundings with a value of xco2"),
    ([BINNED, "1,2,99,4,400,1565129983"], "found no soundings with time, latitude and longitude"),
    ([BINNED, "1,2,3,4,400,1565129983", '"unfinished, quote'], "content that cannot be read"),
    (["datetime,xco2,latitude,longitude", "someday,400,1,2"], "found no soundings with time, latitude and longitude"),
])  # fmt: skip
def test_tables_that_cannot_be_used(tmp_path, lines, found):
    assert found in problem(write(tmp_path / "t.csv", *lines))


# -------------------------------------------------------------------------------------------------------------- maps
def monthly(
    path, *, lat=(10.0, 9.5, 9.0), lon=(90.0, 90.5), dims=("time", "latitude", "longitude"), units="ppm", values=410.0
):
    column = np.full((1, len(lat), len(lon)), values, np.float32)
    column[0, 0, 0] = np.nan
    attrs = {"long_name": "CO2 mixing ratio"} | ({"units": units} if units else {})
    data = xr.Dataset({"co2": (dims, column if len(dims) == 3 else column[0], attrs), "crs": ((), 1)})
    data = data.assign_coords({dims[-2]: list(lat), dims[-1]: list(lon)})
    if "time" in dims:
        data = data.assign_coords(time=("time", [43099.0], {"units": "days since 1900-1-1 00:00:00"}))
    data.to_netcdf(path, format="NETCDF3_CLASSIC")
    return path


@pytest.mark.parametrize(
    "dims", [("time", "latitude", "longitude"), ("time", "lat", "lon"), ("lat", "lon"), ("y", "x")]
)
def test_monthly_maps_in_every_layout(tmp_path, dims):
    product = read(monthly(tmp_path / "CO2_mx_monthly_01_2018.fnl.nc", dims=dims))
    grid = product.dataset
    assert product.collection == "oco2-monthly-0.5deg-idw" and grid["xco2"].dims == ("time", "lat", "lon")
    assert grid["time"].to_numpy().tolist() == np.array(["2018-01-16T12"], "datetime64[ns]").tolist()
    np.testing.assert_array_equal(grid["lat"], [9.0, 9.5, 10.0])
    assert np.isnan(grid["xco2"][0, 2, 0]) and float(grid["xco2"].mean()) == 410


def test_monthly_maps_of_other_units_and_longitudes(tmp_path):
    grid = read(
        monthly(tmp_path / "CO2_mx_monthly_02_2018.nc", units="mol/mol", values=4.1e-4, lon=(180.0, 359.5))
    ).dataset
    assert float(grid["xco2"].mean()) == pytest.approx(410) and grid["xco2"].dtype == np.float32
    np.testing.assert_array_equal(grid["lon"], [-180, -0.5])


def test_monthly_maps_that_cannot_be_used(tmp_path):
    assert "found units 'K'" in problem(monthly(tmp_path / "CO2_mx_monthly_02_2018.nc", units="K"))
    assert "found a map without values" in problem(monthly(tmp_path / "CO2_mx_monthly_02_2018.nc", values=np.nan))
    assert "found no month, neither inside" in problem(monthly(tmp_path / "CO2_mx_monthly_map.nc", dims=("lat", "lon")))
    assert "found no co2 on latitude" in problem(
        monthly(tmp_path / "CO2_mx_monthly_03_2018.nc", dims=("time", "row", "column"))
    )
    path = monthly(tmp_path / "CO2_mx_monthly_04_2018.nc")
    path.write_bytes(path.read_bytes()[:60])
    assert "damaged or truncated" in problem(path) or "content that cannot be read" in problem(path)


def area(path, *, times=5, rows=72000, columns=144000, units="ppm", value=415.0):
    """A store that would be 400 GB if it were dense; one chunk of it is written."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    step = 180 / rows
    for name, values in (
        ("latitude", -90 + step / 2 + step * np.arange(rows)),
        ("longitude", -180 + step / 2 + step * np.arange(columns)),
        ("time", 1.6e9 + 86400.0 * np.arange(times)),
    ):
        array = group.create_array(name, shape=values.shape, dtype="f8", chunks=values.shape)
        array[:] = values
        array.attrs.update(_ARRAY_DIMENSIONS=[name], units="seconds since 1970-01-01" if name == "time" else "degrees")
    for name in ("xco2", "xco2_uncertainty"):
        chunks = (times, min(250, columns), min(250, rows))
        array = group.create_array(name, shape=(times, columns, rows), dtype="f8", chunks=chunks, fill_value=np.nan)
        array.attrs.update(_ARRAY_DIMENSIONS=["time", "longitude", "latitude"], units=units)
        array[0, 1000 % columns : 1003 % columns + 1, 2000 % rows] = value if name == "xco2" else 0.5
    return path


def test_a_dense_grid_of_400_gb_stays_lazy(tmp_path):
    product = read(area(tmp_path / "sams_20200913.zarr"))
    grid = product.dataset
    assert product.collection == "oco3-areas-sams" and grid["xco2"].nbytes > 400e9
    assert grid["xco2"].dims == ("time", "lat", "lon") and grid["xco2"].chunks is not None
    assert float(grid["xco2"].isel(time=0, lat=2000, lon=1001).compute()) == 415.0
    assert np.isnan(float(grid["xco2"].isel(time=1, lat=2000, lon=1001).compute()))


def test_units_of_a_lazy_grid_are_judged_by_a_chunk_that_exists(tmp_path):
    small = {"times": 2, "rows": 4, "columns": 8}
    grid = read(area(tmp_path / "a.zarr", **small, units="mol/mol", value=4.15e-4)).dataset
    assert float(grid["xco2"].max()) == pytest.approx(415)
    assert "with a median of 1800" in problem(area(tmp_path / "b.zarr", **small, value=1800.0))
    assert "found units 'K'" in problem(area(tmp_path / "c.zarr", **small, units="K"))
    path = area(tmp_path / "d.zarr", **small)
    zarr.open_group(path)["time"].attrs["units"] = "seconds"
    assert "found no times" in problem(path)


# --------------------------------------------------------------------------------------------------------- real files
@pytest.mark.parametrize(("file", "rows", "collection"), [
    ("oco3_lite_one_day_binned/oco3_LtCO2_2019_processed.csv", 11167, "oco3-lite-binned-0.1deg"),
    ("oco3_lite_one_day_binned/oco3_LtCO2_2023_processed.csv", 8655, "oco3-lite-binned-0.1deg"),
    ("oco3_cities/CO2_combined.csv", 1063, "oco3-city-targets"),
    ("oco3_cities/CO2_disaggregated_2019-2025_subset-USA-LA.csv", 8573, "oco3-city-soundings"),
    ("oco3_cities/SIF_disagg_geocode_2019-2025.csv", 39990, "oco3-sif-cities"),
    ("oco2_oco3_collocated_se_asia/Matched_obs_daily_oco2_oco3.csv", 3545, "oco2-oco3-pairs-0.1deg"),
    ("oco2_l3_south_america/OCO2L2Stdv10_L3_20150801_000000_20150831_235959.txt", 7737, "oco2-l3-0.25deg-v10r"),
])  # fmt: skip
def test_real_tables_keep_every_row(real, file, rows, collection):
    path = real / "satellite" / file
    product = read(path)
    assert (product.count, product.collection) == (rows, collection)
    source = pd.read_csv(path, sep="\t" if path.suffix == ".txt" else ",")
    if product.kind == "soundings":
        name = next(name for name in source if name.lower().startswith(("xco2", "co2", "daily_sif")))
        values = source[name].to_numpy() * (1e6 if path.suffix == ".txt" else 1)
        main = "daily_sif_740nm" if "sif" in collection else "xco2"
        np.testing.assert_allclose(product.dataset[main], values, rtol=1e-12)
        assert np.unique(product.dataset["sounding_id"]).size == rows


def test_84_real_months_are_one_collection(real):
    products = [read(path) for path in (real / "satellite" / "oco2_monthly_indonesia_0p5deg").glob("*.nc")]
    assert len(products) == 84 and {product.collection for product in products} == {"oco2-monthly-0.5deg-idw"}
    months = np.sort([product.dataset["time"].to_numpy()[0] for product in products]).astype("datetime64[M]")
    np.testing.assert_array_equal(months, np.arange("2018-01", "2025-01", dtype="datetime64[M]"))
    assert {product.dataset.sizes["lat"] for product in products} == {51, 91}
    for product in products:
        assert f"{product.span[0].astype('datetime64[M]')}" == f"{product.path.name[18:22]}-{product.path.name[15:17]}"
        assert float(product.dataset["lat"][0]) == -15 and 400 < float(product.dataset["xco2"].median()) < 430


def test_the_real_los_angeles_store(real):
    product = read(real / "satellite" / "oco3_sam_los_angeles" / "la_sams_sample_post_qf.zarr")
    grid = product.dataset
    assert product.count == 8 and product.collection == "oco3-areas-la-sams-sample-post-qf"
    assert grid["xco2"].chunks is not None and grid.nbytes > 19e9
    box = grid.sel(lat=slice(33, 35), lon=slice(-119.5, -116.5)).compute()
    assert int(box["xco2"].notnull().sum()) == int(box["xco2_prior"].notnull().sum()) == 10902
    assert 405 < float(box["xco2"].median()) < 425
    store = zarr.open_group(product.path, mode="r")
    columns, rows = (
        np.searchsorted(store[name][:], edges)
        for name, edges in (("longitude", (-119.5, -116.5)), ("latitude", (33, 35)))
    )
    stored = store["xco2"][:, slice(*columns), slice(*rows)]
    np.testing.assert_array_equal(box["xco2"], stored.transpose(0, 2, 1))
