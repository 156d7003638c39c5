"""Data on screen as files that cite themselves: maps as netCDF and GeoTIFF, series as CSV and netCDF.

Pictures are in `dashboard.picture` (the map as on screen) and `dashboard.still` (for presentations). Every function
returns the bytes of a whole file; nothing touches the disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dashboard.picture import map_png
from dashboard.provenance import SIMULATED_NOTE, Provenance, one_line, safe_filename
from data.canonical import cell_bounds
from data.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

    from analysis.statistics.trends import SeriesFit

__all__ = [
    "ExportProblem",
    "Provenance",
    "map_geotiff",
    "map_netcdf",
    "map_png",
    "safe_filename",
    "series_csv",
    "series_netcdf",
]

CF_CONVENTIONS = "CF-1.11"
XCO2_STANDARD_NAME = "dry_atmosphere_mole_fraction_of_carbon_dioxide"

_FORMULA = re.compile(r"(^|[,;\t|\"]\s*)(?=[=+@]|-\D)")
"""Where a spreadsheet would begin a cell with a formula."""


class ExportProblem(DataError):
    """What is on screen cannot become the file that was asked for; `str(error)` is the sentence to show."""


def map_netcdf(field: xr.DataArray, provenance: Provenance) -> bytes:
    """A map as netCDF-4 after the CF conventions, with cell bounds.

    Parameters
    ----------
    field : dims (lat, lon) or (time, lat, lon), values in its own units (``attrs["units"]``); ``attrs["scale"]``
        (X2007, X2019) is kept.
    provenance : becomes the global attributes; simulated data have ``simulated = 1`` in the file and in the variable.

    Raises
    ------
    ExportProblem : other dimensions.
    """
    field = _checked(field)
    name = re.sub(r"\W+", "_", str(field.name or "value"), flags=re.ASCII).strip("_") or "value"
    attributes = {**field.attrs, "simulated": np.int8(provenance.simulated)}
    attributes.setdefault("long_name", name)
    if name == "xco2":
        attributes.setdefault("standard_name", XCO2_STANDARD_NAME)
    if provenance.simulated:
        attributes["comment"] = SIMULATED_NOTE
    dataset = field.assign_attrs(attributes).reset_coords(drop=True).to_dataset(name=name)
    lat, lon = dataset["lat"].to_numpy().astype(np.float64), dataset["lon"].to_numpy().astype(np.float64)
    dataset = dataset.assign_coords(
        lat=("lat", lat, {"standard_name": "latitude", "units": "degrees_north", "axis": "Y", "bounds": "lat_bnds"}),
        lon=("lon", lon, {"standard_name": "longitude", "units": "degrees_east", "axis": "X", "bounds": "lon_bnds"}),
    )
    dataset["lat_bnds"] = (("lat", "bnds"), cell_bounds(lat, limit=(-90.0, 90.0)))
    dataset["lon_bnds"] = (("lon", "bnds"), cell_bounds(lon))
    if "time" in field.coords and np.issubdtype(field["time"].dtype, np.datetime64):
        time_dims = ("time",) if "time" in field.dims else ()
        described = {"standard_name": "time", "axis": "T"}
        dataset = dataset.assign_coords(time=(time_dims, field["time"].to_numpy(), described))
    dataset.attrs = _global_attributes(provenance)
    if "scale" in field.attrs:
        dataset.attrs["scale"] = field.attrs["scale"]
    return _netcdf_bytes(dataset)


def map_geotiff(field: xr.DataArray, provenance: Provenance) -> bytes:
    """A map as GeoTIFF: EPSG:4326, float32, north up, NaN is "no data", citation and provenance as tags.

    Parameters
    ----------
    field : dims (lat, lon) with evenly spaced cell centres.
    provenance : becomes the tags.

    Raises
    ------
    ExportProblem : other dimensions, or cells that are not evenly spaced.
    """
    import rasterio
    from rasterio.io import MemoryFile
    from rasterio.transform import from_origin

    field = _checked(field)
    if field.dims != ("lat", "lon"):
        raise ExportProblem(f"a GeoTIFF holds one map, found dimensions {field.dims}; choose one time step.")
    west, dlon = _even(field["lon"].to_numpy(), "longitudes")
    south, dlat = _even(field["lat"].to_numpy(), "latitudes")
    values = np.ascontiguousarray(field.to_numpy()[::-1], dtype=np.float32)
    entries = provenance.entries()
    tags = {name.upper(): text for name, text in entries.items()}
    tags |= {
        "TIFFTAG_IMAGEDESCRIPTION": entries.get("title", ""),
        "TIFFTAG_SOFTWARE": provenance.program,
        "TIFFTAG_COPYRIGHT": "; ".join(entries[key] for key in ("citation", "licence") if key in entries),
        "SIMULATED": str(int(provenance.simulated)),
        "SCALE": str(field.attrs.get("scale", "unknown")),
        "AREA_OR_POINT": "Area",
    }
    if "time" in field.coords and field["time"].ndim == 0:
        tags["TIME"] = str(field["time"].to_numpy().astype("datetime64[s]"))
    profile = {
        "driver": "GTiff",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:4326",
        "transform": from_origin(west, south + dlat * values.shape[0], dlon, dlat),
        "nodata": float("nan"),
        "compress": "deflate",
        "predictor": 3,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }
    with rasterio.Env(GDAL_PAM_ENABLED=False), MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(values, 1)
            target.update_tags(**tags)
            target.set_band_description(1, one_line(field.attrs.get("long_name", field.name or "value"), 200))
            target.units = (one_line(field.attrs.get("units", ""), 80),)
        return bytes(memory.read())


def series_csv(
    times: np.ndarray,
    values: np.ndarray,
    provenance: Provenance,
    *,
    name: str = "xco2",
    units: str = "ppm",
    fit: SeriesFit | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
) -> bytes:
    """A series as CSV with provenance in comment lines; `pandas.read_csv(file, comment="#")` reads it.

    Parameters
    ----------
    times : (n,) datetime64, UTC.
    values : (n,) in `units`, NaN where missing (an empty field in the file).
    provenance : becomes the comment lines.
    name, units : of the values; the name is the column's.
    fit : its curves become the columns ``fitted, trend, seasonal, residual``, its growth rate comment lines.
    columns : further columns (n,) by name ("std", "coverage").

    Returns
    -------
    UTF-8 text, in order of time, rows without a time left out. No cell begins with a character that makes a
    spreadsheet compute.
    """
    times = np.asarray(times).astype("datetime64[ns]")
    order = _order(times)
    table: dict[str, np.ndarray] = {_column(name): np.asarray(values)[order]}
    for other, column in (columns or {}).items():
        table[_column(other)] = np.asarray(column)[order]
    head = [f"{key}: {text}" for key, text in provenance.entries().items()]
    head.append(f"units of {_column(name)}: {one_line(units, 80)}; times are UTC")
    if fit is not None:
        table |= {part: getattr(fit, part) for part in ("fitted", "trend", "seasonal", "residual")}
        head += _growth_lines(fit, one_line(units, 80))
    lines = [f"# {_FORMULA.sub(_quoted, line)}" for line in head]
    lines.append(",".join(["time", *table]))
    stamps = _iso(times[order])
    for index, stamp in enumerate(stamps):
        lines.append(",".join([stamp, *(_number(column[index]) for column in table.values())]))
    return ("\n".join(lines) + "\n").encode("utf-8")


def series_netcdf(
    times: np.ndarray,
    values: np.ndarray,
    provenance: Provenance,
    *,
    name: str = "xco2",
    units: str = "ppm",
    fit: SeriesFit | None = None,
) -> bytes:
    """A series as netCDF-4 (CF): variable `name` on ``time`` and the fit's curves; arguments as in `series_csv`."""
    import xarray as xr

    times = np.asarray(times).astype("datetime64[ns]")
    order = _order(times)
    described = {"units": units, "simulated": np.int8(provenance.simulated)}
    variables = {_column(name): ("time", np.asarray(values, dtype=np.float64)[order], described)}
    attributes = _global_attributes(provenance)
    if fit is not None:
        for part in ("fitted", "trend", "seasonal", "residual"):
            named = {**described, "long_name": f"{part} part of {_column(name)}"}
            variables[part] = ("time", getattr(fit, part), named)
        attributes["growth_rate"] = fit.growth_ppm_per_year
        attributes["growth_rate_standard_error"] = fit.growth_standard_error
        attributes["growth_rate_units"] = f"{units} year-1"
        attributes["fit_method"] = fit.method
    time = ("time", times[order], {"standard_name": "time", "axis": "T"})
    return _netcdf_bytes(xr.Dataset(variables, coords={"time": time}, attrs=attributes))


