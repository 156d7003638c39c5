"""Where on Earth, and when in the year, the simulated world gives off and takes up CO2: simple shapes from rough public
knowledge.

All patterns live on one degree. Those of sums are shares per m2 (their integral over the Earth is one), so a budget does
not depend on the grid of the run.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.grids import Regridder, uniform

if TYPE_CHECKING:
    import pandas as pd

GRID = uniform("1x1")
_FINE = 4
"""Cells of land and countries along a degree."""

SHARES = {
    "China": (14.3, 28.9), "United States": (23.6, 14.2), "India": (3.8, 7.1), "Russia": (5.8, 4.6), "Japan": (5.0, 3.0),
    "Iran": (1.5, 1.9), "Germany": (3.5, 1.9), "Indonesia": (1.1, 1.8), "Saudi Arabia": (1.2, 1.8),
    "South Korea": (1.8, 1.7), "Canada": (2.2, 1.6), "Mexico": (1.6, 1.3), "South Africa": (1.5, 1.3),
    "Brazil": (1.3, 1.3), "Turkey": (0.9, 1.1), "Australia": (1.4, 1.1), "United Kingdom": (2.2, 1.0),
    "Italy": (1.8, 0.9), "Poland": (1.2, 0.9), "France": (1.6, 0.9), "Vietnam": (0.2, 0.9), "Thailand": (0.7, 0.8),
    "Kazakhstan": (0.5, 0.8), "Taiwan": (0.9, 0.8), "Malaysia": (0.5, 0.7), "Spain": (1.2, 0.7), "Egypt": (0.5, 0.7),
    "United Arab Emirates": (0.4, 0.6), "Pakistan": (0.4, 0.6), "Ukraine": (1.4, 0.6), "Iraq": (0.3, 0.5),
    "Argentina": (0.6, 0.5), "Algeria": (0.3, 0.5), "Netherlands": (0.7, 0.4), "Philippines": (0.3, 0.4),
    "Nigeria": (0.4, 0.3), "Uzbekistan": (0.5, 0.3), "Venezuela": (0.6, 0.3), "Kuwait": (0.2, 0.3), "Qatar": (0.1, 0.3),
    "Czechia": (0.5, 0.3), "Belgium": (0.5, 0.3), "Colombia": (0.2, 0.3), "Chile": (0.2, 0.3), "Bangladesh": (0.1, 0.3),
    "Greece": (0.4, 0.2), "Romania": (0.4, 0.2), "Israel": (0.3, 0.2),
}  # fmt: skip
"""Per cent of the world's fossil CO2 in 2000 and 2019, rounded (Global Carbon Budget, as in `fluxes.FOSSIL_GT_CO2`); what is
missing to a hundred belongs to all other countries and to ships and aircraft."""
_SHARE_YEARS = (2000, 2019)
SHIPS, OTHERS = "ships and aircraft", "other countries"
_SHIPS_PERCENT = 3.0
"""International transport, about (Global Carbon Budget 2023)."""
_IN_CITIES = 0.6
"""Part of a country's emissions put around its named cities and power plants, by their size; the rest lies on its
habitable land. An assumption."""
_CITY_REACH_KM = 150.0

_DESERTS = (
    # lat, lon, widths in degrees: where next to nothing grows
    (23, 8, 7, 24), (22, 47, 8, 10), (41, 60, 5, 9), (39, 88, 6, 16), (-25, 130, 6, 11), (33, -113, 5, 6),
    (-22, -69, 6, 3), (-24, 17, 6, 4), (27, 68, 4, 6), (-45, -69, 4, 3), (74, -40, 10, 16), (32, 56, 4, 6),
)  # fmt: skip

_FIRES = {
    # PgC a year, lat, lon, widths in degrees, day of the year of the peak, its width in days
    "northern Africa": (0.40, 8, 15, 4, 17, 350, 35),
    "southern Africa": (0.62, -12, 23, 6, 11, 215, 45),
    "southern South America": (0.28, -12, -57, 6, 8, 250, 30),
    "northern South America": (0.06, 7, -67, 3, 6, 55, 30),
    "mainland Southeast Asia": (0.14, 18, 99, 5, 6, 80, 25),
    "equatorial Asia": (0.18, -2, 110, 4, 9, 275, 30),
    "Australia": (0.11, -15, 132, 4, 8, 275, 45),
    "boreal Asia": (0.13, 60, 115, 6, 24, 190, 35),
    "boreal America": (0.06, 59, -112, 5, 18, 200, 30),
    "Central Asia": (0.04, 50, 65, 4, 14, 220, 45),
    "Central America": (0.04, 18, -92, 4, 7, 110, 25),
}
"""2.1 PgC a year in all. Total: GFED4.1s, 2.2 for 1997-2016 (van der Werf et al. 2017, doi 10.5194/essd-9-697-2017) and 2.1
for 2002-2020 (van Wees et al. 2022, doi 10.5194/gmd-15-8411-2022); the regions' parts and seasons after the same, rounded."""
_PEAT_FIRES = {2015: ("equatorial Asia", 0.3)}
"""PgC more than usual in the El Nino autumn of 2015 (Huijnen et al. 2016, doi 10.1038/srep26886, give 0.2 to 0.4)."""

