"""Files from a browser: names that lead nowhere, archives that unpack to too much or elsewhere, programs; and real data that pass."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dashboard.commands.data import command
from data import uploads
from data.errors import DataError, FileProblem, StoreProblem
from data.holdings import holdings
from data.uploads import (
    Staged,
    clear_stale,
    limit_bytes,
    need_room,
    new_place,
    prepared,
    refuse_foreign,
    safe_file_name,
)

LIMIT = 10**6
HOSTILE = [
    "../../etc/passwd", "..\\..\\windows\\system32\\x.dll", "/etc/shadow", "C:\\x", "a/../../b.nc", "\0.nc", "con.nc", "NUL",
    "....", "", " ", ".bashrc", "-rf", "\u202egpj.exe", "x" * 5000 + ".nc", "é" * 300 + ".h5", "<script>alert(1)</script>.nc",
    "a\nb.nc", "\udcff.nc", "file;rm -rf ~.nc", "$(reboot).nc",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_becomes_one_harmless_step_of_a_path(tmp_path, name):
    place = new_place(tmp_path, name)
    place.path.write_bytes(b"x")
    assert place.path.parent == place.folder and place.folder.parent == tmp_path / "uploads"
    assert place.path.resolve().is_relative_to(place.folder.resolve()) and not place.path.name.startswith(".")
    place.discard()
    assert list((tmp_path / "uploads").iterdir()) == []


@given(st.text(max_size=400))
def test_any_name_is_safe_and_stays_what_it_was_made(name):
    safe = safe_file_name(name)
    assert safe and safe not in (".", "..") and "/" not in safe and "\\" not in safe and "\0" not in safe
    assert len(safe) <= 120 and len(os.fsencode(safe)) <= 255 and safe_file_name(safe) == safe


@pytest.mark.parametrize(
    "name", ["oco2_LtCO2_201231_B11100Ar.nc4", "GOSATTFTS2018_03C01SV0305.h5", "南京 2020.csv", "a (1).tar.gz"]
)
def test_an_honest_name_stays(name):
    assert safe_file_name(name) == name and safe_file_name(f"some/folder/{name}") == name


def staged(home: Path, name: str, content: bytes) -> Staged:
    place = new_place(home, name)
    place.path.write_bytes(content)
    return place


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w", links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def test_a_plain_file_is_imported_as_it_is(tmp_path):
    place = staged(tmp_path, "a.csv", b"year,co2\n2020,412\n")
    assert prepared(place, LIMIT) == [place.path]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"\x7fELF" + b"\0" * 60, "a Linux program"),
        (b"MZ\x90" + b"\0" * 60, "a Windows program"),
        (b"#!/bin/sh\nrm -rf /\n", "a script"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\0\1\2\3" * 50, "content of no kind that this program reads"),
    ],
)
def test_what_is_no_data_is_refused_by_its_content_whatever_its_name(tmp_path, content, found):
    with pytest.raises(FileProblem, match=found) as caught:
        refuse_foreign("good.nc", content[:1024])
    assert str(caught.value).startswith("good.nc: expected a data file") and str(caught.value).endswith(".")
    with pytest.raises(FileProblem, match=found):
        prepared(staged(tmp_path, "good.nc", content), LIMIT)


@pytest.mark.parametrize(
    "pack", [zipped, tarred, lambda members: tarred(members, "w:gz"), lambda members: tarred(members, "w:xz")]
)
def test_an_archive_gives_its_files_and_none_elsewhere(tmp_path, pack):
    members = {
        "data/2015/01.csv": b"a,b\n1,2\n", "../../../escaped.csv": b"x", "/tmp/absolute.csv": b"y", ".hidden": b"z",
        "__MACOSX/._01.csv": b"m", "data/2015/01.csv/../02.csv": b"w", "s.zarr/.zgroup": b"{}", "s.zarr/v/.zarray": b"{}",
    }  # fmt: skip
    place = staged(tmp_path / "home", "two.zip", pack(members))
    (folder,) = prepared(place, LIMIT)
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert (
        found["data/2015/01.csv"] == b"a,b\n1,2\n"
        and found["escaped.csv"] == b"x"
        and found["tmp/absolute.csv"] == b"y"
    )
    assert "s.zarr/.zgroup" in found and "s.zarr/v/.zarray" in found and len(found) == 6
    everywhere = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path.is_relative_to(place.folder) for path in everywhere) and not place.path.exists()


def test_links_and_devices_in_an_archive_are_left_out(tmp_path):
    place = staged(tmp_path, "a.tar", tarred({"a.csv": b"1,2"}, links={"b.csv": "/etc/passwd", "c": ".."}))
    (folder,) = prepared(place, LIMIT)
    assert [path.name for path in folder.rglob("*")] == ["a.csv"]
    linked = zipfile.ZipInfo("link.csv")
    linked.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(linked, "/etc/passwd")
    with pytest.raises(FileProblem, match="found one without any"):
        prepared(staged(tmp_path, "b.zip", buffer.getvalue()), LIMIT)


ZEROS = b"\0" * (150 * 10**6)


@pytest.mark.parametrize(
    ("name", "bomb", "found"),
    [
        ("a.zip", lambda: zipped({"a.nc": ZEROS}), "more than 0.01 GB when unpacked"),
        ("a.csv.gz", lambda: gzip.compress(ZEROS), "unpacks to more than 200 times|more than 0.01 GB when unpacked"),
        ("a.tar.bz2", lambda: bz2.compress(tarred({"a.nc": ZEROS[: 20 * 10**6]})), "more than 0.01 GB when unpacked"),
        ("a.zip", lambda: zipped({"a.csv.gz": gzip.compress(ZEROS)}), "more than 0.01 GB when unpacked"),
        ("a.zip", lambda: zipped({f"{i}.csv": b"" for i in range(300)}), "more than 200 files in it"),
    ],
)
def test_bombs_end_in_one_sentence_and_leave_nothing(tmp_path, monkeypatch, name, bomb, found):
    monkeypatch.setattr(uploads, "MOST_MEMBERS", 200)
    place = staged(tmp_path, name, bomb())
    with pytest.raises(FileProblem, match=found):
        prepared(place, LIMIT)
    assert not (place.folder / "unpacked").exists()


def test_a_small_file_that_unpacks_two_hundredfold_is_refused_even_within_the_limit(tmp_path):
    place = staged(tmp_path, "a.csv.gz", gzip.compress(ZEROS))
    with pytest.raises(FileProblem, match="unpacks to more than 200 times its size"):
        prepared(place, 10**9)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.csv.gz", "a.csv.xz"])
def test_a_damaged_archive_ends_in_one_sentence(tmp_path, name):
    good = {"a.zip": zipped({"a.csv": b"1,2\n" * 5000}), "a.tar.gz": tarred({"a.csv": os.urandom(9000)}, "w:gz")}
    content = good.get(name) or (gzip.compress(os.urandom(5000)) if name.endswith("gz") else b"\xfd7zXZ\0" + b"\1" * 90)
    for broken in (content[: len(content) // 2], content[:40] + bytes(len(content) // 2) + content[-30:]):
        place = staged(tmp_path, name, broken)
        with pytest.raises(DataError) as caught:
            prepared(place, LIMIT)
        assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_an_encrypted_zip_is_refused(tmp_path):
    content = bytearray(zipped({"a.csv": b"1,2\n" * 50}))
    for at in (6, content.index(b"PK\x01\x02") + 8):
        content[at] |= 1  # the flag "encrypted"
    with pytest.raises(FileProblem, match="damaged or encrypted"):
        prepared(staged(tmp_path, "a.zip", bytes(content)), LIMIT)


def test_the_limit_is_read_from_the_environment(monkeypatch):
    assert limit_bytes() == 2 * 10**9
    monkeypatch.setenv("CARBONWEATHER_UPLOAD_MB", "5.5")
    assert limit_bytes() == 5_500_000
    for wrong in ("much", "-1", "0", "nan"):
        monkeypatch.setenv("CARBONWEATHER_UPLOAD_MB", wrong)
        with pytest.raises(StoreProblem, match="CARBONWEATHER_UPLOAD_MB: expected a number"):
            limit_bytes()


def test_a_disk_without_room_is_said_before_anything_comes(tmp_path):
    need_room(tmp_path, 1000)
    with pytest.raises(StoreProblem, match="make room first"):
        need_room(tmp_path, 10**15)


def test_only_stale_uploads_are_cleared(tmp_path):
    old, new = staged(tmp_path, "old.csv", b"1"), staged(tmp_path, "new.csv", b"1")
    long_ago = time.time() - 2 * 86_400
    os.utime(old.folder, (long_ago, long_ago))
    clear_stale(tmp_path)
    assert not old.folder.exists() and new.path.exists()
    clear_stale(tmp_path / "none")


# ----------------------------------------------------------------------------------------------- what the page runs then


def receive(home: Path, place: Staged) -> tuple[int, list[dict]]:
    result = CliRunner().invoke(command, ["receive", str(place.path), "--home", str(home)])
    return result.exit_code, [row for row in map(json.loads, result.stdout.splitlines()) if "status" in row]


@pytest.fixture
def unbounded(monkeypatch):
    """The limit on memory would stay in force for the tests that follow in this process."""
    monkeypatch.setattr(uploads, "bound_memory", lambda: None)


def test_a_received_file_is_imported_and_deleted(tmp_path, real: Path, unbounded):
    source = next((real / "surface" / "noaa_trends").glob("*mm-gl*"))
    place = staged(tmp_path, source.name, source.read_bytes())
    code, (row,) = receive(tmp_path, place)
    assert code == 0 and (row["name"], row["status"]) == (source.name, "imported") and not place.folder.exists()
    assert [item.key for item in holdings(tmp_path)] == ["table:noaa-trends-mm-gl"]


def test_an_archive_of_real_files_is_imported_with_one_sentence_a_file(tmp_path, real: Path, unbounded):
    files = sorted((real / "surface" / "noaa_trends").glob("*.csv"))[:2]
    content = zipped({f"noaa/{file.name}": file.read_bytes() for file in files} | {"noaa/junk.bin": b"\0\1" * 99})
    code, rows = receive(tmp_path, staged(tmp_path, "noaa.zip", content))
    assert code == 1 and sorted(row["status"] for row in rows) == ["failed", "imported", "imported"]
    assert all(str(tmp_path) not in row["message"] and str(tmp_path) not in row["name"] for row in rows)


def test_a_refused_file_is_deleted_too_and_the_data_folder_stays_as_it_was(tmp_path, unbounded):
    place = staged(tmp_path, "x.nc", b"\x89HDF\r\n\x1a\n" + b"garbage" * 400)
    code, (row,) = receive(tmp_path, place)
    assert code == 1 and row["status"] == "failed" and row["message"].startswith("x.nc: expected")
    assert not place.folder.exists() and len(holdings(tmp_path)) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_memory_is_bounded_in_the_process_that_reads():
    script = """
import psutil
from data.uploads import bound_memory
bound_memory()
try:
    held = bytearray(int(0.6 * psutil.virtual_memory().total) + 5 * 10**9)
except MemoryError:
    print("bounded")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "bounded"
