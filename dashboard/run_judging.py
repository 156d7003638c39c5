"""What a filled form would start: its settings, what is wrong with them, and what the run will cost. Belongs in a thread."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import AnalysisError
from dashboard.run_configuration import RunConfiguration
from dashboard.run_fields import Field
from dashboard.run_form import read
from dashboard.run_words import duration_text, size_text
from data.errors import DataError

if TYPE_CHECKING:
    from analysis.jobs import Cost, Job

log = logging.getLogger(__name__)

WHOLE_FORM = ""
"""Key of a sentence that belongs to no single field."""


@dataclass(frozen=True)
class Judgement:
    """What is to be said of a filled form.

    Attributes
    ----------
    settings : complete and valid; empty where something is wrong.
    errors : a sentence by field, and under WHOLE_FORM for what no field is to blame for.
    cost : for the page: parts (label, text), sentence, warning; None where it cannot be told.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    cost: dict[str, Any] | None = None

    def configuration(self, kind: str, title: str, seed: int) -> str:
        """The form as a YAML file; '' where something is wrong."""
        return "" if self.errors else RunConfiguration(kind, title, seed, self.settings).to_yaml()


def judge(job: Job, fields: Sequence[Field], values: dict[str, Any], home: Path) -> Judgement:
    """Check what stands in the fields of a job's form and estimate the cost.

    Parameters
    ----------
    job : the kind of run.
    fields, values : of its form, as `run_form.read` takes them.
    home : the data folder.
    """
    from analysis.jobs import SettingsError, validate

    filled = read(fields, values)
    if filled.errors:
        return Judgement(errors=filled.errors)
    try:
        settings = validate(job, filled.settings)
    except SettingsError as error:
        return Judgement(errors={_blamed(str(error), fields): _for_form(str(error), job)})
    try:
        cost = job.preview(settings, home)
    except (AnalysisError, DataError) as error:
        return Judgement(settings, {_blamed(str(error), fields): _for_form(str(error), job)})
    except Exception:  # a job's own mistake must not keep people from starting it
        log.exception("the cost of a run '%s' cannot be told", job.name)
        return Judgement(
            settings, cost={"parts": [], "sentence": "The cost of this run cannot be told.", "warning": ""}
        )
    return Judgement(settings, cost=cost_spec(cost, home))


def _blamed(sentence: str, fields: Sequence[Field]) -> str:
    """The field that a sentence of the form 'settings of JOB: FIELD: ...' or 'settings: FIELD: ...' names, else WHOLE_FORM."""
    parts = sentence.split(": ")
    named = parts[1].split(".")[0] if len(parts) > 2 else ""
    return named if any(each.name == named for each in fields) else WHOLE_FORM


def _for_form(sentence: str, job: Job) -> str:
    """The sentence without the words that only a command line needs."""
    text = sentence.removeprefix(f"settings of {job.name}: ").removeprefix("settings: ")
    first, _, rest = text.partition(": ")
    if rest and first.split(".")[0] in job.schema.get("properties", {}):
        text = rest
    return text[:1].upper() + text[1:]


def cost_spec(cost: Cost, home: Path) -> dict[str, Any]:
    """Time, memory and disk for people, with a warning where the machine has too little."""
    parts = [
        ("Time", f"about {duration_text(cost.seconds)}" if duration_text(cost.seconds) else ""),
        ("Memory", size_text(cost.memory_bytes)),
        ("Disk", size_text(cost.disk_bytes)),
    ]
    return {
        "parts": [[label, text] for label, text in parts if text],
        "sentence": cost.sentence,
        "warning": _warning(cost, home),
    }


def _warning(cost: Cost, home: Path) -> str:
    import psutil

    memory = psutil.virtual_memory().available
    if cost.memory_bytes > memory:
        return (
            f"This needs {size_text(cost.memory_bytes)} of memory, and {size_text(memory)} are free on this machine; "
            "choose less, end other programs, or use a cluster."
        )
    folder = next((each for each in (home, *home.parents) if each.is_dir()), None)
    free = None if folder is None else shutil.disk_usage(folder).free
    if free is not None and cost.disk_bytes > free:
        return (
            f"This needs {size_text(cost.disk_bytes)} of disk, and {size_text(free)} are free; free some space first."
        )
    return ""
