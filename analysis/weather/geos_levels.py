"""The hybrid levels of MERRA-2, GEOS-FP and GEOS-IT: 72 layers, and the 47 that GEOS-Chem makes of them.

Coefficients are those of NASA's GMAO as listed at https://wiki.seas.harvard.edu/geos-chem/index.php/GEOS-Chem_vertical_grids.
"""

from __future__ import annotations

import numpy as np

from analysis.grids import Levels
from analysis.weather.pack import WeatherProblem

_A_HPA = """
0 0.04804826 6.593752 13.13480 19.61311 26.09201 32.57081 38.98201 45.33901 51.69611 58.05321 64.36264 70.62198 78.83422
89.09992 99.36521 109.1817 118.9586 128.6959 142.9100 156.2600 169.6090 181.6190 193.0970 203.2590 212.1500 218.7760
223.8980 224.3630 216.8650 201.1920 176.9300 150.3930 127.8370 108.6630 92.36572 78.51231 66.60341 56.38791 47.64391
40.17541 33.81001 28.36781 23.73041 19.79160 16.45710 13.64340 11.27690 9.292942 7.619842 6.216801 5.046801 4.076571
3.276431 2.620211 2.084970 1.650790 1.300510 1.019440 0.7951341 0.6167791 0.4758061 0.3650411 0.2785261 0.2113490
0.1594950 0.1197030 0.08934502 0.06600001 0.04758501 0.03270000 0.02000000 0.01000000
"""
_B = """
1 0.9849520 0.9634060 0.9418650 0.9203870 0.8989080 0.8774290 0.8560180 0.8346609 0.8133039 0.7919469 0.7706375 0.7493782
0.7211660 0.6858999 0.6506349 0.6158184 0.5810415 0.5463042 0.4945902 0.4437402 0.3928911 0.3433811 0.2944031 0.2467411
0.2003501 0.1562241 0.1136021 0.06372006 0.02801004 0.006960025 0.000000008175413
"""
"""Zero above these."""

_LUMPED_47 = (38, 40, 42, 44, 48, 52, 56, 60, 64, 68, 72)
"""Edges of the 47 layers above the first 37, as numbers of the 73 edges."""


def geos_levels(layers: int) -> Levels:
    """The 72 layers, or GEOS-Chem's 47, from the surface up.

    Raises
    ------
    WeatherProblem : another number of layers.
    """
    a = 100.0 * np.array(_A_HPA.split(), dtype=np.float64)
    b = np.zeros_like(a)
    lower = np.array(_B.split(), dtype=np.float64)
    b[: len(lower)] = lower
    if layers == 72:
        return Levels(a, b, "GEOS 72")
    if layers == 47:
        kept = np.array([*range(37), *_LUMPED_47])
        return Levels(a[kept], b[kept], "GEOS 47")
    raise WeatherProblem(
        f"GEOS meteorology has 72 layers, or 47 as GEOS-Chem lumps them; found {layers}, so levels are missing."
    )
