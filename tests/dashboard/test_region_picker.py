"""Choosing a region: state and both selects follow one another, and a group that is left takes its region with it."""

import param

from dashboard.region_picker import NO_REGION, RegionPicker

GROUPS = {"World": ["Land", "Ocean"], "China": ["Beijing"]}


class Place(param.Parameterized):
    region = param.String(default="")


def test_the_selects_show_what_the_state_says():
    picker = RegionPicker(state := Place(region="China/Beijing"), GROUPS)
    assert (picker.group.value, picker.name.value) == ("China", "Beijing")
    assert picker.name.options == [NO_REGION, "Beijing"]
    state.region = "World/Ocean"
    assert (picker.group.value, picker.name.value) == ("World", "Ocean")
    state.region = ""
    assert (picker.group.value, picker.name.value) == ("World", NO_REGION)


def test_the_state_follows_what_is_chosen():
    picker = RegionPicker(state := Place(), GROUPS)
    picker.name.value = "Land"
    assert state.region == "World/Land"
    picker.group.value = "China"
    assert (state.region, picker.name.options, picker.name.value) == ("", [NO_REGION, "Beijing"], NO_REGION)
    picker.name.value = "Beijing"
    assert state.region == "China/Beijing"
    picker.name.value = NO_REGION
    assert (state.region, picker.group.value) == ("", "China")


def test_a_region_without_a_name_in_the_lists_shows_as_none_and_is_kept():
    drawn = "polygon:0,0,10,0,10,10"
    picker = RegionPicker(state := Place(region=drawn), GROUPS)
    assert (picker.name.value, state.region) == (NO_REGION, drawn)
    state.region = "World/Nowhere"
    assert (picker.name.value, state.region) == (NO_REGION, "World/Nowhere")


def test_without_any_groups_there_is_nothing_to_choose():
    picker = RegionPicker(Place(), {})
    assert (picker.group.value, picker.name.options) == (None, [NO_REGION])
