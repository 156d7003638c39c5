"""Flux files of any layout become fluxes on the run's grid with the totals that the files have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from analysis.grids import EARTH_RADIUS_M, Box, ecmwf_levels, refined, uniform
from analysis.surface_fluxes import FluxProblem, read_inventory, reading
from analysis.surface_fluxes.reading import FluxFiles
from analysis.surface_fluxes.units import flux_unit
from analysis.transport.fluxes import air_mass
from analysis.transport.step import State
from data.errors import DataError

GRID = uniform("30x30")
COARSE = refined(Box(90, 130, 10, 50), 10.0, (20.0, 20.0))
CT2015 = "carbontracker/flux1x1/CT2015.flux1x1.2014-mean.nc"
NAMES = ("bio_flux_opt", "ocn_flux_opt", "fossil_flux_imp", "fire_flux_imp")


def pgc_a_year(values: np.ndarray, lat_edges: np.ndarray, lon_edges: np.ndarray, days: float = 365.0) -> float:
    """Integral over the Earth of mol m-2 s-1, computed without the code that is tested."""
    area = EARTH_RADIUS_M**2 * np.outer(np.diff(np.sin(np.radians(lat_edges))), np.radians(np.diff(lon_edges)))
    return float((values * area).sum()) * 12.011e-15 * days * 86_400


def write(path: Path, *, step: float = 10.0, days=None, turn=False, east=False, units="mol m-2 s-1", **fluxes) -> Path:
    """Fluxes in CarbonTracker's layout; `turn`: north first, `east`: 0..360. Values: scalars, or (time, lat, lon)."""
    lat = np.arange(-90 + step / 2, 90, step)
    lon = np.arange(-180 + step / 2, 180, step)
    times = np.asarray(days if days is not None else ["2014-07-01T12:00"], dtype="datetime64[ns]")
    shape = (len(times), len(lat), len(lon))
    data = {}
    for name, value in fluxes.items():
        values = np.array(np.broadcast_to(value, shape), dtype=np.float64)
        if east:
            values = np.roll(values, len(lon) // 2, axis=-1)
        data[name] = (("time", "lat", "lon"), values[:, ::-1] if turn else values, {"units": units})
    coordinates = {
        "time": times,
        "lat": ("lat", lat[::-1] if turn else lat, {"units": "degrees_north"}),
        "lon": ("lon", np.arange(step / 2, 360, step) if east else lon, {"units": "degrees_east"}),
    }
    xr.Dataset(data, coordinates).to_netcdf(path)
    return path


def random_fluxes(times: int = 1, step: float = 10.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    shape = (times, round(180 / step), round(360 / step))
    return {
        name: np.abs(rng.normal(size=shape)) * 1e-8 if name.endswith("_imp") else rng.normal(size=shape) * 1e-8
        for name in NAMES
    }


# -- the real fluxes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "grid", [uniform("6x4"), uniform("2x2.5"), refined(fine=3.0, coarse=(9.0, 6.0), box=Box(60, 150, -12, 54))]
)
def test_the_real_fluxes_of_2014_on_any_grid(real, grid):
    """Totals as NOAA's own file has them (CT2015, 2014): +1.94 fires, +9.80 fossil, -2.81 ocean, -4.40 biosphere PgC."""
    inventory = read_inventory(real / CT2015, grid)
    totals = inventory.annual_totals(2014)
    with xr.open_dataset(real / CT2015, decode_times=False) as raw:
        for name, component in zip(NAMES, ("biosphere", "ocean", "fossil", "fire"), strict=True):
            known = pgc_a_year(np.nan_to_num(raw[name][0].to_numpy()), np.arange(-90, 91.0), np.arange(-180, 181.0))
            assert totals[component] == pytest.approx(known, rel=1e-12)
    expected = {"biosphere": -4.40, "ocean": -2.82, "fossil": 9.81, "fire": 1.94}
    assert totals == pytest.approx(expected, abs=0.015)
    assert sum(totals.values()) / 2.124 == pytest.approx(2.132, abs=0.002)  # PgC per ppm, usual
    assert not inventory.simulated and "CT2015" in inventory.label and "CT2015" in inventory.citations[0]


def test_a_year_of_steps_raises_the_mean_as_the_totals_say(real):
    grid, levels = uniform("6x4"), ecmwf_levels(25)
    inventory = read_inventory(real / CT2015, grid, diurnal=True, repeat_year=True)
    air = air_mass(grid, levels, np.full(grid.shape, 5.1352e18 * 9.80665 / (4 * np.pi * EARTH_RADIUS_M**2)))
    state = State.of(np.zeros((*air.shape, 4)), air, np.float64)
    sources = inventory.sources({"biosphere": 0, "ocean": 1, "fossil": 2, "fire": 3})
    step = 73 * 3600.0
    for number in range(120):  # 2023, from the fluxes of 2014
        middle = np.datetime64("2023-01-01", "s") + np.timedelta64(int((number + 0.5) * step), "s")
        for process in sources(middle, step):
            process(state, step)
    rise = state.total() / air.sum()
    assert rise.sum() == pytest.approx(2.1253, abs=0.0005)
    assert rise[2] == pytest.approx(inventory.annual_totals()["fossil"] / 12.011e-15 * 0.0289644 * 1e6 / air.sum())


def test_cdiac_beside_the_ocean_of_carbontracker(real):
    fossil = real / "emissions" / "cdiac_gridcar_1deg" / "gridcar.2013"
    both = read_inventory([fossil, real / CT2015], GRID, components=["fossil", "ocean"])
    assert list(both.components) == ["fossil", "ocean"]
    assert "CDIAC" in both.label and "CT2015" in both.label
    only = read_inventory(fossil, GRID)
    assert only.annual_totals(2013)["fossil"] == pytest.approx(9.2336, rel=1e-4)  # SUMMARY.MASS.DAT
    with pytest.raises(FluxProblem, match="no fossil flux from 2014-01-01"):
        only.check(np.datetime64("2013-06-01"), np.datetime64("2014-02-01"))


# -- layouts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize("east", [False, True])
@pytest.mark.parametrize("grid", [GRID, COARSE])
def test_both_orders_of_latitude_and_any_longitudes(tmp_path, turn, east, grid):
    fluxes = random_fluxes()
    path = write(tmp_path / "CT2022.flux1x1.2014.nc", turn=turn, east=east, **fluxes)
    inventory = read_inventory(path, grid)
    plain = read_inventory(write(tmp_path / "plain.2014.nc", **fluxes), grid)
    for name, component in zip(NAMES, ("biosphere", "ocean", "fossil", "fire"), strict=True):
        total = pgc_a_year(fluxes[name][0], np.arange(-90, 91.0, 10), np.arange(-180, 181.0, 10))
        assert inventory.annual_totals(2014)[component] == pytest.approx(total, rel=1e-12, abs=1e-12)
        one, other = (each.at(np.datetime64("2014-05-05"))[component] for each in (inventory, plain))
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-22)


