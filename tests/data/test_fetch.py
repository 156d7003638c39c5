"""Fetching whole data sets: what each provider lists, what arrives, what the user is told."""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import json
import os
import random
import tarfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import click
import fsspec
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from filelock import FileLock

from dashboard.commands.data_fetch import fetch_command, list_command
from data.catalog import Access, Catalog, CatalogFile, Coverage, Entry, load
from data.errors import StoreProblem
from data.fetch import carry_out, fetch, plan, read_box, read_day
from data.fetching.partial import FetchStopped
from data.fetching.providers import Endpoints, periods
from tests.data.archive_server import Archive, running_archive, serve, status

CONTENT = random.Random(3).randbytes(50_000)
YEAR_2020 = (datetime.date(2020, 1, 1), datetime.date(2020, 12, 31))


@pytest.fixture
def archive():
    with running_archive() as running:
        yield running


@pytest.fixture(autouse=True)
def no_account(monkeypatch, tmp_path: Path) -> Path:
    """Neither netrc nor environment of the person who runs the tests; a home of their own."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("NETRC", "EARTHDATA_TOKEN", "EARTHDATA_USERNAME", "EARTHDATA_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CARBONWEATHER_HOME", str(home / "data"))
    return home


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def catalogue(access: Access, *, time=YEAR_2020, name: str = "set") -> Catalog:
    """A catalogue with one entry that is reached by `access`."""
    entry = Entry(
        name=name,
        title="A data set",
        group="model",
        provider="Somebody",
        doi=None,
        version=None,
        licence=None,
        citation="Somebody (2020)",
        homepage=None,
        coverage=Coverage((-180, -90, 180, 90), time),
        resolution=None,
        size=None,
        access=access,
        reader="gridded",
        variables=("x",),
        unit=None,
        note=None,
    )
    return Catalog(MappingProxyType({name: entry}))


def sleepless(seconds: float) -> None:
    return None


def quick(access: Access, folder: Path, time=YEAR_2020, **more):
    """`fetch` of a one-entry catalogue without waiting."""
    chosen = {"limit_per_second": 1e9, "sleep": sleepless, "destination": folder} | more
    return fetch("set", catalog=catalogue(access, time=time), **chosen)


# ------------------------------------------------------------------------------------------------- days and boxes
@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2020-02-03", (2020, 2, 3), (2020, 2, 3)),
        ("2020-02", (2020, 2, 1), (2020, 2, 29)),
        ("2020", (2020, 1, 1), (2020, 12, 31)),
        ("9999-12", (9999, 12, 1), (9999, 12, 31)),
    ],
)
def test_days(text: str, first: tuple, last: tuple) -> None:
    assert read_day(text) == datetime.date(*first)
    assert read_day(text, last=True) == datetime.date(*last)


@pytest.mark.parametrize("text", ["yesterday", "2020-13", "2020-02-30", "20200203", "", "2020/01/01", "0000"])
def test_days_that_are_none(text: str) -> None:
    with pytest.raises(StoreProblem, match="is not a day; write it as 2020-06-15"):
        read_day(text)


def test_boxes() -> None:
    assert read_box("-82, 37,-78,43") == (-82, 37, -78, 43)
    assert read_box([170, -10, -170, 10]) == (170, -10, -170, 10)
    assert read_box(None) is None


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "0,10,5,5", "-181,0,0,5", "0,0,0,5", "0,nan,5,5", ""])
def test_boxes_that_are_none(text: str) -> None:
    with pytest.raises(StoreProblem, match="write it as WEST,SOUTH,EAST,NORTH"):
        read_box(text)


def test_periods_cover_every_day_that_is_asked_for() -> None:
    start, end = datetime.date(2019, 12, 30), datetime.date(2020, 3, 1)
    assert [str(day) for day in periods(start, end, "month")] == [
        "2019-12-01",
        "2020-01-01",
        "2020-02-01",
        "2020-03-01",
    ]
    assert [str(day) for day in periods(start, end, "year")] == ["2019-01-01", "2020-01-01"]
    assert len(list(periods(start, end, "day"))) == 63
    assert list(periods(start, end, "none")) == [start]


# ------------------------------------------------------------------------------------------------- web
def test_months_from_templates(archive: Archive, tmp_path: Path) -> None:
    for month in (2, 3):
        archive.put(f"/2020/flux.20{month:02d}.nc", CONTENT)
    access = Access("http", step="month", urls=(archive.base + "/{year}/flux.{yy:02d}{month:02d}.nc",))
    files = quick(access, tmp_path / "in", start="2020-02-20", end="2020-03")
    assert [(file.path.name, file.status) for file in files] == [
        ("flux.2002.nc", "fetched"),
        ("flux.2003.nc", "fetched"),
    ]
    assert all(file.path.read_bytes() == CONTENT and file.size == len(CONTENT) for file in files)
    archive.seen.clear()
    again = quick(access, tmp_path / "in", start="2020-02-20", end="2020-03")
    assert [file.status for file in again] == ["present", "present"]
    assert archive.seen == []


def test_published_sums_are_checked(archive: Archive, tmp_path: Path) -> None:
    archive.put("/a_2001.nc", CONTENT)
    archive.put("/a_2002.nc", CONTENT)
    archive.put("/sums_2020.txt", f"{md5(CONTENT)}  a_2001.nc\r\n{'0' * 32} *a_2002.nc\nrubbish\n".encode())
    access = Access(
        "http",
        step="month",
        urls=(archive.base + "/a_{yy:02d}{month:02d}.nc",),
        checksums=archive.base + "/sums_{year}.txt",
    )
    files = quick(access, tmp_path, start="2020-01", end="2020-02")
    assert [file.status for file in files] == ["fetched", "failed"]
    assert files[0].checksum == "md5:" + md5(CONTENT)
    assert "wrong md5 sum" in files[1].message
    assert not (tmp_path / "a_2002.nc").exists()
    assert len([seen for seen in archive.seen if seen.path == "/sums_2020.txt"]) == 1


def test_a_provider_without_its_list_of_sums(archive: Archive, tmp_path: Path) -> None:
    archive.put("/a_2001.nc", CONTENT)
    access = Access(
        "http", step="month", urls=(archive.base + "/a_{yy:02d}{month:02d}.nc",), checksums=archive.base + "/none.txt"
    )
    assert quick(access, tmp_path, start="2020-01", end="2020-01")[0].checksum is None


def test_file_with_the_wrong_content_is_fetched_again(archive: Archive, tmp_path: Path) -> None:
    url = archive.put("/a.nc", CONTENT)
    access = Access("http", files=(CatalogFile(url, checksum="md5:" + md5(CONTENT)),))
    (tmp_path / "a.nc").write_bytes(CONTENT[:-1] + b"x")
    assert quick(access, tmp_path)[0].status == "fetched"
    assert (tmp_path / "a.nc").read_bytes() == CONTENT
    assert quick(access, tmp_path)[0].status == "present"
    assert len(archive.seen) == 1


def test_record_that_goes_on_is_asked_whether_it_changed(archive: Archive, tmp_path: Path) -> None:
    modified = "Wed, 01 Jul 2020 12:00:00 GMT"
    url = archive.put("/a.csv", CONTENT, serve(modified=modified), serve(modified=modified))
    access = Access("http", files=(CatalogFile(url),))
    living = (datetime.date(2020, 1, 1), None)
    assert [quick(access, tmp_path, time=living)[0].status for _ in range(2)] == ["fetched", "present"]
    assert len(archive.seen) == 2


def test_one_bad_file_does_not_stop_the_rest(archive: Archive, tmp_path: Path) -> None:
    archive.put("/a02.nc", CONTENT)
    access = Access("http", step="month", urls=(archive.base + "/a{month:02d}.nc",))
    files = quick(access, tmp_path, start="2020-01", end="2020-03")
    assert [file.status for file in files] == ["failed", "fetched", "failed"]
    assert "HTTP 404" in files[0].message


def test_nothing_at_all_is_an_error(archive: Archive, tmp_path: Path) -> None:
    access = Access("http", step="month", urls=(archive.base + "/a{month:02d}.nc",))
    with pytest.raises(StoreProblem, match=r"Nothing of A data set came: .*HTTP 404.*\(and 1 more\)"):
        quick(access, tmp_path, start="2020-01", end="2020-02")


def test_a_sign_in_stops_everything_at_once(archive: Archive, tmp_path: Path) -> None:
    for month in (1, 2):
        archive.put(f"/a{month:02d}.nc", CONTENT, status(401))
    access = Access("http", step="month", urls=(archive.base + "/a{month:02d}.nc",))
    with pytest.raises(FetchStopped, match="HTTP 401"):
        quick(access, tmp_path, start="2020-01", end="2020-02")
    assert len(archive.seen) == 1


def test_names_in_addresses_cannot_leave_the_folder(archive: Archive, tmp_path: Path) -> None:
    url = archive.put("/x/..%2F..%2Fescape.nc", CONTENT)
    files = quick(Access("http", files=(CatalogFile(url),)), tmp_path / "in")
    assert files[0].path == tmp_path / "in" / "escape.nc"
    assert not (tmp_path / "escape.nc").exists()


def test_a_link_in_the_folder_that_leads_out_is_not_followed(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "in" / "sub").symlink_to(tmp_path / "outside")
    body = {"files": [zenodo_file(archive, "sub/a.nc")]}
    archive.put("/api/records/1", json.dumps(body).encode())
    with pytest.raises(StoreProblem, match="would be written outside"):
        quick(Access("zenodo", record="1"), tmp_path / "in", endpoints=Endpoints(zenodo=archive.base + "/api"))
    assert list((tmp_path / "outside").iterdir()) == []


def test_days_outside_the_record(tmp_path: Path) -> None:
    access = Access("http", step="month", urls=("http://127.0.0.1:9/{year}",))
    with pytest.raises(StoreProblem, match="covers 2020-01-01 to 2020-12-31, and 1990-01-01 to 1990-12-31 was asked"):
        quick(access, tmp_path, start="1990", end="1990")
    with pytest.raises(StoreProblem, match="comes after the last"):
        quick(access, tmp_path, start="2020-06", end="2020-05")


def test_two_fetches_into_one_folder(archive: Archive, tmp_path: Path) -> None:
    access = Access("http", files=(CatalogFile(archive.put("/a.nc", CONTENT)),))
    with FileLock(tmp_path / ".fetch.lock"), pytest.raises(FetchStopped, match="Another fetch is writing"):
        quick(access, tmp_path)


def test_rate_of_the_catalogue_and_of_the_caller(archive: Archive, tmp_path: Path) -> None:
    access = Access("http", files=(CatalogFile(archive.put("/a.nc", CONTENT)),), limit_per_second=2.0)
    assert plan("set", catalog=catalogue(access)).line.limit.per_second == 2.0
    assert plan("set", catalog=catalogue(access), limit_per_second=0.5).line.limit.per_second == 0.5
    with pytest.raises(StoreProblem, match="no limit"):
        plan("set", catalog=catalogue(access), limit_per_second=0)


def test_the_downloads_folder_is_the_users(archive: Archive, no_account: Path) -> None:
    access = Access("http", files=(CatalogFile(archive.put("/a.nc", CONTENT)),))
    files = quick(access, None)
    assert files[0].path == no_account / "data" / "downloads" / "set" / "a.nc"


# ------------------------------------------------------------------------------------------------- archives
def packed_tar(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def packed_zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(("name", "pack"), [("sites.tgz", packed_tar), ("sites.zip", packed_zip)])
def test_archives_are_unpacked(archive: Archive, tmp_path: Path, name: str, pack) -> None:
    url = archive.put(f"/{name}", pack({"a.nc": b"1", "deep/b.nc": b"2"}))
    access = Access("http", files=(CatalogFile(url),), unpack=True)
    file = quick(access, tmp_path)[0]
    assert file.unpacked == tmp_path / "sites"
    assert (tmp_path / "sites" / "deep" / "b.nc").read_bytes() == b"2"
    (tmp_path / "sites" / "a.nc").write_bytes(b"mine")
    assert quick(access, tmp_path)[0].status == "present"
    assert (tmp_path / "sites" / "a.nc").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".fetch.lock", "home", "sites", name]


@pytest.mark.parametrize("member", ["../../evil.nc", "/evil.nc"])
@pytest.mark.parametrize(("name", "pack"), [("x.tgz", packed_tar), ("x.zip", packed_zip)])
def test_hostile_members_stay_inside(archive: Archive, tmp_path: Path, name: str, pack, member: str) -> None:
    url = archive.put(f"/{name}", pack({"good.nc": b"1", member: b"evil"}))
    folder = tmp_path / "deep" / "in"
    access = Access("http", files=(CatalogFile(url),), unpack=True)
    try:
        quick(access, folder)
    except StoreProblem as problem:
        assert "leads elsewhere" in str(problem)
        assert not (folder / "x").exists()
    assert [path for path in tmp_path.rglob("evil.nc") if not path.is_relative_to(folder / "x")] == []
    assert not Path("/evil.nc").exists()


@pytest.mark.parametrize("name", ["x.tgz", "x.zip"])
def test_damaged_archives(archive: Archive, tmp_path: Path, name: str) -> None:
    url = archive.put(f"/{name}", CONTENT)
    with pytest.raises(StoreProblem, match="expected an archive that can be unpacked, found a damaged"):
        quick(Access("http", files=(CatalogFile(url),), unpack=True), tmp_path)
    assert not (tmp_path / "x").exists()
    assert not list(tmp_path.glob(".unpacking*"))


# ------------------------------------------------------------------------------------------------- Zenodo
def zenodo_file(
    archive: Archive, key: str, *, content: bytes = CONTENT, path: str = "/content", sum_of: bytes | None = None
) -> dict:
    archive.put(path, content)
    told = md5(content if sum_of is None else sum_of)
    return {"key": key, "size": len(content), "checksum": f"md5:{told}", "links": {"self": archive.base + path}}


def from_zenodo(archive: Archive, folder: Path, body: object, **more):
    archive.put("/api/records/12706142", body if isinstance(body, bytes) else json.dumps(body).encode())
    match = more.pop("match", None)
    access = Access("zenodo", record="12706142", match=match)
    return quick(access, folder, endpoints=Endpoints(zenodo=archive.base + "/api/"), **more)


def test_zenodo_record(archive: Archive, tmp_path: Path) -> None:
    body = {
        "files": [zenodo_file(archive, "XCO2_201501.nc"), zenodo_file(archive, "readme.txt", path="/r", content=b"r")]
    }
    files = from_zenodo(archive, tmp_path, body)
    assert [(file.path.name, file.status, file.checksum) for file in files] == [
        ("XCO2_201501.nc", "fetched", "md5:" + md5(CONTENT)),
        ("readme.txt", "fetched", "md5:" + md5(b"r")),
    ]
    assert (tmp_path / "XCO2_201501.nc").read_bytes() == CONTENT
    assert [file.status for file in from_zenodo(archive, tmp_path, body)] == ["present", "present"]
    assert [file.path.name for file in from_zenodo(archive, tmp_path, body, match="*.txt")] == ["readme.txt"]


def test_zenodo_wrong_sum(archive: Archive, tmp_path: Path) -> None:
    body = {"files": [zenodo_file(archive, "a.nc", sum_of=b"other")]}
    with pytest.raises(StoreProblem, match="wrong md5 sum"):
        from_zenodo(archive, tmp_path, body)
    assert not (tmp_path / "a.nc").exists()


def test_zenodo_files_of_other_months_are_left_out(archive: Archive, tmp_path: Path) -> None:
    names = ["XCO2_201412.nc", "XCO2_201501.nc", "XCO2_2015-02.nc", "XCO2_20150301.nc", "notes.pdf"]
    body = {"files": [zenodo_file(archive, name) for name in names]}
    found = from_zenodo(archive, tmp_path, body, start="2015-01-15", end="2015-02")
    assert [file.path.name for file in found] == ["XCO2_201501.nc", "XCO2_2015-02.nc", "notes.pdf"]


def test_zenodo_hostile_names(archive: Archive, tmp_path: Path) -> None:
    body = {"files": [zenodo_file(archive, "../../x.nc"), zenodo_file(archive, "/etc/y.nc")]}
    files = from_zenodo(archive, tmp_path / "a" / "b" / "in", body)
    assert [file.path.relative_to(tmp_path / "a" / "b" / "in").as_posix() for file in files] == ["x.nc", "etc/y.nc"]
    assert {
        path.name for path in tmp_path.rglob("*.nc") if not path.is_relative_to(tmp_path / "a" / "b" / "in")
    } == set()


def test_zenodo_names_that_become_one(archive: Archive, tmp_path: Path) -> None:
    body = {"files": [zenodo_file(archive, "../x.nc"), zenodo_file(archive, "x.nc")]}
    with pytest.raises(StoreProblem, match=r"lists x\.nc twice"):
        from_zenodo(archive, tmp_path, body)


@pytest.mark.parametrize("body", [b"<html>", {"message": "gone"}, [], {"files": [{"key": 1}]}, {"files": None}])
def test_zenodo_answers_of_another_form(archive: Archive, tmp_path: Path, body: object) -> None:
    with pytest.raises(StoreProblem, match="in another form than expected"):
        from_zenodo(archive, tmp_path, body)


def test_zenodo_record_without_files(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(StoreProblem, match="has no files"):
        from_zenodo(archive, tmp_path, {"files": []})


def test_zenodo_is_busy_and_then_answers(archive: Archive, tmp_path: Path) -> None:
    waits: list[float] = []
    body = json.dumps({"files": [zenodo_file(archive, "a.nc")]}).encode()
    archive.put("/api/records/1", body, status(429, headers={"Retry-After": "5"}))
    quick(Access("zenodo", record="1"), tmp_path, endpoints=Endpoints(zenodo=archive.base + "/api"), sleep=waits.append)
    assert 5.0 in waits
    assert (tmp_path / "a.nc").exists()


# ------------------------------------------------------------------------------------------------- Pooch's repositories
def test_repository_through_pooch(archive: Archive, tmp_path: Path, monkeypatch) -> None:
    """The repository itself is outside this machine; what Pooch hands us is taken as it hands it."""

    class Repository:
        def populate_registry(self, registry) -> None:
            registry.registry["map_2015.nc"] = "md5:" + md5(CONTENT)

        def download_url(self, name: str) -> str:
            return archive.base + "/" + name

    archive.put("/map_2015.nc", CONTENT)
    for place in ("pooch.downloaders.doi_to_repository", "pooch.core.doi_to_repository"):
        monkeypatch.setattr(place, lambda doi, **more: Repository())
    files = quick(Access("pooch", doi="10.7910/DVN/4WDTD8"), tmp_path)
    assert [(file.path.name, file.status, file.checksum) for file in files] == [
        ("map_2015.nc", "fetched", "md5:" + md5(CONTENT))
    ]


def test_repository_that_pooch_cannot_read(tmp_path: Path, monkeypatch) -> None:
    def refuse(doi: str, **more):
        raise ValueError(f"Invalid data repository 'x' for DOI {doi}")

    monkeypatch.setattr("pooch.core.doi_to_repository", refuse)
    with pytest.raises(StoreProblem, match="cannot be listed"):
        quick(Access("pooch", doi="10.1/x"), tmp_path)


# ------------------------------------------------------------------------------------------------- NASA
OCO2 = Access("earthaccess", short_name="OCO2_L2_Lite_FP", version="11.2r")


def granule(url: str, **file_facts) -> dict:
    """A granule as NASA's search describes it."""
    from earthaccess.results import DataGranule

    name = url.rsplit("/", 1)[-1]
    umm = {
        "RelatedUrls": [
            {"URL": url, "Type": "GET DATA"},
            {"URL": "s3://bucket/x", "Type": "GET DATA VIA DIRECT ACCESS"},
        ],
        "DataGranule": {"ArchiveAndDistributionInformation": [{"Name": name} | file_facts]},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # earthaccess's own constructor uses what it deprecates
        return DataGranule({"meta": {"concept-id": "G1", "provider-id": "GES_DISC"}, "umm": umm}, cloud_hosted=True)


@pytest.fixture
def nasa(monkeypatch, archive: Archive) -> dict:
    """NASA's sign-in and search, which lie outside this machine, replaced where earthaccess would ask them."""
    import earthaccess
    import requests

    asked: dict = {"granules": []}

    class SignedIn:
        authenticated = True

        def get_session(self) -> requests.Session:
            session = requests.Session()
            session.headers["Authorization"] = "Bearer secret"
            return session

    def search_data(**query):
        asked["query"] = query
        return asked["granules"]

    monkeypatch.setattr(earthaccess, "login", lambda strategy: asked.setdefault("strategy", strategy) and SignedIn())
    monkeypatch.setattr(earthaccess, "search_data", search_data)
    return asked


def test_nasa_without_an_account(tmp_path: Path) -> None:
    """No network is asked: earthaccess finds neither netrc nor environment."""
    with pytest.raises(
        FetchStopped, match=r"free NASA Earthdata account, and none is set .* register at https://urs.*\.netrc"
    ):
        quick(OCO2, tmp_path)


def test_nasa_with_a_netrc_for_others(tmp_path: Path, no_account: Path) -> None:
    netrc = no_account / ".netrc"
    netrc.write_text("machine example.org login me password x\n")
    netrc.chmod(0o600)
    with pytest.raises(FetchStopped, match="none is set"):
        quick(OCO2, tmp_path)


def test_nasa_rejects_the_password(tmp_path: Path, monkeypatch) -> None:
    from earthaccess import Auth
    from requests import Response

    refusal = Response()
    refusal.status_code, refusal._content = 401, b"Invalid user credentials"
    monkeypatch.setattr(Auth, "_find_or_create_token", lambda self: refusal)
    monkeypatch.setenv("EARTHDATA_USERNAME", "me")
    monkeypatch.setenv("EARTHDATA_PASSWORD", "wrong")
    with pytest.raises(FetchStopped, match="does not accept the name and password in the environment variables"):
        quick(OCO2, tmp_path)


def test_nasa_query_and_files(archive: Archive, nasa: dict, tmp_path: Path) -> None:
    name = "oco2_LtCO2_200601_B11210Ar_240910224028s.nc4"
    url = archive.put(f"/{name}", CONTENT, serve(stop_after=20_000))
    nasa["granules"] = [granule(url, SizeInBytes=len(CONTENT), Checksum={"Value": md5(CONTENT), "Algorithm": "MD5"})]
    files = quick(OCO2, tmp_path, start="2020-06-01", end="2020-06", bbox="-82,37,-78,43")
    assert nasa["query"] == {
        "short_name": "OCO2_L2_Lite_FP",
        "version": "11.2r",
        "temporal": ("2020-06-01T00:00:00Z", "2020-06-30T23:59:59Z"),
        "bounding_box": (-82.0, 37.0, -78.0, 43.0),
    }
    assert nasa["strategy"] == "environment"
    assert [(file.path.name, file.status, file.checksum) for file in files] == [
        (name, "fetched", "md5:" + md5(CONTENT))
    ]
    assert files[0].path.read_bytes() == CONTENT
    assert all(seen.headers["authorization"] == "Bearer secret" for seen in archive.seen)
    assert len(archive.seen) == 2


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, None),
        ({"Checksum": {"Value": hashlib.sha256(CONTENT).hexdigest(), "Algorithm": "SHA-256"}}, "sha256:"),
        ({"Checksum": {"Value": "12345", "Algorithm": "CKSUM"}}, None),
        ({"Checksum": None, "SizeInBytes": len(CONTENT)}, None),
    ],
)
def test_nasa_sums_of_all_kinds(
    archive: Archive, nasa: dict, tmp_path: Path, facts: dict, expected: str | None
) -> None:
    nasa["granules"] = [granule(archive.put("/a.nc4", CONTENT), **facts)]
    file = quick(OCO2, tmp_path)[0]
    assert file.status == "fetched"
    assert file.checksum is None if expected is None else str(file.checksum).startswith(expected)


