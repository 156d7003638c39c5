"""Profiles of CO2: from the levels of a model to common heights or pressures, their column mean, their gradient with
height, their variation in time, and the zone in which both are small.

Arrays have the vertical first (level 1 at the surface, heights rising) and any number of columns after it. Values of a
level stand for its mean; they are placed at the middle of its air mass and joined by straight lines (in height, or in
the logarithm of pressure), which the column mean does not need and does not use.

The stability zone: the heights at which the mean |dC/dz| and the standard deviation of C in time both stay below a limit
each. The limits are a convention, see docs/decisions/stability-zone.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

SCALE_HEIGHT_M = 7000.0
"""Of the thin air in the uppermost level, whose upper boundary has no pressure: its middle lies at half its mass."""

AxisKind = Literal["km", "hPa"]


@dataclass(frozen=True)
class VerticalAxis:
    """Common heights of profiles.

    Attributes
    ----------
    kind : "km" (geopotential height above sea level) or "hPa" (pressure).
    values : (m,) in that unit, from the lowest place upward (so pressures fall).
    """

    kind: AxisKind
    values: np.ndarray

    def __post_init__(self) -> None:
        steps = np.diff(self.values) if self.kind == "km" else -np.diff(self.values)
        rises = self.values.ndim == 1 and self.values.size >= 2 and np.isfinite(self.values).all() and (steps > 0).all()
        if self.kind not in ("km", "hPa") or not rises or (self.kind == "hPa" and self.values.min() <= 0):
            raise ValueError(f"expected at least two places, upward, in km or (positive) hPa, found {self}.")

    @classmethod
    def of(cls, kind: AxisKind, top: float, count: int = 60) -> VerticalAxis:
        """`count` cells' middles from the ground (0 km, 1030 hPa) to `top`: evenly in km, or in the logarithm of hPa."""
        part = (np.arange(count) + 0.5) / count
        if kind == "km":
            return cls(kind, part * top)
        return cls(kind, 1030.0 * (top / 1030.0) ** part)

    @property
    def coordinate(self) -> np.ndarray:
        """(m,) what is interpolated in, rising upward: km, or minus the logarithm of hPa."""
        return self.values if self.kind == "km" else -np.log(self.values)


@dataclass(frozen=True)
class Profiles:
    """Columns on common heights.

    Attributes
    ----------
    values : (m, ...) ppm, NaN below ground and above the middle of the uppermost level.
    height_km : (m, ...) geopotential height of each place.
    """

    values: np.ndarray
    height_km: np.ndarray


