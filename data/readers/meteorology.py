"""Meteorology for the transport model: NCEP/NCAR R1, ECMWF (ERA5 in the ARCO zarr layout and as netCDF, ERA-Interim),
MERRA-2.

All come out with the same names and units, so that what makes weather packs need not know the source:
`u_wind`, `v_wind` (m s-1), `omega` (Pa s-1), `temperature` (K), `specific_humidity` (kg kg-1), `geopotential_height`
(m), `surface_pressure` (Pa), `boundary_layer_height` (m), `friction_velocity` (m s-1), ... Pressure levels are hPa in
`lev`. Sources: NOAA PSL; Copernicus C3S and google-research/arco-era5; GEOS-Chem's processed MERRA-2, GEOS-FP and
GEOS-IT ("A3dyn" and others).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.grid_axes import locate, to_grid, with_time
from data.readers.opening import open_dataset, pack, reading
from data.readers.periods import month, slug
from data.readers.probe import Probe

_NCEP_FILE = "an NCEP/NCAR Reanalysis 1 file: netCDF with uwnd, vwnd, air, hgt, omega, shum or pres"
_ECMWF_FILE = "an ECMWF reanalysis (ERA5, ERA-Interim): netCDF or zarr with winds, temperature or humidity on a grid"
_GEOS_FILE = "GEOS-Chem's processed MERRA-2, GEOS-FP or GEOS-IT: netCDF such as MERRA2.20190701.A3dyn.4x5.nc4"


@dataclass(frozen=True)
class _Quantity:
    """Our name and unit for a provider's variable; `units` pairs what a file may say with (factor, offset) to ours."""

    name: str
    unit: str
    long_name: str
    units: tuple[tuple[str, float, float], ...] = ()


_SPEEDS = (
    *((text, 1.0, 0.0) for text in ("", "m/s", "ms-1", "ms**-1", "ms^-1", "m.s-1", "m/sec", "meters/second")),
    ("cm/s", 0.01, 0.0),
    ("km/h", 1 / 3.6, 0.0),
    ("knots", 1852 / 3600, 0.0),
)
_U = _Quantity("u_wind", "m s-1", "eastward wind", _SPEEDS)
_V = _Quantity("v_wind", "m s-1", "northward wind", _SPEEDS)
_T = _Quantity(
    "temperature", "K", "air temperature", (("degc", 1.0, 273.15), ("c", 1.0, 273.15), ("celsius", 1.0, 273.15))
)
_Q = _Quantity(
    "specific_humidity",
    "kg kg-1",
    "specific humidity",
    (("g/kg", 1e-3, 0.0), ("gkg-1", 1e-3, 0.0), ("grams/kg", 1e-3, 0.0)),
)
_W = _Quantity("omega", "Pa s-1", "vertical velocity in pressure, positive down")
_Z = _Quantity(
    "geopotential_height", "m", "geopotential height", (("m2s-2", 1 / 9.80665, 0.0), ("m**2s**-2", 1 / 9.80665, 0.0))
)
_HPA = (
    ("hpa", 100.0, 0.0),
    ("mb", 100.0, 0.0),
    ("mbar", 100.0, 0.0),
    ("millibar", 100.0, 0.0),
    ("millibars", 100.0, 0.0),
)
_PS = _Quantity("surface_pressure", "Pa", "pressure at the surface", _HPA)
_BLH = _Quantity("boundary_layer_height", "m", "height of the boundary layer")
_USTAR = _Quantity("friction_velocity", "m s-1", "friction velocity")
_T2M = _Quantity("temperature_2m", "K", "air temperature at 2 m", (("degc", 1.0, 273.15),))

