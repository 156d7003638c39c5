"""The manifest of a cube: what is in it. A step or a block exists only once the manifest names it, and the manifest
is replaced whole.

Every written map gets a number (its slot) that is never used again, so that files are only ever added and readers of
an older manifest are never handed other data under the same name. A replaced step simply points to another slot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from data.cube.grid import Grid, Variable
from data.errors import StoreProblem

FILE = "manifest.json"
_FORMAT = 1


@dataclass(frozen=True)
class Block:
    """A sealed piece of a variable's time layout: these slots' maps, in this order, as one array.

    Attributes
    ----------
    number : names the folder, never used again.
    variable : the variable's name.
    slots : slots of the maps, by time when it was sealed.
    """

    number: int
    variable: str
    slots: tuple[int, ...]


@dataclass(frozen=True)
class Manifest:
    """Everything about a cube but its numbers.

    Attributes
    ----------
    version : grows with every change.
    next_number : the next free slot or block number.
    steps : time (ns since 1970) -> variable -> slot, in order of time.
    blocks : sealed pieces of the time layout.
    """

    name: str
    title: str
    attrs: dict[str, Any]
    grid: Grid
    variables: dict[str, Variable]
    version: int = 1
    next_number: int = 0
    steps: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()

    @cached_property
    def times(self) -> np.ndarray:
        """(steps,) datetime64[ns], ascending."""
        times = np.array(list(self.steps), dtype=np.int64).astype("datetime64[ns]")
        times.flags.writeable = False
        return times

    def slots(self, variable: str) -> np.ndarray:
        """(steps,) slot of each step of a variable, -1 where it has none."""
        return self._slots[variable]

    @cached_property
    def _slots(self) -> dict[str, np.ndarray]:
        return {
            name: np.array([slots.get(name, -1) for slots in self.steps.values()], dtype=np.int64)
            for name in self.variables
        }

    @cached_property
    def sealed(self) -> dict[str, dict[int, tuple[Block, int]]]:
        """variable -> slot -> block that holds it and its place therein."""
        found: dict[str, dict[int, tuple[Block, int]]] = {name: {} for name in self.variables}
        for block in self.blocks:
            for place, slot in enumerate(block.slots):
                found[block.variable][slot] = block, place
        return found

    def with_step(self, time: int, slots: Mapping[str, int]) -> Manifest:
        """A new version in which the step at `time` has these slots (other variables keep theirs)."""
        steps = dict(self.steps)
        steps[time] = {**steps.get(time, {}), **slots}
        return replace(
            self, version=self.version + 1, next_number=max(slots.values()) + 1, steps=dict(sorted(steps.items()))
        )

    def with_blocks(self, blocks: tuple[Block, ...], next_number: int) -> Manifest:
        """A new version with these blocks instead of the old ones."""
        return replace(self, version=self.version + 1, next_number=next_number, blocks=blocks)

    def to_bytes(self) -> bytes:
        """As it is kept."""
        return json.dumps(
            {
                "carbonweather_cube": _FORMAT,
                "name": self.name,
                "title": self.title,
                "attrs": self.attrs,
                "grid": asdict(self.grid),
                "variables": [asdict(variable) for variable in self.variables.values()],
                "version": self.version,
                "next_number": self.next_number,
                "steps": [[time, dict(slots)] for time, slots in self.steps.items()],
                "blocks": [asdict(block) for block in self.blocks],
            }
        ).encode()

    @classmethod
    def from_bytes(cls, content: bytes, path: str) -> Manifest:
        """Read back; StoreProblem where damaged or from a later version of this program."""
        try:
            kept = json.loads(content)
            form = kept["carbonweather_cube"]
            if form == _FORMAT:
                return cls(
                    name=kept["name"],
                    title=kept["title"],
                    attrs=kept["attrs"],
                    grid=Grid(**kept["grid"]),
                    variables={entry["name"]: Variable(**entry) for entry in kept["variables"]},
                    version=int(kept["version"]),
                    next_number=int(kept["next_number"]),
                    steps={int(time): {str(k): int(v) for k, v in slots.items()} for time, slots in kept["steps"]},
                    blocks=tuple(Block(int(b["number"]), b["variable"], tuple(b["slots"])) for b in kept["blocks"]),
                )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreProblem(
                f"cube {path}: expected a readable {FILE}, found a damaged one ({error}); delete the "
                "folder and import or build the cube again."
            ) from None
        raise StoreProblem(f"cube {path}: expected storage format {_FORMAT}, found {form}; update this program.")


def plain_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as JSON can keep them (NumPy numbers and arrays become plain ones); StoreProblem for anything else."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if isinstance(value, Mapping):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        if value is None or isinstance(value, (str, int, float, bool)):
            return value
        raise StoreProblem(
            f"expected attributes that are texts, numbers or lists of these, found {type(value).__name__}; "
            "convert it to text."
        )

    return {str(key): plain(value) for key, value in attrs.items()}
