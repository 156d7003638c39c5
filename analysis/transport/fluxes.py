"""Air-mass fluxes through the faces of cells: the only thing the tracers know of the wind.

Fluxes that come from winds rarely agree with the change of surface pressure; `closed` makes the vertical flux from
continuity, so that in every cell inflow less outflow is exactly the change of air mass, and `replay` proves it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.grids import Grid, Levels
from analysis.transport.errors import TransportError


@dataclass(frozen=True, eq=False)
class MassFluxes:
    """Dry-air mass fluxes in kg s-1, constant over some time.

    Attributes
    ----------
    x : (lev, lat, lon) eastward through the western face of each cell.
    y : (lev, lat + 1, lon) northward through the southern face; nothing passes the poles.
    z : (lev + 1, lat, lon) upward through the lower face; nothing passes the surface and the top.

    Raises
    ------
    TransportError : shapes that do not belong together, values that are not finite, flux through pole, surface or top.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    def __post_init__(self) -> None:
        for name in "xyz":
            values = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, values)
        if self.x.ndim != 3:
            raise TransportError(f"Fluxes need dimensions (lev, lat, lon), found shape {self.x.shape} in x.")
        nz, ny, nx = self.x.shape
        if self.y.shape != (nz, ny + 1, nx) or self.z.shape != (nz + 1, ny, nx):
            raise TransportError(
                f"With x fluxes of shape {self.x.shape} those in y must have {(nz, ny + 1, nx)} and those in z "
                f"{(nz + 1, ny, nx)}; found {self.y.shape} and {self.z.shape}."
            )
        for name in "xyz":
            values = getattr(self, name)
            if not np.isfinite(values).all():
                count = int((~np.isfinite(values)).sum())
                raise TransportError(
                    f"{count} of {values.size} mass fluxes in {name} are NaN or infinite; fill them before making the "
                    "weather pack."
                )
        if self.y[:, 0].any() or self.y[:, -1].any() or self.z[0].any() or self.z[-1].any():
            raise TransportError("Mass fluxes through the poles, the surface and the top must be zero.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(lev, lat, lon)."""
        nz, ny, nx = self.x.shape
        return nz, ny, nx

    def convergence(self) -> np.ndarray:
        """(lev, lat, lon) kg s-1 of air that each cell gains."""
        return horizontal_convergence(self.x, self.y) + self.z[:-1] - self.z[1:]

    def replay(self, air_mass: np.ndarray, seconds: float) -> np.ndarray:
        """(lev, lat, lon) kg after `seconds`, from the fluxes alone."""
        return air_mass + seconds * self.convergence()

    def replay_error(self, before: np.ndarray, after: np.ndarray, seconds: float) -> float:
        """Largest difference between the replayed and the stated air mass, relative to the cell's mass."""
        return float(np.abs(self.replay(before, seconds) / after - 1.0).max())


def horizontal_convergence(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(lev, lat, lon) kg s-1 that each cell gains through its sides."""
    return x - np.roll(x, -1, axis=-1) + y[..., :-1, :] - y[..., 1:, :]


def closed(x: np.ndarray, y: np.ndarray, levels: Levels) -> MassFluxes:
    """Add the vertical flux that continuity demands where layers share the change of the column as hybrid levels do.

    Parameters
    ----------
    x, y : as in `MassFluxes`.
    levels : of as many layers; the change of surface pressure goes to the layers in proportion to the change of b.

    Raises
    ------
    TransportError : as `MassFluxes`, or another number of levels.
    """
    if x.shape[0] != levels.count:
        raise TransportError(
            f"The fluxes have {x.shape[0]} levels and the levels {levels.count}; give those of the fluxes."
        )
    gain = horizontal_convergence(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    gain -= levels.b_share[:, None, None] * gain.sum(axis=0)
    z = np.zeros((len(gain) + 1, *gain.shape[1:]))
    np.cumsum(gain[:-1], axis=0, out=z[1:-1])
    return MassFluxes(x, y, z)


def air_mass(grid: Grid, levels: Levels, surface_pressure_pa: np.ndarray) -> np.ndarray:
    """(lev, lat, lon) kg of dry air in each cell for the dry surface pressure (lat, lon) in Pa.

    Raises
    ------
    TransportError : a pressure outside 400..1100 hPa (in hPa instead of Pa, most likely), NaN, or another grid.
    """
    pressure = np.asarray(surface_pressure_pa, dtype=np.float64)
    if pressure.shape != grid.shape:
        raise TransportError(f"Surface pressure has shape {pressure.shape}, but the grid has {grid.shape} (lat, lon).")
    if not ((pressure >= 40_000) & (pressure <= 110_000)).all():
        raise TransportError(
            f"Surface pressure must lie within 40000..110000 Pa, found {span(pressure)}; check its unit."
        )
    return levels.layer_mass(pressure) * grid.area


def span(values: np.ndarray) -> str:
    """What values there are, for a sentence: "3 to 7 and NaN"."""
    known = values[np.isfinite(values)]
    if not known.size:
        return "nothing but NaN" if values.size else "nothing"
    return f"{known.min():g} to {known.max():g}{' and NaN' if known.size < values.size else ''}"
