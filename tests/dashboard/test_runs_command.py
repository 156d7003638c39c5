"""`carbonweather runs` as a user meets it: started, watched, stopped, compared, exported, each also as JSON."""

from __future__ import annotations

import json
import zipfile

import pytest
from click.testing import CliRunner, Result

from dashboard.cli import main
from data.home import cubes_dir, runs_dir
from data.runs import RunStore
from tests.analysis.run_examples import ENVIRONMENT, expected, followed, made
from tests.data.cube_examples import SMALL, make_cube, maps


@pytest.fixture
def store(home, monkeypatch) -> RunStore:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return RunStore(runs_dir(home))


def call(*words: str, code: int = 0, answer: str | None = None) -> Result:
    result = CliRunner().invoke(main, ["runs", *words], input=answer)
    assert result.exit_code == code, result.output
    return result


def told(*words: str, code: int = 0):
    """What the command says as JSON."""
    return json.loads(call(*words, "--json", code=code).stdout)


def done(store: RunStore, **settings) -> str:
    """A finished run, made without computing."""
    from data.runs import WorkingRun

    run = store.create("example", {"items": 3} | settings, reuse=False, title="A title")
    working = WorkingRun.take(store.root, run.id)
    working.start()
    (working.results / "table.csv").write_text("1,2\n")
    working.scores({"rmse": settings.get("items", 3) / 10, "unknown": float("nan")})
    working.log("Done.")
    working.finish([])
    return run.id


def test_a_run_from_start_to_export(store, tmp_path, home):
    result = call("start", "example", "--set", "items=4", "--title", "First", "--workers", "1", "--seed", "5")
    (run,) = store.list()
    assert "State:    done" in result.stdout
    assert "Total: " in result.stdout
    assert (run.title, run.seed, run.settings["items"]) == ("First", 5, 4)
    assert made(run) == expected(tmp_path, 4, seed=5)

    again = call("start", "example", "--set", "items=4", "--seed", "5")
    assert f"An identical run is done: {run.id}" in again.stdout
    config = tmp_path / "again.yaml"
    config.write_bytes((run.folder / "run.yaml").read_bytes())
    assert told("start", "--config", str(config))["id"] == run.id
    assert told("start", "--config", str(config), "--set", "items=4")["state"] == "done"

    written = told("export", run.id[-4:], str(tmp_path))
    with zipfile.ZipFile(written["path"]) as archive:
        assert f"{run.id}/results/table.csv" in archive.namelist()
    assert len(store.list()) == 1


def test_a_failed_run_says_so(store):
    result = call("start", "example", "--set", "items=4", "--set", "mode=explain", "--workers", "1", code=1)
    assert "Error:    item: expected one thing, found another" in result.stdout
    (facts,) = told("list", "--state", "failed")
    assert facts["error"].startswith("item: expected")
    assert call("list").stderr.startswith(facts["id"])
    resumed = told("resume", facts["id"], "--workers", "1", code=1)
    assert resumed["state"] == "failed"


def test_maps_of_a_run_go_with_it_only_if_asked(store, home):
    ids = [done(store, items=1), done(store, items=2)]
    for run_id in ids:
        make_cube(cubes_dir(home) / run_id, maps(SMALL, 1), run=run_id)
    asked = call("delete", ids[0], code=1, answer="n\n").output
    assert f"cube:{ids[0]}  An example, 1 map (stays; --with-results removes it, too)" in asked
    assert told("delete", ids[0]) == {"deleted": [ids[0]], "removed": []}
    asked = call("delete", ids[1], "--with-results", code=1, answer="n\n").output
    assert "(removed, too)" in asked
    assert f"Deleted 1 run and cube:{ids[1]}." in call("delete", ids[1], "--with-results", "--yes").stdout
    assert [path.name for path in cubes_dir(home).iterdir() if not path.name.startswith(".")] == [ids[0]]


