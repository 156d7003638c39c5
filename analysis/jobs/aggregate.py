"""The job "aggregate": any variable of the archive by time, region, instrument, mode and quality, as maps, series and tables.

Files of the archive are read and grouped on the workers, whatever the number of soundings; what comes of them is
brought together period by period.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.aggregation.regions import (
    WORLD,
    Region,
    box_region,
    cells_within,
    drawn_region,
    named_region,
    reading_box,
    within_box,
)
from analysis.aggregation.results import Aggregate, describe, percentile_name
from analysis.aggregation.sums import OF, PieceSums, Question, aggregated_periods, piece_sums, region_rows, whole_time
from analysis.aggregation.value_counts import quantiles
from analysis.errors import AnalysisError
from analysis.gridding.cells import cut_to_box, global_grid
from analysis.gridding.maps import STANDARD_NAMES
from analysis.gridding.provenance import provenance
from analysis.gridding.selection import Piece, Source
from analysis.gridding.statistics import error_floor, spread, standard_error
from analysis.jobs.job import Cost, Job
from analysis.jobs.maps import MEANS, CubeOfRun, PeriodMaps, make_maps, span_of, titled, wished_name
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
from data.cube import Variable

if TYPE_CHECKING:
    from analysis.jobs.context import JobContext
    from data.runs import RunInput

STATISTICS = ("mean", "median", "spread", "min", "max", "count")
OUTPUTS = ("series", "table", "map")
_MOST_SCORES = 10

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **WHAT,
        **WHEN,
        "regions": {
            "title": "Regions",
            "description": "Named ones: continents, countries, latitude bands. None and no polygon: the box, or the world.",
            "type": "array",
            "items": {"type": "string", "maxLength": 200, "x-choices-from": "regions"},
            "maxItems": 400,
            "x-choices-from": "regions",
            "default": [],
        },
        "polygon": {
            "title": "Drawn region",
            "description": "One more region by its corners: [[longitude, latitude], ...]; longitudes may run beyond 180.",
            "type": ["array", "null"],
            "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            "minItems": 3,
            "maxItems": 10_000,
            "x-unit": "degrees",
            "default": None,
        },
        **WHICH,
        "of": {
            "title": "Statistics of",
            "description": (
                "'Soundings': every sounding counts the same, which says what the instrument saw. 'Grid cells': means of cells, "
                "each weighing its area, which is nearer to what the region was like; a day counts once in a cell."
            ),
            "type": "string",
            "enum": list(OF),
            "default": "soundings",
        },
        "cell_size": {
            "title": "Cell size",
            "description": "Of maps and of area-weighted statistics; must divide 180 degrees.",
            "type": "number",
            "minimum": 0.05,
            "maximum": 90,
            "x-unit": "degrees",
            "default": 1.0,
        },
        "statistics": {
            "title": "Statistics",
            "description": "The mean comes with its standard error. Medians are exact to 0.001 ppm.",
            "type": "array",
            "items": {"type": "string", "enum": list(STATISTICS)},
            "uniqueItems": True,
            "minItems": 1,
            "default": ["mean", "spread", "count"],
        },
        "percentiles": {
            "title": "Percentiles",
            "description": "Further statistics: numbers from 0 to 100, such as 5 and 95.",
            "type": "array",
            "items": {"type": "number", "minimum": 0, "maximum": 100},
            "uniqueItems": True,
            "maxItems": 20,
            "x-unit": "%",
            "default": [],
        },
        "outputs": {
            "title": "Results",
            "description": "Series over time and a table for the regions, maps of the cells.",
            "type": "array",
            "items": {"type": "string", "enum": list(OUTPUTS)},
            "uniqueItems": True,
            "minItems": 1,
            "default": ["series", "table"],
        },
        "error_floor": ERROR_FLOOR,
        "name": NAME,
    },
}


@dataclass(frozen=True)
class Work:
    """A piece of the archive to be grouped: the item of one task."""

    source: int
    piece: Piece
    question: Question


def group_piece(work: Work) -> PieceSums:
    """Read a piece and group its soundings."""
    return piece_sums(work.piece, work.question)


def regions_of(settings: dict[str, Any]) -> tuple[Region, ...]:
    """The regions asked for, within the box where there is one.

    Raises
    ------
    AnalysisError, StoreProblem : unknown names, corners that make no area, a region outside the box.
    """
    chosen = [named_region(name) for name in dict.fromkeys(settings["regions"])]
    if settings["polygon"] is not None:
        chosen.append(drawn_region(settings["polygon"]))
    if settings["box"] is None:
        return tuple(chosen) or (named_region(WORLD),)
    return tuple(within_box(region, settings["box"]) for region in chosen) or (box_region(settings["box"]),)


def _question(settings: dict[str, Any]) -> Question:
    """What is asked, but for the errors, which depend on the source."""
    regions, grid = regions_of(settings), global_grid(settings["cell_size"])
    near = reading_box(regions, 0.0)
    grid = grid if near is None else cut_to_box(grid, near)
    edges = (grid.west, grid.south, grid.west + grid.nlon * grid.dlon, grid.south + grid.nlat * grid.dlat)
    percents = ([50.0] if "median" in settings["statistics"] else []) + settings["percentiles"]
    return Question(
        selection=selection_of(settings, box=None if near is None else edges),
        every=settings["every"],
        error="",
        floor=0.0,
        regions=regions if {"series", "table"} & set(settings["outputs"]) else (),
        grid=grid,
        of=settings["of"],
        maps="map" in settings["outputs"],
        shares=tuple(percent / 100.0 for percent in percents),
    )


def inputs(settings: dict[str, Any], home: Path) -> list[RunInput]:
    """The files of the archive that will be read."""
    return archive_input(home, _question(settings).selection)


def run(context: JobContext) -> None:
    """Aggregate, write series and tables into the run's folder and put maps into the data folder."""
    settings = context.settings
    asked = _question(settings)
    sources = chosen_sources(context.home, asked.selection)
    units = {source.units for source in sources}
    if len(units) > 1:
        raise AnalysisError(
            f"expected {settings['variable']} in one unit, found {', '.join(sorted(units))}; choose instruments of one unit."
        )
    questions = [
        replace(asked, error=source.with_error, floor=error_floor(source.units, settings["error_floor"]))
        for source in sources
    ]
    kept = [
        PeriodMaps(context.checkpoint_folder / "periods", number, asked.grid, _map_variables(settings, source))
        for number, source in enumerate(sources)
    ]
    found = _aggregated(context, sources, questions, kept)
    if asked.regions:
        _write_files(context, sources, asked.regions, found)
    if asked.maps:
        several = len(sources) > 1
        make_maps(context, kept, [_cube(context, n, source, kept[n], several) for n, source in enumerate(sources)])


