"""Downloads against a server that behaves badly in every way that servers do."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from data.errors import FileProblem, StoreProblem
from data.fetching import partial as partial_module
from data.fetching.download import FRUITLESS_ATTEMPTS, PATIENCE_S, Line, RateLimit, download, read_text
from data.fetching.partial import FetchStopped, Partial, Progress, Remote, safe_name
from tests.data.archive_server import Archive, running_archive, serve, status

CONTENT = random.Random(7).randbytes(300_000)
HALF = len(CONTENT) // 2
MODIFIED = "Wed, 01 Jul 2020 12:00:00 GMT"


@pytest.fixture
def archive():
    with running_archive() as running:
        yield running


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch) -> None:
    """What a broken connection keeps is a whole number of blocks; here blocks of 1000 bytes."""
    monkeypatch.setattr("data.fetching.download.BLOCK", 1000)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def line(waits: list[float]) -> Line:
    session = requests.Session()
    session.trust_env = False
    return Line(session, RateLimit(1e9), sleep=waits.append)


def md5(content: bytes) -> str:
    return "md5:" + hashlib.md5(content).hexdigest()


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_whole_file(archive: Archive, line: Line, tmp_path: Path) -> None:
    remote = Remote(archive.put("/a.nc", CONTENT), "a.nc", len(CONTENT), md5(CONTENT))
    told: list[Progress] = []
    line.report = told.append
    assert download(remote, tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert leftovers(tmp_path) == ["a.nc"]
    assert told[-1] == Progress("a.nc", len(CONTENT), len(CONTENT))
    assert archive.ranges("/a.nc") == [None]


@pytest.mark.parametrize(
    "validator", [{"etag": ""}, {"etag": None, "modified": MODIFIED}, {"etag": 'W/"weak"', "modified": MODIFIED}]
)
def test_dropped_connection_is_continued(
    archive: Archive, line: Line, tmp_path: Path, waits: list[float], validator: dict
) -> None:
    drop = serve(stop_after=HALF, **validator)
    url = archive.put("/a.nc", CONTENT, drop, serve(stop_after=1000, **validator), serve(**validator))
    messages: list[str] = []
    line.report = lambda progress: messages.append(f"{progress.name}: {progress.message}")
    assert download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert archive.ranges("/a.nc") == [None, f"bytes={HALF}-", f"bytes={HALF + 1000}-"]
    assert len(waits) == 2
    assert leftovers(tmp_path) == ["a.nc"]
    assert "a.nc: connection broken in the middle; trying again in 0.5 s" in messages


def test_without_anything_that_identifies_the_version_it_starts_over(
    archive: Archive, line: Line, tmp_path: Path
) -> None:
    url = archive.put("/a.nc", CONTENT, serve(stop_after=HALF, etag=None), serve(etag=None))
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert archive.ranges("/a.nc") == [None, None]


def test_a_checksum_identifies_the_version_too(archive: Archive, line: Line, tmp_path: Path) -> None:
    url = archive.put("/a.nc", CONTENT, serve(stop_after=HALF, etag=None), serve(etag=None))
    download(Remote(url, "a.nc", checksum=md5(CONTENT)), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert archive.ranges("/a.nc") == [None, f"bytes={HALF}-"]


def test_server_that_knows_no_ranges(archive: Archive, line: Line, tmp_path: Path) -> None:
    url = archive.put("/a.nc", CONTENT, serve(stop_after=HALF), serve(ranges=False))
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert archive.ranges("/a.nc") == [None, f"bytes={HALF}-"]


def test_file_that_changes_between_two_attempts(archive: Archive, line: Line, tmp_path: Path) -> None:
    newer = random.Random(8).randbytes(250_000)
    url = archive.put(
        "/a.nc", CONTENT, serve(stop_after=HALF), serve(pretend=lambda _: newer), serve(pretend=lambda _: newer)
    )
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == newer


def test_file_that_changes_on_a_server_that_ignores_if_range(archive: Archive, line: Line, tmp_path: Path) -> None:
    """Same length, other content and tag, and yet 206: the tag of the answer tells."""
    newer = random.Random(9).randbytes(len(CONTENT))

    def careless(handler, content) -> None:
        del handler.headers["If-Range"]
        serve(pretend=lambda _: newer)(handler, content)

    url = archive.put("/a.nc", CONTENT, serve(stop_after=HALF), careless, serve(pretend=lambda _: newer))
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == newer
    assert archive.ranges("/a.nc") == [None, f"bytes={HALF}-", None]


def test_pieces_of_two_versions_are_fetched_anew_once(archive: Archive, line: Line, tmp_path: Path) -> None:
    """No tag at all and the content changes in between: only the sum tells."""
    other = bytes(len(CONTENT))
    url = archive.put("/a.nc", CONTENT, serve(stop_after=HALF, etag=None, pretend=lambda _: other), serve(etag=None))
    download(Remote(url, "a.nc", checksum=md5(CONTENT)), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert archive.ranges("/a.nc") == [None, f"bytes={HALF}-", None]


def test_wrong_checksum_leaves_nothing(archive: Archive, line: Line, tmp_path: Path) -> None:
    url = archive.put("/a.nc", CONTENT)
    with pytest.raises(FileProblem, match=r"expected md5 sum 0{32}, found other content from 127.0.0.1"):
        download(Remote(url, "a.nc", checksum="md5:" + "0" * 32), tmp_path / "a.nc", line)
    assert leftovers(tmp_path) == []
    assert len(archive.seen) == 1


def test_half_a_file_that_claims_to_be_whole(archive: Archive, line: Line, tmp_path: Path) -> None:
    """Content-Length fits the half that is sent; the provider's list knows better."""
    half = serve(pretend=lambda content: content[:HALF])
    with pytest.raises(FileProblem, match=rf"expected {len(CONTENT)} bytes, found {HALF} bytes on offer"):
        download(Remote(archive.put("/a.nc", CONTENT, half), "a.nc", len(CONTENT)), tmp_path / "a.nc", line)
    with pytest.raises(FileProblem, match="wrong md5 sum"):
        download(Remote(archive.put("/b.nc", CONTENT, half), "b.nc", checksum=md5(CONTENT)), tmp_path / "b.nc", line)
    assert leftovers(tmp_path) == []


