"""Surface fluxes of CO2 by component, put into the lowest layer.

Tracers are carried as kg of air times ppm, offset from 400 ppm: a background of 400 ppm is zero everywhere, and float32
resolves what fluxes do to it. An offset changes nothing else, because air and tracer are carried alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.grids import Grid
from analysis.transport.boundary_layer import sun_elevation
from analysis.transport.errors import TransportError
from analysis.transport.step import State

BACKGROUND_PPM = 400.0
"""Mole fraction that tracer mass zero stands for, in tracers that carry the background."""

DRY_AIR_MOLAR_MASS = 0.0289644
"""kg mol-1."""

COMPONENTS = ("biosphere", "ocean", "fossil", "fire")

LARGEST_FLUX = 1e-3
"""mol m-2 s-1 (a power plant in a cell of 0.05 degrees makes 2e-4); more is another unit."""


@dataclass(frozen=True, eq=False)
class SurfaceSources:
    """A process for `Transport.step`: constant surface fluxes into some tracers.

    Attributes
    ----------
    grid : where.
    flux : (source, lat, lon) mol m-2 s-1, upward positive.
    tracers : which tracer each source goes into.

    Raises
    ------
    TransportError : another grid, NaN, or fluxes too large to be in mol m-2 s-1.
    """

    grid: Grid
    flux: np.ndarray
    tracers: Sequence[int]

    def __post_init__(self) -> None:
        flux = np.asarray(self.flux, dtype=np.float64)
        if flux.ndim != 3 or flux.shape[1:] != self.grid.shape:
            raise TransportError(
                f"Surface fluxes need dimensions (source, lat, lon) on a grid of {self.grid.shape}, found {flux.shape}; "
                "regrid them with analysis.grids.Regridder."
            )
        if len(self.tracers) != len(flux):
            raise TransportError(f"{len(flux)} sources were given, but tracers for {len(self.tracers)} of them.")
        if not np.isfinite(flux).all():
            raise TransportError(f"{int((~np.isfinite(flux)).sum())} surface fluxes are NaN or infinite; put 0 there.")
        largest = float(np.abs(flux).max(initial=0.0))
        if largest > LARGEST_FLUX:
            raise TransportError(
                f"Surface fluxes must be in mol m-2 s-1 and within {LARGEST_FLUX:g}, found {largest:g}; check their unit."
            )
        object.__setattr__(self, "flux", flux)

    def __call__(self, state: State, seconds: float) -> None:
        """Emit for `seconds`."""
        if max(self.tracers, default=-1) >= state.tracer_mass.shape[-1] or min(self.tracers, default=0) < 0:
            raise TransportError(
                f"Sources name tracers {list(self.tracers)}, but the state carries {state.tracer_mass.shape[-1]}."
            )
        gain = tracer_gain(self.flux * self.grid.area, seconds)
        for tracer, values in zip(self.tracers, gain, strict=True):
            state.tracer_mass[0, :, :, tracer] += values


def tracer_gain(mol_per_s: np.ndarray, seconds: float) -> np.ndarray:
    """kg ppm of tracer mass that mol s-1 of CO2 add in `seconds`: 1e6 times the mass of as many moles of dry air."""
    return mol_per_s * (seconds * DRY_AIR_MOLAR_MASS * 1e6)


def with_diurnal_cycle(
    grid: Grid, net: np.ndarray, uptake: np.ndarray, day_of_year: float, utc_hour: float
) -> np.ndarray:
    """(lat, lon) biosphere flux at an hour: respiration all day, uptake in proportion to the sun's elevation.

    Parameters
    ----------
    net : (lat, lon) mean flux of the day, upward positive, any unit.
    uptake : (lat, lon) mean gross uptake of the day, >= 0, same unit. Where the sun does not rise, the net flux is
        constant.

    Returns
    -------
    Flux whose mean over a day is `net` (exactly for means over 24 h of the sun's daily mean elevation).
    """
    hour_angles = np.radians(np.arange(0.0, 360.0, 2.5))
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day_of_year + 10.0) / 365.25)
    lat = np.radians(grid.lat)[:, None]
    elevation = np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(hour_angles)
    daily = np.maximum(elevation, 0.0).mean(axis=1, keepdims=True)
    light = sun_elevation(grid, day_of_year, utc_hour)
    shape = np.divide(light, daily, out=np.ones_like(light), where=daily > 1e-3)
    return net + uptake * (1.0 - shape)