def test_three_hourly_files_are_joined_and_only_some_are_held(tmp_path, monkeypatch):
    fluxes = random_fluxes(8)
    for day in range(1, 6):
        times = np.datetime64(f"2014-03-{day:02d}T01:30") + np.arange(8) * np.timedelta64(3, "h")
        values = {name: fluxes[name] * day for name in NAMES[1:3]}
        write(tmp_path / f"CT2022.flux1x1.201403{day:02d}.nc", days=times, **values)
    monkeypatch.setattr(reading, "MEMORY_BYTES", 200_000)  # two files of 84 kB
    files = []
    monkeypatch.setattr(reading, "FluxFiles", lambda grid: files.append(FluxFiles(grid)) or files[0])
    inventory = read_inventory(tmp_path, GRID)
    series = inventory.components["ocean"][0]
    assert len(series) == 40 and series.starts[0] == np.datetime64("2014-03-01") and series.longest_s == 10_800
    for number in (3, 30, 37):
        day, hour = divmod(number, 8)
        moment = np.datetime64("2014-03-01T02:00", "s") + number * np.timedelta64(3, "h")
        total = pgc_a_year(fluxes[NAMES[1]][hour] * (day + 1), np.arange(-90, 91.0, 10), np.arange(-180, 181.0, 10))
        got = (inventory.at(moment)["ocean"] * GRID.area).sum() * 12.011e-15 * 365 * 86_400
        assert got == pytest.approx(total, rel=1e-12)
        assert 1 <= len(files[0].held) <= 2
    inventory.check(np.datetime64("2014-03-01"), np.datetime64("2014-03-06"))
    (tmp_path / "CT2022.flux1x1.20140303.nc").unlink()
    with pytest.raises(FluxProblem, match="from 2014-03-03T00:00:00 to 2014-03-04T00:00:00"):
        read_inventory(tmp_path, GRID).check(np.datetime64("2014-03-01"), np.datetime64("2014-03-06"))


