"""The written parts of the Atmosphere page as HTML and Markdown. All text from outside is escaped."""

from __future__ import annotations

from html import escape

import numpy as np

from analysis.statistics.stability import Stability, ZoneRow
from dashboard.atmosphere_shown import Moment
from dashboard.atmosphere_state import COMPONENT_NAMES, SPANS, AtmosphereState
from dashboard.attribution import Attribution, attribution_of
from dashboard.wording import time_text
from data.volumes import Volume

SUMMARY_CSS = """
:host { margin: 0; font: 13px/1.45 Roboto, sans-serif; color: var(--mui-palette-text-primary, #22313f); }
p { margin: 0; } b { font-weight: 600; }
.simulated { background: #b3261e; color: #fff; border-radius: 5px; padding: 1px 8px; margin-right: 10px; }
"""
TABLE_CSS = """
:host { margin: 0; overflow: auto; background: var(--mui-palette-background-paper, #fff);
  color: var(--mui-palette-text-primary, #22313f); }
table { border-collapse: collapse; width: 100%; font: 12px/1.25 Roboto, sans-serif; }
caption { text-align: left; padding: 7px 10px 3px; font-weight: 600; font-size: 12.5px; }
caption small { display: block; font-weight: 400; opacity: .78; font-size: 11.5px; }
th { text-align: right; font-weight: 500; padding: 3px 6px; position: sticky; top: 0; white-space: nowrap;
  background: var(--mui-palette-background-paper, #fff); }
td { padding: 2.5px 6px; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; padding-left: 10px; }
tr + tr td { border-top: 1px solid rgb(128 128 128 / 16%); }
tr.here td { background: rgb(255 61 110 / 12%); }
td.none { opacity: .6; text-align: left; }
p { margin: 0; padding: 10px; font: 13px/1.5 Roboto, sans-serif; }
"""
EMPTY_CSS = """
:host { margin: 0; color: var(--mui-palette-text-primary, #22313f); }
article { background: var(--mui-palette-background-paper, #fff); border-radius: 8px; padding: 20px 26px; max-width: 820px;
  font: 15px/1.55 Roboto, sans-serif; margin: 12px auto; }
h2 { margin: 0 0 8px; font-size: 20px; font-weight: 600; }
ul { padding-left: 22px; margin: 8px 0; }
li { margin: 6px 0; }
code { background: rgb(128 128 128 / 16%); border-radius: 4px; padding: 1px 6px; font-size: 13.5px; overflow-wrap: anywhere; }
"""
HELP = """**Stability zone.** The heights at which CO₂ hardly changes with height and with time: the mean \
|dC/dz| and the standard deviation of C in time are both within a limit. Hatched in the sections, listed by latitude \
band (the thickest range, at least 1 km). **The limits are a convention**, not a property of the air: change them and \
see what stays. Variation is that of a fixed place, root mean square over longitude."""


def empty_html(problem: str = "") -> str:
    """What to import where there is nothing."""
    said = f"<p><b>{escape(problem)}</b></p>" if problem else ""
    return f"""<article>{said}<h2>No CO₂ by height yet</h2>
<p>This page shows profiles, sections and the stability zone of CO₂ from mole fractions on model levels.</p>
<ul>
<li>Import CarbonTracker's files (<code>CT2022.molefrac_glb3x2_2020-01-01.nc</code>, monthly or 3-hourly, from NOAA GML):
<br><code>carbonweather data import FOLDER</code> or <code>carbonweather data fetch carbontracker-ct2022-molefractions</code>.</li>
<li>Files with components (<code>molefrac_components</code>) join those with the total of the same days, which have the
pressure.</li>
<li>Any other model's file in the same layout works as well.</li>
<li>Or build the simulated demo: <code>carbonweather demo</code>.</li>
</ul></article>"""


