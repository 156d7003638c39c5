"""The Atmosphere page without a browser: addresses, what is shown, the table, downloads."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from analysis.statistics.stability import zone_table
from dashboard.atmosphere_download import KINDS, NoDownload, atmosphere_file
from dashboard.atmosphere_page import AtmospherePage
from dashboard.atmosphere_shown import (
    Volumes,
    axis_edges,
    axis_of,
    history,
    moment,
    stability_key,
    stability_of,
    steps_of_span,
    value_limits,
    zone_shape,
)
from dashboard.atmosphere_state import AtmosphereState, VolumeChoice
from dashboard.atmosphere_words import about_text, empty_html, summary_html, zone_html
from dashboard.downloads import produce
from dashboard.library import Library
from dashboard.regions import region_exists
from data.errors import DataError
from data.home import volumes_dir
from data.readers import read
from data.volumes import VolumeStore
from tests.data.level_files import LON, PARTS, level_file

CHOICES = {
    "a": VolumeChoice("a", "A", ("co2", "co2_bio"), ("2020-01", "2020-02", "2020-03")),
    "b": VolumeChoice("b", "B", ("co2_bg",), ("2020-01-01T01:30", "2020-01-01T04:30")),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A data folder with 14 months of a known field: 400 + level + 10 a month + a tenth a row."""
    root = tmp_path_factory.mktemp("atmosphere")
    path = root / "known.molefrac_glb3x2_2020-01.nc"
    level_file(path, times=tuple(7305.0 + 15 + 30.5 * month for month in range(14)), attrs={"title": "Known <field>"})
    VolumeStore(volumes_dir(root)).append(read(path))
    return root


@pytest.fixture
def state(root) -> AtmosphereState:
    state = AtmosphereState()
    assert state.apply_query("top=12", Volumes(root).choices(), region_exists) == []
    return state


# ------------------------------------------------------------------------------------------------------------ addresses
def test_an_address_comes_back_as_it_was():
    state = AtmosphereState()
    query = (
        "data=a&component=co2_bio&time=2020-02&axis=hpa&top=20&along=meridian&region=Countries/China&span=year&trend=in"
        "&limits=0.3,2&colours=magma"
    )
    assert state.apply_query(query, CHOICES, region_exists) == []
    assert state.to_query() == query
    again = AtmosphereState()
    assert again.apply_query(state.to_query(), CHOICES, region_exists) == []
    assert again.param.values() | {"name": ""} == state.param.values() | {"name": ""}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("data=gone", "'gone' is not here"),
        ("component=ch4", "not a component"),
        ("time=1999-01", "no data for 1999-01; showing 2020-01"),
        ("time=soon", "no data for soon; showing 2020-03"),
        ("axis=miles", "'miles' is not a choice"),
        ("top=1e9", "not a top"),
        ("point=1,2,3", "not a longitude and a latitude"),
        ("point=0,nan", "not a longitude and a latitude"),
        ("region=Countries/Atlantis", "no region"),
        ("region=poly:1,2", "no region"),
        ("limits=0,1", "limits of the stability zone"),
        ("limits=nan,1", "limits of the stability zone"),
        ("colours=pink", "not a colour map"),
        ("x" * 9000, "too long"),
        ("&".join("a=1" for _ in range(500)), "too many parts"),
    ],
)
def test_bad_addresses_are_repaired_and_said(query, words):
    state = AtmosphereState()
    repairs = state.apply_query(query, CHOICES, region_exists)
    assert len(repairs) == 1 and words in repairs[0]
    assert state.volume == "a" and state.component == "co2" and state.time in CHOICES["a"].times


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_an_address(text):
    state = AtmosphereState()
    state.apply_query(text, CHOICES, lambda region: False)
    state.apply_query(f"point={text}&limits={text}&time={text}&top={text}", CHOICES, lambda region: False)
    assert state.volume == "a"


def test_longitudes_of_any_turn_and_an_empty_folder():
    state = AtmosphereState()
    state.apply_query("point=476.4,39.9", CHOICES, region_exists)
    assert state.point == pytest.approx((116.4, 39.9))
    assert state.apply_query("", {}, region_exists) == [] and state.volume == ""


def test_component_and_time_follow_the_data_set():
    state = AtmosphereState()
    state.apply_query("data=a&time=2020-02", CHOICES, region_exists)
    assert state.fit(CHOICES["b"]) == {"component": "co2_bg", "time": "2020-01-01T04:30"}


