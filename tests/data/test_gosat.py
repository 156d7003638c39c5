"""GOSAT level 2 soundings, level 3 months and the stack of them: real files against h5py, and damaged ones."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr

from data.errors import FileProblem
from data.readers import read


def problem(path) -> str:
    with pytest.raises(FileProblem) as caught:
        read(path)
    return str(caught.value)


def write(path, arrays, *, unit=b"ppmv"):
    """HDF5 in NIES's way: `invalidValue`, `unit`, no dimensions."""
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            node = file.create_dataset(name, data=values)
            if np.asarray(values).dtype.kind == "f":
                node.attrs["invalidValue"] = np.array([-9999.0], np.asarray(values).dtype)
            if "XCO2" in name:
                node.attrs["unit"] = np.array([unit])
    return path


def level2(count=12):
    random = np.random.default_rng(3)
    day = np.datetime64("2019-05-06T01:02:03.500", "ms") + np.arange(count) * np.timedelta64(4600, "ms")
    text = np.char.encode(np.char.replace(day.astype(str), "T", " ")) if count else np.empty(0, "S23")
    return {
        "Data/mixingRatio/XCO2": (410 + random.normal(0, 1, count)).astype(np.float32),
        "Data/mixingRatio/XCO2RetrievalNoise": np.full(count, 0.6, np.float32),
        "Data/mixingRatio/XCO2InterferenceError": np.full(count, 0.0, np.float32),
        "Data/mixingRatio/XCO2SmoothingError": np.full(count, 0.8, np.float32),
        "Data/geolocation/latitude": np.linspace(-40, 40, count).astype(np.float32),
        "Data/geolocation/longitude": np.linspace(0, 350, count).astype(np.float32),
        "Data/geolocation/landFraction": (np.arange(count) % 3 * 50).astype(np.float32),
        "Data/retrievalQuality/totalPostScreeningResult": (np.arange(count) % 4 == 3).astype(np.int8),
        "Data/retrievalQuality/columnAveragingKernel": np.tile(np.linspace(0.4, 1, 15, dtype=np.float32), (count, 1)),
        "Data/auxiliaryParameter/surfacePressure": np.full(count, 1000, np.float32),
        "scanAttribute/referenceData/CO2Profile": np.full((count, 15), 405, np.float32),
        "scanAttribute/referenceData/dryAirPartialColumn": np.full((count, 15), 1.4e24, np.float32),
        "scanAttribute/sensor/sunglintModeFlag": (np.arange(count) % 2).astype(np.int8),
        "scanAttribute/sensor/observationMode": np.array([b"OB1D", b"SPOD", b"SPOD"] * count)[:count],
        "scanAttribute/time": text,
        "Global/metadata/productVersion": np.array([b"V02.98"]),
    }


def test_level_2_layout(tmp_path):
    arrays = level2()
    arrays["Data/mixingRatio/XCO2"][4] = -9999
    product = read(write(tmp_path / "day.h5", arrays))
    data = product.dataset
    assert (product.collection, product.count, data.attrs["version"]) == ("gosat-l2-v02.98", 12, "V02.98")
    assert data["time"][0] == np.datetime64("2019-05-06T01:02:03.500", "ns")
    np.testing.assert_allclose(data["xco2_uncertainty"], 1.0, rtol=1e-6)
    assert np.isnan(data["xco2"][4]) and int(data["xco2"].isnull().sum()) == 1
    np.testing.assert_array_equal(data["quality_flag"][:4], [0, 0, 0, 1])
    np.testing.assert_array_equal(data["surface_type"][:3], [0, -1, 1])
    np.testing.assert_array_equal(data["mode"][:6], [0, 1, 2, 1, 2, 1])
    np.testing.assert_allclose(data["pressure_weight"], 1 / 15, rtol=1e-6)
    np.testing.assert_allclose(data["pressure"][0], (np.arange(15) + 0.5) * 1000 / 15, rtol=1e-6)
    assert float(data["lon"].max()) < 180


def test_level_2_with_only_what_it_needs(tmp_path):
    arrays = {
        name: values
        for name, values in level2().items()
        if name.split("/")[-1] in ("XCO2", "latitude", "longitude", "time")
    }
    data = read(write(tmp_path / "GOSATTFTS20190506_02C01SV0280R190506GU000.h5", arrays)).dataset
    assert data.attrs["version"] == "V02.80" and data["xco2_uncertainty"].isnull().all()
    assert (data["quality_flag"] == -1).all() and "averaging_kernel" not in data


@pytest.mark.parametrize(("change", "found"), [
    (lambda a: level2(0), "found no soundings;"),
    (lambda a: a | {"Data/mixingRatio/XCO2": np.full(12, -9999, np.float32)}, "no soundings with a value of xco2"),
    (lambda a: {k: v for k, v in a.items() if "latitude" not in k}, "found no Data/geolocation/latitude"),
    (lambda a: a | {"Data/mixingRatio/XCO2": a["Data/mixingRatio/XCO2"] * 4}, "with a median of 16"),
    (lambda a: a | {"scanAttribute/time": np.array([b"yesterday"] * 12)}, "found no soundings with time, latitude"),
])  # fmt: skip
def test_level_2_that_cannot_be_used(tmp_path, change, found):
    assert found in problem(write(tmp_path / "day.h5", change(level2())))


def test_level_2_flagged_in_kelvin_truncated_and_not_hdf5(tmp_path):
    arrays = level2() | {"Data/retrievalQuality/totalPostScreeningResult": np.ones(12, np.int8)}
    path = write(tmp_path / "GOSATTFTS20190506_02C01SV0280R190506GU000.h5", arrays)
    assert read(path).dataset.attrs["note"] == "all 12 soundings are flagged bad"
    assert "found units 'K'" in problem(write(path, level2(), unit=b"K"))
    path.write_bytes(path.read_bytes()[:5000])
    assert "damaged or truncated" in problem(path)
    path.write_text("404 Not Found")
    assert "expected a GOSAT SWIR level 2 CO2 file" in problem(path)


