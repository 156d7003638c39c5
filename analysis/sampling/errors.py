"""What can be wrong with requests for samples, said before a run starts."""

from __future__ import annotations

from analysis.errors import AnalysisError


class SamplingError(AnalysisError):
    """Requests that cannot be sampled as they are, or a state that belongs to other requests."""
