"""Downloads from the folder of a run: results, configuration, log; nothing outside the folder is ever sent.

    GET data/runs/ID/file/PATH            a result file
    GET data/runs/ID/configuration.yaml   what it was started from, to start it again
    GET data/runs/ID/log.txt              its whole log

Files are read in a thread and sent in pieces, so neither the event loop nor the memory feels their size.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote

from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from dashboard.library import Library
from dashboard.provenance import safe_filename
from dashboard.run_configuration import RunConfiguration
from data.errors import DataError
from data.home import runs_dir
from data.runs import Run, RunStore
from data.runs.run import LOG

PIECE_BYTES = 1_000_000

_POOL = ThreadPoolExecutor(max_workers=4, thread_name_prefix="run-file")


class NoSuchFile(DataError):
    """There is no such file to download."""


@dataclass(frozen=True)
class Sendable:
    """An open file, or a text, to send under a name."""

    filename: str
    size: int
    stream: IO[bytes] | None
    text: bytes = b""


class RunFileHandler(RequestHandler):
    """Sends what `find` finds; errors become a sentence with status 404."""

    def initialize(self, library: Library) -> None:
        self.library = library

    async def get(self, run_id: str, what: str) -> None:
        """Answer one request."""
        loop = IOLoop.current()
        try:
            found = await loop.run_in_executor(_POOL, find, self.library.root, unquote(run_id), unquote(what))
        except DataError as error:
            self.set_status(404)
            self.finish({"error": str(error)})
            return
        kind = mimetypes.guess_type(found.filename)[0] or "application/octet-stream"
        show = kind in ("image/png", "image/jpeg", "image/webp") and self.get_query_argument("show", "") == "1"
        self.set_header("Content-Type", kind if show or kind.startswith("text/csv") else "application/octet-stream")
        self.set_header(
            "Content-Disposition", f"{'inline' if show else 'attachment'}; filename*=UTF-8''{quote(found.filename)}"
        )
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "sandbox")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Length", str(found.size))
        stream = found.stream
        if stream is None:
            self.finish(found.text)
            return
        try:
            left = found.size
            while left > 0:
                piece = await loop.run_in_executor(_POOL, stream.read, min(PIECE_BYTES, left))
                if not piece:
                    break  # cut shorter while it was read: the visitor's browser sees that the length is wrong
                left -= len(piece)
                self.write(piece)
                await self.flush()
        except StreamClosedError:
            return  # the visitor left
        finally:
            await loop.run_in_executor(_POOL, stream.close)
        self.finish()


def find(home: Path, run_id: str, what: str) -> Sendable:
    """What a request asks for; runs in a thread.

    Parameters
    ----------
    home : the data folder.
    run_id : of the run, any text.
    what : 'configuration.yaml', 'log.txt' or 'file/PATH' with a path within the run's folder, any text.

    Raises
    ------
    DataError : no such run or file, or a path that leaves the folder.
    """
    run = RunStore(runs_dir(home)).get(run_id)
    if what == "configuration.yaml":
        text = RunConfiguration(run.kind, run.title, run.seed, run.settings).to_yaml().encode()
        return Sendable(safe_filename(run.id, suffix=".yaml"), len(text), None, text)
    path = Path(LOG) if what == "log.txt" else _asked(run, what.removeprefix("file/"))
    stream = _opened(run.folder, path)
    filename = safe_filename(run.id, *path.parts[-1:], suffix="") if what != "log.txt" else f"{run.id}-log.txt"
    return Sendable(filename, os.fstat(stream.fileno()).st_size, stream)


def _asked(run: Run, path: str) -> Path:
    """The path of a result, which must be one of the files that the run says it made, or lie in a folder of these."""
    asked = Path(os.path.normpath(path)) if path and "\0" not in path else Path()
    for result in run.results:
        try:
            known = result.path.relative_to(run.folder)
        except ValueError:
            continue  # a cube of the data folder
        if asked == known or asked.is_relative_to(known):
            return asked
    raise _missing(run.id, path)


def _opened(folder: Path, path: Path) -> IO[bytes]:
    """A regular file that really lies within the folder; no link leads out of it."""
    try:
        real, root = (folder / path).resolve(strict=True), folder.resolve(strict=True)
        if not real.is_relative_to(root):
            raise _missing(folder.name, str(path))
        handle = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    except (OSError, ValueError, RuntimeError):
        raise _missing(folder.name, str(path)) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _missing(folder.name, str(path))
    return os.fdopen(handle, "rb")


def _missing(run: str, path: str) -> NoSuchFile:
    return NoSuchFile(
        f"run {run}: expected a result file '{path[:100]}', found none; open the run to see what it made."
    )


def run_patterns(library: Library) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Routes to add to the Panel server."""
    return [(r"/data/runs/([^/]+)/(file/.+|configuration\.yaml|log\.txt)", RunFileHandler, {"library": library})]
