"""Emissions: sums that providers publish, masses turned into fluxes by hand, and what can be wrong with files."""

from __future__ import annotations

import gzip

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr

from data.errors import FileProblem
from data.readers.emissions import EARTH_RADIUS_M, READERS, cell_area_m2
from data.readers.probe import Probe
from data.readers.rasters import open_raster

SPHERE_M2 = 4 * np.pi * EARTH_RADIUS_M**2


def read(path):
    return next(reader for reader in READERS if reader.recognises(Probe.of(path))).read(path)


def teragrams(grid: xr.Dataset, name: str, seconds: float) -> float:
    return float((grid[name] * cell_area_m2(grid)).sum()) * 12.011 * seconds * 1e-12


# ----------------------------------------------------------------------------------------------------------- real files
@pytest.mark.parametrize(("year", "total"), [(2005, 7592.41), (2013, 9233.63)])
def test_real_cdiac_sums(real, year, total):
    folder = real / "emissions" / "cdiac_gridcar_1deg"
    product = read(folder / f"gridcar.{year}")
    grid = product.dataset
    assert float(grid["fossil_emission"].sum()) == pytest.approx(total, abs=0.02)
    assert teragrams(grid, "fossil_flux_imp", 365 * 86400) == pytest.approx(total, rel=1e-6)
    sums = read(folder / "SUMMARY.MASS.DAT").dataset.to_dataframe().set_index("year")
    assert sums.loc[year, "sum"] == total
    assert float(grid["fossil_emission"].max()) == pytest.approx(sums.loc[year, "largest_cell"], abs=0.05)


def test_real_cdiac_is_the_right_way_up(real):
    grid = read(real / "emissions" / "cdiac_gridcar_1deg" / "gridcar.2013").dataset["fossil_emission"][0]
    assert float(grid.sel(lat=31.5, lon=121.5)) > 20  # Shanghai
    assert float(grid.sel(lat=slice(-90, -60)).sum()) < 0.1
    assert float(grid.sel(lat=slice(30, 60)).sum()) > 0.6 * float(grid.sum())


def test_real_carbon_monitor(real):
    product = read(real / "emissions" / "carbon_monitor_daily" / "carbon_monitor_global.csv")
    table = product.dataset.to_dataframe()
    assert (product.span[0], product.span[1]) == (np.datetime64("2023-01-01"), np.datetime64("2024-07-31"))
    assert table["time"].nunique() == 425 and table["sector"].nunique() == 6
    assert not table["country"].str.contains("carbonmonitor").any()
    world = (
        table[(table["country"] == "WORLD") & (table["time"] < "2023-12-31")].groupby("time")["co2_mt_per_day"].sum()
    )
    assert 80 < world.mean() < 120  # Mt of CO2 a day


def test_real_power_plants_population_and_cities(real):
    plants = read(real / "emissions" / "power_plants" / "global_power_plant_database.csv").dataset
    assert plants.sizes["row"] == 29910
    assert float(plants["capacity_mw"].max()) == 22500  # Three Gorges
    people = read(real / "emissions" / "population" / "gpw_v4_population_count_rev11_2020_1_deg.asc")
    assert float(people.dataset["population"].sum()) == pytest.approx(7.97e9, rel=2e-3)
    assert people.span[0] == np.datetime64("2020-07-02")
    assert float(people.dataset["population"][0].sel(lat=23.5, lon=90.5)) > 1e7  # Dhaka
    cities = read(real / "emissions" / "population" / "world_cities.csv.gz").dataset
    assert cities.sizes["row"] == 45065


# ------------------------------------------------------------------------------------------------------------ by hand
def test_cells_cover_the_sphere():
    lat = np.linspace(-88.75, 88.75, 72)
    edges = np.stack([lat - 1.25, lat + 1.25], axis=1)
    grid = xr.Dataset(
        coords={"lat": lat, "lat_bnds": (("lat", "b"), edges), "lon_bnds": (("lon", "b"), [[0.0, 2.5]] * 144)}
    )
    assert float(cell_area_m2(grid).sum()) * 144 == pytest.approx(SPHERE_M2, rel=1e-12)


