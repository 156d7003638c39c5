"""Surface fluxes of CO2 of the simulated world, by component, from published totals and rough knowledge of where and when.

Annual sums are public facts, rounded (sources beside them). Each year's land biosphere takes what is left, so that the
whole Earth gains exactly the growth that NOAA reports: the budget of the world closes by construction. Where a country
emits, when a forest takes up and where savannas burn are simple shapes. No inventory and no inversion: everything made
of it carries ``simulated = 1``.

Fields are (lat, lon) in mol m-2 s-1, upward positive, constant for a day (UTC).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.grids import EARTH_RADIUS_M, GRAVITY, Grid, Regridder
from analysis.transport.sources import COMPONENTS, DRY_AIR_MOLAR_MASS, SurfaceSources
from analysis.transport.step import Process
from analysis.weather.synthetic import SURFACE_PRESSURE_PA
from analysis.world.climate import FIRST_YEAR, LAST_YEAR, annual_growth
from analysis.world.flux_patterns import GRID, ZONES, Patterns, burning, countries_share, ocean_uptake, patterns

CARBON_G_MOL = 12.011
CO2_PER_C = 3.664
DRY_MASS_KG = 4.0 * np.pi * EARTH_RADIUS_M**2 * SURFACE_PRESSURE_PA / GRAVITY
PGC_PER_PPM = DRY_MASS_KG / DRY_AIR_MOLAR_MASS * 1e-6 * CARBON_G_MOL * 1e-15
"""2.12: carbon that raises the mean of the engine's own dry air by one ppm."""

FOSSIL_GT_CO2 = dict(
    zip(
        range(2000, 2024),
        (25.5, 25.7, 26.3, 27.7, 28.6, 29.6, 30.6, 31.5, 32.1, 31.5, 33.4, 34.5, 35.0, 35.3, 35.5, 35.4)
        + (35.4, 36.0, 36.7, 37.1, 35.1, 37.0, 37.3, 37.8),
        strict=True,
    )
)
"""Fossil fuels and cement, without the uptake of cement, Gt CO2 a year, rounded: Global Carbon Budget (Friedlingstein et
al. 2023, doi 10.5194/essd-15-5301-2023, and its later releases) as Our World in Data tabulates it (github.com/owid/co2-data)."""

OCEAN_SINK_PGC = {2000: 2.1, 2005: 2.3, 2010: 2.5, 2015: 2.7, 2020: 2.8, 2035: 3.2}
"""Uptake by the ocean, PgC a year, to about 0.4; between and after the years on straight lines (Global Carbon Budget 2023:
2.8 +- 0.4 for 2013-2022, growing). What rivers carry to the sea and the sea gives back is left out."""

NORTHERN_SINK_PGC, SOUTHERN_SINK_PGC = 1.7, 0.2
"""Net uptake of land north of about 30 N and south of about 25 S, fires apart. The tropics have what is left of a year,
and so El Nino: about the partition of atmospheric inversions (Gaubert et al. 2019, doi 10.5194/bg-16-117-2019)."""

DAY_S = 86_400.0


