"""The archive of soundings: what goes in comes out, in any order, once, and every question gets the rows that NumPy finds."""

from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.canonical import Product
from data.errors import StoreProblem
from data.soundings import SoundingArchive
from data.soundings.query import boxes_of
from data.soundings.table import numbers_of, to_table
from tests.data.sounding_examples import START, product, random_product


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> tuple[SoundingArchive, pd.DataFrame]:
    """An archive of two instruments over two months, and the same soundings as one table."""
    archive = SoundingArchive(tmp_path_factory.mktemp("world") / "soundings")
    products = [
        random_product(1, 4000, levels=3),
        random_product(2, 3000, start=START + np.timedelta64(3, "D"), levels=3),
        random_product(3, 2000, instrument="GOSAT (simulated)", collection="gosat"),
    ]
    archive.append_all([to_table(each) for each in products])
    frames = []
    for each in products:
        frame = each.dataset.drop_vars("averaging_kernel", errors="ignore").to_dataframe()
        frames.append(frame.assign(instrument=each.dataset.attrs["instrument"]))
    truth = pd.concat(frames, ignore_index=True).sort_values(["time", "sounding_id"], ignore_index=True)
    return archive, truth


def ids(frame: pd.DataFrame) -> list[int]:
    return frame["sounding_id"].tolist()


def test_everything_comes_out_as_it_went_in(world):
    archive, truth = world
    found = archive.query(good_only=False)
    assert ids(found) == ids(truth)
    assert found["time"].dtype == "datetime64[ns]"
    assert (found["time"].to_numpy() == truth["time"].to_numpy()).all()
    assert (found["lat"].to_numpy() == truth["lat"].to_numpy()).all()
    assert (found["lon"].to_numpy() == truth["lon"].to_numpy()).all()
    assert (found["xco2"].to_numpy() == truth["xco2"].to_numpy()).all()
    assert found["instrument"].tolist() == truth["instrument"].tolist()
    assert "averaging_kernel" not in found


@settings(max_examples=60)
@given(
    west=st.floats(-400, 400),
    width=st.floats(0, 370),
    edges=st.tuples(st.floats(-90, 90), st.floats(-90, 90)).map(sorted),
    hours=st.one_of(st.none(), st.tuples(st.integers(-5, 150), st.integers(0, 100))),
    good_only=st.booleans(),
    instrument=st.sampled_from([None, "OCO-2", "GOSAT (simulated)", ["OCO-2", "GOSAT (simulated)"]]),
)
def test_a_query_finds_the_rows_that_numpy_finds(world, west, width, edges, hours, good_only, instrument):
    archive, truth = world
    keep = truth["lat"].between(*edges)
    keep &= ((truth["lon"] - west) % 360 <= width) | (width >= 360)
    near_edge = (np.abs((truth["lon"] - west + 180) % 360 - 180) < 1e-9) | (
        np.abs((truth["lon"] - west - width + 180) % 360 - 180) < 1e-9
    )
    start = end = None
    if hours is not None:
        start = START + np.timedelta64(hours[0], "h")
        end = start + np.timedelta64(hours[1], "h")
        keep &= (truth["time"] >= start) & (truth["time"] < end)
    if good_only:
        keep &= truth["quality_flag"] != 1
    if instrument is not None:
        keep &= truth["instrument"].isin([instrument] if isinstance(instrument, str) else instrument)
    box = (west, edges[0], west + width, edges[1])
    found = archive.query(bbox=box, start=start, end=end, good_only=good_only, instrument=instrument)
    assert set(ids(found)) - set(truth["sounding_id"][near_edge]) == set(ids(truth[keep & ~near_edge]))
    assert found["time"].is_monotonic_increasing