_NCEP = {
    "uwnd": _U,
    "vwnd": _V,
    "air": _T,
    "shum": _Q,
    "omega": _W,
    "hgt": _Z,
    "pres": _PS,
    "pr_wtr": _Quantity("precipitable_water", "kg m-2", ""),
}
_ECMWF = {
    **{name: _U for name in ("u", "u_component_of_wind", "U")},
    **{name: _V for name in ("v", "v_component_of_wind", "V")},
    **{name: _T for name in ("t", "temperature", "T")},
    **{name: _Q for name in ("q", "specific_humidity", "Q")},
    **{name: _W for name in ("w", "vertical_velocity")},
    **{name: _Z for name in ("z", "geopotential")},
    **{name: _PS for name in ("sp", "surface_pressure")},
    **{name: _BLH for name in ("blh", "boundary_layer_height")},
    **{name: _USTAR for name in ("zust", "friction_velocity")},
    **{name: _T2M for name in ("t2m", "2m_temperature")},
    "sshf": _Quantity("sensible_heat", "J m-2", "surface sensible heat, accumulated, positive down"),
    "surface_sensible_heat_flux": _Quantity(
        "sensible_heat", "J m-2", "surface sensible heat, accumulated, positive down"
    ),
}
_GEOS = {
    "U": _U,
    "V": _V,
    "T": _T,
    "QV": _Q,
    "OMEGA": _W,
    "PS": _PS,
    "PBLH": _BLH,
    "USTAR": _USTAR,
    "T2M": _T2M,
    "HFLUX": _Quantity("sensible_heat_flux", "W m-2", "surface sensible heat flux, positive up"),
    "CMFMC": _Quantity("convective_mass_flux", "kg m-2 s-1", "upward convective mass flux at level edges"),
    "DTRAIN": _Quantity("convective_detrainment", "kg m-2 s-1", "detraining mass flux of deep convection"),
}


def _in_our_terms(grid: xr.Dataset, known: dict[str, _Quantity], path: Path) -> xr.Dataset:
    """Our names and units for the variables in `known`; others keep theirs, with names in lower case.

    A wind in a unit that is not known is refused: in another unit it could still look like a wind.
    """
    renamed = {}
    for name in grid.data_vars:
        array = grid[name]
        quantity = known.get(str(name))
        if quantity is None:
            renamed[slug(str(name)).replace("-", "_")] = array
            continue
        stated = re.sub(r"\s+", "", str(array.attrs.get("units", ""))).lower()
        if quantity.units is _SPEEDS and stated not in {unit for unit, _, _ in _SPEEDS}:
            raise FileProblem(
                path,
                expected=f"{name} in m s-1",
                found=f"units {str(array.attrs['units'])!r}",
                remedy="correct the units attribute or convert the values",
            )
        factor, offset = next(
            ((factor, offset) for unit, factor, offset in quantity.units if unit == stated), (1.0, 0.0)
        )
        converted = array if (factor, offset) == (1.0, 0.0) else array * np.float32(factor) + np.float32(offset)
        renamed[quantity.name] = converted.assign_attrs(
            {"units": quantity.unit, "long_name": quantity.long_name or quantity.name}
        )
    return grid.drop_vars(list(grid.data_vars)).assign(renamed)


def _pressure_levels(grid: xr.Dataset) -> xr.Dataset:
    if "lev" not in grid.dims:
        return grid
    units = str(grid["lev"].attrs.get("units", "hPa")).lower()
    levels = grid["lev"].to_numpy().astype(np.float64) * (0.01 if units in ("pa", "pascal") else 1.0)
    return grid.assign_coords(
        lev=("lev", levels, {"units": "hPa", "standard_name": "air_pressure", "positive": "down"})
    )


def _recognises_ncep(probe: Probe) -> bool:
    fields = [var for name, var in probe.variables.items() if len(var.shape) >= 3]
    return any(
        "NCEP" in str(var.attrs.get("dataset", "")) or var.name in ("uwnd", "vwnd", "shum", "hgt") for var in fields
    )


def read_ncep(path: Path) -> Product:
    """NCEP/NCAR Reanalysis 1 (four a day, daily or monthly means) as grid (time, lev, lat, lon); surface fields
    without lev.
    """
    dataset = open_dataset(path, expected=_NCEP_FILE)
    with reading(path, _NCEP_FILE):
        located, _ = locate(dataset, path, expected=_NCEP_FILE)
        present = [name for name in located.data_vars if name in _NCEP]
        if not present:
            raise FileProblem(path, expected=_NCEP_FILE, found="none of them on a grid", remedy="download it again")
        grid = _pressure_levels(
            _in_our_terms(to_grid(with_time(located[present], path, expected=_NCEP_FILE)), _NCEP, path)
        )
        step = _time_step(grid, f"{dataset.attrs.get('title', '')} {path.name}")
        return pack(
            "grid",
            grid,
            reader="ncep_r1",
            collection=f"ncep-r1-{step}",
            path=path,
            title=f"NCEP/NCAR Reanalysis 1, {step}",
            instrument="NCEP/NCAR Reanalysis 1",
            version="R1",
            catalog="ncep-r1",
        )


