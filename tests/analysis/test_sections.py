"""Sections, profiles and the zone of a volume whose fields are formulas, and of the simulated world's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from analysis.demo import _VOLUME_BYTES
from analysis.errors import AnalysisError, SeriesTooShort
from analysis.statistics.sections import (
    Cancelled,
    Selection,
    column_map,
    latitude_section,
    profile,
    thinned,
    time_section,
)
from analysis.statistics.stability import stability, zone_table
from analysis.statistics.vertical import VerticalAxis
from analysis.world.atmosphere import LAT, simulated_volume, write_simulated_volume
from analysis.world.climate import Climate, month_number
from analysis.world.nature_product import nature_product
from data.readers import read
from data.volumes import Volume, VolumeStore
from tests.data.level_files import level_file

AXIS = VerticalAxis("km", np.array([1.0, 3.1, 5.7, 9.5]))
"""The middles of the levels of a level file by height lie near these."""


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Volume:
    """12 months of a field 400 + level + 10 a month + a tenth a row."""
    folder = tmp_path_factory.mktemp("known")
    path = folder / "known.molefrac_glb3x2_2020-01.nc"
    level_file(path, times=tuple(7305.0 + 30.5 * month for month in range(12)))
    store = VolumeStore(folder / "volumes")
    store.append(read(path))
    return store.open("known-molefractions-monthly")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Volume:
    folder = tmp_path_factory.mktemp("world")
    store = VolumeStore(folder / "volumes")
    store.append(read(write_simulated_volume(folder, np.datetime64("2021-01"), 12)))
    return store.open("demo-molefractions-monthly")


def test_columns_of_the_map(known):
    found = column_map(known, 3, "co2")
    np.testing.assert_allclose(found, 432.0 + 0.1 * np.arange(9)[:, None] + np.zeros((9, 12)), atol=2e-3)


def test_zonal_mean_and_meridian_of_a_field_without_longitude_agree(known):
    zonal = latitude_section(known, 2, "co2", AXIS)
    meridian = latitude_section(known, 2, "co2", AXIS, lon=14.0)
    np.testing.assert_allclose(zonal.values, meridian.values, atol=1e-6)
    np.testing.assert_allclose(np.diff(zonal.values, axis=1), 0.1, atol=2e-3)
    assert zonal.lat.tolist() == known.grid.lat.tolist()


def test_profile_of_a_place_and_of_a_region(known):
    place = profile(known, 0, "co2", AXIS, Selection.cell(known.grid, 14.0, 61.0))
    assert place.count == 1 and (place.spread == 0).all()
    np.testing.assert_allclose(place.level_values, 400.7 + np.arange(5), atol=1e-3)
    assert place.column_ppm == pytest.approx(402.7, abs=1e-3)
    box = shapely.box(-179.0, 41.0, 179.0, 89.0)  # the rows at 60 and 80 north: 0.7 and 0.8
    region = profile(known, 0, "co2", AXIS, Selection.region(known.grid, box))
    areas = np.diff(np.sin(np.radians([50.0, 70.0, 90.0])))
    assert region.column_ppm == pytest.approx(402.0 + float(np.average([0.7, 0.8], weights=areas)), abs=2e-3)
    share = areas[0] / areas.sum()
    np.testing.assert_allclose(region.spread, 0.1 * np.sqrt(share * (1 - share)), atol=2e-3)
    assert region.count == 24


def test_a_region_across_the_dateline_and_places_outside(known):
    box = shapely.box(150.0, -30.0, 210.0, 30.0)
    assert Selection.region(known.grid, box).count == 6
    with pytest.raises(AnalysisError, match="outside"):
        Selection.cell(known.grid, 0.0, 95.0)


def test_height_and_time(known):
    section = time_section(known, "co2", AXIS, Selection.cell(known.grid, 14.0, -80.0))
    assert section.values.shape == (4, 12)
    np.testing.assert_allclose(np.diff(section.values, axis=1), 10.0, atol=2e-3)
    np.testing.assert_allclose(section.column_ppm, 402.0 + 10.0 * np.arange(12), atol=2e-3)


def test_variation_is_that_of_the_growth_and_none_without_it(known):
    found = stability(known, "co2", AXIS)
    months = 10.0 * np.arange(12)
    np.testing.assert_allclose(found.variation(detrended=False), months.std(ddof=1), rtol=1e-4)
    assert found.variation(detrended=True).max() < 5e-3
    middle = 0.001 * (np.array([0.0, 2000, 4200, 7200, 11800])[:-1])
    assert found.gradient.shape == (4, 9) and (found.gradient > 0.2).all() and middle.size == 4
    assert (found.steps, found.steps_all) == (12, 12)
    assert found.start == known.times[0] and found.end == known.times[-1]


def test_bands_weigh_by_area_and_the_table_runs_from_north_to_south(known):
    found = stability(known, "co2", AXIS)
    rows = zone_table(found, gradient_limit=10.0, variation_limit=0.1, detrended=True, band_degrees=60.0)
    assert [(row.south, row.north) for row in rows] == [(30.0, 90.0), (-30.0, 30.0), (-90.0, -30.0)]
    assert all(row.zone is not None and row.zone.bottom == 1.0 and row.zone.top == 9.5 for row in rows)
    areas = known.grid.row_areas()[6:]
    np.testing.assert_allclose(
        found.band(30.0, 90.0, detrended=True).mean, (found.mean[:, 6:] * areas).sum(axis=1) / areas.sum()
    )
    none = zone_table(found, gradient_limit=10.0, variation_limit=0.1, detrended=False)
    assert all(row.zone is None and np.isnan(row.mean) for row in none)
    assert found.band(91.0, 95.0, detrended=True) is None


def test_within_months_needs_several_steps_a_month(known, tmp_path):
    with pytest.raises(SeriesTooShort, match="calendar month"):
        stability(known, "co2", AXIS, within_months=True)
    with pytest.raises(SeriesTooShort, match="period"):
        stability(known, "co2", AXIS, steps=[0, 1])
    path = tmp_path / "days.molefrac_glb3x2.nc"
    level_file(path, times=tuple(float(7305 + day) for day in [*range(5), *range(31, 36)]))  # 1-5 January and February
    store = VolumeStore(tmp_path / "volumes")
    store.append(read(path))
    days = stability(store.open("days-molefractions"), "co2", AXIS, within_months=True)
    np.testing.assert_allclose(days.variation(detrended=False), np.std(10.0 * np.arange(5), ddof=1), rtol=1e-4)
    assert days.variation(detrended=True).max() < 5e-3


def test_long_series_are_thinned_evenly_and_work_can_be_cancelled(known):
    assert thinned(range(7)).tolist() == list(range(7))
    some = thinned(range(5000))
    assert some.size == 400 and some[0] == 0 and some[-1] == 4999 and np.ptp(np.diff(some)) <= 1
    with pytest.raises(Cancelled):
        stability(known, "co2", AXIS, cancelled=lambda: True)
    with pytest.raises(Cancelled):
        time_section(known, "co2", AXIS, Selection.cell(known.grid, 0.0, 0.0), cancelled=lambda: True)
    with pytest.raises(SeriesTooShort):
        time_section(known, "co2_bio", AXIS, Selection.cell(known.grid, 0.0, 0.0))
    told: list[tuple[int, int]] = []
    stability(known, "co2", AXIS, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (12, 12)


# ------------------------------------------------------------------------------------------------- the simulated world
def test_the_simulated_volume_is_labelled_and_its_column_is_the_worlds(world):
    assert world.simulated and world.title.startswith("Simulated") and "CarbonTracker" not in str(world.attrs)
    assert world.components == ("co2", "co2_bg", "co2_bio", "co2_ocean", "co2_fossil", "co2_fire")
    found = column_map(world, 6, "co2")
    truth = Climate(0).background(month_number(np.datetime64("2021-07")))
    np.testing.assert_allclose(found.mean(axis=1), truth.mean(axis=1), atol=0.15)  # humidity shifts it a little


def test_components_add_up(world):
    parts = sum(world.columns(4, name).values for name in world.components if name != "co2")
    np.testing.assert_allclose(parts, world.columns(4, "co2").values, atol=0.004)
    np.testing.assert_allclose(world.columns(0, "co2_bg").values, nature_product().background_ppm, atol=1e-3)


def test_the_simulated_structure_is_that_of_the_atmosphere(world):
    axis = VerticalAxis("km", np.array([0.6, 4.0, 8.0, 14.0, 22.0]))
    found = stability(world, "co2", axis)
    north = found.band(45.0, 65.0, detrended=True)
    assert (np.diff(north.variation) < 0).all()  # the season weakens with height
    surface = latitude_section(world, 0, "co2", axis).values[0]
    assert np.nanmean(surface[LAT > 40]) - np.nanmean(surface[LAT < -30]) > 3.0  # January: more in the north
    january = latitude_section(world, 0, "co2", axis)
    tropics = np.abs(LAT) < 20
    old = np.nanmean(january.values[1, tropics]) - np.nanmean(january.values[4, tropics])
    assert 2.0 < old < 13.0  # one (as above the tropics; Waugh and Hall 2002) to five years behind


def test_it_depends_on_its_seed_alone_and_knows_its_years():
    one, two, other = (simulated_volume(np.datetime64("2020-06"), 1, seed=seed) for seed in (3, 3, 4))
    assert one.equals(two) and not np.allclose(one["bio"], other["bio"])
    with pytest.raises(ValueError, match="2000-01"):
        simulated_volume(np.datetime64("1999-01"), 1)


def test_it_is_small_on_disk(world):
    sizes = [kept["size"] for kept in world._folder.manifest()["files"].values()]
    assert sum(sizes) < 12 * _VOLUME_BYTES and isinstance(Path(world._folder.root), Path)
