"""What a killed run goes on from: one file of arrays, there whole or not at all."""

from __future__ import annotations

import os
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from data.runs.files import PART, sync_folder

_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class CheckpointProblem(AnalysisError):
    """A kept state cannot be read, or is of another run."""


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Named arrays (numbers, booleans, text) into one file (.npz) that replaces what was there; the same arrays give the
    same bytes.
    """
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PART}")
    try:
        with open(hidden, "wb") as stream:
            np.savez(stream, allow_pickle=False, **{name: np.asarray(values) for name, values in arrays.items()})
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(hidden, path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """What `write_arrays` wrote.

    Raises
    ------
    CheckpointProblem : missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except _DAMAGED as error:
        found = (str(error).splitlines() or [type(error).__name__])[0][:150]
        raise CheckpointProblem(
            f"{path}: expected the arrays of a transport run, found {found}; start a new run, or name another file."
        ) from None


def nested(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same under names that begin with a prefix, so that several parts share a file."""
    return {f"{prefix}/{name}": values for name, values in arrays.items()}


def part(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of one prefix, under their own names."""
    begin = f"{prefix}/"
    return {name.removeprefix(begin): values for name, values in arrays.items() if name.startswith(begin)}
