"""Samples as netCDF: totals, units, what was observed, and nothing half-written."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from analysis.sampling import ColumnSamples, PointSamples, SamplingError, write_samples
from tests.analysis.sampling.atmospheres import column, point, snapshot

NAMES = ["bg", "bio", "fossil"]
PPM = np.array([-1.5, -0.25, 4.0])


def atmosphere(hours: float, dtype: type = np.float64):
    def field(lev, lat, lon):
        return np.broadcast_arrays(np.asarray(lev) + np.asarray(lat) + np.asarray(lon), 0)[0][..., None] * 0.0 + PPM

    return snapshot(field, hours=hours, dtype=dtype)


def points() -> PointSamples:
    sampler = PointSamples(point(hours=[0.25, 0.5, 1.5], end=[0.25, 0.5, 2.0], lat=[10, 20, 30], height=[10, 500, 1000],
                                 reference=[0, 2, 1]), label="towers")  # fmt: skip
    for hours in (0.0, 1.0, 2.0):
        sampler.take(atmosphere(hours))
    return sampler


def test_points_hold_each_tracer_and_the_total(tmp_path: Path):
    path = write_samples(tmp_path / "deep" / "towers.nc", points(), NAMES, background=["bg"], simulated=True,
                         attributes={"run": "r1"})  # fmt: skip
    with xr.open_dataset(path) as file:
        assert file.sizes == {"sample": 3, "tracer": 3}
        assert file["tracer"].values.tolist() == NAMES
        assert file["id"].values.tolist() == ["p0", "p1", "p2"]
        assert file["value"].values == pytest.approx(np.tile([398.5, -0.25, 4.0], (3, 1)), abs=1e-9)
        assert file["total"].values == pytest.approx([402.25] * 3, abs=1e-9)
        assert file["observed"].values.tolist() == [401.0] * 3
        assert file["value"].attrs["units"] == file["total"].attrs["units"] == "ppm"
        assert file["time"].values.astype("datetime64[s]").astype(str).tolist() == [
            "2015-01-31T00:15:00", "2015-01-31T00:30:00", "2015-01-31T01:45:00"]  # fmt: skip
        assert str(file["time_end"].values[2])[11:16] == "02:00"
        assert file["height_above_ground"].values[0] == 10
        assert file["pressure"].values[1] == 500
        assert file["altitude"].values[2] == 1000
        assert (file.attrs["simulated"], file.attrs["run"]) == (1, "r1")
        assert file.attrs["title"].startswith("Simulated")
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["towers.nc"]


def test_columns_add_what_does_not_depend_on_the_model_once(tmp_path: Path):
    weight, kernel, prior = np.array([[0.25, 0.75]]), np.array([[0.5, 1.0]]), np.array([[396.0, 404.0]])
    sampler = ColumnSamples(column(weight, kernel, prior, hours=0.5))
    for hours in (0.0, 1.0):
        sampler.take(atmosphere(hours))
    path = write_samples(tmp_path / "c.nc", sampler, NAMES, background=["bg"], simulated=False)
    with xr.open_dataset(path) as file:
        kernel_sum, prior_part = 0.875, 402.0 - (0.125 * 396 + 0.75 * 404)
        assert file["kernel_sum"].item() == pytest.approx(kernel_sum)
        assert file["prior_part"].item() == pytest.approx(prior_part)
        seen = [prior_part + kernel_sum * 398.5, -0.25 * kernel_sum, 4.0 * kernel_sum]
        assert file["value"].values[0] == pytest.approx(seen, abs=1e-9)
        assert file["total"].item() == pytest.approx(sum(seen), abs=1e-9)
        assert file["total"].item() == pytest.approx(402.0 + kernel_sum * 402.25 - (402.0 - prior_part), abs=1e-9)
        assert file["model_surface_pressure"].item() == pytest.approx(985.0)
        assert (file.attrs["simulated"], file.attrs["title"][:8]) == (0, "Modelled")


def test_members_of_an_ensemble_are_totals_each(tmp_path: Path):
    path = write_samples(tmp_path / "e.nc", points(), NAMES, background=NAMES, simulated=True)
    with xr.open_dataset(path) as file:
        assert "total" not in file
        assert file["value"].values[0] == pytest.approx(400 + PPM, abs=1e-9)


def test_only_perturbations_have_no_total(tmp_path: Path):
    path = write_samples(tmp_path / "p.nc", points(), NAMES, background=[], simulated=True)
    with xr.open_dataset(path) as file:
        assert "total" not in file
        assert file["value"].values[0] == pytest.approx(PPM, abs=1e-9)


def test_what_was_left_out_is_said_in_the_file(tmp_path: Path):
    sampler = PointSamples(point(hours=[-1.0, 0.5, 7.0]))
    for hours in (0.0, 1.0):
        sampler.take(atmosphere(hours))
    with xr.open_dataset(write_samples(tmp_path / "n.nc", sampler, NAMES, background=["bg"], simulated=True)) as file:
        assert "1 requests began before" in file.attrs["note"]
        assert "1 requests end after" in file.attrs["note"]


@pytest.mark.parametrize(
    ("names", "background", "sentence"),
    [
        (["bg", "bio"], ["bg"], "names of 3 tracers, found 2"),
        (["bg", "bg", "bio"], ["bg"], "names that differ"),
        ([], [], "names that differ"),
        (NAMES, ["co2"], "none is called 'co2'"),
    ],
)
def test_names_that_do_not_fit(tmp_path: Path, names, background, sentence):
    with pytest.raises(SamplingError, match=sentence):
        write_samples(tmp_path / "x.nc", points(), names, background=background, simulated=True)
    assert not list(tmp_path.iterdir())


def test_nothing_to_write_and_nothing_half_written(tmp_path: Path, monkeypatch):
    with pytest.raises(SamplingError, match="no samples to write"):
        write_samples(tmp_path / "x.nc", PointSamples(point()), NAMES, background=["bg"], simulated=True)
    old = tmp_path / "old.nc"
    old.write_bytes(b"what was here")
    monkeypatch.setattr("analysis.sampling.writing.seen", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_samples(old, points(), NAMES, background=["bg"], simulated=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.nc"]
    assert old.read_bytes() == b"what was here"


def test_more_samples_than_are_written_at_once(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("analysis.sampling.writing.BLOCK", 7)
    hours = np.linspace(0, 2, 50).round(3)
    sampler = PointSamples(point(hours=hours), folder=tmp_path / "kept")
    for step in (0.0, 1.0, 2.0):
        sampler.take(snapshot(step, hours=step))
    with xr.open_dataset(
        write_samples(tmp_path / "b.nc", sampler, ["co2"], background=["co2"], simulated=True)
    ) as file:
        assert file["total"].values == pytest.approx(400 + hours, abs=1e-6)
        assert (np.diff(file["time"].values.astype(np.int64)) >= 0).all()