Found = dict[tuple[int, int | None], dict[str, np.ndarray]]
"""(source, period, or None for the whole time) -> statistic -> (regions,)."""


def _aggregated(
    context: JobContext, sources: Sequence[Source], questions: Sequence[Question], kept: Sequence[PeriodMaps]
) -> Found:
    """Group all pieces; region statistics are handed back, values of cells are kept in `kept`."""
    settings = context.settings
    works = [Work(number, piece, questions[number]) for number, source in enumerate(sources) for piece in source.pieces]
    grid, regions = questions[0].grid, questions[0].regions
    by_area = settings["of"] == "grid cells"
    members = [cells_within(region, grid) for region in (regions if by_area else ())]
    shown = _cells_shown(settings, questions[0])
    done: Iterator[tuple[Work, PieceSums]] = context.map(
        group_piece,
        works,
        key=lambda work: f"{work.source}-{work.piece.name}",
        label="Grouping soundings",
        unit="soundings",
        size=lambda work: work.piece.rows,
    )
    found: Found = {}
    total = 0
    for number, entries in itertools.groupby(done, key=lambda entry: entry[0].source):
        source, question = sources[number], questions[number]
        parts = ((work.piece.month, sums) for work, sums in entries)
        together: dict[str, Any] = {}
        for period, sums in aggregated_periods(parts, question, source.pieces[-1].month):
            context.check()
            if regions:
                found[number, period] = region_rows(sums, question, members)
                total += int(found[number, period]["soundings"].sum())
                together = whole_time(together, sums)
            if question.maps:
                cells, values, soundings = _map_values(sums, settings, question)
                inside = slice(None) if shown is None else np.isin(cells, shown)
                kept[number].keep(period, cells[inside], values[:, inside], int(soundings[inside].sum()))
        if regions:
            found[number, None] = region_rows(together, question, members)
    if not total and not any(maps.cells for maps in kept):
        raise AnalysisError(
            f"expected soundings of {', '.join(source.label for source in sources)} in the regions that pass the choice of "
            "quality, mode and surface, found none; choose more widely."
        )
    context.scores["soundings"] = float(total or sum(maps.soundings for maps in kept))
    return found


def _cells_shown(settings: dict[str, Any], question: Question) -> np.ndarray | None:
    """Cells of the regions that were chosen, for maps; None for all of the grid."""
    if not question.maps or not (settings["regions"] or settings["polygon"]):
        return None
    return np.unique(np.concatenate([cells_within(region, question.grid)[0] for region in regions_of(settings)]))


