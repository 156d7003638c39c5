"""What is in the data folder: every collection of soundings, cube, set of site series, table and folder of downloads.

Each is one `Holding` with its size, count, period, the files it came from and its data set in the catalogue. Only
manifests and file sizes are looked at and no data file is opened, so hundreds of holdings take well under a second.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from data.catalog import Entry, load
from data.errors import DataError, StoreProblem
from data.home import cubes_dir, downloads_dir, sites_dir, soundings_place, tables_dir, volumes_dir

if TYPE_CHECKING:
    from data.storage import ManifestFolder

Kind = Literal["soundings", "cube", "volume", "sites", "table", "download"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_WORDS = {
    "soundings": "soundings",
    "cube": "maps",
    "volume": "fields on levels",
    "sites": "ground sites",
    "table": "tables",
    "download": "downloaded files",
}
"""Kind -> what people call it."""


@dataclass(frozen=True)
class Holding:
    """One thing in the data folder.

    Attributes
    ----------
    kind, name : together they identify it; soundings are named instrument/collection, sites network/collection, cubes
        by their folder, volumes and tables by their collection, downloads by their data set.
    count, unit : how many, of what.
    size : bytes on disk (of soundings that share files with others: their part of these).
    start, end : first and last time; None without time.
    sources : names of the files it was made from, in order.
    catalog : its data set in the catalogue, "" where there is none.
    instrument : for soundings, as the archive names it; else "".
    box : (west, south, east, north) in degrees; None where not known.
    attrs : for cubes what they say of themselves.
    """

    kind: Kind
    name: str
    title: str
    count: int
    unit: str
    size: int
    start: np.datetime64 | None
    end: np.datetime64 | None
    sources: tuple[str, ...] = ()
    catalog: str = ""
    version: str = ""
    scale: str = ""
    simulated: bool = False
    instrument: str = ""
    variables: tuple[str, ...] = ()
    box: tuple[float, float, float, float] | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Kind and name in one text ("cube:demo-xco2"), as the command line and addresses write it."""
        return f"{self.kind}:{self.name}"

    @property
    def entry(self) -> Entry | None:
        """Its data set in the catalogue."""
        return load().entries.get(self.catalog)

    @property
    def amount(self) -> str:
        """ "1,234 soundings", "1 map"."""
        unit = self.unit.removesuffix("s") if self.count == 1 and self.unit != "series" else self.unit
        return f"{self.count:,} {unit}"


@dataclass(frozen=True)
class Listing:
    """Everything in a data folder, and one sentence for each store that could not be looked at."""

    items: tuple[Holding, ...]
    problems: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Holding]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(item.size for item in self.items)

    def find(self, key: str) -> Holding:
        """The holding of that key; a name alone does where only one has it. StoreProblem, with the nearest, else."""
        wanted = key.strip()
        exact = [item for item in self.items if wanted in (item.key, item.name)]
        if len(exact) == 1:
            return exact[0]
        if exact:
            raise StoreProblem(
                f"{wanted!r} means several things here: {', '.join(item.key for item in exact)}; name one of these."
            )
        names = {text: item.key for item in self.items for text in (item.key, item.name)}
        close = difflib.get_close_matches(wanted, names, n=4, cutoff=0.5)
        close += [text for text in names if wanted and wanted.lower() in text.lower()]
        near = list(dict.fromkeys(names[text] for text in close))[:4]
        hint = f"did you mean {' or '.join(near)}?" if near else "`carbonweather data holdings` lists what is there."
        raise StoreProblem(f"There is no {wanted[:80]!r} in the data folder; {hint}")


Sizes = dict[tuple[str, int, int], int]
"""(folder of a cube, date and size of its manifest) -> bytes."""


def holdings(home: Path, *, sizes: Sizes | None = None) -> Listing:
    """What is in a data folder, by kind and name; stores that cannot be read are named in `problems`.

    Parameters
    ----------
    sizes : remembers the sizes of cubes between two calls, so that only those that changed are measured again.
    """
    items: list[Holding] = []
    problems: list[str] = []
    measured: Sizes = {} if sizes is None else sizes
    for look in (_soundings, partial(_cubes, sizes=measured), _volumes, _sites, _tables, _downloads):
        try:
            for found in look(home):
                if isinstance(found, Holding):
                    items.append(found)
                else:
                    problems.append(found)
        except DataError as problem:
            problems.append(str(problem))
        except OSError as error:
            problems.append(
                f"{home}: expected a readable data folder, found {error.strerror or error}; check its permissions."
            )
    return Listing(tuple(sorted(items, key=lambda item: (KINDS.index(item.kind), item.name.lower()))), tuple(problems))


