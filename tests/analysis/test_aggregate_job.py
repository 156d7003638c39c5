"""Aggregation as a run: what pandas makes of the archive, in files that others can read and maps that Explore shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

from analysis.aggregation.regions import named_region
from analysis.gridding import selection as selecting
from analysis.jobs import SettingsError, validate
from analysis.jobs.aggregate import JOB, preview
from analysis.statistics.area import cell_areas
from data.cube import Cube
from data.home import soundings_dir
from data.importing.importer import import_paths
from data.soundings import SoundingArchive
from tests.analysis.sounding_archives import cluster, contents, fill, run_job

ASIA = "Continents/Asia"
WORLD = "World and latitude bands/World"


@pytest.fixture(scope="module")
def one_worker():
    with cluster(1) as address:
        yield address


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filled")
    fill(home, files=5)
    return home


@pytest.fixture(autouse=True)
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "PIECE_ROWS", 700)


@pytest.fixture(scope="module")
def frame(filled: Path) -> pd.DataFrame:
    found = SoundingArchive(soundings_dir(filled)).query(
        columns=["time", "lat", "lon", "xco2", "xco2_uncertainty", "mode"]
    )
    found["asia"] = shapely.intersects_xy(named_region(ASIA).geometry, found["lon"].to_numpy(), found["lat"].to_numpy())
    found["xco2"] = found["xco2"].astype(float)
    return found


def series_of(run) -> pd.DataFrame:
    assert run.state == "done", run.error
    return pd.read_csv(run.results_folder / "series.csv", comment="#")


def table_of(run) -> pd.DataFrame:
    return pd.read_csv(run.results_folder / "table.csv", comment="#")


def test_statistics_of_soundings(filled: Path, one_worker: str, frame: pd.DataFrame):
    settings = {
        "every": "week",
        "regions": [ASIA, "World"],
        "statistics": ["mean", "median", "spread", "min", "max", "count"],
        "percentiles": [5, 95],
    }
    run = run_job(filled, "aggregate", settings, scheduler=one_worker)
    found = series_of(run)
    assert [(result.kind, result.path.name) for result in run.results] == [
        ("series", "series.csv"),
        ("netcdf", "series.nc"),
        ("table", "table.csv"),
    ]
    for region, of_it in (("Asia", frame[frame["asia"]]), ("World", frame)):
        weeks = of_it.groupby(of_it["time"].dt.to_period("W-SUN"))
        rows = found[found["region"] == region]
        values = weeks["xco2"]
        np.testing.assert_allclose(rows["mean"], values.mean(), rtol=2e-7)
        np.testing.assert_allclose(rows["spread"], values.std(), rtol=2e-6)
        np.testing.assert_allclose(rows["min"], values.min(), rtol=2e-7)
        np.testing.assert_allclose(rows["max"], values.max(), rtol=2e-7)
        for name, share in (("median", 0.5), ("p05", 0.05), ("p95", 0.95)):
            expected = values.apply(lambda v, q=share: np.quantile(v, q, method="inverted_cdf"))
            np.testing.assert_allclose(rows[name], expected, atol=0.0016)
        np.testing.assert_array_equal(rows["soundings"], values.size())
        np.testing.assert_array_equal(rows["days"], weeks["time"].apply(lambda t: t.dt.date.nunique()))
        expected_time = [
            f"{period.start_time + pd.Timedelta(hours=84):%Y-%m-%dT%H:%M:%SZ}" for period in values.size().index
        ]
        assert rows["time"].tolist() == expected_time
    table = table_of(run).set_index("region")
    assert table.loc["World", "soundings"] == len(frame)
    assert table.loc["World", "days"] == frame["time"].dt.date.nunique()
    assert table.loc["Asia", "mean"] == pytest.approx(frame[frame["asia"]]["xco2"].mean(), rel=2e-7)
    assert table.loc["Asia", "median"] == pytest.approx(frame[frame["asia"]]["xco2"].median(), abs=0.01)
    assert run.scores["mean, World, OCO-2"] == pytest.approx(frame["xco2"].mean())


def test_the_standard_error_takes_days_as_samples(filled: Path, one_worker: str, frame: pd.DataFrame):
    settings = {"every": "whole", "statistics": ["mean"], "error_floor": 0, "outputs": ["series"]}
    found = series_of(run_job(filled, "aggregate", settings, scheduler=one_worker))
    days = frame.groupby(frame["time"].dt.date)
    n, mean = days["xco2"].size(), days["xco2"].mean()
    v = days["xco2_uncertainty"].apply(lambda error: (error.astype(float) ** 2).mean())
    residual = n * (mean - frame["xco2"].mean())
    scatter = np.sqrt(len(n) / (len(n) - 1) * (residual**2).sum()) / n.sum()
    stated = np.sqrt((n**2 * v).sum()) / n.sum()
    assert found["standard_error"].iloc[0] == pytest.approx(max(scatter, stated), rel=1e-5)


def test_statistics_of_grid_cells_weigh_areas(filled: Path, one_worker: str, frame: pd.DataFrame):
    """All soundings of two degrees of one place weigh as much as one: the mean is not that of the soundings."""
    settings = {"every": "month", "of": "grid cells", "cell_size": 30, "statistics": ["mean", "median", "count"]}
    run = run_job(filled, "aggregate", settings, scheduler=one_worker)
    frame = frame.assign(
        row=np.floor((frame["lat"] + 90) / 30).clip(upper=5),
        column=np.floor((frame["lon"] + 180) / 30),
        month=frame["time"].dt.month,
        day=np.floor((frame["time"].to_numpy().astype("int64") + frame["lon"] * 240e9) / 86_400e9),
        w=1 / np.maximum(frame["xco2_uncertainty"].astype(float), 0.3) ** 2,
    )
    frame["wx"] = frame["w"] * frame["xco2"]
    days = frame.groupby(["month", "row", "column", "day"])[["w", "wx"]].sum()
    cells = (days["wx"] / days["w"]).groupby(["month", "row", "column"]).mean().rename("mean").reset_index()
    areas = cell_areas(np.arange(-75, 90, 30.0), np.arange(-165, 180, 30.0))
    cells["area"] = areas[cells["row"].astype(int), cells["column"].astype(int)]
    found = series_of(run)
    for place, (_, month) in enumerate(cells.groupby("month")):
        assert found["mean"][place] == pytest.approx(np.average(month["mean"], weights=month["area"]), rel=2e-7)
        assert found["cells"][place] == len(month)
        assert found["coverage"][place] == pytest.approx(month["area"].sum() / areas.sum(), rel=1e-6)
    assert (found["standard_error"] >= 0.3).all()


def test_maps_are_what_pandas_makes_of_cells(filled: Path, one_worker: str, frame: pd.DataFrame):
    settings = {
        "every": "whole",
        "outputs": ["map"],
        "cell_size": 10,
        "statistics": ["mean", "median", "min", "count"],
        "percentiles": [90],
        "name": "stats",
    }
    run = run_job(filled, "aggregate", settings, scheduler=one_worker)
    (result,) = run.results
    assert (result.kind, result.link) == ("cube", "./?cube=stats")
    cube = Cube.open(result.path)
    assert list(cube.variables) == ["xco2", "xco2_stderr", "xco2_median", "xco2_min", "xco2_p90", "n_soundings"]
    assert cube.attrs["simulated"] == 1
    groups = frame.groupby([np.floor((frame["lat"] + 90) / 10), np.floor((frame["lon"] + 180) / 10)])["xco2"]
    place = tuple(np.array(groups.size().index.to_list(), dtype=int).T)
    np.testing.assert_allclose(cube.read("xco2", 0).to_numpy()[place], groups.mean(), rtol=2e-7)
    np.testing.assert_array_equal(cube.read("n_soundings", 0).to_numpy()[place], groups.size())
    np.testing.assert_allclose(cube.read("xco2_min", 0).to_numpy()[place], groups.min(), rtol=1e-7)
    expected = groups.apply(lambda v: np.quantile(v, 0.9, method="inverted_cdf"))
    np.testing.assert_allclose(cube.read("xco2_p90", 0).to_numpy()[place], expected, atol=0.0016)


def test_maps_of_regions_show_their_cells(filled: Path, one_worker: str):
    settings = {"regions": ["China"], "outputs": ["map"], "cell_size": 1, "every": "whole"}
    cube = Cube.open(run_job(filled, "aggregate", settings, scheduler=one_worker).results[0].path)
    west, south, east, north = named_region("China").geometry.bounds
    assert cube.grid.west <= west and cube.grid.west + cube.grid.nlon >= east
    assert cube.grid.nlon < 70 and cube.grid.south <= south and north <= cube.grid.south + cube.grid.nlat
    seen = np.isfinite(cube.read("xco2", 0))
    assert seen.any()
    lat, lon = np.meshgrid(cube.grid.lat, cube.grid.lon, indexing="ij")
    assert shapely.contains_xy(named_region("China").geometry, lon[seen], lat[seen]).all()


def test_choice_of_box_modes_and_any_column(filled: Path, one_worker: str, frame: pd.DataFrame):
    settings = {"variable": "xco2_uncertainty", "box": [116, 31, 118, 33], "modes": ["glint"], "every": "year"}
    found = series_of(run_job(filled, "aggregate", settings, scheduler=one_worker))
    inside = frame[frame["lon"].between(116, 118) & frame["lat"].between(31, 33) & (frame["mode"] == 1)]
    assert found["soundings"].tolist() == [len(inside)]
    assert found["mean"][0] == pytest.approx(inside["xco2_uncertainty"].astype(float).mean(), rel=1e-6)


def test_several_instruments_side_by_side(tmp_path: Path, one_worker: str):
    fill(tmp_path, files=2, count=300)
    fill(tmp_path, files=1, count=300, instrument="OCO-3", collection="oco3-lite")
    run = run_job(tmp_path, "aggregate", {"every": "month"}, scheduler=one_worker)
    found = series_of(run)
    assert (
        found.groupby("instrument")["soundings"].sum().to_dict()
        == table_of(run).set_index("instrument")["soundings"].to_dict()
    )
    with xr.open_dataset(run.results_folder / "series.nc") as dataset:
        assert dataset["instrument"].to_numpy().tolist() == ["OCO-2", "OCO-3"]
        assert dataset["soundings"].sum() == found["soundings"].sum()
        assert "simulated" in dataset.attrs["comment"].lower()
        assert dataset["time"].size == 2


@pytest.mark.parametrize("of", ["soundings", "grid cells"])
def test_any_number_of_workers_gives_the_same_bytes(filled: Path, one_worker: str, of: str):
    settings = {"every": "week", "of": of, "outputs": ["series", "table", "map"], "percentiles": [50], "cell_size": 5}
    found = []
    for workers in (1, 2, 4):
        with cluster(workers) as address:
            run = run_job(filled, "aggregate", settings, scheduler=address)
        made = {name: (run.results_folder / name).read_text() for name in ("series.csv", "table.csv")}
        lines = {
            name: [line for line in text.splitlines() if not line.startswith(("# run", "# created"))]
            for name, text in made.items()
        }
        found.append((lines, contents(run.results[-1].path)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"regions": ["Countries/Atlantis"]}, "expected a named region"),
        ({"polygon": [[0, 0], [1, 1], [2, 2]]}, "with an area"),
        ({"box": [10, 5, 10, 5]}, "a box with an area"),
        ({"regions": ["China"], "box": [-10, 0, 0, 10]}, "found China outside"),
        ({"cell_size": 0.07}, "divides 180 degrees"),
        ({"variable": "tropomi_no2"}, "expected a variable of the archive"),
    ],
)
def test_settings_that_make_no_sense_are_told_before_anything_starts(filled: Path, settings: dict, words: str):
    complete = validate(JOB, settings)
    for ask in (preview, JOB.inputs):
        with pytest.raises(Exception) as told:
            ask(complete, filled)
        assert words in str(told.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"statistics": []},
        {"statistics": ["mode"]},
        {"percentiles": [101]},
        {"percentiles": ["half"]},
        {"outputs": ["film"]},
        {"polygon": [[0, 0], [1, 1]]},
        {"polygon": "POLYGON"},
        {"of": "everything"},
        {"cell_size": 0.01},
        {"regions": "China"},
    ],
)
def test_settings_of_the_wrong_kind_are_told(settings: dict):
    with pytest.raises(SettingsError, match="settings of aggregate"):
        validate(JOB, settings)


def test_a_region_without_soundings_is_told(filled: Path, one_worker: str):
    run = run_job(filled, "aggregate", {"regions": ["Vatican"]}, scheduler=one_worker)
    assert run.state == "failed"
    assert "found none; choose more widely" in run.error


def test_the_preview_says_what_decides(filled: Path):
    cost = preview(validate(JOB, {"regions": ["China", "India"], "every": "year"}), filled)
    assert "soundings of OCO-2 in 2 regions and 1 period" in cost.sentence
    assert "maps of 64.8 thousand cells" in preview(validate(JOB, {"outputs": ["map"]}), filled).sentence


def test_real_soundings(real: Path, tmp_path: Path, one_worker: str):
    """Ten days of GOSAT by day; SIF of OCO-3 by land and year, in its own unit."""
    folder = real / "satellite"
    import_paths([folder / "gosat_l2_v0280_201811", folder / "oco3_cities"], home=tmp_path, workers=1)
    settings = {"instruments": ["GOSAT"], "every": "day", "regions": ["Asia", "World"], "percentiles": [10, 90]}
    found = series_of(run_job(tmp_path, "aggregate", settings, scheduler=one_worker))
    world = found[found["region"] == "World"]
    assert world["soundings"].sum() == 3556
    assert world["mean"].between(400, 410).all() and (world["standard_error"] < 2).all()
    assert (world["p10"] < world["p90"]).all()
    run = run_job(tmp_path, "aggregate", {"variable": "daily_sif_740nm", "every": "year"}, scheduler=one_worker)
    assert "W m-2 sr-1 um-1" in (run.results_folder / "series.csv").read_text()
    assert "OCO-2/OCO-3 Science Team" in (run.results_folder / "table.csv").read_text()
    assert series_of(run)["soundings"].sum() == 39_990
