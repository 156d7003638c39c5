"""Runs on an existing cluster: a real scheduler and real workers as processes of their own, plain and with TLS."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from distributed import Client

from analysis.jobs import ClusterProblem, execute, resume, start, validate
from analysis.jobs.cluster import connected, prepare
from analysis.jobs.workers import check_workers
from data.home import runs_dir
from data.runs import Run, RunStore
from tests.analysis.run_examples import ENVIRONMENT, JOB, expected, followed, made

ITEMS = 12


@pytest.fixture
def store(home, monkeypatch) -> RunStore:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return RunStore(runs_dir(home))


def created(store: RunStore, seconds: float = 0.0) -> Run:
    return store.create("example", validate(JOB, {"items": ITEMS, "seconds": seconds}), reuse=False)


class Cluster:
    """A scheduler and its workers on this machine's own address."""

    def __init__(self, folder: Path, *options: str, protocol: str = "tcp") -> None:
        self.folder, self.options = folder, options
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"{protocol}://127.0.0.1:{self.port}"
        self.scheduler: subprocess.Popen | None = None
        self.workers: list[subprocess.Popen] = []

    def start_scheduler(self) -> None:
        where = [
            "--host",
            self.address.rpartition(":")[0],
            "--port",
            str(self.port),
            "--dashboard-address",
            "127.0.0.1:0",
        ]
        self.scheduler = self._start("dask_scheduler", *where)

    def start_worker(self, **environment: str) -> None:
        where = [self.address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1"]
        self.workers.append(self._start("dask_worker", *where, "--local-directory", str(self.folder), **environment))

    def _start(self, name: str, *arguments: str, **environment: str) -> subprocess.Popen:
        with open(self.folder / "cluster.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{name}", *arguments, *self.options],
                stdout=log,
                stderr=log,
                env=os.environ | ENVIRONMENT | environment,
                cwd=self.folder,
            )

    def close(self) -> None:
        for process in filter(None, (self.scheduler, *self.workers)):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    made.start_scheduler()
    made.start_worker()
    made.start_worker()
    yield made
    made.close()


