"""The browser half of the Runs page: one component, to which Python says what to show and which says what people do.

See static/runs/app.js.
"""

from __future__ import annotations

import param

from dashboard.json_view import JsonView, joined

SCRIPTS = ("parts.js", "runs/list.js", "runs/form.js", "runs/run.js", "runs/compare.js", "runs/app.js")
"""What makes up the script, in this order."""


class RunsView(JsonView):
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

    _esm = joined(SCRIPTS)
    _stylesheets = [joined(["runs/runs.css"])]
