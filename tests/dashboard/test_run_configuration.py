"""Configurations as files: what was downloaded is read again, and no file does harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.run_configuration import LARGEST_BYTES, ConfigurationProblem, RunConfiguration, read_configuration
from tests.dashboard.run_examples import done

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff"), max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, PLAIN, max_size=5), TEXT, st.integers(0, 2**31))
def test_what_is_written_is_read_again(settings: dict[str, Any], title: str, seed: int) -> None:
    written = RunConfiguration("grid", title, seed, settings)
    assert read_configuration(written.to_yaml()) == written


def test_dates_stay_text() -> None:
    assert read_configuration("kind: grid\nsettings:\n  start: 2020-01-31\n").settings == {"start": "2020-01-31"}


def test_the_file_in_a_runs_folder_is_read_too(home: Path) -> None:
    run = done(home, title="First", settings={"months": 4})
    found = read_configuration((run.folder / "run.yaml").read_text(encoding="utf-8"))
    assert (found.kind, found.title, found.settings) == ("pages", "First", {"months": 4})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "nothing"),
        ("just words", "no names with values"),
        ("- 1\n- 2", "no names with values"),
        ("kind: [", "text that is not YAML (line 1)"),
        ("settings: {}", "no line 'kind: ...'"),
        ("kind: 7", "no line 'kind: ...'"),
        ("kind: grid\nsettings: 3", "settings that are no names with values"),
        ("kind: grid\nsettings: {1: 2}", "settings that are no names with values"),
        ("kind: grid\nseed: -1", "the seed '-1'"),
        ("kind: grid\nseed: yes", "the seed 'True'"),
        ("kind: !!python/object/apply:os.system [ls]", "text that is not YAML"),
        ("a: &a [1]\nkind: grid\nsettings: {x: *a}", "text that is not YAML"),
        ("[" * 5000, "text nested too deeply"),
        ("\x00\x01\x02", "text that is not YAML"),
        ("kind: grid\n" + "#" * LARGEST_BYTES, "more than 200 kB"),
    ],
)
def test_any_other_file_is_one_sentence(text: str, found: str) -> None:
    with pytest.raises(ConfigurationProblem) as problem:
        read_configuration(text, "mine.yaml")
    assert str(problem.value).startswith("mine.yaml: expected the configuration of a run")
    assert found in str(problem.value)
