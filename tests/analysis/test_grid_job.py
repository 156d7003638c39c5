"""Gridding as a run: the cube is right, says where it comes from, is the same for any number of workers and after any
kill, and appears whole or not at all.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from analysis.gridding import selection as selecting
from analysis.gridding import tasks
from analysis.gridding.maps import layers
from analysis.gridding.periods import month_period, period_numbers
from analysis.gridding.tasks import PeriodWork, PieceWork, map_period
from analysis.jobs import SettingsError, execute, validate
from analysis.jobs.grid import JOB, _selection, _together_rows, grid_of, preview
from analysis.jobs.selecting import chosen_sources
from data.cube import Cube
from data.home import cubes_dir, runs_dir, soundings_dir
from data.importing.importer import import_paths
from data.runs import RunStore
from data.soundings import SoundingArchive
from tests.analysis.grid_killed import MOMENTS, PIECE_ROWS
from tests.analysis.sounding_archives import START, cluster, contents, fill, run_job, soundings

CHECKOUT = Path(__file__).resolve().parents[2]
SETTINGS = {"resolution": 2.5}


@pytest.fixture(scope="module")
def one_worker():
    with cluster(1) as address:
        yield address


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with soundings of seven weeks; tests look at it and grid it, but import nothing."""
    home = tmp_path_factory.mktemp("filled")
    fill(home, files=5)
    return home


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small ones, each summed by itself."""
    monkeypatch.setattr(selecting, "PIECE_ROWS", PIECE_ROWS)
    monkeypatch.setattr(selecting, "TOGETHER_ROWS", PIECE_ROWS)


def cube_of(run) -> Cube:
    assert run.state == "done", run.error
    return Cube.open(run.results[0].path)


def test_the_cube_is_what_pandas_makes_of_the_archive(filled: Path, one_worker: str, pieces):
    run = run_job(filled, "grid", SETTINGS, scheduler=one_worker)
    cube = cube_of(run)
    assert [str(time)[:13] for time in cube.times] == ["2018-10-16T12", "2018-11-16T00", "2018-12-16T12"]
    frame = SoundingArchive(soundings_dir(filled)).query(columns=["time", "lat", "lon", "xco2", "xco2_uncertainty"])
    frame["month"] = frame["time"].dt.month
    frame["cell"] = np.floor((frame["lat"] + 90) / 2.5) * 144 + np.floor((frame["lon"] + 180) / 2.5)
    frame["day"] = np.floor((frame["time"].to_numpy().astype("int64") + frame["lon"] * 240e9) / 86_400e9)
    frame["w"] = 1 / np.maximum(frame["xco2_uncertainty"].astype(float), 0.3) ** 2
    frame["wx"] = frame["w"] * frame["xco2"]
    days = frame.groupby(["month", "cell", "day"])[["w", "wx"]].sum()
    days["mean"] = days["wx"] / days["w"]
    cells = days.groupby(["month", "cell"])["mean"].agg(["mean", "size"])
    soundings = frame.groupby(["month", "cell"])["xco2"].agg(["std", "size"])
    for step, month in enumerate((10, 11, 12)):
        place = cells.loc[month].index.astype(int)
        found = {name: cube.read(name, step).to_numpy().ravel() for name in cube.variables}
        assert np.array_equal(np.flatnonzero(np.isfinite(found["xco2"])), place)
        np.testing.assert_allclose(found["xco2"][place], cells.loc[month]["mean"], rtol=1e-6)
        np.testing.assert_array_equal(found["n_days"][place], cells.loc[month]["size"])
        np.testing.assert_array_equal(found["n_soundings"][place], soundings.loc[month]["size"])
        np.testing.assert_allclose(found["xco2_spread"][place], soundings.loc[month]["std"], rtol=1e-5)
        assert (found["xco2_stderr"][place] >= np.float32(0.3)).all()
        assert np.isnan(found["n_soundings"]).sum() == 72 * 144 - place.size
    assert run.scores == {"soundings": len(frame), "cells": len(cells)}
    assert cube.series("xco2", 117.0, 32.0)[1] == found_at(cube, 117.0, 32.0)


def found_at(cube: Cube, lon: float, lat: float) -> float:
    return float(cube.read("xco2", 1).sel(lon=lon, lat=lat, method="nearest"))


def test_the_cube_says_where_it_comes_from(filled: Path, one_worker: str):
    run = run_job(filled, "grid", {**SETTINGS, "every": "whole", "name": "mine"}, scheduler=one_worker)
    cube, (result,) = cube_of(run), run.results
    assert (result.kind, result.link, cube.name) == ("cube", "./?cube=mine", "mine")
    attrs = cube.attrs
    assert attrs["simulated"] == 1
    assert cube.title.startswith("Simulated ")
    assert "not a measurement" in attrs["comment"]
    assert (attrs["scale"], attrs["instrument"], attrs["collection"], attrs["run"]) == (
        "X2019",
        "OCO-2",
        "oco2-lite",
        run.id,
    )
    assert "each counted once" in attrs["method"]
    assert attrs["granules"] == 5
    assert np.array_equal(cube.times, [np.datetime64("2018-11-19T12")])
    assert isinstance(cube.to_xarray(), xr.Dataset)


def test_any_number_of_workers_gives_the_same_bits(filled: Path, one_worker: str, pieces):
    settings = {**SETTINGS, "every": "day"}  # so many steps that their series are put together as well
    found = [contents(run_job(filled, "grid", settings, scheduler=one_worker).results[0].path)]
    assert any("time/xco2" in name for name in found[0])
    for workers in (2, 4):
        with cluster(workers) as address:
            found.append(contents(run_job(filled, "grid", settings, scheduler=address).results[0].path))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("every", ["month", "season", "whole"])
def test_periods_in_one_go_or_in_pieces_give_the_same_bits(filled: Path, one_worker: str, monkeypatch, every: str):
    settings = {**SETTINGS, "every": every}
    monkeypatch.setattr(selecting, "PIECE_ROWS", PIECE_ROWS)
    whole = run_job(filled, "grid", settings, scheduler=one_worker)
    monkeypatch.setattr(selecting, "TOGETHER_ROWS", 0)
    pieces = run_job(filled, "grid", settings, scheduler=one_worker)
    assert contents(whole.results[0].path) == contents(pieces.results[0].path)
    assert whole.scores == pieces.scores and whole.scores["soundings"] > 1000


@pytest.fixture(scope="module")
def undisturbed(filled: Path, one_worker: str) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selecting, "PIECE_ROWS", PIECE_ROWS)
        patch.setattr(selecting, "TOGETHER_ROWS", PIECE_ROWS)
        return contents(run_job(filled, "grid", SETTINGS, scheduler=one_worker).results[0].path)


def killed_and_resumed(home: Path, settings: dict, address: str, moment: str):
    """A run of its own that kills itself at the moment and is then taken up again, to its end."""
    before = sorted(cubes_dir(home).glob("*"))
    settings, store = validate(JOB, settings), RunStore(runs_dir(home))
    run = store.create("grid", settings, inputs=JOB.inputs(settings, home), reuse=False)
    command = [sys.executable, "-m", "tests.analysis.grid_killed", str(home), run.id, address, moment]
    died = subprocess.run(command, cwd=CHECKOUT, capture_output=True, timeout=120, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert store.get(run.id).interrupted
    appeared = moment == "after the cube appeared"
    assert len(sorted(cubes_dir(home).glob("*"))) == len(before) + appeared  # whole, or not there
    run = execute(home, run.id, scheduler=address)
    assert run.state == "done", run.error
    assert "taken up again" in run.log_tail()
    assert len(sorted(cubes_dir(home).glob("*"))) == len(before) + 1
    return run


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_resumed_is_as_if_nothing_had_happened(
    filled: Path, one_worker: str, undisturbed: dict[str, bytes], pieces, moment: str
):
    if moment == "putting series together":
        settings = {**SETTINGS, "every": "day"}
        undisturbed = contents(run_job(filled, "grid", settings, scheduler=one_worker).results[0].path)
    else:
        settings = SETTINGS
    run = killed_and_resumed(filled, settings, one_worker, moment)
    assert contents(run.results[0].path) == undisturbed


def test_a_process_of_its_own_with_a_cluster_of_its_own(tmp_path: Path):
    """As a user runs it: processes, nothing shared."""
    fill(tmp_path, files=2, count=200)
    run = run_job(tmp_path, "grid", {**SETTINGS, "box": [100, 20, 130, 40]}, workers=1)
    cube = cube_of(run)
    assert (cube.grid.nlon, cube.grid.nlat) == (12, 8)


def test_large_periods_are_worked_on_in_one_go_where_there_is_memory():
    class Context:
        worker_bytes: int | None = None

    assert _together_rows(Context) == 3_000_000
    for given, rows in ((256_000_000, 3_000_000), (2_200_000_000, 10_000_000), (64_000_000_000, 12_000_000)):
        Context.worker_bytes = given
        assert _together_rows(Context) == rows


@pytest.mark.parametrize("every", ["month", "season"])
def test_a_period_is_the_same_brought_together_in_one_band_or_many(filled: Path, tmp_path: Path, monkeypatch, every):
    settings = validate(JOB, {**SETTINGS, "every": every, "quality": "all"})
    grid = grid_of(settings)
    selection = _selection(settings, grid)
    (source,) = chosen_sources(filled, selection)
    wanted = period_numbers(np.array([np.datetime64("2018-11-15", "ns").astype(np.int64)]), 586, every)[0]
    months = [
        [PieceWork(0, piece, selection, source.with_error, 0.1, every, grid, str(tmp_path)) for piece in pieces]
        for month, pieces in itertools.groupby(source.pieces, key=lambda piece: piece.month)
        if month_period(month, every) == wanted
    ]
    assert len(months) == (1 if every == "month" else 2)  # October and November
    found = {}
    for rows in (10**9, 40):
        monkeypatch.setattr(tasks, "_BAND_ROWS", rows)
        folder = tmp_path / str(rows)
        folder.mkdir()
        made = PeriodWork(
            "key", str(folder), 4000, grid, tuple(layers("xco2", "ppm", "")), "overpasses", 0.1, [*months, []]
        )
        assert map_period(made).passed.summed > 1000
        found[rows] = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found[40] == found[10**9] and len(found[40]) == 5 * grid.levels


def test_a_period_without_soundings_makes_no_maps(tmp_path: Path):
    grid = grid_of(validate(JOB, SETTINGS))
    work = PeriodWork("key", str(tmp_path), 0, grid, tuple(layers("xco2", "ppm", "")), "overpasses", 0.1, [[], []])
    made = map_period(work)
    assert made.maps == {} and made.passed.summed == 0
    assert not list(tmp_path.iterdir())


def test_workers_have_what_they_need_before_their_first_task(tmp_path: Path):
    """And their process of origin reads no more than that: each module costs every run its time."""
    fill(tmp_path, files=1, count=200)
    script = """
