"""One flux over time: fields that each stand for an interval, read when they are asked for.

Means over any time are exact integrals, so what a run emits does not depend on its steps. Within an interval the flux is
constant, or, where `smooth` is asked for, a broken line that is continuous from interval to interval and has exactly the
interval's mean.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np

from analysis.surface_fluxes.errors import FluxProblem

DAY_S = 86_400.0
_KEPT = 6
"""Fields and lines that are remembered: neighbours in time are asked for again and again."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, eq=False)
class FluxSeries:
    """A flux on one grid as a series of intervals.

    Attributes
    ----------
    starts, ends : (n,) datetime64[s] UTC, rising, not overlapping; gaps are allowed and refused when a run needs them.
    read : number of an interval -> (lat, lon) mol m-2 s-1, upward positive, its mean. Called when the field is needed.
    source : where it comes from, for labels ("CT2015 surface fluxes, bio_flux_opt").
    simulated : True if it is invented.
    never_negative : True for emissions; smoothing then keeps them so.
    citation : how to cite the source; "" where nothing is known.

    Raises
    ------
    FluxProblem : no intervals, or intervals out of order or one over another.
    """

    starts: np.ndarray
    ends: np.ndarray
    read: Callable[[int], np.ndarray]
    source: str = "unnamed fluxes"
    simulated: bool = False
    never_negative: bool = False
    citation: str = ""
    _begin: np.ndarray = field(init=False, repr=False)
    _end: np.ndarray = field(init=False, repr=False)
    _fields: OrderedDict[int, np.ndarray] = field(default_factory=OrderedDict, init=False, repr=False)
    _lines: OrderedDict[tuple[int, bool], tuple[np.ndarray, ...]] = field(
        default_factory=OrderedDict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        starts, ends = (np.array(values, dtype="datetime64[s]") for values in (self.starts, self.ends))
        if starts.ndim != 1 or starts.shape != ends.shape or not len(starts):
            raise FluxProblem(
                f"{self.source}: expected beginnings and ends of at least one interval, found shapes {starts.shape} and "
                f"{ends.shape}; give one of each for every field."
            )
        if np.isnat(starts).any() or np.isnat(ends).any() or not (ends > starts).all():
            raise FluxProblem(f"{self.source}: some intervals have no length or no date; mend their times.")
        if not (starts[1:] >= ends[:-1]).all():
            first = int(np.flatnonzero(starts[1:] < ends[:-1])[0])
            raise FluxProblem(
                f"{self.source}: the time from {starts[first + 1]} is given twice, or the fields are out of order; "
                "leave one out and sort the others."
            )
        for name, values in (("starts", starts), ("ends", ends)):
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        object.__setattr__(self, "_begin", starts.astype(np.float64))
        object.__setattr__(self, "_end", ends.astype(np.float64))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def longest_s(self) -> float:
        """Seconds of the longest interval."""
        return float((self.ends - self.starts).max() / np.timedelta64(1, "s"))

    @property
    def shortest_s(self) -> float:
        """Seconds of the shortest interval."""
        return float((self.ends - self.starts).min() / np.timedelta64(1, "s"))

    def gaps(self, start: np.datetime64, end: np.datetime64) -> Iterator[tuple[np.datetime64, np.datetime64]]:
        """Times within start..end for which there is no field."""
        now, last = to_unit(start, "s"), to_unit(end, "s")
        for begin, until in zip(self.starts, self.ends, strict=True):
            if begin >= last:
                break
            if begin > now:
                yield now, begin
            now = max(now, until)
        if now < last:
            yield now, last

    def values(self, number: int) -> np.ndarray:
        """(lat, lon) mol m-2 s-1, mean of an interval; not to be changed.

        Raises
        ------
        FluxProblem : values that are infinite.
        """
        if number in self._fields:
            self._fields.move_to_end(number)
            return self._fields[number]
        found = np.asarray(self.read(number), dtype=np.float64)
        if not np.isfinite(found).all():
            raise FluxProblem(
                f"{self.source}: {int((~np.isfinite(found)).sum())} values from {self.starts[number]} are NaN or infinite; "
                "put 0 where there is no flux."
            )
        found.setflags(write=False)
        return _remember(self._fields, number, found)

    def mean(
        self, start: np.datetime64, seconds: float, *, smooth: bool = False, around: range | None = None
    ) -> np.ndarray:
        """(lat, lon) mol m-2 s-1: the exact mean from `start` on, over `seconds`.

        Parameters
        ----------
        smooth : a continuous line through intervals longer than a day, in place of steps.
        around : numbers of intervals that follow each other in a circle (a year that is repeated).

        Raises
        ------
        FluxProblem : a time that the series does not hold.
        """
        begin, end = self._begin, self._end
        since = to_seconds(start)
        if seconds <= 0:
            first = int(np.searchsorted(begin, since, side="right")) - 1
            pieces = [(first, since, since)] if first >= 0 and end[first] > since else []
        else:
            stop = since + seconds
            first, last = int(np.searchsorted(end, since, side="right")), int(np.searchsorted(begin, stop, side="left"))
            pieces = [(number, max(begin[number], since), min(end[number], stop)) for number in range(first, last)]
        covered = sum(until - from_ for _, from_, until in pieces)
        if not pieces or covered < seconds * (1 - 1e-9) - 1e-5:
            missing = next(
                self.gaps(start, to_unit(start, "s") + np.timedelta64(max(1, int(seconds)), "s")), (start, start)
            )
            raise FluxProblem(
                f"{self.source}: there is no flux from {missing[0]} (there is {self.starts[0]} to {self.ends[-1]}); supply "
                "that time, or repeat a year."
            )
        if len(pieces) == 1:
            number, from_, until = pieces[0]
            return self._piece(number, from_ - begin[number], until - begin[number], smooth, around)
        total = np.zeros_like(self.values(pieces[0][0]))
        for number, from_, until in pieces:
            total += (until - from_) * self._piece(number, from_ - begin[number], until - begin[number], smooth, around)
        return total / covered

    def _piece(self, number: int, since: float, until: float, smooth: bool, around: range | None) -> np.ndarray:
        """Mean of part of one interval; `since` and `until` in seconds from its beginning."""
        length = float((self.ends[number] - self.starts[number]) / np.timedelta64(1, "s"))
        if not smooth or length <= DAY_S:
            return self.values(number)
        first, middle, last = self._line(number, around)
        half = length / 2
        if until > since:
            weights = (_integrals(until, half) - _integrals(since, half)) / (until - since)
        else:
            share = since / half
            weights = np.array([max(1 - share, 0.0), 1 - abs(1 - share), max(share - 1, 0.0)])
        return np.asarray(weights[0] * first + weights[1] * middle + weights[2] * last)

    def _line(self, number: int, around: range | None) -> tuple[np.ndarray, ...]:
        """Flux at the beginning, in the middle and at the end of an interval: a broken line with the interval's mean."""
        key = (number, around is not None)
        if key in self._lines:
            self._lines.move_to_end(key)
            return self._lines[key]
        own = self.values(number)
        ends = [self._between(number, self._neighbour(number, step, around)) for step in (-1, 1)]
        return _remember(self._lines, key, (ends[0], 2 * own - (ends[0] + ends[1]) / 2, ends[1]))

    def _neighbour(self, number: int, step: int, around: range | None) -> int | None:
        if around is not None:
            return around[(number - around.start + step) % len(around)]
        other = number + step
        if not 0 <= other < len(self):
            return None
        touching = self.ends[number] == self.starts[other] if step > 0 else self.ends[other] == self.starts[number]
        return other if touching else None

    def _between(self, number: int, other: int | None) -> np.ndarray:
        """Flux at the edge of two intervals: on the line between their middles; the same seen from either side."""
        own = self.values(number)
        if other is None:
            return own
        lengths = (self.ends - self.starts)[[number, other]].astype(np.float64)
        theirs = self.values(other)
        edge = (own * lengths[1] + theirs * lengths[0]) / lengths.sum()
        if self.never_negative:
            edge = np.minimum(edge, 2 * np.minimum(own, theirs))
        return np.asarray(edge)


def _integrals(x: float, half: float) -> np.ndarray:
    """Integrals from 0 to x of the three hats at 0, half and 2 half."""
    early, late = min(x, half), max(x - half, 0.0)
    rise, fall = early**2 / (2 * half), late**2 / (2 * half)
    return np.array([early - rise, rise + late - fall, fall])


def to_unit(moment: np.datetime64 | str, unit: str) -> np.datetime64:
    """A moment in a unit of time: "ns", "s", "D", "M" or "Y"."""
    return cast(np.datetime64, np.asarray(moment, dtype=f"datetime64[{unit}]")[()])


def to_seconds(moment: np.datetime64) -> float:
    """Seconds since 1970, fractions kept."""
    return float(to_unit(moment, "ns").astype(np.int64)) / 1e9


def _remember(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    kept[key] = value
    while len(kept) > _KEPT:
        kept.popitem(last=False)
    return value
