"""Growth and season of every cell: known fields, one cell against scipy, gaps against the same cells without them."""

from __future__ import annotations

from pathlib import Path

import dask.array
import numpy as np
import pytest
import xarray as xr

from analysis.errors import SeriesTooShort
from analysis.statistics.harmonic_maps import fit_map
from analysis.statistics.trends import decimal_year, fit_series

TIMES = ((np.datetime64("2015-01", "M") + np.arange(84)).astype("datetime64[D]") + 14).astype("datetime64[ns]")
YEARS = decimal_year(TIMES)


def cube(values: np.ndarray) -> xr.DataArray:
    n_lat, n_lon = values.shape[1:]
    lat, lon = np.linspace(-80, 80, n_lat), np.linspace(-170, 170, n_lon)
    return xr.DataArray(values, dims=("time", "lat", "lon"), coords={"time": TIMES, "lat": lat, "lon": lon})


def known(noise: float = 0.0) -> tuple[xr.DataArray, np.ndarray, np.ndarray]:
    """Growth differs by column, amplitude by row; the peak is at the end of April."""
    growth = np.linspace(1.5, 3.0, 9)
    amplitude = np.linspace(1.0, 10.0, 6)
    line = 400 + growth * (YEARS[:, None, None] - 2018.5)
    season = amplitude[:, None] / 2 * np.cos(2 * np.pi * (YEARS[:, None, None] - 0.325))
    values = line + season + np.random.default_rng(3).normal(0, noise, (84, 6, 9)) if noise else line + season
    return cube(values.astype(np.float32)), growth, amplitude


def test_known_growth_and_season():
    field, growth, amplitude = known()
    result = fit_map(field)
    assert result["growth"].to_numpy() == pytest.approx(np.tile(growth, (6, 1)), abs=1e-4)
    assert result["amplitude"].to_numpy() == pytest.approx(np.tile(amplitude, (9, 1)).T, rel=2e-3)
    assert result["month_of_maximum"].to_numpy() == pytest.approx(np.full((6, 9), 1 + 12 * 0.325), abs=0.1)
    assert result["mean"].to_numpy() == pytest.approx(np.full((6, 9), 400.0), abs=0.02)
    assert result["residual_std"].to_numpy() == pytest.approx(np.zeros((6, 9)), abs=1e-3)
    assert (result["n"] == 84).all()
    assert result["growth"].attrs["units"] == "ppm year-1"
    assert result["growth"].dtype == np.float32


def test_cells_agree_with_the_series_fit():
    field, _, _ = known(noise=0.7)
    result = fit_map(field)
    for row, column in ((0, 0), (3, 5), (5, 8)):
        series = fit_series(TIMES, field[:, row, column].to_numpy())
        assert float(result["growth"][row, column]) == pytest.approx(series.growth_ppm_per_year, abs=1e-4)
        assert float(result["amplitude"][row, column]) == pytest.approx(series.amplitude, rel=0.03)
    assert float(result["residual_std"].mean()) == pytest.approx(0.7, rel=0.05)


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_gappy_cells_are_least_squares_of_what_they_have(share: float):
    field, _, _ = known(noise=0.7)
    rng = np.random.default_rng(8)
    holes = field.where(rng.random(field.shape) > share)
    result = fit_map(holes)
    angle = 2 * np.pi * YEARS
    design = np.column_stack([np.ones(84), YEARS, np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)])
    for row, column in np.ndindex(6, 9):
        values = holes[:, row, column].to_numpy().astype(float)
        seen = np.isfinite(values)
        expected, squares, *_ = np.linalg.lstsq(design[seen], values[seen], rcond=None)
        assert int(result["n"][row, column]) == seen.sum()
        assert float(result["growth"][row, column]) == pytest.approx(expected[1], abs=1e-4)
        assert float(result["residual_std"][row, column]) == pytest.approx(
            np.sqrt(squares[0] / (seen.sum() - 6)), rel=1e-3
        )


def test_cells_that_cannot_be_fitted_are_missing():
    field, _, _ = known()
    values = field.to_numpy().copy()
    values[:, 0, 0] = np.nan
    values[11:, 0, 1] = np.nan  # 11 months
    values[17:, 0, 2] = np.nan  # less than a year and a half
    values[np.arange(84) % 12 > 2, 0, 3] = np.nan  # three months of every year cannot carry two harmonics
    result = fit_map(cube(values))
    assert np.isnan(result["growth"].to_numpy()[0, :4]).all()
    assert np.isnan(result["month_of_maximum"].to_numpy()[0, :4]).all()
    assert result["n"].to_numpy()[0, :4].tolist() == [0, 11, 17, 21]
    assert np.isfinite(result.to_array().to_numpy()[:, 1:]).all()
    assert np.isfinite(result["growth"].to_numpy()[0, 4:]).all()


def test_blocks_and_lazy_arrays_change_nothing(monkeypatch: pytest.MonkeyPatch):
    field, _, _ = known(noise=0.5)
    field = field.where(np.random.default_rng(1).random(field.shape) > 0.02)
    whole = fit_map(field)
    monkeypatch.setattr("analysis.statistics.harmonic_maps.SLAB_CELLS", 20)
    monkeypatch.setattr("analysis.statistics.harmonic_maps.BLOCK_CELLS", 7)
    lazy = field.copy(data=dask.array.from_array(field.to_numpy(), chunks=(84, 2, 4)))
    xr.testing.assert_allclose(fit_map(lazy), whole, rtol=1e-4)


def test_refusals():
    field, _, _ = known()
    with pytest.raises(SeriesTooShort, match="found 11 over"):
        fit_map(field[:11])
    with pytest.raises(ValueError, match="dims"):
        fit_map(field.transpose("lat", "lon", "time"))
    with pytest.raises(ValueError, match="harmonics"):
        fit_map(field, harmonics=0)


def test_gosat_maps(real: Path):
    """GOSAT L3 2009-2021: growth near NOAA's 2.4 ppm a year nearly everywhere, larger seasons in the north."""
    with xr.open_dataset(real / "satellite" / "derived" / "gosat_l3_swir_xco2_v0305_stack.nc") as stack:
        field = stack["xco2_cell_mean"].sortby("lat").load()
    result = fit_map(field.transpose("time", "lat", "lon"))
    enough = result["n"] > 60
    assert int(enough.sum()) > 1000
    assert float(result["growth"].where(enough).median()) == pytest.approx(2.4, abs=0.1)
    assert float(result["growth"].where(enough).quantile(0.95)) < 3.0
    assert float(result["growth"].where(enough).quantile(0.05)) > 2.0
    zonal = result["amplitude"].where(enough)
    assert float(zonal.sel(lat=slice(35, 60)).median()) > 2 * float(zonal.sel(lat=slice(-50, -15)).median())
