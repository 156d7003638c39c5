"""Maps of emissions and of what they are spread by: CDIAC, ODIAC, GRACED, population (tables:
`data.readers.emission_tables`).

Maps carry the mass that the provider gives (`fossil_emission`) and the flux it amounts to in mol m-2 s-1 upward under
CarbonTracker's name `fossil_flux_imp`, so that all emission maps can be compared. Sources: CDIAC doi
10.3334/CDIAC/ffe.ndp058.2016; ODIAC doi 10.17595/20170411.001; GRACED doi 10.5281/zenodo.6989134; GFED4.1s doi
10.5194/essd-9-697-2017; SEDAC GPW v4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product, canonical_grid
from data.errors import FileProblem
from data.readers import Reader
from data.readers.emission_tables import READERS as TABLE_READERS
from data.readers.grid_axes import locate, to_grid, with_time
from data.readers.opening import open_dataset, pack, reading
from data.readers.periods import Period, month, period_of, slug, year
from data.readers.probe import Probe
from data.readers.rasters import open_raster
from data.readers.times import decode_times

GRAMS_PER_MOLE_C = 12.011
EARTH_RADIUS_M = 6_371_007.2
"""Radius of the sphere with the Earth's area."""

_CDIAC_FILE = "a CDIAC gridcar file: 64,800 numbers, north to south from 180 W, Tg C per 1-degree cell and year"
_ODIAC_MAP = "an ODIAC map: GeoTIFF odiacYYYY_1km_excl_intl_YYMM.tif in tonnes C per cell and month"
_ODIAC_GRID = "an ODIAC netCDF file: land and intl_bunker in gC m-2 d-1"
_GRACED_FILE = "a GRACED file: netCDF of emissions on 0.1 degrees in kg C per hour and cell"
_GRACED_SECTORS = {
    "power": r"power",
    "industry": r"industry",
    "residential": r"residential",
    "ground_transport": r"ground[\s_-]*transport",
    "international_aviation": r"international[\s_-]*aviation",
    "domestic_aviation": r"domestic[\s_-]*aviation",
    "international_shipping": r"(?:international[\s_-]*)?shipping",
}
"""Names of sectors and how GRACED's file names give them."""
_GFED_FILE = "a GFED4.1s file: HDF5 with emissions/01/C to emissions/12/C in gC m-2 month-1"
_POPULATION = "a GPW population count: ESRI ASCII grid or GeoTIFF named gpw_v4_population_count_..._2020_..."


def cell_area_m2(grid: xr.Dataset) -> xr.DataArray:
    """Area of the cells of a canonical grid on the sphere of equal area: (lat,), m2; cells of one row are equal."""
    edges = np.sin(np.radians(grid["lat_bnds"].to_numpy()))
    width = np.radians(np.mean(np.diff(grid["lon_bnds"].to_numpy(), axis=1)))  # single ones are rounded to 1e-6 degree
    return xr.DataArray(EARTH_RADIUS_M**2 * width * (edges[:, 1] - edges[:, 0]), dims="lat", attrs={"units": "m2"})


def _with_flux(grid: xr.Dataset, units: str, grams_per_second: float, note: str) -> xr.Dataset:
    """Add `fossil_flux_imp` to `fossil_emission`; `grams_per_second` of carbon is what one unit of a cell's mass
    amounts to.
    """
    mass = grid["fossil_emission"]
    flux = mass * (grams_per_second / GRAMS_PER_MOLE_C / cell_area_m2(grid)).astype(mass.dtype)
    return grid.assign(
        fossil_emission=mass.assign_attrs(units=units, long_name=f"fossil CO2 emissions, {note}"),
        fossil_flux_imp=flux.transpose(*mass.dims).assign_attrs(
            units="mol m-2 s-1", long_name="fossil fuel emissions, prescribed"
        ),
    )


def _recognises_cdiac(probe: Probe) -> bool:
    if probe.container != "text" or not probe.lines:
        return False
    numbers = [line for line in probe.lines if re.fullmatch(r"\s*[-+]?\d+\.\d+E[-+]\d+\s*", line)]
    return bool(re.match(r"(?i)^gridcar\.\d{4}", probe.name)) or (len(numbers) == len(probe.lines) > 10)


