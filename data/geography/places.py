"""Named places: TCCON sites, megacities and large power plants, from three small tables with their sources.

Coordinates are public facts. Emissions are rough on purpose (see the columns `source`): they drive the simulated
world and size the symbols on the map, and are no inventory.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent


@functools.cache
def tccon_sites() -> pd.DataFrame:
    """Sites of the Total Carbon Column Observing Network, one row each.

    Columns: `id` (two letters), `site` (as in file names), `name`, `country`, `lat`, `lon` (degrees), `altitude_m`,
    `start`, `end` (YYYY-MM, "" where running), `source`.
    """
    return pd.read_csv(FOLDER / "tccon.csv", keep_default_na=False)


@functools.cache
def cities() -> pd.DataFrame:
    """About 100 megacities, the largest emitter first.

    Columns: `name`, `country`, `lat`, `lon` (degrees), `population_million`, `co2_mt_per_year`, `source`.
    """
    return pd.read_csv(FOLDER / "cities.csv")


@functools.cache
def power_plants() -> pd.DataFrame:
    """The largest fossil-fuelled power plants and a few big ones of other countries, the largest emitter first.

    Columns: `name`, `country`, `lat`, `lon` (degrees), `capacity_mw`, `fuel`, `co2_mt_per_year`, `source`.
    """
    return pd.read_csv(FOLDER / "power_plants.csv")
