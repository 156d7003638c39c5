"""Archives that providers send: unpacked into a folder beside them, completely or not at all, and never outside it."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

from data.errors import FileProblem
from data.fetching.partial import disk_words, need_space

_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")


def is_archive(path: Path) -> bool:
    """True if the name is that of an archive that `unpack` knows."""
    return path.name.lower().endswith(_ENDINGS)


def unpack(path: Path, *, fresh: bool) -> Path:
    """Unpack an archive into the folder named like it without its ending.

    Parameters
    ----------
    path : the archive (see `is_archive`).
    fresh : True if it has just come, so that a folder from an older one is replaced; else an existing folder stays.

    Returns
    -------
    The folder.

    Raises
    ------
    FileProblem : damaged, or with members that would be written outside the folder.
    """
    ending = next(ending for ending in _ENDINGS if path.name.lower().endswith(ending))
    folder = path.with_name(path.name[: -len(ending)] or "unpacked")
    if folder.is_dir() and not fresh:
        return folder
    with disk_words(folder):
        unfinished = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=path.parent))
        try:
            _extract(path, unfinished)
            if folder.exists():
                shutil.rmtree(folder)
            unfinished.chmod(0o755)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _extract(path: Path, into: Path) -> None:
    good = "an archive that can be unpacked"
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                need_space(into, sum(member.file_size for member in archive.infolist()))
                archive.extractall(into)  # zipfile itself removes "..", drives and leading slashes
        else:
            with tarfile.open(path) as archive:
                archive.extractall(into, filter="data")  # PEP 706: refuses everything that leads outside
    except tarfile.FilterError as error:
        found = f"a member that leads elsewhere ({str(error)[:120]})"
        raise FileProblem(path, expected=good, found=found, remedy="nothing was unpacked; tell the provider") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        found = f"a damaged or encrypted one ({str(error)[:120]})"
        raise FileProblem(path, expected=good, found=found, remedy="delete it and fetch again") from None
