"""Presentation stills: one map in a projection made for looking at, ready for a slide or a printed page.

Drawn with matplotlib's Agg canvas and PROJ's formulas, outlines from `data.geography`; nothing is fetched. The field
is drawn by `dashboard.projection`, so a still of a 0.05-degree cube takes about as long as one of a coarse map.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboard.picture import (
    DPI,
    FAINT,
    INK,
    add_lines,
    axes_at,
    colour_bar,
    degree_text,
    drawing,
    encoded,
    footer,
    heading,
    new_figure,
    outline_styles,
    over,
    rgba,
    round_degrees,
    write,
)
from dashboard.projection import SAMPLES, MapProjection, ProjectionName
from dashboard.provenance import Provenance
from data.palettes import palette as palette_colours

if TYPE_CHECKING:
    import xarray as xr

    from data.cube import Cube

TINY_PIXELS = 3
"""Islands smaller than this, on a full-HD picture, would be dots of ink and are left out."""

LAND, SEA = (0xD5, 0xD9, 0xDC), (0xEC, 0xF0, 0xF3)
"""What shows where there are no data."""


def still_png(
    field: xr.DataArray,
    provenance: Provenance,
    *,
    limits: tuple[float, float],
    palette: str = "viridis",
    projection: ProjectionName = "Robinson",
    units: str | None = None,
    label: str = "",
    central_longitude: float | None = None,
    coastlines: bool = True,
    borders: bool = False,
    width: int = 1920,
    height: int = 1080,
    dpi: float = 144,
    log: bool = False,
) -> bytes:
    """A presentation still as PNG, provenance in its text chunks.

    Parameters
    ----------
    field : dims (lat, lon), evenly spaced ascending cell centres, the globe or a part of it; NaN where missing.
    provenance : title, data set and citation are written on the picture; simulated data get a red SIMULATED mark.
    limits, palette : colours.
    projection : "Robinson", "EqualEarth" or "Mollweide" (both equal-area), "PlateCarree", "Mercator" (to 82 degrees).
    units, label : at the colour bar; by default the field's own ``units`` and nothing.
    central_longitude : middle of a global map, degrees; by default 0. A part of the globe is always centred on itself.
    coastlines, borders : draw these outlines.
    width, height : pixels; text and lines scale with them.
    dpi : resolution told to programs that print the picture; the pixels are the same.
    log : colours follow the logarithm of the values; limits are positive.

    Raises
    ------
    ValueError : other dimensions, an unknown projection, limits that do not rise, or less than 320 x 200 pixels.
    """
    if field.dims != ("lat", "lon") or min(field.shape) < 2:
        raise ValueError(f"expected a map with dims ('lat', 'lon'), found {dict(field.sizes)}.")
    if not limits[0] < limits[1] or width < 320 or height < 200:
        raise ValueError(f"expected rising limits and at least 320 x 200 pixels, found {limits}, {width} x {height}.")
    lat, lon = field["lat"].to_numpy().astype(np.float64), field["lon"].to_numpy().astype(np.float64)
    chart = _chart(projection, lat, lon, central_longitude)
    colours = palette_colours(palette)
    size = max(0.5, min(height, width * 9 / 16) / 1080)  # one for a full-HD picture
    margin, above, below = 64 * size, 132 * size, 196 * size
    x0, x1, y0, y1 = chart.extent()
    scale = min((width - 2.6 * margin) / (x1 - x0), (height - above - below) / (y1 - y0))
    map_width, map_height = max(1, round(scale * (x1 - x0))), max(1, round(scale * (y1 - y0)))
    left, bottom = round((width - map_width) / 2), round(below + (height - above - below - map_height) / 2)
    background = _background(chart, map_width, map_height)
    values = chart.draw(*_coarsened(field.to_numpy(), lat, lon, map_width), map_width, map_height)
    image = over(rgba(values, colours, limits, log=log), background)
    image[..., 3] = background[..., 3]
    with drawing:
        figure = new_figure(width, height)
        figure.figimage(image, left, bottom, origin="upper", zorder=-1)
        axes = axes_at(figure, left, bottom, map_width, map_height)
        axes.set(xlim=(x0, x1), ylim=(y0, y1), autoscale_on=False)
        axes.set_axis_off()
        _graticule(figure, axes, chart, left, bottom, scale, size)
        for lines, style in outline_styles(coastlines, borders, fine=map_width > 900 or chart.east - chart.west < 200):
            add_lines(
                axes,
                chart.place(lines, smallest=TINY_PIXELS * size / scale),
                1.25 * size * style["thickness"] / 0.8,
                alpha=style["alpha"],
            )
        axes.plot(
            *chart.outline().T, color=INK, linewidth=1.6 * size * 72 / DPI, solid_joinstyle="round", clip_on=False
        )
        heading(figure, provenance, margin, margin, size=36 * size)
        shown = field.attrs.get("units", "") if units is None else units
        text = f"{label} ({shown})" if label and shown else label or str(shown)
        bar = axes_at(figure, width * 0.29, bottom - 88 * size, width * 0.42, 20 * size)
        colour_bar(figure, bar, colours, limits, text, size=19 * size, log=log)
        footer(figure, provenance, margin, margin, size=15 * size)
        return encoded(figure, provenance, dpi=dpi)


def cube_still(
    cube: Cube,
    variable: str,
    step: int,
    provenance: Provenance,
    *,
    bounds: tuple[float, float, float, float] | None = None,
    limits: tuple[float, float] | None = None,
    width: int = 1920,
    **options: Any,
) -> bytes:
    """A still of one step of a cube, read from the pyramid level that suits the picture.

    Parameters
    ----------
    cube, variable, step : what to draw.
    provenance : as in `still_png`.
    bounds : (west, south, east, north) in degrees, west > east across the dateline; None for all of the cube.
    limits : colour limits; the cube's own robust ones by default.
    width, options : as in `still_png`.
    """
    grid = cube.grid
    across = (bounds[2] - bounds[0]) % 360.0 or 360.0 if bounds else grid.nlon * grid.dlon
    level = min(max(0, math.floor(math.log2(max(across / grid.dlon / width, 1.0)))), cube.levels - 1)
    while grid.nlon % (1 << level) or grid.nlat % (1 << level):
        level -= 1  # coarse cells that reach beyond the grid are not evenly spaced
    field = cube.read(variable, step, bounds=bounds, level=level)
    return still_png(field, provenance, limits=limits or cube.limits(variable), width=width, **options)


def _chart(projection: ProjectionName, lat: np.ndarray, lon: np.ndarray, centre: float | None) -> MapProjection:
    """The projection of a field's whole extent."""
    dlat, dlon = (lat[-1] - lat[0]) / (lat.size - 1), (lon[-1] - lon[0]) / (lon.size - 1)
    south, north = max(-90.0, lat[0] - dlat / 2), min(90.0, lat[-1] + dlat / 2)
    if lon.size * dlon > 359.0:
        middle = centre or 0.0
        return MapProjection(projection, middle - 180.0, middle + 180.0, float(south), float(north))
    return MapProjection(projection, float(lon[0] - dlon / 2), float(lon[-1] + dlon / 2), float(south), float(north))


