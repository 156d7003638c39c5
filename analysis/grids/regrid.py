"""Conservative regridding between any two rectilinear grids of the Earth.

Cells of such grids overlap in the product of an overlap in longitude and one in latitude, so the map is two small
sparse matrices, exact to rounding: what is given per area keeps its integral, what is given per cell keeps its sum
(Jones 1999, doi 10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2, first order).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from analysis.grids.horizontal import Grid, GridError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Regridder:
    """From the cells of one grid to those of another.

    Parameters
    ----------
    source, target : any two grids.
    """

    def __init__(self, source: Grid, target: Grid) -> None:
        self.source, self.target = source, target
        sines = [np.sin(np.radians(grid.lat_edges)) for grid in (source, target)]
        for edges in sines:
            edges[0], edges[-1] = -1.0, 1.0
        self._rows = _overlaps(sines[0], sines[1])
        turned = [source.lon_edges + turn for turn in (-720.0, -360.0, 0.0, 360.0, 720.0)]
        self._columns = sum(
            (_overlaps(edges, target.lon_edges) for edges in turned[1:]), _overlaps(turned[0], target.lon_edges)
        )
        # Widths measured by the overlaps themselves, so that rounding does not change a uniform field.
        self._row_width = np.asarray(self._rows.sum(axis=1)).ravel()
        self._column_width = np.asarray(self._columns.sum(axis=1)).ravel()
        self._source_row_width = np.asarray(self._rows.sum(axis=0)).ravel()
        self._source_column_width = np.asarray(self._columns.sum(axis=0)).ravel()

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Area means: (..., lat, lon) per area (fluxes per m2, mole fractions weighted equally) -> (..., lat, lon) of
        the target, float64.

        The integral over the Earth is kept. A target cell that touches a NaN is NaN.
        """
        summed = self._apply(values, self._rows, self._columns)
        return summed / np.outer(self._row_width, self._column_width)

    def mean_of_stripes(self, stripes: Iterable[np.ndarray]) -> np.ndarray:
        """As `mean`, for a field that is too large to be held: (rows, lon) stripes from south to north that make it up."""
        summed, first = np.zeros(self.target.shape), 0
        for stripe in stripes:
            rows = self._rows[:, first : first + len(stripe)]
            summed += rows @ (self._columns @ np.asarray(stripe, dtype=np.float64).T).T
            first += len(stripe)
        if first != self.source.shape[0]:
            raise GridError(f"The stripes have {first} rows together, but the grid has {self.source.shape[0]}.")
        return np.asarray(summed / np.outer(self._row_width, self._column_width))

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums: (..., lat, lon) per cell (kg, mol s-1) -> (..., lat, lon) of the target, float64; the sum is kept."""
        per_area = np.asarray(values, dtype=np.float64) / np.outer(self._source_row_width, self._source_column_width)
        return self._apply(per_area, self._rows, self._columns)

    def _apply(self, values: np.ndarray, rows: csr_array, columns: csr_array) -> np.ndarray:
        values = np.asarray(values, dtype=np.float64)
        if values.shape[-2:] != self.source.shape:
            raise GridError(
                f"The field has {values.shape[-2:]} cells (lat, lon), but grid {self.source.name or 'given'} has "
                f"{self.source.shape}; name the grid it lies on."
            )
        lead = values.shape[:-2]
        stacked = values.reshape(-1, *self.source.shape)
        across = (columns @ stacked.reshape(-1, stacked.shape[-1]).T).T.reshape(len(stacked), self.source.shape[0], -1)
        result = np.stack([rows @ layer for layer in across]) if len(across) else np.empty((0, *self.target.shape))
        return result.reshape(*lead, *self.target.shape)


def _overlaps(source: np.ndarray, target: np.ndarray) -> csr_array:
    """(target cells, source cells) lengths of the intersections of two rising lists of edges; slivers of rounding left
    out."""
    from scipy.sparse import csr_array

    low = np.maximum(source[None, :-1], target[:-1, None])
    high = np.minimum(source[None, 1:], target[1:, None])
    width = high - low
    smallest = 1e-10 * min(np.diff(source).min(), np.diff(target).min())
    return csr_array(np.where(width > smallest, width, 0.0))
