"""Area-weighted series of a region: which cells belong to it, with what weight, and the sums over them for every step.

At level 0 a cell belongs to a region if its centre lies in it, and weighs its exact area. On coarser levels, where an estimate is
wanted at once, a cell weighs the area of its sixteen (4 x 4) parts whose centres lie in the region.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from data.cube_chunks import ChunkStore, in_turn
from data.cube_grid import Grid, Variable
from data.cube_manifest import Block, Manifest
from data.cube_pyramid import map_layout
from data.cube_rows import RowFile
from data.cube_time import block_layout, block_path, map_path
from data.errors import DataError, StoreProblem
from data.shards import ShardLayout, shard_key

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_CHUNKS_A_JOB = 8


class RegionCancelled(DataError):
    """The caller's `cancelled` said that nobody waits for the region any more."""


@dataclass(frozen=True)
class RegionSeries:
    """A region's mean at every step.

    Attributes
    ----------
    times : (n,) datetime64[ns].
    mean : (n,) float64 area-weighted mean over the cells with data, NaN where none has.
    std : (n,) float64 area-weighted standard deviation among these cells.
    area_km2 : area of the region's cells within the grid.
    coverage : (n,) float64, part of this area that has data, 0..1.
    """

    times: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    area_km2: float
    coverage: np.ndarray


@dataclass(frozen=True)
class Window:
    """Weights of a rectangle of cells.

    Attributes
    ----------
    row, column : its first row and column on the level.
    weights : (rows, columns) float32 km2, zero outside the region.
    """

    row: int
    column: int
    weights: np.ndarray


def polygons(region: BaseGeometry) -> BaseGeometry:
    """The region as a valid Polygon or MultiPolygon (crossed outlines are untangled); StoreProblem where it has no area."""
    import shapely

    if not isinstance(region, (shapely.Polygon, shapely.MultiPolygon)):
        raise StoreProblem(f"expected a polygon as region, found {getattr(region, 'geom_type', type(region).__name__)}; draw an area.")
    if region.is_empty:
        raise StoreProblem("expected a region with an area, found an empty one; draw an area.")
    coordinates = shapely.get_coordinates(region)
    if not np.isfinite(coordinates).all():
        raise StoreProblem("expected finite corners of a region, found NaN or infinite ones; draw it again.")
    if np.ptp(coordinates[:, 0]) > 3600:
        raise StoreProblem(f"expected a region within a few turns of longitude, found {np.ptp(coordinates[:, 0]):g} degrees; draw it again.")
    if not region.is_valid:
        region = shapely.make_valid(region)
    parts = [piece for part in shapely.get_parts(region) for piece in shapely.get_parts(part) if piece.geom_type == "Polygon" and piece.area > 0]
    if not parts:
        raise StoreProblem("expected a region with an area, found a line or a point; draw an area.")
    return shapely.MultiPolygon(parts) if len(parts) > 1 else parts[0]


