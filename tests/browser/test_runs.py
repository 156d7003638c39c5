"""The Runs page in a real Chromium: runs are started, watched, stopped, compared and opened, and the server stays quick meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data.home import cubes_dir, runs_dir
from data.runs import RunStore
from tests.analysis.sounding_archives import fill
from tests.browser.dashboard_server import served
from tests.browser.loop_recorder import LONG_SECONDS
from tests.browser.watching import watch
from tests.dashboard.run_examples import SERIES, done
from tests.dashboard.run_kind_for_pages import ENVIRONMENT
from tests.data.cube_examples import SMALL, make_cube, maps

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PATIENCE_MS = 120_000
"""For what waits for a Dask cluster to start on a busy machine."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a small archive of soundings."""
    folder = tmp_path_factory.mktemp("runs") / "home"
    folder.mkdir()
    fill(folder, files=2, count=300)
    return folder


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        program = ("tests.browser.loop_recorder", str(record_of(home)))
        with served(home, "--no-demo", program=program) as url:
            yield url + "runs"


def record_of(home: Path) -> Path:
    return home.parent / "loop.json"


@pytest.fixture
def watched(page: Page) -> Iterator[Page]:
    yield from watch(page)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def query(page: Page) -> str:
    return page.evaluate("decodeURIComponent(window.location.search)")


def state(page: Page, name: str, patience_ms: int = PATIENCE_MS) -> None:
    """Wait until the run on screen is in this state."""
    page.locator(f".run .chip.{name}").wait_for(timeout=patience_ms)


def test_the_server_stays_quick_while_runs_keep_both_cores_busy(
    watched: Page, browser: Browser, address: str, home: Path
) -> None:
    """Two visitors watch, type, cancel and resume; no callback of the event loop takes long, and none touches the disk.

    The first of these tests, so that nobody is on another page of this server.
    """
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    other = browser.new_page()
    try:
        watched.goto(address + "?new=pages&months=200&pace=0.1&busy=true&title=Busy")
        other.goto(address)
        other.get_by_role("heading", name="No runs yet").wait_for()
        watched.get_by_role("button", name="Start", exact=True).wait_for()
        time.sleep(1.0)
        since = time.time()
        press(watched, "Start")
        watched.get_by_role("heading", name="Busy").wait_for()
        watched.locator(".run .numbers").get_by_text(re.compile(r"Drawing: [1-9]")).wait_for(timeout=PATIENCE_MS)
        other.get_by_role("link", name="Busy").click()
        other.locator(".run .numbers").get_by_text(re.compile(r"Drawing: [1-9]")).wait_for(timeout=PATIENCE_MS)
        other.locator(".run").get_by_text("months/s").first.wait_for()
        press(other, "Copy settings")
        for months in ("10", "20", "30"):
            other.get_by_label("Months").fill(months)
            other.get_by_text(f"{months} months: about {int(months) // 10} s.").wait_for()
        other.get_by_role("button", name="Close").click()
        press(watched, "Pause")
        state(watched, "paused")
        press(watched, "Resume")
        watched.locator(".run .chip.paused").wait_for(state="hidden")
        press(watched, "Cancel")
        state(watched, "cancelled")
        other.get_by_role("row", name=re.compile("Cancelled.*Busy")).wait_for()
        time.sleep(0.8)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
        other.close()
    record = json.loads(record_of(home).read_text())
    assert record["callbacks"] > 200
    assert [each for each in record["opened"] if each["at"] >= since] == []
    assert [each for each in record["long"] if each["at"] >= since] == [], (
        f"longer than {LONG_SECONDS} s of processor time"
    )


def test_a_run_from_the_form_to_the_map(watched: Page, address: str, home: Path) -> None:
    watched.goto(address)
    press(watched, "New run")
    watched.get_by_role("radio", name=re.compile("^Aggregate")).check()
    watched.get_by_label("Title").fill("Means of two files")
    watched.get_by_label("Cell size").fill("many")
    watched.get_by_text("'many' is not a number.").wait_for()
    watched.get_by_label("Cell size").fill("10")
    watched.get_by_text("'many' is not a number.").wait_for(state="hidden")
    watched.get_by_label("map", exact=True).check()
    watched.get_by_role("status", name="Expected cost").get_by_text("Memory").wait_for()
    watched.wait_for_function("window.location.search.includes('outputs=map')")
    press(watched, "Start")
    watched.get_by_role("heading", name="Means of two files").wait_for()
    state(watched, "done")
    run = RunStore(runs_dir(home)).list()[0]
    assert query(watched) == f"?run={run.id}"
    assert (run.title, run.settings["cell_size"]) == ("Means of two files", 10)
    watched.locator(".plot canvas").first.wait_for(state="attached")
    with watched.expect_download() as download:
        watched.get_by_role("link", name="Download").first.click()
    assert Path(download.value.path()).read_bytes() == (run.results_folder / "series.csv").read_bytes()
    watched.get_by_role("link", name="Open").first.click()
    watched.wait_for_url(re.compile(r"/\?cube="))
    watched.wait_for_function("Number(document.documentElement.dataset.painted || 0) > 0", timeout=60_000)


