"""From winds of an analysis to fluxes of dry air through the faces of any grid and layers.

Winds are interpolated to the faces (linear in longitude and latitude, then in the logarithm of pressure) and multiplied by
the dry air of the layer; the closure afterwards mends what interpolation and analysis leave open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from analysis.grids import Grid, Levels
from analysis.weather.closing import edge_lengths
from analysis.weather.pack import WeatherProblem

FASTEST_WIND = 250.0
"""m s-1; more is another unit."""
MOST_VAPOUR = 0.06
"""kg kg-1."""


@dataclass(frozen=True, eq=False)
class Winds:
    """Winds on the points of an analysis.

    Attributes
    ----------
    lat, lon : (ny,) rising, (nx,) rising and around the Earth, degrees of the points.
    pressure_pa : (lev,) or (lev, ny, nx), strictly monotone along lev, in either order.
    u, v : (lev, ny, nx) m s-1.
    humidity : (levels, ny, nx) kg kg-1 on the first or last of the levels that lie lowest; None for dry air.
    humidity_pressure_pa : its levels where they are others than those of the winds.

    Raises
    ------
    WeatherProblem : NaN, another unit, levels or points out of order, missing levels.
    """

    lat: np.ndarray
    lon: np.ndarray
    pressure_pa: np.ndarray
    u: np.ndarray
    v: np.ndarray
    humidity: np.ndarray | None = None
    humidity_pressure_pa: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = (len(self.pressure_pa), len(self.lat), len(self.lon))
        for name, limit in (("u", FASTEST_WIND), ("v", FASTEST_WIND)):
            values = getattr(self, name)
            if values.shape != shape:
                raise WeatherProblem(
                    f"{name} has shape {values.shape}, but levels and points make {shape}; take winds of one grid and the "
                    "same levels."
                )
            _finite(name, values)
            if np.abs(values).max() > limit:
                raise WeatherProblem(
                    f"{name} reaches {np.abs(values).max():g}, faster than any wind in m s-1; check its unit."
                )
        for name in ("lat", "lon"):
            if len(getattr(self, name)) < 4 or not (np.diff(getattr(self, name)) > 0).all():
                raise WeatherProblem(f"{name} of the winds must rise from point to point; turn it around.")
        if self.lat[0] < -90.01 or self.lat[-1] > 90.01 or self.lat[0] > -80 or self.lat[-1] < 80:
            raise WeatherProblem(
                f"Winds must cover the Earth, found latitudes {self.lat[0]:g} to {self.lat[-1]:g}; take the global files."
            )
        step = np.diff(self.lon)
        if self.lon[-1] - self.lon[0] + step.max() < 360 - 0.5 * step.max():
            raise WeatherProblem(
                f"Winds must go around the Earth, found longitudes {self.lon[0]:g} to {self.lon[-1]:g}; take the global "
                "files."
            )
        _levels("pressure", self.pressure_pa)
        if self.humidity is not None:
            _finite("humidity", self.humidity)
            if self.humidity.max() > MOST_VAPOUR or self.humidity.min() < -0.01:
                raise WeatherProblem(
                    f"Specific humidity lies within 0..{MOST_VAPOUR} kg kg-1, found {self.humidity.min():g} to "
                    f"{self.humidity.max():g}; check its unit."
                )
            _levels("humidity's pressure", self._humidity_pressure)

    @property
    def _humidity_pressure(self) -> np.ndarray:
        return self.pressure_pa if self.humidity_pressure_pa is None else self.humidity_pressure_pa


@dataclass(frozen=True, eq=False)
class Analysed:
    """An interval of an analysis.

    Attributes
    ----------
    start, seconds : when.
    winds : mean of the interval.
    pressure_start, pressure_end : (ny, nx) Pa of moist air at the surface.
    fields : `analysis.weather.pack.FIELDS` on the analysis' points: (ny, nx), or for convection (lev, ny, nx) on
        `field_edges_pa`.
    field_edges_pa : (lev + 1, ny, nx) Pa, the surface first, between which convective detrainment is given; the convective mass
        flux is given at all of them.
    """

    start: np.datetime64
    seconds: float
    winds: Winds
    pressure_start: np.ndarray
    pressure_end: np.ndarray
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    field_edges_pa: np.ndarray | None = None


class Points:
    """Interpolation from an analysis' points to others, linear in latitude and longitude, around the Earth.

    Parameters
    ----------
    lat, lon : points, rising.
    to_lat, to_lon : where values are wanted: a rectangle of them.
    """

    def __init__(self, lat: np.ndarray, lon: np.ndarray, to_lat: np.ndarray, to_lon: np.ndarray) -> None:
        self._rows = _weights(lat, np.clip(to_lat, lat[0], lat[-1]))
        wrapped = np.concatenate([lon, [lon[0] + 360.0]])
        self._columns = _weights(wrapped, lon[0] + (np.asarray(to_lon) - lon[0]) % 360.0)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(..., ny, nx) to (..., to_lat, to_lon), float64."""
        (low, share), (west, part) = self._rows, self._columns
        values = np.asarray(values, dtype=np.float64)
        values = np.concatenate([values, values[..., :1]], axis=-1)
        across = values[..., west] * (1 - part) + values[..., west + 1] * part
        return across[..., low, :] * (1 - share)[:, None] + across[..., low + 1, :] * share[:, None]