import sys, time
import analysis.gridding.ready
before = set(sys.modules)
from pathlib import Path
from analysis.gridding.tasks import map_period, PeriodWork, PieceWork
from analysis.gridding.maps import layers
from analysis.jobs import validate
from analysis.jobs.grid import JOB, _selection, grid_of
from analysis.jobs.selecting import chosen_sources
home = Path(sys.argv[1])
settings = validate(JOB, {"resolution": 1, "quality": "all"})
grid = grid_of(settings)
selection = _selection(settings, grid)
(source,) = chosen_sources(home, selection)
pieces = [PieceWork(0, each, selection, source.with_error, 0.1, "month", grid, str(home)) for each in source.pieces[:1]]
work = PeriodWork("key", str(home), 1, grid, tuple(layers("xco2", "ppm", "")), "overpasses", 0.1, [pieces])
assert map_period(work).passed.summed > 0
late = {"numba", "numcodecs", "google_crc32c", "pyarrow.parquet"} & (set(sys.modules) - before)
never = {"pandas", "xarray", "scipy.sparse", "matplotlib", "dask.dataframe"} & set(sys.modules)
assert not late and not never, (late, never)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_cancelled_run_leaves_no_cube(filled: Path, one_worker: str, monkeypatch):
    from analysis.jobs.maps import CubeOfRun

    before = sorted(cubes_dir(filled).glob("*"))
    write = CubeOfRun.write

    def cancel(self, *args):
        store.get(run.id).request_cancel()
        write(self, *args)
        import time

        time.sleep(0.6)

    monkeypatch.setattr(CubeOfRun, "write", cancel)
    settings = validate(JOB, {**SETTINGS, "name": "cancelled"})
    store = RunStore(runs_dir(filled))
    run = store.create("grid", settings, inputs=JOB.inputs(settings, filled), reuse=False)
    assert execute(filled, run.id, scheduler=one_worker).state == "cancelled"
    assert sorted(cubes_dir(filled).glob("*")) == before


