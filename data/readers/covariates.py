"""What helps to explain where CO2 is high or low: relief, vegetation, lights at night. Maps without a date.

Sources: ETOPO (NOAA NCEI), NDVI mean of 21 June 1999-2017 (Copernicus, as packed by the R package rasterdiv), NASA's
picture of the Earth at night. A map that belongs to no date gets the time 2000-01-01 and the attribute `static` = 1.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product, canonical_grid
from data.errors import FileProblem
from data.readers import Reader
from data.readers.grid_axes import locate, to_grid
from data.readers.opening import open_dataset, pack, reading
from data.readers.periods import Period
from data.readers.probe import Probe

STATIC_TIME = np.datetime64("2000-01-01", "ns")
"""Time step of maps that hold for all times."""

_RELIEF_FILE = "a relief map: netCDF with the height of the surface in m on latitude and longitude (ETOPO)"
_NDVI_FILE = "an R file (.rds) with one packed raster of the package terra, such as rasterdiv's copNDVI.rds"
_LIGHTS_FILE = "a JPEG of the whole globe in plate carree, twice as wide as high, north up"
_NDVI_PERIOD = Period(np.datetime64("1999-06-21", "ns"), np.datetime64("2017-06-22", "ns"))


def _recognises_relief(probe: Probe) -> bool:
    fields = [var for var in probe.variables.values() if len(var.shape) == 2 and min(var.shape) > 3]
    words = [
        f"{var.name} {var.attrs.get('long_name', '')} {var.attrs.get('standard_name', '')}".lower() for var in fields
    ]
    named = probe.name.lower().startswith("etopo") and bool(fields)
    return named or any(re.search(r"relief|surface_altitude|topograph|bathymetr|^elevation", text) for text in words)


def read_relief(path: Path) -> Product:
    """Height of the solid surface (m, negative under the sea) as grid (time 1, lat, lon). Lazy where large."""
    dataset = open_dataset(path, expected=_RELIEF_FILE)
    with reading(path, _RELIEF_FILE):
        located, _ = locate(dataset, path, expected=_RELIEF_FILE)
        fields = [
            name
            for name, var in located.data_vars.items()
            if set(var.dims) == {"lat", "lon"} and var.dtype.kind in "if"
        ]
        if not fields:
            raise FileProblem(path, expected=_RELIEF_FILE, found="no height on a grid", remedy="download it again")
        name = max(fields, key=lambda field: bool(re.search(r"(?i)rose|elev|relief|topo|^z$|band1", str(field))))
        height = located[name]
        metres = 1000.0 if str(height.attrs.get("units", "m")).lower() in ("km", "kilometers", "kilometres") else 1.0
        height = (
            (height * metres).expand_dims(time=[STATIC_TIME]).assign_attrs(units="m", standard_name="surface_altitude")
        )
        grid = to_grid(height.rename("elevation").to_dataset())
        cell = float(grid["lat"][1] - grid["lat"][0])
        return pack(
            "grid",
            grid,
            reader="relief",
            collection=f"etopo-{round(cell * 3600)}s" if cell < 1 / 60 else f"etopo-{round(cell * 60)}min",
            path=path,
            title="Relief of the Earth's surface (ETOPO)",
            instrument="ETOPO",
            catalog="etopo",
            static=1,
        )


def _recognises_ndvi(probe: Probe) -> bool:
    return probe.name.lower().endswith(".rds") and probe.container in ("gzip", "rdata", "unknown")


def read_ndvi(path: Path) -> Product:
    """A packed raster as grid (time 1, lat, lon): Copernicus NDVI as 0..255 code, its mean of 21 June 1999-2017.

    The extent stands in the packed definition; cells come row by row from the north. Other packed rasters keep their
    layer's name.
    """
    import warnings

    import rdata

    with reading(path, _NDVI_FILE):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "missing constructor for PackedSpatRaster": its parts are all we need
            packed = rdata.read_rds(path)
        definition = str(np.asarray(getattr(packed, "definition", [""]))[0])
        numbers = {
            key: float(value)
            for key, value in re.findall(r"(ncols|nrows|xmin|xmax|ymin|ymax)=([-+\d.eE]+)", definition)
        }
        if len(numbers) < 6:
            raise FileProblem(
                path, expected=_NDVI_FILE, found="another R object", remedy="save it as netCDF or GeoTIFF"
            )
        rows, columns = int(numbers["nrows"]), int(numbers["ncols"])
        cells = np.asarray(packed.values, dtype=np.float32)[:, 0].reshape(1, rows, columns)
        height = (numbers["ymax"] - numbers["ymin"]) / rows
        width = (numbers["xmax"] - numbers["xmin"]) / columns
        lat = numbers["ymax"] - height * (np.arange(rows) + 0.5)
        lon = numbers["xmin"] + width * (np.arange(columns) + 0.5)
        layer = re.search(r"names=c\('([^']+)'", definition)
        vegetation = layer is not None and "ndvi" in layer.group(1).lower()
        name = "ndvi_code" if vegetation or layer is None else layer.group(1)
        coords = {"time": [_NDVI_PERIOD.middle if vegetation else STATIC_TIME], "lat": lat, "lon": lon}
        attrs = {"units": "1", "long_name": "NDVI coded 0..255 (mean of 21 June, 1999-2017)" if vegetation else name}
        grid = canonical_grid(
            xr.DataArray(cells, dims=("time", "lat", "lon"), coords=coords, name=name, attrs=attrs).to_dataset()
        )
        return pack(
            "grid",
            grid,
            reader="packed_raster",
            collection="copernicus-ndvi-june" if vegetation else f"raster-{name.lower()}",
            path=path,
            title="Copernicus NDVI, mean of 21 June 1999-2017" if vegetation else name,
            instrument="Copernicus" if vegetation else "unknown",
            catalog="copernicus-ndvi" if vegetation else "none",
            static=1,
        )


def _recognises_lights(probe: Probe) -> bool:
    return probe.container == "jpeg"


def read_lights(path: Path) -> Product:
    """A picture of the globe as grid (time 1, lat, lon): brightness 0..255 (luma of the colours, not radiance)."""
    from PIL import Image

    with reading(path, _LIGHTS_FILE), Image.open(path) as picture:
        columns, rows = picture.size
        if columns != 2 * rows or rows < 18:
            raise FileProblem(
                path,
                expected=_LIGHTS_FILE,
                found=f"a picture of {columns} x {rows}",
                remedy="take one that shows the whole globe in plate carree",
            )
        brightness = np.asarray(picture.convert("L"), dtype=np.float32)[np.newaxis]
    step = 180.0 / rows
    coords = {
        "time": [STATIC_TIME],
        "lat": 90.0 - step * (np.arange(rows) + 0.5),
        "lon": -180.0 + step * (np.arange(columns) + 0.5),
    }
    attrs = {"units": "1", "long_name": "brightness of the picture, 0..255"}
    picture_grid = xr.DataArray(brightness, dims=("time", "lat", "lon"), coords=coords, name="brightness", attrs=attrs)
    return pack(
        "grid",
        canonical_grid(picture_grid.to_dataset()),
        reader="globe_picture",
        collection=f"globe-picture-{path.stem.lower()}",
        path=path,
        title="Lights at night (picture)" if "night" in path.name.lower() else f"Picture of the globe: {path.stem}",
        instrument="NASA" if "night" in path.name.lower() else "unknown",
        catalog="none",
        static=1,
        note="an 8-bit picture, not a measurement of radiance",
    )


READERS = [
    Reader("relief", "grid", _RELIEF_FILE, _recognises_relief, read_relief),
    Reader("packed_raster", "grid", _NDVI_FILE, _recognises_ndvi, read_ndvi),
    Reader("globe_picture", "grid", _LIGHTS_FILE, _recognises_lights, read_lights),
]
