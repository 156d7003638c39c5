"""What became of each file of an import."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from data.canonical import Product
from data.errors import FileProblem

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportRecord:
    """What became of one file.

    Attributes
    ----------
    path : the file, or zarr folder.
    reader, kind : who read it and as what; None where no reader could.
    count : soundings, time steps, observations or rows in the file.
    start, end : first and last time; None for data without time.
    status : "unchanged" where the same file had been imported before.
    message : what happened, in one sentence.
    """

    path: str
    reader: str | None
    kind: str | None
    count: int
    start: np.datetime64 | None
    end: np.datetime64 | None
    status: Literal["imported", "unchanged", "failed"]
    message: str


def record_of(product: Product, path: Path) -> ImportRecord:
    """The record of a file that was read."""
    start, end = product.span
    return ImportRecord(str(path), product.reader, product.kind, product.count, start, end, "imported", "")


def failed(path: Path, message: str, known: ImportRecord | None = None) -> ImportRecord:
    """The record of a file that was not imported; `known` is what it would have been."""
    if known is not None:
        return replace(known, status="failed", message=message)
    return ImportRecord(str(path), None, None, 0, None, None, "failed", message)


def unexpected(path: Path, error: Exception, known: ImportRecord | None) -> ImportRecord:
    """The record of a file at which the program itself failed; the traceback goes to the log."""
    _log.error("%s could not be imported", path, exc_info=error)
    return unforeseen(path, error, known)


def unforeseen(path: Path, error: Exception, known: ImportRecord | None) -> ImportRecord:
    """The same where somebody else writes the log."""
    first = (str(error).splitlines() or [""])[0][:150]
    found = f"an unforeseen {type(error).__name__}{': ' + first if first else ''}"
    problem = FileProblem(
        path, expected="a file that can be imported", found=found, remedy="report it together with the log"
    )
    return failed(path, str(problem), known)
