"""The Explore page: one `ViewState`, a map, four linked views and the controls, kept in step.

The state is the only truth: controls and the browser write to it, and after each change `ExplorePage` tells the map one new spec.
Work that reads much (regions, series) runs in threads and comes back through the document's next tick, so no session blocks another.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
from bokeh.models import LinearColorMapper

from analysis.errors import AnalysisError
from analysis.statistics.trends import SeriesFit, fit_series
from dashboard.controls import Controls
from dashboard.ground_sites import SITE_AT_POINT_DEG, nearest_site, site_markers, site_series
from dashboard.library import Library, cube_choice, time_labels
from dashboard.linked import LinkedViews, hovmoller, milliseconds
from dashboard.map_view import FetchedMap
from dashboard.natural import natural
from dashboard.regions import named_region, region_exists, region_names, region_rings, region_title
from dashboard.session_work import SessionWork
from dashboard.shown import Shown
from dashboard.state import ViewState, home_view, polygon_text
from dashboard.wording import fit_sentence, map_heading, place_text, region_sentence, time_text
from data.cube import Cube, RegionCancelled, RegionSeries
from data.palettes import palette

POLL_MS = 2000
"""How often a session looks for new months or data sets."""
SNAP_SHARE = 0.008
"""A click this near to a ground site, as a share of the map's width, means the site."""
UNCERTAINTIES = ("xco2_std", "xco2_stderr")
"""Variables that say how sure XCO2 is; the first that a cube has is what is hatched."""
FIRST_ESTIMATE_CELLS = 20_000
"""A region is first averaged on the finest pyramid level with at most this many cells in its box: under 100 ms."""

_THREADS = ThreadPoolExecutor(max_workers=3, thread_name_prefix="explore")


@dataclass(frozen=True)
class VisibleWindow:
    """What the browser reported of the visible pixels, and for which picture."""

    key: tuple[str, ...]
    low: float
    high: float
    mean: float


@dataclass(frozen=True)
class PointSeries:
    """What one cell has to say: its values, their fit, the ground site there (times, values) if any, and a sentence."""

    times: np.ndarray
    values: np.ndarray
    fit: SeriesFit | None
    site: tuple[np.ndarray, np.ndarray] | None
    sentence: str


