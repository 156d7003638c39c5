"""Rotation over the poles, bells that cross a refinement, and DCMIP 2012's three-dimensional flows."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.grids import Box, refined, uniform
from tests.analysis.transport.known_flows import (
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


def test_rotation_over_the_poles() -> None:
    outcome = carry_round(uniform("1.5x1.5"), rotation, 100)
    assert outcome.l2[0] <= 0.0005 and outcome.l2[1] <= 0.0025


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
    assert found[1].l2[0] < 0.6 * found[0].l2[0] < 0.42
    for outcome in found:
        assert np.abs(outcome.mass_change).max() < 1e-13 and outcome.air_change < 1e-12


def test_dcmip_1_2_converges_at_second_order() -> None:
    found = [
        carry_3d(grid, levels, hadley, layer_3d(grid, levels), 86400.0, steps)
        for grid, levels, steps in ((uniform("60x3"), dcmip_levels(30), 48), (uniform("60x1.5"), dcmip_levels(60), 96))
    ]
    assert np.log2(found[0].l2[0] / found[1].l2[0]) >= 2.0
    assert found[1].l2[0] <= 0.04
    for outcome in found:
        assert np.abs(outcome.mass_change).max() < 1e-13 and outcome.air_change < 1e-12
