"""Lite files: the full version 11 layout, subsets, other instruments in it, and everything that can be wrong."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from data.errors import FileProblem
from data.readers import read
from tests.data.lite_layout import FILL, NAME, UNITS, V11, lite_arrays, write_lite

COUNT = 64


@pytest.fixture
def arrays():
    return lite_arrays(COUNT)


def problem(path) -> str:
    with pytest.raises(FileProblem) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: expected ") and ", found " in text and "\n" not in text
    return text


# ------------------------------------------------------------------------------------------------------- full layout
def test_the_full_layout_becomes_canonical_soundings(tmp_path, arrays):
    product = read(write_lite(tmp_path, arrays))
    data = product.dataset
    assert (product.kind, product.reader, product.collection, product.count) == (
        "soundings",
        "oco_lite",
        "oco2-lite-v11.2r",
        COUNT,
    )
    wanted = {"instrument": "OCO-2", "version": "11.2r", "scale": "X2007", "catalog": "oco2-lite", "simulated": 0}
    assert {key: data.attrs[key] for key in wanted} == wanted
    assert data.attrs["source_file"] == NAME and "note" not in data.attrs
    np.testing.assert_array_equal(data["sounding_id"], arrays["sounding_id"].astype(np.int64))
    for ours, theirs in (
        ("lat", "latitude"),
        ("lon", "longitude"),
        ("xco2", "xco2"),
        ("xco2_x2019", "xco2_x2019"),
        ("xco2_uncertainty", "xco2_uncertainty"),
        ("xco2_prior", "xco2_apriori"),
        ("quality_flag", "xco2_quality_flag"),
        ("averaging_kernel", "xco2_averaging_kernel"),
        ("pressure_weight", "pressure_weight"),
        ("co2_prior", "co2_profile_apriori"),
        ("pressure", "pressure_levels"),
        ("surface_type", "Retrieval/surface_type"),
        ("mode", "Sounding/operation_mode"),
        ("footprint", "Sounding/footprint"),
        ("xco2_raw", "Retrieval/xco2_raw"),
        ("altitude", "Sounding/altitude"),
    ):
        np.testing.assert_array_equal(data[ours], arrays[theirs], err_msg=ours)
    assert data["xco2"].dtype == np.float32 and data["quality_flag"].dtype == np.int8
    assert data["xco2_x2019"].attrs["scale"] == "X2019" and data["xco2"].attrs["units"] == "ppm"
    expected = np.datetime64("2020-07-04T04:30:00", "ns") + np.arange(COUNT) // 8 * np.timedelta64(300, "ms")
    assert np.abs(data["time"].to_numpy() - expected).max() < np.timedelta64(1, "ms")
    assert product.span == (data["time"].to_numpy().min(), data["time"].to_numpy().max())


def test_kernel_weights_and_prior_reproduce_the_prior_column(tmp_path, arrays):
    data = read(write_lite(tmp_path, arrays)).dataset
    np.testing.assert_allclose(data["pressure_weight"].sum("level"), 1, rtol=1e-6)
    column = (data["pressure_weight"] * data["co2_prior"]).sum("level")
    np.testing.assert_allclose(column, 406.0, rtol=1e-6)


@pytest.mark.parametrize("profiles", ["transposed", "surface first", "pascal"])
def test_profiles_come_out_top_first_in_hpa(tmp_path, arrays, profiles):
    names = ("xco2_averaging_kernel", "pressure_weight", "co2_profile_apriori", "pressure_levels")
    units = dict(UNITS)
    changed = dict(arrays)
    if profiles == "transposed":
        changed |= {name: arrays[name].T.copy() for name in names}
    elif profiles == "surface first":
        changed |= {name: arrays[name][:, ::-1].copy() for name in names}
    else:
        changed["pressure_levels"] = arrays["pressure_levels"] * 100
        units["pressure_levels"] = "Pa"
    data = read(write_lite(tmp_path, changed, units=units)).dataset
    np.testing.assert_allclose(data["pressure"], arrays["pressure_levels"], rtol=1e-6)
    np.testing.assert_array_equal(data["averaging_kernel"], arrays["xco2_averaging_kernel"])


def test_twenty_soundings_with_transposed_profiles_are_told_by_their_dimensions(tmp_path):
    arrays = lite_arrays(20)
    arrays["co2_profile_apriori"] += np.arange(20, dtype=np.float32)[:, None]
    path = write_lite(tmp_path, {name: arrays[name] for name in arrays if name != "co2_profile_apriori"})
    with netCDF4.Dataset(path, "a") as file:
        variable = file.createVariable("co2_profile_apriori", "f4", ("levels", "sounding_id"))
        variable[:] = arrays["co2_profile_apriori"].T
    np.testing.assert_array_equal(read(path).dataset["co2_prior"], arrays["co2_profile_apriori"])


def test_simulated_files_say_so_and_never_share_a_collection(tmp_path, arrays):
    by_attribute = read(write_lite(tmp_path, arrays, attrs=V11 | {"simulated": np.int32(1)}))
    by_title = read(write_lite(tmp_path, arrays, attrs=V11 | {"title": "Simulated OCO-2 Lite"}))
    real = read(write_lite(tmp_path, arrays, attrs=V11 | {"simulated": np.int32(0)}))
    for product in (by_attribute, by_title):
        assert product.dataset.attrs["simulated"] == 1
        assert product.collection == "simulated-oco2-lite-v11.2r"
        assert product.dataset.attrs["instrument"] == "OCO-2 (simulated)"
        assert product.dataset.attrs["catalog"] == "demo"
    assert real.dataset.attrs["simulated"] == 0 and real.dataset.attrs["instrument"] == "OCO-2"


# ---------------------------------------------------------------------------------------------- versions, instruments
@pytest.mark.parametrize(
    ("name", "attrs", "collection", "instrument", "catalog"),
    [
        ("oco3_LtCO2_191001_B11072Ar_250101000000s.nc4", {"Platform": "OCO-3"}, "oco3-lite-v11r", "OCO-3", "oco3-lite"),
        ("oco3_LtCO2_191001_B10400Br_220101000000s.nc4", {}, "oco3-lite-v10.4r", "OCO-3", "oco3-lite"),
        ("oco2_LtCO2_191001_B10206Ar_200730000000s.nc4", {}, "oco2-lite-v10r", "OCO-2", "oco2-lite"),
        ("oco2_LtCO2_191001_B11100Ar_230601000000s.nc4", {}, "oco2-lite-v11.1r", "OCO-2", "oco2-lite"),
        ("acos_LtCO2_100101_v210210_B9213A_200101s.nc4", {}, "acos-gosat-lite-v9r", "GOSAT", "acos-gosat-lite"),
        ("TanSat_L2_lite_20170401.nc", {"version": "2"}, "tansat-lite-v2", "TanSat", "tansat-xco2"),
    ],
)
def test_instrument_and_version_from_attributes_or_name(tmp_path, arrays, name, attrs, collection, instrument, catalog):
    product = read(write_lite(tmp_path, arrays, name=name, attrs=attrs))
    assert product.collection == collection
    assert (product.dataset.attrs["instrument"], product.dataset.attrs["catalog"]) == (instrument, catalog)
    assert product.dataset.attrs["scale"] == ("unknown" if instrument == "TanSat" else "X2007")


def test_only_x2019_is_another_collection_and_scale(tmp_path, arrays):
    del arrays["xco2"]
    product = read(write_lite(tmp_path, arrays))
    assert product.collection == "oco2-lite-v11.2r-x2019" and product.dataset.attrs["scale"] == "X2019"
    np.testing.assert_array_equal(product.dataset["xco2"], arrays["xco2_x2019"])
    assert "xco2_x2019" not in product.dataset


def test_tansat_columns_without_flag_or_profiles(tmp_path, arrays):
    names = ("sounding_id", "latitude", "longitude", "time", "xco2", "xco2_uncertainty", "xco2_apriori")
    few = {name: arrays[name] for name in names} | {"surface_pressure": arrays["Retrieval/psurf"]}
    data = read(write_lite(tmp_path, few, name="tansat_lite.nc", attrs={"platform": "TanSat"})).dataset
    assert (data["quality_flag"] == -1).all() and "footprint" not in data and "level" not in data.dims
    np.testing.assert_array_equal(data["surface_pressure"], 1000)


# ------------------------------------------------------------------------------------------- times, identifiers, land
@pytest.mark.parametrize("way", ["date", "sounding_id", "other epoch", "float id"])
def test_times_from_whatever_the_file_has(tmp_path, arrays, way):
    want = np.datetime64("2020-07-04T04:30:00", "ns") + np.arange(COUNT) // 8 * np.timedelta64(300, "ms")
    units = dict(UNITS)
    if way == "other epoch":
        arrays["time"] = arrays["time"] - 725846400.0  # from 1993
        units["time"] = "seconds since 1993-01-01 00:00:00"
    elif way == "float id":
        arrays["sounding_id"] = arrays["sounding_id"].astype(np.float64)
    else:
        del arrays["time"]
        if way == "sounding_id":
            del arrays["date"]
    data = read(write_lite(tmp_path, arrays, units=units)).dataset
    assert np.abs(data["time"].to_numpy() - want).max() <= np.timedelta64(1, "ms")
    assert data["sounding_id"].dtype == np.int64
    assert data["sounding_id"][9] == 2020070404300032


def test_no_identifiers_are_made_from_times(tmp_path, arrays):
    del arrays["sounding_id"]
    ids = read(write_lite(tmp_path, arrays)).dataset["sounding_id"].to_numpy()
    assert np.unique(ids).size == COUNT and all(str(number).startswith("20200704043") for number in ids)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"Sounding/land_water_indicator": np.array([0, 1, 2, 3] * 16, np.int8)}, [1, 0, 0, -1]),
        ({"Sounding/land_fraction": np.array([100, 0, 50, FILL] * 16, np.float32)}, [1, 0, -1, -1]),
        ({}, None),
    ],
)
def test_surface_type_from_what_there_is(tmp_path, arrays, stored, expected):
    for name in ("Retrieval/surface_type", "Sounding/land_fraction"):
        del arrays[name]
    data = read(write_lite(tmp_path, arrays | stored)).dataset
    if expected is None:
        assert "surface_type" not in data
    else:
        np.testing.assert_array_equal(data["surface_type"][:4], expected)


# ---------------------------------------------------------------------------------------------------------- bad input
def test_fill_values_become_nan_and_rows_without_place_go(tmp_path, arrays):
    arrays["xco2"][3] = FILL
    arrays["xco2_uncertainty"][4] = FILL
    arrays["latitude"][5] = FILL
    arrays["time"][6] = np.nan
    arrays["xco2_averaging_kernel"][7, 2] = FILL
    data = read(write_lite(tmp_path, arrays)).dataset
    assert data.sizes["sounding"] == COUNT - 2
    assert data.attrs["note"] == "2 soundings without time or place left out"
    assert np.isnan(data["xco2"][3]) and np.isnan(data["xco2_uncertainty"][4])
    assert int(data["xco2"].isnull().sum()) == 1 and int(data["averaging_kernel"].isnull().sum()) == 1


def test_longitudes_0_to_360_and_duplicated_soundings(tmp_path, arrays):
    arrays["longitude"] = np.linspace(170, 350, COUNT).astype(np.float32)
    for values in arrays.values():
        values[10] = values[9]
    data = read(write_lite(tmp_path, arrays)).dataset
    assert data.sizes["sounding"] == COUNT - 1 and data.attrs["note"] == "1 repeated soundings left out"
    assert float(data["lon"].min()) >= -180 and float(data["lon"].max()) < 180
    assert float(data["lon"][-1]) == pytest.approx(-10)
    assert np.unique(data["sounding_id"]).size == COUNT - 1


def test_all_flagged_is_readable_and_said(tmp_path, arrays):
    arrays["xco2_quality_flag"][:] = 1
    data = read(write_lite(tmp_path, arrays)).dataset
    assert (data["quality_flag"] == 1).all()
    assert data.attrs["note"] == f"all {COUNT} soundings are flagged bad"


@pytest.mark.parametrize(("units", "factor"), [("mol/mol", 1e-6), ("1", 1e-6), ("1e-6", 1), ("ppmv", 1), (None, 1e-6)])
def test_units_are_converted(tmp_path, arrays, units, factor):
    names = ("xco2", "xco2_uncertainty", "xco2_apriori", "xco2_x2019")
    stated = {key: text for key, text in UNITS.items() if key not in names}
    stated |= dict.fromkeys(names, units) if units else {}
    changed = {name: (arrays[name] * factor).astype(np.float64) for name in names}
    data = read(write_lite(tmp_path, arrays | changed, units=stated)).dataset
    np.testing.assert_allclose(data["xco2"], arrays["xco2"], rtol=1e-6)
    np.testing.assert_allclose(data["xco2_uncertainty"], 0.5, rtol=1e-6)


def test_what_cannot_be_co2_is_refused(tmp_path, arrays):
    kelvin = problem(write_lite(tmp_path, arrays, units=UNITS | {"xco2": "K"}))
    assert "expected xco2 in ppm or mol/mol, found units 'K'; correct the units attribute" in kelvin
    methane = problem(write_lite(tmp_path, arrays | {"xco2": arrays["xco2"] * 4.5}))
    assert "found units 'ppm' with a median of 18" in methane


def test_zero_soundings_and_nothing_but_fill(tmp_path, arrays):
    empty = problem(write_lite(tmp_path, lite_arrays(0)))
    assert empty.endswith("found no soundings; choose another day or area.")
    arrays["xco2"][:] = FILL
    assert "found no soundings with a value of xco2" in problem(write_lite(tmp_path, arrays))
    arrays = lite_arrays(COUNT)
    arrays["latitude"][:] = FILL
    assert "found no soundings with time, latitude and longitude" in problem(write_lite(tmp_path, arrays))


@pytest.mark.parametrize("missing", ["xco2", "latitude", "longitude"])
def test_a_lite_file_without_what_it_needs(tmp_path, arrays, missing):
    path = write_lite(tmp_path, arrays)
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable(missing, "other")
        if missing == "xco2":
            file.renameVariable("xco2_x2019", "other2")
    assert f"found no variable '{missing}'" in problem(path)


def test_truncated_empty_html_and_a_folder_under_a_lite_name(tmp_path, arrays):
    path = write_lite(tmp_path, arrays)
    content = path.read_bytes()
    for size in (8, len(content) // 3, len(content) - 10):
        path.write_bytes(content[:size])
        assert "damaged or truncated" in problem(path) or "content that cannot be read" in problem(path)
    path.write_bytes(b"")
    assert "found an empty file" in problem(path)
    path.write_text("<!DOCTYPE html><title>Earthdata Login</title>")
    assert "expected an XCO2 Lite file" in problem(path)
    path.unlink()
    path.mkdir()
    assert "found a folder" in problem(path)


def test_damage_inside_the_file_is_one_sentence(tmp_path, arrays):
    path = write_lite(tmp_path, lite_arrays(4000))
    content = bytearray(path.read_bytes())
    for start in range(20000, len(content) - 4000, 9000):  # compressed chunks
        content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    assert "content that cannot be read" in problem(path) or "damaged or truncated" in problem(path)


def test_a_file_that_vanishes_while_it_is_read(tmp_path, arrays, monkeypatch):
    from data.readers import oco_lite

    path = write_lite(tmp_path, arrays)
    sound = oco_lite._is_xco2

    def recognise_and_lose(probe):
        found = sound(probe)
        path.unlink(missing_ok=True)
        return found

    reader = next(reader for reader in oco_lite.READERS if reader.name == "oco_lite")
    monkeypatch.setattr(
        oco_lite, "READERS", [type(reader)(reader.name, reader.kind, "", recognise_and_lose, reader.read)]
    )
    assert "found a file that vanished while it was read; import it again" in problem(path)


# ---------------------------------------------------------------------------------------------------------------- SIF
def write_sif(path, count=40, **changes):
    values = {
        "Delta_Time": (np.arange(count) * 0.3 + 9.5e8).astype(np.float64),
        "Latitude": np.linspace(-10, 10, count, dtype=np.float32),
        "Longitude": np.linspace(350, 359, count, dtype=np.float32),
        "SIF_740nm": np.linspace(-0.5, 2.0, count, dtype=np.float32),
        "SIF_Uncertainty_740nm": np.full(count, 0.4, np.float32),
        "Daily_SIF_740nm": np.linspace(-0.1, 0.7, count, dtype=np.float32),
        "Quality_Flag": (np.arange(count) % 4 - 1).astype(np.int8),
        "Science/SIF_757nm": np.full(count, 0.3, np.float32),
        "Metadata/MeasurementMode": (np.arange(count) % 5).astype(np.int8),
        "Metadata/SoundingId": np.arange(count) + 2020021400000000,
        "Cloud/cloud_flag_abp": (np.arange(count) % 3).astype(np.int8),
    } | changes
    with netCDF4.Dataset(path, "w") as file:
        file.title = "OCO-3 Lite SIF"
        file.createDimension("sounding_dim", count)
        for full, array in values.items():
            group = file.createGroup(full.split("/")[0]) if "/" in full else file
            variable = group.createVariable(full.split("/")[-1], array.dtype, ("sounding_dim",))
            variable[:] = array
            if full == "Delta_Time":
                variable.units = "seconds since 1990-01-01 00:00:00 UTC"
    return path


def test_sif_lite(tmp_path):
    product = read(write_sif(tmp_path / "oco3_LtSIF_200214_B11012r_250101s.nc4"))
    data = product.dataset
    assert (product.kind, product.reader, product.collection) == ("soundings", "oco_sif_lite", "oco3-sif-lite-v11r")
    assert data.attrs["instrument"] == "OCO-3" and data.attrs["catalog"] == "oco3-sif-lite"
    np.testing.assert_array_equal(data["quality_flag"][:4], [-1, 0, 0, 1])
    np.testing.assert_array_equal(data["mode"][:5], [0, 1, 2, 4, 3])
    np.testing.assert_array_equal(data["cloud_flag"][:3], [0, 1, -1])
    assert data["time"][0] == np.datetime64("1990-01-01", "ns") + np.timedelta64(950000000, "s")
    assert data["sif_740nm"].attrs["units"] == "W m-2 sr-1 um-1" and "xco2" not in data
    np.testing.assert_allclose(data["lon"], np.linspace(-10, -1, 40), atol=1e-4)


def test_sif_without_soundings_or_values(tmp_path):
    assert "found no soundings;" in problem(write_sif(tmp_path / "a.nc4", 0))
    nothing = np.full(40, np.nan, np.float32)
    assert "found no soundings with a value of sif_740nm" in problem(write_sif(tmp_path / "b.nc4", SIF_740nm=nothing))


# --------------------------------------------------------------------------------------------------------- real files
def test_236_subsets_over_ohio(real):
    total, low, high = 0, 1e9, 0.0
    for path in sorted((real / "satellite" / "oco2_lite_v10_ohio").glob("*.nc4")):
        product = read(path)
        total += product.count
        data = product.dataset
        low, high = min(low, float(data["xco2"].min())), max(high, float(data["xco2"].max()))
        assert product.collection == "oco2-lite-v10r" and (data["quality_flag"] == -1).all()
        day = np.datetime64(f"20{path.name[11:13]}-{path.name[13:15]}-{path.name[15:17]}")
        assert set(data["time"].to_numpy().astype("datetime64[D]")) <= {day, day + 1}
    assert total == 109466
    assert low > 340 and high < 450


def test_subset_equals_what_xarray_reads(real):
    import xarray as xr

    path = min((real / "satellite" / "oco2_lite_v10_ohio").glob("*.nc4"))
    data = read(path).dataset
    with xr.open_dataset(path) as source:
        np.testing.assert_array_equal(data["xco2"], source["xco2"])
        np.testing.assert_array_equal(data["co2_prior"], source["co2_profile_apriori"])
        np.testing.assert_array_equal(data["time"], source["time"])
        np.testing.assert_array_equal(data["sounding_id"], source["sounding_id"].astype(np.int64))
        np.testing.assert_array_equal(data["footprint"], source["sounding_id"].astype(np.int64) % 10)
    assert data.attrs["scale"] == "X2007" and (data["co2_prior"][:, 0] < data["co2_prior"][:, -1]).all()


def test_the_single_version_11_sounding(real):
    product = read(next((real / "satellite" / "oco2_lite_v11_one_sounding").glob("*.nc")))
    data = product.dataset
    assert product.count == 1 and product.collection == "oco2-lite-v11.2r-binned"
    assert (data.attrs["version"], data.attrs["scale"]) == ("11.2r", "X2007")
    assert float(data["xco2"][0]) == pytest.approx(399.24, abs=0.01)
    assert (float(data["lat"][0]), float(data["lon"][0])) == pytest.approx((53.409, 73.888), abs=1e-3)
    assert data["time"].to_numpy()[0].astype("datetime64[m]") == np.datetime64("2015-01-31T07:36")
    assert float(data["pressure_weight"].sum()) == pytest.approx(1, abs=1e-4)
    assert float(data["pressure"][0, 0]) < 1 < 900 < float(data["pressure"][0, -1])
