"""The nature run of the simulated world: its fluxes, carried through made-up weather by the transport engine.

Four tracers (land biosphere, ocean, fossil, fire) start from nothing in 2000 and are carried month by month, on coarse
grids until memory of the start is gone, then on CarbonTracker's 3 x 2 degrees. What is kept in the package is made
of the monthly means (`analysis.world.nature_product`). The run is what a model makes of public totals: it looks like the
Earth and is no reconstruction of it.

A run can be killed at any time and goes on with the month it was in, bit for bit.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from analysis.grids import Grid, Levels, Regridder, ecmwf_levels, uniform
from analysis.simulation.model import Model
from analysis.simulation.sampler import Snapshot
from analysis.simulation.weather import MadeUpWeather, ahead
from analysis.transport.fluxes import air_mass
from analysis.transport.sources import COMPONENTS
from analysis.transport.step import Process, State
from analysis.transport.team import Team
from analysis.weather.pack import Interval
from analysis.weather.synthetic import SURFACE_PRESSURE_PA
from analysis.world.eddies import DIFFUSIVITY, Storms, stirring
from analysis.world.fluxes import WorldFluxes

STEP_S = 21_600.0
"""Longest step: the winds stand still for six hours, and monthly means do not feel the hours between."""

DAY_S = 86_400.0

MINUTES = 30
"""What the whole run takes on two cores, about."""

SETTINGS = "settings.json"


class NatureRunProblem(AnalysisError):
    """A nature run that cannot be made or gone on with."""


@dataclass(frozen=True)
class NatureRun:
    """What is run.

    Attributes
    ----------
    first, last : months, both included ("2000-01").
    grids : (month, name of a uniform grid) from which it is used, rising; the first holds from the beginning.
    levels : number of layers, see `analysis.grids.ecmwf_levels`.

    Raises
    ------
    NatureRunProblem : months that are none, or not in order.
    """

    first: str = "2000-01"
    last: str = "2021-12"
    grids: tuple[tuple[str, str], ...] = (("2000-01", "12x10"), ("2012-01", "6x4"), ("2014-10", "3x2"))
    levels: int = 25

    def __post_init__(self) -> None:
        try:
            first, last = (np.datetime64(month, "M") for month in (self.first, self.last))
            changes = [np.datetime64(month, "M") for month, _ in self.grids]
        except ValueError as error:
            raise NatureRunProblem(f"Months are written YYYY-MM; {error}.") from None
        if not first <= last:
            raise NatureRunProblem(f"The nature run cannot end in {self.last} before it begins in {self.first}.")
        if not changes or changes != sorted(changes) or changes[0] > first:
            raise NatureRunProblem(f"The grids of the nature run must come in order and begin by {self.first}.")

    def months(self) -> list[np.datetime64]:
        """In order."""
        return list(np.arange(np.datetime64(self.first, "M"), np.datetime64(self.last, "M") + 1))

    def grid_of(self, month: np.datetime64) -> Grid:
        """The grid a month is run on."""
        return uniform([name for change, name in self.grids if np.datetime64(change, "M") <= month][-1])

    def layers(self) -> Levels:
        """From the surface up."""
        return ecmwf_levels(self.levels)

    def kept(self) -> list[np.datetime64]:
        """The months that go into the product: whole calendar years on the last grid.

        Raises
        ------
        NatureRunProblem : there are none.
        """
        change = np.datetime64(self.grids[-1][0], "M")
        months = [month for month in self.months() if month >= change]
        january = [number for number, month in enumerate(months) if month == month.astype("datetime64[Y]")]
        if not january or (len(months) - january[0]) % 12:
            raise NatureRunProblem(
                f"The product needs whole calendar years on the last grid, found {change} to {self.last}; end in a December."
            )
        return months[january[0] :]


@dataclass(frozen=True)
class Progress:
    """Where a run is: months done and to do, seconds that the rest will take at this pace (NaN if unknown)."""

    done: int
    total: int
    month: str
    seconds_left: float


def run_nature(
    folder: str | os.PathLike[str],
    run: NatureRun | None = None,
    *,
    months: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    team: Team | None = None,
) -> list[Path]:
    """Carry the run on, month by month.

    Parameters
    ----------
    folder : for its files, one a month; made if absent. What is there of the same run is used.
    run : the world's own by default.
    months : at most so many more months, all by default.
    progress : called after each month.

    Returns
    -------
    Files of all months that are done: "mean" (tracer, lev, lat, lon) float32 ppm since the start, "tracer_mass" the
    state at the month's end.

    Raises
    ------
    NatureRunProblem : the folder holds another run or a damaged month, or cannot be written.
    """
    run = run or NatureRun()
    root = Path(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _same_run(root, run)
    except OSError as error:
        raise NatureRunProblem(
            f"The folder {root} of the nature run cannot be written ({error.strerror or error}); give another one."
        ) from None
    done: list[Path] = []
    made = 0
    started = time.monotonic()
    model: _MonthModel | None = None
    every = run.months()
    for number, month in enumerate(every):
        path = root / f"{month}.npz"
        if not path.exists():
            if months is not None and made >= months:
                break
            grid = run.grid_of(month)
            if model is None or not model.grid.same(grid):
                model = _MonthModel(grid, run.layers(), team or Team())
            mean, state = model.month(_start(done, run, month, model), month)
            _write(path, mean=mean, tracer_mass=state.tracer_mass)
            made += 1
            if progress is not None:
                pace = (time.monotonic() - started) / made
                left = sum(_cost(run, later) for later in every[number + 1 :]) / _cost(run, month) * pace
                progress(Progress(number + 1, len(every), str(month), left if made > 1 else float("nan")))
        done.append(path)
    return done


def rebuild(
    folder: str | os.PathLike[str],
    run: NatureRun | None = None,
    *,
    months: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Path | None:
    """The run and, once it is complete, its product `nature_run.npz` in the folder (copy it to `analysis/world/` to use it).

    Parameters
    ----------
    folder, run, months, progress : as in `run_nature`.

    Returns
    -------
    The product's path; None while months are missing.

    Raises
    ------
    NatureRunProblem : as `run_nature`; or the months on the last grid are no whole years.
    """
    from analysis.world.nature_product import PRODUCT, write_product

    run = run or NatureRun()
    kept = run.kept()
    done = run_nature(folder, run, months=months, progress=progress)
    if len(done) < len(run.months()):
        return None
    path = Path(folder) / PRODUCT.name
    first = run.months().index(kept[0])
    write_product(done[first:], kept[0], run.grid_of(kept[0]), run.layers(), path)
    return path


def size_bytes(run: NatureRun | None = None) -> int:
    """What the files of a run take on disk."""
    run = run or NatureRun()
    return sum(8 * len(COMPONENTS) * run.levels * int(np.prod(run.grid_of(month).shape)) for month in run.months())


class _MonthModel:
    """The engine on one grid, a month at a time."""

    def __init__(self, grid: Grid, levels: Levels, team: Team) -> None:
        self.grid, self.levels = grid, levels
        self.model = Model(grid, levels, team=team)
        self.stirring = stirring(grid, levels, team)
        self.storms = Storms(grid, DAY_S)
        self.emit = WorldFluxes(grid).sources({name: number for number, name in enumerate(COMPONENTS)})
        self.air = air_mass(grid, levels, np.full(grid.shape, SURFACE_PRESSURE_PA))

    def processes(self, middle: np.datetime64, seconds: float) -> Sequence[Process]:
        into_day = (middle - middle.astype("datetime64[D]")) / np.timedelta64(1, "s")
        daily = [self.storms] if into_day < seconds else []
        return [*self.emit(middle, seconds), *daily, self.stirring]  # what is emitted is mixed before anyone looks

    def month(self, state: State, month: np.datetime64) -> tuple[np.ndarray, State]:
        """Mean of the month, (tracer, lev, lat, lon) ppm, and the state at its end (the given one, changed)."""
        mean = _MonthMean()
        for interval in _intervals(self.grid, self.levels, month):
            self.model.advance(state, interval, self.processes, [mean], longest=STEP_S)
        return mean.of(self.air), state


class _MonthMean:
    """A sampler that adds up tracer mass after each step."""

    def __init__(self) -> None:
        self._sum: np.ndarray | None = None
        self._count = 0

    def take(self, snapshot: Snapshot) -> None:
        mass = snapshot.state.tracer_mass
        if self._sum is None:
            self._sum = np.zeros(mass.shape)
        self._sum += mass
        self._count += 1

    def of(self, air: np.ndarray) -> np.ndarray:
        assert self._sum is not None
        ratio = self._sum / self._count / air[..., None]
        return np.ascontiguousarray(np.moveaxis(ratio, -1, 0), dtype=np.float32)

    def state_dict(self) -> dict[str, np.ndarray]:  # a month is done at once
        return {}

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        pass


def _intervals(grid: Grid, levels: Levels, month: np.datetime64) -> Iterator[Interval]:
    first, end = month.astype("datetime64[s]"), (month + 1).astype("datetime64[s]")
    weather = MadeUpWeather(grid, levels, first, end)
    return ahead(weather, weather.covering(first, end))


def _start(done: list[Path], run: NatureRun, month: np.datetime64, model: _MonthModel) -> State:
    """The state at a month's beginning: that of the month before, brought to the grid; nothing at first."""
    if not done:
        return State(np.zeros((*model.air.shape, len(COMPONENTS)), dtype=np.float32), model.air.copy())
    mass = read_month(done[-1])["tracer_mass"]
    before = run.grid_of(month - 1)
    if not before.same(model.grid):
        per_layer = np.moveaxis(mass.astype(np.float64), -1, 1)
        mass = np.moveaxis(Regridder(before, model.grid).total(per_layer), 1, -1).astype(np.float32)
    return State(np.ascontiguousarray(mass), model.air.copy())


