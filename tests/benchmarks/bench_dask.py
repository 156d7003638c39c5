"""Runs: what starting one costs until its first task works, against plain Dask, and what a second worker gains in gridding.

The gridding job is the one that people start: two years of orbits, as dense as OCO-2's own (158,301 soundings in the Lite file
of 4 July 2020), onto monthly maps of 0.05 degrees, from the archive to the finished cube, process start included. Starting takes
the same time however long the job, so fewer soundings gain less from a second worker; that is told as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import xarray as xr

from analysis.jobs import start
from analysis.jobs.registry import MORE
from data.canonical import Product
from data.home import runs_dir, soundings_dir
from data.runs import Run, RunStore
from data.soundings import SoundingArchive
from tests.benchmarks import Figure

CHECKOUT = Path(__file__).resolve().parents[2]


def run(quick: bool) -> dict[str, Figure]:
    """Keys: run_overhead_s, naive_run_overhead_s, speedup_2, grid_1_s, grid_2_s, gridded_per_s; the last four also of 30 and
    10 million soundings, with _30m and _10m in their names.
    """
    starts, resolution = (2, 0.25) if quick else (7, 0.05)
    like_oco2, smaller = ("", _LIKE_OCO2, 5), [("_30m", 30_000_000, 3), ("_10m", 10_000_000, 3)]
    sizes = [("", 1_000_000, 1)] if quick else [like_oco2, *smaller]
    os.environ[MORE] = "first-task=tests.benchmarks.first_task"
    with tempfile.TemporaryDirectory(prefix="carbonweather-bench-") as temporary:
        home = Path(temporary)
        overheads, naive = [], []
        for _ in range(starts):
            overheads.append(_overhead(home))
            naive.append(_naive_overhead())
    figures = {
        "run_overhead_s": Figure(median(overheads), "s", starts),
        "naive_run_overhead_s": Figure(median(naive), "s", starts),
    }
    for name, soundings, grids in sizes:
        with tempfile.TemporaryDirectory(prefix="carbonweather-bench-") as temporary:
            _fill(Path(temporary), soundings)
            settings = {"resolution": resolution, "instruments": ["OCO-2"]}
            seconds: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(grids):
                for workers, found in seconds.items():
                    found.append(_gridding(Path(temporary), settings, workers))
        one, two = median(seconds[1]), median(seconds[2])
        figures |= {
            f"speedup_2{name}": Figure(one / two, "x", grids),
            f"grid_1{name}_s": Figure(one, "s", grids),
            f"grid_2{name}_s": Figure(two, "s", grids),
            f"gridded_per_s{name}": Figure(soundings / two, "soundings/s", grids),
        }
    return figures


def _overhead(home: Path) -> float:
    """Seconds from `start` to the first task."""
    began = time.time()
    run = _ended(home, start(home, "first-task", {}, reuse=False))
    return run.scores["began"] - began


def _naive_overhead() -> float:
    """Seconds from starting Python to the first task with Dask's own defaults."""
    began = time.time()
    script = [sys.executable, "-m", "tests.benchmarks.first_task"]
    done = subprocess.run(script, capture_output=True, text=True, check=True, cwd=CHECKOUT)
    return float(done.stdout.split()[-1]) - began


def _gridding(home: Path, settings: dict[str, Any], workers: int) -> float:
    began = time.perf_counter()
    _ended(home, start(home, "grid", settings, workers=workers, reuse=False))
    return time.perf_counter() - began


def _ended(home: Path, run: Run) -> Run:
    """The run when it has ended. Asking the store takes half a millisecond of processor time: between that is only looked
    whether the folder of a finished run has appeared.
    """
    store = RunStore(runs_dir(home))
    while run.alive:
        for _ in range(50):
            time.sleep(0.02)
            if (store.root / run.id).is_dir():
                break
        run = store.get(run.id)
    if run.state != "done":
        raise RuntimeError(f"{run.id}: {run.error}\n{run.log_tail()}")
    return run


_MONTHS = 24
_LIKE_OCO2 = 158_301 * 730
_FOOTPRINTS = 8
_ORBIT_MINUTES = 98.8


def _fill(home: Path, count: int) -> None:
    """An archive of two years of orbits like those of OCO-2: eight footprints 1.3 km apart, four times a second."""
    archive = SoundingArchive(soundings_dir(home))
    each = count // _MONTHS
    for month in range(_MONTHS):
        begin, end = (np.datetime64("2020-01", "M") + month + np.arange(2)).astype("datetime64[ns]")
        archive.append(_orbits(month, each, begin, end))


def _orbits(seed: int, count: int, begin: np.datetime64, end: np.datetime64) -> Product:
    random = np.random.default_rng(seed)
    frames = count // _FOOTPRINTS
    minutes = np.sort(random.random(frames)) * ((end - begin) / np.timedelta64(1, "m"))
    along = 2 * np.pi * (minutes / _ORBIT_MINUTES)
    lat = np.degrees(np.arcsin(np.sin(np.radians(81.8)) * np.sin(along)))
    lon = np.degrees(np.arctan2(np.cos(np.radians(98.2)) * np.sin(along), np.cos(along))) - 360 * minutes / 1440
    across = np.tile(np.arange(_FOOTPRINTS) - 3.5, frames) * 0.012
    lat, lon = np.repeat(lat, _FOOTPRINTS), np.repeat(lon, _FOOTPRINTS) + across
    total = lat.size
    times = begin + np.repeat(minutes * 60e9, _FOOTPRINTS).astype("timedelta64[ns]")
    columns: dict[str, Any] = {
        "time": ("sounding", times),
        "lat": ("sounding", lat.astype(np.float32)),
        "lon": ("sounding", ((lon + 180) % 360 - 180).astype(np.float32)),
        "sounding_id": ("sounding", np.arange(total) + seed * 10**9),
        "quality_flag": ("sounding", (random.random(total) < 0.3).astype(np.int8)),
        "xco2": ("sounding", (412 + random.normal(0, 1, total)).astype(np.float32), {"units": "ppm"}),
        "xco2_uncertainty": ("sounding", random.uniform(0.3, 1, total).astype(np.float32), {"units": "ppm"}),
    }
    attrs = {"title": "simulated orbits", "instrument": "OCO-2", "version": "11.2r", "scale": "X2019", "simulated": 1}
    path = Path("/nowhere", f"simulated_{seed:02d}.nc4")
    return Product("soundings", xr.Dataset(columns, attrs=attrs), "simulated", "simulated-oco2", path)
