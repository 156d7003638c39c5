"""Colour maps for XCO2: perceptually even, readable by colour-blind people, none of our own making.

The colours are those of bokeh's palette module, which carries matplotlib's
(Smith, van der Walt and Firing; cividis: Nuñez et al. 2018), ColorBrewer's and Paul Tol's (SRON/EPS/TN/09-002). Rainbow
maps are left out on purpose: they draw edges that the data do not have.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

Kind = Literal["sequential", "diverging"]

_SEQUENTIAL: dict[str, str] = {
    "viridis": "Viridis256",
    "cividis": "Cividis256",
    "inferno": "Inferno256",
    "magma": "Magma256",
    "plasma": "Plasma256",
    "iridescent": "Iridescent23",
    "YlOrBr": "TolYlOrBr9",
    "Blues_r": "Blues256",
}
_DIVERGING: dict[str, str] = {
    "RdBu_r": "RdBu11",
    "PuOr_r": "PuOr11",
    "PRGn": "TolPRGn9",
    "BrBG_r": "BrBG11",
}


def palettes(kind: Kind) -> tuple[str, ...]:
    """Names of the colour maps of a kind, the default one first.

    ``sequential`` for quantities, from dark to light or light to dark; ``diverging`` for differences, lightest in the
    middle.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"expected the kind of colour map to be one of {get_args(Kind)}, found {kind!r}.")
    return tuple(_SEQUENTIAL if kind == "sequential" else _DIVERGING)


def palette(name: str, n: int = 256) -> list[str]:
    """The colours of a named map.

    Parameters
    ----------
    name : one of `palettes("sequential")` or `palettes("diverging")`.
    n : number of colours, at least 2; other numbers than the map has are interpolated.

    Returns
    -------
    ``n`` colours as "#rrggbb", from the smallest value to the largest.

    Raises
    ------
    ValueError : there is no such map, or `n` < 2.
    """
    if n < 2:
        raise ValueError(f"expected a colour map of at least 2 colours, found n={n}.")
    return list(_colours(name, n))


@lru_cache(maxsize=64)
def _colours(name: str, n: int) -> tuple[str, ...]:
    table = _SEQUENTIAL.get(name) or _DIVERGING.get(name)
    if table is None:
        raise ValueError(f"expected a colour map among {', '.join((*_SEQUENTIAL, *_DIVERGING))}, found {name!r}.")
    import bokeh.palettes

    colours = getattr(bokeh.palettes, table)
    if len(colours) != n:
        colours = bokeh.palettes.interp_palette(colours, n)
    return tuple(colour[:7].lower() for colour in colours)