def test_chunked_file_of_wrong_length(archive: Archive, line: Line, tmp_path: Path) -> None:
    def chunked(handler, content) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n" % HALF + content[:HALF] + b"\r\n0\r\n\r\n")

    with pytest.raises(FileProblem, match=f"expected {len(CONTENT)} bytes, found {HALF} bytes"):
        download(Remote(archive.put("/a.nc", CONTENT, chunked), "a.nc", len(CONTENT)), tmp_path / "a.nc", line)
    assert download(Remote(archive.put("/b.nc", CONTENT, chunked), "b.nc"), tmp_path / "b.nc", line)
    assert (tmp_path / "b.nc").read_bytes() == CONTENT[:HALF]


def test_not_there(archive: Archive, line: Line, tmp_path: Path) -> None:
    with pytest.raises(StoreProblem, match=r"has no a.nc \(HTTP 404"):
        download(Remote(archive.base + "/gone/a.nc", "a.nc"), tmp_path / "a.nc", line)
    assert leftovers(tmp_path) == []
    assert len(archive.seen) == 1


@pytest.mark.parametrize("code", [401, 403])
def test_refused(archive: Archive, line: Line, tmp_path: Path, code: int) -> None:
    url = archive.put("/a.nc", CONTENT, status(code))
    with pytest.raises(FetchStopped, match=rf"does not hand out a.nc \(HTTP {code}\); ask your archive"):
        download(Remote(url, "a.nc", if_refused="ask your archive"), tmp_path / "a.nc", line)
    assert len(archive.seen) == 1


def test_sign_in_page_instead_of_the_file(archive: Archive, line: Line, tmp_path: Path) -> None:
    url = archive.put("/a.nc", CONTENT, status(200, body=b"<html>sign in</html>"))
    with pytest.raises(FetchStopped, match=r"answers with a web page instead of a\.nc"):
        download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert leftovers(tmp_path) == []


def test_busy_server_says_when(archive: Archive, line: Line, tmp_path: Path, waits: list[float]) -> None:
    url = archive.put("/a.nc", CONTENT, status(429, headers={"Retry-After": "17"}), status(503))
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert waits == [17.0, 2.0]


