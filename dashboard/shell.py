"""The frame around every page: title, the way to the other pages, side bar, light and dark.

One place decides which pages there are; a page module is imported when its page is first opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import panel as pn
import panel_material_ui as pmui
import param
from panel.util import edit_readonly
from panel_material_ui.template.base import Meta

if TYPE_CHECKING:
    from dashboard.background import Build
    from dashboard.library import Library


@dataclass(frozen=True)
class PageEntry:
    """A page: its address below the root ('' for the first), its name in the header, its module, a line that says what it is for.

    The module has `page(library, build)`, which returns what `shell` made.
    """

    address: str
    name: str
    module: str
    purpose: str


PAGES = (
    PageEntry("", "Explore", "dashboard.explore_page", "Maps, series and trends of column CO2"),
    PageEntry("emissions", "Emissions", "dashboard.emissions_page", "Fossil CO2 by country, sector and day"),
    PageEntry(
        "atmosphere", "Atmosphere", "dashboard.atmosphere_page", "CO2 by height: profiles, sections, stable layers"
    ),
    PageEntry("data", "Data", "dashboard.data_page", "Catalogue, archive, import, verification"),
    PageEntry("runs", "Runs", "dashboard.runs_page", "Start, watch and compare long computations"),
)
"""In the order of the header."""

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
"""Below this width of the window the side bar is a drawer that starts closed, and views stand below one another."""
_WIDTH_COOKIE = "carbonweather_width"

STATIC = Path(__file__).parent / "static"
PAGE_CSS = (STATIC / "page.css").read_text(encoding="utf-8")

_NAVIGATION = """
:host { margin: 0 0 0 18px; min-width: 0; }
nav { display: flex; gap: 2px; overflow-x: auto; scrollbar-width: none; font: 500 14px/1 Roboto, sans-serif; }
nav::-webkit-scrollbar { display: none; }
a { color: #fff; text-decoration: none; padding: 9px 11px; border-radius: 6px; opacity: .82; white-space: nowrap; }
a:hover, a:focus-visible { opacity: 1; background: rgb(255 255 255 / 14%); }
a[aria-current] { opacity: 1; background: rgb(255 255 255 / 20%); }
@media (max-width: 900px) {
  :host { margin-left: 6px; }
  a[aria-current] { order: -1; }
  nav { max-width: calc(100vw - 220px); mask-image: linear-gradient(to right, black 85%, transparent); }
}
"""


def shell(address: str, *, main: Sequence[Any], sidebar: Sequence[Any] = (), sidebar_width: int = 290) -> pmui.Page:
    """A page of the dashboard.

    Parameters
    ----------
    address : which of `PAGES` it is.
    main, sidebar : what stands in the middle and at the left; without a side bar there is none.
    sidebar_width : pixels.
    """
    entry = next(entry for entry in PAGES if entry.address == address)
    title = "Carbon Weather" if not address else f"{entry.name} · Carbon Weather"
    made = pmui.Page(
        title="Carbon Weather",
        header=[navigation(address)],
        main=list(main),
        sidebar=list(sidebar),
        sidebar_width=sidebar_width if sidebar else 0,  # a closed side bar pulls the page to the left by its width
        sidebar_open=bool(sidebar) and not _is_narrow(),
        theme_config=THEME,
        template=STATIC / "page.html",
        busy_indicator=None,
        meta=Meta(name="Carbon Weather", title=title, description=entry.purpose),
    )
    with edit_readonly(made):
        made.busy = _Idle().param.busy
    return made


def _is_narrow() -> bool:
    """True if the side bar would cover most of the window, as wide as page.html last told; at a first visit, of a phone."""
    width = pn.state.cookies.get(_WIDTH_COOKIE, "")
    if width.isdecimal():
        return int(width[:6]) < NARROW_PIXELS
    return "Mobi" in pn.state.headers.get("User-Agent", "")


class _Idle(param.Parameterized):
    """What a page's `busy` follows instead of the global `pn.state.busy`.

    That one would walk all models of the page at each event (30 ms), and its watcher would keep every closed page in memory.
    Only another reference takes the watcher away; a plain value leaves it.
    """

    busy = param.Boolean(default=False)


def repeat(callback: Callable[[], None], *, milliseconds: int) -> None:
    """Call something again and again, from when the browser has the page: what a session changes before that can be lost."""
    pn.state.onload(lambda: pn.state.add_periodic_callback(callback, period=milliseconds))


def navigation(address: str) -> pn.pane.HTML:
    """Links to all pages, the one shown marked."""
    links = (
        f'<a href="./{entry.address}" title="{entry.purpose}"{" aria-current=page" if entry.address == address else ""}>'
        f"{entry.name}</a>"
        for entry in PAGES
    )
    return pn.pane.HTML(f'<nav aria-label="Pages">{"".join(links)}</nav>', stylesheets=[_NAVIGATION], margin=0)


def applications(library: Library, build: Build | None) -> dict[str, Any]:
    """Makers of all pages by address, as `panel.serve` takes them."""

    def maker(entry: PageEntry) -> Any:
        return lambda: import_module(entry.module).page(library, build)

    return {f"/{entry.address}": maker(entry) for entry in PAGES}
