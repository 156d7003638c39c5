"""A real dashboard for browser tests: small cubes with known values, served by `carbonweather serve` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np

from data.cube import Cube, Grid, Variable
from data.home import cubes_dir

MONTHS = np.arange("2019-01", "2021-01", dtype="datetime64[M]")
GROWTH_PPM = 2.4
"""Growth a year of the "known" cube."""


def known_value(step: int, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Value in ppm of the "known" cube: a line in time, a gradient in latitude, a wave in longitude."""
    return 400.0 + GROWTH_PPM / 12 * step + 0.03 * lat + 1.5 * np.cos(np.radians(2 * lon)) + 0.0 * lat


def make_cubes(home: Path) -> None:
    """Two global cubes of 1 degree: "known", and "places", whose two variables hold their own longitude and latitude."""
    grid = Grid(west=-180.0, south=-90.0, dlon=1.0, dlat=1.0, nlon=360, nlat=180)
    lon, lat = np.meshgrid(grid.lon, grid.lat)
    known = Cube.create(
        cubes_dir(home) / "known",
        name="known",
        title="Simulated test field",
        grid=grid,
        variables=[
            Variable("xco2", "ppm", "XCO2", "int16", 0.01, 400.0),
            Variable("xco2_std", "ppm", "Uncertainty of XCO2", "int16", 0.01, 0.0),
        ],
        attrs={"simulated": 1, "citation": "Test field, made by the tests."},
    )
    for step, month in enumerate(MONTHS):
        std = (0.5 + np.abs(lat) / 45.0).astype(np.float32)
        known.write(
            month.astype("datetime64[ns]"), {"xco2": known_value(step, lon, lat).astype(np.float32), "xco2_std": std}
        )
    known.seal()
    places = Cube.create(
        cubes_dir(home) / "places",
        name="places",
        title="Longitude and latitude",
        grid=grid,
        variables=[
            Variable("lon", "degree", "longitude", "float32", 1.0, 0.0),
            Variable("lat", "degree", "latitude", "float32", 1.0, 0.0),
        ],
        attrs={"simulated": 1},
    )
    places.write(np.datetime64("2020-01-01", "ns"), {"lon": lon.astype(np.float32), "lat": lat.astype(np.float32)})
    places.seal()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(home: Path, *options: str, program: Sequence[str] = ("dashboard",), wait_s: float = 90.0) -> Iterator[str]:
    """`carbonweather serve` on a data folder; gives its address and ends it afterwards. `program` is what `python -m` runs."""
    port = free_port()
    log = home.parent / f"serve-{port}.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *program, "serve", "--home", str(home), "--port", str(port), *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "CARBONWEATHER_HOME": str(home)},
        )
    address = f"http://localhost:{port}/"
    try:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                with urlopen(address + "data/outline?kind=coastlines&resolution=110m", timeout=5):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(
                        f"The dashboard did not start:\n{log.read_text(errors='replace')[-4000:]}"
                    ) from None
                time.sleep(0.2)
        yield address
        # Bokeh itself logs a traceback when a visitor leaves while the page is still connecting; ours must never appear
        text = log.read_text(errors="replace")
        assert not re.search(r'File "[^"]*/(dashboard|analysis|data)/\w+', text), text[-6000:]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
