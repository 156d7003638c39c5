"""What the sidebar says of the data set on the map: where it comes from, what it covers, how to cite it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import numpy as np
import panel_material_ui as pmui

from dashboard.attribution import attribution
from dashboard.explore import ExplorePage
from data.cube import Cube


def describe(cube: Cube) -> str:
    """A few lines of Markdown: kind of data, resolution, period, how to cite."""
    grid, times = cube.grid, cube.times
    simulated = bool(cube.attrs.get("simulated", 0))
    first, last = (str(np.datetime64(times[index], "D")) for index in (0, -1))
    lines = [
        "**Simulated data**: not a measurement." if simulated else "",
        f"{grid.dlat:.4g}° × {grid.dlon:.4g}°, {len(times)} maps, {first} to {last}.",
    ]
    citation = attribution(cube).citation
    if citation:
        lines.append(f"Cite: {citation}")
    lines.append(f"[Licence, files, how to cite](./data?item=cube%3A{quote(cube.name)})")
    return "  \n".join(line for line in lines if line)


def about(view: ExplorePage) -> Any:
    """The description, kept in step with the chosen cube."""
    text = pmui.Typography("", variant="caption", margin=(2, 10), sizing_mode="stretch_width")

    def show(*_events: Any) -> None:
        cube = view.cube
        text.object = "" if cube is None else describe(cube)

    view.state.param.watch(show, "cube")
    show()
    return text
