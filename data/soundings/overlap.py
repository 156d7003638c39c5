"""Which soundings two granules have in common: the same number, time (1 s) and place (0.05 degrees)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data.soundings.granule import SECOND, Granule
from data.soundings.table import positions, times_of

if TYPE_CHECKING:
    import pyarrow as pa

NEEDED = ("sounding_id", "time", "geometry", "granule")
"""Columns that tell which soundings are the same."""

_SAME_PLACE_DEGREES = 0.05
"""Versions of a product move a sounding by less than this."""


def shared(table: pa.Table, stored: pa.Table, other: Granule) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `table` that are soundings of another granule too, and those soundings' numbers.

    Parameters
    ----------
    table : soundings of one granule.
    stored : those that `other` has, at least the columns `NEEDED`.
    """
    times = times_of(table)
    candidates = np.flatnonzero((times >= other.start - SECOND) & (times <= other.end + SECOND))  # few, as a rule
    numbers, theirs_all = table["sounding_id"].to_numpy()[candidates], stored["sounding_id"].to_numpy()
    _, mine, theirs = np.intersect1d(numbers, theirs_all, return_indices=True) if candidates.size else ([], *_NONE)
    mine = candidates[mine]
    if not mine.size:
        return _NONE
    lon, lat = positions(table)
    other_lon, other_lat = positions(stored)
    turn = np.abs((lon[mine] - other_lon[theirs] + 180.0) % 360.0 - 180.0) * np.cos(np.radians(lat[mine]))
    same = (np.abs(lat[mine] - other_lat[theirs]) < _SAME_PLACE_DEGREES) & (turn < _SAME_PLACE_DEGREES)
    same &= np.abs(times[mine] - times_of(stored)[theirs]) <= SECOND
    return mine[same], theirs_all[theirs[same]]


_NONE = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
