"""Whether everything that a cube's manifest names is there and intact: every chunk is read and its checksum
compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from data.cube.manifest import Manifest
from data.cube.pyramid import map_layout
from data.cube.rows import RowFile
from data.cube.shards import ShardDamage, ShardLayout, read_chunks, shard_key
from data.cube.store import Store
from data.cube.time_layout import block_layout, block_path, map_path


def damage(path: str | os.PathLike[str]) -> Iterator[str]:
    """One sentence for each damaged or missing part of the cube in a folder or at an fsspec URL.

    Raises
    ------
    StoreProblem : there is no cube, or its manifest is damaged.
    """
    store = Store(path, 1)
    manifest = store.manifest
    for name, layout in _shards(manifest):
        try:
            for _ in read_chunks(
                store.chunks.fs, f"{store.chunks.root}/{name}", layout, range(int(np.prod(layout.grid)))
            ):
                pass
        except ShardDamage as found:
            yield f"{store.path}/{name}: expected intact chunks, found {found.reason}; import or build the cube again."
    for variable in manifest.variables:
        rows = RowFile(store.chunks.fs, store.chunks.root, variable, manifest.grid.nlat)
        try:
            rows.read(np.unique(manifest.slots(variable)))
        except ShardDamage as found:
            yield (
                f"{store.path}/rows: expected statistics of {variable}, found {found.reason}; import or "
                "build the cube again."
            )


def _shards(manifest: Manifest) -> Iterator[tuple[str, ShardLayout]]:
    """Path within the cube and layout of every shard."""
    for slots in manifest.steps.values():
        for variable, slot in slots.items():
            for level in range(manifest.grid.levels):
                yield (
                    map_path(variable, level, slot),
                    map_layout(manifest.grid, manifest.variables[variable], level, slot + 1),
                )
    for block in manifest.blocks:
        layout = block_layout(manifest.grid, manifest.variables[block.variable], len(block.slots))
        down, across = (-(-size // shard) for size, shard in zip(layout.shape[1:], layout.shard[1:], strict=True))
        for i, j in np.ndindex(down, across):
            yield f"{block_path(block)}/{shard_key((0, i, j))}", layout
