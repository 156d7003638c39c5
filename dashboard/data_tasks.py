"""Long work that the Data page starts: fetching, importing, verifying, each a `carbonweather` command in a process of its own.

One `Tasks` serves everybody who looks at a data folder. It keeps plain facts only, never a session's objects, and ends its
processes with the server; what was interrupted is all there or not at all, and goes on when it is started again.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dashboard.library import Library

Kind = Literal["import", "fetch", "plan", "verify"]
State = Literal["waiting", "running", "done", "failed", "stopped"]
AT_ONCE = 2
"""Processes at work at the same time; the others wait. Stores let one writer in at a time anyway."""
KEPT = 30
MOST_ROWS = 2000
"""Rows of one task that are kept for the page: an import of more files says how many there were."""
_LINES_OF_ERRORS = 20


@dataclass
class Task:
    """One command: what it is, how far it is, what it said.

    Attributes
    ----------
    kind, title, subject : what it does, for people; which data set, holding or file it is about.
    rows : what it printed of single files or findings, as plain JSON objects.
    counts : status of a row -> how many.
    plan : what a fetch will bring, once the provider told.
    error : why it failed, one sentence.
    """

    number: int
    kind: Kind
    title: str
    subject: str
    arguments: tuple[str, ...]
    state: State = "waiting"
    label: str = ""
    done: float = 0.0
    total: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    plan: dict[str, Any] | None = None
    error: str = ""
    started: float = 0.0
    ended: float = 0.0

    @property
    def over(self) -> bool:
        """True once nothing more will come."""
        return self.state in ("done", "failed", "stopped")

    def shown(self) -> dict[str, Any]:
        """What the page shows of it; without the rows of a verification, which have a page of their own."""
        return {
            "number": self.number,
            "kind": self.kind,
            "title": self.title,
            "subject": self.subject,
            "state": self.state,
            "label": self.label,
            "fraction": self.done / self.total if self.total else None,
            "rows": [] if self.kind == "verify" else self.rows[-200:],
            "counts": self.counts,
            "plan": self.plan,
            "error": self.error,
            "started": self.started,
            "ended": self.ended,
        }


class Tasks:
    """The long work on one data folder.

    Parameters
    ----------
    home : the data folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.version = 0
        """Grows with every change; cheap to look at."""
        self.finished = 0
        """Grows with every task that ends: the data folder may have changed."""
        self._lock = threading.Lock()
        self._tasks: deque[Task] = deque()
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="data-task")
        self._number = 0
        atexit.register(_stop_all, weakref.ref(self))

    def start(
        self,
        kind: Kind,
        title: str,
        arguments: Sequence[str],
        *,
        subject: str = "",
        on_end: Callable[[Task], None] | None = None,
    ) -> Task:
        """Run a command as soon as there is room; the same one that waits or runs already is not started twice.

        Parameters
        ----------
        arguments : command and options after `carbonweather`; ``--home`` is added.
        on_end : called in a thread when it has ended.
        """
        with self._lock:
            same = next((task for task in self._tasks if task.arguments == tuple(arguments) and not task.over), None)
            if same is not None:
                return same
            self._number += 1
            task = Task(self._number, kind, title, subject, tuple(arguments))
            self._tasks.appendleft(task)
            while len(self._tasks) > KEPT and self._tasks[-1].over:
                self._tasks.pop()
            self.version += 1
        self._pool.submit(self._run, task, on_end)
        return task

    def stop(self, number: int) -> None:
        """End a task; what it has brought or stored stays."""
        with self._lock:
            task = next((task for task in self._tasks if task.number == number and not task.over), None)
            process = self._processes.get(number)
            if task is None:
                return
            task.state, task.ended = "stopped", time.time()
            self.version += 1
        if process is not None:
            _end(process)

    def dismiss(self, number: int) -> None:
        """Take a task that has ended off the list."""
        with self._lock:
            self._tasks = deque(task for task in self._tasks if task.number != number or not task.over)
            self.version += 1

    def shown(self) -> list[dict[str, Any]]:
        """All tasks, newest first, as plain facts."""
        with self._lock:
            return [task.shown() for task in self._tasks]

    def newest(self, kind: Kind) -> Task | None:
        """The task of a kind that was started last."""
        with self._lock:
            return next((task for task in self._tasks if task.kind == kind), None)

    def close(self) -> None:
        """End everything; for the end of the server and of tests."""
        with self._lock:
            processes = list(self._processes.values())
            for task in self._tasks:
                if not task.over:
                    task.state = "stopped"
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            _end(process)

    def _run(self, task: Task, on_end: Callable[[Task], None] | None) -> None:
        with self._lock:
            if task.over:  # stopped while it waited
                process = None
            else:
                process = _launch([*task.arguments, "--home", str(self.home)])
                self._processes[task.number] = process
                task.state, task.started = "running", time.time()
            self.version += 1
        if process is not None:
            errors: deque[str] = deque(maxlen=_LINES_OF_ERRORS)
            drain = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
            drain.start()
            for line in process.stdout or ():
                self._hear(task, line)
            code = process.wait()
            drain.join(timeout=5)
            self._settle(task, code, list(errors))
        if on_end is not None:
            on_end(task)
        with self._lock:
            self.finished += 1
            self.version += 1

    def _hear(self, task: Task, line: str) -> None:
        try:
            word = json.loads(line)
        except ValueError:
            return
        if not isinstance(word, dict):
            return
        with self._lock:
            if "total" in word:
                task.done, task.total = float(word.get("done", 0)), max(1.0, float(word["total"]))
                task.label = str(word.get("label", ""))
            elif "plan" in word:
                task.plan = word["plan"]
            else:
                status = str(word.get("status") or ("problem" if word.get("problem") else "note"))
                task.counts[status] = task.counts.get(status, 0) + 1
                if len(task.rows) < MOST_ROWS:
                    task.rows.append(word)
            self.version += 1

    def _settle(self, task: Task, code: int, errors: list[str]) -> None:
        with self._lock:
            self._processes.pop(task.number, None)
            if task.over:
                return
            task.ended = time.time()
            said = [line.strip() for line in errors if line.strip()]
            told = [line.removeprefix("Error: ") for line in said if line.startswith("Error: ")]
            crashed = any(line.startswith("Traceback") for line in said)
            if code == 0 or (code == 1 and not told and not crashed and (task.kind == "verify" or task.rows)):
                # problems found are no failure of a verification, bad files none of the import of the others
                bad, good = task.counts.get("failed", 0), len(task.rows) - task.counts.get("failed", 0)
                task.state = "failed" if bad and not good and task.kind != "verify" else "done"
            else:
                reason = told[-1] if told else said[-1] if said and code >= 0 else _ended_with(code)
                task.state, task.error = "failed", reason


def _ended_with(code: int) -> str:
    if code < 0:
        return f"It was ended by the system (signal {-code}), perhaps for want of memory; free some and do it again."
    return f"It ended with code {code} and said nothing; look at the server's log."


def _launch(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dashboard", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _stop_all(reference: weakref.ref[Tasks]) -> None:
    tasks = reference()
    if tasks is not None:
        tasks.close()


_OF_LIBRARY: weakref.WeakKeyDictionary[Library, Tasks] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


def tasks_of(library: Library) -> Tasks:
    """The one `Tasks` of a data folder, shared by all sessions and by the upload route."""
    with _GUARD:
        found = _OF_LIBRARY.get(library)
        if found is None:
            found = _OF_LIBRARY[library] = Tasks(library.root)
        return found
