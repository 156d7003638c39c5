"""Whether the workers of an existing cluster can do what is asked: same program, same data folder.

A worker that lacks a module dies when it is handed a task of it, without a word to whoever asked; so it is asked first.
"""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.jobs.errors import ClusterProblem

if TYPE_CHECKING:
    from distributed import Client

_PROGRAM = "carbonweather"


def check_workers(client: Client, modules: set[str], home: Path) -> None:
    """Ask all workers that are there now.

    Parameters
    ----------
    modules : what they must import.
    home : the data folder, which they must see under the same path.

    Raises
    ------
    ClusterProblem : one of them cannot; the sentence names it.
    """
    # Only built-in functions are sent, which every worker has.
    for module in sorted(modules):
        for address, answer in client.run(exec, f"import {module}", on_error="return").items():
            if isinstance(answer, BaseException):
                raise ClusterProblem(
                    f"worker {address}: expected it to import {module} as this process does, found "
                    f"{type(answer).__name__}: {str(answer)[:150]}; start it in an environment with this program."
                )
    ours = metadata.version(_PROGRAM)
    for address, answer in client.run(metadata.version, _PROGRAM, on_error="return").items():
        if not isinstance(answer, BaseException) and answer != ours:
            raise ClusterProblem(
                f"worker {address}: expected {_PROGRAM} {ours}, found {answer}; install the same version there."
            )
    for address, answer in client.run(os.path.isdir, str(home), on_error="return").items():
        if answer is not True:
            raise ClusterProblem(
                f"worker {address}: expected it to see the data folder {home}, found no such folder there; "
                "put the data folder on a file system that all machines share."
            )
