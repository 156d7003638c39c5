"""The Data page: what is here and since when, what there is to fetch, import of own files, verification, removal, citation.

What people look at (tab, search, filters, chosen item) is in the page's address and belongs to the browser; this half reads the
data folder in threads, starts long work as processes, and answers what the browser asks.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard.background import Build
from dashboard.data_facts import catalogue_json, facts_of, verification_file, verification_json
from dashboard.data_tasks import Task, tasks_of
from dashboard.data_upload import TOKEN
from dashboard.data_view import DataView
from dashboard.library import Library
from dashboard.session_work import SessionWork, log_failure
from dashboard.shell import repeat, shell
from data.catalog import Entry, load
from data.citing import bibtex, how_to_cite
from data.errors import DataError, StoreProblem
from data.fetch import read_box, read_day
from data.holdings import Holding, size_words
from data.removing import remove
from data.uploads import UNPACKED_FACTOR, limit_bytes

log = logging.getLogger(__name__)

POLL_MS = 600
"""How often a session looks whether long work has come further; a look at a counter where it has not."""
LOOK_SECONDS = 3.0
"""How often the data folder is looked at for changes from outside (an import on the command line)."""
MOST_CITED = 2000

_THREADS = ThreadPoolExecutor(max_workers=3, thread_name_prefix="data-page")


class DataPage:
    """One session's Data page.

    Parameters
    ----------
    library : the data folder.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._work = SessionWork(_THREADS, lambda sentence: self._say(sentence, "error"), when_loaded=True)
        self.facts = facts_of(library)
        self.tasks = tasks_of(library)
        self.view = DataView(
            self._message,
            sizing_mode="stretch_width",
            margin=0,
            here=self.facts.holdings_json,
            upload=_upload_facts(),
        )
        self._seen = -1
        self._finished = self.tasks.finished
        self._looked = 0.0
        self._looking = False
        self._work.do(catalogue_json, lambda text: self.view.tell_text("catalogue", text))

    def poll(self) -> None:
        """Bring the page up to date with long work and with the data folder; cheap where nothing has changed."""
        if not pn.state.loaded:  # what is said before the browser listens is lost
            return
        if self.tasks.version != self._seen:
            self._seen = self.tasks.version
            self.view.tell("tasks", {"items": self.tasks.shown()})
        ended = self.tasks.finished != self._finished
        if (ended or time.monotonic() - self._looked > LOOK_SECONDS) and not self._looking:
            self._finished, self._looked, self._looking = self.tasks.finished, time.monotonic(), True
            self._work.do(self._look, self._seen_here)

    def _look(self) -> tuple[str, str, str]:
        try:
            return self.facts.refresh(), verification_json(self.library.root), self.facts.coverage_json()
        finally:
            self._looking = False

    def _seen_here(self, found: tuple[str, str, str]) -> None:
        for name, text in zip(("here", "verification", "coverage"), found, strict=True):
            self.view.tell_text(name, text)

    # ---------------------------------------------------------------- what people want

    def _message(self, message: dict[str, Any]) -> None:
        actions: dict[str, Callable[[dict[str, Any]], None]] = {
            "where": self._where,
            "cite": self._cite,
            "fetch": self._fetch,
            "verify": self._verify,
            "remove": self._remove,
            "stop": self._stop,
            "dismiss": lambda asked: self.tasks.dismiss(_number(asked)),
        }
        action = actions.get(message["kind"])
        if action is None:
            return
        try:
            action(message)
        except DataError as problem:
            self._say(str(problem), "error")
        self.poll()

    def _where(self, asked: dict[str, Any]) -> None:
        year = asked.get("year")
        instrument, chosen = str(asked.get("instrument", "")), year if isinstance(year, int) else None
        self._work.do(
            lambda: self.facts.where_json(instrument, chosen), lambda text: self.view.tell_text("where", text)
        )

    def _cite(self, asked: dict[str, Any]) -> None:
        keys, entries = ([str(each) for each in asked.get(name) or ()][:MOST_CITED] for name in ("keys", "entries"))

        def work() -> dict[str, Any]:
            self.facts.refresh()
            by_key = {item.key: item for item in self.facts.listing}
            known = load().entries
            items: list[Holding | Entry] = [
                *(by_key[key] for key in keys if key in by_key),
                *(known[name] for name in entries if name in known),
            ]
            return {"text": how_to_cite(items), "bibtex": bibtex(items), "count": len(items)}

        self._work.do(work, lambda facts: self.view.tell("citation", facts, again=True))

    def _fetch(self, asked: dict[str, Any]) -> None:
        arguments = fetch_arguments(asked)
        entry = load().entry(str(asked.get("name", "")))
        if asked.get("plan"):
            self.tasks.start("plan", f"What there is of {entry.title}", [*arguments, "--dry-run"], subject=entry.name)
        else:
            extra = ["--import"] if entry.reader else []
            self.tasks.start("fetch", f"Fetching {entry.title}", [*arguments, *extra], subject=entry.name)

    def _verify(self, asked: dict[str, Any]) -> None:
        newest = self.tasks.newest("verify")
        if newest is not None and not newest.over:
            raise StoreProblem("A verification is at work already; wait for it or stop it.")
        key = str(asked.get("key", ""))
        item = self.facts.listing.find(key) if key else None
        title = f"Verifying {item.title if item else 'everything'}"
        arguments = ["data", "verify", *([item.key] if item else []), "--json", "--progress"]
        root = self.library.root

        def keep(task: Task) -> None:
            if task.state == "done":
                _keep_verification(root, task, item.key if item else "")

        self.tasks.start("verify", title, arguments, subject=item.key if item else "", on_end=keep)

    def _stop(self, asked: dict[str, Any]) -> None:
        _THREADS.submit(self.tasks.stop, _number(asked)).add_done_callback(log_failure)  # waits for the process to end

    def _remove(self, asked: dict[str, Any]) -> None:
        key, root = str(asked.get("key", "")), self.library.root

        def work() -> str:
            gone = remove(root, key)
            self.facts.forget()
            return f"Removed {gone.title}: {gone.amount}, {size_words(gone.size)}."

        def show(sentence: str) -> None:
            self._say(sentence)
            self._looked = 0.0
            self.poll()

        self._work.do(work, show)

    def _say(self, sentence: str, severity: str = "info") -> None:
        self.view.tell("notice", {"text": sentence, "severity": severity}, again=True)


