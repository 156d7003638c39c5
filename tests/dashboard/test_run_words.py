"""Durations, sizes, speeds and moments as the Runs page says them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dashboard.run_words import count_text, duration_text, iso_text, number_text, rate_text, setting_text, size_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (-1, ""), (float("inf"), ""), (0, "0 s"), (0.2, "under 1 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"),
     (3599.6, "1 h"), (7500, "2 h 5 min"), (200_000, "2 d 7 h")],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, ""),
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1.25e6, "1.25 MB"),
        (999.9e6, "1 GB"),
        (140e12, "140 TB"),
    ],
)
def test_sizes(size: float | None, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("rate", "unit", "text"),
    [(None, "files", ""), (0.0, "files", ""), (1_234_567, "soundings", "1.23 million soundings/s"), (34.2, "files", "34.2 files/s"),
     (0.1, "files", "6 files/min"), (0.001, "months", "3.6 months/h"), (0.00001, "", "0.86 steps/d")],
)  # fmt: skip
def test_speeds(rate: float | None, unit: str, text: str) -> None:
    assert rate_text(rate, unit) == text


def test_counts_and_scores() -> None:
    assert count_text(12_300) == "12\u2009300"
    assert count_text(3.5e9) == "3.5 billion"
    assert number_text(0.1 + 0.2) == "0.3"
    assert number_text(float("nan")) == "no value"
    assert number_text(10_000_000.0) == "10\u2009000\u2009000"


def test_moments_are_utc_however_they_are_stored() -> None:
    noon = datetime(2020, 1, 1, 12, tzinfo=UTC)
    for value in (
        noon,
        noon.timestamp(),
        "2020-01-01T12:00:00Z",
        "2020-01-01T12:00:00",
        noon.astimezone(timezone(timedelta(hours=9))),
    ):
        assert iso_text(value) == "2020-01-01T12:00:00+00:00"
    assert iso_text(None) == iso_text("") == iso_text("yesterday") == ""


def test_settings_as_people_read_them() -> None:
    assert setting_text(None) == setting_text([]) == "—"
    assert setting_text(True) == "yes"
    assert setting_text([1.0, 0.05]) == "1, 0.05"
    assert setting_text({"depth": 2}) == "depth: 2"
