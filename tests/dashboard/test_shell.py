"""The frame around the pages: every page opens, names itself, and leaves nothing behind when its session ends."""

import gc
import re
import socket
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import panel as pn
import pytest

from dashboard.library import Library
from dashboard.shell import PAGES, applications, navigation
from tests.benchmarks.serving import free_port

PATIENCE_S = 20.0


@pytest.fixture
def opened(session_home):
    """A function that opens a page in a session of its own, ends it, and returns what is left of it (None if nothing is)."""
    from bokeh.client import pull_session

    made: list[weakref.ref] = []

    def remembering(maker):
        def make():
            page = maker()
            made.append(weakref.ref(page))
            return page

        return make

    pn.extension(notifications=False)
    pages = {address: remembering(maker) for address, maker in applications(Library(session_home), None).items()}
    port = free_port()
    server = pn.serve(
        pages,
        port=port,
        address="127.0.0.1",
        threaded=True,
        show=False,
        verbose=False,
        unused_session_lifetime_milliseconds=100,
        check_unused_sessions_milliseconds=100,
    )

    limit = time.monotonic() + PATIENCE_S
    while not _listens(port) and time.monotonic() < limit:
        time.sleep(0.05)

    def visit(address: str) -> object:
        made.clear()
        # in a thread of its own: pull_session runs an event loop, and a browser test may have left one in this thread
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: pull_session(url=f"http://127.0.0.1:{port}/{address}").close()).result()
        assert len(made) == 1
        limit = time.monotonic() + PATIENCE_S
        while made[0]() is not None and time.monotonic() < limit:
            time.sleep(0.1)
            gc.collect()
        return made[0]()

    yield visit
    server.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.name)
def test_a_closed_page_leaves_nothing_behind(opened, entry):
    opened(entry.address)  # the first one fills caches that are meant to stay
    assert opened(entry.address) is None


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.name)
def test_the_page_shown_is_marked_among_the_links(entry):
    marked = re.findall(r'<a href="\./(\w*)"[^>]*aria-current=page>', navigation(entry.address).object)
    assert marked == [entry.address]
