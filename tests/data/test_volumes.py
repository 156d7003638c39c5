"""The store of volumes: whole or not at all, idempotent, read in parts, on any file system, checked."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import h5py
import numpy as np
import pytest

from data.errors import FileProblem, StoreProblem
from data.home import tables_dir, volumes_dir
from data.importing import import_paths
from data.readers import read
from data.verifying import rebuild_indices
from data.volumes import VolumeStore
from tests.data.level_files import EDGES_M, EDGES_PA, LEVELS, LON, PARTS, co2, level_file

NAME = "carbontracker-ct2022-molefractions"


@pytest.fixture
def daily(tmp_path: Path) -> Path:
    path = tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc"
    level_file(path)
    return path


def test_import_keeps_the_levels_and_knows_the_file_again(daily, home):
    (record,) = import_paths([daily], home=home)
    assert (record.status, record.kind, record.count) == ("imported", "volume", 2) and NAME in record.message
    (again,) = import_paths([daily], home=home)
    assert again.status == "unchanged"
    volume = VolumeStore(volumes_dir(home)).open(NAME)
    assert volume.title == "CarbonTracker CT2022 CO2 mole fractions" and not volume.simulated
    assert (volume.levels, volume.grid.nlat, volume.grid.nlon, volume.components) == (LEVELS, 9, LON.size, ("co2",))
    found = volume.columns(1, "co2")
    np.testing.assert_allclose(found.values, co2()[1], atol=1e-3)
    np.testing.assert_allclose(found.pressure_hpa[:, 4, 5], EDGES_PA / 100, rtol=4e-5)
    np.testing.assert_allclose(found.height_m[:, 4, 5], EDGES_M, rtol=4e-5)
    assert found.humidity is None and not tables_dir(home).exists()


def test_only_the_rectangle_that_is_asked_for_is_read(daily, tmp_path):
    store = VolumeStore(tmp_path / "volumes")
    store.append(read(daily))
    part = store.open(NAME).columns(0, "co2", slice(2, 4), slice(1, 3))
    assert part.values.shape == (LEVELS, 2, 2) and part.pressure_hpa.shape == (LEVELS + 1, 2, 2)
    np.testing.assert_allclose(part.values, co2()[0][:, 2:4, 1:3], atol=1e-3)


def test_files_are_chunked_by_step_and_block(tmp_path):
    path = tmp_path / "fine.molefrac_glb3x2_2020-01.nc"
    level_file(path, lon=LON)
    store = VolumeStore(tmp_path / "volumes")
    store.append(read(path))
    (name,) = store.folder.manifest()["files"]
    with h5py.File(store.folder.path(name)) as file:
        assert file["co2"].chunks == (1, LEVELS, 9, LON.size) and file["co2"].dtype == np.float32
        assert file.attrs["Conventions"] == "CF-1.11"


def test_opening_touches_the_manifest_alone(daily, tmp_path):
    store = VolumeStore(tmp_path / "volumes")
    store.append(read(daily))
    (name,) = store.folder.manifest()["files"]
    Path(store.folder.path(name)).unlink()
    volume = store.open(NAME)
    assert len(volume.times) == 2
    with pytest.raises(StoreProblem, match="import it again"):
        volume.columns(0, "co2")


def test_total_and_components_of_the_same_times_join(daily, tmp_path):
    parts = tmp_path / "CT2022.molefrac_components_glb3x2_2020-01-01.nc"
    level_file(parts, parts=PARTS, geometry=False)
    store = VolumeStore(tmp_path / "volumes")
    store.append(read(parts))
    alone = store.open(NAME)
    assert alone.steps_with("co2_bio").size == 0
    with pytest.raises(StoreProblem, match="molefrac_glb3x2"):
        alone.columns(0, "co2_bio")
    store.append(read(daily))
    joined = store.open(NAME)
    assert joined.components == ("co2", "co2_bg", "co2_bio", "co2_ocean", "co2_fossil", "co2_fire")
    assert joined.times.size == 2 and joined.steps_with("co2_bio").tolist() == [0, 1] and joined.key != alone.key
    np.testing.assert_allclose(joined.columns(0, "co2_fossil").values, 0.1 * co2()[0], atol=1e-3)


def test_days_in_any_order_become_one_series(tmp_path):
    store = VolumeStore(tmp_path / "volumes")
    for day in (3, 1, 2):
        path = tmp_path / f"CT2022.molefrac_glb3x2_2020-01-0{day}.nc"
        level_file(path, times=(7304.0625 + day, 7304.1875 + day))
        store.append(read(path))
    volume = store.open(NAME)
    assert (np.diff(volume.times) > np.timedelta64(0)).all() and volume.times.size == 6


def test_the_same_again_changes_nothing_and_a_changed_file_replaces(daily, tmp_path):
    store = VolumeStore(tmp_path / "volumes")
    assert store.append(read(daily)).added == 2
    version = store.version
    assert store.append(read(daily)).added == 0 and store.version == version
    daily.unlink()
    level_file(daily, scale=1.01)
    assert store.append(read(daily)).added == 2
    np.testing.assert_allclose(store.open(NAME).columns(0, "co2").values[0, 0, 0], 404.0, atol=1e-3)
    assert len(store.folder.names()) == 1  # the old file is gone


def test_another_grid_is_refused_and_nothing_is_lost(daily, tmp_path):
    store = VolumeStore(tmp_path / "volumes")
    store.append(read(daily))
    other = tmp_path / "CT2022.molefrac_glb3x2_2020-01-02.nc"
    level_file(other, lon=LON[:6])
    with pytest.raises(StoreProblem, match="expected the grid of"):
        store.append(read(other))
    assert store.open(NAME).times.size == 2 and len(store.folder.names()) == 1


def test_irregular_grids_and_empty_products_are_refused(daily, tmp_path):
    from dataclasses import replace

    product = read(daily)
    store = VolumeStore(tmp_path / "volumes")
    bent = product.dataset.assign_coords(lat=np.array([-80, -60, -40, -20, 0, 21, 40, 60, 80.0]))
    with pytest.raises(FileProblem, match="another grid"):
        store.append(replace(product, dataset=bent))
    with pytest.raises(FileProblem, match="co2 on levels"):
        store.append(replace(product, dataset=product.dataset.isel(time=slice(0))))
    assert store.version == 0 and store.collections() == {}


def test_a_failure_while_writing_leaves_the_store_as_it_was(daily, tmp_path, monkeypatch):
    store = VolumeStore(tmp_path / "volumes")
    store.append(read(daily))
    other = tmp_path / "CT2022.molefrac_glb3x2_2020-01-02.nc"
    level_file(other, times=(7306.0625,))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("data.volumes._rounded", full)
    with pytest.raises(StoreProblem, match="no room"):
        store.append(read(other))
    assert len(store.folder.names()) == 1 and list(store.problems()) == []


def test_lazy_volumes_are_written_step_by_step(tmp_path, monkeypatch):
    monkeypatch.setattr("data.readers.opening.LAZY_BYTES", 1000)
    path = tmp_path / "CT2022.molefrac_glb3x2_2020-01-01.nc"
    level_file(path, downward=True)
    store = VolumeStore(tmp_path / "volumes")
    store.append(read(path))
    np.testing.assert_allclose(store.open(NAME).columns(1, "co2").values, co2()[1], atol=1e-3)


def test_on_an_fsspec_address(daily):
    fs = fsspec.filesystem("memory")
    fs.rm("/volumes-test", recursive=True) if fs.exists("/volumes-test") else None
    store = VolumeStore("memory://volumes-test")
    store.append(read(daily))
    found = VolumeStore("memory://volumes-test").open(NAME).columns(1, "co2", slice(3, 5))
    np.testing.assert_allclose(found.values, co2()[1][:, 3:5], atol=1e-3)


def test_damage_is_named_and_the_manifest_can_be_made_again(daily, home):
    import_paths([daily], home=home)
    store = VolumeStore(volumes_dir(home))
    manifest = volumes_dir(home) / "manifest.json"
    before = json.loads(manifest.read_bytes())["files"]
    manifest.unlink()
    assert rebuild_indices(home)["volumes"] == 1
    assert json.loads(manifest.read_bytes())["files"] == before
    (name,) = before
    path = Path(store.folder.path(name))
    path.write_bytes(path.read_bytes()[:-100] + b"x" * 100)
    (path.parent / "stranger.txt").write_text("hello")
    told = list(VolumeStore(volumes_dir(home)).problems())
    assert len(told) == 2 and "found others" in told[0] and "stranger.txt" in told[1]


def test_a_collection_that_is_not_there(tmp_path):
    with pytest.raises(StoreProblem, match="found nothing-like-it"):
        VolumeStore(tmp_path).open("nothing-like-it")
