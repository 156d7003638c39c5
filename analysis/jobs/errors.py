"""What can go wrong with a run, in one sentence each, and the two ways in which one is stopped."""

from __future__ import annotations

from analysis.errors import AnalysisError


class SettingsError(AnalysisError):
    """A setting is not what the schema of the job says."""


class NoSuchJob(AnalysisError):
    """There is no kind of run of that name."""


class RunFailed(AnalysisError):
    """A run cannot go on."""


class ClusterProblem(RunFailed):
    """The Dask cluster cannot be reached, or was lost."""


class RunStopped(Exception):
    """Someone asked the run to stop; a job lets this pass."""


class RunCancelled(RunStopped):
    """It is not wanted any more."""


class RunPaused(RunStopped):
    """It shall go on later."""
