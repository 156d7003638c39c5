"""What a screen shows: a rectangle of the world in one of the two projections of the map page, and its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from data.errors import StoreProblem

MERCATOR_RADIUS_M = 6378137.0
"""Radius that Web Mercator's metres are defined with."""


@dataclass(frozen=True)
class View:
    """What a screen shows.

    Attributes
    ----------
    x0, x1, y0, y1 : edges of the picture: degrees for "lonlat", Web Mercator metres for "mercator". x may run beyond
        +-180 degrees.
    width, height : pixels.
    projection : "lonlat" or "mercator".
    """

    x0: float
    x1: float
    y0: float
    y1: float
    width: int
    height: int
    projection: Literal["lonlat", "mercator"] = "lonlat"

    def __post_init__(self) -> None:
        if self.projection not in ("lonlat", "mercator"):
            raise StoreProblem(
                f"expected the projection 'lonlat' or 'mercator', found {self.projection!r}; choose one of the two."
            )
        if (
            not all(math.isfinite(edge) for edge in (self.x0, self.x1, self.y0, self.y1))
            or self.x0 >= self.x1
            or self.y0 >= self.y1
        ):
            raise StoreProblem(
                f"expected a view with x0 < x1 and y0 < y1, found x {self.x0}..{self.x1}, y "
                f"{self.y0}..{self.y1}; reset the map."
            )
        if not (1 <= self.width <= 16384 and 1 <= self.height <= 16384):
            raise StoreProblem(
                f"expected a picture of 1 to 16384 pixels a side, found {self.width} x {self.height}; "
                "choose a smaller one."
            )

    def lon_edges(self) -> np.ndarray:
        """(width + 1,) longitudes of the pixels' edges, degrees, ascending, not wrapped."""
        x = np.linspace(self.x0, self.x1, self.width + 1)
        return x if self.projection == "lonlat" else np.degrees(x / MERCATOR_RADIUS_M)

    def lat_edges(self) -> np.ndarray:
        """(height + 1,) latitudes of the pixels' edges, degrees, ascending; row 0 is the southernmost."""
        return self._latitude(np.linspace(self.y0, self.y1, self.height + 1))

    def lon_centres(self) -> np.ndarray:
        """(width,) longitudes at the pixels' centres, degrees, not wrapped."""
        edges = self.lon_edges()
        return 0.5 * (edges[:-1] + edges[1:])

    def lat_centres(self) -> np.ndarray:
        """(height,) latitudes at the pixels' centres on the screen, degrees."""
        y = np.linspace(self.y0, self.y1, self.height + 1)
        return self._latitude(0.5 * (y[:-1] + y[1:]))

    def _latitude(self, y: np.ndarray) -> np.ndarray:
        if self.projection == "lonlat":
            return y
        return np.degrees(2 * np.arctan(np.exp(np.clip(y / MERCATOR_RADIUS_M, -50, 50))) - math.pi / 2)
