"""A view's state resolved against the data there is: which cube, which step, what it is compared with."""

from __future__ import annotations

import numpy as np

from analysis.statistics.area import weighted_quantiles
from dashboard.library import Library, cube_choice, time_labels
from dashboard.natural import SEQUENTIAL, natural
from dashboard.state import AUTOMATIC, ViewState
from data.cube import Cube, View
from data.palettes import palettes

DIFFERENCE_PALETTE = "RdBu_r"
"""Colours of a difference where the chosen ones do not have a middle."""


class Shown:
    """What a state shows.

    Parameters
    ----------
    library : what there is to show.
    state : what is asked for.
    """

    def __init__(self, library: Library, state: ViewState) -> None:
        self.library = library
        self.state = state

    @property
    def cube(self) -> Cube | None:
        """The cube on the map."""
        return self.library.cube(self.state.cube)

    @property
    def other_cube(self) -> Cube | None:
        """The cube compared with."""
        return self.library.cube(self.state.compare_cube or self.state.cube)

    def step_of(self, cube: Cube, label: str) -> int:
        """Index of a time label; the nearest step of another cube, the last one where there is none."""
        labels = time_labels(cube)
        if label in labels:
            return labels.index(label)
        try:
            wanted = np.datetime64(label, "m")
        except ValueError:
            return len(labels) - 1
        if np.isnat(wanted):
            return len(labels) - 1
        known = np.array(labels, dtype="datetime64[m]")
        return int(np.argmin(np.abs((known - wanted).astype(np.int64))))

    @property
    def step(self) -> int:
        """Step on the map."""
        cube = self.cube
        return 0 if cube is None else self.step_of(cube, self.state.time)

    @property
    def other(self) -> tuple[Cube, str, int] | None:
        """Cube, variable and step of the second map, where one is shown."""
        cube = self.other_cube
        if self.state.compare == "off" or cube is None:
            return None
        variable = (
            self.state.variable
            if self.state.variable in cube.variables
            else next(iter(cube_choice("", cube).variables))
        )
        return cube, variable, self.step_of(cube, self.state.compare_time or self.state.time)

    @property
    def palette_name(self) -> str:
        """The chosen colour map, or what suits the quantity; a diverging one for differences."""
        if self.state.compare == "difference" and self.state.palette not in palettes("diverging"):
            return DIFFERENCE_PALETTE
        return self.own_palette

    @property
    def own_palette(self) -> str:
        """The colour map of the quantity itself, whatever it is compared with."""
        if self.state.palette != AUTOMATIC:
            return self.state.palette
        cube = self.cube
        return SEQUENTIAL if cube is None else natural(cube, self.state.variable).palette

    @property
    def log(self) -> bool:
        """True where colours follow the logarithm of the values: never for differences and limits below zero."""
        state, cube = self.state, self.cube
        if cube is None or state.compare == "difference" or (state.limits == "manual" and state.low <= 0):
            return False
        suits = natural(cube, state.variable)
        return suits.log if state.scale == "auto" else state.scale == "log" and suits.high > 0 and not suits.diverging

    def colour_limits(self, visible: tuple[float, float] | None = None) -> tuple[float, float]:
        """Colour limits in the variable's units.

        Parameters
        ----------
        visible : robust limits of what is on screen, where known; else they are estimated from a thumbnail.
        """
        state, cube = self.state, self.cube
        if state.limits == "manual" and state.low < state.high:
            return state.low, state.high
        if cube is None:
            return 0.0, 1.0
        suits = natural(cube, state.variable)
        if self.log:
            low, high = (
                visible if state.limits == "auto" and visible is not None and visible[0] > 0 else self._log_limits(cube)
            )
            return log_limits(low, high)
        if state.limits == "all" and state.compare != "difference":
            low, high = cube.limits(state.variable)
        elif state.limits == "auto" and visible is not None:
            low, high = visible
        else:
            low, high = self._estimated_limits(cube)
        centred = suits.diverging and state.palette == AUTOMATIC and state.compare == "off"
        if state.compare == "difference" or centred:
            high = max(abs(low), abs(high))
            low = -high
        return rounded_limits(low, high)

    def _log_limits(self, cube: Cube) -> tuple[float, float]:
        """Limits of a logarithmic scale where the screen has not reported any."""
        suits = natural(cube, self.state.variable)
        if suits.log:
            return suits.low, suits.high
        _, high = cube.limits(self.state.variable)
        return high * 1e-3, high

    def _estimated_limits(self, cube: Cube) -> tuple[float, float]:
        state = self.state
        half = 0.5 * state.span
        view = View(
            x0=state.lon - half,
            x1=state.lon + half,
            y0=max(-90.0, state.lat - half / 2),
            y1=min(90.0, state.lat + half / 2),
            width=160,
            height=80,
            projection="lonlat",
        )
        values = cube.decode(state.variable, cube.window(state.variable, self.step, view))
        if (other := self.other) is not None:
            second = other[0].decode(other[1], other[0].window(other[1], other[2], view))
            values = values - second if state.compare == "difference" else np.concatenate([values, second])
        lat = view.y0 + (np.arange(view.height) + 0.5) / view.height * (view.y1 - view.y0)
        weights = np.broadcast_to(np.cos(np.radians(lat))[:, None], (view.height, view.width))
        weights = np.tile(weights, (values.shape[0] // view.height, 1))  # two maps stand below one another
        good = np.isfinite(values)
        if not good.any():
            return cube.limits(state.variable)
        low, high = weighted_quantiles(values[good], weights[good], [0.02, 0.98])
        return float(low), float(high)


def log_limits(low: float, high: float) -> tuple[float, float]:
    """Limits of a logarithmic scale, rounded outwards to one digit that counts; positive, and a decade apart at least."""
    if not (np.isfinite(low) and np.isfinite(high) and high > 0):
        return 0.1, 1.0
    low = min(max(low, high * 1e-6), high / 10.0)
    small, large = 10.0 ** np.floor(np.log10(low)), 10.0 ** np.floor(np.log10(high))
    return float(f"{np.floor(low / small + 1e-9) * small:.3g}"), float(f"{np.ceil(high / large - 1e-9) * large:.3g}")


def rounded_limits(low: float, high: float) -> tuple[float, float]:
    """Limits rounded outwards to about a twentieth of a decade of their distance; finite and never equal."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return 0.0, 1.0
    if high <= low:
        pad = abs(low) * 0.01 or 1.0
        low, high = low - pad, high + pad
    unit = 10.0 ** np.floor(np.log10((high - low) / 20.0))
    return float(np.round(np.floor(low / unit) * unit, 12)), float(np.round(np.ceil(high / unit) * unit, 12))
