"""`carbonweather bench`: finds a checkout's comparisons, prints one JSON object and nothing else, or a table."""

from __future__ import annotations

import json
import math

import click
import pytest
from click.testing import CliRunner

from dashboard.commands import bench
from tests.benchmarks import Figure, median_of

BENCHMARK = '''"""Time of a trial against the naive way."""

import os
import subprocess

from tests.benchmarks import Figure


def run(quick):
    print("a print")
    os.write(1, b"written past Python\\n")
    subprocess.run(["echo", "from a child"], check=True)
    return {"trial_ms": Figure(2.0, "ms", 3 if quick else 9), "naive_trial_ms": Figure(5.0, "ms", 3)}
'''


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one benchmark, 'trial'."""
    folder = tmp_path / "tests" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "bench_trial.py").write_text(BENCHMARK, encoding="utf-8")
    monkeypatch.setattr(bench, "CHECKOUT", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_json_mode_prints_one_object_and_nothing_else(checkout, capfd):
    bench.command.main(["trial", "--json", "--quick"], standalone_mode=False)
    out, err = capfd.readouterr()
    report = json.loads(out)
    assert list(report) == ["bench", "machine", "figures"]
    assert report["bench"] == "trial"
    assert report["figures"] == {
        "trial_ms": {"value": 2.0, "unit": "ms", "n": 3},
        "naive_trial_ms": {"value": 5.0, "unit": "ms", "n": 3},
    }
    assert {"cpu", "cores", "memory_gb", "python", "platform"} <= set(report["machine"])
    assert report["machine"]["cores"] >= 1 and report["machine"]["memory_gb"] > 0
    for noise in ("a print", "written past Python", "from a child"):
        assert noise in err


def test_table_shows_figures_and_ratio_to_the_alternative(checkout):
    result = CliRunner().invoke(bench.command, ["trial"], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    rows = [line for line in result.output.splitlines() if "trial_ms" in line]
    assert len(rows) == 2
    assert "9" in rows[0]
    assert "2.5 x trial_ms" in rows[1]


def test_list_shows_name_and_first_line(checkout):
    result = CliRunner().invoke(bench.command, ["--list"])
    assert result.output.split(maxsplit=1) == ["trial", "Time of a trial against the naive way.\n"]


@pytest.mark.parametrize("arguments", [[], ["unknown"]])
def test_wrong_name_says_what_there_is(checkout, arguments):
    result = CliRunner().invoke(bench.command, arguments)
    assert result.exit_code == 2
    assert "choose one of: trial." in result.stderr


def test_outside_a_checkout_it_says_so(tmp_path):
    with pytest.raises(click.ClickException, match="part of a checkout's tests"):
        bench.benchmark_files(tmp_path)


def test_the_projects_own_benchmarks_say_what_they_measure():
    files = bench.benchmark_files(bench.CHECKOUT)
    assert [name for name, path in files.items() if not bench._first_line(path).endswith(".")] == []


def test_alternatives_are_found_by_the_word_before_the_key():
    keys = ("series_ms", "netcdf_series_ms", "write_s", "peak_mb")
    assert bench.alternatives({key: Figure(1, "ms") for key in keys}) == {"netcdf_series_ms": "series_ms"}


@pytest.mark.parametrize(
    ("value", "unit", "n"), [(math.nan, "ms", 1), (math.inf, "ms", 1), (1.0, "ms", 0), (1.0, "", 1)]
)
def test_figure_refuses_what_is_no_measurement(value, unit, n):
    with pytest.raises(ValueError):
        Figure(value, unit, n)


def test_median_of_counts_only_the_measured_calls():
    calls = []
    figure = median_of(lambda: calls.append(1), 5, warm_up=2)
    assert len(calls) == 7
    assert figure.unit == "ms" and figure.n == 5 and figure.value >= 0
