"""Samples of a run as files, one for each sampler."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.simulation.layout import BACKGROUND
from analysis.simulation.run import Simulation

_KEPT = ("institution", "model", "source", "comment", "citation", "licence", "run", "created", "version", "settings")
"""Of what is said of the run's files; title and times are the samples' own."""


def write_all(
    folder: Path, simulation: Simulation, samplers: Mapping[str, Any], facts: Mapping[str, object]
) -> list[tuple[str, Path]]:
    """Write what the samplers took: what to call it and file of each. One that was reached by no time is left out."""
    from analysis.sampling import write_samples

    plan = simulation.plan
    found = []
    for label, sampler in samplers.items():
        if not sampler.finished.count:
            continue
        path = write_samples(
            folder / f"{label}.samples.nc",
            sampler,
            plan.tracers,
            background=[name for name in plan.tracers if name == BACKGROUND],
            simulated=plan.simulated,
            attributes={name: facts[name] for name in _KEPT if name in facts},
        )
        found.append((f"Samples: {label}", path))
    return found
