"""Samples that are done: rows of numbers that only grow, in memory or in a file.

In a file they are not part of a run's checkpoint, which then stays small however long the run: the checkpoint says how
many rows there were, and what a killed run wrote after it is cut off.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from analysis.sampling.errors import SamplingError


class Finished:
    """Rows of (request number, values).

    Parameters
    ----------
    path : file to keep them in; None keeps them in memory, and in `state_dict`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.count = 0
        self._dtype: np.dtype | None = None
        self.width = 0
        self._parts: list[np.ndarray] = []

    def append(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Add samples.

        Parameters
        ----------
        rows : (n,) int64 numbers of requests.
        values : (n, width) of one floating type throughout.
        """
        if not rows.size:
            return
        self._set(values.dtype, values.shape[1])
        block = np.empty(rows.size, dtype=self._record())
        block["row"], block["values"] = rows, values
        if self.path is None:
            self._parts.append(block)
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            size = self.count * block.itemsize
            with open(self.path, "r+b" if self.path.exists() else "w+b") as file:
                file.truncate(size)  # what a killed run wrote after its last checkpoint
                file.seek(size)
                file.write(block.tobytes())
        self.count += rows.size

    def _set(self, dtype: np.dtype, width: int) -> None:
        if self.count and (dtype != self._dtype or width != self.width):
            raise SamplingError(
                f"Samples had {self.width} values of {self._dtype} each, now {width} of {dtype}; a run keeps its tracers."
            )
        self._dtype, self.width = np.dtype(dtype), width

    def _record(self) -> np.dtype:
        assert self._dtype is not None
        return np.dtype([("row", np.int64), ("values", self._dtype, (self.width,))])

    def rows(self) -> np.ndarray:
        """(count,) int64 numbers of requests, in the order in which they were done."""
        block = self._block()
        return np.zeros(0, dtype=np.int64) if block is None else np.array(block["row"])

    def values(self, positions: np.ndarray | slice) -> np.ndarray:
        """(len(positions), width) values at some positions in that order."""
        block = self._block()
        return np.zeros((0, self.width)) if block is None else np.array(block["values"][positions])

    def _block(self) -> np.ndarray | None:
        if not self.count:
            return None
        if self.path is not None:
            return np.memmap(self.path, dtype=self._record(), mode="r", shape=(self.count,))
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything in memory, or how much the file held."""
        shape = np.array([self.count, self.width, 0 if self._dtype is None else self._dtype.itemsize], dtype=np.int64)
        if self.path is not None:
            if self.count:
                with open(self.path, "r+b") as file:
                    os.fsync(file.fileno())
            return {"finished": shape}
        block = self._block()
        if block is None:
            return {"finished": shape}
        return {"finished": shape, "finished_row": block["row"].copy(), "finished_values": block["values"].copy()}

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state_dict` of the same kind (memory or file).

        Raises
        ------
        SamplingError : the file is gone or shorter than it was, or the samples were in memory and are not there.
        """
        count, width, size = (int(number) for number in arrays["finished"])
        self._parts, self.count, self.width = [], 0, width
        self._dtype = np.dtype(f"f{size}") if size else None
        if not count:
            return
        if "finished_row" in arrays:
            rows, self.count = np.asarray(arrays["finished_row"]), 0
            self.append(rows, np.asarray(arrays["finished_values"]))
            return
        if self.path is None:
            raise SamplingError(
                "The samples of the interrupted run are in files, but none are named; give the same folder again."
            )
        held = self.path.stat().st_size if self.path.exists() else 0
        if held < count * self._record().itemsize:
            raise SamplingError(
                f"{self.path}: expected {count} samples from before the run stopped, found {held // self._record().itemsize}; "
                "start the run again."
            )
        self.count = count
