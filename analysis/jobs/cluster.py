"""The Dask cluster of a run: an existing one where a scheduler is named, else processes on this machine.

Processes, not threads: a lost one is replaced, each has its own memory limit, and Python code runs on all cores.
Everything that listens does so on this machine's own address only.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.jobs.errors import ClusterProblem

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security

SCHEDULER = "CARBONWEATHER_SCHEDULER"
_TLS = {
    "tls_ca_file": "CARBONWEATHER_TLS_CA",
    "tls_client_cert": "CARBONWEATHER_TLS_CERT",
    "tls_client_key": "CARBONWEATHER_TLS_KEY",
}
_DASK: dict[str, Any] = {
    "distributed.scheduler.worker-saturation": 1.0,  # no task waits at a worker, to be lost or blamed with another
    "distributed.admin.large-graph-warning-threshold": "1 TB",  # items are meant to carry what they need
    # Of use to pages of Dask's that nobody has open: the first takes a fifth of a worker's time, the others a fortieth.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}
_FORKING = os.name == "posix"
"""Dask and the job's modules are imported once and the workers forked from that: 0.6 s of processor time less each."""
if _FORKING:
    _DASK["distributed.worker.multiprocessing-method"] = "forkserver"
_CONNECT_SECONDS = 10
_WORKER_BYTES = 1_000_000_000
"""A worker needs so much to be of use; with less memory there are fewer of them."""
_RETAINED_BYTES = 2**30
_ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Of workers: no library makes threads of its own, and glibc reuses the memory of arrays, however large, instead of giving it
back to the system and asking for it anew. Dask's own setting gives back each array at once, which costs gridding 8 of 18
seconds of processor time in page faults; the arenas that glibc has for threads cost 2 seconds, as it unmaps one as soon as
it is empty; arrays of over 32 MB, which glibc maps one by one, a sixth of the time of months of 5 million soundings (and
more with several workers: the system clears all those pages through the memory that they share).
"""
_RETAINED_SHARE = 0.25
"""A worker keeps at most this part of its memory for reuse, and no more than `_RETAINED_BYTES`."""
_MEMORY_SHARE = 0.8
"""Of the memory that is free when the run starts, so much is for workers; the rest for this process and the system."""


def scheduler_address(scheduler: str | None) -> str | None:
    """The scheduler named by the argument, else by CARBONWEATHER_SCHEDULER; None for a cluster of this machine.

    Raises
    ------
    ClusterProblem : it is not an address.
    """
    address = (scheduler or os.environ.get(SCHEDULER, "")).strip()
    if not address:
        return None
    if not address.startswith(("tcp://", "tls://", "ws://", "wss://", "ucx://")):
        raise ClusterProblem(
            f"scheduler: expected an address like tcp://host:8786 or tls://host:8786, found {address[:80]!r}; correct it."
        )
    return address


def size_of_machine(workers: int | None = None) -> tuple[int, int]:
    """Number of workers and bytes of memory for each, from the cores and the free memory that this process may use."""
    import psutil
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    free = int(min(psutil.virtual_memory().available, MEMORY_LIMIT) * _MEMORY_SHARE)
    count = workers or max(1, min(CPU_COUNT, free // _WORKER_BYTES))
    return count, max(free // count, 256_000_000)


def prepare(modules: Collection[str], workers: int | None = None) -> None:
    """Start the process from which workers of this machine are forked; it imports Dask and `modules` while this one goes on.

    Called again it changes nothing.

    Parameters
    ----------
    workers : how many there will be; one for each core if None.
    """
    if not _FORKING:
        return
    from multiprocessing import forkserver

    environment = _environment(workers)
    multiprocessing.get_context("forkserver").set_forkserver_preload(["distributed", *modules])
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)  # glibc and BLAS read them when they are loaded, before Dask sets them in a worker
    try:
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _environment(workers: int | None) -> dict[str, str]:
    """That of workers, of which each has its part of the free memory. Without Dask, whose import takes long."""
    import psutil

    share = psutil.virtual_memory().available // (workers or os.cpu_count() or 1)
    retained = min(_RETAINED_BYTES, int(share * _RETAINED_SHARE))
    return _ENVIRONMENT | {"MALLOC_TRIM_THRESHOLD_": str(retained)}


@contextmanager
def connected(
    scheduler: str | None, workers: int | None, scratch: Path, modules: Collection[str] = ()
) -> Iterator[Client]:
    """A client of the existing cluster at `scheduler`, or of one made here that ends with the block.

    Parameters
    ----------
    workers : how many processes here; as many as fit if None.
    scratch : where they may spill what does not fit into memory.
    modules : what workers made here will need first.

    Raises
    ------
    ClusterProblem : the scheduler cannot be reached.
    """
    import dask

    with dask.config.set(_DASK), _existing(scheduler) if scheduler else _local(workers, scratch, modules) as client:
        yield client


@contextmanager
def _existing(address: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(address, security=security(address), timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise ClusterProblem(
            f"scheduler {address}: expected a Dask scheduler that answers, found {_first_line(error)}; "
            "start it, or correct the address and the TLS files."
        ) from error
    except TypeError as error:  # what Dask says of a tls:// address without certificate
        raise ClusterProblem(
            f"scheduler {address}: expected TLS files for an encrypted address, found none; name them in "
            f"{', '.join(_TLS.values())} or in Dask's configuration."
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=5)


@contextmanager
def _local(workers: int | None, scratch: Path, modules: Collection[str]) -> Iterator[Client]:
    import dask
    import distributed.utils
    from distributed import Client, LocalCluster

    prepare(modules, workers)
    distributed.utils._forkserver_preload_set = True  # Dask's own list would have pandas and more imported right here
    count, memory = size_of_machine(workers)
    with dask.config.set({"distributed.nanny.pre-spawn-environ": _environment(count)}):
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.ERROR,
            local_directory=str(scratch),
        )
    nannies = logging.getLogger("distributed.nanny")
    before = nannies.level
    try:
        with Client(cluster, set_as_default=False) as client:
            yield client
    finally:
        nannies.setLevel(logging.ERROR)  # a worker ended in the middle of a task is meant to
        cluster.close()
        nannies.setLevel(before)


def security(address: str) -> Security | None:
    """TLS files from CARBONWEATHER_TLS_CA, _CERT and _KEY for a tls:// address; None leaves it to Dask's own configuration.

    Raises
    ------
    ClusterProblem : one of the files is missing.
    """
    from distributed.security import Security

    files: dict[str, Any] = {}
    for name, variable in _TLS.items():
        path = os.environ.get(variable, "").strip()
        if path:
            if not Path(path).is_file():
                raise ClusterProblem(f"{variable}: expected a PEM file, found no file at {path}; correct it.")
            files[name] = path
    if not files:
        return None
    return Security(require_encryption=address.startswith(("tls://", "wss://")), **files)


def lost_cluster() -> ClusterProblem:
    """The sentence for a scheduler that went away."""
    return ClusterProblem(
        "scheduler: expected it to answer, found that the connection was lost; start it again and resume this run."
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
