"""Every real file of these folders is read, and every damaged copy of one fails with a sentence and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.canonical import COUNT_DIMENSION, Product
from data.catalog import load
from data.errors import FileProblem
from data.readers import read

FOLDERS = ("carbontracker", "surface", "emissions", "meteorology", "column_co2_fields", "covariates", "boundaries")
ATTRIBUTES = {"title", "instrument", "version", "scale", "catalog", "source_file", "simulated"}


def files(real: Path) -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((real / folder).rglob("*")) if path.is_file()]
    return [path for path in found if not path.name.lower().startswith("readme")]


@pytest.fixture(scope="module")
def products(real) -> dict[Path, Product]:
    return {path: read(path) for path in files(real)}


def test_every_real_file_becomes_a_canonical_object(products):
    known = {entry.name for entry in load().entries.values()} | {"none"}
    for path, product in products.items():
        data = product.dataset
        assert product.count > 0, path
        assert set(data.attrs) >= ATTRIBUTES, path
        assert data.attrs["catalog"] in known, path
        assert data.attrs["simulated"] == 0 and data.attrs["source_file"] == path.name
        assert product.collection == product.collection.lower() and " " not in product.collection
        assert COUNT_DIMENSION[product.kind] in data.dims
        if product.kind == "grid":
            assert data["time"].dtype == "datetime64[ns]" and (np.diff(data["time"]) > np.timedelta64(0)).all()
            assert (np.diff(data["lat"]) > 0).all() and (np.diff(data["lon"]) > 0).all()
            assert float(data["lon"][0]) >= -180 and float(data["lon"][-1]) < 180
            for name, field in data.data_vars.items():
                assert field.dims in (("time", "lat", "lon"), ("time", "lev", "lat", "lon")), (path, name)
                assert "units" in field.attrs, (path, name)
                assert np.isfinite(field.isel(time=0).to_numpy()).any(), (path, name)


def test_collections_separate_what_does_not_belong_together(products):
    collections: dict[str, set[str]] = {}
    for product in products.values():
        collections.setdefault(product.collection, set()).add(product.reader)
    assert all(len(readers) == 1 for readers in collections.values())


def test_damaged_copies_fail_with_one_sentence(real, tmp_path):
    rng = np.random.default_rng(5)
    samples: dict[str, Path] = {}
    for path in files(real):
        samples.setdefault(f"{path.parent.name}/{path.suffix}", path)
    failures = 0
    for number, path in enumerate(samples.values()):
        whole = path.read_bytes()
        garbled = bytearray(whole)
        garbled[len(whole) // 3 : len(whole) // 3 + 400] = rng.bytes(400)
        for kind, content in (
            ("cut", whole[: len(whole) * 2 // 5]),
            ("garbled", bytes(garbled)),
            ("zeroed", bytes(len(whole))),
        ):
            copy = tmp_path / f"{number}-{kind}" / path.name
            copy.parent.mkdir()
            copy.write_bytes(content)
            try:
                product = read(copy)
            except FileProblem as problem:
                failures += 1
                assert "\n" not in str(problem) and str(copy) in str(problem)
            else:  # a table may lose lines and stay a table; a container may not
                assert kind != "zeroed", path
                assert product.count > 0
                assert kind == "garbled" or whole[:3] not in (b"CDF", b"\x89HD", b"\x1f\x8b\x08"), path
    assert failures > len(samples)


def test_unreadable_files(real, tmp_path):
    path = tmp_path / "air_2022_day5.nc"
    path.symlink_to(tmp_path / "gone.nc")
    with pytest.raises(FileProblem, match="no such file"):
        read(path)
