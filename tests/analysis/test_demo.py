"""The demo: complete, resumable after a kill, one builder at a time, no bigger than it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import analysis.demo as demo
from analysis.demo import CUBE, DemoPlan, DemoStatus, build_demo, demo_size, demo_status, middle_of
from analysis.world import World
from dashboard.commands.demo import command
from data.cube import Cube
from data.errors import StoreProblem
from data.home import cubes_dir, sites_dir, soundings_dir, volumes_dir
from data.sites import SiteStore
from data.soundings import SoundingArchive
from data.volumes import VolumeStore

TOY = DemoPlan(months=4, sounding_months=0, volume_months=0, sites=("oc", "wg"), minutes=240, nlat=90, nlon=180)
CHECKOUT = Path(__file__).resolve().parents[2]


def cube_of(home: Path) -> Cube:
    return Cube.open(cubes_dir(home) / CUBE)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, list[DemoStatus]]:
    home = tmp_path_factory.mktemp("home")
    told: list[DemoStatus] = []
    plan = DemoPlan(**{**TOY.__dict__, "sounding_months": 1, "every": 300, "volume_months": 3})
    build_demo(home, plan=plan, progress=told.append)
    return home, told


def test_cube_holds_the_world(built):
    home, _ = built
    cube = cube_of(home)
    world = World(nlat=90, nlon=180)
    months = [time.astype("datetime64[M]") for time in cube.times]
    assert [str(month) for month in months] == ["2021-09", "2021-10", "2021-11", "2021-12"]
    for step, month in enumerate(months):
        np.testing.assert_allclose(cube.read("xco2", step), world.xco2(month), atol=0.006)
        np.testing.assert_allclose(cube.read("xco2_std", step), world.xco2_std(month), atol=0.011)
    assert cube.attrs["simulated"] == 1 and cube.title.startswith("Simulated") and "demo" in cube.title
    assert cube.attrs["scale"] == "X2019" and all(
        "simulated" in variable.long_name for variable in cube.variables.values()
    )


def test_series_come_from_the_maps(built):
    cube = cube_of(built[0])
    series = cube.series("xco2", 116.4, 39.9)
    expected = [float(cube.read("xco2", step).sel(lon=116.4, lat=39.9, method="nearest")) for step in range(4)]
    np.testing.assert_allclose(series, expected, atol=1e-4)


def test_sites_and_soundings_are_in_their_stores_and_marked(built):
    home, _ = built
    sites = SiteStore(sites_dir(home)).sites()
    assert set(sites["site"]) == {"lamont01", "wollongong01"} and (sites["simulated"] == 1).all()
    (instrument,) = SoundingArchive(soundings_dir(home)).instruments()
    assert instrument.simulated and instrument.count > 1000
    assert np.datetime64(instrument.start, "D") == np.datetime64("2021-12-01") and np.datetime64(
        instrument.end, "D"
    ) == np.datetime64("2021-12-31")


def test_a_year_of_co2_by_height_is_there_and_marked(built):
    store = VolumeStore(volumes_dir(built[0]))
    (name,) = store.collections()
    volume = store.open(name)
    assert [str(time)[:7] for time in volume.times] == ["2021-10", "2021-11", "2021-12"]
    assert volume.simulated and volume.title.startswith("Simulated") and "co2_fossil" in volume.components


def test_a_demo_of_the_first_release_keeps_what_it_has_and_gets_the_rest(tmp_path):
    build_demo(tmp_path, plan=TOY)
    state = json.loads((tmp_path / "demo.json").read_text())
    del state["volume"]
    (tmp_path / "demo.json").write_text(json.dumps(state))
    assert demo_status(tmp_path).done
    told: list[DemoStatus] = []
    plan = DemoPlan(**{**TOY.__dict__, "volume_months": 3})
    assert build_demo(tmp_path, plan=plan, progress=told.append).done
    assert len(told) == 1 and VolumeStore(volumes_dir(tmp_path)).collections()


def test_progress_is_told_step_by_step_newest_month_first(built):
    _, told = built
    assert [status.months_ready for status in told[:4]] == [1, 2, 3, 4]
    assert told[0].stage == "maps" and told[0].label == "maps 1 of 4 months"
    done = [status.steps_done for status in told]
    assert (
        done == sorted(done)
        and told[-1].steps_done == told[-1].steps_total
        and told[-1].done
        and told[-1].stage == "done"
    )
    assert {status.stage for status in told} >= {"maps", "ground sites", "soundings", "done"}


def test_building_again_changes_nothing(built):
    home, _ = built
    version, told = cube_of(home).version, []
    plan = DemoPlan(**{**TOY.__dict__, "sounding_months": 1, "every": 300, "volume_months": 3})
    assert build_demo(home, plan=plan, progress=told.append).done and told == []
    assert cube_of(home).version == version
    assert demo_status(home).done and demo_status(home).months_ready == 4


def test_nothing_is_left_beside_the_stores(built):
    names = {entry.name for entry in built[0].iterdir()}
    assert names <= {"cubes", "sites", "soundings", "volumes", "demo.json", ".demo.lock"}


def test_cancelled_after_a_step_it_goes_on_later(tmp_path):
    calls = iter([False, False, True])
    status = build_demo(tmp_path, plan=TOY, cancelled=lambda: next(calls))
    assert (status.months_ready, status.stage, status.done) == (2, "maps", False)
    assert [str(time)[:7] for time in cube_of(tmp_path).times] == ["2021-11", "2021-12"]
    assert demo_status(tmp_path, plan=TOY) == status
    assert build_demo(tmp_path, plan=TOY).done


def test_an_empty_folder_has_no_demo(tmp_path):
    status = demo_status(tmp_path / "nowhere")
    assert (status.months_ready, status.months_total, status.stage, status.done) == (0, 84, "maps", False)
    assert demo_status(tmp_path, small=True).months_total == 24
    assert not any(tmp_path.iterdir())


def test_a_short_demo_is_extended_and_a_long_one_kept(tmp_path):
    short = DemoPlan(**{**TOY.__dict__, "months": 2, "sites": ()})
    long = DemoPlan(**{**TOY.__dict__, "months": 5, "sites": ()})
    build_demo(tmp_path, plan=short)
    assert build_demo(tmp_path, plan=long).months_ready == 5
    assert build_demo(tmp_path, plan=short).done
    assert len(cube_of(tmp_path).times) == 5 and demo_status(tmp_path).months_ready == 5


_BUILD = """
import sys
from analysis.demo import DemoPlan, build_demo
plan = DemoPlan(months=60, sounding_months=0, volume_months=0, sites=(), nlat=180, nlon=360)
build_demo(sys.argv[1], plan=plan, progress=lambda status: print(status.months_ready, flush=True))
"""


def test_killed_at_any_moment_it_goes_on_and_leaves_no_lock(tmp_path):
    plan = DemoPlan(months=60, sounding_months=0, volume_months=0, sites=(), nlat=180, nlon=360)
    process = subprocess.Popen(
        [sys.executable, "-c", _BUILD, str(tmp_path)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 3:
            break
    with pytest.raises(StoreProblem, match=str(process.pid)):
        build_demo(tmp_path, plan=plan)
    time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    process.stdout.close()
    ready = demo_status(tmp_path, plan=plan).months_ready
    assert 3 <= ready < 60
    assert (tmp_path / ".demo.lock").exists(), "left behind, and no obstacle"
    short = DemoPlan(**{**plan.__dict__, "months": ready + 1})
    assert build_demo(tmp_path, plan=short).done
    cube, world = cube_of(tmp_path), World(nlat=180, nlon=360)
    for step, when in enumerate(cube.times):
        np.testing.assert_allclose(cube.read("xco2", step), world.xco2(when.astype("datetime64[M]")), atol=0.006)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"months": 4, "sites": null}'])
def test_a_damaged_state_file_costs_nothing_but_work(tmp_path, content):
    plan = DemoPlan(**{**TOY.__dict__, "months": 2, "sites": ()})
    build_demo(tmp_path, plan=plan)
    (tmp_path / "demo.json").write_text(content)
    assert demo_status(tmp_path, plan=plan).months_ready == 2
    assert build_demo(tmp_path, plan=plan).done


def test_another_cube_in_its_place_is_not_touched(tmp_path):
    plan = DemoPlan(**{**TOY.__dict__, "months": 1, "sites": ()})
    build_demo(tmp_path, plan=plan)
    before = cube_of(tmp_path).version
    with pytest.raises(StoreProblem, match="another one there"):
        build_demo(tmp_path, plan=DemoPlan(**{**plan.__dict__, "nlat": 45, "nlon": 90}))
    assert cube_of(tmp_path).version == before


def test_too_little_room_is_said_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(demo.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    with pytest.raises(StoreProblem, match=r"needs 1\.\d GB .* 0\.0 GB are free"):
        build_demo(tmp_path)
    assert not (tmp_path / "cubes").exists()


def test_a_home_that_is_a_file_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreProblem, match="cannot be made"):
        build_demo(tmp_path / "file" / "home", plan=TOY)


def test_size_is_said_and_kept(built):
    assert demo_size() <= 2_000_000_000 and demo_size(True) < demo_size() / 2
    home, _ = built
    plan = DemoPlan(**{**TOY.__dict__, "sites": ()})
    cube = sum(path.stat().st_size for path in cubes_dir(home).rglob("*") if path.is_file())
    assert cube < 40 * plan.size, "small maps pay more for their folders than for their cells"


def test_plans():
    full, small = DemoPlan.of(False), DemoPlan.of(True)
    assert [str(month) for month in (full.month_list()[0], full.month_list()[-1])] == ["2021-12", "2015-01"]
    assert str(small.month_list()[-1]) == "2020-01" and len(small.day_list()) == 31
    assert (
        {"oc", "lr", "bi"} <= set(full.site_list()) and "if" not in full.site_list() and "bi" not in small.site_list()
    )
    assert middle_of(np.datetime64("2021-02")) == np.datetime64("2021-02-15T00", "ns")


# --------------------------------------------------------------------------- command line


@pytest.fixture
def toy_plan(monkeypatch):
    """The command builds a toy: the plan's contents are not what these tests are about."""
    monkeypatch.setattr(
        DemoPlan,
        "of",
        classmethod(lambda cls, small: DemoPlan(**{**TOY.__dict__, "months": 2 if small else 3, "sites": ()})),
    )


def test_command_prints_json_lines(tmp_path, toy_plan):
    result = CliRunner().invoke(command, ["--home", str(tmp_path), "--yes", "--json"])
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 0 and lines[0]["label"] == "maps 1 of 3 months" and lines[0]["done"] == 1
    assert all({"done", "total", "label"} <= set(line) for line in lines)
    assert lines[-1]["status"] == "done" and lines[-1]["months_ready"] == 3 and lines[-1]["home"] == str(tmp_path)


def test_command_says_the_size_and_asks(tmp_path, toy_plan):
    refused = CliRunner().invoke(command, ["--home", str(tmp_path)], input="n\n")
    assert refused.exit_code == 1 and "GB" in refused.output and not any(tmp_path.iterdir())
    agreed = CliRunner().invoke(command, ["--home", str(tmp_path), "--small"], input="y\n")
    assert agreed.exit_code == 0 and "2 months" in agreed.output and len(cube_of(tmp_path).times) == 2
    again = CliRunner().invoke(command, ["--home", str(tmp_path), "--small"])
    assert again.exit_code == 0 and "2 months" in again.output
