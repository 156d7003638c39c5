"""The Emissions page: near-real-time fossil CO2 by country, sector and day, with the change on the year before.

One `EmissionsState` a session is the only truth; the address bar and the controls write to it, and after each change a thread
works out one `Picture` that figures, tiles and table are brought to.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard.address import AddressBar
from dashboard.background import Build
from dashboard.emissions_controls import EmissionsControls
from dashboard.emissions_data import EmissionTable, emission_table, example_table, has_emissions, is_read, table_version
from dashboard.emissions_shown import Picture, overlap_text, picture
from dashboard.emissions_state import EmissionsState, asks_for_example
from dashboard.emissions_views import EmissionViews
from dashboard.emissions_words import (
    EMPTY_CSS,
    LEGEND_CSS,
    TABLE_CSS,
    TILES_CSS,
    about_text,
    country_legend,
    empty_html,
    ranking_html,
    sector_legend,
    tiles_html,
    year_legend,
)
from dashboard.library import Library
from dashboard.session_work import SessionWork
from dashboard.shell import repeat, shell

EXAMPLE_NOTICE = (
    "A simulated example: what the cities and power plants of the simulated world emit, not statistics of any country. "
    "It gives way to Carbon Monitor's table as soon as that is imported."
)
POLL_MS = 2000
"""How often a session looks whether a table has been imported."""

_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="emissions")

_BODY = """
.scroll-button { display: none; }
:host { display: flex; flex-direction: column; gap: 8px; padding: 8px 12px; box-sizing: border-box; width: 100%; }
@media (max-width: 900px) { :host { padding: 4px; } }
"""
_GRID = """
.scroll-button { display: none; }
:host { display: grid; grid-template-columns: 1.15fr 1fr minmax(300px, 0.8fr); grid-template-rows: 1fr 1fr; gap: 8px;
  grid-auto-flow: column; height: calc(100vh - 178px); min-height: 520px; width: 100%; }
