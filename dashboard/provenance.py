"""What travels inside every exported file: what it shows, whose data it is, how to cite it, how it was made.

A reader of the file must be able to cite it and to open the same view again, and must never take simulated data for
measured.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

SIMULATED = "SIMULATED"
SIMULATED_NOTE = "SIMULATED data from a model world: not a measurement."
LONGEST_TEXT = 4000
"""Characters of one entry; longer ones (a polygon of thousands of vertices in an address) are cut."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def program_version() -> str:
    """Version of the installed distribution, "unknown" when run from a copy that was never installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("carbonweather")
    except PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class Provenance:
    """Where an exported picture or file comes from.

    Attributes
    ----------
    title : what the file shows ("XCO2, July 2019").
    dataset : name and version of the data set.
    source : who made it and where it is published (DOI or address).
    citation : how to cite it.
    licence : under which terms.
    simulated : True for anything from the simulated world.
    settings : what the view was set to (variable, time, limits, region ...), JSON values.
    address : link that opens the same view.
    created : UTC, ISO 8601.
    version : of this program.
    """

    title: str
    dataset: str = ""
    source: str = ""
    citation: str = ""
    licence: str = ""
    simulated: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    address: str = ""
    created: str = field(default_factory=_now)
    version: str = field(default_factory=program_version)

    @property
    def label(self) -> str:
        """The title on one line, beginning with SIMULATED where that is what the data are."""
        title = one_line(self.title, 300)
        return f"{SIMULATED}: {title}" if self.simulated else title

    @property
    def program(self) -> str:
        """Name and version of this program."""
        return f"Carbon Weather {self.version}"

    def entries(self) -> dict[str, str]:
        """All of it as short names and single lines of text, for attributes, tags and headers; nothing empty."""
        settings = json.dumps(dict(self.settings), ensure_ascii=False, default=_plain) if self.settings else ""
        texts = {
            "title": self.label,
            "comment": SIMULATED_NOTE if self.simulated else "",
            "dataset": self.dataset,
            "source": self.source,
            "citation": self.citation,
            "licence": self.licence,
            "settings": settings,
            "address": self.address,
            "created": self.created,
            "program": self.program,
        }
        return {name: cleaned for name, text in texts.items() if (cleaned := one_line(text))}


def _plain(value: Any) -> Any:
    """numpy numbers and arrays as JSON knows them, anything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def one_line(text: object, longest: int = LONGEST_TEXT) -> str:
    """The text without line breaks, control, invisible or unencodable characters, cut to `longest` with "…"."""
    characters = (
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in str(text)
        if unicodedata.category(character) not in ("Cf", "Cs", "Cn")
    )
    cleaned = re.sub(r"\s+", " ", "".join(characters)).strip()
    return cleaned if len(cleaned) <= longest else cleaned[: longest - 1].rstrip() + "…"


def safe_filename(*parts: object, suffix: str) -> str:
    """A file name that every system accepts, made of the parts that say something.

    Letters and digits of any script stay, everything else becomes "-"; parts are joined by "_". At most 150 bytes
    in UTF-8, never hidden, never a reserved name of Windows.

    Parameters
    ----------
    parts : texts, dates or numbers ("gosat-l3", "xco2", "2019-07").
    suffix : ".nc", ".png" and so on; added as it is.
    """
    words = [re.sub(r"[^\w.]+|\.{2,}", "-", one_line(part)).strip("-._") for part in parts]
    stem = "_".join(word for word in words if word)
    stem = stem.encode("utf-8")[: 150 - len(suffix)].decode("utf-8", "ignore").rstrip("-._")
    if not stem or _RESERVED.match(stem):
        stem = f"carbonweather_{stem}".rstrip("_")
    return stem + suffix