_OCEAN = {
    # PgC a year taken up by the sea of about 2000, between latitudes
    (-90, -50): 0.06, (-50, -14): 1.05, (-14, 14): -0.69, (14, 50): 0.70, (50, 90): 0.27,
}  # fmt: skip
"""Net uptake by latitude (Takahashi et al. 2009, doi 10.1016/j.dsr2.2008.12.009), rounded; the tropics give off, most of all
the Pacific."""
_OCEAN_SEASON_MOL = 1.0
"""mol m-2 a year by which temperate seas take up more in late winter and less in late summer, half the range (same)."""


@dataclass(frozen=True)
class Zone:
    """Land whose plants share a season.

    Attributes
    ----------
    lat, lat_width : of a bell-shaped belt, degrees.
    uptake : most uptake of a day beyond the mean, before respiration is taken off, gC m-2 a day over green land.
    peak, width : day of the year of that, and how long the season is (standard deviation, days).
    """

    lat: float
    lat_width: float
    uptake: float
    peak: float
    width: float

    def cycle(self, days: int) -> tuple[np.ndarray, np.ndarray]:
        """(days,) share of the year's growth in each day, mean one, and net exchange (gC m-2 a day), mean zero:
        uptake in the growing season, respiration that is largest somewhat later and goes on in winter.
        """
        growing = _season(self.peak, self.width, days)
        growing = growing / growing.max()
        warm = _season(self.peak + 18.0, 60.0, days)
        respiration = 0.45 + 0.55 * warm / warm.max()
        exchange = self.uptake * (respiration * growing.mean() / respiration.mean() - growing)
        return growing / growing.mean(), exchange - exchange.mean()


ZONES = {
    "boreal": Zone(61, 6.5, 2.4, 192, 29),
    "northern temperate": Zone(46, 7.5, 2.2, 178, 40),
    "northern subtropical": Zone(27, 6.5, 1.2, 235, 45),
    "northern savanna": Zone(11, 5.0, 1.3, 252, 45),
    "southern savanna": Zone(-13, 6.5, 0.9, 40, 50),
    "southern temperate": Zone(-34, 8.0, 0.8, 345, 50),
}
"""Of the size of inversions' net seasonal cycles (TransCom regions; Gurney et al. 2004, doi 10.1029/2003GB002111): boreal and
temperate land north of 40 takes up about 2 gC m-2 a day in July."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """(lat, lon) fields: shares per m2, but `green` (0..1), `heating` and `ocean_season`."""

    fossil: dict[str, np.ndarray]
    fires: dict[str, np.ndarray]
    green: dict[str, np.ndarray]
    sink: dict[str, np.ndarray]
    fixed: dict[str, np.ndarray]

    def on(self, regridder: Regridder) -> Patterns:
        """The same on another grid; integrals are kept."""

        def moved(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: regridder.mean(field) for name, field in fields.items()}

        return Patterns(*(moved(fields) for fields in (self.fossil, self.fires, self.green, self.sink, self.fixed)))


def countries_share(year: int) -> dict[str, float]:
    """Part of the world's fossil CO2 by country, and of ships and of others, in a year; sums to one."""
    place = float(np.clip((year - _SHARE_YEARS[0]) / (_SHARE_YEARS[1] - _SHARE_YEARS[0]), 0.0, 1.0))
    share = {name: (1 - place) * first + place * last for name, (first, last) in SHARES.items()}
    share[SHIPS] = _SHIPS_PERCENT
    share[OTHERS] = 100.0 - sum(share.values())
    return {name: percent / 100.0 for name, percent in share.items()}


def burning(year: int, days: int) -> dict[str, np.ndarray]:
    """Region -> (days,) PgC a year that burn on each day of a year."""
    burns = {}
    for name, (amount, *_, peak, width) in _FIRES.items():
        season = _season(peak, width, days)
        extra = _PEAT_FIRES.get(year, ("", 0.0))
        burns[name] = (amount + (extra[1] if extra[0] == name else 0.0)) * season / season.mean()
    return burns


@functools.cache
def patterns() -> Patterns:
    """On one degree."""
    ground = land()
    plants = green()
    zones = {
        name: plants * np.exp(-0.5 * ((GRID.lat[:, None] - z.lat) / z.lat_width) ** 2) for name, z in ZONES.items()
    }
    fires = {name: _share(plants * _bell(*place[1:5])) for name, place in _FIRES.items()}
    total = sum(place[0] for place in _FIRES.values())
    usual = np.sum([place[0] / total * fires[name] for name, place in _FIRES.items()], axis=0)
    sea = 1.0 - ground
    ice_free = sea * (np.abs(GRID.lat) < 70)[:, None]
    belts = np.sum([-amount * _share(ice_free * _between(*belt)) for belt, amount in _OCEAN.items()], axis=0)
    temperate = np.sin(np.radians(np.clip(GRID.lat, -60, 60)) * 2.0)[:, None]
    return Patterns(
        fossil=_fossil(ground, plants),
        fires=fires,
        green=zones,
        sink={name: _share(field) for name, field in zones.items()},
        fixed={
            "regrowth": usual,
            "tropics": _share(plants * np.exp(-((GRID.lat[:, None] / 18.0) ** 4))),
            "ocean": belts,
            "ocean everywhere": _share(ice_free),
            "ocean season": -_OCEAN_SEASON_MOL * ice_free * temperate,
            "heating": 0.08 * np.clip(GRID.lat / 45.0, -1.0, 1.0)[:, None] * np.ones(GRID.shape),
        },
    )


