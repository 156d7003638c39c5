"""The mark of the simulated world: files written in the real layouts by simulated instruments say so."""

from __future__ import annotations

from typing import Any, Protocol

SIMULATED_CATALOG = "demo"
"""The catalogue entry that simulated files belong to, whatever instrument they imitate."""


class HasAttributes(Protocol):
    """Anything with `get`: a dict of attributes, or attributes read when asked for."""

    def get(self, key: str, default: Any = ..., /) -> Any:
        """The attribute or the default."""


def is_simulated(attrs: HasAttributes) -> int:
    """1 if the attribute ``simulated`` is set or the title says "simulated", else 0."""
    stated = str(attrs.get("simulated", "0")).strip().lower()
    return int(stated not in ("0", "", "false", "no") or "simulated" in str(attrs.get("title", "")).lower())
