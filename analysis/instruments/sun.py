"""Where the sun stands: the usual low-precision almanac formulas, good to 0.1° over this century."""

from __future__ import annotations

import numpy as np


def sun_angles(time: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solar zenith and azimuth (from north, clockwise), degrees.

    Parameters
    ----------
    time : (n,) datetime64, UTC.
    lat, lon : (n,) degrees.
    """
    days = (np.asarray(time, "datetime64[ns]") - np.datetime64("2000-01-01T12:00", "ns")) / np.timedelta64(1, "D")
    anomaly = np.deg2rad(357.529 + 0.98560028 * days)
    mean_longitude = 280.459 + 0.98564736 * days
    ecliptic = np.deg2rad(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    tilt = np.deg2rad(23.439)
    right_ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(tilt) * np.sin(ecliptic))
    sidereal = np.deg2rad(280.46062 + 360.98564737 * days + lon)
    hour_angle = sidereal - right_ascension
    phi = np.deg2rad(lat)
    up = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    east = -np.cos(declination) * np.sin(hour_angle)
    north = np.cos(phi) * np.sin(declination) - np.sin(phi) * np.cos(declination) * np.cos(hour_angle)
    return np.rad2deg(np.arccos(np.clip(up, -1.0, 1.0))), np.rad2deg(np.arctan2(east, north)) % 360.0
