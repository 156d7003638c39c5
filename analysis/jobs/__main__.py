"""`python -m analysis.jobs HOME RUN`: the process that computes one run. `analysis.jobs.start` starts it."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path


def main() -> None:
    from analysis.jobs.runner import execute
    from data.home import runs_dir
    from data.runs.working import ask

    parser = argparse.ArgumentParser(prog="python -m analysis.jobs", description=__doc__)
    parser.add_argument("home")
    parser.add_argument("run")
    parser.add_argument("--scheduler")
    parser.add_argument("--workers", type=int)
    asked = parser.parse_args()
    # A machine that is shut down asks first: the run is then paused, not broken off.
    signal.signal(signal.SIGTERM, lambda *_: ask(runs_dir(Path(asked.home)), asked.run, "pause"))
    execute(asked.home, asked.run, scheduler=asked.scheduler, workers=asked.workers)


if __name__ == "__main__":
    main()
