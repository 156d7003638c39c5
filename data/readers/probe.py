"""A cheap look at a file, shared by all readers: its container, the variables and attributes it names, its first lines.

Nothing here reads data arrays. Every way in which a file can be unusable before its content matters (missing, a folder,
empty, unreadable, truncated) is turned into one sentence here, once for all readers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Literal

from data.errors import FileProblem

Container = Literal[
    "hdf5", "netcdf3", "zarr", "gzip", "bzip2", "xz", "text", "rdata", "mat5", "jpeg", "tiff", "unknown"
]

_MAGIC: tuple[tuple[bytes, Container], ...] = (
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"CDF\x01", "netcdf3"),
    (b"CDF\x02", "netcdf3"),
    (b"CDF\x05", "netcdf3"),
    (b"RDX", "rdata"),
    (b"MATLAB 5.0", "mat5"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)


_DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError)
"""What h5py and netCDF4 raise for damaged files."""


@dataclass(frozen=True)
class Variable:
    """Name (with groups, "Retrieval/xco2_raw"), shape, dimension names ("" where not recorded) and attributes."""

    name: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    attrs: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    """What can be seen of a file without reading its data."""

    path: Path
    container: Container
    size: int

    @classmethod
    def of(cls, path: str | Path) -> Probe:
        """Look at a file; FileProblem where there is nothing to look at."""
        path = Path(path)
        good = "a readable data file"
        try:
            if path.is_dir():
                if any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata", ".zattrs")):
                    return cls(path, "zarr", 0)
                raise FileProblem(
                    path,
                    expected=good,
                    found="a folder",
                    remedy="name the files in it, or import the folder with `carbonweather data import`",
                )
            size = path.stat().st_size
            if size == 0:
                raise FileProblem(path, expected=good, found="an empty file", remedy="download it again")
            with open(path, "rb") as stream:
                head = stream.read(1024)
        except FileProblem:
            raise
        except FileNotFoundError:
            raise FileProblem(path, expected=good, found="no such file", remedy="check the path") from None
        except PermissionError:
            raise FileProblem(
                path, expected=good, found="a file that you may not read", remedy="change its permissions"
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise FileProblem(
                path, expected=good, found=f"an input error ({reason})", remedy="check the disk"
            ) from None
        return cls(path, container_of(head), size)

    @property
    def name(self) -> str:
        """File name without folders."""
        return self.path.name

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """Variables of an HDF5, netCDF or zarr container by full name; empty for others.

        Raises FileProblem for a truncated or damaged container.
        """
        if self.container == "hdf5":
            return _hdf5_variables(self.path)
        if self.container == "netcdf3":
            return _netcdf3_variables(self.path)
        if self.container == "zarr":
            return _zarr_variables(self.path)
        return {}

    @cached_property
    def lines(self) -> list[str]:
        """First 20 lines of a text file (gzip is opened), else empty."""
        if self.container not in ("text", "gzip"):
            return []
        return _first_lines(self.path, gz=self.container == "gzip")

    def has(self, *names: str) -> bool:
        """True if every named variable is present (case matters)."""
        return all(name in self.variables for name in names)

    @property
    def summary(self) -> str:
        """A few words on what the file is, for error messages."""
        if self.container in ("hdf5", "netcdf3", "zarr"):
            names = sorted(self.variables)
            listed = ", ".join(names[:6]) + (" and others" if len(names) > 6 else "")
            return f"a {self.container} file with {listed or 'no variables'}"
        if self.container == "text" and self.lines:
            return f"a text file that begins {self.lines[0][:60]!r}"
        known = self.container != "unknown"
        return f"a {self.container} file" if known else f"a file of {self.size} bytes of unknown type"


def container_of(head: bytes) -> Container:
    """What kind of container the first 1024 bytes of a file begin."""
    for magic, container in _MAGIC:
        if head.startswith(magic):
            return container
    if head[512:520] == _MAGIC[0][0]:  # after a user block, as MATLAB 7.3 writes it
        return "hdf5"
    if b"\x00" not in head:
        return "text"
    return "unknown"


def _truncated(path: Path, error: BaseException) -> FileProblem:
    reason = (str(error).splitlines() or [type(error).__name__])[0][:90]
    return FileProblem(
        path,
        expected="a complete HDF5 or netCDF file",
        found=f"a damaged or truncated one ({reason})",
        remedy="download it again",
    )


def _plain(attrs: object) -> dict[str, object]:
    out: dict[str, object] = {}
    for key in attrs:  # type: ignore[attr-defined]
        try:
            value = attrs[key]  # type: ignore[index]
        except (OSError, TypeError, KeyError):
            continue
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        out[str(key)] = value
    return out


class _LaterAttributes(Mapping[str, object]):
    """Attributes of one HDF5 variable; the first look at any of them reads those of all variables of the file."""

    def __init__(self, name: str, load: Callable[[], dict[str, dict[str, object]]]) -> None:
        self._name, self._load = name, load

    def __getitem__(self, key: str) -> object:
        return self._load().get(self._name, {})[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load().get(self._name, {}))

    def __len__(self) -> int:
        return len(self._load().get(self._name, {}))


def _hdf5_attributes(path: Path) -> dict[str, dict[str, object]]:
    import h5py

    skip = {"DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_Netcdf4Dimid", "_Netcdf4Coordinates"}
    found: dict[str, dict[str, object]] = {}

    def visit(name: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = {key: value for key, value in _plain(node.attrs).items() if key not in skip}

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except _DAMAGED as error:
        raise _truncated(path, error) from None
    return found


def _hdf5_variables(path: Path) -> dict[str, Variable]:
    import h5py

    from data.readers.arrays import is_dimension_only

    found: dict[str, Variable] = {}
    attributes = cache(partial(_hdf5_attributes, path))  # thousands of attributes take longer to read than all the rest

    def visit(name: str, node: object) -> None:
        if isinstance(node, h5py.Dataset) and not is_dimension_only(node):
            dims: list[str] = []
            for axis in range(node.ndim):
                try:
                    scale = node.dims[axis]
                    dims.append(os.path.basename(scale[0].name) if len(scale) else "")
                except (RuntimeError, KeyError):
                    dims.append("")
            found[name] = Variable(name, tuple(node.shape or ()), tuple(dims), _LaterAttributes(name, attributes))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except _DAMAGED as error:
        raise _truncated(path, error) from None
    return found


def _netcdf3_variables(path: Path) -> dict[str, Variable]:
    import netCDF4

    try:
        _check_netcdf3_length(path)
        with netCDF4.Dataset(path) as file:
            return {
                name: Variable(
                    name, tuple(var.shape), tuple(var.dimensions), {key: var.getncattr(key) for key in var.ncattrs()}
                )
                for name, var in file.variables.items()
            }
    except _DAMAGED as error:
        raise _truncated(path, error) from None


def _check_netcdf3_length(path: Path) -> None:
    """OSError for a file shorter than its header says: the netCDF library would give zeros for what is not there."""
    from data.readers.netcdf_classic import data_end

    with open(path, "rb") as stream:
        try:
            end = data_end(stream)
        except (ValueError, KeyError, IndexError) as error:
            raise OSError(f"a damaged header: {error}") from error
    size = path.stat().st_size
    if size < end:
        raise OSError(f"{size:,} of {end:,} bytes")


def _zarr_variables(path: Path) -> dict[str, Variable]:
    import zarr

    found: dict[str, Variable] = {}
    try:
        group = zarr.open_group(path, mode="r")
        for name, array in group.members(max_depth=None):
            if isinstance(array, zarr.Array):
                attrs: dict[str, Any] = dict(array.attrs)
                dims = getattr(array.metadata, "dimension_names", None) or attrs.get("_ARRAY_DIMENSIONS") or ()
                found[name] = Variable(name, tuple(array.shape), tuple(str(dim) for dim in dims), attrs)
    except Exception as error:  # zarr raises many kinds for damaged metadata
        found_instead = f"one whose metadata cannot be read ({str(error)[:90]})"
        raise FileProblem(path, expected="a zarr group", found=found_instead, remedy="copy it again") from None
    return found


def _first_lines(path: Path, *, gz: bool) -> list[str]:
    import gzip

    opener = gzip.open if gz else open
    lines: list[str] = []
    try:
        with opener(path, "rb") as stream:
            for _ in range(20):
                line = stream.readline(4000)
                if not line:
                    break
                lines.append(line.decode("utf-8-sig", "replace").rstrip("\r\n"))
    except (OSError, EOFError) as error:
        raise _truncated(path, error) from None
    return lines
