"""The job "grid": soundings of the archive onto a regular grid, as maps of mean, spread, standard error and counts.

Files of the archive are read, summed by overpass, brought together period by period, packed and compressed on the workers;
the steps are written into a cube that appears when it is whole.
How soundings are weighted: `analysis.gridding.overpasses` and docs/decisions/gridding-weights.md.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import AnalysisError
from analysis.gridding import selection as selecting
from analysis.gridding.cells import cut_to_box, global_grid
from analysis.gridding.maps import layers
from analysis.gridding.overpasses import WEIGHTS
from analysis.gridding.periods import SHORTER_THAN_A_MONTH, Every, month_period
from analysis.gridding.provenance import WEIGHTING, provenance
from analysis.gridding.publishing import FEW_STEPS
from analysis.gridding.selection import Piece, Selection, Source
from analysis.gridding.statistics import error_floor
from analysis.gridding.tasks import Passed, PeriodWork, PieceWork, map_period, sum_piece
from analysis.jobs.job import Cost, Job
from analysis.jobs.maps import MEANS, CubeOfRun, span_of, titled, wished_name
from analysis.jobs.selecting import (
    ERROR_FLOOR,
    NAME,
    WHAT,
    WHEN,
    WHICH,
    archive_input,
    chosen_sources,
    counted,
    periods_of,
    selection_of,
)
from data.cube import Grid, Variable

if TYPE_CHECKING:
    from analysis.jobs.context import JobContext
    from data.runs import RunInput

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **WHAT,
        **WHEN,
        "resolution": {
            "title": "Cell size",
            "description": "Of the square cells; must divide 180 degrees (0.05, 0.1, 0.25, 0.5, 1, 2.5, ...).",
            "type": "number",
            "minimum": 0.01,
            "maximum": 90,
            "x-unit": "degrees",
            "default": 0.05,
        },
        **WHICH,
        "weights": {
            "title": "Weights",
            "description": (
                "Soundings of one overpass share errors and weather. 'Overpasses': each counts once in its cell, however many soundings "
                "it has. 'Inverse variance': each by its stated error. 'Soundings': every sounding counts the same."
            ),
            "type": "string",
            "enum": list(WEIGHTS),
            "default": "overpasses",
        },
        "error_floor": ERROR_FLOOR,
        "name": NAME,
    },
}


def grid_of(settings: dict[str, Any]) -> Grid:
    """The cells of the maps.

    Raises
    ------
    AnalysisError : a resolution that does not divide the globe.
    """
    grid = global_grid(settings["resolution"])
    return grid if settings["box"] is None else cut_to_box(grid, settings["box"])


def _selection(settings: dict[str, Any], grid: Grid) -> Selection:
    edges = (grid.west, grid.south, grid.west + grid.nlon * grid.dlon, grid.south + grid.nlat * grid.dlat)
    return selection_of(settings, box=None if settings["box"] is None else edges)


def inputs(settings: dict[str, Any], home: Path) -> list[RunInput]:
    """The files of the archive that will be read."""
    return archive_input(home, _selection(settings, grid_of(settings)))


def run(context: JobContext) -> None:
    """Grid, and put a cube for each instrument into the data folder."""
    settings = context.settings
    grid = grid_of(settings)
    selection = _selection(settings, grid)
    sources = chosen_sources(context.home, selection)
    variables = [layers(settings["variable"], source.units, source.long_name) for source in sources]
    floors = [error_floor(source.units, settings["error_floor"]) for source in sources]
    folders = {name: context.checkpoint_folder / name for name in ("sums", "maps")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    pieces = [
        PieceWork(
            number, piece, selection, source.with_error, floors[number], settings["every"], grid, str(folders["sums"])
        )
        for number, source in enumerate(sources)
        for piece in source.pieces
    ]
    passed = [Passed() for _ in sources]
    parts = _parts(context, pieces, passed)
    works = [
        PeriodWork(
            key=f"{place}-{period}",
            folder=str(folders["maps"]),
            rows=rows,
            grid=grid,
            variables=tuple(variables[place]),
            weights=settings["weights"],
            floor=floors[place],
            months=[entries for _, entries in sorted(months.items())],
        )
        for (place, period), (rows, months) in parts.items()
    ]
    cubes = [
        _cube(context, number, source, grid, variables[number], floors[number], len(sources) > 1)
        for number, source in enumerate(sources)
    ]
    made = context.map(
        map_period,
        works,
        key=lambda work: work.key,
        label="Making maps",
        unit="soundings",
        size=lambda work: work.rows,
    )
    cells = 0
    for (place, period), (_, found) in zip(parts, made, strict=True):
        context.check()
        passed[place] = passed[place].plus(found.passed)
        if found.maps:
            cubes[place].write(period, found.maps)
            cells += int(found.maps["n_soundings"].rows.count.sum())
    for source, floor, counts in zip(sources, floors, passed, strict=True):
        _tell(context, source, floor, counts)
    for cube in cubes:
        context.check()
        cube.publish()
    context.scores["soundings"] = float(sum(counts.summed for counts in passed))
    context.scores["cells"] = float(cells)


Parts = dict[tuple[int, int], tuple[int, dict[int, list[str | PieceWork]]]]
"""(source, period) -> how many soundings, and by month what there is of them: files of sums, or pieces."""


def _parts(context: JobContext, works: list[PieceWork], passed: list[Passed]) -> Parts:
    """Periods in order, with what there is of each; large ones and those shorter than a month are summed here by piece.

    `passed` is counted up by what was summed.
    """
    every = context.settings["every"]
    parts: Parts = {}

    def add(work: PieceWork, period: int, rows: int, entry: str | PieceWork) -> None:
        before, months = parts.get((work.source, period), (0, {}))
        months.setdefault(work.piece.month, []).append(entry)
        parts[work.source, period] = before + rows, months

    apart = works
    if every not in SHORTER_THAN_A_MONTH:
        rows = _rows_of_periods([(work.source, work.piece) for work in works], every)
        apart, most = [], _together_rows(context)
        for work in works:
            period = month_period(work.piece.month, every)
            if rows[work.source, period] > most:
                apart.append(work)
            else:
                add(work, period, work.piece.rows, work)
    done = context.map(
        sum_piece,
        apart,
        key=lambda work: work.name,
        label="Summing soundings",
        unit="soundings",
        size=lambda work: work.piece.rows,
    )
    for work, found in done:
        passed[work.source] = passed[work.source].plus(found.passed)
        for period, file in found.files.items():
            add(work, period, work.piece.rows // len(found.files), file)
    return dict(sorted(parts.items()))


def _rows_of_periods(pieces: list[tuple[int, Piece]], every: Every) -> Counter[tuple[int, int]]:
    """(number of the source, period of months) -> how many soundings there are of it."""
    rows: Counter[tuple[int, int]] = Counter()
    for source, piece in pieces:
        rows[source, month_period(piece.month, every)] += piece.rows
    return rows


def _together_rows(context: JobContext) -> int:
    """Up to how many soundings a period is worked on in one go: they take half of a worker's memory at most."""
    found = (context.worker_bytes or 0) // 2 // selecting.TOGETHER_BYTES
    return min(max(found, selecting.TOGETHER_ROWS), selecting.MOST_TOGETHER_ROWS)


