"""Work for one visitor's page, done in a thread and brought back to his session.

A page's event loop serves everybody, so what reads files or computes runs in a pool of threads. Its result is shown in the next
tick of the session's document, where models may be changed; it is dropped where the visitor has left.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import panel as pn

from analysis.errors import AnalysisError
from data.errors import DataError

log = logging.getLogger(__name__)


class SessionWork:
    """The way of one session into the threads and back; made while its page is made.

    Parameters
    ----------
    pool : the threads that the sessions of this kind of page share.
    fail : shows the sentence of an error that was foreseen (`DataError`, `AnalysisError`); any other is logged.
    silent : errors that say only that nobody waits for the result any more.
    when_loaded : whether results wait until the browser has built the page; what reaches some models before is lost.

    Attributes
    ----------
    at_once : whether work is done where it is asked for: without a server (tests, notebooks), or while a page is made.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        fail: Callable[[str], None],
        *,
        silent: tuple[type[Exception], ...] = (),
        when_loaded: bool = False,
    ) -> None:
        self._doc = pn.state.curdoc
        self.at_once = self._doc is None
        self._pool, self._fail, self._silent, self._when_loaded = pool, fail, silent, when_loaded

    def do(
        self,
        work: Callable[[], Any],
        show: Callable[[Any], None],
        *,
        fail: Callable[[str], None] | None = None,
        failed: Callable[[], None] | None = None,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        """Do `work` in a thread, then `show` its result in the session.

        Parameters
        ----------
        work : must touch no model of the page.
        show : takes what `work` returned; has to look itself whether that is still wanted.
        fail : in place of the session's own, for this piece of work.
        failed : told after any error, foreseen or not (never after a silent one).
        pool : in place of the session's own, for this piece of work.
        """

        def run() -> None:
            try:
                result = work()
            except self._silent:
                return
            except (DataError, AnalysisError) as error:
                sentence = str(error)
                self.tell(lambda: (fail or self._fail)(sentence))
                if failed is not None:
                    self.tell(failed)
                return
            except BaseException:
                if failed is not None:
                    self.tell(failed)
                raise
            self.tell(lambda: show(result))

        if self.at_once:
            run()
        else:
            (pool or self._pool).submit(run).add_done_callback(log_failure)

    def tell(self, action: Callable[[], None]) -> None:
        """Change the page from a thread: do `action` in the session's next tick, never where the session has ended."""
        if self.at_once:
            action()
        elif self._doc.session_context is not None:
            self._doc.add_next_tick_callback((lambda: pn.state.onload(action)) if self._when_loaded else action)


def log_failure(future: Future[Any]) -> None:
    """Log an error that nobody foresaw; for `Future.add_done_callback`."""
    if (error := future.exception()) is not None:
        log.error("work for a page failed", exc_info=error)
