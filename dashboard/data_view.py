"""The browser half of the Data page: one component, to which Python says what is there and which says what people want.

Each parameter that goes to the browser is one JSON text, sent only when it changes; see static/data/app.js.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import param
from panel.custom import JSComponent

from dashboard.shell import STATIC

PARTS = ("runs/parts", "data/lists", "data/detail", "data/calendar", "data/adding", "data/app")
"""Files of static that make up the script, in this order; the small parts are those of the Runs page."""
STYLES = ("runs/runs", "data/data")


class DataView(JSComponent):
    """Lists, calendar, map, import and verification."""

    catalogue = param.String(default="{}", doc="Every data set of the catalogue; see data_facts.catalogue_json.")
    here = param.String(default='{"loaded": false, "items": []}', doc="What is in the data folder.")
    coverage = param.String(
        default="{}", doc="Soundings of every day by instrument, and which months the map can show."
    )
    where = param.String(default="{}", doc="Soundings in cells of one degree, of what was asked last.")
    tasks = param.String(default="{}", doc="Long work, newest first: {items}.")
    verification = param.String(default="{}", doc="The newest verification: {finished, subject, findings}.")
    citation = param.String(default="{}", doc="How to cite what was asked last: {text, bibtex, count, number}.")
    notice = param.String(default="{}", doc="A message: {text, severity, number}.")
    upload = param.String(default="{}", doc="How files are sent: {token, limit, limit_words, unpacked_words}.")

    _esm = "\n".join((STATIC / f"{name}.js").read_text(encoding="utf-8") for name in PARTS)
    _stylesheets = ["\n".join((STATIC / f"{name}.css").read_text(encoding="utf-8") for name in STYLES)]

    def __init__(self, on_message: Callable[[dict[str, Any]], None], **params: Any) -> None:
        super().__init__(**params)
        self._on_message = on_message
        self._number = 0

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and isinstance(data.get("kind"), str):
            self._on_message(data)

    def tell(self, name: str, facts: dict[str, Any], *, again: bool = False) -> None:
        """Send facts to the browser under a parameter's name; `again` even if they are the same as last time."""
        if again:
            self._number += 1
            facts = facts | {"number": self._number}
        self.tell_text(name, json.dumps(facts, ensure_ascii=False))

    def tell_text(self, name: str, text: str) -> None:
        """The same for JSON that was written in a thread."""
        if getattr(self, name) != text:
            self.param.update(**{name: text})