@pytest.mark.parametrize(
    "times, first, last, length",
    [
        (np.arange("2014-01", "2014-07", dtype="datetime64[M]"), "2014-01-01", "2014-07-01", 31),  # stamped on the 1st
        (["2014-01-16T12", "2014-02-15", "2014-03-16T12"], "2014-01-01", "2014-04-01", 31),
        (["2013-07-02", "2014-07-02", "2015-07-02"], "2013-01-01", "2016-01-01", 365),
        (["2014-01-01", "2014-01-02", "2014-01-03"], "2014-01-01", "2014-01-04", 1),
        (["2014-01-01T12", "2014-01-02T12"], "2014-01-01", "2014-01-03", 1),
        (["2014-01-04T12", "2014-01-11T12", "2014-01-18T12"], "2014-01-01", "2014-01-22", 7),
        (["2014-01-01", "2014-01-09", "2014-01-17"], "2014-01-01", "2014-01-25", 8),
        (["2014-01-01T00", "2014-01-01T06", "2014-01-01T12"], "2014-01-01", "2014-01-01T18", 0.25),
        (["2014-01-01T03", "2014-01-01T09", "2014-01-01T15"], "2014-01-01", "2014-01-01T18", 0.25),
    ],
)
def test_what_times_stand_for(tmp_path, times, first, last, length):
    times = np.asarray(times, dtype="datetime64[ns]")
    path = write(tmp_path / "flux.nc", days=times, ocn_flux_opt=1e-9)
    series = read_inventory(path, GRID).components["ocean"][0]
    assert (series.starts[0], series.ends[-1]) == (np.datetime64(first), np.datetime64(last))
    assert series.longest_s == length * 86_400 and not list(series.gaps(series.starts[0], series.ends[-1]))


def test_time_bounds_count_before_everything(tmp_path):
    path = write(tmp_path / "flux.nc", days=["2014-01-05", "2014-01-15"], ocn_flux_opt=1e-9)
    with xr.open_dataset(path) as known:
        data = known.load()
    bounds = np.array([["2014-01-01", "2014-01-06"], ["2014-01-06", "2014-02-01"]], dtype="datetime64[ns]")
    data["time_bnds"] = (("time", "bnds"), bounds)
    data.time.attrs["bounds"] = "time_bnds"
    data.to_netcdf(tmp_path / "bounded.nc")
    series = read_inventory(tmp_path / "bounded.nc", GRID).components["ocean"][0]
    assert (series.starts == bounds[:, 0]).all() and (series.ends == bounds[:, 1]).all()


@pytest.mark.parametrize(
    "units, moles",
    [
        ("gC/m2/day", 1 / 12.011 / 86_400),
        ("kg C m-2 s-1", 1e3 / 12.011),
        ("kgCO2 m-2 month-1", 1e3 / 44.009 / (31 * 86_400)),
        ("umol m-2 s-1", 1e-6),
        ("tC km-2 yr-1", 1e6 / 12.011 / 1e6 / (365 * 86_400)),
    ],
)
def test_units_are_those_of_the_file(tmp_path, units, moles):
    rate = 1e-9 / moles
    path = write(tmp_path / "TanSat_flux_201705.nc", days=["2017-05-16T12"], units=units, posterior_flux=rate)
    inventory = read_inventory(path, GRID, components={"posterior_flux": "biosphere"})
    np.testing.assert_allclose(inventory.at(np.datetime64("2017-05-03"))["biosphere"], 1e-9, rtol=1e-6)


