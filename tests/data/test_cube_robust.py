"""A cube through what happens to files: killed and competing writers, full disks, damage, impossible requests."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray as xr

from data.cube import Cube, Grid, Variable, View
from data.cube.manifest import FILE
from data.errors import StoreProblem
from tests.data.cube_examples import FLUX, SMALL, XCO2, make_cube, maps, months
from tests.data.cube_writer import GRID, constant

CHECKOUT = Path(__file__).resolve().parents[2]


def writer(folder: Path, first: int, count: int, *extra: str) -> subprocess.Popen[str]:
    """A process that writes `count` steps; when this returns, it has written the first."""
    command = [sys.executable, "-m", "tests.data.cube_writer", str(folder), str(first), str(count), *extra]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def empty(folder: Path) -> Cube:
    return Cube.create(folder, name="robust", title="", grid=GRID, variables=[XCO2])


def check(cube: Cube) -> None:
    """Every step that the cube names holds what was written, in both layouts and on each level."""
    numbers = cube.times.astype("datetime64[M]").astype(int) - np.datetime64("2015-01", "M").astype(int)
    for step, number in enumerate(numbers.tolist()):
        for level in range(cube.levels):
            found = cube.read("xco2", step, level=level).to_numpy()
            assert np.nanmin(found) == np.nanmax(found) == 300 + number
    np.testing.assert_array_equal(cube.series("xco2", 0.3, 0.3), 300 + numbers)
    np.testing.assert_allclose(cube.zonal("xco2")[2][:, 200], 300 + numbers)


def files(folder: Path) -> set[str]:
    """Files of a cube without the ones that every cube has."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.endswith((".lock", FILE, "zarr.json", ".f64"))}


def named(cube: Cube) -> set[str]:
    """Files that the manifest speaks of."""
    manifest = cube._store.manifest
    found = {f"maps/xco2/{level}/c.{slot}.0.0" for slot in manifest.slots("xco2") for level in range(cube.levels)}
    shards = [(i, j) for i in range(1) for j in range(2)]
    return found | {f"time/xco2/{block.number}/c.0.{i}.{j}" for block in manifest.blocks for i, j in shards}


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment(tmp_path: Path, seed: int):
    chance = random.Random(seed)
    cube = empty(tmp_path / "c")
    cube.write(months(1)[0], {"xco2": constant(0)})
    cube.seal()
    for first in (1, 100):
        before = len(cube.times)
        process = writer(tmp_path / "c", first, 10_000, "seal")
        time.sleep(chance.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        again = Cube.open(tmp_path / "c")  # the former state, readable as it stands
        check(again)
        assert len(again.times) >= before
        cube.refresh()
        cube.write(months(91)[90], {"xco2": constant(90)})
        cube.seal()
        cube.write(months(92)[91], {"xco2": constant(91)})  # writers clean up first
        check(cube)
        cube.seal()
        cube.seal()  # what sealing replaced goes with the next writer, for readers of the older state
        assert files(tmp_path / "c") == named(cube)


def test_two_processes_write_at_once(tmp_path: Path):
    cube = empty(tmp_path / "c")
    processes = [writer(tmp_path / "c", 0, 6, "seal"), writer(tmp_path / "c", 6, 6)]
    for step in range(12, 15):
        cube.write(months(15)[step], {"xco2": constant(step)})
    for process in processes:
        assert process.wait(60) == 0
    cube.refresh()
    assert cube.refresh() is False
    np.testing.assert_array_equal(cube.times, months(15))
    check(cube)


def test_readers_see_what_others_wrote_after_refresh(tmp_path: Path):
    cube = empty(tmp_path / "c")
    reader = Cube.open(tmp_path / "c")
    for step in range(3):
        cube.write(months(3)[step], {"xco2": constant(step)})
    assert len(reader.times) == 0 and reader.refresh() is True
    assert len(reader.times) == 3 and reader.version == cube.version
    check(reader)


def test_a_reader_of_an_older_state_finds_replaced_steps(tmp_path: Path):
    """The files that it knows are gone; it looks for newer ones by itself."""
    cube = make_cube(tmp_path / "c", maps(SMALL, 3, gaps=0), seal=(3,))
    reader = Cube.open(tmp_path / "c")
    later = maps(SMALL, 3, seed=9, gaps=0)
    for time_, field in zip(months(3), later, strict=True):
        cube.write(time_, {"xco2": field})
        cube.write("2010-01-01", {"xco2": field})  # an earlier step moves all others by one
    cube.seal()
    cube.seal()
    cube.write("2010-01-01", {"xco2": later[0]})
    assert len(reader.times) == 3
    np.testing.assert_allclose(reader.read("xco2", 2), later[2], atol=2e-5)
    assert len(reader.times) == 4


def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path):
    """A real limit on the size of files (RLIMIT_FSIZE): the disk refuses in the middle of a file."""
    cube = empty(tmp_path / "c")
    rng = np.random.default_rng(0)
    good, noise = constant(0), 400 + rng.normal(0, 50, GRID.shape())
    cube.write(months(1)[0], {"xco2": good})
    version, kept = cube.version, files(tmp_path / "c")
    before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[0][1]))
        with pytest.raises(StoreProblem, match=r"2016-01-01.*could not be written.*free some space.*as it was before"):
            cube.write("2016-01-01", {"xco2": noise})
        with pytest.raises(StoreProblem, match="could not be written"):
            cube.write(months(1)[0], {"xco2": noise})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
        signal.signal(signal.SIGXFSZ, before[1])
    assert cube.version == version and files(tmp_path / "c") == kept
    check(cube)
    cube.write(months(2)[1], {"xco2": constant(1)})
    try:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[0][1]))
        with pytest.raises(StoreProblem, match="time layout could not be written"):
            cube.seal()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
        signal.signal(signal.SIGXFSZ, before[1])
    assert files(tmp_path / "c") == named(cube)
    cube.seal()
    check(cube)


