"""The notebook's map shows exactly what the cube's window holds for its range, and tells in words what it cannot show."""

from __future__ import annotations

import numpy as np
import pytest

from data.cube import Cube, Grid, Variable, View
from data.errors import StoreProblem

FACTS = Variable("xco2", "ppm", "XCO2", "int16", scale=0.01, offset=400.0)


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    """Two months on a global 1° grid; each cell holds a number of its own, the second month 1 ppm more; a hole in both."""
    grid = Grid(west=-180.0, south=-90.0, dlon=1.0, dlat=1.0, nlon=360, nlat=180)
    cube = Cube.create(
        tmp_path_factory.mktemp("cubes") / "own", name="own", title="Own numbers", grid=grid, variables=[FACTS]
    )
    codes = (np.arange(180 * 360) % 20011).reshape(180, 360).astype(np.int16)
    codes[100:104, 200:210] = FACTS.missing
    for number, month in enumerate(("2020-01", "2020-02")):
        cube.write(
            np.datetime64(month), {"xco2": np.where(codes == FACTS.missing, codes, codes + np.int16(100 * number))}
        )
    return cube


def plotted(map_):
    """The Bokeh plot of a map and its image's source."""
    import holoviews as hv

    plot = hv.renderer("bokeh").get_plot(map_)
    source = next(r.data_source for r in plot.state.renderers if type(r.glyph).__name__ == "Image")
    return plot, source


def callback(plot):
    """The plot's one link from the browser: it takes the visible range."""
    (found,) = [callback for layer in plot.subplots.values() for callback in layer.callbacks]
    return found


def look_at(plot, x_range, y_range):
    (stream,) = callback(plot).streams
    stream.event(x_range=x_range, y_range=y_range)


PLACES = [(0.31, 0.62, 0.45, 0.77), (0.7, 0.72, 0.5, 0.51), (0.9, 1.3, 0.2, 1.1)]
"""Parts of the extent (x0, x1, y0, y1): wide, a few cells, across the dateline and a pole."""


@pytest.mark.parametrize("projection", ["lonlat", "mercator"])
def test_shows_exactly_the_cubes_window(cube, projection):
    from dashboard.notebook import explore_map, extent

    plot, source = plotted(explore_map(cube, projection=projection))
    west, east, south, north = extent(cube, projection)
    for place in [None, *PLACES]:
        x0, x1, y0, y1 = west, east, south, north
        if place is not None:
            x0, x1 = west + place[0] * (east - west), west + place[1] * (east - west)
            y0, y1 = south + place[2] * (north - south), south + place[3] * (north - south)
            look_at(plot, (x0, x1), (y0, y1))
        view = View(x0, x1, y0, y1, plot.state.frame_width, plot.state.frame_height, projection)
        image = np.asarray(source.data["image"][0])
        assert np.array_equal(image, cube.decode("xco2", cube.window("xco2", 0, view)), equal_nan=True)
        assert np.isfinite(image).any()
        assert (source.data["x"][0], source.data["y"][0]) == pytest.approx((x0, y0))
        assert (source.data["dw"][0], source.data["dh"][0]) == pytest.approx((x1 - x0, y1 - y0))


def test_the_slider_changes_the_month_in_the_same_range(cube):
    from dashboard.notebook import explore_map

    map_ = explore_map(cube)
    plot, source = plotted(map_)
    look_at(plot, (10.0, 50.0), (0.0, 20.0))
    january = np.asarray(source.data["image"][0])
    plot.update(("2020-02",))
    assert "2020-02" in plot.state.title.text
    np.testing.assert_allclose(np.asarray(source.data["image"][0]), january + 1.0, atol=1e-4)
    assert source.data["x"][0] == pytest.approx(10.0)
    assert [value for dimension in map_.kdims for value in dimension.values] == ["2020-01", "2020-02"]


def test_it_draws_on_a_canvas_and_tells_new_ranges_early(cube):
    import holoviews as hv
    import holoviews.plotting.bokeh.callbacks as callbacks

    from dashboard.notebook import DEBOUNCE_MS, LOD_TIMEOUT_MS, explore_map

    plot, _ = plotted(explore_map(cube) * hv.Points([(116.4, 39.9)]))  # whatever is laid over it
    assert plot.state.frame_width == 900
    assert plot.state.lod_timeout == LOD_TIMEOUT_MS
    assert plot.state.output_backend == "canvas"
    assert callback(plot).debounce == DEBOUNCE_MS
    assert callbacks.RangeXYCallback.debounce > DEBOUNCE_MS  # other maps of the notebook keep theirs


def test_coastlines_lie_above_the_picture(cube):
    import holoviews as hv

    from dashboard.notebook import explore_map

    shown = explore_map(cube, projection="mercator")["2020-01"]
    assert [type(layer) for layer in shown] == [hv.Image, hv.Path]
    assert np.nanmax(np.abs(shown.get(1).dimension_values(0))) == pytest.approx(20037508.34, rel=2e-3)


def test_a_pane_from_a_folder_has_a_slider(cube):
    from dashboard.notebook import explore

    pane = explore(cube.path, palette="cividis")
    assert [list(widget.options) for widget in pane.widget_box] == [["2020-01", "2020-02"]]
    assert pane.object["2020-02"].get(0).vdims[0].unit == "ppm"


def test_what_cannot_be_shown_is_said(cube, tmp_path):
    from dashboard.notebook import explore, explore_map

    with pytest.raises(ValueError, match=r"variable 'xch4'.*choose another"):
        explore_map(cube, "xch4")
    with pytest.raises(ValueError, match="'lonlat' or 'mercator', found 'polar'"):
        explore_map(cube, projection="polar")
    with pytest.raises(ValueError, match="colour map"):
        explore_map(cube, palette="jet")
    with pytest.raises(StoreProblem, match="expected a folder"):
        explore(tmp_path)
    empty = Cube.create(tmp_path / "empty", name="empty", title="Nothing yet", grid=cube.grid, variables=[FACTS])
    with pytest.raises(ValueError, match="with time steps"):
        explore_map(empty)
