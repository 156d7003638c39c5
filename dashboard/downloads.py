"""Files of what is on screen, made from nothing but the view's address, so that a download link is as shareable as the view.

`produce` is called by the data route in a thread; every file carries citation and provenance (`dashboard.provenance`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

import numpy as np
import xarray as xr

from analysis.errors import AnalysisError
from analysis.statistics.trends import fit_series
from dashboard.attribution import Attribution, attribution
from dashboard.library import Library, time_labels
from dashboard.mercator import MERCATOR_RADIUS_M, mercator_y
from dashboard.points import points_image, points_scale
from dashboard.provenance import Provenance, safe_filename
from dashboard.regions import named_region, region_exists, region_rings, region_title
from dashboard.shown import Shown
from dashboard.state import ViewState
from dashboard.wording import map_heading, place_text, time_text
from data.cube import View
from data.errors import DataError
from data.palettes import palette

PICTURE_PIXELS = 1600
"""Width of the picture of a map."""
MAX_CELLS = 8_000_000
"""Cells of a map in a file: a larger part is taken from a coarser level of the pyramid, which the file says."""


class DownloadProblem(DataError):
    """What is on screen cannot become the file that was asked for."""


@dataclass(frozen=True)
class Download:
    """A file to send."""

    body: bytes
    filename: str
    media_type: str


class OnScreen(Shown):
    """The view that an address describes; ``shown=low,high`` in it are the automatic limits that the screen had."""

    def __init__(self, library: Library, query: str) -> None:
        super().__init__(library, ViewState())
        self.state.apply_query(query, library.choices(), region_exists)
        self.visible: tuple[float, float] | None = None
        try:
            low, high = (float(part) for part in dict(parse_qsl(query)).get("shown", "").split(","))
        except ValueError:
            return
        if np.isfinite(low) and np.isfinite(high) and low < high:
            self.visible = (low, high)


def produce(kind: str, query: str, library: Library) -> Download:
    """Make the file `kind` (a key of KINDS) of the view that the address `query` describes.

    Raises
    ------
    DownloadProblem : no such kind, nothing to show, or no point or region selected for a series.
    """
    if kind == "emissions.csv":
        from dashboard.emissions_download import emissions_csv

        body, name = emissions_csv(library.root, query)
        return Download(body, name, "text/csv")
    if kind.startswith("atmosphere."):
        from dashboard.atmosphere_download import atmosphere_file

        return Download(*atmosphere_file(kind, query, library.root))
    if kind not in KINDS:
        raise DownloadProblem(f"There is no download '{unquote(kind)[:40]}'; there are {', '.join(KINDS)}.")
    page = OnScreen(library, query)
    if page.cube is None:
        raise DownloadProblem("There is no data set to download from.")
    maker, media_type = KINDS[kind]
    body = maker(page)
    suffix = "." + kind.rsplit(".", 1)[1]
    state = page.state
    parts = [
        state.cube,
        state.variable,
        state.time if kind != "series.csv" else region_title(state.region) if state.region else "cell",
    ]
    return Download(body, safe_filename(*parts, suffix=suffix), media_type)


def provenance(page: OnScreen, title: str, **settings: object) -> Provenance:
    """Source, citation and settings of what a page shows."""
    cube = page.cube
    attrs = {} if cube is None else cube.attrs
    origin = Attribution("", "", "") if cube is None else attribution(cube)
    state = page.state
    shown = {"variable": state.variable, "time": state.time, "projection": state.projection, **settings}
    if (other := page.other) is not None and state.compare == "difference":
        shown["minus"] = f"{other[0].title}, {time_labels(other[0])[other[2]]}"
    return Provenance(
        title=title,
        dataset="" if cube is None else f"{cube.title} {attrs.get('version', '')}".removesuffix(" unknown").strip(),
        source=origin.source,
        citation=origin.citation,
        licence=origin.licence,
        simulated=bool(attrs.get("simulated", 0)),
        settings=shown,
        address="?" + state.to_query(),
    )


def map_title(page: OnScreen) -> str:
    """What the map shows, in words."""
    cube, other = page.cube, page.other
    assert cube is not None
    text = f"{map_heading(cube, page.state.variable)}, {time_text(page.state.time)}"
    if other is not None and page.state.compare == "difference":
        text += f" minus {other[0].title}, {time_text(time_labels(other[0])[other[2]])}"
    return text


def visible_field(page: OnScreen) -> xr.DataArray:
    """The cells on screen (lat, lon) in physical units; the difference where one is shown; a coarser level if they are too many."""
    cube, state = page.cube, page.state
    assert cube is not None
    half = 0.5 * min(state.span, 360.0)
    tall = 0.5 * half
    whole = state.span >= 359.0
    bounds = (
        (-180.0, -90.0, 180.0, 90.0)
        if whole
        else (state.lon - half, max(-90.0, state.lat - tall), state.lon + half, min(90.0, state.lat + tall))
    )
    level = 0
    cells = (bounds[2] - bounds[0]) / cube.grid.dlon * (bounds[3] - bounds[1]) / cube.grid.dlat
    while cells > MAX_CELLS and level < cube.levels - 1:
        cells, level = cells / 4.0, level + 1
    field = cube.read(state.variable, page.step, bounds=bounds, level=level)
    if (other := page.other) is not None and state.compare == "difference":
        second = other[0].read(other[1], other[2], bounds=bounds, level=level if other[0].grid == cube.grid else 0)
        if second.shape != field.shape:
            second = second.interp(lat=field["lat"], lon=field["lon"], method="nearest")
        attrs = field.attrs
        field = (
            field - second.drop_vars("time", errors="ignore").assign_coords(lat=field["lat"], lon=field["lon"])
        ).assign_attrs(attrs)
    if field.size == 0:
        raise DownloadProblem("No cell of the data set is on screen; move the map over the data.")
    return field.rename(state.variable).assign_attrs(units=cube.variables[state.variable].units, pyramid_level=level)


def _netcdf(page: OnScreen) -> bytes:
    from dashboard.export import map_netcdf

    field = visible_field(page)
    return map_netcdf(field, provenance(page, map_title(page), pyramid_level=int(field.attrs["pyramid_level"])))


def _geotiff(page: OnScreen) -> bytes:
    from dashboard.export import map_geotiff

    field = visible_field(page)
    return map_geotiff(field, provenance(page, map_title(page), pyramid_level=int(field.attrs["pyramid_level"])))


def _screen(page: OnScreen) -> View:
    """The window on screen, PICTURE_PIXELS across and half as high."""
    state = page.state
    half, aspect = 0.5 * state.span, 0.5
    if state.projection == "mercator":
        x, y = np.radians(state.lon) * MERCATOR_RADIUS_M, float(mercator_y(state.lat))
        wide = np.radians(half) * MERCATOR_RADIUS_M
        x0, x1, y0, y1 = x - wide, x + wide, y - aspect * wide, y + aspect * wide
    else:
        x0, x1, y0, y1 = state.lon - half, state.lon + half, state.lat - aspect * half, state.lat + aspect * half
    height = round(PICTURE_PIXELS * (y1 - y0) / (x1 - x0))
    return View(x0=x0, x1=x1, y0=y0, y1=y1, width=PICTURE_PIXELS, height=height, projection=state.projection)


def _map_png(page: OnScreen) -> bytes:
    from dashboard.picture import map_png

    cube, state = page.cube, page.state
    assert cube is not None
    view = _screen(page)
    values = cube.decode(state.variable, cube.window(state.variable, page.step, view))
    other = page.other
    if other is not None and state.compare != "off":
        second = other[0].decode(other[1], other[0].window(other[1], other[2], view))
        if state.compare == "difference":
            values = values - second
        else:  # side by side and swipe become halves of one picture
            values[:, view.width // 2 :] = second[:, view.width // 2 :]
    low, high = page.colour_limits(page.visible)
    dots = _dots(page, view, (low, high))
    return map_png(
        values,
        (view.x0, view.x1, view.y0, view.y1),
        provenance(page, map_title(page), limits=[low, high], colours=page.palette_name),
        palette=page.palette_name,
        limits=(low, high),
        units=cube.variables[state.variable].units,
        projection=state.projection,
        label="; ".join(filter(None, [cube.variables[state.variable].long_name, _dots_label(page)])),
        coastlines="coastlines" in state.layers,
        borders="borders" in state.layers,
        points=dots,
        log=page.log,
        outlines=[np.array(ring) for ring in region_rings(state.region)],
    )


def _month(page: OnScreen) -> tuple[np.datetime64, np.datetime64]:
    """First day of the month on screen and of the next one."""
    assert page.cube is not None
    month = page.cube.times[page.step].astype("datetime64[M]")
    return month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")


def _dots(page: OnScreen, view: View, limits: tuple[float, float]) -> np.ndarray | None:
    """(height, width, 4) uint8 of the soundings of the month: in the map's colours where it is of the same unit, else in theirs."""
    from dashboard.picture import rgba

    cube, state = page.cube, page.state
    assert cube is not None
    period = _month(page)
    picture = None
    for layer, variable in (("soundings", "xco2"), ("sif", "sif")):
        if layer not in state.layers:
            continue
        archive = page.library.archive
        values, _ = points_image(archive, view, *period, variable=variable)
        scale = points_scale(archive, *period, variable=variable)
        if scale.units == cube.variables[state.variable].units:
            dots = rgba(values, palette(page.palette_name), limits, log=page.log)
        else:
            dots = rgba(values, palette(scale.palette), (scale.low, scale.high))
        picture = dots if picture is None else np.where(dots[..., 3:] > 0, dots, picture)
    return picture


