"""Emissions arrive in full, in the right units, and CarbonTracker's 2014 fluxes raise CO2 by what the Earth saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.grids import EARTH_RADIUS_M, Regridder, ecmwf_levels, uniform
from analysis.transport.errors import TransportError
from analysis.transport.fluxes import air_mass
from analysis.transport.sources import DRY_AIR_MOLAR_MASS, SurfaceSources, with_diurnal_cycle
from analysis.transport.step import State, Transport
from analysis.transport.team import Team
from tests.analysis.transport.known_flows import weather

GRID, LEVELS = uniform("6x4"), ecmwf_levels(25)
AIR = air_mass(GRID, LEVELS, np.full(GRID.shape, 98_000.0))


def test_one_mole_into_the_air() -> None:
    flux = np.zeros((1, *GRID.shape))
    flux[0, 30, 20] = 1e-6
    state = State.of(np.zeros((*AIR.shape, 2)), AIR, np.float64)
    SurfaceSources(GRID, flux, [1])(state, 3600.0)
    moles = 1e-6 * GRID.area[30, 20] * 3600
    air = AIR[0, 30, 20] / DRY_AIR_MOLAR_MASS
    assert state.mixing_ratio()[0, 30, 20, 1] == pytest.approx(1e6 * moles / air)
    assert np.count_nonzero(state.tracer_mass) == 1


@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 1e-13), (np.float32, 1e-6)])
def test_what_is_emitted_is_carried(dtype: type, limit: float) -> None:
    flux = np.random.default_rng(0).uniform(0, 1e-6, (2, *GRID.shape))
    state = State.of(np.zeros((*AIR.shape, 2)), AIR, dtype)
    with Team(2) as team:
        transport = Transport(GRID, LEVELS, team=team)
        for hour in (1.5, 4.5, 7.5):
            transport.step(state, weather(GRID, LEVELS, hour), 10_800.0, [SurfaceSources(GRID, flux, [0, 1])])
    expected = (flux * GRID.area).sum(axis=(1, 2)) * 9 * 3600 * DRY_AIR_MOLAR_MASS * 1e6
    np.testing.assert_allclose(state.total(), expected, rtol=limit)


def test_carbontracker_2014_fluxes_raise_the_mean_by_2_13_ppm(real: Path) -> None:
    """4.53 PgC: 2.132 ppm with the usual 2.124 PgC/ppm, and 2.125 with the dry mass that the engine carries here."""
    from data.readers.carbontracker import read_fluxes

    files = list((real / "carbontracker" / "flux1x1").glob("CT2015*2014*.nc"))
    assert len(files) == 1
    fluxes = read_fluxes(files[0]).dataset.isel(time=0).load()
    names = [name for name in ("bio_flux_opt", "ocn_flux_opt", "fossil_flux_imp", "fire_flux_imp") if name in fluxes]
    assert len(names) == 4
    values = np.stack([fluxes[name].to_numpy() for name in names])
    assert fluxes[names[0]].attrs["units"] == "mol m-2 s-1"
    fine, grid = uniform("1x1"), uniform("3x2")
    on_grid = Regridder(fine, grid).mean(np.nan_to_num(values))
    dry_mass = 5.1352e18  # kg, Trenberth and Smith 2005, doi 10.1175/JCLI-3299.1
    surface = np.full(grid.shape, dry_mass * 9.80665 / (4 * np.pi * EARTH_RADIUS_M**2))
    air = air_mass(grid, LEVELS, surface)
    assert air.sum() == pytest.approx(dry_mass, rel=1e-12)
    state = State.of(np.zeros((*air.shape, 4)), air, np.float64)
    year = 365 * 86_400.0
    SurfaceSources(grid, on_grid, range(4))(state, year)
    rise = state.total() / air.sum()
    moles = (np.nan_to_num(values) * fine.area).sum(axis=(1, 2)) * year
    np.testing.assert_allclose(rise, 1e6 * moles / (air.sum() / DRY_AIR_MOLAR_MASS), rtol=1e-12)
    assert moles.sum() * 12.011e-15 / 2.124 == pytest.approx(2.132, abs=0.002)
    assert rise.sum() == pytest.approx(2.1253, abs=0.0005)


def test_the_diurnal_cycle_keeps_the_daily_mean() -> None:
    rng = np.random.default_rng(0)
    net, uptake = rng.normal(size=GRID.shape), rng.uniform(0, 5, GRID.shape)
    for day in (15, 172, 300):
        hours = np.arange(0, 24, 1 / 6)
        cycle = np.stack([with_diurnal_cycle(GRID, net, uptake, day, hour) for hour in hours])
        np.testing.assert_allclose(cycle.mean(axis=0), net, atol=1e-2)
    sunny = np.abs(GRID.lat) < 30
    assert (np.ptp(cycle, axis=0)[sunny] > 2 * uptake[sunny]).all()


def test_bad_sources_are_refused_in_a_sentence() -> None:
    good = np.zeros((1, *GRID.shape))
    cases = [
        (lambda: SurfaceSources(GRID, good[0], [0]), "dimensions"),
        (lambda: SurfaceSources(GRID, np.zeros((1, 180, 360)), [0]), "regrid"),
        (lambda: SurfaceSources(GRID, good, [0, 1]), "tracers"),
        (lambda: SurfaceSources(GRID, good + np.nan, [0]), "NaN"),
        (lambda: SurfaceSources(GRID, good + 44.0, [0]), "unit"),
        (lambda: SurfaceSources(GRID, good, [3])(State.of(np.zeros((*AIR.shape, 1)), AIR), 1.0), "carries 1"),
    ]
    for make, word in cases:
        with pytest.raises(TransportError, match=word) as refused:
            make()
        assert str(refused.value).endswith(".")
