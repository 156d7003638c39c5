"""The plot of a run's series as a Bokeh document of its own, which the browser embeds.

It is made in a thread and travels as one text, so neither the event loop nor the session has anything to do with its models.
"""

from __future__ import annotations

import json
from typing import Any

from dashboard.run_results import MOST_LINES, Plot

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind people tell apart; from the seventh line on the dash differs."""
ON_DARK = ("#56b4e9", "#e69f00", "#2fc79a", "#e6a3cc", "#f0763b", "#f0e442")
"""The same hues, light enough for a dark page."""
DASHES = ("solid", "dashed")
HEIGHT_PIXELS = 300


def figure_json(plot: Plot, *, dark: bool = False) -> dict[str, Any]:
    """What `Bokeh.embed.embed_item` takes.

    Parameters
    ----------
    plot : lines, with a band each where their spread is known.
    dark : light ink on a dark page.
    """
    from bokeh.embed import json_item
    from bokeh.models import DatetimeTickFormatter, HoverTool
    from bokeh.plotting import figure

    drawn = figure(
        height=HEIGHT_PIXELS,
        sizing_mode="stretch_width",
        x_axis_type="datetime" if plot.is_time else "linear",
        x_axis_label=None if plot.is_time else plot.x_name,
        y_axis_label=plot.quantity,
        tools="xpan,xwheel_zoom,box_zoom,reset,save",
        active_drag="box_zoom",
        toolbar_location="above",
        background_fill_alpha=0,
        border_fill_alpha=0,
    )
    drawn.toolbar.logo = None
    if plot.is_time:
        drawn.xaxis.formatter = DatetimeTickFormatter(months="%b %Y", days="%d %b %Y", hours="%d %b %H:%M")
    for number, line in enumerate(plot.lines[:MOST_LINES]):
        colour, dash = _style(number, dark)
        if line.spread is not None:
            low, high = line.y - line.spread, line.y + line.spread
            drawn.varea(line.x, low, high, fill_color=colour, fill_alpha=0.18)
        drawn.line(line.x, line.y, line_color=colour, line_dash=dash, line_width=1.8)
        dots = drawn.scatter(line.x, line.y, size=5, fill_color=colour, line_color=None)
        named = [("", line.name)] if line.name else []
        tips = [*named, (plot.x_name, "@x{%F}" if plot.is_time else "@x"), (plot.quantity, "@y")]
        drawn.add_tools(
            HoverTool(
                renderers=[dots], tooltips=tips, formatters={"@x": "datetime"} if plot.is_time else {}, visible=False
            )
        )
    _ink(drawn, dark)
    found: dict[str, Any] = json.loads(json.dumps(json_item(drawn)))
    return found


def _style(number: int, dark: bool) -> tuple[str, str]:
    colours = ON_DARK if dark else COLOURS
    return colours[number % len(colours)], DASHES[number // len(colours) % len(DASHES)]


def _ink(drawn: Any, dark: bool) -> None:
    ink, grid = ("#cdd7df", "#33414d") if dark else ("#33414d", "#dde4ea")
    for axis in (*drawn.xaxis, *drawn.yaxis):
        axis.update(
            axis_label_text_color=ink,
            major_label_text_color=ink,
            axis_line_color=ink,
            major_tick_line_color=ink,
            minor_tick_line_color=None,
        )
    for line in drawn.grid:
        line.grid_line_color = grid
    drawn.outline_line_color = grid


def line_key(plot: Plot, *, dark: bool = False) -> list[tuple[str, str, str]]:
    """Name, colour and dash of each line, for a key beside the plot."""
    return [(line.name, *_style(number, dark)) for number, line in enumerate(plot.lines) if line.name]
