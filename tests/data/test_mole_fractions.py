"""Mole fractions on levels: CarbonTracker's layouts of all releases, both orders of levels, bad files."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from data.errors import FileProblem
from data.readers import find_reader, read
from data.readers.level_geometry import height_from_pressure, standard_height, standard_pressure
from data.readers.mole_fractions import read_mole_fractions
from data.readers.probe import Probe
from tests.data.level_files import EDGES_M, EDGES_PA, LEVELS, LON, PARTS, level_file


def test_the_total_with_its_geometry(tmp_path):
    path = tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc"
    level_file(path)
    product = read(path)
    volume = product.dataset
    assert (product.reader, product.kind, product.count) == ("mole_fractions", "volume", 2)
    assert product.collection == "carbontracker-ct2022-molefractions"
    assert volume["co2"].dims == ("time", "lev", "lat", "lon") and volume["co2"].attrs["units"] == "ppm"
    assert volume["pressure_edge"].dims == volume["height_edge"].dims == ("time", "edge", "lat", "lon")
    np.testing.assert_allclose(volume["co2"][0, :, 0, 0], [400, 401, 402, 403, 404])
    np.testing.assert_allclose(volume["pressure_edge"][0, :, 0, 0], EDGES_PA / 100)
    np.testing.assert_allclose(volume["height_edge"][1, :, 3, 2], EDGES_M)
    assert product.span[0] == np.datetime64("2020-01-01T01:30", "ns")
    assert volume.attrs["catalog"] == "carbontracker-ct2022-molefractions" and volume.attrs["simulated"] == 0


def test_levels_from_the_top_are_turned_round(tmp_path):
    up, down = tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc", tmp_path / "CT2022.molefrac_glb3x2_2020-01-02.nc"
    level_file(up)
    level_file(down, downward=True)
    for name in ("co2", "pressure_edge", "height_edge"):
        np.testing.assert_array_equal(read(up).dataset[name], read(down).dataset[name])


def test_dimensions_of_other_names_and_an_axis_that_says_up(tmp_path):
    path = tmp_path / "model.molefrac_2020-01-01.nc"
    dataset = level_file(path)
    dataset["boundary"].attrs["positive"] = "up"
    dataset["level"].attrs["axis"] = "Z"
    path.unlink()
    dataset.rename(level="layer", latitude="lat", longitude="lon", time="date").to_netcdf(path)
    np.testing.assert_allclose(read(path).dataset["co2"][1, :, 0, 0], [410, 411, 412, 413, 414])


def test_components_and_their_sum(tmp_path):
    path = tmp_path / "CT2022.molefrac_components_glb3x2_2020-01-01.nc"
    level_file(path, parts=PARTS, geometry=False)
    volume = read(path).dataset
    assert {"co2", "co2_bg", "co2_bio", "co2_ocean", "co2_fossil", "co2_fire"} <= set(volume.data_vars)
    assert "pressure_edge" not in volume
    np.testing.assert_allclose(volume["co2"][1, :, 0, 3], [410, 411, 412, 413, 414], rtol=1e-6)
    np.testing.assert_allclose(volume["co2_bio"][0, 0, 0, 0], -8.0, rtol=1e-6)
    some = tmp_path / "CT2022.molefrac_components_glb3x2_2020-01-02.nc"
    level_file(some, parts={"bg": 0.9, "ff": 0.1}, geometry=False)
    assert "co2" not in read(some).dataset  # a part of the components is not the total


def test_mole_fractions_in_mol_per_mol_become_ppm(tmp_path):
    path = tmp_path / "run.molefrac_glb3x2_2020-01.nc"
    level_file(path, units="mol mol-1", scale=1e-6)
    np.testing.assert_allclose(read(path).dataset["co2"][0, 2, 0, 0], 402.0)


def test_pressure_and_height_at_the_middle_of_levels_give_the_boundaries(tmp_path):
    path = tmp_path / "CT2010.molefrac_glb3x2_2009-01-01.nc"
    level_file(path, middles=True)
    volume = read(path).dataset
    np.testing.assert_allclose(volume["pressure_edge"][0, :, 0, 0], EDGES_PA / 100)  # evenly spaced: exactly
    assert volume["height_edge"][0, 0, 0, 0] == 0.0 and (volume["height_edge"].diff("edge") > 0).all()
    assert "middle of the levels" in volume.attrs["note"]


@pytest.mark.parametrize(("gone", "words"), [("gph", "standard atmosphere"), ("pressure", "standard atmosphere")])
def test_height_and_pressure_stand_in_for_each_other(tmp_path, gone, words):
    path = tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc"
    level_file(path, drop=(gone,))
    volume = read(path).dataset
    assert words in volume.attrs["note"]
    assert np.isfinite(volume["height_edge"]).all() and (volume["height_edge"].diff("edge") > 0).all()
    assert (volume["pressure_edge"].diff("edge") < 0).all()


def test_monthly_regional_and_foreign_files_are_collections_of_their_own(tmp_path):
    names = {
        "CT2022.molefrac_glb3x2_2020-01.nc": "carbontracker-ct2022-molefractions-monthly",
        "CT2022.molefrac_nam1x1_2020-01-01.nc": "carbontracker-ct2022-molefractions-nam1x1",
        "CT-NRT.v2023-4.molefrac_glb3x2_2023-01-01.nc": "carbontracker-ct-nrt.v2023-4-molefractions",
        "asia-run-7.molefrac_glb3x2_2020-01.nc": "asia-run-7-molefractions-monthly",
    }
    for name, collection in names.items():
        level_file(tmp_path / name)
        assert read(tmp_path / name).collection == collection
    attrs = read(tmp_path / "asia-run-7.molefrac_glb3x2_2020-01.nc").dataset.attrs
    assert "CarbonTracker" not in attrs["title"] + attrs["instrument"] and attrs["catalog"] == "none"


def test_simulated_data_are_never_called_carbontracker(tmp_path):
    path = tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc"
    level_file(path, attrs={"simulated": 1, "title": "A simulated world", "collection": "mine"})
    attrs = read(path).dataset.attrs
    assert attrs["simulated"] == 1 and attrs["title"] == "A simulated world" and attrs["catalog"] == "demo"


def test_large_files_stay_lazy(tmp_path, monkeypatch):
    monkeypatch.setattr("data.readers.opening.LAZY_BYTES", 1000)
    path = tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc"
    level_file(path)
    volume = read_mole_fractions(path).dataset
    assert volume["co2"].chunks is not None and volume["pressure_edge"].chunks is not None
    np.testing.assert_allclose(volume["co2"][0, :, 0, 0], [400, 401, 402, 403, 404])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.assign(co2=ds["co2"].assign_attrs(units="K")), "units 'K'"),
        (lambda ds: ds.assign(co2=ds["co2"].assign_attrs(units="mol mol-1")), "median"),
        (lambda ds: ds.assign(pressure=ds["pressure"].assign_attrs(units="bananas")), "bananas"),
        (lambda ds: ds.assign(pressure=abs(ds["pressure"] - 5e4)), "pressure that falls"),
        (lambda ds: ds.isel(level=0), "no co2 on levels"),
        (lambda ds: ds.drop_vars("co2"), "no co2 on levels"),
        (lambda ds: ds.drop_vars("time").assign_coords(time=("time", [1.0, 2.0])).rename(time="step"), "co2"),
    ],
)
def test_bad_files_give_one_sentence(tmp_path, change, message):
    path = tmp_path / "model.molefrac.nc"
    dataset = level_file(path)
    path.unlink()
    change(dataset).to_netcdf(path)
    with pytest.raises(FileProblem, match=message) as caught:
        read_mole_fractions(path)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_damaged_and_empty_files(tmp_path):
    path = tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc"
    level_file(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(FileProblem):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(FileProblem):
        read(path)


def test_surface_fields_are_left_to_other_readers(tmp_path):
    path = tmp_path / "other.nc"
    xr.Dataset({"co2": (("time", "lat", "lon"), np.zeros((2, 4, 5)))}).to_netcdf(path)
    assert find_reader(Probe.of(path)).name != "mole_fractions"


def test_standard_atmosphere_has_its_published_values():
    np.testing.assert_allclose(
        standard_height(np.array([1013.25, 540.199, 226.321, 54.7489, 11.7187])),
        [0.0, 5000.0, 11000.0, 20000.0, 30000.0],
        atol=5.0,
    )


@given(st.floats(-300.0, 40_000.0))
def test_pressure_and_height_of_the_standard_atmosphere_are_inverse(height):
    assert float(standard_height(standard_pressure(np.array(height)))) == pytest.approx(height, abs=1e-6)


def test_hypsometric_height_of_an_isothermal_atmosphere():
    pressure = xr.DataArray(np.array([1000.0, 500.0, 250.0]), dims="edge")
    temperature = xr.DataArray(np.array([250.0, 250.0]), dims="lev")
    height = height_from_pressure(pressure, temperature, None, xr.DataArray(100.0))
    scale = 287.05 * 250.0 / 9.80665
    np.testing.assert_allclose(height, 100.0 + scale * np.log([1.0, 2.0, 4.0]), rtol=1e-9)


def test_cells_of_the_file_are_known(tmp_path):
    path = tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc"
    level_file(path)
    volume = read(path).dataset
    assert volume.sizes == {"time": 2, "lev": LEVELS, "edge": LEVELS + 1, "lat": 9, "lon": LON.size, "bnds": 2}
