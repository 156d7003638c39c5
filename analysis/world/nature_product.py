"""What the package keeps of the nature run: monthly mean XCO2, and each component by height, in one small file.

Columns are kept for every month to `COLUMN_STEP_PPM`. Fields by height are kept as the leading patterns of each component
(principal components over all months and levels); how far what they give lies from the run is measured when the file is
made and kept in it ("residual_rms", "residual_max"), together with the run's own profiles at some places ("profiles").

Before and after the run's months the world repeats the nearest year of the run, shifted by the growth of the global mean.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.grids import Grid, Levels, ecmwf_levels, uniform
from analysis.world.climate import FIRST_YEAR, global_mean

PRODUCT = Path(__file__).parent / "nature_run.npz"
COLUMN_STEP_PPM = 0.005
COMPONENTS = ("biosphere", "ocean", "fossil", "fire")
"""In the order of the arrays; the run's tracers."""
PATTERNS = (44, 8, 24, 16)
"""Of each component, at most: as many as keep what is left out near a tenth of a ppm and the file below 4 MB."""
_FULL = 32_000
"""Largest code of a pattern."""


@dataclass(frozen=True, eq=False)
class NatureProduct:
    """The kept nature run.

    Attributes
    ----------
    grid, levels : of the run.
    first : its first month; count : how many months.
    background_ppm : what the air holds beside the components, everywhere and always: it makes the mean of 2015 that of
        the world.
    layers : (lev,) parts of the air of a column.
    columns : (month, lat, lon) int16 codes of XCO2 less the global mean without season.
    means : (component, month, lev) float32 ppm, means over the Earth.
    weights : (month, lev, pattern) int16 and patterns (pattern, lat, lon) int16, those of all components in turn
        (`counts` of each), whose product times scales (pattern,) are the deviations from the means, ppm.
    profiles : (component, month, lev, place) float32 ppm of the run itself, at places (place, 2) of row and column.
    residual_rms, residual_max : (component,) ppm, of what the patterns leave out.
    """

    grid: Grid
    levels: Levels
    first: np.datetime64
    background_ppm: float
    layers: np.ndarray
    columns: np.ndarray
    means: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    patterns: np.ndarray
    scales: np.ndarray
    profiles: np.ndarray
    places: np.ndarray
    residual_rms: np.ndarray
    residual_max: np.ndarray

    @property
    def count(self) -> int:
        return len(self.columns)

    def column(self, number: int) -> np.ndarray:
        """(lat, lon) ppm, mean XCO2 of a month (months since January 2000; any)."""
        index, _ = self._place(number)
        return COLUMN_STEP_PPM * self.columns[index].astype(np.float64) + _growth(number)

    def components(self, number: int) -> dict[str, np.ndarray]:
        """Component -> (lev, lat, lon) ppm in a month; "background" among them. Outside the run's months the growth
        since or until then is shared by the components as all growth since the run's start is.
        """
        index, shift = self._place(number)
        grown = _growth(number) - _growth(number - shift)
        share = self._shares()
        fields = {"background": np.full((self.levels.count, *self.grid.shape), self.background_ppm)}
        ends = np.cumsum(self.counts)
        for number_of, name in enumerate(COMPONENTS):
            own = slice(int(ends[number_of] - self.counts[number_of]), int(ends[number_of]))
            weights = self.weights[index][:, own] * self.scales[own]
            deviation = np.tensordot(weights, self.patterns[own].astype(np.float64), axes=1)
            mean = self.means[number_of, index].astype(np.float64) + share[number_of] * grown
            fields[name] = mean[:, None, None] + deviation
        return fields

    def _place(self, number: int) -> tuple[int, int]:
        """Index of the month that stands for one, and how many months it is shifted by."""
        first = int((self.first - np.datetime64(f"{FIRST_YEAR}-01", "M")).astype(int))
        index = number - first
        if index < 0:
            index = index % 12
        elif index >= self.count:
            index = self.count - 12 + (index - self.count) % 12
        return index, number - first - index

    def _shares(self) -> np.ndarray:
        """(component,) part of the growth since the run's start; they sum to one."""
        grown = self.means[:, -12:].mean(axis=1) @ self.layers
        return np.asarray(grown / grown.sum())


@functools.cache
def nature_product() -> NatureProduct:
    """That of the package."""
    return read_product(PRODUCT)


def read_product(path: Path) -> NatureProduct:
    """A product from its file."""
    with np.load(path) as kept:
        arrays = {name: kept[name] for name in kept.files}
    return NatureProduct(
        grid=uniform(str(arrays.pop("grid"))),
        levels=ecmwf_levels(int(arrays.pop("levels"))),
        first=np.datetime64(str(arrays.pop("first")), "M"),
        background_ppm=float(arrays.pop("background_ppm")),
        **{name: arrays[name] for name in _ARRAYS},
    )


_ARRAYS = ["layers", "columns", "means", "counts", "weights", "patterns", "scales", "profiles", "places"]
_ARRAYS += ["residual_rms", "residual_max"]


