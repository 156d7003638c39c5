"""The Explore page in a real Chromium: opening, zoom, pan, months, clicks, regions, memory; against hvPlot's lazy geo map.

Both, and as a third `dashboard.notebook`'s map, run as servers of their own on the same simulated 0.05° cube and are driven by the
same input events in the same Chromium without GPU, at 1440 x 900 with maps of about as many pixels. A time ends when the picture *for
the new view* is on the screen (`recorder.js` says how that is known), so an old picture stretched or moved along does not count. A
zoom begins with its wheel event, a pan with the last movement of the pointer, a month with its key, a click when the button is let
go. Names of other hosts fail at once for all. What a server does for the first time in its life (compiling, imports) is over before
the first counted run.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks import Figure
from tests.benchmarks.other_maps import write_lazy_store
from tests.benchmarks.serving import (
    BenchFailed,
    chromium,
    cpu_seconds,
    ending_in_order,
    free_port,
    last_line,
    load,
    served,
)

if TYPE_CHECKING:
    import psutil
    from playwright.sync_api import Browser

    from data.cube import Cube

RECORDER = Path(__file__).with_name("recorder.js")
VIEWPORT_WIDTH, VIEWPORT_HEIGHT = 1440, 900
CUBE = "demo-xco2"
PATIENCE_S = 60
SETTLE_MS = 700
"""Quiet time between actions: longer than the page's own idle time plus what it does then (fetching neighbours, colour limits)."""
SESSION_END_S = 40
"""Bokeh gives up a session 15 s after its page has gone and looks every 17 s."""
REGION_DEGREES = (62.0, 36.0)
"""A box of 1240 x 720 cells of 0.05°."""


@dataclass(frozen=True)
class Case:
    """How much is measured: size of the cube, and runs of each kind."""

    nlon: int
    nlat: int
    months: int
    opens: int
    views: int
    steps: int
    clicks: int
    regions: int
    play_s: float
    warm_up_sessions: int
    sessions: int
    naive_opens: int
    naive_views: int


FULL = Case(
    nlon=7200,
    nlat=3600,
    months=84,
    opens=7,
    views=12,
    steps=15,
    clicks=12,
    regions=7,
    play_s=6.0,
    warm_up_sessions=10,
    sessions=40,
    naive_opens=5,
    naive_views=8,
)
QUICK = Case(
    nlon=1800,
    nlat=900,
    months=24,
    opens=3,
    views=3,
    steps=4,
    clicks=3,
    regions=3,
    play_s=2.0,
    warm_up_sessions=2,
    sessions=4,
    naive_opens=2,
    naive_views=2,
)


def run(quick: bool) -> dict[str, Figure]:
    """All figures; BenchFailed with one sentence where something did not work. Leaves neither processes nor files."""
    case = QUICK if quick else FULL
    with (
        ending_in_order(),
        tempfile.TemporaryDirectory(prefix="carbonweather-bench-", ignore_cleanup_errors=True) as folder,
    ):
        root = Path(folder)
        cube = write_cube(root / "home" / "cubes" / CUBE, case)
        write_lazy_store(Path(cube.path), root / "month.zarr")
        with chromium() as browser:
            return measure(browser, root / "home", root / "month.zarr", case, logs=root)


def write_cube(path: Path, case: Case) -> Cube:
    """Months of the simulated world from 2015 on, packed as in the demo."""
    import numpy as np

    from analysis.world import World
    from data.cube import Cube, Grid, Variable

    world = World(nlat=case.nlat, nlon=case.nlon)
    xco2 = Variable("xco2", "ppm", "column-averaged dry-air mole fraction of CO2", "int16", scale=0.01, offset=400.0)
    grid = Grid(west=-180.0, south=-90.0, dlon=360 / case.nlon, dlat=180 / case.nlat, nlon=case.nlon, nlat=case.nlat)
    cube = Cube.create(
        path, name=path.name, title="Simulated global XCO2", grid=grid, variables=[xco2], attrs=world.attrs
    )
    for month in np.datetime64("2015-01") + np.arange(case.months):
        cube.write(month, {xco2.name: world.codes(month, scale=xco2.scale, offset=xco2.offset)})
    cube.seal()
    return cube


def measure(browser: Browser, home: Path, month: Path, case: Case, *, logs: Path) -> dict[str, Figure]:
    """Figures of the dashboard on a data folder, and of the comparison on a month's store."""
    port, log = free_port(), logs / "dashboard.log"
    arguments = ["dashboard", "serve", "--home", str(home), "--no-demo", "--port", str(port)]
    with served("The dashboard", arguments, port, log) as process:
        bench = Bench(browser, f"http://127.0.0.1:{port}/", process, log)
        figures = bench.opening(case.opens)
        with bench.page() as page:
            width, height = page.size()
            figures |= page.views(case.views)
            figures |= page.months(case.steps)
            figures["click_ms"] = page.clicks(case.clicks)
            figures |= page.regions(case.regions)
            figures["play_fps"] = page.playing(case.play_s)
        figures["session_mb"] = bench.memory(case.warm_up_sessions, case.sessions)
    naive = ["naive", str(month), "--width", str(width), "--height", str(height)]
    notebook = ["notebook", str(home / "cubes" / CUBE)]
    for arguments in (naive, notebook):
        figures |= _compared(browser, arguments, case, logs)
    return figures | {"load_average": Figure(load(), "processes")}


