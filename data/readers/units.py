"""Mole fractions in whatever unit a file states, turned into ppm, and a check that the result can be carbon dioxide.

A file that says "mol/mol", "1e-6" or "ppmv" is converted. One that says "K" is refused, and so is one whose values
cannot be atmospheric CO2 after conversion: a wrong unit attribute must never become a wrong map.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from data.errors import FileProblem

PLAUSIBLE_PPM = (300.0, 600.0)
"""The median of any CO2 data since 1957, column or surface, lies well inside."""

Values = TypeVar("Values")

_PER_MOL = r"mol(?:e|es)?(?:/?mol(?:e|es)?(?:\^?-1)?)"
_FACTORS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"ppmv?|partspermillion(?:byvolume)?|(?:1(?:\.0*)?)?[ed]-0*6|10\^?-6"), 1.0),
    (re.compile(rf"(?:micro|u|\u00b5|\u03bc){_PER_MOL}"), 1.0),
    (re.compile(r"ppbv?|partsperbillion(?:byvolume)?|(?:1(?:\.0*)?)?[ed]-0*9|10\^?-9"), 1e-3),
    (re.compile(rf"(?:nano|n){_PER_MOL}"), 1e-3),
    (re.compile(rf"1|{_PER_MOL}|(?:mole|molar|volume)?(?:fraction|mixingratio)|v/v|vmr|vv-1|m3/?m-?3"), 1e6),
)
_ASIDES = re.compile(r"[\s_*.]|\(?dry(?:air)?\)?|\[|\]")
_SAMPLE = 50_000
"""So many values tell the unit of a larger array; the median of all of a day's profiles takes as long as reading them."""

_UNSTATED = {"", "none", "n/a", "unknown", "-", "nan"}


def stated_factor(units: object) -> float | None:
    """What values in `units` are multiplied by to be ppm; None where the text is no unit of mole fraction."""
    if isinstance(units, (bytes, np.bytes_)):
        units = units.decode("utf-8", "replace")
    text = _ASIDES.sub(_keep_decimal_point, str(units if units is not None else "").strip().lower())
    return next((factor for pattern, factor in _FACTORS if pattern.fullmatch(text)), None)


def _keep_decimal_point(match: re.Match[str]) -> str:
    return "." if match.group() == "." and match.string[match.end() : match.end() + 1].isdigit() else ""


def ppm_factor(values: Any, units: object, path: str | Path, name: str) -> float:
    """What `values` are multiplied by to be CO2 in ppm.

    Parameters
    ----------
    values : a sample of the data, any shape; NaN and infinite values are missing. Decides where the unit is not stated.
    units : the unit as the file states it; None or "" where it does not.
    path, name : file and variable, for the error.

    Raises
    ------
    FileProblem : a unit that is not one of mole fraction, or a median outside 300..600 ppm after conversion.
    """
    sample = _finite_sample(np.asarray(values).ravel())
    middle = float(np.median(sample)) if sample.size else float("nan")
    if isinstance(units, (bytes, np.bytes_)):
        units = units.decode("utf-8", "replace")
    low, high = PLAUSIBLE_PPM
    if str(units if units is not None else "").strip().lower() in _UNSTATED:
        factor = 1e6 if low * 1e-6 <= middle <= high * 1e-6 else 1.0
    else:
        stated = stated_factor(units)
        if stated is None:
            raise FileProblem(
                path,
                expected=f"{name} in ppm or mol/mol",
                found=f"units {str(units)!r}",
                remedy="correct the units attribute or convert the values",
            )
        factor = stated
    if sample.size and not low <= middle * factor <= high:
        stated_text = f"units {str(units)!r}" if units not in (None, "") else "no units"
        raise FileProblem(
            path,
            expected=f"{name} as carbon dioxide between {low:.0f} and {high:.0f} ppm",
            found=f"{stated_text} with a median of {middle:.6g}",
            remedy="correct the units attribute or convert the values",
        )
    return factor


def _finite_sample(values: np.ndarray) -> np.ndarray:
    """Finite values as float64: every so many of a large array, all of them where that finds none."""
    for step in (max(1, values.size // _SAMPLE), 1):
        sample = np.asarray(values[::step], dtype=np.float64)
        sample = sample[np.isfinite(sample)]
        if sample.size:
            break
    return sample


def to_ppm(values: Values, units: object, path: str | Path, name: str) -> Values:
    """CO2 in ppm from any unit of mole fraction: same shape and floating dtype (integers become float64).

    Raises FileProblem as `ppm_factor` does. `values` may be numpy or lazy (dask, xarray); then the median needs all of
    it: call `ppm_factor` with a sample to avoid that.
    """
    factor = ppm_factor(values, units, path, name)
    return values if factor == 1.0 else values * factor  # type: ignore[operator,return-value]
