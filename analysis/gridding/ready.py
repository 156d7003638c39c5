"""Imported by workers before their first task: what gridding and making maps need is then there.

Workers of this machine are forked from one process that has imported it, so it is loaded once for all of them.
"""

from __future__ import annotations

import google_crc32c
import numcodecs.blosc
import numpy as np
import pyarrow.parquet

from analysis.gridding import tasks
from analysis.gridding.cells import cell_numbers, global_grid
from data.cube import Variable, encode_cells

_grid, _none = global_grid(90.0), np.zeros(1)
cell_numbers(_grid, _none, _none)  # numba loads much (0.3 s) before the first of its functions
encode_cells(np.zeros(1, np.int64), np.zeros((1, 1)), _grid, [Variable("none", "1", "none", "float32")])

__all__ = ["google_crc32c", "numcodecs", "pyarrow", "tasks"]
