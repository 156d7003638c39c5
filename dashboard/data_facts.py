"""What the Data page shows, as plain JSON: the catalogue, the holdings, the calendar of soundings and where they lie.

Read by threads, once for everybody who looks at a data folder at about the same time; nothing here belongs to a session.
"""

from __future__ import annotations

import base64
import json
import threading
import weakref
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from dashboard.library import Library
from data.catalog import Entry, load
from data.citing import citation, paragraph
from data.density import Density, density
from data.errors import StoreProblem
from data.fetching.accounts import missing_account, needs_account
from data.holdings import KIND_WORDS, Holding, Listing, Sizes, holdings, size_words, to_json
from data.home import cubes_dir, downloads_dir, sites_dir, tables_dir, volumes_dir
from data.removing import consequence

GROUP_WORDS = {
    "satellite": "Satellites",
    "reconstruction": "Gap-free maps",
    "ground": "Ground stations",
    "model": "Models and inversions",
    "emissions": "Emissions",
    "meteorology": "Weather",
    "covariate": "Land and people",
    "boundaries": "Outlines",
    "simulated": "Simulated",
}
"""Groups of the catalogue, in the words of people."""
ACCESS_WORDS = {"open": "Open", "account": "Needs an account", "hand": "By hand", "made": "Made here"}
SOURCES_SHOWN = 300
"""Names of files that are sent of one holding."""


def access_of(entry: Entry) -> str:
    """ "open", "account", "hand" or "made" (by this program)."""
    if entry.name == "demo":
        return "made"
    if entry.access.method == "manual":
        return "hand"
    return "account" if needs_account(entry) else "open"


def catalogue_json() -> str:
    """Every entry of the catalogue with all that its page shows: {"entries": [...], "groups": {...}, "access": {...}}."""
    return json.dumps(
        {"entries": [_entry(entry) for entry in load()], "groups": GROUP_WORDS, "access": ACCESS_WORDS},
        ensure_ascii=False,
    )


def _entry(entry: Entry) -> dict[str, Any]:
    access, coverage = entry.access, entry.coverage
    span = None if coverage.time is None else [str(coverage.time[0]), str(coverage.time[1] or "")]
    return {
        "name": entry.name,
        "title": entry.title,
        "group": entry.group,
        "provider": entry.provider,
        "version": entry.version or "",
        "doi": entry.doi or "",
        "licence": entry.licence or "",
        "homepage": entry.homepage or "",
        "coverage": str(coverage),
        "span": span,
        "resolution": entry.resolution or "",
        "size": entry.size or "",
        "variables": list(entry.variables),
        "unit": entry.unit or "",
        "note": entry.note or "",
        "reader": entry.reader is not None,
        "access": access_of(entry),
        "how": str(access),
        "address": access.address or "",
        "instructions": access.instructions or "",
        "missing": missing_account(entry),
        "box": access.zarr is not None or access.method == "earthaccess",
        "days": coverage.time is not None,
        "cite": paragraph(entry),
        "words": " ".join([access.short_name or "", access.method, entry.citation]),
    }


