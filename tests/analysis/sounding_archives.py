"""Archives of soundings in a data folder of its own, for the tests of the jobs that read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from analysis.jobs import execute, job, validate
from data.canonical import Product
from data.home import runs_dir, soundings_dir
from data.runs import Run, RunStore
from data.soundings import SoundingArchive
from tests.data.sounding_examples import random_product

START = np.datetime64("2018-10-28T00:00:00", "ns")


def fill(home: Path, *, files: int = 8, count: int = 600, days: float = 9.0, **how: Any) -> SoundingArchive:
    """`files` granules of `count` soundings, each some days after the last, appended one by one (so the archive has
    several files).
    """
    archive = SoundingArchive(soundings_dir(home))
    for number in range(files):
        archive.append(soundings(number, count, days=days, start=START + np.timedelta64(9 * number, "D"), **how))
    return archive


def soundings(seed: int, count: int, **how: Any) -> Product:
    """Random soundings with errors, modes and surfaces; a third of them in one cell."""
    made = random_product(seed, count, **how)
    random = np.random.default_rng([7, seed])
    dataset = made.dataset
    close = random.random(count) < 0.3
    lat, lon = dataset["lat"].to_numpy().copy(), dataset["lon"].to_numpy().copy()
    lat[close], lon[close] = random.uniform(31, 33, close.sum()), random.uniform(116, 118, close.sum())
    dataset = dataset.assign(
        lat=("sounding", lat),
        lon=("sounding", lon),
        xco2=(
            "sounding",
            (405 + random.normal(0, 1.5, count)).astype(np.float32),
            {"units": "ppm", "long_name": "XCO2"},
        ),
        xco2_uncertainty=("sounding", random.uniform(0.2, 1.5, count).astype(np.float32), {"units": "ppm"}),
        mode=("sounding", random.integers(0, 3, count).astype(np.int8)),
        surface_type=("sounding", random.integers(0, 2, count).astype(np.int8)),
    )
    return Product(made.kind, dataset, made.reader, made.collection, made.path)


def run_job(home: Path, kind: str, settings: dict[str, Any], **how: Any) -> Run:
    """Make a run and compute it in this process."""
    made = job(kind)
    filled = validate(made, settings)
    run = RunStore(runs_dir(home)).create(kind, filled, inputs=made.inputs(filled, home), reuse=False)
    return execute(home, run.id, **how)


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Address of a Dask scheduler with so many workers, all in this process: they start in a moment."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as made:
        yield made.scheduler_address


def contents(cube: Path) -> dict[str, bytes]:
    """Every file of a cube, the manifest without the name of its run and the moment when that was made."""
    found = {
        str(path.relative_to(cube)): path.read_bytes()
        for path in sorted(cube.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
    manifest = json.loads(found["manifest.json"])
    for name in ("run", "created"):
        manifest["attrs"].pop(name)
    manifest.pop("name")
    return found | {"manifest.json": json.dumps(manifest).encode()}
