"""Run folders: whole or hidden, found again as they were, known by what they compute, safe from two owners."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError, FileProblem, StoreProblem
from data.home import runs_dir
from data.runs import NoSuchRun, Progress, Result, RunBusy, RunInput, RunStore, WorkingRun, compare, export
from data.runs import owner as ownership
from data.runs.owner import Owner
from data.runs.run import INTERRUPTED, hidden

SETTINGS = {"variable": "xco2", "box": [-10, 20, 30, 60], "deep": {"level": 3}, "none": None}


@pytest.fixture
def store(home) -> RunStore:
    return RunStore(runs_dir(home))


def finished(store: RunStore, settings: dict = SETTINGS, **facts) -> str:
    run = store.create("grid", settings, **facts)
    working = WorkingRun.take(store.root, run.id)
    working.start()
    (working.results / "table.csv").write_text("a,b\n1,2\n")
    (working.results / "maps").mkdir()
    (working.results / "maps" / "mean.bin").write_bytes(bytes(range(256)))
    working.scores({"rmse": 0.5, "unknown": math.nan})
    working.progress(Progress(4, 4, "Gridding", "tiles", 2.0, 0.0))
    working.log("Done.")
    working.finish([Result("Table", Path("table.csv"), "table", "./?cube=x")])
    return run.id


def dead_process() -> Owner:
    """A process of this machine that has just been killed."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner.of(process.pid)
    process.kill()
    process.communicate()
    return owner


def test_a_run_is_hidden_until_it_is_complete(store):
    run = store.create("grid", SETTINGS, title=" Monthly means ", seed=3)
    visible = store.root / run.id
    assert (run.state, run.title, run.seed, run.alive, run.started) == ("queued", "Monthly means", 3, False, None)
    assert not visible.exists()
    working = WorkingRun.take(store.root, run.id)
    working.start()
    assert store.get(run.id).state == "running"
    assert not visible.exists()
    (working.results / "table.csv").write_text("x")
    done = working.finish([Result("Table", Path("table.csv"), "table")])
    assert visible.is_dir()
    assert (done.state, done.folder, done.resumable) == ("done", visible, False)
    assert sorted(path.name for path in visible.iterdir()) == ["results", "results.json", "run.yaml", "state.json"]
    assert [path.name for path in store.root.iterdir() if path.is_dir()] == [run.id]


def test_everything_is_found_again(store):
    run = RunStore(store.root).get(finished(store, title="A run"))
    assert run.settings == SETTINGS
    assert run.scores["rmse"] == 0.5
    assert math.isnan(run.scores["unknown"])
    assert run.progress.fraction == 1
    assert run.results == [Result("Table", run.folder / "results" / "table.csv", "table", "./?cube=x")]
    assert run.results[0].path.read_text() == "a,b\n1,2\n"
    assert set(run.checksums) == {"table.csv", "maps/mean.bin"}
    assert run.log_tail().endswith("Done.")
    assert run.created <= run.started <= run.ended
    assert {"python", "carbonweather", "numpy", "dask"} <= set(run.versions)
    assert yaml.safe_load((run.folder / "run.yaml").read_text())["settings"] == SETTINGS


def test_a_cube_in_the_data_folder_is_found_also_when_the_folder_moves(store, home, tmp_path):
    (home / "cubes" / "mean").mkdir(parents=True)
    run = store.create("grid", SETTINGS)
    working = WorkingRun.take(store.root, run.id)
    working.finish([Result("Mean", home / "cubes" / "mean", "cube")])
    home.rename(tmp_path / "elsewhere")
    store = RunStore(runs_dir(tmp_path / "elsewhere"))
    assert store.create("grid", SETTINGS).id == run.id
    (moved,) = RunStore(runs_dir(tmp_path / "elsewhere")).get(run.id).results
    assert moved.path == tmp_path / "elsewhere" / "cubes" / "mean"
    moved.path.rmdir()  # an identical run is no use without what it made
    assert store.create("grid", SETTINGS).id != run.id


