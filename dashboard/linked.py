"""The views beside the map, each fed by the same cube: series, latitude-time diagram, zonal mean, histogram of the window.

The figures are made once a session and updated in place. What follows from the month or the window alone (cursors, zonal mean,
histogram) is moved in the browser by `static/explore.js`; what needs the store (series, regions, a new cube) comes from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    DatetimeTickFormatter,
    HoverTool,
    Legend,
    LegendItem,
    LinearColorMapper,
    Range1d,
    Span,
)

from analysis.statistics.trends import SeriesFit
from dashboard.figure_frame import framed, paint

MAX_COLUMNS = 1000
MAX_ROWS = 180

_GO_TO_TIME = """
const explorer = window.carbonweather?.current
if (explorer) {
  let best = 0
  explorer.spec.times.forEach((t, i) => { if (Math.abs(t - cb_obj.x) < Math.abs(explorer.spec.times[best] - cb_obj.x)) best = i })
  explorer.play(false)
  explorer.setStep(best)
}
"""
_MAYBE_LOG = """
if (!window.carbonweather?.current?.spec?.log) return String(Number(tick.toPrecision(6)))
return tick >= -3 && tick <= 4 ? String(Number((10 ** tick).toPrecision(2))) : (10 ** tick).toExponential(0)
"""
_LATITUDE = "return tick === 0 ? '0°' : Math.abs(tick) + '°' + (tick < 0 ? 'S' : 'N')"


@dataclass(frozen=True)
class Hovmoller:
    """A latitude-time picture: values (rows = latitude, columns = time), its edges, and the column of each step.

    `north` is where the grid ends, `top` where the last row of the picture does (beyond it if rows do not divide evenly).
    """

    values: np.ndarray
    lat: np.ndarray
    start_ms: float
    end_ms: float
    south: float
    north: float
    top: float
    columns: list[int]


def milliseconds(times: np.ndarray) -> np.ndarray:
    """Times as Bokeh's axis wants them."""
    return np.asarray(times).astype("datetime64[ms]").astype(np.int64).astype(float)