class Facts:
    """What is in one data folder, kept until something there changes.

    Parameters
    ----------
    library : the data folder as the dashboard sees it.
    """

    def __init__(self, library: Library) -> None:
        self._library = weakref.ref(library)
        self.root = library.root
        self._lock = threading.Lock()
        self._mark: object = None
        self.listing = Listing(())
        self._sizes: Sizes = {}
        self.holdings_json = json.dumps({"loaded": False, "items": []})
        self._coverage: tuple[int, str] | None = None
        self._density: Density | None = None
        self._density_lock = threading.Lock()

    def refresh(self) -> str:
        """JSON of the holdings as of now; reads manifests only where one has changed. Belongs in a thread."""
        with self._lock:
            mark = self._current_mark()
            if mark != self._mark:
                self.listing = holdings(self.root, sizes=self._sizes)
                self.holdings_json = self._to_json(self.listing)
                self._mark = mark
            return self.holdings_json

    def forget(self) -> None:
        """Look at everything again at the next `refresh`."""
        with self._lock:
            self._mark = None

    def _current_mark(self) -> object:
        """Changes with every change of the data folder and of the archive, wherever that is; a few looks at dates."""
        paths = (
            *(folder(self.root) / "manifest.json" for folder in (sites_dir, tables_dir, volumes_dir)),
            *_each(cubes_dir(self.root), "manifest.json"),
            *_each(downloads_dir(self.root), "."),
        )
        return self._archive_mark(), tuple(map(_date, paths))

    def _archive_mark(self) -> object:
        library = self._library()
        try:
            return None if library is None else library.archive.version
        except StoreProblem as problem:
            return str(problem)

    def _to_json(self, listing: Listing) -> str:
        items = [_holding(item) for item in listing]
        totals = {
            "count": len(items),
            "size": size_words(listing.size),
            "soundings": sum(item.count for item in listing if item.kind == "soundings"),
            "maps": sum(item.count for item in listing if item.kind == "cube"),
        }
        return json.dumps(
            {
                "loaded": True,
                "items": items,
                "kinds": KIND_WORDS,
                "totals": totals,
                "problems": list(listing.problems),
                "home": str(self.root),
            },
            ensure_ascii=False,
        )

    def coverage_json(self) -> str:
        """Soundings of every day: {"instruments": [{name, first, counts, total, simulated}], "months": {"2021-10": address}}.

        `counts` begins with the day `first` and has a number for every day until the last. Belongs in a thread.
        """
        library = self._library()
        if library is None:
            return "{}"
        archive = library.archive
        months = explore_months(library)
        with self._lock:
            mark = hash((archive.version, tuple(months.items())))
            if self._coverage is not None and self._coverage[0] == mark:
                return self._coverage[1]
        summaries = {summary.name: summary for summary in archive.instruments()}
        instruments = []
        for name, days in archive.coverage().groupby("instrument"):
            day = days["day"].to_numpy().astype("datetime64[D]")
            counts = np.zeros(int((day[-1] - day[0]) / np.timedelta64(1, "D")) + 1, dtype=np.int64)
            counts[(day - day[0]).astype(np.int64)] = days["count"].to_numpy()
            instruments.append(
                {
                    "name": str(name),
                    "first": str(day[0]),
                    "counts": counts.tolist(),
                    "total": int(counts.sum()),
                    "days": int(np.count_nonzero(counts)),
                    "simulated": bool(summaries[str(name)].simulated) if str(name) in summaries else False,
                }
            )
        text = json.dumps({"loaded": True, "instruments": instruments, "months": months}, ensure_ascii=False)
        with self._lock:
            self._coverage = mark, text
        return text

    def where_json(self, instrument: str, year: int | None) -> str:
        """Soundings in cells of one degree: {"counts": base64 of float32 (180, 360), row 0 south, "most", "total"}.

        Raises
        ------
        StoreProblem : the archive is damaged. Belongs in a thread; the first time takes about a second for ten million.
        """
        library = self._library()
        if library is None:
            return "{}"
        with self._density_lock:
            if self._density is None or self._density.version != library.archive.version:
                self._density = density(library.archive, self.root / "cache" / "soundings-density.npz")
            found = self._density
        grid = found.grid(instrument or None, year)
        years = sorted({1970 + month // 12 for name, month in found.months if instrument in ("", name)})
        facts = {
            "loaded": True,
            "instrument": instrument,
            "year": year,
            "years": years,
            "counts": base64.b64encode(grid.astype("<f4").tobytes()).decode(),
            "most": int(grid.max()),
            "total": int(grid.sum()),
        }
        return json.dumps(facts)


def _date(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_mtime_ns, status.st_size


def _each(folder: Path, name: str) -> list[Path]:
    try:
        return sorted(path / name for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
    except OSError:
        return []


def _holding(item: Holding) -> dict[str, Any]:
    """A holding with what can be done with it."""
    entry = item.entry
    return {
        **to_json(item),
        "sources": list(item.sources[:SOURCES_SHOWN]),
        "source_count": len(item.sources),
        "size_words": size_words(item.size),
        "provider": entry.provider if entry else "",
        "licence": str(
            item.attrs.get("licence") or item.attrs.get("license") or (entry.licence if entry else "") or ""
        ),
        "doi": (entry.doi or "") if entry else "",
        "cite": citation(item),
        "consequence": consequence(item),
        "open": _view_address(item),
        "analyse": f"./runs?new=aggregate&instrument={quote(item.instrument)}" if item.kind == "soundings" else "",
    }


def _view_address(item: Holding) -> str:
    """The page that shows a holding, "" where none does."""
    if item.kind == "cube":
        return f"./?cube={quote(item.name)}"
    if item.kind == "volume":
        return f"./atmosphere?data={quote(item.name)}"
    if item.kind == "table" and item.name.startswith("carbon-monitor"):
        return "./emissions"
    if item.kind == "sites" and "tccon" in item.name.lower():
        return "./?layers=coastlines,borders,tccon"
    return ""


def explore_months(library: Library) -> dict[str, str]:
    """Month -> address of the Explore page that shows its soundings over a map; months without any map are missing."""
    found: dict[str, str] = {}
    for name, choice in library.choices().items():
        if "xco2" not in choice.variables:
            continue
        for label in choice.times:
            address = f"./?cube={quote(name)}&time={quote(label)}&layers=coastlines,borders,soundings"
            found.setdefault(label[:7], address)
    return dict(sorted(found.items()))


def verification_file(root: Path) -> Path:
    """Where the newest verification is kept."""
    return root / "cache" / "verification.json"


def verification_json(root: Path) -> str:
    """The newest verification: {"finished", "subject", "findings": [...]}; {} where there was none."""
    try:
        text = verification_file(root).read_text(encoding="utf-8")
        kept = json.loads(text)
        return text if isinstance(kept, dict) and isinstance(kept.get("findings"), list) else "{}"
    except (OSError, ValueError):
        return "{}"


_OF_LIBRARY: weakref.WeakKeyDictionary[Library, Facts] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


def facts_of(library: Library) -> Facts:
    """The one `Facts` of a data folder."""
    with _GUARD:
        found = _OF_LIBRARY.get(library)
        if found is None:
            found = _OF_LIBRARY[library] = Facts(library)
        return found
