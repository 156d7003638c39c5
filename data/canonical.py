"""The few shapes that all data take once read, so that everything after the readers is the same for every product.

A reader returns a `Product`: an `xarray.Dataset` of one of the kinds below and the facts that travel with it.

* ``soundings``: dimension ``sounding``. Always ``time`` (datetime64[ns], UTC), ``lat``, ``lon`` (degrees, -180..180),
  ``sounding_id`` (int64, unique in the file), ``quality_flag`` (int8: 0 good, 1 bad, -1 not supplied). For XCO2
  products ``xco2`` and ``xco2_uncertainty`` (ppm), and where the product has them ``xco2_prior`` (ppm),
  ``surface_type`` (int8: 0 ocean, 1 land, -1 unknown), ``mode`` (int8: 0 nadir, 1 glint, 2 target, 3 transition,
  4 snapshot area, -1 unknown), ``footprint``, and on ``(sounding, level)`` with the top of the atmosphere first
  ``averaging_kernel``, ``pressure_weight``, ``co2_prior`` (ppm), ``pressure`` (hPa). Other quantities keep plain names
  with units (``sif_740nm``, ``co2_midtroposphere``).
* ``grid``: dimensions ``time, lat, lon`` (``lev`` between time and lat where vertical), latitude ascending, longitude
  in -180..180 ascending, cell centres with ``lat_bnds`` and ``lon_bnds``. ``xco2`` in ppm; fluxes in mol m-2 s-1 upward
  with CarbonTracker's names. A map without time gets one time step: the middle of the period it stands for.
* ``sites``: dimension ``observation`` (one row per site and time) with ``time``, ``site`` (str), ``lat``, ``lon``, and
  ``altitude_m`` where known, ``xco2`` or ``co2`` in ppm, ``xco2_uncertainty``.
* ``table``: dimension ``row``, anything else in columns (power plants, emissions by country and day, growth rates).
* ``regions``: dimensions ``lat, lon``, integer masks with their names.
* ``section``: dimensions ``time, lat``, zonal quantities.
* ``volume``: dimensions ``time, lev, lat, lon`` (level 1 at the surface) and ``edge`` (the levels' boundaries, one more):
  ``co2`` and its parts ``co2_bg, co2_bio, co2_ocean, co2_fossil, co2_fire`` in ppm on levels, ``pressure_edge`` (hPa) and
  ``height_edge`` (m) on boundaries, and where known ``temperature`` (K), ``specific_humidity``, ``orography`` (m).

Attributes of each dataset: ``title``, ``instrument``, ``version``, ``scale`` ("X2007", "X2019" or "unknown"),
``catalog`` (name of the catalogue entry), ``source_file``, and ``simulated`` (1 where it comes from the simulated
world, else 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

Kind = Literal["soundings", "grid", "sites", "table", "regions", "section", "volume"]

COUNT_DIMENSION: dict[str, str] = {
    "soundings": "sounding",
    "grid": "time",
    "sites": "observation",
    "table": "row",
    "regions": "lat",
    "section": "time",
    "volume": "time",
}


@dataclass(frozen=True)
class Product:
    """One file, read.

    Attributes
    ----------
    kind : which of the canonical shapes `dataset` has.
    dataset : the data; lazy where the file is large.
    reader : name of the reader that made it.
    collection : slug of the collection that the file belongs to ("gosat-l3-v03.05"); files of one collection end up in
        one cube, one part of the archive or one table.
    path : the file.
    """

    kind: Kind
    dataset: xr.Dataset
    reader: str
    collection: str
    path: Path

    @property
    def count(self) -> int:
        """Soundings, time steps, observations or rows."""
        return int(self.dataset.sizes.get(COUNT_DIMENSION[self.kind], 0))

    @property
    def span(self) -> tuple[np.datetime64 | None, np.datetime64 | None]:
        """First and last time, or (None, None) for data without time."""
        if "time" not in self.dataset or self.dataset["time"].size == 0:
            return None, None
        times = self.dataset["time"].to_numpy().astype("datetime64[ns]")
        times = times[~np.isnat(times)]
        return (times.min(), times.max()) if times.size else (None, None)


def cell_bounds(centres: np.ndarray, *, limit: tuple[float, float] | None = None) -> np.ndarray:
    """Edges of cells halfway between their centres.

    Parameters
    ----------
    centres : (n,) ascending cell centres in degrees; n >= 2, or 1 (then a cell of one degree is assumed).
    limit : edges are kept inside these values (latitude: (-90, 90)).

    Returns
    -------
    (n, 2) lower and upper edge of each cell.
    """
    centres = np.asarray(centres, dtype=np.float64)
    if centres.size == 1:
        edges = np.array([centres[0] - 0.5, centres[0] + 0.5])
    else:
        middle = 0.5 * (centres[1:] + centres[:-1])
        if limit is not None and centres.size > 4:
            middle = _beside_half_cells(centres, middle)
        first, last = 2.0 * centres[0] - middle[0], 2.0 * centres[-1] - middle[-1]
        edges = np.concatenate([[first], middle, [last]])
    if limit is not None:
        edges = np.clip(edges, *limit)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def _beside_half_cells(centres: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Edges next to polar half cells (GEOS: -89.5, -88, -86, ...) lie half a step from the regular cells' centres."""
    step = centres[2] - centres[1]
    regular = np.allclose(np.diff(centres[1:-1]), step, rtol=1e-3)
    if regular and not np.isclose(centres[1] - centres[0], step, rtol=1e-3):
        middle[0] = centres[1] - 0.5 * step
    if regular and not np.isclose(centres[-1] - centres[-2], step, rtol=1e-3):
        middle[-1] = centres[-2] + 0.5 * step
    return middle


