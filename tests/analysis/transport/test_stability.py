"""Noise must not grow in the vertical, however layers widen towards the ends: eigenvalues of a sweep stay within one."""

import numpy as np
import pytest

from analysis.grids import Levels, ecmwf_levels
from analysis.transport.reconstruction import PPM, SLOPES, level_table, surface_bin
from analysis.transport.sweeps import Lines, sweep
from analysis.transport.team import Team

SURFACE_PA = 98_325.0


def operator(levels: Levels, scheme: str, courant: float) -> np.ndarray:
    """(lev, lev) what one vertical sweep makes of mixing ratios in a uniform updraught."""
    air, n = levels.layer_mass(np.array(SURFACE_PA)), levels.count
    flux = np.zeros((n + 1, 1, 1))
    flux[1:-1, 0, 0] = courant * np.minimum(air[1:], air[:-1])
    after = air[:, None, None].copy()
    tracers = np.ascontiguousarray((np.eye(n) * air[:, None])[:, None, None, :])
    table = level_table(levels, scheme)[surface_bin(np.array([SURFACE_PA]))]
    sweep(Team(), Lines.z((n, 1, 1)), tracers, after, flux, 1.0, table, np.zeros(1, np.int64))
    return tracers[:, 0, 0] / after[:, 0]


@pytest.mark.parametrize("count", [25, 34])
@pytest.mark.parametrize("scheme", [PPM, SLOPES])
@pytest.mark.parametrize("courant", [0.1, 0.4, -0.1, -0.4])
def test_no_eigenvalue_of_the_vertical_sweep_exceeds_one(count, scheme, courant):
    assert np.abs(np.linalg.eigvals(operator(ecmwf_levels(count), scheme, courant))).max() < 1 + 1e-9


@pytest.mark.parametrize("count", [25, 34])
@pytest.mark.parametrize("courant", [0.01, 0.1, 0.4])
def test_up_and_down_again_does_not_grow(count, courant):
    # a lone updraught of a hundredth of a layer a step lets waves grow by less than a per mille; there and back they do not
    there, back = (operator(ecmwf_levels(count), PPM, sign * courant) for sign in (1, -1))
    assert np.abs(np.linalg.eigvals(there)).max() < 1.001
    assert np.abs(np.linalg.eigvals(back @ there)).max() < 1.001


def test_layers_that_widen_suddenly_would_grow_with_parabolas(monkeypatch):
    from analysis.transport import reconstruction

    monkeypatch.setattr(reconstruction, "MOST_STRETCH", 100.0)
    assert np.abs(np.linalg.eigvals(operator(ecmwf_levels(25), PPM, 0.1))).max() > 1.02
