"""Which soundings of the archive a result is made of, checked from the archive's contents without opening a file.

What must not be mixed is not mixed unless it was asked for by name: instruments, versions and products of one
instrument. WMO scales (X2007, X2019) and simulated with measured soundings are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from analysis.errors import AnalysisError
from analysis.gridding.periods import DAY_NS

if TYPE_CHECKING:
    from data.soundings.contents import Contents, DataFile
    from data.soundings.granule import Granule

Quality = Literal["good", "flagged good", "all"]
QUALITY: tuple[Quality, ...] = get_args(Quality)
"""Not flagged as bad (products without a flag stay); flagged as good; everything."""

MODES = {"nadir": 0, "glint": 1, "target": 2, "transition": 3, "snapshot area": 4, "unknown": -1}
SURFACES = {"ocean": 0, "land": 1, "unknown": -1}

PIECE_ROWS = 500_000
"""Small files of one month are worked on together up to so many soundings: about a second of work."""
TOGETHER_ROWS, MOST_TOGETHER_ROWS = 3_000_000, 12_000_000
"""A period of months is worked on in one go up to so many soundings, the second where workers have the memory. Larger ones, and
periods shorter than a month, are summed piece by piece first."""
TOGETHER_BYTES = 110
"""Of memory, for each sounding that is worked on in one go."""

_NOT_NUMBERS = ("string", "bool")


class SelectionError(AnalysisError):
    """The archive cannot give what was selected."""


class SeveralProducts(SelectionError):
    """An instrument has several products, and none was named."""


@dataclass(frozen=True)
class Selection:
    """What is wanted of the archive.

    Attributes
    ----------
    variable : a column of one number a sounding ("xco2", "sif_740nm").
    instruments : names; empty for all that measure it.
    collections : products by name; empty: the one there is.
    together : several instruments make one result instead of one each.
    quality : which flags are accepted.
    modes, surfaces : accepted codes (`MODES`, `SURFACES`); empty for all.
    start, end : ns since 1970, start <= time < end; None for open.
    box : west, south, east, north in degrees, edges included; None for the globe.
    """

    variable: str
    instruments: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    together: bool = False
    quality: Quality = "good"
    modes: tuple[int, ...] = ()
    surfaces: tuple[int, ...] = ()
    start: int | None = None
    end: int | None = None
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Piece:
    """Some files of one instrument and month: the work of one task.

    Attributes
    ----------
    archive : folder or URL.
    files : names within the archive.
    month : counted from January 1970.
    columns : measured columns that the files have.
    granules : keys of the granules wanted; None where all of these files are.
    rows : soundings in the files.
    """

    archive: str
    files: tuple[str, ...]
    month: int
    columns: frozenset[str]
    granules: frozenset[int] | None
    rows: int

    @property
    def name(self) -> str:
        """Short and unique within an archive: the first file's own name."""
        return self.files[0].rsplit("/", 1)[-1].removesuffix(".parquet")


@dataclass(frozen=True)
class Source:
    """The soundings of one result.

    Attributes
    ----------
    label : for people and columns ("OCO-2", "OCO-2 + OCO-3").
    instruments, collections, versions, catalogs : names, sorted.
    scale : of the variable, "" where scales do not apply.
    simulated : from the simulated world.
    units, long_name : of the variable.
    with_error : the column of its standard error, "" where no product has one.
    granules, soundings : how many files of providers and soundings of them lie in the time asked for (any place and
        quality).
    first, last : first and last time of these, ns since 1970.
    pieces : the work, in order of time.
    """

    label: str
    instruments: tuple[str, ...]
    collections: tuple[str, ...]
    versions: tuple[str, ...]
    catalogs: tuple[str, ...]
    scale: str
    simulated: bool
    units: str
    long_name: str
    with_error: str
    granules: int
    soundings: int
    first: int
    last: int
    pieces: tuple[Piece, ...]


def sources(contents: Contents, archive: str, selection: Selection) -> list[Source]:
    """What a selection amounts to: one source for each instrument, or one of all with `together`.

    Raises
    ------
    SelectionError : nothing there, or things that must not be mixed; the sentence says what to choose from.
    """
    _check_names(contents, selection)
    wanted = list(_files(contents, selection))
    if not wanted:
        raise SelectionError(_nothing(contents, selection))
    names = sorted({file.partition.instrument for file, _ in wanted})
    for name in names:
        _check_products(
            name, selection, [granule for file, kept in wanted for granule in kept if granule.instrument == name]
        )
    groups = [tuple(names)] if selection.together else [(name,) for name in names]
    return [
        _source(contents, archive, selection, [entry for entry in wanted if entry[0].partition.instrument in group])
        for group in groups
    ]