def hovmoller(times: np.ndarray, lat: np.ndarray, values: np.ndarray, *, south: float, north: float) -> Hovmoller:
    """Arrange zonal means of any time steps as a picture with equal columns; missing steps stay empty.

    Parameters
    ----------
    times : (n,) datetime64, ascending.
    lat : (m,) row centres, ascending degrees.
    values : (n, m) zonal means.
    south, north : edges of the grid, degrees.
    """
    months = times.astype("datetime64[M]").astype(int)
    if np.unique(months).size == months.size:
        columns = months - months[0]
        start = milliseconds(np.array([times[0].astype("datetime64[M]")]))[0]
        end = milliseconds(np.array([times[-1].astype("datetime64[M]") + 1]))[0]
    else:
        moments = milliseconds(times)
        gap = float(np.min(np.diff(moments))) if moments.size > 1 else 86_400_000.0
        gap = max(gap, (moments[-1] - moments[0]) / MAX_COLUMNS)
        columns = np.round((moments - moments[0]) / gap).astype(int)
        start, end = moments[0] - gap / 2, moments[0] + (columns[-1] + 0.5) * gap
    rows, lat = _coarser_rows(values, lat)
    picture = np.full((rows.shape[1], int(columns[-1]) + 1), np.nan, dtype=np.float32)
    picture[:, columns] = rows.T
    per_row = -(-values.shape[1] // MAX_ROWS)
    top = south + (north - south) * len(lat) * per_row / values.shape[1]
    return Hovmoller(picture, lat, float(start), float(end), south, north, top, [int(column) for column in columns])


def _coarser_rows(values: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most MAX_ROWS rows, each the mean of its neighbours weighted with the cosine of latitude."""
    size = int(np.ceil(lat.size / MAX_ROWS))
    if size <= 1:
        return values, lat
    edges = np.arange(0, lat.size, size)
    weights = np.where(np.isnan(values), 0.0, np.cos(np.radians(lat))[None, :])
    total = np.add.reduceat(np.nan_to_num(values) * weights, edges, axis=1)
    weight = np.add.reduceat(weights, edges, axis=1)
    with np.errstate(invalid="ignore"):
        rows = total / np.where(weight > 0, weight, np.nan)
    centres = np.add.reduceat(lat, edges) / np.diff(np.append(edges, lat.size))
    return rows, centres


@dataclass
class Axes:
    """Ranges of the four figures; they exist before the figures do."""

    series_x: Range1d
    series_y: Range1d
    hovmoller_x: Range1d
    latitude: Range1d
    zonal_x: Range1d
    histogram_x: Range1d
    histogram_y: Range1d

    @classmethod
    def empty(cls) -> Axes:
        """Ranges without data yet."""
        return cls(*(Range1d(start=0.0, end=1.0) for _ in range(7)))


class LinkedViews:
    """The four figures and their data.

    The data is there from the start; the figures are made by `figures` when the page asks for them, so that the map need not wait.
    """

    def __init__(self) -> None:
        self.axes = Axes.empty()
        self.hovmoller_mapper = LinearColorMapper(palette=["#000000"], low=0.0, high=1.0, nan_color="rgba(0,0,0,0)")
        self.values = ColumnDataSource({"time": [], "value": [], "fitted": [], "trend": []})
        self.site = ColumnDataSource({"time": [], "value": []})
        self.region = ColumnDataSource({"time": [], "mean": []})
        self.band = ColumnDataSource({"time": [], "edge": []})
        self.picture = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": [], "lat": []})
        self.zonal = ColumnDataSource({"x": [], "y": []})
        self.histogram = ColumnDataSource({"left": [], "right": [], "top": [], "colour": []})
        self.series_cursor = Span(
            dimension="height", location=0, line_color="#7a8b99", line_width=1, line_dash="dashed"
        )
        self.hovmoller_cursor = Span(dimension="height", location=0, line_color="#ffffff", line_width=2)
        self._figures: tuple[Any, Any, Any, Any] | None = None
        self._description: dict[str, Any] = {}

    def figures(self) -> tuple[Any, Any, Any, Any]:
        """Series, latitude-time, zonal mean and histogram; the same ones at each call."""
        if self._figures is None:
            self._figures = self._series(), self._hovmoller(), self._zonal(), self._histogram()
            if self._description:
                self.describe(**self._description)
        return self._figures

    @property
    def browser_models(self) -> dict[str, Any]:
        """What explore.js moves by itself."""
        return {
            "cursors": [self.series_cursor, self.hovmoller_cursor],
            "hovmoller": self.picture,
            "zonal": self.zonal,
            "zonal_range": self.axes.zonal_x,
            "histogram": self.histogram,
            "histogram_ranges": [self.axes.histogram_x, self.axes.histogram_y],
        }

    def show_point(self, fit: SeriesFit | None, times: np.ndarray, values: np.ndarray) -> None:
        """The series of one cell with its fit (None where it is too short to fit)."""
        nothing = np.full(len(times), np.nan)
        self.values.data = {
            "time": milliseconds(times),
            "value": values.astype(float),
            "fitted": fit.fitted.astype(float) if fit is not None else nothing,
            "trend": fit.trend.astype(float) if fit is not None else nothing,
        }
        self._fit_series_axes()

    def clear_point(self) -> None:
        """No cell is selected."""
        self.values.data = {"time": [], "value": [], "fitted": [], "trend": []}
        self._fit_series_axes()

    def show_site(self, times: np.ndarray, values: np.ndarray) -> None:
        """Observations of the ground site that is selected (empty arrays where none is)."""
        self.site.data = {"time": milliseconds(times), "value": np.asarray(values, dtype=float)}
        self._fit_series_axes()

    def show_region(self, times: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> None:
        """A region's mean and spread (standard deviation over its area)."""
        moments = milliseconds(times)
        self.region.data = {"time": moments, "mean": mean.astype(float)}
        good = np.isfinite(mean) & np.isfinite(spread)
        low, high = (mean - spread)[good], (mean + spread)[good]
        self.band.data = {
            "time": np.concatenate([moments[good], moments[good][::-1]]),
            "edge": np.concatenate([low, high[::-1]]).astype(float),
        }
        self._fit_series_axes()

    def clear_region(self) -> None:
        """No region is selected."""
        self.region.data = {"time": [], "mean": []}
        self.band.data = {"time": [], "edge": []}
        self._fit_series_axes()

    def _fit_series_axes(self) -> None:
        """Axes that hold all that the series panel shows, with a little air."""
        columns = [
            (self.values, "value"),
            (self.values, "fitted"),
            (self.site, "value"),
            (self.region, "mean"),
            (self.band, "edge"),
        ]
        parts = [np.asarray(source.data[name], dtype=float) for source, name in columns]
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        times = np.concatenate(
            [np.asarray(source.data["time"], dtype=float) for source in (self.values, self.site, self.region)]
        )
        if values.size == 0 or times.size == 0:
            low, high = self.hovmoller_mapper.low, self.hovmoller_mapper.high
            self.axes.series_y.update(start=low, end=high)
            self.axes.series_x.update(start=self.axes.hovmoller_x.start, end=self.axes.hovmoller_x.end)
            return
        pad = 0.06 * float(np.ptp(values)) or 0.5
        self.axes.series_y.update(start=float(values.min()) - pad, end=float(values.max()) + 2.5 * pad)
        edge = 0.01 * float(np.ptp(times)) or 43_200_000.0
        self.axes.series_x.update(start=float(times.min()) - edge, end=float(times.max()) + edge)

    def show_hovmoller(self, picture: Hovmoller, limits: tuple[float, float], colours: list[str]) -> None:
        """A new latitude-time picture, coloured over all its times (the map's own limits are those of one month)."""
        self.hovmoller_mapper.update(low=limits[0], high=limits[1], palette=colours)
        self.picture.data = {
            "image": [picture.values],
            "x": [picture.start_ms],
            "y": [picture.south],
            "dw": [picture.end_ms - picture.start_ms],
            "dh": [picture.top - picture.south],
            "lat": [picture.lat],
        }
        self.axes.hovmoller_x.update(start=picture.start_ms, end=picture.end_ms)
        self.axes.latitude.update(start=picture.south, end=picture.north)
        self._fit_series_axes()

    def describe(self, *, units: str, series_title: str, dark: bool) -> None:
        """Axis labels, titles and colours."""
        self._description = {"units": units, "series_title": series_title, "dark": dark}
        if self._figures is None:
            return
        series, _, zonal, histogram = self._figures
        series.title.text = series_title
        series.yaxis.axis_label = units
        zonal.xaxis.axis_label = units
        histogram.xaxis.axis_label = units
        shown = paint(self._figures, dark=dark)
        for legend in series.legend:
            legend.label_text_color = shown.ink
            legend.background_fill_color = shown.paper

    def _series(self) -> Any:
        fig = framed("Series", x_axis_type="datetime", x_range=self.axes.series_x, y_range=self.axes.series_y)
        fig.xaxis.formatter = _dates()
        fig.xaxis.ticker.desired_num_ticks = 6
        band = fig.patch("time", "edge", source=self.band, fill_color="#ff3d6e", fill_alpha=0.16, line_color=None)
        mean = fig.line("time", "mean", source=self.region, line_color="#ff3d6e", line_width=2)
        site = fig.scatter(
            "time",
            "value",
            source=self.site,
            size=4,
            marker="diamond",
            fill_color="#2c9f5e",
            fill_alpha=0.6,
            line_color=None,
        )
        value = fig.scatter("time", "value", source=self.values, size=4, fill_color="#1f7a9c", line_color=None)
        fitted = fig.line("time", "fitted", source=self.values, line_color="#1f7a9c", line_width=1.2)
        trend = fig.line("time", "trend", source=self.values, line_color="#e09f1f", line_width=2)
        items = [
            LegendItem(label=text, renderers=parts)
            for text, parts in (
                ("cell", [value]),
                ("fit", [fitted]),
                ("trend", [trend]),
                ("region", [mean, band]),
                ("site", [site]),
            )
        ]
        fig.add_layout(
            Legend(
                items=items,
                location="top_left",
                orientation="horizontal",
                label_text_font_size="10px",
                padding=2,
                margin=2,
                spacing=6,
                glyph_width=14,
                background_fill_alpha=0.7,
                border_line_color=None,
            )
        )
        fig.add_tools(
            HoverTool(
                renderers=[value],
                mode="vline",
                tooltips=[("", "@time{%Y-%m-%d}"), ("value", "@value{0.00}"), ("trend", "@trend{0.00}")],
                formatters={"@time": "datetime"},
            ),
            HoverTool(
                renderers=[mean],
                mode="mouse",
                tooltips=[("", "@time{%Y-%m-%d}"), ("mean", "@mean{0.00}")],
                formatters={"@time": "datetime"},
            ),
        )
        fig.add_layout(self.series_cursor)
        fig.js_on_event(Tap, CustomJS(code=_GO_TO_TIME))
        return fig

    def _hovmoller(self) -> Any:
        fig = framed(
            "Latitude and time", x_axis_type="datetime", x_range=self.axes.hovmoller_x, y_range=self.axes.latitude
        )
        fig.xaxis.formatter = _dates()
        fig.yaxis.formatter = CustomJSTickFormatter(code=_LATITUDE)
        fig.grid.visible = False
        fig.xaxis.ticker.desired_num_ticks = 5
        fig.image(
            image="image", x="x", y="y", dw="dw", dh="dh", source=self.picture, color_mapper=self.hovmoller_mapper
        )
        fig.add_tools(
            HoverTool(
                tooltips=[("", "$x{%Y-%m}"), ("latitude", "$y{0.0}°"), ("mean", "@image{0.00}")],
                formatters={"$x": "datetime"},
            )
        )
        fig.add_layout(self.hovmoller_cursor)
        fig.js_on_event(Tap, CustomJS(code=_GO_TO_TIME))
        return fig

    def _zonal(self) -> Any:
        fig = framed("Zonal mean", x_range=self.axes.zonal_x, y_range=self.axes.latitude)
        fig.yaxis.formatter = CustomJSTickFormatter(code=_LATITUDE)
        fig.line("x", "y", source=self.zonal, line_color="#1f7a9c", line_width=2)
        fig.xaxis.ticker.desired_num_ticks = 3
        return fig

    def _histogram(self) -> Any:
        fig = framed("In view, % of area", x_range=self.axes.histogram_x, y_range=self.axes.histogram_y)
        fig.quad(
            left="left", right="right", top="top", bottom=0, source=self.histogram, fill_color="colour", line_color=None
        )
        fig.xaxis.ticker.desired_num_ticks = 3
        fig.xaxis.formatter = CustomJSTickFormatter(code=_MAYBE_LOG)
        return fig


def _dates() -> DatetimeTickFormatter:
    return DatetimeTickFormatter(years="%Y", months="%m/%y", days="%d %b", hours="%H:%M", boundary_scaling=False)
