"""The time layout of a cube: all times of a few cells side by side, so that a cell's series is one small read.

Steps are sealed into blocks. Sealing few steps after many makes a small block; small blocks are joined as they come
to equal the new ones, so that n steps sealed one by one lie in about log2(n) blocks and each has been rewritten as
often. Appending a step never touches a block: until it is sealed, it is read from the map layout. So is a step that
was replaced after sealing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np

from data.cube.chunks import ChunkStore, in_turn
from data.cube.grid import Grid, Variable
from data.cube.manifest import FILE, Block, Manifest
from data.cube.pyramid import map_layout
from data.cube.shards import (
    ShardDamage,
    ShardLayout,
    WriteFailure,
    build_shard,
    encode_known,
    shard_key,
    write_file,
)
from data.errors import StoreProblem
from data.places import file_system

_SHARD_BYTES = 190_000_000
"""Decoded size of a shard at most: what one thread holds while sealing (128 steps of float32 and 600 x 600 cells)."""


def block_layout(grid: Grid, variable: Variable, count: int) -> ShardLayout:
    """Chunks and shards of a block of `count` steps: 60 x 60 cells a chunk, 30 x 30 in long blocks; up to a megabyte.

    A shard is a chunk of the maps, or a half or quarter of it along a side, so that sealing unpacks few chunks twice.
    """
    chunk = 60 if count <= 128 else 30
    shard = [_up(size, chunk) for size in map_layout(grid, variable, 0, 1).chunk[1:]]
    while count * shard[0] * shard[1] * np.dtype(variable.dtype).itemsize > _SHARD_BYTES and max(shard) > chunk:
        larger = int(shard[1] >= shard[0])
        shard[larger] = _up(-(-shard[larger] // 2), chunk)
    return ShardLayout((count, *grid.shape()), (count, shard[0], shard[1]), (count, chunk, chunk), variable.dtype)


def _up(size: int, step: int) -> int:
    return step * -(-size // step)


def block_path(block: Block) -> str:
    """Folder of a block within the cube."""
    return f"time/{block.variable}/{block.number}"


def map_path(variable: str, level: int, slot: int) -> str:
    """File of one level of one map within the cube."""
    return f"maps/{variable}/{level}/{shard_key((slot, 0, 0))}"


def longest_block(grid: Grid) -> int:
    """Steps in a block at most: fewer for large grids, where sealing reads whole chunks of maps."""
    return 128 if grid.nlat * grid.nlon > 2_000_000 else 512


def plan(manifest: Manifest) -> tuple[list[Block], list[Block]]:
    """Blocks to keep and blocks to write so that every step is sealed; numbers of new ones begin at the manifest's
    next."""
    keep: list[Block] = []
    new: list[Block] = []
    number = manifest.next_number
    longest = longest_block(manifest.grid)
    for variable in manifest.variables:
        order = [slot for slot in manifest.slots(variable).tolist() if slot >= 0]
        alive = set(order)
        blocks = [block for block in manifest.blocks if block.variable == variable]
        sealed = {slot for block in blocks for slot in block.slots}
        fresh = [slot for slot in order if slot not in sealed]
        while blocks:
            living = [slot for slot in blocks[-1].slots if slot in alive]
            wasted = len(living) <= len(blocks[-1].slots) // 2
            if not wasted and (not fresh or len(living) > len(fresh) or len(living) + len(fresh) > longest):
                break
            fresh += living
            blocks.pop()
        keep += blocks
        place = {slot: step for step, slot in enumerate(order)}
        fresh.sort(key=place.__getitem__)
        for first in range(0, len(fresh), longest):
            new.append(Block(number, variable, tuple(fresh[first : first + longest])))
            number += 1
    return keep, new


@dataclass(frozen=True)
class TileWork:
    """A part of a block to be written by any process that sees the cube.

    Attributes
    ----------
    path : of the cube, a folder or fsspec URL.
    row, column : number of the part.
    """

    path: str
    block: Block
    row: int
    column: int


Spread = Callable[[Callable[[TileWork], None], Sequence[TileWork]], Iterable[object]]
"""Does all of the work in whatever processes, and yields something for each part that is done."""


def seal(
    path: str, chunks: ChunkStore, manifest: Manifest, progress: Callable[[float], None], spread: Spread | None = None
) -> Manifest | None:
    """Write the blocks that `plan` asks for; the manifest that names them is returned, not written. None if nothing is to do.

    WriteFailure where the disk fails, ShardDamage where a map is damaged.
    """
    keep, new = plan(manifest)
    if not new:
        return None
    works = [TileWork(path, block, *place) for block in new for place in _tiles(manifest, block)]
    total = sum(len(work.block.slots) for work in works)

    def here(work: TileWork) -> None:
        _write_tile(chunks, manifest, work)

    with ExitStack() as stack:
        results = (
            spread(seal_tile, works) if spread else stack.enter_context(closing(in_turn(chunks.long_work, here, works)))
        )
        done = 0
        for work, _ in zip(works, results, strict=True):
            done += len(work.block.slots)
            progress(done / total)
    for block in new:
        variable = manifest.variables[block.variable]
        layout = block_layout(manifest.grid, variable, len(block.slots))
        write_file(
            f"{chunks.root}/{block_path(block)}/zarr.json",
            layout.metadata(("time", "lat", "lon"), {"units": variable.units, "slots": list(block.slots)}),
            chunks.fs,
        )
    return manifest.with_blocks((*keep, *new), max(block.number for block in new) + 1)


def seal_tile(work: TileWork) -> None:
    """Write one part of a block, in any process.

    Raises
    ------
    StoreProblem : the disk failed, or a map is damaged.
    """
    fs, root = file_system(work.path)
    manifest = Manifest.from_bytes(fs.cat_file(f"{root}/{FILE}"), work.path)
    try:
        _write_tile(ChunkStore(fs, root, 0), manifest, work)
    except WriteFailure as failure:
        raise StoreProblem(
            f"cube {manifest.name}: expected to write the time layout into {work.path}, found {failure.reason}; free some "
            "space or check permissions."
        ) from None
    except ShardDamage as damage:
        raise StoreProblem(
            f"cube {manifest.name}: expected whole maps, found {damage.reason} at {damage.path or work.path}; make it again."
        ) from None


def _tiles(manifest: Manifest, block: Block) -> list[tuple[int, int]]:
    layout = block_layout(manifest.grid, manifest.variables[block.variable], len(block.slots))
    _, rows, columns = layout.shape
    _, height, width = layout.shard
    return [(i, j) for i in range(-(-rows // height)) for j in range(-(-columns // width))]


def _write_tile(chunks: ChunkStore, manifest: Manifest, work: TileWork) -> None:
    block, variable = work.block, manifest.variables[work.block.variable]
    layout = block_layout(manifest.grid, variable, len(block.slots))
    maps = map_layout(manifest.grid, variable, 0, 1)
    _, rows, columns = layout.shape
    _, height, width = layout.shard
    top, left = work.row * height, work.column * width
    inside = slice(top, min(rows, top + height)), slice(left, min(columns, left + width))
    found = [chunks.tile(map_path(variable.name, 0, slot), maps, *inside) for slot in block.slots]
    write_file(
        f"{chunks.root}/{block_path(block)}/{shard_key((0, work.row, work.column))}",
        build_shard([encode_known(part) for part in _parts(found, layout, variable)]),
        chunks.fs,
    )


def _parts(maps: Sequence[np.ndarray], layout: ShardLayout, variable: Variable) -> Iterator[np.ndarray]:
    """(steps, rows, columns) of each chunk of a shard, from the (rows, columns) of the shard that each step has; the array
    is the same every time.
    """
    _, down, across = layout.grid
    _, height, width = layout.chunk
    rows, columns = maps[0].shape
    part = np.empty(layout.chunk, dtype=layout.dtype)
    for i in range(down):
        for j in range(across):
            bottom, right = min(height, rows - i * height), min(width, columns - j * width)
            if (bottom, right) != (height, width):
                part[:] = variable.missing  # beyond the grid's edge
            if min(bottom, right) > 0:
                for place, values in enumerate(maps):
                    part[place, :bottom, :right] = values[i * height :, j * width :][:bottom, :right]
            yield part


def cell_series(chunks: ChunkStore, manifest: Manifest, variable: Variable, row: int, column: int) -> np.ndarray:
    """(steps,) packed values of one cell, from blocks where sealed and from maps where not."""
    slots = manifest.slots(variable.name)
    out = np.full(slots.size, variable.missing, dtype=variable.dtype)
    sealed = manifest.sealed[variable.name]
    series: dict[int, np.ndarray] = {}
    maps = map_layout(manifest.grid, variable, 0, 1)
    for step, slot in enumerate(slots.tolist()):
        if slot < 0:
            continue
        if slot in sealed:
            block, place = sealed[slot]
            if block.number not in series:
                series[block.number] = _block_cell(chunks, manifest.grid, variable, block, row, column)
            out[step] = series[block.number][place]
        else:
            _, height, width = maps.chunk
            number = (row // height) * maps.grid[2] + column // width
            (chunk,) = chunks.chunks(map_path(variable.name, 0, slot), maps, [number])
            out[step] = chunk[0, row % height, column % width]
    return out


def _block_cell(chunks: ChunkStore, grid: Grid, variable: Variable, block: Block, row: int, column: int) -> np.ndarray:
    layout = block_layout(grid, variable, len(block.slots))
    _, height, width = layout.shard
    _, down, across = layout.chunk
    number = (row % height // down) * layout.grid[2] + column % width // across
    path = f"{block_path(block)}/{shard_key((0, row // height, column // width))}"
    (chunk,) = chunks.chunks(path, layout, [number])
    return chunk[:, row % down, column % across]
