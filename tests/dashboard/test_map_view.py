"""The map's models: sites are made when first asked for, on every map, with the columns that their tooltips name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import ColumnDataSource, LinearColorMapper

from dashboard.ground_sites import site_markers
from dashboard.library import Library
from dashboard.linked import LinkedViews
from dashboard.map_view import SITE_LAYERS, SITE_STYLES, FetchedMap


@pytest.fixture
def map_view(tmp_path: Path) -> FetchedMap:
    mapper = LinearColorMapper(palette=["#000000"], low=0.0, high=1.0)
    return FetchedMap(LinkedViews().browser_models, mapper, site_markers(Library(tmp_path)))


def spec(**changes: Any) -> dict[str, Any]:
    return {"palette": ["#000000", "#ffffff"], "low": 1.0, "high": 2.0, "layers": [], **changes}


def test_sites_are_made_when_their_layer_is_first_switched_on(map_view: FetchedMap) -> None:
    map_view.show(spec())
    assert map_view.link.sites is None
    map_view.show(spec(layers=["cities"]))
    assert set(map_view.link.sites) == {"cities"}
    (source,) = map_view.link.sites["cities"]
    assert isinstance(source, ColumnDataSource)
    map_view.show(spec())
    markers = [renderer for renderer in map_view.figure.renderers if renderer.data_source is source]
    assert [renderer.visible for renderer in markers] == [False]


@pytest.mark.parametrize("layer", SITE_LAYERS)
def test_every_column_that_a_tooltip_names_is_there(map_view: FetchedMap, layer: str) -> None:
    map_view.show(spec(layers=[layer]))
    (source,) = map_view.link.sites[layer]
    assert len(source.data["x"]) > 20
    named = {word for _, text in SITE_STYLES[layer].tooltips for word in text.split() if word.startswith("@")}
    assert {word[1:] for word in named} <= set(source.data)


def test_the_second_map_shares_ranges_and_sites(map_view: FetchedMap) -> None:
    map_view.show(spec(layers=["plants"]))
    map_view.describe(second_title="January 2019", bar_title="ppm", dark=False)
    second = map_view.second_figure
    assert second.title.text == "January 2019"  # also when it was described before it was made
    assert second.x_range is map_view.figure.x_range
    assert second is map_view.second_figure
    assert len(map_view.link.sites["plants"]) == 2
    assert map_view.link.second["fig"] is second


def test_the_spec_travels_as_json_and_colours_reach_the_bar(map_view: FetchedMap) -> None:
    map_view.show(spec(low=399.0, high=412.0))
    assert json.loads(map_view.link.spec)["high"] == 412.0
    assert (map_view.mapper.low, map_view.mapper.high) == (399.0, 412.0)


def test_messages_of_the_browser_reach_the_handler(map_view: FetchedMap) -> None:
    heard: list[dict[str, Any]] = []
    map_view.on_event(heard.append)
    map_view.link.message = json.dumps({"kind": "pick", "n": 1, "lon": 3.0, "lat": 4.0})
    map_view.link.message = json.dumps({"kind": "pick", "n": 2, "lon": 3.0, "lat": 4.0})
    assert [event["n"] for event in heard] == [1, 2]
