"""The catalogue: every data set that this program reads, fetches or makes, with what to know before using it.

The facts are in ``data/catalog.yaml``, which ``data/catalog.schema.json`` describes; this module turns them into frozen
objects, finds entries by name or by any words, and writes the text by which they are cited. Nothing here touches the
network.
"""

from __future__ import annotations

import datetime
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from data.errors import FileProblem, StoreProblem

Method = Literal["earthaccess", "zenodo", "pooch", "http", "s3", "gcs", "manual"]
Step = Literal["none", "year", "month", "day"]

_HERE = Path(__file__).resolve().parent
_ACCESS_WORDS = {
    "earthaccess": "NASA Earthdata (account)",
    "zenodo": "Zenodo",
    "pooch": "DOI repository",
    "http": "web",
    "s3": "S3 (anonymous)",
    "gcs": "Google Cloud (anonymous)",
    "manual": "by hand",
}
CATALOG_PATH = _HERE / "catalog.yaml"
SCHEMA_PATH = _HERE / "catalog.schema.json"


@dataclass(frozen=True)
class Coverage:
    """Where and when a data set has values.

    Attributes
    ----------
    space : (west, south, east, north) in degrees, or None for data without place.
    time : (first day, last day); a last day of None means that the record goes on; None for data without time.
    """

    space: tuple[float, float, float, float] | None
    time: tuple[datetime.date, datetime.date | None] | None

    def __str__(self) -> str:
        when = "" if self.time is None else f"{self.time[0]} to {self.time[1] or 'now'}"
        if self.space is None:
            where = ""
        elif self.space == (-180, -90, 180, 90):
            where = "global"
        else:
            west, south, east, north = self.space
            where = f"{west:g}..{east:g} E, {south:g}..{north:g} N"
        return ", ".join(part for part in (where, when) if part) or "-"


@dataclass(frozen=True)
class CatalogFile:
    """One file at a fixed address; `checksum` is "md5:..." or "sha256:..." where one is known, `size` in bytes."""

    url: str
    name: str | None = None
    size: int | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class Access:
    """How the files of an entry are reached; which fields are set depends on `method`.

    Attributes
    ----------
    method : "earthaccess" (NASA, free account), "zenodo", "pooch" (DOI at Dataverse or Figshare), "http", "s3", "gcs",
        "manual".
    short_name, version : NASA's names of a collection (earthaccess).
    record, match : number of a Zenodo record and a pattern for file names in it.
    doi : of the repository (pooch).
    step : what one file holds: a day, a month, a year, or everything ("none").
    urls, paths : addresses (http) or bucket/key (s3, gcs) with fields {year}, {yy}, {month}, {day}, {variable}.
    files : fixed addresses (http).
    checksums : address of the provider's list of sums, with the same fields as `urls`.
    zarr : bucket/path of a zarr store that is cut, not copied.
    variables : values of {variable}, or what is taken of the zarr store.
    address, instructions : for what only a person can fetch.
    unpack : archives are unpacked after fetching.
    limit_per_second : requests per second that the provider is asked for at most.
    """

    method: Method
    short_name: str | None = None
    version: str | None = None
    record: str | None = None
    match: str | None = None
    doi: str | None = None
    step: Step = "none"
    urls: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    files: tuple[CatalogFile, ...] = ()
    checksums: str | None = None
    zarr: str | None = None
    variables: tuple[str, ...] = ()
    address: str | None = None
    instructions: str | None = None
    unpack: bool = False
    limit_per_second: float = 4.0

    def __str__(self) -> str:
        return _ACCESS_WORDS[self.method]


@dataclass(frozen=True)
class Entry:
    """One data set. None means not known; a `reader` (a module of `data.readers`) of None: cannot be imported yet."""

    name: str
    title: str
    group: str
    provider: str
    doi: str | None
    version: str | None
    licence: str | None
    citation: str
    homepage: str | None
    coverage: Coverage
    resolution: str | None
    size: str | None
    access: Access
    reader: str | None
    variables: tuple[str, ...]
    unit: str | None
    note: str | None


@dataclass(frozen=True)
class Catalog:
    """All entries by name, in the order of the file."""

    entries: Mapping[str, Entry]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)

    def entry(self, name: str) -> Entry:
        """The entry of that name (case does not matter). StoreProblem, with the nearest names, where there is none."""
        found = self.entries.get(name.strip().lower())
        if found is None:
            near = difflib.get_close_matches(name.strip().lower(), list(self.entries), n=3, cutoff=0.4)
            near += [other.name for other in self.search(name) if other.name not in near][: 3 - len(near)]
            hint = f"did you mean {' or '.join(near)}?" if near else "see `carbonweather data list`."
            raise StoreProblem(f"The catalogue has no data set named {name!r}; {hint}")
        return found

    def search(self, text: str) -> list[Entry]:
        """Entries with every word of `text` somewhere in their facts (case does not matter); all for an empty text."""
        words = text.lower().split()
        return [entry for entry in self if all(word in _searchable(entry) for word in words)]


