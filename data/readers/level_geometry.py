"""Pressure and height of the boundaries of model levels, where a file gives them in another way.

The hypsometric equation with virtual temperature (Holton & Hakim, An Introduction to Dynamic Meteorology, 5th ed.,
1.20), and the ICAO standard atmosphere up to 32 km where there is no temperature.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

GAS_CONSTANT = 287.05
"""Of dry air, J kg-1 K-1."""

GRAVITY = 9.80665
"""Standard gravity, m s-2: the one of geopotential metres."""

_LOWEST_TOP_HPA = 0.005
"""A pressure of zero at the top has no logarithm: the boundary then is put at half of the one below, at most here."""

_STANDARD = ((0.0, 1013.25, 288.15, -0.0065), (11000.0, 226.321, 216.65, 0.0), (20000.0, 54.7489, 216.65, 0.001))
"""Base height (m), pressure (hPa), temperature (K) and lapse rate (K/m) of the layers of the ICAO standard atmosphere."""


def outer_edges(middles: xr.DataArray, what: str) -> xr.DataArray:
    """Values at the boundaries of levels from those at their middles: halfway between neighbours.

    The outermost lie as far out as the next ones lie in; pressure (`what`) ends at zero, height not below zero.
    """
    middles = middles.drop_vars("lev", errors="ignore")  # labels would be matched instead of neighbours
    inner = 0.5 * (middles.isel(lev=slice(None, -1)) + middles.isel(lev=slice(1, None)))
    first = 2.0 * middles.isel(lev=[0]) - inner.isel(lev=[0])
    if what == "pressure":
        last = 0.0 * middles.isel(lev=[-1])
    else:
        first = first.clip(min=0.0)
        last = 2.0 * middles.isel(lev=[-1]) - inner.isel(lev=[-1])
    return xr.concat([first, inner, last], dim="lev").rename({"lev": "edge"})


def height_from_pressure(
    pressure: xr.DataArray,
    temperature: xr.DataArray | None,
    humidity: xr.DataArray | None,
    ground: xr.DataArray | None,
) -> xr.DataArray:
    """Geopotential height (m) of boundaries with dims (..., edge) from their pressure (hPa).

    Parameters
    ----------
    temperature, humidity : K and kg kg-1 on ``lev``; without a temperature the standard atmosphere is taken.
    ground : height of the surface in m; 0 where it is not known.
    """
    top = np.minimum(_LOWEST_TOP_HPA, 0.5 * pressure.isel(edge=-2))
    finite = pressure.where(pressure > 0, top)
    if temperature is None:
        return xr.apply_ufunc(standard_height, finite, dask="parallelized", output_dtypes=[np.float64])
    temperature = temperature.drop_vars("lev", errors="ignore")
    humidity = None if humidity is None else humidity.drop_vars("lev", errors="ignore")
    virtual = temperature if humidity is None else temperature * (1.0 + 0.608 * humidity)
    below = finite.isel(edge=slice(None, -1)).rename(edge="lev")
    above = finite.isel(edge=slice(1, None)).rename(edge="lev")
    thickness = GAS_CONSTANT / GRAVITY * virtual * np.log(below / above)
    surface = xr.zeros_like(thickness.isel(lev=0)) + (0.0 if ground is None else ground)
    heights = [surface.expand_dims("lev"), surface + thickness.cumsum("lev")]
    return xr.concat(heights, dim="lev", coords="minimal", compat="override").rename(lev="edge")


def pressure_from_height(height: xr.DataArray) -> xr.DataArray:
    """Pressure (hPa) of boundaries from their height (m), by the standard atmosphere."""
    return xr.apply_ufunc(standard_pressure, height, dask="parallelized", output_dtypes=[np.float64])


def standard_height(pressure_hpa: np.ndarray) -> np.ndarray:
    """Geopotential height (m) in the ICAO standard atmosphere; its uppermost layer is continued beyond 32 km."""
    p = np.asarray(pressure_hpa, dtype=np.float64)
    height = np.full(p.shape, np.nan)
    for base, base_p, base_t, lapse in _STANDARD:
        ratio = p / base_p
        if lapse:
            here = base + base_t / lapse * (ratio ** (-GAS_CONSTANT * lapse / GRAVITY) - 1.0)
        else:
            here = base - GAS_CONSTANT * base_t / GRAVITY * np.log(ratio)
        height = np.where((p <= base_p) | (base == 0.0), here, height)
    return height


def standard_pressure(height_m: np.ndarray) -> np.ndarray:
    """Pressure (hPa) in the ICAO standard atmosphere, the inverse of `standard_height`."""
    z = np.asarray(height_m, dtype=np.float64)
    pressure = np.full(z.shape, np.nan)
    for base, base_p, base_t, lapse in _STANDARD:
        if lapse:
            warmth = np.maximum(1.0 + lapse * (z - base) / base_t, 1e-6)
            here = base_p * warmth ** (-GRAVITY / (GAS_CONSTANT * lapse))
        else:
            here = base_p * np.exp(-GRAVITY * (z - base) / (GAS_CONSTANT * base_t))
        pressure = np.where((z >= base) | (base == 0.0), here, pressure)
    return pressure
