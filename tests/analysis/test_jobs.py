"""Jobs: settings checked in one sentence, runs that end well or badly and say so, loops that keep what they computed."""

from __future__ import annotations

import datetime as dt
import json
import math
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.jobs import Cost, Job, JobContext, NoSuchJob, RunFailed, SettingsError, execute, job, jobs, validate
from analysis.jobs.cluster import scheduler_address, size_of_machine
from analysis.jobs.errors import ClusterProblem
from data.home import runs_dir
from data.runs import Run, RunStore
from tests.analysis import run_examples
from tests.analysis.run_examples import ENVIRONMENT, JOB, expected, made
from tests.analysis.sounding_archives import cluster

SCHEMA = {
    "type": "object",
    "required": ["month", "count"],
    "properties": {
        "month": {"title": "Month", "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$", "examples": ["2020-01"]},
        "count": {"title": "Count", "type": "integer", "minimum": 1, "maximum": 9, "x-unit": "items"},
        "cell_deg": {"title": "Cell", "type": "number", "exclusiveMinimum": 0, "default": 0.5},
        "mode": {"title": "Mode", "enum": ["fast", "good", None], "default": None},
        "box": {
            "title": "Box",
            "type": ["array", "null"],
            "items": {"type": "number"},
            "minItems": 4,
            "maxItems": 4,
            "default": None,
        },
        "day": {"title": "Day", "type": "string", "format": "date", "default": "2020-01-01"},
        "deep": {
            "title": "Deep",
            "type": "object",
            "additionalProperties": False,
            "properties": {"level": {"type": "integer", "default": 2}},
            "default": {},
        },
    },
}
CHECKED = Job(
    "checked", "Checked", "For tests.", SCHEMA, lambda context: None, lambda settings, home: Cost(0, 0, 0, "")
)
GOOD = {"month": "2020-01", "count": 3}


@pytest.fixture
def store(home, monkeypatch) -> RunStore:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return RunStore(runs_dir(home))


@pytest.fixture(scope="module")
def threads() -> Iterator[str]:
    """Address of a cluster in this process, for runs that need no processes."""
    with cluster(1) as address:
        yield address


def created(store: RunStore, **settings) -> Run:
    return store.create("example", validate(JOB, {"items": 6} | settings), reuse=False)


def test_defaults_are_filled_in_the_order_of_the_schema():
    filled = validate(CHECKED, GOOD)
    assert filled == GOOD | {
        "cell_deg": 0.5, "mode": None, "box": None, "day": "2020-01-01", "deep": {"level": 2},
    }  # fmt: skip
    assert list(filled) == list(SCHEMA["properties"])
    assert validate(CHECKED, GOOD | {"deep": {}})["deep"] == {"level": 2}
    assert validate(CHECKED, GOOD | {"box": (1, 2, 3, 4.5)})["box"] == [1, 2, 3, 4.5]
    assert validate(CHECKED, GOOD | {"day": dt.date(2020, 5, 6)})["day"] == "2020-05-06"
    filled["deep"]["changed"] = True
    assert validate(CHECKED, GOOD)["deep"] == {"level": 2}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"count": 0}, "count: expected at least 1 items, found 0; change it."),
        ({"count": 10}, "count: expected at most 9 items, found 10"),
        ({"count": 2.5}, "count: expected a whole number, found 2.5"),
        ({"count": "3"}, "count: expected a whole number, found '3'"),
        ({"count": True}, "count: expected a whole number, found True"),
        ({"count": None}, "count: expected a whole number, found nothing"),
        ({"month": "May"}, "month: expected text like 2020-01, found 'May'"),
        ({"cell_deg": 0}, "cell_deg: expected more than 0, found 0"),
        ({"mode": "slow"}, "mode: expected one of fast, good, nothing, found 'slow'"),
        ({"box": [1, 2, 3]}, "box: expected at least 4 items, found [1, 2, 3]"),
        ({"box": [1, 2, 3, "x"]}, "box.3: expected a number, found 'x'"),
        ({"box": "1,2,3,4"}, "box: expected a list or nothing, found '1,2,3,4'"),
        ({"day": "2020-13-01"}, "day: expected a date, found '2020-13-01'"),
        ({"deep": {"level": "x"}}, "deep.level: expected a whole number, found 'x'"),
        ({"deep": {"other": 1}}, "deep: expected level, found {'level': 2, 'other': 1}"),
        ({"colour": 1}, "expected month, count, cell_deg, mode, box, day, deep, found 'colour'"),
        ({"count": math.nan}, "expected text, finite numbers"),
        ({"count": object()}, "expected text, finite numbers"),
        ({3: 1}, "expected text, finite numbers"),
        ({"month": "x" * 10_000}, "found 'xxxxx"),
    ],
)
def test_a_wrong_setting_is_told_in_one_sentence(settings, sentence):
    with pytest.raises(SettingsError) as caught:
        validate(CHECKED, GOOD | settings)
    told = str(caught.value)
    assert told.startswith("settings of checked: ")
    assert sentence in told
    assert "\n" not in told
    assert len(told) < 300


