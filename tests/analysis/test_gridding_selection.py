"""Which soundings go into a result: what must not be mixed, what passes, and how an archive is divided into work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.gridding import selection as selecting
from analysis.gridding.reading import ArchiveChanged, read_piece
from analysis.gridding.selection import MODES, SURFACES, Selection, SelectionError, Source, sources, variables
from data.home import soundings_dir
from data.importing.importer import import_paths
from data.soundings import SoundingArchive
from tests.analysis.sounding_archives import START, fill, soundings


@pytest.fixture
def archive(tmp_path: Path) -> SoundingArchive:
    return fill(tmp_path, files=4, count=300)


def of(archive: SoundingArchive, variable: str = "xco2", **choice) -> list[Source]:
    return sources(archive.contents, archive.path, Selection(variable, **choice))


def values(archive: SoundingArchive, variable: str = "xco2", **choice) -> np.ndarray:
    chosen = Selection(variable, **choice)
    return np.concatenate(
        [
            found.value
            for source in sources(archive.contents, archive.path, chosen)
            for piece in source.pieces
            for found in read_piece(piece, chosen, source.with_error)
        ]
    )


def test_what_passes_is_what_a_query_gives(archive: SoundingArchive):
    asked = ["xco2", "mode", "surface_type", "quality_flag"]
    every = archive.query(columns=asked, good_only=False)
    good = every[every["quality_flag"] != 1]
    start, end = np.datetime64("2018-11-03", "ns"), np.datetime64("2018-11-20", "ns")
    cases = [
        ({"quality": "all"}, every),
        ({}, good),
        ({"quality": "flagged good"}, every[every["quality_flag"] == 0]),
        ({"modes": (MODES["glint"],)}, good[good["mode"] == 1]),
        ({"modes": (MODES["unknown"],), "quality": "all"}, every[every["mode"] == -1]),
        ({"surfaces": (SURFACES["land"],)}, good[good["surface_type"] == 1]),
        ({"start": start.astype(int), "end": end.astype(int)}, archive.query(columns=["xco2"], start=start, end=end)),
        ({"box": (100, 20, 130, 40)}, archive.query(columns=["xco2"], bbox=(100, 20, 130, 40))),
        ({"box": (170, -90, -170, 90)}, archive.query(columns=["xco2"], bbox=(170, -90, -170, 90))),
    ]
    for choice, expected in cases:
        if len(expected):
            np.testing.assert_array_equal(np.sort(values(archive, **choice)), np.sort(expected["xco2"]), str(choice))
    assert of(archive)[0].soundings == len(every)


def test_work_follows_from_the_archive_alone_and_holds_every_sounding_once(tmp_path: Path, monkeypatch):
    archive = fill(tmp_path, files=3, count=300)
    one = of(archive)[0]
    assert [piece.month for piece in one.pieces] == sorted(piece.month for piece in one.pieces)
    monkeypatch.setattr(selecting, "PIECE_ROWS", 400)
    many = of(archive)[0]
    assert len(many.pieces) > len(one.pieces)
    assert sum(piece.rows for piece in many.pieces) == sum(piece.rows for piece in one.pieces) == 900
    assert len({name for piece in many.pieces for name in piece.files}) == len(archive.contents.files)
    assert many.pieces == of(archive)[0].pieces


def test_instruments_are_kept_apart_unless_asked_for(archive: SoundingArchive, tmp_path: Path):
    fill(tmp_path, files=1, count=50, instrument="OCO-3", collection="oco3-lite")
    assert [source.label for source in of(archive)] == ["OCO-2", "OCO-3"]
    assert [source.label for source in of(archive, instruments=("OCO-3",))] == ["OCO-3"]
    (both,) = of(archive, together=True)
    assert (both.label, both.instruments, both.soundings) == ("OCO-2 + OCO-3", ("OCO-2", "OCO-3"), 1250)


def test_products_of_an_instrument_are_not_mixed_unasked(archive: SoundingArchive):
    archive.append(soundings(90, 40, collection="oco2-other", start=START))
    with pytest.raises(
        SelectionError, match="expected one product of OCO-2 with xco2, found oco2-lite, oco2-other; name"
    ):
        of(archive)
    (one,) = of(archive, collections=("oco2-lite",))
    assert (one.collections, one.soundings) == (("oco2-lite",), 1200)
    (both,) = of(archive, collections=("oco2-lite", "oco2-other"))
    assert both.soundings == 1240
    assert values(archive, collections=("oco2-other",), quality="all").size == 40


def test_scales_are_never_mixed(archive: SoundingArchive):
    made = soundings(91, 40, collection="oco2-old", start=START)
    made.dataset.attrs["scale"] = "X2007"
    archive.append(made)
    with pytest.raises(SelectionError, match="on one WMO scale, found X2007 in oco2-old; X2019 in oco2-lite"):
        of(archive, collections=("oco2-lite", "oco2-old"))
    assert of(archive, collections=("oco2-old",))[0].scale == "X2007"
    assert of(archive, "xco2_uncertainty", collections=("oco2-old",))[0].scale == "X2007"
    assert of(archive, "mode", collections=("oco2-lite", "oco2-old"))[0].scale == ""


def test_measured_and_simulated_are_never_mixed(archive: SoundingArchive):
    made = soundings(92, 40, instrument="GOSAT", collection="gosat-l2", start=START)
    made.dataset.attrs["simulated"] = 0
    archive.append(made)
    with pytest.raises(SelectionError, match="either measured or simulated soundings, found both in GOSAT \\+ OCO-2"):
        of(archive, together=True)
    assert [source.simulated for source in of(archive)] == [False, True]


def test_units_are_never_mixed(archive: SoundingArchive):
    made = soundings(93, 40, instrument="OCO-3", collection="oco3", start=START)
    made.dataset["xco2"].attrs["units"] = "1e-6"
    archive.append(made)
    with pytest.raises(SelectionError, match="in one unit, found 1e-6, ppm"):
        of(archive, together=True)


@pytest.mark.parametrize(
    "choice, words",
    [
        ({"instruments": ("TanSat",)}, "expected an instrument of the archive (OCO-2), found 'TanSat'"),
        ({"collections": ("'; DROP TABLE",)}, "expected a product of the archive (oco2-lite)"),
        ({"variable": "sif"}, "expected a variable of the archive (xco2, xco2_uncertainty), found 'sif'"),
        ({"start": 2**62}, "found none; the archive reaches from 2018-10-28 to 2018-12-02"),
        ({"end": 0}, "found none; the archive reaches from"),
        ({"variable": "averaging_kernel"}, "found 'averaging_kernel', which holds profiles; choose among xco2"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, choice: dict, words: str):
    archive = fill(tmp_path, files=4, count=60, levels=3)
    with pytest.raises(SelectionError) as told:
        of(archive, **{"variable": "xco2", **choice})
    assert words in str(told.value)


def test_an_empty_archive_is_told(tmp_path: Path):
    with pytest.raises(SelectionError, match="found it empty; import some first"):
        of(SoundingArchive(soundings_dir(tmp_path)))


def test_a_file_that_an_import_replaced_is_told(archive: SoundingArchive):
    (source,) = of(archive)
    Path(archive.path, source.pieces[0].files[0]).unlink()
    with pytest.raises(ArchiveChanged, match="start the run anew"):
        list(read_piece(source.pieces[0], Selection("xco2")))


def test_a_damaged_file_is_told(archive: SoundingArchive):
    (source,) = of(archive)
    Path(archive.path, source.pieces[0].files[0]).write_bytes(b"PAR1 not any more")
    with pytest.raises(ArchiveChanged, match="carbonweather data verify"):
        list(read_piece(source.pieces[0], Selection("xco2")))


def test_real_files(real: Path, tmp_path: Path):
    """OCO-2, GOSAT and OCO-3 SIF side by side in one archive: each with its product, scale, unit and error."""
    folder = real / "satellite"
    days = sorted((folder / "oco2_lite_v10_ohio").glob("*.nc4"))[:6]
    import_paths([*days, folder / "gosat_l2_v0280_201811", folder / "oco3_cities"], home=tmp_path, workers=1)
    archive = SoundingArchive(soundings_dir(tmp_path))
    (oco2,) = of(archive, instruments=("OCO-2",))
    assert (oco2.scale, oco2.with_error, oco2.simulated, oco2.catalogs) == (
        "X2007",
        "xco2_uncertainty",
        False,
        ("oco2-lite",),
    )
    (gosat,) = of(archive, instruments=("GOSAT",))
    assert (gosat.scale, gosat.soundings, gosat.granules) == ("unknown", 3556, 10)
    (sif,) = of(archive, "daily_sif_740nm")
    assert (sif.label, sif.units, sif.scale) == ("OCO-3", "W m-2 sr-1 um-1", "")
    assert variables(archive.contents)[0] == "xco2"
    with pytest.raises(SelectionError, match="expected one product of OCO-3"):
        of(archive, instruments=("OCO-3",))