def page(library: Library, build: Build | None) -> pmui.Page:
    """One session's Data page."""
    data = DataPage(library)
    made = shell("data", main=[data.view])
    pn.state.onload(data.poll)
    repeat(data.poll, milliseconds=POLL_MS)
    return made


def fetch_arguments(asked: dict[str, Any]) -> list[str]:
    """A `carbonweather data fetch` from what was typed into the form.

    Raises
    ------
    StoreProblem : an unknown data set, a text that is no day, a box that is none; in one sentence.
    """
    entry = load().entry(str(asked.get("name", "")))
    arguments = ["data", "fetch", entry.name, "--json"]
    days = {}
    for name in ("start", "end"):
        text = str(asked.get(name) or "").strip()
        if text:
            days[name] = read_day(text, last=name == "end")
            arguments.append(f"--{name}={text}")
    if len(days) == 2 and days["start"] > days["end"]:  # type: ignore[operator]
        raise StoreProblem(f"The first day, {days['start']}, comes after the last, {days['end']}; exchange them.")
    edges = [str(edge or "").strip() for edge in (asked.get("box") or ())][:4]
    if any(edges):
        if len(edges) < 4 or not all(edges):
            raise StoreProblem(
                "A box needs all four edges: west, south, east and north in degrees; or leave all empty."
            )
        text = ",".join(re.sub(r"[^0-9.+\-eE]", "?", edge)[:20] for edge in edges)
        read_box(text)
        arguments.append(f"--bbox={text}")
    return arguments


def _upload_facts() -> str:
    try:
        limit = limit_bytes()
    except DataError:
        limit = 0
    words = {"limit_words": size_words(limit), "unpacked_words": size_words(limit * UNPACKED_FACTOR)}
    return json.dumps({"token": TOKEN, "limit": limit, **words})


def _keep_verification(root: Any, task: Task, subject: str) -> None:
    """Keep what was found, for every visitor and the next start; of one item, in place of what was known of it."""
    findings = task.rows
    if subject:
        before = json.loads(verification_json(root)).get("findings", [])
        findings = [each for each in before if each.get("item") != subject and each not in findings] + findings
    file = verification_file(root)
    part = file.with_suffix(".part")
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"finished": finished, "subject": "", "findings": findings}), encoding="utf-8")
        part.replace(file)
    except OSError as error:
        log.warning("the verification cannot be kept in %s: %s", file, error)


def _number(asked: dict[str, Any]) -> int:
    value = asked.get("number")
    return value if isinstance(value, int) else -1
