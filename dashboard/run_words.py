"""How the Runs page says durations, sizes, speeds, moments and states."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

STATES = {
    "queued": "Queued",
    "running": "Running",
    "paused": "Paused",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
"""What people read for each state of a run, in the order of its life."""
ACTIVE = ("queued", "running")
"""States in which a run's folder changes by itself."""


def duration_text(seconds: float | None) -> str:
    """'12 s', '3 min 20 s', '2 h 5 min', '3 d 4 h'; '' where it is not known."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole or seconds == 0 else "under 1 s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return _two(minutes, "min", rest, "s")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _two(hours, "h", minutes, "min")
    days, hours = divmod(hours, 24)
    return _two(days, "d", hours, "h")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")


def size_text(size_bytes: float | None) -> str:
    """'340 MB', '1.2 GB'; powers of 1000; '' where it is not known."""
    if size_bytes is None or not math.isfinite(size_bytes) or size_bytes < 0:
        return ""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= 0.9995 * factor:
            return f"{_three_digits(size_bytes / factor)} {unit}"
    return f"{size_bytes:.0f} bytes"


def count_text(number: float) -> str:
    """'950', '12 300', '1.2 million'."""
    if not math.isfinite(number):
        return "?"
    if abs(number) >= 999_950:
        factor, word = (1e9, "billion") if abs(number) >= 999.5e6 else (1e6, "million")
        return f"{_three_digits(number / factor)} {word}"
    if float(number).is_integer() or abs(number) >= 1000:
        return f"{round(number):,}".replace(",", "\u2009")
    return _three_digits(number)


def rate_text(per_second: float | None, unit: str) -> str:
    """'1.2 million soundings/s', '4 files/min' where a second sees less than half of one; '' where it is not known."""
    if per_second is None or not math.isfinite(per_second) or per_second <= 0:
        return ""
    what = unit or "steps"
    for seconds, name in ((1, "s"), (60, "min"), (3600, "h")):
        if per_second * seconds >= 0.5:
            return f"{count_text(float(f'{per_second * seconds:.3g}'))} {what}/{name}"
    return f"{count_text(float(f'{per_second * 86400:.3g}'))} {what}/d"


def _three_digits(number: float) -> str:
    digits = 0 if abs(number) >= 99.5 else 1 if abs(number) >= 9.95 else 2
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment(value: Any) -> datetime | None:
    """A time as stored in a run (ISO text, POSIX seconds or datetime) as UTC; None where there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(float(value), UTC)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def iso_text(value: Any) -> str:
    """A time as the browser wants it, which shows it in the visitor's own time zone; '' where there is none."""
    when = moment(value)
    return "" if when is None else when.isoformat(timespec="seconds")


def number_text(value: float) -> str:
    """A score: six digits that matter, no needless zeros."""
    if not math.isfinite(value):
        return "no value" if math.isnan(value) else "infinite"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}".replace(",", "\u2009")
    return f"{value:.6g}"


def setting_text(value: Any) -> str:
    """A setting's value as people read it."""
    if value is None or value in ("", [], {}):
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list | tuple):
        return ", ".join(setting_text(part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {setting_text(part)}" for key, part in value.items())
    return str(value)
