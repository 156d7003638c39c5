"""Drawing a screen's picture from the pyramid, and the limits of a colour map from its coarsest level."""

from __future__ import annotations

import numpy as np

from data.cube.chunks import ChunkStore
from data.cube.grid import Grid, Variable
from data.cube.manifest import Manifest
from data.cube.pyramid import map_layout
from data.cube.resample import Axis, average, gather, is_complete, latitude_axis, levels_for, longitude_axis
from data.cube.time_layout import map_path
from data.cube.view import View

_LIMIT_STEPS = 120
"""Steps that colour limits are taken from, evenly spread where there are more."""


_LIMIT_VALUES = 300_000
"""Values that they are taken from, evenly spread."""

_WORTH_TWO_THREADS = 600_000
"""Cells and pixels; fewer are drawn in about a millisecond."""


def draw(chunks: ChunkStore, grid: Grid, variable: Variable, slot: int | None, view: View) -> np.ndarray:
    """(height, width) packed values of one map; missing everywhere for slot None."""
    out = np.full((view.height, view.width), variable.missing, dtype=variable.dtype)
    if slot is None:
        return out
    lon, lat, centres = view.lon_edges(), view.lat_edges(), view.lat_centres()
    by_row = np.minimum(
        levels_for(np.diff(lat), grid.dlat, grid.levels),
        levels_for(np.array([(lon[-1] - lon[0]) / view.width]), grid.dlon, grid.levels)[0],
    )
    columns: dict[int, Axis] = {}
    first = 0
    while first < view.height:  # Web Mercator's pixels shrink with latitude: a picture may need several levels
        level = int(by_row[first])
        last = first + int(np.argmax(by_row[first:] != level)) if (by_row[first:] != level).any() else view.height
        if level not in columns:
            columns[level] = longitude_axis(lon, grid.west, grid.dlon, grid.nlon, level)
        rows = latitude_axis(lat[first : last + 1], centres[first:last], grid.south, grid.dlat, grid.nlat, level)
        if rows.cells.size and columns[level].cells.size:
            _draw_rows(chunks, grid, variable, slot, level, rows, columns[level], out[first:last])
        first = last
    return out


def _draw_rows(
    chunks: ChunkStore,
    grid: Grid,
    variable: Variable,
    slot: int,
    level: int,
    rows: Axis,
    columns: Axis,
    out: np.ndarray,
) -> None:
    layout = map_layout(grid, variable, level, 1)
    _, height, width = layout.chunk
    row_parts, row_places = _spans(rows.cells, height)
    column_parts, column_places = _spans(columns.cells, width)
    numbers = [i * layout.grid[2] + j for i, _ in row_parts for j, _ in column_parts]
    found = iter(chunks.chunks(map_path(variable.name, level, slot), layout, numbers))
    source = np.empty(
        (sum(s.stop - s.start for _, s in row_parts), sum(s.stop - s.start for _, s in column_parts)),
        dtype=variable.dtype,
    )
    top = 0
    for _, down in row_parts:
        left = 0
        for _, across in column_parts:
            source[top : top + down.stop - down.start, left : left + across.stop - across.start] = next(found)[
                0, down, across
            ]
            left += across.stop - across.start
        top += down.stop - down.start
    if rows.single and columns.single:
        gather(source, _only(rows, row_places), _only(columns, column_places), variable.missing, out)
    else:
        column_cells, column_weights = columns.padded(column_places)
        complete = is_complete(source, variable.missing)

        def band(first: int, last: int) -> None:
            average(
                source,
                rows.start[first : last + 1],
                row_places,
                rows.weights,
                column_cells,
                column_weights,
                variable.missing,
                complete,
                out[first:last],
            )

        middle = out.shape[0] // 2
        if source.size + out.size < _WORTH_TWO_THREADS:
            band(0, out.shape[0])
        else:
            other = chunks.views.submit(band, 0, middle)
            band(middle, out.shape[0])
            other.result()


def _spans(cells: np.ndarray, size: int) -> tuple[list[tuple[int, slice]], np.ndarray]:
    """Chunks that hold the cells with the span needed of each, and the cells' places where these spans are put side
    by side."""
    parts, places = [], np.empty_like(cells)
    position = 0
    owner = cells // size
    for chunk in np.unique(owner).tolist():
        inside = owner == chunk
        low, high = int(cells[inside].min()), int(cells[inside].max()) + 1
        places[inside] = cells[inside] - low + position
        parts.append((chunk, slice(low - chunk * size, high - chunk * size)))
        position += high - low
    return parts, places


def _only(axis: Axis, places: np.ndarray) -> np.ndarray:
    out = np.full(len(axis.start) - 1, -1, dtype=np.int64)
    out[np.diff(axis.start) == 1] = places
    return out


def robust_limits(chunks: ChunkStore, manifest: Manifest, variable: Variable) -> tuple[float, float]:
    """2nd and 98th percentile of a variable by area over all steps; (0.0, 1.0) without data."""
    slots = manifest.slots(variable.name)
    slots = slots[slots >= 0]
    if slots.size > _LIMIT_STEPS:
        slots = slots[np.linspace(0, slots.size - 1, _LIMIT_STEPS).astype(int)]
    level = manifest.grid.levels - 1
    layout = map_layout(manifest.grid, variable, level, 1)
    rows, columns = manifest.grid.shape(level)
    areas = manifest.grid.row_areas(level)
    most = max(_LIMIT_VALUES // max(slots.size, 1), 1)
    values, weights = [], []
    for slot in slots.tolist():
        found = variable.decode(
            chunks.tile(map_path(variable.name, level, slot), layout, slice(0, rows), slice(0, columns))
        )
        valid = np.flatnonzero(np.isfinite(found))
        valid = valid[:: -(-valid.size // most)] if valid.size else valid
        values.append(found.flat[valid])
        weights.append(areas[valid // columns])
    return area_quantiles(np.concatenate(values), np.concatenate(weights)) if sum(map(len, values)) else (0.0, 1.0)


def area_quantiles(
    values: np.ndarray, weights: np.ndarray, low: float = 0.02, high: float = 0.98
) -> tuple[float, float]:
    """Weighted quantiles of (n,) values: where the summed weight of the sorted values passes `low` and `high` of the
    whole."""
    order = np.argsort(values)
    summed = np.cumsum(weights[order])
    places = np.searchsorted(summed, np.array([low, high]) * summed[-1])
    return float(values[order[places[0]]]), float(values[order[min(places[1], len(order) - 1)]])
