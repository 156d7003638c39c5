"""Where CO2 is stable with height and with time: gradient and variation of a volume by height and latitude, and the zone
in which both are small (docs/decisions/stability-zone.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.errors import SeriesTooShort
from analysis.statistics.sections import Cancelled, profiles, thinned, weighted_mean
from analysis.statistics.vertical import TimeStatistics, VerticalAxis, Zone, stability_margin, stable_zone
from data.volumes import Volume

BAND_DEGREES = 10.0
"""Height of the latitude bands of the zone's table."""

Progress = Callable[[int, int], None]


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
            weighted_mean(self.mean[:, rows], weights),
            weighted_mean(self.height_km[:, rows], weights),
            weighted_mean(self.gradient[:, rows], weights),
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
            found = profiles(volume.columns(int(step), component), axis)
            totals.heights(found.height_km)
            running.add(found, _years(volume.times[step]))
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


def _years(time: np.datetime64) -> float:
    """Years since 2010, near enough for a trend."""
    return float((time - np.datetime64("2010-01-01", "ns")) / np.timedelta64(86_400_000_000_000, "ns")) / 365.25


def _root(squares: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    return np.sqrt(np.divide(squares, freedom, out=np.full(squares.shape, np.nan), where=freedom > 0))
