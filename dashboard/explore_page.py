"""The Explore page as people see it: the map first, everything else as soon as the map is there."""

from __future__ import annotations

import json
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.custom import JSComponent

from dashboard.about import about
from dashboard.background import Build
from dashboard.download_button import download_button
from dashboard.explore import POLL_MS, ExplorePage
from dashboard.library import Library
from dashboard.shell import NARROW_PIXELS, STATIC, repeat, shell
from dashboard.wording import time_text

_GRID = """
.scroll-button { display: none; }
:host { display: grid; grid-template-rows: auto minmax(260px, 1fr) 46px minmax(20px, auto) 236px; gap: 8px;
  height: calc(100vh - 64px); min-height: 620px; padding: 8px 12px; box-sizing: border-box; width: 100%; }
@media (max-width: 900px) {
  :host { height: auto; grid-template-rows: auto 44vh auto auto auto; align-content: start; padding: 4px; }
}
"""
_MAPS = """
.scroll-button { display: none; }
:host { display: flex; flex-direction: row; gap: 6px; width: 100%; height: 100%; min-height: 0; }
:host > * { flex: 1; min-width: 0; height: 100%; }
@media (max-width: 900px) { :host { flex-direction: column; } }
"""
_VIEWS = """
.scroll-button { display: none; }
:host { display: grid; grid-template-columns: 2.1fr 1.7fr 1fr 1fr; gap: 8px; width: 100%; height: 100%; min-height: 0; }
:host > * { min-width: 0; height: 100%; border-radius: 8px; overflow: hidden; }
@media (max-width: 900px) { :host { grid-template-columns: 1fr; grid-auto-rows: 240px; height: auto; } }
"""
_SUMMARY = ":host { margin: 0; font: 13px/1.4 Roboto, sans-serif; color: var(--mui-palette-text-primary, #22313f); }"
_EMPTY = (
    "There is no data set to show yet. Bring your own with `carbonweather data import PATH`, "
    "or build the demo with `carbonweather demo`."
)
DOWNLOADS = (
    ("Map as picture (PNG)", "map.png"),
    ("Presentation still, Robinson (PNG)", "still.png"),
    ("Map as data (netCDF)", "map.nc"),
    ("Map as data (GeoTIFF)", "map.tif"),
    ("Series as table (CSV)", "series.csv"),
)
_SHOWN_LIMITS = """
(shown => shown ? `&shown=${shown.low},${shown.high}` : "")(window.carbonweather?.current?.spec)
"""
"""The colour limits on screen, which an address with automatic limits does not say."""

PICTURE_SCRIPT = (STATIC / "picture.js").read_text(encoding="utf-8")


class TimeBar(JSComponent):
    """Step, play, slider and month label; the browser half of the map owns the step."""

    _esm = STATIC / "timebar.js"
    _stylesheets = [(STATIC / "timebar.css").read_text(encoding="utf-8")]


class Banners:
    """Messages, the progress of a build and the word that there is nothing to show; each widget is made when first needed."""

    def __init__(self) -> None:
        self.column = pn.Column(sizing_mode="stretch_width", margin=0)
        self._notice: Any = None
        self._empty: Any = None
        self._progress: tuple[Any, Any] | None = None

    def say(self, sentence: str) -> None:
        """Show a message until it is closed; '' takes it away."""
        if self._notice is None and sentence:
            self._notice = self._add(pmui.Alert(severity="info", closeable=True, margin=0, sizing_mode="stretch_width"))
        if self._notice is not None:
            self._notice.param.update(object=sentence, visible=bool(sentence))

    def nothing_to_show(self, nothing: bool) -> None:
        """Say what to do where there is no data."""
        if self._empty is None and nothing:
            self._empty = self._add(pmui.Alert(_EMPTY, severity="warning", margin=0, sizing_mode="stretch_width"))
        if self._empty is not None and self._empty.visible != nothing:
            self._empty.visible = nothing

    def progress(self, build: Build | None) -> None:
        """Bar and sentence of what goes on in the background."""
        if build is None:
            return
        status = build.status()
        if self._progress is None and (status.active or status.sentence):
            words = self._add(pmui.Typography("", variant="caption", margin=0))
            self._progress = words, self._add(pmui.LinearProgress(value=0, sizing_mode="stretch_width", margin=(2, 0)))
        if self._progress is not None:
            words, bar = self._progress
            words.param.update(object=status.sentence, visible=bool(status.sentence))
            bar.param.update(value=round(100 * status.fraction), visible=status.active)

    def _add(self, widget: Any) -> Any:
        self.column.append(widget)
        return widget


