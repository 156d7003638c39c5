"""Several processes that prepare files for an import at once (`data.importing.preparing`).

HDF5 lets one thread of a process read at a time, so threads would not do. Each worker is a fresh interpreter that gets
groups of files on its standard input and answers on its standard output, both pickled: a script that imports data needs
no `if __name__ == "__main__"`, and a file at which the reading program itself ends (the HDF5 library on a damaged file,
no memory left) costs that file, not the import.
"""

from __future__ import annotations

import itertools
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from data.errors import FileProblem
from data.importing.preparing import Event, NotStaged, Prepared, prepare
from data.importing.record import failed
from data.soundings.staging import Staged

_WORKER_BYTES = 1.2e9
"""Memory of one worker at most: the soundings of a group twice, and the arrays of one file."""

_MOST = 16
"""Beyond this the process that commits is the slowest."""


def worker_count() -> int:
    """As many as there are processors, and memory for them."""
    import psutil
    from dask.system import CPU_COUNT  # knows the limits of containers

    return max(1, min(int(CPU_COUNT), _MOST, int(psutil.virtual_memory().available / _WORKER_BYTES)))


class _Ended(Exception):
    """A worker is no more; the argument says how it ended."""


class _Worker:
    """One process."""

    def __init__(self, seen: frozenset[str], place: Path) -> None:
        search = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "data.importing.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": search},
        )
        self._send((seen, place))

    def _send(self, message: object) -> None:
        stream = self._process.stdin
        assert stream is not None
        try:
            pickle.dump(message, stream)
            stream.flush()
        except OSError:
            pass  # it has ended: found out when its answer is read

    def prepare(self, files: Sequence[Path]) -> Iterator[Event]:
        """What it finds; _Ended where it dies of it."""
        self._send(list(files))
        stream = self._process.stdout
        assert stream is not None
        while True:
            try:
                event = pickle.load(stream)
            except (EOFError, pickle.UnpicklingError):
                self.end()
                raise _Ended(_words(self._process.returncode)) from None
            if event is None:
                return
            yield event

    def end(self) -> None:
        """Stop it, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what it had not read yet
                    pass


def _words(returncode: int) -> str:
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"exit code {returncode}"


class Workers:
    """So many processes at work on groups of files; they end with the `with` block.

    Parameters
    ----------
    count : processes.
    seen, place : see `prepare`.
    """

    def __init__(self, count: int, seen: frozenset[str], place: Path) -> None:
        self._count, self._seen, self._place = count, seen, place
        self._idle: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        self._all: list[_Worker] = []
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="import")
        self._over = False
        for _ in range(count):
            self._idle.put(None)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for worker in self._all:
            worker.end()
        self._threads.shutdown(cancel_futures=True)

    def prepare(self, groups: Sequence[Sequence[Path]]) -> Iterator[Event]:
        """Events of all groups, in the order of the files; no more groups are begun than are at work, and one."""
        answers: list[queue.SimpleQueue[Event | BaseException | None]] = []
        for number in range(len(groups)):
            while len(answers) < min(len(groups), number + self._count + 1):
                answers.append(queue.SimpleQueue())
                self._threads.submit(self._group, groups[len(answers) - 1], answers[-1])
            while (event := answers[number].get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event

    def _group(self, files: Sequence[Path], answer: queue.SimpleQueue[Any]) -> None:
        """In a thread: let a worker prepare a group; where it dies, file by file."""
        try:
            left = list(files)
            try:
                for event in self._ask(left):
                    answer.put(event)
            except _Ended:
                answer.put(NotStaged(None))
                for path in list(left):
                    self._alone(path, answer)
        except BaseException as error:
            answer.put(error)
        finally:
            answer.put(None)

    def _alone(self, path: Path, answer: queue.SimpleQueue[Any]) -> None:
        try:
            for event in self._ask([path]):
                answer.put(event)
        except _Ended as end:
            answer.put(NotStaged(None))
            problem = FileProblem(
                path,
                expected="a file that can be read",
                found=f"one at which the program that reads it ended ({end})",
                remedy="download it again, or give the program more memory",
            )
            answer.put(Prepared(path, "", "failed", failed(path, str(problem))))

    def _ask(self, left: list[Path]) -> Iterator[Event]:
        """Events of the files; those that are done with are taken from `left`. A worker that ends is replaced."""
        worker = self._idle.get()
        waiting: list[Path] = []
        try:
            if self._over:
                raise _Ended("the import is over")
            if worker is None:
                worker = _Worker(self._seen, self._place)
                self._all.append(worker)
            for event in worker.prepare(tuple(left)):
                done: list[Path] = []
                if isinstance(event, Prepared) and event.status == "soundings":
                    waiting.append(event.path)
                elif isinstance(event, Prepared):
                    done = [event.path]
                elif isinstance(event, Staged):
                    done, waiting = waiting[: len(event.granules)], waiting[len(event.granules) :]
                elif isinstance(event, NotStaged):
                    done, waiting = waiting, []
                for path in done:
                    left.remove(path)
                yield event
        except _Ended:
            worker = None
            raise
        finally:
            self._idle.put(worker)


def main() -> None:
    """A worker: answer groups of files until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the importer is interrupted, and ends its workers
    source = sys.stdin.buffer
    answers: IO[bytes] = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the answers

    import pyarrow as pa

    pa.set_cpu_count(1)
    seen, place = pickle.load(source)
    while True:
        try:
            files = pickle.load(source)
        except EOFError:
            return
        for event in itertools.chain(prepare(files, seen, place), [None]):
            pickle.dump(event, answers)
            answers.flush()


if __name__ == "__main__":
    main()
