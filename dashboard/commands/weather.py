"""`carbonweather weather`: make weather packs for the transport, from invented winds or a reanalysis, and show what one holds.

A pack appears under its name only when it is complete and has passed its gates; stopped or killed, nothing of it is seen.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dashboard.commands.data_options import home_option, print_progress, root_of
from dashboard.commands.weather_options import (
    Moment,
    expanded,
    files_argument,
    from_option,
    grid_of,
    levels_of,
    pack_options,
    to_option,
)
from dashboard.commands.weather_shown import day, duration, facts_of, print_facts, print_list, short

if TYPE_CHECKING:
    import numpy as np

    from analysis.grids import Grid, Levels
    from analysis.weather import Weather
    from analysis.weather.planning import Series

    Write = Callable[[Path, Callable[[int], None]], Weather]


@click.group("weather")
def command() -> None:
    """Make the weather packs that transport runs use, and show what one holds.

    A pack is weather prepared once for one grid: closed fluxes of air and what mixing needs.
    """


@command.command("synthetic")
@from_option
@to_option
@click.option("--hours", type=click.FloatRange(1, 24), default=6.0, show_default=True, help="Length of an interval.")
@pack_options
def synthetic_command(start: np.datetime64, end: np.datetime64, hours: float, **options: Any) -> None:
    """Invented weather of any year.

    Jets, cells and waves that move, with the strengths of the real ones; not the weather of any day. No files are needed.
    """
    import numpy as np

    from analysis.weather import WeatherProblem, synthetic_weather
    from analysis.weather.planning import closing_seconds
    from analysis.weather.synthetic import fluxes_at

    grid, levels = grid_of(options), levels_of(options)
    step = np.timedelta64(round(hours * 3600), "s")
    count = int((end - start) / step)
    if end <= start or (end - start) % step:
        raise WeatherProblem(
            f"From {start} to {end} is no whole number of {hours:g}-hour intervals; change one of them."
        )

    _make(
        "synthetic",
        grid,
        levels,
        (start, end, count, (0, 0)),
        lambda: closing_seconds(grid, levels, count, lambda tried: lambda: fluxes_at(tried, levels, start)),
        lambda path, progress: synthetic_weather(path, grid, levels, start, end, hours=hours, progress=progress),
        options,
    )


@command.command("ncep")
@files_argument
@click.option("--from", "start", type=Moment(), help="Beginning, UTC; default all that the files hold.")
@click.option("--to", "end", type=Moment(), help="End, UTC.")
@pack_options
def ncep_command(
    files: tuple[Path, ...], start: np.datetime64 | None, end: np.datetime64 | None, **options: Any
) -> None:
    """NCEP/NCAR Reanalysis 1, from NOAA PSL's files.

    Needed are uwnd, vwnd and surface pressure (pres.sfc, pressfc); with shum, vapour is taken off. FILES are netCDF files
    or folders of them, daily or 6-hourly.
    """
    from analysis.weather.planning import ncep_series

    _analysed("ncep-r1", "NCEP/NCAR Reanalysis 1", "ncep-r1", ncep_series(expanded(files), start, end), options)


@command.command("merra2")
@files_argument
@from_option
@to_option
@pack_options
def merra2_command(files: tuple[Path, ...], start: np.datetime64, end: np.datetime64, **options: Any) -> None:
    """MERRA-2, GEOS-FP or GEOS-IT, from GEOS-Chem's files.

    Needed are A3dyn and I3 of each day; A3mstE gives convection, A1 the boundary layer. FILES are netCDF files or folders of
    them. The hour at the end needs the next day's I3 file.
    """
    from analysis.weather.planning import geos_series

    _analysed(
        "merra2", "MERRA-2 (GEOS-Chem's files)", "merra2-geoschem", geos_series(expanded(files), start, end), options
    )


@command.command("era5")
@click.argument("store")
@from_option
@to_option
@click.option("--hours", type=click.IntRange(1, 24), default=3, show_default=True, help="Length of an interval.")
@pack_options
def era5_command(store: str, start: np.datetime64, end: np.datetime64, hours: int, **options: Any) -> None:
    """ERA5, from a zarr store in the ARCO layout.

    On pressure levels. STORE is a zarr folder or its address
    (gs://gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3 needs a connection and gcsfs).
    """
    from analysis.weather.planning import era5_series

    _analysed("era5", "ERA5", "era5-arco", era5_series(store, start, end, hours), options)


@command.command("show")
@click.argument("pack", required=False)
@click.option("--all", "check_all", is_flag=True, help="Replay every interval, not three of them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@home_option
def show_command(pack: str | None, check_all: bool, as_json: bool, home: Path | None) -> None:
    """Show what a pack holds.

    Source, grid, time, dry air, closure and replay. PACK is a folder, or the name of a pack in the data folder; without it
    those are listed.
    """
    from analysis.weather import Weather
    from data.home import weather_dir

    folder = weather_dir(root_of(home))
    if pack is None:
        print_list(folder, as_json)
        return
    if not pack.strip():
        raise click.UsageError(
            "A pack's name or folder is missing; 'carbonweather weather show' lists those in the data folder."
        )
    path = Path(pack).expanduser()
    named = folder / pack
    weather = Weather(named if not path.exists() and named.exists() else path)
    facts = facts_of(weather)
    if check_all:
        facts["replayed_error"] = max(weather.check(number) for number in range(len(weather)))
    if as_json:
        click.echo(json.dumps(facts))
    else:
        print_facts(facts)


# -- making ------------------------------------------------------------------------------------------------------------


def _analysed(origin: str, source: str, catalog: str, series: Series, options: dict[str, Any]) -> None:
    """Make a pack of a reanalysis."""
    from analysis.weather.planning import making_seconds
    from analysis.weather.reanalysis import make_pack
    from data.catalog import entry

    grid, levels = grid_of(options), levels_of(options)
    _make(
        origin,
        grid,
        levels,
        (series.start, series.end, series.count, series.fields),
        lambda: making_seconds(grid, levels, series),
        lambda path, progress: make_pack(
            path,
            grid,
            levels,
            series.read(),
            source=source,
            citation=str(entry(catalog).citation or ""),
            progress=progress,
        ),
        options,
    )


def _make(
    origin: str,
    grid: Grid,
    levels: Levels,
    times: tuple[np.datetime64, np.datetime64, int, tuple[int, int]],
    trial: Callable[[], float],
    write: Write,
    options: dict[str, Any],
) -> None:
    """Say what it takes, then write the pack with a progress bar."""
    from analysis.weather.planning import check_memory, check_room, check_target, clear_abandoned, pack_bytes
    from data.holdings import size_words
    from data.home import weather_dir
    from data.readers.periods import slug

    start, end, count, fields = times
    quiet = bool(options["as_json"])
    name = slug(f"{origin}-{grid.name}-{levels.count}-{day(start)}-{day(end)}")
    target = Path(options["output"] or weather_dir(root_of(options["home"])) / name).expanduser().absolute()
    size = pack_bytes(grid, levels, count, fields)
    check_target(target, replace=options["replace"] or options["preview"])
    check_room(target, size)
    check_memory(grid, levels)
    seconds = trial()
    rows, columns = grid.shape
    if not quiet:
        click.echo(
            f"{count:,} intervals from {short(start)} to {short(end)} on {columns} x {rows} cells and {levels.count} levels: about "
            f"{size_words(size)} and {duration(seconds)}."
        )
    if options["preview"]:
        if quiet:
            click.echo(json.dumps({"intervals": count, "bytes": size, "seconds": seconds, "path": str(target)}))
        else:
            click.echo(f"The pack would be {target}.")
        return
    if (cleared := clear_abandoned(target)) and not quiet:
        click.echo(f"Removed the remains of {cleared} attempt{'s' if cleared > 1 else ''} that had been killed.")
    began = time.perf_counter()
    with _stoppable(), _bar(count, quiet) as progress:
        weather = write(target, progress)
    if quiet:
        click.echo(json.dumps({"status": "done", **facts_of(weather)}))
        return
    click.echo(f"Made in {duration(time.perf_counter() - began)}; all intervals replayed.")
    print_facts(facts_of(weather))


@contextmanager
def _bar(count: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    if quiet:
        yield lambda done: print_progress(done, count, "intervals")
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    parts = (TextColumn("intervals"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def _stoppable() -> Iterator[None]:
    """A request to end (SIGTERM) clears up as Ctrl-C does: nothing of an unfinished pack stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