def test_a_seal_that_is_interrupted_changes_nothing(tmp_path: Path):
    cube = make_cube(tmp_path / "c", maps(SMALL, 3))
    kept, version = files(tmp_path / "c"), cube.version

    def stop(part: float) -> None:
        raise BrokenPipeError("the page was closed")

    with pytest.raises(BrokenPipeError, match="page was closed"):
        cube.seal(stop)
    assert files(tmp_path / "c") == kept and cube.version == version
    parts: list[float] = []
    cube.seal(parts.append)
    assert parts[-1] == 1.0


def damaged_cube(folder: Path) -> Cube:
    make_cube(folder, maps(SMALL, 3), seal=(2,))
    return Cube.open(folder)


@pytest.mark.parametrize("harm", ["missing", "empty", "short", "altered", "folder"])
@pytest.mark.parametrize(
    ("file", "step"),
    [
        ("maps/xco2/0/c.1.0.0", "2015-02-01T00:00:00"),
        ("time/xco2/2/c.0.0.0", "2015-01-01T00:00:00 to 2015-02-01T00:00:00"),
    ],
)
def test_damage_is_named(tmp_path: Path, harm: str, file: str, step: str):
    cube = damaged_cube(tmp_path / "c")
    path = tmp_path / "c" / file
    content = path.read_bytes()
    path.unlink()
    if harm == "empty":
        path.write_bytes(b"")
    elif harm == "short":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "altered":
        path.write_bytes(content[:-50] + bytes([content[-50] ^ 1]) + content[-49:])
    elif harm == "folder":
        path.mkdir()
    with pytest.raises(StoreProblem, match=rf"^cube example: .*{step} of xco2 \({file}\), found .*; import or build"):
        if file.startswith("maps"):
            cube.window("xco2", 1, View(-180, 180, -90, 90, 72, 36))
        else:
            cube.series("xco2", 170, 80)
            cube.region_series("xco2", shapely.box(-170, -80, 170, 80))
    assert np.isfinite(cube.read("xco2", 2)).any()  # the others are still there


def test_damaged_row_statistics_are_named(tmp_path: Path):
    cube = damaged_cube(tmp_path / "c")
    path = tmp_path / "c" / "rows" / "xco2.f64"
    content = bytearray(path.read_bytes())
    content[1000] ^= 255
    path.write_bytes(content)
    with pytest.raises(StoreProblem, match=r"rows/xco2\.f64, found damaged row statistics of map 1"):
        cube.zonal("xco2")
    path.unlink()
    with pytest.raises(StoreProblem, match="found no file"):
        cube.zonal("xco2")


def test_sealing_over_a_damaged_map_says_which(tmp_path: Path):
    cube = damaged_cube(tmp_path / "c")
    cube.write("2020-01-01", {"xco2": maps(SMALL, 1)[0]})
    (tmp_path / "c" / "maps/xco2/0/c.3.0.0").write_bytes(b"no shard at all" * 100)
    before = files(tmp_path / "c")
    with pytest.raises(StoreProblem, match="step 2015-03-01T00:00:00 of xco2"):
        cube.seal()
    assert files(tmp_path / "c") == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"[]", "damaged"),
        (b'{"carbonweather_cube": 1}', "damaged"),
        (b'{"carbonweather_cube": 99}', "update this program"),
        (b"\xff\xfe", "damaged"),
    ],
)
def test_damaged_manifests(tmp_path: Path, content: bytes, words: str):
    make_cube(tmp_path / "c", maps(SMALL, 1))
    (tmp_path / "c" / FILE).write_bytes(content)
    with pytest.raises(StoreProblem, match=words):
        Cube.open(tmp_path / "c")


