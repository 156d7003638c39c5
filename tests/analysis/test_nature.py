"""The nature run of the simulated world: a budget that closes, runs that go on to the bit, and the product in the package."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.grids import EARTH_RADIUS_M, Regridder, ecmwf_levels, uniform
from analysis.transport.fluxes import air_mass
from analysis.transport.sources import COMPONENTS
from analysis.transport.step import State
from analysis.weather.synthetic import SURFACE_PRESSURE_PA
from analysis.world import nature_product as kept
from analysis.world.climate import FIRST_YEAR, annual_growth, global_mean, month_number
from analysis.world.eddies import Storms, horizontal_diffusivity, vertical_diffusivity
from analysis.world.flux_patterns import GRID, SHARES, ZONES, burning, countries_share, patterns
from analysis.world.fluxes import (
    CARBON_G_MOL,
    DAY_S,
    FOSSIL_GT_CO2,
    PGC_PER_PPM,
    WorldFluxes,
    annual_budget,
    days_of,
)
from analysis.world.nature import (
    SETTINGS,
    NatureRun,
    NatureRunProblem,
    Progress,
    read_month,
    rebuild,
    run_nature,
    size_bytes,
)

TINY = NatureRun(first="2015-02", last="2015-03", grids=(("2015-02", "36x20"), ("2015-03", "24x18")))
"""Two months in two seconds; the grid changes between them."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> list:
    return run_nature(tmp_path_factory.mktemp("nature"), TINY)


@pytest.fixture(scope="module")
def product() -> kept.NatureProduct:
    return kept.nature_product()


# ------------------------------------------------------------------------------------------------------------- fluxes
@pytest.mark.parametrize("year", [2000, 2015, 2016, 2020, 2035])
def test_each_years_budget_closes_with_the_growth_that_noaa_reports(year):
    budget = annual_budget(year)
    parts = sum(budget[name] for name in ("fossil", "ocean", "fire", "biosphere"))
    assert parts == pytest.approx(budget["growth"]) and budget["growth"] == pytest.approx(
        annual_growth(year) * PGC_PER_PPM
    )
    land = budget["north"] + budget["south"] + budget["tropics"] - budget["usual fire"]
    assert land == pytest.approx(budget["biosphere"])
    if year in FOSSIL_GT_CO2:
        assert budget["fossil"] == pytest.approx(FOSSIL_GT_CO2[year] / 3.664)


def test_a_ppm_is_the_known_mass_of_carbon():
    assert pytest.approx(2.124, abs=0.005) == PGC_PER_PPM  # Ballantyne et al. 2012; in dry air of 5.11e18 kg
    grid = uniform("6x4")
    air = air_mass(grid, ecmwf_levels(25), np.full(grid.shape, SURFACE_PRESSURE_PA)).sum()
    assert air / 0.0289644 * 1e-6 * CARBON_G_MOL * 1e-15 == pytest.approx(PGC_PER_PPM, rel=1e-12)


@pytest.mark.parametrize("name", ["36x20", "24x18"])
def test_totals_of_the_days_are_those_of_the_year_on_any_grid(name):
    found = WorldFluxes(uniform(name)).annual_totals(2016)
    assert set(found) == set(COMPONENTS)
    for component, total in found.items():
        assert total == pytest.approx(annual_budget(2016)[component], abs=1e-3), component
    assert sum(found.values()) / PGC_PER_PPM == pytest.approx(2.83, abs=1e-3)  # NOAA's growth of 2016


def test_el_nino_shows_in_the_tropics_and_in_the_peat():
    assert annual_budget(2015)["tropics"] > 0.5 > 0.0 > annual_budget(2011)["tropics"]
    assert annual_budget(2015)["fire"] - annual_budget(2014)["fire"] == pytest.approx(0.3)
    assert 2.0 < annual_budget(2014)["fire"] < 2.2


def test_shares_of_countries_sum_to_one_and_their_patterns_lie_inside_them():
    for year in (1990, 2010, 2030):
        assert sum(countries_share(year).values()) == pytest.approx(1.0)
    assert countries_share(2019)["China"] == pytest.approx(SHARES["China"][1] / 100.0)
    fields = patterns().fossil
    for name, field in fields.items():
        assert float((field * GRID.area).sum()) == pytest.approx(1.0) and field.min() >= 0.0, name
    australia = fields["Australia"] * GRID.area
    west, south, east, north = 112, -44, 160, -9
    inside = (GRID.lat[:, None] > south) & (GRID.lat[:, None] < north) & (GRID.lon > west) & (GRID.lon < east)
    assert australia[inside].sum() == pytest.approx(1.0, abs=1e-4)  # but for far islands


