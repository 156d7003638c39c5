"""Soundings and cubes on an object store: a real S3 server on this machine, reached through s3:// addresses alone."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest
import shapely

from data.cube import Cube, Grid, Variable, View, list_cubes
from data.cube.check import damage
from data.errors import StoreProblem
from data.importing import import_paths
from data.soundings import SoundingArchive
from data.storage import ManifestFolder
from tests.data.lite_layout import lite_arrays, write_lite
from tests.data.sounding_examples import product, random_product

CHECKOUT = Path(__file__).resolve().parents[2]
GRID = Grid(-180.0, -90.0, 0.5, 0.5, 720, 360)
XCO2 = Variable("xco2", "ppm", "XCO2", "int16", 0.01, 400.0)


@pytest.fixture(scope="module")
def server():
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "tester")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "tester")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        yield server
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def bucket(server) -> str:
    import s3fs

    name = f"b{uuid.uuid4().hex[:10]}"
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}"


def objects(url: str) -> list[str]:
    """Keys of everything stored at an URL, asked afresh."""
    import s3fs

    fs = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    root = url.removeprefix("s3://")
    return sorted(path[len(root) :].lstrip("/") for path in fs.find(root))


def field(month: int) -> np.ndarray:
    return (400 + month + GRID.lat[:, None] / 10 + GRID.lon / 100).astype(np.float32)


def make_cube(url: str, months: int = 3) -> Cube:
    cube = Cube.create(url, name="monthly", title="Monthly XCO2", grid=GRID, variables=[XCO2], attrs={"simulated": 1})
    for month in range(months):
        cube.write(np.datetime64("2019-01") + month, {"xco2": field(month)})
    return cube


# ------------------------------------------------------------------- soundings


def test_soundings_are_appended_asked_for_rebuilt_and_checked(bucket):
    url = f"{bucket}/deep/soundings"
    archive = SoundingArchive(url)
    assert archive.query().empty and archive.version == 0 and objects(bucket) == []
    parts = [random_product(seed, 400, levels=3) for seed in range(6)]
    for part in parts[:3]:
        archive.append(part)
    archive.append(parts[0])
    other = SoundingArchive(url)  # as another program sees it
    assert len(other.query(good_only=False)) == 1200
    for part in parts[3:]:  # small files are joined, and the old ones removed
        archive.append(part)
    expected = sum(int((part.dataset["quality_flag"] != 1).sum()) for part in parts)
    assert len(other.query()) == expected and list(other.problems()) == []
    box = other.query(
        bbox=(0, 0, 40, 40), start="2019-04-01", columns=["lon", "lat", "averaging_kernel", "source_file"]
    )
    assert len(box) and box["lon"].between(0, 40).all() and len(box["averaging_kernel"].iloc[0]) == 3
    assert sorted(objects(url)) == sorted(["manifest.json", *archive.contents.files])

    archive.folder.fs.rm_file(archive.folder.path("manifest.json"))
    assert SoundingArchive(url).rebuild() == 2400
    assert len(SoundingArchive(url).query()) == expected
    assert SoundingArchive(url).append(parts[5]).added == 0
    damaged = next(iter(other.contents.files))
    archive.folder.fs.pipe_file(archive.folder.path(damaged), b"no parquet")
    assert any(damaged in problem for problem in SoundingArchive(url).problems())


def test_files_are_imported_into_an_archive_elsewhere(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("CARBONWEATHER_SOUNDINGS", f"{bucket}/soundings")
    (tmp_path / "in").mkdir()
    for day in (4, 5, 6):
        name = f"oco2_LtCO2_20070{day}_B11210Ar_240820000231s.nc4"
        write_lite(tmp_path / "in", lite_arrays(300, start=f"2020-07-0{day}T04:30:00", seed=day), name=name)
    home = tmp_path / "home"
    assert [record.status for record in import_paths([tmp_path / "in"], home=home)] == ["imported"] * 3
    assert [record.status for record in import_paths([tmp_path / "in"], home=home)] == ["unchanged"] * 3
    assert len(SoundingArchive(f"{bucket}/soundings").query(good_only=False)) == 900
    assert not (home / "soundings").exists()


def test_an_upload_that_fails_leaves_nothing_to_see(bucket, monkeypatch):
    archive = SoundingArchive(f"{bucket}/soundings")
    archive.append(random_product(1, 100))
    before = objects(bucket)

    def fails(self, name, write):
        if name.endswith(".json"):
            raise ConnectionError("the line is cut")
        return place(self, name, write)

    place = ManifestFolder.place
    with monkeypatch.context() as patch:
        patch.setattr(ManifestFolder, "place", fails)
        with pytest.raises(StoreProblem, match="the line is cut; nothing was changed, check the address"):
            archive.append(random_product(2, 100))
    assert objects(bucket) == before and len(archive.query(good_only=False)) == 100


@pytest.mark.parametrize("what", ["soundings", "cube"])
def test_a_program_killed_while_uploading_leaves_nothing_to_see(bucket, what):
    """Killed just before the manifest goes up: its files are there, nobody sees them, and the next writer removes them."""
    if what == "soundings":
        SoundingArchive(f"{bucket}/a").append(product(range(50), name="first.nc4"))
    else:
        make_cube(f"{bucket}/a", 1)
    before = objects(bucket)
    script = (
        "import os, signal, sys\n"
        "import s3fs\n"
        "from tests.data import test_object_store as t\n"
        "def pipe(self, path, value=None, **more):\n"
        "    if 'manifest.json' in str(path): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(self, path, value, **more)\n"
        "def put(self, here, path, **more):\n"
        "    if 'manifest.json' in str(path): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real_put(self, here, path, **more)\n"
        "real, real_put = s3fs.S3FileSystem.pipe_file, s3fs.S3FileSystem.put_file\n"
        "s3fs.S3FileSystem.pipe_file, s3fs.S3FileSystem.put_file = pipe, put\n"
        "url, what = sys.argv[1:]\n"
        "if what == 'soundings': t.SoundingArchive(url).append(t.product(range(100, 150), name='second.nc4'))\n"
        "else: t.Cube.open(url).write('2020-01', {'xco2': t.field(5)})\n"
    )
    done = subprocess.run([sys.executable, "-c", script, f"{bucket}/a", what], cwd=CHECKOUT, timeout=120, check=False)
    assert done.returncode == -9
    assert len(objects(bucket)) > len(before)
    if what == "soundings":
        archive = SoundingArchive(f"{bucket}/a")
        assert len(archive.query(good_only=False)) == 50
        archive.append(product(range(200, 250), name="third.nc4"))
        assert sorted(objects(f"{bucket}/a")) == sorted(["manifest.json", *archive.contents.files])
        assert len(archive.query(good_only=False)) == 100 and list(archive.problems()) == []
    else:
        cube = Cube.open(f"{bucket}/a")
        assert len(cube.times) == 1
        cube.write("2019-02", {"xco2": field(1)})
        assert sum("/c." in name for name in objects(f"{bucket}/a")) == 2 * cube.levels
        assert list(damage(f"{bucket}/a")) == []


def test_two_writers_at_once_are_refused_not_mixed(bucket):
    first, second = (SoundingArchive(f"{bucket}/a") for _ in range(2))
    first.append(product(range(10), name="1.nc4"))
    with pytest.raises(StoreProblem, match="another program changed it meanwhile"), second.folder.change() as change:
        first.append(product(range(10, 20), name="2.nc4"))
        change.commit({"files": {}})
    assert len(second.query(good_only=False)) == 20
    cube = make_cube(f"{bucket}/c", 1)
    late = Cube.open(f"{bucket}/c")
    with pytest.raises(StoreProblem, match="one writer at a time"), late._store.exclusive("a step"):
        cube.write("2019-05", {"xco2": field(1)})
        late._store.publish(late._store.manifest)
    assert len(Cube.open(f"{bucket}/c").times) == 2


# ------------------------------------------------------------------------ cubes


def test_a_cube_is_made_written_sealed_and_read(bucket, tmp_path):
    url = f"{bucket}/cubes/monthly"
    cube = make_cube(url)
    here = make_cube(str(tmp_path / "monthly"))
    view, box = View(-30, 60, -20, 50, 200, 150), shapely.box(10, 10, 31, 42)
    for sealed in (False, True):
        if sealed:
            cube.seal()
            here.seal()
        there = Cube.open(url)
        assert (there.window("xco2", 1, view) == here.window("xco2", 1, view)).all()
        np.testing.assert_array_equal(there.series("xco2", 31.2, 30.1), here.series("xco2", 31.2, 30.1))
        np.testing.assert_array_equal(there.region_series("xco2", box).mean, here.region_series("xco2", box).mean)
        for mine, theirs in zip(there.zonal("xco2"), here.zonal("xco2"), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert there.limits("xco2") == here.limits("xco2") and list(damage(url)) == []
    assert [found.path for found in list_cubes(f"{bucket}/cubes")] == [url]
    assert list_cubes(f"{bucket}/nothing") == [] and list_cubes("s3://no-such-bucket-at-all/x") == []

    cube.write("2019-02", {"xco2": field(9)})  # a replaced step: its files go
    there.refresh()
    assert there.series("xco2", 0.3, 0.3)[1] == pytest.approx(409.0, abs=0.1)
    cube.write("2019-03", {"xco2": field(2)})
    assert list(damage(url)) == [] and not any(".part" in name for name in objects(bucket))


def test_a_cube_may_be_copied_either_way(bucket, tmp_path):
    import fsspec

    here = make_cube(str(tmp_path / "here"), 2)
    fs = fsspec.filesystem("s3")
    fs.put(f"{tmp_path}/here", f"{bucket}/copied", recursive=True)
    copied = Cube.open(f"{bucket}/copied")
    copied.write("2019-03", {"xco2": field(2)})  # its row statistics lie apart
    assert np.isfinite(copied.zonal("xco2")[2]).all() and list(damage(f"{bucket}/copied")) == []
    fs.get(f"{bucket}/copied", f"{tmp_path}/back", recursive=True)
    back = Cube.open(tmp_path / "back")
    np.testing.assert_array_equal(back.zonal("xco2")[2], copied.zonal("xco2")[2])
    back.write("2019-04", {"xco2": field(3)})
    assert list(damage(tmp_path / "back")) == [] and len(here.times) == 2


def test_no_cube_is_made_over_other_things(bucket):
    make_cube(f"{bucket}/cube", 0)
    with pytest.raises(StoreProblem, match="found a cube there"):
        make_cube(f"{bucket}/cube", 0)
    Cube.open(f"{bucket}/cube")._store.chunks.fs.pipe_file(f"{bucket.removeprefix('s3://')}/x/notes.txt", b"mine")
    with pytest.raises(StoreProblem, match="found other files there"):
        make_cube(f"{bucket}/x", 0)


def test_addresses_that_lead_nowhere_are_said_in_one_sentence(server, monkeypatch):
    import s3fs

    with pytest.raises(StoreProblem, match=r"expected a folder with manifest\.json"):
        Cube.open("s3://no-such-bucket-at-all/cube")
    with pytest.raises(StoreProblem, match="cannot be made"):
        make_cube("s3://no-such-bucket-at-all/cube", 0)
    with pytest.raises(StoreProblem, match="nothing was changed, check the address"):
        SoundingArchive("s3://no-such-bucket-at-all/a").append(product([1, 2]))
    with pytest.raises(StoreProblem, match="check its spelling"):
        SoundingArchive("s4://bucket/a")
    with pytest.raises(StoreProblem, match="check its spelling"):
        Cube.open("s4://bucket/a")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    try:
        for ask in (lambda: SoundingArchive("s3://bucket/a").version, lambda: Cube.open("s3://bucket/c")):
            with pytest.raises(StoreProblem, match="network") as caught:
                ask()
            assert "\n" not in str(caught.value)
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_threads_may_read_a_cube_elsewhere_at_once(bucket):
    url = f"{bucket}/cube"
    make_cube(url, 2).seal()
    cube, wrong = Cube.open(url), []

    def look(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(5):
            lon, lat = random.uniform(-179, 179), random.uniform(-89, 89)
            expected = 400 + np.floor(lat * 2) / 20 + np.floor(lon * 2) / 200
            if abs(cube.series("xco2", lon, lat)[0] - expected) > 0.05:
                wrong.append((lon, lat))

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_archive_elsewhere_is_freed_when_nobody_uses_it(bucket):
    import gc
    import weakref

    archive = SoundingArchive(f"{bucket}/a")
    archive.append(random_product(1, 50))
    assert len(archive.query(good_only=False)) == 50
    left = weakref.ref(archive)
    del archive
    gc.collect()
    assert left() is None
