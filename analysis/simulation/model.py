"""The transport model put together: advection by the weather, mixing near the ground and by convection, sources, samplers.

One interval of weather at a time: the number of steps is chosen once, mixing and sources follow the hours within it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.grids import GRAVITY, Grid, Levels, Regridder
from analysis.simulation.sampler import Sampler, Snapshot
from analysis.transport.boundary_layer import (
    DRY_AIR_GAS,
    FREE_DIFFUSIVITY,
    LEAST_HEIGHT_M,
    BoundaryLayer,
    diffusivity,
    layer_heights,
    standard_temperature,
    typical,
)
from analysis.transport.errors import TransportError
from analysis.transport.fluxes import air_mass
from analysis.transport.mixing import Convection, Diffusion
from analysis.transport.step import LONGEST_STEP_S, Process, State, Transport
from analysis.transport.team import Team
from analysis.weather.pack import Interval, to_second

Sources = Callable[[np.datetime64, float], Sequence[Process]]
"""What is emitted in a step: asked with the middle of the step (UTC) and its seconds."""

LARGEST_REFIT = 1e-8
"""Air mass that fluxes and surface pressure of one weather may disagree on, as a part of a cell's air; packs allow 1e-10."""

MIXING_SECONDS = 3600.0
"""Mixing is worked out anew after so long, or at each step where steps are longer."""

_BOUNDARY = ("boundary_layer_height", "friction_velocity", "sensible_heat_flux")
_CONVECTION = ("convective_mass_flux", "convective_detrainment")


def no_sources(moment: np.datetime64, seconds: float) -> Sequence[Process]:
    """Nothing is emitted."""
    return ()


class Model:
    """A transport model on one grid.

    Parameters
    ----------
    grid, levels : where; those of the weather.
    scheme : of advection, see `analysis.transport.Transport`.
    dtype : float32 or float64, of the tracers.
    team : threads; all cores by default.
    mixing : turbulence and convection: the boundary layer of the weather, or one by season, hour and land (`typical`)
        where it has none; convection where the weather has it.

    Raises
    ------
    TransportError : a scheme or type that there is not.
    """

    def __init__(
        self,
        grid: Grid,
        levels: Levels,
        *,
        scheme: str = "ppm",
        dtype: type = np.float32,
        team: Team | None = None,
        mixing: bool = True,
    ) -> None:
        if dtype not in (np.float32, np.float64):
            raise TransportError(f"Tracers are carried in float32 or float64, not {dtype}.")
        self.grid, self.levels, self.dtype, self.mixing = grid, levels, dtype, mixing
        self.team = team or Team()
        self.transport = Transport(grid, levels, scheme, self.team)
        self._column: Column | None = None

    @cached_property
    def land(self) -> np.ndarray:
        """(lat, lon) share of land in each cell, from Natural Earth's coastline on one degree."""
        return land_share(self.grid)

    def state(self, mixing_ratio: np.ndarray, surface_pressure: np.ndarray) -> State:
        """A state of this model's type.

        Parameters
        ----------
        mixing_ratio : broadcasts to (lev, lat, lon, tracer), ppm (less 400 in a tracer that carries the background).
        surface_pressure : (lat, lon) Pa of dry air.
        """
        mass = air_mass(self.grid, self.levels, surface_pressure)
        ratio = np.asarray(mixing_ratio, dtype=np.float64)
        return State.of(np.broadcast_to(ratio, (*mass.shape, ratio.shape[-1])), mass, self.dtype)

    def snapshot(self, time: np.datetime64, state: State) -> Snapshot:
        """What samplers see at a time."""
        surface = state.air_mass.sum(axis=0) * (GRAVITY / self.grid.area) + self.levels.a_pa[-1]
        return Snapshot(to_second(time), self.grid, self.levels, state, surface)

    def advance(
        self,
        state: State,
        interval: Interval,
        sources: Sources = no_sources,
        samplers: Sequence[Sampler] = (),
        *,
        longest: float = LONGEST_STEP_S,
    ) -> int:
        """Carry a state through one interval of weather.

        Parameters
        ----------
        state : at the interval's start; changed in place. Its air mass is set to the interval's surface pressure first,
            so that rounding does not build up; tracer mass stays as it is.
        sources : asked once a step.
        samplers : shown the state after each step (not at the start: `snapshot` is for that).
        longest : s of a step.

        Returns
        -------
        Number of steps.

        Raises
        ------
        TransportError : the state is of another moment or weather, or what `Transport.step` refuses.
        """
        refit(state, air_mass(self.grid, self.levels, interval.surface_pressure), interval.start)
        done = 0
        mixing: list[Process] = []
        mixed_until = -1.0

        def processes(state: State, seconds: float) -> None:
            nonlocal mixing, mixed_until
            middle = (done + 0.5) * seconds
            if self.mixing and middle > mixed_until:
                span = min(max(MIXING_SECONDS, seconds), interval.seconds)
                mixing = self._mixing(interval, moment_after(interval.start, done * seconds + span / 2))
                mixed_until = done * seconds + span
            for process in mixing:
                process(state, seconds)
            for process in sources(moment_after(interval.start, middle), seconds):
                process(state, seconds)

        def watch(steps: int) -> None:
            nonlocal done
            done += 1
            if samplers:
                moment = moment_after(interval.start, done * interval.seconds / steps)
                snapshot = self.snapshot(moment, state)
                for sampler in samplers:
                    sampler.take(snapshot)

        return self.transport.step(state, interval.fluxes, interval.seconds, (processes,), longest=longest, watch=watch)

    def _mixing(self, interval: Interval, moment: np.datetime64) -> list[Process]:
        """Turbulence at a moment, and the interval's convection."""
        fields = interval.fields
        if all(name in fields for name in _BOUNDARY):
            layer = BoundaryLayer(*(fields[name] for name in _BOUNDARY))
        else:
            layer = typical(self.grid, self.land, *day_and_hour(moment))
        if self._column is None or self._column.surface_pressure is not interval.surface_pressure:
            self._column = Column.of(self.grid, self.levels, interval.surface_pressure)
        found: list[Process] = [Diffusion(self._column.exchange(layer), self.team)]
        if all(name in fields for name in _CONVECTION):
            flux, detrainment = (fields[name] * self.grid.area for name in _CONVECTION)
            upward = np.concatenate([flux, np.zeros((1, *self.grid.shape))])
            upward[0] = 0.0  # nothing comes out of the ground
            found.append(Convection.from_mass_flux(upward, detrainment, self.team))
        return found


