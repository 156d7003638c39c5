"""Who computes a run: the process named in `owner.json`, and whether it still lives.

A process is known by host, number and start, so that neither a killed one, nor another that got its number, nor a
restart of the machine is taken for it. On another host nothing can be asked; there the owner lives while it touches the
file, which it does every few seconds.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from data.runs.files import read_json, write_json

FILE = "owner.json"
BEAT_SECONDS = 10.0
"""How often an owner touches its file."""
_FOREIGN_SECONDS = 120.0
"""An owner on another host is taken for dead when it has not touched its file for so long."""


@dataclass(frozen=True)
class Owner:
    """A process.

    Attributes
    ----------
    host : where it runs.
    pid : its number there.
    start : when it started, in a form that only comparing makes sense of.
    """

    host: str
    pid: int
    start: str

    @classmethod
    def of(cls, pid: int) -> Owner:
        """The process with this number on this host."""
        return cls(socket.gethostname(), pid, _start(pid))

    @property
    def here(self) -> bool:
        """Whether it is on this host."""
        return self.host == socket.gethostname()


def read(folder: Path) -> Owner | None:
    """Who owns the run in this folder; None where nobody does."""
    facts = read_json(folder / FILE)
    try:
        return Owner(str(facts["host"]), int(facts["pid"]), str(facts["start"]))
    except (KeyError, TypeError, ValueError):
        return None


def write(folder: Path, owner: Owner) -> None:
    """Name the owner of the run in this folder."""
    write_json(folder / FILE, asdict(owner))


def lives(folder: Path, owner: Owner) -> bool:
    """Whether the owner named in this folder still runs."""
    if owner.here:
        return bool(owner.start) and _start(owner.pid) == owner.start
    try:
        return time.time() - (folder / FILE).stat().st_mtime < _FOREIGN_SECONDS
    except OSError:
        return False


def beat(folder: Path) -> None:
    """Show other hosts that the owner still runs."""
    try:
        os.utime(folder / FILE)
    except OSError:  # the next beat may do; on this host nobody asks
        pass


def _start(pid: int) -> str:
    """When a process started; empty where there is none, or only its corpse. Exact on Linux, where the clock may jump."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return "" if fields[0] in "ZX" else f"{boot}/{fields[19]}"
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return ""
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""
