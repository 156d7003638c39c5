"""Files that people hand over through the browser: received into a folder of their own, looked at, imported, deleted.

Nothing of such a file is ever executed: it is read by the same readers as every other file, in a process of its own with
bounded memory. Its name is only a label (never a path), its kind is told by its content (never by its name), archives are
unpacked within limits on files and bytes that are counted while they are unpacked (never believed), and links or special
files in them are left out. Files are not scanned for viruses; they are data, and are deleted once they are imported.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import tarfile
import time
import unicodedata
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from data.errors import FileProblem, StoreProblem
from data.readers.probe import Container, container_of

DEFAULT_LIMIT_BYTES = 2 * 10**9
"""Largest file taken, where CARBONWEATHER_UPLOAD_MB says nothing else: a month of 0.05-degree maps, or 30 Lite days."""
UNPACKED_FACTOR = 10
"""Archives and compressed files may unpack to so many times that limit in all."""
MOST_MEMBERS = 20_000
SPARE_BYTES = 500 * 10**6
"""Disk space that an upload leaves free."""
_STAGING = "uploads"
_STALE_SECONDS = 24 * 3600
_HEAD_BYTES = 1024
_BLOCK = 2**20
_MOST_TIMES = 200
"""A compressed file that unpacks to more than this many times its size holds no measurements."""
_HARMLESS_BYTES = 64 * 10**6
_ZARR_FILES = (".zgroup", ".zarray", ".zattrs", ".zmetadata")
_DEEPEST = 12
_NAME_CHARACTERS = 120
_WINDOWS_NAMES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
_FOREIGN = {
    b"\x7fELF": "a Linux program",
    b"MZ": "a Windows program",
    b"\xca\xfe\xba\xbe": "a program",
    b"\xcf\xfa\xed\xfe": "a macOS program",
    b"#!": "a script",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"7z\xbc\xaf'\x1c": "a 7z archive (zip and tar are unpacked)",
    b"Rar!": "a RAR archive (zip and tar are unpacked)",
}
_OPENERS: dict[Container, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}


def limit_bytes() -> int:
    """Largest file that is taken: CARBONWEATHER_UPLOAD_MB (10^6 bytes), else `DEFAULT_LIMIT_BYTES`.

    Raises
    ------
    StoreProblem : the variable holds something else than a positive number.
    """
    text = os.environ.get("CARBONWEATHER_UPLOAD_MB", "").strip()
    try:
        megabytes = float(text) if text else DEFAULT_LIMIT_BYTES / 1e6
        if not 0 < megabytes < 1e9:
            raise ValueError
    except ValueError:
        raise StoreProblem(
            f"CARBONWEATHER_UPLOAD_MB: expected a number of megabytes above 0, found {text[:40]!r}; correct or unset it."
        ) from None
    return int(megabytes * 1e6)


def safe_file_name(name: str) -> str:
    """A name that is one step of a path on every system, as near to the given one as that allows; never empty.

    Folders, control and direction characters, leading dots and reserved characters go; the ending stays where a long
    name is cut.
    """
    text = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    text = "".join(
        each for each in text if unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    )
    text = re.sub(r'[<>:"|?*]', "_", text).strip(" .")
    if not text or _WINDOWS_NAMES.match(text):
        text = f"file-{text}" if text else "file"
    stem, dot, ending = text.partition(".") if len(text) > _NAME_CHARACTERS else (text, "", "")
    if dot:
        ending = ending[-30:]
        text = f"{stem[: _NAME_CHARACTERS - len(ending) - 1]}.{ending}"
    encoded = text.encode("utf-8", "ignore")[:200]
    return encoded.decode("utf-8", "ignore")[:_NAME_CHARACTERS] or "file"


@dataclass(frozen=True)
class Staged:
    """A received file in a folder of its own below the data folder."""

    folder: Path
    path: Path

    def discard(self) -> None:
        """Delete it and everything that was unpacked from it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def new_place(home: Path, name: str) -> Staged:
    """An empty folder for one upload, and the path its file will have. StoreProblem where the disk cannot be written."""
    folder = home / _STAGING / uuid.uuid4().hex
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise StoreProblem(
            f"{home}: expected a data folder that can be written, found {error.strerror or error}; check its permissions."
        ) from None
    return Staged(folder, folder / safe_file_name(name))


def need_room(home: Path, size: int) -> None:
    """StoreProblem where the disk has not room for so many bytes twice (the file and what is made of it)."""
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    if free < 2 * size + SPARE_BYTES:
        raise StoreProblem(
            f"The disk has {free / 1e9:.1f} GB free, and {size / 1e9:.2f} GB are to come and to be imported; make room first."
        )


def refuse_foreign(name: str, head: bytes) -> None:
    """Look at the first bytes of a file; FileProblem for one that cannot be data.

    Cheap and in plain Python, so that the server itself may do it; everything else is looked at by `prepared`.
    """
    good = "a data file (netCDF, HDF5, GeoTIFF, CSV and others, or a zip or tar of these)"
    if not head:
        raise FileProblem(name, expected=good, found="an empty file", remedy="choose another file")
    what = next((words for magic, words in _FOREIGN.items() if head.startswith(magic)), None)
    if what is not None:
        raise FileProblem(name, expected=good, found=what, remedy="nothing was kept")
    if _is_zip(head) or _is_tar(head) or container_of(head[:_HEAD_BYTES]) != "unknown":
        return
    found = "content of no kind that this program reads"
    raise FileProblem(name, expected=good, found=found, remedy="nothing was kept; choose another file")


