"""A cube that is built out of sight appears whole, under a free name, on whatever disk the cubes are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from analysis.gridding.publishing import HiddenCube, cube_name, published
from data.cube import Cube, Grid, Variable, encode_map
from data.errors import StoreProblem
from data.home import cubes_dir

GRID = Grid(-180, -90, 10, 10, 36, 18)
XCO2 = Variable("xco2", "ppm", "mean", "float32")


def hidden(folder: Path, *, run: str = "run-1", steps: int = 3) -> HiddenCube:
    made = HiddenCube(folder, name="mine", title="Mine", grid=GRID, variables=[XCO2], attrs={"run": run})
    for step in range(steps):
        values = np.full(GRID.shape(), 400.0 + step)
        made.write(np.datetime64("2019-01-01") + step, {"xco2": encode_map(values, GRID, XCO2)})
    return made


def test_it_appears_whole(tmp_path: Path):
    made = hidden(tmp_path / "work")
    assert not cubes_dir(tmp_path).exists()
    place = made.publish(tmp_path, lambda part: None)
    cube = Cube.open(place)
    assert (cube.name, len(cube.times), cube.attrs) == ("mine", 3, {"run": "run-1"})
    assert published(tmp_path, "mine", "run-1") == place
    assert published(tmp_path, "mine", "run-2") is None
    assert not (tmp_path / "work").exists()


def test_what_an_earlier_attempt_left_is_thrown_away(tmp_path: Path):
    hidden(tmp_path / "work", steps=5)
    place = hidden(tmp_path / "work", steps=2).publish(tmp_path)
    assert len(Cube.open(place).times) == 2


def test_series_of_long_cubes_are_put_together(tmp_path: Path):
    few, many = (hidden(tmp_path / str(steps), run=str(steps), steps=steps) for steps in (24, 25))
    assert not (few.publish(tmp_path, lambda part: None) / "time").exists()
    parts: list[float] = []
    place = many.publish(tmp_path, parts.append)
    assert place.name == "mine-2" and (place / "time").exists() and parts[-1] == 1.0
    assert Cube.open(place).series("xco2", 5, 5).tolist() == [400.0 + step for step in range(25)]


def test_a_name_that_is_taken_gets_a_number_whatever_has_it(tmp_path: Path):
    (cubes_dir(tmp_path) / "mine").mkdir(parents=True)
    (cubes_dir(tmp_path) / "mine" / "notes.txt").write_text("not a cube")
    place = hidden(tmp_path / "work").publish(tmp_path, lambda part: None)
    assert (place.name, Cube.open(place).name) == ("mine-2", "mine-2")
    assert published(tmp_path, "mine", "run-1") == place


def test_cubes_on_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = hidden(tmp_path / "work")
    rename = os.rename

    def other_disk(source, target):
        if Path(source) == tmp_path / "work":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "rename", other_disk)
    place = made.publish(tmp_path, lambda part: None)
    assert len(Cube.open(place).times) == 3
    assert [path.name for path in cubes_dir(tmp_path).iterdir()] == ["mine"]


def test_no_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = hidden(tmp_path / "work")
    monkeypatch.setattr(
        os, "rename", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "Permission denied"))
    )
    with pytest.raises(StoreProblem, match="found Permission denied; free some space or check permissions"):
        made.publish(tmp_path, lambda part: None)
    assert not (cubes_dir(tmp_path) / "mine").exists()


def test_names_made_of_words():
    assert cube_name("OCO-2 (simulated)", "xco2", "month", "0.05deg") == "oco-2-simulated-xco2-month-0.05deg"
    assert cube_name("../../etc/passwd", "", "ünïcode") == "etc-passwd-n-code"
    assert cube_name("") == "cube"
    assert len(cube_name("x" * 500)) == 80