def test_a_name_that_is_taken_gets_a_number(filled: Path, one_worker: str):
    names = [
        run_job(filled, "grid", {**SETTINGS, "name": "twice"}, scheduler=one_worker).results[0].path.name for _ in "ab"
    ]
    assert names == ["twice", "twice-2"]
    assert Cube.open(cubes_dir(filled) / "twice-2").name == "twice-2"


def test_instruments_side_by_side(tmp_path: Path, one_worker: str):
    fill(tmp_path, files=1, count=200)
    fill(tmp_path, files=1, count=100, instrument="OCO-3", collection="oco3-lite")
    run = run_job(tmp_path, "grid", {**SETTINGS, "name": "both"}, scheduler=one_worker)
    assert [result.path.name for result in run.results] == ["both-oco-2", "both-oco-3"]
    one = run_job(tmp_path, "grid", {**SETTINGS, "together": True}, scheduler=one_worker)
    cube = cube_of(one)
    assert cube.attrs["instrument"] == "OCO-2 + OCO-3"
    parts = [np.nansum(cube_of_path(result.path).read("n_soundings", 0)) for result in run.results]
    assert np.nansum(cube.read("n_soundings", 0)) == sum(parts)


def cube_of_path(path: Path) -> Cube:
    return Cube.open(path)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"resolution": 0.07}, "divides 180 degrees"),
        ({"start": "2018-12-01", "end": "2018-11-01"}, "expected a last day not before the first"),
        ({"variable": "sif_740nm"}, "expected a variable of the archive"),
        ({"instruments": ["GOSAT"]}, "expected an instrument of the archive"),
        ({"start": "1990-01-01", "end": "1990-02-01"}, "the archive reaches from 2018-10-28 to"),
        ({"box": [0, 10, 10, 0]}, "expected a box"),
    ],
)
def test_settings_that_make_no_sense_are_told_before_anything_starts(filled: Path, settings: dict, words: str):
    complete = validate(JOB, settings)
    for ask in (preview, JOB.inputs):
        with pytest.raises(Exception) as told:
            ask(complete, filled)
        assert words in str(told.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"resolution": "fine"},
        {"resolution": 0.001},
        {"every": "fortnight"},
        {"start": "yesterday"},
        {"box": [1, 2, 3]},
        {"box": [0, 0, 1e9, 1]},
        {"name": "../../etc"},
        {"name": "a" * 61},
        {"name": "-x"},
        {"weights": ["soundings"]},
        {"modes": ["sideways"]},
        {"error_floor": -1},
        {"instruments": "OCO-2"},
        {"colour": "red"},
    ],
)
def test_settings_of_the_wrong_kind_are_told(settings: dict):
    with pytest.raises(SettingsError, match="settings of grid"):
        validate(JOB, settings)


