"""Packs from real NCEP R1 winds, and from files in the layouts of MERRA-2 and ERA5 whose winds are known."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from analysis.grids import ecmwf_levels, uniform
from analysis.transport import sweeps
from analysis.transport.fluxes import air_mass
from analysis.transport.rounding import BEGINNINGS
from analysis.transport.step import State, Transport
from analysis.weather import WeatherProblem
from analysis.weather.geos_levels import geos_levels
from analysis.weather.reanalysis import era5_intervals, geos_intervals, make_pack, ncep_intervals
from analysis.weather.winds import FluxMaker, Points, Winds, to_pressures

DAILY, MONTHLY = "meteorology/ncep_r1_daily_20220101_05", "meteorology/ncep_r1_monthly_202201_02"
WIND = 20.0


def ncep_files(real: Path, *names: str) -> list[Path]:
    return [real / DAILY / f"{name}_2022_day5.nc" for name in names]


@pytest.fixture(scope="module")
def ncep(tmp_path_factory, real_files):
    pressure = real_files / MONTHLY / "pressfc_202201_mon_mean.nc"
    files = [*ncep_files(real_files, "uwnd", "vwnd", "shum"), pressure]
    path = tmp_path_factory.mktemp("ncep") / "pack"
    return make_pack(path, uniform("6x4"), ecmwf_levels(25), ncep_intervals(files), source="NCEP/NCAR Reanalysis 1")


@pytest.fixture(scope="module")
def real_files(request):
    return request.getfixturevalue("real")


def test_five_real_days_close_and_replay(ncep):
    assert len(ncep) == 5 and not ncep.simulated
    assert str(ncep.time_edges[0]) == "2022-01-01T00:00:00" and str(ncep.time_edges[-1]) == "2022-01-06T00:00:00"
    assert ncep.attrs["replay_error"] < 1e-10
    assert abs(ncep.attrs["dry_mass_drift"]) < 1e-13
    # tens of hPa a day had to be mended, as for anyone who starts from these winds
    assert 20 < ncep.attrs["closure_residual_hpa_per_day"] < 120
    assert ncep.dry_mass_kg == pytest.approx(5.1352e18, rel=0.01)


def test_noise_does_not_grow_in_real_winds(ncep):
    transport = Transport(ncep.grid, ncep.levels)
    noise = 1e-6 * np.random.default_rng(0).normal(size=(*transport.shape, 1))
    state = State.of(noise, air_mass(ncep.grid, ncep.levels, ncep.surface_pressure(0)), np.float64)
    for number in range(len(ncep)):
        interval = ncep.interval(number)
        transport.step(state, interval.fluxes, interval.seconds, steps=24)
    after = state.mixing_ratio()
    assert np.abs(after).max() < 2 * np.abs(noise).max()
    assert np.sqrt(np.mean(after**2)) < np.sqrt(np.mean(noise**2))


def test_rounding_errors_cancel_in_real_winds(ncep, monkeypatch):
    """A day of one wind: rounding to the nearest makes the same errors every hour, and they add up."""

    def error() -> float:
        transport, interval = Transport(ncep.grid, ncep.levels), ncep.interval(0)
        state = State.of(np.ones((*transport.shape, 1)), air_mass(ncep.grid, ncep.levels, interval.surface_pressure))
        transport.step(state, interval.fluxes, interval.seconds)
        return float(np.sqrt(np.mean((state.mixing_ratio() - 1) ** 2)))

    dithered = error()
    monkeypatch.setattr(sweeps, "dither", lambda length, turn, dtype: np.zeros(length + BEGINNINGS, dtype))
    assert dithered < 0.5 * error()


def test_the_corrected_winds_are_still_the_winds(ncep, real_files):
    with xr.open_dataset(real_files / DAILY / "uwnd_2022_day5.nc") as raw:
        name = next(name for name in raw.data_vars if raw[name].ndim == 4)
        u = raw[name].isel({raw[name].dims[0]: 0}).sel({raw[name].dims[1]: 300}, method="nearest").load()
    lat, lon = (next(u[name] for name in u.dims if name.startswith(axis)) for axis in ("lat", "lon"))
    interval = ncep.interval(0)
    edges = ncep.levels.edge_pressure(interval.surface_pressure)
    layer = int(np.argmin(np.abs(np.sqrt(edges[1:] * edges[:-1]).mean(axis=(1, 2)) - 30_000)))
    metres = np.radians(ncep.grid.lat_widths)[:, None] * 6.371e6
    mass = ncep.levels.layer_mass(interval.surface_pressure)[layer]
    ours = interval.fluxes.x[layer] / (mass * metres)
    rows, columns = ncep.grid.lat, ncep.grid.lon_edges[:-1]
    theirs = u.interp({lat.name: rows, lon.name: columns % 360}, kwargs={"fill_value": None}).to_numpy()
    if theirs.shape != ours.shape:
        theirs = theirs.T
    inside = np.abs(rows) < 70
    assert np.corrcoef(ours[inside].ravel(), theirs[inside].ravel())[0, 1] > 0.98
    assert np.sqrt(np.mean((ours - theirs)[inside] ** 2)) < 3.5


def test_ncep_without_pressure_or_with_another_month_says_so(real_files, tmp_path):
    with pytest.raises(WeatherProblem, match="found no surface_pressure"):
        list(ncep_intervals(ncep_files(real_files, "uwnd", "vwnd")))
    with pytest.raises(WeatherProblem, match="found no v_wind"):
        list(ncep_intervals(ncep_files(real_files, "uwnd", "shum")))
    with pytest.raises(WeatherProblem, match="no weather in the time"):
        make_pack(tmp_path / "pack", uniform("6x4"), ecmwf_levels(25), [], source="NCEP R1")


def test_ncep_files_with_holes_say_so(real_files, tmp_path):
    pressure = real_files / MONTHLY / "pressfc_202201_mon_mean.nc"

    def pack(**changes) -> None:
        paths = []
        for name in ("uwnd", "vwnd"):
            with xr.open_dataset(ncep_files(real_files, name)[0]) as raw:
                paths.append(tmp_path / f"{name}.nc")
                raw.load().isel(changes.get(name, {})).to_netcdf(paths[-1])
        make_pack(
            tmp_path / "pack", uniform("12x10"), ecmwf_levels(25), ncep_intervals([*paths, pressure]), source="R1"
        )

    for changes, sentence in (
        ({"uwnd": {"time": [0, 1, 3, 4]}}, "ends 2022-01-03T00:00:00 and the next begins 2022-01-04"),
        ({"uwnd": {"time": []}}, "no time in common"),
        ({"vwnd": {"level": slice(0, 10)}}, "take winds of one grid"),
        ({"uwnd": {"lat": slice(0, 36)}, "vwnd": {"lat": slice(0, 36)}}, "must cover the Earth"),
    ):
        with pytest.raises(WeatherProblem, match=sentence):
            pack(**changes)
        assert not [path for path in tmp_path.iterdir() if "pack" in path.name]


# -- MERRA-2 as GEOS-Chem has it ---------------------------------------------------------------------------------------


def geos_files(
    folder: Path, *, wind: float = WIND, layers: int = 72, gap: bool = False, positive: str = "up", vapour: float = 2e-3
) -> list[Path]:
    """A day of files on 4 x 5 degrees: solid-body westerlies, a boundary layer of 800 m, convection over the equator."""
    lat = np.concatenate([[-89.0], np.arange(-86.0, 87.0, 4.0), [89.0]])
    lon = np.arange(-180.0, 180.0, 5.0)
    shape = (layers, len(lat), len(lon))
    rng = np.random.default_rng(3)

    def save(stream: str, times: np.ndarray, **variables) -> Path:
        data = {
            name: (
                ("time", *dims, "lat", "lon"),
                np.broadcast_to(values, (len(times), *values.shape)).astype("f4"),
                {"units": unit},
            )
            for name, (dims, values, unit) in variables.items()
        }
        coordinates = {
            "time": times,
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        }
        for dim in {dim for dims, _, _ in variables.values() for dim in dims}:
            size = layers if dim == "lev" else layers + 1
            coordinates[dim] = (dim, np.arange(1, size + 1.0), {"units": "layer", "positive": positive})
        path = folder / f"MERRA2.20190701.{stream}.4x5.nc4"
        xr.Dataset(data, coordinates).to_netcdf(path)
        return path

    u = wind * np.cos(np.radians(lat))[None, :, None] * np.ones(shape)
    middle = np.datetime64("2019-07-01T01:30", "ns") + np.arange(8) * np.timedelta64(3, "h")
    begin = np.datetime64("2019-07-01T00:00", "ns") + np.arange(9) * np.timedelta64(3, "h")
    hourly = np.datetime64("2019-07-01T00:30", "ns") + np.arange(24) * np.timedelta64(1, "h")
    pressure = 985.0 + 5.0 * rng.normal(size=shape[1:])
    tropics = np.exp(-((lat / 10.0) ** 2))[:, None] * np.ones(shape[1:])
    flux = np.zeros((layers + 1, *shape[1:]))
    flux[1:20] = 0.02 * tropics
    detrained = np.zeros(shape)
    detrained[19] = 0.02 * tropics
    return [
        save(
            "A3dyn",
            middle[:3] if gap else middle,
            U=(("lev",), u, "m s-1"),
            V=(("lev",), np.zeros(shape), "m s-1"),
            DTRAIN=(("lev",), detrained, "kg m-2 s-1"),
        ),
        save("A3mstE", middle, CMFMC=(("ilev",), flux, "kg m-2 s-1")),
        save(
            "I3",
            begin,
            PS=((), pressure, "hPa"),
            QV=(("lev",), np.linspace(2e-3, vapour, layers)[:, None, None] * np.ones(shape), "kg kg-1"),
        ),
        save(
            "A1",
            hourly,
            PBLH=((), np.full(shape[1:], 800.0), "m"),
            USTAR=((), np.full(shape[1:], 0.3), "m s-1"),
            HFLUX=((), np.full(shape[1:], 25.0), "W m-2"),
        ),
    ]


DAY = np.datetime64("2019-07-01"), np.datetime64("2019-07-02")


def test_merra2_in_geos_chems_layout(tmp_path):
    files = geos_files(tmp_path)
    grid, levels = uniform("6x4"), ecmwf_levels(25)
    pack = make_pack(tmp_path / "pack", grid, levels, geos_intervals(files, *DAY), source="MERRA-2")
    assert len(pack) == 8 and pack.interval(0).seconds == 10_800
    assert set(pack.field_names) == {
        "boundary_layer_height",
        "friction_velocity",
        "sensible_heat_flux",
        "convective_mass_flux",
        "convective_detrainment",
    }
    interval = pack.interval(2)
    assert np.allclose(interval.fields["boundary_layer_height"], 800)
    mass = levels.layer_mass(interval.surface_pressure)
    metres = np.radians(grid.lat_widths)[:, None] * 6.371e6
    wind = interval.fluxes.x / (mass * metres)
    expected = WIND * np.cos(np.radians(grid.lat))[:, None]
    assert np.abs(np.median(wind, axis=(0, 2)) - expected[:, 0]).max() < 0.5
    detrained = interval.fields["convective_detrainment"].sum(axis=0)
    flux = interval.fields["convective_mass_flux"].max(axis=0)
    np.testing.assert_allclose(detrained, flux, rtol=0.05, atol=1e-5)
    from analysis.transport.mixing import Convection
    from analysis.transport.team import Team

    upward = np.concatenate([interval.fields["convective_mass_flux"], np.zeros((1, *grid.shape))]) * grid.area
    state = State.of(np.ones((25, *grid.shape, 1)), air_mass(grid, levels, interval.surface_pressure), np.float64)
    Convection.from_mass_flux(upward, interval.fields["convective_detrainment"] * grid.area, Team())(state, 10_800.0)
    np.testing.assert_allclose(state.mixing_ratio(), 1.0, rtol=1e-12)


def test_vapour_is_taken_off(tmp_path):
    grid, levels = uniform("6x4"), ecmwf_levels(25)
    first = next(geos_intervals(geos_files(tmp_path), *DAY))
    maker = FluxMaker(grid, levels, first.winds.lat, first.winds.lon)
    moist = maker.centres(first.pressure_start)
    dry = maker.dry_pressure(first.winds, first.pressure_start)
    np.testing.assert_allclose((moist - dry) / moist, 2e-3, rtol=0.01)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"gap": True}, "for 2019-07-01T10:30:00"),
        ({"layers": 40}, "72 layers, or 47"),
        ({"positive": "down"}, "from the ground up"),
        ({"vapour": 4e-3}, "more water vapour in the last level"),
        ({"wind": 5000.0}, "faster than any wind"),
        ({"wind": np.nan}, "missing or infinite"),
    ],
)
def test_bad_merra2_is_refused_in_a_sentence(tmp_path, settings, message):
    with pytest.raises(WeatherProblem, match=message):
        list(geos_intervals(geos_files(tmp_path, **settings), *DAY))


def test_a_day_that_is_not_there(tmp_path):
    with pytest.raises(WeatherProblem, match="supply the files of that time"):
        list(geos_intervals(geos_files(tmp_path)[:3], DAY[1], DAY[1] + np.timedelta64(1, "D")))


def test_geos_levels_are_layers():
    assert geos_levels(72).count == 72 and geos_levels(47).count == 47
    assert geos_levels(47).a_pa[-1] == geos_levels(72).a_pa[-1] == 1.0


# -- ERA5 in the ARCO layout -------------------------------------------------------------------------------------------


@pytest.fixture
def era5_store(tmp_path):
    lat, lon = np.arange(90.0, -90.1, -5.0), np.arange(0.0, 360.0, 5.0)
    level = np.array([1, 10, 50, 100, 200, 300, 500, 700, 850, 925, 1000])
    time = np.datetime64("2020-02-01T00", "ns") + np.arange(13) * np.timedelta64(1, "h")
    shape = (len(time), len(level), len(lat), len(lon))
    u = np.broadcast_to(WIND * np.cos(np.radians(lat))[:, None], shape).astype("f4")
    surface = (98_000 + 400 * np.cos(np.radians(lon)) * np.cos(np.radians(lat))[:, None])[None] * np.ones(len(time))[
        :, None, None
    ]
    dims = ("time", "level", "latitude", "longitude")
    flat = (dims[0], *dims[2:])
    dataset = xr.Dataset(
        {
            "u_component_of_wind": (dims, u, {"units": "m s**-1"}),
            "v_component_of_wind": (dims, np.zeros(shape, "f4"), {"units": "m s**-1"}),
            "specific_humidity": (dims, np.full(shape, 1e-3, "f4"), {"units": "kg kg**-1"}),
            "surface_pressure": (flat, surface.astype("f4"), {"units": "Pa"}),
            "boundary_layer_height": (flat, np.full(surface.shape, 650, "f4"), {"units": "m"}),
            "friction_velocity": (flat, np.full(surface.shape, 0.4, "f4"), {"units": "m s**-1"}),
        },
        {"time": time, "level": ("level", level, {"units": "hPa"}), "latitude": lat, "longitude": lon},
        {"valid_time_stop": "2020-02-28"},
    )
    path = tmp_path / "full_37-1h.zarr-v3"
    dataset.chunk({"time": 1}).to_zarr(path, zarr_format=2, consolidated=True)
    return path


def test_era5_in_the_arco_layout(era5_store, tmp_path):
    grid, levels = uniform("6x4"), ecmwf_levels(25)
    begin = np.datetime64("2020-02-01T00:00")
    pack = make_pack(
        tmp_path / "pack",
        grid,
        levels,
        era5_intervals(era5_store, begin, begin + np.timedelta64(12, "h")),
        source="ERA5",
    )
    assert len(pack) == 4 and set(pack.field_names) == {"boundary_layer_height", "friction_velocity"}
    interval = pack.interval(1)
    wind = interval.fluxes.x / (
        levels.layer_mass(interval.surface_pressure) * np.radians(grid.lat_widths)[:, None] * 6.371e6
    )
    expected = WIND * np.cos(np.radians(grid.lat))
    assert np.abs(np.median(wind, axis=(0, 2)) - expected).max() < 0.5
    east = np.abs(grid.lon) < 10
    middle = np.abs(grid.lat) < 10
    pressure = interval.surface_pressure[np.ix_(middle, east)].mean()
    assert pressure > interval.surface_pressure[np.ix_(middle, np.abs(grid.lon) > 170)].mean() + 600, (
        "longitudes 0..360 are turned"
    )


def test_hours_that_era5_does_not_hold(era5_store):
    with pytest.raises(WeatherProblem, match=r"There is no .* for 2020-02-0"):
        list(era5_intervals(era5_store, np.datetime64("2020-02-01T06"), np.datetime64("2020-02-02")))
    with pytest.raises(WeatherProblem, match="1 to 24 hours"):
        next(era5_intervals(era5_store, np.datetime64("2020-02-01"), np.datetime64("2020-02-02"), hours=0))


# -- winds -------------------------------------------------------------------------------------------------------------


def winds(**changes):
    lat, lon = np.arange(-90.0, 91.0, 10.0), np.arange(-180.0, 180.0, 10.0)
    shape = (6, len(lat), len(lon))
    facts = {
        "lat": lat,
        "lon": lon,
        "pressure_pa": np.array([100_000.0, 85_000, 50_000, 20_000, 5_000, 1_000]),
        "u": np.zeros(shape),
        "v": np.zeros(shape),
    }
    return Winds(**facts | changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"lat": np.arange(90.0, -91.0, -10.0)}, "lat of the winds must rise"),
        ({"lat": np.arange(0.0, 91.0, 5.0)}, "must cover the Earth"),
        ({"lon": np.linspace(0.0, 180.0, 36)}, "go around the Earth"),
        ({"pressure_pa": np.array([1000.0, 850, 500, 200, 50, 10])}, "another unit"),
        ({"pressure_pa": np.array([50_000.0, 40_000, 30_000, 20_000, 5_000, 1_000]) - 500}, "levels are missing"),
        ({"pressure_pa": np.array([100_000.0, 50_000, 85_000, 20_000, 5_000, 1_000])}, "rise or fall"),
        ({"humidity": np.full((6, 19, 36), 5.0)}, "kg kg-1"),
        ({"u": np.zeros((5, 19, 36))}, "u has shape"),
    ],
)
def test_winds_that_cannot_be(changes, message):
    with pytest.raises(WeatherProblem, match=message):
        winds(**changes)


def test_interpolation_is_linear_and_goes_around_the_earth():
    lat, lon = np.arange(-90.0, 91.0, 10.0), np.arange(-180.0, 180.0, 10.0)
    values = lat[:, None] + 0 * lon
    to_lat, to_lon = np.array([-90.0, -3.3, 41.7, 90.0]), np.array([-180.0, 177.0, 182.0, 5.5])
    np.testing.assert_allclose(Points(lat, lon, to_lat, to_lon)(values), to_lat[:, None] + 0 * to_lon, atol=1e-12)
    wave = np.cos(np.radians(lon)) + 0 * lat[:, None]
    np.testing.assert_allclose(Points(lat, lon, to_lat, to_lon)(wave)[0], np.cos(np.radians(to_lon)), atol=0.005)


@pytest.mark.parametrize("turn", [1, -1])
def test_columns_are_interpolated_in_the_logarithm_of_pressure(turn):
    pressure = np.array([1e5, 5e4, 2e4, 1e4, 1e3])[::turn, None, None] * np.ones((1, 2, 3))
    wanted = np.array([1.2e5, 7e4, 3e4, 5e3, 10.0])[:, None, None] * np.ones((1, 2, 3))
    got = to_pressures(np.log(pressure), pressure, wanted)
    np.testing.assert_allclose(got, np.log(np.clip(wanted, 1e3, 1e5)), rtol=1e-12)