def test_a_missing_setting_and_settings_that_are_none():
    with pytest.raises(SettingsError, match=r"expected month \(Month\), found none; add it"):
        validate(CHECKED, {"count": 1})
    for wrong in ([], "text", None, 3):
        with pytest.raises(SettingsError, match="expected names with values"):
            validate(CHECKED, wrong)
    deep: dict = {}
    for _ in range(10_000):
        deep = {"deep": deep}
    with pytest.raises(SettingsError, match="finite numbers"):
        validate(CHECKED, GOOD | deep)


@given(
    st.dictionaries(
        st.sampled_from(list(SCHEMA["properties"])),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=5),
    )
)
def test_any_settings_are_either_complete_or_told(settings):
    try:
        filled = validate(CHECKED, GOOD | settings)
    except SettingsError as error:
        assert str(error).endswith(".")
    else:
        assert validate(CHECKED, filled) == filled


def test_every_kind_of_run_is_described():
    from jsonschema import Draft202012Validator

    for each in jobs():
        assert job(each.name) is each
        Draft202012Validator.check_schema(each.schema)
        assert each.title
        assert each.summary.endswith(".")
        for name, facts in each.schema["properties"].items():
            assert facts["title"], name
            assert facts["description"], name
        json.dumps(each.schema)
    with pytest.raises(NoSuchJob, match="expected one of"):
        job("nothing")


def test_a_run_computes_what_plain_python_does(store, home, tmp_path):
    run = execute(home, created(store).id, workers=1)
    assert run.state == "done", run.error
    assert made(run) == expected(tmp_path, 6)
    assert [result.name for result in run.results] == ["Total", "Table"]
    assert run.scores.keys() == {"mean"}
    assert (run.progress.done, run.progress.total, run.progress.unit) == (6, 6, "items")
    assert not run.checkpoint_folder.exists()
    assert run.log_tail().endswith("Done.")


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("explain", "item: expected one thing, found another; change it."),
        ("raise", "ZeroDivisionError: a mistake in the job: this was not foreseen"),
        ("full", "expected room for results, found the disk full; free some space and resume"),
        ("memory", "memory: expected enough for this run"),
        ("kill", "to be computed, found that the worker that had it was lost 4 times"),
    ],
)
def test_a_failing_item_fails_the_run_in_one_sentence(store, home, threads, mode, sentence):
    run = execute(home, created(store, mode=mode).id, workers=1, scheduler=None if mode == "kill" else threads)
    assert run.state == "failed"
    assert sentence in run.error
    assert "\n" not in run.error
    assert run.resumable
    assert not run.results_folder.exists()
    assert not (store.root / run.id).exists()
    assert list(run.checkpoint_folder.glob("*/*.pickle"))
    if mode == "raise":
        assert "Traceback" in run.log_tail()


def test_changed_inputs_are_not_mixed(store, home, threads, tmp_path):
    source = tmp_path / "source"
    source.write_text("one")
    settings = validate(JOB, {"items": 6, "mode": "explain", "reads": str(source)})
    run = store.create("example", settings, inputs=JOB.inputs(settings, home))
    assert execute(home, run.id, scheduler=threads).state == "failed"
    source.write_text("two")
    assert "expected the same inputs as when it was started, found others (source)" in execute(home, run.id).error
    source.unlink()
    assert "expected a readable file" in execute(home, run.id).error


def test_a_run_whose_kind_or_settings_are_not_known_fails(store, home):
    assert "expected one of" in execute(home, store.create("unknown", {}).id).error
    assert "expected items (Items), found none" in execute(home, store.create("example", {}).id).error
    assert "expected an address like tcp://" in execute(home, created(store).id, scheduler="localhost").error


