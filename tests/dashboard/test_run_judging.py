"""What is wrong with a form is said beside the field that can mend it."""

from pathlib import Path

import numpy as np
import pytest

from dashboard import run_kinds
from dashboard.library import Library
from dashboard.run_form import typed_all
from dashboard.run_judging import WHOLE_FORM, judge
from dashboard.run_kinds import form_of, kinds, offered
from data.home import soundings_dir
from data.soundings import SoundingArchive
from tests.data.sounding_examples import product


@pytest.fixture(autouse=True)
def only_our_kinds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CARBONWEATHER_JOBS", raising=False)
    run_kinds._kinds.cache_clear()
    yield
    run_kinds._kinds.cache_clear()


def errors(home: Path, kind: str, **values) -> dict[str, str]:
    fields = form_of(kind, Library(home))
    return judge(kinds()[kind], fields, {**typed_all(fields, {}), **values}, home).errors


@pytest.mark.parametrize("kind", ["aggregate", "grid"])
def test_several_products_are_said_beside_their_names(tmp_path: Path, kind: str):
    archive = SoundingArchive(soundings_dir(tmp_path))
    archive.append(product(range(40)))
    later = np.datetime64("2019-06-01", "ns")
    archive.append(product(range(40), name="other.nc4", collection="oco2-other", start=later))
    found = errors(tmp_path, kind)
    assert list(found) == ["collections"]
    assert found["collections"].startswith("Expected one product of OCO-2 with xco2, found oco2-lite, oco2-other; name")
    assert errors(tmp_path, kind, collections="oco2-lite") == {}


def test_a_period_that_ends_before_it_begins_is_said_beside_its_end(tmp_path: Path):
    SoundingArchive(soundings_dir(tmp_path)).append(product(range(40)))
    found = errors(tmp_path, "aggregate", start="2019-05-01", end="2019-04-01")
    assert list(found) == ["end"] and found["end"].startswith("Expected a last day not before the first")


def test_what_concerns_no_field_is_said_of_the_whole_form(tmp_path: Path):
    found = errors(tmp_path, "aggregate")
    assert list(found) == [WHOLE_FORM] and "found it empty" in found[WHOLE_FORM]


def test_simulated_instruments_say_so_once(tmp_path: Path):
    archive = SoundingArchive(soundings_dir(tmp_path))
    archive.append(product(range(5), name="a.nc4", instrument="OCO-2 (simulated)"))
    archive.append(product(range(5), name="b.nc4", instrument="GOSAT"))
    labels = [choice.label for choice in offered(Library(tmp_path))["instruments"]]
    assert labels == ["GOSAT (simulated)", "OCO-2 (simulated)"]
