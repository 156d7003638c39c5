"""The transport engine: updates a second of each sweep beside the memory's copy speed, and what a year takes.

Rates are in 1e9 tracer values updated a second; `share` is what these move (each value read and written once, 8 bytes)
as part of a plain copy's bandwidth with as many threads. Years are steps timed on each grid in made-up weather, times
the number of steps in a year; reading meteorology and writing results are not in them. Numbers of steps follow from the
winds: at most one an hour, fewer where the air allows none so long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from analysis.grids import Grid, Levels, ecmwf_levels, refined, uniform
from analysis.transport import reconstruction
from analysis.transport.boundary_layer import exchange, typical
from analysis.transport.fluxes import MassFluxes, air_mass
from analysis.transport.mixing import Diffusion
from analysis.transport.step import LONGEST_STEP_S, State, Transport, steps_needed
from analysis.transport.team import Team
from tests.analysis.transport.known_flows import weather
from tests.analysis.weather.fossil_years import fossil_years
from tests.benchmarks import Figure

CHECKOUT = Path(__file__).resolve().parents[2]
INTERVAL_S = 10_800.0
"""Mass fluxes are constant over three hours."""

STEP_PROGRAM = """
import time
start = time.perf_counter()
import numpy as np
from analysis.grids import ecmwf_levels, uniform
from analysis.transport.fluxes import MassFluxes, air_mass
from analysis.transport.mixing import Convection, Diffusion
from analysis.transport.step import State, Transport
from analysis.transport.team import Team
grid, levels = uniform("6x4"), ecmwf_levels(25)
air = air_mass(grid, levels, np.full(grid.shape, 98000.0))
still = MassFluxes(np.zeros_like(air), np.zeros((25, 46, 60)), np.zeros((26, 45, 60)))
nothing = np.zeros_like(air)
with Team() as team:
    mixing = [Diffusion(nothing[:-1], team), Convection(nothing, nothing, nothing, nothing, team)]
    Transport(grid, levels, team=team).step(State.of(np.ones((*air.shape, 5)), air), still, 3600.0, mixing)
print(time.perf_counter() - start)
"""

MEMORY_PROGRAM = """
import resource, sys
from pathlib import Path
import numpy as np
from analysis.grids import ecmwf_levels, uniform
from analysis.transport.fluxes import air_mass
from analysis.transport.boundary_layer import exchange, typical
from analysis.transport.mixing import Diffusion
from analysis.transport.step import State, Transport
from analysis.transport.team import Team
from tests.analysis.transport.known_flows import weather

def step(grid, levels, tracers):
    air = air_mass(grid, levels, np.full(grid.shape, 98000.0))
    state = State(np.zeros((*air.shape, tracers), dtype=np.float32), air)
    state.tracer_mass += 1
    with Team() as team:
        surface = np.full(grid.shape, 98000.0)
        mixing = [Diffusion(exchange(grid, levels, surface, typical(grid, np.ones(grid.shape), 180, 12.0)), team)]
        Transport(grid, levels, team=team).step(state, weather(grid, levels, 1.5), 10800.0, mixing)
    return state.tracer_mass.nbytes

def peak():
    status = Path("/proc/self/status")  # getrusage would count what the parent used before it started this program
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

