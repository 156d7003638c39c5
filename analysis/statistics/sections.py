"""Profiles, sections and stability of CO2 from a volume of mole fractions (`data.volumes`), read step by step.

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
    TimeStatistics,
    VerticalAxis,
    Zone,
    column_mean,
    level_middles,
    on_axis,
    stability_margin,
    stable_zone,
)
from data.cube.region import region_windows
from data.volumes import Columns, Volume

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from data.cube.grid import Grid

MOST_STEPS = 400
"""Steps of which a statistic in time is made at most; of more, evenly chosen ones are taken."""

BAND_DEGREES = 10.0
"""Height of the latitude bands of the zone's table."""

Progress = Callable[[int, int], None]


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


@dataclass(frozen=True)
class Stability:
    """What the stability zone is made of, by height and latitude.

    Attributes
    ----------
    axis : of the first dimension.
    lat : (lat,) degrees; row_areas (lat,) km2.
    mean, height_km, gradient : (m, lat): ppm, km and the mean of |dC/dz| in ppm/km over time and longitude.
    squares, freedom : deviations from the mean in time, squared and summed over time and longitude, and their degrees of
        freedom; `squares_detrended`, `freedom_detrended` the same about each column's own trend.
    steps : how many steps it was made of, out of `steps_all`.
    start, end : first and last time.
    """

    axis: VerticalAxis
    lat: np.ndarray
    row_areas: np.ndarray
    mean: np.ndarray
    height_km: np.ndarray
    gradient: np.ndarray
    squares: np.ndarray
    freedom: np.ndarray
    squares_detrended: np.ndarray
    freedom_detrended: np.ndarray
    steps: int
    steps_all: int
    start: np.datetime64
    end: np.datetime64

    def variation(self, *, detrended: bool) -> np.ndarray:
        """(m, lat) standard deviation in time at a place, ppm: root mean square over the columns of a latitude."""
        squares, freedom = self._squares(detrended)
        return _root(squares, freedom)

    def _squares(self, detrended: bool) -> tuple[np.ndarray, np.ndarray]:
        return (self.squares_detrended, self.freedom_detrended) if detrended else (self.squares, self.freedom)

    def band(self, south: float, north: float, *, detrended: bool) -> Band | None:
        """The mean of the latitudes between two, by area; None where there are none."""
        rows = np.flatnonzero((self.lat >= south) & (self.lat < north))
        if not rows.size:
            return None
        weights = np.broadcast_to(self.row_areas[rows], (self.axis.values.size, rows.size))
        squares, freedom = (part[:, rows] for part in self._squares(detrended))
        return Band(
            south,
            north,
            _weighted(self.mean[:, rows], weights),
            _weighted(self.height_km[:, rows], weights),
            _weighted(self.gradient[:, rows], weights),
            _root((squares * weights).sum(axis=1), (freedom * weights).sum(axis=1)),
        )


@dataclass(frozen=True)
class Band:
    """Profiles (m,) of a latitude band: ppm, km, ppm/km, ppm."""

    south: float
    north: float
    mean: np.ndarray
    height_km: np.ndarray
    gradient: np.ndarray
    variation: np.ndarray


@dataclass(frozen=True)
class ZoneRow:
    """The stability zone of a latitude band, and means over its heights; `zone` is None where there is none."""

    south: float
    north: float
    zone: Zone | None
    mean: float
    gradient: float
    variation: float


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
    profiles = _profiles(volume.columns(step, component, columns=columns), axis)
    return LatitudeSection(volume.grid.lat, _mean(profiles.values), _mean(profiles.height_km))


