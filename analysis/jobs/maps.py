"""Maps as results of a job: made on the workers period by period, written into a cube that appears when it is whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.gridding.periods import DAY_NS, Every, period_middle
from analysis.gridding.publishing import HiddenCube, cube_name, published
from analysis.gridding.selection import Source
from analysis.gridding.tasks import MapWork, make_maps_of
from data.cube import EncodedMap, Grid, TileWork, Variable

if TYPE_CHECKING:
    from analysis.jobs.context import JobContext

MEANS = {
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "season": "seasonal",
    "year": "yearly",
    "whole": "whole-time",
}


_TASKS, _MOST_TILES = 32, 16
"""Series are put together in so many tasks at least, where there are so many tiles, of so many tiles at most: one takes about
a tenth of a second, of which half was lost when each was a task.
"""


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

    def work(self, period: int) -> MapWork:
        """The task that makes this period's maps."""
        return MapWork(f"{self.number}-{period}", self.grid, tuple(self.variables), str(self.files[period]))


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
            self.place = self.hidden.publish(self.context.home, spread=self._spread)
        if self.place is not None:
            self.context.add_result(self.title, self.place, "cube", f"./?cube={self.place.name}")

    def _spread(self, work: Callable[[TileWork], None], tiles: Sequence[TileWork]) -> Iterator[object]:
        """On the workers. What an earlier attempt did was thrown away with its cube, so no key is used twice."""
        attempt = uuid.uuid4().hex
        many = min(max(len(tiles) // _TASKS, 1), _MOST_TILES)
        done = self.context.map(
            _do_tiles,
            [_Tiles(number, work, tiles[number : number + many]) for number in range(0, len(tiles), many)],
            key=lambda part: f"{attempt}-{part.number}",
            label="Putting time series together",
            unit="maps",
            size=lambda part: sum(len(tile.block.slots) for tile in part.tiles),
        )
        for part, _ in done:
            yield from part.tiles


@dataclass(frozen=True)
class _Tiles:
    """Parts of the time layout that one task writes, with the number of the first."""

    number: int
    work: Callable[[TileWork], None]
    tiles: Sequence[TileWork]


def _do_tiles(part: _Tiles) -> None:
    for tile in part.tiles:
        part.work(tile)


def wished_name(given: str, source: Source, several: bool, *words: object) -> str:
    """The name that a user gave, with the instrument where there are several cubes; else one made of words."""
    if not given:
        return cube_name(source.label, *words)
    return f"{given}-{cube_name(source.label)}" if several else given


def titled(source: Source, title: str) -> str:
    """The title, with "Simulated" where it does not say so already."""
    return f"Simulated {title}" if source.simulated and "simulated" not in title.lower() else title


def make_maps(context: JobContext, kept: Sequence[PeriodMaps], cubes: Sequence[CubeOfRun]) -> None:
    """Make the maps of all periods on the workers, and write each step as it comes."""
    order = [(place, period) for place, maps in enumerate(kept) for period in sorted(maps.files)]
    made = context.map(
        make_maps_of,
        [kept[place].work(period) for place, period in order],
        key=lambda work: work.key,
        label="Making maps",
        unit="maps",
        size=lambda work: len(work.variables),
    )
    for (place, period), (_, maps) in zip(order, made, strict=True):
        context.check()
        cubes[place].write(period, maps)
    for cube in cubes:
        context.check()
        cube.publish()
