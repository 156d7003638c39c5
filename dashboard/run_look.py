"""What one visitor must see at an address, read from the disk in one go. Everything here belongs in a thread."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from dashboard.library import Library
from dashboard.run_address import RunsAddress, values_for_address, values_from_address
from dashboard.run_compare import comparison
from dashboard.run_detail import LOG_LINES, detail
from dashboard.run_fields import Field
from dashboard.run_kinds import form_of, kinds
from dashboard.run_results import Table, tables_of
from dashboard.run_watch import Reading, RunWatch
from data.runs import Run

LIST = '{"mode": "list"}'


@dataclass(frozen=True)
class Form:
    """A form on screen: its fields, what stood in them first, and what is no field.

    `key` tells forms apart, so that a late answer never marks the fields of another; `check` marks wrong fields from the start.
    """

    kind: str
    fields: tuple[Field, ...]
    values: dict[str, Any]
    title: str = ""
    note: str = ""
    seed: int = 0
    check: bool = False
    key: int = field(default_factory=count(1).__next__)


@dataclass(frozen=True)
class Shown:
    """The run on screen: when it must be described anew, its tables, and the series that is drawn."""

    run_id: str
    mark: str
    tables: tuple[Table, ...]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Look:
    """What one look at the disk found for one visitor."""

    at: RunsAddress
    reading: Reading
    view: str
    repairs: list[str]
    form: Form | None = None
    log: str = ""
    shown: Shown | None = None


class Looker:
    """Looks at the runs of a data folder for one visitor at a time; keeps nothing of any.

    Parameters
    ----------
    library : the data folder.
    watch : its runs.
    """

    def __init__(self, library: Library, watch: RunWatch) -> None:
        self.library, self.watch = library, watch

    def look(self, at: RunsAddress, shown: Shown | None, form: Form | None, *, now: bool = False) -> Look:
        """Read all that a visitor at this address must see; in a thread."""
        known = kinds()
        self.watch.learn({name: each.title for name, each in known.items()})
        reading = self.watch.read(now=now)
        if at.mode == "run":
            run = self.watch.get(at.run)
            row = reading.row(at.run) or (reading := self.watch.read(now=True)).row(at.run)
            if run is not None and row is not None:
                described = self._described(run, row, reading, shown)
                tail = json.dumps({"id": run.id, "text": run.log_tail(LOG_LINES)}, ensure_ascii=False)
                return Look(at, reading, "", [], log=tail, shown=described)
            gone = [f"There is no run '{at.run[:60]}' here; it may have been deleted."]
            return Look(RunsAddress(), reading, LIST, gone)
        if at.mode == "compare":
            runs = [self.watch.get(each) for each in at.compare]
            rows = [reading.row(each) for each in at.compare]
            for name, run, row in zip(at.compare, runs, rows, strict=True):
                if run is None or row is None:
                    return Look(RunsAddress(), reading, LIST, [f"There is no run '{name[:60]}' to compare here."])
            first, second = runs
            assert first is not None and second is not None and rows[0] is not None and rows[1] is not None
            forms = form_of(first.kind, self.library), form_of(second.kind, self.library)
            facts = comparison((first, second), (rows[0], rows[1]), forms)
            return Look(at, reading, json.dumps(facts, ensure_ascii=False), [])
        if at.mode == "new":
            repairs: list[str] = []
            if form is None:
                if at.kind and at.kind not in known:
                    repairs.append(f"There is no kind of run '{at.kind[:60]}'; choose one.")
                    at = RunsAddress("new")
                fields = form_of(at.kind, self.library) if at.kind else ()
                values, wrong = values_from_address(fields, at.values) if at.kind else ({}, [])
                repairs += wrong
                at = RunsAddress("new", kind=at.kind, title=at.title, values=values_for_address(fields, values))
                form = Form(at.kind, fields, values, at.title)
            return Look(at, reading, json.dumps(_form_spec(form), ensure_ascii=False), repairs, form=form)
        return Look(at, reading, LIST, [])

    def _described(self, run: Run, row: dict[str, Any], reading: Reading, shown: Shown | None) -> Shown:
        """Everything about a run; what was found before where nothing has changed since."""
        others = [each for each in reading.rows if each["kind"] == run.kind]
        steady = {key: row[key] for key in ("state", "ended", "error", "resumable", "kind_title")}
        mark = json.dumps([steady, [each["id"] for each in others]])
        if shown is not None and (shown.run_id, shown.mark) == (run.id, mark):
            return shown
        results = run.results
        facts = detail(run, row, form_of(run.kind, self.library), others, results)
        if shown is not None and shown.run_id == run.id and shown.facts["state"] == "done":
            tables, problems = shown.tables, list[str]()
        else:
            found, problems = tables_of(results)
            tables = tuple(found)
        facts["tables"] = [table.spec() for table in tables]
        facts["error"] = " ".join(filter(None, [facts["error"], *problems]))
        return Shown(run.id, mark, tables, facts)


def _form_spec(form: Form) -> dict[str, Any]:
    """A form as the browser draws it."""
    jobs = kinds()
    return {
        "mode": "new",
        "key": form.key,
        "kind": form.kind,
        "kinds": [{"name": each.name, "title": each.title, "summary": each.summary} for each in jobs.values()],
        "fields": [each.spec() | {"suggestions": bool(each.choices) and each.kind == "text"} for each in form.fields],
        "values": form.values,
        "title": form.title,
        "untitled": f"{jobs[form.kind].title} of today" if form.kind in jobs else "",
        "copied": form.note,
        "check": form.check,
    }
