"""What a run has computed so far: one file a finished item, whole or absent."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.runs.files import write_whole


class Checkpoint:
    """The finished items of one loop of a job.

    Parameters
    ----------
    folder : where their files lie; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._there = {path.name for path in folder.glob("*.pickle")}

    @classmethod
    def of(cls, parent: Path, number: int, label: str) -> Checkpoint:
        """That of the loop with this number and label."""
        return cls(parent / f"{number:03d}-{re.sub('[^a-z0-9]+', '-', label.lower())[:40].strip('-')}")

    def __contains__(self, key: str) -> bool:
        return _name(key) in self._there

    def keep(self, key: str, content: bytes) -> None:
        """Write an item's result (as `packed` made it) so that no kill can take it back."""
        write_whole(self.folder / _name(key), content)
        self._there.add(_name(key))

    def get(self, key: str) -> Any:
        """An item's result."""
        return pickle.loads((self.folder / _name(key)).read_bytes())


def packed(function: Callable[[Any], Any], item: Any) -> bytes:
    """Compute an item and pack its result; this is what workers do."""
    return pickle.dumps(function(item), protocol=pickle.HIGHEST_PROTOCOL)


def _name(key: str) -> str:
    return f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.pickle"
