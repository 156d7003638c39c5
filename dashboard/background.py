"""Long preparation beside the server: building the demo or importing a folder, as a process of its own with its progress read from disk.

A process, not a thread: the page must stay quick while two cores are busy, and a killed build must not take the server with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BuildStatus:
    """What to tell people about the build: a sentence ('' for nothing), how far it is (0..1), whether it is going on."""

    sentence: str
    fraction: float
    active: bool


class Build:
    """A `carbonweather` command run in the background that prints JSON lines with ``done``, ``total`` and ``label``.

    Parameters
    ----------
    arguments : command and options after `carbonweather`.
    title : what it does, for people ("Building the simulated demo").
    """

    def __init__(self, arguments: Sequence[str], title: str) -> None:
        self.title = title
        self._lock = threading.Lock()
        self._status = BuildStatus(f"{title}: starting", 0.0, True)
        self._failures: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dashboard", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, name="build", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """True until the command has ended."""
        return self._process.poll() is None

    def status(self) -> BuildStatus:
        """The newest word of the command."""
        with self._lock:
            return self._status

    def stop(self) -> None:
        """End the command; it goes on from where it was at the next start."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _read(self) -> None:
        errors: list[str] = []
        drain = threading.Thread(target=lambda: errors.extend(self._process.stderr or ()), daemon=True)
        drain.start()
        for line in self._process.stdout or ():
            try:
                word = json.loads(line)
            except ValueError:
                continue
            if not isinstance(word, dict):
                continue
            if word.get("status") == "failed":
                self._failures.append(str(word.get("message", "")))
            if "total" in word:
                done, total = float(word.get("done", 0)), max(1.0, float(word["total"]))
                self._tell(
                    BuildStatus(
                        f"{self.title}: {word.get('label', '')} ({done:.0f} of {total:.0f})", done / total, True
                    )
                )
        code = self._process.wait()
        drain.join(timeout=5)
        if code == 0 or (self._failures and code == 1):
            note = (
                f"{self.title}: {len(self._failures)} files were not understood; `carbonweather data import` names them."
                if self._failures
                else ""
            )
            self._tell(BuildStatus(note, 1.0, False))
        else:
            reason = errors[-1].strip() if errors else f"it ended with code {code}"
            self._tell(BuildStatus(f"{self.title} stopped: {reason}", 0.0, False))

    def _tell(self, status: BuildStatus) -> None:
        with self._lock:
            self._status = status