def ocean_uptake() -> float:
    """PgC a year that the pattern "ocean" takes up."""
    return sum(_OCEAN.values())


@functools.cache
def land() -> np.ndarray:
    """(lat, lon) part of the area that is land."""
    from data.geography import land_mask

    ny, nx = GRID.shape
    return land_mask(ny * _FINE, nx * _FINE).reshape(ny, _FINE, nx, _FINE).mean(axis=(1, 3))


@functools.cache
def green() -> np.ndarray:
    """(lat, lon) 0..1, part of the area on which plants grow: land without deserts and ice."""
    bare = np.ones(GRID.shape)
    for desert in _DESERTS:
        bare = bare * (1.0 - 0.95 * np.exp(-0.5 * _squared(*desert) ** 2))  # flat, with an edge
    tundra = 1.0 / (1.0 + np.exp((GRID.lat[:, None] - 69.0) / 1.5))
    return land() * bare * tundra * (GRID.lat > -60)[:, None]


def _fossil(ground: np.ndarray, plants: np.ndarray) -> dict[str, np.ndarray]:
    import pandas as pd

    from data.geography import cities, power_plants

    columns = ["country", "lat", "lon", "co2_mt_per_year"]
    sites = pd.concat([cities()[columns], power_plants()[columns]])
    cover = _countries(sorted(SHARES))
    settled = (0.08 * ground + plants) / (1.0 + np.exp((np.abs(GRID.lat)[:, None] - 56.0) / 2.5))
    fields = {}
    for number, name in enumerate(sorted(SHARES)):
        inside = cover[number]
        field = _share(inside * (settled + 1e-6))
        around = _around(sites[sites["country"] == name]) * inside
        if around.sum() > 0.0:
            field = _IN_CITIES * _share(around) + (1.0 - _IN_CITIES) * field
        fields[name] = field
    rest = np.clip(ground - cover.sum(axis=0), 0.0, 1.0)
    fields[OTHERS] = _share(rest * settled)
    lanes = (1.0 - ground) * np.exp(-0.5 * ((GRID.lat[:, None] - 28.0) / 18.0) ** 2)
    fields[SHIPS] = _share(lanes)
    return fields


def _countries(names: list[str]) -> np.ndarray:
    """(country, lat, lon) part of each cell's area."""
    from rasterio.features import rasterize
    from rasterio.transform import from_bounds

    from data.geography import countries

    ny, nx = GRID.shape
    outlines = countries()
    numbers = rasterize(
        [(outlines[name], number) for number, name in enumerate(names, 1)],
        out_shape=(ny * _FINE, nx * _FINE),
        transform=from_bounds(-180.0, -90.0, 180.0, 90.0, nx * _FINE, ny * _FINE),
        dtype="uint8",
    )[::-1]
    cells = numbers.reshape(ny, _FINE, nx, _FINE)
    return np.stack([(cells == number).mean(axis=(1, 3)) for number in range(1, len(names) + 1)])


def _around(sites: pd.DataFrame) -> np.ndarray:
    field = np.zeros(GRID.shape)
    width = _CITY_REACH_KM / 111.2
    for lat, lon, amount in sites[["lat", "lon", "co2_mt_per_year"]].to_numpy(dtype=float):
        field += amount * _bell(lat, lon, width, width / np.cos(np.radians(lat)))
    return field


def _season(peak: float, width: float, days: int) -> np.ndarray:
    """(days,) a bell around a day of the year, periodic."""
    away = (np.arange(days) + 0.5 - peak + days / 2) % days - days / 2
    return np.exp(-0.5 * (away / width) ** 2)


def _squared(lat: float, lon: float, lat_width: float, lon_width: float) -> np.ndarray:
    """(lat, lon) square of the distance in widths."""
    turn = (GRID.lon - lon + 180.0) % 360.0 - 180.0
    return ((GRID.lat - lat) / lat_width)[:, None] ** 2 + (turn / lon_width)[None, :] ** 2


def _bell(lat: float, lon: float, lat_width: float, lon_width: float) -> np.ndarray:
    return np.exp(-0.5 * _squared(lat, lon, lat_width, lon_width))


def _between(south: float, north: float) -> np.ndarray:
    return ((GRID.lat > south) & (GRID.lat < north))[:, None] * np.ones(GRID.shape)


def _share(field: np.ndarray) -> np.ndarray:
    return field / float((field * GRID.area).sum())
