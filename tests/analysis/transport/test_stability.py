"""Noise must not grow in the vertical, however layers widen towards the ends: eigenvalues of a sweep stay within one."""

import numpy as np
import pytest

from analysis.grids import Levels, ecmwf_levels
from analysis.transport.reconstruction import PPM, SLOPES, edge_table
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
    table = edge_table(levels.edge_pressure(np.array(SURFACE_PA)), scheme, periodic=False)[None]
    sweep(Team(1), Lines.z((n, 1, 1)), tracers, after, flux, 1.0, table, np.zeros(1, np.int64))
    return tracers[:, 0, 0] / after[:, 0]


COURANT = [sign * size for sign in (1, -1) for size in (0.001, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8)]


def growing(ratio: float) -> Levels:
    """25 layers, each `ratio` times as thick as the one below."""
    edges = np.concatenate([[0.0], np.cumsum(ratio ** np.arange(25.0))])
    b = 1.0 - edges / edges[-1]
    return Levels(np.zeros(26), b, f"growing by {ratio:g}")


@pytest.mark.parametrize("levels", [ecmwf_levels(25), ecmwf_levels(34), ecmwf_levels(60)], ids=["25", "34", "60"])
@pytest.mark.parametrize("scheme", [PPM, SLOPES])
def test_no_eigenvalue_of_the_vertical_sweep_exceeds_one(levels, scheme):
    for courant in COURANT:
        assert np.abs(np.linalg.eigvals(operator(levels, scheme, courant))).max() < 1 + 1e-9


@pytest.mark.parametrize("ratio", [1.0, 1.02, 1.06, 1.15, 1.3])
def test_nor_on_layers_that_grow_steadily(ratio):
    for courant in COURANT:
        assert np.abs(np.linalg.eigvals(operator(growing(ratio), PPM, courant))).max() < 1 + 1e-9


def test_without_damping_noise_would_grow(monkeypatch):
    from analysis.transport import reconstruction

    monkeypatch.setattr(reconstruction, "DAMPING", 0.0)
    assert np.abs(np.linalg.eigvals(operator(ecmwf_levels(25), PPM, 0.1))).max() > 1.02
    assert np.abs(np.linalg.eigvals(operator(ecmwf_levels(60), PPM, 0.1))).max() > 1.004
