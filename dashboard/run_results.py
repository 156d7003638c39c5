"""What a run's result files say, as tables and series for the page: read with bounds, so that no file can stop the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dashboard.run_words import size_text
from data.errors import FileProblem
from data.runs import Result

LARGEST_BYTES = 64_000_000
"""A larger table is for downloading, not for looking at."""
SHOWN_ROWS = 200
MOST_POINTS = 10_000
"""Points of a plot; with more, each line keeps the first of every few."""
MOST_LINES = 12
READABLE = (".csv", ".parquet")
TABLE_KINDS = ("series", "table")


@dataclass(frozen=True)
class Line:
    """One line of a plot: its name, x (times as milliseconds, or numbers), y, and the half-width of its band or None."""

    name: str
    x: np.ndarray
    y: np.ndarray
    spread: np.ndarray | None


@dataclass(frozen=True)
class Plot:
    """Lines against one axis.

    Attributes
    ----------
    title : of the result.
    quantity : what is drawn.
    x_name, is_time : of the axis.
    lines : at most MOST_LINES.
    left_out : lines beyond that.
    """

    title: str
    quantity: str
    x_name: str
    is_time: bool
    lines: tuple[Line, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Table:
    """A result file that holds a table.

    Attributes
    ----------
    result : the result.
    frame : its rows.
    axis : the column that the others are drawn against; '' where there is none.
    quantities : columns that can be drawn.
    groups : columns that tell lines apart ("instrument").
    """

    result: Result
    frame: pd.DataFrame
    axis: str
    quantities: tuple[str, ...]
    groups: tuple[str, ...]

    def spec(self) -> dict[str, Any]:
        """Title, columns and first rows as the page shows them."""
        return {
            "title": self.result.name,
            "columns": list(map(str, self.frame.columns)),
            "rows": [[_cell(value) for value in row] for row in self.frame.head(SHOWN_ROWS).itertuples(index=False)],
            "total": len(self.frame),
        }

    def plot(self, quantity: str) -> Plot:
        """Its lines for one quantity (the first where it has no such)."""
        quantity = quantity if quantity in self.quantities else self.quantities[0]
        x = self.frame[self.axis]
        is_time = pd.api.types.is_datetime64_any_dtype(x)
        at = x.to_numpy("datetime64[ms]").astype(np.int64).astype(float) if is_time else x.to_numpy(float)
        spread = self._spread(quantity)
        found = self._rows()
        most = MOST_POINTS // min(len(found), MOST_LINES)
        lines: list[Line] = []
        left_out = 0
        for name, rows in found:
            if len(lines) == MOST_LINES:
                left_out += 1
                continue
            order = rows[np.argsort(at[rows], kind="stable")]
            order = order[:: max(1, -(-order.size // most))]
            values = self.frame[quantity].to_numpy(float)[order]
            band = None if spread is None else self.frame[spread].to_numpy(float)[order]
            lines.append(Line(name, at[order], values, band))
        return Plot(self.result.name, quantity, self.axis, is_time, tuple(lines), left_out)

    def _rows(self) -> list[tuple[str, np.ndarray]]:
        if not self.groups:
            return [("", np.arange(len(self.frame)))]
        found = self.frame.groupby(list(self.groups), sort=True, observed=True).indices
        return [
            (", ".join(map(str, name if isinstance(name, tuple) else (name,))), np.asarray(rows))
            for name, rows in found.items()
        ]

    def _spread(self, quantity: str) -> str | None:
        for word in ("std", "spread", "sd"):
            for name in (f"{quantity}_{word}", word, quantity.replace("mean", word)):
                if name in self.quantities and name != quantity and (name != word or quantity == "mean"):
                    return name
        return None


def read_table(result: Result) -> Table | None:
    """The table in a result's file; None where it holds none that can be shown.

    Raises
    ------
    FileProblem : it should hold one, and cannot be read.
    """
    path = result.path
    if result.kind not in TABLE_KINDS or path.suffix.lower() not in READABLE or not path.is_file():
        return None
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise FileProblem(
            path,
            expected=f"a table of at most {size_text(LARGEST_BYTES)} to show",
            found=size_text(size),
            remedy="download it instead",
        )
    frame = _read(path)
    axis = _axis(frame)
    numeric = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    quantities = tuple(
        name for name in numeric if name != axis and not pd.api.types.is_bool_dtype(frame[name]) and frame[name].notna().any()
    )  # fmt: skip
    groups = tuple(
        name for name in frame.columns if name != axis and name not in numeric and 1 < frame[name].nunique() <= 200
    )
    if len(frame) < 2 or (result.kind == "table" and not _is_time(frame, axis)):
        axis = ""
    return Table(result, frame, axis, quantities, groups)


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, comment="#")
    except (OSError, ValueError, MemoryError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        found = str(error).splitlines()[0][:150] if str(error) else type(error).__name__
        raise FileProblem(path, expected="a table", found=found, remedy="start the run again") from None
    frame.columns = frame.columns.map(str)
    for name in frame.columns:
        if _looks_like_time(frame[name], name):
            frame[name] = pd.to_datetime(frame[name], errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
    return frame


def _looks_like_time(column: pd.Series, name: str) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column) or not len(column):
        return False
    named = name.lower() in ("time", "date", "day", "month", "start", "end", "period")
    sample = column.dropna().astype(str).head(50)
    return bool(named and len(sample) and sample.str.fullmatch(r"\d{4}-\d\d(-\d\d.*)?").all())


def _axis(frame: pd.DataFrame) -> str:
    for name in frame.columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            return str(name)
    for name in frame.columns:
        if pd.api.types.is_numeric_dtype(frame[name]):
            return str(name)
    return ""


def _is_time(frame: pd.DataFrame, axis: str) -> bool:
    return bool(axis) and pd.api.types.is_datetime64_any_dtype(frame[axis])


def _cell(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, pd.Timestamp):
        text = value.isoformat(sep=" ", timespec="minutes")
        return text.removesuffix(" 00:00")
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    return str(value)[:200]


def tables_of(results: Sequence[Result]) -> tuple[list[Table], list[str]]:
    """All tables among results, and a sentence for each that cannot be shown."""
    tables, problems = [], []
    for result in results:
        try:
            table = read_table(result)
        except FileProblem as problem:
            problems.append(str(problem))
            continue
        if table is not None and len(table.frame.columns):
            tables.append(table)
    return tables, problems
