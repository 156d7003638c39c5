"""Choosing one of the named regions: its group, then its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import panel_material_ui as pmui

NO_REGION = "—"


class RegionPicker:
    """Two selects, bound both ways to the state's `region` ("group/name", "" for none; anything else shows as none).

    Parameters
    ----------
    state : what they show and change.
    groups : names of the named regions by group.
    look : of both selects.
    """

    def __init__(self, state: Any, groups: Mapping[str, Sequence[str]], **look: Any) -> None:
        self._state = state
        self._groups = {group: list(names) for group, names in groups.items()}
        self._binding = False
        self.group = pmui.Select(
            label="Region group", options=list(self._groups), value=next(iter(self._groups), None), **look
        )
        self.name = pmui.Select(label="Region", options=[NO_REGION], value=NO_REGION, **look)
        self.group.param.watch(lambda _event: self._list(NO_REGION), "value")
        self.name.param.watch(lambda event: self._write(event.new), "value")
        state.param.watch(lambda *_: self.show(), "region")
        self.show()

    def show(self) -> None:
        """Bring both to the state."""
        group, _, name = self._state.region.partition("/")
        chosen = name in self._groups.get(group, ())
        self._binding = True
        try:
            if chosen:
                self.group.value = group
            self._list(name if chosen else NO_REGION)
        finally:
            self._binding = False

    def _list(self, chosen: str) -> None:
        self.name.param.update(options=[NO_REGION, *self._groups.get(self.group.value, [])], value=chosen)

    def _write(self, name: str | None) -> None:
        if not self._binding:
            self._state.region = "" if name in (None, NO_REGION) else f"{self.group.value}/{name}"
