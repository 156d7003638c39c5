"""Vertical mixing of all tracers: implicit diffusion and implicit convection, both exactly conservative.

One factorisation a column is shared by all tracers. The matrices are written so that their columns sum to the air mass:
tracer mass is kept to rounding, uniform tracers stay uniform, nothing becomes negative, and no step is too long.
Arithmetic is in float64 whatever the tracers are kept in: rounded coefficients would lose mass in one direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from analysis.transport.errors import TransportError
from analysis.transport.prefetch import prefetch
from analysis.transport.rounding import ASIDE, BEGINNINGS, dither
from analysis.transport.step import State
from analysis.transport.sweeps import AHEAD, BLOCK
from analysis.transport.team import Team


@dataclass(frozen=True, eq=False)
class Diffusion:
    """A process for `Transport.step`: air exchanged between neighbouring layers.

    Attributes
    ----------
    exchange : (lev - 1, lat, lon) kg s-1 that each layer exchanges with the one above (`boundary_layer.exchange`).
    team : threads.

    Raises
    ------
    TransportError : an exchange that is negative or not finite.
    """

    exchange: np.ndarray
    team: Team

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.exchange, dtype=np.float64)
        if values.ndim != 3 or not (np.isfinite(values).all() and (values >= 0).all()):
            raise TransportError(
                "The exchange between layers needs dimensions (lev - 1, lat, lon) and finite values of at least zero in "
                f"kg s-1, found shape {values.shape}, least {np.min(values, initial=0):g}."
            )
        object.__setattr__(self, "exchange", values)

    def __call__(self, state: State, seconds: float) -> None:
        """Mix for `seconds`, backward Euler."""
        nz, ny, nx, tracers = state.tracer_mass.shape
        if self.exchange.shape != (nz - 1, ny, nx):
            raise TransportError(
                f"The exchange has shape {self.exchange.shape}, but a state of {nz} levels needs {(nz - 1, ny, nx)}."
            )
        block = max(1, min(ny * nx, BLOCK // max(tracers, 1)))
        rm, m, mixed = state.tracer_mass.reshape(-1), state.air_mass.reshape(-1), self.exchange.reshape(-1)

        added = dither(nz, state.turn, rm.dtype)

        def work(first: int, last: int) -> None:
            _diffuse(rm, m, mixed, added, seconds, tracers, nz, ny * nx, block, first, last)

        self.team.share(work, -(-ny * nx // block))


@dataclass(frozen=True, eq=False)
class Convection:
    """A process for `Transport.step`: up- and downdraughts that take air from some layers to others.

    Attributes
    ----------
    entrain_up, detrain_up, entrain_down, detrain_down : (lev, lat, lon) kg s-1 of air that enters and leaves the
        draughts in each layer (TM5's four fields); in each column as much enters as leaves.
    team : threads.

    Raises
    ------
    TransportError : negative or infinite values, or draughts that end in no layer.
    """

    entrain_up: np.ndarray
    detrain_up: np.ndarray
    entrain_down: np.ndarray
    detrain_down: np.ndarray
    team: Team

    def __post_init__(self) -> None:
        for name in ("entrain_up", "detrain_up", "entrain_down", "detrain_down"):
            values = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            if values.ndim != 3 or not (np.isfinite(values).all() and (values >= 0).all()):
                raise TransportError(
                    f"{name} needs dimensions (lev, lat, lon) and finite values of at least zero in kg s-1, found shape "
                    f"{values.shape}, least {np.min(values, initial=0):g}."
                )
            object.__setattr__(self, name, values)
        for way, step in (("up", 1), ("down", -1)):
            entrain, detrain = getattr(self, f"entrain_{way}"), getattr(self, f"detrain_{way}")
            if entrain.shape != self.entrain_up.shape or detrain.shape != self.entrain_up.shape:
                raise TransportError("The four fields of convection must have one shape (lev, lat, lon).")
            carried = np.cumsum((entrain - detrain)[::step], axis=0)
            scale = 1e-9 * np.abs(carried).max(axis=0, initial=0.0) + 1e-300
            if (carried < -scale).any() or (np.abs(carried[-1]) > scale).any():
                raise TransportError(
                    f"The {way}draughts do not close: in each column as much air must leave them as enters, and no more "
                    "may leave than they carry."
                )

    @classmethod
    def from_mass_flux(cls, upward: np.ndarray, detrainment: np.ndarray, team: Team) -> Convection:
        """From the upward mass flux at level edges and the detrainment of layers (GEOS: CMFMC and DTRAIN, times area).

        Parameters
        ----------
        upward : (lev + 1, lat, lon) kg s-1 through the lower edge of each layer and the top; zero at both ends.
        detrainment : (lev, lat, lon) kg s-1; raised where the flux falls faster.
        """
        gain = np.diff(np.asarray(upward, dtype=np.float64), axis=0)
        detrain = np.maximum(detrainment, np.maximum(-gain, 0.0))
        nothing = np.zeros_like(detrain)
        return cls(gain + detrain, detrain, nothing, nothing, team)

    def __call__(self, state: State, seconds: float) -> None:
        """Convect for `seconds`, backward Euler; draughts hold no air of their own."""
        nz, ny, nx, tracers = state.tracer_mass.shape
        if self.entrain_up.shape != (nz, ny, nx):
            raise TransportError(f"Convection has shape {self.entrain_up.shape}, but the state {(nz, ny, nx)}.")
        rm, m = state.tracer_mass.reshape(-1), state.air_mass.reshape(-1)
        added = dither(nz, state.turn, rm.dtype)
        up_in, up_out, down_in, down_out = (
            field.reshape(-1) for field in (self.entrain_up, self.detrain_up, self.entrain_down, self.detrain_down)
        )

        def work(first: int, last: int) -> None:
            _convect(rm, m, up_in, up_out, down_in, down_out, added, seconds, tracers, nz, ny * nx, first, last)

        self.team.share(work, ny * nx)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _diffuse(rm, m, exchange, added, seconds, tracers, length, columns, block, first, last):
    """Blocks first..last - 1 of columns: (M + L) q = rm by Thomas' algorithm without a subtraction."""
    size = block * tracers
    mixed = np.empty(length * size)
    carry, shrink, keep = np.empty(length * block), np.empty(length * block), np.empty(block)
    ratio = np.empty(size)
    line_size = 64 // rm.itemsize
    for task in range(first, last):
        start = task * block
        width = min(block, columns - start)
        for b in range(width):
            keep[b] = 0.0
        for level in range(length):
            if level + AHEAD < length:
                p = ((level + AHEAD) * columns + start) * tracers
                for number in range(p, p + width * tracers, line_size):
                    prefetch(rm, number)  # type: ignore[call-arg]
            for b in range(width):
                cell = level * columns + start + b
                below = exchange[cell - columns] * seconds if level > 0 else 0.0
                above = exchange[cell] * seconds if level < length - 1 else 0.0
                rest = m[cell] + below * keep[b]
                reciprocal = 1.0 / (rest + above)
                keep[b] = rest * reciprocal
                carry[level * block + b] = above * reciprocal
                shrink[level * block + b] = m[cell] * (1.0 + added[level + ((start + b) * ASIDE & (BEGINNINGS - 1))])
                factor = below * reciprocal
                o = np.uint64(level * size + b * tracers)
                p = np.uint64(cell * tracers)
                if level == 0:
                    for i in range(np.uint64(tracers)):
                        mixed[o + i] = reciprocal * rm[p + i]
                else:
                    before = np.uint64((level - 1) * size + b * tracers)
                    for i in range(np.uint64(tracers)):
                        mixed[o + i] = reciprocal * rm[p + i] + factor * mixed[before + i]
        for number in range(size):
            ratio[number] = 0.0
        for level in range(length - 1, -1, -1):
            for b in range(width):
                factor, mass = carry[level * block + b], shrink[level * block + b]
                o = np.uint64(level * size + b * tracers)
                r = np.uint64(b * tracers)
                p = np.uint64((level * columns + start + b) * tracers)
                for i in range(np.uint64(tracers)):
                    value = mixed[o + i] + factor * ratio[r + i]
                    ratio[r + i] = value
                    rm[p + i] = mass * value


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _convect(rm, m, up_in, up_out, down_in, down_out, added, seconds, tracers, length, columns, first, last):
    """Columns first..last - 1. Unknowns, level by level: mixing ratio of updraught, layer and downdraught; so ordered,
    nothing lies farther than three from the diagonal, and an LU without pivots (columns dominate) keeps that band."""
    band = np.empty((3 * length, 7))
    values = np.empty((3 * length, tracers))
    for column in range(first, last):
        top = -1
        for level in range(length):
            cell = level * columns + column
            if up_in[cell] + up_out[cell] + down_in[cell] + down_out[cell] > 0.0:
                top = level
        if top < 1:
            continue
        size = 3 * (top + 1)
        _draughts(band, m, up_in, up_out, down_in, down_out, seconds, columns, column, top)
        for row in range(size):
            for lower in range(row + 1, min(row + 4, size)):
                factor = band[lower, 3 + row - lower] / band[row, 3]
                band[lower, 3 + row - lower] = factor
                if factor != 0.0:
                    for other in range(row + 1, min(row + 4, size)):
                        band[lower, 3 + other - lower] -= factor * band[row, 3 + other - row]
        for level in range(top + 1):
            p = (level * columns + column) * tracers
            for i in range(tracers):
                values[3 * level, i] = 0.0
                values[3 * level + 1, i] = rm[p + i]
                values[3 * level + 2, i] = 0.0
        for row in range(size):
            for other in range(max(row - 3, 0), row):
                factor = band[row, 3 + other - row]
                if factor != 0.0:
                    for i in range(tracers):
                        values[row, i] -= factor * values[other, i]
        for row in range(size - 1, -1, -1):
            for other in range(row + 1, min(row + 4, size)):
                factor = band[row, 3 + other - row]
                if factor != 0.0:
                    for i in range(tracers):
                        values[row, i] -= factor * values[other, i]
            reciprocal = 1.0 / band[row, 3]
            for i in range(tracers):
                values[row, i] *= reciprocal
        for level in range(top + 1):
            cell = level * columns + column
            mass, p = m[cell] * (1.0 + added[level + (column * ASIDE & (BEGINNINGS - 1))]), cell * tracers
            for i in range(tracers):
                rm[p + i] = mass * values[3 * level + 1, i]


@njit(nogil=True, cache=True, error_model="numpy")
def _draughts(band, m, up_in, up_out, down_in, down_out, seconds, columns, column, top):
    """Fill the band: row 3k updraught, 3k + 1 layer, 3k + 2 downdraught; entry [row, 3 + other - row]."""
    band[: 3 * (top + 1)] = 0.0
    down = np.zeros(top + 2)  # downward draught through the lower edge of each layer
    for level in range(top, -1, -1):
        cell = level * columns + column
        down[level] = max(down[level + 1] + (down_in[cell] - down_out[cell]) * seconds, 0.0)
    down[0] = 0.0
    up = 0.0
    settled = 0.0  # air of the surroundings that sinks (or, negative, rises) through the lower edge
    for level in range(top + 1):
        cell = level * columns + column
        entrained, detrained = up_in[cell] * seconds, up_out[cell] * seconds
        below = up
        up = max(up + entrained - detrained, 0.0)
        if level == top:
            up = 0.0
        row = 3 * level
        band[row, 3] = below + entrained  # what comes into the draught in this layer leaves it there or upwards
        band[row, 4] = -entrained
        if level > 0:
            band[row, 0] = -below
        released = below + entrained - up
        downward_in, arriving = down_in[cell] * seconds, down[level + 1]
        band[row + 2, 3] = arriving + downward_in
        band[row + 2, 2] = -downward_in
        if level < top:
            band[row + 2, 6] = -arriving
        dropped = arriving + downward_in - down[level]
        sinking = up - arriving  # through the upper edge, to make up for the draughts
        band[row + 1, 3] = m[cell] + entrained + downward_in + max(settled, 0.0) + max(-sinking, 0.0)
        band[row + 1, 2] = -released
        band[row + 1, 4] = -dropped
        if level < top:
            band[row + 1, 6] = -max(sinking, 0.0)
        if level > 0:
            band[row + 1, 0] = -max(-settled, 0.0)
        settled = sinking
        for other in (row, row + 2):
            if band[other, 3] == 0.0:
                band[other, 3] = 1.0