def _time_step(grid: xr.Dataset, text: str) -> str:
    """ "monthly", "daily", "6-hourly" ... from the spacing of the times; from the title or name where there is one
    time.
    """
    if grid.sizes["time"] > 1:
        hours = float(np.median(np.diff(grid["time"].to_numpy()) / np.timedelta64(1, "h")))
        return "monthly" if hours > 600 else "daily" if hours >= 24 else "hourly" if hours == 1 else f"{hours:g}-hourly"
    lower = text.lower()
    return (
        "monthly"
        if re.search(r"month|mon\.?_?mean", lower)
        else "daily"
        if "dai" in lower or "day" in lower
        else "6-hourly"
    )


def _recognises_ecmwf(probe: Probe) -> bool:
    fields = {name: var for name, var in probe.variables.items() if name in _ECMWF and len(var.shape) >= 3}
    if probe.container == "zarr":
        return bool({"u_component_of_wind", "temperature", "specific_humidity", "surface_pressure"} & set(fields))
    words = " ".join(
        str(var.attrs.get("long_name", "")) + str(var.attrs.get("standard_name", "")) for var in fields.values()
    ).lower()
    return any(
        word in words for word in ("component of wind", "eastward_wind", "geopotential", "vertical velocity")
    ) and bool(fields)


def read_ecmwf(path: Path) -> Product:
    """ERA5 (ARCO zarr or netCDF) or ERA-Interim as grid (time, lev, lat, lon).

    A climatology on a `month` axis is placed in the year 2000 and says so. Zarr stores stay lazy without dask, for they
    hold a million hours; what comes after the store's `valid_time_stop` is cut off, and geopotential is left out (its
    height would need all values).
    """
    store = path.is_dir()
    dataset = open_dataset(path, expected=_ECMWF_FILE, only=_wanted(lazily=store), dask=not store)
    with reading(path, _ECMWF_FILE):
        climatology = "month" in dataset.dims
        grid = _ecmwf_grid(dataset, path, climatology=climatology)
        interim = "interim" in str(dataset.attrs).lower() or "eraint" in path.name.lower()
        what = "ERA-Interim" if interim else "ERA5"
        step = "climatology" if climatology else _time_step(grid, path.name)
        return pack(
            "grid",
            grid,
            reader="ecmwf",
            collection=f"{slug(what)}-{step}",
            path=path,
            title=f"{what}, {step}",
            instrument=what,
            catalog="era-interim" if interim else "era5-arco",
            note="climatology by calendar month: the year 2000 stands for no year" if climatology else "",
        )


def _wanted(*, lazily: bool) -> tuple[str, ...]:
    return tuple(name for name in _ECMWF if not (lazily and name in ("z", "geopotential")))


def _ecmwf_grid(dataset: xr.Dataset, path: Path, *, climatology: bool) -> xr.Dataset:
    located, _ = locate(dataset, path, expected=_ECMWF_FILE)
    located = located[[name for name in located.data_vars if name in _ECMWF]]
    if not located.data_vars:
        raise FileProblem(path, expected=_ECMWF_FILE, found="none of them on a grid", remedy="download it again")
    if climatology:
        months = [month(np.datetime64(f"2000-{int(number):02d}")).middle for number in located["time"].to_numpy()]
        located = located.assign_coords(time=("time", np.array(months, dtype="datetime64[ns]")))
    elif "time" in located.dims:
        located = with_time(located, path, expected=_ECMWF_FILE)
        last = str(dataset.attrs.get("valid_time_stop", ""))[:10]
        if last:
            stop = np.datetime64(last, "ns") + np.timedelta64(1, "D")
            located = located.isel(time=slice(0, int(np.searchsorted(located["time"], stop))))
    else:
        located = with_time(located, path, expected=_ECMWF_FILE)
    return _pressure_levels(_in_our_terms(to_grid(located), _ECMWF, path))