def region_windows(grid: Grid, region: BaseGeometry, level: int) -> list[Window]:
    """The cells of a region on a pyramid level. A region too small to hold a cell's centre is the cell that holds its centroid.

    Longitudes of the region may be written in any turn, so a region across the dateline simply runs on (170..190).
    """
    region = polygons(region)
    fine = max(level - 2, 0)
    size = 1 << (level - fine)
    rows, columns = grid.shape(fine)
    step_lon, step_lat = grid.dlon * (1 << fine), grid.dlat * (1 << fine)
    areas = grid.row_areas(fine)
    windows: list[Window] = []
    west, south, east, north = region.bounds
    bottom = max(0, int((south - grid.south) / step_lat) // size * size)
    top = min(rows, -(-(int((north - grid.south) / step_lat) + 1) // size) * size)
    taken = np.zeros((0, 0), dtype=bool)
    for turn in range(int(np.floor((grid.west - east) / 360)), int(np.ceil((grid.west + grid.nlon * grid.dlon - west) / 360)) + 1):
        left = max(0, int((west + 360 * turn - grid.west) / step_lon) // size * size)
        right = min(columns, -(-(int((east + 360 * turn - grid.west) / step_lon) + 1) // size) * size)
        if left >= right or bottom >= top:
            continue
        mask = _centres_within(region, grid.west + left * step_lon - 360 * turn, grid.south + bottom * step_lat, step_lon, step_lat, (top - bottom, right - left))
        if not mask.any():
            continue
        if not taken.size:
            taken = np.zeros((top - bottom, columns), dtype=bool)
        mask &= ~taken[:, left:right]
        taken[:, left:right] |= mask
        windows.append(Window(bottom // size, left // size, _blocks(mask * areas[bottom:top, None].astype(np.float32), size)))
    if not windows:
        centroid = region.centroid
        row, column = grid.row(centroid.y), grid.column(centroid.x)
        if row is not None and column is not None:
            row, column = row >> level, column >> level
            windows.append(Window(row, column, grid.row_areas(level)[row : row + 1, None].astype(np.float32)))
    return windows


def _centres_within(region: BaseGeometry, west: float, south: float, dlon: float, dlat: float, shape: tuple[int, int]) -> np.ndarray:
    from rasterio.features import rasterize
    from rasterio.transform import Affine

    return rasterize([(region, 1)], out_shape=shape, transform=Affine(dlon, 0, west, 0, dlat, south), dtype="uint8").astype(bool)


def _blocks(values: np.ndarray, size: int) -> np.ndarray:
    if size == 1:
        return values
    rows, columns = values.shape
    padded = np.pad(values, ((0, -rows % size), (0, -columns % size)))
    return padded.reshape(padded.shape[0] // size, size, padded.shape[1] // size, size).sum(axis=(1, 3))


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def _accumulate(values, weights, missing, out):
    """Weighted sums of the cells with data. values: (steps, rows, columns) codes; weights: (rows, columns); out: (steps, 3) += w, wx, wxx."""
    for t in range(values.shape[0]):
        total, first, second = 0.0, 0.0, 0.0
        for i in range(values.shape[1]):
            for j in range(values.shape[2]):
                value = values[t, i, j]
                weight = weights[i, j]
                if value == missing or value != value:
                    weight = 0.0
                    value = 0
                product = weight * value
                total += weight
                first += product
                second += product * value
        out[t, 0] += total
        out[t, 1] += first
        out[t, 2] += second


@dataclass(frozen=True)
class _Job:
    """Some chunks of one shard, the weights of their cells, and the steps that their planes belong to."""

    path: str
    layout: ShardLayout
    numbers: list[int]
    weights: list[np.ndarray]
    steps: np.ndarray
    planes: np.ndarray


def region_series(
    chunks: ChunkStore,
    rows: RowFile,
    manifest: Manifest,
    variable: Variable,
    region: BaseGeometry,
    level: int | None,
    *,
    progress: Callable[[float], None] | None,
    cancelled: Callable[[], bool] | None,
) -> RegionSeries:
    """See `Cube.region_series`."""
    chosen = _quick_level(manifest, region) if level is None else level
    windows = region_windows(manifest.grid, region, chosen)
    area = float(sum(window.weights.sum(dtype=np.float64) for window in windows))
    sums = np.zeros((len(manifest.times), 3))
    if chosen == 0:
        sums += _whole_rows(rows, manifest, variable, windows)
    sums += region_sums(chunks, manifest, variable, windows, chosen, progress=progress, cancelled=cancelled)
    if progress is not None:
        progress(1.0)
    return series_of(sums, manifest.times, variable, area)


def _quick_level(manifest: Manifest, region: BaseGeometry) -> int:
    """The finest level on which the region's rectangle has at most so many cells over all steps as are summed in some 50 ms."""
    west, south, east, north = polygons(region).bounds
    cells = (min(east - west, 360.0) / manifest.grid.dlon) * (min(north - south, 180.0) / manifest.grid.dlat)
    excess = cells * max(len(manifest.times), 1) / 4_000_000
    return int(np.clip(np.ceil(np.log2(max(excess, 1.0)) / 2), 0, manifest.grid.levels - 1))


def _whole_rows(rows: RowFile, manifest: Manifest, variable: Variable, windows: list[Window]) -> np.ndarray:
    """Sums over the rows that lie in the region from end to end, from their statistics; their weights are set to zero."""
    sums = np.zeros((len(manifest.times), 3))
    width = manifest.grid.nlon
    for window in windows:
        if window.weights.shape[1] < width:
            continue
        whole = np.flatnonzero((window.weights > 0).all(axis=1))
        if not whole.size:
            continue
        count, mean, squares = np.moveaxis(rows.read(manifest.slots(variable.name))[:, :, window.row + whole], 1, 0)
        codes = np.where(count > 0, (mean - variable.offset) / variable.scale, 0.0)
        area = window.weights[whole, 0].astype(np.float64)
        sums[:, 0] += (area * count).sum(axis=1)
        sums[:, 1] += (area * count * codes).sum(axis=1)
        sums[:, 2] += (area * (count * codes**2 + squares / variable.scale**2)).sum(axis=1)
        window.weights[whole] = 0.0
    return sums


def region_sums(
    chunks: ChunkStore,
    manifest: Manifest,
    variable: Variable,
    windows: list[Window],
    level: int,
    *,
    progress: Callable[[float], None] | None,
    cancelled: Callable[[], bool] | None,
) -> np.ndarray:
    """(steps, 3) sums of weight, weight x value, weight x value^2 over a region, values as codes."""
    sums = np.zeros((len(manifest.times), 3))
    jobs = list(_jobs(manifest, variable, windows, level))
    remember = level > 0 and sum(job.layout.chunk_bytes * len(job.numbers) for job in jobs) <= chunks.cache_bytes // 2

    def work(job: _Job) -> tuple[np.ndarray, np.ndarray]:
        out = np.zeros((job.layout.chunk[0], 3))
        source = chunks.chunks_here(job.path, job.layout, job.numbers) if remember else chunks.stream(job.path, job.layout, job.numbers)
        for chunk, weights in zip(source, job.weights, strict=True):
            _accumulate(chunk, weights, variable.missing, out)
        return job.steps, out[job.planes]

    for done, result in enumerate(in_turn(chunks.long_work, work, jobs, cancelled=cancelled), start=1):
        if result is None:
            raise RegionCancelled("the calculation of this region was stopped.")
        steps, part = result
        sums[steps] += part
        if progress is not None:
            progress(done / len(jobs))
    return sums


def _jobs(manifest: Manifest, variable: Variable, windows: list[Window], level: int) -> Iterator[_Job]:
    slots = manifest.slots(variable.name)
    sealed = manifest.sealed[variable.name] if level == 0 else {}
    blocks: dict[int, tuple[Block, list[tuple[int, int]]]] = {}
    loose: list[tuple[int, int]] = []
    for step, slot in enumerate(slots.tolist()):
        if slot in sealed:
            block, plane = sealed[slot]
            blocks.setdefault(block.number, (block, []))[1].append((step, plane))
        elif slot >= 0:
            loose.append((step, slot))
    for block, places in blocks.values():
        layout = block_layout(manifest.grid, variable, len(block.slots))
        steps, planes = np.array(places).T
        for shard, numbers, weights in _covered(windows, layout):
            for first in range(0, len(numbers), _CHUNKS_A_JOB):
                part = slice(first, first + _CHUNKS_A_JOB)
                yield _Job(f"{block_path(block)}/{shard_key((0, *shard))}", layout, numbers[part], weights[part], steps, planes)
    if loose:
        layout = map_layout(manifest.grid, variable, level, 1)
        for _, numbers, weights in _covered(windows, layout):
            for step, slot in loose:
                yield _Job(map_path(variable.name, level, slot), layout, numbers, weights, np.array([step]), np.array([0]))


def _covered(windows: list[Window], layout: ShardLayout) -> list[tuple[tuple[int, int], list[int], list[np.ndarray]]]:
    """Shards, chunks therein and their cells' weights, for the chunks that hold any cell of the region."""
    _, height, width = layout.chunk
    _, down, across = layout.grid
    found: dict[tuple[int, int], np.ndarray] = {}
    for window in windows:
        rows, columns = window.weights.shape
        for i in range(window.row // height, (window.row + rows - 1) // height + 1):
            for j in range(window.column // width, (window.column + columns - 1) // width + 1):
                top, bottom = max(window.row, i * height), min(window.row + rows, (i + 1) * height)
                left, right = max(window.column, j * width), min(window.column + columns, (j + 1) * width)
                part = window.weights[top - window.row : bottom - window.row, left - window.column : right - window.column]
                if part.any():
                    weights = found.setdefault((i, j), np.zeros((height, width), dtype=np.float32))
                    weights[top - i * height : bottom - i * height, left - j * width : right - j * width] += part
    shards: dict[tuple[int, int], tuple[list[int], list[np.ndarray]]] = {}
    for (i, j), weights in found.items():
        numbers, kept = shards.setdefault((i // down, j // across), ([], []))
        numbers.append(i % down * across + j % across)
        kept.append(weights)
    return [(shard, numbers, kept) for shard, (numbers, kept) in shards.items()]


def series_of(sums: np.ndarray, times: np.ndarray, variable: Variable, area: float) -> RegionSeries:
    """Mean, spread and coverage from weighted sums of codes."""
    weight = sums[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(weight > 0, sums[:, 1] / weight, np.nan)
        variance = np.where(weight > 0, sums[:, 2] / weight - mean**2, np.nan)
    coverage = np.clip(weight / area, 0.0, 1.0) if area > 0 else np.zeros(len(times))
    return RegionSeries(times, variable.offset + variable.scale * mean, variable.scale * np.sqrt(np.maximum(variance, 0.0)), area, coverage)
