"""The Explore page in a real Chromium: every view follows every other, nothing leaves the host, cells are where they belong."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.browser.dashboard_server import GROWTH_PPM, MONTHS, known_value, make_cubes, served
from tests.browser.watching import watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

RADIUS_M = 6378137.0
TO_DEGREES = {
    ("lonlat", "lon"): np.asarray,
    ("lonlat", "lat"): np.asarray,
    ("mercator", "lon"): lambda x: np.degrees(x / RADIUS_M),
    ("mercator", "lat"): lambda y: np.degrees(2 * np.arctan(np.exp(y / RADIUS_M)) - np.pi / 2),
}
PAINTED = "Number(document.documentElement.dataset.painted || 0)"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("explore") / "home"
    make_cubes(home)
    with served(home, "--no-demo") as url:
        yield url


@pytest.fixture
def watched(page: Page) -> Iterator[Page]:
    yield from watch(page)


def open_map(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_function(f"{PAINTED} > 0", timeout=60_000)
    settle(page)


def settle(page: Page, quiet_ms: int = 450) -> None:
    """Wait until nothing has been painted or fetched for a while."""
    page.wait_for_function(
        f"""quiet => {{
          const e = window.carbonweather.current, now = [{PAINTED}, e.busy, e.link.spec].join()
          if (now !== window.__last || e.busy) {{ window.__last = now; window.__since = performance.now(); return false }}
          return performance.now() - window.__since > quiet
        }}""",
        arg=quiet_ms,
        timeout=60_000,
    )


def wait_for_address(page: Page, part: str) -> None:
    """Wait until the session has written `part` into the address."""
    page.wait_for_function("part => window.location.search.includes(part)", arg=part, timeout=30_000)


def state(page: Page) -> dict[str, Any]:
    """What the browser half shows, in numbers."""
    return json.loads(
        page.evaluate(
            """() => { const e = window.carbonweather.current, b = e.bounds(); return JSON.stringify({
                step: e.step, bounds: b, frame: e.shown.frame, spec: e.spec, title: e.main.fig.title.text, size: e.last,
                zonal: e.linked.zonal.data.x?.length ?? 0, bars: e.linked.histogram.data.top?.length ?? 0,
                cursor: e.linked.cursors.map(c => c.location) }) }"""
        )
    )


def map_box(page: Page) -> dict[str, float]:
    """Position on the page of the inside of the first map's frame."""
    return page.evaluate(
        """() => {
          const find = node => { for (const child of [...(node.shadowRoot?.children ?? []), ...node.children]) {
            if (child.classList?.contains("bk-Figure")) return child
            const hit = find(child); if (hit) return hit } return null }
          const box = find(document.body).getBoundingClientRect(), fig = window.carbonweather.current.main.fig
          const view = Bokeh.index.find_one ? Bokeh.index.find_one(fig) : null
          const inner = view?.frame?.bbox ?? {left: 0, top: 0, width: box.width, height: box.height}
          return {x: box.x + inner.left, y: box.y + inner.top, width: inner.width, height: inner.height}
        }"""
    )