def _compared(browser: Browser, arguments: list[str], case: Case, logs: Path) -> dict[str, Figure]:
    kind, port = arguments[0], free_port()
    log = logs / f"{kind}.log"
    with served(
        f"The {kind} map", ["tests.benchmarks.other_maps", *arguments, "--port", str(port)], port, log
    ) as process:
        bench = Bench(browser, f"http://127.0.0.1:{port}/", process, log)
        figures = bench.opening(case.naive_opens)
        with bench.page() as page:
            figures |= page.views(case.naive_views)
    return {f"{kind}_{key}": figure for key, figure in figures.items()}


class Bench:
    """One server and the browser that visits it."""

    def __init__(self, browser: Browser, url: str, process: psutil.Process, log: Path) -> None:
        self.browser, self.url, self.process, self.log = browser, url, process, log

    @contextlib.contextmanager
    def page(self) -> Iterator[MapPage]:
        """A page with a browser cache of its own, once its first map is painted."""
        from playwright.sync_api import Error

        context = self.browser.new_context(viewport={"width": VIEWPORT_WIDTH, "height": VIEWPORT_HEIGHT})
        context.add_init_script(path=RECORDER)
        errors: list[str] = []
        try:
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(self.url, wait_until="commit")
            opened = page.evaluate(f"bench.firstMap({PATIENCE_S})")
            yield MapPage(page, self.process, page.evaluate("bench.opened", opened), opened)
        except Error as error:
            said = f"; the page said: {errors[0]}" if errors else ""
            reason = error.message.splitlines()[0]
            raise BenchFailed(f"{self.url}: {reason}{said}; the server's last words: {last_line(self.log)}") from error
        finally:
            context.close()

    def opening(self, runs: int) -> dict[str, Figure]:
        """From the start of the navigation, with an empty browser cache, to the first map and to the one that answers the mouse.

        Returns once the sessions have ended: what the server does at their end is not counted for what follows.
        """
        first, live = [], []
        for _ in range(runs + 1):
            with self.page() as page:
                first.append(page.opened_ms)
                live.append(page.live_ms)
                page.settle()
        time.sleep(SESSION_END_S)
        return {
            "open_ms": Figure(median(first[1:]), "ms", runs),
            "open_live_ms": Figure(median(live[1:]), "ms", runs),
        }

    def memory(self, warm_up: int, sessions: int) -> Figure:
        """Growth of the server's resident memory per session, each opened, painted and closed; measured once they have ended."""
        resident = []
        for count in (warm_up, sessions):
            for _ in range(count):
                with self.page() as page:
                    page.settle()
            time.sleep(SESSION_END_S)
            resident.append(self.process.memory_info().rss)
        return Figure((resident[1] - resident[0]) / sessions / 1e6, "MB", sessions)