# ---------------------------------------------------------------------------------------------------------- what is shown
def test_one_moment(root, state):
    volume = Volumes(root).get(state.volume)
    state.param.update(time="2020-03", point=(14.0, 61.0))
    found = moment(volume, state)
    assert found.heading == "Total CO₂, zonal mean, March 2020"
    assert found.section.values.shape == (60, 9) and found.columns.shape == (9, 12)
    assert found.profile.column_ppm == pytest.approx(422.7, abs=2e-3) and found.place == "61.00°N 14.00°E"
    state.param.update(along="meridian", region="World and latitude bands/Northern hemisphere")
    wide = moment(volume, state)
    assert wide.profile.count == 60 and "along" in wide.heading and wide.place == "Northern hemisphere"
    assert "mean of 60 columns" in summary_html(wide, state, simulated=False)
    assert "simulated" in summary_html(wide, state, simulated=True)


def test_history_and_limits_hold_all_times(root, state):
    volume = Volumes(root).get(state.volume)
    found = history(volume, state)
    assert found.section.values.shape == (60, 14)
    low, high = value_limits(volume, state)[0]
    assert low <= 401 and high >= 530


def test_spans_choose_their_times(root, state):
    volume = Volumes(root).get(state.volume)
    counts = {}
    for span in ("all", "year", "month", "weather"):
        state.param.update(span=span, time="2020-05")
        counts[span] = steps_of_span(volume, state).size
    assert counts == {"all": 14, "year": 12, "month": 1, "weather": 14}
    keys = set()
    for time in ("2020-05", "2020-06", "2021-01"):
        state.param.update(span="year", time=time)
        keys.add(stability_key(volume, state))
    assert len(keys) == 2  # May and June belong to one year


def test_the_zone_on_both_axes_is_the_same_place(root, state):
    volume = Volumes(root).get(state.volume)
    state.param.update(gradient_limit=0.3, variation_limit=1.0)
    km = zone_table(stability_of(volume, state), gradient_limit=0.3, variation_limit=1.0, detrended=True)
    state.axis = "hpa"
    hpa = zone_table(stability_of(volume, state), gradient_limit=0.3, variation_limit=1.0, detrended=True)
    assert [row.zone is None for row in km] == [row.zone is None for row in hpa]
    both = [(one.zone, other.zone) for one, other in zip(km, hpa, strict=True) if one.zone and other.zone]
    assert both and all(one.depth_km == pytest.approx(other.depth_km, abs=1.2) for one, other in both)


def test_the_zones_outline_lies_where_its_limits_are_met(root, state):
    volume = Volumes(root).get(state.volume)
    found = stability_of(volume, state)
    shape = zone_shape(found, state)
    assert shape.xs and len(shape.xs) == len(shape.ys)
    low, high = axis_edges(axis_of(state))
    for xs, ys in zip(shape.xs, shape.ys, strict=True):
        for polygon_x, polygon_y in zip(xs, ys, strict=True):
            for ring_x, ring_y in zip(polygon_x, polygon_y, strict=True):
                assert len(ring_x) == len(ring_y) > 2 and min(ring_y) >= low and max(ring_y) <= high
    state.param.update(detrended=False)  # 10 ppm a month
    assert zone_shape(found, state).xs == [] and all(row.zone is None for row in zone_shape(found, state).rows)


def test_words_escape_what_comes_from_outside(root, state):
    volume = Volumes(root).get(state.volume)
    found = stability_of(volume, state)
    table = zone_html(zone_shape(found, state).rows, found, state, 65.0)
    assert "|dC/dz| ≤ 0.5 ppm/km" in table and 'class="here"' in table and "14 times" in table
    assert "<script>" not in empty_html("<script>") and "data import" in empty_html()
    assert "5 levels" in about_text(volume)


# --------------------------------------------------------------------------------------------------------------- the page
def test_the_page_fills_itself_and_follows_its_state(root):
    page = AtmospherePage(Library(root), "top=12&point=14,61&time=2020-03")
    page.main()
    page.poll()
    assert page.moment is not None and page.history is not None and page.stability is not None
    assert page.content.visible and not page.empty.visible and page.notice.visible is False
    assert "422.70 ppm" in page.summary.object and "Stability zone" in page.table.object
    assert "time=2020-03" in page.address.query
    before = page.stability
    page.state.param.update(variation_limit=2.0)
    assert page.stability is before and "≤ 2 ppm" in page.table.object  # nothing is read again
    page.state.axis = "hpa"
    assert page.stability is not before and page.views.section.yaxis[0].axis_label == "hPa"
    page.go_to("-61, 200")
    assert page.state.point == (-160.0, -61.0)
    page.go_to("nowhere")
    assert page.notice.visible and "not a latitude" in page.notice.object
    page.controls.region.name.value = NORTH
    assert page.state.region == f"World and latitude bands/{NORTH}" and "60 columns" in page.summary.object
    page.state.span = "month"
    assert "at least three times" in page.table.object


NORTH = "Northern hemisphere"


