"""Writing into run folders so that a file is there whole or not at all, and a full disk is told in one sentence."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.errors import StoreProblem
from data.places import sync_folder

PART = ".part"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def no_room(error: BaseException) -> bool:
    """Whether an error, or what caused it, says that the disk, the quota or the largest file size is full."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _NO_ROOM:
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn an operating-system error of the block into one sentence.

    Raises
    ------
    StoreProblem : no room, no permission, or another failure to write.
    """
    try:
        yield
    except OSError as error:
        raise StoreProblem(unwritable(folder, error)) from error


def unwritable(folder: Path, error: OSError) -> str:
    """The sentence for a folder that could not be written to."""
    if no_room(error):
        found, advice = "no room left on the disk", "free some space and do it again"
    else:
        found, advice = error.strerror or str(error).splitlines()[0], "check the folder and its permissions"
    return f"{folder}: expected to write a run there, found {found}; nothing was changed, {advice}."


def write_whole(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Put `content` at `path`: to a hidden file beside it, synced, then renamed."""
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PART}")
    try:
        with open(hidden, "wb") as stream:
            stream.write(content)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        os.replace(hidden, path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def write_json(path: Path, content: Any, *, sync: bool = True) -> None:
    """Put JSON at `path`, whole."""
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=1).encode(), sync=sync)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is missing or damaged (progress and scores are not worth a failure)."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def sync_tree(folder: Path) -> dict[str, str]:
    """Sync every file and folder below; returns the SHA-256 of each file by its path from `folder`, sorted."""
    sums = {}
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(parent) / name
            with open(path, "rb+") as stream:
                os.fsync(stream.fileno())
                sums[path.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
        sync_folder(Path(parent))
    return dict(sorted(sums.items()))


def remove(path: Path) -> None:
    """Delete a file or folder; a missing one does not matter."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
