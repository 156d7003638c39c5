"""What the files of a run hold and what it is called: the names of CarbonTracker's mole fraction files and of XCO2 maps.

Mole fractions are (time, level, latitude, longitude) with pressure and geopotential height at the levels' `boundary`, the
total as `co2` and its parts as `bg, bio, ocean, ff, fires`. On another grid than the model's, means are weighted by dry
air, so no CO2 is lost on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.grids import Grid, Levels, Regridder
from analysis.simulation.fields import Period
from analysis.transport.sources import BACKGROUND_PPM

BACKGROUND = "background"
SHORT = {BACKGROUND: "bg", "biosphere": "bio", "ocean": "ocean", "fossil": "ff", "fire": "fires"}
"""Tracer -> its name in CarbonTracker's files."""
TITLES = {
    BACKGROUND: "background",
    "biosphere": "land biosphere",
    "ocean": "ocean",
    "fossil": "fossil fuels",
    "fire": "fires",
}

ROUNDED_PPM = 2.0**-13
"""Mole fractions in files are rounded to this (0.00012 ppm), which makes them smaller and means nothing."""

LEVEL = ("level", "latitude", "longitude")
EDGE = ("boundary", "latitude", "longitude")
PLANE = ("latitude", "longitude")


@dataclass(frozen=True)
class Quantity:
    """A variable of a file: dims without time, unit, what it is."""

    dims: tuple[str, ...]
    units: str
    long_name: str


def level_quantities(tracers: Sequence[str]) -> dict[str, Quantity]:
    """What a file of mole fractions on levels holds, by name; `co2` only where a background is carried."""
    found = {}
    if BACKGROUND in tracers:
        found["co2"] = Quantity(LEVEL, "micromol mol-1", "mole fraction of carbon dioxide in dry air")
    for name in tracers:
        words = f"mole fraction of carbon dioxide in dry air, part of the {TITLES[name]}"
        found[SHORT[name]] = Quantity(LEVEL, "micromol mol-1", words)
    found["pressure"] = Quantity(EDGE, "Pa", "pressure of dry air at the boundaries of the levels")
    found["gph"] = Quantity(
        EDGE, "m", "geopotential height of the boundaries, from pressure and the standard atmosphere"
    )
    return found


def column_quantities(tracers: Sequence[str]) -> dict[str, Quantity]:
    """What a file of columns holds, by name; total column and lowest layer only where a background is carried."""
    found = {}
    if BACKGROUND in tracers:
        found["xco2"] = Quantity(PLANE, "ppm", "XCO2")
        found["co2_lowest_layer"] = Quantity(PLANE, "ppm", "CO2 in the lowest layer")
    for name in tracers:
        part = "background" if name == BACKGROUND else f"part of the {TITLES[name]}"
        found[column_name(name)] = Quantity(PLANE, "ppm", f"XCO2, {part}")
    return found


def column_name(tracer: str) -> str:
    """Name of a tracer's column: readers of maps take an "increment" for what it is, not for CO2 as a whole."""
    return f"xco2_{SHORT[tracer]}" if tracer == BACKGROUND else f"xco2_{SHORT[tracer]}_increment"


class Target:
    """A grid that results are written on.

    Parameters
    ----------
    model : grid of the run.
    grid : of the files; the same, or any other.
    """

    def __init__(self, model: Grid, grid: Grid) -> None:
        self.grid = grid
        self._regridder = None if model.same(grid) else Regridder(model, grid)
        turned = (grid.lon + 180.0) % 360.0 - 180.0
        self._order = np.argsort(turned, kind="stable")
        self.longitude = turned[self._order]
        self.latitude = grid.lat

    @property
    def regular(self) -> bool:
        """True if all cells have one size, as maps and volumes of the data folder need it."""
        widths = (self.grid.lon_widths, self.grid.lat_widths)
        return all(np.allclose(each, each[0], rtol=1e-6) for each in widths)

    def plane(self, values: np.ndarray) -> np.ndarray:
        """(..., lat, lon) of the model as area means on this grid, from 180 W eastward."""
        found = values if self._regridder is None else self._regridder.mean(values)
        return found[..., self._order]

    def weighted(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(tracer, ..., lat, lon) means on this grid, weighted by dry air (..., lat, lon)."""
        if self._regridder is None:
            return values[..., self._order]
        return self.plane(values * weights) / self.plane(weights)


def level_values(period: Period, levels: Levels, target: Target, tracers: Sequence[str]) -> dict[str, np.ndarray]:
    """Values of `level_quantities` (float32) of one period of `fields.level_fields`."""
    surface = period.values["surface_pressure"]
    ratio = np.moveaxis(period.values["mole_fraction"], -1, 0)
    parts = target.weighted(ratio, levels.layer_mass(surface))
    pressure = levels.edge_pressure(target.plane(surface))
    found = _named(parts, tracers, "co2", SHORT.__getitem__)
    return found | {"pressure": pressure.astype(np.float32), "gph": heights(pressure).astype(np.float32)}


def column_values(period: Period, levels: Levels, target: Target, tracers: Sequence[str]) -> dict[str, np.ndarray]:
    """Values of `column_quantities` (float32) of one period of `fields.columns`."""
    surface = period.values["surface_pressure"]
    mass = levels.layer_mass(surface)
    column = target.weighted(np.moveaxis(period.values["column"], -1, 0), mass.sum(axis=0))
    found = _named(column, tracers, "xco2", column_name)
    if BACKGROUND in tracers:
        lowest = target.weighted(np.moveaxis(period.values["lowest"], -1, 0), mass[0])
        found["co2_lowest_layer"] = rounded(BACKGROUND_PPM + lowest.sum(axis=0))
    return found


def _named(
    parts: np.ndarray, tracers: Sequence[str], total: str, called: Callable[[str], str]
) -> dict[str, np.ndarray]:
    found = {}
    if BACKGROUND in tracers:
        found[total] = rounded(BACKGROUND_PPM + parts.sum(axis=0))
    for name, values in zip(tracers, parts, strict=True):
        found[called(name)] = rounded(values + (BACKGROUND_PPM if name == BACKGROUND else 0.0))
    return found


def rounded(ppm: np.ndarray) -> np.ndarray:
    """float32, rounded to `ROUNDED_PPM`."""
    return (np.round(ppm / ROUNDED_PPM) * ROUNDED_PPM).astype(np.float32)


def heights(pressure_pa: np.ndarray) -> np.ndarray:
    """(boundary, ...) m: where the standard atmosphere has these pressures; the top, of no pressure, at half of the one
    below, as the reader of such files has it.
    """
    from data.readers.level_geometry import standard_height

    hpa = np.array(pressure_pa) / 100.0
    hpa[-1] = np.where(hpa[-1] > 0, hpa[-1], np.minimum(0.005, 0.5 * hpa[-2]))
    return standard_height(hpa)


def file_attributes(facts: Mapping[str, object], target: Target) -> dict[str, object]:
    """Attributes of a file: what is said of the run, and the edges of cells that are not all of one size."""
    attrs: dict[str, object] = {"Conventions": "CF-1.11", **facts}
    if not target.regular:
        attrs["longitude_edges"] = target.grid.lon_edges
        attrs["latitude_edges"] = target.grid.lat_edges
    return attrs
