"""Planted faults are found where they are, good data give no alarm, and nothing is changed by looking."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dashboard.commands.data import command
from data import plausibility
from data.canonical import Product
from data.cube import Cube
from data.errors import StoreProblem
from data.home import cubes_dir, sites_dir, soundings_dir, tables_dir
from data.importing import import_paths
from data.removing import remove
from data.sites import SiteStore
from data.soundings import SoundingArchive
from data.tables import TableStore
from data.verifying import Finding, rebuild_indices, verify
from tests.data.cube_examples import SMALL, XCO2, make_cube, months
from tests.data.folder_examples import KEYS, fill, table_product
from tests.data.sounding_examples import random_product, sites_product

DAY = np.timedelta64(1, "D")


def of_sort(home: Path, sort: str, only: str | None = None) -> list[Finding]:
    return [finding for finding in verify(home, only) if finding.sort == sort]


def with_values(made: Product, **values) -> Product:
    """A product with single values replaced: xco2={3: 999.0}."""
    dataset = made.dataset.copy(deep=True)
    for name, at in values.items():
        for place, value in at.items():
            dataset[name].values[place] = value
    return replace(made, dataset=dataset)


def quiet_soundings(seed: int = 1, count: int = 3000, **how) -> Product:
    """Soundings on all latitudes whose values scatter by 1 ppm, none flagged."""
    made = random_product(seed, count, **how)
    noise = np.random.default_rng(seed).normal(0, 1, count)
    return replace(
        made,
        dataset=made.dataset.assign(
            xco2=("sounding", (410 + noise).astype(np.float32), {"units": "ppm"}),
            quality_flag=("sounding", np.zeros(count, dtype=np.int8)),
        ),
    )


# ------------------------------------------------------------------------------------------------------------ soundings


def test_good_soundings_give_no_alarm(tmp_path):
    SoundingArchive(soundings_dir(tmp_path)).append(quiet_soundings())
    assert [finding for finding in verify(tmp_path) if finding.sort != "gap"] == []


def test_an_outlier_and_an_impossible_value_are_found_with_place_and_day(tmp_path):
    made = with_values(quiet_soundings(), xco2={100: 450.0, 200: -5.0, 300: np.nan})
    SoundingArchive(soundings_dir(tmp_path)).append(made)
    far, impossible = sorted(of_sort(tmp_path, "outlier"), key=lambda finding: finding.problem)
    lat, lon = float(made.dataset["lat"][100]), float(made.dataset["lon"][100])
    assert "1 of 2,999 soundings" in far.text and "450 on 2019-0" in far.text and not far.problem
    assert f"{abs(lat):.2f}°" in far.text and f"{abs(lon):.2f}°" in far.text
    assert (
        impossible.problem
        and "1 soundings that are not flagged as bad" in impossible.text
        and "-5 to -5" in impossible.text
    )
    assert far.item == impossible.item == "soundings:OCO-2/oco2-lite"


def test_what_the_product_flags_as_bad_is_not_judged(tmp_path):
    made = with_values(quiet_soundings(), xco2={7: 500.0}, quality_flag={7: 1})
    SoundingArchive(soundings_dir(tmp_path)).append(made)
    assert of_sort(tmp_path, "outlier") == []


def test_a_step_between_bands_and_months_is_no_outlier(tmp_path):
    made = quiet_soundings(count=6000, days=40.0)
    north = np.where(made.dataset["lat"].to_numpy() > 0, 12.0, 0.0) + made.dataset["time"].dt.month.to_numpy() * 6.0
    shifted = made.dataset["xco2"].copy(data=made.dataset["xco2"].to_numpy() + north.astype(np.float32))
    SoundingArchive(soundings_dir(tmp_path)).append(replace(made, dataset=made.dataset.assign(xco2=shifted)))
    assert of_sort(tmp_path, "outlier") == []


def test_the_same_measurement_in_two_collections_is_found_but_another_quantity_is_not(tmp_path):
    archive = SoundingArchive(soundings_dir(tmp_path))
    made = quiet_soundings(count=500)
    archive.append(made)
    renumbered = made.dataset.assign(sounding_id=made.dataset["sounding_id"] + 7_000_000)
    archive.append(replace(made, dataset=renumbered, collection="copied", path=Path("/nowhere/g/copy.nc4")))
    sif = made.dataset.drop_vars("xco2").assign(sif=("sounding", np.ones(500, dtype=np.float32), {"units": "1"}))
    archive.append(replace(made, dataset=sif, collection="oco2-sif", path=Path("/nowhere/g/sif.nc4")))
    found = {finding.item: finding.text for finding in of_sort(tmp_path, "duplicate")}
    assert set(found) == {"soundings:OCO-2/oco2-lite", "soundings:OCO-2/copied"}
    assert all("500 soundings have the second and the place" in text for text in found.values())


def test_missing_days_and_the_longest_run_of_them_are_notes(tmp_path):
    archive = SoundingArchive(soundings_dir(tmp_path))
    start = np.datetime64("2020-01-01", "ns")
    for seed, day in enumerate((0, 1, 10)):
        archive.append(quiet_soundings(seed, 50, start=start + day * DAY, days=0.5))
    (gap,) = of_sort(tmp_path, "gap")
    assert not gap.problem
    assert (
        "3 of the 11 days from 2020-01-01 to 2020-01-11; the longest gap, 8 days, begins after 2020-01-02." in gap.text
    )


# ----------------------------------------------------------------------------------------------------------------- cubes


def growing_maps(count: int = 48) -> np.ndarray:
    """Monthly maps with a trend, a seasonal cycle of 6 ppm and noise."""
    rng = np.random.default_rng(3)
    month = np.arange(count)[:, None, None]
    return (
        400
        + month / 6
        + 3 * np.sin(month * np.pi / 6)
        + rng.normal(0, 0.3, (count, *SMALL.shape()))
        + SMALL.lat[:, None] / 20
    )


def test_trend_and_season_are_no_jumps(tmp_path):
    make_cube(cubes_dir(tmp_path) / "example", growing_maps())
    assert list(verify(tmp_path)) == []


def test_a_map_in_the_wrong_unit_and_a_map_twice_are_found(tmp_path):
    values = growing_maps()
    values[20] += 60.0
    values[31] = values[30]
    make_cube(cubes_dir(tmp_path) / "example", values)
    (jump,) = of_sort(tmp_path, "outlier")
    assert "jumps at one map, most on 2016-09-01" in jump.text and "+59.4 from the maps" in jump.text
    (twice,) = of_sort(tmp_path, "duplicate")
    assert "2017-07-01 and 2017-08-01 are the same" in twice.text and twice.item == "cube:example"


def test_mole_fractions_that_no_air_has_are_a_problem(tmp_path):
    variable = replace(XCO2, dtype="float32", scale=1.0, offset=0.0)
    make_cube(cubes_dir(tmp_path) / "example", growing_maps(4) * 10, variable=variable)
    (finding,) = of_sort(tmp_path, "outlier")
    assert finding.problem and "which no air has" in finding.text


# ------------------------------------------------------------------------------------------------- sites, tables, files


def test_strange_values_of_a_site_are_found(tmp_path):
    made = sites_product(count=200, value=400.0)
    smooth = 400 + np.sin(np.arange(200) / 30)
    smooth[50], smooth[120] = 440.0, 4000.0
    dataset = made.dataset.assign(xco2=("observation", smooth, {"units": "ppm"}))
    SiteStore(sites_dir(tmp_path)).append(replace(made, dataset=dataset))
    impossible, far = of_sort(tmp_path, "outlier")
    assert impossible.problem and "1 impossible values of xco2, 4000 to 4000 ppm" in impossible.text
    assert "2 values at 1 site" in far.text


def test_repeated_rows_of_a_table_are_counted(tmp_path):
    made = table_product((1.0, 2.0, 3.0))
    again = made.dataset.isel(row=[0, 1, 1, 2, 2])
    TableStore(tables_dir(tmp_path)).append(replace(made, dataset=again))
    (finding,) = of_sort(tmp_path, "duplicate")
    assert "2 of 5 rows repeat another one" in finding.text


def test_one_file_name_in_two_collections_is_a_note(tmp_path):
    store = TableStore(tables_dir(tmp_path))
    store.append(table_product())
    store.append(table_product((5.0, 6.0), collection="other"))
    (finding,) = of_sort(tmp_path, "duplicate")
    assert not finding.problem and finding.text.endswith("both hold files named monitor.csv.")


# ------------------------------------------------------------------------------------------------------------ as a whole


def test_only_one_thing_is_judged_where_one_is_named(tmp_path):
    home = fill(tmp_path)
    values = growing_maps()
    values[5] = values[6]
    make_cube(cubes_dir(home) / "double", values)
    assert {finding.item for finding in verify(home, "double")} == {"cube:double"}
    assert list(verify(home, "growing")) == []
    with pytest.raises(StoreProblem, match="There is no 'nothing'"):
        list(verify(home, "nothing"))


def test_progress_counts_up_to_its_total_and_names_what_is_read(tmp_path):
    home = fill(tmp_path)
    steps: list[tuple[int, int, str]] = []
    assert list(verify(home, progress=lambda *step: steps.append(step))) == list(verify(home))
    done = [step[0] for step in steps]
    assert done == sorted(done) and steps[-1][0] == steps[-1][1] and len({step[1] for step in steps}) == 1
    assert any("soundings-" in step[2] for step in steps) and any("An example" in step[2] for step in steps)


def test_what_is_removed_meanwhile_is_no_damage(tmp_path):
    home = fill(tmp_path)
    looking = verify(home, progress=lambda _done, _total, label: label == "Daily emissions" and remove(home, KEYS[4]))
    assert [finding for finding in looking if finding.problem] == []


def test_damage_stays_damage(tmp_path):
    home = fill(tmp_path)
    file = max(path for path in soundings_dir(home).rglob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[200] ^= 0xFF  # within the first page
    file.write_bytes(content)
    found = of_sort(home, "damage")
    assert (
        found and all(finding.problem for finding in found) and file.name in " ".join(finding.text for finding in found)
    )


def test_files_without_a_sum_are_noted_and_still_checked(tmp_path):
    home = fill(tmp_path)
    for folder in (soundings_dir(home), sites_dir(home), tables_dir(home)):
        manifest = json.loads((folder / "manifest.json").read_text())
        for kept in manifest["files"].values():
            del kept["content"]
        (folder / "manifest.json").write_text(json.dumps(manifest))
    found = of_sort(home, "unchecked")
    assert [finding.problem for finding in found] == [False] * 3 and of_sort(home, "damage") == []
    assert [finding.text.split(",")[0] for finding in found] == [
        "soundings: no sum kept of 2 files",
        "ground sites: no sum kept of 1 file",
        "tables: no sum kept of 1 file",
    ]
    path = next(sites_dir(home).rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    assert path.name in of_sort(home, "damage")[0].text
    path.write_bytes(path.read_bytes()[:-9])
    assert "bytes, found" in of_sort(home, "damage")[0].text


@pytest.mark.parametrize("store", [sites_dir, tables_dir])
def test_every_byte_of_a_stored_file_counts(tmp_path, store):
    home = fill(tmp_path)
    path = next(path for path in store(home).rglob("*.*") if path.suffix in (".nc", ".parquet"))
    whole = path.read_bytes()
    for at in np.linspace(0, len(whole) - 1, 12).astype(int):
        content = bytearray(whole)
        content[at] ^= 0x10
        path.write_bytes(content)
        assert "the bytes that were written" in of_sort(home, "damage")[0].text
    path.write_bytes(whole)
    assert rebuild_indices(home) and of_sort(home, "damage") == [] == of_sort(home, "unchecked")


def test_the_verb_prints_findings_and_progress_as_lines(tmp_path):
    home = fill(tmp_path)
    result = CliRunner().invoke(command, ["verify", "--home", str(home), "--json", "--progress"])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0 and lines[-1]["label"] == "done"
    plain = CliRunner().invoke(command, ["verify", "growing", "--home", str(home)])
    assert plain.output == "No problems, no notes.\n"


def test_looking_changes_nothing(tmp_path):
    home = fill(tmp_path)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in home.rglob("*") if path.is_file()}
    list(verify(home))
    after = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in home.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    assert all(path.name.endswith(".lock") for path in set(after) - set(before))


def test_the_duplicated_pairs_among_the_real_files_are_found(tmp_path, real: Path):
    import_paths([real / "tccon" / "oco2_tccon_pairs_asia"], home=tmp_path)
    (finding,) = of_sort(tmp_path, "duplicate")
    assert "740 of 1,480 rows" in finding.text


def test_a_short_or_empty_cube_is_left_alone(tmp_path):
    cube = make_cube(cubes_dir(tmp_path) / "example", growing_maps(1))
    assert list(plausibility.cube(cube)) == []
    empty = Cube.create(cubes_dir(tmp_path) / "empty", name="empty", title="", grid=SMALL, variables=[XCO2])
    assert list(plausibility.cube(empty)) == [] and months(1).size == 1
