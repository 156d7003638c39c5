"""One time step: Strang splitting X Y Z, mixing, Z Y X, of tracer mass and dry-air mass with identical fluxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.grids import GRAVITY, Grid, Levels
from analysis.transport import reconstruction, rounding
from analysis.transport.errors import TransportError
from analysis.transport.fluxes import MassFluxes
from analysis.transport.sweeps import Lines, sweep
from analysis.transport.team import Team

LEAST_LEFT = 0.15
"""After no sweep may a cell hold less than this part of its air: below it split sweeps drain cells next to the poles."""

LONGEST_STEP_S = 3600.0
"""Mixing and emissions follow the hours of the day, and splitting errors grow with the step; the air would often allow
several hours."""

MOST_STEPS = 1000
"""More steps in one interval than this are refused: the fluxes are in a wrong unit."""

SHARED_TABLE = np.zeros(1, dtype=np.int64)


@dataclass
class State:
    """What is carried along; changed in place by `Transport.step`, for it is large.

    Attributes
    ----------
    tracer_mass : (lev, lat, lon, tracer) float32 or float64: air mass times mixing ratio (kg ppm for CO2, as offset
        from 400 ppm, so that float32 loses nothing).
    air_mass : (lev, lat, lon) float64 kg of dry air.
    turn : where the dither of float32 stands (`rounding`); set anew by `Transport.step`, nothing to keep.

    Raises
    ------
    TransportError : shapes or types that do not belong together, air mass that is not positive.
    """

    tracer_mass: np.ndarray
    air_mass: np.ndarray
    turn: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.tracer_mass.dtype not in (np.float32, np.float64) or self.air_mass.dtype != np.float64:
            raise TransportError(
                "Tracer mass must be float32 or float64 and air mass float64, found "
                f"{self.tracer_mass.dtype} and {self.air_mass.dtype}."
            )
        if self.tracer_mass.ndim != 4 or self.tracer_mass.shape[:3] != self.air_mass.shape:
            raise TransportError(
                f"Tracer mass needs dimensions (lev, lat, lon, tracer) over air mass {self.air_mass.shape}, found "
                f"{self.tracer_mass.shape}."
            )
        if not (self.tracer_mass.flags.c_contiguous and self.air_mass.flags.c_contiguous):
            raise TransportError("Tracer and air mass must lie in memory in C order, tracers contiguous.")
        if not (self.air_mass > 0).all():
            raise TransportError("Every cell needs a positive mass of air.")

    @classmethod
    def of(cls, mixing_ratio: np.ndarray, air_mass: np.ndarray, dtype: type = np.float32) -> State:
        """From mixing ratios (lev, lat, lon, tracer) in any unit (CO2: ppm less 400)."""
        mass = np.array(air_mass, dtype=np.float64, order="C")
        tracer = np.multiply(mixing_ratio, mass[..., None], dtype=np.float64)
        return cls(np.ascontiguousarray(tracer, dtype=dtype), mass)

    def mixing_ratio(self) -> np.ndarray:
        """(lev, lat, lon, tracer) float64."""
        return self.tracer_mass / self.air_mass[..., None]

    def total(self) -> np.ndarray:
        """(tracer,) sums of tracer mass, added up in float64."""
        return self.tracer_mass.sum(axis=(0, 1, 2), dtype=np.float64)


Process = Callable[[State, float], None]
"""Something that happens between the two halves of a step (mixing, sources): changes the state for some seconds."""


class Transport:
    """Advection on one grid: tables made once, then any number of steps.

    Parameters
    ----------
    grid, levels : where; without levels a single layer (tests on the sphere) or layers that share nothing.
    scheme : "ppm" (linear, the default), "slopes" (linear) or "ppm_mono" (no new extrema, not linear).
    team : threads to use; all cores by default.

    Raises
    ------
    TransportError : a scheme that there is not.
    """

    def __init__(self, grid: Grid, levels: Levels | None, scheme: str = reconstruction.PPM, team: Team | None = None):
        if scheme not in reconstruction.SCHEMES:
            raise TransportError(f"There is no scheme {scheme!r}; use one of {', '.join(reconstruction.SCHEMES)}.")
        self.grid, self.levels, self.scheme = grid, levels, scheme
        self.team = team or Team()
        self._monotone = scheme == reconstruction.PPM_MONOTONE
        self._tables = {
            "x": reconstruction.longitude_table(grid, scheme),
            "y": reconstruction.latitude_table(grid, scheme),
        }
        if levels is not None:
            self._tables["z"] = reconstruction.level_table(levels, scheme)
        self._bins = SHARED_TABLE

    @property
    def shape(self) -> tuple[int, int, int]:
        """(lev, lat, lon)."""
        return (self.levels.count if self.levels else 1, *self.grid.shape)

    def step(
        self,
        state: State,
        fluxes: MassFluxes,
        seconds: float,
        processes: Sequence[Process] = (),
        *,
        steps: int = 0,
        longest: float = LONGEST_STEP_S,
        watch: Callable[[int], None] | None = None,
    ) -> int:
        """Carry the state on for `seconds` in which the fluxes are constant.

        Parameters
        ----------
        state : changed in place.
        processes : mixing and sources, called in turn in the middle of each step.
        steps : number of equal steps; 0 takes as few as the air mass allows (`steps_needed`) and `longest` asks for.
        longest : s.
        watch : called after each step with the number of steps in all; the state is then that of the step's end.

        Returns
        -------
        Number of steps taken.

        Raises
        ------
        TransportError : another grid, or steps so long that a cell would be emptied; the state is then unchanged.
        """
        if state.air_mass.shape != self.shape or fluxes.shape != self.shape:
            raise TransportError(
                f"The transport is for {self.shape} cells (lev, lat, lon), the state has {state.air_mass.shape} and the "
                f"fluxes {fluxes.shape}."
            )
        needed = steps_needed(fluxes, state.air_mass, seconds)
        if steps and steps < needed:
            raise TransportError(
                f"Steps of {seconds / steps:g} s are too long for these winds: a cell would lose its air; at most "
                f"{seconds / needed:g} s are possible."
            )
        steps = steps or max(needed, int(np.ceil(seconds / longest - 1e-9)))
        half = seconds / steps / 2
        if self.levels is not None:
            surface = state.air_mass.sum(axis=0) / self.grid.area
            self._bins = reconstruction.surface_bin(surface * GRAVITY + self.levels.a_pa[-1]).ravel()
        state.turn = rounding.first_turn(state.air_mass, fluxes.x)
        for _ in range(steps):
            for number, direction in enumerate("xyz"):
                self.sweep(direction, state, fluxes, half, turn=state.turn + number / 6)
            for process in processes:
                process(state, 2 * half)
            for number, direction in enumerate("zyx"):
                self.sweep(direction, state, fluxes, half, turn=state.turn + (number + 3) / 6)
            state.turn = (state.turn + rounding.IN_TIME) % 1.0
            if watch is not None:
                watch(steps)
        return steps

    def sweep(self, direction: str, state: State, fluxes: MassFluxes, seconds: float, *, turn: float = 0.0) -> None:
        """Advect along one direction ("x", "y" or "z") alone; `turn` begins the dither of float32."""
        if direction not in self._tables:
            return
        lines = {"x": Lines.x, "y": Lines.y, "z": Lines.z}[direction](self.shape)
        table = self._tables[direction]
        bins = self._bins if direction == "z" else SHARED_TABLE
        flux = getattr(fluxes, direction)
        sweep(
            self.team,
            lines,
            state.tracer_mass,
            state.air_mass,
            flux,
            seconds,
            table,
            bins,
            monotone=self._monotone,
            turn=turn,
        )


def steps_needed(fluxes: MassFluxes, air_mass: np.ndarray, seconds: float) -> int:
    """Fewest equal steps after none of whose sweeps a cell holds less than `LEAST_LEFT` of its air.

    Courant numbers do not matter (whole cells are passed on), but split sweeps may take more out of a cell than the
    next brings in.

    Raises
    ------
    TransportError : more than 1000 steps, or fluxes that drain a cell over the whole time whatever the step.
    """
    gains = [
        fluxes.x - np.roll(fluxes.x, -1, axis=-1),
        fluxes.y[:, :-1] - fluxes.y[:, 1:],
        fluxes.z[:-1] - fluxes.z[1:],
    ]
    after = air_mass + seconds * sum(gains)
    if not (after > 0).all():
        raise TransportError(
            f"Over {seconds:g} s the mass fluxes take more air out of {int((after <= 0).sum())} cells than these hold; "
            "they are in another unit than kg s-1, or do not close."
        )
    least = np.minimum(air_mass, after)
    worst = np.zeros_like(least)
    for order in (gains, gains[::-1]):
        part = np.zeros_like(least)
        for gain in order:
            part = part + gain
            np.minimum(worst, part, out=worst)
    # least + worst * seconds / (2 n) >= LEAST_LEFT * least
    ratio = float((-worst * seconds / 2 / (least * (1 - LEAST_LEFT))).max())
    steps = max(1, int(np.ceil(ratio)))
    if steps > MOST_STEPS:
        raise TransportError(
            f"{seconds:g} s would need {steps} steps, more than {MOST_STEPS}: the mass fluxes are in another unit than "
            "kg s-1, or the grid is far too fine for them."
        )
    return steps
