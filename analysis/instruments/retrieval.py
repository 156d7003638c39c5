"""What a retrieval adds to a true column: a prior profile, pressure weights, an averaging kernel, and the smoothing
they make.

Profiles have 20 levels from space to the surface, as in OCO-2 Lite files. A retrieved column is
`prior + sum(h * a * (true profile - prior profile))` (Connor et al. 2008, doi 10.1029/2006JD008336).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.world.climate import FIRST_YEAR, global_mean, season

LEVELS = 20
SIGMA = np.concatenate([[1e-4], np.arange(1, LEVELS) / (LEVELS - 1.0)])
"""Pressure of each level over surface pressure, top first."""


@dataclass(frozen=True)
class Profiles:
    """(soundings, 20) float32, space to surface: pressure (hPa), pressure weight, averaging kernel, prior CO2 (ppm)."""

    pressure: np.ndarray
    weight: np.ndarray
    kernel: np.ndarray
    prior: np.ndarray


def prior_column(time: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """(n,) ppm: what is known without measuring, growth, season and gradient of the zonal mean."""
    months = (np.asarray(time, "datetime64[ns]") - np.datetime64(f"{FIRST_YEAR}-01-01", "ns")) / np.timedelta64(1, "D")
    year = FIRST_YEAR + months / 365.2425
    return global_mean(year) + season(year % 1.0, lat) + 1.35 * np.tanh(lat / 24.0)


def weights() -> np.ndarray:
    """(20,) pressure weights of linear interpolation between the levels; they sum to one."""
    layer = np.diff(SIGMA)
    share = np.zeros(LEVELS)
    share[:-1] += 0.5 * layer
    share[1:] += 0.5 * layer
    return share / share.sum()


def make_profiles(
    time: np.ndarray, lat: np.ndarray, surface_hpa: np.ndarray, zenith: np.ndarray, land: np.ndarray
) -> Profiles:
    """Profiles of soundings; all arguments (n,), zenith angle in degrees, land as bool."""
    count = len(lat)
    share = weights()
    column = prior_column(time, lat)
    # More CO2 near the ground in the northern winter, less in summer; the stratosphere lags by years.
    surplus = 0.6 * (column - global_mean(_year(time)))
    shape = SIGMA**2 - share @ SIGMA**2
    strat = np.where(SIGMA < 0.18, -4.5 * (1.0 - SIGMA / 0.18), 0.0)
    strat -= share @ strat
    prior = column[:, None] + surplus[:, None] * shape[None, :] + strat[None, :]
    slope = np.clip((zenith - 30.0) / 60.0, -0.3, 0.8)
    base = np.interp(SIGMA, [0.0, 0.05, 0.15, 0.4, 0.75, 1.0], [0.25, 0.45, 0.80, 1.00, 1.04, 0.98])
    tilt = np.interp(SIGMA, [0.0, 0.3, 0.7, 1.0], [0.10, 0.05, -0.01, -0.05])
    kernel = base[None, :] + slope[:, None] * tilt[None, :] + np.where(land, 0.0, 0.01)[:, None]
    return Profiles(
        pressure=(surface_hpa[:, None] * SIGMA[None, :]).astype(np.float32),
        weight=np.broadcast_to(share.astype(np.float32), (count, LEVELS)),
        kernel=kernel.astype(np.float32),
        prior=prior.astype(np.float32),
    )


def smoothed(truth: np.ndarray, profiles: Profiles) -> np.ndarray:
    """(n,) ppm: the column that a perfect measurement of the true one (n,) returns.

    What the truth has beyond the prior is taken to lie mostly near the ground, where sources and plants are.
    """
    share = weights()
    near_ground = SIGMA**1.5
    near_ground = near_ground / (share @ near_ground)
    seen = (profiles.kernel * (share * near_ground)[None, :]).sum(axis=1)
    prior = profiles.prior @ share
    return prior + seen * (truth - prior)


def _year(time: np.ndarray) -> np.ndarray:
    days = (np.asarray(time, "datetime64[ns]") - np.datetime64(f"{FIRST_YEAR}-01-01", "ns")) / np.timedelta64(1, "D")
    return FIRST_YEAR + days / 365.2425
