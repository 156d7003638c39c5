"""What making a weather pack takes, known before it begins: its times, its room on disk, the time of one interval.

A year of files is looked through for gaps first, and read day by day, so that a missing file is told at once and a long pack
takes no more memory than a short one.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.grids import Grid, Levels, uniform
from analysis.weather.closing import Closure
from analysis.weather.pack import KIND, WeatherProblem, moments, to_second
from analysis.weather.reanalysis import TWO_DIMENSIONAL, era5_intervals, geos_intervals, ncep_intervals
from analysis.weather.winds import Analysed, FluxMaker

PACKED = 0.95
"""Of the numbers' size is what a pack takes: mantissas of winds hardly compress (measured: 0.91 to 0.95)."""
SPARE_BYTES = 100 * 2**20
"""Of the disk are left free."""
CLOSURE_BYTES, CELL_BYTES = 160, 120
"""Memory for n columns: so many times n log2 n (measured: 131 to 155 where n is large) and so many for each cell."""
TRIED_COLUMNS = 70_000
"""Larger grids are not tried to see how long a pack takes: their pressure equation alone takes minutes."""
ABANDONED_S = 3600.0
"""Hidden remains of a pack that nobody has written to for so long come from a process that was killed."""


@dataclass(frozen=True)
class Series:
    """Weather of a source for some time, not read yet.

    Attributes
    ----------
    start, end : datetime64[s] UTC.
    count : intervals.
    fields : how many fields with (lat, lon) and with levels as well each interval has beside its fluxes.
    read : -> the intervals, one after the other.
    openings : how often files have to be opened anew.
    """

    start: np.datetime64
    end: np.datetime64
    count: int
    fields: tuple[int, int]
    read: Callable[[], Iterator[Analysed]]
    openings: int = 1


def pack_bytes(grid: Grid, levels: Levels, count: int, fields: tuple[int, int] = (0, 0)) -> int:
    """About what a pack of `count` intervals takes on disk."""
    rows, columns = grid.shape
    fluxes = levels.count * (2 * rows + 1) * columns * 4
    extra = (fields[0] + fields[1] * levels.count) * rows * columns * 4
    return round(PACKED * (count * (fluxes + extra) + (count + 1) * rows * columns * 8))


def check_target(target: Path, *, replace: bool) -> None:
    """Refuse a target that would be overwritten, or is something else.

    Raises
    ------
    WeatherProblem : with what to do.
    """
    if not target.exists() and not target.is_symlink():
        return
    if not is_pack(target):
        raise WeatherProblem(f"{target}: there is something else already; choose another name for the pack.")
    if not replace:
        raise WeatherProblem(
            f"{target}: this pack exists; look at it with `carbonweather weather show`, or give --replace."
        )


