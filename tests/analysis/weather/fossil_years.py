"""Fossil CO2 alone in the made-up weather: how much more of it stays in the north, and how fast the hemispheres mix.

The simulated world's fossil emissions of 2016 and after (9.7 to 10 PgC a year) go into air without any; within about two years
the difference between the hemispheres is steady. Surface observations and transport models of CO2, SF6 and CFCs agree on an
exchange time of 1.1 to 1.6 years, 1.3 to 1.4 in most (Patra et al. 2011, doi 10.5194/acp-11-12813-2011; Denning et al. 1999,
doi 10.3402/tellusb.v51i2.16286), which is a difference of some 3 to 6 ppm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.grids import Grid, Levels
from analysis.simulation.model import Model
from analysis.simulation.weather import MadeUpWeather, ahead
from analysis.transport.sources import tracer_gain
from analysis.transport.team import Team
from analysis.world.fluxes import WorldFluxes

START = np.datetime64("2016-01-01", "s")
YEAR_DAYS = 365


@dataclass(frozen=True, eq=False)
class Hemispheres:
    """Northern less southern mean of the last year.

    Attributes
    ----------
    surface_ppm, air_ppm : in the lowest layer, and in all air.
    surface_exchange_yr, air_exchange_yr : in which two well-mixed boxes with that difference would exchange their air, the
        difference's growth taken into account.
    northern_share : of the emissions.
    zonal : (lev, lat) ppm above the mean of all air, time and zonal mean.
    """

    surface_ppm: float
    air_ppm: float
    surface_exchange_yr: float
    air_exchange_yr: float
    northern_share: float
    zonal: np.ndarray


def fossil_years(
    grid: Grid, levels: Levels, days: int, team: Team | None = None, *, longest: float = 3600.0
) -> Hemispheres:
    """Carry fossil CO2 for some days; means are of the last 365 of them (of all, if they are fewer)."""
    weather = MadeUpWeather(grid, levels, START, START + np.timedelta64(days, "D"))
    model = Model(grid, levels, team=team)
    fluxes = WorldFluxes(grid)
    state = model.state(np.zeros(1), weather.interval(0).surface_pressure)
    air, north = state.air_mass.copy(), grid.lat > 0
    counted = round(len(weather) * min(YEAR_DAYS / days, 1.0))
    zonal, differences = np.zeros(air.shape[:2]), []
    for number, interval in enumerate(ahead(weather, range(len(weather)))):
        model.advance(state, interval, fluxes.sources({"fossil": 0}), longest=longest)
        if number >= len(weather) - counted:
            ratio = state.tracer_mass[..., 0].sum(axis=2, dtype=np.float64) / air.sum(axis=2)
            zonal += (ratio - state.total()[0] / air.sum()) / counted
            differences.append(_differences(ratio, air.sum(axis=2), north))
    found, span = np.array(differences), counted / len(weather) * days / YEAR_DAYS
    emitted = np.mean(
        [fluxes.at(START + np.timedelta64(day, "D"))["fossil"] for day in range(days)[-YEAR_DAYS::5]], axis=0
    )
    by_row = (emitted * grid.area).sum(axis=1)
    gain = tracer_gain(by_row[north].sum() - by_row[~north].sum(), YEAR_DAYS * 86_400.0) / (air.sum() / 2)
    mean, growth = found.mean(axis=0), (found[-1] - found[0]) / span
    exchange = 2 * mean / (gain - growth)
    share = by_row[north].sum() / by_row.sum()
    return Hemispheres(*map(float, (*mean, *exchange, share)), zonal)


def _differences(ratio: np.ndarray, air: np.ndarray, north: np.ndarray) -> tuple[float, float]:
    lowest = np.average(ratio[0, north], weights=air[0, north]) - np.average(ratio[0, ~north], weights=air[0, ~north])
    whole = np.average(ratio[:, north], weights=air[:, north]) - np.average(ratio[:, ~north], weights=air[:, ~north])
    return float(lowest), float(whole)
