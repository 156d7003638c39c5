"""How to cite what one works with: paragraphs for people, BibTeX for reference managers, the licence beside each.

What a cube says of itself comes first, then what the catalogue says of its data set; where neither knows, the text says
so instead of guessing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from data.catalog import Entry, paragraph
from data.holdings import Holding

_PROGRAM = "carbonweather"


def citation(item: Holding) -> str:
    """How to cite one holding."""
    attrs, entry = item.attrs, item.entry
    own = str(attrs.get("citation") or "")
    licence = str(attrs.get("licence") or attrs.get("license") or (entry.licence if entry else "") or "")
    label = "Simulated, not a measurement. " if item.simulated else ""
    if own:
        link = f" https://doi.org/{entry.doi}" if entry and entry.doi and entry.doi not in own else ""
        return f"{label}{item.title}. {own}{link} {_licence_words(licence)}"
    if entry is not None:
        other = not item.simulated and item.version not in ("", "unknown", entry.version)
        return f"{label}{paragraph(entry, licence=licence)}{f' Version used: {item.version}.' if other else ''}"
    source = str(attrs.get("source") or "")
    origin = (
        f"Source: {source.rstrip('.')}." if source else "Its source is not recorded; cite those who gave you the file."
    )
    return f"{label}{item.title}. {origin} {_licence_words(licence)}"


def _licence_words(licence: str) -> str:
    return f"Licence: {licence}." if licence else "Licence: not known; ask the provider."


def how_to_cite(items: Iterable[Holding | Entry]) -> str:
    """A text ready to paste: a paragraph for each data set, each once, and the program. Empty for nothing."""
    paragraphs = dict.fromkeys(citation(item) if isinstance(item, Holding) else paragraph(item) for item in items)
    return "\n\n".join([*paragraphs, f"Processed with {program()}."]) if paragraphs else ""


def bibtex(items: Iterable[Holding | Entry]) -> str:
    """The same as BibTeX entries of type @misc, each data set once. Empty for nothing."""
    entries: dict[str, str] = {}
    for item in items:
        known = item.entry if isinstance(item, Holding) else item
        own = str(item.attrs.get("citation") or "") if isinstance(item, Holding) else ""
        if known is None or own:
            key = _key(item.name)
            note = own or (citation(item) if isinstance(item, Holding) else "")
            fields = {"title": item.title, "note": note}
        else:
            key = _key(known.name)
            fields = {
                "title": known.title,
                "author": f"{{{_escaped(known.provider)}}}",
                "year": _year(known.citation),
                "version": known.version or "",
                "doi": known.doi or "",
                "url": "" if known.doi else known.homepage or "",
                "note": known.citation,
            }
        body = ",\n".join(
            f"  {name} = {{{value if name in ('author', 'doi', 'url') else _escaped(value)}}}"
            for name, value in fields.items()
            if value
        )
        entries[key] = f"@misc{{{key},\n{body}\n}}"
    return "\n\n".join(entries.values())


def program() -> str:
    """ "Carbon Weather 0.1.0", the program as a reference names it."""
    try:
        return f"Carbon Weather {version(_PROGRAM)}"
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "Carbon Weather"


def _key(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9:.-]+", "-", name).strip("-") or "data"


def _year(citation_text: str) -> str:
    found = re.search(r"\((\d{4})\)", citation_text)
    return found[1] if found else ""


def _escaped(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", " ".join(text.split())).replace("{", "(").replace("}", ")")
