"""Soundings from files: real ones with and without kernels, other level orders, paddings, and files that cannot be used."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from analysis.errors import AnalysisError
from analysis.sampling import ColumnRequests, ColumnSamples, SamplingError, samplers_from
from analysis.sampling.profiles import Profiles
from data.errors import DataError
from tests.analysis.sampling.atmospheres import GRID, kept, snapshot

START, END = np.datetime64("2015-01-31"), np.datetime64("2015-02-01")


def lite(
    path: Path,
    *,
    levels: int = 20,
    count: int = 4,
    upward: bool = False,
    pad: int = 0,
    transpose: bool = False,
    **change,
) -> Path:
    """A file in the Lite layout, the top of the atmosphere first unless `upward`."""
    random = np.random.default_rng(3)
    edges = np.linspace(0.1, 1000.0, levels)
    weight = np.gradient(edges) / np.gradient(edges).sum()
    columns = {
        "pressure_levels": (np.tile(edges, (count, 1)), "hPa"),
        "pressure_weight": (np.tile(weight, (count, 1)), "1"),
        "xco2_averaging_kernel": (np.tile(np.linspace(0.3, 1.1, levels), (count, 1)), "1"),
        "co2_profile_apriori": (np.tile(np.linspace(390, 405, levels), (count, 1)), "ppm"),
    }
    columns |= change.pop("columns", {})
    flags = change.pop("flags", np.zeros(count))
    seconds = change.pop("seconds", 3600.0 * np.arange(count))
    assert not change
    with netCDF4.Dataset(path, "w") as file:
        file.Platform = "OCO-2"
        file.createDimension("sounding_id", count)
        file.createDimension("levels", levels + pad)
        time = file.createVariable("time", "f8", ("sounding_id",))
        time.units = "seconds since 2015-01-31"
        time[:] = seconds
        for name, values in (
            ("sounding_id", 2015013100000011 + 1000 * np.arange(count)),
            ("latitude", random.uniform(-80, 80, count)),
            ("longitude", random.uniform(-180, 180, count)),
            ("xco2", np.full(count, 400.0)),
            ("xco2_uncertainty", np.full(count, 0.5)),
            ("xco2_quality_flag", flags),
        ):
            kind = "i8" if name == "sounding_id" else "f8"
            file.createVariable(name, kind, ("sounding_id",))[:] = values
        file["xco2"].units = "ppm"
        for name, (values, units) in columns.items():
            if values is None:
                continue
            full = np.concatenate([np.full((count, pad), np.nan), values], axis=1)
            full = full[:, ::-1] if upward else full
            dims = ("levels", "sounding_id") if transpose else ("sounding_id", "levels")
            variable = file.createVariable(name, "f4", dims, fill_value=-999999.0)
            variable.units = units
            variable[:] = np.ma.masked_invalid(full.T if transpose else full)
    return path


def columns_of(path: object, **options) -> ColumnSamples:
    (sampler,) = samplers_from([{"path": str(path), **options}], GRID, START, END)
    assert isinstance(sampler, ColumnSamples)
    return sampler


def sampled(path: Path) -> np.ndarray:
    sampler = columns_of(path)
    for hours in range(5):
        sampler.take(
            snapshot(lambda lev, lat, lon: (np.asarray(lev) * 1.0 + np.asarray(lat) * 0)[..., None], hours=hours)
        )
    return kept(sampler)[:, 0]


@pytest.mark.parametrize(
    "layout", [{"upward": True}, {"pad": 3}, {"upward": True, "pad": 2}, {"transpose": True, "count": 6}]
)
def test_level_order_and_padding_do_not_matter(tmp_path: Path, layout):
    count = layout.get("count", 4)
    plain = sampled(lite(tmp_path / "plain.nc4", count=count))
    np.testing.assert_allclose(sampled(lite(tmp_path / "other.nc4", **layout)), plain, rtol=1e-6)


@pytest.mark.parametrize("levels", [2, 12, 15, 51, 72])
def test_any_number_of_levels(tmp_path: Path, levels):
    sampler = columns_of(lite(tmp_path / "x.nc4", levels=levels))
    assert sampler.requests.profiles.levels == levels  # type: ignore[attr-defined]


def test_files_of_one_entry_by_number_of_levels(tmp_path: Path):
    for number, levels in enumerate((20, 15, 20)):
        lite(tmp_path / f"oco2_{number}.nc4", levels=levels, seconds=60.0 * number + 3600 * np.arange(4))
    samplers = samplers_from([tmp_path], GRID, START, END)
    assert [(len(sampler.requests), sampler.label[-9:]) for sampler in samplers] == [(4, "15-levels"), (8, "20-levels")]
    assert (np.diff(samplers[1].requests.begin.astype(np.int64)) >= 0).all()


def test_flagged_and_unusable_soundings_are_counted(tmp_path: Path):
    kernel = np.tile(np.linspace(0.3, 1.1, 20), (4, 1))
    kernel[2, 5] = np.nan
    path = lite(
        tmp_path / "x.nc4", flags=np.array([0, 1, 0, 0]), columns={"xco2_averaging_kernel": (kernel, "1")},
        seconds=[0, 10, 20, 1e7],
    )  # fmt: skip
    sampler = columns_of(path)
    assert len(sampler.requests) == 1
    said = " ".join(sampler.notes)
    assert "1 of 4 soundings are flagged bad" in said
    assert "1 of 4 soundings have a kernel, weight or prior that is missing" in said
    assert "1 of 4 soundings lie outside the run" in said
    assert len(columns_of(path, quality="all").requests) == 2


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"xco2_averaging_kernel": (None, "")},
            "found no averaging_kernel; get files that hold them, or ask for the plain",
        ),
        ({"pressure_weight": (None, "")}, "found no pressure_weight"),
        ({"co2_profile_apriori": (None, "")}, "found no co2_prior"),
        ({"pressure_weight": (np.full((4, 20), 5.0), "1")}, "do not sum to one"),
        ({"pressure_levels": (np.tile(np.linspace(10, 1e5, 20), (4, 1)), "hPa")}, "found 100000, which is Pa"),
        ({"co2_profile_apriori": (np.full((4, 20), 400.0), "K")}, "units 'K'"),
    ],
)
def test_profiles_that_cannot_be_used(tmp_path: Path, columns, sentence):
    with pytest.raises((AnalysisError, DataError), match=sentence):
        columns_of(lite(tmp_path / "x.nc4", columns=columns))


def test_pressures_in_pa_that_say_so_are_understood(tmp_path: Path):
    columns = {"pressure_levels": (np.tile(np.linspace(10, 1e5, 20), (4, 1)), "Pa")}
    assert columns_of(lite(tmp_path / "x.nc4", columns=columns)).requests.surface_pressure == pytest.approx(1000.0)  # type: ignore[attr-defined]


def test_levels_without_pressure_are_taken_top_first_and_said_so(tmp_path: Path):
    sampler = columns_of(lite(tmp_path / "x.nc4", columns={"pressure_levels": (None, "")}))
    assert "the first is taken as the top" in " ".join(sampler.notes)


def test_none_in_the_run(tmp_path: Path):
    with pytest.raises(SamplingError, match="none of 4 soundings can be sampled: 4 of 4 soundings lie outside the run"):
        columns_of(lite(tmp_path / "x.nc4", seconds=1e8 + np.arange(4)))


def test_profiles_of_a_year_move_to_a_file():
    random = np.random.default_rng(0)
    small, large = Profiles(20), Profiles(20, in_memory=5000)
    for _ in range(6):
        weight, kernel = random.uniform(0.1, 1, (2, 50, 20))
        assert small.append(weight, kernel) == large.append(weight, kernel)
    rows = np.array([299, 0, 150, 7])
    for one, other in zip(small.operators(rows), large.operators(rows), strict=True):
        assert one.tobytes() == other.tobytes()
    assert large._parts == []


# ------------------------------------------------------------------------------------------------------------ real files
def test_real_gosat_soundings_with_their_layers(real: Path):
    """Ten days: the prior's column is that of the prior profile, and a uniform 400 ppm is seen as prior + a (400 - p)."""
    files = str(real / "satellite/gosat_l2_v0280_201811/*.h5")
    (sampler,) = samplers_from([files], GRID, np.datetime64("2018-11-01"), np.datetime64("2018-11-04"))
    requests = sampler.requests
    assert isinstance(requests, ColumnRequests) and requests.profiles.levels == 15
    assert 900 < len(requests) < 1300
    assert any("lie outside the run" in note for note in sampler.notes)
    assert ((requests.kernel_sum > 0.5) & (requests.kernel_sum < 1.2)).all()
    uniform = requests.prior_part + 400.0 * requests.kernel_sum
    assert (np.abs(uniform - 400.0) < np.abs(requests.xco2_prior - 400.0)).all()
    assert requests.surface_pressure.min() > 500 and requests.surface_pressure.max() < 1100


