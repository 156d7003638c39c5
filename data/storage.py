"""Folders that change all at once: the ground on which soundings, sites and tables are kept.

Such a folder holds data files that are written once under a name never used before, and one `manifest.json` that says
which of them count. A change writes its files (hidden name, fsync, rename), then replaces the manifest, then removes
what the manifest no longer names. Killed at any moment, the folder shows the state before or after the change, never
one in between; what was left behind is removed by the next change. On local disk a file lock lets one process write
at a time. On object stores (any fsspec URL), where a file appears only when its upload is complete, the order of
writing does the same; there only one program may write at a time.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import StoreProblem
from data.places import file_system, is_failure, is_local, reason, sync_folder

MANIFEST = "manifest.json"
_PENDING = ".pending"
_LOCK = ".lock"
_LOCK_SECONDS = 600.0
"""How long a writer waits for another one: a batch of an import takes seconds."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class AppendResult:
    """What an append did: rows stored, those that were there (or better ones), and those left out for want of time,
    place or value.
    """

    added: int
    already_there: int
    unusable: int = 0


class Written(NamedTuple):
    """A file that was put in its place: bytes, and SHA-256 of them."""

    size: int
    content: str


class ManifestFolder:
    """A folder of data files and the manifest that names them.

    Parameters
    ----------
    url : local folder, or an fsspec URL ("s3://bucket/soundings").
    what : what is kept there, for messages ("sounding archive").
    layout : number of the manifest's layout; another one found there is refused.
    """

    def __init__(self, url: str | os.PathLike[str], *, what: str, layout: int) -> None:
        try:
            self.fs, self.root = file_system(url)
        except (ValueError, ImportError) as error:
            raise StoreProblem(f"{what} {url}: the address cannot be opened ({error}); check its spelling.") from None
        self.local = is_local(self.fs)
        self.what = what
        self.layout = layout
        self._seen: tuple[object, dict[str, Any]] | None = None
        self._guard = threading.Lock()

    def __reduce__(self):  # a folder travels to other processes as its address
        return _reopen, (self.address(""), self.what, self.layout)

    def path(self, name: str) -> str:
        """Path of a file within the file system."""
        return f"{self.root}/{name}" if name else self.root

    def address(self, name: str) -> str:
        """Path (local) or URL of a file, as other libraries want it."""
        return self.path(name) if self.local else self.fs.unstrip_protocol(self.path(name))

    def manifest(self) -> dict[str, Any]:
        """The manifest as it is now ({"version": 0, "files": {}} where there is none). Not to be changed by the caller.

        Raises
        ------
        StoreProblem : damaged, or written by a later version of this program.
        """
        with self._guard:
            signature = self._signature()
            if self._seen is None or self._seen[0] != signature:
                self._seen = signature, self._load()
            return self._seen[1]

    def _signature(self) -> object:
        try:
            if self.local:
                status = os.stat(self.path(MANIFEST))
                return status.st_ino, status.st_mtime_ns, status.st_size
            return self.fs.checksum(self.path(MANIFEST))
        except FileNotFoundError:
            return None
        except Exception as error:
            if self.local or not is_failure(error):
                raise
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> StoreProblem:
        return StoreProblem(
            f"{self.what} {self.root}: expected a readable {MANIFEST}, found {reason(error)}; "
            f"check {'its permissions' if self.local else 'the address, the network and permissions'}."
        )

    def _load(self) -> dict[str, Any]:
        try:
            content = self.fs.cat_file(self.path(MANIFEST))
        except FileNotFoundError:
            return {"layout": self.layout, "version": 0, "files": {}}
        except Exception as error:
            if not is_failure(error):
                raise
            raise self._unreadable(error) from None
        try:
            manifest = json.loads(content)
            layout, _, _ = manifest["layout"], int(manifest["version"]), manifest["files"].items()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreProblem(
                f"{self.what} {self.root}: expected a readable {MANIFEST}, found a damaged one "
                f"({error}); rebuild it with `carbonweather data index`."
            ) from None
        if layout != self.layout:
            raise StoreProblem(
                f"{self.what} {self.root}: expected layout {self.layout}, found {layout}; use the "
                "version of this program that wrote it."
            )
        return manifest

    def names(self) -> list[str]:
        """Every visible file below the folder but the manifest, sorted."""
        try:
            found = self.fs.find(self.root)
        except FileNotFoundError:
            return []
        names = (path[len(self.root) :].lstrip("/") for path in found)
        return sorted(
            name for name in names if name != MANIFEST and not any(part.startswith(".") for part in name.split("/"))
        )

    def content(self, name: str) -> str:
        """SHA-256 of a file as it is now."""
        with self.fs.open(self.path(name), "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def foreign(self) -> Iterator[str]:
        """One sentence for each file that the manifest does not name."""
        files = self.manifest()["files"]
        for name in self.names():
            if name not in files:
                yield (
                    f"{self.path(name)}: expected only files that the manifest names, found this one; run "
                    "`carbonweather data index` or delete it."
                )

    @contextmanager
    def change(self, *, fresh: bool = False) -> Iterator[Change]:
        """Change the folder: the block writes files and ends with `Change.commit`; without it, nothing has happened.

        Parameters
        ----------
        fresh : start from an empty manifest without reading the old one (to rebuild it), and remove nothing left
            behind.

        Raises
        ------
        StoreProblem : no room, no permission, or another program is writing for too long.
        """
        with self._explained(), self._locked():
            if not fresh:
                self._sweep()
            change = Change(
                self,
                {"layout": self.layout, "version": self._version_or_date(), "files": {}} if fresh else self.manifest(),
            )
            try:
                yield change
            except BaseException:
                change.undo()
                raise

    def _version_or_date(self) -> int:
        """The version, or where the manifest is lost or damaged the seconds since 1970: it keeps growing either way."""
        try:
            return int(self.manifest()["version"]) or int(time.time())
        except StoreProblem:
            return int(time.time())

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not is_failure(error):
                raise
            raise StoreProblem(self.no_write(error)) from error

    def no_write(self, error: Exception) -> str:
        """The sentence for a change that failed."""
        full = isinstance(error, OSError) and error.errno in _NO_ROOM
        found = "no room left on the disk" if full else reason(error)
        remedy = "free some space and do it again" if full else "check the folder and its permissions"
        if not (full or self.local):
            remedy = "check the address, the network and permissions"
        return f"{self.what} {self.root}: expected to write to it, found {found}; nothing was changed, {remedy}."

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self.local:
            yield
            return
        from filelock import FileLock, Timeout

        os.makedirs(self.root, exist_ok=True)
        try:
            with FileLock(self.path(_LOCK), timeout=_LOCK_SECONDS):
                yield
        except Timeout:
            raise StoreProblem(
                f"{self.what} {self.root}: another program has been writing to it for "
                f"{_LOCK_SECONDS:.0f} s; wait for it or end it."
            ) from None

    def _sweep(self) -> None:
        """Remove what an interrupted change left behind; only under the lock."""
        if not self.fs.exists(self.path(_PENDING)):
            return
        named = self.manifest()["files"]
        for path in self.fs.find(self.root):
            name = path[len(self.root) :].lstrip("/")
            hidden = name.split("/")[-1].startswith(".")
            if name not in named and name not in (MANIFEST, _LOCK, _PENDING) and (not hidden or name.endswith(".part")):
                self.remove([name])
        self.remove([_PENDING])

    def mark_pending(self) -> None:
        """Say that a change is under way, until it is committed or undone; the next change then looks for leftovers."""
        self.fs.pipe_file(self.path(_PENDING), b"")
        if self.local:
            sync_folder(Path(self.root))

    def remove(self, names: Iterable[str]) -> None:
        """Delete files, and local folders that are empty then; missing ones do not matter."""
        for name in names:
            try:
                self.fs.rm_file(self.path(name))
            except FileNotFoundError:
                continue
            for parent in Path(name).parents if self.local else ():
                try:
                    if parent.name:
                        os.rmdir(self.path(str(parent)))
                except OSError:  # not empty
                    break

    def place(self, name: str, write: Callable[[Path], object]) -> Written:
        """Let `write` make a file at the path that it is given, then put it at `name` whole."""
        if not self.local:
            with tempfile.TemporaryDirectory() as folder:
                made = Path(folder) / "made"
                write(made)
                written = secured(made)
                self.fs.put_file(str(made), self.path(name))
                return written
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            write(hidden)
            written = secured(hidden)
            os.replace(hidden, target)
        except BaseException:
            hidden.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
        return written

    def take(self, name: str, path: str) -> None:
        """Put a finished local file at `name` whole: moved where both lie on one disk, else copied or uploaded."""
        if not self.local:
            self.fs.put_file(path, self.path(name))
            return
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self.place(name, lambda made: shutil.copyfile(path, made))
        else:
            sync_folder(target.parent)


class Change:
    """One change of a `ManifestFolder` under way.

    Attributes
    ----------
    manifest : the state before the change.
    """

    def __init__(self, folder: ManifestFolder, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._written: list[str] = []

    def write(self, name: str, write: Callable[[Path], object]) -> Written:
        """Add a file under a new name; it counts once the manifest is committed."""
        if not self._written:
            self.folder.mark_pending()
        self._written.append(name)
        return self.folder.place(name, write)

    def take(self, name: str, path: str) -> None:
        """Add a file that is ready, and safe on disk, under a new name; a local one is moved. It counts once the manifest
        is committed.
        """
        if not self._written:
            self.folder.mark_pending()
        self._written.append(name)
        self.folder.take(name, path)

    def commit(self, manifest: dict[str, Any]) -> None:
        """Replace the manifest (its version becomes one more than before) and remove the files that it no longer
        names.
        """
        folder = self.folder
        version = int(self.manifest["version"]) + 1
        if not folder.local and folder.manifest() is not self.manifest and self.manifest["files"]:
            raise StoreProblem(
                f"{folder.what} {folder.root}: another program changed it meanwhile; do it again, one writer at a time."
            )
        content = json.dumps({**manifest, "layout": folder.layout, "version": version}, separators=(",", ":")).encode()
        folder.place(MANIFEST, lambda path: path.write_bytes(content))
        self._written.clear()
        folder.remove(set(self.manifest["files"]) - set(manifest["files"]))
        folder.remove([_PENDING])

    def undo(self) -> None:
        """Remove the files written so far that the manifest does not name."""
        if self._written:
            named = self.folder.manifest()["files"]
            self.folder.remove([*(name for name in self._written if name not in named), _PENDING])
            self._written.clear()


def secured(path: Path) -> Written:
    """Bring a file that was just written safely to the disk, and take its sum."""
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())
        content = hashlib.file_digest(stream, "sha256").hexdigest()
        return Written(stream.seek(0, os.SEEK_END), content)


def unique_name(stem: str, suffix: str) -> str:
    """A file name never used before: readers of an older manifest are never handed other data under the same name."""
    return f"{stem}-{uuid.uuid4().hex[:12]}{suffix}"


def _reopen(url: str, what: str, layout: int) -> ManifestFolder:
    return ManifestFolder(url, what=what, layout=layout)