def test_northern_forests_take_up_in_july_and_give_back_in_winter():
    fluxes = WorldFluxes(uniform("6x4"))
    belt = (uniform("6x4").lat > 50) & (uniform("6x4").lat < 68)
    january, july = (fluxes.at(np.datetime64(day))["biosphere"][belt].mean() for day in ("2018-01-15", "2018-07-15"))
    assert july < -4.0 * january < 0.0
    grams = july * 12.011 * DAY_S
    assert -2.2 < grams < -0.4  # gC m-2 a day, lakes and sea among it
    for zone in ZONES.values():
        growing, exchange = zone.cycle(365)
        assert growing.mean() == pytest.approx(1.0) and exchange.mean() == pytest.approx(0.0, abs=1e-12)
        assert abs(int(exchange.argmin()) - zone.peak) < 12


def test_fires_follow_their_seasons():
    burns = burning(2018, days_of(2018))
    assert burns["southern Africa"].argmax() in range(200, 231) and burns["northern Africa"][:31].sum() > 0.2
    total = sum(days.mean() for days in burns.values())
    assert total == pytest.approx(annual_budget(2018)["fire"])


def test_the_pandemic_dips_and_years_outside_are_refused():
    fluxes = WorldFluxes(uniform("24x18"))
    april, other = (fluxes.at(np.datetime64(day))["fossil"].sum() for day in ("2020-04-10", "2019-04-10"))
    assert 0.8 < april / other < 0.95
    for day in ("1999-12-31", "2036-01-01"):
        with pytest.raises(ValueError, match="2000 to 2035"):
            fluxes.at(np.datetime64(day))
    with pytest.raises(ValueError, match="not of methane"):
        fluxes.sources({"methane": 0})


# ------------------------------------------------------------------------------------------------------------- eddies
def test_storms_keep_mass_and_uniform_air_and_flatten_the_rest():
    grid, levels = uniform("12x10"), ecmwf_levels(25)
    air = air_mass(grid, levels, np.full(grid.shape, SURFACE_PRESSURE_PA))
    random = np.random.default_rng(4)
    ratio = np.stack([np.full(air.shape, 7.0), random.normal(size=air.shape)], axis=-1)
    state = State.of(ratio, air, np.float64)
    before = state.total()
    Storms(grid, DAY_S)(state, 1.0)
    np.testing.assert_allclose(state.total(), before, rtol=1e-12, atol=1e-12 * np.abs(state.tracer_mass).sum())
    after = state.mixing_ratio()
    np.testing.assert_allclose(after[..., 0], 7.0, rtol=1e-12)
    assert after[..., 1].std() < ratio[..., 1].std() and np.abs(after[..., 1]).max() < np.abs(ratio[..., 1]).max()


def test_storms_damp_a_wave_along_a_parallel_as_diffusion_does():
    grid, levels = uniform("3x2"), ecmwf_levels(25)
    air = air_mass(grid, levels, np.full(grid.shape, SURFACE_PRESSURE_PA))
    wave = np.cos(3 * np.radians(grid.lon))
    duration = 3600.0
    state = State.of(np.broadcast_to(wave[:, None], (*air.shape, 1)), air, np.float64)
    Storms(grid, duration)(state, 1.0)
    row = int(np.argmin(np.abs(grid.lat - 45)))
    left = state.mixing_ratio()[0, row, :, 0] @ wave / (wave @ wave)
    radius = EARTH_RADIUS_M * np.cos(np.radians(grid.lat[row]))
    wanted = np.exp(-duration * horizontal_diffusivity(grid.lat[row]) * (3 / radius) ** 2)
    assert 1.0 - left == pytest.approx(1.0 - wanted, rel=0.02)


