"""Where this program keeps what it imported, built or downloaded: one folder per user, never the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from data.places import is_url


def home() -> Path:
    """The data folder: `CARBONWEATHER_HOME`, else the platform's user data folder. Not created here."""
    override = os.environ.get("CARBONWEATHER_HOME", "").strip()
    return Path(override).expanduser().resolve() if override else Path(platformdirs.user_data_dir("carbonweather"))


def cubes_dir(root: Path | None = None) -> Path:
    """Gridded products (`data.cube`), one folder each."""
    return (root or home()) / "cubes"


def soundings_dir(root: Path | None = None) -> Path:
    """The archive of soundings (`data.soundings`)."""
    return (root or home()) / "soundings"


def soundings_place(root: Path | None = None) -> str:
    """Where the archive of soundings is: `CARBONWEATHER_SOUNDINGS`, a folder or an fsspec URL ("s3://bucket/soundings")
    that several data folders may share, else `soundings_dir`.
    """
    override = os.environ.get("CARBONWEATHER_SOUNDINGS", "").strip()
    if not override:
        return str(soundings_dir(root))
    return override if is_url(override) else str(Path(override).expanduser().resolve())


def sites_dir(root: Path | None = None) -> Path:
    """Series of ground sites (`data.sites`)."""
    return (root or home()) / "sites"


def tables_dir(root: Path | None = None) -> Path:
    """Everything that is neither map, sounding nor site: region masks, emission tables, power plants."""
    return (root or home()) / "tables"


def volumes_dir(root: Path | None = None) -> Path:
    """Mole fractions on levels (`data.volumes`)."""
    return (root or home()) / "volumes"


def weather_dir(root: Path | None = None) -> Path:
    """Weather packs of the transport (`carbonweather weather`), one folder each."""
    return (root or home()) / "weather"


def downloads_dir(root: Path | None = None) -> Path:
    """Files fetched from providers, as they came."""
    return (root or home()) / "downloads"


def runs_dir(root: Path | None = None) -> Path:
    """Long computations (`data.runs`), one folder each."""
    return (root or home()) / "runs"