def test_pause_resume_cancel_delete(store):
    started = told("start", "example", "--set", "items=400", "--set", "seconds=0.05", "--workers", "1", "--detach")
    assert started["state"] in ("queued", "running")
    run_id = started["id"]
    assert "cancel it first" in call("delete", run_id, "--yes", code=1).output
    followed(store, store.get(run_id), lambda run: run.progress.done >= 1)
    shown = call("show", run_id)
    assert "Progress: Drawing" in shown.stdout
    assert told("pause", run_id)["state"] == "paused"
    assert told("resume", run_id, "--detach", "--workers", "1")["state"] == "queued"
    assert f"{run_id} is cancelled." in call("cancel", run_id).stdout
    assert "Abort" in call("delete", run_id, code=1, answer="n\n").output
    assert told("delete", run_id) == {"deleted": [run_id], "removed": []}
    assert told("list") == []


def test_list_and_show(store):
    assert "No such run" in call("list").stdout
    ids = [done(store), done(store, items=5)]
    assert [run["id"] for run in told("list")] == ids[::-1]
    assert told("list", "--kind", "other") == []
    shown = call("show", ids[0][-4:], "--log", "1").stdout
    assert "A title" in shown
    assert "Done." in shown
    facts = told("show", ids[0])
    assert facts["scores"] == {"rmse": 0.3, "unknown": None}
    assert facts["log"].endswith("Done.")
    assert call("show", ids[0], "--watch").exit_code == 0


def test_compare(store):
    one, two = done(store), done(store, items=5)
    shown = call("compare", one, two).stdout
    assert "items" in shown
    assert "rmse" in shown
    rows = {row["name"]: row for row in told("compare", one, two)["rows"]}
    assert rows["items"] == {"part": "settings", "name": "items", "values": [3, 5], "same": False}
    assert rows["unknown"]["values"] == [None, None]
    assert "needs two runs" in call("compare", one, code=2).output


def test_kinds_settings_and_costs_before_starting(store):
    assert "example: Example" in call("start").stdout
    kinds = {each["kind"]: each for each in told("start")}
    assert kinds["example"]["schema"]["properties"]["items"]["title"] == "Items"
    shown = call("start", "example", "--preview", code=1)
    assert "(needed)" in shown.stdout
    assert "expected items (Items), found none" in shown.stderr
    assert "about 1 s" in call("start", "example", "--preview", "--set", "items=2").stdout
    assert told("start", "example", "--preview", "--set", "items=2")["cost"]["seconds"] == 1
    assert store.list() == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["start", "nothing"], 1, "kind of run: expected one of"),
        (["start", "example", "--set", "items"], 2, "--set needs NAME=VALUE"),
        (["start", "example", "--set", "=3"], 2, "--set needs NAME=VALUE"),
        (["start", "example", "--set", "items=[1"], 2, "the value is not YAML"),
        (["start", "example", "--set", "items=many"], 1, "items: expected a whole number, found 'many'"),
        (["start", "example", "--set", "items=2", "--scheduler", "host"], 1, "expected an address like tcp://"),
        (["start", "example", "--set", "items=2", "--workers", "0"], 2, "workers"),
        (["start", "--config", "missing.yaml"], 1, "missing.yaml: expected the configuration of a run"),
        (["start", "--config", __file__], 1, "expected the configuration of a run"),
        (["show", "nothing"], 1, "found none of that name"),
        (["show", ""], 1, "found an empty one"),
        (["show", "../../etc/passwd"], 1, "found none of that name"),
        (["show", "example"], 1, "found 2 runs that have it"),
        (["delete", "nothing", "--yes"], 1, "found none of that name"),
        (["resume", "nothing"], 1, "found none of that name"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(store, words, code, sentence):
    store.create("example", {"items": 1})
    store.create("example", {"items": 2})
    result = call(*words, code=code)
    assert sentence in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert len(store.list()) == 2


def test_a_configuration_of_another_kind_is_refused(store, tmp_path):
    config = tmp_path / "grid.yaml"
    config.write_text("kind: grid\nsettings: {}\n")
    assert (
        "configuration of a grid run, not of example"
        in call("start", "example", "--config", str(config), code=2).output
    )
