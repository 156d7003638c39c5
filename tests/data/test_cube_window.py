"""What a screen shows of a cube: nothing moved by more than half a pixel, means exact, whatever the view."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from data.cube import Cube, Grid, Variable, View
from data.cube.resample import latitude_axis, levels_for, longitude_axis
from data.errors import StoreProblem
from tests.data.cube_examples import FLUX, SMALL, XCO2, make_cube, maps

HALF_ROUND = np.pi * 6378137.0
GLOBE = Grid(-180.0, -90.0, 0.225, 0.225, 1600, 800)
ODD = Grid(-180.0, -89.6, 360 / 821, 0.4, 821, 437)
ASIA = Grid(61.3, -12.7, 0.31, 0.17, 290, 403)
PACIFIC = Grid(150.0, -30.0, 0.5, 0.5, 120, 120)


def positions(path: Path, grid: Grid) -> Cube:
    """A cube that holds its cells' own longitude (from -180 and from 0) and latitude."""
    names = ("lon", "lon360", "lat")
    variables = [Variable(name, "degrees", name, "float32") for name in names]
    cube = Cube.create(path, name="positions", title="", grid=grid, variables=variables)
    lon = np.broadcast_to(grid.lon, grid.shape())
    lat = np.broadcast_to(grid.lat[:, None], grid.shape())
    cube.write("2000-01-01", {"lon": (lon + 180) % 360 - 180, "lon360": lon % 360, "lat": lat})
    return cube


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cube]:
    folder = tmp_path_factory.mktemp("positions")
    grids = {"globe": GLOBE, "odd": ODD, "asia": ASIA, "pacific": PACIFIC}
    return {name: positions(folder / name, grid) for name, grid in grids.items()}


@st.composite
def views(draw: st.DrawFn) -> View:
    """Views of any place, size and shape in both projections, longitudes -720..720."""
    width, height = draw(st.integers(1, 300)), draw(st.integers(1, 200))
    west = draw(st.floats(-720, 719))
    span = draw(st.floats(0.01, 720 - max(west, 0)))
    if draw(st.booleans()):
        south = draw(st.floats(-100, 99))
        return View(west, west + span, south, south + draw(st.floats(0.01, 100)), width, height, "lonlat")
    metres = HALF_ROUND / 180
    south = draw(st.floats(-1.2, 1.1)) * HALF_ROUND
    north = south + draw(st.floats(1e-4, 2)) * HALF_ROUND
    return View(west * metres, (west + span) * metres, south, north, width, height, "mercator")


