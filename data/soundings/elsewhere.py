"""Files of an archive on an object store, as DuckDB reads them.

DuckDB asks a file system a dozen times about each file before it reads any of it, each time a request of some 30 ms. The
manifest knows the size of every file and files never change, so here only reading is a request. Reads are of the
size that a column of a row group has: the client's own blocks of 50 MB would fetch whole files.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from fsspec import AbstractFileSystem
from fsspec.spec import AbstractBufferedFile

SizeOf = Callable[[str], int | None]
PROTOCOL = "soundings"
_BLOCK = 2**20
_NEVER_CHANGED = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


class ArchiveFiles(AbstractFileSystem):
    """Read access to the files of one archive by their names in the manifest.

    Parameters
    ----------
    fs, root : where they are.
    size_of : weak reference to a method name -> bytes, which gives None for a name that is not known (any more). DuckDB
        holds on to this object, so it must not hold on to the archive, which holds DuckDB.
    """

    protocol = PROTOCOL
    cachable = False

    def __init__(self, fs: AbstractFileSystem, root: str, size_of: WeakMethod[SizeOf]) -> None:
        super().__init__()
        self._fs, self._root = fs, root
        self._size_of = size_of

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Size of a file, from the manifest where it knows it."""
        name = self._strip_protocol(path)
        known = self._size_of()
        size = known(name) if known is not None else None
        if size is None:
            size = int(self._fs.info(f"{self._root}/{name}")["size"])
        return {"name": name, "size": size, "type": "file"}

    def glob(self, path: str, **kwargs: Any) -> list[str]:
        """The file itself: names are never patterns."""
        return [self._strip_protocol(path)]

    def modified(self, path: str) -> dt.datetime:
        """Always the same: a name stands for one content."""
        return _NEVER_CHANGED

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        name = self._strip_protocol(path)
        return _File(self, name, mode, block_size=_BLOCK, size=self.info(name)["size"])

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Bytes of a file: one request."""
        return self._fs.cat_file(f"{self._root}/{self._strip_protocol(path)}", start=start, end=end)


class _File(AbstractBufferedFile):
    """An open file; fsspec's own for an object store asks for its facts once more."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.fs.cat_file(self.path, start=start, end=end)
