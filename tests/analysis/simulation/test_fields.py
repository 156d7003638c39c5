"""Means over periods: exact for what is linear in time, whatever the steps, and to the bit after a restart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from analysis.simulation.fields import FieldMeans, Period, SamplerProblem, columns, level_fields, periods
from analysis.simulation.model import Model
from tests.analysis.simulation.small_runs import GRID, LEVELS

DAY = np.datetime64("2022-01-30T00:00:00")


def at(hours: float) -> np.datetime64:
    return DAY + np.timedelta64(round(hours * 3600), "s")


def value(hours: float) -> np.ndarray:
    """Linear between the steps, with a bend at each."""
    return np.array([3.0 + hours, np.sin(hours), 7.0])


def means(steps: list[float], every: str, hours: float) -> list[Period]:
    found: list[Period] = []
    taker = FieldMeans(periods(at(0), at(hours), every), lambda look: {"value": look.value}, found.append)
    for step in steps:
        taker.take(SimpleNamespace(time=at(step), value=value(step)))
    return found


def test_means_are_integrals_of_the_lines_between_the_steps():
    # steps of 51 min, to the second: few end with a period of three hours
    steps = (np.round(np.linspace(0, 24 * 3600, 29)) / 3600).tolist()
    found = means(steps, "3-hourly", 24)
    assert [period.number for period in found] == list(range(8))
    fine = np.linspace(0, 24, 24 * 3600 + 1)
    knots = [float((at(step) - DAY) / np.timedelta64(3600, "s")) for step in steps]
    for period in found:
        begin, end = ((moment - DAY) / np.timedelta64(3600, "s") for moment in (period.start, period.end))
        inside = fine[(fine >= begin) & (fine <= end)]
        expected = np.trapezoid(np.interp(inside, knots, np.sin(steps)), inside) / 3
        assert period.values["value"][0] == pytest.approx(3 + (begin + end) / 2, abs=1e-9)
        assert period.values["value"][1] == pytest.approx(expected, abs=1e-6)
        assert period.values["value"][2] == pytest.approx(7, abs=1e-14)
        assert period.middle == period.start + np.timedelta64(90, "m")


def test_a_step_longer_than_a_period_gives_them_all():
    found = means([0, 24], "3-hourly", 24)
    assert [period.values["value"][0] for period in found] == pytest.approx([4.5 + 3 * n for n in range(8)])


def test_months_are_calendar_months_cut_to_the_run():
    edges = periods(np.datetime64("2020-01-30"), np.datetime64("2020-04-02"), "monthly")
    assert [str(edge)[:10] for edge in edges] == ["2020-01-30", "2020-02-01", "2020-03-01", "2020-04-01", "2020-04-02"]
    assert len(periods(np.datetime64("2020-02-01"), np.datetime64("2020-03-01"), "monthly")) == 2
    assert len(periods(np.datetime64("2020-02-01"), np.datetime64("2020-03-01"), "daily")) == 30


def test_going_on_from_the_state_gives_the_same_bits():
    steps = [n * 0.7 for n in range(36)]
    whole = means(steps, "3-hourly", 24)
    for cut in (1, 7, 20):
        found: list[Period] = []
        parts = steps[:cut], steps[cut:]
        kept: dict[str, np.ndarray] = {}
        for part in parts:
            taker = FieldMeans(periods(at(0), at(24), "3-hourly"), lambda look: {"value": look.value}, found.append)
            if kept:
                taker.load_state(kept)
            for step in part:
                taker.take(SimpleNamespace(time=at(step), value=value(step)))
            kept = {name: np.array(values) for name, values in taker.state_dict().items()}
        assert [p.values["value"].tobytes() for p in found] == [p.values["value"].tobytes() for p in whole]


def test_what_is_not_in_order_is_refused():
    with pytest.raises(SamplerProblem, match="times that rise"):
        means([0, 1, 1], "3-hourly", 24)
    with pytest.raises(SamplerProblem, match="but the run starts"):
        means([1], "3-hourly", 24)
    taker = FieldMeans(periods(at(0), at(24), "daily"), lambda look: {}, lambda period: None)
    with pytest.raises(SamplerProblem, match="Expected the state of means, found place"):
        taker.load_state({"place": np.zeros(3)})


def test_columns_are_weighted_by_dry_air():
    model = Model(GRID, LEVELS, dtype=np.float64, mixing=False)
    ratio = np.arange(LEVELS.count, dtype=float)[:, None, None, None] * np.array([1.0, 0.0]) + np.array([0.0, 5.0])
    pressure = np.full(GRID.shape, 98_000.0)
    state = model.state(np.broadcast_to(ratio, (LEVELS.count, *GRID.shape, 2)), pressure)
    snapshot = model.snapshot(DAY, state)
    assert np.allclose(snapshot.surface_pressure, pressure, rtol=1e-13)
    found = columns(snapshot)
    thickness = -np.diff(LEVELS.edge_pressure(np.array(98_000.0)))
    assert np.allclose(found["column"][..., 0], np.average(np.arange(LEVELS.count), weights=thickness), rtol=1e-13)
    assert np.allclose(found["column"][..., 1], 5.0, rtol=1e-13)
    assert np.allclose(found["lowest"], [0.0, 5.0], atol=1e-13)
    levels = level_fields(snapshot)["mole_fraction"]
    assert levels.dtype == np.float32 and np.allclose(levels, np.broadcast_to(ratio, levels.shape))
