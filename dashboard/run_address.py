"""What the Runs page shows, as an address and back: a list, one run, a form with its settings, or two runs side by side.

    ?run=ID                             one run
    ?new=KIND&SETTING=VALUE&title=...   a form, filled in; a list is written as its key again and again, a box as w,s,e,n
    ?compare=ID,ID                      two runs side by side

Reading never fails: what is unknown, stale or malformed is replaced by something sensible and said in a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from dashboard.query import MAX_QUERY_CHARACTERS, read_query
from dashboard.run_fields import Field, plain_text
from dashboard.run_form import read, typed

RESERVED = ("new", "run", "compare", "title")
"""Keys of the address that are no settings."""


@dataclass(frozen=True)
class RunsAddress:
    """What the page shows.

    Attributes
    ----------
    mode : 'list', 'run', 'new' or 'compare'.
    run : the chosen run ('run').
    kind : the chosen kind of run ('new'); '' where it is still to be chosen.
    title : of the run to be started.
    values : what the address says of its settings, by field: texts in the order they come.
    compare : the two runs.
    """

    mode: str = "list"
    run: str = ""
    kind: str = ""
    title: str = ""
    values: dict[str, list[str]] = field(default_factory=dict)
    compare: tuple[str, str] = ("", "")

    def to_query(self) -> str:
        """The address of this view without '?'."""
        items: list[tuple[str, str]] = []
        if self.mode == "run":
            items = [("run", self.run)]
        elif self.mode == "compare":
            items = [("compare", ",".join(self.compare))]
        elif self.mode == "new":
            items = [("new", self.kind)] + ([("title", self.title)] if self.title else [])
            items += [(name, text) for name, texts in self.values.items() for text in texts]
        query = urlencode(items, safe=",:;/", quote_via=quote)
        return query if len(query) <= MAX_QUERY_CHARACTERS else urlencode(items[:1], safe=",", quote_via=quote)


def parse(query: str) -> tuple[RunsAddress, list[str]]:
    """What an address asks for, and a sentence for each part that says nothing; whether runs and kinds exist is checked later.

    Parameters
    ----------
    query : what follows '?', any text.
    """
    repairs: list[str] = []
    pairs = read_query(query, repairs)
    if repairs:
        return RunsAddress(), repairs
    given: dict[str, list[str]] = {}
    for key, text in pairs:
        given.setdefault(key, []).append(text)
    first = {key: texts[0] for key, texts in given.items()}
    if "new" in given:
        values = {key: texts for key, texts in given.items() if key not in RESERVED}
        return RunsAddress("new", kind=first["new"].strip(), title=first.get("title", "")[:200], values=values), []
    unknown = [f"The address says '{key[:40]}', which means nothing here." for key in given if key not in RESERVED]
    if "compare" in given:
        ids = [part.strip() for part in first["compare"].split(",") if part.strip()]
        if len(ids) == 2 and ids[0] != ids[1]:
            return RunsAddress("compare", compare=(ids[0], ids[1])), unknown
        unknown.append("A comparison needs two different runs, as in ?compare=FIRST,SECOND.")
    if first.get("run", "").strip():
        return RunsAddress("run", run=first["run"].strip()), unknown
    return RunsAddress(), unknown


def values_from_address(
    fields: Sequence[Field], given: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Any], list[str]]:
    """What stands in the fields of a form for the settings in an address.

    Returns
    -------
    By field name as `run_form.typed` gives it (the default where the address says nothing, or nothing sensible), and a sentence for
    each setting that was left out.
    """
    known = {each.name: each for each in fields}
    repairs = [f"There is no setting '{name[:40]}'; it was left out." for name in given if name not in known]
    values: dict[str, Any] = {}
    for name, each in known.items():
        default = typed(each, each.default)
        if not given.get(name):
            values[name] = default
            continue
        texts = list(given[name])
        written: Any = texts if each.kind == "choices" else texts[0].split(",") if each.kind == "box" else texts[0]
        filled = read([each], {name: written})
        if name in filled.errors and written not in ("", [""]):
            repairs.append(f"{each.title}: {filled.errors[name]} The default is used.")
            values[name] = default
        else:
            values[name] = typed(each, filled.settings.get(name))
    return values, repairs


def values_for_address(fields: Sequence[Field], values: Mapping[str, Any]) -> dict[str, list[str]]:
    """The parts of an address for what stands in the fields: those that differ from the default."""
    written: dict[str, list[str]] = {}
    for each in fields:
        value = values.get(each.name, typed(each, each.default))
        if value == typed(each, each.default):
            continue
        if each.kind == "choices" and isinstance(value, list):
            written[each.name] = [plain_text(part) for part in value] or [""]
        elif each.kind == "box" and isinstance(value, list):
            written[each.name] = [",".join(plain_text(part).strip() for part in value)]
        else:
            written[each.name] = [plain_text(value)]
    return written
