"""The server's half of the Data page: what it tells the browser, what it does when asked, and what it refuses."""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import json
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from tornado.httpserver import HTTPServer
from tornado.web import Application

from dashboard import data_page, data_upload
from dashboard.atmosphere_page import AtmospherePage
from dashboard.data_facts import Facts, access_of, catalogue_json, explore_months, facts_of, verification_json
from dashboard.data_page import DataPage, fetch_arguments
from dashboard.data_tasks import Task, Tasks, tasks_of
from dashboard.data_upload import TOKEN, UploadHandler, upload_pattern
from dashboard.library import Library
from data.catalog import load
from data.errors import StoreProblem
from data.home import cubes_dir, soundings_dir, volumes_dir
from data.readers import read
from data.soundings import SoundingArchive
from data.volumes import VolumeStore
from tests.data.cube_examples import SMALL, make_cube, maps
from tests.data.folder_examples import KEYS, fill
from tests.data.level_files import level_file
from tests.data.sounding_examples import product


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(fill(tmp_path / "home"))
    yield made
    tasks_of(made).close()


def wait_for(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


# ----------------------------------------------------------------------------------------------------------------- facts


def test_the_catalogue_tells_of_every_data_set_how_it_is_obtained(monkeypatch, tmp_path):
    for name in ("EARTHDATA_TOKEN", "EARTHDATA_USERNAME", "EARTHDATA_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    entries = {entry["name"]: entry for entry in json.loads(catalogue_json())["entries"]}
    assert entries.keys() == load().entries.keys()
    assert {entry["access"] for entry in entries.values()} == {"open", "account", "hand", "made"}
    assert "NASA Earthdata account" in entries["oco2-lite"]["missing"] and entries["carbon-monitor"]["missing"] == ""
    (tmp_path / "netrc").write_text("machine urs.earthdata.nasa.gov login someone password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    text = catalogue_json()
    assert json.loads(text)["entries"][0]["missing"] == "" and "secret" not in text
    assert access_of(load().entry("demo")) == "made"


def test_holdings_are_read_again_only_where_something_changed(library, monkeypatch):
    facts = Facts(library)
    looks: list[int] = []
    read = facts._to_json
    monkeypatch.setattr(facts, "_to_json", lambda listing: looks.append(1) or read(listing))
    first = facts.refresh()
    assert facts.refresh() is first and looks == [1]
    assert [item["key"] for item in json.loads(first)["items"]] == KEYS
    make_cube(cubes_dir(library.root) / "second", maps(SMALL, 2))
    second = json.loads(facts.refresh())
    assert looks == [1, 1] and second["totals"]["maps"] == 5
    items = {item["key"]: item for item in second["items"]}
    assert items["cube:second"]["open"] == "./?cube=second"
    assert items["soundings:OCO-2/oco2-lite"]["analyse"] == "./runs?new=aggregate&instrument=OCO-2"
    assert all(item["cite"] and item["consequence"] for item in items.values())


def test_an_archive_elsewhere_is_watched_too(tmp_path, monkeypatch):
    elsewhere = tmp_path / "shared" / "soundings"
    monkeypatch.setenv("CARBONWEATHER_SOUNDINGS", str(elsewhere))
    library = Library(tmp_path / "home")
    facts = Facts(library)
    assert json.loads(facts.refresh())["items"] == []
    SoundingArchive(elsewhere).append(product(range(10)))
    assert [item["key"] for item in json.loads(facts.refresh())["items"]] == ["soundings:OCO-2/oco2-lite"]
    (elsewhere / "manifest.json").write_text("{broken")
    assert "damaged" in json.loads(facts.refresh())["problems"][0]


def test_what_lies_on_levels_is_opened_where_it_is_shown(tmp_path):
    level_file(tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc")
    VolumeStore(volumes_dir(tmp_path)).append(read(tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc"))
    (item,) = json.loads(Facts(library := Library(tmp_path)).refresh())["items"]
    page = AtmospherePage(library, item["open"].removeprefix("./atmosphere?"))
    page.main()
    page.poll()
    assert page.state.volume == item["name"] and not page.notice.visible


def test_the_calendar_counts_every_day_and_links_the_months_that_a_map_covers(library):
    facts = Facts(library)
    told = json.loads(facts.coverage_json())
    by_name = {each["name"]: each for each in told["instruments"]}
    assert by_name["OCO-2"]["first"] == "2019-03-31" and by_name["OCO-2"]["counts"] == [100]
    assert by_name["GOSAT"]["total"] == 60 and by_name["GOSAT"]["simulated"]
    assert facts.coverage_json() is facts.coverage_json()
    assert told["months"] == explore_months(library)
    assert list(told["months"]) == ["2015-01", "2015-02", "2015-03"]
    assert told["months"]["2015-02"] == "./?cube=growing&time=2015-02&layers=coastlines,borders,soundings"
    later = product(range(10), name="b.nc4", start=np.datetime64("2019-04-05T00:00", "ns"))
    SoundingArchive(soundings_dir(library.root)).append(later)
    again = {each["name"]: each for each in json.loads(facts.coverage_json())["instruments"]}
    assert again["OCO-2"]["counts"] == [100, 0, 0, 0, 0, 10] and again["OCO-2"]["days"] == 2


def test_where_tells_the_counts_of_an_instrument_and_a_year(library):
    facts = Facts(library)
    told = json.loads(facts.where_json("OCO-2", 2019))
    counts = np.frombuffer(base64.b64decode(told["counts"]), dtype="<f4").reshape(180, 360)
    assert counts.sum() == told["total"] == 100 and told["most"] == counts.max() and told["years"] == [2019]
    assert json.loads(facts.where_json("", None))["total"] == 160
    assert json.loads(facts.where_json("Hubble", 1990))["total"] == 0
    assert (library.root / "cache" / "soundings-density.npz").exists()


def test_facts_and_tasks_belong_to_the_library_and_go_with_it(tmp_path):
    made = Library(fill(tmp_path))
    facts, tasks = facts_of(made), tasks_of(made)
    assert facts_of(made) is facts and tasks_of(made) is tasks and tasks_of(Library(tmp_path)) is not tasks
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None
    tasks.close()


@pytest.mark.parametrize("content", ["", "[]", "{broken", '{"findings": 3}'])
def test_a_damaged_verification_counts_as_none(tmp_path, content):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "verification.json").write_text(content)
    assert verification_json(tmp_path) == "{}"


# ----------------------------------------------------------------------------------------------------------------- tasks


def test_a_verification_runs_as_a_process_and_its_findings_are_kept(library):
    page, tasks = DataPage(library), tasks_of(library)
    page._message({"kind": "verify", "key": ""})
    task = tasks.newest("verify")
    assert task is not None and task.arguments == ("data", "verify", "--json", "--progress")
    page._message({"kind": "verify", "key": ""})
    assert "at work already" in json.loads(page.view.notice)["text"] and tasks.newest("verify") is task
    wait_for(lambda: tasks.finished == 1)
    assert task.state == "done" and task.done == task.total > 5
    kept = json.loads(verification_json(library.root))
    assert kept["findings"] == task.rows and kept["finished"]
    page._looked = 0.0
    page.poll()
    assert json.loads(page.view.verification) == kept
    assert json.loads(page.view.tasks)["items"][0]["state"] == "done"


def test_findings_of_one_thing_take_the_place_of_what_was_known_of_it(tmp_path):
    def verified(subject: str, *texts: str) -> list[str]:
        rows = [{"problem": False, "text": text, "sort": "gap", "item": text.split()[0]} for text in texts]
        data_page._keep_verification(tmp_path, Task(1, "verify", "", subject, (), rows=rows), subject)
        return [found["text"] for found in json.loads(verification_json(tmp_path))["findings"]]

    assert verified("", "a one", "b two") == ["a one", "b two"]
    assert verified("a", "a three") == ["b two", "a three"]
    assert verified("b") == ["a three"]


def test_a_task_that_fails_says_why_in_one_sentence(library):
    tasks = tasks_of(library)
    task = tasks.start("verify", "Verifying nothing", ["data", "verify", "no-such-thing", "--json"])
    again = tasks.start("verify", "Verifying nothing", ["data", "verify", "no-such-thing", "--json"])
    assert again is task
    wait_for(lambda: tasks.finished == 1)
    assert task.state == "failed" and task.error.startswith("There is no 'no-such-thing' in the data folder")
    tasks.dismiss(task.number)
    assert tasks.shown() == []


def test_tasks_wait_for_their_turn_and_can_be_stopped(library, monkeypatch):
    import subprocess
    import sys

    def sleeper(_arguments):
        script = (
            "import json, time; print(json.dumps({'done': 1, 'total': 4, 'label': 'x'}), flush=True); time.sleep(600)"
        )
        return subprocess.Popen([sys.executable, "-c", script], stdout=-1, stderr=-1, text=True)

    monkeypatch.setattr("dashboard.data_tasks._launch", sleeper)
    tasks, ended = tasks_of(library), []
    made = [
        tasks.start("import", str(n), ["x", str(n)], on_end=lambda task: ended.append(task.number)) for n in range(3)
    ]
    wait_for(lambda: [task.state for task in made] == ["running", "running", "waiting"] and made[0].done == 1)
    assert tasks.shown()[-1]["fraction"] == 0.25
    tasks.dismiss(made[0].number)  # at work: it stays on the list
    tasks.stop(made[2].number)
    tasks.stop(made[0].number)
    wait_for(lambda: len(ended) == 2)
    assert [task.state for task in made] == ["stopped", "running", "stopped"] and len(tasks.shown()) == 3
    tasks.close()
    wait_for(lambda: len(ended) == 3)


def test_lines_that_are_no_words_of_ours_are_passed_over(tmp_path):
    tasks, task = Tasks(tmp_path), Task(1, "import", "", "", ())
    for line in (
        "garbage",
        "[1, 2]",
        "null",
        '{"done": 1, "total": 0, "label": 3}',
        '{"name": "a", "status": "imported"}',
    ):
        tasks._hear(task, line)
    assert (task.total, task.label, task.counts) == (1.0, "3", {"imported": 1})
    tasks.close()


# ------------------------------------------------------------------------------------------------------------------ page


def told(page: DataPage) -> str:
    return str(json.loads(page.view.notice).get("text", ""))


def test_removal_tells_what_went_and_the_list_follows(library):
    page = DataPage(library)
    page.poll()
    page._message({"kind": "remove", "key": "cube:growing"})
    assert told(page) == "Removed An example: 3 maps, " + told(page).rsplit(", ", 1)[1]
    page._looked = 0.0
    page.poll()
    assert "cube:growing" not in [item["key"] for item in json.loads(page.view.here)["items"]]
    page._message({"kind": "remove", "key": "cube:growing"})
    assert "There is no 'cube:growing'" in told(page)


def test_citations_of_what_is_asked_and_of_nothing_else(library):
    page = DataPage(library)
    page._message({"kind": "cite", "keys": ["table:carbon-monitor", "gone"], "entries": ["oco2-lite", "nonsense"]})
    said = json.loads(page.view.citation)
    assert said["count"] == 2 and "10.5067/70K2B2W8MNGY" in said["text"] and said["bibtex"].count("@misc") == 2


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "unknown"},
        {"kind": "stop", "number": "x"},
        {"kind": "stop"},
        {"kind": "dismiss", "number": None},
        {"kind": "where"},
        {"kind": "where", "instrument": ["x"], "year": "; DROP TABLE"},
        {"kind": "cite", "keys": None},
        {"kind": "remove"},
        {"kind": "remove", "key": "../../etc"},
        {"kind": "verify", "key": "--home=/"},
        {"kind": "fetch"},
        {"kind": "fetch", "name": "--help"},
        {"kind": "fetch", "name": "oco2-lite", "start": "--to=/etc"},
        {"kind": "fetch", "name": "oco2-lite", "box": ["--to", "/etc", "1", "2"]},
    ],
)
def test_hostile_messages_change_nothing(library, message):
    page = DataPage(library)
    page._message(message)
    assert tasks_of(library).shown() == []
    assert [item["key"] for item in json.loads(page.facts.refresh())["items"]] == KEYS
    page.view._handle_msg("no object")
    page.view._handle_msg({"kind": 3})


def test_a_fetch_is_started_with_what_was_typed():
    box = ["-82", "37", "-78", "43"]
    asked = {"name": "oco2-lite", "start": "2020-06", "end": "2020-06-15", "box": box}
    assert fetch_arguments(asked) == [
        *("data", "fetch", "oco2-lite", "--json"),
        *("--start=2020-06", "--end=2020-06-15", "--bbox=-82,37,-78,43"),
    ]
    assert fetch_arguments({"name": "carbon-monitor", "start": " ", "box": ["", "", "", ""]})[-1] == "--json"


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"start": "yesterday"}, "'yesterday' is not a day"),
        ({"start": "2021", "end": "2020"}, "comes after the last"),
        ({"box": ["1", "2", "", "3"]}, "needs all four edges"),
        ({"box": ["1", "50", "2", "40"]}, "is not a box on the globe"),
        ({"box": ["west", "0", "1", "2"]}, "is not a box"),
        ({"name": "oco4-lite"}, "no data set named"),
    ],
)
def test_a_form_that_says_nothing_sensible_is_answered_in_a_sentence(facts, sentence):
    with pytest.raises(StoreProblem, match=sentence) as caught:
        fetch_arguments({"name": "oco2-lite", **facts})
    assert str(caught.value).endswith((".", "?"))