:host > * { min-width: 0; min-height: 0; height: 100%; overflow: hidden; border-radius: 8px; }
@media (max-width: 900px) {
  :host { display: flex; flex-direction: column; height: auto; }
  :host > * { height: 300px; flex: none; }
  :host > .ranking { height: auto; }
}
"""
_CARD = """
.scroll-button { display: none; }
:host { display: flex; flex-direction: column; background: var(--mui-palette-background-paper, #fff); padding: 6px 8px 8px;
  box-sizing: border-box; height: 100%; }
:host > :first-child { flex: 1; min-height: 0; }
:host > :last-child { flex: none; padding-left: 8px; }
"""


class EmissionsPage:
    """One session's Emissions page.

    Parameters
    ----------
    library : the data folder.
    query : the address the page was opened with.
    """

    def __init__(self, library: Library, query: str = "") -> None:
        self.root = library.root
        self._work = SessionWork(_THREADS, self._fail)
        self.state = EmissionsState()
        self.table: EmissionTable | None = None
        self.picture: Picture | None = None
        self.views = EmissionViews()
        self.address = AddressBar(query=query)
        self.controls = EmissionsControls(self.state)
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
        self.notice = pmui.Alert("", severity="info", closeable=True, visible=False, **wide)
        self.filled = has_emissions(library.root) or asks_for_example(query)
        """Whether the page has figures: decided when it is made, for figures cannot be added reliably later."""
        self.empty = pn.pane.HTML(
            "" if self.filled else empty_html(), stylesheets=[EMPTY_CSS], visible=not self.filled, **wide
        )
        self.tiles = pn.pane.HTML("", stylesheets=[TILES_CSS], **wide)
        self.legends = [pn.pane.HTML("", stylesheets=[LEGEND_CSS], **wide) for _ in range(4)]
        self.ranking = pn.pane.HTML(
            "",
            stylesheets=[TABLE_CSS],
            sizing_mode="stretch_both",
            margin=0,
            styles={"grid-row": "1 / 3"},
            css_classes=["ranking"],
        )
        self._version = -1
        self._asked = 0
        self._quiet = False
        self.side = pn.Column(sizing_mode="stretch_width", margin=0)
        self.state.param.watch(self._changed, [name for name in self.state.param if name != "name"])
        self.address.param.watch(lambda event: self._came_back(event.new), "query")

    def main(self) -> list[Any]:
        """What stands in the middle of the page."""
        cards = [
            pn.Column(pn.pane.Bokeh(fig, sizing_mode="stretch_both", margin=0), legend, stylesheets=[_CARD], margin=0)
            for fig, legend in zip(self.views.figures, self.legends, strict=True)
        ]
        grid = pn.Column(*cards, self.ranking, stylesheets=[_GRID], margin=0)
        body = [self.tiles, grid] if self.filled else []
        return [pn.Column(self.notice, self.empty, *body, self.address, stylesheets=[_BODY], margin=0)]

    def poll(self, *, at_once: bool = False) -> None:
        """Take in a table that was imported, changed or removed since the last look; `at_once` without a thread."""
        version = table_version(self.root)
        if version == self._version:
            return
        self._version = version
        before, self._work.at_once = self._work.at_once, at_once or self._work.at_once
        try:
            self._work.do(self._load, self._adopt)
        finally:
            self._work.at_once = before

    def set_dark(self, dark: bool) -> None:
        """Follow the page's theme."""
        self.views.set_dark(dark)

    # -- changes -----------------------------------------------------------------------------------------------------

    def _adopt(self, table: EmissionTable | None) -> None:
        """Show another table; a page without figures is loaded again when there is one, and the other way round."""
        self.table = table
        if (table is not None) != self.filled:
            self.address.reloads += 1
        elif table is not None:
            self._apply(self.address.query, table)

    def _load(self) -> EmissionTable | None:
        """The data folder's table, else the simulated example where the address asks for it."""
        return emission_table(self.root) or (example_table() if asks_for_example(self.address.query) else None)

    def _apply(self, query: str, table: EmissionTable) -> None:
        self._quiet = True
        try:
            repairs = self.state.apply_query(query, table.daily)
            self.state.example = table.is_example
            if table.is_example:
                repairs.append(EXAMPLE_NOTICE)
        finally:
            self._quiet = False
        self.controls.offer(table.daily)
        self._say(" ".join(repairs))
        self._changed()

    def _came_back(self, query: str) -> None:
        """The back button, or our own writing of the address."""
        if self.table is not None and query != self.state.to_query():
            self._apply(query, self.table)

    def _changed(self, *_events: Any) -> None:
        if self._quiet or self.table is None:
            return
        self.address.query = self.state.to_query()
        self._asked += 1
        asked, table, state = self._asked, self.table, EmissionsState(**self.state.param.values(onlychanged=False))

        def show(made: Picture) -> None:
            if asked == self._asked:
                self._show(made, table, state)

        self._work.do(lambda: picture(table, state), show)

    def _show(self, made: Picture, table: EmissionTable, state: EmissionsState) -> None:
        self.picture = made
        self.views.show(made, state)
        self.tiles.object = tiles_html(made.tiles, simulated=table.simulated)
        for pane, text in zip(
            self.legends,
            (country_legend(made), year_legend(made), country_legend(made), sector_legend(made)),
            strict=True,
        ):
            pane.object = text
        self.ranking.object = ranking_html(made.ranks, state.change)
        self.controls.describe(about_text(table, overlap_text(state.countries)))
        if not len(self.side):  # made only now that they know their choices: what reaches a widget too early is lost
            self.side.objects = self.controls.widgets

    def _say(self, sentence: str) -> None:
        self.notice.param.update(object=sentence, visible=bool(sentence))

    def _fail(self, sentence: str) -> None:
        if self.table is None:
            self.empty.param.update(object=empty_html(sentence), visible=True)
        else:
            self._say(sentence)


def page(library: Library, build: Build | None) -> pmui.Page:
    """One session's Emissions page; what goes on in the background (`build`) is shown on the Explore page."""
    query = pn.state.location.search.lstrip("?") if pn.state.location else ""
    view = EmissionsPage(library, query)
    made = shell("emissions", main=view.main(), sidebar=[view.side] if view.filled else [])
    made.param.watch(lambda event: view.set_dark(bool(event.new)), "dark_theme")
    if is_read(library.root):
        view.poll(at_once=True)
    else:
        pn.state.onload(view.poll)  # what changes while the browser builds the page can be lost
    repeat(view.poll, milliseconds=POLL_MS)
    return made
