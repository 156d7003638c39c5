"""Servers and browser pages for the comparisons: processes of their own that never outlive the run, and a Chromium without GPU."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.browser.chromium import LAUNCH_ARGUMENTS, ensure_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 180
STOP_SECONDS = 10
ONLY_THIS_HOST = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
"""Names of other hosts fail at once instead of after the resolver's patience; requests need not be intercepted for that."""


class BenchFailed(RuntimeError):
    """A comparison could not be made, and why."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(title: str, arguments: Sequence[str], port: int, log: Path) -> Iterator[psutil.Process]:
    """A Python server (`python -m ARGUMENTS`) that answers at a port; it and its children are gone afterwards.

    Raises
    ------
    BenchFailed : it ended or did not answer in time; with the last line that it wrote.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        handle = psutil.Process(process.pid)
        try:
            _wait_until_it_answers(title, process, port, log)
            yield handle
        finally:
            _end(handle)
            process.wait()


def _wait_until_it_answers(title: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=START_SECONDS):
            return
        time.sleep(0.1)
    state = "did not answer in time" if process.poll() is None else f"ended with code {process.returncode}"
    raise BenchFailed(f"{title} {state}; the last it wrote: {last_line(log)}")


def last_line(log: Path) -> str:
    """The last line of a log that is not empty."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"


def _end(handle: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [handle, *handle.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.terminate()
        _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
        for member in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium without GPU that reaches nothing but this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=ensure_chromium(), args=[*LAUNCH_ARGUMENTS, ONLY_THIS_HOST]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Let a termination signal unwind the stack, so that servers and folders are cleared away then too."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a process so far, user and system."""
    times = process.cpu_times()
    return float(times.user + times.system)


def load() -> float:
    """Mean number of running processes in the last minute; NaN where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