def _soundings(home: Path) -> Iterator[Holding]:
    from data.soundings import SoundingArchive

    contents = SoundingArchive(soundings_place(home)).contents
    size: dict[int, float] = {}
    kept: dict[int, int] = {}
    boxes: dict[int, list[tuple[float, float, float, float]]] = {}
    for file in contents.files.values():
        for granule_key, days in file.days.items():
            key, rows = int(granule_key), sum(days.values())
            kept[key] = kept.get(key, 0) + rows
            size[key] = size.get(key, 0.0) + file.size * rows / max(file.rows, 1)
            boxes.setdefault(key, []).append((file.west, file.south, file.east, file.north))
    groups: dict[tuple[str, str], list[int]] = {}
    for key, granule in contents.granules.items():
        groups.setdefault((granule.instrument, granule.collection), []).append(key)
    for (instrument, collection), keys in groups.items():
        granules = [contents.granules[key] for key in keys]
        full = [granule for granule in granules if granule.soundings]
        newest = max(granules, key=lambda granule: granule.rank)
        columns = {name for schema in {each.schema for each in granules} for name in contents.schemas.get(schema, {})}
        edges = np.array([box for key in keys for box in boxes.get(key, ())])
        yield Holding(
            kind="soundings",
            name=f"{instrument}/{collection}",
            title=newest.title or collection,
            count=sum(kept.get(key, 0) for key in keys),
            unit="soundings",
            size=round(sum(size.get(key, 0.0) for key in keys)),
            start=np.datetime64(min(granule.start for granule in full), "ns") if full else None,
            end=np.datetime64(max(granule.end for granule in full), "ns") if full else None,
            sources=tuple(sorted(granule.name for granule in granules)),
            catalog=_known(newest.catalog, collection),
            version=newest.version,
            scale=newest.scale,
            simulated=any(granule.simulated for granule in granules),
            instrument=instrument,
            variables=tuple(sorted(columns)),
            box=None if not edges.size else (*edges[:, :2].min(axis=0).tolist(), *edges[:, 2:].max(axis=0).tolist()),
        )


def _cubes(home: Path, sizes: Sizes) -> Iterator[Holding | str]:
    from data.cube.manifest import FILE, Manifest
    from data.importing.cubes import read_ledger

    folder = cubes_dir(home)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or not (path / FILE).is_file():
            continue
        try:
            status = (path / FILE).stat()
            manifest = Manifest.from_bytes((path / FILE).read_bytes(), str(path))
        except DataError as problem:
            yield str(problem)
            continue
        times, grid, attrs = manifest.times, manifest.grid, manifest.attrs
        simulated = bool(attrs.get("simulated", 0))
        timed = len(times) > 0 and not attrs.get("static")
        ledger = read_ledger(path)
        mark = (str(path), status.st_mtime_ns, status.st_size)
        if mark not in sizes:
            sizes[mark] = folder_size(path)
        yield Holding(
            kind="cube",
            name=path.name,
            title=manifest.title,
            count=len(times),
            unit="maps",
            size=sizes[mark],
            start=times[0] if timed else None,
            end=times[-1] if timed else None,
            sources=tuple(sorted(str(kept.get("name", "")) for kept in ledger.values())),
            catalog=_known(str(attrs.get("catalog") or ("demo" if simulated else "")), path.name),
            version=str(attrs.get("version", "")),
            scale=str(attrs.get("scale", "")),
            simulated=simulated,
            variables=tuple(manifest.variables),
            box=(grid.west, grid.south, grid.west + grid.nlon * grid.dlon, grid.south + grid.nlat * grid.dlat),
            attrs=attrs,
        )


def _sites(home: Path) -> Iterator[Holding]:
    from data.sites import SiteStore

    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for kept in SiteStore(sites_dir(home)).folder.manifest()["files"].values():
        groups.setdefault((kept["network"], kept["collection"]), []).append(kept)
    for (network, collection), files in groups.items():
        sites = [facts for kept in files for facts in kept["sites"].values()]
        names = {name for kept in files for name in kept["sites"]}
        where = f"{len(names)} site{'s' if len(names) != 1 else ''}"
        yield _of_files(
            "sites",
            f"{network}/{collection}",
            files,
            title=f"{files[-1]['title']} ({where})" if len(files) == 1 else f"{network}, {collection} ({where})",
            count=sum(facts["count"] for facts in sites),
            unit="observations",
            start=np.datetime64(min(facts["start"] for facts in sites), "ns") if sites else None,
            end=np.datetime64(max(facts["end"] for facts in sites), "ns") if sites else None,
            variables=tuple(sorted({kept["variable"] for kept in files})),
            box=_around(sites),
        )


def _around(sites: list[dict[str, Any]]) -> tuple[float, float, float, float] | None:
    if not sites:
        return None
    lon, lat = [facts["lon"] for facts in sites], [facts["lat"] for facts in sites]
    return (min(lon), min(lat), max(lon), max(lat))


