"""Area-weighted sums over a region for every step, from whichever layout answers soonest.

Rows that lie in the region from end to end come from the rows' statistics, so that the world and latitude bands cost
next to nothing; other cells from the time layout, a few chunks at a time on several threads; steps that are not
sealed, and estimates, from the maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from data.cube.chunks import ChunkStore, in_turn
from data.cube.grid import Variable
from data.cube.manifest import Block, Manifest
from data.cube.pyramid import map_layout
from data.cube.region import RegionCancelled, RegionSeries, Window, polygons, region_windows
from data.cube.rows import RowFile
from data.cube.shards import ShardLayout, shard_key
from data.cube.time_layout import block_layout, block_path, map_path

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_CHUNKS_A_JOB = 8


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
    """The finest level on which the region's rectangle has at most so many cells over all steps as are summed in some
    50 ms."""
    west, south, east, north = polygons(region).bounds
    cells = (min(east - west, 360.0) / manifest.grid.dlon) * (min(north - south, 180.0) / manifest.grid.dlat)
    excess = cells * max(len(manifest.times), 1) / 4_000_000
    return int(np.clip(np.ceil(np.log2(max(excess, 1.0)) / 2), 0, manifest.grid.levels - 1))


def _whole_rows(rows: RowFile, manifest: Manifest, variable: Variable, windows: list[Window]) -> np.ndarray:
    """Sums over the rows that lie in the region from end to end, from their statistics; their weights are set to
    zero."""
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
        source = (
            chunks.chunks_here(job.path, job.layout, job.numbers)
            if remember
            else chunks.stream(job.path, job.layout, job.numbers)
        )
        for chunk, weights in zip(source, job.weights, strict=True):
            _accumulate(chunk, weights, variable.missing, out)
        return job.steps, out[job.planes]

    with closing(in_turn(chunks.long_work, work, jobs, cancelled=cancelled)) as results:
        for done, result in enumerate(results, start=1):
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
                yield _Job(
                    f"{block_path(block)}/{shard_key((0, *shard))}", layout, numbers[part], weights[part], steps, planes
                )
    if loose:
        layout = map_layout(manifest.grid, variable, level, 1)
        for _, numbers, weights in _covered(windows, layout):
            for step, slot in loose:
                yield _Job(
                    map_path(variable.name, level, slot), layout, numbers, weights, np.array([step]), np.array([0])
                )


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
                part = window.weights[
                    top - window.row : bottom - window.row, left - window.column : right - window.column
                ]
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
    return RegionSeries(
        times,
        variable.offset + variable.scale * mean,
        variable.scale * np.sqrt(np.maximum(variance, 0.0)),
        area,
        coverage,
    )


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def _accumulate(values, weights, missing, out):
    """Weighted sums of the cells with data. values: (steps, rows, columns) codes; weights: (rows, columns); out:
    (steps, 3) += w, wx, wxx."""
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