@dataclass(frozen=True, eq=False)
class Column:
    """What exchange between layers needs and the hour does not change, for one surface pressure.

    Attributes
    ----------
    surface_pressure : (lat, lon) Pa.
    height_m : (lev - 1, lat, lon) of the edges between layers.
    factor : (lev - 1, lat, lon) kg m-2: exchange (kg s-1) for each m2 s-1 of diffusivity.
    """

    surface_pressure: np.ndarray
    height_m: np.ndarray
    factor: np.ndarray

    @classmethod
    def of(cls, grid: Grid, levels: Levels, surface_pressure: np.ndarray) -> Column:
        """Hydrostatic, with the standard atmosphere's temperature."""
        edges, middles = layer_heights(levels, surface_pressure)
        pressure = levels.edge_pressure(surface_pressure)[1:-1]
        density = pressure / (DRY_AIR_GAS * standard_temperature(pressure))
        return cls(surface_pressure, edges[1:-1], density * grid.area / np.diff(middles, axis=0))

    def exchange(self, layer: BoundaryLayer) -> np.ndarray:
        """(lev - 1, lat, lon) kg s-1, as `boundary_layer.exchange`; worked out only where the boundary layer reaches."""
        highest = max(float(layer.height_m.max()), LEAST_HEIGHT_M)
        reached = int((self.height_m.min(axis=(1, 2)) < highest).sum())
        found = self.factor * FREE_DIFFUSIVITY
        found[:reached] = self.factor[:reached] * diffusivity(self.height_m[:reached], layer)
        return found


def refit(state: State, mass: np.ndarray, moment: np.datetime64) -> None:
    """Set a state's air mass to what the weather says, which may differ by rounding alone.

    Raises
    ------
    TransportError : it differs by more: the state belongs to another moment or weather.
    """
    if mass.shape != state.air_mass.shape:
        raise TransportError(
            f"The state has {state.air_mass.shape} cells (lev, lat, lon), but the weather {mass.shape}; use one grid."
        )
    error = float(np.abs(state.air_mass / mass - 1.0).max())
    if not error <= LARGEST_REFIT:
        raise TransportError(
            f"The air of the state differs from that of the weather at {moment} by {error:.1e} of a cell; start from a "
            "state of that moment, or give its mixing ratio to `Model.state`."
        )
    state.air_mass[...] = mass


def moment_after(start: np.datetime64, seconds: float) -> np.datetime64:
    """UTC, to the whole second."""
    return to_second(start) + np.timedelta64(round(seconds), "s")


def day_and_hour(moment: np.datetime64) -> tuple[float, float]:
    """Day of the year (1..366) and hour (0..24) of a moment, UTC."""
    day = moment.astype("datetime64[D]")
    hour = float((moment - day) / np.timedelta64(3600, "s"))
    return float((day - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(int)) + 1.0, hour


def land_share(grid: Grid) -> np.ndarray:
    """(lat, lon) share of land in each cell, 0..1."""
    from analysis.grids import uniform
    from data.geography import land_mask

    return np.clip(Regridder(uniform("1x1"), grid).mean(land_mask(180, 360).astype(np.float64)), 0.0, 1.0)
