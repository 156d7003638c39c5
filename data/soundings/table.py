"""Soundings as an Arrow table and as a GeoParquet file: columns, types, the order of rows, statistics.

One row is one sounding. Its place is the column `geometry` in GeoParquet 1.1's native encoding "point" (a struct of x
= longitude and y = latitude, doubles): geographic software reads it, and its row-group statistics let a query skip
rows outside a box, which well-known binary would not. Quantities on levels are fixed-size lists. Rows are ordered by
cells of a Z-order curve (256 x 256 over the globe) and within a cell by time, so that a row group of 32768 rows
covers a small area: on ten million soundings in files of 500,000 a query of a 10-degree box takes a third of the time
that rows ordered by time need (16,384 and 65,536 rows a group are slower).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.canonical import Product, wrap_longitude
from data.errors import StoreProblem
from data.soundings.granule import Granule, file_digest, granule_key

if TYPE_CHECKING:
    import pyarrow as pa
    import xarray as xr

    from data.storage import ManifestFolder

ROW_GROUP = 32_768
_COMPRESSION_LEVEL = -1
"""Of zstd: 18 % less work than level 1, and files of full Lite soundings grow by 0.7 % (206 bytes each)."""

REQUIRED = ("time", "lat", "lon", "sounding_id", "quality_flag")
RESERVED = ("geometry", "granule", "instrument", "collection", "source_file", "version", "scale", "simulated")
"""Names that the archive gives a meaning of its own; a file's variable of that name gets an underscore."""

_QUANTITIES = ("xco2", "sif", "co2", "xch4", "ch4")
_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "point", "geometry_types": ["Point"]}},
}
_EXACT_IN_FLOAT32 = 2**24


@dataclass(frozen=True)
class SoundingTable:
    """A product's soundings, ready to be stored.

    Attributes
    ----------
    granule : the file they come from.
    table : columns as they are stored, in the product's order.
    unusable : soundings left out for want of a time or a position, or because their number occurs twice in the file.
    folder : name of the folder that the file lay in.
    """

    granule: Granule
    table: pa.Table
    unusable: int
    folder: str = ""


def to_table(product: Product, digest: str | None = None) -> SoundingTable:
    """Read a product of soundings into memory as an Arrow table.

    Floating-point numbers become single precision unless that would change whole numbers (identifiers); positions
    stay double.

    Parameters
    ----------
    product : soundings.
    digest : of the file (`file_digest`) where it is known already; None to calculate it.

    Raises
    ------
    StoreProblem : not soundings, or a required column is missing.
    """
    import pyarrow as pa

    dataset = product.dataset
    missing = [name for name in REQUIRED if name not in dataset.variables]
    if product.kind != "soundings" or missing:
        raise StoreProblem(
            f"{product.path}: expected soundings with {', '.join(REQUIRED)}, found {product.kind} "
            f"without {', '.join(missing) or 'soundings'}; "
            "read it with another reader."
        )
    arrays = {
        str(name): np.asarray(variable.values) for name, variable in dataset.variables.items() if _storable(variable)
    }
    usable, unusable = _usable(arrays)
    if usable is not None:
        arrays = {name: values[usable] for name, values in arrays.items()}
    lon = arrays.pop("lon").astype(np.float64)
    lon = lon if (np.abs(lon) < 180).all() else wrap_longitude(lon)
    lat = arrays.pop("lat").astype(np.float64)
    times = arrays.pop("time").astype("datetime64[ns]")
    fields = [
        pa.field("time", pa.timestamp("ns"), nullable=False),
        pa.field(
            "geometry",
            pa.struct([pa.field("x", pa.float64(), nullable=False), pa.field("y", pa.float64(), nullable=False)]),
            nullable=False,
        ),
        pa.field("granule", pa.int64(), nullable=False),
    ]
    point = fields[1].type
    columns = [
        pa.array(times),
        pa.StructArray.from_arrays([pa.array(lon), pa.array(lat)], fields=[point.field(0), point.field(1)]),
    ]
    arrays["sounding_id"] = arrays["sounding_id"].astype(np.int64)
    arrays["quality_flag"] = arrays["quality_flag"].astype(np.int8)
    taken = {*RESERVED, "time", "lat", "lon"}
    others, other_fields = [], []
    for name, values in arrays.items():
        attrs = {key: str(dataset[name].attrs.get(key, "")) for key in ("units", "long_name")}
        column = name
        while column.lower() in taken:  # names differ by more than case: SQL does not see case
            column += "_"
        taken.add(column.lower())
        array = _arrow(values)
        others.append(array)
        other_fields.append(pa.field(column, array.type, nullable=pa.types.is_timestamp(array.type), metadata=attrs))
    schema_id = _schema_id(other_fields)
    granule = _granule(product, times, schema_id, 3 + len(others), digest)
    columns.append(pa.repeat(pa.scalar(granule.key, pa.int64()), len(times)))
    table = pa.Table.from_arrays(columns + others, schema=pa.schema(fields + other_fields))
    if not granule.digest:
        granule = replace(granule, digest=_content_digest(table))
    return SoundingTable(granule, table, unusable, product.path.parent.name)


