"""What is wrong with a run is said before it starts, in one sentence that names the setting; nothing is written."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest
import xarray as xr

from analysis.errors import AnalysisError
from analysis.jobs import SettingsError, start
from analysis.simulation import cost
from analysis.simulation.checkpoint import CheckpointProblem, read_arrays, write_arrays
from analysis.simulation.plan import grid_of, plan_of
from analysis.simulation.start import keep_state
from data.errors import DataError
from tests.analysis.simulation.small_runs import END, GRID, LEVELS, START, flux_file, pack, settings

DAY = {"start": "2022-07-01", "end": "2022-07-01", "grid": "6x4", "fluxes": ["none"]}


@pytest.fixture(scope="module")
def weather(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weather") / "pack"
    pack(path)
    return path


def refused(home: Path, **given: object) -> str:
    """The sentence for settings; nothing must have been written."""
    with pytest.raises((AnalysisError, DataError)) as caught:
        start(home, "transport", {"output_levels": "none", "output_columns": "none", **given})
    assert not (home / "runs").exists()
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"weather": ""}, "weather: expected at least 1 characters"),
        ({"start": "yesterday"}, "start: expected a date"),
        ({"start": None}, "start: expected a day, since made-up weather has no beginning and end, found none"),
        ({"end": "2022-06-30"}, r"end: expected a day not before the first (2022-07-01), found 2022-06-30"),
        ({"grid": "5x5"}, "grid: expected one of 6x4, 3x2, 2x2.5, 1x1, refined"),
        ({"levels": 12}, "levels: expected one of 25, 34, 60"),
        ({"scheme": "upwind"}, "scheme: expected one of"),
        ({"precision": "float16"}, "precision: expected one of float32, float64"),
        ({"components": []}, "components: expected at least 1 items"),
        ({"components": ["methane"]}, "components.0: expected one of background, biosphere, ocean, fossil, fire"),
        ({"longest_step": 10}, "longest_step: expected at least 60.0 s, found 10"),
        ({"longest_step": 7200}, "longest_step: expected at most 3600.0 s, found 7200"),
        ({"initial": {"background": "much"}}, "initial.background: expected a number"),
        ({"initial": {"helium": 5}}, "initial"),
        ({"components": ["ocean"], "initial": {"ocean": 1, "fire": 2}}, "initial: expected ppm of ocean, found fire"),
        ({"output_levels": "hourly"}, "output_levels: expected one of none, 3-hourly, daily, monthly"),
        ({"output_grid": ["5x5"]}, "output_grid.0: expected one of model, 3x2, 1x1"),
        ({"output_format": "grib"}, "output_format: expected one of netcdf, zarr"),
        ({"speed": 3}, "found 'speed'; leave it out"),
        ({"weather": "no/such/pack"}, "weather: expected a file or folder that is there, found none at"),
        ({"fluxes": ["gone.nc"]}, "fluxes: expected a file or folder that is there, found none at"),
        ({"fluxes": ["simulated", "none"]}, "fluxes: expected files, or 'none' alone"),
        ({"fluxes": ["simulated"], "start": "1980-01-01", "end": "1980-01-02"}, "expected years from 2000 to 2035"),
        ({"continue_from": "20200101-000000-transport-abcd"}, "continue_from: expected the id of a finished transport run"),
        ({"samples": [{"horizontal": "cell"}]}, "samples: expected files, or mappings with a path"),
        ({"samples": ["gone.csv"]}, "gone.csv"),
        ({"grid": "refined", "region": [150, -12, 60, 55]}, "it runs across the date line); exchange west and east"),
        ({"grid": "refined", "region": [60, 55, 150, -12]}, "region: expected a box that can be refined"),
        ({"grid": "refined", "region": [60, -12, 150.5, 55]}, "no whole number of 1-degree cells"),
    ],
)  # fmt: skip
def test_settings_that_are_wrong(tmp_path, wrong, words):
    assert words in refused(tmp_path, **(DAY | wrong))


def test_weather_that_is_wrong(tmp_path, weather):
    assert "expected a time within 2022-01-30T00:00:00 to 2022-02-02" in refused(
        tmp_path, weather=str(weather), start="2022-01-30", end="2022-02-05", fluxes=["none"]
    )
    assert "expected a time within" in refused(tmp_path, weather=str(weather), start="2022-01-01", fluxes=["none"])
    assert "expected a weather pack" in refused(tmp_path, weather=str(tmp_path), fluxes=["none"])
    broken = tmp_path / "broken"
    shutil.copytree(weather, broken)
    import zarr

    group = zarr.open_group(broken, mode="r+")
    group["x"][7] = group["x"][7] * np.float32(1.5)  # neither first, middle nor last: only a run looks there
    text = refused(tmp_path, weather=str(broken), fluxes=["none"])
    assert "miss the next air mass by" in text and "make it again" in text


def test_fluxes_that_are_wrong(tmp_path, weather):
    common = {"weather": str(weather)}
    upside_down = flux_file(tmp_path / "CT-a.flux1x1.nc", sign=-1.0)
    assert "negative" in refused(tmp_path, **common, fluxes=[str(upside_down)])
    unit = flux_file(tmp_path / "CT-b.flux1x1.nc", units="kg")
    assert "unit" in refused(tmp_path, **common, fluxes=[str(unit)])
    other_year = flux_file(tmp_path / "CT-c.flux1x1.nc", year=2019)
    text = refused(tmp_path, **common, fluxes=[str(other_year)])
    assert "2022-01-30" in text and "repeat a year" in text
    plan = plan_of(settings(**common, fluxes=[str(other_year)], repeat_year=2019), tmp_path)
    assert plan.emissions is not None and plan.emissions.inventory.grid.same(GRID)  # regridded
    one = tmp_path / "one.nc"
    with xr.open_dataset(other_year) as dataset:
        dataset[["fossil_flux_imp"]].to_netcdf(one)
    assert "No file holds fluxes of biosphere" in refused(tmp_path, **common, fluxes=[str(one)], repeat_year=2019)
    noise = tmp_path / "noise.nc"
    noise.write_bytes(b"\0" * 2000)
    assert "noise.nc" in refused(tmp_path, **common, fluxes=[str(noise)])


def test_too_little_memory_or_disk(tmp_path, monkeypatch):
    class Small:
        available = 300_000_000

    monkeypatch.setattr(psutil, "virtual_memory", Small)
    assert "memory: expected" in refused(tmp_path, **DAY)
    monkeypatch.undo()
    monkeypatch.setattr(cost.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 100_000}))
    assert "of results, found 1 MB free; write less often" in refused(tmp_path, **DAY)


def test_cost_grows_with_what_is_asked_for(tmp_path):
    costs = [
        cost.cost_of(plan_of(settings(**{**DAY, **more}), tmp_path))
        for more in (
            {},
            {"end": "2022-07-10"},
            {"end": "2022-07-10", "output_levels": "3-hourly"},
            {"end": "2022-07-10", "output_levels": "3-hourly", "precision": "float64", "longest_step": 900},
        )
    ]
    assert costs[0].steps * 10 == costs[1].steps == 240 and costs[3].steps == 960
    for less, more in itertools.pairwise(costs):
        assert less.seconds < more.seconds and less.memory_bytes <= more.memory_bytes
        assert less.disk_bytes <= more.disk_bytes


def test_regions_across_the_date_line_are_refined():
    across = grid_of(settings(**{**DAY, "grid": "refined", "region": [150, -20, -160, 20], "cell": 2}))
    row, column = across.locate(np.array([0.0]), np.array([179.0]))
    assert across.lon_widths[column[0]] == pytest.approx(2) == across.lat_widths[row[0]]


def test_a_final_state_must_fit(tmp_path, weather):
    plan = plan_of(settings(weather=str(weather), fluxes=["none"], components=["background", "fossil"]), tmp_path)
    path = tmp_path / "final_state.npz"
    keep_state(path, plan.initial.state, plan.tracers, plan.end, plan.weather, simulated=True)
    common = {"weather": str(weather), "fluxes": ["none"], "continue_from": str(path)}
    again = plan_of(settings(**common, components=["fossil"]), tmp_path)
    assert again.initial.state.tracer_mass.shape[-1] == 1 and again.simulated
    assert "expected a state with background, ocean, found background, fossil" in refused(
        tmp_path, **common, components=["background", "ocean"]
    )
    assert "found 12 x 9 cells, 25 levels; run both on one grid" in refused(
        tmp_path, **(DAY | {"continue_from": str(path)})
    )
    path.write_bytes(path.read_bytes()[:1000])
    assert "expected the arrays of a transport run" in refused(tmp_path, **common)


def test_a_state_in_other_air_keeps_its_mole_fractions(tmp_path, weather):
    plan = plan_of(settings(weather=str(weather), fluxes=["none"], initial={"background": 410}), tmp_path)
    state = plan.initial.state
    state.air_mass *= 1.01
    state.tracer_mass *= 1.01
    path = tmp_path / "final_state.npz"
    keep_state(path, state, plan.tracers, plan.end, plan.weather, simulated=False)
    again = plan_of(settings(weather=str(weather), fluxes=["none"], continue_from=str(path)), tmp_path)
    assert np.allclose(again.initial.state.mixing_ratio()[..., 0], 10.0, rtol=1e-6)
    assert "in the air of this run's start" in again.initial.words


def test_arrays_are_kept_whole_and_the_same(tmp_path):
    arrays = {"a/b c": np.arange(5), "text": np.array(["ä", "b"]), "time": np.array("NaT")}
    write_arrays(tmp_path / "one.npz", arrays)
    write_arrays(tmp_path / "two.npz", arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found = read_arrays(tmp_path / "one.npz")
    assert found.keys() == arrays.keys() and list(found["text"]) == ["ä", "b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "two.npz"]
    with pytest.raises(CheckpointProblem, match="expected the arrays of a transport run, found"):
        read_arrays(tmp_path / "three.npz")


def test_unknown_settings_are_told_at_once():
    with pytest.raises(SettingsError, match="settings of transport"):
        settings(fluxes="simulated")
    assert START < END and LEVELS.count == 25
