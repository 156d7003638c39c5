"""Starting, taking up and executing runs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from analysis.jobs.cluster import lost_cluster, prepare, scheduler_address
from analysis.jobs.context import JobContext
from analysis.jobs.errors import RunCancelled, RunFailed, RunPaused, RunStopped
from analysis.jobs.registry import WORKERS_NEED, job
from analysis.jobs.settings import validate
from data.errors import DataError, StoreProblem
from data.home import runs_dir
from data.runs import NoSuchRun, Run, RunBusy, RunStore, WorkingRun
from data.runs.files import no_room
from data.runs.working import hand_over, requeue

_AT_ONCE = 2
"""Runs that may compute on this machine at the same time; each has workers for all cores."""
_OUTPUT = "output.txt"


def start(
    home: str | os.PathLike[str],
    kind: str,
    settings: dict[str, Any],
    *,
    title: str = "",
    scheduler: str | None = None,
    workers: int | None = None,
    seed: int = 0,
    reuse: bool = True,
) -> Run:
    """Begin a run in a process of its own, which goes on when this one ends.

    Parameters
    ----------
    home : the data folder.
    kind, settings : name of the job, and its settings; defaults are filled in.
    scheduler : address of a Dask scheduler; else CARBONWEATHER_SCHEDULER, else processes on this machine.
    workers : how many processes on this machine; as many as fit if None.
    reuse : hand back an identical run that is done or being computed, if there is one.

    Raises
    ------
    NoSuchJob, SettingsError, ClusterProblem, DataError
    """
    root = Path(home)
    scheduler_address(scheduler)
    made = job(kind)
    filled = validate(made, settings)
    run = RunStore(runs_dir(root)).create(
        kind, filled, title=title, inputs=made.inputs(filled, root), seed=seed, reuse=reuse
    )
    return run if run.state == "done" or run.alive else _spawn(root, run.id, scheduler, workers)


def resume(
    home: str | os.PathLike[str], run_id: str, *, scheduler: str | None = None, workers: int | None = None
) -> Run:
    """Take a run up where it was, in a process of its own.

    Raises
    ------
    NoSuchRun, RunBusy : there is none, it is done, or it is being computed.
    ClusterProblem : `scheduler` is not an address.
    """
    scheduler_address(scheduler)
    requeue(runs_dir(Path(home)), run_id)
    return _spawn(Path(home), run_id, scheduler, workers)


def _spawn(home: Path, run_id: str, scheduler: str | None, workers: int | None) -> Run:
    root = runs_dir(home)
    command = [sys.executable, "-m", "analysis.jobs", str(home), run_id]
    command += [f"--scheduler={scheduler}"] if scheduler else []
    command += [f"--workers={workers}"] if workers else []
    packages = str(Path(__file__).resolve().parents[2])
    paths = [packages, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    with open(RunStore(root).get(run_id).folder / _OUTPUT, "ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
    threading.Thread(target=process.wait, name=f"reap-{run_id}", daemon=True).start()
    hand_over(root, run_id, process.pid)
    return RunStore(root).get(run_id)


def execute(
    home: str | os.PathLike[str], run_id: str, *, scheduler: str | None = None, workers: int | None = None
) -> Run:
    """Compute a run in this process, from its last checkpoint; how it ended is in the run that is handed back.

    Raises
    ------
    NoSuchRun, RunBusy : there is none, it is done, or another process computes it.
    FileProblem : its configuration is damaged.
    """
    root = runs_dir(Path(home))
    try:
        working = WorkingRun.take(root, run_id)
    except (NoSuchRun, RunBusy):
        raise
    except StoreProblem:  # no room even for taking it up; the run says so
        return RunStore(root).get(run_id)
    if working.completed:
        return working.publish()
    try:
        address = scheduler_address(scheduler)
        with _turn(working, wait=address is None), _dask_log(working):
            if address is None and working.configuration.kind in WORKERS_NEED:
                prepare(WORKERS_NEED[working.configuration.kind], workers)
            return _compute(working, Path(home), address, workers)
    except RunCancelled:
        working.log("Cancelled.")
        return working.end("cancelled")
    except RunPaused:
        working.log("Paused.")
        return working.end("paused")
    except Exception as error:
        sentence = _sentence(error, working)
        working.log(sentence)
        return working.end("failed", sentence)
    except BaseException:
        working.log("Stopped.")
        working.end("paused")
        raise


def _compute(working: WorkingRun, home: Path, scheduler: str | None, workers: int | None) -> Run:
    configuration = working.configuration
    made = job(configuration.kind)
    _check_inputs(working, home)
    working.start()
    working.log(f"{made.title}: {'taken up again' if any(working.checkpoint.iterdir()) else 'started'}.")
    settings = validate(made, configuration.settings)
    context = JobContext(working, settings, home, scheduler=scheduler, workers=workers)
    try:
        made.run(context)
        context.check()
    finally:
        context.close()
        working.scores(context.scores)
    working.log("Done.")
    return working.finish(context.results)


def _check_inputs(working: WorkingRun, home: Path) -> None:
    """What was computed from other data must not be mixed with what is there now."""
    configuration = working.configuration
    if not any(working.checkpoint.iterdir()):
        return
    then = {each.name: each.digest for each in configuration.inputs}
    now = {each.name: each.digest for each in job(configuration.kind).inputs(configuration.settings, home)}
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if changed:
        raise RunFailed(
            f"run {configuration.id}: expected the same inputs as when it was started, found others ({', '.join(changed)}); "
            "start a new run."
        )


def _sentence(error: Exception, working: WorkingRun) -> str:
    """What to tell of a failure; the traceback of one that nobody foresaw goes to the log."""
    if no_room(error) and not isinstance(error, AnalysisError | DataError):
        return f"{working.folder}: expected room for results, found the disk full; free some space and resume this run."
    if isinstance(error, AnalysisError | DataError):
        return str(error)
    if type(error).__name__ == "CommClosedError":  # of Dask, which may not have been imported
        return str(lost_cluster())
    if isinstance(error, MemoryError):
        return "memory: expected enough for this run, found too little; choose smaller pieces or fewer workers and resume it."
    working.log("".join(traceback.format_exception(error)))
    first = (str(error).splitlines() or [""])[0][:200]
    return f"{type(error).__name__}{': ' + first if first else ''}: this was not foreseen; report it together with the log."


@contextmanager
def _turn(working: WorkingRun, *, wait: bool) -> Iterator[None]:
    """Wait until fewer than `_AT_ONCE` runs of this data folder compute on this machine. A killed one gives up its place."""
    from filelock import FileLock, Timeout

    if not wait:
        yield
        return
    said = False
    while True:
        for place in range(_AT_ONCE):
            lock = FileLock(working.root / f".turn-{place}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            try:
                yield
            finally:
                lock.release()
            return
        if not said:
            working.log(f"Waiting: {_AT_ONCE} other runs compute on this machine.")
            said = True
        stop = {"cancel": RunCancelled, "pause": RunPaused}.get(working.requested())
        if stop is not None:
            raise stop
        time.sleep(0.5)


@contextmanager
def _dask_log(working: WorkingRun) -> Iterator[None]:
    """Warnings of Dask (a worker lost, memory short) go to the run's log instead of the screen."""

    class ToRun(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            working.log(f"dask: {record.getMessage()}")

    logger, handler = logging.getLogger("distributed"), ToRun(logging.WARNING)
    before = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [handler], False
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before


__all__ = ["RunStopped", "execute", "resume", "start"]
