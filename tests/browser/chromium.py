"""A Chromium for the browser tests: one that is installed, else Playwright's own, else Debian's package.

`python -m tests.browser.chromium` makes sure that there is one and prints its path; 'make test' runs it first.
`CARBONWEATHER_CHROMIUM` names the program to use.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROGRAM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
OTHER_PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)
LAUNCH_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""No GPU, and a browser that asks for nothing by itself, so that every request seen is the page's own."""

DOWNLOAD_SECONDS = 300
PACKAGE_SECONDS = 600


class NoChromium(Exception):
    """There is no usable Chromium, and why, in one sentence."""


def find_chromium() -> Path | None:
    """The Chromium to test with, or None; NoChromium where `CARBONWEATHER_CHROMIUM` names one that does not run."""
    named = os.environ.get("CARBONWEATHER_CHROMIUM", "").strip()
    if named:
        found = shutil.which(named)
        if found is None or not _runs(Path(found)):
            raise NoChromium(
                f"CARBONWEATHER_CHROMIUM is '{named}', which does not run as a Chromium; correct or unset it."
            )
        return Path(found)
    return next((path for path in _candidates() if _runs(path)), None)


def ensure_chromium() -> Path:
    """As `find_chromium`, but installs one where there is none; NoChromium where that fails too."""
    found = find_chromium()
    if found is not None:
        return found
    for install in (_download_playwrights_own, _install_debian_package):
        problem = install()
        if problem:
            print(problem, file=sys.stderr)
        found = find_chromium()
        if found is not None:
            return found
    raise NoChromium(
        "There is no Chromium for the browser tests and none could be installed; "
        "install Chromium or Chrome, or name its program in CARBONWEATHER_CHROMIUM."
    )


def _candidates() -> Iterator[Path]:
    for name in PROGRAM_NAMES:
        found = shutil.which(name)
        if found:
            yield Path(found)
    yield from (path for path in map(Path, OTHER_PLACES) if path.is_file())
    own = _playwrights_own()
    if own.is_file():
        yield own


def _playwrights_own() -> Path:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


def _runs(program: Path) -> bool:
    """A browser without its system libraries, or the stub of an uninstalled snap, is there but does not start."""
    if sys.platform == "win32":  # chrome.exe --version opens a window there
        return True
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _download_playwrights_own() -> str | None:
    print("No Chromium found; asking Playwright for its own ...", file=sys.stderr)
    return _problem_with([sys.executable, "-m", "playwright", "install", "chromium"], DOWNLOAD_SECONDS)


def _install_debian_package() -> str | None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return "Debian's package needs apt-get and root, which are not here."
    print("Installing Debian's package chromium ...", file=sys.stderr)
    return _problem_with(["apt-get", "update", "-q"], PACKAGE_SECONDS) or _problem_with(
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"], PACKAGE_SECONDS
    )


def _problem_with(arguments: list[str], seconds: float) -> str | None:
    """Run a program; None if it succeeded, else one sentence with what it said."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"'{' '.join(arguments)}' was stopped after {seconds:.0f} s."
    if done.returncode == 0:
        return None
    said = [line.strip() for line in done.stdout.splitlines() if line.strip()] or ["nothing"]
    telling = next((line for line in said if line.startswith(("Error", "E:", "Failed"))), said[-1])
    return f"'{' '.join(arguments)}' failed and said: {telling}"


if __name__ == "__main__":
    try:
        print(f"Chromium for the browser tests: {ensure_chromium()}")
    except NoChromium as problem:
        sys.exit(str(problem))
