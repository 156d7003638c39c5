"""How often each value occurs in a group, for medians and percentiles of any number of soundings.

Values are rounded to 18 binary digits (0.001 ppm at 400 ppm), so a group has some ten thousand different ones at most
and memory does not grow with the number of soundings. Counts are whole numbers: parts may be added in any order and
give the same. Quantiles are the smallest value with at least that share of the soundings at or below it (NumPy's
"inverted_cdf", as `analysis.statistics.area.weighted_quantiles`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

DIGITS = 18
"""Binary digits kept of a float32's 24."""

_DROPPED = 24 - DIGITS


@dataclass(frozen=True)
class ValueCounts:
    """Ascending by period, group and value; all (n,): int32, int32, float32, int64."""

    period: np.ndarray
    group: np.ndarray
    value: np.ndarray
    count: np.ndarray

    def __len__(self) -> int:
        return self.value.size

    def select(self, rows: np.ndarray) -> ValueCounts:
        """Some rows."""
        return ValueCounts(*(getattr(self, field.name)[rows] for field in fields(self)))


def rounded(values: np.ndarray) -> np.ndarray:
    """(n,) float32 to the nearest of `DIGITS` binary digits, halves to even; no NaN, no infinities."""
    bits = np.asarray(values, dtype=np.float32).view(np.int32)
    half = np.int32((1 << (_DROPPED - 1)) - 1) + ((bits >> np.int32(_DROPPED)) & np.int32(1))
    kept = ((bits + half) >> np.int32(_DROPPED)) << np.int32(_DROPPED)
    return kept.view(np.float32) + np.float32(0.0)  # minus zero becomes zero


def value_counts(period: np.ndarray, group: np.ndarray, value: np.ndarray) -> ValueCounts:
    """Count the values of soundings; those in no group (-1) or without a finite value are left out. All (n,)."""
    keep = (group >= 0) & np.isfinite(value)
    values = rounded(value[keep])
    return _counted(period[keep], group[keep], values, np.ones(values.size, dtype=np.int64))


def add_counts(parts: Sequence[ValueCounts]) -> ValueCounts:
    """The counts of all parts together."""
    if len(parts) == 1:
        return parts[0]
    return _counted(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(ValueCounts)))


def _counted(period: np.ndarray, group: np.ndarray, value: np.ndarray, count: np.ndarray) -> ValueCounts:
    if not value.size:
        return ValueCounts(
            period.astype(np.int32), group.astype(np.int32), value.astype(np.float32), count.astype(np.int64)
        )
    order = np.lexsort((value, group, period))
    period, group, value, count = period[order], group[order], value[order], count[order]
    first = np.ones(value.size, dtype=bool)
    first[1:] = (period[1:] != period[:-1]) | (group[1:] != group[:-1]) | (value[1:] != value[:-1])
    starts = np.flatnonzero(first)
    return ValueCounts(
        period[starts].astype(np.int32), group[starts].astype(np.int32), value[starts], np.add.reduceat(count, starts)
    )


def quantiles(counts: ValueCounts, shares: Sequence[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quantiles of every group and period.

    Parameters
    ----------
    shares : 0..1 each.

    Returns
    -------
    period (m,), group (m,), values (m, shares) float64; ascending by period and group.
    """
    if not len(counts):
        return counts.period, counts.group, np.empty((0, len(shares)))
    change = (np.diff(counts.period) != 0) | (np.diff(counts.group) != 0)
    starts = np.concatenate([[0], np.flatnonzero(change) + 1])
    ends = np.concatenate([starts[1:], [len(counts)]])
    total = np.cumsum(counts.count)
    before = np.concatenate([[0], total])[starts]
    sizes = total[ends - 1] - before
    found = np.empty((starts.size, len(shares)))
    for place, share in enumerate(shares):
        rank = np.clip(np.ceil(share * sizes - 1e-9), 1, sizes)  # the k-th smallest
        found[:, place] = counts.value[np.searchsorted(total, before + rank)]
    return counts.period[starts], counts.group[starts], found
