"""AIRS mid-tropospheric CO2 from R data files."""

from __future__ import annotations

import bz2

import numpy as np
import pandas as pd
import pytest
import rdata

from data.errors import FileProblem
from data.readers import read


def write(path, frame, compression="gzip"):
    rdata.write_rda(path, {"AIRS_05_2003": frame}, compression=compression)
    return path


def frame(**changes):
    columns = {
        "year": [2003.0, 2003.0, 2003.0],
        "month": [5.0, 5.0, 5.0],
        "day": [1.0, 2.0, 15.0],
        "lon": [-138.62, 180.0, 10.0],
        "lat": [-57.5, 0.0, 89.0],
        "co2avgret": [373.9, 375.1, 377.0],
        "co2std": [1.3, 1.8, 0.1],
    }
    return pd.DataFrame(columns | changes)


def problem(path) -> str:
    with pytest.raises(FileProblem) as caught:
        read(path)
    return str(caught.value)


def test_soundings_at_noon_of_their_day(tmp_path):
    product = read(write(tmp_path / "AIRS_05_2003.rda", frame()))
    data = product.dataset
    assert (product.kind, product.collection, product.count) == ("soundings", "airs-midtroposphere", 3)
    assert data["time"].to_numpy().astype("datetime64[h]").astype(str).tolist() == [
        "2003-05-01T12",
        "2003-05-02T12",
        "2003-05-15T12",
    ]
    np.testing.assert_array_equal(data["co2_midtroposphere"], [373.9, 375.1, 377.0])
    np.testing.assert_array_equal(data["lon"], [-138.62, -180.0, 10.0])
    assert "xco2" not in data and data.attrs["instrument"] == "AIRS"


def test_missing_values_and_dates(tmp_path):
    path = write(tmp_path / "a.rda", frame(co2avgret=[-9999.0, 375.1, 377.0], day=[1.0, 99.0, 15.0]))
    data = read(path).dataset
    assert data.attrs["note"] == "1 soundings without time or place left out"
    assert np.isnan(data["co2_midtroposphere"][0]) and data.sizes["sounding"] == 2


@pytest.mark.parametrize(("make", "found"), [
    (lambda: frame().rename(columns={"co2avgret": "temperature"}), "found AIRS_05_2003 (DataFrame)"),
    (lambda: frame().iloc[:0], "found no soundings;"),
    (lambda: frame(co2avgret=[1800.0] * 3), "with a median of 1800"),
    (lambda: frame(lat=[99.0] * 3), "found no soundings with time, latitude and longitude"),
])  # fmt: skip
def test_frames_that_cannot_be_used(tmp_path, make, found):
    assert found in problem(write(tmp_path / "a.rda", make()))


@pytest.mark.parametrize(
    "content", [b"RDX3\nX\n\x00\x00", bz2.compress(b"RDX3\nX\n" + bytes(100)), b"BZh91AY&SY\x01\x02"]
)
def test_damaged_files(tmp_path, content):
    (tmp_path / "AIRS.rda").write_bytes(content)
    assert "found content that cannot be read" in problem(tmp_path / "AIRS.rda")


def test_the_real_file(real):
    product = read(real / "satellite" / "airs_midtrop_co2" / "AIRS_05_2003.rda")
    data = product.dataset
    assert product.count == 209631
    assert float(data["co2_midtroposphere"].mean()) == pytest.approx(375.450, abs=1e-3)
    assert product.span == (np.datetime64("2003-05-01T12", "ns"), np.datetime64("2003-05-15T12", "ns"))
    assert np.unique(data["sounding_id"]).size == 209631
