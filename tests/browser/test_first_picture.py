"""The map that is on screen before the page's libraries: the same picture at the same place as the one that takes over."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.browser.dashboard_server import make_cubes, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36 Mobi"
KEEP_FIRST = """
// the canvas as it was when it was shown, and where it stood
new MutationObserver(() => {
  const box = document.getElementById("first-map")
  if (!document.documentElement.dataset.still || !box || window.first) return
  const {left, top, width, height} = box.getBoundingClientRect()
  window.first = {box: [left, top, width, height], picture: box.querySelector("canvas").toDataURL(), figures: window.Bokeh !== undefined}
}).observe(document, {attributes: true, childList: true, subtree: true})
"""
FRAME = """() => {
  const plot = Bokeh.index.query_one(view => view.model === carbonweather.current.main.fig), frame = plot.frame.bbox
  const outer = plot.el.getBoundingClientRect()
  return [outer.left + frame.left, outer.top + frame.top, frame.width, frame.height]
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("first") / "home"
    make_cubes(home)
    with served(home, "--no-demo") as url:
        yield url


def open_page(browser: Browser, url: str, size: tuple[int, int], *, phone: bool) -> tuple[Page, list[str]]:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, is_mobile=phone, user_agent=PHONE if phone else None
    )
    page = context.new_page()
    page.add_init_script(KEEP_FIRST)
    fetched: list[str] = []
    page.on("request", lambda sent: fetched.append(sent.url) if "data/window" in sent.url else None)
    page.goto(url)
    page.wait_for_function("Number(document.documentElement.dataset.painted || 0) > 0", timeout=60_000)
    first_fetches = list(fetched)
    page.wait_for_function("!document.getElementById('first-map')", timeout=30_000)
    return page, first_fetches


@pytest.mark.parametrize(("size", "phone"), [((1440, 900), False), ((1100, 600), False), ((390, 844), True)])
def test_it_stands_where_the_map_comes(browser, address, size, phone):
    page, fetched = open_page(browser, address, size, phone=phone)
    page.wait_for_function(f"first.box.every((edge, i) => Math.abs(edge - ({FRAME})()[i]) <= 1)", timeout=20_000)
    assert len(fetched) == 1, "the map took over the window that the first picture had fetched"
    page.context.close()


def test_it_shows_what_the_map_shows(browser, address):
    query = "?at=20,10,60&layers=&limits=all"
    page, _ = open_page(browser, address + query, (1440, 900), phone=False)
    first = page.evaluate("first")
    page.wait_for_timeout(700)
    x, y, width, height = (round(value) for value in page.evaluate(FRAME))
    shot = page.screenshot(clip={"x": x, "y": y, "width": width, "height": height})
    after = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=int)
    before = Image.open(io.BytesIO(base64.b64decode(first["picture"].split(",")[1])))
    before = np.asarray(before.convert("RGB").resize((width, height)), dtype=int)
    inner = (slice(20, -20), slice(20, -20))
    assert np.ptp(after[inner].reshape(-1, 3), axis=0).max() > 60, "a picture, not one colour"
    assert np.median(np.abs(after[inner] - before[inner]).max(axis=-1)) <= 6
    page.context.close()


@pytest.mark.parametrize(
    "query", ["?compare=difference", "?cube=none%3C/script%3E%3Cscript%3Ealert(1)%3C/script%3E", "?at=x"]
)
def test_strange_addresses_still_open(browser, address, query):
    alerts = []
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(address + query)
    page.wait_for_function("Number(document.documentElement.dataset.painted || 0) > 0", timeout=60_000)
    assert alerts == []
    context.close()
