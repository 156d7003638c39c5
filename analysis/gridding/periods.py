"""The periods that soundings are brought together in: days, weeks, months, seasons, years, or everything at once.

Each period has a number that follows from the time alone, so parts of an archive can be worked on apart and put
together afterwards. All times are UTC. Weeks begin on Monday (ISO 8601); seasons are December to February and so on,
and December belongs to the winter of the next year.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Every = Literal["day", "week", "month", "season", "year", "whole"]
EVERY: tuple[Every, ...] = get_args(Every)

DAY_NS = 86_400 * 10**9
SHORTER_THAN_A_MONTH = ("day", "week")
_MONTHS: dict[str, int] = {"month": 1, "season": 3, "year": 12}
_SEASONS = ("DJF", "MAM", "JJA", "SON")
_MONDAY = 3
"""1 January 1970 was a Thursday."""


def period_numbers(times: np.ndarray, month: int, every: Every) -> np.ndarray:
    """(n,) int32 number of the period of each time.

    Parameters
    ----------
    times : (n,) int64 ns since 1970, all in one calendar month.
    month : that month, counted from January 1970.
    """
    if every == "day":
        return (times // DAY_NS).astype(np.int32)
    if every == "week":
        return ((times // DAY_NS + _MONDAY) // 7).astype(np.int32)
    return np.full(times.shape, month_period(month, every), dtype=np.int32)


def month_period(month: int, every: Every) -> int:
    """Number of the period that holds a whole month (counted from January 1970); ValueError for shorter periods."""
    if every == "whole":
        return 0
    if every == "season":
        return (month + 1) // 3
    if every in _MONTHS:
        return month // _MONTHS[every]
    raise ValueError(f"a month is longer than a {every}.")


def ends_with(month: int, number: int, every: Every, last_month: int) -> bool:
    """True if no month after this one can belong to the period; `last_month` is the last one that has soundings."""
    return month >= last_month or period_edges(number, every)[1] <= np.datetime64(month + 1, "M").astype(
        "datetime64[ns]"
    )


def period_edges(
    number: int, every: Every, span: tuple[np.datetime64, np.datetime64] | None = None
) -> tuple[np.datetime64, np.datetime64]:
    """First moment of a period and of the one after it, datetime64[ns]; of "whole" they are `span`."""
    if every == "whole":
        if span is None:
            return np.datetime64("1678-01-01", "ns"), np.datetime64("2262-01-01", "ns")
        return span[0].astype("datetime64[ns]"), span[1].astype("datetime64[ns]")
    if every == "day":
        edges = [np.datetime64(number + step, "D") for step in (0, 1)]
    elif every == "week":
        edges = [np.datetime64(7 * (number + step) - _MONDAY, "D") for step in (0, 1)]
    elif every == "season":
        edges = [np.datetime64(3 * (number + step) - 1, "M") for step in (0, 1)]
    else:
        edges = [np.datetime64(_MONTHS[every] * (number + step), "M") for step in (0, 1)]
    return edges[0].astype("datetime64[ns]"), edges[1].astype("datetime64[ns]")


def period_middle(number: int, every: Every, span: tuple[np.datetime64, np.datetime64] | None = None) -> np.datetime64:
    """The time by which a period's map goes: its middle, to the hour."""
    start, end = (edge.astype("datetime64[h]").astype(np.int64) for edge in period_edges(number, every, span))
    return np.datetime64(int((start + end) // 2), "h").astype("datetime64[ns]")


def period_label(number: int, every: Every) -> str:
    """What to call a period: 2018-11-03, 2018-W44, 2018-11, 2018 SON, 2018."""
    start = period_edges(number, every)[0]
    if every == "whole":
        return "whole"
    if every == "day":
        return str(start.astype("datetime64[D]"))
    if every == "week":
        year, week, _ = start.astype("datetime64[D]").item().isocalendar()
        return f"{year}-W{week:02d}"
    if every == "season":
        return f"{(start.astype('datetime64[M]') + 1).astype('datetime64[Y]')} {_SEASONS[number % 4]}"
    return str(start.astype("datetime64[M]" if every == "month" else "datetime64[Y]"))