def test_mass_in_each_cell_keeps_its_sum(tmp_path):
    mass = np.random.default_rng(1).uniform(0, 0.03, (1, 18, 36))
    path = write(tmp_path / "fossil_2016.nc", days=["2016-07-01"], units="PgC/yr", fossil_co2=mass)
    for grid in (GRID, COARSE):
        inventory = read_inventory(path, grid)
        assert inventory.annual_totals(2016)["fossil"] == pytest.approx(mass.sum(), rel=1e-12)


def test_what_units_say():
    assert flux_unit("mol m-2") is None and flux_unit("K") is None and flux_unit("") is None
    assert flux_unit("kg" + "C" * 10**6 + " m-2 s-1") is None and flux_unit("mol sr-1 s-1") is None
    assert flux_unit("kg m-2 s-1").moles is None
    assert flux_unit(
        "kg m-2 s-1", described="surface flux of carbon dioxide expressed as carbon"
    ).moles == pytest.approx(83.257)
    assert flux_unit("kg m-2 s-1", described="emi_co2").moles == pytest.approx(22.7226, rel=1e-5)
    assert flux_unit("PgC/yr").area_m2 is None and flux_unit("PgC/yr").per == "year"
    year = flux_unit("mol m-2 yr-1")
    assert year.factor(np.datetime64("2015-03-01")) / year.factor(np.datetime64("2016-03-01")) == pytest.approx(
        366 / 365
    )


def test_what_counts_downward_is_turned(tmp_path):
    path = write(tmp_path / "model_2014.nc", units="kg m-2 s-1", fgco2=0.012011e-9)
    with xr.open_dataset(path) as known:
        data = known.load()
    data["fgco2"].attrs["standard_name"] = "surface_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon"
    data.to_netcdf(tmp_path / "fgco2_2014.nc")
    inventory = read_inventory(tmp_path / "fgco2_2014.nc", GRID)
    np.testing.assert_allclose(inventory.at(np.datetime64("2014-02-02"))["ocean"], -1e-9, rtol=1e-6)