def test_nothing_that_passes_is_told(filled: Path, one_worker: str):
    run = run_job(filled, "grid", {**SETTINGS, "modes": ["snapshot area"]}, scheduler=one_worker)
    assert run.state == "failed"
    assert run.error.startswith(
        "expected soundings of OCO-2 that pass the choice of quality, mode, surface and box, found none"
    )


def test_an_archive_that_changed_is_not_mixed_with_what_was_computed(tmp_path: Path, one_worker: str, pieces):
    fill(tmp_path, files=5)
    settings = validate(JOB, SETTINGS)
    inputs = JOB.inputs(settings, tmp_path)
    SoundingArchive(soundings_dir(tmp_path)).append(
        soundings(80, 50, start=START, instrument="GOSAT", collection="gosat")
    )
    assert (
        JOB.inputs({**settings, "instruments": ["OCO-2"]}, tmp_path) == inputs
    )  # another instrument's import changes nothing
    SoundingArchive(soundings_dir(tmp_path)).append(soundings(81, 50, start=START))
    assert JOB.inputs({**settings, "instruments": ["OCO-2"]}, tmp_path) != inputs


def test_the_preview_opens_no_file(filled: Path, tmp_path: Path):
    """It needs the manifest only."""
    (tmp_path / "soundings").mkdir()
    (tmp_path / "soundings" / "manifest.json").write_bytes((soundings_dir(filled) / "manifest.json").read_bytes())
    cost = preview(validate(JOB, {"every": "day"}), tmp_path)
    assert "3 thousand soundings of OCO-2 onto 25.9 million cells" in cost.sentence
    assert cost.seconds > 0 and cost.memory_bytes > 400_000_000 and cost.disk_bytes > 0
    coarse = preview(validate(JOB, {"resolution": 1}), tmp_path)
    assert coarse.seconds < cost.seconds and coarse.disk_bytes < cost.disk_bytes


