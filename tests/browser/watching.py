"""Pages on which nothing may go wrong unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

OWN = ("http://localhost:", "ws://localhost:", "data:", "blob:")


def watch(page: Page, *, expected: str | None = None) -> Iterator[Page]:
    """A page on which any request to another host, error in a script, dialog of the browser or error message fails the test.

    Parameters
    ----------
    expected : messages with this text are no failure.
    """
    problems: list[str] = []

    def request(sent: Any) -> None:
        if not sent.url.startswith(OWN):
            problems.append(f"left the host: {sent.url}")

    def said(message: Any) -> None:
        if message.type == "error" and (expected is None or expected not in message.text):
            problems.append(f"console: {message.text}")

    page.on("request", request)
    page.on("websocket", request)
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))
    page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
    page.on("console", said)
    yield page
    assert problems == []
