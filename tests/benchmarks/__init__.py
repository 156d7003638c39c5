"""Speed comparisons, run by `carbonweather bench NAME`; none of them is a test, none fails on wall-clock time.

`bench_NAME.py` says in the first line of its docstring what it measures and has one function
`run(quick: bool) -> dict[str, Figure]`: the figures of this program together with those of the named alternative,
measured in the same run and called by the same key with a word before it (`zoom_ms` and `naive_zoom_ms`), so that
ratios can be formed. With `quick` it takes a smaller case and fewer runs, enough to see that it works.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    value : finite; the median where there was more than one run.
    unit : "ms", "s", "MB", "GB/s", ...
    n : how many runs it is the median of, at least 1.
    """

    value: float
    unit: str
    n: int = 1

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"A figure must be finite, got {self.value} {self.unit}.")
        if self.n < 1:
            raise ValueError(f"A figure comes from at least one run, got n={self.n}.")
        if not self.unit:
            raise ValueError("A figure needs a unit.")


def median_of(fn: Callable[[], object], n: int, *, warm_up: int = 0) -> Figure:
    """The median wall-clock time of `n` calls of `fn`, in ms, after `warm_up` calls that are not counted."""
    for _ in range(warm_up):
        fn()
    elapsed = []
    for _ in range(n):
        start = perf_counter()
        fn()
        elapsed.append((perf_counter() - start) * 1e3)
    return Figure(median(elapsed), "ms", n)
