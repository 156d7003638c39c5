"""The state that a run begins with: the same everywhere, or the last state of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from analysis.simulation.checkpoint import CheckpointProblem, read_arrays, write_arrays
from analysis.simulation.layout import BACKGROUND
from analysis.simulation.weather import WeatherSource
from analysis.transport.sources import BACKGROUND_PPM
from analysis.transport.step import State
from data.home import runs_dir

FINAL_STATE = "final_state.npz"
SAME_AIR = 1e-8
"""States whose air agrees to this are one moment of one weather: their tracer mass is taken over bit by bit."""

_HELD = {"tracer_mass", "air_mass", "tracers", "time", "lon_edges", "lat_edges", "a_pa", "b", "simulated", "source"}


class StartProblem(AnalysisError):
    """An earlier state that this run cannot begin with."""


@dataclass(frozen=True, eq=False)
class Start:
    """The state at the beginning.

    Attributes
    ----------
    state : to be changed by the run.
    words : where it comes from, for people.
    simulated : True if it comes from a run of invented weather or fluxes.
    """

    state: State
    words: str
    simulated: bool = False


def uniform_start(ppm: Mapping[str, float], tracers: Sequence[str], mass: np.ndarray, dtype: type) -> Start:
    """Mole fractions that are the same everywhere; 0 for tracers that are not named, 400 for the background."""
    values = np.zeros(len(tracers))
    for number, name in enumerate(tracers):
        offset = BACKGROUND_PPM if name == BACKGROUND else 0.0
        values[number] = float(ppm.get(name, offset)) - offset
    shown = ", ".join(
        f"{name} {ppm.get(name, BACKGROUND_PPM if name == BACKGROUND else 0.0):g} ppm" for name in tracers
    )
    ratio = np.broadcast_to(values, (*mass.shape, len(tracers)))
    return Start(State.of(ratio, mass, dtype), f"the same everywhere: {shown}")


def keep_state(
    path: Path, state: State, tracers: Sequence[str], time: np.datetime64, weather: WeatherSource, simulated: bool
) -> None:
    """Write a state that another run can begin with."""
    write_arrays(
        path,
        {
            "tracer_mass": state.tracer_mass,
            "air_mass": state.air_mass,
            "tracers": np.array(list(tracers)),
            "time": np.array(str(time)),
            "lon_edges": weather.grid.lon_edges,
            "lat_edges": weather.grid.lat_edges,
            "a_pa": weather.levels.a_pa,
            "b": weather.levels.b,
            "simulated": np.array(simulated),
            "source": np.array(weather.source),
        },
    )


def earlier_state(
    named: str, home: Path, weather: WeatherSource, tracers: Sequence[str], mass: np.ndarray, dtype: type
) -> Start:
    """The last state of an earlier run: of the same air, as it is; of other air, its mole fractions.

    Parameters
    ----------
    named : id of a run of this data folder, or path of its `final_state.npz`.
    mass : (lev, lat, lon) kg of air at the start of the new run.

    Raises
    ------
    StartProblem : no such state, another grid or levels, a component that it does not have.
    """
    path = state_file(named, home)
    try:
        kept = read_arrays(path)
    except CheckpointProblem as problem:
        raise StartProblem(f"settings of transport: continue_from: {problem}") from None
    if kept.keys() != _HELD:
        raise StartProblem(f"settings of transport: continue_from: expected a final state, found {path}; name another.")
    pairs = [("lon_edges", weather.grid.lon_edges), ("lat_edges", weather.grid.lat_edges)]
    pairs += [("a_pa", weather.levels.a_pa), ("b", weather.levels.b)]
    if any(kept[name].shape != own.shape or not np.allclose(kept[name], own, rtol=0, atol=1e-6) for name, own in pairs):
        rows, columns, levels = (len(kept[name]) - 1 for name in ("lat_edges", "lon_edges", "b"))
        raise StartProblem(
            f"settings of transport: continue_from: expected a state on this run's grid ({mass.shape[2]} x {mass.shape[1]} "
            f"cells, {mass.shape[0]} levels), found {columns} x {rows} cells, {levels} levels; run both on one grid."
        )
    held = [str(name) for name in kept["tracers"]]
    absent = [name for name in tracers if name not in held]
    if absent:
        raise StartProblem(
            f"settings of transport: continue_from: expected a state with {', '.join(tracers)}, found {', '.join(held)}; "
            f"leave {', '.join(absent)} out of the components."
        )
    picked = kept["tracer_mass"][..., [held.index(name) for name in tracers]]
    air = kept["air_mass"]
    words = f"the last state of {named} ({str(kept['time'])[:16]})"
    if float(np.abs(air / mass - 1.0).max()) <= SAME_AIR:
        state = State(np.ascontiguousarray(picked, dtype=dtype), np.array(mass))
    else:
        state = State.of(picked / air[..., None], mass, dtype)
        words += ", its mole fractions in the air of this run's start"
    return Start(state, words, bool(kept["simulated"]))


def state_file(named: str, home: Path) -> Path:
    """Where the state of that name lies.

    Raises
    ------
    StartProblem : nowhere.
    """
    path = Path(named).expanduser()
    places = [path] if path.is_absolute() else [runs_dir(home) / named / "results" / FINAL_STATE, home / named]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise StartProblem(
            f"settings of transport: continue_from: expected the id of a finished transport run or a {FINAL_STATE}, found "
            f"{named[:200]!r}, which is neither; see `carbonweather runs list --kind transport`."
        )
    return found
