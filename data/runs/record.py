"""What is written down about a run: states, inputs with hashes, progress, results, and the configuration file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from data.errors import FileProblem, StoreProblem

State = Literal["queued", "running", "paused", "done", "failed", "cancelled"]

CONFIGURATION = "run.yaml"
_VERSIONED = ("carbonweather", "dask", "duckdb", "h5netcdf", "numba", "numpy", "pyarrow", "scipy", "xarray", "zarr")


class NoSuchRun(StoreProblem):
    """There is no run of that name."""


class RunBusy(StoreProblem):
    """The run is being computed by another process, or has an end that cannot be undone."""


@dataclass(frozen=True)
class RunInput:
    """Something that a run reads.

    Attributes
    ----------
    name : for people ("sounding archive", "CT2022.flux1x1.nc").
    path : file, folder or URL.
    digest : SHA-256 of its content; of the manifest for archives and cubes, which names each of their files, none of
        which is ever changed.
    """

    name: str
    path: str
    digest: str

    @classmethod
    def of(cls, path: Path, name: str = "") -> RunInput:
        """A local file or folder with its hash.

        Raises
        ------
        FileProblem : missing or not readable.
        """
        try:
            digest = _folder_digest(path) if path.is_dir() else _file_digest(path)
        except OSError as error:
            raise FileProblem(
                path,
                expected="a readable file or folder as input of a run",
                found=(error.strerror or str(error)).lower(),
                remedy="import it again or choose another",
            ) from None
        return cls(name or path.name, str(path), digest)


def _file_digest(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _folder_digest(folder: Path) -> str:
    manifest = folder / "manifest.json"
    if manifest.is_file():
        return _file_digest(manifest)
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{_file_digest(path)}\n".encode())
    return total.hexdigest()


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    done, total : in `unit`; total 0 where it is not known yet.
    label : what is being done.
    unit : what is counted ("tiles", "soundings").
    rate_per_s : units a second of late; None before the first.
    remaining_s : seconds left at that rate; None where it cannot be said.
    """

    done: float = 0
    total: float = 0
    label: str = ""
    unit: str = ""
    rate_per_s: float | None = None
    remaining_s: float | None = None

    @property
    def fraction(self) -> float:
        """0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(frozen=True)
class Result:
    """Something that a run made.

    Attributes
    ----------
    name : for people ("Monthly mean XCO2").
    path : file or folder; within the run's folder, or a cube of the data folder.
    kind : "cube", "map", "series", "table", "figure", "text" or another word.
    link : dashboard address that shows it ("./?cube=NAME"); empty where no page does.
    """

    name: str
    path: Path
    kind: str
    link: str = ""


@dataclass(frozen=True)
class Configuration:
    """What a run computes from what: all that is decided before it starts. Never changed afterwards."""

    id: str
    kind: str
    title: str
    seed: int
    settings: dict[str, Any]
    inputs: tuple[RunInput, ...]
    versions: dict[str, str]
    created: datetime
    fingerprint: str

    def to_yaml(self) -> bytes:
        """The text of `run.yaml`."""
        import yaml

        facts = asdict(self) | {"created": self.created.isoformat(), "inputs": [asdict(each) for each in self.inputs]}
        return yaml.dump(facts, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=110, encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Configuration:
        """Read a `run.yaml`.

        Raises
        ------
        FileProblem : missing, not YAML, or not what the schema says.
        """
        import yaml

        try:
            facts = yaml.load(path.read_bytes(), Loader=_loader())
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise _damaged(path, str(error).splitlines()[0]) from None
        problem = next(iter(_validator().iter_errors(facts)), None)
        if problem is not None:
            place = ".".join(str(step) for step in problem.absolute_path) or "the file"
            raise _damaged(path, f"{place}: {problem.message[:150]}")
        facts["inputs"] = tuple(RunInput(**each) for each in facts["inputs"])
        try:
            facts["created"] = datetime.fromisoformat(facts["created"])
        except ValueError:
            raise _damaged(path, f"created: {facts['created']}") from None
        return cls(**facts)


def _damaged(path: Path, found: str) -> FileProblem:
    return FileProblem(path, expected="the configuration of a run", found=found, remedy="delete this run")


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(Path(__file__).with_name("run.schema.json").read_text(encoding="utf-8")))


def _loader() -> Any:
    """The fast one where PyYAML was built with it; timestamps stay text."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _dumper() -> Any:
    import yaml

    return getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as JSON has them (tuples become lists).

    Raises
    ------
    StoreProblem : something in them is neither text, number, truth value, list nor mapping.
    """
    try:
        found: dict[str, Any] = json.loads(json.dumps(settings, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise StoreProblem(
            f"settings of a run: expected text, finite numbers, true or false, lists and mappings, found: {error}; change that setting."
        ) from None
    return found


def fingerprint(kind: str, settings: dict[str, Any], inputs: tuple[RunInput, ...], seed: int) -> str:
    """The same for runs that give the same results: kind, settings, content of the inputs, seed, and this program's version."""
    facts = {
        "kind": kind,
        "settings": settings,
        "inputs": sorted((each.name, each.digest) for each in inputs),
        "seed": seed,
        "program": versions()["carbonweather"],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@cache
def versions() -> dict[str, str]:
    """Python, this program and the libraries that compute."""
    import platform

    found = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