def test_nasa_wrong_sum(archive: Archive, nasa: dict, tmp_path: Path) -> None:
    nasa["granules"] = [granule(archive.put("/a.nc4", CONTENT), Checksum={"Value": "0" * 32, "Algorithm": "MD5"})]
    with pytest.raises(StoreProblem, match="wrong md5 sum"):
        quick(OCO2, tmp_path)


def test_nasa_wants_the_application_accepted(archive: Archive, nasa: dict, tmp_path: Path) -> None:
    nasa["granules"] = [granule(archive.put("/a.nc4", CONTENT, status(403)))]
    with pytest.raises(FetchStopped, match="accept the archive's application and licence in your profile"):
        quick(OCO2, tmp_path)


def test_nasa_finds_nothing_or_fails(nasa: dict, tmp_path: Path, monkeypatch) -> None:
    import earthaccess

    with pytest.raises(StoreProblem, match="has no files in 2020-06-01 to now"):
        quick(OCO2, tmp_path, start="2020-06")

    def broken(**query):
        raise RuntimeError("503 Service Unavailable")

    monkeypatch.setattr(earthaccess, "search_data", broken)
    with pytest.raises(StoreProblem, match="NASA's search does not answer"):
        quick(OCO2, tmp_path)


# ------------------------------------------------------------------------------------------------- cloud stores
@pytest.fixture
def bucket():
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.pipe_file("/gcgrid/2019/07/M.20190708.A1.nc4", CONTENT)
    filesystem.pipe_file("/gcgrid/2019/07/M.20190708.I3.nc4", CONTENT[::-1])
    yield filesystem
    filesystem.store.clear()


