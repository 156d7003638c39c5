"""Units that people read: the dashboard shows carbon fluxes in g C m-2 a day, whatever the cube keeps them in.

CarbonTracker and everything that is compared with it is in mol m-2 s-1, which makes numbers like 3e-8; a forest takes up
a few g C m-2 a day. Nothing is changed on disk, and files say the unit that they are in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from data.cube import Cube, RegionSeries, Variable, View

if TYPE_CHECKING:
    import xarray as xr

FLUX_UNITS = "gC m-2 day-1"
_GRAMS_PER_MOLE = 12.011
_DAY_SECONDS = 86400.0
_YEAR_DAYS = 365.25

_AMOUNTS = {
    "mol": _GRAMS_PER_MOLE,
    "mmol": _GRAMS_PER_MOLE * 1e-3,
    "umol": _GRAMS_PER_MOLE * 1e-6,
    "kgc": 1e3,
    "gc": 1.0,
    "mgc": 1e-3,
}
_TIMES = {
    "s": _DAY_SECONDS,
    "h": 24.0,
    "hr": 24.0,
    "hour": 24.0,
    "d": 1.0,
    "day": 1.0,
    "month": 12 / _YEAR_DAYS,
    "mon": 12 / _YEAR_DAYS,
    "yr": 1 / _YEAR_DAYS,
    "year": 1 / _YEAR_DAYS,
    "a": 1 / _YEAR_DAYS,
}


_CARBON_FLUX = re.compile(r"flux|emission|exchange|uptake|sink|source|\b(?:gpp|npp|nee|nep|nbp|ter|reco)\b|respiration")
_OTHER = re.compile(r"photo(?:n|synthetically)|\bpar\b|water|h2o|methane|ch4|n2o|\bno[2x]?\b|\bo2\b|ozone|\bco\b|heat")


@dataclass(frozen=True)
class ShownUnits:
    """What a variable is shown in, and what its numbers are multiplied with."""

    units: str
    factor: float


def shown_units(units: str, what: str = "flux") -> ShownUnits:
    """'mol m-2 s-1', 'gC/m2/day', 'kg C m^-2 yr^-1' and the like become g C m-2 a day; every other unit stays.

    Masses must say that they are of carbon: 'kg m-2 s-1' may be CO2 and is left alone.

    Parameters
    ----------
    units : as the variable has them.
    what : its names; moles of something that is no carbon flux (photons, water) stay moles.
    """
    text = re.sub(r"\bc(?:arbon|o2)?\b", lambda found: found.group() if "2" in found.group() else "c", units.lower())
    text = re.sub(r"[\s*.^{}()]|(?<=mol)es?", "", text.replace("µ", "u").replace("μ", "u").replace("micro", "u"))
    found = re.fullmatch(r"(u?m?mol|[mk]?gc)(?:co2|c)?(?:m-2|/m2)(?:/?([a-z]+?)(?:-1)?)", text)
    if found is None:
        return ShownUnits(units, 1.0)
    if "mol" in found.group(1) and (not _CARBON_FLUX.search(what.lower()) or _OTHER.search(what.lower())):
        return ShownUnits(units, 1.0)
    amount, time = _AMOUNTS.get(found.group(1)), _TIMES.get(found.group(2))
    if amount is None or time is None:
        return ShownUnits(units, 1.0)
    return ShownUnits(FLUX_UNITS, amount * time)


class ShownCube(Cube):
    """A cube whose fluxes come in the units that people read; everything else is the cube's own."""

    @property
    def variables(self) -> dict[str, Variable]:
        """By name, with the units shown."""
        return {name: _shown(variable) for name, variable in super().variables.items()}

    def window(self, variable: str, step: int, view: View) -> np.ndarray:
        """As `Cube.window`; packed values keep their codes, for `variables` has the scale to go with them."""
        codes = super().window(variable, step, view)
        return codes if codes.dtype == np.int16 else codes * np.float32(self._factor(variable))

    def decode(self, variable: str, codes: np.ndarray) -> np.ndarray:
        """As `Cube.decode`."""
        return _shown(self._variable(variable)).decode(codes)

    def series(self, variable: str, lon: float, lat: float) -> np.ndarray:
        """As `Cube.series`."""
        return super().series(variable, lon, lat) * np.float32(self._factor(variable))

    def region_series(self, variable: str, *arguments: Any, **options: Any) -> RegionSeries:
        """As `Cube.region_series`."""
        found, factor = super().region_series(variable, *arguments, **options), self._factor(variable)
        return found if factor == 1 else replace(found, mean=found.mean * factor, std=found.std * factor)

    def zonal(self, variable: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `Cube.zonal`."""
        times, lat, values = super().zonal(variable)
        return times, lat, values * np.float32(self._factor(variable))

    def limits(self, variable: str) -> tuple[float, float]:
        """As `Cube.limits`."""
        low, high = super().limits(variable)
        return low * self._factor(variable), high * self._factor(variable)

    def read(self, variable: str, step: int, **options: Any) -> xr.DataArray:
        """As `Cube.read`."""
        field, shown = super().read(variable, step, **options), _units(self._variable(variable))
        if shown.factor == 1:
            return field
        return (field * np.float32(shown.factor)).assign_attrs({**field.attrs, "units": shown.units})

    def _factor(self, variable: str) -> float:
        return _units(self._variable(variable)).factor


def _units(variable: Variable) -> ShownUnits:
    return shown_units(variable.units, f"{variable.name.replace('_', ' ')} {variable.long_name}")


def _shown(variable: Variable) -> Variable:
    shown = _units(variable)
    if shown.factor == 1:
        return variable if shown.units == variable.units else replace(variable, units=shown.units)
    if variable.dtype == "float32":
        return replace(variable, units=shown.units)
    scale, offset = variable.scale * shown.factor, variable.offset * shown.factor
    return replace(variable, units=shown.units, scale=scale, offset=offset)
