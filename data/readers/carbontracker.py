"""CarbonTracker (NOAA GML; doi 10.25925/z1gj-3254 for CT2022) and files in its layouts: surface fluxes and zonal
fluxes.

Fluxes come on a global 1-degree grid in mol m-2 s-1 upward, as one mean or as 3-hourly, weekly and monthly series.
Names changed over the releases (`bio_flux_optimized` -> `bio_flux_opt`, `date` -> `time`); here they are always
today's. Mole fractions on levels are read by `data.readers.mole_fractions`, region files by `data.readers.regions`.
"""

from __future__ import annotations

import re
from pathlib import Path

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.grid_axes import locate, to_grid, with_time
from data.readers.mole_fractions import READERS as LEVEL_READERS
from data.readers.opening import open_dataset, pack, reading
from data.readers.periods import slug
from data.readers.probe import Probe
from data.readers.regions import READERS as REGION_READERS
from data.readers.times import decode_times

_FLUX_NAMES = {
    "bio_flux_optimized": "bio_flux_opt",
    "bio_flux_opt": "bio_flux_opt",
    "ocean_flux_optimized": "ocn_flux_opt",
    "ocean_flux_opt": "ocn_flux_opt",
    "ocn_flux_opt": "ocn_flux_opt",
    "fossil_imposed": "fossil_flux_imp",
    "fossil_flux_imposed": "fossil_flux_imp",
    "fossil_flux_imp": "fossil_flux_imp",
    "fire_flux_imposed": "fire_flux_imp",
    "fire_flux_imp": "fire_flux_imp",
    "bio_flux_prior": "bio_flux_prior",
    "ocn_flux_prior": "ocn_flux_prior",
    "ocean_flux_prior": "ocn_flux_prior",
}
_FLUX_TITLES = {
    "bio_flux_opt": "land biosphere flux without fires, optimised",
    "ocn_flux_opt": "air-sea flux, optimised",
    "fossil_flux_imp": "fossil fuel emissions, prescribed",
    "fire_flux_imp": "fire emissions, prescribed",
    "bio_flux_prior": "land biosphere flux without fires, first guess",
    "ocn_flux_prior": "air-sea flux, first guess",
}
_RELEASE = re.compile(r"(?i)\b(CT(?:E)?(?:-NRT\.v)?\d{4}[A-Z]?(?:-\d+)?)")
_FLUX_FILE = "a CarbonTracker flux file: netCDF with bio_flux_opt, fossil_flux_imp and others on a grid in mol m-2 s-1"
_ZONAL_FILE = "zonal monthly fluxes: netCDF with SFCO2 (time, lat) in Pg C yr-1 degree-1"
_ZONAL_NAMES = {"SFCO2": "total_flux", "SFCO2_OCN": "ocean_flux", "SFCO2_LND": "land_flux", "SFCO2_FFF": "fossil_flux"}


def _release(path: Path, attrs: dict[str, object]) -> str:
    match = _RELEASE.search(path.name) or _RELEASE.search(str(attrs.get("version", "")))
    return match.group(1) if match else "unknown"


def _near_real_time(release: str) -> bool:
    return release.upper().startswith("CT-NRT")


def _recognises_fluxes(probe: Probe) -> bool:
    return any(name in probe.variables and len(probe.variables[name].shape) >= 2 for name in _FLUX_NAMES)


