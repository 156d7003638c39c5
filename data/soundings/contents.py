"""What the archive of soundings holds, as its manifest says: files with their extent in space and time, granules,
columns.

Everything that a query needs to know before it opens a file, and all that the coverage calendar shows, is here. The
same facts are in the metadata of each Parquet file, so a lost manifest can be made again from the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from data.soundings.granule import Granule
from data.soundings.table import describe_columns, positions, times_of
from data.storage import Written

if TYPE_CHECKING:
    import pyarrow as pa

_DAY = 86_400 * 10**9


@dataclass(frozen=True, order=True)
class Partition:
    """The folder that soundings belong to, and their columns: rows are only ever joined within one of these."""

    instrument: str
    month: int
    schema: str

    @property
    def folder(self) -> str:
        """Hive-style folder; `month` counts from January 1970."""
        year, month = divmod(self.month, 12)
        return f"instrument={quote(self.instrument, safe=' ')}/year={1970 + year:04d}/month={month + 1:02d}"


@dataclass(frozen=True)
class DataFile:
    """One Parquet file.

    Attributes
    ----------
    name : path within the archive.
    rows, size : soundings and bytes.
    content : SHA-256 of the bytes; "" in files that an earlier version wrote.
    start, end : first and last time, ns since 1970.
    west, south, east, north : box around its soundings, degrees.
    days : granule -> day (counted from 1970) -> soundings; keys are text, as in JSON.
    replaces : files whose soundings it took over.
    """

    name: str
    partition: Partition
    rows: int
    size: int
    start: int
    end: int
    west: float
    south: float
    east: float
    north: float
    days: Mapping[str, Mapping[str, int]]
    replaces: tuple[str, ...] = ()
    content: str = ""

    @classmethod
    def describing(cls, name: str, partition: Partition, table: pa.Table, replaces: Iterable[str]) -> DataFile:
        """The facts of a file that will hold these rows (its size and sum come later)."""
        import pyarrow as pa

        times = times_of(table)
        lon, lat = positions(table)
        by_day = (
            pa.table({"granule": table["granule"], "day": times // _DAY})
            .group_by(["granule", "day"])
            .aggregate([([], "count_all")])
        )
        days: dict[str, dict[str, int]] = {}
        for row in by_day.sort_by([("granule", "ascending"), ("day", "ascending")]).to_pylist():
            days.setdefault(str(row["granule"]), {})[str(row["day"])] = row["count_all"]
        box = (float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))
        return cls(name, partition, table.num_rows, 0, int(times.min()), int(times.max()), *box, days, tuple(replaces))

    def to_json(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        facts = {key: value for key, value in vars(self).items() if key not in ("name", "partition")}
        return {**vars(self.partition), **facts, "replaces": list(self.replaces)}

    @classmethod
    def from_json(cls, name: str, kept: Mapping[str, Any]) -> DataFile:
        """Read back."""
        facts = dict(kept)
        partition = Partition(facts.pop("instrument"), int(facts.pop("month")), facts.pop("schema"))
        return cls(name, partition, **{**facts, "replaces": tuple(facts["replaces"])})


@dataclass(frozen=True)
class Contents:
    """Files, granules (by key) and columns (by schema) of the archive."""

    files: dict[str, DataFile] = field(default_factory=dict)
    granules: dict[int, Granule] = field(default_factory=dict)
    schemas: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Contents:
        """What a manifest says."""
        return cls(
            {name: DataFile.from_json(name, kept) for name, kept in manifest["files"].items()},
            {int(key): Granule(**kept) for key, kept in manifest.get("granules", {}).items()},
            dict(manifest.get("schemas", {})),
        )

    @cached_property
    def by_file(self) -> dict[tuple[str, str], Granule]:
        """(file name, digest) -> granule."""
        return {(granule.name.split("/")[-1], granule.digest): granule for granule in self.granules.values()}

    def to_manifest(self) -> dict[str, Any]:
        """As JSON keeps it."""
        used = {file.partition.schema for file in self.files.values()} | {
            granule.schema for granule in self.granules.values()
        }
        return {
            "files": {name: file.to_json() for name, file in sorted(self.files.items())},
            "granules": {str(key): vars(granule) for key, granule in sorted(self.granules.items())},
            "schemas": {schema: columns for schema, columns in sorted(self.schemas.items()) if schema in used},
        }

    def kept(self) -> dict[int, int]:
        """Granule -> soundings of it that are stored."""
        counts: dict[int, int] = dict.fromkeys(self.granules, 0)
        for file in self.files.values():
            for key, days in file.days.items():
                counts[int(key)] = counts.get(int(key), 0) + sum(days.values())
        return counts

    def with_column_facts(self, schema: str, table_schema: pa.Schema) -> None:
        """Remember the columns of a schema."""
        self.schemas.setdefault(schema, describe_columns(table_schema))


def months_of(times: np.ndarray) -> np.ndarray:
    """(n,) months counted from January 1970 of (n,) times in ns since 1970."""
    return times.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)


def rebuilt(notes: Mapping[str, tuple[Mapping[str, Any], Written]]) -> Contents:
    """Contents made again from the metadata, size and sum of every Parquet file on disk.

    Files that another one took over are ignored. A granule of which soundings are missing is marked to be imported
    again.
    """
    superseded = {old for facts, _ in notes.values() for old in facts["file"]["replaces"]}
    contents = Contents()
    for name, (facts, written) in sorted(notes.items()):
        if name in superseded:
            continue
        contents.files[name] = replace(DataFile.from_json(name, facts["file"]), **written._asdict())
        contents.schemas.setdefault(facts["file"]["schema"], facts["columns"])
        for kept in facts["granules"]:
            granule = Granule(**kept)
            contents.granules[granule.key] = granule
    for key, count in contents.kept().items():
        granule = contents.granules[key]
        if count < granule.soundings:
            contents.granules[key] = replace(granule, digest="")
    return contents
