"""What is in a data folder: counted, dated and measured right, also where something in it is damaged; and how it is cited."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dashboard.commands.data import command
from data.catalog import load
from data.citing import bibtex, citation, how_to_cite
from data.errors import StoreProblem
from data.holdings import Holding, folder_size, holdings, size_words, to_json
from data.home import cubes_dir, sites_dir, soundings_dir, tables_dir
from data.importing import import_paths
from data.soundings import SoundingArchive
from data.soundings.table import to_table
from tests.data.cube_examples import SMALL, make_cube, maps
from tests.data.folder_examples import KEYS, fill
from tests.data.sounding_examples import product


def test_everything_is_listed_with_count_size_and_period(tmp_path):
    home = fill(tmp_path)
    listing = holdings(home)
    assert [item.key for item in listing] == KEYS and listing.problems == ()
    found = {item.kind: item for item in listing}
    assert found["soundings"].amount == "100 soundings" and found["soundings"].instrument == "OCO-2"
    assert str(found["soundings"].start)[:16] == "2019-03-31T22:00" and found["soundings"].simulated
    assert found["cube"].amount == "3 maps" and found["cube"].size == folder_size(cubes_dir(home) / "growing")
    assert found["cube"].box == (-180.0, -90.0, 180.0, 90.0)
    assert found["sites"].amount == "10 observations" and "2 sites" in found["sites"].title
    assert found["table"].amount == "3 rows" and found["table"].catalog == "carbon-monitor"
    assert found["download"].sources == ("co2.csv",) and found["download"].entry.name == "noaa-trends"
    for kind, folder in (("sites", sites_dir), ("table", tables_dir)):
        files = [path for path in folder(home).rglob("*") if path.suffix in (".parquet", ".nc")]
        assert found[kind].size == sum(path.stat().st_size for path in files)


def test_collections_share_the_bytes_of_the_files_they_share(tmp_path):
    archive = SoundingArchive(soundings_dir(tmp_path))
    parts = (
        product(range(300), seconds_apart=1),
        product(range(1000, 1100), seconds_apart=1, name="b.nc4", collection="another"),
    )
    archive.append_all([to_table(part) for part in parts])
    files = [path for path in soundings_dir(tmp_path).rglob("*.parquet")]
    sizes = {item.name: item.size for item in holdings(tmp_path)}
    assert len(files) == 1 and sum(sizes.values()) == pytest.approx(files[0].stat().st_size, abs=2)
    assert sizes["OCO-2/oco2-lite"] > sizes["OCO-2/another"] > 0


def test_an_empty_folder_holds_nothing_and_stays_empty(tmp_path):
    assert len(holdings(tmp_path / "none")) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_damaged_is_named_and_hides_nothing_else(tmp_path):
    home = fill(tmp_path)
    (sites_dir(home) / "manifest.json").write_text("{broken")
    (cubes_dir(home) / "growing" / "manifest.json").write_text("[]")
    listing = holdings(home)
    assert [item.kind for item in listing] == ["soundings", "soundings", "table", "download"]
    assert len(listing.problems) == 2 and all(text.endswith(".") for text in listing.problems)


def test_sizes_of_cubes_are_measured_again_only_where_they_changed(tmp_path):
    home, sizes = fill(tmp_path), {}
    before = holdings(home, sizes=sizes)
    (cubes_dir(home) / "growing" / "stray").write_bytes(b"x" * 5000)
    assert [item.size for item in holdings(home, sizes=sizes)] == [item.size for item in before]
    make_cube(cubes_dir(home) / "second", maps(SMALL, 1))
    assert "cube:second" in [item.key for item in holdings(home, sizes=sizes)] and len(sizes) == 2


def test_a_name_is_found_by_key_by_name_and_by_what_is_near(tmp_path):
    listing = holdings(fill(tmp_path))
    assert listing.find("cube:growing") is listing.find("growing")
    with pytest.raises(StoreProblem, match=r"did you mean cube:growing"):
        listing.find("growig")
    with pytest.raises(StoreProblem, match=r"did you mean sites:TCCON/tccon-ggg2020"):
        listing.find("tccon")
    with pytest.raises(StoreProblem, match="`carbonweather data holdings` lists"):
        listing.find("\0" * 5)
    double = replace(listing.items[2], kind="table")
    with pytest.raises(StoreProblem, match="means several things"):
        replace(listing, items=(*listing.items, double)).find("growing")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (999_700, "1.0 MB"), (2 * 10**12, "2.0 TB")],
)
def test_sizes_in_words(count, words):
    assert size_words(count) == words


@given(st.integers(0, 10**18))
def test_sizes_in_words_are_right_to_half_a_unit_of_the_last_place(count):
    number, unit = size_words(count).split()
    factor = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}[unit]
    assert float(number) * factor == pytest.approx(count, rel=0.05, abs=0.5)


# ------------------------------------------------------------------------------------------------------------- citing


def test_each_data_set_is_cited_once_with_its_licence_and_doi():
    entries = [load().entry("oco2-lite"), load().entry("oco2-lite"), load().entry("tansat-xco2")]
    text = how_to_cite(entries)
    assert text.count("GES DISC") >= 1 and text.count("10.5067/70K2B2W8MNGY") == 1
    assert "Licence: not known; ask the provider." in text
    assert text.splitlines()[-1].startswith("Processed with Carbon Weather")
    assert how_to_cite([]) == "" and bibtex([]) == ""


def test_what_a_cube_says_of_itself_comes_before_the_catalogue():
    attrs = {"citation": "Someone (2024). Their maps.", "licence": "CC BY 4.0"}
    item = Holding("cube", "mine", "My maps", 3, "maps", 10, None, None, catalog="oco2-lite", attrs=attrs)
    assert "Their maps." in citation(item) and "CC BY 4.0" in citation(item) and "Payne" not in citation(item)
    assert "Payne" in citation(replace(item, attrs={}))
    unknown = citation(replace(item, attrs={}, catalog=""))
    assert "not recorded" in unknown and "Licence: not known" in unknown
    assert citation(replace(item, simulated=True)).startswith("Simulated, not a measurement.")
    assert "Version used: 10r." in citation(replace(item, attrs={}, version="10r"))


def test_bibtex_of_the_whole_catalogue_is_balanced_and_unique():
    text = bibtex(load())
    keys = re.findall(r"^@misc\{([^,]+),$", text, flags=re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(load())
    for part in text.split("\n\n"):
        assert part.count("{") == part.count("}") and not re.search(r"(?<!\\)[%&#_](?![^{]*doi)", _notes(part))


def _notes(part: str) -> str:
    return "\n".join(line for line in part.splitlines() if re.match(r"\s*(note|title) =", line))


# ------------------------------------------------------------------------------------------------------ command line


def run(*arguments: str, **how):
    return CliRunner().invoke(command, list(arguments), **how)


def test_the_verbs_show_cite_and_remove(tmp_path):
    home = str(fill(tmp_path))
    lines = [json.loads(line) for line in run("holdings", "--home", home, "--json").stdout.splitlines()]
    assert [line["key"] for line in lines] == KEYS
    assert lines[0] == to_json(holdings(tmp_path).items[0])
    one = run("holdings", "growing", "--home", home)
    assert one.exit_code == 0 and "3 maps" in one.output and "Cite as" in one.output
    assert "6 in all" in " ".join(run("holdings", "--home", home).output.split())
    assert "@misc{carbon-monitor" in run("cite", "--bibtex", "carbon-monitor", "--home", home).output
    assert "Processed with" in run("cite", "--home", home).output
    refused = run("remove", "growing", "--home", home, input="n\n")
    assert refused.exit_code == 1 and "This deletes 3 maps" in refused.output
    assert run("remove", "growing", "--home", home, "--yes").output.startswith("Removed cube:growing: 3 maps")
    gone = run("remove", "growing", "--home", home, "--yes")
    assert gone.exit_code == 1 and isinstance(gone.exception, StoreProblem)
    assert run("cite", "nonsense", "--home", home).exception is not None


def test_real_files_are_listed_with_their_data_sets(tmp_path, real: Path):
    import_paths([real / "surface" / "noaa_trends", real / "satellite" / "gosat_l2_v0280_201811"], home=tmp_path)
    listing = holdings(tmp_path)
    assert {item.catalog for item in listing} == {"noaa-trends", "gosat-l2"}
    soundings = listing.find("soundings:GOSAT/gosat-l2-v02.80")
    assert soundings.count == SoundingArchive(soundings_dir(tmp_path)).instruments()[0].count
    assert soundings.start >= np.datetime64("2018-11-01") and len(soundings.sources) == 10