def test_two_runs_are_compared_and_one_is_deleted(watched: Page, address: str, home: Path) -> None:
    first = done(home, title="Coarse", settings={"months": 3, "pace": 0.0}, scores={"bias": 2.0})
    second = done(home, title="Fine", settings={"months": 30, "pace": 0.0}, scores={"bias": 1.0})
    watched.goto(address)
    watched.get_by_label("Compare Coarse").check()
    watched.get_by_label("Compare Fine").check()
    press(watched, "Compare")
    watched.get_by_role("heading", name="Two runs side by side").wait_for()
    assert query(watched) == f"?compare={first.id},{second.id}"
    rows = watched.get_by_role("table", name="Settings").locator("tbody tr")
    assert rows.count() == 2
    assert "+27 (+900 %)" in rows.nth(0).inner_text()
    watched.get_by_label("Only what differs").check()
    assert rows.count() == 1
    watched.get_by_role("table", name="Scores").get_by_text("−1 (−50 %)").wait_for()
    watched.go_back()
    watched.get_by_role("heading", name="Two runs side by side").wait_for(state="hidden")
    watched.get_by_role("link", name="Fine").click()
    state(watched, "done")
    watched.locator(".plot canvas").first.wait_for(state="attached")
    press(watched, "Delete")
    watched.get_by_text("“Fine” is removed").wait_for()
    press(watched, "Keep it")
    assert second.folder.exists()
    make_cube(cubes_dir(home) / "fine", maps(SMALL, 1), run=second.id)
    press(watched, "Delete")
    watched.get_by_label("Also remove from the data folder: An example (1 map").check()
    watched.get_by_role("dialog").get_by_role("button", name="Delete").click()
    watched.get_by_text("The run was deleted, and with it An example.").wait_for()
    assert not (cubes_dir(home) / "fine").exists()
    assert not second.folder.exists()
    watched.get_by_role("link", name="Coarse").wait_for()
    assert watched.get_by_role("link", name="Fine").count() == 0


def test_keys_alone_lead_through_the_page(watched: Page, address: str, home: Path) -> None:
    done(home, title="By keys")
    watched.goto(address)
    watched.get_by_role("link", name="By keys").wait_for()
    watched.keyboard.press("/")
    watched.keyboard.type("by keys")
    watched.get_by_role("link", name="Coarse").wait_for(state="hidden")
    watched.get_by_role("link", name="By keys").focus()
    watched.keyboard.press("ArrowDown")
    watched.keyboard.press("Enter")
    watched.get_by_role("heading", name="By keys").wait_for()
    watched.keyboard.press("Escape")
    watched.wait_for_function("window.location.search === ''")
    watched.keyboard.press("n")
    watched.get_by_role("heading", name="New run").wait_for()


def test_a_configuration_goes_out_and_comes_back(watched: Page, address: str, home: Path) -> None:
    run = done(home, title="To and fro", settings={"months": 7, "instruments": ["gosat"]})
    watched.goto(f"{address}?run={run.id}")
    with watched.expect_download() as download:
        watched.get_by_role("link", name="Configuration").click()
    watched.locator("input[type=file]").set_input_files(download.value.path())
    watched.get_by_label("Months").wait_for()
    assert watched.get_by_label("Months").input_value() == "7"
    assert watched.get_by_label("gosat").is_checked()
    assert not watched.get_by_label("oco2").is_checked()
    watched.locator("input[type=file]").set_input_files(
        {"name": "x.yaml", "mimeType": "text/yaml", "buffer": b"[1, 2]"}
    )
    watched.get_by_text("x.yaml: expected the configuration of a run").wait_for()
    assert watched.get_by_label("Months").input_value() == "7"


def test_a_phone_shows_list_run_and_form_without_sideways_scrolling(browser: Browser, address: str, home: Path) -> None:
    run = done(home, title="A run with a rather long title that has to be broken somewhere")
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = context.new_page()
    wide = "document.documentElement.scrollWidth"
    page.goto(address)
    page.get_by_role("link", name="A run with").tap()
    page.get_by_role("heading", name="A run with").wait_for()
    page.locator(".plot canvas").first.wait_for(state="attached")
    assert page.evaluate(wide) <= 390
    assert not page.get_by_label("Find runs").is_visible()
    page.get_by_role("button", name="All runs").tap()
    page.get_by_label("Find runs").wait_for()
    page.goto(f"{address}?new=pages")
    page.get_by_role("button", name="Start", exact=True).wait_for()
    assert page.evaluate(wide) <= 390
    assert query(page) == "?new=pages"
    assert run.folder.exists()
    context.close()


def test_the_file_route_sends_only_files_of_the_run(address: str, home: Path) -> None:
    import requests

    run = done(home)
    route = address.removesuffix("runs") + f"data/runs/{run.id}"
    answer = requests.get(f"{route}/file/results/series.csv", timeout=30)
    assert (answer.status_code, answer.text) == (200, SERIES)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    for path in (
        "file/..%2f..%2f..%2fetc%2fpasswd",
        "file/run.yaml",
        "file/%2Fetc%2Fpasswd",
        "file/results%2f..%2frun.yaml",
    ):
        answer = requests.get(f"{route}/{path}", timeout=30)
        assert answer.status_code == 404, path
        assert answer.json()["error"].endswith(".")