def page(library: Library, build: Build | None) -> pmui.Page:
    """One session's Explore page."""
    query = pn.state.location.search.lstrip("?") if pn.state.location else ""
    view = ExplorePage(library, query)
    banners = Banners()
    banners.say(" ".join(view.messages))
    summary = pn.pane.HTML("", margin=0, sizing_mode="stretch_width", stylesheets=[_SUMMARY])
    maps = pn.Column(_figure(view.map.figure), stylesheets=[_MAPS], margin=0)
    views = pn.Column(stylesheets=[_VIEWS], margin=0)
    side = pn.Column(sizing_mode="stretch_width", margin=0)
    made = shell(
        "",
        main=[
            pn.Column(
                banners.column,
                maps,
                TimeBar(sizing_mode="stretch_width", margin=0),
                summary,
                views,
                stylesheets=[_GRID],
                margin=0,
            )
        ],
        sidebar=[side],
    )

    def arrange() -> None:
        both = view.state.compare == "side"
        if both and len(maps) == 1:
            maps.append(_figure(view.map.second_figure))
        elif not both and len(maps) > 1:
            maps.pop(1)

    def summarise(point: str, region: str) -> None:
        summary.object = "&ensp;·&ensp;".join(_escaped(part) for part in (point, region) if part)

    def screen(width: int) -> None:
        if width < NARROW_PIXELS:
            made.sidebar_open = False

    def fill() -> None:
        if len(side):
            return
        views.objects = [_figure(fig) for fig in view.linked.figures()]
        side.objects = _sidebar(view)

    def poll() -> None:
        view.poll()
        banners.nothing_to_show(view.cube is None and (build is None or not build.running))
        banners.progress(build)

    if pn.state.curdoc is not None:
        pn.state.curdoc.template_variables.update(
            {
                "map_script": PICTURE_SCRIPT,
                "first_map": first_picture(view, made.sidebar_open),
            }
        )
    view.on_message, view.on_summary, view.on_shown, view.on_screen = banners.say, summarise, arrange, screen
    arrange()
    summarise(*view.summaries)
    made.param.watch(lambda event: view.set_dark(bool(event.new)), "dark_theme")
    poll()
    if view.cube is None or pn.state.curdoc is None:
        pn.state.onload(fill)
    else:
        view.on_ready = fill  # when the browser has painted the map
    repeat(poll, milliseconds=POLL_MS)
    return made


def first_picture(view: ExplorePage, sidebar_open: bool) -> dict[str, Any] | None:
    """What page.html needs to put the map on screen before the page's libraries are loaded; None where there is nothing to show.

    The difference of two maps and what lies beside or over another one wait for explore.js.
    """
    spec = view.spec()
    if "layer" not in spec or spec["compare"] == "difference":
        return None
    wanted = {
        name: spec[name] for name in ("layer", "step", "at", "projection", "palette", "low", "high", "log", "dark")
    }
    wanted["outlines"] = [name for name in ("borders", "coastlines") if name in spec["layers"]]
    title = f"{spec['title']} · {time_text(spec['labels'][spec['step']])}"
    return {
        "title": title,
        "narrow": not sidebar_open,
        "spec": json.dumps(wanted, separators=(",", ":")).replace("<", "\\u003c"),
    }


def _sidebar(view: ExplorePage) -> list[Any]:
    controls = view.controls
    controls.goto.param.watch(lambda event: event.new and view.go_to(event.new), "value")
    wide = {"sizing_mode": "stretch_width", "margin": 0}
    return [
        controls.cube,
        controls.variable,
        about(view),
        pmui.Divider(**wide),
        controls.layers,
        controls.region.group,
        controls.region.name,
        pmui.Divider(**wide),
        pn.Row(controls.compare, controls.projection, **wide),
        controls.compare_cube,
        controls.compare_time,
        pn.Row(controls.palette, controls.scale, **wide),
        controls.limits,
        pn.Row(controls.low, controls.high, **wide),
        controls.goto,
        pmui.Divider(**wide),
        *(download_button(label, kind, more=_SHOWN_LIMITS) for label, kind in DOWNLOADS),
    ]


def _figure(fig: Any) -> pn.pane.Bokeh:
    return pn.pane.Bokeh(fig, sizing_mode="stretch_both", margin=0)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