def odiac(path, *, rows=180, columns=360, values=None):
    step = 180 / rows
    transform = rasterio.transform.from_origin(-180.0, 90.0, step, step)
    profile = {
        "driver": "GTiff",
        "height": rows,
        "width": columns,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:4326",
        "tiled": True,
    }
    with rasterio.open(path, "w", transform=transform, **profile) as file:
        file.write(np.full((rows, columns), 2.0, np.float32) if values is None else values, 1)
    return path


def test_odiac_maps(tmp_path):
    values = np.zeros((180, 360), np.float32)
    values[54, 310] = 1000.0  # tonnes of carbon in the cell 35..36 N, 130..131 E
    product = read(odiac(tmp_path / "odiac2023_1km_excl_intl_1907.tif", values=values))
    grid = product.dataset
    assert product.span[0] == np.datetime64("2019-07-16T12", "ns") and product.collection == "odiac2023-1km"
    assert float(grid["fossil_emission"][0].sel(lat=35.5, lon=130.5)) == 1000.0
    assert teragrams(grid, "fossil_flux_imp", 31 * 86400) == pytest.approx(1e-3, rel=1e-5)
    packed = tmp_path / "odiac2023_1km_excl_intl_1908.tif.gz"
    packed.write_bytes(gzip.compress((tmp_path / "odiac2023_1km_excl_intl_1907.tif").read_bytes()))
    assert float(read(packed).dataset["fossil_emission"].sum()) == 1000.0


def test_large_rasters_are_read_in_windows(tmp_path, monkeypatch):
    monkeypatch.setattr("data.readers.rasters.LAZY_BYTES", 1000)
    monkeypatch.setattr("data.readers.rasters._ROWS_PER_BLOCK", 50)
    values = np.arange(180 * 360, dtype=np.float32).reshape(180, 360)
    path = odiac(tmp_path / "odiac2023_1km_excl_intl_1907.tif", values=values)
    grid = read(path).dataset
    assert grid["fossil_emission"].chunks[1] == (30, 50, 50, 50)
    np.testing.assert_array_equal(grid["fossil_emission"][0], values[::-1])
    path.unlink()
    with pytest.raises(FileProblem, match="vanished"):
        grid["fossil_emission"][0, :60].compute()


def test_odiac_names_and_damage(tmp_path):
    with pytest.raises(FileProblem, match="no month"):
        read(odiac(tmp_path / "odiac_map.tif"))
    path = odiac(tmp_path / "odiac2023_1km_excl_intl_1907.tif")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FileProblem):
        read(path)


def test_rasters_without_degrees(tmp_path):
    path = tmp_path / "plain_2015.tif"
    with rasterio.open(path, "w", driver="GTiff", height=400, width=800, count=1, dtype="float32") as file:
        file.write(np.zeros((400, 800), np.float32), 1)
    from data.readers.periods import year

    with pytest.raises(FileProblem, match="not degrees"):
        open_raster(path, "x", year(2015), expected="a map")


def gridded(path, fields, *, units, times=2):
    lat, lon = 89.5 - np.arange(180.0), np.arange(0.5, 360)
    data = {
        name: (("time", "lat", "lon"), np.full((times, 180, 360), value, np.float32), {"units": units})
        for name, value in fields.items()
    }
    time = ("time", np.arange(times), {"units": "months since 2019-01-01"})
    xr.Dataset(data, {"time": time, "lat": lat, "lon": lon}).to_netcdf(path)
    return path


def test_odiac_on_one_degree(tmp_path):
    grid = read(
        gridded(tmp_path / "odiac2023_1x1d_2019.nc", {"land": 1.0, "intl_bunker": 0.5}, units="gC/m2/d")
    ).dataset
    np.testing.assert_allclose(grid["fossil_flux_imp"], 1 / 12.011 / 86400, rtol=1e-6)
    np.testing.assert_allclose(grid["bunker_flux_imp"], 0.5 / 12.011 / 86400, rtol=1e-6)
    assert str(grid["time"].to_numpy()[1])[:10] == "2019-02-15"
    with pytest.raises(FileProblem, match="units"):
        read(gridded(tmp_path / "odiac2023_1x1d_2020.nc", {"land": 1.0}, units="ktC"))


