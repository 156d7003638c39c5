"""How results are taken from a transport run: samplers look at the state after every step and keep only what they need.

Between two looks values are linear in time. A sampler can be put away and taken up again to the bit, so a killed run goes
on as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analysis.grids import Grid, Levels
from analysis.transport.step import State


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The state at a moment of a run. Valid only during the call it is handed to: copy what is kept.

    Attributes
    ----------
    time : UTC, whole seconds (datetime64[s]).
    grid, levels : where; layer 0 is the lowest.
    state : tracer mass (lev, lat, lon, tracer) in kg ppm, as offset from 400 ppm where a tracer carries the
        background, and air mass (lev, lat, lon) in kg. Not to be changed.
    surface_pressure : (lat, lon) Pa of dry air, that of the state's air mass.
    """

    time: np.datetime64
    grid: Grid
    levels: Levels
    state: State
    surface_pressure: np.ndarray


class Sampler(Protocol):
    """Something that takes results while a run goes on.

    Values at times between two snapshots are interpolated linearly in time.
    """

    def take(self, snapshot: Snapshot) -> None:
        """Look at the state: called at the start of the run and after each step, times rising."""

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything needed to go on after a restart, bit for bit; arrays of numbers, booleans or text."""

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state_dict`.

        Raises
        ------
        AnalysisError : arrays of another sampler.
        """