@dataclass(frozen=True, eq=False)
class WorldFluxes:
    """The fluxes of the simulated world on a grid.

    Parameters
    ----------
    grid : any grid of the Earth; totals do not depend on it.
    """

    grid: Grid

    def at(self, moment: np.datetime64) -> dict[str, np.ndarray]:
        """Component -> (lat, lon) mol m-2 s-1 on the day of a moment.

        Raises
        ------
        ValueError : a moment outside the years of the world.
        """
        day = np.asarray(moment, dtype="datetime64[D]")[()]
        year = _known(int(day.astype("datetime64[Y]").astype(int)) + 1970)
        number = int((day - np.datetime64(f"{year}-01-01", "D")).astype(int))
        budget, length = annual_budget(year), days_of(year)
        shapes, fossil, season = self._patterns, self._fossil(year), _cycles(length)
        heating = 1.0 + shapes.fixed["heating"] * np.cos(2 * np.pi * (number + 0.5 - 15.0) / length)
        sea = shapes.fixed["ocean"] + shapes.fixed["ocean everywhere"] * (budget["ocean"] + ocean_uptake())
        land = shapes.fixed["regrowth"] * -budget["usual fire"] + shapes.fixed["tropics"] * budget["tropics"]
        for name, (growing, exchange) in season.items():
            land = land + exchange[number] * (length * 1e-15) * shapes.green[name]
            if name in _SINKS:
                belt, part = _SINKS[name]
                land = land + budget[belt] * part * growing[number] * shapes.sink[name]
        fire = np.sum([burns[number] * shapes.fires[name] for name, burns in burning(year, length).items()], axis=0)
        mol_s = 1e15 / CARBON_G_MOL / (length * DAY_S)  # of a PgC a year
        swing = shapes.fixed["ocean season"] * np.cos(2 * np.pi * (number + 0.5 - 60.0) / length) / (length * DAY_S)
        return {
            "biosphere": mol_s * land,
            "ocean": mol_s * sea + swing,
            "fossil": mol_s * fossil * heating * _pandemic(year)[number],
            "fire": mol_s * fire,
        }

    def sources(self, tracer_of: Mapping[str, int]) -> Callable[[np.datetime64, float], Sequence[Process]]:
        """What emits in a step of the model: `(middle of the step, its seconds) -> processes`.

        Parameters
        ----------
        tracer_of : component -> number of the tracer that it goes into.

        Raises
        ------
        ValueError : a component that there is not.
        """
        unknown = sorted(set(tracer_of) - set(COMPONENTS))
        if unknown:
            raise ValueError(f"the simulated world has fluxes of {', '.join(COMPONENTS)}, not of {', '.join(unknown)}.")

        @functools.lru_cache(maxsize=2)
        def of_day(day: np.datetime64) -> SurfaceSources:
            fields = self.at(day)
            return SurfaceSources(self.grid, np.stack([fields[name] for name in tracer_of]), list(tracer_of.values()))

        def of(middle: np.datetime64, seconds: float) -> Sequence[Process]:
            return [of_day(middle.astype("datetime64[D]"))]

        return of

    def annual_totals(self, year: int) -> dict[str, float]:
        """Component -> PgC in a year, upward positive, summed over its days and the grid's cells."""
        first = np.datetime64(f"{year}-01-01", "D")
        total = dict.fromkeys(COMPONENTS, 0.0)
        for day in first + np.arange(days_of(year)):
            for name, field in self.at(day).items():
                total[name] += float((field * self.grid.area).sum()) * DAY_S * CARBON_G_MOL * 1e-15
        return total

    @functools.cached_property
    def _patterns(self) -> Patterns:
        return patterns().on(Regridder(GRID, self.grid))

    @functools.cached_property
    def _fossils(self) -> dict[int, np.ndarray]:
        return {}

    def _fossil(self, year: int) -> np.ndarray:
        if year not in self._fossils:
            share = countries_share(year)
            parts = [part * self._patterns.fossil[name] for name, part in share.items()]
            self._fossils[year] = annual_budget(year)["fossil"] * np.sum(parts, axis=0)
        return self._fossils[year]


_SINKS = {
    "boreal": ("north", 0.45),
    "northern temperate": ("north", 0.55),
    "southern temperate": ("south", 1.0),
}
"""Which belts' net sink lies in a zone, and how much of it."""


@functools.cache
def _cycles(length: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {name: zone.cycle(length) for name, zone in ZONES.items()}


@functools.cache
def annual_budget(year: int) -> dict[str, float]:
    """PgC of a year, upward positive: "growth" of the atmosphere, "fossil", "ocean", "fire" (and "usual fire", which
    regrowth takes back), "biosphere" and its parts beyond regrowth, "north", "south" and "tropics".

    fossil + ocean + fire + biosphere = growth.
    """
    _known(year)
    growth = annual_growth(year) * PGC_PER_PPM
    last = max(FOSSIL_GT_CO2)
    fossil = FOSSIL_GT_CO2[min(year, last)] / CO2_PER_C
    ocean = -float(np.interp(year, list(OCEAN_SINK_PGC), list(OCEAN_SINK_PGC.values())))
    fire = float(sum(burns.mean() for burns in burning(year, days_of(year)).values()))
    usual = float(sum(burns.mean() for burns in burning(FIRST_YEAR, 366).values()))
    biosphere = growth - fossil - ocean - fire
    north, south = -NORTHERN_SINK_PGC, -SOUTHERN_SINK_PGC
    return {
        "growth": growth,
        "fossil": fossil,
        "ocean": ocean,
        "fire": fire,
        "usual fire": usual,
        "biosphere": biosphere,
        "north": north,
        "south": south,
        "tropics": biosphere + usual - north - south,
    }


def days_of(year: int) -> int:
    """365 or 366."""
    return int((np.datetime64(f"{year + 1}-01-01", "D") - np.datetime64(f"{year}-01-01", "D")).astype(int))


@functools.cache
def _pandemic(year: int) -> np.ndarray:
    """(days,) factor, mean one: about an eighth less in the spring of 2020 (Le Quere et al. 2020,
    doi 10.1038/s41558-020-0797-x, give up to a sixth)."""
    when = year + (np.arange(days_of(year)) + 0.5) / days_of(year)
    factor = 1.0 - 0.12 * np.exp(-0.5 * ((when - 2020.28) / 0.1) ** 2)
    return factor / factor.mean()


def _known(year: int) -> int:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"the simulated world runs from {FIRST_YEAR} to {LAST_YEAR}, not in {year}.")
    return year