def _order(times: np.ndarray) -> np.ndarray:
    """Positions of the known times, ascending: the order of a `SeriesFit`."""
    order = np.argsort(times, kind="stable")
    return order[~np.isnat(times[order])]


def _checked(field: xr.DataArray) -> xr.DataArray:
    """The field with latitudes ascending, if it is a map on a longitude-latitude grid."""
    if field.dims not in (("lat", "lon"), ("time", "lat", "lon")) or 0 in field.shape:
        raise ExportProblem(f"expected a map with dimensions lat and lon, found {dict(field.sizes)}; choose a map.")
    return field.sortby("lat") if field["lat"].size > 1 and field["lat"][0] > field["lat"][-1] else field


def _even(centres: np.ndarray, what: str) -> tuple[float, float]:
    """Lower edge and step of evenly spaced ascending centres."""
    edges = cell_bounds(centres)
    step = float(edges[-1, 1] - edges[0, 0]) / len(edges)
    if step <= 0 or np.abs(np.diff(edges[:, 0]) - step).max(initial=0.0) > 0.01 * step:
        raise ExportProblem(f"a GeoTIFF needs evenly spaced {what}, this grid's are not; export netCDF instead.")
    return float(edges[0, 0]), step


def _global_attributes(provenance: Provenance) -> dict[str, object]:
    entries = provenance.entries()
    renamed = {"licence": "license", "citation": "references", "address": "view_address", "created": "date_created"}
    attributes: dict[str, object] = {"Conventions": CF_CONVENTIONS}
    attributes |= {renamed.get(name, name): text for name, text in entries.items()}
    attributes["history"] = f"{provenance.created}: exported by {provenance.program}"
    attributes["simulated"] = np.int8(provenance.simulated)
    return attributes


