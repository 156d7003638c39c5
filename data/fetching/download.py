"""One file over HTTP: resumed where it broke off, patient with busy servers, gentle with all.

Pooch, which this program uses for checksums and repositories, begins each attempt at the first byte and believes
whatever length arrives; with files of 60 MB to 5 GB over long lines that never ends. So this is our own: a later
attempt asks for the rest with ``Range`` and ``If-Range`` (RFC 9110, sections 13 and 14), and starts over where the
server's version has changed or the server knows no ranges.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from data.errors import StoreProblem
from data.fetching.partial import FetchStopped, Partial, Progress, Remote, Report, disk_words, need_space, wrong_size

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

BLOCK = 1 << 16
"""Bytes at a time; what has come of a block when the connection breaks is lost, so it is small."""
TIMEOUT_S = (20.0, 90.0)
"""Seconds to connect, and without a byte."""
FRUITLESS_ATTEMPTS = 5
"""Attempts in a row that bring nothing new before we give up."""
MOST_ATTEMPTS = 500
"""Attempts in all: a server that sends a few bytes and hangs up must not keep us for ever."""
PATIENCE_S = 300.0
"""The longest Retry-After that we wait for; beyond it the user is told to come back."""
LISTING_BYTES = 64 << 20
"""No listing is longer."""


class Interrupted(Exception):
    """An attempt ended early for a reason that may pass; `retry_after_s` is what the server asks for, if it does."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass
class RateLimit:
    """At most `per_second` requests a second, evenly spaced; `clock` and `sleep` can be replaced."""

    per_second: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: float = field(default=float("-inf"), repr=False)

    def wait(self) -> None:
        """Return as soon as one more request is allowed."""
        now = self.clock()
        if now < self._next:
            self.sleep(self._next - now)
            now = self._next
        self._next = now + 1.0 / self.per_second


def _silent(_: Progress) -> None:
    return None


@dataclass
class Line:
    """The line to a provider: with which session, how often at most, who is told, how we wait."""

    session: requests.Session
    limit: RateLimit
    report: Report = _silent
    sleep: Callable[[float], None] = time.sleep


def patiently(
    attempt: Callable[[], T], *, line: Line, name: str, host: str, reached: Callable[[], int] = lambda: 0
) -> T:
    """Call `attempt` until it succeeds; on `Interrupted` wait (Retry-After, else 1, 2, 4 ... s) and try again.

    Parameters
    ----------
    reached : bytes that are there; while they become more, patience begins anew.

    Raises
    ------
    StoreProblem : the server does not come round.
    """
    fruitless, best, reason = 0, reached(), ""
    for _ in range(MOST_ATTEMPTS):
        try:
            return attempt()
        except Interrupted as error:
            fruitless = 0 if reached() > best else fruitless + 1
            best, reason = max(best, reached()), str(error)
            delay = min(60.0, 2.0**fruitless / 2.0) if error.retry_after_s is None else error.retry_after_s
        if delay > PATIENCE_S:
            raise StoreProblem(
                f"{host} asks to wait {delay:.0f} s before {name} ({reason}); fetch again then, what has come is kept."
            )
        if fruitless >= FRUITLESS_ATTEMPTS:
            break
        line.report(Progress(name, reached(), None, f"{reason}; trying again in {delay:g} s"))
        line.sleep(delay)
    raise StoreProblem(f"{host} does not deliver {name} ({reason}); fetch again later, what has come is kept.")