def profile(volume: Volume, step: int, component: str, axis: VerticalAxis, selection: Selection) -> Profile:
    """The profile of a place (one column) or the mean one of a region, at one step."""
    values, heights, weights, columns, levels = [], [], [], [], None
    for rows, cols, weight in selection.parts:
        found = volume.columns(step, component, rows, cols)
        inside = weight > 0
        part = _profiles(found, axis)
        values.append(part.values[:, inside])
        heights.append(part.height_km[:, inside])
        weights.append(weight[inside])
        columns.append(column_mean(found.values, found.pressure_hpa, found.humidity)[inside])
        levels = found
    value, height, weight = np.concatenate(values, 1), np.concatenate(heights, 1), np.concatenate(weights)
    mean = _weighted(value, np.broadcast_to(weight, value.shape))
    spread = np.sqrt(_weighted((value - mean[:, None]) ** 2, np.broadcast_to(weight, value.shape)))
    column = np.concatenate(columns)
    nothing = np.array([])
    level_values, level_hpa, level_km = nothing, nothing, nothing
    if value.shape[1] == 1 and levels is not None:
        middle_hpa, middle_m = level_middles(levels.pressure_hpa, levels.height_m)
        level_values, level_hpa, level_km = (part[:, 0, 0] for part in (levels.values, middle_hpa, middle_m / 1e3))
    return Profile(
        mean,
        spread,
        _weighted(height, np.broadcast_to(weight, value.shape)),
        float(_weighted(column[None], weight[None])[0]),
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


def stability(
    volume: Volume,
    component: str,
    axis: VerticalAxis,
    *,
    steps: Sequence[int] | np.ndarray | None = None,
    within_months: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Progress = lambda done, total: None,
) -> Stability:
    """Mean |dC/dz| and variation in time of every column, gathered by latitude.

    Parameters
    ----------
    steps : of the period; all by default. More than `MOST_STEPS` are thinned evenly.
    within_months : variation about the mean (or trend) of each calendar month, pooled, instead of that of the whole
        period: what the weather does, without season and growth. Needs several steps a month.

    Raises
    ------
    SeriesTooShort : fewer than three steps (in every month, with `within_months`).
    Cancelled : `cancelled` said so.
    """
    every = volume.steps_with(component) if steps is None else np.asarray(steps, dtype=int)
    chosen = thinned(every)
    months = volume.times[chosen].astype("datetime64[M]")
    most = int(np.unique(months, return_counts=True)[1].max()) if within_months and len(chosen) else len(chosen)
    if most < 3:
        where = "a calendar month" if within_months else "the period"
        raise SeriesTooShort(
            f"Variation in time needs at least three times in {where}; {volume.title} has {most}. "
            + ("Choose the variation over the whole period." if within_months else "Choose a longer period.")
        )
    shape = (axis.values.size, volume.grid.nlat, volume.grid.nlon)
    groups = np.unique(months) if within_months else [None]
    totals = _Totals(shape)
    done = 0
    for group in groups:
        members = chosen if group is None else chosen[months == group]
        running = TimeStatistics(shape, reference=400.0 if component == "co2" else 0.0)
        for step in members:
            if cancelled():
                raise Cancelled("The zone is no longer wanted.")
            running.add(
                _profiles(volume.columns(int(step), component), axis, totals.heights), _years(volume.times[step])
            )
            done += 1
            progress(done, len(chosen))
        totals.take(running)
    return totals.result(volume, axis, steps=len(chosen), every=len(every), span=volume.times[chosen[[0, -1]]])


def zone_table(
    found: Stability,
    *,
    gradient_limit: float,
    variation_limit: float,
    detrended: bool,
    band_degrees: float = BAND_DEGREES,
) -> list[ZoneRow]:
    """The stability zone of each latitude band, from north to south; bands without data are left out."""
    rows = []
    for south in np.arange(-90.0, 90.0, band_degrees)[::-1]:
        band = found.band(float(south), float(south + band_degrees), detrended=detrended)
        if band is None or not np.isfinite(band.mean).any():
            continue
        margin = stability_margin(
            band.gradient, band.variation, gradient_limit=gradient_limit, variation_limit=variation_limit
        )
        zone = stable_zone(margin, found.axis, band.height_km)
        inside = slice(0, 0) if zone is None else slice(zone.first, zone.last + 1)
        means = (
            float(np.nanmean(part[inside])) if zone is not None else np.nan
            for part in (band.mean, band.gradient, band.variation)
        )
        rows.append(ZoneRow(band.south, band.north, zone, *means))
    return rows


def thinned(steps: Sequence[int] | np.ndarray) -> np.ndarray:
    """At most `MOST_STEPS` of them, evenly chosen, the first and last among them."""
    steps = np.asarray(steps, dtype=int)
    if steps.size <= MOST_STEPS:
        return steps
    return steps[np.unique(np.round(np.linspace(0, steps.size - 1, MOST_STEPS)).astype(int))]


class _Totals:
    """Sums over longitude and groups of steps."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        rows = shape[:2]
        self.heights = _HeightSums(rows)
        self.gradient, self.columns = np.zeros(rows), np.zeros(rows)
        self.mean, self.weight = np.zeros(rows), np.zeros(rows)
        self.pairs = {detrended: (np.zeros(rows), np.zeros(rows)) for detrended in (False, True)}

    def take(self, group: TimeStatistics) -> None:
        gradient, mean = group.mean_gradient, group.mean
        for target, counts, values in ((self.gradient, self.columns, gradient), (self.mean, self.weight, mean)):
            good = np.isfinite(values)
            target += np.where(good, values * group.count, 0.0).sum(axis=-1)
            counts += np.where(good, group.count, 0).sum(axis=-1)
        for detrended, (squares, freedom) in self.pairs.items():
            some, degrees = group.squares(detrended=detrended)
            squares += np.where(degrees > 0, some, 0.0).sum(axis=-1)
            freedom += degrees.sum(axis=-1)

    def result(self, volume: Volume, axis: VerticalAxis, *, steps: int, every: int, span: np.ndarray) -> Stability:
        with np.errstate(invalid="ignore", divide="ignore"):
            return Stability(
                axis=axis,
                lat=volume.grid.lat,
                row_areas=volume.grid.row_areas(),
                mean=self.mean / self.weight,
                height_km=self.heights.mean,
                gradient=self.gradient / self.columns,
                squares=self.pairs[False][0],
                freedom=self.pairs[False][1],
                squares_detrended=self.pairs[True][0],
                freedom_detrended=self.pairs[True][1],
                steps=steps,
                steps_all=every,
                start=span[0],
                end=span[-1],
            )


class _HeightSums:
    """Mean height of each place of the axis by latitude."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.total, self.count = np.zeros(shape), np.zeros(shape)

    def __call__(self, height_km: np.ndarray) -> None:
        good = np.isfinite(height_km)
        self.total += np.where(good, height_km, 0.0).sum(axis=-1)
        self.count += good.sum(axis=-1)

    @property
    def mean(self) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.total / self.count


def _profiles(columns: Columns, axis: VerticalAxis, tell: Callable[[np.ndarray], None] | None = None) -> Profiles:
    found = on_axis(columns.values, columns.pressure_hpa, columns.height_m, axis)
    if tell is not None:
        tell(found.height_km)
    return found


def _years(time: np.datetime64) -> float:
    """Years since 2010, near enough for a trend."""
    return float((time - np.datetime64("2010-01-01", "ns")) / np.timedelta64(86_400_000_000_000, "ns")) / 365.25


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last dimension of what is there."""
    good = np.isfinite(values)
    count = good.sum(axis=-1)
    total = np.where(good, values, 0.0).sum(axis=-1)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _weighted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the last dimension of what is there."""
    weights = np.where(np.isfinite(values), weights, 0.0)
    total = weights.sum(axis=-1)
    summed = (np.where(np.isfinite(values), values, 0.0) * weights).sum(axis=-1)
    return np.divide(summed, total, out=np.full(total.shape, np.nan), where=total > 0)


def _root(squares: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    return np.sqrt(np.divide(squares, freedom, out=np.full(squares.shape, np.nan), where=freedom > 0))
