"""How a quantity wants to be coloured: fluxes on both sides of zero, emissions over powers of ten, all else evenly.

Judged by what the coarsest map of the newest step holds, so that data of any name and unit is served; remembered with the cube.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from data.cube import Cube

BOTH_SIDES = 0.15
"""The smaller side of zero reaches at least so far, as a share of the larger one: noise about zero does not."""
POWERS_OF_TEN = 30.0
"""Where the largest values are so many times the middle one, only a logarithmic scale shows both."""
LARGEST = 0.998
"""Quantile that stands for the largest values of such quantities: cities are a thousandth of the land."""

SEQUENTIAL, DIVERGING, EMISSIONS = "viridis", "RdBu_r", "inferno"


@dataclass(frozen=True)
class Natural:
    """What suits a quantity: colour map, whether its scale is logarithmic, and robust limits of its positive values."""

    palette: str
    log: bool
    low: float
    high: float

    @property
    def diverging(self) -> bool:
        """True where colours are centred on zero."""
        return self.palette == DIVERGING


_EVEN = Natural(SEQUENTIAL, False, 0.0, 1.0)
_known: WeakKeyDictionary[Cube, dict[tuple[int, str], Natural]] = WeakKeyDictionary()


def natural(cube: Cube, variable: str) -> Natural:
    """What suits a variable of a cube."""
    kept = _known.setdefault(cube, {})
    key = cube.version, variable
    if key not in kept:
        found = _judged(cube, variable) if len(cube.times) else _EVEN
        kept.clear() if len(kept) > 64 else None
        kept[key] = found
    return kept[key]


def _judged(cube: Cube, variable: str) -> Natural:
    if cube.variables[variable].units == "ppm":
        return _EVEN
    low, high = cube.limits(variable)
    named = f"{variable} {cube.variables[variable].long_name}".lower()
    if (
        low < 0 < high
        and min(-low, high) >= BOTH_SIDES * max(-low, high)
        and not re.search(r"(?:\b|_)sif|fluorescence", named)
    ):
        return Natural(DIVERGING, False, low, high)
    values = cube.read(variable, len(cube.times) - 1, level=cube.levels - 1).to_numpy()
    values = values[np.isfinite(values)]
    positive = values[values > 0]
    if positive.size < 20 or (values < 0).any():
        return _EVEN
    small, middle, large = (float(edge) for edge in np.quantile(positive, [0.02, 0.5, LARGEST]))
    if large < POWERS_OF_TEN * middle:
        return _EVEN
    return Natural(EMISSIONS, True, max(small, large * 1e-5), large)
