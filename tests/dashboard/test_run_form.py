"""Forms from schemas: which field a property becomes, what is read from it, and the sentence where it is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.run_fields import Field, fields_of
from dashboard.run_form import LONGEST_TEXT, read, typed, typed_all
from tests.dashboard.run_schema import OFFERED, SCHEMA


@pytest.fixture
def fields() -> dict[str, Field]:
    return {each.name: each for each in fields_of(SCHEMA, OFFERED)}


def filled(fields: dict[str, Field], **values: Any) -> tuple[dict[str, Any], dict[str, str]]:
    done = read(tuple(fields.values()), {"variable": "xco2", **values})
    return done.settings, done.errors


def test_every_kind_of_property_has_its_field(fields: dict[str, Field]) -> None:
    assert {name: each.kind for name, each in fields.items()} == {
        "resolution": "number",
        "least": "integer",
        "variable": "choice",
        "good_only": "boolean",
        "step": "choice",
        "modes": "choices",
        "start": "date",
        "box": "box",
        "region": "text",
        "levels": "list",
        "outline": "points",
        "extra": "yaml",
        "sort": "choice",
    }
    assert fields["region"].nullable and fields["start"].nullable
    assert fields["variable"].required and not fields["step"].required
    assert [choice.label for choice in fields["sort"].choices] == ["Up", "Down"]


def test_a_hint_tells_bounds_unit_and_default(fields: dict[str, Field]) -> None:
    assert fields["resolution"].hint() == "0 to 10 degree; default 0.05 degree"
    assert fields["least"].hint() == "at least 1; default 3"
    assert fields["modes"].hint() == "default nadir, glint"
    assert fields["start"].hint() == "may be left empty"
    assert fields["variable"].hint() == ""


def test_the_untouched_form_gives_the_defaults(fields: dict[str, Field]) -> None:
    settings, errors = filled(fields)
    assert errors == {}
    assert settings == {
        "resolution": 0.05,
        "least": 3,
        "variable": "xco2",
        "good_only": True,
        "step": "month",
        "modes": ["nadir", "glint"],
        "box": [-180, -90, 180, 90],
        "sort": 1,
    }


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("resolution", "abc", "'abc' is not a number."),
        ("resolution", "0,05", "'0,05' is not a number; write a point, not a comma."),
        ("resolution", "0", "0 degree is too small; it must be more than 0 degree."),
        ("resolution", "11", "11 degree is too large; at most 10 degree is possible."),
        ("resolution", "nan", "'nan' is not a number that can be used here."),
        ("resolution", "1e999", "'1e999' is not a number that can be used here."),
        ("least", "1.5", "'1.5' is not a whole number."),
        ("least", "0", "0 is too small; at least 1 is needed."),
        ("variable", "", "Variable is needed: choose one."),
        ("step", "year", "'year' is not one of the choices: day, month."),
        ("modes", [], "Choose at least one."),
        ("modes", ["nadir", "moon"], "'moon' is not one of the choices: nadir, glint, target."),
        ("modes", {"a": 1}, "This is not a list of choices."),
        ("start", "31/01/2020", "'31/01/2020' is not a date; write it as 2020-01-31."),
        ("start", "2021-02-30", "'2021-02-30' is not a date; write it as 2020-01-31."),
        ("box", ["1", "2", "3", ""], "The box has no north edge; fill all four, or none."),
        ("box", ["1", "2", "x", "4"], "East edge: 'x' is not a number."),
        ("box", ["1", "20", "3", "4"], "The south edge must lie south of the north edge."),
        ("box", ["1", "-95", "3", "4"], "The south and north edges lie between -90 and 90 degrees."),
        ("box", "1,2,3", "A box is four numbers: west, south, east, north."),
        ("box", 7, "A box is four numbers: west, south, east, north."),
        ("good_only", "perhaps", "'perhaps' is neither true nor false."),
        ("levels", "1, two", "'two' is not a number."),
        ("outline", "1,2; 3", "'3' is not a longitude and a latitude, such as 116.4, 39.9."),
        (
            "outline",
            "1,2; 3,4; 5,99",
            "'5,99' is no place: longitudes lie between -360 and 360, latitudes between -90 and 90.",
        ),
        ("outline", "1,2; 3,4", "At least 3 values are needed."),
        ("extra", "{a: [", "This is not YAML; write it as in a configuration file."),
        ("extra", "{a: &x [1], b: *x}", "This is not YAML; write it as in a configuration file."),
        ("extra", "just words", "'just words' is not a set of named values."),
        ("extra", "!!python/object/apply:os.system [ls]", "This is not YAML; write it as in a configuration file."),
        (
            "region",
            "x" * (LONGEST_TEXT + 1),
            f"This is too long: {LONGEST_TEXT + 1} characters, at most {LONGEST_TEXT} are read.",
        ),
    ],
)
def test_a_wrong_value_is_one_sentence_beside_its_field(
    fields: dict[str, Field], name: str, value: Any, sentence: str
) -> None:
    settings, errors = filled(fields, **{name: value})
    assert errors == {name: sentence}
    assert name not in settings
    assert settings["sort"] == 1


def test_what_is_right_is_read(fields: dict[str, Field]) -> None:
    settings, errors = filled(
        fields,
        resolution=" 1e-1 ",
        least="4.0",
        good_only="false",
        sort="2",
        start="2020-02-29",
        box=["170", "-10", "190", "10"],
        levels="1, 2.5\n3",
        extra="{depth: 2}",
        region="Countries/China",
    )
    assert errors == {}
    assert settings["resolution"] == 0.1
    assert settings["least"] == 4 and isinstance(settings["least"], int)
    assert settings["good_only"] is False
    assert settings["sort"] == 2
    assert settings["box"] == [170.0, -10.0, 190.0, 10.0]
    assert settings["levels"] == [1.0, 2.5, 3.0]
    assert settings["extra"] == {"depth": 2}


def test_an_emptied_box_is_left_out(fields: dict[str, Field]) -> None:
    settings, errors = filled(fields, box=["", "", "", ""])
    assert errors == {}
    assert "box" not in settings


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "unknown"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)))  # fmt: skip
def test_nothing_that_a_page_sends_does_more_than_fail(values: dict[str, Any]) -> None:
    done = read(fields_of(SCHEMA, OFFERED), values)
    for name, sentence in done.errors.items():
        assert sentence.endswith(".")
        assert name not in done.settings


@given(
    st.fixed_dictionaries(
        {
            "resolution": st.floats(1e-3, 10),
            "least": st.integers(1, 10**9),
            "variable": st.sampled_from(["xco2", "sif"]),
            "good_only": st.booleans(),
            "step": st.sampled_from(["day", "month"]),
            "modes": st.lists(st.sampled_from(["nadir", "glint", "target"]), min_size=1, unique=True),
            "start": st.dates().map(lambda day: day.isoformat()),
            "box": st.tuples(st.floats(-180, 0), st.floats(-90, 0), st.floats(1, 180), st.floats(1, 90)).map(list),
            "outline": st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)).map(list), min_size=3, max_size=5),
            "levels": st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5),
            "sort": st.sampled_from([1, 2]),
        }
    )
)
def test_settings_survive_the_form(settings: dict[str, Any]) -> None:
    fields = fields_of(SCHEMA, OFFERED)
    done = read(fields, typed_all(fields, settings))
    assert done.errors == {}
    assert done.settings == settings


def test_a_schema_with_references_and_nothing_else_still_has_a_form() -> None:
    schema = {
        "$defs": {"share": {"type": "number", "minimum": 0}},
        "properties": {"a": {"$ref": "#/$defs/share"}, "b": {}},
    }
    first, second = fields_of(schema)
    assert (first.kind, first.title) == ("number", "A")
    assert second.kind == "yaml"
    assert fields_of({}) == ()
    assert typed(second, {"k": [1]}) == "{k: [1]}"
