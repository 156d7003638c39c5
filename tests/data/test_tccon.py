"""TCCON: GGG2020 netCDF in both layouts, tables of older and derived data, and everything that can be wrong with them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr

from data.errors import FileProblem
from data.readers import read

OVERPASS = '"tccon_xco2","tccon_error","tccon_datetime","tccon_solar_time","tccon_latitude","tccon_longitude","date"'


def problem(path) -> str:
    with pytest.raises(FileProblem) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: expected ") and "\n" not in text
    return text


def public(count=6, **changes):
    """A public GGG2020 file with five levels, surface first as TCCON stores them."""
    levels = np.arange(5.0)
    ones = np.ones((count, 5), np.float32)
    x2007 = {"units": "ppm", "vmin": 350.0, "vmax": 450.0, "wmo_or_analogous_scale": "WMO CO2 X2007"}
    x2019 = x2007 | {"wmo_or_analogous_scale": "WMO CO2 X2019"}
    variables = {
        "xco2": ("time", np.full(count, 415.0, np.float32), x2007),
        "xco2_error": ("time", np.full(count, 0.4, np.float32), {"units": "ppm"}),
        "xco2_x2019": ("time", np.full(count, 415.3, np.float32), x2019),
        "xco2_error_x2019": ("time", np.full(count, 0.5, np.float32), {"units": "ppm"}),
        "lat": ("time", np.full(count, 51.57, np.float32)),
        "long": ("time", np.full(count, 358.68, np.float32)),
        "zobs": ("time", np.full(count, 0.142, np.float32)),
        "solzen": ("time", np.full(count, 40.0, np.float32)),
        "ak_xco2": (("time", "ak_altitude"), ones * levels.astype(np.float32)),
        "prior_co2": (("time", "prior_altitude"), ones * 410 - levels.astype(np.float32), {"units": "ppm"}),
        "prior_pressure": (("time", "prior_altitude"), ones * (1 - levels.astype(np.float32) / 5), {"units": "atm"}),
        "integration_operator": (("time", "prior_altitude"), ones / 5),
        "extrapolation_flags_ak_xco2": ("time", np.zeros(count, np.int8)),
    }
    seconds = 1.68e9 + 60.0 * np.arange(count)
    data = xr.Dataset(variables | changes, coords={"time": ("time", seconds, {"units": "seconds since 1970-01-01"})})
    attrs = {
        "long_name": "harwell01",
        "short_location": "Harwell, UK",
        "data_doi": "10.14291/tccon.ggg2020.harwell01.R0",
    }
    return data.assign_coords(prior_altitude=levels, ak_altitude=levels).assign_attrs(attrs)


def write(folder, data, name="hw20230328_20230328.public.qc.nc"):
    data.to_netcdf(folder / name)
    return folder / name


# ------------------------------------------------------------------------------------------------------------ GGG2020
def test_public_files_keep_both_scales_apart(tmp_path):
    product = read(write(tmp_path, public()))
    data = product.dataset
    assert (product.kind, product.collection, product.count) == ("sites", "tccon-ggg2020", 6)
    assert (data.attrs["scale"], data.attrs["version"], data.attrs["network"]) == ("X2007", "GGG2020", "TCCON")
    assert (data["xco2"].attrs["scale"], data["xco2_x2019"].attrs["scale"]) == ("X2007", "X2019")
    np.testing.assert_array_equal(data["xco2"], np.float32(415.0))
    np.testing.assert_array_equal(data["xco2_x2019"], np.float32(415.3))
    np.testing.assert_array_equal(data["xco2_x2019_uncertainty"], 0.5)
    assert set(data["site"].to_numpy()) == {"harwell01"}
    assert float(data["lon"][0]) == pytest.approx(-1.32, abs=1e-4) and float(data["altitude_m"][0]) == pytest.approx(
        142
    )
    assert data["time"][1] - data["time"][0] == np.timedelta64(60, "s")


def test_profiles_are_turned_top_first_and_to_our_units(tmp_path):
    data = read(write(tmp_path, public())).dataset
    np.testing.assert_array_equal(data["averaging_kernel"][0], [4, 3, 2, 1, 0])
    np.testing.assert_array_equal(data["co2_prior_wet"][0], [406, 407, 408, 409, 410])
    np.testing.assert_allclose(data["pressure"][0], np.array([0.2, 0.4, 0.6, 0.8, 1.0]) * 1013.25, rtol=1e-6)
    assert data["averaging_kernel"].dims == ("observation", "level")


def test_flagged_and_outlying_spectra_are_left_out(tmp_path):
    values = np.array([415, 416, 9.9e36, -999, 470, 417], np.float32)
    data = public(
        flag=("time", np.array([0, 22, 0, 0, 0, 0])),
        xco2=("time", values, {"units": "ppm", "vmin": 350.0, "vmax": 450.0}),
    )
    product = read(write(tmp_path, data))
    np.testing.assert_array_equal(product.dataset["xco2"], [415, 417])
    assert product.dataset.attrs["note"] == "2 flagged or outlying spectra left out"
    assert product.collection == "tccon-ggg2020-private"


def test_all_flagged_is_readable_and_said(tmp_path):
    data = read(write(tmp_path, public(flag=("time", np.full(6, 25))))).dataset
    assert data.sizes["observation"] == 6 and (data["quality_flag"] == 1).all()
    assert data.attrs["note"] == "all 6 spectra are flagged or outside their valid range"


def test_times_are_sorted_and_duplicates_go(tmp_path):
    seconds = np.array([300.0, 0.0, 60.0, 60.0, np.nan, 120.0])
    data = public().assign_coords(time=("time", seconds, {"units": "seconds since 2020-01-01"}))
    out = read(write(tmp_path, data)).dataset
    assert ((out["time"] - np.datetime64("2020-01-01", "ns")) / np.timedelta64(1, "s")).to_numpy().tolist() == [
        0,
        60,
        120,
        300,
    ]
    assert out.attrs["note"] == "1 spectra with the time of another left out"


def test_only_x2019_is_another_collection(tmp_path):
    data = public().drop_vars(["xco2", "xco2_error"]).assign_attrs(algorithm_version="GGG2020.1")
    product = read(write(tmp_path, data))
    assert product.collection == "tccon-ggg2020.1-x2019" and product.dataset.attrs["scale"] == "X2019"
    np.testing.assert_array_equal(product.dataset["xco2"], np.float32(415.3))
    np.testing.assert_array_equal(product.dataset["xco2_uncertainty"], 0.5)


def test_simulated_sites_are_another_network(tmp_path):
    product = read(write(tmp_path, public().assign_attrs(simulated=1)))
    assert product.collection == "simulated-tccon-ggg2020" and product.dataset.attrs["simulated"] == 1
    assert product.dataset.attrs["network"] == "TCCON (simulated)"


def test_units_are_converted_or_refused(tmp_path):
    fraction = ("time", np.full(6, 4.15e-4), {"units": "mol mol-1"})
    assert float(read(write(tmp_path, public(xco2=fraction))).dataset["xco2"][0]) == pytest.approx(415)
    assert "found units 'K'" in problem(write(tmp_path, public(xco2=("time", np.full(6, 415.0), {"units": "K"}))))


@pytest.mark.parametrize(("change", "found"), [
    (lambda d: d.isel(time=slice(0)), "found no soundings;"),
    (lambda d: d.drop_vars("lat"), "found no variable 'lat'"),
    (lambda d: d.drop_vars(["xco2", "xco2_x2019"]), "found no variable 'xco2'"),
    (lambda d: d.assign(xco2=d["xco2"] * np.nan), "found no soundings with time and xco2"),
    (lambda d: d.assign_coords(time=np.arange(6.0)), "found times without units"),
])  # fmt: skip
def test_files_that_cannot_be_used(tmp_path, change, found):
    assert found in problem(write(tmp_path, change(public())))


def test_truncated_and_not_netcdf(tmp_path):
    path = write(tmp_path, public())
    path.write_bytes(path.read_bytes()[:3000])
    assert "damaged or truncated" in problem(path)
    path.write_text("moved permanently")
    assert "expected a TCCON GGG2020 file" in problem(path)


# ------------------------------------------------------------------------------------------------------------- tables
def lines(path, *text):
    path.write_text("\n".join(text) + "\n")
    return path


def test_overpass_tables(tmp_path):
    path = lines(
        tmp_path / "tsukuba02_tccon.csv",
        OVERPASS,
        "390.5,0.5,2011-08-10 03:18:21,12.6,36.05,140.12,2011-08-10",
        "389.5,0.6,2011-08-10 03:18:07,12.6,36.05,140.12,2011-08-10",
        "389.5,0.6,2011-08-10 03:18:07,12.6,36.05,140.12,2011-08-10",
        "-999,0.6,2011-08-10 04:18:07,12.6,36.05,140.12,2011-08-10",
    )
    product = read(path)
    data = product.dataset
    assert (product.collection, data.attrs["scale"], data.attrs["version"]) == ("tccon-ggg2014", "X2007", "GGG2014")
    assert data["xco2"].to_numpy().tolist() == [389.5, 390.5] and set(data["site"].to_numpy()) == {"tsukuba02"}
    assert data.attrs["note"] == "2 rows without time or value, or repeated, left out"


def test_monthly_tables_stand_in_the_middle_of_their_month(tmp_path):
    head = "time,XCO2,site,lat,lon"
    path = lines(tmp_path / "TCCON_x.csv", head, "2015-11-30,400.6,Hefei,31.9,117.17", "2015-12-31,,Hefei,31.9,117.17")
    product = read(path)
    assert product.collection == "tccon-monthly" and product.count == 1
    assert product.dataset["time"][0] == np.datetime64("2015-11-16", "ns")
    path = lines(tmp_path / "matched.csv", f"{head},cams", "2015-11-30,400.6,Hefei,31.9,117.17,403.2")
    assert read(path).collection == "tccon-monthly-cams" and float(read(path).dataset["xco2_cams"][0]) == 403.2


@pytest.mark.parametrize(("text", "found"), [
    ([OVERPASS], "found a header without rows"),
    ([OVERPASS, "390.5,0.5,never,12.6,36.05,140.12,2011-08-10"], "found no row with a time and a value"),
    ([OVERPASS, "390.5,0.5,2011-08-10 03:18:21,12.6,north,east,2011-08-10"], "found no row with latitude and longitude"),
    ([OVERPASS, "1890.5,0.5,2011-08-10 03:18:21,12.6,36.05,140.12,2011-08-10"], "with a median of 1890.5"),
])  # fmt: skip
def test_tables_that_cannot_be_used(tmp_path, text, found):
    assert found in problem(lines(tmp_path / "a_tccon.csv", *text))


def test_matlab_pairs(tmp_path):
    data = np.zeros((3, 48))
    data[:, [0, 1, 2, 7, 41]] = [411.0, 410.5, 410.8, 412.0, 410.4]
    data[:, 5] = [2019012305211301, 2019012305211302, 0]
    data[:, 46] = [1, 9, 1]
    scipy.io.savemat(tmp_path / "pairs.mat", {"aggragate_data": data})
    product = read(tmp_path / "pairs.mat")
    table = product.dataset
    assert (product.kind, product.count, product.collection) == ("table", 2, "oco2-tccon-pairs")
    assert table["site"].to_numpy().tolist() == ["xianghe01", "site 9"] and np.isnan(table["lat"][1])
    assert table["time"][0] == np.datetime64("2019-01-23T05:21:13", "ns")
    assert (float(table["xco2_tccon"][0]), float(table["xco2"][0])) == (410.5, 410.4)


def test_matlab_files_that_cannot_be_used(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"other": np.zeros((3, 4))})
    assert "found 3 x 4; name a file of 48 columns" in problem(path)
    scipy.io.savemat(path, {"none": np.zeros((0, 48))})
    assert "found no soundings" in problem(path)
    scipy.io.savemat(path, {"zero": np.zeros((3, 48))})
    assert "found no sounding identifiers" in problem(path)
    scipy.io.savemat(path, {"big": np.random.default_rng(0).random((300, 48))}, do_compression=True)
    path.write_bytes(path.read_bytes()[:3000])
    assert "found content that cannot be read" in problem(path)


# --------------------------------------------------------------------------------------------------------- real files
def test_the_real_public_file(real):
    path = real / "tccon" / "ggg2020_netcdf" / "hw20230402_20230402.public.qc.nc"
    product = read(path)
    data = product.dataset
    assert product.count == 64 and product.collection == "tccon-ggg2020" and "note" not in data.attrs
    with xr.open_dataset(path) as source:
        np.testing.assert_array_equal(data["xco2"], source["xco2"])
        np.testing.assert_array_equal(data["xco2_x2019"], source["xco2_x2019"])
        np.testing.assert_array_equal(data["averaging_kernel"][:, ::-1], source["ak_xco2"])
        column = (source["integration_operator"].to_numpy() * source["prior_co2"].to_numpy()).sum(axis=1)
    ours = (data["integration_operator"] * data["co2_prior_wet"]).sum("level")
    np.testing.assert_allclose(ours, column, rtol=1e-5)
    assert 415 < float(ours.mean()) < 430
    np.testing.assert_allclose(data["altitude_m"], 142.0, atol=0.1)


def test_the_real_private_file(real):
    product = read(real / "tccon" / "ggg2020_netcdf" / "pa_input_test.private.qc.nc")
    data = product.dataset
    assert product.collection == "tccon-ggg2020.1-x2019-private" and data.attrs["scale"] == "X2019"
    assert product.count == 465 and data.attrs["note"] == "83 flagged or outlying spectra left out"
    assert float(data["xco2"].min()) > 421 and float(data["xco2"].max()) < 429.1
    assert data["co2_prior_wet"].shape == (465, 51) and 400 < float(data["co2_prior_wet"].mean()) < 430
    assert (data["pressure"][:, 0] < data["pressure"][:, -1]).all()


def test_the_real_tables(real):
    folder = real / "tccon"
    counts = {}
    for path in sorted(folder.rglob("*.csv")):
        product = read(path)
        counts[product.collection] = counts.get(product.collection, 0) + product.count
        assert product.kind == "sites" and 360 < float(product.dataset["xco2"].median()) < 430
        if path.parent.name == "ggg2014_overpass_csv":
            source = pd.read_csv(path)
            assert product.count == len(source.drop_duplicates(["tccon_datetime", "tccon_xco2"]))
    assert counts == {
        "tccon-ggg2014": 82870,
        "tccon-monthly": 161,
        "tccon-monthly-cams": 161,
        "oco2-v8r-kriged-sites": 5526,
    }


def test_the_real_pairs(real):
    files = sorted((real / "tccon" / "oco2_tccon_pairs_asia").glob("*.mat"))
    whole = read(next(path for path in files if path.name.startswith("full"))).dataset
    assert whole.sizes["row"] == 740 == sum(read(path).count for path in files) / 2
    assert set(whole["site"].to_numpy()) == {"xianghe01", "saga01", "hefei01", "tsukuba02", "rikubetsu01"}
    error = (whole["xco2"] - whole["xco2_tccon"]).to_numpy()
    assert abs(error.mean()) < 1 and error.std() < 3
    solar = whole["time"].dt.hour + whole["time"].dt.minute / 60 + whole["lon"] / 15
    assert float(solar.min()) > 11.5 and float(solar.max()) < 14.5  # the overpass hour: times and sites belong together
