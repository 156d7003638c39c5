"""Which files the paths of an import mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata", ".zattrs")
_NOT_DATA = re.compile(r"(?i)(readme|licen[cs]e|copying|changelog)|.*\.(md|rst|pdf|part|part\.json)$")
"""Documentation, and downloads that are still under way (`data.fetch` names them so)."""


def files_to_import(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The data files that the paths mean, each once, in a fixed order.

    A folder means all files below it but hidden ones, documentation and unfinished downloads; a zarr store is one item; a path named itself
    always counts.
    """
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        items = sorted(files_below(path)) if path.is_dir() and not is_zarr(path) else [path]
        for item in items:
            found.setdefault(os.path.realpath(item), item)
    return list(found.values())


def is_zarr(folder: Path) -> bool:
    """True for the folder of a zarr store."""
    return any((folder / mark).exists() for mark in _ZARR_MARKS)


def files_below(folder: Path) -> Iterator[Path]:
    """Data files and zarr stores below a folder."""
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        stores = [name for name in folders if not name.startswith(".") and is_zarr(here / name)]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in stores)
        yield from (here / name for name in stores)
        yield from (here / name for name in names if not name.startswith(".") and not _NOT_DATA.match(name))
