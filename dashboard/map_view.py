"""The map: Bokeh figures for tools, axes and overlays, painted in the browser from windows that it fetches itself.

`MapView` is what the page needs of a map; `FetchedMap` is the renderer behind the Explore page (its browser half is
`static/explore.js`). `dashboard.notebook` has the HoloViews one for notebooks. Why the picture does not travel through the Python
session is measured in docs/decisions/map-rendering.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from bokeh.core.properties import AnyRef, String
from bokeh.events import MouseLeave, MouseMove, Reset, SelectionGeometry, Tap
from bokeh.model import DataModel
from bokeh.models import (
    BasicTicker,
    BasicTickFormatter,
    BoxSelectTool,
    BoxZoomTool,
    ColorBar,
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    ImageRGBA,
    LassoSelectTool,
    LinearColorMapper,
    PanTool,
    Range1d,
    ResetTool,
    Span,
    WheelZoomTool,
)
from bokeh.plotting import figure

from dashboard.figure_frame import PLAIN, colours

STATIC = Path(__file__).parent / "static"
SITE_LAYERS = ("tccon", "cities", "plants")


class MapLink(DataModel):
    """The wire between the session and the browser half of the map: one JSON text each way, and what is made only when it is
    first needed: the second map, and the sources of the sites by layer."""

    spec = String(default="{}")
    message = String(default="")
    second = AnyRef(default=None)
    sites = AnyRef(default=None)


class MapView(Protocol):
    """A map that shows what a spec says and reports what people do with it."""

    def show(self, spec: dict[str, Any]) -> None:
        """Bring the map to this state; nothing that did not change is redone."""

    def on_event(self, handler: Callable[[dict[str, Any]], None]) -> None:
        """Call `handler` with each event: view, step, pick, shape, window, pop or error."""


@dataclass(frozen=True)
class SiteStyle:
    """How one kind of site is marked."""

    marker: str
    size: int
    fill: str
    tooltips: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> list[str]:
        """Columns that the tooltips name, beside the name itself."""
        return [word for word in re.findall(r"@(\w+)", " ".join(map(" ".join, self.tooltips))) if word != "name"]


SITE_STYLES = {
    "tccon": SiteStyle(
        "triangle", 10, "#ffd166", (("@network", "@name"), ("altitude", "@altitude_m m"), ("", "@data"))
    ),
    "cities": SiteStyle(
        "circle",
        6,
        "#ffffff",
        (
            ("city", "@name"),
            ("country", "@country"),
            ("people", "@population_million million"),
            ("emits about", "@co2_mt_per_year Mt CO₂ a year"),
        ),
    ),
    "plants": SiteStyle(
        "diamond",
        9,
        "#ff5d8f",
        (
            ("power plant", "@name"),
            ("country", "@country"),
            ("fuel", "@fuel"),
            ("capacity", "@capacity_mw MW"),
            ("emits about", "@co2_mt_per_year Mt CO₂ a year"),
        ),
    ),
}

_DEGREES = """
const mercator = JSON.parse(link.spec || "{}").projection === "mercator"
let v = tick
if (mercator) v = axis === "x" ? tick * 180 / (Math.PI * 6378137) : (2 * Math.atan(Math.exp(tick / 6378137)) - Math.PI / 2) * 180 / Math.PI
if (axis === "x") v = ((v + 180) % 360 + 360) % 360 - 180
v = Math.round(v * 1e4) / 1e4
if (v === 0) return "0°"
return `${Math.abs(v)}°${axis === "x" ? (Math.abs(v) === 180 ? "" : v < 0 ? "W" : "E") : (v < 0 ? "S" : "N")}`
"""


_POWERS = "return tick >= -3 && tick <= 4 ? Number((10 ** tick).toPrecision(1)).toString() : `1e${Math.round(tick)}`"


@cache
def site_table(layer: str) -> pd.DataFrame:
    """Names, positions and facts of cities or power plants, from `data.geography`."""
    from data import geography

    table = {"cities": geography.cities, "plants": geography.power_plants}[layer]()
    return table.reset_index(drop=True)


def _empty_image() -> dict[str, list[Any]]:
    return {"image": [np.zeros((1, 1), dtype=np.uint32)], "x": [0.0], "y": [0.0], "dw": [1e-9], "dh": [1e-9]}


class FetchedMap:
    """Two figures (the second for side-by-side comparison) and the browser script that fills them.

    Parameters
    ----------
    linked : models of the linked views that follow the map in the browser: ``cursors`` (list of Span), ``hovmoller``,
        ``zonal`` and ``histogram`` (ColumnDataSource).
    mapper : colours of the colour bar.
    ground_sites : markers of the ground sites (`dashboard.ground_sites.site_markers`).
    """

    def __init__(self, linked: dict[str, Any], mapper: LinearColorMapper, ground_sites: pd.DataFrame) -> None:
        self.link = MapLink()
        self.mapper = mapper
        self.x_range, self.y_range = Range1d(start=-180.0, end=180.0), Range1d(start=-90.0, end=90.0)
        self._ground_sites = ground_sites
        self._description: dict[str, Any] = {}
        self._site_sources: dict[str, list[ColumnDataSource]] = {}
        self._site_renderers: dict[str, list[Any]] = {}
        self._powers = CustomJSTickFormatter(code=_POWERS)
        self._script = CustomJS(code=(STATIC / "explore.js").read_text(encoding="utf-8"))
        self._bar, first = self._pane(with_bar=True)
        self._script.args = {"link": self.link, "first": first, "linked": linked}
        self.panes = [first]
        for name in ("inner_width", "inner_height"):
            first["fig"].js_on_change(name, self._script)

    @property
    def figure(self) -> Any:
        """The first figure."""
        return self.panes[0]["fig"]

    @property
    def second_figure(self) -> Any:
        """The figure beside it, for comparison; it shares the first one's ranges. Made when it is first asked for."""
        if len(self.panes) == 1:
            _, second = self._pane(with_bar=False)
            self.panes.append(second)
            self.link.second = second
            if self._description:
                self.describe(**self._description)
            for layer in tuple(self._site_sources):
                self._add_sites(layer)
        return self.panes[1]["fig"]

    def show(self, spec: dict[str, Any]) -> None:
        """Bring the map to this state (see explore.js for the keys)."""
        log = bool(spec.get("log", False))
        self._scale(log=log)
        low, high = np.log10([spec["low"], spec["high"]]) if log else (spec["low"], spec["high"])
        self.mapper.update(palette=spec["palette"], low=float(low), high=float(high))
        for layer in SITE_LAYERS:
            if layer in spec["layers"]:
                self._add_sites(layer)
        for layer, renderers in self._site_renderers.items():
            for renderer in renderers:
                renderer.visible = layer in spec["layers"]
        text = json.dumps(spec, separators=(",", ":"))
        if text != self.link.spec:
            self.link.spec = text

    def _scale(self, *, log: bool) -> None:
        """Marks of the colour bar: its axis runs over powers of ten where the scale is logarithmic."""
        bar: Any = self._bar
        if log != (bar.formatter is self._powers):
            bar.formatter = self._powers if log else BasicTickFormatter()
            bar.ticker.min_interval = 1.0 if log else 0.0

    def on_event(self, handler: Callable[[dict[str, Any]], None]) -> None:
        """Call `handler` with each event of the browser half."""

        def received(_attr: str, _old: str, new: str) -> None:
            if new:
                handler(json.loads(new))

        self.link.on_change("message", received)

    def describe(self, *, second_title: str, bar_title: str, dark: bool) -> None:
        """Titles of the second map and the colour bar, and colours that suit the theme (the first map's title follows the month)."""
        self._description = {"second_title": second_title, "bar_title": bar_title, "dark": dark}
        shown = colours(dark=dark)
        if len(self.panes) > 1:
            self.second_figure.title.text = second_title
        for pane in self.panes:
            fig = pane["fig"]
            fig.title.text_color = shown.ink
            fig.border_fill_color = fig.background_fill_color = shown.paper
            for axis in (*fig.xaxis, *fig.yaxis):
                axis.major_label_text_color = shown.ink
        bar: Any = self._bar
        bar.title, bar.title_text_color, bar.major_label_text_color = bar_title, shown.ink, shown.ink
        bar.background_fill_color = shown.paper

    def _pane(self, *, with_bar: bool) -> tuple[ColorBar | None, dict[str, Any]]:
        xticker, yticker = FixedTicker(ticks=[]), FixedTicker(ticks=[])
        fig = figure(
            x_range=self.x_range,
            y_range=self.y_range,
            min_height=200,
            tools=[],
            toolbar_location="right",
            title="",
            lod_timeout=50,
            min_border=4,
            min_border_left=112
            if with_bar
            else 52,  # axis labels come later than the first window and must not move it
            min_border_top=26,  # as high as the title is once its font is there
            min_border_bottom=30,
            **PLAIN,
        )
        fig.toolbar.logo = None
        fig.toolbar.autohide = False
        wheel = WheelZoomTool(zoom_on_axis=False)
        pan = PanTool()
        fig.add_tools(
            pan,
            wheel,
            BoxZoomTool(match_aspect=True),
            BoxSelectTool(renderers=[], persistent=False, description="Box: mean of a region"),
            LassoSelectTool(renderers=[], continuous=False, persistent=False, description="Lasso: mean of a region"),
            ResetTool(),
        )
        fig.toolbar.active_drag, fig.toolbar.active_scroll = pan, wheel
        fig.grid.visible = False
        for axis, ticker, name in ((fig.xaxis, xticker, "x"), (fig.yaxis, yticker, "y")):
            axis.ticker = ticker
            axis.formatter = CustomJSTickFormatter(args={"link": self.link, "axis": name}, code=_DEGREES)
            axis.axis_line_color = None
            axis.major_tick_line_color = None
            axis.minor_tick_line_color = None
            axis.major_label_text_font_size = "11px"
        image, points = ColumnDataSource(_empty_image()), ColumnDataSource(_empty_image())
        for source in (image, points):
            fig.add_glyph(source, ImageRGBA(image="image", x="x", y="y", dw="dw", dh="dh"))
        lines = {name: ColumnDataSource({"x": [], "y": []}) for name in ("borders", "coastlines", "region")}
        fig.line("x", "y", source=lines["borders"], line_color="#ffffff", line_alpha=0.55, line_width=0.7)
        fig.line("x", "y", source=lines["coastlines"], line_color="#10202c", line_alpha=0.85, line_width=0.8)
        fig.line("x", "y", source=lines["region"], line_color="#ff3d6e", line_width=2)
        point = ColumnDataSource({"x": [], "y": []})
        fig.scatter(
            "x", "y", source=point, marker="circle_cross", size=15, fill_alpha=0, line_color="#ff3d6e", line_width=2
        )
        swipe = Span(dimension="height", location=0, line_color="#ffffff", line_width=4, visible=False, editable=True)
        fig.add_layout(swipe)
        pane = {
            "fig": fig,
            "image": image,
            "points": points,
            **lines,
            "point": point,
            "swipe": swipe,
            "xticker": xticker,
            "yticker": yticker,
        }
        bar = None
        if with_bar:
            bar = ColorBar(
                color_mapper=self.mapper,
                width=10,
                padding=4,
                title_text_font_size="12px",
                ticker=BasicTicker(desired_num_ticks=8),
                title_text_font_style="normal",
                bar_line_color=None,
                major_tick_line_color=None,
                margin=0,
            )
            fig.add_layout(bar, "left")
        for event in (MouseMove, MouseLeave, Tap, SelectionGeometry, Reset):
            fig.js_on_event(event, self._script)
        return bar, pane

    def _add_sites(self, layer: str) -> None:
        """The markers of one kind of site on every map that does not have them yet."""
        sources = self._site_sources.setdefault(layer, [])
        renderers = self._site_renderers.setdefault(layer, [])
        if len(sources) == len(self.panes):
            return
        style = SITE_STYLES[layer]
        table = self._ground_sites if layer == "tccon" else site_table(layer)
        columns = {name: table[name].tolist() for name in ("name", "lon", "lat", *style.columns)}
        for pane in self.panes[len(sources) :]:
            fig = pane["fig"]
            source = ColumnDataSource({**columns, "x": columns["lon"], "y": columns["lat"]})
            renderer = fig.scatter(
                "x",
                "y",
                source=source,
                marker=style.marker,
                size=style.size,
                fill_color=style.fill,
                line_color="#10202c",
            )
            fig.add_tools(
                HoverTool(
                    renderers=[renderer], tooltips=list(style.tooltips), description=f"{layer} names", visible=False
                )
            )
            sources.append(source)
            renderers.append(renderer)
        self.link.sites = {name: list(made) for name, made in self._site_sources.items()}
