"""A granule: one file of a provider as the archive of soundings knows it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECOND = 10**9
"""In ns: times of one sounding differ by less between versions of a product."""


@dataclass(frozen=True)
class Granule:
    """One file whose soundings are in the archive.

    Attributes
    ----------
    key : stable number of (instrument, collection, name), kept with each of its soundings.
    name : file name.
    digest : of the file's bytes, or of the soundings where there is no file; "" where it must be imported again.
    measures : the main quantity: two soundings of one instrument are the same only where they measure the same.
    soundings : how many usable ones the file held; fewer are kept where another granule has better versions of some.
    start, end : first and last time, ns since 1970.
    schema : identifies its columns.
    """

    key: int
    name: str
    digest: str
    instrument: str
    collection: str
    measures: str
    version: str
    title: str
    scale: str
    catalog: str
    reader: str
    simulated: bool
    soundings: int
    columns: int
    start: int
    end: int
    schema: str

    @property
    def rank(self) -> tuple[Any, ...]:
        """Of a sounding that two granules hold, the one of the higher rank is kept: later version, more columns,
        later name.
        """
        return (
            tuple(int(number) for number in re.findall(r"\d+", self.version)[:4]),
            self.columns,
            self.version,
            self.name,
            self.key,
        )

    def meets(self, other: Granule) -> bool:
        """True if both may hold the same soundings: one instrument and quantity, overlapping in time (to a second)."""
        same = self.instrument == other.instrument and self.measures == other.measures
        return same and self.start <= other.end + SECOND and other.start <= self.end + SECOND


def granule_key(instrument: str, collection: str, name: str) -> int:
    """The number by which a granule's soundings are marked; the same in every archive."""
    digest = hashlib.blake2b("\0".join((instrument, collection, name)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder (zarr) the names, sizes and times of its files; "" where there is none."""
    try:
        if path.is_dir():
            entries = sorted((str(item.relative_to(path)), item.stat()) for item in path.rglob("*") if item.is_file())
            listing = "\n".join(f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in entries)
            return hashlib.sha256(listing.encode()).hexdigest()[:32]
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:32]
    except OSError:
        return ""
