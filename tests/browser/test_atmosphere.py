"""The Atmosphere page in a real Chromium: filled, clicked, played, shared, narrow, empty."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data.home import volumes_dir
from data.readers import read
from data.volumes import VolumeStore
from tests.browser.dashboard_server import served
from tests.browser.watching import watch
from tests.data.level_files import level_file

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

TABLE = "Stability zone by latitude"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("atmosphere") / "home"
    home.mkdir()
    path = home.parent / "known.molefrac_glb3x2_2020-01.nc"
    times = tuple(7305.0 + 15 + 30.5 * month for month in range(12))
    level_file(path, times=times, attrs={"title": "Simulated levels of the tests", "simulated": 1})
    VolumeStore(volumes_dir(home)).append(read(path))
    with served(home, "--no-demo") as url:
        yield url + "atmosphere"


@pytest.fixture
def watched(page: Page) -> Iterator[Page]:
    yield from watch(page)


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_text(TABLE).wait_for(timeout=60_000)


def wait_for_address(page: Page, part: str) -> None:
    page.wait_for_function("part => window.location.search.includes(part)", arg=part, timeout=30_000)


def test_it_opens_filled_goes_on_in_time_and_back(watched: Page, address: str) -> None:
    open_page(watched, address + "?point=14,61&top=12&time=2020-03")
    watched.get_by_text("422.70 ppm").wait_for(timeout=30_000)  # 400 + 2 (mean level) + 20 + 0.7
    assert watched.locator(".simulated").first.inner_text().lower() == "simulated"
    assert watched.locator("canvas").count() >= 6
    assert watched.get_by_text("80°N to 90°N").count() == 1  # the northernmost row of cells lies there
    assert watched.get_by_text("The limits are a convention").count() == 1
    watched.get_by_role("button", name=re.compile("next", re.I)).first.click()
    wait_for_address(watched, "time=2020-04")
    watched.get_by_text("432.70 ppm").wait_for(timeout=30_000)
    watched.go_back()
    wait_for_address(watched, "time=2020-03")
    watched.get_by_text("422.70 ppm").wait_for(timeout=30_000)


def test_a_click_on_the_map_chooses_the_place(watched: Page, address: str) -> None:
    open_page(watched, address + "?top=12&time=2020-03")
    watched.get_by_text("422.6").first.wait_for(timeout=30_000)  # the usual place
    cards = watched.locator(".map canvas")
    box = cards.first.bounding_box()
    assert box is not None
    watched.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.75 * box["height"])
    watched.wait_for_function("!window.location.search.includes('point=116.4')", timeout=30_000)
    place = watched.evaluate("new URLSearchParams(window.location.search).get('point')")
    lon, lat = (float(part) for part in place.split(","))
    assert -90 < lon < 90 and -80 < lat < 0


def test_files_come_with_their_citation(watched: Page, address: str) -> None:
    open_page(watched, address + "?top=12")
    with watched.expect_download(timeout=60_000) as waiting:
        watched.get_by_text("Stability zone as table (CSV)").click()
    path = waiting.value.path()
    text = Path(path).read_text(encoding="utf-8")
    assert (
        text.startswith("# title: SIMULATED")
        and "# citation:" in text
        and waiting.value.suggested_filename.endswith(".csv")
    )


def test_a_phone_needs_no_sideways_scrolling_and_wrong_addresses_are_said(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = context.new_page()
    open_page(page, address + "?data=gone&top=12")
    page.get_by_text("The data set 'gone' is not here").wait_for(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator(".section canvas").first.bounding_box()
    assert box is not None and box["width"] > 300 and box["height"] > 200
    context.close()


def test_the_side_bar_starts_closed_once_the_window_is_known_to_be_narrow(browser: Browser, address: str) -> None:
    starts = {}
    for width in (700, 1440):
        context = browser.new_context(viewport={"width": width, "height": 900})
        page = context.new_page()
        for _ in range(2):
            open_page(page, address)
        box = page.locator(".MuiDrawer-paper").first.bounding_box()
        assert box is not None
        starts[width] = box["x"] + box["width"]
        context.close()
    assert starts[700] <= 0 < starts[1440]