def test_emission_maps_of_other_providers(tmp_path):
    kilograms = np.zeros((1, 18, 36))
    kilograms[0, 12, 30] = 3e-9
    path = write(tmp_path / "plain.nc", units="kg m-2 s-1", fluxes=kilograms, days=["2022-07-01"])
    with xr.open_dataset(path) as known:
        edgar = known.load().isel(time=0, drop=True)
    edgar["fluxes"].attrs["standard_name"] = "tendency_of_atmosphere_mass_content_of_carbon_dioxide_due_to_emission"
    edgar.to_netcdf(tmp_path / "v8.0_FT2022_GHG_CO2_2022_TOTALS_flx.nc")
    inventory = read_inventory(tmp_path / "v8.0_FT2022_GHG_CO2_2022_TOTALS_flx.nc", uniform("10x10"))
    assert inventory.at(np.datetime64("2022-12-31"))["fossil"][12, 30] == pytest.approx(3e-6 / 44.009)

    import rasterio

    tonnes = np.zeros((18, 36), "f4")
    tonnes[5, 30] = 1e6  # north first: the same cell
    tif = tmp_path / "odiac2023_1km_excl_intl_1907.tif"
    profile = {"driver": "GTiff", "height": 18, "width": 36, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(tif, "w", **profile, transform=rasterio.transform.from_origin(-180, 90, 10, 10)) as file:
        file.write(tonnes, 1)
    odiac = read_inventory(tif, uniform("10x10"))
    (series,) = odiac.components["fossil"]
    assert (series.starts[0], series.ends[0]) == (np.datetime64("2019-07-01"), np.datetime64("2019-08-01"))
    moles = odiac.at(np.datetime64("2019-07-09"))["fossil"] * uniform("10x10").area * 31 * 86_400
    assert moles[12, 30] == pytest.approx(1e12 / 12.011, rel=1e-6) and moles.sum() == pytest.approx(moles[12, 30])


def test_a_regional_map_is_nothing_elsewhere(tmp_path):
    path = write(tmp_path / "flux_2014.nc", fossil_flux_imp=random_fluxes()["fossil_flux_imp"])
    with xr.open_dataset(path) as known:
        whole = known.load()
    for name, part in (
        ("asia", whole.sel(lat=slice(0, 60), lon=slice(60, 150))),
        ("pacific", whole.isel(lon=[0, 1, 2, 3, 32, 33, 34, 35])),
    ):
        part.to_netcdf(tmp_path / f"{name}_2014.nc")
        area = whole.lat.size  # rows of ten degrees
        inventory = read_inventory(tmp_path / f"{name}_2014.nc", uniform("20x20"))
        sines = np.diff(np.sin(np.radians(np.arange(-90, 91.0, 10))))
        rows = sines[np.isin(whole.lat, part.lat)]
        moles = (part["fossil_flux_imp"][0].to_numpy() * rows[:, None]).sum() * np.radians(10) * EARTH_RADIUS_M**2
        known_total = moles * 12.011e-15 * 365 * 86_400
        assert inventory.annual_totals(2014)["fossil"] == pytest.approx(known_total, rel=1e-9) and area == 18
    flux = inventory.at(np.datetime64("2014-02-02"))["fossil"]
    assert (flux[:, 7:11] == 0).all() and (flux[:, 0] > 0).all() and (flux[:, -1] > 0).all()


def test_missing_cells_are_no_flux_and_missing_maps_are_an_error(tmp_path):
    values = np.full((2, 18, 36), 1e-9)
    values[:, :9] = np.nan
    path = write(tmp_path / "flux_2014.nc", days=["2014-01-01", "2014-02-01"], ocn_flux_opt=values)
    flux = read_inventory(path, GRID).at(np.datetime64("2014-01-15"))["ocean"]
    assert (flux[:3] == 0).all() and np.allclose(flux[3:], 1e-9)
    values[1] = np.nan
    with pytest.raises(FluxProblem, match=r"2014-02-01.*has no values"):
        read_inventory(write(path, days=["2014-01-01", "2014-02-01"], ocn_flux_opt=values), GRID)


def test_maps_too_large_to_hold_are_regridded_in_stripes(tmp_path, monkeypatch):
    path = write(tmp_path / "flux_2014.nc", step=2.0, **random_fluxes(step=2.0))
    whole = read_inventory(path, COARSE).at(np.datetime64("2014-02-02"))
    monkeypatch.setattr(reading, "STRIPE_CELLS", 700)
    striped = read_inventory(path, COARSE).at(np.datetime64("2014-02-02"))
    for name in whole:
        np.testing.assert_allclose(striped[name], whole[name], rtol=1e-10, atol=1e-24)


def test_a_product_of_the_data_folder_by_its_name(home, tmp_path):
    from data.importing import import_paths

    months = np.arange("2014-01", "2015-01", dtype="datetime64[M]").astype("datetime64[D]") + 14
    path = write(tmp_path / "CT2022.flux1x1-monthly.nc", days=months, **random_fluxes(12))
    (record,) = import_paths([path], home=home)
    assert record.status == "imported", record.message
    from_cube = read_inventory("carbontracker-ct2022-fluxes-monthly", GRID, repeat_year=True)
    from_file = read_inventory(path, GRID)
    assert from_cube.annual_totals() == pytest.approx(from_file.annual_totals(2014), rel=1e-5)
    assert from_cube.citations and "2014 in every year" in from_cube.label


def test_sectors_add_up_and_a_total_replaces_them(tmp_path):
    kg_an_hour = {"Power": 1e3, "Industry": 3e3}
    moment = np.datetime64("2014-02-02")
    sectors = write(tmp_path / "CarbonMonitor_2014.nc", units="kgC/h", **kg_an_hour)
    moles = 648 * 4e3 / 0.012011 / 3600
    flux = read_inventory(sectors, GRID).at(moment)["fossil"]
    assert (flux * GRID.area).sum() == pytest.approx(moles, rel=1e-6)
    total = write(tmp_path / "CarbonMonitor_total_2014.nc", units="kgC/h", emission=5e3)
    flux = read_inventory(total, GRID).at(moment)["fossil"]
    assert (flux * GRID.area).sum() == pytest.approx(moles * 5 / 4, rel=1e-6)
    with pytest.raises(FluxProblem, match="given twice"):
        read_inventory([total, sectors], GRID)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fluxes, settings, message",
    [
        ({"fossil_flux_imp": -1e-9}, {}, "negative in .* cells.*check the sign"),
        ({"fire_flux_imp": np.where(np.arange(36) == 7, -1e-9, 1e-9)}, {}, "check the sign"),
        ({"bio_flux_opt": -1e-6}, {}, "PgC a year over the Earth.*check their unit"),
        ({"ocn_flux_opt": 44.0}, {}, "check their unit"),
        ({"bio_flux_opt": np.inf}, {}, "infinite"),
        ({"soil_temperature": 280.0}, {}, "known components, found soil_temperature"),
        ({"fossil_co2": 1.0}, {"units": "K"}, "as a flux in mol m-2 s-1.*found units 'K'"),
        ({"fossil_co2": 1.0}, {"units": ""}, "found no units"),
        ({"land_sink": 1e-9}, {"units": "kg m-2 s-1"}, "mass of carbon or of CO2"),
        ({"fossil_one": 1e-9, "edgar_two": 1e-9}, {}, "given twice"),
    ],
)
def test_bad_files_are_refused_in_a_sentence(tmp_path, fluxes, settings, message):
    path = write(tmp_path / "flux_2014.nc", **settings, **fluxes)
    with pytest.raises((FluxProblem, DataError), match=message) as refused:
        read_inventory(path, GRID)
    assert str(refused.value).endswith(".")


