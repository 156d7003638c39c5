"""CarbonTracker's regions: masks on the 1-degree grid, the names of TransCom regions and ecosystems, and aggregates of
them.

Source: NOAA CarbonTracker `regions.nc` (release CT2010) and the files that the CTDAS code keeps beside it. Name arrays
are characters padded with spaces whose fill value is "-", a character that also occurs in names: they are read without
masking.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.grid_axes import locate, to_grid
from data.readers.opening import open_dataset, pack, reading
from data.readers.probe import Probe

_MASKS = ("regions", "transcom_regions", "land_ecosystems", "ocean_regions")
_REGIONS_FILE = (
    "a region mask file: netCDF with regions (lat, lon) as in CarbonTracker's regions.nc or olson_extended.nc"
)
_AGGREGATES_FILE = "CarbonTracker's postagg_definitions.nc: netCDF with xform (transcom23, aggregates)"
_NAMES_FILE = "a table of region names: lines such as ' 1 T-NABR \"North American Boreal\"'"
_NAME_LINE = re.compile(r'^\s*(\d+)\s+(\S+)\s+"([^"]*)"\s*$')
_OF_MASK = {
    "transcom_regions": ("transcom", "transcom_names", "transcom_regions_area"),
    "land_ecosystems": ("ecosystem", "ecosystem_names", "land_ecosystems_area"),
    "ocean_regions": ("ocean", "ocean_names", "ocean_regions_area"),
    "regions": ("region", "region_names", "regions_area"),
}
"""Mask -> dimension, variable of names, variable of areas."""


def _recognises_masks(probe: Probe) -> bool:
    return any(name in probe.variables and len(probe.variables[name].shape) == 2 for name in _MASKS)


def read_masks(path: Path) -> Product:
    """Masks as regions (lat, lon), int16 with 0 where no region applies.

    For each mask the names of its numbers, where the file has them, on a dimension that counts from 1 (`transcom_names`
    on `transcom`), areas in m2, and `xform` (region, transcom), the share of each region that belongs to a TransCom
    region.
    """
    dataset = open_dataset(path, expected=_REGIONS_FILE, without=[names for _, names, _ in _OF_MASK.values()])
    with reading(path, _REGIONS_FILE):
        names = {**_character_names(path), **_attribute_names(dataset.attrs)}
        located, _ = locate(dataset, path, expected=_REGIONS_FILE)
        masks = to_grid(located[[name for name in _MASKS if name in located]])
        for name in masks.data_vars:
            numbers = masks[name].where((masks[name] > 0) & (masks[name] < 30_000), 0)
            masks[name] = (
                numbers.round()
                .astype(np.int16)
                .assign_attrs(units="1", long_name=str(masks[name].attrs.get("long_name", name)))
            )
        for mask, (dim, names_variable, area_variable) in _OF_MASK.items():
            if mask not in masks:
                continue
            if names_variable in names:
                masks[names_variable] = (dim, np.array(names[names_variable], dtype=np.str_))
            if area_variable in dataset:
                masks[area_variable] = (dim, dataset[area_variable].to_numpy().astype(np.float64), {"units": "m2"})
        if "xform" in dataset:
            masks["xform"] = (("region", "transcom"), dataset["xform"].to_numpy().astype(np.float32), {"units": "1"})
        for dim in (dim for dim in masks.dims if dim in {dim for dim, _, _ in _OF_MASK.values()}):
            masks = masks.assign_coords({dim: (dim, np.arange(1, masks.sizes[dim] + 1, dtype=np.int16))})
        extended = "transcom_regions" not in masks
        return pack(
            "regions",
            masks,
            reader="carbontracker_regions",
            collection="carbontracker-olson-extended" if extended else "carbontracker-regions",
            path=path,
            title="Olson ecosystems by TransCom region" if extended else "CarbonTracker regions",
            instrument="CarbonTracker",
            version=str(dataset.attrs.get("Source", "unknown")).removeprefix("CarbonTracker release "),
            catalog="carbontracker-regions",
        )


def _character_names(path: Path) -> dict[str, list[str]]:
    import netCDF4

    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        file.set_auto_chartostring(False)
        return {
            name: [str(text).strip() for text in netCDF4.chartostring(var[:])]
            for name, var in file.variables.items()
            if name.endswith("_names") and var.dtype == "S1" and var.ndim == 2
        }


def _attribute_names(attrs: dict[str, object]) -> dict[str, list[str]]:
    """Names kept as attributes Region_01 = "North American Boreal \\n Forests/Wooded"."""
    numbered = sorted(
        (int(key[7:]), str(value)) for key, value in attrs.items() if re.fullmatch(r"Region_\d+", str(key))
    )
    return {"region_names": [" ".join(name.split()) for _, name in numbered]} if numbered else {}


def _recognises_aggregates(probe: Probe) -> bool:
    return probe.has("xform", "aggregates")


def read_aggregates(path: Path) -> Product:
    """Aggregates of TransCom regions as table: `name`, `short_name` and a column of weights (-1, 0, 1) for each
    TransCom region.
    """
    dataset = open_dataset(path, expected=_AGGREGATES_FILE)
    with reading(path, _AGGREGATES_FILE):
        weights = dataset["xform"].transpose("aggregates", "transcom23").to_numpy().astype(np.int8)
        count = weights.shape[0]
        attrs = dataset.attrs
        table = xr.Dataset(
            {
                "name": (
                    "row",
                    np.array([str(attrs.get(f"aggregate_{k:02d}_longname", k)) for k in range(1, count + 1)]),
                ),
                "short_name": (
                    "row",
                    np.array([str(attrs.get(f"aggregate_{k:02d}_shortname", k)) for k in range(1, count + 1)]),
                ),
                **{f"transcom_{k + 1:02d}": ("row", weights[:, k]) for k in range(weights.shape[1])},
            }
        )
        return pack(
            "table",
            table,
            reader="transcom_aggregates",
            collection="transcom-aggregates",
            path=path,
            title="Aggregates of TransCom regions",
            instrument="CarbonTracker",
            version=str(attrs.get("carbontracker_release_version", "unknown")),
            catalog="carbontracker-regions",
        )


def _recognises_names(probe: Probe) -> bool:
    lines = [line for line in probe.lines if line.strip()]
    return len(lines) > 2 and all(_NAME_LINE.match(line) for line in lines)


def read_names(path: Path) -> Product:
    """Region names as table: `number`, `code`, `name`."""
    with reading(path, _NAMES_FILE):
        rows = [
            match.groups()
            for line in path.read_text(encoding="utf-8").splitlines()
            if (match := _NAME_LINE.match(line))
        ]
    if not rows:
        raise FileProblem(path, expected=_NAMES_FILE, found="no such line", remedy="download it again")
    table = xr.Dataset(
        {
            "number": ("row", np.array([int(number) for number, _, _ in rows], dtype=np.int16)),
            "code": ("row", np.array([code for _, code, _ in rows])),
            "name": ("row", np.array([" ".join(name.split()) for _, _, name in rows])),
        }
    )
    transcom = all(code.startswith(("T-", "O-")) for _, code, _ in rows)
    return pack(
        "table",
        table,
        reader="region_names",
        collection="transcom-region-names" if transcom else "olson-ecosystem-names",
        path=path,
        title="TransCom regions" if transcom else "Olson land ecosystems",
        instrument="CarbonTracker",
        catalog="carbontracker-regions",
    )


READERS = [
    Reader("carbontracker_regions", "regions", _REGIONS_FILE, _recognises_masks, read_masks),
    Reader("transcom_aggregates", "table", _AGGREGATES_FILE, _recognises_aggregates, read_aggregates),
    Reader("region_names", "table", _NAMES_FILE, _recognises_names, read_names),
]
