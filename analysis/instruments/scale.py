"""The two WMO calibration scales of CO2 that files carry side by side. The simulated world is on X2019."""

from __future__ import annotations

import numpy as np


def x2007_from_x2019(ppm: np.ndarray) -> np.ndarray:
    """X2019 = 1.00079 X2007 - 0.142 ppm (Hall et al. 2021, doi 10.5194/amt-14-3015-2021), inverted."""
    return (ppm + 0.142) / 1.00079
