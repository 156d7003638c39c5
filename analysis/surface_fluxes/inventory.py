"""Surface fluxes of CO2 by component, as a transport run takes them in.

A `FluxInventory` holds for each component (biosphere, ocean, fossil, fire) one or more `FluxSeries` on one grid and
answers what the flux is at a moment (`at`) or over a step (`mean`, exact), as processes for the transport (`sources`) and
as numbers that one knows (`annual_totals`). Fields are read when they are needed; nothing of a long series stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.grids import Grid
from analysis.surface_fluxes.diurnal import at_moment, gross_uptake, mean_over
from analysis.surface_fluxes.errors import FluxProblem
from analysis.surface_fluxes.series import DAY_S, FluxSeries, to_seconds, to_unit
from analysis.transport.sources import COMPONENTS, SurfaceSources
from analysis.transport.step import Process

PGC_PER_MOL = 12.011e-15
YEAR_S = 365.2425 * DAY_S


@dataclass(frozen=True, eq=False, repr=False)
class FluxInventory:
    """Fluxes of some components on one grid, mol m-2 s-1, upward positive.

    Attributes
    ----------
    grid : of all fields.
    components : name (one of `COMPONENTS`) -> series that add up to it.
    smooth : a continuous line through intervals longer than a day instead of steps; each interval keeps its mean exactly.
    diurnal : the biosphere takes up by day (`analysis.surface_fluxes.diurnal`); daily means stay what they are.
    repeat_year : fluxes of this year stand for every year (29 February, where it has none, is 28 February). None: only the
        times that the series hold.

    Raises
    ------
    FluxProblem : unknown components, none at all, a year to repeat that is not covered, a diurnal cycle for fluxes that
        have one already or without a biosphere.
    """

    grid: Grid
    components: Mapping[str, Sequence[FluxSeries]]
    smooth: bool = False
    diurnal: bool = False
    repeat_year: int | None = None
    _largest: dict[int, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        unknown = [name for name in self.components if name not in COMPONENTS]
        if unknown:
            raise FluxProblem(
                f"Fluxes are of {', '.join(COMPONENTS)}; found {', '.join(map(repr, unknown))}: name the component."
            )
        parts = {name: tuple(series) for name, series in self.components.items()}
        if not parts or not all(parts.values()):
            raise FluxProblem("There are no surface fluxes; give a file with at least one component.")
        object.__setattr__(self, "components", parts)
        if self.repeat_year is not None:
            first, last = year_span(self.repeat_year)
            self._require(first, last, "to repeat it, all of it must be there")
        if self.diurnal:
            self._may_have_diurnal_cycle()

    def __repr__(self) -> str:
        held = (f"{name} {parts[0].starts[0]} to {parts[0].ends[-1]}" for name, parts in self.components.items())
        return f"<FluxInventory on {self.grid.name or 'a grid'}: {'; '.join(held)}>"

    @classmethod
    def of(
        cls,
        grid: Grid,
        time_edges: Sequence[np.datetime64] | np.ndarray,
        fluxes: Mapping[str, np.ndarray],
        *,
        source: str,
        simulated: bool,
        smooth: bool = False,
        diurnal: bool = False,
        repeat_year: int | None = None,
    ) -> FluxInventory:
        """From arrays in memory.

        Parameters
        ----------
        time_edges : (n + 1,) UTC.
        fluxes : component -> (n, lat, lon) mol m-2 s-1, upward positive.
        source, simulated : what they are, for labels.

        Raises
        ------
        FluxProblem : as the class, or arrays of another shape, negative emissions.
        """
        edges = np.asarray(time_edges, dtype="datetime64[s]")
        components = {}
        for name, values in fluxes.items():
            array = np.asarray(values)
            if array.shape != (len(edges) - 1, *grid.shape):
                raise FluxProblem(
                    f"{source}: {name} has shape {array.shape}, expected {(len(edges) - 1, *grid.shape)} (times, lat, lon)."
                )
            emitted = name in ("fossil", "fire")
            if emitted and array.size and array.min() < 0:
                raise FluxProblem(
                    f"{source}: {name} has negative fluxes (down to {array.min():.3g} mol m-2 s-1), but emissions are "
                    "positive upward; check the sign."
                )
            components[name] = [
                FluxSeries(
                    edges[:-1], edges[1:], array.__getitem__, f"{source}, {name}", simulated, never_negative=emitted
                )
            ]
        return cls(grid, components, smooth, diurnal, repeat_year)

    @property
    def simulated(self) -> bool:
        """True if any of the fluxes is invented."""
        return any(series.simulated for series in self._all())

    @property
    def citations(self) -> tuple[str, ...]:
        """How to cite the sources, each once."""
        return tuple(dict.fromkeys(series.citation for series in self._all() if series.citation))

    @property
    def label(self) -> str:
        """One line for titles: sources, and what was done to them."""
        sources = list(dict.fromkeys(series.source.rpartition(", ")[0] or series.source for series in self._all()))
        words = ["; ".join(sources)]
        if self.repeat_year is not None:
            words.append(f"the fluxes of {self.repeat_year} in every year")
        if self.smooth and max(series.longest_s for series in self._all()) > DAY_S:
            words.append("smooth in time")
        if self.diurnal:
            words.append("with an estimated diurnal cycle of the biosphere")
        text = ", ".join(words)
        return f"{text} (simulated)" if self.simulated and "simulated" not in text.lower() else text

    def at(self, moment: np.datetime64) -> dict[str, np.ndarray]:
        """Component -> (lat, lon) mol m-2 s-1 at a moment (UTC); not to be changed.

        Raises
        ------
        FluxProblem : a time without fluxes.
        """
        found = {name: self._mean(name, moment, 0.0) for name in self.components}
        if self.diurnal:
            found["biosphere"] = at_moment(self.grid, found["biosphere"], self._uptake(moment), moment)
        return found

    def mean(self, start: np.datetime64, seconds: float) -> dict[str, np.ndarray]:
        """Component -> (lat, lon) mol m-2 s-1, exact mean from `start` (UTC) over `seconds` > 0; not to be changed."""
        found = {name: self._mean(name, start, seconds) for name in self.components}
        if self.diurnal:
            total = np.zeros(self.grid.shape)
            for begin, length in _days(start, seconds):
                net = self._mean("biosphere", begin, length)
                total += length * mean_over(self.grid, net, self._uptake(begin), begin, length)
            found["biosphere"] = total / seconds
        return found

    def sources(self, tracer_of: Mapping[str, int]) -> Callable[[np.datetime64, float], Sequence[Process]]:
        """What `Model.advance` asks for once a step: (middle of the step, seconds) -> processes that emit its exact mean.

        Parameters
        ----------
        tracer_of : component -> number of its tracer; two may share one. Components that are not named are not emitted.

        Raises
        ------
        FluxProblem : a component that the inventory does not have; later, a time without fluxes.
        """
        absent = [name for name in tracer_of if name not in self.components]
        if absent:
            raise FluxProblem(
                f"There are no fluxes of {', '.join(absent)} (there are {', '.join(self.components)}); add a file with "
                "them, or leave out their tracer."
            )
        names, tracers = list(tracer_of), [int(number) for number in tracer_of.values()]
        wanted = self if len(names) == len(self.components) else self.only(names)

        def sources(middle: np.datetime64, seconds: float) -> Sequence[Process]:
            half = np.timedelta64(round(seconds * 5e8), "ns")
            fields = wanted.mean(to_unit(middle, "ns") - half, seconds)
            return [SurfaceSources(self.grid, np.stack([fields[name] for name in names]), tracers)] if names else []

        return sources

    def only(self, names: Sequence[str]) -> FluxInventory:
        """The same without other components."""
        kept = {name: self.components[name] for name in names}
        diurnal = self.diurnal and "biosphere" in kept
        return FluxInventory(self.grid, kept, self.smooth, diurnal, self.repeat_year)

    def check(self, start: np.datetime64, end: np.datetime64) -> None:
        """Say before a run from `start` to `end` whether all of it has fluxes.

        Raises
        ------
        FluxProblem : no, with the first time that is missing.
        """
        if self.repeat_year is None:
            self._require(to_unit(start, "s"), to_unit(end, "s"), "supply that time, or repeat a year")

    def annual_totals(self, year: int | None = None) -> dict[str, float]:
        """PgC a year by component: of a calendar year, or the mean rate over all time that a component has.

        Rates are per 365.2425 days; those of a calendar year are its own total. Reads every field once.

        Raises
        ------
        FluxProblem : a year that is not covered.
        """
        if year is not None and self.repeat_year is None:
            self._require(*year_span(year), f"the total of {year} needs all of it")
        year = self.repeat_year if self.repeat_year is not None else year
        totals = {}
        for name, parts in self.components.items():
            totals[name] = sum(self._total(series, year) for series in parts)
        return totals

    def _total(self, series: FluxSeries, year: int | None) -> float:
        begin, end = (times.astype(np.float64) for times in (series.starts, series.ends))
        if year is not None:
            first, last = (to_seconds(edge) for edge in year_span(year))
            begin, end = np.clip(begin, first, last), np.clip(end, first, last)
        seconds = end - begin
        moles = sum(
            seconds[number] * float((series.values(int(number)) * self.grid.area).sum())
            for number in np.flatnonzero(seconds > 0)
        )
        years = 1.0 if year is not None else float(seconds.sum()) / YEAR_S
        return float(moles) * PGC_PER_MOL / years

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _all(self) -> Iterator[FluxSeries]:
        for parts in self.components.values():
            yield from parts

    def _mean(self, name: str, start: np.datetime64, seconds: float) -> np.ndarray:
        parts = self.components[name]
        if len(parts) == 1:
            return self._of(parts[0], start, seconds)
        return np.asarray(sum(self._of(series, start, seconds) for series in parts))

    def _of(self, series: FluxSeries, start: np.datetime64, seconds: float) -> np.ndarray:
        if self.repeat_year is None:
            return series.mean(start, seconds, smooth=self.smooth)
        first, last = year_span(self.repeat_year)
        inside = range(
            int(np.searchsorted(series.ends, first, side="right")),
            int(np.searchsorted(series.starts, last, side="left")),
        )
        pieces = [
            (length, series.mean(in_year(begin, self.repeat_year), length, smooth=self.smooth, around=inside))
            for begin, length in _days(start, seconds)
        ]
        if len(pieces) == 1:
            return pieces[0][1]
        return np.asarray(sum(length * values for length, values in pieces) / seconds)

    def _uptake(self, moment: np.datetime64) -> np.ndarray:
        """(lat, lon) gross uptake of the day of a moment, from the flux at noon: all parts of a day have the same."""
        noon = to_unit(moment, "D").astype("datetime64[s]") + np.timedelta64(12, "h")
        if self.repeat_year is None:
            parts = self.components["biosphere"]
            first, last = max(series.starts[0] for series in parts), min(series.ends[-1] for series in parts)
            noon = min(max(noon, first), last - np.timedelta64(1, "s"))
        return gross_uptake(self._mean("biosphere", noon, 0.0), self._largest_of_year(moment))

    def _largest_of_year(self, moment: np.datetime64) -> np.ndarray:
        """(lat, lon) largest net biosphere flux among the intervals of a calendar year."""
        year = self.repeat_year or int(to_unit(moment, "Y").astype(int)) + 1970
        if year not in self._largest:
            first, last = (to_seconds(edge) for edge in year_span(year))
            largest: np.ndarray | None = None
            parts = self.components["biosphere"]
            for number in range(len(parts[0])):
                begin, end = (float(edges[number].astype(np.int64)) for edges in (parts[0].starts, parts[0].ends))
                if end <= first or begin >= last:
                    continue
                middle = np.datetime64(round((max(begin, first) + min(end, last)) / 2), "s")
                now = sum(series.mean(middle, 0.0) for series in parts)
                largest = np.array(now) if largest is None else np.maximum(largest, now)
            if largest is None:
                raise FluxProblem(f"There is no biosphere flux in {year}; supply it, or repeat a year.")
            self._largest.clear()
            self._largest[year] = largest
        return self._largest[year]

    def _require(self, start: np.datetime64, end: np.datetime64, remedy: str) -> None:
        for name, parts in self.components.items():
            for series in parts:
                for since, until in series.gaps(start, end):
                    raise FluxProblem(
                        f"{series.source}: there is no {name} flux from {since} to {until} (there is {series.starts[0]} to "
                        f"{series.ends[-1]}); {remedy}."
                    )

    def _may_have_diurnal_cycle(self) -> None:
        if "biosphere" not in self.components:
            raise FluxProblem(
                "A diurnal cycle was asked for, but there is no biosphere flux; add its file or leave the cycle out."
            )
        for series in self.components["biosphere"]:
            if series.shortest_s < DAY_S:
                raise FluxProblem(
                    f"{series.source}: the fluxes come every {series.shortest_s / 3600:g} hours and have a diurnal cycle "
                    "already; leave the option out."
                )


def year_span(year: int) -> tuple[np.datetime64, np.datetime64]:
    """Beginning and end of a calendar year, in seconds."""
    return to_unit(f"{year:04d}-01-01", "s"), to_unit(f"{year + 1:04d}-01-01", "s")


def in_year(moment: np.datetime64, year: int) -> np.datetime64:
    """The same day and hour in another year; 29 February becomes the 28th where that year has none."""
    day, month = to_unit(moment, "D"), to_unit(moment, "M")
    there = to_unit(f"{year:04d}", "Y").astype("datetime64[M]") + int(month.astype(int)) % 12
    last = (there + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    same = min(there.astype("datetime64[D]") + (day - month.astype("datetime64[D]")), last)
    return to_unit(same, "ns") + (to_unit(moment, "ns") - to_unit(day, "ns"))


def _days(start: np.datetime64, seconds: float) -> Iterator[tuple[np.datetime64, float]]:
    """Parts of a time that lie within one UTC day each: beginning and seconds."""
    now, left = to_unit(start, "ns"), float(seconds)
    if left <= 0:
        yield now, 0.0
        return
    while left > 1e-6:
        next_day = to_unit(to_unit(now, "D") + np.timedelta64(1, "D"), "ns")
        length = min(left, float((next_day - now) / np.timedelta64(1, "s")))
        yield now, length
        now, left = next_day, left - length