def test_real_soundings_of_two_instruments(real: Path, tmp_path: Path, one_worker: str):
    """OCO-2 over Ohio: no flag, X2007; GOSAT: ten days; both known cells by hand."""
    days = sorted((real / "satellite" / "oco2_lite_v10_ohio").glob("*1807*.nc4"))
    import_paths([*days, real / "satellite" / "gosat_l2_v0280_201811"], home=tmp_path, workers=1)
    settings = {"instruments": ["OCO-2"], "box": [-82, 37, -78, 43], "resolution": 0.5}
    cube = cube_of(run_job(tmp_path, "grid", settings, scheduler=one_worker))
    assert (cube.attrs["scale"], cube.attrs["simulated"], cube.attrs["catalog"]) == ("X2007", 0, "oco2-lite")
    assert "OCO-2/OCO-3 Science Team" in cube.attrs["citation"]
    frame = SoundingArchive(soundings_dir(tmp_path)).query(instrument="OCO-2", columns=["lat", "lon", "time", "xco2"])
    inside = frame[(frame["lon"] < -78) & (frame["lat"] < 43)]
    assert np.nansum(cube.read("n_soundings", 0)) == len(inside)
    day_count = inside.groupby([np.floor(inside["lat"] * 2), np.floor(inside["lon"] * 2)])["time"].apply(
        lambda t: t.dt.date.nunique()
    )
    assert np.nansum(cube.read("n_days", 0)) == day_count.sum()
    run = run_job(tmp_path, "grid", {"instruments": ["GOSAT"], "every": "day", "resolution": 2.5}, scheduler=one_worker)
    gosat = cube_of(run)
    assert len(gosat.times) == 10
    assert sum(np.nansum(gosat.read("n_soundings", step)) for step in range(10)) == 3556
    assert gosat.attrs["scale"] == "unknown"
    assert 395 < np.nanmean(gosat.read("xco2", 0)) < 415
    again = killed_and_resumed(tmp_path, run.settings, one_worker, "writing a step")
    assert contents(again.results[0].path) == contents(run.results[0].path)