JULY = Access(
    "s3",
    step="day",
    variables=("A1", "I3"),
    paths=("/gcgrid/{year}/{month:02d}/M.{year}{month:02d}{day:02d}.{variable}.nc4",),
)
RECORD_2019 = (datetime.date(2019, 1, 1), datetime.date(2019, 12, 31))


def test_objects_of_a_bucket(bucket, tmp_path: Path) -> None:
    endpoints = Endpoints(filesystem=lambda method: bucket)
    files = quick(JULY, tmp_path, time=RECORD_2019, start="2019-07-08", end="2019-07-09", endpoints=endpoints)
    assert [(file.path.name, file.status) for file in files] == [
        ("M.20190708.A1.nc4", "fetched"),
        ("M.20190708.I3.nc4", "fetched"),
        ("M.20190709.A1.nc4", "failed"),
        ("M.20190709.I3.nc4", "failed"),
    ]
    assert "There is no /gcgrid/2019/07/M.20190709.A1.nc4" in files[2].message
    assert files[1].path.read_bytes() == CONTENT[::-1]
    again = quick(JULY, tmp_path, time=RECORD_2019, start="2019-07-08", end="2019-07-08", endpoints=endpoints)
    assert [file.status for file in again] == ["present", "present"]


def test_a_real_client_of_amazon_s3(archive: Archive, tmp_path: Path, monkeypatch) -> None:
    """s3fs itself, anonymous, against a server on this machine that speaks as much of S3 as is needed."""
    import s3fs

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    archive.extra_headers = {"Last-Modified": "Wed, 01 Jul 2020 12:00:00 GMT"}
    archive.put("/gcgrid/2019/07/M.20190708.A1.nc4", CONTENT)
    empty = b'<?xml version="1.0"?><ListBucketResult><Name>gcgrid</Name><KeyCount>0</KeyCount></ListBucketResult>'
    archive.put("/gcgrid", empty)
    client = s3fs.S3FileSystem(anon=True, endpoint_url=archive.base, skip_instance_cache=True)
    july = replace(JULY, paths=(JULY.paths[0].lstrip("/"),))
    files = quick(
        july,
        tmp_path,
        time=RECORD_2019,
        start="2019-07-08",
        end="2019-07-08",
        endpoints=Endpoints(filesystem=lambda method: client),
    )
    assert [file.status for file in files] == ["fetched", "failed"]
    assert files[0].path.read_bytes() == CONTENT
    assert files[0].checksum == "md5:" + md5(CONTENT)
    assert "There is no gcgrid/2019/07/M.20190708.I3.nc4" in files[1].message
    assert all("authorization" not in seen.headers for seen in archive.seen)