def read_cdiac(path: Path) -> Product:
    """Fossil CO2 of one year as grid (time 1, lat 180, lon 360): Tg C per cell and year, and the flux."""
    match = re.search(r"\.(\d{4})(?:\D|$)", path.name)
    if match is None:
        raise FileProblem(
            path, expected=_CDIAC_FILE, found="no year in its name", remedy="name it gridcar.YYYY as CDIAC does"
        )
    period = year(int(match.group(1)))
    with reading(path, _CDIAC_FILE):
        numbers = np.loadtxt(path, dtype=np.float64).ravel()
    if numbers.size != 180 * 360:
        raise FileProblem(path, expected=_CDIAC_FILE, found=f"{numbers.size:,} numbers", remedy="download it again")
    if not np.isfinite(numbers).all() or numbers.min() < 0:
        raise FileProblem(path, expected=_CDIAC_FILE, found="negative or missing emissions", remedy="download it again")
    coords = {"time": [period.middle], "lat": 89.5 - np.arange(180.0), "lon": -179.5 + np.arange(360.0)}
    cells = xr.DataArray(
        numbers.reshape(1, 180, 360), dims=("time", "lat", "lon"), coords=coords, name="fossil_emission"
    )
    return pack(
        "grid",
        _with_flux(canonical_grid(cells.to_dataset()), "Tg yr-1", 1e12 / period.seconds, "carbon in each cell"),
        reader="cdiac",
        collection="cdiac-gridcar",
        path=path,
        title="CDIAC fossil fuel CO2 emissions, 1 degree, yearly",
        instrument="CDIAC",
        version="2016",
        catalog="cdiac",
    )


def _recognises_odiac_map(probe: Probe) -> bool:
    return bool(re.match(r"(?i)^odiac.*\.tiff?(?:\.gz)?$", probe.name))


def _odiac_period(path: Path) -> Period | None:
    match = re.search(r"(?i)_(\d{2})(0[1-9]|1[0-2])\.tiff?", path.name)  # two-digit year: 0001 is January 2000
    return month(np.datetime64(f"20{match.group(1)}-{match.group(2)}")) if match else period_of(path)


def read_odiac_map(path: Path) -> Product:
    """One month of ODIAC at 1 km as grid (time 1, lat, lon): tonnes C per cell and month, and the flux. Lazy."""
    period = _odiac_period(path)
    if period is None:
        raise FileProblem(
            path, expected=_ODIAC_MAP, found="no month in its name", remedy="keep ODIAC's file name (..._1907.tif)"
        )
    mass = open_raster(path, "fossil_emission", period, expected=_ODIAC_MAP)
    version = re.search(r"(?i)odiac(\d{4}[a-z]?)", path.name)
    return pack(
        "grid",
        _with_flux(mass, "t month-1", 1e6 / period.seconds, "carbon in each cell, without shipping and aviation"),
        reader="odiac",
        collection=f"odiac{version.group(1) if version else ''}-1km",
        path=path,
        title="ODIAC fossil fuel CO2 emissions, 1 km, monthly",
        instrument="ODIAC",
        version=version.group(1) if version else "unknown",
        catalog="odiac",
        citation=_odiac_citation(version),
    )


def _odiac_citation(version: re.Match[str] | None) -> str:
    """How to cite this release; '' (then the catalogue's word holds) where the file's name does not give it."""
    if version is None:
        return ""
    return (
        f"Oda, T. and Maksyutov, S. (2015). ODIAC Fossil Fuel CO2 Emissions Dataset (ODIAC{version.group(1)}). Center for "
        "Global Environmental Research, National Institute for Environmental Studies, doi:10.17595/20170411.001."
    )


def _recognises_odiac_grid(probe: Probe) -> bool:
    return probe.has("land") and (probe.has("intl_bunker") or "odiac" in probe.name.lower())


def _odiac_months(located: xr.Dataset, path: Path) -> xr.Dataset:
    """Dates for months that are only numbered 1 to 12: the year ends the file's name, after that of the release."""
    named = re.search(r"(?:^|[-_.])((?:19|20)\d{2})\.nc4?$", path.name)
    if located.sizes.get("time") != 12 or named is None or decode_times(located["time"], None) is not None:
        return located
    return located.assign_coords(time=("time", year(int(named.group(1))).months))


