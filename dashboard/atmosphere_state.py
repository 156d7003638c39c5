"""What the Atmosphere page shows, as an address and back. Reading an address never fails: repairs are said in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import numpy as np
import param

from dashboard.query import read_query
from dashboard.state import is_monthly, polygon_vertices, time_label
from data.palettes import palettes
from data.volumes import Volume

AXES = {"km": "Height", "hpa": "Pressure"}
TOPS = {12: 200.0, 20: 50.0, 30: 10.0, 50: 1.0}
"""Choices for the top of the sections: km -> the pressure (hPa) that lies near it."""
ALONG = {"zonal": "Zonal mean", "meridian": "Along the place's meridian"}
SPANS = {
    "all": "All times",
    "year": "Year shown",
    "month": "Month shown",
    "weather": "Within each month",
}
"""Over which times variation is taken."""
COMPONENT_NAMES = {
    "co2": "Total CO₂",
    "co2_bg": "Background",
    "co2_bio": "Land biosphere",
    "co2_ocean": "Ocean",
    "co2_fossil": "Fossil fuel",
    "co2_fire": "Fires",
}
USUAL_POINT = (116.4, 39.9)
GRADIENT_LIMIT, VARIATION_LIMIT = 0.5, 1.0
"""Of the stability zone, ppm/km and ppm: see docs/decisions/stability-zone.md."""
LIMIT_RANGES = {"gradient_limit": (0.01, 10.0), "variation_limit": (0.01, 20.0)}


@dataclass(frozen=True)
class VolumeChoice:
    """What an address is checked against: a volume's components and the labels of its times."""

    name: str
    title: str
    components: tuple[str, ...]
    times: tuple[str, ...]

    @classmethod
    def of(cls, volume: Volume) -> VolumeChoice:
        """The facts of a volume."""
        monthly = is_monthly(volume.times)
        labels = tuple(time_label(moment, monthly=monthly) for moment in volume.times)
        return cls(volume.name, volume.title, volume.components, labels)


