"""What a job is given while it computes: its settings, a place for results, a log, a cluster, and a loop that survives kills."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from analysis.jobs.checkpoint import Checkpoint, Keeping
from analysis.jobs.cluster import connected, lost_cluster, size_of_machine
from analysis.jobs.errors import RunCancelled, RunFailed, RunPaused
from analysis.jobs.registry import WORKERS_NEED
from analysis.jobs.workers import check_workers
from data.runs import Progress, Result, WorkingRun
from data.runs.owner import BEAT_SECONDS, beat

if TYPE_CHECKING:
    from distributed import Client, Future

_LOOK_SECONDS = 0.25
"""How often a run looks whether it shall stop, and at most how often it writes its progress."""
_RATE_SAMPLES = 40
"""The rate is taken over so many steps forward."""
_ALONE_SECONDS = 2.0
"""While nothing is finished, the cluster is asked so often whether it has a worker: each time costs it some milliseconds."""
_LOST_SECONDS = 15.0
"""A scheduler that does not answer for so long is lost."""


class JobContext:
    """One execution of a job.

    Attributes
    ----------
    settings : complete.
    home : the data folder.
    seed : for random numbers; nothing else may make two executions differ.
    run_id, title, created : the run's name, what people call it ("" for nothing), and when it was made (not when it was
        started): for provenance.
    folder : where results go. It is empty at the start, also when a run is taken up again.
    scores : figures for comparing runs; the job fills them.
    """

    def __init__(
        self,
        working: WorkingRun,
        settings: dict[str, Any],
        home: Path,
        *,
        scheduler: str | None = None,
        workers: int | None = None,
    ) -> None:
        self.settings = settings
        self.home = home
        self.seed = working.configuration.seed
        self.run_id = working.configuration.id
        self.title = working.configuration.title
        self.created = working.configuration.created
        self.folder = working.results
        self.checkpoint_folder = working.checkpoint
        self.scores: dict[str, float] = {}
        self.results: list[Result] = []
        self._working = working
        self._scheduler = scheduler
        self._wanted_workers = workers
        self._client: Client | None = None
        self._stack = ExitStack()
        self._loops = 0
        self._first_modules = WORKERS_NEED.get(working.configuration.kind, ())
        self._known_modules: set[str] = set()
        self._meter: _Meter | None = None
        self._asked = ""
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="run-watch", daemon=True)
        self._watcher.start()

    def log(self, text: str) -> None:
        """Add a line to the run's log."""
        self._working.log(text)

    def add_result(self, name: str, path: str | Path, kind: str, link: str = "") -> None:
        """Name something that was made.

        Parameters
        ----------
        name : for people.
        path : file or folder; relative to `folder`, or anywhere in the data folder.
        kind : "cube", "map", "series", "table", "figure", "text" or another word.
        link : dashboard address that shows it.

        Raises
        ------
        RunFailed : nothing is there.
        """
        place = self.folder / path
        if not place.exists():
            raise RunFailed(
                f"result {name}: expected a file or folder at {place}, found none; report this job's mistake."
            )
        self.results.append(Result(name, place, kind, link))

    def cancelled(self) -> bool:
        """Whether the run shall stop (cancel or pause)."""
        return bool(self._asked)

    def check(self) -> None:
        """Stop here if someone asked for it: to be called between steps that take more than a second.

        Raises
        ------
        RunCancelled, RunPaused
        """
        if self._asked == "cancel":
            raise RunCancelled
        if self._asked:
            raise RunPaused

    def stop(self, asked: str = "pause") -> None:
        """Ask the run to stop from within its process ("cancel" or "pause")."""
        self._asked = asked

    def progress(self, done: float, total: float, label: str, unit: str = "") -> None:
        """Say how far the job is; `map` does so by itself."""
        if self._meter is None or (self._meter.label, self._meter.total) != (label, total):
            self._meter = _Meter(label, unit, total, done)
        found = self._meter.at(done)
        if found is not None:
            self._working.progress(found)

    @property
    def client(self) -> Client:
        """The Dask client, made when first asked for.

        Raises
        ------
        ClusterProblem : the scheduler cannot be reached.
        """
        return self._connected()

    def _connected(self, modules: Collection[str] = ()) -> Client:
        if self._client is None:
            first = {*modules, *self._first_modules}
            cluster = connected(self._scheduler, self._wanted_workers, self._working.scratch, first)
            self._client = self._stack.enter_context(cluster)
        return self._client

    @property
    def workers(self) -> int:
        """How many workers there are now."""
        return len(self.client.scheduler_info(n_workers=-1)["workers"])

    @property
    def worker_bytes(self) -> int | None:
        """Memory of each worker, where they are made on this machine; None for those of an existing cluster."""
        return None if self._scheduler is not None else size_of_machine(self._wanted_workers)[1]

    def ready(self, *modules: str) -> Client:
        """The client once there is a worker; those of an existing cluster are asked whether they know these modules.

        Raises
        ------
        ClusterProblem : the scheduler cannot be reached, or a worker lacks the program or the data folder.
        RunCancelled, RunPaused : someone asked for it while there was no worker.
        """
        self._connected(modules)
        said = False
        while not self.workers:
            if not said:
                self.log("The cluster has no worker now; waiting for one.")
                said = True
            time.sleep(_LOOK_SECONDS)
            self.check()
        unknown = {*modules, *self._first_modules} - self._known_modules
        if self._scheduler is not None and unknown:
            check_workers(self.client, unknown, self.home)
            self._known_modules |= unknown
        return self.client

    def map(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        *,
        key: Callable[[Any], str] = str,
        label: str,
        unit: str = "",
        size: Callable[[Any], float] | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        """Compute `function(item)` for all items on the workers, and give (item, result) in the order of the items.

        A finished item is kept and never computed again, also after the run was killed; one whose worker was lost
        goes to another. Do not keep all results: take each up as it comes.

        Parameters
        ----------
        function : of a module (not local), without side effects, the same whenever it is called.
        items : what to compute; they and the results travel between processes.
        key : a name for each item, different for all of them.
        label, unit : for the progress ("Gridding", "tiles").
        size : how much of `unit` an item is; 1 each if None.

        Raises
        ------
        RunFailed : two items have one key; an item ended its workers again and again.
        RunCancelled, RunPaused : someone asked for it.
        ClusterProblem : the cluster was lost.
        """
        keys = [key(item) for item in items]
        if len(set(keys)) < len(keys):
            twice = next(name for number, name in enumerate(keys) if name in keys[:number])
            raise RunFailed(f"{label}: expected items that differ, found {twice[:80]!r} twice; choose another key.")
        sizes = [1.0 if size is None else float(size(item)) for item in items]
        loop = _Loop(self, Checkpoint.of(self.checkpoint_folder, self._loops, label), label, unit)
        self._loops += 1
        return loop.run(function, list(items), keys, sizes)

    def close(self) -> None:
        """End the cluster and the watching."""
        self._ended.set()
        self._watcher.join()
        self._stack.close()

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(_LOOK_SECONDS):
            self._asked = self._asked or self._working.requested()
            if time.monotonic() - last > BEAT_SECONDS:
                beat(self._working.folder)
                last = time.monotonic()


class _Meter:
    """Progress with its rate of late, so that the time left follows when work becomes quicker or slower."""

    def __init__(self, label: str, unit: str, total: float, done: float) -> None:
        self.label, self.unit, self.total = label, unit, total
        self._seen: deque[tuple[float, float]] = deque([(time.monotonic(), done)], maxlen=_RATE_SAMPLES)
        self._written = 0.0

    def at(self, done: float) -> Progress | None:
        """What to write now; None where it was written a moment ago."""
        now = time.monotonic()
        if done < self.total and now - self._written < _LOOK_SECONDS:
            return None
        self._written = now
        since, before = self._seen[0]
        rate = (done - before) / (now - since) if done > before and now > since else None
        if done > self._seen[-1][1]:
            self._seen.append((now, done))
        left = (self.total - done) / rate if rate else None
        return Progress(done, self.total, self.label, self.unit, rate, 0.0 if done >= self.total else left)


class _Loop:
    """One `JobContext.map` under way."""

    def __init__(self, context: JobContext, checkpoint: Checkpoint, label: str, unit: str) -> None:
        self.context, self.checkpoint, self.label, self.unit = context, checkpoint, label, unit

    def run(
        self, function: Callable[[Any], Any], items: list[Any], keys: list[str], sizes: list[float]
    ) -> Iterator[tuple[Any, Any]]:
        context, total = self.context, sum(sizes)
        missing = [number for number, name in enumerate(keys) if name not in self.checkpoint]
        done = total - sum(sizes[number] for number in missing)
        if len(missing) < len(keys):
            context.log(f"{self.label}: {len(keys) - len(missing)} of {len(keys)} are there already.")
        context.progress(done, total, self.label, self.unit)
        futures: dict[int, Future] = {}
        finished: SimpleQueue[int] = SimpleQueue()
        try:
            if missing:
                context.check()
                futures = self._submit(function, items, keys, missing, finished)
            for number, item in enumerate(items):
                while keys[number] not in self.checkpoint:
                    ready = self._next(finished)
                    self._take(futures.pop(ready), keys[ready])
                    done += sizes[ready]
                    context.progress(done, total, self.label, self.unit)
                context.check()
                yield item, self.checkpoint.get(keys[number])
        finally:
            if futures:
                context.client.cancel(list(futures.values()))

    def _submit(
        self,
        function: Callable[[Any], Any],
        items: list[Any],
        keys: list[str],
        missing: list[int],
        finished: SimpleQueue[int],
    ) -> dict[int, Future]:
        client = self.context.ready(function.__module__, Keeping.__module__)
        work = Keeping(function, str(self.checkpoint.folder))
        made = client.map(work, [items[each] for each in missing], [keys[each] for each in missing], pure=False)
        futures = dict(zip(missing, made, strict=True))
        for number, future in futures.items():
            future.add_done_callback(lambda _, number=number: finished.put(number))
        return futures

    def _next(self, finished: SimpleQueue[int]) -> int:
        """The number of an item that has ended, well or not."""
        silent: float | None = None
        alone, looked = False, time.monotonic()
        while True:
            try:
                return finished.get(timeout=_LOOK_SECONDS)
            except Empty:
                self.context.check()
            if self.context.client.status == "running":
                silent = None
                if not alone and time.monotonic() - looked > _ALONE_SECONDS:
                    looked, alone = time.monotonic(), not self.context.workers
                    if alone:
                        self.context.log("The cluster has no worker now; waiting for one.")
                continue
            silent = silent or time.monotonic()
            if self.context.client.status == "closed" or time.monotonic() - silent > _LOST_SECONDS:
                raise lost_cluster()

    def _take(self, future: Future, key: str) -> None:
        """Count a finished item, or raise what went wrong with it."""
        from distributed.scheduler import KilledWorker

        if future.status == "cancelled":
            raise lost_cluster()
        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                raise RunFailed(
                    f"{self.label}: expected {key[:80]} to be computed, found that the worker that had it was lost "
                    f"{error.allowed_failures + 1} times, most likely for want of memory; choose smaller pieces or fewer workers."
                )
            raise error
        self.checkpoint.note(key)
