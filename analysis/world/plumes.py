"""Named sources of the simulated world and how the monthly mean wind spreads them.

A steady source of Q kg/s in a wind U leaves the column Q / (2 pi r U) at the distance r, averaged over the directions
of a month; that gives 0.7 ppm in the 0.05° cell of a 20 Mt/yr plant, 0.15 ppm in 0.25°, 0.04 ppm in 1°. More lies
downwind of the month's mean wind than upwind. Cities are spread over their area, power plants over a satellite
footprint.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from analysis.world.climate import FIRST_YEAR, wind

KG_PER_M2_PER_PPM = 0.01569
"""Mass of CO2 in a column of dry air that one ppm stands for."""

SECONDS_PER_YEAR = 31_556_952.0
REACH_KM = 250.0
"""Beyond this distance a plume counts as background."""

_LEAST_MT_PER_YEAR = 2.0
_PLANT_RADIUS_KM = 0.5
_VARIABLE_WIND_M_S = 4.0


@functools.cache
def sources() -> pd.DataFrame:
    """Cities and power plants that emit: `name`, `country`, `kind` ("city", "power plant"), `lat`, `lon`,
    `co2_mt_per_year`, `radius_km`.
    """
    from data.geography import cities, power_plants

    urban = cities().assign(kind="city", radius_km=4.0 + 1.6 * np.sqrt(cities()["population_million"]))
    plants = power_plants().assign(kind="power plant", radius_km=_PLANT_RADIUS_KM)
    columns = ["name", "country", "kind", "lat", "lon", "co2_mt_per_year", "radius_km"]
    both = pd.concat([urban[columns], plants[columns]])
    return both[both["co2_mt_per_year"] >= _LEAST_MT_PER_YEAR].sort_values("lat", ignore_index=True)


def emission_factor(number: int, lat: np.ndarray) -> np.ndarray:
    """Emission of a month (since January 2000) over the table's value: 1 % growth a year, heating in winter, the dip
    of spring 2020.
    """
    year = FIRST_YEAR + (number + 0.5) / 12.0
    heating = (
        0.08
        * np.clip(np.abs(lat) / 45.0, 0.0, 1.0)
        * np.sign(lat)
        * np.cos(2 * np.pi * (number % 12 + 0.5 - 1.0) / 12.0)
    )
    lockdown = 0.12 * np.exp(-0.5 * ((year - 2020.25) / 0.1) ** 2)
    return (1.0 + 0.01 * (year - 2018.0)) * (1.0 + heating) * (1.0 - lockdown)


@functools.lru_cache(maxsize=8)
def plumes(number: int) -> np.ndarray:
    """(sources, 7) float64, in order of latitude: lat, lon, strength (ppm km), radius (km), east and north part of the
    downwind direction times the lopsidedness (0..1), and the cosine of the latitude. Shared: copy before changing it.

    The column at the distance r is strength / hypot(r, radius) times the share of its direction.
    """
    table = sources()
    lat, lon = table["lat"].to_numpy(), table["lon"].to_numpy()
    east, north = wind(number % 12 + 0.5, lat, lon)
    mean = np.hypot(east, north)
    speed = np.sqrt(mean**2 + _VARIABLE_WIND_M_S**2)
    kg_per_s = table["co2_mt_per_year"].to_numpy() * emission_factor(number, lat) * 1e9 / SECONDS_PER_YEAR
    strength = kg_per_s / (2 * np.pi * speed * KG_PER_M2_PER_PPM) / 1000.0
    lopsided = mean / speed / np.maximum(mean, 1e-9)
    out = np.stack(
        [lat, lon, strength, table["radius_km"].to_numpy(), east * lopsided, north * lopsided, np.cos(np.deg2rad(lat))],
        axis=1,
    )
    out.flags.writeable = False
    return out
