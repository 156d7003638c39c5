"""Fossil CO2 in the made-up weather goes where it goes in the real one; the steady difference takes two years (bench transport)."""

import numpy as np

from analysis.grids import ecmwf_levels, uniform
from tests.analysis.weather.fossil_years import fossil_years


def test_fossil_co2_stays_low_and_north_before_it_mixes():
    grid = uniform("12x10")
    found = fossil_years(grid, ecmwf_levels(25), 40, longest=10_800.0)
    assert 0.85 < found.northern_share < 0.97
    assert found.surface_ppm > 2 * found.air_ppm > 0
    bands = [found.zonal[:, (grid.lat >= south) & (grid.lat < south + 30)].mean(axis=1) for south in range(-90, 90, 30)]
    southern, northern = bands[1], bands[4]
    assert np.argmax([band[0] for band in bands]) in (3, 4)
    assert northern[0] > bands[2][0] > southern[0]
    assert northern[0] > northern[10] > northern[-1]
    # nothing is in the stratosphere yet, so all of it there is the mean missing
    assert abs(bands[0][-1] - bands[5][-1]) < 0.01 * found.surface_ppm
