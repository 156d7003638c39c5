"""What a user writes under `samples:` (files, folders, patterns, and how to look at them), checked and read."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.sampling.column_files import TCCON_READER, LeftOut, Wanted, soundings
from analysis.sampling.errors import SamplingError
from analysis.sampling.horizontal import METHODS, Horizontal
from analysis.sampling.point_files import Times, points
from analysis.sampling.point_tables import is_point_table, not_a_table, read_points_netcdf, read_table
from analysis.sampling.profiles import Profiles
from analysis.sampling.requests import ColumnRequests, PointRequests, Requests, joined
from data.readers import find_reader, read
from data.readers.columns import header
from data.readers.periods import slug
from data.readers.probe import Probe

if TYPE_CHECKING:
    from data.canonical import Product

CHOICES: dict[str, tuple[str, ...]] = {
    "horizontal": METHODS,
    "kernel": ("file", "none"),
    "quality": ("good", "all"),
    "heights": ("ground", "sea"),
}
"""What may be chosen; the first is the default."""

LONGEST_LABEL = 80
"""Characters; labels become names of files."""

_NAMES = ("path", "label", *CHOICES, "local_hours", "every_hours")


@dataclass(frozen=True)
class Entry:
    """One of a run's `samples`; see `analysis.sampling.requests.samplers_from`."""

    paths: tuple[Path, ...]
    label: str
    horizontal: Horizontal = "cell"
    kernel: str = "file"
    quality: str = "good"
    heights: str = "ground"
    local_hours: tuple[float, float] | None = None
    every_hours: float | None = None


def parse(entry: object) -> Entry:
    """An entry with its files found.

    Raises
    ------
    SamplingError : an unknown setting or value, no file.
    """
    if isinstance(entry, str | Path):
        entry = {"path": entry}
    path = entry.get("path") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(path, str | Path) or not str(path).strip():
        raise SamplingError(
            f"samples: expected a file, or a mapping with `path`, found {str(entry)[:60]!r}; name a file."
        )
    settings: dict[str, Any] = dict(entry)
    for name in settings:
        if name not in _NAMES:
            raise SamplingError(
                f"samples: expected {', '.join(_NAMES)}, found {name!r}; leave it out or correct its name."
            )
    for name, values in CHOICES.items():
        if settings.get(name, values[0]) not in values:
            raise SamplingError(
                f"samples: {name}: expected {' or '.join(values)}, found {settings[name]!r}; choose one of them."
            )
    del settings["path"]
    settings["label"] = slug(str(settings.get("label") or _stem(path)))[:LONGEST_LABEL] or "samples"
    if settings.get("local_hours") is not None:
        settings["local_hours"] = _local_hours(settings["local_hours"])
    every = settings.get("every_hours")
    if every is not None and not (_is_number(every) and every > 0):
        raise SamplingError(f"samples: every_hours: expected a positive number, found {every!r}; change it.")
    if every is not None and settings.get("local_hours") is not None:
        raise SamplingError("samples: expected local_hours or every_hours, found both; leave one out.")
    return Entry(paths=_files(path), **settings)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _local_hours(value: object) -> tuple[float, float]:
    good = isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))
    if not good or not 0 <= value[0] < value[1] <= 24:  # type: ignore[index]
        raise SamplingError(
            f"samples: local_hours: expected two hours of local solar time that rise within 0..24, like [12, 16], found "
            f"{value!r}; change them."
        )
    return float(value[0]), float(value[1])  # type: ignore[index]


def _stem(path: str | Path) -> str:
    name = Path(path).name
    if any(mark in name for mark in "*?["):
        name = Path(path).parent.name or "samples"
    return name.split(".")[0]


def _files(path: str | Path) -> tuple[Path, ...]:
    text = str(Path(path).expanduser())
    folder = Path(text)
    if folder.is_dir() and not _is_zarr(folder):
        found = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
        if not found:
            raise SamplingError(f"{path}: expected a folder of files with requests, found no file in it; name another.")
        return tuple(found)
    if not folder.exists() and any(mark in text for mark in "*?["):
        found = sorted(Path(name) for name in glob.glob(text, recursive=True) if Path(name).is_file())
        if not found:
            raise SamplingError(f"{path}: expected files of this pattern, found none; check the path.")
        return tuple(found)
    return (folder,)


def _is_zarr(folder: Path) -> bool:
    """True for a zarr store, which is a folder but one file to its reader."""
    return any((folder / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata"))


def read_entry(entry: Entry, start: np.datetime64, end: np.datetime64) -> Iterator[tuple[str, Requests]]:
    """Requests of an entry's files with a label: points in one, soundings by number of levels.

    Raises
    ------
    SamplingError : files that cannot be sampled, or none of whose requests can. FileProblem : unreadable files.
    """
    wanted = Wanted(start, end, plain=entry.kernel == "none", flagged=entry.quality == "all")
    times = Times(start, end, entry.local_hours, entry.every_hours)
    left_out = LeftOut()
    profiles: dict[int, Profiles] = {}
    columns: dict[int, list[ColumnRequests]] = {}
    tables: list[PointRequests] = []
    for path in entry.paths:
        product = _product(path)
        if product is None:
            frame = read_table(path) if _is_table(path) else read_points_netcdf(path)
            tables.append(points(frame, path.name, times, entry.heights))
            continue
        found = soundings(product, wanted, left_out, lambda levels: profiles.setdefault(levels, Profiles(levels)))
        if found is not None:
            columns.setdefault(found.profiles.levels, []).append(found)
    if tables:
        yield entry.label, joined(tables)
    if left_out.total and not columns:
        raise SamplingError(
            f"{entry.label}: none of {left_out.total} soundings can be sampled: {' '.join(left_out.notes())} Choose other "
            "files, times or `quality: all`."
        )
    for number, (levels, parts) in enumerate(sorted(columns.items())):
        requests = joined(parts)
        notes = left_out.notes() if number == 0 else ()
        label = entry.label if len(columns) + bool(tables) == 1 else f"{entry.label}-{levels}-levels"
        yield label, replace(requests, notes=(*requests.notes, *notes))


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq") or Probe.of(path).container in ("text", "gzip")


def _product(path: Path) -> Product | None:
    """The file's soundings, or None where it asks for points."""
    probe = Probe.of(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        return None
    if probe.container in ("text", "gzip"):
        lines = [line for line in probe.lines if not line.startswith("#")]
        if lines and is_point_table(header(lines[0])):
            return None
    reader = find_reader(probe)
    if reader is not None and (reader.kind == "soundings" or reader.name == TCCON_READER):
        return read(path)
    if probe.container in ("text", "gzip", "hdf5", "netcdf3") and (reader is None or reader.kind in ("sites", "table")):
        return None
    raise not_a_table(path, probe.summary)
