"""Grids of the transport model: cells on the sphere, hybrid levels, and conservative regridding between them.

A `Grid` is rectilinear (latitudes x longitudes), checked when it is made and never changed. `uniform` grids are
CarbonTracker's and GEOS-Chem's; a `refined` one has small cells over a box and large ones elsewhere, smoothly joined.
"""

from analysis.grids.horizontal import EARTH_RADIUS_M, Grid, GridError, uniform
from analysis.grids.levels import GRAVITY, Levels, ecmwf_levels
from analysis.grids.refined import ASIA, Box, refined
from analysis.grids.regrid import Regridder

__all__ = [
    "ASIA",
    "EARTH_RADIUS_M",
    "GRAVITY",
    "Box",
    "Grid",
    "GridError",
    "Levels",
    "Regridder",
    "ecmwf_levels",
    "refined",
    "uniform",
]
