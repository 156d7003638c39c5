"""Any map on latitude and longitude: recognised by its shape, coordinates and units, whatever its variables are called.

This is how the 0.05-degree XCO2 product (doi 10.5281/zenodo.12706142, variable names not published) is read, OCO-2 GEOS
L3, Obs4MIPs, CAMS and what users bring. CO2 columns come out as `xco2` in ppm with `xco2_uncertainty`, `xco2_std`,
`xco2_prior` where there are such; CO2 on levels as `co2`; everything else keeps its name and unit. A unit attribute
that the values contradict is not believed, and that is noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.covariates import STATIC_TIME
from data.readers.grid_axes import axis_by_attributes, axis_by_name, locate, to_grid, with_time
from data.readers.opening import open_dataset, pack, sample_values
from data.readers.opening import reading as reading_of
from data.readers.periods import Period, name_without_period, period_of
from data.readers.probe import Probe
from data.readers.rasters import open_raster
from data.readers.units import PLAUSIBLE_PPM, ppm_factor, stated_factor

_GRID_FILE = "a map on latitude and longitude: netCDF, HDF5, zarr or GeoTIFF with coordinates in degrees and a date"
_POSSIBLE_PPM = (200.0, 1000.0)
"""Values of a CO2 map outside are fill values (0, -999, 1e20)."""

_CO2 = re.compile(r"x_?co_?2|co_?2|carbon[ _-]?dioxide")
_OTHER_CO2 = re.compile(
    r"flux|emission|kernel|weight|partial.?pressure|pco2|fco2|anomal|flag|mask|growth|trend|increment|differ"
)
_COUNT = re.compile(r"n_?obs|count|num(?:ber)?(?:_|\b)|n_?sound|samples|distance|index")
_SPREAD = re.compile(r"std|stddev|standard.?deviation|spread")
_ERROR = re.compile(r"unc|prec|std_?err|stderr|error|sigma|rmse|variance")
_PRIOR = re.compile(r"apriori|a.priori|prior|background")
_FREE_TROPOSPHERE = re.compile(r"tropospher")

Role = Literal["column", "profile", "troposphere", "uncertainty", "std", "prior", "other"]


@dataclass(frozen=True)
class _Co2:
    """The CO2 fields of a located dataset by variable name, and the factor to ppm of the main one."""

    roles: dict[str, Role]
    factor: float
    notes: list[str]


def _recognises_grid(probe: Probe) -> bool:
    if probe.container == "tiff":
        return True
    return any(len([size for size in var.shape if size > 3]) >= 2 for var in probe.variables.values())


def read_grid(path: Path) -> Product:
    """Any gridded file as grid (time, [lev,] lat, lon). Lazy where large.

    Raises
    ------
    FileProblem : no latitude and longitude, no date (for CO2), CO2 values that cannot be CO2 in the stated unit,
        nothing but fill values.
    """
    with reading_of(path, _GRID_FILE):
        located, attrs, notes = _opened(path)
        co2 = _find_co2(located, path)
        notes += co2.notes
        grid = _with_date(located.assign(_converted(located, co2)), path, is_co2=bool(co2.roles))
        grid = to_grid(grid.rename(_new_names(co2.roles)))
        cell = float(np.median(np.diff(grid["lat"]))) if grid.sizes["lat"] > 1 else 0.0
        return pack(
            "grid",
            grid,
            reader="gridded",
            collection=_collection(path, cell, co2),
            path=path,
            title=str(attrs.get("title") or attrs.get("Title") or f"{path.stem}, {cell:.4g} degrees")[:120],
            instrument=str(attrs.get("instrument") or attrs.get("source_id") or _instrument(path))[:60],
            version=str(attrs.get("version") or attrs.get("product_version") or "unknown")[:60],
            scale=next(iter(re.findall(r"X20(?:07|19)", f"{attrs.get('scale', '')} {path.name}")), "unknown"),
            catalog=_catalog(path, cell, co2),
            note="; ".join(notes),
            **({"static": 1} if grid.sizes["time"] == 1 and grid["time"].to_numpy()[0] == STATIC_TIME else {}),
        )


def _opened(path: Path) -> tuple[xr.Dataset, dict[str, object], list[str]]:
    """Located dataset (undecoded times), attributes of the file, notes."""
    probe = Probe.of(path)
    if probe.container == "tiff" or re.search(r"(?i)\.tiff?\.gz$", path.name):
        period = period_of(path) or Period(STATIC_TIME, STATIC_TIME)
        name = name_without_period(path).replace("-", "_").replace(".", "_") or "value"
        raster = open_raster(path, name, period, expected=_GRID_FILE)
        dated = period.end > period.start
        return (raster if dated else raster.isel(time=0, drop=True)), {}, [raster.attrs["note"]] if raster.attrs else []
    group = _group(probe)
    dataset = open_dataset(path, expected=_GRID_FILE, group=group)
    attrs: dict[str, object] = dict(dataset.attrs)
    if group is not None:
        root = open_dataset(path, expected=_GRID_FILE)
        attrs = {**root.attrs, **attrs}
        axes = {
            name: var
            for name, var in root.variables.items()
            if name not in dataset and set(var.dims) <= set(dataset.dims)
        }
        dataset = dataset.assign(axes).assign_attrs(attrs)
    located, notes = locate(dataset, path, expected=_GRID_FILE)
    if group is not None:
        notes.append(f"read from the group {group!r}")
    numeric = [name for name, var in located.data_vars.items() if var.dtype.kind in "iuf"]
    if not numeric:
        raise FileProblem(path, expected=_GRID_FILE, found="no numbers on its grid", remedy="check the file")
    return located[numeric].assign_attrs(attrs), attrs, notes


def _group(probe: Probe) -> str | None:
    """The HDF5 or zarr group that holds the largest field; None for the root."""
    fields = {
        name: int(np.prod(var.shape))
        for name, var in probe.variables.items()
        if len([size for size in var.shape if size > 3]) >= 2
        and (axis_by_attributes(var.attrs) or axis_by_name(name)) not in ("lat", "lon")
    }
    in_root = {name: size for name, size in fields.items() if "/" not in name}
    largest = max(in_root or fields, key=lambda name: fields[name], default="")
    return largest.rsplit("/", 1)[0] if "/" in largest else None


def _text(name: str, array: xr.DataArray) -> str:
    return f"{name} {array.attrs.get('long_name', '')} {array.attrs.get('standard_name', '')}".lower()


def _role(name: str, array: xr.DataArray) -> Role:
    """What a variable is, from its own name first and its description second."""
    own = name.lower()
    described = _text(name, array)
    if not _CO2.search(described) or _OTHER_CO2.search(own) or _COUNT.search(own):
        return "other"
    for role, pattern in (("uncertainty", _ERROR), ("std", _SPREAD), ("prior", _PRIOR)):
        if pattern.search(_CO2.sub(" ", own)):
            return role  # type: ignore[return-value]
    if _ERROR.search(described) or _SPREAD.search(described):
        return "uncertainty" if not _SPREAD.search(described) else "std"
    if _OTHER_CO2.search(described):
        return "other"
    if "lev" in array.dims:
        return "profile"
    return "troposphere" if _FREE_TROPOSPHERE.search(described) else "column"


def _sample(array: xr.DataArray) -> np.ndarray:
    values = sample_values(array)
    return values[(values > 0) & (values < 1e30)]


def _plausible(middle: float) -> bool:
    low, high = PLAUSIBLE_PPM
    return low <= middle <= high or low * 1e-6 <= middle <= high * 1e-6


def _find_co2(located: xr.Dataset, path: Path) -> _Co2:
    roles = {str(name): _role(str(name), array) for name, array in located.data_vars.items()}
    main = [name for name, role in roles.items() if role in ("column", "profile", "troposphere")]
    if not main:  # nothing is called CO2: the first field with values like CO2 in a fitting unit is
        for name in roles:
            units = str(located[name].attrs.get("units", "")).strip()
            stated = stated_factor(units)
            if (units == "" or stated is not None) and located[name].dtype.kind == "f":
                values = _sample(located[name])
                if values.size and _plausible(float(np.median(values)) * (stated or 1.0)):
                    roles[name] = "profile" if "lev" in located[name].dims else "column"
                    main = [name]
                    break
    main.sort(key=lambda name: ("xco2" not in name.lower(), roles[name] != "column", name))
    notes: list[str] = []
    kept: dict[str, Role] = {}
    factor = 1.0
    for name in main:
        scale = _factor(located[name], name, path, notes)
        if scale is None or roles[name] in kept.values():
            continue
        kept[name] = roles[name]
        factor = scale if len(kept) == 1 else factor
    if not kept:
        return _Co2({}, 1.0, notes)
    for role in ("uncertainty", "std", "prior"):
        matching = [
            name
            for name, own in roles.items()
            if own == role and set(located[name].dims) == set(located[next(iter(kept))].dims)
        ]
        if matching:
            kept[matching[0]] = role
    return _Co2(kept, factor, notes)


def _factor(array: xr.DataArray, name: str, path: Path, notes: list[str]) -> float | None:
    """Factor to ppm; None if the field is no mole fraction. Notes a unit that the values contradict."""
    units = str(array.attrs.get("units", "")).strip()
    values = _sample(array)
    if values.size == 0 and array.chunks is None:
        raise FileProblem(
            path, expected=f"{name} with values", found="nothing but missing values", remedy="leave the file out"
        )
    middle = float(np.median(values)) if values.size else float("nan")
    if units and stated_factor(units) is None and not re.fullmatch(r"(?i)none|n/?a|unknown|-", units):
        if PLAUSIBLE_PPM[0] <= middle <= PLAUSIBLE_PPM[1]:
            notes.append(f"the unit of {name} is given as {units!r}, but its values (median {middle:.1f}) are ppm")
            return 1.0
        if not re.match(r"(?i)x_?co_?2", name):
            return None
    return ppm_factor(values, units, path, name)


def _converted(located: xr.Dataset, co2: _Co2) -> dict[str, xr.DataArray]:
    """All fields without undeclared fill values; CO2 fields in ppm, float32."""
    out = {}
    low, high = _POSSIBLE_PPM
    for name, array in located.data_vars.items():
        role = co2.roles.get(str(name), "other")
        if role == "other":
            if array.dtype.kind == "f":
                out[str(name)] = array.where((array > -9998.5) | (array < -10_000)).where(abs(array) < 1e30)
            continue
        scale = np.float32(co2.factor)
        own = stated_factor(str(array.attrs.get("units", "")))
        if role in ("uncertainty", "std", "prior") and own is not None:
            scale = np.float32(own)
        ppm = array.astype(np.float32) * scale if scale != 1 else array.astype(np.float32)
        possible = (ppm >= low) & (ppm <= high) if role not in ("uncertainty", "std") else (ppm >= 0) & (ppm < high)
        attrs = {"units": "ppm", "long_name": str(array.attrs.get("long_name", name))}
        if role in ("column", "prior"):
            attrs["standard_name"] = "dry_atmosphere_mole_fraction_of_carbon_dioxide"
        out[str(name)] = ppm.where(possible).assign_attrs(attrs)
    return out


def _new_names(roles: dict[str, Role]) -> dict[str, str]:
    profile = "column" not in roles.values() and "profile" in roles.values()
    stem = "co2" if profile else "xco2" if "column" in roles.values() else "co2_midtroposphere"
    names = {"column": "xco2", "profile": "co2", "troposphere": "co2_midtroposphere"}
    return {name: names.get(role, f"{stem}_{role}") for name, role in roles.items()}


def _with_date(grid: xr.Dataset, path: Path, *, is_co2: bool) -> xr.Dataset:
    static = None if is_co2 or "time" in grid.dims else Period(STATIC_TIME, STATIC_TIME + np.timedelta64(1, "ns"))
    return with_time(grid, path, expected=_GRID_FILE, fallback=static)


def _collection(path: Path, cell: float, co2: _Co2) -> str:
    base = name_without_period(path)
    if not re.search(r"[a-z]{3}|co2", base):
        base = "xco2" if "column" in co2.roles.values() else "co2" if co2.roles else f"grid-{base}".strip("-")
    resolution = f"{cell:.4g}deg"
    return base if re.search(r"\d[.p]?\d*-?deg|\d+km", base) else f"{base}-{resolution}"


def _instrument(path: Path) -> str:
    name = path.name.lower()
    known = (
        ("geos_l3", "OCO-2 GEOS L3"),
        ("oco2", "OCO-2"),
        ("oco3", "OCO-3"),
        ("gosat", "GOSAT"),
        ("tansat", "TanSat"),
        ("cams", "CAMS"),
    )
    return next((label for word, label in known if word in name), "unknown")


def _catalog(path: Path, cell: float, co2: _Co2) -> str:
    name = path.name.lower()
    known = (
        ("geos_l3", "oco2-geos-l3"),
        ("tansat", "tansat-flux"),
        ("total_column_co2", "cams-column-co2"),
        ("cams", "cams-inversion"),
        ("mapping", "mapping-xco2"),
        ("ct20", "carbontracker-ct2022-xco2"),
    )
    found = next((entry for word, entry in known if word in name), None)
    if found is None and "column" in co2.roles.values() and abs(cell - 0.05) < 1e-6:
        return "xco2-0p05"
    return found or "none"


READERS = [Reader("gridded", "grid", _GRID_FILE, _recognises_grid, read_grid)]