def _weights(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    below = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 2)
    return below, (wanted - known[below]) / (known[below + 1] - known[below])


class FluxMaker:
    """Fluxes on one grid from winds on given points; tables are made once.

    Parameters
    ----------
    grid, levels : of the pack.
    lat, lon : points of the analysis.
    """

    def __init__(self, grid: Grid, levels: Levels, lat: np.ndarray, lon: np.ndarray) -> None:
        self.grid, self.levels = grid, levels
        west = np.where(grid.lon_edges[:-1] > 180, grid.lon_edges[:-1] - 360, grid.lon_edges[:-1])
        self.centres = Points(lat, lon, grid.lat, grid.lon)
        self._west = Points(lat, lon, grid.lat, west)
        self._south = Points(lat, lon, grid.lat_edges, grid.lon)

    def dry_pressure(self, winds: Winds, moist_pressure: np.ndarray) -> np.ndarray:
        """(lat, lon) Pa of dry air at the surface for that of moist air on the analysis' points."""
        return self._dry(self.centres, winds, moist_pressure)[0]

    def fluxes(self, winds: Winds, moist_pressure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(lev, lat, lon), (lev, lat + 1, lon) kg s-1 of dry air through western and southern faces, not closed yet."""
        west_length, south_length = edge_lengths(self.grid)
        made = []
        for points, speed, length in ((self._west, winds.u, west_length), (self._south, winds.v, south_length)):
            dry, middle = self._dry(points, winds, moist_pressure)
            wind = to_pressures(points(speed), _at(points, winds.pressure_pa), middle)
            made.append(wind * self.levels.layer_mass(dry) * length)
        made[1][:, 0] = made[1][:, -1] = 0.0
        return made[0], made[1]

    def _dry(self, points: Points, winds: Winds, moist_pressure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Dry surface pressure, and the pressure (lev, ...) of moist air in the middle of the layers."""
        moist = points(moist_pressure)
        edges = self.levels.edge_pressure(moist)
        middle = np.sqrt(np.maximum(edges[1:], 1.0) * edges[:-1])
        if winds.humidity is None:
            return moist, middle
        vapour = to_pressures(points(winds.humidity), _at(points, winds._humidity_pressure), middle)
        highest = _at(points, winds._humidity_pressure).min(axis=0)
        vapour[middle < highest] = 0.0  # no humidity is given where there is next to none
        return moist + (np.diff(edges, axis=0) * np.maximum(vapour, 0.0)).sum(axis=0), middle

    def fields(self, analysed: Analysed) -> dict[str, np.ndarray]:
        """Boundary-layer and convective fields on the grid and its layers."""
        made = {name: self.centres(values) for name, values in analysed.fields.items() if values.ndim == 2}
        edges = analysed.field_edges_pa
        if edges is None:
            return made
        pressure = self.centres((analysed.pressure_start + analysed.pressure_end) / 2)
        ours, theirs = self.levels.edge_pressure(pressure), self.centres(edges)
        if (flux := analysed.fields.get("convective_mass_flux")) is not None:
            at_edges = to_pressures(self.centres(flux), np.maximum(theirs, 1.0), np.maximum(ours, 1.0))
            at_edges[0] = 0.0
            made["convective_mass_flux"] = np.maximum(at_edges[:-1], 0.0)
        if (detrained := analysed.fields.get("convective_detrainment")) is not None:
            # what is detrained below a pressure, so that nothing is lost between layers of other thickness
            below = np.concatenate([np.zeros_like(theirs[:1]), np.cumsum(self.centres(detrained), axis=0)])
            made["convective_detrainment"] = np.maximum(
                np.diff(to_pressures(below, np.maximum(theirs, 1.0), np.maximum(ours, 1.0)), axis=0), 0.0
            )
        return made


def to_pressures(values: np.ndarray, pressure: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Interpolate columns, linear in the logarithm of pressure and constant beyond the ends.

    Parameters
    ----------
    values : (known, ny, nx).
    pressure : (known, ny, nx) Pa, strictly monotone along the first axis.
    wanted : (levels, ny, nx) Pa.

    Returns
    -------
    (levels, ny, nx) float64.
    """
    values, pressure = np.asarray(values, dtype=np.float64), np.log(np.asarray(pressure, dtype=np.float64))
    if pressure[0, 0, 0] > pressure[-1, 0, 0]:
        values, pressure = values[::-1], pressure[::-1]
    shape = wanted.shape
    flat = [np.ascontiguousarray(part).reshape(part.shape[0], -1) for part in (values, pressure, np.log(wanted))]
    return _interpolate(*flat).reshape(shape)


@njit(nogil=True, cache=True)
def _interpolate(values, pressure, wanted):
    """values, pressure: (known, columns), rising; wanted: (levels, columns)."""
    levels, columns = wanted.shape
    known = values.shape[0]
    out = np.empty((levels, columns))
    for level in range(levels):
        for column in range(columns):
            target = wanted[level, column]
            low, high = 0, known - 1
            if target <= pressure[0, column]:
                out[level, column] = values[0, column]
                continue
            if target >= pressure[high, column]:
                out[level, column] = values[high, column]
                continue
            while high - low > 1:
                middle = (low + high) // 2
                if pressure[middle, column] <= target:
                    low = middle
                else:
                    high = middle
            share = (target - pressure[low, column]) / (pressure[high, column] - pressure[low, column])
            out[level, column] = values[low, column] * (1.0 - share) + values[high, column] * share
    return out


def _at(points: Points, pressure: np.ndarray) -> np.ndarray:
    """(lev, ...) pressure at interpolated points."""
    if pressure.ndim == 3:
        return points(pressure)
    rows, columns = len(points._rows[0]), len(points._columns[0])
    return np.broadcast_to(np.asarray(pressure, dtype=np.float64)[:, None, None], (len(pressure), rows, columns))


def _finite(name: str, values: np.ndarray) -> None:
    missing = int((~np.isfinite(values)).sum())
    if missing:
        raise WeatherProblem(
            f"{missing} of {values.size} values of {name} are missing or infinite; fill them, or take other files."
        )


def _levels(name: str, pressure: np.ndarray) -> None:
    steps = np.diff(pressure, axis=0)
    if len(pressure) < 4 or not ((steps > 0).all() or (steps < 0).all()) or not (pressure > 0).all():
        raise WeatherProblem(f"The {name} levels must be at least four, and rise or fall from one to the next.")
    if pressure.max() < 50_000 or pressure.max() > 120_000:
        raise WeatherProblem(
            f"The {name} levels reach {pressure.max():g} Pa near the ground; expected some 100000, so levels are missing or "
            "in another unit."
        )
