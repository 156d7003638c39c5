"""Which component a variable of a flux file is, from CarbonTracker's names, from other models' habits, or from the user."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from analysis.surface_fluxes.errors import FluxProblem
from analysis.transport.sources import COMPONENTS

NAMES = {
    "bio_flux_opt": "biosphere",
    "ocn_flux_opt": "ocean",
    "fossil_flux_imp": "fossil",
    "fire_flux_imp": "fire",
    "bunker_flux_imp": "fossil",
}
"""CarbonTracker's names, and ODIAC's shipping and aviation, which its maps over land leave out."""

_SECTOR = re.compile(r"(.+)_flux_imp")
_NOT_A_FLUX = re.compile(
    r"prior|apri|_std|stdev|stddev|unc|err|sigma|sdev|mask|area|count|emission$|gpp|npp|respiration"
)
_PATTERNS = (
    ("fire", re.compile(r"fire|biomass.?burn|burning|gfed")),
    ("ocean", re.compile(r"ocean|ocn|air.sea|fgco2")),
    ("fossil", re.compile(r"foss|anthrop|fuel|edgar|emi_co2|(?:^|_)ff(?:_|$)|carbon_dioxide_due_to_emission$")),
    ("biosphere", re.compile(r"bio(?!mass)|(?:^|_)n[eb]e(?:_|$)|(?:^|[_ ])land(?:[_ ]|$)|terrestrial|vegetation")),
)
_UPTAKE = re.compile(r"(?:^|_)n[eb]p(?:_|$)")
"""Net ecosystem and biome production: uptake counts positive, so only a variable that says "downward" is taken."""


def downward(attrs: Mapping[str, object]) -> bool:
    """True for a flux that counts what leaves the air as positive (CF: nbp, fgco2)."""
    words = f"{attrs.get('standard_name', '')} {attrs.get('long_name', '')}".lower()
    return "downward" in words or str(attrs.get("positive", "")).lower() == "down"


def component_of(name: str, attrs: Mapping[str, object]) -> str | None:
    """Component of a variable, or None where name and description do not tell one."""
    if name in NAMES:
        return NAMES[name]
    own = name.lower()
    described = f"{attrs.get('long_name', '')} {attrs.get('standard_name', '')}".lower()
    if _NOT_A_FLUX.search(own):
        return None
    if _SECTOR.fullmatch(own):
        return "fossil"
    for text in (own, described):
        found = [component for component, pattern in _PATTERNS if pattern.search(text)]
        if len(found) == 1:
            return found[0]
        if found:
            return None
    return "biosphere" if _UPTAKE.search(own) and downward(attrs) else None


def is_part(name: str) -> bool:
    """True for sectors and shipping, which add up to a component with others."""
    return name == "bunker_flux_imp" or (_SECTOR.fullmatch(name) is not None and name not in NAMES)


def chosen(
    variables: Mapping[str, Mapping[str, object]],
    components: Mapping[str, str] | Sequence[str] | None,
) -> dict[str, str]:
    """Variable -> component for one file, in its order.

    Parameters
    ----------
    variables : name -> attributes.
    components : variable -> component as the user says (then only these), or the components that are wanted, or None: all.
    """
    if isinstance(components, Mapping):
        return {name: components[name] for name in variables if name in components}
    found = {name: component for name, attrs in variables.items() if (component := component_of(name, attrs))}
    if "fossil_flux_imp" in found:  # the sectors are its parts
        found = {name: what for name, what in found.items() if not is_part(name) or name == "bunker_flux_imp"}
    return {name: what for name, what in found.items() if components is None or what in components}


def check_components(components: Mapping[str, str] | Sequence[str] | None) -> None:
    """Refuse components that do not exist.

    Raises
    ------
    FluxProblem : with those that do.
    """
    if isinstance(components, str):
        raise FluxProblem(f"Components are given as a list, found the text {components!r}; write ['{components}'].")
    wanted = components.values() if isinstance(components, Mapping) else components or ()
    for what in wanted:
        if what not in COMPONENTS:
            raise FluxProblem(f"Fluxes are of {', '.join(COMPONENTS)}; found {what!r}: name one of these.")
