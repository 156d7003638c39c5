"""Statistics of every row of every map, one record a slot in one file: zonal means at once, and exact means of whole
latitude bands.

A record is (3, rows) float64 (count, mean, squared deviations) and its crc32. The file only grows; a record counts
once the manifest names its slot. On an object store, where no file can grow, each record written there is a file of its
own in a folder of the variable's name; what was copied there is read from where it lies.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from data.cube.pyramid import RowStatistics
from data.cube.shards import ShardDamage, WriteFailure, write_file
from data.places import is_failure, is_local, reason

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class RowFile:
    """The row statistics of one variable.

    Parameters
    ----------
    fs, root : fsspec file system and the cube's folder.
    variable : its name.
    rows : rows of the grid.
    """

    def __init__(self, fs: AbstractFileSystem, root: str, variable: str, rows: int) -> None:
        self._fs = fs
        self._path = f"{root}/rows/{variable}.f64"
        self._apart = f"{root}/rows/{variable}"
        self._rows = rows
        self._size = 24 * rows + 8

    def write(self, statistics: Mapping[int, RowStatistics]) -> None:
        """Put the records of some slots at their places; WriteFailure where that fails."""
        records = {slot: self._record(rows) for slot, rows in statistics.items()}
        if not is_local(self._fs):
            for slot, record in records.items():
                write_file(f"{self._apart}/{slot}.f64", record, self._fs)
            return
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with open(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as stream:
                for slot, record in records.items():
                    stream.seek(slot * self._size)
                    stream.write(record)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise WriteFailure(error) from None

    def _record(self, statistics: RowStatistics) -> bytes:
        body = np.stack([statistics.count, statistics.mean, statistics.squares]).astype("<f8").tobytes()
        return body + zlib.crc32(body).to_bytes(8, "little")

    def read(self, slots: np.ndarray) -> np.ndarray:
        """(slots, 3, rows) float64 count, mean, squared deviations; zeros and NaN for slot -1. ShardDamage where
        damaged."""
        out = np.zeros((len(slots), 3, self._rows))
        out[:, 1] = np.nan
        if (slots >= 0).any():
            first, last = int(slots[slots >= 0].min()), int(slots.max())
            content = self._read_range(first * self._size, (last + 1) * self._size)
            records = {
                slot: (content or b"")[(slot - first) * self._size : (slot - first + 1) * self._size]
                for slot in slots[slots >= 0].tolist()
            }
            records |= self._read_apart([slot for slot, record in records.items() if not self._whole(record)])
            for place, slot in enumerate(slots.tolist()):
                if slot >= 0:
                    if not self._whole(records[slot]):
                        found = "no file" if content is None else f"damaged row statistics of map {slot}"
                        raise ShardDamage(found, self._path)
                    out[place] = np.frombuffer(records[slot][:-8], dtype="<f8").reshape(3, self._rows)
        return out

    def _whole(self, record: bytes) -> bool:
        return len(record) == self._size and zlib.crc32(record[:-8]) == int.from_bytes(record[-8:], "little")

    def _read_range(self, start: int, end: int) -> bytes | None:
        """Part of the file that grows, or what there is of it; None without a file."""
        try:
            return self._fs.cat_file(self._path, start=start, end=end)
        except FileNotFoundError:
            return None
        except Exception as error:
            if getattr(error, "errno", None) == errno.EINVAL and not is_local(self._fs):  # it ends before that
                return b""
            if not is_failure(error):
                raise
            raise ShardDamage(f"an input error ({reason(error)})", self._path) from None

    def _read_apart(self, slots: list[int]) -> dict[int, bytes]:
        """Records that are files of their own; of those that are not there, nothing."""
        if not slots:
            return {}
        paths = {f"{self._apart}/{slot}.f64": slot for slot in slots}
        found = self._fs.cat(list(paths), on_error="omit")
        return {paths[path]: record for path, record in found.items() if path in paths}

    def means(self, slots: np.ndarray) -> np.ndarray:
        """(slots, rows) float64 means, NaN where a row is empty."""
        return self.read(slots)[:, 1]