def test_west_beyond_east_means_across_the_dateline(world):
    archive, truth = world
    found = archive.query(bbox=(170, -90, -170, 90), good_only=False)
    assert sorted(ids(found)) == sorted(ids(truth[(truth["lon"] >= 170) | (truth["lon"] <= -170)]))
    assert len(found) == len(archive.query(bbox=(170, -90, 190, 90), good_only=False)) > 100


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((-180, -90, 180, 90), ((-180, -90, 180, 90),)),
        ((0, 0, 360, 1), ((-180, 0, 180, 1),)),
        ((10, 0, 20, 1), ((10, 0, 20, 1),)),
        ((190, 0, 200, 1), ((-170, 0, -160, 1),)),
        ((170, 0, -170, 1), ((170, 0, 180, 1), (-180, 0, -170, 1))),
        ((170, 0, 180, 1), ((170, 0, 180, 1), (-180, 0, -180, 1))),
    ],
)
def test_boxes_are_cut_at_the_dateline(box, expected):
    assert boxes_of(box) == expected


def test_kernels_come_by_name_and_only_from_products_that_have_them(world):
    archive, truth = world
    found = archive.query(columns=["averaging_kernel", "sounding_id", "collection", "simulated"], good_only=False)
    assert list(found.columns) == ["averaging_kernel", "sounding_id", "collection", "simulated"]
    assert len(found) == (truth["instrument"] == "OCO-2").sum()
    assert set(found["collection"]) == {"oco2-lite"} and found["simulated"].all()
    expected = np.linspace(0, 1, 3, dtype=np.float32) + found["sounding_id"].to_numpy()[:, None].astype(np.float32)
    assert (np.stack(found["averaging_kernel"].tolist()) == expected).all()


def test_limit_gives_the_earliest(world):
    archive, truth = world
    assert ids(archive.query(limit=7, good_only=False)) == ids(truth)[:7]
    assert archive.query(limit=0).empty


def test_an_empty_answer_has_the_same_columns(world):
    archive, _ = world
    full = archive.query(limit=5)
    for empty in (archive.query(start="2031-01-01"), archive.query(bbox=(0, 89.9999, 0.0001, 90))):
        assert empty.empty and list(empty.columns) == list(full.columns)
        assert empty["time"].dtype == full["time"].dtype and empty["xco2"].dtype == full["xco2"].dtype


def test_texts_from_outside_never_become_part_of_a_statement(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    hostile = 'x" FROM range(3); DROP TABLE y; --'
    archive.append(product([1, 2], instrument="O'CO; --", **{hostile: [1.5, 2.5]}))
    found = archive.query(instrument="O'CO; --", columns=["sounding_id", hostile], good_only=False)
    assert found[hostile].tolist() == [1.5, 2.5]
    for columns in (["1; DROP TABLE x"], ["xco2 AS y, *"], ['"xco2"']):
        with pytest.raises(StoreProblem, match="columns of the archive"):
            archive.query(columns=columns)
    with pytest.raises(StoreProblem, match="an instrument of the archive"):
        archive.query(instrument="x' OR '1'='1")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"bbox": (0, 10, 5)}, "west, south, east, north"),
        ({"bbox": (0, 10, 5, -10)}, "south <= north"),
        ({"bbox": (0, float("nan"), 5, 10)}, "south <= north"),
        ({"start": "yesterday-ish"}, "start as a date or time"),
        ({"end": "2500-01-01"}, "end as a date or time"),
        ({"limit": -1}, "limit of 0 or more"),
        ({"instrument": "Hubble"}, "OCO-2"),
        ({"columns": ["co3"]}, "xco2"),
    ],
)
def test_senseless_questions_are_answered_with_one_sentence(world, question, words):
    with pytest.raises(StoreProblem, match=words) as caught:
        world[0].query(**question)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_times_with_a_zone_are_brought_to_utc(world):
    archive, truth = world
    found = archive.query(end="2019-04-01T09:00:00+09:00", good_only=False)
    assert ids(found) == ids(truth[truth["time"] < "2019-04-01"])


