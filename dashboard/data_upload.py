"""Where the browser sends files that are dropped on the Data page: streamed to disk, looked at, handed to the import.

    POST data/upload    body: the file; headers X-Carbonweather-Token, X-File-Name (percent-encoded)

The body goes to a folder of its own below the data folder in pieces, so that neither memory nor the event loop feels a
large file; size and disk are checked before the first byte is kept and again with every piece. The token is told only to
pages of this server through their session, so no other site can send files in a visitor's name.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO
from urllib.parse import unquote

from tornado.ioloop import IOLoop
from tornado.web import RequestHandler, stream_request_body

from dashboard.data_tasks import tasks_of
from dashboard.library import Library
from data.errors import DataError
from data.uploads import Staged, clear_stale, limit_bytes, need_room, new_place, refuse_foreign

TOKEN = secrets.token_urlsafe(24)
"""Known to the pages of this process only."""
AT_ONCE = 6
"""Files that are received at the same time, from all visitors together."""
_PIECE = 2**20
_HEAD = 1024
_WRITING = ThreadPoolExecutor(max_workers=2, thread_name_prefix="upload")


@stream_request_body
class UploadHandler(RequestHandler):
    """Receives one file; answers {"task": number, "name": ...} or {"error": sentence}."""

    library: Library
    receiving = 0

    def initialize(self, library: Library) -> None:
        self.library = library
        self.staged: Staged | None = None
        self.stream: BinaryIO | None = None
        self.waiting = bytearray()
        self.size = 0
        self.refused = ""
        self.counted = False

    async def prepare(self) -> None:
        """Decide by the headers whether the body is wanted; a refused one is read and thrown away up to the limit."""
        if self.request.method != "POST":
            return
        try:
            limit = limit_bytes()
        except DataError as problem:
            self.refuse(500, str(problem))
            return
        if not secrets.compare_digest(self.request.headers.get("X-Carbonweather-Token", ""), TOKEN):
            self.refuse(403, "Files are taken from the Data page of this server only; reload that page and try again.")
            return
        try:
            announced = int(self.request.headers.get("Content-Length", ""))
        except ValueError:
            self.refuse(411, "The size of a file must be told before it is sent.")
            return
        name = unquote(self.request.headers.get("X-File-Name", ""))[:500]
        if announced > limit:
            self.refuse(413, f"{name[:80] or 'The file'} has {announced / 1e6:,.0f} MB, and {limit / 1e6:,.0f} MB are taken at most; "
                             "put it on this computer and run `carbonweather data import` there.")  # fmt: skip
            return
        if UploadHandler.receiving >= AT_ONCE:
            self.refuse(503, "Several files are on their way already; try again in a moment.")
            return
        self.request.connection.set_max_body_size(limit)  # type: ignore[union-attr]
        UploadHandler.receiving += 1
        self.counted = True

        def open_place() -> tuple[Staged, BinaryIO]:
            clear_stale(self.library.root)
            need_room(self.library.root, announced)
            staged = new_place(self.library.root, name)
            return staged, open(staged.path, "xb")

        try:
            self.staged, self.stream = await IOLoop.current().run_in_executor(_WRITING, open_place)
        except DataError as problem:
            self.refuse(507, str(problem))
        except OSError as error:
            self.refuse(507, f"The data folder cannot be written ({error.strerror or error}); check its permissions.")

    def refuse(self, status: int, sentence: str) -> None:
        """Answer with a sentence and take no more of the body."""
        self.refused = sentence
        self.set_status(status)
        self.set_header("Connection", "close")
        self.finish({"error": sentence})

    async def data_received(self, chunk: bytes) -> None:
        """Keep a piece; the first one is looked at."""
        if self.refused or self.stream is None:
            return
        first = self.size < _HEAD
        self.size += len(chunk)
        self.waiting += chunk
        if first and self.size >= _HEAD and not self._looks_like_data():
            return
        if len(self.waiting) >= _PIECE:
            await self._write()

    def _looks_like_data(self) -> bool:
        assert self.staged is not None
        try:
            refuse_foreign(self.staged.path.name, bytes(self.waiting[:_HEAD]))
        except DataError as problem:
            self.refuse(415, str(problem))
            return False
        return True

    async def _write(self) -> None:
        piece, self.waiting = bytes(self.waiting), bytearray()
        stream = self.stream
        assert stream is not None
        try:
            await IOLoop.current().run_in_executor(_WRITING, stream.write, piece)
        except OSError as error:
            self.refuse(
                507, f"The disk took no more of the file ({error.strerror or error}); make room and send it again."
            )

    async def post(self) -> None:
        """The whole body is there: import it in the background."""
        if self.refused or self.staged is None or self.stream is None:
            return
        if self.size < _HEAD and not self._looks_like_data():
            return
        await self._write()
        if self.refused:
            return
        staged, stream = self.staged, self.stream
        await IOLoop.current().run_in_executor(_WRITING, stream.close)
        self.stream = None
        name = staged.path.name
        task = tasks_of(self.library).start(
            "import",
            f"Importing {name}",
            ["data", "receive", str(staged.path)],
            subject=name,
            on_end=lambda _task: staged.discard(),
        )
        self.staged = None
        self.finish({"task": task.number, "name": name})

    def get(self) -> None:
        """Not a page."""
        self.set_status(405)
        self.finish({"error": "Files are sent to this address by the Data page."})

    def on_finish(self) -> None:
        """Tidy up, however the request ended."""
        self._leave()

    def on_connection_close(self) -> None:
        """The visitor has left in the middle of a file."""
        self.refused = self.refused or "The connection was closed."
        self._leave()

    def _leave(self) -> None:
        if self.counted:
            UploadHandler.receiving -= 1
            self.counted = False
        stream, staged, self.stream, self.staged = self.stream, self.staged, None, None

        def tidy() -> None:
            if stream is not None:
                stream.close()
            if staged is not None:
                staged.discard()

        if stream is not None or staged is not None:
            _WRITING.submit(tidy)


def upload_pattern(library: Library) -> tuple[str, type[RequestHandler], dict[str, Any]]:
    """The route, to be added to the Panel server."""
    return (r"/data/upload", UploadHandler, {"library": library})
