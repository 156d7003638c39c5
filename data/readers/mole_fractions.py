"""Mole fractions of CO2 on model levels, in the layout of CarbonTracker's files (NOAA GML; doi 10.25925/z1gj-3254 for CT2022).

"molefrac_glb3x2" files hold the total, `co2` (time, level, latitude, longitude), with pressure and geopotential height at
the boundaries of the levels; "molefrac_components" files hold the background and what four kinds of flux added to it
(`bg`, `bio`, `ocean`, `ff`, `fires`), without either; "nam1x1" files are the same for North America on 1 x 1 degree. Early
releases gave pressure and height at the middle of the levels. Levels may run upward or downward. Any model that writes
this layout is read, under its own name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.grid_axes import axis_by_name, locate, to_grid, with_time
from data.readers.level_geometry import height_from_pressure, outer_edges, pressure_from_height
from data.readers.opening import open_dataset, pack, reading, sample_values
from data.readers.periods import slug
from data.readers.probe import Probe
from data.readers.units import ppm_factor, stated_factor

COMPONENTS = {
    "co2": "total",
    "co2_bg": "background",
    "co2_bio": "land biosphere",
    "co2_ocean": "ocean",
    "co2_fossil": "fossil fuel",
    "co2_fire": "fires",
}
"""Canonical name of each mole fraction -> what it is, for people."""

PARTS = tuple(name for name in COMPONENTS if name != "co2")
"""They add up to the total."""

_NAMES = {
    **{"co2": "co2", "co2_total": "co2", "bg": "co2_bg", "bio": "co2_bio", "ocean": "co2_ocean", "ff": "co2_fossil"},
    **{"fossil": "co2_fossil", "fires": "co2_fire", "fire": "co2_fire"},
    **{name: name for name in PARTS},
}
_PRESSURE = ("pressure", "press", "p")
_HEIGHT = ("gph", "height", "zgph")
_PASCAL = {"pa": 0.01, "pascal": 0.01, "hpa": 1.0, "mb": 1.0, "mbar": 1.0, "millibar": 1.0}
_METRE = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "gpm": 1.0, "km": 1000.0}
_RELEASE = re.compile(r"(?i)\b(CT(?:E)?(?:-NRT\.v)?\d{4}[A-Z]?(?:-\d+)?)")
_MONTHLY = re.compile(r"\d{4}-?\d{2}\.nc4?$")
_DAILY = re.compile(r"\d{4}-?\d{2}-?\d{2}\.nc4?$")
_EXPECTED = "a mole fraction file in CarbonTracker's layout: netCDF with co2 (time, level, latitude, longitude) in micromol mol-1"


def _recognises(probe: Probe) -> bool:
    variables = probe.variables
    fields = [var for name, var in variables.items() if name.lower() in _NAMES and len(var.shape) == 4]
    named = "molefrac" in probe.name.lower()
    boundaries = any("boundary" in var.dims for var in variables.values())
    return (named or boundaries) and bool(fields)


def read_mole_fractions(path: Path) -> Product:
    """Mole fractions as volume: dims time, lev, lat, lon and `edge` (lev + 1), level 1 at the surface.

    `co2` and its parts `co2_bg, co2_bio, co2_ocean, co2_fossil, co2_fire` in ppm (the total is their sum where only they
    are given), `pressure_edge` in hPa and `height_edge` in m at the boundaries of the levels, `temperature` in K,
    `specific_humidity` in kg kg-1 and `orography` in m where the file has them. What is missing of pressure and height
    is derived from the other, which the attribute ``note`` says; a file with neither (components only) is to be used
    with another one of the same times. Lazy where large.

    Raises
    ------
    FileProblem : no mole fraction on levels, other units, pressure that does not fall with height.
    """
    dataset = open_dataset(path, expected=_EXPECTED)
    with reading(path, _EXPECTED):
        attrs = dict(dataset.attrs)
        dataset, fields = _with_level_dimension(dataset, path)
        located, _ = locate(dataset, path, expected=_EXPECTED)
        located = located.rename({name: canonical for name, canonical in fields.items() if name in located})
        if not any(name in located and "lev" in located[name].dims for name in COMPONENTS):
            raise FileProblem(path, expected=_EXPECTED, found="no co2 on levels", remedy="download it again")
        volume = _mole_fractions(located, path)
        volume, notes = _with_geometry(volume, located, path)
        grid = to_grid(with_time(volume, path, expected=_EXPECTED), extra=("edge",))
        grid = grid.transpose("time", "lev", "edge", "lat", "lon", ..., missing_dims="ignore")
        grid = grid.assign_coords(lev=("lev", np.arange(1, grid.sizes["lev"] + 1)))
        grid["lev"].attrs.update(long_name="model level, 1 at the surface", positive="up", units="1")
        return _packed(grid, path, attrs, "; ".join(notes))


def _with_level_dimension(dataset: xr.Dataset, path: Path) -> tuple[xr.Dataset, dict[str, str]]:
    """Levels as ``lev`` and their boundaries as ``edge``, whatever they are called; the mole fractions' names."""
    fields: dict[str, str] = {}
    for name in dataset.data_vars:
        canonical = _NAMES.get(str(name).lower())
        if canonical and dataset[name].ndim >= 3 and canonical not in fields.values():
            fields[str(name)] = canonical
    if not fields:
        raise FileProblem(path, expected=_EXPECTED, found="no co2 on levels", remedy="download it again")
    first = dataset[next(iter(fields))]
    named = [str(dim) for dim in first.dims if axis_by_name(str(dim)) == "lev"]
    other = [str(dim) for dim in first.dims if axis_by_name(str(dim)) is None]
    level = next(iter([*named, *other]), None)
    if level is None:
        raise FileProblem(path, expected=_EXPECTED, found="no co2 on levels", remedy="download it again")
    falling = str(dataset[level].attrs.get("positive", "")).lower() == "down" if level in dataset.coords else False
    renamed = {level: "lev"}
    for name in (*_PRESSURE, *_HEIGHT):
        if name in dataset:
            edges = [str(dim) for dim in dataset[name].dims if dataset.sizes[dim] == dataset.sizes[level] + 1]
            free = [dim for dim in edges if axis_by_name(dim) not in ("lat", "lon", "time") and dim not in first.dims]
            if free:
                renamed[free[0]] = "edge"
                break
    dataset = dataset.drop_vars([name for name in renamed if name in dataset.variables]).rename_dims(renamed)
    vertical = [dim for dim in ("lev", "edge") if dim in dataset.dims]
    if falling or _runs_downward(dataset):
        dataset = dataset.isel({dim: slice(None, None, -1) for dim in vertical})
    return dataset, fields