def test_odiac_months_that_are_only_numbered(tmp_path):
    lat, lon = -89.5 + np.arange(180.0), -179.5 + np.arange(360.0)
    land = (("month", "lat", "lon"), np.ones((12, 180, 360), np.float32), {"units": "gC/m2/d"})
    path = tmp_path / "odiac2022_1x1d_2019.nc"
    xr.Dataset({"land": land}, {"month": np.arange(1, 13), "lat": lat, "lon": lon}).to_netcdf(path)
    product = read(path)
    assert [str(time)[:7] for time in product.span] == ["2019-01", "2019-12"]
    assert "ODIAC2022" in product.dataset.attrs["citation"]
    path = path.rename(tmp_path / "odiac2022_1x1d.nc")
    with pytest.raises(FileProblem, match="without dates"):
        read(path)


def graced(path, value, days=2):
    """A file as carbonmonitor-graced.com gives it: north first, days as dates along `nday`."""
    lat, lon = 89.5 - np.arange(180.0), -179.5 + np.arange(360.0)
    emission = np.zeros((days, 180, 360), np.float32)
    emission[:, 54, 310] = value * (1 + np.arange(days))
    day = np.datetime64("2019-06-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
    xr.Dataset(
        {"emission": (("nday", "latitude", "longitude"), emission, {"units": "kgC/h"})},
        {"latitude": lat, "longitude": lon, "nday": day},
        {"unit": "kgC/h", "website": "https://carbonmonitor-graced.com/"},
    ).to_netcdf(path)
    return path


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("CarbonMonitor_total_y2019_m06.nc", "fossil_flux_imp"),
        ("CarbonMonitor_1_Power_y2019_m06.nc", "power_flux_imp"),
        ("CarbonMonitor_3_GroundTransportation_y2019_m06.nc", "ground_transport_flux_imp"),
        ("CarbonMonitor_4_International Aviation_y2019_m06.nc", "international_aviation_flux_imp"),
        ("GRACED_6_DomesticAviation_y2019_m06.nc", "domestic_aviation_flux_imp"),
        ("GRACED_5_InternationalShipping_y2019_m06.nc", "international_shipping_flux_imp"),
    ],
)
def test_graced_files_of_one_sector(tmp_path, name, variable):
    product = read(graced(tmp_path / name, 3.6))
    grid = product.dataset
    assert list(grid.data_vars) == [variable] and product.collection == "graced"
    assert [str(time)[:10] for time in product.span] == ["2019-06-01", "2019-06-02"]
    cell = float((grid[variable][1] * cell_area_m2(grid)).sel(lat=35.5, lon=130.5)) * 12.011
    assert cell == pytest.approx(2.0, rel=1e-5)  # g C a second: 7.2 kg an hour


def test_graced_sectors(tmp_path):
    grid = read(
        gridded(tmp_path / "GRACED_y2021_m03.nc", {"power": 3.6, "ground transport": 7.2}, units="kgC/h")
    ).dataset
    assert sorted(grid.data_vars) == ["ground_transport_flux_imp", "power_flux_imp"]
    total = float((grid["power_flux_imp"][0] * cell_area_m2(grid)).sum()) * 12.011  # g C a second
    assert total == pytest.approx(180 * 360, rel=1e-5)
    with pytest.raises(FileProblem, match="kg m-2"):
        read(gridded(tmp_path / "GRACED_y2021_m04.nc", {"power": 1.0}, units="kg m-2"))


