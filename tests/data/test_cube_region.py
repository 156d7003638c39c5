"""Series of regions: cells chosen and weighed as shapely and plain arithmetic say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cube import Cube, Grid, RegionCancelled, RegionSeries
from data.cube.region import region_windows
from data.errors import StoreProblem
from tests.data.cube_examples import FLUX, SMALL, XCO2, make_cube, maps, months

FINE = Grid(-180.0, -90.0, 0.9, 0.45, 400, 400)
ODD = Grid(-180.0, -89.6, 360 / 821, 0.4, 821, 437)
PACIFIC = Grid(150.0, -30.0, 0.5, 0.5, 120, 120)


def star(centre: tuple[float, float], radii: list[float]) -> shapely.Polygon:
    """A polygon around a centre with these radii in equal steps of angle."""
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return shapely.Polygon(np.stack([centre[0] + radii * np.cos(angles), centre[1] + radii * np.sin(angles)], axis=1))


@st.composite
def stars(draw: st.DrawFn) -> shapely.Polygon:
    centre = draw(st.floats(-400, 400)), draw(st.floats(-80, 80))
    return star(centre, draw(st.lists(st.floats(0.5, 60), min_size=3, max_size=20)))


def mask_of(grid: Grid, region: shapely.Geometry) -> np.ndarray:
    """Cells whose centres lie in the region, by shapely, in every turn of longitude."""
    lon, lat = np.meshgrid(grid.lon, grid.lat)
    shapely.prepare(region)
    return np.any([shapely.contains_xy(region, lon + 360 * turn, lat) for turn in range(-4, 5)], axis=0)


def expected(values: np.ndarray, weights: np.ndarray) -> RegionSeries:
    """By xarray's weighted statistics."""
    field = xr.DataArray(values, dims=("time", "lat", "lon"))
    weight = xr.DataArray(weights, dims=("lat", "lon"))
    weighted, space = field.weighted(weight), ("lat", "lon")
    covered = (weighted.sum_of_weights(space) / weights.sum()).fillna(0).to_numpy()
    mean, std = weighted.mean(space).to_numpy(), weighted.std(space).to_numpy()
    return RegionSeries(months(len(values)), mean, std, weights.sum(), covered)


def check(found: RegionSeries, wanted: RegionSeries, tolerance: float = 1e-4) -> None:
    np.testing.assert_array_equal(found.times, wanted.times)
    np.testing.assert_allclose(found.area_km2, wanted.area_km2, rtol=1e-6)
    np.testing.assert_allclose(found.coverage, wanted.coverage, atol=1e-6)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-6, atol=tolerance)
    np.testing.assert_allclose(found.std, wanted.std, rtol=1e-4, atol=tolerance)


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    return maps(FINE, 6, gaps=0.4)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> Cube:
    """Four steps sealed, one of them replaced since, two not sealed."""
    cube = make_cube(tmp_path_factory.mktemp("region") / "c", values, grid=FINE, seal=(4,))
    cube.write(months(6)[1], {"xco2": values[1]})
    return cube


@settings(max_examples=40)
@given(region=stars(), hole=st.booleans(), grid=st.sampled_from([SMALL, FINE, ODD, PACIFIC]))
def test_cells_are_those_whose_centres_lie_within(region: shapely.Polygon, hole: bool, grid: Grid):
    region = shapely.make_valid(region)
    if hole:
        region = region.difference(region.centroid.buffer(4))
    mask = mask_of(grid, region)
    windows = region_windows(grid, region, 0) if region.area else []
    found = np.zeros(grid.shape())
    for window in windows:
        rows, columns = window.weights.shape
        found[window.row : window.row + rows, window.column : window.column + columns] += window.weights
    if mask.any():
        np.testing.assert_array_equal(found > 0, mask)
        np.testing.assert_allclose(found[mask], np.repeat(grid.row_areas()[:, None], grid.nlon, 1)[mask], rtol=1e-6)


