"""What is asked of a run: places and times of points, soundings with their kernels; and samplers made of files of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from analysis.grids import Grid
from analysis.sampling.errors import SamplingError
from analysis.sampling.profiles import Profiles
from analysis.transport.step import LONGEST_STEP_S

if TYPE_CHECKING:
    from analysis.sampling.in_time import TimedSamples

ABOVE_GROUND, ABOVE_SEA, PRESSURE = 0, 1, 2
"""What the height of a point is: m above the model's ground, m above sea level, hPa."""

WEIGHTS_SUM_TO = 0.01
"""Pressure weights must sum to one within this (satellites' do to 1e-6, TCCON's to 0.004)."""

R = TypeVar("R", bound="Requests")

LARGEST_KERNEL = 10.0
"""Column averaging kernels of CO2 lie between 0 and 2."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Requests:
    """Times, places and what was observed there; arrays of one length.

    Attributes
    ----------
    id : (n,) bytes.
    begin, end : (n,) datetime64[ms] UTC; equal for a moment, else the span to take the mean of.
    lat, lon : (n,) degrees.
    observed, uncertainty : (n,) ppm, NaN where not known; carried along to the output.
    notes : what was left out on the way here, in sentences.

    Raises
    ------
    SamplingError : no requests, arrays of different lengths, spans that end before they begin, places that are none.
    """

    id: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    observed: np.ndarray
    uncertainty: np.ndarray
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        arrays = self._arrays()
        lengths = {name: len(values) for name, values in arrays.items()}
        count = lengths["id"]
        if count == 0:
            raise SamplingError("There are no requests for samples; give at least one time and place.")
        other = next((name for name, length in lengths.items() if length != count), None)
        if other:
            raise SamplingError(
                f"Requests need arrays of one length, found {count} ids and {lengths[other]} of {other}."
            )
        for name in ("begin", "end"):
            times = arrays[name].astype("datetime64[ms]")
            if np.isnat(times).any():
                raise SamplingError(f"{int(np.isnat(times).sum())} requests have no time; leave them out.")
            object.__setattr__(self, name, times)
        if (self.end < self.begin).any():
            worst = int(np.argmax(self.end < self.begin))
            raise SamplingError(
                f"Spans must end after they begin, found {self.begin[worst]} to {self.end[worst]}; exchange the two."
            )
        for name, limit in (("lat", 90.0), ("lon", 360.0)):
            bad = ~(np.abs(arrays[name]) <= limit)
            if bad.any():
                value = arrays[name][int(np.argmax(bad))]
                raise SamplingError(
                    f"Requests need {name} within -{limit:g}..{limit:g} degrees, found {value:g} in {int(bad.sum())} of "
                    f"{count}; check the columns and their order."
                )

    def _arrays(self) -> dict[str, np.ndarray]:
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: values for name, values in found.items() if isinstance(values, np.ndarray)}

    def __len__(self) -> int:
        return len(self.id)

    def rows(self, chosen: np.ndarray) -> Self:
        """Some of them: an index or a mask."""
        return replace(self, **{name: values[chosen] for name, values in self._arrays().items()})

    def sorted(self) -> Self:
        """By beginning; equal ones keep their order."""
        order = np.argsort(self.begin, kind="stable")
        return self if (order[1:] > order[:-1]).all() else self.rows(order)

    def within(self, start: np.datetime64, end: np.datetime64) -> Self:
        """Those whose whole span lies in a run, with a note that counts the others.

        Raises
        ------
        SamplingError : none does.
        """
        low, high = (np.asarray(moment, dtype="datetime64[ms]") for moment in (start, end))
        inside = (self.begin >= low) & (self.end <= high)
        if inside.all():
            return self
        span = f"{_short(low)} to {_short(high)}"
        if not inside.any():
            raise SamplingError(
                f"None of {len(self)} requests lies within the run from {span}, they are of {_short(self.begin.min())} to "
                f"{_short(self.end.max())}; choose other files or other times."
            )
        note = f"{int((~inside).sum())} of {len(self)} requests lie outside the run from {span} and are left out."
        return replace(self.rows(inside), notes=(*self.notes, note))

    def identity(self) -> list[np.ndarray]:
        """What tells these requests from others."""
        return [values for values in self._arrays().values() if values.ndim == 1]


@dataclass(frozen=True, eq=False, kw_only=True)
class PointRequests(Requests):
    """Stations, towers, aircraft.

    Attributes
    ----------
    height : (n,) in the unit that `reference` says.
    reference : (n,) int8, `ABOVE_GROUND` (m above the model's ground), `ABOVE_SEA` (m) or `PRESSURE` (hPa).

    Raises
    ------
    SamplingError : as `Requests`; heights that are not finite, below ground, above 100 km, or pressures outside
        0..1100 hPa.
    """

    height: np.ndarray
    reference: np.ndarray

    def __post_init__(self) -> None:
        super().__post_init__()
        for reference, low, high, what, hint in (
            (ABOVE_GROUND, 0.0, 1e5, "heights above ground in m", "those in km belong in a column that says km"),
            (ABOVE_SEA, -500.0, 1e5, "altitudes above sea in m", "those in km belong in a column that says km"),
            (PRESSURE, 0.0, 1100.0, "pressures in hPa", "those in Pa belong in a column that says pa"),
        ):
            values = self.height[self.reference == reference]
            bad = ~((values >= low) & (values <= high))
            if bad.any():
                raise SamplingError(
                    f"Points need {what} within {low:g}..{high:g}, found {values[int(np.argmax(bad))]:g} in "
                    f"{int(bad.sum())} of {values.size}; {hint}."
                )


@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnRequests(Requests):
    """Soundings of the whole column: ``XCO2 = xco2_prior + sum_k w_k a_k (m_k - p_k)``; make them with `of`.

    Attributes
    ----------
    profiles : pressure weights and averaging kernels.
    profile : (n,) which row of these belongs to each sounding.
    kernel_sum : (n,) sum of w a: what is seen of a uniform ppm more.
    prior_part : (n,) ppm, what does not depend on the model: xco2_prior - sum of w a p.
    xco2_prior : (n,) ppm, the prior's column.
    surface_pressure : (n,) hPa, NaN where not known.
    plain : True where no kernel is applied because the user asked for that: kernel one, prior nothing.
    """

    profiles: Profiles
    profile: np.ndarray
    kernel_sum: np.ndarray
    prior_part: np.ndarray
    xco2_prior: np.ndarray
    surface_pressure: np.ndarray
    plain: bool = False

    @classmethod
    def of(
        cls,
        *,
        weight: np.ndarray,
        kernel: np.ndarray,
        prior: np.ndarray,
        xco2_prior: np.ndarray | None = None,
        surface_pressure: np.ndarray | None = None,
        profiles: Profiles | None = None,
        plain: bool = False,
        **more: Any,
    ) -> Self:
        """Soundings with their profiles.

        Parameters
        ----------
        weight, kernel, prior : (n, level) pressure weights w (each level's share of the dry air), column averaging kernel
            a, prior profile p (ppm), the top of the atmosphere first. A level with weight 0 is none.
        xco2_prior : (n,) ppm; the sum of w p by default.
        profiles : where to put the profiles; a place of their own by default.
        more : the arrays of `Requests`.

        Raises
        ------
        SamplingError : as `Requests`; other shapes, NaN, weights that are negative or do not sum to one, kernels beyond
            10, priors that are not in ppm.
        """
        weight, kernel, prior = (np.asarray(values, dtype=np.float32) for values in (weight, kernel, prior))
        if weight.ndim != 2 or kernel.shape != weight.shape or prior.shape != weight.shape:
            raise SamplingError(
                "Soundings need weights, kernels and priors of one shape (sounding, level), found "
                f"{weight.shape}, {kernel.shape}, {prior.shape}."
            )
        column = _dot(weight, prior) if xco2_prior is None else np.asarray(xco2_prior, dtype=np.float64)
        for name, reason in profile_problems(weight, kernel, prior, column, plain=plain).items():
            if reason.any():
                raise SamplingError(f"{int(reason.sum())} of {len(weight)} soundings have {name}; leave them out.")
        store = Profiles(weight.shape[1]) if profiles is None else profiles
        first = store.append(weight, kernel)
        unknown = np.full(len(weight), np.nan)
        return cls(
            profiles=store,
            profile=np.arange(first, first + len(weight)),
            kernel_sum=_dot(weight, kernel),
            prior_part=column - _dot(weight, kernel, prior),
            xco2_prior=column,
            surface_pressure=unknown if surface_pressure is None else np.asarray(surface_pressure, dtype=np.float64),
            plain=plain,
            **more,
        )


def _dot(*factors: np.ndarray) -> np.ndarray:
    product = np.asarray(factors[0], dtype=np.float64)
    for factor in factors[1:]:
        product = product * factor
    return product.sum(axis=1)


def profile_problems(
    weight: np.ndarray, kernel: np.ndarray, prior: np.ndarray, xco2_prior: np.ndarray, *, plain: bool = False
) -> dict[str, np.ndarray]:
    """Reason -> (n,) True where profiles (n, level) cannot be used for it."""
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(weight).all(1) & np.isfinite(kernel).all(1) & np.isfinite(prior).all(1)
        finite &= np.isfinite(xco2_prior)
        total = np.asarray(weight, dtype=np.float64).sum(axis=1)
        uneven = (weight < 0).any(axis=1) | ~(np.abs(total - 1.0) <= WEIGHTS_SUM_TO)
        strange = (np.abs(kernel) > LARGEST_KERNEL).any(axis=1)
        outside = np.zeros(len(weight), dtype=bool) if plain else ~((xco2_prior > 100) & (xco2_prior < 2000))
    return {
        "a kernel, weight or prior that is missing or NaN": ~finite,
        "pressure weights that are negative or do not sum to one": finite & uneven,
        f"an averaging kernel beyond {LARGEST_KERNEL:g}": finite & strange,
        "a prior that is not in ppm": finite & outside,
    }


def joined(parts: Sequence[R]) -> R:
    """Requests of several files in one; soundings must share one `Profiles`."""
    if len(parts) == 1:
        return parts[0]
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in parts[0]._arrays()}
    return replace(parts[0], **arrays, notes=tuple(note for part in parts for note in part.notes))


def _short(moment: np.ndarray | np.datetime64) -> str:
    return str(np.asarray(moment, dtype="datetime64[m]")).replace("T", " ")


# ----------------------------------------------------------------------------------------------------------- from files
def samplers_from(
    entries: Sequence[str | Path | Mapping[str, Any]],
    grid: Grid,
    start: np.datetime64,
    end: np.datetime64,
    *,
    folder: Path | None = None,
    longest_step: float = LONGEST_STEP_S,
) -> list[TimedSamples]:
    """Samplers of the requests in files.

    Parameters
    ----------
    entries : each a file, a folder or a pattern ("oco2/*.nc4"), or a mapping with `path` and some of: `horizontal` "cell"
        or "bilinear"; `kernel` "none" for the plain pressure-weighted column; `quality` "all" to take soundings that are
        flagged bad; `heights` "sea" to prefer altitudes to heights above ground; for lists of stations without times
        `local_hours: [12, 16]` (daily means of these hours of local solar time) or `every_hours: 1`; `label`.
    grid : that of the run.
    start, end : of the run; requests outside are left out with a note.
    folder : where finished samples are kept while the run goes on (None: in memory).
    longest_step : s between two looks at the state, as the run is set.

    Returns
    -------
    One sampler an entry, more where its files differ in kind or number of levels; in the order of the entries.

    Raises
    ------
    SamplingError, FileProblem : in one sentence; nothing is written.
    """
    from analysis.sampling.columns import ColumnSamples
    from analysis.sampling.entries import parse, read_entry
    from analysis.sampling.points import PointSamples

    samplers: list[TimedSamples] = []
    labels: set[str] = set()
    for entry in entries:
        asked = parse(entry)
        for name, requests in read_entry(asked, start, end):
            label, number = name, 2
            while label in labels:
                label, number = f"{name}-{number}", number + 1
            labels.add(label)
            requests = requests.within(start, end).sorted()
            grid.locate(requests.lat, requests.lon)
            kind: Any = ColumnSamples if isinstance(requests, ColumnRequests) else PointSamples
            options = {"horizontal": asked.horizontal, "label": label, "folder": folder, "longest_step": longest_step}
            samplers.append(kind(requests, **options))
    return samplers
