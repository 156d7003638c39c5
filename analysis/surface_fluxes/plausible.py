"""Can these be fluxes of CO2? Totals of the Earth tell a wrong unit, for which no single cell does."""

from __future__ import annotations

import numpy as np

from analysis.grids import Grid
from analysis.surface_fluxes.errors import FluxProblem
from analysis.surface_fluxes.inventory import PGC_PER_MOL, YEAR_S
from analysis.surface_fluxes.series import DAY_S, FluxSeries

LARGEST_PGC = {"biosphere": 15.0, "ocean": 9.0, "fossil": 30.0, "fire": 8.0}
"""PgC a year in either direction: about three times what the Earth has (Friedlingstein et al. 2023, Global Carbon Budget, doi
10.5194/essd-15-5301-2023: fossil 9.9, ocean -2.8, land -3.3; fires about 2)."""
LARGEST_PGC_SEASON = {"biosphere": 60.0, "ocean": 15.0, "fossil": 30.0, "fire": 20.0}
"""The same for parts of a year: the northern summer takes up land carbon at a rate of some 30 PgC a year."""

_WHOLE_YEAR_DAYS = 300


def check_fields(component: str, series: FluxSeries, grid: Grid, most: int) -> None:
    """Read fields of a series, all or at most `most` spread over it in whole days, and judge their total.

    Raises
    ------
    FluxProblem : a total that the Earth does not have, or what `series.values` raises.
    """
    numbers = spread(series, most)
    seconds = ((series.ends - series.starts) / np.timedelta64(1, "s"))[numbers]
    moles = np.array([float((series.values(int(number)) * grid.area).sum()) for number in numbers])
    total = float((moles * seconds).sum() / seconds.sum()) * YEAR_S * PGC_PER_MOL
    if seconds.sum() < 0.99 * DAY_S:
        return  # hours of a day say nothing of the biosphere's total
    days = float((series.ends[numbers[-1]] - series.starts[numbers[0]]) / np.timedelta64(1, "D"))
    limit = (LARGEST_PGC if days >= _WHOLE_YEAR_DAYS else LARGEST_PGC_SEASON)[component]
    if abs(total) > limit:
        raise FluxProblem(
            f"{series.source}: {component} fluxes of {total:.3g} PgC a year over the Earth, but at most {limit:g} either way "
            "are plausible; check their unit (carbon or CO2, per month or per year, per cell or per area)."
        )


def spread(series: FluxSeries, most: int) -> np.ndarray:
    """Numbers of intervals to look at, rising: all, or days (single intervals where they are longer) spread evenly."""
    if len(series) <= most:
        return np.arange(len(series))
    in_a_day = max(1, round(DAY_S / series.shortest_s))
    starts = np.linspace(0, len(series) - in_a_day, max(1, most // in_a_day)).astype(np.int64)
    found = np.unique((starts[:, None] + np.arange(in_a_day)).ravel())
    return found[(found >= 0) & (found < len(series))]