def _tell(context: JobContext, source: Source, floor: float, passed: Passed) -> None:
    """Say how many soundings there were; AnalysisError if none."""
    context.log(f"{source.label}: {passed.soundings} of {source.soundings} soundings passed the choice.")
    if passed.raised:
        context.log(
            f"{source.label}: {passed.raised} soundings state an error below {floor:g} {source.units}; it was raised to that."
        )
    if passed.without_error:
        context.log(
            f"{source.label}: {passed.without_error} soundings state no error; in their overpasses all count the same."
        )
    if not passed.summed:
        raise AnalysisError(
            f"expected soundings of {source.label} that pass the choice of quality, mode, surface and box, found none among "
            f"{source.soundings}; choose more widely."
        )


def _cube(
    context: JobContext,
    number: int,
    source: Source,
    grid: Grid,
    variables: list[Variable],
    floor: float,
    several: bool,
) -> CubeOfRun:
    settings = context.settings
    variable, every, size = settings["variable"], settings["every"], f"{settings['resolution']:g}"
    name = "XCO2" if variable == "xco2" else variable
    title = titled(source, f"{name} of {source.label}, {MEANS[every]} means at {size}°")
    return CubeOfRun(
        context,
        number,
        name=wished_name(settings["name"], source, several, variable, every, f"{size}deg"),
        title=title,
        grid=grid,
        variables=variables,
        every=every,
        span=span_of(source),
        attrs=provenance(
            source,
            title=title,
            method=_method(settings, floor, source.units),
            run=context.run_id,
            created=context.created.isoformat(),
            settings=settings,
        ),
    )