def level3(month=3):
    lat, lon = np.meshgrid(88.75 - 2.5 * np.arange(72), -178.75 + 2.5 * np.arange(144), indexing="ij")
    count = (np.abs(lat) < 50).astype(np.int32) * 3
    values = np.where(count, 410 + lat / 100, -9999).astype(np.float32)
    names = ("Average", "Median", "StandardDeviation")
    return {
        "Data/geolocation/latitude": lat.astype(np.float32),
        "Data/geolocation/longitude": lon.astype(np.float32),
        "Data/mixingRatio/XCO2": values - 3,
        "Data/mixingRatio/XCO2BiasCorrected": values,
        "Data/mixingRatio/XCO2BiasCorrectedStandardError": np.where(count, 1.5, -9999).astype(np.float32),
        **{
            f"Data/latticeInformation/XCO2BiasCorrected{name}": values
            if name != "StandardDeviation"
            else values * 0 + 1
            for name in names
        },
        "Data/latticeInformation/numObservationPoints": count,
        "Attribute/metadata/year": np.array([2018], np.int32),
        "Attribute/metadata/month": np.array([month], np.int32),
        "Global/metadata/productVersion": np.array([b"V03.05"]),
    }


def test_level_3_layout(tmp_path):
    product = read(write(tmp_path / "map.h5", level3()))
    grid = product.dataset
    assert (product.kind, product.collection, product.count) == ("grid", "gosat-l3-v03.05", 1)
    assert grid["xco2"].dims == ("time", "lat", "lon") and grid["time"][0] == np.datetime64("2018-03-16T12", "ns")
    assert grid["lat"][0] == -88.75 and grid["xco2"].dtype == np.float32
    np.testing.assert_allclose(grid["xco2"].sel(lat=41.25), 410.4125, rtol=1e-6)
    assert grid["xco2"].sel(lat=88.75).isnull().all() and grid["n_soundings"].sel(lat=88.75).sum() == 0
    assert float(grid["xco2_uncertainty"].max()) == 1.5


@pytest.mark.parametrize(("change", "found"), [
    (lambda a: {k: v for k, v in a.items() if "longitude" not in k}, "found no Data/geolocation/longitude"),
    (lambda a: {k: (np.full_like(v, -9999) if "XCO2" in k else v) for k, v in a.items()}, "found a map without values"),
    (lambda a: a | {"Data/geolocation/latitude": a["Data/geolocation/longitude"]}, "no regular grid"),
    (lambda a: {k: v for k, v in a.items() if "metadata/month" not in k}, "found no month, neither inside nor in"),
])  # fmt: skip
def test_level_3_that_cannot_be_used(tmp_path, change, found):
    assert found in problem(write(tmp_path / "map.h5", change(level3())))


def test_level_3_month_from_the_name(tmp_path):
    arrays = {name: values for name, values in level3().items() if "metadata/month" not in name}
    path = write(tmp_path / "GOSATTFTS2018110120181124_03C01SV0305.h5", arrays)
    assert read(path).dataset["time"][0] == np.datetime64("2018-11-16", "ns")


# --------------------------------------------------------------------------------------------------------- real files
def test_ten_real_days(real):
    total = 0
    for path in sorted((real / "satellite" / "gosat_l2_v0280_201811").glob("*.h5")):
        product = read(path)
        data = product.dataset
        total += product.count
        assert product.collection == "gosat-l2-v02.80" and (data["quality_flag"] == 0).all()
        assert set(np.unique(data["mode"])) <= {0, 1, 2} and np.unique(data["sounding_id"]).size == product.count
        assert (
            data["time"].to_numpy().astype("datetime64[D]")
            == np.datetime64(f"{path.name[9:13]}-{path.name[13:15]}-{path.name[15:17]}")
        ).all()
        column = (data["pressure_weight"] * data["co2_prior"]).sum("level")
        np.testing.assert_allclose(column, data["xco2_prior"], atol=2e-3)  # so weights and layers belong together
        assert (data["pressure"][:, 0] < data["pressure"][:, -1]).all()
        with h5py.File(path) as file:
            np.testing.assert_array_equal(data["xco2"], file["Data/mixingRatio/XCO2"][()])
    assert total == 3556


def test_real_months_equal_the_real_stack(real):
    stack = read(real / "satellite" / "derived" / "gosat_l3_swir_xco2_v0305_stack.nc")
    assert stack.count == 148 and stack.collection == "gosat-l3-v03.05"
    months = sorted((real / "satellite" / "gosat_l3_v0305").glob("*.h5"))
    for path in months:
        product = read(path)
        assert product.collection == stack.collection and product.dataset.sizes == {
            "time": 1,
            "lat": 72,
            "lon": 144,
            "bnds": 2,
        }
        same = stack.dataset.sel(time=product.dataset["time"])
        for name in same.data_vars:
            np.testing.assert_allclose(product.dataset[name], same[name], atol=6e-4, err_msg=name)
    assert len(months) == 11


def test_a_stack_without_times_is_refused(tmp_path):
    empty = xr.Dataset(
        {name: (("time", "lat", "lon"), np.empty((0, 2, 2), np.float32)) for name in ("xco2_interp", "xco2_cell_mean")},
        coords={"lat": [0.0, 1.0], "lon": [0.0, 1.0], "time": np.empty(0)},
    )
    empty.to_netcdf(tmp_path / "stack.nc")
    assert "found no times" in problem(tmp_path / "stack.nc")
