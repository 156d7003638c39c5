"""Reading decoded chunks of a cube, for many threads at once: a bounded memory of recent ones and two small pools of
threads.

Views of the map must not wait behind a long calculation, so they have their own pool.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from data.cube.shards import ShardDamage, ShardLayout, read_chunks

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Job = TypeVar("Job")
Result = TypeVar("Result")

THREADS = max(2, min(4, os.cpu_count() or 2))

WRITERS = 8


class ChunkStore:
    """Decoded chunks of the shards under one folder.

    Parameters
    ----------
    fs, root : fsspec file system and the cube's folder on it.
    cache_bytes : how much to keep decoded.
    """

    def __init__(self, fs: AbstractFileSystem, root: str, cache_bytes: int) -> None:
        from zict import LRU

        self.fs = fs
        self.root = root
        self.cache_bytes = cache_bytes
        self._cache: LRU[tuple[str, int], np.ndarray] = LRU(cache_bytes, {}, weight=lambda _key, chunk: chunk.nbytes)

    @cached_property
    def views(self) -> ThreadPoolExecutor:
        """Threads for work that somebody waits for. Jobs on it never start others."""
        return ThreadPoolExecutor(THREADS, thread_name_prefix="cube-view")

    @cached_property
    def long_work(self) -> ThreadPoolExecutor:
        """Threads for regions and sealing. Jobs on it never start others."""
        return ThreadPoolExecutor(THREADS, thread_name_prefix="cube-work")

    @cached_property
    def writers(self) -> ThreadPoolExecutor:
        """Threads that wait for the disk: files synced side by side take little longer than one."""
        return ThreadPoolExecutor(WRITERS, thread_name_prefix="cube-write")

    def chunks(self, path: str, layout: ShardLayout, numbers: Sequence[int]) -> list[np.ndarray]:
        """Chunks of one shard, remembered; read by several threads where there are several to read. Arrays are read-
        only.

        Raises
        ------
        ShardDamage : the shard is missing, cut short or altered.
        """
        found: dict[int, np.ndarray] = {}
        for number in numbers:
            kept = self._cache.get((path, number))
            if kept is not None:
                found[number] = kept
        absent = [number for number in numbers if number not in found]
        if absent:
            shares = [absent] if len(absent) < 4 else [absent[i::THREADS] for i in range(THREADS)]
            read = (
                [list(self.stream(path, layout, shares[0]))]
                if len(shares) == 1
                else list(self.views.map(lambda share: list(self.stream(path, layout, share)), shares))
            )
            for share, chunks in zip(shares, read, strict=True):
                for number, chunk in zip(share, chunks, strict=True):
                    chunk.flags.writeable = False
                    found[number] = self._cache[(path, number)] = chunk
        return [found[number] for number in numbers]

    def chunks_here(self, path: str, layout: ShardLayout, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        """As `chunks`, but read by this thread."""
        for number in numbers:
            kept = self._cache.get((path, number))
            if kept is None:
                (kept,) = self.stream(path, layout, [number])
                kept.flags.writeable = False
                self._cache[(path, number)] = kept
            yield kept

    def stream(self, path: str, layout: ShardLayout, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        """Chunks of one shard, read by this thread and not remembered; those without data are filled."""
        for chunk in read_chunks(self.fs, f"{self.root}/{path}", layout, numbers):
            yield np.full(layout.chunk, _missing(layout.dtype), dtype=layout.dtype) if chunk is None else chunk

    def tile(self, path: str, layout: ShardLayout, rows: slice, columns: slice) -> np.ndarray:
        """(rows, columns) of a map, read by this thread and not remembered."""
        _, height, width = layout.chunk
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start), dtype=layout.dtype)
        places = [
            (i, j)
            for i in range(rows.start // height, -(-rows.stop // height))
            for j in range(columns.start // width, -(-columns.stop // width))
        ]
        numbers = [i * layout.grid[2] + j for i, j in places]
        for (i, j), chunk in zip(places, self.stream(path, layout, numbers), strict=True):
            top, bottom = max(rows.start, i * height), min(rows.stop, (i + 1) * height)
            left, right = max(columns.start, j * width), min(columns.stop, (j + 1) * width)
            out[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] = chunk[
                0, top - i * height : bottom - i * height, left - j * width : right - j * width
            ]
        return out

    def __contains__(self, key: tuple[str, int]) -> bool:
        return key in self._cache


def _missing(dtype: str) -> object:
    return -32768 if dtype == "int16" else np.nan


def in_turn(
    pool: ThreadPoolExecutor,
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    *,
    cancelled: Callable[[], bool] | None = None,
) -> Generator[Result | None, None, None]:
    """Results in order, with only a few jobs started ahead, so that others get their share of the pool and memory
    stays bounded.

    Yields None once, as the last item, when `cancelled()` says so. Close it (`contextlib.closing`): that waits for what runs.
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            if cancelled is not None and cancelled():
                yield None
                return
            waiting.append(pool.submit(work, job))
            if len(waiting) > THREADS + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for future in waiting:
            if not future.cancelled():
                future.exception()  # wait for those that run: they may use files that are about to go


__all__ = ["THREADS", "ChunkStore", "ShardDamage", "in_turn"]
