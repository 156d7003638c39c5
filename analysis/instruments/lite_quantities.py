"""What the groups `Retrieval`, `Sounding`, `Preprocessors`, `Meteorology` and `Auxiliary` of a Lite file hold."""

from __future__ import annotations

import numpy as np

from analysis.instruments.oco2 import Soundings
from analysis.world.climate import wind

Table = dict[str, tuple[np.ndarray, str, str]]
"""Name -> values, units, long name."""

_DRAWN: dict[str, tuple[float, float, str]] = {
    "dpfrac": (0.0, 0.8, "%"),
    "t700": (272.0, 9.0, "K"),
    "s31": (0.9, 0.2, "none"),
    "s32": (0.7, 0.1, "none"),
    "co2_grad_del": (0.0, 12.0, "ppm"),
    "offset_o2a_rel": (0.0, 0.002, "none"),
    "ice_height": (0.2, 0.05, "none"),
    "water_height": (0.75, 0.1, "none"),
    "dust_height": (0.85, 0.06, "none"),
    "h2o_scale": (1.0, 0.06, "none"),
    "deltaT": (0.0, 0.7, "K"),
    "albedo_slope_o2a": (0.0, 2e-5, "none"),
    "albedo_slope_wco2": (0.0, 2e-5, "none"),
    "albedo_slope_sco2": (0.0, 2e-5, "none"),
    "rms_rel_o2a": (0.0018, 0.0003, "none"),
    "rms_rel_wco2": (0.0013, 0.0002, "none"),
    "rms_rel_sco2": (0.0020, 0.0004, "none"),
}
"""Retrieval quantities without a role in the simulation: mean, standard deviation, units."""

_AEROSOLS = {
    "dust": 0.14,
    "bc": 0.05,
    "oc": 0.10,
    "seasalt": 0.13,
    "sulfate": 0.18,
    "strataer": 0.06,
    "water": 0.20,
    "ice": 0.14,
}
"""Part of each kind in the total optical depth; they sum to one."""


def group_quantities(soundings: Soundings) -> dict[str, Table]:
    """Group -> its variables, one value a sounding."""
    seed = int(soundings.sounding_id[0]) if len(soundings) else 0
    random = np.random.default_rng(np.random.SeedSequence([seed]))
    month = soundings.time.astype("datetime64[M]").astype(np.int64) % 12 + 0.5
    east, north = wind(float(month[0]) if month.size else 0.5, soundings.lat, soundings.lon)
    groups = {
        "Retrieval": _retrieval(soundings, random, np.hypot(east, north) + 3.0),
        "Sounding": _sounding(soundings, random),
        "Preprocessors": _preprocessors(soundings, random),
        "Meteorology": {
            "windspeed_u_met": (east, "m s-1", "eastward surface wind"),
            "windspeed_v_met": (north, "m s-1", "northward surface wind"),
            **{
                f"psurf_apriori_{band}": (soundings.surface_hpa, "hPa", f"prior surface pressure, {band} band")
                for band in ("o2a", "wco2", "sco2")
            },
        },
        "Auxiliary": {},
    }
    return {
        group: {name: (_packed(values), units, text) for name, (values, units, text) in table.items()}
        for group, table in groups.items()
    }


