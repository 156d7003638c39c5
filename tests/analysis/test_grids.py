"""Grids cover the Earth once, refuse what does not, and regrid without loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import AnalysisError
from analysis.grids import (
    ASIA,
    EARTH_RADIUS_M,
    GRAVITY,
    Box,
    Grid,
    GridError,
    Levels,
    Regridder,
    ecmwf_levels,
    refined,
    uniform,
)

EARTH = 4 * np.pi * EARTH_RADIUS_M**2


@pytest.mark.parametrize(("name", "shape"), [("6x4", (45, 60)), ("3x2", (90, 120)), ("1x1", (180, 360))])
def test_uniform_grids_are_carbontracker_s(name: str, shape: tuple[int, int]) -> None:
    grid = uniform(name)
    assert grid.shape == shape
    assert grid.lon_edges[0] == -180 and grid.lon_edges[-1] == 180
    assert grid.area.sum() == pytest.approx(EARTH, rel=1e-14)


def test_2x2_5_is_geos_chem_s_with_half_cells_at_the_poles() -> None:
    grid = uniform("2x2.5")
    assert grid.shape == (91, 144)
    np.testing.assert_allclose(grid.lat[[0, 1, 2, -1]], [-89.5, -88, -86, 89.5])
    np.testing.assert_allclose(grid.lon[[0, 1, -1]], [-180, -177.5, 177.5])


def test_area_of_one_cell_by_hand() -> None:
    grid = uniform("3x2")
    expected = EARTH_RADIUS_M**2 * np.radians(3) * (np.sin(np.radians(2)) - 0)
    assert grid.area[45, 7] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    "box", [ASIA, Box(100, 260, -35, 35), Box(170, -160, -12, 30), Box(-180, 180, -90, 90), Box(60, 150, 20, 90)]
)
def test_refined_grids_are_fine_in_the_box_and_smooth_outside(box: Box) -> None:
    grid = refined(box)
    inside_lon = (grid.lon - box.west) % 360 < box.width
    inside_lat = (grid.lat > box.south) & (grid.lat < box.north)
    np.testing.assert_allclose(grid.lon_widths[inside_lon], 1.0, atol=1e-9)
    np.testing.assert_allclose(grid.lat_widths[inside_lat], 1.0, atol=1e-9)
    assert inside_lon.sum() == round(box.width) and inside_lat.sum() == round(box.north - box.south)
    around = np.concatenate([grid.lon_widths, grid.lon_widths[:1]])
    for widths in (around, grid.lat_widths):
        ratio = widths[1:] / widths[:-1]
        assert max(ratio.max(), (1 / ratio).max()) <= 1.15
    assert grid.lon_widths.max() <= 3 + 1e-9 and grid.lat_widths.max() <= 2 + 1e-9
    assert grid.area.sum() == pytest.approx(EARTH, rel=1e-13)


def test_the_asian_grid_has_the_columns_of_the_reference() -> None:
    assert refined().shape == (127, 186)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Grid(np.linspace(-180, 180, 13), np.linspace(90, -90, 10)), "rise"),
        (lambda: Grid(np.linspace(-180, 170, 13), np.linspace(-90, 90, 10)), "360"),
        (lambda: Grid(np.linspace(-180, 180, 13), np.linspace(-80, 90, 10)), "-90"),
        (lambda: Grid(np.linspace(-180, 180, 13), np.append(np.linspace(-90, 80, 9), np.nan)), "NaN"),
        (lambda: Grid(np.linspace(-180, 180, 3), np.linspace(-90, 90, 10)), "at least"),
        (lambda: uniform("7x2"), "no uniform grid"),
        (lambda: uniform("0x0"), "no uniform grid"),
        (lambda: uniform("fine"), "no uniform grid"),
        (lambda: Box(10, 10, 0, 5), "width"),
        (lambda: Box(10, 20, 5, -5), "latitudes"),
        (lambda: Box(10, float("nan"), 0, 5), "finite"),
        (lambda: refined(Box(60.5, 150, -12, 55)), "whole number"),
        (lambda: refined(Box(60, 150, -12, 55), fine=4), "fine"),
        (lambda: refined(Box(-179.5, 179.5, -12, 55), fine=1), "opposite meridian"),
        (lambda: ecmwf_levels(26), "25, 34 or 60"),
        (lambda: Levels(*(x[::-1] for x in (ecmwf_levels(25).a_pa, ecmwf_levels(25).b))), "turn"),
        (lambda: Levels(np.zeros(6), np.array([1, 0.9, 0.95, 0.5, 0.2, 0])), "thickness"),
        (lambda: Regridder(uniform("6x4"), uniform("3x2")).mean(np.zeros((90, 120))), "cells"),
    ],
)
def test_what_is_no_grid_is_refused_in_a_sentence(make, word: str) -> None:
    with pytest.raises(GridError, match=word) as refused:
        make()
    assert isinstance(refused.value, AnalysisError) and str(refused.value).endswith(".")


def test_grids_cannot_be_changed() -> None:
    grid = uniform("6x4")
    with pytest.raises(ValueError):
        grid.area[0, 0] = 1
    with pytest.raises(ValueError):
        grid.lon_edges[0] = 1


@pytest.mark.parametrize("count", [25, 34, 60])
def test_levels_hold_the_whole_column(count: int) -> None:
    levels = ecmwf_levels(count)
    surface = np.array([[101_325.0, 50_000.0]])
    mass = levels.layer_mass(surface)
    assert mass.shape == (count, 1, 2) and (mass > 0).all()
    np.testing.assert_allclose(mass.sum(axis=0) * GRAVITY, surface, rtol=1e-13)
    assert levels.b_share.sum() == pytest.approx(1)


def test_points_find_their_cells_across_the_date_line() -> None:
    grid = refined(Box(170, -160, -12, 30))
    lon = np.array([-175.0, 185.0, 545.0, 10.0])
    rows, columns = grid.locate(np.full(4, 90.0), lon)
    assert (rows == grid.shape[0] - 1).all()
    assert columns[0] == columns[1] == columns[2]
    west, east = grid.lon_edges[columns], grid.lon_edges[columns + 1]
    assert (((lon - west) % 360) < east - west).all()
    with pytest.raises(GridError):
        grid.locate(np.array([91.0]), np.array([0.0]))


def any_grid(draw: st.DrawFn) -> Grid:
    """Any rectilinear grid of 5 to 30 cells a side."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lon, lat = (rng.uniform(0.05, 1, draw(st.integers(5, 30))) for _ in range(2))
    lon_edges = draw(st.floats(-360, 180)) + 360 * np.concatenate([[0], np.cumsum(lon)]) / lon.sum()
    lat_edges = -90 + 180 * np.concatenate([[0], np.cumsum(lat)]) / lat.sum()
    lon_edges[-1], lat_edges[-1] = lon_edges[0] + 360, 90.0
    return Grid(lon_edges, lat_edges)