class AtmosphereState(param.Parameterized):
    """What is on screen. One instance a session."""

    volume = param.String(default="", doc="Name of the data set.")
    component = param.String(default="co2", doc="Mole fraction: the total or one of its parts.")
    time = param.String(default="", doc="Label of the time shown.")
    axis = param.Selector(default="km", objects=list(AXES), doc="Vertical axis.")
    top = param.Selector(default=30, objects=list(TOPS), doc="Where the sections end, km.")
    along = param.Selector(default="zonal", objects=list(ALONG), doc="What the height-latitude section goes along.")
    point = param.Parameter(default=USUAL_POINT, doc="(lon, lat) of the place; counts where there is no region.")
    region = param.String(default="", doc="'Countries/China', 'poly:...' or empty.")
    span = param.Selector(default="all", objects=list(SPANS), doc="Over which times variation is taken.")
    detrended = param.Boolean(default=True, doc="Variation about each place's linear trend instead of its mean.")
    gradient_limit = param.Number(default=GRADIENT_LIMIT, bounds=LIMIT_RANGES["gradient_limit"], doc="ppm/km.")
    variation_limit = param.Number(default=VARIATION_LIMIT, bounds=LIMIT_RANGES["variation_limit"], doc="ppm.")
    palette = param.String(default="viridis", doc="Colour map.")

    def to_query(self) -> str:
        """The address of this view without '?'."""
        items = [
            ("data", self.volume),
            ("component", self.component),
            ("time", self.time),
            ("axis", self.axis),
            ("top", str(self.top)),
            ("along", self.along),
            ("point", "" if self.region else f"{self.point[0]:.4f},{self.point[1]:.4f}"),
            ("region", self.region),
            ("span", self.span),
            ("trend", "out" if self.detrended else "in"),
            ("limits", f"{self.gradient_limit:g},{self.variation_limit:g}"),
            ("colours", self.palette),
        ]
        return urlencode([(key, value) for key, value in items if value], safe=",:;/", quote_via=quote)

    def apply_query(self, query: str, volumes: dict[str, VolumeChoice], regions: Callable[[str], bool]) -> list[str]:
        """Take over an address.

        Parameters
        ----------
        query : what follows '?', any text.
        volumes : the data sets there are, by name, the one to begin with first.
        regions : tells whether a named region exists.

        Returns
        -------
        One sentence for each thing that had to be repaired.
        """
        repairs: list[str] = []
        given = dict(read_query(query, repairs))
        values: dict[str, object] = {}
        self._apply_data(given, volumes, values, repairs)
        for name, choices in (("axis", AXES), ("along", ALONG), ("span", SPANS)):
            values[name] = self._choice(name, given.get(name, ""), choices, repairs)
        top = given.get("top", "")
        if top and top not in map(str, TOPS):
            repairs.append(f"'{top[:40]}' is not a top of the sections; showing {self.param.top.default} km.")
            top = ""
        values["top"] = int(top) if top else self.param.top.default
        self._apply_place(given, regions, values, repairs)
        self._apply_limits(given, values, repairs)
        values["detrended"] = given.get("trend", "out") != "in"
        palette = given.get("colours", "") or self.param.palette.default
        if palette not in (*palettes("sequential"), *palettes("diverging")):
            repairs.append(f"'{palette[:40]}' is not a colour map here; using viridis.")
            palette = "viridis"
        values["palette"] = palette
        self.param.update(**values)
        return repairs

    def fit(self, choice: VolumeChoice) -> dict[str, object]:
        """Changes that make component and time those of another data set."""
        component = self.component if self.component in choice.components else choice.components[0]
        return {"component": component, "time": known_time(self.time, choice)}

    def _choice(self, name: str, asked: str, choices: dict[str, str], repairs: list[str]) -> str:
        if asked and asked not in choices:
            repairs.append(f"'{asked[:40]}' is not a choice for '{name}'; showing '{self.param[name].default}'.")
            asked = ""
        return asked or str(self.param[name].default)

    def _apply_data(
        self, given: dict[str, str], volumes: dict[str, VolumeChoice], values: dict[str, object], repairs: list[str]
    ) -> None:
        name = given.get("data", "")
        if name not in volumes:
            other = next(iter(volumes), "")
            if name:
                repairs.append(f"The data set '{name[:40]}' is not here; showing '{other or 'nothing'}' instead.")
            name = other
        values["volume"] = name
        choice = volumes.get(name)
        if choice is None:
            return
        component = given.get("component", "")
        if component not in choice.components:
            if component:
                repairs.append(f"'{component[:40]}' is not a component of '{name}'; showing '{choice.components[0]}'.")
            component = choice.components[0]
        time = given.get("time", "")
        found = known_time(time, choice)
        if time and found != time:
            repairs.append(f"There is no data for {time[:40]}; showing {found}.")
        values.update(component=component, time=found)

    def _apply_place(
        self, given: dict[str, str], regions: Callable[[str], bool], values: dict[str, object], repairs: list[str]
    ) -> None:
        values["point"], values["region"] = USUAL_POINT, ""
        if given.get("point"):
            pair = _numbers(given["point"])
            if pair is None or not (-1080 <= pair[0] <= 1080 and -90 <= pair[1] <= 90):
                repairs.append("The point in the address is not a longitude and a latitude; showing the usual one.")
            else:
                values["point"] = ((pair[0] + 180.0) % 360.0 - 180.0, pair[1])
        region = given.get("region", "")
        known = polygon_vertices(region) is not None if region.startswith("poly:") else bool(region) and regions(region)
        if region and not known:
            repairs.append(f"There is no region '{region[:40]}'; showing a place instead.")
        elif region:
            values["region"] = region

    def _apply_limits(self, given: dict[str, str], values: dict[str, object], repairs: list[str]) -> None:
        pair = _numbers(given.get("limits", ""))
        ranges = LIMIT_RANGES.values()
        fits = pair is not None and all(low <= part <= high for part, (low, high) in zip(pair, ranges, strict=True))
        if given.get("limits") and not fits:
            repairs.append("The limits of the stability zone in the address cannot be used; showing the usual ones.")
        gradient, variation = pair if fits and pair is not None else (GRADIENT_LIMIT, VARIATION_LIMIT)
        values.update(gradient_limit=gradient, variation_limit=variation)


def known_time(text: str, choice: VolumeChoice) -> str:
    """The label itself if there is data for it, else the nearest one; the last where it is no time."""
    if not choice.times:
        return ""
    if text in choice.times:
        return text
    try:
        wanted = np.datetime64(text.strip(), "m")
    except ValueError:
        return choice.times[-1]
    if np.isnat(wanted):
        return choice.times[-1]
    known = np.array(choice.times, dtype="datetime64[m]")
    return choice.times[int(np.argmin(np.abs((known - wanted).astype(np.int64))))]


def _numbers(text: str) -> tuple[float, float] | None:
    parts = text.split(",")
    if len(parts) != 2:
        return None
    try:
        first, second = float(parts[0]), float(parts[1])
    except ValueError:
        return None
    return (first, second) if math.isfinite(first) and math.isfinite(second) else None
