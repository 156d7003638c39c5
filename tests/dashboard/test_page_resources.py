"""What components bring along is looked up once, and is what Panel itself finds."""

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui
import pytest
from panel.custom import JSComponent
from panel.io.resources import Resources

from dashboard.page_resources import remember_resources


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The look-ups that reach Panel."""
    seen: list[str] = []
    own: Callable[..., None] = getattr(Resources.extra_resources, "__wrapped__", Resources.extra_resources)

    def counted(self: Resources, resources: list[str], resource_type: str) -> None:
        seen.append(resource_type)
        own(self, resources, resource_type)

    monkeypatch.setattr(Resources, "extra_resources", counted)
    return seen


def files(**options) -> tuple[list[str], list[str], list[str]]:
    made = Resources(mode="server", **options)
    return made.css_files, made.js_files, made.js_modules


def test_every_page_gets_what_panel_finds_and_only_the_first_looks_it_up(look_ups):
    pn.extension(notifications=False)
    expected = files()
    assert pmui.Page._bundle_css and any("panel-material-ui.bundle.css" in address for address in expected[0])
    remember_resources()
    assert files() == expected
    look_ups.clear()
    assert files() == expected and look_ups == []


def test_a_component_that_comes_later_brings_its_files(look_ups):
    remember_resources()
    before = files()

    class Later(JSComponent):
        _esm = "export function render() {}"
        __css__ = ["https://example.org/later.css"]

    css, js, modules = files()
    assert (set(css) - set(before[0]), js, modules) == ({"https://example.org/later.css"}, before[1], before[2])
    Later.__css__ = []


def test_asking_twice_changes_nothing(look_ups):
    remember_resources()
    once = Resources.extra_resources
    remember_resources()
    assert Resources.extra_resources is once