def test_clouds_are_asked_anonymously(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(fsspec, "filesystem", lambda protocol, **options: asked.append((protocol, options)))
    Endpoints().filesystem("s3")
    Endpoints().filesystem("gcs")
    assert asked == [("s3", {"anon": True}), ("gcs", {"token": "anon"})]


class BrokenBucket(fsspec.AbstractFileSystem):
    """A store whose connection breaks after each block until `patience` is used up."""

    def __init__(self, content: bytes, facts: dict, breaks: int) -> None:
        super().__init__()
        self.content, self.facts, self.breaks, self.asked = content, facts, breaks, []

    def info(self, path: str, **more) -> dict:
        return {"name": path, "type": "file", "size": len(self.content)} | self.facts

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **more) -> bytes:
        self.asked.append(start)
        if start and self.breaks:
            self.breaks -= 1
            raise OSError("Connection reset by peer")
        return self.content[start:end]


@pytest.mark.parametrize(
    "facts",
    [
        {"ETag": f'"{md5(CONTENT)}"'},
        {"ETag": f'"{md5(CONTENT)}-3"'},
        {"md5Hash": base64.b64encode(hashlib.md5(CONTENT).digest()).decode(), "etag": "CJ=="},
    ],
)
def test_broken_bucket_is_resumed(tmp_path: Path, monkeypatch, facts: dict) -> None:
    monkeypatch.setattr("data.fetching.cloud.BLOCK", 20_000)
    store = BrokenBucket(CONTENT, facts, breaks=2)
    access = Access("gcs", paths=("/b/a.nc",))
    file = quick(access, tmp_path, endpoints=Endpoints(filesystem=lambda method: store))[0]
    assert file.path.read_bytes() == CONTENT
    assert store.asked == [0, 20_000, 20_000, 20_000, 40_000]
    assert (file.checksum is None) == ("-3" in str(facts))