def _netcdf_bytes(dataset: xr.Dataset) -> bytes:
    encoding: dict[str, dict[str, object]] = {}
    for name, variable in dataset.data_vars.items():
        if str(name).endswith("_bnds"):
            encoding[str(name)] = {"_FillValue": None}
        elif variable.ndim and variable.dtype.kind == "f":
            dtype = "float32" if variable.ndim > 1 else "float64"
            encoding[str(name)] = {"dtype": dtype, "zlib": True, "complevel": 4, "shuffle": True, "_FillValue": np.nan}
    for name in dataset.coords:
        encoding[str(name)] = {"_FillValue": None}
        if name == "time":
            encoding["time"] |= {"units": "days since 1970-01-01", "calendar": "standard", "dtype": "float64"}
    return bytes(dataset.to_netcdf(engine="h5netcdf", encoding=encoding))


def _growth_lines(fit: SeriesFit, units: str) -> list[str]:
    lines = [
        f"growth: {fit.growth_ppm_per_year:.3f} ± {fit.growth_standard_error:.3f} {units} per year (standard error)",
        f"fit: {fit.method}",
    ]
    if fit.month_of_maximum is not None:
        lines.append(f"seasonal amplitude: {fit.amplitude:.2f} {units}, maximum in month {fit.month_of_maximum}")
    if fit.growth_by_year:
        by_year = " ".join(f"{year}: {rate:.2f}" for year, rate in fit.growth_by_year.items())
        lines.append(f"growth by year in {units}: {by_year}")
    return lines


def _quoted(match: re.Match[str]) -> str:
    return f"{match.group(1)}'"


def _column(name: str) -> str:
    """A column's name without anything that ends a cell, starts a comment or a formula."""
    return re.sub(r"[^\w]+", "_", one_line(name, 60)).strip("_") or "value"


def _iso(times: np.ndarray) -> list[str]:
    """Dates where every time is midnight, else dates with times to the second."""
    unit = "D" if (times == times.astype("datetime64[D]")).all() else "s"
    return [str(moment) for moment in times.astype(f"datetime64[{unit}]")]


def _number(value: float) -> str:
    return f"{value:.7g}" if np.isfinite(value) else ""
