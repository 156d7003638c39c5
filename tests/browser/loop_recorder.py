"""The dashboard with a stopwatch at its event loop: `python -m tests.browser.loop_recorder FILE serve ...`.

For each callback of the loop the processor time of its own thread is taken, which other processes cannot lengthen, and each file
that the loop's thread opens below the data folder is noted. FILE is written anew a few times a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

LONG_SECONDS = 0.05


class Recorder:
    """What the event loop of this process did.

    Attributes
    ----------
    longest_s : processor time of the longest callback.
    long : callbacks that took LONG_SECONDS or more, with their times.
    opened : files and folders of the data folder that the loop's thread opened, and when.
    """

    def __init__(self, path: Path, home: str) -> None:
        self.path, self.home = path, home
        self.longest_s = 0.0
        self.callbacks = 0
        self.long: list[dict[str, Any]] = []
        self.opened: list[dict[str, Any]] = []
        self._loop_thread = 0

    def install(self) -> None:
        """Begin to record."""
        run = asyncio.Handle._run
        recorder = self

        def timed(handle: asyncio.Handle) -> None:
            recorder._loop_thread = threading.get_ident()
            began, clock = time.thread_time(), time.monotonic()
            run(handle)
            took = time.thread_time() - began
            recorder.callbacks += 1
            recorder.longest_s = max(recorder.longest_s, took)
            if took >= LONG_SECONDS:
                recorder.long.append(
                    {"cpu_s": took, "wall_s": time.monotonic() - clock, "at": time.time(), "what": repr(handle)[:600]}
                )

        asyncio.Handle._run = timed  # type: ignore[method-assign]
        sys.addaudithook(self._audit)
        threading.Thread(target=self._write, daemon=True).start()

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir") and threading.get_ident() == self._loop_thread:
            name = str(arguments[0])
            if name.startswith(self.home) and len(self.opened) < 1000:
                self.opened.append({"file": name, "at": time.time()})

    def _write(self) -> None:
        while True:
            time.sleep(0.3)
            hidden = self.path.with_suffix(".part")
            hidden.write_text(
                json.dumps(
                    {"longest_s": self.longest_s, "callbacks": self.callbacks, "long": self.long, "opened": self.opened}
                )
            )
            os.replace(hidden, self.path)


if __name__ == "__main__":
    Recorder(Path(sys.argv.pop(1)), os.environ["CARBONWEATHER_HOME"]).install()
    from dashboard.cli import main

    main()
