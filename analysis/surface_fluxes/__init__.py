"""Surface fluxes of CO2 for the transport: files of any provider, put on the run's grid, checked and kept by component.

`inventory` is what a run uses, `reading` makes it from files, `series` is one flux over time, `diurnal` gives the biosphere
its days and nights.
"""

from analysis.surface_fluxes.errors import FluxProblem
from analysis.surface_fluxes.inventory import FluxInventory
from analysis.surface_fluxes.reading import read_inventory
from analysis.surface_fluxes.series import FluxSeries

__all__ = ["FluxInventory", "FluxProblem", "FluxSeries", "read_inventory"]
