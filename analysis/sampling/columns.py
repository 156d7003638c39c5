"""Columns as satellites and ground-based spectrometers see them: ``XCO2 = xco2_prior + sum_k w_k a_k (m_k - p_k)``.

`w` are pressure weights, `a` the column averaging kernel, `p` the prior profile of a retrieval's levels, `m` the model's
dry mole fraction on them (X-STILT, Wu et al. 2018, doi 10.5194/gmd-11-4843-2018; O'Dell et al. 2012, doi
10.5194/amt-5-99-2012). The model's layers are laid onto the retrieval's levels by their share of the column's dry air:
level k stands for the share w_k of it, counted from the top, and gets the mean of what the model has there. So the
column's mass is kept exactly (with a kernel of one the model's own column mean is seen), a uniform atmosphere is uniform on
any levels, and no wet pressure is ever mixed up with a dry one. Where the model's surface lies higher or lower than the
sounding's the whole profile is stretched (sigma scaling); both surface pressures are kept with each sample, so that
soundings in steep terrain can be left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from analysis.sampling.horizontal import corners
from analysis.sampling.in_time import TimedSamples

if TYPE_CHECKING:
    from analysis.sampling.requests import ColumnRequests
    from analysis.simulation.sampler import Snapshot


class ColumnSamples(TimedSamples):
    """A sampler of soundings with averaging kernels; a kept value is ``sum_k w_k a_k m_k`` of each tracer, as carried
    (offset from 400 ppm where it carries the background). `analysis.sampling.writing` adds what does not depend on the
    model.

    Parameters
    ----------
    requests : soundings, sorted by time.
    options : see `TimedSamples`.
    """

    requests: ColumnRequests
    extras = (("model_surface_pressure", "hPa", "dry surface pressure of the model where the sounding was sampled"),)

    def __init__(self, requests: ColumnRequests, **options: Any) -> None:
        super().__init__(requests, **options)

    def look(self, snapshot: Snapshot, rows: np.ndarray) -> np.ndarray:
        """(len(rows), tracers + 1): the linear part of the operator, and dry surface pressure in hPa."""
        requests = self.requests
        cells, shares = corners(snapshot.grid, requests.lat[rows], requests.lon[rows], self.horizontal)
        edges, kernel = requests.profiles.operators(requests.profile[rows])
        mass, air = snapshot.state.tracer_mass, snapshot.state.air_mass
        layers, tracers = mass.shape[0], mass.shape[-1]
        seen = np.zeros((rows.size, tracers + 1))
        _see(mass.reshape(layers, -1, tracers), air.reshape(layers, -1), cells, shares, edges, kernel, seen)
        surface = np.asarray(snapshot.surface_pressure, dtype=np.float64).ravel()
        seen[:, -1] = (surface[cells] * shares).sum(axis=1) / 100.0
        return seen


@njit(nogil=True, cache=True, error_model="numpy")
def _see(mass, air, cells, shares, edges, kernel, seen):
    """Add up kernel times mole fraction over the shares of dry air that layers and levels have in common.

    mass (lev, cell, tracer), air (lev, cell), the surface first; edges (n, level + 1), kernel (n, level), the top first.
    """
    layers, _, tracers = mass.shape
    levels = kernel.shape[1]
    for n in range(cells.shape[0]):
        for corner in range(cells.shape[1]):
            cell, share = cells[n, corner], shares[n, corner]
            if share == 0.0:
                continue
            total = 0.0
            for layer in range(layers):
                total += air[layer, cell]
            level, above, carried = 0, 0.0, 0.0
            for layer in range(layers - 1, -1, -1):
                carried += air[layer, cell]
                below = 1.0 if layer == 0 else carried / total
                factor = 0.0
                while True:
                    common = min(below, edges[n, level + 1]) - max(above, edges[n, level])
                    if common > 0.0:
                        factor += common * kernel[n, level]
                    if level < levels - 1 and edges[n, level + 1] < below:
                        level += 1
                    else:
                        break
                above = below
                if factor != 0.0:
                    factor *= share / air[layer, cell]
                    carried_here, sums = mass[layer, cell], seen[n]
                    for tracer in range(tracers):
                        sums[tracer] += factor * carried_here[tracer]
