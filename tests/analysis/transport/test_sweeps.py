"""The kernels against a readable reference, and what they must never do."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.grids import Grid, ecmwf_levels, uniform
from analysis.transport import reconstruction
from analysis.transport.reconstruction import LEFT, MEAN, RIGHT, edge_table
from analysis.transport.step import SHARED_TABLE
from analysis.transport.sweeps import Lines, sweep
from analysis.transport.team import Team
from tests.conftest import CHECKOUT


def one_line(rm: np.ndarray, m: np.ndarray, air: np.ndarray, table: np.ndarray, periodic: bool) -> np.ndarray:
    """Tracer mass after a sweep along one line, written as in the papers."""
    n, q = len(m), rm / m
    through = np.zeros(n + 1)
    for face in range(0 if periodic else 1, n):
        step = -1 if air[face] > 0 else 1
        cell, rest, sign = (face - 1 if step < 0 else face) % n, abs(air[face]), -step
        while rest > m[cell]:
            through[face] += sign * rm[cell]
            rest -= m[cell]
            cell = (cell + step) % n
        a = rest / m[cell]
        start = cell - 2 if periodic else min(max(cell - 2, 0), n - 5)
        window = q[np.arange(start, start + 5) % n]
        left, right = table[cell, LEFT, :5] @ window, table[cell, RIGHT, :5] @ window
        near, far = (right, left) if step < 0 else (left, right)
        bend = 6 * (q[cell] - (left + right) / 2)
        through[face] += sign * rest * (near + a / 2 * (far - near + bend * (1 - 2 / 3 * a)))
    if periodic:
        through[n] = through[0]
    return rm + through[:-1] - through[1:]


SHAPE = (6, 9, 14)
GRID = Grid(np.linspace(-180, 180, 15), np.array([-90, -75, -58, -40, -20, 3, 20, 41, 66, 90]))


def case(direction: str, strength: float, tracers: int, dtype: type, seed: int = 0):
    """Masses, fluxes and table of a random case; `strength` is about the largest Courant number."""
    rng = np.random.default_rng(seed)
    m = rng.uniform(0.8, 1.2, SHAPE)
    rm = rng.uniform(0, 1, (*SHAPE, tracers)).astype(dtype)
    nz, ny, nx = SHAPE
    if direction == "x":
        flux = strength * rng.choice([-1, 1], (nz, ny, 1)) + rng.uniform(-0.3, 0.3, SHAPE)
        return Lines.x(SHAPE), rm, m, flux, reconstruction.longitude_table(GRID, "ppm")
    size = (nz, ny + 1, nx) if direction == "y" else (nz + 1, ny, nx)
    axis = "xyz"[::-1].index(direction)
    n = size[axis]
    bump = np.sin(np.linspace(0, np.pi, n)).reshape([-1 if a == axis else 1 for a in range(3)])
    flux = strength * bump * rng.uniform(-1, 1, [1 if a == axis else size[a] for a in range(3)])
    if direction == "y":
        return Lines.y(SHAPE), rm, m, flux, reconstruction.latitude_table(GRID, "ppm")
    table = np.stack([edge_table(np.array([0.0, 1, 2.5, 4, 5, 7, 8]), "ppm", periodic=False)] * 2)
    return Lines.z(SHAPE), rm, m, flux, table


def lines_of(values: np.ndarray, direction: str) -> np.ndarray:
    return np.moveaxis(values, "zyx".index(direction), -1).reshape(-1, values.shape["zyx".index(direction)])


@pytest.mark.parametrize("direction", "xyz")
@pytest.mark.parametrize("strength", [0.3, 0.9, 3.0])
@pytest.mark.parametrize("tracers", [1, 50])
def test_sweeps_do_what_the_papers_say(direction: str, strength: float, tracers: int) -> None:
    lines, rm, m, flux, table = case(direction, strength if direction == "x" else strength / 3, tracers, np.float64)
    bins = np.arange(9 * 14) % 2 if direction == "z" else SHARED_TABLE
    before, air = rm.copy(), m.copy()
    with Team(2) as team:
        sweep(team, lines, rm, m, flux, 1.0, table, bins)
    periodic = direction == "x"
    closed = np.concatenate([flux, flux[:, :, :1]], axis=2) if periodic else flux.copy()
    if not periodic:
        ends = [slice(None)] * 3
        for end in (0, -1):
            ends["zyx".index(direction)] = end
            closed[tuple(ends)] = 0.0
    for tracer in {0, tracers - 1}:
        found, old = lines_of(rm[..., tracer], direction), lines_of(before[..., tracer], direction)
        masses, fluxes = lines_of(air, direction), lines_of(closed, direction)
        expected = [one_line(o, mass, f, table[0], periodic) for o, mass, f in zip(old, masses, fluxes, strict=True)]
        np.testing.assert_allclose(found, expected, atol=5e-15)
    np.testing.assert_allclose(lines_of(m, direction), masses + fluxes[:, :-1] - fluxes[:, 1:], atol=1e-15)


@pytest.mark.parametrize("direction", "xyz")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("strength", [0.3, 2.0])
def test_a_tracer_does_not_know_how_many_others_there_are(direction: str, dtype: type, strength: float) -> None:
    lines, rm, m, flux, table = case(direction, strength if direction == "x" else strength / 3, 150, dtype)
    alone, air = rm[..., 7:8].copy(), m.copy()
    with Team(2) as team:
        sweep(team, lines, rm, m, flux, 1.0, table, SHARED_TABLE)
    with Team(1) as team:
        sweep(team, lines, alone, air, flux, 1.0, table, SHARED_TABLE)
    assert np.array_equal(alone[..., 0], rm[..., 7]) and np.array_equal(air, m)


@pytest.mark.parametrize("direction", "xyz")
def test_superposition_and_mass(direction: str) -> None:
    lines, rm, m, flux, table = case(direction, 0.6, 3, np.float64)
    rm[..., 2] = 2 * rm[..., 0] - 5 * rm[..., 1]
    before = rm.sum(axis=(0, 1, 2))
    with Team(1) as team:
        sweep(team, lines, rm, m, flux, 1.0, table, SHARED_TABLE)
    np.testing.assert_allclose(rm[..., 2], 2 * rm[..., 0] - 5 * rm[..., 1], atol=1e-13)
    np.testing.assert_allclose(rm.sum(axis=(0, 1, 2)), before, rtol=1e-13)


@pytest.mark.parametrize("direction", "xyz")
def test_the_monotone_scheme_makes_no_new_extrema(direction: str) -> None:
    lines, rm, m, flux, table = case(direction, 0.6, 4, np.float64)
    q = np.random.default_rng(3).choice([0.0, 1.0], rm.shape)
    rm, before = q * m[..., None], (q * m[..., None]).sum(axis=(0, 1, 2))
    with Team(2) as team:
        sweep(team, lines, rm, m, flux, 1.0, table, SHARED_TABLE, monotone=True)
    after = rm / m[..., None]
    assert after.min() >= -1e-12 and after.max() <= 1 + 1e-12
    np.testing.assert_allclose(rm.sum(axis=(0, 1, 2)), before, rtol=1e-13)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 33]), st.sampled_from("xyz"), st.floats(0, 4))
@settings(max_examples=40)
def test_a_uniform_tracer_stays_uniform_whatever_the_flux(
    seed: int, tracers: int, direction: str, strength: float
) -> None:
    lines, rm, m, flux, table = case(
        direction, strength if direction == "x" else strength / 3, tracers, np.float64, seed
    )
    after = m.copy()
    with Team(1) as team:
        sweep(team, lines, np.empty((*SHAPE, 0)), after, flux, 1.0, table, SHARED_TABLE)
        if after.min() < 0.05:
            return
        rm[:] = 3 * m[..., None]
        sweep(team, lines, rm, m, flux, 1.0, table, SHARED_TABLE)
    np.testing.assert_allclose(rm / m[..., None], 3.0, rtol=1e-13)
    assert np.array_equal(after, m)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(
    ("scheme", "edges", "degree"),
    [
        ("ppm", np.linspace(0.0, 9.0, 10), 3),
        ("ppm", np.array([0.0, 1, 2.2, 3.0, 4.5, 5, 6.1, 7, 8.3, 9]), 2),  # widths change: three cells take part
        ("slopes", np.array([0.0, 1, 2.2, 3.0, 4.5, 5, 6.1, 7, 8.3, 9]), 1),
    ],
)
def test_reconstructions_are_exact_for_polynomials(periodic: bool, scheme: str, edges: np.ndarray, degree: int) -> None:
    function = np.polynomial.Polynomial([1.0, -0.5, 0.3, 0.1]).cutdeg(degree)
    means = np.diff(function.integ()(edges)) / np.diff(edges)
    table = edge_table(edges, scheme, periodic=periodic)
    for cell in range(3, 6) if periodic else range(9):
        window = means[np.arange(5) + (cell - 2 if periodic else min(max(cell - 2, 0), 4))]
        assert table[cell, LEFT, :5] @ window == pytest.approx(function(edges[cell]))
        assert table[cell, RIGHT, :5] @ window == pytest.approx(function(edges[cell + 1]))
    np.testing.assert_allclose(table.sum(axis=2), 1.0, atol=1e-12)


def test_vertical_tables_fit_the_surface_pressure() -> None:
    levels = ecmwf_levels(25)
    table = reconstruction.level_table(levels, "ppm")
    surface = 87_260.0
    exact = edge_table(levels.edge_pressure(np.array(surface)), "ppm", periodic=False)
    assert np.abs(table[reconstruction.surface_bin(np.array(surface))] - exact).max() < 3e-3


def test_meridional_table_weighs_by_area() -> None:
    grid = uniform("6x4")
    field = np.sin(np.radians(grid.lat_edges))
    # Means over cells of sin^2(lat): the integral of s^2 over s, s the sine.
    means = np.diff(field**3 / 3) / np.diff(field)
    table = reconstruction.latitude_table(grid, "ppm")[0]
    for row in range(2, 43):
        assert table[row, LEFT, :5] @ means[row - 2 : row + 3] == pytest.approx(field[row] ** 2, abs=1e-5)
    for pole in (0, -1):  # uniform: whatever lies beside them
        assert np.array_equal(table[pole, LEFT], table[pole, MEAN])
        assert np.array_equal(table[pole, RIGHT], table[pole, MEAN])


def test_sweeps_run_in_many_threads_of_a_server_at_once() -> None:
    """In a process of its own: numba's layers would end it."""
    program = (
        "import threading, sys\n"
        "from tests.analysis.transport.test_sweeps import together\n"
        "threads = [threading.Thread(target=together, args=(seed,)) for seed in range(6)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print('fine')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0 and "fine" in done.stdout, done.stderr


def together(seed: int) -> None:
    """All sweeps a few times, with two threads each."""
    assert threading.current_thread() is not threading.main_thread()
    with Team(2) as team:
        for direction in "xyz" * 3:
            lines, rm, m, flux, table = case(direction, 0.3, 5, np.float32, seed)
            sweep(team, lines, rm, m, flux, 1.0, table, SHARED_TABLE)


def test_a_team_passes_errors_on_and_covers_all_work_once() -> None:
    seen = np.zeros(37, dtype=int)

    def count(first: int, last: int) -> None:
        seen[first:last] += 1

    def fail(first: int, last: int) -> None:
        raise ArithmeticError("on purpose")

    with Team(3) as team:
        team.share(count, 37)
        assert (seen == 1).all()
        team.share(count, 0)
        with pytest.raises(ArithmeticError):
            team.share(fail, 37)
    with pytest.raises(ValueError):
        Team(0)
