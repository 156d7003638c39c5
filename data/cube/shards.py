"""Zarr v3 shards, read and written directly.

A shard is one file with many compressed chunks and an index in front of them (Zarr v3 "sharding_indexed"). Any Zarr
v3 library reads what is written here (a test does); the store itself goes straight to the chunks that it needs,
because zarr-python 3.1 spends about a millisecond of Python on each chunk, returns fill values where a shard is
missing, and cannot spread the work over threads.

Chunks of int16 are delta-coded, bit-shuffled and compressed with zstd (2-D smooth fields: 1.7 times smaller than
without delta); float32 is bit-shuffled and compressed. Every chunk and every index ends with its crc32c, so damage is
noticed.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from data.cube.grid import MISSING
from data.places import is_failure, is_local, reason

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_ABSENT = 2**64 - 1
_COMPRESSION: dict[str, Any] = {"cname": "zstd", "clevel": 1, "shuffle": "bitshuffle", "blocksize": 2**18}
"""Measured on 0.05 degree fields: as small as higher levels and, with large blocks, a third faster to unpack than the
default."""

_SPARSE = 0.25
"""Chunks of which less is known are compressed without shuffling (a Blosc buffer says so itself). Measured on orbits' tracks:
a third of the size, packed and unpacked four times as fast; from 0.4 known values on bitshuffle wins."""


class ShardDamage(Exception):
    """A shard is missing, cut short or altered. Internal: the cube turns it into a sentence that names cube and step.

    Attributes
    ----------
    reason : what was found ("no file").
    path : the file.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        self.reason = reason
        self.path = path
        super().__init__(f"{path}: {reason}")


class WriteFailure(Exception):
    """The disk did not take a file (full, read-only, gone). Internal, like `ShardDamage`; `reason` says why."""

    def __init__(self, error: Exception) -> None:
        self.reason = reason(error)
        super().__init__(self.reason)


@dataclass(frozen=True)
class ShardLayout:
    """How a 3-D array (steps, rows, columns) is cut into shards and those into chunks.

    Attributes
    ----------
    shape, shard, chunk : extents along the three dimensions; shards are multiples of chunks.
    dtype : "int16" or "float32".
    """

    shape: tuple[int, int, int]
    shard: tuple[int, int, int]
    chunk: tuple[int, int, int]
    dtype: str

    @cached_property
    def grid(self) -> tuple[int, int, int]:
        """Chunks of a shard along each dimension."""
        return tuple(s // c for s, c in zip(self.shard, self.chunk, strict=True))  # type: ignore[return-value]

    @property
    def chunk_bytes(self) -> int:
        """Bytes of one decoded chunk."""
        return int(np.prod(self.chunk)) * np.dtype(self.dtype).itemsize

    def metadata(self, dimension_names: Sequence[str], attributes: dict[str, Any]) -> bytes:
        """The array's zarr.json."""
        fill: Any = int(MISSING) if self.dtype == "int16" else "NaN"
        size = np.dtype(self.dtype).itemsize
        endian = {"name": "bytes", "configuration": {"endian": "little"}}
        codecs: list[dict[str, Any]] = [
            endian,
            {"name": "blosc", "configuration": {"typesize": size, **_COMPRESSION}},
            {"name": "crc32c"},
        ]
        if self.dtype == "int16":
            codecs.insert(0, {"name": "numcodecs.delta", "configuration": {"dtype": "<i2"}})
        sharding = {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": list(self.chunk),
                "codecs": codecs,
                "index_codecs": [endian, {"name": "crc32c"}],
                "index_location": "start",
            },
        }
        document = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.shard)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
            "fill_value": fill,
            "codecs": [sharding],
            "attributes": attributes,
            "dimension_names": list(dimension_names),
            "storage_transformers": [],
        }
        return json.dumps(document).encode()


def shard_key(index: tuple[int, int, int]) -> str:
    """File name of a shard within its array's folder."""
    return "c." + ".".join(str(i) for i in index)


def encode_known(values: np.ndarray) -> bytes | None:
    """One chunk as it lies in a shard; None if all of it is missing."""
    missing = int(np.count_nonzero(values == MISSING if values.dtype == np.int16 else np.isnan(values)))
    return None if missing == values.size else encode_chunk(values, values.size - missing)


def encode_chunk(values: np.ndarray, known: int) -> bytes:
    """One chunk, `known` values of which are not missing, as it lies in a shard."""
    import google_crc32c
    from numcodecs import Blosc

    flat = np.ascontiguousarray(values).reshape(-1)
    if flat.dtype == np.int16:
        flat = np.diff(flat, prepend=np.int16(0))  # wraps around, as does the sum that undoes it
    shuffle = Blosc.NOSHUFFLE if known < _SPARSE * flat.size else Blosc.BITSHUFFLE
    packed = bytes(Blosc(**{**_COMPRESSION, "shuffle": shuffle}).encode(flat))
    return packed + struct.pack("<I", google_crc32c.value(packed))


