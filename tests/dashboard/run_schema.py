"""A schema with every kind of property, for tests of forms."""

from __future__ import annotations

from typing import Any

from dashboard.run_fields import Choice

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["variable"],
    "properties": {
        "resolution": {
            "type": "number",
            "title": "Cell size",
            "description": "Side of a cell.",
            "exclusiveMinimum": 0,
            "maximum": 10,
            "default": 0.05,
            "x-unit": "degree",
        },
        "least": {"type": "integer", "title": "Least soundings", "minimum": 1, "default": 3},
        "variable": {"type": "string", "title": "Variable", "x-choices-from": "variables"},
        "good_only": {"type": "boolean", "title": "Good quality only", "default": True},
        "step": {"type": "string", "title": "Time step", "enum": ["day", "month"], "default": "month"},
        "modes": {
            "type": "array",
            "title": "Modes",
            "items": {"type": "string", "enum": ["nadir", "glint", "target"]},
            "minItems": 1,
            "uniqueItems": True,
            "default": ["nadir", "glint"],
        },
        "start": {"type": ["string", "null"], "format": "date", "title": "First day", "default": None},
        "box": {
            "type": "array",
            "title": "Box",
            "items": {"type": "number"},
            "minItems": 4,
            "maxItems": 4,
            "default": [-180, -90, 180, 90],
        },
        "region": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Region", "x-choices-from": "regions"},
        "levels": {"type": "array", "title": "Levels", "items": {"type": "number"}},
        "outline": {
            "type": "array",
            "title": "Outline",
            "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            "minItems": 3,
        },
        "extra": {"type": "object", "title": "Extra"},
        "sort": {"oneOf": [{"const": 1, "title": "Up"}, {"const": 2, "title": "Down"}], "title": "Order", "default": 1},
    },
}
OFFERED = {
    "variables": (Choice("xco2", "XCO2"), Choice("sif", "Fluorescence")),
    "regions": (Choice("Countries/China", "China"),),
}
