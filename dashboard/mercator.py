"""Web Mercator for everything that the dashboard draws outside the browser: the northing of a latitude, kept within the square map."""

from __future__ import annotations

import numpy as np

from data.cube.view import MERCATOR_RADIUS_M

MERCATOR_LATITUDE = 85.0511287798
"""Where the square map ends, degrees."""

__all__ = ["MERCATOR_LATITUDE", "MERCATOR_RADIUS_M", "mercator_y"]


def mercator_y(lat: np.ndarray | float) -> np.ndarray:
    """Northing in metres of latitudes in degrees; beyond the square map its edge."""
    clipped = np.radians(np.clip(lat, -MERCATOR_LATITUDE, MERCATOR_LATITUDE))
    return MERCATOR_RADIUS_M * np.arctanh(np.sin(clipped))
