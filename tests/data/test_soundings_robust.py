"""The archive of soundings under kill -9, full disks, several writers at once and readers beside them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from data.errors import StoreProblem
from data.soundings import SoundingArchive
from tests.data.archive_writer import ROWS, granule, litter, look

CHECKOUT = Path(__file__).resolve().parents[2]


def writer(*arguments: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.data.archive_writer", *arguments],
        cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_killed_at_any_step_the_archive_is_as_before_or_after(tmp_path):
    output, _ = writer("everywhere", str(tmp_path)).communicate(timeout=120)
    steps = [json.loads(line) for line in output.splitlines()]
    before = {f"granule_{number}.nc4": ROWS for number in range(3)}
    with_it = {**before, "granule_3.nc4": ROWS}
    complete = {**with_it, "granule_4.nc4": ROWS}
    assert not steps[-1]["died"] and all(step["died"] for step in steps[:-1]) and len(steps) > 10
    seen = [step["seen"]["granules"] for step in steps]
    assert all(granules in (before, with_it) for granules in seen)
    assert before in seen and with_it in seen and seen == sorted(seen, key=len)
    for step in steps:
        assert step["seen"]["problems"] == step["after"]["problems"] == []
        assert step["added"] == ([0, ROWS] if step["seen"]["granules"] == with_it else [ROWS, ROWS])
        assert step["after"]["granules"] == complete
        assert step["litter"] == []


def test_killed_at_random_moments_it_completes_later(tmp_path):
    moments = random.Random(5)
    folder = str(tmp_path / "a")
    total = 14
    reported = -1
    for _ in range(3):
        process = writer("append", folder, str(reported + 1), str(total - reported - 1))
        for line in process.stdout:
            reported = int(line)
            if moments.random() < 0.4:
                time.sleep(moments.random() * 0.05)
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen = look(folder)
        assert seen["problems"] == [] and set(seen["granules"].values()) == {ROWS}
        assert {f"granule_{number}.nc4" for number in range(reported + 1)} <= set(seen["granules"])
    archive = SoundingArchive(folder)
    assert sum(archive.append(granule(number)).added for number in range(total + 1)) == ROWS * (total + 1) - sum(
        seen["granules"].values()
    )
    assert look(folder)["granules"] == {f"granule_{number}.nc4": ROWS for number in range(total + 1)}
    assert litter(folder) == []


def test_two_processes_append_at_once(tmp_path):
    folder = str(tmp_path / "a")
    processes = [writer("append", folder, "0", "7"), writer("append", folder, "4", "7")]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    seen = look(folder)
    assert seen == {"granules": {f"granule_{number}.nc4": ROWS for number in range(11)}, "problems": []}
    assert litter(folder) == []


def test_a_full_disk_leaves_everything_as_it_was(tmp_path):
    folder = str(tmp_path / "a")
    archive = SoundingArchive(folder)
    archive.append(granule(0))
    before = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    output, _ = writer("full", folder, "1500").communicate(timeout=60)
    assert "no room left on the disk" in output and "nothing was changed" in output
    assert {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()} == before
    assert archive.append(granule(7)).added == ROWS


def test_readers_never_fail_while_files_are_joined_and_replaced(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(granule(0))
    stop, seen, failures = threading.Event(), [], []

    def read() -> None:
        reader = SoundingArchive(tmp_path / "a")
        while not stop.is_set():
            try:
                seen.append(len(reader.query(good_only=False, columns=["sounding_id"])))
            except Exception as error:
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 12):
        archive.append(granule(number))
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert all(count % ROWS == 0 for count in seen) and len(set(seen)) > 2


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "a").write_text("not a folder")
    with pytest.raises(StoreProblem, match="expected to write to it"):
        SoundingArchive(tmp_path / "a").append(granule(0))
