"""The demo: a cube of the simulated world, a year of its CO2 by height, a few months of its satellite soundings, and its
ground sites, in the user's data folder.

Building can be killed at any moment and goes on where it was: each month, site and day is complete or absent, and
`demo.json` in the data folder says what of the rest is done. Months come newest first, so that a map is there after
seconds. One process builds at a time; the lock belongs to the operating system, so a killed builder never leaves it
locked.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import StoreProblem
from data.home import cubes_dir, sites_dir, soundings_dir, volumes_dir

if TYPE_CHECKING:
    from analysis.world import World
    from data.cube import Cube

CUBE = "demo-xco2"
_STATE = "demo.json"
_LOCK = ".demo.lock"
_WORK = ".demo-work"
_MONTH_BYTES = 9_500_000
"""Measured on full maps, both layouts and the pyramid, with some to spare; so are the next two, at the plan's default
density.
"""
_SITE_BYTES = 1_000_000
_DAY_BYTES = 1_000_000
_VOLUME_BYTES = 1_700_000
"""Of a month of CO2 by height, measured."""
_VOLUME_AFTER_MONTHS = 6
"""So many maps come first: there is something to look at before the atmosphere's page is filled."""
_ROOM_FOR_WORK = 200_000_000


@dataclass(frozen=True)
class DemoPlan:
    """What to build.

    Attributes
    ----------
    last : newest month; months : how many, up to it.
    sounding_months : satellite soundings of so many newest months.
    volume_months : CO2 by height of so many newest months, at least three of them or none.
    every : one satellite frame in so many.
    minutes : one measurement of a ground site in so many minutes of sunshine.
    sites : two-letter ids; None for all.
    nlat, nlon : size of the maps.
    """

    last: str = "2021-12"
    months: int = 84
    sounding_months: int = 3
    volume_months: int = 12
    every: int = 16
    minutes: int = 60
    sites: tuple[str, ...] | None = None
    nlat: int = 3600
    nlon: int = 7200

    @classmethod
    def of(cls, small: bool) -> DemoPlan:
        """Seven years, or two with `small`."""
        return cls(months=24, sounding_months=1) if small else cls()

    def month_list(self) -> list[np.datetime64]:
        """All months, newest first."""
        last = np.datetime64(self.last, "M")
        return [last - step for step in range(self.months)]

    def day_list(self) -> list[np.datetime64]:
        """Days of soundings, newest first."""
        last = np.datetime64(self.last, "M")
        first_day = (last - self.sounding_months + 1).astype("datetime64[D]")
        return list(np.arange(first_day, (last + 1).astype("datetime64[D]"))[::-1])

    def site_list(self) -> list[str]:
        """Ids of the sites that measured in these months."""
        from data.geography import tccon_sites

        table = tccon_sites()
        first, last = str(self.month_list()[-1]), self.last
        alive = table[(table["start"] <= last) & ((table["end"] == "") | (table["end"] >= first))]
        return [site for site in alive["id"] if self.sites is None or site in self.sites]

    @property
    def size(self) -> int:
        """Bytes on disk when done, rounded up."""
        maps = self.months * _MONTH_BYTES * (self.nlat * self.nlon) / (3600 * 7200)
        points = len(self.day_list()) * _DAY_BYTES * 16 / self.every if self.sounding_months else 0.0
        return int(
            maps + points + self.volume_months * _VOLUME_BYTES + len(self.site_list()) * _SITE_BYTES * 60 / self.minutes
        )


@dataclass(frozen=True)
class DemoStatus:
    """How far the demo is.

    Attributes
    ----------
    months_ready, months_total : maps.
    stage : what is being done or comes next ("maps", "time series", "profiles", "ground sites", "soundings", "done").
    done : everything is there.
    steps_done, steps_total : all stages together, for a progress bar.
    """

    months_ready: int
    months_total: int
    stage: str
    done: bool
    steps_done: int = 0
    steps_total: int = 1

    @property
    def label(self) -> str:
        """For people."""
        return f"maps {self.months_ready} of {self.months_total} months" if self.stage == "maps" else self.stage