def read_odiac_grid(path: Path) -> Product:
    """ODIAC on 1 degree as grid (time 12, lat, lon): flux over land and of international transport, mol m-2 s-1."""
    dataset = open_dataset(path, expected=_ODIAC_GRID)
    with reading(path, _ODIAC_GRID):
        located, _ = locate(dataset, path, expected=_ODIAC_GRID)
        grid = to_grid(with_time(_odiac_months(located, path), path, expected=_ODIAC_GRID))
        names = {"land": "fossil_flux_imp", "intl_bunker": "bunker_flux_imp"}
        grid = grid[[name for name in names if name in grid]].rename(
            {old: new for old, new in names.items() if old in grid}
        )
        per_mole = 1.0 / GRAMS_PER_MOLE_C / 86400.0
        for name in grid.data_vars:
            units = str(grid[name].attrs.get("units", "gC/m2/d")).lower().replace(" ", "")
            if not re.match(r"g(?:c|carbon)?(?:/m\^?2/d|\.?m-2\.?d)", units):
                raise FileProblem(path, expected=_ODIAC_GRID, found=f"units {units!r}", remedy="take ODIAC's own file")
            grid[name] = (grid[name] * per_mole).assign_attrs(
                units="mol m-2 s-1", long_name=f"{str(name).split('_')[0]} emissions, prescribed"
            )
        version = re.search(r"(?i)odiac(\d{4}[a-z]?)", path.name)
        return pack(
            "grid",
            grid,
            reader="odiac_netcdf",
            collection=f"odiac{version.group(1) if version else ''}-1deg",
            path=path,
            title="ODIAC fossil fuel CO2 emissions, 1 degree, monthly",
            instrument="ODIAC",
            version=version.group(1) if version else "unknown",
            catalog="odiac",
            citation=_odiac_citation(version),
        )


def _graced_units(attrs: Mapping[str, object]) -> bool:
    return bool(re.search(r"(?i)kg\s*c(?:arbon)?\s*(?:/\s*h|h-1|per\s*h)", str(attrs.get("units", ""))))


def _recognises_graced(probe: Probe) -> bool:
    named = re.search(r"(?i)graced|carbon[-_ ]?monitor", probe.name) is not None
    return any(len(var.shape) >= 2 and (_graced_units(var.attrs) or named) for var in probe.variables.values())


