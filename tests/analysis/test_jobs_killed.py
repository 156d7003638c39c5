"""Real kills: whatever is killed at whatever moment, a run goes on from its checkpoint and gives the same files."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from analysis.jobs import execute, resume, start
from data.home import runs_dir
from data.runs import Run, RunBusy, RunStore
from tests.analysis.run_examples import ENVIRONMENT, expected, followed, made, process_of

ITEMS = 12
SETTINGS = {"items": ITEMS, "seconds": 0.05}


@pytest.fixture
def store(home, monkeypatch) -> RunStore:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return RunStore(runs_dir(home))


def family(run: Run) -> list[psutil.Process]:
    """The process that computes a run, and its workers."""
    parent = psutil.Process(process_of(run))
    return [parent, *parent.children(recursive=True)]


def workers(run: Run) -> list[psutil.Process]:
    """The workers of a run."""
    found = []
    for process in family(run)[1:]:
        try:
            found += [process] if "spawn_main" in " ".join(process.cmdline()) else []
        except psutil.Error:  # it has ended meanwhile
            continue
    return found


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not alive


def test_runs_killed_at_random_moments_end_with_the_same_files(store, home, tmp_path):
    before = start(home, "example", {"items": 2}, workers=1)
    finished = made(followed(store, before))
    rng = random.Random(20260101)
    run = start(home, "example", SETTINGS, workers=2)
    kills = 0
    for _ in range(3):
        time.sleep(rng.uniform(0.05, 1.4))
        found = store.get(run.id)
        if not found.alive:
            break
        everything = family(found)
        kill(everything if rng.random() < 0.5 else everything[:1])  # the whole machine, or the process alone
        assert gone(everything)  # no worker outlives its run
        kills += 1
        found = store.get(run.id)
        if found.state == "done":
            break
        assert (found.state, found.interrupted) == ("failed", True)
        assert "ended without a word" in found.error
        assert not (store.root / run.id).exists()
        run = resume(home, run.id, workers=rng.choice([1, 2]))
    run = followed(store, run)
    assert kills >= 1
    assert run.state == "done", run.error
    assert made(run) == expected(tmp_path, ITEMS)
    assert made(store.get(before.id)) == finished


def test_a_checkpoint_is_used(store, home):
    run = followed(store, start(home, "example", SETTINGS, workers=1), lambda run: run.progress.done >= 6)
    everything = family(run)
    kill(everything[:1])
    assert gone(everything)
    kept = len(list(run.checkpoint_folder.glob("*/*.pickle")))
    assert kept >= 6
    run = execute(home, run.id, workers=1)  # by another process than the one that was killed
    assert run.state == "done"
    assert f"{kept} of {ITEMS} are there already" in run.log_tail()


def test_lost_workers_are_survived(store, home, tmp_path):
    run = start(home, "example", SETTINGS, workers=2)
    for done in (2, 6):
        run = followed(store, run, lambda run, done=done: run.progress.done >= done)
        kill(workers(run)[:1])
    run = followed(store, run)
    assert run.state == "done", run.error
    assert made(run) == expected(tmp_path, ITEMS)


def test_the_run_goes_on_when_what_started_it_is_killed(store, home, tmp_path):
    script = (
        "import sys, time; from analysis.jobs import start\n"
        "print(start(sys.argv[1], 'example', {'items': 12, 'seconds': 0.05}, workers=1).id, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    run_id = process.stdout.readline().strip()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    run = followed(store, store.get(run_id))
    assert made(run) == expected(tmp_path, ITEMS)


def test_pause_resume_and_cancel(store, home, tmp_path):
    settings = {"items": 36, "seconds": 0.1}  # long enough to be caught at each stage on a busy machine
    run = start(home, "example", settings, workers=1)
    with pytest.raises(RunBusy, match="expected one that nobody computes"):
        resume(home, run.id)
    assert start(home, "example", settings).id == run.id
    run = followed(store, run, lambda run: run.progress.done >= 2)
    run.request_pause()
    run = followed(store, run)
    assert (run.state, run.error, run.resumable) == ("paused", "", True)
    assert run.log_tail().endswith("Paused.")

    run = followed(
        store, resume(home, run.id, workers=1), lambda run: run.state == "running" and run.progress.done >= 6
    )
    os.kill(process_of(run), signal.SIGTERM)  # the machine is shut down
    run = followed(store, run)
    assert run.state == "paused"

    run = followed(store, resume(home, run.id, workers=1), lambda run: run.state == "running")
    run.request_cancel()
    run = followed(store, run)
    assert (run.state, run.resumable) == ("cancelled", True)

    run = followed(store, resume(home, run.id, workers=1))
    assert made(run) == expected(tmp_path, settings["items"])
    with pytest.raises(RunBusy, match="found that it is done"):
        resume(home, run.id)
    assert start(home, "example", settings).id == run.id
    again = followed(store, start(home, "example", settings, reuse=False, workers=1))
    assert again.id != run.id
    assert made(again) == made(run)


def test_a_process_killed_before_it_says_a_word_is_missed(store, home):
    run = start(home, "example", SETTINGS, workers=1)
    everything = family(run)
    kill(everything)
    assert gone(everything)
    run = store.get(run.id)
    assert (run.state, run.interrupted) == ("failed", True)


def test_a_third_run_waits_for_its_turn(store, home):
    runs = [start(home, "example", SETTINGS | {"items": 100 + number}, workers=1) for number in range(2)]
    for run in runs:
        followed(store, run, lambda run: run.state == "running")
    third = start(home, "example", {"items": 1}, workers=1)
    followed(store, third, lambda run: "Waiting: 2 other runs" in run.log_tail())
    assert store.get(third.id).state == "queued"
    for run in runs:
        kill(family(run))
    assert followed(store, third).state == "done"
