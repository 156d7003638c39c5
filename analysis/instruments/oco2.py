"""A satellite like OCO-2 looks at the simulated world: where it looks, what clouds leave, and what its retrieval makes
of the truth.

Eight footprints of 1.29 x 2.25 km side by side, three frames a second; nadir and glint on alternate orbits, glint
alone over sea; frames lost to clouds in streaks of tens of kilometres. Errors: independent noise, a part that
neighbours share over 10 km (land) or 20 km (sea), what remains of the footprint biases, and larger errors with a tail
in soundings flagged bad. Orders of magnitude: OCO-2 v11 Data User's Guide and Torres et al. 2019 (doi
10.1029/2019JD030257).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from analysis.instruments.orbit import FRAME_S, GROUND_SPEED_KM_S, Track, day_track, offset
from analysis.instruments.retrieval import Profiles, make_profiles, smoothed
from analysis.instruments.sun import sun_angles
from analysis.world import World

FOOTPRINTS = 8
FOOTPRINT_KM = (1.29, 2.25)
"""Across and along the track."""

FOOTPRINT_BIAS_LAND = (-0.51, -0.22, -0.16, -0.12, 0.09, 0.37, 0.15, 0.40)
FOOTPRINT_BIAS_SEA = (-0.50, -0.16, -0.16, -0.16, 0.06, 0.33, 0.10, 0.49)
"""ppm of footprints 1-8, as the v11 Lite files state them; they are in `xco2_raw`, and a part of them remains in
`xco2`.
"""

REMAINING_BIAS = 0.15
CORRELATION_KM = {"land": 10.0, "sea": 20.0}
NOISE_PPM = {"land": 0.50, "sea": 0.32}
CORRELATED_PPM = {"land": 0.45, "sea": 0.35}
MAX_ZENITH = 80.0
NADIR, GLINT = 0, 1

_CLOUD_KM = (12.0, 150.0)
_BAD_SHARE = 0.5


@dataclass(frozen=True)
class Soundings:
    """Soundings of one day in order of time; arrays of length n unless said otherwise.

    Attributes
    ----------
    time : datetime64[ns], UTC; sounding_id : uint64 YYYYMMDDhhmmssmf.
    lat, lon : degrees; heading : direction of flight, degrees.
    footprint : 1..8; mode : 0 nadir, 1 glint; orbit, path : numbers.
    land : bool; altitude_m; surface_hpa : retrieved surface pressure.
    sun_zenith, sun_azimuth, view_zenith, view_azimuth : degrees.
    truth : true column, ppm; xco2 : retrieved and bias-corrected (X2019), xco2_raw : before correction; uncertainty :
        ppm.
    bad : bool, flagged by the quality filter.
    aerosol : total optical depth; profiles : kernel, weights, prior, pressure.
    """

    time: np.ndarray
    sounding_id: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    heading: np.ndarray
    footprint: np.ndarray
    mode: np.ndarray
    orbit: np.ndarray
    path: np.ndarray
    land: np.ndarray
    altitude_m: np.ndarray
    surface_hpa: np.ndarray
    sun_zenith: np.ndarray
    sun_azimuth: np.ndarray
    view_zenith: np.ndarray
    view_azimuth: np.ndarray
    truth: np.ndarray
    xco2: np.ndarray
    xco2_raw: np.ndarray
    uncertainty: np.ndarray
    bad: np.ndarray
    aerosol: np.ndarray
    profiles: Profiles

    def __len__(self) -> int:
        return len(self.time)

    def columns(self) -> dict[str, np.ndarray]:
        """All arrays of length n by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "profiles"}