def read_month(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a month's file.

    Raises
    ------
    NatureRunProblem : it is damaged.
    """
    import zipfile

    try:
        with np.load(path) as arrays:
            return {name: arrays[name] for name in ("mean", "tracer_mass")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise NatureRunProblem(
            f"{path}: expected a month of the nature run, found a damaged file ({error}); delete it and all later "
            "months, and they are run again."
        ) from None


def _write(path: Path, **arrays: np.ndarray) -> None:
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as out:
            np.savez(out, **arrays)  # type: ignore[arg-type]
        os.replace(part, path)
    except OSError as error:
        raise NatureRunProblem(
            f"{path} cannot be written ({error.strerror or error}); make room (`size_bytes`) and run it again: months "
            "that are done stay."
        ) from None


def _same_run(root: Path, run: NatureRun) -> None:
    """Writes down which run the folder holds, or refuses another; a later end is no other run."""
    path = root / SETTINGS
    wanted = {"first": run.first, "grids": [list(pair) for pair in run.grids], "levels": run.levels}
    wanted |= {"step_s": STEP_S, "diffusivity": list(DIFFUSIVITY)}
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != wanted:
            raise NatureRunProblem(
                f"{root} holds a nature run with other settings ({path.name}); give another folder, or delete this one."
            )
        return
    path.write_text(json.dumps(wanted), encoding="utf-8")


def _cost(run: NatureRun, month: np.datetime64) -> float:
    """Relative: what any month costs, and what its cells do (measured)."""
    return 1000.0 + float(np.prod(run.grid_of(month).shape))