def write_product(
    months: Sequence[Path], first: np.datetime64, grid: Grid, levels: Levels, path: Path
) -> NatureProduct:
    """Make the product of a nature run's months.

    Parameters
    ----------
    months : files of `analysis.world.nature.run_nature`, all on one grid, from `first` on; whole years.
    path : to write.

    Raises
    ------
    ValueError : no whole number of years.
    """
    from analysis.world.nature import read_month

    if not months or len(months) % 12:
        raise ValueError(f"the product is made of whole years, not of {len(months)} months.")
    shape = (len(COMPONENTS), len(months), levels.count, *grid.shape)
    run = np.empty(shape, dtype=np.float32)
    for index, month in enumerate(months):
        run[:, index] = read_month(month)["mean"]
    share = grid.area / grid.area.sum()
    layer = layer_weights(levels)
    start = int((first.astype("datetime64[M]") - np.datetime64(f"{FIRST_YEAR}-01", "M")).astype(int))
    growth = np.array([_growth(start + index) for index in range(len(months))])
    columns = np.einsum("l,cmlyx->myx", layer, run, dtype=np.float64)
    background = float((growth - (columns * share).sum(axis=(1, 2)))[:12].mean())
    codes = np.round((columns + background - growth[:, None, None]) / COLUMN_STEP_PPM)
    places = _places(grid)
    kept: dict[str, np.ndarray] = {
        "columns": codes.astype(np.int16),
        "means": np.einsum("cmlyx,yx->cml", run, share, dtype=np.float64).astype(np.float32),
        "layers": layer,
        "profiles": np.ascontiguousarray(run[..., places[:, 0], places[:, 1]]),
        "places": places,
    }
    weight = np.sqrt(share.ravel())
    found = [
        _compressed(run[number] - kept["means"][number][..., None, None], count, weight, layer)
        for number, count in enumerate(PATTERNS)
    ]
    weights, shapes, scales, rms, largest = zip(*found, strict=True)
    kept["counts"] = np.array([len(shape) for shape in shapes])
    kept |= {"weights": np.concatenate(weights, axis=-1), "patterns": np.concatenate(shapes)}
    kept |= {"scales": np.concatenate(scales), "residual_rms": np.stack(rms), "residual_max": np.stack(largest)}
    kept |= {
        "grid": np.array(grid.name),
        "levels": np.array(levels.count),
        "first": np.array(str(first)),
        "background_ppm": np.array(background),
        "simulated": np.array(1),
    }
    with path.open("wb") as out:
        np.savez_compressed(out, **kept)  # type: ignore[arg-type]
    return read_product(path)


def layer_weights(levels: Levels) -> np.ndarray:
    """(lev,) parts of the air of a column of made-up weather, which has one surface pressure."""
    from analysis.weather.synthetic import SURFACE_PRESSURE_PA

    mass = levels.layer_mass(np.array(SURFACE_PRESSURE_PA))
    return np.asarray(mass / mass.sum())


def _compressed(field: np.ndarray, count: int, weight: np.ndarray, layer: np.ndarray) -> tuple[np.ndarray, ...]:
    """(month, lev, lat, lon) -> weights, patterns, scales, and what is left out (rms by air, and the largest)."""
    months, levels, ny, nx = field.shape
    rows = np.sqrt(np.maximum(layer, 0.25 / levels))  # thin layers near the ground and the top count, too
    scaled = (field * rows[:, None, None]).reshape(months * levels, ny * nx) * weight
    _, vectors = np.linalg.eigh(scaled @ scaled.T)
    left = vectors[:, ::-1][:, :count]
    right = (left.T @ scaled) / weight
    left = left.reshape(months, levels, -1) / rows[:, None]
    left_scale = np.abs(left).max(axis=(0, 1)) / _FULL
    right_scale = np.abs(right).max(axis=1) / _FULL
    weights = np.round(left / left_scale).astype(np.int16)
    patterns = np.round(right / right_scale[:, None]).astype(np.int16).reshape(-1, ny, nx)
    scales = left_scale * right_scale
    again = np.tensordot(weights * scales, patterns.astype(np.float64), axes=1)
    error = again - field
    share = (weight**2).reshape(ny, nx)
    rms = np.sqrt((error**2 * share).sum(axis=(2, 3)).mean(axis=0) @ layer)
    return weights, patterns, scales, np.array(rms), np.array(np.abs(error).max())


def _places(grid: Grid) -> np.ndarray:
    """(place, 2) row and column of cells whose profiles are kept as the run has them: some of the TCCON sites."""
    from data.geography import tccon_sites

    sites = tccon_sites()
    rows, columns = grid.locate(sites["lat"].to_numpy()[::3], sites["lon"].to_numpy()[::3])
    return np.stack([rows, columns], axis=1).astype(np.int16)


def _growth(number: int) -> float:
    """Global mean without season in the middle of a month, ppm."""
    return float(global_mean(FIRST_YEAR + (number + 0.5) / 12.0))
