"""The Runs page: start, watch, compare and open long computations."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import panel as pn
import panel_material_ui as pmui

from dashboard.background import Build
from dashboard.library import Library
from dashboard.run_session import RunsSession
from dashboard.run_watch import RunWatch
from dashboard.shell import repeat, shell

POLL_MS = 1000
"""How often a session looks for changes; all sessions share one reading of the disk."""


def page(library: Library, build: Build | None) -> pmui.Page:
    """One session's Runs page."""
    query = pn.state.location.search.lstrip("?") if pn.state.location else ""
    session = RunsSession(library, watch(library.root), query)
    made = shell("runs", main=[session.view])
    session.set_dark(bool(made.dark_theme))
    made.param.watch(lambda event: session.set_dark(bool(event.new)), "dark_theme")
    repeat(session.poll, milliseconds=POLL_MS)
    return made


@cache
def watch(home: Path) -> RunWatch:
    """The runs of a data folder, shared by all sessions of this process."""
    return RunWatch(home)
