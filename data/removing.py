"""Take one holding out of the data folder: all of it or, where that fails or is interrupted, nothing. And runs with what
they made.

Soundings, sites and tables go by one change of their manifest (`data.storage`). A cube or a folder of downloads is first
renamed out of sight, which happens at once, and then deleted; what a kill leaves of it is deleted by the next removal.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from data.errors import StoreProblem
from data.holdings import KIND_WORDS, Holding, holdings, size_words
from data.home import cubes_dir, downloads_dir, runs_dir, sites_dir, soundings_place, tables_dir, volumes_dir
from data.runs import RunStore
from data.storage import ManifestFolder

_LEAVING = ".removing"
_LOCK_SECONDS = 20.0
"""How long a removal waits for those who write there: someone is watching."""


def remove(home: Path, key: str) -> Holding:
    """Remove a holding; returns what it was.

    Parameters
    ----------
    home : the data folder.
    key : "kind:name" as `data.holdings.Holding.key`, or a name that only one holding has.

    Raises
    ------
    StoreProblem : no such holding, or it cannot be removed (then it is still there, whole).
    """
    found = holdings(home).find(key)
    remover: dict[str, Callable[[Path, Holding], None]] = {
        "soundings": _soundings,
        "cube": _cube,
        "volume": _volume,
        "sites": _sites,
        "table": _table,
        "download": _download,
    }
    remover[found.kind](home, found)
    return found


def made_by(home: Path, run_id: str) -> list[Holding]:
    """What a run put into the data folder and is still there: what says itself that it is of that run."""
    return [item for item in holdings(home) if item.attrs.get("run") == run_id]


def remove_run(home: Path, run_id: str, *, with_results: bool = False) -> list[Holding]:
    """Remove a run with all that lies in its folder, and `with_results` what it put into the data folder; returns that.

    Raises
    ------
    NoSuchRun, RunBusy : there is none, or it is being computed; then nothing was removed.
    StoreProblem : the run is gone, but something that it made cannot be removed; the sentence names it.
    """
    made = made_by(home, run_id) if with_results else []
    RunStore(runs_dir(home)).delete(run_id)
    for item in made:
        remove(home, item.key)
    return made


def consequence(item: Holding) -> str:
    """What removing means, in words to be confirmed: how much goes, and whether it can come back."""
    source = (
        f"It was made from {len(item.sources)} file{'s' if len(item.sources) != 1 else ''}, which stay where they are "
        "and can be imported again."
        if item.sources and item.kind != "download"
        else "What was imported from these files stays."
        if item.kind == "download"
        else "Nothing here says which files it was made from: it may have to be computed again."
    )
    what = KIND_WORDS[item.kind]
    return (
        f"This deletes {item.amount} ({what}: {item.title}), {size_words(item.size)}, from this computer's data "
        f"folder. {source}"
    )


def _soundings(home: Path, item: Holding) -> None:
    from data.soundings import SoundingArchive

    SoundingArchive(soundings_place(home)).remove(item.instrument, item.name.removeprefix(f"{item.instrument}/"))


def _sites(home: Path, item: Holding) -> None:
    from data.sites import SiteStore

    _drop(SiteStore(sites_dir(home)).folder, lambda kept: f"{kept['network']}/{kept['collection']}" == item.name, item)


def _table(home: Path, item: Holding) -> None:
    from data.tables import TableStore

    _drop(TableStore(tables_dir(home)).folder, lambda kept: kept["collection"] == item.name, item)


def _volume(home: Path, item: Holding) -> None:
    from data.volumes import VolumeStore

    _drop(VolumeStore(volumes_dir(home)).folder, lambda kept: kept["collection"] == item.name, item)


def _drop(folder: ManifestFolder, chosen: Callable[[dict[str, Any]], bool], item: Holding) -> None:
    with folder.change() as change:
        files = {name: kept for name, kept in change.manifest["files"].items() if not chosen(kept)}
        if len(files) == len(change.manifest["files"]):
            raise StoreProblem(
                f"{folder.what} {folder.root}: {item.name} is not there any more; list the holdings again."
            )
        change.commit({**change.manifest, "files": files})


def _cube(home: Path, item: Holding) -> None:
    folder = cubes_dir(home) / item.name
    _whole_folder(
        home, folder, [cubes_dir(home) / ".import.lock", folder / ".lock"], "another program is writing cubes"
    )


def _download(home: Path, item: Holding) -> None:
    folder = downloads_dir(home) / item.name
    _whole_folder(home, folder, [folder / ".fetch.lock"], "a fetch is writing to it")


def _whole_folder(home: Path, folder: Path, locks: list[Path], busy: str) -> None:
    """Rename a folder out of sight while holding the locks of those who write there, then delete it."""
    from filelock import FileLock, Timeout

    leaving = home / _LEAVING
    try:
        leaving.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            for lock in locks:
                held.enter_context(FileLock(lock, timeout=_LOCK_SECONDS))
            os.rename(folder, leaving / f"{folder.name[:80]}.{uuid.uuid4().hex[:8]}")
    except Timeout:
        raise StoreProblem(f"{folder.name}: it cannot be removed while {busy}; wait until that is done.") from None
    except FileNotFoundError:
        raise StoreProblem(f"{folder.name} is not there any more; list the holdings again.") from None
    except OSError as error:
        raise StoreProblem(
            f"{folder}: expected to remove it, found {error.strerror or error}; nothing was removed, check its "
            "permissions."
        ) from error
    for left in leaving.iterdir():
        shutil.rmtree(left, ignore_errors=True)
