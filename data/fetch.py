"""Fetch the files of a data set: `plan` asks the provider which they are, `carry_out` brings those that are missing.

`fetch` does both. Files come to the user's downloads folder (or another), are resumed where they broke off, checked
against the provider's size and checksum where it publishes them, and reported one by one; one bad file does not stop
the rest. Credentials come from the user's own netrc or environment and are never written.
"""

from __future__ import annotations

import calendar
import datetime
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from data.catalog import Catalog, Entry, load
from data.errors import DataError, StoreProblem
from data.fetching.cloud import copy, cut_days, described
from data.fetching.download import Line, RateLimit, download
from data.fetching.partial import FetchStopped, Progress, Remote, already_there, disk_words
from data.fetching.providers import Endpoints, Wanted, list_files
from data.fetching.unpacking import is_archive, unpack
from data.home import downloads_dir

Day = str | datetime.date | None
Box = Sequence[float] | str | None


@dataclass(frozen=True)
class FetchedFile:
    """What became of one file.

    Attributes
    ----------
    path : where it is, or would be.
    url : where it comes from.
    status : "fetched", "present" (was there and right; not fetched again) or "failed".
    size : bytes on disk, 0 if failed.
    checksum : the provider's sum that it was checked against, None if there is none.
    unpacked : folder with its content, for archives.
    message : why it failed.
    """

    path: Path
    url: str
    status: Literal["fetched", "present", "failed"]
    size: int = 0
    checksum: str | None = None
    unpacked: Path | None = None
    message: str = ""


@dataclass(frozen=True)
class Plan:
    """What a fetch will do; `files` is empty for data that are cut out of a store, day by day.

    Attributes
    ----------
    wanted : what was asked for.
    folder : where the files go.
    files : what the provider has.
    """

    wanted: Wanted
    folder: Path
    files: tuple[Remote, ...]
    endpoints: Endpoints
    line: Line = field(repr=False)

    @property
    def total(self) -> int | None:
        """Bytes in all where the provider tells, None otherwise."""
        sizes = [file.size for file in self.files]
        return sum(size for size in sizes if size is not None) if sizes and None not in sizes else None

    @property
    def uses_box(self) -> bool:
        """True where a box makes the files fewer or smaller; other providers serve whole files."""
        return self.wanted.entry.access.zarr is not None or self.wanted.entry.access.method == "earthaccess"

    @property
    def count(self) -> int:
        """Files that there are to fetch."""
        if self.files:
            return len(self.files)
        start, end = self.wanted.span
        return (end - start).days + 1


def read_day(value: Day, *, last: bool = False) -> datetime.date | None:
    """A day from "2020-06-15", "2020-06" or "2020" (its first day, or its last). StoreProblem for anything else."""
    if value is None or isinstance(value, datetime.date):
        return value.date() if isinstance(value, datetime.datetime) else value
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", value.strip())
    try:
        if match is None:
            raise ValueError
        year, month = int(match[1]), int(match[2] or (12 if last else 1))
        found = datetime.date(year, month, int(match[3] or 1))
    except ValueError:
        raise StoreProblem(f"{value!r} is not a day; write it as 2020-06-15, or 2020-06, or 2020.") from None
    if last and not match[3]:
        found = found.replace(day=calendar.monthrange(year, month)[1])
    return found


def read_box(value: Box) -> tuple[float, float, float, float] | None:
    """A box (west, south, east, north), degrees; west above east crosses the date line. StoreProblem if it is not."""
    if value is None:
        return None
    how = "write it as WEST,SOUTH,EAST,NORTH in degrees, such as -82,37,-78,43"
    try:
        west, south, east, north = (float(part) for part in (value.split(",") if isinstance(value, str) else value))
    except (TypeError, ValueError):
        raise StoreProblem(f"{value!r} is not a box; {how}.") from None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and west != east):
        raise StoreProblem(f"{value!r} is not a box on the globe; {how}, south below north.")
    return west, south, east, north


