"""The controls of the Emissions page: widgets bound both ways to the `EmissionsState`, nothing else."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from analysis.statistics.emissions import DailyEmissions, is_group
from dashboard.download_button import download_button
from dashboard.emissions_shown import in_stack_order, label
from dashboard.emissions_state import CHANGES, MOST_COUNTRIES, PERIODS, SHOWN, STACKS, EmissionsState


class EmissionsControls:
    """Widgets of the sidebar.

    Parameters
    ----------
    state : what they show and change.
    """

    def __init__(self, state: EmissionsState) -> None:
        self.state = state
        self._binding = False
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "size": "small", "margin": (4, 8)}
        self.countries = pmui.MultiChoice(
            label=f"Countries (up to {MOST_COUNTRIES})",
            options={},
            value=[],
            max_items=MOST_COUNTRIES,
            searchable=True,
            solid=False,
            sizing_mode="stretch_width",
            margin=(4, 8),
        )
        self.sectors = pmui.CheckBoxGroup(label="Sectors", options={}, value=[], margin=(2, 8))
        self.show = pmui.Select(label="Show", options=_by_label(SHOWN), value=state.show, **wide)
        self.change = pmui.Select(label="Changes in", options=_by_label(CHANGES), value=state.change, **wide)
        self.stack = pmui.Select(label="Sectors in", options=_by_label(STACKS), value=state.stack, **wide)
        self.period = pmui.Select(label="Period", options=_by_label(PERIODS), value=state.period, **wide)
        self.download = download_button("Table of what is shown (CSV)", "emissions.csv")
        self._about = pmui.Typography("", variant="caption", margin=(2, 10), sizing_mode="stretch_width")
        wide = {"sizing_mode": "stretch_width", "margin": 0}
        self.widgets = [
            self.countries,
            self.sectors,
            pmui.Divider(**wide),
            self.show,
            pn.Row(self.change, self.stack, **wide),
            self.period,
            pmui.Divider(**wide),
            self.download,
            self._about,
        ]
        """In the order of the sidebar."""
        self._bind()

    def offer(self, table: DailyEmissions) -> None:
        """Countries and sectors to choose from, and what of them is chosen."""
        self._binding = True
        try:
            names = sorted(table.countries, key=lambda name: (not is_group(name), label(name)))
            sectors = in_stack_order(table.sectors, None)
            self.countries.param.update(options={label(name): name for name in names}, value=list(self.state.countries))
            self.sectors.param.update(options=sectors, value=list(self.state.sectors) or sectors)
            for widget, value in (
                (self.show, self.state.show),
                (self.change, self.state.change),
                (self.stack, self.state.stack),
                (self.period, self.state.period),
            ):
                widget.value = value
        finally:
            self._binding = False

    def describe(self, text: str) -> None:
        """What the numbers are and how to cite them, as Markdown."""
        if self._about.object != text:
            self._about.object = text

    def _bind(self) -> None:
        for widget, name in (
            (self.countries, "countries"),
            (self.show, "show"),
            (self.change, "change"),
            (self.stack, "stack"),
            (self.period, "period"),
        ):
            widget.param.watch(self._writer(name), "value")
        self.sectors.param.watch(lambda event: self._write_sectors(event.new), "value")

    def _writer(self, name: str) -> Any:
        def write(event: Any) -> None:
            if not self._binding and event.new is not None:
                self.state.param.update(**{name: event.new})

        return write

    def _write_sectors(self, chosen: list[str]) -> None:
        """All of them is the same as none named; the last one cannot be switched off."""
        if self._binding:
            return
        options = list(self.sectors.options)
        if not chosen:
            self._binding = True
            try:
                self.sectors.value = list(self.state.sectors) or options
            finally:
                self._binding = False
            return
        self.state.sectors = [] if len(chosen) == len(options) else [name for name in options if name in chosen]


def _by_label(choices: dict[str, str]) -> dict[str, str]:
    return {text: value for value, text in choices.items()}
