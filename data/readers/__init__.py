"""Readers: one module per product family, each turning files into the canonical objects of `data.canonical`.

`read(path)` finds the reader itself. A reader says in `recognises` whether a file is its own by looking at a `Probe`
(names, variables, first lines; never the data), so the order of readers does not matter except that generic ones come
last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from data.canonical import Kind, Product
from data.errors import FileProblem
from data.readers.probe import Probe

_MODULES = (
    "oco_lite",
    "gosat",
    "oco_tables",
    "airs",
    "tccon",
    "carbontracker",
    "surface",
    "emissions",
    "meteorology",
    "covariates",
    "boundaries",
    "gridded",
)
"""Modules of this package that hold readers; `gridded` recognises by shape and units and therefore comes last."""


@dataclass(frozen=True)
class Reader:
    """How one file format is recognised and read.

    Attributes
    ----------
    name : short name, shown to users.
    kind : canonical kind of what it returns.
    describes : what a good file holds, for error messages ("an OCO-2/3 Lite file: netCDF-4 with sounding_id, xco2").
    recognises : True if the probed file is of this format (also where it is damaged or empty: then `read` says so).
    read : path to Product; raises FileProblem.
    """

    name: str
    kind: Kind
    describes: str
    recognises: Callable[[Probe], bool]
    read: Callable[[Path], Product]


def readers() -> Iterator[Reader]:
    """All readers, specific ones first."""
    for module in _MODULES:
        yield from import_module(f"data.readers.{module}").READERS


def find_reader(probe: Probe) -> Reader | None:
    """The first reader that recognises the file, or None."""
    return next((reader for reader in readers() if reader.recognises(probe)), None)


def read(path: str | Path) -> Product:
    """Read any supported file (or zarr folder).

    Raises
    ------
    FileProblem : one sentence; also for folders, empty, unreadable, truncated and unknown files.
    """
    probe = Probe.of(path)
    reader = find_reader(probe)
    if reader is None:
        raise FileProblem(
            path,
            expected="one of the formats that `carbonweather data list` names",
            found=probe.summary,
            remedy="check that the download is complete, or convert it to netCDF with latitude, longitude and units",
        )
    return reader.read(Path(path))
