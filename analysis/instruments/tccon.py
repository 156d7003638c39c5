"""Ground spectrometers at the real TCCON sites look at the sun through the simulated world.

A site measures on clear days while the sun is at least ten degrees up, and has its own small bias (0.25 ppm between
sites) beside the noise of a spectrum; sites start and end when the real ones do. Precision and kernels: Laughner et
al. 2024 (doi 10.5194/essd-16-2197-2024).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.instruments.retrieval import prior_column
from analysis.instruments.sun import sun_angles
from analysis.instruments.walk import ornstein_uhlenbeck
from analysis.world import World

LOWEST_SUN = 80.0
SITE_BIAS_PPM = 0.25
NOISE_PPM = 0.45
LEVELS = 51
_CLEAR_DAYS = 0.38


@dataclass(frozen=True)
class SiteSeries:
    """Measurements of one site; arrays of length n unless said otherwise.

    Attributes
    ----------
    id, name, long_name : two letters, name in files ("lamont01"), name for people.
    lat, lon, altitude_m : position.
    time : datetime64[ns], UTC; sun_zenith, sun_azimuth : degrees.
    truth, xco2 : ppm on X2019; error : stated one-sigma precision, ppm; prior : prior column, ppm.
    heights_km : (51,) of the levels, ground first; kernel : (n, 51); pressure_hpa : (n, 51); prior_profile : (n, 51)
        ppm.
    """

    id: str
    name: str
    long_name: str
    lat: float
    lon: float
    altitude_m: float
    time: np.ndarray
    sun_zenith: np.ndarray
    sun_azimuth: np.ndarray
    truth: np.ndarray
    xco2: np.ndarray
    error: np.ndarray
    prior: np.ndarray
    heights_km: np.ndarray
    kernel: np.ndarray
    pressure_hpa: np.ndarray
    prior_profile: np.ndarray

    def __len__(self) -> int:
        return len(self.time)


def observe_site(world: World, site: str, start: np.datetime64, end: np.datetime64, *, minutes: int = 30) -> SiteSeries:
    """What the site measures from `start` to `end` (excluded), as far as it was in operation.

    Parameters
    ----------
    site : two-letter id ("oc"); see `data.geography.tccon_sites`.
    minutes : one measurement in so many minutes of sunshine.

    Raises
    ------
    KeyError : no such site. ValueError : times outside the years of the world, or `minutes` not positive.
    """
    from data.geography import tccon_sites

    table = {str(row["id"]): row for row in tccon_sites().to_dict("records")}
    if site not in table:
        raise KeyError(f"no TCCON site {site!r}; there are {', '.join(table)}.")
    if minutes < 1:
        raise ValueError(f"expected one measurement in at least 1 minute, found {minutes}.")
    place = table[site]
    random = np.random.default_rng(np.random.SeedSequence([world.seed, 3, *site.encode()]))
    bias = SITE_BIAS_PPM * random.standard_normal()
    time = _sunshine(random, place, start, end, minutes)
    lat, lon = np.full(time.size, float(place["lat"])), np.full(time.size, float(place["lon"]))
    zenith, azimuth = sun_angles(time, lat, lon)
    truth = world.sample(time, lat, lon)
    air_mass = 1.0 / np.cos(np.deg2rad(zenith))
    error = NOISE_PPM * (0.75 + 0.12 * air_mass)
    xco2 = truth + bias + error * random.standard_normal(time.size) + 0.05 * (air_mass - 2.0)
    heights = float(place["altitude_m"]) / 1000.0 + 70.0 * (np.arange(LEVELS) / (LEVELS - 1.0)) ** 1.6
    pressure = 1013.25 * np.exp(-heights / 7.6)
    prior = prior_column(time, lat)
    sigma = pressure / pressure[0]
    base = np.interp(sigma, [0.0, 0.02, 0.1, 0.3, 0.6, 1.0], [0.35, 0.45, 0.65, 0.90, 1.0, 1.02])
    kernel = base[None, :] + (air_mass[:, None] - 2.0) * 0.03 * (1.0 - 2.0 * sigma)[None, :]
    drop = np.where(sigma < 0.18, -6.0 * (1.0 - sigma / 0.18), 0.0)
    return SiteSeries(
        id=site,
        name=str(place["site"]),
        long_name=f"{place['name']}, {place['country']}",
        lat=float(place["lat"]),
        lon=float(place["lon"]),
        altitude_m=float(place["altitude_m"]),
        time=time,
        sun_zenith=zenith,
        sun_azimuth=azimuth,
        truth=truth,
        xco2=xco2,
        error=error,
        prior=prior,
        heights_km=heights.astype(np.float32),
        kernel=kernel.astype(np.float32),
        pressure_hpa=np.broadcast_to(pressure.astype(np.float32), kernel.shape),
        prior_profile=(prior[:, None] + 0.3 + drop[None, :]).astype(np.float32),
    )


def _sunshine(
    random: np.random.Generator, place: Mapping[Hashable, Any], start: np.datetime64, end: np.datetime64, minutes: int
) -> np.ndarray:
    """(n,) times at which the site measures: in operation, sun up, sky clear; the weather of a day is the same
    whatever the period asked.
    """
    opened = np.datetime64(str(place["start"]), "D")
    closed = np.datetime64(str(place["end"]), "M") + 1 if place["end"] else np.datetime64("9999-01", "M")
    first = np.datetime64("2000-01-01", "D")
    days = np.arange(first, np.datetime64("2036-01-01", "D"))
    weather = ornstein_uhlenbeck(np.full(days.size, 0.55), random.standard_normal(days.size))
    offset_min = random.uniform(0.0, minutes, days.size)
    begin, stop = (np.asarray(edge, dtype="datetime64[ns]") for edge in (start, end))
    from scipy.special import ndtri

    wanted = (weather < ndtri(_CLEAR_DAYS)) & (days >= opened) & (days < closed.astype("datetime64[D]"))
    wanted &= (days + 1 > begin) & (days < stop)
    clear = days[wanted].astype("datetime64[ns]")
    steps = (np.arange(0, 24 * 60, minutes)[None, :] + offset_min[wanted][:, None]) * 60e9
    time = (clear[:, None] + np.round(steps).astype("timedelta64[ns]")).ravel()
    time = time[(time >= begin) & (time < stop)]
    zenith, _ = sun_angles(time, np.full(time.size, float(place["lat"])), np.full(time.size, float(place["lon"])))
    return time[zenith < LOWEST_SUN]
