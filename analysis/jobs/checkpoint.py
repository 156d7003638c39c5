"""What a run has computed so far: one file a finished item, whole or absent.

Workers write the files themselves, so that results do not travel through the scheduler and are safe as soon as they exist.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.runs.files import write_whole

_SHOWN_SECONDS = 10.0
"""A file that another machine wrote may be seen here only after a while."""


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
        return file_name(key) in self._there

    def note(self, key: str) -> None:
        """An item is finished: a worker has written its file."""
        path = self.folder / file_name(key)
        until = time.monotonic() + _SHOWN_SECONDS
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.1)
            list(self.folder.iterdir())  # makes network file systems look again
        path.stat()
        self._there.add(path.name)

    def get(self, key: str) -> Any:
        """An item's result."""
        return pickle.loads((self.folder / file_name(key)).read_bytes())


@dataclass(frozen=True)
class Keeping:
    """Computes an item and keeps its result; this is what workers do.

    Attributes
    ----------
    function : of an item.
    folder : of the checkpoint.
    """

    function: Callable[[Any], Any]
    folder: str

    def __call__(self, item: Any, key: str) -> None:
        path = Path(self.folder) / file_name(key)
        if not path.exists():  # it is there if a worker was lost between writing it and saying so
            write_whole(path, pickle.dumps(self.function(item), protocol=pickle.HIGHEST_PROTOCOL))


def file_name(key: str) -> str:
    """Name of an item's file."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.pickle"
