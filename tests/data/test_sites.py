"""Series of ground sites and the store of tables: idempotent, in any order, never mixing releases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data.canonical import Product
from data.errors import StoreProblem
from data.sites import SiteStore
from data.tables import TableStore
from tests.data.sounding_examples import START, sites_product

HOUR = np.timedelta64(1, "h")


def test_a_series_comes_out_as_it_went_in(tmp_path):
    store = SiteStore(tmp_path / "sites")
    result = store.append(sites_product(sites=("tk", "pa"), count=5))
    assert (result.added, result.already_there, result.unusable) == (10, 0, 0)
    series = store.series("TCCON", "pa")
    assert list(series.columns) == ["time", "value", "uncertainty"]
    assert series["value"].tolist() == [405.0, 406.0, 407.0, 408.0, 409.0]
    assert (series["time"].to_numpy() == START + np.arange(5) * HOUR).all()
    assert series["time"].dtype == "datetime64[ns]" and (series["uncertainty"] == 0.5).all()
    sites = store.sites()
    assert sites["site"].tolist() == ["pa", "tk"] and sites["count"].tolist() == [5, 5]
    first = sites.iloc[0]
    assert (first["network"], first["lat"], first["lon"], first["altitude_m"]) == ("TCCON", 37.0, 141.0, 30.0)
    assert (first["variable"], first["units"], first["collection"]) == ("xco2", "ppm", "tccon-ggg2020")
    assert first["start"] == pd.Timestamp(START) and first["end"] == pd.Timestamp(START + 4 * HOUR)


def test_an_empty_store_answers_and_creates_nothing(tmp_path):
    store = SiteStore(tmp_path / "none")
    sites = store.sites()
    assert sites.empty and {"network", "site", "lat", "lon", "count", "variable"} <= set(sites.columns)
    with pytest.raises(StoreProblem, match="choose one that `sites` lists"):
        store.series("TCCON", "tk")
    assert TableStore(tmp_path / "tables").list().empty
    assert list(tmp_path.iterdir()) == []


def test_releases_are_never_mixed(tmp_path):
    store = SiteStore(tmp_path / "sites")
    store.append(sites_product("old.csv", collection="tccon-ggg2014", count=8, value=390.0))
    store.append(sites_product("new.nc", collection="tccon-ggg2020", count=3, value=395.0, start=START + 24 * HOUR))
    assert store.series("TCCON", "tk")["value"].tolist() == [395.0, 396.0, 397.0]
    assert len(store.series("TCCON", "tk", collection="tccon-ggg2014")) == 8
    assert store.sites()["collection"].tolist() == ["tccon-ggg2014", "tccon-ggg2020"]


@settings(max_examples=15)
@given(
    starts=st.lists(st.integers(0, 20), min_size=1, max_size=4, unique=True),
    data=st.data(),
)
def test_order_and_repetition_do_not_matter(tmp_path_factory, starts, data):
    parts = [
        sites_product(f"{chr(97 + number)}.nc", start=START + first * HOUR, count=6, value=300.0 + 50 * number)
        for number, first in enumerate(starts)
    ]
    store = SiteStore(tmp_path_factory.mktemp("order") / "sites")
    for number in data.draw(st.permutations([*range(len(parts)), 0])):
        store.append(parts[number])
    expected: dict[np.datetime64, float] = {}
    for part in parts:
        expected |= dict(zip(part.dataset["time"].values, part.dataset["xco2"].values, strict=True))
    series = store.series("TCCON", "tk")
    assert dict(zip(series["time"].to_numpy(), series["value"], strict=True)) == expected
    assert series["time"].is_monotonic_increasing


def test_the_same_file_again_changes_nothing_and_a_changed_one_replaces(tmp_path):
    path = tmp_path / "tk.nc"
    path.write_bytes(b"one")
    made = sites_product()
    made = Product(made.kind, made.dataset, made.reader, made.collection, path)
    store = SiteStore(tmp_path / "sites")
    store.append(made)
    version = store.version
    assert store.append(made).already_there == 5 and store.version == version
    path.write_bytes(b"two")
    shorter = Product(made.kind, made.dataset.isel(observation=slice(0, 2)), made.reader, made.collection, path)
    assert store.append(shorter).added == 2
    assert len(store.series("TCCON", "tk")) == 2 and store.version == version + 1
    assert len([file for file in (tmp_path / "sites").rglob("*.parquet")]) == 1


def test_values_without_time_or_number_are_left_out(tmp_path):
    made = sites_product()
    values = made.dataset["xco2"].values.copy()
    values[1] = np.nan
    dataset = made.dataset.assign(xco2=("observation", values))
    result = SiteStore(tmp_path / "sites").append(Product("sites", dataset, "x", made.collection, made.path))
    assert (result.added, result.unusable) == (4, 1)
    nothing = dataset.assign(xco2=("observation", values * np.nan))
    with pytest.raises(StoreProblem, match="found no such value"):
        SiteStore(tmp_path / "other").append(Product("sites", nothing, "x", made.collection, made.path))


def test_what_is_not_sites_is_refused(tmp_path):
    made = sites_product()
    with pytest.raises(StoreProblem, match="without site"):
        SiteStore(tmp_path).append(Product("sites", made.dataset.drop_vars("site"), "x", "y", made.path))
    with pytest.raises(StoreProblem, match="measured quantity"):
        bare = made.dataset.drop_vars(["xco2", "xco2_uncertainty"])
        SiteStore(tmp_path).append(Product("sites", bare, "x", "y", made.path))


def test_a_lost_index_is_made_again_and_damage_is_found(tmp_path):
    store = SiteStore(tmp_path / "sites")
    store.append(sites_product("a.nc", sites=("tk", "pa")))
    store.append(sites_product("b.nc", sites=("br",), network="WDCGG"))
    before = store.sites()
    (tmp_path / "sites" / "manifest.json").unlink()
    assert store.sites().empty
    assert any("only files that the manifest names" in problem for problem in store.problems())
    assert store.rebuild() == 2
    pd.testing.assert_frame_equal(store.sites(), before)
    assert list(store.problems()) == []
    path = next((tmp_path / "sites").rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[20] ^= 255
    path.write_bytes(content)
    (problem,) = store.problems()
    assert "the bytes that were written" in problem
    path.unlink()
    (problem,) = store.problems()
    assert "found no file" in problem


# ------------------------------------------------------------------ tables


def table_product(name: str, rows: dict, *, kind="table", collection="plants", dims=("row",), **coords) -> Product:
    dataset = xr.Dataset(
        {key: (dims, np.asarray(value)) for key, value in rows.items()},
        coords=coords,
        attrs={"title": name, "simulated": 0},
    )
    return Product(kind, dataset, "example", collection, Path("/nowhere/tables", name))


def test_tables_come_out_with_texts_numbers_times_and_attributes(tmp_path):
    store = TableStore(tmp_path / "tables")
    made = table_product(
        "plants.csv",
        {"name": ["Tuoketuo", "Taichung é"], "mw": [6720.0, np.nan], "units": [12, 10], "on": [True, False],
         "time": np.array(["2015-01-01", "NaT"], dtype="datetime64[ns]")},
    )  # fmt: skip
    made.dataset["mw"].attrs.update(units="MW", flags=np.array([1, 2]))
    assert store.append(made).added == 2
    found = store.open("plants")
    assert found["name"].values.tolist() == ["Tuoketuo", "Taichung é"]
    assert found["mw"].values[0] == 6720 and np.isnan(found["mw"].values[1]) and found["mw"].attrs["units"] == "MW"
    assert found["on"].values.tolist() == [1, 0] and found["units"].values.tolist() == [12, 10]
    assert found["time"].values[0] == np.datetime64("2015-01-01") and np.isnat(found["time"].values[1])
    (row,) = store.list().to_dict("records")
    assert (row["collection"], row["source_file"], row["kind"], row["count"]) == ("plants", "plants.csv", "table", 2)
    assert found.attrs["title"] == "plants.csv"


def test_a_collection_of_tables_is_one_table_and_of_fields_one_dataset(tmp_path):
    store = TableStore(tmp_path / "tables")
    store.append(table_product("b.csv", {"x": [3.0], "y": [1.0]}))
    store.append(table_product("a.csv", {"x": [1.0, 2.0]}))
    both = store.open("plants")
    assert both["x"].values.tolist() == [1.0, 2.0, 3.0]
    assert store.open("plants", "b.csv")["x"].values.tolist() == [3.0]
    times = np.array(["2022-01-01", "2022-01-02"], dtype="datetime64[ns]")
    for name in ("u", "v"):
        store.append(
            table_product(
                f"{name}.nc",
                {name: np.ones((2, 3))},
                kind="grid",
                collection="wind",
                dims=("time", "lev"),
                time=times,
                lev=[1000.0, 850.0, 500.0],
            )
        )
    wind = store.open("wind")
    assert set(wind.data_vars) == {"u", "v"} and wind["u"].shape == (2, 3)
    with pytest.raises(StoreProblem, match=r"one of its collections \(plants, wind\)"):
        store.open("rain")


def test_files_that_do_not_fit_together_are_named(tmp_path):
    store = TableStore(tmp_path / "tables")
    for name, value in (("a.nc", 1.0), ("b.nc", 2.0)):
        store.append(
            table_product(name, {"flux": np.full(3, value)}, kind="section", dims=("lat",), lat=[0.0, 1.0, 2.0])
        )
    with pytest.raises(StoreProblem, match=r"open one of a\.nc, b\.nc"):
        store.open("plants")


def test_tables_are_verified_and_indexed(tmp_path):
    store = TableStore(tmp_path / "tables")
    store.append(table_product("a.csv", {"x": np.arange(5000.0)}))
    (tmp_path / "tables" / "manifest.json").write_text("[]")
    with pytest.raises(StoreProblem, match="data index"):
        store.list()
    assert store.rebuild() == 1 and list(store.problems()) == []
    assert store.open("plants")["x"].size == 5000
    path = next((tmp_path / "tables").rglob("*.nc"))
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 255
    path.write_bytes(content)
    (problem,) = store.problems()
    assert "the bytes that were written" in problem
    path.write_bytes(content[:-7])
    (problem,) = store.problems()
    assert f"expected {len(content)} bytes" in problem


def test_large_lazy_fields_are_written_block_by_block(tmp_path):
    import dask.array as da

    asked = []

    def block(block_info=None):
        asked.append(block_info[None]["array-location"])
        return np.ones((1, 200, 200))

    lazy = da.map_blocks(block, dtype=float, chunks=((1,) * 6, (200,), (200,)))
    dataset = xr.Dataset({"co2": (("time", "lat", "lon"), lazy)}, attrs={"title": "lazy"})
    store = TableStore(tmp_path / "tables")
    store.append(Product("grid", dataset, "x", "lazy", Path("/nowhere/lazy.nc")))
    assert len(asked) == 6
    assert float(store.open("lazy")["co2"].sum()) == 6 * 200 * 200
