"""Which file a stored thing came from: how stores of whole products (sites, tables) know a file again and what it
replaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from data.canonical import Product
from data.soundings.granule import file_digest


@dataclass(frozen=True)
class Source:
    """One imported file.

    Attributes
    ----------
    name, collection : file name and the collection it belongs to; together they identify it.
    digest : of the file's bytes ("" where there is no file: it is then always taken as changed).
    reader, kind, count : who read it, as what, how many.
    start, end : first and last time, ISO text; None without time.
    catalog : its data set in the catalogue, "" where that is not known (files imported before this was kept).
    """

    name: str
    collection: str
    digest: str
    reader: str
    kind: str
    count: int
    start: str | None
    end: str | None
    title: str
    version: str
    scale: str
    simulated: bool
    catalog: str = ""

    @classmethod
    def of(cls, product: Product) -> Source:
        """Where a product comes from."""
        attrs = product.dataset.attrs
        start, end = (None if moment is None else str(moment) for moment in product.span)
        return cls(
            name=product.path.name,
            collection=product.collection,
            digest=file_digest(product.path),
            reader=product.reader,
            kind=product.kind,
            count=product.count,
            start=start,
            end=end,
            title=str(attrs.get("title", product.collection)),
            version=str(attrs.get("version", "")),
            scale=str(attrs.get("scale", "unknown")),
            simulated=bool(attrs.get("simulated", 0)),
            catalog=str(attrs.get("catalog", "")),
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Source:
        """Read back what `to_json` made; other entries are ignored."""
        return cls(**{key: kept[key] for key in cls.__dataclass_fields__ if key in kept})

    def to_json(self) -> dict[str, Any]:
        """As a manifest keeps it."""
        return asdict(self)

    def overlaps(self, other: Source) -> bool:
        """True if both cover some time in common, or one has none."""
        if not (self.start and self.end and other.start and other.end):
            return True
        start, end, other_start, other_end = (
            np.datetime64(text, "ns") for text in (self.start, self.end, other.start, other.end)
        )
        return bool(start <= other_end and other_start <= end)


def known_as(files: Mapping[str, Mapping[str, Any]], source: Source, folder: str) -> tuple[Source, str | None]:
    """The source under the name it is kept by, and the stored file that it replaces or repeats (None: it is new).

    A second file of the same name that covers other times is another one ("2015/01.nc" and "2016/01.nc") and gets its
    folder's name.
    """
    for name in (source.name, f"{folder}/{source.name}"):
        named = replace(source, name=name)
        stored = next(
            (file for file, kept in files.items() if (kept["name"], kept["collection"]) == (name, source.collection)),
            None,
        )
        if stored is None or Source.from_json(files[stored]).overlaps(source):
            return named, stored
    return named, stored


def holds(files: Mapping[str, Mapping[str, Any]], name: str, digest: str) -> Source | None:
    """The stored source of this file name and digest, or None."""
    for kept in files.values():
        if digest and kept["digest"] == digest and kept["name"].split("/")[-1] == name:
            return Source.from_json(kept)
    return None