def _runs_downward(dataset: xr.Dataset) -> bool:
    """True if the first level is the highest, by one column of pressure or height."""
    for names, sign in ((_PRESSURE, -1.0), (_HEIGHT, 1.0)):
        for name in names:
            vertical = next((dim for dim in ("edge", "lev") if name in dataset and dim in dataset[name].dims), None)
            if vertical is None:
                continue
            middle = {dim: size // 2 for dim, size in dataset[name].sizes.items() if dim != vertical}
            column = np.asarray(dataset[name].isel(middle).to_numpy(), dtype=np.float64)
            column = column[np.isfinite(column)]
            if column.size > 1:
                return bool(sign * (column[-1] - column[0]) < 0)
    return False


def _mole_fractions(located: xr.Dataset, path: Path) -> xr.Dataset:
    """The total and its parts in ppm."""
    volume = xr.Dataset(attrs=located.attrs)
    for name, title in COMPONENTS.items():
        if name not in located or "lev" not in located[name].dims:
            continue
        field, units = located[name], located[name].attrs.get("units")
        if name == "co2":
            factor = ppm_factor(sample_values(field), units, path, name)
        else:
            stated = stated_factor(units) if str(units or "").strip() else 1.0
            if stated is None:
                raise FileProblem(
                    path,
                    expected=f"{name} in micromol mol-1",
                    found=f"units {str(units)!r}",
                    remedy="correct the units attribute or convert the values",
                )
            factor = stated
        field = field if factor == 1.0 else field * factor
        volume[name] = field.assign_attrs(units="ppm", long_name=_long_name(name, title))
    parts = [volume[name] for name in PARTS if name in volume]
    if "co2" not in volume and len(parts) == len(PARTS):
        total = sum(parts[1:], start=parts[0])
        ppm_factor(sample_values(total), "ppm", path, "the sum of the components")
        volume["co2"] = total.assign_attrs(units="ppm", long_name=_long_name("co2", "total"))
    return volume


def _long_name(name: str, title: str) -> str:
    return "dry air mole fraction of CO2" + ("" if name == "co2" else f", {title}")


def _with_geometry(volume: xr.Dataset, located: xr.Dataset, path: Path) -> tuple[xr.Dataset, list[str]]:
    """Pressure and height at the boundaries of the levels; what the file lacks of them is derived from what it has."""
    notes: list[str] = []
    pressure = _on_edges(located, _PRESSURE, _PASCAL, path, "pressure", notes)
    height = _on_edges(located, _HEIGHT, _METRE, path, "height", notes)
    more: dict[str, Any] = {}
    for name, units, limits in (("temperature", "K", (100.0, 400.0)), ("specific_humidity", "kg kg-1", (-0.01, 0.1))):
        found = located.get(name)
        if found is not None and "lev" in found.dims and found.ndim >= 3:
            sample = sample_values(found)
            if sample.size and limits[0] <= sample.min() and sample.max() <= limits[1]:
                more[name] = found.assign_attrs(units=units, long_name=name.replace("_", " "))
    ground = located.get("orography")
    if ground is not None and set(ground.dims) - {"time"} == {"lat", "lon"}:
        ground = ground.isel(time=0) if "time" in ground.dims else ground
        more["orography"] = ground.assign_attrs(units="m", long_name="height of the surface")
    if pressure is not None and height is None:
        height = height_from_pressure(pressure, more.get("temperature"), more.get("specific_humidity"), ground)
        of = "temperature (hypsometric)" if "temperature" in more else "the standard atmosphere"
        notes.append(f"heights from pressure and {of}")
    elif height is not None and pressure is None:
        pressure = pressure_from_height(height)
        notes.append("pressure from height and the standard atmosphere")
    if pressure is not None and height is not None:
        _check_order(pressure, path)
        more["pressure_edge"] = pressure.clip(min=0.0).assign_attrs(
            units="hPa", long_name="pressure at the boundaries of the levels"
        )
        more["height_edge"] = height.assign_attrs(
            units="m", long_name="geopotential height of the boundaries of the levels"
        )
    return volume.assign(more), notes


def _on_edges(
    located: xr.Dataset,
    names: tuple[str, ...],
    units: dict[str, float],
    path: Path,
    what: str,
    notes: list[str],
) -> xr.DataArray | None:
    """The first of these variables at the boundaries of the levels, in hPa or m; None where the file has none."""
    for name in names:
        field = located.get(name)
        vertical = [] if field is None else [dim for dim in ("edge", "lev") if dim in field.dims]
        if field is None or not vertical or field.ndim < 3:
            continue
        stated = str(field.attrs.get("units", next(iter(units)))).strip().lower()
        if stated not in units:
            raise FileProblem(
                path,
                expected=f"{name} in {' or '.join(list(units)[:3])}",
                found=f"units {field.attrs.get('units')!r}",
                remedy="correct the units attribute",
            )
        if vertical[0] == "lev":
            field = outer_edges(field, what)
            notes.append(f"{what} at the boundaries from the middle of the levels")
        return field if units[stated] == 1.0 else field * units[stated]
    return None


def _check_order(pressure: xr.DataArray, path: Path) -> None:
    some = {dim: slice(None, None, max(1, size // 7)) for dim, size in pressure.sizes.items() if dim != "edge"}
    columns = pressure.isel({**some, **({"time": [0]} if "time" in pressure.dims else {})})
    steps = columns.diff("edge").to_numpy()
    if np.isfinite(steps).any() and (steps[np.isfinite(steps)] >= 0).any():
        raise FileProblem(
            path,
            expected="pressure that falls from level to level upward",
            found="pressure that rises or stays the same between two of them",
            remedy="check the order of its levels",
        )


def _packed(grid: xr.Dataset, path: Path, attrs: dict[str, Any], note: str) -> Product:
    """The product under the name of who made it: a release of CarbonTracker, or what the file says of itself."""
    match = _RELEASE.search(path.name) or _RELEASE.search(str(attrs.get("version", "")))
    genuine = not int(attrs.get("simulated", 0) or 0) and (
        match is not None or "noaa" in str(attrs.get("institution", "")).lower()
    )
    area = "-nam1x1" if "nam1x1" in path.name.lower() else ""
    period = "" if _DAILY.search(path.name) else "-monthly" if _MONTHLY.search(path.name) else ""
    if genuine:
        release = match.group(1) if match else "unknown"
        near = release.upper().startswith("CT-NRT")
        return pack(
            "volume",
            grid,
            reader="mole_fractions",
            collection=f"carbontracker-{slug(release)}-molefractions{area}{period}",
            path=path,
            title=f"CarbonTracker {release} CO2 mole fractions{', North America' if area else ''}",
            instrument="CarbonTracker",
            version=release,
            catalog="carbontracker-nrt" if near else "carbontracker-ct2022-molefractions",
            note=note,
        )
    kept = {key: str(attrs[key]) for key in ("source", "citation", "licence", "license", "run") if attrs.get(key)}
    name = str(attrs.get("collection") or re.split(r"(?i)[._-]?molefrac", path.name)[0] or path.stem)
    return pack(
        "volume",
        grid,
        reader="mole_fractions",
        collection=f"{slug(name)}-molefractions{area}{period}",
        path=path,
        title=str(attrs.get("title") or f"{name} CO2 mole fractions"),
        instrument=str(attrs.get("model") or attrs.get("institution") or name),
        version=str(attrs.get("version", "unknown")),
        scale=str(attrs.get("scale", "unknown")),
        catalog=str(attrs.get("catalog", "demo" if int(attrs.get("simulated", 0) or 0) else "none")),
        note=note,
        **kept,
    )


READERS = [Reader("mole_fractions", "volume", _EXPECTED, _recognises, read_mole_fractions)]