def test_runs_are_listed_newest_first(store):
    ids = [store.create("grid", {"number": number}).id for number in range(5)]
    assert [run.id for run in store.list()] == ids[::-1]
    assert RunStore(store.root / "nowhere").list() == []


def test_identical_runs_are_recognised(store, tmp_path):
    source = tmp_path / "in.nc"
    source.write_bytes(b"abc")

    def create(settings=SETTINGS, seed=0, reuse=True, kind="grid") -> str:
        return store.create(kind, settings, inputs=[RunInput.of(source)], seed=seed, reuse=reuse).id

    first = finished(store, inputs=[RunInput.of(source)])
    assert create() == first
    assert create(dict(reversed(SETTINGS.items()))) == first
    assert create(SETTINGS | {"box": (-10, 20, 30, 60)}) == first
    others = [create(reuse=False), create(SETTINGS | {"variable": "sif"}), create(seed=1), create(kind="aggregate")]
    source.write_bytes(b"abd")
    assert len({first, *others, create()}) == 6


def test_an_unfinished_run_is_taken_for_the_same_only_while_it_is_computed(store):
    run = store.create("grid", SETTINGS)
    assert store.create("grid", SETTINGS).id != run.id
    working = WorkingRun.take(store.root, run.id)
    assert store.create("grid", SETTINGS).id == run.id
    working.end("failed", "It failed.")
    assert store.create("grid", SETTINGS).id != run.id


def test_inputs_are_hashed(tmp_path):
    import hashlib

    file, folder, cube = tmp_path / "f.nc", tmp_path / "folder", tmp_path / "cube"
    file.write_bytes(b"abc")
    assert RunInput.of(file) == RunInput("f.nc", str(file), hashlib.sha256(b"abc").hexdigest())
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_bytes(b"1")
    before = RunInput.of(folder).digest
    (folder / "deep" / "a").rename(folder / "deep" / "b")
    assert RunInput.of(folder).digest != before
    cube.mkdir()
    (cube / "manifest.json").write_bytes(b"abc")
    (cube / "data").write_bytes(b"anything")
    assert RunInput.of(cube, "Cube").digest == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(FileProblem, match="expected a readable file or folder"):
        RunInput.of(tmp_path / "missing")


@pytest.mark.parametrize("settings", [{"a": math.nan}, {"a": object()}, {"a": {1, 2}}, {"a": b"bytes"}])
def test_settings_that_cannot_be_written_down_are_refused(store, settings):
    with pytest.raises(StoreProblem, match="settings of a run: expected"):
        store.create("grid", settings)
    assert store.list() == []


@pytest.mark.parametrize("kind", ["", "../x", "Grid", "a b", "x" * 100])
def test_a_kind_is_a_plain_word(store, kind):
    with pytest.raises(StoreProblem, match="kind of a run"):
        store.create(kind, {})


@pytest.mark.parametrize("name", ["", "..", "../../etc", ".x.work", "20260101-000000-grid-ffff", "a" * 500, "\0"])
def test_a_name_that_no_run_has(store, name):
    store.create("grid", {})
    for action in (store.get, store.delete):
        with pytest.raises(NoSuchRun):
            action(name)


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=20),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(10**12), 10**12)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
            max_leaves=8,
        ),
        max_size=5,
    )
)
def test_any_settings_come_back_as_they_were(tmp_path_factory, chosen):
    store = RunStore(tmp_path_factory.mktemp("runs"))
    run = store.create("grid", chosen, title=json.dumps(chosen))
    assert RunStore(store.root).get(run.id).settings == chosen


def test_a_killed_owner_is_recognised(store):
    run = store.create("grid", SETTINGS)
    working = WorkingRun.take(store.root, run.id)
    working.start()
    (working.checkpoint / "kept").write_text("item")
    (working.checkpoint / ".half.123.part").write_text("it")
    (working.results / "half.csv").write_text("1,")
    ownership.write(working.folder, dead_process())
    found = store.get(run.id)
    assert (found.state, found.error, found.alive, found.interrupted, found.resumable) == (
        "failed", INTERRUPTED, False, True, True,
    )  # fmt: skip
    again = WorkingRun.take(store.root, run.id)
    assert [path.name for path in again.checkpoint.iterdir()] == ["kept"]
    assert list(again.results.iterdir()) == []


