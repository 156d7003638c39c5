"""Do the numbers make sense? Outliers and duplicates in what is stored, as `data.verifying` reports them.

Nothing is judged by a model: a value is an outlier where it lies far from the median of its neighbours in units of their
own spread (median absolute deviation times 1.4826, which is the standard deviation of a normal distribution; Rousseeuw
and Croux, J. Am. Stat. Assoc. 88, 1993), and impossible where no column or surface CO2 on Earth has been like it. Both are
for a person to look at; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from data.errors import StoreProblem

if TYPE_CHECKING:
    import duckdb

    from data.cube import Cube
    from data.sites import SiteStore
    from data.soundings import SoundingArchive
    from data.soundings.contents import Contents
    from data.tables import TableStore

FAR_SPREADS = 8.0
"""An outlier lies further from the median than so many robust standard deviations: about one in 10^15 by chance."""
FAR_PPM = 5.0
"""... and at least so far where the unit is ppm: very quiet neighbours must not make outliers of good values."""
POSSIBLE_PPM = (150.0, 1000.0)
"""Dry-air mole fractions of CO2 that can occur: from an ice age to the air of a city."""
_SPREAD_OF_MAD = 1.4826
_FEWEST = 30
_BAND_DEGREES = 10
_QUANTITIES = ("xco2", "co2", "sif_740nm", "daily_sif_740nm", "sif", "daily_sif")


@dataclass(frozen=True)
class Oddity:
    """Something strange about stored values: a sentence, what sort it is, and whether it needs an action."""

    text: str
    sort: Literal["outlier", "duplicate"]
    problem: bool = False


def soundings(archive: SoundingArchive, instrument: str, collection: str) -> Iterator[Oddity]:
    """A collection's soundings: impossible values, outliers of their month and 10-degree band, and those whose second and
    place another file of the instrument has too.

    Only soundings that their product does not flag as bad are judged; one month at a time is in memory.
    """
    import duckdb

    from data.soundings.query import connect

    contents = archive.contents
    granules = {key: granule for key, granule in contents.granules.items() if granule.instrument == instrument}
    own = [key for key, granule in granules.items() if granule.collection == collection]
    measured = {granules[key].measures for key in own}
    alike = [key for key, granule in granules.items() if granule.measures in measured]
    tally = _Tally(f"{instrument}/{collection}")
    twice = 0
    with connect() as database:
        if not archive.folder.local:
            database.register_filesystem(archive.folder.fs)
        try:
            for (month, schema), names in sorted(_by_month(contents, own).items()):
                quantity = _quantity(contents.schemas[schema])
                if quantity is not None:
                    paths = [archive.folder.address(name) for name in names]
                    tally.take(database, paths, own, quantity, contents.schemas[schema][quantity]["units"])
                beside = [
                    archive.folder.address(name)
                    for (other, _), files in _by_month(contents, alike).items()
                    for name in files
                    if other == month
                ]
                twice += _twice(database, beside, own, alike)
        except duckdb.Error as error:
            raise StoreProblem(
                f"{instrument}/{collection}: expected readable soundings, found damage "
                f"({str(error).splitlines()[0][:150]}); verification of checksums names the file."
            ) from None
    yield from tally.words()
    if twice:
        yield Oddity(
            f"{instrument}/{collection}: {twice:,} soundings have the second and the place (to 0.001 degree) of a "
            "sounding from another file; if these are two products of the same measurements, use one at a time.",
            "duplicate",
        )


def _by_month(contents: Contents, granules: list[int]) -> dict[tuple[int, str], list[str]]:
    """(month, columns) -> names of the files that hold soundings of these granules."""
    wanted = {str(key) for key in granules}
    months: dict[tuple[int, str], list[str]] = {}
    for file in contents.files.values():
        if not wanted.isdisjoint(file.days):
            months.setdefault((file.partition.month, file.partition.schema), []).append(file.name)
    return months


def _quantity(columns: dict[str, dict[str, Any]]) -> str | None:
    """The main measured column: one of the usual names, else the first that begins like one and is not its error or prior."""
    single = {
        name.lower(): name for name, facts in columns.items() if facts["width"] == 0 and facts["type"] != "string"
    }
    usual = next((single[name] for name in _QUANTITIES if name in single), None)
    others = [name for name in single if not any(word in name for word in ("uncertainty", "error", "prior", "raw"))]
    return usual or next(
        (single[name] for name in others if name.startswith(("xco2", "co2", "sif", "daily_sif"))), None
    )


class _Tally:
    """Outliers and impossible values of one instrument, counted month by month."""

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.judged = 0
        self.far: dict[str, list[tuple[int, float, str]]] = {}
        self.impossible: dict[str, list[tuple[int, float, float]]] = {}

    def take(
        self, database: duckdb.DuckDBPyConnection, paths: list[str], granules: list[int], quantity: str, units: str
    ) -> None:
        ppm = units == "ppm"
        low, high = POSSIBLE_PPM if ppm else (-np.inf, np.inf)
        column = '"' + quantity.replace('"', '""') + '"'
        row = (
            database.execute(
                f"""
            WITH good AS (
              SELECT {column}::DOUBLE AS value, "time" AS moment, geometry.x AS lon, geometry.y AS lat,
                     floor(geometry.y / {_BAND_DEGREES}) AS band
              FROM read_parquet(?, hive_partitioning = false)
              WHERE quality_flag <> 1 AND isfinite({column}) AND granule IN (SELECT unnest(?::BIGINT[]))),
            bands AS (
              SELECT band, median(value) AS middle, mad(value) AS mad, count(*) AS n
              FROM good WHERE value BETWEEN ? AND ? GROUP BY band),
            judged AS (
              SELECT good.*, abs(value - middle) AS off, value NOT BETWEEN ? AND ? AS impossible,
                     n >= {_FEWEST} AND abs(value - middle) > greatest(? * mad, ?) AS far
              FROM good LEFT JOIN bands USING (band))
            SELECT count(*), count(*) FILTER (far AND NOT impossible), count(*) FILTER (impossible),
                   min(value) FILTER (impossible), max(value) FILTER (impossible),
                   max(off) FILTER (far AND NOT impossible),
                   arg_max({{'value': value, 'moment': moment, 'lon': lon, 'lat': lat}}, off) FILTER (far AND NOT impossible)
            FROM judged""",
                [paths, granules, low, high, low, high, FAR_SPREADS * _SPREAD_OF_MAD, FAR_PPM if ppm else 0.0],
            ).fetchone()
            or (0,) * 7
        )
        judged, far, impossible, lowest, highest, distance, worst = row
        self.judged += judged
        name = f"{quantity} ({units})" if units else quantity
        if far:
            where = (
                f"{worst['value']:.4g} on {str(worst['moment'])[:10]} at {abs(worst['lat']):.2f}°"
                f"{'S' if worst['lat'] < 0 else 'N'} {abs(worst['lon']):.2f}°{'W' if worst['lon'] < 0 else 'E'}, "
                f"{distance:.3g} from the median"
            )
            self.far.setdefault(name, []).append((far, distance, where))
        if impossible:
            self.impossible.setdefault(name, []).append((impossible, lowest, highest))

    def words(self) -> Iterator[Oddity]:
        for name, found in self.impossible.items():
            count = sum(each[0] for each in found)
            low, high = min(each[1] for each in found), max(each[2] for each in found)
            yield Oddity(
                f"{self.instrument}: {count:,} soundings that are not flagged as bad have impossible {name}, {low:.4g} "
                f"to {high:.4g}; leave them out or ask the provider.",
                "outlier",
                problem=True,
            )
        for name, outliers in self.far.items():
            count = sum(each[0] for each in outliers)
            share = 100 * count / max(self.judged, 1)
            yield Oddity(
                f"{self.instrument}: {count:,} of {self.judged:,} soundings not flagged as bad ({share:.2g} %) have "
                f"{name} more than {FAR_SPREADS:g} robust standard deviations from the median of their month and "
                f"{_BAND_DEGREES}-degree band; the furthest: {max(outliers, key=lambda each: each[1])[2]}.",
                "outlier",
            )


def _twice(database: duckdb.DuckDBPyConnection, paths: list[str], own: list[int], alike: list[int]) -> int:
    """Soundings of `own` granules that another of the granules `alike` holds too, by second and place."""
    found = database.execute(
        """
        SELECT coalesce(sum(mine), 0) FROM (
          SELECT count(*) FILTER (granule IN (SELECT unnest(?::BIGINT[]))) AS mine
          FROM read_parquet(?, hive_partitioning = false, union_by_name = true)
          WHERE granule IN (SELECT unnest(?::BIGINT[]))
          GROUP BY date_trunc('second', "time"), round(geometry.x, 3), round(geometry.y, 3)
          HAVING count(DISTINCT granule) > 1)""",
        [own, paths, alike],
    ).fetchone()
    return int(found[0]) if found else 0


def cube(one: Cube) -> Iterator[Oddity]:
    """A cube's maps: impossible values by row, maps whose global mean jumps, the same map at two times.

    Works on the row statistics that every cube keeps, so a 0.05-degree cube of seven years takes a second.
    """
    for name, variable in one.variables.items():
        times, lat, means = one.zonal(name)
        means = np.asarray(means, dtype=np.float64)
        if means.shape != (len(times), len(lat)):
            means = means.T
        present = np.isfinite(means)
        if not present.any():
            continue
        low, high = float(np.nanmin(means)), float(np.nanmax(means))
        if (
            variable.units == "ppm"
            and "std" not in name
            and "uncertainty" not in name
            and name.startswith(("xco2", "co2"))
        ):
            spread_like = high < POSSIBLE_PPM[0] / 2
            if not spread_like and (low < POSSIBLE_PPM[0] or high > POSSIBLE_PPM[1]):
                yield Oddity(
                    f"cube {one.name}: {name} has rows with a mean of {low:.4g} to {high:.4g} ppm, which no air has; check "
                    "its unit, then import it again.",
                    "outlier",
                    problem=True,
                )
        yield from _same_maps(one.name, name, times, means)
        yield from _jumps(one, name, times, np.where(present, means, np.nan), np.cos(np.radians(lat)))


def _same_maps(cube_name: str, variable: str, times: np.ndarray, means: np.ndarray) -> Iterator[Oddity]:
    seen: dict[bytes, int] = {}
    pairs: list[str] = []
    for step, row in enumerate(means):
        if not np.isfinite(row).any() or np.nanstd(row) == 0:
            continue
        first = seen.setdefault(row.tobytes(), step)
        if first != step:
            pairs.append(f"{_day(times[first])} and {_day(times[step])}")
    if pairs:
        more = f" and {len(pairs) - 3} more pairs" if len(pairs) > 3 else ""
        yield Oddity(
            f"cube {cube_name}: the maps of {variable} at {'; '.join(pairs[:3])}{more} are the same; one of each pair was "
            "perhaps saved under a wrong time.",
            "duplicate",
        )


def _jumps(one: Cube, variable: str, times: np.ndarray, means: np.ndarray, weights: np.ndarray) -> Iterator[Oddity]:
    """Maps whose area-weighted mean lies far from those before and after, as a wrong unit or a damaged file makes it.

    What every year does in the same month (the seasonal cycle bends too) is taken off first.
    """
    covered = np.isfinite(means) * weights
    share = covered.sum(axis=1)
    whole = share > 0.7 * np.median(share)  # a map of a few rows has another mean for no fault of its own
    if np.count_nonzero(whole) < _FEWEST:
        return
    values = np.sum(np.where(covered[whole] > 0, means[whole] * covered[whole], 0.0), axis=1) / share[whole]
    moments = times[whole]
    off = values - _running_median(values, 5)
    month = moments.astype("datetime64[M]").astype(np.int64) % 12
    for each in np.unique(month):
        off[month == each] -= np.median(off[month == each])
    spread = _SPREAD_OF_MAD * float(np.median(np.abs(off)))
    least = FAR_PPM if one.variables[variable].units == "ppm" else 0.2 * float(np.median(np.abs(values)))
    far = np.flatnonzero(np.abs(off) > max(FAR_SPREADS * spread, least))
    if far.size:
        worst = far[np.argmax(np.abs(off[far]))]
        which = "one map" if far.size == 1 else f"{far.size} maps"
        yield Oddity(
            f"cube {one.name}: the mean of {variable} jumps at {which}, most on {_day(moments[worst])}: {values[worst]:.5g}, "
            f"{off[worst]:+.3g} from the maps before and after; compare it with its file.",
            "outlier",
        )


def _running_median(values: np.ndarray, width: int) -> np.ndarray:
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(values, size=width, mode="nearest"))


def sites(store: SiteStore, network: str, collection: str) -> Iterator[Oddity]:
    """Series of ground sites: impossible values, and values far from the running median of their own series."""
    listed = store.sites()
    chosen = listed[(listed["network"] == network) & (listed["collection"] == collection)]
    strange: list[tuple[int, float, str]] = []
    for row in chosen.itertuples():
        series = store.series(network, str(row.site), collection=collection)
        values = series["value"].to_numpy()
        if row.units == "ppm":
            impossible = values[(values < POSSIBLE_PPM[0]) | (values > POSSIBLE_PPM[1])]
            if impossible.size:
                yield Oddity(
                    f"{network} {row.site}: {impossible.size:,} impossible values of {row.variable}, {impossible.min():.4g} "
                    f"to {impossible.max():.4g} ppm; leave them out or ask the provider.",
                    "outlier",
                    problem=True,
                )
        if values.size < _FEWEST:
            continue
        off = values - _running_median(values, 31)
        spread = _SPREAD_OF_MAD * float(np.median(np.abs(off)))
        far = np.abs(off) > max(FAR_SPREADS * spread, FAR_PPM if row.units == "ppm" else 0.0)
        if far.any():
            worst = int(np.argmax(np.where(far, np.abs(off), 0)))
            day = str(series["time"].iloc[worst])[:10]
            strange.append(
                (int(far.sum()), float(abs(off[worst])), f"{row.site} on {day}: {values[worst]:.5g} {row.units}")
            )
    if strange:
        worst_words = max(strange, key=lambda each: each[1])[2]
        yield Oddity(
            f"{network}, {collection}: {_count(sum(each[0] for each in strange), 'value')} at "
            f"{_count(len(strange), 'site')} more than {FAR_SPREADS:g} robust standard deviations from the "
            f"neighbours in time; the furthest: {worst_words}.",
            "outlier",
        )


def table(store: TableStore, collection: str) -> Iterator[Oddity]:
    """A table: rows that repeat another one in every column, and infinite numbers. Fields on levels are not rows.

    Raises
    ------
    StoreProblem : it is damaged.
    """
    found = store.open(collection)
    try:
        columns = {str(name): item for name, item in found.variables.items() if item.dims == ("row",)}
        if not columns:
            return
        import pandas as pd

        try:
            frame = pd.DataFrame({name: item.values for name, item in columns.items()})
        except (OSError, RuntimeError) as error:  # what the netCDF library says of damaged bytes
            raise StoreProblem(
                f"table {collection}: expected readable values, found damage ({str(error)[:100]}); import it again."
            ) from error
        twice = int(frame.duplicated().sum())
        if twice:
            yield Oddity(
                f"table {collection}: {twice:,} of {len(frame):,} rows repeat another one in every column; count them once.",
                "duplicate",
            )
        endless = [str(name) for name in frame if frame[name].dtype.kind == "f" and np.isinf(frame[name]).any()]
        if endless:
            yield Oddity(
                f"table {collection}: infinite numbers in {', '.join(endless[:4])}; treat them as missing.", "outlier"
            )
    finally:
        found.close()


def _day(moment: np.datetime64) -> str:
    return str(moment)[:10]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
