"""What a finished run hands over: files, tables, the last state; columns and levels where the dashboard's pages find them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.gridding.publishing import HiddenCube, cube_name, published
from analysis.simulation.output import Series, linked
from analysis.simulation.run import TABLE_COLUMNS, Simulation
from analysis.simulation.start import FINAL_STATE, keep_state
from data.cube import Grid, Variable
from data.cube.writing import encode_map
from data.home import volumes_dir

if TYPE_CHECKING:
    from analysis.jobs.context import JobContext

MOST_FILES = 12
"""More files of one kind are handed over as their folder."""

_WHAT = {"levels": "Mole fractions on levels", "columns": "Columns (XCO₂) and lowest layer"}


class Results:
    """The end of a run; what an earlier attempt has put into the data folder is found again.

    Parameters
    ----------
    context : of the run.
    simulation : at its end.
    facts : what is said of the files.
    """

    def __init__(self, context: JobContext, simulation: Simulation, facts: Mapping[str, object]) -> None:
        self.context, self.simulation, self.facts = context, simulation, facts

    def make(self) -> None:
        """Everything, the pages of the dashboard first."""
        plan = self.simulation.plan
        if plan.settings["show"]:
            for what, show in (("columns", self._cube), ("levels", self._volume)):
                regular = [series for series in self.simulation.series.get(what, []) if series.target.regular]
                if regular:
                    # the finest maps; levels on the coarser grid, which the page reads faster
                    show(max(regular, key=_cells) if what == "columns" else min(regular, key=_cells))
        self._tables()
        for what, made in self.simulation.series.items():
            for series in made:
                self._files(what, series)
        self._samples()
        path = self.context.folder / FINAL_STATE
        keep_state(path, self.simulation.state, plan.tracers, plan.end, plan.weather, plan.simulated)
        self.context.add_result("Last state, for a run that goes on from it", path.name, "state")

    def _files(self, what: str, series: Series) -> None:
        name = f"{_WHAT[what]}, {series.every} means, {series.target.grid.name}"
        files = series.files()
        folder = self.context.folder / series.folder.name
        for path in files:
            self.context.check()
            linked(path, folder / path.name)
        if len(files) > MOST_FILES:
            self.context.add_result(name, folder.name, f"folder of {len(files)} files")
            return
        for path in files:
            part = f": {path.stem.removeprefix(series.stem).strip('_').replace('_', ' ')}" if len(files) > 1 else ""
            kind = "zarr store" if path.is_dir() else "netCDF file"
            self.context.add_result(name + part, f"{folder.name}/{path.name}", kind)

    def _tables(self) -> None:
        for name, file, kind, rows in (
            ("Global means and contrast of the hemispheres", "global_means.csv", "series", self._means()),
            ("Budget by component", "budget.csv", "table", self.simulation.budget()),
        ):
            with open(self.context.folder / file, "w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            self.context.add_result(name, file, kind)

    def _means(self) -> list[dict[str, Any]]:
        return [dict(zip(TABLE_COLUMNS, row, strict=True)) for row in self.simulation.table()]

    def _samples(self) -> None:
        from analysis.simulation.samples import write_all

        for name, path in write_all(self.context.folder, self.simulation, self.simulation.more, self.facts):
            self.context.add_result(name, path.name, "samples")

    def _cube(self, series: Series) -> None:
        """Columns as a cube, for the Explore page."""
        name = cube_name(str(series.attrs["collection"]), "xco2", series.every)
        place = published(self.context.home, name, self.context.run_id)
        if place is None:
            target = series.target
            grid = Grid.from_centres(target.latitude, target.longitude)
            variables = [Variable(name, "ppm", each.long_name, "float32") for name, each in series.quantities.items()]
            attrs = {key: value for key, value in series.attrs.items() if isinstance(value, str | int | float)}
            hidden = HiddenCube(
                self.context.checkpoint_folder / "cube",
                name=name,
                title=str(series.attrs["title"])[:200],
                grid=grid,
                variables=variables,
                attrs=attrs | {"instrument": str(self.facts["model"])},
            )
            for number, (time, maps) in enumerate(series.read()):
                self.context.check()
                encoded = {each.name: encode_map(maps[each.name], grid, each) for each in variables}
                hidden.write(time, encoded)
                self.context.progress(number + 1, len(series.edges) - 1, "Putting maps on the Explore page", "maps")
            place = hidden.publish(self.context.home)
        self.context.add_result(f"{_WHAT['columns']} on the Explore page", place, "cube", f"./?cube={place.name}")

    def _volume(self, series: Series) -> None:
        """Levels as a volume, for the Atmosphere page."""
        from data.readers import read
        from data.volumes import VolumeStore

        store = VolumeStore(volumes_dir(self.context.home))
        files = series.files()
        collection = ""
        for number, path in enumerate(files):
            self.context.check()
            product = read(path)
            collection = product.collection
            store.append(product)
            self.context.progress(number + 1, len(files), "Putting levels on the Atmosphere page", "files")
        if collection:
            place = volumes_dir(self.context.home) / collection
            link = f"./atmosphere?data={collection}"
            self.context.add_result(f"{_WHAT['levels']} on the Atmosphere page", place, "volume", link)


def _cells(series: Series) -> int:
    return int(np.prod(series.target.grid.shape))