def summary_html(found: Moment, state: AtmosphereState, *, simulated: bool) -> str:
    """The place, its column mean and how it was made."""
    profile = found.profile
    chip = '<span class="simulated">simulated</span>' if simulated else ""
    where = escape(found.place) + (f", mean of {profile.count} columns" if profile.count > 1 else "")
    what = "XCO₂" if state.component == "co2" else f"column mean of {COMPONENT_NAMES[state.component].lower()}"
    column = f"{profile.column_ppm:.2f} ppm" if np.isfinite(profile.column_ppm) else "no data"
    good = np.flatnonzero(np.isfinite(profile.mean))
    ends = ""
    if good.size:
        low, high = profile.mean[good[0]], profile.mean[good[-1]]
        ends = f" · lowest level {low:.2f}, top of the section {high:.2f} ppm"
    when = escape(time_text(state.time))
    return f"<p>{chip}<b>{when}</b> · {where}: <b>{what} {column}</b> (levels weighted by their dry air){ends}</p>"


def zone_html(rows: list[ZoneRow], found: Stability, state: AtmosphereState, latitude: float) -> str:
    """The zone by latitude band."""
    unit = "km" if state.axis == "km" else "hPa"
    digits = 1 if unit == "km" else 0
    times = f"{found.steps} times" if found.steps == found.steps_all else f"{found.steps} of {found.steps_all} times"
    period = f"{str(found.start)[:10]} to {str(found.end)[:10]}, {times}"
    trend = "trend taken out" if state.detrended else "with its trend"
    caption = (
        f"<caption>Stability zone by latitude<small>|dC/dz| ≤ {state.gradient_limit:g} ppm/km and variation ≤ "
        f"{state.variation_limit:g} ppm ({SPANS[state.span].lower()}, {trend}); {period}</small></caption>"
    )
    head = f"<tr><th>Latitude</th><th>Bottom, {unit}</th><th>Top, {unit}</th><th>Depth, km</th><th>Mean, ppm</th></tr>"
    top = found.axis.values.size - 1
    body = "".join(_zone_row(row, digits, top, here=row.south <= latitude < row.north) for row in rows)
    return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"


def _zone_row(row: ZoneRow, digits: int, top: int, *, here: bool) -> str:
    mark = ' class="here"' if here else ""
    name = f"{_degrees(row.south)} to {_degrees(row.north)}"
    if row.zone is None:
        return f'<tr{mark}><td>{name}</td><td class="none" colspan="4">none</td></tr>'
    zone = row.zone
    low = "ground" if zone.first == 0 else f"{zone.bottom:.{digits}f}"
    high = f"{'> ' if zone.last == top else ''}{zone.top:.{digits}f}"
    more = f' title="and {zone.others} thinner" ' if zone.others else " "
    return (
        f"<tr{mark}><td>{name}</td><td>{low}</td><td>{high}</td>"
        f"<td{more}>{zone.depth_km:.1f}{' +' + str(zone.others) if zone.others else ''}</td><td>{row.mean:.1f}</td></tr>"
    )


def _degrees(latitude: float) -> str:
    return "0°" if latitude == 0 else f"{abs(latitude):.0f}°{'S' if latitude < 0 else 'N'}"


def waiting_html(sentence: str) -> str:
    """In place of the table."""
    return f"<p>{escape(sentence)}</p>"


def origin(volume: Volume) -> Attribution:
    """Whose data it is and how to cite it."""
    return attribution_of(volume.attrs)


def about_text(volume: Volume) -> str:
    """Markdown: kind of data, grid, period, citation."""
    grid, times = volume.grid, volume.times
    known = origin(volume)
    lines = [
        "**Simulated data**: not a measurement." if volume.simulated else "",
        f"{grid.dlon:g}° × {grid.dlat:g}°, {volume.levels} levels, {len(times)} times, {str(times[0])[:10]} to "
        f"{str(times[-1])[:10]}.",
        f"Note: {volume.note}." if volume.note else "",
        f"Cite: {known.citation}" if known.citation else "",
    ]
    return "  \n".join(line for line in lines if line)
