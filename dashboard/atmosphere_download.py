"""Files of what the Atmosphere page shows, made from nothing but its address, with citation and provenance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import AnalysisError
from analysis.statistics.stability import Stability
from analysis.statistics.vertical import stability_margin
from dashboard.atmosphere_shown import (
    Volumes,
    axis_edges,
    axis_of,
    history,
    moment,
    stability_of,
    value_limits,
    zone_shape,
)
from dashboard.atmosphere_state import COMPONENT_NAMES, SPANS, AtmosphereState
from dashboard.attribution import attribution_of
from dashboard.provenance import SIMULATED_NOTE, Provenance, one_line, safe_filename
from dashboard.regions import region_exists
from data.errors import DataError
from data.volumes import Volume

if TYPE_CHECKING:
    import xarray as xr

PREFIX = "atmosphere."
WIDTH, HEIGHT = 1200, 640
"""Pixels of the picture's axes."""


class NoDownload(DataError):
    """What is on screen cannot become the file that was asked for."""


@dataclass(frozen=True)
class _View:
    """A volume and what is to be seen of it."""

    volume: Volume
    state: AtmosphereState

    def provenance(self, title: str, **settings: object) -> Provenance:
        volume, state = self.volume, self.state
        origin = attribution_of(volume.attrs)
        shown = {"component": state.component, "time": state.time, "axis": state.axis, "along": state.along, **settings}
        return Provenance(
            title=title,
            dataset=volume.title,
            source=origin.source,
            citation=origin.citation,
            licence=origin.licence,
            simulated=volume.simulated,
            settings=shown,
            address="?" + state.to_query(),
        )


def atmosphere_file(kind: str, query: str, root: Path) -> tuple[bytes, str, str]:
    """Bytes, name and media type of the file `kind` (a key of KINDS) of the view that an address describes.

    Raises
    ------
    NoDownload : no such kind, no data, or nothing to put into the file.
    """
    if kind not in KINDS:
        raise NoDownload(f"There is no download '{kind[:40]}' of the atmosphere; there are {', '.join(KINDS)}.")
    volumes, state = Volumes(root), AtmosphereState()
    choices = volumes.choices()
    state.apply_query(query, choices, region_exists)
    volume = volumes.get(state.volume)
    if volume is None:
        raise NoDownload("There are no mole fractions on levels in the data folder; import some first.")
    maker, media_type = KINDS[kind]
    try:
        body = maker(_View(volume, state))
    except AnalysisError as error:
        raise NoDownload(str(error)) from error
    what, suffix = kind.removeprefix(PREFIX).rsplit(".", 1)
    return body, safe_filename(volume.name, state.component, what, state.time, suffix=f".{suffix}"), media_type


# -------------------------------------------------------------------------------------------------------------- tables
def _profile_csv(view: _View) -> bytes:
    found, state = moment(view.volume, view.state), view.state
    axis, profile = axis_of(state), found.profile
    title = f"Profile of {COMPONENT_NAMES[state.component]}, {found.place}, {state.time}"
    head = view.provenance(
        title, place=found.place, columns=profile.count, column_mean_ppm=round(profile.column_ppm, 4)
    )
    name = "height_km" if axis.kind == "km" else "pressure_hpa"
    columns: list[tuple[str, np.ndarray]] = [(name, axis.values), (f"{state.component}_ppm", profile.mean)]
    if axis.kind == "hPa":
        columns.insert(1, ("height_km", profile.height_km))
    if profile.count > 1:
        columns.append(("std_among_columns_ppm", profile.spread))
    return _csv(head, columns, [f"pressure-weighted dry column mean: {profile.column_ppm:.4f} ppm"])


def _zone_csv(view: _View) -> bytes:
    state, axis = view.state, axis_of(view.state)
    found = stability_of(view.volume, state)
    rows = zone_shape(found, state).rows
    unit = "km" if axis.kind == "km" else "hpa"
    nothing = float("nan")
    columns = [
        ("south", np.array([row.south for row in rows])),
        ("north", np.array([row.north for row in rows])),
        (f"bottom_{unit}", np.array([row.zone.bottom if row.zone else nothing for row in rows])),
        (f"top_{unit}", np.array([row.zone.top if row.zone else nothing for row in rows])),
        ("depth_km", np.array([row.zone.depth_km if row.zone else nothing for row in rows])),
        ("further_ranges", np.array([float(row.zone.others) if row.zone else nothing for row in rows])),
        ("mean_ppm", np.array([row.mean for row in rows])),
        ("gradient_ppm_per_km", np.array([row.gradient for row in rows])),
        ("variation_ppm", np.array([row.variation for row in rows])),
    ]
    head = view.provenance("Stability zone by latitude", **_limits(found, state))
    note = "empty: no range of at least 1 km within the limits; a top at the section's end may lie higher"
    return _csv(head, columns, [note])