def level_middles(pressure_hpa: np.ndarray, height_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pressure (hPa) and height (m) of the middle of each level by mass, from those of its boundaries.

    Within a level height is linear in the logarithm of pressure, as it is where the temperature is even. Above a
    boundary of zero pressure, half of the mass lies within `SCALE_HEIGHT_M` ln 2.

    Shapes: (edge, ...) twice -> (edge - 1, ...) twice.
    """
    below, above = pressure_hpa[:-1].astype(np.float64), pressure_hpa[1:].astype(np.float64)
    bottom, top = height_m[:-1].astype(np.float64), height_m[1:].astype(np.float64)
    middle = 0.5 * (below + above)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.log(below / middle) / np.log(below / above)
        within = bottom + (top - bottom) * part
    return middle, np.where(above > 0, within, bottom + SCALE_HEIGHT_M * np.log(2.0))


def column_mean(values: np.ndarray, pressure_hpa: np.ndarray, humidity: np.ndarray | None = None) -> np.ndarray:
    """Column-averaged dry air mole fraction: each level counts by its dry air, dp (1 - q).

    Gravity is taken as the same at all heights (it falls by 0.3 % in 10 km; O'Dell et al. 2012, AMT 5, 99, keep it).
    Levels without a value count nothing; a column without any is NaN.

    Shapes: (lev, ...), (lev + 1, ...), (lev, ...) or None -> (...), float64 ppm.
    """
    weights = (pressure_hpa[:-1] - pressure_hpa[1:]).astype(np.float64)
    if humidity is not None:
        weights = weights * (1.0 - np.where(np.isfinite(humidity), humidity, 0.0))
    good = np.isfinite(values) & np.isfinite(weights) & (weights > 0)
    weights = np.where(good, weights, 0.0)
    total = weights.sum(axis=0)
    summed = (weights * np.where(good, values, 0.0)).sum(axis=0)
    return np.divide(summed, total, out=np.full(total.shape, np.nan), where=total > 0)


def on_axis(values: np.ndarray, pressure_hpa: np.ndarray, height_m: np.ndarray, axis: VerticalAxis) -> Profiles:
    """Columns on common heights.

    Between the ground and the middle of the lowest level its value holds; below ground and above the middle of the
    uppermost level there is none: nothing is extrapolated.

    Shapes: (lev, ...), (lev + 1, ...) twice -> `Profiles` (m, ...).
    """
    shape = values.shape[1:]
    middle_hpa, middle_m = level_middles(pressure_hpa, height_m)
    middle_km, ground_km = middle_m.reshape(len(values), -1) / 1e3, height_m[0].ravel().astype(np.float64) / 1e3
    targets = axis.coordinate
    flat = np.ascontiguousarray(values.reshape(len(values), -1), dtype=np.float64)
    if axis.kind == "km":
        coordinate, ground = middle_km, ground_km
    else:
        coordinate = -np.log(middle_hpa.reshape(len(values), -1))
        ground = -np.log(pressure_hpa[0].ravel().astype(np.float64))
    found = np.empty((targets.size, flat.shape[1]))
    _interpolate(flat, np.ascontiguousarray(coordinate), ground, targets, found)
    if axis.kind == "km":
        height = np.where(np.isfinite(found), axis.values[:, None], np.nan)
    else:
        height = np.empty_like(found)
        # from the ground upward, so that the lowest half level has a slope as well
        with_ground = np.concatenate([ground_km[None], middle_km])
        _interpolate(with_ground, np.concatenate([ground[None], coordinate]), ground, targets, height)
    return Profiles(found.reshape(-1, *shape), height.reshape(-1, *shape))


@njit(nogil=True, cache=True)
def _interpolate(
    values: np.ndarray, coordinate: np.ndarray, ground: np.ndarray, targets: np.ndarray, out: np.ndarray
) -> None:  # pragma: no cover - compiled
    """values, coordinate (lev, n) rising; ground (n,); targets (m,) rising; out (m, n)."""
    levels, columns = values.shape
    for column in range(columns):
        level = 0
        for place in range(targets.size):
            target = targets[place]
            if not target >= ground[column] or target > coordinate[levels - 1, column]:
                out[place, column] = np.nan
                continue
            while level < levels - 1 and coordinate[level, column] < target:
                level += 1
            upper = coordinate[level, column]
            if level == 0:
                out[place, column] = values[0, column]
                continue
            lower = coordinate[level - 1, column]
            part = (target - lower) / (upper - lower)
            out[place, column] = values[level - 1, column] * (1.0 - part) + values[level, column] * part


@njit(nogil=True, cache=True)
def _accumulate(
    values: np.ndarray,
    height: np.ndarray,
    reference: float,
    year: float,
    count: np.ndarray,
    sums: np.ndarray,
    slope_count: np.ndarray,
) -> None:  # pragma: no cover - compiled
    """Adds one step to the sums of `TimeStatistics`; the gradient is that of `vertical_gradient`."""
    places, columns = values.shape
    for place in range(places):
        for column in range(columns):
            value = values[place, column]
            if not np.isfinite(value):
                continue
            departure = value - reference
            count[place, column] += 1
            sums[0, place, column] += departure
            sums[1, place, column] += departure * departure
            sums[2, place, column] += year
            sums[3, place, column] += year * year
            sums[4, place, column] += year * departure
            here = height[place, column]
            below = above = np.nan
            down = up = 0.0
            if place > 0:
                down = here - height[place - 1, column]
                below = (value - values[place - 1, column]) / down
            if place < places - 1:
                up = height[place + 1, column] - here
                above = (values[place + 1, column] - value) / up
            if np.isfinite(below) and np.isfinite(above):
                slope = (below * up + above * down) / (down + up)
            elif np.isfinite(below):
                slope = below
            else:
                slope = above
            if np.isfinite(slope):
                sums[5, place, column] += abs(slope)
                slope_count[place, column] += 1


def vertical_gradient(values: np.ndarray, height_km: np.ndarray) -> np.ndarray:
    """dC/dz in ppm/km along the first axis: central differences of second order at uneven steps, one-sided at ends.

    Exact for profiles that are quadratic in height (linear at the ends). NaN where a place or both its neighbours
    are missing.

    Shapes: (m, ...) and the same, or (m,) heights -> (m, ...), float64.
    """
    values = np.asarray(values, dtype=np.float64)
    height = np.asarray(height_km, dtype=np.float64)
    if height.ndim == 1:
        height = height.reshape(-1, *([1] * (values.ndim - 1)))
    height = np.where(np.isfinite(values), height, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.diff(values, axis=0) / np.diff(height, axis=0)
    nothing = np.full((1, *values.shape[1:]), np.nan)
    before, after = np.concatenate([nothing, slope]), np.concatenate([slope, nothing])
    step = np.diff(height, axis=0)
    down, up = np.concatenate([nothing, step]), np.concatenate([step, nothing])
    with np.errstate(invalid="ignore"):
        central = (before * up + after * down) / (down + up)
    return np.where(np.isfinite(central), central, np.where(np.isfinite(before), before, after))


class TimeStatistics:
    """Running mean, |dC/dz| and variation in time of columns; steps are added one by one and forgotten.

    Parameters
    ----------
    shape : of the profiles, (m, ...).
    reference : about the values' size; sums are kept of the differences, so that nothing is lost to rounding.
    """

    def __init__(self, shape: tuple[int, ...], reference: float = 400.0) -> None:
        self._reference = reference
        self.count = np.zeros(shape, dtype=np.int32)
        self._sums = np.zeros((6, *shape))  # of c, c^2, t, t^2, t c and |dC/dz|
        self._slope_count = np.zeros(shape, dtype=np.int32)

    def add(self, profiles: Profiles, year: float) -> None:
        """One more step; `year` is its time in years (from any origin near it)."""
        columns = (profiles.values.shape[0], -1)
        _accumulate(
            np.ascontiguousarray(profiles.values.reshape(columns)),
            np.ascontiguousarray(profiles.height_km.reshape(columns)),
            self._reference,
            year,
            self.count.reshape(columns),
            self._sums.reshape(len(self._sums), *columns),
            self._slope_count.reshape(columns),
        )

    @property
    def mean(self) -> np.ndarray:
        """(m, ...) mean in time, ppm."""
        return _divide(self._sums[0], self.count) + self._reference

    @property
    def mean_gradient(self) -> np.ndarray:
        """(m, ...) mean in time of |dC/dz|, ppm/km."""
        return _divide(self._sums[5], self._slope_count)

    def squares(self, *, detrended: bool) -> tuple[np.ndarray, np.ndarray]:
        """(m, ...) sum of squared deviations from the mean, or from the line of least squares in time, and its degrees
        of freedom (steps less one or two; 0 where there are too few).
        """
        n = self.count
        c, cc, t, tt, tc, _ = self._sums
        deviations, freedom = cc - _divide(c**2, n, 0.0), n - 1
        if detrended:
            spread, together = tt - _divide(t**2, n, 0.0), tc - _divide(t * c, n, 0.0)
            enough = spread > 1e-12
            deviations = deviations - np.where(enough, together**2 / np.where(enough, spread, 1.0), 0.0)
            freedom = n - 2
        return np.maximum(deviations, 0.0), np.maximum(freedom, 0)


def _divide(sums: np.ndarray, counts: np.ndarray, missing: float = np.nan) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(np.shape(sums), missing), where=counts > 0)


@dataclass(frozen=True)
class Zone:
    """A range of heights of one profile in which it is stable.

    Attributes
    ----------
    bottom, top : in the axis' unit (km, or hPa: then `bottom` is the larger number).
    depth_km : thickness.
    others : how many further, thinner ranges there are.
    first, last : indices of the lowest and highest place within.
    """

    bottom: float
    top: float
    depth_km: float
    others: int
    first: int
    last: int


def stability_margin(
    gradient: np.ndarray, variation: np.ndarray, *, gradient_limit: float, variation_limit: float
) -> np.ndarray:
    """How far both quantities lie within their limits: 1 where both are zero, 0 at a limit, below it outside.

    Any shape; NaN where one of them is missing.

    Raises
    ------
    ValueError : a limit that is not positive.
    """
    if not (gradient_limit > 0 and variation_limit > 0):
        raise ValueError(f"expected positive limits, found {gradient_limit} ppm/km and {variation_limit} ppm.")
    return np.minimum(1.0 - gradient / gradient_limit, 1.0 - variation / variation_limit)


def stable_zone(
    margin: np.ndarray, axis: VerticalAxis, height_km: np.ndarray, *, least_depth_km: float = 1.0
) -> Zone | None:
    """The thickest range of heights in which the margin is not negative; None where none is `least_depth_km` thick.

    Its ends lie where the margin, joined by straight lines, crosses zero; at the first or last place with a value where
    it does not.

    Parameters
    ----------
    margin : (m,) from `stability_margin`.
    axis : of these places.
    height_km : (m,) their height, for the thickness (``axis.values`` where the axis is in km).
    """
    inside = np.isfinite(margin) & (margin >= 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    ranges = [_range(int(start), int(stop) - 1, margin, axis, height_km) for start, stop in edges.reshape(-1, 2)]
    thick = [found for found in ranges if found.depth_km >= least_depth_km]
    if not thick:
        return None
    best = max(thick, key=lambda found: found.depth_km)
    return Zone(best.bottom, best.top, best.depth_km, len(thick) - 1, best.first, best.last)


def _range(first: int, last: int, margin: np.ndarray, axis: VerticalAxis, height_km: np.ndarray) -> Zone:
    ends = []
    for inner, outer in ((first, first - 1), (last, last + 1)):
        part = 0.0
        if 0 <= outer < margin.size and np.isfinite(margin[outer]):
            part = float(margin[inner] / (margin[inner] - margin[outer]))
        else:
            outer = inner
        place = axis.coordinate[inner] + part * (axis.coordinate[outer] - axis.coordinate[inner])
        height = height_km[inner] + part * (height_km[outer] - height_km[inner])
        ends.append((float(place if axis.kind == "km" else np.exp(-place)), float(height)))
    (bottom, low), (top, high) = ends
    return Zone(bottom, top, high - low, 0, first, last)