step(uniform("6x4"), ecmwf_levels(34), 5)
before = peak()
used = step(uniform(sys.argv[1]), ecmwf_levels(34), int(sys.argv[2]))
print((peak() - before) / used)
"""


def run(quick: bool) -> dict[str, Figure]:
    """Keys: copy_gb_s; for 48 and 150 tracers x, y, z, diffuse _gups_N and _share_N; numpy_x_gups; year_3x2_h,
    year_refined_h, year_global1_h and steps a day of each; memory_copies; compile_s, start_s; threads; and, not with
    `quick`, interhemispheric_ppm and exchange_time_yr of fossil CO2 (`fossil_years`) with the seconds it takes. `quick`
    means fewer runs of the same cases.
    """
    runs = 2 if quick else 5
    levels = ecmwf_levels(34)
    with Team() as team:
        copied = copy_bandwidth(team, runs)
        figures = {"threads": Figure(team.threads, "threads"), "copy_gb_s": Figure(copied, "GB/s", runs)}
        grid = uniform("3x2")
        for tracers in (48, 150):
            for name, rate in kernel_rates(grid, levels, tracers, team, runs).items():
                figures[f"{name}_gups_{tracers}"] = Figure(rate, "Gupdates/s", runs)
                figures[f"{name}_share_{tracers}"] = Figure(rate * 8 / copied, "of copy", runs)
        figures["numpy_x_gups"] = Figure(numpy_rate(grid, 48, runs), "Gupdates/s", runs)
        years = {
            "3x2": (grid, levels, 150),
            "refined": (refined(), levels, 150),
            "global1": (uniform("1x1"), ecmwf_levels(25), 5),
        }
        for name, (where, layers, tracers) in years.items():
            seconds, a_day = year(where, layers, tracers, team, 1 if quick else runs)
            figures[f"year_{name}_h"] = Figure(seconds / 3600, "h", 1 if quick else runs)
            figures[f"year_{name}_steps_a_day"] = Figure(a_day, "steps")
        if not quick:
            figures |= interhemispheric(team)
    figures["memory_copies"] = Figure(float(_answer(MEMORY_PROGRAM, "3x2", "150")), "copies")
    with tempfile.TemporaryDirectory(prefix="carbonweather-bench-") as cache:
        first, *later = (float(_answer(STEP_PROGRAM, cache=cache)) for _ in range(1 + runs))
    figures["compile_s"] = Figure(first, "s")
    figures["start_s"] = Figure(median(later), "s", runs)
    return figures


def interhemispheric(team: Team) -> dict[str, Figure]:
    """Fossil CO2 of two years in the made-up weather: what the second year says."""
    start = perf_counter()
    found = fossil_years(uniform("6x4"), ecmwf_levels(25), 730, team, longest=7200.0)
    return {
        "interhemispheric_ppm": Figure(found.surface_ppm, "ppm"),
        "exchange_time_yr": Figure(found.surface_exchange_yr, "years"),
        "fossil_two_years_s": Figure(perf_counter() - start, "s"),
    }


def copy_bandwidth(team: Team, runs: int) -> float:
    """GB/s read and written by copying 400 MB with all threads, the best of `runs`."""
    source = np.ones(100_000_000, dtype=np.float32)
    target = np.zeros_like(source)

    def copy(first: int, last: int) -> None:
        np.copyto(target[first * 1000 : last * 1000], source[first * 1000 : last * 1000])

    return 2 * source.nbytes / 1e9 / min(_seconds(lambda: team.share(copy, 100_000)) for _ in range(runs + 2))


def kernel_rates(grid: Grid, levels: Levels, tracers: int, team: Team, runs: int) -> dict[str, float]:
    """1e9 updates a second of each sweep and of diffusion, medians."""
    state, fluxes, diffusion = _case(grid, levels, tracers, team)
    transport = Transport(grid, levels, team=team)
    transport.step(state, fluxes, 600.0, [diffusion])
    works: dict[str, Callable[[], object]] = {
        "x": lambda: transport.sweep("x", state, fluxes, 600.0),
        "y": lambda: transport.sweep("y", state, fluxes, 600.0),
        "z": lambda: transport.sweep("z", state, fluxes, 600.0),
        "diffuse": lambda: diffusion(state, 600.0),
    }
    rates = {}
    for name, work in works.items():
        air = state.air_mass.copy()
        times = []
        for _ in range(runs):
            state.air_mass[:] = air
            times.append(_seconds(work))
        state.air_mass[:] = air
        rates[name] = state.tracer_mass.size / median(times) / 1e9
    return rates


def year(grid: Grid, levels: Levels, tracers: int, team: Team, runs: int) -> tuple[float, int]:
    """Seconds that a year of full steps with diffusion takes, and the steps of a day."""
    state, fluxes, diffusion = _case(grid, levels, tracers, team)
    steps = max(steps_needed(fluxes, state.air_mass, INTERVAL_S), round(INTERVAL_S / LONGEST_STEP_S))
    transport = Transport(grid, levels, team=team)
    transport.step(state, fluxes, INTERVAL_S / steps, [diffusion])
    air = state.air_mass.copy()
    times = []
    for _ in range(runs):
        state.air_mass[:] = air
        times.append(_seconds(lambda: transport.step(state, fluxes, INTERVAL_S / steps, [diffusion])))
    a_day = round(steps * 86_400 / INTERVAL_S)
    return median(times) * a_day * 365, a_day


def numpy_rate(grid: Grid, tracers: int, runs: int) -> float:
    """1e9 updates a second of the same x sweep of PPM in NumPy, eastward winds, four levels."""
    rows = grid.shape[0] * 4
    m = np.ones((rows, grid.shape[1], 1), dtype=np.float32)
    rm = np.ones((rows, grid.shape[1], tracers), dtype=np.float32)
    flux = np.full_like(m, 0.3)
    table = reconstruction.longitude_table(grid, "ppm")[0, 0, :2, :5].astype(np.float32)

    def work() -> None:
        q = rm / m
        around = [np.roll(q, shift, axis=1) for shift in (2, 1, 0, -1, -2)]
        left, right = (sum(weight * values for weight, values in zip(row, around, strict=True)) for row in table)
        a = flux / m
        through = flux * ((1 - a) ** 2 * right - a * (1 - a) * left + a * (3 - 2 * a) * q)
        rm[:] += np.roll(through, 1, axis=1) - through
        m[:] += np.roll(flux, 1, axis=1) - flux

    work()
    return rm.size / median(_seconds(work) for _ in range(runs)) / 1e9


def _case(grid: Grid, levels: Levels, tracers: int, team: Team) -> tuple[State, MassFluxes, Diffusion]:
    surface = np.full(grid.shape, 98_000.0)
    air = air_mass(grid, levels, surface)
    tracer = np.repeat(air.astype(np.float32)[..., None], tracers, axis=-1)
    land = (np.sin(np.radians(2 * grid.lon)) > 0) * np.ones(grid.shape)
    between = exchange(grid, levels, surface, typical(grid, land, 180, 12.0))
    return State(tracer, air), weather(grid, levels, 1.5), Diffusion(between, team)


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _answer(program: str, *arguments: str, cache: str | None = None) -> str:
    """What a program prints last, run in a process of its own."""
    environment = dict(os.environ, PYTHONPATH=str(CHECKOUT)) | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=CHECKOUT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"A measured program failed:\n{done.stderr}")
    return done.stdout.split()[-1]
