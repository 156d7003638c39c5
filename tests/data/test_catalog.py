"""The catalogue: its schema holds and rejects, every entry that the work needs is there, names lead where they say."""

from __future__ import annotations

import ast
import copy
import datetime
import json
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import yaml

from data import catalog, readers
from data.errors import FileProblem, StoreProblem

NEEDED = [
    "oco2-lite",
    "oco3-lite",
    "oco2-sif-lite",
    "oco3-sif-lite",
    "gosat-l2",
    "gosat-l3",
    "gosat2-l2",
    "acos-gosat-lite",
    "tansat-xco2",
    "tansat-flux",
    "tccon-ggg2020",
    "tccon-ggg2014",
    "xco2-0p05",
    "oco2-geos-l3",
    "carbontracker-ct2022-fluxes",
    "carbontracker-ct2022-molefractions",
    "carbontracker-regions",
    "carbontracker-nrt",
    "cams-inversion",
    "obspack",
    "noaa-trends",
    "odiac",
    "graced",
    "carbon-monitor",
    "cdiac",
    "power-plants",
    "gfed",
    "merra2-geoschem",
    "ncep-r1",
    "era5-arco",
    "modis-vegetation",
    "viirs-lights",
    "gpw-population",
    "etopo",
    "natural-earth",
    "airs-midtrop",
    "cams-column-co2",
    "era-interim",
    "demo",
]


@pytest.fixture(scope="module")
def content() -> dict:
    return yaml.safe_load(catalog.CATALOG_PATH.read_text(encoding="utf-8"))


def test_the_catalogue_holds_to_its_schema(content: dict) -> None:
    assert catalog.problems(content) == []


def test_the_schema_itself_is_one() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(json.loads(catalog.SCHEMA_PATH.read_text(encoding="utf-8")))


def test_every_needed_data_set_is_there() -> None:
    assert set(NEEDED) <= {entry.name for entry in catalog.load()}


def set_at(facts: dict, path: str, value: object) -> None:
    *steps, last = path.split(".")
    for step in steps:
        facts = facts[step]
    facts[last] = value


@pytest.mark.parametrize(
    ("name", "path", "value", "complaint"),
    [
        ("oco2-lite", "doi", "https://doi.org/10.5067/X", r"oco2-lite\.doi"),
        ("oco2-lite", "title", "", r"oco2-lite\.title"),
        ("oco2-lite", "citation", None, r"oco2-lite\.citation"),
        ("oco2-lite", "group", "spacecraft", r"oco2-lite\.group"),
        ("oco2-lite", "homepage", "disc.gsfc.nasa.gov", r"oco2-lite\.homepage"),
        ("oco2-lite", "reader", "Oco Lite", r"oco2-lite\.reader"),
        ("oco2-lite", "variables", [], r"oco2-lite\.variables"),
        ("oco2-lite", "coverage.space", [-180, -90, 181, 90], r"oco2-lite\.coverage\.space\.2"),
        ("oco2-lite", "coverage.space", [-180, 90, 180, -90], "south is not below north"),
        ("oco2-lite", "coverage.time", ["2014-13-45", None], r"oco2-lite\.coverage\.time\.0"),
        ("oco2-lite", "coverage.time", ["2014-09-06", "2013-01-01"], "ends before it begins"),
        ("oco2-lite", "access.method", "ftp", r"oco2-lite\.access"),
        ("oco2-lite", "access.short_name", None, r"oco2-lite\.access"),
        ("oco2-lite", "access.bucket", "x", r"oco2-lite\.access"),
        ("xco2-0p05", "access.record", "zenodo.12706142", r"xco2-0p05\.access"),
        ("etopo", "access.files", [{"url": "https://x/y", "checksum": "sha256:12"}], r"etopo\.access"),
        ("etopo", "access.files", [{"url": "https://x/y", "name": "../y"}], r"etopo\.access"),
        ("odiac", "access.urls", ["https://x/{year}/{sector}.nc"], "a field other than"),
        ("odiac", "access.urls", ["https://x/{variable}.nc"], r"odiac\.access\.variables"),
        ("odiac", "coverage.time", None, "is needed to fetch by month"),
        ("gosat-l2", "access.instructions", "", r"gosat-l2\.access"),
    ],
)
def test_broken_entries_are_rejected(content: dict, name: str, path: str, value: object, complaint: str) -> None:
    broken = {name: copy.deepcopy(content[name])}
    set_at(broken[name], path, value)
    assert re.search(complaint, " ".join(catalog.problems(broken)))


@pytest.mark.parametrize("missing", ["doi", "licence", "reader", "access", "coverage", "note"])
def test_every_fact_must_be_said_even_if_not_known(content: dict, missing: str) -> None:
    broken = {"odiac": {key: value for key, value in content["odiac"].items() if key != missing}}
    assert any(missing in problem for problem in catalog.problems(broken))


