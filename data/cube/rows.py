"""Statistics of every row of every map, one record a slot in one file: zonal means at once, and exact means of whole
latitude bands.

A record is (3, rows) float64 (count, mean, squared deviations) and its crc32. The file only grows; a record counts
once the manifest names its slot.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import numpy as np

from data.cube.pyramid import RowStatistics
from data.cube.shards import ShardDamage, WriteFailure

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
        self._rows = rows
        self._size = 24 * rows + 8

    def write(self, slot: int, statistics: RowStatistics) -> None:
        """Put one record at its place, on a local disk; WriteFailure where that fails."""
        body = np.stack([statistics.count, statistics.mean, statistics.squares]).astype("<f8").tobytes()
        record = body + zlib.crc32(body).to_bytes(8, "little")
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with open(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as stream:
                stream.seek(slot * self._size)
                stream.write(record)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise WriteFailure(error) from None

    def read(self, slots: np.ndarray) -> np.ndarray:
        """(slots, 3, rows) float64 count, mean, squared deviations; zeros and NaN for slot -1. ShardDamage where
        damaged."""
        out = np.zeros((len(slots), 3, self._rows))
        out[:, 1] = np.nan
        if (slots >= 0).any():
            first, last = int(slots[slots >= 0].min()), int(slots.max())
            try:
                content = self._fs.cat_file(self._path, start=first * self._size, end=(last + 1) * self._size)
            except FileNotFoundError:
                raise ShardDamage("no file", self._path) from None
            except OSError as error:
                raise ShardDamage(f"an input error ({error.strerror or error})", self._path) from None
            for place, slot in enumerate(slots.tolist()):
                if slot >= 0:
                    record = content[(slot - first) * self._size : (slot - first + 1) * self._size]
                    if len(record) < self._size or zlib.crc32(record[:-8]) != int.from_bytes(record[-8:], "little"):
                        raise ShardDamage(f"damaged row statistics of map {slot}", self._path)
                    out[place] = np.frombuffer(record[:-8], dtype="<f8").reshape(3, self._rows)
        return out

    def means(self, slots: np.ndarray) -> np.ndarray:
        """(slots, rows) float64 means, NaN where a row is empty."""
        return self.read(slots)[:, 1]
