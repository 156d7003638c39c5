"""The column operator: exact for uniform air, keeps the column's mass, and applies kernels where they belong."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.grids import Box, Levels, ecmwf_levels, refined
from analysis.sampling import ColumnSamples, SamplingError, samplers_from, write_samples
from analysis.sampling.requests import ColumnRequests
from tests.analysis.sampling.atmospheres import GRID, LEVELS, column, kept, snapshot

B11 = "satellite/oco2_lite_v11_one_sounding/oco2-spectrometer_oco2_20150131-336_co2-column.nc"


def profiles(count: int, levels: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random weights that sum to one, kernels and priors."""
    random = np.random.default_rng(seed)
    weight = random.uniform(0.01, 1.0, (count, levels))
    return (
        weight / weight.sum(axis=1, keepdims=True),
        random.uniform(0, 1.5, (count, levels)),
        random.uniform(380, 420, (count, levels)),
    )


def seen(requests: ColumnRequests, snap, **options) -> np.ndarray:
    sampler = ColumnSamples(requests, **options)
    sampler.take(snap)
    return kept(sampler)


@pytest.mark.parametrize("horizontal", ["cell", "bilinear"])
@settings(max_examples=40)
@given(levels=st.integers(1, 70), seed=st.integers(0, 99), lat=st.floats(-90, 90), lon=st.floats(-360, 360))
def test_uniform_air_is_seen_as_the_sum_of_the_kernel(horizontal, levels, seed, lat, lon):
    requests = column(*profiles(1, levels, seed), lat=lat, lon=lon)
    value = seen(requests, snapshot(3.0), horizontal=horizontal)[0, 0]
    assert value == pytest.approx(3.0 * requests.kernel_sum[0], rel=1e-13)


@settings(max_examples=40)
@given(levels=st.integers(1, 70), seed=st.integers(0, 99))
def test_without_a_kernel_the_column_is_the_models_own(levels, seed):
    random = np.random.default_rng(seed)
    field = random.normal(0, 10, (LEVELS.count, *GRID.shape, 2))
    snap = snapshot(1.0, surface_pa=random.uniform(6e4, 1.02e5, GRID.shape))
    snap.state.tracer_mass = field * snap.state.air_mass[..., None]
    weight, _, prior = profiles(3, levels, seed)
    lat, lon = random.uniform(-90, 90, 3), random.uniform(-180, 180, 3)
    values = seen(column(weight, np.ones_like(weight), prior, lat=lat, lon=lon), snap)
    rows, columns = GRID.locate(lat, lon)
    air = snap.state.air_mass[:, rows, columns]
    own = (field[:, rows, columns] * air[..., None]).sum(axis=0) / air.sum(axis=0)[:, None]
    assert values[:, :2] == pytest.approx(own, rel=1e-6, abs=1e-6)  # the weights are float32


def test_a_kernel_weighs_the_air_of_its_own_level():
    """Two levels, the upper with 30 % of the air; the model has 1 ppm more in its lowest layer, 2 in its highest."""
    weight, kernel = np.array([[0.3, 0.7]]), np.array([[0.5, 2.0]])
    snap = snapshot(lambda lev, lat, lon: ((lev == 0) * 1.0 + (lev == LEVELS.count - 1) * 2.0)[..., None] + 0 * lat[..., None]
                    if np.ndim(lev) else np.zeros(1))  # fmt: skip
    share = snap.state.air_mass[:, 0, 0] / snap.state.air_mass[:, 0, 0].sum()
    value = seen(column(weight, kernel, np.full((1, 2), 400.0)), snap)[0, 0]
    assert value == pytest.approx(2.0 * share[0] * 1.0 + 0.5 * share[-1] * 2.0, rel=1e-6)


@pytest.mark.parametrize(("levels", "limit"), [(15, 0.012), (20, 0.008), (40, 0.003)])
@pytest.mark.parametrize("layers", [25, 34, 60])
def test_smooth_profiles_under_a_smooth_kernel_against_their_integral(layers, levels, limit):
    """8 ppm more near the ground, 6 less at the top: interpolated to 20 levels this would be .03 ppm wrong."""
    share = np.linspace(0.0, 1.0, 20_001)

    def excess(s):
        return 8 * np.exp(-(1 - s) / 0.08) - 6 * np.exp(-s / 0.1)

    def kernel(s):
        return 0.25 + 0.85 * np.sin(0.62 * np.pi * s**0.7)

    exact = np.trapezoid(kernel(share) * excess(share), share)
    model = ecmwf_levels(layers)
    edges = model.edge_pressure(np.array(98_500.0)) / 98_500.0
    integral = 0.64 * np.exp(-(1 - edges) / 0.08) + 0.6 * np.exp(-edges / 0.1)
    means = np.diff(integral) / np.diff(edges)
    at = np.linspace(0.0, 1.0, levels)
    weight = np.full((1, levels), 1.0 / (levels - 1))
    weight[:, [0, -1]] /= 2
    snap = snapshot(0.0, levels=model)
    snap.state.tracer_mass += means[:, None, None, None] * snap.state.air_mass[..., None]
    value = seen(column(weight, kernel(at)[None], np.full((1, levels), 400.0)), snap)[0, 0]
    assert value == pytest.approx(exact, abs=limit)


