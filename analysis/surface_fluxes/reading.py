"""From flux files of any provider to an inventory on the run's grid: `read_inventory`.

Files are opened by the data layer's readers (CarbonTracker, TanSat, ODIAC, GRACED, CDIAC, GFED, any map with a unit of flux).
At first only names, units, times and grids are noted; a field is read, converted, regridded conservatively and checked when
it is needed, so years of 3-hourly fluxes take no more memory than a few files.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from analysis.grids import Grid, GridError, Regridder
from analysis.surface_fluxes.errors import FluxProblem
from analysis.surface_fluxes.intervals import Span, spans, stated_spans
from analysis.surface_fluxes.inventory import FluxInventory, year_span
from analysis.surface_fluxes.naming import check_components, chosen, downward, is_part
from analysis.surface_fluxes.placing import Placement, placed
from analysis.surface_fluxes.plausible import check_fields
from analysis.surface_fluxes.series import FluxSeries, to_unit
from analysis.surface_fluxes.units import FluxUnit, flux_unit

MEMORY_BYTES = 512 * 2**20
"""Of opened files that are kept for the next step."""
STRIPE_CELLS = 16_000_000
"""A field of more cells (1 km: 933 million) is regridded in stripes of about as many."""

GOOD_UNITS = "mol m-2 s-1, kgC m-2 s-1, gC m-2 d-1, kg CO2 m-2 month-1, PgC yr-1 per cell or the like"


def read_inventory(
    paths: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    grid: Grid,
    *,
    components: Mapping[str, str] | Sequence[str] | None = None,
    repeat_year: bool | int = False,
    smooth: bool = False,
    diurnal: bool = False,
) -> FluxInventory:
    """Fluxes from files, on a grid.

    Parameters
    ----------
    paths : files, folders of them, and names of gridded products in the data folder ("carbontracker-ct2015-fluxes-mean").
        Different ones may hold different components and times.
    grid : any.
    components : the components that are wanted (default: all that are found), or variable -> component for files whose names
        do not tell ({"posterior_flux": "biosphere"}): then only these variables are read.
    repeat_year : the fluxes of this year stand for every year; True: of the only year that the files cover.
    smooth, diurnal : as in `FluxInventory`.

    Raises
    ------
    DataError : a file that cannot be read.
    FluxProblem : no fluxes in it, an unknown unit, emissions of the wrong sign, totals that the Earth does not have, fluxes
        given twice, a year to repeat that is not complete.
    """
    check_components(components)
    files = FluxFiles(grid)
    found: dict[tuple[str, str], list[_Step]] = {}
    seen: dict[str, list[str]] = {}
    for path in _files(paths):
        steps, others = files.look(path, components)
        for step in steps:
            found.setdefault((step.component, step.variable), []).append(step)
        if not steps:
            seen[str(path)] = others
    _refuse_unused(found, seen, components)
    parts: dict[str, list[FluxSeries]] = {}
    for (component, variable), steps in sorted(found.items()):
        parts.setdefault(component, []).append(files.series(component, variable, steps))
    for component, several in parts.items():
        _refuse_twice(component, several, [name for what, name in sorted(found) if what == component], components)
        for series in several:
            check_fields(component, series, grid, files.checks(found[component, _variable(series)]))
    year = _repeated(parts, repeat_year)
    return FluxInventory(grid, parts, smooth, diurnal, year)


@dataclass(frozen=True)
class _Step:
    """One field of one file."""

    path: Path
    number: int
    time: np.datetime64
    span: Span | None
    component: str
    variable: str
    unit: FluxUnit
    sign: float
    title: str
    citation: str
    simulated: bool
    cells: int


class FluxFiles:
    """Opens flux files when a field is needed, and keeps the last ones and the maps between grids.

    Parameters
    ----------
    grid : that fields are put on.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.held: OrderedDict[Path, xr.Dataset] = OrderedDict()
        """Opened files, the last used last."""
        self._maps: dict[tuple[bytes, bytes], tuple[Placement, Regridder]] = {}

    def look(self, path: Path, components: Mapping[str, str] | Sequence[str] | None) -> tuple[list[_Step], list[str]]:
        """Fields of a file that belong to components, and the names of all its variables."""
        dataset = self._dataset(path)
        if dataset.attrs.get("static"):
            raise FluxProblem(f"{path}: expected fluxes with a date, found none; put the year in the file's name.")
        attrs = {str(name): dict(var.attrs) for name, var in dataset.data_vars.items()}
        steps = []
        times = dataset["time"].to_numpy().astype("datetime64[ns]") if "time" in dataset else np.array([])
        stated: list[Span | None] | None = None
        for variable, component in chosen(attrs, components).items():
            if "lev" in dataset[variable].dims:
                raise FluxProblem(
                    f"{path}: {variable} has levels, but fluxes of the surface have none; leave the file out."
                )
            unit = _unit(path, variable, attrs[variable])
            stated = stated_spans(path, times, dataset.attrs) if stated is None else stated
            self._map(path, dataset)
            steps += [
                _Step(
                    path=path,
                    number=number,
                    time=time,
                    span=stated[number],
                    component=component,
                    variable=variable,
                    unit=unit,
                    sign=-1.0 if downward(attrs[variable]) else 1.0,
                    title=str(dataset.attrs.get("title", path.name)),
                    citation=_citation(dataset.attrs),
                    simulated=bool(dataset.attrs.get("simulated", 0)),
                    cells=dataset.sizes["lat"] * dataset.sizes["lon"],
                )
                for number, time in enumerate(times)
            ]
        return steps, list(attrs)

    def series(self, component: str, variable: str, steps: list[_Step]) -> FluxSeries:
        """The fields of one variable from all files, in order of time."""
        steps = sorted(steps, key=lambda step: step.time)
        titles = list(dict.fromkeys(step.title for step in steps))
        several = f"{titles[0]} and {titles[1] if len(titles) == 2 else f'{len(titles) - 1} more'}"
        source = f"{titles[0] if len(titles) == 1 else several}, {variable}"
        starts, ends = spans(np.array([step.time for step in steps]), [step.span for step in steps], source)
        middles = starts + (ends - starts) // 2
        return FluxSeries(
            starts=starts,
            ends=ends,
            read=lambda number: self._field(steps[number], middles[number]),
            source=source,
            simulated=any(step.simulated for step in steps),
            never_negative=component in ("fossil", "fire"),
            citation=steps[0].citation,
        )

    def checks(self, steps: list[_Step]) -> int:
        """How many fields of a variable are looked at before a run; fewer where they are large."""
        return int(np.clip(120 * 64_800 / steps[0].cells, 1, 120))

    def _field(self, step: _Step, middle: np.datetime64) -> np.ndarray:
        dataset = self._dataset(step.path)
        if step.variable not in dataset or step.number >= dataset.sizes["time"]:
            raise FluxProblem(f"{step.path}: the file has changed since the run began; start the run again.")
        array = dataset[step.variable].isel(time=step.number)
        placement, regridder = self._map(step.path, dataset)
        factor = step.sign * step.unit.factor(middle)
        scale: np.ndarray | float = factor
        if step.unit.area_m2 is None:
            scale = factor / placement.grid.area[placement.rows, :][:, placement.columns]
        if array.size <= STRIPE_CELLS or not placement.whole:
            values = _numbers(array, step) * scale
            _may_be(values, step)
            if np.isnan(values).all():
                raise FluxProblem(
                    f"{step.path}: {step.variable} of {str(step.time)[:19]} has no values; download it again."
                )
            field = regridder.mean(placement.place(values))
        else:
            field = regridder.mean_of_stripes(self._stripes(array, step, scale))
        return field

    def _stripes(self, array: xr.DataArray, step: _Step, scale: np.ndarray | float) -> Iterator[np.ndarray]:
        rows = max(1, STRIPE_CELLS // array.sizes["lon"])
        for first in range(0, array.sizes["lat"], rows):
            part = slice(first, first + rows)
            factor = scale[part] if isinstance(scale, np.ndarray) else scale
            values = _numbers(array.isel(lat=part), step) * factor
            _may_be(values, step)
            yield np.nan_to_num(values, nan=0.0)

    def _map(self, path: Path, dataset: xr.Dataset) -> tuple[Placement, Regridder]:
        lat, lon = (dataset[name].to_numpy().astype(np.float64) for name in ("lat_bnds", "lon_bnds"))
        key = lat.tobytes(), lon.tobytes()
        if key not in self._maps:
            try:
                placement = placed(lat, lon, path.name)
            except GridError as error:
                raise FluxProblem(f"{path}: {error}") from error
            self._maps[key] = placement, Regridder(placement.grid, self.grid)
        return self._maps[key]

    def _dataset(self, path: Path) -> xr.Dataset:
        if path in self.held:
            self.held.move_to_end(path)
            return self.held[path]
        self.held[path] = _read(path)
        while len(self.held) > 1 and sum(map(_held, self.held.values())) > MEMORY_BYTES:
            self.held.popitem(last=False)
        return self.held[path]


def _read(path: Path) -> xr.Dataset:
    from data.canonical import canonical_grid
    from data.cube import Cube
    from data.errors import FileProblem
    from data.readers import read

    if (path / "manifest.json").is_file():
        cube = Cube.open(path)
        return canonical_grid(cube.to_xarray()).assign_attrs({"title": cube.title, **cube.attrs})
    product = read(path)
    if product.kind != "grid":
        raise FileProblem(
            path,
            expected="surface fluxes on a grid",
            found=f"{product.kind} ({product.dataset.attrs.get('title', product.reader)})",
            remedy="give maps of fluxes",
        )
    return product.dataset


def _held(dataset: xr.Dataset) -> int:
    """Bytes in memory; what is lazy takes none."""
    return sum(var.nbytes for var in dataset.variables.values() if var.chunks is None)


def _files(paths: Sequence[str | os.PathLike[str]] | str | os.PathLike[str]) -> list[Path]:
    """Files in the order given, those of a folder by name; names of products in the data folder become their folders."""
    from data.home import cubes_dir

    found: list[Path] = []
    for given in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        path = Path(given).expanduser()
        cube = cubes_dir() / str(given)
        if not path.exists() and str(given) and (cube / "manifest.json").is_file():
            path = cube
        if path.is_dir() and not any((path / name).exists() for name in ("zarr.json", ".zgroup", "manifest.json")):
            inside = sorted(file for file in path.iterdir() if not file.name.startswith(".") and file.is_file())
            if not inside:
                raise FluxProblem(f"{path}: expected flux files, found a folder without any; name another.")
            found += inside
        else:
            found.append(path)
    if not found:
        raise FluxProblem("There are no surface fluxes; give at least one file.")
    absolute = [path.resolve() for path in found]
    for path in absolute:
        if absolute.count(path) > 1:
            raise FluxProblem(f"{path}: the file is given twice; leave one out.")
    return absolute


def _unit(path: Path, variable: str, attrs: Mapping[str, object]) -> FluxUnit:
    stated = str(attrs.get("units", ""))[:200]
    described = f"{variable} {attrs.get('long_name', '')} {attrs.get('standard_name', '')}"
    unit = flux_unit(stated, described=described)
    if unit is None:
        found = f"units {stated!r}" if stated else "no units"
        raise FluxProblem(
            f"{path}: expected {variable} as a flux in {GOOD_UNITS}, found {found}; correct the units attribute."
        )
    if unit.moles is None:
        raise FluxProblem(
            f"{path}: {variable} is in {stated!r}, which does not say whether that is mass of carbon or of CO2 (a factor of "
            "3.66); write 'kgC' or 'kgCO2' in its units attribute."
        )
    return unit


def _citation(attrs: Mapping[str, object]) -> str:
    from data.catalog import load

    own = str(attrs.get("citation", ""))
    name = str(attrs.get("catalog", "none"))
    if own or name == "none":
        return own
    catalog = load()
    return str(catalog.entry(name).citation or "") if name in {entry.name for entry in catalog} else ""


def _numbers(array: xr.DataArray, step: _Step) -> np.ndarray:
    from data.readers.opening import reading

    with reading(step.path, f"{step.variable} of {str(step.time)[:19]}"):
        return np.asarray(array.to_numpy(), dtype=np.float64)


def _may_be(values: np.ndarray, step: _Step) -> None:
    """Refuse values that are infinite, and emissions that are not emitted."""
    if np.isinf(values).any():
        raise FluxProblem(
            f"{step.path}: {step.variable} of {str(step.time)[:19]} has infinite values; download it again."
        )
    if step.component not in ("fossil", "fire"):
        return
    lost, total = float(-np.nansum(np.minimum(values, 0.0))), float(np.nansum(np.abs(values)))
    if lost > 1e-9 * total:
        raise FluxProblem(
            f"{step.path}: {step.variable} of {str(step.time)[:19]} is negative in {int((values < 0).sum())} cells, but "
            f"{step.component} emissions are positive upward; check the sign, or name another component for it."
        )


def _variable(series: FluxSeries) -> str:
    return series.source.rpartition(", ")[2]


def _refuse_unused(
    found: Mapping[tuple[str, str], list[_Step]],
    unused: Mapping[str, list[str]],
    components: Mapping[str, str] | Sequence[str] | None,
) -> None:
    """A file or a named variable that gives nothing is a mistake to be told, not to be passed over."""
    if isinstance(components, Mapping):
        absent = [name for name in components if name not in {variable for _, variable in found}]
        if absent:
            raise FluxProblem(
                f"No file holds the variable {absent[0]!r} that is to be {components[absent[0]]}; check its name."
            )
    for path, names in unused.items():
        if components is None or isinstance(components, Mapping) or not found:
            held = ", ".join(names[:8]) or "nothing on a grid"
            raise FluxProblem(
                f"{path}: expected surface fluxes of known components, found {held}; say which component a variable is "
                "(flux_variables of a run, components in Python: {variable: biosphere, ocean, fossil or fire}), or leave the "
                "file out."
            )
    held_components = {component for component, _ in found}
    absent = [what for what in components or () if not isinstance(components, Mapping) and what not in held_components]
    if absent:
        raise FluxProblem(f"No file holds fluxes of {absent[0]}; add its file, or leave the component out.")


def _refuse_twice(
    component: str,
    several: Sequence[FluxSeries],
    variables: Sequence[str],
    components: Mapping[str, str] | Sequence[str] | None,
) -> None:
    """Several variables of a component add up only where they are parts of it, or where the user says so."""
    whole = [name for name in variables if not is_part(name)]
    sectors = [name for name in variables if is_part(name) and name != "bunker_flux_imp"]
    if isinstance(components, Mapping) or len(whole) + bool(sectors) < 2:
        return
    raise FluxProblem(
        f"The {component} flux is given twice, as {' and as '.join(series.source for series in several[:3])}; leave one out, or "
        f"name those that add up (flux_variables of a run: {{{variables[0]}: {component}, ...}})."
    )


def _repeated(parts: Mapping[str, Sequence[FluxSeries]], repeat_year: bool | int) -> int | None:
    if repeat_year is False:
        return None
    if repeat_year is not True:
        return int(repeat_year)
    every = [series for several in parts.values() for series in several]
    first = max(series.starts[0] for series in every)
    last = min(series.ends[-1] for series in every)
    years = range(int(to_unit(first, "Y").astype(int)) + 1970, int(to_unit(last, "Y").astype(int)) + 1971)
    whole = [year for year in years if year_span(year)[0] >= first and year_span(year)[1] <= last]
    if len(whole) != 1:
        held = f"{whole[0]} to {whole[-1]}" if whole else f"only {first} to {last}"
        raise FluxProblem(
            f"To repeat a year, exactly one whole calendar year of all fluxes is expected, found {held}; "
            + ("say which one (repeat_year: 2014)." if whole else "supply the rest of the year.")
        )
    return whole[0]
