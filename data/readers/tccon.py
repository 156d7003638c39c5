"""TCCON: GGG2020 netCDF (public and private layout). Tables of older or derived TCCON data are in `tccon_tables`.

Layout: TCCON netCDF of GGG2020, https://tccon-wiki.caltech.edu/Main/AuxiliaryDataGGG2020. A public file holds `xco2` on
the WMO X2007 scale and mostly also `xco2_x2019`; `xco2` here is the file's `xco2` where it has one, and the other stays
under its own name. The prior is a wet mole fraction, which is what the integration operator expects (it does not
include the averaging kernel). Profiles are turned so that the top of the atmosphere comes first.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product, wrap_longitude
from data.errors import FileProblem
from data.readers import Reader
from data.readers.opening import open_dataset, pack
from data.readers.periods import slug
from data.readers.probe import Probe
from data.readers.simulated import SIMULATED_CATALOG, is_simulated
from data.readers.tccon_tables import READERS as TABLES
from data.readers.times import decode_times
from data.readers.units import ppm_factor

_FILE = "a TCCON GGG2020 file: netCDF with time, lat, long and xco2 or xco2_x2019"
_NAME = re.compile(r"(?i)^([a-z]{2})\d{8}_\d{8}\.(public|private)(?:\.qc)?\.nc$")
_ATMOSPHERE_HPA = 1013.25

_ONE_DIMENSIONAL = ("xco2", "xco2_error", "xco2_x2019", "xco2_error_x2019", "lat", "long", "zobs", "solzen", "flag")
_PROFILES = {
    "averaging_kernel": (("ak_xco2",), "1", "column averaging kernel"),
    "pressure": (("prior_pressure",), "hPa", "pressure of each level"),
    "co2_prior_wet": (("prior_co2", "prior_1co2"), "ppm", "prior CO2 profile, wet mole fraction"),
    "h2o_prior_wet": (("prior_h2o", "prior_1h2o"), "1", "prior water vapour profile, wet mole fraction"),
    "integration_operator": (("integration_operator",), "1", "times a wet profile: the column average without kernel"),
    "integration_operator_x2019": (("integration_operator_x2019",), "1", "the same for xco2_x2019"),
}
"""Canonical name -> names in files, unit, meaning."""


def _is_ggg2020(probe: Probe) -> bool:
    if _NAME.match(probe.name):
        return True
    if probe.container not in ("hdf5", "netcdf3") or not probe.has("time", "long", "lat"):
        return False
    return any(name in probe.variables for name in ("xco2", "xco2_x2019"))


def read_ggg2020(path: Path) -> Product:
    """One site's spectra as observations; those that TCCON flags or that lie outside their valid range are left out.

    Where that would leave nothing, all stay with ``quality_flag`` 1 and a note.
    """
    wanted: tuple[str, ...] = _ONE_DIMENSIONAL + ("time", "prior_index", "extrapolation_flags_ak_xco2")
    wanted += tuple(name for names, _, _ in _PROFILES.values() for name in names)
    source = open_dataset(path, expected=_FILE, only=wanted)
    named = next((name for name in ("xco2", "xco2_x2019") if name in source), None)
    if named is None or "time" not in source.variables or not {"lat", "long"} <= set(source.variables):
        absent = (
            "xco2" if named is None else next(name for name in ("time", "lat", "long") if name not in source.variables)
        )
        raise FileProblem(path, expected=_FILE, found=f"no variable {absent!r}", remedy="download it again")
    if source.sizes["time"] == 0:
        raise FileProblem(path, expected=_FILE, found="no soundings", remedy="choose another period")
    times = decode_times(source["time"], None)
    if times is None:
        raise FileProblem(
            path,
            expected=_FILE,
            found="times without units",
            remedy="give `time` units such as seconds since 1970-01-01",
        )
    values = source[named].to_numpy()
    with np.errstate(invalid="ignore"):
        usable = (values > 0) & (values < 1e30) & ~np.isnat(times)  # -999 and the netCDF default fill are no values
    if not usable.any():
        raise FileProblem(path, expected=_FILE, found="no soundings with time and xco2", remedy="choose another period")
    flagged = usable & _flagged(source, named)
    notes = []
    if (flagged == usable).all():
        notes.append(f"all {int(usable.sum())} spectra are flagged or outside their valid range")
        keep = usable
    else:
        keep = usable & ~flagged
        notes += [f"{int(flagged.sum())} flagged or outlying spectra left out"] if flagged.any() else []
    order = np.flatnonzero(keep)[np.argsort(times[keep], kind="stable")]
    repeated = np.r_[False, np.diff(times[order]) == np.timedelta64(0)]
    if repeated.any():
        notes.append(f"{int(repeated.sum())} spectra with the time of another left out")
    order = order[~repeated]
    return _packed(source, named, times, order, flagged, path, "; ".join(notes))


def _flagged(source: xr.Dataset, named: str) -> np.ndarray:
    """(time,) True where the private file's flag is set or the value lies outside the range in its attributes."""
    values = source[named].to_numpy()
    bad = np.zeros(values.shape, dtype=bool)
    if "flag" in source:
        bad |= source["flag"].fillna(0).to_numpy() != 0
    attrs = source[named].attrs
    if "vmin" in attrs and "vmax" in attrs:
        with np.errstate(invalid="ignore"):
            bad |= (values < float(attrs["vmin"])) | (values > float(attrs["vmax"]))
    return bad