def _searchable(entry: Entry) -> str:
    facts = [entry.name, entry.title, entry.group, entry.provider, entry.doi, entry.version, entry.resolution]
    facts += [entry.access.method, entry.access.short_name, entry.reader, entry.unit, entry.note, entry.citation]
    return " ".join(filter(None, [*facts, *entry.variables])).lower()


@cache
def _schema() -> dict[str, Any]:
    return json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))


def problems(content: object) -> list[str]:
    """What is wrong with the content of a catalogue file, one sentence each; empty if it is good.

    Parameters
    ----------
    content : the parsed YAML, entry name -> facts; days as ISO text or `datetime.date`.
    """
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import best_match

    validator = Draft202012Validator(_schema(), format_checker=FormatChecker())
    plain = _with_text_days(content)
    found = []
    for error in sorted(validator.iter_errors(plain), key=lambda each: [str(step) for step in each.absolute_path]):
        deepest = best_match([error]) or error
        place = ".".join(str(step) for step in deepest.absolute_path) or "the file"
        found.append(f"{place}: {deepest.message[:200]}")
    if found or not isinstance(plain, dict):
        return found
    for name, facts in plain.items():
        found += _logical_problems(name, facts)
    return found


def _logical_problems(name: str, facts: dict[str, Any]) -> Iterator[str]:
    """What a schema cannot say."""
    time, space, access = facts["coverage"]["time"], facts["coverage"]["space"], facts["access"]
    if time and time[1] and time[1] < time[0]:
        yield f"{name}.coverage.time: ends before it begins"
    if space and space[1] >= space[3]:
        yield f"{name}.coverage.space: south is not below north"
    if access.get("step", "none") != "none" and not time:
        yield f"{name}.coverage.time: is needed to fetch by {access['step']}"
    for template in [*access.get("urls", ()), *access.get("paths", ()), *filter(None, [access.get("checksums")])]:
        try:
            template.format(year=2020, yy=20, month=1, day=1, variable="x")
        except (KeyError, IndexError, ValueError):
            yield f"{name}.access: {template} has a field other than year, yy, month, day, variable"
        if "{variable}" in template and not access.get("variables"):
            yield f"{name}.access.variables: are needed by {template}"


def _with_text_days(content: object) -> object:
    """YAML makes dates of bare days; JSON Schema wants text."""
    if isinstance(content, dict):
        return {key: _with_text_days(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_with_text_days(value) for value in content]
    return content.isoformat() if isinstance(content, datetime.date) else content


def load(path: Path | None = None) -> Catalog:
    """The catalogue; FileProblem where the file is not a good one.

    Parameters
    ----------
    path : another catalogue file (same schema); the program's own if not given.
    """
    return _load(Path(path) if path else CATALOG_PATH)


@cache
def _load(path: Path) -> Catalog:
    import yaml

    good = "a catalogue as data/catalog.schema.json describes it"
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        found = f"nothing readable ({error.strerror})"
        raise FileProblem(path, expected=good, found=found, remedy="install the program again") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = f"broken YAML ({str(error).splitlines()[0]})"
        raise FileProblem(path, expected=good, found=found, remedy="correct it") from None
    wrong = problems(content)
    if wrong:
        raise FileProblem(path, expected=good, found=wrong[0], remedy="correct it")
    return Catalog(MappingProxyType({name: _entry(name, facts) for name, facts in content.items()}))


def _entry(name: str, facts: dict[str, Any]) -> Entry:
    space, time = facts["coverage"]["space"], facts["coverage"]["time"]
    coverage = Coverage(
        space=None if space is None else (float(space[0]), float(space[1]), float(space[2]), float(space[3])),
        time=None if time is None else (_day(time[0]), _day(time[1]) if time[1] else None),
    )
    access = dict(facts["access"])
    access["files"] = tuple(CatalogFile(**file) for file in access.get("files", ()))
    for key in ("urls", "paths", "variables"):
        access[key] = tuple(access.get(key, ()))
    plain = {key: value for key, value in facts.items() if key not in ("coverage", "access", "variables")}
    return Entry(name=name, coverage=coverage, access=Access(**access), variables=tuple(facts["variables"]), **plain)


def _day(value: str | datetime.date) -> datetime.date:
    return value if isinstance(value, datetime.date) else datetime.date.fromisoformat(value)


def entry(name: str) -> Entry:
    """The entry of that name; StoreProblem, with the nearest names, where there is none."""
    return load().entry(name)


def search(text: str) -> list[Entry]:
    """Entries that hold every word of `text` in their facts; all for an empty text."""
    return load().search(text)


def cite(names: Iterable[str]) -> str:
    """How to cite these data sets: a paragraph each, in the order given, each once. StoreProblem: unknown name."""
    return "\n\n".join(paragraph(entry(name)) for name in dict.fromkeys(names))


def paragraph(found: Entry, *, licence: str | None = None) -> str:
    """How to cite one data set: title, version, provider, citation, DOI, licence (another one where given)."""
    version = f", version {found.version}" if found.version else ""
    link = f" https://doi.org/{found.doi}" if found.doi and found.doi not in found.citation else ""
    terms = licence or found.licence
    words = f" Licence: {terms}." if terms else " Licence: not known; ask the provider."
    return f"{found.title}{version}. {found.provider}. {found.citation}{link}{words}"
