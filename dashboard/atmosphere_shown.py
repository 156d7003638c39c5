"""What an `AtmosphereState` shows of a volume, as arrays and words: no widget, no figure. All of it runs in threads.

Three pieces of work with different causes: the `Moment` (one step: section, profile, map), the `History` of a place (all
steps), and the `Stability` of the whole volume (all steps), from which zone and table follow in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError, SeriesTooShort
from analysis.statistics.area import weighted_quantiles
from analysis.statistics.sections import (
    LatitudeSection,
    Profile,
    Selection,
    TimeSection,
    column_map,
    latitude_section,
    profile,
    time_section,
)
from analysis.statistics.stability import Stability, ZoneRow, stability, zone_table
from analysis.statistics.vertical import VerticalAxis, stability_margin
from dashboard.atmosphere_state import COMPONENT_NAMES, TOPS, AtmosphereState, VolumeChoice
from dashboard.regions import named_region, region_title
from dashboard.shown import rounded_limits
from dashboard.wording import place_text, time_text
from data.home import volumes_dir
from data.volumes import Volume, VolumeStore

ROWS = 60
"""Places of the vertical axis."""

Limits = tuple[float, float]


class Volumes:
    """The volumes of a data folder; one of them is kept open."""

    def __init__(self, root: Path) -> None:
        self._store = VolumeStore(volumes_dir(root))
        self._opened: dict[str, Volume] = {}
        self._version = -1

    @property
    def version(self) -> int:
        """Grows when something is imported."""
        return self._store.version

    def choices(self) -> dict[str, VolumeChoice]:
        """What there is, real data before simulated."""
        if self._version != self._store.version:
            self._version = self._store.version
            self._opened = {name: self._store.open(name) for name in self._store.collections()}
        ranked = sorted(self._opened.values(), key=lambda volume: (volume.simulated, volume.name))
        return {volume.name: VolumeChoice.of(volume) for volume in ranked if volume.components}

    def get(self, name: str) -> Volume | None:
        """One volume, or None."""
        self.choices()
        return self._opened.get(name)


@dataclass(frozen=True)
class Moment:
    """One time: the section, the profile at the place or over the region, and the column's map."""

    section: LatitudeSection
    profile: Profile
    columns: np.ndarray
    place: str
    latitude: float
    heading: str


@dataclass(frozen=True)
class History:
    """A place or region at all times, and the limits of its values."""

    section: TimeSection
    place: str


@dataclass(frozen=True)
class ZoneShape:
    """The stability zone as areas to draw, in latitude and the axis' coordinate: xs, ys as Bokeh's multi_polygons take
    them, and the table by latitude band.
    """

    xs: list[list[list[list[float]]]]
    ys: list[list[list[list[float]]]]
    rows: list[ZoneRow]


def axis_of(state: AtmosphereState) -> VerticalAxis:
    """The vertical axis that a state asks for."""
    if state.axis == "km":
        return VerticalAxis.of("km", float(state.top), ROWS)
    return VerticalAxis.of("hPa", TOPS[state.top], ROWS)


def axis_edges(axis: VerticalAxis) -> tuple[float, float]:
    """Lower and upper edge of a regular axis in its coordinate."""
    half = 0.5 * (axis.coordinate[1] - axis.coordinate[0])
    return float(axis.coordinate[0] - half), float(axis.coordinate[-1] + half)


def step_of(volume: Volume, label: str) -> int:
    """The step of a time label."""
    return VolumeChoice.of(volume).times.index(label)


def selection_of(volume: Volume, state: AtmosphereState) -> tuple[Selection, str, float]:
    """Columns of the place or region, its name, and the latitude of its middle."""
    if state.region:
        geometry = named_region(state.region)
        if geometry is None:
            raise AnalysisError("The region has no area; choose another one.")
        return Selection.region(volume.grid, geometry), region_title(state.region), float(geometry.centroid.y)
    lon, lat = state.point
    return Selection.cell(volume.grid, lon, lat), place_text(lon, lat), float(lat)


def moment(volume: Volume, state: AtmosphereState) -> Moment:
    """Everything of one step.

    Raises
    ------
    AnalysisError : the place lies outside the data.
    DataError : the step lacks the component or its pressure.
    """
    axis, step = axis_of(state), step_of(volume, state.time)
    selection, place, latitude = selection_of(volume, state)
    lon = None
    if state.along == "meridian":
        geometry = named_region(state.region) if state.region else None
        lon = float(geometry.centroid.x) if geometry is not None else float(state.point[0])
    section = latitude_section(volume, step, state.component, axis, lon=lon)
    along = "zonal mean" if lon is None else f"along {abs(lon):.1f}°{'W' if lon < 0 else 'E'}"
    heading = f"{COMPONENT_NAMES[state.component]}, {along}, {time_text(state.time)}"
    return Moment(
        section,
        profile(volume, step, state.component, axis, selection),
        column_map(volume, step, state.component),
        place,
        latitude,
        heading,
    )


