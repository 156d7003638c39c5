"""The Atmosphere page: CO2 by height from any mole fractions on levels, and the zone in which it is stable.

One `AtmosphereState` a session is the only truth; the address bar, the controls and clicks write to it. After each change
threads work out what depends on it (`dashboard.atmosphere_shown`), and figures made once are brought to the results.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.events import Tap

from analysis.statistics.sections import Cancelled
from analysis.statistics.stability import Stability
from dashboard.address import AddressBar
from dashboard.atmosphere_controls import AtmosphereControls
from dashboard.atmosphere_layout import body, hidden, panels, time_bar
from dashboard.atmosphere_shown import (
    History,
    Moment,
    Volumes,
    axis_of,
    history,
    moment,
    stability_key,
    stability_of,
    step_of,
    value_limits,
    zone_shape,
)
from dashboard.atmosphere_state import AtmosphereState, VolumeChoice
from dashboard.atmosphere_views import AtmosphereViews
from dashboard.atmosphere_words import (
    EMPTY_CSS,
    HELP,
    SUMMARY_CSS,
    TABLE_CSS,
    about_text,
    empty_html,
    summary_html,
    waiting_html,
    zone_html,
)
from dashboard.background import Build
from dashboard.library import Library
from dashboard.regions import region_exists, region_names, region_rings
from dashboard.session_work import SessionWork
from dashboard.shell import repeat, shell
from data.volumes import Volume

POLL_MS = 2000
"""How often a session looks whether something has been imported."""

PROGRESS_EVERY = 8
"""Steps between two words on how far the zone is."""

_THREADS = ThreadPoolExecutor(max_workers=3, thread_name_prefix="atmosphere")


class AtmospherePage:
    """One session's Atmosphere page.

    Parameters
    ----------
    library : the data folder.
    query : the address the page was opened with.
    """

    def __init__(self, library: Library, query: str = "") -> None:
        self._work = SessionWork(_THREADS, self._say, silent=(Cancelled,), when_loaded=True)
        self.volumes = Volumes(library.root)
        self.state = AtmosphereState()
        self.views = AtmosphereViews()
        self.address = AddressBar(query=query)
        self.controls = AtmosphereControls(self.state, region_names(), self.go_to)
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
        self.notice = pmui.Alert("", severity="info", closeable=True, visible=False, **wide)
        self.empty = pn.pane.HTML("", stylesheets=[EMPTY_CSS], visible=False, **wide)
        self.summary = pn.pane.HTML("", stylesheets=[SUMMARY_CSS], **wide)
        self.table = pn.pane.HTML(
            "", stylesheets=[TABLE_CSS], sizing_mode="stretch_both", margin=0, css_classes=["zone"]
        )
        self.volume: Volume | None = None
        self.stability: Stability | None = None
        self.history: History | None = None
        self.moment: Moment | None = None
        self._version = -1
        self._quiet = False
        self._stability_key: tuple[object, ...] = ()
        self._running = {name: Event() for name in ("moment", "history", "stability", "limits")}
        self.state.param.watch(self._changed, [name for name in self.state.param if name != "name"])
        self.address.param.watch(lambda event: self._came_back(event.new), "query")
        self.views.map.on_event(Tap, self._picked_place)
        self.views.section.on_event(Tap, self._picked_latitude)
        self.views.history.on_event(Tap, self._picked_time)

    def main(self) -> list[Any]:
        """What stands in the middle of the page."""
        bar, grid = time_bar(self.summary, self.controls.player), panels(self.views.figures, self.table)
        self.content = hidden(bar, grid)
        return [body(self.notice, self.empty, self.content, self.address)]

    def poll(self) -> None:
        """Take in data sets that were imported or removed since the last look."""
        version = self.volumes.version
        if version == self._version:
            return
        self._version = version
        self._adopt(self.volumes.choices())  # reads the store's manifest alone

    def set_dark(self, dark: bool) -> None:
        """Follow the page's theme."""
        self.views.set_dark(dark)

    def close(self) -> None:
        """Nobody looks any more: what is under way may stop."""
        for event in self._running.values():
            event.set()

    def go_to(self, text: str) -> None:
        """Choose the place 'latitude, longitude'; a message if it is none."""
        try:
            lat, lon = (float(part) for part in text.replace(";", ",").split(","))
        except ValueError:
            lat = lon = float("nan")
        if not (-90 <= lat <= 90 and -360 <= lon <= 360):
            self._say(f"'{text[:40]}' is not a latitude and a longitude, such as 39.9, 116.4.")
            return
        self._choose(lon, lat)

    # -- changes -----------------------------------------------------------------------------------------------------

    def _adopt(self, choices: dict[str, VolumeChoice]) -> None:
        nothing = not choices
        self.empty.param.update(object=empty_html() if nothing else "", visible=nothing)
        self.content.visible = not nothing
        self._apply(self.address.query, choices)

    def _apply(self, query: str, choices: dict[str, VolumeChoice]) -> None:
        self._quiet = True
        try:
            repairs = self.state.apply_query(query, choices, region_exists)
        finally:
            self._quiet = False
        self._say(" ".join(repairs))
        self.volume = None
        self._changed()

    def _came_back(self, query: str) -> None:
        """The back button, or our own writing of the address."""
        if query != self.state.to_query():
            self._apply(query, self.volumes.choices())

    def _changed(self, *events: Any) -> None:
        """After any change: what depends on it is worked out anew."""
        if self._quiet:
            return
        names = {event.name for event in events} or set(self.state.param)
        if self.volume is None or "volume" in names:
            names = set(self.state.param)
            self._open()
        volume = self.volume
        if volume is None:
            return
        self.address.query = self.state.to_query()
        if names & {"axis", "top"}:
            self.views.show_axis(axis_of(self.state))
        if names & {"point", "region"}:
            self.views.show_place(None if self.state.region else self.state.point, region_rings(self.state.region))
        if names & {"axis", "top", "component", "palette"}:
            self._start("limits", value_limits, self._show_limits)
        if names & {"axis", "top", "component", "time", "along", "point", "region"}:
            self.views.show_time(volume.times[step_of(volume, self.state.time)])
            self._start("moment", moment, self._show_moment)
        if names & {"axis", "top", "component", "point", "region"}:
            self.history = None
            self.views.clear_band()
            self._start("history", history, self._show_history)
        if (
            names & {"axis", "top", "component", "span", "time"}
            and stability_key(volume, self.state) != self._stability_key
        ):
            self._work_out_stability(volume)
        elif names & {"gradient_limit", "variation_limit", "detrended", "point", "region", "palette"}:
            self._show_zone()

    def _open(self) -> None:
        """The chosen data set, with a component and a time that it has."""
        choices = self.volumes.choices()
        self.volume = self.volumes.get(self.state.volume)
        self._stability_key = ()
        if self.volume is not None:
            self._quiet = True
            try:
                self.state.param.update(**self.state.fit(choices[self.state.volume]))
                self._stay_within(self.volume)
            finally:
                self._quiet = False
            self.views.show_grid(self.volume.grid)
            self.controls.about.object = about_text(self.volume)
            self.controls.help.object = HELP
        self.controls.offer(choices)

    def _stay_within(self, volume: Volume) -> None:
        """A place outside a regional data set becomes its middle."""
        grid, (lon, lat) = volume.grid, self.state.point
        if grid.row(lat) is None or grid.column(lon) is None:
            middle = grid.west + 0.5 * grid.nlon * grid.dlon, grid.south + 0.5 * grid.nlat * grid.dlat
            self.state.point = ((middle[0] + 180.0) % 360.0 - 180.0, middle[1])

    def _work_out_stability(self, volume: Volume) -> None:
        self._stability_key = stability_key(volume, self.state)
        self.stability = None
        self.views.clear_stability()
        self.table.object = waiting_html("Working out gradient and variation …")

        def tell(done: int, total: int) -> None:
            if done % PROGRESS_EVERY == 0 and done < total:
                words = waiting_html(f"Working out gradient and variation: {done} of {total} times …")
                self._work.tell(lambda: self._tell_progress(words))

        def work(chosen: Volume, state: AtmosphereState, cancelled: Callable[[], bool]) -> Stability:
            return stability_of(chosen, state, cancelled, tell)

        self._start("stability", work, self._show_stability)

    def _tell_progress(self, words: str) -> None:
        if self.stability is None:
            self.table.object = words

    # -- results -----------------------------------------------------------------------------------------------------

    def _show_limits(self, found: Any) -> None:
        values, columns = found
        self.views.set_limits(values, columns, self.state.palette)

    def _show_moment(self, found: Moment) -> None:
        assert self.volume is not None
        self.moment = found
        self.views.show_moment(found, self.volume.grid)
        self._show_range()
        self.summary.object = summary_html(found, self.state, simulated=self.volume.simulated)
        self._show_zone()

    def _show_history(self, found: History) -> None:
        self.history = found
        self.views.show_history(found)
        self._show_range()

    def _show_range(self) -> None:
        """The band of a single place's profile: the range over all times."""
        if self.history is None or self.moment is None or self.moment.profile.count > 1:
            return
        values = self.history.section.values
        known = np.isfinite(values).any(axis=1)
        low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
        low[known], high[known] = np.nanmin(values[known], axis=1), np.nanmax(values[known], axis=1)
        self.views.show_band(low, high)

    def _show_stability(self, found: Stability) -> None:
        self.stability = found
        self._show_zone()

    def _show_zone(self) -> None:
        found, state = self.stability, self.state
        self.views.set_stability_limits(state.gradient_limit, state.variation_limit)
        if found is None or self.volume is None:
            return
        latitude = self.moment.latitude if self.moment is not None else float(state.point[1])
        shape = zone_shape(found, state)
        self.views.show_stability(found, detrended=state.detrended, grid=self.volume.grid)
        self.views.show_zone(shape, latitude)
        self.table.object = zone_html(shape.rows, found, state, latitude)

    def _say(self, sentence: str) -> None:
        self.notice.param.update(object=sentence, visible=bool(sentence))

    def _fail(self, name: str, sentence: str) -> None:
        if name == "stability":
            self.table.object = waiting_html(sentence)
        elif name == "moment":
            self._say(sentence)

    # -- clicks ------------------------------------------------------------------------------------------------------

    def _picked_place(self, event: Any) -> None:
        if event.x is not None and event.y is not None and abs(event.y) <= 90:
            self._choose(float(event.x), float(event.y))

    def _picked_latitude(self, event: Any) -> None:
        if event.x is not None and abs(event.x) <= 90:
            self._choose(float(self.state.point[0]), float(event.x))

    def _picked_time(self, event: Any) -> None:
        if self.volume is not None and event.x is not None:
            moments = self.volume.times.astype("datetime64[ms]").astype(np.int64)
            choice = VolumeChoice.of(self.volume)
            self.state.time = choice.times[int(np.argmin(np.abs(moments - event.x)))]

    def _choose(self, lon: float, lat: float) -> None:
        self.state.param.update(point=((lon + 180.0) % 360.0 - 180.0, lat), region="")

    # -- threads -----------------------------------------------------------------------------------------------------

    def _start(self, name: str, work: Callable[..., Any], show: Callable[[Any], None]) -> None:
        """Do one of the page's four pieces of work for the state as it is now; an older one of the same name ends."""
        self._running[name].set()
        cancel = self._running[name] = Event()
        volume, state = self.volume, AtmosphereState(**self.state.param.values())
        arguments = (volume, state, cancel.is_set) if name in ("history", "stability") else (volume, state)

        def run() -> Any:
            if cancel.is_set():
                raise Cancelled("Another one is wanted by now.")
            return work(*arguments)

        def unless_cancelled(result: Any) -> None:
            if not cancel.is_set():
                show(result)

        self._work.do(run, unless_cancelled, fail=lambda sentence: self._fail(name, sentence))


def page(library: Library, build: Build | None) -> pmui.Page:
    """One session's Atmosphere page; what goes on in the background (`build`) is shown on the Explore page."""
    query = pn.state.location.search.lstrip("?") if pn.state.location else ""
    view = AtmospherePage(library, query)
    made = shell("atmosphere", main=view.main(), sidebar=view.controls.widgets)
    made.param.watch(lambda event: view.set_dark(bool(event.new)), "dark_theme")
    view.poll()
    repeat(view.poll, milliseconds=POLL_MS)
    pn.state.on_session_destroyed(lambda context: view.close())
    return made
