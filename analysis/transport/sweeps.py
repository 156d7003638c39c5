"""One-dimensional, flux-form advection of all tracers along all lines of one direction.

Tracer mass `rm` and air mass `m` change by the same fluxes. The tracer flux through a face is the mass that the air
flux takes out of its donor cell's parabola; air that comes from farther away than one cell takes whole cells with it
first (integer shifts, as in Lin and Rood 1996, doi 10.1175/1520-0493(1996)124<2046:MFFSLT>2.0.CO;2), so rows near the
poles need no shorter steps. Everything is linear in the tracer: nothing is limited and nothing is clipped. What float32
keeps is dithered (`rounding`).

Layout: cells (lev, lat, lon), tracers contiguous behind them. A line is a row, a column of a level, or a column of
air; lines side by side are worked on together, so that memory is read in long pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from analysis.transport.prefetch import prefetch
from analysis.transport.reconstruction import LEFT, MEAN, RIGHT, ROW, WINDOW
from analysis.transport.rounding import ASIDE, BEGINNINGS, dither
from analysis.transport.team import Team

BLOCK = 384
"""Numbers of one position of a block of neighbouring lines: as many lines as make about so many tracer values."""


AHEAD = 6
"""Memory is asked for so many positions before it is used."""

HALO = 3
"""Cells that a window may reach beyond the ends of a periodic line."""

KEPT, RING = 4, 8
"""Slots of tracer fluxes: of a periodic line's first faces, and in turn of the others."""


@dataclass(frozen=True)
class Lines:
    """Where the lines of one direction lie in the flat list of cells, and their faces in the flat list of fluxes.

    Attributes
    ----------
    groups, per_group : lines come in groups of adjacent ones.
    cell_step, flux_step : from one group to the next, in cells and in faces.
    length, stride : positions of a line, and the step from one to the next (in cells and in faces).
    periodic : parallels; their last face is their first.
    """

    groups: int
    per_group: int
    cell_step: int
    flux_step: int
    length: int
    stride: int
    periodic: bool

    @classmethod
    def x(cls, shape: tuple[int, int, int]) -> Lines:
        """Parallels of (lev, lat, lon); fluxes (lev, lat, lon) through the western faces."""
        nz, ny, nx = shape
        return cls(nz * ny, 1, nx, nx, nx, 1, True)

    @classmethod
    def y(cls, shape: tuple[int, int, int]) -> Lines:
        """Meridians; fluxes (lev, lat + 1, lon) through the southern faces."""
        nz, ny, nx = shape
        return cls(nz, nx, ny * nx, (ny + 1) * nx, ny, nx, False)

    @classmethod
    def z(cls, shape: tuple[int, int, int]) -> Lines:
        """Columns; fluxes (lev + 1, lat, lon) through the lower faces."""
        nz, ny, nx = shape
        return cls(1, ny * nx, nz * ny * nx, (nz + 1) * ny * nx, nz, ny * nx, False)