class ExplorePage(Shown):
    """One session's Explore page.

    Parameters
    ----------
    library : what there is to show.
    query : the address the page was opened with.
    """

    def __init__(self, library: Library, query: str = "") -> None:
        super().__init__(library, ViewState())
        self._work = SessionWork(_THREADS, lambda sentence: self.on_message(sentence), silent=(RegionCancelled,))
        self.messages: list[str] = self.state.apply_query(query, library.choices(), region_exists)
        mapper = LinearColorMapper(palette=["#000000"], low=0.0, high=1.0)
        self.linked = LinkedViews()
        self.map = FetchedMap(self.linked.browser_models, mapper, site_markers(library))
        self._controls: Controls | None = None
        self.on_message: Callable[[str], None] = lambda sentence: None
        self.on_summary: Callable[[str, str], None] = lambda point, region: None
        self.on_shown: Callable[[], None] = lambda: None
        self.on_screen: Callable[[int], None] = lambda width: None
        self.on_ready: Callable[[], None] = lambda: None
        self.fit: SeriesFit | None = None
        self.region_series: RegionSeries | None = None
        self.dark = False
        self._seq = 0
        self._goto = 0
        self._quiet = False
        self._window: VisibleWindow | None = None
        self._reported = 0
        self._columns: list[int] = []
        self._cancel_region = Event()
        self.summaries = ["", ""]
        self._region_words = ("", "", "")
        self._seen: tuple[Any, ...] = ()
        self.map.on_event(self._browser_event)
        self._new_cube()
        self.state.param.watch(self._changed, [name for name in self.state.param if name != "name"])
        self._update_point()
        self._update_region()
        self._push()

    # -- what is shown -----------------------------------------------------------------------------------------------

    def limits(self) -> tuple[float, float]:
        """Colour limits in the variable's units; where automatic, those of the visible pixels as the browser reported them."""
        reported = self._window is not None and self._window.key == self._picture_key()
        return self.colour_limits(
            (self._window.low, self._window.high) if self._window is not None and reported else None
        )

    def _picture_key(self) -> tuple[str, ...]:
        state = self.state
        return state.cube, state.variable, state.compare if state.compare == "difference" else "", state.compare_cube

    def spec(self) -> dict[str, Any]:
        """All that the browser half needs; see static/explore.js."""
        state, cube = self.state, self.cube
        low, high = self.limits()
        spec: dict[str, Any] = {
            "seq": self._seq,
            "goto": self._goto,
            "projection": state.projection,
            "at": [state.lon, state.lat, state.span],
            "home": list(home_view(None if cube is None else cube_choice(state.cube, cube))),
            "palette": palette(self.palette_name),
            "auto": state.limits == "auto",
            "window": self._reported,
            "low": low,
            "high": high,
            "log": self.log,
            "layers": list(state.layers),
            "compare": state.compare,
            "point": state.point,
            "region": region_rings(state.region),
            "query": state.to_query(),
            "dark": self.dark,
            "labels": [],
            "times": [],
            "step": 0,
        }
        if cube is None:
            return spec
        times = cube.times
        facts = cube.variables[state.variable]
        months = times.astype("datetime64[M]")
        spec |= {
            "layer": {"cube": state.cube, "variable": state.variable, "version": cube.version},
            "labels": list(time_labels(cube)),
            "times": milliseconds(times).tolist(),
            "periods": [[f"{month}-01", f"{month + 1}-01"] for month in months],
            "step": self.step,
            "units": facts.units,
            "digits": _digits(low, high),
            "title": map_heading(cube, state.variable),
            "hovmoller_columns": self._columns,
        }
        if (other := self.other) is not None:
            spec["second"] = f"{other[0].title} · {time_text(time_labels(other[0])[other[2]])}"
            spec["other"] = {
                "cube": state.compare_cube or state.cube,
                "variable": other[1],
                "step": other[2],
                "version": other[0].version,
            }
        std = next((name for name in UNCERTAINTIES if name in cube.variables), "")
        if std and state.variable != std:
            threshold = float(cube.limits(std)[0] + 0.6 * np.diff(cube.limits(std))[0])
            spec["std"] = {"cube": state.cube, "variable": std, "version": cube.version, "threshold": threshold}
        return spec

    # -- changes -----------------------------------------------------------------------------------------------------

    def _changed(self, *events: Any) -> None:
        names = {event.name for event in events}
        if self._quiet:
            return
        if names & {"cube", "variable"}:
            self._new_cube()
        if names & {"cube", "variable", "point"}:
            self._update_point()
        if names & {"cube", "variable", "region"}:
            self._update_region()
        if names & {"time"}:
            self._seq += 1
            self._summarise_step()
        if "palette" in names:
            self.linked.hovmoller_mapper.palette = palette(self.own_palette)
        if names & {"compare_cube", "compare"}:
            self._offer()
        self._push()

    def _new_cube(self) -> None:
        """Variable, time and place that exist in the chosen cube; its latitude-time picture."""
        cube, state = self.cube, self.state
        if cube is None:
            return
        choice = cube_choice(state.cube, cube)
        changed = state.cube != getattr(self, "_cube_name", state.cube)
        self._cube_name = state.cube
        self._quiet = True
        try:
            variable = state.variable if state.variable in choice.variables else choice.variables[0]
            time = choice.times[self.step_of(cube, state.time)]
            if (variable, time) != (state.variable, state.time):
                self._seq += 1
            state.param.update(variable=variable, time=time)
            if changed:
                lon, lat, span = home_view(choice)
                state.param.update(
                    lon=lon, lat=lat, span=span, limits="auto" if state.limits == "manual" else state.limits
                )
                self._goto += 1
                self._seq += 1
        finally:
            self._quiet = False
        times, lat_rows, values = cube.zonal(state.variable)
        picture = hovmoller(times, lat_rows, values, south=choice.south, north=choice.north)
        self._columns = picture.columns
        low, high = cube.limits(state.variable)
        if natural(cube, state.variable).diverging:
            low, high = -max(-low, high), max(-low, high)
        self.linked.show_hovmoller(picture, (low, high), palette(self.own_palette))
        self._offer()

    @property
    def controls(self) -> Controls:
        """The widgets of the sidebar; made when they are first asked for, so that the map need not wait."""
        if self._controls is None:
            self._controls = Controls(self.state, self._titles(), region_names())
            self._offer()
        return self._controls

    def _titles(self) -> dict[str, str]:
        return {name: cube.title for name, cube in self.library.cubes().items()}

    def _offer(self) -> None:
        cube, other = self.cube, self.other_cube
        variables = (
            {} if cube is None else {name: cube.variables[name].long_name for name in cube_choice("", cube).variables}
        )
        if self._controls is not None:
            self._controls.offer(self._titles(), variables, () if other is None else time_labels(other))

    def _push(self) -> None:
        spec = self.spec()
        units = spec.get("units", "")
        self.map.describe(second_title=spec.get("second", ""), bar_title=units, dark=self.dark)
        self.linked.describe(units=units, series_title=self._series_title(), dark=self.dark)
        self.map.show(spec)
        self.on_shown()

    def _series_title(self) -> str:
        parts = []
        if self.state.point is not None:
            parts.append(place_text(*self.state.point))
        if self.state.region:
            parts.append(region_title(self.state.region))
        return " · ".join(parts) or "Series: click the map, or choose a region"

    def go_to(self, text: str) -> bool:
        """Centre the map on 'latitude, longitude' and select that point; False with a message if it is no place."""
        parts = text.replace(";", ",").split(",")
        try:
            lat, lon = (float(part) for part in parts)
        except ValueError:
            lat = lon = float("nan")
        if not (-90 <= lat <= 90 and -360 <= lon <= 360):
            self.on_message(f"'{text[:40]}' is not a latitude and a longitude, such as 39.9, 116.4.")
            return False
        lon = (lon + 180.0) % 360.0 - 180.0
        self._goto += 1
        self.state.param.update(lon=lon, lat=lat, span=min(self.state.span, 20.0), point=(lon, lat))
        return True

    def set_dark(self, dark: bool) -> None:
        """Follow the page's theme."""
        self.dark = dark
        self._push()

    def poll(self) -> None:
        """Take in months and data sets that appeared since the last look."""
        cube = self.cube
        seen = (None if cube is None else cube.version, tuple(self.library.cubes()))
        if seen == self._seen:
            return
        first, self._seen = not self._seen, seen
        if first:
            return
        if cube is None:
            self.state.apply_query("", self.library.choices(), region_exists)
            self._goto += 1
        self._new_cube()
        self._push()

    # -- the browser -------------------------------------------------------------------------------------------------

    def _browser_event(self, event: dict[str, Any]) -> None:
        kind, state = event.get("kind"), self.state
        if kind == "view":
            span = float(np.clip(event["span"], 0.05, 720.0))
            state.param.update(lon=float(event["lon"]), lat=float(np.clip(event["lat"], -90, 90)), span=span)
        elif kind == "step":
            cube = self.cube
            if cube is not None:
                labels = time_labels(cube)
                label = labels[int(np.clip(event["step"], 0, len(labels) - 1))]
                if label != state.time:
                    self._quiet = True  # the browser is already there: the spec must not send it back
                    try:
                        state.time = label
                    finally:
                        self._quiet = False
                    self._summarise_step()
                    self._push()
        elif kind == "pick":
            lon, lat = float(event["lon"]), float(event["lat"])
            site = nearest_site(self.library, lon, lat, SNAP_SHARE * state.span) if "tccon" in state.layers else None
            state.point = (lon, lat) if site is None else (site.lon, site.lat)
        elif kind == "shape":
            ring = [(float(lon), float(lat)) for lon, lat in event["ring"]]
            if len(ring) >= 3:
                state.region = polygon_text(ring)
        elif kind == "window":
            self._reported = int(event.get("n", 0))
            self._window = VisibleWindow(
                self._picture_key(), float(event["low"]), float(event["high"]), float(event["mean"])
            )
            if state.limits == "auto":
                self._push()
        elif kind == "pop":
            self._quiet = True
            try:
                repairs = state.apply_query(str(event["query"]), self.library.choices(), region_exists)
            finally:
                self._quiet = False
            self._goto += 1
            self._seq += 1
            self._cube_name = state.cube
            self._new_cube()
            self._update_point()
            self._update_region()
            if self._controls is not None:
                self._controls.show()
            self._push()
            for sentence in repairs:
                self.on_message(sentence)
        elif kind == "ready":
            self.on_ready()
        elif kind == "screen":
            self.on_screen(int(event.get("width", 0)))
        elif kind == "error":
            self.on_message(str(event.get("sentence", ""))[:300])

    # -- series and regions ------------------------------------------------------------------------------------------

    def _update_point(self) -> None:
        cube, state = self.cube, self.state
        self.fit = None
        if cube is None or state.point is None:
            self.linked.clear_point()
            self.linked.show_site(np.array([], dtype="datetime64[ns]"), np.array([]))
            self._summarise(0, "")
            return
        lon, lat = state.point
        variable, asked = state.variable, (state.point, state.variable, state.cube)

        def work() -> PointSeries:
            values, times = cube.series(variable, lon, lat), cube.times
            site = nearest_site(self.library, lon, lat, SITE_AT_POINT_DEG)
            seen = None if site is None else site_series(self.library, site)
            place = place_text(lon, lat) if site is None else f"{site.network} {site.name}, {place_text(lon, lat)}"
            try:
                fit = fit_series(times, values)
                return PointSeries(
                    times, values, fit, seen, f"{place}: {fit_sentence(fit, cube.variables[variable].units)}"
                )
            except AnalysisError as error:
                return PointSeries(times, values, None, seen, f"{place}: {error}")

        def show(result: PointSeries) -> None:
            if asked != (self.state.point, self.state.variable, self.state.cube):
                return
            self.fit = result.fit
            self.linked.show_point(result.fit, result.times, result.values)
            self.linked.show_site(*(result.site or (np.array([], dtype="datetime64[ns]"), np.array([]))))
            self._summarise(0, result.sentence)

        self._work.do(work, show)

    def _update_region(self) -> None:
        self._cancel_region.set()
        cube, state = self.cube, self.state
        geometry = named_region(state.region) if state.region else None
        if cube is None or geometry is None:
            self.linked.clear_region()
            self.region_series = None
            self._summarise(1, "")
            return
        cancel = self._cancel_region = Event()
        variable, name = state.variable, region_title(state.region)
        units = cube.variables[variable].units
        level = _estimate_level(cube, geometry.bounds)

        def show(result: Any) -> None:
            series, exact = result
            if cancel.is_set():
                return
            self.linked.show_region(series.times, series.mean, series.std)
            self.region_series = series
            self._region_words = (name, units, "" if exact else " (first estimate)")
            self._summarise_step()

        def work() -> Any:
            estimate = cube.region_series(variable, geometry, level=level)
            if level > 0:
                self._work.tell(lambda: show((estimate, False)))
                return cube.region_series(variable, geometry, level=0, cancelled=cancel.is_set), True
            return estimate, True

        self._work.do(work, show)

    def _summarise_step(self) -> None:
        """The region's numbers at the step on the map."""
        if self.region_series is not None:
            name, units, note = self._region_words
            self._summarise(1, f"{name}: {region_sentence(self.region_series, self.step, units)}{note}")

    def _summarise(self, which: int, sentence: str) -> None:
        self.summaries[which] = sentence
        self.on_summary(*self.summaries)


def _digits(low: float, high: float) -> int:
    """Decimals that show a two-hundredth of the colour scale."""
    return int(np.clip(np.ceil(-np.log10((high - low) / 200.0)), 0, 9))


def _estimate_level(cube: Cube, bounds: tuple[float, float, float, float]) -> int:
    west, south, east, north = bounds
    cells = max(1.0, (east - west) / cube.grid.dlon) * max(1.0, (north - south) / cube.grid.dlat)
    level = 0
    while cells > FIRST_ESTIMATE_CELLS and level < cube.levels - 1:
        cells, level = cells / 4.0, level + 1
    return level