@pytest.mark.parametrize("rubbish", [None, [], "text", {}, {"Bad Name": {}}, {"a": None}])
def test_content_that_is_no_catalogue(rubbish: object) -> None:
    assert catalog.problems(rubbish) != []


def test_files_that_are_no_catalogue(tmp_path: Path) -> None:
    cases = {"broken.yaml": b"a: [", "empty.yaml": b"", "binary.yaml": b"\xff\xfe\x00", "list.yaml": b"- 1"}
    for name, text in cases.items():
        (tmp_path / name).write_bytes(text)
        with pytest.raises(FileProblem, match=name):
            catalog.load(tmp_path / name)
    with pytest.raises(FileProblem, match="No such file"):
        catalog.load(tmp_path / "none.yaml")


def test_every_reader_is_a_module_of_the_readers() -> None:
    named = {entry.reader for entry in catalog.load() if entry.reader}
    assert named <= set(readers._MODULES)
    assert {"oco_lite", "gosat", "tccon", "carbontracker", "surface", "gridded"} <= named


def test_readers_name_entries_of_the_catalogue() -> None:
    """What readers write into the attribute `catalog` can be looked up; "none" and "unknown" are said openly."""
    known = {entry.name for entry in catalog.load()} | {"none", "unknown"}
    written = set()
    for path in Path(readers.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "catalog":
                outcomes = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
                written |= {each.value for each in outcomes if isinstance(each, ast.Constant)}
    assert written <= known


def test_what_is_not_known_is_explained() -> None:
    """An entry without DOI, licence or size says in its note what could not be verified."""
    unexplained = [
        entry.name
        for entry in catalog.load()
        if entry.group != "simulated"
        and ((entry.size is None) or (entry.licence is None))
        and not re.search("not verified|could (not )?be verified|much larger|not documented", entry.note or "")
    ]
    assert unexplained == []


def test_entries_are_typed_and_frozen() -> None:
    entry = catalog.entry("oco2-lite")
    assert entry.access.short_name == "OCO2_L2_Lite_FP"
    assert entry.access.version == "11.2r"
    assert entry.coverage.time == (datetime.date(2014, 9, 6), None)
    assert entry.coverage.space == (-180, -90, 180, 90)
    assert str(entry.coverage) == "global, 2014-09-06 to now"
    assert str(catalog.entry("oco3-lite").coverage) == "-180..180 E, -52..52 N, 2019-08-06 to now"
    assert str(catalog.entry("natural-earth").coverage) == "global"
    assert catalog.entry("carbon-monitor").access.files[0].name == "carbon_monitor_global.csv"
    with pytest.raises(FrozenInstanceError):
        entry.title = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        catalog.load().entries["x"] = entry  # type: ignore[index]


def test_unknown_names_get_the_nearest() -> None:
    assert catalog.entry(" OCO2-Lite ").name == "oco2-lite"
    with pytest.raises(StoreProblem, match="'oco-2-lite'; did you mean oco2-lite or "):
        catalog.entry("oco-2-lite")
    with pytest.raises(StoreProblem, match="did you mean merra2-geoschem"):
        catalog.entry("MERRA-2")
    with pytest.raises(StoreProblem, match=r"did you mean .*viirs-lights"):
        catalog.entry("black marble")
    with pytest.raises(StoreProblem, match="see `carbonweather data list`"):
        catalog.entry("zzzzqqqq")


def test_search_takes_all_words_anywhere() -> None:
    assert [entry.name for entry in catalog.search("Fluorescence 2.1 km")] == ["oco3-sif-lite"]
    assert {entry.name for entry in catalog.search("carbontracker")} >= {"carbontracker-nrt", "carbontracker-regions"}
    assert len(catalog.search("")) == len(catalog.load())
    assert catalog.search("no such words here") == []


def test_citations() -> None:
    text = catalog.cite(["oco2-lite", "power-plants", "oco2-lite"])
    first, second = text.split("\n\n")
    assert "https://doi.org/10.5067/70K2B2W8MNGY" in first
    assert "version 11.2r" in first
    assert first.count("https://doi.org/") == 1
    assert "Licence: CC BY 4.0." in second
    assert "doi.org" not in second
    assert catalog.cite([]) == ""
    with pytest.raises(StoreProblem, match="no data set named"):
        catalog.cite(["oco2-lite", "nonsense"])


def test_a_doi_is_said_once_in_a_citation() -> None:
    for entry in catalog.load():
        if entry.doi:
            assert catalog.cite([entry.name]).count(entry.doi) >= 1