def observe_day(world: World, day: np.datetime64, *, every: int = 1) -> Soundings:
    """Soundings of one UTC day, about 160,000, with 90,000 good ones among them.

    Parameters
    ----------
    every : take one frame in so many, for smaller files; the errors that neighbours share stay the same.

    Raises
    ------
    ValueError : a day outside the years of the world.
    """
    number = int(np.asarray(day, dtype="datetime64[D]").astype(np.int64))
    random = np.random.default_rng(np.random.SeedSequence([world.seed, number, 2]))
    track = day_track(day, every=every)
    zenith, azimuth = sun_angles(track.time, track.lat, track.lon)
    lit = zenith < MAX_ZENITH
    track, zenith, azimuth = track.select(lit), zenith[lit], azimuth[lit]
    spacing_km = GROUND_SPEED_KM_S * FRAME_S * every
    frame_land = _is_land(track.lat, track.lon)
    glint_orbit = track.orbit % 2 == 0
    seen = _clear(random, track, frame_land, spacing_km) & (frame_land | glint_orbit)
    kept = np.flatnonzero(seen)
    shared = _shared_error(random, frame_land, spacing_km)[kept]

    frame = np.repeat(kept, FOOTPRINTS)
    footprint = np.tile(np.arange(1, FOOTPRINTS + 1, dtype=np.int8), kept.size)
    whole = random.random(frame.size) < 0.93
    frame, footprint, shared = frame[whole], footprint[whole], np.repeat(shared, FOOTPRINTS)[whole]
    across = (footprint - (FOOTPRINTS + 1) / 2) * FOOTPRINT_KM[0]
    lat, lon = offset(track.lat[frame], track.lon[frame], track.heading[frame], np.zeros(frame.size), across)
    time = track.time[frame]
    land = _is_land(lat, lon)
    mode = np.where(glint_orbit[frame], GLINT, NADIR).astype(np.int8)
    altitude = np.where(land, _altitude(lat, lon), 0.0)
    surface = (
        1013.0 * np.exp(-altitude / 7600.0)
        + 6.0 * np.sin(np.deg2rad(3 * lon + 5 * lat))
        + random.normal(0, 1.0, lat.size)
    )
    profiles = make_profiles(time, lat, surface, zenith[frame], land)
    truth = world.sample(time, lat, lon)
    bad = random.random(lat.size) < np.clip(
        _BAD_SHARE + 0.5 * ((zenith[frame] - 50.0) / 60.0) + 0.1 * (shared**2 - 1.0), 0.05, 0.95
    )
    noise = np.where(land, NOISE_PPM["land"], NOISE_PPM["sea"]) * (
        1.0 + 0.6 * np.clip((zenith[frame] - 45.0) / 35.0, 0.0, 1.0)
    )
    bias = np.where(land, np.take(FOOTPRINT_BIAS_LAND, footprint - 1), np.take(FOOTPRINT_BIAS_SEA, footprint - 1))
    error = (
        noise * random.standard_normal(lat.size)
        + np.where(land, CORRELATED_PPM["land"], CORRELATED_PPM["sea"]) * shared
    )
    error += REMAINING_BIAS * bias
    error[bad] = 2.5 * error[bad] - 0.4 + random.standard_t(4, int(bad.sum()))
    xco2 = smoothed(truth, profiles) + error
    return Soundings(
        time=time,
        sounding_id=sounding_ids(time, footprint),
        lat=lat,
        lon=lon,
        heading=track.heading[frame],
        footprint=footprint,
        mode=mode,
        orbit=track.orbit[frame],
        path=track.path[frame],
        land=land,
        altitude_m=altitude,
        surface_hpa=surface,
        sun_zenith=zenith[frame],
        sun_azimuth=azimuth[frame],
        view_zenith=np.where(mode == GLINT, zenith[frame] * 0.98, 0.3 + 0.15 * np.abs(footprint - 4.5)),
        view_azimuth=np.where(mode == GLINT, (azimuth[frame] + 180.0) % 360.0, (track.heading[frame] + 90.0) % 360.0),
        truth=truth,
        xco2=xco2,
        xco2_raw=xco2 + (1.0 - REMAINING_BIAS) * bias - 1.2 + 0.6 * shared,
        uncertainty=noise * random.uniform(0.9, 1.15, lat.size),
        bad=bad,
        aerosol=np.exp(random.normal(-2.4, 0.5, lat.size)) * np.where(bad, 1.8, 1.0),
        profiles=profiles,
    )