def _method(settings: dict[str, Any], floor: float, units: str) -> str:
    return (
        f"Cells of {settings['resolution']:g} degrees; a sounding belongs to the cell that holds its centre, southern and "
        f"western edges included; {WEIGHTING[settings['weights']]}. Spread: standard deviation of the soundings. Standard "
        f"error: the largest of the scatter of overpasses, the stated errors and {floor:g} {units}. Quality: "
        f"{settings['quality']}. Cells without soundings are missing."
    )


_SECONDS_TO_START = 2.0
_SECONDS_A_SOUNDING = 4.5e-7
_SECONDS_A_MAP, _SECONDS_A_CHUNK, _SECONDS_TO_SEAL_A_CHUNK = 0.005, 0.00042, 0.001
_BYTES_A_SOUNDING = 250
"""Measured with one worker. Of a sounding: read, summed and brought together. Of a map and of each chunk of it: compressed and
written; of a chunk, series put together. Bytes of memory: of a piece.
"""


def _months(source: Source) -> Iterator[list[Piece]]:
    for _, pieces in itertools.groupby(source.pieces, key=lambda piece: piece.month):
        yield list(pieces)


def preview(settings: dict[str, Any], home: Path) -> Cost:
    """What the run will take, from the archive's contents."""
    from analysis.jobs.cluster import size_of_machine

    grid = grid_of(settings)
    sources = chosen_sources(home, _selection(settings, grid))
    workers, _ = size_of_machine()
    rows = sum(piece.rows for source in sources for piece in source.pieces)
    considered = sum(source.soundings for source in sources)
    cells = grid.nlat * grid.nlon
    steps = sum(periods_of(source, settings["every"]) for source in sources)
    maps = 5 * steps
    chunks = min(cells / 250_000, 5 * considered / steps)  # those of coarser levels included
    largest = max((sum(piece.rows for piece in month) for source in sources for month in _months(source)), default=0)
    a_chunk = _SECONDS_A_CHUNK + (_SECONDS_TO_SEAL_A_CHUNK if steps > FEW_STEPS else 0)
    seconds = _SECONDS_TO_START + (rows * _SECONDS_A_SOUNDING + maps * (_SECONDS_A_MAP + a_chunk * chunks)) / workers
    taken = _BYTES_A_SOUNDING * min(rows, 750_000)
    if settings["every"] not in SHORTER_THAN_A_MONTH:
        pieces = [(number, piece) for number, source in enumerate(sources) for piece in source.pieces]
        of_periods = _rows_of_periods(pieces, settings["every"]).values()
        together = max((each for each in of_periods if each <= selecting.MOST_TOGETHER_ROWS), default=0)
        taken = max(taken, selecting.TOGETHER_BYTES * max(largest, together))
    memory = 300_000_000 + workers * (250_000_000 + taken)
    disk = maps * 20_000 + 12 * min(cells * maps, 5 * considered)
    sentence = (
        f"{counted(considered)} soundings of {', '.join(source.label for source in sources)} onto {counted(cells)} cells, "
        f"{steps} step{'s' if steps != 1 else ''} of 5 variables, on {workers} worker{'s' if workers != 1 else ''}."
    )
    return Cost(seconds, int(memory), int(disk), sentence)


JOB = Job(
    name="grid",
    title="Grid soundings",
    summary=(
        "Soundings of the archive onto a regular grid: maps of mean, spread, standard error, number of soundings and of "
        "overpasses for each day, month, season or year, to be looked at on the Explore page."
    ),
    schema=SCHEMA,
    run=run,
    preview=preview,
    inputs=inputs,
)
