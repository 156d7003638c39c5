"""What people typed into a form as settings, settings as typed text, and one sentence for each field that is not right.

Nothing that a page sends can do more than be refused: every value is checked against its field's part of the schema.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from dashboard.run_configuration import plain_yaml
from dashboard.run_fields import Field, closed_choices, plain_text

BOX_EDGES = ("west", "south", "east", "north")
LONGEST_TEXT = 20_000
"""Characters of one field; nobody types more, and a hostile page shall not make the server parse more."""


@dataclass(frozen=True)
class Filled:
    """What a filled form says: settings that were understood, and one sentence for each field that was not."""

    settings: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)


def typed(field: Field, value: Any) -> Any:
    """What stands in a field for a value: text, a list of texts ('choices'; 'box': west, south, east, north) or True/False."""
    if field.kind == "boolean":
        return bool(value)
    if field.kind == "choices":
        return [plain_text(part) for part in value] if isinstance(value, list | tuple) else []
    if field.kind == "box":
        return [plain_text(part) for part in value] if isinstance(value, list | tuple) and len(value) == 4 else [""] * 4
    if field.kind == "list":
        return ", ".join(plain_text(part) for part in value) if isinstance(value, list | tuple) else plain_text(value)
    if field.kind == "points":
        pairs = value if isinstance(value, list | tuple) else []
        return "; ".join(
            ", ".join(plain_text(part) for part in pair) if isinstance(pair, list | tuple) else plain_text(pair)
            for pair in pairs
        )
    if field.kind == "yaml":
        simple = isinstance(value, Mapping) and not any(isinstance(part, Mapping | list) for part in value.values())
        return (
            ""
            if value in (None, {}, [])
            else yaml.safe_dump(value, sort_keys=False, default_flow_style=not simple).strip()
        )
    return plain_text(value)


def typed_all(fields: Sequence[Field], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in all fields for settings; the default where a setting is absent."""
    return {field.name: typed(field, settings.get(field.name, field.default)) for field in fields}


def read(fields: Sequence[Field], values: Mapping[str, Any]) -> Filled:
    """Settings from what stands in the fields.

    Parameters
    ----------
    fields : of the job's schema.
    values : by field name, as `typed` gives them; anything else that a hostile page may send is an error of that field.

    Returns
    -------
    The settings of all fields that were understood (an empty field that may be empty is left out), and a sentence for each other.
    """
    settings: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for each in fields:
        try:
            value = _value(each, values.get(each.name, typed(each, each.default)))
        except ValueError as problem:
            errors[each.name] = str(problem)
            continue
        if value is None:
            if each.required:
                errors[each.name] = f"{each.title} is needed: {_wanted(each)}."
            elif each.nullable and each.default is not None:
                settings[each.name] = None
            continue
        sentence = problem_with(each, value)
        if sentence:
            errors[each.name] = sentence
        else:
            settings[each.name] = value
    return Filled(settings, errors)


def _wanted(field: Field) -> str:
    if field.kind == "choices":
        return "choose at least one"
    if field.kind == "choice":
        return "choose one"
    return {"number": "give a number", "integer": "give a whole number", "date": "give a date, such as 2020-01-31"}.get(
        field.kind, "give a value"
    )


def _value(field: Field, given: Any) -> Any:
    """The value that was meant, None for nothing; ValueError with a sentence where it cannot be understood."""
    if field.kind == "boolean":
        if isinstance(given, bool):
            return given
        word = str(given).strip().lower()
        if word in ("true", "yes", "1", "on"):
            return True
        if word in ("false", "no", "0", "off", ""):
            return False
        raise ValueError(f"'{word[:40]}' is neither true nor false.")
    if field.kind == "choices":
        return _chosen(field, given)
    if field.kind == "box":
        return _box(given)
    text = given if isinstance(given, str) else plain_text(given)
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"This is too long: {len(text)} characters, at most {LONGEST_TEXT} are read.")
    text = text.strip()
    if not text:
        return None
    if field.kind == "number":
        return number(text)
    if field.kind == "integer":
        return whole(text)
    if field.kind == "date":
        return _date(text)
    if field.kind == "choice":
        return _one_of(field, text) if closed_choices(field.schema) else text
    if field.kind == "list":
        return _list(field, text)
    if field.kind == "points":
        return _points(text)
    if field.kind == "yaml":
        return _yaml(text)
    return text


def number(text: str) -> float:
    """A finite number; ValueError with a sentence otherwise."""
    try:
        value = float(text.replace("−", "-"))
    except ValueError:
        hint = "; write a point, not a comma" if text.count(",") == 1 and text.replace(",", "").isdigit() else ""
        raise ValueError(f"'{text[:40]}' is not a number{hint}.") from None
    if not math.isfinite(value):
        raise ValueError(f"'{text[:40]}' is not a number that can be used here.")
    return value


def whole(text: str) -> int:
    """A whole number; ValueError with a sentence otherwise."""
    value = number(text)
    if not value.is_integer():
        raise ValueError(f"'{text[:40]}' is not a whole number.")
    return int(value)


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"'{text[:40]}' is not a date; write it as 2020-01-31.") from None


def _one_of(field: Field, text: str) -> Any:
    for value in _enumerated(field.schema):
        if plain_text(value) == text:
            return value
    known = ", ".join(choice.value for choice in field.choices[:12])
    raise ValueError(f"'{text[:40]}' is not one of the choices: {known}{' …' if len(field.choices) > 12 else ''}.")