def wrap_longitude(lon: np.ndarray) -> np.ndarray:
    """Longitudes in -180 (included) .. 180 (excluded), any input; dtype kept for floats."""
    lon = np.asarray(lon)
    wrapped = (lon + 180.0) % 360.0 - 180.0
    return np.where(wrapped >= 180.0, wrapped - 360.0, wrapped)  # the remainder of -1e-15 is 360 exactly


def _longitude_bounds(centres: np.ndarray) -> np.ndarray:
    """Cell edges of ascending longitudes that may leave a gap: a region across the dateline has its ends at +-180."""
    steps = np.diff(centres)
    usual = float(np.median(steps)) if steps.size > 1 else 1.0
    pieces = np.split(centres, np.flatnonzero(steps > (3.0 * usual if steps.size > 1 else 180.0)) + 1)
    return np.concatenate(
        [
            cell_bounds(piece) if piece.size > 1 else np.stack([piece - usual / 2, piece + usual / 2], axis=1)
            for piece in pieces
        ]
    )


def canonical_grid(dataset: xr.Dataset) -> xr.Dataset:
    """Put a gridded dataset with dims among ``time, lev, lat, lon`` into canonical order.

    Latitude ascending, longitude -180..180 ascending (a repeated meridian is dropped), both float64 rounded to 1e-6
    degree so that grids stored in single precision line up, dims transposed to
    ``time, lev, lat, lon``, cell bounds added. Lazy arrays stay lazy. Times are sorted; of duplicated times the last
    stays, missing ones (NaT) are dropped.
    """
    lon = wrap_longitude(np.asarray(dataset["lon"], dtype=np.float64))
    lon = np.round(lon, 6)
    lon[lon == 180.0] = -180.0
    lat = np.round(np.asarray(dataset["lat"], dtype=np.float64), 6)
    dataset = dataset.assign_coords(lon=("lon", lon), lat=("lat", lat, dict(dataset["lat"].attrs)))
    _, first = np.unique(lon, return_index=True)  # sorted by longitude, a repeated meridian once
    if not np.array_equal(first, np.arange(lon.size)):
        whole = np.array_equal(first, np.arange(first[0], first[0] + first.size))
        dataset = dataset.isel(lon=slice(first[0], first[0] + first.size) if whole else first)
    steps = np.diff(lat)
    if steps.size and (steps < 0).all():
        dataset = dataset.isel(lat=slice(None, None, -1))
    elif (steps <= 0).any():
        dataset = dataset.isel(lat=np.unique(lat, return_index=True)[1])
    if "time" in dataset.dims:
        times = dataset["time"].to_numpy()
        keep = len(times) - 1 - np.unique(times[::-1], return_index=True)[1]  # in the order of their times
        if times.dtype.kind == "M":
            keep = keep[~np.isnat(times[keep])]
        if not np.array_equal(keep, np.arange(len(times))):
            dataset = dataset.isel(time=keep)
    order = [name for name in ("time", "lev", "lat", "lon") if name in dataset.dims]
    dataset = dataset.transpose(*order, ...)
    dataset["lat"].attrs.update(standard_name="latitude", units="degrees_north", axis="Y", bounds="lat_bnds")
    dataset["lon"].attrs.update(standard_name="longitude", units="degrees_east", axis="X", bounds="lon_bnds")
    return dataset.assign_coords(
        lat_bnds=(("lat", "bnds"), cell_bounds(dataset["lat"].to_numpy(), limit=(-90.0, 90.0))),
        lon_bnds=(("lon", "bnds"), _longitude_bounds(dataset["lon"].to_numpy())),
    )
