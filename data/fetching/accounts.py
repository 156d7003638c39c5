"""Is what a provider asks for there? A look at environment and netrc that opens no connection and keeps no secret."""

from __future__ import annotations

import netrc
import os
from pathlib import Path

from data.catalog import Entry

EARTHDATA_HOST = "urs.earthdata.nasa.gov"
HOW_TO_SIGN_IN = (
    "This needs a free NASA Earthdata account, and none is set on this machine: register at "
    f"https://{EARTHDATA_HOST}/users/new, then put the line `machine {EARTHDATA_HOST} login NAME password PASSWORD` into the "
    "file .netrc in your home folder, or set EARTHDATA_TOKEN before starting the program."
)


def missing_account(entry: Entry) -> str:
    """What to do before this data set can be fetched, in one or two sentences; "" where nothing is missing."""
    return "" if entry.access.method != "earthaccess" or _has_earthdata() else HOW_TO_SIGN_IN


def needs_account(entry: Entry) -> bool:
    """True for data sets that are fetched with the user's own account."""
    return entry.access.method == "earthaccess"


def _has_earthdata() -> bool:
    if os.environ.get("EARTHDATA_TOKEN"):
        return True
    if os.environ.get("EARTHDATA_USERNAME") and os.environ.get("EARTHDATA_PASSWORD"):
        return True
    place = os.environ.get("NETRC") or str(Path.home() / (".netrc" if os.name != "nt" else "_netrc"))
    try:
        return netrc.netrc(place).authenticators(EARTHDATA_HOST) is not None
    except (OSError, netrc.NetrcParseError):
        return False
