"""The browser that the other browser tests use: found, started, and silent towards the outside."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.browser.chromium import NoChromium, _problem_with, find_chromium


@pytest.mark.browser
def test_page_draws_and_runs_scripts(page):
    page.set_content("<h1>ready</h1><script>document.title = `${innerWidth}x${innerHeight}`</script>")
    assert page.inner_text("h1") == "ready"
    assert page.title() == "1440x900"


def test_named_program_is_used(chromium_path, monkeypatch):
    monkeypatch.setenv("CARBONWEATHER_CHROMIUM", str(chromium_path))
    assert find_chromium() == Path(chromium_path)


def test_named_program_that_does_not_run_is_refused(tmp_path, monkeypatch):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("CARBONWEATHER_CHROMIUM", str(broken))
    with pytest.raises(NoChromium, match="does not run as a Chromium"):
        find_chromium()


def test_an_installation_that_fails_says_why_in_one_line():
    script = "import sys; print('Error: no such host'); print('at line 3'); sys.exit(1)"
    assert _problem_with([sys.executable, "-c", script], 60).endswith("failed and said: Error: no such host")
    assert _problem_with([sys.executable, "-c", "pass"], 60) is None


def test_an_installation_that_hangs_is_stopped():
    assert "was stopped after 1 s" in _problem_with([sys.executable, "-c", "import time; time.sleep(60)"], 1)
