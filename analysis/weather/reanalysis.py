"""Packs from reanalyses: NCEP/NCAR R1, MERRA-2 as GEOS-Chem has it, ERA5 in the ARCO layout.

Each source becomes a series of `Analysed` intervals; `make_pack` turns them into closed fluxes and writes the pack. Files are
read by the data layer's readers, which know names, units and orders; here only times are put together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import xarray as xr

from analysis.grids import Grid, Levels
from analysis.weather.closing import Closure
from analysis.weather.geos_levels import geos_levels
from analysis.weather.pack import RawInterval, Weather, WeatherProblem, moments, to_second, write_pack
from analysis.weather.winds import Analysed, FluxMaker, Winds

TWO_DIMENSIONAL = {
    "boundary_layer_height": "boundary_layer_height",
    "friction_velocity": "friction_velocity",
    "sensible_heat_flux": "sensible_heat_flux",
}
"""Our field -> the readers' name."""


def make_pack(
    path: str | os.PathLike[str],
    grid: Grid,
    levels: Levels,
    analysed: Iterable[Analysed],
    *,
    source: str,
    citation: str = "",
    dry_mass_kg: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Weather:
    """Close the fluxes of an analysis and write them as a pack.

    Parameters
    ----------
    path : new folder.
    analysed : one interval after the other.
    dry_mass_kg : the Earth's dry air; that of the first interval by default. It is kept the same throughout: the
        analysis' own drifts.
    progress : called with the number of intervals that are written.

    Raises
    ------
    WeatherProblem : no intervals, a gap, values that cannot be weather.
    """
    series = iter(analysed)
    first = next(series, None)
    if first is None:
        raise WeatherProblem(f"{source}: there is no weather in the time asked for; nothing was written.")
    maker = FluxMaker(grid, levels, first.winds.lat, first.winds.lon)
    closure = Closure(grid)
    start = maker.dry_pressure(first.winds, first.pressure_start)
    if dry_mass_kg is not None:
        from analysis.transport.fluxes import air_mass

        excess = air_mass(grid, levels, start).sum() - dry_mass_kg
        start = start - excess * 9.80665 / grid.area.sum()

    def intervals() -> Iterator[RawInterval]:
        now = start
        for interval in (first, *series):
            mean = (interval.pressure_start + interval.pressure_end) / 2
            x, y = maker.fluxes(interval.winds, mean)
            target = maker.dry_pressure(interval.winds, interval.pressure_end)
            x32, y32, now, residual = closure.close(levels, x, y, now, target, interval.seconds)
            yield RawInterval(interval.start, interval.seconds, x32, y32, now, residual, maker.fields(interval))

    return write_pack(
        path,
        grid,
        levels,
        start,
        intervals(),
        source=source,
        simulated=False,
        notes={"citation": citation},
        progress=progress,
    )


# -- NCEP/NCAR Reanalysis 1 -------------------------------------------------------------------------------------------


def ncep_intervals(paths: Sequence[Path]) -> Iterator[Analysed]:
    """Daily (or 6-hourly) means of u, v and, if given, humidity and surface pressure; one interval each.

    Where surface pressure comes as monthly means, that of the month stands for all its days, and the tendency is zero: the
    pack then says nothing of the pressure's changes from day to day.

    Raises
    ------
    DataError : a file that cannot be read.
    WeatherProblem : no winds, or winds and pressure that do not belong together.
    """
    fields = _gather(paths, ("u_wind", "v_wind", "specific_humidity", "surface_pressure"))
    for name in ("u_wind", "v_wind", "surface_pressure"):
        if name not in fields:
            raise WeatherProblem(
                f"NCEP R1 needs uwnd, vwnd and surface pressure (pres.sfc or pressfc), found no {name}; add its file."
            )
    u, v, pressure = fields["u_wind"], fields["v_wind"], fields["surface_pressure"]
    times = np.intersect1d(u["time"].to_numpy(), v["time"].to_numpy())
    if len(times) == 0:
        raise WeatherProblem("NCEP R1: uwnd and vwnd have no time in common; take files of the same period.")
    seconds = _spacing(times)
    monthly = len(pressure["time"]) < 2 or _spacing(pressure["time"].to_numpy()) > 20 * 86_400
    humidity = fields.get("specific_humidity")
    for time in times:
        east, north = (_plain(field.sel(time=time)) for field in (u, v))
        wet = None
        if humidity is not None and time in humidity["time"].to_numpy():
            wet = _plain(humidity.sel(time=time))
        winds = Winds(
            lat=u["lat"].to_numpy().astype(np.float64),
            lon=u["lon"].to_numpy().astype(np.float64),
            pressure_pa=_hpa(u),
            u=east,
            v=north,
            humidity=wet,
            humidity_pressure_pa=None if wet is None or humidity is None else _hpa(humidity),
        )
        if monthly:
            month = pressure["time"].to_numpy().astype("datetime64[M]") == time.astype("datetime64[M]")
            if not month.any():
                raise WeatherProblem(f"NCEP R1: there is no surface pressure for {str(time)[:7]}; add its file.")
            start = end = _plain(pressure.isel(time=int(np.flatnonzero(month)[0])))
        else:
            start, end = _means_to_edges(pressure, time)
        yield Analysed(to_second(time), seconds, winds, start, end)


def _means_to_edges(pressure: xr.DataArray, time: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
    """Surface pressure at the beginning and end of an interval whose mean is given, from the means beside it."""
    times = pressure["time"].to_numpy()
    found = np.flatnonzero(times == time)
    if not len(found):
        raise WeatherProblem(f"NCEP R1: there is no surface pressure for {str(time)[:13]}; add its file.")
    at = int(found[0])
    mean = _plain(pressure.isel(time=at))
    before = _plain(pressure.isel(time=max(at - 1, 0)))
    after = _plain(pressure.isel(time=min(at + 1, len(times) - 1)))
    return (before + mean) / 2, (mean + after) / 2


# -- MERRA-2, GEOS-FP, GEOS-IT as processed for GEOS-Chem --------------------------------------------------------------


def geos_intervals(paths: Sequence[Path], start: np.datetime64, end: np.datetime64) -> Iterator[Analysed]:
    """Three-hourly intervals from GEOS-Chem's files: A3dyn (winds, DTRAIN), A3mstE (CMFMC), I3 (PS, QV), A1 (PBLH, USTAR, HFLUX).

    A3 fields are means of three hours labelled with their middle, I3 fields hold at 0, 3, ... UTC, A1 fields are hourly
    means. Without A3mstE there is no convection, without A1 no boundary layer in the pack.

    Raises
    ------
    DataError : a file that cannot be read.
    WeatherProblem : a gap in time, missing levels.
    """
    names = (
        "u_wind",
        "v_wind",
        "surface_pressure",
        "specific_humidity",
        "convective_mass_flux",
        "convective_detrainment",
    )
    fields = _gather(paths, (*names, *TWO_DIMENSIONAL.values()))
    for name in names[:3]:
        if name not in fields:
            raise WeatherProblem(
                f"MERRA-2 needs A3dyn (U, V) and I3 (PS) files of each day, found no {name}; add them."
            )
    u, pressure = fields["u_wind"], fields["surface_pressure"]
    levels = geos_levels(u.sizes["lev"])
    for name, field in fields.items():
        if "lev" in field.dims and field["lev"].attrs.get("positive") == "down":
            _upside_down(f"{name} says that its levels count downwards")
    step = np.timedelta64(180, "m")
    for begin in moments(start, end, step):
        middle = begin + step // 2
        edges = [_at_time(pressure, moment, "PS") for moment in (begin, begin + step)]
        mean = (edges[0] + edges[1]) / 2
        edge_pressure = levels.a_pa[:, None, None] + levels.b[:, None, None] * mean
        layer_pressure = np.sqrt(edge_pressure[1:] * edge_pressure[:-1])
        wet = fields.get("specific_humidity")
        vapour = None
        if wet is not None:
            vapour = np.mean([_at_time(wet, moment, "QV") for moment in (begin, begin + step)], axis=0)
            if np.abs(vapour).max() > 0.1:  # GEOS-Chem's QV may be in g/kg
                vapour = vapour * 1e-3
            if vapour[-1].mean() > vapour[0].mean():
                _upside_down("there is more water vapour in the last level than in the first")
        extra: dict[str, np.ndarray] = {}
        for name in ("convective_mass_flux", "convective_detrainment"):
            if name in fields:
                extra[name] = np.maximum(_at_time(fields[name], middle, name), 0.0)
        for name, theirs in TWO_DIMENSIONAL.items():
            if theirs in fields:
                extra[name] = _mean_between(fields[theirs], begin, begin + step, theirs)
        yield Analysed(
            start=begin,
            seconds=3 * 3600.0,
            winds=Winds(
                lat=u["lat"].to_numpy().astype(np.float64),
                lon=u["lon"].to_numpy().astype(np.float64),
                pressure_pa=layer_pressure,
                u=_at_time(u, middle, "U"),
                v=_at_time(fields["v_wind"], middle, "V"),
                humidity=vapour,
            ),
            pressure_start=edges[0],
            pressure_end=edges[1],
            fields=extra,
            field_edges_pa=np.maximum(edge_pressure, 1.0),
        )


def _upside_down(found: str) -> NoReturn:
    raise WeatherProblem(
        f"MERRA-2: expected levels that count from the ground up, as GEOS-Chem's files have them, found that {found}; turn "
        "lev and ilev around, or take the files made for GEOS-Chem."
    )


# -- ERA5 in the ARCO layout -------------------------------------------------------------------------------------------


def era5_intervals(
    store: str | os.PathLike[str], start: np.datetime64, end: np.datetime64, *, hours: int = 3
) -> Iterator[Analysed]:
    """Intervals from ERA5 on pressure levels (google-research/arco-era5), read lazily, hour by hour.

    Winds are the mean of the hours at the beginning and the end; ERA5 holds no convective mass fluxes.

    Parameters
    ----------
    store : local folder or URL ("gs://gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3").

    Raises
    ------
    DataError : not such a store.
    WeatherProblem : a time that it does not hold.
    """
    from data.readers.meteorology import open_era5

    if not 1 <= hours <= 24:
        raise WeatherProblem(f"Intervals of ERA5 are 1 to 24 hours long, not {hours}.")
    dataset = open_era5(store)
    for name in ("u_wind", "v_wind", "surface_pressure"):
        if name not in dataset:
            raise WeatherProblem(f"{store}: expected ERA5 with {name}, found {', '.join(map(str, dataset.data_vars))}.")
    lat, lon = (dataset[name].to_numpy().astype(np.float64) for name in ("lat", "lon"))
    step = np.timedelta64(hours, "h")
    held: dict[tuple[str, np.datetime64], np.ndarray] = {}

    def at(name: str, moment: np.datetime64) -> np.ndarray:
        key = (name, moment)
        if key not in held:
            held[key] = _at_time(dataset[name], moment, name)
        return held[key]

    for begin in moments(start, end, step):
        both = (begin, begin + step)
        for key in [key for key in held if key[1] < begin]:
            del held[key]
        wet = None
        if "specific_humidity" in dataset:
            wet = np.mean([at("specific_humidity", moment) for moment in both], axis=0)
        extra = {
            name: np.mean([at(theirs, moment) for moment in both], axis=0)
            for name, theirs in TWO_DIMENSIONAL.items()
            if theirs in dataset
        }
        if "sensible_heat" in dataset:  # J m-2 of the hour before, positive down
            extra["sensible_heat_flux"] = -np.mean([at("sensible_heat", moment) for moment in both], axis=0) / 3600.0
        yield Analysed(
            start=begin,
            seconds=hours * 3600.0,
            winds=Winds(
                lat=lat,
                lon=lon,
                pressure_pa=_hpa(dataset["u_wind"]),
                u=np.mean([at("u_wind", moment) for moment in both], axis=0),
                v=np.mean([at("v_wind", moment) for moment in both], axis=0),
                humidity=wet,
            ),
            pressure_start=at("surface_pressure", both[0]),
            pressure_end=at("surface_pressure", both[1]),
            fields=extra,
        )


# -- what they share ----------------------------------------------------------------------------------------------------


def _gather(paths: Sequence[Path], names: Iterable[str]) -> dict[str, xr.DataArray]:
    """Each quantity from all files that hold it, in order of time; a time that comes twice counts once."""
    from data.readers import read

    parts: dict[str, list[xr.DataArray]] = {}
    for path in paths:
        dataset = read(path).dataset
        for name in names:
            if name in dataset:
                parts.setdefault(name, []).append(dataset[name])
    gathered = {}
    for name, found in parts.items():
        try:
            joined = (
                found[0]
                if len(found) == 1
                else xr.concat(found, "time", join="exact", coords="minimal", compat="override")
            )
        except ValueError:
            raise WeatherProblem(
                f"The files with {name} lie on different points or levels; take files of one kind."
            ) from None
        joined = joined.sortby("time")
        times = joined["time"].to_numpy()
        keep = np.concatenate([[True], np.diff(times) > np.timedelta64(0, "s")])[: len(times)]
        gathered[name] = joined.isel(time=np.flatnonzero(keep))
    return gathered


def _at_time(field: xr.DataArray, moment: np.datetime64, name: str) -> np.ndarray:
    times = field["time"].to_numpy().astype("datetime64[s]")
    number = int(np.searchsorted(times, moment))
    if number >= len(times) or times[number] != moment:
        known = f"{times[0]} to {times[-1]}" if len(times) else "nothing"
        raise WeatherProblem(f"There is no {name} for {moment} (there is {known}); supply the files of that time.")
    return _plain(field.isel(time=number))


def _mean_between(field: xr.DataArray, begin: np.datetime64, end: np.datetime64, name: str) -> np.ndarray:
    times = field["time"].to_numpy().astype("datetime64[s]")
    inside = np.flatnonzero((times >= begin) & (times < end))
    if not len(inside):
        raise WeatherProblem(f"There is no {name} between {begin} and {end}; supply the files of that time.")
    return np.asarray(np.mean([_plain(field.isel(time=int(number))) for number in inside], axis=0))


def _plain(field: xr.DataArray) -> np.ndarray:
    return np.asarray(field.to_numpy(), dtype=np.float64)


def _hpa(field: xr.DataArray) -> np.ndarray:
    return field["lev"].to_numpy().astype(np.float64) * 100.0


def _spacing(times: np.ndarray) -> float:
    if len(times) < 2:
        return 86_400.0
    return float(np.median(np.diff(times)) / np.timedelta64(1, "s"))
