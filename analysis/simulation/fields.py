"""Means over 3 hours, days or months of what a run carries: mole fractions on levels, columns, the lowest layer.

Between two steps values are linear in time, so a mean is the trapezoidal rule over the steps, with values interpolated to
the beginning and end of the period where these lie within a step. Only sums of the period under way are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from analysis.errors import AnalysisError
from analysis.simulation.sampler import Snapshot
from analysis.weather.pack import to_second

Every = Literal["3-hourly", "daily", "monthly"]
EVERY: tuple[Every, ...] = get_args(Every)

Taker = Callable[[Snapshot], dict[str, np.ndarray]]
"""What is averaged: named arrays made from a snapshot (not views of the state)."""


class SamplerProblem(AnalysisError):
    """A sampler is given what belongs to another, or times that do not rise."""


@dataclass(frozen=True, eq=False)
class Period:
    """A mean over some time.

    Attributes
    ----------
    number : among the run's periods, from 0.
    start, end : UTC.
    values : name -> mean, float64.
    """

    number: int
    start: np.datetime64
    end: np.datetime64
    values: dict[str, np.ndarray]

    @property
    def middle(self) -> np.datetime64:
        """The time that the mean stands for."""
        return self.start + (self.end - self.start) // 2


def periods(start: np.datetime64, end: np.datetime64, every: Every) -> np.ndarray:
    """(n + 1,) edges (datetime64[s]) of the periods from start to end; the first and last month may be cut short."""
    first, last = to_second(start), to_second(end)
    if every == "monthly":
        inner = np.arange(first.astype("datetime64[M]") + 1, last.astype("datetime64[M]") + 1).astype("datetime64[s]")
        return np.concatenate([[first], inner[inner < last], [last]])
    step = np.timedelta64(10_800 if every == "3-hourly" else 86_400, "s")
    inner = np.arange(first, last, step)
    return np.concatenate([inner, [last]])


class FieldMeans:
    """A sampler that hands on the mean of each period when it is over.

    Parameters
    ----------
    edges : (n + 1,) of the periods, rising (`periods`).
    taker : what is averaged (`level_fields`, `columns`).
    hand_on : called with each `Period` once.
    """

    def __init__(self, edges: np.ndarray, taker: Taker, hand_on: Callable[[Period], None]) -> None:
        self._edges = np.asarray(edges, dtype="datetime64[s]")
        self._taker, self._hand_on = taker, hand_on
        self._number = 0
        self._time: np.datetime64 | None = None
        self._last: dict[str, np.ndarray] = {}
        self._sums: dict[str, np.ndarray] = {}

    @property
    def finished(self) -> int:
        """Periods handed on so far."""
        return self._number

    def take(self, snapshot: Snapshot) -> None:
        """Look at the state.

        Raises
        ------
        SamplerProblem : earlier than before.
        """
        now, values = snapshot.time, self._taker(snapshot)
        if self._time is None:
            if now > self._edges[0]:
                raise SamplerProblem(f"Means from {self._edges[0]} on were asked for, but the run starts {now}.")
        elif now <= self._time:
            raise SamplerProblem(f"Samplers are shown times that rise, found {now} after {self._time}.")
        else:
            self._add(self._time, self._last, now, values)
        self._time, self._last = now, values

    def _add(
        self,
        before: np.datetime64,
        first: Mapping[str, np.ndarray],
        now: np.datetime64,
        second: Mapping[str, np.ndarray],
    ) -> None:
        """Add the integral of the line between two looks to all the periods that it touches."""
        whole = _seconds(now - before)
        while self._number < len(self._edges) - 1:
            start, end = self._edges[self._number], self._edges[self._number + 1]
            low, high = max(start, before), min(end, now)
            if low >= high:
                return
            length = _seconds(high - low)
            # weights of the two values in the integral of the line from low to high
            late = length * (_seconds(low - before) + _seconds(high - before)) / (2 * whole)
            for name, value in first.items():
                if name not in self._sums:
                    self._sums[name] = np.zeros(value.shape)
                if length > late:
                    self._sums[name] += np.multiply(value, length - late, dtype=np.float64)
                self._sums[name] += np.multiply(second[name], late, dtype=np.float64)
            if high < end:
                return
            total = _seconds(end - start)
            period = Period(self._number, start, end, {name: values / total for name, values in self._sums.items()})
            self._sums = {}
            self._number += 1
            self._hand_on(period)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Number of the period, time and values of the last look, sums so far."""
        time = "NaT" if self._time is None else str(self._time)
        found = {"number": np.array(self._number), "time": np.array(time)}
        found |= {f"last {name}": values for name, values in self._last.items()}
        return found | {f"sum {name}": values for name, values in self._sums.items()}

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state_dict`.

        Raises
        ------
        SamplerProblem : of another sampler.
        """
        if not {"number", "time"} <= arrays.keys() or int(arrays["number"]) >= len(self._edges):
            raise SamplerProblem(f"Expected the state of means, found {', '.join(arrays) or 'nothing'}; start again.")
        self._number = int(arrays["number"])
        time = np.datetime64(str(arrays["time"]), "s")
        self._time = None if np.isnat(time) else time
        named: dict[str, dict[str, np.ndarray]] = {"last": {}, "sum": {}}
        for key, values in arrays.items():
            word, _, name = key.partition(" ")
            if word in named:
                named[word][name] = np.array(values)
        self._last, self._sums = named["last"], named["sum"]


def _seconds(span: np.timedelta64) -> float:
    return float(span / np.timedelta64(1, "s"))


def level_fields(snapshot: Snapshot) -> dict[str, np.ndarray]:
    """Mole fractions on levels: `mole_fraction` (lev, lat, lon, tracer) float32 in the state's unit (ppm, less 400 in a
    tracer that carries the background) and `surface_pressure` (lat, lon) Pa of dry air.
    """
    state = snapshot.state
    ratio = np.divide(state.tracer_mass, state.air_mass[..., None], dtype=np.float64, casting="same_kind")
    return {"mole_fraction": ratio.astype(np.float32), "surface_pressure": snapshot.surface_pressure}


def columns(snapshot: Snapshot) -> dict[str, np.ndarray]:
    """`column` (lat, lon, tracer): means over the column's dry air (layers weighted by their pressure thickness);
    `lowest` (lat, lon, tracer): the lowest layer; both float64 in the state's unit; `surface_pressure` (Pa).
    """
    state = snapshot.state
    return {
        "column": column_sums(state.tracer_mass) / state.air_mass.sum(axis=0)[..., None],
        "lowest": state.tracer_mass[0] / state.air_mass[0][..., None],
        "surface_pressure": snapshot.surface_pressure,
    }


def column_sums(tracer_mass: np.ndarray) -> np.ndarray:
    """(lat, lon, tracer) float64 sums over the levels, whatever the type."""
    total = np.zeros(tracer_mass.shape[1:])
    for layer in tracer_mass:
        total += layer
    return total
