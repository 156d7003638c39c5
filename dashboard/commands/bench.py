"""`carbonweather bench NAME`: run one comparison of tests/benchmarks, print its figures as a table or one JSON object.

The comparisons belong to the tests and are not installed, so this verb works from a checkout only.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tests.benchmarks import Figure

CHECKOUT = Path(__file__).resolve().parents[2]


def benchmark_files(checkout: Path) -> dict[str, Path]:
    """Name -> file of every benchmark in a checkout, sorted by name; ClickException where there is no such folder."""
    folder = checkout / "tests" / "benchmarks"
    if not folder.is_dir():
        raise click.ClickException(
            f"The benchmarks are part of a checkout's tests, and {checkout} has no folder tests/benchmarks; "
            "run this command from an installation made with 'make serve' or 'pip install -e .' in a checkout."
        )
    return {path.stem.removeprefix("bench_"): path for path in sorted(folder.glob("bench_*.py"))}


def describe_machine() -> dict[str, str | int | float]:
    """What the figures were measured on: cpu, cores (those this process may use), memory_gb, python, platform."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "cpu": _cpu_name(),
        "cores": cores,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _cpu_name() -> str:
    with contextlib.suppress(OSError):  # only Linux has this file, and only there is platform.processor() empty
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def alternatives(figures: dict[str, Figure]) -> dict[str, str]:
    """Key of an alternative's figure -> key of the figure it is compared with (`naive_zoom_ms` -> `zoom_ms`)."""
    return {other: key for key in figures for other in figures if other.endswith(f"_{key}")}


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send everything printed meanwhile to stderr, that of child processes and compiled libraries too."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _run(path: Path, quick: bool) -> dict[str, Figure]:
    if str(CHECKOUT) not in sys.path:
        sys.path.insert(0, str(CHECKOUT))  # benchmarks import `tests.benchmarks`, and so do the processes they start
    spec = spec_from_file_location(f"tests.benchmarks.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise click.ClickException(f"{path} cannot be loaded as a Python module.")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    figures: dict[str, Figure] = module.run(quick)
    return figures


def _table(name: str, figures: dict[str, Figure], machine: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    measured_on = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB"
    table = Table(title=f"bench {name}", caption=measured_on)
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("runs", justify="right")
    table.add_column("compared", justify="right")
    compared = alternatives(figures)
    for key, figure in figures.items():
        ours = figures[compared[key]] if key in compared else None
        ratio = f"{figure.value / ours.value:.3g} x {compared[key]}" if ours is not None and ours.value > 0 else ""
        table.add_row(key, f"{figure.value:.4g}", figure.unit, str(figure.n), ratio)
    Console().print(table)


@click.command(name="bench")
@click.argument("name", required=False)
@click.option("--list", "list_", is_flag=True, help="Show the names of the comparisons.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--quick", is_flag=True, help="A smaller case and fewer runs, to see that it works.")
def command(name: str | None, list_: bool, as_json: bool, quick: bool) -> None:
    """Measure the speed figures of this program on this machine.

    NAME is one of those shown by --list. The named alternatives are measured in the same run.
    """
    known = benchmark_files(CHECKOUT)
    if list_:
        for known_name, path in known.items():
            click.echo(f"{known_name:<12} {_first_line(path)}")
        return
    if name is None or name not in known:
        asked = f"There is no benchmark {name!r}" if name else "A benchmark's name is missing"
        raise click.UsageError(f"{asked}; choose one of: {', '.join(known) or '(none)'}.")
    with _stdout_to_stderr() if as_json else contextlib.nullcontext():
        figures = _run(known[name], quick)
    machine = describe_machine()
    if as_json:
        shown = {key: {"value": figure.value, "unit": figure.unit, "n": figure.n} for key, figure in figures.items()}
        click.echo(json.dumps({"bench": name, "machine": machine, "figures": shown}))
    else:
        _table(name, figures, machine)
