"""The promised length of classic netCDF files, against files that the netCDF library wrote."""

from __future__ import annotations

import io

import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import FileProblem
from data.readers.netcdf_classic import data_end
from data.readers.probe import Probe


@settings(max_examples=25)
@given(
    layout=st.sampled_from(["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]),
    records=st.integers(0, 4),
    types=st.lists(st.sampled_from(["i1", "i2", "i4", "f4", "f8"]), min_size=1, max_size=4),
    width=st.integers(1, 5),
)
def test_the_library_writes_exactly_as_much(tmp_path_factory, layout, records, types, width):
    path = tmp_path_factory.mktemp("classic") / "a.nc"
    with netCDF4.Dataset(path, "w", format=layout) as file:
        file.createDimension("time", None)
        file.createDimension("x", width)
        file.setncattr("title", "seven!!")
        for number, kind in enumerate(types):
            fixed = file.createVariable(f"fixed{number}", kind, ("x",))
            fixed[:] = 1
            if records:
                file.createVariable(f"record{number}", kind, ("time", "x"))[:] = np.ones((records, width))
            fixed.setncattr("scale", np.arange(number + 1, dtype="f4"))
    size = path.stat().st_size
    with open(path, "rb") as stream:
        end = data_end(stream)
    assert size - 3 <= end <= size  # the library pads the end to whole words


def test_a_cut_file_is_told_from_a_whole_one(tmp_path):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("x", 1000)
        file.createVariable("v", "f8", ("x",))[:] = 5.0
    assert Probe.of(path).has("v")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FileProblem, match="truncated"):
        _ = Probe.of(path).variables


def test_other_files_are_refused():
    for content in (b"", b"CDF", b"CDF\x07", b"\x89HDF1234", b"CDF\x01\x00\x00"):
        with pytest.raises(ValueError):
            data_end(io.BytesIO(content))


def test_real_classic_files_are_whole(real):
    classic = [
        path
        for path in real.rglob("*")
        if path.is_file() and path.suffix in (".nc", ".cdf") and path.read_bytes()[:3] == b"CDF"
    ]
    assert len(classic) >= 6
    for path in classic:
        with open(path, "rb") as stream:
            assert data_end(stream) <= path.stat().st_size, path