def pixel_edges(view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Longitudes and latitudes of pixels' edges and centres, by PROJ."""
    x = np.linspace(view.x0, view.x1, 2 * view.width + 1)
    y = np.linspace(view.y0, view.y1, 2 * view.height + 1)
    if view.projection == "mercator":
        lat = Transformer.from_crs(3857, 4326, always_xy=True).transform(np.zeros_like(y), y)[1]
        x, y = x / HALF_ROUND * 180, lat
    return x[::2], x[1::2], y[::2], y[1::2]


@settings(max_examples=150)
@given(view=views(), name=st.sampled_from(["globe", "odd", "asia", "pacific"]))
@example(view=View(-180, 180, -90, 90, 300, 200), name="globe")
@example(view=View(170, 190, 50, 60, 300, 200), name="odd")
@example(view=View(-HALF_ROUND, HALF_ROUND, -HALF_ROUND, HALF_ROUND, 200, 200, "mercator"), name="globe")
@example(view=View(-HALF_ROUND, HALF_ROUND, 0.9 * HALF_ROUND, 1.1 * HALF_ROUND, 200, 100, "mercator"), name="odd")
def test_no_cell_is_displaced(cubes: dict[str, Cube], view: View, name: str):
    """A pixel shows a place within it, so at most half a pixel off; or it shows the cell that holds its centre."""
    cube = cubes[name]
    grid = cube.grid
    x, x_centre, y, y_centre = pixel_edges(view)
    lon, lon360, lat = (cube.window(variable, 0, view) for variable in ("lon", "lon360", "lat"))

    shown = ~np.isnan(lat)
    within = (lat >= y[:-1, None] - 2e-5) & (lat <= y[1:, None] + 2e-5)
    assert (within | (np.abs(lat - y_centre[:, None]) <= grid.dlat / 2 + 2e-5))[shown].all()

    centre = np.broadcast_to((x_centre + 180) % 360 - 180, lon.shape)
    pixel = np.diff(x)
    seam = np.abs(np.abs(centre) - 180) <= 2 * np.maximum(pixel, grid.dlon)  # the mean of 179 and -179 says nothing
    distance = np.where(seam, np.abs(lon360 - centre % 360), np.abs(lon - centre))
    meaningful = shown & (pixel < 80)
    assert (
        distance[meaningful] <= np.broadcast_to(np.maximum(pixel, grid.dlon) / 2, lon.shape)[meaningful] + 5e-5
    ).all()

    inside = (y_centre > grid.south + 1e-6) & (y_centre < grid.south + grid.nlat * grid.dlat - 1e-6)
    offset = (x_centre - grid.west) % 360
    across = (offset > 1e-6) & (offset < grid.nlon * grid.dlon - 1e-6) | grid.wraps
    if pixel[0] < grid.nlon * grid.dlon:
        assert shown[np.ix_(inside, across)].all()
        outside = (offset < 360 - 1e-6) & (offset > grid.nlon * grid.dlon + 1e-6)
        assert not shown[:, outside].any()
    beyond = (y_centre < grid.south - 1e-6) | (y_centre > grid.south + grid.nlat * grid.dlat + 1e-6)
    if (np.diff(y) < grid.nlat * grid.dlat).all():
        assert not shown[beyond].any()


def overlaps(edges: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(pixels, cells) length that a pixel and a cell share."""
    low = np.maximum(edges[:-1, None], cells[None, :-1])
    return np.maximum(np.minimum(edges[1:, None], cells[None, 1:]) - low, 0.0)


@settings(max_examples=60)
@given(view=views(), packed=st.booleans(), gaps=st.sampled_from([0.0, 0.3, 0.95]))
def test_means_are_those_of_dense_linear_algebra(tmp_path_factory, view: View, packed: bool, gaps: float):
    """Oracle: full overlap matrices, (rows @ values @ columns) / (rows @ valid @ columns), on a grid of one level."""
    grid = SMALL
    values = maps(grid, 1, gaps=gaps)[0]
    variable = XCO2 if packed else FLUX
    found = make_cube(tmp_path_factory.mktemp("w") / "c", values[None], variable=variable).window(
        variable.name, 0, view
    )
    x, x_centre, y, y_centre = pixel_edges(view)
    turns = range(-4, 5)
    lon_edges = grid.lon_edges()
    columns = sum(overlaps(x, lon_edges + 360 * turn) for turn in turns)
    if x[1] - x[0] > 360:
        columns = np.ones_like(columns)
    elif x[1] - x[0] <= 5 * (1 + 1e-9):
        columns = np.eye(72)[np.clip(np.floor((x_centre + 180) % 360 / 5).astype(int), 0, 71)]
    rows = overlaps(np.sin(np.radians(np.clip(y, -90, 90))), np.sin(np.radians(grid.lat_edges())))
    small = np.diff(y) <= 5 * (1 + 1e-9)
    nearest = np.floor((y_centre + 90) / 5).astype(int)
    rows[small] = np.where(((nearest >= 0) & (nearest < 36))[:, None], np.eye(36)[np.clip(nearest, 0, 35)], 0)[small]
    rows[(nearest < 0) | (nearest >= 36)] *= (np.diff(y) >= 180)[(nearest < 0) | (nearest >= 36), None]
    there = np.isfinite(values).astype(float)
    weight = rows @ there @ columns.T
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.where(weight > 1e-12, (rows @ np.nan_to_num(values) @ columns.T) / weight, np.nan)
    clear = (weight > 1e-9) | (weight == 0)  # slivers and ties at edges are decided by rounding
    edge = np.abs((x_centre + 180) / 5 - np.round((x_centre + 180) / 5)) < 1e-9
    clear &= ~edge & ~(np.abs((y_centre + 90) / 5 - np.round((y_centre + 90) / 5)) < 1e-9)[:, None]
    decoded = variable.decode(found).astype(float)
    np.testing.assert_array_equal(np.isnan(decoded)[clear], np.isnan(expected)[clear])
    assert np.nanmax(np.abs(decoded - expected)[clear], initial=0) <= (0.005 if packed else 0) + 1e-4


@settings(max_examples=25)
@given(view=views(), code=st.integers(-32767, 32767), data=st.data())
def test_a_constant_stays_that_constant(tmp_path_factory, view: View, code: int, data):
    codes = np.full((437, 821), code, dtype=np.int16)
    codes[data.draw(st.integers(0, 400)) :: 7] = -32768
    cube = Cube.create(tmp_path_factory.mktemp("k") / "c", name="c", title="", grid=ODD, variables=[XCO2])
    cube.write("2000-01-01", {"xco2": codes})
    assert set(np.unique(cube.window("xco2", 0, view)).tolist()) <= {code, -32768}


def test_aligned_views_show_the_pyramid_itself(cubes: dict[str, Cube]):
    cube = cubes["globe"]
    for level in range(cube.levels):
        rows, columns = GLOBE.shape(level)
        found = cube.window("lat", 0, View(-180, 180, -90, 90, columns, rows))
        np.testing.assert_array_equal(found, cube.read("lat", 0, level=level))
    assert cube.levels == 3


def test_a_picture_goes_round_and_round(cubes: dict[str, Cube]):
    cube = cubes["globe"]
    once = cube.window("lon", 0, View(-180, 180, -90, 90, 360, 90))
    thrice = cube.window("lon", 0, View(-540, 540, -90, 90, 1080, 90))
    np.testing.assert_allclose(thrice, np.tile(once, 3), atol=1e-5)


def test_a_grid_over_the_dateline_is_found_from_both_sides(cubes: dict[str, Cube]):
    cube = cubes["pacific"]  # 150..210 degrees east
    east = cube.window("lon360", 0, View(150, 210, -30, 30, 120, 120))
    np.testing.assert_array_equal(cube.window("lon360", 0, View(-180, -150, -30, 30, 60, 120)), east[:, 60:])
    np.testing.assert_array_equal(cube.window("lon360", 0, View(150, 180, -30, 30, 60, 120)), east[:, :60])


def test_each_row_of_mercator_has_cells_no_larger_than_its_pixels():
    view = View(-HALF_ROUND, HALF_ROUND, -HALF_ROUND, HALF_ROUND, 1000, 1000, "mercator")
    heights = np.diff(view.lat_edges())
    levels = levels_for(heights, 0.05, 5)
    assert (0.05 * 2.0**levels <= heights * (1 + 1e-6))[heights > 0.05].all()
    assert (0.05 * 2.0 ** (levels + 1) > heights)[levels < 4].all()
    assert levels.min() == 0 and levels.max() == 2


def test_axes_weigh_parts_of_cells_by_their_part():
    axis = longitude_axis(np.array([-180.0, -172.5, -160.0]), -180.0, 5.0, 72, 0)
    assert axis.start.tolist() == [0, 2, 5] and axis.cells.tolist() == [0, 1, 1, 2, 3]
    np.testing.assert_allclose(axis.weights, [1, 0.5, 0.5, 1, 1])
    axis = latitude_axis(np.array([0.0, 15.0]), np.array([7.5]), -90.0, 10.0, 18, 0)
    np.testing.assert_allclose(axis.weights, np.diff(np.sin(np.radians([0, 10, 15]))))


@pytest.mark.parametrize(
    "numbers",
    [
        (0, 0, 0, 1, 9, 9),
        (0, 1, 1, 0, 9, 9),
        (0, np.inf, 0, 1, 9, 9),
        (np.nan, 1, 0, 1, 9, 9),
        (0, 1, 0, 1, 0, 9),
        (0, 1, 0, 1, 9, 99999),
    ],
)
def test_impossible_views_are_refused(numbers):
    with pytest.raises(StoreProblem, match="expected a"):
        View(*numbers)
    with pytest.raises(StoreProblem, match="lonlat"):
        View(0, 1, 0, 1, 9, 9, "polar")  # type: ignore[arg-type]


def test_steps_and_variables_that_do_not_exist(cubes: dict[str, Cube]):
    view = View(0, 1, 0, 1, 9, 9)
    with pytest.raises(StoreProblem, match="1 steps, found step 1"):
        cubes["asia"].window("lat", 1, view)
    with pytest.raises(StoreProblem, match="lon, lon360, lat, found 'xco2'"):
        cubes["asia"].window("xco2", 0, view)


def test_remembered_chunks_stay_within_their_bound(tmp_path: Path):
    grid = Grid(-180.0, -90.0, 0.225, 0.225, 1600, 800)
    made = make_cube(tmp_path / "c", maps(grid, 2), grid=grid)
    chunk = 2 * 400 * 534
    cube = Cube.open(made.path, cache_bytes=3 * chunk)
    for step in (0, 1, 0):
        for west in range(-180, 180, 40):
            cube.window("xco2", step, View(west, west + 20, -90, 90, 100, 800))
            assert sum(array.nbytes for array in cube._store.chunks._cache.values()) <= 3 * chunk
