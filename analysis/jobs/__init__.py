"""Long computations: kinds of run, their settings, and how they are computed on Dask so that nothing is lost to a kill."""

from __future__ import annotations

from analysis.jobs.context import JobContext
from analysis.jobs.errors import (
    ClusterProblem,
    NoSuchJob,
    RunCancelled,
    RunFailed,
    RunPaused,
    RunStopped,
    SettingsError,
)
from analysis.jobs.job import Cost, Job
from analysis.jobs.registry import JOBS, job, jobs
from analysis.jobs.runner import execute, resume, start
from analysis.jobs.settings import validate

__all__ = [
    "JOBS",
    "ClusterProblem",
    "Cost",
    "Job",
    "JobContext",
    "NoSuchJob",
    "RunCancelled",
    "RunFailed",
    "RunPaused",
    "RunStopped",
    "SettingsError",
    "execute",
    "job",
    "jobs",
    "resume",
    "start",
    "validate",
]
