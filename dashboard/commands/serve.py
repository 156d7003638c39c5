"""`carbonweather serve`: the dashboard in the browser, on the demo or on data folders of one's own."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import click


@click.command(help="Start the dashboard (on the demo, or on your own data with --data).")
@click.option("--port", type=click.IntRange(1, 65535), default=5006, show_default=True, help="Port to listen on.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Network address to listen on.")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="HOST:PORT",
    help="Further address under which browsers reach this server.",
)
@click.option(
    "--data",
    "folders",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Folder or file to show instead of the demo; repeatable.",
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder (default: CARBONWEATHER_HOME or the user's data folder).",
)
@click.option(
    "--demo/--no-demo", default=True, show_default=True, help="Build the simulated demo if it is not there yet."
)
@click.option("--small", is_flag=True, help="Build the small demo of 24 months.")
@click.option("--show", is_flag=True, help="Open the page in the default browser.")
def command(
    port: int,
    address: str,
    origins: tuple[str, ...],
    folders: tuple[Path, ...],
    home: Path | None,
    demo: bool,
    small: bool,
    show: bool,
) -> None:
    """Serve the dashboard until interrupted."""
    from dashboard.app import serve
    from dashboard.background import Build
    from data.home import home as default_home

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    root = (home or default_home()).expanduser().resolve()
    build = None
    if folders:
        root = served_home(root, folders)
        build = Build(
            [
                "data",
                "import",
                *(str(folder.resolve()) for folder in folders),
                "--home",
                str(root),
                "--json",
                "--progress",
            ],
            "Reading your data",
        )
    elif demo:
        from analysis.demo import demo_status

        if not demo_status(root, small=small).done:
            build = Build(
                ["demo", "--home", str(root), "--yes", "--json", *(["--small"] if small else [])],
                "Building the simulated demo",
            )
    allowed = [f"{name}:{port}" for name in ("localhost", "127.0.0.1", address)]
    click.echo(f"Carbon Weather is on http://localhost:{port}  (data in {root}; stop with Ctrl+C)")
    try:
        serve(root, port=port, address=address, origins=[*dict.fromkeys(allowed), *origins], build=build, show=show)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({error.strerror or error}); choose another with --port."
        ) from None
    finally:
        if build is not None:
            build.stop()


def served_home(root: Path, folders: tuple[Path, ...]) -> Path:
    """Where folders that are shown with --data are kept once read: the same folders find their cubes again at the next start."""
    names = "\n".join(sorted(str(folder.resolve()) for folder in folders))
    return root / "served" / hashlib.sha256(names.encode()).hexdigest()[:12]