def is_pack(path: Path) -> bool:
    """True if a folder says that it is a weather pack, whatever its state."""
    try:
        return f'"{KIND}"' in (path / "zarr.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def check_room(target: Path, size: int) -> None:
    """Refuse a pack that the disk has no room for.

    Raises
    ------
    WeatherProblem : with what there is.
    """
    from data.holdings import size_words

    folder = next(parent for parent in (target, *target.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    if size + SPARE_BYTES > free:
        raise WeatherProblem(
            f"{target}: the pack takes about {size_words(size)}, but only {size_words(free)} are free there; free some, "
            "choose another folder, a coarser grid or fewer levels."
        )


def check_memory(grid: Grid, levels: Levels) -> None:
    """Refuse a grid whose pressure equation does not fit into the memory that is free.

    Raises
    ------
    WeatherProblem : with what is needed.
    """
    import psutil

    from data.holdings import size_words

    columns = grid.shape[0] * grid.shape[1]
    needed = round(CLOSURE_BYTES * columns * np.log2(columns) + CELL_BYTES * columns * levels.count)
    free = int(psutil.virtual_memory().available)
    if needed > free:
        raise WeatherProblem(
            f"Weather on {grid.shape[1]} x {grid.shape[0]} cells and {levels.count} levels needs about {size_words(needed)} of "
            f"memory, but only {size_words(free)} are free; choose a coarser grid, a smaller box or fewer levels."
        )


def clear_abandoned(target: Path) -> int:
    """Remove the hidden remains of this pack that killed processes left; returns how many."""
    found = 0
    for hidden in target.parent.glob(f".{target.name}.*.part") if target.parent.is_dir() else ():
        written = max((file.stat().st_mtime for file in (hidden, *hidden.rglob("*"))), default=0.0)
        if time.time() - written > ABANDONED_S:
            shutil.rmtree(hidden, ignore_errors=True)
            found += 1
    return found


def making_seconds(grid: Grid, levels: Levels, series: Series) -> float:
    """How long a pack takes on this machine: two intervals are read, one of them closed.

    Raises
    ------
    DataError, WeatherProblem : as reading the first intervals does.
    """
    began = time.perf_counter()
    intervals = series.read()
    first = next(intervals, None)
    opening = time.perf_counter() - began
    if first is None:
        return 0.0
    began = time.perf_counter()
    reading = time.perf_counter() - began if next(intervals, None) is not None else opening
    mean = (first.pressure_start + first.pressure_end) / 2

    def fluxes(tried: Grid) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        maker = FluxMaker(tried, levels, first.winds.lat, first.winds.lon)

        def make() -> tuple[np.ndarray, np.ndarray]:
            for pressure in (first.pressure_start, first.pressure_end):
                maker.dry_pressure(first.winds, pressure)
            maker.fields(first)
            return maker.fluxes(first.winds, mean)

        return make

    return series.openings * opening + series.count * reading + closing_seconds(grid, levels, series.count, fluxes)


def closing_seconds(
    grid: Grid,
    levels: Levels,
    count: int,
    fluxes: Callable[[Grid], Callable[[], tuple[np.ndarray, np.ndarray]]],
) -> float:
    """How long making and closing the fluxes of `count` intervals takes, from one that is tried.

    Parameters
    ----------
    fluxes : grid -> what makes the fluxes of an interval on it. Grids of more than `TRIED_COLUMNS` are not tried themselves:
        intervals scale with their columns, the pressure equation's factors with the power 1.5.
    """
    columns = grid.shape[0] * grid.shape[1]
    tried = grid if columns <= TRIED_COLUMNS else uniform("1x1")
    scale = columns / (tried.shape[0] * tried.shape[1])
    make, closure, pressure = fluxes(tried), Closure(tried), np.full(tried.shape, 98_000.0)
    seconds = []
    for _ in range(2):  # the second time all is compiled and factorised
        began = time.perf_counter()
        closure.close(levels, *make(), pressure, pressure, 3600.0)
        seconds.append(time.perf_counter() - began)
    return float(max(seconds[0] - seconds[1], 0.0) * scale**1.5 + count * seconds[1] * scale)


# -- times of the sources ----------------------------------------------------------------------------------------------


def ncep_series(paths: Sequence[Path], start: np.datetime64 | None, end: np.datetime64 | None) -> Series:
    """NCEP R1 within a time, or all that the files of the winds hold.

    Raises
    ------
    DataError, WeatherProblem : as `ncep_intervals`; a gap, or a time that is not there.
    """
    from data.readers import read

    times = {name: np.array([], dtype="datetime64[s]") for name in ("u_wind", "v_wind", "surface_pressure")}
    monthly_pressure = False
    for path in paths:
        product = read(path)
        for name in times:
            if name in product.dataset:
                found = product.dataset["time"].to_numpy().astype("datetime64[s]")
                times[name] = np.union1d(times[name], found)
                monthly_pressure |= name == "surface_pressure" and "monthly" in product.collection
    known = np.intersect1d(times["u_wind"], times["v_wind"])
    if not len(known):
        next(ncep_intervals(paths), None)  # says what is missing
        raise WeatherProblem("NCEP R1: uwnd and vwnd have no time in common; take files of the same period.")
    steps = np.diff(known)
    step = steps.min() if len(steps) else np.timedelta64(86_400, "s")
    if step > np.timedelta64(1, "D"):
        raise WeatherProblem(
            f"NCEP R1: the winds come every {step / np.timedelta64(1, 'D'):g} days, which is no weather; take the daily or "
            "6-hourly files (uwnd.2022.nc)."
        )
    first = known[0] if start is None else to_second(start)
    last = known[-1] + step if end is None else to_second(end)
    wanted = np.array(moments(first, last, step), dtype="datetime64[s]")
    absent = wanted[~np.isin(wanted, known)]
    if len(absent) or not len(wanted):
        which = f"no winds for {absent[0]}" if len(absent) else f"no time between {first} and {last}"
        raise WeatherProblem(
            f"NCEP R1: there are {which} (the files hold {known[0]} to {known[-1] + step}); supply the files of that time, or "
            "choose another."
        )
    pressure = times["surface_pressure"]
    lacking = wanted[~np.isin(wanted, pressure)]
    if len(pressure) and not monthly_pressure and len(lacking):
        raise WeatherProblem(f"NCEP R1: there is no surface pressure for {lacking[0]}; supply the files of that time.")

    def within() -> Iterator[Analysed]:
        return (one for one in ncep_intervals(paths) if first <= one.start < last)

    return Series(first, wanted[-1] + step, len(wanted), (0, 0), within)


_GEOS_DAY = re.compile(r"(?i)\.?(\d{8})\.?(A1|A3dyn|A3mstE|I3)\b")


def geos_series(paths: Sequence[Path], start: np.datetime64, end: np.datetime64) -> Series:
    """MERRA-2 and its like between two times, read day by day from the files that name the day.

    Raises
    ------
    WeatherProblem : no time, or days without their files.
    """
    first, last = to_second(start), to_second(end)
    step = np.timedelta64(3 * 3600, "s")
    if not first < last or (last - first) % step:
        raise WeatherProblem(f"From {first} to {last} is no whole number of 3-hour intervals; change one of them.")
    by_day: dict[str, dict[str, list[Path]]] = {}
    undated: list[Path] = []
    streams: set[str] = set()
    for path in paths:
        match = _GEOS_DAY.search(path.name)
        if match is None:
            undated.append(path)
            continue
        streams.add(match[2].lower())
        by_day.setdefault(match[1], {}).setdefault(match[2].lower(), []).append(path)
    days = np.arange(first.astype("datetime64[D]"), (last - np.timedelta64(1, "s")).astype("datetime64[D]") + 1)
    if not undated:
        for day in days:
            lacking = [name for name in sorted({"a3dyn", "i3"} | streams) if name not in by_day.get(_stamp(day), {})]
            if lacking:
                names = {"a3dyn": "A3dyn", "a3mste": "A3mstE", "i3": "I3", "a1": "A1"}
                raise WeatherProblem(
                    f"MERRA-2: there is no {' and no '.join(names[name] for name in lacking)} file of {day}; supply the files "
                    "of that time, or choose another."
                )
        _require_last_pressure(
            [*by_day[_stamp(days[-1])]["i3"], *by_day.get(_stamp(days[-1] + 1), {}).get("i3", [])], last
        )

    def read() -> Iterator[Analysed]:
        for day in days:
            next_day = by_day.get(_stamp(day + 1), {}).get("i3", [])
            files = [path for several in by_day.get(_stamp(day), {}).values() for path in several] + next_day + undated
            begin, until = max(first, to_second(day)), min(last, to_second(day + 1))
            yield from geos_intervals(files, begin, until)

    convection = 2 * ("a3mste" in streams)
    return Series(first, last, int((last - first) / step), (3 * ("a1" in streams), convection), read, len(days))


def _require_last_pressure(paths: Sequence[Path], last: np.datetime64) -> None:
    """The pressure at the end comes with the next day's file, which is easily forgotten."""
    from data.readers import read

    times = np.concatenate([read(path).dataset["time"].to_numpy().astype("datetime64[s]") for path in paths])
    if last not in times:
        raise WeatherProblem(
            f"MERRA-2: there is no surface pressure for {last}, the end (the I3 files of that day hold {times.min()} to "
            f"{times.max()}); supply the next day's I3 file, or end earlier."
        )


def era5_series(store: str, start: np.datetime64, end: np.datetime64, hours: int) -> Series:
    """ERA5 between two times.

    Raises
    ------
    DataError, WeatherProblem : no such store, or times that it does not hold.
    """
    from data.readers.meteorology import open_era5

    first, last = to_second(start), to_second(end)
    step = np.timedelta64(hours * 3600, "s")
    if not first < last or (last - first) % step:
        raise WeatherProblem(
            f"From {first} to {last} is no whole number of {hours}-hour intervals; change one of them."
        )
    dataset = open_era5(store)
    known = dataset["time"].to_numpy().astype("datetime64[s]")
    wanted = np.append(np.array(moments(first, last, step), dtype="datetime64[s]"), last)
    absent = wanted[~np.isin(wanted, known)]
    if len(absent):
        held = f"{known[0]} to {known[-1]}" if len(known) else "nothing"
        raise WeatherProblem(
            f"{store}: there is no hour {absent[0]} (the store holds {held}); choose another time. The hour at the end is "
            "needed, too."
        )
    fields = sum(name in dataset for name in (*TWO_DIMENSIONAL.values(), "sensible_heat"))
    return Series(first, last, len(wanted) - 1, (fields, 0), lambda: era5_intervals(store, first, last, hours=hours))


def _stamp(day: np.datetime64) -> str:
    return str(day).replace("-", "")
