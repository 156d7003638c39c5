"""A run's configuration as a YAML file: what is downloaded starts the same run elsewhere, and what is uploaded fills the form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from data.errors import DataError

LARGEST_BYTES = 200_000
"""A configuration is a page of text; anything larger is another file."""


class ConfigurationProblem(DataError):
    """A file is not the configuration of a run; `str(error)` is the sentence to show."""


@dataclass(frozen=True)
class RunConfiguration:
    """What a run is started from.

    Attributes
    ----------
    kind : of run; '' where the file does not say.
    title : for people.
    seed : of random numbers.
    settings : as written, not yet checked against the job's schema.
    """

    kind: str
    title: str = ""
    seed: int = 0
    settings: dict[str, Any] = field(default_factory=dict)

    def to_yaml(self) -> str:
        """Readable text; `read_configuration` gives the same again."""
        facts: dict[str, Any] = {"kind": self.kind, "title": self.title, "seed": self.seed, "settings": self.settings}
        return yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=110)


class _Loader(yaml.SafeLoader):
    """Safe, and without aliases, which let a small text become a huge one; dates stay text, as settings have them."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def plain_yaml(text: str) -> Any:
    """What a YAML text says, in plain values.

    Raises
    ------
    yaml.YAMLError, ValueError, RecursionError : it says nothing, asks for objects, or is made to exhaust the reader.
    """
    return yaml.load(text, Loader=_Loader)


def read_configuration(text: str, name: str = "the file", *, size_bytes: int = 0) -> RunConfiguration:
    """A configuration from YAML: the short form with kind, title, seed and settings, or the `run.yaml` of a run.

    Parameters
    ----------
    text : of the file, any text.
    name : of the file, for the sentence.
    size_bytes : of the file where its text was not even sent.

    Raises
    ------
    ConfigurationProblem : too long, not YAML, or not the configuration of a run.
    """
    name = name[:80] or "the file"
    if max(size_bytes, len(text.encode("utf-8", "replace"))) > LARGEST_BYTES:
        raise _problem(name, f"more than {LARGEST_BYTES // 1000} kB")
    try:
        facts = plain_yaml(text)
    except RecursionError:
        raise _problem(name, "text nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise _problem(name, f"text that is not YAML{where}") from None
    if not isinstance(facts, Mapping):
        raise _problem(name, "nothing" if facts is None else "no names with values")
    kind, settings = facts.get("kind"), facts.get("settings", {})
    if not isinstance(kind, str) or not kind.strip():
        raise _problem(name, "no line 'kind: ...'")
    if settings is None:
        settings = {}
    if not isinstance(settings, Mapping) or not all(isinstance(key, str) for key in settings):
        raise _problem(name, "settings that are no names with values")
    seed = facts.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise _problem(name, f"the seed {str(seed)[:40]!r}, which is no whole number of 0 or more")
    title = facts.get("title")
    return RunConfiguration(kind.strip(), "" if title is None else str(title)[:200], seed, dict(settings))


def _problem(name: str, found: str) -> ConfigurationProblem:
    return ConfigurationProblem(
        f"{name}: expected the configuration of a run (YAML with kind and settings), found {found}; "
        "download one from a run to see how it looks."
    )