def test_air_is_stirred_below_the_tropopause_most_in_the_tropics():
    pressure = np.array([900.0, 500.0, 20.0])[:, None, None] * 100.0 * np.ones((1, 3, 1))
    found = vertical_diffusivity(np.array([-80.0, 0.0, 50.0]), pressure)[..., 0]
    assert found[0, 1] > found[0, 2] > found[2, 2] and np.all(found[2] < 1.1)


# ---------------------------------------------------------------------------------------------------------------- run
def test_the_air_gains_what_the_fluxes_give(tiny):
    """Total of each tracer: what went in, to float32, over a change of the grid as well."""
    moles = np.zeros(len(COMPONENTS))
    for month in TINY.months():
        fluxes = WorldFluxes(TINY.grid_of(month))
        first, end = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
        for day in range(int((end - first).astype(int))):
            fields = fluxes.at(first + day)
            moles += [float((fields[name] * fluxes.grid.area).sum()) * DAY_S for name in COMPONENTS]
    found = read_month(tiny[-1])["tracer_mass"].sum(axis=(0, 1, 2), dtype=np.float64)
    np.testing.assert_allclose(found / 0.0289644e6, moles, rtol=2e-5)
    ppm = moles * CARBON_G_MOL * 1e-15 / PGC_PER_PPM
    assert 0.7 < ppm[COMPONENTS.index("fossil")] < 0.8 < 1.0  # 9.66 PgC a year, for two months of winter
    assert read_month(tiny[0])["mean"].shape == (4, 25, 9, 10) and tiny[1].name == "2015-03.npz"


def test_a_run_that_was_stopped_goes_on_to_the_bit(tiny, tmp_path):
    told: list[Progress] = []
    assert [path.name for path in run_nature(tmp_path, TINY, months=1)] == ["2015-02.npz"]
    again = run_nature(tmp_path, TINY, progress=told.append)
    assert [now.month for now in told] == ["2015-03"] and told[0].done == told[0].total == 2
    for one, other in zip(tiny, again, strict=True):
        first, second = read_month(one), read_month(other)
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])
    assert run_nature(tmp_path, TINY, months=1) == again  # nothing is left to do


def test_a_run_can_be_longer_later_but_not_another(tmp_path):
    run_nature(tmp_path, NatureRun(first="2015-02", last="2015-02", grids=TINY.grids))
    assert len(run_nature(tmp_path, TINY, months=0)) == 1
    with pytest.raises(NatureRunProblem, match="other settings"):
        run_nature(tmp_path, NatureRun(first="2015-02", last="2015-03", grids=(("2015-02", "12x10"),)))
    (tmp_path / SETTINGS).write_text("{", encoding="utf-8")
    with pytest.raises(NatureRunProblem, match="other settings"):
        run_nature(tmp_path, TINY)


@pytest.mark.parametrize("damage", [b"", b"no month", None])
def test_a_damaged_month_is_named(tiny, tmp_path, damage):
    for path in tiny:
        shutil.copy(path, tmp_path)
    shutil.copy(tiny[0].parent / SETTINGS, tmp_path)
    whole = (tmp_path / "2015-02.npz").read_bytes()
    (tmp_path / "2015-02.npz").write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    (tmp_path / "2015-03.npz").unlink()
    with pytest.raises(NatureRunProblem, match=r"2015-02.npz.*delete it"):
        run_nature(tmp_path, TINY)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first": "2016-01", "last": "2015-01"}, "before it begins"),
        ({"first": "January"}, "YYYY-MM"),
        ({"grids": ()}, "in order"),
        ({"grids": (("2012-01", "6x4"), ("2000-01", "3x2"))}, "in order"),
        ({"first": "1999-01"}, "in order"),
    ],
)
def test_runs_that_cannot_be_are_refused(settings, message):
    with pytest.raises(NatureRunProblem, match=message):
        NatureRun(**settings)


def test_a_folder_that_is_none_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NatureRunProblem, match="cannot be written"):
        run_nature(tmp_path / "file" / "run", TINY)


def test_only_whole_years_on_the_last_grid_are_kept():
    assert len(NatureRun().kept()) == 84 and str(NatureRun().kept()[0]) == "2015-01"
    with pytest.raises(NatureRunProblem, match="end in a December"):
        NatureRun(last="2021-11").kept()
    assert 0.5e9 < size_bytes() < 1.5e9


