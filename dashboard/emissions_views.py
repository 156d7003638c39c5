"""The four figures of the Emissions page; made once a session and updated in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, DatetimeTickFormatter, HoverTool, NumeralTickFormatter, Range1d, Span

from dashboard.emissions_shown import BEFORE, NEWEST, OLDER, Picture, label
from dashboard.emissions_state import SHOWN, EmissionsState
from dashboard.figure_frame import framed, paint
from dashboard.linked import milliseconds

YEAR_RANGE = np.array(["1999-12-30", "2001-01-02"], dtype="datetime64[D]")
"""Where the axis of `LEAP_YEAR` begins and ends."""
ROOM = 0.06
"""Air above and below the lines, as a share of their range."""


class EmissionViews:
    """Series, year by year, change and sectors."""

    def __init__(self) -> None:
        self.lines = ColumnDataSource({"xs": [], "ys": [], "name": [], "colour": []})
        self.changes = ColumnDataSource({"xs": [], "ys": [], "name": [], "colour": []})
        self.years = ColumnDataSource({"xs": [], "ys": [], "name": [], "colour": [], "width": [], "alpha": []})
        self.layers = ColumnDataSource({"xs": [], "ys": [], "name": [], "colour": []})
        self.sums = ColumnDataSource({"time": [], "top": []})
        self.time = Range1d(start=0.0, end=1.0)
        self.change_time = Range1d(start=0.0, end=1.0)
        self.series = self._frame("Series", self.time)
        self.by_year = self._frame("Year by year", Range1d(*milliseconds(YEAR_RANGE).tolist()))
        self.change = self._frame("Change", self.change_time)
        self.sectors = self._frame("Sectors", self.time)
        self._fill()
        self.set_dark(False)

    @property
    def figures(self) -> tuple[Any, Any, Any, Any]:
        """In reading order."""
        return self.series, self.by_year, self.change, self.sectors

    def show(self, picture: Picture, state: EmissionsState) -> None:
        """Bring all figures to a picture."""
        names, colours = [label(curve.name) for curve in picture.curves], [curve.colour for curve in picture.curves]
        times = [curve.times for curve in picture.curves]
        values, changes = [curve.values for curve in picture.curves], [curve.change for curve in picture.curves]
        self.time.update(start=picture.start, end=picture.end)
        begins = [curve.times[np.isfinite(curve.change)][:1] for curve in picture.curves]
        first = min((float(begin[0]) for begin in begins if begin.size), default=picture.start)
        self.change_time.update(start=max(picture.start, first - 0.02 * (picture.end - first)), end=picture.end)
        self.lines.data = {"xs": times, "ys": values, "name": names, "colour": colours}
        self.changes.data = {"xs": times, "ys": changes, "name": names, "colour": colours}
        years = picture.years
        self.years.data = {
            "xs": [curve.times for curve in years],
            "ys": [curve.values for curve in years],
            "name": [str(curve.year) for curve in years],
            "colour": [(NEWEST, BEFORE)[curve.age] if curve.age < 2 else OLDER for curve in years],
            "width": [2.5 if curve.age == 0 else 1.6 if curve.age == 1 else 1.0 for curve in years],
            "alpha": [1.0 if curve.age < 2 else max(0.35, 1.0 - 0.12 * curve.age) for curve in years],
        }
        self._show_stack(picture, state)
        inside = [(curve.times >= picture.start) & (curve.times <= picture.end) for curve in picture.curves]
        _fit(self.series, [part[seen] for part, seen in zip(values, inside, strict=True)], zero=state.show == "year")
        _fit(self.change, [part[seen] for part, seen in zip(changes, inside, strict=True)], quantile=0.005, zero=True)
        _fit(self.by_year, [curve.values for curve in years], zero=state.show == "year")
        unit = "Mt CO₂" if state.show == "year" else "Mt CO₂ a day"
        self.series.title.text = f"{SHOWN[state.show]} by country"
        self.by_year.title.text = f"Year by year: {picture.what}"
        self.change.title.text = "Change on the same days of the year before"
        self.sectors.title.text = f"Sectors: {picture.what}"
        self.series.yaxis.axis_label = self.by_year.yaxis.axis_label = unit
        self.change.yaxis.axis_label = "%" if state.change == "percent" else unit
        self.sectors.yaxis.axis_label = "%" if state.stack == "share" else unit

    def set_dark(self, dark: bool) -> None:
        """Colours that suit the page's theme."""
        self._zero.line_color = paint(self.figures, dark=dark).ink

    def _show_stack(self, picture: Picture, state: EmissionsState) -> None:
        stack = picture.stack
        names = list(stack.outlines)
        self.layers.data = {
            "xs": [stack.outlines[name][0] for name in names],
            "ys": [stack.outlines[name][1] for name in names],
            "name": names,
            "colour": [stack.colours[name] for name in names],
        }
        top = np.sum(list(stack.values.values()), axis=0) if names else np.zeros(0)
        columns = {f"s{k}": stack.values[name] for k, name in enumerate(names)}
        from_top = [(name, f"@s{k}{{0,0.00}}") for k, name in reversed(list(enumerate(names)))]
        self._sum_hover.tooltips = [("", "@time{%-d %b %Y}"), *from_top]
        self.sums.data = {"time": stack.times, "top": top, **columns}
        inside = (stack.times >= picture.start) & (stack.times <= picture.end)
        if state.stack == "share":
            self.sectors.y_range.update(start=0.0, end=100.0)
        else:
            _fit(self.sectors, [top[inside]], zero=True, floor=True)

    def _frame(self, title: str, x_range: Range1d) -> Any:
        fig = framed(
            title,
            title_pixels=13,
            label_pixels=11,
            x_axis_type="datetime",
            x_range=x_range,
            y_range=Range1d(start=0.0, end=1.0),
            min_height=170,
            tools="xpan,xwheel_zoom,xbox_zoom,reset",
            active_drag="xpan",
            active_scroll=None,
            min_border_right=10,
        )
        fig.xaxis.ticker.desired_num_ticks = 6
        fig.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
        fig.xaxis.formatter = DatetimeTickFormatter(
            years="%Y",
            months="%b",
            days="%-d %b",
            hours="%-d %b",
            boundary_scaling=False,
            hide_repeats=True,
            context_which="all",
            context=DatetimeTickFormatter(
                months="%Y", days="%Y", hours="%Y", boundary_scaling=False, hide_repeats=True
            ),
        )
        return fig

    def _fill(self) -> None:
        moment = {"$snap_x": "datetime"}
        for fig, source, digits in ((self.series, self.lines, "0,0.00"), (self.change, self.changes, "+0,0.0")):
            lines = fig.multi_line("xs", "ys", source=source, line_color="colour", line_width=1.7)
            lines.hover_glyph = None
            tips = [("", "@name"), ("", "$snap_x{%-d %b %Y}"), ("", f"$snap_y{{{digits}}}")]
            fig.add_tools(HoverTool(renderers=[lines], tooltips=tips, formatters=moment, line_policy="nearest"))
        self._zero = Span(location=0, dimension="width", line_width=1, line_alpha=0.5)
        self.change.add_layout(self._zero)
        years = self.by_year.multi_line(
            "xs", "ys", source=self.years, line_color="colour", line_width="width", line_alpha="alpha"
        )
        tips = [("", "@name"), ("", "$snap_x{%-d %B}"), ("", "$snap_y{0,0.00}")]
        self.by_year.add_tools(HoverTool(renderers=[years], tooltips=tips, formatters=moment, line_policy="nearest"))
        self.by_year.xaxis.formatter = DatetimeTickFormatter(
            years="%b", months="%b", days="%-d %b", hours="%-d %b", boundary_scaling=False
        )
        self.sectors.patches(
            "xs", "ys", source=self.layers, fill_color="colour", fill_alpha=0.92, line_color="colour", line_width=0.3
        )
        top = self.sectors.line("time", "top", source=self.sums, line_alpha=0)
        self._sum_hover = HoverTool(
            renderers=[top], tooltips=[("", "@time{%-d %b %Y}")], formatters={"@time": "datetime"}, mode="vline"
        )
        self.sectors.add_tools(self._sum_hover)


def _fit(fig: Any, parts: list[np.ndarray], *, zero: bool = False, floor: bool = False, quantile: float = 0.0) -> None:
    """A y axis that holds all lines; `zero` is among them, `floor` puts it at the bottom, `quantile` cuts rare extremes."""
    values = np.concatenate(parts) if parts else np.zeros(0)
    values = values[np.isfinite(values)]
    if values.size == 0:
        fig.y_range.update(start=0.0, end=1.0)
        return
    low, high = (float(edge) for edge in np.quantile(values, [quantile, 1 - quantile]))
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    pad = ROOM * (high - low) or abs(high) * 0.1 or 0.5
    fig.y_range.update(start=0.0 if floor else low - pad * (low != 0.0 or not zero), end=high + pad)