def prepared(staged: Staged, limit: int) -> list[Path]:
    """What is to be imported of a received file: itself, or what an archive held.

    Parameters
    ----------
    limit : largest upload, bytes; what is unpacked may be `UNPACKED_FACTOR` times as large in all.

    Raises
    ------
    FileProblem : not data, damaged, encrypted, or unpacking to too much (then nothing of it is left).
    """
    path = staged.path
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise FileProblem(
            path.name, expected="a received file", found=f"none ({error.strerror})", remedy="send it again"
        ) from None
    refuse_foreign(path.name, head)
    budget = _Budget(path.name, limit * UNPACKED_FACTOR)
    kind = container_of(head)
    if _is_zip(head):
        return _unpacked(staged, budget, _zip_members(path))
    if _is_tar(head):
        return _unpacked(staged, budget, _tar_members(path, path.open("rb")))
    if kind in _OPENERS:
        with _damaged(path.name), _OPENERS[kind](path, "rb") as stream:
            inner = stream.read(_HEAD_BYTES)
            if _is_tar(inner):
                return _unpacked(staged, budget, _tar_members(path, _OPENERS[kind](path, "rb")))
        with _damaged(path.name):
            _count_unpacked(path, kind, budget)
    return [path]


class _Budget:
    """Bytes and files that one upload may still unpack to."""

    def __init__(self, name: str, most: int) -> None:
        self.name, self.most, self.left, self.files = name, most, most, 0

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise self.refusal(f"more than {self.most / 1e9:.3g} GB when unpacked")

    def one_more(self) -> None:
        self.files += 1
        if self.files > MOST_MEMBERS:
            raise self.refusal(f"more than {MOST_MEMBERS:,} files in it")

    def refusal(self, found: str) -> FileProblem:
        return FileProblem(
            self.name, expected="compressed data of a sensible size", found=found, remedy="nothing was kept of it"
        )


def _is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


@contextmanager
def _damaged(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the file
            raise StoreProblem(
                f"{name}: expected room to unpack it, found {error.strerror or error}; make room and send it again."
            ) from None
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        found = f"a damaged or encrypted one ({reason})"
        raise FileProblem(name, expected="a complete file or archive", found=found, remedy="send it again") from None


Member = tuple[str, IO[bytes]]


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
            if not member.is_dir() and not is_link:
                with archive.open(member) as stream:
                    yield member.filename, stream


def _tar_members(path: Path, packed: IO[bytes]) -> Iterator[Member]:
    with packed, tarfile.open(fileobj=packed, mode="r|") as archive:  # a stream: nothing is trusted before it is read
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name, stream


def _unpacked(staged: Staged, budget: _Budget, members: Iterator[Member]) -> list[Path]:
    """The members in a folder beside the file, under safe names; hidden files are left out, but for those of zarr."""
    folder = staged.folder / "unpacked"
    found = 0
    try:
        with _damaged(staged.path.name):
            for name, stream in members:
                budget.one_more()
                steps = _steps(name)
                if not steps:
                    continue
                target = _free(folder, steps)
                with open(target, "xb") as out:
                    while block := stream.read(_BLOCK):
                        budget.take(len(block))
                        out.write(block)
                _check_inner(target, budget)
                found += 1
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if not found:
        raise FileProblem(
            staged.path.name,
            expected="an archive with data files",
            found="one without any",
            remedy="choose another file",
        )
    staged.path.unlink(missing_ok=True)
    return [folder]


def _free(folder: Path, steps: list[str]) -> Path:
    """A path that nothing has yet, as near to the steps as that allows; its folder is made."""
    target = folder.joinpath(*steps)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):  # a file of that name came before
        folder.mkdir(exist_ok=True)
        target = folder / steps[-1]
    return target.with_name(f"{uuid.uuid4().hex[:6]}-{target.name}") if target.exists() else target


def _steps(name: str) -> list[str]:
    """The path of a member as safe names that lead nowhere else; empty for hidden files and those that macOS adds."""
    steps = [step for step in name.replace("\\", "/").split("/") if step not in ("", ".", "..")]
    if not steps or "__MACOSX" in steps or any(step.startswith(".") and step not in _ZARR_FILES for step in steps):
        return []
    return [step if step in _ZARR_FILES else safe_file_name(step) for step in steps[-_DEEPEST:]]


def _check_inner(path: Path, budget: _Budget) -> None:
    """A compressed file within an archive is counted unpacked, too; the readers open it."""
    with open(path, "rb") as stream:
        kind = container_of(stream.read(_HEAD_BYTES))
    if kind in _OPENERS:
        _count_unpacked(path, kind, budget)


def _count_unpacked(path: Path, kind: Container, budget: _Budget) -> None:
    size, total = path.stat().st_size, 0
    with _OPENERS[kind](path, "rb") as inner:
        while block := inner.read(_BLOCK):
            total += len(block)
            budget.take(len(block))
            if total > max(_MOST_TIMES * size, _HARMLESS_BYTES):
                raise budget.refusal(f"one that unpacks to more than {_MOST_TIMES} times its size")


def clear_stale(home: Path) -> None:
    """Delete uploads that a server that was killed left behind a day ago or earlier."""
    folder = home / _STAGING
    for left in folder.iterdir() if folder.is_dir() else ():
        try:
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue


def bound_memory() -> None:
    """Let this process use no more than 60 % of the machine's memory (4 GB at least): a hostile file then ends in one
    sentence. Does nothing where the system has no such limit."""
    try:
        import resource
    except ImportError:  # Windows
        return
    import psutil

    most = max(4 * 10**9, int(0.6 * psutil.virtual_memory().total))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    except (ValueError, OSError):  # a system that does not know this limit
        return