def test_a_regional_data_set_begins_in_its_middle(tmp_path):
    path = tmp_path / "CT2022.molefrac_nam1x1_2020-01-01.nc"
    level_file(path, times=(7305.1, 7305.2, 7305.3), lon=LON[:4])
    VolumeStore(volumes_dir(tmp_path)).append(read(path))
    page = AtmospherePage(Library(tmp_path))
    page.main()
    page.poll()
    assert page.state.point == (-120.0, 0.0) and page.moment is not None and not page.notice.visible
    assert "component=co2" in page.address.query and page.stability is not None


def test_components_without_their_pressure_say_what_is_missing(tmp_path):
    path = tmp_path / "CT2022.molefrac_components_glb3x2_2020-01-01.nc"
    level_file(path, parts=PARTS, geometry=False)
    VolumeStore(volumes_dir(tmp_path)).append(read(path))
    page = AtmospherePage(Library(tmp_path))
    page.main()
    page.poll()
    assert page.notice.visible and "molefrac_glb3x2" in page.notice.object
    assert "at least three times" in page.table.object


def test_back_in_history_is_an_address_like_any_other(root):
    page = AtmospherePage(Library(root), "top=12")
    page.main()
    page.poll()
    first = page.address.query
    page.state.time = "2020-06"
    assert "time=2020-06" in page.address.query
    page.address.query = first
    assert page.state.to_query() == first and page.controls.player.value == page.state.time


def test_an_empty_folder_says_what_to_import_and_fills_when_it_is_there(tmp_path):
    page = AtmospherePage(Library(tmp_path))
    page.main()
    page.poll()
    assert page.empty.visible and "molefrac" in page.empty.object and not page.content.visible
    assert not any(widget.visible for widget in page.controls.widgets)
    path = tmp_path / "known.molefrac_glb3x2_2020-01.nc"
    level_file(path, times=(7305.0, 7335.0, 7365.0))
    VolumeStore(volumes_dir(tmp_path)).append(read(path))
    page.poll()
    assert not page.empty.visible and page.content.visible and page.stability is not None
    assert all(widget.visible for widget in page.controls.widgets)


# --------------------------------------------------------------------------------------------------------------- downloads
def test_profile_and_zone_as_tables(root):
    body, name, media = atmosphere_file("atmosphere.profile.csv", "top=12&point=14,61&time=2020-03", root)
    table = pd.read_csv(io.BytesIO(body), comment="#")
    assert list(table) == ["height_km", "co2_ppm"] and len(table) == 60 and name.endswith(".csv") and "csv" in media
    assert b"pressure-weighted dry column mean: 422.7" in body
    body, _, _ = atmosphere_file("atmosphere.zone.csv", "top=12&axis=hpa", root)
    zones = pd.read_csv(io.BytesIO(body), comment="#")
    assert {"south", "bottom_hpa", "top_hpa", "depth_km", "variation_ppm"} <= set(zones)
    assert (zones["bottom_hpa"].dropna() > zones["top_hpa"].dropna()).all()
    assert b"variation_limit_ppm" in body


def test_sections_as_netcdf_and_picture(root):
    body, _, _ = atmosphere_file("atmosphere.section.nc", "top=12&time=2020-03", root)
    section = xr.open_dataset(io.BytesIO(body), engine="h5netcdf")
    assert {"co2", "gradient", "variation", "stability_margin"} <= set(section) and section["co2"].attrs[
        "units"
    ] == "ppm"
    assert "known" in section.attrs["address"] and section.attrs["Conventions"] == "CF-1.11"
    body, _, _ = atmosphere_file("atmosphere.history.nc", "top=12&point=14,61", root)
    over_time = xr.open_dataset(io.BytesIO(body), engine="h5netcdf")
    np.testing.assert_allclose(np.diff(over_time["column_mean"]), 10.0, atol=2e-3)
    body, _, _ = atmosphere_file("atmosphere.section.png", "top=12&span=month", root)  # no zone: not enough times
    picture = Image.open(io.BytesIO(body))
    assert picture.size[0] > 1000 and "three times" in picture.text["Settings"]


def test_downloads_that_cannot_be(root, tmp_path):
    with pytest.raises(NoDownload, match="no download"):
        atmosphere_file("atmosphere.section.exe", "", root)
    with pytest.raises(NoDownload, match="import some first"):
        atmosphere_file("atmosphere.zone.csv", "", tmp_path)
    with pytest.raises(NoDownload, match="three times"):
        atmosphere_file("atmosphere.zone.csv", "span=month", root)
    with pytest.raises(DataError):
        produce("atmosphere.nothing", "", Library(root))
    assert produce("atmosphere.profile.csv", "", Library(root)).body.startswith(b"# title:")
    assert set(KINDS) == {
        f"atmosphere.{kind}" for kind in ("section.png", "section.nc", "history.nc", "profile.csv", "zone.csv")
    }
