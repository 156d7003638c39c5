"""A data folder with one thing of every kind, made in milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product
from data.home import cubes_dir, downloads_dir, sites_dir, soundings_dir, tables_dir
from data.sites import SiteStore
from data.soundings import SoundingArchive
from data.tables import TableStore
from tests.data.cube_examples import SMALL, make_cube, maps
from tests.data.sounding_examples import product, sites_product

KEYS = [
    "soundings:GOSAT/gosat-l2",
    "soundings:OCO-2/oco2-lite",
    "cube:growing",
    "sites:TCCON/tccon-ggg2020",
    "table:carbon-monitor",
    "download:noaa-trends",
]


def table_product(values=(1.0, 2.0, 3.0), *, collection: str = "carbon-monitor", name: str = "monitor.csv") -> Product:
    """A table of daily emissions."""
    days = np.datetime64("2023-01-01", "ns") + np.arange(len(values)) * np.timedelta64(1, "D")
    data = {"time": ("row", days), "emission": ("row", np.asarray(values, dtype=float), {"units": "Mt"})}
    attrs = {"title": "Daily emissions", "catalog": collection, "version": "1"}
    return Product("table", xr.Dataset(data, attrs=attrs), "example", collection, Path("/nowhere/tables", name))


def fill(home: Path) -> Path:
    """Soundings of two instruments, a cube of three months, sites, a table and a downloaded file."""
    archive = SoundingArchive(soundings_dir(home))
    archive.append(product(range(100)))
    archive.append(product(range(60), name="gosat.h5", instrument="GOSAT", collection="gosat-l2", version="V02"))
    make_cube(cubes_dir(home) / "growing", maps(SMALL, 3))
    SiteStore(sites_dir(home)).append(sites_product(sites=("tk", "pa")))
    TableStore(tables_dir(home)).append(table_product())
    folder = downloads_dir(home) / "noaa-trends"
    folder.mkdir(parents=True)
    (folder / "co2.csv").write_text("year,co2\n2020,412\n")
    return home
