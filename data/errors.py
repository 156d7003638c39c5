"""Errors of the data layer. Each is one sentence a user can act on: file, what was expected, what was found, what to do."""

from __future__ import annotations

from os import PathLike, fspath


class DataError(Exception):
    """Base of everything that `data` raises on purpose; `str(error)` is the sentence to show."""


class FileProblem(DataError):
    """A file is not what it claims to be.

    Parameters
    ----------
    path : the file or folder.
    expected : what a good file would hold ("an HDF5 file with a variable 'xco2'").
    found : what is there instead ("an empty file").
    remedy : what the user can do ("download it again").
    """

    def __init__(self, path: str | PathLike[str], *, expected: str, found: str, remedy: str) -> None:
        self.path = fspath(path)
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(f"{self.path}: expected {expected}, found {found}; {remedy}.")

    def __reduce__(self):  # keyword-only arguments survive pickling between processes
        return (_rebuild_file_problem, (self.path, self.expected, self.found, self.remedy))


def _rebuild_file_problem(path: str, expected: str, found: str, remedy: str) -> FileProblem:
    return FileProblem(path, expected=expected, found=found, remedy=remedy)


class StoreProblem(DataError):
    """The archive, a cube or the user's data folder cannot do what was asked (missing, damaged, locked, disk full)."""
