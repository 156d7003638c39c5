"""The job "transport": whatever is killed at whatever moment, the same bytes come out; and its results open on the pages."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from analysis.jobs import execute, resume, start
from analysis.jobs.registry import job
from analysis.jobs.transport import JOB
from analysis.simulation.checkpoint import read_arrays
from data.cube import Cube
from data.home import runs_dir, volumes_dir
from data.importing import import_paths
from data.runs import Run, RunStore
from data.volumes import VolumeStore
from tests.analysis.run_examples import CHECKOUT
from tests.analysis.simulation.small_runs import flux_file, pack, settings


@pytest.fixture(scope="module")
def weather(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weather") / "pack"
    pack(path)
    return path


@pytest.fixture(scope="module")
def fluxes(tmp_path_factory) -> Path:
    return flux_file(tmp_path_factory.mktemp("fluxes") / "CT-small.flux1x1.2022.nc")


def sums(run: Run) -> dict[str, str]:
    """SHA-256 of each result file."""
    return dict(json.loads((run.folder / "results.json").read_bytes())["sha256"])


def done(home: Path, given: dict) -> Run:
    run = RunStore(runs_dir(home)).create("transport", given, inputs=JOB.inputs(given, home))
    run = execute(home, run.id)
    assert run.state == "done", run.error
    return run


def killed(home: Path, run_id: str, moment: float) -> bool:
    """Compute a run in a process of its own and kill it once so much of it is done; False if it was done before."""
    store = RunStore(runs_dir(home))
    process = subprocess.Popen(
        [sys.executable, "-m", "analysis.jobs", str(home), run_id],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        run = store.get(run_id)
        if run.state == "running" and run.progress.label == "Carrying tracers" and run.progress.done >= moment:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return store.get(run_id).state != "done"
        time.sleep(0.02)
    return False


def test_a_killed_run_ends_with_the_same_bytes(tmp_path, weather, fluxes):
    stations = tmp_path / "stations.csv"
    hours = pd.date_range("2022-01-30T01:00", "2022-02-01T23:00", freq="97min")
    pd.DataFrame(
        {"time": hours.strftime("%Y-%m-%dT%H:%M:%SZ"), "lat": 40.0, "lon": 116.0, "height_above_ground_m": 50.0}
    ).to_csv(stations, index=False)
    given = settings(
        weather=str(weather),
        fluxes=[str(fluxes)],
        diurnal_cycle=True,
        output_levels="3-hourly",
        output_columns="daily",
        samples=[str(stations)],
        checkpoint_minutes=0,
        show=True,
    )
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    run = RunStore(runs_dir(undisturbed)).create("transport", given, inputs=JOB.inputs(given, undisturbed))
    shutil.copytree(undisturbed, disturbed)
    expected = execute(undisturbed, run.id)
    assert expected.state == "done", expected.error
    rng = random.Random(20260101)
    kills = sum(killed(disturbed, run.id, moment) for moment in sorted(rng.uniform(0.1, 2.9) for _ in range(2)))
    assert kills == 2
    checkpoint = read_arrays(RunStore(runs_dir(disturbed)).get(run.id).checkpoint_folder / "state.npz")
    assert 0 < checkpoint["counts"][0] <= 12
    found = execute(disturbed, run.id)
    assert found.state == "done", found.error
    assert "Going on from 2022-0" in found.log_tail(100)
    with xr.open_dataset(found.results_folder / "stations.samples.nc") as taken:
        assert 40 < taken.sizes["sample"] <= len(hours) and np.isfinite(taken["total"]).all()
    assert sums(found) == sums(expected)
    kinds = sorted({result.kind for result in found.results})
    assert kinds == ["cube", "netCDF file", "samples", "series", "state", "table", "volume"]
    cubes = [Cube.open(home / "cubes" / next((home / "cubes").iterdir()).name) for home in (undisturbed, disturbed)]
    assert np.array_equal(*(cube.read("xco2", 2).to_numpy() for cube in cubes))


def test_a_run_that_goes_on_from_another_is_that_run(tmp_path, weather, fluxes):
    """Two days and one day are three days, bit by bit, in either precision."""
    common = {"weather": str(weather), "fluxes": [str(fluxes)], "components": ["biosphere", "background", "fossil"]}
    whole = done(tmp_path, settings(**common, precision="float64"))
    first = done(tmp_path, settings(**common, precision="float64", end="2022-01-31"))
    second = done(tmp_path, settings(**common, precision="float64", start="2022-02-01", continue_from=first.id))
    states = [read_arrays(run.results_folder / "final_state.npz") for run in (whole, second)]
    assert list(states[0]["tracers"]) == ["background", "biosphere", "fossil"]
    assert states[0]["tracer_mass"].tobytes() == states[1]["tracer_mass"].tobytes()
    assert whole.scores["mass_closure_ppm"] < 1e-12
    assert whole.scores["growth_ppm"] == pytest.approx(
        first.scores["growth_ppm"] + second.scores["growth_ppm"], rel=1e-9
    )


def test_what_is_added_is_the_total_of_the_fluxes(tmp_path, weather, fluxes):
    run = done(tmp_path, settings(weather=str(weather), fluxes=[str(fluxes)]))
    budget = pd.read_csv(run.results_folder / "budget.csv").set_index("component")
    with xr.open_dataset(fluxes) as dataset:
        lat = dataset["latitude"].to_numpy()
        area = 6.371e6**2 * np.radians(10) * (np.sin(np.radians(lat + 5)) - np.sin(np.radians(lat - 5)))
        january, february = (
            float((dataset["fossil_flux_imp"].to_numpy()[month] * area[:, None]).sum()) for month in (0, 1)
        )
    pg = (2 * january + february) * 86_400 * 12.011e-15
    assert budget.loc["fossil", "emitted_pgc"] == pytest.approx(pg, rel=1e-4)
    air = 4 * np.pi * 6.371e6**2 * 98_325 / 9.80665
    assert budget.loc["fossil", "gained_ppm"] == pytest.approx(pg / 12.011e-15 * 0.0289644 / air * 1e6, rel=1e-3)
    assert budget["missing_ppm"].abs().max() < 1e-7
    means = pd.read_csv(run.results_folder / "global_means.csv")
    assert list(means["time"].unique()) == [f"2022-{day}T00:00:00" for day in ("01-30", "01-31", "02-01", "02-02")]
    last = means[means["time"] == "2022-02-02T00:00:00"].set_index("component")["column_mean_ppm"]
    assert last["co2"] == pytest.approx(run.scores["final_column_mean_ppm"])
    assert last["fossil"] == pytest.approx(budget.loc["fossil", "gained_ppm"], rel=1e-6)
    growth = means[means["time"] == "2022-02-02T00:00:00"].set_index("component")["growth_ppm"]
    assert growth["co2"] == pytest.approx(run.scores["growth_ppm"], rel=1e-6)
    contrast = means.set_index(["time", "component"]).loc[("2022-02-02T00:00:00", "fossil")]
    assert contrast["lowest_north_minus_south_ppm"] > contrast["north_minus_south_ppm"] > 0


def test_results_are_what_the_pages_show(tmp_path):
    """A refined grid: files on it and on regular ones; columns as maps, levels as a volume, both importable elsewhere."""
    given = settings(
        start="2022-07-01",
        end="2022-07-01",
        grid="refined",
        region=[170, -10, -160, 20],
        cell=2,
        output_levels="daily",
        output_columns="daily",
        output_grid=["model", "3x2"],
        components=["background", "fossil"],
        show=True,
    )
    run = done(tmp_path, given)
    links = {result.kind: result for result in run.results if result.link}
    cube = Cube.open(links["cube"].path)
    assert links["cube"].link == f"./?cube={cube.name}"
    assert cube.attrs["simulated"] == 1 and cube.title.startswith("CO2 carried by simulated winds")
    assert (cube.grid.nlon, cube.grid.nlat) == (120, 90)
    assert {"xco2", "xco2_ff_increment", "co2_lowest_layer"} <= set(cube.variables)
    assert 399.9 < float(np.nanmean(cube.read("xco2", 0).to_numpy())) < 400.1
    collection = links["volume"].link.removeprefix("./atmosphere?data=")
    volume = VolumeStore(volumes_dir(tmp_path)).open(collection)
    assert volume.simulated and volume.components == ("co2", "co2_bg", "co2_fossil")
    assert list(volume.steps_with("co2")) == [0]
    folders = {path.parent.name for path in run.results_folder.rglob("*.nc")}
    assert folders == {"levels_refined", "levels_3x2", "columns_refined", "columns_3x2"}
    elsewhere = tmp_path / "elsewhere"
    files = sorted(path for path in run.results_folder.rglob("*_glb3x2_*.nc"))
    records = import_paths(files, home=elsewhere)
    assert [record.status for record in records] == ["imported", "imported"], [record.message for record in records]


def test_it_can_be_paused(tmp_path, weather):
    given = settings(weather=str(weather), fluxes=["none"], longest_step=480, initial={"background": 380, "ocean": 1.5})
    run = start(tmp_path, "transport", given)
    store = RunStore(runs_dir(tmp_path))
    while not (run.state == "running" and run.progress.done > 0) and run.alive:
        time.sleep(0.05)
        run = store.get(run.id)
    run.request_pause()
    while run.alive:
        time.sleep(0.05)
        run = store.get(run.id)
    assert run.state == "paused", run.error
    run = resume(tmp_path, run.id)
    while run.alive:
        time.sleep(0.05)
        run = store.get(run.id)
    assert run.state == "done", run.error
    assert run.scores["final_column_mean_ppm"] == pytest.approx(381.5, abs=1e-4)
    assert run.scores["mass_closure_ppm"] < 5e-5
    assert run.scores["growth_ppm"] == pytest.approx(0, abs=5e-5)


def test_weather_that_was_damaged_meanwhile_stops_the_run_with_a_sentence(tmp_path, weather):
    copy = tmp_path / "pack"
    shutil.copytree(weather, copy)
    given = settings(weather=str(copy), fluxes=["none"])
    run = RunStore(runs_dir(tmp_path)).create("transport", given, inputs=JOB.inputs(given, tmp_path))
    for path in (copy / "x").rglob("5"):
        if path.is_dir():
            shutil.rmtree(path)
    for path in [each for each in (copy / "x" / "c").iterdir() if each.name == "5"]:
        path.unlink()
    run = execute(tmp_path, run.id)
    assert run.state == "failed"
    assert "make it again" in run.error or "make the pack again" in run.error
    assert not run.results


def test_it_is_a_kind_of_run():
    assert job("transport") is JOB
    assert JOB.schema["properties"]["output_levels"]["default"] == "daily"