def test_bad_requests_are_refused_in_a_sentence(tmp_path):
    good = write(tmp_path / "flux_2014.nc", ocn_flux_opt=1e-9)
    again = write(tmp_path / "again_2014.nc", ocn_flux_opt=1e-9)
    longer = write(tmp_path / "long_2013_2015.nc", days=["2014-06-30"], ocn_flux_opt=1e-9)
    undated = write(tmp_path / "flux.nc", ocn_flux_opt=1e-9)
    empty, folder = tmp_path / "empty.nc", tmp_path / "folder"
    empty.touch()
    folder.mkdir()
    broken = tmp_path / "broken_2014.nc"
    broken.write_bytes(good.read_bytes()[:3000])
    for paths, settings, message in (
        ([], {}, "at least one file"),
        (folder, {}, "folder without any"),
        (empty, {}, "an empty file"),
        (broken, {}, "broken_2014.nc"),
        (tmp_path / "nowhere", {}, "no such file"),
        ([good, good], {}, "given twice"),
        ([good, again], {}, "given twice"),
        ([good, longer], {}, "one over the other"),
        (undated, {}, "the period that the map stands for"),
        (good, {"components": ["ocean", "fossil"]}, "No file holds fluxes of fossil"),
        (good, {"components": ["sea"]}, "found 'sea'"),
        (good, {"components": "ocean"}, "as a list"),
        (good, {"components": {"flux": "ocean"}}, "No file holds the variable 'flux'"),
        (good, {"repeat_year": 2013}, "to repeat it"),
        (longer, {"repeat_year": True}, "say which one"),
    ):
        with pytest.raises((FluxProblem, DataError), match=message) as refused:
            read_inventory(paths, GRID, **settings)
        assert str(refused.value).endswith(".")