def _csv(provenance: Provenance, columns: list[tuple[str, np.ndarray]], notes: Iterable[str]) -> bytes:
    lines = [f"# {key}: {text}" for key, text in provenance.entries().items()]
    lines += [f"# {one_line(note)}" for note in notes]
    lines.append(",".join(name for name, _ in columns))
    for row in zip(*(values for _, values in columns), strict=True):
        lines.append(",".join(f"{value:.7g}" if np.isfinite(value) else "" for value in row))
    return ("\n".join(lines) + "\n").encode("utf-8")


# -------------------------------------------------------------------------------------------------------------- netCDF
def _section_nc(view: _View) -> bytes:
    import xarray as xr

    state, volume = view.state, view.volume
    found = moment(volume, state)
    variables = {
        state.component: (found.section.values, "ppm", found.heading),
        "height": (found.section.height_km, "km", "geopotential height"),
    }
    settings: dict[str, object] = {}
    try:
        stable = stability_of(volume, state)
    except AnalysisError as error:
        settings["stability"] = str(error)
    else:
        variation = stable.variation(detrended=state.detrended)
        margin = stability_margin(
            stable.gradient, variation, gradient_limit=state.gradient_limit, variation_limit=state.variation_limit
        )
        settings |= _limits(stable, state)
        variables |= {
            "gradient": (stable.gradient, "ppm km-1", "mean of |dC/dz| over time and longitude"),
            "variation": (variation, "ppm", "standard deviation in time at a place, root mean square over longitude"),
            "stability_margin": (
                margin,
                "1",
                "1 - the larger of gradient and variation by its limit; the zone is >= 0",
            ),
        }
    lat = ("lat", found.section.lat, {"standard_name": "latitude", "units": "degrees_north"})
    dataset = xr.Dataset(coords={**_vertical(view), "lat": lat})
    name = next(iter(_vertical(view)))
    for variable, (values, units, long_name) in variables.items():
        dataset[variable] = ((name, "lat"), values.astype(np.float32), {"units": units, "long_name": long_name})
    return _encoded(dataset, view.provenance(found.heading, **settings))


def _history_nc(view: _View) -> bytes:
    import xarray as xr

    found, state = history(view.volume, view.state), view.state
    name = next(iter(_vertical(view)))
    time = ("time", found.section.times, {"standard_name": "time"})
    dataset = xr.Dataset(coords={**_vertical(view), "time": time})
    long_name = f"{COMPONENT_NAMES[state.component]}, {found.place}"
    dataset[state.component] = (
        ("time", name),
        found.section.values.T.astype(np.float32),
        {"units": "ppm", "long_name": long_name},
    )
    dataset["column_mean"] = (
        "time",
        found.section.column_ppm,
        {"units": "ppm", "long_name": "pressure-weighted dry column mean"},
    )
    return _encoded(dataset, view.provenance(f"Height and time, {found.place}", place=found.place))


def _vertical(view: _View) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
    axis = axis_of(view.state)
    if axis.kind == "km":
        attrs = {"units": "km", "long_name": "geopotential height", "positive": "up"}
        return {"height_level": ("height_level", axis.values, attrs)}
    attrs = {"units": "hPa", "standard_name": "air_pressure", "positive": "down"}
    return {"pressure_level": ("pressure_level", axis.values, attrs)}


def _encoded(dataset: xr.Dataset, provenance: Provenance) -> bytes:
    dataset.attrs = {
        "Conventions": "CF-1.11",
        **provenance.entries(),
        "history": f"{provenance.created}: exported by {provenance.program}",
        "simulated": np.int8(provenance.simulated),
    }
    if provenance.simulated:
        for variable in dataset.data_vars.values():
            variable.attrs |= {"simulated": np.int8(1), "comment": SIMULATED_NOTE}
    encoding: dict[str, dict[str, object]] = {
        str(name): {"zlib": True, "complevel": 4} for name, item in dataset.data_vars.items() if item.ndim > 1
    }
    if "time" in dataset.coords:
        encoding["time"] = {"units": "hours since 1970-01-01", "dtype": "float64"}
    return bytes(dataset.to_netcdf(engine="h5netcdf", encoding=encoding))


def _limits(found: Stability, state: AtmosphereState) -> dict[str, object]:
    return {
        "gradient_limit_ppm_per_km": state.gradient_limit,
        "variation_limit_ppm": state.variation_limit,
        "variation_over": SPANS[state.span],
        "trend": "taken out" if state.detrended else "left in",
        "times": f"{found.steps} of {found.steps_all}, {str(found.start)[:10]} to {str(found.end)[:10]}",
    }


