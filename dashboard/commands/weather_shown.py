"""What `carbonweather weather` prints of a pack, and the words for its times and sizes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from analysis.weather import Weather


def facts_of(weather: Weather) -> dict[str, Any]:
    """What a pack is, as JSON holds it."""
    import numpy as np

    from analysis.weather.pack import FIELDS
    from data.holdings import folder_size

    rows, columns = weather.grid.shape
    hours = np.unique(np.diff(weather.time_edges) / np.timedelta64(1, "h"))
    return {
        "path": str(weather.path),
        "source": weather.source,
        "simulated": weather.simulated,
        "citation": str(weather.attrs.get("citation", "")),
        "grid": weather.grid.name,
        "cells": [columns, rows],
        "smallest_cell_degrees": [float(weather.grid.lon_widths.min()), float(weather.grid.lat_widths.min())],
        "levels": weather.levels.name,
        "layers": weather.levels.count,
        "start": str(weather.time_edges[0]),
        "end": str(weather.time_edges[-1]),
        "intervals": len(weather),
        "hours": [float(value) for value in hours],
        "dry_mass_kg": weather.dry_mass_kg,
        "dry_mass_drift": float(weather.attrs["dry_mass_drift"]),
        "closure_residual_hpa_per_day": float(weather.attrs["closure_residual_hpa_per_day"]),
        "replay_error": float(weather.attrs["replay_error"]),
        "fields": {name: FIELDS[name][0] for name in weather.field_names},
        "bytes": folder_size(Path(weather.path)),
    }


def print_facts(facts: dict[str, Any]) -> None:
    """Print what a pack is, a line a fact."""
    from data.holdings import size_words

    hours = " or ".join(f"{value:g}" for value in facts["hours"][:3])
    mixing = ", ".join(f"{name.replace('_', ' ')} ({unit})" for name, unit in facts["fields"].items())
    columns, rows = facts["cells"]
    closing, drift = facts["closure_residual_hpa_per_day"], abs(facts["dry_mass_drift"])
    lines = [
        ("Pack", f"{facts['path']} ({size_words(facts['bytes'])})"),
        ("Source", f"{facts['source']}{' (not of any real day)' if facts['simulated'] else ''}"),
        ("Grid", f"{facts['grid']}: {columns} x {rows} cells (longitude x latitude)"),
        ("Levels", f"{facts['levels']}: {facts['layers']} layers"),
        (
            "Time",
            f"{short(facts['start'])} to {short(facts['end'])} UTC, {facts['intervals']:,} intervals of {hours} h",
        ),
        ("Dry air", f"{facts['dry_mass_kg']:.5g} kg, {f'changes by {drift:.0e} of it' if drift else 'stays the same'}"),
        ("Closure", f"winds missed the change of pressure by up to {closing:.2g} hPa a day (rms), mended"),
        ("Replay", f"fluxes lead from air mass to air mass within {facts['replay_error']:.0e} of a cell"),
        ("Mixing", mixing or "no fields: a typical boundary layer stands in, and there is no convection"),
    ]
    if "replayed_error" in facts:
        lines.append(("Checked", f"all intervals replayed now, within {facts['replayed_error']:.0e} of a cell"))
    if facts["citation"]:
        lines.append(("Cite", facts["citation"]))
    for name, text in lines:
        click.echo(f"{name + ':':<10}{text}")


def print_list(folder: Path, as_json: bool) -> None:
    """Print a line for each pack in a folder."""
    from analysis.weather import Weather, WeatherProblem
    from data.holdings import size_words

    packs = (
        sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".") if folder.is_dir() else []
    )
    for path in packs:
        try:
            facts = facts_of(Weather(path))
        except WeatherProblem as problem:
            click.echo(
                json.dumps({"path": str(path), "problem": str(problem)}) if as_json else f"{path.name}: {problem}"
            )
            continue
        if as_json:
            click.echo(json.dumps(facts))
        else:
            kind = "simulated" if facts["simulated"] else facts["source"]
            click.echo(
                f"{path.name}: {kind}, {facts['intervals']:,} intervals, {short(facts['start'])} to {short(facts['end'])}, "
                f"{size_words(facts['bytes'])}"
            )
    if not packs and not as_json:
        click.echo(f"There are no weather packs in {folder}; make one with: carbonweather weather synthetic --help")


def short(moment: object) -> str:
    """A time without the parts that say nothing: 2015-03-01, or 2015-03-01T06:00."""
    return re.sub(r"(T\d\d:\d\d):00$", r"\1", re.sub(r"T00:00:00$", "", str(moment)))


def day(moment: object) -> str:
    """A time as part of a file's name: 20150301, 20150301t0600."""
    return re.sub(r"[-:]", "", short(moment))


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