def test_real_tccon_spectra_follow_their_integration_operator(real: Path):
    """The prior seen through the operator is TCCON's own prior_xco2 (422.89 for the first spectrum) to 0.03 ppm."""
    path = real / "tccon/ggg2020_netcdf/hw20230402_20230402.public.qc.nc"
    (sampler,) = samplers_from([path], GRID, np.datetime64("2023-04-02"), np.datetime64("2023-04-03"))
    requests = sampler.requests
    assert isinstance(requests, ColumnRequests) and len(requests) == 64
    with netCDF4.Dataset(path) as file:
        assert requests.xco2_prior == pytest.approx(np.asarray(file["prior_xco2"][:], dtype=float), abs=0.03)
    weight, _ = requests.profiles.stored(requests.profile)
    assert weight.sum(axis=1) == pytest.approx(1.0, abs=0.004)


@pytest.mark.parametrize(
    ("path", "absent"),
    [
        (
            "satellite/oco2_lite_v10_ohio/oco2_LtCO2_150114_B10206Ar_200730164045s.SUB.nc4",
            "averaging_kernel, pressure_weight;",
        ),
        (
            "satellite/oco3_lite_one_day_binned/oco3_LtCO2_2023_processed.csv",
            "averaging_kernel, pressure_weight, co2_prior;",
        ),
        ("satellite/oco3_cities/CO2_combined.csv", "averaging_kernel, pressure_weight, co2_prior;"),
        ("tccon/ggg2020_netcdf/pa_input_test.private.qc.nc", "averaging_kernel, integration_operator;"),
    ],
)
def test_real_files_without_kernels_are_refused_unless_the_plain_column_is_asked_for(real: Path, path, absent):
    run = np.datetime64("2014-09-01"), np.datetime64("2026-01-01")
    with pytest.raises(SamplingError, match=f"found no {absent}"):
        samplers_from([real / path], GRID, *run)
    (sampler,) = samplers_from([{"path": real / path, "kernel": "none"}], GRID, *run)
    requests = sampler.requests
    assert isinstance(requests, ColumnRequests) and requests.plain
    assert (requests.kernel_sum == 1).all() and (requests.prior_part == 0).all()


def test_real_files_that_are_no_requests(real: Path):
    for path, sentence in (
        ("satellite/gosat_l3_v0305/GOSATTFTS2018010120180131_03C01SV0305.h5", "expected requests for samples"),
        ("satellite/oco3_cities/SIF_disagg_geocode_2019-2025.csv", "expected soundings of XCO2"),
        ("surface/monthly_stations/df_meta_selected_ctracker_update.csv", "expected one of the columns height"),
        ("boundaries/land-110m.json", "expected"),
    ):
        with pytest.raises((AnalysisError, DataError), match=sentence):
            samplers_from([real / path], GRID, START, END)
