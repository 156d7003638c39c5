"""Outlines, regions, land mask and tables of places."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from data import geography
from data.geography.dateline import cut_line, flat_polygon, unroll

EARTH_KM2 = 510.1e6


def area_km2(geometry) -> float:
    """Area on the sphere: (longitude, sin latitude) is an equal-area map; edges are finely split."""
    fine = shapely.segmentize(geometry, 0.5)
    flat = shapely.transform(fine, lambda xy: np.column_stack([xy[:, 0], np.sin(np.deg2rad(xy[:, 1]))]))
    return flat.area / 720.0 * EARTH_KM2


@pytest.mark.parametrize("resolution", ["110m", "50m"])
@pytest.mark.parametrize("layer", [geography.coastlines, geography.borders])
def test_no_line_runs_across_the_map(layer, resolution):
    lines = layer(resolution)
    assert len(lines) > 200
    for line in lines:
        assert line.ndim == 2 and line.shape[1] == 2 and len(line) >= 2
        assert np.abs(line[:, 0]).max() <= 180.0 and np.abs(line[:, 1]).max() < 90.0
        assert np.abs(np.diff(line[:, 0])).max() < 15.0
        assert not (np.abs(line[:, 0]) == 180.0).all(), "a stretch of the dateline is no coast"


def test_coast_and_border_are_where_they_should_be():
    def nearest(lines, lon, lat):
        return min(np.hypot(line[:, 0] - lon, line[:, 1] - lat).min() for line in lines)

    assert nearest(geography.coastlines("50m"), 1.6, 50.9) < 0.3  # Calais
    assert nearest(geography.borders("50m"), 1.6, 50.9) > 0.8
    assert nearest(geography.borders("50m"), -114.06, 49.0) < 0.3  # Alberta and Montana meet on the 49th parallel
    assert nearest(geography.coastlines("50m"), -114.06, 49.0) > 5.0
    assert nearest(geography.coastlines("50m"), 50.0, 40.4) < 1.0, "the Caspian has a shore"


def test_unknown_resolution_is_refused():
    with pytest.raises(ValueError, match="110m and 50m"):
        geography.coastlines("10m")


@pytest.mark.parametrize("resolution", ["110m", "50m"])
def test_land_is_valid_and_has_the_right_area(resolution):
    land = geography.land_polygons(resolution)
    assert all(polygon.is_valid for polygon in land)
    total = sum(area_km2(polygon) for polygon in land)
    assert 0.97 * 148.9e6 < total < 1.02 * 148.9e6
    assert area_km2(land[0]) > 5e6 or land[0].bounds[1] == -90.0


@pytest.mark.parametrize(
    ("name", "million_km2"),
    [
        ("Russia", 17.1),
        ("Canada", 9.98),
        ("China", 9.4),
        ("Brazil", 8.5),
        ("Australia", 7.7),
        ("India", 3.2),
        ("Fiji", 0.0183),
        ("Antarctica", 12.3),
    ],
)
def test_country_areas(name, million_km2):
    assert area_km2(geography.countries()[name]) == pytest.approx(million_km2 * 1e6, rel=0.06)


def test_countries_at_the_dateline_and_the_pole():
    countries = geography.countries()
    assert all(shape.is_valid and not shape.is_empty for shape in countries.values())
    russia = countries["Russia"]
    assert russia.contains(shapely.Point(-175.0, 66.5)) and russia.contains(shapely.Point(175.0, 67.0))
    assert not russia.contains(shapely.Point(-100.0, 60.0))
    taveuni = shapely.Point(-179.98, -16.8)
    assert countries["Fiji"].distance(taveuni) < 0.2 and countries["Fiji"].contains(shapely.Point(178.0, -17.8))
    for lon in (-179.9, -90.0, 0.0, 90.0, 179.9):
        assert countries["Antarctica"].contains(shapely.Point(lon, -89.0))
    assert not any(shape.contains(shapely.Point(179.5, -40.0)) for shape in countries.values())


def test_regions_cover_land_once():
    groups = geography.regions()
    assert list(groups) == ["World and latitude bands", "Continents", "Countries"]
    assert area_km2(groups["World and latitude bands"]["World"]) == pytest.approx(EARTH_KM2, rel=1e-4)
    assert area_km2(groups["World and latitude bands"]["Tropics 30° S-30° N"]) == pytest.approx(EARTH_KM2 / 2, rel=1e-4)
    continents = groups["Continents"]
    assert len(continents) == 7 and all(shape.is_valid for shape in continents.values())
    land = sum(area_km2(polygon) for polygon in geography.land_polygons("50m"))
    assert sum(area_km2(shape) for shape in continents.values()) == pytest.approx(land, rel=2e-3)


@pytest.mark.parametrize(
    ("lon", "lat", "continent"),
    [
        (37.6, 55.8, "Europe"),
        (83.0, 55.0, "Asia"),
        (-175.0, 66.5, "Asia"),
        (-53.0, 4.0, "South America"),
        (55.5, -21.1, "Africa"),
        (2.3, 48.9, "Europe"),
        (31.2, 30.0, "Africa"),
        (134.0, -25.0, "Oceania"),
        (-42.0, 72.0, "North America"),
        (32.9, 39.9, "Asia"),
        (0.0, -85.0, "Antarctica"),
        (-68.247, 12.158, "North America"),
    ],
)
def test_continent_of_a_place(lon, lat, continent):
    here = [
        name for name, shape in geography.regions()["Continents"].items() if shape.contains(shapely.Point(lon, lat))
    ]
    assert here == [continent]


def test_land_mask_is_area_true_at_any_resolution():
    for nlat, nlon in [(36, 72), (181, 359), (720, 1440)]:
        mask = geography.land_mask(nlat, nlon)
        assert mask.shape == (nlat, nlon) and mask.dtype == bool
        edges = np.deg2rad(np.linspace(-90.0, 90.0, nlat + 1))
        weight = np.diff(np.sin(edges)) / 2.0
        land = sum(area_km2(polygon) for polygon in geography.land_polygons("50m")) / EARTH_KM2
        assert (mask.mean(axis=1) * weight).sum() == pytest.approx(land, rel=0.02)


@pytest.mark.parametrize(
    ("lat", "lon", "land"),
    [(55.0, 37.0, True), (-85.0, 10.0, True), (0.0, -30.0, False), (42.0, 50.5, False), (-25.0, 134.0, True)],
)
def test_land_mask_row_zero_is_south(lat, lon, land):
    mask = geography.land_mask(720, 1440)
    assert mask[int((lat + 90) * 4), int((lon + 180) * 4)] == land


def test_places_lie_in_their_countries_and_name_their_source():
    countries = geography.countries()
    for table in (geography.tccon_sites(), geography.cities(), geography.power_plants()):
        assert not table.duplicated(["name", "country"]).any()
        assert (table["source"].str.len() > 20).all()
        for row in table.itertuples():
            assert countries[row.country].distance(shapely.Point(row.lon, row.lat)) < 0.3, row.name


def test_emission_tables_are_plausible():
    cities, plants = geography.cities(), geography.power_plants()
    assert 140 <= len(cities) + len(plants) <= 220
    assert cities["co2_mt_per_year"].is_monotonic_decreasing and plants["co2_mt_per_year"].is_monotonic_decreasing
    assert plants["co2_mt_per_year"].between(5.0, 40.0).all()
    hours = plants["co2_mt_per_year"] / (plants["capacity_mw"] * 8.76e-3)  # t CO2 per MWh of capacity
    assert hours.between(0.15, 0.6).all()
    assert cities["co2_mt_per_year"].max() < 250.0


def test_unroll_takes_the_short_way():
    line = np.array([[170.0, 0.0], [-175.0, 1.0], [-170.0, 2.0], [175.0, 3.0]])
    assert unroll(line)[:, 0].tolist() == [170.0, 185.0, 190.0, 175.0]


def test_cut_line_adds_points_on_the_dateline():
    east, west, again = cut_line(np.array([[170.0, 0.0], [-170.0, 20.0], [170.0, 40.0]]))
    assert east.tolist() == [[170.0, 0.0], [180.0, 10.0]]
    assert west.tolist() == [[-180.0, 10.0], [-170.0, 20.0], [-180.0, 30.0]]
    assert again.tolist() == [[180.0, 30.0], [170.0, 40.0]]


def test_ring_round_the_pole_is_closed_there():
    lon = np.arange(-180.0, 181.0, 10.0)
    cap = flat_polygon([np.column_stack([np.where(lon == 180.0, -180.0, lon), np.full_like(lon, -70.0)])])
    assert cap.bounds == (-180.0, -90.0, 180.0, -70.0) and cap.area == pytest.approx(360.0 * 20.0)
    arctic = np.column_stack([np.roll(lon[:-1], 5)[::-1], np.full(36, 80.0)])
    north = flat_polygon([np.concatenate([arctic, arctic[:1]])])
    assert north.area == pytest.approx(360.0 * 10.0) and north.bounds[3] == 90.0
