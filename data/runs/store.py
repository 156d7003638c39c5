"""The runs of a data folder: making, finding and deleting them."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.errors import DataError, StoreProblem
from data.runs.files import explained, remove, sync_folder, write_json, write_whole
from data.runs.record import (
    CONFIGURATION,
    Configuration,
    NoSuchRun,
    RunBusy,
    RunInput,
    fingerprint,
    plain,
    versions,
)
from data.runs.run import STATE, Run, hidden
from data.runs.working import locked

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[a-z0-9_-]+-[0-9a-f]{4}")
_FOLDER = re.compile(rf"(?:\.(?P<hidden>{_ID.pattern})\.work|(?P<visible>{_ID.pattern}))")
_LEFT = re.compile(rf"\.{_ID.pattern}\.(?:new|deleted)")
_KIND = re.compile(r"[a-z0-9_-]{1,60}")


class RunStore:
    """The folder `runs/` of a data folder. It is made when the first run is.

    Parameters
    ----------
    root : the runs folder (`data.home.runs_dir`).
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self._configurations: dict[str, Configuration] = {}
        self._done: dict[str, Run] = {}

    def create(
        self,
        kind: str,
        settings: dict[str, Any],
        *,
        title: str = "",
        inputs: Sequence[RunInput] = (),
        seed: int = 0,
        reuse: bool = True,
    ) -> Run:
        """A new run, queued; with `reuse` an identical one that is done or being computed, if there is one.

        Raises
        ------
        StoreProblem : settings that cannot be written down; no room or no permission.
        """
        if not _KIND.fullmatch(kind):
            raise StoreProblem(
                f"kind of a run: expected lower-case letters, digits, - and _, found {kind[:80]!r}; change it."
            )
        settings, found = plain(settings), tuple(inputs)
        mark = fingerprint(kind, settings, found, seed)
        with explained(self.root), locked(self.root):
            if reuse:
                for run in self.list():
                    if run.fingerprint == mark and (run.alive or run.complete):
                        return run
            self._sweep()
            created = datetime.now(UTC)
            configuration = Configuration(
                id=f"{created:%Y%m%d-%H%M%S}-{kind}-{secrets.token_hex(2)}",
                kind=kind,
                title=title.strip()[:200],
                seed=seed,
                settings=settings,
                inputs=found,
                versions=dict(versions()),
                created=created,
                fingerprint=mark,
            )
            self._place(configuration)
        return self.get(configuration.id)

    def _place(self, configuration: Configuration) -> None:
        made = self.root / f".{configuration.id}.new"
        try:
            made.mkdir()
            write_whole(made / CONFIGURATION, configuration.to_yaml())
            write_json(made / STATE, {"state": "queued", "started": None, "ended": None, "error": ""})
            os.rename(made, hidden(self.root, configuration.id))
        except BaseException:
            remove(made)
            raise
        sync_folder(self.root)

    def list(self) -> list[Run]:
        """All runs, newest first. One whose folder was damaged is listed as failed, with what is wrong."""
        try:
            names = [entry.name for entry in os.scandir(self.root) if entry.is_dir()]
        except FileNotFoundError:
            return []
        matches = [found for found in map(_FOLDER.fullmatch, names) if found]
        ids = {found["hidden"] or found["visible"] for found in matches}
        runs = []
        for run_id in ids:
            try:
                runs.append(self.get(run_id))
            except NoSuchRun:  # deleted meanwhile
                continue
            except DataError as error:
                runs.append(self._damaged(run_id, str(error)))
        return sorted(runs, key=lambda run: (run.created, run.id), reverse=True)

    def get(self, run_id: str) -> Run:
        """The run of that name as it is now.

        Raises
        ------
        NoSuchRun : there is none.
        FileProblem : its configuration is damaged.
        """
        if not _ID.fullmatch(run_id) or not self._folder(run_id).is_dir():
            self._forget(run_id)
            raise NoSuchRun(
                f"run {run_id[:80]}: expected a run in {self.root}, found none of that name; see `carbonweather runs list`."
            )
        if run_id in self._done:  # a finished run never changes
            return self._done[run_id]
        if run_id not in self._configurations:
            try:
                self._configurations[run_id] = Configuration.read(self._folder(run_id) / CONFIGURATION)
            except DataError:
                if (self.root / run_id / CONFIGURATION).is_file():  # it was completed while we looked
                    self._configurations[run_id] = Configuration.read(self.root / run_id / CONFIGURATION)
                else:
                    raise
        found = Run.load(self.root, self._configurations[run_id])
        if found.state == "done":
            self._done[run_id] = found
        return found

    def _forget(self, run_id: str) -> None:
        self._configurations.pop(run_id, None)
        self._done.pop(run_id, None)

    def delete(self, run_id: str) -> None:
        """Remove a run with all that lies in its folder (not cubes that it put in the data folder).

        Raises
        ------
        NoSuchRun, RunBusy : there is none, or it is being computed.
        """
        with explained(self.root), locked(self.root):
            if not _ID.fullmatch(run_id) or not self._folder(run_id).is_dir():
                raise NoSuchRun(f"run {run_id[:80]}: expected a run to delete, found none of that name in {self.root}.")
            try:
                alive = self.get(run_id).alive
            except DataError:
                alive = False
            if alive:
                raise RunBusy(
                    f"run {run_id}: expected one that has ended, found that it is being computed; cancel it first."
                )
            folder, doomed = self._folder(run_id), self.root / f".{run_id}.deleted"
            os.rename(folder, doomed)
            sync_folder(self.root)
            remove(doomed)
            self._forget(run_id)

    def _folder(self, run_id: str) -> Path:
        visible = self.root / run_id
        return visible if visible.is_dir() else hidden(self.root, run_id)

    def _sweep(self) -> None:
        """Remove what a killed creation or deletion left; only under the lock."""
        for entry in os.scandir(self.root):
            if _LEFT.fullmatch(entry.name):
                remove(Path(entry.path))

    def _damaged(self, run_id: str, sentence: str) -> Run:
        created = datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        return Run(
            id=run_id,
            kind=run_id[16:-5],
            title="",
            state="failed",
            settings={},
            inputs=(),
            versions={},
            seed=0,
            created=created,
            started=None,
            ended=None,
            error=sentence,
            fingerprint="",
            alive=False,
            interrupted=False,
            root=self.root,
        )
