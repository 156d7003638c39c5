"""How strongly neighbouring layers exchange air, from the boundary layer's height, friction and heat.

Eddy diffusivity as in TM5's revised Louis-Tiedtke-Geleyn scheme within the boundary layer (Holtslag and Boville 1993,
doi 10.1175/1520-0442(1993)006<1825:LVNBLD>2.0.CO;2), a small constant above it. Where the meteorology has no boundary
layer, `typical` gives one from season, hour and land.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.grids import GRAVITY, Grid, Levels
from analysis.transport.errors import TransportError
from analysis.transport.fluxes import span

VON_KARMAN = 0.4
DRY_AIR_GAS = 287.05
"""J kg-1 K-1."""
HEAT_CAPACITY = 1004.0
"""J kg-1 K-1 at constant pressure."""

SURFACE_LAYER = 0.1
"""Part of the boundary layer in which heat and friction set the diffusivity at each height."""

FREE_DIFFUSIVITY = 0.1
"""m2 s-1 above the boundary layer: what keeps neighbouring layers from decoupling, too little to mix the troposphere."""

LEAST_HEIGHT_M = 50.0


@dataclass(frozen=True, eq=False)
class BoundaryLayer:
    """What sets mixing near the surface.

    Attributes
    ----------
    height_m : (lat, lon).
    friction_velocity : (lat, lon) m s-1.
    heat_flux : (lat, lon) W m-2 of sensible heat, upward.

    Raises
    ------
    TransportError : heights outside 0..10 km, friction outside 0..10 m/s, heat beyond 2000 W/m2, NaN.
    """

    height_m: np.ndarray
    friction_velocity: np.ndarray
    heat_flux: np.ndarray

    def __post_init__(self) -> None:
        limits = {"height_m": (0, 10_000), "friction_velocity": (0, 10), "heat_flux": (-2000, 2000)}
        for name, (low, high) in limits.items():
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if not ((values >= low) & (values <= high)).all():
                raise TransportError(
                    f"The boundary layer's {name} must lie within {low}..{high}, found {span(values)}; check its unit "
                    "and sign."
                )
            object.__setattr__(self, name, values)


def standard_temperature(pressure_pa: np.ndarray) -> np.ndarray:
    """K at a pressure in the standard atmosphere's troposphere and lower stratosphere, for packs without temperature."""
    return np.maximum(288.15 * (np.maximum(pressure_pa, 1.0) / 101_325.0) ** 0.1903, 216.65)


def layer_heights(
    levels: Levels, surface_pressure_pa: np.ndarray, temperature: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Heights above ground in m of level edges (lev + 1, ...) and of layers' middles (lev, ...), hydrostatic.

    Parameters
    ----------
    temperature : (lev, ...) K; the standard atmosphere's by default.
    """
    edges = np.maximum(levels.edge_pressure(surface_pressure_pa), 1.0)
    middle = np.sqrt(edges[1:] * edges[:-1])
    kelvin = standard_temperature(middle) if temperature is None else np.asarray(temperature, dtype=np.float64)
    scale = DRY_AIR_GAS * kelvin / GRAVITY
    height = np.concatenate([np.zeros_like(edges[:1]), np.cumsum(scale * np.log(edges[:-1] / edges[1:]), axis=0)])
    return height, height[:-1] + scale * np.log(edges[:-1] / middle)


def diffusivity(height_m: np.ndarray, layer: BoundaryLayer, temperature: float = 288.0) -> np.ndarray:
    """Eddy diffusivity of tracers (m2 s-1) at heights (..., lat, lon) above ground.

    In the lowest tenth of the boundary layer `u* k z (1 - z/h)^2 (1 - 15 z/L)^(1/3)`, above it with the velocity scale of
    that height; stable: divided by `1 + 5 z/L`. L is Obukhov's length.
    """
    h = np.maximum(layer.height_m, LEAST_HEIGHT_M)
    friction = np.maximum(layer.friction_velocity, 0.01)
    density = 101_325.0 / (DRY_AIR_GAS * temperature)
    # 1 / Obukhov's length: negative where heat rises
    inverse_length = -VON_KARMAN * GRAVITY * layer.heat_flux / (density * HEAT_CAPACITY * temperature * friction**3)
    z = np.clip(height_m, 0.0, h)
    shape = friction * VON_KARMAN * z * (1.0 - z / h) ** 2
    unstable = np.cbrt(1.0 - 15.0 * np.minimum(z, SURFACE_LAYER * h) * np.minimum(inverse_length, 0.0))
    stable = 1.0 + 5.0 * z * np.maximum(inverse_length, 0.0)
    return np.maximum(shape * unstable / stable, FREE_DIFFUSIVITY)


def exchange(
    grid: Grid,
    levels: Levels,
    surface_pressure_pa: np.ndarray,
    layer: BoundaryLayer,
    temperature: np.ndarray | None = None,
) -> np.ndarray:
    """(lev - 1, lat, lon) kg s-1 of air that each layer exchanges with the one above: rho K area / distance.

    Parameters
    ----------
    surface_pressure_pa : (lat, lon).
    temperature : (lev, lat, lon) K; the standard atmosphere's by default.
    """
    edges, middles = layer_heights(levels, surface_pressure_pa, temperature)
    pressure = levels.edge_pressure(surface_pressure_pa)[1:-1]
    kelvin = standard_temperature(pressure) if temperature is None else (temperature[1:] + temperature[:-1]) / 2
    density = pressure / (DRY_AIR_GAS * kelvin)
    return density * diffusivity(edges[1:-1], layer) * grid.area / np.diff(middles, axis=0)


def typical(grid: Grid, land: np.ndarray, day_of_year: float, utc_hour: float) -> BoundaryLayer:
    """A boundary layer by season, hour and land where the meteorology has none; a parametrisation, not an analysis.

    Over land heat follows the sun's elevation and the height follows the heat of the last hours, from 150 m at the end of
    a night to about 1.8 km on a summer afternoon; over water both stay near 700 m and 10 W m-2.

    Parameters
    ----------
    land : (lat, lon) share of land, 0..1.
    day_of_year : 1..366.
    utc_hour : 0..24.
    """
    lag = 2.0  # the height peaks in the afternoon
    now, before = (sun_elevation(grid, day_of_year, utc_hour - hours) for hours in (0.0, lag))
    height = np.where(before > 0, 150.0 + 1750.0 * before, 150.0)
    heat = np.where(now > 0, 280.0 * now - 20.0, -20.0)
    land = np.asarray(land, dtype=np.float64)
    return BoundaryLayer(
        height_m=land * height + (1 - land) * 700.0,
        friction_velocity=land * np.where(now > 0, 0.25 + 0.2 * now, 0.15) + (1 - land) * 0.25,
        heat_flux=land * heat + (1 - land) * 10.0,
    )


def sun_elevation(grid: Grid, day_of_year: float, utc_hour: float) -> np.ndarray:
    """(lat, lon) sine of the sun's elevation, 0 at night."""
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day_of_year + 10.0) / 365.25)
    lat = np.radians(grid.lat)[:, None]
    hour_angle = np.radians(grid.lon + 15.0 * (utc_hour - 12.0))[None, :]
    sine = np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(hour_angle)
    return np.maximum(sine, 0.0)