def _statistics(settings: dict[str, Any]) -> list[str]:
    """Columns asked for, in the order of the form; `count` stands for what is counted."""
    counts = ["soundings", "cells", "coverage"] if settings["of"] == "grid cells" else ["soundings", "days"]
    wanted = settings["statistics"]
    names = [name for name in STATISTICS if name in wanted and name != "count"]
    names[1:1] = ["standard_error"] if "mean" in wanted else []
    return [*names, *(percentile_name(percent) for percent in settings["percentiles"]), *counts]


def _quantile_places(settings: dict[str, Any]) -> dict[str, int]:
    """Statistic -> its place among the quantiles of `Question.shares`."""
    names = ["median"] if "median" in settings["statistics"] else []
    names += [percentile_name(percent) for percent in settings["percentiles"]]
    return {name: place for place, name in enumerate(names)}


def _map_variables(settings: dict[str, Any], source: Source) -> list[Variable]:
    variable, units = settings["variable"], source.units
    what = STANDARD_NAMES.get(variable.removesuffix("_x2019"), source.long_name or variable)
    named = {"mean": variable, "standard_error": f"{variable}_stderr"}
    found = [
        Variable(named.get(name, f"{variable}_{name}"), units, f"{describe(name)} of {what}", "float32")
        for name in _statistics(settings)
        if name not in ("soundings", "days", "cells", "coverage")
    ]
    return [*found, Variable("n_soundings", "1", f"number of soundings of {what}", "float32")]