def _tables(home: Path) -> Iterator[Holding]:
    from data.tables import TableStore

    for collection, files in _by_collection(TableStore(tables_dir(home)).folder).items():
        unit = "time steps" if files[-1]["kind"] in ("grid", "gridded", "section") else "rows"
        yield _of_files("table", collection, files, **_counted(files), unit=unit)


def _volumes(home: Path) -> Iterator[Holding]:
    from data.cube.grid import Grid
    from data.volumes import VolumeStore

    for collection, files in _by_collection(VolumeStore(volumes_dir(home)).folder).items():
        grid = Grid(**files[-1]["grid"])
        box = (grid.west, grid.south, grid.west + grid.nlon * grid.dlon, grid.south + grid.nlat * grid.dlat)
        yield _of_files(
            "volume", collection, files, **_counted(files), unit="time steps", box=box, attrs=files[-1]["attrs"]
        )


def _by_collection(folder: ManifestFolder) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for kept in folder.manifest()["files"].values():
        groups.setdefault(kept["collection"], []).append(kept)
    return groups


def _counted(files: list[dict[str, Any]]) -> dict[str, Any]:
    """Title, count, period and variables of files that note these one by one."""
    moments = [np.datetime64(kept[edge], "ns") for kept in files for edge in ("start", "end") if kept[edge]]
    return {
        "title": files[-1]["title"],
        "count": sum(int(kept["count"]) for kept in files),
        "start": min(moments) if moments else None,
        "end": max(moments) if moments else None,
        "variables": tuple(sorted({name for kept in files for name in kept["variables"]})),
    }


def _of_files(kind: Kind, name: str, files: list[dict[str, Any]], **facts: Any) -> Holding:
    """A holding of whole files, as the indices of sites and tables keep them."""
    named = next((str(kept["catalog"]) for kept in reversed(files) if kept.get("catalog")), "")
    return Holding(
        kind=kind,
        name=name,
        size=sum(int(kept["size"]) for kept in files),
        sources=tuple(sorted(str(kept["name"]) for kept in files)),
        catalog=_known(named, name.split("/", 1)[-1]),
        version=str(files[-1].get("version", "")),
        scale=str(files[-1].get("scale", "")),
        simulated=any(bool(kept.get("simulated")) for kept in files),
        **facts,
    )


def _downloads(home: Path) -> Iterator[Holding]:
    folder = downloads_dir(home)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or not path.is_dir():
            continue
        files = sorted(str(item.relative_to(path)) for item in path.rglob("*") if item.is_file())
        files = [name for name in files if not Path(name).name.startswith(".")]
        if not files:
            continue
        entry = load().entries.get(path.name)
        yield Holding(
            kind="download",
            name=path.name,
            title=f"{entry.title if entry else path.name}: files as they came",
            count=len(files),
            unit="files",
            size=folder_size(path),
            start=None,
            end=None,
            sources=tuple(files),
            catalog=path.name if entry else "",
        )


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; files that vanish meanwhile count nothing."""
    total = 0
    pending = [os.fspath(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def size_words(count: int) -> str:
    """Bytes as people read them: "812 bytes", "3.4 MB", "1.2 TB" (decimal units)."""
    size, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if size < 999.5 or unit == "PB":
            break
        size /= 1000.0
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"


_OTHER_NAMES = {
    "tccon": "tccon-ggg2020",
    "wdcgg": "obspack",
    "boundaries": "natural-earth",
    "transcom": "carbontracker-regions",
    "olson": "carbontracker-regions",
    "simulated": "demo",
}
"""Beginnings of collections that are not beginnings of their data set's name -> that name."""


def _known(catalog: str, collection: str) -> str:
    """The name if the catalogue has it; where none was kept (by older versions) what the collection's own name tells."""
    entries = load().entries
    if catalog:
        return catalog if catalog in entries else ""
    begins = [name for name in entries if collection.startswith(name)]
    if begins:
        return max(begins, key=len)
    return next((name for prefix, name in _OTHER_NAMES.items() if collection.startswith(prefix)), "")


def to_json(item: Holding) -> dict[str, Any]:
    """A holding as plain JSON values; times as ISO texts to the second."""
    facts = {key: value for key, value in vars(item).items() if key not in ("attrs", "start", "end", "box")}
    moments = {edge: None if (at := getattr(item, edge)) is None else str(at)[:19] for edge in ("start", "end")}
    box = None if item.box is None else [round(float(edge), 4) for edge in item.box]
    plain = {**facts, **moments, "box": box, "key": item.key, "amount": item.amount}
    return dict(json.loads(json.dumps(plain)))
