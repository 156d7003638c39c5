"""The archive of soundings: ten million in OCO-2 Lite files, one a day, imported and asked, against xarray and pyarrow.

The files are the simulated world's, in the whole Lite layout. xarray reads from them, one file after the other, the very
arrays that the archive keeps; the import also takes the checksum of each file, sorts, compresses and writes. pyarrow's
dataset answers the same questions from the same Parquet files. Everything that is timed runs in processes of its own,
so that memory is that of the import alone.

`python -m tests.benchmarks.bench_archive make|read|import ...` are those processes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import Any

import numpy as np

from tests.benchmarks import Figure

CHECKOUT = Path(__file__).resolve().parents[2]
FIRST_DAY = np.datetime64("2018-12-15")
FULL, QUICK = (73, 1), (8, 16)
"""Days, and of how many frames one is kept: 10.6 million soundings, or 70,000."""

VARIABLES = {
    None: [
        *("sounding_id", "time", "latitude", "longitude", "solar_zenith_angle", "sensor_zenith_angle", "xco2"),
        *("xco2_x2019", "xco2_uncertainty", "xco2_apriori", "xco2_quality_flag", "co2_profile_apriori"),
        *("xco2_averaging_kernel", "pressure_levels", "pressure_weight"),
    ],
    "Retrieval": ["xco2_raw", "psurf", "aod_total", "surface_type"],
    "Sounding": ["airmass", "altitude", "land_fraction", "operation_mode", "footprint"],
}
"""Group -> what of a Lite file the archive keeps."""

BOXES = {
    "Asia": (60, 0, 150, 55),
    "China": (73, 18, 135, 54),
    "Java": (100, -10, 115, 0),
    "Europe": (-10, 35, 40, 70),
    "Amazon": (-75, -20, -45, 5),
    "Sahara": (-10, 15, 30, 30),
    "North America": (-125, 25, -65, 50),
    "Australia": (112, -40, 155, -10),
    "southern Africa": (10, -35, 40, 0),
    "India": (68, 6, 98, 36),
    "Tasman Sea": (150, -45, 175, -30),
}


def run(quick: bool) -> dict[str, Figure]:
    """Keys: import_per_s, bare_read_per_s, parallel_bare_read_per_s, import_cpu_us, bare_read_cpu_us, query_ms,
    pyarrow_query_ms, reimport_s, peak_mb, quarter_peak_mb, soundings, lite_bytes, archive_bytes, load.
    """
    from data.importing.workers import worker_count
    from data.soundings import SoundingArchive

    days, every = QUICK if quick else FULL
    repeats = 1 if quick else 3
    with tempfile.TemporaryDirectory(prefix="carbonweather-bench-") as temporary:
        folder = Path(temporary)
        _make(folder / "lite", days, every)
        files = sorted((folder / "lite").glob("*.nc4"))
        quarter = folder / "quarter"
        quarter.mkdir()
        for path in files[: len(files) // 4]:
            os.link(path, quarter / path.name)
        first = _process("import", str(quarter), str(folder / "small"))
        shutil.rmtree(folder / "small")
        imports, reads, together = [], [], []
        for _ in range(repeats):
            reads.append(_process("read", str(folder / "lite")))
            together.append(_read_together(files, worker_count()))
            shutil.rmtree(folder / "home", ignore_errors=True)
            imports.append(_process("import", str(folder / "lite"), str(folder / "home")))
        again = _process("import", str(folder / "lite"), str(folder / "home"))
        count = imports[0]["soundings"]
        assert reads[0]["soundings"] == count and again["statuses"] == ["unchanged"], (reads, imports, again)
        archive = SoundingArchive(folder / "home" / "soundings")
        ours, theirs = _queries(archive, 1 if quick else 3)
        size = sum(file.size for file in archive.contents.files.values())
        return {
            "import_per_s": Figure(median(count / done["s"] for done in imports), "soundings/s", repeats),
            "bare_read_per_s": Figure(median(count / done["s"] for done in reads), "soundings/s", repeats),
            "parallel_bare_read_per_s": Figure(median(count / s for s in together), "soundings/s", repeats),
            "import_cpu_us": Figure(median(done["cpu_s"] / count * 1e6 for done in imports), "µs/sounding", repeats),
            "bare_read_cpu_us": Figure(median(done["cpu_s"] / count * 1e6 for done in reads), "µs/sounding", repeats),
            "query_ms": Figure(median(ours), "ms", len(ours)),
            "pyarrow_query_ms": Figure(median(theirs), "ms", len(theirs)),
            "reimport_s": Figure(again["s"], "s"),
            "peak_mb": Figure(max(done["peak_mb"] for done in imports), "MB", repeats),
            "quarter_peak_mb": Figure(first["peak_mb"], "MB"),
            "soundings": Figure(count, "soundings"),
            "lite_bytes": Figure(sum(path.stat().st_size for path in files) / count, "bytes/sounding"),
            "archive_bytes": Figure(size / count, "bytes/sounding"),
            "load": Figure(os.getloadavg()[1], "processes"),
        }


def _make(folder: Path, days: int, every: int) -> None:
    folder.mkdir()
    halves = np.array_split(np.arange(days), 2)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda half: _process("make", str(folder), *map(str, (half[0], half[-1] + 1, every))), halves))


def _read_together(files: list[Path], processes: int) -> float:
    """Seconds until so many processes have read all files, each its share."""
    start = perf_counter()
    with ThreadPoolExecutor(processes) as pool:
        shares = [files[number::processes] for number in range(processes)]
        list(pool.map(lambda share: _process("read", *map(str, share)), shares))
    return perf_counter() - start


def _queries(archive: Any, rounds: int) -> tuple[list[float], list[float]]:
    """ms of a box in one month, good soundings, all numbers: as the archive answers, and as pyarrow's dataset does."""
    import pyarrow.dataset as ds

    names = archive.contents.files
    dataset = ds.dataset([archive.folder.address(name) for name in names], format="parquet")
    columns = list(archive.query(limit=1).columns)
    plain = {name: ds.field(name) for name in columns if name not in ("lat", "lon", "instrument")}
    x, y = ds.field("geometry", "x"), ds.field("geometry", "y")
    months = ("2018-12", "2019-01", "2019-02")
    ours, theirs = [], []
    for number in range(rounds):
        for turn, (west, south, east, north) in enumerate(BOXES.values()):
            start = np.datetime64(months[(turn + number) % 3])
            begin, end = start.astype("datetime64[ns]"), (start + 1).astype("datetime64[ns]")
            clock = perf_counter()
            found = archive.query(bbox=(west, south, east, north), start=begin, end=end)
            ours.append((perf_counter() - clock) * 1e3)
            chosen = (x >= west) & (x <= east) & (y >= south) & (y <= north) & (ds.field("quality_flag") != 1)
            chosen &= (ds.field("time") >= begin) & (ds.field("time") < end)
            clock = perf_counter()
            frame = dataset.to_table(columns={**plain, "lon": x, "lat": y}, filter=chosen).to_pandas()
            frame = frame.sort_values(["time", "sounding_id"], ignore_index=True)
            theirs.append((perf_counter() - clock) * 1e3)
            assert (
                len(frame) == len(found) and (frame["sounding_id"].to_numpy() == found["sounding_id"].to_numpy()).all()
            )
    return ours, theirs


