"""Processes that write to an archive of soundings and are killed, starved of disk or raced by others; run as a script.

archive_writer.py everywhere FOLDER     kill -9 an append at each of its steps on disk in turn, one JSON line a step
archive_writer.py append FOLDER FIRST COUNT     append granules one by one, a line when each is done
archive_writer.py full FOLDER BYTES     append where no file may grow beyond so many bytes
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from data.canonical import Product
from tests.data.sounding_examples import product

ROWS = 40


def granule(number: int) -> Product:
    """Soundings on both sides of midnight at the end of a month: every granule belongs to two files."""
    made = product(range(number * 1000, number * 1000 + ROWS), name=f"granule_{number}.nc4", levels=2)
    times = np.datetime64("2019-03-31T23:00:00", "ns") + np.arange(ROWS) * np.timedelta64(3, "m")
    return Product(made.kind, made.dataset.assign(time=("sounding", times)), made.reader, made.collection, made.path)


def die_at(step: int) -> None:
    """Let this process kill itself just before the given one of its changes on disk."""
    counted = [0]

    def counting(change: Callable):
        def changed(*args, **kwargs):
            counted[0] += 1
            if counted[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*args, **kwargs)

        return changed

    for name in ("fsync", "replace", "remove", "unlink", "rmdir"):
        setattr(os, name, counting(getattr(os, name)))


def in_child(work: Callable[[], object]) -> tuple[int, object]:
    """Do it in a forked process; (signal that ended it or 0, what it returned)."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            answer = json.dumps(work()).encode()
        except BaseException as error:
            answer = json.dumps(f"{type(error).__name__}: {error}").encode()
        os.write(write, answer)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        answer = stream.read()
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, json.loads(answer) if answer else None


def append(folder: str, numbers: list[int]) -> list[int]:
    """Soundings added of each granule."""
    from data.soundings import SoundingArchive

    archive = SoundingArchive(folder)
    return [archive.append(granule(number)).added for number in numbers]


def look(folder: str) -> dict[str, object]:
    """What a reader sees: soundings of each granule, and what is wrong but for files left behind."""
    from data.soundings import SoundingArchive

    archive = SoundingArchive(folder)
    found = archive.query(good_only=False, columns=["source_file"])
    problems = [problem for problem in archive.problems() if "only files that the manifest names" not in problem]
    return {"granules": found["source_file"].value_counts().to_dict(), "problems": problems}


def litter(folder: str) -> list[str]:
    """Files on disk that do not belong to a finished archive."""
    manifest = json.loads((Path(folder) / "manifest.json").read_text())
    known = {"manifest.json", ".lock", *manifest["files"]}
    here = (path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file())
    return sorted(str(path) for path in here if str(path) not in known)


def everywhere(folder: str) -> None:
    for heavy in (
        "dask.array",
        "data.soundings",
        "duckdb",
        "filelock",
        "fsspec.implementations.local",
        "pyarrow.acero",
    ):
        import_module(heavy)  # once, here, without starting their threads; the forked processes have them then
    base = f"{folder}/base"
    in_child(lambda: append(base, [0, 1, 2]))
    for step in range(1, 200):
        place = f"{folder}/{step}"
        shutil.copytree(base, place)

        def killed(place=place, step=step):
            die_at(step)
            return append(place, [3])

        def afterwards(place=place):
            seen = look(place)
            added = append(place, [3, 4])
            return {"seen": seen, "added": added, "after": look(place), "litter": litter(place)}

        died, _ = in_child(killed)
        _, found = in_child(afterwards)
        print(json.dumps({"step": step, "died": died == signal.SIGKILL, **found}), flush=True)
        if not died:
            return


def main() -> None:
    what, folder, *rest = sys.argv[1:]
    if what == "everywhere":
        everywhere(folder)
    elif what == "append":
        first, count = map(int, rest)
        for number in range(first, first + count):
            append(folder, [number])
            print(number, flush=True)
    elif what == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(rest[0]), resource.RLIM_INFINITY))
        from data.errors import StoreProblem

        try:
            append(folder, [7])
        except StoreProblem as problem:
            print(problem, flush=True)


if __name__ == "__main__":
    main()
