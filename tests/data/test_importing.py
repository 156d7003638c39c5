"""Import from end to end: files that are found, read and put where their kind belongs; bad ones among them; maps that become cubes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.commands.data import command
from data.canonical import Product
from data.cube import Cube, Grid, list_cubes
from data.errors import StoreProblem
from data.home import cubes_dir, sites_dir, soundings_dir, tables_dir
from data.importing import files_to_import, import_paths
from data.importing.cubes import union_of
from data.sites import SiteStore
from data.soundings import SoundingArchive
from data.tables import TableStore
from data.verifying import time_gaps, verify

CHECKOUT = Path(__file__).resolve().parents[2]


def write_map(
    path: Path,
    months=("2019-01",),
    *,
    west: float = 100.0,
    south: float = 20.0,
    shape: tuple[int, int] = (6, 8),
    step: float = 0.5,
    value: float = 410.0,
    **variables,
) -> Path:
    """Monthly XCO2 maps as someone might hand them over: value + month + row / 10 + column / 100."""
    times = np.array([f"{month}-15" for month in months], dtype="datetime64[ns]")
    lat = south + step * (np.arange(shape[0]) + 0.5)
    lon = west + step * (np.arange(shape[1]) + 0.5)
    field = value + np.arange(times.size)[:, None, None] + lat[:, None] / 10 + lon / 100
    data = {"xco2": (("time", "lat", "lon"), field, {"units": "ppm"})}
    data |= {name: (("time", "lat", "lon"), field * 0 + number, {"units": "1"}) for name, number in variables.items()}
    dataset = xr.Dataset(data, {"time": times, "lat": lat, "lon": lon})
    dataset["lat"].attrs["units"], dataset["lon"].attrs["units"] = "degrees_north", "degrees_east"
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.to_netcdf(path)
    return path


def expected_map(cube: Cube, value: float, month: int = 0) -> np.ndarray:
    return value + month + cube.grid.lat[:, None] / 10 + cube.grid.lon / 100


# --------------------------------------------------------------- finding files


def test_a_folder_means_its_data_files_in_a_fixed_order(tmp_path):
    for name in (
        "b/2.nc",
        "b/.hidden.nc",
        "a.nc",
        "README.md",
        "b/LICENSE",
        "c.zarr/.zgroup",
        "c.zarr/x/0",
        ".git/x.nc",
        "notes.MD",
        "b/readme_first.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    names = [str(path.relative_to(tmp_path)) for path in files_to_import([tmp_path, tmp_path / "a.nc"])]
    assert names == ["a.nc", "b/2.nc", "c.zarr"]
    assert files_to_import([tmp_path / "README.md"]) == [tmp_path / "README.md"]
    assert files_to_import([tmp_path / "c.zarr"]) == [tmp_path / "c.zarr"]


def test_an_empty_folder_is_said(tmp_path):
    (tmp_path / "void").mkdir()
    (record,) = import_paths([tmp_path / "void"], home=tmp_path / "home")
    assert record.status == "failed" and "a folder without any" in record.message


# ------------------------------------------------------------------- bad files


def test_one_bad_file_never_stops_the_rest(tmp_path):
    source = tmp_path / "in"
    write_map(source / "good_201901.nc")
    (source / "empty.nc").write_bytes(b"")
    (source / "text.nc").write_text("hello\nworld")
    (source / "cut.nc").write_bytes(write_map(tmp_path / "x.nc").read_bytes()[:2000])
    (source / "loop.nc").symlink_to(source / "nowhere.nc")
    records = import_paths([source, tmp_path / "absent.nc"], home=tmp_path / "home")
    status = {Path(record.path).name: record.status for record in records}
    assert status == {
        "good_201901.nc": "imported",
        **dict.fromkeys(("empty.nc", "text.nc", "cut.nc", "loop.nc", "absent.nc"), "failed"),
    }
    for record in records:
        if record.status == "failed":
            assert (
                record.message.startswith(record.path) and record.message.endswith(".") and "\n" not in record.message
            )
            assert "expected" in record.message and "found" in record.message
    (cube,) = list_cubes(cubes_dir(tmp_path / "home"))
    assert len(cube.times) == 1


def test_a_reader_that_breaks_is_one_failed_record_with_its_traceback_in_the_log(tmp_path, monkeypatch, caplog):
    good, bad = write_map(tmp_path / "a_201901.nc"), write_map(tmp_path / "b_201902.nc")
    from data import readers

    def read(path, real=readers.read):
        if Path(path) == bad:
            raise ZeroDivisionError("inside a reader")
        return real(path)

    monkeypatch.setattr(readers, "read", read)
    first, second = import_paths([good, bad], home=tmp_path / "home")
    assert (first.status, second.status) == ("imported", "failed")
    assert "unforeseen ZeroDivisionError: inside a reader" in second.message and str(bad) in second.message
    assert "Traceback" in caplog.text


def test_a_file_that_vanishes_between_the_walk_and_the_reading(tmp_path):
    first, second = write_map(tmp_path / "in/a_201901.nc"), write_map(tmp_path / "in/b_201902.nc")
    records = import_paths(
        [tmp_path / "in"], home=tmp_path / "home", progress=lambda done, total, label: second.unlink(missing_ok=True)
    )
    assert [record.status for record in records] == ["imported", "failed"]
    assert "no such file" in records[1].message and first.exists()


def test_a_file_that_vanishes_before_its_maps_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr("data.importing.cubes._KEPT_BYTES", 0)  # every file is opened again for its maps
    write_map(tmp_path / "in/a_201901.nc")
    second = write_map(tmp_path / "in/a_201902.nc", ("2019-02",))
    third = write_map(tmp_path / "in/a_201903.nc", ("2019-03",))

    def progress(done: int, total: int, label: str) -> None:
        if "map 1 of" in label:
            second.unlink()

    records = import_paths([tmp_path / "in"], home=tmp_path / "home", progress=progress)
    assert [record.status for record in records] == ["imported", "failed", "imported"]
    assert str(second) in records[1].message and third.exists()
    (cube,) = list_cubes(cubes_dir(tmp_path / "home"))
    assert cube.times.astype("datetime64[M]").astype(str).tolist() == ["2019-01", "2019-03"]


def test_a_grid_that_is_not_regular_is_said(tmp_path):
    path = write_map(tmp_path / "x_201901.nc")
    with xr.open_dataset(path) as dataset:
        bent = dataset.load().assign_coords(lat=dataset["lat"].values ** 2 / 20)
    bent.to_netcdf(tmp_path / "bent_201901.nc")
    (record,) = import_paths([tmp_path / "bent_201901.nc"], home=tmp_path / "home")
    assert record.status == "failed" and "regular" in record.message and "evenly spaced" in record.message


def test_no_room_fails_the_files_and_leaves_nothing_half_written(tmp_path):
    write_map(tmp_path / "in/a_201901.nc", shape=(200, 300), step=0.1)
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from data.importing import import_paths\n"
        "import data.readers.gridded\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))\n"
        "from pathlib import Path\n"
        "print([record.message for record in import_paths([sys.argv[1]], home=Path(sys.argv[2])) if record.status == 'failed'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "in"), str(tmp_path / "home")],
        cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "could not be written" in done.stdout and "free some space" in done.stdout
    assert [record.status for record in import_paths([tmp_path / "in"], home=tmp_path / "home")] == ["imported"]
    assert [finding for finding in verify(tmp_path / "home") if finding.problem] == []


# ------------------------------------------------------------------- cubes


def test_maps_of_several_files_become_one_cube(tmp_path):
    for number in (3, 1, 2):
        write_map(tmp_path / f"in/xco2_2019{number:02d}.nc", (f"2019-{number:02d}",), value=400.0 + number)
    records = import_paths([tmp_path / "in"], home=tmp_path / "home")
    assert [record.message.split(" in the cube ")[0] for record in records] == ["one time step"] * 3
    (cube,) = list_cubes(cubes_dir(tmp_path / "home"))
    variable = cube.variables["xco2"]
    assert (variable.dtype, variable.scale, variable.offset, variable.units) == ("int16", 0.01, 400.0, "ppm")
    assert len(cube.times) == 3
    for step in range(3):
        np.testing.assert_allclose(cube.read("xco2", step), expected_map(cube, 401.0 + step), atol=0.006)
    np.testing.assert_allclose(
        cube.series("xco2", 101.3, 20.8), [401 + 2.075 + 1.0125 + k for k in range(3)], atol=0.006
    )


def test_other_variables_stay_exact_and_importing_again_writes_nothing(tmp_path):
    path = write_map(tmp_path / "xco2_201901.nc", soundings=12345.678)
    import_paths([path], home=tmp_path / "home")
    (cube,) = list_cubes(cubes_dir(tmp_path / "home"))
    assert cube.variables["soundings"].dtype == "float32"
    assert (cube.read("soundings", 0) == np.float32(12345.678)).all()
    version = cube.version
    (record,) = import_paths([path], home=tmp_path / "home")
    assert record.status == "unchanged" and record.count == 1 and record.kind == "grid"
    assert not cube.refresh() and cube.version == version


def test_a_changed_file_replaces_its_maps(tmp_path):
    path = write_map(tmp_path / "xco2_201901.nc")
    import_paths([path], home=tmp_path / "home")
    write_map(path, value=415.0)
    (record,) = import_paths([path], home=tmp_path / "home")
    assert record.status == "imported"
    (cube,) = list_cubes(cubes_dir(tmp_path / "home"))
    np.testing.assert_allclose(cube.read("xco2", 0), expected_map(cube, 415.0), atol=0.006)


def test_a_larger_area_later_makes_the_cube_larger_and_keeps_what_it_had(tmp_path):
    home = tmp_path / "home"
    import_paths([write_map(tmp_path / "xco2_201901.nc")], home=home)
    (cube,) = list_cubes(cubes_dir(home))
    before = cube.version
    import_paths(
        [write_map(tmp_path / "xco2_201902.nc", ("2019-02",), west=98.0, south=21.0, shape=(8, 20))], home=home
    )
    assert cube.refresh() and cube.version > before
    assert cube.grid == Grid(98.0, 20.0, 0.5, 0.5, 20, 10)
    first = cube.read("xco2", 0)
    expected = np.full((10, 20), np.nan)
    expected[:6, 4:12] = expected_map(cube, 410.0)[:6, 4:12]
    np.testing.assert_allclose(first, expected, atol=0.006)
    assert np.isfinite(cube.read("xco2", 1)).sum() == 160
    assert not (home / ".building").exists()
    assert {record.status for record in import_paths([tmp_path / "xco2_201901.nc"], home=home)} == {"unchanged"}


def test_more_variables_later_join_the_steps_there_are(tmp_path):
    home = tmp_path / "home"
    import_paths([write_map(tmp_path / "a/xco2_201901.nc")], home=home)
    import_paths([write_map(tmp_path / "b/xco2_201901.nc", count=7.0)], home=home)
    (cube,) = list_cubes(cubes_dir(home))
    assert set(cube.variables) == {"xco2", "count"} and len(cube.times) == 1
    assert (cube.read("count", 0) == 7).all()


def test_neighbouring_tiles_of_one_time_are_joined(tmp_path):
    write_map(tmp_path / "in/xco2_201901.nc")
    west = write_map(tmp_path / "more/xco2_201901.nc", west=104.0)
    import_paths([tmp_path / "in"], home=tmp_path / "home")
    import_paths([west], home=tmp_path / "home")
    (cube,) = list_cubes(cubes_dir(tmp_path / "home"))
    assert cube.grid.nlon == 16 and len(cube.times) == 1
    np.testing.assert_allclose(cube.read("xco2", 0), expected_map(cube, 410.0), atol=0.006)


def test_cells_that_do_not_align_are_refused_with_the_reason(tmp_path):
    home = tmp_path / "home"
    import_paths([write_map(tmp_path / "xco2_201901.nc")], home=home)
    shifted = write_map(tmp_path / "xco2_201902.nc", ("2019-02",), west=100.2)
    finer = write_map(tmp_path / "xco2_201903.nc", ("2019-03",), step=0.25)
    good = write_map(tmp_path / "xco2_201904.nc", ("2019-04",))
    records = import_paths([shifted, finer, good], home=home)
    assert records[0].status == "failed" and "displaced by 0.40 of their width" in records[0].message
    assert [record.status for record in records[1:]] in (["failed", "imported"], ["imported", "imported"])
    assert len(Cube.open(cubes_dir(home) / records[2].message.split()[-1]).times) == 2


@given(
    columns=st.tuples(st.integers(-20, 20), st.integers(2, 30), st.integers(-20, 20), st.integers(2, 30)),
    rows=st.tuples(st.integers(0, 20), st.integers(2, 30), st.integers(0, 20), st.integers(2, 30)),
    step=st.sampled_from([0.05, 0.25, 1.0, 1 / 3]),
)
@settings(max_examples=80)
def test_the_union_of_grids_holds_both_and_no_more(columns, rows, step):
    one = Grid(columns[0] * step, rows[0] * step, step, step, columns[1], rows[1])
    other = Grid(columns[2] * step, rows[2] * step, step, step, columns[3], rows[3])
    union, turned = union_of(one, other), union_of(other, one)
    assert (union.nlon, union.nlat) == (turned.nlon, turned.nlat)
    assert union.nlon == max(columns[0] + columns[1], columns[2] + columns[3]) - min(columns[0], columns[2])
    for part in (one, other):
        assert union.west <= part.west + 1e-6 and union.west + union.nlon * step >= part.west + part.nlon * step - 1e-6
        offset = (part.west - union.west) / step
        assert abs(offset - round(offset)) < 1e-3
    assert union_of(union, one) == union


def test_unions_of_other_cells_are_refused():
    with pytest.raises(StoreProblem, match="instead of"):
        union_of(Grid(0, 0, 1, 1, 10, 10), Grid(0, 0, 0.5, 1, 10, 10))
    with pytest.raises(StoreProblem, match=r"displaced by 0\.50"):
        union_of(Grid(0, 0, 1, 1, 10, 10), Grid(0.5, 0, 1, 1, 10, 10))


def test_an_import_killed_while_a_cube_is_replaced_is_put_right(tmp_path):
    home = tmp_path / "home"
    import_paths([write_map(tmp_path / "xco2_201901.nc")], home=home)
    (cube,) = list_cubes(cubes_dir(home))
    aside = home / ".building" / f"{cube.name}.0123abcd.old"  # between its two renames
    aside.parent.mkdir()
    os.rename(cube.path, aside)
    shutil.copytree(aside, home / ".building" / f"{cube.name}.0123abcd")
    import_paths([write_map(tmp_path / "xco2_201902.nc", ("2019-02",))], home=home)
    (cube,) = list_cubes(cubes_dir(home))
    assert len(cube.times) == 2 and not (home / ".building").exists()


def test_fields_on_levels_are_kept_beside_the_maps(tmp_path):
    from data.importing.importer import _by_levels

    maps = np.zeros((1, 3, 4))
    dataset = xr.Dataset(
        {
            "xco2": (("time", "lat", "lon"), maps),
            "co2": (("time", "lev", "lat", "lon"), maps[:, None]),
            "hyam": ("lev", [1.0]),
        },
        attrs={"title": "both"},
    )
    levels, flat = _by_levels(Product("grid", dataset, "x", "both", Path("both.nc")))
    assert set(levels.dataset.data_vars) == {"co2", "hyam"} and set(flat.dataset.data_vars) == {"xco2"}
    levels, flat = _by_levels(Product("grid", dataset[["co2"]], "x", "both", Path("both.nc")))
    assert flat is None and set(levels.dataset.data_vars) == {"co2"}
    levels, flat = _by_levels(Product("grid", dataset[["xco2"]], "x", "both", Path("both.nc")))
    assert levels is None and set(flat.dataset.data_vars) == {"xco2"}


def test_gaps_in_time_are_found():
    months = np.array(["2014-10", "2014-11", "2015-02", "2015-03", "2015-04"], dtype="datetime64[M]").astype(
        "datetime64[ns]"
    )
    assert time_gaps(months) == ["no map between 2014-11 and 2015-02"]
    assert time_gaps(months[2:]) == [] and time_gaps(months[:0]) == []
    hours = np.datetime64("2020-01-01", "ns") + np.array([0, 6, 12, 24, 30]) * np.timedelta64(1, "h")
    assert time_gaps(hours) == ["no map between 2020-01-01T12 and 2020-01-02T00"]


# ------------------------------------------------------------- sparse zarr


@pytest.fixture
def sparse_store(tmp_path, monkeypatch) -> tuple[Path, xr.DataArray]:
    """A global 0.1-degree zarr store with three written chunks, and the values in them."""
    monkeypatch.setattr("data.importing.cubes._LARGE_GRID", 1_000_000)
    lat, lon = -90 + 0.1 * (np.arange(1800) + 0.5), -180 + 0.1 * (np.arange(3600) + 0.5)
    times = np.array(["2020-01-15", "2020-02-15", "2020-03-15"], dtype="datetime64[ns]")
    empty = xr.Dataset(coords={"time": times, "longitude": lon, "latitude": lat})
    import dask.array as da

    values = np.full((3, 3600, 1800), np.nan, dtype=np.float32)
    random = np.random.default_rng(1)
    values[0, 610:650, 1230:1260] = 400 + 20 * random.random((40, 30))
    values[2, 2510:2520, 1110:1130] = 400 + 20 * random.random((10, 20))
    empty["xco2"] = (("time", "longitude", "latitude"), da.from_array(values, chunks=(2, 100, 100)), {"units": "ppm"})
    path = tmp_path / "areas.zarr"
    empty.to_zarr(path, encoding={"xco2": {"chunks": (2, 100, 100), "write_empty_chunks": False}}, zarr_format=2)
    return path, xr.DataArray(values, {"time": times, "lon": lon, "lat": lat}, ("time", "lon", "lat"))


def test_a_sparse_store_is_read_chunk_by_chunk(tmp_path, sparse_store):
    path, truth = sparse_store
    (record,) = import_paths([path], home=tmp_path / "home")
    assert (record.status, record.count) == ("imported", 3), record.message
    (cube,) = list_cubes(cubes_dir(tmp_path / "home"))
    assert cube.grid.nlon * cube.grid.nlat < 0.5 * 3600 * 1800
    for step in range(3):
        found = cube.read("xco2", step)
        known = truth.isel(time=step).transpose("lat", "lon").sel(lat=found["lat"], lon=found["lon"], method="nearest")
        np.testing.assert_allclose(found.to_numpy(), known.to_numpy(), atol=0.006)
        assert np.isfinite(found).sum() == np.isfinite(truth.isel(time=step)).sum()


def test_the_written_parts_of_a_real_sparse_store(real):
    from data.importing.occupied import box_around, written_parts
    from data.readers import read

    product = read(real / "satellite/oco3_sam_los_angeles/la_sams_sample_post_qf.zarr")
    parts = written_parts(product)
    assert parts is not None and 20 < len(parts) < 120
    rows, columns = box_around(parts)
    assert rows.stop - rows.start < 7200 and columns.stop - columns.start < 14400
    xco2 = product.dataset["xco2"]
    valid = sum(int(np.isfinite(xco2.isel(lat=part[0], lon=part[1]).to_numpy()).sum()) for part in parts)
    assert valid == 89_572  # as counted by who gave the store


# ------------------------------------------------------------------ the real thing


@pytest.fixture(scope="module")
def imported(real, tmp_path_factory) -> tuple[Path, list]:
    """Every real file but the 20 GB store of snapshot areas, imported in one go."""
    home = tmp_path_factory.mktemp("imported")
    folders = [path for path in sorted(real.iterdir()) if path.is_dir() and path.name != "satellite"]
    folders += [path for path in sorted((real / "satellite").iterdir()) if path.name != "oco3_sam_los_angeles"]
    return home, import_paths(folders, home=home)


def test_every_real_file_is_imported(imported):
    _, records = imported
    assert len(records) > 400
    assert [(record.path, record.message) for record in records if record.status != "imported"] == []
    kinds = Counter(record.kind for record in records)
    assert kinds["soundings"] >= 252 and kinds["grid"] >= 118 and kinds["sites"] >= 35 and kinds["table"] >= 20


def test_real_soundings_are_all_there(imported, real):
    home, _ = imported
    archive = SoundingArchive(soundings_dir(home))
    ohio = archive.query(
        instrument="OCO-2", bbox=(-82.1, 36.9, -77.9, 43.1), columns=["time", "xco2", "lat", "lon", "sounding_id"]
    )
    assert len(ohio) == 109_466  # as counted by who gave the files
    with xr.open_dataset(
        real / "satellite/oco2_lite_v10_ohio" / sorted(os.listdir(real / "satellite/oco2_lite_v10_ohio"))[0],
        decode_times=False,
    ) as first:
        same = ohio.set_index("sounding_id").loc[first["sounding_id"].values.astype(np.int64)]
        np.testing.assert_allclose(same["xco2"], first["xco2"].values, rtol=1e-6)
        np.testing.assert_allclose(same["lat"], first["latitude"].values, rtol=1e-6)
    (summary,) = [each for each in archive.instruments() if each.name == "GOSAT"]
    coverage = archive.coverage()
    days = coverage[coverage["instrument"] == "GOSAT"]
    assert days["day"].dt.strftime("%Y-%m-%d").tolist() == [f"2018-11-{day:02d}" for day in range(1, 11)]
    assert summary.count == days["count"].sum() == 3556 and days["count"].between(305, 424).all()
    kernel = archive.query(instrument="GOSAT", columns=["averaging_kernel"], limit=3, good_only=False)
    assert {len(row) for row in kernel["averaging_kernel"]} == {15}
    assert sum("instrument=OCO-2" in name for name in archive.contents.files) < 80


def test_the_sounding_with_everything_keeps_it(imported):
    home, _ = imported
    found = SoundingArchive(soundings_dir(home)).query(
        instrument="OCO-2",
        bbox=(73.8, 53.4, 73.9, 53.5),
        columns=["xco2", "averaging_kernel", "pressure_weight"],
        good_only=False,
    )
    full = found[found["averaging_kernel"].notna()]
    assert len(full) == 1 and len(full["averaging_kernel"].iloc[0]) == 20
    assert abs(sum(full["pressure_weight"].iloc[0]) - 1) < 1e-3


def test_real_maps_are_the_files_maps(imported, real):
    home, _ = imported
    cubes = {cube.name: cube for cube in list_cubes(cubes_dir(home))}
    gosat = next(cube for name, cube in cubes.items() if name.startswith("gosat-l3"))
    assert gosat.grid == Grid(-180, -90, 2.5, 2.5, 144, 72) and len(gosat.times) == 148
    with xr.open_dataset(real / "satellite/derived/gosat_l3_swir_xco2_v0305_stack.nc") as stack:
        month = np.flatnonzero(gosat.times.astype("datetime64[M]") == np.datetime64("2013-07"))[0]
        source = stack["xco2_interp"].sel(time="2013-07").squeeze().sortby("lat")
        np.testing.assert_allclose(gosat.read("xco2", int(month)).to_numpy(), source.to_numpy(), atol=0.0051)
    indonesia = next(cube for cube in cubes.values() if cube.grid.nlon == 111)
    assert len(indonesia.times) == 84 and indonesia.grid.nlat == 91
    north = indonesia.read("xco2", 0, bounds=(90, 12, 145, 30))
    assert np.isnan(north).all() and np.isfinite(indonesia.read("xco2", 83, bounds=(90, 12, 145, 30))).all()


def test_real_sites_and_tables(imported):
    home, _ = imported
    sites = SiteStore(sites_dir(home))
    listed = sites.sites()
    ggg2014 = listed[listed["collection"] == "tccon-ggg2014"]
    assert len(ggg2014) == 15 and ggg2014["count"].sum() > 80_000
    series = sites.series(*ggg2014[["network", "site"]].iloc[0])
    assert len(series) > 100 and series["value"].between(370, 420).all()
    tables = TableStore(tables_dir(home))
    plants = next(row for row in tables.list().to_dict("records") if row["count"] == 29_910)
    assert tables.open(plants["collection"]).sizes["row"] == 29_910


def test_importing_again_reads_nothing_and_changes_nothing(imported, real):
    home, records = imported
    versions = [
        SoundingArchive(soundings_dir(home)).version,
        SiteStore(sites_dir(home)).version,
        TableStore(tables_dir(home)).version,
    ]
    again = import_paths([Path(record.path) for record in records], home=home)
    assert Counter(record.status for record in again) == {"unchanged": len(records)}
    assert [record.count for record in again] == [record.count for record in records]
    assert versions == [
        SoundingArchive(soundings_dir(home)).version,
        SiteStore(sites_dir(home)).version,
        TableStore(tables_dir(home)).version,
    ]


def test_what_was_imported_is_intact_and_indices_can_be_made_again(imported):
    home, _ = imported
    findings = list(verify(home))
    assert [finding.text for finding in findings if finding.problem] == []
    assert any("no map between 2014-11 and 2015-02" in finding.text for finding in findings)
    archive = SoundingArchive(soundings_dir(home))
    before = archive.contents.granules, archive.coverage()
    result = CliRunner().invoke(command, ["index", "--home", str(home)])
    assert result.exit_code == 0 and "soundings" in result.output
    assert archive.contents.granules == before[0] and archive.coverage().equals(before[1])


# ------------------------------------------------------------- command line


def test_json_has_one_object_a_file(tmp_path):
    write_map(tmp_path / "in/xco2_201901.nc")
    (tmp_path / "in/zz_bad.nc").write_bytes(b"")
    result = CliRunner().invoke(command, ["import", str(tmp_path / "in"), "--home", str(tmp_path / "home"), "--json"])
    assert result.exit_code == 1
    good, bad = (json.loads(line) for line in result.stdout.splitlines())
    assert set(good) == {"path", "reader", "kind", "count", "start", "end", "status", "message"}
    assert (good["kind"], good["count"], good["status"], good["start"]) == (
        "grid",
        1,
        "imported",
        "2019-01-15T00:00:00",
    )
    assert (bad["reader"], bad["count"], bad["start"], bad["status"]) == (None, 0, None, "failed")
    again = CliRunner().invoke(
        command, ["import", str(tmp_path / "in/xco2_201901.nc"), "--home", str(tmp_path / "home"), "--json"]
    )
    assert again.exit_code == 0 and json.loads(again.stdout)["status"] == "unchanged"


def test_the_table_names_files_outcomes_and_reasons(tmp_path):
    write_map(tmp_path / "in/xco2_201901.nc")
    (tmp_path / "in/zz_[bad].nc").write_bytes(b"")
    result = CliRunner().invoke(command, ["import", str(tmp_path / "in"), "--home", str(tmp_path / "home")])
    shown = " ".join(result.stdout.split())
    assert result.exit_code == 1
    assert (
        "1 imported, 0 unchanged, 1 failed" in shown and "zz_[bad].nc: expected" in shown and "an empty file" in shown
    )


def test_verify_fails_only_for_problems(tmp_path):
    home = tmp_path / "home"
    months = [write_map(tmp_path / f"xco2_20190{n}.nc", (f"2019-0{n}",), value=410.0 + n) for n in (1, 2, 3, 7)]
    import_paths(months, home=home)
    result = CliRunner().invoke(command, ["verify", "--home", str(home)])
    assert (
        result.exit_code == 0
        and "no map between 2019-03 and 2019-07" in result.output
        and "No problems, 1 note." in result.output
    )
    shard = max((path for path in cubes_dir(home).rglob("c.*") if "maps" in str(path)), key=str)
    shard.write_bytes(shard.read_bytes()[:-3])
    result = CliRunner().invoke(command, ["verify", "--home", str(home), "--json"])
    assert result.exit_code == 1
    assert any(
        finding["problem"] and shard.name in finding["text"] for finding in map(json.loads, result.stdout.splitlines())
    )
