"""Imports by several processes: the same archive as by one, whatever happens to the processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from data.home import soundings_dir
from data.importing import import_paths, preparing, workers
from data.soundings import SoundingArchive
from data.soundings.files import by_partition
from data.soundings.staging import stage, staging
from data.soundings.table import to_table
from data.verifying import verify
from tests.data.lite_layout import lite_arrays, write_lite
from tests.data.sounding_examples import product, random_product

CHECKOUT = Path(__file__).resolve().parents[2]
DAYS = 5
ROWS = 400


@pytest.fixture
def lite(tmp_path: Path) -> Path:
    """A folder of Lite files, one a day."""
    folder = tmp_path / "in"
    folder.mkdir()
    for day in range(DAYS):
        write_day(folder, day)
    return folder


def write_day(folder: Path, day: int, *, count: int = ROWS, seed: int | None = None) -> Path:
    name = f"oco2_LtCO2_2007{28 + day:02d}_B11210Ar_240820000231s.nc4"
    start = str(np.datetime64("2020-07-28T23:59:00") + np.timedelta64(day, "D"))  # over midnight and the month's end
    return write_lite(folder, lite_arrays(count, start=start, seed=day if seed is None else seed), name=name)


@pytest.fixture
def small_groups(monkeypatch):
    """Two files a group."""
    monkeypatch.setattr(preparing, "GROUP_FILES", 2)


def contents(home: Path):
    archive = SoundingArchive(soundings_dir(home))
    assert list(archive.problems()) == []
    names = [*archive.query(limit=1, good_only=False).columns, "source_file", "averaging_kernel"]
    return archive.query(good_only=False, columns=names)


def leftovers(home: Path) -> list[str]:
    """Files in the archive's folder that its manifest does not name."""
    archive = SoundingArchive(soundings_dir(home))
    here = (str(path.relative_to(soundings_dir(home))) for path in soundings_dir(home).rglob("*") if path.is_file())
    return sorted(set(here) - {"manifest.json", ".lock", *archive.contents.files})


def test_any_number_of_processes_makes_the_same_archive(lite, tmp_path, small_groups):
    (lite / "broken.nc4").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 500)
    (lite / "notes.csv").write_text("a,b\n1,2\n")
    one = import_paths([lite], home=tmp_path / "one", workers=1)
    two = import_paths([lite], home=tmp_path / "two", workers=2)
    assert one == two
    assert [record.status for record in one] == ["failed", "failed", *["imported"] * DAYS]
    assert one[2].message == f"{ROWS} soundings of OCO-2 added"
    assert contents(tmp_path / "one").equals(contents(tmp_path / "two"))
    assert leftovers(tmp_path / "two") == []
    again = import_paths([lite], home=tmp_path / "two", workers=2)
    assert [record.status for record in again[2:]] == ["unchanged"] * DAYS


def test_importing_again_reads_nothing_and_writes_nothing(lite, tmp_path, monkeypatch):
    home = tmp_path / "home"
    import_paths([lite], home=home)
    manifest = (soundings_dir(home) / "manifest.json").read_bytes()
    monkeypatch.setattr("data.readers.find_reader", None)  # would fail if any file were read
    assert {record.status for record in import_paths([lite], home=home)} == {"unchanged"}
    assert (soundings_dir(home) / "manifest.json").read_bytes() == manifest
    renamed = lite / "a_copy.nc4"
    monkeypatch.undo()
    renamed.write_bytes(next(lite.glob("oco2*")).read_bytes())
    (record,) = import_paths([renamed], home=home)  # the same content under another name is the same soundings
    assert record.status == "unchanged" and f"{ROWS} already there" in record.message
    assert len(contents(home)) == DAYS * ROWS


def test_files_that_share_soundings_are_sorted_out_between_processes(tmp_path, small_groups):
    """A subset beside the full file, and a newer version: the same result in any grouping."""
    folder = tmp_path / "in"
    folder.mkdir()
    full = lite_arrays(ROWS, start="2020-07-04T04:30:00", seed=3)
    part = {name: values[:100] for name, values in full.items()}
    few = {name: part[name] for name in ("sounding_id", "time", "latitude", "longitude", "xco2", "xco2_uncertainty")}
    for number, arrays in enumerate((few, full, part)):
        write_lite(folder, arrays, name=f"{number}_oco2.nc4")
    write_day(folder, 9)
    homes = []
    for count in (1, 2):
        home = tmp_path / f"home{count}"
        records = import_paths(sorted(folder.iterdir(), reverse=count == 2), home=home, workers=count)
        assert {record.status for record in records} <= {"imported", "unchanged"}
        homes.append(contents(home))
    for found in homes:
        assert len(found) == 2 * ROWS and found.equals(homes[0])


