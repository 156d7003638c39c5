"""Tables and netCDF files of points: what is understood, and one sentence for what is not."""

import gzip
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.sampling import PointRequests, SamplingError, samplers_from
from analysis.sampling.point_files import MOST_REQUESTS
from analysis.sampling.requests import ABOVE_GROUND, ABOVE_SEA, PRESSURE
from data.errors import DataError
from tests.analysis.sampling.atmospheres import GRID

START, END = np.datetime64("2015-01-31"), np.datetime64("2015-02-03")
GOOD = """id,time,latitude,longitude,height_above_ground_m,co2_ppm,co2_uncertainty_ppm
a,2015-01-31T07:36:43Z,53.4,73.9,10,401.5,0.5
b,2015-02-01 12:00,-40.7,144.7,94,398.2,
c,2015-02-02T00:00:00+09:00,24.3,153.98,20,,
"""


def requested(path: Path, **options) -> PointRequests:
    (sampler,) = samplers_from([{"path": str(path), **options}], GRID, START, END)
    assert isinstance(sampler.requests, PointRequests)
    return sampler.requests


def written(tmp_path: Path, text: str, name: str = "stations.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_stations(tmp_path: Path):
    points = requested(written(tmp_path, GOOD))
    assert points.id.tolist() == [b"a", b"b", b"c"]
    assert points.begin.astype("datetime64[s]").astype(str).tolist() == [
        "2015-01-31T07:36:43", "2015-02-01T12:00:00", "2015-02-01T15:00:00"]  # fmt: skip
    assert (points.begin == points.end).all()
    assert points.height.tolist() == [10, 94, 20]
    assert points.observed[:2].tolist() == [401.5, 398.2] and np.isnan(points.observed[2])
    assert points.uncertainty[0] == 0.5


def test_the_same_as_parquet_gzip_and_netcdf(tmp_path: Path):
    csv = written(tmp_path, GOOD)
    (tmp_path / "stations.csv.gz").write_bytes(gzip.compress(GOOD.encode()))
    frame = pd.read_csv(csv)
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601")
    frame.to_parquet(tmp_path / "stations.parquet")
    plain = frame.assign(time=frame["time"].dt.tz_localize(None))
    plain.to_xarray().to_netcdf(tmp_path / "stations.nc")
    expected = requested(csv)
    for name in ("stations.csv.gz", "stations.parquet", "stations.nc"):
        points = requested(tmp_path / name)
        for one, other in zip(expected.identity(), points.identity(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_remarks_before_the_header_and_marks_within(tmp_path: Path):
    points = requested(written(tmp_path, "# made by hand\n# in UTC\n" + GOOD.replace("a,", "tower #1,", 1)))
    assert points.id[0] == b"tower #1" and len(points) == 3


def test_spans_windows_and_heights_of_all_kinds(tmp_path: Path):
    points = requested(
        written(
            tmp_path,
            "site,lat,lon,time_start,time_end,altitude_km,pressure_pa,height_above_ground_m\n"
            "x,10,350,2015-01-31,2015-02-01,1.5,,\n"
            "y,10,-10,2015-01-31,2015-02-01,,85000,\n"
            "z,10,-10,2015-01-31,2015-02-01,3,,12\n",
        )
    )
    assert ((points.end - points.begin) == np.timedelta64(24, "h")).all()
    assert points.height.tolist() == [1500, 850, 12]
    assert points.reference.tolist() == [ABOVE_SEA, PRESSURE, ABOVE_GROUND]
    sea = requested(tmp_path / "stations.csv", heights="sea")
    assert (sea.height[2], sea.reference[2]) == (3000, ABOVE_SEA)
    window = requested(
        written(
            tmp_path, "lat,lon,time,window_hours,altitude_m\n1,2,2015-02-01T12:00,4,100\n1,2,2015-02-01T12:00,,100\n"
        )
    )
    assert (window.end - window.begin).astype("timedelta64[h]").astype(int).tolist() == [4, 0]


def test_daily_afternoons_of_stations_without_times(tmp_path: Path):
    path = written(tmp_path, "site,lat,lon,height_above_ground_m\nTAP,36.7,126.1,20\nMLO,19.5,-155.6,40\n")
    points = requested(path, local_hours=[12, 16])
    hours = ((points.end - points.begin) / np.timedelta64(1, "h")).tolist()
    assert hours == [4.0] * len(points)
    noon = (points.begin - points.begin.astype("datetime64[D]")) / np.timedelta64(1, "h") + points.lon / 15
    assert noon % 24 == pytest.approx([12.0] * len(points), abs=1e-3)
    assert sorted(set(points.id.tolist())) == [b"MLO", b"TAP"]
    assert (points.id == b"TAP").sum() == 3
    assert (points.id == b"MLO").sum() == 3 - 1  # its third afternoon ends after the run
    hourly = requested(path, every_hours=1)
    assert len(hourly) == 2 * 73
    with pytest.raises(SamplingError, match="expected a column 'time'"):
        requested(path)


def obspack(path: Path, *, units: str = "m", factor: float = 1.0, value_units: str = "mol mol-1") -> Path:
    """In ObsPack's layout: characters, seconds, -1e34, mol/mol."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("obs", 3)
        file.createDimension("string_of_200chars", 200)
        time = file.createVariable("time", "i4", ("obs",))
        time.units = "seconds since 1970-01-01T00:00:00Z"
        time[:] = [1422700000, 1422800000, 1422810000]
        for name, values in (("latitude", [36.7, 19.5, 71.3]), ("longitude", [126.1, 204.4, 203.4])):
            file.createVariable(name, "f4", ("obs",), fill_value=-1e34)[:] = values
        altitude = file.createVariable("altitude", "f4", ("obs",), fill_value=-1e34)
        altitude.units = units
        altitude[:] = factor * np.array([40.0, 3437.0, 27.0])
        intake = file.createVariable("intake_height", "f4", ("obs",), fill_value=-1e34)
        intake.units = "m"
        intake[:] = [20.0, 40.0, -1e34]
        value = file.createVariable("value", "f4", ("obs",), fill_value=-1e34)
        value.units = value_units
        value[:] = [401.0e-6, 399.0e-6, -1e34]
        spread = file.createVariable("value_unc", "f4", ("obs",), fill_value=-1e34)
        spread[:] = [1e-6, 0.5e-6, -1e34]
        strategy = file.createVariable("CT_sampling_strategy", "i4", ("obs",), fill_value=-9)
        strategy[:] = [1, 2, 4]
        ids = file.createVariable("obspack_id", "S1", ("obs", "string_of_200chars"))
        ids[:] = netCDF4.stringtochar(np.array([f"obspack~{k}" for k in range(3)], dtype="S200"))
    return path


def test_obspack_names(tmp_path: Path):
    points = requested(obspack(tmp_path / "obspack_co2.20150131.nc"))
    assert points.id.tolist() == [b"obspack~0", b"obspack~1", b"obspack~2"]
    assert points.height == pytest.approx([20, 40, 27])
    assert points.reference.tolist() == [ABOVE_GROUND, ABOVE_GROUND, ABOVE_SEA]
    assert points.observed[:2] == pytest.approx([401, 399], abs=1e-3) and np.isnan(points.observed[2])
    assert points.uncertainty[:2] == pytest.approx([1, 0.5], abs=1e-3)
    assert ((points.end - points.begin) / np.timedelta64(1, "h")).tolist() == [4, 1, 0]
    assert points.begin[0] == np.datetime64(1422700000 - 7200, "s")
    assert requested(tmp_path / "obspack_co2.20150131.nc", heights="sea").height[1] == pytest.approx(3437)
    in_km = requested(obspack(tmp_path / "km.nc", units="km", factor=1e-3), heights="sea")
    assert in_km.height[:2] == pytest.approx([40, 3437])


def test_rows_without_place_or_time_are_left_out_and_counted(tmp_path: Path):
    text = GOOD + "d,2015-02-01,,10,10,,\ne,,10,10,10,,\nf,2015-02-01,10,10,,,\n"
    points = requested(written(tmp_path, text))
    assert len(points) == 3
    assert "3 of 6 rows of stations.csv lack place, height or time" in points.notes[0]


def test_what_lies_outside_the_run_is_counted(tmp_path: Path):
    points = requested(written(tmp_path, GOOD + "d,2016-01-01,10,10,10,,\n"))
    assert points.notes == (
        "1 of 4 requests lie outside the run from 2015-01-31 00:00 to 2015-02-03 00:00 and are left out.",
    )
    with pytest.raises(SamplingError, match="None of 3 requests lies within the run"):
        samplers_from([written(tmp_path, GOOD)], GRID, np.datetime64("1999-01-01"), np.datetime64("1999-02-01"))


HEADER = "time,latitude,longitude,height_above_ground_m\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "an empty file"),
        (HEADER, "a header without rows"),
        ("time,longitude,height_above_ground_m\n2015-02-01,1,1\n", "expected"),
        ("time,latitude,longitude\n2015-02-01,1,1\n", "expected one of the columns height_above_ground_m"),
        ("time,latitude,longitude,height\n2015-02-01,1,1,10\n", "'height', which does not say its unit"),
        ("time,latitude,longitude,pressure\n2015-02-01,1,1,850\n", "'pressure', which does not say its unit"),
        (HEADER + "2015-02-01,95,1,10\n", "lat within -90..90 degrees, found 95"),
        (HEADER + "2015-02-01,north,1,10\n", "expected numbers in column 'latitude', found 'north' in row 1"),
        (HEADER + "2015-02-01,1,1,\n", "found none in 1 rows"),
        (HEADER + "yesterday,1,1,10\n", "found 'yesterday' in row 1"),
        (HEADER + "31/01/2015,1,1,10\n", "found '31/01/2015' in row 1"),
        (HEADER + "1422700000,1,1,10\n", "found '1422700000' in row 1"),
        ("time,latitude,longitude,pressure_hpa\n2015-02-01,1,1,85000\n", "those in Pa belong in a column that says pa"),
        ("time,latitude,longitude,altitude_km\n2015-02-01,1,1,5500\n", "altitudes above sea in m within"),
        ("time_start,latitude,longitude,altitude_m\n2015-02-01,1,1,5\n", "found only 'time_start'"),
        (
            "time,window_hours,latitude,longitude,altitude_m\n2015-02-01,-4,1,1,5\n",
            r"window_hours within 0\.\.8784, found -4",
        ),
        ("time,latitude,longitude,altitude_m,co2_ppm\n2015-02-01,1,1,5,0.0004\n", "between 300 and 600 ppm"),
        ("time,Time,latitude,longitude,altitude_m\n2015-02-01,2015-02-01,1,1,5\n", "found 'time' twice"),
        ("id," + HEADER + "x" * 5000 + ",2015-02-01,1,1,10\n", "at most 256 characters, found one of 5000"),
        ("\x00\x01\x02garbage\x00", "expected"),
        ("<html><body>404 Not Found</body></html>\n", "expected"),
    ],
)
def test_tables_that_cannot_be_used_get_one_sentence(tmp_path: Path, text, sentence):
    with pytest.raises((AnalysisError, DataError), match=sentence) as caught:
        requested(written(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "stations.csv" in str(caught.value) and len(str(caught.value)) < 500


def test_netcdf_that_cannot_be_used(tmp_path: Path):
    for change, sentence in (
        ({"units": "km"}, "those in km belong in a column that says km"),
        ({"units": "feet"}, "altitude in m or km, found units 'feet'"),
        ({"units": ""}, "altitude in m or km, found units"),
        ({"value_units": "K"}, "units 'K'"),
    ):
        with pytest.raises((AnalysisError, DataError), match=sentence):
            requested(obspack(tmp_path / "bad.nc", **change), heights="sea")
    cut = tmp_path / "cut.nc"
    cut.write_bytes(obspack(tmp_path / "whole.nc").read_bytes()[:3000])
    with pytest.raises(DataError, match="damaged or truncated"):
        requested(cut)


def test_huge_requests_are_refused_before_they_are_made(tmp_path: Path):
    rows = "".join(f"s{k},{k % 90},{k % 180},10\n" for k in range(300))
    path = written(tmp_path, "site,lat,lon,height_above_ground_m\n" + rows)
    with pytest.raises(SamplingError, match=f"more than {MOST_REQUESTS:,}"):
        requested(path, every_hours=1e-3)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"path": "x.csv", "horizontal": "nearest"}, "horizontal: expected cell or bilinear, found 'nearest'"),
        ({"path": "x.csv", "colour": 1}, "found 'colour'"),
        ({"file": "x.csv"}, "a mapping with `path`"),
        (7, "expected a file"),
        ("", "expected a file"),
        ({"path": " "}, "expected a file"),
        ({"path": "x.csv", "local_hours": [16, 12]}, "local_hours: expected two hours"),
        ({"path": "x.csv", "local_hours": "noon"}, "local_hours: expected two hours"),
        ({"path": "x.csv", "every_hours": 0}, "every_hours: expected a positive number"),
        ({"path": "x.csv", "every_hours": 1, "local_hours": [12, 16]}, "found both"),
        ("nowhere/*.nc4", "expected files of this pattern, found none"),
        ("nowhere.csv", "no such file"),
    ],
)
def test_entries_that_cannot_be_understood(entry, sentence):
    with pytest.raises((AnalysisError, DataError), match=sentence):
        samplers_from([entry], GRID, START, END)


def test_folders_patterns_and_labels(tmp_path: Path):
    for name in ("one", "two"):
        written(tmp_path, GOOD.replace("a,", f"{name},", 1), f"{name}.csv")
    whole, pattern, labelled, again = samplers_from(
        [
            tmp_path,
            str(tmp_path / "*.csv"),
            {"path": tmp_path / "one.csv", "label": "Tall towers"},
            tmp_path / "one.csv",
        ],
        GRID,
        START,
        END,
    )
    assert len(whole.requests) == len(pattern.requests) == 6
    assert (np.diff(whole.requests.begin.astype(np.int64)) >= 0).all()
    assert labelled.label == "tall-towers" and again.label == "one"
    assert len({sampler.label for sampler in (whole, pattern, labelled, again)}) == 4
    (tmp_path / "empty").mkdir()
    with pytest.raises(SamplingError, match="no file in it"):
        samplers_from([tmp_path / "empty"], GRID, START, END)
