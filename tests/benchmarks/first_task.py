"""A kind of run that does nothing but say when its first task began: for measuring what a run costs besides its work.

As a script it measures the same for plain Dask: a fresh Python, a `Client()` with its defaults, one task.
"""

from __future__ import annotations

import time

from analysis.jobs import Cost, Job, JobContext


def begin(item: int) -> float:
    """Seconds since 1970."""
    return time.time()


def run(context: JobContext) -> None:
    for _, began in context.map(begin, [0], label="Beginning"):
        context.scores["began"] = began


JOB = Job(
    name="first-task",
    title="First task",
    summary="Says when it began.",
    schema={"type": "object", "properties": {}},
    run=run,
    preview=lambda settings, home: Cost(1, 1, 1, "Nothing."),
)


def main() -> None:
    from distributed import Client

    with Client() as client:
        print(client.submit(time.time).result())


if __name__ == "__main__":
    main()
