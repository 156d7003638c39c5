"""A store of whole files, each made from one imported file: what sites, tables and volumes have in common."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from data.sources import Source, holds
from data.storage import ManifestFolder

NOTE = "carbonweather_source"
"""Attribute in which a netCDF file says what the manifest says of it."""


class SourceStore(ABC):
    """Files in a folder or at an fsspec URL; nothing is created before the first append.

    Parameters
    ----------
    path : folder or URL.
    what : what is kept there, for messages.
    layout : of the manifest.
    """

    def __init__(self, path: str | os.PathLike[str], *, what: str, layout: int) -> None:
        self.folder = ManifestFolder(path, what=what, layout=layout)

    @property
    def version(self) -> int:
        """Grows with every change; 0 for an empty store."""
        return int(self.folder.manifest()["version"])

    def holds(self, name: str, digest: str) -> Source | None:
        """What is known of the file of this name and digest, or None; also where only a part of it is here."""
        files = self.folder.manifest()["files"]
        return holds({file: kept for file, kept in files.items() if not kept.get("part")}, name, digest)

    def rebuild(self) -> int:
        """Make the manifest again from the files on disk; returns the number of files."""
        with self.folder.change(fresh=True) as change:
            files: dict[str, Any] = {}
            for name in self.folder.names():
                entry = self._note(name)
                if entry is not None:
                    size = int(self.folder.fs.size(self.folder.path(name)))
                    files[name] = {**entry, "size": size, "content": self.folder.content(name)}
            change.commit({"files": files})
        return len(files)

    @abstractmethod
    def _note(self, name: str) -> dict[str, Any] | None:
        """What a file says of itself: its entry in the manifest. None where it is damaged or none of ours."""

    def problems(self) -> Iterator[str]:
        """One sentence for each thing that is wrong: missing, damaged or foreign files. Reads everything."""
        files = self.folder.manifest()["files"]
        for name, kept in files.items():
            path = self.folder.path(name)
            remedy = f"delete it, run `carbonweather data index` and import {kept['name']} again"
            if not self.folder.fs.exists(path):
                yield f"{path}: expected the content of {kept['name']}, found no file; {remedy}."
            elif (size := int(self.folder.fs.size(path))) != kept["size"]:
                yield f"{path}: expected {kept['size']} bytes, found {size}; {remedy}."
            elif kept.get("content") and self.folder.content(name) != kept["content"]:
                yield f"{path}: expected the bytes that were written, found others; {remedy}."
            elif damage := self._damage(name, kept):
                yield f"{path}: {damage}; {remedy}."
        yield from self.folder.foreign()

    def _damage(self, name: str, kept: Mapping[str, Any]) -> str:
        """What is wrong with a file whose bytes are as they were written, or of which no sum is kept; "" for nothing."""
        return ""

    def without_sum(self) -> int:
        """Files whose sum is not kept (an earlier version wrote them): damage may hide in them."""
        return sum(not kept.get("content") for kept in self.folder.manifest()["files"].values())


def netcdf_note(folder: ManifestFolder, name: str) -> dict[str, Any] | None:
    """The `NOTE` of a stored netCDF file; None where it cannot be read or has none."""
    import h5netcdf

    try:
        with folder.fs.open(folder.path(name), "rb") as stream, h5netcdf.File(stream, "r") as file:
            return dict(json.loads(file.attrs[NOTE]))
    except (OSError, KeyError, ValueError):
        return None
