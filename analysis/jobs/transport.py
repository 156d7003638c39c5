"""The job "transport": tracers carried through weather from surface fluxes, with fields, columns and samples as results.

It computes in the run's own process with threads, not on Dask: every step needs the one before. What it goes on from is
written every few minutes, and what it ends with does not depend on how often it was killed.
"""

from __future__ import annotations

import hashlib
import json
import time
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.jobs.job import Cost, Job
from analysis.simulation.settings import NONE, SCHEMA, SIMULATED, SYNTHETIC

if TYPE_CHECKING:
    from analysis.jobs.context import JobContext
    from analysis.simulation.plan import Plan
    from analysis.simulation.run import Simulation
    from data.runs import RunInput

STATE = "state.npz"
OUTPUT = "output"
SAMPLES = "samples"
UNIT = "days"


def inputs(settings: dict[str, Any], home: Path) -> list[RunInput]:
    """Weather pack, flux files, earlier state and samples, after all of them were opened and checked."""
    from analysis.simulation.cost import check_room
    from analysis.simulation.plan import flux_file, plan_of
    from analysis.simulation.start import state_file
    from data.runs import RunInput

    plan = plan_of(settings, home)
    check_room(plan, home)
    samplers(plan, None)
    found = []
    if settings["weather"] != SYNTHETIC:
        found.append(_pack_input(settings["weather"], home))
    if not {SIMULATED, NONE} & set(settings["fluxes"]):
        found += [RunInput.of(flux_file(home, path)) for path in dict.fromkeys(settings["fluxes"])]
    for entry in plan.samples:
        found += [RunInput.of(Path(path)) for path in sorted(glob(entry["path"]))]
    if settings["continue_from"].strip():
        found.append(RunInput.of(state_file(settings["continue_from"].strip(), home)))
    return found


def _pack_input(named: str, home: Path) -> RunInput:
    """A pack by what it says of itself, which is written last and never changed: it need not be read whole."""
    from analysis.simulation.plan import pack_place
    from analysis.weather import Weather
    from data.runs import RunInput

    path = pack_place(home, named)
    digest = hashlib.sha256(json.dumps(Weather(path).attrs, sort_keys=True).encode()).hexdigest()
    return RunInput(f"weather pack {Path(path).name}", path, digest)


def preview(settings: dict[str, Any], home: Path) -> Cost:
    """What a run will take, from its size and stated rates."""
    from analysis.simulation.cost import cost_of
    from analysis.simulation.plan import plan_of

    plan = plan_of(settings, home)
    cost = cost_of(plan)
    return Cost(cost.seconds, cost.memory_bytes, cost.disk_bytes, sentence(plan, cost.steps))


def sentence(plan: Plan, steps: int) -> str:
    """What decides the cost, for people."""
    rows, columns = plan.grid.shape
    days = f"{plan.days:g} day{'' if plan.days == 1 else 's'}"
    return (
        f"{len(plan.tracers)} tracer{'' if len(plan.tracers) == 1 else 's'} on {columns} x {rows} cells and "
        f"{plan.levels.count} levels through {days} in about {steps} steps."
    )


def run(context: JobContext) -> None:
    """Carry the tracers from the first day to the last."""
    from analysis.simulation.checkpoint import read_arrays
    from analysis.simulation.cost import check_room
    from analysis.simulation.plan import plan_of
    from analysis.simulation.run import Simulation

    plan = plan_of(context.settings, context.home)
    check_room(plan, context.home)
    kept_samples = context.checkpoint_folder / SAMPLES
    kept_samples.mkdir(exist_ok=True)
    more = samplers(plan, kept_samples)
    simulation = Simulation(plan, context.checkpoint_folder / OUTPUT, facts(context, plan), more)
    kept = context.checkpoint_folder / STATE
    if kept.exists():
        simulation.go_on_from(read_arrays(kept))
        context.log(f"Going on from {plan.weather.time_edges[plan.numbers[0] + simulation.done]} UTC.")
    else:
        _say(context, plan)
        for label, sampler in more.items():
            for note in sampler.notes:
                context.log(f"Samples {label}: {note}")
        simulation.begin()
    try:
        _advance(context, simulation)
    finally:
        simulation.model.team.close()
    _finish(context, simulation)


def _say(context: JobContext, plan: Plan) -> None:
    context.log(f"Weather: {plan.weather.source}, {plan.start} to {plan.end} UTC, grid {plan.grid.name}.")
    context.log(f"Fluxes: {plan.emissions.label if plan.emissions else 'none'}.")
    if plan.emissions is not None:
        silent = [name for name in plan.tracers if name != "background" and name not in plan.emissions.components]
        if silent:
            context.log(f"There are no fluxes of {', '.join(silent)} in the files: these stay as they begin.")
    context.log(f"Start: {plan.initial.words}.")


