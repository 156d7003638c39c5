"""The written parts of the Emissions page as HTML: tiles, legends, the ranking table. All text from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from dashboard.emissions_data import CATALOG, EmissionTable
from dashboard.emissions_shown import (
    BEFORE,
    NEWEST,
    OLDER,
    Picture,
    Rank,
    Tile,
    day_text,
    label,
    percent_text,
)
from dashboard.emissions_state import EXAMPLE
from data.catalog import entry

TILES_CSS = """
:host { margin: 0; }
div.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(215px, 1fr)); gap: 8px;
  color: var(--mui-palette-text-primary, #22313f); font-family: Roboto, sans-serif; }
div.tile { background: var(--mui-palette-background-paper, #fff); border-radius: 8px; padding: 8px 12px; min-width: 0; }
div.tile span { display: block; font-size: 12px; opacity: .75; line-height: 1.35; }
div.tile b { font-size: 19px; font-weight: 600; line-height: 1.35; }
div.simulated { background: #b3261e; color: #fff; }
@media (max-width: 900px) { div.tiles { grid-template-columns: 1fr 1fr; } div.tile b { font-size: 16px; } }
"""
LEGEND_CSS = """
:host { margin: 0; }
p { margin: 0; display: flex; flex-wrap: wrap; gap: 2px 14px; font: 12px/1.5 Roboto, sans-serif;
  color: var(--mui-palette-text-primary, #22313f); }
i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 5px; vertical-align: -2px; }
"""
TABLE_CSS = """
:host { margin: 0; overflow: auto; background: var(--mui-palette-background-paper, #fff); border-radius: 8px;
  color: var(--mui-palette-text-primary, #22313f); }
table { border-collapse: collapse; width: 100%; font: 12.5px/1.3 Roboto, sans-serif; }
caption { text-align: left; padding: 8px 10px 4px; font-weight: 600; font-size: 13px; }
caption small { display: block; font-weight: 400; opacity: .75; }
th { text-align: right; font-weight: 500; opacity: .75; padding: 4px 6px; position: sticky; top: 0;
  background: var(--mui-palette-background-paper, #fff); }
td { padding: 4px 6px; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th:nth-child(2), td:nth-child(2) { text-align: left; white-space: normal; }
tr + tr td { border-top: 1px solid rgb(128 128 128 / 18%); }
tr.group td { opacity: .85; font-style: italic; }
a { color: var(--mui-palette-primary-main, #0b6e8f); text-decoration: none; }
a:hover { text-decoration: underline; }
td.bar { width: 34%; min-width: 84px; padding-left: 0; }
td.bar div { position: relative; height: 18px; }
td.bar i { position: absolute; top: 3px; height: 12px; border-radius: 2px; }
td.bar span { position: absolute; top: 1px; }
i.up { background: #d1495b; } i.down { background: #2e86c1; }
"""
EMPTY_CSS = """
:host { margin: 0; color: var(--mui-palette-text-primary, #22313f); }
article { background: var(--mui-palette-background-paper, #fff); border-radius: 8px; padding: 20px 26px; max-width: 820px;
  font: 15px/1.55 Roboto, sans-serif; margin: 12px auto; }
h2 { margin: 0 0 8px; font-size: 20px; font-weight: 600; }
ol { padding-left: 22px; margin: 8px 0; }
li { margin: 6px 0; }
code { background: rgb(128 128 128 / 16%); border-radius: 4px; padding: 1px 6px; font-size: 13.5px; overflow-wrap: anywhere; }
a { color: var(--mui-palette-primary-main, #0b6e8f); }
small { display: block; opacity: .8; margin-top: 12px; font-size: 13px; }
"""


def tiles_html(tiles: Sequence[Tile], *, simulated: bool) -> str:
    """The numbers that stand out."""
    parts = [
        f'<div class="tile"><span>{escape(tile.name)}</span><b>{escape(tile.number)}</b><span>{escape(tile.note)}</span></div>'
        for tile in tiles
    ]
    if simulated:
        parts.insert(
            0,
            '<div class="tile simulated"><span>These numbers are</span><b>simulated</b><span>not statistics</span></div>',
        )
    return f'<div class="tiles">{"".join(parts)}</div>'


def legend_html(entries: Iterable[tuple[str, str]]) -> str:
    """Coloured squares with their names."""
    parts = (f'<span><i style="background:{escape(colour)}"></i>{escape(name)}</span>' for name, colour in entries)
    return f"<p>{''.join(parts)}</p>"


def country_legend(picture: Picture) -> str:
    """Countries of the series and the changes."""
    return legend_html((label(curve.name), curve.colour) for curve in picture.curves)


def sector_legend(picture: Picture) -> str:
    """Sectors of the stack, from its top."""
    return legend_html(reversed(list(picture.stack.colours.items())))


def year_legend(picture: Picture) -> str:
    """The newest year, the one before and the others."""
    years = {curve.age: curve.year for curve in picture.years}
    entries = [(str(years[age]), colour) for age, colour in ((0, NEWEST), (1, BEFORE)) if age in years]
    older = [year for age, year in years.items() if age > 1]
    if older:
        span = str(older[0]) if len(older) == 1 else f"{min(older)} to {max(older)}"
        entries.append((span, OLDER))
    return legend_html(entries)


def ranking_html(ranks: Sequence[Rank], by: str) -> str:
    """Countries by the change of their newest year to date."""
    if not ranks:
        return (
            "<table><caption>Year to date<small>There is no year whose days could be compared with the year before."
            "</small></caption></table>"
        )
    newest = max(rank.to_date.last for rank in ranks)
    numbers = [_number(rank, by) for rank in ranks]
    reach = max(
        (abs(number) for number, rank in zip(numbers, ranks, strict=True) if _counts(number, rank)), default=1.0
    )
    low = any(number < 0 for number in numbers if np.isfinite(number))
    year = int(str(newest)[:4])
    order = "per cent" if by == "percent" else "amount"
    head = (
        f"<caption>Year to date: change on {year - 1}<small>1 January to {day_text(newest)}, the same calendar days of both "
        f"years, ranked by {order}</small></caption>"
    )
    rows = [_row(rank, number, reach, by, newest, low=low) for rank, number in zip(ranks, numbers, strict=True)]
    unit = "%" if by == "percent" else "Mt"
    columns = f"<tr><th></th><th>Country</th><th>Mt CO₂</th><th>Change, {unit}</th></tr>"
    return f"<table>{head}<thead>{columns}</thead><tbody>{''.join(rows)}</tbody></table>"


def amount_text(mt: float) -> str:
    """'+1,234', '−12.3' or '+0.123': three digits that count and a real minus sign."""
    size = abs(mt)
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.9995 else 3
    return f"{mt:+,.{digits}f}".replace("-", "−")


def _number(rank: Rank, by: str) -> float:
    return rank.to_date.percent if by == "percent" else rank.to_date.change


def _counts(number: float, rank: Rank) -> bool:
    return bool(np.isfinite(number)) and rank.place is not None


def _row(rank: Rank, number: float, reach: float, by: str, newest: np.datetime64, *, low: bool) -> str:
    name = escape(label(rank.country))
    if rank.link:
        name = f'<a href="{escape(rank.link)}" title="Show {name} on the map">{name}</a>'
    if rank.to_date.last != newest:
        name += f" <small>to {day_text(rank.to_date.last)}</small>"
    if rank.to_date.missing:
        name += f" <small>({rank.to_date.missing} days missing)</small>"
    total = amount_text(rank.to_date.total).removeprefix("+")
    group = ' class="group"' if rank.place is None else ""
    return (
        f"<tr{group}><td>{rank.place or ''}</td><td>{name}</td><td>{total}</td>{_bar(number, reach, by, low=low)}</tr>"
    )


def _bar(number: float, reach: float, by: str, *, low: bool) -> str:
    """A bar left or right of zero and the number beside it."""
    if not np.isfinite(number):
        return '<td class="bar">–</td>'
    text = percent_text(number).removesuffix(" %") if by == "percent" else amount_text(number)
    middle = 50 if low else 0
    length = min(abs(number) / reach, 1.0) * (50 if low else 100) * 0.98 if reach else 0.0
    left = middle if number >= 0 else middle - length
    side = f"left:{middle + 2}%" if number < 0 and low else f"right:{100 - middle + 2}%" if low else "left:4px"
    return (
        f'<td class="bar"><div><i class="{"up" if number >= 0 else "down"}" style="left:{left:.1f}%;width:{length:.1f}%"></i>'
        f'<span style="{side}">{text}</span></div></td>'
    )


def about_text(table: EmissionTable, overlap: str) -> str:
    """Markdown of the side bar: what it is, how to cite it."""
    files = f" ({', '.join(table.files)})" if table.files else ""
    lines = [
        "**Simulated**: not statistics." if table.simulated else "",
        f"{table.title}, to {day_text(table.newest)}{files}.",
        overlap,
        f"Cite: {table.citation}",
        f"Terms: {table.licence}" if table.licence else "",
        "Changes compare the same calendar days of both years; 29 February has no partner and is left out. A mean of 7 days "
        "looks back from its day.",
    ]
    return "  \n".join(line for line in lines if line)


def empty_html(problem: str = "") -> str:
    """What to do where the data folder has no daily emissions."""
    known = entry(CATALOG)
    trouble = f"<p>{escape(problem)}</p>" if problem else ""
    return f"""<article><h2>There are no daily emissions in the data folder yet</h2>{trouble}
<p>This page shows {escape(known.title)}: near-real-time fossil CO₂ of the world's large emitters, day by day and by
sector, with the change on the year before.</p>
<ol><li>With a connection to the internet: <code>carbonweather data fetch {CATALOG}</code> ({escape(known.size or "some MB")}
from {escape(known.homepage or "")}).</li>
<li>Or download the table there yourself, then <code>carbonweather data import carbon_monitor_global.csv</code>, or drop the
file on the <a href="./data">Data page</a>.</li></ol>
<p>This page fills as soon as the table is there. Until then you can look at a
<a href="./emissions?example={EXAMPLE}">simulated example</a> of it.</p>
<small>Cite: {escape(known.citation)}</small></article>"""
