"""Style sheets and scripts of Panel's components, looked up once instead of at each opening of a page.

For every page that it serves Panel asks each of its 250 classes of components, several times, which files it brings along: 50 ms
on the event loop that everybody shares. The answer changes only with the classes that there are and the extensions in use.
"""

from __future__ import annotations

from functools import wraps

from panel.io.resources import Resources
from panel.io.state import state
from panel.reactive import ReactiveCustomBase, ReactiveMetaBase


def remember_resources() -> None:
    """From now on, look up what components bring along once for each set of classes; calling it again changes nothing."""
    if hasattr(Resources.extra_resources, "__wrapped__"):
        return
    look_up = Resources.extra_resources
    known: dict[tuple[object, ...], list[str]] = {}

    @wraps(look_up)
    def extra_resources(self: Resources, resources: list[str], resource_type: str) -> None:
        extensions = frozenset(ReactiveMetaBase._loaded_extensions), frozenset(state._extensions or ())
        key = resource_type, self.mode, state.rel_path, extensions, _count(ReactiveCustomBase)
        if key not in known:
            found: list[str] = []
            look_up(self, found, resource_type)
            known[key] = found
        resources.extend(resource for resource in known[key] if resource not in resources)

    Resources.extra_resources = extra_resources


def _count(base: type) -> int:
    """A class and those that derive from it, with those that do so twice counted twice."""
    subclasses: list[type] = base.__subclasses__()
    return 1 + sum(map(_count, subclasses))
