"""Whose data a cube holds and how to cite it: what the cube says itself, else what the catalogue says of its data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.catalog import entry
from data.cube import Cube
from data.errors import DataError


@dataclass(frozen=True)
class Attribution:
    """Provider and address, how to cite, under which terms; '' where nothing is known."""

    source: str
    citation: str
    licence: str


def attribution(cube: Cube) -> Attribution:
    """Source, citation and licence of a cube."""
    return attribution_of(cube.attrs)


def attribution_of(attrs: Mapping[str, Any]) -> Attribution:
    """Source, citation and licence of whatever has these attributes."""
    source, citation = str(attrs.get("source", "") or ""), str(attrs.get("citation", "") or "")
    licence = str(attrs.get("licence", "") or attrs.get("license", "") or "")
    name = str(attrs.get("catalog", "") or ("demo" if attrs.get("simulated") else ""))
    try:
        known = entry(name) if name and name != "none" else None
    except DataError:
        known = None  # a cube of another version of the catalogue
    if known is None:
        return Attribution(source, citation, licence)
    place = f"https://doi.org/{known.doi}" if known.doi else known.homepage or ""
    return Attribution(
        source or ", ".join(part for part in (known.provider, place) if part),
        citation or known.citation,
        licence or known.licence or "",
    )
