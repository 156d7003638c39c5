"""The fixed geography of the maps: outlines, named regions, land mask, ground sites, cities and power plants.

Everything is vendored in this folder (Natural Earth, public domain, see natural_earth/CREDITS.txt, and three tables
with their sources), so maps need no internet. Nothing is read at import; every function reads its file once and keeps
the result. The objects returned are shared: copy before changing them.
"""

from data.geography.mask import land_mask
from data.geography.outlines import borders, coastlines, countries, land_polygons
from data.geography.places import cities, power_plants, tccon_sites
from data.geography.regions import regions

__all__ = [
    "borders",
    "cities",
    "coastlines",
    "countries",
    "land_mask",
    "land_polygons",
    "power_plants",
    "regions",
    "tccon_sites",
]
