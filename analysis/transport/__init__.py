"""The transport engine: tracers carried by mass fluxes, exactly conservative, fast on two cores.

What goes in: a grid and levels (`analysis.grids`), air-mass fluxes through the faces of cells (`MassFluxes`), mixing and
sources. What is carried: tracer mass and dry-air mass, with identical fluxes.
"""
