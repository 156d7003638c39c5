"""Covariates and outlines: known places in the real maps, the repeated meridian, and pictures that are no maps."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data.errors import FileProblem
from data.readers.boundaries import READERS as BOUNDARIES
from data.readers.boundaries import longitude_range
from data.readers.covariates import READERS, STATIC_TIME
from data.readers.probe import Probe


def read(path):
    return next(reader for reader in [*READERS, *BOUNDARIES] if reader.recognises(Probe.of(path))).read(path)


# ----------------------------------------------------------------------------------------------------------- real files
@pytest.mark.parametrize(
    ("file", "shape", "collection"),
    [("etopo20.cdf", (540, 1080), "etopo-20min"), ("etopo60.cdf", (180, 360), "etopo-60min")],
)
def test_real_relief(real, file, shape, collection):
    product = read(real / "covariates" / "topography" / file)
    height = product.dataset["elevation"]
    assert height.shape == (1, *shape) and product.collection == collection
    lon = product.dataset["lon"].to_numpy()
    assert lon.min() >= -180 and lon.max() < 180 and (np.diff(lon) > 0).all()
    np.testing.assert_allclose(np.diff(lon), 360 / shape[1], atol=2e-6)
    field = height[0]
    assert float(field.sel(lat=28, lon=87, method="nearest")) > 3000  # Himalaya
    assert float(field.sel(lat=0, lon=-150, method="nearest")) < -3000  # Pacific
    assert float(field.sel(lat=-80, lon=60, method="nearest")) > 1000  # Antarctica
    assert product.dataset.attrs["static"] == 1 and product.span[0] == STATIC_TIME


def test_real_vegetation(real):
    product = read(real / "covariates" / "ndvi" / "copNDVI.rds")
    field = product.dataset["ndvi_code"][0]
    assert field.shape == (980, 2520)
    place = {"method": "nearest"}
    congo, sahara = float(field.sel(lat=0, lon=24, **place)), float(field.sel(lat=24, lon=10, **place))
    assert congo > 180 > 60 > sahara
    assert np.isnan(field.sel(lat=0, lon=-150, **place))
    np.testing.assert_allclose([field["lat"][0], field["lat"][-1]], [-59.924, 79.933], atol=2e-3)


def test_real_lights(real):
    field = read(real / "covariates" / "night_lights" / "night.jpg").dataset["brightness"][0]
    assert field.shape == (1024, 2048)

    def brightest(south, north, west, east):
        return float(field.sel(lat=slice(south, north), lon=slice(west, east)).max())

    assert brightest(50, 53, -1, 1) > 100  # London
    assert brightest(34, 37, 138, 141) > 100  # Tokyo
    assert brightest(-40, -20, -130, -110) < 20  # South Pacific


@pytest.mark.parametrize(
    ("file", "countries"), [("countries-110m.json", 177), ("countries-50m.json", 241), ("land-110m.json", 0)]
)
def test_real_outlines(real, file, countries):
    table = read(real / "boundaries" / file).dataset.to_dataframe().set_index("name")
    assert (table["layer"] == "countries").sum() == countries
    if countries:
        assert table.loc["Fiji", "west"] > 170 > -170 > table.loc["Fiji", "east"]  # across the dateline
        assert (table.loc["Antarctica", "west"], table.loc["Antarctica", "east"]) == (-180, 180)
        np.testing.assert_allclose(table.loc["Brazil", ["west", "east"]].astype(float), [-74.0, -34.8], atol=0.1)
    else:
        assert len(table) == 1


# ------------------------------------------------------------------------------------------------------------ by hand
def test_ranges_across_the_dateline():
    assert longitude_range([(10.0, 20.0)]) == (10.0, 20.0)
    assert longitude_range([(10.0, 20.0), (15.0, 30.0)]) == (10.0, 30.0)
    assert longitude_range([(170.0, 180.0), (-180.0, -160.0)]) == (170.0, -160.0)
    assert longitude_range([(-180.0, 180.0), (0.0, 1.0)]) == (-180.0, 180.0)


@given(
    st.lists(
        st.tuples(st.floats(-180, 180), st.floats(0, 90)).map(lambda pair: (pair[0], min(pair[0] + pair[1], 180.0))),
        min_size=1,
        max_size=6,
    )
)
def test_ranges_hold_all_their_parts(intervals):
    west, east = longitude_range(intervals)
    width = (east - west) % 360 if east != west + 360 else 360
    for start, end in intervals:
        assert (start - west) % 360 <= width + 1e-6 or abs((start - west) % 360 - 360) < 1e-6
        assert end - start <= width + 1e-6 or width == 0


def test_relief_in_other_names_and_kilometres(tmp_path):
    path = tmp_path / "ETOPO_2022_v1_60s_surface.nc"
    xr.Dataset(
        {"z": (("lat", "lon"), np.full((18, 36), 2.0), {"units": "km"})},
        {"lat": np.arange(85.0, -90, -10), "lon": np.arange(5.0, 360, 10)},
    ).to_netcdf(path)
    grid = read(path).dataset
    np.testing.assert_array_equal(grid["elevation"], 2000.0)
    assert (float(grid["lat"][0]), float(grid["lon"][0])) == (-85.0, -175.0)


def test_pictures_that_are_no_maps(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (640, 480)).save(path)
    with pytest.raises(FileProblem, match="640 x 480"):
        read(path)
    Image.new("RGB", (720, 360)).save(path)
    path.write_bytes(path.read_bytes()[:800])
    with pytest.raises(FileProblem):
        read(path)


def test_damaged_r_files_and_outlines(tmp_path, real):
    packed = tmp_path / "copNDVI.rds"
    packed.write_bytes((real / "covariates" / "ndvi" / "copNDVI.rds").read_bytes()[:5000])
    with pytest.raises(FileProblem):
        read(packed)
    outlines = tmp_path / "countries.json"
    outlines.write_text('{"type": "Topology", "objects": {}, "arcs": []')
    with pytest.raises(FileProblem, match="cannot be read"):
        read(outlines)
    outlines.write_text(
        json.dumps(
            {"type": "Topology", "objects": {}, "arcs": [[[0, 0]]], "transform": {"scale": [1, 1], "translate": [0, 0]}}
        )
    )
    with pytest.raises(FileProblem, match="no shapes"):
        read(outlines)
