"""Gridded maps made from OCO-2 and OCO-3 soundings: snapshot areas on a global 0.025 degree grid (zarr), and monthly
XCO2 maps of Indonesia in netCDF whose names, latitude order and extent change over the years.

The zarr is 20 GB for eight days when dense and 8 MB as stored, so nothing of it is computed here.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product, canonical_grid
from data.errors import FileProblem
from data.readers import Reader
from data.readers.opening import open_dataset, pack, reading
from data.readers.periods import Period, month, name_without_period, period_of
from data.readers.probe import Probe
from data.readers.times import decode_times
from data.readers.units import ppm_factor

_AREA = "OCO-3 areas on a grid: zarr with xco2 and xco2_uncertainty on time, longitude, latitude"
_MONTHLY = "a monthly OCO-2 map: netCDF with co2 in ppm on time, latitude, longitude"

_AREA_NAMES = {"xco2": "xco2", "xco2_apriori": "xco2_prior", "xco2_uncertainty": "xco2_uncertainty"}
_XCO2_NAME = "dry_atmosphere_mole_fraction_of_carbon_dioxide"


def _is_area(probe: Probe) -> bool:
    if probe.container != "zarr" or not probe.has("xco2", "xco2_uncertainty", "latitude", "longitude", "time"):
        return False
    return set(probe.variables["xco2"].dims) == {"time", "longitude", "latitude"}


def _is_monthly(probe: Probe) -> bool:
    if re.match(r"(?i)CO2_mx_monthly_", probe.name):
        return True
    column = probe.variables.get("co2") if probe.container in ("netcdf3", "hdf5") else None
    if column is None or "crs" not in probe.variables or len(column.shape) not in (2, 3):
        return False
    return str(column.attrs.get("long_name", "")) == "CO2 mixing ratio"


def _sample(path: Path, name: str) -> np.ndarray:
    """Values of one chunk that exists on disk, to judge units by; empty where there is none (a store elsewhere)."""
    import zarr

    pattern = re.compile(r"(?:c[/.])?(\d+)[/.](\d+)[/.](\d+)")
    for chunk in (path / name).rglob("*"):
        found = pattern.fullmatch(chunk.relative_to(path / name).as_posix())
        if found and chunk.is_file():
            array = zarr.open_group(path, mode="r")[name]
            shape = getattr(array, "shards", None) or array.chunks  # type: ignore[union-attr]
            begin = [int(number) * size for number, size in zip(found.groups(), shape, strict=True)]
            window = tuple(slice(start, start + size) for start, size in zip(begin, array.chunks, strict=True))  # type: ignore[union-attr]
            return np.asarray(array[window], dtype=np.float64)  # type: ignore[index]
    return np.empty(0)


def read_area(path: Path) -> Product:
    """Snapshot areas as a lazy grid; each day at midnight UTC as in the store."""
    with reading(path, _AREA):
        source = xr.open_zarr(path, decode_times=False, chunks={}, consolidated=False)
        samples = {name: _sample(path, name) for name in _AREA_NAMES if name in source}
    times = decode_times(source["time"], None)
    if times is None or times.size == 0:
        raise FileProblem(path, expected=_AREA, found="no times", remedy="copy the store again")
    names = {name: _AREA_NAMES[name] for name in samples}
    grid = source[list(samples)].rename(names | {"latitude": "lat", "longitude": "lon"})
    for name, ours in names.items():
        judged = samples[name] if name != "xco2_uncertainty" else np.empty(0)
        factor = ppm_factor(judged, source[name].attrs.get("units"), path, name)
        if factor != 1.0:
            grid[ours] = grid[ours] * factor
        grid[ours].attrs = {"units": "ppm", "long_name": str(source[name].attrs.get("long_name", name))}
    grid["xco2"].attrs["standard_name"] = _XCO2_NAME
    step = abs(float(source["latitude"][1] - source["latitude"][0])) if source.sizes["latitude"] > 1 else float("nan")
    return pack(
        "grid",
        canonical_grid(grid.assign_coords(time=times)),
        reader="oco3_areas",
        collection=f"oco3-areas-{name_without_period(path)}",
        path=path,
        title=f"OCO-3 snapshot areas on a {step:.3g} degree grid",
        instrument="OCO-3",
        catalog="oco3-lite",
        period="day",
    )


def read_monthly(path: Path) -> Product:
    """One month of XCO2 interpolated from OCO-2 soundings; the month from the file's own time, else from its name."""
    source = open_dataset(path, expected=_MONTHLY)
    names = {
        name: ours
        for name, ours in (("latitude", "lat"), ("longitude", "lon"), ("y", "lat"), ("x", "lon"))
        if name in source
    }
    source = source.rename(names)
    if "co2" not in source or not {"lat", "lon"} <= set(source["co2"].dims):
        raise FileProblem(path, expected=_MONTHLY, found="no co2 on latitude and longitude", remedy="download it again")
    values = source["co2"].reset_coords(drop=True)
    named = period_of(path)
    if "time" in values.dims:
        times = _months(source, named)
        if times is None or times.size == 0:
            raise FileProblem(
                path,
                expected=_MONTHLY,
                found="no month, neither inside nor in the file name",
                remedy="restore its file name",
            )
        values = values.assign_coords(time=times)
    else:
        if named is None:
            raise FileProblem(
                path,
                expected=_MONTHLY,
                found="no month, neither inside nor in the file name",
                remedy="restore its file name",
            )
        values = values.expand_dims(time=[month(named.start).middle])
    if not bool(np.isfinite(values).any()):
        raise FileProblem(path, expected=_MONTHLY, found="a map without values", remedy="choose another month")
    factor = ppm_factor(values.to_numpy(), source["co2"].attrs.get("units"), path, "co2")
    values = (values * np.float32(factor)).astype(np.float32)
    values.attrs = {"units": "ppm", "standard_name": _XCO2_NAME, "long_name": "XCO2 interpolated from OCO-2 soundings"}
    return pack(
        "grid",
        canonical_grid(values.to_dataset(name="xco2")),
        reader="oco2_monthly_maps",
        collection="oco2-monthly-0.5deg-idw",
        path=path,
        title="Monthly XCO2 interpolated from OCO-2 soundings (inverse distance), Indonesia, 0.5 degree",
        instrument="OCO-2",
        catalog="oco2-lite",
        period="month",
    )


def _months(source: xr.Dataset, named: Period | None) -> np.ndarray | None:
    times = decode_times(source["time"], named) if "time" in source.variables else None
    if times is None and named is not None and source.sizes["time"] == 1:
        times = np.array([named.start])
    return None if times is None else np.array([month(time).middle for time in times])


READERS = [
    Reader("oco3_areas", "grid", _AREA, _is_area, read_area),
    Reader("oco2_monthly_maps", "grid", _MONTHLY, _is_monthly, read_monthly),
]