def _check_names(contents: Contents, selection: Selection) -> None:
    instruments = {file.partition.instrument for file in contents.files.values()}
    for name in selection.instruments:
        if name not in instruments:
            raise SelectionError(
                f"expected an instrument of the archive ({', '.join(sorted(instruments)) or 'it is empty'}), found {name!r}; "
                "choose one of these or import its soundings."
            )
    collections = {granule.collection for granule in contents.granules.values()}
    for name in selection.collections:
        if name not in collections:
            raise SelectionError(
                f"expected a product of the archive ({', '.join(sorted(collections)) or 'it is empty'}), found {name!r}; "
                "choose one of these."
            )
    kinds = {
        facts["type"] if not facts["width"] else "profiles"
        for columns in contents.schemas.values()
        for name, facts in columns.items()
        if name == selection.variable
    }
    unfit = [kind for kind in kinds if kind in (*_NOT_NUMBERS, "profiles") or kind.startswith("timestamp")]
    if unfit:
        raise SelectionError(
            f"expected a variable with one number a sounding, found {selection.variable!r}, which holds {unfit[0]}; choose "
            f"among {', '.join(variables(contents)) or 'none'}."
        )


def variables(contents: Contents, instruments: tuple[str, ...] = ()) -> list[str]:
    """Columns of one number a sounding, what they were measured for first (xco2 before its uncertainty and flags)."""
    schemas = {
        file.partition.schema
        for file in contents.files.values()
        if not instruments or file.partition.instrument in instruments
    }
    found = {
        name
        for schema in schemas
        for name, facts in contents.schemas[schema].items()
        if not facts["width"] and facts["type"] not in _NOT_NUMBERS and not facts["type"].startswith("timestamp")
    }
    codes = ("sounding_id", "quality_flag", "mode", "surface_type", "footprint")
    return sorted(found - set(codes), key=lambda name: (name != "xco2", not name.startswith(("xco2", "sif")), name))


def _files(contents: Contents, selection: Selection) -> Iterator[tuple[DataFile, list[Granule]]]:
    """Files that may hold wanted soundings, in order of time, and the granules wanted of each."""
    from data.soundings.query import boxes_of

    boxes = None if selection.box is None else boxes_of(selection.box)
    ordered = sorted(contents.files.values(), key=lambda file: (file.partition.month, file.start, file.end, file.name))
    for file in ordered:
        if selection.instruments and file.partition.instrument not in selection.instruments:
            continue
        if selection.variable not in contents.schemas[file.partition.schema]:
            continue
        if (selection.start is not None and file.end < selection.start) or (
            selection.end is not None and file.start >= selection.end
        ):
            continue
        if boxes is not None and not any(
            west <= file.east and east >= file.west and south <= file.north and north >= file.south
            for west, south, east, north in boxes
        ):
            continue
        granules = [
            contents.granules[int(key)]
            for key, days in file.days.items()
            if any(_day_wanted(int(day), selection) for day in days)
        ]
        kept = [
            granule for granule in granules if not selection.collections or granule.collection in selection.collections
        ]
        if kept:
            yield file, kept


def _day_wanted(day: int, selection: Selection) -> bool:
    return (selection.start is None or (day + 1) * DAY_NS > selection.start) and (
        selection.end is None or day * DAY_NS < selection.end
    )


def _nothing(contents: Contents, selection: Selection) -> str:
    if not contents.files:
        return "expected soundings in the archive, found it empty; import some first."
    known = variables(contents, selection.instruments)
    if selection.variable not in known:
        return (
            f"expected a variable of the archive ({', '.join(known) or 'none'}), found {selection.variable!r}; choose one of "
            "these."
        )
    days = [int(day) for file in contents.files.values() for days in file.days.values() for day in days]
    first, last = np.datetime64(min(days), "D"), np.datetime64(max(days), "D")
    return (
        f"expected soundings of {selection.variable} in the instruments, products, time and box asked for, found none; the "
        f"archive reaches from {first} to {last}."
    )


def _check_products(instrument: str, selection: Selection, granules: list[Granule]) -> None:
    """Several products of one instrument only where they were named."""
    found = sorted({granule.collection for granule in granules})
    if len(found) > 1 and not selection.collections:
        raise SeveralProducts(
            f"expected one product of {instrument} with {selection.variable}, found {', '.join(found)}; name those to use "
            "(products and versions are never mixed unasked)."
        )