def test_a_killed_worker_costs_nothing(lite, tmp_path, small_groups):
    killed: list[int] = []

    def progress(done: int, total: int, label: str) -> None:
        for child in psutil.Process().children():
            if len(killed) < 2 and "data.importing.workers" in child.cmdline() and child.pid not in killed:
                os.kill(child.pid, signal.SIGKILL)
                killed.append(child.pid)

    records = import_paths([lite], home=tmp_path / "home", progress=progress, workers=2)
    assert len(killed) == 2 and [record.status for record in records] == ["imported"] * DAYS
    assert len(contents(tmp_path / "home")) == DAYS * ROWS and leftovers(tmp_path / "home") == []


def test_a_file_at_which_the_reading_program_ends_costs_that_file_only(lite, tmp_path, small_groups, monkeypatch):
    """Readers of the workers are made to end at one file, as the HDF5 library does on some damaged ones."""
    bad = sorted(lite.iterdir())[2]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def hook(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]) == os.environ['ENDS_AT'] and 'data.readers.oco_lite' in sys.modules:\n"
        "        os._exit(66)\n"
        "sys.addaudithook(hook)\n"
    )
    monkeypatch.setenv("ENDS_AT", str(bad))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    records = import_paths([lite], home=tmp_path / "home", workers=2)
    assert [record.status for record in records].count("imported") == DAYS - 1
    failed = records[2]
    assert failed.status == "failed" and str(bad) in failed.message
    assert "the program that reads it ended (exit code 66)" in failed.message
    assert len(contents(tmp_path / "home")) == (DAYS - 1) * ROWS


def test_an_import_that_is_stopped_or_killed_is_completed_later(lite, tmp_path, small_groups):
    home = tmp_path / "home"

    def stop(done: int, total: int, label: str) -> None:
        if done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_paths([lite], home=home, progress=stop, workers=2)
    assert not [child for child in psutil.Process().children() if "data.importing.workers" in child.cmdline()]
    assert leftovers(home) == []

    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from data.importing import import_paths, preparing\n"
        "preparing.GROUP_FILES = 2\n"
        "def kill(done, total, label):\n"
        "    if done >= 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "import_paths([sys.argv[1]], home=Path(sys.argv[2]), progress=kill, workers=2)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(lite), str(home)], cwd=CHECKOUT, timeout=120, check=False)
    assert done.returncode == -9
    for lock in soundings_dir(home).glob(".staging/*.lock"):
        os.utime(lock, (0, 0))  # as if it had happened a while ago
    assert {record.status for record in import_paths([lite], home=home)} == {"imported", "unchanged"}
    assert len(contents(home)) == DAYS * ROWS and leftovers(home) == []
    assert not any(finding.problem for finding in verify(home))


def test_a_full_disk_fails_the_files_with_the_reason(lite, tmp_path):
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path\n"
        "from data.importing import import_paths\n"
        "import data.readers.oco_lite\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"
        "for count in (1, 2):\n"
        "    print([record.message for record in import_paths([sys.argv[1]], home=Path(sys.argv[2]), workers=count)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(lite), str(tmp_path / "home")],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.count("nothing was changed, free some space") == 2 * DAYS or "File too large" in done.stdout
    assert not (tmp_path / "home" / "soundings" / "manifest.json").exists()
    import_paths([lite], home=tmp_path / "home")
    assert len(contents(tmp_path / "home")) == DAYS * ROWS and leftovers(tmp_path / "home") == []


# ---------------------------------------------------------------------------------------------------------------- parts


def test_files_are_grouped_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "GROUP_BYTES", 100)
    monkeypatch.setattr(preparing, "GROUP_FILES", 3)
    sizes = [60, 30, 20, 500, 1, 1, 1, 1]
    files = [tmp_path / f"{number}" for number in range(len(sizes))]
    for path, size in zip(files, sizes, strict=True):
        path.write_bytes(b"x" * size)
    groups = preparing.grouped([*files, tmp_path / "absent", tmp_path])
    assert [path for group in groups for path in group] == [*files, tmp_path / "absent", tmp_path]
    assert [len(group) for group in groups] == [2, 1, 1, 3, 3]


def test_there_is_at_least_one_worker_and_memory_for_each(monkeypatch):
    class Memory:
        available = 10**9

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    assert workers.worker_count() == 1
    Memory.available = 10**13
    monkeypatch.setattr("dask.system.CPU_COUNT", 64)
    assert workers.worker_count() == 16


