"""The application: pages by address, and the server that shows them together with the data routes."""

from __future__ import annotations

import gc
import threading
from importlib import import_module
from pathlib import Path

import panel as pn

from dashboard.background import Build
from dashboard.library import Library
from dashboard.page_resources import remember_resources
from dashboard.run_files import run_patterns
from dashboard.server import data_patterns, outline
from dashboard.shell import PAGE_CSS, PAGES, applications


def serve(
    root: Path, *, port: int, address: str, origins: list[str], build: Build | None = None, show: bool = False
) -> None:
    """Run the dashboard until interrupted.

    Parameters
    ----------
    root : data folder.
    port, address : where to listen.
    origins : host:port texts from which browsers may connect.
    build : work going on in the background, shown as a progress bar.
    show : open the user's browser.
    """
    pn.extension(notifications=False, raw_css=[PAGE_CSS])
    library = Library(root)
    warm_up(library)
    remember_resources()
    forget_nothing_loaded()
    pn.serve(
        applications(library, build),
        port=port,
        address=address,
        websocket_origin=origins,
        show=show,
        title="Carbon Weather",
        extra_patterns=data_patterns(library) + run_patterns(library),
        threaded=False,
        verbose=False,
    )


def warm_up(library: Library) -> None:
    """Compile kernels, read geography and import the plotting stack before the first visitor comes."""
    from data.cube.warm_up import warm_up as warm_up_cubes

    outline("coastlines", "110m")
    outline("borders", "110m")
    modules = [import_module(entry.module) for entry in PAGES]
    modules[0].page(library, None).get_root()
    # in a thread only now: two threads that first import the same library can trip over its half-made modules
    threading.Thread(target=warm_up_cubes, name="warm-up", daemon=True).start()


def forget_nothing_loaded() -> None:
    """Leave the libraries out of later searches for garbage.

    Panel searches whenever a visitor has left; through all that is loaded that takes 0.17 s, in which the event loop stands still.
    """
    gc.collect()
    gc.freeze()
