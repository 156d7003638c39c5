"""Settings of a job: defaults filled in, and a wrong one told in one sentence."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from analysis.jobs.errors import SettingsError
from analysis.jobs.job import Job

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def validate(job: Job, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with defaults for those not given, as JSON has them (dates become text, tuples lists).

    Raises
    ------
    SettingsError : unknown, missing or wrong setting, in one sentence.
    """
    from jsonschema import Draft202012Validator, FormatChecker

    if not isinstance(settings, dict):
        raise SettingsError(
            f"settings of {job.name}: expected names with values, found {_short(settings)}; write one setting a line."
        )
    properties = job.schema.get("properties", {})
    plain = _plain(job, settings)
    for name in plain:
        if name not in properties:
            raise SettingsError(
                f"settings of {job.name}: expected {', '.join(properties) or 'none'}, found {name!r}; leave it out or correct its name."
            )
    filled = _filled(job.schema, plain)
    problems = Draft202012Validator(job.schema, format_checker=FormatChecker()).iter_errors(filled)
    problem = min(problems, key=lambda each: [str(step) for step in each.absolute_path], default=None)
    if problem is not None:
        raise SettingsError(_sentence(job, problem))
    return filled


def _plain(job: Job, settings: dict[str, Any]) -> dict[str, Any]:
    def text(value: object) -> str:
        if isinstance(value, dt.date | dt.datetime):
            return value.isoformat()
        raise TypeError(f"{type(value).__name__} {_short(value)}")

    try:
        if not all(isinstance(name, str) for name in settings):
            raise TypeError("a name that is not text")
        found: dict[str, Any] = json.loads(json.dumps(settings, allow_nan=False, default=text))
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"settings of {job.name}: expected text, finite numbers, true or false, lists and mappings, found {error}; change that setting."
        ) from None
    return found


def _filled(schema: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """In the order of the schema, so that the same settings are written the same."""
    properties = schema.get("properties", {})
    filled = {}
    for name, facts in properties.items():
        if name in settings or "default" in facts:
            value = settings[name] if name in settings else copy.deepcopy(facts["default"])
            filled[name] = _filled(facts, value) if isinstance(value, dict) and "properties" in facts else value
    return filled | {name: value for name, value in settings.items() if name not in properties}


def _sentence(job: Job, problem: ValidationError) -> str:
    from jsonschema.exceptions import best_match

    problem = best_match([problem]) or problem
    place = ".".join(str(step) for step in problem.absolute_path)
    rule, limit = str(problem.validator), problem.validator_value
    if rule == "required":
        missing = next(name for name in limit if name not in problem.instance)
        described = job.schema.get("properties", {}).get(missing, {}).get("title", "")
        return (
            f"settings of {job.name}: expected {missing}{f' ({described})' if described else ''}, found none; add it."
        )
    if rule == "additionalProperties" and isinstance(problem.schema, dict):
        names = ", ".join(problem.schema.get("properties", {})) or "no names"
        return (
            f"settings of {job.name}: {place or 'all'}: expected {names}, found {_short(problem.instance)}; change it."
        )
    expected = _EXPECTED.get(rule)
    if expected is None:
        return f"settings of {job.name}: {place or 'all'}: {problem.message[:200]}; change it."
    if rule == "pattern" and problem.schema.get("examples"):
        expected, limit = "text like {}", problem.schema["examples"][0]
    of_size = rule.lower().endswith(("maximum", "minimum"))
    unit = problem.schema.get("x-unit", "") if of_size and isinstance(problem.schema, dict) else ""
    return (
        f"settings of {job.name}: {place or 'all'}: expected {_listed(expected, limit)}{f' {unit}' if unit else ''}, "
        f"found {_short(problem.instance)}; change it."
    )


_EXPECTED = {
    "const": "{}",
    "enum": "one of {}",
    "exclusiveMaximum": "less than {}",
    "exclusiveMinimum": "more than {}",
    "format": "a {}",
    "maximum": "at most {}",
    "maxItems": "at most {} items",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "minItems": "at least {} items",
    "minLength": "at least {} characters",
    "multipleOf": "a multiple of {}",
    "pattern": "text of the form {}",
    "type": "{}",
    "uniqueItems": "items that differ",
}
_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "names with values",
    "string": "text",
}


def _listed(expected: str, limit: Any) -> str:
    values = limit if isinstance(limit, list) else [limit]
    if expected == "{}" and all(value in _TYPES for value in values):
        return " or ".join(_TYPES[value] for value in values)
    return expected.format(", ".join("nothing" if value is None else str(value) for value in values))


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