@settings(max_examples=12)
@given(region=stars())
def test_mean_spread_and_coverage(cube: Cube, values: np.ndarray, region: shapely.Polygon):
    region = shapely.make_valid(region)
    mask = mask_of(FINE, region)
    if mask.any():
        check(cube.region_series("xco2", region), expected(values, mask * FINE.row_areas()[:, None]))


@pytest.mark.parametrize("box", [(-180, -90, 180, 90), (-180, 0, 180, 30), (0, -30, 360, 60), (-540, -90, 540, 90)])
def test_whole_rows_come_out_the_same(cube: Cube, values: np.ndarray, box):
    """The world and latitude bands are answered from the rows' statistics."""
    region = shapely.box(*box)
    inside = (FINE.lat > box[1]) & (FINE.lat < box[3])
    check(
        cube.region_series("xco2", region),
        expected(values, inside[:, None] * np.repeat(FINE.row_areas()[:, None], 400, 1)),
    )


def test_fluxes_of_small_numbers(tmp_path: Path, values: np.ndarray):
    small = (values - 400) * 1e-8
    cube = make_cube(tmp_path / "c", small, grid=FINE, variable=FLUX, seal=(6,))
    for region in (star((20, 10), [30, 10, 40, 20, 35]), shapely.box(-180, -20, 180, 20)):
        found = cube.region_series("flux", region)
        wanted = expected(small, mask_of(FINE, region) * FINE.row_areas()[:, None])
        np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-5, atol=1e-14)
        np.testing.assert_allclose(found.std, wanted.std, rtol=1e-5)


def test_the_dateline_is_no_obstacle(cube: Cube):
    whole = shapely.box(160, -20, 200, 30)
    halves = shapely.MultiPolygon([shapely.box(160, -20, 180, 30), shapely.box(-180, -20, -160, 30)])
    west = shapely.box(-200, -20, -160, 30)
    series = [cube.region_series("xco2", region) for region in (whole, halves, west)]
    for other in series[1:]:
        check(other, series[0], 1e-9)


def test_a_grid_over_the_dateline(tmp_path: Path):
    field = maps(PACIFIC, 2)
    cube = make_cube(tmp_path / "c", field, grid=PACIFIC)
    region = shapely.MultiPolygon([shapely.box(170.1, -10, 180, 10), shapely.box(-180, -10, -170.1, 10)])
    inside = (PACIFIC.lon > 170.1) & (PACIFIC.lon < 189.9) & (np.abs(PACIFIC.lat) < 10)[:, None]
    check(cube.region_series("xco2", region), expected(field, inside * PACIFIC.row_areas()[:, None]))


def test_a_tiny_region_is_the_cell_of_its_centroid(cube: Cube):
    region = star((100.46, 20.1), [0.01, 0.02, 0.01])
    found = cube.region_series("xco2", region)
    np.testing.assert_allclose(found.mean, cube.series("xco2", 100.46, 20.1), rtol=1e-6)
    assert found.area_km2 == pytest.approx(FINE.row_areas()[FINE.row(20.1) or 0], rel=1e-6)
    assert (found.std[np.isfinite(found.std)] < 1e-6).all() and set(found.coverage) <= {0.0, 1.0}


def test_no_data_is_said_so(tmp_path: Path):
    field = maps(SMALL, 2, gaps=0)
    field[1, 18:] = np.nan
    cube = make_cube(tmp_path / "c", field)
    found = cube.region_series("xco2", shapely.box(0, 10, 30, 40))
    assert np.isfinite(found.mean[0]) and np.isnan(found.mean[1]) and np.isnan(found.std[1])
    assert found.coverage.tolist() == [1.0, 0.0]
    regional = make_cube(tmp_path / "r", maps(PACIFIC, 2), grid=PACIFIC)
    outside = regional.region_series("xco2", shapely.box(0, 0, 20, 20))
    assert np.isnan(outside.mean).all() and outside.coverage.tolist() == [0.0, 0.0] and outside.area_km2 == 0.0


