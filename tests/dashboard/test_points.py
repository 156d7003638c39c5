"""Soundings as pixels: XCO2 and SIF, by instrument, where they belong, and what cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dashboard.points import points_image, points_scale
from data.cube import View
from data.errors import DataError
from data.home import soundings_dir
from data.importing import import_paths
from data.soundings import SoundingArchive

WORLD = View(x0=-180, x1=180, y0=-90, y1=90, width=360, height=180, projection="lonlat")
JUNE, JULY = np.datetime64("2023-06-01"), np.datetime64("2023-07-01")


@pytest.fixture
def archive(home: Path, tmp_path: Path) -> SoundingArchive:
    """One XCO2 and two SIF soundings of OCO-3 in June 2023."""
    (tmp_path / "xco2.csv").write_text("datetime,xco2,latitude,longitude\n06/10/23 12:00,420.5,30.5,100.5\n")
    (tmp_path / "sif.csv").write_text(
        "Daily_SIF_,latitude,longitude,datetime,city\n"
        "0.8,10.5,20.5,06/11/23 12:00,Abeche\n0.2,-20.5,-60.5,06/12/23 12:00,Tarija\n"
    )
    records = import_paths([tmp_path / "xco2.csv", tmp_path / "sif.csv"], home=home)
    assert [record.status for record in records] == ["imported", "imported"]
    return SoundingArchive(soundings_dir(home))


def at(image: np.ndarray, lon: float, lat: float) -> float:
    return float(image[int(lat + 90), int(lon + 180)])


def test_each_quantity_has_its_own_dots(archive: SoundingArchive) -> None:
    xco2, count = points_image(archive, WORLD, JUNE, JULY)
    assert count == 1 and at(xco2, 100.5, 30.5) == pytest.approx(420.5) and np.isnan(at(xco2, 20.5, 10.5))
    sif, count = points_image(archive, WORLD, JUNE, JULY, variable="sif")
    assert count == 2 and at(sif, 20.5, 10.5) == pytest.approx(0.8) and at(sif, -60.5, -20.5) == pytest.approx(0.2)
    assert np.isnan(at(sif, 100.5, 30.5))
    assert points_image(archive, WORLD, JULY, JULY + 31, variable="sif")[1] == 0


def test_dots_know_their_unit_and_limits(archive: SoundingArchive) -> None:
    scale = points_scale(archive, JUNE, JULY, variable="sif")
    assert scale.units == "W m-2 sr-1 um-1" and 0.2 <= scale.low < scale.high <= 0.8
    one = points_scale(archive, JUNE, JULY)
    assert one.units == "ppm" and one.low < 420.5 < one.high
    assert points_scale(archive, JULY, JULY + 31, variable="sif").low == 0.0


def test_an_archive_without_sif_has_no_dots(home: Path) -> None:
    empty = SoundingArchive(soundings_dir(home))
    assert points_image(empty, WORLD, JUNE, JULY, variable="sif")[1] == 0
    assert points_image(empty, WORLD, JUNE, JULY)[1] == 0


def test_what_cannot_be_drawn_is_a_sentence(archive: SoundingArchive) -> None:
    with pytest.raises(DataError, match="one number a sounding"):
        points_image(archive, WORLD, JUNE, JULY, variable="city")
    with pytest.raises(DataError, match="expected columns of the archive"):
        points_image(archive, WORLD, JUNE, JULY, variable="nonsense; DROP TABLE")
    with pytest.raises(DataError, match="expected an instrument"):
        points_image(archive, WORLD, JUNE, JULY, instrument="Hubble")
    assert points_image(archive, WORLD, JUNE, JULY, instrument="OCO-3")[1] == 1


def test_real_sif(home: Path, real: Path) -> None:
    import_paths([real / "satellite" / "oco3_cities" / "SIF_disagg_geocode_2019-2025.csv"], home=home)
    archive = SoundingArchive(soundings_dir(home))
    image, count = points_image(archive, WORLD, JUNE, JULY, variable="sif")
    assert count > 2000
    assert (
        np.isfinite(image[:38]).sum() == 0 and np.isfinite(image[143:]).sum() == 0
    )  # the station stays within 52 degrees
    assert 0.0 < float(np.nanmedian(image)) < 1.0
