"""The Data page in a real Chromium: find, open, drop files good and bad, verify, cite, remove; everything in the address."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from data.home import cubes_dir, soundings_dir, tables_dir
from data.soundings import SoundingArchive
from data.tables import TableStore
from tests.browser.dashboard_server import make_cubes, served
from tests.browser.watching import watch
from tests.data.folder_examples import table_product
from tests.data.sounding_examples import random_product

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PATIENCE_MS = 90_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("data-page") / "home"
    make_cubes(made)
    archive = SoundingArchive(soundings_dir(made))
    archive.append(random_product(1, 3000, days=20.0, start=np.datetime64("2020-02-10T00:00", "ns")))
    archive.append(random_product(2, 500, instrument="GOSAT", collection="gosat-l2"))
    later = np.datetime64("2019-04-20T00:00", "ns")
    archive.append(random_product(4, 50, days=1.0, start=later, instrument="GOSAT", collection="gosat-l2"))
    TableStore(tables_dir(made)).append(table_product())
    TableStore(tables_dir(made)).append(
        table_product((5.0, 6.0), collection="other", name="<img src=x onerror=alert(1)>.csv")
    )
    return made


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with served(home, "--no-demo") as url:
        yield f"{url}data"


@pytest.fixture
def watched(page: Page) -> Iterator[Page]:
    yield from watch(page, expected="415")  # what a refused upload leaves on the console


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    page.locator(".data-page").wait_for(timeout=PATIENCE_MS)


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def wait_for_query(page: Page, **wanted: str) -> None:
    page.wait_for_function(
        """wanted => { const now = Object.fromEntries(new URLSearchParams(location.search))
             return JSON.stringify(Object.entries(now).sort()) === JSON.stringify(Object.entries(wanted).sort()) }""",
        arg=wanted,
        timeout=PATIENCE_MS,
    )


def drop(page: Page, files: dict[str, bytes]) -> None:
    """Drop files on the page as a person does with the mouse."""
    coded = {name: base64.b64encode(content).decode() for name, content in files.items()}
    page.evaluate(
        """files => {
          const transfer = new DataTransfer()
          for (const [name, text] of Object.entries(files))
            transfer.items.add(new File([Uint8Array.from(atob(text), c => c.charCodeAt(0))], name))
          for (const kind of ["dragover", "drop"])
            window.dispatchEvent(new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true})) }""",
        coded,
    )


def test_search_filters_and_the_chosen_item_are_in_the_address(watched: Page, address: str) -> None:
    from playwright.sync_api import expect

    open_page(watched, f"{address}?tab=catalogue")
    rows = watched.locator("table.entries tbody tr")
    watched.get_by_text(re.compile(r"^\d+ data sets$")).wait_for(timeout=PATIENCE_MS)
    everything = rows.count()
    watched.get_by_label("Search the catalogue").fill("fluorescence oco3-sif")
    rows.filter(has_text="OCO-3 Lite solar-induced").wait_for()
    expect(rows).to_have_count(1)
    assert everything > 1
    wait_for_query(watched, tab="catalogue", q="fluorescence oco3-sif")
    rows.first.click()
    watched.get_by_role("heading", name="OCO-3 Lite solar-induced").wait_for()
    wait_for_query(watched, tab="catalogue", q="fluorescence oco3-sif", item="oco3-sif-lite")
    watched.reload()
    watched.get_by_role("heading", name="OCO-3 Lite solar-induced").wait_for(timeout=PATIENCE_MS)
    assert watched.get_by_label("Search the catalogue").input_value() == "fluorescence oco3-sif"
    watched.keyboard.press("Escape")
    wait_for_query(watched, tab="catalogue", q="fluorescence oco3-sif")
    watched.go_back()
    wait_for_query(watched, tab="catalogue", q="fluorescence oco3-sif", item="oco3-sif-lite")
    open_page(watched, f"{address}?tab=catalogue&access=hand&group=satellite&present=yes")
    rows.filter(has_text="GOSAT TANSO-FTS SWIR Level 2").wait_for()
    assert rows.count() == 1  # satellites, by hand, here: the soundings of GOSAT
    watched.get_by_label("Here", exact=True).select_option("no")
    wait_for_query(watched, tab="catalogue", access="hand", group="satellite", present="no")
    assert rows.count() > 1


def test_a_wrong_address_is_said_and_repaired(watched: Page, address: str) -> None:
    open_page(watched, f"{address}?item=cube%3Agone")
    watched.get_by_text("'cube:gone' is not here").wait_for(timeout=PATIENCE_MS)
    wait_for_query(watched)
    open_page(watched, f"{address}?tab=%3Cscript%3E&kind=nonsense&q=%3Cb%3Ex")
    watched.get_by_role("tab", name="Here", selected=True).wait_for()
    watched.get_by_text("Nothing has all of these words and filters.").wait_for(timeout=PATIENCE_MS)
    watched.get_by_role("button", name="Show everything").click()
    watched.get_by_text("Simulated test field").wait_for()


def test_facts_from_files_are_shown_as_text(watched: Page, address: str) -> None:
    open_page(watched, f"{address}?item=table%3Aother")
    watched.get_by_text("Made from (1 file)").click()
    watched.get_by_text("<img src=x onerror=alert(1)>.csv").wait_for()


def test_an_account_that_is_missing_and_a_form_that_is_wrong_are_answered_in_words(watched: Page, address: str) -> None:
    open_page(watched, f"{address}?tab=catalogue&item=carbon-monitor")
    watched.get_by_label("First day").fill("some day")
    watched.get_by_role("button", name="Fetch and import").click()
    watched.get_by_text("'some day' is not a day; write it as 2020-06-15").wait_for(timeout=PATIENCE_MS)
    watched.get_by_role("tab", name="Catalogue").click()
    open_page(watched, f"{address}?tab=catalogue&item=gosat-l2")
    watched.get_by_role("button", name="Drop its files here").click()
    watched.get_by_text("Drop data files here").wait_for()
    wait_for_query(watched, tab="import")


def test_dropped_files_are_imported_or_refused_in_one_sentence(
    watched: Page, address: str, home: Path, real: Path
) -> None:
    source = next((real / "surface" / "noaa_trends").glob("*mm-mlo*"))
    open_page(watched, address)
    drop(
        watched,
        {
            source.name: source.read_bytes(),
            "gar<b>bage</b>.nc": bytes(range(1, 200)) * 30,
            "program.nc": b"MZ\0\0" * 900,
            "broken.h5": b"\x89HDF\r\n\x1a\n" + b"x" * 4000,
            "empty.nc": b"",
        },
    )
    wait_for_query(watched, tab="import")
    said = watched.locator(".adding")
    said.get_by_text("It is not scanned for viruses").wait_for()
    said.get_by_text("found a Windows program; nothing was kept.").wait_for(timeout=PATIENCE_MS)
    said.get_by_text("it is empty.").wait_for()
    said.get_by_text("kept in noaa-trends-mm-mlo").wait_for(timeout=PATIENCE_MS)
    said.get_by_text("a text file that begins").wait_for(timeout=PATIENCE_MS)
    said.get_by_text("a damaged or truncated one").wait_for(timeout=PATIENCE_MS)
    assert not list((home / "uploads").iterdir())
    said.get_by_role("button", name="See what is here").first.click()
    watched.get_by_role("link", name="NOAA GML monthly mean CO2, Mauna Loa").click()
    wait_for_query(watched, item="table:noaa-trends-mm-mlo")
    watched.locator(".holding").get_by_text(source.name).or_(watched.get_by_text("Made from (1 file)")).first.wait_for()


def test_when_and_where_there_are_soundings(watched: Page, address: str) -> None:
    open_page(watched, f"{address}?tab=coverage")
    watched.get_by_text("3,000 soundings of OCO-2, in cells of 1°").wait_for(timeout=PATIENCE_MS)
    wait_for_query(watched, tab="coverage", instrument="OCO-2")
    label = watched.locator(".calendar canvas").get_attribute("aria-label") or ""
    assert "from 2020-02-10 to 2020-02-29" in label or "from 2020-02-10 to 2020-03-01" in label
    assert "./runs?new=aggregate&instrument=OCO-2" in (
        watched.get_by_role("link", name="Analyse").get_attribute("href") or ""
    )
    canvas = watched.locator(".calendar canvas")
    spot = canvas.evaluate(
        """(canvas) => { const draw = canvas.getContext("2d"), ratio = devicePixelRatio
             const {data, width} = draw.getImageData(0, 0, canvas.width, canvas.height)
             for (let i = 0; i < data.length; i += 4)   // the first square that is as dark as days with soundings are
               if (data[i + 3] === 255 && data[i] < 60 && data[i + 2] > 60)
                 return [i / 4 % width / ratio + 2, Math.floor(i / 4 / width) / ratio + 2]
             return null }"""
    )
    assert spot is not None
    canvas.hover(position={"x": spot[0], "y": spot[1]})
    watched.locator(".calendar .tip").get_by_text(re.compile(r"February 2020|Feb 2020")).wait_for()
    watched.get_by_label("Instrument").select_option("GOSAT")
    watched.get_by_text("550 soundings of GOSAT").wait_for(timeout=PATIENCE_MS)
    wait_for_query(watched, tab="coverage", instrument="GOSAT")
    watched.go_back()
    watched.get_by_text("3,000 soundings of OCO-2").wait_for(timeout=PATIENCE_MS)
    canvas.click(position={"x": spot[0], "y": spot[1]})
    watched.wait_for_url(re.compile(r"/\?.*cube=known.*time=2020-02"), timeout=PATIENCE_MS)
    assert "soundings" in query(watched)["layers"]


def test_the_months_are_a_table_too(watched: Page, address: str) -> None:
    open_page(watched, f"{address}?tab=coverage&instrument=GOSAT")
    watched.get_by_text("550 soundings of GOSAT, in cells of 1°").wait_for(
        timeout=PATIENCE_MS
    )  # asked while the page loads
    watched.get_by_text("By month, as a table").click(timeout=PATIENCE_MS)
    row = watched.get_by_role("row").filter(has_text="2019-04")
    row.wait_for()
    assert row.get_by_role("link").get_attribute("href", timeout=5000).startswith("./?cube=known&time=2019-04")


def test_how_to_cite_what_is_on_screen(watched: Page, address: str) -> None:
    open_page(watched, f"{address}?kind=soundings")
    watched.get_by_text("2 of ").wait_for(timeout=PATIENCE_MS)
    watched.get_by_role("button", name="How to cite these").click()
    area = watched.locator(
        'textarea[aria-label="How to cite"]'
    )  # the dialog around it has the same name while it waits
    area.wait_for(timeout=PATIENCE_MS)
    assert (
        "GOSAT TANSO-FTS SWIR Level 2" in area.input_value() and "Processed with Carbon Weather" in area.input_value()
    )
    watched.get_by_role("button", name="BibTeX").click()
    assert area.input_value().count("@misc{") == 2
    watched.get_by_role("dialog").get_by_role("button", name="Close").click()


def test_verify_finds_a_planted_fault_and_names_the_thing(watched: Page, address: str, home: Path) -> None:
    shard = max((cubes_dir(home) / "places" / "maps").rglob("c.*"), key=lambda path: path.stat().st_size)
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-7])
    try:
        open_page(watched, f"{address}?tab=verify")
        watched.get_by_role("button", name="Verify everything").click()
        watched.get_by_role("tab", name="Here").click()
        watched.get_by_text("Verifying everything").wait_for(timeout=PATIENCE_MS)
        watched.get_by_role("tab", name="Verify").click()
        watched.get_by_text(re.compile(r"\d problem")).wait_for(timeout=PATIENCE_MS)
        watched.get_by_text(re.compile("expected intact chunks")).first.wait_for()
        watched.get_by_role("button", name=re.compile(r"^Gap in time \(")).click()
        assert watched.get_by_text(re.compile("expected intact chunks")).count() == 0
        watched.get_by_role("button", name=re.compile(r"^Damage \(")).click()
        watched.get_by_role("link", name="Show it").first.click()
        wait_for_query(watched, item="cube:places")
        watched.get_by_text("Found at the last verification").wait_for()
    finally:
        shard.write_bytes(whole)
    kept = json.loads((home / "cache" / "verification.json").read_text())
    assert any(found["problem"] and found["item"] == "cube:places" for found in kept["findings"])


def test_removal_asks_first_and_then_takes_all_of_it(watched: Page, address: str, home: Path) -> None:
    open_page(watched, f"{address}?q=daily&item=table%3Acarbon-monitor")
    watched.get_by_role("button", name="Remove").click(timeout=PATIENCE_MS)
    ask = watched.get_by_role("dialog")
    ask.get_by_text("This deletes 3 rows (tables: Daily emissions)").wait_for()
    ask.get_by_role("button", name="Keep it").click()
    assert "table:carbon-monitor" in query(watched)["item"]
    watched.get_by_role("button", name="Remove").click()
    ask.get_by_role("button", name="Remove it").click()
    watched.get_by_text("Removed Daily emissions: 3 rows").wait_for(timeout=PATIENCE_MS)
    wait_for_query(watched, q="daily")
    assert set(TableStore(tables_dir(home)).list()["collection"]) >= {"other"}
    assert "carbon-monitor" not in set(TableStore(tables_dir(home)).list()["collection"])


def test_two_visitors_see_the_same_work_and_their_own_places(browser: Browser, address: str) -> None:
    first, second = browser.new_page(), browser.new_page()
    open_page(first, f"{address}?tab=verify")
    open_page(second, f"{address}?item=cube%3Aknown")
    first.get_by_role("button", name="Verify everything").click()
    second.get_by_text("Verifying everything").wait_for(timeout=PATIENCE_MS)
    assert query(second) == {"item": "cube:known"} and query(first) == {"tab": "verify"}
    second.get_by_role("button", name="Stop").first.click()
    first.get_by_text("Verifying everything").or_(first.get_by_text("as of")).first.wait_for()
    first.close()
    second.close()


@pytest.mark.parametrize("tab", ["here", "coverage", "catalogue", "import", "verify"])
def test_a_phone_shows_every_tab_without_sideways_scrolling(browser: Browser, address: str, tab: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = context.new_page()
    open_page(page, f"{address}?tab={tab}")
    page.wait_for_timeout(700)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.evaluate(
        """() => { const host = [...document.querySelectorAll("*")].map(e => e.shadowRoot).find(r => r?.querySelector(".data-page"))
             const walk = root => [...root.querySelectorAll("*")].flatMap(e => [e, ...(e.shadowRoot ? walk(e.shadowRoot) : [])])
             return walk(document).filter(e => e.closest?.(".data-page") && !e.closest(".tabs, .scroll, [hidden]"))
               .filter(e => e.getBoundingClientRect().right > 391 && e.getBoundingClientRect().width > 0)
               .map(e => e.className || e.tagName) }"""
    )
    assert wide == []
    context.close()


def test_an_empty_folder_says_what_to_do_on_every_tab(browser: Browser, tmp_path: Path) -> None:
    empty = tmp_path / "home"
    empty.mkdir()
    with served(empty, "--no-demo") as url:
        page = browser.new_page()
        open_page(page, f"{url}data")
        page.get_by_text("Nothing is here yet").wait_for(timeout=PATIENCE_MS)
        page.get_by_role("tab", name="Coverage").click()
        page.get_by_text("No soundings are here yet").wait_for()
        page.get_by_role("tab", name="Verify").click()
        page.get_by_text("Not verified yet").wait_for()
        page.get_by_role("tab", name="Catalogue").click()
        page.get_by_text("OCO-2 Lite bias-corrected XCO2, daily files").wait_for()
        page.close()
