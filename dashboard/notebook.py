"""The map of a cube in a notebook: HoloViews over the same windows as the Explore page, and the reference that tests compare with.

Each pan or zoom asks the cube for exactly the pixels that the frame shows (pyramid and numpy, never dask). Bokeh's and HoloViews'
waiting times are shortened to what made zooming quick in measurements (docs/decisions/map-rendering.md).
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dashboard.library import time_labels
from dashboard.mercator import MERCATOR_RADIUS_M, mercator_y
from data.cube import Cube, View
from data.geography import coastlines
from data.palettes import palette as colours

if TYPE_CHECKING:
    import holoviews as hv
    import panel as pn

FRAME_WIDTH, TALLEST_FRAME = 900, 700
DEGREE_M = np.pi * MERCATOR_RADIUS_M / 180.0
"""One degree of longitude in Web Mercator metres."""
LOD_TIMEOUT_MS = 50
"""How long after the last wheel event Bokeh tells the new ranges; 500 by default."""
DEBOUNCE_MS = 20
"""How long HoloViews waits for further changes of the ranges; 100 by default."""

Projection = Literal["lonlat", "mercator"]


def explore(source: Cube | str | os.PathLike[str], variable: str | None = None, **options: Any) -> pn.pane.HoloViews:
    """`explore_map` of a cube (or of the cube in a folder or at a URL) with a time slider: the last line of a notebook cell.

    Options and errors are those of `explore_map`; StoreProblem where there is no cube.
    """
    import panel as pn

    pn.extension()
    cube = source if isinstance(source, Cube) else Cube.open(source)
    return pn.pane.HoloViews(explore_map(cube, variable, **options), widget_location="bottom")


def explore_map(
    cube: Cube, variable: str | None = None, *, palette: str = "viridis", projection: Projection = "lonlat"
) -> hv.DynamicMap:
    """A map by time that reads only what it shows: the frame's pixels, with coastlines above them.

    Parameters
    ----------
    cube : with at least one step.
    variable : one of its variables; the first one if None.
    palette : a name from `data.palettes`. The colours span 2..98 % of the values of all times, so that months can be compared.
    projection : "lonlat" (axes in degrees) or "mercator" (axes in Web Mercator metres, labelled in degrees).

    Raises
    ------
    ValueError : the cube is empty or has no such variable; an unknown colour map or projection.
    """
    import holoviews as hv
    import holoviews.plotting.bokeh  # knows the options used here

    name = variable or next(iter(cube.variables))
    if name not in cube.variables or not len(cube.times):
        raise ValueError(f"expected a cube with time steps and the variable {name!r}, found {cube!r}; choose another.")
    if projection not in ("lonlat", "mercator"):
        raise ValueError(f"expected the projection 'lonlat' or 'mercator', found {projection!r}.")
    facts, (x0, x1, y0, y1) = cube.variables[name], extent(cube, projection)
    width = max(1, min(FRAME_WIDTH, round(TALLEST_FRAME * (x1 - x0) / (y1 - y0))))
    height = max(1, round(width * (y1 - y0) / (x1 - x0)))
    steps = {label: step for step, label in enumerate(time_labels(cube))}
    x, y = hv.Dimension(("x", "longitude")), hv.Dimension(("y", "latitude"))
    value = hv.Dimension(name, label=facts.long_name, unit=facts.units)

    def draw(time: str, x_range: tuple[float, float] | None, y_range: tuple[float, float] | None) -> hv.Image:
        (west, east), (south, north) = x_range or (x0, x1), y_range or (y0, y1)
        codes = cube.window(name, steps[time], View(west, east, south, north, width, height, projection))
        edges = (west, south, east, north)
        return hv.Image(cube.decode(name, codes)[::-1], bounds=edges, kdims=[x, y], vdims=[value], label=cube.title)

    picture = hv.DynamicMap(draw, kdims=[hv.Dimension("time", values=list(steps))], streams=[_visible_range()()])
    picture = picture.opts(
        cmap=colours(palette),
        clim=cube.limits(name),
        colorbar=True,
        frame_width=width,
        frame_height=height,
        xlim=(x0, x1),
        ylim=(y0, y1),
        title="{label} · {dimensions}",
        tools=["hover"],
        active_tools=["pan", "wheel_zoom"],
        lod={"factor": 10, "interval": 300, "threshold": 2000, "timeout": LOD_TIMEOUT_MS},
        hooks=[_on_canvas] if projection == "lonlat" else [_on_canvas, _in_degrees],
    )
    lines = [_projected(line, projection) for line in coastlines("110m")]
    return picture * hv.Path(lines, kdims=[x, y]).opts(color="#10202c", line_width=0.8)


def extent(cube: Cube, projection: Projection) -> tuple[float, float, float, float]:
    """x0, x1, y0, y1 of a cube's grid in the projection's units (Web Mercator ends at 85.05°)."""
    lon, lat = cube.grid.lon_edges()[[0, -1]], cube.grid.lat_edges()[[0, -1]]
    (x0, y0), (x1, y1) = _projected(np.column_stack([lon, lat]), projection).tolist()
    return x0, x1, y0, y1


def _projected(lonlat: np.ndarray, projection: Projection) -> np.ndarray:
    if projection == "lonlat":
        return lonlat
    return np.column_stack([lonlat[:, 0] * DEGREE_M, mercator_y(lonlat[:, 1])])


@cache
def _visible_range() -> Any:
    """RangeXY with a shorter debounce, as a stream of its own, so that other maps of the notebook keep theirs."""
    from holoviews.plotting.bokeh.callbacks import RangeXYCallback
    from holoviews.streams import RangeXY, Stream

    stream = type("VisibleRange", (RangeXY,), {})
    Stream._callbacks["bokeh"][stream] = type("VisibleRangeCallback", (RangeXYCallback,), {"debounce": DEBOUNCE_MS})
    return stream


def _on_canvas(plot: Any, _element: Any) -> None:
    plot.state.output_backend = "canvas"  # HoloViews takes WebGL, whose lines need seconds where there is no GPU


def _in_degrees(plot: Any, _element: Any) -> None:
    from bokeh.models import MercatorTicker, MercatorTickFormatter

    for axis, dimension in ((plot.state.xaxis, "lon"), (plot.state.yaxis, "lat")):
        axis.ticker, axis.formatter = MercatorTicker(dimension=dimension), MercatorTickFormatter(dimension=dimension)
