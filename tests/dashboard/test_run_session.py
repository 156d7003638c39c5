"""A visitor's session without a server: addresses, forms, copies, uploads, comparisons, deletions, and pages that talk nonsense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard import run_kinds
from dashboard.library import Library
from dashboard.run_session import RunsSession
from dashboard.run_watch import RunWatch
from data.home import cubes_dir, runs_dir
from data.runs import RunStore
from tests.dashboard.run_examples import done, queued, running
from tests.dashboard.run_kind_for_pages import ENVIRONMENT
from tests.data.cube_examples import SMALL, make_cube, maps


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CARBONWEATHER_JOBS", ENVIRONMENT["CARBONWEATHER_JOBS"])
    run_kinds._kinds.cache_clear()
    yield
    run_kinds._kinds.cache_clear()


class Visitor:
    """A session and what it tells the browser."""

    def __init__(self, home: Path, query: str = "") -> None:
        self.session = RunsSession(Library(home), RunWatch(home), query)

    def __getattr__(self, name: str) -> Any:
        return json.loads(getattr(self.session.view, name))

    def says(self, kind: str, **more: Any) -> None:
        self.session.message({"kind": kind, **more})

    @property
    def errors(self) -> dict[str, str]:
        return self.feedback["errors"]


def test_the_list_comes_first(home: Path) -> None:
    run = done(home, title="First")
    visitor = Visitor(home)
    assert visitor.view["mode"] == "list"
    assert [row["title"] for row in visitor.listing["rows"]] == ["First"]
    visitor.says("open", id=run.id)
    assert visitor.address == {"query": f"run={run.id}", "replace": False, "number": visitor.address["number"]}


def test_a_run_is_shown_with_all_that_belongs_to_it(home: Path) -> None:
    run = done(home, title="First", settings={"months": 3, "pace": 0.0, "instruments": ["oco2"], "old": 1})
    view = Visitor(home, f"run={run.id}").view
    settings = {row["title"]: (row["value"], row["changed"]) for row in view["settings"]}
    assert settings == {
        "Months (months)": ("3", True),
        "Time of each (s)": ("0", False),
        "Instruments": ("oco2", True),
        "old": ("1", False),
    }
    assert view["scores"] == [["mean xco2", "400.5"]]
    first, second = view["results"]
    assert (first["link"], first["file"]) == ("./?cube=known", f"./data/runs/{run.id}/file/results/series.csv")
    assert second["name"] == "notes.txt"
    assert view["plot"]["columns"][0] == ["mean", "mean"]
    assert view["tables"][0]["total"] == 4
    assert dict(map(tuple, view["origin"]))["Seed"] == "0"


def test_another_series_or_quantity_is_drawn_when_asked(home: Path) -> None:
    run = done(home)
    visitor = Visitor(home, f"run={run.id}")
    before = visitor.plot
    visitor.says("plot", id=run.id, column="count")
    assert visitor.view["plot"]["column"] == "count"
    assert visitor.plot != before
    visitor.says("plot", id=run.id, series="99", column="gone")
    assert visitor.view["plot"]["column"] == "mean"


@pytest.mark.parametrize(
    ("query", "mode", "words"),
    [
        ("run=gone", "list", "There is no run 'gone' here"),
        ("run=../../etc", "list", "There is no run '../../etc' here"),
        ("compare=a,b", "list", "There is no run 'a' to compare here."),
        ("new=moon", "new", "There is no kind of run 'moon'; choose one."),
        ("new=pages&months=-4&colour=red", "new", "There is no setting 'colour'; it was left out."),
        ("what=ever", "list", "which means nothing here"),
    ],
)
def test_a_wrong_address_is_repaired_and_said(home: Path, query: str, mode: str, words: str) -> None:
    visitor = Visitor(home, query)
    assert visitor.view["mode"] == mode
    assert words in visitor.notice["text"]
    assert query != visitor.address["query"]


def test_an_address_fills_the_form(home: Path) -> None:
    visitor = Visitor(home, "new=pages&months=12&instruments=gosat&box=-10,0,10,5&title=Mine")
    view = visitor.view
    assert (view["title"], view["values"]["months"], view["values"]["instruments"]) == ("Mine", "12", ["gosat"])
    assert view["values"]["box"] == ["-10", "0", "10", "5"]
    assert visitor.notice == {"text": "", "severity": "info"}
    assert len(next(field for field in view["fields"] if field["name"] == "region")["choices"]) > 100


def edit(visitor: Visitor, kind: str = "edit", **changes: Any) -> None:
    view = visitor.view
    visitor.says(kind, seq=1, key=view["key"], title="Mine", values=view["values"] | changes)


def test_a_form_knows_its_cost_and_its_mistakes(home: Path) -> None:
    visitor = Visitor(home, "new=pages")
    edit(visitor, months="20", pace="3")
    assert visitor.errors == {}
    assert visitor.feedback["cost"]["parts"] == [["Time", "about 1 min"], ["Memory", "200 MB"], ["Disk", "20 kB"]]
    assert "months: 20" in visitor.feedback["configuration"]
    assert visitor.address["query"] == "new=pages&title=Mine&months=20&pace=3"
    edit(visitor, months="0", instruments=[])
    assert visitor.errors == {
        "months": "0 months is too small; at least 2 months is needed.",
        "instruments": "Choose at least one.",
    }
    assert visitor.feedback["configuration"] == ""


def test_nothing_is_started_from_a_wrong_form(home: Path) -> None:
    visitor = Visitor(home, "new=pages")
    edit(visitor, "start", months="many")
    assert visitor.errors == {"months": "'many' is not a number."}
    assert visitor.feedback["started"] is True
    assert not runs_dir(home).exists()


def test_copied_settings_fill_a_form(home: Path) -> None:
    run = done(home, title="First", settings={"months": 9, "instruments": ["oco3"], "box": None})
    visitor = Visitor(home, f"run={run.id}")
    visitor.says("copy", id=run.id)
    view = visitor.view
    assert (view["mode"], view["kind"], view["title"]) == ("new", "pages", "First")
    assert (view["values"]["months"], view["values"]["instruments"]) == ("9", ["oco3"])
    assert visitor.address["query"] == "new=pages&title=First&months=9&instruments=oco3"


def test_an_uploaded_configuration_fills_a_form_and_shows_its_mistakes(home: Path) -> None:
    visitor = Visitor(home)
    text = "kind: pages\ntitle: Theirs\nseed: 7\nsettings:\n  months: 1\n  start: 2020-05-01\n  colour: red\n"
    visitor.says("upload", name="theirs.yaml", text=text, bytes=len(text))
    view = visitor.view
    assert (view["title"], view["values"]["start"], view["check"]) == ("Theirs", "2020-05-01", True)
    assert view["copied"] == "From theirs.yaml. Seed 7."
    assert visitor.notice["text"] == "There is no setting 'colour'; it was left out."
    edit(visitor)
    assert visitor.errors == {"months": "1 months is too small; at least 2 months is needed."}


@pytest.mark.parametrize(
    ("text", "bytes_", "words"),
    [
        ("", 0, "found nothing"),
        ("", 10**9, "found more than 200 kB"),
        ("kind: moon", 10, "expected a kind of run that is known here"),
        ("\x89PNG\r\n", 6, "text that is not YAML"),
    ],
)
def test_any_other_upload_is_refused_in_a_sentence(home: Path, text: str, bytes_: int, words: str) -> None:
    visitor = Visitor(home)
    visitor.says("upload", name="x.yaml", text=text, bytes=bytes_)
    assert words in visitor.notice["text"]
    assert visitor.notice["severity"] == "error"
    assert visitor.view["mode"] == "list"


def test_two_runs_side_by_side(home: Path) -> None:
    first = done(home, title="A", settings={"months": 3, "fail": False}, scores={"bias": 2.0, "n": 1.0})
    second = done(home, title="B", settings={"months": 6, "fail": False}, scores={"bias": 1.0})
    visitor = Visitor(home)
    visitor.says("compare", ids=[first.id, second.id])
    view = visitor.view
    assert [run["title"] for run in view["runs"]] == ["A", "B"]
    settings = {row["title"]: row for row in view["settings"]}
    assert settings["Months (months)"] == {
        "title": "Months (months)",
        "values": ["3", "6"],
        "different": True,
        "difference": "+3 (+100 %)",
    }
    assert settings["Fail"]["values"] == ["no", "no"]
    assert not settings["Fail"]["different"]
    scores = {row["title"]: (row["values"], row["difference"]) for row in view["scores"]}
    assert scores == {"bias": (["2", "1"], "−1 (−50 %)"), "n": (["1", "—"], "")}
    assert visitor.address["query"] == f"compare={first.id},{second.id}"


def test_a_run_is_deleted_only_after_a_question(home: Path) -> None:
    run = done(home, title="First")
    visitor, other = Visitor(home, f"run={run.id}"), Visitor(home, f"run={run.id}")
    visitor.says("ask-delete", id=run.id)
    assert "“First” is removed with 2 results" in visitor.question["text"]
    assert run.folder.exists()
    visitor.says("delete", id=run.id)
    assert not run.folder.exists()
    assert visitor.view["mode"] == "list"
    assert visitor.notice["text"] == "The run was deleted."
    other.session.poll()
    assert other.view["mode"] == "list"
    assert "it may have been deleted" in other.notice["text"]


def test_what_a_run_put_into_the_data_folder_goes_only_where_that_is_chosen(home: Path) -> None:
    for name, chosen in (("first", False), ("second", True)):
        run = done(home)
        make_cube(cubes_dir(home) / name, maps(SMALL, 2), run=run.id)
        visitor = Visitor(home, f"run={run.id}")
        visitor.says("ask-delete", id=run.id)
        assert visitor.question["made"][0].startswith("An example (2 maps, ")
        assert "stays there unless you choose otherwise" in visitor.question["text"]
        visitor.says("delete", id=run.id, results=chosen)
        assert not run.folder.exists() and (cubes_dir(home) / name).exists() != chosen
    assert visitor.notice["text"] == "The run was deleted, and with it An example."


def test_a_run_at_work_is_not_deleted(home: Path) -> None:
    working = running(home)
    visitor = Visitor(home)
    visitor.says("delete", id=working.configuration.id)
    assert "cancel it first" in visitor.notice["text"]
    assert RunStore(runs_dir(home)).get(working.configuration.id).state == "running"


def test_progress_and_log_arrive_with_the_next_look(home: Path) -> None:
    from data.runs import Progress

    working = running(home)
    visitor = Visitor(home, f"run={working.configuration.id}")
    working.progress(Progress(6, 12, "Drawing", "months", 1.5, 4.0))
    working.log("Half of it.")
    visitor.session.watch.read(now=True)
    visitor.session.poll()
    assert visitor.live["rows"][0]["left"] == "4 s"
    assert "Half of it." in visitor.log["text"]
    visitor.says("cancel", id=working.configuration.id)
    assert working.requested() == "cancel"
    assert visitor.live["rows"][0]["note"] == "Cancelling"


def test_a_run_without_a_process_is_cancelled_at_once(home: Path) -> None:
    run = queued(home)
    visitor = Visitor(home, f"run={run.id}")
    visitor.says("cancel", id=run.id)
    assert visitor.view["state"] == "cancelled"


def test_the_back_button_leads_back(home: Path) -> None:
    run = done(home)
    visitor = Visitor(home, "new=pages")
    visitor.says("pop", query=f"run={run.id}")
    assert visitor.view["mode"] == "run"
    visitor.says("pop", query="")
    assert visitor.view["mode"] == "list"


NONSENSE = st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.lists(st.text(max_size=5), max_size=3)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(
        ["list", "open", "new", "compare", "pop", "edit", "upload", "plot", "pause", "cancel", "copy", "delete", "what"]
    ),
    st.dictionaries(
        st.sampled_from(
            ["id", "ids", "job", "query", "name", "text", "bytes", "values", "key", "seq", "series", "column"]
        ),
        NONSENSE,
        max_size=5,
    ),
)
def test_a_page_that_talks_nonsense_does_no_harm(home: Path, kind: str, more: dict[str, Any]) -> None:
    run = next(iter(RunStore(runs_dir(home)).list()), None) or done(home)
    visitor = Visitor(home, f"run={run.id}")
    visitor.says(kind, **more)
    visitor.session.poll()
    assert RunStore(runs_dir(home)).get(run.id).state == "done"
