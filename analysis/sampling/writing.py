"""Samples as netCDF: what the model has at each place and time, for each tracer and in all, beside what was observed.

Dimensions `sample` and `tracer`, sorted by time, readable by xarray. The file appears under its name only when it is
complete.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.sampling.errors import SamplingError
from analysis.sampling.requests import ABOVE_GROUND, ABOVE_SEA, PRESSURE, ColumnRequests, PointRequests
from analysis.transport.sources import BACKGROUND_PPM

if TYPE_CHECKING:
    from analysis.sampling.in_time import TimedSamples

BLOCK = 16_384
"""Samples that are written at once."""

_SINCE = "seconds since 1970-01-01 00:00:00"


def write_samples(
    path: str | os.PathLike[str],
    sampler: TimedSamples,
    tracers: Sequence[str],
    *,
    background: Collection[str],
    simulated: bool,
    attributes: Mapping[str, Any] | None = None,
) -> Path:
    """Write what a sampler has taken, whole or not at all; an older file of this name is replaced.

    Parameters
    ----------
    path : netCDF file to write.
    sampler : after (or in the middle of) a run.
    tracers : names, in the order of the state's tracers.
    background : those of them that carry the background and are kept as offsets from 400 ppm. Where it is one, the
        variable `total` is the sum of all tracers, background counted once; where it is several (members of an
        ensemble), each is a total by itself and there is no `total`.
    simulated : True where weather, fluxes or soundings are simulated.
    attributes : more global attributes (run, weather, fluxes).

    Returns
    -------
    The path.

    Raises
    ------
    SamplingError : other names than tracers, or no sample at all. OSError : no room or no permission.
    """
    target = Path(path)
    names, carried = _checked(sampler, tracers, background)
    rows = sampler.finished.rows()
    if not rows.size:
        raise SamplingError(
            f"{sampler.label}: there are no samples to write; none of {len(sampler.requests)} requests has been reached."
        )
    order = np.argsort(rows, kind="stable")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _write(part, sampler, names, carried, rows[order], order, simulated, dict(attributes or {}))
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def seen(
    sampler: TimedSamples, carried: np.ndarray, rows: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """What the model has for some samples.

    Parameters
    ----------
    carried : (tracer,) True where a tracer carries the background.
    rows, positions : (n,) numbers of requests, and where their values are among the finished ones.

    Returns
    -------
    values : (n, tracer) ppm float64; tracers that carry the background in full (for columns with what the retrieval's
        prior adds), others as what they contribute.
    total : (n,) ppm, or None unless exactly one tracer carries the background.
    extras : (n, extra) as the sampler's `extras` say.
    """
    kept = sampler.finished.values(positions).astype(np.float64)
    values, extras = kept[:, : carried.size], kept[:, carried.size :]
    requests = sampler.requests
    if isinstance(requests, ColumnRequests):
        offset = requests.prior_part[rows] + BACKGROUND_PPM * requests.kernel_sum[rows]
    else:
        offset = np.full(rows.size, BACKGROUND_PPM)
    total = values.sum(axis=1) + offset if carried.sum() == 1 else None
    return values + offset[:, None] * carried, total, extras


def _checked(
    sampler: TimedSamples, tracers: Sequence[str], background: Collection[str]
) -> tuple[list[str], np.ndarray]:
    names = [str(name) for name in tracers]
    if not names or len(set(names)) != len(names):
        raise SamplingError(f"Tracers need names that differ, found {', '.join(names) or 'none'}; rename them.")
    unknown = sorted(set(background) - set(names))
    if unknown:
        raise SamplingError(
            f"Of {', '.join(names)} none is called {unknown[0]!r}, which is to carry the background; rename it."
        )
    width = sampler.finished.width
    if sampler.finished.count and width != len(names) + len(sampler.extras):
        raise SamplingError(
            f"{sampler.label}: expected names of {width - len(sampler.extras)} tracers, found {len(names)}; name each once."
        )
    return names, np.array([name in background for name in names])


def _write(
    path: Path,
    sampler: TimedSamples,
    names: list[str],
    carried: np.ndarray,
    rows: np.ndarray,
    order: np.ndarray,
    simulated: bool,
    attributes: dict[str, Any],
) -> None:
    import netCDF4

    requests = sampler.requests
    columns = isinstance(requests, ColumnRequests)
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        what = "columns as retrievals see them" if columns else "mole fractions at points"
        made = "Simulated" if simulated else "Modelled"
        file.setncatts(
            {"title": f"{made} CO2: {what}, {sampler.label}", "Conventions": "CF-1.10", "simulated": int(simulated)}
        )
        file.setncatts({"featureType": "point", **attributes})
        notes = " ".join([*sampler.notes, *_counts(sampler)])
        if notes:
            file.note = notes
        file.createDimension("sample", rows.size)
        file.createDimension("tracer", len(names))
        _put(file, "tracer", ("tracer",), _characters(names), "name of the tracer", "")
        _put(
            file,
            "carries_background",
            ("tracer",),
            carried.astype(np.int8),
            "1: value in full; 0: what it contributes",
            "1",
        )
        _put(file, "id", ("sample",), requests.id[rows], "identifier of the request", "")
        middle = requests.begin.astype(np.int64) + (requests.end - requests.begin).astype(np.int64) // 2
        times = {"time": (middle, "middle of the sample"), "time_start": (requests.begin.astype(np.int64), "beginning")}
        times["time_end"] = (requests.end.astype(np.int64), "end; the beginning for a moment, else values are means")
        for name, (moments, meaning) in times.items():
            _put(file, name, ("sample",), moments[rows] / 1000.0, meaning, _SINCE, calendar="standard")
        _put(file, "latitude", ("sample",), requests.lat[rows], "latitude", "degrees_north")
        _put(file, "longitude", ("sample",), requests.lon[rows], "longitude", "degrees_east")
        _put(file, "observed", ("sample",), requests.observed[rows], "what was observed, NaN where not known", "ppm")
        _put(file, "observed_uncertainty", ("sample",), requests.uncertainty[rows], "standard deviation of it", "ppm")
        if isinstance(requests, PointRequests):
            _put_heights(file, requests, rows)
        elif isinstance(requests, ColumnRequests):
            _put_retrievals(file, requests, rows)
        value = _make(file, "value", "f8", ("sample", "tracer"), "mole fraction of dry air by tracer", "ppm")
        whole = None
        if carried.sum() == 1:
            whole = _make(file, "total", "f8", ("sample",), "sum of all tracers, background included", "ppm")
        extras = [_make(file, name, "f8", ("sample",), meaning, unit) for name, unit, meaning in sampler.extras]
        for first in range(0, rows.size, BLOCK):
            block = slice(first, first + BLOCK)
            values, total, more = seen(sampler, carried, rows[block], order[block])
            value[block] = values
            if whole is not None:
                whole[block] = total
            for number, variable in enumerate(extras):
                variable[block] = more[:, number]


def _counts(sampler: TimedSamples) -> list[str]:
    said = []
    if sampler.missed:
        said.append(f"{sampler.missed} requests began before the run did and are left out.")
    if sampler.late:
        said.append(f"{sampler.late} samples stand for the end of a long step, not for their own moment.")
    if sampler.unreached:
        said.append(f"{sampler.unreached} requests end after the run does and are left out.")
    return said


def _put_heights(file: Any, requests: PointRequests, rows: np.ndarray) -> None:
    for name, kind, unit, meaning in (
        ("height_above_ground", ABOVE_GROUND, "m", "height above the model's ground at which it was asked for"),
        ("altitude", ABOVE_SEA, "m", "altitude above sea level at which it was asked for"),
        ("pressure", PRESSURE, "hPa", "pressure at which it was asked for"),
    ):
        asked = requests.reference[rows] == kind
        if asked.any():
            _put(file, name, ("sample",), np.where(asked, requests.height[rows], np.nan), meaning, unit)


def _put_retrievals(file: Any, requests: ColumnRequests, rows: np.ndarray) -> None:
    file.operator = (
        "pressure-weighted column of the model, no averaging kernel, as asked for"
        if requests.plain
        else "xco2_prior + sum over levels of pressure_weight * averaging_kernel * (model - prior)"
    )
    for name, values, unit, meaning in (
        ("xco2_prior", requests.xco2_prior, "ppm", "column of the retrieval's prior"),
        ("prior_part", requests.prior_part, "ppm", "what does not depend on the model: xco2_prior - sum of w a p"),
        ("kernel_sum", requests.kernel_sum, "1", "sum of w a: what is seen of one ppm more everywhere"),
        ("surface_pressure", requests.surface_pressure, "hPa", "surface pressure of the sounding, with vapour"),
    ):
        _put(file, name, ("sample",), values[rows], meaning, unit)


def _characters(texts: Sequence[str]) -> np.ndarray:
    return np.char.encode(np.array(texts, dtype=np.str_), "utf-8")


def _make(file: Any, name: str, dtype: Any, dims: tuple[str, ...], meaning: str, unit: str) -> Any:
    variable = file.createVariable(name, dtype, dims, zlib=True, complevel=1)
    variable.long_name = meaning
    if unit:
        variable.units = unit
    return variable


def _put(file: Any, name: str, dims: tuple[str, ...], values: np.ndarray, meaning: str, unit: str, **more: str) -> None:
    if values.dtype.kind == "S":
        width = max(values.dtype.itemsize, 1)
        length = f"characters_{width}"
        if length not in file.dimensions:
            file.createDimension(length, width)
        variable = _make(file, name, "S1", (*dims, length), meaning, unit)
        variable._Encoding = "utf-8"
        variable[:] = np.ascontiguousarray(values).view("S1").reshape(*values.shape, width)
        return
    variable = _make(file, name, values.dtype, dims, meaning, unit)
    variable.setncatts(more)
    variable[:] = values