def open_era5(store: str | os.PathLike[str]) -> xr.Dataset:
    """ERA5 in the ARCO layout from a local folder or a URL ("gs://..."), lazily, in canonical terms.

    Raises
    ------
    FileProblem : no such store, or no ERA5 in it.
    """
    address = os.fspath(store)
    path = Path(address)
    if "://" not in address:
        return read_ecmwf(path).dataset
    options = {"token": "anon"} if address.startswith(("gs://", "gcs://")) else {}
    try:
        dataset = xr.open_zarr(address, chunks=None, storage_options=options)
    except Exception as error:  # clouds, codecs and stores raise many kinds
        raise FileProblem(
            path,
            expected=_ECMWF_FILE,
            found=(str(error).splitlines() or [type(error).__name__])[0],
            remedy="check the address and the connection",
        ) from error
    wanted = [name for name in dataset.data_vars if name in _wanted(lazily=True)]
    with reading(path, _ECMWF_FILE):
        return _ecmwf_grid(dataset[wanted], path, climatology=False)


_GEOS_NAME = re.compile(
    r"(?i)^(MERRA2|GEOSFP|GEOSIT|GEOS[-_.]?(?:FP|IT))[._](\d{8})\.?(A1|A3cld|A3dyn|A3mstC|A3mstE|A3|I3|I6|CN)?[._](\w+)"
)
_GEOS_MARKERS = ({"CMFMC"}, {"DTRAIN"}, {"PBLH", "USTAR"}, {"OMEGA", "U", "V"}, {"PS", "QV", "T"})


def _recognises_geos(probe: Probe) -> bool:
    if probe.container not in ("hdf5", "netcdf3"):
        return False
    return bool(_GEOS_NAME.match(probe.name)) or any(markers <= set(probe.variables) for markers in _GEOS_MARKERS)


def read_geos(path: Path) -> Product:
    """One file of GEOS-Chem's processed meteorology as grid (time, lev, lat, lon).

    `lev` counts model levels from the surface; fields on level edges (convective mass flux) have `ilev` in its place.
    Lazy where large.
    """
    dataset = open_dataset(path, expected=_GEOS_FILE)
    with reading(path, _GEOS_FILE):
        located, _ = locate(dataset, path, expected=_GEOS_FILE)
        timed = with_time(located, path, expected=_GEOS_FILE)
        edges = [name for name, var in timed.data_vars.items() if "ilev" in var.dims]
        grid = to_grid(timed, extra=("ilev",))
        for name in edges:
            grid[name] = grid[name].transpose("time", "ilev", "lat", "lon")
        grid = _in_our_terms(grid, _GEOS, path)
        if "surface_pressure" in grid:
            ps = grid["surface_pressure"]  # GEOS-Chem's files have it in hPa, whatever the attribute says
            if float(ps.isel(time=0).max()) < 2000.0:
                grid["surface_pressure"] = (ps * np.float32(100.0)).assign_attrs(ps.attrs)
        match = _GEOS_NAME.match(path.name)
        model = match.group(1).upper() if match else "MERRA2"
        stream = (match.group(3) or "") if match else ""
        cells = f"{180 / max(grid.sizes['lat'] - 1, 1):g}x{360 / grid.sizes['lon']:g}"
        return pack(
            "grid",
            grid,
            reader="geos_chem_meteorology",
            collection=slug("-".join(part for part in (model, stream, cells) if part)),
            path=path,
            title=f"{model} processed for GEOS-Chem, {stream or 'fields'}, {cells} degrees",
            instrument=model,
            catalog="merra2-geoschem",
        )


READERS = [
    Reader("ncep_r1", "grid", _NCEP_FILE, _recognises_ncep, read_ncep),
    Reader("geos_chem_meteorology", "grid", _GEOS_FILE, _recognises_geos, read_geos),
    Reader("ecmwf", "grid", _ECMWF_FILE, _recognises_ecmwf, read_ecmwf),
]
