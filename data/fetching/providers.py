"""Which files of a data set there are to fetch, asked of its provider in the provider's own way.

NASA's archives are searched through earthaccess, Zenodo through its records' JSON (which has sizes and md5 sums),
Dataverse and Figshare through Pooch; web and cloud addresses are made from the catalogue's templates. The result is a
list of `data.fetching.partial.Remote` and the session with which they are fetched.
"""

from __future__ import annotations

import calendar
import datetime
import fnmatch
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from data.catalog import Entry, Step
from data.errors import StoreProblem
from data.fetching.download import Line, read_text
from data.fetching.partial import FetchStopped, Remote, safe_name

if TYPE_CHECKING:
    import requests
    from fsspec import AbstractFileSystem

_NO_EARTHDATA_ACCOUNT = (
    "{title}: this needs a free NASA Earthdata account, and none is set on this machine; register at "
    "https://urs.earthdata.nasa.gov/users/new, then put the line `machine urs.earthdata.nasa.gov login NAME password "
    "PASSWORD` into the file .netrc in your home folder, or set EARTHDATA_TOKEN, or EARTHDATA_USERNAME and "
    "EARTHDATA_PASSWORD."
)
_SUMS = ("md5", "sha1", "sha256", "sha512")


def anonymous_filesystem(method: str) -> AbstractFileSystem:
    """Amazon S3 or Google Cloud Storage without an account."""
    import fsspec

    return fsspec.filesystem("s3", anon=True) if method == "s3" else fsspec.filesystem("gcs", token="anon")


@dataclass(frozen=True)
class Endpoints:
    """Where providers are found; tests and mirrors name others."""

    zenodo: str = "https://zenodo.org/api"
    filesystem: Callable[[str], AbstractFileSystem] = anonymous_filesystem


@dataclass(frozen=True)
class Wanted:
    """What is asked for: an entry, its days (both included; None is open) and a box (west, south, east, north)."""

    entry: Entry
    start: datetime.date | None = None
    end: datetime.date | None = None
    bbox: tuple[float, float, float, float] | None = None

    @property
    def span(self) -> tuple[datetime.date, datetime.date]:
        """First and last day that exist and are wanted; StoreProblem where there are none."""
        first, last = self.entry.coverage.time or (datetime.date.min, None)
        last = last or datetime.date.today()
        start, end = max(first, self.start or first), min(last, self.end or last)
        if start > end:
            asked = f"{self.start or first} to {self.end or last} was asked for"
            raise StoreProblem(f"{self.entry.title} covers {first} to {last}, and {asked}; ask for days inside.")
        return start, end


def periods(start: datetime.date, end: datetime.date, step: Step) -> Iterator[datetime.date]:
    """First day of each day, month or year that overlaps start..end (both included); one day for "none"."""
    if step == "none":
        yield start
        return
    day = start if step == "day" else start.replace(day=1) if step == "month" else start.replace(month=1, day=1)
    while day <= end:
        yield day
        month = calendar.monthrange(day.year, day.month)[1]
        days = 1 if step == "day" else month if step == "month" else 365 + calendar.isleap(day.year)
        day += datetime.timedelta(days=days)


def fill(template: str, day: datetime.date, variable: str = "") -> str:
    """An address of the catalogue for the period that begins with `day`."""
    return template.format(year=day.year, yy=day.year % 100, month=day.month, day=day.day, variable=variable)


def addresses(templates: tuple[str, ...], wanted: Wanted) -> Iterator[tuple[datetime.date, str]]:
    """Each template for each period and variable, with the first day of the period."""
    access = wanted.entry.access
    for day in periods(*wanted.span, access.step) if templates else ():
        for template in templates:
            for variable in access.variables if "{variable}" in template else ("",):
                yield day, fill(template, day, variable)


