"""The simulated world: monthly global XCO2 at 0.05° (or any resolution) with known truth, for the demo, the tests and
the comparisons.

Large scales (growth, season, gradients) come from the nature run, public totals of fluxes carried by the transport engine
(`analysis.world.climate`, `analysis.world.nature`), cities and power plants from `analysis.world.plumes`; land and sea differ
smoothly across coasts. What is drawn below the run's resolution leaves the means over its cells as they are. The same world is
sampled at points by the simulated instruments (`analysis.instruments`). It depends on its seed alone. Nothing here is an
observation: everything made of it carries `simulated = 1`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from analysis.world.climate import FIRST_YEAR, LAST_YEAR, NODE_LAT, NODE_LON, Climate, global_mean, month_number
from analysis.world.plumes import plumes, sources

if TYPE_CHECKING:
    import pandas as pd

    from data.cube import Grid

ATTRS: dict[str, Any] = {
    "title": "Simulated global XCO2",
    "simulated": 1,
    "source": "Carbon Weather's simulated world (analysis.world): nature run of its transport engine with made-up weather and "
    "fluxes of public totals; no observation",
    "institution": "Carbon Weather",
    "license": "CC0-1.0",
    "comment": "Simulated for demonstration and tests. It shows no real measurement and must not be used as one.",
}
"""Provenance of everything that comes from the simulated world."""

COAST_SPACING = 0.5
"""Degrees between the nodes of the land fraction: coasts are about 40 km wide, as they are in the air above them."""

_ROWS_AT_ONCE = 120
_OCEAN_UNCERTAINTY = -0.08

Quantity = Literal["xco2", "xco2_std"]


class World:
    """A world without measurement error, made from a seed.

    Parameters
    ----------
    seed : chooses the weather texture; everything else is the same in every world.
    nlat, nlon : size of the maps, 0.05° by default.
    threads : threads that share the drawing of a map; all cores by default.

    Maps are (nlat, nlon), row 0 southernmost, column 0 from -180° eastward; a cell holds its mean (near sources), its
    centre elsewhere.
    """

    def __init__(self, seed: int = 0, *, nlat: int = 3600, nlon: int = 7200, threads: int | None = None) -> None:
        if nlat < 2 or nlon < 4:
            raise ValueError(f"a world map needs at least 2 rows and 4 columns, not {nlat} x {nlon}.")
        self.seed = seed
        self.nlat, self.nlon = nlat, nlon
        self.threads = threads or os.cpu_count() or 1
        self._climate = Climate(seed)

    @property
    def grid(self) -> Grid:
        """The cells of the maps."""
        from data.cube import Grid

        return Grid(-180.0, -90.0, 360.0 / self.nlon, 180.0 / self.nlat, self.nlon, self.nlat)

    @property
    def attrs(self) -> dict[str, Any]:
        """Provenance, `simulated = 1` among it; a copy."""
        return {**ATTRS, "seed": self.seed}

    def xco2(self, month: np.datetime64) -> np.ndarray:
        """(nlat, nlon) float32 ppm, mean of a month; ValueError outside 2000-2035."""
        return self._values("xco2", month)

    def xco2_std(self, month: np.datetime64) -> np.ndarray:
        """(nlat, nlon) float32 ppm, a plausible standard uncertainty of a monthly map of such a world: clouds and low
        sun make it grow.
        """
        return self._values("xco2_std", month)

    def codes(self, month: np.datetime64, *, scale: float, offset: float, quantity: Quantity = "xco2") -> np.ndarray:
        """(nlat, nlon) int16, the same map packed: value = offset + scale * code. Takes no float32 map in between."""
        from analysis.world.render import pack_rows

        out = np.empty((self.nlat, self.nlon), dtype=np.int16)

        def keep(top: int, rows: np.ndarray) -> None:
            pack_rows(rows, scale, offset, out[top : top + rows.shape[0]])

        self._draw(quantity, month, keep)
        return out

    def sample(self, time: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        """True XCO2 at points, ppm.

        Continuous in time. Over each month the mean at a place is the map's value there; within it, growth and season
        go on and the weather moves. Near a source a point is sharper than the cell that it lies in.

        Parameters
        ----------
        time : datetime64; lat, lon : degrees. They broadcast against each other.

        Returns
        -------
        float64 of the broadcast shape.

        Raises
        ------
        ValueError : a time outside 2000-2035 or missing.
        """
        from analysis.world.render import sample_points

        when, at_lat, at_lon = np.broadcast_arrays(
            np.asarray(time, "datetime64[ns]"), np.asarray(lat, float), np.asarray(lon, float)
        )
        shape = when.shape
        when, at_lat, at_lon = when.ravel(), np.ascontiguousarray(at_lat.ravel()), np.ascontiguousarray(at_lon.ravel())
        out = np.empty(when.size)
        months = when.astype("datetime64[M]")
        for month in np.unique(months):
            number = month_number(month)
            here = np.flatnonzero(months == month)
            start = month.astype("datetime64[ns]")
            length = (month + 1).astype("datetime64[ns]") - start
            part = (when[here] - start) / length
            values = np.empty(here.size)
            backgrounds, contrasts, tables = (
                np.stack(group) for group in zip(*map(self._layers, (number - 1, number, number + 1)), strict=True)
            )
            sample_points(
                backgrounds, contrasts, _cover(), tables, _synoptic(self.seed), part, at_lat[here], at_lon[here], values
            )
            out[here] = values
        return out.reshape(shape)

    def global_mean(self, month: np.datetime64) -> float:
        """Global mean of the month without its season, ppm: the growth that every map of the world has in it."""
        return float(global_mean(FIRST_YEAR + (month_number(month) + 0.5) / 12.0))

    def _layers(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from analysis.world.render import padded

        contrast = self._climate.contrast(number)
        sea = self._climate.background(number) - contrast * _cover_of_nodes() - _plumes_of_nodes(number)
        return padded(sea), padded(contrast), plumes(number)

    def _values(self, quantity: Quantity, month: np.datetime64) -> np.ndarray:
        out = np.empty((self.nlat, self.nlon), dtype=np.float32)

        def keep(top: int, rows: np.ndarray) -> None:
            out[top : top + rows.shape[0]] = rows

        self._draw(quantity, month, keep)
        return out

    def _draw(self, quantity: Quantity, month: np.datetime64, keep: Callable[[int, np.ndarray], None]) -> None:
        """Draw a map in bands of rows; `keep` gets each band (its first row, float32 values), from any thread."""
        from analysis.world.render import draw_rows, padded

        number = month_number(month)
        if quantity == "xco2":
            background, contrast, table = self._layers(number)
        elif quantity == "xco2_std":
            background = padded(self._climate.uncertainty(number))
            contrast, table = np.full_like(background, -_OCEAN_UNCERTAINTY), np.zeros((0, 7))
        else:
            raise ValueError(f"the simulated world has xco2 and xco2_std, not {quantity!r}.")
        cover = _cover()

        def band(top: int) -> None:
            rows = np.empty((min(_ROWS_AT_ONCE, self.nlat - top), self.nlon), dtype=np.float32)
            draw_rows(background, contrast, cover, table, self.nlat, top, rows)
            keep(top, rows)

        tops = range(0, self.nlat, _ROWS_AT_ONCE)
        if self.threads == 1:
            for top in tops:
                band(top)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(band, tops))

    @property
    def sources(self) -> pd.DataFrame:
        """The named cities and power plants whose plumes are in the world, see `analysis.world.plumes.sources`."""
        return sources().copy()

    def __repr__(self) -> str:
        return f"<World seed={self.seed}: {self.nlat} x {self.nlon} cells, {FIRST_YEAR}-{LAST_YEAR}, simulated>"


@functools.cache
def _cover() -> np.ndarray:
    """Padded surface of how much land acts."""
    from analysis.world.render import padded

    return padded(_land_cover())


@functools.cache
def _land_cover() -> np.ndarray:
    """(lat, lon) at `COAST_SPACING`: land's part of the area (from the 1:50m polygons) times a land cover that varies over
    100-400 km.
    """
    from scipy.ndimage import gaussian_filter

    from data.geography import land_mask

    nlat, nlon = round(180 / COAST_SPACING), round(360 / COAST_SPACING)
    fine = 5
    land = land_mask(nlat * fine, nlon * fine).reshape(nlat, fine, nlon, fine).mean(axis=(1, 3))
    noise = np.random.default_rng(20150101).normal(size=(nlat, nlon))
    patches = sum(width * gaussian_filter(noise, width, mode=("nearest", "wrap")) for width in (1.0, 2.0, 4.0))
    vegetation = 1.0 + 0.3 * patches * np.cos(np.deg2rad(np.linspace(-90.0, 90.0, nlat)))[:, None]
    return np.asarray(land * vegetation)


@functools.cache
def _cover_of_nodes() -> np.ndarray:
    """(lat, lon) mean land cover around the climate's nodes."""
    return _around_nodes(_land_cover())


