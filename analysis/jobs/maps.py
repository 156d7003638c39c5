"""Maps as results of a job: made on the workers period by period, written into a cube that appears when it is whole."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.gridding.periods import DAY_NS, Every, period_middle
from analysis.gridding.publishing import HiddenCube, cube_name, published
from analysis.gridding.selection import Source
from analysis.gridding.tasks import MapWork, make_map
from data.cube import EncodedMap, Grid, Variable

if TYPE_CHECKING:
    from analysis.jobs.context import JobContext

_BATCH_BYTES = 64_000_000
"""Values of so many maps go to the workers at a time."""

MEANS = {
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "season": "seasonal",
    "year": "yearly",
    "whole": "whole-time",
}


def span_of(source: Source) -> tuple[np.datetime64, np.datetime64]:
    """First moment of the first day with soundings, and of the day after the last."""
    first, last = source.first // DAY_NS, source.last // DAY_NS + 1
    return np.datetime64(first * DAY_NS, "ns"), np.datetime64(last * DAY_NS, "ns")


@dataclass
class PeriodMaps:
    """The values of the cells of one source, kept on disk period by period until maps are made of them.

    Attributes
    ----------
    number : of the source.
    variables : what each period has values of, in this order.
    soundings, cells : of all periods so far.
    """

    folder: Path
    number: int
    grid: Grid
    variables: Sequence[Variable]
    soundings: int = 0
    cells: int = 0
    files: dict[int, Path] = field(default_factory=dict)

    def keep(self, period: int, cells: np.ndarray, values: np.ndarray, soundings: int) -> None:
        """Values of a period: (cells,) numbers and (variables, cells) float32."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.files[period] = self.folder / f"{self.number}-{period}.npz"
        np.savez(self.files[period], cells=cells, values=values)
        self.cells += cells.size
        self.soundings += soundings

    def works(self, period: int) -> list[MapWork]:
        """The tasks that make this period's maps."""
        with np.load(self.files[period]) as kept:
            cells, values = kept["cells"], kept["values"]
        return [
            MapWork(f"{self.number}-{period}-{variable.name}", self.grid, variable, cells, row)
            for variable, row in zip(self.variables, values, strict=True)
        ]


class CubeOfRun:
    """The cube of one source: under construction, or there already where an earlier attempt of the run got so far.

    Parameters
    ----------
    number : of the source, unique in the run.
    name : wished; a number is added if it is taken.
    attrs : provenance, with the run's id.
    """

    def __init__(
        self,
        context: JobContext,
        number: int,
        *,
        name: str,
        title: str,
        grid: Grid,
        variables: Sequence[Variable],
        every: Every,
        span: tuple[np.datetime64, np.datetime64],
        attrs: Mapping[str, Any],
    ) -> None:
        self.context, self.title, self.every, self.span = context, title, every, span
        self.place = published(context.home, name, context.run_id)
        self.hidden: HiddenCube | None = None
        if self.place is None:
            folder = context.checkpoint_folder / f"cube-{number}"
            self.hidden = HiddenCube(folder, name=name, title=title, grid=grid, variables=variables, attrs=attrs)

    def write(self, period: int, maps: Mapping[str, EncodedMap]) -> None:
        """One step."""
        if self.hidden is not None:
            self.hidden.write(period_middle(period, self.every, self.span), maps)

    def publish(self) -> None:
        """Put it into the data folder and name it as a result."""
        if self.hidden is not None:
            self.place = self.hidden.publish(
                self.context.home, lambda part: self.context.progress(part, 1.0, "Putting time series together")
            )
        if self.place is not None:
            self.context.add_result(self.title, self.place, "cube", f"./?cube={self.place.name}")


def wished_name(given: str, source: Source, several: bool, *words: object) -> str:
    """The name that a user gave, with the instrument where there are several cubes; else one made of words."""
    if not given:
        return cube_name(source.label, *words)
    return f"{given}-{cube_name(source.label)}" if several else given


def titled(source: Source, title: str) -> str:
    """The title, with "Simulated" where it does not say so already."""
    return f"Simulated {title}" if source.simulated and "simulated" not in title.lower() else title


def make_maps(context: JobContext, kept: Sequence[PeriodMaps], cubes: Sequence[CubeOfRun]) -> None:
    """Make the maps of all periods on the workers and write them, a batch at a time so that memory stays bounded."""
    batches: list[list[tuple[int, int]]] = [[]]
    weight = 0
    for place, maps in enumerate(kept):
        for period in sorted(maps.files):
            size = maps.files[period].stat().st_size
            if batches[-1] and weight + size > _BATCH_BYTES:
                batches.append([])
                weight = 0
            batches[-1].append((place, period))
            weight += size
    for number, batch in enumerate(batches, start=1):
        works = [work for place, period in batch for work in kept[place].works(period)]
        label = "Making maps" + (f" ({number} of {len(batches)})" if len(batches) > 1 else "")
        made = context.map(make_map, works, key=lambda work: work.key, label=label, unit="maps")
        for place, period in batch:
            context.check()
            names = len(kept[place].variables)
            cubes[place].write(period, {work.variable.name: found for work, found in itertools.islice(made, names)})
        for _ in made:  # lets the loop end
            pass
    for cube in cubes:
        context.check()
        cube.publish()