# ------------------------------------------------------------------------------------------------ processes of their own


def _process(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_archive", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments[:1])} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def make(folder: str, first: str, last: str, every: str) -> dict[str, Any]:
    """Observe and write days, counted from `FIRST_DAY`."""
    from analysis.instruments.lite_file import write_lite
    from analysis.world import World

    world = World(seed=1, threads=1)
    for day in range(int(first), int(last)):
        write_lite(folder, FIRST_DAY + day, world, every=int(every))
    return {}


def read(*places: str) -> dict[str, Any]:
    """Read Lite files with xarray alone."""
    import netCDF4  # noqa: F401 (what xarray reads with: loaded before the clock starts)
    import xarray as xr

    paths = [
        path for place in map(Path, places) for path in (sorted(place.glob("*.nc4")) if place.is_dir() else [place])
    ]
    count, start, before = 0, perf_counter(), _cpu_seconds()
    for path in paths:
        for group, names in VARIABLES.items():
            with xr.open_dataset(path, group=group, engine="netcdf4") as dataset:
                loaded = dataset[names].load()
                count += loaded.sizes["sounding_id"] if group is None else 0
    return {"soundings": count, "s": perf_counter() - start, "cpu_s": _cpu_seconds() - before}


def _cpu_seconds() -> float:
    """Processor time of this process and of those that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def import_(folder: str, home: str) -> dict[str, Any]:
    """Import a folder as a user does, and watch the memory of this process and its workers."""
    import data.importing.cubes
    import data.importing.workers
    import data.readers.oco_lite
    import data.soundings.staging  # noqa: F401 (loaded before the clock starts)
    from data.importing import import_paths

    over, peak = Event(), [0.0]
    watcher = Thread(target=_watch, args=(over, peak))
    watcher.start()
    start, before = perf_counter(), _cpu_seconds()
    records = import_paths([folder], home=Path(home))
    seconds, cpu = perf_counter() - start, _cpu_seconds() - before
    over.set()
    watcher.join()
    count = sum(record.count for record in records)
    statuses = sorted({record.status for record in records})
    return {"soundings": count, "s": seconds, "cpu_s": cpu, "peak_mb": peak[0], "statuses": statuses}


def _watch(over: Event, peak: list[float]) -> None:
    import psutil

    own = psutil.Process()
    while not over.wait(0.05):
        total = 0
        for process in (own, *own.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak[0] = max(peak[0], total / 1e6)


if __name__ == "__main__":
    roles: dict[str, Callable[..., dict[str, Any]]] = {"make": make, "read": read, "import": import_}
    print(json.dumps(roles[sys.argv[1]](*sys.argv[2:])))