def test_nothing_to_open(tmp_path: Path):
    with pytest.raises(StoreProblem, match="found none"):
        Cube.open(tmp_path)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StoreProblem, match=r"found none|cannot be read"):
        Cube.open(tmp_path / "file")
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreProblem, match="cannot be read"):
        Cube.open(tmp_path)


@pytest.mark.parametrize(
    "name", ["../x", "", ".", "..", "a/b", "a\\b", "/etc", "x" * 101, "a\0b", "-x", " x", "x\n", "nul."]
)
def test_hostile_names(tmp_path: Path, name: str):
    with pytest.raises(StoreProblem, match="cannot be the name of a cube"):
        Cube.create(tmp_path / "c", name=name, title="", grid=SMALL, variables=[XCO2])
    with pytest.raises(StoreProblem, match="cannot be the name of a variable"):
        Variable(name, "ppm", "", "int16", 0.01)
    assert not (tmp_path / "c").exists()


def test_places_that_will_not_do(tmp_path: Path):
    make_cube(tmp_path / "c", maps(SMALL, 1))
    with pytest.raises(StoreProblem, match="found a cube there"):
        Cube.create(tmp_path / "c", name="c", title="", grid=SMALL, variables=[XCO2])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreProblem, match="found other files there"):
        Cube.create(tmp_path / "other", name="c", title="", grid=SMALL, variables=[XCO2])
    with pytest.raises(StoreProblem, match="cannot be made"):
        Cube.create(tmp_path / "other" / "thesis.tex" / "c", name="c", title="", grid=SMALL, variables=[XCO2])
    for variables in ([], [XCO2, XCO2]):
        with pytest.raises(StoreProblem, match="different names"):
            Cube.create(tmp_path / "n", name="c", title="", grid=SMALL, variables=variables)
    with pytest.raises(StoreProblem, match="texts, numbers or lists"):
        Cube.create(tmp_path / "n", name="c", title="", grid=SMALL, variables=[XCO2], attrs={"a": object()})
    cube = Cube.create(
        tmp_path / "n", name="c", title="", grid=SMALL, variables=[XCO2], attrs={"a": np.float32(1), "b": np.arange(2)}
    )
    assert cube.attrs == {"a": 1.0, "b": [0, 1]}


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (np.zeros((72, 36)), "36 rows and 72 columns, found shape"),
        (np.zeros((1, 36, 72)), "found shape"),
        (np.full((36, 72), 72.0), r"1.*|found 2592 outside, from 72 to 72; storage as float32 would hold them"),
        (np.full((36, 72), 0.0004), "float32 would hold them"),
        (np.full((36, 72), np.inf), "mark missing cells with NaN"),
        (np.full((36, 72), "a"), "expected numbers"),
        (np.zeros((36, 72), complex), "expected numbers"),
        (
            xr.DataArray(np.zeros((36, 72)), dims=("lat", "lon"), attrs={"units": "mol mol-1"}),
            "units 'ppm', found 'mol mol-1'",
        ),
        (
            xr.DataArray(
                np.full((36, 72), 400.0), dims=("lat", "lon"), coords={"lat": SMALL.lat[::-1], "lon": SMALL.lon}
            ),
            "cube's lat coordinate",
        ),
    ],
)
def test_maps_that_do_not_fit(tmp_path: Path, field, words):
    cube = make_cube(tmp_path / "c", maps(SMALL, 1))
    before = files(tmp_path / "c"), cube.version
    with pytest.raises(StoreProblem, match=words):
        cube.write("2020-01-01", {"xco2": field})
    assert (files(tmp_path / "c"), cube.version) == before


def test_the_message_tells_which_values_do_not_fit(tmp_path: Path):
    field = maps(SMALL, 1)[0]
    field[3, 4], field[5, 6] = 9999.0, -1.0
    with pytest.raises(StoreProblem) as problem:
        make_cube(tmp_path / "c", field[None])
    assert str(problem.value) == (
        "variable xco2: expected values within 72.33..727.67 ppm, found 2 outside, from -1 to 9999; "
        "storage as float32 would hold them."
    )
    assert np.isfinite(make_cube(tmp_path / "f", field[None], variable=FLUX).read("flux", 0)[3, 4])
    with pytest.raises(StoreProblem, match="mark missing cells with NaN"):
        make_cube(tmp_path / "g", field[None] * 1e40, variable=FLUX)


