"""The Emissions page in a real Chromium, with Carbon Monitor's real table and without any."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from data.importing import import_paths
from tests.browser.dashboard_server import served
from tests.browser.watching import watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

LINES = """() => { for (const doc of Bokeh.documents) for (const model of doc._all_models.values()) {
  if (model.type !== "ColumnDataSource" || !model.data?.ys || !model.data?.name || model.data.width) continue
  return {names: [...model.data.name], newest: model.data.ys.map(y => y[y.length - 1])} } return null }"""


@pytest.fixture(scope="module")
def home(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emissions") / "home"


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    home.mkdir(parents=True)
    with served(home, "--no-demo") as url:
        yield url


@pytest.fixture
def watched(page: Page) -> Iterator[Page]:
    yield from watch(page)


def see(page: Page, text: str) -> None:
    page.get_by_text(text).first.wait_for(timeout=60_000)


def search(page: Page, part: str) -> None:
    page.wait_for_function("part => decodeURIComponent(location.search).includes(part)", arg=part, timeout=30_000)


def test_the_page_fills_when_the_table_is_imported(watched: Page, address: str, home: Path, real: Path) -> None:
    watched.goto(address + "emissions")
    see(watched, "There are no daily emissions in the data folder yet")
    see(watched, "carbonweather data fetch carbon-monitor")
    import_paths([real / "emissions" / "carbon_monitor_daily" / "carbon_monitor_global.csv"], home=home)
    see(watched, "31 July 2024")
    see(watched, "Year to date: change on 2023")
    see(watched, "Ground Transport")  # the controls have filled too
    search(watched, "countries=China.United States.EU27 & UK.India")
    assert not watched.get_by_text("There are no daily emissions").first.is_visible()


def test_controls_address_and_back_button(watched: Page, address: str) -> None:
    watched.goto(address + "emissions?countries=China.India&show=day")
    see(watched, "7 days to 31 July 2024")
    watched.wait_for_function(f"() => ({LINES})()?.names?.join() === 'China,India'", timeout=30_000)
    daily = watched.evaluate(LINES)["newest"]
    watched.get_by_label("Power").uncheck()
    search(watched, "sectors=Industry.Ground Transport.Residential")
    watched.wait_for_function(f"before => ({LINES})().newest[0] < before - 5", arg=daily[0], timeout=30_000)
    watched.go_back()
    watched.wait_for_function(
        f"before => Math.abs(({LINES})().newest[0] - before) < 1e-9", arg=daily[0], timeout=30_000
    )
    assert watched.get_by_label("Power").is_checked()
    assert "sectors=" not in watched.url


def test_the_link_of_a_country_opens_its_map(watched: Page, address: str) -> None:
    watched.goto(address + "emissions")
    link = watched.get_by_role("link", name="Japan")
    link.wait_for(timeout=60_000)
    assert "region=Countries/Japan" in str(link.get_attribute("href"))


def test_the_file_is_what_is_shown(watched: Page, address: str) -> None:
    watched.goto(address + "emissions?countries=Brazil&sectors=Power")
    see(watched, "31 July 2024")
    with watched.expect_download(timeout=60_000) as started:
        watched.get_by_role("button", name="Table of what is shown").click()
    text = Path(started.value.path()).read_text(encoding="utf-8")
    assert "Liu, Z. et al. (2020)" in text
    rows = list(csv.DictReader(io.StringIO("".join(line for line in text.splitlines(True) if line[0] != "#"))))
    assert len(rows) == 425 and {row["country"] for row in rows} == {"Brazil"} and "Industry" not in rows[0]


def test_nothing_light_is_left_of_a_figure_in_the_dark(watched: Page, address: str) -> None:
    watched.goto(address + "emissions")
    see(watched, "31 July 2024")
    watched.wait_for_function(f"() => ({LINES})()?.names", timeout=30_000)
    watched.get_by_role("button", name="Toggle theme").click()
    drawn = watched.locator(".bk-Figure").first
    limit = time.monotonic() + 30
    while True:
        seen = np.asarray(Image.open(io.BytesIO(drawn.screenshot())).convert("L"))
        if seen[10:-10, 1].max() < 60:  # it has been painted anew
            break
        assert time.monotonic() < limit, "the figure stays light"
    assert max(seen[:, 0].max(), seen[0].max()) < 60


def test_a_phone_shows_everything_below_one_another(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = context.new_page()
    page.goto(address + "emissions")
    see(page, "31 July 2024")
    see(page, "Year to date: change on 2023")
    wide = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert wide <= 390