def test_the_product_of_a_run_holds_what_the_run_had(tmp_path):
    """Twelve months of made fields instead of a run."""
    run = NatureRun(first="2015-01", last="2015-12", grids=(("2015-01", "12x10"),))
    (tmp_path / SETTINGS).write_text(json.dumps(json.loads(_settings_of(run, tmp_path / "other"))), encoding="utf-8")
    grid, levels = uniform("12x10"), ecmwf_levels(25)
    random = np.random.default_rng(2)
    rows, columns = random.normal(size=(3, 12, 25)), random.normal(size=(3, *grid.shape))
    months = {}
    for number, month in enumerate(run.months()):
        mean = np.stack([np.einsum("kl,kyx->lyx", rows[:, number], columns) * (c + 1) for c in range(4)])
        months[str(month)] = mean.astype(np.float32)
        np.savez(tmp_path / f"{month}.npz", mean=months[str(month)], tracer_mass=np.zeros(1, np.float32))
    path = rebuild(tmp_path, run)
    assert path is not None and path.name == kept.PRODUCT.name
    made = kept.read_product(path)
    assert made.residual_max.max() < 2e-3, "three patterns are enough for three patterns"
    number = month_number(np.datetime64("2015-05"))
    found = made.components(number)
    for c, name in enumerate(COMPONENTS):
        np.testing.assert_allclose(found[name], months["2015-05"][c], atol=2e-3)
    column = np.tensordot(kept.layer_weights(levels), sum(found.values()), axes=1)
    np.testing.assert_allclose(made.column(number), column, atol=0.01)
    with pytest.raises(ValueError, match="whole years"):
        kept.write_product([tmp_path / "2015-01.npz"], np.datetime64("2015-01"), grid, levels, tmp_path / "x.npz")


def _settings_of(run: NatureRun, folder) -> str:
    run_nature(folder, run, months=0)
    return (folder / SETTINGS).read_text(encoding="utf-8")


# ----------------------------------------------------------------------------------------------- the package's product
def test_it_is_small_labelled_and_of_whole_years(product):
    assert kept.PRODUCT.stat().st_size < 4.2e6
    with np.load(kept.PRODUCT) as arrays:
        assert arrays["simulated"] == 1
    assert product.count % 12 == 0 and product.grid.same(uniform("3x2")) and product.levels.count == 25
    assert 366.0 < product.background_ppm < 371.0  # of the beginning of 2000


def test_its_fields_by_height_are_the_runs_to_the_error_it_states(product):
    start = month_number(product.first)
    for c, name in enumerate(COMPONENTS):
        errors = []
        for index in (0, 6, product.count - 5):
            field = product.components(start + index)[name]
            errors.append(field[:, product.places[:, 0], product.places[:, 1]] - product.profiles[c, index])
        worst = np.abs(errors).max()
        assert worst <= product.residual_max[c] + 1e-4, name
        assert np.sqrt(np.mean(np.square(errors))) < 3.0 * product.residual_rms[c] + 0.02, name
    assert product.residual_rms.max() < 0.15


def test_its_columns_are_those_of_its_fields(product):
    number = month_number(product.first) + 17
    column = np.tensordot(product.layers, sum(product.components(number).values()), axes=1)
    error = column - product.column(number)
    assert np.sqrt(np.mean(error**2)) < 2.0 * np.sqrt((product.residual_rms**2).sum()) and np.abs(error).max() < 1.0


