"""Soundings on their way into files of the archive: by partition, in storage order, of the right size, with notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from data.soundings.contents import DataFile, Partition, months_of
from data.soundings.granule import Granule
from data.soundings.table import SoundingTable, in_storage_order, times_of
from data.storage import unique_name

if TYPE_CHECKING:
    import pyarrow as pa

FILE_ROWS = 500_000
"""Soundings in a full file: some 16 row groups, 150 MB with kernels and profiles."""


def by_partition(tables: Iterable[SoundingTable]) -> dict[Partition, list[pa.Table]]:
    """The rows of granules by the folder that they belong to."""
    arriving: dict[Partition, list[pa.Table]] = {}
    for new in tables:
        if new.table.num_rows == 0:
            continue
        months = months_of(times_of(new.table))
        present = np.unique(months)
        for month in present.tolist():
            rows = new.table if present.size == 1 else new.table.filter(months == month)
            arriving.setdefault(Partition(new.granule.instrument, month, new.granule.schema), []).append(rows)
    return arriving


def in_files(
    partition: Partition, tables: list[pa.Table], replaces: Iterable[str] = ()
) -> Iterator[tuple[DataFile, pa.Table]]:
    """The files that rows of one partition make, in storage order, cut by time where they are too many for one; nothing
    for no rows.
    """
    import pyarrow as pa

    joined = pa.concat_tables([table.cast(tables[0].schema) for table in tables]) if len(tables) > 1 else tables[0]
    for piece in _pieces(joined):
        name = f"{partition.folder}/{unique_name('soundings', '.parquet')}"
        yield DataFile.describing(name, partition, piece, replaces), piece


def notes(file: DataFile, granules: Mapping[int, Granule], columns: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says of itself: enough to make the manifest again."""
    return {"file": file.to_json(), "granules": [vars(granules[int(key)]) for key in file.days], "columns": columns}


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    count = -(-table.num_rows // (FILE_ROWS * 3 // 2))
    if count > 1:
        by_time = np.argsort(times_of(table), kind="stable")
        for part in np.array_split(by_time, count):
            yield in_storage_order(table.take(part))
    elif count == 1:
        yield in_storage_order(table)
