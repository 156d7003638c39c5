"""Places where data may be kept: local folders, and URLs of object stores that fsspec knows ("s3://bucket/folder").

Clients of object stores find credentials and the address of the service themselves: `AWS_ENDPOINT_URL`, `AWS_PROFILE`
and their like, or fsspec's own configuration (`FSSPEC_S3_ENDPOINT_URL`, files in `~/.config/fsspec`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_CLIENTS = {"botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "google", "adlfs", "azure", "requests", "urllib3"}


def is_url(place: str | os.PathLike[str]) -> bool:
    """True for an fsspec URL, False for a local folder."""
    text = os.fspath(place)
    return "://" in text or "::" in text


def file_system(place: str | os.PathLike[str]) -> tuple[AbstractFileSystem, str]:
    """The file system of a place and the path there.

    Listings of a remote one are not remembered: others write there too.

    Raises
    ------
    ValueError, ImportError : a kind of URL that fsspec does not know, or whose client is not installed.
    """
    from fsspec.core import url_to_fs

    options = {"use_listings_cache": False} if is_url(place) else {}
    fs, root = url_to_fs(os.fspath(place), **options)
    return fs, root.rstrip("/") or root


def is_local(fs: AbstractFileSystem) -> bool:
    """True for this computer's own files."""
    return "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def is_failure(error: BaseException) -> bool:
    """True for what a disk, a network or the client of an object store raises, false for faults of a program."""
    return isinstance(error, OSError) or any(
        kind.__module__.partition(".")[0] in _CLIENTS for kind in type(error).__mro__
    )


def reason(error: BaseException) -> str:
    """What such an error says, in one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    if os.name != "posix":  # folders cannot be opened elsewhere
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