def test_bucket_with_wrong_sum_or_lost_tail(tmp_path: Path) -> None:
    store = BrokenBucket(CONTENT, {"ETag": f'"{"0" * 32}"'}, breaks=0)
    with pytest.raises(StoreProblem, match="wrong md5 sum"):
        quick(Access("s3", paths=("/b/a.nc",)), tmp_path, endpoints=Endpoints(filesystem=lambda method: store))
    short = BrokenBucket(CONTENT, {"size": len(CONTENT) + 1}, breaks=0)
    with pytest.raises(StoreProblem, match="does not deliver"):
        quick(Access("s3", paths=("/b/b.nc",)), tmp_path, endpoints=Endpoints(filesystem=lambda method: short))
    assert not (tmp_path / "a.nc").exists()
    assert not (tmp_path / "b.nc").exists()


def test_private_bucket(tmp_path: Path) -> None:
    class Private(BrokenBucket):
        def info(self, path: str, **more) -> dict:
            raise PermissionError("Access Denied")

    with pytest.raises(FetchStopped, match="is not open to everyone"):
        quick(
            Access("s3", paths=("/b/a.nc",)),
            tmp_path,
            endpoints=Endpoints(filesystem=lambda method: Private(b"", {}, 0)),
        )


# ------------------------------------------------------------------------------------------------- a store that is cut
@pytest.fixture
def era5(tmp_path: Path):
    """A small zarr store with ERA5's layout: longitudes 0..360, latitudes from north to south, hours."""
    time = np.arange("2020-01-01", "2020-01-04", np.timedelta64(6, "h"), dtype="datetime64[ns]")
    lat, lon = np.arange(90, -91, -30.0), np.arange(0, 360, 30.0)
    values = np.random.default_rng(1).normal(size=(time.size, lat.size, lon.size)).astype("float32")
    dataset = xr.Dataset(
        {name: (("time", "latitude", "longitude"), values + number) for number, name in enumerate(("u", "v", "other"))},
        coords={"time": time, "latitude": lat, "longitude": lon},
        attrs={"valid_time_stop": "2020-01-02"},
    )
    dataset.to_zarr(tmp_path / "store.zarr", consolidated=True, zarr_format=2)
    return dataset


