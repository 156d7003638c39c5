"""A transport run: weather, surface fluxes and tracers in, fields and samples out.

`model` carries a state through intervals of weather, `sampler` says how results are taken while it runs, `fields` takes
means of mole fractions and columns, `output` writes them in the layout of CarbonTracker's files, `checkpoint` keeps a run
so that it goes on to the bit, `settings` is what a user may choose.
"""
