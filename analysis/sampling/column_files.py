"""From files of soundings to requests: weights, kernels and priors of OCO-2 and OCO-3 Lite files and all in their layout,
of GOSAT's level 2, and of TCCON's GGG2020, as `data.readers` delivers them.

A kernel is never made up: a file without one is refused, unless the user asks for the plain pressure-weighted column.
TCCON's kernel works on wet mole fractions; its weights are the integration operator times what is dry of the prior
profile, which turns the formula on TCCON's auxiliary-data page into the one for dry air.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from analysis.sampling.errors import SamplingError
from analysis.sampling.profiles import Profiles
from analysis.sampling.requests import ColumnRequests, profile_problems
from data.canonical import Product

PROFILES = ("averaging_kernel", "pressure_weight", "co2_prior")
TCCON_PROFILES = ("averaging_kernel", "integration_operator", "co2_prior_wet", "h2o_prior_wet")
TCCON_READER = "tccon_ggg2020"

HIGHEST_HPA = 1200.0
"""Pressures beyond this are in Pa, whatever their unit says."""


@dataclass
class LeftOut:
    """How many soundings of a number of files were left out, by reason."""

    total: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)

    def drop(self, usable: np.ndarray, bad: np.ndarray, reason: str) -> np.ndarray:
        """`usable` without `bad`, counted."""
        self.reasons[reason] += int((usable & bad).sum())
        return usable & ~bad

    def remark(self, text: str) -> None:
        """Say something once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def notes(self) -> tuple[str, ...]:
        """One sentence a reason."""
        counted = [
            f"{n} of {self.total} soundings {reason} and are left out." for reason, n in self.reasons.items() if n
        ]
        return (*counted, *self.remarks)


@dataclass(frozen=True)
class Wanted:
    """Which soundings, and how.

    Attributes
    ----------
    start, end : of the run.
    plain : True for the pressure-weighted column without a kernel.
    flagged : True to take those that are flagged bad too.
    """

    start: np.datetime64
    end: np.datetime64
    plain: bool = False
    flagged: bool = False


def soundings(
    product: Product, wanted: Wanted, left_out: LeftOut, profiles: Callable[[int], Profiles]
) -> ColumnRequests | None:
    """Requests of one file.

    Parameters
    ----------
    product : what `data.readers.read` returned: soundings, or a TCCON GGG2020 file.
    left_out : gets the numbers of those that cannot be used.
    profiles : where profiles of some number of levels go.

    Returns
    -------
    Those of the run's time that can be used; None where there are none.

    Raises
    ------
    SamplingError : no XCO2, no kernel (and none was waived), pressures in Pa.
    """
    data, name = product.dataset, product.path.name
    dim = "observation" if product.kind == "sites" else "sounding"
    if "xco2" not in data:
        raise SamplingError(
            f"{name}: expected soundings of XCO2, found {', '.join(map(str, list(data)[:6]))}; give files with xco2."
        )
    count = data.sizes[dim]
    left_out.total += count
    time = data["time"].to_numpy().astype("datetime64[ms]")
    usable = left_out.drop(np.ones(count, bool), np.isnat(time), "have no time")
    low, high = (np.asarray(moment, dtype="datetime64[ms]") for moment in (wanted.start, wanted.end))
    usable = left_out.drop(usable, (time < low) | (time > high), "lie outside the run")
    if not wanted.flagged and "quality_flag" in data:
        usable = left_out.drop(usable, data["quality_flag"].to_numpy() == 1, "are flagged bad")
    if not wanted.flagged and "averaging_kernel_flag" in data and not wanted.plain:
        clamped = np.abs(data["averaging_kernel_flag"].to_numpy()) >= 2
        usable = left_out.drop(usable, clamped, "have a kernel outside the range its provider trusts")
    xco2_prior = _numbers(data, "xco2_prior", count)
    if wanted.plain:
        weight = kernel = np.ones((count, 1))
        prior = np.zeros((count, 1))
        xco2_prior = np.zeros(count)
    else:
        weight, kernel, prior = _profiles(product, left_out)
        own = (weight * prior).sum(axis=1)
        xco2_prior = np.where(np.isfinite(xco2_prior), xco2_prior, own)
        with np.errstate(invalid="ignore"):
            differ = np.abs(xco2_prior - own) > 0.5
        if (differ & usable).any():
            left_out.remark(
                f"In {name} the prior's column differs from its profile's by more than 0.5 ppm; the column is taken."
            )
    for reason, bad in profile_problems(weight, kernel, prior, xco2_prior, plain=wanted.plain).items():
        usable = left_out.drop(usable, bad, f"have {reason}")
    if not usable.any():
        return None
    chosen = np.flatnonzero(usable)
    store = profiles(weight.shape[1])
    return ColumnRequests.of(
        id=_identifiers(data, dim, chosen),
        begin=time[chosen],
        end=time[chosen],
        lat=data["lat"].to_numpy().astype(np.float64)[chosen],
        lon=data["lon"].to_numpy().astype(np.float64)[chosen],
        observed=_numbers(data, "xco2", count)[chosen],
        uncertainty=_numbers(data, "xco2_uncertainty", count)[chosen],
        weight=weight[chosen],
        kernel=kernel[chosen],
        prior=prior[chosen],
        xco2_prior=xco2_prior[chosen],
        surface_pressure=_surface_pressure(data, name, count)[chosen],
        profiles=store,
        plain=wanted.plain,
    )


