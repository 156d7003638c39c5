"""The weather pack: closed air-mass fluxes and what mixing needs, interval by interval, in one zarr store that says what it is.

Only horizontal fluxes and surface pressure are kept; the vertical flux follows from continuity. Fluxes are float32, and the
surface pressure (float64, dry air) is the one that the rounded fluxes lead to, so a replay agrees to rounding: that is
the gate, run over everything when a pack is written and over some intervals when it is opened. A pack appears under its
name only when it is complete.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from analysis.errors import AnalysisError
from analysis.grids import Grid, GridError, Levels
from analysis.transport.errors import TransportError
from analysis.transport.fluxes import MassFluxes, air_mass, closed

LAYOUT = 1
KIND = "carbonweather weather pack"
REPLAY_LIMIT = 1e-10
"""Largest part by which replayed and stated air mass of a cell may differ."""
OPENING_CHECKS = 3
"""Intervals that are replayed when a pack is opened: first, middle, last."""

FIELDS = {
    "boundary_layer_height": ("m", 2),
    "friction_velocity": ("m s-1", 2),
    "sensible_heat_flux": ("W m-2", 2),
    "convective_mass_flux": ("kg m-2 s-1", 3),
    "convective_detrainment": ("kg m-2 s-1", 3),
}
"""What a pack may hold beside fluxes: unit, and 2 for (lat, lon) or 3 for layers (the flux: lower edges) as well."""


def to_second(moment: np.datetime64 | str) -> np.datetime64:
    """A moment in whole seconds, as packs keep them."""
    return cast(np.datetime64, np.asarray(moment, dtype="datetime64[s]")[()])


def moments(start: np.datetime64, end: np.datetime64, step: np.timedelta64) -> list[np.datetime64]:
    """Beginnings of intervals from start to before end."""
    return list(np.arange(to_second(start), to_second(end), step))


class WeatherProblem(AnalysisError):
    """Meteorology that cannot be made into a pack, or a pack that is not what it says."""


@dataclass(frozen=True, eq=False)
class RawInterval:
    """Closed fluxes of some time, as makers hand them to `write_pack`.

    Attributes
    ----------
    start : beginning, UTC.
    seconds : length.
    x, y : (lev, lat, lon), (lev, lat + 1, lon) float32 kg s-1 of dry air through western and southern faces.
    pressure_end : (lat, lon) Pa of dry air at the end, exactly what x and y lead to.
    residual : what closing had to mend, rms in hPa a day (0 for fluxes that close by themselves).
    fields : some of `FIELDS`, (lat, lon) or (lev, lat, lon).
    """

    start: np.datetime64
    seconds: float
    x: np.ndarray
    y: np.ndarray
    pressure_end: np.ndarray
    residual: float = 0.0
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Interval:
    """Some time in which the fluxes are constant.

    Attributes
    ----------
    start : UTC.
    seconds : length.
    fluxes : kg s-1, vertical ones included.
    surface_pressure : (lat, lon) Pa of dry air at the start.
    fields : as in `RawInterval`, float64.
    """

    start: np.datetime64
    seconds: float
    fluxes: MassFluxes
    surface_pressure: np.ndarray
    fields: dict[str, np.ndarray]


class Weather:
    """An opened pack.

    Parameters
    ----------
    path : folder or fsspec URL of the store.

    Raises
    ------
    WeatherProblem : not a pack, of another layout, damaged, or its fluxes do not lead from one surface pressure to the
        next.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import zarr

        self.path = os.fspath(path)
        try:
            self._group: Any = zarr.open_group(self.path, mode="r")
            attrs: dict[str, Any] = dict(self._group.attrs)
        except Exception as error:  # zarr raises many kinds for what is not there or not a store
            raise WeatherProblem(
                f"{self.path}: expected a weather pack, found {_first_line(error)}; make one with `carbonweather weather`."
            ) from error
        if attrs.get("kind") != KIND:
            raise WeatherProblem(
                f"{self.path}: expected a weather pack, found another zarr store; make a pack with `carbonweather weather`."
            )
        if attrs.get("layout") != LAYOUT:
            raise WeatherProblem(
                f"{self.path}: expected layout {LAYOUT}, found {attrs.get('layout')}; use the version that wrote it."
            )
        self.attrs = attrs
        try:
            grid, levels = attrs["grid"], attrs["levels"]
            self.grid = Grid(np.array(grid["lon_edges"]), np.array(grid["lat_edges"]), grid["name"])
            self.levels = Levels(np.array(levels["a_pa"]), np.array(levels["b"]), levels["name"])
            self.time_edges = np.array(attrs["time_edges"], dtype="datetime64[s]")
            arrays: Any = self._group
            shapes = {name: arrays[name].shape for name in ("x", "y", "surface_pressure")}
        except (KeyError, TypeError, ValueError, GridError) as error:
            raise WeatherProblem(f"{self.path}: the pack is damaged ({_first_line(error)}); make it again.") from error
        nz, (ny, nx), n = self.levels.count, self.grid.shape, len(self)
        expected = {"x": (n, nz, ny, nx), "y": (n, nz, ny + 1, nx), "surface_pressure": (n + 1, ny, nx)}
        if shapes != expected or n < 1:
            raise WeatherProblem(f"{self.path}: the pack is damaged (arrays of {shapes}); make it again.")
        for number in sorted({0, n // 2, n - 1})[:OPENING_CHECKS]:
            self.check(number)

    def __len__(self) -> int:
        return len(self.time_edges) - 1

    @property
    def source(self) -> str:
        """Where the weather comes from, for labels."""
        return str(self.attrs["source"])

    @property
    def simulated(self) -> bool:
        """True if it is invented."""
        return bool(self.attrs["simulated"])

    @property
    def dry_mass_kg(self) -> float:
        """Dry air of the Earth in this pack."""
        return float(self.attrs["dry_mass_kg"])

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """Which of `FIELDS` the pack holds."""
        return tuple(name for name in FIELDS if f"field_{name}" in self._group)

    def surface_pressure(self, edge: int) -> np.ndarray:
        """(lat, lon) Pa of dry air at one of `time_edges`."""
        return np.asarray(self._read("surface_pressure", edge), dtype=np.float64)

    def interval(self, number: int) -> Interval:
        """The fluxes of one interval.

        Raises
        ------
        WeatherProblem : no such interval, or it cannot be read.
        """
        if not 0 <= number < len(self):
            raise WeatherProblem(f"{self.path}: there are {len(self)} intervals; number {number} is not one of them.")
        x, y = self._read("x", number), self._read("y", number)
        try:
            fluxes = closed(x.astype(np.float64), y.astype(np.float64), self.levels)
        except TransportError as error:
            raise WeatherProblem(f"{self.path}: interval {number} is damaged: {error}") from error
        return Interval(
            start=self.time_edges[number],
            seconds=float((self.time_edges[number + 1] - self.time_edges[number]) / np.timedelta64(1, "s")),
            fluxes=fluxes,
            surface_pressure=self.surface_pressure(number),
            fields={name: self._read(f"field_{name}", number).astype(np.float64) for name in self.field_names},
        )

    def covering(self, start: np.datetime64, end: np.datetime64) -> range:
        """Numbers of the intervals from start to end, which must be edges of intervals.

        Raises
        ------
        WeatherProblem : outside the pack, or within an interval.
        """
        edges = self.time_edges
        wanted = [to_second(moment) for moment in (start, end)]
        first, last = (int(number) for number in np.searchsorted(edges, wanted))
        known = np.isin(wanted, edges)
        if not known.all() or first >= last:
            raise WeatherProblem(
                f"{self.path}: expected a time within {edges[0]} to {edges[-1]} that begins and ends with its intervals, "
                f"found {start} to {end}; choose such times, or make a pack of these."
            )
        return range(first, last)

    def check(self, number: int) -> float:
        """Replay one interval; returns the largest difference relative to the cells' air.

        Raises
        ------
        WeatherProblem : more than `REPLAY_LIMIT`.
        """
        interval = self.interval(number)
        error = replay_error(
            self.grid,
            self.levels,
            interval.fluxes,
            interval.surface_pressure,
            self.surface_pressure(number + 1),
            interval.seconds,
        )
        if not error <= REPLAY_LIMIT:
            raise WeatherProblem(
                f"{self.path}: the fluxes of {interval.start} miss the next air mass by {error:.1e} of a cell (at most "
                f"{REPLAY_LIMIT:.0e} may be); the pack is damaged, make it again."
            )
        return error

    def _read(self, name: str, number: int) -> np.ndarray:
        try:
            return np.asarray(self._group[name][number])
        except Exception as error:  # codecs and stores raise many kinds
            raise WeatherProblem(
                f"{self.path}: {name} of interval {number} cannot be read ({_first_line(error)}); make the pack again."
            ) from error


def replay_error(
    grid: Grid, levels: Levels, fluxes: MassFluxes, before: np.ndarray, after: np.ndarray, seconds: float
) -> float:
    """Largest relative difference between replayed and stated air mass of a cell; surface pressures in Pa."""
    return fluxes.replay_error(air_mass(grid, levels, before), air_mass(grid, levels, after), seconds)


def write_pack(
    path: str | os.PathLike[str],
    grid: Grid,
    levels: Levels,
    pressure_start: np.ndarray,
    intervals: Iterable[RawInterval],
    *,
    source: str,
    simulated: bool,
    notes: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Weather:
    """Write a pack whole, or nothing.

    Parameters
    ----------
    path : a local folder that does not exist yet (an existing pack is replaced only when the new one is complete).
    pressure_start : (lat, lon) Pa of dry air at the start of the first interval.
    intervals : one after the other, without gaps.
    source, simulated : what the weather is.
    notes : further attributes (citation, settings).
    progress : called with the number of intervals that are written.

    Raises
    ------
    WeatherProblem : a gap in time, an interval that fails the replay, no intervals, no room.
    """
    target = Path(path)
    hidden = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        attributes = _write(hidden, grid, levels, pressure_start, intervals, progress) | {
            "source": source,
            "simulated": simulated,
            **(notes or {}),
        }
        _finish(hidden, attributes)
        if target.exists():
            if not (target / "zarr.json").exists():
                raise WeatherProblem(f"{target}: there is something else already; choose another name for the pack.")
            shutil.rmtree(target)
        os.replace(hidden, target)
    except OSError as error:
        raise WeatherProblem(
            f"{target}: the pack could not be written ({error.strerror or error}); nothing was kept, free some space or "
            "choose another folder."
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return Weather(target)


def _write(
    hidden: Path,
    grid: Grid,
    levels: Levels,
    pressure_start: np.ndarray,
    intervals: Iterable[RawInterval],
    progress: Callable[[int], None] | None,
) -> dict[str, Any]:
    import zarr

    nz, (ny, nx) = levels.count, grid.shape
    group: Any = zarr.open_group(hidden, mode="w", zarr_format=3)
    shapes = {"x": (nz, ny, nx), "y": (nz, ny + 1, nx), "surface_pressure": (ny, nx)}

    def put(name: str, number: int, values: np.ndarray, dtype: str) -> None:
        if name not in group:
            group.create_array(name, shape=(0, *values.shape), chunks=(1, *values.shape), dtype=dtype)
        array = group[name]
        array.resize((number + 1, *values.shape))
        array[number] = values

    pressure = np.asarray(pressure_start, dtype=np.float64)
    mass = air_mass(grid, levels, pressure)  # refuses other shapes and units
    put("surface_pressure", 0, pressure, "f8")
    edges: list[np.datetime64] = []
    worst, residuals = 0.0, []
    for number, interval in enumerate(_checked(intervals, shapes)):
        start = to_second(interval.start)
        if edges and start != edges[-1]:
            raise WeatherProblem(
                f"The weather has a gap: an interval ends {edges[-1]} and the next begins {start}; supply what is missing."
            )
        if not edges:
            edges.append(start)
        edges.append(start + np.timedelta64(round(interval.seconds), "s"))
        fluxes = closed(interval.x.astype(np.float64), interval.y.astype(np.float64), levels)
        after = air_mass(grid, levels, interval.pressure_end)
        error = fluxes.replay_error(mass, after, interval.seconds)
        if not error <= REPLAY_LIMIT:
            raise WeatherProblem(
                f"The fluxes of {start} miss the next air mass by {error:.1e} of a cell; at most {REPLAY_LIMIT:.0e} may be."
            )
        worst, mass = max(worst, error), after
        residuals.append(interval.residual)
        put("x", number, interval.x, "f4")
        put("y", number, interval.y, "f4")
        put("surface_pressure", number + 1, interval.pressure_end, "f8")
        for name, values in interval.fields.items():
            put(f"field_{name}", number, values.astype(np.float32), "f4")
        if progress is not None:
            progress(number + 1)
    if len(edges) < 2:
        raise WeatherProblem("There is no weather in this time; nothing was written.")
    lengths = {name: group[name].shape[0] for name in group.array_keys() if name.startswith("field_")}
    if any(length != len(edges) - 1 for length in lengths.values()):
        raise WeatherProblem(f"Some intervals lack fields that others have ({lengths}); give all or none.")
    first = air_mass(grid, levels, np.asarray(pressure_start, dtype=np.float64)).sum()
    return {
        "kind": KIND,
        "layout": LAYOUT,
        "grid": {"lon_edges": grid.lon_edges.tolist(), "lat_edges": grid.lat_edges.tolist(), "name": grid.name},
        "levels": {"a_pa": levels.a_pa.tolist(), "b": levels.b.tolist(), "name": levels.name},
        "time_edges": [str(edge) for edge in edges],
        "dry_mass_kg": float(first),
        "dry_mass_drift": float(mass.sum() / first - 1.0),
        "closure_residual_hpa_per_day": float(np.max(residuals)),
        "replay_error": worst,
        "units": {"x": "kg s-1", "y": "kg s-1", "surface_pressure": "Pa (dry air)"}
        | {f"field_{name}": unit for name, (unit, _) in FIELDS.items()},
    }


def _checked(intervals: Iterable[RawInterval], shapes: Mapping[str, tuple[int, ...]]) -> Iterator[RawInterval]:
    nz, ny, nx = shapes["x"]
    for interval in intervals:
        for name, values in (("x", interval.x), ("y", interval.y), ("surface_pressure", interval.pressure_end)):
            if values.shape != shapes[name] or not np.isfinite(values).all():
                raise WeatherProblem(
                    f"The weather of {interval.start} has {name} of shape {values.shape} (expected {shapes[name]})"
                    f"{'' if np.isfinite(values).all() else ' with NaN'}; mend or leave out that time."
                )
        if not 0 < interval.seconds <= 10 * 86_400:
            raise WeatherProblem(f"An interval of {interval.seconds:g} s is no weather; use up to ten days.")
        for name, values in interval.fields.items():
            if name not in FIELDS:
                raise WeatherProblem(f"'{name}' is not a field of weather packs; they hold {', '.join(FIELDS)}.")
            expected = (ny, nx) if FIELDS[name][1] == 2 else (nz, ny, nx)
            if values.shape != expected or not np.isfinite(values).all():
                raise WeatherProblem(
                    f"{name} of {interval.start} has shape {values.shape} (expected {expected})"
                    f"{'' if np.isfinite(values).all() else ' and NaN'}; mend it or leave the field out."
                )
        yield interval


def _finish(hidden: Path, attributes: Mapping[str, Any]) -> None:
    import zarr

    zarr.open_group(hidden, mode="r+").attrs.update(json.loads(json.dumps(attributes)))
    for folder, _, names in os.walk(hidden):
        for name in names:
            with open(os.path.join(folder, name), "rb") as stream:
                os.fsync(stream.fileno())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
