"""Series of ground sites (TCCON, surface stations): one Parquet file per imported file, its rows by site and time.

Nothing is merged when it is stored, so importing in any order, or again, gives the same series; where two files of
one collection hold the same site and time, `SiteStore.series` takes the one of the later name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from data.canonical import Product
from data.errors import StoreProblem
from data.source_store import SourceStore
from data.sources import Source, known_as
from data.storage import AppendResult, unique_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_LAYOUT = 1
_ROW_GROUP = 20_000
_QUANTITIES = ("xco2", "co2")
_COLUMNS = (
    *("network", "site", "lat", "lon", "altitude_m", "count", "start", "end"),
    *("variable", "units", "collection", "version", "scale", "simulated"),
)


class SiteStore(SourceStore):
    """Series of sites in a folder or at an fsspec URL; nothing is created before the first append."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path, what="site store", layout=_LAYOUT)

    def append(self, product: Product) -> AppendResult:
        """Store a product of sites; the same file again changes nothing, a changed file of the same name replaces the
        old one.

        Raises
        ------
        StoreProblem : not sites, no value with a time, no room.
        """
        table, facts = _table(product)
        unusable = product.count - table.num_rows
        with self.folder.change() as change:
            files = dict(change.manifest["files"])
            source, stored = known_as(files, Source.of(product), product.path.parent.name)
            if (
                stored is not None
                and source.digest
                and files[stored]["digest"] == source.digest
                and files[stored]["sites"] == facts["sites"]
            ):
                return AppendResult(0, table.num_rows, unusable)
            if stored is not None:
                del files[stored]
            entry = {**source.to_json(), **facts}
            name = f"network={quote(facts['network'], safe=' ')}/{unique_name('sites', '.parquet')}"
            written = change.write(name, lambda path: _write(table, path, entry))
            change.commit({"files": {**files, name: {**entry, **written._asdict()}}})
        return AppendResult(table.num_rows, 0, unusable)

    def sites(self) -> pd.DataFrame:
        """One row for each network, site and collection, ordered by these.

        Columns: network, site, lat, lon (degrees), altitude_m (NaN where unknown), count, start, end (datetime64),
        variable, units, collection, version, scale, simulated. Sites that move have their median position. No data
        file is opened.
        """
        import pandas as pd

        rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        for kept in self.folder.manifest()["files"].values():
            for site, facts in kept["sites"].items():
                key = kept["network"], site, kept["collection"]
                row = rows.setdefault(key, dict.fromkeys(("count",), 0))
                shared = {
                    name: kept[name]
                    for name in ("network", "variable", "units", "collection", "version", "scale", "simulated")
                }
                span = [facts["start"], facts["end"]]
                if row["count"]:
                    span = [min(span[0], row["start"]), max(span[1], row["end"])]
                place = {name: facts[name] for name in ("lat", "lon", "altitude_m")}
                row.update(shared, site=site, start=span[0], end=span[1], count=row["count"] + facts["count"], **place)
        frame = pd.DataFrame([rows[key] for key in sorted(rows)], columns=list(_COLUMNS))
        numbers = {"lat": float, "lon": float, "altitude_m": float, "count": np.int64, "simulated": bool}
        for moment in ("start", "end"):
            frame[moment] = frame[moment].to_numpy(dtype=np.int64).astype("datetime64[ns]")
        return frame.astype(numbers)

    def series(self, network: str, site: str, *, collection: str | None = None) -> pd.DataFrame:
        """The series of one site: columns time (datetime64[ns], ascending), value, uncertainty (NaN where not given).

        Parameters
        ----------
        collection : where a site has several (two releases of TCCON, say), which one; None for the one that reaches
            furthest, then the
            one with most values. They are never mixed.

        Raises
        ------
        StoreProblem : no such site, or a damaged file.
        """
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as pq

        files = self.folder.manifest()["files"]
        found: dict[str, list[str]] = {}
        for name, kept in sorted(files.items(), key=lambda item: item[1]["name"]):
            if kept["network"] == network and site in kept["sites"] and collection in (None, kept["collection"]):
                found.setdefault(kept["collection"], []).append(name)
        if not found:
            raise StoreProblem(
                f"site store {self.folder.root}: expected a site of the store, found {network} {site}"
                f"{'' if collection is None else ' of ' + collection}; choose one that `sites` lists or import it."
            )

        def reach(names: list[str]) -> tuple[int, int]:
            facts = [files[name]["sites"][site] for name in names]
            return max(fact["end"] for fact in facts), sum(fact["count"] for fact in facts)

        best = max(sorted(found), key=lambda name: reach(found[name]))
        parts = []
        for name in found[best]:
            try:
                with self.folder.fs.open(self.folder.path(name), "rb") as stream:
                    part = pq.read_table(
                        stream, columns=["time", "value", "uncertainty"], filters=[("site", "==", site)]
                    )
            except (OSError, pa.ArrowException) as error:
                raise StoreProblem(
                    f"{self.folder.path(name)}: expected a readable file of sites, found {error}; import it again."
                ) from error
            parts.append(part.to_pandas())
        frame = pd.concat(parts, ignore_index=True)
        frame = frame.drop_duplicates("time", keep="last").sort_values("time", ignore_index=True)
        return frame.astype({"time": "datetime64[ns]", "value": np.float64, "uncertainty": np.float64})

    def _note(self, name: str) -> dict[str, Any] | None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self.folder.fs.open(self.folder.path(name), "rb") as stream:
                return dict(json.loads((pq.read_metadata(stream).metadata or {})[b"carbonweather"]))
        except (OSError, KeyError, ValueError, pa.ArrowException):
            return None

    def _damage(self, name: str, kept: Mapping[str, Any]) -> str:
        """Pages that do not fit their checksums, which tells damage where no sum is kept, or rows that are missing."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with (
                self.folder.fs.open(self.folder.path(name), "rb") as stream,
                pq.ParquetFile(stream, page_checksum_verification=True) as file,
            ):
                rows = file.read().num_rows
        except (OSError, pa.ArrowException) as error:
            return f"expected intact pages, found damage ({str(error).splitlines()[0][:120]})"
        expected = sum(facts["count"] for facts in kept["sites"].values())
        return "" if rows == expected else f"expected {expected} observations, found {rows}"


def _table(product: Product) -> tuple[pa.Table, dict[str, Any]]:
    """Rows as they are stored (site, time, value, uncertainty, then every other column), and what the manifest says
    of them.
    """
    import pandas as pd
    import pyarrow as pa

    dataset = product.dataset
    missing = [name for name in ("time", "site", "lat", "lon") if name not in dataset.variables]
    if product.kind != "sites" or missing:
        raise StoreProblem(
            f"{product.path}: expected sites with time, site, lat, lon, found {product.kind} without "
            f"{', '.join(missing) or 'sites'}; "
            "read it with another reader."
        )
    columns = {str(name): item.values for name, item in dataset.variables.items() if item.dims == ("observation",)}
    variable = _main(product, columns)
    attrs = dataset[variable].attrs
    frame = pd.DataFrame(
        {name: values.astype(str) if values.dtype.kind in "OSU" else values for name, values in columns.items()}
    )
    frame["value"] = frame.pop(variable).astype(np.float64)
    spread = next(
        (name for name in (f"{variable}_uncertainty", f"{variable}_error", "uncertainty") if name in frame), None
    )
    frame["uncertainty"] = frame.pop(spread).astype(np.float64) if spread else np.nan
    frame["time"] = frame["time"].astype("datetime64[ns]")
    frame = frame[frame["time"].notna() & np.isfinite(frame["value"])]
    frame = frame.drop_duplicates(["site", "time"], keep="last").sort_values(["site", "time"], ignore_index=True)
    if frame.empty:
        raise StoreProblem(
            f"{product.path}: expected {variable} at some site and time, found no such value; choose another file."
        )
    sites: dict[str, dict[str, Any]] = {}
    for site, rows in frame.groupby("site", sort=True):
        height = rows["altitude_m"].median() if "altitude_m" in rows else np.nan
        sites[str(site)] = {
            "lat": round(float(rows["lat"].median()), 6),
            "lon": round(float(rows["lon"].median()), 6),
            "altitude_m": None if np.isnan(height) else round(float(height), 3),
            "count": len(rows),
            "start": int(rows["time"].iloc[0].value),
            "end": int(rows["time"].iloc[-1].value),
        }
    network = str(dataset.attrs.get("network") or dataset.attrs.get("instrument") or product.collection)
    facts = {"network": network, "variable": variable, "units": str(attrs.get("units", "")), "sites": sites}
    first = ["site", "time", "value", "uncertainty"]
    ordered = frame[first + [name for name in frame.columns if name not in first]]
    return pa.Table.from_pandas(ordered, preserve_index=False), facts


def _main(product: Product, columns: dict[str, np.ndarray]) -> str:
    """The variable that the series shows."""
    named = [name for name in _QUANTITIES if name in columns]
    others = [
        name
        for name, values in columns.items()
        if values.dtype.kind == "f"
        and name not in ("lat", "lon", "altitude_m")
        and not name.endswith(("_uncertainty", "_error"))
    ]
    if not named and not others:
        raise StoreProblem(
            f"{product.path}: expected a measured quantity such as xco2 or co2, found only {', '.join(columns)}; "
            "check the file."
        )
    return (named or others)[0]


def _write(table: pa.Table, path: Path, entry: dict[str, Any]) -> None:
    import pyarrow.parquet as pq

    noted = table.replace_schema_metadata({"carbonweather": json.dumps(entry)})
    pq.write_table(noted, path, row_group_size=_ROW_GROUP, compression="zstd", write_page_checksum=True)