def cut(tmp_path: Path, **more):
    access = Access("gcs", zarr=str(tmp_path / "store.zarr"), variables=("u", "v"))
    endpoints = Endpoints(filesystem=lambda method: fsspec.filesystem("file"))
    return quick(access, tmp_path / "out", time=(datetime.date(1940, 1, 1), None), endpoints=endpoints, **more)


def test_days_and_box_are_cut_out_of_a_store(era5: xr.Dataset, tmp_path: Path) -> None:
    files = cut(tmp_path, start="2020-01-01", end="2020-01-02", bbox="-40,-35,40,35")
    assert [(file.path.name, file.status) for file in files] == [
        ("set_20200101_-40_-35_40_35.nc", "fetched"),
        ("set_20200102_-40_-35_40_35.nc", "fetched"),
    ]
    with xr.open_dataset(files[1].path) as part:
        assert sorted(part) == ["u", "v"]
        assert part["lon"].values.tolist() == [0, 30, 330]
        assert part["lat"].values.tolist() == [30, 0, -30]
        assert part.sizes["time"] == 4
        expected = era5["v"].sel(time="2020-01-02").sel(latitude=[30, 0, -30], longitude=[0, 30, 330]).to_numpy()
        np.testing.assert_array_equal(part["v"].to_numpy(), expected)
        assert part.attrs["catalog"] == "set"
    assert [file.status for file in cut(tmp_path, start="2020-01-01", end="2020-01-02", bbox="-40,-35,40,35")] == [
        "present"
    ] * 2
    assert not list((tmp_path / "out").glob("*.part"))


