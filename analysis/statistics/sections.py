"""Profiles and sections of CO2 from a volume of mole fractions (`data.volumes`), read step by step.

A zonal or regional mean at a height is that of the columns that reach it: mountains leave the air above them, nothing is
filled in below ground.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import AnalysisError, SeriesTooShort
from analysis.statistics.vertical import (
    Profiles,
    VerticalAxis,
    column_mean,
    level_middles,
    on_axis,
)
from data.cube.region import region_windows
from data.volumes import Columns, Volume

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from data.cube.grid import Grid

MOST_STEPS = 400
"""Steps of which a statistic in time is made at most; of more, evenly chosen ones are taken."""


class Cancelled(AnalysisError):
    """Nobody waits for the result any more."""


@dataclass(frozen=True)
class Selection:
    """Some columns of a grid and their weights (km2).

    Attributes
    ----------
    parts : (rows, columns, weights) of rectangles of cells; a weight of zero is outside.
    """

    parts: tuple[tuple[slice, slice, np.ndarray], ...]

    @classmethod
    def cell(cls, grid: Grid, lon: float, lat: float) -> Selection:
        """The cell that holds a place; AnalysisError outside the grid."""
        row, column = grid.row(lat), grid.column(lon)
        if row is None or column is None:
            raise AnalysisError("The place lies outside the data's area; choose one within it.")
        return cls(((slice(row, row + 1), slice(column, column + 1), np.ones((1, 1))),))

    @classmethod
    def region(cls, grid: Grid, geometry: BaseGeometry) -> Selection:
        """The cells whose centres lie in a region (the one at its centre where it holds none)."""
        found = region_windows(grid, geometry, 0)
        parts = tuple(
            (
                slice(window.row, window.row + window.weights.shape[0]),
                slice(window.column, window.column + window.weights.shape[1]),
                window.weights.astype(np.float64),
            )
            for window in found
        )
        if not parts:
            raise AnalysisError("The region lies outside the data's area; choose one within it.")
        return cls(parts)

    @property
    def count(self) -> int:
        """Number of columns."""
        return sum(int((weights > 0).sum()) for _, _, weights in self.parts)


@dataclass(frozen=True)
class Profile:
    """One place or region at one time.

    Attributes
    ----------
    mean : (m,) ppm on the axis.
    spread : (m,) area-weighted standard deviation among the columns, 0 where there is one.
    height_km : (m,) mean height.
    column_ppm : pressure-weighted dry column mean of the native levels.
    count : number of columns.
    level_values, level_hpa, level_km : the native levels where there is one column, else empty.
    """

    mean: np.ndarray
    spread: np.ndarray
    height_km: np.ndarray
    column_ppm: float
    count: int
    level_values: np.ndarray
    level_hpa: np.ndarray
    level_km: np.ndarray


@dataclass(frozen=True)
class LatitudeSection:
    """Height by latitude at one time: values and heights are (m, lat)."""

    lat: np.ndarray
    values: np.ndarray
    height_km: np.ndarray


@dataclass(frozen=True)
class TimeSection:
    """Height by time at a place or over a region: values (m, n), column_ppm (n,)."""

    times: np.ndarray
    values: np.ndarray
    column_ppm: np.ndarray


def column_map(volume: Volume, step: int, component: str) -> np.ndarray:
    """(lat, lon) column-averaged dry air mole fraction of all cells, ppm."""
    found = volume.columns(step, component)
    return column_mean(found.values, found.pressure_hpa, found.humidity)


def latitude_section(
    volume: Volume, step: int, component: str, axis: VerticalAxis, *, lon: float | None = None
) -> LatitudeSection:
    """Height by latitude at one step: the zonal mean, or along the meridian nearest to `lon`.

    Raises
    ------
    AnalysisError : the meridian lies outside the data.
    """
    columns = slice(None)
    if lon is not None:
        column = volume.grid.column(lon)
        if column is None:
            raise AnalysisError("The meridian lies outside the data's area; choose one within it.")
        columns = slice(column, column + 1)
    found = profiles(volume.columns(step, component, columns=columns), axis)
    return LatitudeSection(volume.grid.lat, _mean(found.values), _mean(found.height_km))


def profile(volume: Volume, step: int, component: str, axis: VerticalAxis, selection: Selection) -> Profile:
    """The profile of a place (one column) or the mean one of a region, at one step."""
    values, heights, weights, columns, levels = [], [], [], [], None
    for rows, cols, weight in selection.parts:
        found = volume.columns(step, component, rows, cols)
        inside = weight > 0
        part = profiles(found, axis)
        values.append(part.values[:, inside])
        heights.append(part.height_km[:, inside])
        weights.append(weight[inside])
        columns.append(column_mean(found.values, found.pressure_hpa, found.humidity)[inside])
        levels = found
    value, height, weight = np.concatenate(values, 1), np.concatenate(heights, 1), np.concatenate(weights)
    mean = weighted_mean(value, np.broadcast_to(weight, value.shape))
    spread = np.sqrt(weighted_mean((value - mean[:, None]) ** 2, np.broadcast_to(weight, value.shape)))
    column = np.concatenate(columns)
    nothing = np.array([])
    level_values, level_hpa, level_km = nothing, nothing, nothing
    if value.shape[1] == 1 and levels is not None:
        middle_hpa, middle_m = level_middles(levels.pressure_hpa, levels.height_m)
        level_values, level_hpa, level_km = (part[:, 0, 0] for part in (levels.values, middle_hpa, middle_m / 1e3))
    return Profile(
        mean,
        spread,
        weighted_mean(height, np.broadcast_to(weight, value.shape)),
        float(weighted_mean(column[None], weight[None])[0]),
        value.shape[1],
        level_values,
        level_hpa,
        level_km,
    )


def time_section(
    volume: Volume,
    component: str,
    axis: VerticalAxis,
    selection: Selection,
    *,
    steps: Sequence[int] | np.ndarray | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> TimeSection:
    """Height by time at a place, or the mean over a region.

    Raises
    ------
    Cancelled : `cancelled` said so.
    SeriesTooShort : no step has the component.
    """
    chosen = thinned(volume.steps_with(component) if steps is None else steps)
    if not len(chosen):
        raise SeriesTooShort(f"{volume.title}: there is no time with {component} and pressure.")
    found = []
    for step in chosen:
        if cancelled():
            raise Cancelled("The section is no longer wanted.")
        found.append(profile(volume, int(step), component, axis, selection))
    values = np.stack([part.mean for part in found], axis=1)
    return TimeSection(volume.times[chosen], values, np.array([part.column_ppm for part in found]))


def thinned(steps: Sequence[int] | np.ndarray) -> np.ndarray:
    """At most `MOST_STEPS` of them, evenly chosen, the first and last among them."""
    steps = np.asarray(steps, dtype=int)
    if steps.size <= MOST_STEPS:
        return steps
    return steps[np.unique(np.round(np.linspace(0, steps.size - 1, MOST_STEPS)).astype(int))]


def profiles(columns: Columns, axis: VerticalAxis) -> Profiles:
    """Columns of a volume on common heights."""
    return on_axis(columns.values, columns.pressure_hpa, columns.height_m, axis)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last dimension of what is there."""
    good = np.isfinite(values)
    count = good.sum(axis=-1)
    total = np.where(good, values, 0.0).sum(axis=-1)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the last dimension of what is there."""
    weights = np.where(np.isfinite(values), weights, 0.0)
    total = weights.sum(axis=-1)
    summed = (np.where(np.isfinite(values), values, 0.0) * weights).sum(axis=-1)
    return np.divide(summed, total, out=np.full(total.shape, np.nan), where=total > 0)
