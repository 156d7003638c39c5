"""Public cloud stores: objects copied from a bucket, or days cut out of a zarr store that is too large to copy.

Both go through fsspec, anonymously. Objects are resumed and checked as web files are (`data.fetching.partial`); a cut
becomes one netCDF file a day, so that a broken run goes on with the next day.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import StoreProblem
from data.fetching.download import Interrupted, Line, patiently
from data.fetching.partial import FetchStopped, Partial, Progress, Remote, disk_words, need_space
from data.fetching.providers import Wanted

if TYPE_CHECKING:
    import xarray as xr
    from fsspec import AbstractFileSystem


BLOCK = 8 << 20
"""Bytes asked for in one request."""


def described(remote: Remote, filesystem: AbstractFileSystem) -> tuple[Remote, str | None]:
    """The object with its size and, where the store has one, md5 sum; and what identifies its version.

    Raises
    ------
    StoreProblem : no such object.
    FetchStopped : the bucket is not public.
    """
    try:
        info = filesystem.info(remote.url)
    except FileNotFoundError:
        raise StoreProblem(f"There is no {remote.url}; see whether the provider has moved it.") from None
    except PermissionError:
        raise FetchStopped(f"{remote.url} is not open to everyone; see the provider's page.") from None
    tag = next((str(info[key]).strip('"') for key in ("ETag", "etag", "mtime", "created") if info.get(key)), None)
    return replace(remote, size=info.get("size"), checksum=_object_sum(info, tag)), tag


def _object_sum(info: dict[str, Any], tag: str | None) -> str | None:
    """Google tells the md5 in base64; Amazon's tag is the md5 of an object that was stored in one piece."""
    try:
        if info.get("md5Hash"):
            return "md5:" + base64.b64decode(info["md5Hash"], validate=True).hex()
    except binascii.Error:
        return None
    return f"md5:{tag}" if info.get("ETag") and tag and re.fullmatch(r"[0-9a-f]{32}", tag) else None


def copy(remote: Remote, tag: str | None, target: Path, filesystem: AbstractFileSystem, line: Line) -> None:
    """Copy a `described` object to `target`, resumed and checked; raises as `data.fetching.download.download` does."""
    with disk_words(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    partial = Partial(target)

    def attempt() -> None:
        offset, known = partial.resume(remote)
        if not offset or known.get("validator") != tag:
            offset = 0
            partial.begin(remote, validator=tag, total=remote.size)
        need_space(target.parent, (remote.size or 0) - offset)
        line.limit.wait()
        with disk_words(target), open(partial.part, "ab" if offset else "wb") as stream:
            for block in _blocks(remote, filesystem, offset):
                stream.write(block)
                offset += len(block)
                line.report(Progress(remote.name, offset, remote.size))
            stream.flush()
            os.fsync(stream.fileno())
        if remote.size is not None and offset < remote.size:
            raise Interrupted(f"the store ended after {offset} of {remote.size} bytes")

    patiently(attempt, line=line, name=remote.name, host=remote.host, reached=lambda: partial.size)
    problem = partial.wrong(remote)
    if problem is not None:
        partial.drop()
        raise problem
    with disk_words(target):
        partial.finish()


def _blocks(remote: Remote, filesystem: AbstractFileSystem, offset: int) -> Iterator[bytes]:
    """The object from `offset` on; whatever the store's client raises becomes `Interrupted`."""
    position, size = offset, remote.size
    while size is None or position < size:
        end = position + BLOCK if size is None else min(position + BLOCK, size)
        try:
            block = filesystem.cat_file(remote.url, start=position, end=end)
        except Exception as error:  # each client has its own kinds
            raise Interrupted(str(error).splitlines()[0][:120] if str(error) else type(error).__name__) from None
        if not block:
            return
        position += len(block)
        yield block


def cut_days(wanted: Wanted, filesystem: AbstractFileSystem, folder: Path, line: Line) -> Iterator[tuple[Path, bool]]:
    """Cut the wanted days and box out of a zarr store, one netCDF file a day; yields (file, whether it was made now).

    Raises
    ------
    StoreProblem : the store cannot be opened or has not these variables.
    FetchStopped : no space on the disk.
    """
    dataset = _opened(wanted, filesystem)
    start, end = wanted.span
    newest = str(dataset.attrs.get("valid_time_stop", ""))[:10]
    for ordinal in range(start.toordinal(), end.toordinal() + 1):
        day = datetime.date.fromordinal(ordinal)
        target = folder / f"{wanted.entry.name}_{day:%Y%m%d}{_box_words(wanted)}.nc"
        if target.is_file():
            yield target, False
            continue
        part = dataset.sel(time=day.isoformat()) if not newest or day.isoformat() <= newest else dataset.isel(time=[])
        if part.sizes.get("time", 0) == 0:
            raise StoreProblem(f"{wanted.entry.title} has no {day} yet; ask for earlier days.")
        with disk_words(target):
            folder.mkdir(parents=True, exist_ok=True)
            need_space(folder, part.nbytes)
            line.limit.wait()
            _write_day(part, target, line, wanted)
        yield target, True


def _opened(wanted: Wanted, filesystem: AbstractFileSystem) -> xr.Dataset:
    import numpy as np
    import xarray as xr

    access, title = wanted.entry.access, wanted.entry.title
    try:
        dataset = xr.open_zarr(filesystem.get_mapper(access.zarr), chunks=None)
    except Exception as error:  # zarr, fsspec and the store's client raise many kinds
        words = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise StoreProblem(f"{title} cannot be opened at {access.zarr} ({words}); check the network.") from None
    missing = [name for name in access.variables if name not in dataset]
    if missing:
        raise StoreProblem(f"{title} has no {', '.join(missing)}; the provider has changed its layout.")
    dataset = dataset[list(access.variables)].rename(
        {long: short for long, short in (("latitude", "lat"), ("longitude", "lon")) if long in dataset.dims}
    )
    if wanted.bbox is None:
        return dataset
    west, south, east, north = wanted.bbox
    lon = (dataset["lon"].to_numpy() - west) % 360.0
    inside_lon = np.flatnonzero(lon <= ((east - west) % 360.0 or 360.0))
    inside_lat = np.flatnonzero((dataset["lat"].to_numpy() >= south) & (dataset["lat"].to_numpy() <= north))
    if not inside_lon.size or not inside_lat.size:
        raise StoreProblem(f"No cell centre of {title} lies in the box; ask for a larger one.")
    return dataset.isel(lat=inside_lat, lon=inside_lon)


def _box_words(wanted: Wanted) -> str:
    return "" if wanted.bbox is None else "_" + "_".join(f"{edge:g}" for edge in wanted.bbox)


def _write_day(part: xr.Dataset, target: Path, line: Line, wanted: Wanted) -> None:
    """One day as netCDF, an hour in memory at a time; it gets its name when complete."""
    unfinished = target.with_name(target.name + ".part")
    part = part.chunk({"time": 1}).assign_attrs(
        title=wanted.entry.title, catalog=wanted.entry.name, references=wanted.entry.citation
    )
    for variable in part.variables.values():
        variable.encoding.clear()  # the store's chunks and codecs are not netCDF's
    line.report(Progress(target.name, 0, part.nbytes))
    try:
        part.to_netcdf(unfinished, engine="netcdf4", encoding={name: {"zlib": True, "complevel": 1} for name in part})
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    line.report(Progress(target.name, part.nbytes, part.nbytes))
