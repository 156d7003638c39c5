"""Samples at moments between steps, and means over spans, taken while a run goes on.

The run tells a sampler the state at the end of each step, and a value between two such moments is linear in time. So what
is asked for within the next step is looked at now, and again at its end; of both only the result is kept. A mean over a
span adds up the exact integral of these straight lines. At no time is more kept than the requests of the next hour and
the spans that are under way.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from analysis.sampling.errors import SamplingError
from analysis.sampling.finished import Finished
from analysis.sampling.horizontal import Horizontal
from analysis.sampling.requests import Requests
from analysis.simulation.sampler import Snapshot
from analysis.transport.step import LONGEST_STEP_S


class TimedSamples(ABC):
    """What all samplers of requests share; see `PointSamples` and `ColumnSamples` for what they look at.

    Parameters
    ----------
    requests : what is asked for, sorted by beginning.
    horizontal : "cell" or "bilinear".
    label : name, for messages and output files.
    folder : where finished samples are kept; None keeps them in memory (and in the state of a restart).
    longest_step : s. Requests up to so long after a step are looked at at its end. Where a step turns out longer, those
        beyond stand for its end alone, and `late` counts them; from then on that is the longest step.

    Attributes
    ----------
    notes : sentences on what was left out, for the user.
    late : samples that stand for the end of a step, not for their own moment.
    missed : requests that began before the run did; they are left out.
    """

    extras: tuple[tuple[str, str, str], ...] = ()
    """Name, unit, meaning of what is kept of each sample beside the tracers."""

    def __init__(
        self,
        requests: Requests,
        *,
        horizontal: Horizontal = "cell",
        label: str = "samples",
        folder: Path | None = None,
        longest_step: float = LONGEST_STEP_S,
    ) -> None:
        if not longest_step > 0:
            raise SamplingError(f"The longest step must be a positive number of seconds, found {longest_step}.")
        self.requests, self.horizontal, self.label = requests, horizontal, label
        self.notes = list(requests.notes)
        self.late = self.missed = 0
        self.finished = Finished(None if folder is None else Path(folder) / f"{label}.samples")
        self._begin, self._end = (times.astype(np.int64) for times in (requests.begin, requests.end))
        if (np.diff(self._begin) < 0).any():
            raise SamplingError("Requests must be sorted by their beginning; use `sorted()`.")
        self._longest = round(longest_step * 1000)
        self._time: int | None = None
        self._next = 0
        self._active = np.zeros(0, dtype=np.int64)
        self._before = self._sum = np.zeros((0, 0))

    # ---------------------------------------------------------------------------------------------------- the protocol
    def take(self, snapshot: Snapshot) -> None:
        """Look at the state; see `analysis.simulation.sampler.Sampler`.

        Raises
        ------
        SamplingError : times that do not rise.
        """
        now = int(np.asarray(snapshot.time, dtype="datetime64[ms]").astype(np.int64))
        last = self._time
        if last is not None and now <= last:
            if now == last:
                return  # a run that goes on begins with the moment at which it stopped
            raise SamplingError(f"Samples need rising times, found {snapshot.time} after {np.datetime64(last, 'ms')}.")
        if last is None:
            self._next = self.missed = int(np.searchsorted(self._begin, now, side="left"))
            last = now
        self._longest = max(self._longest, now - last)
        ahead = int(np.searchsorted(self._begin, now + self._longest, side="right"))
        rows = np.concatenate([self._active, np.arange(self._next, max(ahead, self._next))])
        self._next = max(ahead, self._next)
        values = self.look(snapshot, rows) if rows.size else np.zeros((0, self._width(snapshot)))
        before, total = values.copy(), np.zeros_like(values)
        known = self._active.size
        if known:
            before[:known], total[:known] = self._before, self._sum
        begin, end = self._begin[rows], self._end[rows]
        unprepared = np.arange(rows.size) >= known
        self.late += int((unprepared & (begin > last) & (begin < now)).sum())

        first, final = np.maximum(begin, last), np.minimum(end, now)
        instant = begin == end
        reached = np.where(instant, (begin <= now) & (begin >= last), final > first)
        step = max(now - last, 1)
        part = np.where(now == last, 1.0, ((first + final) / 2.0 - last) / step)[:, None]
        weight = np.where(instant, 1.0, (final - first) / np.maximum(end - begin, 1)) * reached
        total += weight[:, None] * ((1.0 - part) * before + part * values)

        done = end <= now
        self.finished.append(rows[done], total[done].astype(snapshot.state.tracer_mass.dtype))
        self._active, self._before, self._sum = rows[~done], values[~done], total[~done]
        self._time = now

    def state_dict(self) -> dict[str, np.ndarray]:
        """Where it is in its requests, what it has seen, and what is done (a count where that is in a file)."""
        none = np.iinfo(np.int64).min
        place = [none if self._time is None else self._time, self._next, self.late, self.missed, self._longest]
        return {
            "requests": self._fingerprint(),
            "place": np.array(place, dtype=np.int64),
            "active": self._active.copy(),
            "before": self._before.copy(),
            "sum": self._sum.copy(),
            **self.finished.state_dict(),
        }

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state_dict`.

        Raises
        ------
        SamplingError : that of another sampler or other requests, or finished samples that are gone.
        """
        wanted = ("requests", "place", "active", "before", "sum", "finished")
        absent = [name for name in wanted if name not in arrays]
        if absent:
            raise SamplingError(
                f"{self.label}: expected the state of a sampler, found no {absent[0]!r}; start the run again."
            )
        if not np.array_equal(np.asarray(arrays["requests"]), self._fingerprint()):
            raise SamplingError(
                f"{self.label}: the requests are not those that the interrupted run had; give the same files and settings, "
                "or start the run again."
            )
        time, self._next, self.late, self.missed, self._longest = (int(number) for number in arrays["place"])
        self._time = None if time == np.iinfo(np.int64).min else time
        self._active = np.array(arrays["active"], dtype=np.int64)
        self._before, self._sum = (np.array(arrays[name], dtype=np.float64) for name in ("before", "sum"))
        self.finished.load_state(arrays)

    def _fingerprint(self) -> np.ndarray:
        digest = hashlib.sha256(f"{type(self).__name__} {self.horizontal}".encode())
        for values in self.requests.identity():
            digest.update(np.ascontiguousarray(values).tobytes())
        return np.frombuffer(digest.digest(), dtype=np.uint8).copy()

    # ------------------------------------------------------------------------------------------------------ what differs
    @abstractmethod
    def look(self, snapshot: Snapshot, rows: np.ndarray) -> np.ndarray:
        """(len(rows), tracers + extras) float64: what these requests see of a state."""

    def _width(self, snapshot: Snapshot) -> int:
        return snapshot.state.tracer_mass.shape[-1] + len(self.extras)

    # ----------------------------------------------------------------------------------------------------------- results
    @property
    def pending(self) -> int:
        """Requests that are looked at at this moment of the run: what memory and time go with."""
        return int(self._active.size)

    @property
    def unreached(self) -> int:
        """Requests whose time has not come (or, after the run, lies beyond its end)."""
        return len(self.requests) - self.missed - self.finished.count