def _packed(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _retrieval(soundings: Soundings, random: np.random.Generator, speed: np.ndarray) -> Table:
    count = len(soundings)
    normal = {
        name: mean + spread * random.standard_normal(count, dtype=np.float32)
        for name, (mean, spread, _) in _DRAWN.items()
    }
    difference = soundings.surface_hpa * normal["dpfrac"] / 100.0
    water = 45.0 * np.exp(-((soundings.lat / 28.0) ** 2)) + 6.0
    fine = soundings.aerosol * (_AEROSOLS["sulfate"] + _AEROSOLS["oc"] + _AEROSOLS["bc"])
    dws = soundings.aerosol * (_AEROSOLS["dust"] + _AEROSOLS["water"] + _AEROSOLS["seasalt"])
    bright = np.where(soundings.land, 0.30 + 0.15 * np.exp(-(((np.abs(soundings.lat) - 24.0) / 9.0) ** 2)), 0.03)
    leaf = np.where(soundings.land, 1.2 * np.exp(-((soundings.lat / 60.0) ** 2)), 0.0)
    table: Table = {name: (normal[name], units, name.replace("_", " ")) for name, (_, _, units) in _DRAWN.items()}
    table |= {
        "xco2_raw": (soundings.xco2_raw, "ppm", "XCO2 before bias correction"),
        "psurf": (soundings.surface_hpa + difference, "hPa", "retrieved surface pressure"),
        "psurf_apriori": (soundings.surface_hpa, "hPa", "prior surface pressure"),
        "dp": (difference, "hPa", "retrieved less prior surface pressure"),
        "dp_sco2": (difference + 0.3, "hPa", "retrieved less prior surface pressure, strong CO2 band"),
        "windspeed": (np.where(soundings.land, np.nan, speed), "m s-1", "retrieved wind speed"),
        "windspeed_apriori": (speed, "m s-1", "prior wind speed"),
        "fs": (leaf, "W m-2 sr-1 um-1", "retrieved fluorescence"),
        "tcwv": (water, "kg m-2", "total column water vapour"),
        "tcwv_uncertainty": (0.03 * water, "kg m-2", "uncertainty of total column water vapour"),
        "tcwv_apriori": (1.02 * water, "kg m-2", "prior total column water vapour"),
        "dws": (dws, "none", "optical depth of dust, water and sea salt"),
        "logDWS": (np.log(dws), "none", "logarithm of dws"),
        **{
            f"aod_{kind}": (soundings.aerosol * part, "none", f"optical depth of {kind}")
            for kind, part in _AEROSOLS.items()
        },
        "aod_fine": (fine, "none", "optical depth of fine aerosol"),
        "aod_total": (soundings.aerosol, "none", "total optical depth"),
        "albedo_o2a": (bright, "none", "albedo, O2 A band"),
        "albedo_wco2": (0.8 * bright, "none", "albedo, weak CO2 band"),
        "albedo_sco2": (0.6 * bright, "none", "albedo, strong CO2 band"),
        "surface_type": (soundings.land.astype(np.int8), "none", "0 ocean, 1 land"),
        "snow_flag": (
            ((soundings.lat > 60.0) & soundings.land & (soundings.sun_zenith > 60.0)).astype(np.int8),
            "none",
            "1 snow",
        ),
        "SigmaB": (
            200.0 * np.exp(-soundings.altitude_m / 1500.0) * 0.2,
            "m",
            "variability of the surface in the footprint",
        ),
        "diverging_steps": (np.zeros(count, np.int8), "none", "diverging steps"),
        "iterations": (random.integers(3, 7, count).astype(np.int8), "none", "iterations"),
    }
    table["windspeed"] = (
        np.where(np.isnan(table["windspeed"][0]), -999999.0, table["windspeed"][0]),
        "m s-1",
        "retrieved wind speed",
    )
    return table


def _sounding(soundings: Soundings, random: np.random.Generator) -> Table:
    bright = np.where(soundings.land, 1.0, 0.6) * np.cos(np.deg2rad(soundings.sun_zenith)) + 0.1
    glint = np.where(soundings.mode == 1, 3.0, np.minimum(soundings.sun_zenith + soundings.view_zenith, 180.0))
    mass = 1.0 / np.cos(np.deg2rad(soundings.sun_zenith)) + 1.0 / np.cos(np.deg2rad(soundings.view_zenith))
    return {
        "altitude": (soundings.altitude_m, "m", "surface altitude"),
        "footprint": (soundings.footprint, "none", "footprint number, 1-8"),
        "land_fraction": (np.where(soundings.land, 100.0, 0.0), "%", "land in the footprint"),
        "land_water_indicator": (
            np.where(soundings.land, 0, 1).astype(np.int8),
            "none",
            "0 land, 1 ocean, 2 inland water, 3 mixed",
        ),
        "operation_mode": (soundings.mode, "none", "0 nadir, 1 glint, 2 target, 3 transition, 4 area mapping"),
        "orbit": (soundings.orbit, "none", "orbit number"),
        "path": (soundings.path, "none", "path of the 16-day cycle, 1-233"),
        "airmass": (mass, "none", "air mass factor"),
        "glint_angle": (glint, "degrees", "angle to the glint spot"),
        "sensor_azimuth_angle": (soundings.view_azimuth, "degrees", "sensor azimuth from north"),
        "solar_azimuth_angle": (soundings.sun_azimuth, "degrees", "solar azimuth from north"),
        **{
            f"snr_{band}": (
                scale * np.sqrt(bright) * random.uniform(0.9, 1.1, len(soundings)),
                "none",
                f"signal to noise, {band}",
            )
            for band, scale in (("o2a", 420.0), ("wco2", 480.0), ("sco2", 320.0))
        },
        "l1b_type": (np.full(len(soundings), 8, np.int8), "none", "level 1b type"),
    }


def _preprocessors(soundings: Soundings, random: np.random.Generator) -> Table:
    count = len(soundings)
    return {
        "co2_ratio": (1.0 + 0.006 * random.standard_normal(count), "none", "CO2 of the weak over the strong band"),
        "h2o_ratio": (1.0 + 0.02 * random.standard_normal(count), "none", "H2O of the weak over the strong band"),
        "dp_abp": (
            4.0 + 8.0 * random.standard_normal(count),
            "hPa",
            "surface pressure of the O2 A band preprocessor less prior",
        ),
    }
