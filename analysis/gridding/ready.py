"""Imported by workers before their first task: what numba loads before its first function (0.7 s) is then there.

Workers of this machine are forked from one process that has imported it, so it is loaded once for all of them.
"""

from __future__ import annotations

import numpy as np

from analysis.gridding.cells import cell_numbers, global_grid

cell_numbers(global_grid(90.0), np.zeros(1), np.zeros(1))