def _packed(
    source: xr.Dataset, named: str, times: np.ndarray, order: np.ndarray, flagged: np.ndarray, path: Path, note: str
) -> Product:
    chosen = source.isel(time=order)
    site = str(source.attrs.get("long_name", "")).strip() or path.name[:2].lower()
    simulated = is_simulated(source.attrs)
    variables: dict[str, tuple] = {
        "time": ("observation", times[order], {"standard_name": "time"}),
        "site": ("observation", np.full(order.size, site)),
        "lat": ("observation", chosen["lat"].to_numpy().astype(np.float64), {"units": "degrees_north"}),
        "lon": ("observation", wrap_longitude(chosen["long"].to_numpy().astype(np.float64)), {"units": "degrees_east"}),
        "quality_flag": ("observation", flagged[order].astype(np.int8), {"flag_meanings": "0 good, 1 bad"}),
    }
    if "zobs" in chosen:
        variables["altitude_m"] = ("observation", chosen["zobs"].to_numpy() * 1000.0, {"units": "m"})
    if "solzen" in chosen:
        variables["solar_zenith_angle"] = ("observation", chosen["solzen"].to_numpy(), {"units": "degrees"})
    for name in ("xco2", "xco2_x2019"):
        if name not in source:
            continue
        ours = "xco2" if name == named else name
        factor = ppm_factor(chosen[name].to_numpy(), source[name].attrs.get("units"), path, name)
        scale = _scale(name, source)
        variables[ours] = ("observation", chosen[name].to_numpy() * factor, {"units": "ppm", "scale": scale})
        error = "xco2_error" if name == "xco2" else "xco2_error_x2019"
        uncertainty = chosen[error].to_numpy() * factor if error in source else np.full(order.size, np.nan)
        variables[f"{ours}_uncertainty"] = ("observation", uncertainty, {"units": "ppm"})
    dataset = xr.Dataset(variables).assign(_profiles(chosen))
    version, scale = _version(source), _scale(named, source)
    collection = f"tccon-{slug(version)}" + ("-x2019" if scale == "X2019" else "")
    collection += "-private" if "private" in path.name.lower() or "flag" in source else ""
    network = "TCCON (simulated)" if simulated else "TCCON"
    dataset.attrs["simulated"] = simulated
    return pack(
        "sites",
        dataset,
        reader="tccon_ggg2020",
        collection=f"simulated-{collection}" if simulated else collection,
        path=path,
        title=f"{network} XCO2 at {source.attrs.get('short_location', site)}, {version}",
        instrument=network,
        version=version,
        scale=scale,
        catalog=SIMULATED_CATALOG if simulated else "tccon-ggg2020",
        network=network,
        note=note,
        doi=str(source.attrs.get("data_doi", "")),
        citation=str(source.attrs.get("data_reference", "")),
        contact=str(source.attrs.get("contact", "")),
    )


def _scale(name: str, source: xr.Dataset) -> str:
    stated = re.search(r"X(2007|2019)", str(source[name].attrs.get("wmo_or_analogous_scale", "")))
    if stated:
        return stated.group()
    return "X2019" if name.endswith("_x2019") else "X2007"


def _version(source: xr.Dataset) -> str:
    """ "GGG2020" or "GGG2020.1", from the attribute or the DOI (ggg2020p1)."""
    for key in ("algorithm_version", "data_doi", "source"):
        found = re.search(r"(?i)GGG(20\d\d)(?:[.p](\d+)(?![\d-]))?", str(source.attrs.get(key, "")))
        if found:
            return f"GGG{found.group(1)}" + (f".{found.group(2)}" if found.group(2) else "")
    return "GGG2020"


def _profiles(chosen: xr.Dataset) -> dict[str, xr.DataArray]:
    """Profiles (observation, level), top of the atmosphere first; in private files looked up by `prior_index`."""
    found: dict[str, xr.DataArray] = {}
    for ours, (names, unit, meaning) in _PROFILES.items():
        name = next((name for name in names if name in chosen), None)
        if name is None:
            continue
        array = chosen[name].reset_coords(drop=True)
        if "prior_time" in array.dims and "time" not in array.dims and "prior_index" in chosen:
            index = chosen["prior_index"].reset_coords(drop=True).astype(int)
            array = array.isel(prior_time=index.clip(0, array.sizes["prior_time"] - 1))
        if "time" not in array.dims or array.ndim != 2:
            continue  # kernels by slant column, as engineering files keep them
        level = next(dim for dim in array.dims if dim != "time")
        array = array.transpose("time", level).isel({level: slice(None, None, -1)})
        stated = str(chosen[name].attrs.get("units", ""))
        if unit == "hPa" and stated == "atm":
            array = array * np.float32(_ATMOSPHERE_HPA)
        elif unit == "ppm" and stated in ("1", "parts", ""):
            array = array * np.float32(1e6)
        array = array.drop_vars([coord for coord in array.coords]).rename({"time": "observation", level: "level"})
        array.attrs = {"units": unit, "long_name": meaning}
        found[ours] = array
    if "averaging_kernel" in found and "extrapolation_flags_ak_xco2" in chosen:
        clamped = chosen["extrapolation_flags_ak_xco2"].to_numpy()
        attrs = {"long_name": "-2 and 2: kernel clamped, do not use; -1 and 1: extrapolated"}
        found["averaging_kernel_flag"] = xr.DataArray(clamped, dims="observation", attrs=attrs)
    return found


READERS = [Reader("tccon_ggg2020", "sites", _FILE, _is_ggg2020, read_ggg2020), *TABLES]