def _map_values(
    sums: dict[str, Any], settings: dict[str, Any], question: Question
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the cells, values (variables, cells) float32 and soundings of one period."""
    cells = sums["cells"]
    of_places = _quantile_places(settings)
    found = quantiles(sums["cell_values"], question.shares)[2] if of_places else np.empty((len(cells), 0))
    simple = {
        "mean": lambda: cells.mean,
        "standard_error": lambda: standard_error(cells, question.floor),
        "spread": lambda: spread(cells),
        "min": lambda: cells.low,
        "max": lambda: cells.high,
    }
    rows = [
        found[:, of_places[name]] if name in of_places else simple[name]()
        for name in _statistics(settings)
        if name in of_places or name in simple
    ]
    return cells.cell, np.stack([*rows, cells.count]).astype(np.float32), cells.count


def _write_files(context: JobContext, sources: Sequence[Source], regions: Sequence[Region], found: Found) -> None:
    """Series and tables into the run's folder."""
    settings, places = context.settings, _quantile_places(context.settings)
    periods = sorted({period for _, period in found if period is not None})
    names = _statistics(settings)

    def values(chosen: Sequence[int | None]) -> dict[str, np.ndarray]:
        made = {name: np.full((len(chosen), len(regions), len(sources)), np.nan) for name in names}
        for (number, period), rows in found.items():
            for name in names if period in chosen else ():
                column = rows[f"q{places[name]}"] if name in places else rows[name]
                made[name][chosen.index(period), :, number] = column
        return made

    variable, label = settings["variable"], ", ".join(source.label for source in sources)
    source = _joint(sources)
    what = titled(source, f"{variable} of {label}")
    title = titled(source, f"{variable} of {label}, {MEANS[settings['every']]} statistics of {settings['of']}")
    attrs = provenance(
        source,
        title=title,
        method=_method(settings, error_floor(source.units, settings["error_floor"]), source.units),
        run=context.run_id,
        created=context.created.isoformat(),
        settings=settings,
    )
    made = Aggregate(
        variable=variable,
        units=source.units,
        every=settings["every"],
        periods=tuple(periods),
        span=span_of(source),
        regions=tuple(region.name for region in regions),
        instruments=tuple(source.label for source in sources),
        values=values(periods),
        attrs=attrs,
    )
    if "series" in settings["outputs"]:
        (context.folder / "series.csv").write_text(made.series_csv(), encoding="utf-8")
        context.add_result(f"{what} over time", "series.csv", "series")
        made.write_netcdf(context.folder / "series.nc")
        context.add_result(f"{what} over time (netCDF)", "series.nc", "netcdf")
    whole = replace(made, every="whole", periods=(0,), values=values([None]))
    if "table" in settings["outputs"]:
        (context.folder / "table.csv").write_text(whole.table_csv(), encoding="utf-8")
        context.add_result(f"{what} by region, whole time", "table.csv", "table")
    context.scores["periods"] = float(len(periods))
    if "mean" in names and len(regions) * len(sources) <= _MOST_SCORES:
        for r, region in enumerate(regions):
            for n, each in enumerate(sources):
                if whole.values["soundings"][0, r, n] > 0:
                    context.scores[f"mean, {region.name}, {each.label}"] = float(whole.values["mean"][0, r, n])


def _joint(sources: Sequence[Source]) -> Source:
    """All sources side by side as one, for the texts."""
    scales = dict.fromkeys(source.scale for source in sources)
    return replace(
        sources[0],
        label=" + ".join(source.label for source in sources),
        instruments=tuple(name for source in sources for name in source.instruments),
        collections=tuple(dict.fromkeys(name for source in sources for name in source.collections)),
        versions=tuple(dict.fromkeys(name for source in sources for name in source.versions)),
        catalogs=tuple(dict.fromkeys(name for source in sources for name in source.catalogs)),
        scale=next(iter(scales))
        if len(scales) == 1
        else ", ".join(f"{source.label}: {source.scale or 'unknown'}" for source in sources),
        simulated=any(source.simulated for source in sources),
        granules=sum(source.granules for source in sources),
        soundings=sum(source.soundings for source in sources),
        first=min(source.first for source in sources),
        last=max(source.last for source in sources),
    )


def _method(settings: dict[str, Any], floor: float, units: str) -> str:
    of_soundings = (
        "Statistics of soundings, each counted once. Standard error of the mean: days are samples; the largest of the scatter of "
        f"daily means, the stated errors and {floor:g} {units}."
    )
    of_cells = (
        f"Statistics of grid cells of {settings['cell_size']:g} degrees, each weighing its area; the mean of a cell is that of its local "
        f"days, each counted once. Standard error: delete-a-group jackknife over days, at least {floor:g} {units}."
    )
    text = of_cells if settings["of"] == "grid cells" else of_soundings
    modes, surfaces = (", ".join(settings[name]) or "all" for name in ("modes", "surfaces"))
    return f"{text} Quality: {settings['quality']}; modes: {modes}; surfaces: {surfaces}."


def _cube(context: JobContext, number: int, source: Source, maps: PeriodMaps, several: bool) -> CubeOfRun:
    settings = context.settings
    variable, every, size = settings["variable"], settings["every"], f"{settings['cell_size']:g}"
    title = titled(source, f"{variable} of {source.label}, {MEANS[every]} statistics of soundings at {size}°")
    return CubeOfRun(
        context,
        number,
        name=wished_name(settings["name"], source, several, variable, every, f"{size}deg", "statistics"),
        title=title,
        grid=maps.grid,
        variables=maps.variables,
        every=every,
        span=span_of(source),
        attrs=provenance(
            source,
            title=title,
            method=_method(settings, error_floor(source.units, settings["error_floor"]), source.units),
            run=context.run_id,
            created=context.created.isoformat(),
            settings=settings,
        ),
    )


_SECONDS_A_SOUNDING = 1.2e-6
_SECONDS_A_REGION = 3e-8
"""Measured: read and grouped; looked at for one more region."""


def preview(settings: dict[str, Any], home: Path) -> Cost:
    """What the run will take, from the archive's contents."""
    from analysis.jobs.cluster import size_of_machine

    question = _question(settings)
    sources = chosen_sources(home, question.selection)
    workers, _ = size_of_machine()
    rows = sum(piece.rows for source in sources for piece in source.pieces)
    considered = sum(source.soundings for source in sources)
    steps = sum(periods_of(source, settings["every"]) for source in sources)
    regions = len(question.regions) or 1
    cells = question.grid.nlat * question.grid.nlon if question.by_cell else 0
    each = _SECONDS_A_SOUNDING * (2 if question.shares else 1) + _SECONDS_A_REGION * regions * question.by_region
    maps = steps * (len(settings["statistics"]) + 2) if question.maps else 0
    seconds = 4.0 + (rows * each + maps * (0.03 + 1.2e-8 * cells)) / workers
    memory = 400_000_000 + workers * (250_000_000 + 400 * min(rows, 750_000))
    disk = steps * regions * len(sources) * 150 + maps * 20_000 + 12 * min(cells * maps, 5 * considered)
    words = f"{regions} region{'s' if regions != 1 else ''}" if question.regions else f"maps of {counted(cells)} cells"
    sentence = (
        f"{counted(considered)} soundings of {', '.join(source.label for source in sources)} in {words} and {steps} "
        f"period{'s' if steps != 1 else ''}, on {workers} worker{'s' if workers != 1 else ''}."
    )
    return Cost(seconds, int(memory), int(disk), sentence)


JOB = Job(
    name="aggregate",
    title="Aggregate soundings",
    summary=(
        "Any variable of the archive by time, region, instrument, mode, surface and quality: means, medians, spreads, extremes and "
        "percentiles as series, tables and maps."
    ),
    schema=SCHEMA,
    run=run,
    preview=preview,
    inputs=inputs,
)
