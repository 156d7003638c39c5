"""The browser's address bar as a parameter: what a page writes to it, and what the back button brings back."""

from __future__ import annotations

import param
from panel.custom import JSComponent

_SCRIPT = """
export function render({model}) {
  let settled = false
  const write = () => {
    const now = window.location.search.slice(1)
    if (now === model.query) return
    const url = window.location.pathname + (model.query ? "?" + model.query : "")
    // the first address only completes the one that was typed; every other one is a step that can be taken back
    window.history[settled ? "pushState" : "replaceState"]({}, "", url)
  }
  const back = () => { model.query = window.location.search.slice(1) }
  write()
  settled = true
  model.on("query", write)
  model.on("reloads", () => window.location.reload())
  window.addEventListener("popstate", back)
  model.on("remove", () => window.removeEventListener("popstate", back))
}
"""


class AddressBar(JSComponent):
    """Takes no room on the page; put it anywhere in it. Watch `query` to learn of the back button."""

    query = param.String(default="", doc="What follows '?' in the address.")

    reloads = param.Integer(default=0, doc="Each change loads the page again, for what cannot change in place.")

    _esm = _SCRIPT

    def __init__(self, **params: object) -> None:
        super().__init__(**{"width": 0, "height": 0, "margin": 0, "sizing_mode": "fixed", **params})
