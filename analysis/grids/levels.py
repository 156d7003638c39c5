"""Hybrid sigma-pressure levels: pressure at the edges of layers is a + b * surface pressure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.grids.horizontal import GridError

GRAVITY = 9.80665
"""m s-2."""

LOWEST_SURFACE_PA, HIGHEST_SURFACE_PA = 40_000.0, 110_000.0
"""Surface pressures over which layers must have a positive thickness."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Layers from the surface up.

    Attributes
    ----------
    a_pa, b : (n + 1,) coefficients of the edges, the surface first: pressure = a_pa + b * surface pressure.
    name : what to call them.

    Raises
    ------
    GridError : not the surface first (a = 0, b = 1) and the top last (b = 0), fewer than 5 layers, or layers without
        thickness at surface pressures of 400 to 1100 hPa.
    """

    a_pa: np.ndarray
    b: np.ndarray
    name: str = ""

    def __post_init__(self) -> None:
        a, b = (np.array(values, dtype=np.float64) for values in (self.a_pa, self.b))
        if a.ndim != 1 or a.shape != b.shape or len(a) < 6:
            raise GridError(
                f"Levels need two lists of at least 6 coefficients (5 layers) of one length, found {a.shape}, {b.shape}."
            )
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise GridError("The coefficients of levels must be finite; some are NaN or infinite.")
        if abs(a[0]) > 1e-6 or abs(b[0] - 1) > 1e-9 or b[-1] != 0 or a[-1] < 0:
            raise GridError(
                "Levels must start at the surface (a = 0, b = 1) and end at the top (b = 0); they look top-down: turn "
                "both lists around."
            )
        for surface in (LOWEST_SURFACE_PA, HIGHEST_SURFACE_PA):
            if not (np.diff(a + b * surface) < 0).all():
                raise GridError(f"Layers must have a thickness at a surface pressure of {surface / 100:g} hPa.")
        a.setflags(write=False)
        b.setflags(write=False)
        object.__setattr__(self, "a_pa", a)
        object.__setattr__(self, "b", b)

    @property
    def count(self) -> int:
        """Number of layers."""
        return len(self.a_pa) - 1

    def edge_pressure(self, surface_pressure_pa: np.ndarray) -> np.ndarray:
        """(n + 1, ...) Pa at the layers' edges for surface pressures (...)."""
        surface = np.asarray(surface_pressure_pa, dtype=np.float64)
        expand = (slice(None),) + (None,) * surface.ndim
        return self.a_pa[expand] + self.b[expand] * surface

    def layer_mass(self, surface_pressure_pa: np.ndarray) -> np.ndarray:
        """(n, ...) kg m-2 of air in each layer."""
        return -np.diff(self.edge_pressure(surface_pressure_pa), axis=0) / GRAVITY

    @property
    def b_share(self) -> np.ndarray:
        """(n,) share of each layer in a change of surface pressure; sums to one."""
        return -np.diff(self.b)


_L60_A_PA = """
0 20 38.425343 63.647804 95.636963 134.483307 180.584351 234.779053 298.495789 373.971924 464.618134 575.651001
713.218079 883.660522 1094.834717 1356.474609 1680.640259 2082.273926 2579.888672 3196.421631 3960.291504 4906.708496
6018.019531 7306.631348 8765.053711 10376.126953 12077.446289 13775.325195 15379.805664 16819.474609 18045.183594
19027.695313 19755.109375 20222.205078 20429.863281 20384.480469 20097.402344 19584.330078 18864.75 17961.357422
16899.46875 15706.447266 14411.124023 13043.21875 11632.758789 10209.500977 8802.356445 7438.803223 6144.314941
4941.77832 3850.91333 2887.696533 2063.779785 1385.912598 855.361755 467.333588 210.39389 65.889244 7.367743 0 0
"""
_L60_B = """
0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0.00007582 0.00046139 0.00181516 0.00508112 0.01114291 0.02067788
0.03412116 0.05169041 0.07353383 0.09967469 0.13002251 0.16438432 0.20247594 0.24393314 0.28832296 0.33515489
0.38389215 0.43396294 0.48477158 0.53570992 0.58616841 0.63554746 0.68326861 0.72878581 0.77159661 0.81125343
0.84737492 0.87965691 0.90788388 0.93194032 0.95182151 0.96764523 0.97966272 0.9882701 0.99401945 0.99763012 1
"""
# ECMWF's 60 levels (ERA-40, ERA-Interim), half-level coefficients top-down:
# https://www.ecmwf.int/en/forecasts/documentation-and-support/60-model-levels

_SUBSETS = {
    34: "60 58 56 54 52 50 48 46 44 42 40 39 38 37 36 35 34 33 32 31 30 29 28 27 26 25 24 23 22 20 16 12 8 4 0",
    25: "60 58 56 54 52 50 48 46 44 42 40 38 36 34 32 30 28 26 24 22 20 16 12 8 4 0",
}
# Half levels that are kept, the surface first. 34: those of TM5's output files. 25: every second of those between 400 and
# 75 hPa, as TM5's own 25 are (which differ by one half level and have one layer twice as thick as its neighbours).


def ecmwf_levels(count: int) -> Levels:
    """ECMWF's 60 layers, the 34 that TM5 makes of them, or 25 with fewer around the tropopause; the surface first.

    Raises
    ------
    GridError : another number.
    """
    a, b = (np.array(text.split(), dtype=np.float64) for text in (_L60_A_PA, _L60_B))
    if count == 60:
        kept = np.arange(60, -1, -1)
    elif count in _SUBSETS:
        kept = np.array(_SUBSETS[count].split(), dtype=np.int64)
    else:
        raise GridError(f"There are 25, 34 or 60 ECMWF levels to choose from, not {count}.")
    return Levels(a[kept], b[kept], f"ECMWF {count}")
