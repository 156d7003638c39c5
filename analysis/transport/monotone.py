"""Advection that makes no new extrema: PPM with the limiter of Colella and Woodward (1984, eq. 1.10).

Face values are kept between those of the two cells beside them, then each cell's parabola is made monotone. The limiter
looks at each tracer's values, so superposition no longer holds (16 to 21 % in the reference's measure): an option for
looking at plumes, not for inversions. Cells at the ends of lines that are not periodic are taken as uniform.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from analysis.transport.reconstruction import LEFT, RIGHT, ROW, WINDOW
from analysis.transport.rounding import ASIDE, BEGINNINGS
from analysis.transport.sweeps import HALO, donor_cell, load_air, move_air


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def limited_lines(
    rm, m, flux, seconds, tracers, table, bins, added,
    per_group, cell_step, flux_step, length, stride, periodic, block, blocks, first, last,
):  # fmt: skip
    """Blocks first..last - 1 of lines; arguments as in `sweeps.linear_lines`."""
    padded = length + 2 * HALO + ROW
    inverse, air = np.ones(block * padded), np.zeros(block * padded)
    size = block * tracers
    q = np.empty((length, size), rm.dtype)
    left, right = np.empty_like(q), np.empty_like(q)
    through = np.zeros((length + 1, size), rm.dtype)
    weights = np.empty(3, rm.dtype)
    for task in range(first, last):
        group, start = task // blocks, (task % blocks) * block
        width = min(block, per_group - start)
        base, flux_base = group * cell_step + start, group * flux_step + start
        load_air(m, flux, seconds, base, flux_base, length, stride, periodic, width, padded, inverse, air)
        for cell in range(length):
            for b in range(width):
                reciprocal = rm.dtype.type(inverse[b * padded + HALO + cell])
                p = (base + b + cell * stride) * tracers
                for i in range(tracers):
                    q[cell, b * tracers + i] = rm[p + i] * reciprocal
        _limited_edges(q, left, right, table, bins, start, width, tracers, length, periodic)
        for face in range(0 if periodic else 1, length):
            for b in range(width):
                at = b * padded + HALO
                f = air[at + face]
                donor, whole, rest = donor_cell(f, m, base + b, stride, face, length, periodic)
                a = rest * inverse[at + donor]
                signed = rest if f > 0 else -rest
                weights[0] = signed * (1.0 - a) * (1.0 - a)
                weights[1] = -signed * a * (1.0 - a)
                weights[2] = signed * a * (3.0 - 2.0 * a)
                near, far = (right, left) if f > 0 else (left, right)
                w0, w1, w2 = weights[0], weights[1], weights[2]
                for i in range(b * tracers, (b + 1) * tracers):
                    through[face, i] = w0 * near[donor, i] + w1 * far[donor, i] + w2 * q[donor, i]
                cell = face - 1 if f > 0 else face
                for _ in range(whole):
                    cell = (cell + length) % length
                    p = (base + b + cell * stride) * tracers
                    for i in range(tracers):
                        through[face, b * tracers + i] += rm[p + i] if f > 0 else -rm[p + i]
                    cell += -1 if f > 0 else 1
        for cell in range(length):
            behind = 0 if periodic and cell == length - 1 else cell + 1
            p = (base + cell * stride) * tracers
            d = added[cell + (group * ASIDE & (BEGINNINGS - 1))]
            for i in range(width * tracers):
                rm[p + i] += (through[cell, i] - through[behind, i]) + rm[p + i] * d
        move_air(m, base, length, stride, width, padded, air)


@njit(nogil=True, cache=True, error_model="numpy")
def _limited_edges(q, left, right, table, bins, start, width, tracers, length, periodic):
    """Edge values of every cell's monotone parabola."""
    weights = np.empty(WINDOW, q.dtype)
    for cell in range(length):
        window = cell - 2
        if not periodic:
            window = min(max(window, 0), length - WINDOW)
        c0, c1, c2 = (window + length) % length, (window + 1 + length) % length, (window + 2 + length) % length
        c3, c4 = (window + 3) % length, (window + 4) % length
        for b in range(width):
            row = ((bins[start + b] if len(bins) > 1 else 0) * length + cell) * 3 * ROW
            for side in (LEFT, RIGHT):
                neighbour = cell - 1 if side == LEFT else cell + 1
                inside = periodic or 0 <= neighbour < length
                neighbour = (neighbour + length) % length
                for s in range(WINDOW):
                    weights[s] = table[row + side * ROW + s]
                w0, w1, w2, w3, w4 = weights[0], weights[1], weights[2], weights[3], weights[4]
                edge = left if side == LEFT else right
                for i in range(b * tracers, (b + 1) * tracers):
                    value = w0 * q[c0, i] + w1 * q[c1, i] + w2 * q[c2, i] + w3 * q[c3, i] + w4 * q[c4, i]
                    here = q[cell, i]
                    there = q[neighbour, i] if inside else here
                    edge[cell, i] = max(min(value, max(here, there)), min(here, there))
        for i in range(width * tracers):
            mean, low, high = q[cell, i], left[cell, i], right[cell, i]
            rise = high - low
            bend = rise * 6 * (mean - (low + high) / 2)
            if (high - mean) * (mean - low) <= 0:
                low = high = mean
            elif bend > rise * rise:
                low = 3 * mean - 2 * high
            elif bend < -rise * rise:
                high = 3 * mean - 2 * low
            left[cell, i], right[cell, i] = low, high