class TestContext:
    """What jobs may ask of their context, in jobs made for the test."""

    @pytest.fixture
    def ran(self, store, home, threads, monkeypatch):
        def run(action, scheduler: str | None = threads) -> Run:
            monkeypatch.setattr(
                run_examples, "JOB", Job("example", "Trial", "A trial.", run_examples.SCHEMA, action, JOB.preview)
            )
            return execute(home, created(store).id, workers=1, scheduler=scheduler)

        return run

    def test_a_result_must_be_there(self, ran):
        run = ran(lambda context: context.add_result("Map", "map.nc", "map"))
        assert "result Map: expected a file or folder" in run.error

    def test_keys_must_differ(self, ran):
        run = ran(lambda context: list(context.map(abs, [1, 1], label="Twice")))
        assert run.error.startswith("Twice: expected items that differ, found '1' twice")

    def test_loops_keep_their_own_results_and_order(self, ran):
        def action(context: JobContext) -> None:
            first = list(context.map(abs, [-3, -1, -2], label="Same"))
            second = list(context.map(float, [-3, -1, -2], label="Same", size=lambda item: -item))
            empty = list(context.map(abs, [], label="None"))
            context.scores["right"] = first == [(-3, 3), (-1, 1), (-2, 2)] and second[0] == (-3, -3.0) and not empty

        assert ran(action).scores == {"right": 1.0}

    def test_a_job_without_cluster_starts_none(self, ran):
        def action(context: JobContext) -> None:
            context.progress(1, 2, "Half", "steps")
            (context.folder / "seed").write_text(str(context.seed))

        run = ran(action)
        assert run.state == "done"
        assert run.progress.label == "Half"

    def test_the_cluster_fits_the_machine_and_listens_to_it_alone(self, ran):
        import psutil

        def action(context: JobContext) -> None:
            info = context.client.scheduler_info(n_workers=-1)["workers"].values()
            context.scores["workers"] = context.workers
            context.scores["memory"] = sum(each["memory_limit"] for each in info)
            me = psutil.Process()
            for process in (me, *me.children(recursive=True)):
                for each in process.net_connections("inet"):
                    if each.status == psutil.CONN_LISTEN and each.laddr.ip not in ("127.0.0.1", "::1"):
                        raise RunFailed(f"{process} listens at {each.laddr}.")

        run = ran(action, scheduler=None)
        assert run.error == ""
        assert run.scores["workers"] == 1
        assert 0 < run.scores["memory"] <= 0.8 * psutil.virtual_memory().total


def test_the_size_of_the_cluster():
    count, memory = size_of_machine()
    assert count >= 1
    assert memory >= 256_000_000
    assert size_of_machine(4)[0] == 4


@pytest.mark.parametrize("address", ["host", "http://host:8786", "8786", "file:///etc/passwd"])
def test_an_address_must_be_one(address):
    with pytest.raises(ClusterProblem, match="expected an address like"):
        scheduler_address(address)


def test_the_scheduler_may_come_from_the_environment(monkeypatch):
    assert scheduler_address(None) is None
    monkeypatch.setenv("CARBONWEATHER_SCHEDULER", " tcp://host:8786 ")
    assert scheduler_address(None) == "tcp://host:8786"
    assert scheduler_address("tls://other:1") == "tls://other:1"


def test_a_full_disk_is_told_and_leaves_nothing_half_written(store, home, tmp_path):
    run = created(store, items=4, width=10_000)
    script = "import sys; from analysis.jobs import execute; print(execute(sys.argv[1], sys.argv[2], workers=1).error)"

    def executed(limit: int) -> str:
        """What a run says where no file may be larger than `limit` bytes."""
        done = subprocess.run(
            [sys.executable, "-c", script, str(home), run.id],
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for limit, sentence in ((60, "The disk is so full"), (20_000, "no room left"), (68_000, "disk full")):
        told = executed(limit)
        found = store.get(run.id)
        assert sentence in told
        assert (found.state, found.alive) == ("failed", False)
        assert [path for path in found.folder.rglob("*.part")] == []
        assert not found.results_folder.exists()
        assert not (store.root / run.id).exists()
    assert made(execute(home, run.id, workers=1)) == expected(tmp_path, 4, width=10_000)


def test_no_room_for_a_new_run(store, home):
    script = (
        "import sys; from data.runs import RunStore; from data.errors import DataError\n"
        "try: RunStore(sys.argv[1]).create('grid', {'text': 'x' * 5000})\n"
        "except DataError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(store.root)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert "no room left on the disk; nothing was changed" in done.stdout, done.stderr
    assert [path for path in store.root.iterdir() if path.is_dir()] == []
