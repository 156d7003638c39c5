"""Statistics over the Earth's surface: every cell counts by its area, missing cells count nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.canonical import cell_bounds

EARTH_RADIUS_KM = 6371.0072
"""Radius of the sphere with the Earth's surface area (authalic radius of WGS84); cubes use the same."""

LIMIT_CELLS = 100_000
"""Cells that suffice for colour limits: the 2nd percentile of so many is good to a twentieth of a percentile."""


def cell_areas(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Exact areas of longitude-latitude cells on the sphere, R^2 dlon (sin north - sin south).

    Parameters
    ----------
    lat, lon : (n_lat,), (n_lon,) ascending cell centres in degrees; edges lie halfway between them, latitudes end at
        the poles.

    Returns
    -------
    (n_lat, n_lon) km2.
    """
    south, north = np.radians(cell_bounds(lat, limit=(-90.0, 90.0))).T
    west, east = np.radians(cell_bounds(lon)).T
    return EARTH_RADIUS_KM**2 * np.outer(np.sin(north) - np.sin(south), east - west)


def zonal_mean(values: np.ndarray) -> np.ndarray:
    """Mean along the last axis (cells of one latitude have one area), ignoring NaN; NaN where a row has none.

    Shapes: (..., lat, lon) -> (..., lat), float64.
    """
    seen = np.isfinite(values)
    count = seen.sum(axis=-1)
    total = np.where(seen, values, 0.0).sum(axis=-1, dtype=np.float64)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation over an area (of its cells, not of the mean), and the area that had values."""

    mean: float
    std: float
    weight: float


def weighted_moments(values: np.ndarray, weights: np.ndarray) -> Moments:
    """Mean and standard deviation with weights (areas); NaN values count nothing, none at all gives NaN.

    Parameters
    ----------
    values : any shape.
    weights : a shape that broadcasts to it, finite and >= 0.
    """
    values, weights = _pairs(values, weights)
    total = float(weights.sum())
    if total == 0:
        return Moments(np.nan, np.nan, 0.0)
    mean = float(weights @ values) / total
    return Moments(mean, float(np.sqrt(weights @ (values - mean) ** 2 / total)), total)


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, q: np.ndarray | list[float]) -> np.ndarray:
    """Quantiles by area: the smallest value such that a share `q` of the area with values lies at or below it.

    Parameters
    ----------
    values, weights : as in `weighted_moments`.
    q : (k,) shares, 0..1.

    Returns
    -------
    (k,) float64, NaN where there is no value.
    """
    values, weights = _pairs(values, weights)
    if weights.size == 0:
        return np.full(np.shape(q), np.nan)
    return np.quantile(values, np.asarray(q, dtype=np.float64), weights=weights, method="inverted_cdf")


def robust_limits(
    values: np.ndarray, weights: np.ndarray, *, low: float = 0.02, high: float = 0.98
) -> tuple[float, float]:
    """Colour limits that a few odd cells cannot stretch: quantiles by area, never equal; (0, 1) without any value.

    Of large fields, evenly chosen cells stand for all (some `LIMIT_CELLS`).
    """
    values, weights = np.broadcast_arrays(values, weights, subok=True)
    stride = max(1, int(np.sqrt(values.size / LIMIT_CELLS))) if values.ndim == 2 else 1
    thinned = (slice(None, None, stride),) * values.ndim
    values, weights = values[thinned], weights[thinned]
    bottom, top = weighted_quantiles(values, weights, [low, high])
    if np.isnan(bottom):
        return 0.0, 1.0
    if top <= bottom:
        margin = max(abs(bottom) * 1e-6, 1e-6)
        return float(bottom - margin), float(top + margin)
    return float(bottom), float(top)


@dataclass(frozen=True)
class Histogram:
    """Area by value: `edges` (bins + 1,) in the values' unit, `area` (bins,) in the weights', and the area outside."""

    edges: np.ndarray
    area: np.ndarray
    below: float
    above: float


def histogram(values: np.ndarray, weights: np.ndarray, *, bins: int, limits: tuple[float, float]) -> Histogram:
    """How much area has which value.

    Parameters
    ----------
    values, weights : as in `weighted_moments`.
    bins : number of bins of equal width, at least 1.
    limits : lower and upper edge; the upper one belongs to the last bin.

    Raises
    ------
    ValueError : the limits do not rise or `bins` < 1.
    """
    if bins < 1 or not limits[0] < limits[1]:
        raise ValueError(f"expected at least one bin between two rising limits, found {bins} in {limits}.")
    values, weights = _pairs(values, weights)
    area, edges = np.histogram(values, bins=bins, range=limits, weights=weights)
    below, above = weights[values < limits[0]].sum(), weights[values > limits[1]].sum()
    return Histogram(edges=edges, area=area, below=float(below), above=float(above))


def _pairs(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finite values with positive weight and their weights, as two float64 vectors."""
    values = np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan) if np.ma.isMA(values) else np.asarray(values)
    weights = np.broadcast_to(np.asarray(weights, dtype=np.float64), values.shape)
    keep = np.isfinite(values) & (weights > 0)
    return values[keep].astype(np.float64), weights[keep]
