"""The mean of a region's grid cells, each weighing its area, and how sure it is.

Soundings are bunched: along tracks, over deserts, where the sky is clear. Their plain mean says what the instrument saw;
the area-weighted mean of cell means is nearer to what the region was like. It still knows nothing of cells without
soundings, so the part of the area that was seen comes with it.

The standard error is a delete-a-group jackknife over days (Kott 2001, Journal of Official Statistics 17, 521-526):
local days are dealt out to 16 groups, the mean is computed again without each group, and
se^2 = (g - 1) / g * sum (mean without the group - their mean)^2. Days are left out whole, because all soundings of a day
share weather and errors, and cells that only a left-out day saw go with it, so sampling counts too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.gridding.overpasses import CellSums, OverpassSums
from analysis.statistics.area import weighted_moments, weighted_quantiles

DAY_GROUPS = 16
"""OCO-2 comes back to a track after 16 days, so a group is a set of tracks."""


def by_day_group(overpasses: OverpassSums) -> OverpassSums:
    """The same overpasses with the day's group made part of the cell's number: cell * 16 + day mod 16.

    `cell_sums` of them are then sums by cell and group, from which `area_mean` takes both the mean and its error.
    """
    group = overpasses.day % DAY_GROUPS
    numbered = replace(overpasses, cell=overpasses.cell * np.int32(DAY_GROUPS) + group.astype(np.int32))
    return numbered.select(np.lexsort((numbered.day, numbered.cell, numbered.period)))


@dataclass(frozen=True)
class AreaMean:
    """What the cells of a region amount to in one period.

    Attributes
    ----------
    mean, standard_error, spread, low, high : area-weighted mean, its error (NaN for days of fewer than two groups),
        area-weighted standard deviation among the cells, smallest and largest cell mean.
    quantiles : (k,) by area.
    cells, soundings : how many.
    coverage : part of the region's area whose cells have soundings, 0..1.
    """

    mean: float
    standard_error: float
    spread: float
    low: float
    high: float
    quantiles: np.ndarray
    cells: int
    soundings: int
    coverage: float


def area_mean(
    sums: CellSums, cells: np.ndarray, areas: np.ndarray, *, shares: tuple[float, ...] = (), floor: float = 0.0
) -> AreaMean:
    """The area-weighted statistics of one period.

    Parameters
    ----------
    sums : of the period's cells, numbered by `by_day_group`.
    cells, areas : (n,) the region's cells, ascending, and their areas in km2.
    shares : of the quantiles, 0..1.
    floor : smallest standard error that is believed.
    """
    cell, group = sums.cell // DAY_GROUPS, sums.cell % DAY_GROUPS
    place = np.searchsorted(cells, cell)
    place[place == cells.size] = 0
    inside = cells[place] == cell if cells.size else np.zeros(cell.shape, dtype=bool)
    place, group = place[inside], group[inside]
    weight = np.zeros((cells.size, DAY_GROUPS))
    mean = np.zeros((cells.size, DAY_GROUPS))
    weight[place, group], mean[place, group] = sums.weight[inside], sums.mean[inside]
    soundings = int(sums.count[inside].sum())

    seen = weight.any(axis=1)
    weight, mean, seen_areas = weight[seen], mean[seen], areas[seen]
    values = _combined(weight, mean)
    moments = weighted_moments(values, seen_areas)
    error = _jackknife(weight, mean, seen_areas)
    return AreaMean(
        mean=moments.mean,
        standard_error=max(error, floor) if np.isfinite(error) else np.nan,
        spread=moments.std if values.size > 1 else np.nan,
        low=float(values.min()) if values.size else np.nan,
        high=float(values.max()) if values.size else np.nan,
        quantiles=weighted_quantiles(values, seen_areas, list(shares)),
        cells=int(values.size),
        soundings=soundings,
        coverage=float(seen_areas.sum() / areas.sum()) if areas.size else 0.0,
    )


def _combined(weight: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(cells,) means over the groups, NaN where no group has weight. weight, mean: (cells, groups)."""
    total = weight.sum(axis=1)
    centre = mean.max(axis=1, initial=0.0) if mean.size else np.zeros(len(mean))
    about = np.where(weight > 0, mean - centre[:, None], 0.0)
    shift = np.divide((weight * about).sum(axis=1), total, out=np.full(total.shape, np.nan), where=total > 0)
    return centre + shift


def _jackknife(weight: np.ndarray, mean: np.ndarray, areas: np.ndarray) -> float:
    groups = np.flatnonzero(weight.any(axis=0))
    without = []
    for group in groups:
        rest = weight.copy()
        rest[:, group] = 0.0
        if rest.any():
            without.append(weighted_moments(_combined(rest, mean), areas).mean)
    if len(without) < 2:
        return np.nan
    deviations = np.array(without) - np.mean(without)
    return float(np.sqrt((len(without) - 1) / len(without) * (deviations**2).sum()))