def test_retry_after_may_be_a_date_or_rubbish(archive: Archive, line: Line, tmp_path: Path, waits: list[float]) -> None:
    past, rubbish = {"Retry-After": MODIFIED}, {"Retry-After": "soon"}
    download(
        Remote(archive.put("/a.nc", CONTENT, status(429, headers=past), status(429, headers=rubbish)), "a.nc"),
        tmp_path / "a.nc",
        line,
    )
    assert waits == [0.0, 2.0]


def test_wait_beyond_patience_is_said(archive: Archive, line: Line, tmp_path: Path, waits: list[float]) -> None:
    url = archive.put("/a.nc", CONTENT, status(429, headers={"Retry-After": str(int(PATIENCE_S) + 1)}))
    with pytest.raises(StoreProblem, match=r"asks to wait 301 s before a\.nc"):
        download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert waits == []


def test_server_that_never_comes_round(archive: Archive, line: Line, tmp_path: Path, waits: list[float]) -> None:
    url = archive.put("/a.nc", CONTENT, *[status(503)] * 50)
    with pytest.raises(StoreProblem, match=r"does not deliver a.nc \(HTTP 503\)"):
        download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert len(archive.seen) == FRUITLESS_ATTEMPTS
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_server_that_always_breaks_at_the_same_place(archive: Archive, line: Line, tmp_path: Path) -> None:
    """Bytes come each time but never more: patience ends all the same."""
    url = archive.put("/a.nc", CONTENT, *[serve(stop_after=HALF, ranges=False)] * 50)
    with pytest.raises(StoreProblem, match="what has come is kept"):
        download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert len(archive.seen) == FRUITLESS_ATTEMPTS + 1
    assert (tmp_path / "a.nc.part").stat().st_size == HALF
    assert not (tmp_path / "a.nc").exists()


def test_progress_renews_patience(archive: Archive, line: Line, tmp_path: Path) -> None:
    url = archive.put("/a.nc", CONTENT, *[serve(stop_after=10_000)] * 29)
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert len(archive.seen) == 30


def test_no_server(line: Line, tmp_path: Path) -> None:
    with running_archive() as archive:
        url = archive.base + "/a.nc"
    with pytest.raises(StoreProblem, match=r"127.0.0.1 does not deliver a.nc \(Connection refused\)"):
        download(Remote(url, "a.nc"), tmp_path / "a.nc", line)


def test_address_that_is_none(line: Line, tmp_path: Path) -> None:
    with pytest.raises(StoreProblem, match="cannot be asked for"):
        download(Remote("nonsense://x/a.nc", "a.nc"), tmp_path / "a.nc", line)


def test_redirect_keeps_the_range(archive: Archive, line: Line, tmp_path: Path) -> None:
    archive.put("/real.nc", CONTENT, serve(stop_after=HALF))
    move = status(302, headers={"Location": archive.base + "/real.nc"})
    url = archive.put("/a.nc", b"", move, move)
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert archive.ranges("/real.nc") == [None, f"bytes={HALF}-"]


def test_redirects_without_end(archive: Archive, line: Line, tmp_path: Path) -> None:
    url = archive.base + "/a.nc"
    archive.put("/a.nc", b"", *[status(302, headers={"Location": url})] * 60)
    with pytest.raises(StoreProblem, match=r"[Ee]xceeded 30 redirects"):
        download(Remote(url, "a.nc"), tmp_path / "a.nc", line)


def test_part_of_an_earlier_process_is_continued(archive: Archive, line: Line, tmp_path: Path) -> None:
    url = archive.put("/a.nc", CONTENT, *[serve(stop_after=HALF)] + [status(503)] * FRUITLESS_ATTEMPTS)
    with pytest.raises(StoreProblem):
        download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert leftovers(tmp_path) == ["a.nc.part", "a.nc.part.json"]
    archive.seen.clear()
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert archive.ranges("/a.nc") == [f"bytes={HALF}-"]
    assert (tmp_path / "a.nc").read_bytes() == CONTENT


