"""The maps that `bench_map` compares with, each on a server of its own and with about as many pixels as the dashboard's map.

`python -m tests.benchmarks.other_maps naive STORE ...` serves hvPlot's own way: `hvplot(geo=True, rasterize=True)` on one month of a
lazy Zarr array. `... notebook CUBE ...` serves `dashboard.notebook`: HoloViews over the pyramid's windows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

CHUNK = 600
VARIABLE = "xco2"


def write_lazy_store(source: Path, folder: Path) -> None:
    """The last month of a cube as a plain Zarr store, float32 in chunks of 600 x 600, as xarray writes it."""
    from data.cube import Cube

    month = Cube.open(source).read(VARIABLE, -1).expand_dims("time")
    month.to_dataset().to_zarr(folder, encoding={VARIABLE: {"chunks": (1, CHUNK, CHUNK)}}, consolidated=False)


@click.command()
@click.argument("kind", type=click.Choice(["naive", "notebook"]))
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--port", type=int, required=True)
@click.option("--width", type=int, default=900, show_default=True, help="Of the naive map's frame, pixels.")
@click.option("--height", type=int, default=450, show_default=True, help="Of the naive map's frame, pixels.")
def main(kind: str, source: Path, port: int, width: int, height: int) -> None:
    """Serve a comparison until interrupted."""
    import panel as pn

    pn.extension()
    page = _naive(source, width, height) if kind == "naive" else _notebook(source)
    origin = f"127.0.0.1:{port}"
    pn.serve(page, port=port, address="127.0.0.1", websocket_origin=[origin], show=False, verbose=False)


def _naive(store: Path, width: int, height: int) -> Callable[[], Any]:
    import hvplot.xarray  # noqa: F401 - gives arrays their .hvplot
    import panel as pn
    import xarray as xr

    month = xr.open_zarr(store, consolidated=False)[VARIABLE].isel(time=-1)

    def page() -> pn.pane.HoloViews:
        frame = {"frame_width": width, "frame_height": height}
        plot = month.hvplot(x="lon", y="lat", geo=True, rasterize=True, cmap="viridis", **frame)
        return pn.pane.HoloViews(plot.opts(active_tools=["pan", "wheel_zoom"]))

    return page


def _notebook(path: Path) -> Callable[[], Any]:
    from dashboard.notebook import explore
    from data.cube import Cube

    cube = Cube.open(path)
    return lambda: explore(cube)


if __name__ == "__main__":
    main()
