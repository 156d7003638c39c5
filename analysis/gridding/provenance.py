"""What travels with every result made of soundings: whose data, how to cite it, on which scale, simulated or not, how
it was made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.gridding.selection import Source
from data.catalog import entry, paragraph
from data.errors import DataError

WEIGHTING = {
    "overpasses": (
        "the mean of a cell is that of its overpasses (soundings of one local solar day), each counted once; within an "
        "overpass soundings are weighted by 1/error^2"
    ),
    "inverse variance": (
        "the mean of a cell is that of its overpasses (soundings of one local solar day), weighted by 1/variance, errors "
        "being taken as fully correlated within an overpass"
    ),
    "soundings": "the mean of a cell is that of its soundings, each counted once",
}
SIMULATED_NOTE = "SIMULATED data from a model world: not a measurement."


def credits(catalogs: tuple[str, ...]) -> dict[str, str]:
    """Providers, how to cite, and licences of catalogue entries, joined; "" for what is not known."""
    found = []
    for name in catalogs:
        try:
            found.append(entry(name))
        except DataError:
            continue  # a product of another version of the catalogue
    providers = [
        ", ".join(filter(None, [known.provider, known.doi and f"https://doi.org/{known.doi}"])) for known in found
    ]
    return {
        "source": "; ".join(dict.fromkeys(providers)),
        "citation": "\n\n".join(dict.fromkeys(paragraph(known) for known in found)),
        "licence": "; ".join(dict.fromkeys(known.licence for known in found if known.licence)),
    }


def provenance(
    source: Source, *, title: str, method: str, run: str, created: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Attributes of a result, texts and numbers only.

    Parameters
    ----------
    method : sentences that say how it was made.
    run : id of the run; created : when that run was made, ISO 8601, so that a resumed run writes the same.
    settings : of the run.
    """
    credit = credits(source.catalogs)
    if source.simulated:
        title = f"SIMULATED: {title}"
    return {
        "title": title,
        "instrument": " + ".join(source.instruments),
        "collection": ", ".join(source.collections),
        "version": ", ".join(source.versions) or "unknown",
        "catalog": source.catalogs[0] if len(source.catalogs) == 1 else "none",
        "scale": source.scale or "unknown",
        "simulated": int(source.simulated),
        **({"comment": SIMULATED_NOTE} if source.simulated else {}),
        **{name: text for name, text in credit.items() if text},
        "method": method,
        "granules": source.granules,
        "soundings_considered": source.soundings,
        "first_time": str(np.datetime64(source.first, "ns").astype("datetime64[s]")),
        "last_time": str(np.datetime64(source.last, "ns").astype("datetime64[s]")),
        "settings": json.dumps(dict(settings), sort_keys=True),
        "run": run,
        "created": created,
    }
