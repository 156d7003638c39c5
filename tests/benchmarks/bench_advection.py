"""Advection on the sphere: error and time of our schemes and of PyMPDATA in the same deforming flow.

Lauritzen et al. 2012, non-divergent case 4: Gaussian hills (gh), cosine bells (cb), slotted cylinders (sc) on regular
grids, normalised l2 errors after one period. Keys without a scheme are those of PPM, the default; seconds are for all
three tracers and the whole period. Each scheme takes the steps that suit it: ours a fixed number for a resolution (also
with about twice as many, keys with `short`, as in the reference's table), PyMPDATA what its Courant limit asks for.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from analysis.grids import EARTH_RADIUS_M, Grid, uniform
from analysis.transport.stream import horizontal
from analysis.transport.team import Team
from tests.analysis.transport.known_flows import (
    PERIOD,
    bells_3d,
    carry_3d,
    carry_round,
    dcmip_levels,
    deformation,
    deforming_3d,
    l2,
    rotation,
    shapes,
)
from tests.benchmarks import Figure

SHAPES = ("gh", "cb", "sc")
STEPS = {3.0: 50, 1.5: 100, 0.75: 200}
SHORT_STEPS = {3.0: 112, 1.5: 225, 0.75: 450}
MPDATA_STEPS = {3.0: 800, 1.5: 1600, 0.75: 3200}


def run(quick: bool) -> dict[str, Figure]:
    """Keys: {gh,cb,sc}_l2_DEGREES and seconds_DEGREES, alone (ppm) and with ppm_mono_, slopes_, short_ and pympdata_
    before them, for 3, 1.5 and 0.75; gh_order; rotation_cb_l2_1.5 (over the poles); dcmip_1_1_l2_DEGREES and its order.
    """
    resolutions = [3.0] if quick else [3.0, 1.5, 0.75]
    figures: dict[str, Figure] = {}
    for degrees in resolutions:
        grid = uniform(f"{degrees:g}x{degrees:g}")
        initial = shapes(grid)
        for prefix, scheme, steps in (
            ("", "ppm", STEPS),
            ("short_", "ppm", SHORT_STEPS),
            ("ppm_mono_", "ppm_mono", STEPS),
            ("slopes_", "slopes", STEPS),
        ):
            carry_round(uniform("12x12"), deformation, 1, scheme=scheme)  # compiled before it is timed
            start = perf_counter()
            found = carry_round(grid, deformation, steps[degrees], scheme=scheme, initial=initial, team=Team())
            _note(figures, prefix, degrees, found.l2, perf_counter() - start)
        errors, seconds = mpdata(grid, initial, MPDATA_STEPS[degrees])
        _note(figures, "pympdata_", degrees, errors, seconds)
    if not quick:
        figures["gh_order"] = Figure(float(np.log2(figures["gh_l2_1.5"].value / figures["gh_l2_0.75"].value)), "order")
        figures["short_gh_order"] = Figure(
            float(np.log2(figures["short_gh_l2_1.5"].value / figures["short_gh_l2_0.75"].value)), "order"
        )
        over_poles = carry_round(uniform("1.5x1.5"), rotation, 100).l2[1]
        figures["rotation_cb_l2_1.5"] = Figure(float(over_poles), "l2")
        _dcmip(figures)
    return figures


def mpdata(grid: Grid, initial: np.ndarray, steps: int) -> tuple[np.ndarray, float]:
    """l2 errors and seconds of PyMPDATA (three passes), one field after the other, compilation not counted; one thread,
    because two took longer. Cells are 1 large on average: it adds small constants, and on areas in steradians they spoil its
    corrections. More of its options (third-order terms, infinite gauge) end in NaN with its polar boundary."""
    from PyMPDATA import Options, ScalarField, Solver, Stepper, VectorField
    from PyMPDATA.boundary_conditions import Constant, Periodic, Polar
    from PyMPDATA.impl.enumerations import INNER, OUTER

    unit = grid.area.mean() / EARTH_RADIUS_M**2
    area = grid.area / grid.area.mean()
    seconds_a_step = PERIOD / steps
    options = Options(n_iters=3, dynamic_advector=True)
    stepper = Stepper(options=options, grid=grid.shape, non_unit_g_factor=True, n_threads=1)
    scalar = (Polar(grid=grid.shape, longitude_idx=INNER, latitude_idx=OUTER), Periodic())
    rows, columns = grid.shape
    still = (np.zeros((rows + 1, columns)), np.zeros((rows, columns + 1)))
    # one solver for all fields: each new one is compiled for a minute
    solver = Solver(
        stepper=stepper,
        advectee=ScalarField(initial[..., 0].copy(), options.n_halo, scalar),
        advector=VectorField(still, options.n_halo, (Constant(0), Periodic())),
        g_factor=ScalarField(area.copy(), options.n_halo, scalar),
    )
    solver.advance(1)  # compiles; nothing moves
    errors, elapsed = [], 0.0
    for number in range(initial.shape[-1]):
        solver.advectee.get()[:] = initial[..., number]
        start = perf_counter()
        for step in range(steps):
            x, y = horizontal(grid, deformation((step + 0.5) * seconds_a_step))
            solver.advector.get_component(0)[:] = y * (seconds_a_step / unit)
            solver.advector.get_component(1)[:] = np.concatenate([x, x[:, :1]], axis=1) * (seconds_a_step / unit)
            solver.advance(1)
        elapsed += perf_counter() - start
        errors.append(l2(solver.advectee.get()[..., None], initial[..., number : number + 1], area)[0])
    return np.array(errors), elapsed


def _note(figures: dict[str, Figure], prefix: str, degrees: float, errors: np.ndarray, seconds: float) -> None:
    for name, error in zip(SHAPES, errors, strict=True):
        figures[f"{prefix}{name}_l2_{degrees:g}"] = Figure(float(error), "l2")
    figures[f"{prefix}seconds_{degrees:g}"] = Figure(seconds, "s")


def _dcmip(figures: dict[str, Figure]) -> None:
    """DCMIP 1-1: the whole depth deforms for twelve days and comes back."""
    errors = []
    for degrees, layers, steps in ((3.0, 30, 72), (1.5, 60, 144)):
        grid, levels = uniform(f"{degrees:g}x{degrees:g}"), dcmip_levels(layers)
        found = carry_3d(grid, levels, deforming_3d, bells_3d(grid, levels), 12 * 86_400.0, steps, team=Team())
        errors.append(float(found.l2[0]))
        figures[f"dcmip_1_1_l2_{degrees:g}"] = Figure(errors[-1], "l2")
    figures["dcmip_1_1_order"] = Figure(float(np.log2(errors[0] / errors[1])), "order")
