"""Soundings in cells of one degree: every one counted once, in its own cell, and counted again only where files changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data import density as module
from data.density import density
from data.errors import StoreProblem
from data.soundings import SoundingArchive
from tests.data.sounding_examples import product, random_product


def counted(lon, lat) -> np.ndarray:
    """The same by NumPy alone."""
    return np.histogram2d(lat, lon, bins=(np.arange(-90, 91), np.arange(-180, 181)))[0].astype(np.int64)


def test_the_grid_is_numpys_histogram(tmp_path):
    archive = SoundingArchive(tmp_path / "soundings")
    parts = [random_product(seed, 4000, days=50.0) for seed in (1, 2)]
    for part in parts:
        archive.append(part)
    lon = np.concatenate([part.dataset["lon"] for part in parts])
    lat = np.concatenate([part.dataset["lat"] for part in parts])
    found = density(archive)
    assert (found.grid() == counted(lon, lat)).all() and found.version == archive.version
    assert (
        found.grid("OCO-2", 2019).sum() == 8000 and found.grid("GOSAT").sum() == 0 and found.grid(year=2018).sum() == 0
    )


def test_poles_and_dateline_have_their_cells(tmp_path):
    made = product(range(4), seconds_apart=1)
    places = {"lon": [-180.0, 179.99, 180.0, 0.0], "lat": [90.0, -90.0, 0.0, 89.5]}
    dataset = made.dataset.assign({name: ("sounding", np.array(at)) for name, at in places.items()})
    archive = SoundingArchive(tmp_path / "soundings")
    archive.append(replace(made, dataset=dataset))
    grid = density(archive).grid()
    assert grid.sum() == 4 and grid[179, 0] == 1 and grid[0, 359] == 1 and grid[90, 0] == 1 and grid[179, 180] == 1


def test_only_months_that_changed_are_counted_again(tmp_path, monkeypatch):
    archive, kept = SoundingArchive(tmp_path / "soundings"), tmp_path / "cache" / "density.npz"
    archive.append(random_product(1, 500, start=np.datetime64("2019-01-05", "ns")))
    archive.append(random_product(2, 500, start=np.datetime64("2019-02-05", "ns")))
    first = density(archive, kept).grid()
    asked: list[list[str]] = []
    count = module._cells
    monkeypatch.setattr(module, "_cells", lambda database, paths: asked.append(paths) or count(database, paths))
    assert (density(archive, kept).grid() == first).all() and asked == []
    archive.append(random_product(3, 500, start=np.datetime64("2019-02-08", "ns")))
    again = density(archive, kept)
    assert len(asked) == 1 and all("month=02" in path for path in asked[0])
    assert again.grid().sum() == 1500 and (again.grid() == density(archive).grid()).all()


def test_removed_soundings_are_no_longer_counted(tmp_path):
    archive, kept = SoundingArchive(tmp_path / "soundings"), tmp_path / "density.npz"
    archive.append(random_product(1, 300))
    archive.append(random_product(2, 200, instrument="GOSAT", collection="gosat-l2"))
    assert density(archive, kept).grid().sum() == 500
    archive.remove("GOSAT")
    assert density(archive, kept).grid().sum() == 300


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04" + b"\0" * 60])
def test_a_damaged_file_of_counts_is_made_again(tmp_path, content):
    archive, kept = SoundingArchive(tmp_path / "soundings"), tmp_path / "density.npz"
    archive.append(random_product(1, 300))
    kept.write_bytes(content)
    assert density(archive, kept).grid().sum() == 300
    assert density(archive, kept).grid().sum() == 300 and kept.stat().st_size > 500


def test_a_place_that_cannot_be_written_does_no_harm(tmp_path):
    archive = SoundingArchive(tmp_path / "soundings")
    archive.append(random_product(1, 300))
    (tmp_path / "file").write_bytes(b"")
    assert density(archive, tmp_path / "file" / "density.npz").grid().sum() == 300


def test_an_empty_and_a_damaged_archive(tmp_path):
    archive = SoundingArchive(tmp_path / "soundings")
    assert density(archive, tmp_path / "d.npz").grid().sum() == 0
    archive.append(random_product(1, 300))
    next((tmp_path / "soundings").rglob("*.parquet")).write_bytes(b"nothing")
    with pytest.raises(StoreProblem, match="check it with `carbonweather data verify`"):
        density(archive)
