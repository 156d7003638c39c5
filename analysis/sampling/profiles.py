"""Weights and kernels of many soundings: in memory while they are few, in a scratch file of their own where they are a
year's, of which only what is looked at is read.
"""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np

IN_MEMORY_BYTES = 128 * 2**20
"""What is kept in memory before it moves to a file: 800,000 soundings of 20 levels."""


class Profiles:
    """Pressure weights and averaging kernels (float32, the top of the atmosphere first), appended and then looked up.

    Parameters
    ----------
    levels : number of levels of each.
    in_memory : bytes from which on they are kept in a temporary file, which is gone when the program ends.
    """

    def __init__(self, levels: int, in_memory: int = IN_MEMORY_BYTES) -> None:
        self.levels, self.count = levels, 0
        self._in_memory = in_memory
        self._parts: list[np.ndarray] = []
        self._file: Any = None
        self._map: np.ndarray | None = None

    def append(self, weight: np.ndarray, kernel: np.ndarray) -> int:
        """Add (n, levels) of both; returns the number of the first row."""
        block = np.stack([weight, kernel], axis=1).astype(np.float32)
        first, self.count = self.count, self.count + len(block)
        self._parts.append(block)
        self._map = None
        if self._file is None and self.count * 8 * self.levels > self._in_memory:
            self._file = tempfile.TemporaryFile(prefix="carbonweather-profiles-")  # noqa: SIM115
        if self._file is not None:
            self._file.seek(0, 2)
            for part in self._parts:
                self._file.write(part.tobytes())
            self._file.flush()
            self._parts = []
        return first

    def stored(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights and kernels (n, levels) float64 of some soundings, as they were appended."""
        if self._map is None:
            shape = (self.count, 2, self.levels)
            if self._file is not None:
                self._map = np.memmap(self._file, dtype=np.float32, mode="r", shape=shape)
            else:
                self._parts = [np.concatenate(self._parts)]
                self._map = self._parts[0]
        block = np.asarray(self._map[numbers], dtype=np.float64)
        return block[:, 0], block[:, 1]

    def operators(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the operator needs of some soundings.

        Returns
        -------
        edges : (n, levels + 1) float64, 0 to 1: the share of dry air above each level's upper and lower boundary.
        kernel : (n, levels) float64, times the sum of the weights (which is one but for rounding).
        """
        weight, kernel = self.stored(numbers)
        edges = np.zeros((len(weight), self.levels + 1))
        np.cumsum(weight, axis=1, out=edges[:, 1:])
        total = edges[:, -1:].copy()
        edges /= total
        edges[:, -1] = 1.0
        return edges, kernel * total