def read_fluxes(path: Path) -> Product:
    """Surface fluxes as grid (time, lat, lon), mol m-2 s-1 upward, with today's names. Lazy where large."""
    dataset = open_dataset(path, expected=_FLUX_FILE)
    with reading(path, _FLUX_FILE):
        located, notes = locate(dataset, path, expected=_FLUX_FILE)
        present = {name: _FLUX_NAMES[str(name)] for name in located.data_vars if name in _FLUX_NAMES}
        if not present:
            raise FileProblem(path, expected=_FLUX_FILE, found="no flux on a grid", remedy="download it again")
        grid = to_grid(with_time(located[list(present)].rename(present), path, expected=_FLUX_FILE))
        for name, flux in grid.data_vars.items():
            units = str(flux.attrs.get("units", "mol m-2 s-1"))
            if re.sub(r"[\s.*^{}]|(?<=mol)es?", "", units.lower()) not in ("molm-2s-1", "mol/m2/s", "mol/(m2s)"):
                raise FileProblem(
                    path,
                    expected=f"{name} in mol m-2 s-1",
                    found=f"units {units!r}",
                    remedy="convert the fluxes to mol m-2 s-1",
                )
            flux.attrs.clear()
            flux.attrs.update(units="mol m-2 s-1", long_name=_FLUX_TITLES[str(name)])
        release = _release(path, dataset.attrs)
        average = next((word for word in ("longterm", "monthly", "weekly", "mean") if word in path.name.lower()), "")
        return pack(
            "grid",
            grid,
            reader="carbontracker_fluxes",
            collection="-".join(filter(None, [f"carbontracker-{slug(release)}-fluxes", average])),
            path=path,
            title=f"CarbonTracker {release} surface fluxes",
            instrument="CarbonTracker",
            version=release,
            catalog="carbontracker-nrt" if _near_real_time(release) else "carbontracker-ct2022-fluxes",
            note="; ".join(notes),
            period=str(dataset.attrs.get("averaging_period", "")),
            **_other_release(release),
        )


def _other_release(release: str) -> dict[str, str]:
    """Source and citation of releases that have no entry of their own in the catalogue."""
    if release == "CT2022" or _near_real_time(release):
        return {}
    return {
        "source": "NOAA Global Monitoring Laboratory, https://carbontracker.noaa.gov",
        "citation": f"CarbonTracker {release if release != 'unknown' else ''}".strip()
        + ", NOAA Global Monitoring Laboratory, Boulder, Colorado, USA, https://carbontracker.noaa.gov; Peters, W. et al. "
        "(2007). An atmospheric perspective on North American carbon dioxide exchange: CarbonTracker. PNAS 104, "
        "18925-18930, doi:10.1073/pnas.0708986104.",
    }


def _recognises_zonal(probe: Probe) -> bool:
    return any(name in probe.variables and len(probe.variables[name].shape) == 2 for name in _ZONAL_NAMES)


def read_zonal_fluxes(path: Path) -> Product:
    """Zonally integrated monthly fluxes as section (time, lat), PgC a year and degree: total, ocean, land and fossil.

    The files do not name their model; the folder does ("CT2019B/fluxes_za_ts_monthly.nc").
    """
    dataset = open_dataset(path, expected=_ZONAL_FILE)
    with reading(path, _ZONAL_FILE):
        present = {name: new for name, new in _ZONAL_NAMES.items() if name in dataset}
        times = decode_times(dataset["time"], None)
        if times is None:
            raise FileProblem(path, expected=_ZONAL_FILE, found="times without units", remedy="download it again")
        section = dataset[list(present)].rename(present).transpose("time", "lat").assign_coords(time=("time", times))
        section = section.drop_duplicates("time", keep="last").sortby(["time", "lat"])
        for name, flux in section.data_vars.items():
            flux.attrs.clear()
            flux.attrs.update(units="PgC yr-1 degree-1", long_name=f"{str(name).replace('_', ' ')}, zonal integral")
        section["lat"].attrs.update(standard_name="latitude", units="degrees_north")
        model = path.parent.name or "unknown model"
        return pack(
            "section",
            section,
            reader="zonal_fluxes",
            collection=f"zonal-monthly-fluxes-{slug(model)}",
            path=path,
            title=f"{model}: zonal monthly CO2 fluxes",
            instrument=model,
            version=model,
            catalog="carbontracker-ct2022-fluxes" if model.startswith("CT") else "cams-inversion",
        )


READERS = [
    Reader("carbontracker_fluxes", "grid", _FLUX_FILE, _recognises_fluxes, read_fluxes),
    *LEVEL_READERS,
    Reader("zonal_fluxes", "section", _ZONAL_FILE, _recognises_zonal, read_zonal_fluxes),
    *REGION_READERS,
]