def _storable(variable: xr.Variable) -> bool:
    """Numbers, texts and times on soundings, and numbers on soundings and levels."""
    if variable.dims[:1] != ("sounding",):
        return False
    return variable.dtype.kind in ("fiubMOSU" if variable.ndim == 1 else "fiub" if variable.ndim == 2 else "")


def _usable(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray | None, int]:
    """Rows with a time, a position and a number of their own (None: all), and how many have not."""
    lat, lon = arrays["lat"], arrays["lon"]
    with np.errstate(invalid="ignore"):
        good = (
            ~np.isnat(arrays["time"].astype("datetime64[ns]"))
            & (np.abs(lat) <= 90)
            & np.isfinite(lon)
            & (np.abs(lon) <= 720)
        )
    numbers = arrays["sounding_id"]
    if numbers.size > 1 and not (np.diff(numbers) > 0).all():
        first = np.zeros(numbers.size, dtype=bool)
        candidates = np.flatnonzero(good)
        first[candidates[np.unique(numbers[candidates], return_index=True)[1]]] = True
        good &= first
    unusable = int(good.size - np.count_nonzero(good))
    return (good, unusable) if unusable else (None, 0)


def _arrow(values: np.ndarray) -> pa.Array:
    import pyarrow as pa

    if values.dtype.kind == "f" and values.dtype != np.float32:
        with np.errstate(invalid="ignore", over="ignore"):
            largest = np.nanmax(np.abs(values), initial=0.0, where=np.isfinite(values))
        if largest <= _EXACT_IN_FLOAT32 or values.dtype.itemsize < 4:
            values = values.astype(np.float32)
    elif values.dtype.kind in "OSU":
        values = values.astype(object)
        return pa.array(
            [item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in values.ravel()],
            pa.string(),
        )
    elif values.dtype.kind == "M":
        values = values.astype("datetime64[ns]")
    if values.ndim == 2:
        element = pa.field("element", pa.from_numpy_dtype(values.dtype), nullable=False)
        return pa.FixedSizeListArray.from_arrays(
            pa.array(np.ascontiguousarray(values).ravel()), type=pa.list_(element, values.shape[1])
        )
    return pa.array(np.ascontiguousarray(values))


def _schema_id(fields: list[pa.Field]) -> str:
    described = json.dumps(
        sorted((field.name, str(field.type), (field.metadata or {}).get(b"units", b"").decode()) for field in fields)
    )
    return hashlib.blake2b(described.encode(), digest_size=6).hexdigest()


def _granule(product: Product, times: np.ndarray, schema: str, columns: int, digest: str | None) -> Granule:
    attrs = product.dataset.attrs
    instrument = str(attrs.get("instrument") or product.collection)
    numbers = times.astype(np.int64)
    return Granule(
        key=granule_key(instrument, product.collection, product.path.name),
        name=product.path.name,
        digest=file_digest(product.path) if digest is None else digest,
        instrument=instrument,
        collection=product.collection,
        measures=_measures(product),
        version=str(attrs.get("version", "")),
        title=str(attrs.get("title", "")),
        scale=str(attrs.get("scale", "unknown")),
        catalog=str(attrs.get("catalog", "")),
        reader=product.reader,
        simulated=bool(attrs.get("simulated", 0)),
        soundings=len(times),
        columns=columns,
        start=int(numbers.min()) if len(times) else 0,
        end=int(numbers.max()) if len(times) else 0,
        schema=schema,
    )


def _measures(product: Product) -> str:
    names = [str(name).lower() for name in product.dataset.data_vars]
    return next(
        (quantity for quantity in _QUANTITIES if any(name.split("_")[0] == quantity for name in names)),
        product.collection,
    )


def _content_digest(table: pa.Table) -> str:
    digest = hashlib.blake2b(repr(table.schema.names).encode(), digest_size=16)
    for column in table.columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                digest.update(buffer if buffer is not None else b"-")
    return digest.hexdigest()