def test_what_is_staged_is_what_an_append_writes(tmp_path):
    """Whether granules are appended or come ready in files, in one or several sets: the same soundings, kept alike."""
    parts = [random_product(seed, 300, levels=2) for seed in range(4)]
    parts.append(product(range(40), name="low.nc4", version="8r"))
    parts.append(product(range(20, 60), name="high.nc4", version="11.2r"))
    parts.append(product(range(20, 70), name="high.nc4", version="11.2r"))  # the same file, changed
    straight, staged = SoundingArchive(tmp_path / "a"), SoundingArchive(tmp_path / "b")
    plain = [straight.append(part) for part in parts]
    results = []
    with staged.staging() as place:
        sets = list(stage([to_table(part) for part in parts], place))
        assert [len(each.granules) for each in sets] == [5, 1, 1]
        for each in sets:
            results += staged.append_staged(each)
        assert [staged.append_staged(each) for each in sets[2:]] == [[type(results[0])(0, 50, 0)]]
    assert results == plain
    names = ["sounding_id", "xco2", "averaging_kernel", "source_file", "version"]
    for question in ({}, {"columns": names}):
        mine, theirs = (each.query(good_only=False, **question) for each in (straight, staged))
        assert mine.equals(theirs)
    assert list(staged.problems()) == list(straight.problems()) and not list((tmp_path / "b").glob(".staging*"))
    assert straight.contents.schemas == staged.contents.schemas


def test_a_month_of_small_staged_files_is_joined(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    start = np.datetime64("2019-05-01", "ns")
    for day in range(12):
        ids = range(day * 10, day * 10 + 10)
        with archive.staging() as place:
            for each in stage([to_table(product(ids, name=f"{day}.nc4", seconds_apart=3600, start=start))], place):
                archive.append_staged(each)
    assert len(archive.contents.files) <= 4 and len(archive.query(good_only=False)) == 120
    assert list(archive.problems()) == []


def test_staging_at_an_address_or_in_a_folder_that_cannot_be_written(tmp_path):
    with staging(SoundingArchive("memory://somewhere/soundings").folder) as place:
        assert place.is_dir()
    assert not place.exists()
    (tmp_path / "file").write_text("in the way")
    with staging(SoundingArchive(tmp_path / "file").folder) as place:
        assert place.is_dir() and tmp_path not in place.parents
    with staging(SoundingArchive(tmp_path / "new").folder) as place:
        assert (tmp_path / "new") in place.parents
    assert not (tmp_path / "new").exists()


def test_a_staging_folder_in_use_is_left_alone(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    with archive.staging() as first:
        os.utime(first.with_suffix(".lock"), (0, 0))
        with archive.staging():
            assert first.is_dir()
        assert first.is_dir()
    assert not (tmp_path / "a").exists()


def test_rows_of_a_month_stay_together():
    made = to_table(product(range(10), seconds_apart=3600))  # over the end of March
    months = {partition.month: sum(part.num_rows for part in rows) for partition, rows in by_partition([made]).items()}
    assert months == {590: 2, 591: 8}


def test_memory_does_not_grow_with_what_is_imported(tmp_path, monkeypatch):
    import tracemalloc

    import pyarrow as pa

    monkeypatch.setattr(preparing, "_BATCH_BYTES", 2**20)
    monkeypatch.setattr("data.soundings.files.FILE_ROWS", 3000)  # else small files are joined to ever larger ones
    usual, peaks = pa.default_memory_pool(), []
    for days in (3, 4, 16):  # the first loads what is loaded once
        folder = tmp_path / f"in{days}"
        folder.mkdir()
        for day in range(days):
            name = f"oco2_LtCO2_2007{day + 1:02d}_B11210Ar_240820000231s.nc4"
            write_lite(folder, lite_arrays(2000, start=f"2020-07-{day + 1:02d}T04:30:00", seed=day), name=name)
        pool = pa.proxy_memory_pool(usual)
        pa.set_memory_pool(pool)
        tracemalloc.start()
        try:
            import_paths([folder], home=tmp_path / f"home{days}", workers=1)
            peaks.append(tracemalloc.get_traced_memory()[1] + pool.max_memory())
        finally:
            tracemalloc.stop()
            pa.set_memory_pool(usual)
    assert len(contents(tmp_path / "home16")) == 16 * 2000
    assert peaks[2] < 1.3 * peaks[1], peaks
