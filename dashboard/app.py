"""The application: pages assembled from their parts, and the server that shows them together with the data routes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.custom import JSComponent
from panel_material_ui.template.base import Meta

from dashboard.about import about, download_buttons
from dashboard.background import Build
from dashboard.explore import POLL_MS, ExplorePage
from dashboard.library import Library
from dashboard.map_view import STATIC
from dashboard.server import data_patterns

log = logging.getLogger(__name__)

THEME = {
    "light": {
        "palette": {
            "primary": {"main": "#0b6e8f"},
            "secondary": {"main": "#e09f1f"},
            "background": {"default": "#f3f6f8", "paper": "#ffffff"},
        }
    },
    "dark": {
        "palette": {
            "primary": {"main": "#4fb3d1"},
            "secondary": {"main": "#f0b94a"},
            "background": {"default": "#0d141b", "paper": "#121a22"},
        }
    },
}

NARROW_PIXELS = 900
"""Below this width the controls are a drawer that starts closed, and the views stand below one another."""

_GRID = """
.scroll-button { display: none; }
:host { display: grid; grid-template-rows: auto minmax(260px, 1fr) auto auto 236px; gap: 8px; height: calc(100vh - 64px); min-height: 620px;
  padding: 8px 12px; box-sizing: border-box; width: 100%; }
@media (max-width: 900px) { :host { height: auto; grid-template-rows: auto 56vh auto auto auto; padding: 4px; } }
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
_PAGE = """
#loader:not(.error) { display: none !important; }
body { overflow-x: hidden; }
"""
"""The shell's full-screen spinner waits for the last widget; the map is there long before."""
_SUMMARY = ":host { width: 100%; margin: 0; } p, div { margin: 0; font-size: 13px; line-height: 1.4; }"


class TimeBar(JSComponent):
    """Step, play, slider and month label; the browser half of the map owns the step."""

    _esm = STATIC / "timebar.js"
    _stylesheets = [(STATIC / "timebar.css").read_text(encoding="utf-8")]


def bokeh_pane(fig: Any) -> pn.pane.Bokeh:
    """A figure that fills its place in the page."""
    return pn.pane.Bokeh(fig, sizing_mode="stretch_both", margin=0)


def explore_page(library: Library, build: Build | None) -> pmui.Page:
    """One session's Explore page."""
    query = pn.state.location.search.lstrip("?") if pn.state.location else ""
    view = ExplorePage(library, query)
    notice = pmui.Alert(
        view.messages[0] if view.messages else "",
        severity="info",
        closeable=True,
        visible=bool(view.messages),
        margin=0,
        sizing_mode="stretch_width",
    )
    progress = pmui.LinearProgress(value=0, sizing_mode="stretch_width", visible=False, margin=(2, 0))
    progress_text = pmui.Typography("", variant="caption", visible=False, margin=0)
    summary = pmui.Typography("", margin=0, sizing_mode="stretch_width", stylesheets=[_SUMMARY])
    empty = pmui.Alert(
        "There is no data set to show yet. Bring your own with `carbonweather data import PATH`, "
        "or build the demo with `carbonweather demo`.",
        severity="warning",
        visible=view.cube is None,
        margin=0,
        sizing_mode="stretch_width",
    )

    def message(sentence: str) -> None:
        notice.param.update(object=sentence, visible=bool(sentence))

    if len(view.messages) > 1:
        message(" ".join(view.messages))

    def summarise(point: str, region: str) -> None:
        summary.object = "  ·  ".join(part for part in (point, region) if part)

    view.on_message, view.on_summary = message, summarise
    summarise(*view._summaries)

    figures = view.linked
    first_map, second_map = bokeh_pane(view.map.figure), bokeh_pane(view.map.second_figure)
    maps = pn.Column(first_map, stylesheets=[_MAPS], margin=0)

    def arrange() -> None:
        wanted = [first_map, second_map] if view.state.compare == "side" else [first_map]
        if list(maps) != wanted:
            maps.objects = wanted

    arrange()
    view.on_shown = arrange
    main = pn.Column(
        pn.Column(notice, empty, progress_text, progress, sizing_mode="stretch_width", margin=0),
        maps,
        TimeBar(sizing_mode="stretch_width", margin=0),
        summary,
        pn.Column(
            bokeh_pane(figures.series_figure),
            bokeh_pane(figures.hovmoller_figure),
            bokeh_pane(figures.zonal_figure),
            bokeh_pane(figures.histogram_figure),
            stylesheets=[_VIEWS],
            margin=0,
        ),
        stylesheets=[_GRID],
        margin=0,
    )
    controls = view.controls
    wide = {"sizing_mode": "stretch_width", "margin": 0}
    sidebar = [
        controls.cube,
        controls.variable,
        about(view),
        pmui.Divider(**wide),
        controls.layers,
        controls.region_group,
        controls.region,
        pmui.Divider(**wide),
        pn.Row(controls.compare, controls.projection, **wide),
        controls.compare_cube,
        controls.compare_time,
        pn.Row(controls.palette, controls.limits, **wide),
        pn.Row(controls.low, controls.high, **wide),
        controls.goto,
        pmui.Divider(**wide),
        *download_buttons(),
    ]
    page = pmui.Page(
        title="Carbon Weather",
        main=[main],
        sidebar=sidebar,
        sidebar_width=290,
        sidebar_open="Mobi" not in pn.state.headers.get("User-Agent", ""),
        theme_config=THEME,
        busy_indicator=None,
        meta=Meta(name="Carbon Weather", title="Carbon Weather", description="Maps, series and trends of column CO2"),
    )
    controls.goto.param.watch(lambda event: event.new and view.go_to(event.new), "value")

    def screen(width: int) -> None:
        if width < NARROW_PIXELS:
            page.sidebar_open = False

    view.on_screen = screen
    page.param.watch(lambda event: view.set_dark(bool(event.new)), "dark_theme")

    def poll() -> None:
        view.poll()
        empty.visible = view.cube is None and (build is None or not build.running)
        if build is not None:
            status = build.status()
            progress.param.update(value=round(100 * status.fraction), visible=status.active)
            progress_text.param.update(object=status.sentence, visible=bool(status.sentence))

    poll()
    pn.state.add_periodic_callback(poll, period=POLL_MS)
    return page


def application(library: Library, build: Build | None) -> dict[str, Any]:
    """Pages by address, as `panel.serve` takes them."""
    return {"/": lambda: explore_page(library, build)}


def serve(
    root: Path, *, port: int, address: str, origins: list[str], build: Build | None = None, show: bool = False
) -> None:
    """Run the dashboard until interrupted.

    Parameters
    ----------
    root : data folder.
    port, address : where to listen.
    origins : host:port texts from which browsers may connect.
    build : work going on in the background, shown as a progress bar.
    show : open the user's browser.
    """
    pn.extension(notifications=False, raw_css=[_PAGE])
    library = Library(root)
    warm_up(library)
    pn.serve(
        application(library, build),
        port=port,
        address=address,
        websocket_origin=origins,
        show=show,
        title="Carbon Weather",
        extra_patterns=data_patterns(library),
        threaded=False,
        verbose=False,
    )


def warm_up(library: Library) -> None:
    """Compile kernels, read geography and import the plotting stack before the first visitor comes."""
    from dashboard.server import outline

    outline("coastlines", "110m")
    outline("borders", "110m")
    ExplorePage(library)