def fetch(
    name: str,
    *,
    start: Day = None,
    end: Day = None,
    bbox: Box = None,
    destination: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    limit_per_second: float | None = None,
    catalog: Catalog | None = None,
    endpoints: Endpoints | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[FetchedFile]:
    """Fetch the files of a data set.

    Parameters
    ----------
    name : of an entry of the catalogue.
    start, end : days, months or years, both included; everything if not given.
    bbox : (west, south, east, north) in degrees; NASA's search and zarr stores use it, others serve whole files.
    destination : folder; the data set's own in the user's downloads folder if not given.
    progress : called with every block of bytes and before every wait.
    limit_per_second : requests per second at most; the catalogue's if not given.

    Returns
    -------
    One `FetchedFile` a file, also for those that failed or were there.

    Raises
    ------
    StoreProblem : unknown name, impossible days or box, no account, no space, a data set that only a person can fetch,
        nothing to fetch, or nothing came at all.
    """
    made = plan(
        name, start=start, end=end, bbox=bbox, destination=destination, progress=progress,
        limit_per_second=limit_per_second, catalog=catalog, endpoints=endpoints, sleep=sleep,
    )  # fmt: skip
    results = carry_out(made)
    if results and all(result.status == "failed" for result in results):
        others = f" (and {len(results) - 1} more)" if len(results) > 1 else ""
        raise StoreProblem(f"Nothing of {made.wanted.entry.title} came: {results[0].message}{others}")
    return results


def plan(
    name: str,
    *,
    start: Day = None,
    end: Day = None,
    bbox: Box = None,
    destination: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    limit_per_second: float | None = None,
    catalog: Catalog | None = None,
    endpoints: Endpoints | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Plan:
    """Ask the provider what there is to fetch; parameters and errors as `fetch`."""
    import requests

    entry = (catalog or load()).entry(name)
    folder = Path(destination).expanduser() if destination else downloads_dir() / entry.name
    wanted = Wanted(entry, read_day(start), read_day(end, last=True), read_box(bbox))
    if wanted.start and wanted.end and wanted.start > wanted.end:
        raise StoreProblem(f"The first day, {wanted.start}, comes after the last, {wanted.end}; exchange them.")
    per_second = entry.access.limit_per_second if limit_per_second is None else limit_per_second
    if not per_second > 0:
        raise StoreProblem(f"{per_second} requests per second is no limit; name a number above 0.")
    if entry.access.method == "manual":
        raise FetchStopped(_by_hand(entry, folder))
    endpoints = endpoints or Endpoints()
    session = requests.Session()
    session.headers["User-Agent"] = "carbonweather (scientific data download)"
    line = Line(session, RateLimit(per_second, sleep=sleep), sleep=sleep)
    line = line if progress is None else replace(line, report=progress)
    if entry.access.zarr:
        if wanted.start is None or wanted.end is None:
            raise StoreProblem(f"{entry.title} is too large to fetch whole; give the first and last day (and a box).")
        return Plan(wanted, folder, (), endpoints, line)
    files, signed_in = list_files(wanted, line, endpoints)
    return Plan(wanted, folder, tuple(files), endpoints, replace(line, session=signed_in))


def _by_hand(entry: Entry, folder: Path) -> str:
    if entry.access.address is None:
        return f"{entry.title}: {entry.access.instructions}."
    return (
        f"{entry.title} cannot be fetched by a program. {entry.access.instructions}; put the files into {folder} and "
        f"run `carbonweather data import {folder}`."
    )


def carry_out(made: Plan) -> list[FetchedFile]:
    """Bring what the plan names, file by file.

    Raises
    ------
    FetchStopped : what all files share: no sign-in, no space, another fetch at work there. What has come stays.
    """
    from filelock import FileLock, Timeout

    with disk_words(made.folder / "."):
        made.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(made.folder / ".fetch.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise FetchStopped(f"Another fetch is writing to {made.folder}; wait until it is done.") from None
    try:
        return _cut(made) if made.wanted.entry.access.zarr else [_bring(made, remote) for remote in made.files]
    finally:
        lock.release()


def _bring(made: Plan, remote: Remote) -> FetchedFile:
    """One file, never raising for what concerns only this file."""
    target = made.folder / remote.name
    try:
        if not target.resolve().is_relative_to(made.folder.resolve()):
            raise StoreProblem(f"{remote.name} would be written outside {made.folder}; remove the link that leads out.")
        if made.wanted.entry.access.method in ("s3", "gcs"):
            filesystem = made.endpoints.filesystem(made.wanted.entry.access.method)
            remote, tag = described(remote, filesystem)
            fetched = not already_there(remote, target)
            if fetched:
                copy(remote, tag, target, filesystem, made.line)
        else:
            fetched = not already_there(remote, target) and download(remote, target, made.line)
        folder = unpack(target, fresh=fetched) if made.wanted.entry.access.unpack and is_archive(target) else None
    except FetchStopped:
        raise
    except DataError as problem:
        return FetchedFile(target, remote.url, "failed", checksum=remote.checksum, message=str(problem))
    status: Literal["fetched", "present"] = "fetched" if fetched else "present"
    return FetchedFile(target, remote.url, status, target.stat().st_size, remote.checksum, folder)


def _cut(made: Plan) -> list[FetchedFile]:
    """Days out of a zarr store; the days that came are kept where a later one is missing."""
    access = made.wanted.entry.access
    url = f"{access.method}://{access.zarr}"
    results: list[FetchedFile] = []
    try:
        filesystem = made.endpoints.filesystem(access.method)
        for path, new in cut_days(made.wanted, filesystem, made.folder, made.line):
            results.append(FetchedFile(path, url, "fetched" if new else "present", path.stat().st_size))
    except FetchStopped:
        raise
    except StoreProblem as problem:
        results.append(FetchedFile(made.folder, url, "failed", message=str(problem)))
    return results