def test_days_that_are_not_there_yet(era5: xr.Dataset, tmp_path: Path) -> None:
    files = cut(tmp_path, start="2020-01-02", end="2020-01-03")
    assert [file.status for file in files] == ["fetched", "failed"]
    assert "has no 2020-01-03 yet" in files[1].message


def test_store_is_not_fetched_whole(era5: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(StoreProblem, match="too large to fetch whole; give the first and last day"):
        cut(tmp_path, start="2020-01-01")
    with pytest.raises(StoreProblem, match="No cell centre"):
        cut(tmp_path, start="2020-01-01", end="2020-01-01", bbox="1,1,2,2")


def test_store_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreProblem, match="cannot be opened at"):
        cut(tmp_path, start="2020-01-01", end="2020-01-01")


# ------------------------------------------------------------------------------------------------- by hand
def test_manual_data_sets_say_where_to_go_and_where_to_put_the_files(no_account: Path) -> None:
    with pytest.raises(StoreProblem) as caught:
        fetch("gosat-l2")
    words = str(caught.value)
    assert "https://data2.gosat.nies.go.jp" in words
    assert (
        f"put the files into {no_account / 'data' / 'downloads' / 'gosat-l2'} and run `carbonweather data import"
        in words
    )
    with pytest.raises(StoreProblem, match="run `carbonweather demo`"):
        fetch("demo")


