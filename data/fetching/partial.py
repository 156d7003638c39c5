"""Files on their way in: what is to come, the unfinished part beside the final name, and the last checks.

The bytes of ``NAME`` go to ``NAME.part`` and what identifies their version on the server (ETag or date, length,
checksum) to ``NAME.part.json``, so that a broken transfer goes on where it stopped, in this process or the next. Only a
file of the right length and checksum is renamed to ``NAME``.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from data.errors import FileProblem, StoreProblem

SPARE_BYTES = 64 << 20
"""Disk space that is left free beside a file."""


class FetchStopped(StoreProblem):
    """A problem that the next file would meet as well: no sign-in, no space on the disk."""


@dataclass(frozen=True)
class Remote:
    """A file at a provider.

    Attributes
    ----------
    url : its address (http, https), or bucket/key for cloud stores.
    name : relative path under the destination, made by `safe_name`.
    size : bytes, where the provider says so.
    checksum : "md5:...", "sha256:..." and so on, where the provider publishes it.
    may_change : the provider replaces the file now and then, so a copy that is there is compared by its date.
    if_refused : what the user can do when the server wants a sign-in.
    """

    url: str
    name: str
    size: int | None = None
    checksum: str | None = None
    may_change: bool = False
    if_refused: str = "check in a browser whether it needs a sign-in"

    @property
    def host(self) -> str:
        """The server's name, for messages."""
        return urlsplit(self.url).hostname or self.url.split("/")[0]


@dataclass(frozen=True)
class Progress:
    """How far a file is, in bytes. `total` is None where the server does not say; `message` tells of waiting."""

    name: str
    received: int
    total: int | None
    message: str = ""


Report = Callable[[Progress], None]


def safe_name(name: str) -> str:
    """A provider's file name as a relative path that cannot leave the destination.

    Folders are kept; "..", drive letters, leading dots, control characters and anything absolute are not. StoreProblem
    where nothing is left.
    """
    steps = []
    for step in re.split(r"[/\\]+", name):
        step = re.sub(r'[\x00-\x1f\x7f<>:"|?*]', "_", step).strip(" .")[-180:].strip(" .")
        if step:
            steps.append(step)
    if not steps:
        raise StoreProblem(f"The provider names a file {name!r}, which is no file name; tell the provider.")
    if steps[-1].endswith((".part", ".part.json")):
        steps[-1] += "_"  # these endings are ours
    return str(PurePosixPath(*steps))


def same_checksum(path: Path, checksum: str) -> bool:
    """True if the file has this sum ("md5:...", "sha256:..." and so on)."""
    import pooch

    kind, _, value = checksum.partition(":")
    return pooch.file_hash(str(path), alg=kind).lower() == value.lower()


def already_there(remote: Remote, target: Path) -> bool:
    """True if the file at `target` is what the provider has, as far as can be told without asking."""
    if remote.may_change or not target.is_file():
        return False
    if remote.size is not None and target.stat().st_size != remote.size:
        return False
    return remote.checksum is None or same_checksum(target, remote.checksum)


@dataclass(frozen=True)
class Partial:
    """The unfinished file beside its final name, and what is known of the version that it belongs to."""

    target: Path

    @property
    def part(self) -> Path:
        """The bytes so far."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def _memory(self) -> Path:
        return self.target.with_name(self.target.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes so far."""
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def known(self) -> dict[str, Any]:
        """What `begin` noted of the version: ``validator``, ``total``, ``checksum``, ``modified``; empty if nothing."""
        try:
            known = json.loads(self._memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def resume(self, remote: Remote) -> tuple[int, dict[str, Any]]:
        """Bytes that can stay and what is known of them; (0, {}), with the part gone, where it must begin again.

        A part can stay when the server gave something that identifies its version, or a checksum will tell in the end.
        """
        size, known = self.size, self.known
        same = bool(known) and known.get("checksum") == remote.checksum
        fits = known.get("total") is None or size <= known["total"]
        if size and same and fits and (known.get("validator") or remote.checksum):
            return size, known
        self.drop()
        return 0, {}

    def begin(
        self, remote: Remote, *, validator: str | None, total: int | None = None, modified: str | None = None
    ) -> None:
        """Empty the part and note which version its bytes will belong to."""
        self.drop()
        self._note({"validator": validator, "total": total, "checksum": remote.checksum, "modified": modified})

    def complete(self) -> None:
        """Note that the end has come though the server never said where it would be."""
        self._note(self.known | {"total": self.size})

    def _note(self, known: dict[str, Any]) -> None:
        self._memory.write_text(json.dumps(known), encoding="utf-8")

    def drop(self) -> None:
        """Forget what has come."""
        self.part.unlink(missing_ok=True)
        self._memory.unlink(missing_ok=True)

    def wrong(self, remote: Remote) -> FileProblem | None:
        """What is wrong with the finished part, if anything."""
        if remote.size is not None and self.size != remote.size:
            return wrong_size(remote, self.target, f"{self.size} bytes from {remote.host}")
        if remote.checksum and not same_checksum(self.part, remote.checksum):
            kind, _, value = remote.checksum.partition(":")
            found = f"other content from {remote.host} (wrong {kind} sum)"
            return FileProblem(self.target, expected=f"{kind} sum {value}", found=found, remedy=_NOTHING_KEPT)
        return None

    def finish(self) -> None:
        """Give the part its name, and the date that the server gave it."""
        try:
            stamp = parsedate_to_datetime(self.known["modified"]).timestamp()
            os.utime(self.part, (stamp, stamp))
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            pass  # the date only saves a later download
        os.replace(self.part, self.target)
        self._memory.unlink(missing_ok=True)


_NOTHING_KEPT = "nothing was kept; fetch it again later, and tell the provider if it stays so"


def wrong_size(remote: Remote, target: Path, found: str) -> FileProblem:
    """The sentence for a file that has not the length that the provider lists."""
    return FileProblem(target, expected=f"{remote.size} bytes", found=found, remedy=_NOTHING_KEPT)


@contextmanager
def disk_words(target: Path) -> Iterator[None]:
    """Turns a full or unwritable disk into a sentence; network errors, which may be OSErrors too, pass."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            words = f"No space is left in {target.parent} for {target.name}; make room and fetch again."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            words = f"{target.parent} cannot be written to; choose another folder."
        elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            words = f"{target} cannot be written: a file and a folder there share a name; choose another folder."
        else:
            raise
        raise FetchStopped(words) from None


def need_space(folder: Path, size: int) -> None:
    """FetchStopped where `folder` has not `size` bytes (and a little more) free."""
    free = shutil.disk_usage(folder).free
    if size > 0 and free < size + SPARE_BYTES:
        raise FetchStopped(
            f"{folder} has {free / 1e9:.2f} GB free and {size / 1e9:.2f} GB are to come; "
            "make room or choose another folder."
        )
