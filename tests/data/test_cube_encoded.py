"""Maps that were encoded elsewhere lie in a cube as if it had encoded them itself."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from data.cube import Cube, Grid, Variable, encode_cells, encode_map
from data.errors import StoreProblem

GRID = Grid(west=-180, south=-90, dlon=0.5, dlat=0.5, nlon=720, nlat=360)
VARIABLES = [Variable("xco2", "ppm", "mean", "float32"), Variable("packed", "ppm", "mean", "int16", 0.01, 400.0)]


def sparse(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = np.full(GRID.shape(), np.nan, dtype=np.float32)
    values[random.integers(0, 360, 5000), random.integers(0, 720, 5000)] = random.uniform(390, 420, 5000)
    return values


def test_the_files_are_the_same(tmp_path: Path):
    folders = []
    for name, make in (("here", lambda values, variable: values), ("elsewhere", encoded), ("sparse", sparsely_encoded)):
        cube = Cube.create(tmp_path / name, name="x", title="x", grid=GRID, variables=VARIABLES)
        for month in (1, 2, 3):
            time = np.datetime64(f"2019-{month:02d}-15")
            cube.write(time, {variable.name: make(sparse(month), variable) for variable in VARIABLES})
        cube.seal()
        folders.append(cube.path)
    first, second, third = (
        {path.relative_to(f): path.read_bytes() for path in Path(f).rglob("*") if path.is_file()} for f in folders
    )
    assert first == second == third
    assert any("time" in path.parts for path in first)


def encoded(values, variable):
    return pickle.loads(pickle.dumps(encode_map(values, GRID, variable)))  # as it travels between processes


def sparsely_encoded(values, variable):
    cells = np.flatnonzero(np.isfinite(values))
    return encode_cells(cells, values.ravel()[cells][np.newaxis], GRID, [variable])[variable.name]


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
@pytest.mark.parametrize(
    "grid", [GRID, Grid(100, -30, 0.5, 0.5, 401, 203), Grid(-180, -90, 5, 5, 72, 36)], ids=["", "odd", "small"]
)
@pytest.mark.parametrize("part", [0.0, 1e-5, 0.01, 0.5, 1.0])
def test_some_cells_give_the_files_of_the_whole_map(variable: Variable, grid: Grid, part: float):
    random = np.random.default_rng(int(part * 1000))
    values = np.where(random.random(grid.shape()) < part, random.normal(400, 3, grid.shape()), np.nan)
    cells = np.flatnonzero(np.isfinite(values))
    found = encode_cells(cells, values.ravel()[cells][np.newaxis], grid, [variable])[variable.name]
    whole = encode_map(values, grid, variable)
    assert found.shards == whole.shards
    for name in ("count", "mean", "squares"):
        assert getattr(found.rows, name).tobytes() == getattr(whole.rows, name).tobytes()


def test_cells_without_a_value_count_nothing_and_wrong_ones_are_told():
    cells = np.array([5, 9, 700])
    values = np.array([[400.0, np.nan, 401.0], [400.0, 402.0, 401.0], [398.0, np.nan, 399.0]])
    names = [Variable(name, "ppm", "mean", "float32") for name in ("some", "all", "other")]
    found = encode_cells(cells, values, GRID, names)
    for variable, row in zip(names, values, strict=True):
        kept = np.isfinite(row)
        alone = encode_cells(cells[kept], row[np.newaxis, kept], GRID, [variable])[variable.name]
        assert found[variable.name].shards == alone.shards
        assert found[variable.name].rows.count.sum() == kept.sum()
    for wrong in ([3, 3], [4, 3], [-1, 3], [0, 720 * 360]):
        with pytest.raises(StoreProblem, match=r"expected (one value|cells)"):
            encode_cells(np.array(wrong), np.array([[1.0, 2.0]]), GRID, VARIABLES[:1])
    with pytest.raises(StoreProblem, match="expected values within"):
        encode_cells(np.array([1]), np.array([[9999.0]]), GRID, VARIABLES[1:])
    with pytest.raises(StoreProblem, match="expected values within"):
        encode_cells(np.array([1]), np.array([[np.inf]]), GRID, VARIABLES[:1])


def test_maps_are_kept_while_others_are_made_and_failures_are_told(tmp_path: Path):
    cells, values = np.array([5, 9, 700]), np.full((2, 3), 400.0)
    plain = encode_cells(cells, values, GRID, VARIABLES)
    found = encode_cells(cells, values, GRID, VARIABLES, keep=lambda made: made.kept_in(tmp_path / "kept", "july"))
    assert list(found) == list(plain) == ["xco2", "packed"]
    for name, made in found.items():
        assert all(isinstance(shard, Path) for shard in made.shards)
        assert [Path(shard).read_bytes() for shard in made.shards] == list(plain[name].shards)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreProblem, match="expected to write maps there"):
        encode_cells(cells, values, GRID, VARIABLES, keep=lambda made: made.kept_in(tmp_path / "file", "july"))


def test_one_variable_after_the_other(tmp_path: Path):
    cube = Cube.create(tmp_path / "cube", name="x", title="x", grid=GRID, variables=VARIABLES)
    cube.write("2019-01-15", {"xco2": encode_map(sparse(1), GRID, VARIABLES[0])})
    cube.write("2019-01-15", {"packed": sparse(2)})
    np.testing.assert_array_equal(cube.read("xco2", 0).to_numpy(), sparse(1))
    np.testing.assert_allclose(cube.read("packed", 0).to_numpy(), sparse(2), atol=0.0051)


def test_maps_of_another_grid_or_packing_are_refused_and_nothing_is_written(tmp_path: Path):
    cube = Cube.create(tmp_path / "cube", name="x", title="x", grid=GRID, variables=VARIABLES)
    coarse = Grid(west=-180, south=-90, dlon=5, dlat=5, nlon=72, nlat=36)
    with pytest.raises(StoreProblem, match="encode it for this cube"):
        cube.write("2019-01-15", {"xco2": encode_map(np.ones((36, 72)), coarse, VARIABLES[0])})
    with pytest.raises(StoreProblem, match="expected a map encoded for"):
        cube.write("2019-01-15", {"xco2": encode_map(sparse(1), GRID, VARIABLES[1])})
    with pytest.raises(StoreProblem, match="36 rows"):
        encode_map(sparse(1), coarse, VARIABLES[0])
    assert len(cube.times) == 0
    assert not (Path(cube.path) / "maps").exists()


@pytest.mark.parametrize("links", [True, False])
def test_maps_kept_in_files_make_the_same_cube(tmp_path: Path, monkeypatch, links: bool):
    grid = Grid(-180, -90, 0.5, 0.5, 720, 360)
    variable = Variable("xco2", "ppm", "mean", "float32")
    values = np.random.default_rng(1).normal(400, 1, grid.shape())
    encoded = encode_map(values, grid, variable)
    (tmp_path / "kept").mkdir()
    kept = encoded.kept_in(tmp_path / "kept", "july")
    if not links:

        def refuse(*_):
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuse)
    for name, made in (("one", encoded), ("two", kept)):
        cube = Cube.create(tmp_path / name, name="mine", title="Mine", grid=grid, variables=[variable])
        cube.write(np.datetime64("2019-07-01"), {"xco2": made})
    one, two = (
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("c.*")}
        for name in ("one", "two")
    )
    assert one == two and len(one) == grid.levels
    shutil.rmtree(tmp_path / "kept")  # what was linked stays
    np.testing.assert_allclose(Cube.open(tmp_path / "two").read("xco2", 0), values, rtol=1e-6)


def test_maps_that_cannot_be_kept_or_found_are_told(tmp_path: Path):
    grid = Grid(-180, -90, 10, 10, 36, 18)
    variable = Variable("xco2", "ppm", "mean", "float32")
    encoded = encode_map(np.full(grid.shape(), 400.0), grid, variable)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreProblem, match="expected to write maps there"):
        encoded.kept_in(tmp_path / "file", "july")
    (tmp_path / "kept").mkdir()
    kept = encoded.kept_in(tmp_path / "kept", "july")
    shutil.rmtree(tmp_path / "kept")
    cube = Cube.create(tmp_path / "cube", name="mine", title="Mine", grid=grid, variables=[variable])
    with pytest.raises(StoreProblem):
        cube.write(np.datetime64("2019-07-01"), {"xco2": kept})
    assert not len(Cube.open(tmp_path / "cube").times)