def test_killed_process_is_continued(archive: Archive, line: Line, tmp_path: Path) -> None:
    """kill -9 in the middle: no file under the final name, and the next process asks for the rest only."""
    hold = threading.Event()
    url = archive.put("/a.nc", CONTENT, serve(stop_after=HALF, wait_for=hold))
    program = (
        "import sys, requests; from pathlib import Path\n"
        "import data.fetching.download as d; from data.fetching.partial import Remote; d.BLOCK = 1000\n"
        f"d.download(Remote({url!r}, 'a.nc'), Path(sys.argv[1]), d.Line(requests.Session(), d.RateLimit(100)))"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "a.nc")], cwd=Path(__file__).parents[2])
    part = tmp_path / "a.nc.part"
    for _ in range(3000):
        if part.exists() and part.stat().st_size > HALF // 2:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    hold.set()
    assert leftovers(tmp_path) == ["a.nc.part", "a.nc.part.json"]
    there = part.stat().st_size
    assert HALF // 2 < there <= HALF
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert archive.ranges("/a.nc") == [None, f"bytes={there}-"]
    assert (tmp_path / "a.nc").read_bytes() == CONTENT


def test_complete_part_needs_no_request(archive: Archive, line: Line, tmp_path: Path) -> None:
    """Killed between the last byte and the new name."""
    remote = Remote(archive.put("/a.nc", CONTENT), "a.nc", checksum=md5(CONTENT))
    partial = Partial(tmp_path / "a.nc")
    partial.begin(remote, validator='"x"', total=len(CONTENT))
    partial.part.write_bytes(CONTENT)
    download(remote, tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert archive.seen == []


@pytest.mark.parametrize(
    ("memory", "size"),
    [
        ("not json", HALF),
        ("[1]", HALF),
        (json.dumps({"validator": '"x"', "total": 10, "checksum": None}), HALF),
        (None, HALF),
    ],
)
def test_part_that_cannot_be_trusted_is_dropped(
    archive: Archive, line: Line, tmp_path: Path, memory: str | None, size: int
) -> None:
    (tmp_path / "a.nc.part").write_bytes(b"x" * size)
    if memory is not None:
        (tmp_path / "a.nc.part.json").write_text(memory)
    download(Remote(archive.put("/a.nc", CONTENT), "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert archive.ranges("/a.nc") == [None]


def test_part_longer_than_the_file_on_the_server(archive: Archive, line: Line, tmp_path: Path) -> None:
    remote = Remote(archive.put("/a.nc", CONTENT), "a.nc", checksum=md5(CONTENT))
    partial = Partial(tmp_path / "a.nc")
    partial.begin(remote, validator=None)
    partial.part.write_bytes(CONTENT + b"more")
    download(remote, tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert archive.ranges("/a.nc") == [f"bytes={len(CONTENT) + 4}-", None]


def test_living_file_is_fetched_only_when_it_has_changed(archive: Archive, line: Line, tmp_path: Path) -> None:
    later = "Sat, 01 Aug 2020 12:00:00 GMT"
    good, changed = serve(modified=MODIFIED), serve(modified=later, pretend=lambda _: b"new")
    remote = Remote(archive.put("/a.csv", CONTENT, good, good, changed), "a.csv", may_change=True)
    assert [download(remote, tmp_path / "a.csv", line) for _ in range(2)] == [True, False]
    assert (tmp_path / "a.csv").read_bytes() == CONTENT
    assert download(remote, tmp_path / "a.csv", line)
    assert (tmp_path / "a.csv").read_bytes() == b"new"


def test_compressed_answer_is_stored_unpacked(archive: Archive, line: Line, tmp_path: Path) -> None:
    import gzip

    squeezed = serve(pretend=gzip.compress, headers={"Content-Encoding": "gzip"})
    download(Remote(archive.put("/a.csv", b"year,ppm\n" * 500, squeezed), "a.csv"), tmp_path / "a.csv", line)
    assert (tmp_path / "a.csv").read_bytes() == b"year,ppm\n" * 500


def test_empty_file(archive: Archive, line: Line, tmp_path: Path) -> None:
    download(Remote(archive.put("/a.nc", b""), "a.nc"), tmp_path / "a.nc", line)
    assert (tmp_path / "a.nc").read_bytes() == b""


def test_space_is_checked_before_a_byte_is_written(archive: Archive, line: Line, tmp_path: Path, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(partial_module.shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    with pytest.raises(FetchStopped, match=r"0\.00 GB free and 0\.00 GB are to come; make room"):
        download(Remote(archive.put("/a.nc", CONTENT), "a.nc"), tmp_path / "a.nc", line)
    assert not (tmp_path / "a.nc").exists()


def test_disk_that_fills_up_meanwhile(archive: Archive, line: Line, tmp_path: Path, monkeypatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("data.fetching.download.os.fsync", full)
    with pytest.raises(FetchStopped, match="No space is left"):
        download(Remote(archive.put("/a.nc", CONTENT), "a.nc"), tmp_path / "a.nc", line)


def test_destination_that_cannot_be_a_folder(archive: Archive, line: Line, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FetchStopped, match="share a name"):
        download(Remote(archive.put("/a.nc", CONTENT), "a.nc"), tmp_path / "file" / "a.nc", line)


def test_rate_limit_by_counting() -> None:
    """In no second of the clock are there more requests than allowed, however the clock jumps."""
    now, moments = [100.0], []

    def sleep(seconds: float) -> None:
        assert seconds > 0
        now[0] += seconds

    limit = RateLimit(4.0, clock=lambda: now[0], sleep=sleep)
    for number in range(40):
        limit.wait()
        moments.append(now[0])
        now[0] += 3.0 if number == 20 else 0.01
    assert all(sum(start <= moment < start + 0.999 for moment in moments) <= 4 for start in moments)
    assert moments[-1] - moments[0] == pytest.approx(38 * 0.25 + 3.0, abs=0.3)


def test_every_attempt_counts_for_the_rate(archive: Archive, line: Line, tmp_path: Path) -> None:
    waited: list[float] = []
    line.limit = RateLimit(10.0, clock=lambda: 0.0, sleep=waited.append)
    url = archive.put("/a.nc", CONTENT, status(503), serve(stop_after=HALF), serve(stop_after=10))
    download(Remote(url, "a.nc"), tmp_path / "a.nc", line)
    assert waited == pytest.approx([0.1, 0.2, 0.3])


def test_listing_with_retries_and_bounds(archive: Archive, line: Line, monkeypatch) -> None:
    url = archive.put("/list", b"hello", status(503), serve(stop_after=2))
    assert read_text(url, line, what="the list") == "hello"
    monkeypatch.setattr("data.fetching.download.LISTING_BYTES", 3)
    with pytest.raises(StoreProblem, match="endless text"):
        read_text(url, line, what="the list")


@pytest.mark.parametrize(
    ("hostile", "tame"),
    [
        ("../../x", "x"),
        ("/etc/passwd", "etc/passwd"),
        ("a/../../b.nc", "a/b.nc"),
        ("..\\..\\windows\\x.nc", "windows/x.nc"),
        ("C:\\x.nc", "C_/x.nc"),
        (".ssh/authorized_keys", "ssh/authorized_keys"),
        ("a\x00b\n.nc", "a_b_.nc"),
        ("x.nc.part", "x.nc.part_"),
        ("oco2_LtCO2_190601_B11210Ar_240910224028s.nc4", "oco2_LtCO2_190601_B11210Ar_240910224028s.nc4"),
    ],
)
def test_hostile_names(hostile: str, tame: str) -> None:
    assert safe_name(hostile) == tame


@pytest.mark.parametrize("nothing", ["", "..", "/", "../..", "...", " "])
def test_names_that_are_none(nothing: str) -> None:
    with pytest.raises(StoreProblem, match="no file name"):
        safe_name(nothing)


@given(st.text(alphabet=st.sampled_from("ab./\\~: \x00\x1fé-_"), max_size=40))
def test_no_name_leaves_the_destination(name: str) -> None:
    folder = Path("/data/downloads")
    try:
        tame = safe_name(name)
    except StoreProblem:
        return
    assert os.path.normpath(folder / tame) == str(folder / tame)
    assert str(folder / tame).startswith("/data/downloads/")
    assert safe_name(tame) == tame
