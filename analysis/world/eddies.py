"""Mixing that the made-up weather of the nature run lacks: deep convection and slow overturning (vertical), storms and
wandering lows, most of all polewards of 60 degrees (horizontal).

Both are eddy diffusion of the size that two-dimensional models of the atmosphere use (Plumb and Mahlman 1987,
doi 10.1175/1520-0469(1987)044<0298:TZATOT>2.0.CO;2). Both keep tracer mass to rounding and leave uniform tracers uniform.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.grids import EARTH_RADIUS_M, Grid, Levels
from analysis.transport.boundary_layer import DRY_AIR_GAS, layer_heights, standard_temperature
from analysis.transport.mixing import Diffusion
from analysis.transport.step import State
from analysis.transport.team import Team
from analysis.weather.synthetic import SURFACE_PRESSURE_PA
from analysis.world.climate import tropopause_hpa

TROPICAL_KZ, TEMPERATE_KZ, STRATOSPHERIC_KZ = 12.0, 6.0, 1.0
"""m2 s-1, vertical. With the last, air at 30 km is three years old; real air is about four (Waugh and Hall 2002,
doi 10.1029/2000RG000101)."""
TROPICAL_KH, TEMPERATE_KH = 0.2e6, 0.5e6
"""m2 s-1, horizontal."""

DIFFUSIVITY = (TROPICAL_KZ, TEMPERATE_KZ, STRATOSPHERIC_KZ, TROPICAL_KH, TEMPERATE_KH)


def stirring(grid: Grid, levels: Levels, team: Team) -> Diffusion:
    """Vertical mixing above the boundary layer, which it does not change with time."""
    surface = np.full(grid.shape, SURFACE_PRESSURE_PA)
    edges = levels.edge_pressure(surface)[1:-1]
    _, middles = layer_heights(levels, surface)
    density = edges / (DRY_AIR_GAS * standard_temperature(edges))
    return Diffusion(density * vertical_diffusivity(grid.lat, edges) * grid.area / np.diff(middles, axis=0), team)


def vertical_diffusivity(lat: np.ndarray, pressure_pa: np.ndarray) -> np.ndarray:
    """m2 s-1 at latitudes (lat,) and pressures (..., lat, lon)."""
    below = TEMPERATE_KZ + (TROPICAL_KZ - TEMPERATE_KZ) * _tropical(lat)[:, None]
    troposphere = 1.0 / (1.0 + (tropopause_hpa(lat)[:, None] * 100.0 / pressure_pa) ** 8)
    return np.asarray(STRATOSPHERIC_KZ + (below - STRATOSPHERIC_KZ) * troposphere)


@dataclass(frozen=True, eq=False)
class Storms:
    """A process for `Transport.step`: horizontal diffusion for `duration` seconds, whatever the step is, backward Euler.

    Attributes
    ----------
    grid : uniform in longitude. Air must be spread evenly (one surface pressure), as in made-up weather.
    duration : s.
    """

    grid: Grid
    duration: float

    def __call__(self, state: State, seconds: float) -> None:
        """Mix; `seconds` is not looked at."""
        from scipy.fft import irfft, rfft
        from scipy.linalg import solveh_banded

        by_row = np.ascontiguousarray(np.moveaxis(state.tracer_mass, 1, 0), dtype=np.float64)  # lat, lev, lon, tracer
        spectrum = rfft(by_row, axis=2)
        spectrum *= self._along[:, None, :, None]
        mass = irfft(spectrum, n=by_row.shape[2], axis=2)
        ratio = solveh_banded(self._across, mass.reshape(len(mass), -1), overwrite_b=True, check_finite=False)
        ratio *= self.grid.area[:, :1]
        state.tracer_mass[...] = np.moveaxis(ratio.reshape(mass.shape), 0, 1)

    @cached_property
    def _along(self) -> np.ndarray:
        """(lat, wave number) what is left of a wave along a row."""
        count = self.grid.shape[1]
        spacing = EARTH_RADIUS_M * np.cos(np.radians(self.grid.lat)) * np.radians(360.0 / count)
        waves = 2.0 - 2.0 * np.cos(2 * np.pi * np.arange(count // 2 + 1) / count)
        return 1.0 / (1.0 + self.duration * (horizontal_diffusivity(self.grid.lat) / spacing**2)[:, None] * waves)

    @cached_property
    def _across(self) -> np.ndarray:
        """(2, lat) upper diagonals of the matrix from mixing ratio after to tracer mass before, along each meridian (air
        counted in areas).
        """
        edges = self.grid.lat_edges[1:-1]
        face = EARTH_RADIUS_M * np.cos(np.radians(edges)) * np.radians(360.0 / self.grid.shape[1])
        distance = EARTH_RADIUS_M * np.radians(np.diff(self.grid.lat))
        passed = self.duration * horizontal_diffusivity(edges) * face / distance
        own = self.grid.area[:, 0] + np.append(passed, 0.0) + np.append(0.0, passed)
        return np.stack([np.append(0.0, -passed), own])


def horizontal_diffusivity(lat: np.ndarray) -> np.ndarray:
    """m2 s-1."""
    return TEMPERATE_KH + (TROPICAL_KH - TEMPERATE_KH) * _tropical(lat)


def _tropical(lat: np.ndarray) -> np.ndarray:
    return np.exp(-((np.asarray(lat) / 22.0) ** 4))
