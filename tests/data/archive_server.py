"""A data archive on this machine for tests of fetching: real HTTP with ranges, and faults on request.

Each path serves bytes. A test may put behaviours into `script[path]`; each request takes the next one, and when none is
left the file is served as a good server does it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler", bytes], None]


@dataclass(frozen=True)
class Seen:
    """A request that reached the server."""

    path: str
    headers: dict[str, str]


@dataclass
class Archive:
    """What the server holds and what it has seen."""

    base: str
    files: dict[str, bytes] = field(default_factory=dict)
    script: dict[str, deque[Behaviour]] = field(default_factory=lambda: defaultdict(deque))
    seen: list[Seen] = field(default_factory=list)
    extra_headers: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, content: bytes, *behaviours: Behaviour) -> str:
        """Serve `content` at `path`; returns the address."""
        self.files[path] = content
        self.script[path] = deque(behaviours)
        return self.base + path

    def ranges(self, path: str) -> list[str | None]:
        """The Range header of each request for `path`."""
        return [seen.headers.get("range") for seen in self.seen if seen.path == path]


def etag_of(content: bytes) -> str:
    return f'"{hashlib.sha1(content).hexdigest()[:12]}"'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: Archive

    def do_HEAD(self) -> None:
        """What GET would say of a file, without it; not scripted."""
        content = self.archive.files.get(self.path.split("?")[0])
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        for key, value in (
            {"ETag": f'"{hashlib.md5(content or b"").hexdigest()}"'} | self.archive.extra_headers
        ).items():
            self.send_header(key, value)
        self.end_headers()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.archive.seen.append(Seen(path, {key.lower(): value for key, value in self.headers.items()}))
        behaviours = self.archive.script[path]
        behaviour = behaviours.popleft() if behaviours else serve()
        content = self.archive.files.get(path)
        if content is None:
            behaviour = status(404)
        behaviour(self, content or b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""


def serve(
    *,
    ranges: bool = True,
    stop_after: int | None = None,
    pretend: Callable[[bytes], bytes] = lambda content: content,
    etag: str | None = "",
    modified: str | None = None,
    headers: dict[str, str] | None = None,
    wait_for: threading.Event | None = None,
) -> Behaviour:
    """Serve the file.

    Parameters
    ----------
    ranges : whether Range is honoured.
    stop_after : bytes of the body after which the connection drops, with the full length announced.
    pretend : makes what is served out of the content (half of it, something else).
    etag : "" for the content's own, None for none.
    wait_for : with `stop_after`: hang instead of dropping until it is set.
    """

    def behaviour(handler: Handler, content: bytes) -> None:
        content = pretend(content)
        tag = etag_of(content) if etag == "" else etag
        wanted, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
        since = handler.headers.get("If-Modified-Since")
        body, code, extra = content, 200, dict(handler.archive.extra_headers | (headers or {}))
        if since and since == modified:
            body, code = b"", 304
        elif wanted and ranges and (condition is None or condition in (tag, modified)):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            if start >= len(content):
                body, code, extra["Content-Range"] = b"", 416, f"bytes */{len(content)}"
            else:
                body, code = content[start:], 206
                extra["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        for key, value in ({"ETag": tag, "Last-Modified": modified} | extra).items():
            if value is not None:
                handler.send_header(key, value)
        handler.end_headers()
        if stop_after is not None:
            handler.wfile.write(body[:stop_after])
            handler.wfile.flush()
            if wait_for is not None:
                wait_for.wait(30)
            handler.close_connection = True
            handler.connection.shutdown(2)
            return
        handler.wfile.write(body)

    return behaviour


def status(code: int, *, headers: dict[str, str] | None = None, body: bytes = b"no") -> Behaviour:
    """Answer with this status."""

    def behaviour(handler: Handler, content: bytes) -> None:
        handler.send_response(code)
        for key, value in ({"Content-Type": "text/html"} | (headers or {})).items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behaviour


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


@contextmanager
def running_archive() -> Iterator[Archive]:
    """A server on a free port of this machine, stopped at the end."""
    handler = type("BoundHandler", (Handler,), {})
    server = _QuietServer(("127.0.0.1", 0), handler)
    archive = Archive(f"http://127.0.0.1:{server.server_address[1]}")
    handler.archive = archive
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
