"""A browser half that is told what to show as JSON texts, and says in messages what people do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from panel.custom import JSComponent

from dashboard.shell import STATIC


class JsonView(JSComponent):
    """A component with one parameter for each thing to show: a JSON text, sent only when it changes.

    Parameters
    ----------
    on_message : called with each message of the browser that has a ``kind``.
    """

    __abstract = True

    def __init__(self, on_message: Callable[[dict[str, Any]], None], **params: Any) -> None:
        super().__init__(**params)
        self._on_message = on_message
        self._number = 0

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and isinstance(data.get("kind"), str):
            self._on_message(data)

    def tell(self, name: str, facts: dict[str, Any], *, again: bool = False) -> None:
        """Send facts to the browser under a parameter's name; `again` even if they are the same as last time."""
        if again:
            self._number += 1
            facts = facts | {"number": self._number}
        self.tell_text(name, json.dumps(facts, ensure_ascii=False))

    def tell_text(self, name: str, text: str) -> None:
        """The same for JSON that was written in a thread."""
        if getattr(self, name) != text:
            self.param.update(**{name: text})


def joined(names: Sequence[str]) -> str:
    """Files below static, one after another: scripts that make up one module, or style sheets."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)
