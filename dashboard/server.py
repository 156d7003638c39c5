"""What the page fetches over HTTP beside Panel's own traffic: map windows, soundings as pixels, coastlines.

The map never waits for the Python session: the browser asks these handlers for the window it shows (codes, not colours) and paints
them itself. Every handler works in a thread pool, so the event loop stays free, and answers bad requests with one sentence.

    GET data/window?cube&var&step&version&x0&x1&y0&y1&w&h&proj [&cube2&var2&step2]   int16 or float32, row 0 = south
    GET data/points?start&end&x0&x1&y0&y1&w&h&proj [&variable=sif&instrument]       float32 mean a pixel, NaN elsewhere
    GET data/download/KIND?VIEW                                                     a file of what the address VIEW shows
    POST data/upload                                                                a file to import (data_upload.py)
    GET data/outline?kind=coastlines|borders&resolution=110m|50m                    float32 (n, 2) lon, lat; NaN separates lines
"""

from __future__ import annotations

import json
import zlib
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Literal

import numpy as np
from tornado.ioloop import IOLoop
from tornado.web import RequestHandler

from dashboard.data_upload import upload_pattern
from dashboard.library import Library
from dashboard.points import points_image, points_scale
from data.cube import View
from data.errors import DataError
from data.palettes import palette

MAX_PIXELS = 4096 * 4096
"""Largest window side product served; far beyond any screen, small enough that no request can exhaust memory."""
DEFLATE_FROM_BYTES = 4096

_POOL = ThreadPoolExecutor(max_workers=4, thread_name_prefix="window")


class BadRequest(DataError):
    """A request whose parameters do not describe a map window."""


class DataHandler(RequestHandler, ABC):
    """Runs `answer` in the pool and sends its bytes; errors become a sentence with status 400 or 404."""

    library: Library

    def initialize(self, library: Library) -> None:
        self.library = library

    async def get(self) -> None:
        """Answer one request."""
        try:
            body, meta = await IOLoop.current().run_in_executor(_POOL, self.answer)
        except BadRequest as error:
            self.set_status(400)
            self.finish({"error": str(error)})
            return
        except DataError as error:
            self.set_status(404)
            self.finish({"error": str(error)})
            return
        self.set_header("Content-Type", meta.pop("media_type", "application/octet-stream"))
        self.set_header("X-Carbonweather", json.dumps(meta))
        self.set_header("Cache-Control", "private, max-age=3600" if meta.get("cacheable") else "no-store")
        if (
            self._is_remote()
            and "deflate" in self.request.headers.get("Accept-Encoding", "")
            and len(body) > DEFLATE_FROM_BYTES
        ):
            body = await IOLoop.current().run_in_executor(_POOL, lambda: zlib.compress(body, 1))
            self.set_header("Content-Encoding", "deflate")
        self.finish(body)

    def _is_remote(self) -> bool:
        """True where bytes cost more than processor time: any client that is not this machine."""
        return (self.request.remote_ip or "") not in ("127.0.0.1", "::1")

    @abstractmethod
    def answer(self) -> tuple[bytes, dict[str, Any]]:
        """Body and description; runs in a thread."""

    def text(self, name: str) -> str:
        """A text parameter, '' where absent."""
        return self.get_query_argument(name, "")

    def number(self, name: str) -> float:
        """A finite number."""
        try:
            value = float(self.text(name))
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise BadRequest(f"The parameter '{name}' must be a number; it was '{self.text(name)[:40]}'.")
        return value

    def view(self) -> View:
        """The window asked for."""
        width, height = int(self.number("w")), int(self.number("h"))
        if width < 1 or height < 1 or width * height > MAX_PIXELS:
            raise BadRequest(
                f"A window of {width} by {height} pixels cannot be drawn; ask for 1 to {MAX_PIXELS} pixels."
            )
        x0, x1, y0, y1 = (self.number(name) for name in ("x0", "x1", "y0", "y1"))
        if not (x0 < x1 and y0 < y1):
            raise BadRequest("The window's right and top edges must lie beyond its left and bottom edges.")
        projections: dict[str, Literal["lonlat", "mercator"]] = {"lonlat": "lonlat", "mercator": "mercator"}
        if self.text("proj") not in projections:
            raise BadRequest("The projection must be 'lonlat' or 'mercator'.")
        return View(x0=x0, x1=x1, y0=y0, y1=y1, width=width, height=height, projection=projections[self.text("proj")])


