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

TROPICAL_KZ, TEMPERATE_KZ, STRATOSPHERIC_KZ = 12.0, 6.0, 1.0
"""m2 s-1, vertical. The last makes air at 30 km about four years old, as it is (Waugh and Hall 2002,
doi 10.1029/2000RG000101)."""
TROPICAL_KH, TEMPERATE_KH = 0.6e6, 1.5e6
"""m2 s-1, horizontal."""

DIFFUSIVITY = (TROPICAL_KZ, TEMPERATE_KZ, STRATOSPHERIC_KZ, TROPICAL_KH, TEMPERATE_KH)


def tropopause_hpa(lat: np.ndarray) -> np.ndarray:
    """Pressure of the tropopause: 100 hPa in the tropics, 270 hPa near the poles."""
    return 100.0 + 170.0 * (1.0 - np.exp(-((np.abs(lat) / 38.0) ** 4)))


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
        mass = state.tracer_mass.astype(np.float64)
        spectrum = np.fft.rfft(mass, axis=2)
        spectrum *= self._along[None, :, :, None]
        mass = np.fft.irfft(spectrum, n=mass.shape[2], axis=2)
        nz, ny, nx, tracers = mass.shape
        state.tracer_mass[...] = np.matmul(self._across, mass.reshape(nz, ny, nx * tracers)).reshape(mass.shape)

    @cached_property
    def _along(self) -> np.ndarray:
        """(lat, wave number) what is left of a wave along a row."""
        count = self.grid.shape[1]
        spacing = EARTH_RADIUS_M * np.cos(np.radians(self.grid.lat)) * np.radians(360.0 / count)
        waves = 2.0 - 2.0 * np.cos(2 * np.pi * np.arange(count // 2 + 1) / count)
        return 1.0 / (1.0 + self.duration * (horizontal_diffusivity(self.grid.lat) / spacing**2)[:, None] * waves)

    @cached_property
    def _across(self) -> np.ndarray:
        """(lat, lat) from tracer mass before to tracer mass after, along each meridian."""
        rows = self.grid.area[:, 0]
        edges = self.grid.lat_edges[1:-1]
        face = EARTH_RADIUS_M * np.cos(np.radians(edges)) * np.radians(360.0 / self.grid.shape[1])
        distance = EARTH_RADIUS_M * np.radians(np.diff(self.grid.lat))
        passed = self.duration * horizontal_diffusivity(edges) * face / distance
        laplace = np.diag(np.append(passed, 0.0) + np.append(0.0, passed)) - np.diag(passed, 1) - np.diag(passed, -1)
        return rows[:, None] * np.linalg.inv(np.diag(rows) + laplace)


def horizontal_diffusivity(lat: np.ndarray) -> np.ndarray:
    """m2 s-1."""
    return TEMPERATE_KH + (TROPICAL_KH - TEMPERATE_KH) * _tropical(lat)


def _tropical(lat: np.ndarray) -> np.ndarray:
    return np.exp(-((np.asarray(lat) / 22.0) ** 4))