def test_polling_costs_nothing_where_nothing_changes_and_a_page_can_be_forgotten(library):
    page = DataPage(library)
    page.poll()
    page._looked = time.monotonic()
    before = page.view.tasks, page.view.here
    for _ in range(50):
        page.poll()
    assert (page.view.tasks, page.view.here) == before
    gone = weakref.ref(page)
    del page
    gc.collect()
    assert gone() is None


# ---------------------------------------------------------------------------------------------------------------- upload


@pytest.fixture
def address(library: Library) -> Iterator[str]:
    """The upload route of a server of its own."""
    loop, started, found = asyncio.new_event_loop(), threading.Event(), []

    async def serve() -> None:
        server = HTTPServer(Application([upload_pattern(library)]))
        server.listen(0, "127.0.0.1")
        found.extend([server, next(iter(server._sockets.values())).getsockname()[1]])
        started.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    started.wait(20)
    yield f"http://127.0.0.1:{found[1]}/data/upload"
    loop.call_soon_threadsafe(found[0].stop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
    assert UploadHandler.receiving == 0


def send(address: str, content: Any, name: str = "a.csv", token: str = TOKEN, **headers: str) -> requests.Response:
    return requests.post(
        address, data=content, headers={"X-Carbonweather-Token": token, "X-File-Name": name, **headers}, timeout=60
    )


def uploads(library: Library) -> list[Path]:
    # os.walk passes over folders that the server removes meanwhile
    return [Path(folder, name) for folder, _, names in os.walk(library.root / "uploads") for name in names]


def test_a_file_is_received_imported_and_deleted(library, address, real: Path):
    source = next((real / "surface" / "noaa_trends").glob("*mm-mlo*"))
    content = source.read_bytes()
    answer = send(address, content, source.name)
    assert answer.status_code == 200 and answer.json()["name"] == source.name
    tasks = tasks_of(library)
    wait_for(lambda: tasks.finished == 1)
    (task,) = tasks.shown()
    assert task["state"] == "done" and task["rows"][0]["status"] == "imported" and uploads(library) == []
    assert "table:noaa-trends-mm-mlo" in Facts(library).refresh()


@pytest.mark.parametrize(
    ("content", "name", "status", "words"),
    [
        (b"MZ" + b"\0" * 5000, "good.nc", 415, "found a Windows program; nothing was kept"),
        (b"#!/bin/sh\n", "x.sh", 415, "found a script"),
        (b"\0\1\2" * 900, "x.nc", 415, "content of no kind that this program reads"),
        (b"", "empty.nc", 415, "an empty file"),
        (b"a" * 3_000_000, "large.csv", 413, "are taken at most"),
    ],
)
def test_what_is_no_data_or_too_much_is_refused_in_a_sentence(
    library, address, monkeypatch, content, name, status, words
):
    monkeypatch.setenv("CARBONWEATHER_UPLOAD_MB", "2")
    answer = send(address, content, name)
    assert answer.status_code == status and words in answer.json()["error"] and answer.json()["error"].endswith(".")
    assert tasks_of(library).shown() == []
    wait_for(lambda: uploads(library) == [])


def test_only_pages_of_this_server_may_send_and_only_with_a_size(library, address):
    assert send(address, b"1,2", token="guess").status_code == 403
    assert send(address, b"1,2", token="").status_code == 403
    assert send(address, iter([b"1,2\n", b"3,4\n"])).status_code == 411  # chunked, of unknown length
    assert requests.get(address, timeout=30).status_code == 405
    assert requests.options(address, timeout=30).status_code == 405
    assert uploads(library) == [] and tasks_of(library).shown() == []


def test_no_more_files_at_once_than_the_server_can_bear(library, address, monkeypatch):
    monkeypatch.setattr(data_upload, "AT_ONCE", 0)
    answer = send(address, b"1,2\n3,4\n")
    assert answer.status_code == 503 and "try again in a moment" in answer.json()["error"]


def test_a_full_disk_is_said_and_leaves_nothing(library, address, monkeypatch):
    monkeypatch.setattr("data.uploads.SPARE_BYTES", 10**18)
    answer = send(address, b"1,2\n3,4\n")
    assert answer.status_code == 507 and "make room first" in answer.json()["error"] and uploads(library) == []


def test_a_visitor_who_leaves_in_the_middle_leaves_nothing(library, address):
    import socket

    host, port = address.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        head = f"POST /data/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\nX-Carbonweather-Token: {TOKEN}\r\n"
        line.sendall(head.encode() + b"X-File-Name: a.csv\r\n\r\n" + b"1,2\n" * 5000)
        wait_for(lambda: len(uploads(library)) == 1)
    wait_for(lambda: uploads(library) == [] and UploadHandler.receiving == 0)
    assert tasks_of(library).shown() == []


def test_hostile_names_stay_labels(library, address, monkeypatch):
    started: list[list[str]] = []
    tasks = tasks_of(library)

    def start(_kind, title, arguments, *, subject, on_end):
        started.append(arguments)
        task = Task(1, "import", title, subject, tuple(arguments))
        on_end(task)
        return task

    monkeypatch.setattr(tasks, "start", start)
    for name in ("..%2F..%2Fetc%2Fpasswd", "%00%0A.csv", "--home%3D%2F", "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"):
        answer = send(address, b"1,2\n3,4\n", name)
        path = Path(started[-1][2])
        assert answer.status_code == 200 and path.is_absolute() and path.parent.parent == library.root / "uploads"
        assert not path.name.startswith((".", "/")) and "<" not in path.name and "\n" not in path.name
    wait_for(lambda: uploads(library) == [])


def test_a_large_file_goes_to_the_disk_in_pieces(library, address, monkeypatch):
    received: list[bytes] = []
    tasks = tasks_of(library)

    def start(_kind, _title, arguments, *, subject, on_end):
        received.append(Path(arguments[2]).read_bytes())
        on_end(None)
        return Task(7, "import", "", subject, ())

    monkeypatch.setattr(tasks, "start", start)
    content = gzip.compress(os.urandom(12_000_000), 1)
    assert send(address, content, "big.csv.gz").json() == {"task": 7, "name": "big.csv.gz"}
    assert received == [content]