def test_a_run_on_an_existing_cluster(store, home, cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("CARBONWEATHER_SCHEDULER", cluster.address)
    run = followed(store, start(home, "example", {"items": ITEMS}))
    assert run.state == "done", run.error
    assert made(run) == expected(tmp_path, ITEMS)
    assert cluster.scheduler.poll() is None
    assert [worker.poll() for worker in cluster.workers] == [None, None]


def test_workers_are_forked_from_one_process_with_their_environment(tmp_path):
    before = dict(os.environ)
    prepare(["analysis.gridding.ready"])
    assert dict(os.environ) == before
    with connected(None, 2, tmp_path, ["analysis.gridding.ready"]) as client:
        parents = set(client.run(os.getppid).values())
        assert len(parents) == 1
        (parent,) = parents
        known = psutil.Process(parent).environ()
        assert (known["MALLOC_ARENA_MAX"], known["OMP_NUM_THREADS"]) == ("1", "1")
        assert all(client.run(os.environ.get, "MALLOC_ARENA_MAX").values())


@pytest.mark.parametrize("workers", [2, 4])
def test_the_same_files_whatever_the_number_of_workers(store, home, tmp_path, workers):
    run = execute(home, created(store).id, workers=workers)
    assert run.state == "done", run.error
    assert made(run) == expected(tmp_path, ITEMS)


def test_a_lost_worker_and_a_lost_scheduler(store, home, cluster, tmp_path):
    run = start(home, "example", {"items": ITEMS, "seconds": 0.1}, scheduler=cluster.address)
    run = followed(store, run, lambda run: run.progress.done >= 2)
    cluster.workers.pop().kill()
    run = followed(store, run, lambda run: run.progress.done >= 4)
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    run = followed(store, run)
    assert run.state == "failed"
    assert "expected it to answer, found that the connection was lost" in run.error
    kept = len(list(run.checkpoint_folder.glob("*/*.pickle")))
    assert kept >= 4

    cluster.start_scheduler()
    cluster.start_worker()
    run = followed(store, resume(home, run.id, scheduler=cluster.address))
    assert run.state == "done", run.error
    assert f"{kept} of {ITEMS} are there already" in run.log_tail()
    assert made(run) == expected(tmp_path, ITEMS)


def test_a_run_waits_for_workers_and_can_be_cancelled_meanwhile(store, home, tmp_path):
    lonely = Cluster(tmp_path)
    lonely.start_scheduler()
    try:
        run = start(home, "example", {"items": 2}, scheduler=lonely.address)
        run = followed(store, run, lambda run: "no worker now" in run.log_tail())
        run.request_cancel()
        assert followed(store, run).state == "cancelled"
    finally:
        lonely.close()


def test_a_worker_without_the_program_or_the_data_is_told(store, home, cluster, tmp_path):
    bare = Cluster(tmp_path)
    bare.start_scheduler()
    bare.start_worker(PYTHONPATH="")
    try:
        run = execute(home, created(store).id, scheduler=bare.address)
        assert (
            "expected it to import tests.analysis.run_examples as this process does, found ModuleNotFoundError"
            in run.error
        )
    finally:
        bare.close()
    with (
        Client(cluster.address, set_as_default=False) as client,
        pytest.raises(ClusterProblem, match="expected it to see the data folder"),
    ):
        check_workers(client, {"analysis.jobs"}, tmp_path / "elsewhere")


def test_a_scheduler_that_is_not_there(store, home, monkeypatch):
    monkeypatch.setattr("analysis.jobs.cluster._CONNECT_SECONDS", 1)
    run = execute(home, created(store).id, scheduler="tcp://127.0.0.1:1")
    assert run.state == "failed"
    assert "scheduler tcp://127.0.0.1:1: expected a Dask scheduler that answers, found" in run.error


class TestEncrypted:
    """A cluster that talks to those with its certificate only."""

    @pytest.fixture
    def files(self, tmp_path) -> dict[str, str]:
        from distributed.security import Security

        wanted = Security.temporary().get_tls_config_for_role("client")
        key, both = tmp_path / "key.pem", tmp_path / "certificate.pem"
        key.write_text(wanted["key"])
        both.write_text(wanted["cert"])
        return {"CA": str(both), "CERT": str(both), "KEY": str(key)}

    def test_tls_files_are_passed_on(self, store, home, files, tmp_path, monkeypatch):
        options = ["--tls-ca-file", files["CA"], "--tls-cert", files["CERT"], "--tls-key", files["KEY"]]
        encrypted = Cluster(tmp_path, *options, protocol="tls")
        encrypted.start_scheduler()
        encrypted.start_worker()
        try:
            for name, path in files.items():
                monkeypatch.setenv(f"CARBONWEATHER_TLS_{name}", path)
            run = followed(store, start(home, "example", {"items": ITEMS}, scheduler=encrypted.address))
            assert run.state == "done", run.error
            assert made(run) == expected(tmp_path, ITEMS)

            monkeypatch.setattr("analysis.jobs.cluster._CONNECT_SECONDS", 2)
            monkeypatch.setenv("CARBONWEATHER_TLS_KEY", str(tmp_path / "missing"))
            missing = execute(home, created(store).id, scheduler=encrypted.address)
            assert "CARBONWEATHER_TLS_KEY: expected a PEM file, found no file" in missing.error
            for name in files:
                monkeypatch.delenv(f"CARBONWEATHER_TLS_{name}")
            refused = execute(home, created(store).id, scheduler=encrypted.address)
            assert "expected TLS files for an encrypted address, found none" in refused.error
            for name in files:
                monkeypatch.setenv(f"CARBONWEATHER_TLS_{name}", __file__)
            refused = execute(home, created(store).id, scheduler=encrypted.address)
            assert "expected a Dask scheduler that answers" in refused.error
            refused = execute(home, created(store).id, scheduler=encrypted.address.replace("tls", "tcp"))
            assert "expected a Dask scheduler that answers" in refused.error
        finally:
            encrypted.close()
