"""Work of a session in threads: its result comes back to the document, once the page is built, and to nobody who has left."""

import gc
import logging
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import panel as pn
import pytest
from bokeh.document import Document
from panel.io.state import set_curdoc

from analysis.errors import AnalysisError
from dashboard.session_work import SessionWork
from data.errors import DataError


class Overtaken(AnalysisError):
    """Another piece of work is wanted by now."""


class Visit:
    """A session's document as the server keeps it, and what its page was told."""

    class Context:
        """What Bokeh's server hangs on a document for as long as its session lives."""

    def __init__(self, **options: object) -> None:
        self.context: Visit.Context | None = self.Context()
        self.document = Document()
        self.document._session_context = lambda: self.context
        self.told: list[object] = []
        with set_curdoc(self.document):
            self.work = SessionWork(ThreadPoolExecutor(1), self.told.append, **options)

    def do(self, *arguments: object, **options: object) -> None:
        """Ask for work and wait until its thread has done it."""
        with ThreadPoolExecutor(1) as pool:
            self.work.do(*arguments, pool=pool, **options)

    def tick(self) -> None:
        """What the event loop does next: the document's callbacks, with it as the current one."""
        for callback in self.document.session_callbacks:
            self.document.remove_next_tick_callback(callback)
            with set_curdoc(self.document):
                callback.callback()


def failing(error: BaseException):
    def work() -> None:
        raise error

    return work


def test_without_a_server_everything_is_done_at_once():
    told: list[object] = []
    with ThreadPoolExecutor(1) as pool:
        work = SessionWork(pool, told.append)
        work.do(threading.current_thread, told.append)
        work.tell(lambda: told.append("said"))
    assert told == [threading.current_thread(), "said"]


def test_work_is_done_in_a_thread_and_shown_in_the_next_tick():
    visit = Visit()
    visit.do(threading.current_thread, visit.told.append)
    assert visit.told == []
    visit.tick()
    (where,) = visit.told
    assert where is not threading.current_thread()


def test_while_a_page_is_made_nothing_need_wait():
    visit = Visit()
    visit.work.at_once = True
    visit.work.do(lambda: "first", visit.told.append)
    assert visit.told == ["first"]


@pytest.mark.parametrize("error", [DataError("There is no such file."), AnalysisError("There is no such file.")])
def test_a_foreseen_error_is_a_sentence_for_the_visitor(error):
    visit = Visit()
    visit.do(failing(error), visit.told.append, failed=lambda: visit.told.append("over"))
    visit.tick()
    assert set(visit.told) == {"There is no such file.", "over"}


def test_a_piece_of_work_may_show_its_own_failure():
    visit = Visit()
    own: list[str] = []
    visit.do(failing(DataError("Broken.")), visit.told.append, fail=own.append)
    visit.tick()
    assert (own, visit.told) == (["Broken."], [])


def test_work_that_was_overtaken_says_nothing(caplog):
    visit = Visit(silent=(Overtaken,))
    visit.do(failing(Overtaken("Another.")), visit.told.append, failed=lambda: visit.told.append("over"))
    visit.tick()
    assert (visit.told, caplog.records) == ([], [])


def test_an_error_nobody_foresaw_is_logged_and_ends_the_work(caplog):
    visit = Visit()
    with caplog.at_level(logging.ERROR):
        visit.do(failing(ZeroDivisionError("by nothing")), visit.told.append, failed=lambda: visit.told.append("over"))
    visit.tick()
    assert visit.told == ["over"]
    assert "ZeroDivisionError: by nothing" in caplog.text


def test_a_result_waits_until_the_browser_has_built_the_page():
    visit = Visit(when_loaded=True)
    for result in ("first", "second"):
        visit.do(lambda result=result: result, visit.told.append)
        visit.tick()
    assert visit.told == []
    pn.state._on_load(visit.document)
    assert visit.told == ["first", "second"]
    visit.do(lambda: "third", visit.told.append)
    visit.tick()
    assert visit.told == ["first", "second", "third"]


def test_nobody_is_told_after_the_visitor_has_left():
    visit = Visit()
    visit.context = None
    visit.do(lambda: "late", visit.told.append)
    visit.do(failing(DataError("late")), visit.told.append)
    assert visit.document.session_callbacks == []
    assert visit.told == []


def test_work_that_is_done_keeps_no_page_alive():
    class Page:
        def __init__(self) -> None:
            self.work = SessionWork(pool, self.fail)
            self.shown = ""

        def fail(self, sentence: str) -> None:
            self.shown = sentence

        def show(self, result: str) -> None:
            self.shown = result

    with ThreadPoolExecutor(1) as pool:
        document = Document()
        document._session_context = lambda: None
        with set_curdoc(document):
            page = Page()
        page.work.do(lambda: "result", page.show)
        pool.submit(lambda: None).result()  # the one thread is free again
        left = weakref.ref(page)
        del page
        gc.collect()
        assert left() is None