@dataclass
class _State:
    """What `demo.json` holds: the plan's size, and which parts are complete."""

    months: int = 0
    sealed: int = 0
    sites: list[str] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    volume: bool = False
    done: bool = False
    pid: int = 0

    @classmethod
    def read(cls, home: Path) -> _State:
        """What the file says; where it is absent or damaged the stores themselves say what is there, and the rest is done again."""
        try:
            known = json.loads((home / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        blank = vars(cls())
        if isinstance(known, dict):
            known.setdefault("volume", False)  # demos of the first release have none
        right = isinstance(known, dict) and all(type(known.get(name)) is type(value) for name, value in blank.items())
        return cls(**{name: known[name] for name in blank}) if right else cls()

    def write(self, home: Path) -> None:
        part = home / f"{_STATE}.part"
        part.write_text(json.dumps(vars(self)), encoding="utf-8")
        os.replace(part, home / _STATE)


def demo_size(small: bool = False) -> int:
    """Bytes that the demo takes on disk when done (an upper bound, measured)."""
    return DemoPlan.of(small).size


def demo_status(home: str | os.PathLike[str], *, small: bool = False, plan: DemoPlan | None = None) -> DemoStatus:
    """How far the demo in a data folder is; cheap, reads two small files.

    A finished small demo counts as done, whatever `small` says: it can be extended, but need not be.
    """
    root = Path(home)
    state = _State.read(root)
    wanted = plan or DemoPlan.of(small)
    ready = _months_ready(root)
    total = state.months or wanted.months
    if state.done and ready >= total:
        return DemoStatus(ready, max(total, ready), "done", True, 1, 1)
    return _status(wanted, state, min(ready, wanted.months))


def _status(plan: DemoPlan, state: _State, ready: int) -> DemoStatus:
    sites, days = plan.site_list(), plan.day_list()
    sealed = state.sealed >= plan.months
    volume = 1 if plan.volume_months else 0
    steps = (
        ready
        + (volume if state.volume else 0)
        + (plan.months // 4 if sealed else 0)
        + len(set(sites) & set(state.sites))
        + len({str(day) for day in days} & set(state.days))
    )
    total = plan.months + volume + plan.months // 4 + len(sites) + len(days)
    done = steps == total
    if ready < plan.months:
        stage = "maps"
    elif not sealed:
        stage = "time series"
    elif volume and not state.volume:
        stage = "profiles"
    elif not set(sites) <= set(state.sites):
        stage = "ground sites"
    else:
        stage = "done" if done else "soundings"
    return DemoStatus(ready, plan.months, stage, done, steps, total)


def _months_ready(home: Path) -> int:
    from data.cube import Cube

    try:
        return len(Cube.open(cubes_dir(home) / CUBE).times)
    except StoreProblem:
        return 0


def build_demo(
    home: str | os.PathLike[str],
    *,
    small: bool = False,
    progress: Callable[[DemoStatus], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    plan: DemoPlan | None = None,
    world: World | None = None,
) -> DemoStatus:
    """Build the demo, or what is missing of it.

    Parameters
    ----------
    home : data folder; made if absent.
    small : 24 months instead of 84.
    progress : called after every step.
    cancelled : asked before every step; once True, the building ends and can go on later.
    plan, world : other contents and resolution; `world` must have the plan's map size.

    Returns
    -------
    The status at the end: done, unless cancelled.

    Raises
    ------
    StoreProblem : another process builds it, no room on the disk, something else lies in the way.
    """
    from analysis.world import World

    root = Path(home)
    chosen = plan or DemoPlan.of(small)
    source = world or World(nlat=chosen.nlat, nlon=chosen.nlon)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreProblem(
            f"the data folder {root} cannot be made ({error.strerror or error}); choose another with --home or CARBONWEATHER_HOME."
        ) from None
    with _alone(root) as state:
        _check_room(root, chosen)
        builder = _Builder(root, chosen, source, state, progress or (lambda status: None))
        for step in builder.steps():
            if cancelled is not None and cancelled():
                break
            step()
        status = builder.status()
        state.done = status.done
        state.write(root)
        return status


class _Builder:
    """The steps of one build, each complete in itself."""

    def __init__(
        self, home: Path, plan: DemoPlan, world: World, state: _State, progress: Callable[[DemoStatus], None]
    ) -> None:
        self.home, self.plan, self.world, self.state, self.progress = home, plan, world, state, progress
        self.cube = _open_cube(home, world)
        self.present = {time.astype("datetime64[M]") for time in self.cube.times}
        if self.present - set(plan.month_list()):  # a longer demo is there already: nothing of it is taken away
            self.plan = plan = replace(plan, months=max(plan.months, len(self.present)))
        state.months = plan.months
        state.done = False

    @property
    def ready(self) -> int:
        return len(self.present & set(self.plan.month_list()))

    def steps(self) -> Iterator[Callable[[], None]]:
        """What is still to be done, in order."""
        for number, month in enumerate(self.plan.month_list()):
            if number == _VOLUME_AFTER_MONTHS:
                yield from self._volume_step()
            if month not in self.present:
                yield partial(self._map, month)
        yield from self._volume_step()
        if self.state.sealed < self.plan.months:
            yield self._seal
        first, end = self.plan.month_list()[-1], np.datetime64(self.plan.last, "M") + 1
        for site in self.plan.site_list():
            if site not in self.state.sites:
                yield partial(self._site, site, first, end)
        for day in self.plan.day_list():
            if str(day) not in self.state.days:
                yield partial(self._day, day)

    def status(self) -> DemoStatus:
        return _status(self.plan, self.state, self.ready)

    def _tell(self) -> None:
        self.state.write(self.home)
        self.progress(self.status())

    def _map(self, month: np.datetime64) -> None:
        variables = self.cube.variables
        maps = {
            name: self.world.codes(month, scale=variables[name].scale, offset=variables[name].offset, quantity=name)
            for name in ("xco2", "xco2_std")
        }
        self.cube.write(middle_of(month), maps)
        self.present.add(month)
        self._tell()

    def _volume_step(self) -> Iterator[Callable[[], None]]:
        if self.plan.volume_months and not self.state.volume:
            yield self._volume

    def _volume(self) -> None:
        from analysis.world.atmosphere import write_simulated_volume
        from data.readers import read
        from data.volumes import VolumeStore

        first = np.datetime64(self.plan.last, "M") - (self.plan.volume_months - 1)
        with self._work() as folder:
            path = write_simulated_volume(folder, first, self.plan.volume_months, seed=self.world.seed)
            VolumeStore(volumes_dir(self.home)).append(read(path))
        self.state.volume = True
        self._tell()

    def _seal(self) -> None:
        self.cube.seal()
        self.state.sealed = self.plan.months
        self._tell()

    def _site(self, site: str, first: np.datetime64, end: np.datetime64) -> None:
        from analysis.instruments import observe_site, write_tccon
        from data.readers import read
        from data.sites import SiteStore

        series = observe_site(self.world, site, first, end, minutes=self.plan.minutes)
        if len(series):
            with self._work() as folder:
                SiteStore(sites_dir(self.home)).append(read(write_tccon(folder, series)))
        self.state.sites.append(site)
        self._tell()

    def _day(self, day: np.datetime64) -> None:
        from analysis.instruments import write_lite
        from data.readers import read
        from data.soundings import SoundingArchive

        with self._work() as folder:
            SoundingArchive(soundings_dir(self.home)).append(
                read(write_lite(folder, day, self.world, every=self.plan.every))
            )
        self.state.days.append(str(day))
        self._tell()

    @contextmanager
    def _work(self) -> Iterator[Path]:
        folder = self.home / _WORK
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def middle_of(month: np.datetime64) -> np.datetime64:
    """The middle of a month, which is the time of its map."""
    first = month.astype("datetime64[M]")
    start, end = (edge.astype("datetime64[h]").astype(np.int64) for edge in (first, first + 1))
    return np.datetime64(int((start + end) // 2), "h").astype("datetime64[ns]")


def _open_cube(home: Path, world: World) -> Cube:
    """The demo's cube, made if absent; StoreProblem where another one is in its place."""
    from data.cube import Cube, Variable

    folder = cubes_dir(home) / CUBE
    if (folder / "manifest.json").exists():
        cube = Cube.open(folder)
        if cube.grid != world.grid or cube.attrs.get("simulated") != 1 or cube.attrs.get("seed") != world.seed:
            raise StoreProblem(
                f"the demo: expected the simulated world's cube of {world.nlat} x {world.nlon} cells at {folder}, found another one there; "
                "delete that folder or choose another data folder with --home."
            )
        return cube
    name = "column-average dry-air mole fraction of CO2"
    return Cube.create(
        folder,
        name=CUBE,
        title=f"{world.attrs['title']}, {360 / world.nlon:g}° monthly (demo)",
        grid=world.grid,
        variables=[
            Variable("xco2", "ppm", f"simulated {name}", "int16", 0.01, 400.0),
            Variable("xco2_std", "ppm", f"simulated standard uncertainty of {name}", "int16", 0.02, 0.0),
        ],
        attrs={**_plain(world.attrs), "scale": "X2019"},
    )


def _plain(attrs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attrs.items() if isinstance(value, (str, int, float))}


@contextmanager
def _alone(home: Path) -> Iterator[_State]:
    """The state, while no other process builds here."""
    from filelock import FileLock, Timeout

    lock = FileLock(home / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise StoreProblem(
            f"the demo in {home} is being built by another process ({_State.read(home).pid or 'unknown'}); wait for it or end it."
        ) from None
    except OSError as error:
        raise StoreProblem(
            f"the data folder {home} cannot be written ({error.strerror or error}); choose another with --home."
        ) from None
    try:
        state = _State.read(home)
        state.pid = os.getpid()
        shutil.rmtree(home / _WORK, ignore_errors=True)
        state.write(home)
        yield state
    finally:
        lock.release()


def _check_room(home: Path, plan: DemoPlan) -> None:
    """StoreProblem if what is missing of the demo does not fit on the disk."""
    missing = plan.size * (1.0 - min(1.0, _months_ready(home) / plan.months)) + _ROOM_FOR_WORK * (
        plan.nlat * plan.nlon / 25.9e6
    )
    free = shutil.disk_usage(home).free
    if free < missing:
        raise StoreProblem(
            f"the demo needs {missing / 1e9:.1f} GB in {home}, and {free / 1e9:.1f} GB are free; "
            "free some space, choose another folder with --home, or build the small demo with --small."
        )
