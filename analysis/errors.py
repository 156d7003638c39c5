"""Errors of the analysis layer: sentences for the user, saying what was expected, what was found and what to do."""

from __future__ import annotations


class AnalysisError(Exception):
    """Base of everything that `analysis` raises on purpose; `str(error)` is the sentence to show."""


class SeriesTooShort(AnalysisError):
    """A time series has too few values, or spans too little time, for what was asked of it."""
