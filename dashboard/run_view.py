"""The browser half of the Runs page: one component, to which Python says what to show and which says what people do.

Each parameter that goes to the browser is one JSON text, sent only when it changes; see static/runs/app.js.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import panel as pn
import param
from panel.custom import JSComponent

from dashboard.map_view import STATIC

PARTS = ("parts", "list", "form", "run", "compare", "app")
"""Files of static/runs that make up the script, in this order."""


class RunsView(JSComponent):
    """List, form, run and comparison."""

    listing = param.String(
        default="{}", doc="All runs: {loaded, rows}; changes when one comes, goes or changes its state."
    )
    live = param.String(default="{}", doc="Rows of runs at work, and the server's clock: {clock, rows}.")
    view = param.String(default='{"mode": "list"}', doc="What stands beside the list: a run, a form or a comparison.")
    log = param.String(default="{}", doc="End of the shown run's log: {id, text}.")
    feedback = param.String(
        default="{}", doc="What is wrong with the form and what it costs: {seq, key, errors, cost}."
    )
    notice = param.String(default="{}", doc="A message: {text, severity, number}.")
    question = param.String(default="{}", doc="What must be confirmed: {id, text, number}.")
    address = param.String(default="{}", doc="What the address bar shall say: {query, replace, number}.")
    dark = param.Boolean(default=False, doc="Whether the page is dark, which the browser's own controls must know.")
    plot = param.String(default="{}", doc="The shown run's series: {id, item} with a Bokeh document.")

    _esm = "\n".join((STATIC / "runs" / f"{name}.js").read_text(encoding="utf-8") for name in PARTS)
    _stylesheets = [(STATIC / "runs" / "runs.css").read_text(encoding="utf-8")]

    def __init__(self, on_message: Callable[[dict[str, Any]], None], **params: Any) -> None:
        super().__init__(**params)
        self._on_message = on_message
        self._number = 0
        self._waiting: dict[str, str] | None = None if pn.state.curdoc is None else {}

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and isinstance(data.get("kind"), str):
            self._on_message(data)

    def begin(self) -> None:
        """Send what was kept until the browser had the page; from now on everything goes at once."""
        waiting, self._waiting = self._waiting, None
        self.param.update(**(waiting or {}))

    def tell(self, name: str, facts: dict[str, Any], *, again: bool = False) -> None:
        """Send facts to the browser under a parameter's name; `again` even if they are the same as last time."""
        if again:
            self._number += 1
            facts = facts | {"number": self._number}
        self.tell_text(name, json.dumps(facts, ensure_ascii=False))

    def tell_text(self, name: str, text: str) -> None:
        """The same for JSON that was written in a thread.

        Until the browser has the page it is kept here: what a session changes before that can be lost.
        """
        if self._waiting is not None:
            self._waiting[name] = text
        elif getattr(self, name) != text:
            self.param.update(**{name: text})
