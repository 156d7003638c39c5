"""The gates that need real winds: ten days of NCEP R1 (the five there are, twice over, in one pack) with mixing, on a uniform and
on a refined grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from analysis.grids import Box, Grid, ecmwf_levels, refined, uniform
from analysis.simulation.model import Model
from analysis.transport.step import State
from analysis.weather import Weather
from analysis.weather.reanalysis import make_pack, ncep_intervals
from analysis.weather.winds import Analysed

DAILY, MONTHLY = "meteorology/ncep_r1_daily_20220101_05", "meteorology/ncep_r1_monthly_202201_02"
GRIDS = {"uniform": uniform("6x4"), "refined": refined(Box(60, 150, -12, 54), 3, (9, 6))}
STEPS_A_DAY = 24
DRIFT_A_MONTH = 1e-6
"""Of tracer mass in float32, at most."""


@dataclasses.dataclass(frozen=True, eq=False)
class Carried:
    """What ten days left: the state in both precisions, and sums of float32 before and after."""

    double: State
    single: State
    largest_change_a_day: float
    before: np.ndarray
    after: np.ndarray


def ten_days(real: Path) -> Iterator[Analysed]:
    files = [real / DAILY / f"{name}_2022_day5.nc" for name in ("uwnd", "vwnd", "shum")]
    five = list(ncep_intervals([*files, real / MONTHLY / "pressfc_202201_mon_mean.nc"]))
    for later in (0, 5):
        for day in five:
            yield dataclasses.replace(day, start=day.start + np.timedelta64(later, "D"))


@pytest.fixture(scope="module", params=list(GRIDS))
def carried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, real_files: Path) -> Carried:
    grid: Grid = GRIDS[request.param]
    path = tmp_path_factory.mktemp("ten days") / "pack"
    pack = make_pack(path, grid, ecmwf_levels(25), ten_days(real_files), source="NCEP/NCAR Reanalysis 1")
    assert len(pack) == 10 and pack.attrs["replay_error"] < 1e-10
    return carry(pack)


@pytest.fixture(scope="module")
def real_files(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue("real")
    return found


def carry(pack: Weather) -> Carried:
    """Two tracers: a uniform one, and a wave on top of it."""
    wave = np.sin(np.radians(2 * pack.grid.lon)) * np.cos(np.radians(pack.grid.lat))[:, None]
    ratio = np.stack([np.ones(pack.grid.shape), 1 + 0.5 * wave], axis=-1)
    models = {dtype: Model(pack.grid, pack.levels, dtype=dtype) for dtype in (np.float64, np.float32)}
    states = {dtype: model.state(ratio, pack.surface_pressure(0)) for dtype, model in models.items()}
    before, largest, total = states[np.float32].total(), 0.0, states[np.float64].total()
    for number in range(len(pack)):
        interval = pack.interval(number)
        for dtype, model in models.items():
            assert model.advance(states[dtype], interval) == STEPS_A_DAY
        now = states[np.float64].total()
        largest, total = max(largest, float(np.abs(now / total - 1).max())), now
    return Carried(states[np.float64], states[np.float32], largest, before, states[np.float32].total())


def test_a_uniform_tracer_stays_uniform(carried: Carried) -> None:
    for state, limit in ((carried.double, 1e-12), (carried.single, 1e-5)):
        assert np.abs(state.mixing_ratio()[..., 0] - 1).max() < limit


def test_tracer_mass_is_kept(carried: Carried) -> None:
    assert carried.largest_change_a_day < STEPS_A_DAY * 1e-13
    assert np.abs(carried.after / carried.before - 1).max() < DRIFT_A_MONTH / 3


def test_both_precisions_tell_the_same(carried: Carried) -> None:
    apart = carried.single.mixing_ratio() - carried.double.mixing_ratio()
    assert np.abs(apart).max() < 1e-5
    assert np.sqrt(np.mean(apart**2)) < 1e-6