def _dots_label(page: OnScreen) -> str:
    """What dots in colours of their own mean; '' without such."""
    if "sif" not in page.state.layers:
        return ""
    scale = points_scale(page.library.archive, *_month(page), variable="sif")
    return f"dots: SIF, {scale.low:.1f} (light) to {scale.high:.1f} (dark) {scale.units}"


def _still(page: OnScreen) -> bytes:
    from dashboard.still import still_png

    cube, state = page.cube, page.state
    assert cube is not None
    field = visible_field(page)
    low, high = page.colour_limits(page.visible)
    return still_png(
        field,
        provenance(page, map_title(page), limits=[low, high], colours=page.palette_name),
        limits=(low, high),
        palette=page.palette_name,
        log=page.log,
        projection="Robinson",
        units=cube.variables[state.variable].units,
        label=cube.variables[state.variable].long_name,
        borders="borders" in state.layers,
    )


def _series(page: OnScreen) -> bytes:
    from dashboard.export import series_csv

    cube, state = page.cube, page.state
    assert cube is not None
    units = cube.variables[state.variable].units
    if state.region:
        geometry = named_region(state.region)
        series = cube.region_series(state.variable, geometry, level=0)
        columns = {"std": series.std, "coverage": series.coverage}
        what = provenance(
            page, f"{cube.title}, mean over {region_title(state.region)}", region=state.region, area_km2=series.area_km2
        )
        return series_csv(
            series.times,
            series.mean,
            what,
            name=f"{state.variable}_mean",
            units=units,
            columns=columns,
            fit=_fit(series.times, series.mean),
        )
    if state.point is None:
        raise DownloadProblem("There is no series on screen; click the map or choose a region first.")
    lon, lat = state.point
    values = cube.series(state.variable, lon, lat)
    what = provenance(page, f"{cube.title}, cell at {place_text(lon, lat)}", lon=lon, lat=lat)
    return series_csv(cube.times, values, what, name=state.variable, units=units, fit=_fit(cube.times, values))


def _fit(times: np.ndarray, values: np.ndarray):
    try:
        return fit_series(times, values)
    except AnalysisError:
        return None


KINDS: dict[str, tuple[Callable[[OnScreen], bytes], str]] = {
    "map.png": (_map_png, "image/png"),
    "still.png": (_still, "image/png"),
    "map.nc": (_netcdf, "application/x-netcdf"),
    "map.tif": (_geotiff, "image/tiff"),
    "series.csv": (_series, "text/csv; charset=utf-8"),
}
"""What can be downloaded: name -> maker and media type."""
