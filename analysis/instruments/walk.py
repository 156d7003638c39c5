"""A process that forgets exponentially along a line: what clouds and shared retrieval errors look like along a track."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def ornstein_uhlenbeck(keep: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(n,) stationary process of variance one.

    Parameters
    ----------
    keep : (n,) correlation of each value with the one before it, 0..1.
    normal : (n,) independent standard normal numbers.
    """
    out = np.empty(normal.size)
    if normal.size == 0:
        return out
    out[0] = normal[0]
    for i in range(1, normal.size):
        out[i] = keep[i] * out[i - 1] + np.sqrt(1.0 - keep[i] * keep[i]) * normal[i]
    return out
