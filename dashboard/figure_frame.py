"""What all figures of the pages have in common: a frame without lines, quiet axes, and colours that follow the page's theme."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bokeh.plotting import figure

_EDGE = """
:host::after { content: ""; position: absolute; inset: 0; pointer-events: none;
  border: 0 solid var(--mui-palette-background-paper, #fff); border-width: 1px 0 0 1px; }
"""
"""Bokeh draws half a pixel off the canvas's edge, so that its first row and column keep half of the colour before."""

PLAIN: dict[str, Any] = {
    "sizing_mode": "stretch_both",
    "margin": 0,
    "output_backend": "canvas",
    "outline_line_color": None,
    "border_line_color": None,
    "stylesheets": [_EDGE],
}
"""Options of every figure."""


@dataclass(frozen=True)
class Colours:
    """Of text, background and grid lines."""

    ink: str
    paper: str
    grid: str


def colours(*, dark: bool) -> Colours:
    """The colours of the page's theme."""
    return Colours("#dfe7ee", "#121a22", "#2c3a47") if dark else Colours("#22313f", "#ffffff", "#e4e9ee")


def framed(title: str, *, title_pixels: int = 12, label_pixels: int = 10, **options: Any) -> Any:
    """A figure with its title, and axes that are nothing but their labels; `options` are those of `bokeh.plotting.figure`."""
    plain = {**PLAIN, "toolbar_location": None, "tools": "", "min_height": 150, "min_border": 2}
    fig = figure(**{**plain, "title": title, **options})
    fig.title.text_font_size, fig.title.text_font_style = f"{title_pixels}px", "bold"
    for axis in (*fig.xaxis, *fig.yaxis):
        axis.major_label_text_font_size, axis.axis_label_text_font_size = f"{label_pixels}px", "11px"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_standoff = 2
        axis.minor_tick_line_color = axis.axis_line_color = axis.major_tick_line_color = None
    return fig


def paint(figures: Iterable[Any], *, dark: bool) -> Colours:
    """Bring figures to the page's theme; returns its colours, for what else they hold."""
    chosen = colours(dark=dark)
    for fig in figures:
        fig.border_fill_color = fig.background_fill_color = chosen.paper
        fig.title.text_color = chosen.ink
        fig.grid.grid_line_color = chosen.grid
        for axis in (*fig.xaxis, *fig.yaxis):
            axis.major_label_text_color = axis.axis_label_text_color = chosen.ink
    return chosen
