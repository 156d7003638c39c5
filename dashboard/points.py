"""Soundings drawn as pixels with datashader: the mean XCO2 of those that fall on each screen pixel, spread to a visible dot."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dashboard.mercator import MERCATOR_RADIUS_M, mercator_y
from data.cube import View

if TYPE_CHECKING:
    from data.soundings import SoundingArchive

DOT_PIXELS = 1
"""Pixels added around each sounding so that a single one can be seen."""

_CACHED_PERIODS = 4
_lock = threading.Lock()
_frames: OrderedDict[tuple[str, int, str, str], pd.DataFrame] = OrderedDict()


def points_image(
    archive: SoundingArchive, view: View, start: np.datetime64, end: np.datetime64
) -> tuple[np.ndarray, int]:
    """Mean XCO2 of the good soundings on each pixel.

    Parameters
    ----------
    archive : where the soundings are.
    view : the window; beyond +-180 degrees it wraps.
    start, end : period, end excluded.

    Returns
    -------
    (height, width) float32 in ppm, row 0 = south, NaN where nothing fell; and the number of soundings in the period.
    """
    import datashader
    from datashader.transfer_functions import spread

    frame = _period(archive, start, end)
    empty = np.full((view.height, view.width), np.nan, dtype=np.float32)
    if frame.empty:
        return empty, 0
    turn, x, y = 360.0, frame["lon"].to_numpy(), frame["lat"].to_numpy()
    if view.projection == "mercator":
        turn = 2 * np.pi * MERCATOR_RADIUS_M
        x, y = x * (turn / 360.0), mercator_y(y)
    first, last = int(np.floor((view.x0 + turn / 2) / turn)), int(np.floor((view.x1 + turn / 2) / turn))
    canvas = datashader.Canvas(view.width, view.height, x_range=(view.x0, view.x1), y_range=(view.y0, view.y1))
    image = empty
    for k in range(first, last + 1):
        copy = pd.DataFrame({"x": x + k * turn, "y": y, "xco2": frame["xco2"].to_numpy()})
        shot = canvas.points(copy, "x", "y", datashader.mean("xco2"))
        drawn = spread(shot, px=DOT_PIXELS, how="source").to_numpy().astype(np.float32)
        image = np.where(np.isnan(drawn), image, drawn)
    return np.ascontiguousarray(image), len(frame)


def _period(archive: SoundingArchive, start: np.datetime64, end: np.datetime64) -> pd.DataFrame:
    """Positions and XCO2 of one period, kept for the next view of it."""
    key = (str(archive.path), archive.version, str(start), str(end))
    with _lock:
        if key in _frames:
            _frames.move_to_end(key)
            return _frames[key]
    frame = archive.query(start=start, end=end, good_only=True, columns=["lon", "lat", "xco2"]).dropna()
    with _lock:
        _frames[key] = frame
        while len(_frames) > _CACHED_PERIODS:
            _frames.popitem(last=False)
    return frame