def _coarsened(
    values: np.ndarray, lat: np.ndarray, lon: np.ndarray, map_width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Field and axes; means of blocks of cells where several would fall on one sample of the picture."""
    most = max(1, lon.size // (SAMPLES * map_width))
    factor = next(size for size in range(most, 0, -1) if lat.size % size == 0 and lon.size % size == 0)
    values = np.asarray(values, dtype=np.float32)
    if factor == 1:
        return values, lat, lon
    blocks = values.reshape(lat.size // factor, factor, lon.size // factor, factor)
    seen = ~np.isnan(blocks)
    count = seen.sum(axis=(1, 3))
    total = np.where(seen, blocks, 0).sum(axis=(1, 3), dtype=np.float64)
    means = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0).astype(np.float32)
    return means, lat.reshape(-1, factor).mean(axis=1), lon.reshape(-1, factor).mean(axis=1)


def _background(chart: MapProjection, width: int, height: int) -> np.ndarray:
    """(height, width, 4) uint8 land and sea, transparent outside the map's edge."""
    from data import geography

    n_lat, n_lon = 720, 1440
    lat, lon = (np.arange(n_lat) + 0.5) * 0.25 - 90, (np.arange(n_lon) + 0.5) * 0.25 - 180
    land = chart.draw(geography.land_mask(n_lat, n_lon).astype(np.float32), lat, lon, width, height)
    share = np.nan_to_num(land)[..., None]
    picture = np.empty((height, width, 4), dtype=np.uint8)
    picture[..., :3] = np.round(share * np.array(LAND) + (1 - share) * np.array(SEA))
    picture[..., 3] = np.where(np.isnan(land), 0, 255)
    return picture


def _graticule(
    figure: Any, axes: Any, chart: MapProjection, left: float, bottom: float, scale: float, size: float
) -> None:
    """Thin parallels and meridians; labels of parallels on the left, of meridians below rectangular maps."""
    from matplotlib.collections import LineCollection

    x0, _, y0, _ = chart.extent()
    parallels = round_degrees(chart.south, chart.north, 7)
    meridians = round_degrees(chart.west, chart.east, 9 if chart.rectangular else 13)
    lat, lon = np.linspace(chart.south, chart.north, 181), np.array([chart.west, chart.east])
    lines = [np.column_stack(chart.forward(lon, np.full(2, parallel))) for parallel in parallels]
    lines += [np.column_stack(chart.forward(np.full(181, meridian), lat)) for meridian in meridians]
    axes.add_collection(
        LineCollection(lines, colors="#ffffff", linewidths=0.9 * size * 72 / DPI, alpha=0.35), autolim=False
    )
    for parallel in parallels[np.abs(parallels) < 89]:
        x, y = (float(part[0]) for part in chart.forward(np.array([chart.west]), np.array([parallel])))
        write(
            figure,
            left + (x - x0) * scale - 12 * size,
            bottom + (y - y0) * scale,
            degree_text(parallel, "NS"),
            15 * size,
            ha="right",
            va="center",
            color=FAINT,
        )
    if chart.rectangular:
        for meridian in meridians:
            x = float(chart.forward(np.array([meridian]), np.array([chart.south]))[0][0])
            write(
                figure,
                left + (x - x0) * scale,
                bottom - 10 * size,
                degree_text((meridian + 180) % 360 - 180, "EW"),
                15 * size,
                ha="center",
                va="top",
                color=FAINT,
            )
