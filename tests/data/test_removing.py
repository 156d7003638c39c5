"""Removing one thing from the data folder: all of it, nothing else, and nothing at all where that fails."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import h5netcdf
import pytest
from filelock import FileLock

from data import removing
from data.errors import StoreProblem
from data.holdings import holdings
from data.home import cubes_dir, downloads_dir, soundings_dir, volumes_dir
from data.importing import import_paths
from data.readers import read
from data.removing import consequence, made_by, remove, remove_run
from data.runs import NoSuchRun, RunBusy
from data.soundings import SoundingArchive
from data.soundings.table import to_table
from data.verifying import verify
from data.volumes import VolumeStore
from tests.dashboard.run_examples import done, running
from tests.data.cube_examples import SMALL, make_cube, maps
from tests.data.folder_examples import KEYS, fill
from tests.data.level_files import level_file
from tests.data.sounding_examples import product, random_product


def problems(home: Path) -> list[str]:
    return [finding.text for finding in verify(home) if finding.problem]


@pytest.mark.parametrize("key", KEYS)
def test_one_thing_goes_and_everything_else_stays(tmp_path, key):
    home = fill(tmp_path)
    others = {item.key: item.count for item in holdings(home) if item.key != key}
    gone = remove(home, key)
    assert gone.key == key
    assert {item.key: item.count for item in holdings(home)} == others
    assert problems(home) == []
    with pytest.raises(StoreProblem, match="There is no"):
        remove(home, key)


def test_everything_can_go_and_leaves_no_bytes_of_data(tmp_path):
    home = fill(tmp_path)
    for key in KEYS:
        remove(home, key)
    assert len(holdings(home)) == 0 and problems(home) == []
    left = [path.name for path in home.rglob("*") if path.is_file()]
    assert set(left) <= {"manifest.json", ".lock", ".import.lock"}


@pytest.mark.parametrize("key", ["soundings:OCO-2/oco2-lite", "sites:TCCON/tccon-ggg2020", "table:carbon-monitor"])
def test_a_removal_that_cannot_be_written_changes_nothing(tmp_path, monkeypatch, key):
    home = fill(tmp_path)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreProblem, match="no room left on the disk"):
        remove(home, key)
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path in before} == before
    assert remove(home, key).key == key


def test_soundings_of_one_collection_go_even_where_files_hold_several(tmp_path):
    archive = SoundingArchive(soundings_dir(tmp_path))
    keep, go = random_product(1, 400), random_product(2, 300, collection="subset")
    archive.append_all([to_table(keep), to_table(go)])
    assert archive.remove("OCO-2", "subset") == 300
    assert set(archive.query(good_only=False, columns=["collection"])["collection"]) == {"oco2-lite"}
    assert len(archive.query(good_only=False)) == 400 and list(archive.problems()) == []
    assert archive.append(go).added == 300
    assert archive.remove("OCO-2") == 700 and archive.instruments() == []
    with pytest.raises(StoreProblem, match=r"found none of OCO-2; it holds nothing\."):
        archive.remove("OCO-2")


def test_files_that_hold_only_what_goes_are_not_read(tmp_path, monkeypatch):
    archive = SoundingArchive(soundings_dir(tmp_path))
    archive.append(product(range(50)))
    archive.append(product(range(50), name="g.h5", instrument="GOSAT", collection="gosat-l2"))

    def read(*_arguments, **_options):
        raise AssertionError("a file was read")

    monkeypatch.setattr("data.soundings.merge.read_rows", read)
    archive.remove("GOSAT")
    assert [summary.name for summary in archive.instruments()] == ["OCO-2"]


def test_removed_soundings_do_not_come_back_when_the_index_is_made_again(tmp_path):
    archive = SoundingArchive(soundings_dir(tmp_path))
    archive.append_all([to_table(random_product(1, 200)), to_table(random_product(2, 100, collection="subset"))])
    archive.remove("OCO-2", "subset")
    (soundings_dir(tmp_path) / "manifest.json").unlink()
    assert SoundingArchive(soundings_dir(tmp_path)).rebuild() == 200


def test_what_had_given_way_to_the_removed_is_named_and_comes_back_by_import(tmp_path):
    archive = SoundingArchive(soundings_dir(tmp_path))
    old, new = (
        product(range(100), name="old.nc4", version="10r", collection="v10"),
        product(range(100), collection="v11"),
    )
    archive.append(old)
    archive.append(new)
    archive.remove("OCO-2", "v11")
    assert any(
        "old.nc4 of OCO-2: expected 100 soundings, found 0; import it again." in text for text in archive.problems()
    )
    assert archive.append(old).added == 100 and list(archive.problems()) == []


def test_what_a_kill_left_of_a_removed_cube_goes_with_the_next_one(tmp_path):
    home = fill(tmp_path)
    left = home / ".removing" / "older.12345678"
    shutil.copytree(cubes_dir(home) / "growing", left)
    assert "cube:growing" in [item.key for item in holdings(home)]
    remove(home, "growing")
    assert list((home / ".removing").iterdir()) == [] and not (cubes_dir(home) / "growing").exists()


def test_a_cube_or_download_that_is_being_written_stays(tmp_path, monkeypatch):
    home = fill(tmp_path)
    monkeypatch.setattr(removing, "_LOCK_SECONDS", 0.05)
    with FileLock(cubes_dir(home) / ".import.lock"), pytest.raises(StoreProblem, match="wait until that is done"):
        remove(home, "growing")
    folder = downloads_dir(home) / "noaa-trends"
    with FileLock(folder / ".fetch.lock"), pytest.raises(StoreProblem, match="a fetch is writing to it"):
        remove(home, "download:noaa-trends")
    assert [item.key for item in holdings(home)] == KEYS


def test_a_cube_that_may_not_be_renamed_stays(tmp_path, monkeypatch):
    home = fill(tmp_path)

    def refused(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(StoreProblem, match="found Permission denied; nothing was removed"):
        remove(home, "growing")
    assert "cube:growing" in [item.key for item in holdings(home)]


def test_the_consequence_says_what_how_much_and_whether_it_can_come_back(tmp_path):
    texts = {item.kind: consequence(item) for item in holdings(fill(tmp_path))}
    assert texts["soundings"].startswith("This deletes 100 soundings") and "can be imported again" in texts["soundings"]
    assert "3 maps" in texts["cube"] and "computed again" in texts["cube"]
    assert "What was imported from these files stays" in texts["download"]


def test_real_files_are_removed_and_imported_again(tmp_path, real: Path):
    paths = [
        real / "satellite" / "gosat_l2_v0280_201811",
        real / "surface" / "noaa_trends",
        real / "carbontracker" / "flux1x1",
        real / "tccon" / "ggg2020_netcdf",
    ]
    first = import_paths(paths, home=tmp_path)
    before = {item.key: item.count for item in holdings(tmp_path)}
    for key in before:
        remove(tmp_path, key)
    assert len(holdings(tmp_path)) == 0 and problems(tmp_path) == []
    again = import_paths(paths, home=tmp_path)
    assert [record.status for record in again] == [record.status for record in first]
    assert {item.key: item.count for item in holdings(tmp_path)} == before
    assert json.loads((soundings_dir(tmp_path) / "manifest.json").read_text())["version"] == 3


def test_a_run_goes_and_what_it_made_stays_unless_asked(tmp_path):
    home = fill(tmp_path)
    for name in ("first", "second"):
        run = done(home, title=name)
        make_cube(cubes_dir(home) / name, maps(SMALL, 2), run=run.id)
        assert [item.key for item in made_by(home, run.id)] == [f"cube:{name}"]
        gone = remove_run(home, run.id, with_results=name == "second")
        assert [item.key for item in gone] == (["cube:second"] if name == "second" else [])
        assert not run.folder.exists()
    assert sorted(item.key for item in holdings(home)) == sorted([*KEYS, "cube:first"])
    assert problems(home) == []


def test_a_cube_that_took_the_name_of_a_runs_cube_is_not_the_runs(tmp_path):
    run = done(tmp_path)
    make_cube(cubes_dir(tmp_path) / "maps", maps(SMALL, 1), run="20260101-000000-grid-abcd")
    assert remove_run(tmp_path, run.id, with_results=True) == [] and len(holdings(tmp_path)) == 1


def test_fields_on_levels_belong_to_the_run_that_made_them(tmp_path):
    run = done(tmp_path)
    path = tmp_path / "carbonweather.molefrac_2020-01.nc"
    level_file(path)
    with h5netcdf.File(path, "a") as file:
        file.attrs["run"] = run.id
    VolumeStore(volumes_dir(tmp_path)).append(read(path))
    (gone,) = remove_run(tmp_path, run.id, with_results=True)
    assert gone.kind == "volume" and len(holdings(tmp_path)) == 0


def test_a_run_at_work_keeps_everything(tmp_path):
    working = running(tmp_path)
    make_cube(cubes_dir(tmp_path) / "maps", maps(SMALL, 1), run=working.configuration.id)
    with pytest.raises(RunBusy, match="cancel it first"):
        remove_run(tmp_path, working.configuration.id, with_results=True)
    with pytest.raises(NoSuchRun):
        remove_run(tmp_path, "nothing", with_results=True)
    assert len(holdings(tmp_path)) == 1
