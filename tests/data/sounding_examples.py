"""Products of soundings and sites made on the spot, for the tests of the stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product

START = np.datetime64("2019-03-31T22:00:00", "ns")
SECOND = np.timedelta64(1, "s")


def product(
    ids,
    *,
    name: str = "oco2_LtCO2_190331.nc4",
    instrument: str = "OCO-2",
    version: str = "11.2r",
    collection: str = "oco2-lite",
    start: np.datetime64 = START,
    seconds_apart: int = 60,
    xco2: float = 410.0,
    levels: int = 0,
    folder: str = "granules",
    **columns,
) -> Product:
    """Soundings whose time and place follow from their number, so that equal numbers are equal soundings."""
    ids = np.asarray(ids, dtype=np.int64)
    count = ids.size
    data = {
        "time": ("sounding", start + ids * seconds_apart * SECOND),
        "lat": ("sounding", ((ids * 7.3) % 160 - 80).astype(np.float32)),
        "lon": ("sounding", ((ids * 31.7) % 360 - 180).astype(np.float32)),
        "sounding_id": ("sounding", ids),
        "quality_flag": ("sounding", (ids % 3 == 2).astype(np.int8)),
        "xco2": ("sounding", (xco2 + ids % 10).astype(np.float32), {"units": "ppm", "long_name": "XCO2"}),
    }
    if levels:
        kernel = np.linspace(0, 1, levels, dtype=np.float32) + ids[:, None].astype(np.float32)
        data["averaging_kernel"] = (("sounding", "level"), kernel, {"units": "1"})
    data |= {key: ("sounding", np.broadcast_to(value, count)) for key, value in columns.items()}
    attrs = {"title": "example", "instrument": instrument, "version": version, "scale": "X2019", "simulated": 1}
    return Product("soundings", xr.Dataset(data, attrs=attrs), "example", collection, Path("/nowhere", folder, name))


def random_product(seed: int, count: int, *, days: float = 3.0, start: np.datetime64 = START, **how) -> Product:
    """Soundings spread over the globe and some days; numbers unique over all seeds."""
    random = np.random.default_rng(seed)
    made = product(np.arange(count) + seed * 1_000_000, name=f"granule_{seed}.nc4", **how)
    dataset = made.dataset.assign(
        time=("sounding", start + (np.sort(random.random(count)) * days * 86_400e9).astype("timedelta64[ns]")),
        lat=("sounding", np.degrees(np.arcsin(random.uniform(-1, 1, count)))),
        lon=("sounding", random.uniform(-180, 180, count)),
        quality_flag=("sounding", random.integers(-1, 2, count).astype(np.int8)),
    )
    return Product(made.kind, dataset, made.reader, made.collection, made.path)


def sites_product(
    name: str = "tsukuba.nc",
    *,
    sites=("tk",),
    count: int = 5,
    value: float = 400.0,
    collection: str = "tccon-ggg2020",
    start: np.datetime64 = START,
    network: str = "TCCON",
) -> Product:
    """Hourly XCO2 at some sites."""
    repeat = len(sites)
    data = {
        "time": ("observation", np.tile(start + np.arange(count) * 3600 * SECOND, repeat)),
        "site": ("observation", np.repeat(np.array(sites), count)),
        "lat": ("observation", np.repeat(36.0 + np.arange(repeat), count)),
        "lon": ("observation", np.repeat(140.0 + np.arange(repeat), count)),
        "altitude_m": ("observation", np.full(count * repeat, 30.0)),
        "xco2": ("observation", value + np.arange(count * repeat, dtype=float), {"units": "ppm"}),
        "xco2_uncertainty": ("observation", np.full(count * repeat, 0.5), {"units": "ppm"}),
    }
    attrs = {"title": "example", "instrument": network, "network": network, "version": "GGG2020", "simulated": 0}
    return Product("sites", xr.Dataset(data, attrs=attrs), "example", collection, Path("/nowhere/sites", name))