def test_every_entry_can_be_planned_or_says_what_to_do() -> None:
    """No entry of the catalogue leads to anything but a plan or a sentence; nothing asks a network here."""
    asks_network = {"zenodo", "pooch"}
    for entry in load():
        if entry.access.method in asks_network or entry.access.checksums:
            continue
        try:
            made = plan(entry.name, start="2020-06-01", end="2020-06-02") if entry.coverage.time else plan(entry.name)
        except StoreProblem as problem:
            assert str(problem).endswith(".")
            assert entry.access.method in ("manual", "earthaccess") or "covers" in str(problem)
        else:
            assert made.count >= 1
            assert all("{" not in file.url for file in made.files)


# ------------------------------------------------------------------------------------------------- command line
@pytest.fixture
def commands() -> click.Group:
    return click.Group(commands=[list_command, fetch_command])


def run(commands: click.Group, *arguments: str, **more):
    return CliRunner().invoke(commands, list(arguments), **more)


def test_list(commands: click.Group, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = run(commands, "list")
    assert result.exit_code == 0
    assert all(entry.name in result.output for entry in load())
    assert "NASA Earthdata (account)" in result.output
    assert f"{len(load())} data sets." in result.output
    found = run(commands, "list", "--search", "fluorescence")
    assert "oco3-sif-lite" in found.output
    assert "odiac" not in found.output
    assert "No data set has all of these words: qqq." in run(commands, "list", "--search", "qqq").output


def test_list_one(commands: click.Group) -> None:
    result = run(commands, "list", "odiac")
    assert "https://doi.org/10.17595/20170411.001" in result.output
    assert "Cite as" in result.output
    assert isinstance(run(commands, "list", "odiacs").exception, StoreProblem)


def test_list_as_json(commands: click.Group) -> None:
    everything = json.loads(run(commands, "list", "--json").output)
    assert {each["name"] for each in everything} == {entry.name for entry in load()}
    one = json.loads(run(commands, "list", "oco2-lite", "--json").output)
    assert one["access"]["short_name"] == "OCO2_L2_Lite_FP"
    assert one["coverage"]["time"] == ["2014-09-06", None]


@pytest.fixture
def as_catalogue(monkeypatch):
    """The program's catalogue replaced by one with a single entry."""

    def replace(access: Access) -> None:
        monkeypatch.setattr("data.fetch.load", lambda: catalogue(access))

    return replace


def test_fetch_from_the_command_line(commands: click.Group, as_catalogue, archive: Archive, tmp_path: Path) -> None:
    url = archive.put("/a.nc", CONTENT)
    as_catalogue(Access("http", files=(CatalogFile(url, size=len(CONTENT), checksum="md5:" + md5(CONTENT)),)))
    result = run(commands, "fetch", "set", "--to", str(tmp_path / "in"), "--bbox", "0,0,1,1")
    assert result.exit_code == 0, result.output
    assert "A data set: 1 file, 50.0 kB, to " in result.output
    assert "the box is not applied" in result.output
    assert "a.nc (50.0 kB, md5 sum right)" in result.output
    assert "carbonweather data import" in result.output
    assert "Cite as: Somebody (2020)" in result.output
    assert (tmp_path / "in" / "a.nc").read_bytes() == CONTENT
    assert "1 already there" in run(commands, "fetch", "set", "--to", str(tmp_path / "in")).output


def test_large_fetches_are_asked_about(commands: click.Group, as_catalogue, archive: Archive, tmp_path: Path) -> None:
    as_catalogue(Access("http", step="day", urls=(archive.base + "/a{month}-{day}.nc",)))
    refused = run(commands, "fetch", "set", "--to", str(tmp_path / "in"), input="n\n")
    assert refused.exit_code == 1
    assert "366 files" in refused.output
    assert archive.seen == []
    few = run(commands, "fetch", "set", "--to", str(tmp_path / "in"), "--start", "2020-01-01", "--end", "2020-01-02")
    assert few.exit_code == 1
    assert few.output.count("failed: ") == 2
    assert "Cite as" not in few.output


def test_wrong_words_are_one_sentence(commands: click.Group, as_catalogue, archive: Archive, tmp_path: Path) -> None:
    as_catalogue(Access("http", files=(CatalogFile(archive.base + "/a.nc"),)))
    for arguments, words in (
        (["--start", "soon"], "'soon' is not a day"),
        (["--end", "2020-99"], "'2020-99' is not a day"),
        (["--bbox", "1,2"], "'1,2' is not a box"),
    ):
        problem = run(commands, "fetch", "set", *arguments).exception
        assert isinstance(problem, StoreProblem)
        assert str(problem).startswith(words)
        assert "\n" not in str(problem)
    assert archive.seen == []


def test_what_a_plan_tells(archive: Archive, tmp_path: Path) -> None:
    sized = Access(
        "http", files=(CatalogFile(archive.base + "/a.nc", size=3), CatalogFile(archive.base + "/b.nc", size=4))
    )
    made = plan("set", catalog=catalogue(sized), destination=tmp_path)
    assert (made.count, made.total, made.uses_box, made.folder) == (2, 7, False, tmp_path)
    with pytest.raises(StoreProblem):
        plan("other", catalog=catalogue(sized))
    assert [file.status for file in carry_out(made)] == ["failed", "failed"]
    assert sorted(os.listdir(tmp_path)) == [".fetch.lock", "home"]