def _source(
    contents: Contents, archive: str, selection: Selection, wanted: list[tuple[DataFile, list[Granule]]]
) -> Source:
    granules = {granule.key: granule for _, kept in wanted for granule in kept}
    chosen = sorted(granules.values(), key=lambda granule: granule.key)
    label = " + ".join(sorted({granule.instrument for granule in chosen}))
    facts = [contents.schemas[file.partition.schema][selection.variable] for file, _ in wanted]
    counted = [
        (int(day), count)
        for file, kept in wanted
        for granule in kept
        for day, count in file.days[str(granule.key)].items()
        if _day_wanted(int(day), selection)
    ]
    stated = f"{selection.variable.removesuffix('_x2019')}_uncertainty"
    has_error = any(stated in contents.schemas[file.partition.schema] for file, _ in wanted)
    return Source(
        label=label,
        instruments=tuple(sorted({granule.instrument for granule in chosen})),
        collections=tuple(sorted({granule.collection for granule in chosen})),
        versions=tuple(sorted({granule.version for granule in chosen if granule.version})),
        catalogs=tuple(sorted({granule.catalog for granule in chosen if granule.catalog})),
        scale=_one_scale(label, selection, chosen),
        simulated=_one_world(label, chosen),
        units=_one_unit(label, selection, {str(fact["units"]) for fact in facts}),
        long_name=next((str(fact["long_name"]) for fact in facts if fact["long_name"]), selection.variable),
        with_error=stated if has_error else "",
        granules=len(chosen),
        soundings=sum(count for _, count in counted),
        first=max(min(file.start for file, _ in wanted), selection.start if selection.start is not None else -(2**63)),
        last=min(max(file.end for file, _ in wanted), selection.end - 1 if selection.end is not None else 2**63 - 1),
        pieces=tuple(_pieces(contents, archive, wanted)),
    )


def _one_scale(label: str, selection: Selection, granules: list[Granule]) -> str:
    name = selection.variable
    if name.endswith("_x2019"):
        return "X2019"
    if not name.startswith("xco2"):
        return ""
    scales: dict[str, set[str]] = {}
    for granule in granules:
        scales.setdefault(granule.scale or "unknown", set()).add(granule.collection)
    if len(scales) > 1:
        found = "; ".join(f"{scale} in {', '.join(sorted(names))}" for scale, names in sorted(scales.items()))
        raise SelectionError(
            f"expected {name} of {label} on one WMO scale, found {found}; choose products of one scale (X2007 and X2019 differ "
            "by 0.2 ppm and more, and are never mixed)."
        )
    return next(iter(scales))


def _one_world(label: str, granules: list[Granule]) -> bool:
    worlds = {granule.simulated for granule in granules}
    if len(worlds) > 1:
        raise SelectionError(
            f"expected either measured or simulated soundings, found both in {label}; choose instruments of one kind."
        )
    return worlds.pop()


def _one_unit(label: str, selection: Selection, units: set[str]) -> str:
    if len(units) > 1:
        found = ", ".join(sorted(unit or "none" for unit in units))
        raise SelectionError(
            f"expected {selection.variable} of {label} in one unit, found {found}; choose products of one unit."
        )
    return units.pop()


def _pieces(contents: Contents, archive: str, wanted: list[tuple[DataFile, list[Granule]]]) -> Iterator[Piece]:
    """Files in order of time, small ones of a month and schema together. Depends on the archive alone."""
    months: dict[tuple[int, str, str], list[tuple[DataFile, list[Granule]]]] = {}
    for file, kept in wanted:
        partition = file.partition
        months.setdefault((partition.month, partition.instrument, partition.schema), []).append((file, kept))
    for (month, _, schema), entries in sorted(months.items()):
        batch: list[tuple[DataFile, list[Granule]]] = []
        for entry in [*entries, None]:
            rows = sum(file.rows for file, _ in batch)
            if batch and (entry is None or rows + entry[0].rows > PIECE_ROWS):
                whole = all(len(kept) == len(file.days) for file, kept in batch)
                yield Piece(
                    archive=archive,
                    files=tuple(file.name for file, _ in batch),
                    month=month,
                    columns=frozenset(contents.schemas[schema]),
                    granules=None if whole else frozenset(granule.key for _, kept in batch for granule in kept),
                    rows=rows,
                )
                batch = []
            if entry is not None:
                batch.append(entry)
