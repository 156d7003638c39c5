"""Which cells a place is sampled from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.grids import Box, GridError, refined, uniform
from analysis.sampling import SamplingError
from analysis.sampling.horizontal import corners

GRIDS = {name: uniform(name) for name in ("30x20", "2x2.5")} | {
    "refined": refined(Box(60, 150, -10, 55), 5.0, (15.0, 10.0))
}


@pytest.mark.parametrize("name", GRIDS)
@settings(max_examples=40)
@given(lat=st.floats(-90, 90), lon=st.floats(-720, 720))
def test_shares_sum_to_one_and_cells_exist(name, lat, lon):
    for method in ("cell", "bilinear"):
        cells, shares = corners(GRIDS[name], np.array([lat]), np.array([lon]), method)
        assert shares.sum() == pytest.approx(1.0, abs=1e-12)
        assert (shares >= -1e-12).all()
        assert ((cells >= 0) & (cells < np.prod(GRIDS[name].shape))).all()


@pytest.mark.parametrize("name", GRIDS)
@settings(max_examples=40)
@given(lat=st.floats(-79, 79), lon=st.floats(-180, 180))
def test_bilinear_is_exact_where_the_field_is_linear(name, lat, lon):
    grid = GRIDS[name]
    lat = float(np.clip(lat, grid.lat[0], grid.lat[-1]))
    cells, shares = corners(grid, np.array([lat]), np.array([lon]), "bilinear")
    rows, columns = np.divmod(cells[0], grid.shape[1])
    assert (shares[0] * grid.lat[rows]).sum() == pytest.approx(lat, abs=1e-9)
    offsets = (grid.lon[columns] - lon + 180) % 360 - 180
    assert (shares[0] * offsets).sum() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("lon", [179.0, -181.0, 539.0])
def test_across_the_date_line_the_same_four_cells(lon):
    grid = GRIDS["30x20"]
    cells, shares = corners(grid, np.array([0.0]), np.array([lon]), "bilinear")
    columns = cells[0] % grid.shape[1]
    assert sorted(set(columns)) == [0, grid.shape[1] - 1]
    assert shares[0][columns == 0].sum() == pytest.approx(14 / 30)


def test_beyond_the_last_row_across_the_pole():
    grid = GRIDS["30x20"]
    cells, shares = corners(grid, np.array([90.0]), np.array([15.0]), "bilinear")
    rows, columns = np.divmod(cells[0], grid.shape[1])
    assert set(rows) == {grid.shape[0] - 1}
    sides = {float(grid.lon[c]): s for c, s in zip(columns, shares[0], strict=True) if s > 1e-12}
    assert sides == {15.0: pytest.approx(0.5), -165.0: pytest.approx(0.5)}


def test_the_pole_of_a_smooth_field_is_the_mean_around_it():
    grid = uniform("3x2")
    field = (np.sin(np.radians(grid.lat))[:, None] + 0 * grid.lon + np.cos(np.radians(grid.lat))[:, None]
             * np.cos(np.radians(grid.lon))).ravel()  # fmt: skip
    for lon in (0.0, 77.0, 180.0, 300.0):
        cells, shares = corners(grid, np.array([-90.0, 90.0]), np.array([lon, lon]), "bilinear")
        assert (field[cells] * shares).sum(axis=1) == pytest.approx([-1.0, 1.0], abs=1e-3)


def test_what_is_no_place_or_no_method():
    with pytest.raises(GridError, match=r"within -90\.\.90"):
        corners(GRIDS["30x20"], np.array([91.0]), np.array([0.0]), "cell")
    with pytest.raises(SamplingError, match="cell or bilinear"):
        corners(GRIDS["30x20"], np.array([0.0]), np.array([0.0]), "nearest")
