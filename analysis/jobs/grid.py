"""The job "grid": soundings of the archive onto a regular grid, as maps of mean, spread, standard error and counts.

Files of the archive are read and summed by overpass on the workers; what comes of them is brought together period by
period, packed and compressed on the workers again, and written into a cube that appears when it is whole.
How soundings are weighted: `analysis.gridding.overpasses` and docs/decisions/gridding-weights.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.gridding.cells import cut_to_box, global_grid
from analysis.gridding.maps import layers
from analysis.gridding.overpasses import WEIGHTS
from analysis.gridding.provenance import WEIGHTING, provenance
from analysis.gridding.selection import Piece, Selection, Source
from analysis.gridding.statistics import error_floor
from analysis.gridding.tasks import PeriodWork, PieceWork, map_period, sum_piece
from analysis.jobs.job import Cost, Job
from analysis.jobs.maps import MEANS, CubeOfRun, span_of, titled, wished_name, write_maps
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
    sums = _sum_up(context, sources, selection, floors, grid)
    order = [(place, period) for place, found in enumerate(sums) for period in sorted(found)]
    works = [
        PeriodWork(
            key=f"{place}-{period}",
            grid=grid,
            variables=tuple(variables[place]),
            weights=settings["weights"],
            floor=floors[place],
            months=[files for _, files in sorted(sums[place][period].items())],
        )
        for place, period in order
    ]
    cubes = [
        _cube(context, number, source, grid, variables[number], floors[number], len(sources) > 1)
        for number, source in enumerate(sources)
    ]
    cells = 0
    for maps in write_maps(context, map_period, works, order, cubes):
        cells += int(maps["n_soundings"].rows.count.sum())
    context.scores["cells"] = float(cells)


Sums = dict[int, dict[int, list[str]]]
"""Period -> month -> files with what was summed of it."""


def _sum_up(
    context: JobContext, sources: list[Source], selection: Selection, floors: list[float], grid: Grid
) -> list[Sums]:
    """Sum all pieces of the archive on the workers; where the sums of each source lie."""
    folder = context.checkpoint_folder / "sums"
    folder.mkdir(parents=True, exist_ok=True)
    every = context.settings["every"]
    works = [
        PieceWork(number, piece, selection, source.with_error, floors[number], every, grid, str(folder))
        for number, source in enumerate(sources)
        for piece in source.pieces
    ]
    done = context.map(
        sum_piece,
        works,
        key=lambda work: work.name,
        label="Summing soundings",
        unit="soundings",
        size=lambda work: work.piece.rows,
    )
    sums: list[Sums] = [{} for _ in sources]
    passed = np.zeros((len(sources), 3), dtype=np.int64)
    summed = 0
    for work, found in done:
        for period, file in found.files.items():
            sums[work.source].setdefault(period, {}).setdefault(work.piece.month, []).append(file)
        passed[work.source] += found.soundings, found.raised, found.without_error
        summed += found.summed
    for number, source in enumerate(sources):
        _tell(context, source, floors[number], *passed[number].tolist())
        if not sums[number]:
            raise AnalysisError(
                f"expected soundings of {source.label} that pass the choice of quality, mode, surface and box, found none among "
                f"{source.soundings}; choose more widely."
            )
    context.scores["soundings"] = float(summed)
    return sums


def _tell(context: JobContext, source: Source, floor: float, passed: int, raised: int, without: int) -> None:
    context.log(f"{source.label}: {passed} of {source.soundings} soundings passed the choice.")
    if raised:
        context.log(
            f"{source.label}: {raised} soundings state an error below {floor:g} {source.units}; it was raised to that."
        )
    if without:
        context.log(f"{source.label}: {without} soundings state no error; in their overpasses all count the same.")


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


_SECONDS_A_SOUNDING = 6e-7
_SECONDS_A_MAP, _SECONDS_A_CHUNK = 0.03, 0.003
_BYTES_A_SOUNDING = 250
"""Measured: read, summed and brought together; compressed and written, one variable; of a piece, or of a month's sums."""


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
    seconds = 4.0 + (rows * _SECONDS_A_SOUNDING + maps * (_SECONDS_A_MAP + _SECONDS_A_CHUNK * chunks)) / workers
    memory = 300_000_000 + workers * (250_000_000 + _BYTES_A_SOUNDING * max(largest, min(rows, 750_000)))
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
