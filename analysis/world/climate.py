"""The large scales of the simulated world, month by month on a 2° grid: XCO2 of the nature run, what coasts and weather
add below its resolution, uncertainty and winds.

XCO2 comes from the nature run (`analysis.world.nature`): fluxes of public totals, carried by the transport engine. Growth is
NOAA GML's (https://gml.noaa.gov/ccgg/trends/gl_gr.html), which the run's budget meets. What the run cannot resolve, and what
is no mole fraction, are rough closed formulas. It is a believable world with known truth, not a reconstruction of the real
one.

All fields have dims (lat, lon) on the nodes `NODE_LAT`, `NODE_LON`; maps draw a cubic B-spline through them
(`analysis.world.render`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

FIRST_YEAR, LAST_YEAR = 2000, 2035
"""Years for which the world is defined."""

NODE_SPACING = 2.0
NODE_LAT = np.arange(-90.0 + NODE_SPACING / 2, 90.0, NODE_SPACING)
NODE_LON = np.arange(-180.0 + NODE_SPACING / 2, 180.0, NODE_SPACING)

_GROWTH_PPM = (
    *(1.2, 1.8, 2.4, 2.2, 1.6, 2.4, 1.8, 2.1, 1.8, 1.6),
    *(2.4, 1.7, 2.4, 2.4, 2.0, 2.95, 2.83, 2.14, 2.39, 2.5),
    *(2.33, 2.38, 2.25, 2.71, 3.0, 2.3),
)
_LATER_GROWTH_PPM = 2.4
_ANCHOR_YEAR, _ANCHOR_PPM = 2015.5, 399.4
_WAVES = 56
_DEG = np.pi / 180.0


@dataclass(frozen=True)
class Patch:
    """A smooth patch of the Earth that differs: centre and widths (standard deviations) in degrees, and a size in ppm."""

    lat: float
    lon: float
    lat_width: float
    lon_width: float
    ppm: float

    def on_nodes(self) -> np.ndarray:
        """(lat, lon) ppm on the nodes."""
        turn = (NODE_LON - self.lon + 180.0) % 360.0 - 180.0
        north = np.exp(-0.5 * ((NODE_LAT - self.lat) / self.lat_width) ** 2)
        return self.ppm * north[:, None] * np.exp(-0.5 * (turn / self.lon_width) ** 2)[None, :]


def month_number(month: np.datetime64) -> int:
    """Months since January 2000; ValueError outside the years of the world."""
    stamp = np.asarray(month, dtype="datetime64[M]")
    number = -1 if np.isnat(stamp) else int((stamp - np.datetime64(f"{FIRST_YEAR}-01", "M")).astype(int))
    if not 0 <= number < 12 * (LAST_YEAR - FIRST_YEAR + 1):
        raise ValueError(f"the simulated world runs from {FIRST_YEAR}-01 to {LAST_YEAR}-12, not at {month}.")
    return number


def annual_growth(year: int) -> float:
    """ppm from the first to the last day of a year, as NOAA reports it; 2.4 a year where it is not known yet."""
    return _GROWTH_PPM[year - FIRST_YEAR] if FIRST_YEAR <= year < FIRST_YEAR + len(_GROWTH_PPM) else _LATER_GROWTH_PPM


def global_mean(year: np.ndarray | float) -> np.ndarray:
    """Global mean XCO2 without season, ppm, at decimal years (any shape)."""
    from scipy.interpolate import PchipInterpolator

    edges = np.arange(FIRST_YEAR - 1.0, LAST_YEAR + 3.0)
    growth = np.full(edges.size - 1, _LATER_GROWTH_PPM)
    growth[0] = _GROWTH_PPM[0]
    growth[1 : 1 + len(_GROWTH_PPM)] = _GROWTH_PPM
    curve = PchipInterpolator(edges, np.concatenate([[0.0], np.cumsum(growth)]))
    return _ANCHOR_PPM + curve(year) - curve(_ANCHOR_YEAR)


def season(phase: np.ndarray | float, lat: np.ndarray) -> np.ndarray:
    """Seasonal cycle of the zonal mean as a retrieval knows it beforehand, ppm: `phase` is the part of the year, 0..1; both
    broadcast. The world's own season is the nature run's.

    In the north it peaks in spring and falls steeply to late summer; in the far south it is small and opposite.
    """
    north = np.interp(lat, [-15.0, 0.0, 12.0, 25.0, 45.0, 60.0, 75.0, 90.0], [0.0, 0.45, 1.5, 2.4, 3.3, 4.0, 4.1, 4.0])
    south = np.interp(lat, [-90.0, -30.0, -12.0, 5.0], [0.55, 0.5, 0.35, 0.0])
    late = np.interp(lat, [0.0, 15.0, 50.0], [0.06, 0.06, 0.0])
    steep = np.cos(2 * np.pi * (phase - 0.22 - late)) + 0.4 * np.cos(4 * np.pi * (phase - 0.36 - late))
    return north * steep + south * np.cos(2 * np.pi * (phase - 0.80))


def tropopause_hpa(lat: np.ndarray) -> np.ndarray:
    """Pressure of the tropopause: 100 hPa in the tropics, 270 hPa near the poles."""
    return 100.0 + 170.0 * (1.0 - np.exp(-((np.abs(lat) / 38.0) ** 4)))


def wind(month_of_year: float, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Monthly mean wind of the lower atmosphere, m/s eastward and northward, from trades, westerlies and the Asian
    monsoon.

    Parameters
    ----------
    month_of_year : 0..12, 0.5 is the middle of January.
    lat, lon : degrees, same shape.
    """
    summer = -np.cos(2 * np.pi * (month_of_year - 0.5) / 12.0)  # +1 in July, -1 in January
    shifted = lat - 5.0 * summer
    trades = -5.0 * np.exp(-0.5 * ((np.abs(shifted) - 12.0) / 8.0) ** 2)
    westerlies = (6.0 - 1.5 * summer * np.sign(lat)) * np.exp(-0.5 * ((np.abs(shifted) - 46.0) / 11.0) ** 2)
    monsoon = np.exp(-0.5 * ((lat - 22.0) / 11.0) ** 2) * np.exp(
        -0.5 * (((lon - 100.0 + 180.0) % 360.0 - 180.0) / 26.0) ** 2
    )
    east = trades + westerlies + 3.0 * summer * monsoon
    north = -0.8 * np.sin(np.pi * shifted / 30.0) * np.exp(-((lat / 35.0) ** 2)) + 3.0 * summer * monsoon
    return east, north