def sounding_ids(time: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    """(n,) uint64 YYYYMMDDhhmmssmf: UTC to tenths of a second (cut off), and the footprint."""
    stamp = time.astype("datetime64[ms]")
    day = stamp.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    year = month.astype("datetime64[Y]")
    date = (
        (year.astype(np.int64) + 1970) * 10_000
        + ((month - year).astype(np.int64) + 1) * 100
        + (day - month).astype(np.int64)
        + 1
    )
    ms = (stamp - day).astype(np.int64)
    clock = ms // 3_600_000 * 10_000 + ms // 60_000 % 60 * 100 + ms // 1000 % 60
    return ((date * 1_000_000 + clock) * 100 + ms // 100 % 10 * 10 + footprint).astype(np.uint64)


def _is_land(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    from data.geography import land_mask

    mask = land_mask(1800, 3600)
    row = np.clip(((lat + 90.0) * 10).astype(np.int64), 0, 1799)
    return mask[row, ((lon + 180.0) * 10).astype(np.int64) % 3600]


def _altitude(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Rough altitude of land, m: the great highlands as smooth hills, and rolling land between them."""
    hills = (
        (33, 90, 7, 16, 4700),
        (72, -40, 9, 14, 2600),
        (-82, 60, 12, 120, 2800),
        (40, -109, 8, 9, 1700),
        (-18, -68, 14, 3, 3500),
        (9, 39, 5, 4, 1900),
        (-27, 27, 5, 5, 1200),
        (47, 100, 5, 12, 1300),
        (33, 53, 4, 7, 1200),
    )
    height = 180.0 + 120.0 * np.sin(np.deg2rad(7 * lat + 4 * lon)) * np.cos(np.deg2rad(9 * lon - 3 * lat))
    for north, east, tall, wide, metres in hills:
        turn = (lon - east + 180.0) % 360.0 - 180.0
        height = height + metres * np.exp(-0.5 * ((lat - north) / tall) ** 2 - 0.5 * (turn / wide) ** 2)
    return height


def _clear(random: np.random.Generator, track: Track, land: np.ndarray, spacing_km: float) -> np.ndarray:
    """(frames,) bool: not cloudy. Clouds follow the climate and come in streaks of about 10 and 150 km."""
    wet = np.exp(-0.5 * ((track.lat - 4.0) / 8.0) ** 2) + 1.1 * np.exp(-0.5 * ((np.abs(track.lat) - 58.0) / 11.0) ** 2)
    dry = np.exp(-0.5 * ((np.abs(track.lat) - 23.0) / 8.0) ** 2)
    share = np.clip(0.26 + 0.20 * dry - 0.14 * wet + np.where(land, 0.07, -0.02), 0.04, 0.7)
    small, large = (_walk(random, np.full(track.lat.size, spacing_km / length)) for length in _CLOUD_KM)
    from scipy.special import ndtri

    return (0.6 * small + 0.8 * large) < ndtri(share)


def _shared_error(random: np.random.Generator, land: np.ndarray, spacing_km: float) -> np.ndarray:
    """(frames,) standard normal error that neighbours share over 10 km on land and 20 km at sea."""
    return _walk(random, spacing_km / np.where(land, CORRELATION_KM["land"], CORRELATION_KM["sea"]))


def _walk(random: np.random.Generator, steps: np.ndarray) -> np.ndarray:
    """Stationary Gaussian process along the track, variance one, correlation exp(-distance); `steps` are distances in
    its length.
    """
    from analysis.instruments.walk import ornstein_uhlenbeck

    return ornstein_uhlenbeck(np.exp(-steps), random.standard_normal(steps.size))