def _graced_sector(name: str) -> str:
    """'power' of 'CarbonMonitor_1_Power_y2019_m06.nc', 'ground_transport' of one with 'GroundTransportation'; '' for totals."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    found = next((sector for sector, pattern in _GRACED_SECTORS.items() if re.search(pattern, words)), "")
    return found


def read_graced(path: Path) -> Product:
    """GRACED as grid (time, lat, lon) for each sector in the file, as flux in mol m-2 s-1. Lazy where large.

    The provider's variables are in kg C per hour and cell. Files of one sector call theirs `emission` and name the sector
    in the file's name ("CarbonMonitor_1_Power_y2019_m06.nc"); names of sectors are kept, as `<sector>_flux_imp`.
    """
    dataset = open_dataset(path, expected=_GRACED_FILE)
    with reading(path, _GRACED_FILE):
        located, _ = locate(dataset, path, expected=_GRACED_FILE)
        grid = to_grid(with_time(located, path, expected=_GRACED_FILE))
        area = cell_area_m2(grid)
        factor = 1e3 / 3600.0 / GRAMS_PER_MOLE_C
        sectors = {}
        for name in grid.data_vars:
            if "units" in grid[name].attrs and not _graced_units(grid[name].attrs):
                raise FileProblem(
                    path,
                    expected=_GRACED_FILE,
                    found=f"{name} in {grid[name].attrs['units']!r}",
                    remedy="take GRACED's own file",
                )
            sector = slug(str(name)).replace("-", "_")
            if sector in ("emission", "emissions", "co2", "total", "value"):
                sector = _graced_sector(path.name)
            generic = sector == ""
            flux = (grid[name] * factor / area).transpose(*grid[name].dims)
            sectors["fossil_flux_imp" if generic else f"{sector}_flux_imp"] = flux.assign_attrs(
                units="mol m-2 s-1",
                long_name="fossil fuel and cement emissions" if generic else f"emissions of {sector.replace('_', ' ')}",
            )
        return pack(
            "grid",
            grid.drop_vars(list(grid.data_vars)).assign(sectors),
            reader="graced",
            collection="graced",
            path=path,
            title="GRACED (Carbon Monitor) fossil CO2 emissions, 0.1 degree, daily",
            instrument="GRACED",
            catalog="graced",
        )


def _recognises_population(probe: Probe) -> bool:
    ascii_grid = bool(probe.lines) and bool(re.match(r"(?i)^ncols\s+\d+", probe.lines[0]))
    return ascii_grid or bool(re.match(r"(?i)^gpw.*\.tiff?$", probe.name))


def read_population(path: Path) -> Product:
    """Persons per cell as grid (time 1, lat, lon). An ASCII grid of another quantity keeps its own name and has no
    unit.
    """
    period = period_of(path)
    if period is None:
        raise FileProblem(
            path, expected=_POPULATION, found="no year in its name", remedy="put the year in its name, as SEDAC does"
        )
    population = "population" in path.name.lower() or path.name.lower().startswith("gpw")
    density = "density" in path.name.lower()
    name = (
        ("population_density" if density else "population")
        if population
        else slug(path.stem).replace("-", "_").replace(".", "_")
    )
    cells = open_raster(path, name, period, expected=_POPULATION)
    cells[name].attrs = {
        "units": ("km-2" if density else "1") if population else "unknown",
        "long_name": "persons" if population else name,
    }
    return pack(
        "grid",
        cells,
        reader="population",
        collection=f"gpw-{name.replace('_', '-')}" if population else slug(path.stem),
        path=path,
        title="Gridded Population of the World" if population else path.stem,
        instrument="SEDAC" if population else "unknown",
        version="v4" if population else "unknown",
        catalog="gpw-population" if population else "none",
    )


def _recognises_gfed(probe: Probe) -> bool:
    return any(re.fullmatch(r"emissions/\d{2}/C", name) for name in probe.variables)


def read_gfed(path: Path) -> Product:
    """Fire emissions of one year of GFED4.1s as grid (time 12, lat, lon): `fire_flux_imp` in mol m-2 s-1."""
    months = sorted(name.split("/")[1] for name in Probe.of(path).variables if re.fullmatch(r"emissions/\d{2}/C", name))
    period = period_of(path)
    if period is None:
        raise FileProblem(
            path, expected=_GFED_FILE, found="no year in its name", remedy="keep GFED's file name (GFED4.1s_2015.hdf5)"
        )
    with reading(path, _GFED_FILE):
        axes = open_dataset(path, expected=_GFED_FILE)
        first = str(period.start)[:4]
        steps, times = [], []
        for number in months:
            carbon = open_dataset(path, expected=_GFED_FILE, group=f"emissions/{number}")["C"].to_numpy()
            span = month(np.datetime64(f"{first}-{number}"))
            steps.append(carbon.astype(np.float32) * np.float32(1.0 / GRAMS_PER_MOLE_C / span.seconds))
            times.append(span.middle)
        fluxes = xr.Dataset({"fire_flux_imp": (("time", "row", "column"), np.stack(steps))}, {"time": times})
        coordinates = {name: (("row", "column"), axes[name].to_numpy()) for name in ("lat", "lon") if name in axes}
        located, _ = locate(fluxes.assign(coordinates), path, expected=_GFED_FILE)
        grid = to_grid(located.assign_coords(time=times))
        grid["fire_flux_imp"].attrs = {"units": "mol m-2 s-1", "long_name": "fire emissions, prescribed"}
        return pack(
            "grid",
            grid,
            reader="gfed",
            collection="gfed4.1s-fluxes",
            path=path,
            title="GFED4.1s fire emissions, 0.25 degree, monthly",
            instrument="GFED",
            version="4.1s",
            catalog="gfed",
        )


READERS = [
    Reader("cdiac", "grid", _CDIAC_FILE, _recognises_cdiac, read_cdiac),
    Reader("odiac", "grid", _ODIAC_MAP, _recognises_odiac_map, read_odiac_map),
    Reader("odiac_netcdf", "grid", _ODIAC_GRID, _recognises_odiac_grid, read_odiac_grid),
    Reader("graced", "grid", _GRACED_FILE, _recognises_graced, read_graced),
    Reader("population", "grid", _POPULATION, _recognises_population, read_population),
    Reader("gfed", "grid", _GFED_FILE, _recognises_gfed, read_gfed),
    *TABLE_READERS,
]