@dataclass(frozen=True)
class Climate:
    """Large-scale fields of one seed. Months are numbers since January 2000 and may run one beyond either end.

    `background` is XCO2 of the nature run with the seed's weather texture; `contrast` is what full land cover adds to sea
    within a cell of the run (negative where forests take CO2 up).
    """

    seed: int

    def background(self, number: int) -> np.ndarray:
        """(lat, lon) ppm, monthly mean."""
        return _background(self.seed, number)

    def contrast(self, number: int) -> np.ndarray:
        """(lat, lon) ppm, monthly mean of land minus sea where they meet; the run has what is larger."""
        spring = np.cos(2 * np.pi * (_phase(number) - 0.18))
        per_lat = (
            0.06
            + np.interp(NODE_LAT, [-60.0, -20.0, 0.0, 20.0, 40.0, 58.0, 75.0], [0.0, -0.1, 0.0, 0.1, 0.25, 0.3, 0.1])
            * spring
        )
        wavy = 1.0 + 0.15 * np.sin(3 * NODE_LON * _DEG)[None, :] * np.cos(NODE_LAT * _DEG)[:, None]
        return per_lat[:, None] * wavy

    def uncertainty(self, number: int) -> np.ndarray:
        """(lat, lon) ppm: small where a satellite sees much (dry subtropics), large under clouds and towards the polar
        night.
        """
        phase = _phase(number)
        declination = -23.4 * np.cos(2 * np.pi * (phase + 10.0 / 365.0))
        low_sun = np.clip((np.abs(NODE_LAT - declination) - 45.0) / 40.0, 0.0, 1.2)
        rain_belt = np.exp(-0.5 * ((NODE_LAT - 0.35 * declination) / 6.0) ** 2)
        storm_tracks = np.exp(-0.5 * ((np.abs(NODE_LAT) - 55.0) / 9.0) ** 2)
        per_lat = 0.55 + 1.35 * low_sun**1.5 + 0.35 * rain_belt + 0.30 * storm_tracks
        wet = sum(patch.on_nodes() for patch in _CLOUDY)
        return per_lat[:, None] + wet + 0.15 * np.abs(_texture(self.seed, number))