def at_place(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Screen position of a longitude and latitude on the plate carrée map."""
    box, bounds = map_box(page), state(page)["bounds"]
    x = box["x"] + (lon - bounds["x0"]) / (bounds["x1"] - bounds["x0"]) * box["width"]
    y = box["y"] + (bounds["y1"] - lat) / (bounds["y1"] - bounds["y0"]) * box["height"]
    return x, y


def values_of(page: Page) -> np.ndarray:
    """Physical values that the painted window was made from, (height, width), row 0 south."""
    layer = page.evaluate(
        """() => { const {main, frame} = window.carbonweather.current.shown, bytes = new Uint8Array(main.codes.buffer), parts = []
             for (let i = 0; i < bytes.length; i += 32768) parts.push(String.fromCharCode(...bytes.subarray(i, i + 32768)))
             return {text: btoa(parts.join("")), dtype: main.dtype, scale: main.scale, offset: main.offset, w: frame.w} }"""
    )
    codes = np.frombuffer(base64.b64decode(layer["text"]), dtype=layer["dtype"]).astype(float)
    if layer["dtype"] == "int16":
        codes = np.where(codes == -32768, np.nan, layer["offset"] + layer["scale"] * codes)
    return codes.reshape(-1, layer["w"])


def test_the_page_opens_on_the_newest_month_with_all_views_filled(watched: Page, address: str) -> None:
    open_map(watched, address)
    shown = state(watched)
    assert shown["step"] == len(MONTHS) - 1
    assert shown["title"].endswith("December 2020")
    assert shown["zonal"] == 180
    assert shown["bars"] >= 20
    assert "Simulated" in shown["title"]
    wait_for_address(watched, "time=2020-12")


def test_the_picture_holds_the_values_of_the_cube(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known&time=2019-06&at=100,30,40")
    values, frame = values_of(watched), state(watched)["frame"]
    lon = frame["x0"] + (np.arange(frame["w"]) + 0.5) / frame["w"] * (frame["x1"] - frame["x0"])
    lat = frame["y0"] + (np.arange(frame["h"]) + 0.5) / frame["h"] * (frame["y1"] - frame["y0"])
    expected = known_value(5, np.floor(lon)[None, :] + 0.5, np.floor(lat)[:, None] + 0.5)
    assert np.nanmax(np.abs(values - expected)) <= 0.0051  # half of the stored step


@pytest.mark.parametrize("projection", ["lonlat", "mercator"])
@pytest.mark.parametrize("place", ["0,0,360", "100,30,60", "-179,10,30", "37,-52,9"])
def test_no_cell_is_displaced_by_more_than_half_a_pixel(
    watched: Page, address: str, projection: str, place: str
) -> None:
    for variable, axis in (("lon", 1), ("lat", 0)):
        open_map(watched, f"{address}?cube=places&var={variable}&proj={projection}&at={place}")
        values, frame = values_of(watched), state(watched)["frame"]
        n = frame["w"] if axis else frame["h"]
        low, high = (frame["x0"], frame["x1"]) if axis else (frame["y0"], frame["y1"])
        pixel = low + (np.arange(n) + 0.5) / n * (high - low)
        half = 0.5 * (high - low) / n
        to_degrees = TO_DEGREES[projection, variable]
        west, east = to_degrees(pixel - half), to_degrees(pixel + half)
        seen = values[values.shape[0] // 2] if axis else values[:, values.shape[1] // 2]
        good = np.isfinite(seen)
        if variable == "lon":
            seen = np.where(good, pixel_turn(seen, to_degrees(pixel)), np.nan)
        # the cell (1 degree wide) whose centre is shown must touch the pixel widened by half a pixel on either side
        reach = 0.5 + 0.5 * (east - west)
        centre = 0.5 * (east + west)
        assert good.sum() > 0.5 * n
        assert np.max(np.abs(seen - centre)[good] - reach[good]) <= 1e-3


def pixel_turn(lon: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Longitudes moved by whole turns next to others."""
    return lon + 360.0 * np.round((near - lon) / 360.0)


def test_keys_step_in_time_and_the_cursors_follow(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known&time=2020-06")
    before = state(watched)
    watched.keyboard.press("ArrowLeft")
    watched.keyboard.press("ArrowLeft")
    settle(watched)
    after = state(watched)
    assert after["step"] == before["step"] - 2
    assert after["title"].endswith("April 2020")
    assert all(now < then for now, then in zip(after["cursor"], before["cursor"], strict=True))
    wait_for_address(watched, "time=2020-04")
    watched.keyboard.press("Home")
    settle(watched)
    assert state(watched)["step"] == 0


def test_playing_locks_the_colour_limits_and_stops_where_it_is(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known&time=2019-01")
    settle(watched)
    watched.keyboard.press("Space")
    watched.wait_for_function("window.carbonweather.current.playing", timeout=30_000)
    limits = (state(watched)["spec"]["low"], state(watched)["spec"]["high"])
    watched.wait_for_function("window.carbonweather.current.step >= 4", timeout=30_000)
    playing = state(watched)
    assert (playing["spec"]["low"], playing["spec"]["high"]) == limits
    watched.keyboard.press("Space")
    settle(watched)
    stopped = state(watched)["step"]
    watched.wait_for_timeout(500)
    assert state(watched)["step"] == stopped
    wait_for_address(watched, f"time={MONTHS[stopped]}")


def test_a_click_shows_the_cells_series_with_its_growth(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known")
    watched.mouse.click(*at_place(watched, 116.4, 39.9))
    watched.wait_for_function("window.carbonweather.current.spec.point !== null", timeout=15_000)
    settle(watched)
    lon, lat = state(watched)["spec"]["point"]
    assert (lon, lat) == (pytest.approx(116.4, abs=0.5), pytest.approx(39.9, abs=0.5))
    watched.get_by_text(f"growth +{GROWTH_PPM:.2f}").wait_for(timeout=15_000)
    wait_for_address(watched, "point=116")


def test_a_box_gives_the_regions_mean(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known&time=2019-01")
    watched.evaluate(
        """() => window.carbonweather.current.event(
             {event_name: 'selectiongeometry', final: true, geometry: {type: 'rect', x0: 10, x1: 50, y0: 20, y1: 40}})"""
    )
    watched.wait_for_function("window.carbonweather.current.spec.region.length === 1", timeout=15_000)
    lon, lat = np.meshgrid(np.arange(10.5, 50), np.arange(20.5, 40))
    weights = np.sin(np.radians(lat + 0.5)) - np.sin(np.radians(lat - 0.5))
    mean = float(np.average(known_value(0, lon, lat), weights=weights))
    watched.get_by_text(f"drawn region: mean {mean:.2f} ppm").wait_for(timeout=15_000)


def test_a_named_region_in_the_address_is_drawn_and_averaged(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known&region=Countries/China")
    watched.get_by_text("China: mean").wait_for(timeout=30_000)
    assert len(state(watched)["spec"]["region"]) >= 1


def test_reload_and_back_button_keep_the_view(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known&time=2020-03&at=100,30,60&colours=cividis")
    watched.keyboard.press("ArrowRight")
    settle(watched)
    wait_for_address(watched, "time=2020-04")
    watched.reload()
    watched.wait_for_function(f"{PAINTED} > 0", timeout=60_000)
    settle(watched)
    again = state(watched)
    assert again["title"].endswith("April 2020")
    assert again["bounds"]["x1"] - again["bounds"]["x0"] == pytest.approx(60.0, rel=1e-3)
    watched.keyboard.press("ArrowRight")
    settle(watched)
    wait_for_address(watched, "time=2020-05")
    watched.go_back()
    watched.wait_for_function("window.carbonweather.current.main.fig.title.text.endsWith('April 2020')", timeout=15_000)


def test_a_wrong_address_is_repaired_with_a_message(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=gone&time=1999-01")
    watched.get_by_text("The data set 'gone' is not here").wait_for(timeout=15_000)
    assert "cube=gone" not in watched.url


def test_zoom_and_pan_fetch_the_new_window(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known")
    before = state(watched)["bounds"]
    watched.mouse.move(*at_place(watched, 20.0, 10.0))
    watched.mouse.wheel(0, -240)
    settle(watched)
    zoomed = state(watched)
    assert zoomed["bounds"]["x1"] - zoomed["bounds"]["x0"] < 0.9 * (before["x1"] - before["x0"])
    assert zoomed["frame"]["x0"] <= zoomed["bounds"]["x0"] <= zoomed["bounds"]["x1"] <= zoomed["frame"]["x1"]
    x, y = at_place(watched, 20.0, 10.0)
    watched.mouse.down()
    watched.mouse.move(x - 120, y + 40, steps=4)
    watched.mouse.up()
    settle(watched)
    panned = state(watched)
    assert panned["bounds"]["x0"] > zoomed["bounds"]["x0"] + 1.0
    assert panned["frame"]["x0"] <= panned["bounds"]["x0"]
    cells = (
        (panned["bounds"]["x1"] - panned["bounds"]["x0"]) / panned["size"][0],
        (panned["bounds"]["y1"] - panned["bounds"]["y0"]) / panned["size"][1],
    )
    assert cells[0] == pytest.approx(cells[1], rel=0.01)  # a degree is as wide as it is high


def test_difference_side_by_side_and_swipe(watched: Page, address: str) -> None:
    query = "?cube=known&time=2020-01&with_time=2019-01&compare="
    open_map(watched, address + query + "difference")
    assert np.nanmax(np.abs(values_of(watched) - GROWTH_PPM)) <= 0.011  # the field grows by the same everywhere
    spec = state(watched)["spec"]
    assert spec["low"] == -spec["high"]
    open_map(watched, address + query + "side")
    assert watched.evaluate("window.carbonweather.current.panes[1].fig.title.text").endswith("January 2019")
    assert watched.evaluate("window.carbonweather.current.panes[1].image.data.image[0].length") > 10_000
    ranges = watched.evaluate(
        "() => { const [a, b] = window.carbonweather.current.panes; return a.fig.x_range === b.fig.x_range }"
    )
    assert ranges is True
    open_map(watched, address + query + "swipe")
    colours = watched.evaluate(
        """() => { const e = window.carbonweather.current, {frame} = e.shown
             const image = e.main.image.data.image[0], r = Math.floor(frame.h / 2)
             const at = f => image[r * frame.w + Math.floor(f * frame.w)]; return [at(0.3), at(0.7), e.main.swipe.visible] }"""
    )
    assert colours[2] is True
    watched.evaluate(
        "() => { const e = window.carbonweather.current, b = e.bounds(); e.main.swipe.location = b.x0 + 0.9 * (b.x1 - b.x0) }"
    )
    settle(watched)
    moved = watched.evaluate(
        """() => { const e = window.carbonweather.current, {frame} = e.shown
             const image = e.main.image.data.image[0], r = Math.floor(frame.h / 2)
             const at = f => image[r * frame.w + Math.floor(f * frame.w)]; return [at(0.3), at(0.7)] }"""
    )
    assert moved[0] == colours[0]
    assert moved[1] != colours[1]


def test_uncertainty_is_hatched_where_it_is_large(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known&layers=uncertainty")
    inked = watched.evaluate(
        """() => { const e = window.carbonweather.current, {frame} = e.shown, image = e.main.image.data.image[0]
             const share = lat => { const r = Math.floor((lat - frame.y0) / (frame.y1 - frame.y0) * frame.h); let n = 0
               for (let c = 0; c < frame.w; c++) if (image[r * frame.w + c] === 0xa0202020) n++; return n / frame.w }
             return [share(0), share(80)] }"""
    )
    assert inked[0] == 0
    assert inked[1] > 0.1


def test_hover_tells_value_and_place(watched: Page, address: str) -> None:
    open_map(watched, address + "?cube=known&time=2019-01&at=20,10,40")
    x, y = at_place(watched, 20.5, 10.5)
    watched.mouse.move(x - 3, y - 3)
    watched.mouse.move(x, y)
    watched.wait_for_function("document.getElementById('cw-tip')?.style.display === 'block'", timeout=10_000)
    text = watched.evaluate("document.getElementById('cw-tip').textContent")
    value = float(text.split(" ")[0])
    assert value == pytest.approx(float(known_value(0, np.float64(20.5), np.float64(10.5))), abs=0.02)
    assert "°N" in text and "°E" in text


def test_a_phone_shows_the_map_without_sideways_scrolling(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = context.new_page()
    open_map(page, address + "?cube=known")
    page.wait_for_timeout(600)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = map_box(page)
    assert box["width"] > 220
    assert box["x"] >= 0
    assert page.evaluate("window.carbonweather.current.last[0]") > 220
    context.close()


def test_two_visitors_do_not_disturb_each_other(browser: Browser, address: str) -> None:
    first, second = browser.new_page(), browser.new_page()
    open_map(first, address + "?cube=known&time=2019-02")
    open_map(second, address + "?cube=known&time=2020-02")
    second.keyboard.press("ArrowRight")
    settle(second)
    assert state(first)["title"].endswith("February 2019")
    assert state(second)["title"].endswith("March 2020")
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("cube=known&var=xco2&step=0&x0=-180&x1=180&y0=-90&y1=90&w=64&h=32&proj=lonlat", 200),
        ("cube=gone&var=xco2&step=0&x0=-180&x1=180&y0=-90&y1=90&w=64&h=32&proj=lonlat", 404),
        ("cube=../../etc&var=xco2&step=0&x0=-180&x1=180&y0=-90&y1=90&w=64&h=32&proj=lonlat", 404),
        ("cube=known&var=xco2&step=999&x0=-180&x1=180&y0=-90&y1=90&w=64&h=32&proj=lonlat", 400),
        ("cube=known&var=xco2&step=0&x0=180&x1=-180&y0=-90&y1=90&w=64&h=32&proj=lonlat", 400),
        ("cube=known&var=xco2&step=0&x0=-180&x1=180&y0=-90&y1=90&w=999999&h=999999&proj=lonlat", 400),
        ("cube=known&var=xco2&step=0&x0=nan&x1=180&y0=-90&y1=90&w=64&h=32&proj=lonlat", 400),
        ("", 400),
    ],
)
def test_the_data_route_answers_bad_requests_in_a_sentence(address: str, query: str, status: int) -> None:
    import requests

    answer = requests.get(f"{address}data/window?{query}", timeout=30)
    assert answer.status_code == status
    if status == 200:
        codes = np.frombuffer(answer.content, dtype=np.int16).reshape(32, 64)
        assert math.isclose(
            codes.mean() * 0.01 + 400, known_value(0, np.arange(360) + 0.5, np.zeros(1)).mean(), abs_tol=0.02
        )
    else:
        sentence = answer.json()["error"]
        assert sentence.endswith(".")
        assert len(sentence) < 200


def test_a_folder_without_data_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with served(home, "--no-demo") as url:
        page = browser.new_page()
        page.goto(url)
        page.get_by_text("There is no data set to show yet").wait_for(timeout=30_000)
        page.close()
