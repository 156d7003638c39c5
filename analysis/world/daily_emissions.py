"""Daily emissions of the simulated world: what its cities and power plants emit, with seasons, weekends and chance.

Annual amounts are those of `data.geography`, the same that make the plumes of the simulated maps; how they are spread over
sectors and days is made up, so that pages can be tried without data. Not statistics of any country.
"""

from __future__ import annotations

import numpy as np

from analysis.statistics.emissions import REST, WORLD, DailyEmissions

FIRST, LAST = np.datetime64("2018-01-01"), np.datetime64("2021-10-31")
"""An unfinished year at the end, as in near-real-time data."""
COUNTRIES = 12
"""So many of the largest emitters stand for themselves, all others are the rest of the world."""

SECTORS = {
    "Power": (0.0, 0.10, 0.95),
    "Industry": (0.45, 0.0, 0.90),
    "Ground Transport": (0.35, -0.04, 0.88),
    "Residential": (0.20, 0.55, 1.0),
}
"""Share of a city's emissions (power plants are all of the first), winter's amplitude, Saturdays and Sundays."""

GROWTH_SPREAD = 0.03
NOISE, NOISE_MEMORY = 0.01, 0.8
"""Yearly growth of a country and day-to-day chance (first-order autoregressive), as shares."""


def simulated_emissions(*, first: np.datetime64 = FIRST, last: np.datetime64 = LAST, seed: int = 1) -> DailyEmissions:
    """Daily emissions from `first` to `last` (both included); the same for the same seed, Mt CO2 a day."""
    from data import geography

    days = np.arange(first, last + 1)
    cities, plants = geography.cities(), geography.power_plants()
    amounts = {"city": cities.groupby("country"), "plant": plants.groupby("country")}
    totals = {kind: grouped["co2_mt_per_year"].sum() for kind, grouped in amounts.items()}
    latitude = amounts["city"]["lat"].mean()
    everywhere = totals["city"].add(totals["plant"], fill_value=0.0).sort_values(ascending=False)
    named = sorted(everywhere.index[:COUNTRIES])
    names = (*named, REST, WORLD)
    values = np.zeros((len(days), len(names), len(SECTORS)))
    rng = np.random.default_rng(seed)
    for country in everywhere.index:
        column = named.index(country) if country in named else len(named)
        in_cities, in_plants = (float(totals[kind].get(country, 0.0)) for kind in ("city", "plant"))
        shape = _shape(days, float(latitude.get(country, 40.0)), rng)
        for k, (share, _, _) in enumerate(SECTORS.values()):
            values[:, column, k] += (in_cities * share + (in_plants if share == 0.0 else 0.0)) / 365.25 * shape[:, k]
    values[:, -1] = values[:, :-1].sum(axis=1)
    order = np.argsort(names)
    sectors = sorted(SECTORS)
    picked = values[:, order][:, :, [list(SECTORS).index(name) for name in sectors]]
    return DailyEmissions(days, tuple(names[k] for k in order), tuple(sectors), picked)


def _shape(days: np.ndarray, lat: float, rng: np.random.Generator) -> np.ndarray:
    """(days, sectors) factors about 1 of a country."""
    year = days.astype("datetime64[Y]")
    elapsed = (days - days[0]).astype(float) / 365.25
    day_of_year = (days - year.astype("datetime64[D]")).astype(float)
    winter = np.cos(2 * np.pi * (day_of_year - 15.0) / 365.25) * np.clip(lat / 40.0, -1.0, 1.0)
    weekend = (days.astype(int) + 3) % 7 >= 5  # 1 January 1970 was a Thursday
    growth = (1.0 + rng.normal(0.005, GROWTH_SPREAD)) ** elapsed
    columns = []
    for _, amplitude, on_weekends in SECTORS.values():
        week = np.where(weekend, on_weekends, 1.0) / ((5.0 + 2.0 * on_weekends) / 7.0)
        columns.append(growth * (1.0 + amplitude * winter) * week * (1.0 + _chance(len(days), rng)))
    return np.stack(columns, axis=1)


def _chance(count: int, rng: np.random.Generator) -> np.ndarray:
    from scipy.signal import lfilter

    steps = rng.normal(0.0, NOISE * np.sqrt(1 - NOISE_MEMORY**2), count)
    return np.asarray(lfilter([1.0], [1.0, -NOISE_MEMORY], steps))