class WindowHandler(DataHandler):
    """A window of one map, or of the difference of two, at the resolution of the screen."""

    def answer(self) -> tuple[bytes, dict[str, Any]]:
        view = self.view()
        codes, meta = self._layer(view, "")
        if self.text("cube2"):
            other, other_meta = self._layer(view, "2")
            same = all(meta[key] == other_meta[key] for key in ("dtype", "scale", "offset"))
            if same and meta["dtype"] == "int16":
                missing = (codes == -32768) | (other == -32768)
                difference = np.clip(codes.astype(np.int32) - other, -32767, 32767).astype(np.int16)
                difference[missing] = -32768
                codes, meta = difference, meta | {"offset": 0.0}
            else:
                codes = decoded(codes, meta) - decoded(other, other_meta)
                meta = meta | {"dtype": "float32", "scale": 1.0, "offset": 0.0}
        return np.ascontiguousarray(codes).tobytes(), meta

    def _layer(self, view: View, suffix: str) -> tuple[np.ndarray, dict[str, Any]]:
        name, variable = self.text("cube" + suffix), self.text("var" + suffix)
        cube = self.library.cube(name)
        if cube is None:
            raise DataError(f"There is no data set '{name[:60]}' here.")
        if variable not in cube.variables:
            raise BadRequest(f"'{variable[:60]}' is not a variable of '{name}'.")
        step = int(self.number("step" + suffix))
        if not 0 <= step < len(cube.times):
            raise BadRequest(f"'{name}' has {len(cube.times)} maps; number {step} is not one of them.")
        facts = cube.variables[variable]
        codes = cube.window(variable, step, view)
        meta = {
            "dtype": facts.dtype,
            "scale": facts.scale,
            "offset": facts.offset,
            "cacheable": bool(self.text("version")),
        }
        return codes, meta


class PointsHandler(DataHandler):
    """Soundings of a period as pixels: the mean XCO2 (or other `variable`) of those that fall on each."""

    def answer(self) -> tuple[bytes, dict[str, Any]]:
        try:
            start, end = np.datetime64(self.text("start")), np.datetime64(self.text("end"))
        except ValueError:
            raise BadRequest("The period must be two dates.") from None
        if np.isnat(start) or np.isnat(end):
            raise BadRequest("The period must be two dates.")
        variable, instrument = self.text("variable") or "xco2", self.text("instrument") or None
        archive = self.library.archive
        image, count = points_image(archive, self.view(), start, end, variable=variable, instrument=instrument)
        scale = points_scale(archive, start, end, variable=variable, instrument=instrument)
        meta = {"dtype": "float32", "scale": 1.0, "offset": 0.0, "count": count, "cacheable": False}
        return image.tobytes(), meta | {
            "units": scale.units,
            "low": scale.low,
            "high": scale.high,
            "palette": palette(scale.palette, 64),
        }


class OutlineHandler(DataHandler):
    """Coastlines or borders as one array of longitudes and latitudes."""

    def answer(self) -> tuple[bytes, dict[str, Any]]:
        kind, resolution = self.text("kind"), self.text("resolution")
        if kind not in ("coastlines", "borders") or resolution not in ("110m", "50m"):
            raise BadRequest("Outlines are 'coastlines' or 'borders' at '110m' or '50m'.")
        return outline(kind, resolution), {"dtype": "float32", "scale": 1.0, "offset": 0.0, "cacheable": True}


class DownloadHandler(DataHandler):
    """What is on screen as a file; the query is the page's own address."""

    def answer(self) -> tuple[bytes, dict[str, Any]]:
        from dashboard.downloads import produce

        kind = self.request.path.rsplit("/", 1)[-1]
        download = produce(kind, self.request.query, self.library)
        self.set_header("Content-Disposition", f'attachment; filename="{download.filename}"')
        return download.body, {"media_type": download.media_type}


@cache
def outline(kind: str, resolution: str) -> bytes:
    """Lines as float32 (n, 2), a row of NaN after each line."""
    from data import geography

    lines = getattr(geography, kind)(resolution)
    gap = np.full((1, 2), np.nan, dtype=np.float32)
    return np.concatenate([part for line in lines for part in (np.asarray(line, dtype=np.float32), gap)]).tobytes()


def decoded(codes: np.ndarray, meta: dict[str, Any]) -> np.ndarray:
    """Physical values, float32 with NaN, of codes described by a handler's meta."""
    if meta["dtype"] == "float32":
        return codes.astype(np.float32)
    values = codes.astype(np.float32) * np.float32(meta["scale"]) + np.float32(meta["offset"])
    values[codes == -32768] = np.nan
    return values


def data_patterns(library: Library) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Routes to add to the Panel server."""
    return [
        (r"/data/window", WindowHandler, {"library": library}),
        (r"/data/points", PointsHandler, {"library": library}),
        (r"/data/download/[a-z.]+", DownloadHandler, {"library": library}),
        (r"/data/outline", OutlineHandler, {"library": library}),
        upload_pattern(library),
    ]