# ------------------------------------------------------------------------------------------------------------- picture
def _section_png(view: _View) -> bytes:
    from dashboard.picture import (
        FAINT,
        HIGHLIGHT,
        INK,
        axes_at,
        colour_bar,
        drawing,
        encoded,
        footer,
        heading,
        new_figure,
    )
    from data.palettes import palette

    state, volume = view.state, view.volume
    axis, found = axis_of(state), moment(volume, state)
    limits, _ = value_limits(volume, state)
    settings: dict[str, object] = {"limits": list(limits)}
    stable: Stability | None = None
    try:
        stable = stability_of(volume, state)
        settings |= _limits(stable, state)
    except AnalysisError as error:
        settings["stability"] = str(error)
    low, high = axis_edges(axis)
    colours = palette(state.palette)
    left, right, above, below = 78, 40, 70, 150
    what = view.provenance(found.heading, **settings)
    with drawing:
        from matplotlib.colors import ListedColormap

        figure = new_figure(left + WIDTH + right, above + HEIGHT + below)
        axes = axes_at(figure, left, below, WIDTH, HEIGHT)
        grid = volume.grid
        extent = (grid.south, grid.south + grid.nlat * grid.dlat, low, high)
        axes.imshow(
            np.ma.masked_invalid(found.section.values),
            origin="lower",
            extent=extent,
            aspect="auto",
            cmap=ListedColormap(colours),
            vmin=limits[0],
            vmax=limits[1],
            interpolation="nearest",
        )
        axes.set_facecolor("#e6ebef")
        if stable is not None:
            margin = stability_margin(
                stable.gradient,
                stable.variation(detrended=state.detrended),
                gradient_limit=state.gradient_limit,
                variation_limit=state.variation_limit,
            )
            if np.isfinite(margin).any():
                shown = np.ma.masked_invalid(margin)
                hatched = axes.contourf(stable.lat, axis.coordinate, shown, [0.0, 2.0], colors="none", hatches=["/"])
                hatched.set(edgecolor=HIGHLIGHT, linewidth=0.0)
                axes.contour(stable.lat, axis.coordinate, shown, [0.0], colors=[HIGHLIGHT], linewidths=2)
        _ticks(axes, axis.kind, low, high)
        axes.set_ylabel("Height (km)" if axis.kind == "km" else "Pressure (hPa)", color=INK, fontsize=9)
        axes.tick_params(labelsize=8.5, colors=INK)
        for spine in axes.spines.values():
            spine.set_color(FAINT)
        heading(figure, what, left, right, size=19)
        bar = axes_at(figure, left + WIDTH // 4, 88, WIDTH // 2, 13)
        label = "dry air mole fraction (ppm)" + ("; hatched: stability zone" if stable is not None else "")
        colour_bar(figure, bar, colours, limits, label, size=12)
        footer(figure, what, left, right, size=10.5)
        return encoded(figure, what)


def _ticks(axes: object, kind: str, low: float, high: float) -> None:
    from dashboard.atmosphere_views import PRESSURE_TICKS

    if kind == "km":
        places = {float(km): str(km) for km in range(0, int(high) + 1, 5 if high > 20 else 2)}
    else:
        places = {float(-np.log(hpa)): str(hpa) for hpa in PRESSURE_TICKS if low <= -np.log(hpa) <= high + 1e-9}
    axes.set_yticks(list(places), list(places.values()))  # type: ignore[attr-defined]
    lat = np.arange(-90, 91, 30)
    names = ["0°" if value == 0 else f"{abs(value)}°{'S' if value < 0 else 'N'}" for value in lat]
    start, end = axes.get_xlim()  # type: ignore[attr-defined]
    inside = [(value, name) for value, name in zip(lat, names, strict=True) if start <= value <= end]
    axes.set_xticks([value for value, _ in inside], [name for _, name in inside])  # type: ignore[attr-defined]


KINDS: dict[str, tuple[Callable[[_View], bytes], str]] = {
    "atmosphere.section.png": (_section_png, "image/png"),
    "atmosphere.section.nc": (_section_nc, "application/x-netcdf"),
    "atmosphere.history.nc": (_history_nc, "application/x-netcdf"),
    "atmosphere.profile.csv": (_profile_csv, "text/csv; charset=utf-8"),
    "atmosphere.zone.csv": (_zone_csv, "text/csv; charset=utf-8"),
}
"""What can be downloaded: name -> maker and media type."""
