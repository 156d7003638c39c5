"""`python -m analysis.jobs HOME RUN`: the process that computes one run. `analysis.jobs.start` starts it."""

from __future__ import annotations

import argparse


def main() -> None:
    from analysis.jobs.runner import execute

    parser = argparse.ArgumentParser(prog="python -m analysis.jobs", description=__doc__)
    parser.add_argument("home")
    parser.add_argument("run")
    parser.add_argument("--scheduler")
    parser.add_argument("--workers", type=int)
    asked = parser.parse_args()
    execute(asked.home, asked.run, scheduler=asked.scheduler, workers=asked.workers)


if __name__ == "__main__":
    main()