def list_files(wanted: Wanted, line: Line, endpoints: Endpoints) -> tuple[list[Remote], requests.Session]:
    """Files to fetch, in a sensible order, and the session for them.

    Raises
    ------
    FetchStopped : no account, or a data set that only a person can fetch.
    StoreProblem : nothing in the wanted days, or the provider's list cannot be read.
    """
    makers: dict[str, Callable[[], tuple[list[Remote], requests.Session]]] = {
        "earthaccess": lambda: _earthdata(wanted),
        "zenodo": lambda: (_zenodo(wanted, line, endpoints), line.session),
        "pooch": lambda: (_repository(wanted), line.session),
        "http": lambda: (_web(wanted, line), line.session),
        "s3": lambda: (_cloud(wanted), line.session),
        "gcs": lambda: (_cloud(wanted), line.session),
    }
    files, session = makers[wanted.entry.access.method]()
    names = [file.name for file in files]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice:
        raise StoreProblem(f"The provider of {wanted.entry.title} lists {twice} twice; tell the provider.")
    if not files:
        days = f" in {wanted.start or 'the beginning'} to {wanted.end or 'now'}" if wanted.start or wanted.end else ""
        raise StoreProblem(f"{wanted.entry.title} has no files{days}; ask for other days or another box.")
    return files, session


def _web(wanted: Wanted, line: Line) -> list[Remote]:
    """Addresses of the catalogue, with the sums that the provider publishes beside them."""
    access, time = wanted.entry.access, wanted.entry.coverage.time
    may_change = time is None or time[1] is None
    files = [
        Remote(
            url=file.url,
            name=safe_name(file.name or _last_step(file.url)),
            size=file.size,
            checksum=file.checksum,
            may_change=may_change and file.checksum is None,
        )
        for file in access.files
    ]
    sums: dict[str, dict[str, str]] = {}
    for day, url in addresses(access.urls, wanted):
        name = _last_step(url)
        checksum = None
        if access.checksums:
            address = fill(access.checksums, day)
            if address not in sums:
                sums[address] = _published_sums(address, line)
            checksum = sums[address].get(name)
        files.append(Remote(url, safe_name(name), checksum=checksum, may_change=may_change and checksum is None))
    return files


def _last_step(url: str) -> str:
    return unquote(urlsplit(url).path).rsplit("/", 1)[-1]


def _published_sums(address: str, line: Line) -> dict[str, str]:
    """File name -> checksum, from a list as md5sum and sha256sum write it; empty where the provider has none."""
    try:
        text = read_text(address, line, what="its list of checksums")
    except FetchStopped:
        raise
    except StoreProblem:
        return {}
    kinds = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
    found = re.findall(r"^([0-9a-fA-F]{32,128})[ \t]+\*?(\S+)[ \t\r]*$", text, flags=re.MULTILINE)
    known = [(name.rsplit("/", 1)[-1], value.lower()) for value, name in found if len(value) in kinds]
    return {name: f"{kinds[len(value)]}:{value}" for name, value in known}


def _zenodo(wanted: Wanted, line: Line, endpoints: Endpoints) -> list[Remote]:
    """Files of a Zenodo record."""
    access, title = wanted.entry.access, wanted.entry.title
    address = f"{endpoints.zenodo.rstrip('/')}/records/{access.record}"
    text = read_text(address, line, what=f"the list of files of {title}")
    try:
        listed = json.loads(text)["files"]
        files = [
            Remote(file["links"]["self"], safe_name(file["key"]), int(file["size"]), _sum(file["checksum"]))
            for file in listed
            if fnmatch.fnmatchcase(file["key"], access.match or "*")
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        words = "answers in another form than expected"
        raise StoreProblem(f"Zenodo {words} for record {access.record}; look at {address}.") from None
    return [file for file in files if _in_span(file.name, wanted)]


def _repository(wanted: Wanted) -> list[Remote]:
    """Files of a Dataverse or Figshare DOI, with the sums that Pooch reads there."""
    import pooch
    import requests
    from pooch.downloaders import doi_to_repository

    doi = wanted.entry.access.doi or ""
    try:
        registry = pooch.create(path=".", base_url=f"doi:{doi}/", registry=None)
        registry.load_registry_from_doi()
        repository = doi_to_repository(doi)
        files = [
            Remote(url=repository.download_url(name), name=safe_name(name), checksum=_sum(known))
            for name, known in registry.registry.items()
        ]
    except (requests.RequestException, ValueError, KeyError) as error:
        words = str(error).splitlines()[0][:160]
        raise StoreProblem(f"The files of {wanted.entry.title} cannot be listed ({words}); try again later.") from None
    return [file for file in files if _in_span(file.name, wanted)]


def _sum(text: str | None) -> str | None:
    """A checksum as "kind:value", None where it is of a kind that we cannot check."""
    kind, _, value = (text or "").rpartition(":")
    kind = (kind or "sha256").lower().replace("-", "")
    return f"{kind}:{value.strip().lower()}" if value and kind in _SUMS else None


def _in_span(name: str, wanted: Wanted) -> bool:
    """False for a file whose name tells a month (and perhaps a day) outside the wanted days."""
    match = re.search(r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])(?:[-_.]?(0[1-9]|[12]\d|3[01]))?(?!\d)", name)
    if match is None or (wanted.start is None and wanted.end is None):
        return True
    year, month = int(match[1]), int(match[2])
    length = calendar.monthrange(year, month)[1]
    first = datetime.date(year, month, min(int(match[3]), length) if match[3] else 1)
    last = first if match[3] else datetime.date(year, month, length)
    return (wanted.end is None or first <= wanted.end) and (wanted.start is None or last >= wanted.start)


