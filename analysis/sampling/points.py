"""Stations, towers and aircraft: the mole fraction of the model's air at a height.

Heights above ground are those of `layer_heights` (hydrostatic, standard temperature) over the model's own ground.
Altitudes above sea become pressures by the standard atmosphere, as an aircraft's altimeter does it, for the model's grid
boxes have no mountains to measure from. Pressures are taken as the model's, which are of dry air: vapour makes that some
0.3 % of pressure, 25 m, wrong near the ground. Between the middles of layers values are linear in height (in the
logarithm of pressure); below the lowest middle they are those of the lowest layer, above the highest those of the
highest, and each sample says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from analysis.sampling.horizontal import corners
from analysis.sampling.in_time import TimedSamples
from analysis.sampling.requests import ABOVE_GROUND, ABOVE_SEA, PRESSURE, PointRequests
from analysis.transport.boundary_layer import layer_heights

if TYPE_CHECKING:
    from analysis.simulation.sampler import Snapshot

LEAST_PA = 1.0
"""Stands for the pressure at the top of the atmosphere where a logarithm is needed, as in `layer_heights`."""


class PointSamples(TimedSamples):
    """A sampler of points; a kept value is each tracer's mole fraction in ppm, as carried (offset from 400 ppm where it
    carries the background).

    Parameters
    ----------
    requests : points, sorted by time.
    options : see `TimedSamples`.
    """

    requests: PointRequests
    extras = (
        ("model_pressure", "hPa", "dry-air pressure at which the model was sampled"),
        (
            "below_lowest_layer",
            "1",
            "share of the sample that lies below the middle of the lowest layer: its value is taken",
        ),
        ("above_highest_layer", "1", "share of the sample that lies above the middle of the highest layer"),
    )

    def __init__(self, requests: PointRequests, **options: Any) -> None:
        super().__init__(requests, **options)
        sea = requests.reference == ABOVE_SEA
        from data.readers.level_geometry import standard_pressure

        self._height = np.where(sea, standard_pressure(np.where(sea, requests.height, 0.0)), requests.height)
        self._by_pressure = sea | (requests.reference == PRESSURE)

    def look(self, snapshot: Snapshot, rows: np.ndarray) -> np.ndarray:
        """(len(rows), tracers + 3): mole fractions in ppm as carried, and the extras."""
        requests = self.requests
        cells, shares = corners(snapshot.grid, requests.lat[rows], requests.lon[rows], self.horizontal)
        surface = np.asarray(snapshot.surface_pressure, dtype=np.float64).ravel()[cells]
        below, part = self._between(snapshot, rows, surface)
        mass, air = snapshot.state.tracer_mass, snapshot.state.air_mass
        layers, tracers = mass.shape[0], mass.shape[-1]
        seen = np.zeros((rows.size, tracers + len(self.extras)))
        inside = np.clip(part, 0.0, 1.0)
        _see(mass.reshape(layers, -1, tracers), air.reshape(layers, -1), cells, shares, below, inside, seen)
        edges = np.maximum(snapshot.levels.edge_pressure(surface), LEAST_PA)
        logarithm = 0.5 * np.log(edges[1:] * edges[:-1])
        lower, upper = (np.take_along_axis(logarithm, at[None], axis=0)[0] for at in (below, below + 1))
        pressure = np.exp((1.0 - inside) * lower + inside * upper) / 100.0
        for number, values in enumerate((pressure, part < 0.0, part > 1.0)):
            seen[:, tracers + number] = (shares * values).sum(axis=1)
        return seen

    def _between(self, snapshot: Snapshot, rows: np.ndarray, surface: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, corner) layer whose middle lies below, and the way to the next one: 0..1, beyond that outside."""
        height = self._height[rows][:, None]
        by_pressure = self._by_pressure[rows][:, None]
        edges = np.maximum(snapshot.levels.edge_pressure(surface), LEAST_PA)
        up = -0.5 * np.log(edges[1:] * edges[:-1])
        if not by_pressure.all():
            up = np.where(by_pressure, up, layer_heights(snapshot.levels, surface)[1])
        target = np.where(by_pressure, -np.log(np.maximum(height * 100.0, LEAST_PA)), height)
        below = np.clip((up <= target).sum(axis=0) - 1, 0, len(up) - 2)
        low, high = (np.take_along_axis(up, at[None], axis=0)[0] for at in (below, below + 1))
        return below, (target - low) / (high - low)


@njit(nogil=True, cache=True, error_model="numpy")
def _see(mass, air, cells, shares, below, part, seen):
    """Mole fractions between two layers of some cells; mass (lev, cell, tracer), air (lev, cell), the rest (n, corner)."""
    tracers = mass.shape[2]
    for n in range(cells.shape[0]):
        for corner in range(cells.shape[1]):
            cell = cells[n, corner]
            for step in range(2):
                layer = below[n, corner] + step
                factor = shares[n, corner] * (part[n, corner] if step else 1.0 - part[n, corner])
                if factor != 0.0:
                    factor /= air[layer, cell]
                    carried, sums = mass[layer, cell], seen[n]
                    for tracer in range(tracers):
                        sums[tracer] += factor * carried[tracer]


__all__ = ["ABOVE_GROUND", "ABOVE_SEA", "PRESSURE", "PointSamples"]