def test_gfed_fires(tmp_path):
    path = tmp_path / "GFED4.1s_2015.hdf5"
    lat, lon = np.meshgrid(89.5 - np.arange(180.0), -179.5 + np.arange(360.0), indexing="ij")
    with h5py.File(path, "w") as file:
        file["lat"], file["lon"] = lat.astype("f4"), lon.astype("f4")
        for number in range(1, 13):
            carbon = np.zeros((180, 360), "f4")
            carbon[0, 0] = number
            file[f"emissions/{number:02d}/C"] = carbon
    product = read(path)
    grid = product.dataset["fire_flux_imp"]
    assert product.count == 12 and str(product.span[1])[:10] == "2015-12-16"
    assert float(grid.sel(lat=89.5, lon=-179.5)[1]) == pytest.approx(2 / 12.011 / (28 * 86400))
    assert float(grid.sum()) == pytest.approx(float(grid[:, -1, 0].sum()))


# ------------------------------------------------------------------------------------------------------------ bad input
def test_cdiac_trouble(tmp_path):
    path = tmp_path / "gridcar.2013"
    path.write_text("1.0E+00\n" * 64_000)
    with pytest.raises(FileProblem, match="64,000 numbers"):
        read(path)
    path.write_text("-1.0E+00\n" * 64_800)
    with pytest.raises(FileProblem, match="negative"):
        read(path)
    path.write_text("1.0E+00\n" * 100 + "broken\n")
    with pytest.raises(FileProblem, match="cannot be read"):
        read(path)
    nameless = tmp_path / "numbers.txt"
    nameless.write_text("1.000000E+00\n" * 64_800)
    with pytest.raises(FileProblem, match="no year"):
        read(nameless)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["31/12/2022", "01/02/2023"], ["2022-12-31", "2023-02-01"]),
        (["2022-12-31", "2023-02-01"], ["2022-12-31", "2023-02-01"]),
        (["12/31/2022", "02/01/2023"], ["2022-12-31", "2023-02-01"]),
    ],
)
def test_carbon_monitor_dates(tmp_path, dates, expected):
    path = tmp_path / "carbonmonitor.csv"
    path.write_text(
        "country,date,sector,MtCO2 per day\n"
        + "".join(f"China,{date},Power,1.5\n" for date in dates)
        + ",,,\nfooter,,,\n"
    )
    np.testing.assert_array_equal(read(path).dataset["time"], np.array(expected, dtype="datetime64[ns]"))


@pytest.mark.parametrize(
    ("column", "expected"),
    [("MtCO2 per day", 1.5), ("value (KtCO2 per day)", 0.0015), ("value", 1.5), ("tCO2 per day", 1.5e-6)],
)
def test_carbon_monitor_units(tmp_path, column, expected):
    path = tmp_path / "carbonmonitor.csv"
    path.write_text(f"country,date,sector,{column},timestamp\nChina,31/07/24,Power,1.5,1722384000\n")
    table = read(path).dataset
    assert float(table["co2_mt_per_day"][0]) == pytest.approx(expected)
    assert str(table["time"].to_numpy()[0])[:10] == "2024-07-31"


def test_carbon_monitor_trouble(tmp_path):
    path = tmp_path / "carbonmonitor.csv"
    path.write_text("country,date,sector,CO2\nChina,31/07/2024,Power,1.5\n")
    with pytest.raises(FileProblem, match="name gives the unit"):
        read(path)
    path.write_text("country,date,sector,value\nChina,31/02/2024,Power,1.5\nChina,01/02/2024,Power,inf\n")
    with pytest.raises(FileProblem, match="no row with a date and a number"):
        read(path)


def test_tables_without_rows(tmp_path):
    for text in ("country,date,sector,MtCO2 per day\n", "country,date,sector,MtCO2 per day\n,,,\n"):
        path = tmp_path / "carbonmonitor.csv"
        path.write_text(text)
        with pytest.raises(FileProblem, match=r"without rows|no row"):
            read(path)
    path = tmp_path / "plants.csv"
    path.write_text("name,capacity_mw,latitude,longitude,primary_fuel\nA,1,north,east,Coal\n")
    with pytest.raises(FileProblem, match="latitude and longitude"):
        read(path)
