"""The first look at a file: containers by their first bytes, one sentence for what cannot be looked at."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle

import h5py
import netCDF4
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from data.errors import FileProblem
from data.readers import read
from data.readers.probe import Probe, container_of


@pytest.fixture
def hdf5(tmp_path):
    path = tmp_path / "file.nc4"
    with h5py.File(path, "w") as file:
        file["time"] = np.arange(5.0)
        file["time"].attrs["units"] = "days since 2015-01-01"
        file["time"].make_scale("time")
        values = file.create_dataset("Retrieval/xco2", data=np.full((5, 3), 400.0, np.float32), compression="gzip")
        values.dims[0].attach_scale(file["time"])
        values.attrs["units"] = np.bytes_(b"ppm")
        file.create_dataset("nothing", data=h5py.Empty("f4"))
    return path


def test_hdf5_names_shapes_dimensions_and_attributes(hdf5):
    probe = Probe.of(hdf5)
    assert probe.container == "hdf5" and probe.name == "file.nc4" and probe.size == hdf5.stat().st_size
    assert probe.has("time", "Retrieval/xco2") and not probe.has("time", "xco2")
    column = probe.variables["Retrieval/xco2"]
    assert column.shape == (5, 3) and column.dims == ("time", "")
    assert dict(column.attrs) == {"units": "ppm"} and len(column.attrs) == 1
    assert column.attrs.get("long_name") is None
    assert probe.variables["nothing"].shape == ()
    assert "a hdf5 file with Retrieval/xco2, nothing, time" in probe.summary


def test_netcdf3_and_zarr_are_seen_the_same_way(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("lat", 4)
        file.createVariable("lat", "f4", ("lat",)).units = "degrees_north"
    for version in (2, 3):
        group = zarr.open_group(tmp_path / f"{version}.zarr", mode="w", zarr_format=version)
        options = {"dimension_names": ["lat"]} if version == 3 else {}
        array = group.create_array(
            "inner/lat", shape=(4,), dtype="f4", attributes={"units": "degrees_north"}, **options
        )
        if version == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = ["lat"]
    for name, container, variable in (
        ("a.nc", "netcdf3", "lat"),
        ("2.zarr", "zarr", "inner/lat"),
        ("3.zarr", "zarr", "inner/lat"),
    ):
        probe = Probe.of(tmp_path / name)
        found = probe.variables[variable]
        assert (probe.container, found.shape, found.dims) == (container, (4,), ("lat",))
        assert found.attrs["units"] == "degrees_north"


@pytest.mark.parametrize("opener", [open, gzip.open])
def test_lines_of_texts_also_compressed(tmp_path, opener):
    path = tmp_path / "t.csv"
    with opener(path, "wb") as stream:
        stream.write("\ufefftime,xco2\r\n".encode() + b"1,400\n" * 50)
    lines = Probe.of(path).lines
    assert lines[:2] == ["time,xco2", "1,400"] and len(lines) == 20
    assert Probe.of(path).variables == {}


def test_compressed_and_other_containers(tmp_path):
    for name, content, container in (
        ("a", bz2.compress(b"x"), "bzip2"),
        ("b", lzma.compress(b"x"), "xz"),
        ("c", gzip.compress(b"x"), "gzip"),
        ("d", b"MATLAB 5.0 MAT-file" + bytes(200), "mat5"),
        ("e", b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n", "hdf5"),
        ("f", b"RDX3\nX\n", "rdata"),
        ("g", b"II*\x00", "tiff"),
        ("h", bytes(10), "unknown"),
        ("i", b"lon lat\n", "text"),
    ):
        (tmp_path / name).write_bytes(content)
        assert Probe.of(tmp_path / name).container == container


@given(st.binary(min_size=1, max_size=1024))
def test_any_bytes_have_a_container_and_a_summary(tmp_path_factory, content):
    assert container_of(content) in (
        "hdf5",
        "netcdf3",
        "gzip",
        "bzip2",
        "xz",
        "text",
        "rdata",
        "mat5",
        "jpeg",
        "tiff",
        "unknown",
    )


# ------------------------------------------------------------------------------------------------------- what is wrong
def sentence(path) -> str:
    with pytest.raises(FileProblem) as problem:
        read(path)
    text = str(problem.value)
    assert text.startswith(f"{path}: expected ") and ", found " in text and text.endswith(".") and "\n" not in text
    assert str(pickle.loads(pickle.dumps(problem.value))) == text
    return text


def test_nothing_to_look_at(tmp_path):
    (tmp_path / "empty.nc").touch()
    (tmp_path / "link.nc").symlink_to(tmp_path / "gone.nc")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.nc")
    assert "found an empty file; download it again" in sentence(tmp_path / "empty.nc")
    assert "found no such file" in sentence(tmp_path / "link.nc")
    assert "found no such file" in sentence(tmp_path / "never.nc")
    assert "found a folder; name the files in it" in sentence(tmp_path / "folder")
    assert "found an empty file" in sentence(tmp_path / "pipe.nc")
    assert "found an input error (Not a directory)" in sentence(tmp_path / "empty.nc" / "x.nc")
    assert "found an input error (" in sentence("bad\0name.nc")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "secret.nc"
    path.write_bytes(b"CDF\x01")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert "found a file that you may not read; change its permissions" in sentence(path)


def test_every_truncation_of_hdf5_is_one_sentence(hdf5, tmp_path):
    content = hdf5.read_bytes()
    for size in (9, 100, 513, 1000, len(content) // 2, len(content) - 1):
        cut = tmp_path / f"cut{size}.nc4"
        cut.write_bytes(content[:size])
        assert "found a damaged or truncated one (" in sentence(cut)


def test_a_truncated_gzip_and_damaged_zarr(tmp_path):
    cut = tmp_path / "t.csv.gz"
    cut.write_bytes(gzip.compress(os.urandom(9999))[:500])
    assert "found a damaged or truncated one" in sentence(cut)
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").write_text("{not json")
    assert "expected a zarr group, found one whose metadata cannot be read" in sentence(tmp_path / "a.zarr")


def test_a_file_that_nobody_knows_says_what_it_is(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader,\nno data here\n")
    assert "found a text file that begins 'Dear reader,'" in sentence(path)
