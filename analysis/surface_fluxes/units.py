"""Units of CO2 fluxes as files state them, turned into mol m-2 s-1.

"kg CO2 m-2 s-1", "gC/m2/d", "PgC/yr" (per cell), "umol m-2 s-1", "kgC km-2 month-1": an amount, of what, per area or per cell,
per time. A mass without its substance is only understood where the variable says which (standard names of CF do).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.surface_fluxes.series import to_unit

MOLAR_MASS_G = {"C": 12.011, "CO2": 44.009}

_PREFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_AMOUNT = re.compile(
    r"(?P<number>1e-?\d+|10\^-?\d+)?"
    r"(?:(?P<mol>(?P<mp>[numkMGTP]|micro|kilo|nano)?mol(?:es?)?)"
    r"|(?P<tonne>(?P<tp>[kMG])?t(?:onn?es?|ons?)?(?=[C/(-]|C|$|m|k|y|d|h|s|p|\.))"
    r"|(?P<gram>(?P<gp>[numkMGTP]|micro|kilo)?g(?:rams?)?))"
)
_SUBSTANCE = re.compile(r"\(?(?P<name>CO_?2|carbondioxide|C(?!ell)(?:arbon)?)\)?", re.IGNORECASE)
_AREA = re.compile(r"(?P<unit>km|cm|m)(?:\^|\*\*)?(?P<sign>-)?2|(?P<cell>(?:grid)?(?:cell|box))(?:-1)?")
_TIME = re.compile(r"(?P<unit>months?|mon|mo|years?|yr|y|a|days?|d|hours?|hr|h|seconds?|sec|s)(?:(?:\^|\*\*)?-1)?")
_SECONDS = {"s": 1.0, "h": 3600.0, "d": 86_400.0}
_AREAS_M2 = {"m": 1.0, "km": 1e6, "cm": 1e-4}
_LONGEST = 80
"""Characters; a longer text is no unit."""
_WORDS = {"micro": "u", "kilo": "k", "nano": "n"}


@dataclass(frozen=True)
class FluxUnit:
    """What a number in this unit is.

    Attributes
    ----------
    moles : mol of CO2 in one unit of amount; None for a mass whose substance is not stated.
    area_m2 : m2 that it is per; None: per cell.
    per : seconds that it is per, or "month" or "year": those of the calendar.
    """

    moles: float | None
    area_m2: float | None
    per: float | Literal["month", "year"]

    def factor(self, middle: np.datetime64) -> float:
        """What values of a field are multiplied by to be mol m-2 s-1 (mol s-1 where they are per cell).

        Parameters
        ----------
        middle : of the interval that the field stands for.
        """
        moles = np.nan if self.moles is None else self.moles
        if isinstance(self.per, str):
            unit = "M" if self.per == "month" else "Y"
            first = to_unit(middle, unit)
            seconds = float((to_unit(first + 1, "s") - to_unit(first, "s")) / np.timedelta64(1, "s"))
        else:
            seconds = self.per
        return float(moles / (self.area_m2 or 1.0) / seconds)


def flux_unit(text: str, *, described: str = "") -> FluxUnit | None:
    """Understand a unit; None where it is none of a flux.

    Parameters
    ----------
    text : as the file states it.
    described : names of the variable; where a mass lacks its substance, "as carbon" or "carbon dioxide" there decides.
    """
    rest = re.sub(r"\s*\bper\b\s*", "/", text.strip())
    rest = re.sub(r"[\s_*]+(?=[a-zA-Z(])|\s+", "", rest.replace("\u00b5", "u").replace("\u03bc", "u"))
    rest = rest.replace("\u00b2", "2").replace("\u207b\u00b9", "-1").replace("\u207b2", "-2").replace("**", "^")
    match = _AMOUNT.match(rest) if len(rest) <= _LONGEST else None
    if match is None:
        return None
    rest = rest[match.end() :]
    number = float((match["number"] or "1").replace("10^", "1e"))
    named = _SUBSTANCE.match(rest)
    substance = None
    if named is not None:
        rest = rest[named.end() :]
        substance = "CO2" if "2" in named["name"] or "diox" in named["name"].lower() else "C"
    found = _per(rest)
    if found is None:
        return None
    area, per = found
    if match["mol"]:
        return FluxUnit(number * _PREFIXES[_prefix(match["mp"])], area, per)
    tonne = 1e6 if match["tonne"] else 1.0
    grams = number * tonne * _PREFIXES[_prefix(match["tp"] if match["tonne"] else match["gp"])]
    substance = substance or _substance(described)
    return FluxUnit(None if substance is None else grams / MOLAR_MASS_G[substance], area, per)


def _prefix(found: str | None) -> str:
    return _WORDS.get(found or "", found or "")


def _per(rest: str) -> tuple[float | None, float | Literal["month", "year"]] | None:
    """Area (None: the cell) and time of "m-2s-1", "/m2/d", "m^-2month^-1", "/yr", "/cell/month"; None for no rate."""
    area: float | None = None
    per: float | Literal["month", "year"] | None = None
    while rest := rest.lstrip("/.()*"):
        if (match := _AREA.match(rest)) is not None:
            area = None if match["cell"] else _AREAS_M2[match["unit"]]
        elif (match := _TIME.match(rest)) is not None:
            unit = match["unit"]
            per = "month" if unit.startswith("mo") else "year" if unit[0] in "ya" else _SECONDS[unit[0]]
        elif (match := _SUBSTANCE.match(rest)) is None:
            return None
        rest = rest[match.end() :]
    return None if per is None else (area, per)


def _substance(described: str) -> str | None:
    words = described.lower().replace("_", " ")
    if re.search(r"as carbon(?! ?diox)|\bcarbon mass|\bkgc\b|\bgc\b", words):
        return "C"
    if re.search(r"carbon dioxide|\bx?co2|co2\b", words):
        return "CO2"
    return None
