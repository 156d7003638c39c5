"""One visitor's Runs page: where he is, what he asks for, and the answers.

The disk is only ever read and written in threads, and what comes back is a few JSON texts, so the event loop has next to nothing
to do, however many runs, visitors and busy cores there are. Nothing outlives the session: threads hand their answer to the
document's next tick, and find none where the visitor has left.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from analysis.errors import AnalysisError
from dashboard.library import Library
from dashboard.run_address import RunsAddress, parse, values_for_address
from dashboard.run_configuration import read_configuration
from dashboard.run_form import typed_all
from dashboard.run_judging import WHOLE_FORM, Judgement, judge
from dashboard.run_kinds import form_of, kinds
from dashboard.run_look import Form, Look, Looker, Shown
from dashboard.run_plot import figure_json, line_key
from dashboard.run_view import RunsView
from dashboard.run_watch import RunWatch
from dashboard.session_work import SessionWork
from data.errors import DataError
from data.holdings import size_words
from data.removing import made_by, remove_run
from data.runs import Run

LONGEST_TITLE = 200

_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="runs")
_COSTS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="run-cost")
"""Estimates may take longer than anything else here; they must not keep a list waiting."""


class RunsSession:
    """The session behind one Runs page.

    Parameters
    ----------
    library : the data folder.
    watch : its runs, shared by all sessions.
    query : the address the page was opened with.
    """

    def __init__(self, library: Library, watch: RunWatch, query: str = "") -> None:
        self.library, self.watch, self.looker = library, watch, Looker(library, watch)
        self._work = SessionWork(_THREADS, lambda sentence: self._say(sentence, "error"), when_loaded=True)
        self.view = RunsView(self.message, sizing_mode="stretch_width", margin=0)
        self.at = RunsAddress()
        self.dark = False
        self._form: Form | None = None
        self._shown: Shown | None = None
        self._choice = ("", "")
        self._polling = False
        self._going = 0
        self._looked = 0
        self._judging = False
        self._draft: dict[str, Any] | None = None
        self._open(query, history="replace")

    # -- looking -----------------------------------------------------------------------------------------------------

    def _open(self, query: str, *, history: str) -> None:
        at, repairs = parse(query)
        self._go(at, history=history, repairs=repairs)

    def _go(
        self,
        at: RunsAddress,
        *,
        history: str = "push",
        repairs: list[str] | None = None,
        form: Form | None = None,
        say: str = "",
    ) -> None:
        """Show something else. `history`: 'push' for a new entry, 'replace' for none, '' if the browser is there already."""
        self._going += 1
        going = self._going

        def show(look: Look) -> None:
            if going != self._going:
                return  # the visitor went on meanwhile
            self._looked += 1
            self.at, self._form, self._choice = look.at, look.form, ("", "")
            if look.form is not None:
                self.view.tell_text("feedback", "{}")
            self._show(look)
            sentences = [say, *(repairs or ()), *look.repairs]
            self._say(" ".join(filter(None, sentences)))
            moved = history or look.at != at or look.repairs
            if moved:
                self._tell_address(look.at, replace=history != "push")

        self._work.do(lambda: self.looker.look(at, None, form, now=True), show)

    def poll(self) -> None:
        """Take in what has changed since the last look; called every second."""
        if self._polling:
            return
        self._polling = True
        at, shown, form, looked = self.at, self._shown, self._form, self._looked

        def show(look: Look) -> None:
            self._polling = False
            if looked != self._looked:
                return  # something newer is on screen
            if look.at != at:  # the run on screen is gone
                self._go(look.at, history="replace", repairs=look.repairs)
            else:
                self._show(look)

        def failed() -> None:
            self._polling = False

        self._work.do(lambda: self.looker.look(at, shown, form), show, failed=failed)

    def _show(self, look: Look) -> None:
        self.view.tell_text("listing", look.reading.listing)
        self.view.tell_text("live", look.reading.live)
        if look.log:
            self.view.tell_text("log", look.log)
        changed, self._shown = look.shown is not self._shown, look.shown
        if look.shown is None:
            self.view.tell_text("view", look.view)
        elif changed:
            self._draw()

    # -- the plot ----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Describe the run on screen, with the chosen series drawn."""
        shown, (file, column), dark = self._shown, self._choice, self.dark
        if shown is None:
            return

        def work() -> tuple[str, str]:
            drawable = [table for table in shown.tables if table.axis and table.quantities]
            if not drawable:
                return json.dumps(shown.facts, ensure_ascii=False), "{}"
            chosen = drawable[int(file)] if file.isdecimal() and int(file) < len(drawable) else drawable[0]
            plot = chosen.plot(column)
            spec = {
                "title": plot.title,
                "files": [[str(number), table.result.name] for number, table in enumerate(drawable)],
                "file": str(drawable.index(chosen)),
                "columns": [[name, name.replace("_", " ")] for name in chosen.quantities],
                "column": plot.quantity,
                "key": line_key(plot, dark=dark),
                "note": f"{plot.left_out} more lines are in the file." if plot.left_out else "",
            }
            figure = {"id": shown.run_id, "item": figure_json(plot, dark=dark)}
            return json.dumps(shown.facts | {"plot": spec}, ensure_ascii=False), json.dumps(figure)

        def show(found: tuple[str, str]) -> None:
            if shown is self._shown:
                self.view.tell_text("view", found[0])
                self.view.tell_text("plot", found[1])

        self._work.do(work, show)

    def set_dark(self, dark: bool) -> None:
        """Follow the page's theme."""
        self.dark = self.view.dark = dark
        self._draw()

    # -- what people do ----------------------------------------------------------------------------------------------

    def message(self, said: dict[str, Any]) -> None:
        """Take up what the browser says; anything malformed is left alone."""
        kind, run_id = said["kind"], _text(said.get("id"))
        if kind == "list":
            self._go(RunsAddress())
        elif kind == "open" and run_id:
            self._go(RunsAddress("run", run=run_id))
        elif kind == "new":
            self._go(RunsAddress("new", kind=_text(said.get("job"))))
        elif kind == "compare":
            ids = said.get("ids")
            if isinstance(ids, list) and len(ids) == 2 and all(isinstance(each, str) for each in ids):
                self._go(RunsAddress("compare", compare=(ids[0], ids[1])))
        elif kind == "pop":
            self._open(_text(said.get("query")), history="")
        elif kind == "edit":
            self._edited(said)
        elif kind == "start":
            self._start(said)
        elif kind == "upload":
            self._upload(_text(said.get("name")) or "the file", _text(said.get("text")), said.get("bytes"))
        elif kind == "plot":
            self._choice = (
                _text(said.get("series")) or self._choice[0],
                _text(said.get("column")) or ("" if said.get("series") else self._choice[1]),
            )
            self._draw()
        elif kind == "delete" and run_id:
            self._delete(run_id, with_results=said.get("results") is True)
        elif kind in ("pause", "cancel", "resume", "copy", "ask-delete") and run_id:
            {
                "pause": self._pause,
                "cancel": self._cancel,
                "resume": self._resume,
                "copy": self._copy,
                "ask-delete": self._ask_delete,
            }[kind](run_id)

    def _pause(self, run_id: str) -> None:
        self._act(lambda: self.watch.store.get(run_id).request_pause())

    def _cancel(self, run_id: str) -> None:
        self._act(lambda: self.watch.store.get(run_id).request_cancel())

    def _resume(self, run_id: str) -> None:
        def work() -> None:
            from analysis.jobs import resume

            resume(self.library.root, run_id)

        self._act(work)

    def _act(self, work: Callable[[], Any]) -> None:
        """Do something to a run and show at once what came of it."""

        def done(_result: Any) -> None:
            self._say("")
            self._looked += 1  # what a look found before this is out of date
            self._polling = False
            self.poll()

        def both() -> None:
            work()
            self.watch.read(now=True)

        self._work.do(both, done)

    def _ask_delete(self, run_id: str) -> None:
        def work() -> dict[str, Any]:
            run = self.watch.store.get(run_id)
            row = self.watch.read().row(run_id)
            inside = sum(result.path.is_relative_to(run.folder) for result in run.results)
            files = f" with {inside} result{'s' if inside != 1 else ''}" if inside else ""
            made = [
                f"{item.title} ({item.amount}, {size_words(item.size)})" for item in made_by(self.library.root, run_id)
            ]
            stays = " What it put into the data folder stays there unless you choose otherwise." if made else ""
            title = row["title"] if row else run_id
            text = (
                f"“{title}” is removed{files}, its settings and its log, for everybody who uses this data folder. "
                f"This cannot be undone.{stays}"
            )
            return {"id": run_id, "text": text, "made": made}

        self._work.do(work, lambda question: self.view.tell("question", question, again=True))

    def _delete(self, run_id: str, *, with_results: bool) -> None:
        def work() -> str:
            gone = remove_run(self.library.root, run_id, with_results=with_results)
            self.watch.read(now=True)
            return f"The run was deleted{', and with it ' + ', '.join(item.title for item in gone) if gone else ''}."

        self._work.do(work, lambda sentence: self._go(RunsAddress(), history="replace", say=sentence))

    def _copy(self, run_id: str) -> None:
        def work() -> Form:
            run = self.watch.store.get(run_id)
            row = self.watch.read().row(run_id)
            fields = form_of(run.kind, self.library)
            note = f"Settings of “{row['title'] if row else run_id}”: change what you like."
            return Form(
                run.kind, fields, typed_all(fields, run.settings), run.title, note=note, seed=run.seed, check=True
            )

        self._work.do(work, self._show_form)

    def _upload(self, name: str, text: str, size: object) -> None:
        def work() -> tuple[Form, list[str]]:
            given = read_configuration(text, name, size_bytes=size if isinstance(size, int) else 0)
            if given.kind not in kinds():
                known = ", ".join(kinds()) or "none"
                raise DataError(
                    f"{name[:80]}: expected a kind of run that is known here ({known}), found '{given.kind[:60]}'."
                )
            fields = form_of(given.kind, self.library)
            unknown = [key for key in given.settings if key not in {each.name for each in fields}]
            repairs = [f"There is no setting '{key[:40]}'; it was left out." for key in unknown]
            note = f"From {name[:80]}." + (f" Seed {given.seed}." if given.seed else "")
            form = Form(
                given.kind,
                fields,
                typed_all(fields, given.settings),
                given.title,
                note=note,
                seed=given.seed,
                check=True,
            )
            return form, repairs

        self._work.do(work, lambda found: self._show_form(*found))

    def _show_form(self, form: Form, repairs: list[str] | None = None) -> None:
        values = values_for_address(form.fields, form.values)
        self._go(RunsAddress("new", kind=form.kind, title=form.title, values=values), form=form, repairs=repairs)

    # -- the form ----------------------------------------------------------------------------------------------------

    def _edited(self, said: dict[str, Any]) -> None:
        """Judge the newest state of the form; while one judgement is under way, only the last of those that follow is kept."""
        self._draft = said
        if self._judging or self._form is None:
            return
        said, self._draft = self._draft, None
        form = self._form
        if said.get("key") != form.key or not isinstance(said.get("values"), dict):
            return
        self._judging = True
        values, title = said["values"], _text(said.get("title"))[:LONGEST_TITLE]

        def work() -> tuple[Judgement, str, dict[str, list[str]]]:
            found = judge(kinds()[form.kind], form.fields, values, self.library.root)
            return found, found.configuration(form.kind, title, form.seed), values_for_address(form.fields, values)

        def show(found: tuple[Judgement, str, dict[str, list[str]]]) -> None:
            self._judging = False
            judgement, text, written = found
            if form is self._form:
                self._answer(said, judgement, configuration=text)
                self.at = RunsAddress("new", kind=form.kind, title=title, values=written)
                self._tell_address(self.at, replace=True)
            if self._draft is not None:
                self._edited(self._draft)

        def failed() -> None:
            self._judging = False

        self._work.do(work, show, failed=failed, pool=_COSTS)

    def _answer(
        self, said: dict[str, Any], judgement: Judgement, *, configuration: str = "", started: bool = False
    ) -> None:
        sequence = said.get("seq")
        self.view.tell(
            "feedback",
            {
                "seq": sequence if isinstance(sequence, int) else 0,
                "key": said.get("key"),
                "errors": judgement.errors,
                "cost": judgement.cost,
                "configuration": configuration,
                "started": started,
            },
            again=True,
        )

    def _start(self, said: dict[str, Any]) -> None:
        form = self._form
        if form is None or said.get("key") != form.key or not isinstance(said.get("values"), dict):
            return
        values, title, again = said["values"], _text(said.get("title"))[:LONGEST_TITLE], said.get("again") is True

        def work() -> tuple[Judgement, Run | None, bool]:
            from analysis.jobs import start

            found = judge(kinds()[form.kind], form.fields, values, self.library.root)
            if found.errors:
                return found, None, False
            began = datetime.now(UTC)
            try:
                run = start(self.library.root, form.kind, found.settings, title=title, seed=form.seed, reuse=not again)
            except (AnalysisError, DataError) as error:
                return Judgement(errors={WHOLE_FORM: str(error)}, cost=found.cost), None, False
            return found, run, run.created < began

        def show(found: tuple[Judgement, Run | None, bool]) -> None:
            judgement, run, known = found
            if run is None:
                self._answer(said, judgement, started=True)
                return
            words = (
                "An identical run is there already; this is it. Tick “Compute again” in the form to start another."
                if known
                else ""
            )
            self._go(RunsAddress("run", run=run.id), say=words)

        self._work.do(work, show, failed=lambda: self._answer(said, Judgement(), started=True))

    # -- wires -------------------------------------------------------------------------------------------------------

    def _say(self, sentence: str, severity: str = "info") -> None:
        self.view.tell("notice", {"text": sentence, "severity": severity}, again=bool(sentence))

    def _tell_address(self, at: RunsAddress, *, replace: bool) -> None:
        self.view.tell("address", {"query": at.to_query(), "replace": replace}, again=True)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