def test_numbers_are_those_of_arrow():
    values = [3, 1, 2]
    for column in (pa.array(values), pa.array(values, pa.float32()), pa.array([True, False, True])):
        chunked = pa.chunked_array([column, column[1:]])
        np.testing.assert_array_equal(numbers_of(column), column.to_numpy(zero_copy_only=False))
        np.testing.assert_array_equal(numbers_of(chunked), chunked.to_numpy())
        assert numbers_of(chunked[1:1]).size == 0
    np.testing.assert_array_equal(numbers_of(pa.array([1, None, 3])), [1, np.nan, 3])


def test_an_empty_archive_answers_and_creates_nothing(tmp_path):
    archive = SoundingArchive(tmp_path / "none")
    assert archive.version == 0 and archive.instruments() == [] and archive.coverage().empty
    assert archive.query(columns=["lon", "lat", "xco2"]).empty
    assert list(archive.query().columns) == ["time", "lat", "lon", "instrument"]
    assert list(archive.problems()) == []
    assert not (tmp_path / "none").exists()


def test_summary_and_calendar_open_no_data_file(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(random_product(1, 500, levels=2))
    for path in (tmp_path / "a").rglob("*.parquet"):
        path.write_bytes(b"")
    (summary,) = archive.instruments()
    assert (summary.name, summary.count, summary.simulated) == ("OCO-2", 500, True)
    assert summary.units["xco2"] == "ppm" and "averaging_kernel" in summary.variables
    coverage = archive.coverage()
    assert coverage["count"].sum() == 500
    assert coverage["day"].tolist() == list(pd.date_range("2019-03-31", "2019-04-03"))
    assert START <= summary.start < summary.end < START + np.timedelta64(3, "D")


def state(archive: SoundingArchive) -> pd.DataFrame:
    frame = archive.query(
        good_only=False, columns=["time", "instrument", "sounding_id", "xco2", "source_file", "version"]
    )
    return frame.sort_values(["instrument", "sounding_id", "source_file"], ignore_index=True)


granules = st.builds(
    lambda name, first, count, version, instrument: product(
        np.arange(first, first + count), name=f"{name}.nc4", version=version, instrument=instrument,
        xco2=400 + ord(name), seconds_apart=600,
    ),
    name=st.sampled_from("abcd"),
    first=st.integers(0, 30),
    count=st.integers(1, 40),
    version=st.sampled_from(["8r", "10r", "11.2r"]),
    instrument=st.sampled_from(["OCO-2", "OCO-3"]),
)  # fmt: skip


def expected_state(parts: list[Product]) -> dict[tuple[str, int], tuple[str, float]]:
    """Of each sounding the one of the latest version, then of the later name: what the archive must come to."""
    best: dict[tuple[str, int], tuple[tuple, str, float]] = {}
    for part in parts:
        version = part.dataset.attrs["version"]
        number = tuple(int(text) for text in version.rstrip("r").split("."))
        for sounding, xco2 in zip(part.dataset["sounding_id"].values, part.dataset["xco2"].values, strict=True):
            key = part.dataset.attrs["instrument"], int(sounding)
            rank = number, version, part.path.name
            if key not in best or rank > best[key][0]:
                best[key] = rank, part.path.name, float(xco2)
    return {key: found[1:] for key, found in best.items()}


@settings(max_examples=25)
@given(
    parts=st.lists(
        granules, min_size=1, max_size=4, unique_by=lambda each: (each.path.name, each.dataset.attrs["instrument"])
    ),
    data=st.data(),
)
def test_order_repetition_and_batches_do_not_matter(tmp_path_factory, parts, data):
    archive = SoundingArchive(tmp_path_factory.mktemp("order") / "a")
    order = data.draw(st.permutations([*parts, *parts[:2]]))
    tables = [to_table(part) for part in order]
    while tables:
        size = data.draw(st.integers(1, len(tables)))
        archive.append_all(tables[:size])
        tables = tables[size:]
    found = state(archive)
    kept = dict(
        zip(
            zip(found["instrument"], found["sounding_id"], strict=True),
            zip(found["source_file"], found["xco2"], strict=True),
            strict=True,
        )
    )
    assert len(kept) == len(found)
    assert kept == expected_state(parts)
    assert list(archive.problems()) == []
    assert archive.coverage()["count"].sum() == len(found)


def test_the_same_granule_again_changes_nothing(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    first = archive.append(product(range(100)))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*") if path.is_file()}
    again = archive.append(product(range(100)))
    assert (first.added, first.already_there) == (100, 0) and (again.added, again.already_there) == (0, 100)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*") if path.is_file()} == before
    assert archive.version == 1


def test_a_changed_granule_takes_the_place_of_the_old_one(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(product(range(0, 100)))
    archive.append(product(range(200, 250), name="other.nc4", start=START + np.timedelta64(60, "D")))
    result = archive.append(product(range(50, 120), xco2=420.0))
    assert (result.added, result.already_there) == (70, 0)
    found = archive.query(good_only=False)
    assert ids(found) == [*range(50, 120), *range(200, 250)]
    assert (found["xco2"][:70] >= 420).all()


def test_equal_names_of_other_days_are_other_granules(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    year = np.timedelta64(365, "D")
    archive.append(product(range(10), name="01.nc", folder="2019"))
    archive.append(product(range(10), name="01.nc", folder="2020", start=START + year))
    assert len(archive.query(good_only=False)) == 20
    assert archive.append(product(range(10), name="01.nc", folder="2020", start=START + year)).added == 0
    assert set(archive.query(columns=["source_file"], good_only=False)["source_file"]) == {"01.nc", "2020/01.nc"}


def test_soundings_given_up_for_a_granule_that_changes_come_back(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(product(range(0, 20), name="subset.nc4", version="10r"))
    archive.append(product(range(10, 30), name="full.nc4", version="11r"))
    assert len(archive.query(good_only=False)) == 30
    archive.append(product(range(15, 30), name="full.nc4", version="11r", xco2=415.0))
    (problem,) = archive.problems()
    assert "subset.nc4" in problem and "import it again" in problem
    assert archive.append(product(range(0, 20), name="subset.nc4", version="10r")).added == 15
    assert ids(archive.query(good_only=False)) == list(range(30))
    assert list(archive.problems()) == []


def test_other_quantities_and_far_places_are_other_soundings(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(product(range(10), name="co2.nc4"))
    sif = product(range(10), name="sif.nc4", collection="oco2-sif", sif_740nm=np.float32(0.3))
    archive.append(Product(sif.kind, sif.dataset.drop_vars("xco2"), sif.reader, sif.collection, sif.path))
    moved = product(range(10), name="numbered_alike.nc4", version="12r")
    moved = Product(
        moved.kind, moved.dataset.assign(lat=moved.dataset["lat"] * 0.5), moved.reader, moved.collection, moved.path
    )
    archive.append(moved)
    assert len(archive.query(good_only=False)) == 30


def test_rows_without_time_or_place_are_left_out_and_counted(tmp_path):
    made = product(range(8))
    lat, time = made.dataset["lat"].values.copy(), made.dataset["time"].values.copy()
    lat[0], lat[1], time[2] = np.nan, 95.0, np.datetime64("NaT")
    numbers = made.dataset["sounding_id"].values.copy()
    numbers[4] = numbers[3]
    dataset = made.dataset.assign(lat=("sounding", lat), time=("sounding", time), sounding_id=("sounding", numbers))
    archive = SoundingArchive(tmp_path / "a")
    result = archive.append(Product("soundings", dataset, "example", "oco2-lite", made.path))
    assert (result.added, result.unusable) == (4, 4)


def test_a_granule_without_soundings_is_remembered(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    assert archive.append(product([])).added == 0
    assert archive.query().empty and archive.instruments() == []
    version = archive.version
    archive.append(product([]))
    assert archive.version == version


def test_what_is_not_soundings_is_refused(tmp_path):
    made = product(range(3))
    with pytest.raises(StoreProblem, match="expected soundings with"):
        SoundingArchive(tmp_path / "a").append(Product("table", made.dataset, "x", "y", made.path))
    with pytest.raises(StoreProblem, match="without quality_flag"):
        lacking = made.dataset.drop_vars("quality_flag")
        SoundingArchive(tmp_path / "a").append(Product("soundings", lacking, "x", "y", made.path))
    assert not (tmp_path / "a").exists()


def test_small_granules_are_joined_and_large_ones_cut(tmp_path, monkeypatch):
    archive = SoundingArchive(tmp_path / "a")
    for day in range(20):
        archive.append(
            product(
                range(day * 10, day * 10 + 10),
                name=f"{day}.nc4",
                seconds_apart=3600,
                start=np.datetime64("2019-05-01", "ns"),
            )
        )
    assert len(archive.contents.files) <= 4
    assert len(archive.query(good_only=False)) == 200
    monkeypatch.setattr("data.soundings.files.FILE_ROWS", 100)
    archive.append(random_product(5, 1000, days=2, instrument="OCO-3", start=np.datetime64("2019-05-03", "ns")))
    parts = sorted(
        (file.start, file.end, file.rows)
        for file in archive.contents.files.values()
        if file.partition.instrument == "OCO-3"
    )
    assert sum(part[2] for part in parts) == 1000 and max(part[2] for part in parts) <= 150
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(parts))
    assert list(archive.problems()) == []


def test_files_are_geoparquet_whose_row_groups_cover_small_areas(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(random_product(1, 200_000, days=0.05))
    (path,) = (tmp_path / "a").rglob("*.parquet")
    assert [part.split("=")[0] for part in path.relative_to(tmp_path / "a").parts[:3]] == [
        "instrument",
        "year",
        "month",
    ]
    file = pq.ParquetFile(path)
    geo = json.loads(file.metadata.metadata[b"geo"])
    assert geo["version"] == "1.1.0" and geo["primary_column"] == "geometry"
    assert geo["columns"]["geometry"]["encoding"] == "point"
    west, south, east, north = geo["columns"]["geometry"]["bbox"]
    assert -180 <= west < east <= 180 and -90 <= south < north <= 90
    point = file.schema_arrow.field("geometry").type
    assert [point.field(i).name for i in range(2)] == ["x", "y"] and str(point.field(0).type) == "double"
    assert "zstd" in file.metadata.row_group(0).column(0).compression.lower()
    areas = []
    for number in range(file.metadata.num_row_groups):
        columns = [file.metadata.row_group(number).column(i) for i in range(file.metadata.num_columns)]
        x, y = (next(c.statistics for c in columns if c.path_in_schema == f"geometry.{axis}") for axis in "xy")
        areas.append((x.max - x.min) * (y.max - y.min))
    assert sum(areas) < 2.5 * 360 * 180  # seven row groups in order of time would cover seven times the globe


def test_precision_is_kept_where_it_matters(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    big = np.array([2_014_123_456.0, 2_014_123_457.0])
    archive.append(
        product([1, 2], orbit_number=big, fraction=np.float64(1 / 3), name_of=np.array(["a", "b"], dtype=object))
    )
    found = archive.query(good_only=False)
    assert found["orbit_number"].tolist() == big.tolist()
    assert found["fraction"].dtype == np.float32 and found["name_of"].tolist() == ["a", "b"]


def test_names_that_differ_by_case_or_are_ours_are_kept_apart(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(product([1, 2], SIF=1.0, sif=2.0, granule=[7, 8]))
    found = archive.query(good_only=False)
    assert found["SIF"].tolist() == [1.0, 1.0] and found["sif_"].tolist() == [2.0, 2.0]
    assert found["granule_"].tolist() == [7, 8]


def test_an_archive_can_be_sent_to_another_process(world):
    archive, truth = world
    assert len(pickle.loads(pickle.dumps(archive)).query(good_only=False)) == len(truth)


def test_any_fsspec_path(tmp_path):
    import fsspec

    url = f"memory://{tmp_path.name}/soundings"
    archive = SoundingArchive(url)
    archive.append(product(range(50), levels=2))
    archive.append(product(range(30, 80), name="b.nc4", version="12r"))
    assert SoundingArchive(url).query(good_only=False)["sounding_id"].tolist() == list(range(80))
    assert len(archive.query(bbox=(0, -90, 90, 90))) > 5
    assert list(archive.problems()) == [] and archive.path.startswith("memory://")
    stored = fsspec.filesystem("memory").find(f"/{tmp_path.name}/soundings")
    assert sorted(stored) == sorted(
        [
            f"/{tmp_path.name}/soundings/manifest.json",
            *(f"/{tmp_path.name}/soundings/{name}" for name in archive.contents.files),
        ]
    )


def test_a_lost_manifest_is_made_again(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    for number in range(6):
        archive.append(random_product(number, 300, levels=2, instrument=("OCO-2", "OCO-3")[number % 2]))
    before, version = state(archive), archive.version
    coverage, contents = archive.coverage(), archive.contents
    (tmp_path / "a" / "manifest.json").write_text("{ broken")
    with pytest.raises(StoreProblem, match="data index"):
        archive.query()
    assert archive.rebuild() == len(before)
    pd.testing.assert_frame_equal(state(archive), before)
    pd.testing.assert_frame_equal(archive.coverage(), coverage)
    assert archive.contents.granules == contents.granules and archive.version > version
    assert archive.append(random_product(3, 300, levels=2, instrument="OCO-3")).added == 0


def test_rebuilding_forgets_lost_files_and_importing_heals(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append_all([to_table(random_product(1, 400, days=3)), to_table(random_product(2, 100, instrument="OCO-3"))])
    lost = next(path for path in (tmp_path / "a").rglob("*.parquet") if "OCO-2" in str(path))
    lost.unlink()
    assert any("found no file" in problem for problem in archive.problems())
    with pytest.raises(StoreProblem, match="data verify"):
        archive.query()
    archive.rebuild()
    assert any("import it again" in problem for problem in archive.problems())
    archive.append(random_product(1, 400, days=3))
    assert len(archive.query(good_only=False)) == 500 and list(archive.problems()) == []


@pytest.mark.parametrize("what", ["bit", "footer", "cut", "foreign"])
def test_damage_is_found(tmp_path, what):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(product(range(5000), seconds_apart=1))
    path: Path = max((tmp_path / "a").rglob("*.parquet"), key=lambda each: each.stat().st_size)
    content = bytearray(path.read_bytes())
    if what == "bit":
        content[len(content) // 3] ^= 1
        path.write_bytes(content)
    elif what == "footer":
        at = content.rindex(b"carbonweather")
        content[at : at + 6] = b"Carbon"  # still a readable file, with every page intact
        path.write_bytes(content)
    elif what == "cut":
        path.write_bytes(content[:-100])
    else:
        (path.parent / "other.parquet").write_bytes(content)
    (problem,) = archive.problems()
    assert {
        "bit": "the bytes that were written",
        "footer": "the bytes that were written",
        "cut": "bytes, found",
        "foreign": "only files that the manifest names",
    }[what] in problem


def test_a_file_of_which_no_sum_is_kept_is_checked_by_its_pages(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(product(range(5000), seconds_apart=1))
    assert archive.without_sum() == 0
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    for file in manifest["files"].values():
        del file["content"]
    (tmp_path / "a" / "manifest.json").write_text(json.dumps(manifest))
    assert archive.without_sum() == 1 and list(archive.problems()) == []
    path = next((tmp_path / "a").rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    (problem,) = archive.problems()
    assert "expected intact pages, found damage" in problem
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    archive.rebuild()
    assert archive.without_sum() == 0 and list(archive.problems()) == []
    archive.append(product(range(5000, 5100), name="b.nc4"))  # joins no file: both have their sums
    assert archive.without_sum() == 0 and list(archive.problems()) == []


def test_a_later_layout_is_refused(tmp_path):
    archive = SoundingArchive(tmp_path / "a")
    archive.append(product(range(3)))
    path = tmp_path / "a" / "manifest.json"
    path.write_text(path.read_text().replace('"layout":1', '"layout":2'))
    with pytest.raises(StoreProblem, match="expected layout 1, found 2"):
        archive.query()
