"""Options that the makers of weather packs share, and the grid, levels and files that they name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from dashboard.commands.data_options import home_option

if TYPE_CHECKING:
    import numpy as np

    from analysis.grids import Grid, Levels


class Moment(click.ParamType):
    """A time in UTC: 2015, 2015-03, 2015-03-01 or 2015-03-01T06:00."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> np.datetime64:
        """The moment in seconds."""
        import numpy as np

        try:
            found = cast("np.datetime64", np.asarray(str(value).strip().replace(" ", "T"), dtype="datetime64[s]")[()])
        except ValueError:
            found = cast("np.datetime64", np.datetime64("NaT", "s"))
        if np.isnat(found) or not re.match(r"\d{4}(?!\d)", str(value).strip()):
            self.fail(f"{value!r} is no time; write 2015-03-01 or 2015-03-01T06:00 (UTC).", param, ctx)
        return found


class Corners(click.ParamType):
    """Four degrees: west,south,east,north."""

    name = "west,south,east,north"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float, float]:
        """The four numbers."""
        try:
            west, south, east, north = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no box; write west,south,east,north in degrees, as in 60,-12,150,55.", param, ctx)
        return west, south, east, north


PACK_OPTIONS = (
    click.option(
        "--grid",
        default="3x2",
        show_default=True,
        metavar="NAME",
        help="6x4, 3x2, 1x1 or LONxLAT in degrees, 2x2.5 (GEOS-Chem's), or refined.",
    ),
    click.option(
        "--box",
        type=Corners(),
        help="Small cells in this box, larger ones elsewhere; with --grid refined default Asia: 60,-12,150,55.",
    ),
    click.option(
        "--fine",
        type=click.FloatRange(0.05, 2),
        default=1.0,
        show_default=True,
        help="Degrees of the cells in the box.",
    ),
    click.option(
        "--levels",
        type=click.Choice(["25", "34", "60"]),
        default="25",
        show_default=True,
        help="Layers of ECMWF's kind.",
    ),
    click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path),
        help="New folder for the pack; default one in the data folder, named after source, grid and time.",
    ),
    click.option(
        "--replace",
        is_flag=True,
        help="Make a pack again that exists; the old one stays until the new one is complete.",
    ),
    click.option("--preview", is_flag=True, help="Say size and time, and make nothing."),
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="One JSON object a line: done, total, label; at the end what the pack is.",
    ),
    home_option,
)


def pack_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all makers of packs share."""
    for option in reversed(PACK_OPTIONS):
        function = option(function)
    return function


from_option = click.option("--from", "start", type=Moment(), required=True, help="Beginning, UTC.")
to_option = click.option("--to", "end", type=Moment(), required=True, help="End, UTC.")
files_argument = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))


def grid_of(options: dict[str, Any]) -> Grid:
    """The grid that --grid, --box and --fine name; says where a box runs across the date line.

    Raises
    ------
    AnalysisError : no such grid, or a box that cannot be meant.
    """
    from analysis.grids import ASIA, Box, refined, uniform
    from analysis.weather import WeatherProblem

    name, corners = str(options["grid"]), options["box"]
    chosen = click.get_current_context().get_parameter_source("grid")
    if corners is None and name != "refined":
        return uniform(name)
    if name != "refined" and chosen is not None and chosen.name == "COMMANDLINE":
        raise WeatherProblem(f"A box makes a refined grid, but --grid says {name}; leave one of them out.")
    box = ASIA
    if corners is not None:
        west, south, east, north = corners
        box = Box(west, east, south, north)
        if box.width > 180:
            raise WeatherProblem(
                f"The box from {west:g} eastward to {east:g} is {box.width:g} degrees wide, more than half of the Earth; are west "
                "and east exchanged? They are written west,south,east,north."
            )
        if east < west and not options["as_json"]:
            click.echo(f"The box runs across the date line: {box.width:g} degrees from {west:g} eastward to {east:g}.")
    return refined(box, fine=float(options["fine"]))


def levels_of(options: dict[str, Any]) -> Levels:
    """The levels that --levels names."""
    from analysis.grids import ecmwf_levels

    return ecmwf_levels(int(options["levels"]))


def expanded(files: tuple[Path, ...]) -> list[Path]:
    """Files, and those of folders by name."""
    from analysis.weather import WeatherProblem

    found: list[Path] = []
    for path in files:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
            if not inside:
                raise WeatherProblem(f"{path}: expected files of weather, found a folder without any; name another.")
            found += inside
        else:
            found.append(path)
    return found
