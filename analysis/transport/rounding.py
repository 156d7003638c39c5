"""Rounding that does not repeat itself, for tracers kept in single precision.

Winds that stand still for a day bring each cell through the same masses hour after hour, so that rounding to the nearest
float32 errs by the same amount each time and the errors add up. A dither, something between plus and minus 2^-24 of the
value (half to one unit in its last place) that is added before rounding, makes them cancel (stochastic rounding: Croci et al. 2022,
doi 10.1098/rsos.211631; in weather and climate models Paxton et al. 2022, doi 10.1175/JCLI-D-21-0343.1). Its values
are not drawn but taken from a sequence that fills the interval evenly along a line and in time, so that errors cancel
sooner; they are the same for all tracers and follow from the air alone, so that a run is repeated to the last bit with any
number of threads, tracers or restarts.
"""

from __future__ import annotations

import zlib

import numpy as np

ALONG, IN_TIME = 0.7548776662466927, 0.5698402909980532
"""From one position to the next, and from one step to the next: powers of the plastic number's reciprocal, whose multiples
fill a square more evenly than any others known (Roberts 2018, the R2 sequence)."""

ASIDE, BEGINNINGS = 29, 64
"""Line n begins n x `ASIDE` positions later, modulo `BEGINNINGS` (a power of two)."""


def first_turn(air_mass: np.ndarray, flux: np.ndarray) -> float:
    """Where in the sequence (0..1) some steps begin: from the bits of the lowest layer's air and of its flux.

    Of both, for air that only circulates comes to the same masses again and again.
    """
    air = zlib.crc32(np.ascontiguousarray(air_mass[0]).data)
    return zlib.crc32(np.ascontiguousarray(flux[0]).data, air) / 2**32


def dither(length: int, turn: float, dtype: np.dtype) -> np.ndarray:
    """(length + 63,) what to add, times the value itself, before it is rounded; zeros for float64, which has bits to spare.

    Parameters
    ----------
    length : positions of a line.
    turn : another one for each step and sweep.
    """
    if dtype != np.float32:
        return np.zeros(length + BEGINNINGS - 1, dtype=dtype)
    place = (np.arange(length + BEGINNINGS - 1) * ALONG + turn) % 1.0 - 0.5
    return (place * np.finfo(np.float32).eps).astype(np.float32)
