"""Samples between steps, means over spans, and runs that are stopped and taken up again."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import AnalysisError
from analysis.sampling import ColumnSamples, PointSamples, SamplingError
from analysis.simulation.sampler import Sampler
from tests.analysis.sampling.atmospheres import column, kept, point, snapshot


def at(hours: float):
    """A uniform atmosphere: as many ppm as hours, and their square."""
    return snapshot(
        lambda lev, lat, lon: np.broadcast_arrays(lev + lat + lon, 0)[0][..., None] * 0 + [hours, hours**2], hours=hours
    )


def run(sampler, steps, first: int = 0) -> None:
    for hours in steps[first:]:
        sampler.take(at(hours))


def test_is_a_sampler_of_the_agreed_kind():
    sampler: Sampler = PointSamples(point())
    sampler.take(at(0.0))
    sampler.load_state(sampler.state_dict())


@settings(max_examples=40)
@given(
    steps=st.lists(st.floats(0.05, 1.0), min_size=1, max_size=12),
    wanted=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9),
)
def test_moments_are_linear_between_steps(steps, wanted):
    edges = np.round(np.concatenate([[0.0], np.cumsum(steps)]) * 3600) / 3600
    edges = np.unique(edges)
    hours = np.sort(np.round(np.array(wanted) * edges[-1] * 3600) / 3600)
    sampler = PointSamples(point(hours=hours))
    run(sampler, edges)
    assert kept(sampler)[:, 0] == pytest.approx(hours, abs=1e-6)
    assert kept(sampler)[:, 1] == pytest.approx(np.interp(hours, edges, edges**2), abs=1e-6)
    assert (sampler.unreached, sampler.missed, sampler.late, sampler.pending) == (0, 0, 0, 0)


@settings(max_examples=40)
@given(
    steps=st.lists(st.floats(0.1, 1.0), min_size=3, max_size=12),
    ends=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(sorted),
)
def test_means_are_integrals_of_the_straight_lines(steps, ends):
    edges = np.unique(np.round(np.concatenate([[0.0], np.cumsum(steps)]) * 60) / 60)
    begin, end = np.round(np.array(ends) * edges[-1] * 60) / 60
    if end == begin:
        return
    sampler = PointSamples(point(hours=begin, end=end))
    run(sampler, edges)
    knots = np.unique(np.concatenate([[begin, end], edges[(edges > begin) & (edges < end)]]))
    exact = np.trapezoid(np.interp(knots, edges, edges**2), knots) / (end - begin)
    assert kept(sampler)[0, 0] == pytest.approx((begin + end) / 2, abs=1e-6)
    assert kept(sampler)[0, 1] == pytest.approx(exact, abs=1e-6)


def mixed() -> PointSamples:
    """Moments, overlapping spans, and several of each."""
    random = np.random.default_rng(5)
    begin = np.sort(random.uniform(0, 9, 40).round(2))
    end = np.where(random.random(40) < 0.5, begin, (begin + random.uniform(0.1, 3, 40)).round(2))
    lat, lon = random.uniform(-90, 90, 40), random.uniform(-180, 180, 40)
    return PointSamples(
        point(hours=begin, end=end, lat=lat, lon=lon, height=random.uniform(0, 5000, 40)), horizontal="bilinear"
    )


def sky(hours: float):
    random = np.random.default_rng(round(hours * 60))
    state = snapshot(0.0, hours=hours, dtype=np.float32)
    shape = (*state.state.air_mass.shape, 3)
    state.state.tracer_mass = (random.normal(size=shape) * state.state.air_mass[..., None]).astype(np.float32)
    return state


@pytest.mark.parametrize("kind", ["points", "columns"])
@pytest.mark.parametrize("in_files", [False, True])
def test_stopped_and_taken_up_again_bit_for_bit(kind, in_files, tmp_path: Path):
    steps = [0.0, 0.75, 1.5, 2.25, 3.0, 4.0, 5.0, 6.0, 6.5, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]

    def sampler(name: str):
        folder = tmp_path / name if in_files else None
        if kind == "points":
            made = mixed()
            return PointSamples(made.requests, horizontal="bilinear", folder=folder)
        random = np.random.default_rng(1)
        weight = random.uniform(0.1, 1, (30, 20))
        weight /= weight.sum(axis=1, keepdims=True)
        hours = np.sort(random.uniform(0, 12, 30))
        asked = column(weight, random.uniform(0, 1.3, (30, 20)), np.full((30, 20), 400.0), hours=hours)
        return ColumnSamples(asked, folder=folder)

    whole = sampler("whole")
    for hours in steps:
        whole.take(sky(hours))
    for stop in range(1, len(steps)):
        first = sampler(f"parts{stop}")
        for hours in steps[:stop]:
            first.take(sky(hours))
        state = {name: values.copy() for name, values in first.state_dict().items()}
        assert all(values.dtype != object for values in state.values())
        for hours in steps[stop : stop + 3]:  # goes on without a checkpoint, and is killed
            first.take(sky(hours))
        second = sampler(f"parts{stop}")
        second.load_state(state)
        for hours in steps[stop - 1 :]:  # the moment at which it stopped may be shown again
            second.take(sky(hours))
        assert kept(second).tobytes() == kept(whole).tobytes()
        assert second.finished.rows().tobytes() == whole.finished.rows().tobytes()
        if in_files:
            assert sum(values.nbytes for name, values in state.items() if name.startswith("finished")) < 100
            assert "finished_values" not in state


def test_a_state_without_end_does_not_grow_with_a_file(tmp_path: Path):
    sampler = PointSamples(point(hours=np.arange(0, 24, 0.1)), folder=tmp_path)
    sizes = []
    for hours in range(24):
        sampler.take(at(float(hours)))
        sizes.append(sum(values.nbytes for values in sampler.state_dict().values()))
    assert max(sizes[1:-1]) < 1.3 * min(sizes[1:-1])
    assert sampler.pending <= 11


def test_what_is_pending_is_bounded_by_an_hour():
    sampler = PointSamples(point(hours=np.arange(0, 48, 0.01)))
    pending = []
    for hours in range(49):
        sampler.take(at(float(hours)))
        pending.append(sampler.pending)
    assert max(pending) <= 101
    assert sampler.unreached == 0


def test_another_step_than_expected_is_said():
    sampler = PointSamples(point(hours=[0.5, 1.5, 2.5]), longest_step=3600.0)
    run(sampler, [0.0, 3.0])
    assert kept(sampler)[:, 0] == pytest.approx([0.5, 3.0, 3.0])
    assert sampler.late == 2
    learned = PointSamples(point(hours=[3.5, 5.5]))
    run(learned, [0.0, 3.0, 4.0, 7.0])
    assert kept(learned)[:, 0] == pytest.approx([3.5, 5.5])
    assert learned.late == 0


def test_what_begins_before_the_run_and_ends_after_it_is_counted():
    sampler = PointSamples(point(hours=[-1.0, 0.0, 1.0, 1.5, 5.0], end=[0.5, 0.0, 1.0, 9.0, 5.0]))
    run(sampler, [0.0, 1.0, 2.0])
    assert (sampler.missed, sampler.finished.count, sampler.unreached) == (1, 2, 2)


def test_times_must_rise():
    sampler = PointSamples(point())
    run(sampler, [1.0])
    with pytest.raises(SamplingError, match="rising times"):
        sampler.take(at(0.5))


def test_the_state_of_another_sampler_is_refused():
    sampler = PointSamples(point(hours=[1.0]))
    run(sampler, [0.0])
    for other in (PointSamples(point(hours=[2.0])), PointSamples(point(hours=[1.0]), horizontal="bilinear")):
        with pytest.raises(AnalysisError, match="not those that the interrupted run had"):
            other.load_state(sampler.state_dict())
    with pytest.raises(AnalysisError, match="expected the state of a sampler"):
        sampler.load_state({"counts": np.zeros(1)})


def test_finished_samples_that_are_gone(tmp_path: Path):
    sampler = PointSamples(point(hours=[0.0, 0.5]), folder=tmp_path)
    run(sampler, [0.0, 1.0])
    state = sampler.state_dict()
    (tmp_path / "samples.samples").write_bytes(b"")
    with pytest.raises(SamplingError, match="expected 2 samples"):
        PointSamples(point(hours=[0.0, 0.5]), folder=tmp_path).load_state(state)
    with pytest.raises(SamplingError, match="are in files"):
        PointSamples(point(hours=[0.0, 0.5])).load_state(state)


def test_requests_must_be_in_order():
    with pytest.raises(SamplingError, match="sorted"):
        PointSamples(point(hours=[2.0, 1.0]))
    assert PointSamples(point(hours=[2.0, 1.0]).sorted()).requests.id.tolist() == [b"p1", b"p0"]
