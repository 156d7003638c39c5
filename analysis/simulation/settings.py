"""What a user may choose of a transport run: the schema of its settings."""

from __future__ import annotations

from typing import Any

from analysis.simulation.fields import EVERY
from analysis.simulation.layout import BACKGROUND, SHORT
from analysis.transport import reconstruction
from analysis.transport.step import LONGEST_STEP_S

SYNTHETIC = "synthetic"
SIMULATED = "simulated"
NONE = "none"
REFINED = "refined"
MODEL_GRID = "model"
WRITTEN_GRIDS = (MODEL_GRID, "3x2", "1x1")
PRECISIONS = ("float32", "float64")

LONGEST_STEP_RANGE_S = (60.0, LONGEST_STEP_S)
"""Shorter steps only cost time; in longer ones mixing and emissions no longer follow the hours of the day."""

_PATHS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 1000},
    "maxItems": 2000,
}
_NAMES = {
    BACKGROUND: "background",
    "biosphere": "land biosphere",
    "ocean": "ocean",
    "fossil": "fossil fuel",
    "fire": "fires",
}

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "weather": {
            "title": "Weather",
            "description": (
                "Folder of a weather pack (carbonweather weather makes them) or its name, or 'synthetic' for made-up winds of any time. "
                "Paths that do not begin with '/' are looked for in the data folder."
            ),
            "type": "string",
            "minLength": 1,
            "maxLength": 1000,
            "x-choices-from": "weather",
            "default": SYNTHETIC,
        },
        "start": {
            "title": "First day",
            "description": "UTC, from 0 h on. Empty: from the beginning of the pack.",
            "type": ["string", "null"],
            "format": "date",
            "default": None,
        },
        "end": {
            "title": "Last day",
            "description": "UTC, the day included. Empty: to the end of the pack.",
            "type": ["string", "null"],
            "format": "date",
            "default": None,
        },
        "grid": {
            "title": "Grid of made-up weather",
            "description": (
                "Degrees of longitude x latitude (2x2.5: of latitude x longitude, as GEOS-Chem's). 'Refined' has small cells over the "
                "region and 3x2 elsewhere. A pack has its own grid."
            ),
            "type": "string",
            "enum": ["6x4", "3x2", "2x2.5", "1x1", REFINED],
            "default": "3x2",
        },
        "region": {
            "title": "Region of the refined grid",
            "description": "West, south, east, north; west greater than east runs across the date line.",
            "type": "array",
            "items": {"type": "number", "minimum": -360, "maximum": 360},
            "minItems": 4,
            "maxItems": 4,
            "x-unit": "degrees",
            "default": [60, -12, 150, 55],
        },
        "cell": {
            "title": "Cells of the region",
            "description": "Size of the refined grid's small cells; the region's sides must be whole numbers of them.",
            "type": "number",
            "minimum": 0.25,
            "maximum": 2,
            "x-unit": "degrees",
            "default": 1,
        },
        "levels": {
            "title": "Levels of made-up weather",
            "description": "ECMWF's 60 hybrid levels, or 34 or 25 made of them. A pack has its own.",
            "type": "integer",
            "enum": [25, 34, 60],
            "default": 25,
        },
        "fluxes": {
            "title": "Surface fluxes",
            "description": (
                "Files in any layout that can be imported (CarbonTracker's, TanSat's, ODIAC's ...), 'simulated' for those of the simulated "
                "world, or 'none'. They are brought onto the grid without loss."
            ),
            **_PATHS,
            "default": [SIMULATED],
        },
        "flux_variables": {
            "title": "Variables of the flux files",
            "description": (
                "Needed only where names in the files do not tell: variable: component, one a line. Then only these are read, and those "
                "of one component add up. Uptake is to be negative."
            ),
            "type": "object",
            "additionalProperties": {"type": "string", "enum": list(SHORT)[1:]},
            "default": {},
        },
        "repeat_year": {
            "title": "Year of the fluxes",
            "description": "The fluxes of this year stand for every year of the run. Empty: the files must cover the run.",
            "type": ["integer", "null"],
            "minimum": 1700,
            "maximum": 2200,
            "default": None,
        },
        "smooth": {
            "title": "Fluxes smooth in time",
            "description": "A continuous line through monthly means instead of steps; each month keeps its mean.",
            "type": "boolean",
            "default": False,
        },
        "diurnal_cycle": {
            "title": "Uptake by day",
            "description": "The biosphere takes up with the sun and respires all day; daily means stay what they are.",
            "type": "boolean",
            "default": False,
        },
        "components": {
            "title": "Components",
            "description": "What is carried apart from each other. The total is written where the background is among them.",
            "type": "array",
            "items": {"type": "string", "enum": list(SHORT), "x-titles": _NAMES},
            "minItems": 1,
            "uniqueItems": True,
            "default": list(SHORT),
        },
        "initial": {
            "title": "CO₂ at the start",
            "description": (
                "The same everywhere, in ppm by component; what is not named begins at 0. Not used where the run goes on from another."
            ),
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {"title": title, "type": "number", "minimum": -2000, "maximum": 5000, "x-unit": "ppm"}
                for name, title in _NAMES.items()
            },
            "x-unit": "ppm",
            "default": {BACKGROUND: 400},
        },
        "continue_from": {
            "title": "Go on from",
            "description": "Id of an earlier transport run on the same grid, or its file final_state.npz. Empty: the same everywhere.",
            "type": "string",
            "maxLength": 1000,
            "x-choices-from": "transports",
            "default": "",
        },
        "scheme": {
            "title": "Advection",
            "description": (
                "'ppm_mono' makes no new extremes, so maps are clean around sources, and is not linear; 'ppm' is linear and most accurate "
                "for smooth fields; 'slopes' is what TM5 uses."
            ),
            "type": "string",
            "enum": list(reconstruction.SCHEMES),
            "default": reconstruction.PPM_MONOTONE,
        },
        "precision": {
            "title": "Precision",
            "description": "Of the tracers; air and sums are always float64. float64 takes twice the memory and time.",
            "type": "string",
            "enum": list(PRECISIONS),
            "default": "float32",
        },
        "longest_step": {
            "title": "Longest step",
            "description": "Steps are shortened further where the wind asks for it.",
            "type": "number",
            "minimum": LONGEST_STEP_RANGE_S[0],
            "maximum": LONGEST_STEP_RANGE_S[1],
            "x-unit": "s",
            "default": LONGEST_STEP_S,
        },
        "output_levels": {
            "title": "Mole fractions on levels",
            "description": "Means that are written, in the layout of CarbonTracker's files; they take most of the room.",
            "type": "string",
            "enum": [NONE, *EVERY],
            "default": "daily",
        },
        "output_columns": {
            "title": "Columns (XCO₂)",
            "description": "Means of the column and of the lowest layer.",
            "type": "string",
            "enum": [NONE, *EVERY],
            "default": "daily",
        },
        "output_grid": {
            "title": "Grids of the results",
            "description": (
                "None chosen: the model's, and where its cells are not all of one size also 3x2 and 1x1. Nothing is lost in regridding."
            ),
            "type": "array",
            "items": {
                "type": "string",
                "enum": list(WRITTEN_GRIDS),
                "x-titles": {MODEL_GRID: "the model's", "3x2": "3x2", "1x1": "1x1"},
            },
            "uniqueItems": True,
            "default": [],
        },
        "output_format": {
            "title": "Files",
            "description": "netCDF by day or month, or one zarr store.",
            "type": "string",
            "enum": ["netcdf", "zarr"],
            "default": "netcdf",
        },
        "samples": {
            "title": "Places and times to sample",
            "description": (
                "A list of files of stations, aircraft or soundings (or of patterns such as oco2/*.nc4), taken while the model runs; in "
                "place of a file also its path with options, see docs/sampling.md. Empty: none."
            ),
            "type": "array",
            "items": {"type": ["string", "object"], "minLength": 1, "maxLength": 1000},
            "maxItems": 2000,
            "default": [],
        },
        "show": {
            "title": "Show in the dashboard",
            "description": "Put columns on the Explore page and levels on the Atmosphere page; they take as much room again.",
            "type": "boolean",
            "default": True,
        },
        "checkpoint_minutes": {
            "title": "Checkpoint every",
            "description": "A run that is killed or paused goes on from the last one, to the bit.",
            "type": "number",
            "minimum": 0,
            "maximum": 1440,
            "x-unit": "minutes",
            "default": 10,
        },
    },
}
"""JSON schema 2020-12, see `analysis.jobs.job.Job`."""
