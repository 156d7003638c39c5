"""The settings by which soundings of the archive are chosen, the same in every job that reads them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

from analysis.gridding.periods import DAY_NS, EVERY, Every, month_period
from analysis.gridding.selection import MODES, QUALITY, SURFACES, Selection, SeveralProducts, Source, sources
from analysis.jobs.errors import SettingsError
from data.home import soundings_place
from data.runs import RunInput
from data.soundings import SoundingArchive

_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string", "maxLength": 200}, "maxItems": 200}

WHAT: dict[str, Any] = {
    "variable": {
        "title": "Variable",
        "description": "What was measured: any column of the archive with one number a sounding.",
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "default": "xco2",
        "x-choices-from": "variables",
    },
    "instruments": {
        "title": "Instruments",
        "description": "None chosen: all that measure it. Several are kept apart, side by side.",
        **_TEXTS,
        "items": {"type": "string", "maxLength": 200, "x-choices-from": "instruments"},
        "x-choices-from": "instruments",
        "default": [],
    },
    "together": {
        "title": "Instruments together",
        "description": "One result of all instruments instead of one each. They must be on one WMO scale.",
        "type": "boolean",
        "default": False,
    },
    "collections": {
        "title": "Products",
        "description": (
            "Needed only where the archive holds several products or versions of an instrument: the names of those to use. They "
            "are never mixed unasked."
        ),
        **_TEXTS,
        "default": [],
    },
}
WHEN: dict[str, Any] = {
    "start": {
        "title": "First day",
        "description": "UTC. Empty: from the first sounding on.",
        "type": ["string", "null"],
        "format": "date",
        "default": None,
    },
    "end": {
        "title": "Last day",
        "description": "UTC, the day included. Empty: to the last sounding.",
        "type": ["string", "null"],
        "format": "date",
        "default": None,
    },
    "every": {
        "title": "Period",
        "description": (
            "What is brought together: calendar days (UTC), weeks from Monday, months, seasons (December to February and so on), years, "
            "or everything at once."
        ),
        "type": "string",
        "enum": list(EVERY),
        "x-titles": {"whole": "whole time"},
        "default": "month",
    },
}
WHICH: dict[str, Any] = {
    "quality": {
        "title": "Quality",
        "description": (
            "'Good' leaves out soundings flagged as bad; products without a flag stay whole. 'Flagged good' takes only those with a "
            "flag that says so."
        ),
        "type": "string",
        "enum": list(QUALITY),
        "default": "good",
    },
    "modes": {
        "title": "Modes",
        "description": "None chosen: all. Target and snapshot modes look at one place again and again.",
        "type": "array",
        "items": {"type": "string", "enum": list(MODES)},
        "uniqueItems": True,
        "default": [],
    },
    "surfaces": {
        "title": "Surfaces",
        "description": "None chosen: all.",
        "type": "array",
        "items": {"type": "string", "enum": list(SURFACES)},
        "uniqueItems": True,
        "default": [],
    },
    "box": {
        "title": "Box",
        "description": "West, south, east, north; west greater than east runs across the dateline. Empty: the globe.",
        "type": ["array", "null"],
        "items": {"type": "number", "minimum": -360, "maximum": 360},
        "minItems": 4,
        "maxItems": 4,
        "x-unit": "degrees",
        "default": None,
    },
}
ERROR_FLOOR: dict[str, Any] = {
    "title": "Smallest error believed",
    "description": (
        "In the variable's unit. Stated errors of soundings below it are raised to it, and no standard error of a mean is smaller: "
        "errors common to all soundings do not average out. Empty: 0.3 for mole fractions in ppm, 0 for anything else."
    ),
    "type": ["number", "null"],
    "minimum": 0,
    "default": None,
}
NAME: dict[str, Any] = {
    "title": "Name of the maps",
    "description": "Letters, digits, '.', '_' and '-'. Empty: made from the settings. A number is added to a name that is taken.",
    "type": "string",
    "maxLength": 60,
    "pattern": "^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?)?$",
    "default": "",
}


def selection_of(settings: dict[str, Any], *, box: tuple[float, float, float, float] | None) -> Selection:
    """What the settings choose; `box` may be wider than the settings' own.

    Raises
    ------
    SettingsError : the last day lies before the first.
    """
    start, end = _day(settings["start"]), _day(settings["end"])
    if start is not None and end is not None and end < start:
        raise SettingsError(
            f"settings: end: expected a last day not before the first ({settings['start']}), found {settings['end']}; change one."
        )
    return Selection(
        variable=settings["variable"],
        instruments=tuple(dict.fromkeys(settings["instruments"])),
        collections=tuple(dict.fromkeys(settings["collections"])),
        together=settings["together"],
        quality=settings["quality"],
        modes=tuple(MODES[name] for name in settings["modes"]),
        surfaces=tuple(SURFACES[name] for name in settings["surfaces"]),
        start=None if start is None else start * DAY_NS,
        end=None if end is None else (end + 1) * DAY_NS,
        box=box,
    )


def _day(text: str | None) -> int | None:
    """Days since 1970."""
    return None if text is None else (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def chosen_sources(home: Path, selection: Selection) -> list[Source]:
    """The soundings that the archive of a data folder has for a selection.

    Raises
    ------
    SettingsError : an instrument has several products, and `collections` names none.
    SelectionError : nothing there, or what must not be mixed.
    """
    archive = SoundingArchive(soundings_place(home))
    try:
        return sources(archive.contents, archive.path, selection)
    except SeveralProducts as problem:
        raise SettingsError(f"settings: collections: {problem}") from None


def archive_input(home: Path, selection: Selection) -> list[RunInput]:
    """The archive's files that a run will read, as one input: their names are never used twice, so the names are the
    content. Imports of other months, instruments or products do not change it.
    """
    found = chosen_sources(home, selection)
    names = [[piece.files, sorted(piece.granules or ())] for source in found for piece in source.pieces]
    digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()
    label = ", ".join(source.label for source in found)
    return [RunInput(f"soundings of {label}", soundings_place(home), digest)]


def periods_of(source: Source, every: Every) -> int:
    """How many periods a source has at most, from what is known of its files."""
    months = {piece.month for piece in source.pieces}
    days = (source.last - source.first) // DAY_NS + 1
    if every == "day":
        return int(min(31 * len(months), days))
    if every == "week":
        return int(min(6 * len(months), days // 7 + 2))
    return len({month_period(month, every) for month in months})


def counted(number: int) -> str:
    """A number for people: 950, 12.3 thousand, 2.59 million."""
    for factor, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if number >= 0.9995 * factor:
            return f"{number / factor:.3g} {word}"
    return str(number)