def test_labelled_masked_and_other_arrays(tmp_path: Path):
    field = np.round(maps(SMALL, 1, gaps=0)[0])
    masked = np.ma.masked_greater(field, 402)
    coordinates = {"lat": SMALL.lat, "lon": SMALL.lon}
    labelled = xr.DataArray(field, dims=("lat", "lon"), coords=coordinates, attrs={"units": "ppm"})
    cube = make_cube(tmp_path / "c", maps(SMALL, 1))
    for array in (
        masked,
        labelled,
        field.astype(np.int32),
        field.astype("f4"),
        np.asfortranarray(field),
        field[::-1][::-1],
    ):
        cube.write("2020-01-01", {"xco2": array})
        np.testing.assert_allclose(cube.read("xco2", -1), np.ma.filled(array, np.nan), atol=1e-4)
    plain = make_cube(tmp_path / "f", maps(SMALL, 1), variable=FLUX)
    plain.write("2020-01-01", {"flux": field.astype(np.int16)})  # numbers, not codes, where nothing is packed
    np.testing.assert_array_equal(plain.read("flux", -1), field)


@pytest.mark.parametrize("moment", ["yesterday", np.datetime64("NaT"), "0001-01-01", "3000-01-01", None, object()])
def test_times_that_are_none(tmp_path: Path, moment):
    cube = make_cube(tmp_path / "c", maps(SMALL, 1))
    with pytest.raises(StoreProblem, match="expected a time"):
        cube.write(moment, {"xco2": maps(SMALL, 1)[0]})
    with pytest.raises(StoreProblem, match="found none"):
        cube.write("2020-01-01", {})
    with pytest.raises(StoreProblem, match="found 'co'"):
        cube.write("2020-01-01", {"co": maps(SMALL, 1)[0]})
    assert len(cube.times) == 1


def test_grids_that_are_none():
    for numbers in (
        (0, 0, 0, 1, 5, 5),
        (0, 0, 1, -1, 5, 5),
        (0, 0, 1, 1, 0, 5),
        (np.nan, 0, 1, 1, 5, 5),
        (0, -120, 1, 1, 5, 5),
    ):
        with pytest.raises(StoreProblem, match="expected"):
            Grid(*numbers)


def test_threads_of_a_server_do_not_abort(tmp_path: Path):
    """Eight threads in all kernels at once, in a process of its own: numba's layers must not end it."""
    code = (
        "import sys, threading, shapely, numpy as np\n"
        "from data.cube import Cube, View\n"
        "cube = Cube.open(sys.argv[1])\n"
        "def work():\n"
        "    for i in range(10):\n"
        "        cube.window('xco2', i % 2, View(-180, 180, -90, 90, 300 + i, 200))\n"
        "        cube.window('xco2', i % 2, View(-2e7, 2e7, -1.9e7, 1.9e7, 900, 800, 'mercator'))\n"
        "        cube.region_series('xco2', shapely.box(i, 0, 50 + i, 40))\n"
        "        cube.series('xco2', i, i)\n"
        "threads = [threading.Thread(target=work) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print('alive')\n"
    )
    cube = empty(tmp_path / "c")
    for step in range(2):
        cube.write(months(2)[step], {"xco2": constant(step)})
    cube.seal()
    command = [sys.executable, "-c", code, str(tmp_path / "c")]
    environment = {**os.environ, "NUMBA_THREADING_LAYER": "workqueue", "PYTHONPATH": str(CHECKOUT)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (0, "alive\n"), result.stderr


def test_a_view_does_not_wait_for_a_long_calculation(tmp_path: Path):
    """While a region is being summed (and stands still in its progress), maps are still drawn."""
    cube = make_cube(tmp_path / "c", maps(SMALL, 40))
    entered, release = threading.Event(), threading.Event()

    def hold(part: float) -> None:
        entered.set()
        assert release.wait(30)

    thread = threading.Thread(target=lambda: cube.region_series("xco2", shapely.box(0, 0, 90, 80), progress=hold))
    thread.start()
    assert entered.wait(30)
    assert cube.window("xco2", 0, View(-180, 180, -90, 90, 720, 360)).shape == (360, 720)
    assert thread.is_alive()
    release.set()
    thread.join()
