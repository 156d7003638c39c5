"""What can be wrong with surface fluxes, said before the run starts."""

from __future__ import annotations

from analysis.errors import AnalysisError


class FluxProblem(AnalysisError):
    """Fluxes of another unit, sign, grid or time than the run needs, or that cannot be fluxes of CO2."""
