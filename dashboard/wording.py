"""Sentences and labels that the page and its downloads share."""

from __future__ import annotations

import numpy as np

from analysis.statistics.trends import SeriesFit
from data.cube import Cube, RegionSeries

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def place_text(lon: float, lat: float) -> str:
    """'39.90°N 116.40°E'."""
    return f"{abs(lat):.2f}°{'S' if lat < 0 else 'N'} {abs(lon):.2f}°{'W' if lon < 0 else 'E'}"


def time_text(label: str) -> str:
    """'2021' for '2021', 'July 2021' for '2021-07', '14 July 2021 12:30 UTC' for '2021-07-14T12:30'."""
    if "-" not in label:
        return label
    year, month, *rest = label.split("-")
    name = MONTHS[int(month) - 1]
    if not rest:
        return f"{name} {year}"
    day, _, clock = rest[0].partition("T")
    return f"{int(day)} {name} {year}{f' {clock} UTC' if clock else ''}"


def map_heading(cube: Cube, variable: str) -> str:
    """The cube's title; with the variable's name where it is not the cube's main one."""
    return (
        cube.title
        if variable == "xco2" or len(cube.variables) == 1
        else f"{cube.title} · {cube.variables[variable].long_name}"
    )


def fit_sentence(fit: SeriesFit, units: str) -> str:
    """Growth and seasonal cycle of a fit, in words."""
    growth, error = fit.growth_ppm_per_year, fit.growth_standard_error
    digits = 2 if units == "ppm" else _digits(max(abs(growth), error))
    parts = [f"growth {growth:+.{digits}f} ± {error:.{digits}f} {units}/yr"]
    if fit.month_of_maximum is not None and np.isfinite(fit.amplitude):
        digits = 1 if units == "ppm" else _digits(fit.amplitude)
        parts.append(
            f"seasonal cycle {fit.amplitude:.{digits}f} {units}, highest in {MONTHS[fit.month_of_maximum - 1]}"
        )
    return ", ".join(parts)


def region_sentence(series: RegionSeries, step: int, units: str) -> str:
    """Mean, spread and area of a region at one step, in words."""
    step = min(step, len(series.mean) - 1)
    if step < 0 or not np.isfinite(series.mean[step]):
        return "no data at this time"
    area = series.area_km2
    size = f"{area / 1e6:.2f} million km²" if area >= 1e6 else f"{area:,.0f} km²"
    mean, spread = series.mean[step], series.std[step]
    digits = 2 if units == "ppm" else _digits(max(abs(mean), spread))
    return f"mean {mean:,.{digits}f} {units}, spread {spread:,.{digits}f}, {size}"


def _digits(size: float) -> int:
    """Decimals that show three digits of a number of this size."""
    return int(np.clip(2 - np.floor(np.log10(size)), 0, 9)) if np.isfinite(size) and size > 0 else 2
