"""The controls of the Atmosphere page: widgets bound both ways to the `AtmosphereState`, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard.atmosphere_state import (
    ALONG,
    AXES,
    COMPONENT_NAMES,
    LIMIT_RANGES,
    SPANS,
    TOPS,
    AtmosphereState,
    VolumeChoice,
)
from dashboard.download_button import download_button
from dashboard.region_picker import RegionPicker
from data.palettes import palettes

DOWNLOADS = (
    ("Section as picture (PNG)", "atmosphere.section.png"),
    ("Section and zone as data (netCDF)", "atmosphere.section.nc"),
    ("Height and time as data (netCDF)", "atmosphere.history.nc"),
    ("Profile as table (CSV)", "atmosphere.profile.csv"),
    ("Stability zone as table (CSV)", "atmosphere.zone.csv"),
)


class AtmosphereControls:
    """Widgets of the sidebar, and the time bar.

    Parameters
    ----------
    state : what they show and change.
    region_groups : names of the named regions by group.
    go_to : called with what was typed as a place.
    """

    def __init__(
        self, state: AtmosphereState, region_groups: Mapping[str, Sequence[str]], go_to: Callable[[str], None]
    ) -> None:
        self.state = state
        self._binding = False
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "size": "small", "margin": (4, 8)}
        self.volume = pmui.Select(label="Data set", options=[], **wide)
        self.component = pmui.Select(label="Component", options=[], **wide)
        self.axis = pmui.Select(label="Vertical axis", options=_by_label(AXES), value=state.axis, **wide)
        self.top = pmui.Select(label="Up to", options={}, value=state.top, **wide)
        self.along = pmui.Select(label="Section", options=_by_label(ALONG), value=state.along, **wide)
        self.region = RegionPicker(state, region_groups, **wide)
        self.goto = pmui.TextInput(label="Place (latitude, longitude)", placeholder="39.9, 116.4", **wide)
        self.span = pmui.Select(label="Variation over", options=_by_label(SPANS), value=state.span, **wide)
        self.gradient_limit = pmui.FloatInput(
            label="|dC/dz|, ppm/km", value=state.gradient_limit, step=0.05, **_range("gradient_limit"), **wide
        )
        self.variation_limit = pmui.FloatInput(
            label="Variation, ppm", value=state.variation_limit, step=0.1, **_range("variation_limit"), **wide
        )
        self.detrended = pmui.Checkbox(label="Take each place's trend out", value=state.detrended, margin=(0, 8))
        self.palette = pmui.Select(
            label="Colours", options=[*palettes("sequential"), *palettes("diverging")], value=state.palette, **wide
        )
        self.about = pmui.Typography("", variant="caption", margin=(2, 10), sizing_mode="stretch_width")
        self.help = pmui.Typography("", variant="caption", margin=(2, 10), sizing_mode="stretch_width")
        self.player = pmui.DiscretePlayer(
            options=[""],
            value="",
            interval=900,
            show_loop_controls=False,
            show_value=False,
            visible_buttons=["previous", "play", "pause", "next"],
            loop_policy="loop",
            sizing_mode="stretch_width",
            margin=0,
            size="small",
        )
        wide = {"sizing_mode": "stretch_width", "margin": 0}
        self.widgets = [
            self.volume,
            self.about,
            self.component,
            pn.Row(self.axis, self.top, **wide),
            self.along,
            pmui.Divider(**wide),
            self.goto,
            self.region.group,
            self.region.name,
            pmui.Divider(**wide),
            pn.Row(self.gradient_limit, self.variation_limit, **wide),
            self.span,
            self.detrended,
            self.help,
            pmui.Divider(**wide),
            self.palette,
            *(download_button(label, kind) for label, kind in DOWNLOADS),
        ]
        """In the order of the sidebar."""
        self._bind(go_to)
        state.param.watch(lambda *_: self.show(), list(state.param))

    def offer(self, choices: Mapping[str, VolumeChoice]) -> None:
        """New choices: data sets, components and times of the chosen one."""
        choice = choices.get(self.state.volume)
        self._binding = True
        try:
            for widget in self.widgets:
                widget.visible = choice is not None
            titles: dict[str, str] = {}
            for name, item in choices.items():
                titles[item.title if item.title not in titles else f"{item.title} ({name})"] = name
            self.volume.param.update(options=titles, value=self.state.volume or None)
            components = {} if choice is None else {COMPONENT_NAMES[name]: name for name in choice.components}
            self.component.param.update(options=components, value=self.state.component if components else None)
            times = list(choice.times) if choice is not None else [""]
            self.player.param.update(options=times, value=self.state.time if self.state.time in times else times[-1])
        finally:
            self._binding = False
        self.show()

    def show(self) -> None:
        """Bring every widget to the state."""
        self._binding = True
        try:
            state = self.state
            tops = {f"{km} km" if state.axis == "km" else f"{hpa:g} hPa": km for km, hpa in TOPS.items()}
            if self.top.options != tops:
                self.top.param.update(options=tops, value=state.top)
            for widget, value in (
                (self.axis, state.axis),
                (self.top, state.top),
                (self.along, state.along),
                (self.span, state.span),
                (self.gradient_limit, state.gradient_limit),
                (self.variation_limit, state.variation_limit),
                (self.detrended, state.detrended),
                (self.palette, state.palette),
            ):
                if widget.value != value:
                    widget.value = value
            for widget, value in (
                (self.volume, state.volume),
                (self.component, state.component),
                (self.player, state.time),
            ):
                options = widget.options
                known = options.values() if isinstance(options, dict) else options
                if widget.value != value and value in known:
                    widget.value = value
        finally:
            self._binding = False

    def _bind(self, go_to: Callable[[str], None]) -> None:
        for widget, name in (
            (self.volume, "volume"),
            (self.component, "component"),
            (self.axis, "axis"),
            (self.top, "top"),
            (self.along, "along"),
            (self.span, "span"),
            (self.detrended, "detrended"),
            (self.palette, "palette"),
            (self.player, "time"),
        ):
            widget.param.watch(self._writer(name), "value")
        for widget, name in ((self.gradient_limit, "gradient_limit"), (self.variation_limit, "variation_limit")):
            widget.param.watch(self._limit_writer(name), "value")

        def typed(event: Any) -> None:
            if event.new:
                go_to(event.new)

        self.goto.param.watch(typed, "value")

    def _writer(self, name: str) -> Callable[[Any], None]:
        def write(event: Any) -> None:
            if not self._binding and event.new not in (None, ""):
                self.state.param.update(**{name: event.new})

        return write

    def _limit_writer(self, name: str) -> Callable[[Any], None]:
        low, high = LIMIT_RANGES[name]

        def write(event: Any) -> None:
            if not self._binding and event.new is not None and low <= event.new <= high:
                self.state.param.update(**{name: float(event.new)})

        return write


def _range(name: str) -> dict[str, float]:
    low, high = LIMIT_RANGES[name]
    return {"start": low, "end": high}


def _by_label(choices: Mapping[str, str]) -> dict[str, str]:
    return {text: value for value, text in choices.items()}
