"""`carbonweather weather` as a user meets it: packs from invented and from real winds, and what is refused before anything
is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result

from analysis.weather import Weather, planning
from dashboard.cli import main
from data.home import weather_dir
from tests.analysis.weather.test_reanalysis import era5_store, geos_files  # noqa: F401

SMALL = ("--grid", "30x30")
DAY = ("--from", "2015-03-01", "--to", "2015-03-02")


def call(*words: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["weather", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def refused(*words: str | Path, code: int = 1) -> str:
    """The sentence that a command ends with; nothing of a pack may be there."""
    message = call(*words, code=code).stderr.strip().splitlines()[-1]
    assert message.startswith("Error: ") and message.endswith((".", ")")), message
    return message


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


# -- invented weather --------------------------------------------------------------------------------------------------


def test_a_simulated_pack_in_the_data_folder(home):
    result = call("synthetic", *DAY, *SMALL)
    first, *lines = result.stdout.strip().splitlines()
    assert first.startswith("4 intervals from 2015-03-01 to 2015-03-02 on 12 x 6 cells and 25 levels: about ")
    shown = dict(line.split(":", 1) for line in lines if ":" in line)
    assert "simulated" in shown["Source"] and "not of any real day" in shown["Source"]
    assert "typical boundary layer" in shown["Mixing"]
    (name,) = left(weather_dir(home))
    assert name == "synthetic-30x30-25-20150301-20150302"
    pack = Weather(weather_dir(home) / name)
    assert pack.simulated and len(pack) == 4 and pack.grid.shape == (6, 12) and pack.levels.count == 25
    assert pack.dry_mass_kg == pytest.approx(5.1141e18, rel=1e-3)
    again = call("show", name, "--all").stdout
    assert "4 intervals of 6 h" in again and "all intervals replayed now" in again
    assert name in call("show").stdout
    facts = json.loads(call("show", name, "--json").stdout)
    assert facts["simulated"] and facts["replay_error"] < 1e-10 and facts["start"] == "2015-03-01T00:00:00"
    # what was said to be its size is its size
    said = json.loads(call("synthetic", *DAY, *SMALL, "--preview", "--json").stdout)
    assert said["intervals"] == 4 and facts["bytes"] == pytest.approx(said["bytes"], rel=0.5)


def test_every_option_of_the_grid(tmp_path):
    box = ("--box", "90,10,131,50", "--fine", "2")
    assert "no whole number of 2-degree cells" in refused("synthetic", *DAY, *box)
    result = call(
        "synthetic",
        *DAY,
        "--box",
        "90,10,130,50",
        "--fine",
        "2",
        "--levels",
        "34",
        "--hours",
        "12",
        "-o",
        tmp_path / "box",
    )
    pack = Weather(tmp_path / "box")
    assert pack.levels.count == 34 and len(pack) == 2 and pack.grid.lon_widths.min() == pytest.approx(2)
    assert "date line" not in result.stdout
    across = call("synthetic", *DAY, "--box", "170,-20,-170,0", "--fine", "2", "--preview").stdout
    assert "across the date line: 20 degrees from 170 eastward to -170" in across
    assert "are west and east exchanged" in refused("synthetic", *DAY, "--box", "150,-12,60,55")
    assert "leave one of them out" in refused("synthetic", *DAY, "--grid", "3x2", "--box", "60,-12,150,55")
    for bad in ("1,2,3", "a,b,c,d", ""):
        assert "west,south,east,north" in refused("synthetic", *DAY, "--box", bad, code=2)
    assert "finite" in refused("synthetic", *DAY, "--box", "nan,0,10,10")
    assert "no uniform grid '7x7'" in refused("synthetic", *DAY, "--grid", "7x7")


def test_json_says_how_far_it_is_and_what_it_made(home):
    lines = [json.loads(line) for line in call("synthetic", *DAY, *SMALL, "--json").stdout.splitlines()]
    assert [line["done"] for line in lines[:-1]] == [1, 2, 3, 4] and lines[0]["total"] == 4
    assert lines[-1]["status"] == "done" and Path(lines[-1]["path"]).is_dir()


def test_an_existing_pack_is_kept_unless_told(home):
    call("synthetic", *DAY, *SMALL)
    (name,) = left(weather_dir(home))
    before = (weather_dir(home) / name / "zarr.json").stat().st_mtime_ns
    assert "give --replace" in refused("synthetic", *DAY, *SMALL)
    assert (weather_dir(home) / name / "zarr.json").stat().st_mtime_ns == before
    call("synthetic", *DAY, *SMALL, "--replace")
    assert (weather_dir(home) / name / "zarr.json").stat().st_mtime_ns > before


def test_what_is_no_pack_is_never_replaced(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    (folder / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    for words in ((), ("--replace",)):
        assert "something else already" in refused("synthetic", *DAY, *SMALL, "-o", folder, *words)
    assert left(folder) == ["zarr.json"]
    assert "another zarr store" in refused("show", folder)
    assert "expected a weather pack" in refused("show", tmp_path / "nowhere")


@pytest.mark.parametrize(
    "words, message",
    [
        (("--from", "2015-03-02", "--to", "2015-03-01"), "no whole number of 6-hour"),
        (("--from", "2015-03-01", "--to", "2015-03-01T05:00"), "no whole number of 6-hour"),
        (("--from", "1800", "--to", "2900", "--grid", "1x1", "--levels", "60"), "the pack takes about"),
    ],
)
def test_times_that_cannot_be_are_refused(home, words, message):
    assert message in refused("synthetic", *words)
    assert left(weather_dir(home)) == []


@pytest.mark.parametrize("moment", ["yesterday", "2015-13-01", "20150301", "NaT", ""])
def test_what_is_no_time_is_refused(moment):
    assert "is no time; write 2015-03-01" in refused("synthetic", "--from", moment, "--to", "2016", code=2)


def test_a_disk_without_room_is_told_before(home, monkeypatch):
    monkeypatch.setattr(planning.shutil, "disk_usage", lambda folder: SimpleNamespace(free=150_000_000))
    message = refused("synthetic", "--from", "2015-01-01", "--to", "2016-01-01", *SMALL, "--levels", "60")
    assert "the pack takes about 52.7 MB, but only 150 MB are free there" in message
    assert left(weather_dir(home)) == []


def test_a_grid_without_memory_is_told_before(home, monkeypatch):
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=3_000_000_000))
    message = refused("synthetic", *DAY, "--box", "60,-12,150,55", "--fine", "0.05")
    assert " GB of memory, but only 3.0 GB are free; choose a coarser grid" in message
    assert left(weather_dir(home)) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_in_the_middle_nothing_is_seen(tmp_path, how):
    target = tmp_path / "packs" / "year"
    command = [sys.executable, "-m", "dashboard", "weather", "synthetic", "--from", "2015", "--to", "2016", "--json"]
    with subprocess.Popen([*command, *SMALL, "-o", str(target)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["done"] == 1  # it is writing
        process.send_signal(how)
        process.communicate()
    assert process.returncode == (130 if how == signal.SIGTERM else -how)
    assert not target.exists()
    hidden = [path for path in (tmp_path / "packs").iterdir() if path.name.startswith(".")]
    assert left(tmp_path / "packs") == [path.name for path in hidden]
    if how == signal.SIGTERM:
        assert hidden == []
        return
    call("synthetic", *DAY, *SMALL, "-o", target)  # what may still be written to is left alone
    assert hidden[0].exists()
    for path in (hidden[0], *hidden[0].rglob("*")):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    assert "remains of 1 attempt" in call("synthetic", *DAY, *SMALL, "-o", target, "--replace").stdout
    assert left(tmp_path / "packs") == ["year"]


# -- NCEP R1 -----------------------------------------------------------------------------------------------------------


def test_five_real_days_of_ncep(home, real):
    daily = real / "meteorology" / "ncep_r1_daily_20220101_05"
    pressure = real / "meteorology" / "ncep_r1_monthly_202201_02" / "pressfc_202201_mon_mean.nc"
    shown = call("ncep", daily, pressure, "--grid", "6x4").stdout
    assert "5 intervals from 2022-01-01 to 2022-01-06" in shown and "Kalnay" in shown
    (name,) = left(weather_dir(home))
    pack = Weather(weather_dir(home) / name)
    assert not pack.simulated and pack.source == "NCEP/NCAR Reanalysis 1" and len(pack) == 5
    assert 20 < pack.attrs["closure_residual_hpa_per_day"] < 120
    assert "for 2022-01-06" in refused("ncep", daily, pressure, "--from", "2022-01-02", "--to", "2022-01-08", *SMALL)
    assert "come every 31 days" in refused("ncep", pressure.parent, *SMALL)
    assert left(weather_dir(home)) == [name]


def ncep_like(folder: Path, change=lambda name, data: data, days=(1, 2, 3, 4)) -> Path:
    """Four days of files in NCEP R1's layout on 10 degrees, from north to south, 0..360, the lowest level first."""
    folder.mkdir()
    lat, lon = np.arange(90.0, -91.0, -10.0), np.arange(0.0, 360.0, 10.0)
    level = np.array([1000.0, 850, 700, 500, 300, 200, 100, 50, 10])
    time_ = np.array([f"2022-01-{day:02d}" for day in days], dtype="datetime64[ns]")
    west = 15.0 * np.cos(np.radians(lat))[:, None] * np.ones(lon.size)
    fields = {"uwnd": west, "vwnd": 3.0 * np.sin(np.radians(2 * lon)) * np.cos(np.radians(lat))[:, None]}
    for name, field in fields.items():
        values = np.broadcast_to(field, (len(time_), level.size, *field.shape)).astype("f4")
        data = xr.Dataset(
            {name: (("time", "level", "lat", "lon"), values, {"units": "m/s", "dataset": "NCEP Reanalysis"})},
            {
                "time": time_,
                "level": ("level", level, {"units": "millibar"}),
                "lat": ("lat", lat, {"units": "degrees_north"}),
                "lon": ("lon", lon, {"units": "degrees_east"}),
            },
        )
        change(name, data).to_netcdf(folder / f"{name}.2022.nc")
    pressure = np.broadcast_to(98_500 + 300 * np.sin(np.radians(lon)), (len(time_), lat.size, lon.size)).astype("f4")
    data = xr.Dataset(
        {"pres": (("time", "lat", "lon"), pressure, {"units": "Pascals", "dataset": "NCEP Reanalysis"})},
        {
            "time": time_,
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )
    change("pres", data).to_netcdf(folder / "pres.sfc.2022.nc")
    return folder


def wind(change):
    """Only the eastward wind is changed."""
    return lambda name, data: change(data) if name == "uwnd" else data


def both(change):
    """Both winds are changed."""
    return lambda name, data: data if name == "pres" else change(data)


def sky(change):
    """Only the surface pressure is changed."""
    return lambda name, data: change(data).assign_attrs(data.attrs) if name == "pres" else data


def test_any_order_of_levels_latitudes_and_any_unit_of_wind_make_the_same_pack(tmp_path):
    call("ncep", ncep_like(tmp_path / "plain"), *SMALL, "-o", tmp_path / "a")
    turned = ncep_like(
        tmp_path / "turned",
        lambda name, data: data.isel({d: slice(None, None, -1) for d in ("lat", "level") if d in data.dims}),
    )
    call("ncep", turned, *SMALL, "-o", tmp_path / "b")
    knots = ncep_like(
        tmp_path / "knots", wind(lambda data: data.assign(uwnd=(data.uwnd * 3600 / 1852).assign_attrs(units="knots")))
    )
    call("ncep", knots, *SMALL, "-o", tmp_path / "c")
    packs = [Weather(tmp_path / name).interval(1).fluxes.x for name in "abc"]
    np.testing.assert_allclose(packs[1], packs[0], rtol=1e-6, atol=1e-3 * np.abs(packs[0]).max())
    np.testing.assert_allclose(packs[2], packs[0], rtol=1e-5, atol=1e-5 * np.abs(packs[0]).max())


@pytest.mark.parametrize(
    "change, message",
    [
        (wind(lambda data: data.where(data.lat < 80)), "values of u are missing"),
        (wind(lambda data: data.isel(level=slice(4, None))), "v has shape"),
        (both(lambda data: data.isel(level=slice(4, None))), "levels are missing or in another unit"),
        (both(lambda data: data.isel(level=[0, 2, 1, 3, 4, 5])), "rise or fall from one to the next"),
        (both(lambda data: data.isel(lat=[0, 2, 1, *range(3, 19)])), "latitudes that are not a rising or falling"),
        (both(lambda data: data.isel(lat=slice(0, 10))), "must cover the Earth"),
        (both(lambda data: data.isel(lon=slice(0, 10))), "must go around the Earth"),
        (wind(lambda data: data.assign(uwnd=data.uwnd.assign_attrs(units="furlongs/fortnight"))), "uwnd in m s-1"),
        (wind(lambda data: data * 100), "faster than any wind"),
        (wind(lambda data: data.isel(time=[0, 1, 3])), "there are no winds for 2022-01-03"),
        (both(lambda data: data.isel(time=[0, 2, 3])), "there are no winds for 2022-01-02"),
        (sky(lambda data: data * 0.01), "check its unit"),
        (sky(lambda data: data.isel(time=[0])), "no surface pressure for 2022-01-02"),
        (sky(lambda data: data.isel(time=[0, 1, 2])), "no surface pressure for 2022-01-04"),
        (sky(lambda data: data.where(data.lon > 50)), "and NaN"),
    ],
)
def test_bad_files_of_ncep_are_refused_and_nothing_is_kept(tmp_path, change, message):
    files = ncep_like(tmp_path / "files", change)
    assert message in refused("ncep", files, *SMALL, "-o", tmp_path / "packs" / "one")
    assert left(tmp_path / "packs") == []


def test_files_that_are_none(tmp_path):
    empty, text, folder = tmp_path / "empty.nc", tmp_path / "text.nc", tmp_path / "folder"
    empty.touch()
    text.write_text("winds")
    folder.mkdir()
    for path, message in (
        (empty, "an empty file"),
        (text, "text.nc: expected"),
        (folder, "a folder without any"),
        (tmp_path / "nowhere.nc", "no such file"),
    ):
        assert message in refused("ncep", path, *SMALL)
        assert message in refused("merra2", path, *DAY, *SMALL) or path in (empty, text)


# -- MERRA-2 and ERA5 --------------------------------------------------------------------------------------------------

JULY = ("--from", "2019-07-01", "--to", "2019-07-02")


def test_a_day_of_merra2(tmp_path, home):
    folder = tmp_path / "files"
    folder.mkdir()
    geos_files(folder)
    shown = call("merra2", folder, *JULY, *SMALL, "-o", tmp_path / "pack").stdout
    assert "8 intervals" in shown and "convective mass flux (kg m-2 s-1)" in shown and "Gelaro" in shown
    part = call(
        "merra2", folder, "--from", "2019-07-01T06:00", "--to", "2019-07-01T12:00", *SMALL, "-o", tmp_path / "part"
    )
    assert "2 intervals from 2019-07-01T06:00 to 2019-07-01T12:00" in part.stdout
    assert "no A1 and no A3dyn" in refused("merra2", folder, "--from", "2019-07-01", "--to", "2019-07-03", *SMALL)
    with xr.open_dataset(folder / "MERRA2.20190701.I3.4x5.nc4") as opened:
        short = opened.isel(time=slice(0, 8)).load()
    short.to_netcdf(folder / "MERRA2.20190701.I3.4x5.nc4")
    assert "supply the next day's I3 file" in refused("merra2", folder, *JULY, *SMALL)


@pytest.mark.parametrize(
    "settings, message",
    [({"gap": True}, "10:30:00"), ({"layers": 40}, "levels are missing"), ({"wind": np.nan}, "missing or infinite")],
)
def test_bad_merra2_leaves_nothing(tmp_path, settings, message):
    folder = tmp_path / "files"
    folder.mkdir()
    geos_files(folder, **settings)
    assert message in refused("merra2", folder, *JULY, *SMALL, "-o", tmp_path / "packs" / "one")
    assert left(tmp_path / "packs") == []


def test_half_a_day_of_era5(era5_store, tmp_path):  # noqa: F811
    times = ("--from", "2020-02-01", "--to", "2020-02-01T12:00")
    shown = call("era5", era5_store, *times, *SMALL, "-o", tmp_path / "pack").stdout
    assert "4 intervals" in shown and "friction velocity (m s-1)" in shown and "Hersbach" in shown
    later = ("--from", "2020-02-01", "--to", "2020-02-02")
    assert "there is no hour 2020-02-01T15:00:00" in refused("era5", era5_store, *later, *SMALL)
    assert "7-hour intervals" in refused("era5", era5_store, *times, "--hours", "7", *SMALL)
    assert "expected an ECMWF reanalysis" in refused("era5", tmp_path, *times, *SMALL)
