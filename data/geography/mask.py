"""Which cells of a global grid are land: those whose centre lies in a Natural Earth 1:50m land polygon."""

from __future__ import annotations

import functools

import numpy as np

from data.geography.outlines import land_polygons


@functools.lru_cache(maxsize=4)
def land_mask(nlat: int, nlon: int) -> np.ndarray:
    """(nlat, nlon) bool, True over land; row 0 is the southernmost, column 0 starts at -180°. Shared and read-only.

    The rule of the cell centre keeps the area of land true on average, where a rule of "any touch" would add half a
    cell along every coast.
    """
    from rasterio.features import rasterize
    from rasterio.transform import from_bounds

    north_up = rasterize(
        land_polygons("50m"),
        out_shape=(nlat, nlon),
        transform=from_bounds(-180.0, -90.0, 180.0, 90.0, nlon, nlat),
        dtype="uint8",
    )
    mask = np.ascontiguousarray(north_up[::-1]).view(bool)
    mask.flags.writeable = False
    return mask