@functools.lru_cache(maxsize=96)
def _plumes_of_nodes(number: int) -> np.ndarray:
    """(lat, lon) ppm, mean of all plumes around the climate's nodes: the run has emitted them already."""
    from analysis.world.render import draw_rows, padded

    nothing = padded(np.zeros((NODE_LAT.size, NODE_LON.size)))
    rows = np.empty((round(180 / COAST_SPACING), round(360 / COAST_SPACING)), dtype=np.float32)
    draw_rows(nothing, nothing, nothing, plumes(number), rows.shape[0], 0, rows)
    return _around_nodes(rows)


def _around_nodes(fine: np.ndarray) -> np.ndarray:
    ny, nx = NODE_LAT.size, NODE_LON.size
    return np.asarray(fine.reshape(ny, fine.shape[0] // ny, nx, -1).mean(axis=(1, 3), dtype=np.float64))


@functools.cache
def _synoptic(seed: int) -> np.ndarray:
    """The weather within a month, see `sample_points`: whole cycles a month, so that its mean over a month is zero
    everywhere.
    """
    random = np.random.default_rng(np.random.SeedSequence([seed, 7]))
    count = 24
    zonal = random.integers(3, 12, count)
    meridional = random.uniform(-9.0, 9.0, count)
    cycles = random.integers(4, 10, count)
    phase = random.uniform(0.0, 2 * np.pi, count)
    return np.stack([zonal, meridional, cycles, phase, np.full(count, 0.6 / np.sqrt(count / 2))], axis=1)