def _numbers(data: xr.Dataset, name: str, count: int) -> np.ndarray:
    return data[name].to_numpy().astype(np.float64) if name in data else np.full(count, np.nan)


def _identifiers(data: xr.Dataset, dim: str, chosen: np.ndarray) -> np.ndarray:
    if "sounding_id" in data:
        return data["sounding_id"].to_numpy()[chosen].astype("S20")
    site = data["site"].to_numpy()[chosen].astype(str)
    moment = np.datetime_as_string(data["time"].to_numpy()[chosen].astype("datetime64[s]"))
    return np.char.encode(np.char.add(np.char.add(site, " "), moment), "utf-8")


def _surface_pressure(data: xr.Dataset, name: str, count: int) -> np.ndarray:
    """(n,) hPa: as stated, else the highest of the levels where these reach the ground."""
    if "surface_pressure" in data:
        pressure = _numbers(data, "surface_pressure", count)
    elif "pressure" in data and data["pressure"].ndim == 2:
        pressure = np.nanmax(data["pressure"].to_numpy().astype(np.float64), axis=1, initial=0.0)
    else:
        return np.full(count, np.nan)
    with np.errstate(invalid="ignore"):
        if (pressure > HIGHEST_HPA).any():
            raise SamplingError(
                f"{name}: expected pressures in hPa, found {np.nanmax(pressure):g}, which is Pa; correct the attribute `units` "
                "of its pressure."
            )
    return pressure


def _profiles(product: Product, left_out: LeftOut) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, level) pressure weight, averaging kernel and prior in ppm of dry air, the top of the atmosphere first."""
    data, name = product.dataset, product.path.name
    tccon = product.reader == TCCON_READER
    needed = TCCON_PROFILES if tccon else PROFILES
    absent = [profile for profile in needed if profile not in data]
    if absent:
        raise SamplingError(
            f"{name}: expected {', '.join(needed)} with each sounding, found no {', '.join(absent)}; get files that hold them, "
            "or ask for the plain pressure-weighted column with `kernel: none`."
        )
    arrays = [np.array(data[profile].to_numpy(), dtype=np.float64) for profile in needed]
    if tccon:
        kernel, operator, wet, water = arrays
        dry = 1.0 - water
        weight, prior = operator * dry, wet / dry
    else:
        kernel, weight, prior = arrays
    if "pressure" in data and data["pressure"].shape == kernel.shape:
        upward = _upward(data["pressure"].to_numpy().astype(np.float64))
        for values in (kernel, weight, prior):
            values[upward] = values[upward, ::-1]
    else:
        left_out.remark(
            f"{name} does not say the pressure of its levels; the first is taken as the top of the atmosphere."
        )
    with np.errstate(invalid="ignore"):
        padding = ~(np.abs(weight) > 0)  # files with fewer levels over mountains fill up with NaN or 0
    for values in (weight, kernel, prior):
        values[padding] = 0.0
    return weight, kernel, prior


def _upward(pressure: np.ndarray) -> np.ndarray:
    """(n,) True where the levels (n, level) begin at the ground; NaN levels do not count."""
    there = np.isfinite(pressure)
    last = pressure.shape[1] - 1
    first_place, last_place = there.argmax(axis=1), last - there[:, ::-1].argmax(axis=1)
    rows = np.arange(len(pressure))
    with np.errstate(invalid="ignore"):
        return pressure[rows, first_place] > pressure[rows, last_place]
