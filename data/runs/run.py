"""A run as it is found: its configuration and state at the time of asking, the rest read from its folder when asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast, get_args

from data.runs import owner as ownership
from data.runs.files import explained, read_json
from data.runs.record import Configuration, Progress, Result, RunInput, State

STATE, PROGRESS, SCORES, RESULTS, LOG, REQUEST = (
    "state.json",
    "progress.json",
    "scores.json",
    "results.json",
    "log.txt",
    "request",
)
INTERRUPTED = "The process that computed it ended without a word; resume it to go on from its last checkpoint."
NO_ROOM = "The disk is so full that not even the state of this run could be written; free some space and resume it."
FULL = "full"
"""An empty file that says so."""
_TAIL_BYTES = 200_000


@dataclass(frozen=True)
class Run:
    """One execution with its inputs, settings and results.

    Everything but `progress`, `scores`, `results` and `log_tail` is as it was when the run was got from its store.

    Attributes
    ----------
    id, kind, title : `kind` is the name of its job.
    state : "queued", "running", "paused", "done", "failed" or "cancelled". A run whose process was killed is "failed".
    settings, inputs, versions, seed : what it computes from what, with what.
    created, started, ended : UTC; None for what has not happened. `started` is the latest start.
    error : one sentence; empty unless it failed.
    fingerprint : the same for runs with identical inputs and settings.
    alive : a process is at it now, or waits for its turn.
    interrupted : its process was killed.
    """

    id: str
    kind: str
    title: str
    state: State
    settings: dict[str, Any]
    inputs: tuple[RunInput, ...]
    versions: dict[str, str]
    seed: int
    created: datetime
    started: datetime | None
    ended: datetime | None
    error: str
    fingerprint: str
    alive: bool
    interrupted: bool
    root: Path = field(repr=False)

    @classmethod
    def load(cls, root: Path, configuration: Configuration) -> Run:
        """The run with this configuration in the runs folder `root`, as it is now."""
        done = (root / configuration.id).is_dir()
        folder = root / configuration.id if done else hidden(root, configuration.id)
        owner = None if done else ownership.read(folder)  # before the state, which an owner writes before it leaves
        stored = read_json(folder / STATE)
        state, error = stored.get("state"), str(stored.get("error", ""))
        if state not in get_args(State):
            state = "lost"
        alive = owner is not None and state in ("queued", "running", "done") and ownership.lives(folder, owner)
        interrupted = (
            not done
            and not alive
            and (state in ("running", "done", "lost") or (state == "queued" and owner is not None))
        )
        if done:
            state = "done"
        elif interrupted:
            if (root / configuration.id).is_dir():  # it was completed while we looked
                return cls.load(root, configuration)
            state, error = "failed", NO_ROOM if (folder / FULL).exists() else INTERRUPTED
        elif state == "done":
            state = "running"  # all is computed, the folder is about to get its name
        facts = {name: getattr(configuration, name) for name in Configuration.__dataclass_fields__}
        return cls(
            **facts,
            state=cast("State", state),
            started=_moment(stored.get("started")),
            ended=_moment(stored.get("ended")),
            error=error,
            alive=alive,
            interrupted=interrupted,
            root=root,
        )

    @property
    def folder(self) -> Path:
        """The run's folder, visible or still hidden."""
        visible = self.root / self.id
        return visible if visible.is_dir() else hidden(self.root, self.id)

    @property
    def results_folder(self) -> Path:
        """Where results lie."""
        return self.folder / "results"

    @property
    def checkpoint_folder(self) -> Path:
        """What an unfinished run keeps in order to go on; gone when it is done."""
        return self.folder / "checkpoint"

    @property
    def resumable(self) -> bool:
        """Whether it can be taken up again."""
        return self.state != "done" and not self.alive

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        facts = read_json(self.folder / PROGRESS)
        try:
            done, total = float(facts["done"]), float(facts["total"])
            rate, left = facts["rate_per_s"], facts["remaining_s"]
            return Progress(
                done,
                total,
                str(facts["label"]),
                str(facts["unit"]),
                None if rate is None else float(rate),
                None if left is None else float(left),
            )
        except (KeyError, TypeError, ValueError):
            return Progress()

    @property
    def scores(self) -> dict[str, float]:
        """Figures that the job gave: name -> value; a value that is not finite is nan."""
        found = read_json(self.folder / SCORES)
        return {
            name: float("nan") if value is None else float(value)
            for name, value in found.items()
            if value is None or isinstance(value, int | float)
        }

    @property
    def results(self) -> list[Result]:
        """What it made; empty before it is done."""
        folder = self.folder
        places = {"run": folder, "home": self.root.parent}
        found = read_json(folder / RESULTS).get("results", [])
        return [
            Result(each["name"], places.get(each["base"], Path("/")) / each["path"], each["kind"], each["link"])
            for each in found
        ]

    @property
    def complete(self) -> bool:
        """Whether it is done and all that it made is still there, cubes of the data folder included."""
        return self.state == "done" and all(result.path.exists() for result in self.results)

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of each file in the results folder, by its path there; empty before it is done."""
        sums: dict[str, str] = read_json(self.folder / RESULTS).get("sha256", {})
        return sums

    def log_tail(self, lines: int = 200) -> str:
        """The end of its log."""
        try:
            with open(self.folder / LOG, "rb") as stream:
                size = stream.seek(0, 2)
                stream.seek(max(0, size - _TAIL_BYTES))
                text = stream.read().decode("utf-8", "replace")
        except OSError:
            return ""
        kept = text.splitlines()
        if size > _TAIL_BYTES:
            kept = kept[1:]
        return "\n".join(kept[-lines:] if lines > 0 else [])

    def request_cancel(self) -> None:
        """Ask the process that computes it to end it; without one, it is cancelled at once. A finished run stays as it is."""
        self._request("cancel")

    def request_pause(self) -> None:
        """Ask the process that computes it to keep what it has and end; without one, it is paused at once."""
        self._request("pause")

    def _request(self, what: str) -> None:
        from data.runs.working import ask, end_unowned

        with explained(self.root):
            if not end_unowned(self.root, self.id, "cancelled" if what == "cancel" else "paused"):
                ask(self.root, self.id, what)


def hidden(root: Path, run_id: str) -> Path:
    """The folder of an unfinished run."""
    return root / f".{run_id}.work"


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