def test_its_growth_is_noaas_year_by_year(product):
    start = month_number(product.first)
    share = product.grid.area / product.grid.area.sum()
    mean = np.array([(product.column(start + index) * share).sum() for index in range(product.count)])
    years = int(product.first.astype("datetime64[Y]").astype(int)) + 1970 + np.arange(product.count // 12)
    for index, year in enumerate(years[:-1]):
        assert mean[12 * index + 12] - mean[12 * index] == pytest.approx(
            (23 * annual_growth(year) + annual_growth(year + 1)) / 24, abs=0.05
        )
    first = FIRST_YEAR + (start + np.arange(12) + 0.5) / 12.0
    assert mean[:12].mean() == pytest.approx(global_mean(first).mean(), abs=0.005)


def test_it_looks_like_the_atmosphere(product):
    """Well-known sizes: seasons, the difference between the hemispheres, the age of the stratosphere."""
    start = month_number(product.first) + 36
    fields = [product.components(start + month) for month in range(12)]
    total = np.stack([sum(field.values()) for field in fields])
    lat, share = product.grid.lat, product.grid.area[:, 0]

    def band(values, south, north):
        rows = (lat > south) & (lat < north)
        return np.average(values[..., rows, :].mean(axis=-1), axis=-1, weights=share[rows])

    trend = annual_growth(2018) * np.arange(12) / 12
    surface = band(total[:, 0], 45, 65) - trend
    column = band(np.stack([product.column(start + month) for month in range(12)]), 45, 65) - trend
    assert 10.0 < np.ptp(surface) < 20.0 and 5.0 < np.ptp(column) < 9.0
    assert surface.argmin() in (6, 7) and column.argmax() in (2, 3, 4)
    year = total.mean(axis=0)
    assert 2.5 < band(year[0], 20, 90) - band(year[0], -90, -20) < 6.0
    fossil = np.mean([field["fossil"] for field in fields], axis=0)
    assert 3.0 < band(fossil[0], 20, 90) - band(fossil[0], -90, -20) < 6.0
    pressure = product.levels.edge_pressure(np.array(SURFACE_PRESSURE_PA)) / 100.0
    high = int(np.searchsorted(-pressure, -15.0))
    behind = band(year[5], -20, 20) - band(year[high], -20, 20)
    assert 2.5 < behind / 2.4 < 6.0, "years"


def test_other_years_repeat_the_nearest_and_grow(product):
    inside = month_number(product.first) + product.count - 12 + 3
    for number in (inside + 12, inside + 60):
        grown = product.column(number) - product.column(inside)
        assert np.ptp(grown) < 1e-9
        expected = global_mean(FIRST_YEAR + (number + 0.5) / 12) - global_mean(FIRST_YEAR + (inside + 0.5) / 12)
        assert grown.mean() == pytest.approx(float(expected))
        before, after = product.components(inside), product.components(number)
        more = np.tensordot(product.layers, sum(after.values()) - sum(before.values()), axes=1)
        np.testing.assert_allclose(more, expected, atol=1e-6)
    first = month_number(product.first)
    assert np.ptp(product.column(first + 4) - product.column(first + 4 - 36)) < 1e-9


# ------------------------------------------------------------------------------------------------------------ command
def test_the_command_says_its_cost_runs_and_goes_on(tmp_path, monkeypatch):
    from analysis.world import nature
    from dashboard.commands.demo import command

    monkeypatch.setattr(nature, "NatureRun", lambda: TINY)
    asked = CliRunner().invoke(command, ["--rebuild-nature", str(tmp_path)], input="n\n")
    assert asked.exit_code == 1 and "GB in" in asked.output and "0 of 2 months are there" in asked.output
    assert not list(tmp_path.glob("*.npz"))
    lines = CliRunner().invoke(command, ["--rebuild-nature", str(tmp_path), "--months", "1", "--json"])
    assert lines.exit_code == 1  # two months are no year: said before anything is run
    assert isinstance(lines.exception, NatureRunProblem) and not list(tmp_path.glob("*.npz"))
    year = NatureRun(first="2015-02", last="2015-12", grids=(("2015-02", "36x20"), ("2015-03", "24x18")))
    monkeypatch.setattr(nature, "NatureRun", lambda: year)
    monkeypatch.setattr(NatureRun, "kept", lambda self: self.months())
    lines = CliRunner().invoke(command, ["--rebuild-nature", str(tmp_path), "--months", "1", "--json"])
    assert json.loads(lines.output.splitlines()[0]) == {"done": 1, "total": 11, "label": "2015-02"}
    assert json.loads(lines.output.splitlines()[-1])["status"] == "stopped"
    for wrong in (["--months", "3"], ["--rebuild-nature", str(tmp_path), "--small"]):
        assert CliRunner().invoke(command, wrong).exit_code == 2


def test_regridding_between_the_runs_grids_keeps_the_sum(tiny):
    mass = np.moveaxis(read_month(tiny[0])["tracer_mass"].astype(np.float64), -1, 1)
    moved = Regridder(uniform("36x20"), uniform("24x18")).total(mass)
    np.testing.assert_allclose(moved.sum(axis=(-1, -2)), mass.sum(axis=(-1, -2)), rtol=1e-9, atol=1e3)