def decode_chunk(packed: bytes, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The chunk's array; ShardDamage where it was altered."""
    import google_crc32c
    from numcodecs import blosc

    body = packed[:-4]
    if len(packed) < 20 or struct.unpack("<I", packed[-4:])[0] != google_crc32c.value(body):
        raise ShardDamage("a chunk whose checksum differs")
    try:
        flat = np.frombuffer(blosc.decompress(body), dtype=dtype)
    except (RuntimeError, ValueError) as error:
        raise ShardDamage(f"a chunk that cannot be unpacked ({error})") from None
    if flat.size != int(np.prod(shape)):
        raise ShardDamage("a chunk of another size")
    if dtype == "int16":
        flat = _sum_up(flat)
    return flat.reshape(shape)


@njit(nogil=True, cache=True)
def _sum_up(differences):
    """Running sum, wrapping around; four times as fast as np.cumsum."""
    out = np.empty_like(differences)
    total = np.int16(0)
    for i in range(differences.size):
        total = np.int16(total + differences[i])
        out[i] = total
    return out


def build_shard(chunks: Sequence[bytes | None]) -> bytes:
    """A whole shard from its encoded chunks in C order; None for a chunk without any data."""
    import google_crc32c

    index = np.full((len(chunks), 2), _ABSENT, dtype="<u8")
    position = 16 * len(chunks) + 4
    for number, chunk in enumerate(chunks):
        if chunk is not None:
            index[number] = position, len(chunk)
            position += len(chunk)
    head = index.tobytes()
    return b"".join(
        [head, struct.pack("<I", google_crc32c.value(head)), *(chunk for chunk in chunks if chunk is not None)]
    )


def write_file(path: str, content: bytes, fs: AbstractFileSystem | None = None, *, read_soon: bool = True) -> None:
    """Write a file (and its folders) so that it is there whole or not at all, also after a crash; WriteFailure where
    the disk or the network fails. An object store (`fs`) shows a file only once its upload is complete.

    Parameters
    ----------
    read_soon : if not, the system need not remember the content. It then takes the same memory for the next file; unused
        memory is dear where a virtual machine gets it from its host page by page (measured: 40 ms for 13 MB instead of 4).
    """
    if fs is not None and not is_local(fs):
        try:
            fs.pipe_file(path, content)
        except Exception as error:
            if not is_failure(error):
                raise
            raise WriteFailure(error) from None
        return
    temporary = f"{path}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            if not read_soon and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.replace(temporary, path)
    except OSError as error:
        raise WriteFailure(error) from None


def take_file(source: str, path: str, fs: AbstractFileSystem | None = None) -> None:
    """Put a file that is there already (whole and synced) at `path` as well, without copying it where the disk allows;
    WriteFailure as `write_file`.
    """
    if fs is None or is_local(fs):
        temporary = f"{path}.{os.getpid()}.part"
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            os.link(source, temporary)
            os.replace(temporary, path)
            return
        except OSError:
            pass  # another disk, or one without links
    try:
        with open(source, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise WriteFailure(error) from None
    write_file(path, content, fs)


def read_chunks(
    fs: AbstractFileSystem, path: str, layout: ShardLayout, numbers: Sequence[int]
) -> Iterator[np.ndarray | None]:
    """Decoded chunks of one shard, by their number in C order; None for one without any data.

    Raises
    ------
    ShardDamage : the shard is missing, cut short or altered.
    """
    import google_crc32c

    count = int(np.prod(layout.grid))
    head = _read(fs, path, 0, 16 * count + 4)
    if len(head) < 16 * count + 4 or struct.unpack("<I", head[-4:])[0] != google_crc32c.value(head[:-4]):
        raise ShardDamage("a file with a damaged index", path)
    index = np.frombuffer(head, dtype="<u8", count=2 * count).reshape(count, 2)
    for number in numbers:
        start, length = (int(x) for x in index[number])
        if start == _ABSENT:
            yield None
            continue
        packed = _read(fs, path, start, start + length)
        if len(packed) != length:
            raise ShardDamage("a file that is cut short", path)
        try:
            yield decode_chunk(packed, layout.chunk, layout.dtype)
        except ShardDamage as damage:
            raise ShardDamage(damage.reason, path) from None


def _read(fs: AbstractFileSystem, path: str, start: int, end: int) -> bytes:
    try:
        return fs.cat_file(path, start=start, end=end)
    except FileNotFoundError:
        raise ShardDamage("no file", path) from None
    except Exception as error:
        if not is_failure(error):
            raise
        raise ShardDamage(f"an input error ({reason(error)})", path) from None