def _enumerated(schema: Mapping[str, Any]) -> list[Any]:
    if schema.get("type") == "array" and isinstance(schema.get("items"), Mapping):
        return _enumerated(schema["items"])
    return list(schema["enum"]) if "enum" in schema else [part.get("const") for part in schema.get("oneOf", ())]


def _chosen(field: Field, given: Any) -> list[Any] | None:
    texts = given if isinstance(given, list | tuple) else [given] if given else []
    if len(texts) > 1000 or not all(isinstance(text, str | int | float) for text in texts):
        raise ValueError("This is not a list of choices.")
    chosen = [plain_text(text) for text in texts]
    closed = bool(closed_choices(field.schema))
    values: list[Any] = [_one_of(field, text) if closed else text for text in dict.fromkeys(chosen) if text]
    if values:
        return values
    return [] if field.default is not None or field.schema.get("minItems", 0) else None


def _list(field: Field, text: str) -> list[Any]:
    kind = field.schema.get("items", {}).get("type")
    read_one: Any = {"number": number, "integer": whole}.get(str(kind), str)
    return [read_one(part.strip()) for part in text.replace("\n", ",").split(",") if part.strip()]


def _points(text: str) -> list[list[float]]:
    points: list[list[float]] = []
    if text.startswith("["):
        listed = _yaml(text)
        if not isinstance(listed, list) or not all(isinstance(pair, list) for pair in listed):
            raise ValueError("These are no corners; write longitude, latitude; longitude, latitude; and so on.")
        text = ";".join(" ".join(plain_text(part) for part in pair) for pair in listed)
    for pair in text.removeprefix("poly:").replace("\n", ";").split(";"):
        if not pair.strip():
            continue
        parts = pair.replace(",", " ").split()
        if len(parts) != 2:
            raise ValueError(f"'{pair.strip()[:40]}' is not a longitude and a latitude, such as 116.4, 39.9.")
        lon, lat = (number(part) for part in parts)
        if not (-360 <= lon <= 360 and -90 <= lat <= 90):
            raise ValueError(
                f"'{pair.strip()[:40]}' is no place: longitudes lie between -360 and 360, latitudes between -90 and 90."
            )
        points.append([lon, lat])
    return points


def _box(given: Any) -> list[float] | None:
    texts = given.split(",") if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or len(texts) != 4:
        if texts in (None, [], [""]):
            return None
        raise ValueError("A box is four numbers: west, south, east, north.")
    parts = [plain_text(part).strip() for part in texts]
    if not any(parts):
        return None
    values: list[float] = []
    for edge, text in zip(BOX_EDGES, parts, strict=True):
        if not text:
            raise ValueError(f"The box has no {edge} edge; fill all four, or none.")
        try:
            values.append(number(text))
        except ValueError as problem:
            raise ValueError(f"{edge.capitalize()} edge: {problem}") from None
    west, south, east, north = values
    if not (-90 <= south <= 90 and -90 <= north <= 90):
        raise ValueError("The south and north edges lie between -90 and 90 degrees.")
    if south >= north:
        raise ValueError("The south edge must lie south of the north edge.")
    if not (-360 <= west <= 360 and -360 <= east <= 360):
        raise ValueError("The west and east edges lie between -360 and 360 degrees.")
    if west == east:
        raise ValueError("The west and east edges are the same; the box is empty.")
    return values


def _yaml(text: str) -> Any:
    try:
        return plain_yaml(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        raise ValueError("This is not YAML; write it as in a configuration file.") from None


def problem_with(field: Field, value: Any) -> str:
    """What is wrong with a value, in one sentence; '' if nothing is."""
    unit = f" {field.unit}" if field.unit else ""
    for error in Draft202012Validator(dict(field.schema)).iter_errors(value):
        limit, found = error.validator_value, plain_text(error.instance)[:40]
        match error.validator:
            case "minimum":
                return f"{found}{unit} is too small; at least {plain_text(limit)}{unit} is needed."
            case "exclusiveMinimum":
                return f"{found}{unit} is too small; it must be more than {plain_text(limit)}{unit}."
            case "maximum":
                return f"{found}{unit} is too large; at most {plain_text(limit)}{unit} is possible."
            case "exclusiveMaximum":
                return f"{found}{unit} is too large; it must be less than {plain_text(limit)}{unit}."
            case "multipleOf":
                return f"{found}{unit} is not a multiple of {plain_text(limit)}{unit}."
            case "minItems":
                return "Choose at least one." if limit == 1 else f"At least {limit} values are needed."
            case "maxItems":
                return f"At most {limit} values are possible; there are {len(error.instance)}."
            case "minLength":
                return f"At least {limit} characters are needed."
            case "maxLength":
                return f"At most {limit} characters are possible; there are {len(error.instance)}."
            case "uniqueItems":
                return "A value is there twice; leave one out."
            case "enum" | "const":
                return f"'{found}' is not one of the choices."
            case "pattern":
                return f"'{found}' does not have the form that is needed: {field.description or limit}"
            case "type":
                return f"'{found}' is not {_article(str(limit))}."
            case _:
                return f"'{found}' does not fit here."
    return ""


def _article(kind: str) -> str:
    return {
        "integer": "a whole number",
        "number": "a number",
        "string": "a text",
        "array": "a list",
        "object": "a set of named values",
        "boolean": "true or false",
    }.get(kind, f"of the kind {kind}")
