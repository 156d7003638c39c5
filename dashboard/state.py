"""The one description of what a user looks at, and how it becomes an address and back.

Everything on the Explore page follows from a `ViewState`: pages watch it, controls write to it, and its query string is the shared
link. Reading an address never fails: whatever is unknown, stale or malformed is replaced by a sensible value and said in a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import numpy as np
import param

from dashboard.query import read_query
from data.palettes import palettes

COMPARE_MODES = ("off", "difference", "side", "swipe")
PROJECTIONS = ("lonlat", "mercator")
LAYERS = ("coastlines", "borders", "tccon", "cities", "plants", "soundings", "sif", "uncertainty")
DEFAULT_LAYERS = ("coastlines", "borders")
LIMIT_MODES = ("auto", "all", "manual")
SCALES = ("auto", "linear", "log")
AUTOMATIC = "auto"
"""The colour map that suits the quantity (`dashboard.natural`)."""
MAX_POLYGON_VERTICES = 400


@dataclass(frozen=True)
class CubeChoice:
    """What `ViewState` must know of a cube to check an address: its variables, its time labels and its extent in degrees."""

    name: str
    variables: tuple[str, ...]
    times: tuple[str, ...]
    west: float
    east: float
    south: float
    north: float


def time_label(time: np.datetime64, *, monthly: bool) -> str:
    """'2021-07' for monthly data, '2021-07-14' or '2021-07-14T12:30' otherwise; the form used in addresses."""
    text = str(time.astype("datetime64[m]"))
    if monthly:
        return text[:7]
    return text[:10] if text.endswith("T00:00") else text


def is_yearly(times: np.ndarray) -> bool:
    """True if two time steps or more stand for whole years: each in the middle of another one."""
    times = np.asarray(times)
    years = times.astype("datetime64[Y]")
    days = (times.astype("datetime64[D]") - years.astype("datetime64[D]")).astype(int)
    return bool(times.size > 1 and times.size == np.unique(years).size and np.all((days >= 181) & (days <= 183)))


def is_monthly(times: np.ndarray) -> bool:
    """True if no two time steps share a calendar month and all stand for whole months (mid-month or first of month)."""
    months = np.asarray(times).astype("datetime64[M]")
    days = (np.asarray(times).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int)
    return bool(months.size == np.unique(months).size and np.all((days == 0) | ((days >= 13) & (days <= 16))))


class ViewState(param.Parameterized):
    """What is on screen. One instance a session; pages watch it and controls write to it."""

    cube = param.String(default="", doc="Name of the cube on the map.")
    variable = param.String(default="", doc="Variable of the cube.")
    time = param.String(default="", doc="Time label of the step on the map ('2021-07').")
    compare = param.Selector(default="off", objects=list(COMPARE_MODES), doc="How a second map is shown.")
    compare_cube = param.String(default="", doc="Second cube; empty for the same one.")
    compare_time = param.String(default="", doc="Time label of the second map; empty for the same one.")
    projection = param.Selector(default="lonlat", objects=list(PROJECTIONS), doc="Plate carrée or Web Mercator.")
    lon = param.Number(default=0.0, doc="Longitude of the map's centre, degrees east.")
    lat = param.Number(default=0.0, bounds=(-90.0, 90.0), doc="Latitude of the map's centre, degrees north.")
    span = param.Number(default=360.0, bounds=(0.05, 720.0), doc="Width of the map, degrees of longitude.")
    palette = param.String(default=AUTOMATIC, doc="Colour map; 'auto' for what suits the quantity.")
    scale = param.Selector(
        default="auto", objects=list(SCALES), doc="How colours follow values; auto: as suits the quantity."
    )
    limits = param.Selector(
        default="auto",
        objects=list(LIMIT_MODES),
        doc="auto: what is visible now, locked while playing; all: every time step.",
    )
    low = param.Number(default=0.0, doc="Lower colour limit where `limits` is manual, in the variable's units.")
    high = param.Number(default=1.0, doc="Upper colour limit where `limits` is manual, in the variable's units.")
    layers = param.List(default=list(DEFAULT_LAYERS), doc="Switched-on overlays, from LAYERS.")
    point = param.Parameter(default=None, doc="(lon, lat) of the clicked cell or None.")
    region = param.String(default="", doc="'Countries/China', 'poly:lon,lat;lon,lat;...' or empty.")

    def to_query(self) -> str:
        """The address of this view without '?': every setting that the picture depends on, in readable form."""
        items: list[tuple[str, str]] = [("cube", self.cube), ("var", self.variable), ("time", self.time)]
        if self.compare != "off":
            items += [("compare", self.compare), ("with", self.compare_cube), ("with_time", self.compare_time)]
        items += [
            ("at", f"{self.lon:.4f},{self.lat:.4f},{self.span:.4f}"),
            ("proj", self.projection),
            ("colours", self.palette),
            ("scale", "" if self.scale == "auto" else self.scale),
            ("limits", f"{self.low:g},{self.high:g}" if self.limits == "manual" else self.limits),
            ("layers", ".".join(self.layers)),
        ]
        if self.point is not None:
            items.append(("point", f"{self.point[0]:.4f},{self.point[1]:.4f}"))
        if self.region:
            items.append(("region", self.region))
        return urlencode(
            [(key, value) for key, value in items if value or key == "layers"], safe=",:;/", quote_via=quote
        )

    def apply_query(self, query: str, cubes: Mapping[str, CubeChoice], regions: Callable[[str], bool]) -> list[str]:
        """Take over an address.

        Parameters
        ----------
        query : what follows '?', any text.
        cubes : the cubes there are, by name.
        regions : tells whether a named region ('Countries/China') exists.

        Returns
        -------
        One sentence for each thing that had to be repaired; empty where all was well.
        """
        repairs: list[str] = []
        given = dict(read_query(query, repairs))
        values: dict[str, object] = {}
        choice = self._apply_data(given, cubes, values, repairs)
        self._apply_comparison(given, cubes, choice, values, repairs)
        self._apply_place(given, choice, values, repairs)
        self._apply_colours(given, values, repairs)
        self._apply_selection(given, regions, values, repairs)
        self.param.update(**values)
        return repairs

    def _apply_data(
        self, given: dict[str, str], cubes: Mapping[str, CubeChoice], values: dict[str, object], repairs: list[str]
    ) -> CubeChoice | None:
        name = given.get("cube", "") or self.cube
        if name not in cubes:
            fallback = next(iter(cubes), "")
            if name and given.get("cube"):
                repairs.append(f"The data set '{name[:40]}' is not here; showing '{fallback or 'nothing'}' instead.")
            name = fallback
        choice = cubes.get(name)
        values["cube"] = name
        if choice is None:
            return None
        variable = given.get("var", "") or (self.variable if self.variable in choice.variables else "")
        if variable not in choice.variables:
            if variable:
                repairs.append(f"'{variable[:40]}' is not a variable of '{name}'; showing '{choice.variables[0]}'.")
            variable = choice.variables[0]
        values["variable"] = variable
        values["time"] = _known_time(given.get("time", "") or self.time, choice, repairs, asked="time" in given)
        return choice

    def _apply_comparison(
        self,
        given: dict[str, str],
        cubes: Mapping[str, CubeChoice],
        choice: CubeChoice | None,
        values: dict[str, object],
        repairs: list[str],
    ) -> None:
        mode = given.get("compare", "off") or "off"
        if mode not in COMPARE_MODES:
            repairs.append(f"'{mode[:40]}' is not a way to compare; the comparison is off.")
            mode = "off"
        other = given.get("with", "")
        if other and other not in cubes:
            repairs.append(
                f"The data set '{other[:40]}' to compare with is not here; comparing with the same data set."
            )
            other = ""
        values["compare"] = mode
        values["compare_cube"] = other
        second = cubes.get(other) if other else choice
        time = given.get("with_time", "")
        values["compare_time"] = _known_time(time, second, repairs, asked=True) if time and second else ""

    def _apply_place(
        self, given: dict[str, str], choice: CubeChoice | None, values: dict[str, object], repairs: list[str]
    ) -> None:
        projection = given.get("proj", self.projection)
        if projection not in PROJECTIONS:
            repairs.append(f"'{projection[:40]}' is not a projection; showing longitude and latitude.")
            projection = "lonlat"
        values["projection"] = projection
        default = home_view(choice)
        place = _numbers(given["at"], 3) if "at" in given else default
        if place is None or not (-1080 <= place[0] <= 1080 and -90 <= place[1] <= 90 and 0.05 <= place[2] <= 720):
            repairs.append("The position in the address is not a place on the map; showing all of it.")
            place = default
        lon = (place[0] + 180.0) % 360.0 - 180.0 if abs(place[0]) > 180 else place[0]
        values.update(lon=lon, lat=place[1], span=place[2])

    def _apply_colours(self, given: dict[str, str], values: dict[str, object], repairs: list[str]) -> None:
        palette = given.get("colours", self.palette)
        if palette not in (AUTOMATIC, *palettes("sequential"), *palettes("diverging")):
            repairs.append(f"'{palette[:40]}' is not a colour map here; using the one that suits the quantity.")
            palette = AUTOMATIC
        values["palette"] = palette
        scale = given.get("scale", "auto") or "auto"
        if scale not in SCALES:
            repairs.append(f"'{scale[:40]}' is not a scale of colours; using the one that suits the quantity.")
            scale = "auto"
        values["scale"] = scale
        limits = given.get("limits", self.limits)
        if limits in ("auto", "all"):
            values["limits"] = limits
        elif limits == "manual":
            pass
        elif (pair := _numbers(limits, 2)) is not None and pair[0] < pair[1]:
            values.update(limits="manual", low=pair[0], high=pair[1])
        else:
            repairs.append("The colour limits in the address are not two rising numbers; using automatic limits.")
            values["limits"] = "auto"
        if "layers" in given:
            named = [layer for layer in given["layers"].split(".") if layer]
            unknown = [layer for layer in named if layer not in LAYERS]
            if unknown:
                repairs.append(f"There is no layer '{unknown[0][:40]}'; it was left out.")
            values["layers"] = [layer for layer in LAYERS if layer in named]

    def _apply_selection(
        self, given: dict[str, str], regions: Callable[[str], bool], values: dict[str, object], repairs: list[str]
    ) -> None:
        values["point"], values["region"] = None, ""
        if given.get("point"):
            pair = _numbers(given["point"], 2)
            if pair is None or not (-1080 <= pair[0] <= 1080 and -90 <= pair[1] <= 90):
                repairs.append("The point in the address is not a longitude and a latitude; no point is selected.")
            else:
                values["point"] = ((pair[0] + 180.0) % 360.0 - 180.0, pair[1])
        region = given.get("region", "")
        if region.startswith("poly:"):
            if polygon_vertices(region) is None:
                repairs.append("The region in the address is not a polygon; no region is selected.")
                region = ""
        elif region and not regions(region):
            repairs.append(f"There is no region '{region[:40]}'; no region is selected.")
            region = ""
        values["region"] = region


def home_view(choice: CubeChoice | None) -> tuple[float, float, float]:
    """Centre longitude, centre latitude and width in degrees that show all of a cube."""
    if choice is None or choice.east - choice.west >= 350.0:
        return 0.0, 0.0, 360.0
    height = choice.north - choice.south
    span = max(choice.east - choice.west, 2.2 * height) * 1.06
    return 0.5 * (choice.west + choice.east), 0.5 * (choice.south + choice.north), float(np.clip(span, 0.05, 720.0))


def polygon_vertices(region: str) -> list[tuple[float, float]] | None:
    """Vertices (lon, lat) of 'poly:lon,lat;lon,lat;...'; None if it is not a polygon of 3 to MAX_POLYGON_VERTICES finite points."""
    if not region.startswith("poly:"):
        return None
    pairs = [_numbers(part, 2) for part in region[5:].split(";") if part]
    if not 3 <= len(pairs) <= MAX_POLYGON_VERTICES:
        return None
    vertices = [
        (pair[0], pair[1]) for pair in pairs if pair is not None and abs(pair[0]) <= 1080 and abs(pair[1]) <= 90
    ]
    return vertices if len(vertices) == len(pairs) else None


def polygon_text(vertices: list[tuple[float, float]]) -> str:
    """The address form of a polygon, rounded to 0.01 degree and thinned to MAX_POLYGON_VERTICES points."""
    step = max(1, math.ceil(len(vertices) / MAX_POLYGON_VERTICES))
    return "poly:" + ";".join(f"{lon:.2f},{lat:.2f}" for lon, lat in vertices[::step])


def _numbers(text: str, count: int) -> tuple[float, ...] | None:
    parts = text.split(",")
    if len(parts) != count:
        return None
    try:
        values = tuple(float(part) for part in parts)
    except ValueError:
        return None
    return values if all(math.isfinite(value) for value in values) else None


def _known_time(text: str, choice: CubeChoice, repairs: list[str], *, asked: bool) -> str:
    """The label itself if the cube has it, else the nearest one (said in `repairs` where the user asked for it)."""
    if not choice.times:
        return ""
    if text in choice.times:
        return text
    wanted = _moment(text)
    if wanted is None:
        nearest = choice.times[-1]
        if text and asked:
            repairs.append(f"'{text[:40]}' is not a time; showing {nearest}.")
        return nearest
    known = np.array(choice.times, dtype="datetime64[m]")
    nearest = choice.times[int(np.argmin(np.abs((known - wanted).astype(np.int64))))]
    if asked:
        repairs.append(f"There is no map for {text[:40]}; showing the nearest, {nearest}.")
    return nearest


def _moment(text: str) -> np.datetime64 | None:
    try:
        moment = np.datetime64(text.strip(), "m")
    except ValueError:
        return None
    return None if np.isnat(moment) else moment