def samplers(plan: Plan, folder: Path | None) -> dict[str, Any]:
    """Samplers of the files of places and times, by their labels; what is finished is kept in `folder`."""
    if not plan.samples:
        return {}
    from analysis.sampling import samplers_from

    longest = float(plan.settings["longest_step"])
    made = samplers_from(plan.samples, plan.grid, plan.start, plan.end, folder=folder, longest_step=longest)
    return {str(sampler.label): sampler for sampler in made}


def facts(context: JobContext, plan: Plan) -> dict[str, object]:
    """What is said of every file: where it comes from, under which terms, simulated or not. Texts and numbers."""
    from analysis.gridding.provenance import SIMULATED_NOTE
    from data.runs.record import versions

    label = plan.emissions.label if plan.emissions else "no surface fluxes"
    title = context.title or f"CO2 carried by {plan.weather.source}"
    if plan.simulated and "simulated" not in title.lower():
        title = f"Simulated: {title}"
    weather = getattr(plan.weather, "attrs", {})
    said = [plan.emissions.citation if plan.emissions else "", str(weather.get("citation", ""))]
    terms = str(weather.get("licence", ""))
    return {
        "title": title,
        "institution": "Carbon Weather",
        "model": "Carbon Weather transport",
        "source": f"Weather: {plan.weather.source}. Surface fluxes: {label}. Start: {plan.initial.words}.",
        "simulated": int(plan.simulated),
        **({"comment": SIMULATED_NOTE} if plan.simulated else {}),
        **({"citation": " ".join(filter(None, said))} if any(said) else {}),
        **({"licence": terms} if terms else {}),
        "catalog": "none",
        "scale": "unknown",
        "collection": f"transport-{context.run_id[:15]}-{context.run_id[-4:]}",
        "run": context.run_id,
        "created": context.created.isoformat(),
        "version": versions()["carbonweather"],
        "settings": json.dumps(context.settings, sort_keys=True),
        "advection": plan.settings["scheme"],
        "background_offset_ppm": 400.0,
        "rounding": "mole fractions are rounded to 0.00012 ppm",
    }


def _advance(context: JobContext, simulation: Simulation) -> None:
    """All intervals that are left; the state is kept every few minutes and when the run is asked to stop."""
    from analysis.simulation.weather import ahead

    plan = simulation.plan
    left = plan.numbers[simulation.done :]
    edges = plan.weather.time_edges
    every = 60.0 * float(plan.settings["checkpoint_minutes"])
    saved = begun = time.monotonic()
    _progress(context, simulation)
    for number, interval in zip(left, ahead(plan.weather, left), strict=True):
        simulation.check(number, interval)
        simulation.advance(interval)
        now = time.monotonic()
        simulation.seconds += now - begun
        begun = now
        _progress(context, simulation, str(edges[number + 1])[:10])
        if context.cancelled() or now - saved >= every:
            keep(context, simulation)
            saved = time.monotonic()
        context.check()


def keep(context: JobContext, simulation: Simulation) -> None:
    """Write what the run can go on from."""
    from analysis.simulation.checkpoint import write_arrays

    write_arrays(context.checkpoint_folder / STATE, simulation.arrays())
    simulation.tidy()


def _progress(context: JobContext, simulation: Simulation, day: str = "") -> None:
    plan = simulation.plan
    edges = plan.weather.time_edges
    done = float((edges[plan.numbers[0] + simulation.done] - plan.start) / (plan.end - plan.start)) * plan.days
    context.progress(done, plan.days, "Carrying tracers", UNIT)


def _finish(context: JobContext, simulation: Simulation) -> None:
    """Results get their names; the whole state is kept once more, so that a kill here costs nothing."""
    from analysis.simulation.results import Results

    keep(context, simulation)
    context.scores.update(simulation.scores())
    Results(context, simulation, facts(context, simulation.plan)).make()


JOB = Job(
    name="transport",
    title="Transport CO₂",
    summary=(
        "CO₂ from surface fluxes carried by weather, each component apart: mole fractions on levels for the Atmosphere page, "
        "columns (XCO₂) for the Explore page, and samples at stations, aircraft and soundings."
    ),
    schema=SCHEMA,
    run=run,
    preview=preview,
    inputs=inputs,
)
"""What `analysis.jobs.registry` knows."""
