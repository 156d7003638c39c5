"""Threads that share one kernel's work.

Kernels are compiled to release the interpreter and work on a range of independent lines; a `Team` hands out ranges.
Numba's own parallel layers are not used: `workqueue` aborts the process when two threads of a server enter it, `omp`
does not survive a fork, and `tbb` is not everywhere.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

PIECES_PER_THREAD = 4
"""Ranges handed to each thread: enough to even out rows of unequal work (poles), few enough to cost nothing."""


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Team:
    """A fixed number of threads; use as a context manager or `close` it.

    Parameters
    ----------
    threads : how many; all cores that this process may use by default. Results do not depend on it.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = available_cores() if threads is None else threads
        if self.threads < 1:
            raise ValueError(f"expected at least one thread, found {threads}.")
        self._pool = ThreadPoolExecutor(self.threads, "transport") if self.threads > 1 else None

    def share(self, work: Callable[[int, int], None], count: int) -> None:
        """Call `work(first, last)` for ranges that cover 0..count once; returns when all are done, raises what one
        raised."""
        if self._pool is None or count < 2:
            work(0, count)
            return
        pieces = min(count, self.threads * PIECES_PER_THREAD)
        bounds = [count * piece // pieces for piece in range(pieces + 1)]
        waiting = [self._pool.submit(work, *pair) for pair in itertools.pairwise(bounds)]
        for future in waiting:
            future.result()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
