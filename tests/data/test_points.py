"""What all readers of soundings share: identifiers, times, and what becomes of rows that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import FileProblem
from data.readers.points import ids_from_times, soundings, times_from_ids, unique_ids

moments = st.integers(0, 4_000_000_000_000).map(lambda ms: np.datetime64(ms, "ms"))


@given(st.lists(moments, min_size=1, max_size=30))
def test_identifiers_hold_the_time(times):
    times = np.array(times)
    ids = ids_from_times(times)
    np.testing.assert_array_equal(times_from_ids(ids // 1000), times.astype("datetime64[s]"))
    assert [str(number)[-3:] for number in ids] == [f"{int(t.astype(int)) % 1000:03d}" for t in times]


def test_identifiers_of_missing_times_and_the_reverse():
    assert ids_from_times(np.array(["NaT", "2015-01-31T07:36:43.889"], "datetime64[ns]")).tolist() == [
        0,
        20150131073643889,
    ]
    times = times_from_ids(np.array([2015011418204371, 20150114182043, 0, 2015011499999999, 2015991418204371]))
    assert times[0] == np.datetime64("2015-01-14T18:20:43.700", "ns")
    assert times[1] == np.datetime64("2015-01-14T18:20:43", "ns")
    assert np.isnat(times[2:]).all()


@given(st.lists(st.integers(0, 9_000_000_000_000_000_000) | st.integers(0, 3), min_size=1, max_size=60))
def test_identifiers_become_unique(ids):
    out = unique_ids(np.array(ids, dtype=np.int64))
    assert out.dtype == np.int64 and np.unique(out).size == out.size
    if len(set(ids)) == len(ids):
        assert out.tolist() == ids


def make(count=3, **changes):
    options = {
        "expected": "soundings",
        "time": np.datetime64("2020-01-01", "ns") + np.arange(count) * np.timedelta64(1, "s"),
        "lat": np.arange(count, dtype=np.float32),
        "lon": np.array([0.0, 180.0, 359.0])[:count],
        "columns": {"xco2": (np.full(count, 400.0), {"units": "ppm"}), "kernel": (np.ones((count, 2)), {})},
        "main": "xco2",
    }
    return soundings("file.nc", **(options | changes))


def test_positions_are_canonical():
    data = make()
    np.testing.assert_array_equal(data["lon"], [0, -180, -1])
    assert data["lat"].dtype == np.float64 and data["kernel"].dims == ("sounding", "level")
    assert data["sounding_id"].to_numpy().tolist() == [20200101000000, 20200101000001, 20200101000002]
    assert (data["quality_flag"] == -1).all() and data.attrs == {}


def test_unusable_rows_go_and_are_counted():
    data = make(lat=np.array([91.0, np.nan, 5.0]))
    assert data.sizes["sounding"] == 1 and data.attrs["note"] == "2 soundings without time or place left out"
    data = make(time=np.array(["1900-01-01", "NaT", "2020-01-01"], "datetime64[ns]"))
    assert data["lat"].to_numpy().tolist() == [2.0]


def test_equal_rows_are_one_but_equal_times_are_not():
    times = np.full(3, np.datetime64("2020-01-01", "ns"))
    assert make(time=times).sizes["sounding"] == 3
    same = make(time=times, lat=np.zeros(3), lon=np.zeros(3))
    assert same.sizes["sounding"] == 1 and same.attrs["note"] == "2 repeated soundings left out"
    with_ids = make(ids=np.array([7, 7, 8]))
    assert with_ids["sounding_id"].to_numpy().tolist() == [70, 71, 80]


@pytest.mark.parametrize(("changes", "found"), [
    ({"count": 0, "lon": np.empty(0)}, "no soundings;"),
    ({"lat": np.full(3, np.nan)}, "no soundings with time, latitude and longitude;"),
    ({"columns": {"xco2": (np.full(3, np.nan), {})}}, "no soundings with a value of xco2;"),
])  # fmt: skip
def test_nothing_usable_is_refused(changes, found):
    with pytest.raises(FileProblem, match=f"found {found}"):
        make(**changes)