def test_another_process_with_the_same_number_is_not_the_owner(store):
    run = store.create("grid", SETTINGS)
    working = WorkingRun.take(store.root, run.id)
    working.start()
    me = Owner.of(os.getpid())
    assert store.get(run.id).alive
    ownership.write(working.folder, Owner(me.host, me.pid, "another start"))
    assert store.get(run.id).interrupted
    ownership.write(working.folder, Owner(me.host, 2**22 + 5, ""))
    assert store.get(run.id).interrupted


def test_an_owner_on_another_host_lives_while_it_beats(store):
    run = store.create("grid", SETTINGS)
    working = WorkingRun.take(store.root, run.id)
    working.start()
    ownership.write(working.folder, Owner("another.host", 1, "x"))
    assert store.get(run.id).alive
    os.utime(working.folder / ownership.FILE, (0, 0))
    assert store.get(run.id).interrupted
    ownership.beat(working.folder)
    assert store.get(run.id).alive


def test_only_one_process_gets_a_run(store):
    run = store.create("grid", SETTINGS)
    script = (
        "import sys; from pathlib import Path; from data.runs import WorkingRun, RunBusy\n"
        "try:\n WorkingRun.take(Path(sys.argv[1]), sys.argv[2]); print('mine', flush=True); input()\n"
        "except RunBusy: print('busy', flush=True); input()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(store.root), run.id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = sorted(process.stdout.readline().strip() for process in processes)
    for process in processes:
        process.kill()
        process.communicate()
    assert said == ["busy", "busy", "busy", "mine"]


def test_a_run_in_other_hands_is_left_alone(store):
    run = store.create("grid", SETTINGS)
    working = WorkingRun.take(store.root, run.id)
    working.start()
    ownership.write(working.folder, Owner.of(os.getppid()))
    with pytest.raises(RunBusy, match="expected one that nobody computes"):
        WorkingRun.take(store.root, run.id)
    with pytest.raises(RunBusy, match="cancel it first"):
        store.delete(run.id)
    store.get(run.id).request_pause()
    assert (store.get(run.id).state, working.requested()) == ("running", "pause")


def test_a_request_takes_effect_at_once_where_nobody_computes(store):
    run = store.create("grid", SETTINGS)
    run.request_pause()
    assert store.get(run.id).state == "paused"
    run.request_cancel()
    assert store.get(run.id).state == "cancelled"
    done = store.get(finished(store))
    done.request_cancel()
    assert store.get(done.id).state == "done"
    store.delete(run.id)
    run.request_cancel()
    assert [each.id for each in store.list()] == [done.id]


def test_a_run_that_was_computed_but_not_named_yet_is_only_named(store, monkeypatch):
    run = store.create("grid", SETTINGS)
    working = WorkingRun.take(store.root, run.id)
    working.start()
    (working.results / "table.csv").write_text("x")
    monkeypatch.setattr(WorkingRun, "publish", lambda self: None)
    working.finish([Result("Table", Path("table.csv"), "table")])
    assert store.get(run.id).state == "running"
    ownership.write(working.folder, dead_process())
    assert store.get(run.id).interrupted
    monkeypatch.undo()
    again = WorkingRun.take(store.root, run.id)
    assert again.completed
    assert again.publish().results[0].path.read_text() == "x"


def test_a_run_is_deleted_whole(store):
    run_id = finished(store)
    left = store.root / f".{run_id}.deleted"
    left.mkdir()
    (left / "x").write_text("left by a killed deletion")
    other = store.create("grid", {"other": 1})
    assert not left.exists()
    store.delete(run_id)
    store.delete(other.id)
    assert store.list() == []
    assert [path for path in store.root.iterdir() if path.is_dir()] == []
    with pytest.raises(NoSuchRun):
        store.get(run_id)


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "a: [", "kind: grid", "\0\1\2", "!!python/object/apply:os.system ['true']", "x" * 100_000]
)
def test_a_damaged_configuration_is_told_and_harms_no_other(store, text):
    good, bad = finished(store), store.create("grid", {"other": 1}).id
    (hidden(store.root, bad) / "run.yaml").write_text(text)
    listed = {run.id: run for run in RunStore(store.root).list()}
    assert listed[good].state == "done"
    assert listed[bad].state == "failed"
    assert "expected the configuration of a run" in listed[bad].error
    with pytest.raises(FileProblem, match="expected the configuration of a run"):
        WorkingRun.take(store.root, bad)
    store.delete(bad)
    assert [run.id for run in store.list()] == [good]