class MapPage:
    """An open page and what is done to it."""

    def __init__(self, page: Any, process: psutil.Process, opened_ms: float, live_ms: float) -> None:
        self._page, self._process, self.opened_ms, self.live_ms = page, process, opened_ms, live_ms
        self._chance = random.Random(2)
        self.settle()

    def settle(self) -> None:
        """Let the page become quiet."""
        self._page.wait_for_timeout(SETTLE_MS)

    def size(self) -> tuple[int, int]:
        """Width and height of the map, CSS pixels."""
        _, _, width, height = self._page.evaluate("bench.box()")
        return round(width), round(height)

    def _arm(self) -> float:
        return float(self._page.evaluate("bench.arm()"))

    def _somewhere(self) -> tuple[float, float]:
        """A place on the screen in the middle part of the map, different each time."""
        left, top, width, height = self._page.evaluate("bench.box()")
        return left + self._chance.uniform(0.35, 0.65) * width, top + self._chance.uniform(0.35, 0.65) * height

    def _look_elsewhere(self) -> None:
        """A new view that never comes near the map's edge, so that a picture of it is as large as the view."""
        place = [self._chance.uniform(-80, 80), self._chance.uniform(-30, 30), self._chance.uniform(20, 60)]
        self._arm()
        self._page.evaluate("place => bench.place(...place)", place)
        self._page.evaluate(f"bench.newView({PATIENCE_S})")
        self.settle()

    def views(self, runs: int) -> dict[str, Figure]:
        """Zooms by a factor of two (in and out by turns) and pans, and the server's processor time for each change of the view."""
        zooms, pans = [], []
        before = cpu_seconds(self._process)
        for _, wheel in zip(range(runs), itertools.cycle((-300, 300)), strict=False):
            self._look_elsewhere()
            zooms.append(self._zoom(wheel))
            pans.append(self._pan())
        cpu = (cpu_seconds(self._process) - before) * 1e3 / (3 * runs)
        return {
            "zoom_ms": Figure(median(zooms), "ms", runs),
            "pan_ms": Figure(median(pans), "ms", runs),
            "view_cpu_ms": Figure(cpu, "ms", 3 * runs),
        }

    def _zoom(self, wheel: float) -> float:
        self._page.mouse.move(*self._somewhere())
        self._arm()
        self._page.mouse.wheel(0, wheel)
        shown = self._page.evaluate(f"bench.newView({PATIENCE_S})")
        elapsed = shown - self._page.evaluate("bench.last.wheel")
        self.settle()
        return float(elapsed)

    def _pan(self) -> float:
        x, y = self._somewhere()
        self._page.mouse.move(x, y)
        self._arm()
        self._page.mouse.down()
        self._page.mouse.move(x + self._chance.choice((-160, 160)), y + self._chance.choice((-30, 30)), steps=8)
        self._page.mouse.up()
        shown = self._page.evaluate(f"bench.newView({PATIENCE_S})")
        elapsed = shown - self._page.evaluate("bench.last.pointermove")
        self.settle()
        return float(elapsed)

    def months(self, runs: int) -> dict[str, Figure]:
        """Next months by key: one right after the other, and after a rest in which the page fetched them; and jumps to distant ones."""
        self._look_elsewhere()
        last = self._page.evaluate("carbonweather.current.spec.labels.length - 1")
        self._jump(0)
        self.settle()
        self._next_month(1)  # fetched already, as a page at rest fetches the neighbours; from here on nothing is
        plain = [self._next_month(step) for step in range(2, 2 + runs)]
        self._look_elsewhere()
        self._jump(0)
        rested = []
        for step in range(1, 1 + runs):
            self.settle()
            rested.append(self._next_month(step))
        self._look_elsewhere()
        targets = self._chance.sample(range(last // 2, last), min(runs, last // 2 - 1))
        jumps = [self._jump(step) for pair in zip(targets, range(len(targets)), strict=True) for step in pair]
        return {
            "month_ms": Figure(median(plain), "ms", len(plain)),
            "month_held_ms": Figure(median(rested), "ms", len(rested)),
            "month_jump_ms": Figure(median(jumps), "ms", len(jumps)),
        }

    def _next_month(self, step: int) -> float:
        self._arm()
        self._page.keyboard.press("ArrowRight")
        shown = self._page.evaluate(f"bench.newStep({step}, {PATIENCE_S})")
        return float(shown - self._page.evaluate("bench.last.keydown"))

    def _jump(self, step: int) -> float:
        begun = self._arm()
        self._page.evaluate(f"void carbonweather.current.setStep({step})")
        return float(self._page.evaluate(f"bench.newStep({step}, {PATIENCE_S})") - begun)

    def clicks(self, runs: int) -> Figure:
        """From a click on the map to its cell's series with trend being drawn."""
        self._page.evaluate("bench.watch('fitted')")
        elapsed = []
        for _ in range(runs):
            self._look_elsewhere()
            place = self._somewhere()
            self._page.mouse.move(*place)
            self._arm()
            self._page.mouse.click(*place)
            drawn = self._page.evaluate(f"bench.redrawn('fitted', 1, {PATIENCE_S})")
            elapsed.append(float(drawn - self._page.evaluate("bench.last.pointerup")))
            self.settle()
        return Figure(median(elapsed), "ms", runs)

    def regions(self, runs: int) -> dict[str, Figure]:
        """From a drawn box to its first estimate and its exact series being drawn; each box is a new one."""
        self._page.evaluate("bench.watch('mean')")
        first, exact = [], []
        across, up = REGION_DEGREES
        for _ in range(runs):
            west, south = self._chance.uniform(-170, 100), self._chance.uniform(-50, 20)
            ring = [[west, south], [west + across, south], [west + across, south + up], [west, south + up]]
            begun = self._arm()
            self._page.evaluate("ring => carbonweather.current.say('shape', {ring})", ring)
            first.append(float(self._page.evaluate(f"bench.redrawn('mean', 1, {PATIENCE_S})") - begun))
            exact.append(float(self._page.evaluate(f"bench.redrawn('mean', 2, {PATIENCE_S})") - begun))
            self.settle()
        return {
            "region_first_ms": Figure(median(first), "ms", runs),
            "region_exact_ms": Figure(median(exact), "ms", runs),
        }

    def playing(self, seconds: float) -> Figure:
        """Months a second on the screen while playing as fast as it can, from months that the browser does not hold yet."""
        self._look_elsewhere()
        self._arm()
        self._page.evaluate("void carbonweather.current.play(true, () => 60)")
        self._page.wait_for_timeout(1000 * seconds)
        self._page.evaluate("void carbonweather.current.play(false)")
        self.settle()
        first_shown: dict[int, float] = {}
        for picture, at in self._page.evaluate("bench.hits.filter(hit => hit.at).map(hit => [hit.picture, hit.at])"):
            first_shown.setdefault(picture, at)
        moments = sorted(first_shown.values())
        if len(moments) < 2:
            raise BenchFailed(f"Playing showed {len(moments)} months in {seconds:g} s; a rate needs two.")
        return Figure((len(moments) - 1) / (moments[-1] - moments[0]) * 1e3, "/s", len(moments))
