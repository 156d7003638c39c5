"""The fields of a form, made from the JSON schema of a job's settings.

The schema is the only description: titles, explanations, units, bounds and defaults all come from it, so a new kind of run has
its form without a line here. Whatever a schema may hold that has no field of its own is written as YAML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SUGGESTED = ("regions", "weather", "transports")
"""Sources of choices beside which anything else may be written."""


@dataclass(frozen=True)
class Choice:
    """One of the values that a field offers, and what it is called."""

    value: str
    label: str


@dataclass(frozen=True)
class Field:
    """One setting as a form shows it.

    Attributes
    ----------
    name : key in the settings.
    kind : 'number', 'integer', 'text', 'boolean', 'choice', 'choices', 'date', 'box', 'list' (plain values with commas),
        'points' (longitude, latitude; ...) or 'yaml'.
    title, description, unit : what people read; ``unit`` may be ''.
    schema : the part of the job's schema that its value must fulfil.
    required : whether the job refuses to run without it.
    nullable : whether 'none' (null) is a value.
    default : value where nothing is typed; None where there is none.
    choices : what it offers; for 'text' they are suggestions only.
    """

    name: str
    kind: str
    title: str
    description: str
    unit: str
    schema: Mapping[str, Any]
    required: bool = False
    nullable: bool = False
    default: Any = None
    choices: tuple[Choice, ...] = ()

    def hint(self) -> str:
        """What happens if the field is left alone, and which values it takes."""
        unit = f" {self.unit}" if self.unit else ""
        low, high = bounds(self.schema)
        parts = []
        if self.kind in ("number", "integer") and (low is not None or high is not None):
            if low is not None and high is not None:
                parts.append(f"{low:.10g} to {high:.10g}{unit}")
            else:
                parts.append(f"at least {low:.10g}{unit}" if low is not None else f"at most {high:.10g}{unit}")
        if self.default not in (None, [], {}, ""):
            labels = {choice.value: choice.label for choice in self.choices}
            values = self.default if isinstance(self.default, list) else [self.default]
            if self.kind != "boolean":
                shown = ", ".join(labels.get(plain_text(value), plain_text(value)) for value in values)
                if isinstance(self.default, Mapping):
                    shown = ", ".join(f"{name}: {plain_text(value)}" for name, value in self.default.items())
                parts.append(f"default {shown}{unit}")
        elif not self.required and self.kind not in ("boolean",):
            parts.append("may be left empty")
        return "; ".join(parts)

    def spec(self) -> dict[str, Any]:
        """What the browser needs to draw it."""
        low, high = bounds(self.schema)
        step = self.schema.get("multipleOf", 1 if self.kind == "integer" else None)
        return {
            "name": self.name,
            "kind": self.kind,
            "title": self.title,
            "description": self.description,
            "hint": self.hint(),
            "unit": self.unit,
            "required": self.required,
            "nullable": self.nullable,
            "low": low,
            "high": high,
            "step": step,
            "choices": [[choice.value, choice.label] for choice in self.choices],
        }


def fields_of(schema: Mapping[str, Any], choices: Mapping[str, Sequence[Choice]] | None = None) -> tuple[Field, ...]:
    """The fields of a schema, in its own order.

    Parameters
    ----------
    schema : JSON schema 2020-12 of an object; `x-unit` and `x-choices-from` of a property are understood.
    choices : what each source that `x-choices-from` names offers ("instruments", "variables", "cubes", "regions",
        "weather", "transports").
    """
    offered = choices or {}
    required = set(schema.get("required", ()))
    properties = {name: _resolved(part, schema) for name, part in schema.get("properties", {}).items()}
    return tuple(_field(name, part, name in required, offered) for name, part in properties.items())


def _field(name: str, schema: dict[str, Any], required: bool, offered: Mapping[str, Sequence[Choice]]) -> Field:
    schema, nullable = _without_null(schema)
    choices: tuple[Choice, ...] = closed_choices(schema)
    items = schema.get("items", {}) if isinstance(schema.get("items"), Mapping) else {}
    source = schema.get("x-choices-from") or items.get("x-choices-from")
    if not choices and source:
        choices = tuple(offered.get(source, ()))
    return Field(
        name=name,
        kind=_kind(schema, items, choices if source not in _SUGGESTED or schema.get("type") == "array" else ()),
        title=str(schema.get("title") or name.replace("_", " ").capitalize()),
        description=str(schema.get("description", "")),
        unit=str(schema.get("x-unit", "")),
        schema=schema,
        required=required and "default" not in schema,
        nullable=nullable,
        default=schema.get("default"),
        choices=choices,
    )


def _kind(schema: Mapping[str, Any], items: Mapping[str, Any], choices: Sequence[Choice]) -> str:
    kind, form = schema.get("type"), schema.get("format")
    if kind in ("number", "integer", "boolean") and not closed_choices(schema):
        return str(kind)
    if kind == "array":
        numbers = items.get("type") == "number" or any(
            part.get("type") == "number" for part in schema.get("prefixItems", ()) if isinstance(part, Mapping)
        )
        if numbers and 4 in (schema.get("minItems"), schema.get("maxItems"), len(schema.get("prefixItems", ()))):
            return "box"
        if choices:
            return "choices"
        if items.get("type") == "array" and items.get("minItems") == items.get("maxItems") == 2:
            return "points"
        return "list" if items.get("type") in ("string", "number", "integer") else "yaml"
    if choices:
        return "choice"
    if kind == "string":
        return "date" if form == "date" else "text"
    return "yaml"


def closed_choices(schema: Mapping[str, Any]) -> tuple[Choice, ...]:
    """The closed set of values of a property or of an array's items: `enum`, or `oneOf` with `const` and `title`."""
    if schema.get("type") == "array" and isinstance(schema.get("items"), Mapping):
        return closed_choices(schema["items"])
    if "enum" in schema:
        titles = schema.get("x-titles", {})
        return tuple(
            Choice(plain_text(value), str(titles.get(plain_text(value), plain_text(value))))
            for value in schema["enum"]
            if value is not None
        )
    named = schema.get("oneOf", ())
    if named and all(isinstance(part, Mapping) and "const" in part for part in named):
        return tuple(Choice(plain_text(part["const"]), str(part.get("title", part["const"]))) for part in named)
    return ()


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """A property with a `$ref` into the schema's own `$defs` written out."""
    part = dict(schema)
    reference = part.pop("$ref", "")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        part = {**_resolved(root.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {}), {}), **part}
    return part


def _without_null(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema of the values that are not null, and whether null is allowed beside them."""
    for key in ("anyOf", "oneOf"):
        parts = schema.get(key, ())
        plain = [part for part in parts if isinstance(part, Mapping) and part.get("type") != "null"]
        if len(parts) == 2 and len(plain) == 1:
            rest = {name: value for name, value in schema.items() if name != key}
            return {**plain[0], **rest}, True
    kinds = schema.get("type")
    if isinstance(kinds, list):
        plain_kinds = [kind for kind in kinds if kind != "null"]
        if len(plain_kinds) == 1:
            return {**schema, "type": plain_kinds[0]}, len(plain_kinds) < len(kinds)
    return schema, False


def bounds(schema: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Lowest and highest number that a property takes; None for no bound."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    return low, high


def plain_text(value: Any) -> str:
    """A plain value as it stands in a field or an address; '' for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if not value.is_integer() or abs(value) >= 1e15 else str(int(value))
    return str(value)
