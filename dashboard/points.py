"""Soundings drawn as pixels with datashader: the mean XCO2, SIF or other quantity of those that fall on each screen pixel,
spread to a visible dot."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dashboard.mercator import MERCATOR_RADIUS_M, mercator_y
from data.cube import View
from data.errors import StoreProblem

if TYPE_CHECKING:
    from data.soundings import SoundingArchive

DOT_PIXELS = 1
"""Pixels added around each sounding so that a single one can be seen."""

COLUMNS = {"sif": ("daily_sif_740nm", "sif_740nm")}
"""Quantities that the archive has under several names, the one shown first; others are asked for by their own name."""
PALETTES = {"sif": "YlOrBr"}
"""Colours of dots that do not take the map's."""
ROBUST = (0.02, 0.98)
"""Quantiles of a period's soundings between which the colours of dots run."""

_CACHED_PERIODS = 4
_lock = threading.Lock()
_frames: OrderedDict[tuple[str, int, str, str, str, str], pd.DataFrame] = OrderedDict()


@dataclass(frozen=True)
class PointScale:
    """What the dots of a period mean where the map's own colours do not fit: units, limits and colour map."""

    units: str
    low: float
    high: float
    palette: str


def points_image(
    archive: SoundingArchive,
    view: View,
    start: np.datetime64,
    end: np.datetime64,
    *,
    variable: str = "xco2",
    instrument: str | None = None,
) -> tuple[np.ndarray, int]:
    """Mean of the good soundings on each pixel.

    Parameters
    ----------
    archive : where the soundings are.
    view : the window; beyond +-180 degrees it wraps.
    start, end : period, end excluded.
    variable : a column of the archive, or a key of `COLUMNS`.
    instrument : only its soundings.

    Returns
    -------
    (height, width) float32 in the variable's unit, row 0 = south, NaN where nothing fell; and the number of soundings in
    the period.

    Raises
    ------
    StoreProblem : no such column or instrument, or a column that is not one number a sounding.
    """
    import datashader
    from datashader.transfer_functions import spread

    frame = _period(archive, start, end, variable, instrument)
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
        copy = pd.DataFrame({"x": x + k * turn, "y": y, "value": frame["value"].to_numpy()})
        shot = canvas.points(copy, "x", "y", datashader.mean("value"))
        drawn = spread(shot, px=DOT_PIXELS, how="source").to_numpy().astype(np.float32)
        image = np.where(np.isnan(drawn), image, drawn)
    return np.ascontiguousarray(image), len(frame)


def points_scale(
    archive: SoundingArchive,
    start: np.datetime64,
    end: np.datetime64,
    *,
    variable: str = "xco2",
    instrument: str | None = None,
) -> PointScale:
    """Units and robust limits of a period's soundings, the same for every window; arguments as in `points_image`."""
    values = _period(archive, start, end, variable, instrument)["value"].to_numpy(dtype=np.float64)
    column = _column(archive, variable)
    units = next((found.units[column] for found in archive.instruments() if column in found.units), "")
    low, high = (float(edge) for edge in np.quantile(values, ROBUST)) if values.size else (0.0, 1.0)
    if not low < high:
        low, high = low - 0.5, high + 0.5
    return PointScale(units, low, high, PALETTES.get(variable, "viridis"))


def _column(archive: SoundingArchive, variable: str) -> str:
    """The archive's column of a quantity."""
    names = COLUMNS.get(variable, (variable,))
    known = {name for found in archive.instruments() for name in found.units}
    return next((name for name in names if name in known), names[0])


def _period(
    archive: SoundingArchive, start: np.datetime64, end: np.datetime64, variable: str, instrument: str | None
) -> pd.DataFrame:
    """Positions and values (columns lon, lat, value) of one period, kept for the next view of it."""
    key = (str(archive.path), archive.version, str(start), str(end), variable, instrument or "")
    with _lock:
        if key in _frames:
            _frames.move_to_end(key)
            return _frames[key]
    column = _column(archive, variable)
    if variable in COLUMNS and not any(column in found.units for found in archive.instruments()):
        frame = pd.DataFrame({"lon": [], "lat": [], "value": []}, dtype=np.float64)
    else:
        found = archive.query(start=start, end=end, instrument=instrument, columns=["lon", "lat", column])
        if len(found) and found[column].dtype.kind not in "fiu":
            raise StoreProblem(
                f"expected a column of one number a sounding to draw, found {column!r}; choose another such as 'xco2'."
            )
        frame = found.rename(columns={column: "value"}).dropna()
    with _lock:
        _frames[key] = frame
        while len(_frames) > _CACHED_PERIODS:
            _frames.popitem(last=False)
    return frame
