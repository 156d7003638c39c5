"""What a run emits, how much that is, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from analysis.grids import Grid
from analysis.simulation.model import Sources
from analysis.surface_fluxes.inventory import FluxInventory, year_span
from analysis.surface_fluxes.series import FluxSeries
from analysis.transport.sources import DRY_AIR_MOLAR_MASS, SurfaceSources, tracer_gain
from analysis.transport.step import Process, State

CARBON_KG_PER_MOL = 0.012011
_DAYS_KEPT = 4


class EmissionProblem(AnalysisError):
    """Fluxes that a run cannot use."""


@dataclass(frozen=True, eq=False)
class Emissions:
    """Surface fluxes of a run.

    Attributes
    ----------
    inventory : the fluxes.
    components : those that are emitted.
    """

    inventory: FluxInventory
    components: tuple[str, ...]

    @property
    def simulated(self) -> bool:
        """True if any of them is invented."""
        return self.inventory.simulated

    @property
    def label(self) -> str:
        """For titles."""
        return self.inventory.label

    @property
    def citation(self) -> str:
        """How to cite them, "" where nothing is known."""
        return "; ".join(self.inventory.citations)

    def sources(self, tracers: Sequence[str]) -> Sources:
        """For `Model.advance`, each component into the tracer of its name."""
        return self.inventory.sources({name: list(tracers).index(name) for name in self.components})


class Ledger:
    """Sources that count what they emit.

    Parameters
    ----------
    sources : to be counted.
    count : of tracers.

    Attributes
    ----------
    emitted : (tracer,) kg ppm of tracer mass since the start, float64, from the fluxes themselves.
    """

    def __init__(self, sources: Sources, count: int) -> None:
        self._sources = sources
        self.emitted = np.zeros(count)

    def __call__(self, moment: np.datetime64, seconds: float) -> Sequence[Process]:
        """The processes of a step, counted; whatever else than `SurfaceSources` there is, by what it does."""
        return [self._counted(process, seconds) for process in self._sources(moment, seconds)]

    def _counted(self, process: Process, seconds: float) -> Process:
        if isinstance(process, SurfaceSources):
            gains = tracer_gain((process.flux * process.grid.area).sum(axis=(1, 2)), seconds)
            np.add.at(self.emitted, list(process.tracers), gains)
            return process

        def measured(state: State, seconds: float) -> None:
            before = state.total()
            process(state, seconds)
            self.emitted += state.total() - before

        return measured


def carbon_pg(tracer_mass: np.ndarray | float) -> np.ndarray | float:
    """PgC in kg ppm of tracer mass."""
    return tracer_mass * (1e-6 / DRY_AIR_MOLAR_MASS * CARBON_KG_PER_MOL * 1e-12)


def read_emissions(
    paths: Sequence[Path],
    grid: Grid,
    wanted: Sequence[str],
    start: np.datetime64,
    end: np.datetime64,
    *,
    variables: Mapping[str, str],
    smooth: bool,
    diurnal: bool,
    repeat_year: int | None,
) -> Emissions:
    """Fluxes of files, on a grid.

    Parameters
    ----------
    variables : variable -> component, where the names in the files do not tell; then only these are read.

    Raises
    ------
    AnalysisError, DataError : files that are no fluxes, none of the components, a time without fluxes.
    """
    from analysis.surface_fluxes.reading import read_inventory

    year = False if repeat_year is None else repeat_year
    chosen = variables or wanted
    inventory = read_inventory(paths, grid, components=chosen, smooth=smooth, diurnal=diurnal, repeat_year=year)
    inventory.check(start, end)
    return Emissions(inventory, tuple(name for name in wanted if name in inventory.components))


def simulated_emissions(
    grid: Grid,
    wanted: Sequence[str],
    start: np.datetime64,
    end: np.datetime64,
    *,
    smooth: bool,
    diurnal: bool,
    repeat_year: int | None,
) -> Emissions:
    """Fluxes of the simulated world (`analysis.world.fluxes`), day by day.

    Raises
    ------
    EmissionProblem : years that the simulated world does not have.
    """
    from analysis.world.climate import FIRST_YEAR, LAST_YEAR
    from analysis.world.fluxes import WorldFluxes

    if repeat_year is None:
        first, last = start, end
    else:
        first, last = year_span(repeat_year)
    years = [int(str(moment.astype("datetime64[Y]"))) for moment in (first, last - np.timedelta64(1, "s"))]
    if years[0] < FIRST_YEAR or years[1] > LAST_YEAR:
        raise EmissionProblem(
            f"settings of transport: fluxes: expected years from {FIRST_YEAR} to {LAST_YEAR}, which the simulated world "
            f"has, found {years[0]} to {years[1]}; choose other years, or set repeat_year to one of them."
        )
    first = year_span(years[0])[0] if diurnal else first  # the cycle's strength follows from the whole year
    last = year_span(years[1])[1] if diurnal else last
    days = np.arange(first.astype("datetime64[D]"), last.astype("datetime64[D]")).astype("datetime64[s]")
    world = WorldFluxes(grid)

    @lru_cache(_DAYS_KEPT)
    def of_day(number: int) -> Mapping[str, np.ndarray]:
        return world.at(days[number])

    def series(name: str) -> FluxSeries:
        return FluxSeries(
            days,
            days + np.timedelta64(86_400, "s"),
            lambda number: of_day(number)[name],
            f"fluxes of the simulated world, {name}",
            simulated=True,
            never_negative=name in ("fossil", "fire"),
        )

    inventory = FluxInventory(grid, {name: [series(name)] for name in wanted}, smooth, diurnal, repeat_year)
    return Emissions(inventory, tuple(wanted))
