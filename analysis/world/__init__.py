"""The simulated world behind the demo: monthly global XCO2 with known truth, to be mapped and to be observed. Always
labelled "simulated".

`World` draws the maps and answers for points; what it is made of lies in `climate` (large scales) and `plumes` (cities
and power plants).
"""

from analysis.world.maps import ATTRS, World

__all__ = ["ATTRS", "World"]
