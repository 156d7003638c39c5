"""From the sums of a cell to what a map of it shows: mean, spread, standard error, counts."""

from __future__ import annotations

import numpy as np

from analysis.gridding.overpasses import CellSums

PPM_ERROR_FLOOR = 0.3
"""Smallest error believed, ppm: differences of some tenths of a ppm between stations and between footprints stay after
bias correction however many soundings are averaged. A setting of every run; see docs/decisions/gridding-weights.md."""


def error_floor(units: str, given: float | None) -> float:
    """The smallest error to believe: the one given, else `PPM_ERROR_FLOOR` for mole fractions and 0 for anything else."""
    if given is not None:
        return float(given)
    return PPM_ERROR_FLOOR if units == "ppm" else 0.0


def cell_mean(sums: CellSums) -> np.ndarray:
    """(n,) weighted means."""
    return sums.mean


def spread(sums: CellSums) -> np.ndarray:
    """(n,) standard deviation of the soundings about their mean (n - 1), NaN for a single one."""
    several = sums.count > 1
    return np.sqrt(np.divide(sums.squares, sums.count - 1, out=np.full(len(sums), np.nan), where=several))


def standard_error(sums: CellSums, floor: float = 0.0) -> np.ndarray:
    """(n,) standard error of the weighted mean: the largest of three.

    * The scatter of the overpasses, each one sample: sqrt(k / (k - 1) * sum W^2 (x - m)^2) / sum W for k >= 2
      overpasses (the linearised estimator of a ratio mean over clusters; s / sqrt(k) where all weigh the same).
    * The stated errors, fully correlated within an overpass and not between: sqrt(sum W^2 v) / sum W, where every
      overpass states some.
    * `floor`, for what all soundings have in common.

    NaN for a single overpass that states no error: nothing is known of it.
    """
    k = sums.overpasses
    nothing = np.full(len(sums), np.nan)
    factor = np.divide(k, k - 1, out=nothing.copy(), where=k > 1)
    scatter = np.sqrt(factor * np.maximum(sums.scatter, 0.0)) / sums.weight
    stated = np.where(sums.with_error == k, np.sqrt(sums.stated) / sums.weight, np.nan)
    error = np.fmax(scatter, stated)
    return np.where(np.isnan(error), np.nan, np.maximum(error, floor))
