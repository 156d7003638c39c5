"""What can be wrong with a run's input, said before the run starts."""

from __future__ import annotations

from analysis.errors import AnalysisError


class TransportError(AnalysisError):
    """Winds, masses, mixing or sources that cannot be used as given, or a time step that empties a cell."""