@pytest.mark.parametrize("name", ["state.json", "progress.json", "scores.json", "results.json", "owner.json"])
@pytest.mark.parametrize("text", ["", "[]", "{", '{"state": 3, "done": "x"}', "\xff\xfe"])
def test_damaged_facts_do_not_break_the_list(store, name, text):
    run = store.create("grid", SETTINGS)
    working = WorkingRun.take(store.root, run.id)
    (working.folder / name).write_text(text, encoding="latin-1")
    (found,) = store.list()
    assert found.state in ("queued", "running", "failed")
    assert (found.progress, found.scores, found.results) is not None


def test_foreign_things_in_the_folder_are_not_runs(store):
    run_id = finished(store)
    (store.root / "notes.txt").write_text("mine")
    (store.root / "a folder").mkdir()
    (store.root / "20260101-000000-grid-ffff").write_text("a file")
    assert [run.id for run in store.list()] == [run_id]


def test_the_log_is_read_from_its_end(store):
    run = store.create("grid", SETTINGS)
    working = WorkingRun.take(store.root, run.id)
    for number in range(3000):
        working.log(f"line {number} " + "ü" * 50)
    assert [line.split()[2] for line in run.log_tail(3).splitlines()] == ["2997", "2998", "2999"]
    assert len(run.log_tail(100_000).splitlines()) < 3000
    assert run.log_tail(0) == ""


def test_runs_are_compared(store):
    one = store.get(finished(store))
    two = store.get(finished(store, SETTINGS | {"variable": "sif", "deep": {"level": 4}}, seed=1))
    rows = {(row.part, row.name): row for row in compare([one, two])}
    assert rows["settings", "variable"].values == ("xco2", "sif")
    assert rows["settings", "deep.level"].values == (3, 4)
    assert rows["settings", "seed"].values == (0, 1)
    assert rows["scores", "unknown"].same
    assert {name for (part, name), row in rows.items() if not row.same} == {"variable", "deep.level", "seed"}
    alone = compare([one, store.create("grid", {})])
    assert next(row for row in alone if row.name == "rmse").values == (0.5, None)


def test_a_finished_run_is_exported(store, tmp_path):
    run = store.get(finished(store))
    target = export(run, tmp_path / "run.zip")
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert archive.read(f"{run.id}/results/table.csv") == b"a,b\n1,2\n"
        assert f"{run.id}/run.yaml" in archive.namelist()
    with pytest.raises(StoreProblem, match="expected a new file"):
        export(run, target)
    with pytest.raises(RunBusy, match="expected one that is done"):
        export(store.create("grid", {}), tmp_path / "other.zip")
    with pytest.raises(StoreProblem, match="expected to write"):
        export(run, tmp_path / "missing" / "run.zip")
    assert [path.name for path in tmp_path.glob("*.zip")] == ["run.zip"]


def test_many_watch_while_one_writes(store):
    run = store.create("grid", SETTINGS)
    working = WorkingRun.take(store.root, run.id)
    working.start()
    ended, problems, seen = threading.Event(), [], []

    def watch() -> None:
        watching = RunStore(store.root)
        while not ended.is_set():
            try:
                (found,) = watching.list()
                seen.append((found.state, found.progress.done))
                assert found.state in ("running", "done"), found
            except (DataError, AssertionError, OSError) as error:
                problems.append(error)
                return

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    for step in range(200):
        working.progress(Progress(step, 200, "Writing", "steps"))
    working.finish([])
    ended.set()
    for watcher in watchers:
        watcher.join()
    assert problems == []
    assert {state for state, _ in seen} <= {"running", "done"}
