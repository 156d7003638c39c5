"""A transport run under way: interval after interval, from its beginning or from where it was kept.

All that it needs to go on lies in `arrays`: tracer and air mass, what was emitted, the samplers, how many intervals are
done. What it writes depends on nothing else, so a run that was killed ends with the same bytes as one that was not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis.simulation import settings as choices
from analysis.simulation.checkpoint import CheckpointProblem, nested, part
from analysis.simulation.fields import FieldMeans, column_sums, columns, level_fields, periods
from analysis.simulation.layout import (
    BACKGROUND,
    Quantity,
    Target,
    column_quantities,
    column_values,
    level_quantities,
    level_values,
)
from analysis.simulation.model import Model, no_sources
from analysis.simulation.output import Series
from analysis.simulation.plan import Plan
from analysis.simulation.sampler import Sampler
from analysis.simulation.sources import Ledger, carbon_pg
from analysis.transport.sources import BACKGROUND_PPM
from analysis.weather import WeatherProblem
from analysis.weather.pack import REPLAY_LIMIT, Interval

TABLE_COLUMNS = (
    "time",
    "component",
    "growth_ppm",
    "column_mean_ppm",
    "north_minus_south_ppm",
    "lowest_north_minus_south_ppm",
)


class Simulation:
    """A planned run.

    Parameters
    ----------
    plan : what to do.
    folder : where files go.
    facts : attributes of all files.
    samplers : name -> further samplers.

    Attributes
    ----------
    done : intervals that are over.
    steps : taken so far.
    seconds : of computing so far, all attempts together.
    series : "levels", "columns" -> their files on each grid.
    more : the further samplers.
    """

    def __init__(
        self, plan: Plan, folder: Path, facts: Mapping[str, object], samplers: Mapping[str, Sampler] | None = None
    ) -> None:
        self.plan = plan
        dtype = np.float32 if plan.settings["precision"] == "float32" else np.float64
        self.model = Model(plan.grid, plan.levels, scheme=plan.settings["scheme"], dtype=dtype)
        self.state = plan.initial.state
        self.initial_total = self.state.total()
        sources = no_sources if plan.emissions is None else plan.emissions.sources(plan.tracers)
        self.ledger = Ledger(sources, len(plan.tracers))
        self.done = 0
        self.steps = 0
        self.seconds = 0.0
        self.series: dict[str, list[Series]] = {}
        self._means: dict[str, FieldMeans] = {}
        self.more: dict[str, Sampler] = dict(samplers or {})
        self._rows: list[np.ndarray] = []
        self._set_up("levels", folder, facts)
        self._set_up("columns", folder, facts)

    def _set_up(self, what: str, folder: Path, facts: Mapping[str, object]) -> None:
        every = self.plan.settings[f"output_{what}"]
        if every == choices.NONE:
            return
        edges = periods(self.plan.start, self.plan.end, every)
        made = [series_of(self.plan, what, target, folder, facts) for target in self.plan.targets]
        self.series[what] = made

        def hand_on(period: Any) -> None:
            for series in made:
                series.put(period)

        self._means[what] = FieldMeans(edges, level_fields if what == "levels" else columns, hand_on)

    @property
    def samplers(self) -> dict[str, Sampler]:
        """All of them, by name."""
        return {**self._means, **{f"samples {name}": sampler for name, sampler in self.more.items()}}

    def begin(self) -> None:
        """Show the samplers the state at the start."""
        snapshot = self.model.snapshot(self.plan.start, self.state)
        for sampler in self.samplers.values():
            sampler.take(snapshot)
        self._note(self.plan.start)

    def advance(self, interval: Interval) -> None:
        """Go through the next interval.

        Raises
        ------
        WeatherProblem : the weather does not lead to where it says.
        TransportError : winds that no step is short enough for.
        """
        self.steps += self.model.advance(
            self.state,
            interval,
            self.ledger,
            list(self.samplers.values()),
            longest=float(self.plan.settings["longest_step"]),
        )
        self.done += 1
        end = interval.start + np.timedelta64(round(interval.seconds), "s")
        if end.astype("datetime64[D]") > interval.start.astype("datetime64[D]"):
            self._note(end)

    def check(self, number: int, interval: Interval) -> None:
        """Make sure that an interval leads to the surface pressure of the next one.

        Raises
        ------
        WeatherProblem : it does not.
        """
        weather = self.plan.weather
        pressure = getattr(weather, "surface_pressure", None)
        if pressure is None:
            return
        gain = interval.fluxes.convergence()
        before = self.plan.levels.layer_mass(interval.surface_pressure) * self.plan.grid.area
        after = self.plan.levels.layer_mass(pressure(number + 1)) * self.plan.grid.area
        error = float(np.abs((before + interval.seconds * gain) / after - 1.0).max())
        if not error <= REPLAY_LIMIT:
            raise WeatherProblem(
                f"The fluxes of {interval.start} miss the next air mass by {error:.1e} of a cell; the pack is damaged: make it "
                "again, then resume this run."
            )

    def _note(self, time: np.datetime64) -> None:
        """A row of the table of global means."""
        air = self.state.air_mass.sum(axis=0)[..., None]
        sums = column_sums(self.state.tracer_mass)
        low = self.state.tracer_mass[0].astype(np.float64)
        north = np.clip(self.plan.grid.lat_edges[1:], 0, None) - np.clip(self.plan.grid.lat_edges[:-1], 0, None)
        share = (north / self.plan.grid.lat_widths)[:, None, None]

        def contrast(mass: np.ndarray, weight: np.ndarray) -> np.ndarray:
            means = [(mass * part).sum(axis=(0, 1)) / (weight * part).sum() for part in (share, 1 - share)]
            return means[0] - means[1]

        found = [sums.sum(axis=(0, 1)) / air.sum(), contrast(sums, air)]
        found.append(contrast(low, self.state.air_mass[0][..., None]))
        seconds = np.full(len(self.plan.tracers), float(time.astype("datetime64[s]").astype(np.int64)))
        self._rows.append(np.stack([seconds, *found]))

    def table(self) -> list[tuple[str, str, float, float, float, float]]:
        """Rows of `TABLE_COLUMNS`, by day and component; "co2" where a background is carried. Growth is since the start."""
        found: list[tuple[str, str, float, float, float, float]] = []
        offset = np.array([BACKGROUND_PPM if name == BACKGROUND else 0.0 for name in self.plan.tracers])
        for row in self._rows:
            time = str(np.datetime64(int(row[0, 0]), "s"))
            values = np.stack([row[1] - self._rows[0][1], row[1] + offset, *row[2:]])
            rows = dict(zip(self.plan.tracers, values.T.tolist(), strict=True))
            if BACKGROUND in self.plan.tracers:
                rows = {"co2": values.sum(axis=1).tolist(), **rows}
            for name, (growth, mean, contrast, low) in rows.items():
                found.append((time, name, growth, mean, contrast, low))
        return found

    def budget(self) -> list[dict[str, Any]]:
        """By component: PgC and ppm emitted, ppm gained, and the difference, per dry air of the Earth."""
        air = float(self.state.air_mass.sum())
        gained = self.state.total() - self.initial_total
        return [
            {
                "component": name,
                "emitted_pgc": float(carbon_pg(self.ledger.emitted[number])),
                "emitted_ppm": float(self.ledger.emitted[number] / air),
                "gained_ppm": float(gained[number] / air),
                "missing_ppm": float((gained[number] - self.ledger.emitted[number]) / air),
            }
            for number, name in enumerate(self.plan.tracers)
        ]

    def scores(self) -> dict[str, float]:
        """Figures for comparing runs."""
        budget = self.budget()
        last = self._rows[-1][1:]
        offset = BACKGROUND_PPM if BACKGROUND in self.plan.tracers else 0.0
        days = max(self.done / len(self.plan.numbers) * self.plan.days, 1e-9)
        return {
            "mass_closure_ppm": max(abs(row["missing_ppm"]) for row in budget),
            "growth_ppm": sum(row["gained_ppm"] for row in budget),
            "emitted_pgc": sum(row["emitted_pgc"] for row in budget),
            "final_column_mean_ppm": offset + float(last[0].sum()),
            "north_minus_south_ppm": float(last[1].sum()),
            "lowest_layer_north_minus_south_ppm": float(last[2].sum()),
            "steps": float(self.steps),
            "seconds_per_model_day": self.seconds / days,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything to go on from."""
        found = {
            "tracer_mass": self.state.tracer_mass,
            "air_mass": self.state.air_mass,
            "initial_total": self.initial_total,
            "emitted": self.ledger.emitted,
            "counts": np.array([self.done, self.steps]),
            "seconds": np.array(self.seconds),
            "rows": np.array(self._rows),
        }
        for name, sampler in self.samplers.items():
            found |= nested(name, sampler.state_dict())
        return found

    def go_on_from(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take up what `arrays` gave.

        Raises
        ------
        CheckpointProblem : of another run.
        """
        state = self.state
        try:
            same = arrays["tracer_mass"].shape == state.tracer_mass.shape
            same = same and arrays["tracer_mass"].dtype == state.tracer_mass.dtype
            if not same:
                raise KeyError("tracer_mass")
            state.tracer_mass[...] = arrays["tracer_mass"]
            state.air_mass[...] = arrays["air_mass"]
            self.initial_total = np.array(arrays["initial_total"])
            self.ledger.emitted[...] = arrays["emitted"]
            self.done, self.steps = (int(count) for count in arrays["counts"])
            self.seconds = float(arrays["seconds"])
            self._rows = list(arrays["rows"])
        except (KeyError, ValueError) as error:
            raise CheckpointProblem(f"The kept state is not one of this run ({error}); start a new run.") from None
        for name, sampler in self.samplers.items():
            sampler.load_state(part(name, arrays))

    def tidy(self) -> None:
        """After a checkpoint: forget what is only needed to go on from an earlier one."""
        for what, made in self.series.items():
            for series in made:
                series.tidy(self._means[what].finished)


def series_of(plan: Plan, what: str, target: Target, folder: Path, facts: Mapping[str, object]) -> Series:
    """The files of `what` ("levels", "columns") on one grid."""
    every = plan.settings[f"output_{what}"]
    grid = re.sub(r"[^A-Za-z0-9.]+", "-", target.grid.name).strip("-.") or "grid"
    quantities: Mapping[str, Quantity]
    if what == "levels":
        stem, quantities, values = f"molefrac_components_glb{grid}", level_quantities(plan.tracers), level_values
        words = "CO2 mole fractions"
    else:
        stem, quantities, values = f"xco2_glb{grid}", column_quantities(plan.tracers), column_values
        words = "XCO2"
    name = str(facts["collection"])
    return Series(
        folder=folder / f"{what}_{grid}",
        stem=f"{name}.{stem}",
        edges=periods(plan.start, plan.end, every),
        every=every,
        target=target,
        levels=plan.levels,
        tracers=plan.tracers,
        quantities=quantities,
        values=values,
        attrs={**facts, "title": f"{facts['title']}: {every} means of {words}, {grid}", "collection": f"{name}-{grid}"},
        format=plan.settings["output_format"],
    )
