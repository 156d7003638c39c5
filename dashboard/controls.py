"""The controls of the Explore page: widgets bound both ways to the `ViewState`, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import panel_material_ui as pmui

from dashboard.region_picker import RegionPicker
from dashboard.state import AUTOMATIC, ViewState
from data.palettes import palettes

COMPARE_LABELS = {"Off": "off", "Difference": "difference", "Side by side": "side", "Swipe": "swipe"}
PROJECTION_LABELS = {"Plate carrée": "lonlat", "Web Mercator": "mercator"}
LIMIT_LABELS = {"In view": "auto", "All times": "all", "Manual": "manual"}
SCALE_LABELS = {"Automatic": "auto", "Linear": "linear", "Logarithmic": "log"}
LAYER_LABELS = {
    "Coastlines": "coastlines",
    "Borders": "borders",
    "Ground sites (TCCON)": "tccon",
    "Cities": "cities",
    "Power plants": "plants",
    "Soundings of the month": "soundings",
    "SIF soundings of the month": "sif",
    "Uncertainty (hatched)": "uncertainty",
}


class Controls:
    """Widgets of the sidebar.

    Parameters
    ----------
    state : what they show and change.
    titles : title of each cube by name.
    region_groups : names of the named regions by group.
    """

    def __init__(self, state: ViewState, titles: Mapping[str, str], region_groups: Mapping[str, Sequence[str]]) -> None:
        self.state = state
        self._binding = False
        wide = {"sizing_mode": "stretch_width", "size": "small", "margin": (4, 8)}
        self.cube = pmui.Select(label="Data set", options=_by_title(titles), value=state.cube, **wide)
        self.variable = pmui.Select(
            label="Quantity", options=[state.variable] if state.variable else [], value=state.variable, **wide
        )
        self.compare = pmui.Select(label="Compare", options=COMPARE_LABELS, value=state.compare, **wide)
        self.compare_cube = pmui.Select(
            label="With data set", options={"the same": "", **_by_title(titles)}, value=state.compare_cube, **wide
        )
        self.compare_time = pmui.Select(label="With time", options={"the same": ""}, value="", **wide)
        self.palette = pmui.Select(
            label="Colours",
            options={
                "Automatic": AUTOMATIC,
                **{name: name for name in (*palettes("sequential"), *palettes("diverging"))},
            },
            value=state.palette,
            **wide,
        )
        self.scale = pmui.Select(label="Scale", options=SCALE_LABELS, value=state.scale, **wide)
        self.limits = pmui.Select(label="Colour limits", options=LIMIT_LABELS, value=state.limits, **wide)
        self.low = pmui.FloatInput(label="From", value=state.low, **wide)
        self.high = pmui.FloatInput(label="To", value=state.high, **wide)
        self.layers = pmui.CheckBoxGroup(label="", options=LAYER_LABELS, value=list(state.layers), margin=(0, 8))
        self.projection = pmui.Select(label="Projection", options=PROJECTION_LABELS, value=state.projection, **wide)
        self.region = RegionPicker(state, region_groups, **wide)
        self.goto = pmui.TextInput(label="Go to (latitude, longitude)", placeholder="39.9, 116.4", **wide)
        self._bind()
        state.param.watch(lambda *_: self.show(), list(state.param))
        self.show()

    def _bind(self) -> None:
        pairs: list[tuple[Any, str]] = [
            (self.cube, "cube"),
            (self.variable, "variable"),
            (self.compare, "compare"),
            (self.compare_cube, "compare_cube"),
            (self.compare_time, "compare_time"),
            (self.palette, "palette"),
            (self.scale, "scale"),
            (self.limits, "limits"),
            (self.layers, "layers"),
            (self.projection, "projection"),
        ]
        for widget, name in pairs:
            widget.param.watch(self._writer(name), "value")
        for widget in (self.low, self.high):
            widget.param.watch(lambda _event: self._write_limits(), "value")

    def _writer(self, name: str) -> Callable[[Any], None]:
        def write(event: Any) -> None:
            if not self._binding and event.new is not None:
                self.state.param.update(**{name: event.new})

        return write

    def _write_limits(self) -> None:
        low, high = self.low.value, self.high.value
        if not self._binding and low is not None and high is not None and low < high:
            self.state.param.update(low=float(low), high=float(high), limits="manual")

    def show(self) -> None:
        """Bring every widget to the state."""
        self._binding = True
        try:
            state = self.state
            for widget, value in (
                (self.cube, state.cube),
                (self.compare, state.compare),
                (self.compare_cube, state.compare_cube),
                (self.palette, state.palette),
                (self.scale, state.scale),
                (self.limits, state.limits),
                (self.layers, list(state.layers)),
                (self.projection, state.projection),
                (self.low, state.low),
                (self.high, state.high),
            ):
                if widget.value != value:
                    widget.value = value
            comparing = state.compare != "off"
            self.compare_cube.visible = self.compare_time.visible = comparing
            self.low.visible = self.high.visible = state.limits == "manual"
        finally:
            self._binding = False

    def offer(self, titles: Mapping[str, str], variables: Mapping[str, str], compare_times: Sequence[str]) -> None:
        """New choices: cubes by name, variables of the chosen cube by name with their labels, times to compare with."""
        self._binding = True
        try:
            _set_options(self.cube, _by_title(titles), self.state.cube)
            _set_options(self.compare_cube, {"the same": "", **_by_title(titles)}, self.state.compare_cube)
            _set_options(self.variable, {label: name for name, label in variables.items()}, self.state.variable)
            _set_options(
                self.compare_time,
                {"the same": "", **{label: label for label in reversed(compare_times)}},
                self.state.compare_time,
            )
        finally:
            self._binding = False


def _set_options(widget: Any, options: dict[str, str], value: str) -> None:
    if widget.options != options:
        widget.param.update(options=options, value=value)
    elif widget.value != value:
        widget.value = value


def _by_title(titles: Mapping[str, str]) -> dict[str, str]:
    """Options for a select: titles made unique with the name where two cubes share one."""
    seen: dict[str, str] = {}
    for name, title in titles.items():
        seen[title if title not in seen else f"{title} ({name})"] = name
    return seen
