"""Result files as tables and lines, whatever is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.run_plot import figure_json, line_key
from dashboard.run_results import LARGEST_BYTES, MOST_LINES, MOST_POINTS, SHOWN_ROWS, Table, read_table, tables_of
from data.runs import Result
from tests.dashboard.run_examples import SERIES


def table(path: Path, text: str = SERIES, kind: str = "series") -> Table:
    path.write_text(text, encoding="utf-8")
    found = read_table(Result("Means", path, kind))
    assert found is not None
    return found


def test_a_series_has_an_axis_quantities_and_a_line_for_each_instrument(tmp_path: Path) -> None:
    found = table(tmp_path / "series.csv")
    assert (found.axis, found.quantities, found.groups) == ("time", ("mean", "std", "count"), ("instrument",))
    plot = found.plot("mean")
    assert [line.name for line in plot.lines] == ["oco2", "oco3"]
    assert plot.is_time
    first = plot.lines[0]
    assert first.x.tolist() == [1579046400000.0, 1581724800000.0]
    assert first.y.tolist() == [400.0, 401.0]
    assert first.spread is not None and first.spread.tolist() == [0.5, 0.5]
    assert found.plot("count").lines[0].spread is None
    assert found.plot("gone").quantity == "mean"


def test_the_table_shows_gaps_as_gaps(tmp_path: Path) -> None:
    spec = table(tmp_path / "series.csv").spec()
    assert spec["columns"] == ["time", "instrument", "mean", "std", "count"]
    assert spec["rows"][0] == ["2020-01-15", "oco2", "400", "0.5", 10]
    assert spec["rows"][3] == ["2020-02-15", "oco3", "", "", 0]


def test_parquet_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(SERIES)
    pd.read_csv(tmp_path / "a.csv", comment="#", parse_dates=["time"]).to_parquet(tmp_path / "a.parquet")
    found = read_table(Result("Means", tmp_path / "a.parquet", "series"))
    assert found is not None
    assert found.plot("mean").lines[0].y.tolist() == [400.0, 401.0]


def test_what_is_no_series_is_only_a_table(tmp_path: Path) -> None:
    found = table(tmp_path / "a.csv", "region,mean\nChina,400\nIndia,401\n", kind="table")
    assert found.axis == ""
    assert found.spec()["rows"] == [["China", 400], ["India", 401]]


def test_many_points_and_lines_are_thinned_and_counted(tmp_path: Path) -> None:
    count = 50_000
    frame = pd.DataFrame({"depth": np.arange(count), "mean": np.ones(count), "site": np.arange(count) % 20})
    frame["site"] = "s" + frame["site"].astype(str)
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = read_table(Result("Many", tmp_path / "a.csv", "series"))
    assert found is not None
    plot = found.plot("mean")
    assert (len(plot.lines), plot.left_out, plot.is_time) == (MOST_LINES, 8, False)
    assert sum(line.x.size for line in plot.lines) <= MOST_POINTS
    assert len(found.spec()["rows"]) == SHOWN_ROWS
    assert found.spec()["total"] == count


@pytest.mark.parametrize("text", ["", "\x00\x01\x02\x03", 'a,b\n"unclosed\n1', "a,b\n1,2,3,4,5\n"])
def test_a_broken_table_is_a_sentence_and_the_others_are_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "good.csv").write_text(SERIES)
    (tmp_path / "bad.csv").write_text(text)
    results = [Result("Bad", tmp_path / "bad.csv", "series"), Result("Good", tmp_path / "good.csv", "series")]
    tables, problems = tables_of(results)
    assert tables[-1].result.name == "Good"
    assert len(tables) + len(problems) == 2
    assert all("bad.csv: expected a table, found" in sentence for sentence in problems)


def test_a_huge_table_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "a.csv", "wb") as stream:
        stream.truncate(LARGEST_BYTES + 1)
    assert tables_of([Result("Huge", tmp_path / "a.csv", "table")])[1][0].endswith("download it instead.")


def test_other_results_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "map.nc").write_bytes(b"x")
    missing = Result("Gone", tmp_path / "gone.csv", "series")
    assert tables_of([Result("Map", tmp_path / "map.nc", "map"), missing]) == ([], [])


def test_one_row_is_no_line(tmp_path: Path) -> None:
    assert table(tmp_path / "a.csv", "time,mean\n2020-01-01,1\n").axis == ""


@pytest.mark.parametrize("dark", [False, True])
def test_the_figure_holds_the_lines_and_their_key(tmp_path: Path, dark: bool) -> None:
    plot = table(tmp_path / "series.csv").plot("mean")
    item = figure_json(plot, dark=dark)
    assert set(item) >= {"doc", "root_id"}
    key = line_key(plot, dark=dark)
    assert [name for name, *_ in key] == ["oco2", "oco3"]
    assert len({colour for _, colour, _ in key}) == 2
    assert str(item).count("'name': 'Line'") >= 2
