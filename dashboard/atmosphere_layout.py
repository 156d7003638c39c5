"""Where things stand on the Atmosphere page: sections on the left, map and table on the right, one column on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import panel as pn

_BODY = """
.scroll-button { display: none; }
:host { display: flex; flex-direction: column; gap: 6px; padding: 6px 12px 8px; box-sizing: border-box; width: 100%; }
@media (max-width: 900px) { :host { padding: 4px; } }
"""
_BAR = """
.scroll-button { display: none; }
:host { display: grid; grid-template-columns: 1fr minmax(340px, 42%); gap: 12px; align-items: center; width: 100%; }
:host > * { min-width: 0; }
@media (max-width: 900px) { :host { grid-template-columns: 1fr; gap: 0; } }
"""
_GRID = """
.scroll-button { display: none; }
:host { display: grid; grid-template-columns: minmax(0, 2fr) minmax(340px, 1fr); gap: 8px; width: 100%;
  height: calc(100vh - 142px); min-height: 600px; flex: none; }
:host > * { min-width: 0; min-height: 0; height: 100%; }
@media (max-width: 900px) {
  :host { display: flex; flex-direction: column; height: auto; }
  :host > * { height: auto; flex: none; }
}
"""
_SECTIONS = """
.scroll-button { display: none; }
:host { display: grid; grid-template-columns: repeat(16, minmax(0, 1fr));
  grid-template-rows: minmax(0, 1.2fr) minmax(0, 1fr); gap: 8px; height: 100%; width: 100%; }
:host > * { grid-column: span 5; min-width: 0; min-height: 0; height: 100%; }
:host > .section { grid-column: span 11; }
:host > .history { grid-column: span 6; }
@media (max-width: 900px) { :host { display: flex; flex-direction: column; } :host > * { height: 290px; flex: none; } }
"""
_ASIDE = """
.scroll-button { display: none; }
:host { display: flex; flex-direction: column; gap: 8px; height: 100%; width: 100%; }
:host > .map { flex: none; height: auto; aspect-ratio: 1.6; max-height: 42%; }
:host > .zone { flex: 1; min-height: 0; border-radius: 8px; }
@media (max-width: 900px) { :host > .map { max-height: none; } :host > .zone { flex: none; height: auto; } }
"""
_CARD = """
.scroll-button { display: none; }
:host { background: var(--mui-palette-background-paper, #fff); border-radius: 8px; padding: 4px; box-sizing: border-box;
  overflow: hidden; }
:host > * { height: 100%; }
"""


def body(*parts: Any) -> pn.Column:
    """All of the page's middle, from top to bottom."""
    return pn.Column(*parts, stylesheets=[_BODY], margin=0)


def time_bar(summary: Any, player: Any) -> pn.Column:
    """The sentence and the time slider."""
    return pn.Column(summary, player, stylesheets=[_BAR], margin=(0, 0, 6, 0))


def panels(figures: Mapping[str, Any], table: Any) -> pn.Column:
    """Figures by name and the zone's table."""
    cards = {
        name: pn.Column(
            pn.pane.Bokeh(fig, sizing_mode="stretch_both", margin=0), css_classes=[name], stylesheets=[_CARD], margin=0
        )
        for name, fig in figures.items()
    }
    aside = pn.Column(cards.pop("map"), table, stylesheets=[_ASIDE], margin=0)
    sections = pn.Column(*cards.values(), stylesheets=[_SECTIONS], margin=0)
    return pn.Column(sections, aside, stylesheets=[_GRID], margin=0)


def hidden(*parts: Any) -> pn.Column:
    """Parts that stay hidden until there is something to show (a part that says how it is displayed cannot hide itself)."""
    return pn.Column(*parts, sizing_mode="stretch_width", margin=0, visible=False)
