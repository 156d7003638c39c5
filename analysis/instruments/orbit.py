"""The orbit of a satellite like OCO-2: 705 km, 98.2°, 233 orbits in 16 days, northward over the equator at 13:36 local
time.

A circular, sun-synchronous orbit: its plane turns with the sun, so the ground track is a great circle under which the
Earth turns once in 24 hours, and repeats exactly after 16 days. Geometry: OCO-2 Level 2 Data User's Guide (NASA GES
DISC).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ORBITS_PER_CYCLE = 233
CYCLE_S = 16 * 86400.0
PERIOD_S = CYCLE_S / ORBITS_PER_CYCLE
INCLINATION_DEG = 98.2
CROSSING_HOUR = 13.6
ALTITUDE_KM = 705.0
EARTH_RADIUS_KM = 6371.0
GROUND_SPEED_KM_S = 2 * np.pi * EARTH_RADIUS_KM / PERIOD_S
FRAMES_PER_S = 3
FRAME_S = 1.0 / FRAMES_PER_S

_FIRST_CROSSING = np.datetime64("2014-07-02T05:30:00", "ns")
"""Time of the ascending node of orbit 0; chosen so that orbit numbers agree with OCO-2's (orbit 3098 on 2015-01-30)."""


@dataclass(frozen=True)
class Track:
    """Frames along the sunlit part of the orbits of a day.

    Attributes
    ----------
    time : (frames,) datetime64[ns], UTC.
    lat, lon : (frames,) ground track, degrees.
    heading : (frames,) direction of flight over the ground, degrees from north, clockwise.
    orbit : (frames,) int32, orbit number; path : (frames,) 1..233.
    """

    time: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    heading: np.ndarray
    orbit: np.ndarray
    path: np.ndarray

    def select(self, keep: np.ndarray) -> Track:
        """The frames of a mask or index."""
        return Track(*(getattr(self, name)[keep] for name in ("time", "lat", "lon", "heading", "orbit", "path")))


def day_track(day: np.datetime64, *, every: int = 1) -> Track:
    """Ascending halves of all orbits of a UTC day (the satellite measures where the sun shines, and goes north by day).

    Parameters
    ----------
    every : one frame in so many, counted from midnight.
    """
    start = np.asarray(day, dtype="datetime64[D]").astype("datetime64[ns]")
    seconds = np.arange(0, 86400 * FRAMES_PER_S, every) * FRAME_S
    first_crossing_s = float((_FIRST_CROSSING.astype(np.int64) - start.astype(np.int64)) / 1e9)
    turns = (seconds - first_crossing_s) / PERIOD_S
    orbit = np.round(turns).astype(np.int32)
    angle = 2 * np.pi * (turns - orbit)  # from the ascending node, -pi..pi
    day_side = np.abs(angle) <= np.pi / 2
    seconds, orbit, angle = seconds[day_side], orbit[day_side], angle[day_side]
    tilt = np.deg2rad(INCLINATION_DEG)
    lat = np.rad2deg(np.arcsin(np.sin(tilt) * np.sin(angle)))
    crossing_s = first_crossing_s + orbit * PERIOD_S
    node_lon = (CROSSING_HOUR - crossing_s / 3600.0) * 15.0
    turned = (seconds - crossing_s) / 240.0  # the Earth turns a degree under the orbit in 240 s
    lon = node_lon + np.rad2deg(np.arctan2(np.cos(tilt) * np.sin(angle), np.cos(angle))) - turned
    return Track(
        time=start + np.round(seconds * 1e9).astype("timedelta64[ns]"),
        lat=lat,
        lon=(lon + 180.0) % 360.0 - 180.0,
        heading=_heading(tilt, angle, lat),
        orbit=orbit,
        path=(orbit % ORBITS_PER_CYCLE + 1).astype(np.int16),
    )


def _heading(tilt: float, angle: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Direction over the turning ground, degrees from north."""
    rate = 2 * np.pi / PERIOD_S
    around = np.cos(np.deg2rad(lat))
    north = np.sin(tilt) * np.cos(angle) / np.maximum(around, 1e-3) * rate
    east = np.cos(tilt) / np.maximum(around, 1e-3) * rate - around * 2 * np.pi / 86400.0
    return np.rad2deg(np.arctan2(east, north))


def offset(
    lat: np.ndarray, lon: np.ndarray, heading: np.ndarray, along_km: np.ndarray, right_km: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions a few kilometres along and to the right of the flight direction; all broadcast. Degrees, longitude
    -180..180.
    """
    turn = np.deg2rad(heading)
    north = along_km * np.cos(turn) - right_km * np.sin(turn)
    east = along_km * np.sin(turn) + right_km * np.cos(turn)
    km_per_degree = np.pi * EARTH_RADIUS_KM / 180.0
    new_lat = np.clip(lat + north / km_per_degree, -90.0, 90.0)
    new_lon = lon + east / (km_per_degree * np.maximum(np.cos(np.deg2rad(lat)), 1e-3))
    return new_lat, (new_lon + 180.0) % 360.0 - 180.0
