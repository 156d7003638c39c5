"""CarbonTracker: totals of the published fluxes, region masks and names, zonal fluxes, layouts of other releases."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data.errors import FileProblem
from data.readers import find_reader
from data.readers.carbontracker import READERS, read_fluxes
from data.readers.emissions import cell_area_m2
from data.readers.probe import Probe

SECONDS_PER_YEAR = 365.25 * 86400


def read(path):
    reader = next(reader for reader in READERS if reader.recognises(Probe.of(path)))
    return reader.read(path)


def petagrams(flux: xr.DataArray, grid: xr.Dataset) -> float:
    return float((flux * cell_area_m2(grid)).sum()) * 12.011 * SECONDS_PER_YEAR * 1e-15


# ----------------------------------------------------------------------------------------------------------- real files
def test_real_flux_totals_of_2014(real):
    product = read(real / "carbontracker" / "flux1x1" / "CT2015.flux1x1.2014-mean.nc")
    grid = product.dataset
    expected = {"bio_flux_opt": -4.40, "ocn_flux_opt": -2.82, "fossil_flux_imp": 9.81, "fire_flux_imp": 1.94}
    for name, total in expected.items():
        assert grid[name].dims == ("time", "lat", "lon") and grid[name].attrs["units"] == "mol m-2 s-1"
        assert petagrams(grid[name], grid) == pytest.approx(total, abs=0.01)
    assert product.collection == "carbontracker-ct2015-fluxes-mean"
    assert str(product.span[0])[:10] == "2014-07-01"


def test_real_longterm_mean_has_other_dimension_names(real):
    product = read(real / "carbontracker" / "flux1x1" / "CT2016.flux1x1.longterm.nc")
    assert product.dataset.attrs["version"] == "CT2016"
    assert product.dataset.attrs["period"] == "2001-2015 mean"
    assert petagrams(product.dataset["fossil_flux_imp"], product.dataset) == pytest.approx(8.7, abs=0.3)
    assert product.collection == "carbontracker-ct2016-fluxes-longterm"


def test_real_regions(real):
    regions = read(real / "carbontracker" / "regions" / "regions.nc").dataset
    assert regions["transcom_regions"].dtype == np.int16
    assert len(np.unique(regions["regions"])) == 176
    names = regions["transcom_names"].sel(transcom=[1, 11, 23]).values.tolist()
    assert names == ["North American Boreal", "Europe", "Not optimized"]
    assert str(regions["ecosystem_names"].sel(ecosystem=18).item()).startswith("Non-optimized areas")  # hyphen kept
    where = {"lat": 55.5, "lon": 37.5}  # Moscow
    assert int(regions["transcom_regions"].sel(where)) == 11
    assert int(regions["ocean_regions"].sel(where)) == 0
    # each region lies in one TransCom region: the areas agree
    area = (regions["xform"] * regions["regions_area"]).sum("region")
    np.testing.assert_allclose(
        area.sel(transcom=slice(1, 22)), regions["transcom_regions_area"].sel(transcom=slice(1, 22)), rtol=1e-3
    )
    cells = cell_area_m2(regions)
    europe = float(cells.where(regions["transcom_regions"] == 11).sum())
    assert europe == pytest.approx(float(regions["transcom_regions_area"].sel(transcom=11)), rel=5e-3)


def test_real_olson_classes_and_name_tables(real):
    folder = real / "carbontracker" / "regions"
    extended = read(folder / "olson_extended.nc").dataset
    assert extended["region_names"].sel(region=1).item() == "North American Boreal Forests/Wooded"
    assert int(extended["regions"].max()) == 44
    olson = read(folder / "olson19_region_names").dataset
    assert olson.sizes["row"] == 19 and olson["name"][0] == "Conifer Forest"
    transcom = read(folder / "t3_region_names").dataset
    assert transcom["code"].values.tolist()[:2] == ["T-NABR", "T-NATM"]
    assert transcom.sizes["row"] == 22


def test_real_aggregates(real):
    table = read(real / "carbontracker" / "regions" / "postagg_definitions.nc").dataset.to_dataframe().set_index("name")
    weights = table.filter(like="transcom_")
    northern = weights.loc["Northern Land"]
    assert [int(name[-2:]) for name in northern.index[northern == 1]] == [1, 2, 7, 8, 11]
    assert (weights.loc["Tropical land minus northern land"] == -1).sum() == 5


@pytest.mark.parametrize(
    ("model", "years", "fossil"), [("CT2019B", (2000, 2018), 8.5), ("CAMSv20r1", (1990, 2020), 8.0)]
)
def test_real_zonal_fluxes(real, model, years, fossil):
    product = read(real / "carbontracker" / "zonal_monthly_fluxes" / model / "fluxes_za_ts_monthly.nc")
    section = product.dataset
    assert product.kind == "section" and product.collection == f"zonal-monthly-fluxes-{model.lower()}"
    assert section["total_flux"].dims == ("time", "lat")
    assert (section["time"].dt.year[0], section["time"].dt.year[-1]) == years
    step = float(section["lat"][2] - section["lat"][1])
    total = float((section["fossil_flux"] * step).sum("lat").mean())
    assert total == pytest.approx(fossil, abs=0.9)  # PgC a year


# -------------------------------------------------------------------------------------------- layouts of other releases
def flux_file(path, *, names, lat="latitude", lon="longitude", times=8, units="mol m-2 s-1"):
    rng = np.random.default_rng(3)
    dims = ("time", lat, lon)
    fields = {name: (dims, 1e-8 * rng.standard_normal((times, 18, 36)), {"units": units}) for name in names}
    coords = {
        "time": ("time", 0.0625 + np.arange(times) / 8 + 7305, {"units": "days since 2000-01-01 00:00:00 UTC"}),
        lat: np.arange(-85.0, 90, 10),
        lon: np.arange(-175.0, 180, 10),
    }
    ds = xr.Dataset({**fields, "decimal_time": ("time", 2020 + np.arange(times) / 8 / 366)}, coords)
    ds["time_components"] = (("time", "six"), np.zeros((times, 6), np.int32))
    ds.to_netcdf(path)
    return ds


def test_three_hourly_fluxes_with_old_names(tmp_path):
    path = tmp_path / "CT2022.flux1x1.20200101.nc"
    names = ["bio_flux_optimized", "ocean_flux_optimized", "fossil_imposed", "fire_flux_imposed"]
    raw = flux_file(path, names=names)
    product = read(path)
    assert sorted(product.dataset.data_vars) == ["bio_flux_opt", "fire_flux_imp", "fossil_flux_imp", "ocn_flux_opt"]
    assert product.count == 8 and product.span[0] == np.datetime64("2020-01-01T01:30", "ns")
    assert product.collection == "carbontracker-ct2022-fluxes"
    np.testing.assert_allclose(product.dataset["ocn_flux_opt"], raw["ocean_flux_optimized"])


def test_near_real_time_and_monthly_files(tmp_path):
    near = tmp_path / "CT-NRT.v2023-4.flux1x1.20230101.nc"
    flux_file(near, names=["bio_flux_opt", "ocn_flux_opt"], lat="lat", lon="lon")
    assert read(near).collection == "carbontracker-ct-nrt.v2023-4-fluxes"
    assert read(near).dataset.attrs["catalog"] == "carbontracker-nrt"
    monthly = tmp_path / "CT2022.flux1x1-monthly.nc"
    flux_file(monthly, names=["bio_flux_opt"])
    assert read(monthly).collection == "carbontracker-ct2022-fluxes-monthly"


def test_fluxes_in_another_unit_are_refused(tmp_path):
    path = tmp_path / "CT2022.flux1x1.20200101.nc"
    flux_file(path, names=["bio_flux_opt"], units="kgC m-2 yr-1")
    with pytest.raises(FileProblem, match="kgC m-2 yr-1"):
        read_fluxes(path)


def test_files_of_others_are_left_alone(tmp_path):
    path = tmp_path / "other.nc"
    xr.Dataset({"t": (("lat", "lon"), np.zeros((4, 5)))}).to_netcdf(path)
    assert not any(reader.recognises(Probe.of(path)) for reader in READERS)
    assert find_reader(Probe.of(path)).name == "gridded"
