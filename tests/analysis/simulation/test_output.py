"""Files of a run: read by the readers of CarbonTracker's files, nothing lost between grids, the same bytes when written again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from analysis.grids import Box, refined, uniform
from analysis.simulation.fields import Period, periods
from analysis.simulation.layout import (
    Target,
    column_quantities,
    column_values,
    level_quantities,
    level_values,
)
from analysis.simulation.output import Series
from data.readers import read
from tests.analysis.simulation.small_runs import GRID, LEVELS, START

TRACERS = ("background", "biosphere", "ocean", "fossil", "fire")
FACTS = {"title": "Simulated CO2", "simulated": 1, "collection": "transport-test", "model": "Carbon Weather transport"}
REFINED = refined(Box(150, -170, -20, 20), 10.0, (30.0, 20.0), name="refined")


def period(grid: Any, number: int, edges: np.ndarray) -> Period:
    """Something different everywhere, with mountains."""
    rng = np.random.default_rng(number)
    shape = (LEVELS.count, *grid.shape, len(TRACERS))
    values = {
        "mole_fraction": rng.normal(0, 3, shape),
        "column": rng.normal(0, 1, shape[1:]),
        "lowest": rng.normal(0, 5, shape[1:]),
        "surface_pressure": rng.uniform(55_000, 101_000, grid.shape),
    }
    return Period(number, edges[number], edges[number + 1], values)


def series(folder: Path, what: str = "levels", grid: Any = GRID, target: Any = None, **more: Any) -> Series:
    every = more.pop("every", "daily")
    quantities, values = (
        (level_quantities(TRACERS), level_values) if what == "levels" else (column_quantities(TRACERS), column_values)
    )
    stem = "test.molefrac_components_glb30x20" if what == "levels" else "test.xco2_glb30x20"
    return Series(
        folder=folder / what,
        stem=stem,
        edges=periods(START, START + np.timedelta64(4, "D"), every),
        every=every,
        target=Target(grid, target or grid),
        levels=LEVELS,
        tracers=TRACERS,
        quantities=quantities,
        values=values,
        attrs=FACTS,
        **more,
    )


def written(one: Series, grid: Any = GRID) -> list[Period]:
    found = [period(grid, number, one.edges) for number in range(len(one.edges) - 1)]
    for each in found:
        one.put(each)
    return found


@pytest.mark.parametrize("form", ["netcdf", "zarr"])
def test_levels_are_read_as_mole_fractions(tmp_path, form):
    one = series(tmp_path, format=form)
    given = written(one)
    names = [path.name for path in one.files()]
    if form == "netcdf":  # two months of a run over the end of January
        stem = "test.molefrac_components_glb30x20"
        assert names == [f"{stem}_2022-01_daily.nc", f"{stem}_2022-02_daily.nc"]
    products = [read(path) for path in one.files()]
    assert {product.kind for product in products} == {"volume"}
    volume = xr.concat([product.dataset for product in products], "time") if len(products) > 1 else products[0].dataset
    assert [str(time)[:16] for time in volume["time"].to_numpy()] == [
        f"2022-{day}T12:00" for day in ("01-30", "01-31", "02-01", "02-02")
    ]
    ratio = np.stack([each.values["mole_fraction"] for each in given])
    assert np.abs(volume["co2_fossil"].to_numpy() - ratio[..., 3]).max() < 1e-4
    assert np.abs(volume["co2"].to_numpy() - 400 - ratio.sum(axis=-1)).max() < 2e-4
    assert np.abs(volume["co2_bg"].to_numpy() - 400 - ratio[..., 0]).max() < 1e-4
    surface = np.stack([each.values["surface_pressure"] for each in given])
    assert volume["pressure_edge"].to_numpy()[:, 0] == pytest.approx(surface / 100, rel=1e-6)
    assert (np.diff(volume["height_edge"].to_numpy(), axis=1) > 0).all()
    assert volume.attrs["simulated"] == 1 and volume.attrs["title"] == FACTS["title"]
    assert volume.attrs["instrument"] == FACTS["model"]


def test_columns_are_read_as_xco2(tmp_path):
    one = series(tmp_path, "columns")
    given = written(one)
    product = read(one.files()[0])
    assert product.kind == "grid"
    assert {"xco2", "xco2_bg", "xco2_ff_increment", "xco2_bio_increment", "co2_lowest_layer"} <= set(product.dataset)
    assert product.dataset["xco2"].attrs["units"] == "ppm"
    expected = 400 + given[0].values["column"].sum(axis=-1)
    assert np.abs(product.dataset["xco2"].to_numpy()[0] - expected).max() < 1e-4
    lowest = 400 + given[0].values["lowest"].sum(axis=-1)
    assert np.abs(product.dataset["co2_lowest_layer"].to_numpy()[0] - lowest).max() < 2e-4
    again = list(one.read())
    assert [time for time, _ in again] == [each.middle for each in given]
    assert np.abs(again[3][1]["xco2_ocean_increment"] - given[3].values["column"][..., 2]).max() < 1e-4


@pytest.mark.parametrize("name", ["3x2", "6x4"])
def test_nothing_is_lost_from_a_refined_grid_to_a_regular_one(tmp_path, name):
    target = Target(REFINED, uniform(name))
    given = period(REFINED, 1, periods(START, START + np.timedelta64(4, "D"), "daily"))
    own = Target(REFINED, REFINED)
    assert not own.regular and target.regular
    for what, names in ((level_values, ("ff", "bg")), (column_values, ("xco2_ff_increment", "xco2_bg"))):
        fine, coarse = (what(given, LEVELS, each, TRACERS) for each in (own, target))
        for key in names:
            total = []
            for values, each in ((fine[key], own), (coarse[key], target)):
                area = each.plane(each.grid.area) if each is own else each.grid.area
                mass = LEVELS.layer_mass(each.plane(given.values["surface_pressure"])) * area
                mass = mass if values.ndim == 3 else mass.sum(axis=0)
                total.append((values.astype(float) * mass).sum() / mass.sum())
            assert total[0] == pytest.approx(total[1], abs=2e-5)
    even = Period(
        0, given.start, given.end, given.values | {"mole_fraction": np.full_like(given.values["mole_fraction"], 2.5)}
    )
    assert np.allclose(level_values(even, LEVELS, target, TRACERS)["ff"], 2.5, rtol=0, atol=1e-6)


def test_a_refined_grid_is_written_from_180_west_with_its_edges(tmp_path):
    one = series(tmp_path, grid=REFINED)
    written(one, REFINED)
    with xr.open_dataset(one.files()[0]) as dataset:
        assert (np.diff(dataset["longitude"]) > 0).all()
        assert float(dataset["longitude"][0]) >= -180 and float(dataset["longitude"][-1]) < 180
        assert len(dataset.attrs["longitude_edges"]) == REFINED.shape[1] + 1
        there = dataset["ff"].sel(longitude=175.0, latitude=5.0, method="nearest").to_numpy()
    row, column = (int(each[0]) for each in REFINED.locate(np.array([5.0]), np.array([175.0])))
    expected = period(REFINED, 0, one.edges).values["mole_fraction"][:, row, column, 3]
    assert there[0] == pytest.approx(expected, abs=1e-4)


def test_writing_again_gives_the_same_bytes_and_kept_periods_go(tmp_path):
    first, second = series(tmp_path / "a", every="3-hourly"), series(tmp_path / "b", every="3-hourly")
    written(first)
    for number in (*range(11), *range(9, 20), *range(19, 32)):  # killed twice, gone on from 9 and 19
        second.put(period(GRID, number, second.edges))
        if number == 9:
            second.tidy(9)
    content = [[path.read_bytes() for path in each.files()] for each in (first, second)]
    assert len(content[0]) == 4 and content[0] == content[1]
    second.tidy(20)
    assert sorted(int(path.stem) for path in second.spool.glob("*.npz")) == list(range(16, 32))
    second.tidy(32)
    assert not second.spool.exists()
