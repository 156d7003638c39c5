"""Stations and aircraft: the right layer, nothing beyond the first and last said to be known."""

import numpy as np
import pytest

from analysis.sampling import PointSamples, SamplingError
from analysis.sampling.requests import ABOVE_GROUND, ABOVE_SEA, PRESSURE
from analysis.transport.boundary_layer import layer_heights
from data.readers.level_geometry import standard_pressure
from tests.analysis.sampling.atmospheres import GRID, LEVELS, kept, point, snapshot

SURFACE = 98_500.0


def by_layer(lev, lat, lon):
    """The number of the layer, and the latitude."""
    return np.stack(
        np.broadcast_arrays(np.asarray(lev, float), np.asarray(lat, float), np.asarray(lon, float))[:2], axis=-1
    )


def sampled(requests, field=by_layer, **options):
    sampler = PointSamples(requests, horizontal=options.pop("horizontal", "cell"))
    sampler.take(snapshot(field, **options))
    return kept(sampler)


def test_middles_of_layers_are_sampled_exactly():
    _, middles = layer_heights(LEVELS, np.array(SURFACE))
    values = sampled(point(height=middles, lat=np.linspace(-80, 80, middles.size)), surface_pa=SURFACE)
    assert values[:, 0] == pytest.approx(np.arange(middles.size), abs=1e-9)
    assert (values[:, 3:] == 0).all()


def test_between_middles_linear_in_height():
    _, middles = layer_heights(LEVELS, np.array(SURFACE))
    height = 0.25 * middles[3] + 0.75 * middles[4]
    assert sampled(point(height=height), surface_pa=SURFACE)[0, 0] == pytest.approx(3.75, abs=1e-9)


def test_below_the_lowest_and_above_the_highest_middle_said_so():
    values = sampled(point(height=[0.0, 2.0, 99_000.0]))
    assert values[:, 0] == pytest.approx([0, 0, LEVELS.count - 1])
    assert values[:, 3].tolist() == [1, 1, 0]
    assert values[:, 4].tolist() == [0, 0, 1]


def test_pressures_between_middles_linear_in_their_logarithm():
    edges = np.maximum(LEVELS.edge_pressure(np.array(SURFACE)), 1.0)
    middles = np.sqrt(edges[1:] * edges[:-1]) / 100
    wanted = np.sqrt(middles[6] * middles[7])
    values = sampled(point(height=[middles[6], wanted, 1050.0], reference=PRESSURE), surface_pa=SURFACE)
    assert values[:, 0] == pytest.approx([6, 6.5, 0], abs=1e-9)
    assert values[:, 2] == pytest.approx([middles[6], wanted, middles[0]])


def test_altitudes_are_pressures_of_the_standard_atmosphere():
    altitude = np.array([500.0, 3_000.0, 9_000.0])
    by_altitude = sampled(point(height=altitude, reference=ABOVE_SEA))
    by_pressure = sampled(point(height=standard_pressure(altitude), reference=PRESSURE))
    assert by_altitude == pytest.approx(by_pressure)
    assert by_altitude[1, 0] > by_altitude[0, 0]


def test_heights_above_ground_follow_the_ground():
    """50 m above a plateau is the lowest layer there, although 3 km above the sea."""
    values = sampled(point(height=[50.0, 3_000.0], reference=[ABOVE_GROUND, ABOVE_SEA]), surface_pa=68_000.0)
    assert values[0, 0] < 1.0
    assert values[0, 2] == pytest.approx(680.0, rel=0.02)
    assert values[1, 2] == pytest.approx(680.0, rel=0.02)  # at most the ground


def test_bilinear_between_cells():
    lat = 0.5 * (GRID.lat[4] + GRID.lat[5])
    values = sampled(point(lat=lat, lon=[12.0, 12.0, -348.0]), horizontal="bilinear")
    assert values[:, 1] == pytest.approx(lat, abs=1e-9)
    assert values[0].tobytes() == values[1].tobytes() == values[2].tobytes()


def test_all_tracers_at_once_and_in_single_precision():
    def many(lev, lat, lon):
        return np.asarray(lev, float)[..., None] * 0 + np.asarray(lat, float)[..., None] * 0 + np.arange(150.0)

    values = sampled(point(height=[10.0, 400.0]), field=many, dtype=np.float32)
    assert values.dtype == np.float32
    assert values[:, :150] == pytest.approx(np.tile(np.arange(150.0), (2, 1)), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lat": 91.0}, "lat within -90..90"),
        ({"lon": 400.0}, "lon within -360..360"),
        ({"lat": np.nan}, "lat within -90..90"),
        ({"height": -20.0}, "above ground in m within 0"),
        ({"height": 2e5}, "km belong in a column that says km"),
        ({"height": 85_000.0, "reference": PRESSURE}, "Pa belong in a column that says pa"),
        ({"hours": 2.0, "end": 1.0}, "end after they begin"),
        ({"lat": np.zeros(0)}, "no requests"),
    ],
)
def test_points_that_cannot_be_right(change, sentence):
    with pytest.raises(SamplingError, match=sentence):
        point(**change)
