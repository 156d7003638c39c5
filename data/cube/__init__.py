"""Gridded products: one store with a map pyramid for the screen and a time layout for series.

`Cube` is the whole interface; `Grid`, `Variable` and `View` describe what goes in and what is asked for. The modules:

* `product`: the cube as its users see it; `store`: its folder, the manifest and who may write;
* `grid`, `view`: what the numbers and a screen mean; `manifest`: what is in a cube;
* `pyramid`, `rows`, `writing`: from a map to what is kept of it; `shards`, `chunks`: Zarr v3 files and their decoded
chunks; * `time_layout`: all times of a few cells side by side; `region`, `region_sums`: area-weighted series; *
`window`, `resample`: the picture on a screen; `arrays`: xarray; `warm_up`: before the first user comes.
"""

from data.cube.grid import Grid, Variable
from data.cube.product import Cube, list_cubes
from data.cube.region import RegionCancelled, RegionSeries
from data.cube.sparse import encode_cells
from data.cube.time_layout import Spread, TileWork
from data.cube.view import View
from data.cube.writing import EncodedMap, encode_map

__all__ = [
    "Cube",
    "EncodedMap",
    "Grid",
    "RegionCancelled",
    "RegionSeries",
    "Spread",
    "TileWork",
    "Variable",
    "View",
    "encode_cells",
    "encode_map",
    "list_cubes",
]