def history(volume: Volume, state: AtmosphereState, cancelled: Callable[[], bool] = lambda: False) -> History:
    """The place or region at all times."""
    selection, place, _ = selection_of(volume, state)
    return History(time_section(volume, state.component, axis_of(state), selection, cancelled=cancelled), place)


def steps_of_span(volume: Volume, state: AtmosphereState) -> np.ndarray:
    """The steps over which variation is taken."""
    steps = volume.steps_with(state.component)
    if state.span not in ("year", "month"):
        return steps
    unit = "Y" if state.span == "year" else "M"
    wanted = volume.times[step_of(volume, state.time)].astype(f"datetime64[{unit}]")
    return steps[volume.times[steps].astype(f"datetime64[{unit}]") == wanted]


def stability_key(volume: Volume, state: AtmosphereState) -> tuple[object, ...]:
    """What the stability depends on: the same key, the same result."""
    steps = steps_of_span(volume, state)
    ends = (int(steps[0]), int(steps[-1]), int(steps.size)) if steps.size else (0, 0, 0)
    return volume.name, volume.key, state.component, state.axis, state.top, state.span == "weather", ends


def stability_of(
    volume: Volume,
    state: AtmosphereState,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Stability:
    """Gradient and variation by height and latitude."""
    return stability(
        volume,
        state.component,
        axis_of(state),
        steps=steps_of_span(volume, state),
        within_months=state.span == "weather",
        cancelled=cancelled,
        progress=progress,
    )


def zone_shape(found: Stability, state: AtmosphereState) -> ZoneShape:
    """Where gradient and variation are within the limits, as areas and as a table."""
    from contourpy import FillType, contour_generator

    variation = found.variation(detrended=state.detrended)
    margin = stability_margin(
        found.gradient, variation, gradient_limit=state.gradient_limit, variation_limit=state.variation_limit
    )
    xs: list[list[list[list[float]]]] = []
    ys: list[list[list[list[float]]]] = []
    if np.isfinite(margin).any() and min(margin.shape) > 1:
        generator = contour_generator(
            found.lat, found.axis.coordinate, np.ma.masked_invalid(margin), fill_type=FillType.OuterOffset
        )
        points, offsets = generator.filled(0.0, 2.0)[:2]
        for ring, ends in zip(points, offsets, strict=True):
            assert ring is not None and ends is not None  # None only for parts that are asked for one by one
            rings = [ring[start:end] for start, end in pairwise(ends)]
            xs.append([[part[:, 0].tolist() for part in rings]])
            ys.append([[part[:, 1].tolist() for part in rings]])
    rows = zone_table(
        found,
        gradient_limit=state.gradient_limit,
        variation_limit=state.variation_limit,
        detrended=state.detrended,
    )
    return ZoneShape(xs, ys, rows)


def value_limits(volume: Volume, state: AtmosphereState) -> tuple[Limits, Limits]:
    """Colour limits of sections and of the column's map: 1st to 99th percentile of three steps of the whole period, so
    that they stay the same while time goes on.
    """
    steps = volume.steps_with(state.component)
    if not steps.size:
        raise SeriesTooShort(f"{volume.title}: there is no time with {state.component} and pressure.")
    some = np.unique(steps[np.round(np.linspace(0, steps.size - 1, min(3, steps.size))).astype(int)])
    axis = axis_of(state)
    sections = [latitude_section(volume, int(step), state.component, axis).values for step in some]
    maps = [column_map(volume, int(step), state.component) for step in some]
    weights = np.broadcast_to(volume.grid.row_areas()[:, None], maps[0].shape)
    rows = np.broadcast_to(volume.grid.row_areas()[None, :], sections[0].shape)
    return _limits(sections, rows), _limits(maps, weights)


def _limits(fields: Sequence[np.ndarray], weights: np.ndarray) -> Limits:
    values = np.stack(fields)
    low, high = weighted_quantiles(values, np.broadcast_to(weights, values.shape), [0.01, 0.99])
    return rounded_limits(float(low), float(high))
