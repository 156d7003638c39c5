"""The view as an address: what is written is read back, and nothing that people can type breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.state import (
    COMPARE_MODES,
    LAYERS,
    MAX_POLYGON_VERTICES,
    PROJECTIONS,
    CubeChoice,
    ViewState,
    home_view,
    is_monthly,
    polygon_text,
    polygon_vertices,
    time_label,
)

MONTHS = tuple(str(month) for month in np.arange("2015-01", "2022-01", dtype="datetime64[M]"))
CUBES = {
    "demo-xco2": CubeChoice("demo-xco2", ("xco2", "xco2_std"), MONTHS, -180.0, 180.0, -90.0, 90.0),
    "los-angeles": CubeChoice("los-angeles", ("xco2",), ("2020-03-01T20:11", "2022-10-05"), -119.0, -117.0, 33.0, 35.0),
}


def region_known(name: str) -> bool:
    return name in ("Countries/China", "Continents/Asia")


def opened(query: str) -> tuple[ViewState, list[str]]:
    state = ViewState()
    return state, state.apply_query(query, CUBES, region_known)


def test_an_empty_address_shows_the_newest_map_of_the_first_cube() -> None:
    state, repairs = opened("")
    assert repairs == []
    assert (state.cube, state.variable, state.time) == ("demo-xco2", "xco2", "2021-12")
    assert (state.lon, state.lat, state.span) == (0.0, 0.0, 360.0)


@given(
    time=st.sampled_from(MONTHS),
    compare=st.sampled_from(COMPARE_MODES),
    projection=st.sampled_from(PROJECTIONS),
    lon=st.floats(-180, 179.9),
    lat=st.floats(-90, 90),
    span=st.floats(0.06, 360),
    layers=st.sets(st.sampled_from(LAYERS)),
    point=st.none() | st.tuples(st.floats(-180, 179.99), st.floats(-90, 90)),
    region=st.sampled_from(["", "Countries/China", "poly:1.00,2.00;3.00,4.00;5.00,1.50"]),
    manual=st.booleans(),
)
def test_every_view_survives_its_own_address(
    time, compare, projection, lon, lat, span, layers, point, region, manual
) -> None:
    before = ViewState()
    before.param.update(
        cube="demo-xco2",
        variable="xco2_std",
        time=time,
        compare=compare,
        projection=projection,
        lon=lon,
        lat=lat,
        span=span,
        layers=[layer for layer in LAYERS if layer in layers],
        point=point,
        region=region,
        palette="cividis",
        limits="manual" if manual else "all",
        low=399.5,
        high=412.25,
    )
    if compare != "off":
        before.param.update(compare_cube="los-angeles", compare_time="2022-10-05")
    after, repairs = opened(before.to_query())
    assert repairs == []
    for name in (
        "cube",
        "variable",
        "time",
        "compare",
        "compare_cube",
        "compare_time",
        "projection",
        "layers",
        "region",
        "palette",
        "limits",
    ):
        assert getattr(after, name) == getattr(before, name), name
    assert (after.lon, after.lat, after.span) == pytest.approx((lon, lat, span), abs=1e-4)
    if point is None:
        assert after.point is None
    else:
        assert (after.point[0] - point[0] + 180) % 360 - 180 == pytest.approx(0, abs=1e-3)
        assert after.point[1] == pytest.approx(point[1], abs=1e-4)
    if manual:
        assert (after.low, after.high) == (399.5, 412.25)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("cube=gone", "'gone' is not here"),
        ("cube=demo-xco2&var=ch4", "'ch4' is not a variable"),
        ("time=1999-01", "nearest, 2015-01"),
        ("time=yesterday", "'yesterday' is not a time"),
        ("compare=sideways", "not a way to compare"),
        ("compare=side&with=gone", "'gone' to compare with"),
        ("at=1,2", "not a place on the map"),
        ("at=nan,0,10", "not a place on the map"),
        ("at=0,0,-5", "not a place on the map"),
        ("proj=globe", "'globe' is not a projection"),
        ("colours=jet", "'jet' is not a colour map"),
        ("limits=420,400", "not two rising numbers"),
        ("layers=coastlines.rivers", "no layer 'rivers'"),
        ("point=here", "not a longitude and a latitude"),
        ("region=Countries/Atlantis", "no region 'Countries/Atlantis'"),
        ("region=poly:1,2;3,4", "not a polygon"),
        ("x" * 9000, "too long"),
        ("&".join("a=1" for _ in range(500)), "too many parts"),
    ],
)
def test_a_wrong_address_is_repaired_and_said_in_one_sentence(query: str, said: str) -> None:
    state, repairs = opened(query)
    assert len(repairs) == 1
    assert said in repairs[0]
    assert repairs[0].endswith(".")
    _, again = opened(state.to_query())
    assert again == []


@given(st.text(max_size=300))
def test_no_text_at_all_breaks_the_address(text: str) -> None:
    state, repairs = opened(text)
    assert state.cube in CUBES
    assert state.time in CUBES[state.cube].times
    assert all(len(sentence) < 250 for sentence in repairs)


@given(
    st.dictionaries(
        st.sampled_from(["cube", "var", "time", "at", "point", "region", "limits", "layers", "with"]),
        st.text(max_size=60),
    )
)
def test_no_value_breaks_a_key(given_values: dict[str, str]) -> None:
    state, _ = opened("&".join(f"{key}={value}" for key, value in given_values.items()))
    assert -90 <= state.lat <= 90
    assert 0.05 <= state.span <= 720


def test_without_any_cube_there_is_still_a_state() -> None:
    state = ViewState()
    state.apply_query("cube=demo", {}, region_known)
    assert state.cube == ""
    assert state.to_query()


def test_a_regional_cube_opens_on_itself() -> None:
    state, _ = opened("cube=los-angeles")
    assert state.lon == pytest.approx(-118.0)
    assert state.lat == pytest.approx(34.0)
    assert 2.0 < state.span < 10.0
    assert home_view(None) == (0.0, 0.0, 360.0)


def test_time_labels_name_months_days_and_moments() -> None:
    assert time_label(np.datetime64("2021-07-16T12:00"), monthly=True) == "2021-07"
    assert time_label(np.datetime64("2021-07-16"), monthly=False) == "2021-07-16"
    assert time_label(np.datetime64("2021-07-16T06:30:40"), monthly=False) == "2021-07-16T06:30"


def test_monthly_is_recognised_by_its_days() -> None:
    months = np.arange("2020-01", "2021-01", dtype="datetime64[M]")
    assert is_monthly(months.astype("datetime64[ns]"))
    assert is_monthly(months.astype("datetime64[D]") + 14)
    assert not is_monthly(np.array(["2020-03-05", "2020-07-09"], dtype="datetime64[ns]"))
    assert not is_monthly(np.array(["2006-01-01T06", "2006-01-01T12"], dtype="datetime64[ns]"))


def test_a_drawn_polygon_is_thinned_to_what_an_address_holds() -> None:
    turn = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    text = polygon_text([(10 * np.cos(a), 10 * np.sin(a)) for a in turn])
    vertices = polygon_vertices(text)
    assert vertices is not None
    assert 300 < len(vertices) <= MAX_POLYGON_VERTICES
    assert np.hypot(*np.array(vertices).T) == pytest.approx(10.0, abs=0.02)
