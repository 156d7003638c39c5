"""The six figures of the Atmosphere page; made once a session and updated in place.

The vertical axis is drawn in its coordinate (km, or minus the logarithm of hPa), so that pictures with even rows fit both
kinds of axis; ticks and tooltips say km or hPa.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import (
    BoxAnnotation,
    ColorBar,
    ColumnDataSource,
    CustomJSHover,
    CustomJSTickFormatter,
    DatetimeTickFormatter,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    Range1d,
    Span,
)

from analysis.statistics.stability import Stability, ZoneRow
from analysis.statistics.vertical import VerticalAxis
from dashboard.atmosphere_shown import History, Limits, Moment, ZoneShape, axis_edges
from dashboard.figure_frame import framed, paint
from dashboard.linked import hovmoller, milliseconds
from dashboard.server import outline
from data.cube.grid import Grid
from data.palettes import palette

ZONE = "#ff3d6e"
LINE = "#1f7a9c"
PRESSURE_TICKS = (1000, 850, 700, 500, 300, 200, 100, 70, 50, 30, 20, 10, 5, 2, 1)
SHORT_NAME = 17
"""Longer names of places would be cut off above the profile."""
_LATITUDE = "return tick === 0 ? '0°' : Math.abs(tick) + '°' + (tick < 0 ? 'S' : 'N')"
_LONGITUDE = (
    "return tick === 0 || Math.abs(tick) === 180 ? Math.abs(tick) + '°' : Math.abs(tick) + '°' + (tick < 0 ? 'W' : 'E')"
)
_PLACE = """
const z = special_vars.y
return hpa[0] ? `${Math.exp(-z).toPrecision(3)} hPa` : `${z.toFixed(1)} km`
"""


class AtmosphereViews:
    """Section, profile, map, history, gradient, variation."""

    def __init__(self) -> None:
        nothing: dict[str, Any] = {"image": [], "x": [], "y": [], "dw": [], "dh": []}
        self.pictures = {
            name: ColumnDataSource(dict(nothing)) for name in ("section", "map", "history", "gradient", "variation")
        }
        self.mappers = {
            name: LinearColorMapper(palette=palette("viridis"), low=0.0, high=1.0, nan_color="rgba(0,0,0,0)")
            for name in self.pictures
        }
        self.zone = ColumnDataSource({"xs": [], "ys": []})
        self.profile_line = ColumnDataSource({"x": [], "y": []})
        self.profile_band = ColumnDataSource({"x": [], "y": []})
        self.profile_levels = ColumnDataSource({"x": [], "y": []})
        self.outline = ColumnDataSource({"x": [], "y": []})
        self.place = ColumnDataSource({"x": [], "y": []})
        self.region = ColumnDataSource({"xs": [], "ys": []})
        self.height = Range1d(start=0.0, end=30.0)
        self.latitude = Range1d(start=-90.0, end=90.0)
        self.ticks, self.latitudes, self.few_latitudes, self.longitudes = (FixedTicker(ticks=[]) for _ in range(4))
        self._hover_kind = CustomJSHover(args={"hpa": [0]}, code=_PLACE)
        self._bars: list[ColorBar] = []
        self.at_latitude = Span(
            dimension="height", location=0.0, line_color="#ffffff", line_width=1.5, line_dash="dashed"
        )
        self.at_time = Span(dimension="height", location=0.0, line_color="#ffffff", line_width=1.5)
        self.column = Span(dimension="height", location=0.0, line_color="#e09f1f", line_width=1.5, line_dash="dashed")
        self.zone_band = BoxAnnotation(fill_color=ZONE, fill_alpha=0.13, line_color=None, visible=False)
        self.section = self._section("Height and latitude", "section")
        self.profile = self._profile()
        self.map = self._map()
        self.history = self._history()
        self.gradient = self._section("Gradient", "gradient")
        self.variation = self._section("Variation", "variation")
        self.section.add_layout(self.at_latitude)
        self._axis: VerticalAxis | None = None
        self.set_dark(False)

    @property
    def figures(self) -> dict[str, Any]:
        """By name, in reading order."""
        names = ("section", "profile", "map", "history", "gradient", "variation")
        return {name: getattr(self, name) for name in names}

    # -- what is shown -----------------------------------------------------------------------------------------------

    def show_axis(self, axis: VerticalAxis) -> None:
        """Ticks, label and reach of the vertical axis."""
        self._axis = axis
        low, high = axis_edges(axis)
        self.height.update(start=low, end=high)
        if axis.kind == "km":
            step = 2 if high <= 20 else 5
            ticks = {float(tick): str(tick) for tick in range(0, int(high) + 1, step)}
        else:
            ticks = {float(-np.log(hpa)): str(hpa) for hpa in PRESSURE_TICKS if low <= -np.log(hpa) <= high + 1e-9}
        self._hover_kind.args = {"hpa": [int(axis.kind == "hPa")]}
        self.ticks.ticks = list(ticks)
        for fig in (self.section, self.profile, self.history, self.gradient, self.variation):
            fig.yaxis.major_label_overrides = ticks
        label = "km" if axis.kind == "km" else "hPa"
        for fig in (self.section, self.profile, self.history, self.gradient, self.variation):
            fig.yaxis.axis_label = label

    def show_grid(self, grid: Grid) -> None:
        """The map's extent."""
        self.map.x_range.update(start=grid.west, end=grid.west + grid.nlon * grid.dlon)
        self.map.y_range.update(start=grid.south, end=grid.south + grid.nlat * grid.dlat)
        self.latitude.update(start=grid.south, end=grid.south + grid.nlat * grid.dlat)
        self.latitudes.ticks = _degrees(grid.south, grid.nlat * grid.dlat)
        self.few_latitudes.ticks = self.latitudes.ticks[1::2] if len(self.latitudes.ticks) > 4 else self.latitudes.ticks
        self.longitudes.ticks = _degrees(grid.west, grid.nlon * grid.dlon)
        if not self.outline.data["x"]:
            line = np.frombuffer(outline("coastlines", "110m"), dtype=np.float32).reshape(-1, 2).astype(float)
            self.outline.data = {"x": line[:, 0].tolist(), "y": line[:, 1].tolist()}

    def show_moment(self, found: Moment, grid: Grid) -> None:
        """One time."""
        self._vertical("section", found.section.values, grid.south, grid.nlat * grid.dlat)
        self.pictures["map"].data = {
            "image": [found.columns.astype(np.float32)],
            "x": [grid.west],
            "y": [grid.south],
            "dw": [grid.nlon * grid.dlon],
            "dh": [grid.nlat * grid.dlat],
        }
        profile, axis = found.profile, self._axis
        assert axis is not None
        self.profile_line.data = {"x": profile.mean, "y": axis.coordinate}
        levels = (
            profile.level_km if axis.kind == "km" else -np.log(np.where(profile.level_hpa > 0, profile.level_hpa, 1))
        )
        self.profile_levels.data = {"x": profile.level_values.astype(float), "y": levels}
        self.profile.xaxis.axis_label = f"ppm; band: {'± std' if profile.count > 1 else 'all times'}"
        if profile.count > 1:
            self.show_band(profile.mean - profile.spread, profile.mean + profile.spread)
        self.column.location = profile.column_ppm if np.isfinite(profile.column_ppm) else 0.0
        self.column.visible = bool(np.isfinite(profile.column_ppm))
        self.section.title.text = found.heading
        self.profile.title.text = (
            f"Profile: {found.place}" if len(found.place) <= SHORT_NAME else "Profile of the region"
        )
        self.map.title.text = "Column mean: click for a place"
        self.at_latitude.location = found.latitude
        self._fit_profile()

    def show_band(self, low: np.ndarray, high: np.ndarray) -> None:
        """The profile's band, between two curves."""
        assert self._axis is not None
        good = np.isfinite(low) & np.isfinite(high)
        places = self._axis.coordinate[good]
        self.profile_band.data = {
            "x": np.concatenate([low[good], high[good][::-1]]),
            "y": np.concatenate([places, places[::-1]]),
        }
        self._fit_profile()

    def clear_band(self) -> None:
        """No band until it is known."""
        self.profile_band.data = {"x": [], "y": []}

    def show_place(self, point: tuple[float, float] | None, rings: list[list[list[float]]]) -> None:
        """The place or the region on the map."""
        self.place.data = {"x": [point[0]], "y": [point[1]]} if point else {"x": [], "y": []}
        self.region.data = {
            "xs": [[vertex[0] for vertex in ring] for ring in rings],
            "ys": [[vertex[1] for vertex in ring] for ring in rings],
        }

    def show_history(self, found: History) -> None:
        """Height and time."""
        assert self._axis is not None
        low, high = axis_edges(self._axis)
        times, values = found.section.times, found.section.values
        picture = hovmoller(times, self._axis.coordinate, values.T, south=low, north=high)
        self.pictures["history"].data = {
            "image": [picture.values],
            "x": [picture.start_ms],
            "y": [low],
            "dw": [picture.end_ms - picture.start_ms],
            "dh": [high - low],
        }
        self.history.x_range.update(start=picture.start_ms, end=picture.end_ms)
        self.history.title.text = f"Over time: {found.place}"

    def show_time(self, time: np.datetime64) -> None:
        """The cursor of the history."""
        self.at_time.location = float(milliseconds(np.array([time]))[0])

    def show_stability(self, found: Stability, *, detrended: bool, grid: Grid) -> None:
        """Gradient and variation."""
        self._vertical("gradient", found.gradient, grid.south, grid.nlat * grid.dlat)
        self._vertical("variation", found.variation(detrended=detrended), grid.south, grid.nlat * grid.dlat)

    def show_zone(self, shape: ZoneShape, latitude: float) -> None:
        """The stability zone in all sections, and in the profile that of its latitude band."""
        self.zone.data = {"xs": shape.xs, "ys": shape.ys}
        row = next((row for row in shape.rows if row.south <= latitude < row.north), None)
        self._band(row)

    def clear_stability(self) -> None:
        """Nothing known of gradient, variation and zone."""
        self.zone.data = {"xs": [], "ys": []}
        for name in ("gradient", "variation"):
            self.pictures[name].data = {"image": [], "x": [], "y": [], "dw": [], "dh": []}
        self._band(None)

    def _band(self, row: ZoneRow | None) -> None:
        zone = None if row is None else row.zone
        self.zone_band.visible = zone is not None
        if zone is not None and self._axis is not None:
            ends = [zone.bottom, zone.top] if self._axis.kind == "km" else [-np.log(zone.bottom), -np.log(zone.top)]
            self.zone_band.update(bottom=float(ends[0]), top=float(ends[1]))

    def set_limits(self, values: Limits, columns: Limits, colours: str) -> None:
        """Colours of mole fractions."""
        for name, limits in (("section", values), ("history", values), ("map", columns)):
            self.mappers[name].update(low=limits[0], high=limits[1], palette=palette(colours))

    def set_stability_limits(self, gradient: float, variation: float) -> None:
        """Colours of gradient and variation: from none to three times the zone's limit."""
        for name, limit in (("gradient", gradient), ("variation", variation)):
            self.mappers[name].update(low=0.0, high=3.0 * limit, palette=palette("YlOrBr"))
        self.gradient.title.text = f"|dC/dz|, ppm/km (≤ {gradient:g})"
        self.variation.title.text = f"Variation, ppm (≤ {variation:g})"

    def set_dark(self, dark: bool) -> None:
        """Colours that suit the page's theme."""
        shown = paint(self.figures.values(), dark=dark)
        for bar in self._bars:
            bar.background_fill_color = shown.paper
            bar.major_label_text_color = shown.ink
        self._coast.glyph.line_color = "#f4f7f9" if dark else "#1d2a35"

    # -- figures -----------------------------------------------------------------------------------------------------

    def _vertical(self, name: str, values: np.ndarray, start: float, width: float) -> None:
        assert self._axis is not None
        low, high = axis_edges(self._axis)
        self.pictures[name].data = {
            "image": [values.astype(np.float32)],
            "x": [start],
            "y": [low],
            "dw": [width],
            "dh": [high - low],
        }

    def _on_height(self, fig: Any) -> None:
        fig.yaxis.ticker = self.ticks

    def _colour_bar(self, fig: Any, name: str) -> None:
        bar = ColorBar(
            color_mapper=self.mappers[name], width=9, padding=2, margin=0, label_standoff=4, major_tick_line_color=None
        )
        bar.major_label_text_font_size = "10px"
        fig.add_layout(bar, "right")
        self._bars.append(bar)

    def _section(self, title: str, name: str) -> Any:
        fig = _frame(title, x_range=self.latitude, y_range=self.height)
        fig.xaxis.formatter = CustomJSTickFormatter(code=_LATITUDE)
        fig.xaxis.ticker = self.latitudes if name == "section" else self.few_latitudes
        fig.grid.visible = False
        self._on_height(fig)
        drawn = self._image(fig, name)
        fig.multi_polygons(
            "xs",
            "ys",
            source=self.zone,
            fill_alpha=0.0,
            line_color=ZONE,
            line_width=2,
            hatch_pattern="/",
            hatch_color=ZONE,
            hatch_alpha=0.4,
            hatch_scale=11,
            hatch_weight=1,
        )
        digits = "0.00" if name == "section" else "0.000"
        fig.add_tools(
            HoverTool(
                renderers=[drawn],
                tooltips=[
                    ("", "$x{0.0}°, $y{custom}"),
                    ("ppm/km" if name == "gradient" else "ppm", f"@image{{{digits}}}"),
                ],
                formatters={"$y": self._hover_kind},
            )
        )
        self._colour_bar(fig, name)
        return fig

    def _image(self, fig: Any, name: str) -> Any:
        return fig.image(
            image="image",
            x="x",
            y="y",
            dw="dw",
            dh="dh",
            source=self.pictures[name],
            color_mapper=self.mappers[name],
        )

    def _profile(self) -> Any:
        fig = _frame("Profile", x_range=Range1d(start=380.0, end=430.0), y_range=self.height)
        fig.xaxis.axis_label = "ppm"
        fig.xaxis.ticker.desired_num_ticks = 4
        self._on_height(fig)
        fig.add_layout(self.zone_band)
        fig.add_layout(self.column)
        fig.patch("x", "y", source=self.profile_band, fill_color=LINE, fill_alpha=0.2, line_color=None)
        line = fig.line("x", "y", source=self.profile_line, line_color=LINE, line_width=2)
        fig.scatter("x", "y", source=self.profile_levels, size=5, fill_color=LINE, line_color=None)
        fig.add_tools(
            HoverTool(
                renderers=[line],
                mode="hline",
                tooltips=[("", "$y{custom}"), ("ppm", "@x{0.00}")],
                formatters={"$y": self._hover_kind},
            )
        )
        return fig

    def _map(self) -> Any:
        fig = _frame("Column mean", x_range=Range1d(start=-180, end=180), y_range=Range1d(start=-90, end=90))
        fig.xaxis.formatter = CustomJSTickFormatter(code=_LONGITUDE)
        fig.yaxis.formatter = CustomJSTickFormatter(code=_LATITUDE)
        fig.xaxis.ticker, fig.yaxis.ticker = self.longitudes, self.latitudes
        fig.grid.visible = False
        drawn = self._image(fig, "map")
        self._coast = fig.line("x", "y", source=self.outline, line_width=0.8, line_color="#1d2a35", line_alpha=0.8)
        fig.multi_line("xs", "ys", source=self.region, line_color=ZONE, line_width=2)
        fig.scatter(
            "x", "y", source=self.place, size=11, marker="circle_cross", line_color=ZONE, fill_alpha=0, line_width=2
        )
        fig.add_tools(HoverTool(renderers=[drawn], tooltips=[("", "$y{0.0}°, $x{0.0}°"), ("ppm", "@image{0.00}")]))
        self._colour_bar(fig, "map")
        return fig

    def _history(self) -> Any:
        fig = _frame(
            "Height and time", x_axis_type="datetime", x_range=Range1d(start=0.0, end=1.0), y_range=self.height
        )
        fig.xaxis.formatter = DatetimeTickFormatter(
            years="%Y", months="%m/%y", days="%d %b", hours="%H:%M", boundary_scaling=False
        )
        fig.xaxis.ticker.desired_num_ticks = 4
        fig.grid.visible = False
        self._on_height(fig)
        drawn = self._image(fig, "history")
        fig.add_tools(
            HoverTool(
                renderers=[drawn],
                tooltips=[("", "$x{%Y-%m-%d}, $y{custom}"), ("ppm", "@image{0.00}")],
                formatters={"$x": "datetime", "$y": self._hover_kind},
            )
        )
        fig.add_layout(self.at_time)
        self._colour_bar(fig, "history")
        return fig

    def _fit_profile(self) -> None:
        """A horizontal axis that holds line, band and levels."""
        parts = [
            np.asarray(source.data["x"], dtype=float)
            for source in (self.profile_line, self.profile_band, self.profile_levels)
        ]
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        if values.size:
            pad = 0.05 * float(np.ptp(values)) or 0.5
            self.profile.x_range.update(start=float(values.min()) - pad, end=float(values.max()) + pad)


def _degrees(start: float, width: float) -> list[float]:
    """Round degrees within an extent, four to nine of them."""
    step = next((step for step in (60.0, 30.0, 15.0, 10.0, 5.0, 2.0) if width / step >= 4), 1.0)
    return (np.arange(np.ceil(start / step), np.floor((start + width) / step) + 1) * step).tolist()


def _frame(title: str, **options: Any) -> Any:
    return framed(title, min_border_right=8, **options)