def download(remote: Remote, target: Path, line: Line) -> bool:
    """Fetch `remote` to `target`; False if the server says that the copy at `target` is still the newest.

    Raises
    ------
    FileProblem : wrong length or checksum; nothing stays.
    FetchStopped : a sign-in is needed, or there is no space on the disk.
    StoreProblem : not there, or the server does not answer; the part stays and is continued next time.
    """
    with disk_words(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    partial = Partial(target)
    begun: list[int] = []  # where each request began to write
    started_over = False

    def attempt() -> bool:
        return _attempt(remote, partial, line, begun)

    while True:
        if not patiently(attempt, line=line, name=remote.name, host=remote.host, reached=lambda: partial.size):
            return False
        problem = partial.wrong(remote)
        if problem is None:
            with disk_words(target):
                partial.finish()
            return True
        partial.drop()
        if started_over or not any(begun):  # one version from first to last byte: it is the provider's fault
            raise problem
        started_over = True
        begun.clear()
        line.report(Progress(remote.name, 0, remote.size, "the pieces do not fit together; starting over"))


def read_text(url: str, line: Line, *, what: str) -> str:
    """A listing, asked for as patiently as a file; StoreProblem where it cannot be had."""
    import requests

    remote = Remote(url, what)

    def attempt() -> str:
        line.limit.wait()
        try:
            with line.session.get(url, timeout=TIMEOUT_S, stream=True) as response:
                _check_status(response, remote)
                content = bytearray()
                for block in response.iter_content(BLOCK):
                    content += block
                    if len(content) > LISTING_BYTES:
                        raise StoreProblem(f"{remote.host} sends endless text as {what}; tell the provider.")
        except requests.RequestException as error:
            raise _translated(error, remote) from None
        return content.decode("utf-8", "replace")

    return patiently(attempt, line=line, name=what, host=remote.host)


def _attempt(remote: Remote, partial: Partial, line: Line, begun: list[int]) -> bool:
    """One request: from the end of the part, or from the beginning. `begun` gets where it began to write."""
    import requests

    offset, known = partial.resume(remote)
    if offset and known.get("total") == offset:
        begun.append(offset)
        return True  # all of it came in an earlier attempt
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if known.get("validator"):
            headers["If-Range"] = known["validator"]
    elif remote.may_change and partial.target.is_file():
        headers["If-Modified-Since"] = formatdate(partial.target.stat().st_mtime, usegmt=True)
    line.limit.wait()
    try:
        with line.session.get(remote.url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            if response.status_code == 304 and "If-Modified-Since" in headers:
                return False
            _check_status(response, remote)
            with disk_words(partial.target):
                offset, total = _place(response, remote, partial, offset, known)
                begun.append(offset)
                _write(response, remote, partial, line, offset, total)
    except requests.RequestException as error:
        raise _translated(error, remote) from None
    return True


def _check_status(response: requests.Response, remote: Remote) -> None:
    """Raise for every answer that is not the file."""
    code = response.status_code
    if code in (200, 206):
        kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if kind == "text/html" and not remote.name.lower().endswith((".html", ".htm")):
            raise FetchStopped(f"{remote.host} answers with a web page instead of {remote.name}; {remote.if_refused}.")
    elif code == 416:
        return
    elif code in (401, 403, 407):
        raise FetchStopped(f"{remote.host} does not hand out {remote.name} (HTTP {code}); {remote.if_refused}.")
    elif code in (408, 425, 429) or code >= 500:
        raise Interrupted(f"HTTP {code}", retry_after_s=_retry_after(response))
    else:
        raise StoreProblem(
            f"{remote.host} has no {remote.name} (HTTP {code}, {remote.url}); see whether the provider has moved it."
        )


def _retry_after(response: requests.Response) -> float | None:
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    value = response.headers.get("Retry-After")
    try:
        return None if value is None else max(0.0, Retry().parse_retry_after(value))
    except InvalidHeader:
        return None


def _place(
    response: requests.Response, remote: Remote, partial: Partial, offset: int, known: dict[str, Any]
) -> tuple[int, int | None]:
    """Where the bytes of this answer belong and how many there are in all; the part is emptied if it starts over."""
    if response.status_code == 416:
        partial.drop()
        raise Interrupted("the server has fewer bytes than have come")
    if response.status_code == 206:
        total = _continued(response, partial, offset, known)
    else:
        offset, total = 0, _begun(response, remote, partial)
    need_space(partial.target.parent, (total or remote.size or 0) - offset)
    return offset, total


def _continued(response: requests.Response, partial: Partial, offset: int, known: dict[str, Any]) -> int | None:
    """Length of the whole file, after making sure that this answer is the rest of the part that we have."""
    place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if place is None or int(place[1]) != offset or not offset or _encoded(response):
        partial.drop()
        raise Interrupted("the server sends another part than we asked for")
    total = int(place[2]) if place[2] != "*" else known.get("total")
    etag, validator = response.headers.get("ETag"), known.get("validator") or ""
    other_tag = bool(etag) and validator.startswith('"') and etag != validator
    if other_tag or (known.get("total") is not None and total != known["total"]):
        partial.drop()
        raise Interrupted("the file has changed on the server")
    return total


def _begun(response: requests.Response, remote: Remote, partial: Partial) -> int | None:
    """Length of the file that begins with this answer; what identifies its version is noted."""
    headers, length = response.headers, response.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() and not _encoded(response) else None
    if remote.size is not None and total is not None and total != remote.size:
        partial.drop()
        raise wrong_size(remote, partial.target, f"{total} bytes on offer at {remote.host}")
    etag, modified = headers.get("ETag", ""), headers.get("Last-Modified")
    strong = etag if etag.startswith('"') else modified  # If-Range takes no weak tag
    partial.begin(remote, validator=None if _encoded(response) else strong, total=total, modified=modified)
    return total


def _encoded(response: requests.Response) -> bool:
    return response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")


def _write(
    response: requests.Response, remote: Remote, partial: Partial, line: Line, offset: int, total: int | None
) -> None:
    received = offset
    with open(partial.part, "ab" if offset else "wb") as stream:
        line.report(Progress(remote.name, received, total))
        for block in response.iter_content(BLOCK):
            stream.write(block)
            received += len(block)
            line.report(Progress(remote.name, received, total))
        stream.flush()
        os.fsync(stream.fileno())
    if total is None:
        partial.complete()
    elif received > total:
        partial.drop()
        raise Interrupted("more bytes came than were announced")
    elif received < total:
        raise Interrupted(f"connection closed after {received} of {total} bytes")


def _translated(error: requests.RequestException, remote: Remote) -> Exception:
    """A network error as something to wait for, or as a sentence."""
    from requests import exceptions as kinds

    innermost: BaseException = error
    while innermost.__cause__ or innermost.__context__:
        innermost = innermost.__cause__ or innermost.__context__ or innermost
    words = getattr(innermost, "strerror", None) or str(innermost).splitlines()[0][:120] or type(innermost).__name__
    if isinstance(error, kinds.SSLError):
        return StoreProblem(f"{remote.host} shows no certificate that we trust ({words}); check this machine's clock.")
    if "IncompleteRead" in words:
        words = "connection broken in the middle"
    passing = (kinds.ConnectionError, kinds.Timeout, kinds.ChunkedEncodingError, kinds.ContentDecodingError)
    if isinstance(error, passing):
        return Interrupted(words)
    return StoreProblem(f"{remote.name} cannot be asked for at {remote.url} ({words}); the address may be wrong.")
