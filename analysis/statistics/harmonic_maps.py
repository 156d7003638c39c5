"""Growth rate, seasonal cycle and scatter of every cell of a cube at once.

A line and yearly harmonics are linear in their coefficients and the same for all cells, so one pseudo-inverse serves
every cell without gaps; cells with gaps solve their own small normal equations, all of them in one batch. No low-pass
filter here: maps show what `analysis.statistics.trends.fit_series` calls the line and the mean cycle.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from analysis.errors import SeriesTooShort
from analysis.statistics.trends import FEWEST_MONTHS, FEWEST_YEARS, decimal_year, harmonic_terms

SLAB_CELLS = 400_000
"""Cells read at a time: 84 months of them are 134 MB in float32."""

BLOCK_CELLS = 4096
"""Cells computed at a time: 84 months of them are 2.8 MB in float64, which stays in a processor's cache."""

CYCLE_POINTS = 72
"""Points of the year at which the cycle's extremes are looked for: its height is then exact to some 0.1 %."""

LARGEST_INFLATION = 1000.0
"""Cells in which gaps inflate a coefficient's variance more than this (a few months of each year) are left out."""


def fit_map(field: xr.DataArray, *, harmonics: int = 2) -> xr.Dataset:
    """Fit a line and yearly harmonics to the series of every cell by least squares.

    Parameters
    ----------
    field : dims (time, lat, lon), ppm, NaN where missing; numpy or lazy (then read block by block of rows).
    harmonics : yearly harmonics, at least 1.

    Returns
    -------
    Dataset on (lat, lon), float32, NaN where a cell has values in fewer than 12 steps or over less than a year and a
    half, or where its months cannot tell the terms apart:
    ``growth`` (ppm per year), ``mean`` (the line at the middle of the period, ppm), ``amplitude`` (highest minus
    lowest point of the cycle, ppm), ``month_of_maximum`` (1..12 with fraction: 4.5 is mid-April), ``residual_std``
    (ppm, for the degrees of freedom left); and ``n`` (int32), the number of values.

    Raises
    ------
    SeriesTooShort : the time axis itself is too short for any cell.
    ValueError : other dimensions, or `harmonics` < 1.
    """
    if field.dims != ("time", "lat", "lon"):
        raise ValueError(f"expected dims ('time', 'lat', 'lon'), found {field.dims}.")
    if harmonics < 1:
        raise ValueError(f"expected harmonics >= 1, found {harmonics}.")
    years = decimal_year(field["time"].to_numpy())
    span = float(np.ptp(years)) if years.size else 0.0
    if years.size < FEWEST_MONTHS or span < FEWEST_YEARS:
        raise SeriesTooShort(
            f"expected at least {FEWEST_MONTHS} time steps over at least {FEWEST_YEARS:g} years to map growth and "
            f"season, found {years.size} over {span:.1f} years; choose a longer data set."
        )
    middle = (years.min() + years.max()) / 2
    design = np.column_stack([np.ones(years.size), years - middle, harmonic_terms(years, harmonics)])
    n_lat, n_lon = field.sizes["lat"], field.sizes["lon"]
    results = {name: np.full((n_lat, n_lon), np.nan, dtype=np.float32) for name in _ATTRIBUTES if name != "n"}
    results["n"] = np.zeros((n_lat, n_lon), dtype=np.int32)
    flat = {name: array.reshape(-1) for name, array in results.items()}
    rows = max(1, SLAB_CELLS // n_lon)
    for first in range(0, n_lat, rows):
        slab = field[:, first : first + rows].to_numpy().reshape(years.size, -1)
        for start in range(0, slab.shape[1], BLOCK_CELLS):
            values = slab[:, start : start + BLOCK_CELLS].astype(np.float64)
            at = slice(first * n_lon + start, first * n_lon + start + values.shape[1])
            for name, part in _fit_cells(design, years, values).items():
                flat[name][at] = part
    return xr.Dataset(
        {name: (("lat", "lon"), results[name], attributes) for name, attributes in _ATTRIBUTES.items()},
        coords={"lat": field["lat"], "lon": field["lon"]},
        attrs={"method": f"least squares: line and {harmonics} yearly harmonics", **field.attrs},
    )


_ATTRIBUTES = {
    "growth": {"units": "ppm year-1", "long_name": "growth rate"},
    "mean": {"units": "ppm", "long_name": "value of the fitted line at the middle of the period"},
    "amplitude": {"units": "ppm", "long_name": "peak-to-trough amplitude of the mean seasonal cycle"},
    "month_of_maximum": {"units": "month", "long_name": "time of year of the seasonal maximum"},
    "residual_std": {"units": "ppm", "long_name": "standard deviation about line and seasonal cycle"},
    "n": {"units": "1", "long_name": "number of values"},
}


def _fit_cells(design: np.ndarray, years: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """Results of (time, cell) values, each (cell,)."""
    seen = np.isfinite(values)
    count = seen.sum(axis=0)
    whole = bool((count == years.size).all())
    level = values.mean() if whole else np.nanmean(values) if seen.any() else 0.0
    centred = values - level  # keeps the sums of squares below free of cancellation
    if not whole:
        centred[~seen] = 0.0
    right = design.T @ centred
    if whole:
        coefficients = np.linalg.pinv(design) @ centred
    else:
        coefficients = _solve_gappy(design, years, right, seen, count)
    squares = np.einsum("tc,tc->c", centred, centred) - np.einsum("pc,pc->c", coefficients, right)
    freedom = np.maximum(count - design.shape[1], 1)
    phases = (np.arange(CYCLE_POINTS) + 0.5) / CYCLE_POINTS
    terms = harmonic_terms(phases, (design.shape[1] - 2) // 2).astype(np.float32)
    cycle = coefficients[2:].T.astype(np.float32) @ terms.T
    peak = 1 + 12 * phases[cycle.argmax(axis=1)]
    return {
        "growth": coefficients[1],
        "mean": coefficients[0] + level,
        "amplitude": cycle.max(axis=1) - cycle.min(axis=1),
        "month_of_maximum": np.where(np.isnan(coefficients[0]), np.nan, peak),
        "residual_std": np.sqrt(np.maximum(squares, 0.0) / freedom),
        "n": count,
    }


def _solve_gappy(
    design: np.ndarray, years: np.ndarray, right: np.ndarray, seen: np.ndarray, count: np.ndarray
) -> np.ndarray:
    """(term, cell) coefficients from each cell's own normal equations; NaN where they cannot be told apart."""
    terms = design.shape[1]
    solution = np.full((terms, count.size), np.nan)
    cells = np.flatnonzero(count >= FEWEST_MONTHS)
    upper = np.triu_indices(terms)
    mask = seen[:, cells]
    first, last = years[mask.argmax(axis=0)], years[years.size - 1 - mask[::-1].argmax(axis=0)]
    normal = np.empty((cells.size, terms, terms))
    normal[:, upper[0], upper[1]] = mask.T.astype(np.float64) @ (design[:, upper[0]] * design[:, upper[1]])
    normal[:, upper[1], upper[0]] = normal[:, upper[0], upper[1]]
    scale = 1 / np.sqrt(np.maximum(np.einsum("cii->ci", normal), 1e-12))
    normal *= scale[:, :, None] * scale[:, None, :]
    inverse = np.linalg.inv(normal + 1e-9 * np.eye(terms))  # a singular cell shows as a huge inverse, not as an error
    inflation = np.einsum("cii->ci", inverse)
    sound = (last - first >= FEWEST_YEARS) & (inflation > 0).all(axis=1) & (inflation < LARGEST_INFLATION).all(axis=1)
    scaled = scale * np.einsum("cij,cj->ci", inverse, scale * right[:, cells].T)
    solution[:, cells[sound]] = scaled[sound].T
    return solution
