"""What a kind of run is: its settings with their schema, what it reads, what it costs and how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.runs import RunInput

if TYPE_CHECKING:
    from analysis.jobs.context import JobContext


@dataclass(frozen=True)
class Cost:
    """What a run will take, roughly.

    Attributes
    ----------
    seconds : of the clock on this machine.
    memory_bytes : at most, all processes together.
    disk_bytes : of the result.
    sentence : the same for people, with what decides it ("12 months of 4 million soundings: about 3 minutes.").
    """

    seconds: float
    memory_bytes: int
    disk_bytes: int
    sentence: str


def no_inputs(settings: dict[str, Any], home: Path) -> list[RunInput]:
    """For jobs that read nothing."""
    return []


@dataclass(frozen=True)
class Job:
    """A kind of run.

    Attributes
    ----------
    name : as in `analysis.jobs.registry.JOBS`.
    title, summary : for the form: a few words, and a sentence or two.
    schema : JSON schema 2020-12 of the settings, an object. Each property has title, description, default where there
        is one, and may have `x-unit` and `x-choices-from` ("instruments", "variables", "cubes", "regions", "weather",
        "transports").
    run : computes. It must give the same results whenever it is called with the same settings, inputs and seed.
    preview : what it will cost, from settings (complete) and data folder, quickly.
    inputs : what it reads, with hashes, from settings (complete) and data folder.
    """

    name: str
    title: str
    summary: str
    schema: dict[str, Any] = field(repr=False)
    run: Callable[[JobContext], None] = field(repr=False)
    preview: Callable[[dict[str, Any], Path], Cost] = field(repr=False)
    inputs: Callable[[dict[str, Any], Path], list[RunInput]] = field(default=no_inputs, repr=False)