def _cloud(wanted: Wanted) -> list[Remote]:
    """Objects of a public bucket."""
    access = wanted.entry.access
    return [Remote(path, safe_name(path.rsplit("/", 1)[-1])) for _, path in addresses(access.paths, wanted)]


def _earthdata(wanted: Wanted) -> tuple[list[Remote], requests.Session]:
    """Granules that NASA's search finds, and a session that is signed in."""
    import earthaccess
    import requests

    access, title = wanted.entry.access, wanted.entry.title
    session = _earthdata_session(title)
    start, end = wanted.span
    query: dict[str, Any] = {
        "short_name": access.short_name,
        "temporal": (f"{start}T00:00:00Z", f"{end}T23:59:59Z"),
    }
    if access.version:
        query["version"] = access.version
    if wanted.bbox:
        query["bounding_box"] = wanted.bbox
    try:
        granules = earthaccess.search_data(**query)
    except (RuntimeError, ValueError, requests.RequestException) as error:
        words = str(error).splitlines()[0][:160]
        raise StoreProblem(f"NASA's search does not answer for {title} ({words}); try again later.") from None
    refused = (
        "accept the archive's application and licence in your profile at https://urs.earthdata.nasa.gov (for GES DISC: "
        "'NASA GESDISC DATA ARCHIVE'), then fetch again"
    )
    files = []
    for granule in granules:
        facts = _granule_facts(granule)
        for url in granule.data_links(access="external"):
            if urlsplit(url).scheme in ("http", "https"):
                size, checksum = facts.get(_last_step(url), (None, None))
                files.append(Remote(url, safe_name(_last_step(url)), size, checksum, if_refused=refused))
    return files, session


def _granule_facts(granule: dict[str, Any]) -> dict[str, tuple[int | None, str | None]]:
    """File name -> (bytes, checksum), as far as the archive tells in the granule's UMM metadata."""
    listed = granule.get("umm", {}).get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    facts: dict[str, tuple[int | None, str | None]] = {}
    for file in [*listed, *(inner for outer in listed for inner in outer.get("Files", []))]:
        told = file.get("Checksum") or {}
        checksum = _sum(f"{told.get('Algorithm', '')}:{told.get('Value', '')}") if told else None
        facts[str(file.get("Name"))] = (file.get("SizeInBytes"), checksum)
    return facts


def _earthdata_session(title: str) -> requests.Session:
    """A session signed in by EARTHDATA_TOKEN, EARTHDATA_USERNAME/PASSWORD or netrc; nobody is ever asked to type."""
    import earthaccess
    import requests
    from earthaccess.exceptions import LoginAttemptFailure, LoginStrategyUnavailable

    places = {"environment": "the environment variables EARTHDATA_*", "netrc": "the netrc file"}
    for strategy, place in places.items():
        try:
            auth = earthaccess.login(strategy=strategy)
        except LoginStrategyUnavailable:
            continue
        except LoginAttemptFailure:
            raise FetchStopped(
                f"NASA Earthdata does not accept the name and password in {place}; correct them (forgotten? "
                "https://urs.earthdata.nasa.gov) and fetch again."
            ) from None
        except requests.RequestException:
            raise FetchStopped(
                f"NASA Earthdata cannot be reached to sign in for {title}; check the network and fetch again."
            ) from None
        if auth.authenticated:
            return auth.get_session()
    raise FetchStopped(_NO_EARTHDATA_ACCOUNT.format(title=title))