def describe_columns(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Column -> {"type", "width" (levels, 0 for a number), "units", "long_name"} of the measured columns, as the
    manifest keeps them.
    """
    import pyarrow as pa

    described: dict[str, dict[str, Any]] = {}
    for field in schema:
        if field.name in ("time", "geometry", "granule"):
            continue
        listed = pa.types.is_fixed_size_list(field.type)
        facts = {
            key.decode(): value.decode()
            for key, value in (field.metadata or {}).items()
            if key in (b"units", b"long_name")
        }
        described[field.name] = {
            "type": str(field.type.value_type if listed else field.type),
            "width": field.type.list_size if listed else 0,
            "units": facts.get("units", ""),
            "long_name": facts.get("long_name", ""),
        }
    return described


def positions(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """(n,) longitudes and latitudes of a table's rows, degrees."""
    point = table["geometry"].combine_chunks()
    return numbers_of(point.field("x")), numbers_of(point.field("y"))


def times_of(table: pa.Table) -> np.ndarray:
    """(n,) times of a table's rows, ns since 1970."""
    import pyarrow as pa

    return numbers_of(table["time"].cast(pa.timestamp("ns")).cast(pa.int64()))


def numbers_of(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(n,) values of a column of numbers, NaN for null; not to be written to.

    Arrow's own `to_numpy` imports pandas first, a quarter of a second; it is left to columns with nulls and of booleans.
    """
    import pyarrow as pa

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    plain = not whole.null_count and not pa.types.is_boolean(whole.type)
    return np.from_dlpack(whole) if plain else whole.to_numpy(zero_copy_only=False)


def in_storage_order(table: pa.Table) -> pa.Table:
    """The rows by Z-order cell, then time, then number: the same for the same soundings in any order."""
    lon, lat = positions(table)
    cell = _SPREAD[_cell(lon, -180.0, 360.0)] | (_SPREAD[_cell(lat, -90.0, 180.0)] << np.uint16(1))
    times, numbers = times_of(table), table["sounding_id"].to_numpy()
    later = np.diff(times)
    if ((later > 0) | ((later == 0) & (np.diff(numbers) >= 0))).all():
        order = np.argsort(cell, kind="stable")  # of 16-bit numbers: a radix sort
    else:
        order = np.lexsort((numbers, times, cell))
    return _rows(table, order)


def _rows(table: pa.Table, order: np.ndarray) -> pa.Table:
    """Rows in this order, one column after the other: to pick from a column in pieces takes Arrow three times as long as
    to join it first, and to join all of them at once takes more memory.
    """
    import pyarrow as pa

    rows = pa.array(order)
    columns = [column.combine_chunks().take(rows) for column in table.columns]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _cell(values: np.ndarray, low: float, extent: float) -> np.ndarray:
    return np.clip((values - low) * (256.0 / extent), 0, 255).astype(np.uint8)


def _spread() -> np.ndarray:
    """(256,) the bits of each byte, one place apart."""
    byte = np.arange(256, dtype=np.uint16)
    return sum(
        (((byte >> np.uint16(bit)) & np.uint16(1)) << np.uint16(2 * bit) for bit in range(8)),
        start=np.zeros(256, dtype=np.uint16),
    )


_SPREAD = _spread()


def write_parquet(table: pa.Table, path: Path, notes: dict[str, Any]) -> None:
    """Write rows in their order as GeoParquet 1.1, with checksums on every page; `notes` (JSON) go into the file's
    metadata.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    lon, lat = positions(table)
    bbox = [float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())]
    geo = {**_GEO, "columns": {"geometry": {**_GEO["columns"]["geometry"], "bbox": bbox}}}  # type: ignore[index]
    texts, floats, plain = ["granule"], ["geometry.x", "geometry.y"], ["time", "geometry.x", "geometry.y"]
    for field in table.schema:
        listed = pa.types.is_fixed_size_list(field.type)
        if pa.types.is_floating(field.type.value_type if listed else field.type):
            floats.append(f"{field.name}.list.element" if listed else field.name)
        elif pa.types.is_string(field.type):
            texts.append(field.name)
        if not listed and field.name not in ("time", "geometry"):
            plain.append(field.name)
    pq.write_table(
        table.replace_schema_metadata({"geo": json.dumps(geo), "carbonweather": json.dumps(notes)}),
        path,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=_COMPRESSION_LEVEL,
        use_dictionary=texts,
        use_byte_stream_split=floats,
        write_statistics=plain,
        write_page_checksum=True,
    )


def read_rows(
    folder: ManifestFolder, name: str, columns: Sequence[str] | None = None, *, verify: bool = False
) -> pa.Table:
    """Rows of one Parquet file; `verify` checks the checksum of every page (OSError where one differs)."""
    import pyarrow.parquet as pq

    with (
        folder.fs.open(folder.path(name), "rb") as stream,
        pq.ParquetFile(stream, page_checksum_verification=verify) as parquet,
    ):
        return parquet.read(columns=None if columns is None else list(columns))
