"""Flows that bring everything back: errors against published ones (reference 4.1, 4.2), at the resolutions of the papers.

The published l2 errors at 1.5 degrees, Gaussian hills / cosine bells / slotted cylinders: .0993 / .214 / .380 (MPDATA with
flux correction), here .0255 / .084 / .278 at the same number of steps.
"""

from __future__ import annotations

import numpy as np
import pytest

from analysis.grids import uniform
from tests.analysis.transport.known_flows import (
    Outcome,
    carry_round,
    deformation,
    shapes,
)


@pytest.fixture(scope="module")
def at_1_5() -> Outcome:
    return carry_round(uniform("1.5x1.5"), deformation, 225)


def test_deformation_at_1_5_degrees(at_1_5: Outcome) -> None:
    hills, bells, cylinders = at_1_5.l2
    assert hills <= 0.026 and bells <= 0.09 and cylinders <= 0.30
    assert np.abs(at_1_5.mass_change).max() < 1e-13 and at_1_5.air_change < 1e-11


def test_deformation_at_0_75_degrees_and_its_order() -> None:
    coarse = carry_round(uniform("1.5x1.5"), deformation, 100).l2
    fine = carry_round(uniform("0.75x0.75"), deformation, 200).l2
    assert fine[0] <= 0.003 and fine[1] <= 0.016 and fine[2] <= 0.30
    assert np.log2(coarse[0] / fine[0]) >= 2.8


def test_monotone_deformation_at_1_5_degrees() -> None:
    grid = uniform("1.5x1.5")
    initial = shapes(grid)
    outcome = carry_round(grid, deformation, 225, scheme="ppm_mono", initial=initial)
    assert outcome.l2[1] <= 0.155
    for number in range(3):
        assert outcome.field[..., number].min() >= initial[..., number].min() - 1e-12
        assert outcome.field[..., number].max() <= initial[..., number].max() + 1e-12
    assert np.abs(outcome.mass_change).max() < 1e-13


def test_slopes_at_1_5_degrees(at_1_5: Outcome) -> None:
    outcome = carry_round(uniform("1.5x1.5"), deformation, 225, scheme="slopes")
    assert outcome.l2[0] <= 0.095 and outcome.l2[1] <= 0.21
    assert (at_1_5.l2 < outcome.l2).all()


def test_long_steps_are_better_not_worse(at_1_5: Outcome) -> None:
    """Courant numbers reach 2 a sweep: whole cells are passed on exactly."""
    outcome = carry_round(uniform("1.5x1.5"), deformation, 100)
    assert (outcome.l2 < at_1_5.l2).all()


def test_single_precision_is_as_good(at_1_5: Outcome) -> None:
    outcome = carry_round(uniform("1.5x1.5"), deformation, 225, dtype=np.float32)
    np.testing.assert_allclose(outcome.l2, at_1_5.l2, rtol=1e-4)
    assert np.abs(outcome.mass_change).max() < 1e-6
