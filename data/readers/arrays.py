"""Arrays of an HDF5 or netCDF file by any of the names they go under, with all that marks a missing value as NaN.

Direct h5py, and only the attributes that are asked for: satellite teams deliver thousands of small files with a dozen
attributes on each array, and reading those takes most of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from data.readers.opening import reading

_SENTINELS = (-999999.0, -9999.0)
"""What OCO, ACOS, TCCON and GOSAT write for a missing number; no quantity read here can have these values."""

_HUGE = 9e29
"""Beyond this a float is a fill value (netCDF default 9.97e36, GOSAT -1e30)."""


_MISSING = ("_FillValue", "missing_value", "invalidValue")
"""Attributes that name a missing value; the last is NIES's, who use no other."""


class Arrays:
    """Read access to one open file; names include groups ("Retrieval/psurf")."""

    def __init__(self, nodes: Mapping[str, Any], attrs: Attributes) -> None:
        self._nodes = nodes
        self._open: dict[str, Any] = {}
        self._attributes: dict[str, Attributes] = {}
        self.attrs = attrs

    def _node(self, name: str) -> Any:
        if name not in self._open:
            node = self._nodes.get(name)
            self._open[name] = node if hasattr(node, "shape") and not is_dimension_only(node) else None  # no group
        return self._open[name]

    def __contains__(self, name: str) -> bool:
        return self._node(name) is not None

    def find(self, *names: str) -> str | None:
        """The first of these names that the file has."""
        return next((name for name in names if name in self), None)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape as stored."""
        return tuple(self._node(name).shape)

    def dims(self, name: str) -> tuple[str, ...]:
        """Dimension names; "" where the file records none."""
        node = self._node(name)
        if hasattr(node, "dimensions"):
            return tuple(node.dimensions)
        out = []
        for axis in node.dims:
            try:
                out.append(axis[0].name.rsplit("/", 1)[-1] if len(axis) else "")
            except (RuntimeError, KeyError):  # a scale that a subsetter left out
                out.append("")
        return tuple(out)

    def attributes(self, name: str) -> Attributes:
        """Attributes of an array, read when asked for."""
        if name not in self._attributes:
            self._attributes[name] = Attributes(self._node(name))
        return self._attributes[name]

    def raw(self, name: str) -> np.ndarray:
        """Values as stored."""
        return np.asarray(self._node(name)[...])

    def numbers(self, name: str) -> np.ndarray:
        """Values as floats (float32 stays so), missing ones NaN, packing undone."""
        attrs = self.attributes(name)
        raw = self.raw(name)
        stated = [attrs.get(key) for key in (_MISSING[:2] if _MISSING[0] in attrs else _MISSING[1:])]
        markers = [marker for marker in stated if isinstance(marker, (int, float)) and marker == marker]
        floating = raw.dtype.kind not in "iu"
        missing = _equal_to_any(raw, [*markers, *_SENTINELS] if floating else markers, _HUGE if floating else None)
        values = raw.astype(raw.dtype.newbyteorder("="), copy=False) if floating else raw.astype(np.float64)
        scale, offset = attrs.get("scale_factor", 1.0), attrs.get("add_offset", 0.0)
        if (scale, offset) != (1.0, 0.0):
            values = values * scale + offset
        if missing is not None:
            values[missing] = np.nan
        return values

    def codes(self, name: str, meaning: Mapping[int, int] | None = None) -> np.ndarray:
        """Flags as int8; -1 where missing, negative, above 127, or not a key of `meaning` (stored code -> ours)."""
        values = self.numbers(name)
        known = np.isfinite(values) & (values >= 0) & (values <= 127)
        stored = np.where(known, values, -1).astype(np.int8)
        if meaning is None:
            return stored
        out = np.full(stored.shape, -1, dtype=np.int8)
        for theirs, ours in meaning.items():
            out[stored == theirs] = ours
        return out

    def texts(self, name: str) -> np.ndarray:
        """Strings, whatever way they are stored, without padding."""
        raw = self.raw(name)
        if raw.dtype.kind == "O":
            return np.array([plain(item) for item in raw.ravel()], dtype=np.str_).reshape(raw.shape)
        return np.char.strip(np.char.decode(raw, "utf-8", "replace") if raw.dtype.kind == "S" else raw.astype(np.str_))


def _equal_to_any(values: np.ndarray, markers: list[int | float], huge: float | None) -> np.ndarray | None:
    """Where values equal a marker or are beyond `huge`; None for nowhere. Most arrays need but their extremes for that."""
    if values.size == 0:
        return None
    low, high = values.min(), values.max()  # NaN where there is any: then nothing can be ruled out
    found = [values == marker for marker in markers if not (marker < low or marker > high)]
    if huge is not None and not (-huge <= low and high <= huge):
        with np.errstate(invalid="ignore"):
            found.append(np.abs(values) > huge)
    return np.logical_or.reduce(found) if found else None


class Attributes:
    """Attributes of a file or an array as str, int and float, each read when it is asked for."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._read: dict[str, Any] = {}

    def get(self, key: str, default: Any = "") -> Any:
        """The attribute, or `default` where there is none or it cannot be read."""
        if key not in self._read:
            try:
                found = self._node.getncattr(key) if hasattr(self._node, "getncattr") else self._node.attrs[key]
                self._read[key] = plain(found)
            except (KeyError, AttributeError, OSError, TypeError):
                self._read[key] = None
        found = self._read[key]
        return default if found is None else found

    def __contains__(self, key: str) -> bool:
        return self.get(key, None) is not None


def is_dimension_only(node: Any) -> bool:
    """True for the placeholder that netCDF-4 writes into HDF5 for a dimension without a variable of its name."""
    if not getattr(node, "is_scale", False):
        return False
    name = plain(node.attrs.get("NAME", b""))
    return isinstance(name, str) and name.startswith("This is a netCDF dimension but not a netCDF variable")


def plain(value: Any) -> Any:
    """An attribute as str, int or float where it is one thing, else unchanged."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, (bytes, np.bytes_)):
        return value.decode("utf-8", "replace").strip("\x00 ")
    return value.item() if isinstance(value, np.generic) else value


@contextmanager
def arrays(path: Path, expected: str) -> Iterator[Arrays]:
    """Open a file for reading by name.

    Raises
    ------
    FileProblem : for whatever goes wrong inside the block: no HDF5 or netCDF, truncated, vanished, damaged arrays.
    """
    with reading(path, expected), open(path, "rb") as stream:
        classic = stream.read(3) == b"CDF"
        if classic:
            import netCDF4

            with netCDF4.Dataset(path) as file:
                file.set_auto_maskandscale(False)
                yield Arrays(file.variables, Attributes(file))
            return
        import h5py

        with h5py.File(path, "r") as file:
            yield Arrays(file, Attributes(file))
