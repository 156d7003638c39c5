"""The writing side of a run: what the one process that computes it may do with its folder."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.runs import owner as ownership
from data.runs.files import (
    PART,
    explained,
    no_room,
    read_json,
    remove,
    sync_folder,
    sync_tree,
    unwritable,
    write_json,
    write_whole,
)
from data.runs.owner import Owner
from data.runs.record import CONFIGURATION, Configuration, NoSuchRun, Progress, Result, RunBusy, State
from data.runs.run import FULL, LOG, PROGRESS, REQUEST, RESULTS, SCORES, STATE, Run, hidden

_LOCK = ".lock"
_LOCK_SECONDS = 60.0
_RESERVE = ".reserve"
_RESERVE_BYTES = 65_536
"""Kept so that on a full disk there is room to say so."""
_PASSING = (ownership.FILE, REQUEST, _RESERVE, "scratch", "checkpoint")
"""What a finished run no longer needs."""


class WorkingRun:
    """An unfinished run in the hands of this process. Made by `take`.

    Attributes
    ----------
    configuration : what is to be computed.
    folder : its hidden folder; `results`, `checkpoint` and `scratch` lie in it.
    """

    def __init__(self, root: Path, configuration: Configuration) -> None:
        self.root = root
        self.configuration = configuration
        self.folder = hidden(root, configuration.id)
        self.results = self.folder / "results"
        self.checkpoint = self.folder / "checkpoint"
        self.scratch = self.folder / "scratch"

    @classmethod
    def take(cls, root: Path, run_id: str) -> WorkingRun:
        """Become the owner of an unfinished run; what a killed owner left half-written is removed.

        Raises
        ------
        NoSuchRun, RunBusy : no such run; done, or computed by another process.
        StoreProblem : no room, no permission.
        """
        with explained(root), locked(root):
            folder = _unfinished(root, run_id)
            working = cls(root, Configuration.read(folder / CONFIGURATION))
            me = Owner.of(os.getpid())
            if ownership.read(folder) != me:
                _unowned(folder, run_id)
            try:
                ownership.write(folder, me)
                if not working.completed:
                    working._prepare()
            except OSError as error:
                working._end("failed", unwritable(root, error))
                raise
        return working

    def _prepare(self) -> None:
        for each in (*self.folder.rglob(f".*{PART}"), self.results, self.scratch, self.folder / FULL):
            remove(each)
        for each in (self.results, self.checkpoint, self.scratch):
            each.mkdir(exist_ok=True)
        write_whole(self.folder / _RESERVE, b"\0" * _RESERVE_BYTES, sync=False)

    @property
    def completed(self) -> bool:
        """All was computed and written before its process was killed: only `publish` is missing."""
        return bool(read_json(self.folder / STATE).get("state") == "done")

    def requested(self) -> str:
        """What someone asked for ("cancel" or "pause"), else an empty text."""
        try:
            return (self.folder / REQUEST).read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    def start(self) -> None:
        """Say that computing begins."""
        write_json(self.folder / STATE, {"state": "running", "started": now(), "ended": None, "error": ""})

    def log(self, text: str) -> None:
        """Add a line to the log. A full disk is left for the next real write to tell."""
        try:
            with open(self.folder / LOG, "a", encoding="utf-8") as stream:
                stream.write(f"{now()[:19]}Z  {text.rstrip()}\n")
        except OSError:
            pass

    def progress(self, progress: Progress) -> None:
        """Say how far it is."""
        write_json(self.folder / PROGRESS, asdict(progress), sync=False)

    def scores(self, scores: dict[str, float]) -> None:
        """Write the figures so far."""
        plain = {str(name): float(value) if math.isfinite(value) else None for name, value in scores.items()}
        write_json(self.folder / SCORES, plain)

    def finish(self, results: Iterable[Result]) -> Run:
        """Write what was made, sync everything and give the folder its name."""
        sums = sync_tree(self.results)
        write_json(self.folder / RESULTS, {"results": [self._placed(each) for each in results], "sha256": sums})
        state = read_json(self.folder / STATE) | {"state": "done", "ended": now(), "error": ""}
        write_json(self.folder / STATE, state)
        return self.publish()

    def publish(self) -> Run:
        """Give the completed folder its name; from then on the run is done."""
        visible = self.root / self.configuration.id
        os.rename(self.folder, visible)
        sync_folder(self.root)
        for name in _PASSING:
            remove(visible / name)
        return Run.load(self.root, self.configuration)

    def end(self, state: State, error: str = "") -> Run:
        """Stop short of the end: "paused", "failed" or "cancelled". The checkpoint stays, results begun do not."""
        with locked(self.root):  # state and owner change together for whoever wants to take it up
            self._end(state, error)
        return Run.load(self.root, self.configuration)

    def _end(self, state: State, error: str) -> None:
        remove(self.folder / _RESERVE)
        for each in (self.results, self.scratch):
            remove(each)
        kept = read_json(self.folder / STATE) | {"state": state, "ended": now(), "error": error}
        try:
            write_json(self.folder / STATE, kept)
        except OSError as problem:  # not even room for this: without a state it counts as broken off
            remove(self.folder / STATE)
            if no_room(problem):
                (self.folder / FULL).touch()
        for name in (REQUEST, ownership.FILE):
            remove(self.folder / name)

    def _placed(self, result: Result) -> dict[str, Any]:
        path = Path(os.path.abspath(self.results / result.path))
        facts = {"name": result.name, "kind": result.kind, "link": result.link}
        for base, folder in (("run", self.folder), ("home", self.root.parent)):
            if path.is_relative_to(folder):
                return facts | {"base": base, "path": path.relative_to(folder).as_posix()}
        return facts | {"base": "", "path": str(path)}


def hand_over(root: Path, run_id: str, pid: int) -> None:
    """Name the process just started for a run as its owner, so that it is missed if it dies before it says a word."""
    with explained(root), locked(root):
        folder = hidden(root, run_id)
        owner = ownership.read(folder) if folder.is_dir() else None
        if folder.is_dir() and (owner is None or not ownership.lives(folder, owner)):
            ownership.write(folder, Owner.of(pid))


def end_unowned(root: Path, run_id: str, state: State) -> bool:
    """Cancel or pause a run that no process is at; False if one is, or if it is done."""
    with locked(root):
        folder = hidden(root, run_id)
        if not folder.is_dir():
            return False
        owner = ownership.read(folder)
        if owner is not None and ownership.lives(folder, owner):
            return False
        write_json(folder / STATE, read_json(folder / STATE) | {"state": state, "ended": now(), "error": ""})
        remove(folder / ownership.FILE)
        remove(folder / REQUEST)
        return True


def ask(root: Path, run_id: str, what: str) -> None:
    """Ask the process that computes a run to "cancel" or "pause" it; one that is done or deleted stays as it is."""
    try:
        write_whole(hidden(root, run_id) / REQUEST, what.encode())
    except FileNotFoundError:
        pass


def requeue(root: Path, run_id: str) -> None:
    """Make a run that has stopped wait for a process again; what was asked of it before is forgotten.

    Raises
    ------
    NoSuchRun, RunBusy : there is none, it is done, or it is being computed.
    """
    with explained(root), locked(root):
        folder = _unfinished(root, run_id)
        _unowned(folder, run_id)
        for name in (REQUEST, ownership.FILE):
            remove(folder / name)
        if read_json(folder / STATE).get("state") != "done":
            write_json(folder / STATE, {"state": "queued", "started": None, "ended": None, "error": ""})


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """One process at a time decides who owns what. Held for milliseconds; the lock dies with its process."""
    from filelock import FileLock, Timeout

    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / _LOCK, timeout=_LOCK_SECONDS):
            yield
    except Timeout:
        raise RunBusy(
            f"{root}: expected to get hold of the runs, found another program changing them for {_LOCK_SECONDS:.0f} s; end it."
        ) from None


def now() -> str:
    """UTC, to the microsecond."""
    return datetime.now(UTC).isoformat()


def _unfinished(root: Path, run_id: str) -> Path:
    folder = hidden(root, run_id)
    if folder.is_dir():
        return folder
    if (root / run_id).is_dir():
        raise RunBusy(f"run {run_id}: expected an unfinished one, found that it is done; start a new one.")
    raise NoSuchRun(f"run {run_id}: expected a run in {root}, found none of that name; see `carbonweather runs list`.")


def _unowned(folder: Path, run_id: str) -> None:
    owner = ownership.read(folder)
    if owner is not None and ownership.lives(folder, owner):
        raise RunBusy(
            f"run {run_id}: expected one that nobody computes, found process {owner.pid} on {owner.host} at it; "
            "wait for it, or cancel it."
        )
