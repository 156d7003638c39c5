"""Writing steps of a cube, and clearing away what a killed writer left behind."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.cube.chunks import ChunkStore
from data.cube.grid import Grid, Variable
from data.cube.manifest import Manifest
from data.cube.pyramid import RowStatistics, build_pyramid, check_map, map_layout, pack, row_statistics
from data.cube.rows import RowFile
from data.cube.shards import ShardLayout, WriteFailure, build_shard, encode_known, take_file, write_file
from data.cube.time_layout import map_path
from data.errors import StoreProblem
from data.places import is_local

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class EncodedMap:
    """One map as it will lie in a cube. Encoding is most of the work of writing, so many processes may encode while one
    writes.

    Attributes
    ----------
    grid, variable : of the cube that it is meant for.
    shards : the content of each pyramid level's file, finest first, or where that lies (`kept_in`).
    rows : statistics of its rows.
    """

    grid: Grid
    variable: Variable
    shards: tuple[bytes | Path, ...]
    rows: RowStatistics

    @property
    def bytes_in_memory(self) -> int:
        """What it takes to keep it."""
        shards = sum(len(content) for content in self.shards if isinstance(content, bytes))
        return shards + self.rows.count.nbytes + self.rows.mean.nbytes + self.rows.squares.nbytes

    def kept_in(self, folder: Path, name: str) -> EncodedMap:
        """The same with its contents in synced files of a folder, for a process that sees it to take them from there.

        Raises
        ------
        StoreProblem : the disk failed.
        """
        places = [folder / f"{name}.{self.variable.name}.{level}" for level in range(len(self.shards))]
        try:
            for place, content in zip(places, self.shards, strict=True):
                if isinstance(content, bytes):
                    write_file(str(place), content, read_soon=False)
                else:
                    take_file(str(content), str(place))
        except WriteFailure as failure:
            raise StoreProblem(
                f"{folder}: expected to write maps there, found {failure.reason}; free some space or check permissions."
            ) from None
        return replace(self, shards=tuple(places))


def encode_map(values: Any, grid: Grid, variable: Variable) -> EncodedMap:
    """Pack a map, build its pyramid and compress it, on this thread alone; `Cube.write` takes the result for the map.

    Raises
    ------
    StoreProblem : wrong shape, units or type; values that do not fit.
    """
    with ThreadPoolExecutor(1) as pool:
        return _encoded(pack(check_map(values, grid, variable), variable, pool), grid, variable, pool)


def _encoded(codes: np.ndarray, grid: Grid, variable: Variable, pool: Executor) -> EncodedMap:
    shards = []
    for level, part in enumerate(build_pyramid(codes, grid, variable, pool)):
        chunks = _chunks_of(part, map_layout(grid, variable, level, 1), variable)
        shards.append(build_shard(list(pool.map(encode_known, chunks))))
    return EncodedMap(grid, variable, tuple(shards), row_statistics(codes, variable, pool))


def write_steps(chunks: ChunkStore, manifest: Manifest, steps: Mapping[int, Mapping[Variable, Any]]) -> Manifest:
    """Write all levels of the maps of some steps under new slots; the manifest that names them is returned, not written.

    Nothing of a step is written before all its maps have been checked. WriteFailure where the disk fails.
    """
    grid = manifest.grid
    rows: dict[Variable, dict[int, RowStatistics]] = {}
    for time, maps in steps.items():
        slot = manifest.next_number
        for variable, encoded in _write_maps(chunks, grid, slot, maps):
            rows.setdefault(variable, {})[slot] = encoded.rows
        manifest = manifest.with_step(time, {variable.name: slot for variable in maps})
    with _writing(chunks) as write:
        for variable, records in rows.items():
            write(RowFile(chunks.fs, chunks.root, variable.name, grid.nlat).write, records)
            for level in range(grid.levels):
                layout = map_layout(grid, variable, level, max(records) + 1)
                description = layout.metadata(("slot", "lat", "lon"), _attributes(variable, level))
                folder = map_path(variable.name, level, 0).rpartition("/")[0]
                write(write_file, f"{chunks.root}/{folder}/zarr.json", description, chunks.fs)
    return manifest


def _write_maps(
    chunks: ChunkStore, grid: Grid, slot: int, maps: Mapping[Variable, Any]
) -> list[tuple[Variable, EncodedMap]]:
    """Write the maps of one step, and give them as they were encoded."""
    pool = chunks.long_work
    for variable, values in maps.items():
        if isinstance(values, EncodedMap) and (values.grid, values.variable) != (grid, variable):
            raise StoreProblem(
                f"variable {variable.name}: expected a map encoded for {variable} on {grid}, found one for "
                f"{values.variable} on {values.grid}; encode it for this cube."
            )
    packed = {
        variable: values if isinstance(values, EncodedMap) else pack(check_map(values, grid, variable), variable, pool)
        for variable, values in maps.items()
    }
    written = []
    with _writing(chunks) as write:
        for variable, codes in packed.items():
            encoded = codes if isinstance(codes, EncodedMap) else _encoded(codes, grid, variable, pool)
            for level, shard in enumerate(encoded.shards):
                path = f"{chunks.root}/{map_path(variable.name, level, slot)}"
                if isinstance(shard, bytes):
                    write(write_file, path, shard, chunks.fs)
                else:
                    write(take_file, str(shard), path, chunks.fs)
            written.append((variable, encoded))
    return written


@contextmanager
def _writing(chunks: ChunkStore) -> Iterator[Callable[..., None]]:
    """A function that has things written side by side; at the end of the block all are, or the first failure is raised."""
    writes: list[Future[None]] = []
    try:
        yield lambda work, *arguments: writes.append(chunks.writers.submit(work, *arguments))
    finally:
        wait(writes)
    for write in writes:
        write.result()


def _attributes(variable: Variable, level: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {"units": variable.units, "long_name": variable.long_name, "pyramid_level": level}
    if variable.dtype == "int16":
        attributes |= {
            "scale_factor": variable.scale,
            "add_offset": variable.offset,
            "_FillValue": int(variable.missing),
        }
    return attributes


def _chunks_of(values: np.ndarray, layout: ShardLayout, variable: Variable):
    """Chunks of a map in C order, filled up at its edges."""
    _, height, width = layout.chunk
    for top in range(0, layout.shard[1], height):
        for left in range(0, layout.shard[2], width):
            part = values[top : top + height, left : left + width]
            if part.shape != (height, width):
                whole = np.full((height, width), variable.missing, dtype=values.dtype)
                whole[: part.shape[0], : part.shape[1]] = part
                part = whole
            yield part


def clean(fs: AbstractFileSystem, folder: str, manifest: Manifest) -> None:
    """Delete the files that the manifest does not name: of replaced steps, joined blocks, and writers that died."""
    if is_local(fs):
        _clean_folder(folder, manifest)
        return
    stray = [path for path in fs.find(folder) if not _named(path[len(folder) :].strip("/").split("/"), manifest)]
    if stray:
        fs.rm(stray)


def _named(parts: list[str], manifest: Manifest) -> bool:
    """True if the manifest names this file of an object store, or it is no file of the cube."""
    if len(parts) < 3 or parts[1] not in manifest.variables:
        return True
    number = re.fullmatch(r"(?:c\.)?(\d+)\b.*", parts[2] if parts[0] in ("rows", "time") else parts[-1])
    if number is None:
        return True
    if parts[0] == "time":
        return int(number[1]) in {block.number for block in manifest.blocks if block.variable == parts[1]}
    return parts[0] not in ("maps", "rows") or bool((manifest.slots(parts[1]) == int(number[1])).any())


def _clean_folder(folder: str, manifest: Manifest) -> None:
    for variable in manifest.variables:
        slots = {int(slot) for slot in manifest.slots(variable)}
        for level in range(manifest.grid.levels):
            _sweep(
                os.path.join(folder, "maps", variable, str(level)),
                lambda name, kept=slots: name.startswith("c.") and int(name.split(".")[1]) not in kept,
            )
        blocks = {str(block.number) for block in manifest.blocks if block.variable == variable}
        _sweep(os.path.join(folder, "time", variable), lambda name, kept=blocks: name not in kept)
    _sweep(folder, lambda name: False)


def _sweep(folder: str, stray) -> None:
    if not os.path.isdir(folder):
        return
    for entry in os.scandir(folder):
        if entry.name.endswith(".part") or stray(entry.name):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