@given(st.data())
def test_regridding_keeps_integrals_sums_and_uniform_fields(data: st.DataObject) -> None:
    source, target = (data.draw(st.composite(any_grid)()) for _ in range(2))
    field = np.random.default_rng(1).normal(size=(2, *source.shape))
    there = Regridder(source, target)
    np.testing.assert_allclose(
        (there.mean(field) * target.area).sum(axis=(1, 2)), (field * source.area).sum(axis=(1, 2)), atol=1e-12 * EARTH
    )
    np.testing.assert_allclose(there.total(field).sum(axis=(1, 2)), field.sum(axis=(1, 2)), atol=1e-9)
    np.testing.assert_allclose(there.mean(np.full(source.shape, 7.0)), 7.0, rtol=1e-13)


def test_to_the_same_grid_nothing_changes_and_fine_cells_average() -> None:
    grid, rng = uniform("6x4"), np.random.default_rng(0)
    field = rng.normal(size=grid.shape)
    np.testing.assert_allclose(Regridder(grid, grid).mean(field), field, rtol=1e-13)
    fine = uniform("3x2")
    fields = rng.normal(size=fine.shape)
    coarse = Regridder(fine, grid).mean(fields)
    cells = (fields * fine.area)[:2, :2].sum() / fine.area[:2, :2].sum()
    assert coarse[0, 0] == pytest.approx(cells)


def test_missing_values_stay_missing() -> None:
    fine, coarse = uniform("3x2"), uniform("6x4")
    field = np.ones(fine.shape)
    field[4, 4] = np.nan
    result = Regridder(fine, coarse).mean(field)
    assert np.isnan(result[2, 2]) and np.isfinite(result).sum() == result.size - 1
