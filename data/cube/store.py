"""A cube's folder: its manifest, who may write, and what a missing or damaged file means.

Files are written first and the manifest is replaced last, whole, so a crash at any moment leaves the former state.
One writer at a time holds the lock (on an object store, which has none, there may be only one); what writers that died
left behind is deleted before the next one begins. Readers
need no lock: files are only ever added under new names, and a reader whose file is gone looks for a newer manifest.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TypeVar

import numpy as np

from data.cube.chunks import ChunkStore
from data.cube.manifest import FILE, Manifest
from data.cube.shards import ShardDamage, WriteFailure, write_file
from data.cube.writing import clean
from data.errors import StoreProblem
from data.places import file_system, is_failure, is_local, reason

T = TypeVar("T")


class Store:
    """The folder of one cube, and its manifest as last seen.

    Parameters
    ----------
    path : local folder or fsspec URL.
    cache_bytes : how much to keep decoded.

    Raises
    ------
    StoreProblem : there is no cube, or its manifest is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], cache_bytes: int) -> None:
        self.path = os.fspath(path)
        try:
            fs, root = file_system(self.path)
        except (ValueError, ImportError) as error:
            raise StoreProblem(
                f"cube {self.path}: the address cannot be opened ({error}); check its spelling."
            ) from None
        self._local = is_local(fs)
        self.chunks = ChunkStore(fs, root, cache_bytes)
        self._thread = threading.RLock()
        self._stamp: object = None
        self.manifest = self._read()

    def refresh(self) -> bool:
        """Read the manifest again if another process changed it; True if it did."""
        stamp = self._current_stamp()
        if stamp is not None and stamp == self._stamp:
            return False
        manifest = self._read()
        if manifest.version == self.manifest.version:
            return False
        self.manifest = manifest
        return True

    def _current_stamp(self) -> object:
        if not self._local:
            return None
        try:
            status = os.stat(f"{self.chunks.root}/{FILE}")
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> Manifest:
        stamp = self._current_stamp()
        try:
            content = self.chunks.fs.cat_file(f"{self.chunks.root}/{FILE}")
        except (FileNotFoundError, NotADirectoryError):
            raise StoreProblem(
                f"cube {self.path}: expected a folder with {FILE}, found none; check the path or build the cube."
            ) from None
        except Exception as error:  # each kind of remote store has its own
            raise StoreProblem(
                f"cube {self.path}: its {FILE} cannot be read ({error or type(error).__name__}); "
                "check the disk, the network and permissions."
            ) from None
        manifest = Manifest.from_bytes(content, self.path)
        self._stamp = stamp
        return manifest

    def attempt(self, work: Callable[[Manifest], T]) -> T:
        """Read; again with a newer manifest where a file is gone, for a writer may have replaced it meanwhile."""
        while True:
            manifest = self.manifest
            try:
                return work(manifest)
            except ShardDamage as damage:
                self.refresh()
                if self.manifest is manifest:
                    raise self._damaged(damage) from None

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """While no other thread or process writes; on an object store, which has no locks, no other thread. A failure
        within leaves nothing behind.

        Parameters
        ----------
        what : what is to be written, for messages.
        """
        from filelock import FileLock

        lock = FileLock(f"{self.chunks.root}/.lock") if self._local else nullcontext()
        with self._thread, ExitStack() as stack:
            try:
                stack.enter_context(lock)
            except OSError as error:
                raise self._unwritable(what, reason(error)) from None
            try:
                self.refresh()
                self._clean()
                try:
                    yield
                except BaseException:
                    self._clean()
                    raise
            except WriteFailure as failure:
                raise self._unwritable(what, failure.reason) from None
            except ShardDamage as damage:
                raise self._damaged(damage) from None

    def _clean(self) -> None:
        try:
            clean(self.chunks.fs, self.chunks.root, self.manifest)
        except Exception as error:
            if self._local or not is_failure(error):
                raise
            raise WriteFailure(error) from None

    def publish(self, manifest: Manifest) -> None:
        """Make a new version the cube's; only within `exclusive`."""
        if not self._local and self._read().version != self.manifest.version:
            raise StoreProblem(
                f"cube {self.manifest.name}: another program changed it at {self.path} meanwhile; do it again, one "
                "writer at a time."
            )
        write_file(f"{self.chunks.root}/{FILE}", manifest.to_bytes(), self.chunks.fs)
        self.manifest = manifest
        self._stamp = self._current_stamp()

    def _unwritable(self, what: str, reason: str) -> StoreProblem:
        return StoreProblem(
            f"cube {self.manifest.name}: {what} could not be written to {self.path} ({reason}); "
            "free some space or check permissions. The cube is as it was before."
        )

    def _damaged(self, damage: ShardDamage) -> StoreProblem:
        """The sentence for a damaged file: which steps it held is read from its name."""
        manifest = self.manifest
        where = damage.path.removeprefix(self.chunks.root).strip("/")
        parts = where.split("/")
        if parts[0] == "maps":
            slots = {int(parts[-1].split(".")[1])}
        else:
            blocks = [block for block in manifest.blocks if parts[0] == "time" and parts[2] == str(block.number)]
            slots = {slot for block in blocks for slot in block.slots}
        times = [np.datetime64(time, "ns") for time, kept in manifest.steps.items() if kept.get(parts[1]) in slots]
        names = [str(time.astype("datetime64[s]")) for time in times[:: max(len(times) - 1, 1)]]
        steps = f"step{'s' if len(names) > 1 else ''} {' to '.join(names)} of {parts[1]} ({where})" if names else where
        return StoreProblem(
            f"cube {manifest.name}: expected readable data for {steps}, found {damage.reason}; "
            "import or build this part of the cube again."
        )
