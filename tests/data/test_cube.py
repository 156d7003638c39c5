"""The cube: what is written comes back, whichever layout it comes from."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from data.cube import Cube, Grid, Variable, list_cubes
from data.cube.manifest import Manifest
from data.cube.pyramid import map_layout
from data.cube.time_layout import block_layout, longest_block, plan
from data.errors import StoreProblem
from tests.data.cube_examples import FLUX, SMALL, XCO2, make_cube, maps, months


def test_grid_of_centres():
    grid = Grid.from_centres(np.arange(-89.975, 90, 0.05).astype("f4"), np.arange(-179.975, 180, 0.05).astype("f4"))
    assert grid == Grid(-180.0, -90.0, 0.05, 0.05, 7200, 3600)
    assert grid.wraps and grid.levels == 5
    assert [grid.shape(level) for level in range(5)] == [
        (3600, 7200),
        (1800, 3600),
        (900, 1800),
        (450, 900),
        (225, 450),
    ]
    region = Grid.from_centres(np.arange(-14.5, 10, 1.0), np.arange(90.5, 145, 1.0))
    assert region == Grid(90.0, -15.0, 1.0, 1.0, 55, 25) and not region.wraps
    np.testing.assert_allclose(region.lon, np.arange(90.5, 145, 1.0))


@pytest.mark.parametrize(
    ("lat", "lon", "words"),
    [
        ([10, 20, 31], [0, 1, 2], "evenly spaced"),
        ([3, 2, 1], [0, 1, 2], "descending"),
        ([1, 2, np.nan], [0, 1, 2], "finite"),
        ([1], [0, 1], "at least two"),
        ([0, 100, 200], [0, 1, 2], "latitudes within"),
        ([0, 1], np.arange(0, 400.0), "360 degrees"),
    ],
)
def test_irregular_centres_are_refused(lat, lon, words):
    with pytest.raises(StoreProblem, match=words):
        Grid.from_centres(np.array(lat, float), np.array(lon, float))


def test_areas_of_cells_add_up_to_the_sphere():
    for grid in (SMALL, Grid(-180, -90, 360 / 7, 180 / 11, 7, 11), Grid(-181.25, -91.25, 2.5, 2.5, 144, 73)):
        for level in range(3):
            columns = np.diff(grid.lon_edges(level)) / (grid.dlon * 2**level)
            total = grid.row_areas(level).sum() * columns.sum()
            assert total == pytest.approx(4 * np.pi * 6371.0072**2, rel=1e-12)


def test_positions_find_their_cells():
    assert [SMALL.column(lon) for lon in (-180, -175.001, 179.999, 180, 185, -541, 3599)] == [0, 0, 71, 0, 1, 71, 35]
    assert [SMALL.row(lat) for lat in (-90, -85.001, 89.9, 90, 90.1, -91)] == [0, 0, 35, 35, None, None]
    across = Grid(170.0, 0.0, 1.0, 1.0, 20, 10)  # over the dateline
    assert [across.column(lon) for lon in (170.5, 179.5, -179.5, -170.5, -169.5, 0)] == [0, 9, 10, 19, None, None]


def test_maps_come_back_rounded_to_the_packing(tmp_path: Path):
    values = maps(SMALL, 3)
    cube = make_cube(tmp_path / "c", values)
    assert (cube.name, cube.title, cube.attrs, cube.levels) == ("example", "An example", {"simulated": 1}, 1)
    np.testing.assert_array_equal(cube.times, months(3))
    for step in range(3):
        found = cube.read("xco2", step)
        assert found.dtype == np.float32 and found.attrs["units"] == "ppm"
        np.testing.assert_array_equal(np.isnan(found), np.isnan(values[step]))
        np.testing.assert_allclose(found, values[step], atol=2e-5)
    np.testing.assert_allclose(cube.read("xco2", -1), values[-1], atol=2e-5)


@pytest.mark.parametrize("seal", [(), (5,), (2, 4), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("variable", [XCO2, FLUX])
def test_series_are_those_of_the_maps_however_sealed(tmp_path: Path, seal, variable):
    values = maps(SMALL, 5)
    cube = make_cube(tmp_path / "c", values, variable=variable, seal=seal)
    for row, column in ((0, 0), (35, 71), (17, 40)):
        found = cube.series(variable.name, SMALL.lon[column] + 360, SMALL.lat[row])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, values[:, row, column], atol=2e-5)


def test_series_outside_the_grid_are_missing(tmp_path: Path):
    grid = Grid(90.0, -15.0, 1.0, 1.0, 55, 25)
    cube = make_cube(tmp_path / "c", maps(grid, 2), grid=grid, seal=(2,))
    assert np.isnan(cube.series("xco2", 0, 0)).all() and np.isnan(cube.series("xco2", 100, 40)).all()
    with pytest.raises(StoreProblem, match="finite position"):
        cube.series("xco2", np.nan, 0)


def test_steps_in_any_order_and_replaced(tmp_path: Path):
    values, times = maps(SMALL, 6), months(6)
    cube = Cube.create(tmp_path / "c", name="c", title="", grid=SMALL, variables={"xco2": XCO2})
    versions = [cube.version]
    for step in (3, 0, 5):
        cube.write(times[step], {"xco2": values[step] + 7})
        versions.append(cube.version)
    cube.seal()
    for step in (1, 3, 4, 2, 0):  # 3 and 0 are replaced after they were sealed
        cube.write(times[step], {"xco2": values[step]})
        versions.append(cube.version)
    cube.write(times[5], {"xco2": values[5]})
    assert all(later > earlier for earlier, later in pairwise(versions))
    np.testing.assert_array_equal(cube.times, times)
    for _ in range(2):
        np.testing.assert_allclose(cube.series("xco2", 2, 2), values[:, 18, 36], atol=2e-5)
        np.testing.assert_allclose(cube.zonal("xco2")[2], np.nanmean(values, axis=2), atol=1e-4)
        np.testing.assert_allclose(cube.to_xarray().xco2, values, atol=2e-5)
        cube.seal()


def test_appending_touches_no_other_file(tmp_path: Path):
    cube = make_cube(tmp_path / "c", maps(SMALL, 4), seal=(4,))

    def stamps() -> dict[str, int]:
        kept = [path for path in (tmp_path / "c").rglob("c.*") if path.is_file()]
        return {str(path): path.stat().st_mtime_ns for path in kept}

    before = stamps()
    cube.write("2020-01-01", {"xco2": maps(SMALL, 1)[0]})
    cube.write("2010-01-01", {"xco2": maps(SMALL, 1)[0]})
    after = stamps()
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 2
    cube.seal()
    assert {path: time for path, time in stamps().items() if path in before} == before


def test_steps_written_together_are_as_written_one_by_one(tmp_path: Path):
    values = maps(SMALL, 5)
    one_by_one = make_cube(tmp_path / "one", values)
    together = make_cube(tmp_path / "two", values[:0])
    together.write_steps(
        [(time, {"xco2": field}) for time, field in zip(months(5)[[3, 0, 4]], values[[3, 0, 4]], strict=True)]
    )
    together.write_steps([(time, {"xco2": field}) for time, field in zip(months(5)[1:3], values[1:3], strict=True)])
    together.write_steps([])
    for cube in (one_by_one, together):
        cube.seal()
    np.testing.assert_array_equal(together.to_xarray().xco2, one_by_one.to_xarray().xco2)
    np.testing.assert_array_equal(together.zonal("xco2")[2], one_by_one.zonal("xco2")[2])
    np.testing.assert_array_equal(together.series("xco2", 5, 5), one_by_one.series("xco2", 5, 5))
    assert together.version == one_by_one.version


def test_steps_written_together_appear_all_or_none(tmp_path: Path):
    cube = make_cube(tmp_path / "c", maps(SMALL, 1))
    before = {path for path in (tmp_path / "c").rglob("c.*") if path.is_file()}
    good, bad = maps(SMALL, 1)[0], np.full(SMALL.shape(), 9999.0)
    with pytest.raises(StoreProblem, match="expected values within"):
        cube.write_steps([("2019-01-01", {"xco2": good}), ("2019-02-01", {"xco2": bad})])
    with pytest.raises(StoreProblem, match="expected each time once, found 2019-01-01T00 twice"):
        cube.write_steps([("2019-01-01", {"xco2": good}), ("2019-01-01T00", {"xco2": good})])
    with pytest.raises(StoreProblem, match="found none; name them"):
        cube.write_steps([("2019-01-01", {"xco2": good}), ("2019-02-01", {})])
    assert len(Cube.open(tmp_path / "c").times) == 1
    assert {path for path in (tmp_path / "c").rglob("c.*") if path.is_file()} == before


@given(
    rows=st.integers(1, 3000),
    columns=st.integers(1, 7200),
    count=st.integers(1, 512),
    variable=st.sampled_from([XCO2, FLUX]),
)
def test_shards_of_series_are_parts_of_chunks_of_maps(rows, columns, count, variable):
    grid = Grid(-180, -90, 360 / 7200, 180 / 3600, columns, rows)
    layout, chunk = block_layout(grid, variable, count), map_layout(grid, variable, 0, 1).chunk
    for side in (1, 2):
        assert layout.shard[side] % layout.chunk[side] == 0
        assert min(abs(chunk[side] / part - layout.shard[side]) for part in (1, 2, 4, 8, 16)) < layout.chunk[side] * 2
    assert int(np.prod(layout.shard)) * np.dtype(variable.dtype).itemsize <= 190_000_000


@given(batches=st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_sealing_keeps_few_blocks(batches):
    manifest = Manifest("m", "", {}, SMALL, {"xco2": XCO2})
    written = 0
    for size in batches:
        for _ in range(size):
            manifest = manifest.with_step(manifest.next_number, {"xco2": manifest.next_number})
        keep, new = plan(manifest)
        written += sum(len(block.slots) for block in new)
        manifest = manifest.with_blocks((*keep, *new), max(block.number for block in new) + 1)
    slots = [slot for block in manifest.blocks for slot in block.slots]
    assert sorted(slots) == sorted(manifest.slots("xco2").tolist())
    count, longest = sum(batches), longest_block(SMALL)
    assert len(manifest.blocks) <= 2 * (np.log2(count) + 1) + 2 * count / longest
    assert written <= count * (np.log2(count) + 2)
    assert max(len(block.slots) for block in manifest.blocks) <= longest


def test_two_variables_written_apart(tmp_path: Path):
    cube = Cube.create(tmp_path / "c", name="c", title="", grid=SMALL, variables=[XCO2, FLUX])
    a, b = maps(SMALL, 2)
    cube.write("2015-01-01", {"xco2": a})
    cube.write("2015-01-01", {"flux": b * 1e-9})
    cube.write("2015-02-01", {"flux": a * 1e-9})
    cube.seal()
    np.testing.assert_allclose(cube.read("xco2", 0), a, atol=2e-5)
    np.testing.assert_allclose(cube.read("flux", 0), b * 1e-9, rtol=1e-6)
    assert np.isnan(cube.read("xco2", 1)).all()
    np.testing.assert_allclose(cube.series("flux", 2, 2), [b[18, 36] * 1e-9, a[18, 36] * 1e-9], rtol=1e-6)
    np.testing.assert_allclose(cube.series("xco2", 2, 2), [a[18, 36], np.nan], atol=2e-5)
    assert np.isnan(cube.zonal("xco2")[2][1]).all()


def test_levels_are_area_weighted_means(tmp_path: Path):
    """Independent oracle: xarray's weighted mean over blocks, at every level from level 0, with gaps and odd sizes."""
    grid = Grid(-180.0, -90.0, 360 / 901, 180 / 803, 901, 803)
    values = maps(grid, 1, gaps=0.6)
    values[0, 100:300, 500:700] = np.nan
    cube = make_cube(tmp_path / "c", values, grid=grid, variable=FLUX)
    assert cube.levels == 3
    areas = xr.DataArray(np.repeat(grid.row_areas()[:, None], grid.nlon, axis=1), dims=("lat", "lon"))
    field = xr.DataArray(values[0], dims=("lat", "lon"))
    for level in (1, 2):
        size = 2**level
        found = cube.read("flux", 0, level=level)
        pad = {"lat": size, "lon": size}
        total = (field * areas).coarsen(pad, boundary="pad").sum()
        weight = areas.where(field.notnull()).coarsen(pad, boundary="pad").sum()
        expected = (total / weight).where(weight > 0)
        np.testing.assert_allclose(found, expected, rtol=3e-7)
        np.testing.assert_allclose(
            found.lat[:-1], grid.lat.reshape(-1)[: (803 // size) * size].reshape(-1, size).mean(1)
        )
        edge = grid.lon[901 // size * size :].mean() if 901 % size else found.lon[-1]
        np.testing.assert_allclose(found.lon[-1], edge)


def test_packed_levels_round_to_the_nearest_code(tmp_path: Path):
    grid = Grid(-180.0, -90.0, 0.9, 0.45, 400, 400)
    values = maps(grid, 1)
    codes = make_cube(tmp_path / "i", values, grid=grid).read("xco2", 0, level=1).to_numpy()
    exact = make_cube(tmp_path / "f", values, grid=grid, variable=FLUX).read("flux", 0, level=1).to_numpy()
    assert np.nanmax(np.abs(codes - exact)) <= 0.005 + 1e-4
    np.testing.assert_array_equal(np.isnan(codes), np.isnan(exact))


def test_zonal_means_are_exact(tmp_path: Path):
    values = maps(SMALL, 3)
    values[1, 4] = np.nan
    times, lat, found = make_cube(tmp_path / "c", values).zonal("xco2")
    np.testing.assert_array_equal(times, months(3))
    np.testing.assert_allclose(lat, SMALL.lat)
    expected = xr.DataArray(values, dims=("time", "lat", "lon")).mean("lon")
    assert np.isnan(found[1, 4])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_limits_cover_the_middle_of_the_area(tmp_path: Path):
    lat = np.repeat(SMALL.lat[:, None], SMALL.nlon, axis=1)
    low, high = make_cube(tmp_path / "c", np.stack([lat + 400, lat + 400])).limits("xco2")
    # Area between latitudes a and b is sin(b) - sin(a): 2 % of the sphere lies south of asin(2 * 0.02 - 1).
    edge = np.degrees(np.arcsin(0.96))
    assert low == pytest.approx(400 - edge, abs=2.6) and high == pytest.approx(400 + edge, abs=2.6)
    empty = make_cube(tmp_path / "e", np.full((2, 36, 72), np.nan))
    assert empty.limits("xco2") == (0.0, 1.0)
    assert Cube.create(tmp_path / "n", name="n", title="", grid=SMALL, variables=[XCO2]).limits("xco2") == (0.0, 1.0)


def test_limits_of_sparse_data(tmp_path: Path):
    values = np.full((8, 36, 72), np.nan)
    values[3, 20, 30], values[6, 11, 5] = 405.0, 415.0
    assert make_cube(tmp_path / "c", values).limits("xco2") == pytest.approx((405.0, 415.0), abs=1e-4)


def test_codes_are_taken_as_they_are(tmp_path: Path):
    codes = np.arange(-32768, -32768 + 36 * 72, dtype=np.int16).reshape(36, 72)
    cube = Cube.create(tmp_path / "c", name="c", title="", grid=SMALL, variables=[XCO2])
    cube.write("2015-01-01", {"xco2": codes})
    found = cube.read("xco2", 0)
    assert np.isnan(found[0, 0]) and found[0, 1] == pytest.approx(400 - 327.67)
    np.testing.assert_allclose(found.to_numpy().ravel()[1:], 400 + 0.01 * codes.ravel()[1:].astype(float), rtol=1e-6)


def test_decode_knows_missing(tmp_path: Path):
    cube = make_cube(tmp_path / "c", maps(SMALL, 1))
    np.testing.assert_array_equal(
        cube.decode("xco2", np.array([-32768, 0, 1], dtype=np.int16)), np.float32([np.nan, 400, 400.01])
    )


def test_empty_and_all_missing(tmp_path: Path):
    cube = Cube.create(tmp_path / "c", name="c", title="", grid=SMALL, variables=[XCO2])
    cube.seal()
    assert cube.times.size == 0 and cube.series("xco2", 0, 0).size == 0 and cube.zonal("xco2")[2].shape == (0, 36)
    assert cube.to_xarray().sizes["time"] == 0
    cube.write("2015-01-01", {"xco2": np.full((36, 72), np.nan)})
    cube.seal()
    assert np.isnan(cube.read("xco2", 0)).all() and np.isnan(cube.series("xco2", 0, 0)).all()


@pytest.mark.parametrize(
    "time",
    ["2015-03-01", date(2015, 3, 1), datetime(2015, 3, 1), np.datetime64("2015-03"), datetime(2015, 3, 1, tzinfo=UTC)],
)
def test_times_of_any_kind(tmp_path: Path, time):
    cube = Cube.create(tmp_path / "c", name="c", title="", grid=SMALL, variables=[XCO2])
    cube.write(time, {"xco2": maps(SMALL, 1)[0]})
    assert cube.times.tolist() == np.array(["2015-03-01"], "datetime64[ns]").tolist()


def test_times_with_a_zone_become_utc(tmp_path: Path):
    cube = Cube.create(tmp_path / "c", name="c", title="", grid=SMALL, variables=[XCO2])
    cube.write(datetime(2015, 3, 1, 9, tzinfo=timezone(timedelta(hours=9))), {"xco2": maps(SMALL, 1)[0]})
    assert cube.times[0] == np.datetime64("2015-03-01")


def test_read_within_bounds(tmp_path: Path):
    cube = make_cube(tmp_path / "c", maps(SMALL, 1, gaps=0))
    whole = cube.read("xco2", 0)
    part = cube.read("xco2", 0, bounds=(10, -20, 30, 0))
    xr.testing.assert_equal(part, whole.sel(lat=slice(-20, 0), lon=slice(10, 30)))
    across = cube.read("xco2", 0, bounds=(170, -90, -170, 90))
    np.testing.assert_allclose(across.lon, [172.5, 177.5, 182.5, 187.5])
    np.testing.assert_array_equal(across, np.concatenate([whole[:, -2:], whole[:, :2]], axis=1))
    with pytest.raises(StoreProblem, match="at least one cell"):
        cube.read("xco2", 0, bounds=(10, 10, 10.1, 10.1))
    with pytest.raises(StoreProblem, match="south <= north"):
        cube.read("xco2", 0, bounds=(10, 20, 30, 0))
    with pytest.raises(StoreProblem, match="pyramid level"):
        cube.read("xco2", 0, level=1)


def test_to_xarray_is_lazy_and_right(tmp_path: Path):
    grid = Grid(-180.0, -90.0, 0.5, 0.25, 720, 720)
    values = maps(grid, 3)
    dataset = make_cube(tmp_path / "c", values, grid=grid).to_xarray("xco2")
    assert dataset.xco2.chunks == ((1, 1, 1), (360, 360), (360, 360))
    assert dataset.attrs == {"title": "An example", "simulated": 1}
    np.testing.assert_allclose(dataset.xco2.isel(time=1, lat=slice(350, 370)), values[1, 350:370], atol=2e-5)
    np.testing.assert_allclose(dataset.xco2.mean(), np.nanmean(values), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 specification")
def test_zarr_reads_both_layouts(tmp_path: Path):
    """The files are what they say: the reference implementation reads the same numbers."""
    grid = Grid(-180.0, -90.0, 0.5, 0.5, 720, 360)
    values = maps(grid, 3)
    values[:, :60, :60] = np.nan  # chunks without data are not stored
    for variable in (XCO2, FLUX):
        cube = make_cube(tmp_path / variable.name, values, grid=grid, variable=variable, seal=(3,))
        folder = Path(cube.path)
        for array in (
            zarr.open_array(folder / "maps" / variable.name / "0"),
            zarr.open_array(folder / "time" / variable.name / "3"),
        ):
            assert array.shape == (3, 360, 720) and array.shards is not None
            np.testing.assert_allclose(variable.decode(array[:]), values, atol=2e-5)


def test_a_cube_copied_to_a_url(tmp_path: Path):
    values = maps(SMALL, 3)
    make_cube(tmp_path / "c", values, seal=(2,))
    fs = fsspec.filesystem("memory")
    fs.put(str(tmp_path / "c"), "/cube-at-a-url", recursive=True)
    try:
        cube = Cube.open("memory://cube-at-a-url")
        np.testing.assert_allclose(cube.series("xco2", 2, 2), values[:, 18, 36], atol=2e-5)
        np.testing.assert_allclose(cube.zonal("xco2")[2], np.nanmean(values, axis=2), atol=1e-4)
        assert cube.refresh() is False
        cube.write("2020-01-01", {"xco2": values[0]})
        assert len(Cube.open("memory://cube-at-a-url").times) == 4 and np.isfinite(cube.zonal("xco2")[2]).any()
    finally:
        fs.rm("/cube-at-a-url", recursive=True)
    with pytest.raises(StoreProblem, match=r"manifest\.json"):
        Cube.open("memory://cube-at-a-url")
    with pytest.raises(StoreProblem, match="cannot be opened"):
        Cube.open("nonsense://cube")


def test_pickled_cubes_open_again(tmp_path: Path):
    cube = make_cube(tmp_path / "c", maps(SMALL, 2))
    again = pickle.loads(pickle.dumps(cube))
    assert again.name == cube.name and again.version == cube.version
    assert "36 x 72 cells, 2 steps" in repr(again)


def test_list_cubes_leaves_out_what_is_none(tmp_path: Path, caplog):
    for name in ("b", "a"):
        Cube.create(tmp_path / name, name=name, title=name, grid=SMALL, variables=[XCO2])
    (tmp_path / "other").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    assert [cube.name for cube in list_cubes(tmp_path)] == ["a", "b"]
    assert "damaged" in caplog.text
    assert list_cubes(tmp_path / "nowhere") == []


def test_many_threads_read_while_one_writes(tmp_path: Path):
    values, times = maps(SMALL, 12), months(12)
    cube = make_cube(tmp_path / "c", values[:4], seal=(4,))

    def look(number: int) -> None:
        for _ in range(15):
            count = len(cube.times)
            found = cube.series("xco2", 2, 2)
            assert len(found) >= count
            np.testing.assert_allclose(found, values[: len(found), 18, 36], atol=2e-5)
            step = number % count
            np.testing.assert_allclose(cube.read("xco2", step), values[step], atol=2e-5)

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(look, number) for number in range(4)]
        for step in range(4, 12):
            cube.write(times[step], {"xco2": values[step]})
            cube.write(times[step % 4], {"xco2": values[step % 4]})  # replaces under the readers' eyes
            if step % 3 == 0:
                cube.seal()
        for reader in readers:
            reader.result()


def test_variable_packing_range():
    assert XCO2.low == pytest.approx(72.33) and XCO2.high == pytest.approx(727.67)
    with pytest.raises(StoreProblem, match="positive finite scale"):
        Variable("a", "1", "", "int16", 0.0)
    with pytest.raises(StoreProblem, match="int16 or float32"):
        Variable("a", "1", "", "int8")  # type: ignore[arg-type]