def test_a_crossed_outline_is_untangled(cube: Cube, values: np.ndarray):
    bow = shapely.Polygon([(0, 0), (40, 30), (40, 0), (0, 30)])
    assert not bow.is_valid
    triangles = shapely.MultiPolygon(
        [shapely.Polygon([(0, 0), (20, 15), (0, 30)]), shapely.Polygon([(40, 30), (40, 0), (20, 15)])]
    )
    check(cube.region_series("xco2", bow), cube.region_series("xco2", triangles), 1e-9)


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (shapely.Polygon(), "empty"),
        (shapely.MultiPolygon(), "empty"),
        (shapely.Point(0, 0), "found Point"),
        (shapely.LineString([(0, 0), (1, 1)]), "found LineString"),
        (shapely.Polygon([(0, 0), (1, 1), (2, 2)]), "line or a point"),
        (shapely.Polygon([(0, 0), (1, np.nan), (2, 2)]), "finite"),
        (shapely.Polygon([(0, 0), (1, np.inf), (2, 2)]), "finite"),
        (shapely.box(-1e6, 0, 1e6, 1), "few turns"),
        ("China", "found str"),
    ],
)
def test_regions_without_area_are_refused(cube: Cube, region, words):
    with pytest.raises(StoreProblem, match=words):
        cube.region_series("xco2", region)


@pytest.mark.parametrize("grid", [FINE, ODD])
def test_coarse_levels_estimate_closely(tmp_path: Path, grid: Grid):
    smooth = 400 + 5 * np.sin(np.radians(grid.lat))[:, None] + 3 * np.cos(np.radians(2 * grid.lon))
    cube = make_cube(tmp_path / "c", np.stack([smooth, smooth + 1]), grid=grid, variable=FLUX, seal=(2,))
    region = star((170, 20), [40, 25, 50, 30, 45, 20])
    exact = cube.region_series("flux", region)
    for level in range(1, cube.levels):
        estimate = cube.region_series("flux", region, level=level)
        np.testing.assert_allclose(estimate.mean, exact.mean, atol=0.03)
        np.testing.assert_allclose(estimate.std, exact.std, atol=0.05)
        assert estimate.area_km2 == pytest.approx(exact.area_km2, rel=0.01)
    np.testing.assert_allclose(cube.region_series("flux", region, level=None).mean, exact.mean, atol=0.03)
    assert cube.levels > 1
    tiny = cube.region_series("flux", star((10.1, 10.1), [0.01, 0.01, 0.01]), level=1)
    np.testing.assert_allclose(tiny.mean, cube.series("flux", 10.1, 10.1), atol=0.2)


def test_a_level_that_does_not_exist(cube: Cube):
    with pytest.raises(StoreProblem, match="from 0 to 1, found 9"):
        cube.region_series("xco2", shapely.box(0, 0, 9, 9), level=9)


def test_progress_goes_to_the_end(cube: Cube):
    parts: list[float] = []
    cube.region_series("xco2", star((33, 11), [20, 30, 25]), progress=parts.append)
    assert parts == sorted(parts) and len(parts) > 2 and parts[0] > 0 and parts[-1] == 1.0


def test_it_can_be_stopped(cube: Cube):
    region = star((-33, 11), [20, 30, 25])
    asked = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 1

    with pytest.raises(RegionCancelled, match="stopped"):
        cube.region_series("xco2", region, cancelled=cancelled)
    assert len(asked) == 2
    assert np.isfinite(cube.region_series("xco2", region, cancelled=lambda: False).mean).all()


def test_remembered_until_the_cube_changes(tmp_path: Path):
    field = maps(SMALL, 2, gaps=0)
    cube = make_cube(tmp_path / "c", field, variable=XCO2)
    region = shapely.box(0, 0, 50, 50)
    first = cube.region_series("xco2", region)
    assert cube.region_series("xco2", shapely.box(0, 0, 50, 50)) is first
    cube.write("2015-01-01", {"xco2": field[0] + 1})
    np.testing.assert_allclose(cube.region_series("xco2", region).mean - first.mean, [1, 0], atol=1e-6)