def test_levels_without_weight_are_none():
    weight, kernel, prior = profiles(1, 5, 3)
    padded = [np.concatenate([np.zeros((1, 2)), values], axis=1) for values in (weight, kernel, prior)]
    snap = snapshot(lambda lev, lat, lon: (np.asarray(lev) * 1.0 + np.asarray(lat) * 0.1)[..., None])
    assert seen(column(*padded), snap)[0, 0] == pytest.approx(
        seen(column(weight, kernel, prior), snap)[0, 0], rel=1e-12
    )


def test_the_models_surface_pressure_is_kept_and_the_profile_stretched():
    weight, kernel, prior = profiles(1, 20, 1)
    requests = column(weight, kernel, prior)
    low, high = (seen(requests, snapshot(5.0, surface_pa=pa)) for pa in (60_000.0, 101_000.0))
    assert low[0, 0] == pytest.approx(high[0, 0], rel=1e-12)
    assert (low[0, 1], high[0, 1]) == (pytest.approx(600.0), pytest.approx(1010.0))


def test_on_the_refined_grid():
    grid = refined(Box(60, 150, -10, 55), 5.0, (15.0, 10.0))
    requests = column(*profiles(4, 20, 2), lat=[30.0, 31.0, -89.9, 89.9], lon=[100.0, 359.0, 0.0, -180.0])
    for horizontal in ("cell", "bilinear"):
        values = seen(requests, snapshot(2.0, grid=grid), horizontal=horizontal)
        assert values[:, 0] == pytest.approx(2.0 * requests.kernel_sum, rel=1e-13)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w, a, p: (w * 100, a, p), "do not sum to one"),
        (lambda w, a, p: (-w, a, p), "negative"),
        (lambda w, a, p: (w, a * np.nan, p), "NaN"),
        (lambda w, a, p: (w, a * 100, p), "kernel beyond 10"),
        (lambda w, a, p: (w, a, p * 1e-6), "not in ppm"),
        (lambda w, a, p: (w, a[:, 1:], p), "one shape"),
    ],
)
def test_profiles_that_cannot_be_right(change, sentence):
    with pytest.raises(SamplingError, match=sentence):
        column(*change(*profiles(2, 6, 0)))


# ------------------------------------------------------------------------------------ the gate of the real B11 sounding
def levels_of(weight: np.ndarray) -> Levels:
    """Model layers that are the sounding's own levels."""
    share = weight[::-1].astype(float) / weight.sum(dtype=float)
    below = np.concatenate([[1.0], 1.0 - np.cumsum(share)])
    below[-1] = 0.0
    return Levels(np.zeros(below.size), below, "of the sounding")


def test_real_sounding_from_file_to_value(real: Path, tmp_path: Path):
    """Reference values: section 1.4 of the reference, to 1e-4 ppm, on the model's own 25 levels."""
    (sampler,) = samplers_from([real / B11], GRID, np.datetime64("2015-01-31"), np.datetime64("2015-02-01"))
    requests = sampler.requests
    assert isinstance(requests, ColumnRequests)
    weight, _ = requests.profiles.stored(requests.profile)
    assert weight.sum() == pytest.approx(1.000000002, abs=1e-9)
    assert requests.xco2_prior[0] == pytest.approx(401.7149, abs=1e-4)
    assert requests.kernel_sum[0] == pytest.approx(0.875760, abs=1e-6)
    assert requests.prior_part[0] == pytest.approx(49.02333, abs=1e-5)
    for hours in range(0, 25):
        sampler.take(snapshot(0.0, hours=hours, dtype=np.float32))
    path = write_samples(tmp_path / "b11.nc", sampler, ["co2"], background=["co2"], simulated=True)
    with xr.open_dataset(path) as samples:
        assert samples["total"].item() == pytest.approx(399.3274, abs=1e-4)
        assert samples["observed"].item() == pytest.approx(399.24, abs=0.01)
        assert str(samples["time"].values[0])[:19] == "2015-01-31T07:36:43"
        assert samples["surface_pressure"].item() == pytest.approx(1012.867, abs=1e-3)


@pytest.mark.parametrize(
    ("raised", "true", "seen_ppm"), [(slice(0, 3), 0.6564, 0.6530), (slice(-3, None), 0.6602, 0.2596)]
)
def test_real_sounding_sees_air_near_the_ground_and_hardly_the_stratosphere(real: Path, raised, true, seen_ppm):
    """+5 ppm in the lowest and in the highest three levels, with model layers that are the sounding's levels."""
    start, end = np.datetime64("2015-01-31"), np.datetime64("2015-02-01")
    with_kernel, plain = samplers_from([real / B11, {"path": real / B11, "kernel": "none"}], GRID, start, end)
    levels = levels_of(with_kernel.requests.profiles.stored(np.array([0]))[0][0])
    excess = np.zeros((levels.count, 1, 1, 1))
    excess[raised] = 5.0
    for sampler, expected in ((with_kernel, seen_ppm), (plain, true)):
        for hours in (7.0, 8.0):
            snap = snapshot(0.0, hours=hours, levels=levels)
            snap.state.tracer_mass += excess * snap.state.air_mass[..., None]
            sampler.take(snap)
        assert kept(sampler)[0, 0] == pytest.approx(expected, abs=1e-4)
