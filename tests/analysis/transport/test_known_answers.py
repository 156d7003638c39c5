"""Flows that bring everything back: errors against published ones (reference 4.1, 4.2), at the resolutions of the papers.

The published l2 errors at 1.5 degrees, Gaussian hills / cosine bells / slotted cylinders: .0993 / .214 / .380 (MPDATA with
flux correction), here .0255 / .084 / .278 at the same number of steps.
"""

from __future__ import annotations

import numpy as np
import pytest

from analysis.grids import Box, refined, uniform
from tests.analysis.transport.known_flows import (
    Outcome,
    bells_3d,
    carry_3d,
    carry_round,
    dcmip_levels,
    deformation,
    deforming_3d,
    hadley,
    layer_3d,
    rotation,
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


def test_rotation_over_the_poles() -> None:
    outcome = carry_round(uniform("1.5x1.5"), rotation, 100)
    assert outcome.l2[0] <= 0.0005 and outcome.l2[1] <= 0.0025


def test_single_precision_is_as_good(at_1_5: Outcome) -> None:
    outcome = carry_round(uniform("1.5x1.5"), deformation, 225, dtype=np.float32)
    np.testing.assert_allclose(outcome.l2, at_1_5.l2, rtol=1e-4)
    assert np.abs(outcome.mass_change).max() < 1e-6


@pytest.mark.parametrize("box", [Box(60, 150, -12, 55), Box(100, 260, -35, 35)])
def test_a_bell_that_crosses_the_refinement_loses_nothing_against_the_coarse_grid(box: Box) -> None:
    for flow, centres in ((deformation, (150.0, 210.0)), (rotation, (105.0, 170.0))):
        coarse, fine = (
            carry_round(grid, flow, 100, initial=shapes(grid, lon=centres)).l2
            for grid in (uniform("3x2"), refined(box))
        )
        assert (fine[:2] <= coarse[:2]).all()


def test_without_refinement_the_refined_grid_is_the_uniform_one() -> None:
    plain = uniform("3x2")
    same = refined(Box(-180, -60, -90, 90), fine=2, coarse=(2, 2))
    assert same.shape == (90, 180)
    np.testing.assert_allclose(
        carry_round(same, deformation, 20).l2, carry_round(uniform("2x2"), deformation, 20).l2, rtol=1e-9
    )
    assert plain.same(uniform("3x2"))


def test_dcmip_1_1_converges() -> None:
    days = 12 * 86400.0
    found = [
        carry_3d(grid, levels, deforming_3d, bells_3d(grid, levels), days, steps)
        for grid, levels, steps in ((uniform("6x6"), dcmip_levels(15), 36), (uniform("3x3"), dcmip_levels(30), 72))
    ]
    assert found[1].l2[0] < 0.6 * found[0].l2[0] < 0.4
    for outcome in found:
        assert np.abs(outcome.mass_change).max() < 1e-13 and outcome.air_change < 1e-12


def test_dcmip_1_2_converges_at_second_order() -> None:
    found = [
        carry_3d(grid, levels, hadley, layer_3d(grid, levels), 86400.0, steps)
        for grid, levels, steps in ((uniform("60x3"), dcmip_levels(30), 48), (uniform("60x1.5"), dcmip_levels(60), 96))
    ]
    assert np.log2(found[0].l2[0] / found[1].l2[0]) >= 2.0
    assert found[1].l2[0] <= 0.035
    for outcome in found:
        assert np.abs(outcome.mass_change).max() < 1e-13 and outcome.air_change < 1e-12