def sweep(
    team: Team,
    lines: Lines,
    tracer_mass: np.ndarray,
    air_mass: np.ndarray,
    flux: np.ndarray,
    seconds: float,
    table: np.ndarray,
    bins: np.ndarray,
    *,
    monotone: bool = False,
    turn: float = 0.0,
) -> None:
    """Move tracers and air along `lines` for `seconds`; both masses are changed in place.

    Parameters
    ----------
    tracer_mass : (lev, lat, lon, tracer) float32 or float64, C order.
    air_mass : (lev, lat, lon) float64 kg, positive.
    flux : float64 kg s-1 through the faces, positive towards larger indices; outermost faces of lines that are not
        periodic are closed whatever they say.
    table : (tables, length, 3, 8) of `reconstruction`.
    bins : which table belongs to each line of a group; a single 0 where all share one.
    monotone : limit what the table gives, so that no new extrema arise (not linear any more).
    turn : where the dither of float32 begins (`rounding`).
    """
    tracers = tracer_mass.shape[-1]
    block = max(1, min(lines.per_group, BLOCK // max(tracers, 1)))
    blocks = -(-lines.per_group // block)
    if monotone:
        from analysis.transport.monotone import limited_lines as kernel
    else:
        kernel = linear_lines
    flat = (tracer_mass.reshape(-1), air_mass.reshape(-1), flux.reshape(-1))
    added = dither(lines.length, turn, tracer_mass.dtype)
    shape = (lines.per_group, lines.cell_step, lines.flux_step, lines.length, lines.stride, lines.periodic)

    def work(first: int, last: int) -> None:
        kernel(*flat, seconds, tracers, table.reshape(-1), bins, added, *shape, block, blocks, first, last)

    team.share(work, lines.groups * blocks)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def linear_lines(
    rm, m, flux, seconds, tracers, table, bins, added,
    per_group, cell_step, flux_step, length, stride, periodic, block, blocks, first, last,
):  # fmt: skip
    """Blocks first..last - 1 of lines; see `sweep`.

    Tracer fluxes of a few faces at a time wait in slots until no other face needs the former masses of their cells.
    Lines with air from beyond the next cell are left out and done by themselves.
    """
    none = KEPT + RING  # the slot of closed faces
    through = np.zeros((none + 1) * block * tracers, rm.dtype)
    exact = np.empty((length + 1) * tracers)
    far = np.zeros(block, np.bool_)
    padded = length + 2 * HALO + ROW
    inverse = np.ones(block * padded)
    air = np.zeros(block * padded)
    w = np.empty(ROW, rm.dtype)
    n = np.uint64(tracers)
    step = np.uint64(stride * tracers)
    line_size = max(1, 64 // rm.itemsize)
    many_bins = len(bins) > 1
    kept = KEPT if periodic else 0
    first_face = 0 if periodic else 1
    for task in range(first, last):
        group, start = task // blocks, (task % blocks) * block
        width = min(block, per_group - start)
        base, flux_base = group * cell_step + start, group * flux_step + start
        load_air(m, flux, seconds, base, flux_base, length, stride, periodic, width, padded, inverse, air)
        any_far = _mark_far(air, inverse, length, first_face, width, padded, far)
        updated = late = max(kept - 1, 0)  # the first cells of a periodic line are asked for again by its last faces
        for face in range(first_face, length):
            slot = face if face < kept else kept + face % RING
            if face + AHEAD < length:
                p = (base + (face + AHEAD) * stride) * tracers
                for number in range(p, p + width * tracers, line_size):
                    prefetch(rm, number)  # type: ignore[call-arg]
            for b in range(width):
                o = np.uint64((slot * block + b) * tracers)
                if any_far and far[b]:
                    for i in range(n):
                        through[o + i] = 0
                    continue
                at = b * padded + HALO
                f = air[np.uint64(at + face)]
                line = base + b
                forward = f > 0
                donor = face - 1 if forward else face
                rest = abs(f)
                # Factors of the tracer masses whose sum is the tracer flux out of the donor's parabola.
                a = rest * inverse[np.uint64(at + donor)]
                signed = rest if forward else -rest
                from_near, from_far = signed * (1.0 - a) * (1.0 - a), -signed * a * (1.0 - a)
                from_mean = signed * a * (3.0 - 2.0 * a)
                window = donor - 2
                if not periodic:
                    window = min(max(window, 0), length - WINDOW)
                elif donor < 0:
                    donor += length
                row = np.uint64(((bins[start + b] if many_bins else 0) * length + donor) * (3 * ROW))
                near = row + np.uint64(RIGHT * ROW if forward else LEFT * ROW)
                away = row + np.uint64(LEFT * ROW if forward else RIGHT * ROW)
                mean = row + np.uint64(MEAN * ROW)
                reach = np.uint64(at + window)
                for s in range(np.uint64(ROW)):
                    w[s] = inverse[reach + s] * (
                        from_near * table[near + s] + from_far * table[away + s] + from_mean * table[mean + s]
                    )
                w0, w1, w2, w3, w4 = w[0], w[1], w[2], w[3], w[4]
                p0 = np.uint64((line + window * stride) * tracers)
                p1 = p0 + step
                p2 = p1 + step
                p3 = p2 + step
                p4 = p3 + step
                if window < 0 or window + WINDOW > length:
                    p0 = np.uint64((line + (window + length) % length * stride) * tracers)
                    p1 = np.uint64((line + (window + 1 + length) % length * stride) * tracers)
                    p2 = np.uint64((line + (window + 2 + length) % length * stride) * tracers)
                    p3 = np.uint64((line + (window + 3) % length * stride) * tracers)
                    p4 = np.uint64((line + (window + 4) % length * stride) * tracers)
                for i in range(n):
                    through[o + i] = (
                        w0 * rm[p0 + i] + w1 * rm[p1 + i] + w2 * rm[p2 + i] + w3 * rm[p3 + i] + w4 * rm[p4 + i]
                    )
            # What no later face asks for is changed now, while it is at hand; the rest after the last face.
            until = length + late if face == length - 1 else max(updated, face - 3)
            for position in range(updated, until):
                cell = position if position < length else position - length
                behind = cell + 1
                slot_before, slot_behind = none, none
                if periodic or cell > 0:
                    slot_before = cell if cell < kept else kept + cell % RING
                if periodic or behind < length:
                    if behind == length:
                        behind = 0
                    slot_behind = behind if behind < kept else kept + behind % RING
                o = np.uint64((base + cell * stride) * tracers)
                p0, p1 = np.uint64(slot_before * block * tracers), np.uint64(slot_behind * block * tracers)
                d = added[cell + (group * ASIDE & (BEGINNINGS - 1))]
                for i in range(np.uint64(width * tracers)):
                    rm[o + i] += (through[p0 + i] - through[p1 + i]) + rm[o + i] * d
            updated = until
        for b in range(width if any_far else 0):
            if far[b]:
                bin_ = bins[start + b] if many_bins else 0
                _far_line(rm, m, air, inverse, b * padded + HALO, base + b, table, bin_, added, group, length, stride,
                          periodic, tracers, exact)  # fmt: skip
        move_air(m, base, length, stride, width, padded, air)


@njit(nogil=True, cache=True, error_model="numpy")
def load_air(m, flux, seconds, base, flux_base, length, stride, periodic, width, padded, inverse, air):
    """Air that passes each face, and reciprocal masses, line by line with a halo."""
    if width == 1 and stride == 1:  # one row: all contiguous
        o, p, q = np.uint64(HALO), np.uint64(base), np.uint64(flux_base)
        for i in range(np.uint64(length)):
            inverse[o + i] = 1.0 / m[p + i]
            air[o + i] = flux[q + i] * seconds
    else:
        for position in range(length):
            for b in range(width):
                inverse[b * padded + HALO + position] = 1.0 / m[base + position * stride + b]
                air[b * padded + HALO + position] = flux[flux_base + position * stride + b] * seconds
    for b in range(width):
        at = b * padded + HALO
        if periodic:
            air[at + length] = air[at]
            for number in range(HALO):
                inverse[at - 1 - number] = inverse[at + length - 1 - number]
                inverse[at + length + number] = inverse[at + number]
        else:
            air[at] = 0.0
            air[at + length] = 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _mark_far(air, inverse, length, first_face, width, padded, far):
    """Mark lines through any of whose faces comes more air than the cell next to it holds; true if there are any."""
    found = False
    for b in range(width):
        count = 0
        ahead = np.uint64(b * padded + HALO + first_face)
        behind = np.uint64(b * padded + HALO + first_face - 1)
        for i in range(np.uint64(length - first_face)):
            f = air[ahead + i]
            count += int(f * inverse[behind + i] > 1.0) + int(f * inverse[ahead + i] < -1.0)
        far[b] = count > 0
        found |= count > 0
    return found


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _far_line(rm, m, air, inverse, at, line, table, bin_, added, group, length, stride, periodic, tracers, through):
    """One line with air from beyond the next cell: whole cells, then part of the donor. In float64 whatever the
    tracers, for what passes two faces may be many times what stays between them."""
    n = np.uint64(tracers)
    for number in range((length + 1) * tracers):
        through[number] = 0.0
    for face in range(0 if periodic else 1, length):
        f = air[at + face]
        donor, whole, rest = donor_cell(f, m, line, stride, face, length, periodic)
        sign = 1.0 if f > 0 else -1.0
        near, away = (RIGHT, LEFT) if f > 0 else (LEFT, RIGHT)
        a = rest * inverse[at + donor]
        window = donor - 2
        if not periodic:
            window = min(max(window, 0), length - WINDOW)
        row = (bin_ * length + donor) * 3 * ROW
        o = np.uint64(face * tracers)
        for s in range(WINDOW):
            cell = (window + s + length) % length
            weight = (
                sign
                * rest
                * inverse[at + cell]
                * (
                    (1.0 - a) * (1.0 - a) * table[row + near * ROW + s]
                    - a * (1.0 - a) * table[row + away * ROW + s]
                    + a * (3.0 - 2.0 * a) * table[row + MEAN * ROW + s]
                )
            )
            p = np.uint64((line + cell * stride) * tracers)
            for i in range(n):
                through[o + i] += weight * rm[p + i]
        cell = face - 1 if f > 0 else face
        for _ in range(whole):
            p = np.uint64((line + (cell + length) % length * stride) * tracers)
            for i in range(n):
                through[o + i] += sign * rm[p + i]
            cell += -1 if f > 0 else 1
    for cell in range(length):
        p, before = np.uint64((line + cell * stride) * tracers), np.uint64(cell * tracers)
        behind = np.uint64((0 if periodic and cell == length - 1 else cell + 1) * tracers)
        d = added[cell + (group * ASIDE & (BEGINNINGS - 1))]
        for i in range(n):
            rm[p + i] += (through[before + i] - through[behind + i]) + np.float64(rm[p + i]) * d


@njit(nogil=True, cache=True, error_model="numpy")
def move_air(m, base, length, stride, width, padded, air):
    """Change the masses of air."""
    if width == 1 and stride == 1:
        o, p = np.uint64(HALO), np.uint64(base)
        for i in range(np.uint64(length)):
            m[p + i] += air[o + i] - air[o + i + np.uint64(1)]
        return
    for position in range(length):
        for b in range(width):
            at = b * padded + HALO + position
            m[base + position * stride + b] += air[at] - air[at + 1]


@njit(nogil=True, cache=True, error_model="numpy")
def donor_cell(f, m, line, stride, face, length, periodic):
    """The cell out of which part of the air flux `f` comes, how many whole cells come before it, and the mass of the
    part."""
    step = -1 if f > 0 else 1
    cell = face - 1 if f > 0 else face
    if cell < 0:
        cell += length
    rest = abs(f)
    whole = 0
    while rest > m[line + cell * stride] and whole < length - 1:
        following = cell + step
        if following < 0 or following >= length:
            if not periodic:
                break
            following += length if following < 0 else -length
        rest -= m[line + cell * stride]
        cell = following
        whole += 1
    return cell, whole, rest
