"""The browser half of the Data page: one component, to which Python says what is there and which says what people want.

See static/data/app.js.
"""

from __future__ import annotations

import param

from dashboard.json_view import JsonView, joined

SCRIPTS = ("parts.js", "data/lists.js", "data/detail.js", "data/calendar.js", "data/adding.js", "data/app.js")
"""What makes up the script, in this order."""
STYLES = ("runs/runs.css", "data/data.css")


class DataView(JsonView):
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

    _esm = joined(SCRIPTS)
    _stylesheets = [joined(STYLES)]