_CLOUDY = (
    Patch(-4, -62, 8, 11, 0.35),
    Patch(0, 22, 7, 10, 0.3),
    Patch(2, 115, 8, 14, 0.35),
    Patch(28, 106, 4, 6, 0.3),
    Patch(23, 10, 7, 22, -0.15),
    Patch(-25, 132, 6, 12, -0.15),
)


def _phase(number: int) -> float:
    return (number % 12 + 0.5) / 12.0


@functools.lru_cache(maxsize=96)
def _background(seed: int, number: int) -> np.ndarray:
    from analysis.world.nature_product import nature_product

    product = nature_product()
    field = _along_rows(product.grid.lon, product.column(number)) + _texture(seed, number)
    field.flags.writeable = False
    return field


def _along_rows(lon: np.ndarray, field: np.ndarray) -> np.ndarray:
    """A field on the run's grid, whose latitudes are the nodes', at the nodes."""
    around = np.concatenate([[lon[-1] - 360.0], lon, [lon[0] + 360.0]])
    wrapped = np.concatenate([field[:, -1:], field, field[:, :1]], axis=1)
    return np.stack([np.interp(NODE_LON, around, row) for row in wrapped])


@functools.cache
def _waves(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Zonal wave numbers, meridional wave numbers (per radian), sizes in ppm, and phases (months + 2, waves) that
    wander eastward.
    """
    random = np.random.default_rng(np.random.SeedSequence([seed, 20150101]))
    zonal = random.integers(5, 24, _WAVES)
    meridional = random.uniform(-14.0, 14.0, _WAVES)
    size = 0.2 / np.sqrt(_WAVES / 2) * np.sqrt(8.0 / np.hypot(zonal, meridional))
    months = 12 * (LAST_YEAR - FIRST_YEAR + 1) + 2
    steps = random.normal(1.1, 0.8, (months, _WAVES))
    phases = random.uniform(0.0, 2 * np.pi, _WAVES) + np.cumsum(steps, axis=0)
    return zonal, meridional, size, phases


@functools.lru_cache(maxsize=8)
def _texture(seed: int, number: int) -> np.ndarray:
    """What a month's weather leaves in the mean that the run's few waves do not, ppm: largest in the storm tracks, zero at
    the poles, mean about zero.
    """
    zonal, meridional, size, phases = _waves(seed)
    lon, lat = (NODE_LON * _DEG)[None, :], (NODE_LAT * _DEG)[:, None]
    turning = phases[number + 1]
    # Waves drawn on a map that is itself stirred look like fronts and eddies rather than ripples.
    bent_lon = lon + 0.16 * np.sin(4.0 * lat + turning[0]) + 0.10 * np.sin(3.0 * lon + 7.0 * lat + turning[1])
    bent_lat = lat + 0.08 * np.sin(3.0 * lon + turning[2]) + 0.05 * np.sin(5.0 * lon - 6.0 * lat + turning[3])
    field = np.zeros((NODE_LAT.size, NODE_LON.size))
    for wave in range(_WAVES):
        field += size[wave] * np.cos(zonal[wave] * bent_lon + meridional[wave] * bent_lat + turning[wave])
    envelope = np.cos(NODE_LAT * _DEG) ** 1.5 * (0.45 + 0.55 * np.exp(-0.5 * ((np.abs(NODE_LAT) - 48.0) / 16.0) ** 2))
    calmer_south = np.interp(NODE_LAT, [-25.0, 15.0], [0.3, 1.0])
    return field * (envelope * calmer_south)[:, None]
