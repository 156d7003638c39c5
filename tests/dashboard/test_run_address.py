"""The address of the Runs page: back and forth without loss, and a sentence for whatever it says wrongly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.query import MAX_QUERY_CHARACTERS
from dashboard.run_address import RunsAddress, parse, values_for_address, values_from_address
from dashboard.run_fields import fields_of
from dashboard.run_form import typed_all
from tests.dashboard.run_schema import OFFERED, SCHEMA

FIELDS = fields_of(SCHEMA, OFFERED)


@pytest.mark.parametrize(
    "view",
    [
        RunsAddress(),
        RunsAddress("run", run="20260101-grid-1a2b"),
        RunsAddress("compare", compare=("one", "two")),
        RunsAddress(
            "new", kind="grid", title="A & B = 100 %", values={"modes": ["nadir", "glint"], "box": ["1,2,3,4"]}
        ),
        RunsAddress("new"),
    ],
)
def test_a_view_survives_its_address(view: RunsAddress) -> None:
    assert parse("?" + view.to_query()) == (view, [])


@pytest.mark.parametrize(
    ("query", "view", "words"),
    [
        ("run=", RunsAddress(), ""),
        ("compare=one", RunsAddress(), "two different runs"),
        ("compare=one,one", RunsAddress(), "two different runs"),
        ("compare=a,b,c&run=a", RunsAddress("run", run="a"), "two different runs"),
        ("chart=1&run=a", RunsAddress("run", run="a"), "'chart'"),
        ("x" * (MAX_QUERY_CHARACTERS + 1), RunsAddress(), "too long"),
        ("&".join("a=1" for _ in range(500)), RunsAddress(), "too many parts"),
    ],
)
def test_a_wrong_address_is_repaired_in_a_sentence(query: str, view: RunsAddress, words: str) -> None:
    shown, repairs = parse(query)
    assert shown == view
    assert words in " ".join(repairs)
    assert bool(words) == bool(repairs)


@given(st.text(max_size=200))
def test_no_address_fails(query: str) -> None:
    view, repairs = parse(query)
    values_from_address(FIELDS, view.values)
    assert all(sentence.endswith(".") for sentence in repairs)


def test_the_form_survives_its_address() -> None:
    settings: dict[str, Any] = {
        "resolution": 0.25, "good_only": False, "modes": ["glint"], "box": [-10.0, 0.0, 10.0, 5.0], "variable": "sif",
        "start": "2020-01-01", "levels": [1.0, 2.0],
    }  # fmt: skip
    values = typed_all(FIELDS, settings)
    query = RunsAddress("new", kind="grid", values=values_for_address(FIELDS, values)).to_query()
    assert (
        query
        == "new=grid&resolution=0.25&variable=sif&good_only=false&modes=glint&start=2020-01-01&box=-10,0,10,5&levels=1,%202"
    )
    view, repairs = parse(query)
    assert repairs == []
    assert values_from_address(FIELDS, view.values) == (values, [])


def test_settings_at_their_defaults_are_not_written() -> None:
    assert values_for_address(FIELDS, typed_all(FIELDS, {})) == {}


def test_stale_and_wrong_settings_are_left_out_and_said() -> None:
    given = {"resolution": ["-3"], "gone": ["1"], "step": ["month"], "modes": ["moon"]}
    values, repairs = values_from_address(FIELDS, given)
    assert values == typed_all(FIELDS, {})
    assert repairs == [
        "There is no setting 'gone'; it was left out.",
        "Cell size: -3 degree is too small; it must be more than 0 degree. The default is used.",
        "Modes: 'moon' is not one of the choices: nadir, glint, target. The default is used.",
    ]


def test_what_is_half_written_stays_in_the_address_of_its_writer() -> None:
    values = typed_all(FIELDS, {}) | {"resolution": "abc", "box": ["1", "", "", ""]}
    assert values_for_address(FIELDS, values) == {"resolution": ["abc"], "box": ["1,,,"]}
