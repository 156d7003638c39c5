"""Fixtures for all tests: real data files, data folders of their own, and a real Chromium.

Where CI=true nothing is skipped: a missing folder of real files or a missing browser is a failure there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.browser.chromium import LAUNCH_ARGUMENTS, NoChromium, find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHECKOUT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI", "").strip().lower() in ("true", "1")

# No test fails because a machine is slow; in CI the same examples are tried each time.
settings.register_profile(
    "carbonweather", deadline=None, derandomize=IN_CI, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("carbonweather")


def _cannot_run(reason: str) -> NoReturn:
    if IN_CI:
        pytest.fail(f"{reason} In CI this is a failure.", pytrace=False)
    pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright leaves an event loop running in the main thread for the rest of the session."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real data files: CARBONWEATHER_REAL, else ../shared/real beside the checkout."""
    folder = Path(os.environ.get("CARBONWEATHER_REAL", "").strip() or CHECKOUT.parent / "shared" / "real")
    if not folder.is_dir():
        _cannot_run(f"There are no real data files: {folder} is not a folder; name theirs in CARBONWEATHER_REAL.")
    return folder.resolve()


@pytest.fixture(scope="session", autouse=True)
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty data folder for the whole session, in force everywhere, so that no test touches the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("session-home")
        patch.setenv("CARBONWEATHER_HOME", str(folder))
        yield folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder for this test alone, in force through CARBONWEATHER_HOME."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("CARBONWEATHER_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The Chromium program that browser tests use."""
    try:
        found = find_chromium()
    except NoChromium as problem:
        pytest.fail(str(problem), pytrace=False)
    if found is None:
        _cannot_run("There is no Chromium; 'python -m tests.browser.chromium' installs one.")
    return found


@pytest.fixture(scope="session")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """A headless Chromium without GPU, shared by the session."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(LAUNCH_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page of 1440x900 with storage and cookies of its own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()
